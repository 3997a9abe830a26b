package Fuzz::Token;

# Token number N of a seed: its text, and what the authorization server says of it. The fuzzer and its authorization
# server each make the same out of the same number, so neither has to tell the other.

use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Exporter 'import';
use Fuzz::Compact 'compact';
use Fuzz::Dice;
use Fuzz::Json qw(written read_object);
use Fuzz::Proof qw(thumbprint_of certificate_thumbprint);
use JSON::PP ();
use MIME::Base64 'decode_base64url';

our @EXPORT_OK = qw(token token_number bound_number answer begin);

my ($seed, $start);
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# start: the time that all times in tokens are counted from.
sub begin { ($seed, $start) = @_; return }

sub _scopes {
    my ($dice) = @_;
    return $dice->shuffled(
        $dice->some_of(45, qw(read write admin invoice_pay)), $dice->some_of(15, qw(readonly invoices rea Read))
    );
}

# scope or scp, as a string or a list; sometimes none.
sub _grant {
    my ($dice, $document) = @_;
    my @scopes = $dice->percent(70) ? (qw(read write invoice_pay), $dice->some_of(20, 'admin')) : _scopes($dice);
    my $name = $dice->percent(80) ? 'scope' : 'scp';
    $document->{$name} = $dice->percent(70) ? join($dice->one_of(' ', ' ', ' ', '  '), @scopes) : [@scopes];
    return;
}

# Each changes a good document; what that means is for Fuzz::Oracle, which knows none of these.
my %CHANGES = (
    'no exp'          => sub { delete $_[0]{exp} },
    'exp past'        => sub { $_[0]{exp} = $start - 100 },
    'exp far past'    => sub { $_[0]{exp} = $start - 100_000 },
    'exp 0'           => sub { $_[0]{exp} = 0 },
    'exp negative'    => sub { $_[0]{exp} = -1 },
    'exp text'        => sub { $_[0]{exp} = '' . ($start + 100_000) },
    'exp null'        => sub { $_[0]{exp} = undef },
    'exp fraction'    => sub { $_[0]{exp} = $start + 100_000.5 },
    'nbf ahead'       => sub { $_[0]{nbf} = $start + 6000 },
    'nbf far ahead'   => sub { $_[0]{nbf} = $start + 100_000 },
    'nbf past'        => sub { $_[0]{nbf} = $start - 10 },
    'nbf a list'      => sub { $_[0]{nbf} = [0] },
    'iss other'       => sub { $_[0]{iss} = 'https://evil.example' },
    'iss longer'      => sub { $_[0]{iss} = 'https://as.example/' },
    'iss a list'      => sub { $_[0]{iss} = ['https://as.example'] },
    'iss second'      => sub { $_[0]{iss} = 'https://as2.example' },
    'no iss'          => sub { delete $_[0]{iss} },
    'aud other'       => sub { $_[0]{aud} = 'other' },
    'aud list'        => sub { $_[0]{aud} = ['other', 'api'] },
    'aud list other'  => sub { $_[0]{aud} = ['other', 1, 'apis'] },
    'aud empty'       => sub { $_[0]{aud} = [] },
    'aud object'      => sub { $_[0]{aud} = { api => 'api' } },
    'no aud'          => sub { delete $_[0]{aud} },
    'scope empty'     => sub { $_[0]{scope} = '' },
    'scope null'      => sub { $_[0]{scope} = undef },
    'scope object'    => sub { $_[0]{scope} = { read => $true } },
    'scope part'      => sub { $_[0]{scope} = 'readonly rea writer invoice' },
    'no scope'        => sub { delete @{ $_[0] }{qw(scope scp)} },
    'scp beside'      => sub { $_[0]{scp} = 'read write admin invoice_pay' },
    'cnf'             => sub { $_[0]{cnf} = { jkt => 'x' } },
    'cnf null'        => sub { $_[0]{cnf} = undef },
    'DPoP'            => sub { $_[0]{token_type} = 'dpop' },
    'refresh token'   => sub { $_[0]{token_type} = 'Refresh_Token' },
    'type Bearer'     => sub { $_[0]{token_type} = 'Bearer' },
    'active false'    => sub { $_[0]{active} = $false },
    'active text'     => sub { $_[0]{active} = 'true' },
    'active 1'        => sub { $_[0]{active} = 1 },
    'active null'     => sub { $_[0]{active} = undef },
);
# In a client's own JWT these are nobody's word.
my @ANSWERS_ONLY = ('refresh token', grep { /^active/ } sort keys %CHANGES);

# The token is bound to a key, mostly to the client's own.
my %BOUND = (
    'jkt'              => sub { return { jkt => thumbprint_of('own') } },
    'jkt of another'   => sub { return { jkt => thumbprint_of('other') } },
    'jkt of nobody'    => sub { return { jkt => 'x' } },
    'jkt a list'       => sub { return { jkt => [thumbprint_of('own')] } },
    'jkt null'         => sub { return { jkt => undef } },
    'Keycloak'         => sub { return { jkt => thumbprint_of('own'), 'kc-jkt-type' => 'DPoP' } },
    'Keycloak, other'  => sub { return { jkt => thumbprint_of('own'), 'kc-jkt-type' => 'mTLS' } },
    'certificate'      => sub { return { 'x5t#S256' => certificate_thumbprint('own') } },
    'certificate, kc'  => sub { return { 'x5t#S256' => certificate_thumbprint('own'), 'kc-jkt-type' => 'DPoP' } },
    'both'             => sub {
        return { jkt => thumbprint_of('own'), 'x5t#S256' => certificate_thumbprint('own') };
    },
    'jkt and null'     => sub { return { jkt => thumbprint_of('own'), 'x5t#S256' => undef } },
    'jkt and unknown'  => sub { return { jkt => thumbprint_of('own'), kid => 'x' } },
    'unknown'          => sub { return { jwk => {} } },
    'empty'            => sub { return {} },
    'a list'           => sub { return [thumbprint_of('own')] },
    'a text'           => sub { return thumbprint_of('own') },
);

# Those from 500 on in each thousand are of clients with keys.
sub bound_number { my ($number) = @_; return $number + 500 }
sub _is_bound    { my ($number) = @_; return $number % 1000 >= 500 }

sub _bind {
    my ($dice, $number, $document, $chance) = @_;
    return if !_is_bound($number) || !$dice->percent($chance);
    my $way = $dice->percent(70) ? $dice->one_of('jkt', 'jkt', 'certificate', 'both') : $dice->one_of(sort keys %BOUND);
    $document->{cnf} = $BOUND{$way}->();
    return "cnf: $way";
}

sub _changed {
    my ($dice, $document, @changes) = @_;
    my @labels;
    for (1 .. $dice->one_of(0, 0, 0, 1, 1, 2)) {
        push @labels, my $change = $dice->one_of(@changes);
        $CHANGES{$change}->($document);
    }
    return @labels;
}

sub _claims {
    my ($dice, $number, @changes) = @_;
    my %claims = (
        jti => "t$number", sub => 'alice', iss => 'https://as.example', aud => 'api', exp => $start + 100_000
    );
    _grant($dice, \%claims);
    my @labels = (_bind($dice, $number, \%claims, 80), _changed($dice, \%claims, @changes));
    return (\%claims, map { "claims: $_" } @labels);
}

# { text, jwt }: jwt as Fuzz::Compact has it, where the token is one.
sub token {
    my ($number) = @_;
    my $dice = Fuzz::Dice->new($seed, 'token', $number);
    my $opaque = sprintf 't%d.%s', $number, substr sha256_hex("$seed/text/$number"), 0, 24;
    return { text => $opaque, labels => [] } if $dice->percent(75);
    my %not = map { $_ => 1 } @ANSWERS_ONLY;
    my ($claims, @labels) = _claims($dice, $number, grep { !$not{$_} } sort keys %CHANGES);
    my $jwt = compact($claims, $dice, inbound => 1, more => { number => $number },
        typ => $dice->one_of('at+jwt', 'at+jwt', undef, 'JWT', 'application/at+jwt', 'logout+jwt'));
    return { text => $jwt->{text}, jwt => $jwt, labels => ["token: $jwt->{label}, signed $jwt->{signer}", @labels] };
}

# The number that a text claims to be of; whether it is that token is to be compared.
sub token_number {
    my ($text) = @_;
    return $1 if $text =~ /^t(\d+)\./;
    for my $part (map { decode_base64url($_) } split /\./, $text) {
        return $1 if $part =~ /"number":(\d+)/ || $part =~ /"t(\d+)"/;
    }
    return;
}

# What the server says of the token, before it is put into HTTP:
# { kind, type, body, members, envelope, jwt, effect, labels }, by the way that the gateway asks.
sub answer {
    my ($number, $way) = @_;
    my $dice = Fuzz::Dice->new($seed, 'answer', $number);
    my ($claims, @labels) = _claims($dice, $number, sort keys %CHANGES);
    my $kind = $dice->one_of(qw(jwt jwt jwt json json json json 9701 9701 none empty));
    my $typ  = $dice->percent(97) ? $dice->one_of('at+jwt', 'JWT', undef) : 'token-introspection+jwt';
    my $jwt  = compact($claims, $dice, typ => $typ);
    my %answer = (
        kind => $kind, number => $number, jwt => $jwt, dice => $dice, effect => 'same',
        labels => [@labels, $jwt->{label}, "signed $jwt->{signer}", "kind $kind"]
    );
    return $way eq 'exchange' ? _exchange(\%answer) : _introspection(\%answer);
}

sub _introspection {
    my ($answer) = @_;
    my ($kind, $dice) = @{$answer}{qw(kind dice)};
    return { %{$answer}, type => 'application/jwt', body => $answer->{jwt}{text} } if $kind eq 'jwt';
    return { %{$answer}, status => 204, body => '' } if $kind eq 'empty';

    my %members = (active => $kind eq 'none' ? $false : $true);
    push @{ $answer->{labels} }, map { "members: $_" }
        _bind($dice, $answer->{number}, \%members, 30), _changed($dice, \%members, sort keys %CHANGES);
    _grant($dice, \%members) if $dice->percent(30);
    my $member = $dice->one_of(qw(jwt jwt jwt phantom_token token_string alt access_token));
    $members{$member} = $answer->{jwt}{text};
    $members{ $dice->one_of(qw(jwt phantom_token token_string alt)) } //= $dice->one_of('', 'junk', undef, 1)
        if $dice->percent(10);
    push @{ $answer->{labels} }, "member $member";
    return _envelope($answer, \%members) if $kind eq '9701';
    my ($json, $effect, $label) = written(\%members, $dice, 10);
    return {
        %{$answer}, type => 'application/json', body => $json, _read($json, \%members, $effect),
        labels => [@{ $answer->{labels} }, "JSON: $label"]
    };
}

# The answer's object as a strict reader has it by now.
sub _read {
    my ($json, $data, $effect) = @_;
    return (members => $effect eq 'same' ? $data : read_object($json), effect => $effect);
}

sub _envelope {
    my ($answer, $members) = @_;
    my $dice   = $answer->{dice};
    my %claims = (iss => 'https://as.example', aud => 'gateway', iat => $start, token_introspection => $members);
    my @labels = _changed($dice, \%claims, 'exp past', 'exp far past', 'no exp', 'nbf ahead', 'nbf far ahead',
        'exp text', 'active false', 'scope empty');
    my $typ = $dice->percent(90) ? $dice->one_of(
        'token-introspection+jwt', 'application/Token-Introspection+JWT'
    ) : $dice->one_of('JWT', undef);
    my $envelope = compact(\%claims, $dice, typ => $typ);
    my $is_one = defined $typ && $typ =~ /introspection/i;
    my $type   = $dice->percent(70) ? 'application/token-introspection+jwt' : 'application/jwt';
    return { %{$answer}, type => $type, body => $envelope->{text}, envelope => $envelope->{claims},
             envelope_jwt => $envelope, is_envelope => $is_one,
        members => $envelope->{claims} && $envelope->{claims}{token_introspection}, effect => $envelope->{effect},
        labels => [@{ $answer->{labels} }, "envelope: $envelope->{label}", map { "envelope: $_" } @labels] };
}

sub _exchange {
    my ($answer) = @_;
    my ($kind, $dice) = @{$answer}{qw(kind dice)};
    if ($kind eq 'none' || $kind eq 'empty') {
        my $error = $dice->one_of(qw(invalid_request invalid_grant invalid_scope invalid_target invalid_client));
        return {
            %{$answer}, status => 400, type => 'application/json',
            body => qq({"error":"$error","access_token":"$answer->{jwt}{text}"})
        } if $answer->{jwt}{effect} ne 'refuse';
        return { %{$answer}, status => 400, type => 'application/json', body => qq({"error":"$error"}) };
    }
    my %members = (
        access_token => $answer->{jwt}{text}, token_type => 'N_A',
        issued_token_type => 'urn:ietf:params:oauth:token-type:jwt'
    );
    push @{ $answer->{labels} }, map { "members: $_" }
        _changed($dice, \%members, grep { !/^active/ } sort keys %CHANGES);
    $members{issued_token_type} = $dice->one_of(
        'urn:ietf:params:oauth:token-type:saml2', '', 1, 'urn:ietf:params:oauth:token-type:access_token'
    ) if $dice->percent(10);
    my ($json, $effect, $label) = written(\%members, $dice, 10);
    return {
        %{$answer}, type => 'application/json', body => $json, _read($json, \%members, $effect),
        labels => [@{ $answer->{labels} }, "JSON: $label"]
    };
}

1;
