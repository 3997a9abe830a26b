# How the gateway authenticates with assertions (RFC 7523), and by mutual TLS or not at all: what exactly the AS
# receives, each time anew.
use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'hmac_sha256';
use Harness;
use JSON::PP     ();
use MIME::Base64 qw(decode_base64url encode_base64url);
my $folder = temporary_folder();
my $as     = 'https://as.example';
my $type   = 'urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer';
my $json   = JSON::PP->new->utf8->canonical;

sub write_file {
    my ($name, $content, $mode) = @_;
    open my $out, '>:raw', "$folder/$name" or die "$folder/$name: $!";
    print {$out} $content;
    close $out or die "$folder/$name: $!";
    chmod oct($mode // '600'), "$folder/$name";
    return "$folder/$name";
}
sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

sub openssl {
    my $result = run(['openssl', @_]);
    die "openssl @_: $result->{err}\n" if $result->{code} != 0;
    return $result->{out};
}

# The private key is NAME.pem, the public one NAME.pub.
sub new_key {
    my ($name, @options) = @_;
    openssl('genpkey', @options, '-out', "$folder/$name.pem");
    openssl('pkey', '-in', "$folder/$name.pem", '-pubout', '-out', "$folder/$name.pub");
    chmod 0600, "$folder/$name.pem";
    return;
}
new_key('p256',    qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256));
new_key('other',   qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256));
new_key('p384',    qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384));
new_key('p521',    qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-521));
new_key('ed25519', qw(-algorithm ED25519));
new_key('rsa',     qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048));
my $secret = write_file('secret', "gateway-secret\n");

# --- what is in an assertion ------------------------------------------------------------------------------------------
# An ASN.1 sequence of two integers, of what JWS has in a row.
sub ecdsa_der {
    my ($numbers) = @_;
    my $half      = length($numbers) / 2;
    my @integers  = map { my $n = s/^\0+(?=.)//sr; $n = "\0$n" if ord($n) & 0x80; pack('CC', 2, length $n) . $n }
        substr($numbers, 0, $half), substr $numbers, $half;
    my $content = join '', @integers;
    return (length $content < 128 ? pack 'CC', 0x30, length $content : pack 'CCC', 0x30, 0x81, length $content)
        . $content;
}

# Whether OpenSSL finds the signature good.
sub is_signed {
    my ($alg, $key, $text, $signature) = @_;
    return $signature eq hmac_sha256($text, 'gateway-secret') if $alg eq 'HS256';
    my $bits = $alg =~ /(256|384|512)$/ ? $1 : 0;
    my $in   = write_file('signed',    $text);
    my $sig  = write_file('signature', $alg =~ /^ES/ ? ecdsa_der($signature) : $signature);
    my @pss  = $alg =~ /^PS/ ? (qw(-sigopt rsa_padding_mode:pss -sigopt), 'rsa_pss_saltlen:' . $bits / 8) : ();
    my @command =
        $alg =~ /^Ed/
        ? ('pkeyutl', '-verify', '-pubin', '-inkey', "$folder/$key.pub", '-rawin', '-in', $in, '-sigfile', $sig)
        : ('dgst', "-sha$bits", '-verify', "$folder/$key.pub", @pss, '-signature', $sig, $in);
    return run(['openssl', @command])->{code} == 0;
}

# The assertion in a body, taken apart: { before, header, claims, text, signature }.
sub assertion_of {
    my ($body) = @_;
    my ($before, $text, $signature) = $body =~ /^(.*&client_assertion=)([\w-]+\.[\w-]+)\.([\w-]+)$/ or return {};
    my ($header, $claims) = map { $json->decode(decode_base64url($_)) } split /\./, $text;
    return { before => $before, header => $header, claims => $claims, text => $text,
             signature => decode_base64url($signature) };
}

# name, lines, alg, key, what else is in the header
my $key = 'phantom_token_client_auth private_key_jwt; phantom_token_client_key';
my @rows = (
    [
     'client_secret_jwt', "phantom_token_client_auth client_secret_jwt; phantom_token_client_secret_file $secret;",
     'HS256'
    ],
    ['P-256',                   "$key $folder/p256.pem;",                'ES256',   'p256'],
    ['P-384',                   "$key $folder/p384.pem;",                'ES384',   'p384'],
    ['P-521',                   "$key $folder/p521.pem;",                'ES512',   'p521'],
    ['Ed25519',                 "$key $folder/ed25519.pem;",             'EdDSA',   'ed25519'],
    ['Ed25519 by its own name', "$key $folder/ed25519.pem alg=Ed25519;", 'Ed25519', 'ed25519'],
    ['RSA',                     "$key $folder/rsa.pem;",                 'RS256',   'rsa'],
    (map { ["RSA, $_", "$key $folder/rsa.pem alg=$_;", $_, 'rsa'] } qw(RS384 RS512 PS256 PS384 PS512)),
    ['with a kid',       "$key $folder/p256.pem kid=k-1;",              'ES256', 'p256', kid => 'k-1'],
    ['with alg and kid', "$key $folder/p256.pem 'kid=k\"2' alg=ES256;", 'ES256', 'p256', kid => 'k"2'],
);
my $on =
    'phantom_token on; phantom_token_client_id gateway; phantom_token_client_assertion_audience https://as.example;';
my $ways = join "\n", map {
    "location = /$_ { $on phantom_token_introspection_endpoint /_introspect; $rows[$_][1] proxy_pass http://%%API%%; }
     location = /x$_ { $on phantom_token_exchange_endpoint /_exchange; $rows[$_][1] proxy_pass http://%%API%%; }"
} 0 .. $#rows;
my $gateway = gateway(
    locations => "$ways
    location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
    location = /_exchange { internal; proxy_pass http://%%AS%%/token; }"
);
$gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } },
                      'carol-token' => { json => { access_token => jwt({ sub => 'carol' }) } });
my %seen;
for my $n (0 .. $#rows) {
    my ($name, undef, $alg, $signer, %more) = @{ $rows[$n] };
    for my $way (["/$n", 'alice-token', 'token=alice-token&token_type_hint=access_token'], ["/x$n", 'carol-token']) {
        my ($path, $token, $begins) = @{$way};
        for my $time (1, 2) {
            $gateway->as->forget_requests;
            my $before = time;
            is $gateway->get($path, token => $token)->status, 200, "$name, $path: allowed";
            my ($request) = $gateway->as->requests;
            my $assertion = assertion_of($request->body);
            my $claims    = $assertion->{claims};
            is $request->header('Authorization'), undef, "$name, $path: no Authorization";
            like $assertion->{before}, qr/&client_id=gateway&client_assertion_type=\Q$type\E&client_assertion=$/,
                "$name, $path: the parameters";
            is $assertion->{before}, "$begins&client_id=gateway&client_assertion_type=$type&client_assertion=",
                "$name, $path: the whole body"
                if $begins;
            is_deeply $assertion->{header}, { alg => $alg, typ => 'JWT', %more }, "$name, $path: the header";
            is_deeply [sort keys %{$claims}],        [qw(aud exp iat iss jti sub)], "$name, $path: the claims";
            is_deeply [@{$claims}{qw(iss sub aud)}], ['gateway', 'gateway', $as],   "$name, $path: iss, sub, aud";
            cmp_ok $claims->{iat}, '>=', $before - 1, "$name, $path: iat is not before the request";
            cmp_ok $claims->{iat}, '<=', time + 1,    "$name, $path: iat is not after it";
            is $claims->{exp},                          $claims->{iat} + 60, "$name, $path: exp is 60 s later";
            is length decode_base64url($claims->{jti}), 16,                  "$name, $path: jti has 128 bits";
            ok !$seen{ $claims->{jti} }++, "$name, $path: jti is new, time $time";
            ok is_signed($alg, $signer, $assertion->{text}, $assertion->{signature}),
                "$name, $path: the signature is good";
            ok !is_signed($alg, $signer, "$assertion->{text}x", $assertion->{signature}),
                "$name, $path: not for another text";
            ok !is_signed($alg, 'other', $assertion->{text}, $assertion->{signature}),
                "$name, $path: not by another key"
                if $alg eq 'ES256';
        }
    }
}

# --- no assertion, other names, inheritance ---------------------------------------------------------------------------
{
    my $assertion = "phantom_token_client_assertion_audience $as;";
    my $inside    = gateway(
        http =>
            "phantom_token_client_id gateway; phantom_token_client_auth private_key_jwt; " .
            "phantom_token_client_key $folder/p256.pem kid=http; phantom_token_issuer " .
            "https://issuer.example;",
        locations => <<"END",
            phantom_token on; phantom_token_introspection_endpoint /_introspect;
            location / { proxy_pass http://%%API%%; }
            location /key { phantom_token_client_key $folder/ed25519.pem; proxy_pass http://%%API%%;
                location /key/nested { proxy_pass http://%%API%%; } }
            location /audience { phantom_token_client_assertion_audience $as; proxy_pass
                http://%%API%%; location /audience/issuer { phantom_token_client_assertion_audience
                ""; proxy_pass http://%%API%%; } }
            location /two { phantom_token_issuer a b; $assertion proxy_pass http://%%API%%; }
            location /id { phantom_token_client_id "a:\xc3\xa9"; proxy_pass http://%%API%%; }
            location /secret { phantom_token_client_auth client_secret_jwt; phantom_token_client_key
                ""; phantom_token_client_secret_file $secret; proxy_pass http://%%API%%; }
            location /none { phantom_token_client_auth none; phantom_token_client_key ""; proxy_pass http://%%API%%; }
            location /basic { phantom_token_client_auth client_secret_basic;
                phantom_token_client_key ""; phantom_token_client_secret_file $secret; proxy_pass
                http://%%API%%; }
            location /post { phantom_token_client_auth client_secret_post; phantom_token_client_key
                ""; phantom_token_client_secret_file $secret; proxy_pass http://%%API%%; }
            location /without { phantom_token_client_id ""; phantom_token_client_auth basic;
                phantom_token_client_key ""; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
    );
    $inside->as->answers(map { ("$_-token" => { jwt => { iss => 'https://issuer.example' } }) } 'alice');
    $inside->as->answers('two-token' => { jwt => { iss => 'a' } });

    # path, alg, kid, aud, client id, what is sent in place of an assertion, Authorization
    for my $row (
                 ['/',                'ES256', 'http', 'https://issuer.example', 'gateway'],
                 ['/key',             'EdDSA', undef,  'https://issuer.example', 'gateway'],
                 ['/key/nested',      'EdDSA', undef,  'https://issuer.example', 'gateway'],
                 ['/audience',        'ES256', 'http', $as,                      'gateway'],
                 ['/audience/issuer', 'ES256', 'http', 'https://issuer.example', 'gateway'],
                 ['/two',             'ES256', 'http', $as,                      'gateway'],
                 ['/id',              'ES256', 'http', 'https://issuer.example', "a:\x{e9}"],
                 ['/secret',          'HS256', undef,  'https://issuer.example', 'gateway'],
    ) {
        my ($path, $alg, $kid, $aud, $id) = @{$row};
        $inside->as->forget_requests;
        is $inside->get($path, token => $path eq '/two' ? 'two-token' : 'alice-token')->status, 200,
            "inheritance: $path: allowed";
        my $sent = assertion_of(($inside->as->requests)[0]->body);
        is_deeply [@{ $sent->{header} }{qw(alg kid)}, @{ $sent->{claims} }{qw(aud iss sub)}],
            [$alg, $kid, $aud, $id, $id], "inheritance: $path";
    }
    my $body = 'token=alice-token&token_type_hint=access_token';
    cases(
        $inside,
        {
           name => 'none: the id alone', request => { path => '/none', token => 'alice-token' }, status => 200,
           as   => [{ authorization => undef, body => "$body&client_id=gateway" }]
        },
        {
           name   => 'client_secret_basic is basic', request => { path => '/basic', token => 'alice-token' },
           status => 200, as => [{ authorization => 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==', body => $body }]
        },
        {
           name   => 'client_secret_post is post', request => { path => '/post', token => 'alice-token' },
           status => 200,
           as     => [{ authorization => undef, body => "$body&client_id=gateway&client_secret=gateway-secret" }]
        },
        {
           name => 'no credentials', request => { path => '/without', token => 'alice-token' }, status => 200,
           as   => [{ authorization => undef, body => $body }]
        },
    );
}

# --- caches ---------------------------------------------------------------------------------------------------------
{
    my $lines =
        "phantom_token_client_id gateway; $key $folder/p256.pem; phantom_token_client_assertion_audience $as;";
    my $cached = gateway(
        log  => { key => 'phantom_token_key' },
        http =>
            'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; proxy_cache_path %%DIR%%/body ' .
            'keys_zone=bodies:1m; phantom_token_hot_cache zone=hot:1m;',
        locations => <<"END",
            phantom_token on; $lines
            location /cached { phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
            location /hot { phantom_token_introspection_endpoint /_introspect;
                phantom_token_hot_cache hot; proxy_pass http://%%API%%; }
            location /body { phantom_token_introspection_endpoint /_body; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; proxy_cache
                tokens; proxy_cache_methods POST; proxy_cache_key \$phantom_token_key;
                proxy_cache_valid 200 1h; }
            location = /_body { internal; proxy_pass http://%%AS%%/introspect; proxy_cache bodies;
                proxy_cache_methods POST; proxy_cache_key \$request_body; proxy_cache_valid 200 1h;
                }
END
    );
    $cached->as->answers('alice-token' => { jwt => { sub => 'alice' } },
                         'bob-token' => { hold => 'gate', jwt => { sub => 'bob' } });
    my $refused =
        qr/misconfigured: .*its location's cache key holds the gateway's client_secret or client_assertion.*_token_key/;
    my %alice = (token => 'alice-token');
    cases(
        $cached,
        {
           name  => 'cache: the first is asked for', request => { path => '/cached', %alice }, status => 200, as => 1,
           cache => 'MISS'
        },
        {
           name   => 'cache: the second is found, whatever its assertion', request => { path => '/cached', %alice },
           status => 200, as => 0, cache => 'HIT'
        },
        {
           name   => 'hot cache: the first is found by the cache', request => { path => '/hot', %alice },
           status => 200, as => 0, cache => 'HIT'
        },
        {
           name  => 'hot cache: then there', request => { path => '/hot', %alice }, status => 200, as => 0,
           cache => 'HOT'
        },
        {
           name    => 'cache: a key with the body is refused', request => { path => '/body', %alice }, status => 500,
           outcome => 'misconfigured', log => $refused
        },
    );
    is scalar(() = glob $cached->folder . '/body/*'), 0, 'cache: no assertion is written to disk';
    my ($one, $two) = map { $cached->logged($cached->get('/cached', %alice))->{key} } 1, 2;
    is $one, $two, 'cache: the key is the same for two assertions';
    like $one, qr/^[0-9a-f]{64}$/, 'cache: and there is one';
}

# --- the key is nowhere, and may change -----------------------------------------------------------------------------
{
    my $current = "$folder/current.pem";
    my $place   = sub { write_file('current.pem', slurp("$folder/$_[0].pem")) };
    my $parts = sub { (
     locations =>
         "location / { $on phantom_token_introspection_endpoint /_introspect;
             $key $current; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }", @_
    ) };
    $place->('p256');
    my $running = gateway($parts->(), log_level => 'debug', workers => 2);
    $running->as->answers('alice-token' => { jwt => { sub => 'alice' } }, 'echo-token' => { status => 401 });
    my $signer = sub {
        $running->as->forget_requests;
        is $running->get('/', token => 'alice-token')->status, 200, "reload: $_[0]: allowed";
        my $sent = assertion_of(($running->as->requests)[0]->body);
        return $sent->{header}{alg},
            is_signed($sent->{header}{alg}, $_[1], $sent->{text}, $sent->{signature}) ? 'good' : 'bad';
    };
    is_deeply [$signer->('the first key', 'p256')], ['ES256', 'good'], 'reload: the first key';
    $place->('rsa');
    is_deeply [$signer->('the file has changed', 'p256')], ['ES256', 'good'],
        'reload: the file alone changes nothing';
    is $running->reload, '', 'reload: another key';
    is_deeply [$signer->('another key', 'rsa')], ['RS256', 'good'], 'reload: another key, of another kind';
    unlink $current;
    like $running->reload, qr/the key in "\Q$current\E" cannot be read/, 'reload: without the file, refused';
    is_deeply [$signer->('still', 'rsa')], ['RS256', 'good'], 'reload: goes on with the last key';
    my ($line) = slurp("$folder/rsa.pem") =~ /\n(.{20})/;
    is_deeply [grep { index($_, $line) >= 0 } $running->log->lines], [],
        'nowhere: not a line of the key in the log at debug';
    is_deeply [grep {/client_assertion=/} $running->log->own_lines], [],
        'nowhere: no assertion in the lines of the module';
    cases(
          $running,
          {
             name    => 'refused by the AS', request => { token => 'echo-token' }, status => 502,
             outcome => 'as_refused_client', no_log  => [qr/phantom token:.*eyJ/]
          }
    );
}

# --- refused by nginx -t --------------------------------------------------------------------------------------------
{
    openssl('genpkey', qw(-algorithm RSA -pkeyopt rsa_keygen_bits:1024),       '-out', "$folder/weak.pem");
    openssl('genpkey', qw(-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1), '-out', "$folder/koblitz.pem");
    openssl('pkey', '-in', "$folder/p256.pem", '-aes128', '-passout', 'pass:secret', '-out', "$folder/encrypted.pem");
    chmod 0600, map {"$folder/$_.pem"} qw(weak koblitz encrypted);
    write_file('large.pem', '-' x 70_000);
    write_file('empty.pem', '');
    write_file('open.pem',  slurp("$folder/p256.pem"), 644);
    my $id   = 'phantom_token_client_id gateway;';
    my $aud  = 'phantom_token_client_assertion_audience a;';
    my $good = "$folder/p256.pem";
    my $lone_key =
        qr/"phantom_token_client_key", which only "phantom_token_client_auth private_key_jwt" uses: add that line/;
    my $no_id = qr/a "phantom_token_client_auth" but no "phantom_token_client_id": add the id/;
    my $no_use =
        qr/_client_secret_file", which "phantom_token_client_auth" with "private_key_jwt" or "none" has no use for/;
    my $audience =
        qr/client assertions but not exactly one "phantom_token_issuer".*add "phantom_token_client_assertion_audience"/;
    my $fits      = qr/"phantom_token_client_key" of location "\/" must have an "alg=" that fits its key/;
    my $file_with = sub {
        my ($name, $problem) = @_;
        return [qr/"phantom_token_client_key" of location "\/": the key in "\Q$folder\E\/$name" $problem/];
    };
    configurations(
        (
         map { { name => "refused by nginx -t: $_->[0]", protected => $_->[1], refuses => $_->[2] } } [
                             'private_key_jwt without a key', "$id $aud phantom_token_client_auth private_key_jwt;",
                             qr/"phantom_token_client_auth private_key_jwt" but no "phantom_token_client_key": add it/
         ],
         ['private_key_jwt with an empty key', "$id $aud $key \"\";", qr/but no "phantom_token_client_key"/],
         ['private_key_jwt with a secret', "$id $aud $key $good; phantom_token_client_secret_file $secret;", $no_use],
         [
          'none with a secret', "$id phantom_token_client_auth none; phantom_token_client_secret_file $secret;",
          $no_use
         ],
         ['none with a key', "$id phantom_token_client_auth none; phantom_token_client_key $good;", $lone_key],
         [
          'client_secret_jwt with a key',
          "$id $aud phantom_token_client_auth client_secret_jwt; phantom_token_client_secret_file " .
          "$secret; phantom_token_client_key $good;",
          $lone_key
         ],
         [
          'basic with a key', "$id phantom_token_client_secret_file $secret; phantom_token_client_key $good;",
          $lone_key
         ],
         [
          'client_secret_jwt without a secret', "$id $aud phantom_token_client_auth client_secret_jwt;",
          qr/"phantom_token_client_id" but no "phantom_token_client_secret_file": add the file/
         ],
         [
          'a key without an id', "$aud $key $good;",
          qr/"phantom_token_client_key" but no "phantom_token_client_id": add the id/
         ],
         (
          map {
              ["$_ without an id",        "phantom_token_client_auth $_;",                               $no_id],
                  ["$_ with an empty id", "phantom_token_client_id \"\"; phantom_token_client_auth $_;", $no_id]
          } qw(post client_secret_post client_secret_jwt private_key_jwt none)
         ),
         [
          'client_secret_jwt with a secret and no id',
          "$aud phantom_token_client_auth client_secret_jwt; phantom_token_client_secret_file $secret;",
          qr/"phantom_token_client_secret_file" but no "phantom_token_client_id"/
         ],
         ['an assertion without an audience', "$id $key $good;",                           $audience],
         ['an assertion with two issuers',    "$id $key $good; phantom_token_issuer a b;", $audience],
         [
          'a secret\'s assertion with two issuers',
          "$id phantom_token_client_auth client_secret_jwt; phantom_token_client_secret_file $secret; " .
          "phantom_token_issuer a b;",
          $audience
         ],
         [
          'an id that is no UTF-8', "phantom_token_client_id \"a\xff\"; $aud $key $good;",
          qr/client assertions whose client id or audience is no UTF-8/
         ],
         [
          'an audience that is no UTF-8', "$id phantom_token_client_assertion_audience \"\xc3\"; $key $good;",
          qr/is no UTF-8/
         ],
         [
          'an audience with a newline', "$id phantom_token_client_assertion_audience \"a\\nb\"; $key $good;",
          qr/"phantom_token_client_assertion_audience".*control characters/
         ],
         [
          'two audiences', "$id $aud $aud $key $good;",
          qr/"phantom_token_client_assertion_audience" directive is duplicate/
         ],
         [
          'two keys', "phantom_token_client_key $good; phantom_token_client_key $good;",
          qr/"phantom_token_client_key" directive is duplicate/
         ],
         [
          'no file named', 'phantom_token_client_key;', qr/invalid number of arguments in "phantom_token_client_key"/
         ],
         [
          'another parameter', "phantom_token_client_key $good size=1;",
          qr/takes a file, "alg=" and "kid=", each once, it has "size=1"/
         ],
         ['two kids',     "phantom_token_client_key $good kid=a kid=b;", qr/each once, it has "kid=b"/],
         ['an empty kid', "phantom_token_client_key $good kid=;", qr/must have a "kid=" of visible ASCII characters/],
         [
          'a kid with a space', "phantom_token_client_key $good 'kid=a b';",
          qr/visible ASCII characters, it has "a b"/
         ],
         ['a parameter without a file', 'phantom_token_client_key "" kid=a;', qr/phantom_token_client_key/],
         (
          map { ["alg=$_ for P-256", "phantom_token_client_key $good alg=$_;", $fits] }
              qw(ES384 RS256 EdDSA HS256 none es256), ''
         ),
         ['alg=RS256 for Ed25519', "phantom_token_client_key $folder/ed25519.pem alg=RS256;", $fits],
         ['alg=Ed448 for Ed25519', "phantom_token_client_key $folder/ed25519.pem alg=Ed448;", $fits],
         ['alg=ES256 for RSA',     "phantom_token_client_key $folder/rsa.pem alg=ES256;",     $fits],
         [
          'a key that is not there', "phantom_token_client_key $folder/missing.pem;",
          $file_with->('missing.pem', 'cannot be read')
         ],
         [
          'a folder', "phantom_token_client_key $folder;",
          qr/the key in "\Q$folder\E" cannot be read: it is no regular file/
         ],
         [
          'an empty file', "phantom_token_client_key $folder/empty.pem;",
          $file_with->('empty.pem', 'has no private key in PEM')
         ],
         [
          'a public key', "phantom_token_client_key $folder/p256.pub;",
          $file_with->('p256.pub', 'has no private key in PEM')
         ],
         [
          'a secret in place of a key', "phantom_token_client_key $secret;",
          $file_with->('secret', 'has no private key in PEM')
         ],
         [
          'an encrypted key', "phantom_token_client_key $folder/encrypted.pem;",
          $file_with->('encrypted.pem', 'is encrypted')
         ],
         [
          'RSA of 1024 bits', "phantom_token_client_key $folder/weak.pem;",
          $file_with->('weak.pem', 'is an RSA key of less than 2048 bits')
         ],
         [
          'another curve', "phantom_token_client_key $folder/koblitz.pem;",
          $file_with->('koblitz.pem', 'is of a kind that cannot sign here')
         ],
         [
          'a file that is too large', "phantom_token_client_key $folder/large.pem;",
          $file_with->('large.pem', 'is larger than a key may be')
         ]
        ),
        {
           name    => 'warned of: a key that others can read', protected => "$id $aud $key $folder/open.pem;",
           accepts => 1, warns => qr/the key in "\S+open\.pem" can be read by everybody: set its mode to 600/
        },
        {
           name => 'accepted: a key with mode 600', protected => "$id $aud $key $good;", accepts => 1, warns => undef
        },
        {
           name => 'accepted: an audience where nothing is signed', protected => "$aud", accepts => 1, warns => undef
        },
        {
           name    => 'accepted: one issuer is the audience', protected => "$id $key $good; phantom_token_issuer a;",
           accepts => 1,                                      warns     => undef
        },
    );
}
done_testing;
