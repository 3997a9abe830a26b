# Three real authorization servers: what each answers, as authorization-servers/README.md says, and what the gateway
# makes of it. Only oidc-provider gives JWTs to an introspection; the others must come to nothing, and say why.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use MIME::Base64 qw(encode_base64 decode_base64url);

my %as = map { $_ => real_server($_) } qw(oidc-provider glewlwyd django-oauth-toolkit);
my ($oidc, $glewlwyd, $django) = @as{qw(oidc-provider glewlwyd django-oauth-toolkit)};

sub basic_of { my ($client, $secret) = @_; return 'Basic ' . encode_base64("$client:$secret", '') }

# --- the introspection locations: name => server, Authorization, more ------------------------------------------------

my $caching = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; '
    . 'proxy_ignore_headers Cache-Control Expires; proxy_cache_valid 200 204 1h;';
my %way = (
    'gateway'          => [$oidc, $oidc->basic('gateway')],
    'gateway-kc'       => [$oidc, $oidc->basic('gateway-kc')],
    'gateway-9701'     => [$oidc, $oidc->basic('gateway-9701')],
    'gateway-odd'      => [$oidc, $oidc->basic('gateway-odd')],
    'gateway-odd-raw'  => [$oidc, $oidc->basic('gateway-odd', raw => 1)],
    '9701-accept'      => [$oidc, $oidc->basic('gateway-9701'),
                           'proxy_set_header Accept application/token-introspection+jwt;'],
    'json-accept'      => [$oidc, $oidc->basic('gateway'), 'proxy_set_header Accept application/json;'],
    'kc-list'          => [$oidc, $oidc->basic('gateway-kc'),
                           'proxy_set_header Accept "application/jwt, application/json";'],
    'wrong-secret'     => [$oidc, basic_of('gateway', 'wrong')],
    'no-auth'          => [$oidc],
    'may-not'          => [$oidc, $oidc->basic('app')],
    'cached'           => [$oidc, $oidc->basic('gateway'), $caching],
    'cached-kc'        => [$oidc, $oidc->basic('gateway-kc'), $caching],
    'not-cached'       => [$oidc, $oidc->basic('gateway'), $caching =~ s/proxy_ignore_headers[^;]*;//r],
    'wrong-path'       => [$oidc, $oidc->basic('gateway'), undef, '/nowhere'],
    'glewlwyd'         => [$glewlwyd, $glewlwyd->basic('gateway')],
    'glewlwyd-json'    => [$glewlwyd, $glewlwyd->basic('gateway'), 'proxy_set_header Accept application/json;'],
    'glewlwyd-9701'    => [$glewlwyd, $glewlwyd->basic('gateway'),
                           'proxy_set_header Accept application/token-introspection+jwt;'],
    'glewlwyd-odd'     => [$glewlwyd, $glewlwyd->basic('gateway-odd', raw => 1),
                           'proxy_set_header Accept application/json;'],
    'glewlwyd-encoded' => [$glewlwyd, $glewlwyd->basic('gateway-odd'), 'proxy_set_header Accept application/json;'],
    'glewlwyd-no-auth' => [$glewlwyd],
    'glewlwyd-wrong'   => [$glewlwyd, basic_of('gateway', 'wrong')],
    'django'           => [$django, $django->basic('gateway')],
    'django-odd'       => [$django, $django->basic('gateway-odd')],
    'django-raw'       => [$django, $django->basic('gateway-odd', raw => 1)],
    'django-no-auth'   => [$django],
    'django-wrong'     => [$django, basic_of('gateway', 'wrong')],
    'django-no-slash'  => [$django, $django->basic('gateway'), undef, $django->path('introspection') =~ s{/$}{}r],
);
my $locations = join "\n", map {
    my ($server, $authorization, $more, $path) = @{ $way{$_} };
    my $url = 'http://' . $server->address . ($path // $server->path('introspection'));
    my $set = defined $authorization ? qq{proxy_set_header Authorization "$authorization";} : '';
    qq{location /$_ { phantom_token on; phantom_token_introspection_endpoint as-$_; proxy_pass http://%%API%%; }\n}
        . qq{location as-$_ { internal; proxy_pass $url; $set @{[ $more // '' ]} }};
} sort keys %way;

my $issuer  = 'http://' . $oidc->address;
my $gateway = gateway(
    servers   => { AS => $oidc },
    http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    locations => $locations . <<"END",

        location /scopes { phantom_token on; phantom_token_introspection_endpoint as-gateway; proxy_pass http://%%API%%;
            location /scopes/read { phantom_token_scopes "read"; proxy_pass http://%%API%%; }
            location /scopes/both { phantom_token_scopes "read write"; proxy_pass http://%%API%%; }
            location /scopes/any { phantom_token_scopes "admin write"; phantom_token_scope_match any;
                                   proxy_pass http://%%API%%; }
            location /scopes/prefix { phantom_token_scopes "rea*"; proxy_pass http://%%API%%; }
            location /scopes/kc { phantom_token_introspection_endpoint as-gateway-kc; phantom_token_scope read;
                                  phantom_token_scope write; proxy_pass http://%%API%%; }
        }
        location /iss-aud { phantom_token on; phantom_token_introspection_endpoint as-gateway;
            phantom_token_issuer $issuer; phantom_token_audience https://api.example.com; proxy_pass http://%%API%%;
            location /iss-aud/kc { phantom_token_introspection_endpoint as-gateway-kc; proxy_pass http://%%API%%; }
            location /iss-aud/other-iss { phantom_token_issuer https://other.example.com; proxy_pass http://%%API%%; }
            location /iss-aud/other-aud { phantom_token_audience https://orders.example.com;
                                          proxy_pass http://%%API%%; }
        }
END
);

# A client's port comes back after some hundred requests, and its older line in the access log would be taken for the
# new one's.
sub forget_access_log { return truncate $gateway->folder . '/access.log', 0 }

# --- tokens ----------------------------------------------------------------------------------------------------------

my %active  = map { $_ => $as{$_}->token(scope => 'read') } keys %as;
my %revoked = map { $_ => $as{$_}->token(scope => 'read') } keys %as;
$as{$_}->revoke($revoked{$_}) for keys %as;
my %unknown = map { $_ => "unknown-$_-token" } keys %as;
my $orders  = $oidc->token(scope => 'read', form => { resource => 'https://orders.example.com' });
my $own_jwt = $oidc->token(scope => 'read', form => { resource => 'https://jwt.example.com' });
my $refresh = $glewlwyd->form(
    'token', 'web',
    { grant_type => 'password', username => 'alice', password => 'alice-secret', scope => 'openid read' }
)->json->{refresh_token};
Harness::Secrets::keep_secret($refresh);

# --- what they answer: the table of authorization-servers/README.md --------------------------------------------------

# server, client, Accept, then status, type and content for an active token, an unknown and a revoked one. J: active, no
# JWT; K: active, with one; F: inactive; E: RFC 9701's envelope; j: a JWT; -: empty.
sub content {
    my ($body) = @_;
    return '-' if $body eq '';
    return ((jwt_claims($body)->{token_introspection} ? 'E' : 'j')) if $body =~ /^eyJ/;
    my $json = eval { JSON::PP->new->utf8->decode($body) } // return '?';
    return !exists $json->{active} ? '?' : !$json->{active} ? 'F' : grep(
        { defined && !ref && /^eyJ/ } values %{$json}
    ) ? 'K' : 'J';
}
my $rfc9701 = 'application/token-introspection+jwt';
my @measured = (
    ['oidc-provider', 'gateway',      'application/jwt',                   '200 application/jwt j',  '204  -'],
    ['oidc-provider',
     'gateway',      'application/json',                  '200 application/json J', '200 application/json F'],
    ['oidc-provider', 'gateway-odd',  'application/jwt',                   '200 application/jwt j',  '204  -'],
    ['oidc-provider',
     'gateway-kc',   'application/jwt',                   '200 application/json K', '200 application/json F'],
    ['oidc-provider',
     'gateway-kc',   'application/jwt, application/json', '200 application/json J', '200 application/json F'],
    ['oidc-provider',
     'gateway-9701', 'application/jwt',                   '200 application/json J', '200 application/json F'],
    ['oidc-provider', 'gateway-9701', $rfc9701,                            "200 $rfc9701 E",         "200 $rfc9701 E"],
    ['oidc-provider',
     'app',          'application/jwt',                   '200 application/json F', '200 application/json F'],
    ['glewlwyd', 'gateway', 'application/json', '200 application/json J', '200 application/json F'],
    ['glewlwyd', 'gateway', 'application/jwt',  '200 application/jwt j',  '400  -'],
    ['glewlwyd', 'gateway', $rfc9701,           "200 $rfc9701 E",         '400  -'],
    ['django-oauth-toolkit', 'gateway',     'application/jwt',  '200 application/json J', '200 application/json F'],
    ['django-oauth-toolkit', 'gateway-odd', 'application/json', '200 application/json J', '200 application/json F'],
);
for my $row (@measured) {
    my ($server, $client, $accept, $active, $inactive) = @{$row};
    for my $token (
        [active => $active{$server}, $active], [unknown => $unknown{$server}, $inactive],
        [revoked => $revoked{$server}, $inactive]
    ) {
        my $response = $as{$server}->introspect($token->[1], $client, $accept);
        my ($type) = ($response->header('Content-Type') // '') =~ /^([^;]*)/;
        is join(' ', $response->status, $type, content($response->body)), $token->[2],
            "measured: $server, $client, Accept: $accept: $token->[0]";
    }
}

# --- what the gateway makes of it ------------------------------------------------------------------------------------

my %row = (
    active   => { status => 200, outcome => 'active',
                  api => [{ authorization => qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/ }] },
    inactive => { status => 401, outcome => 'inactive', challenge => { realm => 'api', error => 'invalid_token' } },
    nothing  => { status => 502, outcome => 'as_bad_response' },
    error    => { status => 502, outcome => 'as_error' },
    refused  => { status => 502, outcome => 'as_refused_client' },
);
# way, what an active token gets, what an unknown and a revoked one get
my @outcomes = (
    ['gateway',          'active',   'inactive'],
    ['gateway-kc',       'active',   'inactive'],
    ['gateway-odd',      'active',   'inactive'],
    ['gateway-odd-raw',  'error',    'error'],
    ['gateway-9701',     'nothing',  'inactive'],
    ['9701-accept',      'nothing',  'inactive'],
    ['json-accept',      'nothing',  'inactive'],
    ['kc-list',          'nothing',  'inactive'],
    ['wrong-secret',     'refused',  'refused'],
    ['no-auth',          'error',    'error'],
    ['may-not',          'inactive', 'inactive'],
    ['wrong-path',       'error',    'error'],
    ['glewlwyd',         'nothing',  'error'],
    ['glewlwyd-json',    'nothing',  'inactive'],
    ['glewlwyd-9701',    'nothing',  'error'],
    ['glewlwyd-odd',     'nothing',  'inactive'],
    ['glewlwyd-encoded', 'refused',  'refused'],
    ['glewlwyd-no-auth', 'refused',  'refused'],
    ['glewlwyd-wrong',   'refused',  'refused'],
    ['django',           'nothing',  'inactive'],
    ['django-odd',       'nothing',  'inactive'],
    ['django-raw',       'refused',  'refused'],
    ['django-no-auth',   'refused',  'refused'],
    ['django-wrong',     'refused',  'refused'],
    ['django-no-slash',  'error',    'error'],
);
for my $row (@outcomes) {
    my ($way, $active, $inactive) = @{$row};
    my ($server) = grep { $as{$_} == $way{$way}[0] } keys %as;
    my $location = qr/location "\/$way".*location "as-$way"/;
    cases($gateway,
        map {
            my ($kind, $token, $outcome) = @{$_};
            { name => "$way: $kind", request => { path => "/$way", token => $token }, %{ $row{$outcome} },
              $row{$outcome}{status} == 502 ? (log => qr/\[error\].*$location/) : () }
        }
            [active => $active{$server}, $active], [unknown => $unknown{$server}, $inactive],
                [revoked => $revoked{$server}, $inactive]
    );
}

my $both = $oidc->token(scope => 'read write');
forget_access_log();
cases($gateway,
    { name => 'oidc-provider: no token',
      request => { path => '/gateway' }, status => 401, challenge => { realm => 'api' }, outcome => 'missing' },
    { name => 'oidc-provider: a JWT of its own is no opaque token',
      request => { path => '/gateway', token => $own_jwt }, %{ $row{inactive} } },
    { name => 'glewlwyd: a refresh token',
      request => { path => '/glewlwyd-json', token => $refresh }, %{ $row{inactive} } },
    { name => 'a token of another server: glewlwyd\'s at oidc-provider',
      request => { path => '/gateway', token => $active{glewlwyd} }, %{ $row{inactive} } },
    { name => 'a token of another server: oidc-provider\'s at django-oauth-toolkit',
      request => { path => '/django', token => $active{'oidc-provider'} }, %{ $row{inactive} } },

    { name => 'scopes: enough',
      request => { path => '/scopes/read', token => $active{'oidc-provider'} }, %{ $row{active} } },
    { name => 'scopes: one is missing', request => { path => '/scopes/both', token => $active{'oidc-provider'} },
      status => 403, challenge => { realm => 'api', scope => 'read write', error => 'insufficient_scope' },
      outcome => 'insufficient_scope' },
    { name => 'scopes: both', request => { path => '/scopes/both', token => $both }, %{ $row{active} } },
    { name => 'scopes: any, none of them', request => { path => '/scopes/any', token => $active{'oidc-provider'} },
      status => 403, outcome => 'insufficient_scope' },
    { name => 'scopes: any, one of them', request => { path => '/scopes/any', token => $both }, %{ $row{active} } },
    { name => 'scopes: prefix',
      request => { path => '/scopes/prefix', token => $active{'oidc-provider'} }, %{ $row{active} } },
    { name => 'scopes: JSON with a JWT in it, missing',
      request => { path => '/scopes/kc', token => $active{'oidc-provider'} }, status => 403,
      outcome => 'insufficient_scope' },
    { name => 'scopes: JSON with a JWT in it, enough',
      request => { path => '/scopes/kc', token => $both }, %{ $row{active} } },

    { name => 'iss and aud: right', request => { path => '/iss-aud', token => $both }, %{ $row{active} } },
    { name => 'iss and aud: right, JSON with a JWT in it',
      request => { path => '/iss-aud/kc', token => $both }, %{ $row{active} } },
    { name => 'iss: wrong',
      request => { path => '/iss-aud/other-iss', token => $both }, %{ $row{inactive} }, outcome => 'issuer' },
    { name => 'aud: wrong',
      request => { path => '/iss-aud/other-aud', token => $both }, %{ $row{inactive} }, outcome => 'audience' },
    { name => 'aud: a token for another API',
      request => { path => '/iss-aud', token => $orders }, %{ $row{inactive} }, outcome => 'audience' },
    { name => 'aud: a token for that API',
      request => { path => '/iss-aud/other-aud', token => $orders }, %{ $row{active} } },
);

# --- the JWT is the real, signed one ---------------------------------------------------------------------------------

sub der      {
    my ($tag, $content) = @_;
    my $n = length $content;
    return chr($tag) . ($n < 128 ? chr $n : $n < 256 ? "\x81" . chr $n : "\x82" . pack 'n', $n) . $content;
}
sub integer  { my ($bytes) = @_; return der(0x02, (ord $bytes) & 0x80 ? "\0$bytes" : $bytes) }
sub write_to {
    my ($file, $bytes) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $bytes;
    return close $out;
}

# RFC 7517 to SubjectPublicKeyInfo (RFC 8017 appendix A.1.1), for openssl.
sub public_key {
    my ($jwk) = @_;
    my $key = der(0x30, integer(decode_base64url($jwk->{n})) . integer(decode_base64url($jwk->{e})));
    my $rsa = der(0x30, der(0x06, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01") . "\x05\x00");
    return "-----BEGIN PUBLIC KEY-----\n" . encode_base64(der(0x30, $rsa . der(0x03, "\0$key")))
        . "-----END PUBLIC KEY-----\n";
}

my $jwks = Harness::Client->once(port => $oidc->port, path => $oidc->path('jwks'), host => $oidc->address)->json;
sub verifies {
    my ($jwt) = @_;
    my ($header, $claims, $signature) = split /\./, $jwt;
    my $kid   = JSON::PP->new->utf8->decode(decode_base64url($header))->{kid};
    my ($jwk) = grep { $_->{kid} eq $kid && $_->{kty} eq 'RSA' } @{ $jwks->{keys} } or return;
    my $folder = temporary_folder();
    write_to("$folder/key.pem", public_key($jwk));
    write_to("$folder/signature", decode_base64url($signature));
    write_to("$folder/signed", "$header.$claims");
    return run(
        ['openssl', 'dgst', '-sha256', '-verify', "$folder/key.pem", '-signature', "$folder/signature",
         "$folder/signed"]
    )->{code} == 0;
}

for my $way (qw(gateway gateway-kc gateway-odd cached cached cached-kc cached-kc)) {
    $gateway->api->forget_requests;
    my $response = $gateway->get("/$way", token => $both);
    my ($seen)   = $gateway->api->requests;
    my ($jwt)    = ($seen ? $seen->header('Authorization') : '') =~ /^Bearer (.+)$/;
    my $name     = "the JWT by $way, cache " . ($gateway->logged($response)->{cache} || 'none');
    ok defined $jwt && verifies($jwt), "$name: its signature is the server's";
    my $claims = jwt_claims($jwt);
    is_deeply [@{$claims}{qw(sub client_id iss aud scope)}],
        ['app', 'app', $issuer, 'https://api.example.com', 'read write'], "$name: its claims";
    cmp_ok $claims->{exp}, '>', time, "$name: is valid";
    my @parts = split /\./, $jwt;
    $parts[1] = base64url(JSON::PP->new->utf8->encode({ %{$claims}, sub => 'mallory' }));
    ok !verifies(join '.', @parts), "$name: changed, it would not verify";
}

# --- cached, revoked, expired ----------------------------------------------------------------------------------------

{
    my $token = $oidc->token(scope => 'read');
    forget_access_log();
    cases($gateway,
        { name => 'no-store: not cached',
          request => { path => '/not-cached', token => $token }, %{ $row{active} }, cache => 'MISS' },
        { name => 'no-store: not cached again',
          request => { path => '/not-cached', token => $token }, %{ $row{active} }, cache => 'MISS' },
        { name => 'no-store ignored: first',
          request => { path => '/cached', token => $token }, %{ $row{active} }, cache => 'MISS' },
        { name => 'no-store ignored: then cached',
          request => { path => '/cached', token => $token }, %{ $row{active} }, cache => 'HIT' },
        { name => 'no-store ignored: another token',
          request => { path => '/cached', token => $active{'oidc-provider'} }, %{ $row{active} }, cache => 'MISS' },
        { name => 'no-store ignored: inactive is cached',
          request => { path => '/cached', token => 'never-known-token' }, %{ $row{inactive} }, cache => 'MISS' },
        { name => 'no-store ignored: inactive, cached',
          request => { path => '/cached', token => 'never-known-token' }, %{ $row{inactive} }, cache => 'HIT' },
    );
    $oidc->revoke($token);
    cases($gateway,
        { name => 'revoked: refused where nothing is cached',
          request => { path => '/gateway', token => $token }, %{ $row{inactive} } },
        { name => 'revoked: works until its cache entry ends',
          request => { path => '/cached', token => $token }, %{ $row{active} }, cache => 'HIT' },
    );
}

# Tokens of the client "short" live 2 s: asked for when they are needed, and anew if a busy machine was too late for
# one. At once means: with the answer still in the cache.
my @short = (
    ['cached', 'HIT', 'expired'], ['cached-kc', 'HIT', 'expired'], ['gateway', '', 'inactive'],
    ['gateway-kc', '', 'inactive']
);
for my $row (@short) {
    ok until_true(
        patience(4), sub {
            $row->[3] = $oidc->token(client => 'short', scope => 'read');
            $gateway->get("/$row->[0]", token => $row->[3])->status == 200;
        }
    ), "expired: /$row->[0]: works at first";
}
for my $row (@short) {
    my ($way, $cache, $outcome, $token) = @{$row};
    forget_access_log();
    ok until_true(patience(4), sub { $gateway->get("/$way", token => $token)->status == 401 }),
        "expired: /$way: then it does not";
    # In the second in which it ends, the server may still answer what the gateway refuses.
    my $after = sub { $gateway->logged($gateway->get("/$way", token => $token)) };
    ok until_true(patience(3), sub { $after->()->{outcome} eq $outcome }), "expired: /$way: $outcome";
    is $after->()->{cache}, $cache, "expired: /$way: cache" . ($cache && " $cache");
}

# --- the server goes away --------------------------------------------------------------------------------------------

$oidc->stop;
forget_access_log();
cases($gateway,
    { name => 'oidc-provider is down: 502', request => { path => '/gateway', token => $both }, %{ $row{error} } },
    { name => 'oidc-provider is down: a cached token keeps working',
      request => { path => '/cached', token => $both }, %{ $row{active} }, cache => 'HIT' },
    { name => 'oidc-provider is down: a token that is not cached',
      request => { path => '/cached', token => 'fresh-token' }, %{ $row{error} } },
);

done_testing;
