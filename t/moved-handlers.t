# Modules that want to be the last of the access phase (srcache here, lua does the same) move its handlers when they first
# run in a worker. A request that is waiting in the gateway's handler then goes on behind it. It must not go on unchecked.

use strict;
use warnings;
use lib 't/lib';
use Harness;

if ($ENV{NGINX_BINARY}) { plan skip_all => 'srcache is there for Debian\'s nginx alone, and NGINX_BINARY names another' }

my $number = 0;

# A new worker, a request that waits for the authorization server, and one that makes srcache move the handlers.
sub overtaken {
    my ($protected, $answer) = @_;
    my $token   = 'moved-token-' . ++$number;
    my $gateway = gateway(
        main      => 'load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_srcache_filter_module.so;',
        locations => <<"END");
            location / {
                $protected
                phantom_token on;
                phantom_token_introspection_endpoint /_introspect;
                proxy_pass http://%%API%%;
            }
            location = /_introspect { internal; proxy_pass http://%%AS%%; }
            location = /moves { srcache_fetch GET /nothing; proxy_pass http://%%API%%; }
            location = /nothing { internal; return 404; }
END
    $gateway->as->answers($token => { %{$answer}, hold => "gate-$number" });
    my $connection = $gateway->connect;
    $connection->send("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n\r\n");
    $gateway->as->wait_for_requests(1);
    is $gateway->get('/moves')->status, 200, 'the handlers have been moved';
    $gateway->api->forget_requests;
    $gateway->as->release("gate-$number");
    my $response = $connection->response('GET');
    is $connection->finish, '', 'nothing follows';
    return ($gateway, $response);
}

for my $protected ('', 'satisfy any;', 'satisfy any; allow 192.0.2.1;') {
    subtest "an inactive token: $protected" => sub {
        my ($gateway, $response) = overtaken($protected, { json => { active => false } });
        is $response->status, 401, 'refused';
        check_refusal($response);
        is scalar(@{ [$gateway->api->requests] }), 0, 'the API sees nothing';
    };
    subtest "an active token: $protected" => sub {
        my ($gateway, $response) = overtaken($protected, { jwt => { sub => 'alice' } });
        is $response->status, 200, 'allowed';
        my ($seen) = $gateway->api->requests;
        like $seen && $seen->header('Authorization'), qr/^Bearer eyJ/, 'the API sees the JWT';
        is $gateway->get('/')->status, 401, 'the next one, without a token: refused';
        is scalar(@{ [$gateway->api->requests] }), 1, 'the API does not see it';
    };
}

done_testing;
