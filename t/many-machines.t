# nginx-conf/many-machines, what shares answers: three gateways, real processes on addresses of their own, before one
# authorization server. How often it is asked; what happens when a machine, a memcached or all of them go; who gets at
# the tier. For revocation.conf: revocation-gateways.t.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Certificates 'certificates';
use Harness::Client;
use Harness::Nginx;
use Harness::Ports 'reserve_port';
use Harness::Process qw(spawn end_process);
use File::Find 'find';
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(max sum0);
use Time::HiRes qw(sleep time);

my $TOKENS = 1000;

time_limit(600);

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

sub spill {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    return chmod 0600, $file;
}

my $files = temporary_folder();
spill("$files/gateway-secret", "gateway-secret\n");

# --- an authorization server with many tokens ------------------------------------------------------------------------

# To sign is slow: ten tokens have one subject.
my %subject;
my $key = rsa_key('many');

sub tokens {
    my ($name, $count) = @_;
    my @tokens = map { sprintf '%s-token-%04d', $name, $_ } 1 .. $count;
    $subject{ $tokens[$_] } = $name . '-subject-' . int($_ / 10) for 0 .. $#tokens;
    return @tokens;
}

sub teach {
    my ($as, @tokens) = @_;
    my %jwt;
    $as->answers(
        map {
            my $subject = $subject{$_};
            $_ => {
                jwt => $jwt{$subject} //= jwt({ sub => $subject }, key => $key), headers => ['Cache-Control: no-store']
            }
        } @tokens
    );
    return;
}

sub servers {
    my $as = authorization_server();
    $as->answers('/jwks' => { json => jwks($key) });
    return (AS => $as, API => api());
}

# The servers of the harness start a process for each connection: with thousands of requests, connections are kept.
my @servers = (
    qr/^http \{/m => "http {\n    upstream authorization_server { server %%AS%%; keepalive 16; }\n    upstream api { "
        . "server %%API%%; keepalive 16; }",
    'proxy_pass http://127.0.0.1:9400' =>
        'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://authorization_server',
    'proxy_pass http://127.0.0.1:8081' =>
        'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://api',
);

# --- load -------------------------------------------------------------------------------------------------------------

# Asks a gateway for each token, again and again until `until` is a file. Whose JWT did the API get?
sub ask {
    my ($gateway, $tokens, %option) = @_;
    my %seen = (asked => 0, failed => 0, wrong => 0, slowest => 0);
    my $connection;
    do {
        for my $token (@{$tokens}) {
            $connection = $gateway->connect(80) if !$connection || $connection->{last};
            my $response = $connection->get('/api/', token => $token);
            $seen{asked}++;
            $seen{slowest} = max($seen{slowest}, $response->{seconds});
            if ($response->status != 200) { $seen{failed}++; next }
            my ($jwt) = map { $_->[1] =~ /^Bearer (eyJ\S+)$/ } grep { $_->[0] eq 'Authorization' }
                @{ $response->json->{headers} };
            $seen{wrong}++ if !defined $jwt || jwt_claims($jwt)->{sub} ne $subject{$token};
        }
    } while ($option{until} && !-e $option{until});
    return \%seen;
}

# The same from one process for each gateway, all at once. Meanwhile, as soon as some requests are through, `meanwhile`
# happens. Returns the sums.
sub ask_at_once {
    my ($gateways, $tokens, %option) = @_;
    my $folder = temporary_folder();
    my @loads;
    for my $gateway (@{$gateways}) {
        my $file = "$folder/" . @loads;
        my $pid  = fork_child(sub {
            spill($file, JSON::PP::encode_json(ask($gateway, $tokens, %option)));
        }, "$folder/errors");
        push @loads, { pid => $pid, file => $file };
    }
    $option{meanwhile}->() if $option{meanwhile};
    for my $load (@loads) {
        until_true(patience(120), sub { !alive($load->{pid}) }) or die "the load does not end\n";
        die 'the load: ' . slurp("$folder/errors") if !-e $load->{file};
        $load->{seen} = JSON::PP::decode_json(slurp($load->{file}));
        end_process($load->{pid});
    }
    my %sum = map { my $field = $_; $field => sum0(map { $_->{seen}{$field} } @loads) } qw(asked failed wrong);
    return { %sum, slowest => max(map { $_->{seen}{slowest} } @loads) };
}

sub check_all_right {
    my ($seen, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    note(sprintf '%s: %d requests, %d failed, %d wrong, the slowest %.2f s', $name,
        @{$seen}{qw(asked failed wrong slowest)});
    is "$seen->{failed} failed, $seen->{wrong} wrong", '0 failed, 0 wrong', "$name: no failed request, no wrong answer";
    return;
}

sub wait_for_calls {
    my ($as, $count) = @_;
    return until_true(patience(60), sub { calls($as) >= $count }) // die "there are no $count questions\n";
}

sub calls { my ($as) = @_; return scalar grep { $_->{uri} =~ /introspect/ } $as->requests }

# One gateway after the other asks for the same tokens; how often does that make them ask the authorization server?
sub count_calls {
    my ($gateways, $name) = @_;
    my $as     = $gateways->[0]->as;
    my @tokens = tokens($name, $TOKENS);
    teach($as, @tokens);
    $as->forget_requests;
    check_all_right(ask($_, \@tokens), "$name: $TOKENS tokens at one of three gateways") for @{$gateways};
    my $calls = calls($as);
    diag("$name: 3 gateways, $TOKENS tokens: the authorization server is asked $calls times");
    return $calls;
}

# The contents of all files below a folder.
sub stored {
    my ($folder) = @_;
    my @stored;
    find({ no_chdir => 1, wanted => sub { push @stored, slurp($_) if -f } }, $folder);
    return @stored;
}

# --- each for itself -------------------------------------------------------------------------------------------------

{
    my %servers  = servers();
    my @gateways = map { gateway(config => slurp('nginx-conf/minimal.conf'), servers => \%servers,
        replace => ['/var/cache/phantom-token' => '%%DIR%%/cache', '200 30s' => '200 204 10m', @servers]) } 1 .. 3;
    is count_calls(\@gateways, 'each-for-itself'), 3 * $TOKENS,
        'each for itself: the authorization server is asked by each gateway';
}

# --- a shared tier ---------------------------------------------------------------------------------------------------

my $authority = certificates();
my $stranger  = certificates();

# Three machines: gateways, and the addresses of their tiers. Who counts questions needs a cache that forgets nothing,
# and timeouts that no busy machine reaches: the times are those of the file only where a test is about them.
sub shared_tier {
    my (%times) = @_;
    my @addresses = map { my $address = "127.0.0.$_"; "$address:" . reserve_port($address) } 2 .. 4;
    my %servers   = servers();
    my @gateways  = map {
        gateway(
            clock   => 'time',
            config  => slurp('nginx-conf/many-machines/shared-tier.conf'),
            servers => { %servers, HERE => $addresses[$_], map { ("TIER$_" => $addresses[$_]) } 0 .. 2 },
            replace => [
                '/var/cache/phantom-token-tier' => '%%DIR%%/tier', '/var/cache/phantom-token ' => '%%DIR%%/cache ',
                (map { ('10.0.0.1' . ($_ + 1) . ':9443' => "%%TIER$_%%") } 0 .. 2),
                'listen 9443 ssl' => 'listen %%HERE%% ssl',
                '/etc/ssl/certs/gateways-ca.pem' => "$authority/ca.pem",
                '/etc/ssl/certs/gateway.pem' => "$authority/server.pem",
                '/etc/ssl/private/gateway.key' => "$authority/server.key",
                'token-tier.internal' => 'localhost', '/etc/nginx/gateway-secret' => "$files/gateway-secret",
                '200 204 10s' => '200 204 ' . ($times{node} // '10m'),
                '200 204 20s' => '200 204 ' . ($times{tier} // '10m'),
                $times{short} ? () : ('300ms' => '10s', '500ms' => '10s', 'read_timeout 2s' => 'read_timeout 5s',
                                      'read_timeout 4s' => 'read_timeout 20s'),
                @servers,
            ])
    } 0 .. 2;
    return (\@gateways, @addresses);
}

{
    my ($gateways, @addresses) = shared_tier();
    my $as = $gateways->[0]->as;
    is count_calls($gateways, 'shared-tier'), $TOKENS,
        'shared tier: the authorization server is asked once for a token';

    my @shares = map { scalar stored($_->folder . '/tier') } @{$gateways};
    is sum0(@shares), $TOKENS, "shared tier: each token has one home (@shares)";
    cmp_ok((sort { $a <=> $b } @shares)[0], '>', $TOKENS / 10, 'shared tier: each machine has its share');
    is scalar(grep { !/^KEY: [0-9a-f]{64}$/m || /-token-\d|token=/ } map { stored($_->folder . '/tier') } @{$gateways}),
        0, 'shared tier: no token in its files';

    # All three at the same moment: the lock.
    my @tokens = tokens('at-once', 100);
    teach($as, @tokens);
    $as->forget_requests;
    check_all_right(ask_at_once($gateways, \@tokens), 'shared tier: three gateways at once');
    is calls($as), 100, 'shared tier: the authorization server is asked once for a token by three gateways at once';
    my ($request) = $as->requests;
    is $request->header('Authorization'), 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==',
        'shared tier: the authorization server sees the gateway\'s credentials';
    is $request->header('X-Phantom-Token-Key'), undef, 'shared tier: but no key';

    # The key of somebody else's token is of no use to a client: the question to the tier has none of its headers.
    my ($stolen) = map { /^KEY: ([0-9a-f]{64})$/m } stored($gateways->[0]->folder . '/tier');
    cases($gateways->[0],
        { name => 'shared tier: another token\'s key from a client', request => {
            port => 80, path => '/api/', token => 'mallory-token', headers => ["X-Phantom-Token-Key: $stolen"]
        }, answers => { 'mallory-token' => { json => { active => false } } },
          status => 401, outcome => 'inactive',
          as => [{ body => 'token=mallory-token&token_type_hint=access_token' }] },
        { name => 'shared tier: the gateway is refused',
          request => { port => 80, path => '/api/', token => 'refused-token' },
          answers => { 'refused-token' => { status => 401 } }, status => 502, outcome => 'as_refused_client' },
        { name => 'shared tier: an AS that is busy', request => { port => 80, path => '/api/', token => 'busy-token' },
          answers => { 'busy-token' => { status => 429, headers => ['Retry-After: 7'] } }, status => 503,
          headers => { 'Retry-After' => 7 }, outcome => 'as_busy' },
        { name => 'shared tier: an AS that is too slow',
          request => { port => 80, path => '/api/', token => 'slow-token' },
          answers => { 'slow-token' => { hold => 'forever', jwt => { sub => 'slow' } } }, status => 504,
          outcome => 'as_timeout' },
        { name => 'shared tier: an AS\'s X-Accel-Redirect',
          request => { port => 80, path => '/api/', token => 'redirect-token' },
          answers => { 'redirect-token' => { jwt => { sub => 'x' }, headers => ['X-Accel-Redirect: /api/'] } },
          status => 502, outcome => 'as_error' },
    );

    # Who is no gateway gets nothing, not even what is in the cache; a gateway gets nothing without a key.
    $as->forget_requests;
    my $tier = sub {
        my ($certificates, @headers) = @_;
        return run(['curl', '-sS', '--noproxy', '*', '-o', '-', '-w', '\n%{http_code}', '--connect-to',
                    "localhost:443:$addresses[0]", '--cacert', "$authority/ca.pem",
                    ($certificates ? ('--cert', "$certificates/server.pem", '--key', "$certificates/server.key") : ()),
            (map { ('-H', $_) } @headers), '-d', 'token=mallory-token', 'https://localhost/introspect'])->{out};
    };
    my $with_key = "X-Phantom-Token-Key: $stolen";
    like $tier->($authority, $with_key), qr/^eyJ.*\n200$/s, 'shared tier: what a gateway gets';
    unlike $tier->(undef, $with_key), qr/eyJ|\n200$/, 'shared tier: who has no certificate gets nothing';
    unlike $tier->($stranger, $with_key), qr/eyJ|\n200$/, 'shared tier: nor who has one of another authority';
    for my $header (
        'X-Other: 1', 'X-Phantom-Token-Key;', 'X-Phantom-Token-Key: ' . substr($stolen, 1),
        "X-Phantom-Token-Key: ${stolen}0", 'X-Phantom-Token-Key: ' . uc $stolen, "X-Phantom-Token-Key: $stolen$stolen"
    ) {
        like $tier->($authority, $header), qr/\n400$/, "shared tier: no answer without a key: $header";
    }
    is calls($as), 0, 'shared tier: and the authorization server is not asked';
}

SKIP: {
    skip 'shared tier: the time limits of the configuration are shorter than a TLS handshake under valgrind', 7
        if $ENV{PHANTOM_TOKEN_WRAPPER};
    my ($gateways) = shared_tier(short => 1);
    my $as    = $gateways->[0]->as;
    my @there = @{$gateways}[0, 1];
    my @first = tokens('first', 30);
    my @held  = tokens('held', 100);
    my @gone  = tokens('gone', 300);
    teach($as, @first, @held, @gone);
    check_all_right(ask($_, \@first), 'shared tier: connections between the machines') for @there;

    # A machine that does not answer, and does not refuse either; then one that is gone.
    kill STOP => $gateways->[2]->workers;
    my $seen = ask_at_once(\@there, \@held);
    kill CONT => $gateways->[2]->workers;
    check_all_right($seen, 'shared tier: a machine that hangs');
    cmp_ok $seen->{slowest}, '>', 0.3, 'shared tier: it was met';
    cmp_ok $seen->{slowest}, '<', patience(8), 'shared tier: nobody waits longer than for the timeouts';
    $_->advance(11) for @there; # until it is asked again

    my $from = $there[0]->log->position;
    $as->forget_requests;
    check_all_right(ask_at_once(\@there, \@gone, meanwhile => sub { wait_for_calls($as, 50); $gateways->[2]->crash }),
        'shared tier: a machine that is gone');
    ok $there[0]->log->wait_for(qr/upstream: "https:/, $from), 'shared tier: it was missed';
}

# --- how long a revoked token works ----------------------------------------------------------------------------------

{
    my ($gateways) = shared_tier(node => '2m', tier => '4m');
    my $as = $gateways->[0]->as;
    my @tokens = tokens('revoked', 1);
    teach($as, @tokens);
    my $status = sub { return $gateways->[$_[0]]->get('/api/', port => 80, token => $tokens[0])->status };
    my $later  = sub { my ($seconds) = @_; $_->advance($seconds) for @{$gateways}; return };
    is $status->(0), 200, 'revoked: the tier has it';
    $as->answers($tokens[0] => { json => { active => false } });
    $later->(220);
    is $status->(1), 200, 'revoked: another gateway gets it from the tier, shortly before that forgets it';
    $later->(40);
    is $status->(1), 200, 'revoked: longer than the tier\'s time';
    is $status->(2), 401, 'revoked: not where nobody has asked before';
    $later->(120);
    is $status->(1), 401, 'revoked: never longer than the tier\'s time and the node\'s together';
}

# --- how a token is forgotten at once --------------------------------------------------------------------------------

{
    my ($gateways) = shared_tier();
    my @tokens = tokens('forgotten', 1);
    teach($gateways->[0]->as, @tokens);
    my $statuses = sub {
        return join ' ', map { $_->get('/api/', port => 80, token => $tokens[0])->status } @{$gateways};
    };
    is $statuses->(), '200 200 200', 'forgotten: all have it';
    $gateways->[0]->as->answers($tokens[0] => { json => { active => false } });
    my $empty = sub {
        my ($cache) = @_;
        find({ no_chdir => 1, wanted => sub { unlink if -f } }, $_->folder . "/$cache") for @{$gateways};
        return;
    };
    $empty->('tier');
    is $statuses->(), '200 200 200', 'forgotten: not by the tier alone';
    $empty->('cache');
    is $statuses->(), '401 401 401', 'forgotten: by the tier and then by the nodes';
    $_->announce(qr/unlink\(\) .* failed \(2:/) for @{$gateways}; # the cache manager misses the file
}

# --- a shared memcached ----------------------------------------------------------------------------------------------

sub memcached {
    my ($address) = @_;
    my $port   = reserve_port($address);
    my $binary = (grep { -x } '/usr/bin/memcached')[0] or die "memcached is not installed\n";
    my $server = {
        address => "$address:$port", pid => spawn([$binary, '-u', 'nobody', '-l', $address, '-p', $port, '-m', 64])
    };
    until_true(patience(5), sub { IO::Socket::INET->new(PeerAddr => $server->{address}) })
        or die "memcached does not start\n";
    return $server;
}

# Speaks memcached's text protocol, up to the line that ends an answer.
sub talk {
    my ($server, $command) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $server->{address}, Timeout => 5) or die "memcached: $!";
    print {$socket} $command;
    my $answer = '';
    while (defined(my $line = <$socket>)) { $answer .= $line; last if $line =~ /^(?:END|STORED|ERROR)/ }
    return $answer;
}

sub keys_in { my ($server) = @_; return talk($server, "lru_crawler metadump all\r\n") =~ /^key=(\S+)/mg }

SKIP: {
    skip 'memcached: the modules srcache and memc are there for Debian\'s nginx alone, and NGINX_BINARY names another',
        1 if $ENV{NGINX_BINARY};

    my @memcached = map { memcached("127.0.0.$_") } 2, 3;
    my %servers   = servers();
    my @gateways  = map {
        gateway(
            config  => slurp('nginx-conf/many-machines/memcached.conf'),
            servers => { %servers, MEMCACHED1 => $memcached[0]{address}, MEMCACHED2 => $memcached[1]{address} },
            replace => [
                qr{load_module modules/(?=ndk|ngx_http_srcache|ngx_http_memc)} => 'load_module /usr/lib/nginx/modules/',
                '/run/' => '%%DIR%%/',
                '/var/cache/phantom-token-jwks' => '%%DIR%%/jwks', '/var/cache/phantom-token ' => '%%DIR%%/cache ',
                '10.0.0.21:11211' => '%%MEMCACHED1%%', '10.0.0.22:11211' => '%%MEMCACHED2%%',
                '/etc/nginx/gateway-secret' => "$files/gateway-secret", '200 204 10s' => '200 204 10m',
                'memc_exptime 20' => 'memc_exptime 600',
                '100ms' => '5s', '500ms' => '10s', 'read_timeout 2s' => 'read_timeout 5s',
                'read_timeout 4s' => 'read_timeout 20s', @servers,
            ])
    } 1 .. 3;
    my $as = $gateways[0]->as;
    is count_calls(\@gateways, 'memcached'), $TOKENS, 'memcached: the authorization server is asked once for a token';

    my @keys = map { keys_in($_) } @memcached;
    is scalar @keys, $TOKENS, 'memcached: one entry for each token';
    is scalar(grep { !/^[0-9a-f]{64}$/ } @keys), 0, 'memcached: and no token in a key';
    my ($home) = grep { talk($_, "get $keys[0]\r\n") =~ /eyJ/ } @memcached;
    my $entry  = talk($home, "get $keys[0]\r\n");
    unlike $entry, qr/-token-\d|token=|Z2F0ZXdhe/, 'memcached: no token and no credentials in an entry';

    cases($gateways[0],
        { name => 'memcached: another token\'s key from a client', request => {
            port => 80, path => '/api/', token => 'mallory-token', headers => ["X-Phantom-Token-Key: $keys[0]"]
        }, status => 401, outcome => 'inactive',
          as => [{ body => 'token=mallory-token&token_type_hint=access_token',
                   authorization => 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==', x_phantom_token_key => undef }] },
        { name => 'memcached: an AS that is busy', request => { port => 80, path => '/api/', token => 'busy-token' },
          answers => { 'busy-token' => { status => 429, headers => ['Retry-After: 7'] } }, status => 503,
          headers => { 'Retry-After' => 7 }, outcome => 'as_busy' },
        (map {
            { name => "memcached: an answer that is cut short is not kept, $_",
              request => { port => 80, path => '/api/', token => 'cut-token' },
              answers => { 'cut-token' => { jwt => { sub => 'x' }, cut => 10 } }, status => 502,
              outcome => 'as_bad_response', as => 1 }
        } 'once', 'twice'),
    );
    is scalar(map { keys_in($_) } @memcached), $TOKENS + 1,
        'memcached: of these, the inactive answer is kept, no error';
    my $no_key = Harness::Client->once(port => $gateways[0]->port(80), path => '/introspect', token => 'mallory-token',
        method => 'POST', body => 'token=mallory-token', headers => ["X-Phantom-Token-Key: $keys[0]"]);
    is $no_key->status, 404, 'memcached: no client reaches the server behind the socket';

    # What somebody else has written there: no JSON Web Token that the authorization server has not signed is let
    # through.
    my $forged = 'forged-token';
    $as->answers($forged => { jwt => jwt({ sub => 'forged' }, key => $key) });
    is $gateways[0]->get('/api/', port => 80, token => $forged)->status, 200, 'memcached: a token';
    my %known = map { $_ => 1 } @keys;
    my ($its) = grep { my $new = $_; !$known{$new} && grep { talk($_, "get $new\r\n") =~ /eyJ/ } @memcached } map {
        keys_in($_)
    } @memcached;
    my $write = sub {
        my ($value) = @_;
        return map { talk($_, sprintf "set %s 0 600 %d\r\n%s\r\n", $its, length $value, $value) } @memcached;
    };
    is join('', $write->("HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\n\r\n" . jwt({ sub => 'root' }))),
        "STORED\r\n" x 2, 'memcached: a JWT of somebody else\'s, written into it';
    cases(
        $gateways[1],
        { name => 'memcached: refused for its signature',
          request => { port => 80, path => '/api/', token => $forged }, status => 502, outcome => 'signature', as => 0 }
    );
    $write->('garbage');
    cases(
        $gateways[2],
        { name => 'memcached: an entry that is no response is as none',
          request => { port => 80, path => '/api/', token => $forged }, status => 200, outcome => 'active',
          api => [{ authorization => 'Bearer <jwt>' }] }
    );

    # memcached goes, one after the other, under load.
    for my $gone (0, 1) {
        my @tokens = tokens("gone-$gone", 300);
        teach($as, @tokens);
        $as->forget_requests;
        check_all_right(ask_at_once(\@gateways, \@tokens, meanwhile => sub {
            wait_for_calls($as, 50);
            end_process($memcached[$gone]{pid}, at_once => 1);
        }), 'memcached: ' . ($gone ? 'none is left' : 'one of two is gone'));
    }
}

my @shown = map { s{.*/}{}r } glob 'nginx-conf/many-machines/*.conf';
is "@shown", 'memcached.conf revocation.conf shared-tier.conf',
    'each file in nginx-conf/many-machines/ is tried here, or in t/revocation-gateways.t';

done_testing;
