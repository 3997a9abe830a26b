# Token exchange (RFC 8693): what exactly the AS receives, what each of its answers comes to, and how it goes together
# with caching, redirects and introspection.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $type    = 'urn:ietf:params:oauth:token-type:';
my $encoded = 'urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A';
my $grant   = 'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange';
my $on      = 'phantom_token on; phantom_token_exchange_endpoint /_exchange;';
my $api     = 'proxy_pass http://%%API%%;';
my $way     = 'location = /_exchange { internal; proxy_pass http://%%AS%%/token; }';

my $asked_exchange = qr/location "\/", asked location "\/_exchange", its status 400/;

# The body, with what follows the two types.
sub asked {
    my ($token, $more, $requested) = @_;
    return join '&', $grant, "subject_token=$token", "subject_token_type=${encoded}access_token",
        $requested // "requested_token_type=${encoded}jwt", $more // ();
}

# An answer with such claims in the JWT, and such members beside it.
sub traded {
    my ($claims, %members) = @_;
    return {
        json => { access_token => jwt($claims // { sub => 'alice' }), token_type => 'Bearer', expires_in => 300,
                  issued_token_type => "${type}jwt", %members }
    };
}

sub refused {
    my ($error, $description, %more) = @_;
    return {
        status => 400, json => { error => $error, defined $description ? (error_description => $description) : () },
        %more
    };
}

# --- the request -----------------------------------------------------------------------------------------------------

{
    my ($audience, $resource, $scope, $requested) = map { "phantom_token_exchange_$_" }
        qw(audience resource scope requested_token_type);
    # name, at server, at the location, what follows the two types; where it is another, the requested type
    my @rows = (
        ['no parameter',                     '', '', undef],
        ['audience',                         '', "$audience https://api.example.com;",
         'audience=https%3A%2F%2Fapi.example.com'],
        ['audience, several in a line',      '', "$audience b a b;", 'audience=b&audience=a&audience=b'],
        ['audience, repeated, in order',     '', "$audience b; $scope s; $audience a c;",
         'audience=b&audience=a&audience=c&scope=s'],
        ['resource',                         '', "$resource https://r.example/x?y=1;",
         'resource=https%3A%2F%2Fr.example%2Fx%3Fy%3D1'],
        ['resource, repeated, in order',     '', "$resource b a; $resource c;", 'resource=b&resource=a&resource=c'],
        ['scope',                            '', "$scope read;", 'scope=read'],
        ['scope, several in one parameter',  '', "$scope 'read write:*';", 'scope=read+write%3A*'],
        ['scope is not phantom_token_scopes', '', "$scope read; phantom_token_scopes read;", 'scope=read'],
        ['phantom_token_scopes and phantom_token_audience are no parameters',
         '', 'phantom_token_scopes read; phantom_token_audience me;', undef],
        ['requested_token_type',             '', "$requested ${type}access_token;", undef,
         "requested_token_type=${encoded}access_token"],
        ['all, whatever their order',        '', "$scope 'a b'; $resource r; $requested ${type}id_token; $audience a;",
         'audience=a&resource=r&scope=a+b', "requested_token_type=${encoded}id_token"],
        ['& and = add no parameter',         '', "$audience 'a&scope=admin'; $scope 'b&c=d';",
         'audience=a%26scope%3Dadmin&scope=b%26c%3Dd'],
        ['% is encoded once, + is no space', '', "$audience 'a%26b+c';", 'audience=a%2526b%2Bc'],
        ['bytes beyond ASCII',               '', "$audience '\xc3\xa9~';", 'audience=%C3%A9%7E'],
        ['- . _ * stay',                     '', "$audience '-._*';", 'audience=-._*'],
        ['audience inherited',               "$audience far away;", '', 'audience=far&audience=away'],
        ['audience, the nearer wins',        "$audience far away;", "$audience near;", 'audience=near'],
        ['audience emptied',                 "$audience far away;", "$audience '';", undef],
        ['resource inherited',               "$resource far;", '', 'resource=far'],
        ['resource, the nearer wins',        "$resource far;", "$resource near by;", 'resource=near&resource=by'],
        ['resource emptied',                 "$resource far;", "$resource '';", undef],
        ['scope inherited',                  "$scope far;", '', 'scope=far'],
        ['scope, the nearer wins',           "$scope far;", "$scope near;", 'scope=near'],
        ['scope emptied',                    "$scope far;", "$scope '';", undef],
        ['requested_token_type inherited',   "$requested ${type}access_token;", '', undef,
         "requested_token_type=${encoded}access_token"],
        ['requested_token_type, the nearer wins',
         "$requested far;", "$requested ${type}access_token;", undef, "requested_token_type=${encoded}access_token"],
        ['requested_token_type emptied',     "$requested far;", "$requested '';", undef, ''],
        ['one emptied, the others inherited',
         "$audience a; $resource r; $scope s;", "$resource '';", 'audience=a&scope=s'],
        ['one emptied, none inherited',      '', "$audience ''; $resource ''; $scope '';", undef],
    );
    my $gateway = gateway(
        locations => "$on $way location / { return 204; }", http => join "\n", map {
            "server { listen 127.0.0.1:%%PORT%%; server_name r$_; $on $rows[$_][1] $way location / { "
                . "$rows[$_][2] $api location /nested { $api } } }"
        } 0 .. $#rows
    );
    $gateway->as->answers('*' => { json => { access_token => jwt({ sub => 'alice', scope => 'read', aud => 'me' }) } });
    for my $n (0 .. $#rows) {
        my ($name, undef, undef, $more, $requested) = @{ $rows[$n] };
        my $body = asked('alice-token', $more, $requested) =~ s/&&/&/r =~ s/&$//r;
        cases(
            $gateway,
            { name => "request: $name", request => { path => $_, host => "r$n", token => 'alice-token' }, status => 200,
              as => [{ method => 'POST', uri => '/token', body => $body }],
              api => [{ authorization => 'Bearer <jwt>' }] }
        ) for '/', '/nested';
    }

    my %client = (
        method => 'POST', path => '/?grant_type=evil', host => 'r0', body => 'grant_type=evil&subject_token=evil',
        headers => ['Content-Type: application/x-www-form-urlencoded', 'Accept: text/html', 'Cookie: a=b', 'X-A: b',
                    'Accept-Encoding: gzip']
    );
    my %asked  = (
        method => 'POST', uri => '/token', accept => 'application/json',
        content_type => 'application/x-www-form-urlencoded', authorization => undef, cookie => undef, x_a => undef,
        accept_encoding => undef
    );
    cases($gateway,
        { name => 'request: headers: its own and none of the client\'s',
          request => { %client, token => 'alice-token' }, status => 200, as => [
              { %asked, user_agent => 'nginx-phantom-token',
                header_names => [qw(Host Connection Content-Length Accept User-Agent Content-Type)],
                body => asked('alice-token') }
          ],
          api => [{ authorization => 'Bearer <jwt>', cookie => 'a=b', accept => 'text/html',
                    body => 'grant_type=evil&subject_token=evil' }] },
        (map {
            { name => "request: token $_->[0] arrives as sent",
              request => { host => 'r0', token => $_->[0] }, status => 200, as => [{ %asked, body => asked($_->[1]) }] }
        } ['a+b/c==', 'a%2Bb%2Fc%3D%3D'], ['a-b.c_d~e', 'a-b.c_d%7Ee'], ['Zz0-' x 1900, 'Zz0-' x 1900]),
        (map {
            { name => "request: token $_ is malformed, the AS is not asked",
              request => { host => 'r0', headers => ["Authorization: Bearer $_"] }, status => 401, as => 0,
              outcome => 'malformed', challenge => { realm => 'api', error => 'invalid_token' } }
        } 't&audience=evil', 'a%26b', 'a b'),
        { name => 'request: no token, the AS is not asked',
          request => { host => 'r0' }, status => 401, as => 0, outcome => 'missing', challenge => { realm => 'api' } },
    );
    # A JWT of the client's is a token like any other.
    my $inbound = jwt({ sub => 'client' });
    cases(
        $gateway,
        { name => 'request: a JWT of the client\'s is exchanged', request => { host => 'r0', token => $inbound },
          status => 200, as => [{ body => asked($inbound) }], api => [{ authorization => 'Bearer <jwt>' }] }
    );
}

# --- refused by nginx -t ---------------------------------------------------------------------------------------------

{
    my $introspect = 'phantom_token_introspection_endpoint /_introspect;';
    my $other_way  = 'location = /_introspect { internal; proxy_pass http://%%AS%%; }';
    my $both       = qr/phantom_token_introspection_endpoint" and "phantom_token_exchange_endpoint.*remove one/;
    configurations(
        (map { { name => "refused by nginx -t: $_->[0]", locations => $_->[1], refuses => $_->[2] } }
            ['both endpoints in one location',           "$way $other_way location /api { $on $introspect $api }",
             [$both, qr{location "/api"}]],
            ['both endpoints, the other way round',      "$way $other_way location /api { phantom_token on; "
                 . "$introspect phantom_token_exchange_endpoint /_exchange; $api }", $both],
            ['both endpoints where protection is off',   "$way $other_way location /api { phantom_token off; "
                 . "$introspect phantom_token_exchange_endpoint /_exchange; $api }", [$both, qr{location "/api"}]],
            ['both endpoints at server',                 "$way $other_way $on $introspect location /api { $api }",
             [$both, qr{location "/api"}]],
            ['both endpoints in limit_except',
             "$way $other_way location /api { limit_except GET { $on $introspect } $api }", $both],
            ['both endpoints in a nested location',      "$way $other_way location / { $on $api location /api { "
                 . "$introspect phantom_token_exchange_endpoint /_exchange; $api } }", $both],
            ['endpoint that no location matches',        "location /api { $on $api }",
             qr/"phantom_token_exchange_endpoint".*no location.*add "location = \/_exchange/],
            ['endpoint whose location is not internal',  "location /api { $on $api } location = /_exchange { $api }",
             qr/"phantom_token_exchange_endpoint".*clients can reach.*add "internal;"/],
            ['endpoint that is a named location',
             "location /api { phantom_token on; phantom_token_exchange_endpoint \@x; $api } location \@x { $api }",
             qr/"phantom_token_exchange_endpoint".*internal location/],
            ['endpoint that is empty',
             "location /api { phantom_token on; phantom_token_exchange_endpoint ''; $api }",
             qr/"phantom_token_exchange_endpoint".*internal location/],
            ['no endpoint, but exchange parameters',
             "location /api { phantom_token on; phantom_token_exchange_audience a; $api }",
             qr/no "phantom_token_introspection_endpoint"/],
        ),
        (map {
            { name => "refused by nginx -t: $_->[0]",
              locations => "$way location /api { $on $_->[1] $api }", refuses => $_->[2] }
        }
            ['audience with an empty value among others',
             "phantom_token_exchange_audience a '';", qr/"phantom_token_exchange_audience".*empty/],
            ['resource with an empty value among others',
             "phantom_token_exchange_resource '' a;", qr/"phantom_token_exchange_resource".*empty/],
            ['audience with a newline',                   'phantom_token_exchange_audience "a\nb";',
             qr/"phantom_token_exchange_audience".*control characters/],
            ['resource with a tab',                       "phantom_token_exchange_resource 'a\tb';",
             qr/"phantom_token_exchange_resource".*control characters/],
            ['scope with a newline',                      'phantom_token_exchange_scope "a\nb";',
             qr/"phantom_token_exchange_scope"/],
            ['requested_token_type with DEL',             "phantom_token_exchange_requested_token_type 'a\x7f';",
             qr/"phantom_token_exchange_requested_token_type".*control characters/],
            ['scope with a quotation mark (RFC 6749)',    q{phantom_token_exchange_scope 'wr"ite';},
             qr/"phantom_token_exchange_scope"/],
            ['scope with a backslash (RFC 6749)',         q{phantom_token_exchange_scope 'wr\\\\ite';},
             qr/"phantom_token_exchange_scope"/],
            ['scope beyond ASCII (RFC 6749)',             "phantom_token_exchange_scope '\xc3\xa9';",
             qr/"phantom_token_exchange_scope"/],
            ['two scopes lines',
             'phantom_token_exchange_scope a; phantom_token_exchange_scope b;',
             qr/"phantom_token_exchange_scope" directive is duplicate/],
            ['two requested_token_type lines',
             'phantom_token_exchange_requested_token_type a; phantom_token_exchange_requested_token_type b;',
             qr/"phantom_token_exchange_requested_token_type" directive is duplicate/],
            ['two endpoint lines',                        'phantom_token_exchange_endpoint /_exchange;',
             qr/"phantom_token_exchange_endpoint" directive is duplicate/],
            (map { ["exchange_$_ without an argument", "phantom_token_exchange_$_;", qr/"phantom_token_exchange_$_"/] }
                 qw(endpoint audience resource scope requested_token_type)),
            (map {
                ["exchange_$_ with two arguments", "phantom_token_exchange_$_ a b;", qr/"phantom_token_exchange_$_"/]
            } qw(endpoint scope requested_token_type)),
        ),
        (map { { name => "accepted: $_->[0]", locations => $_->[1], accepts => 1, warns => undef } }
            ['exchange over introspection at a nearer level', "$way $other_way phantom_token on; "
                 . "$introspect location /api { phantom_token_exchange_endpoint /_exchange; $api }"],
            ['introspection over exchange at a nearer level', "$way $other_way $on location /api { $introspect $api }"],
            ['exchange parameters where tokens are introspected',
             "$other_way phantom_token_exchange_audience a; location /api { phantom_token on; $introspect $api }"],
            ['both endpoints at server, where none is used',
             "$way $other_way phantom_token_exchange_endpoint /_exchange; $introspect location /api { $api }"],
            ['an endpoint with variables',
             "location /api { phantom_token on; phantom_token_exchange_endpoint /_\$host; $api }"],
        ),
    );
}

# --- responses -------------------------------------------------------------------------------------------------------

my %inactive = (status => 401, outcome => 'inactive', challenge => { realm => 'api', error => 'invalid_token' });
{
    my $gateway = gateway(
        http      => 'upstream refused { server 127.0.0.1:9; }',
        locations => <<"END",
        $way
        location / { $on $api }
        location /typed { $on phantom_token_exchange_requested_token_type urn:example:own; $api }
        location /pass { $on phantom_token_confirmation pass; $api }
        location /small { $on phantom_token_max_response_size 200; $api }
        location /members { $on phantom_token_jwt_member jwt; $api }
        location /refused { phantom_token on; phantom_token_exchange_endpoint /_refused; $api }
        location /slow { phantom_token on; phantom_token_exchange_endpoint /_slow; $api }
        location /jwt-accept { phantom_token on; phantom_token_exchange_endpoint /_accept; $api }
        location /variable { phantom_token on; phantom_token_exchange_endpoint /_\$arg_to; $api }
        location = /_refused { internal; proxy_pass http://refused/token; }
        location = /_slow { internal; proxy_pass http://%%AS%%/token; proxy_read_timeout 200ms; }
        location = /_accept { internal; proxy_pass http://%%AS%%/token; proxy_set_header Accept application/jwt; }
END
    );
    my $jwt = jwt({ sub => 'alice' });
    my %ok  = (status => 200, outcome => 'active', api => [{ authorization => "Bearer $jwt" }]);
    my %bad = (status => 502, outcome => 'as_bad_response');
    my %error = (status => 502, outcome => 'as_error');
    my %client = (
        status => 502, outcome => 'as_refused_client',
        log => qr{\[error\].*as_refused_client.*asked location "/_exchange"}
    );
    my $is = sub { return { json => { access_token => $jwt, @_ } } };
    my $n = 0;
    # name, answer, what comes of it; path
    for my $row (
        # 200
        ['200 with an access_token that is a JWT',         traded(undef, access_token => $jwt), \%ok],
        ['200, nothing but the access_token',              $is->(), \%ok],
        ['200, content type with parameters and in capitals',
         { %{ $is->() }, type => 'Application/JSON; charset=utf-8' }, \%ok],
        ['200, chunked in small pieces',                   { %{ $is->() }, framing => 'chunked', split => 7 }, \%ok],
        ['200, to the end of the connection',
         { %{ $is->() }, framing => 'close', split => 50, drip => 0.001 }, \%ok],
        ['200, access_token last of many members',
         { json => '{"x":[1,{"access_token":"a.b.c"}],"y":{"access_token":1},"access_token":"' . $jwt . '"}' }, \%ok],
        ['200, white space around the JWT',                { json => qq({"access_token":" $jwt\\n"}) }, \%ok],
        ['200, access_token is opaque',
         { json => { access_token => 'opaque', token_type => 'Bearer' } }, \%bad],
        ['200, access_token is a JWT with alg none',
         $is->(access_token => jwt({}, header => { alg => 'none' }, signature => 'x')), \%bad],
        ['200, access_token is a JWT without a signature', $is->(access_token => jwt({}, signature => '')), \%bad],
        ['200, access_token with a header injected',       { json => qq({"access_token":"$jwt\\r\\nX-Evil: 1"}) },
         \%bad],
        ['200, access_token with a space inside',          { json => qq({"access_token":"$jwt x"}) }, \%bad],
        ['200, access_token with duplicate claims',        $is->(access_token => jwt('{"exp":1,"exp":99999999999}')),
         \%bad],
        ['200, access_token is no string',                 { json => qq({"access_token":["$jwt"]}) }, \%bad],
        ['200, access_token is null',                      { json => '{"access_token":null}' }, \%bad],
        ['200, access_token is empty',                     { json => '{"access_token":""}' }, \%bad],
        ['200, no access_token',                           { json => { token_type => 'Bearer' } }, \%bad],
        ['200, introspection\'s members instead',          { json => { active => true, jwt => $jwt } }, \%bad],
        ['200, an id_token instead',                       { json => { id_token => $jwt } }, \%bad],
        ['200, two access_tokens',
         { json => qq({"access_token":"$jwt","access_token":"$jwt"}) }, \%bad],
        ['200, two access_tokens, one escaped',
         { json => qq({"access_token":"opaque","access\\u005ftoken":"$jwt"}) }, \%bad],
        ['200, an array',                                  { json => qq([{"access_token":"$jwt"}]) }, \%bad],
        ['200, JSON and more',                             { json => qq({"access_token":"$jwt"}x) }, \%bad],
        ['200, broken JSON',                               { json => qq({"access_token":"$jwt") }, \%bad],
        ['200, a byte order mark',                         { json => qq(\xef\xbb\xbf{"access_token":"$jwt"}) }, \%bad],
        ['200, empty',                                     { json => '' }, \%bad],
        ['200, bare application/jwt',                      { jwt => $jwt }, \%bad],
        ['200, bare application/jwt though Accept asked for it', { jwt => $jwt }, \%bad, '/jwt-accept'],
        ['200, a JWT as application/json',                 { body => $jwt, type => 'application/json' }, \%bad],
        ['200, JSON as text/html',                         { %{ $is->() }, type => 'text/html' }, \%bad],
        ['200, JSON without a type',                       { body => qq({"access_token":"$jwt"}) }, \%bad],
        ['200, a form',
         { body => "access_token=$jwt", type => 'application/x-www-form-urlencoded' }, \%bad],
        ['200, RFC 9701 around the answer',
         { body => jwt({ token_introspection => { active => true, access_token => $jwt } },
                       header => { alg => 'RS256', typ => 'token-introspection+jwt' }),
           type => 'application/token-introspection+jwt' },
         \%bad],
        ['200, access_token is an introspection response',
         $is->(access_token => jwt({ token_introspection => { active => true } },
                                   header => { alg => 'RS256', typ => 'token-introspection+jwt' })),
         \%bad],
        ['200, access_token with the claim active: false', $is->(access_token => jwt({ active => false })), \%inactive],
        ['200 with error in it is a success without access_token', { json => { error => 'invalid_grant' } }, \%bad],
        ['200, jwt_member means nothing here',             $is->(jwt => jwt({ sub => 'evil' })), \%ok, '/members'],
        # issued_token_type (RFC 8693 section 2.2.1)
        ['issued_token_type jwt',                          $is->(issued_token_type => "${type}jwt"), \%ok],
        ['issued_token_type access_token',                 $is->(issued_token_type => "${type}access_token"), \%ok],
        ['issued_token_type null counts as absent',        $is->(issued_token_type => undef), \%ok],
        ['issued_token_type as requested',                 $is->(issued_token_type => 'urn:example:own'), \%ok,
         '/typed'],
        ['issued_token_type another one',                  $is->(issued_token_type => 'urn:example:own'), \%bad],
        ['issued_token_type refresh_token',                $is->(issued_token_type => "${type}refresh_token"), \%bad],
        ['issued_token_type id_token',                     $is->(issued_token_type => "${type}id_token"), \%bad],
        ['issued_token_type saml2',                        $is->(issued_token_type => "${type}saml2"), \%bad],
        ['issued_token_type empty',                        $is->(issued_token_type => ''), \%bad],
        ['issued_token_type an array',                     $is->(issued_token_type => ["${type}jwt"]), \%bad],
        # token_type, cnf
        ['token_type N_A (RFC 8693)',                      $is->(token_type => 'N_A'), \%ok],
        ['token_type refresh_token is inactive',           $is->(token_type => 'refresh_token'), \%inactive],
        ['token_type DPoP is bound',                       $is->(token_type => 'DPoP'),
         { %inactive, outcome => 'bound' }],
        ['token_type dpop is bound',                       $is->(token_type => 'dpop'),
         { %inactive, outcome => 'bound' }],
        ['cnf in the response is bound',                   $is->(cnf => { jkt => 'x' }),
         { %inactive, outcome => 'bound' }],
        ['cnf in the JWT is bound',                        $is->(access_token => jwt({ cnf => { 'x5t#S256' => 'x' } })),
         { %inactive, outcome => 'bound' }],
        ['token_type DPoP with phantom_token_confirmation pass', $is->(token_type => 'DPoP'), \%ok, '/pass'],
        # 400
        ['400 invalid_request is inactive',                refused('invalid_request', 'subject_token is not active'),
         { %inactive, log => qr/\[warn\].*inactive.*: subject_token is not active, $asked_exchange/ }],
        ['400 invalid_grant is inactive',                  refused('invalid_grant', 'expired'),
         { %inactive, log => qr/\[warn\].*: expired, location/ }],
        ['400 invalid_request without a description',      refused('invalid_request'),
         { %inactive, log => qr/\[warn\].*invalid_request/ }],
        ['400 invalid_grant with an empty description',    refused('invalid_grant', ''),
         { %inactive, log => qr/\[warn\].*invalid_grant/ }],
        ['400 invalid_grant with a description that is no string',
         refused('invalid_grant', { a => 1 }), { %inactive, log => qr/\[warn\].*invalid_grant/ }],
        ['400 invalid_grant with a charset',
         refused('invalid_grant', 'x', type => 'application/json;charset=UTF-8'), \%inactive],
        ['400 invalid_scope is a missing scope',           refused('invalid_scope', 'beyond'),
         { status => 403, outcome => 'insufficient_scope',
           challenge => { realm => 'api', error => 'insufficient_scope' }, log => qr/insufficient_scope.*beyond/ }],
        ['400 invalid_target',                             refused('invalid_target', 'unknown audience'),
         { %error, log => qr/\[error\].*unknown audience/ }],
        ['400 unsupported_grant_type',                     refused('unsupported_grant_type'),
         { %error, log => qr/\[error\].*unsupported_grant_type/ }],
        ['400 server_error',                               refused('server_error'), \%error],
        ['400 invalid_client',                             refused('invalid_client'), { status => 502 }],
        ['400 unauthorized_client',                        refused('unauthorized_client'), { status => 502 }],
        ['400 with an error in capitals',                  refused('INVALID_GRANT'), \%error],
        ['400 with an error that is no string',            { status => 400, json => { error => ['invalid_grant'] } },
         \%error],
        ['400 with two errors',
         { status => 400, json => '{"error":"invalid_grant","error":"server_error"}' }, \%error],
        ['400 without error',                              { status => 400, json => {} }, \%error],
        ['400 with a good answer in it',                   { %{ $is->() }, status => 400 }, \%error],
        ['400 with HTML',
         { status => 400, body => '<p>invalid_grant', type => 'text/html' }, \%error],
        ['400, empty',                                     { status => 400, body => '' }, \%error],
        ['400 invalid_grant as text/plain',                refused('invalid_grant', 'x', type => 'text/plain'),
         \%error],
        ['400 invalid_grant, gzip',
         refused('invalid_grant', 'x', headers => ['Content-Encoding: gzip']), { status => 502 }],
        ['400 invalid_grant, cut short',                   refused('invalid_grant', 'x', cut => 20),
         { status => 502, log => qr/prematurely closed/ }],
        ['400 invalid_grant, larger than the limit',       refused('invalid_grant', 'x' x 400), { status => 502 },
         '/small'],
        # other statuses
        ['401',                                            { status => 401, json => { error => 'invalid_client' } },
         \%client],
        ['401 with WWW-Authenticate',
         { status => 401, headers => ['WWW-Authenticate: Basic realm="as"'], json => { error => 'invalid_client' } },
         \%client],
        ['401 invalid_grant',                              { status => 401, json => { error => 'invalid_grant' } },
         \%client],
        ['403',                                            { status => 403, body => 'no' }, \%client],
        ['429 keeps Retry-After',                          { status => 429, headers => ['Retry-After: 7'] },
         { status => 503, outcome => 'as_busy', headers => { 'Retry-After' => 7 } }],
        ['503 keeps Retry-After',
         { status => 503, headers => ['Retry-After: Fri, 31 Dec 2027 23:59:59 GMT'] },
         { status => 503, outcome => 'as_busy', headers => { 'Retry-After' => 'Fri, 31 Dec 2027 23:59:59 GMT' } }],
        ['503 without it',                                 { status => 503 },
         { status => 503, outcome => 'as_busy', headers => { 'Retry-After' => undef } }],
        ['504 of the AS\'s own',                           { status => 504 },
         { status => 504, outcome => 'as_timeout' }],
        ['504: it says nothing',                           { raw => [['hang']] },
         { status => 504, outcome => 'as_timeout', log => qr/timed out/ }, '/slow'],
        ['504: it stops in the body',
         { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"access",
                   ['hang']] },
         { status => 504, outcome => 'as_timeout', log => qr/timed out/ }, '/slow'],
        ['204 is no answer to an exchange',                { status => 204 }, \%bad],
        (map { ["$_ with a good answer in it", { %{ $is->() }, status => $_ }, \%bad] } 201, 202, 206),
        (map { ["$_ with a good answer in it", { %{ $is->() }, status => $_ }, \%error] }
             300, 302, 404, 405, 422, 500, 502),
        ['302 to another place',
         { status => 302, headers => ['Location: http://127.0.0.1:9/'] }, \%error],
        # the body
        ['200, gzip',                                      { %{ $is->() }, headers => ['Content-Encoding: gzip'] },
         \%bad],
        ['200, cut short',                                 { %{ $is->() }, cut => 30 },
         { %bad, log => qr/prematurely closed/ }],
        ['200, larger than the limit',                     $is->(more => 'x' x 300), \%bad, '/small'],
        ['200, larger than the limit, chunked',
         { %{ $is->(more => 'x' x 300) }, framing => 'chunked', split => 50 }, \%bad, '/small'],
        ['garbage',                                        { raw => ["garbage\r\n\r\n", ['close']] },
         { status => 502, log => qr/no valid HTTP/ }],
        ['reset',                                          { raw => [['reset']] },
         { %error, log => qr/reset by peer|prematurely closed/ }],
        ['connection refused',                             $is->(), { %error, as => 0, log => qr/Connection refused/ },
         '/refused'],
        ['X-Accel-Redirect is no way round',               { %{ $is->() }, headers => ['X-Accel-Redirect: /open'] },
         { status => 502 }],
    ) {
        my ($name, $answer, $case, $path) = @{$row};
        my $token = 'response-token-' . ++$n;
        cases(
            $gateway,
            { name => "response: $name", request => { path => $path // '/', token => $token },
              answers => { $token => $answer }, as => 1, %{$case} }
        );
    }
    cases($gateway,
        { name => 'response: the endpoint\'s variables choose, and the request is an exchange',
          request => { path => '/variable?to=exchange', token => 'variable-token' },
          answers => { 'variable-token' => $is->() }, %ok, as => [{ body => asked('variable-token') }] },
        { name => 'response: the endpoint\'s variables lead nowhere',
          request => { path => '/variable?to=nowhere', token => 'variable-token' }, status => 500,
          outcome => 'misconfigured', as => 0 },
        { name => 'response: the endpoint is no client\'s',
          request => { path => '/_exchange', token => 'variable-token' }, status => 404, as => 0, api => 0 },
        { name => 'response: HEAD', request => { method => 'HEAD', token => 'head-token' },
          answers => { 'head-token' => refused('invalid_grant') }, %inactive, as => [{ method => 'POST' }] },
    );
}

# --- the log line of a refused exchange ------------------------------------------------------------------------------

{
    my $gateway = gateway(locations => "$way location / { $on $api }", log_level => 'debug');
    my $token = 'Secret+Token/of.Alice~1==';
    my $line_of = sub {
        my ($answer) = @_;
        my $from = $gateway->log->position;
        $gateway->as->answers($token => $answer);
        is $gateway->get('/', token => $token)->status, 401, 'log: 401';
        my @lines = grep { /phantom token/ && !/\[debug\]/ } $gateway->log->lines($from);
        is scalar @lines, 1, 'log: one line' or diag join "\n", @lines;
        return $lines[0] // '';
    };
    for my $error (qw(invalid_request invalid_grant)) {
        like $line_of->(refused($error, 'The subject_token is not valid.')),
            qr/\[warn\].*phantom token: inactive: .*: The subject_token is not valid\., $asked_exchange/,
            "log: $error: a warning with error_description";
    }
    for my $control (map { chr } 0x01 .. 0x1f, 0x7f) {
        my $line = $line_of->(refused('invalid_grant', "one${control}two"));
        like $line, qr/one[^\x00-\x1f\x7f]*two/, sprintf 'log: control character %02x is replaced', ord $control;
    }
    # Also one that the JSON hides.
    for my $text (
        '\u0000', '\u000a2026/01/01 00:00:00 [error] forged', '\u001b[31m', '\r\n\r\n', '\u0085', '\u202e',
        '\ud83d\ude00', "\xc2\x9b31m"
    ) {
        my $line =
        $line_of->({ status => 400, json => qq({"error":"invalid_grant","error_description":"one${text}two"}) });
        like $line, qr/^\d{4}[\x20-\x7e]*one[\x20-\x7e]*two[\x20-\x7e]*$/,
            "log: $text is replaced by something printable";
    }
    like $line_of->(refused('invalid_grant', '%s%s%n%V %%')), qr/: %s%s%n%V %%, location/, 'log: no format of its own';
    {
        my $line = $line_of->(refused('invalid_grant', 'begin ' . 'x' x 20_000 . ' end'));
        like $line, qr/begin x/, 'log: a long description begins';
        cmp_ok length $line, '<', 1000, 'log: and is shortened';
        unlike $line, qr/ end/, 'log: its end is left out';
        like $line, qr/asked location "\/_exchange"/, 'log: what follows is there';
    }
    # The token may stand anywhere, also where the text is cut.
    for my $text (
        $token, "the token $token is not known", "$token$token", "$token first, last $token", "'$token',",
        (map { 'x' x $_ . $token } 150, 190, 195, 199, 200), 'x' x 199 . $token x 20
    ) {
        my $line = $line_of->(refused('invalid_request', $text));
        unlike $line, qr/\Q$token\E|Secret|Alice/, 'log: the token is blotted out: ' . substr $text, -40;
    }
    unlike $line_of->(
        { status => 400, json => { error => 'invalid_grant', error_description => '', token => $token } }
    ), qr/Secret/, 'log: other members are not logged';
    # Where there is no description, the error is what is logged.
    my $from = $gateway->log->position;
    $gateway->as->answers($token => { status => 400, json => { error => "$token\n" . 'y' x 5000 } });
    is $gateway->get('/', token => $token)->status, 502, 'log: an error that is none';
    my ($line) = grep { /\[error\].*as_error/ } $gateway->log->lines($from);
    ok defined $line && $line !~ /Secret/ && $line =~ /yyy.*its status 400/ && length $line < 1000,
        'log: the same goes for error itself' or diag $line;
    is_deeply [grep { /\Q$token\E|Secret\+Token/ } $gateway->log->own_lines], [],
        'log: no line of the module\'s own has the token, at debug either';
    # An introspection's inactive token is the client's own mistake, not a warning.
    my $plain = gateway();
    cases(
        $plain,
        { name => 'log: introspection: inactive is no warning', request => { token => 'gone-token' },
          answers => { 'gone-token' => { status => 204 } }, %inactive, no_log => qr/\[(?:warn|error)\].*phantom token/ }
    );
}

# --- claims ----------------------------------------------------------------------------------------------------------

{
    my $gateway = gateway(locations => <<"END");
        $way
        $on
        location /plain { $api }
        location /scope { phantom_token_scopes "read write"; $api }
        location /any { phantom_token_scopes "admin invoice_*"; phantom_token_scope_match any; $api }
        location /iss { phantom_token_issuer https://as https://other; $api }
        location /aud { phantom_token_audience api; $api }
        location /leeway { phantom_token_leeway 1h; $api }
        location /jwt { add_header X-Jwt \$phantom_token_jwt; add_header X-Sub \$phantom_token_sub;
                        add_header X-Scope \$phantom_token_scope; add_header X-Type \$phantom_token_claim_token_type;
                        $api }
END
    my %ok    = (status => 200, outcome => 'active', api => [{ authorization => 'Bearer <jwt>' }]);
    my $wrong = sub {
        return (status => 401, outcome => $_[0], challenge => { realm => 'api', error => 'invalid_token' });
    };
    my %scope = (
        status => 403, outcome => 'insufficient_scope',
        challenge => { realm => 'api', scope => 'read write', error => 'insufficient_scope' }
    );
    my $n = 0;
    for my $row (
        ['scopes of the JWT',                        '/scope', traded({ scope => 'write read' }), \%ok],
        ['scopes of the JWT: scp, an array',         '/scope', traded({ scp => ['read', 'write'] }), \%ok],
        ['scopes of the JWT: one is missing',        '/scope', traded({ scope => 'read' }), \%scope],
        ['scopes: none anywhere',                    '/scope', traded({}), \%scope],
        ['scopes of the answer before the JWT\'s',   '/scope', traded({ scope => 'read' }, scope => 'read write'),
         \%ok],
        ['scopes of the answer before the JWT\'s, fewer',
         '/scope', traded({ scope => 'read write' }, scope => 'read'), \%scope],
        ['scopes of the answer, empty',              '/scope', traded({ scope => 'read write' }, scope => ''), \%scope],
        ['scopes: any, a prefix',                    '/any',   traded({ scope => 'invoice_read' }), \%ok],
        ['scopes: any, none',                        '/any',   traded({ scope => 'read invoice' }),
         { %scope, challenge => { realm => 'api', scope => 'admin invoice_*', error => 'insufficient_scope' } }],
        ['iss',                                      '/iss',   traded({ iss => 'https://other' }), \%ok],
        ['iss wrong',                                '/iss',   traded({ iss => 'https://evil' }),
         { $wrong->('issuer') }],
        ['iss absent',                               '/iss',   traded({}), { $wrong->('issuer') }],
        ['iss in the answer alone does not count',   '/iss',   traded({}, iss => 'https://as'), { $wrong->('issuer') }],
        ['iss in the answer must hold too',          '/iss',   traded({ iss => 'https://as' }, iss => 'https://evil'),
         { $wrong->('issuer') }],
        ['aud, an array',                            '/aud',   traded({ aud => ['x', 'api'] }), \%ok],
        ['aud wrong',                                '/aud',   traded({ aud => ['x', 'apis'] }),
         { $wrong->('audience') }],
        ['aud in the answer must hold too',          '/aud',   traded({ aud => 'api' }, aud => 'x'),
         { $wrong->('audience') }],
        ['exp ahead',                                '/plain', traded({ exp => time + 600 }), \%ok],
        ['exp past',                                 '/plain', traded({ exp => time - 1 }), { $wrong->('expired') }],
        ['exp past in the answer',                   '/plain', traded({ exp => time + 600 }, exp => time - 1),
         { $wrong->('expired') }],
        ['exp 0',                                    '/plain', traded({ exp => 0 }), { $wrong->('expired') }],
        ['exp past, within the leeway',              '/leeway', traded({ exp => time - 600 }), \%ok],
        ['exp a string',                             '/plain', traded({ exp => '99999999999' }),
         { status => 502, outcome => 'as_bad_response' }],
        ['nbf ahead',                                '/plain', traded({ nbf => time + 600 }),
         { $wrong->('not_yet_valid') }],
        ['expires_in is no rule',                    '/plain', traded({}, expires_in => -1), \%ok],
        ['variables',                                '/jwt',
         traded({ sub => 'alice' }, scope => 'read', token_type => 'N_A'),
         { %ok, headers => { 'X-Jwt' => '<jwt>', 'X-Sub' => 'alice', 'X-Scope' => 'read', 'X-Type' => 'N_A' } }],
    ) {
        my ($name, $path, $answer, $case) = @{$row};
        my $token = 'claims-token-' . ++$n;
        cases(
            $gateway,
            { name => "claims: $name",
              request => { path => $path, token => $token }, answers => { $token => $answer }, as => 1, %{$case} }
        );
    }
}

# --- caching ---------------------------------------------------------------------------------------------------------

{
    my %parameters = (
        plain    => '', audience => 'phantom_token_exchange_audience a;',
        audience2 => 'phantom_token_exchange_audience a b;', audience3 => 'phantom_token_exchange_audience b a;',
        audience4 => 'phantom_token_exchange_audience ab;',
        resource => 'phantom_token_exchange_resource a;',
        both => 'phantom_token_exchange_audience a; phantom_token_exchange_resource a;',
        resource2 => 'phantom_token_exchange_resource b;',
        scope    => 'phantom_token_exchange_scope a;', scope2 => 'phantom_token_exchange_scope "a b";',
        type => "phantom_token_exchange_requested_token_type ${type}access_token;",
        named    => 'phantom_token_exchange_audience audience b;',
        introspection => 'phantom_token_introspection_endpoint /_introspect;',
        arguments => 'phantom_token_exchange_endpoint /_exchange?a=b;',
    );
    my $cache   =
        'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;';
    my $gateway = gateway(
        clock     => 'time',
        http      =>
            'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; proxy_cache_path %%DIR%%/other keys_zone=others:1m;',
        log       => { key => 'phantom_token_key' },
        locations => <<"END" . join "\n", map { "location /$_/ { $parameters{$_} $api }" } sort keys %parameters);
        $on
        location = /_exchange { internal; proxy_pass http://%%AS%%/token; $cache }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; $cache }
        location = /_default { internal; proxy_pass http://%%AS%%/token; proxy_cache others; proxy_cache_methods POST;
                               proxy_cache_valid 200 1h; }
        location = /_body { internal; proxy_pass http://%%AS%%/token; proxy_cache others; proxy_cache_methods POST;
                            proxy_cache_key \$request_uri\$request_body; proxy_cache_valid 200 1h; }
        location /copy/ { $api }
        location /default/ { phantom_token_exchange_endpoint /_default; $api }
        location /body/ { phantom_token_exchange_endpoint /_body; $api }
        location /rules/ { phantom_token_scopes read; $api }
        location /harsh/ { phantom_token_scopes write; $api }
END
    my ($as, $uncached) = ($gateway->as, 0);
    $as->answers(
        'alice-token' => {
            json => { active => true, jwt => jwt({ sub => 'introspected' }), access_token => jwt({ sub => 'traded' }) }
        }
    );
    my %key;
    for my $name (sort keys %parameters) {
        my $response = $gateway->get("/$name/", token => 'alice-token');
        is $response->status, 200, "cache: $name";
        my $line = $gateway->logged($response);
        is $line->{cache}, 'MISS', "cache: $name: the answer for other parameters does not count";
        push @{ $key{ $line->{key} } }, $name;
        is $gateway->logged($gateway->get("/$name/", token => 'alice-token'))->{cache}, 'HIT',
            "cache: $name: the second time";
    }
    is_deeply [grep { @{$_} > 1 } values %key], [],
        'cache: key: differs by every exchange parameter, the way and the endpoint';
    is scalar(grep { /^[0-9a-f]{64}$/ } keys %key), scalar keys %parameters, 'cache: key: hex SHA-256';
    is scalar($as->requests), scalar keys %parameters, 'cache: the AS was asked once for each';
    is((map { jwt_claims($_)->{sub} } $_->[1])[0], $_->[2], "cache: $_->[0]: the right JWT") for map {
        my $path = $_->[0];
        $gateway->api->forget_requests;
        $gateway->get("/$path/", token => 'alice-token');
        [$path, ($gateway->api->requests)[0]->header('Authorization') =~ /^Bearer (.*)/, $_->[1]]
    } ['plain', 'traded'], ['introspection', 'introspected'];

    my %alice = (token => 'bob-token');
    cases($gateway,
        { name => 'cache: the API\'s location is no part of the key',
          request => { path => '/copy/', token => 'alice-token' }, status => 200, as => 0, cache => 'HIT' },
        { name => 'cache: another token',
          request => { path => '/plain/', %alice }, answers => { 'bob-token' => traded({ scope => 'read' }) },
          status => 200, as => 1, cache => 'MISS', api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'cache: rules hold for a cached answer',
          request => { path => '/rules/', %alice }, status => 200, as => 0, cache => 'HIT' },
        { name => 'cache: rules of another location too', request => { path => '/harsh/', %alice }, status => 403,
          as => 0, cache => 'HIT', outcome => 'insufficient_scope' },
        { name => 'cache: the default key is refused',
          request => { path => '/default/', %alice }, status => 500, outcome => 'misconfigured',
          log => qr{\[error\].*misconfigured.*proxy_cache_key \$phantom_token_key;".*location "/default/"} },
        { name => 'cache: a key with the whole body',
          request => { path => '/body/', %alice }, status => 200, as => 1, cache => 'MISS' },
        { name => 'cache: a key with the whole body, again',
          request => { path => '/body/', %alice }, status => 200, as => 0, cache => 'HIT' },
        { name => 'cache: errors are not kept', request => { path => '/plain/', token => 'gone-token' },
          answers => { 'gone-token' => [refused('invalid_grant'), traded()] }, status => 401, as => 1 },
        { name => 'cache: so that the token may be good next time',
          request => { path => '/plain/', token => 'gone-token' }, status => 200, as => 1 },
    );
    $as->answers('short-token' => traded({ exp => time + 600 }, expires_in => 600));
    is $gateway->get('/plain/', token => 'short-token')->status, 200, 'cache: a token that expires soon';
    $as->forget_requests;
    $gateway->advance(300);
    is $gateway->get('/plain/', token => 'short-token')->status, 200, 'cache: not before it expires';
    $gateway->advance(301);
    is $gateway->get('/plain/', token => 'short-token')->status, 401,
        'cache: a token that expires while its answer is cached';
    is scalar($as->requests), 0, 'cache: the AS is not asked for that';
    is scalar(
        grep {
            my $file = $_;
            open my $in, '<:raw', $file or die $!;
            local $/ = undef;
            <$in> =~ /(?:alice|bob|short)-token/
        } grep { -f } glob $gateway->folder . '/cache/*'
    ), 0, 'cache: no file holds the client\'s token';
}

# --- nearer endpoints, and redirects between the two ways ------------------------------------------------------------

{
    my $introspection = 'phantom_token_introspection_endpoint /_introspect;';
    my $exchange      = 'phantom_token_exchange_endpoint /_exchange;';
    my $then = sub { return "proxy_intercept_errors on; error_page 500 = $_[0]; $api" };
    my $gateway = gateway(locations => <<"END", server => 'port_in_redirect off;');
        phantom_token on;
        $exchange
        $way
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location /outer/ {
            $api
            location /outer/introspected/ {
                $introspection $api
                location /outer/introspected/traded/ { $exchange $api }
            }
        }
        location /near/ { $introspection $api location /near/traded/ { $exchange $api } }
        location /except/ { limit_except GET { $introspection } $api }
        location /traded/ { $api }
        location /introspected/ { $introspection $api }
        location /first/traded/then/introspected/ { @{[ $then->('/introspected/') ]} }
        location /first/introspected/then/traded/ { $introspection @{[ $then->('/traded/') ]} }
        location /first/traded/then/traded/ { @{[ $then->('/traded/') ]} }
        location /first/traded/then/other/ { @{[ $then->('/other/') ]} }
        location /first/traded/then/strict/ { @{[ $then->('/strict/') ]} }
        location /first/traded/then/named/ { @{[ $then->('@named') ]} }
        location /first/traded/then/back/ { proxy_intercept_errors on; recursive_error_pages on;
                                            error_page 500 = /middle/; $api }
        location /middle/ { $introspection proxy_intercept_errors on; recursive_error_pages on;
                            error_page 500 = /traded/; $api }
        location \@named { $introspection $api }
        location /other/ { phantom_token_exchange_audience other; $api }
        location /strict/ { $introspection phantom_token_scopes admin; $api }
        location /try/ { root %%DIR%%/nothing; try_files \$uri /introspected/; }
        location /try-off/ { phantom_token off; root %%DIR%%/nothing; try_files \$uri /introspected/; }
        location /accel/ { $api }
END
    my ($traded, $introspected) = map { jwt({ sub => $_, scope => 'read' }) } qw(traded introspected);
    my %answer = (json => { active => true, jwt => $introspected, access_token => $traded });
    $gateway->as->answers(
        'alice-token' => {%answer}, 'half-token' => { json => { active => false, access_token => $traded } },
        'other-half-token' => { json => { active => true, jwt => $introspected } }
    );
    my $exchanged = { uri => '/token',      accept => 'application/json', body => asked('alice-token') };
    my $asked     = {
        uri => '/introspect', accept => 'application/jwt',  body => 'token=alice-token&token_type_hint=access_token'
    };
    my $got = sub { return { authorization => "Bearer $_[0]" } };
    for my $row (
        ['at server',                                  'GET',  '/outer/',                     [$exchanged], [$traded]],
        ['introspection nearer than exchange',         'GET',  '/outer/introspected/',        [$asked],
         [$introspected]],
        ['exchange nearer than that',                  'GET',  '/outer/introspected/traded/', [$exchanged], [$traded]],
        ['introspection at the location',              'GET',  '/near/',                      [$asked],
         [$introspected]],
        ['exchange in a nested location',              'GET',  '/near/traded/',               [$exchanged], [$traded]],
        ['limit_except: GET',                          'GET',  '/except/',                    [$exchanged], [$traded]],
        ['limit_except: POST',                         'POST',
         '/except/',                    [$asked],     [$introspected]],
    ) {
        my ($name, $method, $path, $as, $api_saw) = @{$row};
        cases(
            $gateway,
            { name => "nearer endpoint: $name", request => { method => $method, path => $path, token => 'alice-token' },
              status => 200, as => $as, api => [map { $got->($_) } @{$api_saw}] }
        );
    }

    $gateway->api->answers(
        map { ("/first/traded/then/$_/" => { status => 500 }) } qw(introspected traded other strict back)
    );
    $gateway->api->answers(
        '/first/traded/then/named/' => [{ status => 500 }, { status => 200 }],
        '/first/introspected/then/traded/' => { status => 500 }, '/middle/' => { status => 500 },
        '/accel/' => { headers => ['X-Accel-Redirect: /introspected/'] },
        '/accel/traded' => { headers => ['X-Accel-Redirect: /traded/'] }
    );
    for my $row (
        ['exchange, then introspection: the original token',
         '/first/traded/then/introspected/', [$exchanged, $asked], [$traded, $introspected]],
        ['introspection, then exchange: the original token',
         '/first/introspected/then/traded/', [$asked, $exchanged], [$introspected, $traded]],
        ['exchange, then the same exchange: asked once',     '/first/traded/then/traded/', [$exchanged],
         [$traded, $traded]],
        ['exchange, then one with other parameters',         '/first/traded/then/other/',
         [$exchanged, { body => asked('alice-token', 'audience=other') }], [$traded, $traded]],
        ['exchange, then introspection in a named location',
         '/first/traded/then/named/', [$exchanged, $asked], [$traded, $introspected]],
        ['exchange, introspection, exchange',                '/first/traded/then/back/',
         [$exchanged, $asked, $exchanged], [$traded, $introspected, $traded]],
        ['try_files from exchange to introspection',         '/try/x', [$exchanged, $asked], [$introspected]],
        ['try_files from no protection to introspection',    '/try-off/x', [$asked], [$introspected]],
        ['X-Accel-Redirect of the API to introspection',     '/accel/', [$exchanged, $asked], [$traded, $introspected]],
        ['X-Accel-Redirect of the API to the same exchange', '/accel/traded', [$exchanged], [$traded, $traded]],
    ) {
        my ($name, $path, $as, $api_saw) = @{$row};
        cases(
            $gateway,
            { name => "redirect: $name", request => { path => $path, token => 'alice-token' }, status => 200,
              outcome => 'active', as => $as, api => [map { $got->($_) } @{$api_saw}] }
        );
    }
    cases($gateway,
        { name => 'redirect: exchanged, then inactive by introspection',
          request => { path => '/first/traded/then/introspected/', token => 'half-token' }, status => 401,
          outcome => 'inactive', as => 2, api => [$got->($traded)],
          challenge => { realm => 'api', error => 'invalid_token' } },
        { name => 'redirect: active by introspection, then no exchange',
          request => { path => '/first/introspected/then/traded/', token => 'other-half-token' }, status => 502,
          outcome => 'as_bad_response', as => 2, api => [$got->($introspected)] },
        { name => 'redirect: exchanged, then the other location\'s scopes',
          request => { path => '/first/traded/then/strict/', token => 'alice-token' },
          status => 403, outcome => 'insufficient_scope', as => 2, api => [$got->($traded)],
          challenge => { realm => 'api', scope => 'admin', error => 'insufficient_scope' } },
    );
}

# --- a real server: oidc-provider ------------------------------------------------------------------------------------

{
    my $as     = real_server('oidc-provider');
    my $folder = temporary_folder();
    my $client = sub {
        my ($name, $secret, $auth) = @_;
        my $file = "$folder/$name-" . ($auth // 'basic') . '-' . length $secret;
        open my $out, '>', $file or die $!;
        print {$out} "$secret\n";
        close $out;
        chmod oct 600, $file;
        return "phantom_token_client_id $name; phantom_token_client_secret_file $file;"
            . (defined $auth ? " phantom_token_client_auth $auth;" : '');
    };
    my %way = (
        plain     => '', audience => 'phantom_token_exchange_audience https://orders.example.com; '
            . 'phantom_token_audience https://orders.example.com; phantom_token_exchange_scope read;',
        resource  =>
            'phantom_token_exchange_resource https://jwt.example.com; phantom_token_audience https://jwt.example.com;',
        scope => 'phantom_token_exchange_scope read;',
        narrow => 'phantom_token_exchange_scope read; phantom_token_scopes write;',
        type      => "phantom_token_exchange_requested_token_type ${type}access_token;",
        'wrong-type' => "phantom_token_exchange_requested_token_type ${type}saml2;",
        unknown => 'phantom_token_exchange_audience https://nobody.example.com;',
        beyond    => 'phantom_token_exchange_scope "read admin"; phantom_token_scopes read;',
        odd => $client->('gateway-odd', 'o+d d%/&=s'), 'odd-post' => $client->('gateway-odd', 'o+d d%/&=s', 'post'),
        wrong     => $client->('gateway', 'wrong'), grantless => $client->('gateway-9701', 'gateway-9701-secret'),
        'other-audience' => 'phantom_token_audience https://orders.example.com;',
        issuer    => 'phantom_token_issuer http://%%AS%%;',
        'two' => 'phantom_token_exchange_audience https://api.example.com https://orders.example.com;',
    );
    my $gateway = gateway(servers => { AS => $as },
        locations => join "\n", "$on @{[ $client->('gateway', 'gateway-secret') ]} "
            . "location = /_exchange { internal; proxy_pass http://%%AS%%@{[ $as->path('token') ]}; }",
        map { "location /$_/ { $way{$_} $api }" } sort keys %way);
    my $token = $as->token(scope => 'read write');
    # path, aud and scope of the JWT that the API gets
    for my $row (['plain', 'https://api.example.com', 'read write'], ['audience', 'https://orders.example.com', 'read'],
        ['resource', 'https://jwt.example.com', 'read write'], ['scope', 'https://api.example.com', 'read'],
        ['type', 'https://api.example.com', 'read write'], ['odd', 'https://api.example.com', 'read write'],
        ['odd-post', 'https://api.example.com', 'read write'], ['issuer', 'https://api.example.com', 'read write']) {
        my ($path, $audience, $scope) = @{$row};
        cases(
            $gateway,
            { name => "oidc-provider: $path", request => { path => "/$path/", token => $token }, status => 200,
              outcome => 'active', api => [{ authorization => qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/ }] }
        );
        my ($jwt) = (($gateway->api->requests)[0]->header('Authorization') // '') =~ /^Bearer (.*)/;
        my $claims = eval { jwt_claims($jwt) } // {};
        is_deeply [@{$claims}{qw(aud scope client_id sub)}],
            [$audience, $scope, $path =~ /^odd/ ? 'gateway-odd' : 'gateway', 'app'],
            "oidc-provider: $path: the JWT is for that audience and scope";
    }
    my %scope = (status => 403, outcome => 'insufficient_scope');
    cases($gateway,
        { name => 'oidc-provider: a narrower JWT has the narrower scope',
          request => { path => '/narrow/', token => $token }, %scope,
          challenge => { realm => 'api', scope => 'write', error => 'insufficient_scope' } },
        { name => 'oidc-provider: scope beyond the token\'s (invalid_scope)',
          request => { path => '/beyond/', token => $token }, %scope,
          challenge => { realm => 'api', scope => 'read', error => 'insufficient_scope' },
          log => qr/insufficient_scope.*beyond the subject_token.*its status 400/ },
        { name => 'oidc-provider: an unknown audience (invalid_target)',
          request => { path => '/unknown/', token => $token }, status => 502, outcome => 'as_error',
          log => qr/\[error\].*as_error.*its status 400/ },
        { name => 'oidc-provider: two audiences are beyond it',
          request => { path => '/two/', token => $token }, status => 502, outcome => 'as_error' },
        { name => 'oidc-provider: the JWT is for another audience',
          request => { path => '/other-audience/', token => $token }, status => 401, outcome => 'audience' },
        { name => 'oidc-provider: a token that nobody knows',
          request => { path => '/plain/', token => 'nobody-knows-this' }, %inactive,
          log => qr/\[warn\].*inactive.*subject_token is not active.*its status 400/ },
        { name => 'oidc-provider: the wrong secret',
          request => { path => '/wrong/', token => $token }, status => 502, outcome => 'as_refused_client',
          log => qr{\[error\].*as_refused_client.*asked location "/_exchange", its status 401} },
        # It answers invalid_request, as it does for a bad token; so the log has to tell.
        { name => 'oidc-provider: a client without the grant', request => { path => '/grantless/', token => $token },
          %inactive, log => qr/\[warn\].*grant type is not allowed.*its status 400/ },
        { name => 'oidc-provider: a requested type that it does not know',
          request => { path => '/wrong-type/', token => $token }, %inactive,
          log => qr/\[warn\].*unsupported requested_token_type/ },
    );
    $as->revoke($token);
    cases(
        $gateway,
        { name => 'oidc-provider: a revoked token', request => { path => '/plain/', token => $token }, %inactive,
          log => qr/\[warn\].*subject_token is not active/ }
    );
}

done_testing;
