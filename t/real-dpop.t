# Tokens bound to a key (DPoP, RFC 9449) or to a certificate (mutual TLS, RFC 8705) from end to end: oidc-provider
# issues them, clients on npm's openid-client, oauth4webapi and dpop use them, each as it is. What oidc-provider needs
# for it stands in docs/guides/oidc-provider.md. The same with Keycloak: servers/keycloak.pl.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA qw(sha256 sha256_hex);
use Harness;
use Harness::Browser;
use Harness::Certificates qw(certificates client_certificate);
use Harness::Keys ();
use Harness::OAuthClients;
use Harness::Ports 'reserve_port';
use Harness::Process 'spawn';
use IO::Socket::INET;

my $callback = 'https://app.example.com/callback';
my $trusted  = certificates();
client_certificate($trusted, $_) for qw(pay another);
Harness::Keys::client_certificate("$trusted/own", '/CN=own');

my %by_certificate = (tls_client_certificate_bound_access_tokens => true);
my $as = real_server('oidc-provider', tls => $trusted, clients => [
    { client_id => 'bound', dpop_bound_access_tokens => true },
    { client_id => 'nonce', dpop_bound_access_tokens => true, dpop_nonce => true },
    { client_id => 'web', dpop_bound_access_tokens => true, redirect_uris => [$callback], response_types => ['code'],
      grant_types => ['authorization_code', 'refresh_token'] },
    { client_id => 'pay', token_endpoint_auth_method => 'tls_client_auth', tls_client_auth_subject_dn => 'CN=pay',
      %by_certificate },
    { client_id => 'own', token_endpoint_auth_method => 'self_signed_tls_client_auth', %by_certificate,
      jwks => { keys => [Harness::Keys::public_jwk(
          "$trusted/own.key", kid => 'own', Harness::Keys::certificate_members("$trusted/own.pem")
      )] } },
]);
my $issuer = 'http://' . $as->address;

sub file_of {
    my ($text) = @_;
    my $path = temporary_folder() . '/file';
    open my $out, '>:raw', $path or die "$path: $!\n";
    print {$out} $text;
    close $out or die "$path: $!\n";
    chmod 0600, $path;
    return $path;
}

sub slurp { my ($path) = @_; open my $in, '<', $path or die "$path: $!\n"; local $/ = undef; return scalar <$in> }

sub asked { my ($client) = @_; return sprintf 'proxy_set_header Authorization "%s";', $as->basic($client) }

my $ask     = 'proxy_pass http://%%AS%%' . $as->path('introspection') . ';';
my $nonces  = file_of(join '', map { chr int rand 256 } 1 .. 32);
my $key     = Harness::Keys::key_pair(temporary_folder() . '/signing.pem', 'EC');
my $sockets = '127.0.0.1:' . reserve_port();
my $locations = <<"END";
        location / { proxy_pass http://%%API%%; }
        location /jwt { phantom_token_introspection_endpoint as-jwt; proxy_pass http://%%API%%; }
        location /signed { phantom_token_forward sign; phantom_token_signing_key $key; proxy_pass http://%%API%%;
            phantom_token_signed_issuer https://gateway.example.com; phantom_token_signed_audience https://api; }
        location /none { phantom_token_forward none; proxy_pass http://%%API%%; }
        location /cached { phantom_token_introspection_endpoint as-cached; phantom_token_hot_cache hot;
                           proxy_pass http://%%API%%; }
        location /bound { phantom_token_confirmation require; proxy_pass http://%%API%%; }
        location /nonce { phantom_token_dpop_nonce $nonces; proxy_pass http://%%API%%; }
        location /write { phantom_token_scopes write; proxy_pass http://%%API%%; }
        location /upload { client_max_body_size 10m; proxy_request_buffering off; proxy_http_version 1.1;
            proxy_pass http://%%API%%;
            location /upload/nonce { phantom_token_dpop_nonce $nonces; proxy_pass http://%%API%%; } }
        location /socket { proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade;
                           proxy_set_header Connection upgrade; proxy_pass http://$sockets; }
        location as { internal; $ask @{[ asked('gateway-kc') ]} }
        location as-jwt { internal; $ask @{[ asked('gateway') ]} }
        location as-cached { internal; $ask @{[ asked('gateway-kc') ]} proxy_cache tokens; proxy_cache_methods POST;
            proxy_cache_key \$phantom_token_key; proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1h; }
END
my $protected = 'phantom_token on; phantom_token_introspection_endpoint as; phantom_token_confirmation verify; '
    . 'phantom_token_dpop_replay proofs;';
my $certificate = "ssl_certificate $trusted/server.pem; ssl_certificate_key $trusted/server.key;";
my $http3   = Harness::Nginx::has('http_v3_module') ? 'listen 127.0.0.1:%%PORT:h2%% quic;' : '';
my $gateway = gateway(
    servers => { AS => $as },
    log     => { uri => 'request_uri', protocol => 'server_protocol' },
    http    => <<"END",
    proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
    phantom_token_hot_cache zone=hot:1m;
    phantom_token_dpop_replay zone=proofs:1m;
    server { listen 127.0.0.1:%%PORT:tls%% ssl; $certificate ssl_verify_client optional;
             ssl_client_certificate $trusted/ca.pem; $protected $locations }
    server { listen 127.0.0.1:%%PORT:any%% ssl; $certificate ssl_verify_client optional_no_ca; $protected $locations }
    server { listen 127.0.0.1:%%PORT:h2%% ssl http2; $http3 $certificate ssl_verify_client optional_no_ca;
             $protected $locations }
    # A proxy that ends TLS, and two servers behind it.
    server { listen 127.0.0.1:%%PORT:public%% ssl; $certificate ssl_verify_client optional_no_ca;
        proxy_set_header Host \$http_host; proxy_set_header X-Certificate \$ssl_client_escaped_cert;
        location / { proxy_pass http://127.0.0.1:%%PORT:behind%%; }
        location /unaware { proxy_pass http://127.0.0.1:%%PORT:unaware%%; } }
    server { listen 127.0.0.1:%%PORT:behind%%; $protected $locations
             phantom_token_dpop_uri https://\$http_host\$request_uri;
             phantom_token_client_certificate \$http_x_certificate; }
    server { listen 127.0.0.1:%%PORT:unaware%%; $protected $locations }
END
    server    => $protected,
    locations => $locations,
);

sub url { my ($path, $port) = @_; return _base($port) . $path }

sub _base {
    my ($port) = @_;
    return 'http://127.0.0.1:' . $gateway->port($port) if !defined $port;
    return "https://localhost:" . $gateway->port($port);
}

# A client of that library, with a key.
my %algorithm = ('openid-client' => 'ES256', oauth4webapi => 'PS256', dpop => 'RS256');

sub client {
    my ($library, $id, %option) = @_;
    my $algorithm = delete $option{algorithm};
    my $client    = Harness::OAuthClients->new(
        $library, client => $id, secret => "$id-secret", issuer => $issuer, redirect_uri => $callback,
        ca => "$trusted/ca.pem", %option
    );
    $client->new_key($algorithm // $algorithm{$library});
    return $client;
}

my $number = 0;

# A request by the client's own library; returns the response. What is expected: status, 200 if none is; outcomes, one
# for each time that the library asked, separated by a space; protocol; authorization and body_sha256 at the API;
# challenge, a pattern. at => another gateway.
sub through {
    my ($name, $client, $token, $url, %expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $mark = 'number=' . ++$number;
    my %more = map { $_ => delete $expected{$_} } grep { exists $expected{$_} } qw(method headers body stream);
    my $at   = $expected{at} // $gateway;
    $at->api->forget_requests;
    my $response = eval { $client->request($token, "$url?$mark", %more) };
    subtest "$name: " . $client->library => sub {
        if (!$response) { fail 'a response'; return diag $@ }
        my $outcomes = $expected{outcomes} // 'active';
        my @lines;
        until_true(patience(3), sub {
            @lines = grep { $_->{outcome} ne '' } $at->access_log(qr/[?]\Q$mark\E"/);
            @lines >= split / /, $outcomes;
        });
        is $response->{status}, $expected{status} // 200, 'the status' or diag explain $response;
        is join(' ', map { $_->{outcome} } @lines), $outcomes, 'what became of it at the gateway';
        is $lines[-1]{protocol}, $expected{protocol}, 'the protocol' if $expected{protocol};
        like $response->{headers}{'www-authenticate'}, $expected{challenge}, 'the challenge' if $expected{challenge};
        at_api($at, %expected);
    };
    return $response;
}

# What came to the API, if anything did.
sub at_api {
    my ($at, %expected) = @_;
    my @requests = $at->api->requests;
    return is scalar @requests, 0, 'nothing came to the API' if ($expected{status} // 200) != 200;
    is scalar @requests, 1, 'it came to the API once' or return;
    my $authorization = $requests[-1]->header('Authorization') // 'none';
    like $authorization, $expected{authorization} // qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'with a bearer JWT';
    is $requests[-1]->header('DPoP'), undef, 'and without the proof';
    is $requests[-1]{body_sha256}, $expected{body_sha256}, 'with its body' if $expected{body_sha256};
    return;
}

# --- the token, and what introspection says --------------------------------------------------------------------------

my %client = map { $_ => client($_, 'bound') } sort keys %algorithm;
my %token;
for my $library (sort keys %client) {
    my $client = $client{$library};
    my $tokens = $client->tokens;
    my $token  = $token{$library} = $tokens->{access_token};
    my $answer = $as->introspect($token, 'gateway-kc', 'application/jwt')->json;
    my $bound  = { jkt => $client->jkt };
    is lc $tokens->{token_type}, 'dpop', "$library: the token's type";
    unlike $token, qr/[.]/, "$library: it is opaque";
    is $answer->{token_type}, 'DPoP', "$library: its type at introspection";
    is_deeply $answer->{cnf}, $bound, "$library: its key at introspection";
    is_deeply jwt_claims($answer->{jwt})->{cnf}, $bound, "$library: and in the JWT";
    is length client($library, 'nonce')->token, length $token, "$library: from a server that asks for a nonce";
    ok !eval { client($library, 'bound', algorithm => 'Ed25519')->token }, "$library: no token by Ed25519";
    like $@, qr/invalid_dpop_proof/, 'by that name the server does not know it';
}

# --- through the gateway ---------------------------------------------------------------------------------------------

for my $library (sort keys %client) {
    my ($client, $token) = ($client{$library}, $token{$library});
    through('the answer is JSON with a JWT', $client, $token, url('/orders'));
    through('the answer is a JWT', $client, $token, url('/jwt'));
    through('the gateway signs', $client, $token, url('/signed'));
    through('nothing is forwarded', $client, $token, url('/none'), authorization => qr/^none$/);
    through('a token must be bound', $client, $token, url('/bound'));
    through('the answer is in the cache', $client, $token, url('/cached')) for 1 .. 3;
    through('another method', $client, $token, url('/orders'), method => 'DELETE');
    through('a path to normalise', $client, $token, url('/orders/%7Ealice/%2f'));
    through('a scope is missing', $client, $token, url('/write'), status => 403, outcomes => 'insufficient_scope',
        challenge => qr/^DPoP algs="[^"]+".*error="insufficient_scope"/);
}

# A bearer token goes on as ever, but where it must be bound.
my $bearer = client('openid-client', 'app');
$bearer->new_key(undef);
my $app = $bearer->token;
through('not bound', $bearer, $app, url('/orders'));
through('not bound, where it must be', $bearer, $app, url('/bound'), status => 401, outcomes => 'bound');

# --- nonces ----------------------------------------------------------------------------------------------------------

# A gateway whose clock can be moved. The libraries' does not, so their proofs grow old.
my $later = gateway(
    clock   => 'time', servers => { AS => $as }, log => { uri => 'request_uri' },
    http    => 'phantom_token_dpop_replay zone=proofs:1m;',
    server  => "$protected phantom_token_dpop_nonce $nonces time=60s; phantom_token_dpop_max_age 10m;",
    locations => "location / { proxy_pass http://%%API%%; } location as { internal; $ask @{[ asked('gateway-kc') ]} }",
);
my $orders = 'http://127.0.0.1:' . $later->port . '/orders';
for my $library (sort keys %client) {
    my ($client, $token) = ($client{$library}, $token{$library});
    my $is = sub { my ($name, %more) = @_; return through($name, $client, $token, $orders, at => $later, %more) };
    my $first  = $is->('a nonce is asked for', outcomes => 'dpop_nonce active');
    is $first->{headers}{'dpop-nonce'}, undef, "$library: the nonce is new";
    $is->('the client keeps it');
    $later->advance(40);
    my $renewed = $is->('past half its time')->{headers}{'dpop-nonce'};
    ok defined $renewed, "$library: it brings the next one";
    $is->('which the client takes');
    $later->advance(40);
    $is->('the first one would be too old now');
    $later->advance(61);
    $is->('after a pause: asked for again', outcomes => 'dpop_nonce active');
}

# --- tokens refreshed, keys changed ----------------------------------------------------------------------------------

for my $library (qw(openid-client oauth4webapi)) {
    my $client  = client($library, 'web');
    my $alice   = Harness::Browser->new($as, redirect_uri => $callback, knows => { name => 'alice' });
    my $tokens  = $client->tokens_of($alice, scope => 'openid offline_access read', prompt => 'consent');
    my $old_key = $client->jkt;
    through('a token of a person', $client, $tokens->{access_token}, url('/orders'));
    my $next = $client->refresh($tokens->{refresh_token})->{access_token};
    through('refreshed', $client, $next, url('/orders'));
    isnt $next, $tokens->{access_token}, "$library: another token";
    is $as->introspect($next, 'gateway')->json->{cnf}{jkt}, $old_key, "$library: of the same key";

    $client->new_key('ES512');
    isnt $client->jkt, $old_key, "$library: another key" if $library ne 'openid-client';
    my %refused = (status => 401, outcomes => 'dpop_proof', challenge => qr/^DPoP .*error="invalid_dpop_proof"/);
    through('the old token with the new key', $client, $next, url('/orders'), %refused);
    my $new = $client->refresh($tokens->{refresh_token})->{access_token};
    through('the new token with the new key', $client, $new, url('/orders'));
}

# --- stolen ----------------------------------------------------------------------------------------------------------

my ($owner, $stolen) = ($client{dpop}, $token{dpop});
my $thief = client('oauth4webapi', 'app');
my $alone = client('openid-client', 'app');
$alone->new_key(undef);
my $dpop = qr/^DPoP algs="[^"]+", realm="api", error=/;
through('stolen, with another key', $thief, $stolen, url('/orders'), status => 401, outcomes => 'dpop_proof',
    challenge => qr/$dpop"invalid_dpop_proof"/);
through('stolen, as a bearer token', $alone, $stolen, url('/orders'), status => 401, outcomes => 'bound',
    challenge => qr/$dpop"invalid_token"/);
through('stolen, from the cache', $thief, $stolen, url('/cached'), status => 401, outcomes => 'dpop_proof');
through('stolen, cached, as a bearer token', $alone, $stolen, url('/cached'), status => 401, outcomes => 'bound');
my @fields = $owner->fields($stolen, url('/orders'));
my $refused = sub {
    my ($outcome, $error) = @_;
    return (status => 401, outcome => $outcome, headers => { 'WWW-Authenticate' => qr/$dpop"$error"/ });
};
my $host   = '127.0.0.1:' . $gateway->port;
my $asks   = sub { my (%more) = @_; return (request => { host => $host, path => '/orders', %more }) };
cases($gateway,
    { name => 'without a proof', $asks->(headers => [$fields[0]]), $refused->('dpop_proof', 'invalid_dpop_proof') },
    { name => 'a proof for another path', $asks->(path => '/none', headers => \@fields),
      $refused->('dpop_proof', 'invalid_dpop_proof') },
    { name => 'a proof for another method', $asks->(method => 'POST', headers => \@fields),
      $refused->('dpop_proof', 'invalid_dpop_proof') },
    { name => 'the owner', $asks->(headers => \@fields), status => 200, outcome => 'active' },
    { name => 'used again', $asks->(headers => \@fields), $refused->('dpop_replay', 'invalid_dpop_proof') },
);

# --- HTTP/1.1, 2 and 3, behind a proxy, a websocket, uploads ---------------------------------------------------------

for my $library (sort keys %client) {
    my ($over_tls, $over_http2) = map { client($library, 'bound', http2 => $_) } 0, 1;
    my $token = $over_tls->token;
    through('TLS', $over_tls, $token, url('/orders', 'tls'), protocol => 'HTTP/1.1');
    through('behind a proxy that ends TLS', $over_tls, $token, url('/orders', 'public'));
    through('behind a proxy, and nobody says so', $over_tls, $token, url('/unaware', 'public'), status => 401,
        outcomes => 'dpop_proof');
    my $other = $over_http2->token;
    through('HTTP/2', $over_http2, $other, url('/orders', 'h2'), protocol => 'HTTP/2.0');
    through('HTTP/2, a nonce', $over_http2, $other, url('/nonce', 'h2'), protocol => 'HTTP/2.0',
        outcomes => 'dpop_nonce active');
}
cases($gateway, $http3 ? map {
    { name => "HTTP/3: $_->[0]", status => $_->[1], outcome => $_->[2], logged => { protocol => 'HTTP/3.0' },
      request => { port => 'h2', path => '/orders', http3 => 1,
                   headers => [$owner->fields($stolen, url($_->[3], 'h2'))] } }
} ['a proof', 200, 'active', '/orders'], ['another path\'s', 401, 'dpop_proof', '/none'] : ());

spawn(['/usr/bin/python3', 't/streams/websocket_peer.py', 'api', $sockets =~ /(\d+)$/]);
ok until_true(patience(10), sub { IO::Socket::INET->new(PeerAddr => $sockets) }), 'a websocket server';
my ($said, $echo) = $owner->talk($stolen, url('/socket') =~ s/^http/ws/r, 'hello');
like $said, qr/"Authorization": "Bearer eyJ/, 'a websocket: the handshake';
is $echo, 'hello', 'a websocket: a message there and back';
ok !eval { $thief->talk($stolen, url('/socket') =~ s/^http/ws/r, 'hello') }, 'a websocket: with another key';

my $body = join ' ', 1 .. 200_000;
for my $library (sort keys %client) {
    my @is = ($client{$library}, $token{$library});
    my %upload = (method => 'POST', body => $body, body_sha256 => sha256_hex($body));
    through('an upload', @is, url('/upload'), %upload);
    through('an upload in pieces', @is, url('/upload'), %upload, stream => 100_000);
    through('an upload that is asked for a nonce', @is, url('/upload/nonce'), %upload, outcomes => 'dpop_nonce active');
}

# --- mutual TLS ------------------------------------------------------------------------------------------------------

my $escaped = slurp("$trusted/pay.pem") =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger;
my $paid;

# A client with that certificate.
sub holder {
    my ($library, $certificate, %option) = @_;
    return Harness::OAuthClients->new(
        $library, client => $certificate eq 'own' ? 'own' : 'pay', issuer => $issuer, ca => "$trusted/ca.pem",
        certificate => "$trusted/$certificate.pem", key => "$trusted/$certificate.key", %option
    );
}

for my $library (qw(openid-client oauth4webapi)) {
    my ($pay, $own, $another) = map { holder($library, $_) } qw(pay own another);
    my $none  = holder($library, 'pay', certificate => undef, key => undef);
    my $token = $paid = $pay->token;
    for my $answer (map { $as->introspect($token, $_, 'application/jwt') } qw(gateway-kc gateway)) {
        my $cnf = $answer->header('Content-Type') =~ /json/ ? $answer->json->{cnf} : jwt_claims($answer->body)->{cnf};
        is_deeply $cnf, { 'x5t#S256' => thumbprint("$trusted/pay.pem") }, "$library: the certificate at introspection";
    }
    my %refused = (status => 401, outcomes => 'certificate',
        challenge => qr/^Bearer realm="api", error="invalid_token"$/);
    for my $path (qw(/orders /jwt /signed /bound /cached /cached)) {
        through("a certificate, $path", $pay, $token, url($path, 'tls'));
        through("no certificate, $path", $none, $token, url($path, 'tls'), %refused);
        through("another certificate, $path", $another, $token, url($path, 'tls'), %refused);
    }
    through('no TLS', $pay, $token, url('/orders'), %refused);
    through('a certificate of a CA, where any will do', $pay, $token, url('/orders', 'any'));
    through('a certificate that has signed itself', $own, $own->token, url('/orders', 'any'));
    through('the token of another', $own, $token, url('/orders', 'any'), %refused);
    through('behind a proxy', $pay, $token, url('/orders', 'public'));
    through('behind a proxy, another certificate', $another, $token, url('/orders', 'public'), %refused);
    for my $client ($none, $another) {
        through('behind a proxy, with its header', $client, $token, url('/orders', 'public'), %refused,
            headers => { 'X-Certificate' => $escaped });
    }
    through('HTTP/2', holder($library, 'pay', http2 => 1), $token, url('/orders', 'h2'), protocol => 'HTTP/2.0');
}

# SHA-256 of the certificate's DER, as x5t#S256 has it.
sub thumbprint { my ($pem) = @_; return { Harness::Keys::certificate_members($pem) }->{'x5t#S256'} }

# --- what the guide configures ---------------------------------------------------------------------------------------

my @blocks  = slurp('docs/guides/oidc-provider.md') =~ /^```nginx\n(.*?)^```$/gms;
my ($block) = grep { /phantom_token_dpop_replay zone/ } @blocks;
my $guided  = gateway(
    servers => { AS => $as }, config => "http {\n$block}\n", log => { uri => 'request_uri' },
    replace => [
        'http://127.0.0.1:9400' => 'http://' . $as->address, 'http://127.0.0.1:8081' => 'http://%%API%%',
        '/etc/nginx/gateway-secret' => file_of("gateway-secret\n"), '/etc/nginx/dpop-nonce' => $nonces,
        '/etc/ssl/certs/api.example.com.pem' => "$trusted/server.pem",
        '/etc/ssl/private/api.example.com.key' => "$trusted/server.key",
        '/etc/ssl/certs/clients-ca.pem' => "$trusted/ca.pem",
    ],
);
my $api = 'https://localhost:' . $guided->port(443) . '/api/';
for my $library (sort keys %client) {
    my @is = (client($library, 'bound'), $token{$library}, $api, at => $guided);
    $is[1] = $is[0]->token;
    through('the guide: a proof', @is, outcomes => 'dpop_nonce active');
    through('the guide: the next one', @is);
}
through('the guide: a certificate', holder('openid-client', 'pay'), $paid, $api, at => $guided);
through('the guide: none', holder('openid-client', 'pay', certificate => undef, key => undef), $paid, $api,
    at => $guided, status => 401, outcomes => 'certificate');

done_testing;
