# Ory Hydra with opaque tokens, behind the gateway. It answers introspection on the port for administrators, and asks
# for no client there.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Client;
use Harness::JsonServer qw(forwarded_jwt guide_flows json_server_flows);
use Harness::Secrets 'keep_secret';
use JSON::PP ();

my $as     = real_server('hydra');
my $issuer = 'http://' . $as->address;
my $closed = 'http://' . $as->address . $as->path('introspection');

my $gateway = json_server_flows(
    $as,
    client    => '',
    members   => [qw(scope client_id sub exp iat nbf aud iss token_type token_use)],
    claims    => { sub => 'app', client_id => 'app', scope => 'read', token_use => 'access_token', nbf => undef },
    short     => 'short',
    locations => <<"END",
        location /issuer { phantom_token on; phantom_token_forward sign; phantom_token_issuer $issuer;
            phantom_token_audience https://api.example.com; proxy_pass http://%%API%%; }
        location /public-port { phantom_token on; phantom_token_forward sign;
            phantom_token_introspection_endpoint as-public; proxy_pass http://%%API%%; }
        location as-public { internal; proxy_pass $closed; }
END
);

guide_flows($as, 'docs/guides/hydra.md', 'hydra-admin.example.com:4445' => '127.0.0.1:' . $as->admin_port);

# --- issuer, audience, the other port --------------------------------------------------------------------------------

my $plain = $as->token(scope => 'read');
my $meant = $as->token(scope => 'read', form => { audience => 'https://api.example.com' });
cases($gateway,
    { name => 'issuer and audience: a token for this API', request => { path => '/issuer', token => $meant },
      status => 200, outcome => 'active' },
    { name => 'audience: a token for none', request => { path => '/issuer', token => $plain }, status => 401,
      outcome => 'audience' },
    { name => 'the public port has no introspection', request => { path => '/public-port', token => $plain },
      status => 502, outcome => 'as_error', log => qr/\[error\].*its status 404/ },
);

# --- a user: authorization code, login and consent accepted through the administrators' interface --------------------

my %cookies;

sub browse {
    my ($uri) = @_;
    my ($path) = $uri =~ m{^http://[^/]+(/.*)$} or die "not a URL of Hydra's: $uri\n";
    my $cookies = join '; ', map { "$_=$cookies{$_}" } sort keys %cookies;
    my $response = Harness::Client->once(
        port => $as->port, path => $path, host => $as->address, headers => [$cookies eq '' ? () : "Cookie: $cookies"]
    );
    for my $cookie ($response->headers('Set-Cookie')) {
        my ($name, $value) = $cookie =~ /^([^=]+)=([^;]*)/;
        $cookies{$name} = $value;
    }
    return $response->header('Location')
        // die "Hydra does not lead on from $path: " . $response->status . q{ } . $response->body . "\n";
}

sub accept_request {
    my ($kind, $challenge, $with) = @_;
    my $response = Harness::Client->once(
        port => $as->admin_port, method => 'PUT', host => $as->address,
        path => "/admin/oauth2/auth/requests/$kind/accept?${kind}_challenge=$challenge",
        headers => ['Content-Type: application/json'], body => JSON::PP->new->utf8->encode($with)
    );
    return $response->json->{redirect_to} // die "$kind: " . $response->body . "\n";
}

sub challenge_of {
    my ($kind, $uri) = @_;
    return $uri =~ /[?&]${kind}_challenge=([^&]+)/ ? $1 : die "no ${kind}: $uri\n";
}

my @scopes = qw(read offline_access);
my $at     = browse("$issuer/oauth2/auth?client_id=web&response_type=code&scope=read+offline_access&state=eight-or-more"
    . '&redirect_uri=http://127.0.0.1/callback');
$at = browse(accept_request('login', challenge_of('login', $at), { subject => 'alice' }));
$at = browse(accept_request(
    'consent', challenge_of('consent', $at),
    { grant_scope => \@scopes, session => { access_token => { department => 'sales' } } }
));
my ($code) = $at =~ /[?&]code=([^&]+)/ or die "no code\n";
my $tokens = $as->form('token', 'web', { grant_type => 'authorization_code', code => $code,
                                         redirect_uri => 'http://127.0.0.1/callback' })->json;
keep_secret($_) for @{$tokens}{qw(access_token refresh_token)};

is $gateway->get('/sign', token => $tokens->{access_token})->status, 200, 'a user: allowed';
my $claims = jwt_claims(forwarded_jwt($gateway));
is_deeply [@{$claims}{qw(sub client_id scope ext)}], ['alice', 'web', 'read offline_access', { department => 'sales' }],
    'a user: sub, client_id, scope, and what the consent had for the session';

# Its answer for a refresh token is "active", too, with the token_type of an access token.
is_deeply [@{ $as->introspect($tokens->{refresh_token}, undef)->json }{qw(active token_type token_use)}],
    [true, 'Bearer', 'refresh_token'], 'a refresh token: what Hydra answers';
cases($gateway,
    map { { name => "a refresh token: $_", request => { path => $_, token => $tokens->{refresh_token} }, status => 401,
            outcome => 'inactive' } } qw(/sign /none)
);

done_testing;
