# Tokens that are bound to a client's certificate (RFC 8705 section 3): the certificate of the connection, or one that a
# TLS terminator in front hands on in a header (RFC 9440, or nginx's own form), which no client can write itself.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'sha256';
use Harness;
use Harness::Certificates ();
use Harness::Dpop qw(dpop_key dpop_headers);
use Harness::Keys ();
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64);

my $gateway = gateway(
    http => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        phantom_token_dpop_replay zone=proofs:1m;
        phantom_token_dpop_replay proofs;
        phantom_token_confirmation verify;
        phantom_token_introspection_endpoint /_introspect;
        ssl_certificate        %%TLS%%/server.pem;
        ssl_certificate_key    %%TLS%%/server.key;
        ssl_client_certificate %%TLS%%/ca.pem;

        server {    # of all clients, whoever has signed their certificates
            listen 127.0.0.1:%%PORT:tls%% ssl http2;
            ssl_verify_client optional_no_ca;
            location / { phantom_token on; proxy_pass http://%%API%%; }
            location /require { phantom_token on; phantom_token_confirmation require; proxy_pass http://%%API%%; }
            location /refuse { phantom_token on; phantom_token_confirmation refuse; proxy_pass http://%%API%%; }
            location /cached { phantom_token on; phantom_token_introspection_endpoint /_cached;
                               proxy_pass http://%%API%%; }
            location /page { phantom_token on; ssi on; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
            location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                  proxy_cache_valid 200 1h; }
        }
        server {    # of clients with a certificate by our CA
            listen 127.0.0.1:%%PORT:strict%% ssl;
            ssl_verify_client on;
            location / { phantom_token on; phantom_token_confirmation require; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        }
        server {    # nobody is asked for a certificate
            listen 127.0.0.1:%%PORT:plain%% ssl;
            location / { phantom_token on; phantom_token_confirmation require; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        }
        server {    # the terminator: what a client says in X-Client-Cert is overwritten
            listen 127.0.0.1:%%PORT:front%% ssl;
            ssl_verify_client optional_no_ca;
            location / {
                proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
                proxy_bind 127.0.0.2;
                proxy_pass http://127.0.0.1:%%PORT:behind%%;
            }
        }
        server {    # the gateway behind it: the terminator alone may come
            listen 127.0.0.1:%%PORT:behind%%;
            allow 127.0.0.2;
            deny all;
            phantom_token_client_certificate $http_x_client_cert;
            location / { phantom_token on; proxy_pass http://%%API%%; }
            location = /_introspect { internal; allow all; proxy_pass http://%%AS%%/introspect; }
        }
END
    locations => <<'END',
        location / { phantom_token on; phantom_token_client_certificate $http_client_cert; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);

# --- certificates ----------------------------------------------------------------------------------------------------

my $folder = $gateway->ca =~ s{/ca\.pem$}{}r;
Harness::Certificates::client_certificate($folder, $_) for qw(alice mallet);
Harness::Keys::client_certificate("$folder/$_", '/CN=self') for qw(self self-2);

sub pem { my ($name) = @_; open my $in, '<', "$folder/$name.pem" or die "$name: $!"; local $/ = undef; return <$in> }
sub der { my ($name) = @_; return decode_base64(pem($name) =~ s/^-.*\n//gmr) }
sub x5t { my ($name) = @_; return { 'x5t#S256' => encode_base64url(sha256(der($name))) } }

my $key = dpop_key('ES256');
my $jkt = { jkt => $key->thumbprint };
$gateway->as->answers(
    'plain-token' => { jwt => { sub => 'plain' } },
    map({ ("$_-token" => { jwt => { sub => $_, cnf => x5t($_) } }) } qw(alice mallet self)),
    'both-token'      => { jwt => { sub => 'both', cnf => { %{ x5t('alice') }, %{$jkt} } } },
    'agreeing-token'  => { json => { active => true, cnf => x5t('alice'), jwt => jwt({ cnf => x5t('alice') }) } },
    'differing-token' => { json => { active => true, cnf => x5t('alice'), jwt => jwt({ cnf => x5t('mallet') }) } },
    'json-token'      => { json => { active => true, cnf => x5t('alice'), jwt => jwt({ sub => 'json' }) } },
    'shared-token'    => { json => { active => true, cnf => x5t('alice'), jwt => jwt({ cnf => $jkt }) } },
    'number-token'    => { jwt => { cnf => { 'x5t#S256' => 7 } } },
    'empty-token'     => { jwt => { cnf => { 'x5t#S256' => '' } } },
    'sha1-token'      => { jwt => { cnf => { 'x5t' => x5t('alice')->{'x5t#S256'} } } },
);

# --- what comes of it ------------------------------------------------------------------------------------------------

my $all     = 'ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256';
my %dpop    = (scheme => 'DPoP', algs => $all, realm => 'api');
my %bearer  = (realm => 'api');
my $invalid = { %bearer, error => 'invalid_token' };
my %allowed = (status => 200, outcome => 'active', challenge => undef, api => [{ authorization => 'Bearer <jwt>' }]);
my %certificate = (status => 401, outcome => 'certificate', challenge => $invalid,
    log => qr/\[info\] .*phantom token: certificate: .*, location "\//);
my %bound = (status => 401, outcome => 'bound', challenge => $invalid);
my %proof = (status => 401, outcome => 'dpop_proof', challenge => { %dpop, error => 'invalid_dpop_proof' });

# A request by TLS with this certificate (undef: none).
sub with_certificate {
    my ($certificate, $token, %request) = @_;
    my @args = defined $certificate ? ('--cert', "$folder/$certificate.pem", '--key', "$folder/$certificate.key") : ();
    return { port => 'tls', tls => 1, args => \@args, (defined $token ? (token => $token) : ()), %request };
}

sub by_tls {
    my ($name, $certificate, $token, $expected, %request) = @_;
    return { name => $name, request => with_certificate($certificate, $token, %request), %{$expected} };
}

cases($gateway,
    by_tls('the certificate of the token', 'alice', 'alice-token', \%allowed),
    by_tls('by HTTP/2', 'alice', 'alice-token', \%allowed, http2 => 1),
    by_tls('no certificate', undef, 'alice-token', \%certificate),
    by_tls('by HTTP/2, no certificate', undef, 'alice-token', \%certificate, http2 => 1),
    by_tls('another one of the same CA', 'mallet', 'alice-token', \%certificate),
    by_tls('self-signed', 'self', 'self-token', \%allowed),
    by_tls('self-signed, another of the same name', 'self-2', 'self-token', \%certificate),
    by_tls('self-signed, for the token of who has one of the CA', 'self', 'alice-token', \%certificate),
    by_tls('an unbound token with a certificate', 'alice', 'plain-token', \%allowed),
    by_tls('in the JSON answer', 'alice', 'json-token', \%allowed),
    by_tls('in the JSON answer, another', 'mallet', 'json-token', \%certificate),
    by_tls('in both', 'alice', 'agreeing-token', \%allowed),
    map({ by_tls("in both, differing, $_", $_, 'differing-token', \%certificate) } qw(alice mallet)),
    map({ by_tls("x5t#S256: $_", 'alice', "$_-token", { status => 401, outcome => qr/^(?:bound|certificate)$/ }) }
        qw(number empty sha1)),
    by_tls('require: the certificate of the token', 'alice', 'alice-token', \%allowed, path => '/require'),
    by_tls('require: no certificate', undef, 'alice-token', \%certificate, path => '/require'),
    by_tls('require: an unbound token', 'alice', 'plain-token', \%bound, path => '/require'),
    by_tls('refuse: as ever', 'alice', 'alice-token', \%bound, path => '/refuse'),
    by_tls('ssl_verify_client on', 'alice', 'alice-token', \%allowed, port => 'strict'),
    by_tls('ssl_verify_client on, another', 'mallet', 'alice-token', \%certificate, port => 'strict'),
    by_tls('ssl_verify_client on, none: nginx refuses', undef, 'alice-token',
        { status => 400, refusal => 'nginx', as => 0, api => 0 }, port => 'strict'),
    by_tls('nobody asks for a certificate', 'alice', 'alice-token', \%certificate, port => 'plain'),
    by_tls('a page and its part', 'alice', 'alice-token', { %allowed,
        api => [{ uri => '/page' }, { uri => '/part', authorization => 'Bearer <jwt>' }],
        api_answers => { '/page' => { headers => ['Content-Type: text/html'],
            body => '<!--#include virtual="/part" -->' } } }, path => '/page'),
    by_tls('a cached answer: it is kept', 'alice', 'alice-token', { %allowed, as => 1 }, path => '/cached'),
    by_tls('a cached answer: no certificate', undef, 'alice-token', { %certificate, as => 0 }, path => '/cached'),
    by_tls('a cached answer: another', 'mallet', 'alice-token', { %certificate, as => 0 }, path => '/cached'),
    by_tls('a cached answer: its own', 'alice', 'alice-token', { %allowed, as => 0 }, path => '/cached'),
);

# --- challenges to who has no token: which ways are open depends on whether a certificate may come -------------------

sub none { my (%request) = @_; return with_certificate('alice', undef, %request) }

my %missing = (status => 401, outcome => 'missing', as => 0);
cases($gateway,
    { name => 'no token: verify', request => none(), %missing, challenge => [\%bearer, \%dpop] },
    { name => 'no token: require, ssl_verify_client optional_no_ca', request => none(path => '/require'), %missing,
      challenge => [\%bearer, \%dpop] },
    { name => 'no token: require, ssl_verify_client on', request => none(port => 'strict'), %missing,
      challenge => [\%bearer, \%dpop] },
    { name => 'no token: require, ssl_verify_client off', request => none(port => 'plain'), %missing,
      challenge => \%dpop },
);

# --- both: a key and a certificate -----------------------------------------------------------------------------------

sub by_both {
    my ($name, $certificate, $by, $token, $expected) = @_;
    my $htu  = 'https://localhost:' . $gateway->port('tls') . '/';
    my $make = sub {
        return with_certificate($certificate, undef, headers => [dpop_headers($by, $token, htu => $htu)]);
    };
    return { name => $name, request => $make, %{$expected} };
}

my %other_scheme = (%certificate, challenge => { %dpop, error => 'invalid_token' });
my $thief        = dpop_key('ES256');
for my $token (qw(both-token shared-token)) {
    cases($gateway,
        by_both("$token: both hold", 'alice', $key, $token, \%allowed),
        by_both("$token: no certificate", undef, $key, $token, \%other_scheme),
        by_both("$token: another certificate", 'mallet', $key, $token, \%other_scheme),
        by_both("$token: another key", 'alice', $thief, $token, \%proof),
        by_tls("$token: the certificate alone", 'alice', $token,
            { %bound, challenge => { %dpop, error => 'invalid_token' } }),
    );
}
cases($gateway, by_both('a token bound to a certificate alone, as DPoP', 'alice', $key, 'alice-token',
    { %bound, challenge => { %dpop, error => 'invalid_token' } }));

# --- a certificate in a header: its forms ----------------------------------------------------------------------------

sub in_header {
    my ($name, $value, $expected) = @_;
    my @headers = defined $value ? "Client-Cert: $value" : ();
    return { name => "header: $name", request => { token => 'alice-token', headers => \@headers }, %{$expected} };
}

sub escaped { my ($text) = @_; return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }
sub bytes   { my ($bytes) = @_; return ':' . encode_base64($bytes, '') . ':' } # RFC 9440 section 2.1

my $pem = pem('alice') =~ s/^.*(?=-----BEGIN)//sr;
my $der = der('alice');
my $private_key = do { local (@ARGV, $/) = "$folder/alice.key"; <> };
cases($gateway,
    in_header('URL-encoded PEM', escaped($pem), \%allowed),
    in_header('URL-encoded PEM, in lower case', escaped($pem) =~ s/(%..)/lc $1/ger, \%allowed),
    in_header('URL-encoded PEM without its last line feed', escaped($pem =~ s/\n\z//r), \%allowed),
    in_header('RFC 9440', bytes($der), \%allowed),
    in_header("RFC 9440: another's", bytes(der('mallet')), \%certificate),
    in_header("URL-encoded PEM: another's", escaped(pem('mallet')), \%certificate),
    map({ in_header("garbage: $_->[0]", $_->[1], \%certificate) }
        ['nothing', undef], ['a word', 'alice'], ['a colon', ':'], ['two', '::'], ['no base64', ':!!!!:'],
        ['no certificate', bytes('alice')], ['half of it', bytes(substr $der, 0, length($der) / 2)],
        ['a byte more', bytes("${der}x")], ['a second colon too early', ':' . encode_base64($der, '')],
        ['something behind it', bytes($der) . 'x'], ['two of them', bytes(der('mallet')) . ', ' . bytes($der)],
        ['the hash that is asked for', x5t('alice')->{'x5t#S256'}], ['a percent sign', '%'],
        ['PEM with a broken escape', escaped($pem) =~ s/%0A/%0/r],
        ['PEM without its end', escaped($pem =~ s/-----END.*//sr)],
        ['a private key', escaped($private_key)], ['NUL', escaped("\0$pem")],
        ['a certificate request', escaped(do { local (@ARGV, $/) = "$folder/alice.csr"; <> })],
        ["another's, then its own", escaped(pem('mallet') . $pem)]),
);

# --- behind a terminator ---------------------------------------------------------------------------------------------

my @forged = (headers => ['X-Client-Cert: ' . escaped($pem)]);
my @lower  = (headers => ['x_client_cert: ' . escaped($pem), 'x-client-cert: ' . escaped($pem)]);

# The line of the access log that is looked at is the terminator's.
sub by_front {
    my ($name, $certificate, $token, $expected, @request) = @_;
    my %expected = (%{$expected}, outcome => '');
    return by_tls("terminator: $name", $certificate, $token, \%expected, port => 'front', @request);
}

cases($gateway,
    by_front('the certificate of the token', 'alice', 'alice-token', \%allowed),
    by_front('self-signed', 'self', 'self-token', \%allowed),
    by_front('no certificate', undef, 'alice-token', \%certificate),
    by_front('another', 'mallet', 'alice-token', \%certificate),
    by_front("a client's own header does nothing", undef, 'alice-token', \%certificate, @forged),
    by_front('nor beside another certificate', 'mallet', 'alice-token', \%certificate, @forged),
    by_front('nor in lower case or with underscores', undef, 'alice-token', \%certificate, @lower),
    { name => 'terminator: nobody gets past it', request => { port => 'behind', token => 'alice-token', @forged },
      status => 403, refusal => 'nginx', as => 0, api => 0, log => qr/access forbidden by rule/ },
);

done_testing;
