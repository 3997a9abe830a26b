# The clock is set while the gateway runs, forward and back: what is judged by time is judged by the new time at once,
# and nothing waits for a time that is long gone.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $cached =
    'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h;';
my $gateway = gateway(
    clock => 'wall',
    http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:1m valid=1h;',
    server => 'phantom_token on; phantom_token_introspection_endpoint /_introspect;',
    locations => qq{
        location /cached { proxy_pass http://%%API%%; }
        location /hot    { phantom_token_hot_cache hot; proxy_pass http://%%API%%; }
        location /own    { phantom_token_inbound_jwt verify; phantom_token_audience api;
                           phantom_token_jwks_endpoint /_keys; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; $cached }
        location = /_keys { internal; proxy_pass http://%%AS%%/keys; proxy_read_timeout 2s; }
    },
);
my ($as, $api) = ($gateway->as, $gateway->api);

# A row: [path, token, status, word] and perhaps more of a case.
sub rows {
    my ($name, @rows) = @_;
    for (@rows) {
        my ($path, $token, $status, $word, %more) = @{$_};
        cases(
            $gateway,
            { name => "$name: $path, " . substr($token, 0, 20), request => { path => $path, token => $token },
              status => $status, ($status == 200 ? () : (log => qr/phantom token: $word:/)), %more }
        );
    }
    return;
}

# nginx looks at the clock when something happens.
sub step {
    my ($offset) = @_;
    $gateway->set_clock($offset);
    $gateway->get('/cached');
    return;
}

# --- claims ----------------------------------------------------------------------------------------------------------

my $now = time;
$as->answers(
    'short-token' => { jwt => { sub => 'short', exp => $now + 600 } },
    'later-token' => { jwt => { sub => 'later', nbf => $now + 600, exp => $now + 7000 } },
    'far-token'   => { jwt => { sub => 'far', exp => $now + 1_000_000 } },
);
for my $way (qw(/cached /hot)) {
    rows('before', [$way, 'short-token', 200, 'active'], [$way, 'short-token', 200, 'active', as => 0],
        [$way, 'later-token', 401, 'not_yet_valid']);
}
step(601);
for my $way (qw(/cached /hot)) {
    rows('ten minutes on', [$way, 'short-token', 401, 'expired'], [$way, 'later-token', 200, 'active']);
}
step(0);
for my $way (qw(/cached /hot)) {
    rows('and back', [$way, 'short-token', 200, 'active'], [$way, 'later-token', 401, 'not_yet_valid']);
}
step(-3600);
for my $way (qw(/cached /hot)) {
    rows('an hour back', [$way, 'short-token', 200, 'active'], [$way, 'later-token', 401, 'not_yet_valid']);
}

# --- the cache -------------------------------------------------------------------------------------------------------

step(0);
rows('kept', ['/cached', 'far-token', 200, 'active', cache => 'MISS'], ['/hot', 'far-token', 200, 'active', as => 0],
    ['/hot', 'far-token', 200, 'active', cache => 'HOT']);
step(7200);
rows('two hours on, the entry has ended', ['/hot', 'far-token', 200, 'active', as => 1, cache => 'EXPIRED'],
    ['/hot', 'far-token', 200, 'active', as => 0, cache => 'HOT']);
step(0);
rows(
    'and back, it is a token of its own still',
    ['/hot', 'far-token', 200, 'active', api => [{ authorization => 'Bearer <jwt>' }]],
    ['/cached', 'far-token', 200, 'active', api => [{ authorization => 'Bearer <jwt>' }]]
);

# --- the JWK Set -----------------------------------------------------------------------------------------------------

my ($old, $new) = map { rsa_key($_) } qw(old new);
my %claims = (aud => 'api', exp => $now + 1_000_000);
my %token = (old => jwt({ %claims, sub => 'old' }, key => $old), new => jwt({ %claims, sub => 'new' }, key => $new));
$as->answers('/keys' => { json => jwks($old) });
rows('keys', ['/own', $token{old}, 200, 'active', as => 1], ['/own', $token{old}, 200, 'active', as => 0]);

$as->answers('/keys' => { json => jwks($old, $new) });
step(-86_400);
rows('a day back, a new key is found', ['/own', $token{new}, 200, 'active', as => [{ uri => '/keys' }]]);

$as->answers('/keys' => { status => 500 });
step(86_400);
$gateway->announce(qr/JWK Set cannot be used/);
rows('two days on, with the JWK Set out of reach, keys that came a moment ago serve',
    ['/own', $token{old}, 200, 'active'], ['/own', $token{new}, 200, 'active']);
step(0);
rows('and back', ['/own', $token{new}, 200, 'active']);

done_testing;
