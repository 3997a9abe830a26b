# The module's lines at the level debug tell the way of one request: docs/troubleshooting.md shows them as they are
# here.

use strict;
use warnings;
use lib 't/lib';
use Harness;

open my $in, '<', 'docs/troubleshooting.md' or die "docs/troubleshooting.md: $!\n";
my $page = do { local $/ = undef; <$in> };
my ($section) = $page =~ /^## The way of one request$(.*?)^## /ms;
my ($first, $again) = map { [split /\n/] } $section =~ /^```text\n(.*?)^```$/gms;

my $gateway = gateway(
    log_level     => 'debug',
    http          => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:1m;',
    locations => q{
        location / { phantom_token on; phantom_token_hot_cache hot; proxy_pass http://%%API%%; }
        location = /_introspect {
            internal;
            proxy_cache         tokens;
            proxy_cache_methods POST;
            proxy_cache_key     $phantom_token_key;
            proxy_cache_valid   200 1h;
            proxy_pass          http://%%AS%%/introspect;
        }
    },
    server => 'phantom_token_introspection_endpoint /_introspect;',
);

$gateway->as->answers('good-token' => { type => 'application/jwt', body => jwt({ sub => 'somebody' }) });

# The module's lines about a request, without what nginx puts before them, and numbers as N.
sub trace_of {
    my ($path, %options) = @_;
    my $from = $gateway->log->position;
    $gateway->get($path, %options);
    $gateway->log->wait_for(qr/http close request|http keepalive handler/, $from);
    return [map { numberless($_) } map { /(phantom token: .*?)(?:, client: .*)?$/ } $gateway->log->lines($from)];
}

sub numberless { my ($line) = @_; return $line =~ s/\b\d+ (characters|bytes)/N $1/gr }

sub without_reason { my ($lines) = @_; return [grep { !/location "/ } @{$lines}] }

is_deeply trace_of('/', token => 'good-token'), [map { numberless($_) } @{$first}],
    'a first request, as the page has it';
is_deeply trace_of('/', token => 'good-token'), [map { numberless($_) } @{$again}],
    'the token again, as the page has it';

is_deeply without_reason(trace_of('/')), ['phantom token: the access check ends with "missing"'], 'no token';
is_deeply without_reason(trace_of('/', token => 'unknown-token')), [
    'phantom token: the request has a token of N characters',
    'phantom token: a subrequest asks "/_introspect", arguments ""',
    'phantom token: an answer with status 200 and N bytes, cache MISS',
    'phantom token: the access check ends with "inactive"',
    ],
    'a token that the authorization server does not know';

ok !(grep { /phantom token:.*(?:good|unknown)-token/ } $gateway->log->lines(0)), 'no line of the module has a token';

done_testing;
