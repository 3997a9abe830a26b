package Harness::Process;

# Which processes and folders belong to this test, and how they end with it.
#
# Everything a test starts is told to a warden first: a small process that sleeps on a pipe. When the test ends, by
# whatever means (SIGKILL too), the pipe closes and the warden ends what is still there and removes the folders.

use strict;
use warnings;
use Exporter 'import';
use File::Path ();
use File::Temp ();
use IO::Handle;
use POSIX ':sys_wait_h';
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(
    fork_child spawn run guard unguard alive end_process temporary_folder until_true pace patience time_limit
);

my $owner = $$;
my ($warden, $lifeline);
my @folders;
my %children;

# How long something takes that takes so long otherwise: a wrapper (valgrind) makes everything slower, sanitizers do
# too.
sub pace { return $_[0] * ($ENV{PHANTOM_TOKEN_WRAPPER} ? 8 : defined $ENV{ASAN_OPTIONS} ? 3 : 1) }

# How long an event is waited for that comes within so many seconds on a quiet machine. Nothing sleeps this long: it is
# a limit, and a busy machine needs it.
sub patience { return pace($_[0] * 10) }

# A test file that hangs is ended, with all that it started. The seconds are those of a quiet machine.
sub time_limit {
    my ($seconds) = @_;
    $SIG{ALRM} = sub {
        print {*STDERR} "# ended: the test file ran longer than " . pace($seconds * 4) . " s\n";
        exit 124;
    };
    alarm pace($seconds * 4);
    return;
}

sub guard   { my ($kind, $what) = @_; return _tell("+ $kind $what\n") }
sub unguard { my ($kind, $what) = @_; return _tell("- $kind $what\n") }

sub _tell {
    my ($line) = @_;
    return if $$ != $owner;
    _start_warden() if !$warden;
    syswrite $lifeline, $line;
    return;
}

sub _start_warden {
    pipe my $reader, $lifeline or die "pipe: $!";
    $warden = fork // die "fork: $!";
    return close $reader if $warden;

    POSIX::setsid();
    close $lifeline;
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
    $SIG{ALRM} = 'DEFAULT';
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    my %guarded;
    while (my $line = <$reader>) {
        my ($sign, $kind, $what) = $line =~ /^([+-]) (\w+) (.*)$/ or next;
        if ($sign eq '+') { $guarded{$kind}{$what} = 1 }
        else              { delete $guarded{$kind}{$what} }
    }
    _sweep(\%guarded);
    POSIX::_exit(0);
}

sub _sweep {
    my ($guarded) = @_;
    for my $signal (qw(TERM KILL)) {
        my @targets = ((map { -$_ } keys %{ $guarded->{group} }), keys %{ $guarded->{pid} });
        for my $file (keys %{ $guarded->{pidfile} }) {
            open my $in, '<', $file or next;
            my $pid = <$in> // '';
            push @targets, $1 if $pid =~ /^(\d+)/;
        }
        my @left = grep { kill 0, $_ } @targets or last;
        kill $signal, @left;
        for (1 .. 100) {
            @left = grep { alive(abs) } @left or last; # of a group, its leader
            sleep 0.02;
        }
    }
    File::Path::remove_tree($_) for keys %{ $guarded->{folder} };
    return;
}

# A zombie counts as ended: who waits for it is not our question.
sub alive {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/stat" or return 0;
    my $stat = <$in> // '';
    return $stat =~ /\) Z / ? 0 : 1;
}

# Runs a function in a child that leads its own process group; what it writes to STDERR goes to a file.
sub fork_child {
    my ($code, $errors) = @_;
    _start_warden() if !$warden;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp 0, 0;
        close $lifeline;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM CHLD);
        alarm 0;
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>',  '/dev/null';
        open STDERR, '>>', $errors // '/dev/null';
        STDERR->autoflush;
        my $done = eval { $code->(); 1 };
        print {*STDERR} $@ if !$done;
        POSIX::_exit($done ? 0 : 1);
    }
    setpgrp $pid, $pid;
    guard(group => $pid);
    $children{$pid} = 1;
    return $pid;
}

# Starts a program in its own process group. Options: out, err (files), env (hash).
sub spawn {
    my ($command, %option) = @_;
    _start_warden() if !$warden;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp 0, 0;
        _become($command, %option);
    }
    setpgrp $pid, $pid;
    guard(group => $pid);
    $children{$pid} = 1;
    return $pid;
}

sub _become {
    my ($command, %option) = @_;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM CHLD PIPE);
    %ENV = (%ENV, %{ $option{env} // {} });
    open STDIN,  '<',  $option{in}  // '/dev/null' or POSIX::_exit(126);
    open STDOUT, '>>', $option{out} // '/dev/null' or POSIX::_exit(126);
    open STDERR, '>>', $option{err} // $option{out} // '/dev/null' or POSIX::_exit(126);
    no warnings 'exec';
    exec { $command->[0] } @{$command} or do {
        print {*STDERR} "cannot run $command->[0]: $!\n";
        POSIX::_exit(127);
    };
}

# Runs a program to its end. Returns { code, signal, out, err }. Options: in (a file), env, timeout, folder.
sub run {
    my ($command, %option) = @_;
    my $folder = temporary_folder();
    my ($out, $err) = ("$folder/out", "$folder/err");
    my $pid = spawn($command, %option, out => $out, err => $err);
    my $status;
    my $ended = until_true($option{timeout} // patience(30), sub {
        $status = $? if waitpid($pid, WNOHANG) == $pid;
        defined $status;
    });
    if (!$ended) {
        kill KILL => -$pid;
        waitpid $pid, 0;
        $status = $?;
    }
    delete $children{$pid};
    unguard(group => $pid);
    my %result = (
        code => $status >> 8, signal => $status & 127, timed_out => !$ended, out => _slurp($out), err => _slurp($err)
    );
    File::Path::remove_tree($folder);
    unguard(folder => $folder);
    return \%result;
}

sub _slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

# Polls until the function returns something true; returns that, or nothing when the time is over.
sub until_true {
    my ($seconds, $code) = @_;
    my $end   = time + $seconds;
    my $pause = 0.001;
    while (1) {
        my $result = $code->();
        return $result if $result;
        return if time > $end;
        sleep $pause;
        $pause = 0.02 if ($pause *= 1.5) > 0.02;
    }
}

# Ends a child and its group: asks the child, then insists. A zombie in the group is not waited for.
sub end_process {
    my ($pid, %option) = @_;
    my $ended = 0;
    if (!$option{at_once}) {
        kill TERM => $pid;
        $ended = until_true(patience(3), sub { waitpid($pid, WNOHANG) != 0 });
    }
    kill KILL => -$pid;
    waitpid $pid, 0 if !$ended;
    delete $children{$pid};
    unguard(group => $pid);
    return;
}

sub temporary_folder {
    my $folder = File::Temp::tempdir('phantom-token-XXXXXXXX', TMPDIR => 1);
    chmod 0755, $folder; # nginx's workers may be another user
    guard(folder => $folder);
    push @folders, $folder;
    return $folder;
}

$SIG{INT}  = sub { exit 130 };
$SIG{TERM} = sub { exit 143 };
$SIG{HUP}  = sub { exit 129 };
$SIG{PIPE} = 'IGNORE'; # a peer that hangs up is an answer, not an accident

END {
    if ($$ == $owner) {
        local $?;
        alarm 0;
        end_process($_, at_once => 1) for keys %children;
        if ($warden) {
            close $lifeline;
            waitpid $warden, 0;
        }
        File::Path::remove_tree($_) for @folders;
    }
}

1;
