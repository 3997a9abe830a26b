package Harness::KillInLock;

# Kills a worker at an instruction that the test chooses, while it has the lock of a zone of shared memory:
# t/faults/kill-in-lock.c, built for the test.

use strict;
use warnings;
use Exporter 'import';
use Harness::Process qw(patience run spawn temporary_folder until_true);
use POSIX 'WNOHANG';
use Test::More ();

our @EXPORT_OK = qw(build_kill_in_lock follow_in_lock);

my ($folder, $program);

# Ends the test where that cannot be done here.
sub build_kill_in_lock {
    Test::More::plan(skip_all => 'a wrapper takes too many instructions')
        if $ENV{PHANTOM_TOKEN_WRAPPER} || defined $ENV{ASAN_OPTIONS};
    $folder  = temporary_folder();
    $program = "$folder/kill-in-lock";
    my $built = run(['cc', '-O1', '-Wall', '-Wextra', '-Werror', '-o', $program, 't/faults/kill-in-lock.c']);
    Test::More::plan(skip_all => 'there is no C compiler') if $built->{code} == 127;
    Test::More::is($built->{code}, 0, 'the program that kills') or Test::More::BAIL_OUT($built->{err});
    return;
}

# Sends a request, its bytes, or calls what makes the worker take the lock of the zone of that size, and kills it there:
# SKIP times it may take the lock and give it back, the next time it is killed after so many STEPS. Returns what the
# program says: "killed", "length N" where the lock was given back before, or "failed: WHY".
sub follow_in_lock {
    my ($gateway, $zone_size, $skip, $steps, $request) = @_;
    my ($worker) = $gateway->workers;
    my $out = "$folder/says";
    unlink $out;
    my $says = sub { open my $in, '<', $out or return ''; local $/ = undef; return <$in> // '' };
    my $pid  = spawn([$program, $worker, $zone_size, $skip, $steps], out => $out);
    until_true(patience(10), sub { $says->() =~ /ready|failed/ }) or die "kill-in-lock says nothing\n";
    my $connection = ref $request ? undef : $gateway->connect;
    $connection ? $connection->send($request) : $request->();
    if (!until_true(patience(120), sub { waitpid($pid, WNOHANG) == $pid })) {
        kill KILL => $pid;
        die "kill-in-lock does not end\n";
    }
    my ($last) = $says->() =~ /(\S[^\n]*)\n\z/;
    $connection->response($request =~ /^(\S+)/) if $connection && $last =~ /^length/;
    $connection->close if $connection;
    until_true(patience(10), sub { my ($new) = $gateway->workers; $new && $new != $worker })
        or die "no new worker\n" if $last eq 'killed';
    return $last;
}

1;
