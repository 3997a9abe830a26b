package Fuzz::Case;

# Case number N of a seed: the bytes of a request, and what may come of it.

use strict;
use warnings;
use Exporter 'import';
use Fuzz::Dice;
use Fuzz::Locations 'locations';
use Fuzz::Oracle qw(judge_answer judge_client_jwt);
use Fuzz::Proof qw(prove show_certificate);
use Fuzz::Token qw(token bound_number answer);
use Fuzz::Wire 'wire';
use MIME::Base64 'encode_base64';

our @EXPORT_OK = qw(make_case explain);

our $BASIC = 'Basic ' . encode_base64('user:password', '');
my @LOCATIONS = locations();

# Ways to send a token: lines of the request, and whether that is the token ('same'), something else ('refuse'), a
# request that nginx itself refuses ('broken'), or nobody knows what ('may').
my %SENT = (
    same => {
        'lower case'        => sub { return "authorization: bearer $_[0]" },
        'upper case'        => sub { return "AUTHORIZATION: BEARER $_[0]" },
        'several spaces'    => sub { return "Authorization:   Bearer    $_[0]  " },
        'beside a cookie'   => sub {
            return (
                "Cookie: access_token=evil", "Authorization: Bearer $_[0]", 'X-Authorization: Bearer evil',
                'Proxy-Authorization: Bearer evil'
            );
        },
    },
    refuse => {
        'nothing'           => sub { return () },
        'Basic'             => sub { return 'Authorization: Basic ' . encode_base64($_[0], '') },
        'Basic, bad password' => sub { return 'Authorization: Basic ' . encode_base64('user:passwort', '') },
        'DPoP'              => sub { return "Authorization: DPoP $_[0]" },
        'no scheme'         => sub { return "Authorization: $_[0]" },
        'scheme alone'      => sub { return 'Authorization: Bearer' },
        'empty'             => sub { return 'Authorization:' },
        'TAB'               => sub { return "Authorization: Bearer\t$_[0]" },
        'two tokens'        => sub { return "Authorization: Bearer $_[0] $_[0]" },
        'comma'             => sub { return "Authorization: Bearer $_[0], Basic eA==" },
        'two schemes'       => sub { return "Authorization: Basic Bearer $_[0]" },
        'scheme glued'      => sub { return "Authorization: Bearer$_[0]" },
        'quoted'            => sub { return qq(Authorization: Bearer "$_[0]") },
        'high byte'         => sub { return "Authorization: Bearer $_[0]\xe9" },
        '= within'          => sub { return "Authorization: Bearer =$_[0]" },
        'a character more'  => sub {
            return "Authorization: Bearer $_[0]" . $_[1]->one_of('a', '.', '=', '+', '/', '~');
        },
        'a character less'  => sub { return 'Authorization: Bearer ' . substr $_[0], 0, -1 },
        'form injected'     => sub { return "Authorization: Bearer $_[0]&token=$_[0]" },
        'escaped'           => sub { return 'Authorization: Bearer ' . $_[0] =~ s/\./%2E/gr },
        'another header'    => sub {
            return (
                "X-Authorization: Bearer $_[0]", "Proxy-Authorization: Bearer $_[0]", "Authorization-: Bearer $_[0]",
                "Cookie: access_token=$_[0]"
            );
        },
        'underscore'        => sub { return "HTTP_AUTHORIZATION: Bearer $_[0]" },
    },
    broken => {
        'two headers'       => sub { return ("Authorization: Bearer $_[0]", "Authorization: Bearer $_[0]") },
        'two, one empty'    => sub { return ("Authorization: Bearer $_[0]", 'authorization: Basic eA==') },
        'space before colon' => sub { return "Authorization : Bearer $_[0]" },
        'NUL'               => sub { return "Authorization: Bearer $_[0]\0" },
        'CR within'         => sub { return "Authorization: Bearer\r $_[0]" },
    },
    may => {
        'folded'            => sub { return "Authorization: Bearer\r\n $_[0]" },
        'a byte flipped'    => sub { return $_[1]->flipped("Authorization: Bearer $_[0]") },
        'bytes flipped'     => sub {
            my $line = "Authorization: Bearer $_[0]";
            $line = $_[1]->flipped($line) for 1 .. 4;
            return $line;
        },
        'very long'         => sub { return "Authorization: Bearer $_[0]" . 'a' x 9000 },
    },
);
my @SENT = map {
    my $effect = $_;
    map { [$effect, $_, $SENT{$effect}{$_}] } sort keys %{ $SENT{$effect} }
} sort keys %SENT;

# { client, number, bytes, method, body, location, token, verdict, allowed, answered, shown, labels }. shown: what the
# client has shown beside its token, as Fuzz::Proof has it. verdict: 'pass' (the API
# must see it), 'may', 'refuse'; allowed($authorization) says whether the API may see that, undef for none.
sub make_case {
    my ($seed, $client, $number, $start) = @_;
    my $dice     = Fuzz::Dice->new($seed, 'case', $client, $number);
    my $location = $dice->one_of(@LOCATIONS);
    my $which    = _which_token($dice, $client, $number, $location);
    $which = bound_number($which) if $dice->percent($location->{confirmation} ? 80 : 3);
    my $token = token($which);
    my %case  = (
        client => $client, number => $number, location => $location, token_number => $which, token => $token,
        shown => {},
        labels => ["location $location->{name}", @{ $token->{labels} }]
    );
    _send(\%case, $dice);
    _judge(\%case, $start);
    return \%case;
}

# Mostly a token of its own; else one that other requests of this client, and of others, have used. Where there is a
# cache the same few come again, or nothing would be in it twice.
sub _which_token {
    my ($dice, $client, $number, $location) = @_;
    return 1000 * int($number / 64) + $dice->number(4) if $location->{name} =~ /cached|hot/ && $dice->percent(60);
    return 1000 * int($number / 256) + $client if $location->{flaps};
    return 1000 * $number + $client if $dice->percent(60) || $number < 40;
    return 1000 * ($number - $dice->number(40)) + $dice->number(4);
}

# The effect, the label, and the lines of the request.
sub _send_token {
    my ($case, $dice, $method, $path) = @_;
    my ($location, $text) = ($case->{location}, $case->{token}{text});
    return ('basic', 'user and password', "Authorization: $BASIC") if $location->{open} && $dice->percent(30);
    if ($location->{confirmation} && $dice->percent(65)) {
        my %request = (method => $method, path => $path, token => $text);
        ($case->{shown}, my ($label, @lines)) = prove($dice, $location, %request);
        return ('same', $label, @lines);
    }
    my ($effect, $label, $code) = $dice->percent(80) ? (
        'same', 'as usual', sub { return "Authorization: Bearer $_[0]" }
    ) : @{ $dice->one_of(@SENT) };
    return ($effect, $label, $code->($text, $dice));
}

sub _show_certificate {
    my ($case, $dice) = @_;
    return if !$case->{location}{certificate};
    my @lines;
    ($case->{shown}{certificate}, @lines) = show_certificate($dice);
    return @lines;
}

sub _send {
    my ($case, $dice) = @_;
    my $method = $dice->one_of(qw(GET GET GET GET POST POST HEAD PUT DELETE OPTIONS));
    my @more   = ("X-Case: $case->{client}/$case->{number}");
    push @more, $dice->some_of(70, 'Origin: https://app.example', 'Access-Control-Request-Method: PUT')
        if $method eq 'OPTIONS';
    my $body = $method =~ /^P/ ? join('', map { chr $dice->number(256) } 1 .. 8) x $dice->one_of(0, 1, 10, 3000) : '';
    push @more, 'Content-Length: ' . length $body if $method =~ /^P/;
    my $query = $dice->percent(10) ? "?access_token=$case->{token}{text}" : '';
    my $path  = "/$case->{location}{name}/" . $dice->one_of('', 'a', 'a/../b', '%61', 'x?y=z');
    $path .= $query if $path !~ /\?/;
    my ($effect, $label, @lines) = _send_token($case, $dice, $method, $path);
    @{$case}{qw(effect method body)} = ($effect, $method, $body);
    ($case->{sent}) = map { /^Authorization: ([^\r\n]*)/ } @lines; # a byte may have become the end of the line
    $case->{preflight} = $method eq 'OPTIONS' && @more == 3;
    push @more, _show_certificate($case, $dice);
    $case->{bytes}     = join("\r\n", "$method $path HTTP/1.1", 'Host: localhost', @more, @lines, '', '') . $body;
    push @{ $case->{labels} }, "sent: $label", $method;
    return;
}

sub _conclude { my ($case, $verdict, $allowed) = @_; @{$case}{qw(verdict allowed)} = ($verdict, $allowed); return }

sub _judge {
    my ($case, $start) = @_;
    my ($effect, $location) = @{$case}{qw(effect location)};
    return _conclude($case, 'refuse') if $effect eq 'broken';
    my $sure = $effect eq 'may' ? 'may' : 'pass';

    # Granted by another module: what is no bearer token stays as it was.
    return _conclude($case, $sure, sub { return ($_[0] // '') !~ /^bearer(?:\s|$)/i })
        if ($location->{open} // '') eq 'address';
    return _conclude($case, 'pass', sub { return ($_[0] // '') eq $BASIC }) if $effect eq 'basic';
    if ($case->{preflight} && $location->{preflight} ne 'protect') {
        $case->{answered} = $location->{preflight} eq 'answer';
        return $case->{answered} ? _conclude($case, 'refuse') : _conclude($case, $sure, sub { return !defined $_[0] });
    }
    return _conclude($case, 'refuse') if $effect eq 'refuse';
    return _conclude($case, 'refuse') if $case->{shown}{outcome};
    _judge_token($case, $start);
    $case->{verdict} = 'may' if $case->{verdict} eq 'pass' && ($effect eq 'may' || $location->{flaps});
    return;
}

# By what the token is, or by what the authorization server says of it; where nobody knows whether it is a JWT, either.
sub _judge_token {
    my ($case, $start) = @_;
    my ($location, $token, $shown) = @{$case}{qw(location token shown)};
    my $jwt    = $token->{jwt};
    my $is_jwt = $location->{inbound} ne 'introspect' && $jwt && defined $jwt->{claims};
    my @views  = (
        $is_jwt ? [
            judge_client_jwt($jwt, $location, $start, $shown), sub { return _is_own_jwt($case, $_[0] // '') }
        ] : (),
        $location->{way} && !($is_jwt && $jwt->{effect} eq 'same') ? _judge_opaque($case, $start) : ()
    );
    my @open = grep { $_->[0] ne 'refuse' } @views;
    return _conclude($case, 'refuse') if !@open;
    return _conclude($case, @views == 1 ? $open[0][0] : 'may', sub {
        my ($seen) = @_;
        return scalar grep { $_->[1]->($seen) } @open;
    });
}

# What nobody verifies goes on as it was sent, a flipped byte of its signature and all.
sub _is_own_jwt {
    my ($case, $authorization) = @_;
    return 1 if $authorization eq "Bearer $case->{token}{text}";
    return $case->{location}{inbound} eq 'pass' && $case->{effect} eq 'may' && $authorization eq ($case->{sent} // '');
}

sub _judge_opaque {
    my ($case, $start) = @_;
    my $answer = answer($case->{token_number}, $case->{location}{way});
    my $wire   = wire($answer);
    push @{ $case->{labels} }, map { "AS: $_" } @{ $answer->{labels} }, $wire->{label};
    $case->{answer} = $wire->{pieces};
    return [
        judge_answer($answer, $wire, $case->{location}, $start, $case->{shown}),
        sub { return _is_jwt_of($answer, $wire, $_[0] // '') }
    ];
}

sub _is_jwt_of {
    my ($answer, $wire, $authorization) = @_;
    my $expected = "Bearer $answer->{jwt}{text}";
    return 1 if $authorization eq $expected;
    return $wire->{shortens} && $answer->{kind} eq 'jwt' && index($expected, $authorization) == 0
        && $authorization =~ /\..*\../;
}

# The case in words, for who has to look at it.
sub explain {
    my ($case) = @_;
    my @labels = grep { !/: $/ } @{ $case->{labels} };
    my $show   = sub {
        my ($bytes) = @_;
        $bytes = substr($bytes, 0, 3000) . '…' if length $bytes > 3000;
        $bytes =~ s/([^\x20-\x7e\n])/sprintf '\\x%02x', ord $1/ge;
        return $bytes =~ s/^/    /gmr;
    };
    return join "\n", "verdict: $case->{verdict}", "labels: @{[join '; ', @labels]}", 'request:',
        $show->($case->{bytes}),
        $case->{answer} ? ('answer of the authorization server:', map { $show->($_) } @{ $case->{answer} }) : ();
}

1;
