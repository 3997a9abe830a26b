# A worker that is killed while it has the lock of what is revoked: what was answered stays in force, what was not may
# be sent again, and no entry of the zone is lost. See killed-in-lock.t.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::KillInLock qw(build_kill_in_lock follow_in_lock);
use Harness::Metrics 'parse_metrics';
use POSIX ();

build_kill_in_lock();
time_limit(900);

my $zone_size = 9 * POSIX::sysconf(POSIX::_SC_PAGESIZE()); # of no other zone
my $keep      = 600;
my $gateway   = gateway(
    clock     => 'time',
    log_level => 'notice',
    http      => "phantom_token_revocation zone=revoked:$zone_size keep=${keep}s;",
    locations => <<'END',
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                     phantom_token_revocation revoked; proxy_pass http://%%API%%; }
        location = /revoke { phantom_token_revoke revoked; }
        location = /metrics { phantom_token_metrics; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
);
$gateway->announce(qr/exited on signal 9/, qr/shared memory zone "revoked" was locked by/,
    qr/\[error\].*phantom token: a worker has ended while it had the lock of the zone of "phantom_token_revocation"/,
    qr/\[error\].*the zone "revoked" of "phantom_token_revocation" is full/);

# --- what is in the zone ----------------------------------------------------------------------------------------------

# A sample of this zone, by the rest of its name.
sub metric {
    my ($name, $labels) = @_;
    my $sample = "phantom_token_revocation_$name" . '{zone="revoked"' . ($labels // '') . '}';
    return parse_metrics($gateway->get('/metrics')->body)->{$sample};
}

sub revoked_count { return metric('entries', ',kind="sub"') }

my $capacity = metric('capacity');
my $form     = 'Content-Type: application/x-www-form-urlencoded';
my $client;

# On one connection, for there are many.
sub revoke {
    my ($sub, $before) = @_;
    my %request = (
        method => 'POST', path => '/revoke', headers => [$form], body => "sub=$sub&before=" . ($before // 1000)
    );
    for (1 .. 2) { # the connection may be one to a worker that has ended
        $client //= $gateway->connect;
        my $response = eval { $client->request(%request) };
        return $response->status if $response;
        undef $client;
    }
    die "no answer to: $request{body}\n";
}

sub posted {
    my ($body) = @_;
    return "POST /revoke HTTP/1.1\r\nHost: x\r\n$form\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

# A token of this sub, issued at that time.
sub status_of {
    my ($sub, $iat) = @_;
    $gateway->as->answers("$sub-$iat-token" => { jwt => { sub => $sub, iat => $iat } });
    return $gateway->get('/', token => "$sub-$iat-token", timeout => patience(10))->status;
}

my ($fillings, @filled) = (0);

# Whatever has room.
sub fill {
    my ($name) = @_;
    my ($room, $n) = ($capacity - revoked_count(), 0);
    $fillings++;
    $n++ while $n <= $capacity && revoke("filling-$fillings-$n") == 200;
    is $n, $room, "$name: what is free can be used";
    @filled = map { "filling-$fillings-$_" } 0 .. $n - 1;
    return;
}

# Afterwards all that the zone holds has ended and is in its place still, but for three, which it returns.
sub let_all_end_but_three {
    $gateway->advance($keep / 2);
    my @living = @filled[0, $#filled / 2, -1];
    revoke($_) == 200 or die "$_: not renewed\n" for @living;
    $gateway->advance($keep / 2 + 1);
    undef $client; # nginx has closed it
    return @living;
}

# --- the worker is killed ---------------------------------------------------------------------------------------------

# Kills the worker at a place of its way under the lock, counted from its begin, or from its end if it is negative. The
# way's length depends on where the digests lie, so it is tried again where it has ended before.
sub kill_at {
    my ($place, $length, $scene) = @_;
    for my $try (1 .. 5) {
        my %at   = $scene->();
        my $step = int($place < 0 ? $length + $place : $place < 1 ? $length * $place : $place);
        my $says = follow_in_lock($gateway, $zone_size, 0, $step, $at{request});
        return ($step, %at) if $says eq 'killed';
        ($length) = $says =~ /^length (\d+)$/ or die "$says\n";
        $at{done}->('a way that has ended');
    }
    die "five ways have ended before the place $place\n";
}

# What must hold after the worker has ended.
sub check_zone {
    my ($name, %at) = @_;
    my @living = @{ $at{living} };
    is join(' ', grep { status_of($_, 500) != 401 } @living), '', "$name: what was answered is in force";
    if ($at{sub}) {
        is revoke($at{sub}, 2000), 200, "$name: sent again";
        is status_of($at{sub}, 1500), 401, "$name: in force";
    }
    my %in_force = map { $_ => 1 } @living, $at{sub} // ();
    is revoked_count(), scalar(keys %in_force), "$name: the count is right";
    $at{done}->($name);
    return;
}

my $number = 0;

# A form with a sub that the zone does not know, and one with a sub that it knows.
sub new_sub { my $sub = 'new-' . ++$number; return (sub => $sub, request => posted("sub=$sub&before=2000")) }
sub known_sub { my ($sub) = @_; return (sub => $sub, request => posted("sub=$sub&before=2000")) }

sub lookup {
    my ($sub) = @_;
    $gateway->as->answers("$sub-token" => { jwt => { sub => $sub, iat => 500 } });
    return (request => "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $sub-token\r\n\r\n");
}

# Three are in force, and all that is free is taken when the worker has been followed.
sub scene { my ($living, %more) = @_; return (living => $living, done => \&fill, %more) }

# Until the zone has been filled, an entry is taken that was never used, but for those that a killed worker has left.
my @first;

sub scene_of_first {
    for (1 .. 2) {
        push @first, 'first-' . ++$number;
        revoke($first[-1]) == 200 or die "$first[-1]: not revoked\n";
    }
    my %new = new_sub();
    return (living => [@first], done => sub { push @first, $new{sub} }, %new);
}

# [what happens under the lock, the places, what makes the scene]. The last 20 instructions or so give the lock back.
my @scenes = (
    ['an entry that was never used', [0.5, -40, -37, -34, -31, -28, -25, -22, -12], \&scene_of_first],
    ['an entry that is free', [0.5, 0.7, -40, -36, -32, -28, -24], sub {
        my @living = let_all_end_but_three();
        revoked_count();
        return scene(\@living, new_sub());
    }],
    ['an entry that has ended', [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, -32, -28, -24], sub {
        return scene([let_all_end_but_three()], new_sub());
    }],
    ['an entry that is renewed', [0.5, -32, -28, -24], sub {
        my @living = let_all_end_but_three();
        status_of($living[0], 1500) == 200 or die "revoked before\n";
        return scene(\@living, known_sub($living[0]));
    }],
    ['an entry that has ended and is renewed', [0.5, -32, -28, -24], sub {
        return scene([let_all_end_but_three()], known_sub($filled[1]));
    }],
    ['a lookup', [0.5], sub {
        my @living = let_all_end_but_three();
        revoked_count();
        return scene(\@living, lookup($living[1]));
    }],
    ['a lookup that removes what has ended', [0.2, 0.5, 0.502, 0.504, 0.8], sub {
        my @living = let_all_end_but_three();
        return scene(\@living, lookup($filled[1]));
    }],
);

my $killed = 0;

for (@scenes) {
    my ($what, $places, $scene) = @{$_};
    my %at   = $scene->();
    my $says = follow_in_lock($gateway, $zone_size, 0, -1, $at{request});
    if ($says =~ /^failed: attach/) {
        SKIP: { skip("no process can be followed here: $says", 1) }
        last;
    }
    my ($length) = $says =~ /^length (\d+)$/ or die "$what: $says\n";
    cmp_ok $length, '>', 50, "$what: there is a way under the lock ($length instructions)";
    $at{done}->($what);
    for my $place (@{$places}) {
        my ($step, %then) = kill_at($place, $length, $scene);
        $killed++;
        check_zone("$what, killed after $step instructions", %then);
    }
    fill($what) if !@filled;
}
my $repaired = grep { /a worker has ended while it had the lock of the zone of "phantom_token_revocation"/ }
    $gateway->log->lines;
cmp_ok $repaired, '>=', $killed / 2, "the zone was repaired $repaired times after $killed workers were killed";

done_testing;
