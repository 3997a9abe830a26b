# A gateway that runs for long: memory, reloads under load, workers that end, and nothing that stays from one request
# for the next.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'sha256_hex';
use Harness;
use Harness::Http2;
use Harness::Process 'spawn';
use Time::HiRes qw(sleep time);

my $SLOW      = $ENV{PHANTOM_TOKEN_WRAPPER};
my $SANITIZED = defined $ENV{ASAN_OPTIONS}; # then freed memory is kept for a while: LeakSanitizer tells, not the size

# The authorization server and the API for load are nginx too: the AS knows a token by the path of its endpoint.
my %jwt = map { $_ => jwt({ sub => $_, scope => $_ eq 'carol' ? 'admin' : 'read' }) } qw(alice bob carol);
my $backend = gateway(
    module    => 0,
    http      => 'access_log off; keepalive_requests 1000000;',
    locations => qq{
        default_type application/jwt;
        location /alice    { return 200 "$jwt{alice}"; }
        location /carol    { return 200 "$jwt{carol}"; }
        location /inactive { default_type application/json; return 200 '{"active":false}'; }
        location /gone     { return 204; }
        location /broken   { return 500; }
        location /garbage  { return 200 "no.jwt"; }
        location /api      { return 200 "\$http_authorization"; }
        location /large    { return 200 "@{['x' x 3500]}"; }
    },
);
my %parts = (
    log_level => 'notice', # not every refusal of the load
    workers   => 1,
    http    => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m inactive=5m;
        proxy_cache_path %%DIR%%/short keys_zone=short:1m inactive=1s;
        keepalive_requests 1000000;
        upstream backend { server %%BACKEND%%; keepalive 32; }
        access_log off;
        map $http_x_as $path { default alice; ~^(?<named>[a-z]+)$ $named; }
    },
    server => 'listen 127.0.0.1:%%PORT:h2%% http2; proxy_http_version 1.1; proxy_set_header Connection "";',
    locations => q{
        location /hit   { phantom_token on; phantom_token_introspection_endpoint /_hit; proxy_pass http://backend/api; }
        location /miss  { phantom_token on; phantom_token_introspection_endpoint /_miss?$path;
                          phantom_token_scopes read; proxy_pass http://backend/api; }
        location /short { phantom_token on; phantom_token_introspection_endpoint /_short;
                          proxy_pass http://backend/api; }
        location /page  { phantom_token on; phantom_token_introspection_endpoint /_hit;
                          phantom_token_error_format problem; try_files /nothing @named; }
        location @named { phantom_token on; phantom_token_introspection_endpoint /_hit; phantom_token_scopes read;
                          proxy_pass http://backend; rewrite ^ /api break; }
        location /any   { satisfy any; allow all; phantom_token on; phantom_token_introspection_endpoint /_hit;
                          proxy_pass http://backend/api; }
        location /held  { phantom_token on; phantom_token_introspection_endpoint /_held; proxy_pass http://%%API%%; }
        location = /_hit   { internal; proxy_pass http://backend/alice; proxy_cache tokens; proxy_cache_methods POST;
                             proxy_cache_key $phantom_token_key; proxy_cache_valid 200 10m; }
        location = /_miss  { internal; proxy_pass http://backend/$args; }
        location = /_short { internal; proxy_pass http://backend/alice; proxy_cache short; proxy_cache_methods POST;
                             proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1s; }
        location = /_held  { internal; proxy_pass http://%%AS%%/introspect; proxy_read_timeout 60s; }
    },
);
my $gateway = gateway(%parts, servers => { BACKEND => '127.0.0.1:' . $backend->port });
my ($as, $api) = ($gateway->as, $gateway->api);

# --- no state from one request in the next ---------------------------------------------------------------------------

# What a request gives, whatever was before it.
my @kinds = (
    ['a token',        { path => '/hit', token => 'alice-token' }, 200, "Bearer $jwt{alice}"],
    ['no token',       { path => '/hit' }, 401, undef],
    ['a bad scope',    { path => '/miss', token => 'carol-token', headers => ['X-As: carol'] }, 403, undef],
    ['malformed',      { path => '/miss', headers => ['Authorization: Bearer a b'] }, 401, undef],
    ['inactive',       { path => '/miss', token => 'nobody-token', headers => ['X-As: inactive'] }, 401, undef],
    ['the AS fails',   { path => '/miss', token => 'nobody-token', headers => ['X-As: broken'] }, 502, undef],
    ['bypassed',       { path => '/any', token => 'alice-token' }, 200, ''],
    ['a redirect',     { path => '/page', token => 'alice-token' }, 200, "Bearer $jwt{alice}"],
    ['a body',         { method => 'POST', path => '/hit', token => 'alice-token', body => 'token=x' }, 200,
     "Bearer $jwt{alice}"],
    ['a refused body', { method => 'POST', path => '/page', body => 'GET /hit HTTP/1.1' }, 401, undef],
    ['HEAD',           { method => 'HEAD', path => '/miss', token => 'alice-token', headers => ['X-As: gone'] }, 401,
     undef],
);

sub check_kind {
    my ($name, $kind, $response) = @_;
    my (undef, undef, $status, $body) = @{$kind};
    my $right = $response->status == $status && (!defined $body || $response->body eq $body);
    my @challenges = $response->headers('WWW-Authenticate');
    $right &&= @challenges == ($status == 401 || $status == 403 ? 1 : 0);
    ok $right, $name or diag $response->status, ' ', $response->body, " @challenges";
    return;
}

for my $first (@kinds) {
    my $connection = $gateway->connect;
    for my $kind (map { ($first, $_) } @kinds) {
        check_kind(
            "keepalive: $kind->[0], on the connection of $first->[0]", $kind, $connection->request(%{ $kind->[1] })
        );
    }
    is $connection->finish, '', "keepalive: nothing follows ($first->[0])";
}
{
    my $connection = $gateway->connect;
    my @pipelined  = (@kinds, reverse @kinds);
    $connection->send(join '', map { Harness::Client::request_bytes($_->[1]) } @pipelined);
    check_kind("pipelined: $_->[0]", $_, $connection->response($_->[1]{method})) for @pipelined;
    is $connection->finish, '', 'pipelined: nothing follows';
}

# --- HTTP/2, by hand -------------------------------------------------------------------------------------------------

{
    my $http2 = Harness::Http2->new($gateway->port('h2'));
    my @order = map { @kinds[map { ($_ * 7 + 3) % @kinds } 0 .. $#kinds] } 1 .. 8;
    my @ids   = map { $http2->start(%{ $_->[1] }) } @order;
    my @answers = $http2->answers(@ids);
    my $wrong = 0;
    for my $n (0 .. $#ids) {
        my (undef, $request, $status, $body) = @{ $order[$n] };
        next if ($answers[$n]{status} // 0) == $status && (!defined $body || ($answers[$n]{body} // q{}) eq $body);
        $wrong++;
        diag "stream $ids[$n] ($order[$n][0]): ", explain $answers[$n];
    }
    is $wrong, 0, 'HTTP/2: ' . @ids . ' streams at once, each its own answer';

    $as->answers('held-token' => { hold => 'streams', jwt => { sub => 'held' } });
    my @held = map { $http2->start(path => '/held', token => 'held-token') } 1 .. 6;
    $as->wait_for_requests(6);
    $http2->cancel($_) for @held[0, 2, 4];
    my ($between) = $http2->answers($http2->start(path => '/hit', token => 'alice-token'));
    is $between->{body}, "Bearer $jwt{alice}", 'HTTP/2: a stream among those that wait and those that were reset';
    $as->release('streams');
    is join(' ', map { $_->{status} } $http2->answers(@held[1, 3, 5])), '200 200 200',
        'HTTP/2: a stream that is reset while the AS is asked does not touch the others';
    my ($after) = $http2->answers($http2->start(path => '/hit'));
    is $after->{status}, 401, 'HTTP/2: and nothing stays for the next';
    is scalar(my @seen = $api->requests), 3, 'HTTP/2: what was reset does not reach the API';
    $http2->end;
}

# --- load ------------------------------------------------------------------------------------------------------------

# Runs wrk for some seconds. The mix: hits, misses, refusals of each kind, bodies, redirects; new tokens all
# the time. Returns { requests, wrong, errors, text }.
my $MIX = <<'END';
n, wrong = 0, 0
local hit = "Bearer alice-token"
local said = { [11] = "alice", [12] = "carol", [13] = "inactive", [14] = "broken", [15] = "garbage", [16] = "large" }
function request()
  n = n + 1
  local k, headers = n % 20, {}
  if k == 8 then return wrk.format("GET", "/hit", headers) end
  if k == 19 then return wrk.format("POST", "/page", headers, string.rep("b", 3000)) end
  headers["Authorization"] = hit
  if k < 8 then return wrk.format("GET", "/hit", headers) end
  if k == 17 then return wrk.format("POST", "/page", headers, string.rep("b", 3000)) end
  if k == 18 then return wrk.format("GET", "/any", headers) end
  if k == 9 then headers["Authorization"] = "Bearer a b"; return wrk.format("GET", "/hit", headers) end
  if k == 10 then headers["Authorization"] = "Bearer t" .. (n % 3000); return wrk.format("GET", "/short", headers) end
  headers["Authorization"] = "Bearer m" .. n
  headers["X-As"] = said[k]
  return wrk.format("GET", "/miss", headers)
end
function response(status, headers, body)
  local known = status == 401 or status == 403 or status == 502
  if status == 200 then known = body == "" or string.sub(body, 1, 10) == "Bearer eyJ" end
  if not known then wrong = wrong + 1 end
end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency)
  local all = 0
  for _, thread in ipairs(threads) do all = all + thread:get("wrong") end
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, all, e.connect, e.read, e.write, e.timeout))
end
END

my $wrk = (grep { -x } map { "$_/wrk" } split /:/, $ENV{PATH})[0] // die "wrk is not installed (apt-get install wrk)\n";

sub start_load {
    my (%option) = @_;
    my $work = temporary_folder();
    open my $out, '>', "$work/mix.lua" or die $!;
    print {$out} $MIX;
    close $out;
    my $load = { out => "$work/out" };
    $load->{pid} = spawn(
        [$wrk, '-t1', '-c' . ($option{connections} // 16), "-d$option{seconds}s", '--timeout', patience(10) . 's', '-s',
         "$work/mix.lua", 'http://127.0.0.1:' . $gateway->port],
        out => $load->{out}
    );
    return $load;
}

sub end_load {
    my ($load) = @_;
    waitpid $load->{pid}, 0;
    open my $in, '<', $load->{out} or die $!;
    my $text = do { local $/ = undef; <$in> };
    my ($requests, $wrong, @errors) = $text =~ /^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m or die "wrk: $text\n";
    return { requests => $requests, wrong => $wrong, errors => "@errors", text => $text };
}

sub under_load { my $load = start_load(@_); return end_load($load) }

# --- memory ----------------------------------------------------------------------------------------------------------

sub digest { my ($file) = @_; open my $in, '<:raw', $file or die; local $/ = undef; return sha256_hex(<$in>) }

{
    my $configuration = digest($gateway->folder . '/nginx.conf');
    my $count  = $SLOW || $SANITIZED ? 3_000 : 100_000;
    my ($pid)  = $gateway->workers;
    under_load(seconds => $SLOW ? 20 : 2);
    my $before = $gateway->rss($pid);
    my ($total, $wrong, $rounds) = (0, 0, 0);
    while ($total < $count && $rounds++ < 200) { # a busy machine needs many
        my $run = under_load(seconds => $SLOW ? 20 : 2);
        $total += $run->{requests};
        $wrong += $run->{wrong};
        is $run->{errors}, '0 0 0 0', "memory: round $rounds: no failed request" or diag $run->{text};
    }
    my $after = $gateway->rss($pid);
    cmp_ok $total, '>=', $count, "memory: $total requests of all kinds";
    is $wrong, 0, 'memory: every answer was one that may be';
    is_deeply [$gateway->workers], [$pid], 'memory: one worker all the time';
    # A leak of 8 bytes in each request would show as 800 KiB.
    cmp_ok $after - $before, '<', $SLOW ? 20_000 : 700,
        "memory of the worker is flat over $total requests: $before KiB, then $after KiB" if !$SANITIZED;
    is digest($gateway->folder . '/nginx.conf'), $configuration, 'the configuration file is unchanged';
    check_kind("after the load: $_->[0]", $_, $gateway->request(%{ $_->[1] })) for @kinds;
}

# --- reloads ---------------------------------------------------------------------------------------------------------

{
    my $reloads = $SLOW ? 3 : 20;
    my $load    = start_load(seconds => $SLOW ? 60 : 6);
    my ($failed, @memory) = (0);
    for my $n (1 .. $reloads) {
        $failed++ if $gateway->reload ne '';
        push @memory, $gateway->rss($gateway->pid);
        sleep 0.05;
    }
    is $failed, 0, "$reloads reloads under load";
    my $result = end_load($load);
    cmp_ok $result->{requests}, '>', $SANITIZED ? $reloads : $reloads * 10,
        "reloads under load: $result->{requests} requests";
    is $result->{wrong}, 0, 'reloads under load: every answer was one that may be';
    # wrk counts what nginx closes between two requests as an error of reading and connects anew.
    is join(' ', (split / /, $result->{errors})[0, 3]), '0 0',
        'reloads under load: no connection refused, none timed out' or diag $result->{text};
    cmp_ok $memory[-1] - $memory[$#memory / 2], '<', $SLOW ? 20_000 : 300, 'no leak in the master: ' . join ' ', @memory
        if !$SANITIZED;
    ok until_true(patience(5), sub { !$gateway->workers(leaving => 1) }), 'reloads: the old workers have gone';
    check_kind("after the reloads: $_->[0]", $_, $gateway->request(%{ $_->[1] })) for @kinds;

    like $gateway->reload(protected => '', locations => 'phantom_token on; location / { proxy_pass http://%%API%%; }'),
        qr/phantom_token/, 'a reload that nginx refuses';
    is $gateway->reload(%parts), '', 'a reload that it does not';
    check_kind("after a refused reload: $_->[0]", $_, $gateway->request(%{ $_->[1] })) for @kinds;
}

# Requests that are under way when the configuration is replaced end with the old one.
{
    $as->answers('under-way-token' => { hold => 'reload', jwt => { sub => 'under way' } });
    $_->forget_requests for $as, $api;
    my @clients = map {
        my $client = $gateway->connect;
        $client->send(Harness::Client::request_bytes({ path => '/held', token => 'under-way-token' }));
        $client
    } 1 .. 5;
    $as->wait_for_requests(5);
    is $gateway->reload, '', 'a reload while the AS is asked';
    is $gateway->get('/hit', token => 'alice-token')->status, 200,
        'a reload while the AS is asked: the new worker serves';
    $as->release('reload');
    is join(' ', map { $_->response->status } @clients), '200 200 200 200 200',
        'a reload while the AS is asked: those requests end well';
    is_deeply [map { $_->header('Authorization') } $api->requests], [('Bearer ' . $as->jwt_for('under-way-token')) x 5],
        'a reload while the AS is asked: the API sees the JWT';
    $_->close for @clients;
    ok until_true(patience(5), sub { !$gateway->workers(leaving => 1) }),
        'a reload while the AS is asked: the old worker has gone';
}

# --- workers that end ------------------------------------------------------------------------------------------------

sub waiting {
    my ($count) = @_;
    $as->answers('lost-token' => { hold => 'lost', jwt => { sub => 'lost' } });
    $_->forget_requests for $as, $api;
    my @clients = map {
        my $client = $gateway->connect;
        $client->send(Harness::Client::request_bytes({ path => '/held', token => 'lost-token' }));
        $client
    } 1 .. $count;
    $as->wait_for_requests($count);
    return @clients;
}

{
    my @clients = waiting(4);
    my ($old)   = $gateway->workers;
    # What the killed worker held in the cache stays so: nginx says it when the entry has become inactive.
    $gateway->announce(qr/exited on signal 9/, qr/ignore long locked inactive cache entry/);
    kill KILL => $old;
    is scalar(grep { !defined eval { $_->response } } @clients), 4,
        'a worker killed while the AS is asked: the connections end';
    ok until_true(patience(5), sub { my ($new) = $gateway->workers; $new && $new != $old }),
        'a worker killed: there is another';
    check_kind("a worker killed: $_->[0]", $_, $gateway->request(%{ $_->[1] })) for @kinds;
    is scalar(my @seen = $api->requests), 0, 'a worker killed: the API saw nothing';
    $_->close for @clients;
}

{
    is $gateway->reload(main => 'worker_shutdown_timeout 300ms;'), '', 'worker_shutdown_timeout';
    my @clients = waiting(4);
    my ($old)   = $gateway->workers;
    my $start   = time;
    is $gateway->reload, '', 'worker_shutdown_timeout: reload while the AS is asked';
    ok until_true(patience(5), sub { !alive($old) }), 'worker_shutdown_timeout: the old worker ends';
    is scalar(grep { defined eval { $_->response } } @clients), 0,
        'worker_shutdown_timeout: the connections end without a response';
    is scalar(my @seen = $api->requests), 0, 'worker_shutdown_timeout: the API saw nothing';
    $_->close for @clients;
    check_kind("worker_shutdown_timeout: $_->[0]", $_, $gateway->request(%{ $_->[1] })) for @kinds;
    $as->release('lost');
}

# --- the binary is replaced ------------------------------------------------------------------------------------------

{
    my $load = start_load(seconds => $SLOW ? 30 : 2);
    $gateway->upgrade;
    my $result = end_load($load);
    is $result->{wrong}, 0, 'upgrade under load: every answer was one that may be';
    is join(' ', (split / /, $result->{errors})[0, 3]), '0 0',
        'upgrade under load: no connection refused, none timed out' or diag $result->{text};
    check_kind("after the upgrade: $_->[0]", $_, $gateway->request(%{ $_->[1] })) for @kinds;
}

done_testing;
