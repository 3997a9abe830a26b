# nginx-conf/model-server.conf: model servers that have no authentication (Ollama, vLLM, llama.cpp) behind the gateway.
# The scripted API speaks their HTTP APIs: streams of JSON lines (Ollama's) and of events (OpenAI's, which all have).

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Process 'spawn';

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

my $secret = temporary_folder() . '/secret';
open my $out, '>', $secret or die "$secret: $!";
print {$out} "gateway-secret\n";
close $out;
chmod 0600, $secret;

my $gateway = gateway(
    config  => slurp('nginx-conf/model-server.conf'),
    replace => [
        'listen 443 ssl http2;' => "listen 443 ssl http2;\n listen 80;",
        '/var/cache/phantom-token' => '%%DIR%%/cache', '/etc/nginx/gateway-secret' => $secret,
        '127.0.0.1:11434' => '%%API%%', 'https://login.example.com/introspect' => 'http://%%AS%%/introspect',
        '/etc/ssl/certs/models.example.com.pem' => '%%TLS%%/server.pem',
        '/etc/ssl/private/models.example.com.key' => '%%TLS%%/server.key',
        '/etc/ssl/certs/ca-certificates.crt' => '%%TLS%%/ca.pem',
    ],
);

sub answer {
    my (%claims) = @_;
    my %usual = (sub => 'alice', iss => 'https://login.example.com', aud => 'https://models.example.com');
    return { json => { active => true, %usual, %claims } };
}
$gateway->as->answers(
    'user-token'  => answer(scope => 'models:use'),
    'admin-token' => answer(scope => 'models:use models:admin'),
    'other-token' => answer(scope => 'models:use', aud => 'https://mcp.example.com/mcp'),
);
my %port     = (port => 80);
my %metadata = (realm => 'api', resource_metadata => 'https://models.example.com/.well-known/oauth-protected-resource');
my %use      = (%metadata, scope => 'models:use');
my %admin    = (%metadata, scope => 'models:admin');

# --- what takes which scope ------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'an API key that is no token of the AS',
      request => { %port, method => 'POST', path => '/v1/chat/completions', token => 'sk-1234' }, status => 401,
      challenge => { %use, error => 'invalid_token' } },
    { name => 'no API key',
      request => { %port, method => 'POST', path => '/api/chat' }, status => 401, as => 0, challenge => \%use },
    { name => 'a token for an MCP server',
      request => { %port, path => '/v1/models', token => 'other-token' }, status => 401,
      challenge => { %use, error => 'invalid_token' }, outcome => 'audience' },
    (map {
        { name => "models:use: $_",
          request => { %port, path => $_, token => 'user-token', headers => ['Origin: https://app.example.com'] },
          status => 200, api => [{ uri => $_, authorization => undef, origin => undef }] }
    } qw(/v1/chat/completions /v1/completions /v1/embeddings /v1/models /v1/responses),
        qw(/api/chat /api/generate /api/embed /api/show /api/tags?x=1)),
    (map {
        { name => "models:use is not enough: $_",
          request => { %port, path => $_, token => 'user-token' }, status => 403, as => 0,
          challenge => { %admin, error => 'insufficient_scope' } }
    } qw(/api/pull /api/delete /api/create /api/blobs/sha256:1 /v1/load_lora_adapter /metrics /slots /),
        qw(/api/chat/ /api/CHAT /api/chat/../delete /api/chat%2F..%2Fdelete //api//pull)),
    { name => 'the path that was judged is what the server gets',
      request => { %port, path => '/api/delete/../chat', token => 'user-token' }, status => 200,
      api => [{ uri => '/api/chat' }] },
    { name => 'models:admin',
      request => { %port, method => 'DELETE', path => '/api/delete', token => 'admin-token' }, status => 200,
      api => [{ uri => '/api/delete', authorization => undef }] },
);

my $document = $gateway->get('/.well-known/oauth-protected-resource', %port);
is_deeply [map { $document->json->{$_} } qw(resource authorization_servers scopes_supported)],
    ['https://models.example.com', ['https://login.example.com'], ['models:use']], 'the metadata document';

# --- streams ---------------------------------------------------------------------------------------------------------

# The first part must be with the client while the server still holds back the second.
my @events = (qq(data: {"choices":[{"delta":{"content":"Why"}}]}\n\n), "data: [DONE]\n\n");
for my $row (
    ['Ollama, in chunks', '/api/chat', "application/x-ndjson\r\nTransfer-Encoding: chunked",
     qq({"message":{"content":"Why"},"done":false}\n), qq({"done":true}\n)],
    ['events, in chunks', '/v1/chat/completions', "text/event-stream\r\nTransfer-Encoding: chunked", @events],
    ['events, up to the end of the connection', '/v1/completions', "text/event-stream\r\nConnection: close", @events],
) {
    my ($name, $path, $type, @parts) = @{$row};
    my @steps = $type =~ /chunked/ ? ([chunk => $parts[0]], [hold => $name], [chunk => $parts[1]], "0\r\n\r\n")
        : ($parts[0], [hold => $name], $parts[1], ['close']);
    $gateway->api->answers($path => { raw => ["HTTP/1.1 200 OK\r\nContent-Type: $type\r\n\r\n", @steps] });
    my $file = temporary_folder() . '/streamed';
    my $url  = 'http://127.0.0.1:' . $gateway->port(80) . $path;
    my $curl = spawn([
        qw(curl -q --noproxy * -sN -o), $file, '-H', 'Authorization: Bearer user-token', '-d', '{"stream":true}', $url
    ]);
    ok until_true(patience(5), sub { -e $file && slurp($file) eq $parts[0] }), "$name: the first word comes alone";
    $gateway->api->release($name);
    ok until_true(patience(5), sub { slurp($file) eq join '', @parts }), "$name: and then the rest";
    waitpid $curl, 0;
}

done_testing;
