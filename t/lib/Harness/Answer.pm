package Harness::Answer;

# What a server of the harness answers: from the convenient form, or from raw steps, to bytes and pauses.
#
#   { status, reason, headers => ['Name: value', …], type, body }   the usual; 200, with Content-Length
#   { json => {…} }  { jwt => {claims} or 'a.b.c' }                 bodies with their type
#   framing => 'chunked' | 'close'                                  in place of Content-Length
#   split => 7                                                      one write (or chunk) for each 7 bytes of the body
#   drip => 0.05                                                    seconds between those
#   delay => 0.2                                                    before anything is sent
#   hold => 'name'                                                  before anything is sent, until the test releases it
#   cut => 10                                                       10 bytes of the body, as if it went on
#   end => 'close' | 'reset'                                        what happens afterwards; cut has 'close'
#   websocket => 1                                                  101, then every byte comes back
#   raw => [ "bytes", [sleep => 0.1], [hold => 'name'], [chunk => "data"], ['hang'], ['close'], ['reset'], ['echo'] ]

use strict;
use warnings;
use Exporter 'import';
use Harness::Http 'chunk';
use Harness::Jwt qw(jwt looks_like_jwt);
use Harness::Secrets 'keep_secret';
use JSON::PP ();

our @EXPORT_OK = qw(prepare steps jwt_of);

my %KNOWN = map { $_ => 1 }
    qw(status reason headers type body json jwt framing split drip delay hold cut end websocket raw);
my %STEP  = map { $_ => 1 } qw(sleep hold chunk hang close reset echo);
my %REASON = (
    101 => 'Switching Protocols', 200 => 'OK', 204 => 'No Content', 301 => 'Moved Permanently', 302 => 'Found',
    304 => 'Not Modified',
    400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found', 429 => 'Too Many Requests',
    500 => 'Internal Server Error', 502 => 'Bad Gateway', 503 => 'Service Unavailable', 504 => 'Gateway Timeout',
);

# Checks an answer when the test sets it and turns claims into a JWT, so that the test knows it too.
sub prepare {
    my ($answer) = @_;
    return [map { prepare($_) } @{$answer}] if ref $answer eq 'ARRAY';
    my @unknown = grep { !$KNOWN{$_} } sort keys %{$answer};
    die "unknown in an answer: @unknown\n" if @unknown;
    die "an answer has raw steps or the other form\n" if $answer->{raw} && keys %{$answer} > 1;
    for my $step (grep { ref } @{ $answer->{raw} // [] }) { die "unknown step $step->[0]\n" if !$STEP{ $step->[0] } }

    my %prepared = %{$answer};
    if (defined $prepared{jwt}) {
        $prepared{jwt}  = jwt($prepared{jwt}) if ref $prepared{jwt};
        $prepared{body} //= $prepared{jwt};
        $prepared{type} //= 'application/jwt';
    }
    if (defined $prepared{json}) {
        keep_secret(grep { looks_like_jwt($_) } values %{ $prepared{json} }) if ref $prepared{json} eq 'HASH';
        $prepared{body} //= ref $prepared{json} ? JSON::PP->new->utf8->canonical->encode($prepared{json})
            : $prepared{json};
        $prepared{type} //= 'application/json';
    }
    return \%prepared;
}

# The JWT that an answer brings, if it does.
sub jwt_of {
    my ($answer) = @_;
    $answer = $answer->[-1] if ref $answer eq 'ARRAY';
    return $answer->{jwt} if defined $answer->{jwt};
    return if ref $answer->{json} ne 'HASH';
    my ($jwt) = grep { looks_like_jwt($_) } map { $answer->{json}{$_} } sort keys %{ $answer->{json} };
    return $jwt;
}

# A prepared answer to a request of that method, as steps.
sub steps {
    my ($answer, $method) = @_;
    return map { ref ? $_ : [write => $_] } @{ $answer->{raw} } if $answer->{raw};

    my @steps;
    push @steps, [sleep => $answer->{delay}] if $answer->{delay};
    push @steps, [hold  => $answer->{hold}]  if defined $answer->{hold};
    return (
        @steps, [write => _head({ status => 101, headers => ['Upgrade: websocket', 'Connection: Upgrade'] })], ['echo']
    ) if $answer->{websocket};

    my $status  = $answer->{status}  // 200;
    my $framing = $answer->{framing} // 'length';
    my $body    = $answer->{body}    // '';
    my @framing = $status == 204 || $status == 304 ? ()
                : $framing eq 'chunked' ? ('Transfer-Encoding: chunked')
                : $framing eq 'close'   ? ('Connection: close')
                :                         ('Content-Length: ' . length $body);
    my @type = defined $answer->{type} ? ("Content-Type: $answer->{type}") : ();
    my $head = _head({ %{$answer}, status => $status, headers => [@type, @framing, @{ $answer->{headers} // [] }] });
    return (@steps, [write => $head], _end($answer)) if $method eq 'HEAD' || $status == 204 || $status == 304;

    my @pieces = _pieces($answer, $body);
    if ($framing eq 'chunked') {
        @pieces = map { chunk($_) } @pieces;
        if (defined $answer->{cut}) { @pieces = (sprintf "%x\r\n%s", length $body, substr $body, 0, $answer->{cut}) }
        else                        { push @pieces, "0\r\n\r\n" }
    }
    # One segment unless the answer is to come in several: that is what servers do.
    my @writes = $answer->{split} ? ($head, @pieces) : (join '', $head, @pieces);
    for my $n (0 .. $#writes) {
        push @steps, [sleep => $answer->{drip}] if $n && $answer->{drip};
        push @steps, [write => $writes[$n]];
    }
    return (@steps, _end($answer));
}

sub _head {
    my ($answer) = @_;
    my $reason = $answer->{reason} // $REASON{ $answer->{status} } // 'Status';
    return join "\r\n", "HTTP/1.1 $answer->{status} $reason", @{ $answer->{headers} }, '', '';
}

sub _pieces {
    my ($answer, $body) = @_;
    $body = substr $body, 0, $answer->{cut} if defined $answer->{cut};
    return () if $body eq '';
    return $answer->{split} ? unpack "(a$answer->{split})*", $body : $body;
}

sub _end {
    my ($answer) = @_;
    my $end = $answer->{end} // (defined $answer->{cut} || ($answer->{framing} // '') eq 'close' ? 'close' : undef);
    return defined $end ? [$end] : ();
}

1;
