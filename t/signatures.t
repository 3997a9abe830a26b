# Signatures: phantom_token_jwks_endpoint, phantom_token_verify_jwt, phantom_token_inbound_jwt.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Digest::SHA 'hmac_sha256';
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);

my $json  = JSON::PP->new->utf8->canonical;
my $start = time;
my $far   = $start + 86_400;

# --- keys and what they sign -----------------------------------------------------------------------------------------

my %CURVE = (ES256 => ['P-256', 32], ES384 => ['P-384', 48], ES512 => ['P-521', 66]);
my %EDWARDS = (Ed25519 => 32, Ed448 => 57);    # bytes of the public key (RFC 8037 section 2)
my $files = temporary_folder();

sub file {
    my ($name, $bytes) = @_;
    open my $out, '>:raw', "$files/$name" or die "$name: $!";
    print {$out} $bytes;
    close $out or die "$name: $!";
    return "$files/$name";
}

sub openssl {
    my ($command) = @_;
    my $out = `openssl $command 2>/dev/null`;
    die "openssl $command: failed\n" if $?;
    return $out;
}

# A new key: { kid, kind, pem, jwk }. The options are genpkey's; more members of the JWK follow.
sub make_key {
    my ($kid, $kind, %more) = @_;
    my $pem  = "$files/$kid.pem";
    my $bits = delete $more{bits} // 2048;
    my $options = $kind eq 'RSA' ? "-algorithm RSA -pkeyopt rsa_keygen_bits:$bits"
        : $EDWARDS{$kind} ? "-algorithm $kind"
        :                   "-algorithm EC -pkeyopt ec_paramgen_curve:$kind";
    openssl("genpkey $options -out $pem");
    my %jwk = (kid => $kid, use => 'sig', %more);
    if ($kind eq 'RSA') {
        my ($modulus) = openssl("rsa -in $pem -noout -modulus") =~ /=([0-9A-F]+)/;
        %jwk = (%jwk, kty => 'RSA', n => encode_base64url(pack 'H*', $modulus), e => 'AQAB');
    }
    elsif ($EDWARDS{$kind}) {
        my $x = substr openssl("pkey -in $pem -pubout -outform DER"), -$EDWARDS{$kind};
        %jwk = (%jwk, kty => 'OKP', crv => $kind, x => encode_base64url($x));
    }
    else {
        my ($size)  = map { $_->[1] } grep { $_->[0] eq $kind } values %CURVE;
        my ($x, $y) = unpack "a$size a$size", substr openssl("pkey -in $pem -pubout -outform DER"), -2 * $size;
        %jwk = (%jwk, kty => 'EC', crv => $kind, x => encode_base64url($x), y => encode_base64url($y));
    }
    return { kid => $kid, kind => $kind, pem => $pem, jwk => \%jwk };
}

sub signature {
    my ($key, $alg, $text) = @_;
    return openssl("pkeyutl -sign -rawin -inkey $key->{pem} -in " . file('signed', $text)) if $alg =~ /^Ed/;
    my ($way, $bits) = $alg =~ /^(RS|PS|ES)(\d+)$/ or die "no way to sign by $alg\n";
    my $options = $way eq 'PS' ? '-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest' : '';
    my $bytes   = openssl("dgst -sha$bits $options -sign $key->{pem} " . file('signed', $text));
    return $way eq 'ES' ? raw_ecdsa($bytes, $CURVE{$alg}[1]) : $bytes;
}

# RFC 7518 section 3.4: R and S side by side, not openssl's DER.
sub raw_ecdsa {
    my ($der, $size) = @_;
    my ($r, $s) = $der =~ /^\x30(?:\x81.|.)\x02(.)/s ? do {
        my $at = $-[1];
        my $n = ord $1;
        (substr($der, $at + 1, $n), substr $der, $at + 3 + $n)
    } : die "no ECDSA signature\n";
    return join '', map { substr "\0" x $size . $_, -$size } $r, $s;
}

# claims and header: hashes, or JSON text; signature => bytes to have another.
sub signed {
    my ($key, $alg, $claims, %option) = @_;
    my $header = $option{header} // { alg => $alg, typ => 'at+jwt', kid => $key->{kid}, %{ $option{more} // {} } };
    my @parts  = map { base64url(ref $_ ? $json->encode($_) : $_) } $header, $claims;
    return raw_jwt(@parts, base64url($option{signature} // signature($key, $alg, join '.', @parts)));
}

sub set { return { json => $json->encode({ keys => [map { $_->{jwk} // $_ } @_] }) } }

sub public_pem { return openssl("pkey -in $_[0]{pem} -pubout") }

my $rsa   = make_key('rsa', 'RSA');
my $other = make_key('other', 'RSA');                       # in no set but those that say so
my %ec    = map { $_ => make_key(lc, $CURVE{$_}[0]) } keys %CURVE;
my %ed    = map { $_ => make_key(lc, $_) } keys %EDWARDS;
my %good  = (aud => 'api', iss => 'https://as', scope => 'read', exp => $far);

# --- the gateway -----------------------------------------------------------------------------------------------------

# Every ?set=NAME has a JWKS endpoint, and so a parsed set, of its own: /sets/NAME at the AS.
my $gateway = gateway(
    log => { map { $_ => "phantom_token_$_" } qw(sub client_id scope claim_aud claim_more jwt) },
    http => 'proxy_cache_path %%DIR%%/cache keys_zone=keys:1m;',
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token on;
        phantom_token_jwks_endpoint /_jwks/$arg_set;
        phantom_token_audience api;
END
    locations => <<'END',
        location / { phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
        location /as { phantom_token_introspection_endpoint /_introspect; phantom_token_verify_jwt on;
                       phantom_token_audience ""; proxy_pass http://%%API%%; }
        location /own { phantom_token_inbound_jwt verify; proxy_pass http://%%API%%; }
        location /rules { phantom_token_inbound_jwt verify; phantom_token_issuer https://as;
                          phantom_token_scopes "read"; proxy_pass http://%%API%%; }
        location /skew { phantom_token_inbound_jwt verify; phantom_token_leeway 1h; proxy_pass http://%%API%%; }
        location /small { phantom_token_inbound_jwt verify; phantom_token_max_response_size 100;
                          proxy_pass http://%%API%%; }
        location /either { phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt verify;
                           phantom_token_verify_jwt on; proxy_pass http://%%API%%; }
        location /pass { phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt pass;
                         phantom_token_issuer https://as; phantom_token_scopes "read"; proxy_pass http://%%API%%; }
        location /reject { phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt reject;
                           proxy_pass http://%%API%%; }
        location /cached { phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_cached/$arg_set;
                           proxy_pass http://%%API%%; }
        location /sticky { phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_sticky/$arg_set;
                           proxy_pass http://%%API%%; }

        location = /to-introspected { phantom_token_inbound_jwt verify; try_files /nonexistent /introspected?$args; }
        location = /introspected { phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
        location = /to-own { phantom_token_introspection_endpoint /_introspect; try_files /nonexistent /own?$args; }
        location = /to-pass { phantom_token_inbound_jwt verify; try_files /nonexistent /pass?$args; }
        location = /pass-to-own { phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt pass;
                                  try_files /nonexistent /own?$args; }
        location = /own-to-rules { phantom_token_inbound_jwt verify; try_files /nonexistent /rules?$args; }
        location /page { phantom_token_inbound_jwt verify; ssi on; proxy_pass http://%%API%%; }
        location /part/ { phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt verify;
                          phantom_token_verify_jwt on; proxy_pass http://%%API%%; }
        location /mirrored { phantom_token_inbound_jwt verify; mirror /mirror; proxy_pass http://%%API%%; }
        location = /mirror { internal; phantom_token_inbound_jwt verify; proxy_pass http://%%API%%/the-mirror; }
        location /policy { phantom_token_inbound_jwt verify; auth_request /_policy; proxy_pass http://%%API%%; }
        location = /_policy { internal; phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_jwks/all;
                              proxy_pass http://%%API%%/the-policy; proxy_pass_request_body off;
                              proxy_set_header Content-Length ""; }

        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location /_jwks/ { internal; proxy_pass http://%%AS%%/sets/; proxy_read_timeout 2s;
                           proxy_set_header X-Refresh $phantom_token_jwks_refresh; }
        location /_cached/ {
            internal; proxy_pass http://%%AS%%/sets/; proxy_set_header X-Refresh $phantom_token_jwks_refresh;
            proxy_cache keys; proxy_cache_key $uri; proxy_cache_valid 200 1h;
            proxy_cache_bypass $phantom_token_jwks_refresh;
        }
        location /_sticky/ { internal; proxy_pass http://%%AS%%/sets/; proxy_cache keys; proxy_cache_key $uri;
                             proxy_cache_valid 200 1h; }
END
);
my $as = $gateway->as;
$as->answers('/sets/all' => set($rsa, values %ec, values %ed));

my %verified = (status => 200, outcome => 'active');
my %bad_own  = (status => 401, outcome => 'signature', challenge => { realm => 'api', error => 'invalid_token' });
my %bad_as   = (
    status => 502, outcome => 'signature', challenge => undef, log => qr/\[error\].*phantom token: signature/
);
my %down     = (status => 503, outcome => 'jwks_unavailable', challenge => undef);

# The client's own JWT, at that path.
sub own {
    my ($name, $path, $token, %more) = @_;
    return {
        name => $name, request => { path => $path, token => $token },
        ($more{status} // 0) == 200 ? (api => [{ authorization => "Bearer $token" }]) : (), %more
    };
}

# Fetches the usual set now, so that the next cases need not: on a slow machine 60 s may be over.
sub warm { $gateway->get('/own?set=all', token => $_[0]); return }

# The AS's answer to an opaque token.
my $opaque = 0;

sub from_as {
    my ($name, $path, $jwt, %more) = @_;
    my $token = 'opaque-' . ++$opaque . '-token';
    return {
        name => $name, request => { path => $path, token => $token }, answers => { $token => { jwt => $jwt } },
        ($more{status} // 0) == 200 ? (api => [{ authorization => "Bearer $jwt" }]) : (), %more
    };
}

# --- algorithms ------------------------------------------------------------------------------------------------------

for my $alg (map({ ("RS$_", "PS$_") } 256, 384, 512), sort(keys %ec), sort(keys %ed), 'EdDSA') {
    my $key   = $ec{$alg} // $ed{ $alg eq 'EdDSA' ? 'Ed448' : $alg } // $rsa;
    my $token = signed($key, $alg, { %good, sub => $alg });
    cases($gateway,
        own("algorithm $alg: the client's JWT", '/own?set=all', $token, %verified,
            logged => { sub => $alg, jwt => $token }),
        from_as("algorithm $alg: the AS's JWT", '/as?set=all', $token, %verified, logged => { sub => $alg }),
    );
}

# --- signatures that do not hold: 401 for the client's own, 502 for the AS's -----------------------------------------

my $fine        = signed($rsa, 'RS256', { %good, sub => 'alice' });
my @part        = split /\./, $fine;
my $es256       = signed($ec{ES256}, 'ES256', { %good, sub => 'alice' });
my @es          = split /\./, $es256;
my $input       = "$part[0].$part[1]";
my $raw         = decode_base64url($part[2]);
my $flipped     = $raw ^ ("\0" x (length($raw) - 1) . "\1");
my $evil        = base64url($json->encode({ %good, sub => 'mallory' }));
my $public      = public_pem($rsa);
my $attacker    = { %{ $other->{jwk} }, kid => 'rsa' };

sub hmac {
    my ($secret, $header) = @_;
    my $text = base64url($json->encode($header)) . ".$part[1]";
    return raw_jwt(split(/\./, $text), base64url(hmac_sha256($text, $secret)));
}

my @broken = (
    ['one bit of the signature'                      => raw_jwt(@part[0, 1], base64url($flipped))],
    ['another payload'                               => raw_jwt($part[0], $evil, $part[2])],
    ['another header'                                => raw_jwt(
        base64url($json->encode({ alg => 'RS256', typ => 'JWT', kid => 'rsa' })), @part[1, 2]
    )],
    ['half of the signature'                         => raw_jwt(@part[0, 1], base64url(substr $raw, 0, 128))],
    ['a signature with a byte more'                  => raw_jwt(@part[0, 1], base64url("$raw\0"))],
    ['a signature of one byte'                       => raw_jwt(@part[0, 1], base64url('x'))],
    ['another key under the same kid'                => signed({ %{$other}, kid => 'rsa' }, 'RS256', \%good)],
    ['another key, no kid'                           => signed($other, 'RS256', \%good,
                                                               header => { alg => 'RS256', typ => 'JWT' })],
    ['unknown kid'                                   => signed($other, 'RS256', \%good)],
    ['kid is a number'                               => signed($rsa, 'RS256', \%good, more => { kid => 1 })],
    ['kid is an array'                               => signed($rsa, 'RS256', \%good, more => { kid => ['rsa'] })],
    ['kid is empty'                                  => signed($rsa, 'RS256', \%good, more => { kid => '' })],
    ['kid with another case'                         => signed($rsa, 'RS256', \%good, more => { kid => 'RSA' })],
    ['kid with more behind a NUL'                    => signed($rsa, 'RS256', \%good,
                                                               header => '{"alg":"RS256","kid":"rsa\u0000"}')],
    ['HS256'                                         => jwt(\%good, header => { alg => 'HS256', kid => 'rsa' })],
    ['HS256 with the public key as the secret'       => hmac($public, { alg => 'HS256', kid => 'rsa' })],
    ['HS256 with the modulus as the secret'          => hmac(decode_base64url($rsa->{jwk}{n}),
                                                             { alg => 'HS256', kid => 'rsa' })],
    ['HS256 with the public key, no kid'             => hmac($public, { alg => 'HS256' })],
    ['the public key as the secret, alg RS256'       => hmac($public, { alg => 'RS256', kid => 'rsa' })],
    ['alg in lower case'                             => signed($rsa, 'RS256', \%good, more => { alg => 'rs256' })],
    ['alg with a space'                              => signed($rsa, 'RS256', \%good, more => { alg => 'RS256 ' })],
    ['alg is no known one'                           => signed($rsa, 'RS256', \%good, more => { alg => 'XS256' })],
    ['alg is one for encryption'                     => signed($rsa, 'RS256', \%good, more => { alg => 'RSA-OAEP' })],
    ['alg is ES256 with an RSA key\'s kid'           => signed($ec{ES256}, 'ES256', \%good, more => { kid => 'rsa' })],
    ['alg is RS256 with an EC key\'s kid'            => signed($rsa, 'RS256', \%good, more => { kid => 'es256' })],
    ['alg is Ed25519 with an Ed448 key'              => signed($ed{Ed448}, 'Ed448', \%good,
                                                               more => { alg => 'Ed25519' })],
    ['alg is EdDSA with an RSA key\'s kid'           => signed($ed{Ed25519}, 'EdDSA', \%good,
                                                               more => { kid => 'rsa' })],
    ['alg is ES256 with a P-384 key'                 => signed($ec{ES384}, 'ES384', \%good,
                                                               more => { alg => 'ES256' })],
    ['alg is PS256, signed by RS256'                 => signed($rsa, 'RS256', \%good, more => { alg => 'PS256' })],
    ['alg is RS512, signed by RS256'                 => signed($rsa, 'RS256', \%good, more => { alg => 'RS512' })],
    ['ES256: DER'                                    => signed(
        $ec{ES256}, 'ES256', \%good, signature => openssl("dgst -sha256 -sign $ec{ES256}{pem} " . file('der', 'x'))
    )],
    ['ES256: all zero'                               => raw_jwt(@es[0, 1], base64url("\0" x 64))],
    ['ES256: r and s swapped'                        => raw_jwt(
        @es[0, 1], base64url(join '', reverse unpack 'a32a32', decode_base64url($es[2]))
    )],
    ['ES256: a byte less'                            => raw_jwt(@es[0, 1],
                                                                base64url(substr decode_base64url($es[2]), 0, 63))],
    ['ES256: padded to the size of ES512'            => raw_jwt(@es[0, 1], base64url(join '', map {
        "\0" x 34 . $_
    } unpack 'a32a32', decode_base64url($es[2])))],
    ['a jwk in the header'                           => signed({ %{$other}, kid => 'rsa' }, 'RS256', \%good,
                                                               more => { jwk => $attacker })],
    ['a jku in the header'                           => signed(
        { %{$other}, kid => 'rsa' }, 'RS256', \%good, more => { jku => 'http://' . $as->address . '/sets/evil' }
    )],
    ['crit'                                          => signed($rsa, 'RS256', \%good,
                                                               more => { crit => ['exp'], exp => $far })],
    ['crit, empty'                                   => signed($rsa, 'RS256', \%good, more => { crit => [] })],
    ['crit, null'                                    => signed($rsa, 'RS256', \%good, more => { crit => undef })],
    ['crit b64 (RFC 7797)'                           => signed($rsa, 'RS256', \%good,
                                                               more => { crit => ['b64'], b64 => false })],
);
$as->answers('/sets/evil' => set($attacker));
for my $case (@broken) {
    my ($name, $token) = @{$case};
    cases($gateway,
        own("signature, the client's: $name", '/own?set=all', $token, %bad_own),
        from_as("signature, the AS's: $name", '/as?set=all', $token, %bad_as),
    );
}
ok !grep({ $_->{uri} eq '/sets/evil' } $as->requests), 'signature: nobody follows a jku';

cases($gateway,
    own('signature: no kid in the JWT, one of the keys fits', '/own?set=all',
        signed($rsa, 'RS256', \%good, header => { alg => 'RS256', typ => 'JWT' }), %verified),
    own('signature: white space is no part of a bearer token', '/own?set=all', "$fine.", status => 401,
        outcome => 'inactive', as => 0),
    from_as('signature: white space around the AS\'s JWT', '/as?set=all', "\r\n $fine \r\n", status => 200,
            outcome => 'active', api => [{ authorization => "Bearer $fine" }]),
    { name => 'verify_jwt: the JWT in a JSON answer', request => { path => '/as?set=all', token => 'json-1-token' },
      answers => { 'json-1-token' => { json => { active => true, jwt => $fine } } }, %verified,
      api => [{ authorization => "Bearer $fine" }] },
    { name => 'verify_jwt: a wrong JWT in a JSON answer', request => { path => '/as?set=all', token => 'json-2-token' },
      answers => { 'json-2-token' => { json => { active => true, jwt => $broken[0][1] } } }, %bad_as },
    { name => 'verify_jwt: active false comes before the signature',
      request => { path => '/as?set=all', token => 'json-3-token' },
      answers => { 'json-3-token' => { json => { active => false, jwt => $broken[0][1] } } }, status => 401,
      outcome => 'inactive' },
    {
        name => 'verify_jwt: RFC 9701, the JWT inside is what counts',
        request => { path => '/as?set=all', token => 'json-4-token' }, answers => {
            'json-4-token' => {
                jwt => signed(
                    $rsa, 'RS256',
                    { iss => 'https://as', token_introspection => { active => true, jwt => $broken[0][1] } },
                    more => { typ => 'token-introspection+jwt' }
                )
            }
        },
        %bad_as
    },
    from_as('verify_jwt off: nobody asks for the JWKS', '/?set=never', $broken[0][1], %verified,
            as => [{ uri => '/introspect' }]),
    from_as('verify_jwt: no typ rule for the AS\'s JWT', '/as?set=all',
            signed($rsa, 'RS256', \%good, more => { typ => 'something+jwt' }), %verified),
);

# --- typ and audience: ID tokens are no access tokens ----------------------------------------------------------------

cases($gateway,
    (map {
        own("Inbound JWTs: typ $_ is accepted", '/own?set=all', signed($rsa, 'RS256', \%good, more => { typ => $_ }),
            %verified)
    } qw(JWT jwt at+jwt AT+JWT application/at+jwt Application/AT+JWT application/jwt)),
    (map {
        own("Inbound JWTs: $_ null counts as absent", '/own?set=all',
            signed($rsa, 'RS256', \%good, more => { $_ => undef }), %verified)
    } qw(typ kid)),
    own('Inbound JWTs: typ absent is accepted', '/own?set=all',
        signed($rsa, 'RS256', \%good, header => { alg => 'RS256', kid => 'rsa' }), %verified),
    (map {
        own("Inbound JWTs: typ $_->[0] is refused", '/own?set=all',
            signed($rsa, 'RS256', \%good, more => { typ => $_->[1] }), %bad_own)
    }
        (map { [$_ => $_] }
             qw(logout+jwt dpop+jwt token-introspection+jwt application/token-introspection+jwt secevent+jwt
                JOSE at+jwtx at application/)),
            ['empty' => ''], ['a space' => 'JWT '], ['a number' => 5], ['an array' => ['JWT']]),
    own('Inbound JWTs: an ID token is refused by its audience', '/own?set=all',
        signed($rsa, 'RS256', { %good, aud => 'web-client', nonce => 'n', at_hash => 'x' }, more => { typ => 'JWT' }),
        status => 401, outcome => 'audience', challenge => { realm => 'api', error => 'invalid_token' }),
    own('Inbound JWTs: no audience at all', '/own?set=all', signed($rsa, 'RS256', { exp => $far }), status => 401,
        outcome => 'audience'),
);

# --- a verified JWT keeps the same rules -----------------------------------------------------------------------------

my %invalid = (status => 401, challenge => { realm => 'api', scope => 'read', error => 'invalid_token' });
my @rules = (
    ['all rules hold'            => {}, %verified],
    ['aud, an array'             => { aud => ['x', 'api'] }, %verified],
    ['scope, an array'           => { scope => ['x', 'read'] }, %verified],
    ['scope null beside scp'     => { scope => undef, scp => 'read' }, %verified],
    ['claims that are null'      => { exp => undef, nbf => undef, iat => undef, cnf => undef, token_type => undef },
     %verified],
    ['exp is now'                => { exp => $start }, %invalid, outcome => 'expired'],
    ['exp 0'                     => { exp => 0 }, %invalid, outcome => 'expired'],
    ['exp past'                  => { exp => $start - 5 }, %invalid, outcome => 'expired'],
    ['nbf ahead'                 => { nbf => $start + 1000 }, %invalid, outcome => 'not_yet_valid'],
    ['iss wrong'                 => { iss => 'https://as/' }, %invalid, outcome => 'issuer'],
    ['iss of another kind'       => { iss => ['https://as'] }, %invalid, outcome => 'issuer'],
    ['aud wrong'                 => { aud => ['apis'] }, %invalid, outcome => 'audience'],
    ['aud empty'                 => { aud => [] }, %invalid, outcome => 'audience'],
    ['scope missing'             => { scope => 'reads write' }, status => 403, outcome => 'insufficient_scope',
     challenge => { realm => 'api', scope => 'read', error => 'insufficient_scope' }],
    ['cnf'                       => { cnf => { jkt => 'x' } }, %invalid, outcome => 'bound'],
);
cases($gateway, map {
    my ($name, $claims, %expected) = @{$_};
    my $expected_pass = $expected{outcome} eq 'active' ? 'passed_jwt' : $expected{outcome};
    (own("Inbound JWTs verify, the same rules: $name", '/rules?set=all', signed($rsa, 'RS256', { %good, %{$claims} }),
         %expected),
     own("Inbound JWTs pass, the same rules: $name", '/pass', jwt({ %good, %{$claims} }), %expected,
         outcome => $expected_pass, as => 0));
} @rules);
cases($gateway,
    own('Inbound JWTs: leeway on exp', '/skew?set=all', signed($rsa, 'RS256', { %good, exp => $start - 1800 }),
        %verified),
    own('Inbound JWTs: leeway on nbf', '/skew?set=all', signed($rsa, 'RS256', { %good, nbf => $start + 1800 }),
        %verified),
    # The client's own mistake, not the AS's: no row of Outcomes makes that a 5xx.
    (map { own("Inbound JWTs: $_->[0] that is no number is the client's mistake", $_->[1], $_->[2], status => 401) }
        ['exp', '/own?set=all', jwt({ %good, exp => 'soon' })], ['nbf', '/own?set=all', jwt({ %good, nbf => {} })],
            ['exp (pass)', '/pass', jwt({ %good, exp => 'soon' })]),
);

# --- what is no well-formed signed JWT is an opaque token, under every setting ---------------------------------------

my $header = base64url('{"alg":"RS256"}');
my @opaque = (
    ['alg none'                    => raw_jwt(base64url('{"alg":"none"}'), $part[1], $part[2])],
    ['alg none, no signature'      => raw_jwt(base64url('{"alg":"none"}'), $part[1], '')],
    ['alg None'                    => raw_jwt(base64url('{"alg":"NoNe"}'), $part[1], $part[2])],
    ['alg absent'                  => raw_jwt(base64url('{"typ":"JWT"}'), $part[1], $part[2])],
    ['alg empty'                   => raw_jwt(base64url('{"alg":""}'), $part[1], $part[2])],
    ['alg a number'                => raw_jwt(base64url('{"alg":256}'), $part[1], $part[2])],
    ['alg twice'                   => raw_jwt(base64url('{"alg":"none","alg":"RS256"}'), $part[1], $part[2])],
    ['no signature'                => raw_jwt(@part[0, 1], '')],
    ['two parts'                   => raw_jwt(@part[0, 1])],
    ['four parts'                  => raw_jwt(@part, 'x')],
    ['five parts'                  => raw_jwt(@part, 'x', 'y')],
    ['header no JSON'              => raw_jwt(base64url('alg'), $part[1], $part[2])],
    ['payload no object'           => raw_jwt($header, base64url('[1]'), $part[2])],
    ['payload with duplicates'     => raw_jwt($header, base64url('{"aud":"api","a\u0075d":"x"}'), $part[2])],
    ['payload with a NUL behind'   => raw_jwt($header, base64url("{}\0"), $part[2])],
    ['payload not UTF-8'           => raw_jwt($header, base64url("{\"a\":\"\xff\"}"), $part[2])],
    ['signature not base64url'     => raw_jwt(@part[0, 1], 'a+b/')],
    ['padding'                     => raw_jwt(@part[0, 1], 'YWI=')],
    ['dots'                        => '..'],
);
my @asked = (
    as => [{ uri => '/introspect' }], status => 401, outcome => 'inactive',
    challenge => { realm => 'api', error => 'invalid_token' }
);
for my $case (@opaque) {
    my ($name, $token) = @{$case};
    cases($gateway,
        own("Inbound JWTs: $name is an opaque token: verify, no endpoint: 401", '/own?set=all', $token, @asked,
            as => 0),
        own("Inbound JWTs: $name is an opaque token: verify, asked about", '/either?set=all', $token, @asked),
        own("Inbound JWTs: $name is an opaque token: pass, asked about", '/pass', $token, @asked,
            challenge => { realm => 'api', scope => 'read', error => 'invalid_token' }),
        own("Inbound JWTs: $name is an opaque token: reject, asked about", '/reject', $token, @asked),
    );
}
warm($fine);
cases($gateway,
    { name => 'Inbound JWTs: an opaque token with verify and no endpoint: 401',
      request => { path => '/own?set=all', token => 'plain-token' }, status => 401, outcome => 'inactive', as => 0,
      challenge => { realm => 'api', error => 'invalid_token' } },
    from_as('Inbound JWTs: an opaque token with verify and an endpoint: the AS is asked', '/either?set=all', $fine,
            %verified, as => [{ uri => '/introspect' }]),
    from_as('Inbound JWTs: verify and verify_jwt: the AS\'s JWT is verified too', '/either?set=all', $broken[0][1],
            %bad_as, as => [{ uri => '/introspect' }]),
    own('Inbound JWTs: verify and verify_jwt: the client\'s JWT, the AS is not asked', '/either?set=all', $fine,
        %verified, as => 0),
    own('Inbound JWTs: verify and verify_jwt: a wrong one is a 401', '/either?set=all', $broken[0][1], %bad_own,
        as => 0),
    { name => 'Inbound JWTs: introspect (default): a JWT is asked about like any token',
      request => { path => '/', token => $fine }, answers => { $fine => { jwt => { sub => 'inner', aud => 'api' } } },
      %verified,
      as => [{ body => "token=$fine&token_type_hint=access_token" }], api => [{ authorization => 'Bearer <jwt>' }],
      logged => { sub => 'inner' } },
    { name => 'Inbound JWTs: no token',
      request => { path => '/own' }, status => 401, outcome => 'missing', as => 0, challenge => { realm => 'api' } },
    { name => 'Inbound JWTs: malformed', request => { path => '/own', headers => ["Authorization: Bearer $fine x"] },
      status => 401, outcome => 'malformed', as => 0 },
);
$as->answers($fine => undef);

# --- pass, reject ----------------------------------------------------------------------------------------------------

my %nothing = map { $_ => '' } qw(sub client_id scope claim_aud claim_more);
my $unsigned = jwt({ %good, sub => 'anybody', client_id => 'c', more => 'x' });
cases($gateway,
    own('Inbound JWTs pass: unverified, status passed_jwt, claim variables empty', '/pass', $unsigned, status => 200,
        outcome => 'passed_jwt', as => 0, logged => \%nothing),
    own('Inbound JWTs pass: so is a wrong signature', '/pass', $broken[1][1], status => 200, outcome => 'passed_jwt',
        as => 0, logged => \%nothing),
    from_as('Inbound JWTs pass: an opaque token is asked about', '/pass', jwt({ %good, sub => 'alice' }), %verified,
            as => [{ uri => '/introspect' }], logged => { sub => 'alice' }),
    own('Inbound JWTs reject: 401 rejected_jwt', '/reject', $fine, status => 401, outcome => 'rejected_jwt', as => 0,
        challenge => { realm => 'api', error => 'invalid_token' }),
    own('Inbound JWTs reject: any JWT', '/reject', $unsigned, status => 401, outcome => 'rejected_jwt', as => 0),
    from_as('Inbound JWTs reject: an opaque token is asked about', '/reject', jwt({ %good }), %verified,
            as => [{ uri => '/introspect' }]),
);

# --- the subrequest for the JWKS -------------------------------------------------------------------------------------

sub fetched { my ($set, %more) = @_; return { method => 'GET', uri => "/sets/$set", %more } }

my $token = signed($rsa, 'RS256', { %good, sub => 'alice' });
my %plain = (
    body => '', authorization => undef, cookie => undef, x_client => undef, content_length => undef,
    content_type => undef, x_refresh => undef
);
cases($gateway,
    { name => 'JWKS: a GET with nothing of the client\'s', request => {
        path => '/own?set=one', token => $token, method => 'POST', body => 'abc',
        headers => ['Cookie: c=1', 'X-Client: 1', 'Content-Type: text/plain']
    }, answers => { '/sets/one' => set($rsa) }, %verified,
      as => [fetched('one', %plain)], api => [{ method => 'POST', body => 'abc', cookie => 'c=1',
                                                content_type => 'text/plain', authorization => "Bearer $token" }] },
    own('JWKS: the parsed set serves the next request', '/own?set=one', $token, %verified, as => 0),
    own('JWKS: and another location', '/rules?set=one', $token, %verified, as => 0),
    { name => 'JWKS: HEAD', request => { path => '/own?set=head', token => $token, method => 'HEAD' },
      answers => { '/sets/head' => set($rsa) }, %verified, as => [fetched('head', %plain)],
      api => [{ method => 'HEAD' }] },
    { name => 'JWKS: HTTP/2, a body',
      request => { path => '/own?set=h2', token => $token, http2 => 1, port => 'h2', body => 'x' x 100_000 },
      answers => { '/sets/h2' => { %{ set($rsa) }, delay => 0.1 } }, %verified, as => [fetched('h2')],
      api => [{ body_length => 100_000, authorization => "Bearer $token" }] },
    { name => 'JWKS: chunked, in pieces', request => { path => '/own?set=chunked', token => $token },
      answers => { '/sets/chunked' => { %{ set($rsa) }, framing => 'chunked', split => 50 } }, %verified, api => 1 },
    { name => 'JWKS: any Content-Type', request => { path => '/own?set=type', token => $token },
      answers => { '/sets/type' => { %{ set($rsa) }, type => 'application/jwk-set+json' } }, %verified, api => 1 },
    { name => 'JWKS: refused before: a token that fails the other rules costs no fetch',
      request => { path => '/own?set=lazy', token => signed($rsa, 'RS256', { %good, exp => 5 }) }, status => 401,
      outcome => 'expired', as => 0 },
    from_as('JWKS: for the AS\'s JWT, after it', '/as?set=later', $token, %verified,
            answers => { 'opaque-' . ($opaque + 1) . '-token' => { jwt => $token }, '/sets/later' => set($rsa) },
            as => [{ uri => '/introspect' }, fetched('later', %plain)]),
);

# --- a JWKS that cannot be used: 503, never 401, and a line that says why --------------------------------------------

my $why   = sub {
    my ($says) = @_;
    return map { qr/\[error\].*phantom token: the JWK Set cannot be used: .*$_/ } $says, qr{location "/_jwks/"};
};
my $small = make_key('small', 'RSA', bits => 1024);
my %point = (%{ $ec{ES256}{jwk} }, y => $ec{ES256}{jwk}{x});
my @unusable = (
    ['no JSON'                            => { json => 'keys' }, qr/JSON/],
    ['empty'                              => { json => '' }, qr/JSON/],
    ['HTML'                               => { body => '<html>', type => 'text/html' }, qr/JSON/],
    ['bytes behind the JSON'              => { json => set($rsa)->{json} . '}' }, qr/JSON/],
    ['duplicate members'                  => { json => '{"keys":[],"keys":[' . $json->encode($rsa->{jwk}) . ']}' },
     qr/duplicate members/],
    ['duplicate members in a key'         => {
        json => '{"keys":[' . $json->encode($rsa->{jwk}) =~ s/^\{/{"kid":"x",/r . ']}'
    },
     qr/duplicate members/],
    ['no object'                          => { json => '[]' }, qr/"keys"/],
    ['no keys'                            => { json => '{}' }, qr/"keys"/],
    ['keys is no array'                   => { json => '{"keys":{}}' }, qr/"keys"/],
    ['a key alone'                        => { json => $json->encode($rsa->{jwk}) }, qr/"keys"/],
    ['keys is empty'                      => { json => '{"keys":[]}' }, qr/no key/],
    ['keys are no objects'                => { json => '{"keys":[1,"x",null,[]]}' }, qr/no key/],
    ['use enc'                            => set({ jwk => { %{ $rsa->{jwk} }, use => 'enc' } }), qr/no key/],
    ['use is no string'                   => set({ jwk => { %{ $rsa->{jwk} }, use => ['sig'] } }), qr/no key/],
    ['key_ops without verify'             => set({ jwk => { %{ $rsa->{jwk} }, key_ops => ['sign', 'encrypt'] } }),
     qr/no key/],
    ['key_ops is no array'                => set({ jwk => { %{ $rsa->{jwk} }, key_ops => 'verify' } }), qr/no key/],
    ['a symmetric key'                    => set({ jwk => { kty => 'oct', kid => 'rsa', k => 'AAAA' } }), qr/no key/],
    ['an unknown kty'                     => set(
        { jwk => { kty => 'OKP', crv => 'Ed25519', kid => 'rsa', x => 'AAAA' } }
    ),
     qr/no key/],
    ['an RSA key without n'               => set({ jwk => { kty => 'RSA', kid => 'rsa', e => 'AQAB' } }), qr/no key/],
    ['an RSA key that is no base64url'    => set({ jwk => { kty => 'RSA', kid => 'rsa', n => '!!', e => '!' } }),
     qr/no key/],
    ['an RSA key of 1024 bits'            => set({ jwk => { %{ $small->{jwk} }, kid => 'rsa' } }), qr/no key/],
    ['an EC key that is on no curve'      => set({ jwk => { %point, kid => 'rsa' } }), qr/no key/],
    ['an EC key on an unknown curve'      => set({ jwk => { %{ $ec{ES256}{jwk} }, kid => 'rsa', crv => 'P-999' } }),
     qr/no key/],
    ['cut short'                          => { %{ set($rsa) }, cut => 100 }, qr/cut short/],
    ['cut short by chunk'                 => { %{ set($rsa) }, framing => 'chunked', cut => 100 },
     qr/cut short|status 50/],
    ['over 64k'                           => { json => set($rsa)->{json} . ' ' x 66_000 },
     qr/larger than phantom_token_max_response_size/],
    ['over 64k, chunked'                  => { json => set($rsa)->{json} . ' ' x 66_000, framing => 'chunked' },
     qr/larger than phantom_token_max_response_size/],
    ['gzip'                               => { %{ set($rsa) }, headers => ['Content-Encoding: gzip'] },
     qr/Content-Encoding/],
    ['401'                                => { status => 401, %{ set($rsa) } }, qr/status 401/],
    ['404'                                => { status => 404, %{ set($rsa) } }, qr/status 404/],
    ['500'                                => { status => 500 }, qr/status 500/],
    ['503 with Retry-After'               => { status => 503, headers => ['Retry-After: 7'] }, qr/status 503/],
    ['204'                                => { status => 204 }, qr/status 204/],
    ['302'                                => { status => 302, headers => ['Location: /sets/all'] }, qr/status 302/],
    ['X-Accel-Redirect'                   => { %{ set($rsa) }, headers => ['X-Accel-Redirect: /_jwks'] },
     qr/left by a redirect/],
    ['X-Accel-Redirect to another JWKS'   => { %{ set($rsa) }, headers => ['X-Accel-Redirect: /_jwks/all'] },
     qr/left by a redirect/],
    ['garbage'                            => { raw => ["nonsense\r\n\r\n", ['close']] },
     qr/the header of the authorization server's answer cannot be used/],
    ['reset'                              => { raw => [['reset']] }, qr/closed the connection without an answer/],
    ['timeout'                            => { raw => [['hang']] }, qr/did not answer within "proxy_read_timeout"/],
);
my $number = 0;
cases($gateway, map {
    my ($name, $answer, $says) = @{$_};
    my $set = 'bad' . ++$number;
    $name eq 'timeout' ? () : {
        name => "JWKS $name: 503", request => { path => "/own?set=$set", token => $token },
        answers => { "/sets/$set" => $answer }, %down, log => [$why->($says)], as => [fetched($set)]
    };
} @unusable);
{
    my ($timeout) = grep { $_->[0] eq 'timeout' } @unusable;
    cases(
        $gateway,
        { name => 'JWKS timeout: 503', request => { path => '/own?set=hang', token => $token },
          answers => { '/sets/hang' => $timeout->[1] }, %down, log => [$why->($timeout->[2])] }
    );
}
cases($gateway,
    { name => 'JWKS over phantom_token_max_response_size of the location',
      request => { path => '/small?set=small', token => $token }, answers => { '/sets/small' => set($rsa) }, %down,
      log => [$why->(qr/larger than phantom_token_max_response_size/)] },
    from_as('JWKS unusable: the AS\'s JWT: 503 too', '/as?set=none', $token, %down, answers => {
        'opaque-' . ($opaque + 1) . '-token' => { jwt => $token }, '/sets/none' => { status => 500 }
    }),
);

# One broken key does not spoil the others; what is broken is said.
{
    my $ignored = qr/\[warn\].*phantom token: (\d+) keys? .*(?:broken|2048)/;
    my @strange = (
        { kty => 'oct', k => 'AAAA', kid => 'rsa' }, { kty => 'RSA', kid => 'rsa' },
        { %point, kid => 'x' }, $small->{jwk}, 'x', 5, { kty => 'OKP', crv => 'Ed25519', x => 'AAAA', kid => 'rsa' },
        { %{ $other->{jwk} }, use => 'enc' }
    );
    cases($gateway,
        { name => 'JWKS with broken keys: the good ones serve, a warning',
          request => { path => '/own?set=mixed', token => $token },
          answers => { '/sets/mixed' => { json => $json->encode({ keys => [@strange, $rsa->{jwk}] }) } }, %verified,
          log => $ignored, api => 1 },
        own('JWKS with broken keys: use enc verifies nothing', '/own?set=mixed', signed($other, 'RS256', \%good),
            %bad_own),
        own('JWKS with broken keys: nor does a short key', '/own?set=mixed', signed($small, 'RS256', \%good), %bad_own),
        { name => 'JWKS with two keys of one kid: either', request => { path => '/own?set=twins', token => $token },
          answers => { '/sets/twins' => set({ jwk => { %{ $other->{jwk} }, kid => 'rsa' } }, $rsa) }, %verified,
          api => 1 },
        own('JWKS with two keys of one kid: or', '/own?set=twins', signed({ %{$other}, kid => 'rsa' }, 'RS256', \%good),
            %verified),
        { name => 'JWKS: key_ops with verify', request => { path => '/own?set=ops', token => $token },
          answers => { '/sets/ops' => set({ jwk => { %{ $rsa->{jwk} }, key_ops => ['sign', 'verify'] } }) }, %verified,
          api => 1 },
        { name => 'JWKS: no use, no kid',
          request => { path => '/own?set=bare', token => signed($rsa, 'RS256', \%good, header => { alg => 'RS256' }) },
          answers => {
              '/sets/bare' => { json => $json->encode({ keys => [{ map { $_ => $rsa->{jwk}{$_} } qw(kty n e) }] }) }
          },
          %verified, api => 1 },
        { name => 'JWKS: alg of the key fits', request => { path => '/own?set=alg', token => $token },
          answers => { '/sets/alg' => set({ jwk => { %{ $rsa->{jwk} }, alg => 'RS256' } }) }, %verified, api => 1 },
        own('JWKS: alg of the key does not fit the JWT\'s', '/own?set=alg', signed($rsa, 'PS256', \%good), %bad_own),
        { name => 'JWKS: sets of two endpoints do not mix', request => { path => '/own?set=theirs', token => $token },
          answers => { '/sets/theirs' => set($other) }, %bad_own },
    );
}

# --- rotation: an unknown kid ----------------------------------------------------------------------------------------

my $new = make_key('new', 'RSA');
my @rotation = (answers => { '/sets/rotation' => [set($rsa), set($rsa, $new)] });
cases($gateway,
    { name => 'JWKS rotation: the old key', request => { path => '/own?set=rotation', token => $token }, @rotation,
      %verified, as => [fetched('rotation', x_refresh => undef)], api => 1 },
    own('JWKS rotation: an unknown kid asks again, with $phantom_token_jwks_refresh', '/own?set=rotation',
        signed($new, 'RS256', { %good, sub => 'n' }), %verified, as => [fetched('rotation', x_refresh => '1')]),
    own('JWKS rotation: the old key still', '/own?set=rotation', $token, %verified, as => 0),
    (map {
        own("JWKS rotation: at most one refetch in 10 s, over all tokens ($_)", '/own?set=rotation',
            signed($other, 'RS256', \%good, more => { kid => "unknown$_" }), %bad_own, as => 0)
    } 1 .. 3),
    { name => 'JWKS rotation: unknown to a new worker too: a fetch and a refetch',
      request => { path => '/own?set=twice', token => signed($new, 'RS256', \%good) },
      answers => { '/sets/twice' => [set($rsa), set($new)] }, %verified,
      as => [fetched('twice', x_refresh => undef), fetched('twice', x_refresh => '1')], api => 1 },
    { name => 'JWKS rotation: no fit, no refetch that lasts: 401',
      request => { path => '/own?set=thrice', token => signed($new, 'RS256', \%good) },
      answers => { '/sets/thrice' => set($rsa) }, %bad_own,
      as => [fetched('thrice'), fetched('thrice', x_refresh => '1')] },
    { name => 'JWKS rotation: the refetch fails: the last good set serves, 401 by it',
      request => { path => '/own?set=fails', token => signed($new, 'RS256', \%good) },
      answers => { '/sets/fails' => [set($rsa), { status => 500 }] }, %bad_own,
      as => [fetched('fails'), fetched('fails')], log => [$why->(qr/status 500/)] },
    own('JWKS rotation: and others go on', '/own?set=fails', $token, %verified, as => 0),
    from_as(
        'JWKS rotation: the AS\'s JWT', '/as?set=as-rotation', signed($new, 'RS256', \%good), %verified, answers => {
            'opaque-' . ($opaque + 1) . '-token' => { jwt => signed($new, 'RS256', \%good) },
            '/sets/as-rotation' => [set($rsa), set($new)]
        },
        as => [{ uri => '/introspect' }, fetched('as-rotation'), fetched('as-rotation', x_refresh => '1')], api => 1
    ),
    { name => 'JWKS and proxy_cache: proxy_cache_bypass $phantom_token_jwks_refresh passes the cache',
      request => { path => '/cached?set=bypass', token => signed($new, 'RS256', \%good) },
      answers => { '/sets/bypass' => [set($rsa), set($rsa, $new)] }, %verified,
      as => [fetched('bypass'), fetched('bypass', x_refresh => '1')], api => 1 },
    { name => 'JWKS and proxy_cache: without it, the refetch gets what is cached',
      request => { path => '/sticky?set=stick', token => signed($new, 'RS256', \%good) },
      answers => { '/sets/stick' => [set($rsa), set($rsa, $new)] }, %bad_own, as => [fetched('stick')] },
);

# --- several at once, and clients that go ----------------------------------------------------------------------------

{
    $as->answers('/sets/held' => { %{ set($rsa) }, hold => 'keys' });
    $gateway->api->forget_requests;
    my @waiting = map { $gateway->connect } 1 .. 8;
    my $bad     = $broken[0][1];
    $waiting[$_]->send(
        "POST /own?set=held&n=$_ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nAuthorization: Bearer "
            . ($_ % 4 == 3 ? $bad : $token) . "\r\n\r\nab$_"
    ) for 0 .. 7;
    until_true(patience(5), sub { grep { $_->{uri} eq '/sets/held' } $as->requests });
    shift(@waiting)->reset;
    is scalar $gateway->api->requests, 0, 'JWKS: while it is fetched, nothing reaches the API';
    $as->release('keys');
    is join(' ', map { $_->response('POST')->status } @waiting), '200 200 401 200 200 200 401',
        'JWKS: all who waited get their own verdict';
    is join('', map { $_->finish } @waiting), '', 'JWKS: nothing is left over';
    is join(' ', sort map { $_->{body} } grep { $_->{uri} =~ /n=[1-7]/ } $gateway->api->requests),
        'ab1 ab2 ab4 ab5 ab6', 'JWKS: bodies are intact';
    cases($gateway, own('JWKS: and the set is there', '/own?set=held', $token, %verified, as => 0));
}

# --- other ways to a location ----------------------------------------------------------------------------------------

my %page = (type => 'text/html', body => join '|', map { qq{<!--# include virtual="/part/$_?set=all" -->} } 1 .. 3);
my $jwt_of_jwt = jwt({ sub => 'inner', aud => 'api' });
warm($fine);
my %asked_too  = (answers => { $fine => { jwt => $jwt_of_jwt } });
cases($gateway,
    { name => 'redirect: verify, then introspect: the original token is asked about',
      request => { path => '/to-introspected?set=all', token => $fine }, %asked_too, %verified,
      as => [{ body => "token=$fine&token_type_hint=access_token" }],
      api => [{ uri => qr{^/}, authorization => "Bearer $jwt_of_jwt" }], logged => { sub => 'inner' } },
    { name => 'redirect: introspect, then verify: the original token is verified',
      request => { path => '/to-own?set=all', token => $fine }, %verified, api => [{ authorization => "Bearer $fine" }],
      logged => { sub => 'alice' } },
    { name => 'redirect: introspect, then verify: a token that the AS knows and that is wrongly signed',
      request => { path => '/to-own?set=all', token => $broken[0][1] },
      answers => { $broken[0][1] => { jwt => $jwt_of_jwt } }, %bad_own },
    { name => 'redirect: introspect, then verify: the AS\'s JWT is not taken for the client\'s',
      request => { path => '/to-own?set=all', token => 'moved-token' },
      answers => { 'moved-token' => { jwt => $fine } }, status => 401, outcome => 'inactive', logged => \%nothing },
    { name => 'redirect: verify, then pass', request => { path => '/to-pass?set=all', token => $fine }, status => 200,
      outcome => 'passed_jwt', api => [{ authorization => "Bearer $fine" }], logged => \%nothing },
    { name => 'redirect: verify, then pass: a wrong one does not get there',
      request => { path => '/to-pass?set=all', token => $broken[0][1] }, %bad_own },
    { name => 'redirect: pass, then verify', request => { path => '/pass-to-own?set=all', token => $fine }, %verified,
      api => [{ authorization => "Bearer $fine" }], logged => { sub => 'alice' } },
    { name => 'redirect: pass, then verify: a wrong one is refused',
      request => { path => '/pass-to-own?set=all', token => $broken[1][1] }, %bad_own, logged => \%nothing },
    { name => 'redirect: verify, then the other location\'s rules',
      request => { path => '/own-to-rules?set=all', token => signed($rsa, 'RS256', { %good, scope => 'write' }) },
      status => 403, outcome => 'insufficient_scope', logged => \%nothing },
    { name => 'SSI: each part is verified', request => { path => '/page?set=all', token => $token },
      api_answers => { '/page' => \%page, map { ("/part/$_" => { body => $_ }) } 1 .. 3 }, %verified, body => '1|2|3',
      api => [map { { uri => qr{^/(?:page|part)}, authorization => "Bearer $token" } } 1 .. 4] },
    { name => 'SSI: the page\'s set is not the part\'s: a part that is refused reaches no API',
      request => { path => '/page?set=all', token => $token },
      api_answers => { '/page' => { %page, body => 'a<!--# include virtual="/part/1?set=theirs" -->b' } },
      status => 200, api => [{ uri => '/page?set=all' }] },
    { name => 'SSI: parts that fetch their JWKS at the same time',
      request => { path => '/page?set=all', token => $token },
      answers => { map { ("/sets/ssi$_" => { %{ set($rsa) }, delay => 0.05 }) } 1 .. 3 },
      api_answers => { '/page' => { %page, body => join '|', map {
          qq{<!--# include virtual="/part/$_?set=ssi$_" -->}
      } 1 .. 3 } },
      %verified, body => '1|2|3', api => 4 },
    { name => 'mirror: the mirrored request carries a verified JWT',
      request => { path => '/mirrored?set=all', token => $token }, %verified, api => 2 },
    { name => 'mirror: a wrong JWT is not mirrored',
      request => { path => '/mirrored?set=all', token => $broken[0][1] }, %bad_own },
    { name => 'auth_request: the policy service sees the JWT',
      request => { path => '/policy?set=all', token => $token }, %verified,
      api => [{ uri => qr{^/the-policy}, authorization => "Bearer $token" }, { authorization => "Bearer $token" }] },
);

# --- an endpoint that leads nowhere ----------------------------------------------------------------------------------

{
    my $inbound = 'phantom_token on; phantom_token_audience api; phantom_token_inbound_jwt verify;';
    my $lost = gateway(server => $inbound, locations => <<'END');
        location / { phantom_token_jwks_endpoint /_jwks; proxy_pass http://%%API%%; }
        location /empty { phantom_token_jwks_endpoint $arg_nothing; proxy_pass http://%%API%%; }
        location /named { phantom_token_jwks_endpoint $arg_nothing@named; proxy_pass http://%%API%%; }
        location /nowhere { phantom_token_jwks_endpoint nowhere$arg_nothing; proxy_pass http://%%API%%; }
        location /public { phantom_token_jwks_endpoint /open$arg_nothing; proxy_pass http://%%API%%; }
        location /open { phantom_token off; proxy_pass http://%%AS%%/sets/all; }
        location @named { phantom_token off; proxy_pass http://%%AS%%; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/sets/all; }
END
    $lost->as->answers('/sets/all' => set($rsa));
    my %lost = (status => 500, outcome => 'misconfigured', as => 0);
    cases($lost,
        own('JWKS endpoint: all is well', '/', $token, %verified),
        own('JWKS endpoint that evaluates to nothing: 500 misconfigured', '/empty', $token, %lost,
            log => qr/\[error\].*phantom token: .*phantom_token_jwks_endpoint/),
        own('JWKS endpoint that evaluates to a named location: 500 misconfigured', '/named', $token, %lost,
            log => qr/\[error\].*phantom token: .*phantom_token_jwks_endpoint/),
        own('JWKS endpoint that evaluates to a missing location: 500 misconfigured', '/nowhere', $token, %lost,
            log => qr/\[error\].*phantom token: .*phantom_token_jwks_endpoint/),
        own('JWKS endpoint that evaluates to a location that is not internal: 500 misconfigured', '/public', $token,
            %lost, log => qr/\[error\].*phantom token: .*add "internal;"/),
    );
}

# --- several workers: each has its own set ---------------------------------------------------------------------------

{
    my $many = gateway(
        workers => 4, server => 'phantom_token on; phantom_token_audience api; phantom_token_inbound_jwt verify;',
        locations => 'location / { phantom_token_jwks_endpoint /_jwks; proxy_pass http://%%API%%; } '
            . 'location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }'
    );
    $many->as->answers('/jwks' => set($rsa));
    my %status;
    for my $n (1 .. 60) {
        $status{ $n % 3 ? 'good' : 'bad' }{ $many->get('/', token => $n % 3 ? $token : $broken[0][1])->status }++;
    }
    is_deeply \%status, { good => { 200 => 40 }, bad => { 401 => 20 } }, 'JWKS, several workers: one verdict';
    my $fetches = () = $many->as->requests;
    ok $fetches >= 1 && $fetches <= 4, "JWKS, several workers: at most one fetch for each ($fetches)";
    is $many->reload, '', 'JWKS: reload';
    is $many->get('/', token => $token)->status, 200, 'JWKS: after a reload';
}

# --- the clock -------------------------------------------------------------------------------------------------------

# nginx's clocks, stopped, the one on the wall and the one that nobody sets: a library before libc says what a file
# says.
sub clock {
    my $source = file('clock.c', <<'END');
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long *now;
__attribute__((constructor)) static void open_clock(void) {
    int fd = getenv("TEST_CLOCK") ? open(getenv("TEST_CLOCK"), O_RDONLY) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    now = map == MAP_FAILED ? 0 : map;
}
int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    int rc = (int) syscall(SYS_gettimeofday, tv, tz);
    if (rc == 0 && tv && now) { tv->tv_sec = *now; tv->tv_usec = 0; }
    return rc;
}
int clock_gettime(clockid_t which, struct timespec *ts) {
    int rc = (int) syscall(SYS_clock_gettime, which, ts);
    if (rc == 0 && now && (which == CLOCK_MONOTONIC || which == CLOCK_MONOTONIC_COARSE)) {
        ts->tv_sec = *now; ts->tv_nsec = 0;
    }
    return rc;
}
END
    my $built = run(['cc', '-shared', '-fPIC', '-O1', '-o', "$files/clock.so", $source]);
    return $built->{code} == 0 ? "$files/clock.so" : undef;
}

# Seconds since an hour from now: nginx's log is not to be older than the test. One file, written in place, since nginx
# has it mapped.
sub set_clock {
    my ($seconds) = @_;
    open my $out, '+<:raw', "$files/clock" or die "clock: $!";
    syswrite $out, pack 'q', $start + 3600 + $seconds;
    close $out or die "clock: $!";
    return;
}

SKIP: {
    my $library = clock() or skip 'the clock cannot be set: there is no C compiler', 1;
    file('clock', '');
    set_clock(0);
    local $ENV{LD_PRELOAD} = join ' ', grep { defined && length } $ENV{LD_PRELOAD}, $library;
    local $ENV{TEST_CLOCK} = "$files/clock";
    my $timed = gateway(
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=keys:1m;',
        server => 'phantom_token on; phantom_token_audience api; phantom_token_inbound_jwt verify;',
        locations => <<'END');
        location / { phantom_token_jwks_endpoint /_jwks/$arg_set; proxy_pass http://%%API%%; }
        location /cached { phantom_token_jwks_endpoint /_cached/$arg_set; proxy_pass http://%%API%%; }
        location /_jwks/ { internal; proxy_pass http://%%AS%%/sets/;
                           proxy_set_header X-Refresh $phantom_token_jwks_refresh; }
        location /_cached/ {
            internal; proxy_pass http://%%AS%%/sets/; proxy_set_header X-Refresh $phantom_token_jwks_refresh;
            proxy_cache keys; proxy_cache_key $uri; proxy_cache_valid 200 150s;
            proxy_cache_bypass $phantom_token_jwks_refresh;
        }
END
    my %long    = (%good, exp => $far + 86_400);
    my $old     = signed($rsa, 'RS256', \%long);
    my $next    = signed($new, 'RS256', \%long);
    my @unknown = map { signed($other, 'RS256', \%long, more => { kid => "unknown-$_" }) } 1 .. 3;
    my $refetch = [fetched('c', x_refresh => '1')];
    my %silent  = (as => 0);
    # Lines of the access log are found by nginx's clock, so nothing here asks for one.
    my $at_time = sub {
        my ($at, $name, $path, $token, %rest) = @_;
        set_clock($at);
        delete $rest{outcome};
        cases($timed, own("$name, second $at", $path, $token, %rest));
        return;
    };
    my $step    = sub { my ($at, $name, @rest) = @_; return $at_time->($at, "JWKS clock: $name", '/?set=c', @rest) };
    my $say     = sub { $timed->as->answers('/sets/c' => $_[0]); return };

    $say->(set($rsa));
    $step->(0,   'fetched', $old, %verified, as => [fetched('c', x_refresh => undef)]);
    $step->(30,  'the parsed set serves', $old, %verified, %silent);
    $step->(59,  'up to 60 s', $old, %verified, %silent);
    $step->(60,  'then the location is asked again', $old, %verified, as => [fetched('c', x_refresh => undef)]);
    $step->(61,  'once', $old, %verified, %silent);
    $step->(100, 'an unknown kid: refetched', $unknown[0], %bad_own, as => $refetch);
    $step->(105, 'another one: at most once in 10 s over all tokens', $unknown[1], %bad_own, %silent);
    $step->(108, 'the first again', $unknown[0], %bad_own, %silent);
    $say->(set($rsa, $new));
    $step->(111, 'rotated: refetched after 10 s', $next, %verified, as => $refetch);
    $step->(112, 'rotated: the old key', $old, %verified, %silent);
    $step->(165, 'a refetch counts as a fetch: 60 s from it', $old, %verified, %silent);
    $say->(set($new));
    $step->(172, 'a key that is gone from the set verifies nothing any more', $old, %bad_own);
    $step->(173, 'the other one does', $next, %verified, %silent);

    # Out of reach: the last good set, fetched at 172 s, for up to an hour.
    $say->({ status => 500 });
    $step->(233,  'out of reach: the last good set serves', $next, %verified, as => [fetched('c')],
        log => qr/\[error\].*the JWK Set cannot be used: .*status 500/);
    $step->(236,  'out of reach: it is not asked for each request', $next, %verified, %silent);
    $step->(236,  'out of reach: wrong signatures are still refused',
        signed({ %{$other}, kid => 'new' }, 'RS256', \%long), %bad_own);
    $step->(250,  'out of reach: asked again after a while', $next, %verified, as => [fetched('c')]);
    $timed->as->stop;
    $step->(1000, 'the connection is refused: the last good set serves', $next, %verified);
    $timed->as->resume;
    $say->({ json => 'garbage' });
    $step->(2000, 'garbage: the last good set serves', $next, %verified);
    $step->(3700, 'just before the hour is over', $next, %verified);
    $step->(3775, 'after an hour: 503 jwks_unavailable', $next, %down);
    $step->(3776, 'after an hour: 503 for a wrong signature too, never 401', $broken[0][1], %down);
    $step->(3776, 'after an hour: 503 for an unknown kid too, never 401', $unknown[2], %down);
    $say->(set($new));
    $step->(3779, 'back: it serves', $next, %verified);
    $step->(3780, 'back', $next, %verified, %silent);

    # A clock that is set back must not keep a set in use.
    $say->(set($rsa));
    $step->(10, 'set back by an hour: the location is asked', $old, %verified);
    $step->(20, 'set back: then the set serves', $old, %verified, %silent);

    my $cached = sub {
        my ($at, $name, @rest) = @_;
        return $at_time->($at, "JWKS clock and proxy_cache: $name", '/cached?set=p', @rest);
    };
    $timed->as->answers('/sets/p' => set($rsa));
    $cached->(10_000, 'fetched', $old, %verified, as => [fetched('p', x_refresh => undef)]);
    $cached->(10_070, 'after 60 s the location is asked: the cache answers', $old, %verified, as => 0);
    $timed->as->answers('/sets/p' => set($rsa, $new));
    $cached->(10_080, 'an unknown kid passes the cache', $next, %verified, as => [fetched('p', x_refresh => '1')]);
    $cached->(10_145, 'and has renewed the entry', $next, %verified, as => 0);
    $cached->(
        10_300, 'after its time the cache asks the AS', $next, %verified, as => [fetched('p', x_refresh => undef)]
    );
}

# --- nginx -t --------------------------------------------------------------------------------------------------------

my $jwks_location = "location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }\nlocation = /_introspect { "
    . "internal; proxy_pass http://%%AS%%/introspect; }";
my $no_jwks       = [qr/phantom_token_jwks_endpoint/, qr{location "/api"}];
my $no_audience   = [qr/phantom_token_audience/, qr/phantom_token_inbound_jwt verify/, qr{location "/api"}];
my $no_warning    = { accepts => 1, warns => [] };

sub api_location {
    return { locations => "location /api { phantom_token on; $_[0] proxy_pass http://%%API%%; }\n$jwks_location" };
}

configurations(
    { name => 'nginx -t: inbound_jwt verify without a JWKS endpoint',
      %{ api_location('phantom_token_inbound_jwt verify; phantom_token_audience api;') }, refuses => $no_jwks },
    { name => 'nginx -t: inbound_jwt verify without a JWKS endpoint, with introspection', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt verify; '
                         . 'phantom_token_audience api;')
    }, refuses => $no_jwks },
    { name => 'nginx -t: verify_jwt without a JWKS endpoint', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_verify_jwt on;')
    }, refuses => $no_jwks },
    { name => 'nginx -t: inbound_jwt verify without an audience', %{
        api_location('phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_jwks;')
    }, refuses => $no_audience },
    { name => 'nginx -t: inbound_jwt verify, the audience emptied', server => 'phantom_token_audience api;', %{
        api_location('phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_jwks; phantom_token_audience "";')
    }, refuses => $no_audience },
    { name => 'nginx -t: inbound_jwt verify inherited, no audience',
      server => 'phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_jwks;', %{ api_location('') },
      refuses => $no_audience },
    { name => 'nginx -t: inbound_jwt verify in limit_except, no audience', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_jwks_endpoint /_jwks; '
                         . 'limit_except GET { phantom_token_inbound_jwt verify; }')
    }, refuses => qr/phantom_token_audience/ },
    { name => 'nginx -t: a JWKS endpoint that no location matches', %{
        api_location(
            'phantom_token_inbound_jwt verify; phantom_token_audience api; phantom_token_jwks_endpoint /_nowhere;'
        )
    }, refuses => [qr/phantom_token_jwks_endpoint/, qr{/_nowhere}, qr/internal/] },
    { name => 'nginx -t: a JWKS endpoint whose location is not internal',
      locations => 'location /api { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api; '
          . 'phantom_token_jwks_endpoint /jwks; } location /jwks { proxy_pass http://%%AS%%; }',
      refuses => [qr/phantom_token_jwks_endpoint/, qr/add "internal;"/] },
    { name => 'nginx -t: a JWKS endpoint in a named location', %{
        api_location('phantom_token_inbound_jwt verify; phantom_token_audience api; phantom_token_jwks_endpoint @jwks;')
    }, refuses => qr/phantom_token_jwks_endpoint/ },
    { name => 'nginx -t: inbound_jwt with another word', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt on;')
    }, refuses => qr/phantom_token_inbound_jwt|invalid value "on"/ },
    { name => 'nginx -t: a second inbound_jwt', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt reject; '
                         . 'phantom_token_inbound_jwt reject;')
    }, refuses => qr/phantom_token_inbound_jwt.*duplicate/ },
    { name => 'nginx -t: a second JWKS endpoint', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_jwks_endpoint /_jwks; '
                         . 'phantom_token_jwks_endpoint /_jwks;')
    }, refuses => qr/phantom_token_jwks_endpoint.*duplicate/ },
    { name => 'nginx -t: reject without an endpoint',
      %{ api_location('phantom_token_inbound_jwt reject;') }, refuses => qr/phantom_token_introspection_endpoint/ },
    { name => 'nginx -t: pass without an endpoint',
      %{ api_location('phantom_token_inbound_jwt pass;') }, refuses => qr/phantom_token_introspection_endpoint/ },
    { name => 'nginx -t: pass is warned of', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_inbound_jwt pass;')
    }, accepts => 1, warns => qr/phantom_token_inbound_jwt pass.*"\/api"/ },
    { name => 'nginx -t: pass in a limit_except is warned of', %{
        api_location(
            'phantom_token_introspection_endpoint /_introspect; limit_except GET { phantom_token_inbound_jwt pass; }'
        )
    }, accepts => 1, warns => qr/phantom_token_inbound_jwt pass/ },
    { name => 'nginx -t: pass inherited is warned of', http => 'phantom_token_inbound_jwt pass;', %{
        api_location('phantom_token_introspection_endpoint /_introspect;')
    }, accepts => 1, warns => qr/phantom_token_inbound_jwt pass.*"\/api"/ },
    { name => 'nginx -t: pass where protection is off is none',
      locations => "location /api { phantom_token_inbound_jwt pass; proxy_pass http://%%API%%; }\n$jwks_location",
      %{$no_warning} },
    { name => 'nginx -t: verify where protection is off is no error',
      locations => "location /api { phantom_token_inbound_jwt verify; proxy_pass http://%%API%%; }\n$jwks_location",
      %{$no_warning} },
    { name => 'nginx -t: verify without introspection', %{
        api_location(
            'phantom_token_inbound_jwt verify; phantom_token_audience api; phantom_token_jwks_endpoint /_jwks;'
        )
    }, %{$no_warning} },
    { name => 'nginx -t: verify_jwt', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_verify_jwt on; '
                         . 'phantom_token_jwks_endpoint /_jwks;')
    }, %{$no_warning} },
    { name => 'nginx -t: verify_jwt off below on needs no JWKS', server => 'phantom_token_verify_jwt on;', %{
        api_location('phantom_token_introspection_endpoint /_introspect; phantom_token_verify_jwt off;')
    }, %{$no_warning} },
    { name => 'nginx -t: a JWKS location without a slash',
      locations => 'location /api { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api; '
          . 'phantom_token_jwks_endpoint jwks; } location jwks { proxy_pass http://%%AS%%; }', %{$no_warning} },
);

# --- a redirect to an endpoint that is made of the variables ---------------------------------------------------------

{
    my $on     = 'phantom_token on; phantom_token_audience api; phantom_token_jwks_endpoint /_jwks;';
    my $chosen = gateway(server => $on, locations => <<'END');
        location / { phantom_token_inbound_jwt verify; try_files /nonexistent /chosen; }
        location = /chosen { phantom_token_introspection_endpoint
                                 /_introspect?sub=$phantom_token_sub$phantom_token_jwt$phantom_token_claim_aud;
                             proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
END
    cases($chosen,
        { name => 'redirect: verify, then an endpoint with variables: nothing is judged yet, so they are empty',
          request => { path => '/', token => $fine }, answers => { '/jwks' => set($rsa), %{ $asked_too{answers} } },
          %verified,
        as => [{ uri => '/jwks' }, { uri => '/introspect?sub=' }],
        api => [{ authorization => "Bearer $jwt_of_jwt" }] });
}

# --- real JWK Sets ---------------------------------------------------------------------------------------------------

# Glewlwyd puts the scope there
my %audience = ('oidc-provider' => 'https://jwt.example.com', glewlwyd => '"read write"');
for my $name (sort keys %audience) {
    my $real  = real_server($name);
    my $basic = $real->basic('gateway');
    my $on    = 'phantom_token on; phantom_token_jwks_endpoint /_jwks;';
    my $log   = { sub => 'phantom_token_sub' };
    my $front = gateway(servers => { AS => $real }, log => $log, server => $on, locations => <<"END");
        location /own { phantom_token_inbound_jwt verify; phantom_token_audience $audience{$name};
                        proxy_pass http://%%API%%; }
        location /id { phantom_token_inbound_jwt verify; phantom_token_audience https://nobody.example.com;
                       proxy_pass http://%%API%%; }
        location /as { phantom_token_introspection_endpoint /_introspect; phantom_token_verify_jwt on;
                       proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%@{[ $real->path('introspection') ]};
                                  proxy_set_header Authorization "$basic"; }
        location = /_jwks { internal; proxy_pass http://%%AS%%@{[ $real->path('jwks') ]}; }
END
    my $jwt    = $real->token($name eq 'oidc-provider' ? (form => { resource => 'https://jwt.example.com' }) : ());
    my @pieces = split /\./, $jwt;
    cases($front,
        own("$name: its JWT is verified by its JWKS", '/own', $jwt, %verified, logged => { sub => 'app' }),
        own("$name: a bit of the payload changed", '/own',
            raw_jwt($pieces[0], base64url(decode_base64url($pieces[1]) =~ s/"app"/"apq"/r), $pieces[2]), %bad_own),
        own("$name: another audience", '/id', $jwt, status => 401, outcome => 'audience'),
        { name => "$name: an opaque token with verify alone",
          request => { path => '/own', token => 'plain-token' }, status => 401, outcome => 'inactive' },
    );
    # Glewlwyd introspects to an envelope, never to a JWT for the API; the others' opaque token stands for one.
    cases(
        $front,
        { name => 'oidc-provider: the JWT for its opaque token is verified',
          request => { path => '/as', token => $real->token }, %verified, api => [{ authorization => qr/^Bearer eyJ/ }],
          logged => { sub => 'app' } }
    ) if $name eq 'oidc-provider';
}

done_testing;
