package Fuzz::Compact;

# Compact JWTs, good ones and others: what is signed by whom, how it is written, and what that means to the gateway.

use strict;
use warnings;
use Crypt::OpenSSL::RSA;
use Digest::SHA 'hmac_sha256';
use Exporter 'import';
use Fuzz::Json qw(written read_object);
use JSON::PP ();
use MIME::Base64 'encode_base64url';

our @EXPORT_OK = qw(compact use_keys);

my $plain = JSON::PP->new->utf8->canonical;
my %key;

# use_keys(good => path of a PEM file, other => …)
sub use_keys {
    my (%path) = @_;
    for my $name (keys %path) {
        open my $in, '<', $path{$name} or die "$path{$name}: $!";
        local $/ = undef;
        $key{$name} = Crypt::OpenSSL::RSA->new_private_key(scalar <$in>);
        $key{$name}->use_sha256_hash;
    }
    return;
}

my %SIGNER = (
    good         => { alg => 'RS256', kid => 'good',  sign => sub { return $key{good}->sign($_[0]) } },
    'other key'  => { alg => 'RS256', kid => 'good',  sign => sub { return $key{other}->sign($_[0]) } },
    'changed'    => { alg => 'RS256', kid => 'good',  sign => sub { return $key{good}->sign("$_[0]x") } },
    'another kid' => { alg => 'RS256', kid => 'other', sign => sub { return $key{other}->sign($_[0]) } },
    'HMAC'       => { alg => 'HS256', kid => 'good',  sign => sub { return hmac_sha256($_[0], 'secret') } },
    'crit'       => { alg => 'RS256', kid => 'good',  crit => ['exp'], sign => sub { return $key{good}->sign($_[0]) } },
);

# What breaks a JWT as such; all but the last few are still b64tokens, so that a client can send them too.
my %BROKEN = (
    'alg none'          => sub { my (undef, $claims) = @_; return encode_base64url('{"alg":"none"}') . ".$claims." },
    'alg nOnE, signed'  => sub {
        my (undef, $claims) = @_;
        return encode_base64url('{"alg":"nOnE"}') . ".$claims.c2ln";
    },
    'no alg'            => sub { my (undef, $claims) = @_; return encode_base64url('{"typ":"JWT"}') . ".$claims.c2ln" },
    'alg empty'         => sub { my (undef, $claims) = @_; return encode_base64url('{"alg":""}') . ".$claims.c2ln" },
    'alg twice'         => sub {
        my (undef, $claims) = @_;
        return encode_base64url('{"alg":"RS256","alg":"RS256"}') . ".$claims.c2ln";
    },
    'header an array'   => sub { my (undef, $claims) = @_; return encode_base64url('["alg"]') . ".$claims.c2ln" },
    'two parts'         => sub { return "$_[0].$_[1]" },
    'four parts'        => sub { return "$_[0].$_[1].$_[2].$_[2]" },
    'no signature'      => sub { return "$_[0].$_[1]." },
    'no claims'         => sub { return "$_[0]..$_[2]" },
    'unused bits'       => sub {
        my (undef, $claims) = @_;
        return encode_base64url('{"alg":"RS256"}') . ".$claims.c2lnbB";
    },
    'one character'     => sub { return "$_[0].$_[1].A" },
    'plus for minus'    => sub { return "$_[0].$_[1].+$_[2]" },
);
my %BROKEN_TEXT = (
    'padded'            => sub { return "$_[0].$_[1].c2lnbg==" },
    'line feed within'  => sub { return "$_[0].\n$_[1].$_[2]" },
    'CRLF and a header' => sub { return "$_[0].$_[1].$_[2]\r\nX-Case: 1" },
    'blank within'      => sub { return "$_[0].$_[1] .$_[2]" },
    'NUL within'        => sub { return "$_[0].$_[1]\0.$_[2]" },
    'two of them'       => sub { return "$_[0].$_[1].$_[2] $_[0].$_[1].$_[2]" },
);

# { text, effect, label, claims, header, signer }: claims and header as a strict reader has them, undef where it has
# none. Options: typ, more => { … } (of the header), inbound => 1 (a client sends it, so it must be a b64token).
sub compact {
    my ($claims, $dice, %option) = @_;
    my $signer = $dice->percent(85) ? 'good' : $dice->one_of(grep { $_ ne 'good' } sort keys %SIGNER);
    my %signer = %{ $SIGNER{$signer} };
    my $sign   = delete $signer{sign};
    my %header = (%signer, defined $option{typ} ? (typ => $option{typ}) : (), %{ $option{more} // {} });
    my ($json, $effect, $label) = written($claims, $dice, 10);
    my @parts = map { encode_base64url($_) } $plain->encode(\%header), $json;
    push @parts, encode_base64url($sign->("$parts[0].$parts[1]"));
    my %jwt = (
        text => join('.', @parts), effect => $effect, label => "claims: $label", header => \%header, signer => $signer
    );
    $jwt{claims} = $effect eq 'same' ? $claims : $effect eq 'may' ? read_object($json) : undef;
    return \%jwt if $label ne '' || !$dice->percent(7);

    my %ways = (%BROKEN, $option{inbound} ? () : %BROKEN_TEXT);
    my $way  = $dice->one_of(sort keys %ways);
    return { %jwt, text => $ways{$way}->(@parts), effect => 'refuse', label => "JWT: $way", claims => undef };
}

1;
