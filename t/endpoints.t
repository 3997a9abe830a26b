# Endpoints with variables: a map that chooses among several AS; their answers never mix; what nginx -t warns of.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $exchanged = 'urn:ietf:params:oauth:token-type:jwt';

sub issued {
    my ($claims) = @_;
    return { json => { access_token => jwt($claims), issued_token_type => $exchanged, token_type => 'Bearer' } };
}

# A file with a secret, readable as the mode says.
my $files = temporary_folder();

sub secret_file {
    my ($name, $mode) = @_;
    open my $out, '>', "$files/$name" or die "$name: $!";
    print {$out} "a-secret\n";
    close $out or die "$name: $!";
    chmod $mode, "$files/$name";
    return "$files/$name";
}

# --- a map among several AS ------------------------------------------------------------------------------------------

my ($one, $two) = (authorization_server(), authorization_server());
my @keys = map { rsa_key("key-$_") } 1, 2;

my $gateway = gateway(
    servers => { ONE => $one, TWO => $two, FASTCGI => api(protocol => 'fastcgi') },
    log     => { key => 'phantom_token_key', sub => 'phantom_token_sub' },
    http    => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        proxy_cache_path %%DIR%%/alone keys_zone=alone:1m;
        proxy_cache_path %%DIR%%/hosts keys_zone=hosts:1m;
        proxy_cache_path %%DIR%%/bodies keys_zone=bodies:1m;
        proxy_cache_path %%DIR%%/key keys_zone=key:1m;
        proxy_cache_path %%DIR%%/varied keys_zone=varied:1m;
        fastcgi_cache_path %%DIR%%/fastcgi keys_zone=fastcgi:1m;
        proxy_cache_path %%DIR%%/half keys_zone=half:1m;
        proxy_cache_path %%DIR%%/short-key keys_zone=short_key:1m;
        proxy_cache_path %%DIR%%/short-path keys_zone=short_path:1m;
        upstream a { server %%ONE%%; }
        upstream b { server %%TWO%%; }
        map $host $short_name { one.example a; default b; }
        phantom_token_hot_cache zone=hot:1m valid=1h;
        proxy_cache_methods POST;
        proxy_cache_valid 200 1h;
        map $host $tenant { one.example one; two.example two; }
        map $host $endpoint { one.example /_one; two.example /_two; nowhere.example nowhere; public.example /public;
                              named.example @as; nobody.example /_nobody; noslash.example as-one;
                              arguments.example /_one?tenant=7; }
        map $http_authorization $by_token { volatile; "~* first-" /_one; default /_two; }
        map $uri $by_uri { volatile; default /_two; /uri/first /_one; }
        map $uri $kept_by_uri { default /_two; /kept/first /_one; }
        map $host $address { one.example %%ONE%%; default %%TWO%%; }
END
    server_name => '_',
    server      => 'phantom_token on;',
    locations   => <<'END',
        location / { phantom_token_introspection_endpoint $endpoint; proxy_pass http://%%API%%; }
        location /parts { phantom_token_introspection_endpoint /_$tenant; proxy_pass http://%%API%%; }
        location /exchange { phantom_token_exchange_endpoint $endpoint; proxy_pass http://%%API%%; }
        location /own { phantom_token_inbound_jwt verify; phantom_token_audience api;
                        phantom_token_jwks_endpoint /_jwks/$tenant; proxy_pass http://%%API%%; }
        location /verified { phantom_token_introspection_endpoint $endpoint; phantom_token_verify_jwt on;
                             phantom_token_jwks_endpoint /_jwks/$tenant; proxy_pass http://%%API%%; }
        location = /first { phantom_token_introspection_endpoint /_one; try_files /nonexistent /second; }
        location = /second { phantom_token_introspection_endpoint /_two; proxy_pass http://%%API%%; }
        location = /token/first { phantom_token_introspection_endpoint $by_token;
                                  try_files /nonexistent /token/second; }
        location = /token/second { phantom_token_introspection_endpoint $by_token; proxy_pass http://%%API%%; }
        location = /token/keys { phantom_token_introspection_endpoint /_one;
                                 try_files /nonexistent /token/keys/second; }
        location = /token/keys/second { phantom_token_introspection_endpoint /_one; phantom_token_verify_jwt on;
                                        phantom_token_jwks_endpoint /_jwks$by_token; proxy_pass http://%%API%%; }
        location = /_jwks/_one { internal; proxy_pass http://%%ONE%%/jwks; }
        location = /_jwks/_two { internal; proxy_pass http://%%TWO%%/jwks; }
        location = /uri/first { phantom_token_introspection_endpoint $by_uri; try_files /nonexistent /uri/second; }
        location = /uri/second { phantom_token_introspection_endpoint $by_uri; proxy_pass http://%%API%%; }
        location = /kept/first { phantom_token_introspection_endpoint $kept_by_uri;
                                 try_files /nonexistent /kept/second; }
        location = /kept/second { phantom_token_introspection_endpoint $kept_by_uri; proxy_pass http://%%API%%; }
        location /header { phantom_token_introspection_endpoint /_$http_x_as; proxy_pass http://%%API%%; }

        location = /_one { internal; proxy_cache tokens; proxy_cache_key $phantom_token_key;
                           proxy_pass http://%%ONE%%/introspect; }
        location = /_two { internal; proxy_cache tokens; proxy_cache_key $phantom_token_key;
                           proxy_pass http://%%TWO%%/introspect; }
        location = /_nobody { internal; return 204; }
        location /nobody { phantom_token_exchange_endpoint /_no_exchange; proxy_pass http://%%API%%; }
        location = /_no_exchange { internal; default_type application/json; return 400 '{"error":"invalid_grant"}'; }
        location as-one { proxy_pass http://%%ONE%%/noslash; }
        location /public { phantom_token off; proxy_pass http://%%ONE%%/public; }
        location @as { phantom_token off; proxy_pass http://%%ONE%%; }
        location = /_jwks/one { internal; proxy_cache tokens; proxy_cache_methods GET; proxy_pass http://%%ONE%%/jwks; }
        location = /_jwks/two { internal; proxy_cache tokens; proxy_cache_methods GET; proxy_pass http://%%TWO%%/jwks; }

        location /chosen/body { phantom_token_introspection_endpoint /_body; proxy_pass http://%%API%%; }
        location = /_body { internal; proxy_cache bodies; proxy_cache_key $request_body;
                            proxy_pass http://$address/introspect; }
        location /chosen/host { phantom_token_introspection_endpoint /_host; proxy_pass http://%%API%%; }
        location = /_host { internal; proxy_cache hosts; proxy_cache_key $proxy_host$request_body;
                            proxy_pass http://$address/introspect; }
        location /chosen/key-and-host { phantom_token_introspection_endpoint /_key_and_host;
                                        proxy_pass http://%%API%%; }
        location = /_key_and_host { internal; proxy_cache alone; proxy_cache_key $proxy_host$phantom_token_key;
                                    proxy_pass http://$address/introspect; }
        location /chosen/key { phantom_token_introspection_endpoint /_key; proxy_pass http://%%API%%; }
        location = /_key { internal; proxy_cache key; proxy_cache_key $phantom_token_key;
                           proxy_pass http://$address/introspect; }
        location /chosen/short-name { phantom_token_introspection_endpoint /_short_name; proxy_pass http://%%API%%; }
        location = /_short_name { internal; proxy_cache short_key; proxy_cache_key "$phantom_token_key";
                                  proxy_pass http://$short_name/introspect; }
        location /chosen/short-name/path { phantom_token_introspection_endpoint /_a/b; proxy_pass http://%%API%%; }
        location = /_a/b { internal; proxy_cache short_path; proxy_cache_key "$uri$request_body";
                           proxy_pass http://$short_name/introspect; }
        location /chosen/short-name/named { phantom_token_introspection_endpoint /_short_named;
                                            proxy_pass http://%%API%%; }
        location = /_short_named { internal; proxy_cache short_key; proxy_cache_key "$proxy_host$phantom_token_key";
                                   proxy_pass http://$short_name/introspect; }
        location /chosen/varied { phantom_token_introspection_endpoint /_varied?$host; proxy_pass http://%%API%%; }
        location /chosen/hot { phantom_token_introspection_endpoint /_varied?$host; phantom_token_hot_cache hot;
                               proxy_pass http://%%API%%; }
        location = /_varied { internal; proxy_cache varied; proxy_cache_key $phantom_token_key;
                              proxy_pass http://$address/introspect; }
        location /chosen/half-varied { phantom_token_introspection_endpoint /_half?$host; proxy_pass http://%%API%%; }
        location = /_half { internal; proxy_cache half; proxy_cache_key $request_body;
                            proxy_pass http://$address/introspect; }
        location /chosen/fastcgi { phantom_token_introspection_endpoint /_fastcgi; proxy_pass http://%%API%%; }
        location = /_fastcgi { internal; fastcgi_cache fastcgi; fastcgi_cache_methods POST; fastcgi_cache_valid 200 1m;
                               fastcgi_cache_key $phantom_token_key; include /etc/nginx/fastcgi_params;
                               set $fastcgi %%FASTCGI%%; fastcgi_pass $fastcgi; }
        location /chosen/keys { phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_chosen_keys;
                                phantom_token_audience api; proxy_pass http://%%API%%; }
        location /chosen/varied-keys { phantom_token_inbound_jwt verify;
                                       phantom_token_jwks_endpoint /_chosen_keys?$host; phantom_token_audience api;
                                       proxy_pass http://%%API%%; }
        location = /_chosen_keys { internal; proxy_pass http://$address/jwks; }
        location /chosen/plain { phantom_token_introspection_endpoint /_plain; proxy_pass http://%%API%%; }
        location = /_plain { internal; proxy_pass http://$address/introspect; }
END
);
$one->answers('alice-token' => { jwt => { sub => 'alice-at-one' } }, '/jwks' => { json => jwks($keys[0]) },
    'noslash-token' => { json => { active => true, jwt => jwt({ sub => 'noslash' }) } });
$two->answers('alice-token' => { jwt => { sub => 'alice-at-two' } }, '/jwks' => { json => jwks($keys[1]) });

# One request, and how many each AS saw.
sub ask {
    my ($name, $host, $path, %expected) = @_;
    my $token = delete $expected{token} // 'alice-token';
    my ($saw_one, $saw_two) = @{ delete $expected{saw} // [] };
    $_->forget_requests for $one, $two;
    cases(
        $gateway,
        { name => $name,
          request => { path => $path, host => $host, token => $token, headers => delete $expected{headers} // [] },
          ($expected{status} // 200) == 200 ? (api => 1) : (), status => 200, %expected }
    );
    is scalar @{ [$one->requests] }, $saw_one, "$name: the first AS saw $saw_one" if defined $saw_one;
    is scalar @{ [$two->requests] }, $saw_two, "$name: the second AS saw $saw_two" if defined $saw_two;
    return;
}

my %at_one = (logged => { sub => 'alice-at-one' });
my %at_two = (logged => { sub => 'alice-at-two' });

for my $path ('/', '/parts') {
    my ($first, $again) = $path eq '/' ? (1, 'MISS') : (0, 'HIT'); # the same endpoint: the same entry
    ask("introspection by a map: the first AS ($path)", 'one.example', $path, %at_one, saw => [$first, 0],
        cache => $again);
    ask("introspection by a map: the second AS, the same token, the same zone ($path)", 'two.example', $path, %at_two,
        saw => [0, $first], cache => $again);
    ask("introspection by a map: the first AS, cached ($path)", 'one.example', $path, %at_one, saw => [0, 0],
        cache => 'HIT');
    ask("introspection by a map: the second AS, cached ($path)", 'two.example', $path, %at_two, saw => [0, 0],
        cache => 'HIT');
}
ask('introspection by a map: a location without a slash', 'noslash.example', '/', logged => { sub => 'noslash' },
    token => 'noslash-token', saw => [1, 0]);
$one->answers('alice-token' => issued({ sub => 'alice-at-one-exchanged' }));
$two->answers('alice-token' => issued({ sub => 'alice-at-two-exchanged' }));
ask('exchange by a map: the first AS; introspection\'s entry is none', 'one.example', '/exchange',
    logged => { sub => 'alice-at-one-exchanged' }, saw => [1, 0], cache => 'MISS');
ask('exchange by a map: the second AS', 'two.example', '/exchange', logged => { sub => 'alice-at-two-exchanged' },
    saw => [0, 1], cache => 'MISS');
ask('exchange by a map: the first AS, cached', 'one.example', '/exchange',
    logged => { sub => 'alice-at-one-exchanged' }, saw => [0, 0], cache => 'HIT');
ask('exchange by a map: introspection is still introspection', 'one.example', '/', %at_one, saw => [0, 0],
    cache => 'HIT');

my @own = map { jwt({ aud => 'api', sub => "own-$_" }, key => $keys[$_]) } 0, 1;
ask('JWKS by a map: the first AS\'s key at the first', 'one.example', '/own', token => $own[0],
    logged => { sub => 'own-0' }, saw => [1, 0]);
ask('JWKS by a map: the second AS\'s key at the second', 'two.example', '/own', token => $own[1],
    logged => { sub => 'own-1' }, saw => [0, 1]);
ask('JWKS by a map: the first AS\'s key at the second', 'two.example', '/own', token => $own[0], status => 401,
    outcome => 'signature', saw => [0, 0]);
ask('JWKS by a map: the second AS\'s key at the first', 'one.example', '/own', token => $own[1], status => 401,
    outcome => 'signature', saw => [0, 0]);
$one->answers('signed-token' => { jwt => $own[0] }, 'foreign-token' => { jwt => $own[1] });
ask('JWKS by a map, verify_jwt: the AS\'s own key', 'one.example', '/verified', token => 'signed-token',
    logged => { sub => 'own-0' });
ask('JWKS by a map, verify_jwt: another AS\'s key', 'one.example', '/verified', token => 'foreign-token', status => 502,
    outcome => 'signature');

$one->answers('moved-token' => { jwt => { sub => 'moved-one' } });
$two->answers('moved-token' => { jwt => { sub => 'moved-two' } });
ask('redirect to a location with another AS: that one is asked, with the original token', 'one.example', '/first',
    token => 'moved-token', logged => { sub => 'moved-two' }, saw => [1, 1]);
is +($two->requests)[0]->{body}, 'token=moved-token&token_type_hint=access_token',
    'redirect to a location with another AS: the original token';
$two->answers('half-token' => { status => 204 });
$one->answers('half-token' => { jwt => { sub => 'half' } });
ask('redirect to a location with another AS: which says no', 'one.example', '/first', token => 'half-token',
    status => 401, outcome => 'inactive', saw => [1, 1], logged => { sub => '' });

# A map over $http_authorization sees what the client has sent, though the header holds a JWT after the first location.
$one->answers('first-token' => { jwt => { sub => 'first-one' } }, 'uri-token' => { jwt => { sub => 'uri-one' } },
    'kept-token' => { jwt => { sub => 'kept-one' } }, 'first-signed-token' => { jwt => $own[0] });
$two->answers('first-token' => { jwt => { sub => 'first-two' } }, 'uri-token' => { jwt => { sub => 'uri-two' } },
    'kept-token' => { jwt => { sub => 'kept-two' } });
ask('redirect, a map over $http_authorization: the same AS, asked once', 'one.example', '/token/first',
    token => 'first-token', logged => { sub => 'first-one' }, saw => [1, 0]);
ask('redirect, a map over $http_authorization: the same JWKS', 'one.example', '/token/keys',
    token => 'first-signed-token', logged => { sub => 'own-0' }, saw => [2, 0]);
ask('redirect, a volatile map over $uri: each location its AS', 'one.example', '/uri/first', token => 'uri-token',
    logged => { sub => 'uri-two' }, saw => [1, 1]);
ask('redirect, a map over $uri that is not volatile: the first one\'s, as nginx -t warns', 'one.example', '/kept/first',
    token => 'kept-token', logged => { sub => 'kept-one' }, saw => [1, 0]);

# --- an endpoint that evaluates to nothing, or to where nobody answers -----------------------------------------------

my %lost = (status => 500, outcome => 'misconfigured', saw => [0, 0]);
for my $way (['introspection', '/'], ['exchange', '/exchange']) {
    my ($what, $path) = @{$way};
    ask("$what endpoint: nothing: 500 misconfigured", 'other.example', $path, %lost,
        log => qr/\[error\].*phantom token: misconfigured: .*"default" to the map/);
    ask("$what endpoint: a missing location: 500 misconfigured", 'nowhere.example', $path, %lost,
        log => qr/\[error\].*phantom token: misconfigured: .*no location matches/);
    ask("$what endpoint: a location that is not internal: 500 misconfigured", 'public.example', $path, %lost,
        log => qr/\[error\].*phantom token: misconfigured: .*add "internal;"/);
    ask("$what endpoint: a named location: 500 misconfigured", 'named.example', $path, %lost,
        log => qr/\[error\].*phantom token: misconfigured/);
}
ask('introspection endpoint: a default that knows no token', 'nobody.example', '/', status => 401,
    outcome => 'inactive', saw => [0, 0], no_log => qr/\[error\]/);
ask('exchange endpoint: a location that knows no token', 'nobody.example', '/nobody', status => 401,
    outcome => 'inactive', saw => [0, 0], no_log => qr/\[error\]/);
ask('introspection endpoint: arguments', 'arguments.example', '/', token => 'half-token', logged => { sub => 'half' },
    saw => [1, 0]);
is +($one->requests)[0]->{uri}, '/introspect?tenant=7', 'introspection endpoint: arguments arrive';
ask('introspection endpoint: a client\'s header that leads nowhere', 'one.example', '/header', %lost,
    headers => ['X-AS: one/../../public']);
ask('introspection endpoint: a client\'s header with arguments', 'one.example', '/header',
    headers => ['X-AS: one?a=b&token=evil-token%0d'], token => 'half-token', logged => { sub => 'half' });
ask('introspection endpoint: a client\'s header that is empty', 'one.example', '/header', %lost);

# --- proxy_pass with variables: the AS is chosen after the key -------------------------------------------------------

$one->answers('alice-token' => { jwt => { sub => 'alice-at-one' } });
$two->answers('alice-token' => { jwt => { sub => 'alice-at-two' } });
ask(
    'proxy_pass with variables: a body-only key is refused', 'one.example', '/chosen/body',
    status => 500, outcome => 'misconfigured',
    log => qr/\[error\].*misconfigured: .*proxy_cache_key \$proxy_host\$phantom_token_key;.*\/chosen\/body/
);
ask('proxy_pass with variables: a body-only key is refused, cached', 'one.example', '/chosen/body', status => 500,
    outcome => 'misconfigured');
ask('proxy_pass with variables: a body-only key is refused, the other AS', 'two.example', '/chosen/body', status => 500,
    outcome => 'misconfigured');
ask('proxy_pass with variables: $proxy_host and the body: the first AS', 'one.example', '/chosen/host', %at_one,
    saw => [1, 0], cache => 'MISS');
ask('proxy_pass with variables: $proxy_host and the body: the second AS', 'two.example', '/chosen/host', %at_two,
    saw => [0, 1], cache => 'MISS');
ask('proxy_pass with variables: $proxy_host and the body: the first AS, cached', 'one.example', '/chosen/host', %at_one,
    saw => [0, 0], cache => 'HIT');
my $key_of_both = qr/proxy_cache_key \$proxy_host\$phantom_token_key;/;
my $both_ways   = qr/\[error\].*misconfigured: .*variables choose the server .*endpoint's URI.*$key_of_both/;
for my $host ('one.example', 'two.example', 'one.example') {
    my %refused = (status => 500, outcome => 'misconfigured', log => $both_ways);
    ask("proxy_pass with variables: \$phantom_token_key, and an endpoint without ($host)", $host, '/chosen/key',
        %refused);
    ask("proxy_pass with variables: the body, which has no endpoint in it ($host)", $host, '/chosen/half-varied',
        %refused);
    ask("fastcgi_pass with variables: \$phantom_token_key, and an endpoint without ($host)", $host, '/chosen/fastcgi',
        %refused);
}
# Upstreams whose names are hexadecimal digits: they stand in $phantom_token_key by chance, and in a path.
for my $host ('one.example', 'two.example', 'one.example') {
    ask("proxy_pass with variables: an upstream's name within \$phantom_token_key ($host)", $host, '/chosen/short-name',
        status => 500, outcome => 'misconfigured', log => $both_ways);
}
ask('proxy_pass with variables: an upstream\'s name within a path: asked itself', 'one.example',
    '/chosen/short-name/path', %at_one, saw => [1, 0], cache => 'MISS');
ask('proxy_pass with variables: an upstream\'s name within a path: not out of the cache', 'two.example',
    '/chosen/short-name/path', status => 500, outcome => 'misconfigured', saw => [0, 0], log => $both_ways);
ask('proxy_pass with variables: an upstream\'s name by $proxy_host: the first AS', 'one.example',
    '/chosen/short-name/named', %at_one, saw => [1, 0], cache => 'MISS');
ask('proxy_pass with variables: an upstream\'s name by $proxy_host: the second AS', 'two.example',
    '/chosen/short-name/named', %at_two, saw => [0, 1], cache => 'MISS');
ask('proxy_pass with variables: an upstream\'s name by $proxy_host: the first AS, cached', 'one.example',
    '/chosen/short-name/named', %at_one, saw => [0, 0], cache => 'HIT');
ask('proxy_pass with variables: an endpoint with variables: the first AS', 'one.example', '/chosen/varied', %at_one,
    saw => [1, 0], cache => 'MISS');
ask('proxy_pass with variables: an endpoint with variables: the second AS', 'two.example', '/chosen/varied', %at_two,
    saw => [0, 1], cache => 'MISS');
ask('proxy_pass with variables: an endpoint with variables: the first AS, cached', 'one.example', '/chosen/varied',
    %at_one, saw => [0, 0], cache => 'HIT');
for my $cache ('HIT', 'HOT') {
    ask("proxy_pass with variables: an endpoint with variables: the first AS, $cache", 'one.example', '/chosen/hot',
        %at_one, saw => [0, 0], cache => $cache);
    ask("proxy_pass with variables: an endpoint with variables: the second AS, $cache", 'two.example', '/chosen/hot',
        %at_two, saw => [0, 0], cache => $cache);
}
my $one_for_all = qr{misconfigured: .*one JWK Set is kept for all of them.*"phantom_token_jwks_endpoint".*/chosen/keys};
ask("proxy_pass with variables: a JWKS endpoint without: 500 ($_)", $_, '/chosen/keys', token => $own[0], status => 500,
    outcome => 'misconfigured', log => qr/\[error\].*$one_for_all/)
    for 'one.example', 'two.example';
for my $n (0, 1) {
    my ($host, $elsewhere) = $n ? ('two.example', 'one.example') : ('one.example', 'two.example');
    ask("proxy_pass with variables: a JWKS endpoint with: a key of $host", $host, '/chosen/varied-keys',
        token => $own[$n], logged => { sub => "own-$n" });
    ask("proxy_pass with variables: a JWKS endpoint with: a key of $host at $elsewhere", $elsewhere,
        '/chosen/varied-keys', token => $own[$n], status => 401, outcome => 'signature');
}
ask('proxy_pass with variables: no cache: the first AS', 'one.example', '/chosen/plain', %at_one, saw => [1, 0],
    cache => '');
ask('proxy_pass with variables: no cache: the second AS', 'two.example', '/chosen/plain', %at_two, saw => [0, 1],
    cache => '');

# $phantom_token_key knows the endpoint, not what proxy_pass makes of it: whoever chooses there adds $proxy_host.
{
    my $first  = $gateway->logged($gateway->get('/chosen/key-and-host', token => 'alice-token', host => 'one.example'));
    my $second = $gateway->logged($gateway->get('/chosen/key-and-host', token => 'alice-token', host => 'two.example'));
    is "$first->{sub} $second->{sub}", 'alice-at-one alice-at-two',
        'proxy_pass with variables: $phantom_token_key and $proxy_host: each its own';
}

# --- another AS behind the same location -----------------------------------------------------------------------------

# A reload does not end what is cached: neither proxy_cache's entries nor hot copies know the server behind proxy_pass.
{
    my $parts = sub {
        my ($server, %with) = @_;
        my ($endpoint, $zone, $key) = (
            $with{endpoint} // '/_introspect', $with{zone} // 'first', $with{key} // '$phantom_token_key'
        );
        return locations => <<"END";
            location / { phantom_token on; phantom_token_introspection_endpoint $endpoint; proxy_pass http://%%API%%; }
            location /hot { phantom_token on; phantom_token_introspection_endpoint $endpoint;
                            phantom_token_hot_cache hot; proxy_pass http://%%API%%; }
            location = $endpoint { internal; proxy_cache $zone; proxy_cache_key $key;
                                   proxy_pass http://%%$server%%/introspect; }
END
    };
    my $moved = gateway(
        servers => { ONE => $one, TWO => $two }, log => { sub => 'phantom_token_sub', cache => 'phantom_token_cache' },
        http    => join(
            "\n", 'phantom_token_hot_cache zone=hot:1m valid=1h; proxy_cache_methods POST; proxy_cache_valid 200 1h;',
            map { "proxy_cache_path %%DIR%%/$_ keys_zone=$_:1m;" } qw(first second)
        ),
        $parts->('ONE'));
    my $seen = sub {
        my $line = $moved->logged($moved->get($_[0] // '/', token => 'alice-token'));
        return "$line->{sub} $line->{cache}";
    };
    is $seen->(), 'alice-at-one MISS', 'another AS: the first one';
    is $seen->('/hot'), "alice-at-one $_", "another AS: the first one, $_" for 'HIT', 'HOT';
    is $moved->reload($parts->('TWO')), '', 'another AS: reload';
    is $seen->(), 'alice-at-one HIT', 'another AS: the old entries serve on';
    is $seen->('/hot'), 'alice-at-one HOT', 'another AS: and the hot copies';
    # What docs/operation.md names; each begins where the first AS is.
    is $moved->reload($parts->('TWO', endpoint => '/_introspect_2')), '', 'another AS, another endpoint: reload';
    is $seen->('/hot'), "alice-at-two $_", "another AS, another endpoint: $_" for 'MISS', 'HOT';
    is $moved->reload($parts->('TWO', zone => 'second')), '', 'another AS, another zone: reload';
    is $seen->(), "alice-at-two $_", "another AS, another zone: $_" for 'MISS', 'HIT';
    is $moved->reload($parts->('TWO', key => '2$phantom_token_key')), '', 'another AS, another key: reload';
    is $seen->(), "alice-at-two $_", "another AS, another key: $_" for 'MISS', 'HIT';
}

# --- the key ---------------------------------------------------------------------------------------------------------

{
    my @nodes = map {
        my $file = secret_file("secret-$_", oct(600));
        gateway(
            log => { key => 'phantom_token_key' },
            server_name => 'api.example.com', http => "proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;\nserver { "
                . "listen 127.0.0.1:%%PORT%%; server_name other.example; return 404; }",
            locations => <<"END")
            location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                         proxy_pass http://%%API%%; }
            location /with-id { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                                phantom_token_client_id gateway; phantom_token_client_secret_file $file;
                                proxy_pass http://%%API%%; }
            location /with-post { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                                  phantom_token_client_id gateway; phantom_token_client_secret_file $file;
                                  phantom_token_client_auth post; proxy_pass http://%%API%%; }
            location /exchange { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                 proxy_pass http://%%API%%; }
            location /exchange/audience { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                          phantom_token_exchange_audience a; proxy_pass http://%%API%%; }
            location /exchange/resource { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                          phantom_token_exchange_resource a; proxy_pass http://%%API%%; }
            location /exchange/scope { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                       phantom_token_exchange_scope a; proxy_pass http://%%API%%; }
            location /exchange/type { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                      phantom_token_exchange_requested_token_type a; proxy_pass http://%%API%%; }
            location /exchange/two { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                     phantom_token_exchange_audience a b; proxy_pass http://%%API%%; }
            location /exchange/one { phantom_token on; phantom_token_exchange_endpoint /_introspect;
                                     phantom_token_exchange_audience "a b"; proxy_pass http://%%API%%; }
            location /arguments { phantom_token on; phantom_token_introspection_endpoint /_introspect?a;
                                  proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                      proxy_cache_methods POST; proxy_cache_key \$phantom_token_key; }
END
    } 1, 2;
    my $keys = sub {
        my ($node, $token) = @_;
        return { map {
            $_ => $node->logged($node->get($_, token => $token, host => 'api.example.com',
                                           headers => ["X-Forwarded-For: $$"]))->{key}
        }
            qw(/ /with-id /with-post /exchange /exchange/audience /exchange/resource /exchange/scope /exchange/type
               /exchange/two /exchange/one /arguments) };
    };
    my $first = $keys->($nodes[0], 'alice-token');
    is_deeply $keys->($nodes[1], 'alice-token'), $first,
        'key: equal on two nodes with other addresses, ports and paths';
    like $_, qr/^[0-9a-f]{64}$/, 'key: hex SHA-256' for $first->{'/'};
    is $nodes[0]->reload, '', 'key: reload';
    is_deeply $keys->($nodes[0], 'alice-token'), $first, 'key: equal after a reload';
    my %distinct = map { $_ => 1 } values %{$first}, values %{ $keys->($nodes[0], 'bob-token') };
    is scalar keys %distinct, 2 * keys %{$first},
        'key: endpoint, way, client_id, client_auth, every exchange parameter and the token are parts';
    my $rules = 'phantom_token_scopes "x"; phantom_token_realm y; phantom_token_leeway 5s;';
    is $nodes[0]->reload(locations => $nodes[0]{part}{locations} =~ s/location \/ \{/location \/ { $rules/r), '',
        'key: reload with other rules';
    is_deeply $keys->($nodes[0], 'alice-token'), $first, 'key: the rules of the API\'s location are no part';
}

# Two servers of one name are told apart by their order, two of different names by the name.
{
    my $site = q{
        server {
            listen 127.0.0.1:%%PORT%s%%; server_name %s;
            location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                         proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/%s; proxy_cache tokens;
                                      proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                      proxy_cache_valid 200 1h; }
        }
    };
    my $many = gateway(
        log => { key => 'phantom_token_key', sub => 'phantom_token_sub' }, locations => '',
        http => join "\n", 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;', map {
            my $server = $site;
            $server =~ s/%s/$_/ for @{$_};
            $server
        } [':a', 'same', 'as-a'], [':b', 'same', 'as-b'], [':c', 'different', 'as-c'],
    );
    $many->as->answers(map { ("/as-$_" => { jwt => { sub => "at-$_" } }) } qw(a b c));
    my %line = map {
        my $port = $_;
        $port => [map { $many->logged($many->get('/', port => $port, token => 'same-token', host => 'same')) } 1, 2]
    } qw(a b c);
    is_deeply { map { my $port = $_; $port => [map { "$_->{sub} $_->{cache}" } @{ $line{$port} }] } keys %line },
        { map { $_ => ["at-$_ MISS", "at-$_ HIT"] } qw(a b c) },
        'key: servers in one zone never get each other\'s answers';
    my %distinct = map { $_->[0]{key} => 1 } values %line;
    is scalar keys %distinct, 3, 'key: server_name and ordinal are parts';
}

# --- nginx -t --------------------------------------------------------------------------------------------------------

my $zone = 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;';
my $key  = 'proxy_cache tokens; proxy_cache_key $phantom_token_key;';
my @nothing = (accepts => 1, warns => []);

sub location_of_as {
    my ($directives) = @_;
    return "location /api { phantom_token on; phantom_token_introspection_endpoint /_introspect; "
        . "proxy_pass http://%%API%%; }\nlocation = /_introspect { internal; $directives }";
}

my $no_post   = qr/location "\/_introspect" .*proxy_cache_methods POST/;
# Since 1.23.0 a module can tell https by its port alone.
my @any_port  = Harness::Nginx::version() < 1.023 ? (
    accepts => 1, warns => qr/location "\/_introspect" .*proxy_ssl_verify on/
) : @nothing;
# What an API's cache looks at, inherited into a location whose Authorization is the gateway's own.
my $client = 'phantom_token_client_id gateway; phantom_token_client_secret_file '
    . secret_file('client-secret', oct 600) . ';';
my $cached = "$key proxy_cache_methods POST;";
configurations(
    (map {
        my ($directive, $says) = @{$_};
        my $warns = qr/location "\/_introspect" .*$says.*"$directive" reads \$http_authorization.*add "$directive 0;"/;
        (map {
            { name => "nginx -t warns: $directive $_", http => $zone, protected => $client,
              introspection => "$cached $directive $_;", accepts => 1, warns => $warns }
        } '$http_authorization', '$arg_x $HTTP_Authorization', '"${http_authorization}"',
         '"a$cookie_b-$http_authorization"'),
        { name => "nginx -t warns: $directive, inherited", http => "$zone $directive \$http_authorization;",
          protected => $client, introspection => $cached, accepts => 1, warns => $warns },
        { name => "nginx -t warns: $directive, exchange", http => $zone,
          locations => location_of_as("proxy_pass http://%%AS%%; $cached $directive \$http_authorization;")
              =~ s/introspection_endpoint/exchange_endpoint/r =~ s/phantom_token on;/phantom_token on; $client/r,
          accepts => 1, warns => $warns },
        { name => "nginx -t: $directive, taken back", http => "$zone $directive \$http_authorization;",
          protected => $client, introspection => "$cached $directive 0;", @nothing },
        { name => "nginx -t: $directive without a cache",
          protected => $client, introspection => "$directive \$http_authorization;", @nothing },
        { name => "nginx -t: $directive without credentials",
          http => $zone, introspection => "$cached $directive \$http_authorization;", @nothing },
        { name => "nginx -t: $directive, credentials in the body",
          http => $zone, protected => "$client phantom_token_client_auth post;",
          introspection => "$cached $directive \$http_authorization;", @nothing },
        (map {
            { name => "nginx -t: $directive $_",
              http => $zone, protected => $client, introspection => "$cached $directive $_;", @nothing }
        } '$cookie_a $arg_b', '$http_authorization_x', '$http_pragma', 'http_authorization'),
    } ['proxy_cache_bypass', 'passes its cache by'], ['proxy_no_cache', 'keeps nothing']),
);
{
    my $inherits = gateway(http => "$zone proxy_cache_valid 200 1h; proxy_cache_bypass \$http_authorization;",
                           protected => $client, introspection => $cached,
        server => 'location /taken-back { phantom_token on; phantom_token_introspection_endpoint /_taken-back; '
            . 'proxy_pass http://%%API%%; } location = /_taken-back { internal; proxy_pass http://%%AS%%/; '
            . "$cached proxy_cache_bypass 0; }");
    $inherits->as->answers('alice-token' => { jwt => { sub => 'alice' } });
    for my $way (['/', 'BYPASS', 1], ['/taken-back', 'HIT', 0]) {
        my ($path, $status, $asked) = @{$way};
        $inherits->get($path, token => 'alice-token');
        cases(
            $inherits,
            { name => "proxy_cache_bypass with the gateway's own Authorization: $path",
              request => { path => $path, token => 'alice-token' }, status => 200, as => $asked, cache => $status }
        );
    }
}

my $no_verify = qr/location "\/_introspect" .*proxy_ssl_verify on/;
configurations(
    { name => 'nginx -t warns: proxy_cache without proxy_cache_methods POST',
      http => $zone, introspection => $key, accepts => 1, warns => $no_post },
    { name => 'nginx -t warns: proxy_cache inherited without proxy_cache_methods POST',
      http => "$zone $key", server => '', accepts => 1, warns => $no_post },
    { name => 'nginx -t warns: exchange, proxy_cache without proxy_cache_methods POST', http => $zone,
      locations => location_of_as("proxy_pass http://%%AS%%; $key") =~ s/introspection_endpoint/exchange_endpoint/r,
      accepts => 1, warns => $no_post },
    { name => 'nginx -t warns: proxy_cache_methods without POST',
      http => $zone, introspection => "$key proxy_cache_methods GET HEAD;", accepts => 1, warns => $no_post },
    { name => 'nginx -t: proxy_cache_methods POST',
      http => $zone, introspection => "$key proxy_cache_methods POST;", @nothing },
    { name => 'nginx -t: proxy_cache_methods POST inherited',
      http => "$zone proxy_cache_methods POST;", introspection => $key, @nothing },
    { name => 'nginx -t: no cache', @nothing },
    { name => 'nginx -t: proxy_cache off', http => $zone, introspection => 'proxy_cache off;', @nothing },
    { name => 'nginx -t: the API\'s cache needs no POST', http => $zone, protected => 'proxy_cache tokens;',
      introspection => '', accepts => 1, warns => qr/location "\/" is protected and keeps responses in a cache/ },
    { name => 'nginx -t: nor does the JWKS\'s',
      http => $zone, server => 'phantom_token_jwks_endpoint /_jwks; phantom_token_verify_jwt on; '
          . 'location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; proxy_cache tokens; }', @nothing },
    { name => 'nginx -t: an https AS whose certificate is not verified, at any port',
      locations => location_of_as('proxy_pass https://%%AS%%;'), @any_port },
    { name => 'nginx -t: proxy_ssl_verify off, at any port',
      locations => location_of_as('proxy_pass https://%%AS%%; proxy_ssl_verify off;'), @any_port },
    { name => 'nginx -t: an https AS in an upstream, at any port', http => 'upstream as { server %%AS%%; }',
      locations => location_of_as('proxy_pass https://as/introspect;'), @any_port },
    { name => 'nginx -t: an https AS whose certificate is verified', locations => location_of_as(
        'proxy_pass https://%%AS%%; proxy_ssl_verify on; proxy_ssl_trusted_certificate %%TLS%%/ca.pem;'
    ),
      @nothing },
    { name => 'nginx -t warns: an https AS at its own port, not verified',
      locations => location_of_as('proxy_pass https://127.0.0.1/introspect;'), accepts => 1, warns => $no_verify },
    { name => 'nginx -t: an https AS, verify inherited',
      server => 'proxy_ssl_verify on; proxy_ssl_trusted_certificate %%TLS%%/ca.pem;',
      locations => location_of_as('proxy_pass https://%%AS%%;'), @nothing },
    { name => 'nginx -t: an https API is not the module\'s business',
      locations => location_of_as('proxy_pass http://%%AS%%;') =~ s{http://%%API%%}{https://%%API%%}r, @nothing },
    { name => 'nginx -t warns: an https JWKS whose certificate is not verified',
      locations => location_of_as('proxy_pass http://%%AS%%;')
          . 'location /own { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience a; '
          . 'phantom_token_jwks_endpoint /_jwks; } location = /_jwks { internal; proxy_pass https://127.0.0.1/jwks; }',
      accepts => 1, warns => qr/location "\/_jwks" .*proxy_ssl_verify on/ },
    (map {
        my ($mode, $text) = ($_, sprintf '%03o', $_);
        { name => "nginx -t warns: a secret file that others can read: $text",
          protected => 'phantom_token_client_id gateway; phantom_token_client_secret_file '
              . secret_file("mode-$text", $mode) . ';', accepts => 1, warns => qr/mode-$text.*600/ }
    } oct(644), oct(604), oct(777)),
    (map {
        my ($mode, $text) = ($_, sprintf '%03o', $_);
        { name => "nginx -t: a secret file that is root's alone: $text",
          protected => 'phantom_token_client_id gateway; phantom_token_client_secret_file '
              . secret_file("mode-$text", $mode) . ';', @nothing }
    } oct(600), oct(400)),
    { name => 'nginx -t: an endpoint that is a constant and missing',
      protected => '', locations => 'location / { phantom_token on; phantom_token_introspection_endpoint /_nowhere; '
          . '}  location = /x { return 204; }', refuses => [qr/phantom_token_introspection_endpoint/, qr/internal/] },
    { name => 'nginx -t: an exchange endpoint that is not internal',
      locations => 'location / { phantom_token on; phantom_token_exchange_endpoint /exchange; } location /exchange { '
          . 'proxy_pass http://%%AS%%; }', refuses => [qr/phantom_token_exchange_endpoint/, qr/add "internal;"/] },
    { name => 'nginx -t: an endpoint with variables is for the first request to check',
      locations => 'location / { phantom_token on; phantom_token_introspection_endpoint /_$host; }', @nothing },
    (map {
        my ($name, $maps, $endpoint) = @{$_};
        { name => "nginx -t warns: a map that keeps its value over a redirect: $name", http => $maps,
          locations => "location / { phantom_token on; phantom_token_introspection_endpoint $endpoint; }", accepts => 1,
          warns => qr/phantom_token_introspection_endpoint.*"\$as" of a map.*add "volatile;"/ }
    }
        ['$uri', 'map $uri $as { default /_a; }', '$as'], ['$args', 'map $args $as { default /_a; }', '$as'],
            ['an argument, in a part of the endpoint', 'map $arg_x $as { default a; }', '/_${as}'],
        ['several variables', 'map $host$uri $as { default /_a; }', '$as'],
        ['a map over a map', 'map $uri $tenant { default a; } map $tenant $as { default /_a; }', '$as'],
        ['a map over a volatile map',
         'map $uri $tenant { volatile; default a; } map ${host}x$tenant $as { default /_a; }', '$as'],
        ['what set gives',
         'map $tenant $as { default /_a; } server { listen 127.0.0.1:%%PORT:s%%; set $tenant a; }', '$as'],
        ['regexes', 'map $uri $as { hostnames; ~^/x /_x; default /_a; }', '$as']),
    { name => 'nginx -t warns: a map of the JWKS endpoint', http => 'map $uri $as { default /_a; }',
      locations => 'location / { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience a; '
          . 'phantom_token_jwks_endpoint $as; }',
      accepts => 1, warns => qr/phantom_token_jwks_endpoint.*"\$as" of a map/ },
    (map {
        my ($name, $maps, $endpoint) = @{$_};
        { name => "nginx -t: a map that may keep its value: $name", http => $maps,
          locations => "location / { phantom_token on; phantom_token_introspection_endpoint $endpoint; }", @nothing }
    }
        ['volatile', 'map $uri $as { volatile; default /_a; }', '$as'],
        ['$host', 'map $host $as { default /_a; }', '$as'],
        ['$server_name and a header', 'map $server_name:$http_x_tenant $as { default /_a; }', '$as'],
        ['a map over a map over a cookie',
         'map $cookie_x $tenant { default a; } map $tenant $as { default /_a; }', '$as'],
        ['a capture of server_name', 'map $tenant $as { default /_a; } '
             . 'server { listen 127.0.0.1:%%PORT:s%%; server_name ~^(?<tenant>[a-z]+)\.example$; }', '$as'],
        ['text alone', 'map x $as { default /_a; }', '$as'], ['no map', 'geo $as { default /_a; }', '$as'],
        ['nginx\'s own', '', '/_a$uri']),
    { name => 'nginx -t: a map that no endpoint has', http => 'map $uri $as { default /_a; }', @nothing },
    { name => 'nginx -t: two AS in one zone, body-only keys',
      http => $zone, locations => 'location /a { phantom_token on; phantom_token_introspection_endpoint /_a; } '
          . 'location /b { phantom_token on; phantom_token_introspection_endpoint /_b; }'
        . join(
            '', map {
                " location = /_$_ { internal; proxy_pass http://%%AS%%/$_; proxy_cache tokens; "
                    . "proxy_cache_methods POST; proxy_cache_key \$request_body; }"
            } qw(a b)
        ), refuses => [qr/cache zone "tokens"/, qr/proxy_cache_key \$phantom_token_key/] },
);

done_testing;
