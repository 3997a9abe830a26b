# phantom_token_hot_cache: copies in shared memory of what proxy_cache holds. Whose copy it is, how long it lives, what
# is never kept, and that a hot answer is checked and forwarded as any other.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Murmur qw(murmur_hash colliding_tokens);
use Time::HiRes qw(sleep time);

time_limit(600);

my $API   = 'proxy_pass http://%%API%%;';
my $CACHE = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key;';

# What variables say, as headers for the API and as fields of the access log.
my %SAID = map { (my $name = $_) =~ s/.*token_(?:claim_)?//; ($name => $_) }
    qw(phantom_token_sub phantom_token_client_id phantom_token_scope phantom_token_claim_iss phantom_token_claim_aud
       phantom_token_claim_exp phantom_token_claim_extra phantom_token_claim_active phantom_token_jwt
       phantom_token_status phantom_token_key);
my $SAY = join ' ', map { "proxy_set_header X-Said-$_ \$$SAID{$_};" } sort keys %SAID;

my $secret = temporary_folder() . '/secret';
open my $out, '>', $secret or die "$secret: $!";
print {$out} 'gateway-secret';
close $out;
chmod 0600, $secret;

my $key   = rsa_key('k1');
my $later = rsa_key('k2');
my ($other, $stopped) = map { authorization_server() } 1 .. 2;
my %parts = (
    servers => { AS2 => $other, STOPPED => $stopped },
    log     => { pid => 'pid', time => 'phantom_token_time', %SAID },
    http    => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:10m use_temp_path=off;
        proxy_cache_path %%DIR%%/broken keys_zone=broken:1m use_temp_path=off;
        proxy_cache_path %%DIR%%/two keys_zone=two:1m use_temp_path=off;
        map $host $zone_of_host { default tokens; two two; }
        map $http_x_as $chosen { default /_introspect; two /_introspec2; }
        proxy_cache_valid 200 204 10m;
    } . "$CACHE " . q{
        server {
            listen 127.0.0.1:%%PORT:other%%;
            server_name other;
            phantom_token_hot_cache hot;
            location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; proxy_cache off;
                         proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS2%%/introspect; }
        }
        server {
            listen 127.0.0.1:%%PORT:namesake%%;
            server_name localhost;
            phantom_token_introspection_endpoint /_introspect;
            phantom_token_hot_cache hot;
            proxy_cache off;
            location /limited { phantom_token off; limit_except POST { phantom_token on; } proxy_pass http://%%API%%; }
            location /if      { phantom_token on; if ($arg_a) { set $b 1; } proxy_pass http://%%API%%; }
            location /        { phantom_token on; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_cache tokens; proxy_pass http://%%AS2%%/introspect; }
        }
        map $host $server_of_host { default %%AS%%; two %%AS2%%; }
        server {
            listen 127.0.0.1:%%PORT:hosts%%;
            server_name one two;
            phantom_token_hot_cache hot;
            location /        { phantom_token on; phantom_token_introspection_endpoint /_hosts; proxy_cache off;
                                proxy_pass http://%%API%%; }
            location /headers { phantom_token on; phantom_token_introspection_endpoint /_headers; proxy_cache off;
                                proxy_pass http://%%API%%; }
            location /if { phantom_token on; phantom_token_introspection_endpoint /_if; proxy_cache off;
                           proxy_pass http://%%API%%; }
            location /rewrite { phantom_token on; phantom_token_introspection_endpoint /_rewrite; proxy_cache off;
                                proxy_pass http://%%API%%; }
            location /zone { phantom_token on; phantom_token_introspection_endpoint /_zone?$host; proxy_cache off;
                             proxy_pass http://%%API%%; }
            location = /_if        { internal; if ($host = two) { rewrite ^ /_as-two last; }
                                     proxy_pass http://%%AS%%/introspect; }
            location = /_rewrite   { internal; rewrite ^ /_as-$host last; }
            location = /_zone      { internal; proxy_cache $zone_of_host;
                                     proxy_pass http://$server_of_host/introspect; }
            location = /_as-one    { internal; proxy_pass http://%%AS%%/introspect; }
            location = /_as-two    { internal; proxy_cache two; proxy_pass http://%%AS2%%/introspect; }
            location = /_hosts   { internal; proxy_cache_key $proxy_host$phantom_token_key;
                                   proxy_pass http://$server_of_host/introspect; }
            location = /_headers { internal; proxy_cache_key $host$phantom_token_key; proxy_set_header Host $host;
                                   proxy_pass http://%%AS%%/introspect; }
        }
        phantom_token_hot_cache zone=hot:1m valid=1h;
        phantom_token_hot_cache zone=brief:64k valid=40s;
    },
    server => q{
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_hot_cache hot;
        phantom_token_client_id gateway;
        phantom_token_client_secret_file SECRET;
        root %%DIR%%/files;
        proxy_cache off;
    } =~ s/SECRET/$secret/r,
    locations => join("\n", map {
        s/\bON\b/phantom_token on;/gr =~ s/\bAPI\b/$API/gr =~ s/\bSAY\b/$SAY/gr
    } split /\n/, q{
        location /            { ON SAY API }
        location /brief       { ON phantom_token_hot_cache brief; API }
        location /to-brief    { ON try_files /none /brief; }
        location /leeway      { ON phantom_token_leeway 1h; API }
        location /off         { ON phantom_token_hot_cache off; API }
        location /second      { ON phantom_token_introspection_endpoint /_introspec2; API }
        location /client      { ON phantom_token_client_id another; API }
        location /raw         { ON phantom_token_client_auth basic_raw; API }
        location /member      { ON phantom_token_jwt_member second jwt; API }
        location /size        { ON phantom_token_max_response_size 1k; API }
        location /chosen      { ON phantom_token_introspection_endpoint $chosen; API }
        location /if          { ON if ($arg_a) { set $b 1; } API }
        location /limited     { phantom_token off; limit_except POST { ON } API }

        location /scope       { ON phantom_token_scopes admin; API }
        location /issuer      { ON phantom_token_issuer elsewhere; API }
        location /audience    { ON phantom_token_audience elsewhere; API }
        location /problem     { ON phantom_token_scopes admin; phantom_token_error_format problem; API }
        location /bound       { ON phantom_token_confirmation pass; API }
        location /verified    { ON phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks; SAY API }
        location /exchange    { ON phantom_token_exchange_endpoint /_exchange; SAY API }
        location /exchange-a  { ON phantom_token_exchange_endpoint /_exchange; phantom_token_exchange_audience a; API }

        location /uncached    { ON phantom_token_introspection_endpoint /_uncached; API }
        location /refused-too { ON phantom_token_introspection_endpoint /_no-cache; API }
        location /broken      { ON phantom_token_introspection_endpoint /_broken; API }
        location /stale       { ON phantom_token_introspection_endpoint /_stale; phantom_token_stale on; API }
        location /uses        { ON phantom_token_introspection_endpoint /_uses; API }
        location /bypass      { ON phantom_token_introspection_endpoint /_bypass; API }
        location /unsafe      { ON phantom_token_introspection_endpoint /_unsafe; API }

        location /try         { ON try_files /nothing @named; }
        location @named       { ON API }
        location @scope       { ON phantom_token_scopes admin; API }
        location /error-page  { ON error_page 404 = @named; return 404; }
        location /error       { ON error_page 404 = @named; root %%DIR%%/nowhere; }
        location /error-scope { ON error_page 404 = @scope; root %%DIR%%/nowhere; }
        location /ssi         { ssi on; ssi_types *; alias %%DIR%%/files/; }
        location /part        { ON phantom_token_scopes read; proxy_method GET; API }
        location /policy      { ON auth_request /decide; API }
        location = /decide    { internal; proxy_pass_request_body off; proxy_set_header Content-Length ""; API }
        location /mirrored    { ON mirror /mirror; API }
        location = /mirror    { internal; ON API }
        location /any         { satisfy any; deny all; ON API }
        location /any-open    { satisfy any; allow all; ON API }

        location = /_introspect { internal; proxy_cache tokens; proxy_pass http://%%AS%%/introspect; }
        location = /_introspec2     { internal; proxy_cache tokens; proxy_pass http://%%AS2%%/introspect; }
        location = /_exchange   { internal; proxy_cache tokens; proxy_pass http://%%AS%%/token; }
        location = /_jwks       { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_uncached   { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_no-cache   { internal; proxy_cache tokens; proxy_no_cache 1; proxy_pass http://%%AS%%/introspect; }
        location = /_broken     { internal; proxy_cache broken; proxy_pass http://%%AS%%/introspect; }
        location = /_stale      { internal; proxy_cache tokens; proxy_cache_use_stale error timeout;
                                  proxy_pass http://%%STOPPED%%/introspect; }
        location = /_uses       { internal; proxy_cache tokens; proxy_cache_min_uses 2;
                                  proxy_pass http://%%AS%%/introspect; }
        location = /_bypass     { internal; proxy_cache tokens; proxy_cache_bypass 1;
                                  proxy_pass http://%%AS%%/introspect; }
        location = /_unsafe     { internal; proxy_cache tokens; proxy_cache_key $uri;
                                  proxy_pass http://%%AS%%/introspect; }
    }),
);
my $gateway = gateway(%parts, clock => 'time');
my ($as, $api, $folder) = ($gateway->as, $gateway->api, $gateway->folder);
my @asked_servers = ($as, $other, $stopped);

# What a request comes to: "STATUS CACHE SUB ASKED", with the sub of the JWT that the API saw and how often the
# authorization servers were asked.
sub outcome_of {
    my ($path, %request) = @_;
    $_->forget_requests for @asked_servers, $api;
    my $response = $gateway->request(path => $path, %request);
    check_refusal($response, 'any') if $response->status =~ /^(?:401|403|5)/;
    my ($sent) = map { $_->header('Authorization') // () } $api->requests;
    my $sub = defined $sent && $sent =~ /^Bearer (.+)$/ ? jwt_claims($1)->{sub} // 'anybody' : $sent // 'nobody';
    return join ' ', $response->status, $gateway->logged($response)->{cache} || '-', $sub, scalar map { $_->requests }
        @asked_servers;
}

# expect(NAME, PATH, TOKEN, what each request in turn comes to)
sub expect {
    my ($name, $path, $token, @outcomes) = @_;
    my ($options) = map { ref $path ? @{$path}[1 .. $#{$path}] : () } 1;
    ($path, my @more) = ref $path ? @{$path} : ($path);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = 0;
    is outcome_of($path, token => $token, @more), $_, "$name: " . ++$n . '.' for @outcomes;
    return;
}

# From here on nothing but a hot copy can answer without the authorization server.
sub remove_cache { unlink glob "$folder/cache/*"; return }

# What the API and the access log were told, by name.
sub said {
    my ($path, %request) = @_;
    my $response = $gateway->request(path => $path, %request);
    my %header = map { lc $_->[0] => $_->[1] } @{ $response->json->{headers} };
    my $line   = $gateway->logged($response);
    return ({ map { $_ => $header{"x-said-$_"} // '' } keys %SAID }, { map { $_ => $line->{$_} } keys %SAID }, $line);
}

mkdir "$folder/files";
open $out, '>', "$folder/files/page" or die $!;
print {$out} 'one: <!--# include virtual="/part/1" --> two: <!--# include virtual="/part/2" -->';
close $out;

my %who = (alice => { sub => 'alice', scope => 'read' }, bob => { sub => 'bob', scope => 'read' });
$as->answers(map { ("$_-token" => { jwt => $who{$_} }) } keys %who);
$other->answers(map { ("$_-token" => { jwt => { sub => "$_-two" } }) } keys %who);

# --- hot -------------------------------------------------------------------------------------------------------------

expect('MISS, then HOT', '/', 'alice-token', '200 MISS alice 1', '200 HOT alice 0', '200 HOT alice 0');
expect('another token', '/', 'bob-token', '200 MISS bob 1', '200 HOT bob 0');
remove_cache();
expect('no file of the cache is read', '/', $_ . '-token', "200 HOT $_ 0", "200 HOT $_ 0") for qw(alice bob);
expect('off in a location', '/off', 'alice-token', '200 MISS alice 1', '200 HIT alice 0', '200 HIT alice 0');
expect('a HIT fills it, too', '/', 'off-token', '200 HIT off 0', '200 HOT off 0')
    if $as->answers('off-token' => { jwt => { sub => 'off' } }) && outcome_of('/off', token => 'off-token');
expect('a token that begins like it', '/', 'alice-toke', '401 MISS nobody 1');
expect('a token that goes on', '/', 'alice-tokens', '401 MISS nobody 1');

# --- whose copy ------------------------------------------------------------------------------------------------------

# The same token, and another question about it or another way to read the answer: each has an answer of its own.
$as->answers(
    'same-token' => {
        json => {
            active => JSON::PP::true(), jwt => jwt({ sub => 'first' }), second => jwt({ sub => 'second' }),
            access_token => jwt({ sub => 'exchanged' }), issued_token_type => 'urn:ietf:params:oauth:token-type:jwt',
            token_type => 'N_A', x => 'x' x 1000
        }
    }
);
$other->answers('same-token' => { jwt => { sub => 'two' } });
{
    my @first  = (['/', 'first', 'MISS'], ['/client', 'first', 'MISS'], ['/raw', 'first', 'MISS'],
                  ['/second', 'two', 'MISS'], ['/member', 'second', 'HIT'],
        ['/exchange', 'exchanged', 'MISS'], ['/exchange-a', 'exchanged', 'MISS'],
        [['/', port => 'other'], 'two', 'MISS'], [['/', port => 'namesake'], 'two', 'MISS'],
        [['/chosen', headers => ['X-As: one']], 'first', 'HOT'], [['/chosen', headers => ['X-As: two']], 'two', 'HOT']);
    my $name = sub { my ($path) = @_; return ref $path ? "@{[map { ref ? @{$_} : $_ } @{$path}]}" : $path };
    expect(
        'one token, another question: ' . $name->($_->[0]), $_->[0], 'same-token',
        "200 $_->[2] $_->[1] " . ($_->[2] eq 'MISS' ? 1 : 0)
    ) for @first;
    expect('one token, another question: larger than another location reads', '/size', 'same-token', '502 HIT nobody 0',
        '502 HIT nobody 0');
    remove_cache();
    expect('one token, another question, all hot: ' . $name->($_->[0]), $_->[0], 'same-token', "200 HOT $_->[1] 0")
        for @first, reverse @first;
}
{
    # Blocks within a location ask as the location does, and as its server does.
    expect(
        "in an if ($_)", ["/if?a=1", port => $_], 'alice-token', $_ eq '' ? '200 HOT alice 0' : '200 MISS alice-two 1',
        '200 HOT ' . ($_ eq '' ? 'alice' : 'alice-two') . ' 0'
    ) for '', 'namesake';
    expect(
        "in limit_except ($_)", ['/limited', port => $_], 'bob-token',
        $_ eq '' ? '200 HOT bob 0' : '200 MISS bob-two 1', '200 HOT ' . ($_ eq '' ? 'bob' : 'bob-two') . ' 0'
    ) for '', 'namesake';
}

# What the cache's key tells apart beside the question, a copy could not: so there is none.
for my $turn ('MISS', 'HIT', 'HIT') {
    my $asked = $turn eq 'MISS' ? 1 : 0;
    expect(
        "the server is chosen by the host: $_->[0]", ['/', port => 'hosts', host => $_->[0]], 'alice-token',
        "200 $turn $_->[1] $asked"
    ) for ['one', 'alice'], ['two', 'alice-two'];
    for my $way (qw(if rewrite zone)) {
        my $token = "$way-token";
        $as->answers($token => { jwt => { sub => 'one' } });
        $other->answers($token => { jwt => { sub => 'two' } });
        expect("a location, chosen by $way: $_", ["/$way", port => 'hosts', host => $_], $token, "200 $turn $_ $asked")
            for 'one', 'two';
    }
    expect(
        "the key has the host: $_", ['/headers', port => 'hosts', host => $_], 'alice-token', "200 $turn alice $asked"
    ) for 'one', 'two';
}

for my $beginning ('abcd', 'a-longer-one') {
    my @tokens = colliding_tokens($beginning);
    is murmur_hash($tokens[0]), murmur_hash($tokens[1]), "collision: @tokens have one hash";
    $as->answers(map { ($tokens[$_] => { jwt => { sub => "collides-$_" } }) } 0, 1);
    for my $n (0, 1, 0, 1) {
        my $outcome = outcome_of('/', token => $tokens[$n]);
        like $outcome, qr/^200 (?:MISS|HOT) collides-$n [01]$/, "collision: each its own JWT ($outcome)";
    }
    remove_cache();
    expect('collision: both are hot', '/', $tokens[$_], "200 HOT collides-$_ 0") for 0, 1;
}

# --- each location's own rules for one copy --------------------------------------------------------------------------

$as->answers('ruled-token' => {
    jwt => { sub => 'ruled', scope => 'read', iss => 'here', aud => ['api'], exp => int(time) + 600 }
},
    'bound-token' => { jwt => { sub => 'bound', cnf => { jkt => 'x' } } },
    'dpop-token' => { json => { active => true, token_type => 'DPoP', jwt => jwt({ sub => 'dpop' }) } });
expect('rules: a location without any', '/', 'ruled-token', '200 MISS ruled 1', '200 HOT ruled 0');
remove_cache();
cases($gateway,
    { name => 'rules: scope', request => { path => '/scope', token => 'ruled-token' }, as => 0, status => 403,
      cache => 'HOT', outcome => 'insufficient_scope',
      challenge => { realm => 'api', error => 'insufficient_scope', scope => 'admin' } },
    { name => 'rules: scope, as problem details', request => { path => '/problem', token => 'ruled-token' }, as => 0,
      status => 403, cache => 'HOT', outcome => 'insufficient_scope', refusal => 'problem' },
    { name => 'rules: issuer', request => { path => '/issuer', token => 'ruled-token' }, as => 0, status => 401,
      cache => 'HOT', outcome => 'issuer', challenge => { realm => 'api', error => 'invalid_token' } },
    { name => 'rules: audience', request => { path => '/audience', token => 'ruled-token' }, as => 0, status => 401,
      cache => 'HOT', outcome => 'audience', challenge => { realm => 'api', error => 'invalid_token' } },
    { name => 'rules: and it is still there',
      request => { path => '/', token => 'ruled-token' }, as => 0, status => 200, cache => 'HOT', outcome => 'active' },
);
for my $token (qw(bound-token dpop-token)) {
    my ($sub) = $token =~ /^(\w+)/;
    expect('rules: confirmation', '/', $token, '401 MISS nobody 1', '401 HIT nobody 0');
    expect('rules: confirmation, passed on', '/bound', $token, "200 HIT $sub 0", "200 HOT $sub 0");
    expect('rules: confirmation, refused though it is hot', '/', $token, '401 HOT nobody 0');
}

# --- what is never kept ----------------------------------------------------------------------------------------------

$as->answers(
    '204-token'      => { status => 204 },
    'error-token'    => { status => 500, headers => ['X-Accel-Expires: 60'] },
    'garbage-token'  => { body => 'no.jwt', type => 'application/jwt' },
    'no-store-token' => { jwt => { sub => 'no-store' }, headers => ['Cache-Control: no-store'] },
    'ended-token'    => { jwt => { sub => 'ended', exp => int(time) - 10 } },
    'future-token'   => { jwt => { sub => 'future', nbf => int(time) + 600 } },
    'empty-token'    => { jwt => { scope => '' } },
);
expect('never kept: inactive (204)', '/', '204-token', '401 MISS nobody 1', ('401 HIT nobody 0') x 2);
expect('never kept: inactive (200)', '/', 'unknown-token', '401 MISS nobody 1', ('401 HIT nobody 0') x 2);
expect('never kept: an error', '/', 'error-token', '502 MISS nobody 1', ('502 HIT nobody 0') x 2);
expect('never kept: no JWT', '/', 'garbage-token', '502 MISS nobody 1', ('502 HIT nobody 0') x 2);
expect('never kept: expired', '/', 'ended-token', '401 MISS nobody 1', ('401 HIT nobody 0') x 2);
expect('never kept: accepted by leeway only', '/leeway', 'ended-token', ('200 HIT ended 0') x 3);
expect('never kept: not yet valid', '/', 'future-token', '401 MISS nobody 1', ('401 HIT nobody 0') x 2);
expect('never kept: refused by scope', '/scope', 'empty-token', '403 MISS nobody 1', ('403 HIT nobody 0') x 2);
expect('never kept: refused by scope, so the next location finds it in the cache', '/', 'empty-token',
    '200 HIT anybody 0', '200 HOT anybody 0');
expect('never kept: no cache', '/uncached', 'alice-token', ('200 - alice 1') x 3);
expect('never kept: no-store', '/', 'no-store-token', ('200 MISS no-store 1') x 3);
expect('never kept: proxy_no_cache', '/refused-too', 'alice-token', ('200 MISS alice 1') x 3);
expect('never kept: proxy_cache_min_uses', '/uses', 'alice-token', ('200 MISS alice 1') x 2, '200 HOT alice 0');
expect(
    'what passes the cache by is stored, and kept', '/bypass', 'alice-token', '200 BYPASS alice 1', '200 HOT alice 0'
);
expect('the guard refuses a key that does not tell tokens apart', '/unsafe', 'alice-token', ('500 MISS nobody 1') x 2);
expect('the guard: and for another token', '/unsafe', 'bob-token', '500 MISS nobody 1');
SKIP: {
    skip 'root may write into every folder', 1 if $> == 0 && $gateway->text !~ /^user /m;
    chmod 0555, "$folder/broken";
    chown 0, 0, "$folder/broken";
    $gateway->announce(qr/\[crit\].*broken.*Permission denied/);
    expect(
        'never kept: the folder of the cache cannot be written to', '/broken', 'alice-token', ('502 MISS nobody 1') x 3
    );
}

# --- how long --------------------------------------------------------------------------------------------------------

# All at once: what ends after 50 or 60 seconds is hot before and is not after 90.
{
    my $soon   = int(time) + 60;
    my $claims = sub { return { sub => $_[0], @_[1 .. $#_] } };
    my %answer = (
        'entry'   => { jwt => { sub => 'entry' }, headers => ['X-Accel-Expires: 50'] },
        'revoked' => { jwt => { sub => 'revoked' }, headers => ['X-Accel-Expires: 50'] },
        'exp'     => { jwt => { sub => 'exp', exp => $soon } },
        'half'    => { jwt => { sub => 'half', exp => "$soon.5" + 0 } },
        'json'    => { json => { active => true, exp => $soon, jwt => jwt({ sub => 'json', exp => $soon + 600 }) } },
        'inner'   => { json => { active => true, exp => $soon + 600, jwt => jwt({ sub => 'inner', exp => $soon }) } },
        'envelope' => { body => jwt(
            { iss => 'as', exp => $soon, token_introspection => { active => true, jwt => jwt({ sub => 'envelope' }) } },
            header => { alg => 'RS256', typ => 'token-introspection+jwt' }
        ), type => 'application/token-introspection+jwt' },
        'stays'   => { jwt => { sub => 'stays', exp => $soon + 6000 }, headers => ['X-Accel-Expires: 6000'] },
    );
    $as->answers(map { ("$_-token" => $answer{$_}) } keys %answer);
    $stopped->answers('stale-token' => { jwt => { sub => 'stale' }, headers => ['X-Accel-Expires: 50'] });
    expect("how long: $_, at first", '/', "$_-token", "200 MISS $_ 1", "200 HOT $_ 0") for sort keys %answer;
    expect('how long: valid, at first', '/brief', 'alice-token', '200 MISS alice 1', '200 HOT alice 0');
    expect('how long: stale, at first', '/stale', 'stale-token', '200 MISS stale 1', '200 HOT stale 0');
    $stopped->stop;
    $as->answers('revoked-token' => undef);
    $other->answers('alice-token' => { jwt => { sub => 'new-alice' } });
    expect('how long: revoked, while the entry lives', '/', 'revoked-token', '200 HOT revoked 0');
    $gateway->advance(90);

    expect('how long: the end of the cache entry', '/', 'entry-token', '200 EXPIRED entry 1', '200 HOT entry 0');
    expect(
        'how long: revoked, once the entry has ended', '/', 'revoked-token', '401 EXPIRED nobody 1', '401 HIT nobody 0'
    );
    expect("how long: exp ($_)", '/', "$_-token", ('401 HIT nobody 0') x 2) for qw(exp half json inner envelope);
    expect("how long: exp ($_), with leeway", '/leeway', "$_-token", ("200 HIT $_ 0") x 2)
        for qw(exp half json inner envelope);
    expect('how long: as long as nothing ends it', '/', 'stays-token', '200 HOT stays 0');
    expect('how long: valid', '/brief', 'alice-token', '200 HIT alice 0', '200 HOT alice 0');
    expect('never kept: stale', '/stale', 'stale-token', ('200 STALE stale 0') x 3);
    $gateway->announce(qr/connect\(\) failed/);

    # What revokes a token is the end of its entry; a copy of it goes on for valid at most.
    remove_cache();
    $as->answers('alice-token' => undef);
    expect('revoked, and its file removed: hot', '/brief', 'alice-token', '200 HOT alice 0');
    $gateway->advance(41);
    expect('revoked, and its file removed: not after valid', '/brief', 'alice-token', '401 MISS nobody 1');
    expect('revoked, and its file removed: where valid is longer', '/', 'alice-token', '200 HOT alice 0');
    $as->answers('alice-token' => { jwt => $who{alice} });
}

# A copy lives for valid from its answer on: a later use of the answer by the same request makes no new one.
{
    $as->answers('moved-token' => { jwt => { sub => 'moved' } });
    expect('redirected: kept in the zone of the first location', '/to-brief', 'moved-token', '200 MISS moved 1');
    expect('redirected: not in that of the second', '/brief', 'moved-token', '200 HIT moved 0', '200 HOT moved 0');
}

# --- variables and headers, as if the authorization server had been asked --------------------------------------------

my %claims = (
    sub => 'carol', client_id => 'app', scope => 'read write', iss => 'https://as.example', aud => ['a', 'b'],
    exp => int(time) + 6000, extra => 'x"\\y'
);
my %kinds  = (
    'jwt-token'      => { jwt => \%claims },
    'json-token'     => { json => { active => true, %claims, extra => 'from-json', jwt => jwt({ sub => 'dave' }) } },
    'envelope-token' => {
        body => jwt({ iss => 'as', token_introspection => { active => true, jwt => jwt(\%claims), extra => 'inner' } },
                    header => { alg => 'RS256', typ => 'token-introspection+jwt' }),
        type => 'application/token-introspection+jwt'
    },
    'unicode-token'  => { jwt => { sub => "\x{e9}\x{1f600}", extra => "a\tb", scope => ['read', 'write'] } },
    'bare-token'     => { jwt => {} },
    'exchange-token' => {
        json => { access_token => jwt(\%claims), issued_token_type => 'urn:ietf:params:oauth:token-type:jwt',
                  token_type => 'N_A', scope => 'other', extra => 'beside' }
    },
    'signed-token'   => { jwt => jwt(\%claims, key => $key) },
);
$as->answers(%kinds, '/jwks' => { json => jwks($key) });
for my $token (sort keys %kinds) {
    my $path = $token eq 'exchange-token' ? '/exchange' : $token eq 'signed-token' ? '/verified' : '/';
    my ($headers, $log, $line) = said($path, token => $token);
    is $line->{cache}, 'MISS', "variables ($token): a MISS";
    like $headers->{key}, qr/^[0-9a-f]{64}$/, "variables ($token): with a key";
    is $headers->{jwt}, $as->jwt_for($token), "variables ($token): with the JWT" if $token !~ /envelope/;
    for my $turn (1, 2) {
        my ($hot_headers, $hot_log, $hot_line) = said($path, token => $token);
        is $hot_line->{cache}, 'HOT', "variables ($token): HOT";
        is_deeply $hot_headers, $headers, "variables ($token): the API sees the same";
        is_deeply $hot_log, $log, "variables ($token): the access log says the same";
        is $hot_line->{time}, '0.000', "variables ($token): no time";
    }
}

# A copy of what the worker has not read again, but remembers from the cache: with the members of the JSON too.
for my $kind (qw(json envelope)) {
    my $token = "remembered-$kind-token";
    $as->answers($token => $kinds{"$kind-token"});
    expect("remembered ($kind): the worker has read it", '/off', $token, map {
        "200 $_"
    } $kind eq 'json' ? ('MISS dave 1', 'HIT dave 0') : ('MISS carol 1', 'HIT carol 0'));
    my ($headers, $log, $line) = said('/', token => $token);
    is $line->{cache}, 'HIT', "remembered ($kind): a HIT, which is kept";
    is $headers->{extra}, $kind eq 'json' ? 'from-json' : 'x"\\y', "remembered ($kind): with a claim";
    is $headers->{active}, 'true', "remembered ($kind): and one of the JSON";
    my ($hot_headers, $hot_log, $hot_line) = said('/', token => $token);
    is $hot_line->{cache}, 'HOT', "remembered ($kind): HOT";
    is_deeply [$hot_headers, $hot_log], [$headers, $log], "remembered ($kind): the API and the access log see the same";
}

# --- signatures ------------------------------------------------------------------------------------------------------

expect(
    'signatures: a copy that a location without them has kept is verified', '/', 'plain-token', '200 MISS plain 1',
    '200 HOT plain 0'
) if $as->answers('plain-token' => { jwt => { sub => 'plain' } });
expect('signatures: and refused', '/verified', 'plain-token', '502 HOT nobody 0');
expect('signatures: good', '/verified', 'signed-token', '200 HOT carol 0');
$as->answers('/jwks' => { json => jwks($later) });
is $gateway->reload, '', 'signatures: the key is withdrawn';
remove_cache();
expect('signatures: a withdrawn key; the JWK Set is asked for twice, since the key is unknown', '/verified',
    'signed-token', '502 HOT nobody 2');
expect('signatures: where nobody looks', '/', 'signed-token', '200 HOT carol 0');

# --- among nginx's other parts ---------------------------------------------------------------------------------------

remove_cache();
$as->answers('alice-token' => { status => 500 }); # whoever asks gets nothing
expect('try_files', '/try', 'alice-token', '200 HOT alice 0');
expect('error_page', '/error/x', 'alice-token', '200 HOT alice 0');
expect('error_page: the rules of the location behind it', '/error-scope/x', 'alice-token', '403 HOT nobody 0');
expect('satisfy any', '/any', 'alice-token', '200 HOT alice 0');
expect('satisfy any, granted by another module', '/any-open', 'alice-token', '200 - nobody 0');
expect('HTTP/2', ['/', port => 'h2', http2 => 1], 'alice-token', '200 HOT alice 0');
expect('auth_request: the policy service sees the JWT', '/policy', 'alice-token', '200 HOT alice 0');
is_deeply [
    map { $_->{uri} . ' ' . jwt_claims(($_->header('Authorization') =~ /^Bearer (.+)/)[0])->{sub} } $api->requests
], ['/decide alice', '/policy alice'], 'auth_request: both see it';
{
    $_->forget_requests for $as, $api;
    my $page = $gateway->get('/ssi/page', token => 'alice-token');
    is $page->status, 200, 'SSI';
    is_deeply [
        sort map { $_->{uri} . ' ' . jwt_claims(($_->header('Authorization') =~ /^Bearer (.+)/)[0])->{sub} }
            $api->requests
    ], ['/part/1 alice', '/part/2 alice'], 'SSI: a hot answer for each part';
    is scalar(my @asked = $as->requests), 0, 'SSI: the AS is not asked';
    $api->forget_requests;
    $gateway->get('/mirrored', token => 'alice-token');
    $api->wait_for_requests(2);
    is_deeply [
        sort map { $_->{uri} . ' ' . jwt_claims(($_->header('Authorization') =~ /^Bearer (.+)/)[0])->{sub} }
            $api->requests
    ], ['/mirror alice', '/mirrored alice'], 'mirror';
}
for my $body ('x' x 300_000, '') {
    $api->forget_requests;
    is $gateway->post('/', $body, token => 'alice-token')->json->{body_length}, length $body,
        'a body of ' . length($body) . ' bytes';
    is $gateway->request(
        method => 'POST', path => '/', token => 'alice-token', chunked => [$body || 'y']
    )->json->{body_length}, length($body || 'y'), 'and a chunked one';
}
{
    my $connection = $gateway->connect;
    $connection->send(join '', map {
        Harness::Client::request_bytes({ path => '/', token => "$_-token" })
    } qw(alice bob alice alice bob));
    is join(
        ' ', map { my %header = map { @{$_} } @{ $_->json->{headers} }; $header{'X-Said-sub'} } map {
            $connection->response('GET')
        } 1 .. 5
    ), 'alice bob alice alice bob', 'pipelined';
    is $connection->finish, '', 'pipelined: nothing follows';
}
$as->answers('alice-token' => { jwt => $who{alice} });

# --- reload ----------------------------------------------------------------------------------------------------------

expect('reload', '/', 'alice-token', '200 HOT alice 0');
expect('reload', '/', 'reload-token', '200 MISS reload 1', '200 HOT reload 0')
    if $as->answers('reload-token' => { jwt => { sub => 'reload' } });
remove_cache();
is $gateway->reload, '', 'reload';
expect('reload: the copies are still there', '/', $_ . '-token', "200 HOT $_ 0") for qw(alice reload);
$gateway->advance(61);
is $gateway->reload(http => $parts{http} =~ s/zone=hot:1m valid=1h/zone=hot:1m valid=60s/r), '',
    'reload: a shorter valid';
expect('reload: a shorter valid counts for the copies that are there', '/', 'reload-token', '200 MISS reload 1',
    '200 HOT reload 0');
is $gateway->reload(http => $parts{http} =~ s/zone=hot:1m/zone=hot:2m/r), '', 'reload: another size';
remove_cache();
expect('reload: another size starts afresh', '/', 'reload-token', '200 MISS reload 1', '200 HOT reload 0');

# --- debug -----------------------------------------------------------------------------------------------------------

is $gateway->reload(log_level => 'debug'), '', 'at debug';
expect('at debug no line of ours holds a token', '/', 'debug-token', '200 MISS debug 1', '200 HOT debug 0')
    if $as->answers('debug-token' => { jwt => { sub => 'debug' } });
check_faults();
is $gateway->reload(log_level => 'info'), '', 'at info';

# --- sizes, with an authorization server that is quick: nginx. The JWT's signature is the token ----------------------

my ($head) = jwt({ sub => 'x' }) =~ /^(.+\..+)\./;
my ($filled) = jwt({ sub => 'x', filler => 'x' x 690 }) =~ /^(.+\..+)\./; # with a signature of 43 characters: 1 KB
my $backend = gateway(
    module    => 0,
    http      => 'access_log off; keepalive_requests 1000000; large_client_header_buffers 8 64k; '
        . 'map $http_x_body $token { "~^token=(?<t>[A-Za-z0-9._~-]+)&" $t; }',
    locations => qq{ location /introspect { default_type application/jwt; return 200 "$head.\$token"; } }
        . qq{location /filled { default_type application/jwt; return 200 "$filled.\$token"; } }
        . qq{location /api { return 200 "\$http_x_cache \$http_authorization"; } },
);
my $way = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; '
    . 'proxy_set_header X-Body $request_body;';
my $quick = gateway(
    servers   => { BACKEND => '127.0.0.1:' . $backend->port },
    log_level => 'notice',
    log       => { pid => 'pid' },
    workers   => 2,
    http      => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:10m use_temp_path=off;
        phantom_token_hot_cache zone=large:4m valid=1h;
        phantom_token_hot_cache zone=tiny:32k valid=1h;
        phantom_token_hot_cache zone=million:1m valid=1h;
        upstream backend { server %%BACKEND%%; keepalive 32; }
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        large_client_header_buffers 8 64k;
        keepalive_requests 1000000;
    },
    server    => 'listen 127.0.0.1:%%PORT:shared%% reuseport;',
    locations => join '', map { qq{
        location /$_  { phantom_token on; phantom_token_hot_cache $_; phantom_token_introspection_endpoint /_$_;
                        proxy_set_header X-Cache \$phantom_token_cache; proxy_pass http://backend/api; }
        location /$_-1 { phantom_token on; phantom_token_hot_cache $_; phantom_token_introspection_endpoint /_${_}1;
                         proxy_set_header X-Cache \$phantom_token_cache; proxy_pass http://backend/api; }
        location = /_$_  { internal; $way proxy_pass http://backend/@{[$_ eq 'million' ? 'filled' : 'introspect']}; }
        location = /_${_}1 { internal; $way proxy_pass http://backend/introspect; }
    } } qw(large tiny million),
);
my $client = $quick->connect;
my @letters = ('a' .. 'z', 0 .. 9);
my $made = 0;

# A token of that length that has not been there. Whatever the length, base64url may end in A.
sub new_token {
    my ($size) = @_;
    my $token = join '', map { $letters[rand @letters] } 1 .. $size - 7;
    return sprintf('%06d', ++$made) . $token . 'A';
}

# "CACHE" where the API saw this very token's JWT, else all that it saw.
sub quick {
    my ($path, $token) = @_;
    my $response = $client->get($path, headers => ["Authorization: Bearer $token"]);
    my $body     = $response->body;
    return $body =~ s/ Bearer (?:\Q$head\E|\Q$filled\E)\.\Q$token\E\z//r;
}

{
    # Whatever lies at the border of two pieces or two pages.
    my @wrong;
    my $checked = 0;
    for my $size (
        10 .. 190, 200 .. 300, 440 .. 540, 960 .. 1060, 1990 .. 2090, 4040 .. 4110, 10_000 .. 10_006, 20_000 .. 20_006,
        30_000
    ) {
        next if $size % 4 == 1; # no length of base64url
        for my $path ('/large', '/large-1') { # one byte apart
            my $token = new_token($size);
            my @caches = map { quick($path, $token) } 1, 2;
            $checked++;
            push @wrong, "$size $path: @{[map { substr $_, 0, 60 } @caches]}" if "@caches" ne 'MISS HOT';
        }
    }
    is scalar(@wrong), 0, "sizes: $checked of them, each JWT byte by byte"
        or diag join "\n", @wrong[0 .. ($#wrong > 9 ? 9 : $#wrong)];
}
{
    # A zone of 32 KB: the oldest go, nothing fails, what is used stays.
    my $used = new_token(400);
    my @tokens = map { new_token(400) } 1 .. 100;
    is quick('/tiny', $used), 'MISS', 'eviction: the first';
    my (%seen, %first);
    for my $token (@tokens) {
        $first{ quick('/tiny', $token) }++;
        $seen{ quick('/tiny', $token) }++;
        $seen{ 'used ' . quick('/tiny', $used) }++;
    }
    is_deeply \%first, { MISS => 100 }, 'eviction: each is asked for once';
    is_deeply \%seen, { HOT => 100, 'used HOT' => 100 }, 'eviction: and is hot; so is always what is used';
    is quick('/tiny', $tokens[0]), 'HIT', 'eviction: the oldest is out';
    is quick('/tiny', $tokens[-1]), 'HOT', 'eviction: the newest is in';

    my %mixed;
    my @mix = map { new_token((100, 300, 900, 2000, 2700)[$_ % 5] + 2 * ($_ % 7)) } 0 .. 149;
    for my $turn (1 .. 3) { $mixed{ quick('/tiny', $_) }++ for grep { length($_) % 4 != 1 } @mix }
    is join(' ', grep { !/^(?:MISS|HIT|HOT)$/ } keys %mixed), '',
        'eviction: of all sizes, every request has its own JWT';
    my $last = new_token(100);
    is join(' ', map { quick('/tiny', $last) } 1, 2), 'MISS HOT', 'eviction: and there is room for a new one';
    my $large = new_token(8000);
    is join(' ', map { quick('/tiny', $large) } 1 .. 3), 'MISS HIT HIT',
        'eviction: one that is too large for the zone is not kept';
    is quick('/tiny', $last), 'HOT', 'eviction: and costs nobody its place';
}
{
    # What the documents say about the size of a zone.
    my %seen;
    my @tokens = map { new_token(43) } 1 .. 640;
    my $size   = length "$filled.$tokens[0]";
    ok $size >= 1000 && $size <= 1100, "memory: JWTs of $size bytes";
    for my $turn (1, 2) { $seen{ quick('/million', $_) }++ for @tokens }
    is_deeply \%seen, { MISS => 640, HOT => 640 }, 'memory: 1 MB holds 640 of them' or diag explain \%seen;
}
{
    # Copies are for all workers.
    my %by;
    my $token = new_token(100);
    is quick('/large', $token), 'MISS', 'two workers: filled by one';
    for my $n (1 .. 200) {
        my $response = $quick->get('/large', port => 'shared', token => $token);
        $by{ $quick->logged($response)->{pid} }{ $response->body =~ s/ .*//sr }++;
        last if keys %by == 2;
    }
    is scalar(keys %by), 2, 'two workers: both were asked';
    is_deeply [map { keys %{$_} } values %by], ['HOT', 'HOT'], 'two workers: hot in both';
}
is $client->finish, '', 'nothing follows';

# --- nginx -t --------------------------------------------------------------------------------------------------------

my $declared = 'phantom_token_hot_cache zone=hot:1m;';
my $add_cold = qr/add "phantom_token_hot_cache zone=cold:16m;" to "http"/;
configurations(
    { name => 'nginx -t: declared before and used',
      http => $declared, protected => 'phantom_token_hot_cache hot;', accepts => 1, warns => undef },
    { name => 'nginx -t: declared and used in http',
      http => "$declared phantom_token_hot_cache hot;", protected => '', accepts => 1 },
    { name => 'nginx -t: used, then declared',
      http => "phantom_token_hot_cache hot; $declared", protected => '', accepts => 1 },
    { name => 'nginx -t: declared in a later line than the server', config => 'phantom_token_hot_cache hot; '
          . 'server { listen 127.0.0.1:1; location / { return 204; } } phantom_token_hot_cache zone=hot:1m valid=1m;',
      accepts => 1 },
    { name => 'nginx -t: several zones, valid before zone',
      http => "$declared phantom_token_hot_cache valid=1y zone=more:32k;", protected => 'phantom_token_hot_cache more;',
      accepts => 1 },
    { name => 'nginx -t: off below',
      http => "$declared phantom_token_hot_cache hot;", protected => 'phantom_token_hot_cache off;', accepts => 1 },
    { name => 'nginx -t: an unknown zone', http => $declared, protected => 'phantom_token_hot_cache cold;',
      refuses => qr{"phantom_token_hot_cache" of location "/" names the zone "cold", which is unknown: $add_cold} },
    { name => 'nginx -t: an unknown zone, where protection is off',
      server => 'phantom_token_hot_cache cold;', locations => 'location / { return 204; }',
      refuses => qr{"phantom_token_hot_cache" of location "\S+" names the zone "cold", which is unknown} },
    { name => 'nginx -t: a zone that is declared twice', http => "$declared $declared", protected => '',
      refuses => qr/"phantom_token_hot_cache" has a zone that another line declares: "hot"/ },
    { name => 'nginx -t: twice, with another size',
      http => "$declared phantom_token_hot_cache zone=hot:2m;", protected => '', refuses => qr/"hot"/ },
    { name => 'nginx -t: used twice in one block',
      http => $declared, protected => 'phantom_token_hot_cache hot; phantom_token_hot_cache off;',
      refuses => qr/"phantom_token_hot_cache" directive is duplicate/ },
    { name => 'nginx -t: off twice in one block',
      http => $declared, protected => 'phantom_token_hot_cache off; phantom_token_hot_cache off;',
      refuses => qr/"phantom_token_hot_cache" directive is duplicate/ },
    { name => 'nginx -t: the name of a proxy_cache',
      http => 'proxy_cache_path %%DIR%%/cache keys_zone=hot:1m; phantom_token_hot_cache zone=hot:1m;', protected => '',
      refuses => qr/shared memory zone "hot" is already declared for a different use/ },
    { name => 'nginx -t: the name of a proxy_cache, used',
      http => 'proxy_cache_path %%DIR%%/cache keys_zone=hot:1m;', protected => 'phantom_token_hot_cache hot;',
      refuses => qr/shared memory zone "hot" is already declared for a different use/ },
    (map {
        { name => "nginx -t: $_->[0]", http => "phantom_token_hot_cache $_->[1];", protected => '', refuses => $_->[2] }
    }
        ['less than 8 pages',
         'zone=hot:31k', qr/"phantom_token_hot_cache" has a zone of less than 8 pages \(32k\): "zone=hot:31k"/],
        ['no size', 'zone=hot', qr/"phantom_token_hot_cache" wants "zone=NAME:SIZE"/],
        ['an empty size', 'zone=hot:', qr/"phantom_token_hot_cache" has a zone/],
        ['a size that is no size', 'zone=hot:many', qr/"phantom_token_hot_cache" has a zone whose size is invalid/],
        ['a negative size', 'zone=hot:-1m', qr/"phantom_token_hot_cache" has a zone whose size is invalid/],
        ['no name', 'zone=:1m', qr/"phantom_token_hot_cache" wants "zone=NAME:SIZE"/],
        ['the name of the counters\' zone', 'zone=phantom_token_metrics:32k',
         qr/"phantom_token_hot_cache" has a zone by the name of the one that phantom_token_metrics has/],
        ['valid alone', 'valid=5s', qr/"phantom_token_hot_cache" has no "zone=NAME:SIZE"/],
        ['valid of zero', 'zone=hot:1m valid=0',
         qr/"phantom_token_hot_cache" wants a time from 1s to 1y, it has: "valid=0"/],
        ['a negative valid', 'zone=hot:1m valid=-1', qr/wants a time from 1s to 1y/],
        ['an empty valid', 'zone=hot:1m valid=', qr/wants a time from 1s to 1y/],
        ['a valid that is no time', 'zone=hot:1m valid=soon', qr/wants a time from 1s to 1y/],
        ['milliseconds', 'zone=hot:1m valid=500ms', qr/wants a time from 1s to 1y/],
        ['more than a year', 'zone=hot:1m valid=2y', qr/wants a time from 1s to 1y/],
        ['an unknown parameter',
         'zone=hot:1m inactive=1m', qr/"phantom_token_hot_cache" has an invalid parameter: "inactive=1m"/],
        ['two zones in one line',
         'zone=hot:1m zone=more:1m', qr/"phantom_token_hot_cache" has a second zone: "zone=more:1m"/],
        ['two times in one line', 'valid=1s valid=2s', qr/"phantom_token_hot_cache" has a second time: "valid=2s"/],
        ['two names', 'hot cold', qr/"phantom_token_hot_cache" has an invalid parameter: "cold"/],
        ['an empty name', '""', qr/"phantom_token_hot_cache" wants the name of a zone/],
        ['three arguments', 'zone=hot:1m valid=1s off', qr/invalid number of arguments in "phantom_token_hot_cache"/]),
    { name => 'nginx -t: a zone in a location', protected => 'phantom_token_hot_cache zone=hot:1m;',
      refuses => qr/"phantom_token_hot_cache" declares a zone outside of "http": "zone=hot:1m"/ },
    { name => 'nginx -t: a zone in a server',
      server => 'phantom_token_hot_cache zone=hot:1m;', refuses => qr/declares a zone outside of "http"/ },
);

done_testing;
