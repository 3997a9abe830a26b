# Authorization servers that are not to be had here, as their documentation shows their answers and tokens: what the
# guides say of them.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::JsonServer 'forwarded_jwt';
use Harness::Keys 'key_pair';

my $key   = key_pair(temporary_folder() . '/gateway.pem', 'EC');
my $keys  = rsa_key('k1');
my $soon  = time + 3600;
my $entra = 'https://microsoft.example.com/11111111-2222-3333-4444-555555555555/v2.0';
my $pool  = 'https://cognito.example.com/eu-west-1_EXAMPLE';
my $api   = 'proxy_pass http://%%API%%;';

my $gateway = gateway(locations => <<"END");
    phantom_token on;
    phantom_token_introspection_endpoint /_introspect;
    phantom_token_jwks_endpoint /_jwks;
    phantom_token_signing_key $key;
    phantom_token_signed_issuer https://api.example.com;
    phantom_token_signed_audience https://orders.example.com;
    location /jwt { $api }
    location /sign { phantom_token_forward sign; $api
        location /sign/okta { phantom_token_issuer https://okta.example.com/oauth2/orders;
            phantom_token_audience api://orders; phantom_token_scopes orders.read; $api }
        location /sign/zitadel { phantom_token_issuer https://zitadel.example.com;
            phantom_token_audience 259254317079330818; $api }
    }
    location /none { phantom_token_forward none; proxy_set_header X-User \$phantom_token_sub; $api }
    location /auth0 { phantom_token_inbound_jwt verify; phantom_token_issuer https://tenant.example.com/;
        phantom_token_audience https://orders.example.com; phantom_token_scopes read:orders; $api }
    location /entra { phantom_token_inbound_jwt verify; phantom_token_issuer $entra;
        phantom_token_audience 66666666-7777-8888-9999-000000000000; phantom_token_scopes Orders.Read; $api }
    location /cognito { phantom_token_inbound_jwt verify; phantom_token_issuer $pool;
        phantom_token_audience https://orders.example.com; phantom_token_scopes orders/read; $api }
    location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
    location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
END
$gateway->as->answers('/jwks' => { json => jwks($keys) });

# --- answers to introspection ----------------------------------------------------------------------------------------

my %answer = (
    okta => {
        active => true, scope => 'orders.read', username => 'alice@example.com', exp => $soon, iat => $soon - 3600,
        sub => 'alice@example.com', aud => 'api://orders', iss => 'https://okta.example.com/oauth2/orders',
        jti => 'AT.7P4KlczBYVcWLkxduEuKeZfeiNYkZIC9uGJ28Cc-YaI', token_type => 'Bearer',
        client_id => '0oa9aw62CPUnXomeU9c5', uid => '00uid4BxXw6I6TV4m0g3'
    },
    zitadel => {
        active => true, scope => 'openid profile', client_id => '259254409320529922', token_type => 'Bearer',
        exp => $soon, iat => $soon - 3600, nbf => $soon - 3600, sub => '259241944654282754',
        aud => ['259254409320529922', '259254317079330818'], iss => 'https://zitadel.example.com',
        jti => '259241944654282755', username => 'alice',
        'urn:zitadel:iam:org:project:roles' => { reader => { '259241944654282753' => 'example.com' } }
    },
    authentik => {
        active => true, iss => 'https://authentik.example.com/application/o/orders/', sub => 'b4f1e2', scope => 'read',
        client_id => 'app', exp => $soon, iat => $soon - 3600, aud => 'app'
    },
    wso2 => {
        active => true, scope => 'read', token_type => 'Bearer', nbf => $soon - 3600, exp => $soon,
        iat => $soon - 3600, client_id => 'rgfKVdnMQnJSSr_pKFTxj3apiwYa', username => 'alice@carbon.super'
    },
);

# Of a signed JWT, all but what differs from one to the next.
sub claims_of_api {
    my $claims = jwt_claims(forwarded_jwt($gateway));
    delete @{$claims}{qw(iat jti)};
    return $claims;
}

# What the gateway makes of a JSON answer: without what is about the answer, and with its own iss, aud, exp.
sub signed_claims {
    my (%members) = @_;
    delete @members{qw(active token_type iss aud exp nbf iat jti)};
    my %own = (iss => 'https://api.example.com', aud => 'https://orders.example.com');
    return { sub => $members{client_id}, %members, %own };
}

for my $name (sort keys %answer) {
    my $path = $name =~ /^(?:okta|zitadel)$/ ? "/sign/$name" : '/sign';
    $gateway->as->answers("$name-token" => { json => $answer{$name}, headers => ['Cache-Control: no-store'] });
    $gateway->api->forget_requests;
    is $gateway->get($path, token => "$name-token")->status, 200, "$name: allowed";
    my $claims = claims_of_api();
    my $exp    = delete $claims->{exp};
    cmp_ok $exp, '<=', $soon, "$name: exp";
    is_deeply $claims, signed_claims(%{ $answer{$name} }), "$name: the claims that the API gets";
    cases($gateway,
        { name => "$name: by default", request => { path => '/jwt', token => "$name-token" }, status => 502,
          outcome => 'as_bad_response', log => qr/"phantom_token_forward sign"/ },
        { name => "$name: none", request => { path => '/none', token => "$name-token" }, status => 200,
          outcome => 'active', api => [{ authorization => undef, 'X-User' => $answer{$name}{sub} }] },
    );
}

# A copy of an answer with other members.
sub altered { my ($name, %members) = @_; return { json => { %{ $answer{$name} }, %members } } }

my $wso2 = jwt({ sub => 'alice', exp => $soon });
cases($gateway,
    { name => 'okta: another authorization server', request => { path => '/sign/okta', token => 'org-token' },
      answers => { 'org-token' => altered('okta', iss => 'https://okta.example.com') }, status => 401,
      outcome => 'issuer' },
    { name => 'zitadel: not for this project', request => { path => '/sign/zitadel', token => 'other-token' },
      answers => { 'other-token' => altered('zitadel', aud => ['259254409320529922']) }, status => 401,
      outcome => 'audience' },
    { name => 'authentik: to wrong credentials it says inactive', request => { path => '/sign', token => 'good-token' },
      answers => { 'good-token' => { json => { active => false } } }, status => 401, outcome => 'inactive' },
    { name => 'wso2: with a JWT', request => { path => '/jwt', token => 'wso2-jwt-token' },
      answers => { 'wso2-jwt-token' => altered('wso2', token_string => $wso2) }, status => 200,
      api => [{ authorization => "Bearer $wso2" }] },
    { name => 'curity: JSON with a JWT', request => { path => '/jwt', token => 'curity-json-token' },
      answers => { 'curity-json-token' => altered('wso2', phantom_token => $wso2) }, status => 200,
      api => [{ authorization => "Bearer $wso2" }] },
    { name => 'curity: the JWT alone', request => { path => '/jwt', token => 'curity-token' },
      answers => { 'curity-token' => { jwt => $wso2 } }, status => 200,
      api => [{ authorization => "Bearer $wso2" }] },
    { name => 'curity: 204', request => { path => '/jwt', token => 'curity-inactive-token' },
      answers => { 'curity-inactive-token' => { status => 204 } }, status => 401, outcome => 'inactive' },
);

# --- JWTs that are verified ------------------------------------------------------------------------------------------

my %claims = (
    auth0 => {
        iss => 'https://tenant.example.com/', sub => 'auth0|5f7c8ec7c33c6c004bbafe82',
        aud => ['https://orders.example.com', 'https://tenant.example.com/userinfo'],
        iat => $soon - 3600, exp => $soon, azp => 'my_client_id', scope => 'openid read:orders',
        permissions => ['read:orders']
    },
    entra => {
        iss => $entra, aud => '66666666-7777-8888-9999-000000000000',
        sub => 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
        iat => $soon - 3600, nbf => $soon - 3600, exp => $soon, scp => 'Orders.Read User.Read',
        tid => '11111111-2222-3333-4444-555555555555', ver => '2.0', azp => '6e74172b-be56-4843-9ff4-e66a39bb12e3'
    },
    cognito => {
        iss => $pool, aud => 'https://orders.example.com', sub => 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        client_id => 'xxxxxxxxxxxxexample', token_use => 'access', scope => 'openid orders/read',
        auth_time => $soon - 3600, iat => $soon - 3600, exp => $soon, username => 'alice'
    },
);

# A token with other claims; undef: without this one.
sub token_of {
    my ($name, %other) = @_;
    my %all = (%{ $claims{$name} }, %other);
    delete @all{ grep { !defined $all{$_} } keys %all };
    return jwt(\%all, key => $keys, header => { alg => 'RS256', typ => 'JWT', kid => 'k1' });
}

my @tokens = (
    ['auth0: a token for the API',                  'auth0',   'active'],
    ['auth0: the issuer without its slash',         'auth0',   'issuer',   iss => 'https://tenant.example.com'],
    ['auth0: for another API',                      'auth0',   'audience', aud => ['https://other.example.com']],
    ['entra: a user\'s token',                      'entra',   'active'],
    ['entra: version 1',                            'entra',   'issuer',
     iss => 'https://sts.windows.net/11111111-2222-3333-4444-555555555555/', ver => '1.0'],
    ['entra: aud is the URI',                       'entra',   'audience', aud => 'api://orders'],
    ['entra: an application\'s own token',          'entra',   'insufficient_scope',
     scp => undef, roles => ['Orders.Read']],
    ['cognito: with resource binding',              'cognito', 'active'],
    ['cognito: without',                            'cognito', 'audience', aud => undef],
    ['cognito: an ID token',                        'cognito', 'audience',
     aud => 'xxxxxxxxxxxxexample', token_use => 'id'],
    ['cognito: signed in by the SDK',               'cognito', 'insufficient_scope',
     scope => 'aws.cognito.signin.user.admin'],
);
for my $row (@tokens) {
    my ($name, $server, $outcome, %other) = @{$row};
    my $status = $outcome eq 'active' ? 200 : $outcome eq 'insufficient_scope' ? 403 : 401;
    cases($gateway, { name => $name, request => { path => "/$server", token => token_of($server, %other) },
                      status => $status, outcome => $outcome });
}
cases($gateway,
    { name => 'auth0: an opaque token, without audience', request => { path => '/auth0', token => 'opaque-token' },
      status => 401, outcome => 'inactive' },
    { name => 'auth0: signed by HS256',
      request => { path => '/auth0', token => jwt($claims{auth0}, header => { alg => 'HS256', typ => 'JWT' }) },
      status => 401, outcome => 'signature' },
);

done_testing;
