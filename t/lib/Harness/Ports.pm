package Harness::Ports;

# Which ports this test owns.
#
# A port is reserved by a socket that is bound and never listens. Linux hands a bound port to nobody else who asks for
# any port, and lets a server with SO_REUSEADDR (nginx, node, gunicorn) bind and listen on it. So there is no race.

use strict;
use warnings;
use Exporter 'import';
use Socket qw(PF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR inet_aton sockaddr_in);

our @EXPORT_OK = qw(reserve_port);

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

1;
