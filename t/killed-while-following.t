# A worker that is killed while it notes how far it has read the state file of what is revoked. The file has just been
# written anew by another nginx, and is shorter; then it grows beyond where the old one ended. None of its lines may be
# taken for read. See killed-in-lock.t.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::KillInLock qw(build_kill_in_lock follow_in_lock);
use POSIX ();

build_kill_in_lock();
time_limit(900);

my $zone_size = 65 * POSIX::sysconf(POSIX::_SC_PAGESIZE()); # of no other zone

sub start_gateway {
    return gateway(
        log_level => 'notice',
        http      => "phantom_token_revocation zone=revoked:$zone_size state=%%DIR%%/revoked.state;",
        locations => <<'END',
            location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                         phantom_token_revocation revoked; proxy_pass http://%%API%%; }
            location = /revoke { phantom_token_revoke revoked; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END
    );
}

my ($gateway, $other) = map { start_gateway() } 1 .. 2;
$gateway->announce(qr/exited on signal 9/, qr/shared memory zone "revoked" was locked by/,
    qr/\[error\].*phantom token: a worker has ended while it had the lock of the zone of "phantom_token_revocation"/);
my $file = $gateway->folder . '/revoked.state';

# The lines of these subs, as another nginx writes them. All are of one length.
sub lines_of {
    my (@subs) = @_;
    my $client = $other->connect;
    for my $sub (@subs) {
        my $response = $client->request(method => 'POST', path => '/revoke', body => "sub=$sub&before=1000",
            headers => ['Content-Type: application/x-www-form-urlencoded']);
        die "$sub: not revoked\n" if $response->status != 200;
    }
    open my $in, '<', $other->folder . '/revoked.state' or die $!;
    my @lines = <$in>;
    return @lines[-@subs .. -1];
}

sub append_to_file {
    my (@lines) = @_;
    open my $out, '>>', $file or die "$file: $!";
    print {$out} @lines;
    return close $out;
}

sub replace_file {
    my (@lines) = @_;
    open my $out, '>', "$file.new" or die "$file.new: $!";
    print {$out} @lines;
    close $out or die "$file.new: $!";
    chmod 0600, "$file.new";
    chown +(stat $file)[4, 5], "$file.new";
    return rename "$file.new", $file;
}

sub is_refused_soon {
    my ($sub) = @_;
    $gateway->as->answers("$sub-token" => { jwt => { sub => $sub, iat => 500 } });
    return until_true(patience(5), sub { $gateway->get('/', token => "$sub-token")->status == 401 });
}

my $rounds = 0;

# Returns what has come of the worker, which has taken the lock twice to read.
sub kill_after {
    my ($steps) = @_;
    my $round = ++$rounds;
    my @old   = lines_of(map { "old-$round-$_" } 1 .. 20);
    my @new   = lines_of(map { "new-$round-$_" } 1 .. 2);
    my @late  = lines_of(map { "late-$round-$_" } 1 .. 20);
    replace_file(@old);
    ok is_refused_soon("old-$round-20"), "$steps: the old file has been read";
    my $says = follow_in_lock($gateway, $zone_size, 2, $steps, sub { replace_file(@new) });
    return $says if $says =~ /^failed: attach/;
    append_to_file(@late);
    my @wrong = grep { !is_refused_soon($_) } "new-$round-1", "late-$round-1", "late-$round-20";
    is "@wrong", '', "$steps: all of the new file has been read ($says)";
    return $says;
}

my $says = kill_after(-1);
my ($length) = $says =~ /^length (\d+)$/;
if (defined $length) {
    cmp_ok $length, '>', 20, "there is a way under the lock ($length instructions)";
    is kill_after($_), 'killed', "killed after $_ of $length instructions"
        for int 0.3 * $length .. 0.55 * $length;
} else {
    SKIP: { skip("no process can be followed here: $says", 1) }
}

done_testing;
