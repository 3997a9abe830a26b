# The README's demo: it shows what it promises, and leaves neither a process nor a file behind.

use strict;
use warnings;

use Fcntl qw(LOCK_EX);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

my $mark = tempdir(CLEANUP => 1);
$ENV{TMPDIR} = $mark;

# page.t starts a demo, too: both want the same ports
open my $turn, '>', 'build/demo.lock' or die "build/demo.lock: $!\n";
flock $turn, LOCK_EX or die "build/demo.lock: $!\n";

sub demo {
    my ($command, $until) = @_;
    my $pid = open(my $output, '-|', "exec $command 2>&1 < /dev/null") or die "$command: $!";
    my $text = '';
    while (my $line = <$output>) {
        $text .= $line;
        if (defined $until && $line =~ $until) {
            kill 'TERM', $pid;
            undef $until;
        }
    }
    close $output;
    return ($text, $?);
}

# Processes that have the demo's folder in their arguments, their environment or as their working directory.
sub left_behind {
    return grep {
        my $process = $_;
        my $cwd     = readlink("$process/cwd") // '';
        $cwd =~ /^\Q$mark\E/ || grep { index(slurp("$process/$_"), $mark) >= 0 } qw(cmdline environ);
    } grep { $_ ne "/proc/$$" } glob('/proc/[0-9]*');
}

sub slurp {
    my ($path) = @_;
    open(my $file, '<', $path) or return '';
    local $/ = undef;
    return <$file> // '';
}

sub leaves_nothing {
    my ($when) = @_;
    is_deeply([left_behind()], [], "$when: no process is left");
    is_deeply([glob("$mark/*")], [], "$when: no file is left");
    return;
}

my ($text, $status) = demo('./dev demo --once');
is($status, 0, 'everything is as expected') or diag($text);
ok($text =~ /The client sends.*Authorization: Bearer [\w-]{43}\n/s, 'the client sends an opaque token');
ok($text =~ /The API receives.*Authorization: Bearer eyJ/s, 'the API receives a JWT');
ok($text =~ /"client_id": "app"/, 'its claims are shown');
ok($text =~ /HTTP\/1\.1 401 .*HTTP\/1\.1 403 /s, 'both refusals are shown');
leaves_nothing('after --once');

($text, $status) = demo('./dev demo --once --all');
is($status, 0, 'with --all, everything is as expected') or diag($text);
ok($text =~ /"aud": "https:\/\/orders\.example\.com"/, 'token exchange gives a JWT for another audience');
ok($text =~ /another subject.*HTTP\/1\.1 401 /s, 'a JWT that was tampered with is refused');
my @bound = $text =~ /^ +-> (\d+, \w+)$/mg;
is_deeply(
    \@bound,
    ['401, dpop_nonce', '200, active', '401, bound', '401, dpop_proof', '401, dpop_replay'],
    'a bound token: let through with a good proof and its nonce, each replay refused'
);

($text, $status) = demo('./dev demo --once --mcp');
is($status, 0, 'with --mcp, everything is as expected') or diag($text);
ok($text =~ /announce\) -> 403\n.*insufficient_scope.*announce\) -> 200\n/s, 'a tool takes one scope more');
leaves_nothing('after --mcp');

($text, $status) = demo('./dev demo', qr/access\.log/);
is($status, 143 << 8, 'without --once it stays up until a signal') or diag($text);
ok($text =~ m{In a browser on this machine: http://127\.0\.0\.1:\d+/\n}, 'it says where the page is');
ok($text =~ /curl -i -H "Authorization: Bearer \$TOKEN"/, 'and says what to try');
ok($text =~ m{curl -i -d "token=\$TOKEN" http://\S+/revoke }, 'how to revoke, too');
leaves_nothing('after SIGTERM');

done_testing();
