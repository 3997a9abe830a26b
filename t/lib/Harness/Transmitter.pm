package Harness::Transmitter;

# A transmitter of security events on npm's jose, transmitter/transmitter.mjs.

use strict;
use warnings;
use Harness::Client;
use Harness::Ports 'reserve_port';
use Harness::Process qw(spawn until_true patience temporary_folder);
use Harness::Verifiers 'node_modules';
use JSON::PP ();

my ($here) = __FILE__ =~ m{^(.*)/lib/Harness/};
my $json = JSON::PP->new->utf8->canonical;

sub start {
    my ($class) = @_;
    my $self = bless { port => reserve_port(), log => temporary_folder() . '/log' }, $class;
    spawn(['node', "$here/transmitter/transmitter.mjs", node_modules(), $self->{port}], out => $self->{log});
    until_true(patience(10), sub { eval { $self->_request('GET', '/jwks'); 1 } })
        or die "the transmitter does not start: $self->{log}\n";
    return $self;
}

sub address { return "127.0.0.1:$_[0]{port}" }
sub issuer  { return 'http://' . $_[0]->address }

# Pushes a token: receivers => [URL, …], audience, claims => {…}. For each receiver { status, body, attempts,
# milliseconds }.
sub push_token {
    my ($self, %option) = @_;
    return @{ $self->_request('POST', '/push', $json->encode(\%option))->json };
}

sub _request {
    my ($self, $method, $path, $body) = @_;
    my $response = Harness::Client->once(
        port => $self->{port}, method => $method, path => $path, timeout => patience(30),
        defined $body ? (body => $body) : ()
    );
    die "the transmitter: $path: " . $response->status . "\n" if $response->status != 200;
    return $response;
}

1;
