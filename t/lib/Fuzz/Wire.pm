package Fuzz::Wire;

# Ways to send an answer over HTTP. Each says what becomes of the answer: 'same', 'refuse', or 'may': the gateway may
# take it or not, but nothing else than it.

use strict;
use warnings;
use Exporter 'import';
use Harness::Http 'chunk';

our @EXPORT_OK = qw(wire);

sub _head {
    my ($answer, @more) = @_;
    my $status = $answer->{status} // 200;
    my @type   = defined $answer->{type} ? ("Content-Type: $answer->{type}") : ();
    push @more, 'Connection: close' if $answer->{closes};
    return join "\r\n", "HTTP/1.1 $status Status", @type, @more, '', '';
}

sub _whole {
    my ($answer, @more) = @_;
    return _head($answer, ($answer->{status} // 200) == 204 ? () : 'Content-Length: ' . length $answer->{body}, @more)
        . $answer->{body};
}

sub _chunked {
    my ($answer, $size) = @_;
    return _head($answer, 'Transfer-Encoding: chunked')
        . join('', map { chunk($_) } unpack "(a$size)*", $answer->{body}) . "0\r\n\r\n";
}

# A second answer that nobody has asked for: it must never be taken for the next one.
my $POISON = "HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: 26\r\n\r\neyJhbGciOiJSUzI1NiJ9.e30.A";

# Each gives the bytes, as one piece or several. Two of them may make the body
# shorter, and so the JWT: by HTTP that is what the server said.
my %WAYS = (
    same => {
        'chunked'           => sub { return _chunked($_[0], 1 + $_[1]->number(200)) },
        'until it closes'   => sub { return _head($_[0]) . $_[0]{body} },
        'in two pieces'     => sub {
            my $bytes = _whole($_[0]);
            my $at = $_[1]->number(length $bytes);
            return (substr($bytes, 0, $at), substr $bytes, $at);
        },
        'type with a parameter' => sub {
            return _whole({ %{ $_[0] }, type => uc($_[0]{type} // 'text/plain') . ' ; charset=utf-8' });
        },
        'identity'          => sub { return _whole($_[0], 'Content-Encoding: identity') },
        'more headers'      => sub {
            return _whole($_[0], 'Set-Cookie: a=b', 'Cache-Control: no-store', 'X-Accel-Buffering: no',
                          'Authorization: Bearer evil');
        },
    },
    refuse => {
        (map { my $status = $_; $status => sub { return _whole({ %{ $_[0] }, status => $status }) } }
             100, 101, 201, 206, 207, 299, 300, 301, 302, 304, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504, 999),
        'gzip'              => sub { return _whole($_[0], 'Content-Encoding: gzip') },
        'another type'      => sub {
            return _whole(
                { %{ $_[0] },
                  type => $_[1]->one_of('text/plain', 'text/html', 'application/jwtx', 'application/jose',
                                        'application/json-seq', '', ' ', 'jwt', 'application/octet-stream') }
            );
        },
        'no type'           => sub { return _whole({ %{ $_[0] }, type => undef }) },
        'cut'               => sub { return _head($_[0], 'Content-Length: ' . (1 + length $_[0]{body})) . $_[0]{body} },
        'cut in a chunk'    => sub {
            return _head($_[0], 'Transfer-Encoding: chunked')
                . sprintf("%x\r\n%s", 10 + length $_[0]{body}, $_[0]{body});
        },
        'no last chunk'     => sub {
            return _head($_[0], 'Transfer-Encoding: chunked') . chunk($_[0]{body} eq '' ? ' ' : $_[0]{body});
        },
        'no head'           => sub { return $_[0]{body} . "\r\n\r\n" },
        'garbage status'    => sub { return 'HTTQ/1.1 200 OK' . substr _whole($_[0]), 15 },
        'cut in the head'   => sub { my ($head) = _whole($_[0]) =~ /^(.*?)\r\n\r\n/s; return $head },
        'nothing'           => sub { return '' },
        'X-Accel-Redirect'  => sub {
            return _whole($_[0], 'X-Accel-Redirect: ' . $_[1]->one_of('/open', '/plain', '/_introspect', '/cached'));
        },
        'too large'         => sub { return _whole({ %{ $_[0] }, body => $_[0]{body} . ' ' x 70_000 }) },
        'too large, chunked' => sub { return _chunked({ %{ $_[0] }, body => $_[0]{body} . "\n" x 70_000 }, 5000) },
    },
    may => {
        'a byte of the head flipped' => sub {
            my ($head, $body) = _whole($_[0]) =~ /^(.*?\r\n\r\n)(.*)$/s;
            return $_[1]->flipped($head) . $body;
        },
        'a second answer behind'     => sub { return _whole($_[0]) . $POISON },
        'length too small'           => sub {
            return _head($_[0], 'Content-Length: ' . $_[1]->number(1 + length $_[0]{body})) . $_[0]{body};
        },
        'two lengths'                => sub {
            return _head($_[0], 'Content-Length: 1', 'Content-Length: ' . length $_[0]{body}) . $_[0]{body};
        },
        'length and chunks'          => sub {
            return _head($_[0], 'Content-Length: 1', 'Transfer-Encoding: chunked') . chunk($_[0]{body}) . "0\r\n\r\n";
        },
        '103 before'                 => sub { return "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" . _whole($_[0]) },
        'two types'                  => sub { return _whole($_[0], 'Content-Type: text/plain') },
        'a folded header'            => sub { return _whole($_[0], "X-A: b\r\n c") },
        'NUL in a header'            => sub { return _whole($_[0], "X-A: b\0c") },
        'a long header'              => sub { return _whole($_[0], 'X-A: ' . 'b' x 20_000) },
    },
);
my @ALL = map {
    my $effect = $_;
    map { [$effect, $_, $WAYS{$effect}{$_}] } sort keys %{ $WAYS{$effect} }
} sort keys %WAYS;

# { pieces, close, effect, label }
sub wire {
    my ($answer) = @_;
    my $dice = $answer->{dice};
    return { pieces => [_whole($answer)], effect => 'same', label => '' } if !$dice->percent(20);
    my ($effect, $label, $code) = @{ $dice->one_of(@ALL) };
    # A flipped byte could make a success of what is none.
    return {
        pieces => [_whole($answer)], effect => 'same', label => ''
    } if $label =~ /flipped/ && ($answer->{status} // 200) != 200;
    # What is left of an odd answer in a connection must not become part of the next one.
    my $closes = $effect ne 'may' || $label =~ /flipped/;
    return {
        pieces => [$code->({ %{$answer}, closes => $closes }, $dice)], closes => $closes, effect => $effect,
        label => $label, shortens => scalar $label =~ /flipped|too small/
    };
}

1;
