# Revocation at once, from end to end: real senders, and two gateways that have the token in their memory. A person logs
# out at oidc-provider, which sends a logout token; a transmitter of security events pushes one; a client revokes its
# token (RFC 7009). What oidc-provider needs for it stands in docs/guides/oidc-provider.md. The same with Keycloak:
# servers/keycloak.pl.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Browser;
use Harness::Certificates 'certificates';
use Harness::Curl ();
use Harness::JsonServer 'secret_file';
use Harness::Ports 'reserve_port';
use Harness::Revocation qw(revocation_gateways events_location passes refused_everywhere revoked_at_once);
use Harness::Transmitter;
use MIME::Base64 'encode_base64';

if ($ENV{NGINX_BINARY}) {
    plan skip_all => 'njs is there for Debian\'s nginx alone, and NGINX_BINARY names another';
}

# The senders know the first gateway, by a certificate that they trust.
my $public  = certificates();
my $senders = '127.0.0.1:' . reserve_port();
local $ENV{NODE_EXTRA_CA_CERTS} = "$public/ca.pem";

my $callback = 'https://app.example.com/callback';
my $page     = 'https://app.example.com/';
my $as = real_server('oidc-provider', clients => [{
    client_id => 'web', redirect_uris => [$callback], response_types => ['code'],
    grant_types => ['authorization_code', 'refresh_token'], post_logout_redirect_uris => [$page],
    backchannel_logout_uri => "https://$senders/revoke", backchannel_logout_session_required => true
}]);
my $transmitter = Harness::Transmitter->start;
my $issuer      = 'http://' . $as->address;
my @gateways    = revocation_gateways(
    count   => 2, servers => { AS => $as }, senders => $senders, public => $public,
    secret  => secret_file('gateway-secret'),
    audience => 'web', replace => [events_location($transmitter, 'https://gateway.example.com', $issuer)],
);

sub browser {
    my ($name) = @_;
    return Harness::Browser->new(
        $as, client => 'web', redirect_uri => $callback, scope => 'openid read', knows => { name => $name }
    );
}

# A token of a new login, if it takes a second until it is newer than what was revoked.
sub token_after {
    my ($name, $browser) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $token;
    ok until_true(
        patience(5), sub {
            $token = $browser->token(prompt => 'login');
            $gateways[0]->get('/api/', port => 80, token => $token)->status == 200;
        }
    ), "$name: a new login";
    passes("$name: a new login", $token, @gateways);
    return $token;
}

my ($alice, $elsewhere, $bob) = map { browser($_) } qw(alice alice bob);
my $tokens = $alice->tokens;
my ($second, $bobs) = map { $_->token } $elsewhere, $bob;
passes('another session of hers', $second, @gateways);
passes('another person',          $bobs,   @gateways);

# --- the user logs out -----------------------------------------------------------------------------------------------

revoked_at_once('alice logs out', $tokens->{access_token}, \@gateways, sub {
    $alice->logout($page, id_token_hint => $tokens->{id_token});
});
passes('another session of hers', $second, @gateways);
passes('another person',          $bobs,   @gateways);
my $new = $alice->token;
is_deeply [$alice->shown], ['name'], 'she has to sign in again';
passes('the new login', $new, @gateways);

# --- a security event ------------------------------------------------------------------------------------------------

my $caep = 'https://schemas.openid.net/secevent/caep/event-type';

sub pushed {
    my ($event, $subject) = @_;
    my @answers = $transmitter->push_token(
        receivers => [map { 'https://' . $_->server('SENDERS') . '/events' } @gateways],
        audience  => 'https://gateway.example.com', claims => { events => { $event => {} }, sub_id => $subject }
    );
    is join(' ', map { "$_->{status}$_->{body}" } @answers), '202 202', "$event: taken by both";
    return;
}

sub is_at_as { my ($subject) = @_; return { format => 'iss_sub', iss => $issuer, sub => $subject } }

revoked_at_once('session-revoked', $new, \@gateways, sub { pushed("$caep/session-revoked", is_at_as('alice')) });
refused_everywhere('session-revoked: all sessions of hers', $second, @gateways);
passes('another person', $bobs, @gateways);
my $newest = token_after('session-revoked', $elsewhere);
revoked_at_once('credential-change', $newest, \@gateways, sub { pushed("$caep/credential-change", is_at_as('alice')) });
passes('another person', $bobs, @gateways);

pushed("$caep/device-compliance-change", is_at_as('bob'));
$_->announce(qr/\[warn\]/) for @gateways;
passes('an event that revokes nothing', $bobs, @gateways);
my ($foreign) = $transmitter->push_token(
    receivers => ["https://$senders/events"], audience => 'https://gateway.example.com', claims => {
        events => { "$caep/session-revoked" => {} },
        sub_id => { %{ is_at_as('bob') }, iss => 'https://other.example.com' }
    }
);
is $foreign->{status}, 400, 'an event about somebody of another issuer';
passes('is of no effect', $bobs, @gateways);

# --- a client revokes its token --------------------------------------------------------------------------------------

sub send_to {
    my ($body, %more) = @_;
    my ($port) = $senders =~ /:(\d+)$/;
    return Harness::Curl::curl(
        port => $port, tls => "$public/ca.pem", path => '/revoke', body => $body, timeout => patience(30), %more
    );
}

sub revoke {
    my ($token, $client) = @_;
    return send_to("token=$token", path => '/oauth/revoke', headers => ["Authorization: $client"]);
}

is revoke($bobs, 'Basic ' . encode_base64('web:another-secret', ''))->status, 401, 'RFC 7009: another secret';
is revoke($bobs, $as->basic('app'))->status, 400, 'RFC 7009: another client';
passes('RFC 7009: they revoke nothing', $bobs, @gateways);
revoked_at_once('RFC 7009', $bobs, \@gateways, sub {
    is revoke($bobs, $as->basic('web'))->status, 200, 'RFC 7009: its own client';
});
ok !$as->introspect($bobs, 'gateway-kc')->json->{active}, 'RFC 7009: at oidc-provider, too';
my $last = $bob->tokens;
passes('RFC 7009: a new token of the session', $last->{access_token}, @gateways);

# --- a gateway that is down ------------------------------------------------------------------------------------------

$gateways[1]->stop;
$gateways[0]->announce(qr/connect\(\) failed|not all gateways have heard/);
my $from = $gateways[0]->log->position;
$bob->logout($page, id_token_hint => $last->{id_token});
refused_everywhere('one is down: at the other', $last->{access_token}, $gateways[0]);
ok $gateways[0]->log->wait_for(qr/\[error\].*not all gateways have heard.*gateway-2 answered 502/, $from),
    'one is down: the log says which';
$gateways[1]->start;
passes('started again, it has the token in its cache', $last->{access_token}, $gateways[1]);
my $sid = jwt_claims($last->{id_token})->{sid};
is send_to("sid=$sid")->status, 200, 'so somebody tells them by hand';
refused_everywhere('by hand', $last->{access_token}, @gateways);

done_testing;
