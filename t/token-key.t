# $phantom_token_key in the key of a cache of the API's responses: never empty where a request has a token, another one
# for each token, and a failure is no empty string.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'sha256_hex';
use Harness;

# As the contract has it: each part behind its length in eight bytes.
sub key_of { return sha256_hex(join '', map { pack('Q>', length) . $_ } @_) }

my $key = rsa_key('k1');
my $far = 4102444800;
sub signed { my ($sub, %more) = @_; return jwt({ sub => $sub, aud => 'api', exp => $far, %more }, key => $key) }

my $folder = temporary_folder();
sub file {
    my ($name, $content) = @_;
    open my $out, '>', "$folder/$name" or die $!;
    print {$out} $content;
    close $out;
    return chmod 0600, "$folder/$name";
}
file('secret', "gateway-secret\n");

my $verify = 'phantom_token_inbound_jwt verify; phantom_token_audience api;';
my $api    = 'proxy_pass http://%%API%%; proxy_cache responses; proxy_cache_key $phantom_token_key$request_uri; '
    . 'proxy_cache_valid 200 1h; add_header X-Response-Cache $upstream_cache_status; '
    . 'add_header X-Key $phantom_token_key always;';

my $gateway = gateway(
    server_name => 'gateway.test',
    log         => { key => 'phantom_token_key' },
    http        => 'proxy_cache_path %%DIR%%/responses keys_zone=responses:1m; map $http_host $jwks { default /_jwks; '
        . 'two.test /_jwks?two; }',
    server      => 'set $at_server $phantom_token_key;',
    locations   => <<"END",
        phantom_token on;
        location /introspect { phantom_token_introspection_endpoint /_introspect; phantom_token_client_id gateway;
                               phantom_token_client_secret_file $folder/secret; phantom_token_client_auth post; $api }
        location /exchange { phantom_token_exchange_endpoint /_exchange; phantom_token_exchange_audience a; $api }
        location /verify { $verify phantom_token_jwks_endpoint /_jwks; $api }
        location /tenants { $verify phantom_token_jwks_endpoint \$jwks; $api }
        location /both { $verify phantom_token_jwks_endpoint /_jwks; phantom_token_introspection_endpoint /_introspect;
                         $api }
        location /pass { phantom_token_inbound_jwt pass; phantom_token_introspection_endpoint /_introspect; $api }
        location /pass-jwks { phantom_token_inbound_jwt pass; phantom_token_jwks_endpoint /_jwks;
                              phantom_token_introspection_endpoint /_introspect; $api }
        location /reject { phantom_token_inbound_jwt reject; phantom_token_introspection_endpoint /_introspect; $api }
        location /optional { phantom_token optional; phantom_token_introspection_endpoint /_introspect; $api }
        location /limited { phantom_token_introspection_endpoint /_introspect; error_page 401 403 = \@refused; $api }
        location \@refused { phantom_token off; return 200 "key <\$phantom_token_key>"; }
        location /off { phantom_token off; $api }
        location /at-server { $verify phantom_token_jwks_endpoint /_jwks; proxy_pass http://%%API%%;
                              proxy_set_header X-Key \$phantom_token_key; proxy_set_header X-At-Server \$at_server; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_exchange { internal; proxy_pass http://%%AS%%/token; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
END
);
$gateway->as->answers('/jwks' => { json => jwks($key) },
    'carol-token' => { json => { access_token => jwt({ sub => 'carol' }) } },
    map { ("$_-token" => { jwt => { sub => $_, aud => 'api' } }) } qw(alice bob));

# --- which parts -----------------------------------------------------------------------------------------------------

my @server = ('gateway.test', '0');
my ($mine, $other) = (signed('alice'), signed('bob'));
my $exchange = sub {
    return key_of('exchange', '', 'basic', scope => '', requested_token_type => 'urn:ietf:params:oauth:token-type:jwt',
        audience => 'a', $_[0], '/_exchange', @server);
};
# path, token, status, key, and the Host
my @rows = (
    ['introspection',                          '/introspect', 'alice-token', 200, sub {
        key_of('introspection', 'gateway', 'post', $_[0], '/_introspect', @server);
    }],
    ['exchange',                               '/exchange',   'carol-token', 200, $exchange],
    ['verify, a JWT',                          '/verify',     $mine,         200, sub {
        key_of('verify', '', 'basic', $_[0], '/_jwks', @server);
    }],
    ['verify, an opaque token nobody asks about', '/verify',  'alice-token', 401, sub {
        key_of('verify', '', 'basic', $_[0], '/_jwks', @server);
    }],
    ['verify, endpoint with a variable',       '/tenants',    $mine,         200, sub {
        key_of('verify', '', 'basic', $_[0], '/_jwks?two', @server);
    }, 'two.test'],
    ['verify and introspection, a JWT',        '/both',       $mine,         200, sub {
        key_of('verify', '', 'basic', $_[0], '/_jwks', @server);
    }],
    ['verify and introspection, opaque',       '/both',       'alice-token', 200, sub {
        key_of('introspection', '', 'basic', $_[0], '/_introspect', @server);
    }],
    ['pass, a JWT',                            '/pass',       $mine,         200, sub {
        key_of('pass', '', 'basic', $_[0], '', @server);
    }],
    ['pass with a JWKS endpoint, a JWT',       '/pass-jwks',  $mine,         200, sub {
        key_of('pass', '', 'basic', $_[0], '/_jwks', @server);
    }],
    ['pass, opaque',                           '/pass',       'alice-token', 200, sub {
        key_of('introspection', '', 'basic', $_[0], '/_introspect', @server);
    }],
    ['reject, a JWT',                          '/reject',     $mine,         401, sub {
        key_of('introspection', '', 'basic', $_[0], '/_introspect', @server);
    }],
    ['optional, a token',                      '/optional',   'alice-token', 200, sub {
        key_of('introspection', '', 'basic', $_[0], '/_introspect', @server);
    }],
    ['optional, no token',                     '/optional',   undef,         200, sub { '' }],
    ['off',                                    '/off',        'alice-token', 200, sub { '' }],
);
for my $row (@rows) {
    my ($name, $path, $token, $status, $expected, $host) = @{$row};
    my $response = $gateway->get($path, defined $token ? (token => $token) : (), host => $host // 'gateway.test');
    is $response->status, $status, "key: $name: status";
    is $gateway->logged($response)->{key}, $expected->($token), "key: $name: at the end of the request";
    is $response->header('X-Key') // '', $expected->($token), "key: $name: where the response is made";
}
{
    my $response = $gateway->get('/limited', token => 'gone-token');
    is $response->body, 'key <>', 'key: after a refusal, where protection is off and nobody is asked';
    my ($seen) = do {
        $gateway->api->forget_requests;
        $gateway->get('/at-server', token => $mine);
        $gateway->api->requests
    };
    is $seen->header('X-Key'), key_of('verify', '', 'basic', $mine, '/_jwks', @server),
        'key: verify, what the API is sent';
}

# --- one client never gets another's response ------------------------------------------------------------------------

my $case = sub {
    my ($name, $path, $token, $cache, %more) = @_;
    return {
        name => "a cache of the API's responses: $name",
        request => { path => $path, defined $token ? (token => $token) : () }, status => 200,
        headers => { 'X-Response-Cache' => $cache }, %more
    };
};
my @no_sub = map { jwt({ aud => 'api', exp => $far, n => $_ }, key => $key) } 1, 2;
cases($gateway,
    (map { my $path = $_;
        $case->("$path, the first", "$path/page", $mine, 'MISS', api => [{ authorization => "Bearer $mine" }]),
        $case->("$path, another client", "$path/page", $other, 'MISS', api => [{ authorization => "Bearer $other" }]),
        $case->("$path, the first again", "$path/page", $mine, 'HIT', api => 0, body => qr/\Q$mine\E/),
        $case->("$path, without a sub", "$path/page", $no_sub[0], 'MISS',
                api => [{ authorization => "Bearer $no_sub[0]" }]),
        $case->("$path, without a sub, another", "$path/page", $no_sub[1], 'MISS',
                api => [{ authorization => "Bearer $no_sub[1]" }]) } qw(/verify /pass /both)),
    $case->('optional, without a token', '/optional/page', undef, 'MISS', outcome => 'anonymous',
            api => [{ authorization => undef }]),
    $case->('optional, a token', '/optional/page', 'alice-token', 'MISS', outcome => 'active',
            api => [{ authorization => 'Bearer <jwt>' }]),
    $case->('optional, another one', '/optional/page', 'bob-token', 'MISS', outcome => 'active',
            api => [{ authorization => 'Bearer <jwt>' }]),
    $case->('optional, without a token again', '/optional/page', undef, 'HIT', outcome => 'anonymous', api => 0),
    { name => 'a cache of the API\'s responses: a bad token gets nothing out of it',
      request => { path => '/verify/page', token => "${mine}x" }, status => 401, api => 0 },
);

# --- a key that cannot be computed -----------------------------------------------------------------------------------

{
    file(
        'openssl.cnf',
        "openssl_conf = init\n[init]\nproviders = providers\nalg_section = algorithms\n[providers]\ndefault = "
            . "default\n[default]\nactivate = 1\n[algorithms]\ndefault_properties = fips=yes\n"
    );
    # no digest has that property: OpenSSL fails where it is asked for one
    local $ENV{OPENSSL_CONF} = "$folder/openssl.cnf";
    my $broken = gateway(
        http      => 'proxy_cache_path %%DIR%%/responses keys_zone=responses:1m;',
        locations => <<"END",
            phantom_token_inbound_jwt pass;
            phantom_token_introspection_endpoint /_introspect;
            location / { phantom_token on; $api }
            location /ssi { ssi on; ssi_types application/json; proxy_pass http://%%API%%; }
            location /open { $api }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
    );
    my %lost = (
        status => 500, headers => { 'X-Response-Cache' => undef }, outcome => 'internal_error', challenge => undef,
        log => qr/\[error\].*phantom token: internal_error: \$phantom_token_key cannot be computed.*location "\/"/
    );
    cases($broken,
        { name => 'a key that cannot be computed: no token, none is needed',
          request => { path => '/open/page' }, status => 200, headers => { 'X-Response-Cache' => 'MISS' }, api => 1 },
        { name => 'a key that cannot be computed: the response of a request without a key is not found',
          request => { path => '/page', token => $mine }, %lost, api => 1 },
        { name => 'a key that cannot be computed: nor is one kept',
          request => { path => '/page', token => $other }, %lost, api => 1 },
        { name => 'a key that cannot be computed: HEAD',
          request => { method => 'HEAD', path => '/page', token => $other }, %lost, api => 1 },
    );
}

# --- nginx -t warns --------------------------------------------------------------------------------------------------

my $says = 'is protected and keeps responses in a cache: its cache key must hold \$phantom_token_key, '
    . 'or one client may get the response that was for another';
my $way  = 'phantom_token_introspection_endpoint /_introspect; location = /_introspect { internal; '
    . 'proxy_pass http://%%AS%%; proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; }';
my $zones = 'proxy_cache_path %%DIR%%/t keys_zone=tokens:1m; proxy_cache_path %%DIR%%/r keys_zone=responses:1m;';
my $fastcgi = 'fastcgi_cache_path %%DIR%%/f keys_zone=fast:1m;';
sub warnings_of {
    my ($name, $locations, @expected) = @_;
    my $nginx  = Harness::Nginx->new(servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' },
        http => "$zones $fastcgi", locations => "$way $locations");
    my $check  = $nginx->check;
    is $check->{code}, 0, "nginx -t, $name: it starts" or diag $check->{output};
    my @found = $check->{output} =~ /\[warn\].*? location "([^"]*)" $says/g;
    return is_deeply \@found, \@expected, "nginx -t, $name: warned of" . (@expected ? " @expected" : ' nothing');
}
my $cached = 'proxy_pass http://%%API%%; proxy_cache responses; proxy_cache_key $uri;';
warnings_of('a protected location', "location /a { phantom_token on; $cached }", '/a');
warnings_of('a good key, which cannot be seen', 'location /a { phantom_token on; proxy_pass http://%%API%%; '
        . 'proxy_cache responses; proxy_cache_key $phantom_token_key$uri; }', '/a');
warnings_of(
    'each one once',
    "phantom_token on; proxy_cache responses; "
        . "location /a { proxy_pass http://%%API%%; location /a/b { proxy_pass http://%%API%%; } } "
        . "location /c { phantom_token off; proxy_pass http://%%API%%; } "
        . "location /d { proxy_cache off; proxy_pass http://%%API%%; } location /e { return 204; }",
    '/a', '/a/b'
);
warnings_of('protection off', "location /a { $cached }");
warnings_of(
    'an introspection location with an inherited zone', 'phantom_token on; location /a { proxy_pass http://%%API%%; }'
);
warnings_of('a name of a zone with variables',
    'location /a { phantom_token on; proxy_pass http://%%API%%; proxy_cache $arg_zone; }', '/a');
warnings_of('variables in proxy_pass',
    "location /a { phantom_token on; set \$api %%API%%; proxy_pass http://\$api; proxy_cache responses; }", '/a');
my $if = 'if ($arg_a) { proxy_pass http://%%API%%; }';
warnings_of('an if, once', "location /a { phantom_token on; $if if (\$arg_b) { set \$x 1; } $cached }", '/a');
warnings_of('an if alone', "location /a { phantom_token on; $if proxy_cache responses; }", '/a');
warnings_of('limit_except, once', "location /a { phantom_token on; limit_except GET { allow all; } $cached }", '/a');
warnings_of(
    'FastCGI', 'location /a { phantom_token on; fastcgi_pass %%API%%; fastcgi_cache fast; fastcgi_cache_key $uri; }',
    '/a'
);
{
    my $nginx  = Harness::Nginx->new(servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' }, http => $zones,
                                     locations => "$way location /a { phantom_token optional; $cached }");
    like $nginx->check->{output},
        qr/location "\/a" $says; requests without a token, for which that is empty, share their responses/,
        'nginx -t, optional: says what requests without a token have';
}

done_testing;
