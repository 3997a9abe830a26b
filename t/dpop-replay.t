# phantom_token_dpop_replay: a proof is good once, whichever worker sees it, over a reload, and whatever the clock does;
# where a proof cannot be remembered, it is not accepted (RFC 9449 section 11.1).

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Dpop qw(dpop_key dpop_proof dpop_headers);
use IO::Socket::INET;

my $key       = dpop_key('ES256');
my $all       = 'ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256';
my $challenge = { scheme => 'DPoP', algs => $all, realm => 'api', error => 'invalid_dpop_proof' };
my %good      = (status => 200, outcome => 'active', api => 1);
my %replay    = (status => 401, outcome => 'dpop_replay', challenge => $challenge,
    log => qr/\[info\] .*phantom token: dpop_replay: .*, location "\//);
my %proof     = (status => 401, outcome => 'dpop_proof', challenge => $challenge);
my $locations = <<'END';
    location / { phantom_token on; proxy_pass http://%%API%%; }
    location /off { phantom_token on; phantom_token_dpop_replay off; proxy_pass http://%%API%%; }
    location /other { phantom_token on; phantom_token_dpop_replay other; proxy_pass http://%%API%%; }
    location /scope { phantom_token on; phantom_token_scopes write; proxy_pass http://%%API%%; }
    location /moved { phantom_token on; proxy_intercept_errors on; error_page 404 = /part/moved;
                      proxy_pass http://%%API%%; }
    location = /page { phantom_token on; ssi on; proxy_pass http://%%API%%; }
    location /part { phantom_token on; proxy_pass http://%%API%%; }
    location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
END

sub replay_gateway {
    my (%part) = @_;
    my $zones  = delete $part{zones} // 'phantom_token_dpop_replay zone=proofs:1m;';
    my $server = delete $part{server} // '';
    my $new    = gateway(http => $zones, locations => $locations =~ s/^.*(?:\boff\b|\bother\b).*\n//gmr,
        server => server_part($server), %part);
    $new->as->answers('bound-token' => { jwt => { sub => 'alice', cnf => { jkt => $key->thumbprint } } });
    return $new;
}

sub server_part {
    my ($more) = @_;
    return "phantom_token_confirmation verify; phantom_token_dpop_replay proofs; $more"
        . 'phantom_token_introspection_endpoint /_introspect;';
}

# The headers of a proof made now, as that gateway sees it.
sub once {
    my ($gateway, %option) = @_;
    my $now = time + ($gateway->{clock} ? $gateway->clock : 0);
    return [dpop_headers($key, 'bound-token', htu => 'http://localhost/', now => $now, %option)];
}

sub asked {
    my ($gateway, $name, $headers, $expected, $path) = @_;
    cases($gateway,
        { name => $name, request => { path => $path // '/', headers => $headers }, %{$expected} });
    return;
}

# --- twice -----------------------------------------------------------------------------------------------------------

my $gateway = replay_gateway(
    zones     => 'phantom_token_dpop_replay zone=proofs:1m; phantom_token_dpop_replay zone=other:1m;',
    locations => $locations,
);
{
    my $headers = once($gateway);
    asked($gateway, 'the first time',            $headers, \%good);
    asked($gateway, 'the second time',           $headers, \%replay);
    asked($gateway, 'the third time',            $headers, \%replay);
    asked($gateway, 'another proof of this key', once($gateway), \%good);

    my $same = once($gateway, claims => { jti => 'of-two-keys' });
    my $two  = dpop_key('ES256');
    $gateway->as->answers('two-token' => { jwt => { sub => 'bob', cnf => { jkt => $two->thumbprint } } });
    asked($gateway, 'a jti of one key',     $same, \%good);
    asked($gateway, 'the same of another',  [dpop_headers($two, 'two-token', htu => 'http://localhost/',
        claims => { jti => 'of-two-keys' })], \%good);
    asked($gateway, 'another proof with a jti that was used', once($gateway, claims => { jti => 'of-two-keys' }),
        \%replay);

    my $everywhere = once($gateway, htu => 'http://localhost/off');
    asked($gateway, "off: time $_", $everywhere, \%good, '/off') for 1, 2;
    my $elsewhere = once($gateway, htu => 'http://localhost/other', claims => { jti => 'of-two-zones' });
    asked($gateway, 'another zone', $elsewhere, \%good, '/other');
    asked($gateway, 'another zone, the second time', $elsewhere, \%replay, '/other');
    asked($gateway, 'this zone has not seen that', once($gateway, claims => { jti => 'of-two-zones' }), \%good);
}

# What has not passed all else is not recorded, so that nobody uses up another's jti.
{
    my %jti = (claims => { jti => 'not-yet' });
    my ($authorization, $good) = @{ once($gateway, %jti) };
    asked($gateway, 'a proof that does not hold', once($gateway, %jti, signer => dpop_key('ES256')), \%proof);
    my $thief = dpop_key('ES256');
    asked($gateway, 'a proof of another key', ['Authorization: DPoP bound-token',
        'DPoP: ' . dpop_proof($thief, htu => 'http://localhost/', token => 'bound-token', %jti)], \%proof);
    asked($gateway, 'its jti is as good as new', [$authorization, $good], \%good);
    my $scope = once($gateway, htu => 'http://localhost/scope');
    asked($gateway, "a token without the scope, time $_", $scope, { status => 403, outcome => 'insufficient_scope' },
        '/scope') for 1, 2;
}

# --- once for a request, with all that comes of it -------------------------------------------------------------------

cases($gateway, map({
    my ($name, $path, $seen, %answers) = @{$_};
    my $headers = once($gateway, htu => "http://localhost$path");
    ({ name => $name, request => { path => $path, headers => $headers }, status => 200, api => $seen,
       api_answers => \%answers },
     { name => "$name, the second time", request => { path => $path, headers => $headers }, %replay })
}   ['a page and its parts', '/page', 3, '/page' => { headers => ['Content-Type: text/html'],
        body => '<!--#include virtual="/part/a" --><!--#include virtual="/part/b" -->' }],
    ['an error_page', '/moved', 2, '/moved' => { status => 404 }]));

# --- at once on two workers ------------------------------------------------------------------------------------------

# Each worker asks the authorization server for itself, which answers when both have asked.
{
    my $both = replay_gateway(workers => 2);
    $both->as->answers('bound-token' =>
            { hold => 'gate', jwt => { sub => 'alice', cnf => { jkt => $key->thumbprint } } });
    my $headers = once($both);
    my @connections;
    until_true(patience(20), sub {
        push @connections, $both->connect if @connections < 200;
        $connections[-1]->send(join "\r\n", 'GET / HTTP/1.1', 'Host: localhost', @{$headers}, '', '')
            if @connections <= 200 && !$connections[-1]{sent}++;
        scalar(my @seen = $both->as->requests) >= 2;
    }) or die "one worker took all connections\n";
    $both->as->release('gate');
    my %count;
    $count{ $_->response('GET')->status }++ for @connections;
    is_deeply \%count, { 200 => 1, 401 => @connections - 1 }, 'at once on two workers: one of ' . @connections;
    is scalar(my @api = $both->api->requests), 1, 'at once on two workers: the API saw one';
    $_->close for @connections;
}

# --- reload ----------------------------------------------------------------------------------------------------------

{
    my $running = replay_gateway(clock => 'time');
    my $headers = once($running);
    asked($running, 'before a reload', $headers, \%good);
    is $running->reload, '', 'reload';
    asked($running, 'after a reload', $headers, \%replay);

    # What is kept for the 60 s of the default is a good proof again when proofs may be older.
    my $longer = once($running);
    asked($running, 'before a longer phantom_token_dpop_max_age', $longer, \%good);
    is $running->reload(server => server_part('phantom_token_dpop_max_age 10m;')), '', 'reload with a longer max_age';
    $running->advance(120);
    asked($running, 'after it: two minutes old', $longer, \%replay);
    $running->advance(590 - 120);
    asked($running, 'after it: almost ten minutes old', $longer, \%replay);
    asked($running, 'after it: a new one', once($running), \%good);
}

# A proof that was forgotten before the reload is not good again. A small zone is rid of what has ended at once.
{
    my $running = replay_gateway(clock => 'time', zones => 'phantom_token_dpop_replay zone=proofs:32k;');
    my $old     = once($running);
    asked($running, 'before', $old, \%good);
    $running->advance(240);
    asked($running, 'what is new drives out what has ended', once($running), \%good) for 1 .. 3;
    is $running->reload(server => server_part('phantom_token_dpop_max_age 10m;')), '', 'reload with a longer max_age';
    asked($running, 'a proof that the zone has forgotten', $old, \%replay);
}

# A zone of another size is a new one. It cannot know what the old one has seen.
{
    my $running = replay_gateway(clock => 'time');
    my $headers = once($running);
    asked($running, 'before a reload with another size', $headers, \%good);
    is $running->reload(http => 'phantom_token_dpop_replay zone=proofs:2m;'), '', 'reload with another size';
    asked($running, 'after a reload with another size', $headers, \%replay);
    $running->advance(2);
    asked($running, 'after it: a new one', once($running), \%good);
}

# The same with a longer max_age, in one reload or in two: what the old zone has forgotten is not good again.
for my $way ('at once', 'size behind age') {
    my $running = replay_gateway(clock => 'time');
    my $old     = once($running);
    my @both    = (http => 'phantom_token_dpop_replay zone=proofs:2m;', server =>
        server_part('phantom_token_dpop_max_age 10m;'));
    asked($running, "$way: before", $old, \%good);
    $running->advance(240);
    asked($running, "$way: a later one", once($running), \%good);
    is $running->reload($way eq 'at once' ? @both : @both[2, 3]), '', "$way: reload";
    is $running->reload(@both[0, 1]), '', "$way: second reload" if $way ne 'at once';
    asked($running, "$way: forgotten before", $old, { status => 401, outcome => 'dpop_replay' });
    asked($running, "$way: a new one", once($running), \%good);
}

# A reload that fails when the new zone has been made: the old workers go on.
{
    my $running = replay_gateway(clock => 'time');
    my $before  = once($running);
    asked($running, 'a reload that fails: before', $before, \%good);
    my $blocked = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!";
    $running->announce(qr/\[emerg\].*bind\(\)|still could not bind/);
    my $from = $running->log->position;
    isnt $running->reload(http => 'phantom_token_dpop_replay zone=proofs:2m;',
        server => 'listen 127.0.0.1:' . $blocked->sockport . '; ' . server_part('')), '', 'a reload that fails';
    $running->log->wait_for(qr/still could not bind/, $from) or die "nginx does not give up\n";
    is $running->reload(http => 'phantom_token_dpop_replay zone=proofs:1m;', server => server_part('')), '',
        'the next one goes back to what runs';
    asked($running, 'the next one goes back: a new one passes at once', once($running), \%good);
    isnt $running->reload(http => 'phantom_token_dpop_replay zone=proofs:2m;',
        server => 'listen 127.0.0.1:' . $blocked->sockport . '; ' . server_part('')), '', 'it fails again';
    my $new = until_true(patience(20), sub { $running->get('/', headers => once($running))->status == 200 });
    ok $new, 'a reload that fails: new proofs pass again';
    asked($running, 'a reload that fails: what was used', $before, \%replay);
}

# --- a full zone -----------------------------------------------------------------------------------------------------

{
    my $small = replay_gateway(clock => 'time', zones => 'phantom_token_dpop_replay zone=proofs:32k;');
    $small->announce(qr/\[error\].*is full/);
    my ($first, $client) = (once($small), $small->connect);
    my $from  = $small->log->position;
    my $count = 0;
    my $last  = $client->get('/', headers => $first);
    while ($last->status == 200 && $count++ < 10_000) { $last = $client->get('/', headers => once($small)) }
    cmp_ok $count, '>', 20, "a full zone: it had room for $count";
    is $last->status, 503, 'a full zone: refused';
    check_refusal($last);
    like $last->header('Retry-After'), qr/^[1-9]\d?$/, 'a full zone: Retry-After';
    is $small->logged($last)->{outcome}, 'dpop_replay_full', 'a full zone: the outcome';
    like $small->log->wait_for(qr/\[error\]/, $from), qr/dpop_replay_full: .*"proofs".*full/, 'a full zone: the log';
    $client->close;
    asked($small, 'a full zone: what it knows is refused as ever', $first, \%replay);
    $small->advance(120);
    asked($small, 'a full zone: when they have ended there is room', once($small), \%good);
    check_faults($small);
}

# --- the clock is set ------------------------------------------------------------------------------------------------

{
    my $set    = replay_gateway(clock => 'wall');
    my $before = once($set);
    asked($set, 'clock: before', $before, \%good);
    $set->set_clock(3600);
    asked($set, 'clock: an hour on, it is old', $before, \%proof);
    my $ahead = once($set);
    asked($set, 'clock: an hour on, a new one', $ahead, \%good);
    $set->set_clock(0);
    asked($set, 'clock: set back, what was used is refused', $before, \%replay);
    asked($set, 'clock: set back, one from ahead', $ahead, \%proof);
    asked($set, 'clock: set back, a new one', once($set), \%good);
}

done_testing;
