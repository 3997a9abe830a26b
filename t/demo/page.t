# The demo's page: page.test.mjs drives it in headless Chromium and prints the results.

use strict;
use warnings;

use Cwd qw(abs_path);
use Fcntl qw(LOCK_EX);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

my $here   = abs_path(dirname(__FILE__));
my $folder = abs_path("$here/../..") . '/build/demo-page';
my $mark   = tempdir(CLEANUP => 1);
local $| = 1;

system("$here/../npm-install.sh", $here, $folder) == 0 or die "npm-install.sh failed\n";

open my $turn, '>', "$folder/../demo.lock" or die "demo.lock: $!\n"; # two demos at once would want the same ports
flock $turn, LOCK_EX or die "demo.lock: $!\n";

$ENV{TMPDIR} = $mark;
my $demo = open(my $output, '-|', "exec $here/demo.sh 2>&1 < /dev/null") or die "demo.sh: $!\n";
my ($url, $said) = (undef, '');
while (!defined $url && defined(my $line = <$output>)) {
    $said .= $line;
    ($url) = $line =~ m{In a browser on this machine: (http://\S+)};
}
die "the demo did not start:\n$said" if !defined $url;

my ($api_log) = glob("$mark/*/api.log");
@ENV{qw(DEMO API_LOG FOLDER)} = ($url, $api_log, $folder);
open my $results, '-|', 'node', '--test-reporter=tap', "$here/page.test.mjs" or die "node: $!\n";
my $failed = 0;
while (my $line = <$results>) {
    $failed = $line =~ /^not ok/ if $line =~ /^(?:not )?ok/;
    if    ($line =~ /^(?:(?:not )?ok|1\.\.)/) { print $line }
    elsif ($failed && $line =~ /^ /)         { print {*STDERR} "# $line" } # what Perl cannot parse, but people can read
}
close $results;
my $status = $?;

kill 'TERM', $demo;
close $output;
exit($status == 0 ? 0 : 1);
