# phantom_token_revocation and phantom_token_revoke: what is revoked by a form is refused at once, wherever the token's
# answer comes from.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Metrics 'parse_metrics';

my $issuer  = 'https://as.example.com';
my $gateway = gateway(
    workers => 2,
    http => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        phantom_token_hot_cache zone=hot:1m;
        phantom_token_revocation zone=revoked:1m keep=2h;
        phantom_token_revocation zone=full:32k;
END
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token_revocation revoked;
        phantom_token_introspection_endpoint /_introspect;
        phantom_token_jwks_endpoint /_jwks;
        phantom_token_audience api;
        phantom_token_issuer https://as.example.com;
        proxy_pass_request_headers on;
END
    locations => <<'END',
        location / { phantom_token on; phantom_token_issuer ""; phantom_token_audience ""; proxy_pass http://%%API%%; }
        location /hot { phantom_token on; phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                        proxy_pass http://%%API%%;
                        location /hot/off { phantom_token_revocation off; proxy_pass http://%%API%%; } }
        location /cached { phantom_token on; phantom_token_introspection_endpoint /_cached; proxy_pass http://%%API%%; }
        location /none { phantom_token on; phantom_token_issuer ""; phantom_token_audience "";
                         phantom_token_forward none; proxy_pass http://%%API%%; }
        location /exchange { phantom_token on; phantom_token_exchange_endpoint /_exchange; proxy_pass http://%%API%%; }
        location /verify { phantom_token on; phantom_token_inbound_jwt verify; proxy_pass http://%%API%%; }
        location /pass { phantom_token on; phantom_token_inbound_jwt pass; proxy_pass http://%%API%%; }
        location /optional { phantom_token optional; proxy_pass http://%%API%%; }
        location /other-zone { phantom_token on; phantom_token_issuer ""; phantom_token_audience "";
                               phantom_token_revocation full; proxy_pass http://%%API%%; }
        location = /revoke { phantom_token_revoke revoked; }
        location = /fill { phantom_token_revoke full; }
        location = /guarded { phantom_token on; phantom_token_scopes "revoke"; phantom_token_revoke revoked; }
        location = /denied { deny all; phantom_token_revoke revoked; }
        location = /if { if ($http_x_if) { set $a 1; } phantom_token_revoke revoked; }
        location = /metrics { phantom_token_metrics; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_exchange { internal; proxy_pass http://%%AS%%/exchange; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
        location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                              proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }
END
);
$gateway->announce(qr/\[error\].*is full of what has not ended/);

my $rsa = rsa_key();
my $now = time;
$gateway->as->answers('/jwks' => { json => jwks($rsa) });

sub encoded { return $_[0] =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger }

sub form {
    my (@pairs) = @_;
    my @parts;
    while (my ($name, $value) = splice @pairs, 0, 2) {
        push @parts, encoded($name) . '=' . encoded($value);
    }
    return join '&', @parts;
}

sub post_form {
    my ($path, $body, %more) = @_;
    my @headers = ('Content-Type: application/x-www-form-urlencoded', @{ delete $more{headers} // [] });
    return $gateway->post($path, $body, headers => \@headers, %more);
}

sub revoke {
    my (@pairs) = @_;
    my $response = post_form('/revoke', form(@pairs));
    is $response->status, 200, "revoked: @pairs";
    is $response->{body}, '', '... without a body';
    return $response;
}

my $refused = { status => 401, outcome => 'revoked', challenge => { realm => 'api', error => 'invalid_token' } };
my $allowed = { status => 200, outcome => 'active' };

sub asked {
    my ($name, $token, $expected, $path) = @_;
    cases($gateway, { name => $name, request => { path => $path // '/', token => $token }, %{$expected} });
    return;
}

# --- the token itself -------------------------------------------------------------------------------------------------

$gateway->as->answers(
    'plain-token'  => { jwt => { sub => 'p' } },
    'future-token' => { jwt => { sub => 'f', iat => $now + 3600 } },
    'other-token'  => { jwt => { sub => 'o' } },
);
asked('token: before', 'plain-token', $allowed);
revoke(token => 'plain-token');
asked('token: after', 'plain-token', $refused);
asked('token: another one', 'other-token', $allowed);
revoke(token => 'future-token', token_type_hint => 'access_token');
asked('token: whatever its iat', 'future-token', $refused);
asked('token: another zone', 'plain-token', $allowed, '/other-zone');

# --- claims -----------------------------------------------------------------------------------------------------------

# A JWT with one of each, of its own values: nothing that another row has revoked is met.
sub full { my ($n) = @_; return (iss => $issuer, iat => $now - 10, map { $_ => "$_-$n" } qw(jti sid sub client_id)) }

# [name, sub: what is revoked, and the answer, by the row's number; refused or allowed; path]
my @rows = (
    (map {
        my $kind = $_;
        ["$kind in the JWT", sub { [$kind => "$kind-$_[0]"], jwt => { full(@_) } }, $refused],
        ["$kind in the JSON answer", sub {
            [$kind => "$kind-$_[0]"], json => { active => true, full(@_), jwt => jwt({ iss => $issuer }) }
         }, $refused],
    } qw(jti sid sub client_id)),
    ['another sub',        sub { [sub => "sub-$_[0]x"], jwt => { full(@_) } }, $allowed],
    ['another case',       sub { [sub => "Sub-$_[0]"], jwt => { full(@_) } }, $allowed],
    ['the sub as a jti',   sub { [jti => "sub-$_[0]"], jwt => { full(@_) } }, $allowed],
    ['its iss',            sub { [sub => "sub-$_[0]", iss => $issuer], jwt => { full(@_) } }, $refused],
    ['another iss',        sub { [sub => "sub-$_[0]", iss => "$issuer/"], jwt => { full(@_) } }, $allowed],
    ['a JWT without iss',  sub { [sub => "u$_[0]", iss => $issuer], jwt => { sub => "u$_[0]" } }, $refused],
    ['an iss in the JWT alone', sub {
        [sub => "u$_[0]", iss => 'https://other.example.com'],
        json => { active => true, sub => "u$_[0]", jwt => jwt({ iss => $issuer }) }
     }, $allowed],
    ['an iss in the answer alone', sub {
        [sub => "u$_[0]", iss => 'https://other.example.com'],
        json => { active => true, iss => $issuer, jwt => jwt({ sub => "u$_[0]" }) }
     }, $allowed],
    ['the answer is of another issuer than its JWT', sub {
        [sub => "u$_[0]", iss => 'https://other.example.com'],
        json => { active => true, iss => 'https://other.example.com', sub => "u$_[0]", jwt => jwt({ iss => $issuer }) }
     }, $refused],
    ['before: an earlier iat',  sub { [sub => "sub-$_[0]", before => $now - 9], jwt => { full(@_) } }, $refused],
    ['before: the same iat',    sub { [sub => "sub-$_[0]", before => $now - 10], jwt => { full(@_) } }, $refused],
    ['before: a later iat',     sub { [sub => "sub-$_[0]", before => $now - 11], jwt => { full(@_) } }, $allowed],
    ['before: no iat',          sub { [sub => "u$_[0]", before => 0], jwt => { sub => "u$_[0]" } }, $refused],
    ['before: an iat that is no number', sub {
        [sub => "u$_[0]", before => 0], jwt => { sub => "u$_[0]", iat => 'now' }
     }, $refused],
    ['before: an iat in the answer alone', sub {
        [sub => "u$_[0]", before => $now - 11],
        json => { active => true, iat => $now - 10, jwt => jwt({ sub => "u$_[0]" }) }
     }, $allowed],
    ['before: the answer has an earlier iat than its JWT', sub {
        [sub => "u$_[0]", before => $now - 15],
        json => { active => true, iat => $now - 20, sub => "u$_[0]",
                  jwt => jwt({ sub => "u$_[0]", iat => $now - 10 }) }
     }, $refused],
    ['before: none is now',     sub { [sub => "u$_[0]"], jwt => { sub => "u$_[0]", iat => $now + 3600 } }, $allowed],
    ['a sub that is a number',  sub { [sub => "42$_[0]"], jwt => jwt("{\"sub\":42$_[0]}") }, $refused],
    ['a sub that is a list',    sub { [sub => "u$_[0]"], jwt => jwt("{\"sub\":[\"u$_[0]\"]}") }, $allowed],
    ['bytes beyond ASCII',      sub { [sub => "\xc3\xbc$_[0]"], jwt => jwt("{\"sub\":\"\\u00fc$_[0]\"}") }, $refused],
    ['JSON alone', sub { [sub => "u$_[0]"], json => { active => true, sub => "u$_[0]" } }, $refused, '/none'],
);
my $number = 0;
for my $row (@rows) {
    my ($name, $make, $expected, $path) = @{$row};
    my ($revoked, %answer) = $make->(++$number);
    $gateway->as->answers("claim-token-$number" => \%answer);
    asked("claims: $name: before", "claim-token-$number", $allowed, $path);
    revoke(@{$revoked});
    asked("claims: $name", "claim-token-$number", $expected, $path);
}

# --- wherever the answer comes from -----------------------------------------------------------------------------------

sub metrics { return parse_metrics($gateway->get('/metrics')->body) }

$gateway->as->answers(
    '/exchange' => { json => { access_token => jwt({ sub => 'x1', aud => 'api', iss => $issuer }),
        token_type => 'Bearer', issued_token_type => 'urn:ietf:params:oauth:token-type:jwt' } },
    map { ("$_-token" => { jwt => { sub => "of-$_", aud => 'api', iss => $issuer, iat => $now - 10 } }) }
        qw(hot cached old new optional),
);
for my $place (qw(hot cached optional)) {
    asked("$place: $_ time", "$place-token", $allowed, "/$place") for qw(first second);
    my $before = metrics()->{'phantom_token_hot_cache_entries{zone="hot"}'};
    revoke(sub => "of-$place");
    asked("$place: refused", "$place-token", $refused, "/$place");
    next if $place ne 'hot';
    is metrics()->{'phantom_token_hot_cache_entries{zone="hot"}'}, $before - 1, 'hot: the copy is dropped';
    asked('hot: refused again', 'hot-token', $refused, '/hot');
    asked('hot: off below', 'hot-token', $allowed, '/hot/off');
}
my $exchanged = $gateway->get('/exchange', token => 'exchanged-token');
is $exchanged->status, 200, 'exchange: before';
revoke(token => 'exchanged-token');
asked('exchange: by the token that came', 'exchanged-token', $refused, '/exchange');
is $gateway->get('/exchange', token => 'exchanged-too-token')->status, 200, 'exchange: another token';
revoke(sub => 'x1');
asked('exchange: by the JWT that came for it', 'exchanged-too-token', $refused, '/exchange');

for my $way (qw(verify pass)) {
    my %claims = (sub => "of-$way", aud => 'api', iss => $issuer, exp => $now + 7200, iat => $now - 10);
    my $token  = jwt({%claims}, key => $rsa);
    is $gateway->get("/$way", token => $token)->status, 200, "$way: before";
    revoke(sub => "of-$way");
    asked("$way: by its sub", $token, $refused, "/$way");
    my $later = jwt({ %claims, iat => time + 60 }, key => $rsa);
    is $gateway->get("/$way", token => $later)->status, 200, "$way: a later one";
    revoke(token => $later);
    asked("$way: by itself", $later, $refused, "/$way");
}
my $forged = jwt({ sub => 'of-verify', aud => 'api', iss => $issuer, exp => $now + 7200, iat => $now - 10 },
    key => rsa_key('rsa-1'));
asked('verify: a forged JWT costs no signature', $forged, $refused, '/verify');

# --- forms that are refused -------------------------------------------------------------------------------------------

sub entries {
    my $metrics = metrics();
    my $sum     = 0;
    $sum += $metrics->{$_} for grep { /^phantom_token_revocation_entries/ } keys %{$metrics};
    return $sum;
}
my $before = entries();
for my $row (
    ['empty', '', qr/none of/],
    ['nothing that is revoked', 'iss=x', qr/none of/],
    ['a hint alone', 'token_type_hint=access_token', qr/none of/],
    ['two of one kind', 'sub=a&sub=b', qr/twice/],
    ['the same name, encoded', 'sub=a&s%75b=b', qr/twice/],
    ['two kinds', 'sub=a&sid=b', qr/more than one/],
    ['a token and a logout token', 'token=a&logout_token=b', qr/more than one/],
    ['an unknown parameter', 'sub=a&user=b', qr/unknown parameter/],
    ['an empty value', 'sub=', qr/empty/],
    ['no value', 'sub', qr/empty/],
    ['an empty iss', 'sub=a&iss=', qr/iss is empty/],
    ['no name', '=a', qr/without a name/],
    ['an empty parameter', 'sub=a&&iss=b', qr/without a name/],
    ['a separator at the end', 'sub=a&', undef],
    ['a broken escape', 'sub=%', qr/escape/],
    ['half an escape', 'sub=%4', qr/escape/],
    ['an escape that is none', 'sub=%zz', qr/escape/],
    ['iss beside a token', 'token=a&iss=b', qr/belong/],
    ['before beside a token', 'token=a&before=1', qr/belong/],
    ['a hint beside a sub', 'sub=a&token_type_hint=x', qr/belongs/],
    ['a hint beside a logout token', 'logout_token=a&token_type_hint=x', qr/belongs/],
    ['iss beside a logout token', 'logout_token=a&iss=x', qr/belong/],
    ['before in words', 'sub=a&before=now', qr/before is no number/],
    ['before with a fraction', 'sub=a&before=1.5', qr/before is no number/],
    ['before 1970', 'sub=a&before=-1', qr/before is no number/],
    ['an empty before', 'sub=a&before=', qr/before is no number/],
    ['a before of too many digits', 'sub=a&before=99999999999999999999', qr/before is no number/],
    ['JSON', '{"sub":"a"}', qr/unknown parameter/],
) {
    my ($name, $body, $problem) = @{$row};
    my $response = post_form('/revoke', $body);
    if (!defined $problem) {
        is $response->status, 200, "form: $name";
        $before++;
        next;
    }
    is $response->status, 400, "form: $name";
    is $response->header('Content-Type'), 'application/json', "form: $name: JSON";
    is $response->json->{error}, 'invalid_request', "form: $name: error";
    like $response->json->{error_description}, $problem, "form: $name: description";
}
is entries(), $before, 'form: nothing of all that is in the zone';

# --- the request around it --------------------------------------------------------------------------------------------

for my $method (qw(GET HEAD PUT DELETE PATCH OPTIONS)) {
    my $response = $gateway->request(method => $method, path => '/revoke');
    is $response->status, 405, "method: $method";
    is $response->header('Allow'), 'POST', "method: $method: Allow";
}
for my $type (undef, 'application/json', 'text/plain', 'multipart/form-data; boundary=x', 'application/jwt', ';', '') {
    my $response = $gateway->post('/revoke', 'sub=a', headers => defined $type ? ["Content-Type: $type"] : []);
    is $response->status, 415, 'type: ' . ($type // 'none');
}
for my $type ('application/x-www-form-urlencoded;charset=UTF-8', 'Application/X-WWW-Form-URLencoded ; charset=utf-8') {
    is $gateway->post('/revoke', 'sub=typed', headers => ["Content-Type: $type"])->status, 200, "type: $type";
}

sub of_size { my ($size) = @_; return 'token=' . ('x' x ($size - length 'token=')) }

my @form = ('Content-Type: application/x-www-form-urlencoded');
my $kept = 64 * 1024;
is post_form('/revoke', of_size($kept))->status, 200, 'size: 64 KB';
is post_form('/revoke', of_size($kept + 1))->status, 413, 'size: a byte more';
is $gateway->request(method => 'POST', path => '/revoke', headers => \@form, chunked => [of_size($kept)])->status, 200,
    'size: 64 KB in chunks';
is $gateway->request(method => 'POST', path => '/revoke', headers => \@form, chunked => [of_size($kept), 'x'])->status,
    413, 'size: a byte more in chunks';
is post_form('/revoke', 'sub=by-http2', http2 => 1, port => 'h2')->status, 200, 'HTTP/2'
    if Harness::Nginx::has('http_v2_module');

my $connection = $gateway->connect;
$connection->send("POST /revoke HTTP/1.1\r\nHost: x\r\n$form[0]\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
like $connection->stream->read_exactly(25), qr{^HTTP/1\.1 100 Continue\r\n\r\n$}, 'Expect: 100-continue';
for my $piece (qw(su b= slow ly)) {
    $connection->send($piece);
}
is $connection->response('POST')->status, 200, 'a body in pieces';
$connection->send("POST /revoke HTTP/1.1\r\nHost: x\r\n$form[0]\r\nContent-Length: 6\r\n\r\nsub=p1"
        . "POST /revoke HTTP/1.1\r\nHost: x\r\n$form[0]\r\nContent-Length: 6\r\n\r\nsub=p2");
is $connection->response('POST')->status, 200, 'pipelined: the first';
is $connection->response('POST')->status, 200, 'pipelined: the second';
$connection->send("GET /revoke HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
is $connection->response('GET')->status, 405, 'a body that nobody reads';
is $connection->finish, '', '... and nothing follows';
my $gone = $gateway->connect;
$gone->send("POST /revoke HTTP/1.1\r\nHost: x\r\n$form[0]\r\nContent-Length: 100\r\n\r\nsub=cut");
$gone->reset;

# --- who may come in --------------------------------------------------------------------------------------------------

$gateway->as->answers(
    'admin-token'  => { jwt => { sub => 'admin', aud => 'api', iss => $issuer, scope => 'revoke' } },
    'reader-token' => { jwt => { sub => 'reader', aud => 'api', iss => $issuer, scope => 'read' } },
    'guard-token'  => { jwt => { sub => 'guard', iat => $now - 10 } },
);
asked('guarded: before', 'guard-token', $allowed);
is post_form('/guarded', 'sub=guard')->status, 401, 'guarded: without a token';
is post_form('/guarded', 'sub=guard', token => 'reader-token')->status, 403, 'guarded: without the scope';
is post_form('/denied', 'sub=guard')->status, 403, 'denied by nginx';
asked('guarded: not revoked', 'guard-token', $allowed);
is post_form('/guarded', 'sub=guard', token => 'admin-token')->status, 200, 'guarded: with it';
asked('guarded: revoked', 'guard-token', $refused);
revoke(sub => 'admin');
is post_form('/guarded', 'sub=guard2', token => 'admin-token')->status, 401, 'guarded: by who is revoked';
is post_form('/if', 'sub=by-if', headers => ["X-If: $_"])->status, 200, "if: $_" for 0, 1;

# --- a zone that is full ----------------------------------------------------------------------------------------------

my $room = metrics()->{'phantom_token_revocation_capacity{zone="full"}'};
cmp_ok $room, '>', 100, "full: room for $room";
my $filling = $gateway->connect;
my %statuses;
for my $n (1 .. $room + 20) {
    my $response = $filling->request(method => 'POST', path => '/fill', headers => \@form, body => "sub=filler-$n");
    $statuses{ $response->status }++;
    is $response->header('Retry-After'), 10, 'full: Retry-After' if $response->status == 503;
    $filling = $gateway->connect if $n % 900 == 0;
}
is_deeply \%statuses, { 200 => $room, 503 => 20 }, 'full: what has room is taken, the rest is to be sent again';
my %filler = (aud => 'api', iss => $issuer, iat => $now - 10);
$gateway->as->answers(
    'filler-token' => { jwt => { sub => 'filler-1', %filler } },
    'late-token'   => { jwt => { sub => 'filler-' . ($room + 1), %filler } },
);
asked('full: the first one holds', 'filler-token', $refused, '/other-zone');
asked('full: what was not taken does not', 'late-token', $allowed, '/other-zone');
is post_form('/fill', 'sub=filler-1')->status, 200, 'full: what is there already is renewed';

# --- metrics and the log ----------------------------------------------------------------------------------------------

my $metrics = metrics();
is $metrics->{'phantom_token_revocations_total{kind="sub",result="failed"}'}, 20, 'metrics: not taken';
is $metrics->{'phantom_token_revocations_total{kind="other",result="refused"}'}, 27, 'metrics: forms that are refused';
cmp_ok $metrics->{'phantom_token_revocations_total{kind="token",result="revoked"}'}, '>=', 6, 'metrics: tokens';
cmp_ok $metrics->{'phantom_token_requests_total{status="revoked"}'}, '>=', 20, 'metrics: refusals';
is $metrics->{'phantom_token_revocation_entries{zone="full",kind="sub"}'}, $room, 'metrics: entries by kind';
my @lines = grep { /is revoked by/ } $gateway->log->own_lines;
like $lines[0], qr/\[notice\].*phantom token: a token is revoked by a form, location "\/revoke"/,
    'log: a line for each';
ok !(grep { /filler-|of-hot/ } $gateway->log->own_lines), 'log: without its value';

# --- nginx -t ---------------------------------------------------------------------------------------------------------

my $declared = 'phantom_token_revocation zone=r:1m;';
configurations(
    { name => 'nginx -t: declared and used', http => $declared, protected => 'phantom_token_revocation r;',
      accepts => 1 },
    { name => 'nginx -t: used, then declared', server => 'phantom_token_revocation r;',
      http => "server { listen 127.0.0.1:%%PORT:x%%; phantom_token_revocation r; } $declared", accepts => 1 },
    { name => 'nginx -t: off', http => $declared, protected => 'phantom_token_revocation off;', accepts => 1 },
    { name => 'nginx -t: all parameters',
      http => 'phantom_token_revocation state=revoked.state keep=1d zone=r:1m;', protected => '', accepts => 1 },
    { name => 'nginx -t: an unknown zone', http => $declared, protected => 'phantom_token_revocation x;',
      refuses =>
        qr/"phantom_token_revocation" of location "\/" names the zone "x", which is unknown: add .*zone=x:16m/ },
    { name => 'nginx -t: revoke an unknown zone', http => $declared, protected => 'phantom_token_revoke x;',
      refuses =>
        qr/"phantom_token_revoke" of location "\/" names the zone "x".*"phantom_token_revocation zone=x:16m;"/ },
    { name => 'nginx -t: a hot cache', http => 'phantom_token_hot_cache zone=h:1m;',
      protected => 'phantom_token_revocation h;', refuses => qr/names the zone "h", which is unknown/ },
    { name => 'nginx -t: as a hot cache', http => $declared,
      protected => 'phantom_token_hot_cache r;', refuses => qr/"phantom_token_hot_cache".*names the zone "r"/ },
    { name => 'nginx -t: one name for two kinds', http => "$declared phantom_token_hot_cache zone=r:1m;",
      protected => '', refuses => qr/"phantom_token_hot_cache" has a zone that another line declares: "r"/ },
    { name => 'nginx -t: revoke twice', http => $declared,
      protected => 'phantom_token_revoke r; phantom_token_revoke r;',
      refuses => qr/"phantom_token_revoke" directive is duplicate/ },
    { name => 'nginx -t: revoke in a server', http => $declared, server => 'phantom_token_revoke r;',
      refuses => qr/"phantom_token_revoke" directive is not allowed here/ },
    { name => 'nginx -t: the keys of a location that clients reach', http => $declared, locations => <<'END',
        location = /revoke { phantom_token_revoke r; phantom_token_jwks_endpoint /keys; }
        location = /keys { proxy_pass http://%%AS%%; }
END
      refuses => qr/"phantom_token_jwks_endpoint" of location "\/revoke" leads to location "\/keys", which clients/ },
    { name => 'nginx -t: told, and nobody refuses', http => $declared, accepts => 1,
      locations => 'location = /revoke { phantom_token_revoke r; }',
      warns => qr/location "\/revoke" takes revocations into the zone "r", and no protected location refuses by it/ },
    (map {
        { name => "nginx -t: $_->[0]", http => "phantom_token_revocation $_->[1];", protected => '',
          refuses => $_->[2] }
    }
        ['less than 8 pages', 'zone=r:31k', qr/"phantom_token_revocation" has a zone of less than 8 pages/],
        ['no size', 'zone=r', qr/"phantom_token_revocation" wants "zone=NAME:SIZE"/],
        ['a zone named off', 'zone=off:1m', qr/has a zone by a name that is the word for none: "zone=off:1m"/],
        ['keep alone', 'keep=5s', qr/"phantom_token_revocation" has no "zone=NAME:SIZE"/],
        ['keep of zero', 'zone=r:1m keep=0', qr/wants a time from 1s to 1y, it has: "keep=0"/],
        ['two times', 'zone=r:1m keep=1s keep=2s', qr/has a second time: "keep=2s"/],
        ['two files', 'zone=r:1m state=a state=b', qr/has a second file: "state=b"/],
        ['no file', 'zone=r:1m state=', qr/wants "state=" with the name of a file, it has: "state="/],
        ['an unknown parameter', 'zone=r:1m valid=1s', qr/has an invalid parameter: "valid=1s"/],
        ['the file of another zone', "zone=r:1m state=%%DIR%%/a; phantom_token_revocation zone=q:1m state=%%DIR%%/a",
         qr/has the state file of another zone: ".*\/a"/],
        ['a file where no folder is', 'zone=r:1m state=%%DIR%%/none/a', qr/cannot be opened/]),
    { name => 'nginx -t: a zone in a server', server => 'phantom_token_revocation zone=r:1m;',
      refuses => qr/"phantom_token_revocation" declares a zone outside of "http"/ },
);

done_testing;
