# What a thief, or a client that means no good, may try with tokens that are bound to a key and with proofs of it
# (RFC 9449): all of it is refused, and nothing but what is equal by RFC 3986 is the same URI.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'hmac_sha256';
use Harness;
use Harness::Dpop qw(dpop_key dpop_proof dpop_request thumbprint token_hash);
use JSON::PP ();
use MIME::Base64 'encode_base64url';

my $gateway = gateway(
    http => <<'END',
        phantom_token_dpop_replay zone=proofs:1m;
        phantom_token_confirmation verify;
        phantom_token_dpop_replay proofs;
        phantom_token_introspection_endpoint /_introspect;
        server {
            listen 127.0.0.1:%%PORT:large%%;
            large_client_header_buffers 4 128k;
            location / { phantom_token on; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        }
END
    server    => 'listen 127.0.0.1:%%PORT:h2%% http2;',
    locations => <<'END',
        location / { phantom_token on; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);

my ($key, $thief) = (dpop_key('ES256'), dpop_key('ES256'));
my $rsa   = dpop_key('RS256');
my $json  = JSON::PP->new->utf8->canonical;
my $token = 'stolen-token';
my $all   = 'ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256';
my %dpop  = (scheme => 'DPoP', algs => $all, realm => 'api');

my %refused = (
    status => 401, outcome => 'dpop_proof', challenge => { %dpop, error => 'invalid_dpop_proof' },
    log    => qr/\[info\] .*phantom token: dpop_proof: .*, location "\/"/
);
my %early   = (%refused, as => 0);                        # without asking the authorization server
my %bound   = (%refused, outcome => 'bound', challenge => { %dpop, error => 'invalid_token' }, log => undef);
my %allowed = (status => 200, outcome => 'active', challenge => undef, api => 1);

# A token that is bound to a key, of a name of its own.
my $tokens = 0;
sub bound_to {
    my ($jkt) = @_;
    my $name = 'bound-token-' . ++$tokens;
    $gateway->as->answers($name => { jwt => { sub => $name, cnf => { jkt => ref $jkt ? $jkt->thumbprint : $jkt } } });
    return $name;
}

$gateway->as->answers($token => { jwt => { sub => 'alice', cnf => { jkt => $key->thumbprint } } });
my $second = bound_to($key);
my $mallet = bound_to($thief);

# A request with the token and this proof, made when its turn comes.
sub with_proof {
    my ($name, $make, $expected, %request) = @_;
    return { name => $name, %{$expected}, request => sub {
        my $proof   = $make->();
        my @headers = map { "DPoP: $_" } ref $proof ? @{$proof} : $proof;
        my %plain   = %request;
        my $of      = delete $plain{of} // $token;
        +{ %plain, headers => ["Authorization: DPoP $of", @headers] };
    } };
}

# With a proof by this key that differs in something.
sub changed {
    my ($name, $by, $change, $expected, %request) = @_;
    my $of = $request{of} // ($by == $key ? $token : bound_to($by));
    return with_proof($name, sub { good_proof($by, token => $of, %{$change}) }, $expected, %request, of => $of);
}

sub good_proof {
    my ($by, %option) = @_;
    return dpop_proof($by, htu => 'http://localhost/', token => $token, %option);
}

# --- what was stolen -------------------------------------------------------------------------------------------------

cases($gateway,
    changed('the holder', $key, {}, \%allowed),
    { name => 'a stolen token as Bearer', request => { token => $token }, %bound },
    { name => 'a stolen token as Bearer, with a proof of the thief', %bound,
      request => sub { +{ token => $token, headers => ['DPoP: ' . good_proof($thief)] } } },
    { name => 'a stolen token as DPoP, without a proof', request => { headers => ["Authorization: DPoP $token"] },
      %early },
    with_proof('a stolen token with a proof of the thief', sub { good_proof($thief) }, \%refused),
    with_proof('a proof of the thief that names the key of the holder',
        sub { good_proof($thief, header => { jwk => $key->public_jwk }) }, \%early),
    with_proof('a stolen proof on another URI', sub { good_proof($key) }, \%early, path => '/other'),
    with_proof('a stolen proof with another method', sub { good_proof($key) }, \%early, method => 'DELETE'),
    with_proof('a stolen proof with another token of the same key', sub { good_proof($key) }, \%early, of => $second),
    with_proof("a stolen proof with the thief's own token", sub { good_proof($key) }, \%early, of => $mallet),
    with_proof("a stolen proof, for the thief's own token",
        sub { good_proof($key, token => $mallet) }, \%refused, of => $mallet),
    with_proof('a stolen proof, later', sub { good_proof($key, now => time - 61) }, \%early),
    with_proof('the signature of one proof under another', sub {
        my ($signature) = good_proof($key) =~ /\.([^.]*)$/;
        good_proof($key) =~ s/[^.]*$/$signature/r;
    }, \%early),
    with_proof('a proof for another token, with its ath written anew', sub {
        my @parts = split /\./, good_proof($key, token => $second);
        join '.', $parts[0], (split /\./, good_proof($key))[1], $parts[2];
    }, \%early),
);

# --- keys and algorithms ---------------------------------------------------------------------------------------------

my $p384    = dpop_key('ES384');
my $ed25519 = dpop_key('EdDSA');
my $weak    = dpop_key('RS256', bits => 1024);

# What only a header says, signed by HMAC with this secret.
sub by_hmac {
    my ($secret, $header) = @_;
    my ($claims) = good_proof($key) =~ /^[^.]*\.([^.]*)/;
    my $signed = encode_base64url($json->encode({ typ => 'dpop+jwt', alg => 'HS256', %{$header} })) . ".$claims";
    return "$signed." . encode_base64url(hmac_sha256($signed, $secret));
}

my $zero = encode_base64url("\0" x 32);
cases($gateway,
    changed('jwk: a private EC key', $key, { jwk => $key->private_jwk }, \%early),
    changed('jwk: a private RSA key', $rsa, { jwk => $rsa->private_jwk }, \%early),
    changed('jwk: a private Ed25519 key', $ed25519, { jwk => $ed25519->private_jwk }, \%early),
    map({ changed("jwk: only $_ of a private RSA key", $rsa, { jwk => { $_ => $rsa->private_jwk->{$_} } }, \%early) }
        qw(d p q dp dq qi)),
    changed('jwk: oth, of RSA with more primes', $rsa, { jwk => { oth => [] } }, \%early),
    changed('jwk: k beside a public key', $key, { jwk => { k => 'AAAA' } }, \%early),
    changed('alg of RSA, an EC key', $key, { header => { alg => 'RS256' } }, \%early),
    changed('alg of P-256, a P-384 key', $p384, { header => { alg => 'ES256' } }, \%early),
    changed('alg of ECDSA, an RSA key', $rsa, { header => { alg => 'ES256' } }, \%early),
    changed('alg of ECDSA, an Ed25519 key', $ed25519, { header => { alg => 'ES256' } }, \%early),
    changed('alg EdDSA, an EC key', $key, { header => { alg => 'EdDSA' } }, \%early),
    changed('alg PS256, a signature of RS256', $rsa, { header => { alg => 'PS256' } }, \%early),
    changed('RSA: the same key and a good alg', $rsa, {}, \%allowed),
    changed('RSA of 1024 bits', $weak, {}, \%early),
    changed('RSA: e is 1', $rsa, { jwk => { e => 'AQ' } }, \%early),
    changed('EC: a point off the curve', $key, { jwk => { y => $thief->public_jwk->{y} } }, \%early),
    changed('EC: no point at all', $key, { jwk => { x => $zero, y => $zero } }, \%early),
    changed('EC: half a coordinate', $key, { jwk => { x => substr $key->public_jwk->{x}, 0, 22 } }, \%early),
    changed('EC: another curve of that size', $key, { jwk => { crv => 'secp256k1' } }, \%early),
    changed('Ed25519: a short key', $ed25519, { jwk => { x => substr $ed25519->public_jwk->{x}, 0, 42 } }, \%early),
    changed('Ed25519: said to be X25519', $ed25519, { jwk => { crv => 'X25519' } }, \%early),
    map({ changed("jwk: $_->[0]", $key, { header => { jwk => $_->[1] } }, \%early) }
        ['a string', 'https://thief.example/jwk'], ['an array', [$key->public_jwk]], ['empty', {}]),
    changed('a key by kid alone', $key, { header => { jwk => undef, kid => $key->thumbprint } }, \%early),
    changed('a key by jku', $key, { header => { jwk => undef, jku => 'https://thief.example/keys' } }, \%early),
    changed('alg none', $key, { header => { alg => 'none' }, signature => '' }, \%early),
    changed('alg NoNe', $key, { header => { alg => 'NoNe' }, signature => '' }, \%early),
    changed('no signature', $key, { signature => '' }, \%early),
    changed('ECDSA: a signature of zeros', $key, { signature => "\0" x 64 }, \%early),
    changed('ECDSA: a signature in DER', $key, { signature => sub { der(unpack '(a32)2', $_[0]) } }, \%early),
    changed('ECDSA: a byte more', $key, { signature => sub { "$_[0]\0" } }, \%early),
    with_proof('HS256, the public key as secret', sub {
        by_hmac($json->encode($key->public_jwk), { jwk => $key->public_jwk })
    }, \%early),
    with_proof('HS256, its secret in jwk', sub {
        by_hmac('secret', { jwk => { kty => 'oct', k => encode_base64url('secret') } })
    }, \%early),
);

sub der {
    my @numbers = map { s/^\0+(?=[^\0])//r } @_;
    my @signed  = map { (ord >= 128 ? "\0" : '') . $_ } @numbers;
    my $body    = join '', map { "\x02" . chr(length) . $_ } @signed;
    return "\x30" . chr(length $body) . $body;
}

# --- forms and claims ------------------------------------------------------------------------------------------------

my $now  = time;
my $good = sub { $json->encode({ jti => 'j-' . rand, htm => 'GET', htu => 'http://localhost/', iat => time,
    ath => token_hash($token) }) =~ s/\}$/,$_[0]}/r };
cases($gateway,
    with_proof('two headers, the good one first', sub { [good_proof($key), 'x'] }, \%early),
    with_proof('two headers, the good one last', sub { ['x', good_proof($key)] }, \%early),
    with_proof('the same one twice', sub { my $proof = good_proof($key); [$proof, $proof] }, \%early),
    with_proof('JSON in place of a compact JWT', sub {
        my ($head, $claims, $signature) = split /\./, good_proof($key);
        qq({"protected":"$head","payload":"$claims","signature":"$signature"});
    }, \%early),
    with_proof('the claims left out', sub { good_proof($key) =~ s/\.[^.]*\./../r }, \%early),
    changed('claims that are not encoded (b64)', $key, { header => { b64 => false, crit => ['b64'] } }, \%early),
    changed('duplicate claims', $key, { claims_json => $good->('"htm":"GET"') }, \%early),
    changed('duplicate claims, deep in what nobody reads', $key, { claims_json => $good->('"x":{"a":1,"a":2}') },
        \%early),
    changed('claims that go on', $key, { claims_json => $good->('"x":1') . '{}' }, \%early),
    changed('arrays in arrays', $key, { claims_json => $good->('"x":' . '[' x 1000 . ']' x 1000) }, \%early),
    changed('a line of the log in alg', $key, { header => { alg => "x\n2026/01/01 00:00:00 [alert] 1#1: y" } },
        \%early),
    map({ changed("iat: $_->[0]", $key, { claims_json => $good->('"x":1') =~ s/"iat":\d+/"iat":$_->[1]/r }, \%early) }
        ['a string', qq("$now")], ['in milliseconds', "${now}000"], ['far ahead', $now + 86_400], ['negative', -1],
        ['beyond any number', '1e999'], ['past 64 bits', '18446744073709551617'], ['true', 'true'], ['0', 0],
        ['an array', "[$now]"]),
    map({ changed("jti: $_->[0]", $key, { claims => { jti => $_->[1] } }, $_->[2]) }
        ['missing', undef, \%early], ['empty', '', \%early], ['a number', 7, \%early], ['an object', {}, \%early],
        ['1 character', 'j', \%allowed], ['256', 'j' x 256, \%allowed], ['257', 'j' x 257, \%early]),
    with_proof('64 KB, by default', sub { good_proof($key, claims => { x => 'x' x 48_000 }) },
        { status => 400, refusal => 'nginx', api => 0, as => 0 }),
    with_proof('64 KB, where nginx lets it in', sub { good_proof($key, claims => { x => 'x' x 48_000 }) }, \%early,
        port => 'large'),
    with_proof('15 KB', sub { good_proof($key, claims => { x => 'x' x 11_000 }) }, \%allowed, port => 'large'),
    with_proof('17 KB', sub { good_proof($key, claims => { x => 'x' x 12_500 }) }, \%early, port => 'large'),
);

# --- the URI of the proof --------------------------------------------------------------------------------------------

# [request's Host, path, htu], by what they are to each other
my @equal = (
    ['localhost', '/', 'HTTP://localhost/'], ['localhost', '/', 'http://LocalHost/'],
    ['LOCALHOST', '/', 'http://localhost/'],
    ['localhost', '/', 'http://localhost:80/'], ['localhost:80', '/', 'http://localhost/'],
    ['localhost', '/', 'http://localhost:/'], ['localhost', '/', 'http://localhost'],
    ['localhost', '/?a', 'http://localhost?b'], ['localhost', '/', 'http://localhost#f'],
    ['localhost', '/', 'http://localhost/#user@other/'], ['localhost', '/', 'http://localhost/?@other/../x'],
    ['localhost:8080', '/', 'http://localhost:8080/'], ['localhost', '/a/b', 'http://localhost/a/./b'],
    ['localhost', '/a/b', 'http://localhost/a/x/../b'], ['localhost', '/a/', 'http://localhost/a/b/..'],
    ['localhost', '/a/', 'http://localhost/a/.'], ['localhost', '/a/./b', 'http://localhost/a/b'],
    ['localhost', '/a/x/../b', 'http://localhost/a/b'], ['localhost', '/a', 'http://localhost/../a'],
    ['localhost', '/a/%2E%2E/b', 'http://localhost/b'], ['localhost', '/~user', 'http://localhost/%7Euser'],
    ['localhost', '/%7euser', 'http://localhost/~user'], ['localhost', '/%c3%a9', 'http://localhost/%C3%A9'],
    ['localhost', '/%41', 'http://localhost/A'], ['localhost', '/a%2fb', 'http://localhost/a%2Fb'],
    ['localhost', '/a//b', 'http://localhost/a//b'], ['[::1]', '/', 'http://[::1]/'],
    ['[fe80::a]:80', '/', 'http://[FE80::A]/'], ['xn--bcher-kva.example', '/', 'http://XN--BCHER-KVA.example/'],
);
my @different = (
    ['localhost', '/', 'http://localhost:8080/'], ['localhost:8080', '/', 'http://localhost/'],
    ['localhost', '/', 'http://localhost:443/'], ['localhost', '/', 'https://localhost:80/'],
    ['localhost', '/', 'http://localhost./'], ['localhost', '/', 'http://localhost.example/'],
    ['localhost', '/', 'http://xlocalhost/'], ['localhost', '/a', 'http://localhost/A'],
    ['localhost', '/a', 'http://localhost/a/'], ['localhost', '/a', 'http://localhost/a;x'],
    ['localhost', '/a', 'http://localhost/a/..'], ['localhost', '/a/b', 'http://localhost/a//b'],
    ['localhost', '/a/b', 'http://localhost/a%2Fb'], ['localhost', '/a%2Fb', 'http://localhost/a/b'],
    ['localhost', '/~', 'http://localhost/%257E'], ['localhost', '/a?x', 'http://localhost/a%3Fx'],
    ['localhost', '/%C3%A9', "http://localhost/\x{e9}"], ['localhost', '/', 'http://user@localhost/'],
    ['localhost', '/', 'http://user:secret@localhost/'], ['localhost', '/', 'http://@localhost/'],
    ['localhost', '/', 'http://localhost@other/'], ['localhost', '/', 'http://localhost:80:80/'],
    ['localhost', '/admin%2Fx/../orders', 'http://localhost/orders'],
    ['localhost', '/admin%2Fx/../orders', 'http://localhost/admin%2Fx/../orders'],
    ['localhost', '/public//../orders', 'http://localhost/public/orders'],
    ['localhost', '/public//%2e%2e/orders', 'http://localhost/public//%2e%2e/orders'],
    ['localhost', '/', 'http://localhost:x/'], ['localhost', '/', '/'], ['localhost', '/', '//localhost/'],
    ['localhost', '/', 'localhost/'], ['localhost', '/', 'http:/localhost/'], ['localhost', '/', 'http:localhost/'],
    ['localhost', '/', 'http:\\\\localhost\\'], ['localhost', '/', ' http://localhost/'],
    ['localhost', '/', "http://localhost/\n"], ['localhost', '/a', 'http://localhost/a%'],
    ['localhost', '/', 'http:///'],
    ['localhost', '/', 'ftp://localhost/'], ['localhost', '/', 'http://[::1]/'], ['[::1]', '/', 'http://[0:0::1]/'],
    ['[::1]', '/', 'http://::1/'], ['[::1]', '/', 'http://[::1/'], ['127.0.0.1', '/', 'http://localhost/'],
    ['xn--bcher-kva.example', '/', "http://b\x{fc}cher.example/"],
    ['xn--bcher-kva.example', '/', 'http://b%C3%BCcher.example/'],
);

sub uri_case {
    my ($row, $equal) = @_;
    my ($host, $path, $htu) = @{$row};
    my $name = "http://$host$path " . ($equal ? 'is ' : 'is not ') . $json->encode([$htu]);
    return changed($name, $key, { htu => $htu }, $equal ? \%allowed : { %early, log => undef }, host => $host,
        path => $path);
}

cases($gateway, map({ uri_case($_, 1) } @equal), map({ uri_case($_, 0) } @different),
    map({ changed("no Host, htu $_", $key, { htu => $_ }, \%early, version => '1.0', host => undef) }
        'http:///', 'http://localhost/', 'http:/'));

# --- HTTP/2 ----------------------------------------------------------------------------------------------------------

my $h2  = $gateway->port('h2');
my %h2  = (port => 'h2', http2 => 1);
my $htu = "http://localhost:$h2/";
cases($gateway,
    changed('HTTP/2: the holder', $key, { htu => $htu }, \%allowed, %h2),
    changed('HTTP/2: the URI without its port', $key, {}, \%early, %h2),
    changed('HTTP/2: a proof of the thief', $thief, { htu => $htu, token => $token }, \%refused, %h2, of => $token),
    changed('HTTP/2: another method', $key, { htu => $htu }, \%early, %h2, method => 'DELETE'),
    with_proof('HTTP/2: two headers', sub { [map { good_proof($key, htu => $htu) } 1, 2] }, \%early, %h2),
    { name => 'HTTP/2: as Bearer', request => { %h2, token => $token }, %bound },
);

done_testing;
