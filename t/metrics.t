# phantom_token_metrics: each counter, exactly, over all workers; what keeps counters and what ends them; the page as
# HTTP and as Prometheus' text format. t/monitoring.t shows it to a real Prometheus.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Dpop qw(dpop_key dpop_headers);
use Harness::Metrics 'parse_metrics';
use Harness::Ports 'reserve_port';
use Harness::Tables 'tables';
use IO::Uncompress::Gunzip qw(gunzip);
use Time::HiRes 'clock_getres';

my $key    = rsa_key('k1');
my $holder = dpop_key('ES256');
my $nonces = temporary_folder() . '/nonces';
{
    open my $out, '>', $nonces or die "$nonces: $!";
    print {$out} 'n' x 32;
    close $out or die "$nonces: $!";
    chmod 0600, $nonces;
}
my $other = rsa_key('k1');
my $far   = time + 86_400;
my $on    = 'phantom_token on; phantom_token_introspection_endpoint';
my $api   = 'proxy_pass http://%%API%%;';
my $cache = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key;';
my $page  = 'location = /metrics { phantom_token_metrics; }';

# --- the harness of this file ----------------------------------------------------------------------------------------

sub page_of {
    my ($gateway, %request) = @_;
    my $response = $gateway->get('/metrics', %request);
    die 'the page: ' . $response->status . "\n" if $response->status != 200;
    return $response->body;
}

# In short: 'requests active', 'cache HIT', 'calls introspection active', 'hot entries', 'revocations sub refused',
# 'revoked sub' (entries), 'used proofs'. Without the histogram, whose count must be that of the calls.
sub counters {
    my ($gateway) = @_;
    my $value = parse_metrics(page_of($gateway));
    my (%short, $calls);
    for my $sample (keys %{$value}) {
        my ($name, $labels) = $sample =~ /^phantom_token_(\w+?)(?:\{(.*)\})?$/;
        my @values = ($labels // '') =~ /"([^"]*)"/g;
        if    ($name eq 'requests_total') { $short{"requests $values[0]"} = $value->{$sample} }
        elsif ($name eq 'cache_total')    { $short{"cache $values[0]"}    = $value->{$sample} }
        elsif ($name eq 'as_calls_total') {
            $short{"calls @values"}       = $value->{$sample};
            $calls += $value->{$sample};
        }
        elsif ($name =~ /^hot_cache_(entries|evictions)/) { $short{"hot $1"} += $value->{$sample} }
        elsif ($name eq 'revocations_total')  { $short{"revocations @values"}  = $value->{$sample} }
        elsif ($name eq 'revocation_entries') { $short{"revoked $values[1]"}  += $value->{$sample} }
        elsif ($name eq 'dpop_replay_entries') { $short{'used proofs'} += $value->{$sample} }
    }
    die "the histogram counts other calls: $value->{phantom_token_as_seconds_count}, not $calls\n"
        if $value->{phantom_token_as_seconds_count} != $calls;
    return \%short;
}

my %expected; # of the gateway's counters, since it started; by its folder

# What happens in the code counts so, and nothing else does. A request is counted after its response has been sent.
sub counts {
    my ($gateway, $name, $code, %more) = @_;
    my $sum = $expected{ $gateway->folder } //= {};
    $code->();
    $sum->{$_} += $more{$_} for keys %more;
    my $seen;
    my $same = sub {
        my $all = counters($gateway);
        $seen = { map { $_ => $all->{$_} } grep { $all->{$_} } keys %{$all} };
        return join(',', map { "$_=$seen->{$_}" } sort keys %{$seen}) eq join ',',
            map { "$_=$sum->{$_}" } grep { $sum->{$_} } sort keys %{$sum};
    };
    until_true(patience(3), $same);
    is_deeply $seen, { map { $_ => $sum->{$_} } grep { $sum->{$_} } keys %{$sum} }, $name;
    %{$sum} = %{$seen};
    return;
}

# One request, its status, and what it counts.
sub counted {
    my ($gateway, $name, $path, $token, $status, $more, %request) = @_;
    return counts($gateway, $name, sub {
        is $gateway->get($path, defined $token ? (token => $token) : (), %request)->status, $status, "$name: $status";
    }, %{$more});
}

# --- every status, every kind of call --------------------------------------------------------------------------------

my $gateway = gateway(
    workers => 2,
    clock   => 'time',
    log     => { time => 'phantom_token_time', pid => 'pid' },
    http    =>
        'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; proxy_cache_path %%DIR%%/unsafe keys_zone=unsafe:1m; '
        . 'phantom_token_revocation zone=revoked:1m; phantom_token_dpop_replay zone=proofs:32k;',
    locations => qq{
        $page
        location /plain    { $on /_introspect; $api }
        location /step-up  { $on /_introspect; phantom_token_acr_values gold; phantom_token_max_auth_age 1m;
                             proxy_pass http://%%API%%; }
        location /admin    { $on /_introspect; phantom_token_require \$phantom_token_claim_admin;
                             proxy_pass http://%%API%%; }
        location /admin/401 { $on /_introspect; phantom_token_require \$phantom_token_claim_admin error=401;
                             proxy_pass http://%%API%%; }
        location /strict   { $on /_introspect; phantom_token_issuer https://as.example; phantom_token_audience api;
                             phantom_token_scopes read; $api }
        location /slow     { $on /_slow; $api }
        location /unsafe   { $on /_unsafe; $api }
        location /signed   { $on /_introspect; phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks; $api }
        location /verify   { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
                             phantom_token_jwks_endpoint /_jwks; $api }
        location /keyless  { $on /_introspect; phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_keyless;
                             $api }
        location /revoked  { $on /_introspect; phantom_token_revocation revoked; $api }
        location = /revoke { phantom_token_revoke revoked; phantom_token_jwks_endpoint /_jwks;
                             phantom_token_issuer https://as.example; phantom_token_audience api; }
        location /keys     { $on /_introspect; phantom_token_confirmation verify; phantom_token_dpop_replay proofs;
                             $api
                             location /keys/nonce { phantom_token_dpop_nonce $nonces; proxy_pass http://%%API%%; } }
        location /reject   { $on /_introspect; phantom_token_inbound_jwt reject; $api }
        location /pass     { $on /_introspect; phantom_token_inbound_jwt pass; $api }
        location /any      { satisfy any; allow all; $on /_introspect; $api }
        location /exchange { phantom_token on; phantom_token_exchange_endpoint /_exchange; $api }
        location /cached   { $on /_cached; $api }
        location /bypass   { $on /_bypass; $api }
        location /aging    { $on /_aging; phantom_token_stale on; $api }
        location /renewed  { $on /_renewed; phantom_token_stale on; $api }
        location /fresh    { $on /_aging; $api }
        location /open     { $api }
        location /optional { phantom_token optional; phantom_token_introspection_endpoint /_introspect;
                             phantom_token_inactive_status 404; $api }
        location /parts    { $on /_introspect; ssi on; $api }
        location /part     { $on /_introspect; log_subrequest on; $api }
        location /policy   { $on /_introspect; auth_request /part; $api }
        location /mirrored { $on /_introspect; mirror /part; $api }
        location /redirect { $on /_introspect; try_files /nothing /plain/redirected; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_slow       { internal; proxy_pass http://%%AS%%/introspect; proxy_read_timeout 200ms; }
        location = /_unsafe     { internal; proxy_pass http://%%AS%%/introspect; proxy_cache unsafe;
                                  proxy_cache_methods POST; proxy_cache_valid 200 1m; }
        location = /_exchange   { internal; proxy_pass http://%%AS%%/token; }
        location = /_jwks       { internal; proxy_pass http://%%AS%%/jwks; $cache proxy_cache_valid 200 1h; }
        location = /_keyless    { internal; proxy_pass http://%%AS%%/keyless; }
        location = /_cached     { internal; log_subrequest on; proxy_pass http://%%AS%%/introspect;
                                  $cache proxy_cache_valid 200 1m; }
        location = /_bypass     { internal; proxy_pass http://%%AS%%/introspect; $cache proxy_cache_valid 200 1m;
                                  proxy_cache_bypass 1; }
        location = /_renewed    { internal; proxy_pass http://%%AS%%/introspect; $cache proxy_cache_valid 200 1s;
                                  proxy_cache_use_stale updating; proxy_cache_background_update on; }
        location = /_aging      { internal; proxy_pass http://%%AS%%/introspect; $cache proxy_cache_valid 200 1s;
                                  proxy_cache_use_stale http_500 updating; proxy_cache_revalidate on; }
    },
);
my ($as, $backend) = ($gateway->as, $gateway->api);
my %good = (sub => 'alice', iss => 'https://as.example', aud => 'api', scope => 'read', exp => $far);

$as->answers(
    'alice-token'    => { jwt => \%good },
    'gone-token'     => { json => { active => false } },
    'expired-token'  => { jwt => { %good, exp => 1 } },
    'early-token'    => { jwt => { %good, nbf => $far } },
    'foreign-token'  => { jwt => { %good, iss => 'https://evil.example' } },
    'audience-token' => { jwt => { %good, aud => 'other' } },
    'scope-token'    => { jwt => { %good, scope => 'write' } },
    'acr-token'      => { jwt => { %good, acr => 'bronze' } },
    'age-token'      => { jwt => { %good, acr => 'gold', auth_time => time - 3600 } },
    'bound-token'    => { jwt => { %good, cnf => { jkt => 'x' } } },
    'holder-token'   => { jwt => { %good, cnf => { jkt => $holder->thumbprint } } },
    'shown-token'    => { jwt => { %good, cnf => { 'x5t#S256' => 'x' } } },
    'refused-token'  => { status => 401 },
    'busy-token'     => { status => 503 },
    'slow-token'     => { raw => [['hang']] },
    'error-token'    => { status => 500 },
    'unknown-token'  => { status => 404 },
    'garbage-token'  => { json => { active => true } },
    'signed-token'   => { jwt => jwt(\%good, key => $key) },
    'forged-token'   => { jwt => jwt(\%good, key => $other) },
    'traded-token'   => { json => {
        access_token => jwt(\%good), issued_token_type => 'urn:ietf:params:oauth:token-type:jwt', token_type => 'Bearer'
    } },
    'narrow-token'   => { status => 400, json => { error => 'invalid_scope' } },
    '/jwks'          => { json => jwks($key) },
    '/keyless'       => { status => 500 },
);
my $client_jwt = jwt(\%good, key => $key);
my @preflight  = (
    method => 'OPTIONS', headers => ['Origin: https://app.example', 'Access-Control-Request-Method: GET']
);

counts($gateway, 'at the start nothing is counted', sub { });
counted($gateway, 'no protection, nothing counted', '/open', undef, 200, {});
counted($gateway, 'active',             '/strict',  'alice-token',    200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
counted($gateway, 'missing',            '/strict',  undef,            401, { 'requests missing' => 1 });
counted($gateway, 'malformed',          '/strict',  undef,            401, { 'requests malformed' => 1 },
    headers => ['Authorization: Bearer a b']);
counted($gateway, 'inactive',           '/strict',  'gone-token',     401,
    { 'requests inactive' => 1, 'calls introspection inactive' => 1 });
# Of these the authorization server said that they are active.
counted($gateway, 'expired',            '/strict',  'expired-token',  401,
    { 'requests expired' => 1, 'calls introspection active' => 1 });
counted($gateway, 'not_yet_valid',      '/strict',  'early-token',    401,
    { 'requests not_yet_valid' => 1, 'calls introspection active' => 1 });
counted($gateway, 'issuer',             '/strict',  'foreign-token',  401,
    { 'requests issuer' => 1, 'calls introspection active' => 1 });
counted($gateway, 'audience',           '/strict',  'audience-token', 401,
    { 'requests audience' => 1, 'calls introspection active' => 1 });
counted($gateway, 'insufficient_scope', '/strict',  'scope-token',    403,
    { 'requests insufficient_scope' => 1, 'calls introspection active' => 1 });
counted($gateway, 'acr',                '/step-up', 'acr-token',      401,
    { 'requests acr' => 1, 'calls introspection active' => 1 });
counted($gateway, 'auth_time',          '/step-up', 'age-token',      401,
    { 'requests auth_time' => 1, 'calls introspection active' => 1 });
counted($gateway, 'requirement, 403',   '/admin',   'acr-token',      403,
    { 'requests requirement' => 1, 'calls introspection active' => 1 });
counted($gateway, 'requirement, 401',   '/admin/401', 'acr-token',    401,
    { 'requests requirement' => 1, 'calls introspection active' => 1 });
counted($gateway, 'bound',              '/strict',  'bound-token',    401,
    { 'requests bound' => 1, 'calls introspection active' => 1 });
counted($gateway, 'as_refused_client',  '/plain',   'refused-token',  502,
    { 'requests as_refused_client' => 1, 'calls introspection as_refused_client' => 1 });
counted($gateway, 'as_busy',            '/plain',   'busy-token',     503,
    { 'requests as_busy' => 1, 'calls introspection as_busy' => 1 });
counted($gateway, 'as_timeout',         '/slow',    'slow-token',     504,
    { 'requests as_timeout' => 1, 'calls introspection as_timeout' => 1 });
counted($gateway, 'as_error',           '/plain',   'error-token',    502,
    { 'requests as_error' => 1, 'calls introspection as_error' => 1 });
counted($gateway, 'as_bad_response',    '/plain',   'garbage-token',  502,
    { 'requests as_bad_response' => 1, 'calls introspection as_bad_response' => 1 });
counted($gateway, 'misconfigured, by the cache guard', '/unsafe', 'alice-token', 500,
    { 'requests misconfigured' => 1, 'calls introspection misconfigured' => 1, 'cache MISS' => 1 });
counted($gateway, 'rejected_jwt',       '/reject',  $client_jwt,      401, { 'requests rejected_jwt' => 1 });
counted($gateway, 'passed_jwt',         '/pass',    $client_jwt,      200, { 'requests passed_jwt' => 1 });
counted($gateway, 'bypassed',           '/any',     undef,            200,
    { 'requests bypassed' => 1, 'requests missing' => 0 });
counted($gateway, 'anonymous',          '/optional', undef,           200, { 'requests anonymous' => 1 });
counted($gateway, 'optional, a token',  '/optional', 'alice-token',   200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
counted($gateway, 'inactive, by a status', '/optional', 'unknown-token', 401,
    { 'requests inactive' => 1, 'calls introspection inactive' => 1 });
counted($gateway, 'preflight',          '/strict',  undef,            200, { 'requests preflight' => 1 }, @preflight);
counted($gateway, 'the keys are asked for once', '/signed', 'signed-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1, 'calls jwks active' => 1 });
counted(
    $gateway, 'and then out of the cache, in either worker', '/signed', 'signed-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1 }
) for 1 .. 4;
counted($gateway, 'signature, the authorization server\'s', '/signed', 'forged-token', 502,
    { 'requests signature' => 1, 'calls introspection active' => 1 });
counted(
    $gateway, 'signature, the client\'s', '/verify', jwt(\%good, key => $other), 401, { 'requests signature' => 1 }
);
counted($gateway, 'a client\'s JWT, verified', '/verify', $client_jwt, 200, { 'requests active' => 1 });
counted($gateway, 'jwks_unavailable',   '/keyless', 'signed-token',   503,
    { 'requests jwks_unavailable' => 1, 'calls introspection active' => 1, 'calls jwks as_error' => 1 });
counted($gateway, 'exchange',           '/exchange', 'traded-token',  200,
    { 'requests active' => 1, 'calls exchange active' => 1 });
counted($gateway, 'exchange, a scope',  '/exchange', 'narrow-token',  403,
    { 'requests insufficient_scope' => 1, 'calls exchange insufficient_scope' => 1 });

my @form = ('Content-Type: application/x-www-form-urlencoded');

# What comes to phantom_token_revoke is no request to a protected location. An entry that is there already is one entry.
sub received {
    my ($name, $body, $status, $more, %request) = @_;
    return counts($gateway, $name, sub {
        is $gateway->post('/revoke', $body, headers => \@form, %request)->status, $status, "$name: $status";
    }, %{$more});
}

my %logout = (iss => 'https://as.example', aud => 'api', iat => time, exp => $far, sub => 'somebody',
    events => { 'http://schemas.openid.net/event/backchannel-logout' => {} });
my %header = (alg => 'RS256', kid => 'k1');
my $logout = jwt({ %logout, jti => 'l1' }, header => { %header, typ => 'logout+jwt' }, key => $key);
my %event  = (iss => 'https://as.example', aud => 'api', iat => time,
    sub_id => { format => 'iss_sub', iss => 'https://as.example', sub => 'else' });
my ($set, $foreign_set) = map {
    jwt({ %event, jti => $_, events => { "https://schemas.openid.net/secevent/$_" => {} } },
        header => { %header, typ => 'secevent+jwt' }, key => $key)
} 'caep/event-type/session-revoked', 'unknown';
my @is_set = (headers => ['Content-Type: application/secevent+jwt']);

counted($gateway, 'not revoked',        '/revoked', 'alice-token',    200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
received('a token is revoked', 'token=alice-token', 200, { 'revocations token revoked' => 1, 'revoked token' => 1 });
received('once more',          'token=alice-token', 200, { 'revocations token revoked' => 1 });
counted($gateway, 'revoked',            '/revoked', 'alice-token',    401,
    { 'requests revoked' => 1, 'calls introspection active' => 1 });
for my $kind (qw(jti sid sub client_id)) {
    received("a $kind is revoked", "$kind=nobody", 200, { "revocations $kind revoked" => 1, "revoked $kind" => 1 });
}
received('a form that says nothing', 'iss=x', 400, { 'revocations other refused' => 1 });
received('a form that says too much', 'sub=a&sid=b', 400, { 'revocations other refused' => 1 });
received('a logout token that is none', 'logout_token=x', 400, { 'revocations logout_token refused' => 1 });
received('a logout token', "logout_token=$logout", 200,
    { 'revocations logout_token revoked' => 1, 'revoked logout_token' => 1, 'revoked sub' => 1 });
received('the same again', "logout_token=$logout", 400, { 'revocations logout_token seen_before' => 1 });
received('a security event', $set, 202,
    { 'revocations security_event revoked' => 1, 'revoked security_event' => 1, 'revoked sub' => 1 }, @is_set);
received('the same again', $set, 202, { 'revocations security_event seen_before' => 1 }, @is_set);
received('an event that is unknown', $foreign_set, 202,
    { 'revocations security_event unknown' => 1, 'revoked security_event' => 1 }, @is_set);
received('an event that is none', 'x', 400, { 'revocations security_event refused' => 1 }, @is_set);

{
    my $alone = gateway(server => $page, servers => { AS => '127.0.0.1:' . reserve_port(), API => $backend });
    counted($alone, 'a server that cannot be reached has been called', '/', 'alice-token', 502,
        { 'requests as_error' => 1, 'calls introspection as_error' => 1 });
}

# --- tokens that are bound to a key ---------------------------------------------------------------------------------

sub proven {
    my ($path) = @_;
    return (path => $path, headers => [dpop_headers($holder, 'holder-token', htu => "http://localhost$path",
        now => time + $gateway->clock)]);
}
counted($gateway, 'no certificate', '/keys', 'shown-token', 401,
    { 'requests certificate' => 1, 'calls introspection active' => 1 });
counts($gateway, 'no proof', sub {
    is $gateway->request(path => '/keys', headers => ['Authorization: DPoP holder-token'])->status, 401, 'no proof';
}, 'requests dpop_proof' => 1);
counts($gateway, 'no nonce', sub {
    is $gateway->request(proven('/keys/nonce'))->status, 401, 'no nonce';
}, 'requests dpop_nonce' => 1);
{
    my %once = proven('/keys');
    counts($gateway, 'a proof', sub {
        is $gateway->request(%once)->status, 200, 'a proof';
    }, 'requests active' => 1, 'calls introspection active' => 1, 'used proofs' => 1);
    counts($gateway, 'again', sub {
        is $gateway->request(%once)->status, 401, 'again';
    }, 'requests dpop_replay' => 1, 'calls introspection active' => 1);
    $gateway->announce(qr/\[error\].*is full of proofs/);
    my ($connection, $more) = ($gateway->connect, 0);
    $more++ while $more < 1000 && $connection->request(proven('/keys'))->status == 200;
    $connection->close;
    counts($gateway, 'a full zone', sub { cmp_ok $more, '<', 1000, "a full zone: $more more" },
        'requests active' => $more, 'used proofs' => $more, 'requests dpop_replay_full' => 1,
        'calls introspection active' => $more + 1);
    my $page = parse_metrics(page_of($gateway));
    is $page->{'phantom_token_dpop_replay_capacity{zone="proofs"}'},
        $page->{'phantom_token_dpop_replay_entries{zone="proofs"}'}, 'a full zone: as many as it has room for';
}

# --- what is one request ---------------------------------------------------------------------------------------------

$backend->answers(
    '/parts' => { type => 'text/html', body => '<!--#include virtual="/part?1" --><!--#include virtual="/part?2" -->' }
);
counted($gateway, 'SSI: a protected page of two protected parts', '/parts', 'alice-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
counted($gateway, 'auth_request: a protected policy service',     '/policy', 'alice-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
counted($gateway, 'mirror into a protected location',             '/mirrored', 'alice-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
counted($gateway, 'an internal redirect',                         '/redirect', 'alice-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1 });
counted($gateway, 'HTTP/1.0',                                     '/plain', 'alice-token', 200,
    { 'requests active' => 1, 'calls introspection active' => 1 }, version => '1.0');
counts($gateway, 'several on one connection, a refused body among them', sub {
    my $connection = $gateway->connect;
    is join(
        ' ', map { $connection->request(%{$_})->status } { path => '/plain', token => 'alice-token' },
        { method => 'POST', path => '/plain', body => 'x' x 100 }, { path => '/plain', token => 'alice-token' }
    ), '200 401 200', 'keepalive';
    is $connection->finish, '', 'keepalive: nothing follows';
}, 'requests active' => 2, 'requests missing' => 1, 'calls introspection active' => 2);
counts($gateway, 'a client that leaves while the server is asked is not judged, so not counted', sub {
    $as->forget_requests;
    $as->answers('held-token' => { hold => 'left', jwt => \%good });
    my $connection = $gateway->connect;
    $connection->send("GET /plain HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer held-token\r\n\r\n");
    $as->wait_for_requests(1);
    $connection->close;
    until_true(patience(3), sub { grep { $_->{status} == 499 } $gateway->access_log }) or fail 'the client has left';
    $as->release('left');
});

# --- caches ----------------------------------------------------------------------------------------------------------

my $calls = 'calls introspection active';
counted(
    $gateway, 'cache MISS',   '/cached', 'alice-token', 200, { 'requests active' => 1, 'cache MISS' => 1, $calls => 1 }
);
counted(
    $gateway, 'cache HIT, no call',        '/cached', 'alice-token', 200, { 'requests active' => 1, 'cache HIT' => 1 }
);
counted($gateway, 'cache BYPASS', '/bypass', 'alice-token', 200,
    { 'requests active' => 1, 'cache BYPASS' => 1, $calls => 1 });
{
    $as->answers(
        'renewed-token'   => { jwt => \%good },
        'unchanged-token' => [{ jwt => \%good, headers => ['ETag: "1"'] }, { status => 304, headers => ['ETag: "1"'] }],
        'stale-token'     => [{ jwt => \%good }, { status => 500 }],
        'updating-token'  => [{ jwt => \%good }, { hold => 'update', jwt => \%good }],
    );
    my @tokens = qw(renewed-token unchanged-token stale-token updating-token);
    counts($gateway, 'cache: four entries', sub {
        $gateway->get('/aging', token => $_) for @tokens;
    }, 'requests active' => 4, 'cache MISS' => 4, $calls => 4);
    counted($gateway, 'cache: one more', '/renewed', 'alice-token', 200,
        { 'requests active' => 1, 'cache MISS' => 1, $calls => 1 });
    $gateway->advance(3);
    $as->forget_requests;
    counted($gateway, 'a background update is no call of a request', '/renewed', 'alice-token', 200,
        { 'requests active' => 1, 'cache STALE' => 1 });
    ok $as->wait_for_requests(1), 'though the server is asked';
    counted($gateway, 'cache EXPIRED',     '/aging', 'renewed-token',   200,
        { 'requests active' => 1, 'cache EXPIRED' => 1, $calls => 1 });
    counted($gateway, 'cache REVALIDATED', '/aging', 'unchanged-token', 200,
        { 'requests active' => 1, 'cache REVALIDATED' => 1, $calls => 1 });
    counted(
        $gateway, 'cache STALE, allowed', '/aging', 'stale-token',  200, { 'requests active' => 1, 'cache STALE' => 1 }
    );
    counted(
        $gateway, 'cache STALE, refused', '/fresh', 'stale-token',  503, { 'requests stale' => 1, 'cache STALE' => 1 }
    );
    counts($gateway, 'cache UPDATING, beside the one that updates', sub {
        $as->forget_requests;
        my $connection = $gateway->connect;
        $connection->send("GET /aging HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer updating-token\r\n\r\n");
        $as->wait_for_requests(1);
        is $gateway->get('/aging', token => 'updating-token')->status, 200, 'while it is updated';
        $as->release('update');
        is $connection->response->status, 200, 'the update';
        $connection->close;
    }, 'requests active' => 2, 'cache UPDATING' => 1, 'cache EXPIRED' => 1, $calls => 1);
}

# What the module can say, all but one that only a lack of memory brings, has been counted above.
{
    my %words   = map { $_->{word} => 1 } @{ tables()->{outcomes} };
    my $seen    = counters($gateway);
    is_deeply [sort map { /^requests (.*)/ } keys %{$seen}], [sort keys %words],
        'the page has every word of $phantom_token_status';
    is_deeply [grep { !$seen->{"requests $_"} } sort keys %words], ['internal_error'], 'and each has been provoked';
    is_deeply [sort map { /^cache (.*)/ } keys %{$seen}],
        [sort qw(HOT MISS BYPASS EXPIRED STALE UPDATING REVALIDATED HIT)], 'the page has every cache status';
    is_deeply [grep { !$seen->{"cache $_"} } qw(MISS BYPASS EXPIRED STALE UPDATING REVALIDATED HIT)], [],
        'and each has been provoked, HOT aside';
}

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

# --- time ------------------------------------------------------------------------------------------------------------

{
    my $before = parse_metrics(page_of($gateway));
    my %expect = %{$before};
    my $sum    = 0;
    my $tick   = clock_getres(6) + 0.002; # nginx takes the time of CLOCK_MONOTONIC_COARSE, in whole milliseconds
    for my $delay (0, 0.03, 0.3, 1.2) {
        $as->answers('waiting-token' => { delay => $delay, jwt => \%good });
        my $response = $gateway->get('/plain', token => 'waiting-token');
        my $taken    = $gateway->logged($response)->{time};
        cmp_ok $taken, '>=', $delay - $tick, "a call of $delay s";
        cmp_ok $taken, '<=', $response->{seconds} + $tick, 'and not much more';
        $sum += $taken;
        $expect{qq(phantom_token_as_seconds_bucket{le="$_"})}++ for grep { $_ eq '+Inf' || $taken <= $_ }
            qw(0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf);
    }
    my $after = parse_metrics(page_of($gateway));
    my @buckets = grep { /_bucket/ } keys %{$before};
    is_deeply { map { $_ => $after->{$_} } @buckets }, { map { $_ => $expect{$_} } @buckets },
        'each call is in the bucket of its $phantom_token_time, and in all above';
    is sprintf('%.3f', $after->{phantom_token_as_seconds_sum} - $before->{phantom_token_as_seconds_sum}),
        sprintf('%.3f', $sum), 'the sum is exact';
}
$expected{ $gateway->folder } = {
        map { $_->[1] ? ($_->[0] => $_->[1]) : () } map { my $c = $_; map { [$_, $c->{$_}] } keys %{$c} }
        counters($gateway)
};

# --- all workers, reload, a new binary -------------------------------------------------------------------------------

my $load = sub {
    my ($clients, $each) = @_;
    my @children = map {
        fork_child(sub {
            my $connection = $gateway->connect;
            $connection->get('/cached', token => 'alice-token')->status == 200 or die "refused\n" for 1 .. $each;
        })
    } 1 .. $clients;
    return map { waitpid $_, 0; $? } @children;
};
counts($gateway, 'four clients at once, over both workers', sub {
    is_deeply [$load->(4, 100)], [(0) x 4], 'all are served';
    my %workers = map { $_->{pid} => 1 } $gateway->access_log;
    is scalar keys %workers, 2, 'by both';
}, 'requests active' => 400, 'cache HIT' => 400);

{
    my $before = counters($gateway);
    is $gateway->reload, '', 'reload';
    is_deeply counters($gateway), $before, 'a reload keeps the counters';
    counted($gateway, 'and they go on', '/cached', 'alice-token', 200, { 'requests active' => 1, 'cache HIT' => 1 });

    my ($requests, $falls) = (0, 0);
    my @children = map {
        fork_child(sub {
            for (1 .. 150) { $gateway->get('/cached', token => 'alice-token')->status == 200 or die "refused\n" };
        })
    } 1 .. 2;
    for (1 .. 3) {
        is $gateway->reload, '', 'reload under load';
        my $now = counters($gateway)->{'requests active'};
        $falls++ if $now < $requests;
        $requests = $now;
    }
    counts($gateway, 'reloads under load lose and double nothing', sub {
        is_deeply [map { waitpid $_, 0; $? } @children], [0, 0], 'all are served';
    }, 'requests active' => 300, 'cache HIT' => 300);
    is $falls, 0, 'and no counter goes back';

    my $old = $gateway->pid;
    $gateway->upgrade;
    isnt $gateway->pid, $old, 'a new binary';
    $expected{ $gateway->folder } = {};
    counts($gateway, 'starts afresh', sub { });
    counted($gateway, 'and counts', '/cached', 'alice-token', 200, { 'requests active' => 1, 'cache HIT' => 1 });
}

# Under load, as many are counted as are in the access log. (That additions are atomic no test of this length could
# show: without it, about none of them would be lost.)
{
    my $loaded = gateway(workers => 2, http => 'keepalive_requests 1000000;', server => $page);
    my $result = run(['wrk', '-t', '1', '-c', '16', '-d', '3s', 'http://127.0.0.1:' . $loaded->port . '/']);
    is $result->{code}, 0, 'wrk' or diag $result->{err};
    my ($logged, $counted);
    until_true(patience(5), sub {
        $counted = counters($loaded)->{'requests missing'};
        $logged  = () = slurp($loaded->folder . '/access.log') =~ /"outcome":"missing"/g;
        return $logged == $counted;
    });
    cmp_ok $logged, '>', 1000, 'a load';
    is $counted, $logged, 'under load as many are counted as are logged';
}

# Where nothing asks for counters, nothing is kept. nginx maps each zone of its own accord, anonymous and shared.
{
    my $zones = sub {
        my ($nginx) = @_;
        return scalar grep { /\brw-s\b.*\(deleted\)/ } split /^/, slurp('/proc/' . $nginx->pid . '/maps');
    };
    my $plain = gateway();
    my $with  = gateway(
        server => "$page location = /more { phantom_token_metrics; } location /other { phantom_token_metrics; }"
    );
    is $zones->($with) - $zones->($plain), 1, 'one zone for all locations with the directive, none without';
    is $with->get($_)->status, 200, "$_ shows the page" for '/metrics', '/more', '/other/page';
    counted($with, 'counted once', '/', undef, 401, { 'requests missing' => 1 });
    is page_of($with), $with->get('/more')->body, 'all show the same';
    is $plain->get('/')->status, 401, 'a request before there are counters';
    is $plain->reload(server => $page), '', 'reload with counters';
    counts($plain, 'what was before is not counted', sub { });
    counted($plain, 'what comes then is', '/', undef, 401, { 'requests missing' => 1 });
}

# --- the hot cache ---------------------------------------------------------------------------------------------------

{
    my $hot = gateway(
        workers => 2,
        clock   => 'time',
        http    => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:32k valid=1h; '
            . 'phantom_token_hot_cache zone=brief:32k valid=30s;',
        server  => "phantom_token_hot_cache hot; $page location /brief { phantom_token_hot_cache brief; "
            . "$on /_introspect; $api }", introspection => "$cache proxy_cache_valid 200 1m;",
    );
    my $claims = { %good, more => 'x' x 2000 };
    $hot->as->answers('*' => { jwt => $claims });
    my $figure = sub {
        my ($name, $zone) = @_;
        return parse_metrics(page_of($hot))->{qq(phantom_token_hot_cache_$name\{zone="@{[ $zone // 'hot' ]}"\})};
    };
    my $empty  = $figure->('bytes');
    is $figure->('size_bytes'), 32_768, 'hot cache: its size';
    counted($hot, 'hot cache: a copy is made', '/', 'first-token', 200,
        { 'requests active' => 1, 'cache MISS' => 1, $calls => 1, 'hot entries' => 1 });
    counted($hot, 'cache HOT', '/', 'first-token', 200, { 'requests active' => 1, 'cache HOT' => 1 });
    my $one = $figure->('bytes');
    cmp_ok $one, '>', $empty, 'hot cache: a copy takes pages';
    is $one % 4096, 0, 'hot cache: bytes are those of whole pages';
    counted($hot, 'what is refused is not kept', '/', undef, 401, { 'requests missing' => 1 });

    is $hot->get('/', token => "filling-token-$_")->status, 200, "hot cache: token $_" for 1 .. 20;
    my ($entries, $evictions) = map { $figure->($_) } qw(entries evictions_total);
    cmp_ok $evictions, '>', 0, 'hot cache: it is too small, copies that live make room';
    is $entries + $evictions, 21, 'hot cache: each of 21 copies is there or has been evicted';
    cmp_ok $figure->('bytes'), '>', $one, 'hot cache: more bytes';
    cmp_ok $figure->('bytes'), '<=', 32_768, 'hot cache: no more than it has';
    is $figure->('entries', 'brief'), 0, 'hot cache: each zone has its own counters';

    $hot->get('/brief', token => "filling-token-$_") for 1 .. 20;
    my $before = $figure->('evictions_total', 'brief');
    my $copies = $figure->('entries', 'brief');
    $hot->advance(31);
    is $hot->get('/brief', token => 'late-token')->status, 200, 'hot cache: one more, when all have ended';
    cmp_ok $figure->('entries', 'brief'), '<=', $copies, 'hot cache: it has taken the place of another';
    is $figure->('evictions_total', 'brief'), $before, 'a copy that has ended is no eviction';
    is $hot->reload, '', 'hot cache: reload';
    is $figure->('evictions_total'), $evictions, 'hot cache: a reload keeps its counter';
    is $figure->('size_bytes'), 32_768, 'hot cache: and its size';
}

# --- revocations -----------------------------------------------------------------------------------------------------

{
    my @signed = qw(logout_token security_event);
    my @kinds  = (qw(token jti sid sub client_id), @signed);
    my $about  = sub { my ($nginx) = @_; my $all = parse_metrics(page_of($nginx));
        return { map { $_ => $all->{$_} } grep { /revo/ && !/requests_total/ } keys %{$all} } };
    my $received = sub {
        my ($kind, $result) = @_;
        return qq(phantom_token_revocations_total{kind="$kind",result="$result"});
    };

    my $without = gateway(server => $page);
    is_deeply $about->($without), {}, 'without a zone: nothing of revocations on the page';
    is parse_metrics(page_of($without))->{'phantom_token_requests_total{status="revoked"}'}, 0, 'but the status';

    my $with = gateway(
        http   => 'phantom_token_revocation zone=one:32k; phantom_token_revocation zone=two:1m;',
        server => "$page location = /revoke { phantom_token_revoke one; } phantom_token_revocation two;"
    );
    my $zeros = $about->($with);
    my $room  = { map { $_ => delete $zeros->{qq(phantom_token_revocation_capacity{zone="$_"})} } qw(one two) };
    is_deeply $zeros, {
        (map { my $zone = $_; map { (qq(phantom_token_revocation_entries{zone="$zone",kind="$_"}) => 0) } @kinds }
            qw(one two)),
        (map { my $kind = $_; map { ($received->($kind, $_) => 0) } qw(revoked failed) } @kinds),
        (map { my $kind = $_; map { ($received->($kind, $_) => 0) } qw(refused seen_before unknown) } @signed),
        $received->('other', 'refused') => 0,
    }, 'two zones, before anything has come: every sample, with 0';
    cmp_ok $room->{one}, '>', 0, 'the room of each zone';
    cmp_ok $room->{two}, '>', 32 * $room->{one}, 'a larger one has more';

    is $with->post('/revoke', "sub=s$_", headers => \@form)->status, 200, "a sub is revoked: $_" for 1, 2;
    my $two = $about->($with);
    is $two->{'phantom_token_revocation_entries{zone="one",kind="sub"}'}, 2, 'entries of the zone that has them';
    is $two->{'phantom_token_revocation_entries{zone="two",kind="sub"}'}, 0, 'and of the other one';
    is $two->{ $received->('sub', 'revoked') }, 2, 'what has come is counted for both together';
    is $with->reload, '', 'reload';
    is_deeply $about->($with), $two, 'a reload keeps all of it';

    $with->announce(qr/\[error\].*is full of what has not ended/);
    my $connection = $with->connect;
    my %statuses;
    for my $n (1 .. $room->{one} + 1) {
        my @request = (method => 'POST', path => '/revoke', headers => \@form, body => "sid=s$n");
        $statuses{ $connection->request(@request)->status }++;
    }
    my $full = $about->($with);
    is_deeply \%statuses, { 200 => $room->{one} - 2, 503 => 3 }, 'a zone that is full';
    is $full->{'phantom_token_revocation_entries{zone="one",kind="sid"}'}, $room->{one} - 2,
        'has as many as it has room for';
    is $full->{ $received->('sid', 'failed') }, 3, 'what it does not take has failed';
    is $full->{ $received->('sid', 'revoked') }, $room->{one} - 2, 'and is not revoked';
}

# --- the page as HTTP ------------------------------------------------------------------------------------------------

my $type = 'text/plain; version=0.0.4; charset=utf-8';
my $http = gateway(
    server => qq{
        charset utf-8; gzip on; gzip_min_length 1; gzip_types text/plain; gzip_http_version 1.0;
        listen 127.0.0.1:%%PORT:h2%% http2;
        $page
        location = /open   { allow 127.0.0.1; deny all; phantom_token_metrics; }
        location = /closed { deny all; phantom_token_metrics; }
        location = /proxied-before { $api phantom_token_metrics; }
        location = /proxied-after  { phantom_token_metrics; $api }
    },
    servers => { API => api(answers => { '/proxied-after' => { body => 'the API' } }) },
);
{
    my ($get, $head) = map { $http->request(method => $_, path => '/metrics') } qw(GET HEAD);
    is $_->header('Content-Type'), $type, "$_->{method}: its type, with one charset" for $get, $head;
    is $head->status, 200, 'HEAD';
    is $head->header('Content-Length'), length $get->body, 'HEAD: the length of the page';
    is $head->body . $head->{leftover}, '', 'HEAD: no body';
    is $http->request(method => $_, path => '/metrics', body => 'x=1')->status, 405, "$_: 405"
        for qw(POST PUT DELETE PATCH);
    is $http->get('/metrics', headers => ['Range: bytes=0-1'])->status, 200, 'a range is not cut out';
    is $http->get('/metrics', version => '1.0')->body, $get->body, 'HTTP/1.0';
    is $http->get('/metrics', http2 => 1, port => 'h2')->body, $get->body, 'HTTP/2';
    is $http->request(method => 'HEAD', path => '/metrics', http2 => 1, port => 'h2')->status, 200, 'HTTP/2: HEAD';
    my $packed = $http->get('/metrics', headers => ['Accept-Encoding: gzip']);
    is $packed->header('Content-Encoding'), 'gzip', 'gzip, where nginx has it for text/plain';
    gunzip(\$packed->body, \my $unpacked);
    is $unpacked, $get->body, 'and it is the page';

    my $connection = $http->connect;
    my @answers = map { $connection->request(%{$_}) } {
        path => '/metrics', body => "GET /closed HTTP/1.1\r\nHost: x\r\n\r\n"
    }, { method => 'POST', path => '/metrics', chunked => ['GET /closed HTTP/1.1', "\r\n\r\n"] },
        { path => '/metrics' };
    is join(' ', map { $_->status } @answers), '200 405 200', 'bodies on keepalive are read and thrown away';
    is $connection->finish, '', 'and nothing follows';

    is $http->get('/open')->body, $get->body, 'allow';
    is $http->get('/closed')->status, 403, 'deny';
    is $http->get('/proxied-before')->header('Content-Type'), $type,
        'of two content handlers the last one answers, as everywhere in nginx';
    is $http->get('/proxied-after')->body, 'the API', 'whichever it is';
}

# In a protected server the page is protected as everything is.
{
    my $protected = gateway(locations => qq{
        phantom_token on; phantom_token_introspection_endpoint /_introspect;
        $page
        location = /unprotected { phantom_token off; phantom_token_metrics; }
        location / { $api }
        location = /_introspect { internal; proxy_pass http://%%AS%%; }
    });
    $protected->as->answers('alice-token' => { jwt => \%good });
    is $protected->get('/unprotected')->status, 200, 'phantom_token off: the page';
    check_refusal(my $refused = $protected->get('/metrics'));
    is $refused->status, 401, 'under phantom_token on: 401 without a token';
    like page_of($protected, token => 'alice-token'), qr/^phantom_token_requests_total\{status="missing"\} 1$/m,
        'and the page with one';
    like $protected->get('/unprotected')->body, qr/^phantom_token_requests_total\{status="active"\} 1$/m,
        'which is a request like any';
}

# --- the text format -------------------------------------------------------------------------------------------------

sub accepted_by_promtool {
    my ($name, $text) = @_;
    my $file = temporary_folder() . '/metrics';
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    my $result = run(['promtool', 'check', 'metrics'], in => $file);
    is $result->{code}, 0, "promtool check metrics: $name" or diag $result->{out}, $result->{err};
    return is $result->{out} . $result->{err}, '', "promtool has nothing to complain about: $name";
}
accepted_by_promtool('a page that has counted', page_of($gateway));
accepted_by_promtool('a page that has not', page_of($http));
{
    my $odd = gateway(http => join(' ', map {
        qq{phantom_token_hot_cache "zone=$_:32k"; phantom_token_revocation "zone=r-$_:32k";}
    } 'q\"uote', 'back\\\\slash', 'line\nbreak', "\xc3\xa9", "\xff"), server => $page);
    my $text = page_of($odd);
    accepted_by_promtool('zones of any name', $text);
    is_deeply [sort map { /^phantom_token_hot_cache_entries\{zone="(.*)"\}$/ } keys %{ parse_metrics($text) }],
        [sort 'q\"uote', 'back\\\\slash', 'line\nbreak', '\\\\xc3\\\\xa9', '\\\\xff'], 'zones of any name, escaped';
    is_deeply [sort map { /^phantom_token_revocation_capacity\{zone="r-(.*)"\}$/ } keys %{ parse_metrics($text) }],
        [sort 'q\"uote', 'back\\\\slash', 'line\nbreak', '\\\\xc3\\\\xa9', '\\\\xff'],
        'those of revocations too';
}
for my $broken (
    ['no line end',         "# HELP a_total A.\n# TYPE a_total counter\na_total 1"],
    ['no description',      "a_total 1\n"],
    ['a name',              "# HELP a_total A.\n# TYPE a_total counter\na-b_total 1\n"],
    ['a label',             "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"\"\"} 1\n"],
    ['no UTF-8',            "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"\xff\"} 1\n"],
    ['a sample twice',      "# HELP a_total A.\n# TYPE a_total counter\na_total 1\na_total 1\n"],
    ['another\'s sample',   "# HELP a_total A.\n# TYPE a_total counter\nb_total 1\n"],
    ['buckets that fall',
     "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n"],
    ['a count of its own',
     "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n"],
) { ok !eval { parse_metrics($broken->[1]) }, "the test's own reader refuses $broken->[0]" }

# --- nginx -t --------------------------------------------------------------------------------------------------------

my $not_here = qr/"phantom_token_metrics" directive is not allowed here/;
configurations(
    { name => 'a location',          server => $page, accepts => 1, warns => undef },
    { name => 'a nested location',   server => "location /a { $page }" =~ s{= /metrics}{= /a/metrics}r, accepts => 1,
      warns => undef },
    { name => 'twice in a location', server => 'location = /m { phantom_token_metrics; phantom_token_metrics; }',
      refuses => qr/"phantom_token_metrics" directive is duplicate/ },
    { name => 'an argument',         server => 'location = /m { phantom_token_metrics on; }',
      refuses => qr/invalid number of arguments in "phantom_token_metrics" directive/ },
    { name => 'http',                http   => 'phantom_token_metrics;', refuses => $not_here },
    { name => 'server',              server => 'phantom_token_metrics;', refuses => $not_here },
    { name => 'if',                  server => 'location = /m { if ($arg_a) { phantom_token_metrics; } }',
      refuses => $not_here },
    { name => 'limit_except',        server => 'location = /m { limit_except GET { phantom_token_metrics; } }',
      refuses => $not_here },
);

done_testing;
