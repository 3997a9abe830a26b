# docs/recipes.md: every configuration there, as it is shown, with requests through it. Only the addresses, the paths
# and the way to the AS (http for https) are the test's.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Verifiers qw(verify_jwts node_modules);
use Cwd 'getcwd';
use MIME::Base64 'encode_base64url';

# --- the configurations of the page ----------------------------------------------------------------------------------

my %recipes; # heading => its blocks, in order
my %scripts; # heading => its blocks of JavaScript
{
    open my $in, '<', 'docs/recipes.md' or die "docs/recipes.md: $!";
    my ($heading, $block);
    while (my $line = <$in>) {
        if    ($block && $line =~ /^```/) { undef $block }
        elsif ($block)                    { ${$block} .= $line }
        elsif ($line =~ /^## (.*)$/)      { $heading = $1; $recipes{$heading} = [] }
        elsif ($line =~ /^```nginx$/)     { push @{ $recipes{$heading} }, ''; $block = \$recipes{$heading}[-1] }
        elsif ($line =~ /^```js$/)        { push @{ $scripts{$heading} }, ''; $block = \$scripts{$heading}[-1] }
    }
}
my %tested;

my $folder = getcwd();
my $files = temporary_folder(); # in place of /etc/nginx and /var/log/nginx

sub file {
    my ($name, $content) = @_;
    open my $out, '>', "$files/$name" or die "$files/$name: $!";
    print {$out} $content;
    close $out;
    chmod 0600, "$files/$name";
    return "$files/$name";
}
my $secret = file('gateway-secret', "gateway-secret\n");

sub command {
    my $result = run([@_]);
    die "@_: $result->{err}\n" if $result->{code} != 0;
    return $result->{out};
}
my $key = file('signing-key.pem', command(qw(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)));

# The blocks under a heading, those that are named by number or all. replace is the test's own.
sub recipe {
    my ($heading, %option) = @_;
    my @blocks = @{ $recipes{$heading} // [] } or die "docs/recipes.md has no configuration under \"$heading\"\n";
    my @wanted = @{ $option{blocks} // [0 .. $#blocks] };
    $tested{"$heading $_"} = 1 for @wanted;
    my $text = join "\n", @blocks[@wanted];
    my @replace = @{ $option{replace} // [] };
    while (my ($from, $to) = splice @replace, 0, 2) {
        $text =~ s/\Q$from\E/$to/g or die "$heading: there is no $from\n";
    }
    $text =~ s{https://login\.example\.com}{http://%%AS%%}g;
    $text =~ s{127\.0\.0\.1:8081\b}{%%API%%}g;
    $text =~ s{/etc/nginx/gateway-secret}{$secret}g;
    $text =~ s{/etc/nginx/signing-key\.pem}{$key}g;
    $text =~ s{/var/(?:cache|log)/}{%%DIR%%/}g;
    $text =~ s{unix:/run/}{unix:%%DIR%%/}g;
    $text =~ s{load_module modules/(?=ngx_http_(?:cache_purge|js)_)}{load_module /usr/lib/nginx/modules/}g;
    $text =~ s{/etc/nginx/revocation\.js}{$folder/nginx-conf/many-machines/revocation.js}g;
    return $text;
}

my $basic   = 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==';
my $max_age = ['Cache-Control: max-age=300'];

# --- an authorization service for other proxies ----------------------------------------------------------------------

{
    my $heading = 'An authorization service for other proxies';
    my $service = gateway(config => recipe($heading, blocks => [0]));
    my %port    = (port => 9000);
    cases($service,
        { name => 'service: allowed, as Traefik asks',
          request => { %port, path => '/', token => 'alice-token',
                       headers => ['X-Forwarded-Method: POST', 'X-Forwarded-Uri: /orders/7', 'Cookie: a=b'] },
          answers => { 'alice-token' => { jwt => { sub => 'alice' }, headers => $max_age } },
          as => [{ uri => '/oauth/v2/oauth-introspect', authorization => $basic, cookie => undef }], api => 0,
          status => 200, body => '', headers => { Authorization => 'Bearer <jwt>' }, outcome => 'active',
          cache => 'MISS' },
        { name => 'service: again, from the cache', request => { %port, path => '/', token => 'alice-token' }, as => 0,
          status => 200, headers => { Authorization => 'Bearer <jwt>' }, cache => 'HIT' },
        { name => 'service: allowed, as Envoy asks',
          request => { %port, method => 'POST', path => '/orders/%2e%2e/7?a=b', token => 'alice-token',
                       headers => ['Content-Length: 0'] },
          as => 0, api => 0, status => 200, body => '', headers => { Authorization => 'Bearer <jwt>' } },
        { name => 'service: with a body',
          request => { %port, method => 'PUT', path => '/orders/7', token => 'alice-token', body => 'x' x 50_000 },
          as => 0, status => 200, headers => { Authorization => 'Bearer <jwt>' } },
        { name => 'service: allowed, HEAD', request => { %port, method => 'HEAD', path => '/', token => 'alice-token' },
          as => 0, status => 200, headers => { Authorization => 'Bearer <jwt>' } },
        (map {
            { name => "service: $_, no token", request => { %port, path => $_ }, as => 0, status => 401,
              challenge => { realm => 'api' }, headers => { Authorization => undef }, outcome => 'missing' }
        } '/', '/orders/7', '/@allowed', '/index.html'),
        { name => 'service: inactive', request => { %port, path => '/', token => 'gone-token' }, status => 401,
          headers => { Authorization => undef }, outcome => 'inactive' },
        { name => 'service: a preflight is a request like any other',
          request => { %port, method => 'OPTIONS', path => '/',
                       headers => ['Origin: https://app.example.com', 'Access-Control-Request-Method: POST'] },
          as => 0, status => 401, headers => { Authorization => undef } },
        { name => 'service: a preflight with a token gets its JWT',
          request => { %port, method => 'OPTIONS', path => '/', token => 'alice-token',
                       headers => ['Origin: https://app.example.com', 'Access-Control-Request-Method: POST'] },
          as => 0, status => 200, headers => { Authorization => 'Bearer <jwt>' } },
        { name => 'service: the introspection location is no client\'s',
          request => { %port, path => '/_introspect', token => 'alice-token' }, as => 0, status => 404,
          headers => { Authorization => undef } },
        { name => 'service: the AS is busy', request => { %port, path => '/', token => 'busy-token' },
          answers => { 'busy-token' => { status => 503, headers => ['Retry-After: 7'] } }, status => 503,
          headers => { Authorization => undef, 'Retry-After' => '7' }, outcome => 'as_busy' },
    );

    # As the page says: where any 2xx will do.
    my $short = gateway(
        config => recipe(
            $heading, blocks => [0], replace => [
                'try_files "" @allowed;' => 'add_header Authorization "Bearer $phantom_token_jwt"; try_files "" =204;'
            ]
        )
    );
    cases($short,
        { name => 'service: 204', request => { %port, path => '/orders/7', token => 'alice-token' },
          answers => { 'alice-token' => { jwt => { sub => 'alice' } } }, status => 204,
          headers => { Authorization => 'Bearer <jwt>' } },
        { name => 'service: 204, not without a token',
          request => { %port, path => '/orders/7' }, status => 401, headers => { Authorization => undef } },
    );

    # Another nginx asks. It has no module of ours, and its API is the one that is watched.
    my $as     = $service->as;
    my $caller = gateway(
        module => 0, servers => { AS => $as }, config => recipe(
            $heading, blocks => [1], replace => ['127.0.0.1:9000' => '127.0.0.1:' . $service->port('9000')]
        )
    );
    my %client = (port => 80, path => '/orders/7?a=b');
    cases($caller,
        { name => 'nginx asks: allowed',
          request => { %client, method => 'POST', token => 'alice-token', body => 'order' }, as => 0, status => 200,
          api => [{ method => 'POST', uri => '/orders/7?a=b', body => 'order', authorization => 'Bearer <jwt>' }] },
        { name => 'nginx asks: a large body is the API\'s',
          request => { %client, method => 'POST', token => 'alice-token', body => 'x' x 200_000 }, status => 200,
          api => [{ body_length => 200_000, authorization => 'Bearer <jwt>' }] },
        { name => 'nginx asks: no token',
          request => {%client}, refusal => 'any', status => 401, challenge => { realm => 'api' } },
        { name => 'nginx asks: inactive', request => { %client, token => 'gone-token' }, refusal => 'any',
          status => 401, challenge => { realm => 'api', error => 'invalid_token' } },
        { name => 'nginx asks: Basic is not handed on',
          request => { %client, headers => ['Authorization: Basic eA=='] }, refusal => 'any', status => 401,
          challenge => { realm => 'api' } },
        { name => 'nginx asks: a 5xx of the gateway is a 500', request => { %client, token => 'busy-token' },
          refusal => 'any', status => 500, log => qr/auth request unexpected status: 503/ },
        { name => 'nginx asks: no client comes to the location that asks',
          request => { port => 80, path => '/_authorize', token => 'alice-token' }, as => 0, api => 0, status => 404 },
    );
}

# --- an authorization server that answers JSON only -------------------------------------------------------------------

# The page's API: what it makes of a value of Authorization, the sub or an error.
sub ask_api {
    my ($script, $gateway, @values) = @_;
    my $url  = 'http://127.0.0.1:' . $gateway->port('80');
    my $code = $script =~ s{new URL\('https://gateway\.example\.com/}{new URL('$url/}r;
    die "the script names no URL of the JWK Set\n" if $code eq $script;
    symlink node_modules() . '/node_modules', "$files/node_modules" if !-e "$files/node_modules";
    my $api = file('api.mjs', $code . <<'END');
for (const value of process.argv.slice(2)) {
  console.log(await claimsOf(value).then((claims) => claims.sub, (error) => error.code));
}
END
    return split /\n/, command('node', $api, @values);
}

{
    my $heading = 'An authorization server that answers JSON only';
    my $gateway = gateway(config => recipe($heading, blocks => [0]));
    my %api     = (port => 80, path => '/api/orders');
    my $json    = sub { my (%members) = @_; return { json => { active => true, %members }, headers => $max_age } };
    cases($gateway,
        { name => 'JSON only: allowed', request => { %api, token => 'alice-token' },
          answers => { 'alice-token' => $json->(sub => 'alice', scope => 'read', username => 'Alice') }, status => 200,
          as => [{ uri => '/oauth2/introspect', accept => 'application/json', authorization => $basic }],
          api => [{ uri => '/api/orders', authorization => qr/^Bearer eyJ/ }], outcome => 'active', cache => 'MISS' },
        { name => 'JSON only: again', request => { %api, token => 'alice-token' }, as => 0, status => 200,
          api => [{ authorization => qr/^Bearer eyJ/ }], cache => 'HIT' },
        { name => 'JSON only: inactive', request => { %api, token => 'gone-token' },
          answers => { 'gone-token' => { json => { active => false } } }, status => 401, outcome => 'inactive' },
        { name => 'JSON only: no token', request => {%api}, as => 0, status => 401, outcome => 'missing' },
        { name => 'JSON only: neither sub nor client_id', request => { %api, token => 'nobody-token' },
          answers => { 'nobody-token' => $json->(scope => 'read') }, status => 502, outcome => 'as_bad_response' },
        { name => 'JSON only: the introspection location is no client\'s',
          request => { port => 80, path => '/_introspect', token => 'alice-token' }, as => 0, status => 404 },
    );
    $gateway->get('/api/orders', port => 80, token => 'alice-token');
    my $sent   = ($gateway->api->requests)[-1]->header('Authorization');
    my $signed = $sent =~ s/^Bearer //r;
    my $jwks   = $gateway->get('/.well-known/jwks.json', port => 80)->body;
    for my $verified (verify_jwts($jwks, 'https://gateway.example.com', 'https://api.example.com', $signed)) {
        my ($library, $results) = @{$verified};
        is $results->[0]{error}, undef, "JSON only: the JWT is good for $library";
        is_deeply [@{ $results->[0]{claims} }{qw(sub scope username)}], ['alice', 'read', 'Alice'],
            "JSON only: the claims by $library";
    }

    # An API takes the gateway's JWT; not one that was changed, not one that the gateway has signed for another API, and
    # not one of the AS that says the same.
    my $other = gateway(
        servers => { AS => $gateway->as },
        config  => recipe($heading, blocks => [0], replace => ['audience https://api' => 'audience https://other'])
    );
    is $other->get('/api/orders', port => 80, token => 'alice-token')->status, 200, 'JSON only: another API';
    my $for_other = ($other->api->requests)[-1]->header('Authorization');
    my %claims    = (sub => 'mallory', iss => 'https://gateway.example.com', aud => 'https://api.example.com');
    my $foreign   = jwt({ %claims, exp => time + 60 }, key => rsa_key('as'),
        header => { alg => 'RS256', typ => 'at+jwt' });
    my $changed   = $sent =~ s/\.eyJ[\w-]+\./'.' . encode_base64url('{"sub":"mallory"}') . '.'/er;
    is_deeply [ask_api($scripts{$heading}[0], $gateway, $sent, $changed, $for_other, "Bearer $foreign")],
        ['alice', 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'ERR_JWT_CLAIM_VALIDATION_FAILED',
         'ERR_JOSE_ALG_NOT_ALLOWED'], 'JSON only: the API of the page';
    is scalar @{ $scripts{$heading} }, 1, 'JSON only: no other script';

    my $without = gateway(config => recipe($heading, blocks => [1]));
    my $header  = sub {
        my ($name, $token, $members, $expected, @headers) = @_;
        return {
            name => "JSON only, no JWT: $name", request => { %api, token => $token, headers => \@headers },
            answers => { $token => $json->(%{$members}) }, status => 200,
            api => [{ authorization => undef, %{$expected} }]
        };
    };
    my %alice = (sub => 'alice', scope => 'read');
    my %seen  = (x_user => 'alice', x_scope => 'read');
    cases($without,
        $header->('headers of the gateway', 'alice-token', \%alice, \%seen),
        $header->('a client has such headers itself', 'alice-token', \%alice, \%seen, 'X-User: admin',
            'x-scope: admin'),
        $header->('a client has two', 'alice-token', \%alice, \%seen, 'X-User: admin', 'X-USER: root'),
        $header->('the claims are absent', 'nobody-token', {}, { x_user => undef, x_scope => undef },
            'X-User: admin', 'X-Scope: admin'),
        { name => 'JSON only, no JWT: inactive', request => { %api, token => 'gone-token' },
          answers => { 'gone-token' => { json => { active => false } } }, status => 401, outcome => 'inactive' },
    );
    is $without->get('/api/', port => 80, token => 'alice-token', headers => ['X_User: admin'])->status, 200,
        'JSON only, no JWT: a header with an underscore';
    my ($seen) = ($without->api->requests)[-1];
    is_deeply [$seen->headers('X_User')], [], 'JSON only, no JWT: it does not reach the API';
    is_deeply [$seen->headers('X-User')], ['alice'], 'JSON only, no JWT: the gateway\'s does';
}

# --- requiring a claim -----------------------------------------------------------------------------------------------

{
    my $gateway = gateway(config => recipe('Requiring a claim'));
    my $row     = sub {
        my ($name, $path, $claims, $status, %request) = @_;
        my $host = delete $request{host} // 'acme.example.com';
        my %more = $status == 200 ? (
            api => [{ uri => $path, authorization => 'Bearer <jwt>' }]
        ) : (outcome => 'requirement', challenge => { realm => 'api', error => 'insufficient_scope' });
        return {
            name => "a claim: $name",
            request => { port => 80, path => $path, token => 'claims-token', headers => ["Host: $host"], %request },
            answers => { 'claims-token' => { jwt => ref $claims ? { sub => 'x', %{$claims} } : jwt($claims) } },
            status => $status, %more
        };
    };
    my $order = { tenant => 'acme', resource_access => { 'orders-api' => { roles => ['view', 'order'] } } };
    my $admin = sub { my (@roles) = @_; return { realm_access => { roles => [@roles] } } };
    my $post  = { method => 'POST', body => 'x' };
    cases($gateway, map { $row->(@{$_}) } (
        ['the tenant of the host, and the role', '/orders/', $order, 200],
        ['a tenant of another host', '/orders/', $order, 403, host => 'globex.example.com'],
        ['no tenant', '/orders/', { %{$order}, tenant => undef }, 403],
        ['a pattern for a tenant', '/orders/', { %{$order}, tenant => '.*' }, 403],
        ['two words for a tenant', '/orders/', { %{$order}, tenant => 'acme acme' }, 403],
        ['an object for a tenant', '/orders/', { %{$order}, tenant => { acme => 1 } }, 403],
        ['no role', '/orders/', { tenant => 'acme' }, 403],
        ['a role of another client', '/orders/',
         { tenant => 'acme', resource_access => { 'other-api' => { roles => ['order'] } } }, 403],
        ['another case of its name', '/orders/', { %{$order}, tenant => undef, Tenant => 'acme' }, 403],
        ['one of an array', '/admin/', $admin->('user', 'admin'), 200],
        ['alone in an array', '/admin/', $admin->('admin'), 200],
        ['a part of a word', '/admin/', $admin->('administrator', 'sysadmin'), 403],
        ['an empty array', '/admin/', $admin->(), 403],
        ['as the page warns, a string with a space', '/admin/', $admin->('not admin'), 200],
        ['reading without a group', '/catalogue/', {}, 200],
        ['writing without a group', '/catalogue/', {}, 403, %{$post}],
        ['writing by the group', '/catalogue/', { groups => ['/users', '/staff'] }, 200, %{$post}],
        ['writing by a group in the group', '/catalogue/', { groups => ['/staff/sales'] }, 200, %{$post}],
        ['writing by a group of a like name', '/catalogue/', { groups => ['/staffing', '/x/staff'] }, 403, %{$post}],
    ));
    cases($gateway,
        { name => 'a claim: an inactive token is still a 401',
          request => { port => 80, path => '/orders/', token => 'gone-token' }, status => 401,
          challenge => { realm => 'api', error => 'invalid_token' } },
        { name => 'a claim: no token is still a 401',
          request => { port => 80, path => '/admin/' }, status => 401, challenge => { realm => 'api' } },
    );

    # The same connection, one after the other: no claim stays.
    $gateway->as->answers('admin-token' => { jwt => $admin->('admin') }, 'user-token' => { jwt => $admin->('user') });
    my $connection = $gateway->connect(80);
    is join(
        ' ', map { $connection->get('/admin/', token => $_, headers => ['Host: acme.example.com'])->status }
            qw(admin-token user-token gone-token admin-token)
    ), '200 403 401 200', 'a claim: each request has its own';
}

# --- optional tokens -------------------------------------------------------------------------------------------------

{
    my $gateway = gateway(config => recipe('Optional tokens'));
    my $forged  = 'X-Visitor: active';
    cases($gateway,
        { name => 'optional: no token', request => { port => 80, path => '/catalogue/x', headers => [$forged] },
          as => 0, status => 200, api => [{ uri => '/catalogue/x', authorization => undef, x_visitor => 'anonymous' }],
          outcome => 'anonymous' },
        { name => 'optional: a good token',
          request => { port => 80, path => '/catalogue/x', token => 'alice-token',
                       headers => ['X-Visitor: anonymous'] },
          answers => { 'alice-token' => { jwt => { sub => 'alice' } } }, status => 200,
          api => [{ authorization => 'Bearer <jwt>', x_visitor => 'active' }] },
        { name => 'optional: a bad token', request => { port => 80, path => '/catalogue/x', token => 'gone-token' },
          status => 401, challenge => { realm => 'api', error => 'invalid_token' } },
        { name => 'optional: a malformed token',
          request => { port => 80, path => '/catalogue/x', headers => ['Authorization: Bearer a b'] }, as => 0,
          status => 401, challenge => { realm => 'api', error => 'invalid_token' } },
        { name => 'optional: another scheme',
          request => { port => 80, path => '/catalogue/x', headers => ['Authorization: Basic eA=='] }, as => 0,
          status => 200, api => [{ authorization => undef, x_visitor => 'anonymous' }] },
        { name => 'optional: not for orders',
          request => { port => 80, path => '/catalogue/orders/', headers => [$forged] }, as => 0, status => 401,
          challenge => { realm => 'api' } },
        { name => 'optional: orders, with a token',
          request => { port => 80, path => '/catalogue/orders/', token => 'alice-token' }, status => 200,
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'optional: the AS is down for those with a token',
          request => { port => 80, path => '/catalogue/x', token => 'error-token' },
          answers => { 'error-token' => { status => 500 } }, status => 502 },
        { name => 'optional: visitors are served',
          request => { port => 80, path => '/catalogue/x' }, as => 0, status => 200 },
    );
}

# --- more parameters for the AS --------------------------------------------------------------------------------------

{
    my $gateway = gateway(config => recipe('More parameters for the authorization server'));
    my $asked   =
        'token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token&resource=https%3A%2F%2Forders.example.com&tenant=acme';
    cases($gateway,
        { name => 'more parameters', request => {
            port => 80, method => 'POST', path => '/orders/', token => 'a+b/c==', body => 'token=evil&tenant=evil',
            headers => ['Content-Type: application/x-www-form-urlencoded']
        }, answers => { 'a+b/c==' => { jwt => { sub => 'alice' } } }, status => 200,
          as => [{ method => 'POST', body => $asked, content_length => length $asked,
                   content_type => 'application/x-www-form-urlencoded', accept => 'application/jwt' }],
          api => [{ body => 'token=evil&tenant=evil', authorization => 'Bearer <jwt>' }] },
        { name => 'more parameters: a chunked body of the client',
          request => { port => 80, method => 'POST',
                       path => '/orders/', token => 'a+b/c==', chunked => ['abc', 'def'] },
          status => 200, as => [{ body => $asked }], api => [{ body => 'abcdef' }] },
        { name => 'more parameters: inactive',
          request => { port => 80, path => '/orders/', token => 'gone-token' }, status => 401 },
    );
}

# --- purging one token -----------------------------------------------------------------------------------------------

SKIP: {
    skip 'purging: the module cache-purge is there for Debian\'s nginx alone, and NGINX_BINARY names another', 1
        if $ENV{NGINX_BINARY};
    my $heading = 'Purging one token';
    my $gateway = gateway(config => recipe($heading));
    my $as      = $gateway->as;
    my %api     = (port => 80, path => '/api/');
    my $answer  = sub { my ($who) = @_; return { jwt => { sub => $who }, headers => ['Cache-Control: no-store'] } };
    $as->answers('alice-token' => $answer->('alice'), 'bob-token' => $answer->('bob'));
    cases($gateway,
        (map {
            my $who = $_;
            map {
                { name => "purging: $who, $_", request => { %api, token => "$who-token" }, status => 200, cache => $_ }
            } 'MISS', 'HIT'
        } 'alice', 'bob'),
        { name => 'purging: a token that nobody has cached',
          request => { port => 80, path => '/_purge', token => 'other-token' }, as => 0, status => 404 },
        { name => 'purging: no token', request => { port => 80, path => '/_purge' }, as => 0, status => 404 },
        { name => 'purging: alice', request => { port => 80, path => '/_purge', token => 'alice-token' }, as => 0,
          api => 0, status => 200, body => qr/purge/i },
        { name => 'purging: bob is still there',
          request => { %api, token => 'bob-token' }, as => 0, status => 200, cache => 'HIT' },
        { name => 'purging: the AS has revoked alice', request => { %api, token => 'alice-token' },
          answers => { 'alice-token' => { status => 204 } }, as => 1, status => 401, outcome => 'inactive' },
        { name => 'purging: twice is once',
          request => { port => 80, path => '/_purge', token => 'alice-token' }, as => 0, status => 404 },
    );
    my $closed = gateway(config => recipe($heading, replace => ['allow 127.0.0.1;' => 'allow 192.0.2.1;']));
    cases($closed,
        { name => 'purging: not for everybody, a token in use', request => { %api, token => 'alice-token' },
          answers => { 'alice-token' => $answer->('alice') }, status => 200, cache => 'MISS' },
        { name => 'purging: not for everybody', request => { port => 80, path => '/_purge', token => 'alice-token' },
          refusal => 'any', as => 0, api => [], status => 403, announce => qr/access forbidden by rule/ },
        { name => 'purging: not for everybody, it is still there',
          request => { %api, token => 'alice-token' }, as => 0, status => 200, cache => 'HIT' },
    );
}

# --- token revocation ------------------------------------------------------------------------------------------------

SKIP: {
    skip 'token revocation: njs is there for Debian\'s nginx alone, and NGINX_BINARY names another', 1
        if $ENV{NGINX_BINARY};
    my $heading = 'Token revocation';
    my $gateway = gateway(config => recipe($heading));
    my %api     = (port => 80, path => '/api/');
    my $used    = sub {
        my ($user) = @_;
        return map {
            { name => "revocation: $user, $_", request => { %api, token => "$user-token" }, status => 200, cache => $_ }
        } qw(MISS HIT);
    };
    my $revoke = sub {
        my ($name, $answer, $body, %more) = @_;
        my $form = 'Content-Type: application/x-www-form-urlencoded';
        return {
            name => "revocation: $name", status => $answer->{status},
            answers => { '/oauth/v2/oauth-revoke' => $answer },
            request => { port => 80, path => '/oauth/revoke', method => 'POST', body => $body,
                         headers => [$form, 'Authorization: Basic YXBwOnM='] },
            refusal => 'nginx', api => [], %more
        };
    };
    my $refused = {
        name => 'revocation: the token is refused at once', request => { %api, token => 'alice-token' }, as => 0,
        status => 401, outcome => 'revoked', challenge => { realm => 'api', error => 'invalid_token' }
    };
    $gateway->as->answers(
        map { ("$_-token" => { jwt => { sub => $_ }, headers => $max_age }) } qw(alice bob)
    );
    cases($gateway, $used->('alice'), $used->('bob'));
    # From here on the authorization server answers by path.
    $gateway->as->answers('alice-token' => undef, 'bob-token' => undef);
    my $form = 'token=alice-token&token_type_hint=access_token';
    cases($gateway,
        $revoke->('the AS refuses the client', { status => 401, body => 'no', headers => ['WWW-Authenticate: Basic'] },
            $form, headers => { 'WWW-Authenticate' => 'Basic' }, refusal => 'any'),
        { name => 'revocation: so the token goes on', request => { %api, token => 'alice-token' }, as => 0,
          status => 200, cache => 'HIT' },
        $revoke->('the AS accepts it', { status => 200, headers => ['Cache-Control: no-store'] }, $form, body => '',
            headers => { 'Cache-Control' => 'no-store' },
            as => [{ uri => '/oauth/v2/oauth-revoke', body => $form, authorization => 'Basic YXBwOnM=' }]),
        $refused,
        $revoke->('the form is the AS\'s alone', { status => 200 }, 'sub=bob', status => 400, as => 0),
        $revoke->('one token at a time', { status => 200 }, 'token=bob-token&token=x', status => 400, as => 0),
        { name => 'revocation: another token goes on', request => { %api, token => 'bob-token' }, as => 0,
          status => 200, cache => 'HIT' },
        (map {
            { name => "revocation: no client comes to $_", request => { port => 80, path => $_, method => 'POST',
              body => 'sub=bob', headers => ['Content-Type: application/x-www-form-urlencoded'] }, status => 404,
              as => 0, api => 0 }
        } '/_gateway/this', '/_authorization_server'),
    );
}

# --- limits by token -------------------------------------------------------------------------------------------------

{
    # So low that the test need not hurry.
    my $heading = 'Limits by token';
    my $gateway = gateway(
        config => recipe($heading, replace => ['rate=10r/s' => 'rate=1r/m', 'burst=20' => 'burst=2',
                                               'rate=50r/s' => 'rate=500r/s', 'burst=100' => 'burst=500'])
    );
    $gateway->announce(qr/limiting requests/);
    $gateway->as->answers(
        'alice-1-token' => { jwt => { sub => 'alice' } }, 'alice-2-token' => { jwt => { sub => 'alice' } }
    );
    my $statuses = sub {
        my (@tokens) = @_;
        return join ' ', map { $gateway->get('/api/', port => 80, defined $_ ? (token => $_) : ())->status } @tokens;
    };
    is $statuses->(('alice-1-token') x 5), '200 200 200 429 429', 'limits by token: one and a burst of 2, then 429';
    is $statuses->(('alice-2-token') x 4), '200 200 200 429',
        'limits by token: another token has its own, even of the same user';
    is $statuses->((undef) x 6), join(' ', ('401') x 6), 'limits by token: without a token nothing is counted';
    is $statuses->(('gone-token') x 4), '401 401 401 429', 'limits by token: a bad token is counted too';
    is $statuses->(map { "gone-$_-token" } 1 .. 8), join(' ', ('401') x 8),
        'limits by token: a new one for each request is not limited';

    # That is for the second zone.
    my $by_address = gateway(
        config => recipe($heading, replace => ['rate=50r/s' => 'rate=1r/m', 'burst=100' => 'burst=2'])
    );
    $by_address->announce(qr/limiting requests/);
    is join(' ', map { $by_address->get('/api/', port => 80, token => "gone-$_-token")->status } 1 .. 5),
        '401 401 401 429 429', 'limits by token: but by the address';
}

# --- nothing on the page is without a test ---------------------------------------------------------------------------

for my $heading (sort keys %recipes) {
    ok $tested{"$heading $_"} || ($heading =~ /^(?:Purging one token|Token revocation)$/ && $ENV{NGINX_BINARY}),
        "\"$heading\", configuration $_, is tested" for 0 .. $#{ $recipes{$heading} };
}

done_testing;
