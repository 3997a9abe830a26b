package Harness;

# What a test file uses. t/README.md shows how.

use strict;
use warnings;
use Exporter 'import';
use Harness::Answer ();
use Harness::Api;
use Harness::AuthorizationServer;
use Harness::Cases qw(cases configurations check_refusal);
use Harness::Challenge 'parse_challenge';
use Harness::Client;
use Harness::Keycloak;
use Harness::Jwt qw(jwt raw_jwt jwt_claims jwks rsa_key base64url);
use Harness::Nginx;
use Harness::Process qw(fork_child run until_true pace patience time_limit alive temporary_folder);
use Harness::RealServer;
use JSON::PP ();
use Test::More ();

my @TEST_MORE = grep { $_ ne 'done_testing' } @Test::More::EXPORT;

our @EXPORT = (
    @TEST_MORE,
    qw(gateway authorization_server api real_server cases configurations check_refusal check_faults done_testing),
    qw(parse_challenge jwt raw_jwt jwt_claims jwks rsa_key base64url true false),
    qw(fork_child run until_true pace patience time_limit alive temporary_folder)
);

Test::More->export_to_level(0, 'Test::More', @TEST_MORE);
time_limit(300);

my $owner = $$;
my @gateways;
my @real_servers;

sub true  { return JSON::PP::true }
sub false { return JSON::PP::false }

# A running gateway, with an authorization server and an API of its own unless servers => { AS => …, API => … }
# names them. The options are the parts of the configuration: Harness::Config.
sub gateway {
    my (%part) = @_;
    my %servers = %{ $part{servers} // {} };
    $servers{AS}  //= authorization_server();
    $servers{API} //= api();
    my $gateway = Harness::Nginx->new(%part, servers => \%servers)->start;
    push @gateways, $gateway;
    return $gateway;
}

sub authorization_server { return Harness::AuthorizationServer->start(@_) }

# api(protocol => 'fastcgi' | 'uwsgi' | 'scgi'), HTTP without it.
sub api { return Harness::Api->start(@_) }

sub real_server {
    my ($name, %option) = @_;
    push @real_servers, ($name eq 'keycloak' ? 'Harness::Keycloak' : 'Harness::RealServer')->start($name, %option);
    return $real_servers[-1];
}

# Fails for everything that went wrong without being announced since the last time.
sub check_faults {
    my (@which) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @faults = map { $_->faults } @which ? @which : @gateways;
    Test::More::diag(join "\n", @faults) if @faults;
    return Test::More::ok(!@faults, 'nginx and the servers have nothing to complain about');
}

# Ends nginx (gracefully: a request that hangs shows here), looks at its logs a last time, and ends the test.
sub done_testing {
    $_->stop for @gateways;
    check_faults() if @gateways;
    return Test::More::done_testing();
}

# A test that dies leaves nothing behind, either; Harness::Process ends what is left after this.
END {
    local $?;
    if ($$ == $owner) {
        $_->stop(quick => 1) for @gateways;
        $_->stop for @real_servers;
    }
}

1;
