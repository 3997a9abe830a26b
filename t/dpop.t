# Tokens that are bound to a client's key (RFC 9449): each requirement on a resource server that concerns a gateway, by
# its section; which token counts as bound; what the client and the API are told. Attacks are in dpop-attacks.t, proofs
# that were used before in dpop-replay.t, nonces in dpop-nonce.t, nginx -t in dpop-configuration.t, certificates in
# mutual-tls.t.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Dpop qw(dpop_key dpop_proof dpop_request dpop_headers token_hash);

my $gateway = gateway(
    http   => 'phantom_token_dpop_replay zone=proofs:1m;',
    server => <<'END',
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_jwks_endpoint /_jwks;
        phantom_token_confirmation verify;
        phantom_token_dpop_replay proofs;
END
    locations => <<'END',
        location / { phantom_token on; proxy_pass http://%%API%%; }
        location /require { phantom_token on; phantom_token_confirmation require; proxy_pass http://%%API%%;
                            location /require/certificate { phantom_token_client_certificate $http_x_certificate;
                                                            proxy_pass http://%%API%%; } }
        location /refuse { phantom_token on; phantom_token_confirmation refuse; proxy_pass http://%%API%%; }
        location /pass { phantom_token on; phantom_token_confirmation pass; proxy_pass http://%%API%%; }
        location /es256 { phantom_token on; phantom_token_dpop_algorithms ES256; proxy_pass http://%%API%%; }
        location /leeway { phantom_token on; phantom_token_leeway 10m; proxy_pass http://%%API%%; }
        location /short { phantom_token on; phantom_token_dpop_max_age 10s; proxy_pass http://%%API%%; }
        location /public { phantom_token on; phantom_token_dpop_uri https://api.example.com/v1$uri;
                           proxy_pass http://%%API%%; }
        location /scope { phantom_token on; phantom_token_scopes "read write"; phantom_token_realm bank;
                          phantom_token_resource_metadata https://a.example/m; proxy_pass http://%%API%%; }
        location /own { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
                        proxy_pass http://%%API%%; }
        location /optional { phantom_token optional; proxy_pass http://%%API%%; }
        location /any { phantom_token on; satisfy any; deny all; proxy_pass http://%%API%%; }
        location /granted { phantom_token on; satisfy any; allow all; proxy_pass http://%%API%%; }
        location /answered { phantom_token on; phantom_token_preflight answer; proxy_pass http://%%API%%; }
        location /protected { phantom_token on; phantom_token_preflight protect; proxy_pass http://%%API%%; }
        location = /page { phantom_token on; ssi on; proxy_pass http://%%API%%; }
        location /part { phantom_token on; proxy_pass http://%%API%%; }
        location /asked { auth_request /_ask; proxy_pass http://%%API%%; }
        location = /_ask { internal; phantom_token on; proxy_pass_request_body off;
                           proxy_set_header Content-Length ""; proxy_pass http://%%API%%; }
        location /moved { phantom_token on; proxy_intercept_errors on; error_page 404 = /part/fallback;
                          proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
END
);

my ($key, $another) = (dpop_key('ES256'), dpop_key('ES256'));
my %key_of = map { $_ => dpop_key($_) } qw(ES384 ES512 EdDSA Ed25519 RS256 PS256 PS384 PS512);
my $cnf = { jkt => $key->thumbprint };
my $rsa = rsa_key();
$gateway->as->answers(
    '/jwks'       => { json => jwks($rsa) },
    'bound-token' => { jwt  => { sub => 'alice', cnf => $cnf } },
    'plain-token' => { jwt  => { sub => 'bob' } },
    map { ("$_-token" => { jwt => { sub => $_, cnf => { jkt => $key_of{$_}->thumbprint } } }) } keys %key_of
);

my $all    = 'ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256';
my %dpop   = (scheme => 'DPoP', algs => $all, realm => 'api');
my %passes = (
    status => 200, outcome => 'active', challenge => undef, headers => { 'DPoP-Nonce' => undef }, as => 1,
    api    => [{ authorization => 'Bearer <jwt>', dpop => undef }]
);

# A refusal by its word, with the error of the challenge: DPoP's, unless a scheme is given.
sub refused {
    my ($outcome, $error, %more) = @_;
    return (status => 401, outcome => $outcome, log => qr/phantom token: $outcome: .*, location "/,
        challenge => { %dpop, error => $error }, %more);
}

my %bad   = refused('dpop_proof', 'invalid_dpop_proof', as => 0); # before the authorization server is asked
my %bound = refused('bound',      'invalid_token',      as => 1);
my %bound_as_bearer = (%bound, challenge => { realm => 'api', error => 'invalid_token' });

# A request of the key's holder for path, and what may be said of its proof.
sub holder {
    my ($name, $proof, $expected, %request) = @_;
    my $token = delete $request{token} // 'bound-token';
    my $by    = delete $request{by}    // $key;
    my $make  = sub { return { dpop_request($by, $token, %request, proof => $proof) } };
    return { name => $name, %{$expected}, request => $make };
}

# Any request, with these headers.
sub sent {
    my ($name, $path, $headers, $expected, %request) = @_;
    return { name => $name, %{$expected}, request => sub { +{ path => $path, headers => [$headers->()], %request } } };
}

# --- the requirements ------------------------------------------------------------------------------------------------

sub proof { my (%option) = @_; return dpop_proof($key, htu => 'http://localhost/', token => 'bound-token', %option) }

cases($gateway,
    holder('4.3: all holds', {}, \%passes),
    sent('4.3 1: no DPoP header', '/', sub { 'Authorization: DPoP bound-token' }, \%bad),
    sent('4.3 1: two of them', '/', sub { 'Authorization: DPoP bound-token', map { 'DPoP: ' . proof() } 1, 2 }, \%bad),
    map({
        my ($name, $make) = @{$_};
        sent("4.3 2: $name", '/', sub { 'Authorization: DPoP bound-token', 'DPoP: ' . $make->() }, \%bad)
    } ['an empty one',       sub { '' }],
        ['no JWT',           sub { 'proof' }],
        ['two parts',        sub { proof() =~ s/\.[^.]*$//r }],
        ['four parts',       sub { proof() . '.e30' }],
        ['two in one field', sub { proof() . ', ' . proof() }],
        ['padding',          sub { proof() . '=' }],
        ['another alphabet', sub { proof() =~ s/\./+./r }],
        ['a header that is no object',        sub { proof(header_json => '[]') }],
        ['claims that are no object',         sub { proof(claims_json => '"x"') }],
        ['claims that are no JSON',           sub { proof(claims_json => '{') }],
        ['duplicate members in the header',   sub { proof(header_json => '{"typ":"x","typ":"dpop+jwt"}') }]),
    map({ holder("4.3 3: no $_", { claims => { $_ => undef } }, \%bad) } qw(jti htm htu iat ath)),
    map({ holder("4.3 3: $_ is no string", { claims => { $_ => 1 } }, \%bad) } qw(jti htm htu ath)),
    map({ holder("4.3 3: no $_ in the header", { header => { $_ => undef } }, \%bad) } qw(typ alg jwk)),
    map({ holder("4.3 4, 11.5: typ $_", { header => { typ => $_ } }, \%bad) } 'JWT', 'at+jwt', 'dpop', 'dpop+jwt ', ''),
    map({ holder("4.3 4: typ $_", { header => { typ => $_ } }, \%passes) } 'application/dpop+jwt', 'DPoP+JWT'),
    map({ holder("4.3 5, 11.6: alg $_", { header => { alg => $_ } }, \%bad) }
        qw(none HS256 ES256K ES384 RS256 es256 X)),
    holder('4.3 5: an alg that is not among those allowed', {},
        { %bad, challenge => { %dpop, algs => 'ES256', error => 'invalid_dpop_proof' } }, path => '/es256',
        by => dpop_key('ES384')),
    holder('4.3 5: one that is', {}, \%passes, path => '/es256'),
    holder('4.3 6: signed by another key', { signer => $another }, \%bad),
    holder('4.3 6: a bit of it', { signature => sub { $_[0] ^ ("\0" x 63 . "\1") } }, \%bad),
    holder('4.3 6: none', { signature => '' }, \%bad),
    holder('4.3 7: a private key', { jwk => $key->private_jwk }, \%bad),
    holder('4.3 8: another htm', { claims => { htm => 'POST' } }, \%bad),
    holder('4.3 8: htm in another case', { claims => { htm => 'get' } }, \%bad),
    holder('4.3 8: POST', {}, \%passes, method => 'POST', body => 'x'),
    holder('4.3 8: HEAD', {}, \%passes, method => 'HEAD'),
    holder('4.3 9: another path', { claims => { htu => 'http://localhost/other' } }, \%bad),
    holder('4.3 9: another scheme', { claims => { htu => 'https://localhost/' } }, \%bad),
    holder('4.3 9: another host', { claims => { htu => 'http://other/' } }, \%bad),
    holder('4.3 9: without the query of the request', {}, \%passes, path => '/x?a=b'),
    holder('4.3 9: another query and a fragment in htu', { claims => { htu => 'http://localhost/x?c=d#e' } }, \%passes,
        path => '/x?a=b'),
    holder('4.3 9: phantom_token_dpop_uri', { htu => 'https://api.example.com/v1/public/x' }, \%passes,
        path => '/public/x'),
    holder('4.3 9: phantom_token_dpop_uri, the URI of the request', {}, \%bad, path => '/public/x'),
    holder('4.3 10: a nonce that nobody has asked for', { claims => { nonce => 'n' } }, \%passes),
    holder('4.3 11: an old one, young enough', { now => time - 5 }, \%passes),
    holder('4.3 11: older than the 60 s of the default', { now => time - 61 }, \%bad),
    holder('4.3 11: older than phantom_token_dpop_max_age', { now => time - 11 }, \%bad, path => '/short'),
    holder('4.3 11: the leeway does not lengthen it', { now => time - 61 }, \%bad, path => '/leeway'),
    holder('4.3 11: ahead', { now => time + 300 }, \%bad),
    holder('4.3 11: ahead by less than the leeway', { now => time + 300 }, \%passes, path => '/leeway'),
    holder('4.3 12: ath of another token', { claims => { ath => token_hash('plain-token') } }, \%bad),
    holder('4.3 12: the token itself as ath', { claims => { ath => 'bound-token' } }, \%bad),
    holder('4.3 12: padding in ath', { claims => { ath => token_hash('bound-token') . '=' } }, \%bad),
    holder('4.3 12, 7.1: another key than the one that the token is bound to', {}, { %bad, as => 1 }, by => $another),

    map({ holder("4.2: $_", {}, \%passes, by => $key_of{$_}, token => "$_-token") } sort keys %key_of),
    holder('4.2: members that nobody knows',
        { claims => { x => {} }, header => { kid => 'k' }, jwk => { use => 'sig' } }, \%passes),
    holder('4.2: exp in the past', { claims => { exp => time - 10 } }, \%bad),
    holder('4.2: nbf ahead', { claims => { nbf => time + 300 } }, \%bad),
    holder('RFC 7515 4.1.11: crit', { header => { crit => ['x'], x => 1 } }, \%bad),

    sent('7.1: the scheme in another case', '/', sub { map { s/DPoP b/dpop b/r } headers_of('/') }, \%passes),
    sent('7.1: DPoP without a token', '/', sub { 'Authorization: DPoP', 'DPoP: ' . proof() },
        { refused('malformed', 'invalid_token', as => 0, log => undef) }),
    sent('7.1: a token that is none', '/', sub { 'Authorization: DPoP a"b', 'DPoP: ' . proof() },
        { refused('malformed', 'invalid_token', as => 0, log => undef) }),
    holder('7.1: an inactive token', {}, { refused('inactive', 'invalid_token', as => 1) }, token => 'gone-token'),
    holder('7.1: a scope is missing', {}, { status => 403, outcome => 'insufficient_scope', challenge => {
        %dpop, realm => 'bank', scope => 'read write', error => 'insufficient_scope',
        resource_metadata => 'https://a.example/m'
    } }, path => '/scope'),
    sent('7.2: a bound token as Bearer', '/', sub { 'Authorization: Bearer bound-token' }, \%bound),
    sent('7.2: the same with its proof', '/', sub { map { s/DPoP b/Bearer b/r } headers_of('/') }, \%bound),
    sent('7.2: an unbound token as Bearer', '/', sub { 'Authorization: Bearer plain-token' }, \%passes),
    holder('7.2: an unbound token as DPoP', {}, \%bound, token => 'plain-token'),
);

sub headers_of { my ($path) = @_; return dpop_headers($key, 'bound-token', htu => "http://localhost$path") }

# --- challenges to who has no token ----------------------------------------------------------------------------------

my $bearer = { realm => 'api' };
my %none   = (status => 401, outcome => 'missing', as => 0);

sub none { my ($name, $path, $challenge, @headers) = @_;
    return { name => $name, %none, challenge => $challenge, request => { path => $path, headers => \@headers } } }

cases($gateway,
    none('7.1: no token under verify', '/', [$bearer, \%dpop]),
    none('7.1: another scheme under verify', '/', [$bearer, \%dpop], 'Authorization: Basic eA=='),
    none('7.1: no token, but a proof', '/', [$bearer, \%dpop], 'DPoP: x'),
    none('7.1: no token under require', '/require', \%dpop),
    none('7.1: no token under require, with a certificate', '/require/certificate', [$bearer, \%dpop]),
    none('no token under pass', '/pass', $bearer),
    none('DPoP under pass', '/pass', $bearer, 'Authorization: DPoP bound-token'),
    none('DPoP under refuse', '/refuse', $bearer, 'Authorization: DPoP bound-token'),
    none('realm, scope and resource_metadata in both', '/scope', [map {
        +{ %{$_}, realm => 'bank', scope => 'read write', resource_metadata => 'https://a.example/m' }
    } $bearer, \%dpop]),
    { name => 'the challenge, as it is', status => 401, request => sub { +{
        dpop_request($key, 'bound-token', path => '/scope', proof => { claims => { jti => undef } })
      } }, headers => { 'WWW-Authenticate' => qq(DPoP algs="$all", realm="bank", scope="read write", )
          . 'error="invalid_dpop_proof", resource_metadata="https://a.example/m"' } },
    sent('require: an unbound token as Bearer', '/require', sub { 'Authorization: Bearer plain-token' },
        \%bound_as_bearer),
    holder('require: an unbound token as DPoP', {}, \%bound, path => '/require', token => 'plain-token'),
    sent('require: a bound token as Bearer', '/require', sub { 'Authorization: Bearer bound-token' }, \%bound),
    holder('require: a bound token with its proof', {}, \%passes, path => '/require'),
    sent('refuse: a bound token as Bearer', '/refuse', sub { 'Authorization: Bearer bound-token' }, \%bound_as_bearer),
    sent('pass: a bound token as Bearer', '/pass', sub { 'Authorization: Bearer bound-token' }, \%passes),
);

# --- which token is bound, and to what -------------------------------------------------------------------------------

my $other_cnf = { jkt => $another->thumbprint };

sub json_answer { my (%members) = @_; return { json => { active => true, sub => 'a', %members } } }

# [name, answer, as DPoP, as Bearer]
my @answers = (
    ['cnf in the JSON answer alone', json_answer(cnf => $cnf, jwt => jwt({})), \%passes, \%bound],
    ['cnf in the JWT alone', json_answer(jwt => jwt({ cnf => $cnf })), \%passes, \%bound],
    ['cnf in both', json_answer(cnf => $cnf, jwt => jwt({ cnf => $cnf })), \%passes, \%bound],
    ['another cnf in the JSON answer', json_answer(cnf => $other_cnf, jwt => jwt({ cnf => $cnf })), { %bad, as => 1 },
        \%bound],
    ['another cnf in the JWT', json_answer(cnf => $cnf, jwt => jwt({ cnf => $other_cnf })), { %bad, as => 1 }, \%bound],
    ['a member that nobody knows', { jwt => { cnf => { jwk => {} } } }, \%bound, \%bound_as_bearer],
    ['one beside jkt', { jwt => { cnf => { %{$cnf}, kid => 'k' } } }, \%bound, \%bound],
    ["Keycloak's kc-jkt-type beside jkt", { jwt => { cnf => { %{$cnf}, 'kc-jkt-type' => 'DPoP' } } }, \%passes,
        \%bound],
    ['another kc-jkt-type', { jwt => { cnf => { %{$cnf}, 'kc-jkt-type' => 'X' } } }, \%bound, \%bound],
    ['kc-jkt-type alone', { jwt => { cnf => { 'kc-jkt-type' => 'DPoP' } } }, \%bound, \%bound_as_bearer],
    ['an empty cnf', { jwt => { cnf => {} } }, \%bound, \%bound_as_bearer],
    ['a cnf that is null', { jwt => { cnf => undef } }, \%bound, \%passes],
    map({ ["a cnf that is $_->[0]", { jwt => { cnf => $_->[1] } }, \%bound, \%bound_as_bearer] }
        ['a string', $key->thumbprint], ['an array', [$cnf]], ['a number', 1], ['true', true]),
    ['an unknown cnf in the JSON answer, a good one in the JWT', json_answer(cnf => { x => 1 }, jwt => jwt({
        cnf => $cnf })), \%bound, \%bound],
    ['token_type DPoP without cnf', json_answer(token_type => 'DPoP', jwt => jwt({})), \%bound, \%bound_as_bearer],
    ['token_type dpop without cnf', json_answer(token_type => 'dpop', jwt => jwt({})), \%bound, \%bound_as_bearer],
    ['token_type DPoP with cnf', json_answer(token_type => 'DPoP', cnf => $cnf, jwt => jwt({})), \%passes, \%bound],
    ['token_type Bearer with cnf', json_answer(token_type => 'Bearer', cnf => $cnf, jwt => jwt({})), \%passes,
        \%bound],
);
my $count = 0;
for my $row (@answers) {
    my ($name, $answer, $as_dpop, $as_bearer) = @{$row};
    my $token = 'answer-' . ++$count;
    $gateway->as->answers($token => $answer);
    cases($gateway,
        holder("$name, as DPoP", {}, $as_dpop, token => $token),
        sent("$name, as Bearer", '/', sub { "Authorization: Bearer $token" }, $as_bearer));
}

# --- a client's own JWT, optional, satisfy any, preflight ------------------------------------------------------------

my %own      = (header => { alg => 'RS256', kid => $rsa->{kid}, typ => 'at+jwt' }, key => $rsa);
my $own      = jwt({ aud => 'api', cnf => $cnf }, %own);
my $unbound  = jwt({ aud => 'api' }, %own);
my @asks     = ('Origin: https://app.example', 'Access-Control-Request-Method: GET',
    'Access-Control-Request-Headers: authorization, dpop');
my %own_jwt  = (%passes, as => undef, api => [{ authorization => "Bearer $own", dpop => undef }]);
my %no_token = (status => 200, as => 0, api => [{ authorization => undef, dpop => undef }], challenge => undef);

cases($gateway,
    holder('own JWT: its proof', {}, \%own_jwt, path => '/own', token => $own),
    holder('own JWT: another key', {}, { %bad, as => undef }, path => '/own', token => $own, by => $another),
    sent('own JWT: as Bearer', '/own', sub { "Authorization: Bearer $own" }, { %bound, as => undef }),
    holder('own JWT: unbound as DPoP', {}, { %bound, as => undef }, path => '/own', token => $unbound),
    sent('own JWT: unbound as Bearer', '/own', sub { "Authorization: Bearer $unbound" },
        { status => 200, outcome => 'active', api => [{ authorization => "Bearer $unbound" }] }),
    sent('optional: no token', '/optional', sub { () }, { %no_token, outcome => 'anonymous' }),
    holder('optional: a proof that holds', {}, \%passes, path => '/optional'),
    holder('optional: one that does not', { claims => { htm => 'PUT' } }, \%bad, path => '/optional'),
    sent('optional: as Bearer', '/optional', sub { 'Authorization: Bearer bound-token' }, \%bound),
    holder('satisfy any: a proof that holds', {}, \%passes, path => '/any'),
    holder('satisfy any: one that does not', { claims => { htm => 'PUT' } }, \%bad, path => '/any'),
    sent('satisfy any: granted without a token', '/granted', sub { () }, { %no_token, outcome => 'bypassed' }),
    holder('satisfy any: granted, and the token is not looked at', { claims => { htm => 'PUT' } },
        { %no_token, outcome => 'bypassed' }, path => '/granted'),
    sent('preflight: passes without a token', '/x', sub { @asks }, { %no_token, outcome => 'preflight' },
        method => 'OPTIONS'),
    sent('preflight: passes without the token that it has', '/x',
        sub { @asks, 'Authorization: DPoP bound-token', 'DPoP: ' . proof() }, { %no_token, outcome => 'preflight' },
        method => 'OPTIONS'),
    sent('preflight: is answered', '/answered', sub { @asks },
        { status => 204, as => 0, api => 0, outcome => 'preflight' }, method => 'OPTIONS'),
    sent('preflight: is protected', '/protected', sub { @asks }, { %none, challenge => [$bearer, \%dpop] },
        method => 'OPTIONS'),
    holder('preflight: is protected, with a proof', {}, \%passes, path => '/protected', method => 'OPTIONS',
        headers => \@asks),
);

# --- subrequests and redirects: the client's method and URI count, and one proof -------------------------------------

my @part = ({ uri => '/part/a', authorization => 'Bearer <jwt>', dpop => undef },
    { uri => '/part/b', authorization => 'Bearer <jwt>', dpop => undef });
my %page = (headers => ['Content-Type: text/html'],
    body => '<!--#include virtual="/part/a" wait="yes" --><!--#include virtual="/part/b" -->');

cases($gateway,
    holder('SSI: the proof is for the page', {}, { %passes, as => undef, api_answers => { '/page' => \%page },
        api => [{ uri => '/page', authorization => 'Bearer <jwt>' }, @part] }, path => '/page'),
    holder('SSI: a proof for a part', { htu => 'http://localhost/part/a' }, \%bad, path => '/page'),
    holder('auth_request: the proof is for the request', {}, { %passes, outcome => '', api => [
        { uri => '/_ask', authorization => 'Bearer <jwt>', dpop => undef }, { uri => '/asked' }
    ] }, path => '/asked'),
    holder('auth_request: POST is what was asked', {}, { %passes, outcome => '', api => 2 }, path => '/asked',
        method => 'POST', body => 'x'),
    holder('auth_request: a proof for another URI', { htu => 'http://localhost/_ask' },
        { %bad, outcome => '', refusal => 'page', api => 0 }, path => '/asked'),
    # nginx hands on one challenge, and since 1.23 all of them
    sent('auth_request: no token', '/asked', sub { () }, { %none, outcome => '', refusal => 'page',
        challenge => Harness::Nginx::version() < 1.023 ? $bearer : [$bearer, \%dpop] }),
    holder('error_page: one proof for both locations', {}, { %passes, as => undef,
        api_answers => { '/moved' => { status => 404 } }, api => [
            { uri => '/moved' }, { uri => '/part/fallback', authorization => 'Bearer <jwt>', dpop => undef }
        ] }, path => '/moved'),
);

# --- the example of section 7.1, as it stands, on its day ------------------------------------------------------------

my $example = gateway(
    clock     => 'wall',
    http      => 'phantom_token_dpop_replay zone=proofs:1m;',
    protected => 'phantom_token_confirmation require; phantom_token_dpop_uri https://$http_host$request_uri;
                  phantom_token_dpop_replay proofs;',
);
$example->set_clock(1_562_262_618 + 5 - time);
$example->as->answers('Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU' =>
        { jwt => { cnf => { jkt => '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } } });
my %figure_13 = (path => '/protectedresource', host => 'resource.example.org', headers => [
    'Authorization: DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU',
    'DPoP: eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0R'
        . 'scEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAt'
        . 'MjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9y'
        . 'Zy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS'
        . '0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA'
]);
cases($example,
    { name => 'the example of 7.1', request => \%figure_13, %passes },
    { name => 'the example of 7.1, once more', request => \%figure_13, status => 401, outcome => 'dpop_replay',
      challenge => { %dpop, error => 'invalid_dpop_proof' } },
);
$example->set_clock(0);
cases($example, { name => 'the example of 7.1, today', request => \%figure_13, %bad });

done_testing;
