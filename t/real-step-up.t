# Step-up (RFC 9470) from end to end, with a real authorization server and a person who signs in at it: a token that is
# too weak, the challenge, the authorization request that a client makes of it, the new token. What oidc-provider needs
# for it stands in docs/guides/oidc-provider.md. The same with Keycloak: servers/keycloak.pl.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Browser;
use Harness::Secrets 'keep_secret';

my $redirect_uri = 'https://app.example.com/callback';
my $as = real_server('oidc-provider', clients => [{
    client_id => 'web', redirect_uris => [$redirect_uri], response_types => ['code'],
    grant_types => ['authorization_code', 'refresh_token']
}]);
my $sent    = sprintf 'internal; proxy_pass http://%%%%AS%%%%%s; proxy_set_header Authorization "%s";',
    $as->path('introspection'), $as->basic('gateway');
my $gateway = gateway(
    servers   => { AS => $as },
    http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    server    => 'phantom_token on; phantom_token_introspection_endpoint /_introspect;',
    locations => <<"END",
        location / { proxy_pass http://%%API%%; }
        location /payments { phantom_token_acr_values urn:example:gold; phantom_token_max_auth_age 5m;
                             proxy_pass http://%%API%%; }
        location /cached { phantom_token_introspection_endpoint /_cached; proxy_pass http://%%API%%;
            location /cached/payments { phantom_token_acr_values urn:example:gold; proxy_pass http://%%API%%; } }
        location /none { phantom_token_forward none; phantom_token_acr_values urn:example:gold;
                         phantom_token_max_auth_age 5m; proxy_pass http://%%API%%; }
        location /lately { phantom_token_max_auth_age 2s; proxy_pass http://%%API%%; }
        location = /_introspect { $sent }
        location = /_cached { $sent proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key \$phantom_token_key;
                              proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1h; }
END
);

my $browser = Harness::Browser->new(
    $as, client => 'web', redirect_uri => $redirect_uri, scope => 'openid read',
    knows => { name => 'alice', code => '123456' }
);
my $error   = 'insufficient_user_authentication';
my %allowed = (status => 200, outcome => 'active');
my %gold    = (acr_values => 'urn:example:gold', max_age => '300');

sub refused_for_acr {
    my ($name, $path, $token, %challenge) = @_;
    return { name => $name, request => { path => $path, token => $token }, status => 401, outcome => 'acr',
             challenge => { realm => 'api', error => $error, %challenge } };
}

# What a client takes out of a refusal into its next authorization request (RFC 9470 section 4).
sub asked_for {
    my ($response) = @_;
    my $parameters = parse_challenge($response->header('WWW-Authenticate'))->{params};
    return map { $_ => $parameters->{$_} } grep { defined $parameters->{$_} } qw(acr_values max_age);
}

# The claims of the JWT that the API gets.
sub claims_at_api {
    my ($path, $token) = @_;
    $gateway->get($path, token => $token);
    my ($jwt) = ($gateway->api->requests)[-1]->header('Authorization') =~ /^Bearer (\S+)$/;
    return jwt_claims($jwt);
}

# --- acr -------------------------------------------------------------------------------------------------------------

my $weak = $browser->token;
is_deeply [$browser->shown], ['name'], 'alice signs in by her name alone';
cases($gateway,
    { name => 'the weak token is good for most', request => { path => '/', token => $weak }, %allowed },
    { name => 'the weak token is good for most, cached', request => { path => '/cached', token => $weak }, %allowed },
    refused_for_acr('but not for payments', '/payments', $weak, %gold),
    refused_for_acr('nor where the answer is JSON', '/none', $weak, %gold),
);
is claims_at_api('/', $weak)->{acr}, 'urn:example:silver', 'its acr is in the JWT';

my $strong = $browser->token(asked_for($gateway->get('/payments', token => $weak)));
is_deeply [$browser->shown], ['name code'], 'what the challenge asks for has her sign in anew, with a code';
cases($gateway,
    { name => 'the new token is good for payments', request => { path => '/payments', token => $strong }, %allowed },
    { name => 'also where the answer is JSON', request => { path => '/none', token => $strong }, %allowed,
      api => [{ authorization => undef }] },
    refused_for_acr('the old one is not, now as then', '/payments', $weak, %gold),
    refused_for_acr('nor by the answer in the cache', '/cached/payments', $weak, acr_values => 'urn:example:gold'),
    { name => 'the new one, cached', request => { path => '/cached/payments', token => $strong }, %allowed },
);
my $claims = claims_at_api('/payments', $strong);
is $claims->{acr}, 'urn:example:gold', 'the API sees how she was authenticated';
like $claims->{auth_time}, qr/^\d+$/, 'and when';

my $third = $browser->token(%gold);
is_deeply [$browser->shown], [], 'who has signed in so is not asked again';
cases($gateway, { name => 'the session\'s next token', request => { path => '/payments', token => $third }, %allowed });

my $bob = Harness::Browser->new(
    $as, client => 'web', redirect_uri => $redirect_uri, scope => 'openid read', knows => { name => 'bob', code => '' }
);
my $lesser = $bob->token(%gold);
cases($gateway, refused_for_acr('who has no code gets a token, and no further', '/payments', $lesser, %gold));
is_deeply [$bob->shown], ['name code'], 'it was asked for';

# --- max_age ---------------------------------------------------------------------------------------------------------

ok until_true(patience(4), sub { $gateway->get('/lately', token => $strong)->status == 401 }),
    'there is a time after which she was authenticated too long ago';
cases($gateway,
    { name => 'too long ago', request => { path => '/lately', token => $strong }, status => 401, outcome => 'auth_time',
      challenge => { realm => 'api', error => $error, max_age => '2' } });
my $refusal = $gateway->get('/lately', token => $strong);
my $new;
ok until_true(
    patience(4), sub {    # on a busy machine, two seconds may have gone until the new token is used
        $new = $browser->token(asked_for($refusal));
        $gateway->get('/lately', token => $new)->status == 200;
    }
), 'the new token is fresh enough';
is_deeply [$browser->shown], ['name'], 'max_age has her sign in anew';
cases($gateway,
    refused_for_acr('which does not make it strong', '/payments', $new, %gold),
    { name => 'the old token is as old as it was', request => { path => '/lately', token => $strong }, status => 401,
      outcome => 'auth_time' });

# --- refreshed -------------------------------------------------------------------------------------------------------

my $tokens = $browser->tokens(%gold, scope => 'openid offline_access read', prompt => 'consent');
my $refreshed = $as->form('token', 'web', { grant_type => 'refresh_token', refresh_token => $tokens->{refresh_token} });
my $next = $refreshed->json->{access_token};
keep_secret($next, $refreshed->json->{refresh_token});
my @when = map { my $answer = $as->introspect($_, 'gateway')->json; "$answer->{acr} $answer->{auth_time}" }
    $tokens->{access_token}, $next;
is $when[1], $when[0], 'a refreshed token tells of the login that it goes back to';
cases($gateway, { name => 'a refreshed token', request => { path => '/payments', token => $next }, %allowed });

# --- what the guide configures ---------------------------------------------------------------------------------------

my $guide  = slurp('docs/guides/oidc-provider.md');
my ($file) = grep { /^http \{/m } $guide =~ /^```nginx\n(.*?)^```$/gms;
my ($step_up) = $guide =~ m{^(location /api/payments/ \{.*?^\}\n)}ms;
my $guided = gateway(
    servers => { AS => $as }, config => $file =~ s{^(?= *location /api/)}{$step_up\n}mr,
    replace => ['http://127.0.0.1:9400' => 'http://' . $as->address, 'http://127.0.0.1:8081' => 'http://%%API%%',
                '/var/cache/phantom-token' => '%%DIR%%/cache', '/etc/nginx/gateway-secret' => secret_file()],
);
my @weak = (request => { path => '/api/payments/', port => 80, token => $weak }, status => 401, outcome => 'acr',
    challenge => { realm => 'api', scope => 'read', error => $error, %gold });
cases($guided,
    { name => 'the guide: the weak token', request => { path => '/api/', port => 80, token => $weak }, %allowed },
    { name => 'the guide: it is too weak', @weak, cache => 'HIT' },
    { name => 'the guide: the strong one', request => { path => '/api/payments/', port => 80, token => $next },
      %allowed },
    { name => 'the guide: the weak one still is', @weak },
);

sub slurp { my ($path) = @_; open my $in, '<', $path or die "$path: $!\n"; local $/ = undef; return scalar <$in> }

sub secret_file {
    my $path = temporary_folder() . '/gateway-secret';
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} "gateway-secret\n";
    close $out or die "$path: $!\n";
    chmod 0600, $path;
    return $path;
}

done_testing;
