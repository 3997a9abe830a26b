package Harness::Ports;

# Which ports this test owns.
#
# A port is reserved by a socket that is bound and never listens. Linux hands a bound port to nobody else who asks for
# any port, and lets a server with SO_REUSEADDR (nginx, node, gunicorn) bind and listen on it. So there is no race.

use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use Socket qw(PF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR inet_aton sockaddr_in);

our @EXPORT_OK = qw(reserve_port full_port);

my @reservations;

# On 127.0.0.1, or on another address of this machine.
sub reserve_port {
    my ($address) = @_;
    socket my $socket, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1 or die "SO_REUSEADDR: $!";
    bind $socket, sockaddr_in(0, inet_aton($address // '127.0.0.1')) or die "bind: $!";
    push @reservations, $socket;
    my ($port) = sockaddr_in(getsockname $socket);
    return $port;
}

# The address of a port whose queue of connections is full as long as the test runs: further ones are neither accepted
# nor refused.
sub full_port {
    my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!";
    my $address  = '127.0.0.1:' . $listener->sockport;
    push @reservations, $listener;
    for (1 .. 20) {
        my $waiting   = IO::Socket::INET->new(PeerAddr => $address, Blocking => 0);
        my $connected = '';
        vec($connected, fileno $waiting, 1) = 1;
        push @reservations, $waiting;
        last if !select undef, $connected, undef, 0.1;
    }
    return $address;
}

1;
