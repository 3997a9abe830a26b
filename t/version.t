# The module says which version it is, at each start and reload of nginx, and at no other time.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Tables 'tables';

sub lines_of { my ($gateway) = @_; return grep { /phantom token: version/ } $gateway->log->lines }

my $version = tables()->{version};
my $gateway = gateway(log_level => 'notice', workers => 2);
my @started = lines_of($gateway);
is scalar @started, 1, 'start: one line, whatever the number of workers' or diag explain \@started;
like $started[0], qr/ \[notice\] \d+#\d+: phantom token: version \Q$version\E$/,
    'start: the version that the source names, as a notice';

my $check = $gateway->check;
is $check->{code}, 0, 'nginx -t: accepts the configuration';
unlike $check->{output}, qr/phantom token/, 'nginx -t: prints no version';
is scalar(my @checked = lines_of($gateway)), 1, 'nginx -t: logs no version';

is $gateway->reload, '', 'reload';
is scalar(my @reloaded = lines_of($gateway)), 2, 'reload: the version once more';

my $quiet = gateway(log_level => 'warn');
is_deeply [lines_of($quiet)], [], 'error_log warn: no line';

done_testing;
