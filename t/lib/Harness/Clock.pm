package Harness::Clock;

# How nginx's clock is moved while it runs, so that no test waits until something has ended: libfaketime reads from a
# file how far nginx is from the real time.

use strict;
use warnings;
use Harness::Process 'temporary_folder';

my ($LIBRARY) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';

# 'time': time passes, on every clock. 'slow': the same, and a second takes twenty, so that a busy machine has done what
# belongs into it. 'wall': the clock is set, and timers go by the one that nobody sets.
sub new {
    my ($class, $kind) = @_;
    die "libfaketime is not installed (apt-get install libfaketime)\n" if !defined $LIBRARY;
    die "a clock is 'time', 'slow' or 'wall', not '$kind'\n" if $kind !~ /^(?:time|slow|wall)$/;
    my $self = bless { kind => $kind, file => temporary_folder() . '/clock' }, $class;
    $self->set(0);
    return $self;
}

# Seconds beside the real time. nginx looks at the clock when the next event comes, a request for example.
sub set {
    my ($self, $offset) = @_;
    die "time does not pass backwards\n" if $self->{kind} ne 'wall' && $offset < ($self->{offset} // 0);
    open my $out, '>', "$self->{file}.new" or die "$self->{file}: $!";
    # A slow one is a day ahead, so that what nginx writes down now is later than what has been.
    printf {$out} $self->{kind} eq 'slow' ? "%+d x0.05\n" : "%+d\n", $offset + ($self->{kind} eq 'slow' ? 86_400 : 0);
    close $out;
    rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";
    $self->{offset} = $offset;
    return;
}

sub offset { return $_[0]{offset} }

sub _variables {
    my ($self) = @_;
    return (
        FAKETIME_TIMESTAMP_FILE      => $self->{file},
        FAKETIME_NO_CACHE            => 1,
        FAKETIME_DONT_FAKE_MONOTONIC => $self->{kind} eq 'wall' ? 1 : 0,
    );
}

# The environment of nginx.
sub environment {
    my ($self) = @_;
    return ($self->_variables, LD_PRELOAD => join ' ', grep { defined && length } $ENV{LD_PRELOAD}, $LIBRARY);
}

# The lines by which nginx keeps it for a new binary.
sub directives {
    my ($self) = @_;
    my %variables = $self->_variables;
    return map { "env $_;" } sort keys %variables;
}

1;
