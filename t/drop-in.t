# Drop-in (docs/migration-curity.md): the configurations that users of the existing phantom token modules have today
# start, work and are safe.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $accept        = 'application/jwt';
my $content_type  = 'application/x-www-form-urlencoded';
my $authorization = 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==';
my $body          = 'token=%s&token_type_hint=access_token';

# --- every combination of what users write in the introspection location ---------------------------------------------

my @location = (
    ['no slash, no internal'      => 'curity',        'location curity {'],
    ['no slash, exact'            => 'curity',        'location = curity {'],
    ['no slash, internal'         => 'curity',        'location curity { internal;'],
    ['slash, internal'            => '/introspect',   'location /introspect { internal;'],
    ['exact, internal'            => '/_introspect',  'location = /_introspect { internal;'],
);
my $authorize = qq{proxy_set_header Authorization "$authorization";};
my @headers = (
    ['set one by one'             => qq{proxy_pass_request_headers off; proxy_set_header Accept "$accept"; }
         . qq{proxy_set_header Content-Type "$content_type"; $authorize}],
    ['off, no Content-Type'       => qq{proxy_pass_request_headers off; proxy_set_header Accept "$accept"; $authorize},
     'no type'],
    ['Authorization alone'        => $authorize],
);
my $zone = 'proxy_cache %s; proxy_cache_methods POST;';
my @cache = (
    ['$request_body as the key'   => "$zone proxy_cache_key \$request_body; proxy_ignore_headers Set-Cookie;"],
    ['$request_body, all ignored' => "$zone proxy_cache_key \$request_body; "
         . "proxy_ignore_headers Cache-Control Expires Set-Cookie; proxy_cache_valid 200 1h;"],
    ['$phantom_token_key'         => "$zone proxy_cache_key \$phantom_token_key;"],
    ['method, host, body as key'  => "$zone proxy_cache_key \$request_method\$proxy_host\$request_uri\$request_body;"],
    ['no cache'                   => ''],
);
my @buffers = (['default buffers' => ''], ['larger buffers' => 'proxy_buffer_size 16k; proxy_buffers 4 16k;']);

my (@ways, @zones);
for my $location (@location) { for my $headers (@headers) { for my $cache (@cache) {
    my ($host, $buffers) = ('w' . @ways, $buffers[@ways % 2]);
    push @zones, "proxy_cache_path %%DIR%%/$host keys_zone=$host:32k;" if $cache->[1];
    push @ways, {
        host => $host, caches => $cache->[1] ne '', typed => !$headers->[2],
        name => join(', ', map { $_->[0] } $location, $headers, $cache, $buffers),
        text => "server { listen 127.0.0.1:%%PORT%%; server_name $host;\nlocation / { "
            . "phantom_token on; phantom_token_introspection_endpoint $location->[1]; phantom_token_realm api; "
            . "phantom_token_scopes \"read\"; proxy_pass http://%%API%%; }\n"
            . "$location->[2] proxy_pass http://%%AS%%/oauth/v2/oauth-introspect; $headers->[1] "
                . $cache->[1] =~ s/%s/$host/r . " $buffers->[1] } }\n",
    };
} } }

{
    my $gateway = gateway(http => join("\n", @zones, map { $_->{text} } @ways), locations => '', log_level => 'warn');
    # As Curity answers: the JWT with max-age, 204; and a cookie, which would keep the answer out of the cache.
    my @curity = (headers => ['Cache-Control: max-age=300']);
    $gateway->as->answers(
        'alice-token' => { jwt => { sub => 'alice', scope => 'read' }, @curity,
                           headers => [@{ $curity[1] }, 'Set-Cookie: a=b'] },
        # larger than the default buffer
        'bob-token'   => { jwt => { sub => 'bob', scope => 'read', more => 'x' x 6_000 }, @curity },
        'gone-token'  => { status => 204 },
    );
    for my $way (@ways) {
        # The cookie is only ignored in two of the forms; bob's answer is cacheable in all.
        my ($type, $host) = ($way->{typed} ? $content_type : qr{^(?:\Q$content_type\E)?$}, $way->{host});
        my %asked = (
            method => 'POST', uri => '/oauth/v2/oauth-introspect', accept => $accept, content_type => $type,
            authorization => $authorization, cookie => undef, x_client => undef
        );
        my @client = (headers => ['Cookie: c=1', 'X-Client: 1', 'Accept: text/html']);
        cases($gateway,
            { name => "drop-in: alice: $way->{name}",
              request => { path => '/', host => $host, token => 'alice-token', @client }, status => 200,
              as => [{ %asked, body => sprintf $body, 'alice-token' }],
              api => [{ authorization => 'Bearer <jwt>', accept => 'text/html', cookie => 'c=1', x_client => '1' }] },
            { name => "drop-in: bob is not alice: $way->{name}",
              request => { path => '/', host => $host, token => 'bob-token' }, status => 200,
              as => [{ %asked, body => sprintf $body, 'bob-token' }], api => [{ authorization => 'Bearer <jwt>' }] },
            { name => "drop-in: bob again: $way->{name}",
              request => { path => '/', host => $host, token => 'bob-token' }, status => 200,
              as => $way->{caches} ? 0 : 1, api => [{ authorization => 'Bearer <jwt>' }] },
            { name => "drop-in: inactive: $way->{name}",
              request => { path => '/', host => $host, token => 'gone-token' }, status => 401,
              challenge => { realm => 'api', scope => 'read', error => 'invalid_token' } },
        );
    }
}

# --- whole configurations, as they stand in users' files -------------------------------------------------------------

# Curity's, with two APIs before one introspection location, and headers that users set for all locations.
{
    my @own = ('https://curity.example.com' => 'http://%%AS%%', 'https://server1_api.example.com' => 'http://%%API%%',
               '/path/to/cache' => '%%DIR%%/cache');
    my $gateway = gateway(replace => \@own, config => <<'END');
http {
    proxy_cache_path /path/to/cache levels=1:2 keys_zone=my_cache:10m max_size=10g
                     inactive=60m use_temp_path=off;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;

    server {
        server_name server1.example.com;
        listen 80;
        location /read {
            proxy_pass         https://server1_api.example.com;

            phantom_token on;
            phantom_token_introspection_endpoint my_good_location_name_for_curity;
            phantom_token_scopes "read";
            phantom_token_realm "myGoodRealm";
        }

        location /write {
            proxy_pass         https://server1_api.example.com;

            phantom_token on;
            phantom_token_introspection_endpoint my_good_location_name_for_curity;
            phantom_token_scope "read";
            phantom_token_scope "write";
        }

        location my_good_location_name_for_curity {
            proxy_pass "https://curity.example.com/oauth/v2/oauth-introspect";

            proxy_cache_methods POST;
            proxy_cache my_cache;
            proxy_cache_key $request_body;
            proxy_ignore_headers Set-Cookie;
            proxy_buffer_size 16k;
            proxy_buffers 4 16k;
        }
    }
}
END
    my %read = (path => '/read', port => 80, host => 'server1.example.com', headers => ['X-Forwarded-For: 192.0.2.1']);
    cases($gateway,
        { name => 'Curity: whole file, a token', request => { %read, token => 'alice-token' }, answers => {
            'alice-token' => { jwt => { sub => 'alice', scope => 'read' },
                               headers => ['Cache-Control: max-age=300', 'Set-Cookie: a=b'] }
        }, status => 200,
          as  => [{ body => sprintf($body, 'alice-token'), host => 'server1.example.com', accept => $accept,
                    content_type => $content_type, x_forwarded_for => '127.0.0.1', authorization => undef }],
          api => [
              { authorization => 'Bearer <jwt>', x_forwarded_for => '192.0.2.1, 127.0.0.1', x_real_ip => '127.0.0.1' }
          ], cache => 'MISS' },
        { name => 'Curity: whole file, cached', request => { %read, token => 'alice-token' }, status => 200, as => 0,
          api => [{ authorization => 'Bearer <jwt>' }], cache => 'HIT' },
        { name => 'Curity: whole file, the cached token elsewhere: scopes are checked',
          request => { %read, path => '/write', token => 'alice-token' }, status => 403, as => 0,
          challenge => { realm => 'api', scope => 'read write', error => 'insufficient_scope' }, cache => 'HIT' },
        { name => 'Curity: whole file, realm',
          request => { %read }, status => 401, as => 0, challenge => { realm => 'myGoodRealm', scope => 'read' } },
        { name => 'Curity: whole file, inactive',
          request => { %read, token => 'gone-token' }, answers => { 'gone-token' => { status => 204 } }, status => 401,
          challenge => { realm => 'myGoodRealm', scope => 'read', error => 'invalid_token' } },
        { name => 'Curity: whole file, the introspection location is no client\'s',
          request => { %read, path => '/my_good_location_name_for_curity', token => 'alice-token' }, status => 404,
          as => 0, api => 0 },
    );
}

# Keycloak's: JSON with the JWT in "jwt", no-cache, one scope a line.
{
    my @own = ('http://keycloak:8080' => 'http://%%AS%%', 'http://backend:3000' => 'http://%%API%%',
               '/var/cache/nginx' => '%%DIR%%/cache');
    my $gateway = gateway(replace => \@own, config => <<'END');
proxy_cache_path /var/cache/nginx keys_zone=keycloak:1m;
server {
    listen 8000;
    server_name localhost;
    phantom_token on;
    phantom_token_introspection_endpoint /keycloak;
    phantom_token_realm "demo";

    location / {
        phantom_token_scope "openid";
        phantom_token_scope "profile";
        proxy_pass http://backend:3000;
        proxy_set_header Authorization $http_authorization;
    }

    location /keycloak {
        internal;
        proxy_pass_request_headers off;
        proxy_set_header Accept "application/jwt";
        proxy_set_header Content-Type "application/x-www-form-urlencoded";
        proxy_set_header Authorization "Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==";
        proxy_cache keycloak;
        proxy_cache_methods POST;
        proxy_cache_key $request_body;
        proxy_ignore_headers Cache-Control Expires Set-Cookie;
        proxy_cache_valid 200 1m;
        proxy_pass http://keycloak:8080/realms/demo/protocol/openid-connect/token/introspect;
    }
}
END
    my %jwt = map { $_ => jwt({ sub => $_, scope => $_ eq 'alice' ? 'openid profile' : 'openid' }) } qw(alice bob);
    my @no_cache = (headers => ['Cache-Control: no-cache']);
    my %scope = (realm => 'demo', scope => 'openid profile');
    cases($gateway,
        { name => 'Keycloak: whole file, a token', request => { path => '/x', port => 8000, token => 'alice-token' },
          answers => { 'alice-token' => { json => { active => true, scope => 'openid profile', jwt => $jwt{alice} },
                                          @no_cache } },
          status => 200,
          as => [{ method => 'POST', uri => '/realms/demo/protocol/openid-connect/token/introspect', accept => $accept,
                   authorization => $authorization, body => sprintf $body, 'alice-token' }],
          api => [{ uri => '/x', authorization => 'Bearer <jwt>' }], cache => 'MISS' },
        { name => 'Keycloak: whole file, cached', request => { path => '/x', port => 8000, token => 'alice-token' },
          status => 200, as => 0, api => [{ authorization => 'Bearer <jwt>' }], cache => 'HIT' },
        { name => 'Keycloak: whole file, one of the scopes',
          request => { path => '/x', port => 8000, token => 'bob-token' },
          answers => { 'bob-token' => { json => { active => true, scope => 'openid', jwt => $jwt{bob} }, @no_cache } },
          status => 403, challenge => { %scope, error => 'insufficient_scope' } },
        { name => 'Keycloak: whole file, inactive', request => { path => '/x', port => 8000, token => 'gone-token' },
          status => 401, challenge => { %scope, error => 'invalid_token' } },
        { name => 'Keycloak: whole file, inactive with a JWT in it (CVE-2026-18208)',
          request => { path => '/x', port => 8000, token => 'late-token' },
          answers => { 'late-token' => { json => { active => false, jwt => $jwt{alice} } } }, status => 401,
          challenge => { %scope, error => 'invalid_token' } },
        { name => 'Keycloak: whole file, no token',
          request => { path => '/x', port => 8000 }, status => 401, as => 0, challenge => \%scope },
        { name => 'Keycloak: whole file, the introspection location is no client\'s',
          request => { path => '/keycloak', port => 8000, token => 'alice-token' }, status => 404, as => 0, api => 0 },
    );
}

# --- headers: all of the client's to the API, none to the AS ---------------------------------------------------------

{
    # Whether nginx itself sends the client's headers to the AS or not, none arrives.
    my %sends = (off => qq{proxy_pass_request_headers off; proxy_set_header Accept "$accept"; }
                     . qq{proxy_set_header Content-Type "$content_type";}, on => '',
                 body => 'proxy_pass_request_headers on; proxy_pass_request_body on;');
    my $gateway = gateway(
        http => join("\n", map { <<"END" } sort keys %sends),
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name $_;
        large_client_header_buffers 8 32k;
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
        location /set { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                        proxy_set_header Host \$host; proxy_set_header Authorization \$http_authorization;
                        proxy_set_header X-Jwt \$phantom_token_jwt; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%;
                                  $sends{$_} proxy_set_header X-Client-Cookie "\$http_cookie\$cookie_session"; }
    }
END
        locations => '',
    );
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });

    # several parts of nginx's list
    my @many  = map { ("X-Header-$_: value $_", $_ % 10 ? () : 'X-Twice: ' . $_) } 1 .. 70;
    my @usual = (
        'Cookie: session=secret', 'X-Forwarded-For: 192.0.2.1', 'Accept: text/html', 'Accept-Encoding: gzip',
        'Content-Type: text/plain', 'If-None-Match: "x"', 'Range: bytes=0-1', 'Forwarded: for=x', 'User-Agent: test',
        'Via: 1.1 x'
    );
    my @as    = qw(X-Client-Cookie Host Connection Content-Length Accept Content-Type);
    for my $host (sort keys %sends) {
        for my $place (0, 35, scalar @many) {
            my @headers = @many;
            splice @headers, $place, 0, 'aUTHORIZATION: bearer   alice-token';
            my @names = map { (split /:/)[0] } @headers, @usual;
            # nginx puts Host and Connection first; the rest is the client's, in its order.
            my @expected = ('Host', 'Connection', 'Content-Length', grep { $_ ne 'Content-Length' } @names);
            my %case = (request => { method => 'POST', path => '/', host => $host, body => 'token=evil-token&a=b',
                                     headers => [@headers, @usual] }, status => 200,
                as => [
                    { method => 'POST', body => sprintf($body, 'alice-token'), x_client_cookie => undef,
                      accept => $accept, content_type => $content_type,
                      content_length => length(sprintf $body, 'alice-token') }
                ]);
            subtest "headers: Authorization is number $place of @{[ scalar @names ]}, request headers $host" => sub {
                cases($gateway, { name => 'request', %case });
                my ($asked) = $gateway->as->requests;
                my ($seen)  = $gateway->api->requests;
                is_deeply [sort map { lc } $asked->header_names],
                    [sort map { lc } grep { $_ ne 'X-Client-Cookie' } @as, $host eq 'off' ? () : 'User-Agent'],
                    'AS: its own headers, once, and none of the client\'s';
                is_deeply [$seen->header_names], \@expected,
                    'API: names, order and number of the headers are the client\'s';
                is join(
                    "\n", map {
                        "$_->[0]: $_->[1]"
                    } grep { $_->[0] !~ /^(?:Host|Connection|Content-Length|Authorization)$/i } @{ $seen->{headers} }
                ), join("\n", grep { !/^authorization/i } @headers, @usual), 'API: their values too';
                is_deeply [$seen->headers('Authorization')], ['Bearer ' . $gateway->as->jwt_for('alice-token')],
                    'API: one Authorization, the JWT';
                is $seen->body, 'token=evil-token&a=b', 'API: the client\'s body';
            };
        }
    }
    cases($gateway,
        { name => 'headers: proxy_set_header in the API\'s location',
          request => { path => '/set', host => 'on', token => 'alice-token', headers => ['X-Jwt: forged', 'X-A: 1'] },
          status => 200, as => 1,
          api => [{ authorization => 'Bearer <jwt>', x_jwt => '<jwt>', x_a => '1', host => 'on' }] },
        { name => 'headers: 20 KB of cookies',
          request => { path => '/', host => 'on', token => 'alice-token',
                       headers => ['Cookie: session=' . 'x' x 20_000] },
          status => 200, as => [{ cookie => undef }],
          api => [{ cookie => 'session=' . 'x' x 20_000, authorization => 'Bearer <jwt>' }] },
        { name => 'headers: Connection of the client names Authorization',
          request => { path => '/', host => 'on', token => 'alice-token', headers => ['Connection: Authorization'] },
          status => 200, as => 1, api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'headers: underscores do not smuggle a second Authorization',
          request => { path => '/', host => 'on', token => 'alice-token',
                       headers => ['Authorization_: x', 'X_Authorization: y'] },
          status => 200, as => 1, api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'headers: two Authorization headers',
          request => { path => '/', host => 'on',
                       headers => ['Authorization: Bearer alice-token', 'Authorization: Bearer alice-token'] },
          status => 400, as => 0, api => 0 },
        { name => 'headers: Bearer, then another scheme in a second header',
          request => { path => '/', host => 'on',
                       headers => ['Authorization: Bearer alice-token', 'authorization: Basic eA=='] },
          status => 400, as => 0, api => 0 },
        { name => 'headers: a space before the colon',
          request => { raw => "GET / HTTP/1.1\r\nHost: on\r\nAuthorization: Bearer alice-token\r\nAuthorization : "
                           . "Bearer evil-token\r\n\r\n" },
          status => 400, as => 0, api => 0 },
        { name => 'headers: a folded line',
          request => { raw => "GET / HTTP/1.1\r\nHost: on\r\nAuthorization: Bearer\r\n alice-token\r\n\r\n" },
          status => 400, as => 0, api => 0 },
    );
}

# --- holes of the existing modules, closed ---------------------------------------------------------------------------

{
    # A $request_body that the main request has read must not become the subrequest's cache key: Alice is not Bob.
    my $gateway = gateway(
        http =>
            'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; map $request_body $early { default 1; "~evil" 2; }',
        locations => <<'END',
        location / {
            set $read $request_body$early;
            if ($early = 3) { return 418; }
            phantom_token on;
            phantom_token_introspection_endpoint curity;
            proxy_set_header X-Body $request_body;
            proxy_pass http://%%API%%;
        }
        location /late {
            phantom_token on;
            phantom_token_introspection_endpoint curity;
            proxy_set_header X-Body $request_body;
            proxy_pass http://%%API%%/late;
            proxy_method POST;
        }
        location /first {
            proxy_set_header X-Body $request_body;
            proxy_pass http://%%API%%;
            proxy_intercept_errors on;
            error_page 500 = /late;
        }
        location curity {
            proxy_pass http://%%AS%%/introspect;
            proxy_cache tokens;
            proxy_cache_methods POST;
            proxy_cache_key $request_body;
            proxy_cache_valid 200 1h;
        }
END
        log => { body => 'request_body' },
    );
    my %claims = map { ("$_-token" => { jwt => { sub => $_ } }) } qw(alice bob);
    $gateway->as->answers(%claims);
    $gateway->api->answers('/first' => { status => 500 });
    my %post = (method => 'POST', path => '/', headers => ['Content-Type: application/x-www-form-urlencoded']);
    cases($gateway,
        { name => '$request_body read early: alice', request => { %post, body => 'same', token => 'alice-token' },
          status => 200, as => [{ body => sprintf $body, 'alice-token' }],
          api => [{ authorization => 'Bearer <jwt>', body => 'same' }] },
        { name => '$request_body read early: bob with alice\'s body',
          request => { %post, body => 'same', token => 'bob-token' }, status => 200,
          as => [{ body => sprintf $body, 'bob-token' }],
          api => [{ authorization => 'Bearer <jwt>', body => 'same' }] },
        { name => '$request_body read early: bob posts what asked for alice',
          request => { %post, body => sprintf($body, 'alice-token'), token => 'bob-token' }, status => 200, as => 0,
          api => [{ authorization => 'Bearer <jwt>', body => sprintf $body, 'alice-token' }], cache => 'HIT' },
        { name => '$request_body read early: GET', request => { path => '/', token => 'bob-token' }, status => 200,
          as => 0, api => [{ authorization => 'Bearer <jwt>', body => '', x_body => undef }], cache => 'HIT' },
        { name => '$request_body read late: it is the client\'s',
          request => { %post, path => '/late', body => 'late', token => 'alice-token' }, status => 200, as => 0,
          api => [{ authorization => 'Bearer <jwt>', body => 'late', x_body => 'late' }], cache => 'HIT',
          logged => { body => 'late' } },
        { name => '$request_body read before a redirect: alice',
          request => { %post, path => '/first', body => 'first', token => 'alice-token' },
          status => 200, as => 0, api => [{ uri => '/first', x_body => 'first' },
                                          { uri => '/late', authorization => 'Bearer <jwt>', x_body => 'first' }],
          cache => 'HIT', logged => { body => 'first' } },
        { name => '$request_body read before a redirect: bob',
          request => { %post, path => '/first', body => 'first', token => 'bob-token' }, status => 200, as => 0,
          api => [{ uri => '/first' }, { uri => '/late', authorization => 'Bearer <jwt>', x_body => 'first' }],
          cache => 'HIT', logged => { body => 'first' } },
        { name => '$request_body read before a redirect: bob posts what asked for alice',
          request => { %post, path => '/first', body => sprintf($body, 'alice-token'), token => 'bob-token' },
          status => 200, as => 0, api => [{ uri => '/first' }, { uri => '/late', authorization => 'Bearer <jwt>' }],
          cache => 'HIT' },
        { name => '$request_body read before a redirect: nobody',
          request => { %post, path => '/first', body => sprintf($body, 'alice-token'), token => 'nobody-token' },
          status => 401, as => 1, api => [{ uri => '/first' }] },
        { name => '$request_body read early: alice, cached',
          request => { %post, body => 'other', token => 'alice-token' }, status => 200, as => 0,
          api => [{ authorization => 'Bearer <jwt>', body => 'other' }], cache => 'HIT' },
        { name => '$request_body read early: a token that nobody knows, with alice\'s body',
          request => { %post, body => sprintf($body, 'alice-token'), token => 'nobody-token' }, status => 401, as => 0,
          cache => 'HIT' },
    );
    # The default key of nginx, which is $scheme$proxy_host$request_uri: every token would share one entry.
    for my $key (
        '', 'proxy_cache_key $request_uri;', 'proxy_cache_key "$host$uri";', 'proxy_cache_key "";',
        'proxy_cache_key $http_authorization;', 'proxy_cache_key $content_length;'
    ) {
        my $zone = 'proxy_cache_path %%DIR%%/cache2 keys_zone=other:1m;';
        is $gateway->reload(http => $zone, locations => <<"END"), '', 'reload';
        location / { phantom_token on; phantom_token_introspection_endpoint curity; proxy_pass http://%%API%%; }
        location curity { proxy_pass http://%%AS%%; proxy_cache other; proxy_cache_methods POST;
                          proxy_cache_valid any 1h; $key }
END
        my $name = $key || 'nginx\'s default';
        cases(
            $gateway, map {
                { name => "a cache key that tells no tokens apart is refused: $name: $_",
                  request => { path => '/', token => $_ }, status => 500, outcome => 'misconfigured',
                  log => qr/\[error\].*proxy_cache_key \$phantom_token_key/ }
            } qw(alice-token bob-token nobody-token)
        );
    }
}

done_testing;
