# The configuration of phantom_token_forward: what nginx -t refuses and warns of, and what is inherited. What the API
# then gets is for t/forward.t.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use JSON::PP     ();
use MIME::Base64 qw(decode_base64url encode_base64url);

my $folder = temporary_folder();
my $json   = JSON::PP->new->utf8;

sub openssl {
    my $result = run(['openssl', @_]);
    die "openssl @_: $result->{err}\n" if $result->{code} != 0;
    return $result->{out};
}

sub write_file {
    my ($name, $content, $mode) = @_;
    open my $out, '>:raw', "$folder/$name" or die "$folder/$name: $!";
    print {$out} $content;
    close $out or die "$folder/$name: $!";
    chmod oct($mode // '600'), "$folder/$name";
    return "$folder/$name";
}

sub new_key {
    my ($name, @options) = @_;
    return write_file("$name.pem", openssl('genpkey', @options));
}
sub curve { my ($name) = @_; return ('-algorithm', 'EC', '-pkeyopt', "ec_paramgen_curve:$name") }
sub rsa   { my ($bits) = @_; return ('-algorithm', 'RSA', '-pkeyopt', "rsa_keygen_bits:$bits") }

my $p256    = new_key('p256', curve('P-256'));
my $other   = new_key('other', curve('P-256'));
my $p384    = new_key('p384', curve('P-384'));
my $p521    = new_key('p521', curve('P-521'));
my $ed25519 = new_key('ed25519', qw(-algorithm ED25519));
my $rsa     = new_key('rsa', rsa(2048));
my $issuer  = 'phantom_token_signed_issuer https://gateway.example;';
my $aud     = 'phantom_token_signed_audience https://api.example;';
my $sign    = 'phantom_token_forward sign;';
my $key     = "phantom_token_signing_key $p256;";
my $good    = "$sign $issuer $aud $key";

# --- what contradicts itself, or is not complete ----------------------------------------------------------------------

# Rows of [name, what stands in the protected location, what nginx -t says].
sub refused {
    return configurations(map { { name => "refused: $_->[0]", protected => $_->[1], refuses => $_->[2] } } @_);
}

my $in_place = qr/"phantom_token" is on in location "\/" with "phantom_token_forward sign"/;
my $no_key   = qr/$in_place but no "phantom_token_signing_key": add it with the file of a private key/;
my $no_aud   = qr/$in_place but no "phantom_token_signed_audience": add it/;
my $no_iss   = qr/$in_place but no "phantom_token_signed_issuer": add it/;
my $no_utf8  = qr/with a "phantom_token_signed_issuer" or "phantom_token_signed_audience" that is no UTF-8/;
my $pass     = qr/$in_place and "phantom_token_inbound_jwt pass".*use "phantom_token_inbound_jwt verify"/;
my $control  = qr/has control characters/;
refused(
    ['sign alone',                   $sign,                                                     $no_key],
    ['sign without a key',           "$sign $issuer $aud",                                      $no_key],
    ['sign with an empty key',       "$sign $issuer $aud phantom_token_signing_key \"\";",      $no_key],
    ['sign without an issuer',       "$sign $aud $key",                                         $no_iss],
    ['sign with an empty issuer',    "$sign $aud $key phantom_token_signed_issuer \"\";",       $no_iss],
    ['sign without an audience',     "$sign $issuer $key",                                      $no_aud],
    ['sign with an empty audience',  "$sign $issuer $key phantom_token_signed_audience \"\";",  $no_aud],
    ['an issuer that is no UTF-8',   "$sign $aud $key phantom_token_signed_issuer \"a\xff\";",  $no_utf8],
    ['an audience that is no UTF-8', "$sign $issuer $key phantom_token_signed_audience a \"\xc3\";", $no_utf8],
    ['an issuer with a newline',     "$sign $aud $key phantom_token_signed_issuer \"a\\nb\";",  $control],
    ['an audience with a TAB',       "$sign $issuer $key phantom_token_signed_audience \"a\\tb\";", $control],
    ['an empty one among audiences', "$sign $issuer $key phantom_token_signed_audience a \"\";",
     qr/"phantom_token_signed_audience" of location "\/" has a value that is empty/],
    ['none and pass', "phantom_token_forward none; phantom_token_inbound_jwt pass;",
     qr/"phantom_token_forward none" and "phantom_token_inbound_jwt pass".*use "phantom_token_inbound_jwt verify"/],
    ['sign and pass',                "$good phantom_token_inbound_jwt pass;",                   $pass],
    ['another word',                 'phantom_token_forward on;',
     qr/"phantom_token_forward" of location "\/" must be .*jwt.*sign.*none.*, it is "on"/],
    ['no word',                      'phantom_token_forward "";',
     qr/"phantom_token_forward" of location "\/" must be /],
);

# --- the names of claims, and the lifetime ----------------------------------------------------------------------------

my $reserved = qr/"phantom_token_signed_claims" of location "\/" names "%s", which is not the token's/;
my $lifetime = qr/"phantom_token_signed_lifetime" of location "\/" must be a time from "1s" to "1y", it is "%s"/;
refused(
    (map { [ "$_ in the list of claims", "$good phantom_token_signed_claims role $_;", qr/${\sprintf $reserved, $_}/ ] }
        qw(active token_type iss sub aud exp nbf iat jti)),
    ['claims in one string', "$good phantom_token_signed_claims 'scope role';",
     qr/"phantom_token_signed_claims" of location "\/" has a name with a blank: "scope role"/],
    ['an empty one among claims', "$good phantom_token_signed_claims role \"\";",
     qr/"phantom_token_signed_claims" of location "\/" has a value that is empty/],
    (map { [ "a lifetime of $_", "$good phantom_token_signed_lifetime $_;", qr/${\sprintf $lifetime, $_}/ ] }
        qw(0 0s 2y 366d)),
    (map { [
        "a lifetime of \"$_\"", "$good phantom_token_signed_lifetime \"$_\";",
        qr/"phantom_token_signed_lifetime" of location "\/" must be a time in whole seconds/
    ] } '', 'junk', '500ms', '-1', '1.5s', '1m1h'),
);

# --- duplicates, and how many arguments -------------------------------------------------------------------------------

my $number = qr/invalid number of arguments in "%s" directive/;
refused(
    (map { my ($directive) = /^(\w+)/; ["$directive twice", "$good $_ $_", qr/"$directive" directive is duplicate/] }
        'phantom_token_signed_lifetime 1m;', 'phantom_token_signed_claims role;'),
    (map { my ($directive) = /^(\w+)/; ["$directive twice", "$good $_", qr/"$directive" directive is duplicate/] }
        $sign, $issuer, $aud),
    (map { ["$_ without an argument", "$good $_;", qr/${\sprintf $number, $_}/] } qw(
        phantom_token_forward phantom_token_signing_key phantom_token_signed_issuer phantom_token_signed_audience
        phantom_token_signed_lifetime phantom_token_signed_claims
    )),
    ['two issuers', "$sign $aud $key phantom_token_signed_issuer a b;",
     qr/${\sprintf $number, 'phantom_token_signed_issuer'}/],
    ['two words', 'phantom_token_forward sign none;', qr/${\sprintf $number, 'phantom_token_forward'}/],
);

# --- the files of the keys --------------------------------------------------------------------------------------------

my $at   = 'phantom_token_signing_key';
my $line = qr/"phantom_token_signing_key" of location "\/"/;
my $fits = qr/$line must have an "alg=" that fits its key/;
my $kid  = qr/$line must have a "kid=" of visible ASCII characters/;
my $pem  = qr/has no private key in PEM/;

new_key('weak',    rsa(1024));
new_key('koblitz', curve('secp256k1'));
new_key('ed448',   qw(-algorithm ED448));
new_key('x25519',  qw(-algorithm X25519));
write_file('public.pem', openssl('pkey', '-in', $p256, '-pubout'));
write_file('der.pem', openssl('pkey', '-in', $p256, '-outform', 'DER'));
write_file('encrypted.pem', openssl('pkey', '-in', $p256, '-aes128', '-passout', 'pass:secret'));
write_file('empty.pem', '');
write_file('text.pem', "no key\n");
write_file('large.pem', '-' x 70_000);
symlink 'loop.pem', "$folder/loop.pem" or die "loop.pem: $!";

# Rows of [name, file, what is wrong with it].
refused(map { [
    $_->[0], "$sign $issuer $aud $at $folder/$_->[1].pem;", qr/$line: the key in "\Q$folder\E\/$_->[1]\.pem" $_->[2]/
] } (
    ['a file that is not there',        'missing',   qr/cannot be read/],
    ['a file that cannot be opened',    'loop',      qr/cannot be read/],
    ['an empty file',                   'empty',     $pem],
    ['text',                            'text',      $pem],
    ['DER',                             'der',       $pem],
    ['a public key',                    'public',    $pem],
    ['an encrypted key',                'encrypted', qr/is encrypted, and nobody is there to type the passphrase/],
    ['RSA of 1024 bits',                'weak',      qr/is an RSA key of less than 2048 bits/],
    ['a file of 70,000 bytes',          'large',     qr/is larger than a key may be/],
    map { ["a key of another kind, $_", $_,          qr/is of a kind that cannot sign here/] } qw(koblitz ed448 x25519),
));
refused(
    ['a folder', "$sign $issuer $aud $at $folder;", qr/the key in "\Q$folder\E" cannot be read: it is no regular file/],
    # As nothing signs: a key that is only published is read as well.
    ['a key that is only published', "$at $folder/missing.pem;", qr/$line: the key in "\S+" cannot be read/],
);

# --- alg and kid ------------------------------------------------------------------------------------------------------

refused(
    (map { ["alg=$_->[1] for $_->[2]", "$good $at $_->[0] alg=$_->[1];", $fits] } (
        (map { [$other, $_, 'P-256'] } qw(ES384 ES512 RS256 PS256 EdDSA HS256 none es256), ''),
        (map { [$p384, $_, 'P-384'] } qw(ES256 ES512)),
        (map { [$p521, $_, 'P-521'] } qw(ES256 ES384)),
        (map { [$ed25519, $_, 'Ed25519'] } qw(ES256 RS256 Ed448)),
        (map { [$rsa, $_, 'RSA'] } qw(ES256 EdDSA RS1 HS256)),
    )),
    ['an empty kid',         "$good $at $other kid=;",          $kid],
    ['a kid with a space',   "$good $at $other 'kid=a b';",     qr/$kid, it has "a b"/],
    ['a kid beyond ASCII',   "$good $at $other kid=\xc3\xa4;",  $kid],
    ['two kids',             "$good $at $other kid=a kid=b;",   qr/$line takes a file, .* each once, it has "kid=b"/],
    ['two algs',             "$good $at $other alg=ES256 alg=ES256;", qr/each once, it has "alg=ES256"/],
    ['another parameter',    "$good $at $other size=1;",        qr/$line takes a file, .*, it has "size=1"/],
    ['too many arguments',   "$good $at $other alg=ES256 kid=a b;", qr/${\sprintf $number, $at}/],
    ['one key twice',        "$good $key",                      qr/$line has two keys with the kid "[\w-]{43}"/],
    ['one key by two algs',  "$sign $issuer $aud $at $rsa; $at $rsa alg=PS256;", qr/$line has two keys with the kid/],
    ['two keys with one kid', "$sign $issuer $aud $at $p256 kid=a; $at $other kid=a;",
     qr/$line has two keys with the kid "a": an API could not tell them apart; give one of them another "kid="/],
);

# --- the JWK Set ------------------------------------------------------------------------------------------------------

my $publish = qr/"phantom_token_jwks" of location "\/jwks" has no key to publish: add "phantom_token_signing_key"/;
my $misplaced = qr/"phantom_token_jwks" directive is not allowed here/;
configurations(
    (map { { name => "refused: phantom_token_jwks $_->[0]", locations => $_->[1], refuses => $_->[2] } } (
        ['without a key',          'location /jwks { phantom_token_jwks; }', $publish],
        ['with an emptied list',   "$key location /jwks { $at \"\"; phantom_token_jwks; }", $publish],
        ['with the key elsewhere', "location / { $key } location /jwks { phantom_token_jwks; }", $publish],
        ['twice', "location /jwks { $key phantom_token_jwks; phantom_token_jwks; }",
         qr/"phantom_token_jwks" directive is duplicate/],
        ['with an argument', "location /jwks { $key phantom_token_jwks on; }",
         qr/${\sprintf $number, 'phantom_token_jwks'}/],
        ['in a server', "$key phantom_token_jwks; location / { }", $misplaced],
        ['in limit_except', "location / { $key limit_except GET { phantom_token_jwks; } }", $misplaced],
    )),
    { name => 'refused: phantom_token_jwks in http', http => "$key phantom_token_jwks;",
      refuses => $misplaced },
);

# --- what is warned of, and what is accepted --------------------------------------------------------------------------

write_file('open.pem', openssl('pkey', '-in', $p256), 644);
write_file('group.pem', openssl('pkey', '-in', $p256), 640);
configurations(
    { name => 'warned of: a key that everybody can read', protected => "$sign $issuer $aud $at $folder/open.pem;",
      accepts => 1, warns => qr/the key in "\S+open\.pem" can be read by everybody: set its mode to 600/ },
    (map { { name => "accepted: $_->[0]", protected => $_->[1], accepts => 1, warns => undef } } (
        ['sign',                                  $good],
        ['in capital letters, as nginx\'s words', "phantom_token_forward SIGN; $issuer $aud $key"],
        ['a key that a group can read',           "$sign $issuer $aud $at $folder/group.pem;"],
        ['two keys, with a kid each',             "$sign $issuer $aud $at $p256 kid=a; $at $other kid=b;"],
        ['one key under two kids',                "$sign $issuer $aud $at $rsa; $at $rsa alg=PS256 kid=b;"],
        ['two audiences',                         "$sign $issuer $key phantom_token_signed_audience a b;"],
        ['the longest lifetime',                  "$good phantom_token_signed_lifetime 1y;"],
        ['the shortest lifetime',                 "$good phantom_token_signed_lifetime 1s;"],
        ['claims that begin as others do',        "$good phantom_token_signed_claims iss2 Sub audience;"],
        ['none',                                  'phantom_token_forward none;'],
        ['what belongs to sign under jwt',        "$issuer $aud $key phantom_token_signed_lifetime 1m;"],
    )),
);

# --- inheritance ------------------------------------------------------------------------------------------------------

{
    my $gateway = gateway(
        http => "$sign $issuer $aud $key $at $other;
            phantom_token_signed_lifetime 1h; phantom_token_signed_claims role scope;",
        locations => <<"END",
            phantom_token on; phantom_token_introspection_endpoint /_introspect;
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
            location /inherited { proxy_pass http://%%API%%;
                location /inherited/jwks { phantom_token off; phantom_token_jwks; } }
            location /nearest { phantom_token_signed_issuer https://near.example; phantom_token_signed_audience a b;
                $at $rsa; phantom_token_signed_lifetime 1m; phantom_token_signed_claims team; proxy_pass http://%%API%%;
                location /nearest/jwks { phantom_token off; phantom_token_jwks; }
                location /nearest/nested { phantom_token_signed_claims ""; proxy_pass http://%%API%%; } }
            location /jwt { phantom_token_forward jwt; proxy_pass http://%%API%%; }
            location /none { phantom_token_forward none; proxy_pass http://%%API%%; }
            location /method { proxy_pass http://%%API%%;
                limit_except GET { phantom_token_signed_audience https://write.example; } }
END
    );
    my $jwt = jwt({ sub => 'alice' });
    $gateway->as->answers('alice-token' => {
        json => { active => true, sub => 'alice', role => 'admin', team => 'blue', scope => 'read', jwt => $jwt }
    });

    # What the API got for a request: the JWT, or undef.
    my $forwarded = sub {
        my ($path, $method) = @_;
        $gateway->api->forget_requests;
        is $gateway->request(method => $method // 'GET', path => $path, token => 'alice-token')->status, 200,
            "inheritance: $path: allowed";
        my ($seen) = $gateway->api->requests;
        return ($seen->header('Authorization') // '') =~ /^Bearer (.*)$/ ? $1 : undef;
    };
    my $alg_of  = sub { my ($signed) = @_; return $json->decode(decode_base64url((split /\./, $signed)[0]))->{alg} };
    my $algs_at = sub {
        my ($path) = @_;
        return join ' ', map { $_->{alg} } @{ $json->decode($gateway->get($path)->body)->{keys} };
    };

    # path, method, alg, life, claims that are expected
    my @rows = (
        ['/inherited', 'GET', 'ES256', 3600,
         { iss => 'https://gateway.example', aud => 'https://api.example', role => 'admin', scope => 'read' }],
        ['/nearest', 'GET', 'RS256', 60, { iss => 'https://near.example', aud => ['a', 'b'], team => 'blue' }],
        ['/nearest/nested', 'GET', 'RS256', 60,
         { iss => 'https://near.example', aud => ['a', 'b'], team => 'blue', role => 'admin', scope => 'read' }],
        ['/method', 'GET', 'ES256', 3600,
         { iss => 'https://gateway.example', aud => 'https://api.example', role => 'admin', scope => 'read' }],
        ['/method', 'POST', 'ES256', 3600,
         { iss => 'https://gateway.example', aud => 'https://write.example', role => 'admin', scope => 'read' }],
    );
    for my $row (@rows) {
        my ($path, $method, $alg, $life, $expected) = @{$row};
        my $name   = "inheritance: $method $path";
        my $signed = $forwarded->($path, $method);
        my %claims = %{ jwt_claims($signed) };
        is $alg_of->($signed), $alg, "$name: the key";
        is $claims{exp} - $claims{iat}, $life, "$name: the lifetime";
        delete @claims{qw(exp iat jti)};
        is_deeply \%claims, { sub => 'alice', %{$expected} }, "$name: the claims";
    }
    is $algs_at->('/inherited/jwks'), 'ES256 ES256', 'inheritance: the keys of http are published';
    is $algs_at->('/nearest/jwks'),   'RS256',       'inheritance: the nearest keys take the place of others';
    is $forwarded->('/jwt'),          $jwt,          'inheritance: jwt again';
    is $forwarded->('/none'),         undef,         'inheritance: none';
}

# The key is nowhere but in the file, and in memory.
{
    my $gateway = gateway(
        log_level => 'debug',
        locations => "$good location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                          proxy_pass http://%%API%%; } location /jwks { phantom_token_jwks; }
                      location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }",
    );
    $gateway->as->answers('alice-token' => { json => { active => true, sub => 'alice' } });
    is $gateway->get('/', token => 'alice-token')->status, 200, 'nowhere: allowed';
    my $jwks = $gateway->get('/jwks')->body;
    is $gateway->reload, '', 'nowhere: reload';
    my $bytes  = openssl('pkey', '-in', $p256, '-outform', 'DER');
    my $line   = (split /\n/, openssl('pkey', '-in', $p256))[1];
    my ($hidden) = $bytes =~ /\x02\x01\x01\x04\x20(.{32})/s or die "no private key in DER"; # RFC 5915
    my @forms  = ($line, unpack('H*', $hidden), encode_base64url($hidden), $hidden);
    my $text   = join "\n", $jwks, $gateway->log->lines;
    is_deeply [map { index $text, $_ } @forms], [(-1) x 4], 'nowhere: not in the JWK Set, nor in the log at debug';
    like $text, qr/a JWT for the API has been signed/, 'nowhere: the log is that of the signing';
}

# Emptied, where the level around has it: each is missed.
configurations(
    map { {
        name    => "refused: $_->[0] \"\" where http has it", http => $good, protected => "$_->[0] \"\";",
        refuses => $_->[1]
    } } ['phantom_token_signing_key', $no_key], ['phantom_token_signed_issuer', $no_iss],
        ['phantom_token_signed_audience', $no_aud],
);
configurations(
    { name => 'accepted: all of it from http', http => $good, protected => '', accepts => 1, warns => undef },
    { name => 'accepted: not complete, where nothing is protected', locations => "$sign location / { }", accepts => 1,
      warns => undef },
);

done_testing;
