# Spring Authorization Server with opaque tokens, behind the gateway.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Certificates 'certificates';
use Harness::JsonServer qw(guide_flows json_server_flows secret_file);
use Harness::Keys qw(client_certificate key_pair public_jwk);
use Harness::Mcp qw(guide_gateway guide_machine mcp_packages);
use Harness::Revocation qw(revocation_gateways passes revoked_at_once revoke_token);

my $folder = temporary_folder();
my $tls    = certificates();
my $own    = secret_file('gateway-secret');
my $wrong  = secret_file('another secret, it has 256 bits or more, too');

# --- clients: one for each way to authenticate -----------------------------------------------------------------------

# Spring's clients in memory must not have one secret together.
my %secret = map { $_ => "the secret of $_, which has 256 bits or more" } qw(basic post secret-jwt);
my %file   = map { $_ => secret_file($secret{$_}) } sort keys %secret;

# alg => type of key. Spring fetches the public keys from the client's jwks_uri.
my %type = (ES256 => 'EC', RS256 => 'RSA', PS256 => 'RSA');
my $keys = authorization_server();
for my $alg (sort keys %type) {
    my $key = key_pair("$folder/$alg.pem", $type{$alg});
    $keys->answers("/$alg" => { json => { keys => [public_jwk($key, kid => $alg, use => 'sig', alg => $alg)] } });
}
key_pair("$folder/other.pem", 'EC');

# Spring takes a certificate that comes alone for a self-signed one, so nginx shows the CA's with it.
for my $name (qw(gateway another alone)) {
    client_certificate("$folder/$name", '/O=Example/CN=' . ($name eq 'another' ? $name : 'gateway'), $tls);
    next if $name eq 'alone';
    run(['sh', '-c', 'cat "$0" >> "$1"', "$tls/ca.pem", "$folder/$name.pem"])->{code} == 0 or die "$name.pem\n";
}

sub client {
    my ($name, $method, %more) = @_;
    return { client_id => "gateway-$name", token_endpoint_auth_method => $method, %more };
}
my $as = real_server(
    'spring',
    tls     => $tls,
    clients => [
        client('basic', 'client_secret_basic', client_secret => $secret{basic}),
        client('post',  'client_secret_post',  client_secret => $secret{post}),
        client(
            'secret-jwt', 'client_secret_jwt',
            client_secret => $secret{'secret-jwt'}, token_endpoint_auth_signing_alg => 'HS256'
        ),
        map({ client($_, 'private_key_jwt', token_endpoint_auth_signing_alg => $_,
                     jwks_uri => 'http://' . $keys->address . "/$_") } sort keys %type),
        client('mtls', 'tls_client_auth', tls_client_auth_subject_dn => 'CN=gateway,O=Example'),
    ],
);

# --- the ways of the gateway -----------------------------------------------------------------------------------------

my $audience = 'phantom_token_client_assertion_audience http://' . $as->address . ';';

sub by_secret {
    my ($word, $file) = @_;
    return "phantom_token_client_auth client_secret_$word; phantom_token_client_secret_file $file;";
}

sub by_key {
    my ($key, @more) = @_;
    return "phantom_token_client_auth private_key_jwt; phantom_token_client_key $folder/$key.pem @more; $audience";
}
my %way = (
    'basic'      => by_secret('basic', $file{basic}),
    'post'       => by_secret('post', $file{post}),
    'secret-jwt' => by_secret('jwt', $file{'secret-jwt'}) . $audience,
    'ES256'      => by_key('ES256', 'kid=ES256'),
    'RS256'      => by_key('RS256'),
    'PS256'      => by_key('PS256', 'alg=PS256'),
    'mtls'       => 'phantom_token_client_auth none; phantom_token_introspection_endpoint as-mtls;',
);
my %not = (
    'another secret'           => ['basic', by_secret('basic', $wrong)],
    'an assertion by another'  => ['secret-jwt', by_secret('jwt', $wrong) . $audience],
    'another key'              => ['ES256', by_key('other')],
    'another audience'         => ['ES256', by_key('ES256') =~ s{http://[^;]*}{https://other.example.com}r],
    'a certificate of another' => [
        'mtls', 'phantom_token_client_auth none; phantom_token_introspection_endpoint as-another;'
    ],
    'a certificate alone'      => [
        'mtls', 'phantom_token_client_auth none; phantom_token_introspection_endpoint as-alone;'
    ],
    'no certificate'           => ['mtls', 'phantom_token_client_auth none;'],
    map({ ("no secret in the body but $_" => ['post', $way{$_}]) } qw(basic secret-jwt)),
    map({ ("no key but $_" => ['ES256', $way{$_}]) } qw(basic post secret-jwt mtls)),
    map({ ("no certificate but $_" => ['mtls', $way{$_}]) } qw(basic post secret-jwt ES256)),
);

sub certified {
    my ($certificate) = @_;
    my $url = 'https://' . $as->tls_address . $as->path('introspection');
    return "location as-$certificate { internal; proxy_pass $url; proxy_ssl_trusted_certificate $tls/ca.pem;
        proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_session_reuse off;
        proxy_ssl_certificate $folder/$certificate.pem; proxy_ssl_certificate_key $folder/$certificate.key; }";
}
my $number    = 0;
my %path      = map { $_ => 'not-' . $number++ } sort keys %not;
my @locations = (
    (map { ["way/$_", $_, $way{$_}] } sort keys %way),
    (map { [$path{$_}, @{ $not{$_} }] } sort keys %not),
);
my $sign = 'phantom_token on; phantom_token_forward sign; proxy_pass http://%%API%%;';

my $gateway = json_server_flows(
    $as,
    client    => "phantom_token_client_id gateway; phantom_token_client_secret_file $own;",
    wrong     => { secret => "phantom_token_client_secret_file $wrong;", id => 'phantom_token_client_id nobody;',
                   way => 'phantom_token_client_auth post;' },
    members   => [qw(sub aud nbf scope roles iss exp iat jti client_id token_type)],
    claims    => { sub => 'app', client_id => 'app', scope => 'read', roles => ['editor'], nbf => undef },
    short     => 'short',
    locations => join "\n",
    map({ my $none = $_->[2] =~ /secret_file/ ? '' : 'phantom_token_client_secret_file "";';
          "location /$_->[0] { phantom_token_client_id gateway-$_->[1]; $_->[2] $none $sign }" } @locations),
    certified('gateway') =~ s/as-gateway/as-mtls/r, certified('another'), certified('alone'),
);

guide_flows(
    $as, 'docs/guides/spring.md',
    'https://login.example.com' => 'http://' . $as->address, '/etc/nginx/gateway-secret' => $own,
    '/etc/ssl/certs/ca-certificates.crt' => "$tls/ca.pem"
);

my $token = $as->token(scope => 'read');
for my $way (sort keys %way) {
    cases($gateway,
        map { { name => "$way: allowed, time $_", request => { path => "/way/$way", token => $token }, status => 200,
                outcome => 'active', api => [{ authorization => qr/^Bearer eyJ/ }] } } 1, 2
    );
}
cases($gateway,
    map { { name => "refused: $_", request => { path => "/$path{$_}", token => $token }, status => 502,
            outcome => 'as_refused_client', log => qr/\[error\].*does not accept the gateway's credentials/ } }
        sort keys %not
);

# --- token revocation (RFC 7009): docs/recipes.md, at two gateways ---------------------------------------------------

{
    my @gateways = revocation_gateways(
        count   => 2, servers => { AS => $as }, secret => $own,
        paths   => { introspection => $as->path('introspection'), revocation => $as->path('revocation') },
        replace => ['phantom_token_revocation revoked;' =>
                        'phantom_token_revocation revoked; phantom_token_forward none;'],
    );
    my ($first, $second) = map { $as->token(scope => 'read') } 1, 2;
    passes('another token', $second, @gateways);
    is revoke_token($gateways[0], $as->basic('short'), $first)->status, 400, 'RFC 7009: another client';
    revoked_at_once('RFC 7009', $first, \@gateways, sub {
        is revoke_token($gateways[0], $as->basic('app'), $first)->status, 200, 'RFC 7009: its client';
    });
    ok !$as->introspect($first, 'gateway')->json->{active}, 'RFC 7009: at Spring, too';
    passes('another token', $second, @gateways);
}

# --- MCP: docs/guides/mcp.md -----------------------------------------------------------------------------------------

mcp_packages('t/mcp', 'build/mcp');
guide_machine(guide_gateway($as, scope => 'read', change => [qr/phantom_token_audience [^;]*;/ => '']));
my $path     = '/.well-known/oauth-authorization-server';
my $metadata = Harness::Client->once(port => $as->port, path => $path, host => $as->address)->json;
is $metadata->{issuer}, 'http://' . $as->address, 'MCP: the metadata';
ok !exists $metadata->{registration_endpoint}, 'MCP: clients do not register';
my $asked = $as->token(scope => 'read', form => { resource => 'http://127.0.0.1:8080/mcp' });
is_deeply $as->introspect($asked, 'gateway')->json->{aud}, ['app'], 'MCP: the client is in aud, and no resource';

done_testing;
