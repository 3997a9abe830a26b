# What a worker has read in a cached answer it need not read again: it must never take one answer for another, nor
# forget a check because of it. Nothing here has a hot cache.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Murmur 'murmur_hash';

my $places = 1024; # src/gateway/cache/parsed_answers.cpp: answers whose hashes differ by a multiple of it share one

my $gateway = gateway(
    clock  => 'time',
    log    => { sub => 'phantom_token_sub', extra => 'phantom_token_claim_extra' },
    http   => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    server => 'proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; '
        . 'phantom_token_introspection_endpoint /_introspect;',
    locations => q{
        location /       { phantom_token on; proxy_pass http://%%API%%; }
        location /write  { phantom_token on; phantom_token_scopes "write"; proxy_pass http://%%API%%; }
        location /strict { phantom_token on; phantom_token_issuer another; proxy_pass http://%%API%%; }
        location /first  { phantom_token on; phantom_token_jwt_member first; proxy_pass http://%%API%%; }
        location /second { phantom_token on; phantom_token_jwt_member second; proxy_pass http://%%API%%; }
        location = /_introspect { internal; proxy_cache tokens; proxy_pass http://%%AS%%/introspect; }
    },
);
my ($as, $api) = ($gateway->as, $gateway->api);

# What a request comes to: status, cache, and whose JWT the API got.
sub comes_to {
    my ($path, $token) = @_;
    $api->forget_requests;
    my $response = $gateway->get($path, token => $token);
    my ($sent)   = map { $_->header('Authorization') // () } $api->requests;
    return join ' ', $response->status, $gateway->logged($response)->{cache},
        defined $sent ? jwt_claims($sent =~ s/^Bearer //r)->{sub} : 'nobody';
}

# --- two answers in one place ----------------------------------------------------------------------------------------

my %body_at;
my @bodies;
for my $n (1 .. 10_000) {
    my $body = jwt({ sub => "person$n" });
    $body .= ' ' while length($body) % 4;
    my $place = murmur_hash($body) % $places;
    @bodies = ($body_at{$place}, $body) and last if $body_at{$place};
    $body_at{$place} = $body;
}
is scalar @bodies, 2, 'two bodies share a place';
my @owners = map { jwt_claims(s/ +$//r)->{sub} } @bodies;
$as->answers(map { ("owner$_-token" => { body => $bodies[$_], type => 'application/jwt' }) } 0, 1);
is comes_to('/', "owner$_-token"), "200 MISS $owners[$_]", "one place: owner $_, fetched" for 0, 1;
for my $turn (1 .. 3) {
    is comes_to('/', "owner$_-token"), "200 HIT $owners[$_]", "one place: owner $_ has its own JWT, turn $turn" for 0,
        0, 1, 1;
}

# --- one answer, read in different ways ------------------------------------------------------------------------------

$as->answers(
    'two-token' => {
        json => { active => JSON::PP::true, first => jwt({ sub => 'first' }), second => jwt({ sub => 'second' }) }
    }
);
is comes_to('/first', 'two-token'), '200 MISS first', 'two members: fetched';
for my $turn (1 .. 3) {
    is comes_to("/$_", 'two-token'), "200 HIT $_", "two members: each location has its own, turn $turn"
        for qw(first second second first);
}

# --- each location's rules, and the time -----------------------------------------------------------------------------

$as->answers('alice-token' => { jwt => { sub => 'alice', scope => 'read', extra => 'more', exp => time + 500 } });
is comes_to('/', 'alice-token'), "200 $_ alice", "rules: $_" for 'MISS', 'HIT', 'HIT';
is comes_to('/write',  'alice-token'), '403 HIT nobody', 'rules: the scope is asked for in what has been read';
is comes_to('/strict', 'alice-token'), '401 HIT nobody', 'rules: the issuer too';
my $line = $gateway->logged($gateway->get('/', token => 'alice-token'));
is_deeply [@{$line}{qw(cache sub extra)}], ['HIT', 'alice', 'more'], 'rules: every claim is there for the log';
$gateway->advance(501);
is comes_to('/', 'alice-token'), '401 HIT nobody', 'time: what has expired since it was read is refused';

# --- other bytes under the same key ----------------------------------------------------------------------------------

$as->answers('bob-token' => { jwt => { sub => 'bob' } });
is comes_to('/', 'bob-token'), "200 $_ bob", "changed: $_" for 'MISS', 'HIT', 'HIT';
my ($file) = grep {
    my $text = do { open my $in, '<:raw', $_ or die; local $/ = undef; <$in> };
    index($text, $as->jwt_for('bob-token')) >= 0
} glob $gateway->folder . '/cache/*';
ok $file, 'changed: the file of the entry';
open my $out, '+<:raw', $file or die "$file: $!";
seek $out, (-s $file) - 4, 0;
print {$out} '!!!!';
close $out or die;
is comes_to('/', 'bob-token'), '502 HIT nobody',
    'changed: bytes that are no JWT are refused, though the old ones had been read';
$gateway->announce(qr/as_bad_response/);

done_testing;
