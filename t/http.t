# HTTP: every version, method, framing and backend that a request may come with or go to.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Digest::SHA 'sha256_hex';
use Harness::Client;
use Harness::Http 'chunk';

my $protect = 'phantom_token on; phantom_token_introspection_endpoint $as;';
my $gateway = gateway(
    servers => { map { uc($_) => api(protocol => $_) } qw(fastcgi uwsgi scgi) },
    log     => { authorization => 'http_authorization', jwt => 'phantom_token_jwt' },
    http    => <<'END',
    map $uri $as { default /_introspect; ~^/lost ""; }
    map $http_authorization $mapped { default other; "~^Bearer (?<word>.+)" $word; }
    upstream api { server %%API%%; keepalive 4; }
    server { listen 127.0.0.1:%%PORT:grpc%% http2; location / { proxy_pass http://%%API%%; } }
END
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        listen 127.0.0.1:%%PORT:tls%% ssl http2;
        ssl_certificate %%TLS%%/server.pem;
        ssl_certificate_key %%TLS%%/server.key;
        gzip on;
        gzip_types application/json;
        gzip_min_length 1;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
END
    locations => <<"END",
        location / { $protect proxy_pass http://%%API%%; }
        location /scoped { $protect phantom_token_scopes "write"; proxy_pass http://%%API%%; }
        location /page { $protect phantom_token_error_format page; proxy_pass http://%%API%%; }
        location /problem { $protect phantom_token_error_format problem; proxy_pass http://%%API%%; }
        location /small { $protect client_max_body_size 10; proxy_pass http://%%API%%; }
        location /unbuffered { $protect proxy_request_buffering off; proxy_pass http://%%API%%; }
        location /one-buffer { $protect client_body_in_single_buffer on; client_body_buffer_size 1m;
                               proxy_pass http://%%API%%; }
        location /file { $protect client_body_in_file_only clean; proxy_pass http://%%API%%; }
        location /keepalive { $protect proxy_pass http://api; }
        location /old { $protect proxy_http_version 1.0; proxy_pass http://%%API%%; }
        location /socket { $protect proxy_pass http://%%API%%; proxy_set_header Upgrade \$http_upgrade;
                           proxy_set_header Connection upgrade; }
        location /fastcgi { $protect include /etc/nginx/fastcgi_params; fastcgi_pass %%FASTCGI%%; }
        location /fastcgi-param { $protect include /etc/nginx/fastcgi_params;
                                  fastcgi_param HTTP_AUTHORIZATION \$http_authorization; fastcgi_pass %%FASTCGI%%; }
        location /uwsgi { $protect include /etc/nginx/uwsgi_params; uwsgi_pass %%UWSGI%%; }
        location /uwsgi-param { $protect include /etc/nginx/uwsgi_params;
                                uwsgi_param HTTP_AUTHORIZATION \$http_authorization; uwsgi_pass %%UWSGI%%; }
        location /scgi { $protect include /etc/nginx/scgi_params; scgi_pass %%SCGI%%; }
        location /scgi-param { $protect include /etc/nginx/scgi_params;
                               scgi_param HTTP_AUTHORIZATION \$http_authorization; scgi_pass %%SCGI%%; }
        location /grpc { $protect grpc_pass grpc://127.0.0.1:%%PORT:grpc%%; }
        location /grpc-header { $protect grpc_set_header Authorization \$http_authorization;
                                grpc_pass grpc://127.0.0.1:%%PORT:grpc%%; }
        location /proxy-header { $protect proxy_set_header Authorization \$http_authorization;
                                 proxy_pass http://%%API%%; }
        location /early {
            if (\$http_authorization ~ "^Bearer") { set \$seen 1; }
            if (\$mapped = never) { return 418; }
            set \$copy \$http_authorization;
            $protect
            proxy_set_header X-Fresh \$http_authorization;
            proxy_set_header X-Copy \$copy;
            proxy_set_header X-Seen \$seen;
            proxy_pass http://%%API%%;
        }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);
my ($as, $api) = ($gateway->as, $gateway->api);
$as->answers(
    'alice-token' => { jwt => { sub => 'alice' } },
    'bob-token'   => { jwt => { sub => 'bob', scope => 'read write' } },
    'slow-token'  => { jwt => { sub => 'slow' }, delay => 0.1 },
    'busy-token'  => { status => 503, headers => ['Retry-After: 7'] },
    'error-token' => { status => 500 },
);
my %jwt = map { $_ => $as->jwt_for("$_-token") } qw(alice bob slow);
my $big = join '', map { sprintf '%09d.', $_ } 1 .. 30_000; # 300 KB, no two pieces alike
my $big_digest = sha256_hex($big);
my $gone = { 401 => { realm => 'api', error => 'invalid_token' } };

# A client's port comes back after some hundred requests, and its older line in the access log would be taken for the
# new one's.
sub forget_access_log { return truncate $gateway->folder . '/access.log', 0 }

# --- versions, methods, refusals and what is let through -------------------------------------------------------------

my %speak = (
    'HTTP/1.0' => { version => '1.0' }, 'HTTP/1.1' => {}, 'HTTP/2, prior knowledge' => { http2 => 1, port => 'h2' },
    'HTTP/1.1 over TLS' => { tls => 1, port => 'tls' }, 'HTTP/2 over TLS' => { http2 => 1, tls => 1, port => 'tls' },
);
for my $version (sort keys %speak) {
    my %how = %{ $speak{$version} };
    forget_access_log();
    # where a body is refused, with plain nginx too: by hand below
    my $curl_fails = $version eq 'HTTP/2, prior knowledge';
    my $as_is = {
        method => 'POST', uri => '/introspect', body => 'token=alice-token&token_type_hint=access_token',
        accept => 'application/jwt'
    };
    cases($gateway,
        { name => "$version: GET with a token",
          request => { %how, path => '/a?b=c', token => 'alice-token' }, status => 200, as => [$as_is],
          api => [{ method => 'GET', uri => '/a?b=c', authorization => 'Bearer <jwt>' }], outcome => 'active' },
        { name => "$version: POST with a token",
          request => { %how, method => 'POST', path => '/', body => 'a=b', token => 'alice-token' }, status => 200,
          as => [$as_is], api => [{ method => 'POST', authorization => 'Bearer <jwt>', body => 'a=b' }] },
        { name => "$version: PUT, an unknown method and DELETE with a token",
          request => { %how, method => 'PROPFIND', path => '/', token => 'alice-token' }, status => 200, as => [$as_is],
          api => [{ method => 'PROPFIND', authorization => 'Bearer <jwt>' }] },
        { name => "$version: HEAD with a token",
          request => { %how, method => 'HEAD', path => '/', token => 'alice-token' }, status => 200, as => [$as_is],
          api => [{ method => 'HEAD', authorization => 'Bearer <jwt>' }], body => '' },
        { name => "$version: no token", request => { %how, path => '/' }, status => 401, as => 0,
          challenge => { realm => 'api' }, outcome => 'missing' },
        { name => "$version: an unknown method without a token", request => { %how, method => 'PROPFIND', path => '/' },
          status => 401, as => 0, challenge => { realm => 'api' } },
        { name => "$version: inactive", request => { %how, path => '/', token => 'gone-token' }, status => 401, as => 1,
          challenge => $gone->{401}, outcome => 'inactive' },
        { name => "$version: missing scope", request => { %how, path => '/scoped', token => 'alice-token' },
          status => 403, challenge => { realm => 'api', scope => 'write', error => 'insufficient_scope' } },
        { name => "$version: busy AS", request => { %how, path => '/', token => 'busy-token' }, status => 503,
          headers => { 'Retry-After' => 7 }, outcome => 'as_busy' },
        { name => "$version: error of the AS",
          request => { %how, path => '/', token => 'error-token' }, status => 502, outcome => 'as_error' },
        { name => "$version: misconfigured", request => { %how, path => '/lost', token => 'alice-token' },
          status => 500, as => 0, outcome => 'misconfigured' },
        { name => "$version: page", request => { %how, path => '/page' }, status => 401, refusal => 'page' },
        { name => "$version: problem", request => { %how, path => '/problem' }, status => 401, refusal => 'problem' },
        $curl_fails ? () : (
        { name => "$version: refused POST",
          request => { %how, method => 'POST', path => '/', body => 'x' x 5_000, token => 'gone-token' }, status => 401,
          challenge => $gone->{401} },
        { name => "$version: a body over client_max_body_size costs no AS call",
          request => { %how, method => 'POST', path => '/small', body => 'x' x 11, token => 'alice-token' },
          status => 413, as => 0, api => 0 },
        ),
        { name => "$version: no range of a refusal", request => {
            %how, path => '/',
            headers => ['Range: bytes=0-1', 'If-None-Match: *', 'If-Modified-Since: Sun, 22 Nov 2099 00:00:00 GMT']
        },
          status => 401, as => 0 },
    );
    # HEAD: no body, and the length that GET has.
    for my $row (
        ['/', undef], ['/', 'gone-token'], ['/scoped', 'alice-token'], ['/', 'error-token'], ['/', 'busy-token'],
        ['/lost', 'alice-token'], ['/page', undef], ['/problem', 'gone-token']
    ) {
        my ($path, $token) = @{$row};
        my %request = (%how, path => $path, defined $token ? (token => $token) : ());
        my ($get, $head) = map { $gateway->request(%request, method => $_) } qw(GET HEAD);
        is $head->status, $get->status,
            "$version: HEAD refusal: status as GET's, $path " . ($token // 'without a token');
        is $head->body . ($head->{leftover} // ''), '', "$version: HEAD refusal: no body";
        is $head->header('Content-Length'), length $get->body, "$version: HEAD refusal: the right length";
        is $head->header($_), $get->header($_), "$version: HEAD refusal: $_" for qw(Content-Type WWW-Authenticate);
    }
}
cases($gateway,
    { name => 'HTTP/1.0 backend', request => { path => '/old', token => 'alice-token' }, status => 200,
      api => [{ version => '1.0', authorization => 'Bearer <jwt>' }] },
    { name => 'keepalive backend', request => { path => '/keepalive', token => 'alice-token' }, status => 200,
      api => [{ version => '1.1', authorization => 'Bearer <jwt>' }] },
    { name => 'keepalive backend: the next token on the same connection',
      request => { path => '/keepalive', token => 'bob-token' }, status => 200,
      api => [{ version => '1.1', authorization => 'Bearer <jwt>' }] },
    { name => 'HTTP/1.1 without Host',
      request => { host => undef, path => '/', token => 'alice-token' }, status => 400, as => 0, api => 0 },
    { name => 'absolute form', request => {
        raw => "GET http://localhost/abs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\n\r\n"
    },
      status => 200, api => [{ uri => '/abs', authorization => "Bearer $jwt{alice}" }] },
    { name => 'absolute form without a token',
      request => { raw => "GET http://localhost/abs HTTP/1.1\r\nHost: localhost\r\n\r\n" }, status => 401, as => 0 },
    { name => 'OPTIONS *',
      request => { raw => "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\n\r\n" },
      status => 400, as => 0, api => 0 },
    { name => 'gzip: a 403 in JSON',
      request => { path => '/scoped', token => 'alice-token', args => ['--compressed'] }, status => 403 },
    { name => 'gzip over HTTP/2: a 403 in JSON',
      request => { path => '/scoped', token => 'alice-token', http2 => 1, port => 'h2', args => ['--compressed'] },
      status => 403 },
    { name => 'gzip: HEAD of a 403',
      request => { method => 'HEAD', path => '/scoped', token => 'alice-token', headers => ['Accept-Encoding: gzip'] },
      status => 403, refusal => 'any' },
);
{
    $api->forget_requests;
    my $connection = $gateway->connect;
    $connection->send("GET /\r\n");
    my $rest = $connection->rest;
    unlike $rest, qr{^HTTP/}, 'HTTP/0.9: no head';
    is $rest,
        '{"code":"unauthorized_request","message":"Access denied due to missing, invalid or expired credentials"}',
        'HTTP/0.9: refused';
    is scalar(my @seen = $api->requests), 0, 'HTTP/0.9: the API saw nothing';
}
{
    my $connection = $gateway->connect;
    is $connection->get('/', version => '1.0', token => 'gone-token', headers => ['Connection: keep-alive'])->status,
        401, 'HTTP/1.0 keepalive: refused';
    is $connection->get('/', version => '1.0', token => 'alice-token', headers => ['Connection: keep-alive'])->status,
        200, 'HTTP/1.0 keepalive: the next request works';
    is $connection->get('/', version => '1.0')->status, 401,
        'HTTP/1.0 keepalive: nothing of that one is left in the third';
    is $connection->rest, '', 'HTTP/1.0 keepalive: closed';
}

# --- a refused POST with a body on keepalive: one response, then the next request works ------------------------------

# What the body holds would reach the API if it were taken for a request.
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\n\r\n";
my %refusal  = (
    'no token'      => [401, '/'], 'malformed' => [401, '/', 'a,b'], 'inactive' => [401, '/', 'gone-token'],
    'missing scope' => [403, '/scoped', 'alice-token'],
    'AS error'      => [502, '/', 'error-token'], 'AS busy' => [503, '/', 'busy-token'],
    'misconfigured' => [500, '/lost', 'alice-token'],
    'inactive, unbuffered' => [401, '/unbuffered', 'gone-token'], 'no token, unbuffered' => [401, '/unbuffered'],
    'problem' => [401, '/problem', undef, 'problem'], 'page' => [401, '/page', undef, 'page'],
);
my %body = (
    'at once'                  => ["Content-Length: " . length $smuggled, $smuggled],
    'after the response'       => ["Content-Length: " . length $smuggled, '', $smuggled],
    'half after the response'  => ["Content-Length: " . 2 * length $smuggled, $smuggled, $smuggled],
    'in chunks'                => ['Transfer-Encoding: chunked', chunk($smuggled) . "0\r\n\r\n"],
    'in chunks, later'         => ['Transfer-Encoding: chunked', chunk('a'), chunk($smuggled) . "0\r\n\r\n"],
    '300 KB'                   => ["Content-Length: " . length $big, $big],
    '300 KB, half later'       => ["Content-Length: " . length $big, substr($big, 0, 150_000), substr $big, 150_000],
    'expected'                 => ["Expect: 100-continue\r\nContent-Length: " . length $smuggled, '', $smuggled],
    'none'                     => ['Content-Length: 0', ''],
);
for my $refusal (sort keys %refusal) {
    my ($status, $path, $token, $form) = @{ $refusal{$refusal} };
    for my $body (sort keys %body) {
        my ($framing, $first, $later) = @{ $body{$body} };
        subtest "refused POST on keepalive: $refusal, body $body" => sub {
            $api->forget_requests;
            my $connection = $gateway->connect;
            my $bytes = join "\r\n", "POST $path HTTP/1.1", 'Host: localhost',
                defined $token ? "Authorization: Bearer $token" : (), $framing, '', '';
            $connection->send($bytes . $first);
            my $response = $connection->response('POST');
            is $response->status, $status, "status $status";
            check_refusal($response, $form);
            $connection->send($later) if defined $later;
            if (($response->header('Connection') // '') eq 'close') {
                is $connection->rest, '', 'nothing follows, the connection is closed';
            }
            else {
                my $next = $connection->get('/next', token => 'bob-token');
                is $next->status, 200, 'the next request works';
                is $connection->finish, '', 'nothing follows';
            }
            my @seen = map { "$_->{uri} " . $_->header('Authorization') } $api->requests;
            my @expected = ($response->header('Connection') // '') eq 'close' ? () : ("/next Bearer $jwt{bob}");
            is_deeply \@seen, \@expected, 'the API saw the next request and nothing else';
        };
    }
}

# --- request smuggling -----------------------------------------------------------------------------------------------

# One request each, however it is framed: the API may see /outer once or not at all, and never what is inside.
my $auth = "Authorization: Bearer alice-token\r\n";
my %attempt = (
    'CL.TE'                     => "Content-Length: " . (5 + length $smuggled)
        . "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled",
    'TE.CL'                     => "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" . chunk($smuggled)
        . "0\r\n\r\n",
    'two lengths'               => "Content-Length: 0\r\nContent-Length: " . length($smuggled) . "\r\n\r\n$smuggled",
    'two equal lengths'         => "Content-Length: " . length($smuggled) . "\r\nContent-Length: " . length($smuggled)
        . "\r\n\r\n$smuggled",
    'a list of lengths'         => "Content-Length: 0, " . length($smuggled) . "\r\n\r\n$smuggled",
    'a length with a sign'      => "Content-Length: +" . length($smuggled) . "\r\n\r\n$smuggled",
    'a negative length'         => "Content-Length: -1\r\n\r\n$smuggled",
    'a length in hex'           => "Content-Length: 0x10\r\n\r\n$smuggled",
    'a length beyond 64 bits'   => "Content-Length: 18446744073709551616\r\n\r\n$smuggled",
    'TE: xchunked'              => "Transfer-Encoding: xchunked\r\nContent-Length: " . length($smuggled)
        . "\r\n\r\n$smuggled",
    'TE: chunked, identity'     => "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n$smuggled",
    'TE: identity'              => "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n$smuggled",
    'TE twice'                  =>
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n$smuggled",
    'TE with a space before :'  => "Transfer-Encoding : chunked\r\nContent-Length: " . length($smuggled)
        . "\r\n\r\n$smuggled",
    'TE folded'                 => "Transfer-Encoding:\r\n chunked\r\nContent-Length: " . length($smuggled)
        . "\r\n\r\n$smuggled",
    'chunk size beyond 64 bits' => "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n$smuggled\r\n0\r\n\r\n",
    'chunk size negative'       => "Transfer-Encoding: chunked\r\n\r\n-1\r\n$smuggled\r\n0\r\n\r\n",
    'chunk size in 0x'          => "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n$smuggled",
    'chunk longer than it says' => "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n$smuggled",
    'NUL in a header'           => "X-A: a\0b\r\nContent-Length: 0\r\n\r\n$smuggled",
    'a bare CR in a header'     => "X-A: a\rContent-Length: 0\r\n\r\n",
);
for my $token ('alice-token', 'gone-token') {
    for my $name (sort keys %attempt) {
        for my $path ('/outer', '/unbuffered/outer') {
            $api->forget_requests;
            my $connection = $gateway->connect('', timeout => patience(1));
            $connection->send(
                "POST $path HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n$attempt{$name}"
            );
            my $responses = eval { $connection->finish } // $connection->stream->take;
            my @allowed   = $responses =~ m{^HTTP/1\.1 2\d\d }mg;
            my @seen = map { $_->{uri} } $api->requests;
            is_deeply [grep { $_ ne $path } @seen], [], "smuggling: $name, $token, $path: the API saw nothing of it";
            cmp_ok scalar(@seen), '<=', $token eq 'alice-token' ? 1 : 0,
                "smuggling: $name, $token, $path: nor more than one request";
            cmp_ok scalar @allowed, '<=', scalar @seen, "smuggling: $name, $token, $path: nor was more allowed";
        }
    }
}

# --- pipelining ------------------------------------------------------------------------------------------------------

{
    my @who    = map { (qw(alice none bob gone alice alice none slow bob scoped)) } 1 .. 5;
    my %token  = (scoped => 'alice-token', map { $_ => "$_-token" } qw(alice bob gone slow));
    my %status = (alice => 200, bob => 200, slow => 200, none => 401, gone => 401, scoped => 403);
    for my $how ('all at once', 'byte by byte at the seams') {
        $api->forget_requests;
        my $n = 0;
        my @bytes = map {
            Harness::Client::request_bytes(
                { method => $n % 3 ? 'GET' : 'POST', path => ($_ eq 'scoped' ? '/scoped/' : '/') . $n++,
                  $n % 3 == 1 ? (body => $smuggled) : (), $token{$_} ? (token => $token{$_}) : () }
            )
        } @who;
        my $connection = $gateway->connect;
        if ($how eq 'all at once') { $connection->send(join '', @bytes) }
        else {
            # Each write ends in the middle of the next request's first line.
            my $all = join '', @bytes;
            my $at  = 0;
            for my $request (@bytes) {
                my $to = $at + length($request) + 3;
                $connection->send(substr $all, $at, $to - $at);
                $at = $to;
                last if $at >= length $all;
            }
        }
        my @status = map { $connection->response(1 ? 'GET' : '')->status } @who;
        is_deeply \@status, [map { $status{$_} } @who], "pipelining, $how: " . @who . ' responses in order';
        is $connection->finish, '', "pipelining, $how: nothing else";
        my @seen = map { "$_->{uri} " . $_->header('Authorization') } $api->requests;
        is_deeply \@seen, [map { $status{ $who[$_] } == 200 ? "/$_ Bearer $jwt{ $who[$_] }" : () } 0 .. $#who],
            "pipelining, $how: the API saw each with its own JWT";
    }
}

# --- HTTP/2 by hand: many streams at once, and windows as a test wants them ------------------------------------------

my ($DATA, $HEADERS, $SETTINGS, $WINDOW_UPDATE) = (0, 1, 4, 8);
my %INDEXED = (0x88 => 200, 0x8c => 400, 0x8d => 404, 0x8e => 500); # RFC 7541 appendix A

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}
# never indexed, no Huffman
sub field { my ($name, $value) = @_; return "\x10" . chr(length $name) . $name . chr(length $value) . $value }

sub h2_connect {
    my (%settings) = @_;
    my $connection = $gateway->connect('h2');
    $connection->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame($SETTINGS, 0, 0, join '', map {
        pack 'nN', $_, $settings{$_}
    } sort keys %settings));
    return { connection => $connection, next => 1, status => {}, data => {}, ended => {} };
}

# The stream's number.
sub h2_send {
    my ($h2, %request) = @_;
    my $stream = $h2->{next};
    $h2->{next} += 2;
    my @fields = (
        [':method' => $request{method} // 'GET'], [':scheme' => 'http'], [':path' => $request{path} // '/'],
        [':authority' => 'localhost'], defined $request{token} ? [authorization => "Bearer $request{token}"] : ()
    );
    $h2->{connection}->send(
        frame($HEADERS, defined $request{body} ? 4 : 5, $stream, join '', map { field(@{$_}) } @fields)
    );
    if (defined $request{body}) {
        my @parts = unpack '(a16000)*', $request{body};
        $h2->{connection}->send(join '', map { frame($DATA, $_ == $#parts ? 1 : 0, $stream, $parts[$_]) } 0 .. $#parts);
    }
    return $stream;
}

# Reads frames until it is true. nginx gives :status first, as an index or without Huffman.
sub h2_read {
    my ($h2, $until) = @_;
    while (!$until->()) {
        my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN',
        $h2->{connection}->stream->read_exactly(9) // die "the connection ended\n";
        my $size    = $high << 16 | $low;
        my $payload = $size ? $h2->{connection}->stream->read_exactly($size) : '';
        if ($type == $HEADERS) {
            $payload =~ s/^[\x20-\x3f]+//;
            $h2->{status}{$stream} = $payload =~ /^\x48\x03(\d{3})/ ? $1 : $INDEXED{ ord $payload };
        }
        $h2->{data}{$stream} .= $payload if $type == $DATA;
        $h2->{ended}{$stream} = 1 if $stream && $flags & 1 && ($type == $DATA || $type == $HEADERS);
    }
    return 1;
}

my %json = (
    401 => qr/^\{"code":"unauthorized_request","message":"[^"]+"\}$/,
    403 => qr/^\{"code":"forbidden","message":"[^"]+"\}$/
);

{
    $api->forget_requests;
    my $h2     = h2_connect();
    my @who    = map { (qw(alice none bob gone slow alice post bob refused-post)) } 1 .. 8;
    my %token  = (
        post => 'alice-token', 'refused-post' => 'gone-token', map { $_ => "$_-token" } qw(alice bob gone slow)
    );
    my @stream = map {
        my $who = $who[$_];
        h2_send($h2, path => "/$_", token => $token{$who}, $who =~ /post/ ? (method => 'POST', body => 'x' x 5000) : ())
    } 0 .. $#who;
    ok eval { h2_read($h2, sub { keys %{ $h2->{ended} } == @who }) }, 'HTTP/2 streams, cleartext: each ends' or diag $@;
    is_deeply [map { $h2->{status}{$_} } @stream], [map { /none|gone|refused/ ? 401 : 200 } @who],
        'HTTP/2 streams, cleartext: each has its answer';
    is scalar(grep { $h2->{status}{ $stream[$_] } == 401 && $h2->{data}{ $stream[$_] } !~ $json{401} } 0 .. $#who), 0,
        'HTTP/2 streams, cleartext: refusals have their body';
    my %seen = map { ($_->{uri} => $_->header('Authorization') . " $_->{body_length}") } $api->requests;
    my %own = map {
        my $jwt = $jwt{ $who[$_] eq 'post' ? 'alice' : $who[$_] };
        $who[$_] =~ /none|gone|refused/ ? () : ("/$_" => "Bearer $jwt " . ($who[$_] eq 'post' ? 5000 : 0))
    } 0 .. $#who;
    is_deeply \%seen, \%own, 'HTTP/2 streams, cleartext: each its own JWT at the API';
    $h2->{connection}->close;
}

# A refused POST leaves the connection and its windows as they should be: 300 KB in all, more than a connection's
# window.
{
    my $h2 = h2_connect();
    my %status;
    for my $row (map { (['/', 'gone-token', 401], ['/', undef, 401], ['/scoped', 'alice-token', 403]) } 1 .. 5) {
        my $stream = h2_send($h2, method => 'POST', path => $row->[0], token => $row->[1], body => substr $big, 0,
                             20_000);
        my $ended  = eval { h2_read($h2, sub { $h2->{ended}{$stream} }) };
        $status{ ($ended ? $h2->{status}{$stream} : "none: $@") eq $row->[2] ? 'right' : 'wrong' }++;
    }
    is_deeply \%status, { right => 15 }, 'HTTP/2: refused POSTs with bodies, one after the other';
    my $stream = h2_send($h2, path => '/last', token => 'alice-token');
    ok eval { h2_read($h2, sub { $h2->{ended}{$stream} }) }, 'HTTP/2: refused POSTs, then a request' or diag $@;
    is $h2->{status}{$stream}, 200, 'HTTP/2: refused POSTs, then a request: allowed';
    $h2->{connection}->close;
}

for my $window (0, 7) {
    my $h2     = h2_connect(4 => $window); # SETTINGS_INITIAL_WINDOW_SIZE
    my @stream = map { h2_send($h2, path => '/scoped', token => $_ % 2 ? 'gone-token' : 'alice-token') } 1 .. 20;
    ok eval { h2_read($h2, sub { keys %{ $h2->{status} } == @stream }) },
        "HTTP/2 window of $window: every refusal has its head" or diag $@;
    is scalar(keys %{ $h2->{ended} }), 0, "HTTP/2 window of $window: and not its body yet";
    $gateway->get("/$_", token => 'bob-token') for 1 .. 5; # others use the memory meanwhile
    $h2->{connection}->send(frame($WINDOW_UPDATE, 0, $_, pack 'N', 7) . frame($WINDOW_UPDATE, 0, $_, pack 'N', 1000))
        for @stream;
    ok eval { h2_read($h2, sub { keys %{ $h2->{ended} } == @stream }) }, "HTTP/2 window of $window: every refusal ends"
        or diag $@;
    is scalar(grep { ($h2->{data}{$_} // '') !~ $json{ $h2->{status}{$_} } } @stream), 0,
        "HTTP/2 window of $window: with the body that it should have";
    $h2->{connection}->close;
}

# A stream that its client resets while the AS is asked, and one whose connection ends.
for my $end ('RST_STREAM', 'the connection') {
    my $gate = 'reset' . length $end;
    $as->answers('left-token' => { hold => $gate, jwt => { sub => 'left' } });
    $_->forget_requests for $as, $api;
    my $h2   = h2_connect();
    my $left = h2_send($h2, path => '/left', token => 'left-token');
    $as->wait_for_requests(1);
    if ($end eq 'RST_STREAM') { $h2->{connection}->send(frame(3, 0, $left, pack 'N', 8)) }
    else                      { $h2->{connection}->reset }
    is $gateway->get('/', token => 'alice-token')->status, 200,
        "HTTP/2: $end ends while the AS is asked: others are served";
    $as->release($gate);
    if ($end eq 'RST_STREAM') {
        my $stream = h2_send($h2, path => '/after', token => 'alice-token');
        ok eval { h2_read($h2, sub { $h2->{ended}{$stream} }) }, "HTTP/2: $end: the connection goes on" or diag $@;
        is $h2->{status}{$stream}, 200, "HTTP/2: $end: and serves";
        $h2->{connection}->close;
    }
    is_deeply [grep { $_ eq '/left' } map { $_->{uri} } $api->requests], [], "HTTP/2: $end: the API saw nothing of it";
}

# --- many streams over TLS -------------------------------------------------------------------------------------------

{
    $api->forget_requests;
    my $port    = $gateway->port('tls');
    my @who     = map { (qw(alice none bob gone slow alice bob)) } 1 .. 6;
    my @common  = (
        '--noproxy', '*', '--resolve', "localhost:$port:127.0.0.1", '--http2', '--cacert', $gateway->ca, '--max-time',
        patience(20), '--output', '/dev/null'
    );
    my @command = ('curl', '--silent', '--show-error', '--no-progress-meter', '--parallel', '--parallel-max', 50);
    for my $n (0 .. $#who) {
        push @command, '--next' if $n;
        push @command, @common, '--write-out', "$n %{http_code}\n",
            $who[$n] ne 'none' ? ('--header', "Authorization: Bearer $who[$n]-token") : (),
            "https://localhost:$port/$n";
    }
    my $result = run(\@command, timeout => patience(30));
    is $result->{code}, 0, 'HTTP/2 streams, TLS: curl is content' or diag $result->{err};
    my %status = map { split } split /\n/, $result->{out};
    is_deeply [map { $status{$_} } 0 .. $#who], [map { /none|gone/ ? 401 : 200 } @who],
        'HTTP/2 streams, TLS: each has its answer';
    my %seen = map { ($_->{uri} => $_->header('Authorization')) } $api->requests;
    is_deeply \%seen, { map { $who[$_] =~ /none|gone/ ? () : ("/$_" => "Bearer $jwt{ $who[$_] }") } 0 .. $#who },
        'HTTP/2 streams, TLS: each its own JWT at the API';
}

# --- uploads with a slow AS ------------------------------------------------------------------------------------------

my @pieces = unpack '(a10000)*', $big;
my %upload = (
    'Content-Length'             => { body => $big },
    'chunked'                    => { chunked => \@pieces },
    'HTTP/2'                     => { body => $big, http2 => 1, port => 'h2' },
    'HTTP/2 without a length'    => { body => $big, http2 => 1, port => 'h2', headers => ['Content-Length:'] },
    'HTTP/2 over TLS'            => { body => $big, http2 => 1, tls => 1, port => 'tls' },
    'HTTP/1.1 over TLS'          => { body => $big, tls => 1, port => 'tls' },
);
for my $path ('/', '/unbuffered', '/one-buffer', '/file') {
    cases($gateway,
        map { { name => "upload of 300 KB with a slow AS: $_, $path",
                request => { method => 'POST', path => $path, token => 'slow-token', %{ $upload{$_} } }, status => 200,
        as => [{ method => 'POST', body => 'token=slow-token&token_type_hint=access_token', transfer_encoding => undef,
                 content_length => 45 }],
        api => [{ method => 'POST', authorization => 'Bearer <jwt>', body_length => length $big,
                  body_sha256 => $big_digest }] } } sort keys %upload);
}

# The body before, while and after the AS is asked; nothing is at the API before the AS has answered.
my $turn = 0;
for my $path ('/', '/unbuffered', '/one-buffer') {
    for my $framing ('length', 'chunked') {
        for my $when ('while', 'after') {
            my $gate = 'gate' . ++$turn;
            $as->answers('held-token' => { hold => $gate, jwt => { sub => 'held' } });
            $_->forget_requests for $as, $api;
            my ($first, $rest) = $framing eq 'length' ? (substr($big, 0, 100_000), substr $big, 100_000) : (
                join('', map { chunk($_) } @pieces[0 .. 9]),
                join('', map { chunk($_) } @pieces[10 .. $#pieces]) . "0\r\n\r\n"
            );
            my $connection = $gateway->connect;
            my $name = "upload in two parts, the second $when the AS is asked: $framing, $path";
            $connection->send(
                "POST $path HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer held-token\r\n" . (
                    $framing eq 'length' ? 'Content-Length: ' . length $big : 'Transfer-Encoding: chunked'
                ) . "\r\n\r\n" . substr $first, 0, 50_000
            );
            ok eval { $as->wait_for_requests(1); 1 }, "$name: the AS is asked before the body is there";
            $connection->send(substr $first, 50_000);
            is scalar(my @early = $api->requests), 0, "$name: the API has seen nothing";
            if ($when eq 'while') { $connection->send($rest); $as->release($gate) }
            else                  { $as->release($gate); $connection->send($rest) }
            is $connection->response('POST')->status, 200, "$name: 200";
            my @seen = $api->requests;
            is join(' ', map { "$_->{body_length} $_->{body_sha256}" } @seen), length($big) . " $big_digest",
                "$name: the body is whole";
            is $connection->get('/after', token => 'alice-token')->status, 200, "$name: the next request works";
            is $connection->finish, '', "$name: nothing follows";
        }
    }
}

# --- Expect: 100-continue --------------------------------------------------------------------------------------------

for my $path ('/', '/unbuffered') {
    my $connection = $gateway->connect;
    $_->forget_requests for $as, $api;
    $connection->send("POST $path HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: " . length($big)
            . "\r\nExpect: 100-continue\r\n\r\n");
    is $connection->stream->read_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n",
        "Expect: 100-continue, $path: the body is asked for";
    is scalar(my @asked = $as->requests), 1, "Expect: 100-continue, $path: after the AS";
    $connection->send($big);
    is $connection->response('POST')->status, 200, "Expect: 100-continue, $path: allowed";
    my ($seen) = $api->requests;
    is $seen->{body_sha256}, $big_digest, "Expect: 100-continue, $path: the body";
    is $seen->header('Authorization'), "Bearer $jwt{alice}", "Expect: 100-continue, $path: the JWT";
    is_deeply [grep { /^expect$/i } map { $_->header_names } $as->requests], [],
        "Expect: 100-continue, $path: not at the AS";
    is $connection->finish, '', "Expect: 100-continue, $path: nothing follows";
}
cases(
    $gateway,
    { name => 'Expect: something else',
      request => { path => '/', token => 'alice-token', headers => ['Expect: a miracle'] }, status => 200, as => 1,
      api => 1 }
);

# --- websocket -------------------------------------------------------------------------------------------------------

my @upgrade = (
    headers => ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
                'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
);
for my $token ('alice-token', 'slow-token') {
    my ($who) = $token =~ /^(\w+)-/;
    $_->forget_requests for $as, $api;
    my $connection = $gateway->connect;
    $connection->send(Harness::Client::request_bytes({ path => '/socket', token => $token, @upgrade }) . 'early');
    is $connection->response->status, 101, "websocket, $token: 101";
    my ($seen) = $api->requests;
    is $seen->header('Authorization'), "Bearer $jwt{$who}", "websocket, $token: the JWT";
    is $seen->header('Upgrade'), 'websocket', "websocket, $token: the upgrade";
    is_deeply [grep { /^(?:upgrade|sec-)/i } map { $_->header_names } $as->requests], [],
        "websocket, $token: not at the AS";
    is $connection->stream->read_exactly(5), 'early', "websocket, $token: bytes that came before the answer";
    $connection->send($big);
    is sha256_hex($connection->stream->read_exactly(length $big)), $big_digest,
        "websocket, $token: 300 KB there and back";
    $connection->close;
}
cases($gateway,
    { name => 'websocket: no token',
      request => { path => '/socket', @upgrade }, status => 401, as => 0, headers => { Upgrade => undef } },
    { name => 'websocket: inactive', request => { path => '/socket', token => 'gone-token', @upgrade }, status => 401,
      as => 1, headers => { Upgrade => undef } },
    { name => 'websocket: a token in Sec-WebSocket-Protocol is none',
      request => { path => '/socket', headers => [@{ $upgrade[1] }, 'Sec-WebSocket-Protocol: bearer, alice-token'] },
      status => 401, as => 0 },
);
{
    # Behind a refused upgrade the connection is still HTTP.
    my $connection = $gateway->connect;
    is $connection->get('/socket', @upgrade)->status, 401, 'websocket: refused';
    is $connection->get('/', token => 'alice-token')->status, 200, 'websocket: refused, then a request';
    is $connection->finish, '', 'websocket: refused, nothing follows';
}

# --- backends --------------------------------------------------------------------------------------------------------

for my $path (qw(/proxy-header /fastcgi /fastcgi-param /uwsgi /uwsgi-param /scgi /scgi-param /grpc /grpc-header)) {
    my ($protocol) = $path =~ m{^/(\w+)};
    my $server = $gateway->server(uc $protocol) // $api;
    for my $how ([], [http2 => 1, tls => 1, port => 'tls']) {
        my $name = "backend $path" . (@{$how} ? ', HTTP/2 client' : '');
        for my $who (@{$how} ? 'alice' : qw(alice bob slow)) {
            $_->forget_requests for $server, $as;
            my $response = $gateway->post("$path/x", $big, token => "$who-token", headers => ['X-Client: 1'], @{$how});
            is $response->status, 200, "$name: $who: 200";
            my @seen = $server->requests;
            is scalar @seen, 1, "$name: $who: one request";
            is_deeply [$seen[0]->headers('Authorization')], ["Bearer $jwt{$who}"], "$name: $who: the JWT, once";
            is $seen[0]->header('X-Client'), '1', "$name: $who: the client's headers";
            is $seen[0]{body_sha256}, $big_digest, "$name: $who: the body";
        }
        $server->forget_requests;
        for my $row ([401], [401, 'gone-token'], [502, 'error-token']) {
            my ($status, $token) = @{$row};
            my $response = $gateway->post("$path/x", $big, defined $token ? (token => $token) : (), @{$how});
            is $response->status, $status, "$name: $status " . ($token // 'without a token');
            check_refusal($response);
        }
        is scalar(my @seen = $server->requests), 0, "$name: refused: it saw nothing";
    }
}

forget_access_log();

# --- $http_authorization read early ----------------------------------------------------------------------------------

cases($gateway,
    { name => '$http_authorization read early (map, if, set) is fresh',
      request => { path => '/early', token => 'alice-token' }, status => 200,
      api => [{ authorization => 'Bearer <jwt>', x_fresh => 'Bearer <jwt>', x_seen => '1' }],
      logged => { authorization => 'Bearer <jwt>', jwt => '<jwt>' } },
    { name => '$http_authorization read early: another token; what a set took before stays, '
          . 'as docs/migration-oathkeeper.md says',
      request => { path => '/early', token => 'bob-token' }, status => 200,
      api => [{ authorization => 'Bearer <jwt>', x_copy => 'Bearer bob-token', x_fresh => 'Bearer <jwt>' }],
      logged => { authorization => 'Bearer <jwt>' } },
    { name => '$http_authorization read early: any case of Bearer',
      request => { path => '/early', headers => ['authorization: BEARER  alice-token'] }, status => 200,
      api => [{ authorization => 'Bearer <jwt>', x_fresh => 'Bearer <jwt>' }] },
    { name => '$http_authorization read early: refused',
      request => { path => '/early', token => 'gone-token' }, status => 401 },
    { name => '$http_authorization read early: none',
      request => { path => '/early' }, status => 401, as => 0, logged => { authorization => '', jwt => '' } },
    { name => '$http_authorization not read early', request => { path => '/proxy-header', token => 'alice-token' },
      status => 200, api => [{ authorization => 'Bearer <jwt>' }], logged => { authorization => 'Bearer <jwt>' } },
);

# --- one connection, many requests: no state from one request in the next --------------------------------------------

{
    my $connection = $gateway->connect;
    my %row = (
        alice => [200, '/'], bob => [200, '/scoped'], none => [401, '/early'], gone => [401, '/early'],
        slow => [200, '/early'], busy => [503, '/'], error => [502, '/grpc']
    );
    my @order = map { (qw(alice none bob gone slow none busy alice error none)) } 1 .. 4;
    my $wrong = 0;
    for my $who (@order) {
        $_->forget_requests for $api;
        my ($status, $path) = @{ $row{$who} };
        my $response = $connection->get($path, $who ne 'none' ? (token => "$who-token") : ());
        my @seen = map { $_->header('Authorization') } $api->requests;
        $wrong++ if $response->status != $status || "@seen" ne ($status == 200 ? "Bearer $jwt{$who}" : '');
        my $line = $gateway->logged($response);
        $wrong++ if $line->{jwt} ne ($status == 200 ? $jwt{$who} : '');
    }
    is $wrong, 0, 'one connection, ' . @order . ' requests: each is judged on its own';
    is $connection->finish, '', 'one connection: nothing follows';
}

done_testing;
