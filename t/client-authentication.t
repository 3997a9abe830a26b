# Each way of the gateway to authenticate, with real tokens at an authorization server that demands just that way: npm
# oidc-provider. client-assertion.t says what exactly is sent.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Certificates 'certificates';
use Harness::Keys qw(certificate_members client_certificate key_pair public_jwk);

my $folder  = temporary_folder();
my $tls     = certificates();
my $secret  = 'gateway+secret with % & = of 256 bits or more';
my %type    = (ES256 => 'EC', RS256 => 'RSA', PS256 => 'RSA', EdDSA => 'Ed25519');
my $foreign = certificates(); # of another CA

sub file {
    my ($name, $content) = @_;
    open my $out, '>', "$folder/$name" or die "$folder/$name: $!\n";
    print {$out} $content;
    close $out or die "$folder/$name: $!\n";
    chmod 0600, "$folder/$name" or die "$folder/$name: $!\n";
    return "$folder/$name";
}
file('secret', "$secret\n");
file('wrong',  "another secret of at least 256 bits, too\n");
my %key = map { $_ => key_pair("$folder/$_.pem", $type{$_}) } keys %type;
key_pair("$folder/other.pem", 'EC');
client_certificate("$folder/gateway",   '/O=Example/CN=gateway', $tls);
client_certificate("$folder/another",   '/O=Example/CN=another', $tls);
client_certificate("$folder/foreigner", '/O=Example/CN=gateway', $foreign);
client_certificate("$folder/self",      '/CN=self');
client_certificate("$folder/unknown",   '/CN=self');

# --- the clients at the authorization server -------------------------------------------------------------------------

my $exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';

sub client {
    my ($name, $method, %more) = @_;
    return { client_id => "gateway-$name", token_endpoint_auth_method => $method, phantom => 'body',
             grant_types => [$exchange], %more };
}

sub key_client {
    my ($alg) = @_;
    my $jwk = public_jwk($key{$alg}, kid => "$alg-1", use => 'sig');
    return client($alg, 'private_key_jwt', token_endpoint_auth_signing_alg => $alg, jwks => { keys => [$jwk] });
}
my $self_signed = public_jwk("$folder/self.key", certificate_members("$folder/self.pem"));
my $oidc        = real_server(
    'oidc-provider',
    tls     => $tls,
    clients => [
        client('basic',      'client_secret_basic', client_secret => $secret),
        client('post',       'client_secret_post',  client_secret => $secret),
        client('secret-jwt', 'client_secret_jwt',   client_secret => $secret),
        (map { key_client($_) } sort keys %key),
        client('ca',     'tls_client_auth', tls_client_auth_subject_dn => 'CN=gateway,O=Example'),
        client('self',   'self_signed_tls_client_auth', jwks => { keys => [$self_signed] }),
        client('public', 'none'),
    ],
);

# --- the ways of the gateway -----------------------------------------------------------------------------------------

my $issuer   = 'http://' . $oidc->address;
my $audience = "phantom_token_client_assertion_audience $issuer;";

sub by_secret {
    my ($word, $file) = @_;
    return "phantom_token_client_auth $word; phantom_token_client_secret_file $folder/@{[ $file // 'secret' ]};";
}

sub by_key {
    my ($file, @more) = @_;
    return "phantom_token_client_auth private_key_jwt; phantom_token_client_key $folder/$file.pem @more;";
}
my %way = (
    'basic'      => by_secret('client_secret_basic'),
    'post'       => by_secret('client_secret_post'),
    'secret-jwt' => by_secret('client_secret_jwt') . $audience,
    'ES256'      => by_key('ES256', 'kid=ES256-1') . $audience,
    'EdDSA'      => by_key('EdDSA') . $audience,
    'RS256'      => by_key('RS256') . $audience,
    'PS256'      => by_key('PS256', 'alg=PS256') . $audience,
    'ca'         => 'phantom_token_client_auth none;',
    'self'       => 'phantom_token_client_auth none;',
    'public'     => 'phantom_token_client_auth none;',
    # wrong
    'wrong-secret'     => by_secret('client_secret_basic', 'wrong'),
    'wrong-secret-jwt' => by_secret('client_secret_jwt', 'wrong') . $audience,
    'wrong-key'        => by_key('other') . $audience,
    'wrong-kid'        => by_key('ES256', 'kid=other') . $audience,
    'wrong-alg'        => by_key('RS256', 'alg=PS256') . $audience,
    'wrong-audience'   => by_key('ES256') . 'phantom_token_client_assertion_audience https://other.example.com;',
    map({ $_ => 'phantom_token_client_auth none;' } qw(another foreigner unknown)),
);
my %certificate = (ca => 'gateway', map { $_ => $_ } qw(self another foreigner unknown));

# A location before the API that is client $client at the AS and authenticates by $way.
sub location_of {
    my ($client, $way) = @_;
    my $name      = "$client-by-$way";
    my $protected = "phantom_token on; phantom_token_client_id gateway-$client; $way{$way} "
        . 'proxy_pass http://%%API%%;';
    my $proxy     = 'proxy_pass http://' . $oidc->address;
    # nginx would resume one location's TLS session in another that asks the same address: with the other certificate.
    if (my $certificate = $certificate{$way}) {
        $proxy = "proxy_ssl_trusted_certificate $tls/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost; "
            . 'proxy_ssl_session_reuse off; '
            . "proxy_ssl_certificate $folder/$certificate.pem; proxy_ssl_certificate_key $folder/$certificate.key; "
            . 'proxy_pass https://' . $oidc->tls_address;
    }
    return <<"END";
        location /$name { phantom_token_introspection_endpoint as-$name; $protected }
        location /exchange/$name { phantom_token_exchange_endpoint token-$name; $protected }
        location as-$name { internal; $proxy@{[ $oidc->path('introspection') ]}; proxy_cache tokens;
            proxy_cache_methods POST; proxy_cache_key \$phantom_token_key; proxy_cache_valid 200 204 1h;
            proxy_ignore_headers Cache-Control Expires; }
        location token-$name { internal; $proxy@{[ $oidc->path('token') ]}; }
END
}

my @right = sort grep { !/^(?:wrong|another|foreigner|unknown)/ } keys %way;
my @wrong = (
    ['basic', 'wrong-secret'],   ['secret-jwt', 'wrong-secret-jwt'], ['ES256', 'wrong-key'], ['ES256', 'wrong-kid'],
    ['RS256', 'wrong-alg'],      ['ES256', 'wrong-audience'],        ['ca', 'another'],      ['ca', 'foreigner'],
    ['ca', 'self'],              ['self', 'unknown'],                ['self', 'ca'],
);

# oidc-provider itself makes no difference between the two ways to send a secret, and asks a public client for nothing.
my %also = map { $_ => 1 } qw(basic-by-post post-by-basic public-by-ca public-by-self);
my @pairs = map { my $client = $_; map { [$client, $_] } @right } @right;
my %known = map { ("@{$_}" => $_) } @pairs, @wrong;
my $gateway = gateway(
    servers   => { AS => $oidc },
    http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    locations => join '', map { location_of(@{ $known{$_} }) } sort keys %known
);

# --- who is let in ---------------------------------------------------------------------------------------------------

my $token   = $oidc->token(scope => 'read');
my $revoked = $oidc->token(scope => 'read');
$oidc->revoke($revoked);
my $jwt      = qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/;
my %active   = (status => 200, outcome => 'active', api => [{ authorization => $jwt }]);
my %inactive = (status => 401, outcome => 'inactive', challenge => { realm => 'api', error => 'invalid_token' });
my %refused  = (
    status => 502, outcome => 'as_refused_client', log => qr/\[error\].*does not accept the gateway's credentials/
);
my %closed   = (status => 502, outcome => 'as_error', log => qr/\[error\].*closed the connection without an answer/);

for my $way (@right) {
    my $path = "/$way-by-$way";
    cases($gateway,
        { name => "$way: active",   request => { path => $path, token => $token }, %active, cache => 'MISS' },
        { name => "$way: cached",   request => { path => $path, token => $token }, %active, cache => 'HIT' },
        { name => "$way: another",  request => { path => $path, token => $oidc->token(scope => 'read') }, %active },
        { name => "$way: unknown",  request => { path => $path, token => "unknown-token-$way" }, %inactive },
        { name => "$way: revoked",  request => { path => $path, token => $revoked }, %inactive },
        { name => "$way: exchange", request => { path => "/exchange$path", token => $token }, %active },
        { name    => "$way: exchange, not cached: anew",
          request => { path => "/exchange$path", token => $token }, %active },
        { name    => "$way: exchange of an unknown token",
          request => { path => "/exchange$path", token => "unknown-token-$way" }, %inactive },
    );
}

for my $pair (@wrong, grep { $_->[0] ne $_->[1] } @pairs) {
    my ($client, $way) = @{$pair};
    my $name = "$client-by-$way";
    cases($gateway,
        map { { name    => "client $client, authenticated by $way: $_",
                request => { path => "$_$name", token => $token },
                $also{$name} ? %active : $way eq 'foreigner' ? %closed : %refused } } '/', '/exchange/'
    );
}

done_testing;
