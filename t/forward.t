# phantom_token_forward: what the API gets. The gateway's own JWT is verified by two libraries, with the JWK Set that
# the gateway publishes.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'sha256';
use Harness;
use Harness::Verifiers 'verify_jwts';
use JSON::PP     ();
use MIME::Base64 qw(decode_base64url encode_base64url);

my $folder   = temporary_folder();
my $json     = JSON::PP->new->utf8->canonical;
my $issuer   = 'https://gateway.example';
my $audience = 'https://api.example';

sub openssl {
    my $result = run(['openssl', @_]);
    die "openssl @_: $result->{err}\n" if $result->{code} != 0;
    return $result->{out};
}

sub new_key {
    my ($name, @options) = @_;
    openssl('genpkey', @options, '-out', "$folder/$name.pem");
    chmod 0600, "$folder/$name.pem";
    return "$folder/$name.pem";
}
my $p256 = new_key('p256', qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256));
new_key('next',    qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256));
new_key('p384',    qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384));
new_key('p521',    qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-521));
new_key('ed25519', qw(-algorithm ED25519));
new_key('rsa',     qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048));

my $SIGN = "phantom_token_forward sign; phantom_token_signed_issuer $issuer; "
    . "phantom_token_signed_audience $audience;";
my $API     = 'proxy_pass http://%%API%%;';
my $CACHING = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; '
    . 'proxy_cache_valid 200 10m;';

# What the API got in Authorization for the last request: the JWT, or undef.
sub forwarded {
    my ($gateway) = @_;
    my @requests = $gateway->api->requests;
    my @sent     = $requests[-1]->headers('Authorization');
    return @sent == 1 && $sent[0] =~ /^Bearer (.*)$/ ? $1 : undef;
}

sub header_of { my ($jwt) = @_; return $json->decode(decode_base64url((split /\./, $jwt)[0])) }

# --- every algorithm --------------------------------------------------------------------------------------------------

# path, line, alg, kid
my @algorithms = (
    ['p256',    "$folder/p256.pem;",                       'ES256'],
    ['p384',    "$folder/p384.pem;",                       'ES384'],
    ['p521',    "$folder/p521.pem;",                       'ES512'],
    ['ed25519', "$folder/ed25519.pem;",                    'EdDSA'],
    ['rsa',     "$folder/rsa.pem;",                        'RS256'],
    ['named',   "$folder/p256.pem kid=k-1;",               'ES256', 'k-1'],
    ['quoted',  qq{$folder/p256.pem alg=ES256 'kid=k"\\2';}, 'ES256', 'k"\\2'],
    map { ["rsa-$_", "$folder/rsa.pem alg=$_;", $_] } qw(RS384 RS512 PS256 PS384 PS512),
);
my $algorithms = join "\n", map {
    "location /$_->[0] { phantom_token on; $SIGN phantom_token_signing_key $_->[1] $API
         location /$_->[0]/jwks { phantom_token off; phantom_token_jwks; } }"
} @algorithms;

my $gateway = gateway(
    clock     => 'time',
    http      => "proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:1m valid=5m;",
    server    => "phantom_token_introspection_endpoint /_introspect;",
    log       => { jwt => 'phantom_token_jwt', cache => 'phantom_token_cache', sub => 'phantom_token_sub',
                   iss => 'phantom_token_claim_iss', key => 'phantom_token_key' },
    locations => $algorithms . <<"END",
        location /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location /_exchange-cached { internal; $CACHING proxy_pass http://%%AS%%/token; }
        location /_exchange { internal; proxy_pass http://%%AS%%/token; }
        location /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
        location /_cached { internal; $CACHING proxy_pass http://%%AS%%/introspect; }

        location /plain { phantom_token on; $API }
        location /sign { phantom_token on; $SIGN phantom_token_signing_key $p256; $API
            location /sign/jwks { phantom_token off; phantom_token_jwks; }
            location /sign/short { phantom_token_signed_lifetime 10s; $API }
            location /sign/two { phantom_token_signed_audience $audience https://second.example; $API }
            location /sign/some { phantom_token_signed_claims scope role; $API }
            location /sign/all { phantom_token_signed_claims ""; $API }
            location /sign/scopes { phantom_token_scopes read; $API }
            location /sign/iss { phantom_token_issuer https://as.example; phantom_token_audience orders; $API }
            location /sign/leeway { phantom_token_leeway 1h; $API }
            location /sign/bound { phantom_token_confirmation pass; $API }
            location /sign/member { phantom_token_jwt_member inner; $API }
            location /sign/verify { phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks; $API }
            location /sign/inbound { phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_jwks;
                                     phantom_token_audience orders; $API }
            location /sign/exchange { phantom_token_exchange_endpoint /_exchange; $API }
            location /sign/exchange/hot { $API
                phantom_token_exchange_endpoint /_exchange-cached; phantom_token_hot_cache hot;
                location /sign/exchange/hot/jwt { phantom_token_forward jwt; $API }
                location /sign/exchange/hot/none { phantom_token_forward none; $API } }
            location /sign/cached { phantom_token_introspection_endpoint /_cached; $API }
            location /sign/hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot; $API
                location /sign/hot/other { phantom_token_signed_audience https://second.example; $API }
                location /sign/hot/short { phantom_token_signed_lifetime 10s; $API } }
            location /sign/to-none { rewrite ^ /none/redirected; }
            location /sign/redirect { phantom_token_introspection_endpoint /_introspect; $API
                proxy_intercept_errors on; error_page 418 = /sign/two/after; }
        }
        location /none { phantom_token on; phantom_token_forward none; proxy_set_header X-User \$phantom_token_sub;
                         proxy_set_header X-Role \$phantom_token_claim_role; $API
            location /none/hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                                 proxy_set_header X-User \$phantom_token_sub; $API }
        }
        location /keys { phantom_token_signing_key $folder/rsa.pem;
                         phantom_token_signing_key $folder/p384.pem alg=ES384;
                         phantom_token_signing_key $folder/ed25519.pem alg=Ed25519 kid=ed; phantom_token_jwks; }
END
);
my ($as, $api) = ($gateway->as, $gateway->api);

my %json_answer = (
    active => true, sub => 'alice', client_id => 'app', scope => 'read write', username => 'Älice',
    iss => 'https://as.example', aud => ['orders'], token_type => 'Bearer', iat => time - 5, exp => time + 3600,
    nbf => time - 5, jti => 'token-id',
    role => 'admin', nested => { list => [1, 2.50, { deep => [true, undef, 'x"\\y'] }], empty => {}, none => [] },
    absent => undef,
);
$as->answers('alice-token' => { json => \%json_answer });

for my $row (@algorithms) {
    my ($path, undef, $alg, $kid) = @{$row};
    my $before = time;
    is $gateway->get("/$path", token => 'alice-token')->status, 200, "$path: allowed";
    my $jwt  = forwarded($gateway);
    my $jwks = $gateway->get("/$path/jwks")->body;
    my ($key) = @{ $json->decode($jwks)->{keys} };
    is_deeply header_of($jwt), { alg => $alg, typ => 'at+jwt', kid => $kid // $key->{kid} }, "$path: the header";
    is $key->{kid}, $kid, "$path: the kid" if defined $kid;
    for my $verified (verify_jwts($jwks, $issuer, $audience, $jwt)) {
        my ($library, $results) = @{$verified};
        my $claims = $results->[0]{claims};
        is $results->[0]{error}, undef, "$path: verified by $library";
        is $claims->{sub}, 'alice', "$path: the sub by $library";
    }
    my $claims = jwt_claims($jwt);
    cmp_ok $claims->{iat}, '>=', $before - 1, "$path: iat";
    is $claims->{exp}, $claims->{iat} + 300, "$path: exp";
}

# --- the claims -------------------------------------------------------------------------------------------------------

sub signed_claims {
    my ($path, $token, $name) = @_;
    is $gateway->get($path, token => $token)->status, 200, "$name: allowed";
    return jwt_claims(forwarded($gateway) // return {});
}

my $signed = signed_claims('/sign', 'alice-token', 'all claims');
is length decode_base64url($signed->{jti}), 16, 'all claims: jti has 128 bits';
is_deeply [sort keys %{$signed}],
    [qw(aud client_id exp iat iss jti nested role scope sub username)],
    'all claims: those of the answer but what the gateway sets or leaves out';
is_deeply $signed->{nested}, $json_answer{nested}, 'all claims: at every depth';
is $signed->{username}, 'Älice', 'all claims: beyond ASCII';
is_deeply [@{$signed}{qw(iss aud client_id scope)}], [$issuer, $audience, 'app', 'read write'], 'all claims: values';
isnt signed_claims('/sign', 'alice-token', 'again')->{jti}, $signed->{jti},
    'without a hot cache: signed for each request';
my $response = $gateway->get('/sign', token => 'alice-token');
my $logged   = $gateway->logged($response);
is $logged->{jwt}, forwarded($gateway), '$phantom_token_jwt is what is forwarded';
is $logged->{iss}, 'https://as.example', 'a claim variable is the token\'s';

is_deeply signed_claims('/sign/two', 'alice-token', 'two audiences')->{aud}, [$audience, 'https://second.example'],
    'two audiences: an array';
is_deeply [sort keys %{ signed_claims('/sign/some', 'alice-token', 'some claims') }],
    [qw(aud exp iat iss jti role scope sub)], 'some claims: those and the gateway\'s own';
is_deeply [sort keys %{ signed_claims('/sign/all', 'alice-token', '"" for all') }], [sort keys %{$signed}],
    '"" for all: all';
$signed = signed_claims('/sign/short', 'alice-token', 'a short life');
is $signed->{exp}, $signed->{iat} + 10, 'a short life: exp';

# name, answer, what is checked of the signed claims
my $soon = time + 60;
for my $row (
    ['the answer\'s exp',          { json => { active => true, sub => 'a', exp => $soon } },       { exp => $soon }],
    ['the answer\'s exp, rounded', { json => { active => true, sub => 'a', exp => $soon + 0.7 } }, { exp => $soon }],
    ['no exp',                     { json => { active => true, sub => 'a' } },                     { sub => 'a' }],
    ['the JWT\'s exp',
     { json => { active => true, sub => 'a', exp => $soon + 60, jwt => jwt({ exp => $soon }) } }, { exp => $soon }],
    ['the client as sub',   { json => { active => true, client_id => 'app' } }, { sub => 'app', client_id => 'app' }],
    ['an empty sub',        { json => { active => true, sub => '', client_id => 'app' } }, { sub => 'app' }],
    ['sub null',            { json => { active => true, sub => undef, client_id => 'app' } }, { sub => 'app' }],
    ['claims of the JWT',
     { json => { active => true, sub => 'a', role => 'x', none => undef,
                 jwt => jwt({ sub => 'b', role => 'y', none => 1, more => [1], iss => 'i', jti => 'j',
                              jwt => 'n' }) } },
     { sub => 'a', role => 'x', none => 1, more => [1], jwt => undef, iss => $issuer }],
    ['only a JWT',
     { jwt => { sub => 'b', more => 2, scp => ['read'] } }, { sub => 'b', more => 2, scp => ['read'] }],
    ['an array of scopes',  { json => { active => true, sub => 'a', scope => ['r', 'w'] } }, { scope => ['r', 'w'] }],
    ['numbers as written',  { json => '{"active":true,"sub":"a","big":123456789012345678901234567890}' },
     { big => '123456789012345678901234567890' }],
    ['RFC 9701',
     { body => jwt({ exp => $soon, token_introspection => { active => true, sub => 'env', x => 1 } },
                   header => { alg => 'HS256', typ => 'token-introspection+jwt' }),
       type => 'application/token-introspection+jwt' },
     { sub => 'env', x => 1, exp => $soon, token_introspection => undef }],
) {
    my ($name, $answer, $expected) = @{$row};
    $as->answers('row-token' => $answer);
    my $claims = signed_claims('/sign', 'row-token', $name);
    is_deeply { map { $_ => $claims->{$_} } keys %{$expected} }, $expected, "$name: the claims";
}

$as->answers(
    'other-token' => { json => { active => true, sub => 'o', inner => jwt({ x => 1, inner => 2 }), jwt => 'no JWT' } }
);
$signed = signed_claims('/sign/member', 'other-token', 'another jwt_member');
is_deeply [@{$signed}{qw(x inner jwt)}], [1, undef, 'no JWT'], 'another jwt_member: it is no claim, and jwt is one';
$as->answers('bound-token' => { json => { active => true, sub => 'o', cnf => { jkt => 'x' }, token_type => 'DPoP' } });
is_deeply signed_claims('/sign/bound', 'bound-token', 'a bound token')->{cnf}, { jkt => 'x' },
    'a bound token: under "pass" the API gets what it is bound to';
$as->answers('late-token' => { json => { active => true, sub => 'late', exp => time - 60 } });
cmp_ok signed_claims('/sign/leeway', 'late-token', 'a token within its leeway')->{exp}, '<', time,
    'a token within its leeway: exp is the token\'s';

# --- what cannot be signed, and what is refused as ever ---------------------------------------------------------------

my %app = (active => true, client_id => 'app');
cases(
    $gateway,
    { name => 'neither sub nor client_id', request => { path => '/sign', token => 'n-token' }, status => 502,
      answers => { 'n-token' => { json => { active => true, username => 'x' } } },
      log     => qr/as_bad_response: the token has neither sub nor client_id/ },
    { name => 'a sub that is a number', request => { path => '/sign', token => 'n-token' }, status => 502,
      answers => { 'n-token' => { json => { %app, sub => 7 } } },
      log     => qr/as_bad_response: the sub .* is not a string/ },
    (map { {
        name => "control characters: $_->[0]", request => { path => '/sign', token => 'n-token' }, status => 502,
        answers => { 'n-token' => { json => { %app, %{ $_->[1] } } } },
        log     => qr/as_bad_response: a claim of the token has control characters/
    } } ['a value', { x => "a\nb" }], ['a name', { "a\tb" => 1 }], ['deep', { x => [{ y => "\x7f" }] }],
        ['sub', { sub => "a\0" }]),
    { name => 'control characters in a claim that is not asked for',
      request => { path => '/sign/some', token => 'n-token' }, status => 200,
      answers => { 'n-token' => { json => { %app, x => "a\nb" } } }, api => 1 },
    { name => 'more than 64 KB', request => { path => '/sign', token => 'n-token' }, status => 502,
      answers => { 'n-token' => { json => { %app, x => '"' x 32_700 } } },
      log     => qr/as_bad_response: the claims of the token take more than 64 KB/ },
    { name => 'names twice', request => { path => '/sign', token => 'n-token' }, status => 502,
      answers => { 'n-token' => { json => '{"active":true,"sub":"a","x":1,"x":2}' } }, log => qr/as_bad_response/ },
    { name => 'a JWT member that is none', request => { path => '/sign', token => 'n-token' }, status => 502,
      answers => { 'n-token' => { json => { %app, jwt => 'opaque' } } }, log => qr/as_bad_response/ },
    { name => 'inactive', request => { path => '/sign', token => 'n-token' }, status => 401,
      answers => { 'n-token' => { json => { active => false, sub => 'a' } } } },
    { name => 'expired', request => { path => '/sign', token => 'n-token' }, status => 401,
      answers => { 'n-token' => { json => { %app, exp => time - 1 } } } },
    { name => 'expired by the JWT beside it', request => { path => '/sign', token => 'n-token' }, status => 401,
      answers => { 'n-token' => { json => { %app, jwt => jwt({ exp => time - 1 }) } } } },
    { name => 'a scope is missing', request => { path => '/sign/scopes', token => 'n-token' }, status => 403,
      answers => { 'n-token' => { json => { %app, scope => 'write' } } } },
    { name => 'scp in a JSON answer is no scope', request => { path => '/sign/scopes', token => 'n-token' },
      status => 403, answers => { 'n-token' => { json => { %app, scp => ['read'] } } } },
    { name => 'the scope is there', request => { path => '/sign/scopes', token => 'n-token' }, status => 200,
      answers => { 'n-token' => { json => { %app, scope => 'read' } } }, api => 1 },
    { name => 'iss and aud of the answer', request => { path => '/sign/iss', token => 'n-token' }, status => 200,
      answers => { 'n-token' => { json => { %app, iss => 'https://as.example', aud => 'orders' } } }, api => 1 },
    { name => 'another iss', request => { path => '/sign/iss', token => 'n-token' }, status => 401,
      answers => { 'n-token' => { json => { %app, iss => 'https://other.example', aud => 'orders' } } } },
    { name => 'no iss', request => { path => '/sign/iss', token => 'n-token' }, status => 401,
      answers => { 'n-token' => { json => { %app, aud => 'orders' } } } },
    { name => 'another aud', request => { path => '/sign/iss', token => 'n-token' }, status => 401,
      answers => { 'n-token' => { json => { %app, iss => 'https://as.example', aud => ['other'] } } } },
    { name => 'bound', request => { path => '/sign', token => 'bound-token' }, status => 401 },
    { name => 'nothing to verify', request => { path => '/sign/verify', token => 'n-token' }, status => 502,
      answers => { 'n-token' => { json => {%app} } },
      log     => qr/as_bad_response: "phantom_token_verify_jwt" is on, but/ },
    { name => 'without sign: no JWT, and what to do', request => { path => '/plain', token => 'alice-token' },
      status => 502,
      log => qr/the response holds no JWT, so there is nothing to forward; "phantom_token_forward sign" makes/ },
);

# --- what is asked ----------------------------------------------------------------------------------------------------

for my $row (['/plain', 'application/jwt'], ['/sign', 'application/json'], ['/none', 'application/json']) {
    my ($path, $accept) = @{$row};
    $as->forget_requests;
    $gateway->get($path, token => 'alice-token');
    is +($as->requests)[0]->header('Accept'), $accept, "$path: Accept";
}
my %keys = map { $_ => $gateway->logged($gateway->get($_, token => 'alice-token'))->{key} }
    qw(/plain /sign /sign/two /none);
is $keys{'/sign'}, $keys{'/none'},    'the same is asked for sign and none: one key';
is $keys{'/sign'}, $keys{'/sign/two'}, 'how it is signed is no part of the key';
isnt $keys{'/sign'}, $keys{'/plain'}, 'another Accept has another key';

# --- the client's own JWT, and token exchange -------------------------------------------------------------------------

my $rsa = rsa_key('as');
$as->answers('/jwks' => { json => jwks($rsa) });
my $own = jwt({ sub => 'carol', aud => 'orders', x => 1, exp => time + 3600 }, key => $rsa);
$signed = signed_claims('/sign/inbound', $own, 'the client\'s own JWT');
is_deeply [@{$signed}{qw(sub x iss aud)}], ['carol', 1, $issuer, $audience], 'the client\'s own JWT: signed anew';
is $gateway->get('/sign/inbound', token => jwt({ sub => 'carol', aud => 'orders' }))->status, 401,
    'a forged one: refused';

my $exchanged = jwt({ sub => 'dora', y => 1, iss => 'i' });
$as->answers('e-token' => { json => { access_token => $exchanged, token_type => 'Bearer', expires_in => 60,
                                      refresh_token => 'r', session_state => 's', scope => 'read' } });
$signed = signed_claims('/sign/exchange', 'e-token', 'token exchange');
is_deeply [sort keys %{$signed}], [qw(aud exp iat iss jti scope sub y)],
    'token exchange: the claims of the JWT, and of the response only its scope';

# --- none -------------------------------------------------------------------------------------------------------------

for my $token ('alice-token', 'jwt-token') {
    $as->answers('jwt-token' => { jwt => { sub => 'alice', role => 'admin' } });
    $api->forget_requests;
    my $logged = $gateway->logged($gateway->get('/none', token => $token));
    my ($seen) = $api->requests;
    is_deeply [$seen->headers('Authorization')], [], "none, $token: no Authorization";
    is_deeply [map { $seen->header($_) } qw(X-User X-Role)], ['alice', 'admin'], "none, $token: claim variables";
    is $logged->{jwt}, '', "none, $token: \$phantom_token_jwt is empty";
}

# --- one request in several locations ---------------------------------------------------------------------------------

$api->forget_requests;
is $gateway->get('/sign/to-none', token => 'alice-token')->status, 200, 'rewritten into none: allowed';
is forwarded($gateway), undef, 'rewritten into none: no Authorization';
$api->answers('/sign/redirect' => { status => 418 });
$as->forget_requests;
is $gateway->get('/sign/redirect', token => 'alice-token')->status, 200, 'redirected to other settings: allowed';
is_deeply jwt_claims(forwarded($gateway))->{aud}, [$audience, 'https://second.example'],
    'redirected to other settings: signed by them';
is scalar($as->requests), 1, 'redirected to other settings: the authorization server is asked once';

# --- caches -----------------------------------------------------------------------------------------------------------

# the JWT, and what the access log says of the cache
sub served {
    my ($path, $token) = @_;
    my $logged = $gateway->logged($gateway->get($path, token => $token));
    return { jwt => forwarded($gateway), cache => $logged->{cache}, sub => $logged->{sub} };
}
$as->answers('hot-token' => { json => { %json_answer, exp => time + 36_000 } });
my @cached = map { served('/sign/cached', 'hot-token') } 1 .. 3;
is_deeply [map { $_->{cache} } @cached], [qw(MISS HIT HIT)], 'proxy_cache: hits';
is scalar(keys %{ { map { $_->{jwt} => 1 } @cached } }), 3, 'proxy_cache: signed for each request';
is_deeply jwt_claims($cached[2]{jwt})->{nested}, $json_answer{nested}, 'proxy_cache: all claims at every depth';

my @hot = map { served('/sign/hot', 'hot-token') } 1 .. 3;
is_deeply [map { $_->{cache} } @hot], [qw(HIT HOT HOT)], 'hot cache: hits';
is scalar(keys %{ { map { $_->{jwt} => 1 } @hot } }), 1, 'hot cache: signed once';
is $hot[2]{sub}, 'alice', 'hot cache: claim variables';
my @other = map { served('/sign/hot/other', 'hot-token') } 1 .. 2;
is_deeply [map { $_->{cache} } @other], [qw(HOT HOT)], 'hot cache, other settings: the same answer';
is jwt_claims($other[0]{jwt})->{aud}, 'https://second.example', 'hot cache, other settings: signed by them';
is_deeply jwt_claims($other[0]{jwt})->{nested}, $json_answer{nested}, 'hot cache, other settings: all claims';
is $other[1]{jwt}, $other[0]{jwt}, 'hot cache, other settings: once';
is served('/sign/hot', 'hot-token')->{jwt}, $hot[0]{jwt}, 'hot cache: the first settings have theirs';
is served('/none/hot', 'hot-token')->{cache}, 'HOT', 'hot cache: none takes any copy';

my @short = map { served('/sign/hot/short', 'hot-token') } 1 .. 2;
is $short[1]{jwt}, $short[0]{jwt}, 'hot cache, a short life: signed once';
$gateway->advance(11);
push @short, map { served('/sign/hot/short', 'hot-token') } 1 .. 2;
isnt $short[2]{jwt}, $short[0]{jwt}, 'hot cache, a short life: signed anew when it has ended';
is $short[3]{jwt}, $short[2]{jwt}, 'hot cache, a short life: once again';
is_deeply [map { $_->{cache} } @short], [qw(HOT HOT HOT HOT)], 'hot cache, a short life: the same copy of the answer';
is served('/sign/hot', 'hot-token')->{jwt}, $hot[0]{jwt}, 'hot cache: the longer one still holds';

# The request is the same whatever is forwarded, so that these locations share hot copies.
for my $first ('', '/jwt') {
    my $token = "x$first-token" =~ tr{/}{}dr;
    $as->answers($token => { json => { access_token => $exchanged, token_type => 'Bearer' } });
    my @mixed  = map { served("/sign/exchange/hot$_", $token) } $first, '', '/jwt', '/none', '/jwt', '';
    my ($ours) = grep { $_ ne $exchanged } map { $_->{jwt} // () } @mixed;
    is_deeply [map { $_->{jwt} } @mixed[1 .. 5]], [$ours, $exchanged, undef, $exchanged, $ours],
        "hot cache, exchange, first \"$first\": each gets what its location forwards";
    is $mixed[5]{cache}, 'HOT', "hot cache, exchange, first \"$first\": out of one copy";
}

# --- the JWK Set ------------------------------------------------------------------------------------------------------

$response = $gateway->get('/keys');
is $response->status, 200, 'JWK Set: GET';
is $response->header('Content-Type'), 'application/jwk-set+json', 'JWK Set: the type';
is $response->header('Cache-Control'), 'public, max-age=300', 'JWK Set: Cache-Control';
my @published = @{ $json->decode($response->body)->{keys} };
is_deeply [map { [sort keys %{$_}] } @published],
    [[qw(alg e kid kty n use)], [qw(alg crv kid kty use x y)], [qw(alg crv kid kty use x)]],
    'JWK Set: public members only';
is_deeply [map { [@{$_}{qw(kty alg use)}] } @published],
    [[qw(RSA RS256 sig)], [qw(EC ES384 sig)], [qw(OKP Ed25519 sig)]], 'JWK Set: kty, alg, use';
is $published[2]{kid}, 'ed', 'JWK Set: a kid that was given';
for my $key (@published[0, 1]) {
    my @required = $key->{kty} eq 'RSA' ? qw(e kty n) : qw(crv kty x y);
    my $text     = '{' . join(',', map { qq{"$_":"$key->{$_}"} } @required) . '}';
    is $key->{kid}, encode_base64url(sha256($text)), "JWK Set: $key->{kty}: the thumbprint is the kid";
}
my $head = $gateway->request(method => 'HEAD', path => '/keys');
is $head->status, 200, 'JWK Set: HEAD';
is $head->header('Content-Length'), length $response->body, 'JWK Set: HEAD has the length';
for my $method (qw(POST PUT DELETE OPTIONS)) {
    my $refused = $gateway->request(method => $method, path => '/keys');
    is $refused->status, 405, "JWK Set: $method";
    is $refused->header('Allow'), 'GET, HEAD', "JWK Set: $method: Allow";
}

# --- rotation ---------------------------------------------------------------------------------------------------------

{
    my $rotated = sub {
        my $keys = join ' ', map { "phantom_token_signing_key $folder/$_.pem;" } @_;
        return (
            http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; '
                . 'phantom_token_hot_cache zone=hot:1m valid=5m;',
            locations => "$SIGN $keys location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                          phantom_token_hot_cache hot; $API } location /jwks { phantom_token_jwks; }
                          location = /_introspect { internal; $CACHING proxy_pass http://%%AS%%/introspect; }"
        );
    };
    my $rotating = gateway($rotated->('p256'));
    $rotating->as->answers('alice-token' => { json => \%json_answer });
    my %jwt;
    my $step = sub {
        my ($name, @keys) = @_;
        $rotating->reload($rotated->(@keys)) if @keys;
        $rotating->get('/', token => 'alice-token');
        $jwt{$name} = forwarded($rotating);
        return $rotating->get('/jwks')->body;
    };
    my $before = $step->('first');
    my $during = $step->('second added', qw(p256 next));
    is $jwt{'second added'}, $jwt{first}, 'rotation: a second key does not change who signs, nor a hot copy';
    is scalar(@{ $json->decode($during)->{keys} }), 2, 'rotation: both are published';
    my $after = $step->('swapped', qw(next p256));
    isnt header_of($jwt{swapped})->{kid}, header_of($jwt{first})->{kid}, 'rotation: swapped, the new key signs at once';
    for my $verified (verify_jwts($during, $issuer, $audience, @jwt{qw(first swapped)})) {
        is_deeply [map { $_->{error} } @{ $verified->[1] }], [undef, undef],
            "rotation: who has fetched both keys verifies both, by $verified->[0]";
    }
    my ($result) = verify_jwts($before, $issuer, $audience, $jwt{swapped});
    is $result->[1][0]{error}, 'ERR_JWKS_NO_MATCHING_KEY', 'rotation: who has fetched one does not know the other';
    check_faults($rotating);
}

done_testing;
