# phantom_token_preflight pass | answer | protect: a CORS preflight is OPTIONS with Origin and
# Access-Control-Request-Method.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $gateway = gateway(
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
END
    log => { authorization => 'http_authorization', sub => 'phantom_token_sub', jwt => 'phantom_token_jwt',
             asked => 'phantom_token_time' },
    http => <<'END',
        map $http_authorization $early { default $http_authorization; }
        server {
            listen 127.0.0.1:%%PORT:backend%% http2;
            location / { proxy_pass http://%%API%%; }
        }
END
    servers   => { FASTCGI => api(protocol => 'fastcgi') },
    locations => <<'END',
        location /default { proxy_pass http://%%API%%; }
        location /pass { phantom_token_preflight pass; proxy_pass http://%%API%%; }
        location /protect { phantom_token_preflight protect; proxy_pass http://%%API%%; }
        location /answer {
            phantom_token_preflight answer; proxy_pass http://%%API%%;
            add_header Access-Control-Allow-Origin https://app.example.com;
            add_header Access-Control-Allow-Methods "GET, PUT";
            add_header X-Always 1 always;
            add_header X-Outcome $phantom_token_status;
        }
        location /set { proxy_set_header Authorization $http_authorization; proxy_pass http://%%API%%;
                        if ($early = x) { return 404; } }
        location /fastcgi { fastcgi_pass %%FASTCGI%%; fastcgi_param REQUEST_METHOD $request_method;
                            fastcgi_param REQUEST_URI $request_uri; }
        location /grpc { grpc_pass grpc://127.0.0.1:%%PORT:backend%%; }

        location /any/pass { satisfy any; deny all; proxy_pass http://%%API%%; }
        location /any/answer { satisfy any; deny all; phantom_token_preflight answer; proxy_pass http://%%API%%; }
        location /any/protect { satisfy any; deny all; phantom_token_preflight protect; proxy_pass http://%%API%%; }
        location /any/basic { satisfy any; auth_basic basic; auth_basic_user_file %%DIR%%/nobody;
                              proxy_pass http://%%API%%; }
        location /any/basic-answer { satisfy any; auth_basic basic; auth_basic_user_file %%DIR%%/nobody;
                                     phantom_token_preflight answer; proxy_pass http://%%API%%; }
        location /all/denied { deny all; proxy_pass http://%%API%%; }
        location /all/denied-answer { deny all; phantom_token_preflight answer; proxy_pass http://%%API%%; }
        location /all/basic { auth_basic basic; auth_basic_user_file %%DIR%%/nobody; proxy_pass http://%%API%%; }
        location /all/policy { auth_request /_policy; proxy_pass http://%%API%%; }
        location /all/answer-policy { phantom_token_preflight answer; auth_request /_policy;
                                      proxy_pass http://%%API%%; }
        location = /_policy { internal; phantom_token off; proxy_pass http://%%API%%/the-policy; }

        location /limited { limit_except GET { phantom_token_preflight protect; } proxy_pass http://%%API%%; }
        location /methods { phantom_token_preflight protect; limit_except GET POST { phantom_token_preflight answer; }
                            proxy_pass http://%%API%%; }
        location = /to-protect { try_files /nonexistent /protect/landed; }
        location = /protect-to-pass { phantom_token_preflight protect; try_files /nonexistent /pass/landed; }
        location /intercepted { proxy_intercept_errors on; error_page 404 /protect/page; proxy_pass http://%%API%%; }
        location /no-token { phantom_token off; proxy_pass http://%%API%%; }
        location /ssi { ssi on; proxy_pass http://%%API%%; }
        location /mirrored { mirror /mirror; proxy_pass http://%%API%%; }
        location = /mirror { internal; proxy_pass http://%%API%%/the-mirror; }

        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);
$gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });

my @cors    = ('Origin: https://app.example.com', 'Access-Control-Request-Method: PUT');
my $bearer  = 'Authorization: Bearer alice-token';
my %passed  = (status => 200, as => 0, outcome => 'preflight', challenge => undef);
my %through = (%passed, api => [{ method => 'OPTIONS', authorization => undef }]);
my %here    = (status => 204, as => 0, api => 0, outcome => 'preflight', body => '', challenge => undef);
my %missing = (status => 401, as => 0, outcome => 'missing', challenge => { realm => 'api' });
my %active  = (status => 200, outcome => 'active', api => [{ method => 'OPTIONS', authorization => 'Bearer <jwt>' }]);

sub options { my ($path, @headers) = @_; return { method => 'OPTIONS', path => $path, headers => \@headers } }

cases($gateway,
    # --- pass, the default -------------------------------------------------------------------------------------------
    { name => 'preflight default: pass', request => options('/default', @cors), %through },
    { name => 'preflight pass: to the API', request => options('/pass', @cors), %through,
      api => [{ method => 'OPTIONS', authorization => undef, origin => 'https://app.example.com',
                access_control_request_method => 'PUT' }] },
    { name => 'preflight pass: without any Authorization header: Bearer', request => options('/pass', @cors, $bearer),
      %through, logged => { authorization => '', sub => '', jwt => '', asked => '' } },
    { name => 'preflight pass: without any Authorization header: Basic',
      request => options('/pass', @cors, 'Authorization: Basic eA=='), %through },
    { name => 'preflight pass: without any Authorization header: first of all headers',
      request => options('/pass', $bearer, @cors, 'X-Last: 1'), %through,
      api => [{ authorization => undef, origin => 'https://app.example.com', x_last => '1' }] },
    { name => 'preflight pass: without any Authorization header: in lower case',
      request => options('/pass', @cors, 'authorization: bearer alice-token'), %through },
    { name => 'preflight pass: without any Authorization header: malformed',
      request => options('/pass', @cors, 'Authorization: Bearer a b'), %through },
    { name => 'preflight pass: without any Authorization header: empty',
      request => options('/pass', @cors, 'Authorization:'), %through },
    { name => 'preflight pass: more headers than one part of nginx\'s list holds',
      request => options('/pass', (map { "X-$_: $_" } 1 .. 40), $bearer, @cors, map { "Y-$_: $_" } 1 .. 40), %through,
      api => [{ authorization => undef, x_1 => '1', x_40 => '40', y_1 => '1', y_40 => '40' }] },
    { name => 'preflight pass: $http_authorization is empty, read early too',
      request => options('/set', @cors, $bearer), %through },
    { name => 'preflight pass: a body', request => { %{ options('/pass', @cors, $bearer) }, body => 'abc' }, %through,
      api => [{ body => 'abc', authorization => undef }] },
    { name => 'preflight pass: the API refuses it', request => options('/pass/403', @cors),
      api_answers => { '/pass/403' => { status => 403, body => 'no' } }, %through, status => 403, body => 'no' },
    { name => 'preflight pass: HTTP/1.0', request => { %{ options('/pass', @cors) }, version => '1.0' }, %through },
    { name => 'preflight pass: HTTP/2',
      request => { %{ options('/pass', @cors, $bearer) }, http2 => 1, port => 'h2' }, %through },
    { name => 'preflight pass: header names in any case',
      request => options('/pass', 'ORIGIN: x', 'access-control-REQUEST-method: GET'), %through },
    { name => 'preflight pass: Origin null', request => options('/pass', 'Origin: null', $cors[1]), %through },
    { name => 'preflight pass: a mirror gets no Authorization either', request => options('/mirrored', @cors, $bearer),
      %passed, api => [{ authorization => undef }, { authorization => undef }] },
    { name => 'preflight pass: an SSI part of its answer is a GET and no preflight: refused without a token',
      request => options('/ssi', @cors),
      api_answers => { '/ssi' => { type => 'text/html', body => '<!--# include virtual="/default/part" -->' } },
      status => 200, as => 0, api => [{ uri => '/ssi', authorization => undef }] },
    { name => 'preflight pass: an SSI part of its answer is a GET and no preflight: with the token\'s JWT',
      request => options('/ssi', @cors, $bearer), status => 200, as => 1,
      api => [{ uri => '/ssi', authorization => undef }, { uri => '/default/part', authorization => 'Bearer <jwt>' }] },

    # --- any other OPTIONS, and other methods, are any request -------------------------------------------------------
    (map {
        my $path = $_;
        ({ name => "any other OPTIONS is protected: no header ($path)", request => options($path), %missing },
         { name => "any other OPTIONS is protected: Origin alone ($path)",
           request => options($path, $cors[0]), %missing },
         { name => "any other OPTIONS is protected: Access-Control-Request-Method alone ($path)",
           request => options($path, $cors[1]), %missing },
         { name => "any other OPTIONS is protected: Access-Control-Request-Headers ($path)",
           request => options($path, $cors[0], 'Access-Control-Request-Headers: x'), %missing },
         { name => "any other OPTIONS is protected: names that are alike ($path)",
           request => options($path, 'X-Origin: x', 'Access-Control-Request-Methods: PUT',
                              'Access_Control_Request_Method: PUT'),
           %missing },
         { name => "any other OPTIONS with a token is any request ($path)",
           request => options($path, $cors[0], $bearer), %active },
         (map {
             { name => "$_ with a preflight's headers is any request ($path)",
               request => { method => $_, path => $path, headers => \@cors }, %missing }
         } qw(GET HEAD POST PUT DELETE PATCH OPTION OPTIONSX)),
         { name => "X-HTTP-Method-Override makes no preflight ($path)",
           request => { path => $path, headers => [@cors, 'X-HTTP-Method-Override: OPTIONS'] }, %missing }) }
    qw(/default /answer)),

    # --- protect -----------------------------------------------------------------------------------------------------
    { name => 'preflight protect: no token: 401', request => options('/protect', @cors), %missing },
    { name => 'preflight protect: a bad token: 401',
      request => options('/protect', @cors, 'Authorization: Bearer bad-token'), status => 401, outcome => 'inactive' },
    { name => 'preflight protect: a token', request => options('/protect', @cors, $bearer), %active },

    # --- answer ------------------------------------------------------------------------------------------------------
    { name => 'preflight answer: 204 here, with what add_header adds', request => options('/answer', @cors), %here,
      headers => { 'Access-Control-Allow-Origin' => 'https://app.example.com',
                   'Access-Control-Allow-Methods' => 'GET, PUT', 'X-Always' => '1', 'X-Outcome' => 'preflight',
                   'Content-Length' => undef, 'Content-Type' => undef, 'Transfer-Encoding' => undef } },
    { name => 'preflight answer: a token is not looked at',
      request => options('/answer', @cors, 'Authorization: Bearer bad-token'), %here },
    { name => 'preflight answer: HTTP/2', request => { %{ options('/answer', @cors) }, http2 => 1, port => 'h2' },
      %here, headers => { 'Access-Control-Allow-Origin' => 'https://app.example.com' } },
    { name => 'preflight answer: HTTP/1.0', request => { %{ options('/answer', @cors) }, version => '1.0' }, %here },
    { name => 'preflight answer: a body is read and dropped',
      request => { %{ options('/answer', @cors) }, body => 'x' x 5_000 }, %here },
    { name => 'preflight answer: a chunked body',
      request => { %{ options('/answer', @cors) }, chunked => ['abc', 'def'] }, %here },

    # --- satisfy -----------------------------------------------------------------------------------------------------
    { name => 'preflight pass: satisfy any: it says OK', request => options('/any/pass', @cors, $bearer), %through },
    { name => 'preflight pass: satisfy any: any other OPTIONS does not',
      request => options('/any/pass', $cors[0]), %missing },
    { name => 'preflight answer: satisfy any', request => options('/any/answer', @cors), %here },
    { name => 'preflight protect: satisfy any', request => options('/any/protect', @cors), %missing },
    { name => 'preflight pass: satisfy any, auth_basic: no challenge is left',
      request => options('/any/basic', @cors), %through },
    { name => 'preflight answer: satisfy any, auth_basic: no challenge is left',
      request => options('/any/basic-answer', @cors), %here, headers => { 'WWW-Authenticate' => undef } },
    { name => 'preflight pass: satisfy all: deny comes first',
      request => options('/all/denied', @cors), status => 403, as => 0, api => [], outcome => '' },
    { name => 'preflight answer: satisfy all: deny comes first',
      request => options('/all/denied-answer', @cors), status => 403, as => 0, api => [], outcome => '' },
    { name => 'preflight pass: satisfy all: auth_basic comes first', request => options('/all/basic', @cors),
      status => 401, as => 0, api => [], outcome => '', headers => { 'WWW-Authenticate' => 'Basic realm="basic"' } },
    { name => 'preflight pass: satisfy all: auth_request comes next, without Authorization',
      request => options('/all/policy', @cors, $bearer), %passed,
      api => [{ uri => '/the-policy', authorization => undef }, { uri => '/all/policy', authorization => undef }] },
    { name => 'preflight pass: satisfy all: auth_request refuses',
      request => options('/all/policy', @cors), api_answers => { '/the-policy' => { status => 403 } }, status => 403,
      as => 0, api => [{ uri => '/the-policy' }] },
    { name => 'preflight answer: auth_request is not asked',
      request => options('/all/answer-policy', @cors), api_answers => { '/the-policy' => undef }, %here },

    # --- redirects, inheritance --------------------------------------------------------------------------------------
    { name => 'preflight pass, then a location with protect: 401', request => options('/to-protect', @cors), %missing },
    { name => 'preflight pass, then a location with protect: the original token',
      request => options('/to-protect', @cors, $bearer), %active },
    { name => 'preflight protect, then a location with pass: no Authorization',
      request => options('/protect-to-pass', @cors, $bearer), status => 200, outcome => 'preflight',
      api => [{ method => 'OPTIONS', authorization => undef }], logged => { sub => '', jwt => '' } },
    { name => 'preflight protect, then a location with pass: no token: 401',
      request => options('/protect-to-pass', @cors), %missing },
    { name => 'preflight pass, then error_page: a GET, and no preflight any more',
      request => options('/intercepted', @cors), api_answers => { '/intercepted' => { status => 404 } }, status => 401,
      as => 0, outcome => 'missing', api => [{ uri => '/intercepted', authorization => undef }] },
    { name => 'preflight: limit_except: protect for OPTIONS', request => options('/limited', @cors), %missing },
    { name => 'preflight: limit_except: answer for OPTIONS', request => options('/methods', @cors), %here },
    { name => 'preflight: protection off: nothing is done, status empty',
      request => options('/no-token', @cors, $bearer), status => 200, as => 0, outcome => '',
      api => [{ authorization => 'Bearer alice-token' }] },
);

# --- backends --------------------------------------------------------------------------------------------------------

{
    my $fastcgi = $gateway->server('FASTCGI');
    is $gateway->request(%{ options('/fastcgi', @cors, $bearer) })->status, 200, 'preflight pass: fastcgi';
    is +($fastcgi->requests)[0]->header('Authorization'), undef, 'preflight pass: fastcgi sees no Authorization';
    $gateway->api->forget_requests;
    $gateway->request(%{ options('/grpc', @cors, $bearer) });
    is +($gateway->api->requests)[0]->header('Authorization'), undef, 'preflight pass: grpc sees no Authorization';
}

# --- keepalive: no state goes to the next request --------------------------------------------------------------------

for my $path ('/pass', '/answer') {
    my $connection = $gateway->connect;
    my @status;
    for my $request (
        options($path, @cors, $bearer), options($path), { path => $path, headers => \@cors },
        { %{ options($path, @cors) }, body => 'abc' }, { path => $path, token => 'alice-token' }, options($path, @cors)
    ) {
        my $response = $connection->request(%{$request});
        push @status, $response->status . ':' . $gateway->logged($response)->{outcome};
    }
    my $first = $path eq '/pass' ? '200:preflight' : '204:preflight';
    is "@status", "$first 401:missing 401:missing $first 200:active $first", "preflight, keepalive: $path";
    is $connection->finish, '', "preflight, keepalive: $path: nothing is left";
}

configurations(
    { name => 'nginx -t: preflight with another word',
      protected => 'phantom_token_preflight on;', refuses => qr/invalid value "on"|phantom_token_preflight/ },
    { name => 'nginx -t: preflight twice', protected => 'phantom_token_preflight pass; phantom_token_preflight pass;',
      refuses => qr/phantom_token_preflight.*duplicate/ },
    map { { name => "nginx -t: preflight $_", protected => "phantom_token_preflight $_;", accepts => 1, warns => [] } }
        qw(pass answer protect),
);

done_testing;
