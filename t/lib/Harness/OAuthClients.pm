package Harness::OAuthClients;

# Clients whose tokens are bound to a key or a certificate, on npm's openid-client, oauth4webapi and dpop: t/dpop.

use strict;
use warnings;
use Harness::Client;
use Harness::Ports 'reserve_port';
use Harness::Process qw(run spawn until_true patience temporary_folder);
use Harness::Secrets 'keep_secret';
use JSON::PP ();

my ($here) = __FILE__ =~ m{^(.*)/lib/Harness/};
my $json = JSON::PP->new->utf8->canonical;

# Where the packages are, and the clients' process.
my ($folder, $port);

# new('openid-client' | 'oauth4webapi' | 'dpop', client => …, issuer => …, …). Further options: secret, or certificate
# and key (files) for mutual TLS; ca, whom it trusts; redirect_uri; http2 => 1. Its tokens are bound to no key before
# new_key.
sub new {
    my ($class, $library, %option) = @_;
    my $self = bless { library => $library, %option, name => ++(our $count) }, $class;
    $self->_ask('start', library => $library, redirectUri => delete $option{redirect_uri}, %option);
    return $self;
}

sub library { return $_[0]{library} }

# The thumbprint of its key.
sub jkt { return $_[0]{jkt} }

# A new key for this algorithm, which is the client's from now on, or none; returns its thumbprint.
sub new_key {
    my ($self, $algorithm) = @_;
    return $self->{jkt} = $self->_ask('key', defined $algorithm ? (alg => $algorithm) : ())->{jkt};
}

# What the token endpoint answers, by client credentials.
sub tokens {
    my ($self, %parameters) = @_;
    return $self->_tokens('token', parameters => { scope => 'read', %parameters });
}

sub token { my ($self, %parameters) = @_; return $self->tokens(%parameters)->{access_token} }

# The same, by a person at a browser who signs in and allows it: a Harness::Browser with this client's redirect_uri.
sub tokens_of {
    my ($self, $browser, %parameters) = @_;
    my $answer = $browser->authorize($self->_ask('authorize', parameters => \%parameters));
    return $self->_tokens('callback', parameters => $answer);
}

sub refresh { my ($self, $refresh_token) = @_; return $self->_tokens('refresh', refreshToken => $refresh_token) }

sub _tokens {
    my ($self, $command, @fields) = @_;
    my $answer = $self->_ask($command, @fields);
    keep_secret(grep { defined } @{$answer}{qw(access_token refresh_token id_token)});
    return $answer;
}

# A request as the library makes it: { status, headers => { name => text }, body }. More: method, headers => {…}, body;
# stream, so many bytes at a time.
sub request {
    my ($self, $token, $url, %more) = @_;
    my $answer = $self->_ask('request', token => $token, url => $url, %more);
    $answer->{headers} = { map { @{$_} } @{ $answer->{headers} } };
    return $answer;
}

# The fields of a request that somebody else sends. More: method, nonce.
sub fields {
    my ($self, $token, $url, %more) = @_;
    return ("Authorization: DPoP $token", 'DPoP: ' . $self->proof($token, $url, %more));
}

sub proof {
    my ($self, $token, $url, %more) = @_;
    return $self->_ask('proof', token => $token, url => $url, %more)->{proof};
}

# The first two messages that come by a websocket whose handshake has a proof, and to which this text goes.
sub talk {
    my ($self, $token, $url, $text) = @_;
    return @{ $self->_ask('socket', token => $token, url => $url, text => $text)->{messages} };
}

sub _ask {
    my ($self, $command, %field) = @_;
    my $response = Harness::Client->once(
        port => $port // _start(), method => 'POST', path => "/$command", timeout => patience(30),
        headers => ['Content-Type: application/json'], body => $json->encode({ name => "$self->{name}", %field })
    );
    my $answer = $response->json;
    die "$self->{library}: $command: $answer->{error}\n" if ref $answer->{error} || ($answer->{error} // '') ne '';
    return $answer;
}

sub _start {
    $folder = "$here/../build/dpop";
    my $result = run(["$here/npm-install.sh", "$here/dpop", $folder], timeout => 600);
    die "npm-install.sh: $result->{err}" if $result->{code} != 0;
    my $log   = temporary_folder() . '/clients.log';
    my $start = reserve_port();
    spawn(['node', "$folder/clients.mjs", $start], out => $log);
    until_true(
        patience(10), sub { eval { Harness::Client->once(port => $start, method => 'POST', path => '/') } }
    ) or die "the clients do not start: $log\n";
    return $port = $start;
}

1;
