# The challenge and the JSON bodies (docs/outcomes.md): what a refused client reads. The grammar is checked by
# Harness::Challenge, which shares nothing with the module.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use IO::Uncompress::Gunzip 'gunzip';

# Byte for byte: what clients of today's gateways parse.
my %JSON = (
    401 => '{"code":"unauthorized_request","message":"Access denied due to missing, invalid or expired credentials"}',
    403 => '{"code":"forbidden","message":"The token does not contain the required scope"}',
    map { $_ => '{"code":"server_error","message":"Problem encountered processing the request"}' } 500, 502, 503, 504
);

my $way = "        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }\n";

sub location {
    my ($name, $directives, $endpoint) = @_;
    $endpoint //= '/_introspect';
    return "        location $name { phantom_token on; phantom_token_introspection_endpoint $endpoint; "
        . "proxy_pass http://%%API%%; $directives }\n";
}

# Every outcome of the table that an answer can bring about: [outcome, status, answer, error].
my $strict   =
    'phantom_token_issuer https://as.test; phantom_token_audience orders; phantom_token_scopes "read write";';
my %fine     = (iss => 'https://as.test', aud => 'orders', scope => 'read write');
my @outcomes = (
    [missing            => 401, undef],
    [malformed          => 401, undef, 'invalid_token'],
    [inactive           => 401, { json => { active => false } }, 'invalid_token'],
    [expired            => 401, { jwt => { %fine, exp => 1 } }, 'invalid_token'],
    [not_yet_valid      => 401, { jwt => { %fine, nbf => 4102444800 } }, 'invalid_token'],
    [issuer             => 401, { jwt => { %fine, iss => 'x' } }, 'invalid_token'],
    [audience           => 401, { jwt => { %fine, aud => 'x' } }, 'invalid_token'],
    [bound              => 401, { jwt => { %fine, cnf => {} } }, 'invalid_token'],
    [insufficient_scope => 403, { jwt => { %fine, scope => 'read' } }, 'insufficient_scope'],
    [misconfigured      => 500, { jwt => {%fine} }],
    [as_refused_client  => 502, { status => 401, headers => ['WWW-Authenticate: Basic realm="AS"'] }],
    [as_error           => 502, { status => 500 }],
    [as_bad_response    => 502, { body => 'x' }],
    [as_busy            => 503, { status => 503 }],
    [as_timeout         => 504, { raw => [['hang']] }],
);

sub request_for {
    my ($outcome, $path, %more) = @_;
    my %place = (misconfigured => "$path-500", as_timeout => "$path-504");
    return { path => $place{$outcome} // $path, %more,
        $outcome eq 'missing' ? () : $outcome eq 'malformed' ? (headers => ['Authorization: Bearer mal,formed'])
            : (token => 'alice-token') };
}

# --- bodies and challenges, in three formats -------------------------------------------------------------------------

# The locations that answer in this format.
sub in_format {
    my ($name) = @_;
    my $format = "$strict phantom_token_error_format $name;";
    return location("= /$name", $format), location("= /$name-500", $format, '/_careless'),
        location("= /$name-504", $format, '/_silent');
}

my $gateway = gateway(
    http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    server    => 'listen 127.0.0.1:%%PORT:h2%% http2;',
    locations => $way . join('', map { in_format($_) } qw(json problem page)) . <<'END',
        location = /_silent { internal; proxy_read_timeout 300ms; proxy_pass http://%%AS%%/introspect; }
        location = /_careless { internal; proxy_pass http://%%AS%%; proxy_cache tokens; proxy_cache_methods POST;
                                proxy_cache_key same; }
END
);

for my $format (qw(json problem page)) {
    for my $row (@outcomes) {
        my ($outcome, $status, $answer, $error) = @{$row};
        my %case = (
            answers => { 'alice-token' => $answer // {} }, status => $status, outcome => $outcome, refusal => $format,
            challenge => $status < 500
                ? { realm => 'api', scope => 'read write', defined $error ? (error => $error) : () } : undef,
            headers => { 'Content-Type' => $format eq 'json' ? 'application/json' : $format eq 'problem'
                             ? 'application/problem+json' : 'text/html', 'Cache-Control' => undef, 'ETag' => undef,
                         'Accept-Ranges' => undef },
        );
        my @body = $format eq 'json' ? (body => $JSON{$status}) : $format eq 'page' ? (
            body => qr{^<html>.*<h1>$status .*</html>\s*$}s
        ) : ();
        cases($gateway,
            { name => "$outcome, $format", request => request_for($outcome, "/$format"), %case, @body },
            { name => "$outcome, $format: HTTP/1.0",
              request => request_for($outcome, "/$format", version => '1.0'), %case, @body },
            { name => "$outcome, $format: POST",
              request => request_for($outcome, "/$format", method => 'POST', body => 'x=y'), %case, @body },
            { name => "$outcome, $format: HEAD",
              request => request_for($outcome, "/$format", method => 'HEAD'), %case },
        );
        next if $outcome eq 'as_timeout';
        my $get  = $gateway->request(%{ request_for($outcome, "/$format") });
        my $head = $gateway->request(%{ request_for($outcome, "/$format", method => 'HEAD') });
        is $head->header('Content-Length'), length $get->body, "$outcome, $format: HEAD tells the length of GET's body";
    }
}

# RFC 9457 section 3.1: the members, and a title that is the status's.
my %title = (
    401 => 'Unauthorized', 403 => 'Forbidden', 500 => 'Internal Server Error', 502 => 'Bad Gateway',
    503 => 'Service Unavailable', 504 => 'Gateway Timeout'
);
for my $row (
    grep { $_->[0] =~ /^(?:missing|insufficient_scope|misconfigured|as_error|as_busy|as_timeout)$/ } @outcomes
) {
    my ($outcome, $status, $answer) = @{$row};
    $gateway->as->answers('alice-token' => $answer) if $answer;
    my $problem = $gateway->request(%{ request_for($outcome, '/problem') })->json;
    is_deeply [@{$problem}{qw(type title status)}], ['about:blank', $title{$status}, $status],
        "problem, $status: type, title, status";
    like $problem->{detail}, qr/^\S.*\S$/, "problem, $status: detail";
}

for my $format (qw(json problem page)) {
    cases($gateway,
        { name => "HTTP/2, $format", request => { path => "/$format", http2 => 1, port => 'h2' }, status => 401,
          refusal => $format, challenge => { realm => 'api', scope => 'read write' } },
        { name => "HTTP/2, $format: HEAD",
          request => { path => "/$format", http2 => 1, port => 'h2', method => 'HEAD' }, status => 401,
          refusal => $format },
        { name => "Range and conditions change nothing, $format", request => {
            path => "/$format", headers => ['Range: bytes=0-1', 'If-Modified-Since: Fri, 31 Dec 2038 23:59:59 GMT',
                                            'If-None-Match: *', 'If-Match: "x"', 'Accept: text/plain']
        },
          status => 401, refusal => $format, $format eq 'json' ? (body => $JSON{401}) : () },
    );
}

{
    my $connection = $gateway->connect;
    my $token = 'alice-token';
    $gateway->as->answers($token => { jwt => {%fine} });
    is join(' ', map { $connection->request(path => "/$_->[0]", method => $_->[1], @{$_}[2 .. $#{$_}])->status }
        ['json', 'GET'], ['problem', 'HEAD'], ['page', 'POST', body => 'x' x 100_000],
            ['json', 'POST', chunked => ['a', 'b']], ['json', 'GET', token => $token], ['json', 'HEAD'],
            ['problem', 'GET'], ['json', 'GET', token => $token]),
        '401 401 401 401 200 401 401 200', 'one connection: refusals in every format leave nothing';
    is $connection->finish, '', 'one connection: nothing is left over';
}

# --- realm and scopes in the challenge -------------------------------------------------------------------------------

# [name, directives, the parameters, the very bytes]
my @challenges = (
    ['nothing said', '', {}, 'Bearer realm="api"'],
    ['realm', 'phantom_token_realm orders;', { realm => 'orders' }, 'Bearer realm="orders"'],
    ['realm with spaces', 'phantom_token_realm "all my orders";', { realm => 'all my orders' }],
    ['realm with a quote', q(phantom_token_realm 'a "b" c';), { realm => 'a "b" c' }, 'Bearer realm="a \\"b\\" c"'],
    ['realm with a backslash', q(phantom_token_realm 'a\\\\b';), { realm => 'a\\b' }, 'Bearer realm="a\\\\b"'],
    ['realm that ends in a backslash', q(phantom_token_realm 'a\\\\';), { realm => 'a\\' }, 'Bearer realm="a\\\\"'],
    ['realm of a quote and a backslash', q(phantom_token_realm '\\\\"';), { realm => '\\"' }, 'Bearer realm="\\\\\\""'],
    ['realm that looks like another parameter', q(phantom_token_realm 'a", error="b';), { realm => 'a", error="b' }],
    ['realm that looks like another challenge',
     q(phantom_token_realm 'a", Basic realm="b';), { realm => 'a", Basic realm="b' }],
    ['realm with commas and equals signs', q(phantom_token_realm 'a, b=c;';), { realm => 'a, b=c;' }],
    ['realm in UTF-8', "phantom_token_realm 'B\xc3\xbccher';", { realm => "B\xc3\xbccher" }],
    ['realm with a dollar sign, no variable', q(phantom_token_realm '$host';), { realm => '$host' }],
    ['realm of 2,000 bytes', 'phantom_token_realm ' . 'r' x 2_000 . ';', { realm => 'r' x 2_000 }],
    ['scopes',
     'phantom_token_scopes "read write";', { scope => 'read write' }, 'Bearer realm="api", scope="read write"'],
    ['scopes with more spaces', 'phantom_token_scopes "  read   write ";', { scope => 'read write' }],
    ['scopes, any', 'phantom_token_scopes "read write"; phantom_token_scope_match any;', { scope => 'read write' }],
    ['scopes by prefix', 'phantom_token_scopes "invoice_* read";', { scope => 'invoice_* read' }],
    ['scope, repeated', 'phantom_token_scope a; phantom_token_scope b; phantom_token_scope c;', { scope => 'a b c' }],
    ['scopes win over scope', 'phantom_token_scope a; phantom_token_scopes b;', { scope => 'b' }],
    ['scopes with what looks like an escape', q(phantom_token_scopes "a'b,c=d;e";), { scope => "a'b,c=d;e" }],
    ['200 scopes', 'phantom_token_scopes "' . join(' ', map { "scope-$_" } 1 .. 200) . '";',
     { scope => join ' ', map { "scope-$_" } 1 .. 200 }],
    ['realm and scopes', q(phantom_token_realm 'a"b'; phantom_token_scopes "x y";), { realm => 'a"b', scope => 'x y' },
     'Bearer realm="a\\"b", scope="x y"'],
);
{
    my $named = gateway(locations => $way . join '', map { location("= /$_", $challenges[$_][1]) } 0 .. $#challenges);
    $named->as->answers('bare-token' => { jwt => { sub => 'bare' } });
    for my $n (0 .. $#challenges) {
        my ($name, undef, $parameters, $bytes) = @{ $challenges[$n] };
        my %parameters = (realm => 'api', %{$parameters});
        cases($named,
            { name => "challenge: $name", request => { path => "/$n" }, status => 401, challenge => {%parameters},
              defined $bytes ? (headers => { 'WWW-Authenticate' => $bytes }) : () },
            { name => "challenge: $name, invalid_token names the scopes too",
              request => { path => "/$n", token => 'gone-token' }, status => 401,
              challenge => { %parameters, error => 'invalid_token' } },
            defined $parameters{scope} ? { name => "challenge: $name, insufficient_scope names all that are required",
                                           request => { path => "/$n", token => 'bare-token' }, status => 403,
                                           challenge => { %parameters, error => 'insufficient_scope' } } : (),
        );
    }
}

# RFC 9728 section 5.1.
{
    my $metadata = gateway(
        http => q{
            map $arg_m $metadata {
                default   "";
                good      "https://api.test/.well-known/oauth-protected-resource";
                space     "https://api.test/a b";
                quote     "https://api.test/a\"b";
                backslash "https://api.test/a\\\\b";
                utf8      "https://api.test/ü";
                line      "https://api.test/
x";
            }
        },
        locations => join '', $way,
            location('= /constant', 'phantom_token_scopes read; phantom_token_resource_metadata '
                . 'https://api.test/.well-known/oauth-protected-resource/orders?a=b&c=%20;'),
            location('= /host', 'phantom_token_resource_metadata https://$host/.well-known/oauth-protected-resource;'),
            location('= /map', 'phantom_token_resource_metadata $metadata;'),
            location('= /argument', 'phantom_token_resource_metadata https://api.test/$arg_m;'),
    );
    my %value = (resource_metadata => 'https://api.test/.well-known/oauth-protected-resource/orders?a=b&c=%20');
    my %none  = (status => 401, challenge => { realm => 'api' }, log => qr/phantom_token_resource_metadata/);
    cases($metadata,
        { name => 'resource_metadata: missing',
          request => { path => '/constant' }, status => 401, challenge => { realm => 'api', scope => 'read', %value } },
        { name => 'resource_metadata: invalid_token', request => { path => '/constant', token => 'gone-token' },
          status => 401, challenge => { realm => 'api', scope => 'read', error => 'invalid_token', %value } },
        { name => 'resource_metadata: insufficient_scope',
          request => { path => '/constant', token => 'bare-token' }, answers => { 'bare-token' => { jwt => {} } },
          status => 403, challenge => { realm => 'api', scope => 'read', error => 'insufficient_scope', %value } },
        { name => 'resource_metadata: none in a 5xx', request => { path => '/constant', token => 'down-token' },
          answers => { 'down-token' => { status => 500 } }, status => 502, challenge => undef },
        { name => 'resource_metadata: a variable', request => { path => '/host', host => 'other.test' }, status => 401,
          challenge => { realm => 'api',
                         resource_metadata => 'https://other.test/.well-known/oauth-protected-resource' } },
        { name => 'resource_metadata: a map', request => { path => '/map?m=good' }, status => 401,
          challenge => { realm => 'api',
                         resource_metadata => 'https://api.test/.well-known/oauth-protected-resource' } },
        { name => 'resource_metadata: empty is none',
          request => { path => '/map' }, status => 401, challenge => { realm => 'api' } },
        (map {
            { name => "resource_metadata: what no URI may have is left out and logged: $_",
              request => { path => "/map?m=$_" }, %none }
        } qw(space quote backslash utf8 line)),
        (map {
            { name => 'resource_metadata: what no URI may have is left out and logged, from the client: ' . $_,
              request => { path => "/argument?m=$_" }, %none }
        } '"', '\\', "\xff", '<', '{', '^', '`'),
        { name => 'resource_metadata: from the client, nothing is decoded',
          request => { path => '/argument?m=%22%0d%0aX-Evil:%201' },
          status => 401, challenge => { realm => 'api', resource_metadata => 'https://api.test/%22%0d%0aX-Evil:%201' },
          headers => { 'X-Evil' => undef } },
    );
}

# --- what stands beside it -------------------------------------------------------------------------------------------

{
    my $beside = gateway(
        http      => 'gzip_min_length 1; gzip_http_version 1.0;',
        locations => $way . join '',
            location('= /gzip', 'phantom_token_scopes read; gzip on; gzip_types *;'),
            location('= /problem-gzip',
                     'phantom_token_scopes read; gzip on; gzip_types *; phantom_token_error_format problem;'),
            location('= /headers', 'add_header X-Always 1 always; add_header X-Sometimes 1; expires 1h;'),
            location('= /charset', 'charset utf-8; default_type text/plain;'),
            location('= /filters',
                     q(ssi on; ssi_types *; sub_filter_types *; sub_filter_once off; sub_filter 'nothing-of-it' 'x';)),
            location('= /tokens', 'server_tokens off; chunked_transfer_encoding off; keepalive_timeout 0;'),
            location('/api', ''),
    );
    # nginx compresses a 403, but no 401.
    $beside->as->answers('bare-token' => { jwt => {} });
    for my $case (['/gzip', 'application/json', $JSON{403}], ['/problem-gzip', 'application/problem+json', undef]) {
        my ($path, $type, $json) = @{$case};
        my $plain  = $beside->get($path, token => 'bare-token');
        my $packed = $beside->get($path, token => 'bare-token', headers => ['Accept-Encoding: gzip']);
        gunzip(\$packed->body, \my $unpacked);
        is $packed->status . ' ' . $packed->header('Content-Type') . ' ' . ($packed->header('Content-Encoding') // ''),
            "403 $type gzip", "gzip, $path: status, type, encoding";
        is $unpacked, $plain->body, "gzip, $path: the same body";
        is $unpacked, $json, "gzip, $path: byte for byte" if defined $json;
        is scalar(my @challenges = $packed->headers('WWW-Authenticate')), 1, "gzip, $path: one challenge";
    }
    cases($beside,
        { name => 'add_header: only with always', request => { path => '/headers' }, status => 401,
          headers => { 'X-Always' => 1, 'X-Sometimes' => undef, Expires => undef }, body => $JSON{401},
          challenge => { realm => 'api' } },
        { name => 'charset and default_type: the type is JSON\'s',
          request => { path => '/charset' }, status => 401, body => $JSON{401} },
        { name => 'filters that run over everything',
          request => { path => '/filters' }, status => 401, body => $JSON{401} },
        { name => 'no keepalive',
          request => { path => '/tokens' }, status => 401, body => $JSON{401}, headers => { Connection => 'close' } },

        # What the API says is the API's.
        (map { my ($status, @more) = @{$_}; { name => "the API's own $status is not touched",
                                              request => { path => "/api/$status", token => 'alice-token' },
                                              answers => { 'alice-token' => { jwt => { sub => 'alice' } } },
            api_answers => {
                "/api/$status" => { status => $status, type => 'text/plain', body => "the API's $status", @more }
            }, status => $status, body => "the API's $status", api => 1, headers => { 'Content-Type' => 'text/plain' },
            refusal => 'any' } }
            [401, headers => ['WWW-Authenticate: Bearer error="invalid_token"']], [403], [404], [500], [502], [503],
                [504]),
        { name => "the API's own challenge is the only one",
          request => { path => '/api/401', token => 'alice-token' }, status => 401, api => 1, refusal => 'any',
          headers => { 'WWW-Authenticate' => ['Bearer error="invalid_token"'] } },
    );
    $beside->api->stop;
    cases(
        $beside,
        { name => 'nginx\'s own 502 for the API is nginx\'s page',
          request => { path => '/api/x', token => 'alice-token' }, status => 502, refusal => 'page', as => 1 }
    );
    $beside->api->resume;
}

# --- headers that nginx has thrown away ------------------------------------------------------------------------------

{
    my $cleaned = gateway(
        server    => 'recursive_error_pages on;',
        locations => $way . location('= /first', 'error_page 401 =200 /page.html;')
            . location('= /second', 'phantom_token_realm second;')
            . 'location = /page.html { root %%DIR%%; error_page 412 = /second; }',
    );
    open my $page, '>', $cleaned->folder . '/page.html' or die "page: $!";
    close $page or die "page: $!";
    cases(
        $cleaned,
        { name => 'from a page that nginx refuses to a second refusal: its challenge',
          request => { path => '/first', headers => ['If-Match: "x"'] }, status => 401, body => $JSON{401},
          challenge => { realm => 'second' } }
    );
}

# --- error_page ------------------------------------------------------------------------------------------------------

{
    my $pages = gateway(
        locations => $way . join('',
            location('= /page', 'error_page 401 403 /denied; error_page 500 502 503 504 /sorry;'),
            location('= /scoped', 'phantom_token_scopes write; error_page 403 /denied;'),
            location('= /named', 'error_page 401 403 @denied; error_page 502 503 504 @denied;'),
            location('= /ok', 'error_page 401 =200 /denied;'), location('= /other', 'error_page 401 =402 /denied;'),
            location('= /named-ok', 'error_page 401 = @denied;'),
            location('= /url', 'error_page 401 https://login.test/;'),
            location('= /url-401', 'error_page 401 =401 https://login.test/;'),
            location('= /url-303', 'error_page 401 =303 https://login.test/;'),
            location('= /loop', 'error_page 401 403 /loop;'), location('= /again', 'error_page 401 403 /strict;'),
            location('= /strict', 'phantom_token_realm strict; phantom_token_scopes "strict";'),
            location('= /recursive', 'recursive_error_pages on; error_page 401 /recursive-too;'),
            location('= /recursive-too', 'phantom_token_realm too; error_page 401 /denied;'),
            location('= /to-api', 'error_page 401 /public;'), location('= /to-api-ok', 'error_page 401 = /public;'),
            location('= /none', 'error_page 401 /no/such/page;'),
            location('= /scoped-to-open', 'phantom_token_scopes write; error_page 403 /page;'),
            location('= /scoped-to-api', 'phantom_token_scopes write; error_page 403 = /page;'),
            location('= /then-down', 'phantom_token_scopes write; error_page 401 403 /down;'),
            location('= /then-down-named', 'phantom_token_scopes write; error_page 401 403 = @down;'),
            (map {
                "location $_ { phantom_token on; phantom_token_introspection_endpoint /_down; "
                    . "proxy_pass http://%%API%%; }\n"
            } '= /down', '@down'),
            location('= /then-busy', 'phantom_token_scopes write; error_page 401 403 503 = /busy;'), "location = /busy "
                . "{ phantom_token on; phantom_token_introspection_endpoint /_busy; proxy_pass http://%%API%%; }\n",
            location('= /then-good', 'phantom_token_scopes write; error_page 403 503 = /good;'), "location = /good { "
                . "phantom_token on; phantom_token_introspection_endpoint /_good; proxy_pass http://%%API%%; }\n",
            location('= /busy-then-none', 'error_page 503 /scope;'),
            "location = /scope { phantom_token on; phantom_token_introspection_endpoint /_good; "
                . "phantom_token_scopes write; proxy_pass http://%%API%%; }\n",
            location('= /not-ours', 'error_page 404 /denied;'),
            location('= /problem', 'phantom_token_error_format problem; error_page 401 /denied;')) . <<'END',
        location = /denied { internal; default_type text/plain; return 200 "denied page"; }
        location = /sorry { internal; default_type text/plain; return 200 "sorry page"; }
        location @denied { default_type text/plain; return 200 "denied page"; }
        location = /public { proxy_pass http://%%API%%; }
        location = /_down { internal; return 500; }
        location = /_busy { internal; proxy_pass http://%%AS%%/introspect; proxy_set_body "token=other-token"; }
        location = /_good { internal; proxy_pass http://%%AS%%/introspect; proxy_set_body "token=good-token"; }
        location /no { root %%DIR%%/none; }
END
    );
    my $answers = {
        'other-token' => { status => 503, headers => ['Retry-After: 9'] },
        'reader-token' => { jwt => { scope => 'read' } }, 'down-token' => { status => 500 },
        'busy-token' => { status => 503, headers => ['Retry-After: 5'] }
    };
    my %denied  = (refusal => 'any', body => 'denied page', headers => { 'Content-Type' => 'text/plain' });
    my %api     = (challenge => { realm => 'api' });
    my %invalid = (challenge => { realm => 'api', error => 'invalid_token' });
    my %write   = (challenge => { realm => 'api', scope => 'write', error => 'insufficient_scope' });
    cases($pages,
        { name => 'error_page wins: 401',
          request => { path => '/page' }, answers => $answers, status => 401, %denied, %api },
        { name => 'error_page wins: 401, invalid_token',
          request => { path => '/page', token => 'gone-token' }, status => 401, %denied, %invalid },
        { name => 'error_page wins: 401, HEAD',
          request => { path => '/page', method => 'HEAD' }, status => 401, refusal => 'any', %api },
        { name => 'error_page wins: 401, POST',
          request => { path => '/page', method => 'POST', body => 'x' x 50_000 }, status => 401, %denied, %api },
        { name => 'error_page wins: 401, problem', request => { path => '/problem' }, status => 401, %denied, %api },
        { name => 'error_page wins: 403',
          request => { path => '/scoped', token => 'reader-token' }, status => 403, %denied, %write },
        { name => 'error_page wins: 502', request => { path => '/page', token => 'down-token' }, status => 502,
          refusal => 'any', body => 'sorry page', challenge => undef },
        { name => 'error_page wins: 503, Retry-After kept', request => { path => '/page', token => 'busy-token' },
          status => 503, refusal => 'any', body => 'sorry page', headers => { 'Retry-After' => 5 } },
        # What an earlier refusal has said does not stay.
        (map { { name => "error_page to another endpoint that fails: no challenge ($_)",
                 request => { path => "/then-down$_", token => 'reader-token' }, status => 502, body => $JSON{502},
                 challenge => undef },
               { name => "error_page to another endpoint that fails: no challenge, inactive ($_)",
                 request => { path => "/then-down$_", token => 'gone-token' }, status => 502, body => $JSON{502},
                 challenge => undef } } '', '-named'),
        { name => 'error_page to another endpoint that is busy: no challenge',
          request => { path => '/then-busy', token => 'reader-token' }, status => 503, body => $JSON{503},
          challenge => undef, headers => { 'Retry-After' => ['9'] } },
        { name => 'error_page from one that is busy to another: one Retry-After',
          request => { path => '/then-busy', token => 'busy-token' }, status => 503, body => $JSON{503},
          headers => { 'Retry-After' => ['9'] } },
        { name => 'error_page from one that is busy to one that is not: no Retry-After',
          request => { path => '/then-good', token => 'busy-token' },
          answers => { 'good-token' => { jwt => { sub => 'good' } } }, status => 200, api => 1,
          headers => { 'Retry-After' => undef } },
        { name => 'error_page from a refusal to one that lets it pass: no challenge',
          request => { path => '/then-good', token => 'reader-token' }, status => 200, api => 1, challenge => undef },
        { name => 'error_page from one that is busy to one that refuses: no Retry-After',
          request => { path => '/busy-then-none', token => 'busy-token' }, status => 403, body => $JSON{403}, %write,
          headers => { 'Retry-After' => undef } },
        { name => 'error_page wins: named location', request => { path => '/named' }, status => 401, %denied, %api },
        { name => 'error_page wins: named location, 502',
          request => { path => '/named', token => 'down-token' }, status => 502, %denied, challenge => undef },
        { name => 'error_page wins: another status',
          request => { path => '/ok' }, status => 200, body => 'denied page', api => 0 },
        { name => 'error_page wins: yet another status',
          request => { path => '/other' }, status => 402, body => 'denied page', api => 0 },
        { name => 'error_page wins: the page\'s status',
          request => { path => '/named-ok' }, status => 200, body => 'denied page', api => 0 },
        { name => 'error_page wins: a URL', request => { path => '/url' }, status => 302,
          headers => { Location => 'https://login.test/', 'Content-Type' => qr{^text/html} }, body => qr/302 Found/,
          api => 0 },
        { name => 'error_page wins: a URL, 303', request => { path => '/url-303' }, status => 303,
          headers => { Location => 'https://login.test/', 'Content-Type' => qr{^text/html} }, api => 0 },
        { name => 'error_page of other codes does not matter',
          request => { path => '/not-ours' }, status => 401, body => $JSON{401}, %api },
        { name => 'error_page that leads back: one challenge',
          request => { path => '/loop' }, status => 401, body => $JSON{401}, %api },
        { name => 'error_page that leads back: one challenge, invalid_token',
          request => { path => '/loop', token => 'gone-token' }, status => 401, body => $JSON{401}, %invalid },
        { name => 'error_page that leads to another protected location: one challenge', request => { path => '/again' },
          status => 401, body => $JSON{401}, challenge => { realm => 'strict', scope => 'strict' } },
        { name => 'recursive_error_pages: one challenge',
          request => { path => '/recursive' }, status => 401, %denied, challenge => { realm => 'too' } },
        { name => 'error_page that does not exist: still a refusal',
          request => { path => '/none' }, status => 404, api => 0 },
        { name => 'error_page from the API: its body, our status and challenge', request => { path => '/to-api' },
          status => 401, refusal => 'any', api => 1, body => qr/"uri":"\/public"/, %api },
        { name => 'error_page from the API: its status',
          request => { path => '/to-api-ok' }, status => 200, api => 1, body => qr/"uri":"\/public"/ },
        { name => 'error_page from the API: its 401 is its own', request => { path => '/to-api-ok' },
          api_answers => { '/public' => { status => 401, type => 'text/plain', body => 'log in' } }, status => 401,
          refusal => 'any', api => 1, body => 'log in', headers => { 'Content-Type' => 'text/plain' } },
        { name => 'error_page in a protected location that the token is good for: the first one\'s challenge',
          request => { path => '/scoped-to-open', token => 'reader-token' }, status => 403, refusal => 'any',
          api => [{ authorization => 'Bearer <jwt>' }], %write },
        { name => 'error_page in a protected location that the token is good for: its status',
          request => { path => '/scoped-to-api', token => 'reader-token' }, status => 200,
          api => [{ authorization => 'Bearer <jwt>' }] },
    );
    for my $path ('/ok', '/other', '/named-ok', '/url', '/url-303', '/url-401', '/none') {
        my $response   = $pages->get($path);
        my @challenges = $response->headers('WWW-Authenticate');
        cmp_ok scalar @challenges, '<=', 1, "error_page, $path: not more than one challenge";
        ok !!eval { parse_challenge($_); 1 }, "error_page, $path: its grammar" for @challenges;
        is length $response->body, $response->header('Content-Length'), "error_page, $path: the right length"
            if defined $response->header('Content-Length');
        unlike $response->body, qr/unauthorized_request/, "error_page, $path: our body is not there";
    }
}

# --- auth_basic and satisfy ------------------------------------------------------------------------------------------

{
    my $folder = temporary_folder();
    open my $out, '>', "$folder/users" or die "users: $!";
    print {$out} "alice:{PLAIN}secret\n";
    close $out;
    chmod 0644, "$folder/users";
    my $basic = qq(auth_basic "people"; auth_basic_user_file $folder/users;);
    my $both = gateway(
        locations => $way . join '',
            location('= /all', $basic), location('= /any', "satisfy any; $basic"),
            location('= /any-scoped', "satisfy any; phantom_token_scopes read; $basic"),
            location('= /any-allow', 'satisfy any; allow all;'), location('= /any-deny', 'satisfy any; deny all;'),
            location('= /any-deny-scoped', 'satisfy any; phantom_token_scopes read; deny all;'),
            location('= /all-deny', 'deny all;'), location('= /all-allow', 'allow all;'),
            location('= /any-basic-allow', "satisfy any; allow all; $basic"),
            location('= /any-basic-deny', "satisfy any; deny all; $basic"),
            location('= /any-page', "satisfy any; deny all; phantom_token_error_format page;"),
            location('= /any-error-page', "satisfy any; $basic error_page 401 /people;")
            . location('= /any-policy', 'satisfy any; auth_request /policy;')
                . location('= /any-basic-policy', "satisfy any; $basic auth_request /policy;")
            . "        location = /people { proxy_pass http://%%API%%; }\n        location = /policy { internal; "
                . "return 204; }\n",
    );
    my ($right, $wrong) = map { "Authorization: Basic $_" } 'YWxpY2U6c2VjcmV0', 'YWxpY2U6d3Jvbmc=';
    my %api     = (challenge => { realm => 'api' });
    my %invalid = (challenge => { realm => 'api', error => 'invalid_token' });
    my %basic   = (refusal => 'page', headers => { 'WWW-Authenticate' => ['Basic realm="people"'] });
    my %allowed = (status => 200, headers => { 'WWW-Authenticate' => undef });
    my $answers = { 'alice-token' => { jwt => { sub => 'alice' } } };
    cases($both,
        { name => 'auth_basic: it refuses first, its challenge alone',
          request => { path => '/all' }, answers => $answers, status => 401, as => 0, %basic },
        { name => 'auth_basic: it refuses a bearer token first, the AS is not asked',
          request => { path => '/all', token => 'alice-token' }, status => 401, as => 0, %basic },
        { name => 'auth_basic: it is content, so our challenge alone',
          request => { path => '/all', headers => [$right] }, status => 401, as => 0, outcome => 'missing', %api },
        { name => 'deny: it refuses first, no challenge', request => { path => '/all-deny', token => 'alice-token' },
          status => 403, as => 0, api => [], headers => { 'WWW-Authenticate' => undef } },
        { name => 'allow is not enough', request => { path => '/all-allow' }, status => 401, %api },

        { name => 'satisfy any: auth_basic is content, no challenge',
          request => { path => '/any', headers => [$right] }, as => 0, outcome => 'bypassed', %allowed,
          api => [{ authorization => 'Basic YWxpY2U6c2VjcmV0' }] },
        { name => 'satisfy any: the token is good, no challenge', request => { path => '/any', token => 'alice-token' },
          as => 1, outcome => 'active', %allowed, api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'satisfy any: allow, no token, no challenge',
          request => { path => '/any-allow' }, outcome => 'bypassed', %allowed, api => [{ authorization => undef }] },
        { name => 'satisfy any: allow, a bad token never reaches the API, no challenge',
          request => { path => '/any-allow', token => 'gone-token' }, %allowed, api => [{ authorization => undef }] },
        { name => 'satisfy any: allow, a malformed token never reaches the API, no challenge',
          request => { path => '/any-allow', headers => ['Authorization: Bearer mal,formed'] }, %allowed,
          api => [{ authorization => undef }] },
        { name => 'satisfy any: allow and auth_basic, no challenge',
          request => { path => '/any-basic-allow' }, %allowed, api => [{ authorization => undef }] },
        { name => 'satisfy any: deny and auth_basic, auth_basic is content',
          request => { path => '/any-basic-deny', headers => [$right] }, %allowed, api => 1 },
        { name => 'satisfy any: deny and auth_basic, the token is good',
          request => { path => '/any-basic-deny', token => 'alice-token' }, %allowed,
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'satisfy any: granted, the API\'s 401 is its own', request => { path => '/any-allow' },
          api_answers => { '/any-allow' => { status => 401, type => 'text/plain', body => 'log in' } }, status => 401,
          body => 'log in', api => 1, headers => { 'WWW-Authenticate' => undef, 'Content-Type' => 'text/plain' } },
        { name => 'satisfy any: auth_request grants after our 401, no challenge',
          request => { path => '/any-policy' }, outcome => 'bypassed', %allowed, api => [{ authorization => undef }] },
        { name => 'satisfy any: auth_request grants after our invalid_token, no challenge, no token',
          request => { path => '/any-policy', token => 'gone-token' }, as => 1, outcome => 'bypassed', %allowed,
          api => [{ authorization => undef }] },
        { name => 'satisfy any: auth_request grants after auth_basic\'s 401 and ours, no challenge',
          request => { path => '/any-basic-policy' }, outcome => 'bypassed', %allowed, api => 1 },
        { name => 'satisfy any: the token is good after auth_basic\'s 401, no challenge',
          request => { path => '/any-basic-policy', token => 'alice-token' }, outcome => 'active', %allowed,
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'satisfy any: granted after our 401, the API\'s 401 is its own', request => { path => '/any-policy' },
          api_answers => { '/any-policy' => { status => 401, type => 'text/plain', body => 'log in' } }, status => 401,
          body => 'log in', api => 1, headers => { 'WWW-Authenticate' => undef, 'Content-Type' => 'text/plain' } },

        { name => 'satisfy any: deny and no token: our challenge',
          request => { path => '/any-deny' }, status => 401, %api, body => $JSON{401} },
        { name => 'satisfy any: deny and a bad token: our challenge',
          request => { path => '/any-deny', token => 'gone-token' }, status => 401, %invalid, body => $JSON{401} },
        { name => 'satisfy any: deny and a scope that is missing: our challenge',
          request => { path => '/any-deny-scoped', token => 'alice-token' }, status => 403,
          challenge => { realm => 'api', scope => 'read', error => 'insufficient_scope' } },
        { name => 'satisfy any: deny and no token, page',
          request => { path => '/any-page' }, status => 401, %api, refusal => 'page' },
        { name => 'satisfy any: deny and a good token', request => { path => '/any-deny', token => 'alice-token' },
          %allowed, api => [{ authorization => 'Bearer <jwt>' }] },
    );

    # Both refuse. nginx's users expect a challenge from each, where there are two ways in; ours is there once.
    for my $case (['nothing', '/any', {}, undef], ['a wrong password', '/any', { headers => [$wrong] }, undef],
        ['a bad token', '/any', { token => 'gone-token' }, 'invalid_token'],
        ['a scope that is missing', '/any-scoped', { token => 'alice-token' }, 'insufficient_scope'],
        ['nothing, deny too', '/any-basic-deny', {}, undef],
        ['a bad token, deny too', '/any-basic-deny', { token => 'gone-token' }, 'invalid_token'],
        ['nothing, and an error_page', '/any-error-page', {}, undef]) {
        my ($name, $path, $request, $error) = @{$case};
        $both->api->forget_requests;
        my $response = $both->get($path, %{$request});
        my @challenges = map { eval { parse_challenge($_) } // { scheme => "bad: $_" } }
            $response->headers('WWW-Authenticate');
        my @ours = grep { $_->{scheme} eq 'Bearer' } @challenges;
        is $response->status, 401, "satisfy any, both refuse, $name: 401";
        is join(' ', sort map { $_->{scheme} } @challenges), 'Basic Bearer',
            "satisfy any, both refuse, $name: one challenge from each";
        is $ours[0]{params}{error}, $error, "satisfy any, both refuse, $name: its error";
        is $response->{leftover}, '', "satisfy any, both refuse, $name: nothing follows";
        is scalar($both->api->requests), $path eq '/any-error-page' ? 1 : 0, "satisfy any, both refuse, $name: the API";
    }
    check_faults();
}

# --- nothing stays: a refusal, and what nginx says of something else on the same connection --------------------------

{
    my $mixed = gateway(locations => $way . location('/', '') . <<'END');
        location = /own-401 { return 401; }
        location = /own-403 { return 403 "own text"; }
        location = /own-502 { proxy_pass http://127.0.0.1:%%PORT:closed%%; }
END
    my $connection = $mixed->connect;
    for (1 .. 3) {
        my $ours = $connection->get('/');
        is $ours->status . ' ' . $ours->body, "401 $JSON{401}", 'one connection: ours';
        my $page = $connection->get('/own-401');
        is $page->status . ' ' . ($page->header('Content-Type') =~ m{^text/html} ? 'page' : 'other'), '401 page',
            'one connection: nginx\'s own 401 is its page';
        is scalar(my @none = $page->headers('WWW-Authenticate')), 0,
            'one connection: nginx\'s own 401 has no challenge of ours';
        is $connection->get('/own-403')->body, 'own text', 'one connection: nginx\'s own 403';
        like $connection->get('/own-502')->header('Content-Type'), qr{^text/html}, 'one connection: nginx\'s own 502';
    }
    is $connection->finish, '', 'one connection: nothing is left over';
}

done_testing;
