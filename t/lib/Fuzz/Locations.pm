package Fuzz::Locations;

# The gateway that is attacked: many locations, each with its own rules, as nginx's configuration and as the oracle has
# them.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(locations configuration is_down is_long_down);

my %SCOPED = (scopes => [qw(read write)]);

# Keys: lines (of the location), way, scopes, match, issuers, audiences, leeway, members, bound, verify, inbound,
# preflight, open (satisfy any), limit, flaps (the server behind it is down now and then), stale; confirmation (verify
# or require), and there certificate (one may be shown), nonce (one is asked for), replay (a proof is good once).
my %LOCATION = (
    all      => { lines => 'phantom_token_scopes "read write";', %SCOPED },
    any      => { lines => 'phantom_token_scopes "read admin"; phantom_token_scope_match any;',
                  scopes => [qw(read admin)], match => 'any' },
    prefix   => { lines => 'phantom_token_scope invoice_*; phantom_token_scope read;', scopes => [qw(invoice_* read)] },
    plain    => { lines => '' },
    issuer   => { lines => 'phantom_token_issuer https://as.example https://as2.example;',
                  issuers => ['https://as.example', 'https://as2.example'] },
    audience => { lines => 'phantom_token_audience api web;', audiences => [qw(api web)] },
    strict   => {
        lines =>
            'phantom_token_scopes "read write"; phantom_token_issuer https://as.example; phantom_token_audience api;',
        %SCOPED, issuers => ['https://as.example'], audiences => ['api']
    },
    leeway   => { lines => 'phantom_token_leeway 2h;', leeway => 7200 },
    member   => { lines => 'phantom_token_jwt_member alt jwt;', members => [qw(alt jwt)] },
    small    => { lines => 'phantom_token_max_response_size 700;', limit => 700 },
    bound    => { lines => 'phantom_token_confirmation pass;', bound => 1 },
    verified => {
        lines => 'phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks; phantom_token_scopes "read write";',
        verify => 1, %SCOPED
    },

    exchange          => { way => 'exchange', lines => 'phantom_token_scopes "read write"; phantom_token_audience api;',
                           %SCOPED, audiences => ['api'] },
    'exchange-cached' => { way => 'exchange', endpoint => '_exchange_cached',
                           lines => 'phantom_token_exchange_audience api;' },

    'in-ask'    => { lines => 'phantom_token_inbound_jwt introspect; phantom_token_scopes "read write";', %SCOPED,
                     inbound => 'introspect' },
    'in-verify' => { way => '', lines => 'phantom_token_inbound_jwt verify; phantom_token_jwks_endpoint /_jwks; '
                         . 'phantom_token_audience api; phantom_token_scopes "read write";',
                     %SCOPED, audiences => ['api'], inbound => 'verify' },
    'in-either' => { lines => 'phantom_token_inbound_jwt verify; phantom_token_verify_jwt on; '
                         . 'phantom_token_jwks_endpoint /_jwks; phantom_token_audience api;', audiences => ['api'],
                     inbound => 'verify', verify => 1 },
    'in-pass'   => { lines => 'phantom_token_inbound_jwt pass; phantom_token_issuer https://as.example; '
                         . 'phantom_token_scopes "read write";', %SCOPED, issuers => ['https://as.example'],
                     inbound => 'pass' },
    'in-reject' => { lines => 'phantom_token_inbound_jwt reject; phantom_token_scopes "read";', scopes => ['read'],
                     inbound => 'reject' },

    'preflight-answer'  => { lines => 'phantom_token_preflight answer; phantom_token_scopes "read write";', %SCOPED,
                             preflight => 'answer' },
    'preflight-protect' => { lines => 'phantom_token_preflight protect; phantom_token_scopes "read write";', %SCOPED,
                             preflight => 'protect' },

    'any-basic'   => {
        lines =>
            'satisfy any; auth_basic users; auth_basic_user_file %%DIR%%/users; phantom_token_scopes "read write";',
        %SCOPED, open => 'basic'
    },
    'any-address' => { lines => 'satisfy any; allow 127.0.0.1; deny all; phantom_token_scopes "read write";', %SCOPED,
                       open => 'address' },

    keys            => { lines => 'phantom_token_confirmation verify;', confirmation => 'verify' },
    'keys-scopes'   => { lines => 'phantom_token_confirmation verify; phantom_token_scopes "read write";', %SCOPED,
                         confirmation => 'verify' },
    'keys-only'     => { lines => 'phantom_token_confirmation require; phantom_token_dpop_replay proofs;',
                         confirmation => 'require', replay => 1 },
    'keys-hot'      => { endpoint => '_cached', confirmation => 'verify', replay => 1,
                         lines => 'phantom_token_confirmation verify; phantom_token_dpop_replay proofs; '
                             . 'phantom_token_hot_cache hot;' },
    'keys-nonce'    => { lines => 'phantom_token_confirmation verify; phantom_token_dpop_nonce %%DIR%%/nonces;',
                         confirmation => 'verify', nonce => 1 },
    'keys-tls'      => { lines => 'phantom_token_confirmation require; '
                             . 'phantom_token_client_certificate $http_x_certificate;',
                         confirmation => 'require', certificate => 1 },
    'keys-tls-hot'  => { endpoint => '_cached', confirmation => 'verify', certificate => 1, nonce => 1, replay => 1,
                         lines => 'phantom_token_confirmation verify; phantom_token_hot_cache hot; '
                             . 'phantom_token_client_certificate $http_x_certificate; '
                             . 'phantom_token_dpop_nonce %%DIR%%/nonces; phantom_token_dpop_replay proofs;' },
    'keys-exchange' => { way => 'exchange', lines => 'phantom_token_confirmation verify; phantom_token_audience api;',
                         audiences => ['api'], confirmation => 'verify' },
    'keys-inbound'  => { lines => 'phantom_token_confirmation verify; phantom_token_inbound_jwt verify; '
                             . 'phantom_token_jwks_endpoint /_jwks; phantom_token_audience api;', audiences => ['api'],
                         inbound => 'verify', confirmation => 'verify' },
    'keys-preflight' => { lines => 'phantom_token_confirmation require; phantom_token_preflight answer;',
                          confirmation => 'require', preflight => 'answer' },

    # One zone and one key, other rules.
    cached          => { endpoint => '_cached', lines => '' },
    'cached-scopes' => { endpoint => '_cached', lines => 'phantom_token_scopes "read write";', %SCOPED },
    'cached-admin'  => { endpoint => '_cached',
                         lines => 'phantom_token_scopes admin; phantom_token_issuer https://as.example;',
                         scopes => ['admin'], issuers => ['https://as.example'] },
    hot             => { endpoint => '_cached', lines => 'phantom_token_hot_cache hot;' },
    'hot-scopes'    => { endpoint => '_cached',
                         lines => 'phantom_token_hot_cache hot; phantom_token_scopes "read write";', %SCOPED },
    'hot-strict'    => { endpoint => '_cached', lines => 'phantom_token_hot_cache hot; phantom_token_scopes admin; '
                             . 'phantom_token_issuer https://as.example; phantom_token_audience api;',
                         scopes => ['admin'], issuers => ['https://as.example'], audiences => ['api'] },
    'hot-member'    => { endpoint => '_cached',
                         lines => 'phantom_token_hot_cache hot; phantom_token_jwt_member alt jwt;',
                         members => [qw(alt jwt)] },
    'hot-verified'  => {
        endpoint => '_cached',
        lines => 'phantom_token_hot_cache hot; phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks;',
        verify => 1
    },
    'hot-exchange'  => { way => 'exchange', endpoint => '_exchange_cached',
                         lines => 'phantom_token_hot_cache hot; phantom_token_audience api;', audiences => ['api'] },
    'cached-body'   => { endpoint => '_cached_body',
                         lines => 'set $read $request_body; phantom_token_scopes "read write";', %SCOPED },
    stale           => { endpoint => '_stale', lines => 'phantom_token_scopes "read write";', %SCOPED, flaps => 1 },
    'stale-on'      => { endpoint => '_stale', lines => 'phantom_token_stale on; phantom_token_scopes "read write";',
                         %SCOPED, flaps => 1, stale => 1 },
    'stale-hot'     => { endpoint => '_stale',
                         lines => 'phantom_token_hot_cache hot; phantom_token_scopes "read write";', %SCOPED,
                         flaps => 1 },
    redirected      => { lines => 'phantom_token_scopes read; try_files /nonexistent /cached-scopes/landed;', %SCOPED },
);

# Behind the locations that flap the server is up for three seconds and down for six. An entry of its cache is good for
# one: in the last two seconds whatever is left there is stale, also where a busy machine was three seconds late with
# the last good answer.
sub is_down      { my ($time) = @_; return int($time) % 9 >= 3 }
sub is_long_down { my ($time) = @_; return int($time) % 9 >= 7 && $time - int $time > 0.1 }

sub locations {
    return map { { way => 'introspection', scopes => [], issuers => [], audiences => [], leeway => 0, match => 'all',
                   preflight => 'pass', inbound => 'introspect',
        members => [qw(jwt phantom_token token_string)], limit => 65_536, %{ $LOCATION{$_} },
        name => $_ } } sort keys %LOCATION;
}

# The parts for Harness::gateway.
sub configuration {
    my $cache = 'proxy_cache_methods POST; proxy_ignore_headers Cache-Control Expires Set-Cookie;';
    my $hour  = 'proxy_cache_valid 200 204 1h;';
    # The server closes a kept connection whenever it likes; the question is then asked once more, since what must pass
    # must.
    my @ask   = (
        'internal;', 'proxy_http_version 1.1; proxy_set_header Connection ""; '
            . 'proxy_next_upstream error timeout non_idempotent; proxy_read_timeout 20s;'
    );
    my $text  = '';
    for my $location (locations()) {
        my $endpoint = $location->{endpoint} // ($location->{way} eq 'exchange' ? '_exchange' : '_introspect');
        my $line = $location->{way} ? "phantom_token_$location->{way}_endpoint /$endpoint;" : '';
        $text .= "location /$location->{name} { $line $location->{lines} proxy_pass http://backend; }\n";
    }
    return (
        log_level => 'info',
        http      => <<'END',
        proxy_cache_path %%DIR%%/tokens keys_zone=tokens:4m;
        proxy_cache_path %%DIR%%/bodies keys_zone=bodies:4m;
        proxy_cache_path %%DIR%%/stale keys_zone=stale:4m;
        phantom_token_hot_cache zone=hot:256k valid=1h;
        phantom_token_dpop_replay zone=proofs:8m;
        upstream as { server %%AS%%; keepalive 8; }
        upstream backend { server %%API%%; keepalive 8; }
END
        server => <<'END',
        phantom_token on;
        phantom_token_client_id gateway;
        phantom_token_client_secret_file %%DIR%%/secret;
        add_header X-Outcome $phantom_token_status always;
        add_header X-Cache $phantom_token_cache always;
        client_max_body_size 1m;
        proxy_http_version 1.1; proxy_set_header Connection "";
END
        locations => <<"END",
        $text
        location = /open { phantom_token off; proxy_pass http://backend; }
        location = /_introspect { $ask[0] proxy_pass http://as/introspect; $ask[1] }
        location = /_exchange { $ask[0] proxy_pass http://as/exchange; $ask[1] }
        location = /_jwks { $ask[0] proxy_pass http://as/jwks; $ask[1] }
        location = /_cached { $ask[0] proxy_pass http://as/introspect; $ask[1] proxy_cache tokens;
                              $cache $hour proxy_cache_key \$phantom_token_key; }
        location = /_exchange_cached { $ask[0] proxy_pass http://as/exchange; $ask[1] proxy_cache tokens;
                                       $cache $hour proxy_cache_key \$phantom_token_key; }
        location = /_stale {
            $ask[0] proxy_pass http://as/flapping; $ask[1] proxy_cache stale; $cache proxy_cache_valid 200 204 1s;
            proxy_cache_key \$phantom_token_key; proxy_cache_use_stale error timeout http_500;
        }
        location = /_cached_body { $ask[0] proxy_pass http://as/introspect; $ask[1] proxy_cache bodies;
                                   $cache $hour proxy_cache_key \$request_body; }
END
    );
}

1;
