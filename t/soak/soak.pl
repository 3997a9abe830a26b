# soak.pl [SECONDS]: a gateway under a mixed load. In the first half one set of workers serves all of it, to see whether
# its memory grows; in the second half the configuration is read anew every few seconds, and once a new master takes
# over with another file of the module.
#
# client.mjs knows the one right answer to each request, backend.mjs what may come to the API with each. Ends with a
# line of figures; fails if a number that must be 0 is not.

use strict;
use warnings;
use lib 't/lib';
use Cwd 'abs_path';
use File::Copy 'copy';
use Harness;
use Harness::Ports 'reserve_port';
use Harness::Process qw(spawn end_process);
use JSON::PP ();
use Time::HiRes qw(sleep time);

my $seconds = @ARGV ? shift @ARGV : 600;
die "soak takes a number of seconds, 10 or more\n" if @ARGV || $seconds !~ /^\d+$/ || $seconds < 10;
time_limit($seconds + 180);

my $folder = temporary_folder();
my $key    = rsa_key('soak');
my %port   = map { $_ => reserve_port() } qw(as api);
my $module = "$folder/module.so";
my $gateway;

# --- what runs -------------------------------------------------------------------------------------------------------

# Another file with the same bytes: what runs keeps the old one.
sub install_module {
    copy($ENV{PHANTOM_TOKEN_MODULE} // 'build/ngx_http_phantom_token_module.so', "$module.new") or die "$module: $!";
    rename "$module.new", $module or die "$module: $!";
    return;
}

my %environment = (SOAK_KEY => "$key->{folder}/key.pem", SOAK_AS_PORT => $port{as}, SOAK_API_PORT => $port{api});

sub start_backend {
    my $pid = spawn(['node', 't/soak/backend.mjs'], out => "$folder/backend", err => "$folder/backend.err",
                    env => \%environment);
    until_true(patience(5), sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{api}") })
        or die "the backend does not start: " . slurp("$folder/backend.err") . "\n";
    return $pid;
}

sub start_gateway {
    local $ENV{PHANTOM_TOKEN_MODULE} = $module;
    my $cache = 'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; '
        . 'proxy_cache_valid 200 204 2s;';
    return gateway(
        servers => { AS => "127.0.0.1:$port{as}", API => "127.0.0.1:$port{api}" },
        workers => 2, log_level => 'notice', # not every refusal of the load
        http    => q{
            access_log off;
            keepalive_requests 1000000;
            proxy_cache_path %%DIR%%/cache keys_zone=tokens:4m max_size=64m inactive=1m use_temp_path=off;
            phantom_token_hot_cache zone=hot:1m;
            phantom_token_revocation zone=revoked:16m state=%%DIR%%/revoked.state;
            upstream as  { server %%AS%%;  keepalive 64; }
            upstream api { server %%API%%; keepalive 64; }
        },
        server => q{
            listen 127.0.0.1:%%PORT:h2%% http2;
            http2_max_concurrent_streams 256;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            client_body_buffer_size 16k;
            phantom_token on;
            phantom_token_introspection_endpoint /_cached;
            phantom_token_revocation revoked;
        },
        locations => qq{
            location /plain     { phantom_token_introspection_endpoint /_plain; proxy_pass http://api; }
            location /cached    { proxy_pass http://api; }
            location /hot       { phantom_token_hot_cache hot; proxy_pass http://api; }
            location /admin     { phantom_token_scopes admin; proxy_pass http://api; }
            location /hot-admin { phantom_token_hot_cache hot; phantom_token_scopes admin; proxy_pass http://api; }
            location /exchange  { phantom_token_exchange_endpoint /_exchange; proxy_pass http://api; }
            location /verified  { phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_keys;
                                  proxy_pass http://api; }
            location /own       { phantom_token_inbound_jwt verify; phantom_token_audience api;
                                  phantom_token_jwks_endpoint /_keys; proxy_pass http://api; }
            location /page      { phantom_token_scopes admin; error_page 403 = \@page; proxy_pass http://api; }
            location \@page      { phantom_token_scopes read; proxy_pass http://api; }
            location /any       { satisfy any; allow all; proxy_pass http://api; }
            location = /revoke  { phantom_token off; phantom_token_revoke revoked; phantom_token_issuer https://as;
                                  phantom_token_audience gateway; phantom_token_jwks_endpoint /_keys; }
            location = /_plain    { internal; proxy_pass http://as/introspect; }
            location = /_cached   { internal; proxy_pass http://as/introspect; $cache }
            location = /_exchange { internal; proxy_pass http://as/token; $cache }
            location = /_keys     { internal; proxy_pass http://as/keys; }
        },
    );
}

# --- what is measured ------------------------------------------------------------------------------------------------

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

# Memory of its own in KiB: pages shared with others, like those of the caches, do not count.
sub own_memory {
    my (@pids) = @_;
    my $sum = 0;
    for my $pid (@pids) { $sum += $1 if slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m }
    return $sum;
}

sub counts_of {
    my ($file) = @_;
    return eval {
        JSON::PP->new->decode(slurp($file))
    } // die "$file says nothing: " . slurp($file) . slurp("$file.err") . "\n";
}

# The harness waits a while for the old master to quit, which the requests of its workers may take longer for here.
sub upgrade {
    my $old = $gateway->pid;
    install_module();
    eval { $gateway->upgrade; 1 } or $gateway->pid != $old or die $@;
    kill QUIT => $old; # where it has not been told yet, since the new workers took long
    return until_true(patience(60), sub { !alive($old) });
}

# --- the run ---------------------------------------------------------------------------------------------------------

install_module();
my $backend = start_backend();
$gateway = start_gateway();
# nginx's loader of the cache, of a file that its manager has just removed
$gateway->announce(qr{\[crit\].*stat\(\) "[^"]*/cache/});
until_true(patience(5), sub { 2 == $gateway->workers }) or die "no workers\n";
my ($start, @workers) = (time, $gateway->workers);
my $client = spawn(['node', 't/soak/client.mjs'], out => "$folder/client", err => "$folder/client.err",
    env => { %environment, SOAK_PORT => $gateway->port, SOAK_HTTP2_PORT => $gateway->port('h2'),
             SOAK_SECONDS => $seconds });

sub wait_until { my ($share) = @_; my $rest = $start + $share * $seconds - time; sleep $rest if $rest > 0; return }

wait_until(0.2);
my $warm = own_memory(@workers);
wait_until(0.5);
my $grown    = own_memory(@workers);
my $survived = grep { alive($_) } @workers;

my ($reloads, $refused, $upgraded, @master) = (0, 0, 0);
my $upgrade_at = $start + 0.75 * $seconds;
while (time < $start + 0.95 * $seconds || $upgrade_at) { # a busy machine may be late for the upgrade
    my $next = time + 2.6; # a hundred in ten minutes
    if ($upgrade_at && time > $upgrade_at) { # the masters differ: what one has grown by is known
        push @master, own_memory($gateway->pid);
        $upgraded   = upgrade() ? 1 : 0;
        $upgrade_at = 0;
        next;
    }
    $refused++ if $gateway->reload ne '';
    $reloads++;
    push @master, own_memory($gateway->pid) if $upgrade_at;
    sleep $next - time if $next > time;
}
waitpid $client, 0;
end_process($backend);

my ($c, $b) = map { counts_of("$folder/$_") } qw(client backend);
$gateway->stop;
my @faults = $gateway->faults;
diag $_ for @{ $c->{examples} }, @{ $b->{examples} }, @faults;

is $c->{wrong},         0, 'wrong answers';
is $b->{misdelivered},  0, 'requests that reached the API with another JWT than their own, or should not have';
is $c->{failed},        0, 'failed requests';
is $b->{broken_bodies}, 0, 'bodies that did not arrive as they were sent';
is $refused,            0, 'refused reloads';
is scalar @faults,      0, 'faults in the log';
is $upgraded,           1, 'an upgrade, after which the old master was gone';
is $survived, scalar @workers, 'the workers of the first half lived through it';
cmp_ok $c->{kinds}{$_} // 0, '>', 0, "there was: $_" for 'hot', 'abort', 'upload', 'own';
cmp_ok $c->{revoked}{$_}, '>', 0, "there were revocations by: $_" for sort keys %{ $c->{revoked} };
cmp_ok $c->{refused}, '>', 0, 'there were refusals of what is revoked';

printf "soak: %d s, %d requests (%d by HTTP/1.1, %d by HTTP/2, %d aborted, %d resent), %d at the API, "
    . "%d at the authorization server, %d reloads and an upgrade; "
    . "revoked %d by token, %d by sub, %d by logout token, %d requests refused for it; "
    . "wrong answers %d, misdelivered %d, failed %d; own memory of %d workers %d KiB, then %d KiB; "
        . "of the master at its reloads %s KiB\n",
    $seconds, @{$c}{qw(requests http1 http2 aborted resent)}, @{$b}{qw(api as)}, $reloads,
    @{ $c->{revoked} }{qw(token sub logout_token)}, $c->{refused}, $c->{wrong},
    $b->{misdelivered}, $c->{failed}, scalar @workers, $warm, $grown,
    @master > 1 ? "$master[0], then $master[-1]" : "@master";
done_testing;
