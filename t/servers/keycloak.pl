# Keycloak behind the gateway.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $as = real_server('keycloak');
my $gateway = gateway(servers => { AS => $as }, locations => <<'END');
    location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; proxy_pass http://%%API%%; }
    location = /_introspect {
        internal; proxy_pass http://%%AS%%/realms/demo/protocol/openid-connect/token/introspect;
    }
END
cases($gateway,
    { name => 'a realm that is not there', request => { path => '/', token => 'alice-token' }, status => 502,
      outcome => 'as_error', log => qr/\[error\].*404/ });

done_testing;
