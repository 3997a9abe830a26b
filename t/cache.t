# proxy_cache behind the introspection location: whose answer an entry is, how long it counts, what a broken cache does.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Time::HiRes qw(sleep time);

# A protected location and its introspection location, with a cache of its own unless it names one: name => what the
# introspection location says.
sub ways {
    my (%way) = @_;
    my ($http, $locations) = ('', '');
    for my $name (sort keys %way) {
        my ($introspection, $protected) = ref $way{$name} ? @{ $way{$name} } : ($way{$name}, '');
        $introspection = "proxy_pass http://%%AS%%/introspect; $introspection" if $introspection !~ /_pass /;
        if ($introspection !~ /(?:^|[ ;])proxy_cache [\w\$]/) {
            $http .= "proxy_cache_path %%DIR%%/cache-$name keys_zone=$name:1m use_temp_path=off;\n";
            $introspection .= " proxy_cache $name;";
        }
        $introspection .= ' proxy_cache_methods POST;' if $introspection !~ /_cache_methods/;
        $introspection .= ' proxy_cache_valid 200 10h;' if $introspection !~ /_cache_valid/;
        $locations .= "location /$name { phantom_token on; phantom_token_introspection_endpoint /_$name; "
            . "proxy_set_header X-Key \$phantom_token_key; $protected proxy_pass http://%%API%%; }\n"
            . "location = /_$name { internal; $introspection }\n";
    }
    return ($http, $locations);
}

my $KEY   = 'proxy_cache_key $phantom_token_key;';
my $BODY  = 'proxy_cache_key $request_body;';
my $STALE = 'proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;';

my ($http, $locations) = ways(
    key      => $KEY,
    prefixed => 'proxy_cache_key "a $phantom_token_key z";',
    body     => $BODY,
    uses     => "$KEY proxy_cache_min_uses 2;",
    uncached => 'proxy_cache off;',
    get      => 'proxy_cache_methods GET;',
    bypass   => 'proxy_cache_bypass 1; proxy_no_cache 0;',
    default  => '',
    uri      => 'proxy_cache_key $uri;',
    request  => 'proxy_cache_key $request_uri;',
    client   => 'proxy_cache_key $http_authorization;',
    cookie   => 'proxy_cache_key "$http_cookie$arg_key";',
    part     => 'proxy_cache_key "$http_host$request_length";',
    usual    => 'proxy_cache_key "$scheme$request_method$host$request_uri";',
    'read-too'    => 'proxy_cache_key $request_uri; proxy_set_header X-Key $phantom_token_key; '
        . 'proxy_set_header X-Body $request_body;',
    'renewed-too' => "set \$read \$phantom_token_key\$request_body; proxy_cache_key \$request_uri; "
        . "$STALE proxy_cache_background_update on;",
    renewed  => "proxy_cache_key \$request_uri; $STALE proxy_cache_background_update on;",
    variable => "set \$server %%AS%%; proxy_pass http://\$server/introspect; $BODY",
    host     => 'set $server %%AS%%; proxy_pass http://$server/introspect; proxy_cache_key "$proxy_host$request_body";',
    mapped   => 'proxy_cache_key $body_copy;',
    first    => "$KEY proxy_cache shared;",
    second   => "proxy_pass http://%%AS2%%/introspect; $KEY proxy_cache shared;",
    third    => "$BODY proxy_cache shared;",
    named    => "$BODY set \$zone shared; proxy_cache \$zone;",
    'named-key' => "$KEY set \$zone shared; proxy_cache \$zone;",
    valid    => "$KEY proxy_cache_valid 200 204 401 500 10h;",
    inactive => "$KEY proxy_cache_valid 204 10h;",
    any      => "$KEY proxy_cache_valid any 10h;",
    fresh    => "$KEY proxy_cache_valid 200 0;",
    read     => ["$KEY", 'phantom_token_scopes read;'],
    admin    => ["$KEY proxy_cache key;", 'phantom_token_introspection_endpoint /_key; phantom_token_scopes admin;'],
    stale    => "$KEY $STALE",
    'stale-on'  => ["$KEY $STALE", 'phantom_token_stale on;'],
    'update-hot' => ["$KEY proxy_cache_background_update on;", 'phantom_token_hot_cache hot;'],
    'update'    => "$KEY $STALE proxy_cache_background_update on;",
    'update-on' => ["$KEY $STALE proxy_cache_background_update on;", 'phantom_token_stale on;'],
    revalidate  => "$KEY proxy_cache_revalidate on;",
    lock     => "$KEY proxy_cache_lock on;",
    aio      => "$KEY aio threads; sendfile on; output_buffers 2 4k; proxy_buffer_size 4k; proxy_buffers 8 4k; "
        . "proxy_busy_buffers_size 8k;",
    aiowrite => "$KEY aio threads; aio_write on; proxy_buffer_size 4k; proxy_buffers 8 4k; proxy_busy_buffers_size 8k;",
    files    => "$KEY open_file_cache max=10; open_file_cache_min_uses 1; sendfile on; tcp_nopush on;",
    broken   => $KEY,
    readonly => $KEY,
    temp     => "$KEY proxy_cache temp;",
    small    => "$KEY proxy_cache small;",
    drip     => [$KEY, "phantom_token_response_timeout @{[pace(700)]}ms;"],
);
s/phantom_token_introspection_endpoint \/_admin; // for $locations;

my $other   = authorization_server();
my $fastcgi = authorization_server(protocol => 'fastcgi');
my %parts = (
    servers => { AS2 => $other, FASTCGI => $fastcgi },
    log     => { key => 'phantom_token_key', body => 'request_body' },
    http    => $http . q{
        phantom_token_hot_cache zone=hot:1m valid=1h;
        proxy_cache_path %%DIR%%/cache-shared keys_zone=shared:1m;
        proxy_cache_path %%DIR%%/cache-temp   keys_zone=temp:1m;
        proxy_cache_path %%DIR%%/cache-small  keys_zone=small:32k max_size=8k;
        fastcgi_cache_path %%DIR%%/cache-fastcgi keys_zone=fastcgi:1m;
        fastcgi_cache_path %%DIR%%/cache-fastcgi-key keys_zone=fastcgi-key:1m;
        map $request_body $body_copy { default $request_body; }
        map $request_body $seen { default no; ~alice alice; ~bob bob; }
        server {
            listen 127.0.0.1:%%PORT:other%%;
            server_name other;
            location /key { phantom_token on; phantom_token_introspection_endpoint /_key;
                            proxy_set_header X-Key $phantom_token_key; proxy_pass http://%%API%%; }
            location = /_key { internal; proxy_pass http://%%AS2%%/introspect; proxy_cache key;
                               proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                               proxy_cache_valid 200 10h; }
        }
        server {
            listen 127.0.0.1:%%PORT:namesake%%;
            server_name localhost;
            location /key { phantom_token on; phantom_token_introspection_endpoint /_key;
                            proxy_set_header X-Key $phantom_token_key; proxy_pass http://%%API%%; }
            location = /_key { internal; proxy_pass http://%%AS2%%/introspect; proxy_cache key;
                               proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                               proxy_cache_valid 200 10h; }
        }
    },
    locations => $locations =~ s{(location /admin .*?)phantom_token_introspection_endpoint /_admin;}{$1}r . q{
        location /early/set    { phantom_token on; phantom_token_introspection_endpoint /_body; set $copy $request_body;
                                 proxy_set_header X-Copy $request_body; proxy_pass http://%%API%%; }
        location /early/if     { phantom_token on; phantom_token_introspection_endpoint /_body;
                                 if ($request_body) { set $copy 1; } proxy_set_header X-Copy $request_body;
                                 proxy_pass http://%%API%%; }
        location /early/map    { phantom_token on; phantom_token_introspection_endpoint /_body; set $copy $seen;
                                 proxy_set_header X-Copy $request_body; proxy_pass http://%%API%%; }
        location /early/key    { phantom_token on; phantom_token_introspection_endpoint /_mapped; set $copy $body_copy;
                                 proxy_set_header X-Copy $request_body; proxy_pass http://%%API%%; }
        location /early/limit  { phantom_token on; phantom_token_introspection_endpoint /_body;
                                 set $copy "$phantom_token_key$http_authorization";
                                 proxy_set_header X-Copy $request_body; proxy_pass http://%%API%%; }
        location /early/read   { phantom_token on; phantom_token_introspection_endpoint /_body; mirror /nowhere;
                                 mirror_request_body on; proxy_set_header X-Copy $request_body;
                                 proxy_pass http://%%API%%; }
        location = /nowhere    { internal; return 204; }
        location /fastcgi      { phantom_token on; phantom_token_introspection_endpoint /_fastcgi;
                                 proxy_pass http://%%API%%; }
        location = /_fastcgi   { internal; include /etc/nginx/fastcgi_params; fastcgi_pass %%FASTCGI%%;
                                 fastcgi_cache fastcgi; fastcgi_cache_methods POST; fastcgi_cache_valid 200 10h; }
        location /fastcgi-key  { phantom_token on; phantom_token_introspection_endpoint /_fastcgi-key;
                                 proxy_pass http://%%API%%; }
        location = /_fastcgi-key { internal; include /etc/nginx/fastcgi_params; fastcgi_pass %%FASTCGI%%;
                                   fastcgi_cache fastcgi-key; fastcgi_cache_methods POST;
                                   fastcgi_cache_key $phantom_token_key; fastcgi_cache_valid 200 10h; }
    },
);
my $gateway = gateway(%parts, clock => 'time');
my ($as, $api) = ($gateway->as, $gateway->api);
my $folder = $gateway->folder;

my %jwt = map { $_ => jwt({ sub => $_, scope => 'read' }) } qw(alice bob);
$_->answers(map { ("$_-token" => { jwt => $jwt{$_} }) } keys %jwt) for $as, $fastcgi;
my $twin = jwt({ sub => 'alice', iss => 'other' });
$other->answers('alice-token' => { jwt => $twin });

# A row: [way, token, what the AS does, status, cache] and perhaps more of a case.
sub rows {
    my ($name, @rows) = @_;
    my $n = 0;
    run_cases(map {
        my ($path, $token, $asked, $status, $cache, %more) = @{$_};
        my $api_sees = $status == 200 ? [{ authorization => 'Bearer <jwt>' }] : undef;
        { name => "$name: " . join(' ', ++$n . '.', $path, $token, $cache // '-', $status),
          request => { path => $path, token => $token, %{ delete $more{request} // {} } }, as => $asked,
          status => $status,
          (defined $cache ? (cache => $cache) : ()), ($api_sees ? (api => $api_sees) : ()), %more }
    } @rows);
    return;
}

# cases, each with an access log of its own: a port number may come back.
sub run_cases {
    my (@cases) = @_;
    for my $case (@cases) {
        truncate "$folder/access.log", 0;
        cases($gateway, $case);
    }
    return;
}

sub cache_file {
    my ($name, $text) = @_;
    my ($found) = grep { index(slurp($_), $text) >= 0 } glob "$folder/cache-$name/*";
    return $found;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

sub spew {
    my ($file, $bytes) = @_;
    open my $out, '+<:raw', $file or die "$file: $!";
    truncate $out, 0;
    print {$out} $bytes;
    return close $out;
}

# --- whose entry -----------------------------------------------------------------------------------------------------

for my $way (qw(key prefixed body host mapped files)) {
    rows("MISS, then HIT ($way)",
        ["/$way", 'alice-token', 1, 200, 'MISS'], ["/$way", 'alice-token', 0, 200, 'HIT'],
        ["/$way", 'bob-token', 1, 200, 'MISS'], ["/$way", 'alice-token', 0, 200, 'HIT'],
        ["/$way", 'bob-token', 0, 200, 'HIT'],
        ["/$way", 'unknown-token', 1, 401, 'MISS'], ["/$way", 'unknown-token', 0, 401, 'HIT']);
}
rows('fastcgi_cache', ['/fastcgi-key', 'alice-token', undef, 200, 'MISS'],
    ['/fastcgi-key', 'alice-token', undef, 200, 'HIT'], ['/fastcgi-key', 'bob-token', undef, 200, 'MISS']);
is scalar(my @asked = $fastcgi->requests), 2, 'fastcgi_cache: the AS was asked twice';
rows(
    'not cached', (map { ["/$_", 'alice-token', 1, 200, ''], ["/$_", 'alice-token', 1, 200, ''] } qw(uncached get)),
    ['/uses', 'alice-token', 1, 200, 'MISS'], ['/uses', 'alice-token', 1, 200, 'MISS'],
    ['/uses', 'alice-token', 0, 200, 'HIT']
);

# Bob's request may hold whatever the AS is sent for Alice.
my $alice_body = 'token=alice-token&token_type_hint=access_token';
for my $way (qw(/early/set /early/if /early/map /early/key /early/limit /early/read /body)) {
    for my $token (qw(alice-token bob-token alice-token unknown-token bob-token)) {
        my ($name) = $token =~ /^(\w+)/;
        for my $body (undef, $alice_body, '') {
            my $response = $gateway->request(method => 'POST', path => $way, token => $token,
                                             defined $body ? (body => $body) : ());
            my $said = $response->status == 200 ? { @{ [map { @{$_} } @{ $response->json->{headers} }] } } : {};
            my $what = "Alice is not Bob ($way, $token, "
                . (!defined $body ? 'no body' : $body eq '' ? 'empty body' : 'a body for Alice') . ')';
            is $said->{Authorization}, $jwt{$name} ? "Bearer $jwt{$name}" : undef, $what;
            # What nginx has read too early it takes for empty.
            my @copies = defined $body && $body ne '' ? $way =~ /read|limit/ ? $body : ($body, undef) : undef;
            ok scalar(grep { ($_ // 'none') eq ($said->{'X-Copy'} // 'none') } @copies),
                "$what: \$request_body is the client's, never ours" if $jwt{$name} && $way ne '/body';
            is $response->json->{body_length}, length($body // ''), "$what: the body arrives" if $jwt{$name};
        }
    }
}

my $add_key = qr/phantom token: misconfigured: .*proxy_cache_key \$(?:proxy_host\$)?phantom_token_key;/;
rows('a key that does not tell tokens apart is refused',
    (map {
        ["/$_", 'alice-token', 1, 500, undef, outcome => 'misconfigured', log => $add_key],
        ["/$_", 'bob-token', undef, 500, undef, outcome => 'misconfigured', log => $add_key],
        ["/$_", 'alice-token', undef, 500, undef, outcome => 'misconfigured']
    }
        qw(default uri request client cookie part variable bypass third named)),
    ['/fastcgi', 'alice-token', undef, 500, undef, outcome => 'misconfigured'],
    ['/fastcgi', 'bob-token', undef, 500, undef, outcome => 'misconfigured']);

rows('a zone with a variable in its name', ['/named-key', 'alice-token', 1, 200, 'MISS'],
    ['/named-key', 'alice-token', 0, 200, 'HIT']);

# Whoever writes into the key what the guard looks for gains nothing: neither by an answer that was kept for somebody
# else's request to the same URI, though that one was refused, nor by one that was renewed in the background for it.
sub lured {
    my ($name, $way, $lure, $renewed) = @_;
    my ($client) = $lure->('mallory-token') =~ /^(\S*)/;
    my @request = (path => $way . $client, headers => [$lure->('mallory-token') =~ /^\S* (.+)/]);
    $as->answers(
        'mallory-token' => [({ jwt => { sub => 'mallory' }, headers => ['X-Accel-Expires: 1'] }) x ($renewed ? 1 : 0),
                            { jwt => { sub => 'mallory' } }]
    );
    if ($renewed) {
        $gateway->get('', @request, token => 'mallory-token');
        $gateway->advance(3);
    }
    my $victim = $gateway->get('', @request, token => 'alice-token');
    is $victim->status, 500, "$name: the victim is refused";
    for my $turn (1 .. 3) {
        my $response = $gateway->get('', @request, token => 'mallory-token');
        my ($sent) = $response->status == 200 ? map { $_->[1] } grep { $_->[0] eq 'Authorization' }
            @{ $response->json->{headers} } : 'nothing';
        ok $sent eq 'nothing' || $sent eq 'Bearer ' . $as->jwt_for('mallory-token'), "$name: its own JWT or none, $turn"
            or diag "sent $sent";
        sleep 0.05 if $renewed;
    }
    return;
}
my $asked_for = sub { return "token=$_[0]&token_type_hint=access_token" };
lured('a key that the client writes: $request_uri', '/request', sub { '?' . $asked_for->(@_) });
lured('a key that the client writes: $scheme$request_method$host$request_uri', '/usual', sub {
    '?' . $asked_for->(@_);
});
lured('a key that the client writes: the Host header', '/usual', sub { ' Host: ' . $asked_for->(@_) });
lured('a key that the client writes: the hex key', '/request', sub {
    '?' . $gateway->logged($gateway->get('/request', token => $_[0]))->{key};
});
lured('a key that the client writes: the variable is read elsewhere', '/read-too', sub { '?' . $asked_for->(@_) });
lured('a key that the client writes: the hex key, the variable is read elsewhere', '/read-too', sub {
    '?' . $gateway->logged($gateway->get('/read-too', token => $_[0]))->{key};
});
lured('a key that the client writes: renewed in the background', '/renewed', sub { '?' . $asked_for->(@_) }, 1);
lured('a key that the client writes: renewed in the background, the variable is read elsewhere', '/renewed-too', sub {
    '?' . $asked_for->(@_);
}, 1);

{
    # The same token at two authorization servers, in one zone.
    rows('two AS in one zone: the first', ['/first', 'alice-token', 1, 200, 'MISS'],
        ['/first', 'alice-token', 0, 200, 'HIT']);
    for my $cache (qw(MISS HIT)) {
        my $response = $gateway->get('/second', token => 'alice-token');
        is_deeply [grep { $_->[0] eq 'Authorization' } @{ $response->json->{headers} }],
            [['Authorization', "Bearer $twin"]], "two AS in one zone: the second, $cache";
        is $gateway->logged($response)->{cache}, $cache, "two AS in one zone: the second is a $cache";
    }
}

# --- nginx -t --------------------------------------------------------------------------------------------------------

my %two = (
    http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; proxy_cache_path %%DIR%%/more keys_zone=more:1m;'
);
my $two = sub {
    my ($first, $second, $third) = @_;
    return qq{
        location /a { phantom_token on; phantom_token_introspection_endpoint /_a; proxy_pass http://%%API%%; }
        location /b { phantom_token on; phantom_token_introspection_endpoint /_b; proxy_pass http://%%API%%;
                      @{[$third // '']} }
        location = /_a { internal; proxy_pass http://%%AS%%/a; proxy_cache_methods POST; $first }
        location = /_b { internal; proxy_pass http://%%AS%%/b; proxy_cache_methods POST; $second }
    };
};
my $shared = qr/cache zone "tokens".*proxy_cache_key \$phantom_token_key;/;
configurations(
    { name => 'nginx -t: body-only keys of two introspection locations in one zone',
      %two, locations => $two->("proxy_cache tokens; $BODY", "proxy_cache tokens; $BODY"), refuses => $shared,
      warns => undef },
    { name => 'nginx -t: default keys in one zone',
      %two, locations => $two->('proxy_cache tokens;', 'proxy_cache tokens;'), refuses => $shared },
    { name => 'nginx -t: the zone is inherited',
      %two, server => "proxy_cache tokens; $BODY", locations => $two->('', ''), refuses => $shared },
    { name => 'nginx -t: the API caches in the zone of a body-only key',
      %two, locations => $two->("proxy_cache tokens; $BODY", '', 'proxy_cache tokens; proxy_cache_key $arg_key;'),
      refuses => $shared },
    { name => 'nginx -t: a zone for each',
      %two, locations => $two->("proxy_cache tokens; $BODY", "proxy_cache more; $BODY"), accepts => 1 },
    { name => 'nginx -t: $phantom_token_key in one zone',
      %two, locations => $two->("proxy_cache tokens; $KEY", "proxy_cache tokens; $KEY"), accepts => 1 },
);

# --- the key ---------------------------------------------------------------------------------------------------------

sub key_of {
    my ($which, $path, %request) = @_;
    my $response = $which->get($path, token => 'alice-token', %request);
    my %header = map { @{$_} } @{ ($response->status == 200 ? $response->json : { headers => [] })->{headers} };
    return $header{'X-Key'} // 'none';
}
{
    my $key = key_of($gateway, '/key');
    like $key, qr/^[0-9a-f]{64}$/, 'the key is hex SHA-256';
    is key_of($gateway, '/key?x', headers => ['X-A: 1', 'Host: elsewhere', 'Cookie: a']), $key,
        'the key: nothing of the client but the token';
    is key_of($gateway, '/admin'), 'none', 'the key: the other location refuses';
    my %key = (
        here => $key, token => key_of($gateway, '/key', token => 'bob-token'), endpoint => key_of($gateway, '/body'),
        server => key_of($gateway, '/key', port => 'other'), namesake => key_of($gateway, '/key', port => 'namesake')
    );
    is scalar(keys %{ { reverse %key } }), 5,
        'the key differs by token, endpoint, server_name and the ordinal of a namesake' or diag explain \%key;
    is $gateway->logged($gateway->get('/key'))->{key}, '', 'the key: without a token there is none';

    is $gateway->reload, '', 'reload';
    is key_of($gateway, '/key'), $key, 'the key after a reload';
    rows('after a reload', ['/key', 'alice-token', 0, 200, 'HIT'], ['/body', 'bob-token', 0, 200, 'HIT']);

    my $node = gateway(%parts);
    $node->as->answers('alice-token' => { jwt => $twin });
    is key_of($node, '/key'), $key, 'the key on another node, with other addresses and folders';
}

# --- what the rules of each location make of a cached answer ---------------------------------------------------------

rows('one cached token, two locations with different scopes (CVE-2021-32701)',
    ['/key', 'alice-token', 0, 200, 'HIT'],
    ['/admin', 'alice-token', 0, 403, 'HIT',
     challenge => { realm => 'api', error => 'insufficient_scope', scope => 'admin' }],
    ['/key', 'admin-token', 1, 200, 'MISS', answers => { 'admin-token' => { jwt => { scope => 'admin' } } }],
    ['/admin', 'admin-token', 0, 200, 'HIT'],
    ['/admin', 'later-token', 1, 403, 'MISS', answers => { 'later-token' => { jwt => { scope => 'read' } } }],
    ['/key', 'later-token', 0, 200, 'HIT']);

# --- headers of the answer -------------------------------------------------------------------------------------------

my $answer = sub { my (@headers) = @_; return { jwt => { sub => "@headers" }, headers => [@headers] } };
rows('Vary: client headers never make variants', map {
    my ($token, $vary) = @{$_};
    (["/key", $token, 1, 200, 'MISS', answers => { $token => $answer->("Vary: $vary") },
      request => { headers => ['X-Lang: de', 'Accept-Encoding: gzip', 'Accept: text/html'] }],
     map { ["/key", $token, 0, 200, 'HIT', request => { headers => $_ }] }
         ['X-Lang: en', 'Accept: a/b'], ['Accept-Encoding: br', 'Cookie: a=b', 'Origin: http://a'], [])
} ['vary-one-token', 'X-Lang'],
    ['vary-several-token', 'Accept-Encoding, X-Lang, Accept, Cookie, Origin, Authorization']);
rows('what the AS says about caching',
    ['/key', 'vary-all-token',  1, 200, 'MISS', answers => { 'vary-all-token' => $answer->('Vary: *') }],
    ['/key', 'vary-all-token', 1, 200, 'MISS'],
    ['/key',
     'no-store-token',  1, 200, 'MISS', answers => { 'no-store-token' => $answer->('Cache-Control: no-store') }],
    ['/key', 'no-store-token', 1, 200, 'MISS'],
    ['/key', 'accel-0-token',   1, 200, 'MISS', answers => { 'accel-0-token' => $answer->('X-Accel-Expires: 0') }],
    ['/key', 'accel-0-token', 1, 200, 'MISS'],
    ['/key', 'accel-60-token',  1, 200, 'MISS',
     answers => { 'accel-60-token' => $answer->('X-Accel-Expires: 60', 'Cache-Control: no-store') }],
    ['/key', 'accel-60-token', 0, 200, 'HIT'],
    ['/key', 'unbuffered-token', 1, 200, 'MISS',
     answers => { 'unbuffered-token' => { %{ $answer->('X-Accel-Buffering: no') }, split => 50, drip => 0.001 } }],
    ['/fresh', 'accel-60-token', 1, 200, 'MISS'], ['/fresh', 'accel-60-token', 0, 200, 'HIT'],
    ['/fresh', 'alice-token', 1, 200, 'MISS'], ['/fresh', 'alice-token', 1, 200, 'MISS']);
rows('an inactive answer',
    ['/inactive', '204-token', 1, 401, 'MISS', answers => { '204-token' => { status => 204 } }, outcome => 'inactive'],
    ['/inactive', '204-token', 0, 401, 'HIT', outcome => 'inactive'],
    ['/key', '204-token', 1, 401, 'MISS'], ['/key', '204-token', 1, 401, 'MISS']);
rows('an error that is cached stays an error',
    ['/any', 'broken-token', 1, 502, 'MISS', answers => { 'broken-token' => { status => 500 } }],
    ['/any', 'broken-token', 0, 502, 'HIT', answers => { 'broken-token' => { jwt => { sub => 'b' } } }],
    ['/any',
     'busy-token', 1, 503, 'MISS', answers => { 'busy-token' => { status => 503, headers => ['Retry-After: 9'] } }],
    ['/any', 'busy-token', 0, 503, 'HIT', headers => { 'Retry-After' => 9 }],
    ['/any', 'refused-token', 1, 502, 'MISS', answers => { 'refused-token' => { status => 401 } }],
    ['/any', 'refused-token', 0, 502, 'HIT', outcome => 'as_refused_client'],
    ['/valid', 'server-token', 1, 502, 'MISS', answers => { 'server-token' => { status => 500 } }],
    ['/valid', 'server-token', 0, 502, 'HIT']);

# --- answers that must not be kept -----------------------------------------------------------------------------------

my $long = 'x' x 30_000;
my $ends = join '|', 'upstream prematurely closed', 'upstream sent invalid chunked', 'reset by peer', 'timed out',
    'upstream sent no valid', 'phantom_token_response_timeout';
my $cut  = qr/$ends/;
rows('what was not received whole is not kept', map {
    my ($token, $status, $answer, $way) = @{$_};
    $way //= '/key';
    ([$way, $token, 1, $status, 'MISS',
      answers => { $token => $answer }, log => $status == 502 && $answer->{body} ? undef : $cut],
     [$way, $token, 1, 200, 'MISS', answers => { $token => { jwt => { sub => $token } } }])
}   ['cut-token', 502, { jwt => { sub => 'c', long => $long }, cut => 20_000 }],
    ['cut-chunk-token', 502, { jwt => { sub => 'c', long => $long }, cut => 20_000, framing => 'chunked' }],
    ['reset-token', 502,
     { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: 9000\r\n\r\n" . $jwt{alice},
               [sleep => 0.05], ['reset']] }],
    ['drip-token', 504, { jwt => { sub => 'd', long => 'd' x 2000 }, split => 20, drip => 0.1 }, '/drip'],
    ['hang-token', 504,
     { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: 9000\r\n\r\nabc", ['hang']] },
     '/drip'],
    ['large-token', 502, { type => 'application/jwt', body => 'y' x 70_000 }],
    ['large-chunk-token', 502, { type => 'application/jwt', body => 'y' x 200_000, framing => 'chunked' }]);

{
    # The client leaves in the middle of the AS's answer. nginx reads on for the cache; what it keeps is whole.
    my $jwt = jwt({ sub => 'left', long => $long });
    my $half = int length($jwt) / 2;
    $as->answers(
        'left-token' => { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nConnection: close\r\n\r\n"
                                      . substr($jwt, 0, $half), [hold => 'left'], substr($jwt, $half), ['close']] }
    );
    $as->forget_requests;
    my $client = $gateway->connect;
    $client->send(Harness::Client::request_bytes({ path => '/key', token => 'left-token' }));
    $as->wait_for_requests(1);
    $client->close;
    $as->answers('left-token' => { jwt => $jwt });
    $as->release('left');
    for my $turn (1 .. 3) {
        my $response = $gateway->get('/key', token => 'left-token');
        is_deeply [map { $_->[1] } grep { $_->[0] eq 'Authorization' } @{ $response->json->{headers} }],
            ["Bearer $jwt"], "client abort in the middle of the answer: no half of it is kept, $turn";
    }
}

# --- together --------------------------------------------------------------------------------------------------------

# Several requests at once: [path, token] …; returns their responses.
sub together {
    my ($release, @requests) = @_;
    my @clients = map {
        my $client = $gateway->connect;
        $client->send(Harness::Client::request_bytes({ path => $_->[0], token => $_->[1] }));
        $client
    } @requests;
    $release->() if $release;
    my @responses = map { $_->response } @clients;
    $_->close for @clients;
    return @responses;
}

# True where every one got its own token's JWT.
sub each_its_own {
    my ($name, $requests, @responses) = @_;
    my @sent = map {
        my $response = $_;
        $response->status == 200 ? (map { $_->[1] } grep { $_->[0] eq 'Authorization' } @{ $response->json->{headers} })
            : $response->status
    } @responses;
    return is_deeply \@sent, [map { 'Bearer ' . $as->jwt_for($_->[1]) } @{$requests}], $name;
}
{
    $as->answers('held-token' => { hold => 'lock', jwt => { sub => 'held' } });
    $as->forget_requests;
    my @requests = map { ['/lock', 'held-token'] } 1 .. 8;
    each_its_own('proxy_cache_lock: all get it', \@requests,
        together(sub { $as->wait_for_requests(1); $as->release('lock') }, @requests));
    is scalar(my @seen = $as->requests), 1, 'proxy_cache_lock: the AS was asked once';

    $as->answers('failing-token' => { hold => 'failing', status => 500 });
    my @responses = together(sub {
        $as->wait_for_requests(2);
        $as->release('failing');
    }, map { ['/lock', 'failing-token'] } 1 .. 3);
    is_deeply [map { $_->status } @responses], [502, 502, 502],
        'proxy_cache_lock: the AS fails, nobody hangs, nobody passes';

    $as->answers(map { ("many-$_-token" => { jwt => { sub => "many-$_" } }) } 1 .. 10);
    for my $way (qw(/key /body /lock /aio /aiowrite /files)) {
        my @many = map { [$way, "many-$_-token"] } 1 .. 10, 1 .. 10;
        each_its_own("at once ($way), round $_", \@many, together(undef, @many)) for 1, 2;
    }
}

for my $way (qw(/aio /aiowrite)) {
    $as->answers('long-token' => { jwt => { sub => 'long', long => 'z' x 30_000 } });
    rows(
        "aio threads ($way)", [$way, 'alice-token', 1, 200, 'MISS'], [$way, 'alice-token', 0, 200, 'HIT'],
        [$way, 'long-token', 1, 200, 'MISS'], [$way, 'long-token', 0, 200, 'HIT'],
        [$way, 'unknown-token', 1, 401, 'MISS'], [$way, 'unknown-token', 0, 401, 'HIT']
    );
    my @many = map { [$way, $_ % 2 ? 'long-token' : 'alice-token'] } 1 .. 20;
    each_its_own("aio threads ($way): at once", \@many, together(undef, @many));
    my $connection = $gateway->connect;
    is join(
        ' ', map { $connection->get($way, token => $_)->status } qw(long-token unknown-token alice-token long-token)
    ), '200 401 200 200', "aio threads ($way): keepalive";
    is $connection->finish, '', "aio threads ($way): nothing follows";
}

{
    # A zone and a folder for a handful of entries, and far more tokens than that.
    $as->answers(map { ("small-$_-token" => { jwt => { sub => "small-$_" } }) } 1 .. 60);
    for my $round (1, 2) {
        my @many = map { ['/small', "small-$_-token"] } 1 .. 60;
        # one by one: nginx complains of entries in use
        each_its_own("a small zone, round $round", \@many, map { together(undef, $_) } @many);
    }
}

# --- a broken cache --------------------------------------------------------------------------------------------------

# Whatever the cache is like: the token's own JWT reaches the API, or nothing and the client gets a 5xx.
sub own_or_refused {
    my ($name, $path, $token) = @_;
    $api->forget_requests;
    my $response = $gateway->get($path, token => $token);
    my @sent = map { $_->header('Authorization') } $api->requests;
    if ($response->status == 200) { return is_deeply \@sent, ['Bearer ' . $as->jwt_for($token)], "$name: its own JWT" }
    like $response->status, qr/^5\d\d$/, "$name: refused";
    check_refusal($response);
    return is_deeply \@sent, [], "$name: the API saw nothing";
}

my %damage = (
    'truncated in the body'       => sub { substr $_[0], 0, -20 },
    'truncated by one byte'       => sub { substr $_[0], 0, -1 },
    'truncated in the header'     => sub { substr $_[0], 0, 400 },
    'truncated in the first line' => sub { substr $_[0], 0, 30 },
    'empty'                       => sub { '' },
    'longer'                      => sub { $_[0] . 'AAAA' },
    'zeros'                       => sub { "\0" x length $_[0] },
    'garbage behind the header'   => sub { substr($_[0], 0, 400) . 'x' x (length($_[0]) - 400) },
    'a broken first line'         => sub { (my $bytes = $_[0]) =~ s{HTTP/1\.1 200 OK}{HXXP/1.1 2xx OK}; $bytes },
    'another status'              => sub { (my $bytes = $_[0]) =~ s{HTTP/1\.1 200 OK}{HTTP/1.1 500 OK}; $bytes },
    'another key'                 => sub { (my $bytes = $_[0]) =~ s{KEY: [0-9a-f]}{KEY: x}; $bytes },
);
$gateway->announce(qr/\[crit\].*cache file|\[alert\].*cache file|\[crit\].*cache-broken/);
for my $kind (sort keys %damage) {
    for my $framing (undef, 'chunked') {
        my $token = "damaged $kind " . ($framing // 'length') =~ s/\W/-/gr;
        $token =~ s/\W/-/g;
        $as->answers($token => { jwt => { sub => $token, long => 'l' x 500 }, framing => $framing });
        next if !is $gateway->get('/broken', token => $token)->status, 200, "cache file $kind: MISS";
        my $file = cache_file('broken', (split /\./, $as->jwt_for($token))[1]) // die "no cache file\n";
        my $bytes = slurp($file);
        if (defined $framing && $kind eq 'truncated in the body') { $bytes = substr $bytes, 0, -100 } # into the claims
        spew($file, $damage{$kind}->($bytes));
        # nothing tells but the signature, and that is the API's affair
        next if defined $framing && $kind =~ /truncated by one byte|longer/;
        own_or_refused("cache file $kind" . ($framing ? ', without a length' : ''), '/broken', $token);
    }
}
{
    $as->answers(map { ("swap-$_-token" => { jwt => { sub => "swap-$_" } }) } 1, 2);
    $gateway->get('/broken', token => "swap-$_-token") for 1, 2;
    my @files = map { cache_file('broken', $as->jwt_for("swap-$_-token")) // die "no cache file\n" } 1, 2;
    my @bytes = map { slurp($_) } @files;
    spew($files[0], $bytes[1]);
    spew($files[1], $bytes[0]);
    own_or_refused("cache files swapped, $_", '/broken', "swap-$_-token") for 1, 2;

    $as->answers('gone-token' => { jwt => { sub => 'gone' } });
    $gateway->get('/broken', token => 'gone-token');
    my $file = cache_file('broken', $as->jwt_for('gone-token'));
    unlink $file;
    own_or_refused('cache file gone', '/broken', 'gone-token');
    unlink $file;
    mkdir $file;
    own_or_refused('cache file is a folder', '/broken', 'gone-token');
    rmdir $file;
    symlink cache_file('broken', $as->jwt_for('swap-1-token')) // '/dev/null', $file;
    own_or_refused('cache file leads to another', '/broken', 'gone-token');
}

$gateway->announce(qr/\[crit\].*Permission denied/);
{
    my ($user) = (getpwnam 'nobody')[2];
    rows('before the folder is read-only', ['/readonly', 'alice-token', 1, 200, 'MISS']);
    for (['folder', "$folder/cache-readonly", '/readonly'], ['temporary folder', "$folder/proxy_temp", '/temp']) {
        my ($what, $where, $way) = @{$_};
        chown 0, -1, $where if $> == 0;
        chmod 0555, $where or die "$where: $!";
        own_or_refused("cache $what not writable, $_", $way, $_)
            for qw(alice-token bob-token bob-token many-1-token alice-token);
        my $long = $gateway->get($way, token => 'long-token');
        like $long->status, qr/^(?:200|5\d\d)$/, "cache $what not writable, long: ends";
        chmod 0000, $where;
        own_or_refused("cache $what not readable, $_", $way, $_) for qw(alice-token bob-token);
        chmod 0755, $where;
        chown $user, -1, $where if $> == 0;
    }
    own_or_refused('cache folder writable again', '/readonly', 'bob-token');
}

# --- time ------------------------------------------------------------------------------------------------------------

# Everything that must grow old does so at once.
{
    my $soon = time + 500 + $gateway->clock;
    my $brief = sub {
        my ($name, %more) = @_;
        return {
            jwt => { sub => $name, %{ $more{claims} // {} } },
            headers => [@{ $more{headers} // ['X-Accel-Expires: 1'] }]
        };
    };
    my %first = (
        'exp-token'        => { jwt => { sub => 'exp', exp => $soon } },
        'brief-token'      => [$brief->('brief'), $brief->('brief again')],
        'stale-token'      => [$brief->('stale'), { status => 500 }],
        'stale-exp-token'  => [$brief->('stale', claims => { exp => $soon }), { status => 500 }],
        'if-error-token'   => [$brief->('error', headers => ['Cache-Control: max-age=1, stale-if-error=86400']),
                               { status => 500 }],
        'revalidate-token' => [{ jwt => { sub => 'revalidate' }, headers => ['X-Accel-Expires: 1', 'ETag: "v1"'] },
                               { status => 304, headers => ['ETag: "v1"', 'X-Accel-Expires: 60'] }],
        'revoked-token'    => [$brief->('revoked'), { json => { active => false } }],
        'update-token'     => [$brief->('update'), { jwt => { sub => 'updated' } }],
        'update-off-token' => [$brief->('update'), { jwt => { sub => 'updated' } }],
        'while-token'      => [$brief->('while', headers => ['Cache-Control: max-age=1, stale-while-revalidate=86400']),
                               { jwt => { sub => 'while updated' } }],
        'accel-update-token' => [$brief->('accel'), { body => 'x', headers => ['X-Accel-Redirect: /key'] }],
        'revoked-update-token' => [$brief->('revoked'), { json => { active => false } }],
    );
    my @start = (
        ['/key', 'exp-token'], ['/key', 'brief-token'], ['/stale', 'stale-token'], ['/stale-on', 'stale-exp-token'],
        ['/stale', 'if-error-token'], ['/revalidate', 'revalidate-token'], ['/key', 'revoked-token'],
        ['/update-on', 'update-token'], ['/update', 'update-off-token'], ['/update', 'while-token'],
        ['/update-on', 'accel-update-token'], ['/update-on', 'revoked-update-token'], ['/stale-on', 'stale-on-token'],
    );
    $first{'stale-on-token'} = [$brief->('stale on'), { status => 500 }];
    $as->answers(%first);
    is $gateway->get($_->[0], token => $_->[1])->status, 200, "in time: $_->[1]" for @start;
    $gateway->advance(501);

    my $still = sub { return 'Bearer ' . jwt($_[0]) };
    rows('a token that expires while its answer is cached', ['/key', 'exp-token', 0, 401, 'HIT', outcome => 'expired']);
    run_cases(
        { name => 'X-Accel-Expires: the AS is asked again',
          request => { path => '/key', token => 'brief-token' }, as => 1, status => 200, cache => 'EXPIRED',
          api => [{ authorization => $still->({ sub => 'brief again' }) }] },
        { name => 'revoked meanwhile', request => { path => '/key', token => 'revoked-token' }, as => 1, status => 401,
          cache => 'EXPIRED', outcome => 'inactive' },
        { name => 'proxy_cache_revalidate: 304',
          request => { path => '/revalidate', token => 'revalidate-token' }, as => [{ if_none_match => '"v1"' }],
          status => 200, cache => 'REVALIDATED', api => [{ authorization => $still->({ sub => 'revalidate' }) }] },
        { name => 'stale: refused by default', request => { path => '/stale', token => 'stale-token' }, as => 1,
          status => 503, cache => 'STALE', outcome => 'stale', challenge => undef },
        { name => 'stale: refused by default, stale-if-error of the AS',
          request => { path => '/stale', token => 'if-error-token' }, as => 1, status => 503, cache => 'STALE',
          outcome => 'stale' },
        { name => 'stale: phantom_token_stale on',
          request => { path => '/stale-on', token => 'stale-on-token' }, as => 1, status => 200, cache => 'STALE',
          outcome => 'active', api => [{ authorization => $still->({ sub => 'stale on' }) }] },
        { name => 'stale: never past exp', request => { path => '/stale-on', token => 'stale-exp-token' }, as => 1,
          status => 401, cache => 'STALE', outcome => 'expired' },
        { name => 'background update: the stale answer is refused by default',
          request => { path => '/update', token => 'update-off-token' }, status => 503, cache => 'STALE',
          outcome => 'stale' },
        { name => 'background update: stale-while-revalidate of the AS counts by default',
          request => { path => '/update', token => 'while-token' }, status => 200, cache => 'STALE',
          api => [{ authorization => $still->({ sub => 'while' }) }] },
        { name => 'background update: phantom_token_stale on',
          request => { path => '/update-on', token => 'update-token' }, status => 200, cache => 'STALE',
          api => [{ authorization => $still->({ sub => 'update' }) }] },
        { name => 'background update: revoked', request => { path => '/update-on', token => 'revoked-update-token' },
          status => 200, cache => 'STALE', api => [{ authorization => $still->({ sub => 'revoked' }) }] },
        { name => 'background update: X-Accel-Redirect in it',
          request => { path => '/update-on', token => 'accel-update-token' }, status => 200, cache => 'STALE',
          api => [{ uri => '/update-on', authorization => $still->({ sub => 'accel' }) }] },
    );
    for (
        ['/update', 'update-off-token', 200, { sub => 'updated' }],
        ['/update', 'while-token', 200, { sub => 'while updated' }],
        ['/update-on', 'update-token', 200, { sub => 'updated' }], ['/update-on', 'revoked-update-token', 401]
    ) {
        my ($path, $token, $status, $claims) = @{$_};
        my $response;
        until_true(patience(3), sub {
            $response = $gateway->get($path, token => $token);
            $response->status == $status && $gateway->logged($response)->{cache} eq 'HIT';
        });
        is $response->status, $status, "background update: afterwards ($token)";
        is_deeply [map { $_->[1] } grep { $_->[0] eq 'Authorization' } @{ $response->json->{headers} // [] }],
            [$claims ? $still->($claims) : ()], "background update: afterwards ($token), the JWT";
    }
    like $gateway->get('/update-on', token => 'accel-update-token')->status, qr/^(?:200|5\d\d)$/,
        'background update: X-Accel-Redirect in it, afterwards';
    is scalar(
        grep { $_->{uri} eq '/key' && ($_->header('Authorization') // '') =~ /accel-update-token/ } $api->requests
    ), 0, 'background update: X-Accel-Redirect in it leads nowhere';
}

# The AS's own stale-while-revalidate (RFC 5861 section 3), which nginx heeds without a directive: while one request
# renews the entry, the others have the old answer. What proxy_cache_use_stale allows is another matter.
{
    my $soon  = int(time + 500 + $gateway->clock);
    my @while = (headers => ['Cache-Control: max-age=1, stale-while-revalidate=86400']);
    my %first = (
        'renewed-token'     => ['/key', { jwt => { sub => 'renewed' }, @while }],
        'renewed-exp-token' => ['/key', { jwt => { sub => 'renewed exp', exp => $soon }, @while }],
        'operator-token'    => ['/stale', { jwt => { sub => 'operator' }, headers => ['X-Accel-Expires: 1'] }],
        'renewed-hot-token' => ['/update-hot', { jwt => { sub => 'renewed hot' }, @while }],
    );
    $as->answers(map { $_ => [$first{$_}[1], { hold => "renewal of $_", jwt => { sub => 'new' } }] } keys %first);
    is $gateway->get($first{$_}[0], token => $_)->status, 200, "renewal: in time: $_" for sort keys %first;
    $gateway->advance(501);

    my %leader;
    for my $token (grep { !/hot/ } sort keys %first) {
        $as->forget_requests;
        $leader{$token} = $gateway->connect;
        $leader{$token}->send("GET $first{$token}[0] HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n\r\n");
        $as->wait_for_requests(1);
    }
    my $still = sub { return [{ authorization => 'Bearer ' . jwt($_[0]) }] };
    run_cases(
        { name => 'renewal: stale-while-revalidate of the AS counts by default',
          request => { path => '/key', token => 'renewed-token' }, as => 0, status => 200, cache => 'UPDATING',
          outcome => 'active', api => $still->({ sub => 'renewed' }) },
        { name => 'renewal: never past exp', request => { path => '/key', token => 'renewed-exp-token' }, as => 0,
          status => 401, cache => 'UPDATING', outcome => 'expired' },
        { name => 'renewal: proxy_cache_use_stale updating alone does not',
          request => { path => '/stale', token => 'operator-token' }, as => 0, status => 503, cache => 'UPDATING',
          outcome => 'stale' },
    );
    # nginx keeps the connection of who began a background update for as long as that runs.
    my $sent  = sub {
        my ($response) = @_;
        return $response->status . join '', map { " $_->[1]" } grep { $_->[0] eq 'Authorization' }
            @{ $response->json->{headers} // [] };
    };
    my $begun = $gateway->connect;
    $begun->send("GET /update-hot HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer renewed-hot-token\r\n\r\n");
    is $sent->($begun->response('GET')), '200 ' . $still->({ sub => 'renewed hot' })->[0]{authorization},
        'renewal: in the background';
    is $sent->($gateway->get('/update-hot', token => 'renewed-hot-token')),
        '200 ' . $still->({ sub => 'renewed hot' })->[0]{authorization}, 'renewal: in the background, another request';
    $as->release("renewal of $_") for keys %first;
    is $leader{$_}->response('GET')->status, 200, "renewal: who asked has the new answer ($_)" for sort keys %leader;
    my $new = '200 ' . $still->({ sub => 'new' })->[0]{authorization};
    ok until_true(patience(10), sub { $sent->($gateway->get('/update-hot', token => 'renewed-hot-token')) eq $new }),
        'renewal: in the background: no hot copy of what was stale';
}

# --- a disk that is full ---------------------------------------------------------------------------------------------

# A worker that may write no file longer than a few KB is one whose disk is full.
{
    local $SIG{XFSZ} = 'IGNORE';
    my %servers = (AS => authorization_server(), API => api());
    my ($full_http, $full_locations) = ways(
        full => "$KEY proxy_buffers 4 4k; proxy_buffer_size 4k; proxy_busy_buffers_size 8k;"
    );
    my $limit = run(['prlimit', '--pid', $$, '--fsize=20000:']);
    my $full = gateway(
        servers => \%servers, log_level => 'crit', http => $full_http . 'access_log off;', locations => $full_locations
    );
    run(['prlimit', '--pid', $$, '--fsize=unlimited:']);
    is $limit->{code}, 0, 'a full disk: the limit' or diag $limit->{err};
    $full->announce(qr/\[crit\].*has written only/, qr/\[crit\].*File too large/, qr/\[alert\].*File too large/);
    $full->as->answers(
        'alice-token' => { jwt => $jwt{alice} }, 'long-token' => { jwt => { sub => 'long', long => 'z' x 30_000 } }
    );
    for my $token (qw(long-token long-token alice-token long-token)) {
        $full->api->forget_requests;
        my $response = $full->get('/full', token => $token, timeout => patience(5));
        my @sent = map { $_->header('Authorization') } $full->api->requests;
        is_deeply \@sent, [$response->status == 200 ? 'Bearer ' . $full->as->jwt_for($token) : ()],
            "a full disk ($token): its own JWT or none, status " . $response->status;
        like $response->status, qr/^(?:200|5\d\d)$/, "a full disk ($token): status";
    }
}

# --- what is left behind ---------------------------------------------------------------------------------------------

{
    my $secret = 'Zx9-secret+token/for~the.disk==';
    my $quiet  = gateway(http => (ways(key => $KEY))[0], locations => (ways(key => $KEY))[1],
        server => 'client_body_in_file_only on;', log => { key => 'phantom_token_key' });
    $quiet->as->answers($secret => [{ jwt => { sub => 'quiet' } }, { status => 500 }]);
    is $quiet->get('/key', token => $secret)->status, 200, 'nothing is left behind: request';
    is $quiet->get('/key', token => $secret)->status, 200, 'nothing is left behind: HIT';
    is $quiet->get('/key', token => "$secret=")->status, 401, 'nothing is left behind: inactive';
    is $quiet->get('/key', token => "$secret=x")->status, 401, 'nothing is left behind: malformed';
    $quiet->post('/key', 'x' x 40_000, token => $secret);
    $quiet->as->stop;
    is $quiet->get('/key', token => "$secret==")->status, 502, 'nothing is left behind: the AS is down';
    $quiet->as->resume;
    my @forms = (
        $secret, encode_base64($secret, ''), $secret =~ s/([^A-Za-z0-9\-._*])/sprintf '%%%02X', ord $1/ger,
        $secret =~ s/([^A-Za-z0-9\-._~])/sprintf '%%%02X', ord $1/ger, unpack 'H*', $secret
    );
    my @files = glob $quiet->folder . '/{*.log,start.err,*/*,*/*/*}';
    cmp_ok scalar(grep { m{/cache-key/} } @files), '>', 0, 'nothing is left behind: there are cache files';
    my @found = grep { my $bytes = slurp($_); grep { index(lc $bytes, lc $_) >= 0 } @forms, 'Zx9-secret' } grep { -f }
        @files;
    is_deeply \@found, [], 'with $phantom_token_key the token is nowhere on disk or in a log';
}

done_testing;
