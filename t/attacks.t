# Attacks that were tried on the gateway and got through once: each stays here, with what must come of it.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Http2;

my $gateway = gateway(
    server    => 'error_page 400 = @any; listen 127.0.0.1:%%PORT:h2%% http2;',
    locations => <<'END',
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
        location @any {
            phantom_token on; phantom_token_introspection_endpoint /_introspect;
            satisfy any; allow all;
            proxy_pass http://%%API%%;
        }
        location /granted { phantom_token on; phantom_token_introspection_endpoint /_introspect; satisfy any; allow all;
                            proxy_pass http://%%API%%; }
        location /ws {
            phantom_token on; phantom_token_introspection_endpoint /_introspect;
            proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
            proxy_pass http://%%API%%;
        }
        location /varying {
            phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
            phantom_token_jwks_endpoint /_jwks?at=$request_id$msec$connection_requests;
            proxy_pass http://%%API%%;
        }
        location /chosen { phantom_token on; phantom_token_introspection_endpoint $http_x_as;
                           proxy_pass http://%%API%%; }
        location /slow {
            phantom_token on; phantom_token_introspection_endpoint /_slow; phantom_token_response_timeout 1s;
            proxy_pass http://%%API%%;
        }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_slow { internal; proxy_limit_rate 200; proxy_pass http://%%AS%%/introspect; }
END
);
my $as = $gateway->as;
$as->answers('good-token' => { jwt => { sub => 'alice' } });
my $forged    = jwt({ sub => 'admin', aud => 'api' });
my @preflight = ('Origin: https://app.example', 'Access-Control-Request-Method: GET');

# nginx answers two Authorization headers with 400, but its error_page for that runs with both of them in the list.
for my $first ('Bearer good-token', 'Basic eA==', 'Bearer gone-token') {
    for my $method ('GET', 'OPTIONS') {
        my $name = "two Authorization headers and an error_page for nginx's 400, $first first, $method";
        $gateway->api->forget_requests;
        my $response = $gateway->request(method => $method, path => '/x',
            headers => ["Authorization: $first", "Authorization: Bearer $forged", @preflight]);
        cmp_ok $response->status, '>=', 400, "$name: refused";
        is scalar(my @seen = $gateway->api->requests), 0, "$name: the API saw nothing";
    }
}

# Under `satisfy any`, an unchecked token behind white space that nginx leaves before a value and the API takes away.
my %shown = ("\t" => 'a TAB', " \t" => 'a blank and a TAB', ' ' => 'a blank', 'Basic eA==, ' => 'another credential');
for my $before (sort keys %shown) {
    for my $port ('', 'h2') {
        my $name = "satisfy any: a token behind $shown{$before}, " . ($port ? 'HTTP/2' : 'HTTP/1.1');
        $gateway->api->forget_requests;
        my $status = $port ? by_http2("${before}Bearer gone-token") : $gateway->get(
            '/granted', headers => ["Authorization:${before}Bearer gone-token"]
        )->status;
        is $status, 200, "$name: passes, as without one";
        is_deeply [map { $_->header('Authorization') } $gateway->api->requests], [undef],
            "$name: the API does not get it";
    }
}

sub by_http2 {
    my ($authorization) = @_;
    my $connection = Harness::Http2->new($gateway->port('h2'));
    my $stream = $connection->start(path => '/granted', fields => [[authorization => $authorization]]);
    return ($connection->answers($stream))[0]{status};
}

# A preflight that passes must not be a tunnel.
$gateway->api->forget_requests;
is $gateway->request(
    method => 'OPTIONS', path => '/ws', headers => ['Upgrade: websocket', 'Connection: Upgrade', @preflight]
)->status, 401, 'a preflight with an Upgrade is a request as any other';
is scalar(my @tunnelled = $gateway->api->requests), 0, 'and the API saw nothing';

# An endpoint without a path: nginx takes no URI to be empty.
for my $endpoint ('?', '?a=b', '@any') {
    is $gateway->get('/chosen', token => 'good-token', headers => ["X-AS: $endpoint"])->status, 500,
        "an endpoint that evaluates to $endpoint";
}
is scalar(grep { /its variables give no URI/ } $gateway->log->lines), 3, 'none of them makes a subrequest';

# An endpoint whose value is another at each reading.
$as->forget_requests;
my $response = $gateway->get('/varying', token => $forged);
is $response->status, 503, 'a JWKS endpoint that varies within a request: the request ends';
cmp_ok scalar(my @asked = $as->requests), '<=', 3, 'and asks three times at most';

# A response that nginx reads slowly (proxy_limit_rate) ends in time, too.
# for minutes
$as->answers(
    'drip-token' => { jwt => { sub => 'alice', filler => 'x' x 2000 }, split => 2, drip => 0.15, framing => 'chunked' }
);
my $start = time;
is $gateway->get('/slow', token => 'drip-token')->status, 504, 'a slow drip under proxy_limit_rate is cut off';
cmp_ok time - $start, '<=', 4 * patience(1), 'in time';
$gateway->announce(qr/upstream timed out/) if $gateway->can('announce');

done_testing();
