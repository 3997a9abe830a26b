# phantom_token_acr_values and phantom_token_max_auth_age (RFC 9470): how the token's user must have been authenticated,
# and how lately; what the challenge says to a client that has to ask for more. What decides is in
# t/unit/decision_test.cpp.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $gateway = gateway(
    http => <<'END',
        proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
        phantom_token_hot_cache zone=hot:1m;
END
    server => <<'END',
        phantom_token on;
        phantom_token_introspection_endpoint /_introspect;
END
    locations => <<'END',
        location /open { proxy_pass http://%%API%%; }
        location /acr { phantom_token_acr_values "gold urn:x:silver"; proxy_pass http://%%API%%;
                        location /acr/none { phantom_token_acr_values ""; proxy_pass http://%%API%%; }
                        location /acr/inherited { proxy_pass http://%%API%%; } }
        location /age { phantom_token_max_auth_age 5m; proxy_pass http://%%API%%; }
        location /both { phantom_token_acr_values " gold  gold "; phantom_token_max_auth_age 300;
                         phantom_token_scopes pay; phantom_token_realm bank;
                         phantom_token_resource_metadata https://a.example/m; proxy_pass http://%%API%%; }
        location /quoted { phantom_token_acr_values 'a"b\\c'; proxy_pass http://%%API%%; }
        location /write { limit_except GET { phantom_token_acr_values gold; } proxy_pass http://%%API%%; }
        location /hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                        proxy_pass http://%%API%%;
                        location /hot/gold { phantom_token_acr_values gold; proxy_pass http://%%API%%; }
                        location /hot/age { phantom_token_max_auth_age 1h; proxy_pass http://%%API%%; } }

        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                              proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }
END
);

my $error   = 'insufficient_user_authentication';
my %allowed = (status => 200, outcome => 'active', challenge => undef);

sub token_with {
    my ($claims, $path, %case) = @_;
    return { answers => { 'a-token' => { jwt => $claims } }, request => { path => $path, token => 'a-token' }, %case };
}

sub refused {
    my ($name, $claims, $path, $outcome, $challenge, %case) = @_;
    return token_with($claims, $path, name => $name, status => 401, outcome => $outcome,
        challenge => { realm => 'api', error => $error, %{$challenge} }, %case);
}

sub allowed {
    my ($name, $claims, $path, %case) = @_;
    return token_with($claims, $path, name => $name, %allowed, %case);
}

my %gold = (acr_values => 'gold urn:x:silver');
my %both = (realm => 'bank', scope => 'pay', acr_values => 'gold', max_age => '300',
    resource_metadata => 'https://a.example/m');

cases($gateway,
    allowed('acr: one of the values', { acr => 'urn:x:silver' }, '/acr'),
    refused('acr: another one', { acr => 'bronze' }, '/acr', 'acr', \%gold,
        log => qr/phantom token: acr: the token has another acr, location "\/acr"/),
    refused('acr: none', {}, '/acr', 'acr', \%gold, log => qr/phantom token: acr: the token has no acr, location/),
    refused('acr: inherited', {}, '/acr/inherited', 'acr', \%gold),
    allowed('acr: "" empties it', {}, '/acr/none'),
    refused('acr: the value is quoted', {}, '/quoted', 'acr', { acr_values => 'a"b\\c' }),
    allowed('acr: limit_except, another method', {}, '/write'),
    refused('acr: limit_except', {}, '/write', 'acr', { acr_values => 'gold' },
        request => { method => 'POST', body => 'x', path => '/write', token => 'a-token' }),
    allowed('auth_time: lately', { auth_time => time - 200 }, '/age'),
    refused('auth_time: too long ago', { auth_time => time - 400 }, '/age', 'auth_time', { max_age => '300' },
        log => qr/phantom token: auth_time: the user was authenticated too long ago, location/),
    refused('auth_time: milliseconds', { auth_time => 1000 * time }, '/age', 'auth_time', { max_age => '300' },
        log => qr/phantom token: auth_time: the token has an auth_time that is ahead, location/),
    refused('auth_time: none', {}, '/age', 'auth_time', { max_age => '300' },
        log => qr/phantom token: auth_time: the token has no auth_time that is a number, location/),
    refused('both are named, whichever failed: acr', { scope => 'pay', auth_time => time }, '/both', 'acr', \%both),
    refused('both are named, whichever failed: auth_time', { scope => 'pay', acr => 'gold' }, '/both', 'auth_time',
        \%both),
    { %{ token_with({ acr => 'gold', auth_time => time }, '/both') }, name => 'the scopes come first', status => 403,
      outcome => 'insufficient_scope', challenge => { realm => 'bank', scope => 'pay', error => 'insufficient_scope',
          resource_metadata => 'https://a.example/m' } },
    { %{ token_with({ exp => 1, acr => 'gold', auth_time => time }, '/both') }, status => 401, outcome => 'expired',
      name => 'other errors do not name them', challenge => { realm => 'bank', scope => 'pay', error => 'invalid_token',
          resource_metadata => 'https://a.example/m' } },
    allowed('all holds', { scope => 'pay', acr => 'gold', auth_time => time - 100 }, '/both'),
);

# The same token in locations that want more: what is cached is judged anew.
$gateway->as->answers('weak-token' => { jwt => { sub => 'weak', acr => 'bronze', auth_time => time - 7200 } },
    'strong-token' => { jwt => { sub => 'strong', acr => 'gold', auth_time => time - 60 } });
cases($gateway,
    map({ { name => "hot: $_ fills the cache", request => { path => '/hot', token => "$_-token" }, %allowed, as => 1 } }
        qw(weak strong)),
    { name => 'hot: another acr', request => { path => '/hot/gold', token => 'weak-token' }, status => 401, as => 0,
      outcome => 'acr', cache => 'HOT', challenge => { realm => 'api', error => $error, acr_values => 'gold' } },
    { name => 'hot: too long ago', request => { path => '/hot/age', token => 'weak-token' }, status => 401, as => 0,
      outcome => 'auth_time', cache => 'HOT', challenge => { realm => 'api', error => $error, max_age => '3600' } },
    map({ { name => "hot: the token after the step-up: $_", request => { path => $_, token => 'strong-token' },
            %allowed, as => 0, cache => 'HOT' } } '/hot/gold', '/hot/age'),
);

configurations(
    { name => 'refused: max_auth_age 0', protected => 'phantom_token_max_auth_age 0;',
      refuses => qr/"phantom_token_max_auth_age" of location "\/" must be a time of at least 1s, it is "0"/ },
    { name => 'refused: max_auth_age that is no time', protected => 'phantom_token_max_auth_age soon;',
      refuses => qr/"phantom_token_max_auth_age" of location "\/" must be a time in whole seconds/ },
    { name => 'refused: max_auth_age twice', protected => 'phantom_token_max_auth_age 1; phantom_token_max_auth_age 2;',
      refuses => qr/"phantom_token_max_auth_age" directive is duplicate/ },
    { name => 'refused: acr_values twice', protected => 'phantom_token_acr_values a; phantom_token_acr_values b;',
      refuses => qr/"phantom_token_acr_values" directive is duplicate/ },
    { name => 'refused: control characters in acr_values', protected => qq(phantom_token_acr_values "a\tb";),
      refuses => qr/"phantom_token_acr_values" of location "\/" has a value that is empty or has control characters/ },
);

done_testing();
