# The JWK Set's fetches: how many there are, and that no client can hold one up (phantom_token_jwks_endpoint). What is
# held here at the AS is what a client hangs up on.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Http2;

my ($old, $new, $forger) = map { rsa_key($_) } qw(old new forger);
my $far = time + 1_000_000;

sub token { my ($key) = @_; return jwt({ aud => 'api', sub => 'alice', exp => $far }, key => $key) }

sub keys_of { my (@keys) = @_; return { json => jwks(@keys) } }

my %configuration = (
    http   => <<'END',
        limit_req_zone $slow zone=slow:1m rate=1r/m;
        map $request_uri $slow { ~slow slow; default ""; }
END
    server => <<'END',
        listen 127.0.0.1:%%PORT:h2%% http2;
        phantom_token on;
        phantom_token_inbound_jwt verify;
        phantom_token_audience api;
END
    locations => <<'END',
        location / { phantom_token_jwks_endpoint /_jwks/$arg_set; proxy_pass http://%%API%%; }
        location /limited { phantom_token_jwks_endpoint /_limited/$arg_set; proxy_pass http://%%API%%; }
        location /open { phantom_token off; proxy_pass http://%%API%%; }
        location /_jwks/ { internal; proxy_pass http://%%AS%%/sets/;
                           proxy_set_header X-Refresh $phantom_token_jwks_refresh; }
        location /_limited/ { internal; limit_req zone=slow burst=10; proxy_pass http://%%AS%%/sets/; }
END
);

my $gateway = gateway(%configuration);
my ($as, $api) = ($gateway->as, $gateway->api);

sub request_for {
    my ($path, $key) = @_;
    return "GET $path HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . token($key) . "\r\n\r\n";
}

# A connection with a request on its way.
sub begin {
    my ($path, $key) = @_;
    my $connection = $gateway->connect;
    $connection->send(request_for($path, $key));
    return $connection;
}

# nginx has taken up all that was sent before, and has noticed who has gone.
sub settle { is $gateway->get('/open')->status, 200, 'in between: another request is not held up' for 1 .. 2; return }

sub fetches { my ($set) = @_; return scalar grep { $_->{uri} eq "/sets/$set" } $as->requests }

sub wait_for_fetches {
    my ($set, $count) = @_;
    until_true(patience(10), sub { fetches($set) >= $count })
        or die "waited for $count fetches of $set, saw @{[ fetches($set) ]}\n";
    return;
}

# --- without a set: one fetch serves all who wait --------------------------------------------------------------------

{
    $as->answers('/sets/first' => { hold => 'first', %{ keys_of($old) } });
    my @waiting = map { begin("/n$_?set=first", $_ % 3 ? $old : $forger) } 1 .. 60;
    settle();
    wait_for_fetches('first', 1);
    is fetches('first'), 1, 'no set yet: 60 requests, one fetch';
    is scalar(grep { $_->{uri} =~ m{^/n} } $api->requests), 0, 'no set yet: nothing reaches the API';
    # Forged ones ask once more, together, for their key; the set is the same.
    $as->answers('/sets/first' => keys_of($old));
    $as->release('first');
    is_deeply [map { $_->response('GET')->status } @waiting], [map { $_ % 3 ? 200 : 401 } 1 .. 60],
        'no set yet: all get their own verdict';
    is fetches('first'), 2, 'no set yet: one more for all unknown keys';
}

{
    $as->answers('/sets/failing' => [{ hold => 'failing', status => 500 }, keys_of($old)]);
    my @waiting = map { begin("/?set=failing", $old) } 1 .. 10;
    settle();
    $as->release('failing');
    is_deeply [map { $_->response('GET')->status } @waiting], [(503) x 10],
        'no set yet, and the fetch fails: 503 for all who waited';
    is fetches('failing'), 1, 'no set yet, and the fetch fails: it is not asked 10 times';
}

# The first clients to come go; the set comes all the same.
{
    $as->answers('/sets/left' => { hold => 'left', %{ keys_of($old) } });
    my @gone = map { begin('/?set=left', $old) } 1 .. 5;
    wait_for_fetches('left', 1);
    settle();
    $_->reset for @gone;
    settle();
    my $waiting = begin('/?set=left', $old);
    settle();
    $as->release('left');
    is $waiting->response('GET')->status, 200, 'no set yet: who began the fetch has gone, the others are served';
    is fetches('left'), 1, 'no set yet: by the one fetch';
}

# --- an unknown key: the refetch goes on without its client ----------------------------------------------------------

# Each begins a request for the forger's key and returns how to leave.
my %ways = (
    'reset'          => sub { my $connection = begin($_[0], $forger); return sub { $connection->reset } },
    'closed'         => sub { my $connection = begin($_[0], $forger); return sub { $connection->close } },
    'HTTP/2 stream'  => sub {
        my $connection = Harness::Http2->new($gateway->port('h2'));
        my $id = $connection->start(path => $_[0], token => token($forger));
        return sub { $connection->cancel($id) };
    },
    'HTTP/2 connection' => sub {
        my $connection = Harness::Http2->new($gateway->port('h2'));
        $connection->start(path => $_[0], token => token($forger));
        return sub { $connection->end };
    },
);

for my $way (sort keys %ways) {
    my $set = 'unknown-' . $way =~ s/\W/-/gr;
    $as->answers("/sets/$set" => [keys_of($old), { hold => $set, %{ keys_of($new) } }]);
    is $gateway->get("/?set=$set", token => token($old))->status, 200, "$way: the old key";
    my $leave = $ways{$way}->("/?set=$set");
    wait_for_fetches($set, 2);
    $leave->();
    settle();
    my $waiting = begin("/?set=$set", $new);
    settle();
    is $gateway->get("/?set=$set", token => token($old))->status, 200, "$way: who has a known key does not wait";
    $as->release($set);
    is $waiting->response('GET')->status, 200, "$way: the new key is accepted";
    is $gateway->get("/?set=$set", token => token($old))->status, 401,
        "$way: the key that has been withdrawn is refused";
    is fetches($set), 2, "$way: the fetch went on without its client";
}

# --- a fetch that does end with its client ---------------------------------------------------------------------------

# limit_req delays a request whose URI has "slow": then nginx ends the subrequest with its client.
{
    $as->answers(
        '/sets/warm' => keys_of($old), '/sets/lost' => keys_of($new), '/sets/known' => [keys_of($old), keys_of($new)]
    );
    is $gateway->get('/limited?set=warm&slow', token => token($old))->status, 200,
        'a fetch that ends with its client: the limit is reached';
    my $leader  = begin('/limited?set=lost&slow', $forger);
    settle();
    my $waiting = begin('/limited?set=lost', $new);
    settle();
    is fetches('lost'), 0, 'a fetch that ends with its client: two wait';
    $leader->reset;
    is $waiting->response('GET')->status, 200, 'a fetch that ends with its client: the next request takes over';

    is $gateway->get('/limited?set=known', token => token($old))->status, 200,
        'a refetch that ends with its client: the old key';
    my @gone = map { begin('/limited?set=known&slow', $forger) } 1 .. 3;
    settle();
    $_->reset for @gone;
    settle();
    is $gateway->get('/limited?set=known', token => token($new))->status, 200,
        'a refetch that ends with its client takes none of the 10 s';
}

# --- a set whose minute is over --------------------------------------------------------------------------------------

{
    my %more = (%configuration, clock => 'time');
    $more{http}      .= "proxy_cache_path %%DIR%%/cache keys_zone=keys:1m inactive=1d;\n";
    $more{locations} .= <<'END';
        location /stale { phantom_token_jwks_endpoint /_stale/$arg_set; proxy_pass http://%%API%%; }
        location /_stale/ {
            internal; proxy_pass http://%%AS%%/sets/; proxy_cache keys; proxy_cache_key $uri;
            proxy_cache_valid 200 100s; proxy_cache_use_stale error timeout http_500 updating;
        }
END
    $gateway = gateway(%more);
    ($as, $api) = ($gateway->as, $gateway->api);

    $as->answers('/sets/due' => [keys_of($old), { hold => 'due', %{ keys_of($new) } }]);
    is $gateway->get('/?set=due', token => token($old))->status, 200, 'after a minute: the old key';
    $gateway->advance(61);
    my $leader = begin('/?set=due', $old);
    wait_for_fetches('due', 2);
    is $gateway->get('/?set=due', token => token($old))->status, 200,
        'after a minute: others go on with the set that is there';
    $leader->reset;
    settle();
    $as->release('due');
    until_true(patience(10), sub { $gateway->get('/?set=due', token => token($old))->status == 401 });
    is $gateway->get('/?set=due', token => token($old))->status, 401,
        'after a minute: the withdrawn key is refused, though the client that asked has gone';
    is scalar(grep { $_->{uri} eq '/sets/due' && !defined $_->header('X-Refresh') } $as->requests), 2,
        'after a minute: by the one fetch';

    # Fetches that do end with their clients.
    $as->answers('/sets/warm' => keys_of($old), '/sets/taken' => [keys_of($old), keys_of($new)]);
    $gateway->get('/limited?set=warm&slow', token => token($old));
    is $gateway->get('/limited?set=taken', token => token($old))->status, 200,
        'after a minute, fetches that end with their clients: the old key';
    $gateway->advance(61);
    my $gone = begin('/limited?set=taken&slow', $old);
    settle();
    $gone->reset;
    settle();
    my $another = begin('/limited?set=taken&slow', $old);
    settle();
    my $waiting = begin('/limited?set=taken', $old);
    settle();
    $another->reset;
    is $waiting->response('GET')->status, 401,
        'after a minute, fetches that end with their clients: the others wait, and take over';

    # proxy_cache's entry is good for 100 s; then the AS is down.
    my $at = 1000;
    my $step = sub {
        my ($seconds, $name, $key, $status) = @_;
        $gateway->advance($at + $seconds - $gateway->clock);
        is $gateway->get('/stale?set=stale', token => token($key))->status, $status,
            "a stale set: $name, second $seconds";
        return;
    };
    $as->answers('/sets/stale' => keys_of($old));
    $step->(0, 'fetched', $old, 200);
    $as->answers('/sets/stale' => { status => 500 });
    $step->(60,   'out of the cache, and good', $old, 200);
    $step->(200,  'the AS is down: the stale one serves', $old, 200);
    $step->(1000, 'still', $old, 200);
    $step->(3600, 'still', $old, 200);
    $step->(3705, 'an hour after the end of the entry: 503', $old, 503);
    $step->(3800, 'and stays so', $old, 503);
    is $gateway->reload, '', 'a stale set: reload';
    $step->(3810, 'a new worker does not begin the hour anew', $old, 503);
    $as->answers('/sets/stale' => keys_of($new));
    $step->(3830, 'the AS is back', $new, 200);
    $as->answers('/sets/stale' => { status => 500 });
    $step->(4000, 'down again: a new worker has the hour from the entry\'s end', $new, 200);
    is $gateway->reload, '', 'a stale set: reload';
    $step->(4010, 'a new worker', $new, 200);
}

done_testing;
