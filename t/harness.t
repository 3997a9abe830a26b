# The harness proves itself, with plain nginx: what it starts, plays, records and refuses to overlook.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'sha256_hex';
use Harness;
use Harness::Dpop 'thumbprint';
use Test2::API 'intercept';
use Time::HiRes 'time';

# Failed assertions, subtests' own included, of what the code does.
sub failures {
    my ($code) = @_;
    local $Harness::ErrorLog::line_seconds = 0.01;
    my @failed;
    my $caught = intercept { $code->() };
    my @events = @{$caught};
    while (my $event = shift @events) {
        push @events, @{ $event->subevents } if $event->can('subevents');
        push @failed, $event->name // '' if $event->can('pass') && !$event->pass && !$event->can('subevents');
    }
    return join "\n", @failed;
}

# To the AS, to the API, and refusals right and wrong.
my $json401 =
    '{"code":"unauthorized_request","message":"Access denied due to missing, invalid or expired credentials"}';
my $started = time;
my $gateway = gateway(
    module => 0,
    http   => q{
        server { listen 127.0.0.1:%%PORT:grpc%% http2; location / { proxy_pass http://%%API%%; } }
    },
    server => q{
        listen 127.0.0.1:%%PORT:h2%% http2;
        listen 127.0.0.1:%%PORT:tls%% ssl http2;
        ssl_certificate %%TLS%%/server.pem;
        ssl_certificate_key %%TLS%%/server.key;
        client_body_buffer_size 1m;
    },
    locations => qq{
        location / { proxy_pass http://%%API%%; proxy_http_version 1.1; proxy_set_header Connection ""; }
        location /nothing { proxy_pass http://%%API%%; proxy_read_timeout 300ms; }
        location /socket { proxy_pass http://%%API%%; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade;
                           proxy_set_header Connection upgrade; }
        location /as { proxy_pass http://%%AS%%/introspect; proxy_http_version 1.1; }
        location /as-silent { proxy_pass http://%%AS%%/introspect; proxy_read_timeout 300ms; }
        location /fastcgi { include /etc/nginx/fastcgi_params; fastcgi_pass %%FASTCGI%%; }
        location /uwsgi { include /etc/nginx/uwsgi_params; uwsgi_pass %%UWSGI%%; }
        location /scgi { include /etc/nginx/scgi_params; scgi_pass %%SCGI%%; }
        location /grpc { grpc_pass grpc://127.0.0.1:%%PORT:grpc%%; }
        location /401 { default_type application/json; add_header WWW-Authenticate 'Bearer realm="api"' always;
                        return 401 '$json401'; }
        location /401-bare { default_type application/json; return 401 '$json401'; }
        location /401-comma { default_type application/json; add_header WWW-Authenticate 'Bearer realm="api",' always;
                              return 401 '$json401'; }
        location /401-text { add_header WWW-Authenticate 'Bearer realm="api"' always; return 401 'no'; }
        location /502 { default_type application/json;
                        return 502 '{"code":"server_error","message":"Problem encountered processing the request"}'; }
    },
    servers => { map { uc($_) => api(protocol => $_) } qw(fastcgi uwsgi scgi) },
);
my $start_time = time - $started;
my %form = (path => '/as', method => 'POST', headers => ['Content-Type: application/x-www-form-urlencoded']);
my $as_bytes = 'token=alice-token&token_type_hint=access_token';
my %alice = (%form, body => $as_bytes);

diag sprintf 'nginx, AS and four APIs started in %.0f ms', 1000 * $start_time;
cmp_ok $start_time, '<', patience(2), 'everything starts at once';

# --- the table -------------------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'API: what it saw is recorded, in order and with duplicates',
      request => { path => '/orders?x=%20', token => 'alice-token', headers => ['X-Two: 1', 'X-Two: 2'] },
      status => 200, as => 0,
      api => [{ method => 'GET', uri => '/orders?x=%20', authorization => 'Bearer alice-token', x_two => ['1', '2'],
                cookie => undef,
                header_names => [qw(Host X-Two X-Two Authorization)], body => '' }],
      headers => { 'Content-Type' => 'application/json', 'X-Nothing' => undef }, body => qr/"body_length":0/,
      logged => { status => 200 } },

    { name => 'API: a large body by length and digest',
      request => { method => 'POST', path => '/', body => 'x' x 300_000 }, status => 200,
      api => [{ method => 'POST', body => undef, body_length => 300_000, body_sha256 => sha256_hex('x' x 300_000) }] },

    { name => 'API: a scripted answer',
      request => { path => '/teapot' }, status => 418, body => 'short and stout', api => 1,
      api_answers => {
          '/teapot' => { status => 418, reason => 'Teapot', headers => ['X-A: b'], body => 'short and stout' }
      }, headers => { 'X-A' => 'b' } },

    { name => 'AS: an answer by token',
      request => \%alice, answers => { 'alice-token' => { jwt => { sub => 'alice' } } },
      status => 200, body => '<jwt>', headers => { 'Content-Type' => 'application/jwt' },
      as => [{ uri => '/introspect', body => $as_bytes }], api => 0 },

    { name => 'AS: no answer for a token is inactive',
      request => { %form, body => 'token=nobody-knows' }, status => 200, json => { active => false } },

    { name => 'AS: form-encoded token', request => { %form, body => 'token=a%2Bb%2Fc%3D%3D' },
      answers => { 'a+b/c==' => { status => 204 } }, status => 204 },

    { name => 'a refusal as it should be',
      request => { path => '/401' }, status => 401, challenge => { realm => 'api' } },
    { name => 'a 502 as it should be', request => { path => '/502' }, status => 502 },
    { name => 'HEAD', request => { path => '/401', method => 'HEAD' }, status => 401 },
    { name => 'HTTP/1.0', request => { path => '/', version => '1.0' }, status => 200 },
    { name => 'HTTP/2', request => { path => '/h2', http2 => 1, port => 'h2', token => 'alice-token' }, status => 200,
      api => [{ uri => '/h2', authorization => 'Bearer alice-token' }], logged => { status => 200 } },
    { name => 'HTTP/2 over TLS', request => { path => '/401', http2 => 1, tls => 1, port => 'tls' }, status => 401,
      challenge => { realm => 'api' } },
    { name => 'a body in chunks', request => { method => 'POST', path => '/', chunked => ['ab', 'cde'] }, status => 200,
      api => [{ body => 'abcde' }] },
    { name => 'raw bytes',
      request => { raw => "GET /raw HTTP/1.1\r\nHost: x\r\n\r\n" }, status => 200, api => [{ uri => '/raw' }] },
    { name => 'raw bytes that nginx refuses',
      request => { raw => "GET\r\n\r\n" }, status => 400, api => 0, body => qr/400 Bad Request/ },
);

for my $protocol (qw(fastcgi uwsgi scgi grpc)) {
    my $response = $gateway->post("/$protocol", 'y' x 70_000, token => 'alice-token');
    is $response->status, 200, "$protocol: answer";
    my $seen = (($gateway->server(uc $protocol) // $gateway->api)->requests)[-1];
    is $seen->header('Authorization'), 'Bearer alice-token', "$protocol: header";
    is $seen->{body_length}, 70_000, "$protocol: body";
}

# --- what the AS can play --------------------------------------------------------------------------------------------

my $long = 'z' x 40_000;
my $truncated = qr/upstream prematurely closed connection|reset by peer/;
cases($gateway,
    { name => 'AS: chunked', request => \%alice, status => 200,
      answers => { 'alice-token' => { jwt => { sub => 'a' }, framing => 'chunked', split => 7 } }, body => '<jwt>' },
    { name => 'AS: close-delimited', request => \%alice, status => 200,
      answers => { 'alice-token' => { jwt => { sub => 'a' }, framing => 'close' } }, body => '<jwt>' },
    { name => 'AS: in segments', request => \%alice, status => 200,
      answers => { 'alice-token' => { jwt => { sub => 'a' }, split => 20, drip => 0.002 } }, body => '<jwt>' },
    { name => 'AS: 40 KB',
      request => \%alice, status => 200, answers => { 'alice-token' => { body => $long } }, body => $long },
    { name => 'AS: headers', request => \%alice, status => 503, refusal => 'any', body => '',
      headers => { 'Retry-After' => 7, 'Set-Cookie' => ['a=1', 'b=2'] },
      answers => { 'alice-token' => { status => 503,
                                      headers => ['Retry-After: 7', 'Set-Cookie: a=1', 'Set-Cookie: b=2'] } } },
    { name => 'AS: raw steps, 103 before 200', request => \%alice, answers => {
        'alice-token' => { raw => ["HTTP/1.1 103 Early Hints\r\n\r\n", [sleep => 0.01], "HTTP/1.1 200 OK\r\n",
                                   "Content-Length: 2\r\n\r\nok"] }
    },
      status => 200, body => 'ok' },
    { name => 'AS: garbage', request => \%alice, fails => qr/bad status line: "garbage"/,
      answers => { 'alice-token' => { raw => ["garbage\r\n\r\n", ['close']] } }, log => qr/no valid HTTP/ },
    { name => 'AS: cut by length', request => \%alice, answers => { 'alice-token' => { body => $long, cut => 100 } },
      fails => qr/body cut: 100 of 40000 bytes/, log => $truncated },
    { name => 'AS: cut in a chunk',
      request => \%alice, answers => { 'alice-token' => { body => $long, cut => 100, framing => 'chunked' } },
      fails => qr/chunk/, log => $truncated },
    { name => 'AS: reset', request => \%alice, answers => { 'alice-token' => { raw => [[sleep => 0.01], ['reset']] } },
      status => 502, refusal => 'page', log => $truncated },
    { name => 'AS: silence', request => { %alice, path => '/as-silent' },
      answers => { 'alice-token' => { raw => [['hang']] } }, status => 504, refusal => 'page', log => qr/timed out/ },
    { name => 'AS: one answer after the other', request => \%alice,
      answers => { 'alice-token' => [{ body => 'first' }, { body => 'then' }] }, status => 200, body => 'first' },
    { name => 'AS: the last one again', request => \%alice, status => 200, body => 'then' },
    { name => 'AS: and again', request => \%alice, status => 200, body => 'then' },
);

{
    $gateway->as->answers('held-token' => { hold => 'gate', body => 'released' });
    $gateway->as->forget_requests;
    my @waiting = map {
        my $c = $gateway->connect;
        $c->send(Harness::Client::request_bytes({ %form, body => 'token=held-token' }));
        $c
    } 1 .. 10;
    $gateway->as->wait_for_requests(10);
    $gateway->as->release('gate');
    is join(' ', map { $_->response('POST')->body } @waiting), join(' ', ('released') x 10),
        'AS: ten at once, held and released';
}

{
    $gateway->as->stop;
    is $gateway->request(%alice)->status, 502, 'AS: stopped, connections are refused';
    $gateway->as->resume;
    $gateway->as->answers('alice-token' => { body => 'back' });
    is $gateway->request(%alice)->body, 'back', 'AS: resumed on the same port';
}

# --- the client ------------------------------------------------------------------------------------------------------

{
    my $connection = $gateway->connect;
    is $connection->get("/$_")->status, 200, 'keepalive: request ' . $_ for 1 .. 2;
    $connection->send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    is_deeply [map { $connection->response->json->{uri} } 1, 2], ['/a', '/b'], 'pipelining';
    is $connection->finish, '', 'nothing is left over';

    my $again = $gateway->connect;
    $again->send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    $again->response;
    like $again->finish, qr{^HTTP/1\.1 200}, 'what is left over is told';

    my $socket = $gateway->connect;
    my $switch = $socket->get('/socket', headers => ['Upgrade: websocket', 'Connection: Upgrade']);
    is $switch->status, 101, 'websocket: 101';
    $socket->send('ping');
    is $socket->stream->read_exactly(4), 'ping', 'websocket: the bytes come back';
    $socket->close;

    my $expecting = $gateway->connect;
    $expecting->send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    $expecting->send('ok') if $expecting->stream->read_through("\r\n\r\n") =~ /^HTTP\/1.1 100 /;
    is $expecting->response('POST')->json->{body_length}, 2, '100-continue';
    $expecting->finish;

    my $silent = $gateway->connect('', timeout => 0.1);
    ok !eval { $silent->response; 1 } && $@ =~ /^timeout/, 'a silent peer is not waited for';
    $silent->close;
}

for my $bad ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "HTTP/1.1 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") {
    my $server = authorization_server(default => { raw => [$bad, ['close']] });
    ok !eval { Harness::Client->once(port => $server->port); 1 }, 'not taken for a response: ' . $bad =~ s/[\r\n]+/ /gr;
    $server->stop;
}

# --- challenges and JWTs ---------------------------------------------------------------------------------------------

is_deeply parse_challenge('Bearer'), { scheme => 'Bearer', params => {}, order => [] }, 'challenge: a scheme alone';
is_deeply parse_challenge('Bearer realm="a \"b\" \\\\", scope="x y"')->{params},
    { realm => 'a "b" \\', scope => 'x y' }, 'challenge: escapes';
for my $bad ('', 'Bearer ', 'Bearer realm', 'Bearer realm=api', 'Bearer realm="a', 'Bearer realm="a",',
    'Bearer realm="a", ', 'Bearer realm="a",scope="b"', 'Bearer realm="a" scope="b"',
    'Bearer realm="a", realm="b"', 'Bearer realm="a"b"', "Bearer realm=\"a\nb\"", ' Bearer realm="a"',
    'Bearer  realm="a"', 'Bearer realm = "a"') {
    ok !eval { parse_challenge($bad); 1 }, "challenge: refused: $bad";
}

is jwt_claims(jwt({ sub => 'alice' }))->{sub}, 'alice', 'JWT: claims';
is jwt('{"exp":1e400}', header => '{"alg":"none"}', signature => ''),
    base64url('{"alg":"none"}') . '.' . base64url('{"exp":1e400}') . '.', 'JWT: any text, no signature';
is raw_jwt('a', 'b', '', 'c'), 'a.b..c', 'JWT: raw parts';
{
    my $key     = rsa_key('k1');
    my @parts   = split /\./, jwt({ sub => 'alice' }, key => $key);
    my $folder  = temporary_folder();
    for ([signed => "$parts[0].$parts[1]"], [signature => MIME::Base64::decode_base64url($parts[2])]) {
        open my $out, '>:raw', "$folder/$_->[0]" or die $!;
        print {$out} $_->[1];
        close $out;
    }
    run(['openssl', 'rsa', '-in', "$key->{folder}/key.pem", '-pubout', '-out', "$folder/public"]);
    is run(
        ['openssl', 'dgst', '-sha256', '-verify', "$folder/public", '-signature', "$folder/signature", "$folder/signed"]
    )->{code}, 0, 'JWT: RS256 verifies';
    like jwks($key), qr/"kid":"k1".*"n":"[\w-]{342}"/, 'JWT: JWKS';
}

# The keys of RFC 9449 section 6.1 and of RFC 8037 appendix A.3, with their thumbprints.
is thumbprint({
    kty => 'EC', crv => 'P-256', x => 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
    y => '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA'
}), '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I', 'DPoP: the thumbprint of an EC key';
is thumbprint({ kty => 'OKP', crv => 'Ed25519', x => '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', kid => 'k' }),
    'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k', 'DPoP: the thumbprint of an Ed25519 key';

# --- what must not be overlooked -------------------------------------------------------------------------------------

my %wrong = (
    'a wrong status'              => [{ request => { path => '/' }, status => 204 }, qr/client: status/],
    'no challenge'                => [{ request => { path => '/401-bare' }, status => 401 }, qr/one challenge/],
    'a challenge with a comma'    => [{ request => { path => '/401-comma' }, status => 401 }, qr/grammar/],
    'a body that is no JSON'      => [{ request => { path => '/401-text' }, status => 401 }, qr/JSON body/],
    'another realm'               => [
        { request => { path => '/401' }, status => 401, challenge => { realm => 'other' } }, qr/challenge realm/
    ],
    'a challenge of another scheme' => [
        { request => { path => '/401' }, status => 401, challenge => { scheme => 'DPoP' } }, qr/challenge is DPoP/
    ],
    'a challenge too few'         => [
        { request => { path => '/401' }, status => 401, challenge => [{ realm => 'api' }, { scheme => 'DPoP' }] },
        qr/2 challenges/
    ],
    'a parameter too few'         => [{ request => { path => '/401' }, status => 401, challenge => {} },
                                      qr/nothing more/],
    'a refusal that the API saw'  => [
        { request => { path => '/leak' }, status => 401, refusal => 'any',
          api_answers => { '/leak' => { status => 401, headers => ['WWW-Authenticate: Bearer'] } } },
        qr/API: saw 0/
    ],
    'a refusal with a token'      => [
        { request => { path => '/leak', token => 'leaked-token' },
          status => 500, refusal => 'any', api_answers => { '/leak' => { status => 500, body => 'leaked-token' } } },
        qr/holds no token/
    ],
    'another header at the API'   => [
        { request => { path => '/' }, status => 200, api => [{ authorization => 'Bearer x' }] }, qr/API: authorization/
    ],
    'a request too many'          => [{ request => { path => '/' }, status => 200, api => 0 }, qr/API: saw 0/],
    'another body at the AS'      => [{ request => \%alice, status => 200, as => [{ body => 'token=bob-token' }] },
                                      qr/AS: body/],
    'a log line that is missing'  => [{ request => { path => '/' }, status => 200, log => qr/no such line/ },
                                      qr/error log/],
    'a log line too many'         => [
        { request => { path => '/nothing', method => 'GET', token => 'alice-token' }, status => 504, api => 1,
          api_answers => { '/nothing' => { raw => [['hang']] } }, no_log => qr/timed out/ },
        qr/error log: not/
    ],
    'a token in the error log'    => [{ request => { path => '/?alice-token', token => 'alice-token' }, status => 502,
                                        api => 1, refusal => 'any', api_answers => { '/' => { raw => [['reset']] } } },
                                      qr/no fault/],
);
for my $name (sort keys %wrong) {
    my ($case, $failure) = @{ $wrong{$name} };
    like failures(sub { cases($gateway, { name => $name, %{$case} }) }), $failure, "found: $name";
    $_->forget_answers for $gateway->as, $gateway->api;
}
for my $bad ({ name => 'x', stauts => 200 }, { name => 'x' }, { status => 200 }) {
    ok !eval { cases($gateway, $bad); 1 }, 'a case with a mistake in it dies';
}
ok !eval { $gateway->as->answers(x => { boddy => '' }); 1 }, 'an answer with a mistake in it dies';
ok !eval { $gateway->get('/', tokn => 'x'); 1 }, 'a request with a mistake in it dies';
check_faults();

for my $line ('2022/01/01 00:00:00 [alert] 1#1: x', '2022/01/01 00:00:00 [crit] 1#1: x',
    '2022/01/01 00:00:00 [notice] 1#1: worker process 7 exited on signal 11',
    '==1==ERROR: AddressSanitizer: heap-use-after-free',
    'x.cpp:1:2: runtime error: signed integer overflow',
    '2022/01/01 00:00:00 [info] 1#1: *1 phantom token: alice-token',
    '2022/01/01 00:00:00 [debug] 1#1: *1 phantom token: alice-token') {
    open my $out, '>>', $gateway->folder . '/error.log' or die $!;
    print {$out} "$line\n";
    close $out;
    is scalar(my @faults = $gateway->faults), 1, "fault: $line";
}
{
    open my $out, '>>', $gateway->folder . '/error.log' or die $!;
    print {$out} "2022/01/01 00:00:00 [debug] 1#1: *1 http header: \"Authorization: "
        . "Bearer alice-token\"\n2022/01/01 00:00:00 [error] 1#1: not-alice-token-but-another\n";
    close $out;
    is_deeply [$gateway->faults], [], "no fault: nginx's own lines at debug, and what is no token";
}

# --- nginx -----------------------------------------------------------------------------------------------------------

configurations(
    { name => 'nginx -t: refused', module => 0, locations => 'foo;', refuses => qr/unknown directive "foo"/ },
    { name => 'nginx -t: accepted', module => 0, locations => '', accepts => 1, warns => undef },
    { name => 'nginx -t: warned',
      module => 0, locations => '', server => 'listen 127.0.0.1:%%PORT%%0;', refuses => qr/invalid port/ },
);
like failures(sub { configurations({ name => 'x', module => 0, locations => '', refuses => qr/y/ }) }), qr/refused/,
    'found: a configuration that is not refused';

{
    my @old = $gateway->workers;
    is scalar @old, 1, 'one worker';
    cmp_ok $gateway->rss, '>', 1000, 'its memory';
    is $gateway->reload(locations => 'location / { return 204; }'), '', 'reload';
    is $gateway->get('/')->status, 204, 'reload: the new configuration serves';
    isnt(($gateway->workers)[0], $old[0], 'reload: another worker');
    like $gateway->reload(locations => 'foo;'), qr/unknown directive "foo"/, 'reload with a mistake';
    is $gateway->get('/')->status, 204, 'reload with a mistake: the old configuration serves';
    is $gateway->reload, '', 'reload again, without the mistake';

    my $master = $gateway->pid;
    $gateway->upgrade;
    ok !alive($master) && alive($gateway->pid), 'upgrade: another master';
    is $gateway->get('/')->status, 204, 'upgrade: it serves';

    $gateway->announce(qr/exited on signal 9/);
    kill KILL => $gateway->workers;
    ok $gateway->log->wait_for(qr/exited on signal 9/), 'a worker killed';
    is $gateway->get('/')->status, 204, 'a worker killed: the next one serves';
}

{
    my $gone = gateway(module => 0, locations => 'location / { return 204; }');
    my @all  = ($gone->pid, $gone->workers);
    $gone->crash;
    is scalar(grep { alive($_) } @all), 0, 'crash: no process is left';
    is_deeply [$gone->faults], [], 'crash: no fault of the test';
    ok !eval { $gone->get('/'); 1 }, 'crash: nobody answers';
}

{
    my @own   = ('https://login.example.com' => 'http://%%AS%%', 'api.internal:8080' => '%%API%%');
    my $whole = gateway(module => 0, replace => \@own, config => <<'END');
user www-data;
error_log /var/log/nginx/error.log;
pid /run/nginx.pid;
events {}
http {
    access_log /var/log/nginx/access.log;
    server { listen 80; listen [::]:80;
        listen 443;
        location / { proxy_pass http://api.internal:8080; }
        location /as { proxy_pass https://login.example.com/introspect; }
    }
}
END
    is $whole->get('/', port => 443)->status, 200, 'a whole configuration, each port by its name';
    is $whole->get('/as', port => 443)->json->{active}, false, 'a whole configuration: what was replaced';
}

# --- nothing stays ---------------------------------------------------------------------------------------------------

for my $end ('die "by mistake"', 'kill KILL => $$', 'kill TERM => $$', 'time_limit(1); sleep 30', 'exit 0') {
    my $folder = temporary_folder();
    open my $out, '>', "$folder/test.pl" or die $!;
    print {$out} <<"END";
use strict; use warnings; use lib 't/lib'; use Harness;
my \$gateway = gateway(module => 0, locations => 'location / { proxy_pass http://%%API%%; }');
my \$open = \$gateway->connect; \$open->get('/');
open my \$out, '>', '$folder/told' or die;
my \@servers = map { \$_->{pid} } \$gateway->api, \$gateway->as;
print {\$out} join ' ', \$gateway->folder, \$gateway->pid, \$gateway->workers, \@servers;
close \$out;
$end;
END
    close $out;
    run([$^X, "$folder/test.pl"]);
    open my $in, '<', "$folder/told" or die "$folder/told: $!";
    my ($left, @pids) = split / /, <$in>;
    is scalar @pids, 4, "$end: master, worker, AS, API";
    ok until_true(patience(5), sub { !-e $left && !grep { alive($_) } @pids }), "$end: nothing is left";
}

done_testing;
