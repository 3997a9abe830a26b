# Modules that want to be the last of the access phase (srcache and lua here) move its handlers when they first run in a
# worker. A request that is waiting in the gateway's handler then goes on in that handler, and only by its judgement.

use strict;
use warnings;
use lib 't/lib';
use Harness;

if ($ENV{NGINX_BINARY}) {
    plan skip_all => 'srcache and lua are there for Debian\'s nginx alone, and NGINX_BINARY names another';
}

my $modules = '/usr/lib/nginx/modules';
my $ndk     = "load_module $modules/ndk_http_module.so;";
my $srcache = "load_module $modules/ngx_http_srcache_filter_module.so;";
my $lua     = "load_module $modules/ngx_http_lua_module.so;";
my $number  = 0;

# A new worker, a request that waits for the authorization server, and one that makes srcache move the handlers.
sub overtaken {
    my ($main, $protected, $answer) = @_;
    my $token   = 'moved-token-' . ++$number;
    my $gateway = gateway(
        main      => $main,
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
            location = /open { proxy_pass http://%%API%%/open; }
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

sub refused {
    my ($gateway, $response) = overtaken(@_, { json => { active => false } });
    is $response->status, 401, 'refused';
    check_refusal($response);
    is scalar(@{ [$gateway->api->requests] }), 0, 'the API sees nothing';
    return;
}

for my $protected ('', 'satisfy any;', 'satisfy any; allow 192.0.2.1;') {
    subtest "an inactive token: $protected" => sub { refused("$ndk $srcache", $protected) };
    subtest "an active token: $protected" => sub {
        my ($gateway, $response) = overtaken("$ndk $srcache", $protected, { jwt => { sub => 'alice' } });
        is $response->status, 200, 'allowed';
        my ($seen) = $gateway->api->requests;
        like $seen && $seen->header('Authorization'), qr/^Bearer eyJ/, 'the API sees the JWT';
        is $gateway->get('/')->status, 401, 'the next one, without a token: refused';
        is scalar(@{ [$gateway->api->requests] }), 1, 'the API does not see it';
    };
}

# What lua answers with, behind us in the access phase, and what an active token gets of it.
my @answers = (
    ['ngx.say'      => 'access_by_lua_block { ngx.say("let in") }',             200],
    ['ngx.exit'     => 'access_by_lua_block { ngx.exit(204) }',                 204],
    ['ngx.redirect' => 'access_by_lua_block { ngx.redirect("/elsewhere") }',    302],
    ['ngx.exec'     => 'access_by_lua_block { ngx.exec("/open") }',             200],
    ['ngx.sleep'    => 'access_by_lua_block { ngx.sleep(0.01) ngx.say("in") }', 200],
);
my %orders = ('lua, srcache' => "$ndk $lua $srcache", 'srcache, lua' => "$ndk $srcache $lua");
for my $order (sort keys %orders) {
    for my $answer (@answers) {
        my ($name, $protected, $status) = @{$answer};
        subtest "$order, $name, an inactive token" => sub { refused($orders{$order}, $protected) };
        subtest "$order, $name, an active token" => sub {
            my ($gateway, $response) = overtaken($orders{$order}, $protected, { jwt => { sub => 'alice' } });
            is $response->status, $status, 'lua answers';
        };
    }
}

done_testing;
