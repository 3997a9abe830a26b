# The authorization server is away, slow, busy or broken: every failure ends in a refusal, and what is cached still
# works.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Ports 'full_port';
use Time::HiRes 'time';

my $backup  = authorization_server();
my $silent  = authorization_server(default => { raw => [['hang']] });
# For who is never going to answer, and for nobody else: a busy machine would be late, too.
my $brief   = join ' ', map { "proxy_${_}_timeout 300ms;" } qw(connect read send);
my $gateway = gateway(
    clock   => 'time',
    servers => { AS2 => $backup, FULL => full_port(), SILENT => $silent },
    http    => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        server {
            listen 127.0.0.1:%%PORT:tls%% ssl;
            ssl_certificate %%TLS%%/server.pem;
            ssl_certificate_key %%TLS%%/server.key;
            location / { proxy_pass http://%%AS%%; }
        }
        upstream pair    { server %%AS%% max_fails=0; server %%AS2%% backup; }
        upstream nobody  { server %%AS%% down; }
        upstream several { server %%FULL%% max_fails=0; server %%AS%% backup max_fails=0; }
        upstream kept    { server %%AS%%; keepalive 4; }
        upstream blocked { server %%AS%% max_fails=1 fail_timeout=1m; server %%AS%% max_fails=1 fail_timeout=1m; }
    },
    server    => 'listen 127.0.0.1:%%PORT:h2%% http2;',
    protected => 'phantom_token_scopes "read";',
    locations => join '', map {
        my ($name, $introspection) = @{$_};
        "location /$name { phantom_token on; phantom_token_introspection_endpoint /_$name; proxy_pass http://%%API%%; "
            . "}\n location = /_$name { internal; $introspection }\n"
    }   ['as',       'proxy_pass http://%%AS%%/introspect;'],
        ['cached',   'proxy_pass http://%%AS%%/introspect; proxy_cache tokens; proxy_cache_methods POST; '
             . 'proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;'],
        ['full',     "$brief proxy_pass http://%%FULL%%/introspect;"],
        ['silent',   "$brief proxy_pass http://%%SILENT%%/introspect;"],
        ['stalled',  "$brief proxy_pass http://%%AS%%/introspect;"],
        ['pair',     'proxy_pass http://pair/introspect; '
             . 'proxy_next_upstream error timeout http_503 http_429 http_500 non_idempotent;'],
        ['nobody',   'proxy_pass http://nobody/introspect;'],
        ['several',  'proxy_connect_timeout 300ms; proxy_pass http://several/introspect; '
             . 'proxy_next_upstream error timeout non_idempotent;'],
        ['kept',     'proxy_pass http://kept/introspect; proxy_http_version 1.1; proxy_set_header Connection "";'],
        ['blocked',
         'proxy_pass http://blocked/introspect; proxy_next_upstream error timeout http_500 non_idempotent;'],
        ['tls',      'proxy_pass https://127.0.0.1:%%PORT%%/plain;'],
        ['verify',   'proxy_pass https://127.0.0.1:%%PORT:tls%%/plain; proxy_ssl_verify on; proxy_ssl_session_reuse '
             . 'off; proxy_ssl_name localhost; proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;'],
        ['trusted',  'proxy_pass https://127.0.0.1:%%PORT:tls%%/plain; proxy_ssl_verify on; '
             . 'proxy_ssl_session_reuse off; proxy_ssl_name localhost; proxy_ssl_trusted_certificate %%TLS%%/ca.pem;'],
        ['name',     'proxy_pass https://127.0.0.1:%%PORT:tls%%/plain; proxy_ssl_verify on; '
             . 'proxy_ssl_session_reuse off; proxy_ssl_name elsewhere; proxy_ssl_trusted_certificate %%TLS%%/ca.pem;'],
        ['unknown',  'set $as nowhere.invalid; proxy_pass http://$as/introspect;'],
        ['resolver', 'resolver 127.0.0.1:%%PORT:dns%% ipv6=off; resolver_timeout 300ms; set $as nowhere.invalid; '
             . 'proxy_pass http://$as/introspect;'],
        ['file',     'root %%DIR%%;'],
        ['limited',  'limit_except GET { deny all; } proxy_pass http://%%AS%%/introspect;'],
        ['return',   'return 503;'],
        ['empty',    'return 204;'],
        ['socket',   'proxy_pass http://unix:%%DIR%%/nobody.sock:/introspect;'],
        ['any',      'proxy_pass http://%%AS%%/introspect;'],
);
my ($as, $api) = ($gateway->as, $gateway->api);
$_->answers('alice-token' => { jwt => { sub => 'alice' } }) for $as, $backup;

# A row: [way, token, status, word] and perhaps more of a case.
sub rows {
    my ($name, @rows) = @_;
    for (@rows) {
        my ($way, $token, $status, $word, %more) = @{$_};
        truncate $gateway->folder . '/access.log', 0; # a port number may come back
        cases(
            $gateway,
            { name => "$name: /$way, $token",
              request => { path => "/$way", token => $token, %{ delete $more{request} // {} } }, status => $status,
              (defined $word ? (outcome => $word) : ()), ($status >= 500 ? (challenge => undef) : ()), %more }
        );
    }
    return;
}

sub within {
    my ($name, $seconds, $code) = @_;
    my $start = time;
    $code->();
    return cmp_ok time - $start, '<', patience($seconds), "$name: in time";
}

# --- what the AS answers ---------------------------------------------------------------------------------------------

my %answers = (
    'e429-token' => { status => 429, headers => ['Retry-After: 17'] }, 'e429-bare-token' => { status => 429 },
    'e429-date-token' => { status => 429, headers => ['Retry-After: Fri, 31 Dec 2099 23:59:59 GMT'] },
    'e503-token' => { status => 503, headers => ['Retry-After: 5'], body => 'maintenance' },
    'e503-bare-token' => { status => 503 }, 'e503-empty-token' => { status => 503, headers => ['Retry-After: '] },
    (map {
        ("s$_-token" => { status => $_, jwt => { sub => 'nobody' },
                          headers => ['Retry-After: 7', 'WWW-Authenticate: Basic realm="as"',
                                      'Location: http://127.0.0.1/'] })
    } 201, 202, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 410, 413, 451, 499, 500, 501, 502, 504,
     505, 599),
);
$as->answers(%answers);
my %none = ('Retry-After' => undef, 'Location' => undef);
rows('busy',
    ['as', 'e429-token', 503, 'as_busy', headers => { 'Retry-After' => 17 }],
    ['as', 'e429-bare-token', 503, 'as_busy', headers => {%none}],
    ['as', 'e429-date-token', 503, 'as_busy', headers => { 'Retry-After' => 'Fri, 31 Dec 2099 23:59:59 GMT' }],
    ['as', 'e503-token', 503, 'as_busy', headers => { 'Retry-After' => 5 }],
    ['as', 'e503-bare-token', 503, 'as_busy', headers => {%none}], ['as', 'e503-empty-token', 503, 'as_busy'],
    ['cached', 'e429-token', 503, 'as_busy', headers => { 'Retry-After' => 17 }],
    ['return', 'alice-token', 503, 'as_busy']);
rows('refuses the gateway', map {
    ['as', "s$_-token", 502, 'as_refused_client', headers => {%none}, log => qr/\[error\].*"\/_as"/]
} 401, 403);
rows(
    'an error',
    (map { ['as', "s$_-token", 502, 'as_error', headers => {%none}] }
         300, 301, 302, 303, 307, 308, 400, 404, 405, 408, 410, 413, 451, 499, 500, 501, 502, 505, 599),
    ['as', 's504-token', 504, 'as_timeout'], (map { ['as', "s$_-token", 502, undef, headers => {%none}] } 201, 202, 206)
);
rows('HEAD', ['as', 'e503-token', 503, 'as_busy', request => { method => 'HEAD' }, headers => { 'Retry-After' => 5 }]);
rows(
    'HTTP/2',
    ['as', 'e429-token', 503, 'as_busy', request => { http2 => 1, port => 'h2' }, headers => { 'Retry-After' => 17 }],
    ['silent', 'alice-token', 504, 'as_timeout', request => { http2 => 1, port => 'h2' }]
);

# --- the way to the AS -----------------------------------------------------------------------------------------------

within('connect timeout', 3, sub {
    rows('connect timeout', ['full', 'alice-token', 504, 'as_timeout', log => qr/timed out.*while connecting/]);
});
within('read timeout', 3, sub {
    rows('read timeout', ['silent', 'alice-token', 504, 'as_timeout', log => qr/timed out/]);
});
within('no name server', 5, sub {
    rows('no name server', ['resolver', 'alice-token', 502, undef, log => qr/nowhere\.invalid|Connection refused/]);
});
rows('unreachable',
    ['unknown', 'alice-token', 502, 'as_error', log => qr/no resolver defined/],
    ['nobody', 'alice-token', 502, 'as_error', log => qr/no live upstreams/],
    ['tls', 'alice-token', 502, 'as_error', log => qr/SSL/],
    (map { [$_, 'alice-token', 502, 'as_error', as => 0, log => qr/upstream SSL certificate/] } qw(verify name)),
    ['trusted', 'alice-token', 200, 'active', as => 1],
    ['socket', 'alice-token', 502, 'as_error', announce => qr/\[crit\].*nobody\.sock.*No such file/],
    ['file', 'alice-token', 502], ['empty', 'alice-token', 401, 'inactive']);
rows('several servers: the next one is asked', ['several', 'alice-token', 200, 'active', as => 1],
    (map { ['pair', $_, 401, 'inactive', as => 1] } qw(e429-token e503-token s500-token)));
is scalar(my @asked = $backup->requests), 3, 'several servers: the backup was asked';

$as->answers(
    'reset-token'  => { raw => [['reset']] }, 'close-token' => { raw => [['close']] },
    'half-token' => { raw => ["HTTP/1.1 200 OK\r\nContent-", ['close']] },
    'head-token'   => {
        raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: 500\r\n\r\n", ['close']]
    }, 'stall-token' => { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\n", ['hang']] },
    'garbage-token' => { raw => ["\x16\x03\x01\x02\x00\r\n\r\n", ['close']] },
);
rows(
    'the connection breaks', ['as', 'reset-token', 502], ['as', 'close-token', 502, 'as_error'],
    ['as', 'half-token', 502], ['as', 'head-token', 502, 'as_bad_response'], ['as', 'garbage-token', 502],
    ['stalled', 'stall-token', 504, 'as_timeout']
);

# --- away, and back --------------------------------------------------------------------------------------------------

rows('before', ['cached', 'alice-token', 200, 'active'], ['cached', 'unknown-token', 401, 'inactive'],
    ['kept', 'alice-token', 200], ['kept', 'alice-token', 200], ['blocked', 's500-token', 502]);
$as->answers('brief-token' => { jwt => { sub => 'brief', exp => time + 400 } },
    'short-token' => { jwt => { sub => 'short' }, headers => ['X-Accel-Expires: 300'] });
rows('before', ['cached', 'brief-token', 200], ['cached', 'short-token', 200]);
$as->stop;
within('refused', 8, sub {
    rows(
        'refused',
        (map { [$_, 'alice-token', 502, 'as_error', log => qr/Connection refused|no live upstreams/] } qw(as kept any)),
        ['cached', 'new-token', 502, 'as_error'], ['blocked', 'alice-token', 502, 'as_error'],
        ['blocked', 'alice-token', 502, 'as_error', log => qr/no live upstreams/]
    );
    rows('refused, another server', ['pair', 'alice-token', 200, 'active']);
    rows('refused, what is cached works', ['cached', 'alice-token', 200, 'active', cache => 'HIT'],
        ['cached', 'unknown-token', 401, 'inactive', cache => 'HIT']);
});
{
    my $connection = $gateway->connect;
    my @statuses;
    for my $path (qw(/as /cached /as /full /cached)) {
        push @statuses,
        $connection->request(method => 'POST', path => $path, token => 'alice-token', body => 'a body')->status;
    }
    is "@statuses", '502 200 502 504 200', 'refused: keepalive with bodies';
    is $connection->finish, '', 'refused: nothing follows';

    my @clients = map {
        my $client = $gateway->connect;
        $client->send(Harness::Client::request_bytes({ path => '/as', token => "many-$_-token" }));
        $client
    } 1 .. 40;
    is join(' ', map { $_->response->status } @clients), join(' ', (502) x 40), 'refused: many at once';
    $_->close for @clients;
}
$gateway->advance(501);
rows('refused, until the entry ends', ['cached', 'short-token', 502, 'as_error'],
    ['cached', 'alice-token', 200, 'active']);
rows('refused, a cached token that expires', ['cached', 'brief-token', 401, 'expired']);
$as->resume;
$as->answers('new-token' => { jwt => { sub => 'new' } });
rows(
    'back', ['as', 'alice-token', 200, 'active', as => 1], ['cached', 'new-token', 200, 'active', cache => 'MISS'],
    ['cached', 'short-token', 200, 'active'], ['kept', 'alice-token', 200, 'active'],
    ['pair', 'alice-token', 200, 'active', as => 1]
);

# The AS goes away while it is being asked, by many.
{
    $as->answers('held-token' => { hold => 'never', jwt => { sub => 'held' } });
    $as->forget_requests;
    my @clients = map {
        my $client = $gateway->connect;
        $client->send(Harness::Client::request_bytes({ path => $_ % 2 ? '/as' : '/cached', token => 'held-token' }));
        $client
    } 1 .. 10;
    $as->wait_for_requests(10);
    $api->forget_requests;
    $as->stop;
    my @statuses = map { $_->response->status } @clients;
    is scalar(grep { $_ !~ /^50[24]$/ } @statuses), 0, 'away while being asked: refused' or diag "@statuses";
    is scalar(my @seen = $api->requests), 0, 'away while being asked: the API saw nothing';
    $_->close for @clients;
    $as->resume;
}

done_testing;
