# phantom_token_revoke: logout tokens (OpenID Connect Back-Channel Logout 1.0) and security event tokens (RFC 8417,
# pushed by RFC 8935).

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Metrics 'parse_metrics';
use JSON::PP ();

my $issuer  = 'https://as.example.com';
my $second  = 'https://second.example.com';
my $keep    = 7200;
my $gateway = gateway(
    http => "phantom_token_revocation zone=revoked:1m keep=${keep}s; phantom_token_revocation zone=full:32k;",
    server => <<'END',
        phantom_token_revocation revoked;
        phantom_token_jwks_endpoint /_jwks;
        phantom_token_issuer https://as.example.com https://second.example.com;
        phantom_token_audience gateway;
END
    locations => <<'END',
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; phantom_token_issuer "";
                     phantom_token_audience ""; proxy_pass http://%%API%%; }
        location = /revoke { phantom_token_revoke revoked; }
        location = /leeway { phantom_token_leeway 1m; phantom_token_revoke revoked; }
        location = /guarded { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                     phantom_token_scopes "events"; phantom_token_audience gateway; phantom_token_revoke revoked; }
        location = /full { phantom_token_revoke full; }
        location = /no-keys { phantom_token_jwks_endpoint /_no_jwks; phantom_token_revoke revoked; }
        location = /late-keys { phantom_token_jwks_endpoint /_late_jwks; phantom_token_revoke revoked; }
        location = /no-issuer { phantom_token_issuer ""; phantom_token_revoke revoked; }
        location = /no-audience { phantom_token_audience ""; phantom_token_revoke revoked; }
        location = /metrics { phantom_token_metrics; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_no_jwks { internal; proxy_pass http://%%AS%%/no-jwks; }
        location = /_late_jwks { internal; proxy_pass http://%%AS%%/late-jwks; }
    }
    server {
        listen 127.0.0.1:%%PORT:bare%%;
        location = /revoke { phantom_token_revoke revoked; }
END
);

my $rsa   = rsa_key('rsa-1');
my $other = rsa_key('rsa-1');
my $now   = time;
$gateway->as->answers('/jwks' => { json => jwks($rsa) }, '/no-jwks' => { status => 503 });

# --- what is sent -----------------------------------------------------------------------------------------------------

my $LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
my $CAEP   = 'https://schemas.openid.net/secevent/caep/event-type';
my $RISC   = 'https://schemas.openid.net/secevent/risc/event-type';
my $json   = JSON::PP->new->utf8->canonical;
my $jti    = 0;

# Members of undef are left out.
sub merged { my (%all) = @_; return { map { defined $all{$_} ? ($_ => $all{$_}) : () } keys %all } }

sub logout_claims {
    my (%more) = @_;
    return merged(iss => $issuer, aud => 'gateway', iat => $now, exp => $now + 120, jti => 'l-' . ++$jti,
        sub => 'alice', events => { $LOGOUT => {} }, %more);
}

sub event_claims {
    my (%more) = @_;
    return merged(iss => $issuer, aud => 'gateway', iat => $now, jti => 's-' . ++$jti,
        sub_id => { format => 'iss_sub', iss => $issuer, sub => 'alice' },
        events => { "$CAEP/session-revoked" => {} }, %more);
}

sub signed {
    my ($type, $claims, %more) = @_;
    my $header = merged(alg => 'RS256', kid => 'rsa-1', typ => $type, %{ delete $more{header} // {} });
    return jwt($json->encode($claims) =~ s/"NULL"/null/r, header => $header, key => $rsa, %more);
}

sub send_logout {
    my ($token, $path) = @_;
    return $gateway->post($path // '/revoke', "logout_token=$token",
        headers => ['Content-Type: application/x-www-form-urlencoded']);
}

sub send_event {
    my ($token, $path) = @_;
    return $gateway->post($path // '/revoke', $token, headers => ['Content-Type: application/secevent+jwt']);
}

# --- who is revoked ---------------------------------------------------------------------------------------------------

my $people = 0;

# Tokens of a person, each with a claim of its own: after what is sent, one is refused exactly if it is named.
sub revokes {
    my ($name, $send, $names, %claims) = @_;
    my $person = 'p' . ++$people;
    my %all    = (iss => $issuer, iat => $now - 10, (map { $_ => "$person-$_" } qw(sub sid jti)), %claims);
    for my $claim (qw(sub sid jti)) {
        $gateway->as->answers("$person-$claim-token" => { jwt => { %all, map { $_ => "$person-of-another-$_" }
            grep { $_ ne $claim } qw(sub sid jti) } });
        is $gateway->get('/', token => "$person-$claim-token")->status, 200, "$name: $claim before";
    }
    my $response = $send->($person);
    for my $claim (qw(sub sid jti)) {
        is $gateway->get('/', token => "$person-$claim-token")->status, $claim eq $names ? 401 : 200,
            "$name: the $claim is " . ($claim eq $names ? 'refused' : 'not');
    }
    return $response;
}

sub logs_out {
    my ($name, $names, $claims, %more) = @_;
    my $send     = sub { send_logout(signed('logout+jwt', logout_claims($claims->($_[0])), %more)) };
    my $response = revokes("logout: $name", $send, $names);
    is $response->status, 200, "logout: $name: status";
    is $response->{body}, '', "logout: $name: no body";
    is $response->header('Cache-Control'), 'no-store', "logout: $name: Cache-Control";
    return;
}

logs_out('by sub', 'sub', sub { (sub => "$_[0]-sub") });
logs_out('by sid', 'sid', sub { (sub => undef, sid => "$_[0]-sid") });
logs_out('by both', 'sid', sub { (sub => "$_[0]-sub", sid => "$_[0]-sid") });
logs_out('typ JWT', 'sub', sub { (sub => "$_[0]-sub") }, header => { typ => 'JWT' });
logs_out('typ application/logout+jwt', 'sub', sub { (sub => "$_[0]-sub") },
    header => { typ => 'application/logout+jwt' });
logs_out('without typ', 'sub', sub { (sub => "$_[0]-sub") }, header => { typ => undef });
logs_out('among audiences', 'sub', sub { (sub => "$_[0]-sub", aud => ['x', 'gateway']) });
logs_out('of another issuer', '', sub { (sub => "$_[0]-sub", iss => $second) });
logs_out('of an earlier iat', '', sub { (sub => "$_[0]-sub", iat => $now - 11) });

sub subject { my ($format, %members) = @_; return { format => $format, %members } }
sub iss_sub { my ($sub, $iss) = @_; return subject('iss_sub', iss => $iss // $issuer, sub => $sub) }

sub informs {
    my ($name, $names, $claims, %more) = @_;
    my $send     = sub { send_event(signed('secevent+jwt', event_claims($claims->($_[0])), %more)) };
    my $response = revokes("event: $name", $send, $names);
    is $response->status, 202, "event: $name: status";
    is $response->{body}, '', "event: $name: no body";
    return;
}

informs("$_", 'sub', sub { my ($p) = @_; (sub_id => iss_sub("$p-sub"), events => { $_ => {} }) })
    for map { my $uri = $_; $uri } "$CAEP/session-revoked", "$CAEP/credential-change", "$RISC/account-disabled",
    "$RISC/account-purged", "$RISC/credential-compromise", "$RISC/sessions-revoked";
informs('typ application/secevent+jwt', 'sub', sub { (sub_id => iss_sub("$_[0]-sub")) },
    header => { typ => 'application/secevent+jwt' });
informs('jwt_id', 'jti', sub { (sub_id => subject('jwt_id', iss => $issuer, jti => "$_[0]-jti")) });
informs('the event\'s subject', 'sub', sub { (sub_id => undef,
    events => { "$CAEP/session-revoked" => { subject => iss_sub("$_[0]-sub") } }) });
informs('sub_id before the event\'s subject', 'sub', sub { (sub_id => iss_sub("$_[0]-sub"),
    events => { "$CAEP/session-revoked" => { subject => subject('jwt_id', iss => $issuer, jti => "$_[0]-jti") } }) });
informs('sub', 'sub', sub { (sub_id => undef, sub => "$_[0]-sub") });
informs('complex: a user', 'sub', sub { (sub_id => subject('complex', user => iss_sub("$_[0]-sub"))) });
informs('complex: a session', 'sid', sub { (sub_id => subject('complex', session => iss_sub("$_[0]-sid"))) });
informs('complex: a session by its jti', 'jti',
    sub { (sub_id => subject('complex', session => subject('jwt_id', iss => $issuer, jti => "$_[0]-jti"))) });
informs('complex: both', 'sid',
    sub { (sub_id => subject('complex', user => iss_sub("$_[0]-sub"), session => iss_sub("$_[0]-sid"))) });
informs('complex: a user, and a session that is unknown', 'sub',
    sub { (sub_id => subject('complex', user => iss_sub("$_[0]-sub"), session => subject('opaque', id => 1))) });
informs('a subject of the other issuer, which no token has', '', sub { (sub_id => iss_sub("$_[0]-sub", $second)) });
informs('an unknown event', '', sub { (sub_id => iss_sub("$_[0]-sub"),
    events => { "$CAEP/device-compliance-change" => {} }) });
informs('an unknown event beside a known one', 'sub', sub { (sub_id => iss_sub("$_[0]-sub"),
    events => { "$CAEP/device-compliance-change" => {}, "$RISC/account-disabled" => {} }) });
informs('an unknown subject', '', sub { (sub_id => subject('email', email => 'a@example.com')) });
informs('complex: neither', '', sub { (sub_id => subject('complex', device => iss_sub("$_[0]-sub"))) });
informs('an exp that is ahead', 'sub', sub { (sub_id => iss_sub("$_[0]-sub"), exp => $now + 60) });
informs('event_timestamp', '', sub { (sub_id => iss_sub("$_[0]-sub"),
    events => { "$CAEP/session-revoked" => { event_timestamp => $now - 11 } }) });
informs('event_timestamp before toe', 'sub', sub { (sub_id => iss_sub("$_[0]-sub"), toe => $now - 11,
    events => { "$CAEP/session-revoked" => { event_timestamp => $now - 10 } }) });
informs('toe', '', sub { (sub_id => iss_sub("$_[0]-sub"), toe => $now - 11) });
informs('iat', '', sub { (sub_id => iss_sub("$_[0]-sub"), iat => $now - 11) });

# A time that is far ahead must not refuse what is issued later.
my $ms = sub { (sub_id => iss_sub("$_[0]-sub"),
    events => { "$CAEP/session-revoked" => { event_timestamp => 1000 * $now } }) };
revokes('event: a time in milliseconds', sub { send_event(signed('secevent+jwt', event_claims($ms->($_[0])))) }, 'sub');
revokes('event: a time in milliseconds, and a token of later',
    sub { send_event(signed('secevent+jwt', event_claims($ms->($_[0])))) }, '', iat => $now + 3600);

# --- what is refused --------------------------------------------------------------------------------------------------

my $entries = sub {
    my $metrics = parse_metrics($gateway->get('/metrics')->body);
    my $sum = 0;
    $sum += $metrics->{$_} for grep { /^phantom_token_revocation_entries\{zone="revoked"/ } keys %{$metrics};
    return $sum;
};
my $before = $entries->();
my $public = join '', `openssl rsa -in $rsa->{folder}/key.pem -pubout 2>/dev/null`;
my @both = (
    ['forged',                { },                   'invalid_key', key => $other],
    ['of an unknown key',     { },                   'invalid_key', header => { kid => 'other' }],
    ['HMAC with the public key', { },                'invalid_key', header => { alg => 'HS256' }, key => $public],
    ['alg none',              { },                   'invalid_key', header => { alg => 'none' }, signature => 'x'],
    ['no signature',          { },                   'invalid_key', signature => ''],
    ['another typ',           { },                   'invalid_request', header => { typ => 'at+jwt' }],
    ['without iss',           { iss => undef },      'invalid_issuer'],
    ['another iss',           { iss => "$issuer/" }, 'invalid_issuer'],
    ['a list of iss',         { iss => [$issuer] },  'invalid_issuer'],
    ['without aud',           { aud => undef },      'invalid_audience'],
    ['another aud',           { aud => 'api' },      'invalid_audience'],
    ['other audiences',       { aud => ['api'] },    'invalid_audience'],
    ['without iat',           { iat => undef },      'invalid_request'],
    ['an iat in words',       { iat => 'now' },      'invalid_request'],
    ['an iat that is ahead',  { iat => $now + 3600 }, 'invalid_request'],
    ['an iat too long ago',   { iat => $now - $keep - 60 }, 'invalid_request'],
    ['expired',               { exp => $now - 1 },   'invalid_request'],
    ['an exp in words',       { exp => 'soon' },     'invalid_request'],
    ['without jti',           { jti => undef },      'invalid_request'],
    ['an empty jti',          { jti => '' },         'invalid_request'],
    ['a jti that is a number', { jti => 1 },         'invalid_request'],
    ['without events',        { events => undef },   'invalid_request'],
    ['empty events',          { events => {} },      'invalid_request'],
    ['a list of events',      { events => [$LOGOUT] }, 'invalid_request'],
);
for my $row (@both,
    ['typ of a SET',          { },                   'invalid_request', header => { typ => 'secevent+jwt' }],
    ['without exp',           { exp => undef },      'invalid_request'],
    ['with a nonce',          { nonce => 'n' },      'invalid_request'],
    ['with a nonce of null',  { nonce => 'NULL' }, 'invalid_request'],
    ['an ID token',           { events => undef, nonce => 'n', auth_time => $now }, 'invalid_request',
     header => { typ => 'JWT' }],
    ['another event',         { events => { "$CAEP/session-revoked" => {} } }, 'invalid_request'],
    ['an event that is no object', { events => { $LOGOUT => JSON::PP::true } }, 'invalid_request'],
    ['neither sub nor sid',   { sub => undef },      'invalid_request'],
    ['a sid that is a number', { sid => 1 },         'invalid_request'],
    ['an empty sid',          { sid => '' },         'invalid_request'],
) {
    my ($name, $claims, undef, %more) = @{$row};
    my $response = send_logout(signed('logout+jwt', logout_claims(%{$claims}), %more));
    is $response->status, 400, "logout: $name";
    is $response->json->{error}, 'invalid_request', "logout: $name: error";
    ok length $response->json->{error_description}, "logout: $name: description";
}
for my $row (@both,
    ['typ of a logout token', { },                   'invalid_request', header => { typ => 'logout+jwt' }],
    ['typ JWT',               { },                   'invalid_request', header => { typ => 'JWT' }],
    ['without typ',           { },                   'invalid_request', header => { typ => undef }],
    ['an event that is no object', { events => { "$CAEP/session-revoked" => 1 } }, 'invalid_request'],
    ['no subject',            { sub_id => undef },   'invalid_request'],
    ['a sub_id in words',     { sub_id => 'alice' }, 'invalid_request'],
    ['a sub_id without format', { sub_id => { iss => $issuer, sub => 'alice' } }, 'invalid_request'],
    ['a sub_id without iss',  { sub_id => { format => 'iss_sub', sub => 'alice' } }, 'invalid_request'],
    ['a sub_id without sub',  { sub_id => { format => 'iss_sub', iss => $issuer } }, 'invalid_request'],
    ['a jwt_id without jti',  { sub_id => subject('jwt_id', iss => $issuer) }, 'invalid_request'],
    ['a complex one with a broken session',
     { sub_id => subject('complex', user => iss_sub('alice'), session => { format => 'iss_sub' }) }, 'invalid_request'],
    ['a subject of a third issuer', { sub_id => iss_sub('alice', 'https://third.example.com') }, 'invalid_request'],
    ['event_timestamp in words', { events => { "$CAEP/session-revoked" => { event_timestamp => 'now' } } },
     'invalid_request'],
    ['toe in words',          { toe => 'now' },      'invalid_request'],
) {
    my ($name, $claims, $error, %more) = @{$row};
    my $response = send_event(signed('secevent+jwt', event_claims(%{$claims}), %more));
    is $response->status, 400, "event: $name";
    is $response->header('Content-Type'), 'application/json', "event: $name: JSON";
    is $response->header('Content-Language'), 'en', "event: $name: Content-Language";
    is $response->json->{err}, $error, "event: $name: err";
    ok length $response->json->{description}, "event: $name: description";
}
for my $body ('', 'x', 'a.b.c', '{}', 'a.b', 'x' x 65_536) {
    is send_event($body)->status, 400, 'event: no JWT: ' . substr $body, 0, 10;
}
is send_event('x' x 65_537)->status, 413, 'event: too large';
is $entries->(), $before, 'nothing of all that is in the zone';

# --- once -------------------------------------------------------------------------------------------------------------

my $logout = signed('logout+jwt', logout_claims(sub => 'once'));
is send_logout($logout)->status, 200, 'once: a logout token';
my $again = send_logout($logout);
is $again->status, 400, 'once: the same again';
like $again->json->{error_description}, qr/seen before/, '... says why';
my $set = signed('secevent+jwt', event_claims(jti => 'the-same'));
my $revoked = sub { parse_metrics($gateway->get('/metrics')->body)
    ->{'phantom_token_revocations_total{kind="security_event",result="revoked"}'} };
is send_event($set)->status, 202, 'once: a SET';
my $count = $revoked->();
is send_event($set)->status, 202, 'once: the same again';
is $revoked->(), $count, '... does nothing';
is send_event(signed('secevent+jwt', event_claims(jti => 'the-same', iss => $second)))->status, 202,
    'once: the same jti of another issuer';
is $revoked->(), $count + 1, '... counts';
is send_logout(signed('logout+jwt', logout_claims(jti => 'the-same')))->status, 200,
    'once: the same jti, a logout token';
my $unknown = signed('secevent+jwt', event_claims(events => { "$CAEP/assurance-level-change" => {} }));
is send_event($unknown)->status, 202, 'once: an unknown event' for 1 .. 2;
like +(grep { /revokes nothing/ } $gateway->log->own_lines)[-1],
    qr/\[warn\].*a security event token revokes nothing by what is not known here: an event is of a type/,
    '... is logged';

# --- leeway -----------------------------------------------------------------------------------------------------------

for my $row (
    ['leeway: an iat that is ahead', '/leeway', iat => time + 30],
    ['leeway: an exp that is past',  '/leeway', exp => $now - 1],
    ['five seconds ahead',           '/revoke', iat => time + 3],
) {
    my ($name, $path, %claims) = @{$row};
    is send_logout(signed('logout+jwt', logout_claims(%claims)), $path)->status, 200, $name;
}

# --- keys -------------------------------------------------------------------------------------------------------------

$gateway->announce(qr/the JWK Set cannot be used/, qr/jwks_unavailable/, qr/misconfigured/, qr/is full of what/);
for my $send (\&send_logout, \&send_event) {
    my $token = $send == \&send_logout ? signed('logout+jwt', logout_claims()) : signed('secevent+jwt', event_claims());
    my $name  = $send == \&send_logout ? 'logout' : 'event';
    my $response = $send->($token, '/no-keys');
    is $response->status, 503, "$name: no keys";
    like $response->header('Retry-After'), qr/^\d+$/, "$name: Retry-After";
    $response = $send->($token);
    is $response->status, $name eq 'logout' ? 200 : 202, "$name: sent again where there are keys";
    for my $lacks (qw(no-issuer no-audience)) {
        is $send->($token, "/$lacks")->status, 500, "$name: $lacks";
    }
    my $bare = $gateway->request(method => 'POST', path => '/revoke', port => 'bare', $name eq 'logout'
        ? (body => "logout_token=$token", headers => ['Content-Type: application/x-www-form-urlencoded'])
        : (body => $token, headers => ['Content-Type: application/secevent+jwt']));
    is $bare->status, 500, "$name: without any of the three directives";
}
like +(grep { /misconfigured/ } $gateway->log->own_lines)[0],
    qr/\[error\].*misconfigured: "phantom_token_issuer": is missing, .* location "\/no-issuer"/,
    'what is missing is logged';
is $gateway->request(method => 'POST', path => '/revoke', port => 'bare', body => 'sub=x',
    headers => ['Content-Type: application/x-www-form-urlencoded'])->status, 200, 'a form needs none of them';

# Keys that take their time: both wait for one request.
$gateway->as->answers('/late-jwks' => { hold => 'keys', json => jwks($rsa) });
my @waiting = map { $gateway->connect } 1 .. 3;
for my $client (@waiting) {
    my $token = signed('secevent+jwt', event_claims());
    $client->send(sprintf "POST /late-keys HTTP/1.1\r\nHost: x\r\nContent-Type: application/secevent+jwt\r\n"
        . "Content-Length: %d\r\n\r\n%s", length $token, $token);
}
until_true(patience(5), sub { grep { $_->{uri} eq '/late-jwks' } $gateway->as->requests }) or die "nobody asks\n";
$waiting[2]->reset;
$gateway->as->release('keys');
is $waiting[$_]->response('POST')->status, 202, "late keys: client $_" for 0, 1;
is scalar(grep { $_->{uri} eq '/late-jwks' } $gateway->as->requests), 1, 'late keys: asked once';

# --- a protected location, a full zone --------------------------------------------------------------------------------

my %sender = (sub => 'sender', iss => $issuer, aud => 'gateway', scope => 'events');
$gateway->as->answers('sender-token' => { jwt => \%sender });
my $guarded = signed('secevent+jwt', event_claims());
my @event   = ('Content-Type: application/secevent+jwt');
is $gateway->post('/guarded', $guarded, headers => \@event)->status, 401, 'guarded: without a token';
is $gateway->post('/guarded', $guarded, headers => \@event, token => 'sender-token')->status, 202, 'guarded: with one';

my $room   = parse_metrics($gateway->get('/metrics')->body)->{'phantom_token_revocation_capacity{zone="full"}'};
my $client = $gateway->connect;
$client->request(method => 'POST', path => '/full', body => "sub=f-$_",
    headers => ['Content-Type: application/x-www-form-urlencoded']) for 1 .. $room;
$logout = signed('logout+jwt', logout_claims(sub => 'f-1'));
my $full = send_logout($logout, '/full');
is $full->status, 503, 'full: no room to remember a logout token';
ok $full->header('Retry-After'), 'full: Retry-After';
$full = send_logout($logout, '/full');
is $full->status, 503, 'full: it has not been seen';

my $metrics = parse_metrics($gateway->get('/metrics')->body);
sub received { my ($kind, $result) = @_; return "phantom_token_revocations_total{kind=\"$kind\",result=\"$result\"}" }
is $metrics->{ received('logout_token', 'seen_before') }, 1, 'metrics: seen before';
cmp_ok $metrics->{ received('security_event', 'unknown') }, '>=', 4, 'metrics: unknown';
cmp_ok $metrics->{ received('logout_token', 'refused') }, '>=', 30, 'metrics: refused';
cmp_ok $metrics->{ received('logout_token', 'failed') }, '>=', 4, 'metrics: failed';

done_testing;
