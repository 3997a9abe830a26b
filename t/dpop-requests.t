# One request of a client, and all that nginx makes of it: the proof counts for it with its redirects and subrequests,
# once in each zone, and what the client has sent is what it is for. What a request without rights may cost.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Dpop qw(dpop_key dpop_proof dpop_request token_hash);
use JSON::PP ();
use MIME::Base64 'encode_base64url';

my $key    = dpop_key('ES256');
my $nonces = temporary_folder() . '/nonces';
{
    open my $out, '>', $nonces or die "$nonces: $!";
    print {$out} 'n' x 32;
    close $out or die "$nonces: $!";
    chmod 0600, $nonces;
}

my $gateway = gateway(
    clock => 'time',
    http  => 'phantom_token_dpop_replay zone=proofs:1m; phantom_token_dpop_replay zone=other:1m;'
        . 'phantom_token_dpop_replay zone=small:32k; large_client_header_buffers 4 32k;',
    server => 'phantom_token_introspection_endpoint /_introspect; phantom_token_confirmation verify;'
        . 'phantom_token_dpop_replay proofs; phantom_token_audience api; phantom_token_jwks_endpoint /_jwks;',
    locations => <<"END",
        location / { phantom_token on; proxy_pass http://%%API%%; }
        location /open { proxy_intercept_errors on; error_page 404 = /protected; proxy_pass http://%%API%%; }
        location /protected { phantom_token on; proxy_pass http://%%API%%; }
        location /any { satisfy any; allow all; phantom_token on; proxy_intercept_errors on;
                        error_page 404 = /protected; proxy_pass http://%%API%%; }
        location = /page { phantom_token on; ssi on; proxy_pass http://%%API%%; }
        location /part { phantom_token on; proxy_pass http://%%API%%; }
        location /other { phantom_token on; phantom_token_dpop_replay other; proxy_pass http://%%API%%; }
        location /nonce { phantom_token on; phantom_token_dpop_nonce $nonces; proxy_intercept_errors on;
                          error_page 404 = /protected; proxy_pass http://%%API%%; }
        location /optional { phantom_token optional; proxy_pass http://%%API%%; }
        location /own { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_dpop_replay small;
                        proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
END
);
my $rsa = rsa_key('k');
$gateway->as->answers(
    'bound-token' => { jwt => { aud => 'api', cnf => { jkt => $key->thumbprint } } },
    '/jwks'       => { json => jwks($rsa) }
);

sub proven {
    my ($path, %request) = @_;
    my $proof = { now => time + $gateway->clock, %{ delete $request{proof} // {} } };
    return { dpop_request($key, 'bound-token', path => $path, proof => $proof, %request) };
}
my %good    = (status => 200, outcome => 'active');
my %refused = (status => 401, outcome => 'dpop_proof');
my %missing = map { ("/$_" => { status => 404 }) } qw(open any nonce);

cases($gateway,
    { name => 'error_page of an open location: the method that the client has sent', %good,
      request => proven('/open', method => 'POST', body => 'x'), api_answers => \%missing,
      api => [{ uri => '/open' }, { uri => '/protected', authorization => 'Bearer <jwt>' }] },
    { name => 'error_page of an open location: another method', %refused, api_answers => \%missing, api => 1,
      request => proven('/open', method => 'POST', body => 'x', proof => { htm => 'GET' }) },
    { name => 'satisfy any, then a protected location: the proof is still there', %good, api_answers => \%missing,
      request => proven('/any'), api => [{ uri => '/any', dpop => undef }, { uri => '/protected', dpop => undef }] },
    { name => 'a page of one zone, parts of another and again of the first', %good, api => 4,
      request => proven('/page'), api_answers => { '/page' => { headers => ['Content-Type: text/html'], body => join '',
          map { qq(<!--#include virtual="$_" -->) } '/other/a', '/part/b', '/other/c' } } },
);

# A nonce that is due belongs to the location that asks for nonces.
{
    my $nonce = $gateway->request(%{ proven('/nonce') })->header('DPoP-Nonce') // die "no nonce\n";
    $gateway->advance(200);
    cases($gateway,
        { name => 'a nonce that is due, then a location without nonces', %good, api_answers => \%missing,
          request => proven('/nonce', proof => { claims => { nonce => $nonce } }),
          headers => { 'DPoP-Nonce' => qr/./ } });
    my $next = $gateway->request(%{ proven('/nonce', proof => { claims => { nonce => $nonce } }) })
        ->header('DPoP-Nonce');
    $gateway->api->answers('/nonce' => { status => 200 });
    cases($gateway, { name => 'the next one is good', %good,
        request => proven('/nonce', proof => { claims => { nonce => $next } }) });
}

# --- without rights --------------------------------------------------------------------------------------------------

sub peak {
    my ($worker) = $gateway->workers;
    open my $in, '<', "/proc/$worker/status" or die "/proc/$worker/status: $!";
    my ($kib) = join('', <$in>) =~ /^VmHWM:\s+(\d+)/m;
    return $kib;
}
{
    my $before = peak();
    cases($gateway, { name => '900 headers DPoP', status => 200, outcome => 'anonymous', api => [{ dpop => undef }],
        request => { path => '/optional', headers => [map { "DPoP: $_" } 1 .. 900] } });
    cmp_ok peak() - $before, '<', 2048, '900 headers DPoP: KiB that it costs';
}

# JWTs with a signature that nobody has made are not remembered.
{
    my $forged = sub {
        my %claims = (aud => 'api', exp => time + 86_400, jti => rand, cnf => { jkt => $key->thumbprint });
        my $jwt    = jwt(\%claims, key => $rsa);
        return $jwt =~ s/[^.]+\z/encode_base64url('x' x 256)/er;
    };
    my $client = $gateway->connect;
    my %seen;
    for (1 .. 400) {
        my $jwt = $forged->();
        $seen{ $client->request(dpop_request($key, $jwt, path => '/own', proof => { now => time + $gateway->clock }))
            ->status }++;
    }
    $client->close;
    is_deeply \%seen, { 401 => 400 }, 'forged JWTs do not fill the zone';
}

# The largest key that OpenSSL takes would cost milliseconds.
{
    my $of = sub {
        my ($bytes, $exponent) = @_;
        my $modulus = "\xC1" . "\x55" x ($bytes - 1);
        return { kty => 'RSA', n => encode_base64url($modulus), e => encode_base64url($exponent) };
    };
    my @large = ([2048, "\1\0\1"], [256, "\xFF" x 8], [1032, "\1\0\1"]);
    cases($gateway, map { { name => "an RSA key of $_->[0] bytes with an exponent of " . length($_->[1]), %refused,
        as => 0, log => qr/has more than 8192 bits, or an exponent of more than 32/,
        request => { headers => ['Authorization: DPoP bound-token', 'DPoP: ' . dpop_proof($key,
            htu => 'http://localhost/', token => 'bound-token', now => time + $gateway->clock,
            header => { alg => 'RS256', jwk => $of->(@{$_}) })] } } } @large);
}

done_testing;
