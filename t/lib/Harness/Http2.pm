package Harness::Http2;

# How a client speaks HTTP/2 by hand: it opens streams as it likes and may reset them. Headers go uncompressed; of
# responses it reads :status and the body.

use strict;
use warnings;
use Harness::Process 'patience';
use Harness::Secrets 'keep_secret';
use Harness::Stream;
use IO::Socket::INET;

sub new {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    my $self   = bless { stream => Harness::Stream->new($socket, timeout => patience(10)), next => 1, answers => {} },
        $class;
    $self->{stream}->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . _frame(4, 0, 0, ''));
    return $self;
}

sub _frame {
    my ($type, $flags, $id, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $id) . $payload;
}

sub _field {
    my ($name, $value) = @_;
    my $size = sub {
        my $n = length $_[0];
        return $n < 127 ? chr $n : "\x7f" . (
            $n - 127 < 128 ? chr($n - 127) : chr(($n - 127) % 128 + 128) . chr(int(($n - 127) / 128))
        );
    };
    return "\0" . $size->($name) . $name . $size->($value) . $value;
}

# Opens a stream; returns its number.
sub start {
    my ($self, %request) = @_;
    keep_secret($request{token});
    my $id = $self->{next};
    $self->{next} += 2;
    my @fields = ([':method', $request{method} // 'GET'], [':scheme', 'http'], [':path', $request{path}],
        [':authority', 'localhost'],
        (defined $request{token} ? ['authorization', "Bearer $request{token}"] : ()),
        (map { [lc $1, $2] if /^([^:]+): *(.*)/ } @{ $request{headers} // [] }),
        @{ $request{fields} // [] });
    my $end = defined $request{body} ? 0 : 1;
    $self->{stream}->write(_frame(1, 4 | $end, $id, join '', map { _field(@{$_}) } @fields)
            . ($end ? '' : _frame(0, 1, $id, $request{body})));
    return $id;
}

sub cancel { my ($self, $id) = @_; return $self->{stream}->write(_frame(3, 0, $id, pack 'N', 8)) }

# Reads until these streams have ended: { status, body } by number.
sub answers {
    my ($self, @ids) = @_;
    while (grep { !$self->{answers}{$_}{ended} } @ids) {
        my $head = $self->{stream}->read_exactly(9) // last;
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $head;
        my $payload = $self->{stream}->read_exactly(($high << 16) + $low) // last;
        my $answer  = $self->{answers}{$id} //= { body => '' };
        if ($type == 0) { $answer->{body} .= $payload }
        if ($type == 1) {
            my $first = ord $payload;
            $answer->{status} = $first == 0x88 ? 200 : $first == 0x8d ? 404 : $first == 0x8e ? 500
                : $payload =~ /^[\x08\x48]\x03(\d{3})/ ? $1 : 'unknown';
        }
        if ($type == 3 || $type == 7) { $answer->{ended} = 'reset' }
        if ($type <= 1 && $flags & 1) { $answer->{ended} = 1 }
        if ($type == 4 && !($flags & 1)) { $self->{stream}->write(_frame(4, 1, 0, '')) }
        if ($type == 6 && !($flags & 1)) { $self->{stream}->write(_frame(6, 1, 0, $payload)) }
    }
    return @{ $self->{answers} }{@ids};
}

sub end { my ($self) = @_; return $self->{stream}->close }

1;
