package Fuzz::Proof;

# Clients with keys: proofs of possession (RFC 9449) and certificates (RFC 8705), good, broken, stolen. A proof is made
# for a request, so that it cannot be the same in each run.

use strict;
use warnings;
use Digest::SHA qw(sha256 hmac_sha256);
use Exporter 'import';
use Harness::Dpop qw(dpop_key dpop_proof token_hash);
use MIME::Base64 qw(encode_base64 encode_base64url);

our @EXPORT_OK = qw(make_keys thumbprint_of certificate_thumbprint nonce_secret prove show_certificate);

my %key;
my %certificate = (own => 'the certificate of the client', other => 'another certificate');
my $NONCE_SECRET = 'a secret for nonces, of more than 32 bytes';

# Before any process is forked, for the authorization server puts their thumbprints into tokens.
sub make_keys {
    %key = (own => dpop_key('ES256'), other => dpop_key('EdDSA'), weak => dpop_key('RS256', bits => 1024));
    return;
}

sub thumbprint_of { my ($name) = @_; return $key{$name}->thumbprint }

sub certificate_thumbprint { my ($name) = @_; return encode_base64url(sha256($certificate{$name})) }

sub nonce_secret { return $NONCE_SECRET }

# As the gateway makes it: the time, and its HMAC.
sub _nonce {
    my ($time) = @_;
    my $bytes = pack 'Q>', $time;
    return encode_base64url($bytes . hmac_sha256("DPoP-Nonce$bytes", $NONCE_SECRET));
}

# What is wrong with a proof, by changes of the arguments of dpop_proof.
my %BROKEN = (
    'typ'              => sub { return (header => { typ => 'JWT' }) },
    'no typ'           => sub { return (header => { typ => undef }) },
    'alg none'         => sub { return (header => { alg => 'none' }) },
    'alg HS256'        => sub { return (header => { alg => 'HS256' }) },
    'alg of another'   => sub { return (header => { alg => 'RS256' }) },
    'crit'             => sub { return (header => { crit => ['exp'] }) },
    'no jwk'           => sub { return (header => { jwk => undef }) },
    'jwk private'      => sub { return (jwk => { d => 'AQ' }) },
    'jwk broken'       => sub { return (jwk => { x => 'AQ' }) },
    'no jti'           => sub { return (claims => { jti => undef }) },
    'jti empty'        => sub { return (claims => { jti => '' }) },
    'jti long'         => sub { return (claims => { jti => 'x' x 257 }) },
    'htm other'        => sub { return (htm => 'PATCH') },
    'htm small'        => sub { my (undef, %good) = @_; return (htm => lc $good{htm}) },
    'htu other'        => sub { my (undef, %good) = @_; return (htu => "$good{htu}x") },
    'htu https'        => sub { my (undef, %good) = @_; return (htu => $good{htu} =~ s/^http:/https:/r) },
    'htu of the host'  => sub { my (undef, %good) = @_; return (htu => $good{htu} =~ s/localhost/localhost:81/r) },
    'htu with a user'  => sub { my (undef, %good) = @_; return (htu => $good{htu} =~ s/localhost/u\@localhost/r) },
    'no htu'           => sub { return (claims => { htu => undef }) },
    'no iat'           => sub { return (claims => { iat => undef }) },
    'iat a text'       => sub { return (claims => { iat => 'now' }) },
    'iat old'          => sub { return (now => time - 100) },
    'iat ahead'        => sub { return (now => time + 100) },
    'exp past'         => sub { return (claims => { exp => time - 10 }) },
    'no ath'           => sub { return (token => undef) },
    'ath of another'   => sub { my (undef, %good) = @_; return (token => "$good{token}x") },
    'signed by another' => sub { return (signer => $key{other}) },
    'a weak key'       => sub {
        return (signer => $key{weak}, header => { alg => 'RS256', jwk => $key{weak}->public_jwk });
    },
    'empty signature'  => sub { return (signature => '') },
    'signature cut'    => sub { return (signature => sub { return substr $_[0], 1 }) },
);

# Other ways to say the same.
my %SAME = (
    'htu upper case'   => sub {
        my (undef, %good) = @_;
        return (htu => $good{htu} =~ s{^http://localhost}{HTTP://LOCALHOST}r);
    },
    'htu with a port'  => sub { my (undef, %good) = @_; return (htu => $good{htu} =~ s/localhost/localhost:80/r) },
    'htu with dots'    => sub { my (undef, %good) = @_; return (htu => $good{htu} =~ s/localhost/localhost\/x\/../r) },
    'htu with a query' => sub { my (undef, %good) = @_; return (htu => "$good{htu}?q#f") },
    'htu encoded'      => sub { my (undef, %good) = @_; return (htu => $good{htu} =~ s/k(?=ey)/%6b/r) },
    'typ in full'      => sub { return (header => { typ => 'application/DPoP+jwt' }) },
    'a member more'    => sub { return (header => { kid => 'x' }, claims => { x => [{}] }) },
    'a minute old'     => sub { return (now => time - 30) },
    'ahead'            => sub { return (now => time + 2) },
);

# Lines of the request, and what they show: { dpop => 1, jkt => …, outcome => what the gateway must say of the proof,
# where that is not that it is good }.
sub prove {
    my ($dice, $location, %request) = @_;
    my $name = $dice->percent(85) ? 'own' : 'other';
    my %good = (
        htm => $request{method}, htu => "http://localhost$request{path}" =~ s/[?#].*//r, token => $request{token}
    );
    my %shown = (dpop => 1, jkt => thumbprint_of($name));
    my ($label, %changes) = ('good');
    if ($dice->percent(30)) {
        $label = $dice->one_of(sort keys %SAME);
        %changes = $SAME{$label}->($dice, %good);
    } elsif ($dice->percent(30)) {
        $label = $dice->one_of(sort keys %BROKEN);
        %changes = $BROKEN{$label}->($dice, %good);
        ($name, $shown{outcome}) = ('own', 'dpop_proof');
    }
    my %nonce = $location->{nonce} ? _choose_nonce($dice, \%shown, $label) : ();
    $changes{claims} = { %nonce, %{ $changes{claims} // {} } };
    my $proof = dpop_proof($key{$name}, %good, %changes);
    my @lines = _written($dice, $proof, \%shown);
    return (\%shown, "proof: $label of $name", "Authorization: DPoP $request{token}", @lines);
}

sub _choose_nonce {
    my ($dice, $shown, $label) = @_;
    return (nonce => _nonce(time - $dice->one_of(0, 10, 100, 200))) if $dice->percent(75);
    $shown->{outcome} = 'dpop_nonce' if !$shown->{outcome} || $label =~ /^sign/; # the signature comes last
    return $dice->one_of({}, { nonce => _nonce(time - 400) }, { nonce => 'x' }, { nonce => _nonce(time + 100) },
        { nonce => _nonce(time) =~ s/^(.{20})./${1}_/r =~ s/_\K_/-/r })->%*;
}

# As one header mostly.
sub _written {
    my ($dice, $proof, $shown) = @_;
    return "DPoP: $proof" if $dice->percent(90);
    my $way = $dice->number(4);
    return "dpop:   $proof  " if $way == 0;
    my $is_wrong_nonce = ($shown->{outcome} // '') eq 'dpop_nonce';
    $shown->{outcome} = 'dpop_proof';
    return () if $way == 1;
    return ("DPoP: $proof", "DPoP: $proof") if $way == 2;
    $shown->{outcome} = 'dpop_proof|dpop_nonce' if $is_wrong_nonce;
    my $at  = $dice->number(length $proof);
    my $old = substr $proof, $at, 1;
    substr $proof, $at, 1, $old eq 'A' ? 'B' : $old eq '.' ? 'x' : 'A';
    return "DPoP: $proof";
}

# A line as the terminator of TLS writes it, and the thumbprint that it shows; sometimes none that can be read.
sub show_certificate {
    my ($dice) = @_;
    my $name   = $dice->one_of(qw(own own own other));
    my $base64 = encode_base64($certificate{$name}, '');
    my @forms  = (
        ":$base64:", "-----BEGIN%20CERTIFICATE-----%0A$base64%0A-----END%20CERTIFICATE-----%0A" =~ s/\+/%2B/gr,
        "-----BEGIN CERTIFICATE----- $base64 -----END CERTIFICATE-----"
    );
    return (certificate_thumbprint($name), 'X-Certificate: ' . $dice->one_of(@forms)) if $dice->percent(80);
    my @lines = $dice->one_of([], ['X-Certificate:'], ['X-Certificate: x'], ["X-Certificate: :$base64"],
                              ["X-Certificate: $base64"])->@*;
    return (undef, @lines);
}

1;
