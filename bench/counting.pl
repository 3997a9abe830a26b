# What phantom_token_metrics costs: the instructions of a worker for one request, without and with it, by valgrind's
# callgrind. After ./dev build, with Debian's package valgrind:
#
#   perl -It/lib bench/counting.pl
#
# Each gateway serves the same requests twice, a few and many; the difference of the two runs is that of the requests
# alone, without start and end. The figures are of user space; the kernel has no part in counting.

use strict;
use warnings;

BEGIN { $ENV{PHANTOM_TOKEN_WRAPPER} = 'valgrind --tool=callgrind --callgrind-out-file=%%DIR%%/callgrind.%p' }
use Harness;

my ($few, $many) = (100, 1100);
my $metrics = 'location = /metrics { phantom_token_metrics; }';
my $cache   =
    'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;';
my $hot     = 'phantom_token_hot_cache zone=hot:1m valid=1h; phantom_token_hot_cache hot;';
my %kinds   = (
    'answers from proxy_cache' => { introspection => $cache },
    'answers from the hot cache' => { introspection => $cache, http => $hot }, 'no token' => { token => undef }
);

# The sum of the worker's instructions, from its start to its end. The worker is root's where root runs this, for
# callgrind writes its file as the worker.
sub instructions {
    my ($requests, %part) = @_;
    my $token   = exists $part{token} ? delete $part{token} : 'alice-token';
    my $gateway = gateway(%part, user => 'root', log_level => 'notice', http =>
            "proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; keepalive_requests 100000; @{[ $part{http} // '' ]}");
    $gateway->as->answers(
        'alice-token' => { jwt => { sub => 'alice', scope => 'read write', groups => [map { "group-$_" } 1 .. 60] } }
    );
    my ($worker)   = $gateway->workers;
    my $connection = $gateway->connect;
    for (1 .. $requests) {
        my $status = $connection->get('/', defined $token ? (token => $token) : ())->status;
        die "answered $status\n" if $status != (defined $token ? 200 : 401);
    }
    $connection->close;
    $gateway->stop;
    open my $in, '<', $gateway->folder . "/callgrind.$worker" or die "callgrind's file: $!\n";
    my ($total) = map { /^totals: (\d+)/ } <$in>;
    return $total // die "callgrind has counted nothing\n";
}

time_limit(900);
for my $kind (sort keys %kinds) {
    my %cost;
    for my $counting ('', $metrics) {
        my ($start, $all) = map { instructions($_, %{ $kinds{$kind} }, server => $counting) } $few, $many;
        $cost{$counting} = ($all - $start) / ($many - $few);
    }
    my $more = $cost{$metrics} - $cost{''};
    printf "%-27s %7.0f without, %7.0f with, %5.0f more: %.2f %%\n", $kind, $cost{''}, $cost{$metrics}, $more,
        100 * $more / $cost{''};
}
