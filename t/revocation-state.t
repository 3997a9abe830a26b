# phantom_token_revocation: nothing that was answered with 200 or 202 is lost, whatever happens to a worker, to the
# state file, to nginx or to the clock.

use strict;
use warnings;
use lib 't/lib';
use Fcntl 'S_IMODE';
use Harness;
use Harness::Metrics 'parse_metrics';
use IO::Handle ();
use POSIX ();

time_limit(600);
my $issuer = 'https://as.example.com';
my $rsa    = rsa_key('rsa-1');
my @form   = ('Content-Type: application/x-www-form-urlencoded');

sub parts {
    my ($zone, %more) = @_;
    return (
        workers => 2, log_level => 'notice',
        http => "proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m inactive=1d; $zone",
        locations => <<'END',
            phantom_token_jwks_endpoint /_jwks;
            phantom_token_issuer https://as.example.com;
            phantom_token_audience gateway;
            location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; phantom_token_issuer "";
                         phantom_token_audience ""; phantom_token_revocation revoked; proxy_pass http://%%API%%; }
            location = /revoke { phantom_token_revoke revoked; }
            location = /metrics { phantom_token_metrics; }
            location = /_jwks { internal; proxy_pass http://%%AS%%/jwks; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                      proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                      proxy_cache_valid 200 1d; }
END
        %more,
    );
}

my $with_file = 'phantom_token_revocation zone=revoked:1m keep=2h state=%%DIR%%/revoked.state;';
my $gateway   = gateway(parts($with_file));
my $file      = $gateway->folder . '/revoked.state';
$gateway->as->answers('/jwks' => { json => jwks($rsa) });

# What says that a sub has a token that is refused, on which gateway.
sub know {
    my ($on, @subs) = @_;
    $on->as->answers(map { ("$_-token" => { jwt => { sub => $_, iat => time - 10 } }) } @subs);
    return;
}

sub revoke { my ($on, $sub) = @_; return eval { $on->post('/revoke', "sub=$sub", headers => \@form)->status } // 0 }

sub status { my ($on, $sub) = @_; return $on->get('/', token => "$sub-token")->status }

# Each several times, for there are two workers.
sub all_are {
    my ($status, $on, $name, @subs) = @_;
    my @wrong = grep { my $sub = $_; grep { status($on, $sub) != $status } 1 .. 3 } @subs;
    is "@wrong", '', $name;
    return;
}

sub logout {
    my ($on, $token) = @_;
    return $on->post('/revoke', "logout_token=$token", headers => \@form)->status;
}

sub logout_token {
    my (%more) = @_;
    return jwt({ iss => $issuer, aud => 'gateway', iat => time, exp => time + 120, jti => 'once', sub => 'out',
        events => { 'http://schemas.openid.net/event/backchannel-logout' => {} }, %more },
        header => { alg => 'RS256', kid => 'rsa-1' }, key => $rsa);
}

sub mode { my ($path) = @_; return sprintf '%o', S_IMODE((stat $path)[2]) }

sub lines { open my $in, '<', $file or die "$file: $!"; return my @all = <$in> }

sub write_file { open my $out, '>', $file or die "$file: $!"; print {$out} @_; return close $out }

# --- the file ---------------------------------------------------------------------------------------------------------

know($gateway, map { "user-$_" } 1 .. 9);
know($gateway, 'out');
is scalar(lines()), 0, 'the file: there, and empty';
all_are(200, $gateway, 'nobody is revoked', qw(user-1 user-2 out));
is revoke($gateway, 'user-1'), 200, 'revoked: user-1' for 1 .. 2;
my $logout = logout_token();
is logout($gateway, $logout), 200, 'a logout token';
all_are(401, $gateway, 'both are refused', qw(user-1 out));
my @lines = lines();
is scalar(@lines), 4, 'the file: a line for each entry';
like $lines[0], qr/^sub [0-9a-f]{8} [0-9a-f]{64} - \d+ \d+$/, 'the file: a sub of any issuer';
like $lines[2], qr/^sub [0-9a-f]{8} [0-9a-f]{64} [0-9a-f]{64} \d+ \d+$/, 'the file: a sub of an issuer';
like $lines[3], qr/^logout_token [0-9a-f]{8} [0-9a-f]{64} [0-9a-f]{64} \d+ 0$/, 'the file: the logout token';
is mode($file), '600', 'the file: its mode';
ok !(grep { /user-1|once/ } @lines), 'the file: no names';

# --- a restart --------------------------------------------------------------------------------------------------------

sub restart { my ($how) = @_; $gateway->$how; $gateway->start; return }

restart('stop');
all_are(401, $gateway, 'a restart: refused', qw(user-1 out));
is logout($gateway, $logout), 400, 'a restart: the logout token has been seen';
is scalar(lines()), 3, 'a restart: the file is compacted';
is mode($file), '600', 'a restart: its mode';
is revoke($gateway, 'user-2'), 200, 'revoked: user-2';
restart('crash');
all_are(401, $gateway, 'a power cut: refused', qw(user-1 user-2 out));

# --- a reload ---------------------------------------------------------------------------------------------------------

is $gateway->reload, '', 'a reload';
all_are(401, $gateway, 'a reload: refused', qw(user-1 user-2 out));
is revoke($gateway, 'user-3'), 200, 'after a reload: revoked';
is scalar(lines()), 5, 'after a reload: the workers write the new file';
is $gateway->reload(parts($with_file =~ s/1m/2m/r)), '', 'a zone of another size';
all_are(401, $gateway, 'a zone of another size: refused', qw(user-1 user-2 user-3 out));
is logout($gateway, $logout), 400, 'a zone of another size: the logout token has been seen';
is $gateway->reload(parts($with_file =~ s/keep=2h//r)), '', 'a zone of another keep';
all_are(401, $gateway, 'a zone of another keep: refused', qw(user-1 user-2 user-3 out));

# It has compacted the file when it finds that it cannot listen: the old workers write to another file than they knew.
like $gateway->reload(parts($with_file, server => 'listen 192.0.2.1:1;')), qr/bind\(\)/, 'a reload that fails';
is revoke($gateway, 'user-4'), 200, '... and the old workers go on';
$gateway->crash;
is $gateway->{text} =~ s/listen 192\.0\.2\.1:1;//r, $gateway->{config}->render(parts($with_file, server => '')),
    'as before';
$gateway->{text} =~ s/listen 192\.0\.2\.1:1;//;
$gateway->_write_config;
$gateway->start;
all_are(401, $gateway, '... into the file that counts', qw(user-1 user-3 user-4));

# --- a new binary beside the old one ----------------------------------------------------------------------------------

sub process_id { my ($pid_file) = @_; local @ARGV = ($pid_file); return 0 + <> }

# The new one, then the old one, as long as it is there.
sub masters { return map { process_id($_) } grep { -s } map { $gateway->folder . "/nginx.pid$_" } '', '.oldbin' }

my ($old) = masters();
kill USR2 => $old;
until_true(patience(10), sub { (masters()) == 2 && $gateway->workers }) or die "no new master\n";
$gateway->{pid} = (masters())[0];
until_true(patience(10), sub { scalar $gateway->workers }) or die "no new workers\n";
for my $n (1 .. 6) {
    know($gateway, "both-$n");
    is revoke($gateway, "both-$n"), 200, "both binaries: revoked by one of them: $n";
    ok until_true(patience(2), sub { !grep { status($gateway, "both-$n") != 401 } 1 .. 12 }),
        "... and refused by all: $n";
}
kill QUIT => $old;
until_true(patience(10), sub { (masters()) == 1 }) or die "the old master does not quit\n";
# So far the old one may have refused all by itself: the new one has a second to read the file.
until_true(patience(2), sub { !grep { status($gateway, "both-$_") != 401 } 1 .. 6 });
all_are(401, $gateway, 'the new binary alone: refused', map { "both-$_" } 1 .. 6);

# --- workers that are killed ------------------------------------------------------------------------------------------

$gateway->announce(qr/exited on signal 9/, qr/was locked by/, qr/a worker has ended while it had the lock of the rev/);
my @accepted;
for my $round (1 .. 8) {
    my $victim = ($gateway->workers)[0];
    my $child  = fork // die "fork: $!";
    if (!$child) {
        kill KILL => $victim;
        POSIX::_exit(0);
    }
    push @accepted, grep { revoke($gateway, $_) == 200 } map { "killed-$round-$_" } 1 .. 10;
    waitpid $child, 0;
    until_true(patience(10), sub { $gateway->workers == 2 }) or die "no other worker\n";
}
know($gateway, @accepted);
cmp_ok scalar(@accepted), '>=', 60, 'killed workers: most revocations are answered';
all_are(401, $gateway, 'killed workers: what was answered is refused', @accepted);
restart('crash');
all_are(401, $gateway, 'killed workers: after a restart too', @accepted);

# --- a file that cannot be written ------------------------------------------------------------------------------------

my $cannot = qr/\[error\].*the state file "[^"]+" of "phantom_token_revocation" cannot be written/;
$gateway->announce($cannot, qr/the state file "[^"]+" of "phantom_token_revocation" cannot be (?:found|opened)/);
know($gateway, qw(full gone denied));
rename $file, "$file.kept" or die $!;
symlink '/dev/full', $file or die $!;
my $second = logout_token(jti => 'second', sub => 'full');
is logout($gateway, $second), 503, 'a disk that is full';
all_are(401, $gateway, '... refused all the same', 'full');
unlink $file;
is revoke($gateway, 'gone'), 503, 'a file that is gone';
is $gateway->post('/revoke', 'sub=gone', headers => \@form)->header('Retry-After'), 10, '... Retry-After';
all_are(401, $gateway, '... refused all the same', 'gone');
rename "$file.kept", $file or die $!;
is logout($gateway, $second), 200, 'the file is there again: a logout token counts that was told to come again';
is logout($gateway, $second), 400, '... once';
my $whole = join '', lines();
open my $cut, '>>', $file or die $!;
print {$cut} 'sub 0123';
close $cut;
is revoke($gateway, 'denied'), 200, 'a line that is not whole';
is join('', (lines())[0 .. $whole =~ tr/\n//]), $whole . (lines())[-1], '... is cut off by the next one';
is $gateway->reload, '', 'a reload';
restart('crash');
all_are(401, $gateway, 'after a restart: all', qw(user-1 full gone denied));

# --- a file that is broken --------------------------------------------------------------------------------------------

sub start_fails {
    my ($name, $message) = @_;
    # nginx ends without freeing what it has read.
    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0" if defined $ENV{ASAN_OPTIONS};
    my $error = eval { $gateway->start; '' } // $@;
    like $error, $message, $name;
    delete $gateway->{pid};
    return;
}
$gateway->announce(
    qr/\[emerg\].*the state file "[^"]+" of "phantom_token_revocation" (?:is (?:broken|no reg)|cannot be opened|holds)/
);
my @good = do { $gateway->stop; lines() };
for my $broken ("sub 0123456789\n", "\n", "\0" x 70_000, "\0" x 70_000 . "\n", 'sub 0123456789') {
    write_file(@good, $broken);
    my $shown = substr $broken, 0, 12;
    is $gateway->check->{code}, 0, "nginx -t: a broken last line: $shown";
    like $gateway->check->{output}, qr/\[warn\] the state file "\Q$file\E" .* ends with a broken line: that line is/,
        '... is left out with a warning';
    is((lines())[-1], $broken, '... and nginx -t leaves the file as it is');
}
$gateway->start;
all_are(401, $gateway, 'a broken last line: all others are refused', qw(user-1 full gone denied));
$gateway->stop;
for my $broken ("sub 0123456789\n", "\n", "jti $good[0]", "sub 01234567 x y 1 2\n", 'x' x 70_000 . "\n", "\0\n") {
    write_file($good[0], $broken, @good[1 .. $#good]);
    my $shown = substr $broken, 0, 12;
    start_fails("a broken line elsewhere: $shown",
        qr/\[emerg\].*the state file "\Q$file\E" of "phantom_token_revocation" is broken in line 2: remove that line/);
    is $gateway->check->{code}, 1, 'nginx -t: the same';
}
write_file(@good);
rename $file, "$file.kept" or die $!;
mkdir $file or die $!;
start_fails('no file', qr/the state file "\Q$file\E" of "phantom_token_revocation" cannot be opened.*Is a directory/);
rmdir $file or die $!;
POSIX::mkfifo($file, 0600) or die $!;
start_fails('a pipe', qr/the state file "\Q$file\E" of "phantom_token_revocation" is no regular file in \S+:\d+/);
is $gateway->check->{code}, 1, 'nginx -t: a pipe';
unlink $file;
my $end = time + 3600;
write_file(map { sprintf "sub %08x %064x - %d %d\n", $_, $_, $end, $end } 1 .. 20_000);
start_fails('more than the zone has room for', qr/holds more than its zone has room for: make the zone larger/);
write_file((map { sprintf "sub %08x %064x - %d %d\n", $_, $_, time - 1, $end } 1 .. 20_000), @good);
$gateway->start;
is scalar(lines()), scalar(@good), 'what has ended is left out';
$gateway->stop;
write_file(map { sprintf "security_event %08x %064x %064x 9223372036854775807 -9223372036854775808\n", $_, $_, $_ }
    1 .. 3);
my @longest = sort(lines());
$gateway->start;
is join('', sort(lines())), join('', @longest), 'the longest lines: as they were';
$gateway->stop;
write_file(@good);
rename $file, "$file.real" or die $!;
symlink "$file.real", $file or die $!;
$gateway->start;
ok -l $file, 'a symbolic link: stays';
is revoke($gateway, 'user-9'), 200, '... and is followed';
is scalar(lines()), scalar(@good) + 1, '... by the workers too';
$gateway->stop;

# --- reloads that change the size, under a load -----------------------------------------------------------------------

# Without a file, old workers have another zone than new ones.
my $storm = gateway(parts('phantom_token_revocation zone=revoked:1m keep=2h;'));
my $list  = $storm->folder . '/accepted';
my $child = fork // die "fork: $!";
if (!$child) {
    open my $out, '>', $list or POSIX::_exit(1);
    $out->autoflush;
    for my $n (1 .. 100_000) {
        print {$out} "storm-$n\n" if revoke($storm, "storm-$n") == 200;
    }
    POSIX::_exit(0);
}
is $storm->reload(parts("phantom_token_revocation zone=revoked:${_}m keep=2h;")), '', "a reload to $_ MB under load"
    for 2, 1, 2, 1;
kill KILL => $child;
waitpid $child, 0;
my @stormed = do { open my $in, '<', $list or die "$list: $!"; my @all = <$in>; chomp @all; @all };
cmp_ok scalar(@stormed), '>=', 20, 'revocations that were answered with 200: ' . @stormed;
know($storm, @stormed);
all_are(401, $storm, 'all of them are refused', @stormed);
$storm->stop;

# --- a zone that is full, with a file ---------------------------------------------------------------------------------

my $small = gateway(parts($with_file =~ s/1m/32k/r));
$small->announce(qr/\[error\].*is full of what has not ended/);
my $room = parse_metrics($small->get('/metrics')->body)->{'phantom_token_revocation_capacity{zone="revoked"}'};
my $filling = $small->connect;
$filling->request(method => 'POST', path => '/revoke', body => "sub=f-$_", headers => \@form) for 1 .. $room;
$small->as->answers('/jwks' => { json => jwks($rsa) });
my $of_small = $small->folder . '/revoked.state';
my $size = -s $of_small;
is logout($small, logout_token(jti => "full-$_", sub => 'f-1')), 503, 'a full zone: a logout token' for 1 .. 3;
is revoke($small, 'one-more'), 503, 'a full zone: a form';
is -s $of_small, $size, 'a full zone: nothing of it is in the file';
is $small->reload, '', 'a full zone: a reload';
$small->crash;
$small->start;
is revoke($small, 'one-more'), 503, 'a full zone: after a restart';

# --- the clock --------------------------------------------------------------------------------------------------------

my $set = gateway(parts($with_file, clock => 'wall'));
know($set, qw(clock later));
is revoke($set, 'clock'), 200, 'a clock: revoked';
for my $offset (3 * 3600, 0, -3 * 3600, 86_400, 0) {
    $set->set_clock($offset);
    # What proxy_cache has ends by the same clock; the token is as it was.
    know($set, 'clock');
    all_are(401, $set, "a clock that is set by $offset: refused", 'clock');
}
is revoke($set, 'later'), 200, 'revoked when the clock is back';
is $set->reload, '', 'a reload';
all_are(401, $set, '... refused', qw(clock later));
$set->stop;

my $time = gateway(parts('phantom_token_revocation zone=revoked:1m keep=5m;', clock => 'time'));
know($time, 'mortal');
is revoke($time, 'mortal'), 200, 'keep: revoked';
$time->advance(290);
all_are(401, $time, 'keep: refused until its end', 'mortal');
is $time->reload, '', 'keep: kept over a reload, without a file';
all_are(401, $time, 'keep: refused still', 'mortal');
is $time->reload(parts('phantom_token_revocation zone=revoked:2m keep=5m;')), '',
    'a zone of another size, without a file';
all_are(401, $time, '... takes over what is revoked', 'mortal');
$time->advance(20);
all_are(200, $time, 'keep: forgotten after it', 'mortal');
until_true(patience(10), sub {
    parse_metrics($time->get('/metrics')->body)->{'phantom_token_revocation_entries{zone="revoked",kind="sub"}'} == 0
}) or fail 'keep: the entry is removed';
like $time->reload(parts('phantom_token_revocation zone=revoked:32k keep=5m;')), qr/^$/, 'a smaller zone that has room';
my $client = $time->connect;
$client->request(method => 'POST', path => '/revoke', body => "sub=many-$_", headers => \@form) for 1 .. 200;
is $time->reload(parts('phantom_token_revocation zone=revoked:1m keep=5m;')), '', 'a larger zone';
$client = $time->connect;
$client->request(method => 'POST', path => '/revoke', body => "sub=many-$_", headers => \@form) for 201 .. 800;
like $time->reload(parts('phantom_token_revocation zone=revoked:32k keep=5m;')),
    qr/the zone "revoked" of "phantom_token_revocation" has no room for what is in it now/,
    'a zone that is too small';

done_testing;
