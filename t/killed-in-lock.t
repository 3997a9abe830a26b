# A worker that is killed while it has the lock of the hot cache: the master frees the lock, and what the worker has
# left half done must not reach anybody. t/faults/kill-in-lock.c follows a worker instruction by instruction and kills
# it at a place that the test chooses.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::KillInLock qw(build_kill_in_lock follow_in_lock);
use POSIX ();

build_kill_in_lock();
time_limit(900);

my $zone_size = 9 * POSIX::sysconf(POSIX::_SC_PAGESIZE()); # of no other zone
my $gateway   = gateway(
    log_level => 'notice',
    log       => { cache => 'phantom_token_cache' },
    http      =>
        "proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:$zone_size valid=1h;",
    locations => <<'END',
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; phantom_token_hot_cache hot;
                     proxy_pass http://%%API%%; }
        location = /metrics { phantom_token_metrics; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                  proxy_cache_valid 200 1h; }
END
);
$gateway->announce(qr/exited on signal 9/, qr/shared memory zone "hot" was locked by/,
    qr/\[error\].*phantom token: a worker has ended while it had the lock of the hot cache "hot"/);

# More than the zone has room for, small and large: each request of one after the other costs another its place.
my @tokens = map { "number-$_-token" } 1 .. 20;
$gateway->as->answers(map {
    my $n = $_;
    "number-$n-token" => { jwt => { sub => "number $n", more => 'x' x ($n % 3 ? 50 * $n : 4000) } }
} 1 .. 20);

sub all_are_let_in {
    my ($name) = @_;
    my @wrong = grep {
        my $token = $_;
        my $response = eval { $gateway->get('/', token => $token, timeout => patience(10)) };
        !$response || $response->status != 200
    } @tokens;
    is "@wrong", '', "$name: all are let in";
    return;
}

# What the program says of a request with this token.
sub follow {
    my ($skip, $steps, $token) = @_;
    return follow_in_lock($gateway, $zone_size, $skip, $steps,
        "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n\r\n");
}

# Kills the worker at a place of the way under the lock. The way is some instructions longer or shorter with what is in
# the zone: where it has ended before the place, the next one is as far from the end that was found.
sub kill_at {
    my ($skip, $steps, $length, $token) = @_;
    my $says;
    for my $try (1 .. 5) {
        $says = follow($skip, $steps, $token);
        my ($found) = $says =~ /^length (\d+)$/ or last;
        ($steps, $length) = ($found - ($length - $steps), $found);
        all_are_let_in("a way of $found instructions");
    }
    return $says;
}

# The last of the tokens is hot, and the first has lost its place.
my %section = (
    'a hit'  => [0, $tokens[-1]],
    'a miss' => [0, $tokens[0]],
    'a copy that takes the place of others' => [1, $tokens[2]],
);
my %rounds = ('a hit' => 3, 'a miss' => 1, 'a copy that takes the place of others' => 8); # to follow a worker is slow

my $emptied = 0;

for my $what (sort keys %section) {
    my ($skip, $token) = @{ $section{$what} };
    all_are_let_in("$what: before");
    my $says = follow($skip, -1, $token);
    if ($says =~ /^failed: attach/) {
        SKIP: { skip("no process can be followed here: $says", 1) }
        last;
    }
    my ($length) = $says =~ /^length (\d+)$/ or die "$what: $says\n";
    cmp_ok $length, '>', 20, "$what: there is a way under the lock ($length instructions)";
    # All along the way, and where a copy is put into the lists, at its end.
    my @places = map { int $length * $_ / ($rounds{$what} + 1) } 1 .. $rounds{$what};
    push @places, map { $length - $_ } 160, 120, 90, 60 if $what =~ /copy/;
    for my $steps (@places) {
        my $name  = "$what, killed after $steps of $length instructions";
        all_are_let_in("$name: before");
        is kill_at($skip, $steps, $length, $token), 'killed', $name;
        all_are_let_in($name);
        is scalar(grep { /its copies are thrown away/ } $gateway->log->lines), ++$emptied,
            "$name: the zone has been emptied";
        is $gateway->get('/', token => $tokens[-1])->status, 200, "$name: once more";
        like $gateway->get('/metrics')->body, qr/^phantom_token_hot_cache_entries\{zone="hot"\} [1-9]/m,
            "$name: there are copies again";
    }
}
is $gateway->logged($gateway->get('/', token => $tokens[-1]))->{cache}, 'HOT', 'and works';
is $gateway->reload, '', 'reload';
is $gateway->logged($gateway->get('/', token => $tokens[-1]))->{cache}, 'HOT', 'and after a reload';

done_testing;
