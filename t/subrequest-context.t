# What the gateway's subrequest sees of the client's request, and what it sends: a server's `if`, `set` and `return` see
# what they saw in the client's request; the authorization server gets nothing of it that the configuration does not
# name.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $agent = 'nginx-phantom-token';

# A server of its own for each set of lines; all have the same locations.
my %lines = (
    plain      => '',
    https      => 'if ($http_x_forwarded_proto != "https") { return 301 https://$host$request_uri; }',
    agent      => 'if ($http_user_agent = "") { return 403; }',
    cookie     => 'if ($cookie_session = "") { return 403; }',
    type       => 'if ($content_type !~ "^application/json") { return 415; }',
    length     => 'if ($content_length != 7) { return 411; }',
    referer    => 'valid_referers server_names; if ($invalid_referer) { return 403; }',
    authorized => 'if ($http_authorization !~* "^Bearer [^.]+$") { return 403; }',
    mapped     => 'if ($known_client = 0) { return 403; } proxy_set_header X-Known $known_client;',
    set        => 'set $introspection_auth "Basic Z2F0ZXdheTpzZWNyZXQ="; set $tenant "of-$http_x_tenant";',
    captured   => 'if ($host ~ "^(?<realm>[a-z]+)\.example$") { set $matched 1; } if ($matched != 1) { return 403; }',
    named      => 'if ($site = "") { return 404; }',
    refuses    => 'if ($request_uri !~ "^/open") { set $closed 1; } if ($uri = /_introspect) { '
        . 'set $closed "${closed}1"; } if ($closed = "11") { return 403; }',
    tidies     => 'if ($http_x_forwarded_proto != "https") { return 301 https://$host$request_uri; } '
        . 'rewrite ^/_moved$ /_introspect last;',
);
my $locations = <<'END';
    location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
    location /exchange { phantom_token on; phantom_token_exchange_endpoint /_exchange; proxy_pass http://%%API%%; }
    location /own { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
                    phantom_token_jwks_endpoint /_jwks; proxy_pass http://%%API%%; }
    location /small { client_max_body_size 1m; phantom_token on; phantom_token_introspection_endpoint /_small;
                      proxy_pass http://%%API%%; }
    location /moved { phantom_token on; phantom_token_introspection_endpoint /_moved; proxy_pass http://%%API%%; }
    location /cached { phantom_token on; phantom_token_introspection_endpoint /_cached; proxy_pass http://%%API%%; }
    location /branch { phantom_token on; phantom_token_introspection_endpoint /_branch; proxy_pass http://%%API%%; }
    location /written { phantom_token on; phantom_token_introspection_endpoint /_written; proxy_pass http://%%API%%; }
    location /handed { phantom_token on; phantom_token_introspection_endpoint /_handed; proxy_pass http://%%API%%; }
    location = /_moved { internal; return 500; }
    location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
    location = /_exchange { internal; proxy_pass http://%%AS%%/exchange; }
    location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
    location = /_small { internal; client_max_body_size 10; proxy_pass http://%%AS%%/introspect; }
    location = /_cached { internal; proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                          proxy_cache_valid 200 1h; proxy_cache_bypass $http_x_tenant $cookie_session;
                          proxy_pass http://%%AS%%/introspect; }
    location = /_branch { internal; set $branch none; if ($http_x_tenant) { set $branch $http_x_tenant; }
                          proxy_set_header X-Branch $branch; proxy_set_header X-Tenant $http_x_tenant;
                          proxy_pass http://%%AS%%/introspect; }
    location = /_written { internal; proxy_set_header Authorization $introspection_auth;
                           proxy_set_header X-Tenant $tenant; proxy_set_header X-Realm $realm;
                           proxy_set_header X-Site $site; proxy_pass http://%%AS%%/introspect; }
    location = /_handed {
        internal;
        proxy_set_header Host $http_host;
        proxy_set_header X-Request-ID $request_id;
        proxy_set_header traceparent $phantom_token_http_traceparent;
        proxy_set_header User-Agent $phantom_token_http_user_agent;
        proxy_set_header X-Forwarded-For $phantom_token_http_x_forwarded_for;
        proxy_set_header X-Sent $phantom_token_http_authorization;
        proxy_set_header X-None $phantom_token_http_x_none;
        proxy_set_header X-Cookie $phantom_token_http_cookie;
        proxy_set_header X-Agent $http_user_agent;
        proxy_pass http://%%AS%%/introspect;
    }
END
sub site {
    my ($name) = @_;
    my $server_name = $name eq 'named' ? '~^(?<site>[a-z]+)\.example$' : $name;
    return "server { listen 127.0.0.1:%%PORT:$name%%; server_name $server_name; set \$introspection_auth ''; "
        . "set \$tenant ''; $lines{$name}\n$locations }\n";
}

my $http2_site = "server { listen 127.0.0.1:%%PORT:h2%% http2; server_name h2; $lines{https}\n$locations }";

my $gateway = gateway(
    log  => { request_id => 'request_id', sub => 'phantom_token_sub' },
    http => <<'END' . join('', map { site($_) } sort keys %lines) . $http2_site,
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        map $http_x_client $known_client { default "known-$http_x_client"; "" 0; }
END
);
$gateway->as->answers(
    '*'     => { jwt => { sub => 'somebody' },
                 headers => ['Vary: User-Agent, X-Tenant, Cookie', 'Cache-Control: max-age=3600'] },
    '/jwks' => { json => jwks(my $key = rsa_key('key')) },
);

my @client = (
    'X-Forwarded-Proto: https', 'User-Agent: curl/8', 'Cookie: session=secret', 'X-Client: alice', 'X-Tenant: blue',
    'X-Forwarded-For: 192.0.2.1', 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'Accept-Language: en', 'If-None-Match: "x"', 'Referer: http://referer/'
);
my @own = qw(accept connection content-length content-type host user-agent);

# The names of all headers that the authorization server got.
sub names { return [sort map { lc } $_[0]->header_names] }

sub lets_in {
    my ($site, $name, $request, %expected) = @_;
    my $case = "$site: $name";
    cases(
        $gateway,
        { name => $case, request => { port => $site, host => 'shop.example', token => "$site-token",
                                      headers => \@client, %{$request} },
          status => 200, api => 1, as => 1, logged => { sub => 'somebody' }, %expected }
    );
    my ($asked) = $gateway->as->requests or return;
    is_deeply names($asked), \@own, "$case: the AS gets the gateway's own headers, and none of the client's"
        if !$expected{as};
    is $asked->header('User-Agent'), $agent, "$case: User-Agent" if !$expected{as};
    return;
}

sub refuses {
    my ($site, $name, $request, $status) = @_;
    cases(
        $gateway,
        { name => "$site: $name",
          request => { port => $site, host => 'shop.example', token => "$site-token", headers => [], %{$request} },
          status => $status, api => 0, as => 0, refusal => 'any',
          (400 < $status && $status < 404 ? (challenge => undef) : ()) }
    )
        if !grep { $status == $_ } 401, 403;
    return if !grep { $status == $_ } 401, 403;
    $_->forget_requests for $gateway->as, $gateway->api;
    is $gateway->request(
        port => $site, host => 'shop.example', token => "$site-token", headers => [], %{$request}
    )->status, $status, "$site: $name: $status";
    is scalar @{ [$gateway->as->requests, $gateway->api->requests] }, 0, "$site: $name: neither server is asked";
    return;
}

# --- what the server says in its rewrite phase ------------------------------------------------------------------------

for my $site (qw(plain https agent cookie mapped captured named authorized referer)) {
    my %known = $site eq 'mapped'
        ? (as => [{ x_known => '0', user_agent => $agent, x_client => undef, cookie => undef }]) : ();
    lets_in($site, 'GET', {}, %known);
    lets_in($site, 'POST', { method => 'POST', body => 'a=b' x 1000 }, %known);
    lets_in($site, 'a chunked body', { method => 'POST', chunked => ['a=b', '&c=d'] }, %known);
}
lets_in('type',   'JSON', { method => 'POST', body => '{}', headers => [@client, 'Content-Type: application/json'] });
lets_in('length', 'with a length', { method => 'POST', body => 'a=b&c=d' });
lets_in('h2', 'HTTP/2', { http2 => 1, headers => [@client] });
lets_in('h2', 'HTTP/2, POST', { http2 => 1, method => 'POST', body => 'a=b', headers => [@client] });

refuses('https',    'http', {}, 301);
refuses('agent',    'no agent', {}, 403);
refuses('cookie',   'no cookie', {}, 403);
refuses('mapped',   'an unknown client', {}, 403);
refuses('captured', 'another host', { host => 'elsewhere' }, 403);
refuses('type',     'another type', { method => 'POST', body => 'a=b', headers => ['Content-Type: text/plain'] }, 415);
refuses('length',   'no body', {}, 411);
refuses('referer',  'another referer', { headers => ['Referer: http://elsewhere/'] }, 403);

# A `return` that is for the subrequest alone is still one.
cases($gateway,
    { name => 'a return at the server that does refuse the subrequest: 502',
      request => { port => 'refuses', token => 'refused-token' }, as => 0, status => 502,
      outcome => 'as_refused_client' },
    { name => 'a rewrite at the server leads the subrequest to its location',
      request => { port => 'tidies', path => '/moved', token => 'moved-token', headers => \@client },
      as => [{ uri => '/introspect' }], status => 200 },
);

# --- each of the gateway's questions ----------------------------------------------------------------------------------

$gateway->as->answers(
    'exchange-token' => {
        json => { access_token => jwt({ sub => 'exchanged' }),
                  issued_token_type => 'urn:ietf:params:oauth:token-type:jwt', token_type => 'Bearer' }
    }
);
lets_in(
    'https', 'token exchange', { path => '/exchange', token => 'exchange-token' }, logged => { sub => 'exchanged' }
);
cases(
    $gateway,
    { name => 'https: the JWKS', request => { port => 'https', path => '/own', headers => \@client,
                                              token => jwt({ aud => 'api', sub => 'own' }, key => $key) },
      as => [{ method => 'GET', uri => '/jwks', user_agent => $agent, cookie => undef, traceparent => undef }],
      status => 200 }
);
is_deeply names(($gateway->as->requests)[0]), [qw(accept connection host user-agent)],
    'https: the JWKS: none of the client\'s headers';
lets_in('https', 'a body above the client_max_body_size of the introspection location',
    { path => '/small', method => 'POST', body => 'x' x 5000 });

# --- variables that were read before the subrequest has its own headers -----------------------------------------------

cases($gateway,
    { name => 'set at the server: used in the introspection location',
      request => { port => 'set', path => '/written', token => 'written-token', headers => \@client },
      as => [{ authorization => 'Basic Z2F0ZXdheTpzZWNyZXQ=', x_tenant => 'of-blue', x_realm => undef }],
      status => 200 },
    { name => 'a named capture at the server: used in the introspection location',
      request => { port => 'captured', host => 'shop.example',
                   path => '/written', token => 'written-token', headers => \@client },
      as => [{ x_realm => 'shop' }], status => 200 },
    { name => 'a capture of server_name: used in the introspection location',
      request => { port => 'named', host => 'shop.example', path => '/written', token => 'written-token',
                   headers => \@client },
      as => [{ x_site => 'shop' }], status => 200 },
    { name => 'an if in the introspection location sees the client\'s header, proxy_set_header does not',
      request => { port => 'plain', path => '/branch', token => 'branch-token', headers => \@client },
      as => [{ x_branch => 'blue', x_tenant => undef }], status => 200 },
    { name => 'an if in the introspection location: another client',
      request => { port => 'plain', path => '/branch', token => 'branch-token' },
      as => [{ x_branch => 'none', x_tenant => undef }], status => 200 },
);

# One token of two clients: one entry, whatever they send and whatever Vary says.
cases($gateway,
    { name => 'cached: the first client',
      request => { port => 'https', path => '/cached', token => 'cached-token', headers => \@client }, as => 1,
      status => 200, cache => 'MISS' },
    { name => 'cached: another client, the same entry', request => {
        port => 'https', path => '/cached', token => 'cached-token',
        headers => ['X-Forwarded-Proto: https', 'User-Agent: other', 'Cookie: session=other', 'X-Tenant: green']
    },
      as => 0, status => 200, cache => 'HIT' },
    { name => 'cached: no headers at all', request => { port => 'plain', path => '/cached', token => 'plain-token' },
      as => 1, status => 200, cache => 'MISS' },
    { name => 'cached: headers',
      request => { port => 'plain', path => '/cached', token => 'plain-token', headers => \@client }, as => 0,
      status => 200, cache => 'HIT' },
);

# --- what the configuration hands on ----------------------------------------------------------------------------------

my $trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
for my $site ('plain', 'h2') {
    my $response = $gateway->request(port => $site, host => 'shop.example', path => '/handed', token => 'handed-token',
                                     headers => \@client, $site eq 'h2' ? (http2 => 1) : ());
    is $response->status, 200, "handed on ($site): status";
    my ($asked) = $gateway->as->requests;
    my ($asked_last) = reverse $gateway->as->requests;
    is $asked_last->header('traceparent'), $trace, "handed on ($site): traceparent";
    is $asked_last->header('User-Agent'), 'curl/8', "handed on ($site): User-Agent";
    is $asked_last->header('X-Agent'), $agent, "handed on ($site): \$http_user_agent is the subrequest's own";
    is $asked_last->header('X-Forwarded-For'), '192.0.2.1', "handed on ($site): X-Forwarded-For";
    is $asked_last->header('X-Cookie'), 'session=secret', "handed on ($site): Cookie";
    is $asked_last->header('X-Sent'), 'Bearer handed-token', "handed on ($site): Authorization as the client sent it";
    is $asked_last->header('X-None'), undef, "handed on ($site): what the client has not sent";
    like $asked_last->header('Host'), qr/^shop\.example/, "handed on ($site): Host";
    like $asked_last->header('X-Request-ID'), qr/^[0-9a-f]{32}$/, "handed on ($site): \$request_id";
    is $asked_last->header('X-Request-ID'), $gateway->logged($response)->{request_id},
        "handed on ($site): \$request_id is the access log's";
}

# --- modules that set request headers or variables in the rewrite phase ----------------------------------------------

if ($ENV{NGINX_BINARY}) { done_testing; exit }

my $scripted = gateway(
    main => join('', map {
        "load_module /usr/lib/nginx/modules/$_.so;\n"
    } qw(ndk_http_module ngx_http_lua_module ngx_http_headers_more_filter_module)),
    locations => <<'END');
        location / { phantom_token on; phantom_token_introspection_endpoint /_lua; proxy_pass http://%%API%%; }
        location /more { phantom_token on; phantom_token_introspection_endpoint /_more; proxy_pass http://%%API%%; }
        location = /_lua {
            internal;
            set_by_lua_block $from_set { return "of " .. (ngx.var.http_x_tenant or "nobody") }
            rewrite_by_lua_block {
                ngx.req.set_header("X-Api-Key", "a key")
                ngx.req.set_header("X-Tenant", "changed")
                ngx.req.set_header("Accept", "application/jwt;q=1")
                ngx.req.set_header("Content-Length", "1")
                ngx.req.clear_header("X-Client")
            }
            proxy_set_header X-From-Set $from_set;
            proxy_pass http://%%AS%%/introspect;
        }
        location = /_more { internal;
                            more_set_input_headers "Authorization: Basic Z2F0ZXdheTpzZWNyZXQ="
                                "Accept: application/jwt;q=1" "Range: none" "X-Api-Key: a key";
                            proxy_pass http://%%AS%%/introspect; }
END
$scripted->as->answers('*' => { jwt => { sub => 'somebody' } });
my %clients = (x_tenant => 'blue', x_client => 'alice', x_api_key => undef, range => undef, cookie => 'session=secret');
for my $accept ('', 'Accept: text/html') {
    my @sent = (@client, $accept ? $accept : ());
    cases($scripted,
        { name => "lua: what rewrite_by_lua and set_by_lua set goes to the AS, and to nobody else ($accept)",
          request => { method => 'POST', path => '/', token => 'lua-token', body => 'a=b&c=d', headers => \@sent },
          status => 200,
          as => [
              { body => 'token=lua-token&token_type_hint=access_token', x_api_key => 'a key', x_tenant => 'changed',
                accept => 'application/jwt;q=1', x_client => undef, x_from_set => 'of blue', user_agent => $agent,
                cookie => undef, content_length => 44 }
          ],
          api => [{ authorization => 'Bearer <jwt>', body => 'a=b&c=d', accept => $accept ? 'text/html' : undef,
                    %clients }] },
        { name => "headers-more: what more_set_input_headers sets goes to the AS, and to nobody else ($accept)",
          request => { method => 'POST', path => '/more', token => 'more-token', body => 'a=b&c=d', headers => \@sent },
          status => 200,
          as => [
              { body => 'token=more-token&token_type_hint=access_token', authorization => 'Basic Z2F0ZXdheTpzZWNyZXQ=',
                x_api_key => 'a key', accept => 'application/jwt;q=1', x_tenant => undef, user_agent => $agent,
                cookie => undef }
          ],
          api => [{ authorization => 'Bearer <jwt>', body => 'a=b&c=d', accept => $accept ? 'text/html' : undef,
                    %clients }] },
    );
}

done_testing;
