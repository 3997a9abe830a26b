# nginx-conf/limits-by-subject.conf: the tested way to limit by $phantom_token_sub, which is empty before the access
# phase.

use strict;
use warnings;
use lib 't/lib';
use Harness;

sub text_of {
    open my $in, '<', "nginx-conf/$_[0]" or die "nginx-conf/$_[0]: $!";
    local $/ = undef;
    return scalar <$in>;
}

my $text  = text_of('limits-by-subject.conf');
my @where = (
    'http://127.0.0.1:9400' => 'http://%%AS%%', 'http://127.0.0.1:8081' => 'http://%%API%%',
    '/var/cache/phantom-token' => '%%DIR%%/cache', '/run/' => '%%DIR%%/'
);

# --- as it stands ----------------------------------------------------------------------------------------------------

{
    my $gateway = gateway(config => $text, replace => [@where]);
    cases($gateway,
        { name => 'limits by subject: a token', request => {
            path => '/api/x', port => 80, token => 'alice-token', host => 'api.example.com',
            headers => ['X-Forwarded-For: 192.0.2.1']
        }, answers => { 'alice-token' => { jwt => { sub => 'alice' } } }, status => 200,
          as  => [{ uri => '/token/introspection', authorization => 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==' }],
          api => [{ uri => '/api/x', authorization => 'Bearer <jwt>', host => 'api.example.com',
                    x_gateway_subject => undef, x_forwarded_for => '192.0.2.1, 127.0.0.1' }] },
        { name => 'limits by subject: a body',
          request => { method => 'POST', path => '/api/x', port => 80, token => 'alice-token', body => 'x' x 50_000 },
          status => 200, api => [{ body_length => 50_000 }] },
        { name => 'limits by subject: a chunked body',
          request => { method => 'POST',
                       path => '/api/x', port => 80, token => 'alice-token', chunked => ['abc', 'def'] },
          status => 200, api => [{ body => 'abcdef' }] },
        { name => 'limits by subject: no token',
          request => { path => '/api/x', port => 80 }, status => 401, as => 0, challenge => { realm => 'api' } },
        { name => 'limits by subject: a bad token', request => { path => '/api/x', port => 80, token => 'bad-token' },
          status => 401, challenge => { realm => 'api', error => 'invalid_token' } },
    );
}

# --- the limit, made so low that the test need not hurry -------------------------------------------------------------

{
    my $gateway = gateway(config => $text, replace => [@where, 'rate=10r/s' => 'rate=1r/m', 'burst=20' => 'burst=2']);
    my %subject = (
        'alice-1-token' => 'alice', 'alice-2-token' => 'alice', 'bob-token' => 'bob', 'carol-token' => 'carol',
        'odd-token' => "o d/\"\x{e4}", 'long-token' => 'x' x 300
    );
    $gateway->as->answers((map { $_ => { jwt => { sub => $subject{$_} } } } keys %subject), map {
        $_ => { jwt => { client_id => 'app' } }
    } 'none-1-token', 'none-2-token');

    my $statuses = sub {
        my (@requests) = @_;
        return join ' ', map {
            my ($token, @headers) = @{$_};
            $gateway->get('/api/', port => 80, defined $token ? (token => $token) : (), headers => \@headers)->status
        } @requests;
    };
    is $statuses->((['alice-1-token']) x 5), '200 200 200 429 429', 'limits by subject: one and a burst of 2, then 429';
    is $statuses->((['alice-2-token']) x 2), '429 429',
        'limits by subject: another token of the same subject shares the limit';
    is $statuses->(['bob-token']), '200', 'limits by subject: another subject has its own';
    is $statuses->(
        map { ['alice-1-token', $_] } 'X-Gateway-Subject: sub:carol', 'x-gateway-subject: sub:carol',
        'X_Gateway_Subject: sub:carol', 'X-Gateway-Subject:'
    ), '429 429 429 429', 'limits by subject: no client chooses a bucket by the header';
    is $statuses->((['carol-token']) x 4), '200 200 200 429', 'limits by subject: nor empties another one\'s';
    is $statuses->((['bob-token', 'X-Gateway-Subject: a', 'X-Gateway-Subject: b']) x 3), '200 200 429',
        'limits by subject: nor by two headers';
    is $statuses->((['none-1-token'], ['none-2-token']) x 2), '200 200 200 429',
        'limits by subject: tokens without a subject are limited, together';
    is $statuses->((['odd-token']) x 4), '200 200 200 429', 'limits by subject: a subject of any characters';
    is $statuses->((['long-token']) x 4), '200 200 200 429', 'limits by subject: a long one';
    is $statuses->((['bad-token']) x 5, ([undef]) x 5), join(' ', ('401') x 10),
        'limits by subject: refusals are never counted, and never limited';
    $gateway->announce(qr/limiting requests/);

    my $limited = $gateway->get('/api/', port => 80, token => 'alice-1-token');
    is $limited->header('WWW-Authenticate'), undef, 'limits by subject: 429 has no challenge';
    is scalar(grep { defined $_->header('X-Gateway-Subject') } $gateway->api->requests), 0,
        'limits by subject: the API never sees the header';
    ok !grep({ ($_->header('Authorization') // '') !~ /^Bearer eyJ/ } $gateway->api->requests),
        'limits by subject: the API always sees a JWT';

    # Pipelined on one connection, and over connections that nginx keeps to its second server.
    my $connection = $gateway->connect(80);
    $connection->send(join '', map {
        "GET /api/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $_\r\n\r\n"
    } 'alice-1-token', 'bad-token', 'bob-token', 'alice-2-token');
    is join(' ', map { $connection->response->status } 1 .. 4), '429 401 429 429', 'limits by subject: pipelining';
    is $connection->finish, '', 'limits by subject: nothing is left';
}

done_testing;
