# Keycloak behind the gateway, with real tokens: set up by authorization-servers/keycloak/configure.sh, whose lines are
# those of docs/guides/keycloak.md. What Keycloak answers stands in that guide, too.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'hmac_sha1';
use Harness;
use Harness::Browser;
use Harness::Certificates 'client_certificate';
use Harness::Curl ();
use Harness::Keys 'certificate_members';
use Harness::Mcp qw(guide_block guide_gateway guide_machine guide_person mcp_packages);
use Harness::OAuthClients;
use Harness::Ports 'reserve_port';
use Harness::Revocation qw(revocation_gateways passes refused_everywhere revoked_at_once revoke_token);
use Harness::Secrets 'keep_secret';
use Harness::Verifiers 'verify_jwts';
use JSON::PP ();

time_limit(900);
# Where Keycloak sends logout tokens.
my $senders = '127.0.0.1:' . reserve_port();
local $ENV{REVOCATION} = "http://$senders/revoke";
my $as      = real_server('keycloak');
my $keys    = $as->keys_folder;
my $secrets = temporary_folder();

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

sub spill {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    chmod 0600, $file;
    return $file;
}

# The JWT that the API got last.
sub jwt_at_api {
    my ($gateway) = @_;
    my ($jwt) = map { ($_->header('Authorization') // '') =~ /^Bearer (\S+)$/ } ($gateway->api->requests)[-1];
    return $jwt;
}

# Tokens of a client that has none of the audiences.
$as->admin('POST', 'demo/clients', {
    clientId => 'plain', secret => 'plain-secret', directAccessGrantsEnabled => true,
    defaultClientScopes => ['basic', 'roles'], optionalClientScopes => []
});
my $login  = $as->login;
my %tokens = (
    app => $login->{access_token}, refresh => $login->{refresh_token}, id => $login->{id_token},
    portal => $as->token(client => 'portal'), read => $as->token(scope => 'openid read'),
    plain  => $as->token(client => 'plain', scope => 'openid'),
);
my $some_jwt = qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/;
my %allowed  = (status => 200, outcome => 'active', api => [{ authorization => $some_jwt }]);
my %inactive = (status => 401, outcome => 'inactive', challenge => { realm => 'api', error => 'invalid_token' });

# --- the guide's table of answers ------------------------------------------------------------------------------------

# J: active, no JWT; K: active, with one; F: inactive; f: inactive, with a JWT all the same (CVE-2026-18208)
sub content {
    my ($response) = @_;
    my $json = $response->json;
    return $json->{error} if !exists $json->{active};
    my $jwt  = exists $json->{jwt};
    return $json->{active} ? $jwt ? 'K' : 'J' : $jwt ? 'f' : 'F';
}

for my $row (
    # client, Accept, token, answer
    ['gateway', 'application/jwt', $tokens{app}, '200 K'],
    ['gateway', 'application/json', $tokens{app}, '200 J'],
    ['gateway', undef, $tokens{app}, '200 J'],
    ['gateway', 'application/jwt, application/json', $tokens{app}, '200 J'],
    ['gateway', 'application/jwt', 'nobody-knows-this', '200 F'],
    ['gateway', 'application/jwt', $tokens{plain}, '200 f'],
    ['gateway', 'application/json', $tokens{plain}, '200 F'],
    ['gateway', 'application/jwt', $tokens{refresh}, '200 f'],
    ['gateway', 'application/jwt', $tokens{id}, '200 f'],
    ['pat',     'application/jwt', $tokens{portal}, '200 J'],
    ['app',     'application/jwt', $tokens{portal}, '200 F'],
    ['gateway-tls', 'application/jwt', $tokens{portal}, '400 invalid_client'],
    [undef,     'application/jwt', $tokens{app}, '401 invalid_client'],
) {
    my ($client, $accept, $token, $answer) = @{$row};
    my $response = $as->introspect($token, $client, $accept);
    is $response->status . ' ' . content($response), $answer,
        'measured: ' . ($client // 'no client') . ', Accept: ' . ($accept // 'none') . ": $answer";
    is $response->header('Content-Type'), 'application/json', 'always JSON';
    is $response->header('Cache-Control'), $response->status == 200 ? 'no-cache' : undef, 'its Cache-Control';
}

# --- the gateway's ways to ask ---------------------------------------------------------------------------------------

sub client {
    my ($id, $secret, $more) = @_;
    my $file = defined $secret ? secret_file($id, $secret) : undef;
    return join ' ', "phantom_token_client_id $id;",
        defined $file ? "phantom_token_client_secret_file $file;" : (), $more // ();
}

sub secret_file { my ($id, $secret) = @_; return spill("$secrets/$id-" . length $secret, "$secret\n") }

my $issuer  = $as->issuer;
my $gateway_client = client('gateway', 'gateway-secret');
my $audience = "phantom_token_client_assertion_audience $issuer;";
my $key     = "phantom_token_client_key $keys/gateway.key;";
my $oidc    = '/realms/demo/protocol/openid-connect';
# nginx keeps TLS sessions by the server's address: without a certificate one could get in by that of another location.
my $tls     = 'proxy_ssl_session_reuse off; '
    . "proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate $keys/ca.pem;";
my $mutual  = "$tls proxy_ssl_certificate $keys/gateway.pem; proxy_ssl_certificate_key $keys/gateway.key;";
my $other   = "$tls proxy_ssl_certificate $keys/server.pem; proxy_ssl_certificate_key $keys/server.key;";
my $cache   = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; '
    . 'proxy_cache_valid 200 1h;';

# name => [in the protected location, in the one that reaches Keycloak, another URL]
my %way = (
    'basic'       => [$gateway_client],
    'post'        => ["$gateway_client phantom_token_client_auth post;"],
    'wrong'       => [client('gateway', 'wrong')],
    'no-client'   => [''],
    'not-in-aud'  => [client('app', 'app-secret')],
    'no-switch'   => [client('pat', 'pat-secret')],
    'list'        => [$gateway_client, 'proxy_set_header Accept "application/jwt, application/json";'],
    'secret-jwt'  => [client('gateway-secret-jwt', 'gateway-secret-of-32-bytes-or-more',
                             "phantom_token_client_auth client_secret_jwt; $audience")],
    'wrong-jwt'   => [client('gateway-secret-jwt', 'another-secret-that-has-32-bytes',
                             "phantom_token_client_auth client_secret_jwt; $audience")],
    'private-key' => [client('gateway-private-key', undef,
                             "phantom_token_client_auth private_key_jwt; $key $audience")],
    'issuer-only' => [client('gateway-private-key', undef,
                             "phantom_token_client_auth private_key_jwt; $key phantom_token_issuer $issuer;")],
    'other-key'   => [client('gateway-private-key', undef, "phantom_token_client_auth private_key_jwt; $audience "
                             . "phantom_token_client_key $keys/server.key;")],
    'other-aud'   => [client('gateway-private-key', undef, "phantom_token_client_auth private_key_jwt; $key "
                             . 'phantom_token_client_assertion_audience https://login.example.com;')],
    'mutual-tls'  => [client('gateway-tls', undef, 'phantom_token_client_auth none;'), $mutual,
                      'https://' . $as->https_address],
    'other-cert'  => [client('gateway-tls', undef, 'phantom_token_client_auth none;'), $other,
                      'https://' . $as->https_address],
    'no-cert'     => [client('gateway-tls', undef, 'phantom_token_client_auth none;'), $tls,
                      'https://' . $as->https_address],
    'no-realm'    => [$gateway_client, '', undef, '/realms/gone/protocol/openid-connect/token/introspect'],
    'cached'      => [$gateway_client, "$cache proxy_ignore_headers Cache-Control;"],
    'no-cache'    => [$gateway_client, $cache],
);
my $locations = join "\n", map {
    my ($protected, $asking, $server, $path) = @{ $way{$_} };
    my $url = ($server // 'http://%%AS%%') . ($path // "$oidc/token/introspect");
    "location /$_ { phantom_token on; phantom_token_introspection_endpoint as-$_; $protected "
        . "proxy_pass http://%%API%%; }\n"
        . "location as-$_ { internal; proxy_pass $url; @{[ $asking // '' ]} }";
} sort keys %way;

my $gateway = gateway(
    servers   => { AS => $as },
    http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    locations => $locations . <<"END",

        location = /_keys { internal; proxy_pass http://%%AS%%$oidc/certs; }
        location /checked { phantom_token on; phantom_token_introspection_endpoint as-basic; $gateway_client
            phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_keys;
            phantom_token_issuer $issuer; phantom_token_audience https://orders.example.com; proxy_pass http://%%API%%;
            location /checked/write { phantom_token_scopes "read write"; proxy_pass http://%%API%%; }
            location /checked/admin { phantom_token_scopes "admin"; proxy_pass http://%%API%%; }
            location /checked/issuer { phantom_token_issuer https://keycloak.example.com; proxy_pass http://%%API%%; }
            location /checked/audience { phantom_token_audience https://x.example.com; proxy_pass http://%%API%%; }
        }
        location /signed { phantom_token on; phantom_token_introspection_endpoint as-basic; $gateway_client
            phantom_token_forward sign; phantom_token_signing_key $keys/gateway.key;
            phantom_token_signed_issuer https://gateway.example.com;
            phantom_token_signed_audience https://orders.example.com; proxy_pass http://%%API%%;
            location /signed/admin { phantom_token_scopes admin; proxy_pass http://%%API%%; }
            location /signed/named { phantom_token_issuer $issuer; phantom_token_audience https://orders.example.com;
                                     phantom_token_signed_claims scope realm_access; proxy_pass http://%%API%%; }
            location /signed/cached { phantom_token_introspection_endpoint as-cached; proxy_pass http://%%API%%; }
            location /signed/jwks { phantom_token off; phantom_token_jwks; }
        }
        location /none { phantom_token on; phantom_token_introspection_endpoint as-basic; $gateway_client
            phantom_token_forward none; proxy_set_header X-User \$phantom_token_claim_preferred_username;
            proxy_pass http://%%API%%; }
END
);

sub at { my ($path, $token) = @_; return (request => { path => "/$path", token => $tokens{$token} // $token }) }
sub failed { my ($outcome, $log) = @_; return (status => 502, outcome => $outcome, log => $log) }

cases($gateway,
    { name => 'lightweight token: the API gets the whole JWT', at('basic', 'app'), %allowed },
);
my $claims  = jwt_claims(jwt_at_api($gateway));
my $carried = jwt_claims($tokens{app});
is_deeply [sort keys %{$carried}], [qw(aud azp exp iat iss jti scope sid typ)], 'the token tells no more than this';
is $claims->{preferred_username}, 'alice', 'the JWT has the name';
is scalar(grep { $_ eq 'clerk' } @{ $claims->{realm_access}{roles} }), 1, 'and the realm roles';
like "@{ $claims->{aud} }", qr{https://orders\.example\.com}, 'and the API in its audience';
is_deeply [sort split / /, $claims->{scope}], [qw(openid profile read write)], 'and the scopes';

cases($gateway,
    { name => 'no token', request => { path => '/basic' }, status => 401, challenge => { realm => 'api' },
      outcome => 'missing' },
    { name => 'an unknown token', at('basic', 'nobody-knows-this'), %inactive },
    { name => 'the gateway is not in aud: inactive, with a JWT beside it', at('basic', 'plain'), %inactive },
    { name => 'a refresh token: the same', at('basic', 'refresh'), %inactive },
    { name => 'an ID token: the same', at('basic', 'id'), %inactive },
    { name => 'not in aud, without the switch: inactive', at('not-in-aud', 'portal'), %inactive },
    { name => 'the switch is off: nothing to forward', at('no-switch', 'portal'),
      failed('as_bad_response', qr/\[error\].*nothing to forward.*location "as-no-switch"/) },
    { name => 'Accept is a list: nothing to forward', at('list', 'app'),
      failed('as_bad_response', qr/\[error\].*nothing to forward.*location "as-list"/) },

    { name => 'scopes: enough', at('checked/write', 'app'), %allowed },
    { name => 'scopes: one is missing', at('checked/write', 'read'), status => 403, outcome => 'insufficient_scope',
      challenge => { realm => 'api', scope => 'read write', error => 'insufficient_scope' } },
    { name => 'scopes: what the realm does not have', at('checked/admin', 'app'), status => 403,
      outcome => 'insufficient_scope' },
    { name => 'signature, issuer and audience', at('checked', 'read'), %allowed },
    { name => 'another issuer', at('checked/issuer', 'app'), %inactive, outcome => 'issuer' },
    { name => 'another audience', at('checked/audience', 'app'), %inactive, outcome => 'audience' },

    (map {
        { name => "client authentication: $_", at($_, 'portal'), %allowed },
        { name => "client authentication: $_, an unknown token", at($_, 'nobody-knows-this'), %inactive },
    } qw(basic post secret-jwt private-key issuer-only mutual-tls)),
    (map {
        { name => "client authentication: $_", at($_, 'portal'),
          failed('as_refused_client', qr/\[error\].*as_refused_client.*location "as-$_", its status 401/) },
    } qw(wrong no-client other-cert no-cert)),
    # Keycloak says 400 to an assertion that does not hold, and what is wrong with it.
    (map {
        { name => "client authentication: $_->[0]", at($_->[0], 'portal'),
          failed('as_error', qr/\[error\].*as_error.*$_->[1].*location "as-$_->[0]", its status 400/) },
    } ['wrong-jwt', 'Signature on JWT token by client secret  failed validation'],
        ['other-key', 'Signature on JWT token failed validation'], ['other-aud', 'Invalid token audience']),

    { name => 'a realm that is not there', at('no-realm', 'app'),
      failed('as_error', qr/\[error\].*as_error.*location "as-no-realm", its status 404/) },

    { name => 'caching: Keycloak says no-cache', at('no-cache', 'app'), %allowed, cache => 'MISS' },
    { name => 'caching: and nginx obeys', at('no-cache', 'app'), %allowed, cache => 'MISS' },
    { name => 'caching: unless it is told not to', at('cached', 'app'), %allowed, cache => 'MISS' },
    { name => 'caching: a hit', at('cached', 'app'), %allowed, cache => 'HIT' },
    { name => 'caching: an inactive answer is a 200, too', at('cached', 'nobody-knows-this'), %inactive,
      cache => 'MISS' },
    { name => 'caching: a hit, too', at('cached', 'nobody-knows-this'), %inactive, cache => 'HIT' },
);

like slurp($as->log_file), qr/Client 'gateway' is not in the token audience/, 'Keycloak\'s log tells what aud lacks';

# --- the gateway signs -----------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'sign: the API gets a JWT', at('signed', 'app'), %allowed },
);
my $signed = jwt_at_api($gateway);
for my $verified (
    verify_jwts(
        $gateway->get('/signed/jwks')->body, 'https://gateway.example.com', 'https://orders.example.com', $signed
    )
) {
    my ($library, $results) = @{$verified};
    is $results->[0]{error}, undef, "sign: $library verifies it";
    my $seen = $results->[0]{claims} // {};
    is_deeply [@{$seen}{qw(sub preferred_username realm_access azp)}],
        [@{$claims}{qw(sub preferred_username realm_access azp)}], "sign: $library: the claims of Keycloak's own JWT";
    cmp_ok $seen->{exp}, '<=', $claims->{exp}, "sign: $library: it ends with the token";
}
cases($gateway,
    { name => 'sign: issuer and audience of the answer', at('signed/named', 'app'), %allowed },
    { name => 'sign: a scope is missing', at('signed/admin', 'app'), status => 403, outcome => 'insufficient_scope' },
    (map { { name => "sign, cached: $_", at('signed/cached', 'app'), %allowed, cache => $_ } } qw(MISS HIT)),
    (map { { name => "sign: $_->[0]", at('signed', $_->[1]), %inactive } }
        ['an unknown token', 'nobody-knows-this'], ['not in aud', 'plain'], ['a refresh token', 'refresh'],
        ['an ID token', 'id']),
    { name => 'none: the name in a header', at('none', 'app'), status => 200, outcome => 'active',
      api => [{ authorization => undef, 'X-User' => 'alice' }] },
);
$gateway->get('/signed/named', token => $tokens{app});
is_deeply [sort keys %{ jwt_claims(jwt_at_api($gateway)) }], [qw(aud exp iat iss jti realm_access scope sub)],
    'sign: only the claims that are named';

# --- what the guide configures ---------------------------------------------------------------------------------------

# A configuration from a document, or from nginx-conf, in front of this Keycloak.
my $revoked = "$secrets/revoked-tokens.conf";
spill($revoked, '');
my $gateway_secret = secret_file('gateway', 'gateway-secret');

sub shown {
    my ($text) = @_;
    my @replace = (
        'http://127.0.0.1:8081'          => 'http://%%API%%',
        'http://127.0.0.1:8080'          => 'http://%%AS%%',
        'phantom_token_issuer https://keycloak.example.com' => 'phantom_token_issuer http://' . $as->address,
        'https://keycloak.example.com'   => 'https://' . $as->https_address . '',
        'proxy_ssl_server_name on;'      => 'proxy_ssl_name localhost;',
        '/etc/ssl/certs/ca-certificates.crt' => "$keys/ca.pem",
        '/var/cache/phantom-token'       => '%%DIR%%/cache',
        '/etc/nginx/gateway-secret'      => $gateway_secret,
        '/etc/nginx/revoked-tokens.conf' => $revoked,
        '/etc/ssl/certs/api.example.com.pem' => "$keys/server.pem",
        '/etc/ssl/private/api.example.com.key' => "$keys/server.key",
        '/etc/ssl/certs/clients-ca.pem'  => "$keys/ca.pem",
        '/etc/nginx/dpop-nonce'          => spill("$secrets/dpop-nonce", join '', map { chr int rand 256 } 1 .. 32),
    );
    my @used;
    while (my ($from, $to) = splice @replace, 0, 2) { push @used, $from => $to if index($text, $from) >= 0 }
    return gateway(config => $text, replace => \@used, servers => { AS => $as });
}

my $guide = slurp('docs/guides/keycloak.md');
my @files = grep { /^http \{/m } $guide =~ /^```nginx\n(.*?)^```$/gms;
is scalar @files, 2, 'the guide has two whole files';
for my $file (['the guide, by introspection', $files[0]], map { [$_, slurp($_)] } 'nginx-conf/keycloak.conf') {
    my ($name, $text) = @{$file};
    cases(
        shown($text),
        { name => "$name: a token", request => { path => '/api/', port => 80, token => $tokens{app} }, %allowed,
          cache => 'MISS' },
        { name => "$name: again", request => { path => '/api/', port => 80, token => $tokens{app} }, %allowed,
          cache => 'HIT' },
        { name => "$name: a token without the scope",
          request => { path => '/api/', port => 80, token => $as->token(scope => 'openid') }, status => 403,
          outcome => 'insufficient_scope' },
        { name => "$name: an unknown token",
          request => { path => '/api/', port => 80, token => 'nobody-knows-this' }, status => 401,
          outcome => 'inactive' },
        { name => "$name: no token", request => { path => '/api/', port => 80 }, status => 401, outcome => 'missing' },
    );
}

# A user, who can log in and out.
sub user {
    my ($name) = @_;
    $as->admin('POST', 'demo/users', {
        username => $name, enabled => true, firstName => $name, lastName => 'Doe', email => "$name\@example.com",
        credentials => [{ type => 'password', value => "$name-secret" }]
    });
    return $name;
}

# --- roles and groups -------------------------------------------------------------------------------------------------

# A block of the guide that belongs into http {}, as a whole file.
sub in_http { return "load_module modules/ngx_http_phantom_token_module.so;\nevents {}\nhttp {\n$_[0]}\n" }

my ($roles) = $guide =~ /^```nginx\n(phantom_token_claim_set .*?)^```$/ms;
my $nobody  = $as->token(username => user('frank'));
for my $forward ('jwt', 'none', 'sign') {
    my $more = "phantom_token_forward $forward;";
    $more .= " phantom_token_signing_key $keys/gateway.key; phantom_token_signed_issuer https://gateway.example.com; "
        . 'phantom_token_signed_audience https://orders.example.com;' if $forward eq 'sign';
    my $by_roles = shown(in_http($roles =~ s/(phantom_token on;)/$1 $more/r));
    my $is = sub {
        my ($path, $token, %expected) = @_;
        my $name = "$path, phantom_token_forward $forward: " . ($token eq $nobody ? 'who has nothing' : 'alice');
        return { name => $name, request => { path => $path, port => 80, token => $token }, %expected };
    };
    my %missing = (status => 403, outcome => 'requirement',
        challenge => { realm => 'demo', error => 'insufficient_scope' });
    cases($by_roles, map {
        my ($path, $variable) = @{$_};
        $is->($path, $tokens{app}, status => 200, outcome => 'active'),
            $is->($path, $nobody, %missing, log => qr/"\$$variable" is required/)
    } ['/files/', 'is_clerk'], ['/orders/', 'may_order'], ['/staff/', 'is_staff']);
}
is_deeply [@{$claims}{qw(groups)}], [['/staff']], 'a group has its path';
is_deeply $claims->{resource_access}{'orders-api'}, { roles => ['order'] }, 'the API\'s role';
ok scalar(grep { $_ eq 'orders-api' } @{ $claims->{aud} }), 'whose users have it in aud';

# --- step-up ---------------------------------------------------------------------------------------------------------

# A device that makes one-time codes (RFC 6238), and none twice: Keycloak takes each once, and those of the 30 s before
# and after.
sub code_generator {
    my ($secret, $last) = ('', 0);
    my $code = sub {
        my $now = int(time / 30);
        $last = $last < $now - 1 ? $now - 1 : $last + 1;
        my $hmac = hmac_sha1(pack('Q>', $last), $secret);
        my $from = ord(substr $hmac, -1) & 0xf;
        return sprintf '%06d', (unpack('N', substr $hmac, $from, 4) & 0x7fff_ffff) % 1_000_000;
    };
    return (otp => $code, totp => sub { my ($hidden) = @_; $secret = $hidden->{totpSecret}; return $code->() });
}

my %device = code_generator();

# Grace at another browser, where she has no session yet. Not alice: who has a code generator needs it for each login.
user('grace');

sub browser {
    my ($client) = @_;
    return Harness::Browser->new(
        $as, client => $client, redirect_uri => 'https://app.example.com/callback', scope => 'openid read',
        knows => { username => 'grace', password => 'grace-secret', userLabel => 'device', %device }
    );
}

# What a client takes out of a refusal into its next authorization request (RFC 9470 section 4).
sub asked_for {
    my ($response) = @_;
    my $parameters = parse_challenge($response->header('WWW-Authenticate'))->{params};
    return map { $_ => $parameters->{$_} } grep { defined $parameters->{$_} } qw(acr_values max_age);
}

{
    $as->admin('POST', 'demo/clients', {
        clientId => 'whole', secret => 'whole-secret', redirectUris => ['https://app.example.com/*'],
        defaultClientScopes => ['basic', 'acr', 'audiences'], optionalClientScopes => ['read']
    });
    my ($payments) = $guide =~ m{^(location /api/payments/ \{.*?^\}\n)}ms;
    my $guided   = shown($files[0] =~ s{^(?= *location /api/)}{$payments\n}mr);
    my $at_once  = gateway(
        servers   => { AS => $as },
        server    => "phantom_token on; phantom_token_introspection_endpoint /_introspect; $gateway_client",
        locations => <<"END",
        location / { proxy_pass http://%%API%%; }
        location /gold { phantom_token_acr_values gold; phantom_token_max_auth_age 5m; proxy_pass http://%%API%%; }
        location /none { phantom_token_forward none; phantom_token_acr_values gold; phantom_token_max_auth_age 5m;
                         proxy_pass http://%%API%%; }
        location /lately { phantom_token_max_auth_age 3s; proxy_pass http://%%API%%; }
        location /its-own { phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_keys;
                            phantom_token_issuer $issuer; phantom_token_audience https://orders.example.com;
                            phantom_token_acr_values gold; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%$oidc/token/introspect; }
        location = /_keys { internal; proxy_pass http://%%AS%%$oidc/certs; }
END
    );
    my @scopes   = map { $_->{name} }
        @{ $as->admin('GET', 'demo/clients/' . $as->client_id('orders-api') . '/default-client-scopes') };
    is_deeply [sort grep { /^(?:acr|basic)$/ } @scopes], [qw(acr basic)], 'step-up: a new client has both scopes';

    my %gold    = (acr_values => 'gold', max_age => '300');
    my $refused = sub {
        my ($path, $token, $outcome, %challenge) = @_;
        return (request => { path => $path, token => $token, $path =~ m{^/api/} ? (port => 80) : () }, status => 401,
            outcome => $outcome, challenge => { realm => $path =~ m{^/api/} ? 'demo' : 'api',
                error => 'insufficient_user_authentication', %challenge });
    };
    my $passes = sub {
        my ($path, $token) = @_;
        return (request => { path => $path, token => $token, $path =~ m{^/api/} ? (port => 80) : () }, status => 200,
            outcome => 'active');
    };

    my $browser = browser('app');
    my $weak    = $browser->token;
    is_deeply [$browser->shown], ['username password'], 'step-up: a login by password';
    my @too_weak = $refused->('/api/payments/', $weak, 'acr', scope => 'read', %gold);
    cases($guided,
        { name => 'step-up: the weak token', $passes->('/api/', $weak), cache => 'MISS' },
        { name => 'step-up: is too weak for payments', @too_weak, cache => 'HIT' });
    my $strong = $browser->token(asked_for($guided->get('/api/payments/', port => 80, token => $weak)));
    is_deeply [$browser->shown], ['totp userLabel'], 'step-up: without a code generator, grace sets one up';
    cases($guided,
        { name => 'step-up: the new token', $passes->('/api/payments/', $strong), cache => 'MISS' },
        { name => 'step-up: the old one', @too_weak, cache => 'HIT' });
    my $claims = jwt_claims($as->introspect($strong, 'gateway', 'application/jwt')->json->{jwt});
    my $again  = $browser->token(%gold);
    is_deeply [$browser->shown], [], 'step-up: nothing is asked for again';
    my $answer = $as->introspect($again, 'gateway', 'application/json')->json;
    is_deeply [@{$answer}{qw(acr auth_time)}], [@{$claims}{qw(acr auth_time)}], 'step-up: and the answer is the same';
    is $claims->{acr}, 'gold', 'step-up: gold';
    cases($at_once,
        { name => 'step-up: without a cache, the session\'s old token is as good', $passes->('/gold', $weak) },
        { name => 'step-up: by a JSON answer', $passes->('/none', $strong) });

    # Another session, and tokens that hold their own acr.
    my $second = browser('whole');
    my $own    = $second->token;
    is jwt_claims($own)->{acr}, 'silver', 'step-up: another session is silver';
    cases($at_once,
        { name => 'step-up: by introspection, another session', $refused->('/gold', $own, 'acr', %gold) },
        { name => 'step-up: by JSON, another session', $refused->('/none', $own, 'acr', %gold) });
    my $stronger = $second->token(asked_for($at_once->get('/its-own', token => $own)));
    is_deeply [$second->shown], ['otp'], 'step-up: who has a code generator is asked for a code';
    cases($at_once,
        { name => 'step-up: verified, the new token', $passes->('/its-own', $stronger) },
        { name => 'step-up: verified, the old one', $refused->('/its-own', $own, 'acr', acr_values => 'gold') });

    # Too long ago.
    ok until_true(patience(5), sub { $at_once->get('/lately', token => $strong)->status == 401 }),
        'step-up: there is a time after which the login was too long ago';
    cases($at_once,
        { name => 'step-up: too long ago', $refused->('/lately', $strong, 'auth_time', max_age => '3') });
    my $refusal = $at_once->get('/lately', token => $strong);
    ok until_true(
        patience(5), sub {    # on a busy machine, three seconds may have gone until the new token is used
            $at_once->get('/lately', token => $browser->token(asked_for($refusal)))->status == 200;
        }
    ), 'step-up: the new token is fresh enough';
    is_deeply [$browser->shown], ['password'], 'step-up: max_age has grace enter her password again';
    cases($at_once,
        { name => 'step-up: and takes the gold from the session', $refused->('/gold', $strong, 'acr', %gold) });
    ok until_true(patience(5), sub { $at_once->get('/lately', token => $strong)->status == 401 }),
        'step-up: too long ago once more';
    my $both = $browser->token(acr_values => 'gold', max_age => 3);
    is_deeply [$browser->shown], ['password', 'otp'], 'step-up: both are asked for';
    cases($at_once, { name => 'step-up: both', $passes->('/gold', $both) });
}

# --- token exchange --------------------------------------------------------------------------------------------------

my $type = 'urn:ietf:params:oauth:token-type:access_token';
{
    my $on = "phantom_token on; phantom_token_exchange_endpoint /_exchange; $gateway_client "
        . "phantom_token_exchange_requested_token_type $type; proxy_pass http://%%API%%;";
    my %exchange = (
        plain      => '',
        scope      => 'phantom_token_exchange_scope "read write"; phantom_token_scopes "read write";',
        beyond     => 'phantom_token_exchange_scope "admin"; phantom_token_scopes "admin";',
        audience   => 'phantom_token_exchange_audience gateway; phantom_token_audience gateway;',
        nobody     => 'phantom_token_exchange_audience nobody;',
        elsewhere  => 'phantom_token_exchange_audience app;',
    );
    my $trading = gateway(
        servers   => { AS => $as },
        locations => join "\n", "location = /_exchange { internal; proxy_pass http://%%AS%%$oidc/token; }",
        'location /jwt { ' . ($on =~ s/phantom_token_exchange_requested_token_type [^;]*;//r) . ' }',
        'location /grantless { ' . ($on =~ s/\Q$gateway_client\E/@{[ client('app', 'app-secret') ]}/r) . ' }',
        map { "location /$_ { $exchange{$_} $on }" } sort keys %exchange
    );
    is $as->exchange('gateway', $tokens{app})->header('Cache-Control'), 'no-store', 'exchange: its Cache-Control';
    cases($trading, { name => 'exchange', at('plain', 'app'), %allowed });
    my $traded = jwt_claims(jwt_at_api($trading));
    is $traded->{azp}, 'gateway', 'exchange: the JWT is the gateway\'s';
    is $traded->{sub}, $claims->{sub}, 'exchange: and is about the user';
    is $traded->{scope} // '', '', 'exchange: none of the token\'s scopes is in it';
    like "@{ $traded->{aud} }", qr{https://orders\.example\.com}, 'exchange: its audience';
    cases($trading, { name => 'exchange: scopes', at('scope', 'read'), %allowed });
    is join(' ', sort split / /, jwt_claims(jwt_at_api($trading))->{scope}), 'read write',
        'exchange: scopes are what the gateway asks for, whatever the token had';
    cases($trading, { name => 'exchange: an audience', at('audience', 'app'), %allowed });
    is_deeply jwt_claims(jwt_at_api($trading))->{aud}, 'gateway', 'exchange: that audience alone';
    cases($trading,
        { name => 'exchange: a scope that the gateway\'s client does not have', at('beyond', 'app'), status => 403,
          outcome => 'insufficient_scope', log => qr/Invalid scopes: admin.*its status 400/ },
        { name => 'exchange: an audience that nobody is', at('nobody', 'app'),
          failed('as_refused_client', qr/Audience not found.*its status 400/) },
        { name => 'exchange: an audience that is not to be had', at('elsewhere', 'app'), %inactive,
          log => qr/\[warn\].*Requested audience not available: app.*its status 400/ },
        { name => 'exchange: the type jwt', at('jwt', 'app'), %inactive,
          log => qr/\[warn\].*requested_token_type unsupported.*its status 400/ },
        { name => 'exchange: a client that may not', at('grantless', 'app'), %inactive,
          log => qr/\[warn\].*Standard token exchange is not enabled.*its status 400/ },
        { name => 'exchange: the gateway is not in the token\'s aud', at('plain', 'plain'),
          failed('as_refused_client', qr/\[error\].*its status 403/) },
        { name => 'exchange: an unknown token', at('plain', 'nobody-knows-this'), %inactive,
          log => qr/\[warn\].*its status 400/ },
    );
    cases(
        shown($files[1]),
        { name => 'the guide, by exchange: a token',
          request => { path => '/api/', port => 80, token => $tokens{app} }, %allowed, cache => 'MISS' },
        { name => 'the guide, by exchange: again',
          request => { path => '/api/', port => 80, token => $tokens{app} }, %allowed, cache => 'HIT' },
        { name => 'the guide, by exchange: an unknown token',
          request => { path => '/api/', port => 80, token => 'nobody-knows-this' }, status => 401,
          outcome => 'inactive' },
    );
}

# --- MCP -------------------------------------------------------------------------------------------------------------

{
    my %newcomer = (
        client_name => 'newcomer', redirect_uris => ['http://127.0.0.1/callback'],
        token_endpoint_auth_method => 'none', scope => 'mcp:read'
    );
    my $registers = sub {
        my (%change) = @_;
        my $response = $as->register({ %newcomer, %change });
        keep_secret($response->json->{registration_access_token}) if $response->status == 201;
        return $response;
    };
    my $refused = sub {
        my ($name, $why, %change) = @_;
        my $response = $registers->(%change);
        is $response->status, 403, "MCP, registration: $name";
        like $response->json->{error_description}, $why, "MCP, registration: $name: why";
        return;
    };
    $refused->('from nowhere, at first', qr/'Trusted Hosts'.*Host not trusted/, scope => undef);

    mcp_packages('t/mcp', 'build/mcp');
    my $guide = guide_gateway($as, issuer => '/realms/demo');
    $as->kcadm(guide_block('sh', qr/kcadm/) =~ s{http://127\.0\.0\.1:8080/mcp}{$guide->{url}}r);
    guide_person($guide);
    $as->admin('POST', 'demo/clients', {
        clientId => 'agent', secret => 'agent-secret', serviceAccountsEnabled => true,
        attributes => { 'client.use.lightweight.access.token.enabled' => 'true' }, defaultClientScopes => ['basic'],
        optionalClientScopes => ['mcp:read']
    });
    guide_machine($guide, client => 'agent', subject => $as->user_id('service-account-agent'));

    for my $path (
        '/.well-known/oauth-authorization-server/realms/demo', '/realms/demo/.well-known/openid-configuration'
    ) {
        my $metadata = Harness::Client->once(port => $as->port, path => $path, host => $as->address)->json;
        is $metadata->{issuer}, $issuer, "MCP: metadata: $path";
        ok exists $metadata->{registration_endpoint}, 'MCP: with the place to register';
    }

    # What gives `aud` is the scope, not what the client asks for.
    my %elsewhere = (resource => 'https://other.example.com/mcp', grant_type => 'client_credentials');
    my $agent = sub {
        my ($scope) = @_;
        my $got = $as->form('token', 'agent', { %elsewhere, scope => $scope })->json->{access_token};
        keep_secret($got);
        return $got;
    };
    is_deeply [sort @{ $as->introspect($agent->('mcp:read'), 'gateway')->json->{aud} }],
        ['gateway', $guide->{url}], 'MCP: Keycloak does not know "resource"';
    my $call = sub {
        my ($name, $token, $outcome) = @_;
        return { name => "MCP: $name", request => { path => '/mcp', port => 8080, token => $token }, status => 401,
                 outcome => $outcome };
    };
    cases($guide->{gateway},
        $call->('a token without the scope', $agent->('openid'), 'inactive'),
        $call->('a token for another API',   $tokens{app},       'audience'),
    );

    # What a client may do that has registered itself.
    $refused->('a redirect to elsewhere', qr/'Trusted Hosts'.*doesn't match any trusted host/,
        redirect_uris => ['https://elsewhere.example.com/callback']);
    $refused->('a scope of the realm that is not for all', qr/'Allowed Client Scopes'/, scope => 'mcp:read read');
    my $optional = sub {
        my ($name) = @_;
        $as->admin('POST', 'demo/client-scopes', {
            name => $name, protocol => 'openid-connect', attributes => { 'include.in.token.scope' => 'true' }
        });
        my ($scope) = grep { $_->{name} eq $name } @{ $as->admin('GET', 'demo/client-scopes') };
        $as->admin('PUT', "demo/default-optional-client-scopes/$scope->{id}", {});
        return;
    };
    $optional->('mcp:write');
    my %at   = (redirect_uri => 'http://127.0.0.1/callback', scope => 'mcp:read mcp:write');
    my %user = (knows => { username => 'alice', password => 'alice-secret' });
    my $held = Harness::Browser->new($as, client => $registers->()->json->{client_id}, %at, %user);
    ok !eval { $held->token; 1 }, 'MCP: step-up of a client that has registered itself';
    like $@, qr/invalid_scope.*mcp:read mcp:write/, 'MCP: it has the scopes that it registered with';
    ok exists $held->tokens(scope => 'mcp:read')->{access_token}, 'MCP: without step-up it gets its token';
    is_deeply [$held->shown], ['username password', ''], 'MCP: people are asked whether they allow it';
    $as->admin('POST', 'demo/clients', {
        clientId => 'by-hand', secret => 'by-hand-secret', redirectUris => ['http://127.0.0.1/callback'],
        defaultClientScopes => ['basic'], optionalClientScopes => ['mcp:read', 'mcp:write']
    });
    my $by_hand = Harness::Browser->new($as, client => 'by-hand', %at, %user);
    is join(' ', sort split / /, $by_hand->tokens->{scope}), 'mcp:read mcp:write',
        'MCP: step-up of one that was registered by hand';
}

# --- revocation at once ----------------------------------------------------------------------------------------------

# Two gateways that tell each other of what Keycloak sends to the first one.
{
    my @gateways = revocation_gateways(
        count => 2, servers => { AS => $as }, senders => $senders, secret => $gateway_secret, issuer => $issuer,
        paths => { introspection => "$oidc/token/introspect", revocation => "$oidc/revoke", jwks => "$oidc/certs" },
    );
    my $name = user('heidi');
    my $new  = sub {
        return Harness::Browser->new($as, client => 'app', redirect_uri => 'https://app.example.com/callback',
            scope => 'openid read', knows => { username => $name, password => "$name-secret" });
    };
    my $sid     = sub { return jwt_claims($_[0]{access_token})->{sid} };
    my $at_once = sub {
        my ($what, $tokens, $click) = @_;
        return revoked_at_once($what, $tokens->{access_token}, \@gateways, sub { $click->($tokens) });
    };
    my ($browser, $other) = ($new->(), $new->());
    my $kept = $other->tokens;
    isnt $sid->($kept), $sid->($browser->tokens), 'revocation: two sessions';

    $at_once->('an administrator ends the session', $browser->tokens, sub {
        $as->admin('DELETE', 'demo/sessions/' . $sid->($_[0]));
    });
    $at_once->('the user logs out', $browser->tokens, sub {
        $browser->logout('https://app.example.com/', id_token_hint => $_[0]{id_token});
    });
    is_deeply [$browser->shown], [], 'the user logs out: nobody is asked';
    $at_once->('the application logs the user out', $browser->tokens, sub {
        is $as->form('logout', 'app', { refresh_token => $_[0]{refresh_token} })->status, 204, 'the application';
    });
    passes('another session', $kept->{access_token}, @gateways);
    my $last = $browser->tokens;
    $at_once->('an administrator logs the user out', $last, sub {
        $as->admin('POST', 'demo/users/' . $as->user_id($name) . '/logout');
    });
    refused_everywhere('of all sessions', $kept->{access_token}, @gateways);
    $last = $browser->tokens;
    passes('a new login', $last->{access_token}, @gateways);

    # Token revocation (RFC 7009) sends no logout token.
    my $revoke = sub {
        my ($client, $tokens) = @_;
        return revoke_token($gateways[0], $as->basic($client), $tokens->{access_token})->status;
    };
    is $revoke->('portal', $last), 400, 'RFC 7009: another client';
    passes('RFC 7009: which revokes nothing', $last->{access_token}, @gateways);
    my $second = $browser->tokens;
    $at_once->('RFC 7009', $last, sub { is $revoke->('app', $last), 200, 'RFC 7009: its client' });
    is content($as->introspect($last->{access_token}, 'gateway', 'application/json')), 'F', 'RFC 7009: at Keycloak';
    passes('RFC 7009: another token of the session', $second->{access_token}, @gateways);

    # A gateway that is down.
    my $missed = $browser->tokens;
    passes('a session', $missed->{access_token}, @gateways);
    $gateways[1]->stop;
    $gateways[0]->announce(qr/connect\(\) failed|not all gateways have heard/);
    my $from = $gateways[0]->log->position;
    $as->admin('DELETE', 'demo/sessions/' . $sid->($missed));
    refused_everywhere('one is down: at the other', $missed->{access_token}, $gateways[0]);
    ok $gateways[0]->log->wait_for(qr/\[error\].*not all gateways have heard.*gateway-2 answered 502/, $from),
        'one is down: the log says which';
    $gateways[1]->start;
    passes('started again, it has the token in its cache', $missed->{access_token}, $gateways[1]);

    # What Keycloak tells nobody.
    $second = $browser->tokens;
    passes('a user who is to be disabled', $second->{access_token}, @gateways);
    $as->admin('PUT', 'demo/users/' . $as->user_id($name), { enabled => false });
    is content($as->introspect($second->{access_token}, 'gateway', 'application/json')), 'F', 'a user who is disabled';
    passes('Keycloak sends nothing, so what is cached', $second->{access_token}, @gateways);
    $at_once->('an administrator logs out who is disabled', $second, sub {
        $as->admin('POST', 'demo/users/' . $as->user_id($name) . '/logout');
    });
}

# --- tokens bound to a key or to a certificate ------------------------------------------------------------------------

# The guide's gateway, whose nonces the clients have to use.
{
    my ($block) = grep { /phantom_token_dpop_replay zone/ } $guide =~ /^```nginx\n(.*?)^```$/gms;
    my $guided  = shown(in_http($block));
    my $without = shown(in_http($block =~ s/^ *phantom_token_dpop_nonce [^\n]*\n//mr));
    my $url     = sub { return 'https://localhost:' . $_[0]->port(443) . $_[1] };
    my %algorithm = ('openid-client' => 'ES256', oauth4webapi => 'PS256', dpop => 'RS256');
    my $client  = sub {
        my ($library, $id) = @_;
        my $new = Harness::OAuthClients->new(
            $library, client => $id, secret => "$id-secret", issuer => $issuer, ca => "$keys/ca.pem",
            redirect_uri => 'https://app.example.com/callback'
        );
        $new->new_key($algorithm{$library});
        return $new;
    };
    my $passes = sub {
        my ($name, $client, $token, $gateway, @outcomes) = @_;
        my $before   = () = $gateway->access_log;
        my $response = $client->request($token, $url->($gateway, '/api/'));
        my @lines;
        until_true(patience(3), sub { @lines = $gateway->access_log; @lines >= $before + @outcomes });
        is $response->{status}, 200, "DPoP: $name: " . $client->library or diag explain $response;
        is_deeply [map { $_->{outcome} } @lines[$before .. $#lines]], \@outcomes, 'as often as that';
        like jwt_at_api($gateway) // 'no JWT', qr/^eyJ/, 'the API gets a JWT';
        is(($gateway->api->requests)[-1]->header('DPoP'), undef, 'and no proof');
        return;
    };
    my %token;
    for my $library (sort keys %algorithm) {
        my $bound = $client->($library, 'app-dpop');
        my $token = $token{$library} = $bound->token;
        my $carried = jwt_claims($token);
        my $answer  = $as->introspect($token, 'gateway', 'application/jwt')->json;
        is $carried->{cnf}{jkt}, $bound->jkt, "DPoP: the key in the token: $library";
        ok !exists $carried->{realm_access}, 'which is lightweight';
        is $answer->{token_type}, 'DPoP', 'its type at introspection';
        is_deeply $_, $carried->{cnf}, 'its key at introspection' for $answer->{cnf}, jwt_claims($answer->{jwt})->{cnf};
        $passes->('a nonce is asked for', $bound, $token, $guided, 'dpop_nonce', 'active');
        $passes->('and used again', $bound, $token, $guided, 'active');
        $passes->('no nonce is asked for', $bound, $token, $without, 'active');
    }

    # Without the switch a proof is enough. What the libraries call Ed25519 is EdDSA at Keycloak.
    $as->admin('POST', 'demo/clients', {
        clientId => 'proves', secret => 'proves-secret', serviceAccountsEnabled => true,
        defaultClientScopes => ['basic', 'audiences'], optionalClientScopes => ['read']
    });
    my $proves = $client->('openid-client', 'proves');
    is jwt_claims($proves->token)->{cnf}{jkt}, $proves->jkt, 'DPoP: a client that need not, but does';
    $proves->new_key('Ed25519');
    ok !eval { $proves->token }, 'DPoP: no token by Ed25519';
    like $@, qr/Unsupported DPoP algorithm: Ed25519/, 'Keycloak says why';
    is $as->form('token', 'app-dpop', { grant_type => 'client_credentials' })->status, 400,
        'DPoP: with the switch there is no other token';

    # Refreshed, and with another key.
    my $person = $client->('openid-client', 'app-dpop');
    my $alice  = Harness::Browser->new($as, redirect_uri => 'https://app.example.com/callback',
        knows => { username => 'alice', password => 'alice-secret' });
    my $login  = $person->tokens_of($alice, scope => 'openid read');
    my $key    = $person->jkt;
    $passes->('a person\'s token', $person, $login->{access_token}, $without, 'active');
    my $next = $person->refresh($login->{refresh_token});
    is jwt_claims($next->{access_token})->{cnf}{jkt}, $key, 'DPoP: refreshed, the key is the same';
    $passes->('refreshed', $person, $next->{access_token}, $without, 'active');
    $person->new_key('ES256');
    my $other = $person->request($next->{access_token}, $url->($without, '/api/'));
    is $other->{status}, 401, 'DPoP: the old token with a new key';
    like $other->{headers}{'www-authenticate'}, qr/^DPoP .*error="invalid_dpop_proof"/, 'whose proof is no good';
    my $new = $person->refresh($next->{refresh_token})->{access_token};
    is jwt_claims($new)->{cnf}{jkt}, $person->jkt, 'DPoP: refreshed with the new key, it is bound to that';
    $passes->('the new key', $person, $new, $without, 'active');

    # Stolen.
    my $at     = sub {
        my (%more)  = @_;
        my @options = ('--cacert', "$keys/ca.pem", @{ delete $more{args} // [] });
        return { path => '/api/', port => 443, tls => 1, args => \@options, %more };
    };
    my @fields = $person->fields($new, $url->($without, '/api/'));
    my $bound  = sub { my ($outcome, $error) = @_; return (status => 401, outcome => $outcome,
        headers => { 'WWW-Authenticate' => qr/^DPoP algs="[^"]+", realm="demo", scope="read", error="$error"$/ }) };
    cases($without,
        { name => 'DPoP: as a bearer token', request => $at->(token => $new), $bound->('bound', 'invalid_token') },
        { name => 'DPoP: without a proof', request => $at->(headers => [$fields[0]]),
          $bound->('dpop_proof', 'invalid_dpop_proof') },
        { name => 'DPoP: another path\'s proof', request => $at->(path => '/api/other', headers => \@fields),
          $bound->('dpop_proof', 'invalid_dpop_proof') },
        { name => 'DPoP: a proof', request => $at->(headers => \@fields), %allowed },
        { name => 'DPoP: used again', request => $at->(headers => \@fields),
          $bound->('dpop_replay', 'invalid_dpop_proof') },
        { name => 'DPoP: a token that is not bound', request => $at->(token => $tokens{app}), %allowed },
    );
    my $require = shown(in_http($block =~ s/^( *phantom_token_confirmation) verify;/$1 require;/mr));
    cases($require,
        { name => 'DPoP: unless it must be', request => $at->(token => $tokens{app}), status => 401,
          outcome => 'bound' });

    # Mutual TLS. Keycloak itself asks for the certificate.
    client_certificate($keys, 'another');
    my %with = map { $_ => ['--cert', "$keys/$_.pem", '--key', "$keys/$_.key"] } qw(gateway another);
    my $by   = sub {
        my (@certificate) = @_;
        my ($port) = $as->https_address =~ /:(\d+)$/;
        return Harness::Curl::curl(
            port => $port, tls => "$keys/ca.pem", path => $as->path('token'), args => \@certificate,
            body => 'grant_type=client_credentials&scope=read', headers => ['Authorization: ' . $as->basic('app-tls')]
        );
    };
    my $refused = $by->();
    is $refused->status . ' ' . $refused->json->{error_description},
        '400 Client Certification missing for MTLS HoK Token Binding', 'mutual TLS: no token without a certificate';
    my $held = $by->(@{ $with{gateway} })->json->{access_token};
    keep_secret($held);
    my $answer = $as->introspect($held, 'gateway', 'application/jwt')->json;
    my $cnf    = { 'x5t#S256' => { certificate_members("$keys/gateway.pem") }->{'x5t#S256'} };
    is_deeply $_, $cnf, 'mutual TLS: the certificate in the token, in the answer and in the JWT'
        for map { $_->{cnf} } jwt_claims($held), $answer, jwt_claims($answer->{jwt});
    is $answer->{token_type}, 'Bearer', 'mutual TLS: its type';
    my %certificate = (status => 401, outcome => 'certificate',
        challenge => { realm => 'demo', scope => 'read', error => 'invalid_token' });
    cases($without,
        { name => 'mutual TLS: the certificate', request => $at->(token => $held, args => $with{gateway}), %allowed },
        { name => 'mutual TLS: another one', request => $at->(token => $held, args => $with{another}), %certificate },
        { name => 'mutual TLS: none', request => $at->(token => $held), %certificate });
    cases($require,
        { name => 'mutual TLS: a token must be bound', request => $at->(token => $held, args => $with{gateway}),
          %allowed });
}

# --- tokens that end -------------------------------------------------------------------------------------------------

$as->admin('POST', 'demo/clients', {
    clientId => 'short', secret => 'short-secret', directAccessGrantsEnabled => true,
    attributes => { 'access.token.lifespan' => '10' }, defaultClientScopes => [qw(basic audiences)]
});
my %ending = map { $_ => $as->login(username => user($_)) } qw(bob carol dave);
cases($gateway, map {
    { name => "before the end: $_", at('cached', $ending{$_}{access_token}), %allowed, cache => 'MISS' }
} sort keys %ending);
my $short = $as->token(client => 'short', scope => 'openid');
cases($gateway,
    { name => 'a token of 10 seconds', at('basic', $short), %allowed },
    { name => 'and its answer in a cache', at('cached', $short), %allowed, cache => 'MISS' });
$as->revoke($ending{bob}{access_token});
$as->admin('PUT', 'demo/users/' . $as->user_id('carol'), { enabled => false });
is $as->form('logout', 'app', { refresh_token => $ending{dave}{refresh_token} })->status, 204, 'dave logs out';
cases($gateway,
    { name => 'revoked',       at('basic', $ending{bob}{access_token}), %inactive },
    { name => 'user disabled', at('basic', $ending{carol}{access_token}), %inactive },
    { name => 'logged out',    at('basic', $ending{dave}{access_token}), %inactive },
    { name => 'revoked, but the cache has its answer still', at('cached', $ending{bob}{access_token}), %allowed,
      cache => 'HIT' },
);
ok until_true(patience(15), sub { $gateway->get('/cached', token => $short)->status == 401 }),
    'the 10 seconds are over';
ok until_true(patience(5), sub { content($as->introspect($short, 'gateway', 'application/jwt')) eq 'F' }),
    'so says Keycloak';
cases($gateway,
    { name => 'expired: what the cache has does not count', at('cached', $short), %inactive, outcome => 'expired' },
    { name => 'expired: Keycloak knows it no more', at('basic', $short), %inactive },
);

# --- personal access tokens ------------------------------------------------------------------------------------------

my $pat_scope = 'read offline_access';
{
    my $login  = $as->login(client => 'portal', username => user('erin'));
    my $answer = $as->exchange('pat', $login->{access_token}, scope => $pat_scope);
    my $json   = $answer->json;
    my $pat    = $json->{access_token};
    my $second = $as->exchange('pat', $login->{access_token}, scope => $pat_scope)->json->{access_token};
    cmp_ok $json->{expires_in}, '==', 90 * 24 * 3600, 'a personal access token of 90 days';
    cmp_ok $as->exchange('pat', $login->{access_token}, scope => 'read')->json->{expires_in}, '<=', 10 * 3600,
        'without offline_access no longer than the session';
    my $refused = $as->exchange('pat', $tokens{app}, scope => $pat_scope);
    is $refused->status . ' ' . $refused->json->{error}, '403 access_denied', 'not for a token whose aud is not pat';
    my $issuing = gateway(
        config => slurp('nginx-conf/personal-access-tokens.conf'), servers => { AS => $as },
        replace => ['http://127.0.0.1:8081' => 'http://%%API%%', 'http://127.0.0.1:8080' => 'http://%%AS%%',
                    'https://keycloak.example.com' => 'http://' . $as->address,
                    '/var/cache/phantom-token' => '%%DIR%%/cache', '/etc/nginx/gateway-secret' => $gateway_secret,
                    '/etc/nginx/revoked-tokens.conf' => $revoked]
    );
    my $is = sub {
        my ($name, $path, $token, %more) = @_;
        my $request = { path => $path, port => 80, token => $token };
        return { name => "personal access token: $name", request => $request, %more };
    };
    my $own = [{ authorization => "Bearer $pat" }];
    my %refused = (status => 401, challenge => { realm => 'demo', scope => 'read', error => 'invalid_token' });
    cases($issuing,
        $is->('verified, and forwarded as it is', '/cli/', $pat, %allowed, api => $own),
        $is->('an application\'s token is none', '/cli/', $login->{access_token}, %refused, outcome => 'audience'),
        $is->('nor is an ID token', '/cli/', $login->{id_token}, %refused, outcome => 'audience'),
        $is->('an ID token by introspection', '/api/', $login->{id_token}, %refused, outcome => 'inactive'),
        $is->('nor a refresh token', '/cli/', $login->{refresh_token}, %refused),
        $is->('nor what is no JWT', '/cli/', 'nobody-knows-this', %refused),
        $is->('one that was changed', '/cli/', $pat =~ s/.{8}$/AAAAAAAA/r, %refused, outcome => 'signature'),
        $is->('an application\'s token is introspected', '/api/', $login->{access_token}, %allowed, cache => 'MISS'),
        $is->('and its answer is kept', '/api/', $login->{access_token}, %allowed, cache => 'HIT'),
    );
    is $as->form('revocation', 'pat', { token => $pat })->status, 200, 'revoked at Keycloak';
    is content($as->introspect($pat, 'gateway', 'application/json')), 'F', 'which says so when it is asked';
    cases($issuing, $is->('nobody asks it', '/cli/', $pat, %allowed, api => $own));
    spill($revoked, sprintf qq{"%s" 1;\n}, jwt_claims($pat)->{jti});
    is $issuing->reload, '', 'its jti goes into the list';
    cases($issuing,
        $is->('revoked', '/cli/', $pat, status => 403, refusal => 'nginx'),
        $is->('another one is not', '/cli/', $second, %allowed),
    );
    is $as->form('logout', 'portal', { refresh_token => $login->{refresh_token} })->status, 204, 'the user logs out';
    cases($issuing,
        $is->('it outlives the session', '/cli/', $second, %allowed),
        $is->('by introspection it does not', '/api/', $second, %refused, outcome => 'inactive'),
    );
    $as->admin('PUT', 'demo/users/' . $as->user_id('erin'), { enabled => false });
    cases($issuing, $is->('it outlives the user', '/cli/', $second, %allowed));
}

# --- keys that change ------------------------------------------------------------------------------------------------

my %KEYS = (providerType => 'org.keycloak.keys.KeyProvider');
my $rotating = gateway(
    clock     => 'time', servers => { AS => $as },
    locations => <<"END",
        location = /_keys { internal; proxy_pass http://%%AS%%$oidc/certs; }
        location = /_introspect { internal; proxy_pass http://%%AS%%$oidc/token/introspect; }
        location /verify { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_keys;
            phantom_token_audience https://orders.example.com; phantom_token_issuer $issuer;
            proxy_pass http://%%API%%; }
        location /checked { phantom_token on; phantom_token_introspection_endpoint /_introspect; $gateway_client
            phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_keys; proxy_pass http://%%API%%; }
END
);

sub new_pat { return $as->exchange('pat', $as->token(client => 'portal'), scope => $pat_scope)->json->{access_token} }

sub kid { return JSON::PP->new->decode(MIME::Base64::decode_base64url((split /\./, $_[0])[0]))->{kid} }

my %by = (old => { pat => new_pat(), app => $as->token });
cases($rotating,
    { name => 'keys: the first one, in a personal access token', at('verify', $by{old}{pat}), %allowed },
    { name => 'keys: the first one, at introspection', at('checked', $by{old}{app}), %allowed });
my ($first) = grep { $_->{providerId} eq 'rsa-generated' }
    @{ $as->admin('GET', 'demo/components?type=org.keycloak.keys.KeyProvider') };
$as->admin('POST', 'demo/components', {
    %KEYS, name => 'second', providerId => 'rsa-generated', config => { priority => ['200'], algorithm => ['RS256'] }
});
$by{new} = { pat => new_pat(), app => $as->token };
isnt kid($by{new}{pat}), kid($by{old}{pat}), 'another key signs now';
$rotating->advance(11);    # an unknown key is a reason to fetch the keys once in 10 s
cases($rotating,
    { name => 'keys: a new one', at('verify', $by{new}{pat}), %allowed },
    { name => 'keys: a new one, at introspection', at('checked', $by{new}{app}), %allowed },
    { name => 'keys: the old one is still good', at('verify', $by{old}{pat}), %allowed },
    { name => 'keys: what the old one signed is introspected anew', at('checked', $by{old}{app}), %allowed });
is kid(jwt_at_api($rotating)), kid($by{new}{pat}), 'keys: the JWT for it has the new signature';
$as->admin('DELETE', "demo/components/$first->{id}");
$rotating->advance(61);    # the keys are used for a minute
cases($rotating,
    { name => 'keys: the old one is gone', at('verify', $by{old}{pat}), %inactive, outcome => 'signature' },
    { name => 'keys: the old one is gone, at introspection', at('checked', $by{old}{app}), %inactive },
    { name => 'keys: the new one stays', at('verify', $by{new}{pat}), %allowed },
    { name => 'keys: the new one stays, at introspection', at('checked', $by{new}{app}), %allowed });

# --- no realm, no Keycloak -------------------------------------------------------------------------------------------

$as->admin('DELETE', 'demo');
my $asked = 'asked location "as-basic"';
cases($gateway,
    { name => 'the realm is gone', at('basic', 'app'),
      failed('as_error', qr/\[error\].*as_error.*$asked, its status 404/) });
cases($rotating,
    { name => 'the realm is gone: its keys are remembered', at('verify', $by{new}{pat}), %allowed },
    { name => 'the realm is gone: introspection is not', at('checked', $by{new}{app}),
      failed('as_error', qr/\[error\]/) });
$as->stop;
cases($gateway,
    { name => 'Keycloak is gone', at('basic', 'app'), failed('as_error', qr/\[error\].*as_error.*$asked/),
      announce => qr/connect\(\) failed/ });

done_testing;
