package Harness::Jwt;

# How JWTs are made, good and broken ones.

use strict;
use warnings;
use Digest::SHA ();
use Exporter 'import';
use Harness::Process qw(temporary_folder);
use Harness::Secrets 'keep_secret';
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url encode_base64);

our @EXPORT_OK = qw(jwt raw_jwt jwt_claims jwks rsa_key base64url looks_like_jwt);

my $json = JSON::PP->new->utf8->canonical;

sub base64url { return encode_base64url($_[0]) }

# jwt({ sub => 'alice' }, header => {...}, key => 'secret' or rsa_key()): header and claims may also be JSON text, so
# that a test can say what a hash cannot (duplicate members, numbers of any size). The algorithm is the header's "alg".
sub jwt {
    my ($claims, %option) = @_;
    my $key     = $option{key} // 'any key does for who does not check';
    my $header  = $option{header} // {
        alg => ref $key ? 'RS256' : 'HS256', typ => 'at+jwt', ref $key ? (kid => $key->{kid}) : ()
    };
    my $signed  = join '.', map { base64url(ref $_ ? $json->encode($_) : $_) } $header, $claims;
    my $token   = $signed . '.' . base64url($option{signature} // _sign($signed, $key));
    keep_secret($token);
    return $token;
}

# raw_jwt($part, …): the parts as they are, joined by dots, for tokens that no library would make.
sub raw_jwt { my $token = join '.', @_; keep_secret($token); return $token }

sub jwt_claims { my ($token) = @_; return $json->decode(decode_base64url((split /\./, $token)[1])) }

sub looks_like_jwt { return defined $_[0] && !ref $_[0] && $_[0] =~ /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/ }

sub _sign {
    my ($text, $key) = @_;
    return Digest::SHA::hmac_sha256($text, $key) if !ref $key;
    my $folder = $key->{folder};
    _write("$folder/signed", $text);
    my $signature = `openssl dgst -sha256 -sign $folder/key.pem $folder/signed`;
    die "openssl dgst failed\n" if $?;
    return $signature;
}

# A new RSA key for RS256: { kid, folder }.
sub rsa_key {
    my ($kid) = @_;
    my $folder = temporary_folder();
    system("openssl genrsa -out $folder/key.pem 2048 2>/dev/null") == 0 or die "openssl genrsa failed\n";
    return { kid => $kid // 'rsa-1', folder => $folder };
}

# The JWKS of such keys, as JSON.
sub jwks {
    my (@keys) = @_;
    return $json->encode({ keys => [map { _jwk($_) } @keys] });
}

sub _jwk {
    my ($key) = @_;
    my ($modulus) = `openssl rsa -in $key->{folder}/key.pem -noout -modulus` =~ /^Modulus=([0-9A-F]+)$/m
        or die "openssl rsa failed\n";
    return {
        kty => 'RSA', use => 'sig', alg => 'RS256', kid => $key->{kid}, n => base64url(pack 'H*', $modulus), e => 'AQAB'
    };
}

sub _write {
    my ($file, $bytes) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $bytes;
    close $out or die "$file: $!";
    return;
}

1;
