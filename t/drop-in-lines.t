# Drop-in (docs/migration-curity.md): what users of the existing module have around it. Each row is a server as it
# stands in a document, an example or a report, put into our own words: lines of the server, of the API's location, of
# the introspection location. It starts, and takes a good token (also out of the cache), a bad one, none, and one with
# too few scopes, as it does today.

use strict;
use warnings;
use lib 't/lib';
use Harness;

# --- rows ------------------------------------------------------------------------------------------------------------

# name; http, server: lines there. api: lines of the API's location, or location: all of it. as: lines of the
# introspection location behind proxy_pass, with ZONE; or introspection: all of it. URI: the address of the
# authorization server. endpoint: its name for the module. How a good request looks: path, headers. asked, got: what
# the authorization server and the API see of it; got_by_body: the response says it.
# realm, scopes: of the challenge. body: of refusals that are not the module's; no_token: what comes of a request
# without one, where the server says it. turned_away: requests that are none of the module's business, as
# [status, request]. cache: what the second answer is. unlogged: the access log cannot be asked.
my $basic   = 'proxy_set_header Authorization "Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==";';
my $headers = 'proxy_set_header Accept "application/jwt"; proxy_set_header Content-Type '
    . '"application/x-www-form-urlencoded";';
my $cache = 'proxy_cache_methods POST; proxy_cache ZONE; proxy_cache_key $request_body; '
    . 'proxy_ignore_headers Set-Cookie;';
my $buffers = 'proxy_buffer_size 16k; proxy_buffers 4 16k;';
my $proxy_params = 'proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header '
    . 'X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;';
my %https    = (headers => ['X-Forwarded-Proto: https']);

my @documents = (
    { name => 'the smallest', as => '', cache => '' },
    { name => 'with a cache' },
    { name => 'the headers of version 1: none', as => "$cache" },
    { name => 'without a cache, larger buffers', as => "$headers proxy_ignore_headers Set-Cookie; $buffers",
      cache => '' },
    { name => 'an exact location', introspection => "location = /introspect { internal; proxy_pass URI; "
        . "$headers $cache }",
      endpoint => '/introspect' },
    { name => 'several scopes in one string', api => 'phantom_token_scopes "read write";', scopes => 'read write' },
    { name => 'a scope a line', api => 'phantom_token_scope "read"; phantom_token_scope "write";',
      scopes => 'read write' },
    { name => 'both forms of scopes', api => 'phantom_token_scope "admin"; phantom_token_scopes "read write";',
      scopes => 'read write' },
    { name => 'words without quotes', api => 'phantom_token_scopes read; phantom_token_realm orders;',
      realm => 'orders' },
    { name => 'a realm with spaces', api => 'phantom_token_realm "my good API"; phantom_token_scopes "read";',
      realm => 'my good API' },
    { name => 'the authorization server behind another server of this nginx',
      http => 'server { listen 127.0.0.1:%%PORT:second%%; server_name login; location / { proxy_pass http://%%AS%%; '
          . '} }',
      introspection => 'location curity { proxy_pass "http://127.0.0.1:%%PORT:second%%/oauth/v2/oauth-introspect"; '
          . "$headers $cache }" },
    { name => 'the API is in this nginx, too',
      server => 'location /api-internal { default_type application/json; add_header authorization $http_authorization; '
          . 'return 200 \'{"got":"$http_authorization"}\'; }',
      location => 'location /api { phantom_token on; phantom_token_introspection_endpoint curity; '
          . 'phantom_token_scopes read; '
          . 'proxy_set_header Host $host; proxy_pass "http://127.0.0.1:%%PORT%%/api-internal"; }',
      got_by_body => 1 },
    { name => 'in containers: a resolver and names', api => 'resolver 127.0.0.11; phantom_token_scopes read;',
      as => "resolver 127.0.0.11; $headers $cache" },
    { name => 'switched on at the server, off for a health check',
      server => 'phantom_token on; phantom_token_introspection_endpoint curity; phantom_token_scopes "read"; '
          . 'location = /health { phantom_token off; return 204; }',
      location => 'location /api { proxy_pass http://%%API%%; }', turned_away => [[204, { path => '/health' }]] },
    { name => 'static files beside the API',
      server => 'location / { root %%DIR%%; index index.html; }', turned_away => [[404, { path => '/nothing.js' }]] },
    { name => 'two APIs, one of them by a regular expression',
      server => 'location ~ ^/(?:users|groups)/ { phantom_token on; phantom_token_introspection_endpoint curity; '
          . 'phantom_token_scopes "read"; proxy_pass http://%%API%%; }',
      path => '/users/7' },
    { name => 'in front of an API that wants the header by name',
      api => 'phantom_token_scopes read; proxy_set_header Authorization $http_authorization;' },
    { name => 'nothing of the client for the authorization server',
      as => "proxy_pass_request_headers off; proxy_pass_request_body on; $headers $basic $cache" },
    { name => 'logs of their own', api => 'phantom_token_scopes read; access_log %%DIR%%/api.log; '
          . 'error_log %%DIR%%/api-error.log;', unlogged => 1 },
);

# As ingress controllers write them: one location full of lines, and snippets in the midst of them.
my @clusters = (
    { name => 'an ingress controller\'s location',
      http   => 'map $http_x_request_id $row_request_id { default $http_x_request_id; "" $request_id; } '
          . 'map $http_upgrade $row_upgrade { default upgrade; "" ""; }',
      server => 'set $proxy_upstream_name "-"; set $pass_access_scheme $scheme; set $best_http_host $http_host; '
          . 'set $pass_port $server_port;',
      location => <<'END' },
        location /api/ {
            set $namespace "shop"; set $ingress_name "orders"; set $service_port "80"; set $location_path "/api";
            port_in_redirect off;
            client_max_body_size 1m;
            proxy_set_header Host $best_http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $row_upgrade;
            proxy_set_header X-Request-ID $row_request_id;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $best_http_host;
            proxy_set_header X-Forwarded-Port $pass_port;
            proxy_set_header X-Forwarded-Proto $pass_access_scheme;
            proxy_set_header X-Scheme $pass_access_scheme;
            proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
            proxy_set_header Proxy "";
            proxy_connect_timeout 5s; proxy_send_timeout 60s; proxy_read_timeout 60s;
            proxy_buffering off; proxy_buffer_size 4k; proxy_buffers 4 4k; proxy_max_temp_file_size 1024m;
            proxy_request_buffering on; proxy_http_version 1.1; proxy_cookie_domain off; proxy_cookie_path off;
            proxy_next_upstream error timeout; proxy_next_upstream_timeout 0; proxy_next_upstream_tries 3;
            phantom_token on;
            phantom_token_introspection_endpoint curity;
            phantom_token_scopes read;
            error_log %%DIR%%/ingress-error.log info;
            proxy_pass http://%%API%%;
            proxy_redirect off;
        }
END
    { name => 'an ingress controller\'s rewrite', location => 'location ~* "^/orders(/|$)(.*)" { '
        . 'rewrite "(?i)/orders(/|$)(.*)" '
          . '/$2 break; phantom_token on; phantom_token_introspection_endpoint curity; phantom_token_scopes read; '
          . 'proxy_pass http://%%API%%; }',
      path => '/orders/api', got => { uri => '/api' } },
    { name => 'WebSockets: Connection for all locations',
      http   => 'map $http_upgrade $row_connection { default upgrade; "" close; }',
      server => 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection '
          . '$row_connection;',
      as => $cache },
    { name => 'an upstream with kept connections',
      http => 'upstream row_curity { server %%AS%%; keepalive 8; }',
      introspection => 'location curity { proxy_pass http://row_curity/oauth/v2/oauth-introspect; '
          . 'proxy_http_version 1.1; '
          . "proxy_set_header Connection \"\"; proxy_next_upstream error timeout non_idempotent; $headers $cache }" },
    { name => 'a client certificate for the authorization server',
      http => 'server { listen 127.0.0.1:%%PORT:mtls%% ssl; server_name localhost; ssl_certificate %%TLS%%/server.pem; '
          . 'ssl_certificate_key %%TLS%%/server.key; ssl_client_certificate %%TLS%%/ca.pem; ssl_verify_client on; '
          . 'location / { proxy_set_header X-Verified $ssl_client_verify; proxy_pass http://%%AS%%; } }',
      introspection => 'location curity { proxy_pass https://localhost:%%PORT:mtls%%/oauth/v2/oauth-introspect; '
          . 'proxy_ssl_certificate %%TLS%%/server.pem; proxy_ssl_certificate_key %%TLS%%/server.key; '
          . 'proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_verify on; proxy_ssl_server_name on; '
          . "proxy_ssl_trusted_certificate %%TLS%%/ca.pem; $headers $cache }",
      asked => { x_verified => 'SUCCESS' } },
);

# The authorization server's address in a variable, so that nginx starts without its name.
my @addresses = (
    { name => 'an address in a variable, no cache', introspection => 'location curity { resolver 127.0.0.11; '
          . "set \$idsvr %%AS%%; proxy_pass http://\$idsvr/oauth/v2/oauth-introspect; $headers $buffers }",
            cache => '' },
    { name => 'an address in a variable that the key names',
      introspection => 'location curity { resolver 127.0.0.11; set $idsvr %%AS%%; proxy_pass '
          . "http://\$idsvr/oauth/v2/oauth-introspect; $headers proxy_cache_methods POST; proxy_cache ZONE; "
          . 'proxy_ignore_headers Set-Cookie; proxy_cache_key $proxy_host$request_body; }' },
    { name => 'an address by the host, no cache', http => 'map $host $row_idsvr { default %%AS%%; }',
      introspection => "location curity { proxy_pass http://\$row_idsvr/oauth/v2/oauth-introspect; $headers }",
      cache => '' },
);

# What the server says for all of its locations.
my @surroundings = (
    { name => 'credentials by set, as an included file brings them',
      server => 'set $introspection_auth "Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==";',
      as => "$headers proxy_set_header Authorization \$introspection_auth; $cache",
      asked => { authorization => 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==' } },
    { name => 'headers for all locations',
      server => 'proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; '
          . 'proxy_set_header X-Forwarded-For '
          . '$proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;',
      as => $cache, asked => { x_forwarded_proto => 'http', x_real_ip => '127.0.0.1' } },
    { name => 'headers of a browser\'s security',
      server => 'add_header X-Frame-Options DENY always; add_header Strict-Transport-Security "max-age=600" always; '
          . 'server_tokens off;' },
    { name => 'larger headers, smaller bodies',
      server => 'large_client_header_buffers 4 32k; client_max_body_size 1; underscores_in_headers on; '
          . 'client_body_buffer_size 8k; ignore_invalid_headers off;' },
    { name => 'compression', server => 'gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any; gunzip on;',
      headers => ['Accept-Encoding: gzip;q=0'] },
    { name => 'a response is rewritten',
      server => 'sub_filter "ey" "__"; sub_filter_types *; sub_filter_once off;', got_by_body => 0 },
    { name => 'buffers are off', server => 'proxy_buffering off; proxy_request_buffering off;', as => $headers,
      cache => '' },
    { name => 'a client may pass the cache', server => 'proxy_cache_bypass $http_pragma; '
        . 'proxy_no_cache $http_pragma;' },
    { name => 'limits of the client\'s address',
      http   => 'limit_req_zone $binary_remote_addr zone=row_requests:64k rate=1000r/s; limit_conn_zone '
          . '$binary_remote_addr zone=row_connections:64k;',
      server => 'limit_req zone=row_requests burst=1000 nodelay; limit_conn row_connections 100;' },
    { name => 'limits of the API alone', http => 'limit_req_zone $binary_remote_addr zone=row_api:64k rate=1000r/s;',
      api => 'limit_req zone=row_api burst=1000 nodelay; phantom_token_scopes read;' },
    { name => 'a password for the rest', server => 'auth_basic "staff"; auth_basic_user_file %%DIR%%/none; '
          . 'location = /staff { auth_basic off; return 204; }',
      api => 'auth_basic off; phantom_token_scopes read;', turned_away => [[204, { path => '/staff' }]] },
    { name => 'addresses that may come in', server => 'allow 127.0.0.1; deny all;' },
    { name => 'methods of the API', api => 'limit_except GET POST { deny all; } phantom_token_scopes read;',
      turned_away => [[403, { method => 'DELETE', path => '/api', token => 'alice-token' }]] },
    { name => 'error pages in JSON',
      server => 'error_page 401 @401; error_page 403 @403; location @401 { default_type application/json; '
          . 'return 401 \'{"error":"login"}\'; } location @403 { default_type application/json; '
          . 'return 403 \'{"error":"scope"}\'; }',
      body => { 401 => '{"error":"login"}', 403 => '{"error":"scope"}' } },
    { name => 'error pages of the API\'s errors',
      server => 'proxy_intercept_errors on; error_page 404 500 502 503 504 /error.html; location = /error.html { '
          . 'internal; return 200 "sorry"; }' },
    { name => 'errors of the authorization server are intercepted',
      as => "$headers $cache proxy_intercept_errors on; error_page 500 = /maintenance; ",
      server => 'location = /maintenance { internal; return 503; }' },
    { name => 'CORS by hand', api => 'if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin '
          . '"https://app.example"; add_header Access-Control-Allow-Headers "Authorization"; return 204; } '
          . 'add_header Access-Control-Allow-Origin "https://app.example" always; phantom_token_scopes read;',
      turned_away => [[204, { method => 'OPTIONS', path => '/api', headers => ['Origin: https://app.example',
          'Access-Control-Request-Method: GET'] }]] },
    { name => 'an old address of the API', server => 'rewrite ^/v1/(.*)$ /$1 last;', path => '/v1/api',
      got => { uri => '/api' } },
    { name => 'an address that has moved', server => 'rewrite ^/old/(.*)$ /$1 permanent;',
      turned_away => [[301, { path => '/old/api' }]] },
    { name => 'only these hosts', server => 'if ($host !~ ^row) { return 404; }' },
    { name => 'only these methods', server => 'if ($request_method !~ ^(?:GET|HEAD)$) { return 405; }',
      turned_away => [[405, { method => 'PUT', path => '/api', body => '' }]] },
    { name => 'a switch for maintenance', server => 'if (-f %%DIR%%/maintenance) { return 503; }' },
    { name => 'no injections', server => 'if ($query_string ~* "union.*select") { return 403; }',
      turned_away => [[403, { path => '/api?q=union+select' }]] },
    { name => 'the address of a load balancer\'s client',
      server => 'set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; real_ip_recursive on;',
      headers => ['X-Forwarded-For: 127.0.0.9'], unlogged => 1 }, # its line has another port
    { name => 'blocked addresses', http => 'geo $row_blocked { default 1; 127.0.0.0/8 0; }',
      server => 'if ($row_blocked) { return 403; }' },
);

# The server looks at what the client sent. The introspection subrequest has none of it, and passes all the same.
my @looks = (
    { name => 'TLS ends at a load balancer', server => 'if ($http_x_forwarded_proto != "https") { return 301 '
          . 'https://$host$request_uri; }', %https, turned_away => [[301, { path => '/api', headers => [] }]] },
    { name => 'who says nothing about itself stays out', server => 'if ($http_user_agent = "") { return 403; }',
      turned_away => [[403, { path => '/api', headers => [] }]] },
    { name => 'unwanted programs, by a map', http => 'map $http_user_agent $row_unwanted { default 0; "" 1; '
        . '~*scraper 1; }',
      server => 'if ($row_unwanted) { return 403; }',
      turned_away => [[403, { path => '/api', headers => ['User-Agent: Scraper/1'] }]] },
    { name => 'a key for the whole server', server => 'if ($http_x_api_key != "orders-4711") { return 403; }',
      headers => ['X-API-Key: orders-4711'], turned_away => [[403, { path => '/api', headers => [] }]] },
    { name => 'only from pages of one\'s own', server => 'valid_referers server_names app.example; '
        . 'if ($invalid_referer) '
          . '{ return 403; }',
      headers => ['Referer: https://app.example/x'], turned_away => [[403, { path => '/api', headers => [] }]] },
    { name => 'a cookie of the web application firewall', server => 'if ($cookie_passed != "yes") { return 403; }',
      headers => ['Cookie: passed=yes'], turned_away => [[403, { path => '/api', headers => [] }]] },
    { name => 'who has no token is sent away by hand', server => 'if ($http_authorization = "") { return 403; }',
      no_token => { status => 403, refusal => 'nginx' } },
    { name => 'a tenant by a header', server => 'set $tenant "none"; if ($http_x_tenant ~ "^([a-z]+)$") { '
        . 'set $tenant $1; } '
          . 'if ($tenant = "none") { return 400; } proxy_set_header X-Tenant $tenant;',
      as => $cache, headers => ['X-Tenant: blue'], asked => { x_tenant => 'blue' }, got => { x_tenant => 'blue' },
      turned_away => [[400, { path => '/api', headers => [] }]] },
    { name => 'Debian\'s proxy_params, of today', server => 'include /etc/nginx/proxy_params;', as => $cache,
      asked => { host => qr/^row\d+$/ }, got => { host => qr/^row\d+$/ } },
    { name => 'Debian\'s proxy_params, as it was', server => $proxy_params, as => $cache,
      asked => { host => qr/^row\d+$/ }, got => { host => qr/^row\d+$/ } },
    { name => 'the same for the authorization server', as => "$proxy_params $headers $cache",
      asked => { host => qr/^row\d+$/, x_forwarded_proto => 'http' } },
    { name => 'the address in the Host header', http => 'map $http_host $row_idsvr { ~^row %%AS%%; '
        . 'default 127.0.0.1:9; }',
      introspection => "location curity { proxy_pass http://\$row_idsvr/oauth/v2/oauth-introspect; $headers }",
      cache => '' },
    { name => 'the API\'s location by a header', server => 'if ($http_x_version = "2") { '
        . 'rewrite ^/api(.*)$ /api/v2$1 last; }',
      headers => ['X-Version: 2'], got => { uri => '/api/v2' } },
);

# The gateway has credentials of its own in version 1; the line is refused, with the name of what replaces it.
configurations(
    { name => 'phantom_token_client_credential names its successors',
      protected => 'phantom_token_client_credential "id" "secret";',
      refuses => qr/phantom_token_client_credential.*phantom_token_client_id.*phantom_token_client_secret_file/ },
);

# --- all of them -----------------------------------------------------------------------------------------------------

my @rows = (@documents, @clusters, @addresses, @surroundings, @looks);
for my $n (0 .. $#rows) {
    my $row = $rows[$n];
    $row->{host} = "row$n";
    my $endpoint = $row->{endpoint} // 'curity';
    my $api      = $row->{api}      // 'phantom_token_scopes "read";';
    my $as       = $row->{as}       // "$headers $basic $cache";
    my $location = $row->{location}
        // "location /api { phantom_token on; phantom_token_introspection_endpoint $endpoint; "
            . "$api proxy_pass http://%%API%%; }";
    my $introspection = $row->{introspection} // "location $endpoint { proxy_pass \"URI\"; $as }";
    $introspection =~ s/URI/http:\/\/%%AS%%\/oauth\/v2\/oauth-introspect/;
    my $server = $row->{server} // '';
    my $http   = $row->{http}   // '';
    # No two rows may share a name.
    s/\brow_/row${n}_/g for $http, $server, $location, $introspection;
    my $text = "$http\nserver { listen 127.0.0.1:%%PORT%%; server_name row$n; $server\n$location\n$introspection\n}";
    $text = "proxy_cache_path %%DIR%%/row$n keys_zone=row$n:32k;\n$text" if $text =~ s/ZONE/row$n/g;
    $row->{text} = $text;
}

my $gateway = gateway(http => join("\n", map { $_->{text} } @rows), locations => '', log_level => 'warn');
my @fresh   = (headers => ['Cache-Control: max-age=3600', 'Set-Cookie: session=1']);
$gateway->as->answers(
    'alice-token' => { jwt => { sub => 'alice', scope => 'read write' }, @fresh },
    'guest-token' => { jwt => { sub => 'guest', scope => 'openid' }, @fresh },
    'gone-token'  => { status => 204 },
);

for my $row (@rows) {
    my ($name, $answered) = ($row->{name}, $row->{got_by_body});
    my %challenge = (realm => $row->{realm} // 'api', scope => $row->{scopes} // 'read');
    my %request = (path => $row->{path} // ($row->{location} // '') =~ /location (?:= )?(\/\w+\/)/ ? $row->{path}
            // $1 : '/api',
        host => $row->{host}, headers => ['User-Agent: test', @{ $row->{headers} // [] }]);
    my $got  = { authorization => 'Bearer <jwt>', %{ $row->{got} // {} } };
    my %good = (status => 200, $answered ? (body => '{"got":"Bearer <jwt>"}') : (api => [$got]));
    my $body = 'token=alice-token&token_type_hint=access_token';
    my %asked = (method => 'POST', body => $body, accept => 'application/jwt',
        content_type => 'application/x-www-form-urlencoded', cookie => undef, %{ $row->{asked} // {} });
    my $again = $row->{cache} // 'HIT';
    my $refused = sub { return $row->{body} ? (refusal => 'any', body => $row->{body}{ $_[0] }) : () };
    my $challenged = sub { my (@more) = @_; return $row->{body} ? () : (challenge => { %challenge, @more }) };
    my @cases = (
        { name => "$name: a good token", request => { %request, token => 'alice-token' }, %good, as => [\%asked] },
        { name => "$name: a good token again", request => { %request, token => 'alice-token' }, %good, cache => $again,
          as => $again eq 'HIT' ? 0 : 1 },
        { name => "$name: a bad token", request => { %request, token => 'gone-token' }, status => 401, $refused->(401),
          outcome => 'inactive', $challenged->(error => 'invalid_token') },
        { name => "$name: no token", request => {%request}, as => 0,
          %{ $row->{no_token} // { status => 401, outcome => 'missing', $refused->(401), $challenged->() } } },
        { name => "$name: too few scopes", request => { %request, token => 'guest-token' }, status => 403,
          outcome => 'insufficient_scope', $refused->(403), $challenged->(error => 'insufficient_scope') },
        (map { { name => "$name: turned away: $_->[0]", request => { %request, %{ $_->[1] } }, status => $_->[0],
            as => 0, api => 0, refusal => 'nginx' } } @{ $row->{turned_away} // [] }),
    );
    delete @{$_}{ $row->{unlogged} ? qw(outcome cache) : () } for @cases;
    cases($gateway, @cases);
}

done_testing;
