# phantom_token_source: where the client's token is taken from. phantom_token_pattern: what it must look like.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $rsa     = rsa_key();
my $gateway = gateway(
    http => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        phantom_token_hot_cache zone=hot:1m;
        map $http_upgrade $websocket_token { default ""; websocket $arg_access_token; }
        map $http_x_tenant $other_endpoint { volatile; ~^(.*)$ $1; }
        map $http_authorization $other_scheme { default ""; "~^Token (.+)$" $1; }
END
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
        ssi_types text/plain;
END
    log => { key => 'phantom_token_key', sub => 'phantom_token_sub' },
    locations => <<'END',
        location /header { proxy_pass http://%%API%%; }
        location /cookie { phantom_token_source $cookie_at; proxy_pass http://%%API%%;
                           location /cookie/inherited { proxy_pass http://%%API%%; }
                           location /cookie/header { phantom_token_source authorization; proxy_pass http://%%API%%; } }
        location /both { phantom_token_source authorization $cookie_at; proxy_pass http://%%API%%; }
        location /reverse { phantom_token_source $cookie_at Authorization; proxy_pass http://%%API%%; }
        location /three { phantom_token_source $http_x_token $arg_token $cookie_at; proxy_pass http://%%API%%; }
        location /socket { phantom_token_source authorization $websocket_token; proxy_pass http://%%API%%; }
        location /scheme { phantom_token_source $other_scheme; proxy_pass http://%%API%%; }
        location /none { phantom_token_source $cookie_at; phantom_token_forward none; proxy_pass http://%%API%%; }
        location /optional { phantom_token optional; phantom_token_source $cookie_at; proxy_pass http://%%API%%; }
        location /visible { phantom_token_source $http_x_token; phantom_token_syntax visible;
                            proxy_pass http://%%API%%; }
        location /any { satisfy any; allow all; phantom_token_source $cookie_at; proxy_pass http://%%API%%; }
        location /any/denied { satisfy any; deny all; phantom_token_source $cookie_at; proxy_pass http://%%API%%; }
        location /verify { phantom_token_source $cookie_at; phantom_token_inbound_jwt verify;
                           phantom_token_jwks_endpoint /_jwks; phantom_token_audience api;
                           proxy_pass http://%%API%%; }
        location /early { phantom_token_source $cookie_at; if ($phantom_token_key = x) { return 404; }
                          proxy_set_header X-Key $phantom_token_key; proxy_pass http://%%API%%; }
        location /hot { phantom_token_source authorization $cookie_at; phantom_token_introspection_endpoint /_cached;
                        phantom_token_hot_cache hot; proxy_pass http://%%API%%; }
        location /query { phantom_token_source $arg_token; try_files /nonexistent /query/landed;
                          location /query/landed { proxy_pass http://%%API%%/landed; } }
        location /query-to-other { phantom_token_source $arg_token; try_files /nonexistent /three/landed; }
        location /ssi { phantom_token_source $arg_token; ssi on; proxy_pass http://%%API%%;
                        location /ssi/part { proxy_pass http://%%API%%/part; } }
        location /open-ssi { phantom_token off; ssi on; proxy_pass http://%%API%%; }
        location /echoed { phantom_token_source $cookie_at; proxy_set_header Cookie ""; proxy_pass http://%%API%%; }

        location ~ ^/captured/(.*)$ { phantom_token_source $other_scheme; proxy_pass http://%%API%%/up/$1; }
        location ~ ^/endpoint/(.*)$ { phantom_token_introspection_endpoint /_introspect?$other_endpoint;
                        proxy_pass http://%%API%%/up/$1; }
        location /pattern { phantom_token_pattern "^pt_[0-9a-f]{4}$"; proxy_pass http://%%API%%;
                            location /pattern/none { phantom_token_pattern ""; proxy_pass http://%%API%%; }
                            location /pattern/cookie { phantom_token_source $cookie_at; proxy_pass http://%%API%%; } }
        location /part { phantom_token_pattern oken; proxy_pass http://%%API%%; }
        location /jwt { phantom_token_pattern ^pt_; phantom_token_inbound_jwt verify; phantom_token_audience api;
                        phantom_token_jwks_endpoint /_jwks; proxy_pass http://%%API%%; }
        location /backtracking { phantom_token_pattern ^(a+)+$; proxy_pass http://%%API%%; }

        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                              proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }
END
);
$gateway->as->answers('/jwks' => { json => jwks($rsa) },
    map { $_ => { jwt => { sub => $_, aud => 'api' } } } qw(alice-token bob-token pt_12af), 'a!b:c');

my %active  = (status => 200, as => 1, outcome => 'active', challenge => undef,
    api => [{ authorization => 'Bearer <jwt>' }]);
my $cookie  = 'Cookie: a=b; at=alice-token';
my $invalid = { realm => 'api', error => 'invalid_token' };

sub from { my ($path, @headers) = @_; return { path => $path, headers => \@headers } }

# That of this token, however it came.
sub active_as {
    my ($token, %case) = @_;
    return (%active, logged => { sub => $token }, as => [{ body => "token=$token&token_type_hint=access_token" }],
        api => [{ authorization => 'Bearer ' . $gateway->as->jwt_for($token) }], %case);
}

cases($gateway,
    # --- one source ---
    { name => 'source: the header, as ever', request => { path => '/header', token => 'alice-token' }, %active },
    { name => 'source: a cookie is none without it', request => from('/header', $cookie), status => 401, as => 0,
      outcome => 'missing', challenge => { realm => 'api' } },
    { name => 'source: a cookie', request => from('/cookie', $cookie), active_as('alice-token') },
    { name => 'source: over HTTP/2', request => { path => '/cookie', http2 => 1, port => 'h2', headers => [$cookie] },
      active_as('alice-token') },
    { name => 'source: the header is not looked at', request => { path => '/cookie', token => 'alice-token' },
      status => 401, as => 0, outcome => 'missing', challenge => { realm => 'api' } },
    { name => 'source: an empty cookie is none', request => from('/cookie', 'Cookie: at='), status => 401, as => 0,
      outcome => 'missing', challenge => { realm => 'api' } },
    { name => 'source: inherited', request => from('/cookie/inherited', $cookie), active_as('alice-token') },
    { name => 'source: the nearest level wins', request => from('/cookie/header', $cookie), status => 401, as => 0,
      outcome => 'missing' },
    { name => 'source: an inactive token', request => from('/cookie', 'Cookie: at=gone-token'), status => 401, as => 1,
      outcome => 'inactive', challenge => $invalid },
    map({ { name => "source: malformed: $_", request => from('/cookie', "Cookie: at=$_"), status => 401, as => 0,
            outcome => 'malformed', challenge => $invalid } }
        'a b', 'Bearer alice-token', 'a,b', '"alice-token"', 'a%20b', 'a&token=b', '=a'),
    { name => 'source: phantom_token_syntax holds', request => from('/visible', 'X-Token: a!b:c'),
      active_as('a!b:c', as => [{ body => 'token=a%21b%3Ac&token_type_hint=access_token' }]) },
    { name => 'source: a part of a header by a map', request => from('/scheme', 'Authorization: Token alice-token'),
      active_as('alice-token') },

    { name => 'source: a map with a regex leaves the location\'s $1 alone',
      request => from('/captured/orders/7', 'Authorization: Token alice-token'),
      active_as('alice-token', api => [{ uri => '/up/orders/7' }]) },
    { name => 'an endpoint by a map with a regex does so too',
      request => { path => '/endpoint/orders/7', token => 'alice-token', headers => ['X-Tenant: t1'] },
      active_as('alice-token', as => [{ uri => qr{^/introspect} }], api => [{ uri => '/up/orders/7' }]) },

    # --- the client's own Authorization never passes ---
    map({ { name => "source: its own Authorization is replaced: $_",
            request => from('/cookie', $cookie, "Authorization: $_"), active_as('alice-token') } }
        'Basic eA==', 'Bearer bob-token', 'Bearer a b', 'Digest x'),
    { name => 'source: forward none takes it out', request => from('/none', $cookie, 'Authorization: Bearer bob-token'),
      %active, as => 1, api => [{ authorization => undef }] },
    { name => 'source: optional, without a token', request => from('/optional', 'Authorization: Bearer bob-token'),
      status => 200, as => 0, outcome => 'anonymous', api => [{ authorization => undef }] },
    { name => 'source: optional, with one', request => from('/optional', $cookie), active_as('alice-token') },
    { name => 'source: satisfy any, granted by another: only a bearer token is taken out',
      request => from('/any', 'Authorization: Basic eA=='), status => 200, as => 0, outcome => 'bypassed',
      api => [{ authorization => 'Basic eA==' }] },
    { name => 'source: satisfy any, granted by another: a bearer token',
      request => from('/any', 'Authorization: Bearer bob-token'), status => 200, as => 0, outcome => 'bypassed',
      api => [{ authorization => undef }] },
    { name => 'source: satisfy any, granted here', request => from('/any/denied', $cookie), active_as('alice-token') },
    { name => 'source: the cookie reaches the API as it was sent', request => from('/cookie', $cookie),
      active_as('alice-token'), api => [{ cookie => 'a=b; at=alice-token' }] },
    { name => 'source: unless it is dropped', request => from('/echoed', $cookie), active_as('alice-token'),
      api => [{ cookie => undef }] },

    # --- several ---
    { name => 'sources: the header first', request => from('/both', $cookie, 'Authorization: Bearer bob-token'),
      active_as('bob-token') },
    { name => 'sources: another scheme counts as empty', request => from('/both', $cookie, 'Authorization: Basic eA=='),
      active_as('alice-token') },
    { name => 'sources: no header', request => from('/both', $cookie), active_as('alice-token') },
    map({ { name => "sources: a malformed header is not empty: $_",
            request => from('/both', $cookie, "Authorization: $_"), status => 401, as => 0, outcome => 'malformed' } }
        'Bearer', 'Bearer a b', 'bearer "'),
    { name => 'sources: the cookie first', request => from('/reverse', $cookie, 'Authorization: Bearer bob-token'),
      active_as('alice-token') },
    { name => 'sources: then the header', request => from('/reverse', 'Authorization: Bearer bob-token'),
      active_as('bob-token') },
    { name => 'sources: none', request => from('/reverse', 'Cookie: x=y'), status => 401, as => 0,
      outcome => 'missing', challenge => { realm => 'api' } },
    { name => 'sources: three, the third', request => from('/three', $cookie), active_as('alice-token') },
    { name => 'sources: three, the second', request => from('/three?token=bob-token', $cookie),
      active_as('bob-token') },
    { name => 'sources: three, the first', request => from('/three?token=a', $cookie, 'X-Token: bob-token'),
      active_as('bob-token') },
    { name => 'sources: three, the first is bad', request => from('/three', $cookie, 'X-Token: a b'), status => 401,
      as => 0, outcome => 'malformed' },
    { name => 'sources: a map decides', request => from('/socket?access_token=alice-token'), status => 401, as => 0,
      outcome => 'missing' },
    { name => 'sources: two Authorization headers are still refused',
      request => from('/both', 'Authorization: Bearer alice-token', 'Authorization: Bearer bob-token'), status => 400,
      as => 0, api => 0 },

    # --- beside other things ---
    { name => 'source: inbound_jwt verify',
      request => from('/verify', 'Cookie: at=' . jwt({ sub => 'own', aud => 'api' },
          header => { alg => 'RS256', kid => $rsa->{kid} }, key => $rsa)),
      status => 200, as => [{ uri => '/jwks' }], logged => { sub => 'own' } },
    { name => 'source: a redirect drops the arguments, not the token',
      request => from('/query?token=alice-token'), active_as('alice-token') },
    { name => 'source: a redirect to another list of sources looks anew',
      request => from('/query-to-other?token=alice-token', 'Cookie: at=bob-token'), status => 200, as => 2,
      logged => { sub => 'bob-token' } },
    { name => 'source: a subrequest has the token of the client\'s request',
      request => from('/ssi?token=alice-token'), status => 200, as => 1, body => qr/^\[the part\]$/,
      api_answers => { '/ssi' =>
          { body => '[<!--#include virtual="/ssi/part?token=bob-token" -->]', type => 'text/plain' },
          '/part' => { body => 'the part', type => 'text/plain' } } },
    { name => 'source: a subrequest cannot bring a token', request => from('/open-ssi'), status => 200, as => 0,
      body => qr/^\[(?!.*the part).*\]$/s,
      api_answers => { '/open-ssi' =>
          { body => '[<!--#include virtual="/ssi/part?token=bob-token" -->]', type => 'text/plain' } } },
);

# --- the key of a cache -----------------------------------------------------------------------------------------------

{
    my $key = sub {
        my ($token) = @_;
        $gateway->api->forget_requests;
        $gateway->request(path => '/early', headers => ["Cookie: at=$token"]);
        my ($seen) = $gateway->api->requests;
        return $seen->header('X-Key');
    };
    my %key = (alice => $key->('alice-token'), bob => $key->('bob-token'), again => $key->('alice-token'));
    like $key{alice}, qr/^[0-9a-f]{64}$/, '$phantom_token_key is over the token of the source';
    is $key{again}, $key{alice}, 'the same token, the same key';
    isnt $key{bob}, $key{alice}, 'another token, another key';
}
cases($gateway,
    { name => 'hot cache: by the header', request => { path => '/hot', token => 'alice-token' }, %active,
      cache => 'MISS' },
    { name => 'hot cache: the same token in a cookie', request => from('/hot', $cookie),
      active_as('alice-token', as => 0), cache => 'HOT' },
    { name => 'hot cache: another in the cookie', request => from('/hot', 'Cookie: at=bob-token'),
      active_as('bob-token'), cache => 'MISS' },
);

# --- phantom_token_pattern --------------------------------------------------------------------------------------------

my %unlike = (status => 401, as => 0, outcome => 'malformed', challenge => $invalid);
cases($gateway,
    { name => 'pattern: a token that matches', request => { path => '/pattern', token => 'pt_12af' }, %active },
    map({ { name => "pattern: one that does not: $_", request => { path => '/pattern', token => $_ }, %unlike,
            log => qr/malformed: the token does not match "phantom_token_pattern", location "\/pattern"/ } }
        'alice-token', 'PT_12AF', 'pt_12a', 'pt_12aff', 'xpt_12af', 'pt_12af='),
    { name => 'pattern: it is not anchored', request => { path => '/part', token => 'alice-token' }, %active },
    { name => 'pattern: "" empties it', request => { path => '/pattern/none', token => 'alice-token' }, %active },
    { name => 'pattern: a token of another source', request => from('/pattern/cookie', $cookie), %unlike },
    { name => 'pattern: a client\'s own JWT too', %unlike, request => { path => '/jwt', token => jwt({ aud => 'api' },
          header => { alg => 'RS256', kid => $rsa->{kid} }, key => $rsa) } },
    { name => 'pattern: PCRE gives up', request => { path => '/backtracking', token => ('a' x 5000) . '!' }, %unlike },
    { name => 'pattern: PCRE gives up, on a token that is well-formed',
      request => { path => '/backtracking', token => ('a' x 5000) . '-' }, %unlike,
      announce => qr/\[alert\].*phantom token: pcre\w*\(\) failed: -\d+, using "\^\(a\+\)\+\$"/ },
);

# --- nginx -t ---------------------------------------------------------------------------------------------------------

my $words = qr/"phantom_token_source" of location "\/" must name "authorization" or variables, such as "\$cookie_at"/;
configurations(
    map({ { name => "refused: no source: $_", protected => qq(phantom_token_source "$_";),
            refuses => qr/$words, each as an argument of its own and without any text beside it; it has "\Q$_\E"/ } }
        'cookie', '', 'authorization $cookie_at', 'Bearer $cookie_at', '$cookie_my-token', '${cookie_at} '),
    { name => 'refused: source twice', protected => 'phantom_token_source $cookie_a; phantom_token_source $cookie_b;',
      refuses => qr/"phantom_token_source" directive is duplicate/ },
    map({ { name => "warned: $_", protected => "phantom_token_source authorization $_;", accepts => 1,
            warns => qr/"phantom_token_source" of location "\/" takes the token out of the URL, by "\Q$_\E"/ } }
        '$arg_token', '${arg_token}', '$cookie_at$arg_token', '$Arg_token', '$args', '$query_string', '$request_uri'),
    { name => 'warned of nothing: a cookie, a header, a variable of one\'s own', accepts => 1, warns => [],
      protected => 'phantom_token_source authorization $cookie_args $http_x_arg_token $cookie_a${http_b};' },
    { name => 'refused: a pattern that is none', protected => 'phantom_token_pattern "pt_(";',
      refuses => qr/pcre\w*\(\) failed.*"pt_\("/ },
    { name => 'refused: pattern twice', protected => 'phantom_token_pattern a; phantom_token_pattern b;',
      refuses => qr/"phantom_token_pattern" directive is duplicate/ },
);

done_testing();
