# phantom_token_claim_set and phantom_token_require: a claim by its path is a variable, and the values that a location
# requires are looked at last, on every request, and afresh.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $gateway = gateway(
    http => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        phantom_token_hot_cache zone=hot:1m;
        phantom_token_claim_set $realm_roles realm_access roles;
        phantom_token_claim_set $client_roles resource_access orders-api roles;
        phantom_token_claim_set $tenant tenant;
        phantom_token_claim_set $deep a.b "c d" e;
        phantom_token_claim_set $unused nothing;
        map $realm_roles $is_admin { default 0; "~(^| )admin( |$)" 1; }
        map "$tenant $http_x_tenant" $is_own_tenant { default 0; "~^([^ ]+) \1$" 1; }
        map "$tenant $1" $is_own_path { default 0; "~^([^ ]+) \1$" 1; }
        map $phantom_token_claim_sub $known { default ""; ~^(?<first>.)lice $first; }
        map $request_method:$is_admin $may_write { default ""; ~^GET: 1; POST:1 1; }
END
    server => <<'END',
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_jwks_endpoint /_jwks;
        phantom_token_audience api;
        ssi_types text/plain;
END
    log => { realm_roles => 'realm_roles', client_roles => 'client_roles', tenant => 'tenant', deep => 'deep',
             sub => 'phantom_token_sub', admin => 'is_admin' },
    locations => <<'END',
        location /open { proxy_pass http://%%API%%; }
        location /claims { proxy_set_header X-Roles $realm_roles; proxy_set_header X-Tenant $tenant;
                           proxy_set_header X-Admin $is_admin; proxy_pass http://%%API%%; }
        location /admin { phantom_token_require $is_admin; proxy_pass http://%%API%%;
                          location /admin/inherited { proxy_pass http://%%API%%; }
                          location /admin/other { phantom_token_require $tenant; proxy_pass http://%%API%%; } }
        location /early { if ($is_admin) { return 418; } phantom_token_require $is_admin; proxy_pass http://%%API%%; }
        location /early-and-api { if ($known) { return 418; } phantom_token_require $known;
                          proxy_set_header X-Known "$known"; proxy_pass http://%%API%%; }
        location /written { set $from_header $http_x_level; phantom_token_require $from_header;
                            proxy_pass http://%%API%%; }
        location ~ ^/own/([^/]*)/ { phantom_token_require $is_admin $is_own_path; proxy_pass http://%%API%%; }
        location ~ ^/first/(.*)$ { phantom_token_require $is_admin $1; proxy_pass http://%%API%%; }
        location ~ ^/captured/(?<level>[^-]*)-(.*)$ { phantom_token_require $level $known;
                            proxy_set_header X-Captured $level,$2; proxy_pass http://%%API%%; }
        location /tenant { phantom_token_require $is_own_tenant error=401; proxy_pass http://%%API%%; }
        location /both { phantom_token_require $tenant $is_admin; phantom_token_require $client_roles error=401;
                         proxy_pass http://%%API%%; }
        location /scope { phantom_token_scopes "read write"; phantom_token_require $is_admin;
                          proxy_pass http://%%API%%; }
        location /write { limit_except GET { phantom_token_require $may_write; } proxy_pass http://%%API%%; }
        location /text { phantom_token_require "$tenant$realm_roles"; proxy_pass http://%%API%%; }
        location /zero { phantom_token_require 0; proxy_pass http://%%API%%;
                         location /zero/off { phantom_token_require 1; proxy_pass http://%%API%%; } }
        location /status { phantom_token_require $phantom_token_status $phantom_token_jwt; proxy_pass http://%%API%%; }
        location /hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                        phantom_token_require $is_admin; proxy_pass http://%%API%%;
                        location /hot/open { phantom_token_require 1; proxy_pass http://%%API%%; } }
        location /none { phantom_token_forward none; phantom_token_require $tenant;
                         proxy_set_header X-Tenant $tenant; proxy_pass http://%%API%%; }
        location /verify { phantom_token_inbound_jwt verify; phantom_token_require $is_admin;
                           proxy_pass http://%%API%%; }
        location /pass { phantom_token_inbound_jwt pass; phantom_token_require $is_admin; proxy_pass http://%%API%%; }
        location /optional { phantom_token optional; phantom_token_require $is_admin; proxy_pass http://%%API%%; }
        location /any { satisfy any; allow all; phantom_token_require $is_admin; proxy_pass http://%%API%%; }
        location = /to-admin { try_files /nonexistent /admin/landed; }
        location = /from-admin { phantom_token_require $is_admin; error_page 403 = /open/landed; }
        location /ssi { ssi on; proxy_pass http://%%API%%; }

        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                              proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }
END
);

my %admin = (sub => 'alice', aud => 'api', tenant => 't1', realm_access => { roles => [qw(user admin)] },
    resource_access => { 'orders-api' => { roles => ['reader'] } });
my %user = (%admin, sub => 'bob', realm_access => { roles => ['user'] });
my $rsa = rsa_key();
$gateway->as->answers(
    '/jwks'       => { json => jwks($rsa) },
    'admin-token' => { jwt => {%admin} },
    'user-token'  => { jwt => {%user} },
    'poor-token'  => { jwt => { sub => 'poor', aud => 'api' } },
);

my %allowed = (status => 200, outcome => 'active', challenge => undef);

sub forbidden {
    my ($name, $path, %case) = @_;
    return { name => $name, request => { path => $path, token => 'user-token', %{ delete $case{request} // {} } },
             status => 403, outcome => 'requirement', challenge => { realm => 'api', error => 'insufficient_scope' },
             %case };
}

sub unauthorized {
    my ($name, $path, %case) = @_;
    return forbidden($name, $path, status => 401, challenge => { realm => 'api', error => 'invalid_token' }, %case);
}

sub allowed {
    my ($name, $path, %case) = @_;
    return { name => $name, request => { path => $path, token => 'admin-token', %{ delete $case{request} // {} } },
             %allowed, %case };
}

# --- claims by their path ---------------------------------------------------------------------------------------------

sub claims {
    my ($name, $answer, $logged, %case) = @_;
    return { name => "claim_set: $name", answers => { 'a-token' => $answer },
             request => { path => '/open', token => 'a-token' }, %allowed, logged => $logged, %case };
}

sub in_jwt { my ($name, $claims, $logged) = @_; return claims($name, { jwt => { aud => 'api', %{$claims} } }, $logged) }

sub client_jwt { return jwt({@_}, header => { alg => 'RS256', kid => $rsa->{kid} }, key => $rsa) }

cases($gateway,
    in_jwt('through objects by exact names', {%admin},
        { realm_roles => 'user admin', client_roles => 'reader', tenant => 't1', deep => '' }),
    in_jwt('names with dots and blanks', { 'a.b' => { 'c d' => { e => 1.5 } } }, { deep => '1.5' }),
    in_jwt('what is not there is empty', {}, { realm_roles => '', client_roles => '', tenant => '', deep => '' }),
    in_jwt('another case is another name', { Tenant => 't1', realm_access => { Roles => ['a'] } },
        { tenant => '', realm_roles => '' }),
    in_jwt('a string', { tenant => 'a "b" c' }, { tenant => 'a "b" c' }),
    in_jwt('a number and a boolean', { tenant => 7, realm_access => { roles => true } },
        { tenant => '7', realm_roles => 'true' }),
    in_jwt('an object is empty', { tenant => { id => 1 } }, { tenant => '' }),
    in_jwt('an array of anything but strings is empty', { realm_access => { roles => ['a', 1] } },
        { realm_roles => '' }),
    in_jwt('an empty array is empty', { realm_access => { roles => [] } }, { realm_roles => '' }),
    in_jwt('no way through an array', { realm_access => [{ roles => 'admin' }] }, { realm_roles => '' }),
    in_jwt('no way through a string', { realm_access => 'roles' }, { realm_roles => '' }),
    in_jwt('null counts as absent', { tenant => undef, realm_access => { roles => undef } },
        { tenant => '', realm_roles => '' }),
    in_jwt('control characters: empty', { tenant => "a\nb", realm_access => { roles => ["a\x7f"] } },
        { tenant => '', realm_roles => '' }),
    claims('from the JSON answer, where the JWT has none',
        { json => { active => true, tenant => 'json', realm_access => { roles => ['r'] },
                    jwt => jwt({ aud => 'api' }) } },
        { tenant => 'json', realm_roles => 'r' }),
    claims('the JWT before the JSON answer',
        { json => { active => true, tenant => 'json', jwt => jwt({ aud => 'api', tenant => 'jwt' }) } },
        { tenant => 'jwt' }),
    claims('an object in the JWT is not looked for in the JSON answer',
        { json => { active => true, tenant => 'json', jwt => jwt({ aud => 'api', tenant => {} }) } }, { tenant => '' }),
    { name => 'claim_set: the API gets them', request => { path => '/claims', token => 'admin-token' }, %allowed,
      api => [{ headers => { 'X-Roles' => 'user admin', 'X-Tenant' => 't1', 'X-Admin' => '1' } }] },
    { name => 'claim_set: empty for a token that is refused',
      answers => { 'bad-token' => { jwt => { %admin, aud => 'x' } } },
      request => { path => '/open', token => 'bad-token' }, status => 401, outcome => 'audience',
      logged => { tenant => '', realm_roles => '', admin => '0' } },
);

# --- require ----------------------------------------------------------------------------------------------------------

cases($gateway,
    allowed('require: a value that holds', '/admin'),
    forbidden('require: 0', '/admin',
        log => qr/requirement: "\$is_admin" is required, and is empty or "0", location "\/admin"/),
    forbidden('require: an empty value', '/admin/other', request => { token => 'poor-token' }),
    forbidden('require: inherited', '/admin/inherited'),
    allowed('require: the nearest level wins', '/admin/other', request => { token => 'user-token' }),
    forbidden('require: a constant 0', '/zero', request => { token => 'admin-token' }),
    allowed('require: 1 takes away what is inherited', '/zero/off', request => { token => 'user-token' }),
    forbidden('require: the scopes are named', '/scope',
        answers => { 's-token' => { jwt => { %user, scope => 'read write' } } },
        request => { token => 's-token' },
        challenge => { realm => 'api', scope => 'read write', error => 'insufficient_scope' }),
    { name => 'require: after the scopes', request => { path => '/scope', token => 'user-token' }, status => 403,
      outcome => 'insufficient_scope' },
    unauthorized('require: error=401', '/tenant', request => { headers => ['X-Tenant: t2'] }),
    allowed('require: a tenant that must equal the host\'s', '/tenant', request => { headers => ['X-Tenant: t1'] }),
    forbidden('require: both values of a line, the second', '/both'),
    unauthorized('require: the second line has its own error', '/both',
        answers => { 'n-token' => { jwt => { %admin, resource_access => {} } } }, request => { token => 'n-token' }),
    allowed('require: all lines hold', '/both'),
    forbidden('require: in limit_except', '/write', request => { method => 'POST', body => 'x' }),
    allowed('require: in limit_except, an admin', '/write', request => { method => 'POST', body => 'x' }),
    allowed('require: in limit_except, another method', '/write', request => { token => 'user-token' }),
    allowed('require: text of several variables', '/text', request => { token => 'user-token' }),
    forbidden('require: text of several variables, all empty', '/text', request => { token => 'poor-token' }),
    allowed('require: the status and the JWT are there', '/status'),
);

# --- afresh -----------------------------------------------------------------------------------------------------------

cases($gateway,
    allowed('afresh: a map that an if has read before the decision', '/early'),
    forbidden('afresh: the same for who is no admin', '/early'),
    allowed('afresh: what was read early stays as it was for those who read it later', '/early-and-api',
        api => [{ headers => { 'X-Known' => undef } }]),
    allowed('afresh: what set has written counts', '/written', request => { headers => ['X-Level: 3'] }),
    forbidden('afresh: what set has written counts, 0', '/written', request => { headers => ['X-Level: 0'] }),
    allowed('afresh: captures of the location are there, and stay', '/captured/gold-rest',
        api => [{ headers => { 'X-Captured' => 'gold,rest' } }]),
    allowed('afresh: a map with a regex leaves $1 to the next value', '/own/t1/x'),
    forbidden('afresh: and the next value counts', '/own/t2/x', request => { token => 'admin-token' }),
    forbidden('afresh: an empty $1 behind a map with a regex', '/first/', request => { token => 'admin-token' }),
    forbidden('afresh: an empty capture', '/captured/-rest', request => { token => 'admin-token' }),
    allowed('afresh: the first of a cached token', '/hot', cache => 'MISS'),
    allowed('afresh: a hot copy', '/hot', cache => 'HOT'),
    forbidden('afresh: the answer about a refused token is kept too', '/hot', request => { token => 'poor-token' },
        cache => 'MISS'),
    forbidden('afresh: so that it costs nothing when it comes again', '/hot', request => { token => 'poor-token' },
        cache => 'HOT', as => 0),
    allowed('afresh: a user fills the hot cache elsewhere', '/hot/open', request => { token => 'user-token' }),
    forbidden('afresh: and is refused by a hot copy', '/hot', cache => 'HOT', as => 0),
);

# --- beside other things ----------------------------------------------------------------------------------------------

cases($gateway,
    allowed('require with forward none', '/none',
        api => [{ authorization => undef, headers => { 'X-Tenant' => 't1' } }]),
    allowed('require with inbound_jwt verify', '/verify', request => { token => client_jwt(%admin) }, as => 1),
    forbidden('require with inbound_jwt verify: 0', '/verify', request => { token => client_jwt(%user) }, as => 0),
    forbidden('require with inbound_jwt pass: nobody has verified the claims', '/pass',
        request => { token => jwt({%admin}) }, as => 0),
    { name => 'require with optional: without a token there are no claims to look at',
      request => { path => '/optional' }, status => 200, outcome => 'anonymous' },
    forbidden('require with optional: a token is held to it', '/optional'),
    { name => 'require with satisfy any: another module grants', request => { path => '/any', token => 'user-token' },
      status => 200, outcome => 'bypassed' },
    forbidden('require after a redirect', '/to-admin'),
    allowed('require after a redirect: holds', '/to-admin'),
    { name => 'require: an error page of another location', request => { path => '/from-admin', token => 'user-token' },
      status => 200, api => [{ authorization => 'Bearer <jwt>' }] },
    { name => 'require in an SSI subrequest', request => { path => '/ssi', token => 'user-token' }, status => 200,
      api_answers => { '/ssi' => { body => '<!--#include virtual="/admin/part" -->', type => 'text/plain' } },
      body => qr/forbidden|403/, api => [{ uri => '/ssi' }] },
);

# --- nginx -t ---------------------------------------------------------------------------------------------------------

configurations(
    { name => 'refused: require without a value', protected => 'phantom_token_require error=401;',
      refuses => qr/"phantom_token_require" of location "\/" has no value: add a variable/ },
    { name => 'refused: another error', protected => 'phantom_token_require $phantom_token_sub error=404;',
      refuses => qr/"phantom_token_require" of location "\/" answers with one "error=401" or "error=403", it has/ },
    map({ { name => "refused: text that is never empty: $_", protected => qq(phantom_token_require "$_";),
            refuses => qr/has the value "\Q$_\E", whose text beside variables would let every token in/ } }
        'admin', '$phantom_token_claim_a=admin', '!$phantom_token_claim_a', '$phantom_token_claim_a $uri',
        '$phantom_token_claim_a-b', '${phantom_token_claim_a}.b', '$phantom_token_claim_a error=401', 'off', '00'),
    map({ { name => "warned: the constant \"$_\"", protected => qq(phantom_token_require "$_";), accepts => 1,
            warns => qr/has the value "$_", which is the same for every token/ } } '0', '1', ''),
    { name => 'refused: two errors', protected => 'phantom_token_require $phantom_token_sub error=401 error=403;',
      refuses => qr/answers with one "error=401" or "error=403", it has "error=403"/ },
    { name => 'refused: claim_set without a variable', http => 'phantom_token_claim_set roles realm_access;',
      refuses => qr/"phantom_token_claim_set" needs the name of a variable first, such as "\$roles", it has "roles"/ },
    { name => 'refused: claim_set without a path', http => 'phantom_token_claim_set $roles;',
      refuses => qr/invalid number of arguments in "phantom_token_claim_set"/ },
    { name => 'refused: claim_set with an empty name', http => 'phantom_token_claim_set $roles realm_access "";',
      refuses => qr/"phantom_token_claim_set" has an empty name of a claim: remove it/ },
    { name => 'refused: claim_set twice', http => 'phantom_token_claim_set $r a; phantom_token_claim_set $r b;',
      refuses => qr/the duplicate "r" variable/ },
    { name => 'refused: claim_set of a variable of nginx', http => 'phantom_token_claim_set $uri a;',
      refuses => qr/the duplicate "uri" variable/ },
    { name => 'refused: claim_set after a map', http => 'map $uri $r { default 1; } phantom_token_claim_set $r a;',
      refuses => qr/"phantom_token_claim_set" defines the variable "\$r", which another directive defines too/ },
    { name => 'refused: claim_set before a map', http => 'phantom_token_claim_set $r a; map $uri $r { default 1; }',
      refuses => qr/the duplicate "r" variable/ },
    { name => 'refused: claim_set in a server', server => 'phantom_token_claim_set $r a;',
      refuses => qr/"phantom_token_claim_set" directive is not allowed here/ },
);

done_testing();
