# Authorization servers that answer with JSON alone, of those that Debian and npm have. t/servers has more.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::JsonServer qw(forwarded_jwt json_server_flows secret_file);

my $as     = real_server('django-oauth-toolkit');
my $secret = secret_file('gateway-secret');
my $wrong  = secret_file('wrong');
my $gateway = json_server_flows(
    $as,
    client => "phantom_token_client_id gateway; phantom_token_client_secret_file $secret;",
    wrong  => { secret => "phantom_token_client_secret_file $wrong;", id => 'phantom_token_client_id nobody;' },
    members => [qw(scope exp client_id)],
    claims => { sub => 'app', client_id => 'app', scope => 'read' },
);

# It has no sub for its users either, so the JWT's is the client: an API must look at username.
my $user = $as->token(client => 'ropc', scope => 'read',
                      form => { grant_type => 'password', username => 'alice', password => 'alice-secret' });
is $gateway->get('/sign', token => $user)->status, 200, 'a user: allowed';
is_deeply [@{ jwt_claims(forwarded_jwt($gateway)) }{qw(sub client_id username)}], [qw(ropc ropc alice)],
    'a user: sub, client_id, username';

done_testing;
