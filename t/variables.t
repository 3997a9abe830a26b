# Every variable of docs/directives.md, read where users read them.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use JSON::PP ();

# The log tells what each was at the end; the API, what it was when the request was passed on.
my @names  = qw(
    key cache time jwt sub client_id scope claim_sub claim_tenant claim_n claim_roles claim_two claim_only_json
);
my %logged = map { $_ => "phantom_token_$_" } @names; # and the harness' own: outcome is $phantom_token_status

# Many of them in one value.
sub variables_of { return map { "\$phantom_token_$_" } @_ }
my @many     = variables_of(qw(sub status jwt time cache scope client_id claim_tenant));
my $together = join '', @many;
my $listed   = join '|', @many;
my $inside   = join '|', variables_of(qw(sub status jwt cache time claim_tenant));

my $gateway = gateway(
    clock => 'time',
    log  => { %logged, mapped => 'mapped', early => 'early', authorization => 'http_authorization' },
    http => qq(        map "$together" \$early { default set; "" empty; volatile; }\n) . <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m inactive=1h;
        map $phantom_token_sub $mapped { default other; alice is-alice; "" nobody; }
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
END
    server => qq(        set \$at_server "$listed";\n) . <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        set $key_at_server $phantom_token_key;
END
    locations => <<'END' =~ s/%%INSIDE%%/$inside/r,
        location / {
            proxy_pass http://%%API%%;
            proxy_set_header X-Sub $phantom_token_sub;
            proxy_set_header X-Status $phantom_token_status;
            proxy_set_header X-Key $phantom_token_key;
            proxy_set_header X-Key-At-Server $key_at_server;
            proxy_set_header X-At-Server $at_server;
            proxy_set_header X-Jwt $phantom_token_jwt;
            proxy_set_header X-Scope $phantom_token_scope;
            proxy_set_header X-Client-Id $phantom_token_client_id;
            proxy_set_header X-Tenant $phantom_token_claim_tenant;
            proxy_set_header X-N $phantom_token_claim_n;
            proxy_set_header X-Roles $phantom_token_claim_roles;
            proxy_set_header X-Mapped $mapped;
            proxy_set_header X-Authorization $http_authorization;
            add_header X-Sub $phantom_token_sub always;
            add_header X-Status $phantom_token_status always;
            add_header X-Cache $phantom_token_cache always;
            add_header X-Time $phantom_token_time always;
        }
        location /claim { proxy_pass http://%%API%%; add_header X-Two $phantom_token_claim_two;
                          add_header X-Path $phantom_token_claim_https___example_com_tenant; }
        location /upper { proxy_pass http://%%API%%; add_header X-Upper $phantom_token_claim_TENANT;
                          add_header X-Mixed $Phantom_Token_Claim_Tenant; }
        location /off { phantom_token off; proxy_pass http://%%API%%; }
        location /scopes { phantom_token_scopes "admin"; proxy_pass http://%%API%%; }
        location /if { if ($phantom_token_sub) { return 418; } if ($phantom_token_status) { return 418; }
                       proxy_pass http://%%API%%; }
        location = /judged { try_files /nonexistent /after; }
        location = /after {
            if ($phantom_token_sub = alice) {
                return 200 "alice|$phantom_token_status|$phantom_token_claim_tenant|$phantom_token_scope";
            }
            return 200 "other|$phantom_token_sub";
        }
        location = /judged-to-off { try_files /nonexistent /after-off; }
        location = /after-off { phantom_token off; proxy_pass http://%%API%%;
                                proxy_set_header X-Sub $phantom_token_sub; }
        location = /judged-to-scopes { try_files /nonexistent /scopes; }
        location /errors { error_page 401 403 502 /error; phantom_token_scopes "read"; proxy_pass http://%%API%%; }
        location = /error { internal; phantom_token off; return 200 "$phantom_token_status"; }
        location /named { error_page 401 403 502 = @error; phantom_token_scopes "read"; proxy_pass http://%%API%%; }
        location @error { phantom_token off; return 200 "$phantom_token_status|$phantom_token_sub"; }
        location /any { satisfy any; allow all; proxy_pass http://%%API%%; }
        location /ssi { ssi on; proxy_pass http://%%API%%; }
        location /echo { ssi on; proxy_pass http://%%API%%; }
        location /tenant/ { phantom_token_introspection_endpoint /_tenant; ssi on; proxy_pass http://%%API%%;
                            proxy_set_header X-Sub $phantom_token_sub; proxy_set_header X-Jwt $phantom_token_jwt;
                            proxy_set_header X-Mapped $mapped; }
        location /policy { auth_request /_policy; auth_request_set $policy $upstream_http_x_policy;
                           proxy_pass http://%%API%%; proxy_set_header X-Policy $policy; }
        location = /_policy { internal; phantom_token off; proxy_pass http://%%API%%/the-policy;
                              proxy_set_header X-Sub $phantom_token_sub;
                              proxy_set_header X-Status $phantom_token_status; }
        location /return { return 200 "$phantom_token_status|$phantom_token_sub"; }

        location = /_introspect {
            internal; proxy_pass http://%%AS%%/introspect;
            proxy_set_header X-Inside "%%INSIDE%%";
            proxy_set_header X-Key $phantom_token_key;
            proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;
            proxy_cache_use_stale error;
        }
        location = /_tenant { internal; proxy_pass http://%%AS%%/tenant; }
END
);
my $as  = $gateway->as;
my $hex = qr/^[0-9a-f]{64}$/;

my %alice = (sub => 'alice', client_id => 'app', scope => 'read write', tenant => 'acme', n => 7, roles => ['a', 'b']);
my %empty = map { $_ => '' } grep { !/^(?:key|cache|time)$/ } @names;

# --- the places ------------------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'variables: log_format, proxy_set_header, add_header, map',
      request => { path => '/', token => 'alice-token' }, answers => { 'alice-token' => { jwt => {%alice} } },
      status => 200,
      logged => { key => $hex, status => '200', outcome => 'active', cache => 'MISS', time => qr/^\d+\.\d{3}$/,
                  jwt => '<jwt>', sub => 'alice', client_id => 'app', scope => 'read write', claim_tenant => 'acme',
                  claim_n => '7', claim_roles => 'a b', mapped => 'is-alice', authorization => 'Bearer <jwt>' },
      as  => [{ x_key => $hex, x_inside => '|||||' }],
      api => [
          { x_sub => 'alice', x_status => 'active', x_jwt => '<jwt>', x_scope => 'read write', x_client_id => 'app',
            x_tenant => 'acme', x_n => '7', x_roles => 'a b', x_mapped => 'is-alice', x_authorization => 'Bearer <jwt>',
            x_key => $hex, x_key_at_server => $hex, x_at_server => '|||||||' }
      ],
      headers => { 'X-Sub' => 'alice', 'X-Status' => 'active', 'X-Cache' => 'MISS', 'X-Time' => qr/^\d+\.\d{3}$/ } },
    { name => 'variables: the same from the cache',
      request => { path => '/', token => 'alice-token' }, status => 200, as => 0,
      logged => { cache => 'HIT', sub => 'alice', time => '0.000' }, headers => { 'X-Cache' => 'HIT' }, api => 1 },
    { name => 'variables: before the access phase all are empty but $phantom_token_key',
      request => { path => '/', token => 'alice-token' }, status => 200,
      api => [{ x_at_server => '|||||||', x_key_at_server => $hex }] },
    { name => 'variables: an `if` in the same pass sees nothing',
      request => { path => '/if', token => 'alice-token' }, status => 200, api => 1 },
    { name => 'variables: return runs before the access phase: nothing is judged, nothing is told',
      request => { path => '/return', token => 'alice-token' }, status => 200, body => '|', as => 0 },
    { name => 'variables: an `if` after an internal redirect sees the verdict',
      request => { path => '/judged', token => 'alice-token' }, status => 200, body => 'alice|active|acme|read write' },
    { name => 'variables: names in any case', request => { path => '/upper', token => 'alice-token' }, status => 200,
      headers => { 'X-Upper' => 'acme', 'X-Mixed' => 'acme' } },
    { name => 'variables: HTTP/2', request => { path => '/', token => 'alice-token', http2 => 1, port => 'h2' },
      status => 200, headers => { 'X-Sub' => 'alice', 'X-Cache' => 'HIT' } },
    { name => 'variables: no token: all empty but the status', request => { path => '/' }, status => 401,
      logged => { %empty, key => '', time => '', cache => '', mapped => 'nobody' }, outcome => 'missing',
      headers => { 'X-Status' => 'missing', 'X-Sub' => undef } },
    { name => 'variables: malformed: no key', request => { path => '/', headers => ['Authorization: Bearer a b'] },
      status => 401, logged => { %empty, key => '' }, outcome => 'malformed' },
    { name => 'variables: refused: the claims are empty',
      request => { path => '/scopes', token => 'alice-token' }, status => 403,
      logged => { %empty, cache => 'HIT', key => $hex, mapped => 'nobody' }, outcome => 'insufficient_scope' },
    { name => 'variables: refused in the new location: what the first had allowed is gone',
      request => { path => '/judged-to-scopes', token => 'alice-token' }, status => 403,
      logged => { %empty, mapped => 'nobody' }, outcome => 'insufficient_scope' },
    { name => 'variables: protection off: empty', request => { path => '/off', token => 'alice-token' }, status => 200,
      logged => { %empty, time => '', cache => '', outcome => '' },
      api => [{ authorization => 'Bearer alice-token' }] },
    { name => 'variables: after a redirect into a location with protection off',
      request => { path => '/judged-to-off', token => 'alice-token' }, status => 200,
      api => [{ authorization => 'Bearer <jwt>' }] },
    { name => 'variables: satisfy any: bypassed, the claims are empty',
      request => { path => '/any', token => 'alice-token' }, status => 200, outcome => 'bypassed', logged => \%empty,
      as => 0, api => [{ authorization => undef }] },
);

# --- $phantom_token_status: a word for each outcome, kept by error_page ----------------------------------------------

my %read = (%alice, iss => 'https://as');
my @words = (
    [missing            => 401, undef],
    [malformed          => 401, undef, headers => ['Authorization: Bearer a b']],
    [inactive           => 401, { status => 204 }],
    [expired            => 401, { jwt => { %read, exp => 1 } }],
    [not_yet_valid      => 401, { jwt => { %read, nbf => 9_999_999_999 } }],
    [bound              => 401, { jwt => { %read, cnf => {} } }],
    [insufficient_scope => 403, { jwt => { %read, scope => 'x' } }],
    [as_refused_client  => 502, { status => 401 }],
    [as_busy            => 503, { status => 503 }],
    [as_error           => 502, { status => 500 }],
    [as_bad_response    => 502, { json => '{' }],
    [as_timeout         => 504, { status => 504 }],
    [active             => 200, { jwt => {%read} }],
);
for my $row (@words) {
    my ($word, $status, $answer, @request) = @{$row};
    my $token = "word-$word-token";
    my %way   = ($answer ? (token => $token) : (), @request);
    my %rest  = (
        $answer ? (answers => { $token => $answer }) : (), outcome => $word, $status == 200 ? () : (logged => \%empty)
    );
    my $kept  = $status =~ /^(?:401|403|502)$/;
    cases($gateway,
        { name => "status: $word", request => { path => '/errors', %way }, %rest, status => $status,
          $kept ? (refusal => 'any', body => $word) : () },
        { name => "status: $word, after error_page to a named location", request => { path => '/named', %way }, %rest,
          $kept ? (status => 200, body => "$word|") : (status => $status) },
    );
}

# --- claims ----------------------------------------------------------------------------------------------------------

# name, JSON of claim_n, the variable's value
my @values = (
    ['a number'                         => '7', '7'],
    ['a number as it stands: zeros'     => '1.50', '1.50'],
    ['a number as it stands: exponent'  => '-1.0E+2', '-1.0E+2'],
    ['a number of many digits'          => '1' x 300, '1' x 300],
    ['minus zero'                       => '-0', '-0'],
    ['true'                             => 'true', 'true'],
    ['false'                            => 'false', 'false'],
    ['null'                             => 'null', ''],
    ['a string'                         => '"x y"', 'x y'],
    ['an empty string'                  => '""', ''],
    ['escapes'                          => '"a\u0041\/\u00e9"', "aA/\xc3\xa9"],
    ['a pair of surrogates'             => '"\ud83d\ude00"', "\xf0\x9f\x98\x80"],
    ['UTF-8'                            => "\"\xc3\xa9\"", "\xc3\xa9"],
    ['a control character: LF'          => '"a\nb"', ''],
    ['a control character: CR LF'       => '"a\r\nX-Evil: 1"', ''],
    ['a control character: TAB'         => '"a\tb"', ''],
    ['a control character: NUL'         => '"a\u0000b"', ''],
    ['a control character: 0x1f'        => '"\u001f"', ''],
    ['a control character: DEL'         => '"\u007f"', ''],
    ['an object'                        => '{"a":"b"}', ''],
    ['an empty object'                  => '{}', ''],
    ['an array of strings'              => '["a","b c","d"]', 'a b c d'],
    ['an array of one'                  => '["a"]', 'a'],
    ['an empty array'                   => '[]', ''],
    ['an array with a number'           => '["a",1]', ''],
    ['an array with null'               => '["a",null]', ''],
    ['an array with an array'           => '[["a"]]', ''],
    ['an array with a control character' => '["a","b\u0000"]', ''],
    ['an array with escapes'            => '["\u0061","b\/"]', 'a b/'],
);
my $n = 0;
for my $value (@values) {
    my ($name, $json, $text) = @{$value};
    my ($jwt_token, $json_token) = map { "claim-$_-" . ++$n . '-token' } qw(jwt json);
    # escape=json in the log; nginx's own reader of headers has no say there.
    cases($gateway,
        { name => "claims: $name", request => { path => '/claim', token => $jwt_token },
          answers => { $jwt_token => { jwt => jwt("{\"n\":$json}") } }, status => 200, logged => { claim_n => $text } },
        { name => "claims: $name, from the JSON answer", request => { path => '/claim', token => $json_token },
          answers => { $json_token => { json => "{\"active\":true,\"n\":$json,\"jwt\":\"" . jwt({}) . '"}' } },
          status => 200, logged => { claim_n => $text } },
    );
}

# JWT, JSON answer, NAME, value
my @sources = (
    ['the JWT first'                                => { tenant => 'jwt' }, { tenant => 'json' },
     claim_tenant => 'jwt'],
    ['then the JSON answer'                         => {}, { tenant => 'json' }, claim_tenant => 'json'],
    ['the JWT first, though empty'                  => { tenant => '' }, { tenant => 'json' }, claim_tenant => ''],
    ['the JWT first, though an object'              => { tenant => {} }, { tenant => 'json' }, claim_tenant => ''],
    ['the JWT first, though it has a control character' => { tenant => "\n" }, { tenant => 'json' },
     claim_tenant => ''],
    ['only in the JSON answer'                      => {}, { 'only-json' => 'x' }, claim_only_json => 'x'],
    ['sub, the JWT first'                           => { sub => 'jwt' }, { sub => 'json' }, sub => 'jwt'],
    ['sub, then the JSON answer'                    => {}, { sub => 'json' }, sub => 'json'],
    ['client_id, the JWT first'                     => { client_id => 'jwt' }, { client_id => 'json' },
     client_id => 'jwt'],
    ['client_id, then the JSON answer'              => {}, { client_id => 'json' }, client_id => 'json'],
    ['scope, the JWT first'                         => { scope => 'jwt' }, { scope => 'json' }, scope => 'jwt'],
    ['scope, then the JSON answer'                  => {}, { scope => 'json' }, scope => 'json'],
    ['scope, an array of strings'                   => { scope => ['a', 'b'] }, {}, scope => 'a b'],
    ['sub, a number'                                => { sub => 7 }, {}, sub => '7'],
    ['lowercased'                                   => { TenAnt => 'x' }, {}, claim_tenant => 'x'],
    ['other characters are _'                       => { 't-w:o' => 'y', 'T.W/O' => 'z' }, {}, claim_two => ''],
    ['a dash is _'                                  => { 'Only-JSON' => 'x' }, {}, claim_only_json => 'x'],
    ['two match: empty'                             => { tenant => 'a', Tenant => 'b' }, {}, claim_tenant => ''],
    ['two match with one value: empty'              => { tenant => 'a', TENANT => 'a' }, {}, claim_tenant => ''],
    ['two match in the JSON answer: empty'          => {}, { tenant => 'a', Tenant => 'b' }, claim_tenant => ''],
    ['two match in the JWT: empty, whatever the JSON answer has' => { tenant => 'a', Tenant => 'b' }, { tenant => 'c' },
     claim_tenant => ''],
    ['two subs: empty'                              => { sub => 'a', SUB => 'b' }, {}, sub => ''],
    ['two subs in the JWT: empty, whatever the JSON answer has' => { sub => 'a', SUB => 'b' }, { sub => 'c' },
     sub => ''],
    ['two client_ids: empty'                        => { client_id => 'a', 'client-id' => 'b' }, {}, client_id => ''],
    ['a prefix is no match'                         => { tenant_id => 'a', tenan => 'b' }, {}, claim_tenant => ''],
    ['claim_sub is sub'                             => { sub => 'alice' }, {}, claim_sub => 'alice'],
    ['a member of an object is no claim'            => { x => { tenant => 'a' } }, {}, claim_tenant => ''],
);
cases($gateway, map {
    my ($name, $claims, $members, $variable, $text) = @{$_};
    my $token = 'source-' . ++$n . '-token';
    { name => "claims: $name", request => { path => '/claim', token => $token },
      answers => { $token => { json => { active => true, jwt => jwt($claims), %{$members} } } }, status => 200,
      logged => { $variable => $text } }
} @sources);
cases($gateway,
    { name => 'claims: two that differ beyond a-z0-9_ only: empty',
      request => { path => '/claim', token => 'two-token' },
      answers => { 'two-token' => { jwt => { 'two' => 'x', 'TWO' => 'y' } } }, status => 200,
      logged => { claim_two => '' } },
    { name => 'claims: a URL as the name', request => { path => '/claim', token => 'url-token' },
      answers => { 'url-token' => { jwt => { 'https://example.com/tenant' => 'acme' } } }, status => 200,
      headers => { 'X-Path' => 'acme' } },
    { name => 'claims: bytes of UTF-8 in a name are one _ each', request => { path => '/claim', token => 'utf-token' },
      answers => { 'utf-token' => { jwt => "eyJhbGciOiJIUzI1NiJ9."
                                        . base64url("{\"only\xc3\xa9\":\"no\",\"only_json\":\"yes\"}") . '.eA' } },
      status => 200, logged => { claim_only_json => 'yes' } },
    { name => 'claims: RFC 9701: from the JWT inside, then from what is introspected, not from the envelope',
      request => { path => '/claim', token => 'envelope-token' },
      answers => {
          'envelope-token' => {
              jwt => jwt(
                  { tenant => 'envelope', two => 'envelope',
                    token_introspection => { active => true, two => 'json', jwt => jwt({ sub => 'alice' }) } },
                  header => { alg => 'HS256', typ => 'token-introspection+jwt' }
              )
          }
      },
      status => 200, logged => { sub => 'alice', claim_two => 'json', claim_tenant => '' } },
);

# --- $phantom_token_time and $phantom_token_cache --------------------------------------------------------------------

{
    $as->answers('slow-token' => { jwt => {%alice}, delay => 0.3 });
    my $slow = $gateway->logged($gateway->get('/', token => 'slow-token'));
    like $slow->{time}, qr/^\d+\.\d{3}$/, 'time: seconds with milliseconds';
    cmp_ok $slow->{time}, '>=', 0.25, 'time: the subrequest\'s' or diag $slow->{time};
    cmp_ok $slow->{time}, '<', patience(10), 'time: and no more';
    $as->answers('cache-token' => { jwt => {%alice} },
        'expiring-token' => { jwt => {%alice}, headers => ['X-Accel-Expires: 60'] });
    is $gateway->logged($gateway->get('/', token => 'cache-token'))->{cache}, $_, "cache: $_" for qw(MISS HIT);
    is $gateway->logged($gateway->get('/', token => 'expiring-token'))->{cache}, 'MISS',
        'cache: MISS of an entry of a minute';
    is $gateway->logged($gateway->get('/tenant/x', token => 'cache-token'))->{cache}, '',
        'cache: empty without a cache';
    $gateway->advance(61);
    is $gateway->logged($gateway->get('/', token => 'expiring-token'))->{cache}, 'EXPIRED', 'cache: EXPIRED';
    $as->stop;
    $gateway->advance(61);
    my $stale = $gateway->logged($gateway->get('/', token => 'expiring-token'));
    is "$stale->{cache} $stale->{outcome} $stale->{status} $stale->{sub}", 'STALE stale 503 ',
        'cache: STALE, status stale, no claims';
    $as->resume;
}

# --- $phantom_token_key ----------------------------------------------------------------------------------------------

{
    my %key = map {
        my ($path, $token) = @{$_};
        ("$path $token" => $gateway->logged($gateway->get($path, token => $token))->{key})
    } ['/', 'alice-token'], ['/x', 'alice-token'], ['/scopes', 'alice-token'], ['/', 'cache-token'],
    ['/tenant/x', 'alice-token'];
    is $key{'/x alice-token'}, $key{'/ alice-token'}, 'key: the API\'s location is no part';
    is $key{'/scopes alice-token'}, $key{'/ alice-token'}, 'key: nor are its scopes';
    isnt $key{'/ cache-token'}, $key{'/ alice-token'}, 'key: the token is';
    isnt $key{'/tenant/x alice-token'}, $key{'/ alice-token'}, 'key: the endpoint is';
    $gateway->api->forget_requests;
    $as->forget_requests;
    $gateway->get('/tenant/x', token => 'alice-token', headers => ['X-Other: 1', 'Cookie: a=b', 'Accept: x']);
    is $gateway->logged($gateway->get('/tenant/x', token => 'alice-token'))->{key}, $key{'/tenant/x alice-token'},
        'key: client headers are no part';
}

# --- subrequests -----------------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'subrequests: SSI echo sees the page\'s',
      request => { path => '/echo', token => 'alice-token' }, api_answers => {
          '/echo' => { type => 'text/html', body => '<!--# echo var="phantom_token_sub" -->|<!--# echo '
                           . 'var="phantom_token_claim_TENANT" -->|<!--# echo var="phantom_token_status" -->' }
      },
      status => 200, body => 'alice|acme|active' },
    { name => 'subrequests: each part sees its own', request => { path => '/ssi', token => 'part-token' },
      answers => { 'part-token' => [{ jwt => jwt({ %alice, sub => 'page' }) },
                                    { jwt => jwt({ %alice, sub => 'part' }) }] },
      api_answers => { '/ssi' => { type => 'text/html', body => '<!--# include virtual="/tenant/1" -->|<!--# echo '
                                       . 'var="phantom_token_sub" -->|<!--# include virtual="/off/1" -->' },
                       '/tenant/1' => { type => 'text/html', body => '<!--# echo var="phantom_token_sub" -->' },
                       '/off/1' => { type => 'text/html', body => 'off' } },
      status => 200, body => 'part|page|off', api => 3, logged => { sub => 'page' } },
    { name => 'subrequests: what is sent on for a part is its own',
      request => { path => '/ssi', token => 'part-2-token' }, answers => {
          'part-2-token' => [{ jwt => jwt({ %alice, sub => 'page' }) }, { jwt => jwt({ %alice, sub => 'part' }) }]
      },
      api_answers => { '/ssi' => { type => 'text/html', body => '<!--# include virtual="/tenant/1" -->' } },
      status => 200, body => 'part',
      api => [{ uri => '/ssi' }, { uri => '/tenant/1', x_sub => 'part', x_mapped => 'other' }],
      logged => { sub => 'page', mapped => 'other' } },
    { name => 'subrequests: auth_request sees the main request\'s',
      request => { path => '/policy', token => 'alice-token' },
      api_answers => { '/the-policy' => { status => 204, headers => ['X-Policy: yes'] } }, status => 200,
      api => [{ uri => '/the-policy', x_sub => 'alice', x_status => 'active' },
              { uri => '/policy', x_policy => 'yes' }],
      logged => { sub => 'alice' } },
);

# --- no state of one request in the next -----------------------------------------------------------------------------

{
    my $connection = $gateway->connect;
    $as->answers('bob-token' => { jwt => { sub => 'bob', tenant => 'other' } });
    my @seen;
    for my $token ('alice-token', undef, 'bob-token', 'nobody-token', 'alice-token', undef) {
        my $line = $gateway->logged($connection->get('/', defined $token ? (token => $token) : ()));
        push @seen, join ':', @{$line}{qw(outcome sub claim_tenant client_id mapped)}, length $line->{key};
    }
    is_deeply \@seen, [
        'active:alice:acme:app:is-alice:64', 'missing::::nobody:0', 'active:bob:other::other:64',
        'inactive::::nobody:64', 'active:alice:acme:app:is-alice:64', 'missing::::nobody:0'
    ], 'keepalive: no state of one request in the next';
    is $connection->finish, '', 'keepalive: nothing is left';

    my $pipeline = $gateway->connect;
    $pipeline->send(
        join '', map { "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $_-token\r\n\r\n" } qw(alice nobody bob)
    );
    is join(
        ' ', map { my $response = $pipeline->response; $response->status . ($response->header('X-Sub') // '') } 1 .. 3
    ), '200alice 401 200bob', 'pipelining: each its own';
    is $pipeline->finish, '', 'pipelining: nothing is left';
}

configurations(
    { name => 'nginx -t: every variable of the contract',
      server => 'set $a "' . join('', map { "\$phantom_token_$_" } @names, qw(status jwks_refresh)) . '";',
      accepts => 1, warns => [] },
    { name => 'nginx -t: they cannot be set',
      server => 'set $phantom_token_sub alice;', refuses => qr/duplicate "phantom_token_sub" variable/ },
);

done_testing;
