# The Model Context Protocol behind the gateway: nginx-conf/mcp.conf as it stands, npm oidc-provider, where clients
# register themselves, and on both sides the protocol's own SDK: clients in mcp/flows.mjs, the server in mcp/server.mjs.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Mcp qw(mcp_packages mcp_configuration mcp_flows guide_block guide_gateway guide_machine guide_person
                    start_mcp_server slurp);
use Harness::Ports 'reserve_port';
use Harness::Process 'spawn';

my $json = JSON::PP->new->utf8->canonical;
my $as   = real_server('oidc-provider');
mcp_packages('t/mcp', 'build/mcp');

# A gateway with an MCP server of its own; the arguments change the configuration.
sub start {
    my (@change) = @_;
    my $port     = reserve_port();
    my $gateway  = gateway(mcp_configuration($as, "127.0.0.1:$port", @change));
    my $log      = start_mcp_server($port, $gateway);
    return { gateway => $gateway, site => 'https://localhost:' . $gateway->port(443), log => $log };
}

sub flows {
    my ($setup, @names) = @_;
    return mcp_flows({ URL => "$setup->{site}/mcp", NODE_EXTRA_CA_CERTS => $setup->{gateway}->ca }, @names);
}

my $setup = start();
my ($gateway, $site) = @{$setup}{qw(gateway site)};
my $document = "$site/.well-known/oauth-protected-resource/mcp";
flows($setup, qw(current stream session oldest predecessor));

# --- what a client is told -------------------------------------------------------------------------------------------

my %https = (port => 443, tls => 1);
my $told  = $gateway->get('/.well-known/oauth-protected-resource/mcp', %https);
is $told->status, 200, 'the metadata document needs no token';
is_deeply $told->json, {
    resource => "$site/mcp", authorization_servers => ['http://' . $as->address], scopes_supported => ['mcp:read'],
    bearer_methods_supported => ['header'],
}, 'it says where tokens come from, and what the least is that one must allow';
is join(' ', $told->headers('Access-Control-Allow-Origin')), '*', 'a page of any origin may read it';

# A token of the client "app", for this MCP server unless another resource is named.
sub token {
    my ($scope, $resource) = @_;
    return $as->token(scope => $scope, form => { resource => $resource // "$site/mcp" });
}

my $reader = token('mcp:read');
my $writer = token('mcp:read mcp:write');

# A request of revision 2026-07-28. Options: token, name (of the tool), headers (those that say what it is),
# origin, gateway.
sub mcp_call {
    my (%call) = @_;
    my %meta = (protocolVersion => '2026-07-28', clientCapabilities => {});
    $meta{clientInfo} = { name => 'mcp.t', version => '1' };
    %meta = map { ("io.modelcontextprotocol/$_" => $meta{$_}) } keys %meta;
    my $body = { jsonrpc => '2.0', id => 1, method => 'tools/call',
        params => { name => $call{name}, arguments => { line => 'hello' }, _meta => \%meta } };
    my @headers = @{ $call{headers} // [
        'MCP-Protocol-Version: 2026-07-28', 'Mcp-Method: tools/call', "Mcp-Name: $call{name}"
    ] };
    return ($call{gateway} // $gateway)->post(
        '/mcp', $json->encode($body),
        %https,
        token   => $call{token},
        headers => ['Content-Type: application/json', 'Accept: application/json, text/event-stream', @headers,
                    defined $call{origin} ? "Origin: $call{origin}" : ()]
    );
}

my $page    = 'https://app.example.com';
my %reading = (realm => 'api', scope => 'mcp:read', resource_metadata => $document);
my %writing = (%reading, scope => 'mcp:read mcp:write');
for my $row (
    ['without a token, a tool that reads',  { name => 'whoami' },   401, \%reading],
    ['without a token, a tool that writes', { name => 'announce' }, 401, \%writing],
    ['a tool that writes, with a token that may read', { name => 'announce', token => $reader }, 403,
     { %writing, error => 'insufficient_scope' }],
    ['a token that nobody knows', { name => 'whoami', token => 'unknown-token' }, 401,
     { %reading, error => 'invalid_token' }],
    ['a token for another MCP server', { name => 'whoami', token => token('mcp:read', 'http://localhost:1/mcp') }, 401,
     { %reading, error => 'invalid_token' }],
    ['a token for another API', { name => 'whoami', token => token('read', 'https://api.example.com') }, 401,
     { %reading, error => 'invalid_token' }],
) {
    my ($name, $call, $status, $challenge) = @{$row};
    my $mark     = -s $setup->{log};
    my $response = mcp_call(%{$call}, origin => $page);
    is $response->status, $status, "$name: $status";
    is_deeply parse_challenge($response->header('WWW-Authenticate'))->{params}, $challenge,
        "$name: its challenge"
        or diag $response->header('WWW-Authenticate');
    is join(' ', $response->headers('Access-Control-Allow-Origin')), $page, "$name: a page may see that";
    like join(' ', $response->headers('Access-Control-Expose-Headers')), qr/\bWWW-Authenticate\b/,
        "$name: and the challenge";
    is -s $setup->{log}, $mark, "$name: the MCP server heard nothing";
}

sub preflight {
    my ($origin) = @_;
    return $gateway->request(
        %https,
        method  => 'OPTIONS', path => '/mcp',
        headers => ["Origin: $origin", 'Access-Control-Request-Method: POST',
                    'Access-Control-Request-Headers: authorization,mcp-method']
    );
}

my $preflight = preflight($page);
is $preflight->status, 204, 'a preflight is answered';
is $preflight->header('Access-Control-Allow-Origin'), $page, 'for the page that asks';
is $preflight->header('Access-Control-Allow-Headers'), 'Authorization, *', 'and allows the headers of MCP';
is preflight('https://evil.example.com')->status, 403, 'not for every page';
is mcp_call(name => 'whoami', token => $reader, origin => 'https://evil.example.com')->status, 403,
    'nor does a token change that';

# --- which scopes a call takes ---------------------------------------------------------------------------------------

is mcp_call(name => 'whoami', token => $reader)->status, 200, 'a tool that reads, with a token that may read';
is mcp_call(name => 'announce', token => $writer)->status, 200, 'a tool that writes, with a token that may write';

# Whoever may read tries to write by what the headers say.
my @modern = ('MCP-Protocol-Version: 2026-07-28', 'Mcp-Method: tools/call');
for my $row (
    ['a tool that no list names',                 [@modern, 'Mcp-Name: unheard-of']],
    ['other letters',                             [@modern, 'Mcp-Name: WhoAmI']],
    ['more behind the name',                      [@modern, 'Mcp-Name: whoami announce']],
    ['base64',                                    [@modern, 'Mcp-Name: =?base64?YW5ub3VuY2U=?=']],
    ['no name',                                   \@modern],
    ['no method',                                 ['MCP-Protocol-Version: 2026-07-28', 'Mcp-Name: whoami']],
    ['an older revision, which checks no header', ['MCP-Protocol-Version: 2025-11-25', $modern[1], 'Mcp-Name: whoami']],
    ['no revision',                               [$modern[1], 'Mcp-Name: whoami']],
    ['a name in the place of the method',         [$modern[0], 'Mcp-Method: tools/list', 'Mcp-Name: announce']],
) {
    my ($name, $headers) = @{$row};
    is mcp_call(name => 'announce', token => $reader, headers => $headers)->status, 403, "to write by $name: 403";
}
for my $row (
    ['a tool that reads in the header, one that writes in the body', [@modern, 'Mcp-Name: whoami']],
    ['a list in the header',                     [$modern[0], 'Mcp-Method: tools/list']],
    ['two names, of which the first is judged',  [@modern, 'Mcp-Name: whoami', 'Mcp-Name: announce']],
    ['two methods, of which the first is judged', [$modern[0], 'Mcp-Method: tools/list', 'Mcp-Method: tools/call']],
) {
    my ($name, $headers) = @{$row};
    my $response = mcp_call(name => 'announce', token => $reader, headers => $headers);
    like $response->status, qr/^40[03]$/, "$name: refused";
    is $response->json->{error}{code}, -32_020, "$name: by the MCP server, which has read the body"
        if $response->status == 400;
}

for my $path (qw(/mcp/read /mcp/write /_introspect)) {
    is $gateway->get($path, %https, token => $writer)->status, 404, "$path is no client's";
}

# --- the MCP server never sees a client's token -----------------------------------------------------------------------

my @authorization = slurp($setup->{log}) =~ /^(?:GET|POST|DELETE) \S+ (.*)$/mg;
cmp_ok scalar @authorization, '>', 20, 'the MCP server was called';
is_deeply [grep { !/^Bearer eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/ } @authorization], [], 'each time with a JWT';
check_faults();

# --- where the MCP server judges what older clients call --------------------------------------------------------------

my $judging = qr/default +\/mcp\/write;/;
flows(start($judging => 'default /mcp/write; "~^(2025-11-25|2025-06-18|)  $" /mcp/read;'), 'judged_by_server');

# --- before a server that is not so careful: what the gateway makes of a request, and of a stream ---------------------

my $careless = gateway(mcp_configuration($as, '%%API%%'));
my $token    = token('mcp:read', 'https://localhost:' . $careless->port(443) . '/mcp');
my $twice    = mcp_call(
    gateway => $careless, name => 'announce', token => $token,
    headers => [@modern, 'Mcp-Name: whoami', 'Mcp-Name: announce'], origin => $page
);
my @seen  = $careless->api->requests;
my @names = map { $_->headers('Mcp-Name') } @seen;
# nginx from 1.23 on joins the two, and that is no tool that reads.
is_deeply \@names, $twice->status == 403 ? [] : ['whoami'], 'two names: the server gets the one that was judged';
is_deeply [map { $_->headers('Origin') } @seen], [], 'a server on loopback hears of no other origin';

# A stream that ends by the end of the connection, whose second event is held back.
$careless->api->answers('/mcp' => {
    raw => ["HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
        "data: 1\n\n", [hold => 'second'], "data: 2\n\n", ['close']]
});
my $stream = temporary_folder() . '/stream';
my @headers = map { ('-H', $_) } "Authorization: Bearer $token", @modern, 'Mcp-Name: listen';
spawn([
    qw(curl -q --noproxy * -sN -d {} -o), $stream, '--cacert', $careless->ca, @headers,
    'https://localhost:' . $careless->port(443) . '/mcp'
]);
ok until_true(patience(5), sub { -e $stream && slurp($stream) eq "data: 1\n\n" }),
    'an event does not wait for the next';
$careless->api->release('second');
ok until_true(patience(5), sub { slurp($stream) eq "data: 1\n\ndata: 2\n\n" }), 'and the next one comes';

# --- ten minutes, by the guide alone ---------------------------------------------------------------------------------

# Before each of the authorization servers, with a client that is registered there; those of t/servers have it in their
# own tests. What is changed is what the guide says of that server.
my $any_audience = qr/phantom_token_audience [^;]*;/;
for my $row (
    { server => $as, scope => 'mcp:read', registration => 1 },
    { server => real_server('glewlwyd'), scope => 'read', issuer => '/api/oidc', change => [$any_audience => ''] },
    { server => real_server('django-oauth-toolkit'), scope => 'read', gateway_says => 1,
      change => [$any_audience => '', 'authorization_servers="http://127.0.0.1:9400"' =>
                 'authorization_servers="http://127.0.0.1:8080"',
                 qr/(?=location = \/mcp \{)/ => guide_block('nginx', qr/oauth-authorization-server/)] },
) {
    my %row   = %{$row};
    my $small = guide_gateway(delete $row{server}, %row);
    guide_machine($small);
    guide_person($small) if $row{registration};
}

done_testing;
