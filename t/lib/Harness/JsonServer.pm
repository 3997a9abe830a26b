package Harness::JsonServer;

# What the gateway makes of a real authorization server that answers introspection with JSON and has no JWT: nothing by
# default, its own JWT under `phantom_token_forward sign`, claims in variables under `none`.

use strict;
use warnings;
use Exporter 'import';
use Harness;
use Harness::Keys 'key_pair';
use Harness::Verifiers 'verify_jwts';
use MIME::Base64 'decode_base64url';

our @EXPORT_OK = qw(json_server_flows guide_flows secret_file forwarded_jwt);

my $ISSUER   = 'https://gateway.example.com';
my $AUDIENCE = 'https://api.example.com';
my $CACHING  = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; '
    . 'proxy_ignore_headers Cache-Control Expires; proxy_cache_valid 200 1h;';

my %INACTIVE = (status => 401, outcome => 'inactive', challenge => { realm => 'api', error => 'invalid_token' });

# A file that holds a secret, as phantom_token_client_secret_file reads it.
sub secret_file {
    my ($secret) = @_;
    my $file = temporary_folder() . '/secret';
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} "$secret\n";
    close $out or die "$file: $!\n";
    chmod 0600, $file or die "$file: $!\n";
    return $file;
}

# What came in Authorization with the last request that the API saw: a JWT, or undef.
sub forwarded_jwt {
    my ($gateway) = @_;
    my ($last) = reverse $gateway->api->requests;
    return $last && ($last->header('Authorization') // '') =~ /^Bearer (eyJ.*)$/ ? $1 : undef;
}

# json_server_flows($as, …): all that holds of each such server; returns the gateway. Options:
#
#   client    directives by which the gateway authenticates
#   wrong     name => such directives that the server does not accept
#   as        what else there is in the location that reaches the server
#   claims    members of the answer for a token of the client app, which the JWT must have; undef: must not have
#   members   all that the server's answer for it has beside "active"
#   short     the client whose tokens end after 2 s, if the server has one
#   locations further ones
sub json_server_flows {
    my ($as, %option) = @_;
    my $gateway = _gateway($as, %option);
    my %token   = map { $_ => $as->token(scope => 'read') } qw(active revoked);
    $as->revoke($token{revoked});

    _refused($gateway, $token{active}, %option);
    is_deeply [sort keys %{ _introspection($as, $token{active}) }], [sort 'active', @{ $option{members} }],
        'what the server answers for an active token';
    _signed($gateway, $as, $token{active}, %{ $option{claims} // {} });
    _inactive($gateway, $token{revoked});
    _scopes($gateway, $token{active}, $as->token(scope => 'read write'));
    _cached($gateway, $as);
    _expires($gateway, $as, $option{short}) if $option{short};
    return $gateway;
}

# guide_flows($as, 'docs/guides/NAME.md', $from => $to, …): the whole configuration that the guide shows, before the
# server, with these texts replaced.
sub guide_flows {
    my ($as, $guide, @replace) = @_;
    open my $in, '<', $guide or die "$guide: $!\n";
    my ($text) = do { local $/ = undef; <$in> } =~ /^```nginx\n(.*?^http \{.*?)^```$/ms
        or die "$guide: no whole file\n";
    my $gateway = gateway(
        servers => { AS => $as }, config => $text,
        replace => [
            '/etc/nginx/gateway-key.pem' => key_pair(temporary_folder() . '/gateway.pem', 'EC'),
            '/var/cache/'                => '%%DIR%%/', '127.0.0.1:8081' => '%%API%%', @replace
        ]
    );
    my $token   = $as->token(scope => 'read');
    my %request = (path => '/api/', port => 80);
    my %signed  = (status => 200, outcome => 'active', api => [{ authorization => qr/^Bearer eyJ/ }]);
    cases($gateway,
        (map { { name => "the guide: $_", request => { %request, token => $token }, %signed, cache => $_ } }
            qw(MISS HIT)),
        { name => 'the guide: an unknown token', request => { %request, token => 'never-issued-token' }, %INACTIVE,
          challenge => { realm => 'api', scope => 'read', error => 'invalid_token' } },
        { name => 'the guide: a scope is missing', request => { %request, token => $as->token(scope => 'write') },
          status => 403, outcome => 'insufficient_scope' },
    );
    my $jwks = $gateway->get('/.well-known/jwks.json', port => 80)->body;
    $gateway->get('/api/', port => 80, token => $token);
    my @names = ('https://api.example.com', 'https://orders.example.com');
    for my $verified (verify_jwts($jwks, @names, forwarded_jwt($gateway))) {
        my ($library, $results) = @{$verified};
        is $results->[0]{error}, undef, "the guide: $library verifies the JWT";
    }
    return;
}

sub _gateway {
    my ($as, %option) = @_;
    my $key     = key_pair(temporary_folder() . '/gateway.pem', 'EC');
    my $url     = 'http://' . $as->endpoint('introspection');
    my $more    = $option{as} // '';
    my %wrong   = %{ $option{wrong} // {} };
    my $api     = 'proxy_pass http://%%API%%;';
    my $refused = join "\n", map { "location /sign/wrong/$_ { $wrong{$_} $api }" } sort keys %wrong;
    return gateway(
        servers   => { AS => $as },
        http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
        locations => <<"END",
            phantom_token_introspection_endpoint as;
            phantom_token_signing_key $key;
            phantom_token_signed_issuer $ISSUER;
            phantom_token_signed_audience $AUDIENCE;
            $option{client}
            location /jwt { phantom_token on; $api }
            location /sign { phantom_token on; phantom_token_forward sign; $api
                location /sign/hour { phantom_token_signed_lifetime 2h; $api }
                location /sign/read { phantom_token_scopes read; $api }
                location /sign/both { phantom_token_scopes "read write"; $api }
                location /sign/cached { phantom_token_introspection_endpoint as-cached; $api }
                $refused
            }
            location /none { phantom_token on; phantom_token_forward none; $api
                proxy_set_header X-User \$phantom_token_sub;
                proxy_set_header X-Client \$phantom_token_client_id; }
            location = /jwks { phantom_token_jwks; }
            location as { internal; proxy_pass $url; $more }
            location as-cached { internal; proxy_pass $url; $more $CACHING }
            @{[ $option{locations} // '' ]}
END
    );
}

sub _refused {
    my ($gateway, $token, %option) = @_;
    cases($gateway,
        { name => 'jwt, the default: 502, and the log says what to write',
          request => { path => '/jwt', token => $token }, status => 502, outcome => 'as_bad_response',
          log => qr/\[error\].*"phantom_token_forward sign"/ },
        map { { name   => "the gateway's own credentials: $_", request => { path => "/sign/wrong/$_", token => $token },
                status => 502, outcome => 'as_refused_client',
                log    => qr/\[error\].*(?:does not accept the gateway's credentials|refuses the gateway)/ } }
            sort keys %{ $option{wrong} // {} }
    );
    return;
}

# Two libraries verify it by the JWK Set that the gateway publishes.
sub _signed {
    my ($gateway, $as, $token, %claims) = @_;
    my $answer = _introspection($as, $token);
    my $jwks   = $gateway->get('/jwks')->body;
    for my $way (['/sign', 300], ['/sign/hour', 7200]) {
        my ($path, $lifetime) = @{$way};
        my $before = time;
        is $gateway->get($path, token => $token)->status, 200, "$path: allowed";
        my $jwt = forwarded_jwt($gateway);
        ok defined $jwt, "$path: the API gets a JWT" or next;
        for my $verified (verify_jwts($jwks, $ISSUER, $AUDIENCE, $jwt, _tampered($jwt))) {
            my ($library, $results) = @{$verified};
            my ($good,    $bad)     = @{$results};
            is $good->{error}, undef, "$path: $library: verified";
            ok defined $bad->{error}, "$path: $library: changed, it is not";
            is $good->{header}{alg}, 'ES256', "$path: $library: alg";
            my %seen = %{ $good->{claims} // {} };
            is $seen{iss}, $ISSUER, "$path: $library: iss is the gateway";
            is_deeply [ref $seen{aud} ? @{ $seen{aud} } : $seen{aud}], [$AUDIENCE], "$path: $library: aud";
            is_deeply $seen{$_}, $claims{$_}, "$path: $library: $_" for sort keys %claims;
            cmp_ok $seen{iat}, '>=', $before - 1, "$path: $library: iat is not before the request";
            my $end = $seen{iat} + $lifetime;
            is $seen{exp}, $end < $answer->{exp} ? $end : $answer->{exp},
                "$path: $library: exp is the earlier of the token's and the lifetime's";
        }
    }
    cases($gateway,
        { name => 'none: no Authorization, the subject in a header', request => { path => '/none', token => $token },
          status => 200, outcome => 'active',
          api => [{ authorization => undef, 'X-User' => $answer->{sub}, 'X-Client' => $claims{client_id} }] },
    );
    return;
}

sub _introspection {
    my ($as, $token) = @_;
    return $as->introspect($token, 'gateway')->json;
}

sub _tampered {
    my ($jwt)  = @_;
    my @parts  = split /\./, $jwt;
    my $claims = decode_base64url($parts[1]) =~ s/"scope":"read"/"scope":"root"/r;
    return join '.', $parts[0], base64url($claims), $parts[2];
}

sub _inactive {
    my ($gateway, $revoked) = @_;
    my %token = (revoked => $revoked, unknown => 'never-issued-token');
    for my $path (qw(/jwt /sign /none)) {
        cases($gateway,
            map { { name => "$path: $_", request => { path => $path, token => $token{$_} }, %INACTIVE } }
                sort keys %token
        );
    }
    cases($gateway,
        { name => 'no token', request => { path => '/sign' }, status => 401, challenge => { realm => 'api' },
          outcome => 'missing' }
    );
    return;
}

sub _scopes {
    my ($gateway, $read, $both) = @_;
    cases($gateway,
        { name => 'scopes: enough', request => { path => '/sign/read', token => $read }, status => 200,
          outcome => 'active' },
        { name => 'scopes: one is missing', request => { path => '/sign/both', token => $read }, status => 403,
          outcome => 'insufficient_scope',
          challenge => { realm => 'api', scope => 'read write', error => 'insufficient_scope' } },
        { name => 'scopes: both', request => { path => '/sign/both', token => $both }, status => 200,
          outcome => 'active' },
    );
    return;
}

sub _cached {
    my ($gateway, $as) = @_;
    my $token  = $as->token(scope => 'read');
    my %signed = (status => 200, outcome => 'active', api => [{ authorization => qr/^Bearer eyJ/ }]);
    cases($gateway,
        map { { name => "cached: $_", request => { path => '/sign/cached', token => $token }, %signed, cache => $_ } }
            qw(MISS HIT)
    );
    $as->revoke($token);
    cases($gateway,
        { name => 'cached: revoked, allowed until its entry ends',
          request => { path => '/sign/cached', token => $token }, %signed, cache => 'HIT' },
        { name => 'not cached: revoked', request => { path => '/sign', token => $token }, %INACTIVE },
    );
    return;
}

# Tokens of 2 s: asked for anew as often as a busy machine is too late for one.
sub _expires {
    my ($gateway, $as, $client) = @_;
    for my $path (qw(/sign /sign/cached)) {
        my $token;
        ok until_true(
            patience(30), sub {
                $token = $as->token(client => $client, scope => 'read');
                $gateway->get($path, token => $token)->status == 200;
            }
        ), "$path: a short token is allowed";
        ok until_true(patience(30), sub { $gateway->get($path, token => $token)->status == 401 }),
            "$path: and refused when it has ended";
    }
    return;
}

1;
