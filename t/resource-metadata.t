# phantom_token_resource_metadata (RFC 9728 section 5.1): in every challenge, with variables; control characters and
# bytes outside a URI are left out and logged. What an MCP client needs is a part of its own. Without the directive, the
# URL that follows from phantom_token_resource (section 3.1); t/resource-document.t is about what a client finds there.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $url = 'https://api.example.com/.well-known/oauth-protected-resource';
my $API = 'proxy_pass http://%%API%%;';

my $gateway = gateway(
    http   => 'map $arg_from $metadata { default $arg_value; header $http_x_metadata; cookie $cookie_metadata; '
        . 'path $uri; decoded $decoded; nothing ""; }',
    server => <<"END",
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_resource_metadata $url;
        phantom_token_scopes "read";
END
    locations => <<'END',
        location / { proxy_pass http://%%API%%; }
        location /bare { phantom_token_scopes ""; proxy_pass http://%%API%%; }
        location /off { phantom_token_resource_metadata ""; proxy_pass http://%%API%%; }
        location /off/again { phantom_token_resource_metadata https://again.example.com/; proxy_pass http://%%API%%; }
        location /host { phantom_token_resource_metadata https://$host/.well-known/oauth-protected-resource$uri;
                         proxy_pass http://%%API%%; }
        location /value { phantom_token_resource_metadata $metadata; proxy_pass http://%%API%%; }
        location ~ "(?s)^/decoded/(?<decoded>.*)$" {
            phantom_token_resource_metadata https://x/$decoded; proxy_pass http://%%API%%;
        }
        location /constant-quote { phantom_token_resource_metadata 'https://x/"'; proxy_pass http://%%API%%; }
        location /constant-space { phantom_token_resource_metadata 'https://x/a b'; proxy_pass http://%%API%%; }
        location /constant-utf8 { phantom_token_resource_metadata https://x/ä; proxy_pass http://%%API%%; }
        location /sub { phantom_token_resource_metadata https://x/?sub=$phantom_token_sub&status=$phantom_token_status;
                        proxy_pass http://%%API%%; }
        location /page { error_page 401 403 /page-of-errors; proxy_pass http://%%API%%; }
        location /page-of-errors { phantom_token off; proxy_pass http://%%API%%; }
        location /basic { satisfy any; auth_basic basic; auth_basic_user_file %%DIR%%/nobody;
                          proxy_pass http://%%API%%; }
        location /problem { phantom_token_error_format problem; proxy_pass http://%%API%%; }
        location /method { limit_except GET { phantom_token_resource_metadata https://write.example.com/; }
                           proxy_pass http://%%API%%; }
        location = /first { phantom_token off; try_files /nonexistent /host; }
        location /reject { phantom_token_inbound_jwt reject; proxy_pass http://%%API%%; }
        location /audience { phantom_token_audience other; proxy_pass http://%%API%%; }
        location /issuer { phantom_token_issuer other; proxy_pass http://%%API%%; }

        location /.well-known/oauth-protected-resource {
            phantom_token off;
            default_type application/json;
            return 200 '{"resource":"https://api.example.com","scopes_supported":["read"],
                         "authorization_servers":["https://login.example.com"]}';
        }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);

my %with    = (realm => 'api', scope => 'read', resource_metadata => $url);
my %invalid = (%with, error => 'invalid_token');
my %claims  = (sub => 'alice', scope => 'read', aud => 'api', iss => 'https://as');

sub tells {
    my ($name, $answer, $outcome, %more) = @_;
    my $token = "$outcome-token";
    return {
        name => "resource_metadata: 401 $name", request => { path => '/', token => $token },
        answers => { $token => $answer }, status => 401, outcome => $outcome, challenge => \%invalid, %more
    };
}

# --- every challenge -------------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'resource_metadata: 401 missing',
      request => {}, status => 401, outcome => 'missing', challenge => \%with },
    { name => 'resource_metadata: 401 another scheme', request => { headers => ['Authorization: Basic eA=='] },
      status => 401, outcome => 'missing', challenge => \%with },
    { name => 'resource_metadata: 401 malformed', request => { headers => ['Authorization: Bearer a b'] },
      status => 401, outcome => 'malformed', challenge => \%invalid },
    tells(inactive          => { status => 204 }, 'inactive'),
    tells(expired           => { jwt => { %claims, exp => 1 } }, 'expired'),
    tells('not yet valid'   => { jwt => { %claims, nbf => 9_999_999_999 } }, 'not_yet_valid'),
    tells(bound             => { jwt => { %claims, cnf => {} } }, 'bound'),
    tells(issuer            => { jwt => {%claims} }, 'issuer',
          request => { path => '/issuer', token => 'issuer-token' }),
    tells(audience          => { jwt => {%claims} }, 'audience',
          request => { path => '/audience', token => 'audience-token' }),
    tells('rejected JWT'    => {}, 'rejected_jwt', request => { path => '/reject', token => jwt({%claims}) },
          answers => {}),
    { name => 'resource_metadata: 403 insufficient_scope',
      request => { token => 'write-token' }, answers => { 'write-token' => { jwt => { %claims, scope => 'write' } } },
      status => 403, challenge => { %with, error => 'insufficient_scope' } },
    { name => 'resource_metadata: no challenge, 200', request => { token => 'alice-token' },
      answers => { 'alice-token' => { jwt => {%claims} } }, status => 200, headers => { 'WWW-Authenticate' => undef } },
    { name => 'resource_metadata: no challenge, 502', request => { token => 'broken-token' },
      answers => { 'broken-token' => { status => 500 } }, status => 502, challenge => undef },
    { name => 'resource_metadata: no scopes',
      request => { path => '/bare' }, status => 401, challenge => { realm => 'api', resource_metadata => $url } },
    { name => 'resource_metadata: HEAD', request => { method => 'HEAD' }, status => 401, challenge => \%with },
    { name => 'resource_metadata: HTTP/2',
      request => { path => '/', http2 => 1, port => 'h2' }, status => 401, challenge => \%with },
    { name => 'resource_metadata: problem details',
      request => { path => '/problem' }, status => 401, refusal => 'problem', challenge => \%with },
    { name => 'resource_metadata: kept by error_page',
      request => { path => '/page' }, status => 401, challenge => \%with, api => [{ uri => '/page-of-errors' }] },
    { name => 'resource_metadata: after a redirect, the new location\'s',
      request => { path => '/first', host => 'a.example' }, status => 401,
      challenge => { %with, resource_metadata => 'https://a.example/.well-known/oauth-protected-resource/host' } },
    { name => 'resource_metadata: nothing of the verdict before', request => { path => '/sub', token => 'write-token' },
      status => 403, challenge => { %with, error => 'insufficient_scope',
                                    resource_metadata => 'https://x/?sub=&status=insufficient_scope' } },

    # --- inheritance -------------------------------------------------------------------------------------------------
    { name => 'resource_metadata "": empties what is inherited', request => { path => '/off' }, status => 401,
      challenge => { realm => 'api', scope => 'read' }, no_log => qr/resource_metadata/ },
    { name => 'resource_metadata: below "", another', request => { path => '/off/again' }, status => 401,
      challenge => { %with, resource_metadata => 'https://again.example.com/' } },
    { name => 'resource_metadata: limit_except: GET',
      request => { path => '/method' }, status => 401, challenge => \%with },
    { name => 'resource_metadata: limit_except: PUT', request => { path => '/method', method => 'PUT' }, status => 401,
      challenge => { %with, resource_metadata => 'https://write.example.com/' } },

    # --- variables ---------------------------------------------------------------------------------------------------
    { name => 'resource_metadata: variables', request => { path => '/host/a', host => 'b.example' }, status => 401,
      challenge => { %with, resource_metadata => 'https://b.example/.well-known/oauth-protected-resource/host/a' } },
    { name => 'resource_metadata: a variable that is empty', request => { path => '/value' }, status => 401,
      challenge => { realm => 'api', scope => 'read' }, no_log => qr/resource_metadata/ },
    (map {
        my ($name, $value) = @{$_};
        { name => "resource_metadata: a URI: $name", request => { path => "/value?value=$value" }, status => 401,
          challenge => { %with, resource_metadata => $value }, no_log => qr/resource_metadata/ }
    } ['every character of RFC 3986' => q{https://u:p@[::1]:8/a-._~!$'()*+,;=:@/b?c=%20/?}],
        ['percent-encoded quote' => 'https://x/%22'], ['long' => 'https://x/' . 'a' x 3_000]),
    (map {
        my ($name, $bytes) = @{$_};
        { name => "resource_metadata: left out and logged: $name",
          request => { path => '/value?from=header', headers => ["X-Metadata: https://x/$bytes"] }, status => 401,
          challenge => { realm => 'api', scope => 'read' },
          log => qr/\[error\].*phantom token: .*phantom_token_resource_metadata.*no URI/ }
    } ['a quote' => 'a"b'], ['a quote and another parameter' => '", error="x'], ['a backslash' => 'a\b'],
        ['a space' => 'a b'], ['a TAB' => "a\tb"], ['less' => '<b'], ['greater' => '>'], ['a brace' => '{'],
        ['a bar' => '|'], ['a caret' => '^'], ['a grave accent' => '`'], ['a byte over 0x80' => "\xc3\xa4"],
        ['0xff' => "\xff"], ['DEL' => "\x7f"]),
    (map {
        my ($name, $bytes) = @{$_};
        { name => "resource_metadata: left out and logged: $name, decoded from the URI",
          request => { path => "/decoded/$bytes" }, status => 401, challenge => { realm => 'api', scope => 'read' },
          log => qr/\[error\].*phantom token: .*phantom_token_resource_metadata.*no URI/ }
    } ['CR LF' => 'a%0d%0aX-Evil:%201'], ['LF' => 'a%0ab'], ['a control character' => 'a%01b'], ['a quote' => 'a%22b']),
    (map {
        { name => "resource_metadata: left out and logged: a constant: $_",
          request => { path => "/constant-$_" }, status => 401, challenge => { realm => 'api', scope => 'read' },
          log => qr/phantom_token_resource_metadata.*no URI/ }
    } qw(quote space utf8)),
);

# --- one challenge beside auth_basic's, which nginx adds -------------------------------------------------------------

{
    my $response   = $gateway->get('/basic');
    my @challenges = $response->headers('WWW-Authenticate');
    my @bearer     = grep { /^Bearer / } @challenges;
    is $response->status, 401, 'resource_metadata: beside auth_basic: 401';
    is scalar @bearer, 1, 'resource_metadata: beside auth_basic: one Bearer challenge';
    is_deeply parse_challenge($bearer[0])->{params}, \%with, 'resource_metadata: beside auth_basic';
}

# --- what an MCP client needs: from the challenge to the AS and the scope, in one 401 --------------------------------

{
    my $response  = $gateway->get(
        '/mcp', headers => ['MCP-Protocol-Version: 2025-06-18', 'Accept: application/json, text/event-stream']
    );
    my $challenge = parse_challenge($response->header('WWW-Authenticate'));
    is $challenge->{scheme}, 'Bearer', 'MCP: the challenge is Bearer';
    is $challenge->{params}{error}, undef, 'MCP: no error before there was a token';
    is $challenge->{params}{scope}, 'read', 'MCP: the scope to ask for';
    my ($path) = $challenge->{params}{resource_metadata} =~ m{^https://api\.example\.com(/.*)$};
    my $document = $gateway->get($path, headers => ['Origin: https://client.example.com']);
    is $document->status, 200, 'MCP: the metadata needs no token';
    is_deeply $document->json->{authorization_servers}, ['https://login.example.com'], 'MCP: and names the AS';
    my $expired = parse_challenge($gateway->post('/mcp', '{}', token => 'expired-token')->header('WWW-Authenticate'));
    is_deeply $expired->{params}, \%invalid, 'MCP: after a bad token: error, scope and resource_metadata at once';
    my $step_up = parse_challenge($gateway->post('/mcp', '{}', token => 'write-token')->header('WWW-Authenticate'));
    is_deeply $step_up->{params}, { %with, error => 'insufficient_scope' },
        'MCP: step up: all scopes that are required';
}

# --- the URL that follows from phantom_token_resource ----------------------------------------------------------------

my $known = '/.well-known/oauth-protected-resource';
my @derived = (
    ['a path',             'https://api.example.com/orders',     "https://api.example.com$known/orders"],
    ['no path',            'https://api.example.com',            "https://api.example.com$known"],
    ['a path of a slash',  'https://api.example.com/',           "https://api.example.com$known"],
    ['a slash at the end', 'https://api.example.com/orders/',    "https://api.example.com$known/orders/"],
    ['a port',             'http://api.example.com:8080/orders', "http://api.example.com:8080$known/orders"],
    ['an IPv6 address',    'https://[2001:db8::1]:8443/a',       "https://[2001:db8::1]:8443$known/a"],
    ['a query',            'https://api.example.com/orders?t=1', "https://api.example.com$known/orders?t=1"],
    ['a query, no path',   'https://api.example.com?t=/1',       "https://api.example.com$known?t=/1"],
    ['a query, a slash',   'https://api.example.com/?t=1',       "https://api.example.com$known?t=1"],
);
my $constants = join "\n", map {
    "location = /constant/$_ { phantom_token_resource $derived[$_][1]; $API }"
} 0 .. $#derived;

my $derived = gateway(
    http   => 'map $arg_from $resource { default $arg_value; header $http_x_resource; decoded $decoded; nothing ""; }',
    server => 'phantom_token on; phantom_token_introspection_endpoint /_introspect; phantom_token_scopes "read";
        phantom_token_resource https://api.example.com/server;',
    locations => $constants . <<"END",
        location / { $API }
        location /none { phantom_token_resource ""; $API
            location /none/again { phantom_token_resource https://again.example.com; $API } }
        location /explicit { phantom_token_resource_metadata https://x/explicit; $API
            location /explicit/inner { phantom_token_resource https://inner.example.com; $API }
            location /explicit/emptied { phantom_token_resource_metadata ""; $API }
            location /explicit/map { phantom_token_resource_metadata \$arg_metadata; $API } }
        location /method { limit_except GET { phantom_token_resource https://write.example.com/; } $API }
        location /host { phantom_token_resource https://\$host/orders; $API }
        location /value { phantom_token_resource \$resource; $API }
        location ~ "(?s)^/decoded/(?<decoded>.*)\$" { phantom_token_resource https://x/\$decoded; $API }
        location /expose { add_header Access-Control-Expose-Headers WWW-Authenticate always; $API }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);
my %bare = (realm => 'api', scope => 'read');
my %left_out = (
    status => 401, challenge => \%bare,
    log => qr/\[error\].*phantom token: "phantom_token_resource" evaluates to what is no .*URL.*, location "\S+"/
);
sub derived { my ($url, %more) = @_; return { %bare, resource_metadata => $url, %more } }

cases($derived,
    (map {
        { name => "derived: $derived[$_][0]", request => { path => "/constant/$_" }, status => 401,
          challenge => derived($derived[$_][2]), no_log => qr/phantom_token_resource/ }
    } 0 .. $#derived),
    { name => 'derived: 401 inactive', request => { token => 'gone-token' },
      answers => { 'gone-token' => { status => 204 } },
      status => 401, challenge => derived("https://api.example.com$known/server", error => 'invalid_token') },
    { name => 'derived: 403', request => { token => 'write-token' },
      answers => { 'write-token' => { jwt => { sub => 'alice', scope => 'write' } } },
      status => 403, challenge => derived("https://api.example.com$known/server", error => 'insufficient_scope') },
    { name => 'derived: none in a 502', request => { token => 'broken-token' },
      answers => { 'broken-token' => { status => 500 } }, status => 502, challenge => undef },

    # --- inheritance -------------------------------------------------------------------------------------------------
    { name => 'derived: "" empties what is inherited', request => { path => '/none' }, status => 401,
      challenge => \%bare, no_log => qr/phantom_token_resource/ },
    { name => 'derived: below "", another', request => { path => '/none/again' }, status => 401,
      challenge => derived("https://again.example.com$known") },
    { name => 'derived: phantom_token_resource_metadata wins', request => { path => '/explicit' }, status => 401,
      challenge => derived('https://x/explicit') },
    { name => 'derived: it wins where it is inherited, too', request => { path => '/explicit/inner' }, status => 401,
      challenge => derived('https://x/explicit') },
    { name => 'derived: with "" it does not', request => { path => '/explicit/emptied' }, status => 401,
      challenge => derived("https://api.example.com$known/server") },
    { name => 'derived: nor does it with a variable that is empty', request => { path => '/explicit/map' },
      status => 401, challenge => derived("https://api.example.com$known/server") },
    { name => 'derived: with a variable that is not empty it does', status => 401,
      request => { path => '/explicit/map?metadata=https://y' }, challenge => derived('https://y') },
    { name => 'derived: what is no URI is left out', request => { path => '/explicit/map?metadata=<' }, status => 401,
      challenge => \%bare, log => qr/phantom_token_resource_metadata.*no URI/ },
    { name => 'derived: limit_except: GET', request => { path => '/method' }, status => 401,
      challenge => derived("https://api.example.com$known/server") },
    { name => 'derived: limit_except: PUT', request => { path => '/method', method => 'PUT' }, status => 401,
      challenge => derived("https://write.example.com$known") },

    # --- variables ---------------------------------------------------------------------------------------------------
    { name => 'derived: a variable', request => { path => '/host', host => 'b.example' }, status => 401,
      challenge => derived("https://b.example$known/orders") },
    { name => 'derived: a variable that is empty', request => { path => '/value?from=nothing' }, status => 401,
      challenge => \%bare, no_log => qr/phantom_token_resource/ },
    { name => 'derived: long', request => { path => '/value?value=https://x/' . 'a' x 3_000 }, status => 401,
      challenge => derived("https://x$known/" . 'a' x 3_000) },
    (map {
        my ($name, $value) = @{$_};
        { name => "derived: left out and logged: $name",
          request => { path => '/value?from=header', headers => ["X-Resource: $value"] }, %left_out }
    } ['no URL' => 'orders'], ['another scheme' => 'ftp://x/'], ['no host' => 'https:///orders'],
        ['a fragment' => 'https://x/#a'], ['a user name' => 'https://u@x/'], ['a port of letters' => 'https://x:a/'],
        ['a quote and another parameter' => 'https://x/", error="x'], ['a backslash' => 'https://x/\\'],
        ['a space' => 'https://x/a b'], ['a TAB' => "https://x/a\tb"], ['a byte over 0x80' => "https://x/\xc3\xa4"],
        ['half of a percent-encoded byte' => 'https://x/%2'],
        ['an IPv6 address that is not closed' => 'https://[::1/']),
    (map {
        my ($name, $bytes) = @{$_};
        { name => "derived: left out and logged: $name, decoded from the URI",
          request => { path => "/decoded/$bytes" }, %left_out }
    } ['CR LF' => 'a%0d%0aX-Evil:%201'], ['a control character' => 'a%01b'], ['a quote' => 'a%22b']),

    # --- for a client in a browser, which reads no header that is not exposed ----------------------------------------
    { name => 'derived: add_header exposes the challenge', request => { path => '/expose' }, status => 401,
      challenge => derived("https://api.example.com$known/server"),
      headers => { 'Access-Control-Expose-Headers' => 'WWW-Authenticate' } },
    { name => 'derived: that of a 403 too', request => { path => '/expose', token => 'write-token' }, status => 403,
      challenge => derived("https://api.example.com$known/server", error => 'insufficient_scope'),
      headers => { 'Access-Control-Expose-Headers' => 'WWW-Authenticate' } },
);

my $no_url = qr/"phantom_token_resource" of location "\S+" must be an absolute http or https URL/;
configurations(
    (map {
        { name => "nginx -t: resource: $_->[0]", protected => "phantom_token_resource $_->[1];", refuses => $no_url }
    } ['no URL' => 'orders'], ['a path' => '/orders'], ['another scheme' => 'ftp://x'], ['a urn' => 'urn:x:y'],
        ['no host' => 'https://'], ['a fragment' => 'https://x/#a'], ['a user name' => 'https://u:p@x/'],
        ['a space' => '"https://x/a b"'], ['a line break' => "'https://x/\n'"], ['a TAB' => "'https://x/\t'"],
        ['a quote' => q{'https://x/"'}], ['UTF-8' => 'https://x/ä'], ['a port of letters' => 'https://x:a']),
    { name => 'nginx -t: resource twice',
      protected => 'phantom_token_resource https://x; phantom_token_resource https://y;',
      refuses => qr/"phantom_token_resource" directive is duplicate/ },
    { name => 'nginx -t: resource twice, emptied first',
      protected => 'phantom_token_resource ""; phantom_token_resource https://y;',
      refuses => qr/"phantom_token_resource" directive is duplicate/ },
    { name => 'nginx -t: resource without a value',
      protected => 'phantom_token_resource;', refuses => qr/invalid number of arguments/ },
    { name => 'nginx -t: resource in http, what is wrong with it too', http => 'phantom_token_resource x;',
      refuses => qr/"phantom_token_resource" of location "http" must be an absolute/ },
    (map { { name => "nginx -t: resource: accepted: $_", protected => "phantom_token_resource $_;", accepts => 1 } }
        'https://api.example.com/orders', 'HTTP://x', '""', '$http_x', 'https://$host/a', 'https://[::1]:8/?a=b%20'),
    { name => 'nginx -t: resource_metadata twice',
      protected => 'phantom_token_resource_metadata a; phantom_token_resource_metadata b;',
      refuses => qr/phantom_token_resource_metadata.*duplicate/ },
    { name => 'nginx -t: resource_metadata without a value',
      protected => 'phantom_token_resource_metadata;', refuses => qr/invalid number of arguments/ },
);

done_testing;
