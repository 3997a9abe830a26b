package Harness::RealServer;

# How a real authorization server is started and asked for tokens. The servers are in t/authorization-servers.

use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename 'dirname';
use Harness::AuthorizationServer;
use Harness::Client;
use Harness::Form qw(form_encode form_text);
use Harness::Ports 'reserve_port';
use Harness::Process qw(run guard unguard alive temporary_folder until_true patience);
use Harness::Secrets 'keep_secret';
use JSON::PP ();
use MIME::Base64 'encode_base64';

my $SERVERS = abs_path(dirname(__FILE__) . '/../../authorization-servers');

my %PATH = (
    'oidc-provider'        => { token => '/token', introspection => '/token/introspection',
                                revocation => '/token/revocation', jwks => '/jwks', authorization => '/auth',
                                logout => '/session/end' },
    'glewlwyd'             => { token => '/api/oidc/token', introspection => '/api/oidc/introspect',
                                revocation => '/api/oidc/revoke', jwks => '/api/oidc/jwks' },
    'django-oauth-toolkit' => { token => '/o/token/', introspection => '/o/introspect/',
                                revocation => '/o/revoke_token/' },
    'hydra'                => { token => '/oauth2/token', introspection => '/admin/oauth2/introspect',
                                revocation => '/oauth2/revoke', authorization => '/oauth2/auth' },
    'spring'               => { token => '/oauth2/token', introspection => '/oauth2/introspect',
                                revocation => '/oauth2/revoke' },
    'keycloak'             => { map { $_->[0] => "/realms/demo/protocol/openid-connect/$_->[1]" }
                                    [token => 'token'], [introspection => 'token/introspect'],
                                    [revocation => 'revoke'], [jwks => 'certs'], [logout => 'logout'],
                                    [authorization => 'auth'] },
);

# What is reached through a port of its own, which start.sh is told as its third argument.
my %ADMIN = (hydra => { introspection => 1 });

my %SECRET = ('gateway-odd' => 'o+d d%/&=s');

# clients => [{…}, …]: further clients, as their registration (RFC 7591) has them. tls => FOLDER: the certificates of a
# port that asks for the client's, too; see tls_address. arguments => […]: more of start.sh's.
sub start {
    my ($class, $name, %option) = @_;
    my $paths = $PATH{$name} or die "no authorization server is called $name; there are @{[ sort keys %PATH ]}\n";
    my $self  = bless { name => $name, path => $paths, folder => temporary_folder(), port => reserve_port() }, $class;
    $self->_write('clients.json', JSON::PP->new->utf8->encode($option{clients})) if $option{clients};
    $self->_prepare_tls($option{tls}) if $option{tls};
    guard(pidfile => "$self->{folder}/pid");
    $self->{admin_port} = reserve_port() if $ADMIN{$name};
    my @arguments = ((grep { defined } @{$self}{qw(port admin_port)}), @{ $option{arguments} // [] });
    my $result    = run([script($name, 'start.sh'), $self->{folder}, @arguments], timeout => 600);
    die "$name does not start:\n$result->{err}\n" if $result->{code} || $result->{timed_out};
    open my $in, '<', "$self->{folder}/pid" or die "$name: no pid file\n";
    chomp($self->{pid} = <$in>);
    return $self;
}

# A script of a server's.
sub script { my ($name, $script) = @_; return "$SERVERS/$name/$script" }

sub _write {
    my ($self, $name, $content) = @_;
    open my $out, '>', "$self->{folder}/$name" or die "$self->{folder}/$name: $!\n";
    print {$out} $content;
    close $out or die "$self->{folder}/$name: $!\n";
    return;
}

sub _prepare_tls {
    my ($self, $certificates) = @_;
    mkdir "$self->{folder}/tls" or die "$self->{folder}/tls: $!\n";
    for my $name (qw(ca.pem server.pem server.key)) {
        symlink "$certificates/$name", "$self->{folder}/tls/$name" or die "$self->{folder}/tls/$name: $!\n";
    }
    $self->{tls_port} = reserve_port();
    $self->_write('tls/port', "$self->{tls_port}\n");
    return;
}

# The address and path of an endpoint.
sub endpoint { my ($self, $what) = @_; return '127.0.0.1:' . $self->_port_of($what) . $self->path($what) }

sub _port_of {
    my ($self, $what) = @_;
    return $ADMIN{ $self->{name} }{$what} ? $self->{admin_port} : $self->{port};
}

sub admin_port  { return $_[0]{admin_port} }
sub address     { return "127.0.0.1:$_[0]{port}" }
sub tls_address { return "127.0.0.1:$_[0]{tls_port}" }
sub port    { return $_[0]{port} }
sub path    { my ($self, $what) = @_; return $self->{path}{$what} // die "$self->{name} has no $what\n" }

# The value of Authorization for a client: Basic, its parts form-encoded (RFC 6749 section 2.3.1) unless raw => 1.
sub basic {
    my ($self, $client, %option) = @_;
    my @parts = ($client, $SECRET{$client} // "$client-secret");
    @parts = map { form_encode($_) } @parts if !$option{raw};
    return 'Basic ' . encode_base64(join(':', @parts), '');
}

# POSTs a form as a client; returns the response.
sub form {
    my ($self, $what, $client, $form, @headers) = @_;
    return Harness::Client->once(
        port => $self->_port_of($what), method => 'POST', path => $self->path($what), body => form_text($form),
        host => $self->address, timeout => patience(30),
        headers => ['Content-Type: application/x-www-form-urlencoded',
                    defined $client ? 'Authorization: ' . $self->basic($client) : (), @headers],
    );
}

# An access token by client credentials.
sub token {
    my ($self, %option) = @_;
    my %form = (grant_type => 'client_credentials', scope => $option{scope} // 'read write', %{ $option{form} // {} });
    my $response = $self->form('token', $option{client} // 'app', \%form);
    die "$self->{name}: no token: " . $response->status . ' ' . $response->body . "\n" if $response->status != 200;
    my $token = $response->json->{access_token};
    keep_secret($token);
    return $token;
}

sub revoke {
    my ($self, $token, %option) = @_;
    my $response = $self->form('revocation', $option{client} // 'app', { token => $token });
    die "$self->{name}: not revoked: " . $response->status . ' ' . $response->body . "\n" if $response->status != 200;
    return;
}

# What a client that introspects is told.
sub introspect {
    my ($self, $token, $client, $accept) = @_;
    return $self->form('introspection', $client, { token => $token }, defined $accept ? "Accept: $accept" : ());
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill TERM => $pid;
    until_true(patience(5), sub { !alive($pid) }) or kill KILL => $pid;
    unguard(pidfile => "$self->{folder}/pid");
    return;
}

1;
