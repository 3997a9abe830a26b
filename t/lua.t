# Captures of lua (ngx.location.capture) to protected locations, whose subrequests are unlike nginx's own: they have no
# place in the order of the response's parts, and come to the client only through lua.

use strict;
use warnings;
use lib 't/lib';
use Harness;

if ($ENV{NGINX_BINARY}) { plan skip_all => 'lua is there for Debian\'s nginx alone, and NGINX_BINARY names another' }

# Each phase in which lua may capture, each with the way to answer what it captured.
my $say     = 'ngx.say(answer.status, " ", answer.body)';
my %capture = (
    rewrite => "rewrite_by_lua_block { local answer = ngx.location.capture('%s') $say ngx.exit(200) }",
    access  => "access_by_lua_block { local answer = ngx.location.capture('%s') $say ngx.exit(200) }",
    content => "content_by_lua_block { local answer = ngx.location.capture('%s') $say }",
);
my @targets = qw(api hot cached exchange verified scope twice nested branch);
my @locations;
for my $phase (sort keys %capture) {
    push @locations, sprintf "location = /$phase/$_ { $capture{$phase} }", "/$_/part" for @targets;
    push @locations, sprintf "location = /$phase/protected/$_ { phantom_token on; $capture{$phase} }", "/$_/part"
        for @targets;
    push @locations, sprintf "location = /inner/$phase { $capture{$phase} }", '/api/part';
    # subrequests skip the access phase
    push @locations, sprintf "location = /$phase/inner/$_ { $capture{$phase} }", "/inner/$_" for qw(rewrite content);
}

my $key     = rsa_key('k1');
my $gateway = gateway(
    main => 'load_module /usr/lib/nginx/modules/ndk_http_module.so; '
        . 'load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;',
    log  => { cache => 'phantom_token_cache' },
    http => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:10m use_temp_path=off;
        phantom_token_hot_cache zone=hot:1m valid=1m;
    },
    server => q{
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_jwks_endpoint /_jwks;
    },
    locations => join("\n", @locations) . q{
        location = /          { phantom_token on; proxy_pass http://%%API%%; }
        location /api/       { phantom_token on; proxy_pass http://%%API%%; }
        location /scope/     { phantom_token on; phantom_token_scopes admin; proxy_pass http://%%API%%; }
        location /hot/       { phantom_token on; phantom_token_hot_cache hot;
                               phantom_token_introspection_endpoint /_cached; proxy_pass http://%%API%%; }
        location /cached/    { phantom_token on; phantom_token_introspection_endpoint /_cached;
                               proxy_pass http://%%API%%; }
        location /exchange/  { phantom_token on; phantom_token_exchange_endpoint /_exchange;
                               proxy_pass http://%%API%%; }
        location /verified/  { phantom_token on; phantom_token_verify_jwt on; proxy_pass http://%%API%%; }
        location /branch/    { phantom_token on; if ($uri) { rewrite ^ /branched break; proxy_pass http://%%API%%; } }
        location /twice/     { phantom_token on;
                               content_by_lua_block {
                                   local answer = ngx.location.capture('/api/inner') ngx.print(answer.body)
                               } }
        location /nested/    { content_by_lua_block {
            local answer = ngx.location.capture('/api/inner')
            ngx.status = answer.status
            ngx.print(answer.body)
        } }
        location = /several  { content_by_lua_block {
            local answers = { ngx.location.capture_multi({ {'/api/1'}, {'/scope/2'}, {'/cached/3'}, {'/api/4'} }) }
            for _, answer in ipairs(answers) do ngx.print(answer.status, ' ') end
        } }
        location = /access/passes { access_by_lua_block {
                                        local answer = ngx.location.capture('/api/acc') if answer.status ~= 200 then
                                            ngx.exit(answer.status) end
                                    }
                                    proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_exchange   { internal; proxy_pass http://%%AS%%/token; }
        location = /_jwks       { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_cached     { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                  proxy_cache_valid 200 10m; }
    },
);
my ($as, $api) = ($gateway->as, $gateway->api);
my $number = 0;

# A new token, which the authorization server must be asked about.
sub token {
    my (%claims) = @_;
    my $token = 'lua-token-' . ++$number;
    my $jwt   = jwt({ sub => 'alice', scope => 'read', %claims }, key => $key);
    $as->answers($token => { jwt => $jwt }, '/jwks' => { json => jwks($key) });
    return ($token, $jwt);
}

sub bearers { my (@requests) = @_; return map { my ($value) = $_->header('Authorization') // ''; $value } @requests }

for my $phase (sort keys %capture) {
    for my $target (@targets) {
        for my $way ("/$phase/$target", "/$phase/protected/$target") {
            my ($token, $jwt) = token($target eq 'scope' ? (scope => 'admin') : ());
            $as->answers(
                $token => { json => { access_token => $jwt, issued_token_type => 'urn:ietf:params:oauth:token-type:jwt',
                                      token_type => 'N_A' } }
            ) if $target eq 'exchange' && $way !~ /protected/;
            next if $target eq 'exchange' && $way =~ /protected/; # one token cannot be both
            $_->forget_requests for $as, $api;
            for my $turn (1 .. 2) {
                my $connection = $gateway->connect;
                my $response   = $connection->get($way, token => $token);
                is $response->status, 200, "$way: answered ($turn)";
                like $response->body, qr/^200 /, "$way: captured ($turn)";
                is $connection->finish, '', "$way: nothing follows ($turn)";
            }
            my @seen = $api->requests;
            is_deeply [bearers(@seen)], ["Bearer $jwt", "Bearer $jwt"],
                "$way: the API sees the JWT each time, and nothing else";
        }
    }

    for my $way (
        "/$phase/api", "/$phase/cached", "/$phase/hot", "/$phase/nested", "/$phase/twice", map { "/$phase/inner/$_" }
            qw(rewrite content)
    ) {
        my $token = 'inactive-token-' . ++$number;
        $as->answers($token => { json => { active => false } });
        $_->forget_requests for $as, $api;
        my $response = $gateway->get($way, token => $token);
        like $response->body, qr/^(?:200 )?401 /, "$way: an inactive token is refused" if $way !~ /twice/;
        is scalar(my @none = $api->requests), 0, "$way: the API sees nothing of it";
    }

    {
        my ($token) = token();
        $api->forget_requests;
        like $gateway->get("/$phase/scope", token => $token)->body, qr/^403 /, "$phase: a missing scope is refused";
        like $gateway->get("/$phase/api")->body, qr/^401 /, "$phase: no token is refused";
        is scalar(my @none = $api->requests), 0, "$phase: the API sees nothing of them";
    }

    {
        my $token = 'down-token-' . ++$number;
        $as->answers($token => { raw => [['reset']] });
        $gateway->announce(qr/Connection reset by peer/);
        like $gateway->get("/$phase/api", token => $token)->body, qr/^502 /,
            "$phase: what the AS breaks off is refused";
    }

    {
        # The client goes while the AS is being asked.
        my $token = 'gone-token-' . ++$number;
        $as->answers($token => { hold => "gone-$phase", json => { active => false } });
        $as->forget_requests;
        my $connection = $gateway->connect;
        $connection->send("GET /$phase/api HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n\r\n");
        $as->wait_for_requests(1);
        $connection->reset;
        $as->release("gone-$phase");
        is $gateway->get('/')->status, 401, "$phase: the client goes, the next one is answered";
    }
}

{
    my ($token, $jwt) = token();
    $_->forget_requests for $as, $api;
    my $connection = $gateway->connect;
    is $connection->get('/several', token => $token)->body, '200 403 200 200 ',
        'several at once: each by its own rules';
    is $connection->get('/several', token => $token)->body, '200 403 200 200 ',
        'several at once, again on the connection';
    is $connection->finish, '', 'several at once: nothing follows';
    is_deeply [bearers($api->requests)], [("Bearer $jwt") x 6], 'several at once: the API sees the JWT';
}

{
    # The main request goes on to the API after the capture has said that it may.
    my ($token) = token();
    $api->forget_requests;
    is $gateway->get('/access/passes', token => $token)->status, 200, 'a capture that decides';
    is_deeply [map { $_->{uri} } $api->requests], ['/api/acc', '/access/passes'],
        'a capture that decides: the API sees both, in order';
    $api->forget_requests;
    $as->answers('denied-token' => { json => { active => false } });
    is $gateway->get('/access/passes', token => 'denied-token')->status, 401, 'a capture that denies';
    is scalar(my @none = $api->requests), 0, 'a capture that denies: the API sees nothing';
}

done_testing;
