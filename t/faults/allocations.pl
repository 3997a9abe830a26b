# Every allocation along a request fails once: nginx's, the module's, the libraries'. For each kind of request and each
# N, the N-th allocation that the worker makes for it says that there is no memory.
#
# What may come of it: the usual response, where the memory was for something that can be left out; a 5xx; a connection
# that is closed, where nginx itself gives up. What may not: a request that reaches the API with anything else in
# Authorization than the JWT that belongs there, or at all where it is to be refused; a 4xx that blames the client; a
# worker that ends; a client that waits for ever; a connection that stays open; a token in the log; the same request,
# sent again, that does not soon get the usual response; a revocation that was answered with 200 or 202 and is not in
# force.
#
# nginx must have been built with NGX_DEBUG_PALLOC, so that every allocation from a pool is one of its own;
# t/faults/run.sh does that. --every K takes every K-th allocation only, --part N/OF every OF-th of
# those from the N-th on. Kinds may be named.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA qw(sha256 hmac_sha256);
use Fcntl qw(O_CREAT O_RDWR SEEK_SET);
use Getopt::Long 'GetOptions';
use Harness;
use Harness::Dpop qw(dpop_key dpop_request);
use Harness::Secrets 'secret_in';
use List::Util qw(sum0 uniq);
use MIME::Base64 qw(encode_base64 encode_base64url);

my ($every, $part) = (1, '1/1');
GetOptions('every=i' => \$every, 'part=s' => \$part) or die "allocations.pl [--every K] [--part N/OF] [KIND...]\n";
my ($this_part, $parts) = $part =~ m{^([1-9]\d*)/([1-9]\d*)$} or die "--part is N/OF, such as 1/2\n";
die "--part $part: there are $parts parts\n" if $this_part > $parts;
my @named = @ARGV;
my $library = $ENV{PHANTOM_TOKEN_ALLOCATIONS_LIBRARY}
    // die "PHANTOM_TOKEN_ALLOCATIONS_LIBRARY is not set: run ./dev faults\n";
time_limit(3600);
my $silence = 15; # seconds; who waits so long waits for ever, on a busy machine too

# --- which allocation fails ------------------------------------------------------------------------------------------

my $STACK_AT = 4096; # as in allocations.c
my $control_path = temporary_folder() . '/control';
sysopen my $control, $control_path, O_RDWR | O_CREAT, 0666 or die "$control_path: $!";
chmod 0666, $control_path;
truncate $control, 4 * $STACK_AT;

sub write_control {
    my ($process, $fail_at) = @_;
    my ($failed, $stack) = (0, "\0" x 4096);
    for ([$STACK_AT, $stack], [8, pack 'QQQ', $fail_at, 0, $failed], [0, pack 'Q', $process]) {
        sysseek $control, $_->[0], SEEK_SET;
        syswrite $control, $_->[1];
    }
    return;
}

sub fail_allocation { my ($process, $number) = @_; return write_control($process, $number) }
sub fail_none       { return write_control(0, 0) }

# (count of allocations, whether the chosen one has failed, where)
sub read_control {
    sysseek $control, 0, SEEK_SET;
    sysread $control, my $bytes, 2 * $STACK_AT;
    my (undef, undef, $count, $failed) = unpack 'Q4', $bytes;
    my ($stack) = substr($bytes, $STACK_AT) =~ /^([^\0]*)/;
    my @frames = map { s{^.*/}{}r } split /\n/, $stack;
    return ($count, $failed, [@frames[2 .. $#frames]]); # but for this library's own
}

# --- the gateway -----------------------------------------------------------------------------------------------------

my ($key, $other_key) = map { rsa_key($_) } qw(k1 k2);
my %claims = (iss => 'https://as', aud => 'api', scope => 'read', client_id => 'app', exp => int(time) + 7200);
my %jwt = map { $_ => jwt({ %claims, sub => $_ }, key => $key) } qw(alice bob carol own);
my $client_key  = dpop_key('ES256');
my $certificate = 'of the client';
my $bound = jwt(
    { %claims, sub => 'dave',
      cnf => { jkt => $client_key->thumbprint, 'x5t#S256' => encode_base64url(sha256($certificate)) } },
    key => $key
);
my $forged = jwt({ %claims, sub => 'mallory' }, header => { alg => 'RS256', kid => 'k1' }, key => 'not that key');

my $cache =
    'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;';
my $signing_key = temporary_folder() . '/key.pem';
system("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $signing_key") == 0
    or die "openssl failed\n";
chmod 0600, $signing_key;
my $nonce_secret = 'a secret for nonces, of more than 32 bytes';
my $nonces = temporary_folder() . '/nonces';
open my $out, '>', $nonces or die "$nonces: $!";
print {$out} $nonce_secret;
close $out or die "$nonces: $!";
chmod 0600, $nonces;
my $sign = "phantom_token_forward sign; phantom_token_signed_issuer https://gateway; "
    . "phantom_token_signed_audience api; phantom_token_signing_key $signing_key;";
my %way = (
    miss      => ["phantom_token_scopes read; phantom_token_issuer https://as; phantom_token_audience api;",
                  'proxy_pass http://%%AS%%/alice;'],
    cached    => ['', "proxy_pass http://%%AS%%/alice; $cache"],
    shared    => ['phantom_token_hot_cache hot; phantom_token_scopes read;', 'proxy_pass http://%%AS%%/slow;'],
    hot       => ['phantom_token_hot_cache hot; phantom_token_scopes read;', "proxy_pass http://%%AS%%/alice; $cache"],
    'hot-verified' => [
        'phantom_token_hot_cache hot; phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_keys/known;',
        "proxy_pass http://%%AS%%/alice; $cache"
    ],
    json      => ['phantom_token_scopes read;', 'proxy_pass http://%%AS%%/json;'],
    rfc9701   => ['phantom_token_scopes read;', 'proxy_pass http://%%AS%%/rfc9701;'],
    verified  => ['phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_keys/$arg_set;',
                  'proxy_pass http://%%AS%%/alice;'],
    inactive  => ['', 'proxy_pass http://%%AS%%/inactive;'],
    scope     => ['phantom_token_scopes admin; phantom_token_resource_metadata https://$host/metadata;',
                  'proxy_pass http://%%AS%%/alice;'],
    resource  => ['phantom_token_resource https://$host/orders;', 'proxy_pass http://%%AS%%/alice;'],
    broken    => ['phantom_token_error_format problem;', 'proxy_pass http://%%AS%%/broken;'],
    busy      => ['', 'proxy_pass http://%%AS%%/busy;'],
    preflight => ['', 'proxy_pass http://%%AS%%/alice;'],
    answer    => ['phantom_token_preflight answer;', 'proxy_pass http://%%AS%%/alice;'],
    bypass    => ['satisfy any; allow all;', 'proxy_pass http://%%AS%%/alice;'],
    redirect  => ['phantom_token_scopes admin; error_page 403 = /redirected;', 'proxy_pass http://%%AS%%/alice;'],
    redirected => ['phantom_token_scopes read;', 'proxy_pass http://%%AS%%/bob;'],
    ssi       => ['ssi on;', 'proxy_pass http://%%AS%%/alice;'],
    part      => ['', 'proxy_pass http://%%AS%%/bob;'],
    policy    => ['auth_request /_service;', 'proxy_pass http://%%AS%%/alice;'],
    rejected  => ['phantom_token_inbound_jwt reject;', 'proxy_pass http://%%AS%%/alice;'],
    passed    => ['phantom_token_inbound_jwt pass; phantom_token_audience api;', 'proxy_pass http://%%AS%%/alice;'],
    signed    => ["phantom_token_scopes read; $sign", 'proxy_pass http://%%AS%%/json;'],
    'signed-hot' => ["phantom_token_hot_cache hot; $sign", "proxy_pass http://%%AS%%/json; $cache"],
    nothing   => ['phantom_token_forward none;', 'proxy_pass http://%%AS%%/json;'],
    asserted  => ["phantom_token_client_id gateway; phantom_token_client_auth private_key_jwt; "
                  . "phantom_token_client_key $signing_key; phantom_token_client_assertion_audience https://as;",
                  'proxy_pass http://%%AS%%/alice;'],
    sourced   => ['phantom_token_source authorization $cookie_token;', 'proxy_pass http://%%AS%%/alice;'],
    required  => ['phantom_token_require $is_carol $nested_scopes; phantom_token_pattern ^[a-z0-9-]+$;',
                  'proxy_pass http://%%AS%%/json;'],
    demanding => ['phantom_token_require $is_carol $nested_none;', 'proxy_pass http://%%AS%%/json;'],
    stepping  => ['phantom_token_acr_values gold; phantom_token_max_auth_age 5m;', 'proxy_pass http://%%AS%%/alice;'],
    mirrored  => ['mirror /_mirror;', 'proxy_pass http://%%AS%%/alice;'],
    proven    => ["phantom_token_confirmation require; phantom_token_dpop_replay proofs; phantom_token_hot_cache hot; "
                  . "phantom_token_dpop_nonce $nonces; phantom_token_client_certificate \$http_x_certificate;",
                  "proxy_pass http://%%AS%%/bound; $cache"],
    revocable => ['phantom_token_hot_cache hot; phantom_token_revocation revoked;',
                  "proxy_pass http://%%AS%%/alice; $cache"],
);
my $locations = join '', map { "
    location /$_ { phantom_token on; phantom_token_introspection_endpoint /_$_;
                   $way{$_}[0] proxy_set_header X-Sub \$phantom_token_sub; proxy_pass http://%%API%%; }
    location = /_$_ { internal; $way{$_}[1] }" } sort keys %way;

local $ENV{PHANTOM_TOKEN_ALLOCATIONS} = $control_path;
my $gateway = do {
    local $ENV{LD_PRELOAD} = $library;
    gateway(
        log  => { map { $_ => "phantom_token_$_" } qw(key time sub client_id scope claim_aud) },
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m use_temp_path=off; '
            . 'phantom_token_hot_cache zone=hot:1m; phantom_token_revocation zone=revoked:4m state=%%DIR%%/revoked; '
            . 'phantom_token_dpop_replay zone=proofs:4m; '
            . 'phantom_token_claim_set $nested_scopes more scopes; '
            . 'phantom_token_claim_set $nested_none more none; '
            . 'map $phantom_token_sub $is_carol { "~^(c)arol$" $1; } map $http_cookie $cookie_token { "~t=(.*)" $1; }',
        locations => $locations . q{
            location = /keys { phantom_token_signing_key %%KEY%%; phantom_token_jwks; }
            location = /metadata { phantom_token_resource https://$host/orders; phantom_token_issuer https://as;
                                   phantom_token_scopes read; phantom_token_resource_document; }
            location = /no-metadata { phantom_token_resource $host; phantom_token_issuer https://as;
                                      phantom_token_resource_document; }
            location /exchange { phantom_token on; phantom_token_exchange_endpoint /_exchange;
                                 phantom_token_exchange_audience api; proxy_pass http://%%API%%; }
            location = /_exchange { internal; proxy_pass http://%%AS%%/exchange; }
            location /own { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
                            phantom_token_jwks_endpoint /_keys/$arg_set; proxy_pass http://%%API%%; }
            location = /revoke { phantom_token_revoke revoked; phantom_token_jwks_endpoint /_keys/$arg_set;
                                 phantom_token_issuer https://as; phantom_token_audience gateway; }
            location /_keys/ { internal; proxy_pass http://%%AS%%/keys/; }
            location = /_service { internal; proxy_pass http://%%API%%/service; proxy_pass_request_body off;
                                   proxy_set_header Content-Length ""; }
            location = /_mirror { internal; phantom_token on; phantom_token_introspection_endpoint /_mirrored;
                                  proxy_pass http://%%API%%/mirror; }
        } =~ s/%%KEY%%/$signing_key/r,
    );
};
my ($as, $api) = ($gateway->as, $gateway->api);
my %part = map { $_ => "/part/$_" } 1, 2;
$as->answers(
    '/bound'    => { jwt => $bound },
    '/alice'    => { jwt => $jwt{alice} }, '/bob' => { jwt => $jwt{bob} },
    '/json'     => { json => { active => true, sub => 'carol', scope => 'read write', exp => $claims{exp},
                               jwt => $jwt{carol}, more => { nested => [1, 'x', undef], scopes => ['a', 'b'] } } },
    '/rfc9701'  => {
        type => 'application/token-introspection+jwt', body => jwt(
            { iss => 'https://as', aud => 'gateway', iat => 1,
              token_introspection => { active => true, scope => 'read', jwt => $jwt{carol} } },
            header => { alg => 'HS256', typ => 'token-introspection+jwt' }
        )
    },
    '/exchange' => { json => { access_token => $jwt{bob}, issued_token_type => 'urn:ietf:params:oauth:token-type:jwt',
                               token_type => 'Bearer' } },
    '/inactive' => { json => { active => false } },
    '/slow'     => { delay => 0.1, jwt => $jwt{alice} },
    '/broken'   => { status => 500 },
    '/busy'     => { status => 503, headers => ['Retry-After: 7'] },
    '/keys/known' => { json => jwks($other_key, $key) }, '*' => { json => jwks($other_key, $key) },
);
$api->answers(
    '/ssi' => {
        type => 'text/html', body => 'page <!--# include virtual="/part/1" --> <!--# include virtual="/part/2" --> end'
    },
    map { $_ => { body => 'part' } } values %part
);

# --- what is revoked -------------------------------------------------------------------------------------------------

sub revoking_form { return { method => 'POST', path => '/revoke', body => $_[0],
                             headers => ['Content-Type: application/x-www-form-urlencoded'] } }

my $jti = 0;

sub event_token {
    my ($type, %more) = @_;
    return jwt({ iss => 'https://as', aud => 'gateway', iat => int time, jti => "jti-" . ++$jti, %more },
        header => { alg => 'RS256', kid => 'k1', typ => $type }, key => $key);
}

sub logout_form {
    my ($sub, $set) = @_;
    my $token = event_token('logout+jwt', sub => $sub, exp => int(time) + 7200,
        events => { 'http://schemas.openid.net/event/backchannel-logout' => {} });
    return { %{ revoking_form("logout_token=$token") }, path => "/revoke?set=$set" };
}

sub security_event {
    my (@subs) = @_;
    my @types = map { "https://schemas.openid.net/secevent/$_" }
        qw(caep/event-type/session-revoked caep/event-type/credential-change risc/event-type/account-disabled);
    my %subject = (format => 'iss_sub', iss => 'https://as');
    my %events  = map { $types[$_] => { subject => { %subject, sub => $subs[$_] } } } 0 .. 2;
    return { method => 'POST', path => '/revoke?set=known', body => event_token('secevent+jwt', events => \%events),
             headers => ['Content-Type: application/secevent+jwt'] };
}

# Each of them has a token.
sub know {
    my (@subs) = @_;
    my $iat = int(time) - 10;
    $as->answers(map { ("$_-token" => { jwt => jwt({ %claims, sub => $_, iat => $iat }, key => $key) }) } @subs);
    return;
}

sub token_of { my ($sub) = @_; return { path => '/revocable', token => "$sub-token" } }

my $hot = 0;

# A token that the hot cache has, and that is revoked then.
sub revoke_hot_token {
    my ($sub) = @_;
    know($sub);
    for ([token_of($sub), 'hot'], [revoking_form("token=$sub-token"), 'revoked']) {
        my $status = send_request($_->[0]);
        die "$sub-token cannot be made $_->[1]: $status\n" if $status ne 200;
    }
    return;
}

# --- proofs ----------------------------------------------------------------------------------------------------------

# A nonce so many seconds old, as the gateway makes it.
sub nonce {
    my ($age) = @_;
    my $bytes = pack 'Q>', time - $age;
    return encode_base64url($bytes . hmac_sha256("DPoP-Nonce$bytes", $nonce_secret));
}

# A request with a proof of its own.
sub proven {
    my (%proof) = @_;
    my $form = ':' . encode_base64($certificate, '') . ':';
    return { dpop_request($client_key, 'bound-token', path => '/proven', headers => ["X-Certificate: $form"],
                          proof => \%proof) };
}

# --- kinds of requests -----------------------------------------------------------------------------------------------

# request: of the N-th time; status: when all is well; api: what the API sees then, URI => Authorization, or a pattern
# of it; behind: another client asks the same just before, and both wait for one call; prepare: what comes before;
# revokes: the subjects that have no access any more when that status has come; once: the status that the same request
# gets where it is sent again after that.
my $alice = "Bearer $jwt{alice}";
# Of a signed JWT, the claims begin so; base64url has 4 characters for 3 bytes.
my $signed_begin = base64url(substr '{"iss":"https://gateway","sub":"carol","aud":"api","iat":', 0, 54);
my $signed = qr/^Bearer [\w-]+\.$signed_begin[\w-]+\.[\w-]+$/;
my @preflight = (
    method => 'OPTIONS',
    headers => ['Origin: https://app', 'Access-Control-Request-Method: PUT', 'Authorization: Bearer preflight-token']
);
my @kinds = (
    { name => 'introspection, a miss', request => sub {
        { path => '/miss', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/miss' => $alice } },
    { name => 'introspection, kept by the cache', request => sub {
        { path => '/cached', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/cached' => $alice } },
    { name => 'introspection, a hit', request => sub {
        { path => '/cached', token => 'kept-token' };
    }, status => 200, api => { '/cached' => $alice } },
    { name => 'hot cache, a miss', request => sub {
        { path => '/hot', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/hot' => $alice } },
    { name => 'hot cache, a hit', request => sub {
        { path => '/hot', token => 'hot-token' };
    }, status => 200, api => { '/hot' => $alice } },
    { name => 'hot cache, a hit that is verified', request => sub {
        { path => '/hot-verified', token => 'hot-token' };
    }, status => 200, api => { '/hot-verified' => $alice } },
    { name => 'signed, a miss', request => sub {
        { path => '/signed', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/signed' => $signed } },
    { name => 'signed, hot cache, a miss', request => sub {
        { path => '/signed-hot', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/signed-hot' => $signed } },
    { name => 'signed, hot cache, a hit', request => sub {
        { path => '/signed-hot', token => 'hot-token' };
    }, status => 200, api => { '/signed-hot' => $signed } },
    { name => 'forward none', request => sub {
        { path => '/nothing', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/nothing' => undef } },
    { name => 'private_key_jwt', request => sub {
        { path => '/asserted', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/asserted' => $alice } },
    { name => 'a token in a cookie', request => sub {
        { path => '/sourced', headers => ["Cookie: t=fresh-token-$_[0]"] };
    }, status => 200, api => { '/sourced' => $alice } },
    { name => 'required values', request => sub {
        { path => '/required', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/required' => "Bearer $jwt{carol}" } },
    { name => 'a required value that does not hold', request => sub {
        { path => '/demanding', token => "fresh-token-$_[0]" };
    }, status => 403 },
    { name => 'step-up', request => sub { { path => '/stepping', token => "fresh-token-$_[0]" } }, status => 401 },
    { name => 'the JWK Set', request => sub { { path => '/keys' } }, status => 200 },
    { name => 'the resource metadata', request => sub { { path => '/metadata' } }, status => 200 },
    { name => 'the resource metadata, to a preflight', request => sub {
        { path => '/metadata', @preflight };
    }, status => 204 },
    { name => 'the resource metadata, misconfigured', request => sub { { path => '/no-metadata' } }, status => 500 },
    { name => 'a challenge with the URL of the metadata', request => sub { { path => '/resource' } }, status => 401 },
    { name => 'a call shared with another request', behind => 1, request => sub {
        { path => '/shared', token => "fresh-token-$_[0]" };
    }, status => 200, api => { '/shared' => $alice } },
    { name => 'introspection, JSON', request => sub {
        { path => '/json', token => 'json-token' };
    }, status => 200, api => { '/json' => "Bearer $jwt{carol}" } },
    { name => 'introspection, RFC 9701', request => sub {
        { path => '/rfc9701', token => 'signed-token' };
    }, status => 200, api => { '/rfc9701' => "Bearer $jwt{carol}" } },
    { name => 'a body', request => sub {
        { method => 'POST', path => '/miss', token => 'body-token', body => 'x' x 20_000 };
    }, status => 200, api => { '/miss' => $alice } },
    { name => 'exchange', request => sub {
        { path => '/exchange', token => 'exchanged-token' };
    }, status => 200, api => { '/exchange' => "Bearer $jwt{bob}" } },
    { name => 'verify_jwt, the keys are known', request => sub {
        { path => '/verified?set=known', token => 'verified-token' };
    }, status => 200, api => { '/verified?set=known' => $alice } },
    { name => 'verify_jwt, the keys are fetched', request => sub {
        { path => "/verified?set=$_[0]", token => 'verified-token' };
    }, status => 200, api => { qr{/verified\?set=\w+} => $alice } },
    { name => 'a JWT of the client', request => sub {
        { path => '/own?set=known', token => $jwt{own} };
    }, status => 200, api => { '/own?set=known' => "Bearer $jwt{own}" } },
    { name => 'a JWT of the client, the keys are fetched', request => sub {
        { path => "/own?set=$_[0]", token => $jwt{own} };
    }, status => 200, api => { qr{/own\?set=\w+} => "Bearer $jwt{own}" } },
    { name => 'a JWT of the client, forged', request => sub {
        { path => "/own?set=$_[0]", token => $forged };
    }, status => 401 },
    { name => 'a JWT of the client, rejected', request => sub {
        { path => '/rejected', token => $jwt{own} };
    }, status => 401 },
    { name => 'a JWT of the client, passed', request => sub {
        { path => '/passed', token => $jwt{own} };
    }, status => 200, api => { '/passed' => "Bearer $jwt{own}" } },
    { name => 'no token', request => sub { { path => '/miss' } }, status => 401 },
    { name => 'inactive', request => sub { { path => '/inactive', token => 'inactive-token' } }, status => 401 },
    { name => 'a scope is missing', request => sub { { path => '/scope', token => 'scope-token' } }, status => 403 },
    { name => 'the AS is broken', request => sub { { path => '/broken', token => 'broken-token' } }, status => 502 },
    { name => 'the AS is busy', request => sub { { path => '/busy', token => 'busy-token' } }, status => 503 },
    { name => 'a preflight that passes', request => sub {
        { path => '/preflight', @preflight };
    }, status => 200, api => { '/preflight' => undef } },
    { name => 'a preflight that is answered', request => sub { { path => '/answer', @preflight } }, status => 204 },
    { name => 'satisfy any, bypassed', request => sub {
        { path => '/bypass', token => 'bypass-token' };
    }, status => 200, api => { '/bypass' => undef } },
    { name => 'a redirect by error_page', request => sub {
        { path => '/redirect', token => 'redirect-token' };
    }, status => 200, api => { '/redirected' => "Bearer $jwt{bob}" } },
    { name => 'SSI', request => sub {
        { path => '/ssi', token => 'ssi-token' };
    }, status => 200, api => { '/ssi' => $alice, map { $_ => "Bearer $jwt{bob}" } values %part } },
    { name => 'auth_request behind', request => sub {
        { path => '/policy', token => 'policy-token' };
    }, status => 200, api => { "/service" => $alice, "/policy" => $alice } },
    { name => 'a mirror', request => sub {
        { path => '/mirrored', token => 'mirror-token' };
    }, status => 200, api => { '/mirrored' => $alice, '/mirror' => $alice } },
    { name => 'a proof, its header is known', request => sub {
        proven(claims => { nonce => nonce(0) });
    }, status => 200, once => 401, api => { '/proven' => "Bearer $bound" } },
    { name => 'a proof, its header is new', request => sub {
        proven(header => { kid => "key-$_[0]" }, claims => { nonce => nonce(0) });
    }, status => 200, once => 401, api => { '/proven' => "Bearer $bound" } },
    { name => 'a proof, the next nonce is due', request => sub {
        proven(claims => { nonce => nonce(200) });
    }, status => 200, once => 401, api => { '/proven' => "Bearer $bound" } },
    { name => 'a proof without a nonce', request => sub { proven() }, status => 401 },
    { name => 'a form that revokes', request => sub {
        revoking_form("sub=form-$_[0]");
    }, status => 200, revokes => sub { "form-$_[0]" } },
    { name => 'a logout token, the keys are known', request => sub {
        logout_form("known-$_[0]", 'known');
    }, status => 200, once => 400, revokes => sub { "known-$_[0]" } },
    { name => 'a logout token, the keys are fetched', request => sub {
        logout_form("fetched-$_[0]", $_[0]);
    }, status => 200, once => 400, revokes => sub { "fetched-$_[0]" } },
    { name => 'a security event token with three events', request => sub {
        security_event(map { "event-$_-of-$_[0]" } 1 .. 3);
    }, status => 202, revokes => sub { my ($n) = @_; map { "event-$_-of-$n" } 1 .. 3 } },
    { name => 'a revoked token, its copy is dropped', prepare => sub {
        revoke_hot_token('hot-' . ++$hot);
    }, request => sub { token_of("hot-$hot") }, status => 401 },
    { name => 'hot cache, a hit, others are revoked', request => sub {
        { path => '/revocable', token => 'hot-token' };
    }, status => 200, api => { '/revocable' => $alice } },
);

# --- one request -----------------------------------------------------------------------------------------------------

# What came of a request: its status, 'closed', or what is wrong with it.
sub send_request {
    my ($request) = @_;
    my $response = eval { $gateway->request(%{$request}, timeout => $silence) };
    if (!$response) { return $@ =~ /timeout/ ? 'the client waits for ever' : 'closed' }
    my $told = secret_in(join "\n", $response->{head}, $response->status < 300 ? () : $response->body);
    return defined $told ? 'the response holds a token' : $response->status;
}

# What the API saw that this kind may not bring there.
sub astray {
    my ($kind) = @_;
    my @wrong;
    for my $seen ($api->requests) {
        my ($match) = grep { $seen->{uri} =~ /^$_$/ || $seen->{uri} eq $_ } keys %{ $kind->{api} // {} };
        my @sent = $seen->headers('Authorization');
        my $wanted = defined $match ? $kind->{api}{$match} // '' : qr/(?!)/;
        next if ref $wanted ? "@sent" =~ $wanted : join("\n", @sent) eq $wanted;
        push @wrong, "the API saw $seen->{uri} with " . (@sent ? "@sent" : 'no Authorization');
    }
    return @wrong;
}

# What no module can help, by where the allocation failed: what comes of it, and where the fault is.
my @KNOWN = (
    { outcome => qr/^(?:the client waits for ever|a connection stays open)$/,
      at => qr/\(ngx_http_subrequest\b[^\n]*\n(?!ngx_http_phantom_token)/,
      fault => "nginx's SSI and mirror go on after a subrequest that they could not start" },
);

sub known {
    my ($outcome, $stack) = @_;
    my $text = join "\n", @{$stack};
    my ($known) = grep { $outcome =~ $_->{outcome} && $text =~ $_->{at} } @KNOWN;
    return $known;
}

# The worker that has ended, or that has a connection too many, is followed by another.
sub replace_worker {
    my ($worker) = @_;
    kill KILL => $worker;
    return until_true(patience(5), sub { my ($new) = $gateway->workers; $new && $new != $worker })
        // die "no new worker\n";
}

# The TCP connections that a worker has, to clients and to servers: none of them is kept alive here, so that a worker at
# rest has none. The sockets that it listens on (state 0A of /proc/net/tcp) do not count, nor its channels.
sub connections {
    my ($pid) = @_;
    my %its = map { (readlink // q{}) =~ /^socket:\[(\d+)\]$/ ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
    open my $table, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    my @rows = map { [split] } <$table>;
    return scalar grep { $its{ $_->[9] } && $_->[3] ne '0A' } @rows[1 .. $#rows];
}

# A request whose response is read later, when the authorization server has been asked.
sub send_first {
    my ($request) = @_;
    my $client = $gateway->connect('', timeout => $silence);
    $client->send(Harness::Client::request_bytes({ %{$request} }));
    $as->wait_for_requests(1);
    return $client;
}

sub outcome_of {
    my ($request, $worker, $first) = @_;
    my $outcome = send_request($request);
    if ($first) {
        my $answered = eval { $first->response; 1 };
        $first->close;
        return 'the client waits for ever' if !$answered && $@ =~ /timeout/;
    }
    return 'the worker ended' if !alive($worker);
    return $outcome if $outcome =~ /^the/ || until_true($silence, sub { !connections($worker) });
    return 'a connection stays open';
}

sub is_good { my ($kind, $after) = @_; return grep { $after eq $_ } $kind->{status}, $kind->{once} // () }

# Returns what the same request gets in the end.
sub send_again {
    my ($kind, $request) = @_;
    my $after;
    # keys are asked for once a second
    until_true(patience(3), sub { $after = send_request($request); is_good($kind, $after) });
    return $after;
}

# Those of them that still have access.
sub unrevoked {
    my (@subs) = @_;
    my @with_access = grep { send_request(token_of($_)) ne 401 } @subs;
    $api->forget_requests;
    return @with_access;
}

# What was answered must be in force, and so must be what is refused because it has come before.
sub wrong_with_revocation {
    my ($kind, $outcome, $send_again, @subs) = @_;
    know(@subs);
    my @before = unrevoked(@subs);
    my $after  = $send_again->();
    my @wrong  = map { "sent again and not in force: $_" } unrevoked(@subs);
    push @wrong, "answered with $outcome and not in force: @before" if @before && $outcome eq $kind->{status};
    push @wrong, "sent again it got $after and was not in force: @before" if @before && $after ne $kind->{status};
    return @wrong;
}

# The N-th allocation fails. Returns nothing where there are not so many, else { outcome, stack, wrong => [...] }.
sub try_allocation {
    my ($kind, $number) = @_;
    my ($worker) = $gateway->workers;
    $kind->{prepare}->("f$number") if $kind->{prepare};
    my $request = $kind->{request}->("f$number");
    $_->forget_requests for $api, $as;
    my $first = $kind->{behind} ? send_first($request) : undef;
    fail_allocation($worker, $number);
    my $outcome = outcome_of($request, $worker, $first);
    my (undef, $failed, $stack) = read_control();
    fail_none();
    return if !$failed;

    my @wrong = astray($kind);
    my $replaced = $outcome =~ /^(?:the|a) / && replace_worker($worker);
    my $after;
    my $send_again = sub { return $after = send_again($kind, $request) };
    if ($kind->{revokes}) {
        push @wrong, wrong_with_revocation($kind, $outcome, $send_again, $kind->{revokes}->("f$number"));
    } else {
        $send_again->();
    }
    push @wrong, "the request sent again got: $after" if !is_good($kind, $after);
    push @wrong, map { "sent again: $_" } astray($kind);
    # A worker that ends closes its connections first, and may then look alive for a moment: now another has answered.
    $outcome = 'the worker ended' if !$replaced && !grep { $_ == $worker } $gateway->workers;
    my $known = known($outcome, $stack);
    push @wrong, "what came of it: $outcome" if !$known && $outcome !~ /^(?:closed|5\d\d|$kind->{status})$/;
    return {
        number => $number, outcome => $known ? "$outcome ($known->{fault})" : $outcome, stack => $stack,
        wrong => \@wrong
    };
}

# --- all of them -----------------------------------------------------------------------------------------------------

sub try_kind {
    my ($kind) = @_;
    my (%outcomes, @bad);
    for my $name (qw(w w)) {
        $kind->{prepare}->($name) if $kind->{prepare};
        is send_request($kind->{request}->($name)), $kind->{status}, "$kind->{name}: without a failure";
    }
    for (my $number = 1 + ($this_part - 1) * $every; ; $number += $parts * $every) {
        my $result = try_allocation($kind, $number) or last;
        $outcomes{ $result->{outcome} }++;
        push @bad, $result if @{ $result->{wrong} };
    }
    report($_) for @bad;
    is scalar @bad, 0, "$kind->{name}: " . sum0(values %outcomes) . ' allocations, each failed once: ' . join ', ',
        map { "$outcomes{$_} x $_" } sort keys %outcomes;
    check_faults($gateway);
    return sum0(values %outcomes);
}

sub report {
    my ($result) = @_;
    diag "allocation $result->{number}: $_" for uniq @{ $result->{wrong} };
    diag "    $_" for @{ $result->{stack} };
    return;
}

$gateway->announce(qr/Cannot allocate memory/, qr/worker process \d+ exited on signal (?:9|11)/);
# what is left of a subrequest that nginx's SSI could not start
$gateway->announce(qr{http request count is zero.*GET /ssi});
my @chosen = @named ? grep { my $kind = $_; grep { $kind->{name} =~ /\Q$_\E/ } @named } @kinds : @kinds;
for my $kind (qw(token jti sid sub client_id)) {
    send_request(revoking_form("$kind=of-others")) eq 200 or die "no $kind can be revoked\n";
}
my $total  = sum0 map { try_kind($_) } @chosen;
note sprintf 'faults: %d kinds of requests, %d allocations made to fail', scalar @chosen, $total;
done_testing;
