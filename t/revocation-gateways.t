# nginx-conf/many-machines/revocation.conf: what a sender tells one gateway, all hear, or the sender is told which has
# not. First with servers in the gateways' places that answer what the test wants, then with three gateways.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Certificates 'certificates';
use Harness::Curl ();
use Harness::Revocation qw(revocation_gateways passes refused_everywhere);
use Harness::Transmitter;
use Time::HiRes 'time';

if ($ENV{NGINX_BINARY}) {
    plan skip_all => 'njs is there for Debian\'s nginx alone, and NGINX_BINARY names another';
}

my $public = certificates();
my $secret = temporary_folder() . '/gateway-secret';
{
    open my $out, '>', $secret or die "$secret: $!\n";
    print {$out} "gateway-secret\n";
    close $out;
    chmod 0600, $secret;
}

# A request to the port for senders.
sub send_to {
    my ($gateway, %request) = @_;
    my ($port) = $gateway->server('SENDERS') =~ /:(\d+)$/;
    return Harness::Curl::curl(
        port => $port, tls => "$public/ca.pem", path => '/revoke', timeout => patience(30), %request
    );
}

my $form   = 'Content-Type: application/x-www-form-urlencoded';
my %body   = (
    seen  => '{"error":"invalid_request","error_description":"the logout token has been seen before"}',
    clock => '{"error":"invalid_request","error_description":"its iat is ahead"}',
);
my %answer = (
    200   => { status => 200, headers => ['Cache-Control: no-store'] },
    202   => { status => 202 },
    seen  => { status => 400, type => 'application/json', body => $body{seen} },
    clock => { status => 400, type => 'application/json', body => $body{clock} },
    405   => { status => 405, headers => ['Allow: POST'] },
    map { $_ => { status => $_ } } 404, 413, 500, 503
);

# --- what the sender is answered -------------------------------------------------------------------------------------

my @told   = map { authorization_server() } 1 .. 3;
my ($hub)  = revocation_gateways(told => \@told, public => $public, secret => $secret);

sub told_answer {
    my (@names) = @_;
    $told[$_]->answers('/revoke' => $answer{ $names[$_] }) for 0 .. 2;
    $_->forget_requests for @told;
    return;
}

# The gateways' answers => what the sender gets: a status, or those that have not heard, by name and status.
for my $row (
    ['200 200 200',       200],
    ['202 202 202',       202],
    ['seen 200 200',      200, 'it is sent again: one has heard, and the others hear now'],
    ['seen seen 202',     202],
    ['seen seen seen',    400, 'all have heard, long ago'],
    ['clock clock clock', 400],
    ['405 405 405',       405],
    ['413 413 413',       413],
    ['404 404 404',       404],
    ['200 clock 200',     503, { 2 => 400 }, 'a refusal is none that has heard'],
    ['200 200 404',       503, { 3 => 404 }],
    ['500 200 200',       503, { 1 => 500 }],
    ['200 503 500',       503, { 2 => 503, 3 => 500 }],
    ['503 503 503',       503, { 1 => 503, 2 => 503, 3 => 503 }],
    ['seen 503 seen',     503, { 2 => 503 }],
) {
    my ($answers, $status, @more) = @{$row};
    my ($missed) = grep { ref } @more;
    my ($why)    = grep { !ref } @more;
    my $name     = "$answers: $status" . ($why ? ", $why" : '');
    subtest $name => sub {
        my $from = $hub->log->position;
        told_answer(split / /, $answers);
        $hub->announce(qr/not all gateways have heard/) if $missed;
        my @own      = ('Cookie: a=b', 'Authorization: Basic eA==');
        my $response = send_to($hub, body => 'logout_token=a.b.c', headers => \@own);
        is $response->status, $status, 'status';
        for my $one (@told) {
            my @seen = $one->requests;
            is scalar @seen, 1, 'each is told once';
            is $seen[0]->{body}, 'logout_token=a.b.c', 'what the sender said';
            is $seen[0]->header('Content-Type'), 'application/x-www-form-urlencoded', 'and of which type it is';
            is $seen[0]->header($_), undef, "but not the sender's $_" for 'Cookie', 'Authorization';
        }
        if ($missed) {
            is $response->header('Retry-After'), 5, 'Retry-After';
            is $response->header('Cache-Control'), 'no-store', 'Cache-Control';
            my $json = $response->json;
            is $json->{error}, 'temporarily_unavailable', 'the error';
            is_deeply $json->{not_heard},
                [map { { gateway => "gateway-$_", status => $missed->{$_} } } sort keys %{$missed}],
                'who has not heard';
            ok $hub->log->wait_for(qr/\[error\].*not all gateways have heard of a revocation: gateway-/, $from),
                'the log';
        }
        else {
            is $response->header('Retry-After'), undef, 'no Retry-After';
            is $response->body, $status == 400 ? $body{ (split / /, $answers)[0] } : '', 'the body of a gateway'
                if $status <= 400;
            is $response->header('Cache-Control'), 'no-store', 'its Cache-Control' if $answers =~ /\b200\b/;
            is $response->header('Allow'), 'POST', 'its Allow' if $status == 405;
        }
    };
}

{
    told_answer(qw(202 202 202));
    my $type = 'Content-Type: application/secevent+jwt';
    is send_to($hub, body => 'a.b.c', headers => [$type])->status, 202, 'a security event token';
    is_deeply [map { my ($one) = $_->requests; $one->header('Content-Type') . " $one->{body}" } @told],
        [('application/secevent+jwt a.b.c') x 3], 'with its type';
    my $large = 'logout_token=' . 'x' x (65_536 - 13);
    told_answer(qw(200 200 200));
    is send_to($hub, body => $large)->status, 200, 'a body of 64 KB';
    is_deeply [map { my ($one) = $_->requests; length $one->{body} } @told], [(65_536) x 3], 'comes in whole';
    is send_to($hub, body => "${large}x")->status, 413, 'a larger one does not';
    $hub->announce(qr/client intended to send too large body/);
    is send_to($hub, body => $large, headers => ['Transfer-Encoding: chunked'])->status, 200, 'a chunked one';
    told_answer(qw(405 405 405));
    is send_to($hub, method => 'GET')->status, 405, 'GET is for the gateways to refuse';

    # One that refuses connections.
    told_answer(qw(200 200 200));
    $told[1]->stop;
    $hub->announce(qr/connect\(\) failed|no live upstreams|not all gateways have heard/);
    my $response = send_to($hub, body => 'sid=x');
    is $response->status, 503, 'one is down';
    is_deeply $response->json->{not_heard}, [{ gateway => 'gateway-2', status => 502 }], 'which';
    is scalar(map { $_->requests } @told[0, 2]), 2, 'the others have heard';
    $told[1]->resume;
    is send_to($hub, body => 'sid=x')->status, 200, 'it is back: all have heard';
}

# One that never answers, and the time limits of the file.
{
    my ($hurried) = revocation_gateways(told => \@told, public => $public, secret => $secret, patient => 0);
    told_answer(qw(200 200 200));
    $told[2]->answers('/revoke' => { raw => [['hang']] });
    $hurried->announce(qr/upstream timed out|not all gateways have heard/);
    my $start    = time;
    my $response = send_to($hurried, body => 'sid=x');
    is $response->status, 503, 'one hangs';
    is_deeply [grep { $_->{gateway} eq 'gateway-3' } @{ $response->json->{not_heard} }],
        [{ gateway => 'gateway-3', status => 504 }], 'which';
    diag(sprintf 'the sender waited %.1f s for one that hangs', time - $start);
    check_faults($hurried);
}

# Who is none of the senders.
{
    my ($closed) = revocation_gateways(told => \@told, public => $public, secret => $secret, allow => '192.0.2.1');
    $_->forget_requests for @told;
    $closed->announce(qr/access forbidden by rule/);
    is send_to($closed, body => 'sid=x')->status, 403, 'who is no sender is refused';
    is send_to($closed, path => '/_gateway/gateway-1', body => 'sid=x')->status, 404, 'and does not reach a gateway';
    is send_to($closed, path => '/_authorization_server', body => 'token=x')->status, 404,
        'nor the authorization server, past the gateways';
    is scalar(map { $_->requests } @told), 0, 'no gateway has heard';
}

# --- token revocation (RFC 7009) -------------------------------------------------------------------------------------

{
    my $as     = $hub->as;
    my $revoke = sub {
        my ($body, %more) = @_;
        $as->forget_requests;
        $_->forget_requests for @told;
        my $client = 'Authorization: Basic YXBwOnM=';
        return send_to($hub, path => '/oauth/revoke', body => $body, headers => [$client], %more);
    };
    my $said  = sub { return join ' ', map { $_->{body} } map { $_->requests } @told };
    my $asked = sub { return join ' ', map { "$_->{uri} $_->{body}" } $as->requests };
    told_answer(qw(200 200 200));
    $as->answers('alice-token' => { status => 200, headers => ['Cache-Control: no-store'] });
    my $body = 'token=alice-token&token_type_hint=access_token&client_id=app';
    is $revoke->($body)->status, 200, 'RFC 7009: the authorization server accepts it';
    is $asked->(), "/token/revocation $body", 'RFC 7009: it got what the client sent';
    is +($as->requests)[0]->header('Authorization'), 'Basic YXBwOnM=', 'RFC 7009: with its credentials';
    is $said->(), join(' ', ('token=alice-token') x 3), 'RFC 7009: the gateways hear of the token, and of nothing else';
    is +($told[0]->requests)[0]->header('Authorization'), undef, 'RFC 7009: not of the credentials';

    $as->answers('a+b/c==' => { status => 200 });
    is $revoke->('token=a%2Bb%2Fc%3D%3D')->status, 200, 'RFC 7009: a token that is encoded';
    is $said->(), join(' ', ('token=a%2Bb%2Fc%3D%3D') x 3), 'RFC 7009: is encoded again';

    for my $row (
        [401, 'WWW-Authenticate: Basic realm="as"', '{"error":"invalid_client"}'],
        [400, 'Cache-Control: no-store', '{"error":"unsupported_token_type"}'],
        [503, 'Retry-After: 7', '{"error":"temporarily_unavailable"}'],
    ) {
        my ($status, $header, $content) = @{$row};
        $as->answers('alice-token' =>
                { status => $status, headers => [$header], type => 'application/json', body => $content });
        my $response = $revoke->($body);
        is $response->status, $status, "RFC 7009: the authorization server says $status";
        is $response->body, $content, 'RFC 7009: its words';
        my ($name, $value) = split /: /, $header;
        is $response->header($name), $value, "RFC 7009: its $name";
        is $said->(), '', 'RFC 7009: the gateways do not hear of it';
    }
    $as->answers('alice-token' => { status => 200 });
    for my $wrong (
        '', 'token=', 'token_type_hint=access_token', 'token=alice-token&token=bob-token',
        'token=alice-token&%74oken=bob-token',
        'token=alice-token' . join('', map { "&a$_=b" } 1 .. 1100) . '&token=bob-token'
    ) {
        my $response = $revoke->($wrong);
        my $shown    = substr $wrong, 0, 50;
        is $response->status . $response->json->{error}, '400invalid_request', "RFC 7009: \"$shown\"";
        is $asked->() . $said->(), '', 'RFC 7009: nobody hears of it';
    }
    is $revoke->($body, method => 'GET')->status, 400, 'RFC 7009: GET';

    told_answer(qw(200 404 200));
    $hub->announce(qr/not all gateways have heard/);
    my $response = $revoke->($body);
    is $response->status, 503, 'RFC 7009: a gateway has not heard';
    is_deeply $response->json->{not_heard}, [{ gateway => 'gateway-2', status => 404 }], 'RFC 7009: which';
    $as->stop;
    $hub->announce(qr/connect\(\) failed/);
    is $revoke->($body)->status, 502, 'RFC 7009: the authorization server is down';
    is $said->(), '', 'RFC 7009: the gateways do not hear of it';
    $as->resume;
}
check_faults();

# So low that the test need not hurry.
{
    my ($held) = revocation_gateways(told => \@told, public => $public, secret => $secret, rate => '1r/m');
    $held->announce(qr/limiting requests/);
    told_answer(qw(200 200 200));
    $held->as->answers('alice-token' => { status => 200 });
    my @statuses = map { send_to($held, path => '/oauth/revoke', body => 'token=alice-token')->status } 1 .. 23;
    is "@statuses", join(' ', (200) x 21, 429, 429), 'RFC 7009: a client that revokes again and again is held back';
}

# --- three gateways --------------------------------------------------------------------------------------------------

my $key = rsa_key('as');

sub logout_token {
    my (%claims) = @_;
    my $now = time;
    return jwt({
        iss => '<issuer>', aud => 'app', iat => int $now, exp => int $now + 120, jti => 'logout-' . $now,
        events => { 'http://schemas.openid.net/event/backchannel-logout' => {} }, %claims
    }, header => { alg => 'RS256', kid => $key->{kid}, typ => 'logout+jwt' }, key => $key);
}

{
    my $as       = authorization_server();
    my @gateways = revocation_gateways(servers => { AS => $as }, public => $public, secret => $secret);
    my $issuer   = 'http://' . $as->address;
    $as->answers(
        '/jwks' => { json => jwks($key) },
        map {
            my ($user, $session) = split /-/;
            ("$_-token" => { jwt => jwt({ iss => $issuer, sub => $user, sid => $_, iat => time - 60 }, key => $key) })
        } qw(alice-1 alice-2 bob-1 bob-2 carol-1)
    );
    passes($_, "$_-token", @gateways) for qw(alice-1 alice-2 bob-1 bob-2);

    is send_to($gateways[0], body => 'sid=alice-1')->status, 200, 'a form: one is told';
    refused_everywhere('a form', 'alice-1-token', @gateways);
    passes('another session', 'alice-2-token', @gateways);

    my $token = logout_token(iss => $issuer, sid => 'bob-1', sub => 'bob');
    is send_to($gateways[1], body => "logout_token=$token")->status, 200, 'a logout token: another one is told';
    refused_everywhere('a logout token', 'bob-1-token', @gateways);
    passes('another session', 'bob-2-token', @gateways);
    my $again = send_to($gateways[2], body => "logout_token=$token");
    is $again->status, 400, 'the same logout token once more';
    like $again->json->{error_description}, qr/seen before/, 'in the words that revocation.js looks for';
    my $forged = logout_token(iss => $issuer, sid => 'bob-2', aud => 'other');
    is send_to($gateways[0], body => "logout_token=$forged")->status, 400, 'one for another client';
    passes('another client\'s', 'bob-2-token', @gateways);

    # One is down, and is told when it is back.
    my $missed = logout_token(iss => $issuer, sid => 'bob-2');
    $gateways[2]->stop;
    $_->announce(qr/connect\(\) failed|not all gateways have heard/) for @gateways[0, 1];
    my $response = send_to($gateways[0], body => "logout_token=$missed");
    is $response->status, 503, 'one is down: the sender is told';
    is_deeply $response->json->{not_heard}, [{ gateway => 'gateway-3', status => 502 }], 'which';
    ok $response->header('Retry-After'), 'and to come again';
    refused_everywhere('at those that are there', 'bob-2-token', @gateways[0, 1]);
    $gateways[2]->start;
    passes('started again, it knows nothing of it', 'bob-2-token', $gateways[2]);
    refused_everywhere('but all that it had heard before', 'bob-1-token', $gateways[2]);
    is send_to($gateways[1], body => "logout_token=$missed")->status, 200, 'the sender sends it again, to any of them';
    refused_everywhere('told again', 'bob-2-token', @gateways);

    # RFC 7009, with a token that was never used at two of them.
    $as->answers('carol-1-token' => [
        { jwt => jwt({ iss => $issuer, sub => 'carol' }, key => $key) }, { status => 200 },
        { jwt => jwt({ iss => $issuer, sub => 'carol' }, key => $key) },
    ]);
    is $gateways[0]->get('/api/', port => 80, token => 'carol-1-token')->status, 200, 'RFC 7009: a token';
    is send_to($gateways[1], path => '/oauth/revoke', body => 'token=carol-1-token')->status, 200, 'RFC 7009: revoked';
    refused_everywhere('RFC 7009', 'carol-1-token', @gateways);

    # The port of the gateways is for gateways.
    my ($port) = $gateways[0]->server('HERE') =~ /:(\d+)$/;
    my $bare = Harness::Curl::curl(port => $port, tls => "$public/ca.pem", path => '/revoke', body => 'sid=alice-2',
        args => ['--insecure', '--connect-to', "localhost:$port:" . $gateways[0]->server('HERE')]);
    is $bare->status, 400, 'who has no certificate is refused at the port of the gateways';
    passes('which has revoked nothing', 'alice-2-token', $gateways[0]);
}

# --- a sender that sends again ---------------------------------------------------------------------------------------

{
    local $ENV{NODE_EXTRA_CA_CERTS} = "$public/ca.pem";
    my $transmitter = Harness::Transmitter->start;
    my $issuer      = $transmitter->issuer;
    my @gateways    = revocation_gateways(
        count  => 2, public => $public, secret => $secret, servers => { AS => authorization_server() },
        issuer => $issuer, audience => 'https://gateway.example.com', paths => { jwks => "$issuer/jwks" }
    );
    $gateways[0]->as->answers('dave-token' => { jwt => { iss => $issuer, sub => 'dave' } });
    passes('dave', 'dave-token', @gateways);
    $gateways[1]->stop;
    $gateways[0]->announce(qr/connect\(\) failed|not all gateways have heard/);

    my $from   = $gateways[0]->log->position;
    my $answer = temporary_folder() . '/answer';
    my $pid    = fork_child(sub {
        my ($pushed) = $transmitter->push_token(
            receivers => ['https://' . $gateways[0]->server('SENDERS') . '/revoke'],
            audience  => 'https://gateway.example.com', claims => {
                sub_id => { format => 'iss_sub', iss => $issuer, sub => 'dave' },
                events => { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked' => {} }
            }
        );
        open my $out, '>', $answer or die "$answer: $!\n";
        print {$out} "$pushed->{status} ", $pushed->{attempts} > 1 ? 'again' : 'once';
        close $out or die "$answer: $!\n";
    });
    ok $gateways[0]->log->wait_for(qr/not all gateways have heard/, $from), 'one is down: a transmitter is told';
    refused_everywhere('at the other', 'dave-token', $gateways[0]);
    $gateways[1]->start;
    ok until_true(patience(15), sub { !alive($pid) }), 'it sends its security event token again';
    open my $in, '<', $answer or die "$answer: $!\n";
    is scalar <$in>, '202 again', 'until all have heard';
    refused_everywhere('all have heard', 'dave-token', @gateways);
}

done_testing;
