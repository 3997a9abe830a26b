package Harness::Certificates;

# Certificates for a test: a CA (ca.pem) and a server's (server.pem, server.key) for localhost and 127.0.0.1, and for
# further names where they are asked for.

use strict;
use warnings;
use Exporter 'import';
use Harness::Process qw(run temporary_folder);

our @EXPORT_OK = qw(certificates);

sub certificates {
    my (@names) = @_;
    my $folder = temporary_folder();
    my $names  = join ',', 'IP:127.0.0.1', map { "DNS:$_" } 'localhost', @names;
    open my $out, '>', "$folder/extensions" or die "$folder: $!";
    print {$out} "subjectAltName=$names\nbasicConstraints=CA:FALSE\n";
    close $out;
    my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);
    _openssl(
        'req', '-x509', @key, '-days', 2, '-subj', '/CN=test CA', '-keyout', "$folder/ca.key", '-out', "$folder/ca.pem"
    );
    _openssl('req', @key, '-subj', '/CN=localhost', '-keyout', "$folder/server.key", '-out', "$folder/server.csr");
    _openssl('x509', '-req', '-in', "$folder/server.csr", '-CA', "$folder/ca.pem", '-CAkey', "$folder/ca.key",
        '-CAcreateserial',
        '-days', 2, '-extfile', "$folder/extensions", '-out', "$folder/server.pem");
    return $folder;
}

sub _openssl {
    my (@arguments) = @_;
    my $result = run(['openssl', @arguments]);
    die "openssl $arguments[0]: $result->{err}\n" if $result->{code};
    return;
}

1;
