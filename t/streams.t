# docs/streams.md: every configuration there, as it is shown, with streams through it, and what the page says of them.
# All locations stand in the page's one server. Only addresses, paths and the way to the AS (http for https) are the
# test's, and a port without TLS for clients that the harness plays itself.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Cwd 'abs_path';
use Harness::Ports 'reserve_port';
use Harness::Process 'spawn';
use Harness::Stream;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX 'mkfifo';

my $json = JSON::PP->new->utf8->canonical;

# --- the page's configuration ----------------------------------------------------------------------------------------

my %shown; # heading => its block
{
    open my $in, '<', 'docs/streams.md' or die "docs/streams.md: $!";
    my ($heading, $inside);
    while (my $line = <$in>) {
        if    ($inside && $line =~ /^```/) { $inside = 0 }
        elsif ($inside)                    { $shown{$heading} .= $line }
        elsif ($line =~ /^## (.*)$/)       { $heading = $1 }
        elsif ($line =~ /^```nginx$/)      { $inside = 1 }
    }
}
is_deeply [sort keys %shown],
    ['GraphQL', 'Long uploads', 'Server-sent events', 'The server', 'WebSockets', 'gRPC'], 'one configuration each';

my $secret = temporary_folder() . '/gateway-secret';
open my $out, '>', $secret or die "$secret: $!";
print {$out} "gateway-secret\n";
close $out;
chmod 0600, $secret;

# The server with all its locations. replace is the test's own.
sub page {
    my (@replace) = @_;
    my $text = $shown{'The server'} =~ s/^\}\n\z//mr;
    $text .= $shown{$_} for grep { $_ ne 'The server' } sort keys %shown;
    $text .= "}\n";
    while (my ($from, $to) = splice @replace, 0, 2) {
        $text =~ s/\Q$from\E/$to/g or die "docs/streams.md has no $from\n";
    }
    $text =~ s{listen 443 ssl http2;}{$& listen 80;} or die 'docs/streams.md does not listen';
    $text =~ s{(location /socket/ \{\s*proxy_pass http://)127\.0\.0\.1:8081}{$1%%SOCKETS%%} or die 'no /socket/';
    $text =~ s{(location /uploads/ \{.*?proxy_pass http://)127\.0\.0\.1:8081}{$1%%UPLOADS%%}s or die 'no /uploads/';
    $text =~ s{127\.0\.0\.1:8081\b}{%%API%%}g;
    $text =~ s{127\.0\.0\.1:50051\b}{%%GRPC%%}g;
    $text =~ s{https://login\.example\.com}{http://%%AS%%}g;
    $text =~ s{/etc/nginx/gateway-secret}{$secret}g;
    $text =~ s{/etc/ssl/certs/api\.example\.com\.pem}{%%TLS%%/server.pem}g;
    $text =~ s{/etc/ssl/private/api\.example\.com\.key}{%%TLS%%/server.key}g;
    $text =~ s{/var/cache/}{%%DIR%%/}g;
    return $text;
}

# --- clients and APIs that this project did not write ----------------------------------------------------------------

# Starts t/streams/NAME.py as a server, and returns its address.
sub peer_api {
    my ($name) = @_;
    my $port   = reserve_port();
    my $errors = temporary_folder() . '/errors';
    spawn(['/usr/bin/python3', "t/streams/$name.py", 'api', $port], err => $errors);
    my $up = until_true(patience(10), sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) });
    die "$name.py does not listen: " . slurp($errors) if !$up;
    return "127.0.0.1:$port";
}

# Starts t/streams/NAME.py as a client of a gateway. It takes commands from a FIFO and tells what happens, a line each.
sub peer_client {
    my ($name, $gateway) = @_;
    my $folder = temporary_folder();
    mkfifo("$folder/commands", 0600) or die "mkfifo: $!";
    spawn(['/usr/bin/python3', "t/streams/$name.py", 'client', $gateway->port('443'), $gateway->ca],
        in => "$folder/commands", out => "$folder/events", err => "$folder/errors");
    open my $commands, '>', "$folder/commands" or die "$name.py: $!";
    $commands->autoflush;
    return { commands => $commands, folder => $folder, heard => {} };
}

sub slurp { my ($file) = @_; open my $in, '<', $file or return ''; local $/ = undef; return scalar(<$in>) // '' }

sub command { my ($client, %command) = @_; return print { $client->{commands} } $json->encode(\%command), "\n" }

# The next thing that happens to the stream of that name.
sub event {
    my ($client, $name) = @_;
    my $heard = $client->{heard}{$name} //= [];
    until_true(patience(10), sub { hear($client) if !@{$heard}; scalar @{$heard} })
        or die "nothing happens to $name: " . slurp("$client->{folder}/errors");
    return shift @{$heard};
}

# Reads what the client has written since the last time.
sub hear {
    my ($client) = @_;
    $client->{events} //= do { open my $in, '<', "$client->{folder}/events" or return; $in };
    seek $client->{events}, 0, 1; # there may be more than the end that was seen
    while (defined(my $line = readline $client->{events})) {
        $client->{line} .= $line;
        next if $line !~ /\n\z/;
        my $event = $json->decode(delete $client->{line});
        push @{ $client->{heard}{ $event->{name} } }, $event;
    }
    return;
}

# The next thing that happens to the stream of that name, while nginx's clock goes on. It goes on more than once: what
# gRPC's API says of its own accord, of its windows for example, ends a silence.
sub event_in_time {
    my ($gateway, $seconds, $client, $name) = @_;
    until_true(patience(10), sub {
        advance($gateway, $seconds);
        hear($client);
        scalar @{ $client->{heard}{$name} // [] };
    });
    return event($client, $name);
}

# Sends a message on a stream and wants it back.
sub works {
    my ($client, $name, $text, $what) = @_;
    command($client, name => $name, message => $text);
    return is event($client, $name)->{got}, $text, $what;
}


# What an upload goes to: the test itself, so that it sees what comes before the body is there.
my $uploads = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Timeout => patience(10)) or die "listen: $!";

sub accept_upload {
    my $socket = $uploads->accept or die "no upload comes: $!\n";
    return Harness::Stream->new($socket, timeout => patience(10));
}

sub no_upload { return ok !IO::Select->new($uploads)->can_read(0), "$_[0]: the API sees nothing" }

my %apis = (SOCKETS => peer_api('websocket_peer'), GRPC => peer_api('grpc_peer'),
    UPLOADS => '127.0.0.1:' . $uploads->sockport);
# Where the clock is moved, an idle connection of a client and an entry of the cache stay for a day.
my @day = ('keys_zone=tokens:10m' => 'keys_zone=tokens:10m inactive=1d',
    'server_name api.example.com;' => 'server_name api.example.com; keepalive_timeout 1d;');

# Whose token is good for what.
sub know_tokens {
    my ($as) = @_;
    return $as->answers(
        'alice-token' => { jwt => { sub => 'alice', scope => 'orders' } },
        'poor-token'  => { jwt => { sub => 'poor', scope => 'other' } },
        'busy-token'  => { status => 503, headers => ['Retry-After: 7'] },
        'error-token' => { status => 500 },
        'late-token'  => { raw => [['hang']] },
    );
}

# What the log says of the requests to a path: "STATUS OUTCOME".
sub logged {
    my ($gateway, $path) = @_;
    return map { "$_->{status} $_->{outcome}" } grep { $_->{request} =~ m{^\S+ \Q$path\E[ ?]} } $gateway->access_log;
}

# nginx looks at the clock when something happens.
sub nudge { my ($gateway) = @_; return $gateway->get('/', port => 80) }

sub advance { my ($gateway, $seconds) = @_; $gateway->advance($seconds); return nudge($gateway) }

my $gateway = gateway(clock => 'time', servers => {%apis}, config => page(@day));
my ($as, $api) = ($gateway->as, $gateway->api);
know_tokens($as);
my $grpc    = peer_client('grpc_peer', $gateway);
my $sockets = peer_client('websocket_peer', $gateway);
my %bearer  = map { $_ => 'Bearer ' . $as->jwt_for("$_-token") } qw(alice poor);
my %tls     = (port => 443, tls => 1);

# --- GraphQL ---------------------------------------------------------------------------------------------------------

my @json     = (headers => ['Content-Type: application/json']);
my $query    = '{"query":"{ orders { id } }"}';
my $mutation = '{"query":"mutation { cancel(id: 1) }"}';
cases($gateway,
    (map {
        my ($name, $body) = @{$_};
        { name => "GraphQL: POST, $name",
          request => { %tls, path => '/graphql', token => 'alice-token', method => 'POST', body => $body, @json },
          status => 200, api => [{ method => 'POST', body => $body, authorization => 'Bearer <jwt>',
                                   upgrade => undef }] },
    } ['a query', $query], ['a mutation is for the API to judge', $mutation]),
    { name => 'GraphQL: GET', request => { %tls, path => '/graphql?query=%7Borders%7D', token => 'alice-token' },
      status => 200, api => [{ uri => '/graphql?query=%7Borders%7D', authorization => 'Bearer <jwt>' }] },
    (map {
        my ($method, %more) = @{$_};
        { name => "GraphQL: $method without a token", request => { %tls, path => '/graphql', method => $method, %more },
          as => 0, status => 401, challenge => { realm => 'api', scope => 'orders' }, outcome => 'missing' },
        { name => "GraphQL: $method, the scope is missing",
          request => { %tls, path => '/graphql', method => $method, token => 'poor-token', %more },
          status => 403, challenge => { realm => 'api', scope => 'orders', error => 'insufficient_scope' } },
    } ['GET'], ['POST', body => $query, @json]),
);
is jwt_claims($as->jwt_for('alice-token'))->{scope}, 'orders', 'GraphQL: the JWT has the scope';

# --- gRPC ------------------------------------------------------------------------------------------------------------

# Starts a call, and waits for the first message.
sub open_call {
    my ($client, $name, $method, $token) = @_;
    command($client, name => $name, method => $method, token => $token);
    return is event($client, $name)->{got}, 'open', "$name: opens";
}

# Makes a call of each kind that is refused, and returns what the client says of it: [method, the last event, how many
# messages it took for the API's].
my $calls = 0;

sub refused_calls {
    my ($gateway, $client, $token) = @_;
    my @events;
    for my $method (qw(Get Watch Chat)) {
        my $name = 'call ' . ++$calls;
        $as->forget_requests;
        command($client, name => $name, method => $method, token => $token);
        if (($token // '') eq 'late-token') {
            $as->wait_for_requests(1);
            advance($gateway, 61); # proxy_read_timeout is 60s
        }
        my @events_of_call = event($client, $name);
        push @events_of_call, event($client, $name) while !defined $events_of_call[-1]{status};
        push @events, [$method, $events_of_call[-1], $#events_of_call];
    }
    return @events;
}

command($grpc, name => 'Get', method => 'Get', token => 'alice-token');
is $json->decode(event($grpc, 'Get')->{got})->{authorization}, $bearer{alice}, 'gRPC: the JWT is in the metadata';
is event($grpc, 'Get')->{status}, 'OK', 'gRPC: a call ends well';
open_call($grpc, 'large', 'Chat', 'alice-token');
command($grpc, name => 'large', message => 'x', times => 1_100_000);
is event($grpc, 'large')->{got}, '1100000 bytes', 'gRPC: a message of more than 1 MB';
command($grpc, name => 'large', message => undef);
is event($grpc, 'large')->{status}, 'OK', 'gRPC: a stream ends well';

my $unavailable = 'the gateway cannot reach the API or the authorization server';
my $challenge   = 'Bearer realm="api", scope="orders", error="%s"';
my @refusals = ( # token, outcome, HTTP status, what the client sees: status, message, metadata
    [undef, 'missing', 401, 'UNAUTHENTICATED', 'the token is missing, invalid or expired',
     'www-authenticate' => 'Bearer realm="api", scope="orders"'],
    ['gone-token', 'inactive', 401, 'UNAUTHENTICATED', 'the token is missing, invalid or expired',
     'www-authenticate' => sprintf $challenge, 'invalid_token'],
    ['poor-token', 'insufficient_scope', 403, 'PERMISSION_DENIED', 'the token does not contain the required scope',
     'www-authenticate' => sprintf $challenge, 'insufficient_scope'],
    ['error-token', 'as_error', 502, 'UNAVAILABLE', $unavailable],
    ['busy-token', 'as_busy', 503, 'UNAVAILABLE', $unavailable, 'retry-after' => '7'],
    ['late-token', 'as_timeout', 504, 'UNAVAILABLE', $unavailable],
);
for my $row (@refusals) {
    my ($token, $outcome, undef, $status, $message, %metadata) = @{$row};
    for my $call (refused_calls($gateway, $grpc, $token)) {
        my ($method, $event, $messages) = @{$call};
        my $name = "gRPC: $outcome, $method";
        is $messages, 0, "$name: no message";
        is $event->{status}, $status, $name;
        is $event->{details}, $message, "$name: the message";
        is $event->{metadata}{$_}, $metadata{$_}, "$name: $_" for sort keys %metadata;
        is scalar(grep { $_ eq "200 $outcome" } logged($gateway, "/example.Orders/$method")), 1, "$name: in the log";
    }
}
for my $row ([undef, 16], ['poor-token', 7], ['error-token', 14]) {
    my ($token, $status) = @{$row};
    my $refused = $gateway->post('/example.Orders/Get', '', %tls, http2 => 1, token => $token);
    is_deeply [$refused->status, (map { $refused->header($_) } 'Content-Type', 'grpc-status'), $refused->body],
        [200, 'application/grpc', $status, ''], "gRPC: $status is a response of headers alone";
}

# Without error_page, and with an API that is out of reach. gRPC's client now and then takes the body of such a response
# for an empty message before it looks at the status.
{
    my @error_pages = ('401 = @unauthenticated', '403 = @permission_denied', '502 503 504 = @unavailable');
    my $bare = gateway(
        clock  => 'time', servers => { %apis, AS => $as, GRPC => '127.0.0.1:' . reserve_port() },
        config => page(@day, map { ("error_page $_;" => '') } @error_pages)
    );
    my $client = peer_client('grpc_peer', $bare);
    for my $row (@refusals, ['alice-token', 'active', 502, 'UNAVAILABLE']) {
        my ($token, $outcome, $http_status, $status) = @{$row};
        for my $call (refused_calls($bare, $client, $token)) {
            my ($method, $event) = @{$call};
            my $name = "gRPC without error_page: $outcome, $method";
            is $event->{status}, $status, $name;
            is $event->{details}, "Received http2 header with status: $http_status", "$name: the client's message";
        }
    }
}

# --- WebSockets ------------------------------------------------------------------------------------------------------

# Opens a socket, and returns the headers that the API got.
sub open_socket {
    my ($client, $name, $path, $token, %more) = @_;
    command($client, name => $name, path => $path, token => $token, %more);
    return $json->decode(event($client, $name)->{got} // die "$name does not open\n");
}

{
    my $exp = time + $gateway->clock + 600;
    $as->answers('minutes-token' => { jwt => { sub => 'alice', exp => $exp } });
    my $headers = open_socket($sockets, 'minutes', '/socket/', 'minutes-token');
    is $headers->{Authorization}, 'Bearer ' . $as->jwt_for('minutes-token'), 'WebSocket: the JWT';
    is $headers->{'X-Token-Expires'}, $exp, 'WebSocket: exp, and not what the client says of it';
    works($sockets, 'minutes', 'hello', 'WebSocket: a message there and back');
    command($sockets, name => 'minutes', message => undef);
    is event($sockets, 'minutes')->{closed}, 1000, 'WebSocket: closed in order';

    $headers = open_socket($sockets, 'no exp', '/socket/', 'alice-token');
    is $headers->{'X-Token-Expires'}, undef, 'WebSocket: no exp, no header';
    command($sockets, name => 'no exp', message => undef);
    event($sockets, 'no exp');

    command($sockets, name => 'missing', path => '/socket/');
    is event($sockets, 'missing')->{refused}, 401, 'WebSocket: no token';
    command($sockets, name => 'gone', path => '/socket/', token => 'gone-token');
    is event($sockets, 'gone')->{challenge}, 'Bearer realm="api", error="invalid_token"', 'WebSocket: inactive';
}

# --- server-sent events ----------------------------------------------------------------------------------------------

# A stream of events 0, 1, 2, …: each but the first comes when the API is released. It has no chunks: nginx hands those
# on as they come, whatever is said of buffers.
sub event_stream {
    my ($name, $count, @headers) = @_;
    my $head = join "\r\n", 'HTTP/1.1 200 OK', 'Content-Type: text/event-stream', 'Connection: close', @headers;
    my @more = map { ([hold => "$name-$_"], "data: $_\n\n") } 1 .. $count;
    return { raw => ["$head\r\n\r\ndata: 0\n\n", @more, ['close']] };
}

sub open_events {
    my ($gateway, $path, $token) = @_;
    my $connection = $gateway->connect(80);
    $connection->send(
        Harness::Client::request_bytes({ path => $path, token => $token, headers => ['Accept: text/event-stream'] })
    );
    return $connection;
}

cases($gateway,
    { name => 'events: no token', request => { %tls, path => '/events/' }, as => 0, api => 0, status => 401 },
    { name => 'events: allowed', request => { %tls, path => '/events/x', token => 'alice-token' }, status => 200,
      api => [{ uri => '/events/x', version => '1.1', authorization => 'Bearer <jwt>' }] },
);
is +($api->requests)[-1]->header('Connection'), undef, 'events: the connection to the API may be kept';

# --- an EventSource in a browser -------------------------------------------------------------------------------------

{
    my $browser = abs_path('build') . '/demo-page'; # playwright-core, as t/demo/page.t has it
    my $result  = run(['t/npm-install.sh', 't/demo', $browser], timeout => 600);
    die "npm-install.sh: $result->{err}\n" if $result->{code} != 0;
    my $head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    $as->answers('page-token' => { jwt => { sub => 'page' } });
    $api->answers('/events/page' => [
        { raw => [$head . "retry: 10\nid: 7\ndata: first\n\n", ['close']] },
        { raw => [$head . "data: second\n\n", [hold => 'page'], ['close']] },
    ]);
    $api->forget_requests;
    my $client = { folder => temporary_folder(), heard => {} };
    my $node   = spawn(['node', 't/streams/event_source.mjs'], out => "$client->{folder}/events",
        err => "$client->{folder}/errors", env => {
            URL => 'https://127.0.0.1:' . $gateway->port('443') . '/events/page', TOKEN => 'page-token',
            FOLDER => $browser, TMPDIR => $client->{folder}
        });
    my $happens = sub { my $event = event($client, 'page'); return $event->{is} // "got $event->{got}" };
    is_deeply [map { $happens->() } 1 .. 5], ['OPEN', 'got first', 'CONNECTING', 'OPEN', 'got second'],
        'EventSource: the stream has ended, and it comes again by itself';
    my @seen = $api->requests;
    is_deeply [map { $_->header('Last-Event-ID') } @seen], [undef, '7'], 'EventSource: with Last-Event-ID';
    is_deeply [map { $_->header('Authorization') } @seen], [('Bearer ' . $as->jwt_for('page-token')) x 2],
        'EventSource: each time with the JWT';
    $as->answers('page-token' => { status => 204 });
    advance($gateway, 31);
    $api->release('page');
    is_deeply [map { $happens->() } 1 .. 2], ['CONNECTING', 'CLOSED'],
        'EventSource: the token has ended, and it does not come again';
    until_true(patience(10), sub { waitpid($node, 1) != 0 }) or die "Chromium does not end\n";
    is_deeply [logged($gateway, '/events/page')], ['200 active', '200 active', '401 inactive'],
        'EventSource: three requests in all';
}

# --- long uploads ----------------------------------------------------------------------------------------------------

my $body = 'x' x 1_200_000; # more than client_max_body_size is without a line of the page

# The head of an upload; sent is what the client has sent of it, by and by.
sub open_upload {
    my ($gateway, $token, @headers) = @_;
    my $connection = $gateway->connect(80);
    my @token      = defined $token ? ("Authorization: Bearer $token") : ();
    $connection->send(
        join "\r\n", 'PUT /uploads/film HTTP/1.1', 'Host: localhost', 'Content-Length: ' . length $body, @token,
        @headers, '', ''
    );
    return $connection;
}

{
    my $client = open_upload($gateway, 'alice-token');
    my $server = accept_upload();
    like $server->read_through("\r\n\r\n"), qr/^Authorization: \Q$bearer{alice}\E\r$/m,
        'upload: the API has the JWT before the body';
    $client->send($body);
    ok $server->read_exactly(length $body) eq $body, 'upload: and then the body';
    $server->write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    is $client->response('PUT')->status, 201, 'upload: done';
}
{
    my $client = open_upload($gateway, 'alice-token', 'Expect: 100-continue');
    is $client->stream->read_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n", 'upload, Expect: let in by a 100';
    $client->close;
    accept_upload()->close;
}
for my $row ([undef, 'missing'], ['gone-token', 'inactive']) {
    my ($token, $outcome) = @{$row};
    my $client = open_upload($gateway, $token, 'Expect: 100-continue');
    my $refused = $client->response('PUT');
    is $refused->status, 401, "upload, Expect, $outcome: refused";
    is_deeply $refused->{interim}, [], "upload, Expect, $outcome: without a 100";
    check_refusal($refused);
    $client->send("GET /graphql HTTP/1.1\r\nHost: localhost\r\n\r\n");
    advance($gateway, 6);
    is $client->rest, '', "upload, Expect, $outcome: what comes in the body's place is thrown away, and nginx closes";
    no_upload("upload, Expect, $outcome");
}
{
    my $client = open_upload($gateway, 'gone-token');
    is $client->response('PUT')->status, 401, 'upload: refused before there is a body';
    ok $client->send('x' x 1000), 'upload: the client goes on';
    advance($gateway, 4);
    ok $client->send('x' x 1000), 'upload: and on';
    for (1 .. 7) { $gateway->advance(4); $client->send('x' x 1000); nudge($gateway) }
    is $client->rest, '', 'upload: after 30 seconds nginx closes, and has said nothing more';
    no_upload('upload, refused');
}
{
    my $client = $gateway->connect(80);
    $as->forget_requests;
    $client->send("PUT /uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418241\r\n"
            . "Authorization: Bearer other-token\r\n\r\n");
    is $client->response('PUT')->status, 413, 'upload: larger than client_max_body_size';
    is scalar(my @asked = $as->requests), 0, 'upload: larger, and the AS is not asked';
    $client->close;
}
no_upload('upload, 413');

# --- nothing ends a stream but silence -------------------------------------------------------------------------------

# Opens a stream of each kind, which names has ways to say something on it, and to see that it has ended.
my $streams = 0;

sub open_streams {
    my ($token) = @_;
    my $set = ++$streams;
    my %stream;
    open_socket($sockets, "socket $set", '/socket/', $token);
    $stream{WebSocket} = {
        talk  => sub { works($sockets, "socket $set", $_[0], $_[1]) },
        ended => sub { return event_in_time($gateway, 3601, $sockets, "socket $set")->{closed} },
    };
    open_call($grpc, "chat $set", 'Chat', $token);
    $stream{gRPC} = {
        talk  => sub { works($grpc, "chat $set", $_[0], $_[1]) },
        ended => sub { return event_in_time($gateway, 3601, $grpc, "chat $set")->{status} },
    };
    for my $path ('/events/', '/graphql') {
        my $name = "$path $set" =~ tr{/}{}dr;
        $api->answers($path => event_stream($name, 9));
        my $connection = open_events($gateway, $path, $token);
        like $connection->stream->read_through("data: 0\n\n"), qr{^HTTP/1\.1 200 .*\r\n\r\n}s, "$path opens";
        $api->answers($path => undef);
        my $count = 0;
        $stream{$path} = {
            talk => sub {
                my $number = ++$count;
                $api->release("$name-$number");
                return like $connection->stream->read_through("data: $number\n\n"), qr/data: $number\n/, $_[1];
            },
            ended => sub { return $connection->rest =~ /\r\n0\r\n/ ? 'complete' : 'cut' },
        };
    }
    return %stream;
}

# New requests of each kind with that token are a 401.
sub refused_by_now {
    my ($token, $outcome) = @_;
    cases($gateway, map {
        { name => "$outcome: $_ is refused", request => { port => 80, path => $_, token => $token }, status => 401,
          outcome => $outcome }
    } '/graphql', '/events/', '/uploads/');
    command($sockets, name => $outcome, path => '/socket/', token => $token);
    is event($sockets, $outcome)->{refused}, 401, "$outcome: a WebSocket is refused";
    is $_->[1]{status}, 'UNAUTHENTICATED', "$outcome: $_->[0] is refused" for refused_calls($gateway, $grpc, $token);
    return;
}

{
    $as->answers('short-token' => { jwt => { sub => 'alice', scope => 'orders', exp => time + $gateway->clock + 60 } });
    my %stream = open_streams('short-token');
    my $upload = open_upload($gateway, 'short-token');
    my $server = accept_upload();
    $server->read_through("\r\n\r\n");
    for my $from (0, 400_000) { # a pause may be 60 seconds
        $upload->send(substr $body, $from, 400_000);
        $server->read_exactly(400_000);
        advance($gateway, 31);
    }
    refused_by_now('short-token', 'expired');
    $stream{$_}{talk}->('expired', "expired: the stream goes on: $_") for sort keys %stream;
    $upload->send(substr $body, 800_000);
    is length $server->read_exactly(400_000), 400_000, 'expired: the upload goes on, to its end';
    $server->write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    is $upload->response('PUT')->status, 201, 'expired: and is accepted';
}

my %stream = open_streams('alice-token');
$as->answers('alice-token' => { status => 204 });
is $gateway->get('/graphql', port => 80, token => 'alice-token')->status, 200, 'revoked: the cache does not know yet';
advance($gateway, 31);
refused_by_now('alice-token', 'inactive');
$stream{$_}{talk}->('revoked', "revoked: the stream goes on: $_") for sort keys %stream;

$as->answers('alice-token' => { jwt => { sub => 'alice', scope => 'orders' } });
open_call($grpc, 'silent', 'Watch', 'alice-token');
open_socket($sockets, 'pinged', '/socket/', 'alice-token');
for my $half (1 .. 3) {
    advance($gateway, 1800);
    $stream{$_}{talk}->("half an hour $half", "$half half hours: $_") for sort keys %stream;
    command($sockets, name => 'pinged', ping => 1);
    is event($sockets, 'pinged')->{got}, 'pong', "$half half hours: a WebSocket with pings alone";
}
is event_in_time($gateway, 3601, $grpc, 'silent')->{status}, 'INTERNAL', 'an hour of silence: a silent API';
my %ended = (WebSocket => 1006, gRPC => 'INTERNAL', '/events/' => 'cut', '/graphql' => 'cut');
is $stream{$_}{ended}->(), $ended{$_}, "an hour of silence: $_" for sort keys %ended;
is event($sockets, 'pinged')->{closed}, 1006, 'an hour of silence: a WebSocket that had pings';

{
    my $client = open_upload($gateway, 'alice-token');
    my $server = accept_upload();
    $server->read_through("\r\n\r\n");
    advance($gateway, 61);
    is $server->read_to_end, '', 'upload: after a minute\'s pause the API sees its end';
    is $client->rest, '', 'upload: and the client no response';
}

# --- what the lines of the page are good for: without them -----------------------------------------------------------

{
    my $without = gateway(
        clock  => 'time', servers => { %apis, AS => $as, API => $api },
        config => page(@day, map { ("$_;" => '') } 'proxy_request_buffering off', 'proxy_buffering off',
            'client_body_timeout 1h', 'client_max_body_size 0')
    );
    my $client = peer_client('grpc_peer', $without);
    open_call($client, 'large', 'Chat', 'alice-token');
    command($client, name => 'large', message => 'x', times => 1_100_000);
    is event($client, 'large')->{status}, 'INTERNAL', 'client_max_body_size 1m: a larger message ends the call';
    open_call($client, 'pause', 'Chat', 'alice-token');
    is event_in_time($without, 61, $client, 'pause')->{status}, 'INTERNAL', 'client_body_timeout 60s: a pause';

    # The body comes while the JWT expires.
    my $exp = time + $without->clock + 60;
    $as->answers('upload-token' => { jwt => { sub => 'alice', exp => $exp } });
    my $upload = open_upload($without, 'upload-token', 'Expect: 100-continue');
    $upload->stream->read_through("\r\n\r\n");
    $upload->send(substr $body, 0, 400_000);
    advance($without, 31);
    no_upload('buffered upload, half of it');
    $upload->send(substr $body, 400_000, 400_000);
    advance($without, 31);
    $upload->send(substr $body, 800_000);
    my $server = accept_upload();
    like $server->read_through("\r\n\r\n"), qr/^Authorization: Bearer \Q@{[$as->jwt_for('upload-token')]}\E\r$/m,
        'buffered upload: the API gets the JWT';
    cmp_ok $exp, '<', time + $without->clock, 'buffered upload: which has expired by then';
    $server->read_exactly(length $body);
    $server->write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    is $upload->response('PUT')->status, 201, 'buffered upload: the gateway lets it through';

    $api->answers('/events/kept' => event_stream('kept', 1),
        '/events/asked' => event_stream('asked', 1, 'X-Accel-Buffering: no'));
    my ($kept, $asked) = map { open_events($without, $_, 'alice-token') } '/events/kept', '/events/asked';
    like $asked->stream->read_through("data: 0\n\n"), qr{^HTTP/1\.1 200 }, 'X-Accel-Buffering: no: the event comes';
    # Time enough for the other: three more requests there and back.
    $without->get('/events/other', port => 80, token => 'alice-token') for 1 .. 3;
    ok !IO::Select->new($kept->stream->socket)->can_read(0), 'without it, and without proxy_buffering off: it does not';
    $api->release($_) for 'asked-1', 'kept-1';
    like $kept->stream->read_through("data: 1\n\n"), qr/data: 0\n\n/, 'but when the stream has ended';
    like $asked->stream->read_through("data: 1\n\n"), qr/data: 1\n\n/, 'X-Accel-Buffering: no: the next event';
}

# --- what ends a stream: the API at exp, a reload --------------------------------------------------------------------

{
    my $reloaded = gateway(servers => { %apis, AS => $as, API => $apis{SOCKETS} }, config => page());
    my ($calls, $ws) = (peer_client('grpc_peer', $reloaded), peer_client('websocket_peer', $reloaded));

    my @graphql = (subprotocols => ['graphql-transport-ws']);
    my $headers = open_socket($ws, 'subscription', '/graphql', 'alice-token', @graphql);
    is_deeply [@{$headers}{qw(Authorization Sec-WebSocket-Protocol)}],
        ['Bearer ' . $as->jwt_for('alice-token'), 'graphql-transport-ws'], 'GraphQL: a subscription over a WebSocket';
    command($ws, name => 'no token', path => '/graphql', @graphql);
    is event($ws, 'no token')->{refused}, 401, 'GraphQL: no subscription for who would say his token later';

    open_call($calls, 'old', 'Chat', 'alice-token');
    is $reloaded->reload(main => 'worker_shutdown_timeout 1s;'), '', 'reload: the new workers have a time to close';
    open_socket($ws, 'socket', '/socket/', 'alice-token');
    open_call($calls, 'new', 'Chat', 'alice-token');

    # In the time of the token the gateway must have been asked.
    $as->answers('short-token' => { jwt => { sub => 'alice', scope => 'orders', exp => int time + pace(6) } });
    open_socket($ws, 'short', '/socket/', 'short-token');
    open_call($calls, 'short', 'Watch', 'short-token');
    my $event = event($ws, 'short');
    is_deeply [@{$event}{qw(closed reason)}], [1008, 'the token has ended'], 'the API ends a WebSocket at exp';
    $event = event($calls, 'short');
    is_deeply [@{$event}{qw(status details)}], ['UNAUTHENTICATED', 'the token has ended'], 'the API ends a call at exp';
    command($ws, name => 'again', path => '/socket/', token => 'short-token');
    is event($ws, 'again')->{refused}, 401, 'and the gateway lets nobody in with that token';

    is $reloaded->reload, '', 'reload: the next';
    is event($ws, 'socket')->{closed}, 1006, 'worker_shutdown_timeout closes a WebSocket';
    is event($calls, 'new')->{status}, 'UNAVAILABLE', 'worker_shutdown_timeout closes a call';
    works($ws,    'subscription', 'still', 'a WebSocket from before the first reload has the old configuration');
    works($calls, 'old',          'still', 'so does a call');
    command($ws,    name => 'subscription', message => undef);
    command($calls, name => 'old',          message => undef);
    is event($ws, 'subscription')->{closed}, 1000, 'until it ends';
    is event($calls, 'old')->{status}, 'OK', 'until it ends';
}

done_testing;
