package Harness::Keycloak;

# Keycloak, set up as docs/guides/keycloak.md says, and what an operator does to it while it runs.

use strict;
use warnings;
use parent -norequire, 'Harness::RealServer';
use Harness::Certificates qw(certificates client_certificate);
use Harness::Client;
use Harness::Ports 'reserve_port';
use Harness::Process qw(run patience);
use Harness::RealServer;
use Harness::Secrets 'keep_secret';
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;

sub start {
    my ($class) = @_;
    my $keys  = certificates();
    my $https = reserve_port();
    client_certificate($keys, 'gateway');
    my $self = $class->SUPER::start('keycloak', arguments => [$https, $keys]);
    @{$self}{qw(keys https)} = ($keys, $https);
    my $script = Harness::RealServer::script('keycloak', 'configure.sh');
    my $result = run([$script, $self->{folder}, $self->{port}, $keys], timeout => patience(180));
    die "Keycloak is not set up:\n$result->{out}$result->{err}\n" if $result->{code} || $result->{timed_out};
    return $self;
}

# A folder with ca.pem, and the gateway's gateway.pem and gateway.key.
sub keys_folder   { return $_[0]{keys} }
sub log_file      { return "$_[0]{folder}/out" }
sub https_address { return "127.0.0.1:$_[0]{https}" }
sub issuer        { return 'http://' . $_[0]->address . '/realms/demo' }

# The token response of a user: client, username, password, scope.
sub login {
    my ($self, %option) = @_;
    my $name = $option{username} // 'alice';
    my $form = { grant_type => 'password', username => $name, password => "$name-secret",
                 scope => $option{scope} // 'openid read write' };
    my $response = $self->form('token', $option{client} // 'app', $form);
    die 'Keycloak: no token: ' . $response->status . ' ' . $response->body . "\n" if $response->status != 200;
    keep_secret($_) for grep { defined } @{ $response->json }{qw(access_token refresh_token id_token)};
    return $response->json;
}

sub token { my ($self, %option) = @_; return $self->login(%option)->{access_token} }

# Lines of kcadm.sh, by the login of configure.sh.
sub kcadm {
    my ($self, $lines) = @_;
    my $prepare = '. "$0"; cd "$1"; PATH=$folder/keycloak/bin:$PATH; export KC_OPTS="-Duser.home=$1"; ';
    my @command = ('bash', '-euo', 'pipefail', '-c', $prepare . $lines);
    my $result = run([@command, Harness::RealServer::script('keycloak', 'common.sh'), $self->{folder}],
        timeout => patience(60));
    die "kcadm.sh:\n$result->{out}$result->{err}\n" if $result->{code} || $result->{timed_out};
    return;
}

# A client registers itself (RFC 7591); the response.
sub register {
    my ($self, $metadata) = @_;
    return Harness::Client->once(
        port => $self->{port}, method => 'POST', path => '/realms/demo/clients-registrations/openid-connect',
        host => $self->address, timeout => patience(30), headers => ['Content-Type: application/json'],
        body => $json->encode($metadata)
    );
}

# A user's token exchanged by a client; the response.
sub exchange {
    my ($self, $client, $token, %more) = @_;
    my $kind = 'urn:ietf:params:oauth';
    my $response = $self->form('token', $client, {
        grant_type => "$kind:grant-type:token-exchange", subject_token => $token,
        subject_token_type => "$kind:token-type:access_token", %more
    });
    my $got = $response->status == 200 ? $response->json->{access_token} : undef;
    keep_secret($got) if defined $got;
    return $response;
}

# The Admin REST API below /admin/realms: what it answers, read from JSON.
sub admin {
    my ($self, $method, $path, $content) = @_;
    my $response = Harness::Client->once(
        port => $self->{port}, method => $method, path => "/admin/realms/$path", host => $self->address,
        timeout => patience(30), defined $content ? (body => $json->encode($content)) : (),
        headers => ['Content-Type: application/json', 'Authorization: Bearer ' . $self->_administrator],
    );
    die "Keycloak: $method $path: " . $response->status . ' ' . $response->body . "\n" if $response->status !~ /^2/;
    return $response->body eq '' ? undef : $response->json;
}

# Its tokens live for a minute.
sub _administrator {
    my ($self) = @_;
    my $response = Harness::Client->once(
        port => $self->{port}, method => 'POST', path => '/realms/master/protocol/openid-connect/token',
        host => $self->address, timeout => patience(30),
        body => 'grant_type=password&client_id=admin-cli&username=admin&password=admin-secret',
        headers => ['Content-Type: application/x-www-form-urlencoded'],
    );
    die 'Keycloak: no administrator: ' . $response->body . "\n" if $response->status != 200;
    keep_secret($response->json->{access_token});
    return $response->json->{access_token};
}

# The id of a user or client by its name.
sub user_id   { my ($self, $name) = @_; return $self->admin('GET', "demo/users?username=$name&exact=true")->[0]{id} }
sub client_id { my ($self, $name) = @_; return $self->admin('GET', "demo/clients?clientId=$name")->[0]{id} }

1;
