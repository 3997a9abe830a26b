# phantom_token_resource_metadata (RFC 9728 section 5.1): in every challenge, with variables; control characters and
# bytes outside a URI are left out and logged. What an MCP client needs is the last part.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $url = 'https://api.example.com/.well-known/oauth-protected-resource';

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

configurations(
    { name => 'nginx -t: resource_metadata twice',
      protected => 'phantom_token_resource_metadata a; phantom_token_resource_metadata b;',
      refuses => qr/phantom_token_resource_metadata.*duplicate/ },
    { name => 'nginx -t: resource_metadata without a value',
      protected => 'phantom_token_resource_metadata;', refuses => qr/invalid number of arguments/ },
);

done_testing;
