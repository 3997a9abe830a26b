package Harness::Verifiers;

# What two libraries that this project did not write make of a JWT: npm's jose and Debian's python3-jwt.

use strict;
use warnings;
use Exporter 'import';
use Harness::Process qw(run temporary_folder);
use JSON::PP ();

our @EXPORT_OK = qw(verify_jwts node_modules);

my ($here) = __FILE__ =~ m{^(.*)/lib/Harness/};
my $json = JSON::PP->new->utf8->canonical;
my $modules;

# node_modules(): the folder that node_modules with npm's jose is in; it comes with oidc-provider.
sub node_modules {
    return $modules //= do {
        my $result = run(["$here/authorization-servers/oidc-provider/install.sh"], timeout => 600);
        die "oidc-provider/install.sh: $result->{err}\n" if $result->{code} != 0;
        $result->{out} =~ s/\s+$//r;
    };
}

# verify_jwts($jwks, $issuer, $audience, @jwts): a JWK Set as JSON; returns for each library, in a list of pairs, what
# it makes of the JWTs: [name => [{ header, claims } or { error }, …]].
sub verify_jwts {
    my ($jwks, $issuer, $audience, @jwts) = @_;
    my $input = temporary_folder() . '/input';
    open my $out, '>:raw', $input or die "$input: $!";
    print {$out} $json->encode({
        jwks => $json->decode($jwks), issuer => $issuer, audience => $audience, tokens => \@jwts
    });
    close $out or die "$input: $!";
    return map { [$_->[0] => _verify($input, @{$_}[1 .. $#{$_}])] }
        ['jose', 'node', "$here/verifiers/jose.mjs", node_modules()],
        ['python3-jwt', '/usr/bin/python3', "$here/verifiers/pyjwt.py"];
}

sub _verify {
    my ($input, @command) = @_;
    my $result = run(['sh', '-c', 'exec "$@" < "$0"', $input, @command]);
    die "@command: $result->{err}\n" if $result->{code} != 0;
    return $json->decode($result->{out});
}

1;
