# Bearer and form: which bytes of a request are a token (RFC 6750 section 2.1, RFC 9110 section 11.4), and how a token
# gets to the AS.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $gateway = gateway(
    protected => 'phantom_token_scopes "read";',
    server    => 'listen 127.0.0.1:%%PORT:h2%% http2;',
    log       => { key => 'phantom_token_key' },
);

my %challenge = (realm => 'api', scope => 'read');
my %missing   = (status => 401, as => 0, challenge => \%challenge, outcome => 'missing');
my %malformed = (status => 401, as => 0, challenge => { %challenge, error => 'invalid_token' }, outcome => 'malformed');
my %active    = (status => 200, outcome => 'active', api => [{ authorization => 'Bearer <jwt>' }]);
my %alice     = (answers => { 'alice-token' => { jwt => { sub => 'alice', scope => 'read' } } });

sub header { return { headers => ["Authorization: $_[0]"] } }

# What the AS gets for a token whose encoded form is this.
sub form { return [{ method => 'POST', uri => '/introspect', body => "token=$_[0]&token_type_hint=access_token" }] }

# --- no token --------------------------------------------------------------------------------------------------------

cases($gateway,
    { name => 'Bearer: no Authorization header: 401 without error', request => {}, %missing },
    map { { name => "Bearer: another scheme: $_->[0]", request => header($_->[1]), %missing } }
        ['Basic',                                   'Basic eA=='],
        ['an empty header',                         ''],
        ['Basic with the word in the credentials',  'Basic xBearer other-token'],
        ['Basic, then Bearer in one header',        'Basic eA==, Bearer other-token'],
        ['Digest with the word in a parameter',     'Digest username="Bearer other-token"'],
        ['a longer word',                           'Bearers other-token'],
        ['a longer word, comma',                    'Bearer,other-token'],
        ['a longer word, colon',                    'Bearer: other-token'],
        ['a longer word, equals sign',              'Bearer=other-token'],
        ['a shorter word',                          'Beare r-other-token'],
        ['a word before it',                        'xBearer other-token'],
        ['a quote before it',                       '"Bearer other-token"'],
        ['a TAB before it',                         "\tBearer other-token"],
        ['a TAB before it, after a space',          " \tBearer other-token"],
        ['a no-break space before it',              "\xa0Bearer other-token"],
        ['no scheme, the token alone',              'other-token'],
        ['a letter that folds to r (long s)',       "\xc5\xbfearer other-token"],
        ['a scheme that ends in DPoP',              'BearerDPoP other-token'],
);

cases($gateway,
    { name => 'DPoP scheme: 401, never taken for Bearer', request => header('DPoP alice-token'), %alice, %missing },
    { name => 'DPoP scheme with a proof',
      request => { headers => ['Authorization: DPoP alice-token', 'DPoP: eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.c2ln'] },
      %missing },
    { name => 'DPoP scheme in other case', request => header('dpop alice-token'), %missing },

    (map {
        { name => "Bearer: a token in another header: $_",
          request => { headers => ["$_: Bearer alice-token"] }, %missing }
    }
        'Proxy-Authorization', 'X-Authorization', 'Authorization-', 'Cookie'),
    { name => 'Bearer: a header with an underscore is no Authorization',
      request => { headers => ['Authorization_: Bearer alice-token'] }, %missing },

    { name => 'RFC 6750 section 2.3: access_token in the query is ignored',
      request => { path => '/?access_token=query-token' }, %missing },
    { name => 'RFC 6750 section 2.2: access_token in the form is ignored', %missing,
      request => { method => 'POST', path => '/', body => 'access_token=form-token',
                   headers => ['Content-Type: application/x-www-form-urlencoded'] } },
    { name => 'access_token in the query beside a good header: the header counts, the query goes on',
      request => { path => '/?access_token=query-token', token => 'alice-token' },
      as => form('alice-token'), %active,
      api => [{ uri => '/?access_token=query-token', authorization => 'Bearer <jwt>' }] },
    { name => 'access_token in the form beside a good header: the header counts, the form goes on',
      as => form('alice-token'), %active,
      request => { method => 'POST', path => '/', token => 'alice-token', body => 'access_token=form-token',
                   headers => ['Content-Type: application/x-www-form-urlencoded'] },
      api => [{ method => 'POST', body => 'access_token=form-token', authorization => 'Bearer <jwt>' }] },
    { name => 'access_token in query and form do not fill in for a bad header', %malformed,
      request => { method => 'POST', path => '/?access_token=query-token', body => 'access_token=form-token',
                   headers => ['Authorization: Bearer', 'Content-Type: application/x-www-form-urlencoded'] } },
);

# --- malformed -------------------------------------------------------------------------------------------------------

cases($gateway, map { { name => "Bearer: malformed, AS not asked: $_->[0]", request => header($_->[1]), %malformed } }
    ['Bearer alone',                    'Bearer'],
    ['Bearer and spaces',               'Bearer   '],
    ['a TAB for the space',             "Bearer\tmal-token"],
    ['a TAB after the space',           "Bearer \tmal-token"],
    ['a TAB before the space',          "Bearer\t mal-token"],
    ['a TAB behind the token',          "Bearer mal-token\t"],
    ['a space inside',                  'Bearer mal formed'],
    ['a second token',                  'Bearer mal-token other-token'],
    ['a second scheme',                 'Bearer Bearer mal-token'],
    ['a comma inside',                  'Bearer mal,formed'],
    ['a second credential',             'Bearer mal-token, Basic eA=='],
    ['a parameter',                     'Bearer token="mal-token"'],
    ['quotes',                          'Bearer "mal-token"'],
    ['= before the end',                'Bearer mal=formed'],
    ['= before the end, padded too',    'Bearer mal=formed=='],
    ['= first',                         'Bearer =mal-formed'],
    ['nothing but =',                   'Bearer ==='],
    ['a byte of 0x80',                  "Bearer mal\x80formed"],
    ['a byte of 0xff',                  "Bearer mal-token\xff"],
    ['UTF-8',                           "Bearer m\xc3\xa4l-token"],
    ['a no-break space',                "Bearer \xa0mal-token"],
    ['DEL',                             "Bearer mal\x7fformed"],
    (map { [sprintf('0x%02x', $_), 'Bearer mal' . chr($_) . 'formed'] } 0x01, 0x08, 0x0b, 0x0c, 0x1b, 0x1f),
    (map { ["the character $_", "Bearer mal${_}formed"] } split //, q(!"#$%&'()*:;<>?@[\]^`{|})),
);

# nginx refuses these itself, before any module sees them.
cases($gateway, map { { name => "Bearer: $_->[0]: 400", request => $_->[1], status => 400, as => 0, api => 0 } }
    ['two headers',
     { headers => ['Authorization: Bearer alice-token', 'Authorization: Bearer other-token'] }],
    ['two headers, the same twice',       { headers => [('Authorization: Bearer alice-token') x 2] }],
    ['two headers, Basic and Bearer',
     { headers => ['Authorization: Basic eA==', 'Authorization: Bearer alice-token'] }],
    ['two headers, in different case',
     { headers => ['authorization: Bearer alice-token', 'AUTHORIZATION: Basic eA=='] }],
    ['two headers, the first one empty',  { headers => ['Authorization:', 'Authorization: Bearer alice-token'] }],
    ['NUL inside',                        { headers => ["Authorization: Bearer mal\0formed"] }],
);

# --- well-formed -----------------------------------------------------------------------------------------------------

cases($gateway, map {
    { name => "Bearer: accepted: $_->[0]", request => header($_->[1]), as => form('alice-token'), %alice, %active }
}
    ['as usual',                     'Bearer alice-token'],
    ['lower case',                   'bearer alice-token'],
    ['upper case',                   'BEARER alice-token'],
    ['any case',                     'bEaReR alice-token'],
    ['several spaces',               'Bearer     alice-token'],
    ['no space before, RFC 9110',    'Bearer alice-token   '],
    ['spaces before and behind',     '   Bearer  alice-token  '],
);
cases($gateway,
    { name => 'Bearer: accepted: name of the header in any case',
      request => { headers => ['aUTHORIZATION: Bearer alice-token'] }, as => form('alice-token'), %active },
    { name => 'Bearer: accepted: no space behind the colon',
      request => { headers => ['Authorization:Bearer alice-token'] }, as => form('alice-token'), %active },
    { name => 'Bearer: HTTP/1.0 without a Host',
      request => { version => '1.0', token => 'alice-token' }, as => form('alice-token'), %active },
    { name => 'Bearer: HTTP/1.0 with a Host',
      request => { version => '1.0', token => 'alice-token', host => 'localhost' }, as => form('alice-token'),
      %active },
    { name => 'Bearer: HTTP/1.0, none', request => { version => '1.0' }, %missing },
    { name => 'Bearer: HTTP/1.0, malformed',
      request => { version => '1.0', headers => ['Authorization: Bearer'] }, %malformed },
    { name => 'Bearer: HTTP/2', request => { path => '/', http2 => 1, port => 'h2', token => 'alice-token' },
      as => form('alice-token'), %active },
    { name => 'Bearer: HTTP/2, none', request => { path => '/', http2 => 1, port => 'h2' }, %missing },
    { name => 'Bearer: HTTP/2, malformed',
      request => { path => '/', http2 => 1, port => 'h2', headers => ['Authorization: Bearer mal,formed'] },
      %malformed },
    { name => 'Bearer: HTTP/2, DPoP',
      request => { path => '/', http2 => 1, port => 'h2', headers => ['Authorization: DPoP alice-token'] }, %missing },
    { name => 'Bearer: HTTP/2, two headers',
      request => { path => '/', http2 => 1, port => 'h2',
                   headers => ['Authorization: Bearer alice-token', 'Authorization: Bearer other-token'] },
      status => 400, as => 0, api => 0 },
    { name => 'Bearer: HTTP/0.9 has no headers, so no token',
      request => { raw => "GET /\r\n" }, fails => qr/bad status line|cut in its head/, as => 0, api => 0 },
    { name => 'Bearer: absolute form',
      request => { path => 'http://localhost/orders', token => 'alice-token' }, as => form('alice-token'), %active },

    # Whatever the client asks for, the AS sees a POST with our headers and nothing of the client's.
    (map { { name => "Bearer: $_",
             request => { method => $_, path => '/orders?x=1', token => 'alice-token',
                          headers => ['Cookie: a=b', 'Accept: */*', 'X-Forwarded-For: 192.0.2.1', 'If-None-Match: "x"',
                                      'Range: bytes=0-1', 'Accept-Encoding: gzip', 'User-Agent: x'],
        /^P/ ? (body => 'client_id=evil') : () },
        as => [{ method => 'POST', uri => '/introspect', body => 'token=alice-token&token_type_hint=access_token',
                 accept => 'application/jwt', content_type => 'application/x-www-form-urlencoded', content_length => 46,
            header_names => [qw(Host Connection Content-Length Accept User-Agent Content-Type)] }],
        %active, api => [{ method => $_, uri => '/orders?x=1', authorization => 'Bearer <jwt>', cookie => 'a=b',
                           accept => '*/*', body => /^P/ ? 'client_id=evil' : '' }] } }
        qw(GET HEAD POST PUT PATCH DELETE)),
    { name => 'OPTIONS that is no preflight is treated as any request',
      request => { method => 'OPTIONS', path => '/' }, %missing },
    { name => 'OPTIONS that is no preflight, with a token',
      request => { method => 'OPTIONS', path => '/', token => 'alice-token' }, as => form('alice-token'), %active },
    { name => 'OPTIONS *',
      request => { raw => "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\n\r\n" },
      status => 400, as => 0, api => 0 },
);

# --- form ------------------------------------------------------------------------------------------------------------

# Every character that a b64token may have, and how application/x-www-form-urlencoded writes it (RFC 6749 appendix B).
my $b64token = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-._~+/==';
cases($gateway, map { my ($name, $token, $encoded) = @{$_}; {
    name => "Form: $name", request => { token => $token }, as => form($encoded // $token),
    answers => { $token => { jwt => { sub => 'form', scope => 'read' } } }, %active } }
    ['one character',                           'x'],
    ['+ and / and = arrive as sent',            'a+b/c==',       'a%2Bb%2Fc%3D%3D'],
    ['every character of a b64token',           $b64token,       $b64token =~ s/([~+\/=])/sprintf '%%%02X', ord $1/ger],
    ['much padding',                            'pad' . '=' x 9, 'pad' . '%3D' x 9],
    ['dots alone',                              '...'],
    ['a token that looks like a path',          '../../token',   '..%2F..%2Ftoken'],
    ['a token that looks like a JWT is opaque', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'],
);

# What could add a parameter is no b64token; what could be decoded twice neither.
cases($gateway, map { { name => "Form: adds no parameter: $_", request => header("Bearer $_"), %malformed } }
    't&client_id=evil', 'evil%26client_id', 'evil&token=other-token', 'evil;client_id', 'evil%00', '%', '%zz');

# --- long tokens -----------------------------------------------------------------------------------------------------

# The request line and each header have one buffer of 8 KB by default (large_client_header_buffers 4 8k): the name, the
# scheme, the token and the end of the line share it.
{
    my $room = 8192 - length "Authorization: Bearer \r\n";
    cases($gateway,
        (map { my ($name, $token) = @{$_}; {
            name => "long token: $name", request => { path => '/', token => $token },
            answers => { $token => { jwt => { sub => 'long', scope => 'read' } } }, %active,
            as => form($token =~ s/([~+\/=])/sprintf '%%%02X', ord $1/ger) } }
            ['7.9 KB',                                 'L' . 'x' x 7_899],
            ['7.9 KB of characters that are escaped',  'L' . '+/' x 3_949 . '='],
            ['the longest that nginx takes',           'M' . 'x' x ($room - 1)],
        ),
        { name => 'long token: one byte more is nginx\'s 400',
          request => { token => 'N' . 'x' x $room }, status => 400, as => 0, api => 0 },
        { name => 'long token: malformed at its last byte',
          request => header('Bearer ' . 'x' x 7_900 . ','), %malformed },
        { name => 'long token: HTTP/2',
          request => { path => '/', http2 => 1, port => 'h2', token => 'H' . 'x' x 7_899 },
          answers => { 'H' . 'x' x 7_899 => { jwt => { sub => 'long', scope => 'read' } } }, as => 1, %active },
        { name => 'long token: a long JWT in place of a short token', request => { token => 'short-token' },
          answers => { 'short-token' => { jwt => { sub => 'x', scope => 'read', pad => 'p' x 30_000 } } }, as => 1,
          %active },
    );

    my $small = gateway(server => 'client_max_body_size 100;');
    my $long  = 'S' . 'x' x 7_899;
    cases($small,
        { name => 'long token: client_max_body_size is for what clients send', request => { token => $long },
          answers => { $long => { jwt => { sub => 'long' } } }, as => form($long), %active },
        { name => 'long token: and holds for that',
          request => { token => $long, method => 'POST', body => 'x' x 101 }, status => 413, as => 0, api => 0 },
    );

    my $wide = gateway(server => 'large_client_header_buffers 4 64k;', introspection => 'proxy_buffer_size 4k;');
    my $token = 'W' . '+' x 60_000;
    cases($wide,
        { name => 'long token: 60 KB with larger large_client_header_buffers',
          request => { token => $token }, answers => { $token => { jwt => { sub => 'long' } } },
          as => [{ body => undef, body_length => length 'token=W&token_type_hint=access_token' . '%2B' x 60_000 }],
          %active },
    );
}

# --- nothing stays from one request to the next ----------------------------------------------------------------------

{
    my $connection = $gateway->connect;
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice', scope => 'read' } },
        'bob-token' => { jwt => { sub => 'bob', scope => 'read' } });
    $_->forget_requests for $gateway->as, $gateway->api;
    my @steps = (
        ['alice-token', 200], [undef, 401], ['bob-token', 200], ['unknown-token', 401], [undef, 401],
        ['alice-token', 200], ['alice-token', 200]
    );
    my @expected;
    for my $n (0 .. $#steps) {
        my ($token, $status) = @{ $steps[$n] };
        is $connection->get("/$n", defined $token ? (token => $token) : ())->status, $status,
            "keepalive: request $n: " . ($token // 'no token') . ", $status";
        push @expected, "/$n Bearer " . $gateway->as->jwt_for($token) if $status == 200;
    }
    is $connection->finish, '', 'keepalive: nothing is left over';
    is_deeply [map { $_->{uri} . ' ' . $_->header('Authorization') } $gateway->api->requests], \@expected,
        'keepalive: the API saw each one\'s own JWT';
    is scalar($gateway->as->requests), 5, 'keepalive: the AS was asked for each token, once a request';

    my $pipeline = $gateway->connect;
    $gateway->api->forget_requests;
    $pipeline->send(
        join '', map { "GET /$_->[0] HTTP/1.1\r\nHost: x\r\n$_->[1]\r\n" }
            ['a', "Authorization: Bearer alice-token\r\n"], ['none', ''], ['b', "Authorization: Bearer bob-token\r\n"],
        ['bad', "Authorization: Bearer a,b\r\n"]
    );
    is join(' ', map { $pipeline->response->status } 1 .. 4), '200 401 200 401',
        'pipelining: each request by its own token';
    is $pipeline->finish, '', 'pipelining: nothing is left over';
    is_deeply [map { $_->header('Authorization') } $gateway->api->requests],
        [map { 'Bearer ' . $gateway->as->jwt_for("$_-token") } qw(alice bob)],
        'pipelining: the API saw each one\'s own JWT';
}

# --- $phantom_token_key belongs to the token, not to how it was sent -------------------------------------------------

{
    my %key = map { my $request = $_->[1]; $_->[0] => $gateway->logged($gateway->request(%{$request}))->{key} }
        (['plain', { token => 'alice-token' }], ['spaces', header('bearer    alice-token  ')],
         ['other', { token => 'alice-tokem' }], ['none', {}], ['bad', header('Bearer a,b')]);
    like $key{plain}, qr/^[0-9a-f]{64}$/, '$phantom_token_key: hex SHA-256';
    is $key{spaces}, $key{plain}, '$phantom_token_key: the same for the same token';
    isnt $key{other}, $key{plain}, '$phantom_token_key: another for another token';
    is "$key{none}$key{bad}", '', '$phantom_token_key: empty without a token';
}

done_testing;
