# phantom_token_resource_document (RFC 9728): the members of the document, its headers, CORS, methods, inheritance, two
# APIs in one server, and what nginx -t says of it. Last, a client finds its way from a challenge to the document.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use JSON::PP ();

my $API   = 'proxy_pass http://%%API%%;';
my $known = '/.well-known/oauth-protected-resource';
my $DOCUMENT = 'phantom_token_resource_document';

my $gateway = gateway(
    http   => 'map $arg_from $resource { default $arg_value; header $http_x_resource; }',
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_resource https://api.example.com;
        phantom_token_issuer https://login.example.com https://second.example.com/realms/x;
        phantom_token_scopes "read write read";
END
    locations => <<"END",
        location / { $API }
        location = $known { phantom_token off; $DOCUMENT; }

        location /orders { phantom_token_resource https://api.example.com/orders; phantom_token_scopes orders; $API }
        location = $known/orders {
            phantom_token off; phantom_token_resource https://api.example.com/orders; phantom_token_scopes orders;
            $DOCUMENT authorization_servers=https://orders.example.com;
        }
        location /invoices { phantom_token_resource https://api.example.com/invoices/;
                             phantom_token_scopes "invoice_* read"; $API }
        location = $known/invoices/ {
            phantom_token off; phantom_token_resource https://api.example.com/invoices/;
            phantom_token_scopes "invoice_* read"; $DOCUMENT;
        }

        location /document {
            phantom_token off;
            location /document/quoted { $DOCUMENT authorization_servers="https://a.example https://b.example/x"; }
            location /document/spaces { $DOCUMENT authorization_servers="https://a.example   https://b.example/x"; }
            location /document/whole { $DOCUMENT "authorization_servers=https://a.example  https://b.example/x"; }
            location /document/one { $DOCUMENT authorization_servers="http://[::1]:8080/realms/x"; }
            location /document/twice { $DOCUMENT authorization_servers="https://a.example https://a.example"; }
            location /document/lines { phantom_token_scope a; phantom_token_scope b; $DOCUMENT; }
            location /document/any { phantom_token_scope_match any; $DOCUMENT; }
            location /document/bare { phantom_token_scopes ""; phantom_token_issuer ""; $DOCUMENT; }
            location /document/names { phantom_token_issuer accounts.example https://login.example.com?x; $DOCUMENT; }
            location /document/some { phantom_token_issuer accounts.example https://login.example.com; $DOCUMENT; }
            location /document/confirmation { phantom_token_confirmation pass; $DOCUMENT; }
            location /document/parent {
                $DOCUMENT authorization_servers=https://parent.example.com;
                location /document/parent/inner { $DOCUMENT; }
                location /document/parent/api { $API }
            }
            location /document/host { phantom_token_resource https://\$host/orders?a=b; $DOCUMENT; }
            location /document/value { phantom_token_resource \$resource; $DOCUMENT; }
            location /document/value/page {
                phantom_token_resource \$resource; phantom_token_error_format problem; $DOCUMENT;
            }
            location ~ "(?s)^/document/decoded/(?<decoded>.*)\$" {
                phantom_token_resource https://x/\$decoded; $DOCUMENT;
            }
            location /document/if { if (\$arg_x) { set \$y 1; } $DOCUMENT authorization_servers=https://if.example; }
            location /document/cookie { phantom_token_source \$cookie_at; $DOCUMENT; }
            location /document/sources { phantom_token_source \$cookie_at authorization; $DOCUMENT; }
            location /document/header { add_header X-Own own; $DOCUMENT; }
        }
        location /protected { $DOCUMENT; }
        location /optional { phantom_token optional; $DOCUMENT; }
        location /ssi { phantom_token off; ssi on; default_type text/html; $API }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);

my $login   = 'https://login.example.com';
my @servers = ($login, 'https://second.example.com/realms/x');
my %server  = (
    resource => 'https://api.example.com', authorization_servers => [@servers],
    scopes_supported => ['read', 'write'], bearer_methods_supported => ['header']
);
my %headers = (
    'Content-Type' => 'application/json', 'Cache-Control' => 'public, max-age=300', 'Access-Control-Allow-Origin' => '*'
);
my %nobody = (as => 0, api => 0);

# The document at this path, and nothing else: no member that is not expected.
sub document {
    my ($name, $path, $json, %request) = @_;
    return { name => "document: $name", request => { path => $path, %request }, status => 200, json => $json,
             headers => {%headers}, %nobody };
}

sub without { my ($member) = @_; my %rest = %server; delete $rest{$member}; return \%rest }

my @two = ('https://a.example', 'https://b.example/x');
my @origin = ('Origin: https://client.example');
my @asked  = ('Access-Control-Request-Method: GET', 'Access-Control-Request-Headers: mcp-protocol-version');
my %allowed = (
    'Access-Control-Allow-Origin' => '*', 'Access-Control-Allow-Methods' => 'GET, HEAD',
    'Access-Control-Allow-Headers' => '*, Authorization', 'Access-Control-Max-Age' => '7200',
    'Content-Type' => undef, 'Cache-Control' => undef
);

my $misconfigured = 'phantom token: misconfigured: "phantom_token_resource": its variables give no absolute http or '
    . 'https URL for this request';

cases($gateway,
    document('what the server says', $known, \%server),
    document('with a query, which changes nothing', "$known?x=1", \%server),
    document('for a client in a browser', $known, \%server, headers => [@origin, 'MCP-Protocol-Version: 2025-06-18']),
    document('over HTTP/2', $known, \%server, http2 => 1, port => 'h2'),
    document('a token beside it means nothing', $known, \%server, token => 'gone-token'),
    document('another API in this server', "$known/orders",
             { resource => 'https://api.example.com/orders', authorization_servers => ['https://orders.example.com'],
               scopes_supported => ['orders'], bearer_methods_supported => ['header'] }),
    document('scopes of which one stands for many', "$known/invoices/",
             { resource => 'https://api.example.com/invoices/', authorization_servers => [@servers],
               bearer_methods_supported => ['header'] }),
    (map { document("two servers, $_", "/document/$_", { %server, authorization_servers => [@two] }) }
        qw(quoted spaces whole)),
    document('one server', '/document/one', { %server, authorization_servers => ['http://[::1]:8080/realms/x'] }),
    document('one server, named twice', '/document/twice', { %server, authorization_servers => ['https://a.example'] }),
    document('scopes in lines', '/document/lines', { %server, scopes_supported => ['a', 'b'] }),
    document('one scope is enough', '/document/any', \%server),
    document('nothing known', '/document/bare',
             { resource => 'https://api.example.com', bearer_methods_supported => ['header'] }),
    document('no token from the header', '/document/cookie', without('bearer_methods_supported')),
    document('the header is one of the sources', '/document/sources', \%server),
    document('issuers that are no URLs', '/document/names', without('authorization_servers')),
    document('an issuer that is no URL', '/document/some', { %server, authorization_servers => [$login] }),
    document('confirmation pass', '/document/confirmation', \%server),
    document('servers of the line', '/document/parent',
             { %server, authorization_servers => ['https://parent.example.com'] }),
    document('which no inner location inherits', '/document/parent/inner', \%server),
    { name => 'document: nor is it a document', request => { path => '/document/parent/api' }, status => 200, as => 0,
      api => [{ uri => '/document/parent/api' }] },
    document('an if that holds', '/document/if?x=1', { %server, authorization_servers => ['https://if.example'] }),
    { name => 'document: add_header beside it', request => { path => '/document/header' }, status => 200,
      json => \%server, headers => { %headers, 'X-Own' => 'own' } },

    # --- protected ---------------------------------------------------------------------------------------------------
    { name => 'document: protected', request => { path => '/protected' }, status => 401, as => 0 },
    { name => 'document: protected, with a token', request => { path => '/protected', token => 'alice-token' },
      answers => { 'alice-token' => { jwt => { iss => $login, scope => 'read write' } } },
      status => 200, json => \%server, api => 0, outcome => 'active' },
    document('optional', '/optional', \%server),

    # --- methods -----------------------------------------------------------------------------------------------------
    { name => 'document: HEAD', request => { method => 'HEAD', path => $known }, status => 200, body => '',
      headers => { %headers, 'Content-Length' => qr/^[1-9]\d+$/ }, %nobody },
    (map {
        { name => "document: $_", request => { method => $_, path => $known, $_ =~ /^P/ ? (body => 'x=1') : () },
          status => 405, headers => { Allow => 'GET, HEAD', 'Access-Control-Allow-Origin' => undef }, %nobody }
    } qw(POST PUT PATCH DELETE OPTIONS)),
    { name => 'document: GET with a body', request => { path => $known, body => 'x' x 20_000 }, status => 200,
      json => \%server, %nobody },

    # --- CORS --------------------------------------------------------------------------------------------------------
    { name => 'document: a preflight', request => { method => 'OPTIONS', path => $known, headers => [@origin, @asked] },
      status => 204, body => '', headers => {%allowed}, %nobody },
    { name => 'document: a preflight for any method, which the browser compares', status => 204, headers => {%allowed},
      request => { method => 'OPTIONS', path => $known, headers => [@origin, 'Access-Control-Request-Method: PUT'] } },
    { name => 'document: a preflight: nothing of it is repeated', status => 204, headers => {%allowed},
      request => { method => 'OPTIONS', path => $known,
                   headers => [@origin, $asked[0], 'Access-Control-Request-Headers: "<x>, y z'] } },
    { name => 'document: a preflight over HTTP/2', status => 204, headers => {%allowed},
      request => { method => 'OPTIONS', path => $known, headers => [@origin, @asked], http2 => 1, port => 'h2' } },
    { name => 'document: a preflight where it is protected', status => 204, headers => {%allowed}, %nobody,
      request => { method => 'OPTIONS', path => '/protected', headers => [@origin, @asked] } },
    (map {
        { name => "document: no preflight: OPTIONS $_->[0]", status => 405, headers => { Allow => 'GET, HEAD' },
          request => { method => 'OPTIONS', path => $known, headers => $_->[1] }, %nobody }
    } ['without Origin', [@asked]], ['without the method', [@origin]],
        ['with Upgrade', [@origin, @asked, 'Upgrade: x']]),

    # --- variables ---------------------------------------------------------------------------------------------------
    document('a variable', '/document/host', { %server, resource => 'https://b.example/orders?a=b' },
             host => 'b.example'),
    document('every character of a URL', q{/document/value?value=https://[::1]:8/a-._~!$'()*+,;=:@/b?c=%20%22/?},
             { %server, resource => q{https://[::1]:8/a-._~!$'()*+,;=:@/b?c=%20%22/?} }),
    (map {
        my ($name, $request) = @{$_};
        { name => "document: no such URL: $name", request => $request, status => 500, outcome => 'misconfigured',
          %nobody, headers => { 'Cache-Control' => undef, 'Access-Control-Allow-Origin' => undef },
          log => qr/\[error\].*$misconfigured, location "/ }
    } (map { [$_->[0], { path => '/document/value?from=header', headers => ["X-Resource: $_->[1]"] }] }
            ['no URL' => 'orders'], ['a fragment' => 'https://x/#a'], ['a user name' => 'https://u@x'],
            ['a quote' => 'https://x/"'], ['a backslash' => 'https://x/\\'], ['a TAB' => "https://x/a\tb"],
            ['a byte over 0x80' => "https://x/\xc3"]),
        ['an empty variable', { path => '/document/value' }],
        ['a line break, decoded', { path => '/document/decoded/a%0ab' }]),
    { name => 'document: no such URL: as problem details', request => { path => '/document/value/page' },
      status => 500, refusal => 'problem' },
    { name => 'document: no such URL: HEAD', request => { path => '/document/value', method => 'HEAD' },
      status => 500 },

    # --- a part of a page --------------------------------------------------------------------------------------------
    { name => 'document: in a subrequest', request => { path => '/ssi' }, status => 200,
      body => qr/^\[\{"resource":.*\}\s*\]$/s,
      api_answers => { '/ssi' => { type => 'text/html', body => qq{[<!--# include virtual="$known" -->]} } } },
);

# --- what a client does: from the challenge to the document, whose resource must be what it has asked for ------------

for (
    ['/orders',    ['https://orders.example.com'], ['orders']],
    ['/invoices/', [@servers],                     undef],
) {
    my ($path, $as, $scopes) = @{$_};
    my $challenge = parse_challenge($gateway->get($path)->header('WWW-Authenticate'));
    my ($where)   = $challenge->{params}{resource_metadata} =~ m{^https://api\.example\.com(/.*)$};
    is $where, $known . $path, "client: $path: the challenge leads to its document";
    my $document = $gateway->get($where)->json;
    is $document->{resource}, "https://api.example.com$path", "client: $path: which is about it (RFC 9728 section 3.3)";
    is_deeply $document->{authorization_servers}, $as, "client: $path: names its authorization server";
    is_deeply $document->{scopes_supported}, $scopes, "client: $path: and its scopes";
}

# --- what is refused, warned of, accepted ----------------------------------------------------------------------------

my $resource = 'phantom_token_resource https://x;';
my $issuer   = 'phantom_token_issuer https://as.example;';
my $line     = qr/"phantom_token_resource_document" of location "\/d"/;
my $no_resource  = qr/$line has no resource to describe: add "phantom_token_resource".* in \S+:\d+/;
my $bad_server   = qr/$line has an authorization server that is no issuer identifier: /;
my $bad_parameter = qr/$line wants nothing, or "authorization_servers=URL"/;
my $misplaced    = qr/"phantom_token_resource_document" directive is not allowed here/;
sub of_servers { my ($servers) = @_; return "location /d { $resource $DOCUMENT $servers; }" }

configurations(
    (map { { name => "refused: $_->[0]", locations => $_->[1], refuses => $_->[2] } } (
        ['no resource',       "location /d { $issuer $DOCUMENT; }",                                $no_resource],
        ['an emptied one',    "$resource location /d { phantom_token_resource ''; $DOCUMENT; }",   $no_resource],
        ['one elsewhere',     "location / { $resource } location /d { $DOCUMENT; }",               $no_resource],
        ['twice',             "location /d { $resource $DOCUMENT; $DOCUMENT; }",
         qr/"phantom_token_resource_document" directive is duplicate/],
        ['in a server',       "$resource $DOCUMENT; location / { }",                               $misplaced],
        ['in limit_except',   "location / { $resource limit_except GET { $DOCUMENT; } }",          $misplaced],
        ['in if',             "location / { $resource if (\$host) { $DOCUMENT; } }",               $misplaced],
        ['another parameter', of_servers('servers=https://a'),                                     $bad_parameter],
        ['no parameter',      of_servers('""'),                                                    $bad_parameter],
        ['a URL alone',       of_servers('https://a'),                                             $bad_parameter],
        ['no server',         of_servers('authorization_servers='),                                $bad_parameter],
        ['no server, quoted', of_servers('authorization_servers=""'),                              $bad_parameter],
        ['a lone quote',      of_servers('authorization_servers="'),                               $bad_parameter],
        ['an open quote',     of_servers('authorization_servers="https://a https://b'),            $bad_parameter],
        ['no quotes',         of_servers('authorization_servers=https://a https://b'),             $bad_parameter],
        ['one more behind',   of_servers('authorization_servers="https://a" https://b'),           $bad_server],
        ['no URL',            of_servers('authorization_servers=as.example'),                      $bad_server],
        ['a bad second one',  of_servers('authorization_servers="https://a b"'),                   qr/$bad_server"b"/],
        ['a query',           of_servers('authorization_servers=https://a?b'),                     $bad_server],
        ['a fragment',        of_servers('authorization_servers=https://a#b'),                     $bad_server],
        ['a variable',        of_servers('authorization_servers=https://a/$host'),                 $bad_server],
        ['a control character', of_servers("'authorization_servers=https://a\t'"),                 $bad_server],
    )),
    { name => 'refused: in http', http => "$resource $DOCUMENT;", refuses => $misplaced },
    { name => 'warned of: no authorization server', locations => "location /d { $resource $DOCUMENT; }", accepts => 1,
      warns => qr/$line names no authorization server, .*: add "phantom_token_issuer".* in \S+:\d+/ },
    { name => 'warned of: an issuer that is no URL', accepts => 1,
      locations => "location /d { $resource phantom_token_issuer https://a as.example; $DOCUMENT; }",
      warns => qr/$line leaves out the issuer "as\.example", .* in \S+:\d+/ },
    { name => 'warned of: protected by the server', accepts => 1,
      server => 'phantom_token on; phantom_token_introspection_endpoint /_introspect;',
      locations => "location /d { $resource $issuer $DOCUMENT; } location = /_introspect { internal; $API }",
      warns => qr/$line is protected, .*: add "phantom_token off;" in \S+:\d+/ },
    (map { { name => "accepted: $_->[0]", locations => $_->[1], accepts => 1, warns => undef } } (
        ['an issuer',               "location /d { $resource $issuer $DOCUMENT; }"],
        ['inherited',               "$resource $issuer location /d { $DOCUMENT; }"],
        ['a resource by variables', "location /d { phantom_token_resource \$http_x; $issuer $DOCUMENT; }"],
        ['servers in quotes',       of_servers('authorization_servers="https://a https://b"')],
        ['servers in place of issuers',
         "location /d { $resource phantom_token_issuer as.example; $DOCUMENT authorization_servers=https://a; }"],
        ['optional', "location /d { phantom_token optional; phantom_token_introspection_endpoint /_introspect;
             $resource $issuer $DOCUMENT; } location = /_introspect { internal; $API }"],
    )),
);

done_testing;
