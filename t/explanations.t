# A refusal by the authorization server's fault is told as it happened: who has spoken (the server, a cache, nginx
# itself, or nobody), what that means, and what to do.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Ports 'full_port';

my $backup  = authorization_server();
my $silent  = authorization_server(default => { raw => [['hang']] });
my $short   = sprintf 'proxy_connect_timeout %dms; proxy_read_timeout %dms;', (pace(300)) x 2;
my $kept    = 'proxy_pass http://kept/introspect; proxy_http_version 1.1; proxy_set_header Connection "";';
my $tls     = 'proxy_pass https://127.0.0.1:%%PORT:tls13%%/introspect; proxy_ssl_trusted_certificate %%TLS%%/ca.pem; '
    . 'proxy_ssl_name localhost; proxy_ssl_verify on; proxy_ssl_session_reuse off;';
my $cache   = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key;';
my %ways    = (
    as        => 'proxy_pass http://%%AS%%/introspect;',
    return    => 'return 503;',
    redirect  => 'return 301 https://elsewhere.example.com/;',
    forbidden => 'return 403;',
    text      => 'return 403 "no";',
    if        => 'if ($uri) { return 403; } proxy_pass http://%%AS%%/introspect;',
    limited   => 'limit_req zone=few; proxy_pass http://%%AS%%/introspect;',
    file      => 'root %%DIR%%;',
    nobody    => 'proxy_pass http://127.0.0.1:%%PORT:nobody%%/introspect;',
    down      => 'proxy_pass http://down/introspect;',
    unknown   => 'set $as nowhere.invalid; proxy_pass http://$as/introspect;',
    plain     => 'proxy_pass https://127.0.0.1:%%PORT%%/introspect;',
    old       => "$tls proxy_ssl_protocols TLSv1.2;",
    new       => "$tls proxy_ssl_protocols TLSv1.2 TLSv1.3;",
    full      => "$short proxy_pass http://%%FULL%%/introspect;",
    silent    => "$short proxy_pass http://%%SILENT%%/introspect;",
    stalled   => "$short proxy_pass http://%%AS%%/introspect;",
    kept      => $kept,
    again     => "$kept proxy_next_upstream error timeout non_idempotent;",
    cached    => "proxy_pass http://%%AS%%/introspect; $cache proxy_cache_valid any 1m;",
    failed    => "proxy_pass http://127.0.0.1:%%PORT:nobody%%/introspect; $cache proxy_cache_valid any 1m;",
    page      => 'proxy_pass http://%%AS%%/introspect; proxy_intercept_errors on; '
        . 'error_page 400 403 404 500 502 503 504 = /elsewhere;',
    next      => 'proxy_pass http://pair/introspect; proxy_next_upstream error http_503 non_idempotent;',
);
my $gateway = gateway(
    servers => { AS2 => $backup, FULL => full_port(), SILENT => $silent },
    http    => q{
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        limit_req_zone $server_name zone=few:1m rate=1r/m;
        upstream down { server %%AS%% down; }
        upstream kept { server %%AS%%; keepalive 4; }
        upstream pair { server %%AS%% max_fails=0; server unix:%%DIR%%/nobody.sock backup; }
        server {
            listen 127.0.0.1:%%PORT:tls13%% ssl;
            ssl_protocols TLSv1.3;
            ssl_certificate %%TLS%%/server.pem;
            ssl_certificate_key %%TLS%%/server.key;
            location / { proxy_pass http://%%AS%%; }
        }
    },
    locations => join("\n", 'location /elsewhere { internal; return 200; }', map {
        "location /$_ { phantom_token on; phantom_token_introspection_endpoint /_$_; proxy_pass http://%%API%%; }
         location = /_$_ { internal; $ways{$_} }"
    } sort keys %ways) . "\n" . '
     location /own { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
                     phantom_token_jwks_endpoint /_keys$uri; proxy_pass http://%%API%%; }
     location /_keys/own/ { internal; proxy_pass http://%%AS%%/keys/; }
     location = /_keys/own/return { internal; return 503; }
     location = /_keys/own/nobody { internal; proxy_pass http://127.0.0.1:%%PORT:nobody%%; }',
);
my $as = $gateway->as;
$as->answers('alice-token' => { jwt => { sub => 'alice' } });

# A row: [way, token, status, word, what the line says] and perhaps what it does not say, its => the status that it
# names.
my $own = qr/\[error\].*phantom token: /;
sub rows {
    my ($name, @rows) = @_;
    for (@rows) {
        my ($way, $token, $status, $word, $says, $not, %more) = @{$_};
        my $its = delete $more{its};
        my $end = defined $its ? ", its status $its" : '';
        cases($gateway, {
            name => "$name: /$way, $token",
            request => { path => "/$way", token => $token }, status => $status, outcome => $word,
            log => qr{$own$word: $says.*, location "/$way", asked location "/_$way"$end(?: while|, client)},
            no_log => [$not ? qr/phantom token: .*(?:$not)/ : ()], %more,
        });
    }
    return;
}
my $unreached = qr/own credentials|reached|connection/;

# --- the server has spoken -------------------------------------------------------------------------------------------

my @spoken = (
    [301, 'as_error',
     qr{redirects the gateway to another URL: https://login\.example\.com/new; write that URL into "proxy_pass"}],
    [302, 'as_error',          qr{redirects the gateway to another URL: https://login\.example\.com/new; }],
    [307, 'as_error',          qr{redirects the gateway to another URL: https://login\.example\.com/new; }],
    [308, 'as_error',          qr{redirects the gateway to another URL: https://login\.example\.com/new; }],
    [400, 'as_error',          qr/says that the gateway's request is wrong; does "proxy_pass" say "http"/],
    [401, 'as_refused_client',
     qr/does not accept the gateway's credentials; are "phantom_token_client_id", its secret/],
    [403, 'as_refused_client', qr/ or a firewall before it, refuses the gateway; .*"proxy_set_header User-Agent"/],
    [404, 'as_error',          qr/has nothing at this URL; is the path in "proxy_pass" right/],
    [405, 'as_error',          qr/does not allow this method at this URL; is the path/],
    [406, 'as_error',
     qr/cannot answer in the type that Accept asks for; .*"proxy_set_header Accept application\/json;"/],
    [413, 'as_error',          qr/finds the gateway's request too large/],
    [415,
     'as_error',          qr/does not take requests of this Content-Type; remove the "proxy_set_header Content-Type"/],
    [421, 'as_error',          qr/does not serve this host on this connection; add "proxy_ssl_server_name on;"/],
    [426, 'as_error',          qr/asks for a newer version of HTTP; add "proxy_http_version 1\.1;"/],
    [429, 'as_busy',           qr/says that the gateway asks too often; does the cache work/],
    [444, 'as_error',          qr/answered with an error/],
    [499, 'as_error',          qr/answered with an error/],
    [500, 'as_error',          qr/has failed/],
    [501, 'as_error',          qr/answered with an error/],
    [502, 'as_error',          qr/a proxy before the authorization server cannot reach it/],
    [503, 'as_busy',           qr/is busy or being serviced/],
    [504, 'as_timeout',        qr/a proxy before the authorization server had no answer from it in time/],
    [201, 'as_bad_response',   qr/the authorization server answered with an unexpected status/],
);
my %status_of = (as_busy => 503, as_timeout => 504);
$as->answers(
    map { ("s$_->[0]-token" => { status => $_->[0], headers => ['Location: https://login.example.com/new'] }) } @spoken
);
rows(
    'the server', map {
        ['as', "s$_->[0]-token", $status_of{ $_->[1] } // 502, $_->[1], qr/(?:the authorization server(?:,| ))?$_->[2]/,
         qr/nginx itself|could not be reached|own credentials/, its => $_->[0]]
    } @spoken
);
rows(
    'the server, with proxy_intercept_errors', map {
        ['page', "s$_->[0]-token", $status_of{ $_->[1] } // 502, $_->[1],
         qr/(?:the authorization server(?:,| ))?$_->[2]/, qr/nginx itself/, its => $_->[0]]
    } grep { $_->[0] =~ /^(?:400|403|404|500|502|503|504)$/ } @spoken
);
is scalar(my @elsewhere = grep { $_->{uri} =~ /elsewhere/ } $as->requests), 0,
    'with proxy_intercept_errors: no error page is asked for';

$as->answers('said-token' => { status => 403,
                               json => { error => 'access_denied', error_description => 'not for said-token' } },
    'echo-token' => { status => 302, headers => ["Location: https://login.example.com/?token=echo-token&a=\x{01}b"] });
rows('the server\'s own words',
    ['as', 'said-token', 502, 'as_refused_client', qr/.*refuses the gateway: not for \*{10}; either its client/, undef,
     its => 403],
    ['as', 'echo-token', 502, 'as_error', qr{.*another URL: https://login\.example\.com/\?token=\*{10}&a=},
     qr/echo-token/, its => 302]);

# --- a cache has -----------------------------------------------------------------------------------------------------

rows('a cache',
    ['cached', 's403-token', 502, 'as_refused_client', qr/.*; either its client/, qr/the cache has kept/, its => 403],
    ['cached', 's403-token', 502, 'as_refused_client',
     qr/.*refuses the gateway; the cache has kept this answer: is there a "proxy_cache_valid" for that status/, undef,
     its => 403, as => 0],
    ['failed', 'alice-token', 502, 'as_error', qr/there is no connection to the authorization server/],
    ['failed', 'alice-token', 502, 'as_error', qr/.*; the cache has kept this answer/, undef, its => 502]);

# --- nginx has -------------------------------------------------------------------------------------------------------

my $itself = qr/nginx itself has answered in place of the authorization server/;
rows('nginx',
    ['return',    'alice-token', 503, 'as_busy',  qr/$itself/, $unreached, its => 503, as => 0],
    ['redirect',  'alice-token', 502, 'as_error', qr{$itself.*: https://elsewhere\.example\.com/}, $unreached,
     its => 301, as => 0],
    ['forbidden', 'alice-token', 502, 'as_refused_client', qr/$itself/, $unreached, its => 403, as => 0],
    ['text',      'alice-token', 502, 'as_refused_client', qr/$itself/, $unreached, its => 403, as => 0],
    ['if',        'alice-token', 502, 'as_refused_client', qr/$itself.*"return", "if"/, $unreached, its => 403,
     as => 0],
    ['file',      'alice-token', 502, 'as_error', qr/$itself/, $unreached, its => 404, as => 0]);
cases(
    $gateway,
    { name => 'nginx: limit_req, the first',
      request => { path => '/limited', token => 'alice-token' }, status => 200, outcome => 'active' }
);
rows('nginx', ['limited', 'alice-token', 503, 'as_busy', qr/$itself.*"limit_req"/, $unreached, its => 503, as => 0]);

# --- nobody has ------------------------------------------------------------------------------------------------------

my $before    = qr/nginx's own line before this one says why/;
$as->answers(
    'reset-token' => { raw => [['reset']] }, 'close-token' => { raw => [['close']] },
    'half-token' => { raw => ["HTTP/1.1 200 OK\r\nContent-", ['close']] },
    'stall-token' => { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\n", ['hang']] },
    'big-token'   => { raw => ["HTTP/1.1 200 OK\r\nX-Big: " . 'x' x 20_000 . "\r\n\r\n", ['close']] },
);
rows('nobody',
    ['nobody',  'alice-token', 502, 'as_error',   qr/there is no connection to the authorization server: $before/,
     undef, as => 0],
    ['down',    'alice-token', 502, 'as_error',   qr/there is no connection to the authorization server: $before/,
     undef, as => 0],
    ['unknown', 'alice-token', 502, 'as_error',   qr/the name of the authorization server has no address: .*"resolver"/,
     undef, as => 0],
    ['plain',   'alice-token', 502, 'as_error',   qr/there is no TLS connection to the authorization server: $before/],
    ['old',     'alice-token', 502,
     'as_error',   qr/there is no TLS connection .*"proxy_ssl_protocols TLSv1\.2 TLSv1\.3;"/, undef, as => 0],
    ['full',    'alice-token', 504, 'as_timeout',
     qr/there was no connection to the authorization server, TLS included, within "proxy_connect_timeout"/],
    ['silent',  'alice-token', 504, 'as_timeout',
     qr/the authorization server did not answer within "proxy_read_timeout"/],
    ['stalled',
     'stall-token', 504, 'as_timeout', qr/the authorization server did not answer within "proxy_read_timeout"/],
    ['as',      'close-token', 502, 'as_error',   qr/the authorization server closed the connection without an answer/],
    ['as',      'reset-token', 502, 'as_error',   qr/the authorization server closed the connection without an answer/],
    ['as',      'half-token',  502,
     'as_error',   qr/the header of the authorization server's answer cannot be used: $before/],
    ['as',      'big-token',   502,
     'as_error',   qr/the header of the authorization server's answer cannot be used: .*"proxy_buffer_size"/],
    ['next',    's503-token',  502, 'as_error',   qr/there is no connection to the authorization server/, undef,
     announce => qr/\[crit\].*nobody\.sock/]);
cases(
    $gateway,
    { name => 'TLS 1.3 alone, with the line that is told',
      request => { path => '/new', token => 'alice-token' }, status => 200, outcome => 'active' }
);

# A kept connection that the server closes in the moment of its next use.
sub keep_connection {
    my ($way) = @_;
    $as->answers("$way-token" => [{ jwt => { sub => 'one' } }, { raw => [['close']] }, { jwt => { sub => 'two' } }]);
    return cases(
        $gateway,
        { name => "kept connections: /$way, a first request",
          request => { path => "/$way", token => "$way-token" }, status => 200, outcome => 'active', as => 1 }
    );
}
keep_connection('kept');
my $next_upstream = qr/"proxy_next_upstream error timeout non_idempotent;"/;
rows('kept connections',
    ['kept', 'kept-token', 502, 'as_error',
     qr/the authorization server closed a connection that was kept open, .*$next_upstream/, undef, as => 1]);
keep_connection('again');
cases(
    $gateway,
    { name => 'kept connections: with the line that is told', request => { path => '/again', token => 'again-token' },
      status => 200, outcome => 'active', as => 2, log => qr/prematurely closed/ }
);

# --- the same of the JWK Set -----------------------------------------------------------------------------------------

$as->answers('/keys/moved' => { status => 302, headers => ['Location: https://login.example.com/keys'] },
    '/keys/closed' => { status => 403 }, '/keys/none' => { status => 404 },
    '/keys/asks' => { status => 401 }, '/keys/odd' => { status => 400 }, '/keys/picky' => { status => 406 });
my $place    = qr/location .*, its status/;
my $there    = qr{location "/_keys/own/", its status};
my $says_why = qr/nginx's own line before this one says why/;
for my $row (
    ['moved',
     qr{redirects the gateway to another URL: https://login\.example\.com/keys; write that URL.*, $there 302}],
    ['closed', qr{or a firewall before it, refuses the gateway; a firewall may want another .*, its status 403}],
    ['none',
     qr{has nothing at this URL; is the path in "proxy_pass" right, and the Host that the server gets\?, $place 404}],
    ['asks',   qr{; a JWK Set is public: is the path in "proxy_pass" right.*, its status 401}],
    ['odd',
     qr{; does "proxy_pass" say "http" where it should say "https", or does the server get another Host.*, $place 400}],
    ['picky',
     qr{; write the media type that the server has for it into "proxy_set_header Accept", .*, its status 406}],
    ['return', qr{nginx itself has answered in place of the authorization server: .*, its status 503}],
    ['nobody', qr{there is no connection to the authorization server: $says_why, location "/_keys/own/nobody"}],
) {
    my ($path, $says) = @{$row};
    my $token = jwt({ aud => 'api' });
    cases(
        $gateway,
        { name => "the JWK Set: $path", request => { path => "/own/$path", token => $token }, status => 503,
          outcome => 'jwks_unavailable', log => qr/${own}the JWK Set cannot be used: .*$says/ }
    );
}

done_testing;
