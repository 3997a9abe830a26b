# HTTP/3, where nginx has it: 1.25 and later, if it was built with it. Debian 12's nginx has not.

use strict;
use warnings;
use lib 't/lib';
use Harness;

plan(skip_all => 'this nginx has no HTTP/3') if !Harness::Nginx::has('http_v3_module');

my $gateway = gateway(
    server    => 'listen 127.0.0.1:%%PORT:h3%% quic; listen 127.0.0.1:%%PORT:h3%% ssl; '
        . 'ssl_certificate %%TLS%%/server.pem; ssl_certificate_key %%TLS%%/server.key;',
    protected => 'phantom_token_scopes read; client_max_body_size 1m;',
);
my %alice = (port => 'h3', http3 => 1, token => 'alice-token');
my $jwt   = { jwt => { sub => 'alice', scope => 'read' } };
my $body  = join ' ', 1 .. 40_000;

cases($gateway,
    { name => 'HTTP/3: no token', request => { path => '/orders', port => 'h3', http3 => 1 }, as => 0, status => 401,
      challenge => { realm => 'api', scope => 'read' }, outcome => 'missing' },
    { name => 'HTTP/3: a token', request => { %alice, path => '/orders' }, answers => { 'alice-token' => $jwt },
      as => [{ method => 'POST', body => 'token=alice-token&token_type_hint=access_token' }],
      api => [{ uri => '/orders', authorization => 'Bearer <jwt>' }], status => 200, outcome => 'active' },
    { name => 'HTTP/3: inactive', request => { %alice, token => 'unknown-token' }, as => 1, status => 401,
      challenge => { realm => 'api', error => 'invalid_token', scope => 'read' }, outcome => 'inactive' },
    { name => 'HTTP/3: malformed', request => { %alice, token => 'mal,formed' }, as => 0, status => 401,
      challenge => { realm => 'api', error => 'invalid_token', scope => 'read' }, outcome => 'malformed' },
    { name => 'HTTP/3: a scope is missing', request => { %alice, token => 'bob-token' },
      answers => { 'bob-token' => { jwt => { sub => 'bob', scope => 'write' } } },
      as => 1, status => 403, challenge => { realm => 'api', error => 'insufficient_scope', scope => 'read' },
      outcome => 'insufficient_scope' },
    { name => 'HTTP/3: the AS fails', request => { %alice, token => 'broken-token' },
      answers => { 'broken-token' => { status => 500 } }, as => 1, status => 502, outcome => 'as_error' },
    { name => 'HTTP/3: an upload while the AS is asked',
      request => { %alice, body => $body }, answers => { 'alice-token' => { %{$jwt}, delay => 0.2 } },
      as => 1, api => [{ method => 'POST', body_length => length $body, authorization => 'Bearer <jwt>' }],
      status => 200, outcome => 'active' },
    { name => 'HTTP/3: an upload that is refused', request => { port => 'h3', http3 => 1, body => $body }, as => 0,
      status => 401, challenge => { realm => 'api', scope => 'read' }, outcome => 'missing' },
);

done_testing;
