# phantom_token_response_timeout: from the start of the subrequest to the end of the answer, whatever the subrequest
# waits for.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Http2;
use Time::HiRes qw(sleep time);

my $lua = $ENV{NGINX_BINARY} ? '' : 'load_module /usr/lib/nginx/modules/ndk_http_module.so; '
    . 'load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;';

# A name server that never answers.
my $silent = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die "no UDP socket: $!";
my $dns    = $silent->sockhost . ':' . $silent->sockport;

# Introspection locations, by the state in which each of them waits until somebody ends it. nginx's own timeouts are a
# minute.
my $as_is = 'proxy_pass http://%%AS%%/introspect;';
my $cache =
    'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 10m;';
my %asks  = (
    plain      => $as_is,
    unbuffered => "$as_is proxy_buffering off;",
    cached     => "$as_is $cache",
    lock       => "$as_is $cache proxy_cache_lock on; proxy_cache_lock_timeout 1m; proxy_cache_lock_age 1m;",
    threads    => "$as_is $cache aio threads; sendfile off;",
    resolving  => "resolver $dns; set \$name as.invalid; proxy_pass http://\$name:%%AS%%/introspect;" =~ s/:%%AS%%//r,
    delayed    => "$as_is limit_req zone=slow burst=100;",
    retries    => 'proxy_pass http://several/introspect; proxy_read_timeout 300ms; '
        . 'proxy_next_upstream error timeout non_idempotent;',
    ignoring   => "$as_is proxy_ignore_client_abort on;",
    limited    => "$as_is proxy_limit_rate 10;",
    redirected => 'rewrite ^ /_plain last;',
    $lua ? (asleep => "rewrite_by_lua_block { ngx.sleep(3) } $as_is") : (),
);
my $locations = '';
for my $name (sort keys %asks) {
    $locations .= "location /$name { phantom_token on; phantom_token_introspection_endpoint /_$name; "
        . "proxy_pass http://%%API%%; }\n";
    $locations .= "location /long/$name { phantom_token on; phantom_token_response_timeout 1m; "
        . "phantom_token_introspection_endpoint /_$name; proxy_pass http://%%API%%; }\n";
    $locations .= "location = /_$name { internal; $asks{$name} }\n";
}

my $gateway = gateway(
    main => $lua,
    http => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:10m use_temp_path=off;
        limit_req_zone $server_name zone=slow:1m rate=1r/m;
        phantom_token_hot_cache zone=hot:1m valid=1m;
        upstream several { server %%AS%% max_fails=0; server %%AS%% max_fails=0; server %%AS%% max_fails=0;
                           server %%AS%% max_fails=0; server %%AS%% max_fails=0; server %%AS%% max_fails=0; }
    },
    server => q{
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token_introspection_endpoint /_plain;
        phantom_token_response_timeout 500ms;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    },
    log       => { cache => 'phantom_token_cache' },
    locations => $locations . q{
        location /          { phantom_token on; phantom_token_response_timeout 1m; proxy_pass http://%%API%%; }
        location /hot       { phantom_token on; phantom_token_hot_cache hot; proxy_pass http://%%API%%; }
        location /hot/long  { phantom_token on; phantom_token_hot_cache hot; phantom_token_response_timeout 1m;
                              proxy_pass http://%%API%%; }
        location /exchange  { phantom_token on; phantom_token_exchange_endpoint /_exchange; proxy_pass http://%%API%%; }
        location /verified  { phantom_token on; phantom_token_introspection_endpoint /_plain;
                              phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks;
                              proxy_pass http://%%API%%; }
        location /ssi       { ssi on; ssi_types *; proxy_pass http://%%API%%; }
        location /drip      { phantom_token on; phantom_token_response_timeout 1m;
                              phantom_token_introspection_endpoint /_drip; proxy_pass http://%%API%%; }
        location = /_drip     { internal; proxy_pass http://%%AS%%/introspect; proxy_read_timeout 2s; }
        location = /_exchange { internal; proxy_pass http://%%AS%%/token; }
        location = /_jwks     { internal; proxy_pass http://%%AS%%/jwks; }
    },
);
my ($as, $api) = ($gateway->as, $gateway->api);
my $number = 0;
sub token {
    my (@answers) = @_;
    my $token = 'timed-token-' . ++$number;
    $as->answers($token => [@answers]);
    return $token;
}

my @head = ("HTTP/1.1 200 OK\r\n", "Content-Type: application/jwt\r\n");
my %slow = (
    'silence'            => { raw => [['hang']] },
    'a header that drips' => { raw => [$head[0], map { ("X-$_: y\r\n", [sleep => 0.05]) } 1 .. 1_000] },
    'silence within the body' => { raw => [@head, "Content-Length: 100\r\n\r\neyJ", ['hang']] },
    'a body that drips' => { jwt => { sub => 'slow', pad => 'p' x 800 }, split => 1, drip => 0.05 },
    'a body in chunks that drips' => { jwt => { sub => 'slow', pad => 'p' x 800 }, split => 1, drip => 0.05,
                                       framing => 'chunked' },
);

sub timed_out {
    my ($name, $response) = @_;
    is $response->status, 504, "$name: 504";
    check_refusal($response);
    is $gateway->logged($response)->{outcome}, 'as_timeout', "$name: outcome";
    return;
}

# All at once, since each takes its time. The connection goes on afterwards.
{
    # the next one is delayed for a minute
    $gateway->get('/long/delayed', token => token({ jwt => { sub => 'first' } }));
    my $first = token({ hold => 'lock', jwt => { sub => 'first' } });
    my $holder = $gateway->connect;
    $holder->send(Harness::Client::request_bytes({ path => '/long/lock', token => $first })); # has the lock
    $as->wait_for_requests(2);
    $api->forget_requests;

    my @waiting;
    for my $path (sort keys %asks) {
        next if $path eq 'lock';
        my %answers = $path =~ /^(?:plain|unbuffered|cached|threads|redirected)$/ ? %slow : (silence => $slow{silence});
        $answers{answer} = { jwt => { sub => 'late' } } if $path =~ /^(?:asleep|delayed|resolving)$/;
        push @waiting, map {
            { name => "/$path, $_", path => "/$path",
              token => token(($answers{$_}) x ($path eq 'retries' ? 6 : 1), { jwt => { sub => 'good' } }) }
        } sort keys %answers;
    }
    push @waiting, { name => 'the lock of the cache', path => '/lock', token => $first };
    push @waiting, { name => 'exchange', path => '/exchange', token => token({ raw => [['hang']] }) };
    for my $waiting (@waiting) {
        $waiting->{connection} = $gateway->connect;
        $waiting->{connection}->send(
            Harness::Client::request_bytes({ path => $waiting->{path}, token => $waiting->{token} })
        );
    }
    for my $waiting (@waiting) {
        subtest $waiting->{name} => sub {
            timed_out($waiting->{name}, scalar $waiting->{connection}->response('GET'));
            # What lua holds is not ours to end: the connection is closed when it lets go.
            return if $waiting->{path} eq '/asleep';
            is $waiting->{connection}->get('/', token => token({ jwt => { sub => 'next' } }))->status, 200,
                'the next request on the connection';
            is $waiting->{connection}->finish, '', 'nothing follows';
        };
    }
    is_deeply [grep { $_ ne '/' } map { $_->{uri} } $api->requests], [], 'the API sees none of them';
    $as->release('lock');
    is $holder->response('GET')->status, 200, 'who has the lock goes on';
    $holder->close;
    is $gateway->get('/long/cached', token => $_->{token})->status, 200, "$_->{name}: nothing of it is in the cache"
        for grep { $_->{path} eq '/cached' && $_->{name} =~ /body/ } @waiting;
}

{
    my $key = rsa_key('k1');
    $as->answers('/jwks' => [{ raw => [['hang']] }, { json => jwks($key) }]);
    my $token = token({ jwt => jwt({ sub => 'alice' }, key => $key) });
    my $response = $gateway->get('/verified', token => $token);
    is $response->status, 503, 'JWKS: no keys in time';
    $gateway->announce(qr/the JWK Set cannot be used/);
    ok until_true(patience(10), sub { $gateway->get('/verified', token => $token)->status == 200 }),
        'JWKS: the next fetch';
}

{
    my $http2   = Harness::Http2->new($gateway->port('h2'));
    my @streams = map { $http2->start(path => '/plain', token => token($slow{$_})) } sort keys %slow;
    is_deeply [map { $_->{status} } $http2->answers(@streams)], [(504) x @streams], 'HTTP/2';
    is [$http2->answers($http2->start(path => '/', token => token({ jwt => { sub => 'next' } })))]->[0]{status}, 200,
        'HTTP/2: the next stream';
    $http2->end;
}

{
    $api->answers(
        '/ssi' => { body => 'begin <!--# include virtual="/plain/1" --> <!--# include virtual="/cached/2" --> end',
                    headers => ['Content-Type: text/html'] }
    );
    my $connection = $gateway->connect;
    like $connection->get('/ssi', token => token({ raw => [['hang']] }))->body, qr/^begin .* end$/s,
        'parts of a page: to its end';
    is $connection->finish, '', 'parts of a page: nothing follows';
}

{
    # Pieces that come within proxy_read_timeout, and all of them later than that.
    my $jwt   = jwt({ sub => 'drip' });
    my $token = token({ type => 'application/jwt', body => $jwt, split => int(length($jwt) / 9) + 1, drip => 0.35 });
    is $gateway->get('/drip', token => $token)->status, 200, 'a body that takes longer than proxy_read_timeout is good';
    timed_out('proxy_read_timeout holds as ever',
        scalar $gateway->get('/drip', token => token({ raw => [@head, "Content-Length: 100\r\n\r\neyJ", ['hang']] })));
}

{
    # One who waits for another's call does not wait with that one's patience.
    my $token = token({ raw => [['hang']] }, { raw => [['hang']] }, { jwt => { sub => 'recovered' } });
    my $patient = $gateway->connect;
    $as->forget_requests;
    $patient->send(Harness::Client::request_bytes({ path => '/hot/long', token => $token }));
    $as->wait_for_requests(1);
    timed_out('a short wait for a long call', scalar $gateway->get('/hot', token => $token));
    is $gateway->get('/hot/long', token => $token)->status, 200, 'a short wait for a long call: the next one';
    $patient->close;
}
{
    # And a hot answer needs no time.
    my $token = token({ jwt => { sub => 'hot' } });
    is $gateway->get('/hot/long', token => $token)->status, 200, 'hot cache';
}
{
    # Clients that go while their calls run into the time limit.
    my @connections = map { $gateway->connect } 1 .. 20;
    $_->send(
        Harness::Client::request_bytes(
            { path => (qw(/plain /cached /ignoring /redirected))[int rand 4], token => token({ raw => [['hang']] }) }
        )
    ) for @connections;
    for my $connection (@connections) {
        sleep 0.04;
        $connection->reset;
    }
    is $gateway->get('/', token => token({ jwt => { sub => 'next' } }))->status, 200, 'clients that go';
}

configurations(
    (map {
        { name => "phantom_token_response_timeout $_", protected => "phantom_token_response_timeout $_;", accepts => 1 }
    } '1ms', '500ms', '10', '60s', '1m 30s' =~ s/ //r, '1h'),
    (map {
        { name => "phantom_token_response_timeout $_", protected => "phantom_token_response_timeout $_;",
          refuses => qr/"phantom_token_response_timeout" of location "\/" must be a time of at least 1ms/ }
    } '0', '0s', '0ms', '-1', 'soon', '""'),
    { name => 'twice', protected => 'phantom_token_response_timeout 1s; phantom_token_response_timeout 2s;',
      refuses => qr/"phantom_token_response_timeout" directive is duplicate/ },
);

done_testing;
