# Modules that delay a request (limit_req with a burst and without nodelay, a sleep of lua) in the introspection
# location. They count on the connection's events, of which a subrequest within an SSI page would see none.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Http2;

my $lua = $ENV{NGINX_BINARY} ? '' : 'load_module /usr/lib/nginx/modules/ndk_http_module.so; '
    . 'load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;';
my $sleep = $lua
    ? 'location = /_sleep { internal; rewrite_by_lua_block { ngx.sleep(0.1) } proxy_pass http://%%AS%%/introspect; }'
    : '';

my $gateway = gateway(
    main => $lua,
    http => 'limit_req_zone $server_name zone=all:1m rate=20r/s;',
    server => q{
        listen 127.0.0.1:%%PORT:tls%% ssl;
        listen 127.0.0.1:%%PORT:h2%% http2;
        ssl_certificate %%TLS%%/server.pem;
        ssl_certificate_key %%TLS%%/server.key;
        phantom_token_introspection_endpoint /_introspect;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    },
    locations => qq{
        location /           { phantom_token on; proxy_pass http://%%API%%; }
        location /sleep/     { phantom_token on; phantom_token_introspection_endpoint /_sleep;
                               proxy_pass http://%%API%%; }
        location /open/      { proxy_pass http://%%API%%; }
        location /ssi/       { ssi on; ssi_types *; proxy_pass http://%%API%%; }
        location = /_introspect { internal; limit_req zone=all burst=100; proxy_pass http://%%AS%%/introspect; }
        $sleep
    },
);
my ($as, $api) = ($gateway->as, $gateway->api);
my $jwt = jwt({ sub => 'alice' });
$as->answers('delayed-token' => { jwt => $jwt });

sub page {
    my (@parts) = @_;
    return {
        body => 'begin ' . join(' ', map { qq{<!--# include virtual="$_" -->} } @parts) . ' end',
        headers => ['Content-Type: text/html']
    };
}

my %pages = (
    '/ssi/one'     => page('/part/1'),
    '/ssi/several' => page(map { "/part/$_" } 1 .. 6),
    '/ssi/open'    => page('/open/1', '/part/1', '/open/2', '/part/2', '/open/3'),
    '/ssi/nested'  => page('/part/1', '/ssi/several', '/ssi/one', '/part/2'),
    '/ssi/deep'    => page('/ssi/nested', '/open/1', '/ssi/open'),
    $lua ? ('/ssi/sleep' => page('/sleep/1', '/part/1', '/sleep/2', '/sleep/3')) : (),
);
$api->answers(%pages);

# The numbers of parts below each page, by which they are known to have come.
my %parts = (
    '/ssi/one' => 1, '/ssi/several' => 6, '/ssi/open' => 2, '/ssi/nested' => 9, '/ssi/deep' => 11, '/ssi/sleep' => 4
);

sub complete {
    my ($name, $status, $body, $page) = @_;
    is $status, 200, "$name: answered";
    like $body, qr/^begin .* end$/s, "$name: to its end";
    my @seen = grep { $_->{uri} =~ m{^/(?:part|sleep)/} } $api->requests;
    is scalar(grep { ($_->header('Authorization') // '') eq "Bearer $jwt" } @seen), $parts{$page},
        "$name: all its parts";
    $api->forget_requests;
    return;
}

for my $page (sort keys %pages) {
    my $connection = $gateway->connect;
    for my $turn (1, 2) {
        my $response = $connection->get($page, token => 'delayed-token');
        complete("$page ($turn)", $response->status, $response->body, $page);
    }
    is $connection->finish, '', "$page: nothing follows";

    my $response = $gateway->get($page, token => 'delayed-token', tls => 1, port => 'tls', http2 => 1);
    complete("$page, TLS", $response->status, $response->body, $page);

    my $http2   = Harness::Http2->new($gateway->port('h2'));
    my ($one)   = $http2->answers($http2->start(path => $page, token => 'delayed-token'));
    complete("$page, HTTP/2", $one->{status}, $one->{body}, $page);
    $http2->end;
}

{
    # The delay is the subrequest's own: a part that the API takes its time with does not hold up a later one's call.
    $api->answers('/ssi/held' => page('/open/held', '/part/1'), '/open/held' => { hold => 'part', body => 'held' });
    $gateway->get('/part/0', token => 'delayed-token') for 1 .. 2; # so that the next one is delayed
    $_->forget_requests for $as, $api;
    my $connection = $gateway->connect;
    $connection->send("GET /ssi/held HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer delayed-token\r\n\r\n");
    ok until_true(patience(5), sub { scalar grep { $_->{uri} eq '/part/1' } $api->requests }),
        'beside a slow part: the delayed one goes on';
    $api->release('part');
    like $connection->response('GET')->body, qr/^begin held .* end$/s, 'beside a slow part: the page';
    is $connection->finish, '', 'beside a slow part: nothing follows';
}
{
    # A client's own request, and one whose client goes while it is delayed.
    my @connections = map { $gateway->connect } 1 .. 10;
    $_->send("GET /part/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer delayed-token\r\n\r\n") for @connections;
    $_->reset for splice @connections, 0, 5;
    is_deeply [map { $_->response('GET')->status } @connections], [(200) x 5], 'requests of clients, of whom some go';
    $_->close for @connections;
}

done_testing;
