# docs/browsers.md: its configuration as it is shown, with requests through it. Only the addresses, the paths and the
# way to the AS (http for https) are the test's.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $files = temporary_folder(); # in place of /etc/nginx and /var/log/nginx

sub file {
    my ($name, $content) = @_;
    open my $out, '>', "$files/$name" or die "$files/$name: $!";
    print {$out} $content;
    close $out;
    chmod 0600, "$files/$name";
    return "$files/$name";
}

my $page = do { local (@ARGV, $/) = 'docs/browsers.md'; <> };
my ($config, @others) = $page =~ /^```nginx\n(.*?)^```$/msg;
is scalar @others, 0, 'docs/browsers.md has one configuration';

# The harness takes every access_log out of a file; this one comes back by an include.
my $log     = file('access.log', '');
my $line    = 'access_log /var/log/nginx/access.log without_query;';
my $include = 'include ' . file('log.conf', $line =~ s{/var/\S+}{$log}r . "\n") . ';';
my $secret  = file('gateway-secret', "gateway-secret\n");
for ([$line => $include], ['https://login.example.com' => 'http://%%AS%%'], ['127.0.0.1:8081' => '%%API%%'],
    ['/etc/nginx/gateway-secret' => $secret], ['/var/cache/' => '%%DIR%%/']) {
    my ($from, $to) = @{$_};
    $config =~ s/\Q$from\E/$to/g or die "docs/browsers.md has no $from\n";
}

my $gateway = gateway(config => $config);
my $max_age = ['Cache-Control: max-age=300'];
my $as      = $gateway->as;
$as->answers(map { ("$_-token" => { jwt => { sub => $_ }, headers => $max_age }) } qw(cookie query socket header));
my $jwt = sub { my ($who) = @_; return 'Bearer ' . $as->jwt_for("$who-token") };
cases($gateway,
    { name => 'a cookie',
      request => { port => 80, path => '/api/x?a=b', method => 'POST', body => 'x',
                   headers => ['Cookie: theme=dark; __Host-at=cookie-token; b=c', 'Origin: https://app.example.com'] },
      status => 200, as => [{ body => qr/^token=cookie-token&/, cookie => undef }],
      api => [{ uri => '/api/x?a=b', body => 'x', authorization => $jwt->('cookie'), cookie => undef }] },
    { name => 'a cookie, no Origin',
      request => { port => 80, path => '/api/x', headers => ['Cookie: __Host-at=cookie-token'] }, status => 200,
      api => [{ authorization => $jwt->('cookie') }] },
    (map {
        { name => "a cookie, Origin $_",
          request => { port => 80, path => '/api/x', method => 'POST',
                       headers => ['Cookie: __Host-at=cookie-token', "Origin: $_"] },
          refusal => 'page', as => 0, api => [], status => 403 }
    } 'https://evil.example.com', 'null', 'https://app.example.com.evil.example', 'http://app.example.com'),
    { name => 'a header goes first',
      request => { port => 80, path => '/api/x', token => 'header-token',
                   headers => ['Cookie: __Host-at=cookie-token'] },
      status => 200, api => [{ authorization => $jwt->('header'), cookie => undef }] },
    { name => 'a header of another scheme counts as none, and does not reach the API',
      request => { port => 80, path => '/api/x',
                   headers => ['Authorization: Basic eA==', 'Cookie: __Host-at=cookie-token'] },
      status => 200, api => [{ authorization => $jwt->('cookie'), cookie => undef }] },
    map({ { name => "a cookie of a like name: $_",
            request => { port => 80, path => '/api/x', headers => ["Cookie: $_"] },
            as => 0, status => 401, challenge => { realm => 'api' } } }
        'x__Host-at=cookie-token', '__Host-at2=cookie-token', '__Host-a=cookie-token', 'at=cookie-token',
        'x=__Host-at=cookie-token'),
    { name => 'the first of two cookies', request => { port => 80, path => '/api/x',
          headers => ['Cookie: __Host-at=cookie-token; __Host-at=query-token'] }, status => 200,
      api => [{ authorization => $jwt->('cookie') }] },
    { name => 'a cookie that is no token',
      request => { port => 80, path => '/api/x', headers => ['Cookie: __Host-at=a b'] }, as => 0, status => 401,
      challenge => { realm => 'api', error => 'invalid_token' } },
    { name => 'no cookie', request => { port => 80, path => '/api/x', headers => ['Cookie: theme=dark'] }, as => 0,
      status => 401, challenge => { realm => 'api' } },
    { name => 'a query', request => { port => 80, path => '/events/x?access_token=query-token&a=b' }, status => 200,
      api => [{ uri => '/events/x', authorization => $jwt->('query') }] },
    { name => 'a query, percent-encoded', request => { port => 80, path => '/events/x?access_token=a%2Bb' },
      as => 0, status => 401, challenge => { realm => 'api', error => 'invalid_token' } },
    { name => 'no query', request => { port => 80, path => '/events/x', headers => ['Cookie: __Host-at=cookie-token'] },
      as => 0, status => 401, challenge => { realm => 'api' } },
    { name => 'a query where none is taken', request => { port => 80, path => '/api/x?access_token=query-token' },
      as => 0, status => 401, challenge => { realm => 'api' } },
    { name => 'a path that nginx decodes',
      request => { port => 80, path => '/events/a%20b%2Fc?access_token=query-token' }, status => 200,
      api => [{ uri => qr{^/events/a%20b/c$}, authorization => $jwt->('query') }] },
);
my @upgrade = (
    'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
);
cases($gateway,
    { name => 'a subprotocol: no token', request => { port => 80, path => '/feed/', headers => [@upgrade] },
      as => 0, status => 401, challenge => { realm => 'api' } },
    { name => 'a subprotocol: inactive',
      request => { port => 80, path => '/feed/',
                   headers => [@upgrade, 'Sec-WebSocket-Protocol: bearer, gone-token'] },
      status => 401, challenge => { realm => 'api', error => 'invalid_token' } },
    { name => 'a subprotocol: three',
      request => { port => 80, path => '/feed/',
                   headers => [@upgrade, 'Sec-WebSocket-Protocol: bearer, socket-token, chat'] },
      as => 0, status => 401, challenge => { realm => 'api' } },
    { name => 'a WebSocket with the cookie, from a foreign page', request => {
        port => 80, path => '/socket/',
        headers => [@upgrade, 'Cookie: __Host-at=cookie-token', 'Origin: https://evil.example.com']
    },
      refusal => 'page', as => 0, api => [], status => 403 },
    { name => 'a WebSocket without the cookie', request => { port => 80, path => '/socket/', headers => [@upgrade] },
      as => 0, status => 401, challenge => { realm => 'api' } },
);

# Opens a WebSocket and says hello. What the API saw, and the response.
sub open_socket {
    my ($path, @headers) = @_;
    $gateway->api->forget_requests;
    my $connection = $gateway->connect(80);
    $connection->send(Harness::Client::request_bytes({ path => $path, headers => [@upgrade, @headers] }) . 'hello');
    my $response = $connection->response;
    is $response->status, 101, "$path: 101";
    is $connection->stream->read_exactly(5), 'hello', "$path: bytes there and back";
    my ($seen) = $gateway->api->requests;
    return ($seen, $response);
}

{
    my ($seen, $response) = open_socket('/feed/', 'Sec-WebSocket-Protocol: bearer, socket-token',
        'Origin: https://app.example.com', 'Cookie: __Host-at=cookie-token');
    is $response->header('Sec-WebSocket-Protocol'), 'bearer', 'a subprotocol: the one that the browser wants to hear';
    is $seen->header('Authorization'), $jwt->('socket'), 'a subprotocol: the JWT';
    is $seen->header($_), undef, "a subprotocol: the API gets no $_" for 'Sec-WebSocket-Protocol', 'Cookie';

    ($seen) = open_socket('/socket/', 'Sec-WebSocket-Protocol: chat', 'Origin: https://app.example.com',
        'Cookie: __Host-at=cookie-token');
    is $seen->header('Authorization'), $jwt->('cookie'), 'a WebSocket with the cookie: the JWT';
    is $seen->header('Sec-WebSocket-Protocol'), 'chat', 'a WebSocket with the cookie: its subprotocol';
    is $seen->header('Cookie'), undef, 'a WebSocket with the cookie: the API gets no cookie';
}

open my $in, '<', $log or die "$log: $!";
my $logged = do { local $/ = undef; <$in> };
like $logged, qr{"GET /events/x" 200}, 'a query: the access log has the request';
unlike $logged, qr/-token|access_token/, 'a query: but no token';

done_testing();
