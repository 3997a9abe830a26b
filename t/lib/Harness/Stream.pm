package Harness::Stream;

# How bytes are read from and written to a socket: through a buffer, with a time limit.

use strict;
use warnings;
use Errno qw(EINTR ECONNRESET EPIPE);
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

# timeout: seconds of silence that are tolerated; none means any.
sub new {
    my ($class, $socket, %option) = @_;
    binmode $socket;
    return bless { socket => $socket, buffer => '', ended => '', timeout => $option{timeout} }, $class;
}

sub socket { return $_[0]{socket} }

# '' while the peer may still send, 'closed' or 'reset' when not.
sub ended { return $_[0]{ended} }

# Reads what is there. False at the end.
sub fill {
    my ($self) = @_;
    return 0 if $self->{ended};
    while (1) {
        my $readable = '';
        vec($readable, fileno $self->{socket}, 1) = 1;
        my $ready = select $readable, undef, undef, $self->{timeout};
        next if $ready < 0 && $! == EINTR;
        die sprintf "timeout: nothing received for %s s, %d bytes unread\n", $self->{timeout}, length $self->{buffer}
            if !$ready;
        my $count = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
        return $count if $count;
        next if !defined $count && $! == EINTR;
        $self->{ended} = defined $count ? 'closed' : 'reset';
        return 0;
    }
}

# The bytes up to and with the mark; nothing if the peer ends before.
sub read_through {
    my ($self, $mark, $limit) = @_;
    my $from = 0;
    while (1) {
        my $at = index $self->{buffer}, $mark, $from;
        return substr $self->{buffer}, 0, $at + length $mark, '' if $at >= 0;
        die "no end of line or head within $limit bytes\n" if $limit && length $self->{buffer} > $limit;
        $from = length($self->{buffer}) - length($mark);
        $from = 0 if $from < 0;
        $self->fill or return;
    }
}

# Exactly so many bytes; nothing if the peer ends before.
sub read_exactly {
    my ($self, $length) = @_;
    while (length $self->{buffer} < $length) { $self->fill or return }
    return substr $self->{buffer}, 0, $length, '';
}

sub read_to_end {
    my ($self) = @_;
    1 while $self->fill;
    return $self->take;
}

# What has been received and not been read.
sub take {
    my ($self) = @_;
    return substr $self->{buffer}, 0, length $self->{buffer}, '';
}

sub waiting { return length $_[0]{buffer} }

# False if the peer is gone.
sub write {
    my ($self, $bytes) = @_;
    my $sent = 0;
    while ($sent < length $bytes) {
        my $count = syswrite $self->{socket}, $bytes, length($bytes) - $sent, $sent;
        next if !defined $count && $! == EINTR;
        return 0 if !defined $count;
        $sent += $count;
    }
    return 1;
}

sub close { return CORE::close $_[0]{socket} }

# Closes with RST in place of FIN.
sub reset {
    my ($self) = @_;
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
    return CORE::close $self->{socket};
}

1;
