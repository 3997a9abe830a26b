# phantom_token optional: a request without a token goes on without any Authorization, one with a token is held to it.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $gateway = gateway(
    http => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        phantom_token_hot_cache zone=hot:1m;
        map $http_authorization $early { default $http_authorization; }
END
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token optional;
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_scopes "read";
        ssi_types text/plain;
END
    log => { authorization => 'http_authorization', map {
        $_ => "phantom_token_$_"
    } qw(key sub jwt time cache claim_sub) },
    locations => <<'END',
        location /api { proxy_pass http://%%API%%; location /api/strict { phantom_token on; proxy_pass http://%%API%%; }
                        location /api/open { phantom_token off; proxy_pass http://%%API%%; } }
        location /hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                        proxy_pass http://%%API%%; }
        location /early { if ($early = x) { return 404; } proxy_set_header Authorization $http_authorization;
                          proxy_pass http://%%API%%; }
        location /if { set $x ""; if ($arg_a) { set $x 1; } proxy_pass http://%%API%%; }
        location /verify { phantom_token_inbound_jwt reject; proxy_pass http://%%API%%; }

        location /all/denied { deny all; proxy_pass http://%%API%%; }
        location /all/basic { auth_basic people; auth_basic_user_file %%DIR%%/people; proxy_pass http://%%API%%; }
        location /all/policy { auth_request /_policy; proxy_pass http://%%API%%; }
        location /any/alone { satisfy any; proxy_pass http://%%API%%; }
        location /any/denied { satisfy any; deny all; proxy_pass http://%%API%%; }
        location /any/allowed { satisfy any; allow all; proxy_pass http://%%API%%; }
        location /any/basic { satisfy any; auth_basic people; auth_basic_user_file %%DIR%%/people;
                              proxy_pass http://%%API%%; }
        location /any/policy { satisfy any; auth_request /_policy; proxy_pass http://%%API%%; }
        location = /_policy { internal; phantom_token off; proxy_pass http://%%API%%/the-policy; }

        location /protect { phantom_token_preflight protect; proxy_pass http://%%API%%; }
        location /methods { limit_except GET { phantom_token on; } proxy_pass http://%%API%%; }
        location /reading { phantom_token on; limit_except GET { phantom_token optional; } proxy_pass http://%%API%%; }
        location = /to-strict { try_files /nonexistent /api/strict/landed; }
        location = /to-open { try_files /nonexistent /api/open/landed; }
        location = /strict-to-optional { phantom_token on; error_page 401 = /api/landed; proxy_pass http://%%API%%; }
        location = /refused { error_page 401 403 = /api/open/error; proxy_pass http://%%API%%; }
        location /ssi { ssi on; proxy_pass http://%%API%%; }
        location /mirrored { mirror /mirror; proxy_pass http://%%API%%; }
        location = /mirror { internal; proxy_pass http://%%API%%/the-mirror; }

        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                              proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }
END
);

open my $people, '>', $gateway->folder . '/people' or die $!;
print {$people} "alice:{PLAIN}secret\n";
close $people;
$gateway->as->answers('alice-token' => { jwt => { sub => 'alice', scope => 'read' } },
    'poor-token' => { jwt => { sub => 'poor' } }, 'broken-token' => { status => 500 });

my $basic     = 'Authorization: Basic YWxpY2U6c2VjcmV0';
my $wrong     = 'Authorization: Basic YWxpY2U6d3Jvbmc=';
my %empty     = map { $_ => '' } qw(authorization key sub jwt time cache claim_sub);
my %anonymous = (status => 200, as => 0, outcome => 'anonymous', challenge => undef, logged => \%empty);
my %through   = (%anonymous, api => [{ authorization => undef }]);
my %active    = (status => 200, outcome => 'active', challenge => undef, api => [{ authorization => 'Bearer <jwt>' }]);
my %asked     = (%active, as => 1);
my @cors      = ('Origin: https://app.example.com', 'Access-Control-Request-Method: PUT');
my $client    = jwt({ sub => 'alice', scope => 'read' });

sub from { my ($path, @headers) = @_; return { path => $path, headers => \@headers } }

cases($gateway,
    # --- without a token ---------------------------------------------------------------------------------------------
    { name => 'optional: no token passes', request => from('/api'), %through },
    (map {
        { name => "optional: another scheme passes and is taken out: $_->[0]",
          request => from('/api', "Authorization: $_->[1]"), %through,
          api => [{ authorization => undef, header_names => [qw(Host Connection)] }] }
    }
        ['Basic', 'Basic YWxpY2U6c2VjcmV0'], ['DPoP', 'DPoP alice-token'], ['a longer word', 'Bearers alice-token'],
            ['a token alone', 'alice-token'], ['an empty header', ''],
            ['Basic, then Bearer', 'Basic eA==, Bearer alice-token']),
    { name => 'optional: a body goes on', request => { method => 'POST', path => '/api', body => 'x' x 20_000 },
      %through, api => [{ method => 'POST', authorization => undef, body => 'x' x 20_000 }] },
    { name => 'optional: HTTP/2',
      request => { path => '/api', http2 => 1, port => 'h2', headers => [$basic] }, %through },
    { name => 'optional: $http_authorization read early is empty', request => from('/early', $basic), %through },
    { name => 'optional: in an if', request => from('/if?a=1', $basic), %through },
    { name => 'optional: with a hot cache', request => from('/hot'), %through },
    { name => 'optional: inbound_jwt reject', request => from('/verify'), %through },
    { name => 'optional: two Authorization headers',
      request => from('/api', $basic, 'Authorization: Bearer alice-token'), status => 400, as => 0, api => 0 },

    # --- with one ----------------------------------------------------------------------------------------------------
    { name => 'optional: a good token',
      request => { path => '/api', token => 'alice-token' }, %asked, logged => { sub => 'alice' } },
    (map {
        { name => "optional: a malformed token is refused: $_",
          request => from('/api', "Authorization: $_"), status => 401, as => 0, outcome => 'malformed',
          challenge => { realm => 'api', scope => 'read', error => 'invalid_token' } }
    } 'Bearer', 'Bearer a b', 'Bearer a,b', "Bearer\ta"),
    { name => 'optional: an inactive token is refused',
      request => { path => '/api', token => 'gone-token' }, status => 401, as => 1, outcome => 'inactive',
      challenge => { realm => 'api', scope => 'read', error => 'invalid_token' } },
    { name => 'optional: a missing scope is refused',
      request => { path => '/api', token => 'poor-token' }, status => 403, as => 1, outcome => 'insufficient_scope' },
    { name => 'optional: the AS fails',
      request => { path => '/api', token => 'broken-token' }, status => 502, as => 1, outcome => 'as_error' },
    { name => 'optional: a JWT that is rejected',
      request => { path => '/verify', token => $client }, status => 401, as => 0, outcome => 'rejected_jwt' },
    { name => 'optional: hot cache, the first',
      request => { path => '/hot', token => 'alice-token' }, %asked, cache => 'MISS' },
    { name => 'optional: hot cache, then hot',
      request => { path => '/hot', token => 'alice-token' }, %active, as => 0, cache => 'HOT' },

    # --- inheritance and limit_except --------------------------------------------------------------------------------
    { name => 'optional: on below it', request => from('/api/strict'), status => 401, as => 0, outcome => 'missing',
      challenge => { realm => 'api', scope => 'read' } },
    { name => 'optional: off below it', request => from('/api/open', $basic), status => 200, as => 0,
      api => [{ authorization => 'Basic YWxpY2U6c2VjcmV0' }], outcome => '' },
    { name => 'optional: limit_except on, another method', request => from('/methods'), %through },
    { name => 'optional: limit_except on',
      request => { method => 'POST', path => '/methods' }, status => 401, outcome => 'missing' },
    { name => 'optional in limit_except, another method',
      request => from('/reading'), status => 401, outcome => 'missing' },
    { name => 'optional in limit_except', request => { method => 'POST', path => '/reading' }, %through },

    # --- other access modules ----------------------------------------------------------------------------------------
    { name => 'optional, satisfy all: deny',
      request => from('/all/denied'), status => 403, as => 0, api => [], log => qr/access forbidden by rule/ },
    { name => 'optional, satisfy all: auth_basic, no credentials', request => from('/all/basic'), status => 401,
      as => 0, api => [], headers => { 'WWW-Authenticate' => 'Basic realm="people"' } },
    { name => 'optional, satisfy all: auth_basic, its credentials are not for the API',
      request => from('/all/basic', $basic), %through },
    { name => 'optional, satisfy all: auth_request grants', request => from('/all/policy'), %anonymous,
      api => [{ uri => '/the-policy', authorization => undef }, { uri => '/all/policy', authorization => undef }] },
    { name => 'optional, satisfy all: auth_request refuses',
      request => from('/all/policy'), api_answers => { '/the-policy' => { status => 403 } }, status => 403, as => 0,
      api => [{ uri => '/the-policy' }] },
    { name => 'optional, satisfy any: nobody else', request => from('/any/alone', $basic), %through },
    { name => 'optional, satisfy any: nobody without a token is let in that others refuse: deny',
      request => from('/any/denied'), status => 403, as => 0, api => [], log => qr/access forbidden by rule/ },
    { name => 'optional, satisfy any: deny, a good token',
      request => { path => '/any/denied', token => 'alice-token' }, %asked },
    { name => 'optional, satisfy any: deny, a bad token',
      request => { path => '/any/denied', token => 'gone-token' }, status => 401, as => 1, outcome => 'inactive' },
    { name => 'optional, satisfy any: allow', request => from('/any/allowed'), status => 200, as => 0,
      outcome => 'bypassed', api => [{ authorization => undef }] },
    { name => 'optional, satisfy any: auth_basic, no credentials', request => from('/any/basic'), status => 401,
      as => 0, api => [], headers => { 'WWW-Authenticate' => 'Basic realm="people"' } },
    { name => 'optional, satisfy any: auth_basic, wrong credentials',
      request => from('/any/basic', $wrong), status => 401, as => 0, api => [],
      headers => { 'WWW-Authenticate' => 'Basic realm="people"' }, log => qr/password mismatch/ },
    { name => 'optional, satisfy any: auth_basic, its credentials', request => from('/any/basic', $basic),
      status => 200, as => 0, outcome => 'bypassed', api => [{ authorization => 'Basic YWxpY2U6c2VjcmV0' }] },
    { name => 'optional, satisfy any: auth_request refuses',
      request => from('/any/policy'), status => 403, as => 0, api => [{ uri => '/the-policy' }] },
    { name => 'optional, satisfy any: auth_request grants',
      request => from('/any/policy'), api_answers => { '/the-policy' => undef }, %anonymous,
      api => [{ uri => '/the-policy' }, { uri => '/any/policy', authorization => undef }] },

    # --- preflight ---------------------------------------------------------------------------------------------------
    { name => 'optional: a preflight is one', request => { method => 'OPTIONS', path => '/api', headers => [@cors] },
      status => 200, as => 0, outcome => 'preflight', api => [{ authorization => undef }] },
    { name => 'optional: preflight protect',
      request => { method => 'OPTIONS', path => '/protect', headers => [@cors] }, %through },
    { name => 'optional: preflight protect, a bad token',
      request => { method => 'OPTIONS', path => '/protect', headers => [@cors, 'Authorization: Bearer gone-token'] },
      status => 401, as => 1, outcome => 'inactive' },

    # --- redirects ---------------------------------------------------------------------------------------------------
    { name => 'optional: redirected to on',
      request => from('/to-strict', $basic), status => 401, as => 0, outcome => 'missing' },
    { name => 'optional: redirected to off, no Authorization comes back',
      request => from('/to-open', $basic), status => 200, as => 0, api => [{ authorization => undef }] },
    { name => 'optional: from on by an error_page',
      request => from('/strict-to-optional'), %anonymous, api => [{ uri => '/api/landed', authorization => undef }] },
    { name => 'optional: a refusal goes to its error_page', request => { path => '/refused', token => 'poor-token' },
      status => 200, as => 1, api => [{ uri => '/api/open/error' }] },
);

# --- subrequests -----------------------------------------------------------------------------------------------------

my $page = {
    type => 'text/html', body => '<!--#include virtual="/api/part" --> <!--#include virtual="/api/strict/part" -->'
};
cases($gateway,
    { name => 'optional, SSI: anonymous, each part by its own rules',
      request => from('/ssi', $basic), api_answers => { '/ssi' => $page, '/api/part' => { body => 'PART' } },
      status => 200, as => 0, outcome => 'anonymous',
      body => qr{^PART },
      api => [{ uri => '/ssi', authorization => undef }, { uri => '/api/part', authorization => undef }] },
    { name => 'optional, SSI: with a token', request => { path => '/ssi', token => 'alice-token' }, status => 200,
      as => 1, outcome => 'active', body => qr{^PART .*"uri":"/api/strict/part"}s,
      api => [{ uri => '/ssi', authorization => 'Bearer <jwt>' },
              ({ uri => qr{^/api/(?:strict/)?part$}, authorization => 'Bearer <jwt>' }) x 2] },
    { name => 'optional, mirror',
      request => from('/mirrored'), status => 200, as => 0, outcome => 'anonymous', api => 2 },
);

# --- nginx -t --------------------------------------------------------------------------------------------------------

my $way = 'location = /_introspect { internal; proxy_pass http://%%AS%%; }';
configurations(
    (map {
        { name => "nginx -t: phantom_token $_, as nginx compares on and off",
          locations => "$way location / { phantom_token $_; phantom_token_introspection_endpoint /_introspect; "
              . "proxy_pass http://%%API%%; }", accepts => 1, warns => undef }
    }
        qw(optional OPTIONAL Optional ON On OFF)),
    { name => 'nginx -t: optional needs an endpoint',
      locations => 'location /api { phantom_token optional; proxy_pass http://%%API%%; }',
      refuses => qr/"phantom_token" is on in location "\/api" with no "phantom_token_introspection_endpoint"/ },
    { name => 'nginx -t: optional once', locations => "$way location / { phantom_token optional; phantom_token on; "
          . "phantom_token_introspection_endpoint /_introspect; }",
      refuses => qr/"phantom_token" directive is duplicate/ },
);

done_testing;
