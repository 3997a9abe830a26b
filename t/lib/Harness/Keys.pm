package Harness::Keys;

# Keys and certificates of clients: the gateway has the private part, an authorization server the public one.

use strict;
use warnings;
use Digest::SHA 'sha256';
use Exporter 'import';
use Harness::Process 'run';
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64url);

our @EXPORT_OK = qw(key_pair public_jwk client_certificate certificate_members);

my %OPTIONS = (
    EC      => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    RSA     => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    Ed25519 => [qw(-algorithm ED25519)],
);

# key_pair("$folder/name.pem", 'EC' | 'RSA' | 'Ed25519'): a new private key in this file, which is returned.
sub key_pair {
    my ($file, $type) = @_;
    _run('openssl', 'genpkey', @{ $OPTIONS{$type} }, '-out', $file);
    chmod 0600, $file or die "$file: $!\n";
    return $file;
}

# public_jwk($file, kid => …): the public part of a private key, as a JWK with these members.
sub public_jwk {
    my ($file, %members) = @_;
    my $script = q{const { createPublicKey } = require('crypto'); const { readFileSync } = require('fs');
        console.log(JSON.stringify(createPublicKey(readFileSync(process.argv[1])).export({ format: 'jwk' })));};
    return { %{ JSON::PP->new->utf8->decode(_run('node', '-e', $script, $file)) }, %members };
}

# client_certificate("$folder/name", '/CN=gateway', $ca): name.key and name.pem, signed by the CA in that folder (as
# Harness::Certificates makes one), else by itself.
sub client_certificate {
    my ($name, $subject, $ca) = @_;
    key_pair("$name.key", 'EC');
    if (!defined $ca) {
        _run('openssl', 'req', '-x509', '-new', '-key', "$name.key", '-days', 2, '-subj', $subject, '-out',
            "$name.pem");
        return;
    }
    _run('openssl', 'req', '-new', '-key', "$name.key", '-subj', $subject, '-out', "$name.csr");
    _run('openssl', 'x509', '-req', '-in', "$name.csr", '-CA', "$ca/ca.pem", '-CAkey', "$ca/ca.key", '-CAcreateserial',
        '-days', 2, '-out', "$name.pem");
    return;
}

# The members x5c and x5t#S256 of a JWK (RFC 7517 sections 4.7 and 4.9) for the certificate in a PEM file.
sub certificate_members {
    my ($file) = @_;
    my $pem = _run('openssl', 'x509', '-in', $file);
    my ($base64) = $pem =~ /^-----BEGIN[^\n]*\n(.*)^-----END/ms or die "$file holds no certificate\n";
    return ('x5c' => [$base64 =~ s/\s//gr], 'x5t#S256' => encode_base64url(sha256(decode_base64($base64))));
}

sub _run {
    my (@command) = @_;
    my $result = run([@command]);
    die "@command[0 .. 1]: $result->{err}\n" if $result->{code} != 0;
    return $result->{out};
}

1;
