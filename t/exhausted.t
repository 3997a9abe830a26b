# What the gateway stands on runs out: file descriptors, connections, the disk; or comes and goes. A request gets its
# own JWT to the API, or a refusal, and when there is enough again, all is as before.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Time::HiRes qw(sleep time);

my $cache =
    'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;';

# Many requests at once, each [path, token]: connections that wait for their response. Some may get no connection.
sub send_all {
    my ($gateway, @requests) = @_;
    my @clients;
    for my $request (@requests) {
        my $client = eval { $gateway->connect } // next;
        $client->send(Harness::Client::request_bytes({ path => $request->[0], token => $request->[1] }));
        push @clients, $client;
    }
    return @clients;
}

sub statuses {
    my (@clients) = @_;
    return map { my $client = $_; (eval { $client->response->status }) // 'closed' } @clients;
}

# What the API saw: each JWT that of its path's token.
sub astray {
    my ($api, %jwt) = @_;
    return grep { ($_->header('Authorization') // '') ne 'Bearer ' . ($jwt{ $_->{uri} } // 'nothing') } $api->requests;
}

sub only_own_or_refused {
    my ($name, $gateway, $clients, %jwt) = @_;
    my @statuses = statuses(@{$clients});
    my %count;
    $count{$_}++ for @statuses;
    my $text = join ', ', map { "$count{$_} x $_" } sort keys %count;
    is scalar(grep { !/^(?:200|5\d\d|closed)$/ } @statuses), 0, "$name: $text" or diag "@statuses";
    is scalar(my @wrong = astray($gateway->api, %jwt)), 0, "$name: the API saw nothing but what belongs there";
    $_->close for @{$clients};
    return %count;
}

# --- file descriptors and connections --------------------------------------------------------------------------------

SKIP: for my $limit (
    { what => 'connections', part => { connections => 24 }, says => qr/worker_connections are not enough/ },
    { what => 'file descriptors', part => { main => 'worker_rlimit_nofile 30;' }, says => qr/Too many open files/ },
) {
    my ($what, $says) = @{$limit}{qw(what says)};
    skip 'file descriptors: valgrind lets no process limit them', 9
        if $limit->{part}{main} && $ENV{PHANTOM_TOKEN_WRAPPER};
    my $gateway = gateway(
        %{ $limit->{part} },
        locations => qq{
            location /plain  { phantom_token on; phantom_token_introspection_endpoint /_plain;
                               proxy_pass http://%%API%%; }
            location /cached { phantom_token on; phantom_token_introspection_endpoint /_cached;
                               proxy_pass http://%%API%%; }
            location = /_plain  { internal; proxy_pass http://%%AS%%/introspect; }
            location = /_cached { internal; proxy_pass http://%%AS%%/introspect; $cache }
        },
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m use_temp_path=off;',
    );
    my ($as, $api) = ($gateway->as, $gateway->api);
    $gateway->announce($says, qr/Too many open files/, qr/worker_connections are not enough/);
    $as->answers('alice-token' => { jwt => { sub => 'alice' } }, 'bob-token' => { jwt => { sub => 'bob' } },
        'held-token' => { hold => "gate $what", jwt => { sub => 'held' } });
    my %jwt = (
        '/plain' => $as->jwt_for('alice-token'), '/cached' => $as->jwt_for('bob-token'),
        '/plain/held' => $as->jwt_for('held-token')
    );
    is $gateway->get('/cached', token => 'bob-token')->status, 200, "$what: before";

    # Requests that wait for the AS hold two each, until there is room for no more; then cached ones and new ones come.
    my @held = send_all($gateway, (['/plain/held', 'held-token']) x 11);
    my @more = send_all($gateway, map { (['/cached', 'bob-token'], ['/plain', 'alice-token']) } 1 .. 6);
    ok $gateway->log->wait_for($says, 0, 3), "$what: they did run out";
    $as->release("gate $what");
    only_own_or_refused("$what, those that waited", $gateway, \@held, %jwt);
    only_own_or_refused("$what, those that came then", $gateway, \@more, %jwt);

    my $again = until_true(patience(5), sub {
        (eval { $gateway->get('/plain', token => 'alice-token')->status } // 0) == 200;
    });
    ok $again, "$what: afterwards all is well";
    is $gateway->get('/cached', token => 'bob-token')->status, 200, "$what: afterwards, cached";
    is $gateway->get('/cached', token => 'unknown-token')->status, 401, "$what: afterwards, refused";
}

# --- the disk --------------------------------------------------------------------------------------------------------

# A small file system of its own, or nothing where this user may not mount one.
sub small_disk {
    my ($folder) = @_;
    mkdir $folder;
    return if run(['mount', '-t', 'tmpfs', '-o', 'size=128k,mode=0777', 'tmpfs', $folder])->{code};
    return $folder;
}

SKIP: {
    my $disk = small_disk(temporary_folder() . '/disk');
    skip 'a full disk: this user may not mount a small one (t/cache.t has a limit on the size of files in its place)', 1
        if !$disk;
    my $mounted = $$;
    END { run(['umount', '--lazy', $disk]) if $disk && $mounted == $$ }
    my $gateway = gateway(
        http => "proxy_cache_path $disk/cache keys_zone=tokens:1m use_temp_path=off;",
        introspection => $cache, protected => "client_body_buffer_size 1k; client_body_temp_path $disk/bodies;",
        log_level => 'error',
    );
    my ($as, $api) = ($gateway->as, $gateway->api);
    $gateway->announce(qr/No space left on device/, qr/has written only/);
    $as->answers(map { ("disk-$_-token" => { jwt => { sub => "disk $_", pad => 'p' x 9000 } }) } 1 .. 30);
    for my $round (1 .. 2) {
        my %seen;
        for my $n (1 .. 30) {
            $api->forget_requests;
            my $response = $gateway->get("/$n", token => "disk-$n-token", timeout => patience(5));
            $seen{ $response->status }++;
            my @sent = map { $_->header('Authorization') } $api->requests;
            my @right = $response->status == 200 ? 'Bearer ' . $as->jwt_for("disk-$n-token") : ();
            is "@sent", "@right", "a full disk, round $round: token $n: its own JWT or none";
        }
        is join(' ', grep { !/^(?:200|5\d\d)$/ } keys %seen), '', "a full disk, round $round: " . join ', ',
            map { "$seen{$_} x $_" } sort keys %seen;
    }
    ok $gateway->log->wait_for(qr/No space left on device/), 'a full disk: it was full';
    my $upload = $gateway->post('/upload', 'x' x 200_000, token => 'disk-1-token');
    like $upload->status, qr/^(?:200|5\d\d)$/, 'a full disk: an upload ends';
    unlink glob "$disk/cache/*";
    is $gateway->get('/after', token => 'disk-30-token')->status, 200, 'a full disk: and with room again';
}

# --- an AS that comes and goes ---------------------------------------------------------------------------------------

{
    my $gateway = gateway(
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; upstream as { '
            . 'server %%AS%% max_fails=0; keepalive 8; }',
        log_level => 'crit',
        locations => qq{
            location /plain  { phantom_token on; phantom_token_introspection_endpoint /_plain;
                               proxy_pass http://%%API%%; }
            location /cached { phantom_token on; phantom_token_introspection_endpoint /_cached;
                               proxy_pass http://%%API%%; }
            location = /_plain  { internal; proxy_pass http://as/introspect; proxy_http_version 1.1;
                                  proxy_set_header Connection ""; }
            location = /_cached { internal; proxy_pass http://as/introspect; $cache }
        },
    );
    my ($as, $api) = ($gateway->as, $gateway->api);
    $as->answers(
        'alice-token' => { delay => 0.02, jwt => { sub => 'alice' } }, 'bob-token' => { jwt => { sub => 'bob' } }
    );
    my %jwt = ('/plain' => $as->jwt_for('alice-token'), '/cached' => $as->jwt_for('bob-token'));
    is $gateway->get('/cached', token => 'bob-token')->status, 200, 'flapping: before';
    my (%plain, %cached);
    for my $turn (1 .. 8) {
        my @plain = send_all($gateway, (['/plain', 'alice-token']) x 6);
        $turn % 2 ? $as->stop : $as->resume;
        my @cached = send_all($gateway, (['/cached', 'bob-token']) x 3);
        push @plain, send_all($gateway, (['/plain', 'alice-token']) x 3);
        $plain{$_}++  for statuses(@plain);
        $cached{$_}++ for statuses(@cached);
        $_->close for @plain, @cached;
    }
    is join(' ', grep { !/^(?:200|502|504)$/ } keys %plain), '', 'flapping, not cached: ' . join ', ',
        map { "$plain{$_} x $_" } sort keys %plain;
    is join(' ', sort keys %cached), '200', 'flapping, cached: always';
    is scalar(my @wrong = astray($api, %jwt)), 0, 'flapping: the API saw nothing but what belongs there';
    cmp_ok $plain{$_} // 0, '>', 0, "flapping: there was $_" for 200, 502;
    is $gateway->get('/plain', token => 'alice-token')->status, 200, 'flapping: afterwards';
}

done_testing;
