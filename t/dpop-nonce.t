# phantom_token_dpop_nonce: what a client that has no nonce is told, what becomes of a good one, an old one and one that
# somebody else has made (RFC 9449 sections 8, 9 and 11.3). Gateways with one file accept each other's.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Dpop qw(dpop_key dpop_proof dpop_headers);

my $key    = dpop_key('ES256');
my $all    = 'ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256';
my %dpop   = (scheme => 'DPoP', algs => $all, realm => 'api');
my $folder = temporary_folder();

sub secret_file {
    my ($name, $bytes) = @_;
    open my $out, '>:raw', "$folder/$name" or die "$name: $!";
    print {$out} $bytes;
    close $out;
    chmod 0600, "$folder/$name" or die "$name: $!";
    return "$folder/$name";
}

my $file  = secret_file('nonce',   join '', map { chr int rand 256 } 1 .. 64);
my $other = secret_file('another', "\0\n" x 16);

# Before the same authorization server and API; %part are parts of a configuration.
my ($as, $api) = (authorization_server(), api());
$as->answers('bound-token' => { jwt => { sub => 'alice', cnf => { jkt => $key->thumbprint } } },
    'plain-token' => { jwt => { sub => 'bob' } });

sub nonce_gateway {
    my ($secret, $more, %part) = @_;
    return gateway(clock => 'time', servers => { AS => $as, API => $api },
        http   => 'phantom_token_dpop_replay zone=proofs:1m;',
        server => 'phantom_token_confirmation verify; phantom_token_dpop_replay proofs; '
            . "phantom_token_dpop_nonce $secret; phantom_token_introspection_endpoint /_introspect;",
        locations => <<"END", %part);
        location / { phantom_token on; $more proxy_pass http://%%API%%; }
        location /off { phantom_token on; phantom_token_dpop_nonce off; proxy_pass http://%%API%%; }
        location /short { phantom_token on; phantom_token_dpop_nonce $secret time=10s; proxy_pass http://%%API%%; }
        location /scope { phantom_token on; phantom_token_scopes write; proxy_pass http://%%API%%; }
        location /optional { phantom_token optional; proxy_pass http://%%API%%; }
        location = /page { phantom_token on; ssi on; proxy_pass http://%%API%%; }
        location /part { phantom_token on; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
}

my $gateway = nonce_gateway($file, '');

# Characters of a nonce: section 8.1.
my $NONCE = qr/^[\x21\x23-\x5B\x5D-\x7E]+$/;

my %asks = (
    status => 401, outcome => 'dpop_nonce', as => 0, challenge => { %dpop, error => 'use_dpop_nonce' },
    headers => { 'DPoP-Nonce' => $NONCE }, log => qr/\[info\] .*phantom token: dpop_nonce: .*, location "\//
);
my %good = (status => 200, outcome => 'active', challenge => undef, headers => { 'DPoP-Nonce' => undef });

# A request with this nonce (undef: none), by the gateway's clock; proof => what else there is to be said.
sub request_with {
    my ($on, $nonce, %request) = @_;
    my %proof   = %{ delete $request{proof} // {} };
    my %claims  = (%{ delete $proof{claims} // {} }, nonce => $nonce);
    my @headers = dpop_headers($key, 'bound-token', htu => 'http://localhost' . ($request{path} // '/'),
        now => time + $on->clock, claims => \%claims, %proof);
    return { %request, headers => [@headers, @{ $request{headers} // [] }] };
}

sub asked {
    my ($name, $nonce, $expected, %request) = @_;
    my $on = delete $request{on} // $gateway;
    cases($on, { name => $name, request => request_with($on, $nonce, %request), %{$expected} });
    return;
}

# The nonce that a gateway gives to a client that has none.
sub new_nonce {
    my (%option) = @_;
    my $on = delete $option{on} // $gateway;
    return $on->request(%{ request_with($on, undef, %option) })->header('DPoP-Nonce') // die "no nonce\n";
}

# --- asked for, and used ---------------------------------------------------------------------------------------------

asked('8, 9: a proof without one', undef, \%asks);
my $nonce = new_nonce();
cmp_ok length $nonce, '<=', 256, 'a nonce is short';
asked('8, 9: with the one that was given',   $nonce, \%good);
asked('8: it is good for more than one proof', $nonce, \%good);
asked('8: it is for any URI',                $nonce, \%good, path => '/part/x');
asked('off: a proof without one',            undef,  \%good, path => '/off');
asked('off: one that means nothing here',    'x',    \%good, path => '/off');
asked('11.3: one given does not make the next request good without', undef, \%asks);
asked('a scope is missing', $nonce, { status => 403, outcome => 'insufficient_scope',
    headers => { 'DPoP-Nonce' => undef }, challenge => { %dpop, scope => 'write', error => 'insufficient_scope' }
}, path => '/scope');
asked('optional', undef, \%asks, path => '/optional');
cases($gateway,
    { name => 'a bearer token needs none', request => { token => 'plain-token' }, %good },
    { name => 'no token: no nonce is asked for', request => {}, status => 401, outcome => 'missing',
      headers => { 'DPoP-Nonce' => undef }, challenge => [{ realm => 'api' }, \%dpop] },
);

# --- not good --------------------------------------------------------------------------------------------------------

my %tampered = (
    'a bit of its end'   => substr($nonce, 0, -1) . (substr($nonce, -1) eq 'A' ? 'B' : 'A'),
    'a bit of its start' => (substr($nonce, 0, 1) eq 'A' ? 'B' : 'A') . substr($nonce, 1),
    'cut short'          => substr($nonce, 0, -2),
    'a character more'   => $nonce . 'A',
    'empty'              => '',
    'a word'             => 'nonce',
    'twice'              => $nonce x 2,
    'in upper case'      => uc $nonce,
    'a long one'         => 'A' x 4000,
    'a number'           => 1,
    'an array of it'     => [$nonce],
);
asked("not good: $_", $tampered{$_}, \%asks) for sort keys %tampered;
asked('not good: the proof itself, and the nonce is', $nonce,
    { status => 401, outcome => 'dpop_proof', as => 0, challenge => { %dpop, error => 'invalid_dpop_proof' } },
    proof => { signer => dpop_key('ES256') });

# --- several gateways ------------------------------------------------------------------------------------------------

my $same    = nonce_gateway($file,  '');
my $foreign = nonce_gateway($other, '');
asked('another gateway with the same file', $nonce, \%good, on => $same);
asked('and the other way',                  new_nonce(on => $same), \%good);
asked('a gateway with another file',        $nonce, \%asks, on => $foreign);
asked('and the other way',                  new_nonce(on => $foreign), \%asks);
is $gateway->reload, '', 'reload';
asked('after a reload', $nonce, \%good);

# --- time ------------------------------------------------------------------------------------------------------------

# The next one, which must be good and must not bring another.
my %renews = (%good, headers => { 'DPoP-Nonce' => $NONCE });

{
    my $first = new_nonce();
    $gateway->advance(120);
    asked('8.2: before half of the 5 m of the default', $first, \%good);
    $gateway->advance(50);
    asked('8.2: past half its time, a good response brings the next one', $first, \%renews);
    my $response = $gateway->request(%{ request_with($gateway, $first) });
    my $next     = $response->header('DPoP-Nonce');
    isnt $next, $first, '8.2: another one';
    asked('8.2: which is good and brings none', $next, \%good);
    asked('8.2: a response of 403 brings the next one, too', $first,
        { status => 403, outcome => 'insufficient_scope', headers => { 'DPoP-Nonce' => $NONCE } }, path => '/scope');
    cases($gateway, { name => '8.2: a page with its parts brings one', status => 200, api => 3,
        request => request_with($gateway, $first, path => '/page'), headers => { 'DPoP-Nonce' => $NONCE },
        api_answers => { '/page' => { headers => ['Content-Type: text/html'],
            body => '<!--#include virtual="/part/a" --><!--#include virtual="/part/b" -->' } } });
    $gateway->api->answers('/own' => { headers => ['DPoP-Nonce: of-the-api'] });
    asked('8.2: one that the API sends does not get between', $first, \%renews, path => '/own');

    $gateway->advance(160);
    asked('past its time', $first, \%asks);
    asked('the next one is still good, and past half its time', $next, \%renews);

    my $short = new_nonce(path => '/short');
    $gateway->advance(11);
    asked('past its time=', $short, \%asks, path => '/short');
}
{
    my $today = new_nonce();
    $gateway->advance(86_400);
    asked('of the day before', $today, \%asks);
    asked('of a gateway that is a day behind', new_nonce(on => $same), \%asks);
    asked('on it, of one that is a day ahead', new_nonce(), \%asks, on => $same);
}

done_testing;
