# The module among nginx's other parts: the order of checks, redirects, subrequests, what stays with a request.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use JSON::PP ();

my $other   = authorization_server();
my $gateway = gateway(
    servers => { AS2 => $other },
    log     => { authorization => 'http_authorization', jwt => 'phantom_token_jwt', sub => 'phantom_token_sub' },
    http    => q{
        proxy_cache_path %%DIR%%/slices keys_zone=slices:1m;
        log_format phases escape=json '{"uri":"$uri","early":"$early","outcome":"$phantom_token_status",'
                                      '"cache":"$phantom_token_cache","jwt":"$phantom_token_jwt",'
                                      '"key":"$phantom_token_key"}';
        map $arg_to $endpoint {
            volatile;
            default /_introspect;
            other   /_other;
            public  /open/introspect;
            nowhere /_nowhere;
            named   @open;
            empty   "";
            query   /_introspect?a=b;
        }
        limit_req_zone $uri zone=once:1m rate=1r/m;
        map $http_x_early $early_header { default $http_authorization; }
        proxy_cache_path %%DIR%%/tokens keys_zone=tokens:1m;
    },
    server => q{
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token_introspection_endpoint /_introspect;
        root %%DIR%%/files;
        if ($http_x_block) { return 418; }
    },
    locations => q{
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_other      { internal; proxy_pass http://%%AS2%%/introspect; }
        location = /_cached     { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                  proxy_cache_valid 200 1m; }
        location introspect     { proxy_pass http://%%AS%%/introspect; }

        location /      { phantom_token on; proxy_pass http://%%API%%; }
        location /open  { proxy_pass http://%%API%%; }
        location /read  { phantom_token on; phantom_token_scopes read;  proxy_pass http://%%API%%; }
        location /admin { phantom_token on; phantom_token_scopes admin; proxy_pass http://%%API%%; }
        location /other { phantom_token on; phantom_token_introspection_endpoint /_other; proxy_pass http://%%API%%; }
        location @read  { phantom_token on; phantom_token_scopes read;  proxy_pass http://%%API%%; }
        location @admin { phantom_token on; phantom_token_scopes admin; proxy_pass http://%%API%%; }
        location @open  { proxy_pass http://%%API%%; }
        location /canned   { internal; default_type application/jwt; return 200 "%%CANNED%%"; }
        location /internal { internal; proxy_pass http://%%API%%; }

        location /try       { phantom_token on; try_files $uri @read; }
        location /try-admin { phantom_token on; try_files $uri @admin; }
        location /try-uri   { phantom_token on; try_files $uri /admin/tried; }
        location /try-other { phantom_token on; try_files $uri /other/tried; }
        location /try-open  { phantom_token on; try_files $uri @open; }
        location = /dir/          { phantom_token on; index page.html; }
        location = /dir/page.html { phantom_token on; phantom_token_scopes read; }
        location = /dir2/         { phantom_token on; index nothing.html /admin/indexed; }

        location /error/read    { phantom_token on; phantom_token_scopes admin; error_page 403 = @read;
                                  proxy_pass http://%%API%%; }
        location /error/kept    { phantom_token on; phantom_token_scopes admin; error_page 403 @read;
                                  proxy_pass http://%%API%%; }
        location /error/open    { phantom_token on; error_page 401 = @open; proxy_pass http://%%API%%; }
        location /error/other   { phantom_token on; phantom_token_scopes admin; error_page 403 = /other/error;
                                  proxy_pass http://%%API%%; }
        location /error/again   { phantom_token on; error_page 401 403 /read/again; phantom_token_scopes admin;
                                  proxy_pass http://%%API%%; }
        location /error/text    { phantom_token on; error_page 401 /text; proxy_pass http://%%API%%; }
        location /error/found   { phantom_token on; proxy_intercept_errors on; error_page 404 = /admin/found;
                                  proxy_pass http://%%API%%; }
        location /error/named   { phantom_token on; proxy_intercept_errors on; error_page 404 = @read;
                                  proxy_pass http://%%API%%; }
        location /error/gateway { phantom_token on; error_page 502 504 = @open; proxy_pass http://%%API%%; }
        location /text          { default_type text/plain; return 200 "please log in"; }
        location /as-error      { phantom_token on; phantom_token_introspection_endpoint /_error-page;
                                  proxy_pass http://%%API%%; }
        location = /_error-page { internal; proxy_intercept_errors on; error_page 500 = /canned; error_page 503 = @open;
                                  proxy_pass http://%%AS%%/introspect; }
        location /cached        { phantom_token on; phantom_token_introspection_endpoint /_cached;
                                  proxy_pass http://%%API%%; }

        location /deny        { deny all; phantom_token on; proxy_pass http://%%API%%; }
        location /allow       { allow all; phantom_token on; proxy_pass http://%%API%%; }
        location /basic       { auth_basic people; auth_basic_user_file %%DIR%%/users; phantom_token on;
                                proxy_pass http://%%API%%; }
        location /limit-deny  { limit_except GET { deny all; } phantom_token on; proxy_pass http://%%API%%; }
        location /limit-scope { phantom_token on; phantom_token_scopes read;
                                limit_except GET { phantom_token_scopes admin; } proxy_pass http://%%API%%; }
        location /limit-on    { limit_except GET { phantom_token on; phantom_token_scopes admin; }
                                proxy_pass http://%%API%%; }
        location /limit-off   { phantom_token on; limit_except GET { phantom_token off; } proxy_pass http://%%API%%; }
        location /policy-after { phantom_token on; auth_request /policy; proxy_pass http://%%API%%; }
        location /policy-set   { phantom_token on; auth_request /policy-set-header; proxy_pass http://%%API%%; }
        location /policy-no-slash { phantom_token on; auth_request policy; proxy_pass http://%%API%%; }
        location policy           { internal; proxy_pass http://%%API%%; }
        location /policy-beside   { phantom_token on; auth_request /shared/policy; proxy_pass http://%%API%%; }
        location /policy-prefix   { phantom_token on; auth_request /shared/other; proxy_pass http://%%API%%; }
        location = /shared/policy { internal; proxy_pass http://%%API%%; }
        location /shared/         { internal; proxy_pass http://%%API%%; }
        location /shares          { phantom_token on; phantom_token_introspection_endpoint /shared/introspect;
                                    proxy_pass http://%%API%%; }
        location /same            { if ($arg_x) { set $y 1; } proxy_pass http://%%API%%; }
        location = /same          { internal; proxy_pass http://%%AS%%/introspect; }
        location /asks-same       { phantom_token on; phantom_token_introspection_endpoint /same;
                                    proxy_pass http://%%API%%; }
        location /guarded      { auth_request /guard; auth_request_set $found $phantom_token_jwt;
                                 proxy_set_header X-Found $found; proxy_pass http://%%API%%; }
        location /guarded-both { phantom_token on; auth_request /guard; proxy_pass http://%%API%%; }
        location /guarded-other { phantom_token on; auth_request /guard-other; proxy_pass http://%%API%%; }
        location = /policy      { internal; proxy_pass http://%%API%%; proxy_pass_request_body off;
                                  proxy_set_header Content-Length ""; }
        location = /policy-set-header { internal; proxy_pass http://%%API%%; proxy_pass_request_body off;
                                        proxy_pass_request_headers off;
                                        proxy_set_header Authorization $http_authorization; }
        location = /guard       { internal; phantom_token on; phantom_token_scopes admin; proxy_pass http://%%API%%;
                                  proxy_pass_request_body off; proxy_set_header Content-Length ""; }
        location = /guard-other { internal; phantom_token on; phantom_token_introspection_endpoint /_other;
                                  proxy_pass http://%%API%%; proxy_pass_request_body off;
                                  proxy_set_header Content-Length ""; }

        location /any/allow   { satisfy any; allow all; phantom_token on; proxy_pass http://%%API%%; }
        location /any/set     { satisfy any; allow all; phantom_token on;
                                proxy_set_header Authorization $http_authorization; proxy_pass http://%%API%%; }
        location /any/early   { satisfy any; allow all; phantom_token on; set $early $http_authorization;
                                proxy_set_header Authorization $http_authorization; proxy_pass http://%%API%%; }
        location /any/fastcgi { satisfy any; allow all; phantom_token on; include /etc/nginx/fastcgi_params;
                                fastcgi_pass %%FASTCGI%%; }
        location /any/deny    { satisfy any; deny all; phantom_token on; phantom_token_scopes read;
                                proxy_pass http://%%API%%; }
        location /any/basic   { satisfy any; auth_basic people; auth_basic_user_file %%DIR%%/users; phantom_token on;
                                phantom_token_scopes read; proxy_pass http://%%API%%; }
        location /any/policy  { satisfy any; phantom_token on; phantom_token_scopes read; auth_request /policy;
                                proxy_pass http://%%API%%; }
        location /any/mirror  { satisfy any; allow all; phantom_token on; mirror /mirror-open;
                                proxy_pass http://%%API%%; }
        location /any/mirror-read { satisfy any; allow all; phantom_token on; mirror /mirror-read;
                                    proxy_pass http://%%API%%; }
        location /any/try     { satisfy any; allow all; phantom_token on; try_files $uri @read; }
        location /any/try-open { satisfy any; allow all; phantom_token on; try_files $uri @open; }
        location /any/back    { satisfy any; allow all; phantom_token on; proxy_pass http://%%API%%; }

        location /mirror/same    { phantom_token on; mirror /mirror-read;  proxy_pass http://%%API%%; }
        location /mirror/admin   { phantom_token on; mirror /mirror-admin; proxy_pass http://%%API%%; }
        location /mirror/other   { phantom_token on; mirror /mirror-other; proxy_pass http://%%API%%; }
        location /mirror/open    { phantom_token on; mirror /mirror-open;  proxy_pass http://%%API%%; }
        location /mirror/several { phantom_token on; mirror /mirror-read; mirror /mirror-other; mirror /mirror-open;
                                   proxy_pass http://%%API%%; }
        location /mirror/from-open { mirror /mirror-read; proxy_pass http://%%API%%; }
        location = /mirror-read  { internal; phantom_token on; phantom_token_scopes read;  proxy_pass http://%%API%%; }
        location = /mirror-admin { internal; phantom_token on; phantom_token_scopes admin; proxy_pass http://%%API%%; }
        location = /mirror-other { internal; phantom_token on; phantom_token_introspection_endpoint /_other;
                                   proxy_pass http://%%API%%; }
        location = /mirror-open  { internal; proxy_pass http://%%API%%; }

        location /slice     { phantom_token on; phantom_token_scopes read; slice 4; proxy_set_header Range $slice_range;
                              proxy_cache slices; proxy_cache_key $uri$slice_range; proxy_cache_valid 206 1m;
                              proxy_http_version 1.1; proxy_pass http://%%API%%; }
        location /add/parts { phantom_token on; add_before_body /read/before; add_after_body /other/after;
                              proxy_pass http://%%API%%; }
        location /add/admin { phantom_token on; add_before_body /admin/before; add_after_body /read/after;
                              proxy_pass http://%%API%%; }
        location /add/open  { add_before_body /read/before; add_after_body /admin/after; proxy_pass http://%%API%%; }

        location /ssi      { phantom_token on; ssi on; proxy_pass http://%%API%%; }
        location /ssi-open { ssi on; proxy_pass http://%%API%%; }
        location /ssi-any  { satisfy any; allow all; phantom_token on; ssi on; proxy_pass http://%%API%%; }
        location /set/read  { phantom_token on; phantom_token_scopes read; proxy_pass_request_headers off;
                              proxy_set_header Authorization $http_authorization; proxy_pass http://%%API%%; }
        location /set/other { phantom_token on; phantom_token_introspection_endpoint /_other;
                              proxy_pass_request_headers off; proxy_set_header Authorization $http_authorization;
                              proxy_pass http://%%API%%; }
        location /set/map   { phantom_token on; phantom_token_scopes read; proxy_pass_request_headers off;
                              proxy_set_header Authorization $early_header; proxy_pass http://%%API%%; }
        location /set/open  { proxy_pass_request_headers off; proxy_set_header Authorization $http_authorization;
                              proxy_pass http://%%API%%; }
        location /set/jwt   { phantom_token on; proxy_set_header X-Jwt $phantom_token_jwt; proxy_pass http://%%API%%; }

        location /after/same  { phantom_token on; post_action /after-read;  proxy_pass http://%%API%%; }
        location /after/admin { phantom_token on; post_action /after-admin; proxy_pass http://%%API%%; }
        location /after/other { phantom_token on; post_action /after-other; proxy_pass http://%%API%%; }
        location = /after-read  { internal; phantom_token on; phantom_token_scopes read;  proxy_pass http://%%API%%; }
        location = /after-admin { internal; phantom_token on; phantom_token_scopes admin; proxy_pass http://%%API%%; }
        location = /after-other { internal; phantom_token on; phantom_token_introspection_endpoint /_other;
                                  proxy_pass http://%%API%%; }

        location /if { phantom_token on; phantom_token_scopes read; if ($arg_x) { set $y 1; }
                       if ($http_authorization) { proxy_pass http://%%API%%; } if ($arg_break) { break; }
                       proxy_pass http://%%API%%; }
        location /if-named { error_page 418 = @admin; if ($arg_x) { return 418; } proxy_pass http://%%API%%; }
        location /rewrite  { rewrite ^/rewrite(.*)$ /admin$1 last; }
        location /rewrite-break { phantom_token on; phantom_token_scopes read;
                                  rewrite ^/rewrite-break(.*)$ /admin$1 break; proxy_pass http://%%API%%; }
        location /rewrite-internal { rewrite ^ introspect last; }
        location /rewrite-introspect { rewrite ^ /_introspect last; }
        location /error-introspect   { error_page 404 = /_introspect; return 404; }
        location /no-slash { phantom_token on; phantom_token_introspection_endpoint introspect;
                             proxy_pass http://%%API%%; }
        location /choose   { phantom_token on; phantom_token_introspection_endpoint $endpoint;
                             proxy_pass http://%%API%%; }
        location /logged   { phantom_token on; phantom_token_introspection_endpoint /_cached;
                             set $early "$phantom_token_status$phantom_token_jwt"; log_subrequest on;
                             access_log %%DIR%%/phases.log phases; proxy_pass http://%%API%%; }
        location /limited  { limit_req zone=once; phantom_token on; proxy_pass http://%%API%%; }
        location /filters  {
            phantom_token on; phantom_token_scopes read; phantom_token_introspection_endpoint /_filters;
            proxy_pass http://%%API%%;
            gzip on; gzip_min_length 0; gzip_types *; gzip_proxied any; charset utf-8; charset_types *; ssi on;
            ssi_types *;
            sub_filter_types *; sub_filter_once off; sub_filter 'forbidden' 'permitted';
            sub_filter 'unauthorized' 'authorized'; add_after_body /text; addition_types *;
            add_header X-Added yes always;
        }
        location = /_filters {
            internal; proxy_pass http://%%AS%%/introspect; gzip on; gzip_min_length 0; gzip_types *;
            ssi on; ssi_types *; charset utf-8; charset_types *;
            sub_filter_types *; sub_filter_once off; sub_filter 'ey' 'XX'; add_before_body /text; add_after_body /text;
            addition_types *; max_ranges 1; etag on;
        }
        location /ignore-abort { phantom_token on; phantom_token_introspection_endpoint /_ignore;
                                 proxy_pass http://%%API%%; }
        location = /_ignore    { internal; proxy_ignore_client_abort on; proxy_pass http://%%AS%%/introspect; }
        } =~ s/%%CANNED%%/jwt({ sub => 'canned', scope => 'read admin' })/er
        =~ s/%%FASTCGI%%/api(protocol => 'fastcgi')->address/er,
);
my ($as, $api) = ($gateway->as, $gateway->api);

my $alice = jwt({ sub => 'alice', scope => 'read' });
my $twin  = jwt({ sub => 'alice', iss => 'other', scope => 'none' });
$as->answers('alice-token' => { jwt => $alice });
$other->answers('alice-token' => { jwt => $twin });
my $asked = { body => 'token=alice-token&token_type_hint=access_token', authorization => undef };
my $basic = 'Authorization: Basic dXNlcjpzZWNyZXQ=';

mkdir $gateway->folder . "/$_" or die $! for qw(files files/dir files/dir2);
file('users',               "user:{PLAIN}secret\n");
file('files/dir/page.html', 'a page');

sub file {
    my ($name, $text) = @_;
    open my $out, '>', $gateway->folder . "/$name" or die "$name: $!";
    print {$out} $text;
    close $out or die "$name: $!";
    chmod 0644, $gateway->folder . "/$name";
    return;
}

sub token { my ($path, %more) = @_; return { path => $path, token => 'alice-token', %more } }

# The API's view of a request: path, and Alice's JWT unless the test says otherwise.
sub seen {
    my ($uri, $authorization) = @_;
    return { uri => $uri, authorization => @_ > 1 ? $authorization : "Bearer $alice" };
}

# cases, with other => what the second authorization server saw, and api_set: as api, where the order is nginx's affair.
sub inside {
    my (@cases) = @_;
    for my $case (@cases) {
        my %rest = %{$case};
        my ($asked_other, $set) = (delete $rest{other}, delete $rest{api_set});
        $other->forget_requests;
        truncate $gateway->folder . '/access.log', 0; # a port number may come back
        $rest{api} = scalar @{$set} if $set && $rest{status} >= 400;
        subtest $rest{name} => sub {
            cases($gateway, \%rest);
            is_deeply [map { $_->body } $other->requests], [($asked->{body}) x ($asked_other // 0)],
                'the other AS: saw the original token, or nothing';
            saw(@{$set}) if $set;
        };
    }
    return;
}

# Everything the API saw, in any order; waits for what a background request brings.
sub saw {
    my (@expected) = @_;
    until_true(patience(2), sub { $api->requests >= @expected });
    my @seen = $api->requests;
    my $line = sub { join "\n", sort map { "$_->[0] " . ($_->[1] // 'none') } @_ };
    return is $line->(map { [$_->{uri}, join ' | ', $_->headers('Authorization')] } @seen),
        $line->(map { [$_->{uri}, $_->{authorization} // ''] } @expected), 'API: the requests and their Authorization';
}

# --- redirects -------------------------------------------------------------------------------------------------------

my $intruder = qr/\[error\].*brought a request to location "\/_introspect", where only the gateway itself asks/;

inside(
    { name => 'try_files: a named location, one introspection',
      request => token('/try/x'), as => [$asked], status => 200, api => [seen('/try/x')], outcome => 'active' },
    { name => 'try_files: the named location has its own scopes', request => token('/try-admin/x'), as => [$asked],
      status => 403, challenge => { realm => 'api', error => 'insufficient_scope', scope => 'admin' },
      outcome => 'insufficient_scope' },
    { name => 'try_files: a location with its own scopes',
      request => token('/try-uri/x'), as => [$asked], status => 403, outcome => 'insufficient_scope' },
    { name => 'try_files: a location with another endpoint gets the original token', request => token('/try-other/x'),
      as => [$asked], other => 1, status => 200, api => [seen('/other/tried', "Bearer $twin")] },
    { name => 'try_files: a location with protection off keeps the JWT',
      request => token('/try-open/x'), as => [$asked], status => 200, api => [seen('/try-open/x')] },
    { name => 'try_files: refused before, nothing is tried',
      request => { path => '/try-open/x' }, as => 0, status => 401, challenge => { realm => 'api' } },
    { name => 'index: one introspection',
      request => token('/dir/'), as => [$asked], status => 200, body => 'a page', api => 0 },
    { name => 'index: a location with its own scopes',
      request => token('/dir2/'), as => [$asked], status => 403, outcome => 'insufficient_scope' },
    { name => 'index: without a token', request => { path => '/dir/' }, as => 0, status => 401 },

    { name => 'error_page: a protected named location, one introspection, no challenge',
      request => token('/error/read'), as => [$asked], status => 200, api => [seen('/error/read')], challenge => undef,
      outcome => 'active' },
    { name => 'error_page: the named location still checks',
      request => { path => '/error/read', token => 'unknown-token' }, as => 1, status => 401, outcome => 'inactive' },
    { name => 'error_page: without = the status stays, the body is the API\'s', request => token('/error/kept'),
      as => [$asked], status => 403, api => [seen('/error/kept')], body => qr/"method":"GET"/ },
    { name => 'error_page: protection off, what the client sent stays',
      request => { path => '/error/open', token => 'unknown-token' }, as => 1, status => 200,
      api => [seen('/error/open', 'Bearer unknown-token')] },
    { name => 'error_page: another endpoint gets the original token', request => token('/error/other'), as => [$asked],
      other => 1, status => 200, api => [seen('/other/error', "Bearer $twin")], challenge => undef },
    { name => 'error_page: refused again: one challenge, one introspection',
      request => { path => '/error/again', token => 'unknown-token' }, as => 1, status => 401,
      challenge => { realm => 'api', error => 'invalid_token', scope => 'read' } },
    { name => 'error_page: refused without a token, again',
      request => { path => '/error/again' }, as => 0, status => 401, challenge => { realm => 'api', scope => 'read' } },
    { name => 'error_page: the other location\'s scopes hold',
      request => token('/error/again'), as => [$asked], status => 403, api => [seen('/read/again')] },
    { name => 'error_page: a page of the user\'s own, with the challenge', request => { path => '/error/text' },
      as => 0, status => 401, body => 'please log in', refusal => 'any', challenge => { realm => 'api' } },
    { name => 'error_page for the API\'s 404: the location\'s scopes',
      request => token('/error/found'), as => [$asked], status => 403, api => [seen('/error/found')],
      api_answers => { '/error/found' => { status => 404 }, '/error/named' => { status => 404 } },
      challenge => { realm => 'api', error => 'insufficient_scope', scope => 'admin' } },
    { name => 'error_page for the API\'s 404: a named location, one introspection', request => token('/error/named'),
      as => [$asked], status => 404, api => [seen('/error/named'), seen('/error/named')] },
    { name => 'error_page for a failure of the AS: protection off, the client\'s header',
      request => { path => '/error/gateway', token => 'broken-token' },
      answers => { 'broken-token' => { status => 500 } }, status => 200,
      api => [seen('/error/gateway', 'Bearer broken-token')] },
);

inside(
    (map {
        my ($name, $from, $to, %more) = @{$_};
        { name => "X-Accel-Redirect of the API: $name",
          request => token($from), api_answers => { $from => [{ headers => ["X-Accel-Redirect: $to"] }, {}] }, %more }
    }   ['same policy, one introspection', '/accel/read', '/read/x', as => [$asked], status => 200,
         api => [seen('/accel/read'), seen('/read/x')]],
        ['other scopes', '/accel/admin', '/admin/x', as => [$asked], status => 403, api => [seen('/accel/admin')],
         challenge => { realm => 'api', error => 'insufficient_scope', scope => 'admin' },
         outcome => 'insufficient_scope'],
        ['another endpoint gets the original token', '/accel/other', '/other/x', as => [$asked], other => 1,
         status => 200, api => [seen('/accel/other'), seen('/other/x', "Bearer $twin")],
         logged => { authorization => "Bearer $twin" }],
        ['a named location',
         '/accel/named', '@read', as => [$asked], status => 200, api => [seen('/accel/named'), seen('/accel/named')]],
        ['a named location with other scopes',
         '/accel/named-admin', '@admin', as => [$asked], status => 403, api => [seen('/accel/named-admin')]],
        ['protection off keeps the JWT',
         '/accel/open', '/open/x', as => [$asked], status => 200, api => [seen('/accel/open'), seen('/open/x')]],
        ['from protection off: the original token', '/open/accel', '/read/x', as => [$asked], status => 200,
         api => [seen('/open/accel', 'Bearer alice-token'), seen('/read/x')]],
        ['from an open location under satisfy any: the original token', '/any/allow/accel', '/read/x', as => [$asked],
         status => 200, api => [seen('/any/allow/accel', undef), seen('/read/x')], outcome => 'active'],
        ['into satisfy any: the JWT of elsewhere is taken out', '/accel/any', '/any/allow/x', as => [$asked],
         status => 200, api => [seen('/accel/any'), seen('/any/allow/x', undef)], outcome => 'bypassed'],
        ['the introspection location, where the client is answered as if it were the gateway',
         '/accel/introspect', '/_introspect?token=bob-token', as => [$asked], status => 404,
         api => [seen('/accel/introspect')], log => $intruder],
        ['a static file behind other scopes',
         '/accel/dir', '/dir/page.html', as => [$asked], status => 200, body => 'a page', api => [seen('/accel/dir')]],
    ),
    { name => 'X-Accel-Redirect: there and back, never the JWT as input', request => token('/accel/chain'),
      api_answers => { '/accel/chain' => { headers => ['X-Accel-Redirect: /other/chain'] },
                       '/other/chain' => { headers => ['X-Accel-Redirect: /read/chain'] } },
      other => 1, status => 200,
      api => [seen('/accel/chain'), seen('/other/chain', "Bearer $twin"), seen('/read/chain')] },
    { name => 'X-Accel-Redirect: into satisfy any and back', request => token('/any/back'),
      api_answers => { '/any/back' => { headers => ['X-Accel-Redirect: /read/back'] },
                       '/read/back' => { headers => ['X-Accel-Redirect: /any/allow/end'] } },
      as => [$asked], status => 200,
      api => [seen('/any/back', undef), seen('/read/back'), seen('/any/allow/end', undef)], outcome => 'bypassed' },
    { name => 'X-Accel-Redirect over HTTP/2', request => { %{ token('/accel/h2') }, http2 => 1, port => 'h2' },
      api_answers => { '/accel/h2' => { headers => ['X-Accel-Redirect: /other/x'] } },
      as => [$asked], other => 1, status => 200, api => [seen('/accel/h2'), seen('/other/x', "Bearer $twin")] },
);

# An answer of the AS that leads away, to whatever place.
my $accel = sub {
    return { status => 200, type => 'application/jwt', body => $alice, headers => ["X-Accel-Redirect: $_[0]"] };
};
inside(
    (map {
        my ($to, %more) = @{$_};
        { name => "X-Accel-Redirect of the AS to $to: 502", request => { path => '/', token => 'accel-token' },
          answers => { 'accel-token' => $accel->($to) }, as => 1, status => 502, outcome => 'as_bad_response', %more }
    } ['/open/x'], ['/internal/x'], ['/read/x'], ['/'], ['@open'], ['@read'], ['/_introspect'], ['/_other'],
        ['/canned'], ['/text'], ['/nothing/at/all'], ['/dir/page.html']),
    { name => 'X-Accel-Redirect of the AS, MISS: 502', request => { path => '/cached', token => 'accel-token' },
      answers => { 'accel-token' => $accel->('/internal/x') }, as => 1, status => 502, outcome => 'as_bad_response' },
    { name => 'X-Accel-Redirect of the AS, again: 502',
      request => { path => '/cached', token => 'accel-token' }, status => 502, outcome => 'as_bad_response' },
    { name => 'X-Accel-Redirect of the AS to a canned JWT, MISS: 502',
      request => { path => '/cached', token => 'canned-token' }, answers => { 'canned-token' => $accel->('/canned') },
      status => 502 },
    { name => 'X-Accel-Redirect of the AS to a canned JWT, again: 502',
      request => { path => '/cached', token => 'canned-token' }, status => 502 },
    { name => 'error_page in the introspection location cannot make a 200',
      request => { path => '/as-error', token => 'broken-token' }, answers => { 'broken-token' => { status => 500 } },
      status => 502, refusal => 'json' },
    { name => 'error_page in the introspection location: not to a named one',
      request => { path => '/as-error', token => 'busy-token' }, answers => { 'busy-token' => { status => 503 } },
      status => 503 },
);

# --- order -----------------------------------------------------------------------------------------------------------

my $policy_grants = {
    '/policy' => { status => 204 }, '/policy-set-header' => { status => 204 }, '/guard' => { status => 204 },
    '/guard-other' => { status => 204 }
};
inside(
    { name => 'order: deny costs no AS call',
      request => token('/deny'), as => 0, api => [], status => 403, challenge => undef },
    { name => 'order: allow alone is not enough', request => { path => '/allow' }, as => 0, status => 401 },
    { name => 'order: auth_basic before us costs no AS call', request => token('/basic'), as => 0, api => [],
      status => 401, headers => { 'WWW-Authenticate' => 'Basic realm="people"' } },
    { name => 'order: auth_basic satisfied, no bearer token',
      request => { path => '/basic', headers => [$basic] }, as => 0, status => 401, challenge => { realm => 'api' } },
    { name => 'order: limit_except denies without an AS call',
      request => token('/limit-deny', method => 'POST', body => 'x'), as => 0, api => [], status => 403 },
    { name => 'order: limit_except lets GET to us',
      request => token('/limit-deny'), as => [$asked], status => 200, api => [seen('/limit-deny')] },
    { name => 'order: a policy service behind auth_request sees the JWT', request => token('/policy-after'),
      api_answers => $policy_grants, as => [$asked], status => 200, api => [seen('/policy'), seen('/policy-after')] },
    { name => 'order: and in $http_authorization', request => token('/policy-set'), as => [$asked], status => 200,
      api => [seen('/policy-set-header'), seen('/policy-set')] },
    { name => 'order: refused by us, the policy service is not asked',
      request => { path => '/policy-after', token => 'unknown-token' }, as => 1, status => 401,
      challenge => { realm => 'api', error => 'invalid_token' } },
    { name => 'order: the policy service refuses',
      request => token('/policy-after'), api_answers => { '/policy' => { status => 403 } }, as => [$asked],
      status => 403, api => [seen('/policy')], challenge => undef },
    { name => 'order: the policy service fails', request => token('/policy-after'),
      api_answers => { '/policy' => { status => 502 } }, as => [$asked], status => 500, api => [seen('/policy')] },

    { name => 'limit_except: GET with the location\'s scopes',
      request => token('/limit-scope'), as => [$asked], status => 200, api => [seen('/limit-scope')] },
    { name => 'limit_except: POST with its own', request => token('/limit-scope', method => 'POST', body => 'x'),
      as => [$asked], status => 403, challenge => { realm => 'api', error => 'insufficient_scope', scope => 'admin' } },
    { name => 'limit_except: HEAD is GET', request => token('/limit-scope', method => 'HEAD'), status => 200 },
    { name => 'limit_except: on for POST alone, GET',
      request => { path => '/limit-on' }, as => 0, status => 200, api => 1 },
    { name => 'limit_except: on for POST alone, POST',
      request => { path => '/limit-on', method => 'POST', body => 'x' }, as => 0, status => 401,
      challenge => { realm => 'api', scope => 'admin' } },
    { name => 'limit_except: off for POST, GET', request => { path => '/limit-off' }, status => 401 },
    { name => 'limit_except: off for POST, POST',
      request => { path => '/limit-off', method => 'POST', body => 'x' }, as => 0, status => 200, api => 1 },

    { name => 'order: a policy service in a location without a slash, where endpoints have variables',
      request => token('/policy-no-slash'), as => [$asked], status => 200,
      api => [seen('policy'), seen('/policy-no-slash')] },
    { name => 'order: a policy service beside an endpoint, in a location of its own',
      request => token('/policy-beside'), as => [$asked], status => 200,
      api => [seen('/shared/policy'), seen('/policy-beside')] },
    { name => 'order: a policy service in a location that asks the authorization server',
      request => token('/policy-prefix'), as => [$asked], status => 500, refusal => 'any',
      log => qr/\[error\].*brought a request to location "\/shared\/", where only the gateway itself asks/ },
    { name => 'internal: a location of the same name that is another',
      request => { path => '/same/x?x=1' }, as => 0, status => 200, api => [{ uri => '/same/x?x=1' }] },
    { name => 'auth_request to a protected location: the client\'s token, its scopes',
      request => token('/guarded'), as => [$asked], api => [], status => 403 },
    { name => 'auth_request to a protected location: no token, one challenge', request => { path => '/guarded' },
      as => 0, api => [], status => 401, challenge => { realm => 'api', scope => 'admin' } },
    { name => 'auth_request to a protected location, both protected: one introspection, its scopes',
      request => token('/guarded-both'), as => [$asked], api => [], status => 403 },
    { name => 'auth_request to a protected location: granted; the JWT is that subrequest\'s',
      request => { path => '/guarded', token => 'admin-token' },
      answers => { 'admin-token' => { jwt => { sub => 'admin', scope => 'admin' } } },
      api_answers => $policy_grants, as => 1, status => 200,
      api => [{ uri => '/guard', authorization => 'Bearer <jwt>' },
              { uri => '/guarded', authorization => 'Bearer admin-token', x_found => '<jwt>' }] },
    { name => 'auth_request to a protected location with another endpoint: each its JWT',
      request => token('/guarded-other'), as => [$asked], other => 1, status => 200,
      api => [seen('/guard-other', "Bearer $twin"), seen('/guarded-other')] },
    { name => 'auth_request to a protected location with a client\'s body',
      request => token('/guarded-other', method => 'POST', body => 'x' x 40_000), other => 1,
      status => 200, api => [{ uri => '/guard-other', body => '' },
                             { uri => '/guarded-other', body => 'x' x 40_000, authorization => "Bearer $alice" }] },
);

inside(
    { name => 'limit_req: lets one through',
      request => token('/limited'), as => [$asked], status => 200, api => [seen('/limited')] },
    { name => 'limit_req: what it refuses costs no AS call',
      request => token('/limited'), as => 0, status => 503, api => [], log => qr/limiting requests/ },
);

# --- filters ---------------------------------------------------------------------------------------------------------

# A refusal's body is the whole response, whatever else would add to it or change it.
for my $case (
    ['allowed', 'alice-token', 200, undef], ['missing scope', 'poor-token', 403, 'permitted'],
    ['inactive', 'unknown-token', 401, 'authorized_request']
) {
    my ($name, $token, $status, $code) = @{$case};
    $as->answers('poor-token' => { jwt => { sub => 'poor' } });
    for my $encoding ('identity', 'gzip') {
        my $response = $gateway->get('/filters', token => $token,
                                     headers => ["Accept-Encoding: $encoding", 'Range: bytes=0-3', 'If-None-Match: *',
                                                 'If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT']);
        my $body = $response->body;
        gunzip(\"$body", \$body) or die $GunzipError if ($response->header('Content-Encoding') // '') eq 'gzip';
        is $response->status, $status, "filters, $name, $encoding: status";
        is $response->{leftover}, '', "filters, $name, $encoding: nothing follows";
        is $response->header('X-Added'), 'yes', "filters, $name, $encoding: add_header always";
        if ($code) {
            is eval { JSON::PP::decode_json($body)->{code} } // $body, $code,
            "filters, $name, $encoding: the JSON body, as sub_filter leaves it";
        }
        else       {
            like $body, qr/\Q$alice\E/, "filters, $name, $encoding: the introspection subrequest is not filtered";
        }
    }
}

# --- satisfy any -----------------------------------------------------------------------------------------------------

my %bypassed = (as => 0, status => 200, outcome => 'bypassed', challenge => undef);
inside(
    (map {
        { name => "satisfy any, allowed: $_->[0] is taken out",
          request => { path => '/any/allow', headers => ["Authorization: $_->[1]"] }, %bypassed,
          api => [{ authorization => undef, header_names => [qw(Host Connection)] }] }
    }
        ['a token', 'Bearer alice-token'], ['a token in lower case', 'bearer alice-token'],
            ['a malformed token', 'Bearer alice token'], ['a bare scheme', 'Bearer'], ['a JWT', "Bearer $twin"],
            ['two spaces', 'BEARER  alice-token'], ['an odd token', "Bearer \x{e9}"]),
    { name => 'satisfy any, allowed: no token',
      request => { path => '/any/allow' }, %bypassed, api => [{ authorization => undef }] },
    { name => 'satisfy any, allowed: other headers stay in order', request => token('/any/allow', headers => [(map {
        "X-$_: $_"
    } 1 .. 30), 'Authorization: Bearer alice-token', 'Cookie: a=b', 'X-Last: 1'], token => undef), %bypassed,
      api => [{ header_names => ['Host', 'Connection', (map { "X-$_" } 1 .. 30), 'Cookie', 'X-Last'],
                cookie => 'a=b' }] },
    { name => 'satisfy any, allowed: another scheme is the API\'s affair',
      request => { path => '/any/allow', headers => [$basic] }, %bypassed,
      api => [{ authorization => 'Basic dXNlcjpzZWNyZXQ=' }] },
    { name => 'satisfy any, allowed: no empty $http_authorization',
      request => token('/any/set'), %bypassed, api => [{ authorization => undef }] },
    { name => 'satisfy any, allowed: $http_authorization read early', request => token('/any/early'), %bypassed,
      api => [{ authorization => undef }], logged => { authorization => '' } },
    { name => 'satisfy any, allowed: try_files to a protected named location',
      request => token('/any/try'), as => [$asked], status => 200, api => [seen('/any/try')], outcome => 'active' },
    { name => 'satisfy any, allowed: try_files to an open one',
      request => token('/any/try-open'), as => 0, status => 200, api => [{ authorization => undef }] },
    { name => 'satisfy any, allowed: HTTP/2', request => { %{ token('/any/allow') }, http2 => 1, port => 'h2' },
      %bypassed, api => [{ authorization => undef }] },
    { name => 'satisfy any, denied: no token',
      request => { path => '/any/deny' }, as => 0, status => 401, challenge => { realm => 'api', scope => 'read' } },
    { name => 'satisfy any, denied: a token', request => token('/any/deny'), as => [$asked], status => 200,
      outcome => 'active', api => [seen('/any/deny')], challenge => undef },
    { name => 'satisfy any, denied: inactive', request => { path => '/any/deny', token => 'unknown-token' }, as => 1,
      status => 401, challenge => { realm => 'api', error => 'invalid_token', scope => 'read' } },
    { name => 'satisfy any, denied: the AS fails',
      request => { path => '/any/deny', token => 'broken-token' }, as => 1, status => 502 },
    { name => 'satisfy any, auth_basic: its credentials', request => { path => '/any/basic', headers => [$basic] },
      %bypassed, api => [{ authorization => 'Basic dXNlcjpzZWNyZXQ=' }] },
    { name => 'satisfy any, auth_basic: a token, no challenge is left',
      request => token('/any/basic'), as => [$asked], status => 200, challenge => undef, api => [seen('/any/basic')] },
    { name => 'satisfy any, auth_basic: wrong credentials',
      request => { path => '/any/basic', headers => ['Authorization: Basic dXNlcjp3cm9uZw=='] }, as => 0, api => [],
      status => 401, headers => { 'WWW-Authenticate' => ['Basic realm="people"', 'Bearer realm="api", scope="read"'] },
      log => qr/password mismatch/ },
    { name => 'satisfy any, auth_request grants: no token',
      request => { path => '/any/policy' }, api_answers => $policy_grants, %bypassed,
      api => [{ uri => '/policy' }, { uri => '/any/policy', authorization => undef }] },
    { name => 'satisfy any, auth_request grants: an inactive token is taken out',
      request => { path => '/any/policy', token => 'unknown-token' }, %bypassed, as => 1,
      api => [{ uri => '/policy' }, { uri => '/any/policy', authorization => undef }] },
    { name => 'satisfy any, auth_request grants: a missing scope',
      request => { path => '/any/policy', token => 'poor-token' },
      answers => { 'poor-token' => { jwt => { sub => 'poor' } } }, %bypassed, as => 1,
      api => [{ uri => '/policy' }, { uri => '/any/policy', authorization => undef }] },
    { name => 'satisfy any, auth_request grants: the API\'s own 401 stays as it is',
      request => { path => '/any/policy', token => 'unknown-token' },
      api_answers => { '/any/policy' => { status => 401, body => 'mine' } }, status => 401, api => 2, body => 'mine',
      challenge => undef, outcome => 'bypassed' },
    { name => 'satisfy any, we grant: auth_request is not asked',
      request => token('/any/policy'), api_answers => { '/any/policy' => undef, '/policy' => { status => 403 } },
      as => [$asked], status => 200, api => [seen('/any/policy')] },
    { name => 'satisfy any, auth_request refuses: no token', request => { path => '/any/policy' }, as => 0,
      status => 401, api => [{ uri => '/policy' }], challenge => { realm => 'api', scope => 'read' } },
    { name => 'satisfy any, auth_request would grant: the AS fails',
      request => { path => '/any/policy', token => 'broken-token' }, api_answers => $policy_grants, as => 1,
      status => 502 },
);
{
    my $fastcgi = $gateway->text =~ /fastcgi_pass (127\.0\.0\.1:\d+)/ ? $1 : die;
    my $response = $gateway->get('/any/fastcgi', token => 'alice-token');
    is $response->status, 200, 'satisfy any, allowed: FastCGI';
    is_deeply [grep { $_->[0] =~ /authorization/i } @{ $response->json->{headers} }], [],
        'satisfy any, allowed: FastCGI sees no token';
}

# --- subrequests -----------------------------------------------------------------------------------------------------

my $no_mirror = qr/misconfigured: .*mirror/;
inside(
    { name => 'mirror: the same endpoint, one introspection, both see the JWT',
      request => token('/mirror/same', method => 'POST', body => 'copied'), as => [$asked], status => 200,
      api_set => [seen('/mirror/same'), seen('/mirror-read')] },
    { name => 'mirror: its own scopes', request => token('/mirror/admin'), as => [$asked], status => 200,
      api_set => [seen('/mirror/admin')], outcome => 'active' },
    { name => 'mirror: another endpoint is refused without a call', request => token('/mirror/other'), as => [$asked],
      other => 0, status => 200, api_set => [seen('/mirror/other')], log => $no_mirror },
    { name => 'mirror: protection off in its location', request => token('/mirror/open'), as => [$asked], status => 200,
      api_set => [seen('/mirror/open'), seen('/mirror-open')] },
    { name => 'mirror: several', request => token('/mirror/several'), as => [$asked], status => 200,
      api_set => [seen('/mirror/several'), seen('/mirror-read'), seen('/mirror-open')], log => $no_mirror },
    { name => 'mirror: from protection off there is no answer to use', request => token('/mirror/from-open'), as => 0,
      status => 200, api_set => [seen('/mirror/from-open', 'Bearer alice-token')], log => $no_mirror },
    { name => 'mirror: refused, nothing is mirrored',
      request => { path => '/mirror/open', token => 'unknown-token' }, as => 1, status => 401 },
    { name => 'mirror: satisfy any takes the token out of it too', request => token('/any/mirror'), as => 0,
      status => 200, api_set => [seen('/any/mirror', undef), seen('/mirror-open', undef)] },
    { name => 'mirror: satisfy any, protected: refused', request => token('/any/mirror-read'), as => 0, status => 200,
      api_set => [seen('/any/mirror-read', undef)], log => $no_mirror },

    { name => 'slice: one introspection, the JWT in every part',
      request => token('/slice'), as => [$asked], status => 200, body => '0123456789',
      api_answers => { '/slice' => [map {
          { status => 206, headers => ["Content-Range: bytes $_->[0]/10", 'ETag: "e"'], body => $_->[1] }
      } ['0-3', '0123'], ['4-7', '4567'], ['8-9', '89']] },
      api => [map { { range => "bytes=$_", authorization => "Bearer $alice" } } '0-3', '4-7', '8-11'] },
    { name => 'slice: from the cache, still checked',
      request => { path => '/slice', token => 'unknown-token' }, as => 1, status => 401 },
    { name => 'slice: from the cache',
      request => token('/slice'), as => [$asked], status => 200, body => '0123456789', api => 0 },
);

my $html = sub { return { type => 'text/html', body => $_[0] } };
my @parts = qw(/read/before /read/after /other/after /admin/before /admin/after);
inside(
    { name => 'addition: each part with its location\'s JWT', request => token('/add/parts'), api_answers => { (map {
        $_ => $html->('body;')
    } '/add/parts', '/add/admin', '/add/open'), map { $_ => $html->("$_;") } @parts },
      as => [$asked], other => 1, status => 200, body => '/read/before;body;/other/after;',
      api_set => [seen('/add/parts'), seen('/read/before'), seen('/other/after', "Bearer $twin")] },
    { name => 'addition: a part with other scopes is refused', request => token('/add/admin'), as => [$asked],
      status => 200, body => qr{body;/read/after;$}, api_set => [seen('/add/admin'), seen('/read/after')] },
    { name => 'addition: to an open location', request => token('/add/open'), status => 200,
      body => qr{^/read/before;body;}, api_set => [seen('/add/open', 'Bearer alice-token'), seen('/read/before')] },
    { name => 'addition: to an open location, no token', request => { path => '/add/open' }, as => 0, status => 200,
      body => qr{body;}, api_set => [seen('/add/open', undef)] },
);

my $page = sub { return $html->(join(' ', map { qq(<!--# include virtual="$_" -->) } @_) . ' end') };
my $slow = { jwt => $twin, delay => 0.05 };
$other->answers('alice-token' => $slow);
my @includes = qw(/read/1 /admin/2 /other/3 /open/4 /read/5 /other/6);
my @set = qw(/set/read /set/other /set/map /set/open /set/read/2);
inside(
    { name => 'SSI: each part its location\'s rules and JWT, one introspection for one endpoint',
      request => token('/ssi'), api_answers => { map { $_ => $page->(@includes) } qw(/ssi /ssi-open /ssi-any) },
      as => [$asked], other => 2, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi'), seen('/read/1'), seen('/other/3', "Bearer $twin"), seen('/open/4'), seen('/read/5'),
                  seen('/other/6', "Bearer $twin")] },
    { name => 'SSI: the introspection location is no part of a page',
      request => token('/ssi/own'), api_answers => { '/ssi/own' => $page->('/_introspect?token=bob-token') },
      as => [$asked], status => 200, body => qr/ end$/, api => [seen('/ssi/own')], log => $intruder },
    { name => 'SSI: the page is refused',
      request => { path => '/ssi', token => 'unknown-token' }, as => 1, status => 401 },
    { name => 'SSI: parts of an open page',
      request => token('/ssi-open'), as => [($asked) x 3], other => 2, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/read/1'), seen('/other/3', "Bearer $twin"),
                  seen('/open/4', 'Bearer alice-token'), seen('/read/5'), seen('/other/6', "Bearer $twin")] },
    { name => 'SSI: parts of an open page, no token', request => { path => '/ssi-open' }, as => 0, status => 200,
      body => qr/ end$/, api_set => [seen('/ssi-open', undef), seen('/open/4', undef)] },
    { name => 'SSI: parts of a page under satisfy any', request => token('/ssi-any'), as => [($asked) x 3], other => 2,
      status => 200, body => qr/ end$/, outcome => 'bypassed',
      api_set => [seen('/ssi-any', undef), seen('/read/1'), seen('/other/3', "Bearer $twin"), seen('/open/4', undef),
                  seen('/read/5'), seen('/other/6', "Bearer $twin")] },
    { name => 'SSI: $http_authorization in proxy_set_header',
      request => token('/ssi'), api_answers => { '/ssi' => $page->(@set), '/ssi-open' => $page->(@set) },
      as => [$asked], other => 1, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi'), seen('/set/read'), seen('/set/other', "Bearer $twin"), seen('/set/map'),
                  seen('/set/open'), seen('/set/read/2')] },
    { name => 'SSI: $http_authorization in proxy_set_header, an open page',
      request => token('/ssi-open'), other => 1, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/set/read'), seen('/set/other', "Bearer $twin"),
                  seen('/set/map'), seen('/set/open', 'Bearer alice-token'), seen('/set/read/2')] },
    { name => 'SSI: over HTTP/2',
      request => { %{ token('/ssi-open') }, http2 => 1, port => 'h2' }, other => 1, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/set/read'), seen('/set/other', "Bearer $twin"),
                  seen('/set/map'), seen('/set/open', 'Bearer alice-token'), seen('/set/read/2')] },
    { name => 'SSI: wait', request => token('/ssi-open'), api_answers => { '/ssi-open' => $html->(
        '<!--# include virtual="/other/1" wait="yes" --><!--# include virtual="/read/1" wait="yes" --> end'
    ) }, as => [$asked], other => 1, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/other/1', "Bearer $twin"), seen('/read/1')] },
    { name => 'SSI: a part within a part', request => token('/ssi-open'), api_answers => {
        '/ssi-open' => $page->('/ssi/inner', '/read/2'), '/ssi/inner' => $page->('/read/1', '/other/1', '/admin/1')
    }, other => 1, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/ssi/inner'), seen('/read/1'),
                  seen('/other/1', "Bearer $twin"), seen('/read/2')] },
    { name => 'SSI: X-Accel-Redirect in a part', request => token('/ssi-open'),
      api_answers => { '/ssi-open' => $page->('/open/1', '/read/2', '/other/3', '/open/4'),
                       '/open/1' => { headers => ['X-Accel-Redirect: /read/1'] },
                       '/read/2' => { headers => ['X-Accel-Redirect: /other/2'] },
          '/other/3' => { headers => ['X-Accel-Redirect: /admin/3'] },
          '/open/4' => [{ headers => ['X-Accel-Redirect: @read'] }, {}] }, other => 2, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/open/1', 'Bearer alice-token'), seen('/read/1'),
                  seen('/read/2'), seen('/other/2', "Bearer $twin"), seen('/other/3', "Bearer $twin"),
                  seen('/open/4', 'Bearer alice-token'), seen('/open/4')] },
    { name => 'mirror: X-Accel-Redirect in it to another endpoint is refused without a call',
      request => token('/mirror/open'),
      api_answers => { '/open/1' => undef, '/read/2' => undef, '/other/3' => undef, '/open/4' => undef,
                       '/mirror-open' => { headers => ['X-Accel-Redirect: /other/x'] } },
      as => [$asked], other => 0, status => 200, api_set => [seen('/mirror/open'), seen('/mirror-open')] },
    { name => 'SSI: a part whose AS fails', request => { path => '/ssi-open', token => 'broken-token' },
      api_answers => { '/ssi-open' => $page->('/read/1', '/open/2') }, status => 200, body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer broken-token'), seen('/open/2', 'Bearer broken-token')] },
    { name => 'SSI: a part that no AS can be asked for is refused', request => token('/ssi-open'),
      api_answers => { '/ssi-open' => $page->('/choose/1?to=empty', '/choose/2?to=other') }, other => 1, status => 200,
      body => qr/ end$/,
      api_set => [seen('/ssi-open', 'Bearer alice-token'), seen('/choose/2?to=other', "Bearer $twin")] },
);
$other->answers('alice-token' => { jwt => $twin });

{
    $api->answers('/ssi-open' => $page->('/other/1', '/set/jwt'));
    $api->forget_requests;
    is $gateway->get('/ssi-open', token => 'alice-token')->status, 200, 'SSI: $phantom_token_jwt';
    my ($part) = grep { $_->{uri} eq '/set/jwt' } $api->requests; # the parts come in either order
    is $part->header('X-Jwt'), $alice, 'SSI: $phantom_token_jwt is the part\'s';
}

{
    my $connection = $gateway->connect;
    $api->answers('/ssi-open' => $page->(@includes));
    for my $turn (1 .. 3) {
        like $connection->get('/ssi-open', token => 'alice-token')->body, qr/ end$/, "SSI on keepalive: page $turn";
        is $connection->get('/admin/x', token => 'alice-token')->status, 403,
            "SSI on keepalive: the request after page $turn";
        is $connection->get('/admin/x')->status, 401, "SSI on keepalive: a request without a token after page $turn";
    }
    is $connection->finish, '', 'SSI on keepalive: nothing follows';
}

inside(
    { name => 'SSI: a part with "set" cannot ask', request => token('/ssi-open/set'), api_answers => { map {
        $_ => $html->('<!--# include virtual="/read/1" set="part" --> end')
    } qw(/ssi/set /ssi-open/set) }, as => 0, status => 200, body => qr/ end$/,
      api => [seen('/ssi-open/set', 'Bearer alice-token')], log => qr/misconfigured: .*an SSI include with "set"/ },
    { name => 'SSI: a part with "set" has the page\'s answer', request => token('/ssi/set'), as => [$asked],
      status => 200, body => qr/ end$/, api => [seen('/ssi/set'), seen('/read/1')] },
);

# --- post_action, if, rewrite ----------------------------------------------------------------------------------------

inside(
    { name => 'post_action: the same endpoint, one introspection', request => token('/after/same'), as => [$asked],
      status => 200, api_set => [seen('/after/same'), seen('/after-read')] },
    { name => 'post_action: its own scopes',
      request => token('/after/admin'), as => [$asked], status => 200, api_set => [seen('/after/admin')] },
    { name => 'post_action: another endpoint is refused without a call', request => token('/after/other'),
      as => [$asked], other => 0, status => 200, api_set => [seen('/after/other')], log => $no_mirror },
    { name => 'post_action: after a refusal it is refused too',
      request => { path => '/after/same', token => 'unknown-token' }, as => 1, status => 401 },
    { name => 'post_action: after a refusal without a token',
      request => { path => '/after/same' }, as => 0, status => 401 },

    (map {
        { name => "if: $_->[0]",
          request => token("/if$_->[1]"), as => [$asked], status => 200, api => [seen("/if$_->[1]")] }
    } ['none but the header\'s', ''], ['set', '?x=1'], ['break', '?break=1']),
    { name => 'if: the location\'s scopes hold', request => { path => '/if?x=1', token => 'poor-token' }, as => 1,
      status => 403, challenge => { realm => 'api', error => 'insufficient_scope', scope => 'read' } },
    { name => 'if: without a token', request => { path => '/if?x=1' }, as => 0, status => 401 },
    { name => 'if: to a protected named location', request => token('/if-named?x=1'), as => [$asked], status => 403 },
    { name => 'rewrite: to a protected location',
      request => token('/rewrite/x'), as => [$asked], status => 403, outcome => 'insufficient_scope' },
    { name => 'rewrite: break stays in the location',
      request => token('/rewrite-break/x'), as => [$asked], status => 200, api => [seen('/admin/x')] },
    { name => 'rewrite of the server: not for the client\'s headers in our subrequest',
      request => token('/read', headers => ['X-Other: 1']), as => [{ %{$asked}, x_other => undef }], status => 200 },

    { name => 'internal: a name without a slash',
      request => token('/no-slash'), as => [$asked], status => 200, api => [seen('/no-slash')] },
    { name => 'internal: a rewrite to it is a 404',
      request => token('/rewrite-internal', method => 'POST', body => 'token=x'), as => 0, api => [], status => 404 },
    (map {
        { name => "internal: nor does a client come there by $_",
          request => token("/$_-introspect", method => 'POST', body => 'token=bob-token'), as => 0, api => [],
          status => 404, log => $intruder }
    } qw(rewrite error)),
    { name => 'internal: no client comes there',
      request => token('/_introspect', method => 'POST', body => 'token=x'), as => 0, api => [], status => 404 },
    { name => 'endpoint with variables: one AS',
      request => token('/choose'), as => [$asked], status => 200, api => [seen('/choose')] },
    { name => 'endpoint with variables: the other', request => token('/choose?to=other'), as => 0, other => 1,
      status => 200, api => [seen('/choose?to=other', "Bearer $twin")] },
    { name => 'endpoint with arguments',
      request => token('/choose?to=query'), as => [{ %{$asked}, uri => '/introspect?a=b' }], status => 200 },
    { name => 'endpoint with variables: a location that clients reach', request => token('/choose?to=public'), as => 0,
      status => 500, outcome => 'misconfigured', log => qr/add \\?"internal/ },
    { name => 'endpoint with variables: a named location',
      request => token('/choose?to=named'), as => 0, status => 500, outcome => 'misconfigured' },
    { name => 'endpoint with variables: empty', request => token('/choose?to=empty'), as => 0, status => 500,
      outcome => 'misconfigured', log => qr{misconfigured: .*URI} },
);
{
    $as->forget_requests;
    my $response = $gateway->get('/choose?to=nowhere', token => 'alice-token');
    is $response->status, 500, 'endpoint with variables: matched by the API\'s own location, which clients reach';
    check_refusal($response);
}

# --- the client goes away --------------------------------------------------------------------------------------------

# The client leaves while the AS is being asked: the request ends, and what the AS says then starts nothing.
sub leaves {
    my ($path, $way) = @_;
    my $name = "client abort ($path, $way)";
    my $gate = "$path $way" =~ tr{/ }{-}r;
    $as->answers('held-token' => { hold => $gate, jwt => { sub => 'held', scope => 'read' } });
    $_->forget_requests for $as, $api;
    my $client = $gateway->connect;
    $client->send(Harness::Client::request_bytes({ path => $path, token => 'held-token' }));
    $as->wait_for_requests(1);
    if    ($way eq 'half')  { shutdown $client->stream->socket, 1 }
    elsif ($way eq 'reset') { $client->reset }
    else                    { $client->close }
    my $logged = sub { $gateway->access_log(qr/"port":"@{[$client->local_port]}"/) };
    until_true(patience(3), $logged) if $path ne '/ignore-abort';
    $as->release($gate);
    ok until_true(patience(3), $logged), "$name: the request ends";
    is_deeply [grep { $_ ne '/ssi-open' } map { $_->{uri} } $api->requests], [], "$name: the API sees nothing"
        if $path ne '/ignore-abort';
    is $gateway->get('/read', token => 'alice-token')->status, 200, "$name: the next request";
    return;
}

$api->answers('/ssi-open' => $page->('/read/held', '/read/held'));
for my $path ('/', '/ignore-abort', '/ssi-open', '/any/deny', '/guarded', '/try-other') {
    leaves($path, $_) for qw(close reset half);
}

# The second of two authorization servers is being asked when the client leaves. In an SSI page nginx does not look at
# the client meanwhile, so there the request ends with the answer.
$api->answers('/accel/held' => { headers => ['X-Accel-Redirect: /other/x'] });
for my $path ('/try-other', '/accel/held', '/guarded-other', '/ssi') {
    my $gate = 'second' . $path =~ tr{/}{-}r;
    $_->forget_requests for $as, $other, $api;
    $as->answers('held-token' => { jwt => { sub => 'held', scope => 'read' } });
    $other->answers('held-token' => { hold => $gate, jwt => $twin });
    my $client = $gateway->connect;
    $client->send(Harness::Client::request_bytes({ path => $path, token => 'held-token' }));
    $other->wait_for_requests(1);
    $client->close;
    my $logged = sub { $gateway->access_log(qr/"port":"@{[$client->local_port]}"/) };
    until_true(patience(3), $logged) if $path ne '/ssi';
    $other->release($gate);
    ok until_true(patience(3), $logged), "client abort ($path), the second AS: the request ends";
    is scalar(grep { ($_->header('Authorization') // '') eq "Bearer $twin" } $api->requests), 0,
        "client abort ($path), the second AS: the API sees nothing more" if $path ne '/ssi';
    is $gateway->get('/read', token => 'alice-token')->status, 200,
        "client abort ($path), the second AS: the next request";
}

# --- the access log --------------------------------------------------------------------------------------------------

sub phases {
    my ($position) = @_;
    my @lines;
    until_true(patience(2), sub {
        open my $in, '<', $gateway->folder . '/phases.log' or return;
        @lines = map { JSON::PP::decode_json($_) } <$in>;
        splice @lines, 0, $position;
        return grep { $_->{uri} eq '/logged' } @lines;
    });
    return @lines;
}

my $position = 0;
for (
    ['without a token', undef, 401, 'missing', '', ''], ['MISS', 'alice-token', 200, 'active', 'MISS', $alice],
    ['HIT', 'alice-token', 200, 'active', 'HIT', $alice], ['inactive', 'unknown-token', 401, 'inactive', 'MISS', '']
) {
    my ($name, $token, $status, @expected) = @{$_};
    is $gateway->get('/logged', defined $token ? (token => $token) : ())->status, $status, "access log, $name: status";
    my @lines = phases($position);
    my ($main) = grep { $_->{uri} eq '/logged' } @lines;
    is_deeply [@{$main}{qw(outcome cache jwt)}], \@expected, "access log, $name: as it is at the end";
    is $main->{early}, '', "access log, $name: empty before the access phase";
    like $main->{key}, defined $token ? qr/^[0-9a-f]{64}$/ : qr/^$/, "access log, $name: the key";
    is scalar(grep { $_->{key} ne $main->{key} } @lines), 0, "access log, $name: the key in the subrequest's line";
    $position += @lines;
}

done_testing;
