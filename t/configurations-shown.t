# The configurations in nginx-conf/ start and protect as they stand; only addresses, paths and certificates are the
# test's. README.md shows two of them: `./dev check readme`.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use File::Find 'find';

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

my $basic    = 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==';
my @cache    = ('/var/cache/phantom-token' => '%%DIR%%/cache');
my @api      = ('http://127.0.0.1:8081' => 'http://%%API%%');
my $question = 'token=alice-token&token_type_hint=access_token';
my $no_cache = ['Cache-Control: no-cache, no-store'];

# As the authorization servers of those files answer: the JWT, JSON with the JWT in a member, or 204 with nothing.
sub as_body   { my (%claims) = @_; return { jwt => \%claims, headers => ['Cache-Control: max-age=300'] } }
sub as_member {
    my (%claims) = @_;
    return { json => { active => true, %claims, jwt => jwt(\%claims) }, headers => $no_cache };
}

sub as_json { my (%claims) = @_; return { json => { active => true, %claims }, headers => $no_cache } }

# The address of an authorization server behind TLS, and who has signed its certificate.
# In front of it, a server that speaks TLS 1.3 and nothing older.
sub with_tls {
    my ($as) = @_;
    my $front = gateway(module => 0, servers => { AS => $as }, locations => 'location / { proxy_pass http://%%AS%%; }',
        server => 'listen 127.0.0.1:%%PORT:tls%% ssl; ssl_protocols TLSv1.3; ssl_certificate %%TLS%%/server.pem; '
            . 'ssl_certificate_key %%TLS%%/server.key;');
    return ('127.0.0.1:' . $front->port('tls'), $front->ca);
}

sub secret_file {
    my ($secret) = @_;
    my $file = temporary_folder() . '/secret';
    open my $out, '>', $file or die "$file: $!";
    print {$out} "$secret\n";
    close $out;
    chmod 0600, $file;
    return $file;
}

sub key_file {
    my $file = temporary_folder() . '/signing-key.pem';
    my $made = run([qw(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out), $file]);
    die "openssl: $made->{err}\n" if $made->{code} != 0;
    chmod 0600, $file;
    return $file;
}

# What personal-access-tokens.conf asks for, in a JWT of the client's own.
my %PERSONAL = (sub => 'alice', scope => 'read', iss => 'https://keycloak.example.com/realms/demo',
    aud => 'https://orders.example.com');
my $KEY      = rsa_key('personal');
my %PERSONAL_TOKENS;

sub personal {
    my (%claims) = @_;
    return $PERSONAL_TOKENS{ join ',', %claims } //= jwt({ jti => 'some-jti', %PERSONAL, %claims }, key => $KEY);
}

# The authorization server at login.example.com, and the gateway's secret there.
my @tls = (
    'https://login.example.com/introspect' => 'https://%%TLS_AS%%/introspect',
    'proxy_ssl_server_name on;' => 'proxy_ssl_server_name on; proxy_ssl_name localhost;',
    '/etc/ssl/certs/ca-certificates.crt' => '%%AS_CA%%', '/etc/nginx/gateway-secret' => secret_file('gateway-secret'),
);

# For each file: replace; request; way (to the AS) that it must have taken; answer (a function), claims that are enough;
# accept, where it is not application/jwt; forwarded, what the API gets in Authorization, where it is not the JWT of the
# AS; scopes, all of the challenge's; realm; metadata, the challenge's resource_metadata; more (cases).
my %shown = (
    'minimal.conf' => {
        replace => [@cache, @api, 'http://127.0.0.1:9400' => 'http://%%AS%%'],
        request => { port => 80, path => '/api/orders' }, way => '/token/introspection',
        answer  => sub { return { %{ as_body(@_) }, headers => $no_cache } }, claims => { sub => 'alice' },
        more    => [
            { name => 'a token that nobody knows leaves nothing in the cache',
              request => { port => 80, path => '/api/', token => 'gone-token' }, status => 401, as => 1,
              cache => 'MISS' },
            { name => 'what is not protected is a 404',
              request => { port => 80, path => '/' }, status => 404, as => 0, api => 0 },
        ],
    },
    'curity.conf' => {
        replace => [@cache, @api, 'http://127.0.0.1:8443' => 'http://%%AS%%'],
        request => { port => 80, path => '/api/orders' }, way => '/oauth/v2/oauth-introspect',
        answer  => sub {
            my $answer = as_body(@_);
            push @{ $answer->{headers} }, 'Set-Cookie: a=b';
            return $answer;
        }, claims => { sub => 'alice', scope => 'read' }, scopes => 'read',
        more    => [
            { name => 'a large JWT', request => { port => 80, path => '/api/', token => 'large-token' },
              answers => { 'large-token' => as_body(sub => 'large', scope => 'read', more => 'x' x 10_000) },
              status => 200, api => [{ authorization => 'Bearer <jwt>' }] },
        ],
    },
    'keycloak.conf' => {
        replace => [@cache, @api, 'http://127.0.0.1:8080' => 'http://%%AS%%'],
        request => { port => 80, path => '/api/orders' },
        way => '/realms/demo/protocol/openid-connect/token/introspect',
        answer  => \&as_member, claims => { sub => 'alice', scope => 'write profile read' }, scopes => 'read write',
        realm => 'demo',
        more    => [
            { name => 'one of two scopes', request => { port => 80, path => '/api/', token => 'half-token' },
              answers => { 'half-token' => as_member(sub => 'half', scope => 'read') }, status => 403,
              challenge => { realm => 'demo', scope => 'read write', error => 'insufficient_scope' } },
        ],
    },
    # t/servers/keycloak.pl starts it before Keycloak.
    'personal-access-tokens.conf' => {
        replace => [@cache, @api, 'http://127.0.0.1:8080' => 'http://%%AS%%',
                    '/etc/nginx/gateway-secret' => secret_file('gateway-secret'),
                    '/etc/nginx/revoked-tokens.conf' => secret_file('"revoked-jti" 1;')],
        request => { port => 80, path => '/api/orders' },
        way => '/realms/demo/protocol/openid-connect/token/introspect',
        answer  => \&as_member, claims => { %PERSONAL }, scopes => 'read', realm => 'demo',
        more    => [
            { name => 'a personal access token is verified',
              request => { port => 80, path => '/cli/', token => personal() },
              answers => { '*' => { json => jwks($KEY) } }, status => 200,
              api => [{ uri => '/cli/', authorization => 'Bearer ' . personal() }] },
            { name => 'a revoked one',
              request => { port => 80, path => '/cli/', token => personal(jti => 'revoked-jti') },
              status => 403, refusal => 'nginx' },
            { name => 'what is no JWT',
              request => { port => 80, path => '/cli/', token => 'opaque-token' }, status => 401,
              challenge => { realm => 'demo', scope => 'read', error => 'invalid_token' } },
        ],
    },
    # That it limits is for t/limits-by-subject.t.
    'limits-by-subject.conf' => {
        replace => [@cache, @api, 'http://127.0.0.1:9400' => 'http://%%AS%%',
                    'unix:/run/nginx-subject-limits.sock' => 'unix:%%DIR%%/limits.sock'],
        request => { port => 80, path => '/api/orders' }, way => '/token/introspection',
        answer  => sub { return { %{ as_body(@_) }, headers => $no_cache } }, claims => { sub => 'alice' },
        more    => [
            { name => 'nobody chooses a subject',
              request => { port => 80, path => '/api/', token => 'alice-token',
                           headers => ['X-Gateway-Subject: sub:bob'] },
              status => 200, api => [{ authorization => 'Bearer <jwt>', x_gateway_subject => undef }] },
        ],
    },
    # That its log, its metrics and what goes with them are right is for t/monitoring.t.
    'operation.conf' => {
        replace => [@cache, 'server 127.0.0.1:8081' => 'server %%API%%', 'server 127.0.0.1:9400' => 'server %%AS%%'],
        request => { port => 80, path => '/api/orders' }, way => '/token/introspection', cache => 'HOT',
        answer  => sub { return { %{ as_body(@_) }, headers => $no_cache } }, claims => { sub => 'alice' },
        more    => [
            { name => 'the metrics need no token', request => { port => 9145, path => '/metrics' }, status => 200,
              as => 0, api => 0, body => qr/^phantom_token_requests_total\{status="active"\} [1-9]/m },
            { name => 'and have a port of their own',
              request => { port => 80, path => '/metrics' }, status => 401, as => 0 },
        ],
    },
    # That its JWTs are good is for t/forward.t and t/recipes.t.
    'signing.conf' => {
        replace => [@cache, @api, 'http://127.0.0.1:9400' => 'http://%%AS%%',
                    '/etc/nginx/signing-key.pem' => key_file()],
        request => { port => 80, path => '/api/orders' }, way => '/oauth2/introspect', cache => 'HOT',
        answer  => \&as_json, claims => { sub => 'alice' }, accept => 'application/json',
        forwarded => qr/^Bearer eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/,
        more    => [
            { name => 'the keys need no token', request => { port => 8090, path => '/.well-known/jwks.json' },
              status => 200, as => 0, api => 0, body => qr/^\{"keys":\[\{[^{}]*"alg":"ES256"[^{}]*\}\]\}$/ },
            { name => 'and have a port of their own', request => { port => 80, path => '/.well-known/jwks.json' },
              status => 404, as => 0, api => 0 },
        ],
    },
    # That MCP clients come through is for t/mcp.t.
    'mcp.conf' => {
        tls     => 1,
        replace => [
            @cache, 'http://127.0.0.1:8000/mcp;' => 'http://%%API%%/mcp;', @tls,
            '/etc/ssl/certs/mcp.example.com.pem' => '%%TLS%%/server.pem',
            '/etc/ssl/private/mcp.example.com.key' => '%%TLS%%/server.key',
            '/etc/nginx/signing-key.pem' => key_file(),
        ],
        request => { port => 443, tls => 1, http2 => 1, path => '/mcp' }, way => '/introspect', cache => 'HOT',
        answer  => \&as_json, accept => 'application/json',
        claims  => { sub => 'alice', scope => 'mcp:read mcp:write', iss => 'https://login.example.com',
                     aud => 'https://mcp.example.com/mcp' },
        forwarded => qr/^Bearer eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/, scopes => 'mcp:read mcp:write',
        metadata  => 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
        more      => [
            { name => 'the keys need no token', request => { port => 443, tls => 1, path => '/.well-known/jwks.json' },
              status => 200, as => 0, api => 0, body => qr/^\{"keys":\[\{[^{}]*"alg":"ES256"[^{}]*\}\]\}$/ },
            { name => 'other paths are protected, and lead nowhere',
              request => { port => 443, tls => 1, path => '/other', token => 'alice-token' }, status => 404, api => 0 },
        ],
    },
    'dpop.conf'       => undef, # t/bound-tokens.t
    'mutual-tls.conf' => undef, # likewise
    # That answers are streamed is for t/model-servers.t.
    'model-server.conf' => {
        tls     => 1,
        replace => [
            @cache, '127.0.0.1:11434' => '%%API%%', @tls,
            '/etc/ssl/certs/models.example.com.pem' => '%%TLS%%/server.pem',
            '/etc/ssl/private/models.example.com.key' => '%%TLS%%/server.key',
        ],
        request => { port => 443, tls => 1, http2 => 1, path => '/v1/models' }, way => '/introspect', cache => 'HOT',
        answer  => \&as_json, accept => 'application/json',
        claims  => { sub => 'alice', scope => 'models:use', iss => 'https://login.example.com',
                     aud => 'https://models.example.com' },
        forwarded => undef, scopes => 'models:use',
        metadata  => 'https://models.example.com/.well-known/oauth-protected-resource',
        more      => [
            { name => 'who may use a model may not delete it',
              request => { port => 443, tls => 1, method => 'DELETE', path => '/api/delete', token => 'alice-token' },
              status => 403, as => 0 },
        ],
    },
    'production.conf' => {
        tls     => 1,
        replace => [
            @cache, 'server 127.0.0.1:8081' => 'server %%API%%', 'server login.example.com:443' => 'server %%TLS_AS%%',
            'proxy_ssl_name login.example.com' => 'proxy_ssl_name localhost',
            '/etc/ssl/certs/api.example.com.pem' => '%%TLS%%/server.pem',
            '/etc/ssl/private/api.example.com.key' => '%%TLS%%/server.key',
            '/etc/ssl/certs/ca-certificates.crt' => '%%AS_CA%%',
            '/etc/nginx/gateway-secret' => secret_file('gateway-secret'),
        ],
        request => { port => 443, tls => 1, http2 => 1, path => '/orders/1' }, way => '/oauth/v2/oauth-introspect',
        answer  => sub {
            return { %{ as_body(@_) }, headers => $no_cache };
        }, claims => { sub => 'alice', scope => 'read', iss => 'https://login.example.com',
                       aud => 'https://api.example.com' },
        scopes  => 'read', realm => 'api.example.com', cache => 'HOT',
        more    => [
            { name => 'an inactive answer is cached',
              request => { port => 443, tls => 1, path => '/orders/', token => 'gone-token' }, status => 401, as => 0,
              cache => 'HIT' },
            { name => 'health needs no token',
              request => { port => 443, tls => 1, path => '/health' }, status => 204, as => 0, api => 0 },
            { name => 'limit_except: who may read may not write',
              request => { port => 443, tls => 1, method => 'POST', path => '/orders/', token => 'alice-token' },
              status => 403, as => 0,
              challenge => { realm => 'api.example.com', scope => 'read write', error => 'insufficient_scope' },
              cache => 'HOT' },
            { name => 'limit_except: HEAD reads',
              request => { port => 443, tls => 1, method => 'HEAD', path => '/orders/', token => 'alice-token' },
              status => 200, as => 0, api => [{ method => 'HEAD', authorization => 'Bearer <jwt>' }] },
            { name => 'a location that says nothing is protected',
              request => { port => 443, tls => 1, path => '/other' }, status => 401, as => 0,
              challenge => { realm => 'api.example.com' } },
            { name => 'another issuer',
              request => { port => 443, tls => 1, path => '/orders/', token => 'issuer-token' },
              answers => { 'issuer-token' => as_body(scope => 'read', iss => 'https://evil.example.com',
                                                     aud => 'https://api.example.com') },
              status => 401, outcome => 'issuer' },
            { name => 'another audience',
              request => { port => 443, tls => 1, path => '/orders/', token => 'audience-token' },
              answers => { 'audience-token' => as_body(scope => 'read', iss => 'https://login.example.com',
                                                       aud => 'https://other.example.com') },
              status => 401, outcome => 'audience' },
            { name => 'the API knows the client',
              request => { port => 443, tls => 1, path => '/orders/', token => 'alice-token' }, status => 200,
              api => [{ host => 'localhost', x_forwarded_for => '127.0.0.1', authorization => 'Bearer <jwt>' }] },
        ],
    },
);

my %files = map { (m{([^/]+)$} => $_) } glob 'nginx-conf/*.conf';
is_deeply [sort keys %files], [sort keys %shown], 'each file in nginx-conf/ has a row here, and each row a file';

for my $file (sort grep { $shown{$_} } keys %files) {
    my $row = $shown{$file};
    my $as  = authorization_server();
    my %servers = (AS => $as);
    @servers{qw(TLS_AS AS_CA)} = with_tls($as) if $row->{tls};
    my $text    = slurp($files{$file});
    my $gateway = gateway(config => $text, replace => $row->{replace}, servers => \%servers);
    my %request = %{ $row->{request} };
    my %challenge = (realm => $row->{realm} // 'api', defined $row->{scopes} ? (scope => $row->{scopes}) : ());
    $challenge{resource_metadata} = $row->{metadata} if defined $row->{metadata};
    my $claims  = $row->{claims};
    my $got     = exists $row->{forwarded} ? $row->{forwarded} : 'Bearer <jwt>';
    my $asked   = {
        method => 'POST', uri => $row->{way}, body => $question, accept => $row->{accept} // 'application/jwt',
        content_type => 'application/x-www-form-urlencoded', authorization => $basic, cookie => undef
    };
    my @named   = map { { %{$_}, name => "$file: $_->{name}" } } @{ $row->{more} };

    cases($gateway,
        { name => "$file: allowed", request => { %request, token => 'alice-token', headers => ['Cookie: a=b'] },
          answers => { 'alice-token' => $row->{answer}->(%{$claims}) }, status => 200, as => [$asked],
          api => [{ uri => $request{path}, authorization => $got, cookie => 'a=b' }], outcome => 'active',
          cache => 'MISS' },
        { name => "$file: allowed, from the cache", request => { %request, token => 'alice-token' }, status => 200,
          as => 0, api => [{ authorization => $got }], outcome => 'active', cache => $row->{cache} // 'HIT' },
        { name => "$file: refused, no token",
          request => {%request}, status => 401, as => 0, challenge => \%challenge, outcome => 'missing' },
        { name => "$file: refused, inactive",
          request => { %request, token => 'gone-token' }, answers => { 'gone-token' => { status => 204 } },
          status => 401, challenge => { %challenge, error => 'invalid_token' }, outcome => 'inactive' },
        { name => "$file: refused, expired", request => { %request, token => 'expired-token' },
          answers => { 'expired-token' => $row->{answer}->(%{$claims}, exp => time - 1) }, status => 401,
          challenge => { %challenge, error => 'invalid_token' }, outcome => 'expired' },
        defined $row->{scopes} ? {
            name => "$file: refused, missing scope", request => { %request, token => 'scope-token' },
            answers => { 'scope-token' => $row->{answer}->(%{$claims}, scope => 'readonly') }, status => 403,
            challenge => { %challenge, error => 'insufficient_scope' }
        } : (),
        { name => "$file: the gateway's credentials are wrong", request => { %request, token => 'refused-token' },
          answers => { 'refused-token' => { status => 401 } }, status => 502, outcome => 'as_refused_client' },
        @named,
    );
    my ($path) = $text =~ /phantom_token_introspection_endpoint\s+(\S+);/;
    my $status = $gateway->request(%request, path => $path =~ m{^/} ? $path : "/$path", token => 'alice-token')->status;
    like $status, qr/^4/, "$file: the introspection location is no client's";

    # Neither a token nor the form that it is sent in stands on disk: the JWT of the AS does, that is what is cached.
    my @stored;
    find({ no_chdir => 1, wanted => sub { push @stored, slurp($_) if -f } }, $gateway->folder . '/cache');
    cmp_ok scalar @stored, '>', 0, "$file: the cache is on disk";
    is scalar(grep { /-token\b|token=/ } @stored), 0, "$file: no token in it";
    is scalar(grep { /eyJ/ } @stored), 0, "$file: nor a JWT that the gateway has signed" if $row->{forwarded};
    check_faults();
}

# What production.conf says of TLS is so: another name than the certificate's is no authorization server.
{
    my $row   = $shown{'production.conf'};
    my $as    = authorization_server(answers => { 'alice-token' => as_body(%{ $row->{claims} }) });
    my ($address, $ca) = with_tls($as);
    my $start = sub {
        my ($name, $trusted) = @_;
        return gateway(
            config => slurp('nginx-conf/production.conf'),
            replace => [map { $_ eq 'proxy_ssl_name localhost' ? "proxy_ssl_name $name" : $_ } @{ $row->{replace} }],
            servers => { AS => $as, TLS_AS => $address, AS_CA => $trusted }
        );
    };
    my $gateway = $start->('login.example.com', $ca);
    cases(
        $gateway,
        { name => 'production.conf: the AS has the certificate of another',
          request => { %{ $row->{request} }, token => 'alice-token' }, status => 502, as => 0, outcome => 'as_error',
          log => qr/SSL certificate does not match "login\.example\.com"/ }
    );
    my (undef, $other) = with_tls($as);
    cases(
        $start->('localhost', $other),
        { name => 'production.conf: the AS has a certificate of another authority',
          request => { %{ $row->{request} }, token => 'alice-token' }, status => 502, as => 0, outcome => 'as_error',
          log => qr/SSL certificate verify error/ }
    );
}

done_testing;
