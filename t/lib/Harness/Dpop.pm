package Harness::Dpop;

# Keys of clients, and proofs of possession (RFC 9449), good and broken ones, by CryptX. Shares nothing with the
# module's code.
#
#   my $key = dpop_key('ES256');            # ES384, ES512, EdDSA, Ed25519, RS256, PS256 … with bits => 1024
#   $key->{alg}; $key->public_jwk; $key->private_jwk; $key->thumbprint; $key->sign($text)
#   dpop_proof($key, htm => 'GET', htu => 'http://localhost/', token => 'alice-token')
#   dpop_request($key, 'alice-token', path => '/', proof => { … })    # of $gateway->request, with the proof for it

use strict;
use warnings;
use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use Digest::SHA 'sha256';
use Exporter 'import';
use Harness::Secrets 'keep_secret';
use JSON::PP ();
use MIME::Base64 'encode_base64url';

our @EXPORT_OK = qw(dpop_key dpop_proof dpop_request dpop_headers token_hash thumbprint);

my $json = JSON::PP->new->utf8->canonical;

my %CURVE = (ES256 => 'secp256r1', ES384 => 'secp384r1', ES512 => 'secp521r1');

# Which members RFC 7638 section 3.2 and RFC 8037 section 2 take.
my %REQUIRED = (EC => [qw(crv kty x y)], RSA => [qw(e kty n)], OKP => [qw(crv kty x)]);

sub dpop_key {
    my ($alg, %option) = @_;
    my $pk = $CURVE{$alg} ? Crypt::PK::ECC->new : $alg =~ /^Ed/ ? Crypt::PK::Ed25519->new : Crypt::PK::RSA->new;
    $pk->generate_key($CURVE{$alg} // ($alg =~ /^Ed/ ? () : (($option{bits} // 2048) / 8, 65_537)));
    return bless { alg => $alg, pk => $pk }, __PACKAGE__;
}

sub public_jwk  { return $_[0]->_jwk('public',  qw(kty crv x y n e)) }
sub private_jwk { return $_[0]->_jwk('private', qw(kty crv x y n e d p q dp dq qi)) }

# Only the members of RFC 7518: the library adds some of its own.
sub _jwk {
    my ($self, $which, @names) = @_;
    my $all = $self->{pk}->export_key_jwk($which, 1);
    return { map { $_ => "$all->{$_}" } grep { defined $all->{$_} } @names };
}

sub thumbprint {
    my ($key) = @_;
    my $jwk = ref $key eq 'HASH' ? $key : $key->public_jwk;
    return encode_base64url(sha256($json->encode({ map { $_ => $jwk->{$_} } @{ $REQUIRED{ $jwk->{kty} } } })));
}

# As RFC 7518 section 3 and RFC 8037 section 3.1 have it; another alg than the key's own, where the key can do it.
sub sign {
    my ($self, $text, $alg) = @_;
    $alg //= $self->{alg};
    return $self->{pk}->sign_message($text) if $alg =~ /^Ed/;
    my ($kind, $bits) = $alg =~ /^(ES|RS|PS)(\d+)$/ or die "no way to sign by $alg\n";
    return $self->{pk}->sign_message_rfc7518($text, "SHA$bits") if $kind eq 'ES';
    return $self->{pk}->sign_message($text, "SHA$bits", $kind eq 'RS' ? 'v1.5' : ('pss', $bits / 8));
}

sub token_hash { return encode_base64url(sha256($_[0])) }

# htm, htu, token, and all of it may be said otherwise:
#   header, claims   { member => value }: these in place of the good ones; undef: not there
#   jwk              { member => value } likewise, into the key of the header
#   header_json, claims_json   the whole text of that part
#   now              the clock that the proof is made by
#   signer           the key that signs, in place of the one that the header names
#   signature        what stands in place of the signature, or a sub that gets the good one
sub dpop_proof {
    my ($key, %option) = @_;
    my %jwk    = _changed($key->public_jwk, $option{jwk});
    my %header = _changed({ typ => 'dpop+jwt', alg => $key->{alg}, jwk => \%jwk }, $option{header});
    my %claims = _changed({
        jti => _identifier(), htm => $option{htm} // 'GET', htu => $option{htu}, iat => $option{now} // time,
        ath => defined $option{token} ? token_hash($option{token}) : undef
    }, $option{claims});
    my $signed = join '.', map { encode_base64url($_) } $option{header_json} // $json->encode(\%header),
        $option{claims_json} // $json->encode(\%claims);
    my $signature = $option{signature};
    $signature = ($option{signer} // $key)->sign($signed) if !defined $signature || ref $signature;
    $signature = $option{signature}->($signature) if ref $option{signature};
    my $proof = "$signed." . encode_base64url($signature);
    keep_secret($proof);
    return $proof;
}

sub _changed {
    my ($good, $changes) = @_;
    my %all = (%{$good}, %{ $changes // {} });
    return map { $_ => $all{$_} } grep { defined $all{$_} } keys %all;
}

my $count = 0;
sub _identifier { return encode_base64url(sha256(join ' ', $$, time, ++$count, rand)) }

# The two headers.
sub dpop_headers {
    my ($key, $token, %option) = @_;
    keep_secret($token);
    return ("Authorization: DPoP $token", 'DPoP: ' . dpop_proof($key, token => $token, %option));
}

# What Harness::Client sends: its Host is "localhost" unless the request says otherwise.
sub dpop_request {
    my ($key, $token, %request) = @_;
    my %proof = %{ delete $request{proof} // {} };
    my $path  = ($request{path} // '/') =~ s/[?#].*//sr;
    my @headers = dpop_headers($key, $token, htm => $request{method} // (defined $request{body} ? 'POST' : 'GET'),
        htu => 'http://' . ($request{host} // 'localhost') . $path, %proof);
    return (%request, headers => [@headers, @{ $request{headers} // [] }]);
}

1;
