package Harness::Certificates;

# Certificates for a test: a CA (ca.pem) and a server's (server.pem, server.key) for localhost and 127.0.0.1, and for
# further names where they are asked for. client_certificate adds a client's, of the same CA.

use strict;
use warnings;
use Exporter 'import';
use Harness::Process qw(run temporary_folder);

our @EXPORT_OK = qw(certificates client_certificate);

my @KEY = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

sub certificates {
    my (@names) = @_;
    my $folder = temporary_folder();
    my $names  = join ',', 'IP:127.0.0.1', map { "DNS:$_" } 'localhost', @names;
    open my $out, '>', "$folder/extensions" or die "$folder: $!";
    print {$out} "subjectAltName=$names\nbasicConstraints=CA:FALSE\n";
    close $out;
    _openssl(
        'req', '-x509', @KEY, '-days', 2, '-subj', '/CN=test CA', '-keyout', "$folder/ca.key", '-out', "$folder/ca.pem"
    );
    _sign($folder, 'server', 'localhost');
    return $folder;
}

# NAME.pem and NAME.key, whose subject is CN=NAME.
sub client_certificate {
    my ($folder, $name) = @_;
    _sign($folder, $name, $name);
    return;
}

sub _sign {
    my ($folder, $file, $name) = @_;
    _openssl('req', @KEY, '-subj', "/CN=$name", '-keyout', "$folder/$file.key", '-out', "$folder/$file.csr");
    _openssl('x509', '-req', '-in', "$folder/$file.csr", '-CA', "$folder/ca.pem", '-CAkey', "$folder/ca.key",
        '-CAcreateserial', '-days', 2, '-extfile', "$folder/extensions", '-out', "$folder/$file.pem");
    return;
}

sub _openssl {
    my (@arguments) = @_;
    my $result = run(['openssl', @arguments]);
    die "openssl $arguments[0]: $result->{err}\n" if $result->{code};
    return;
}

1;
