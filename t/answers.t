# Answers of the AS (docs/outcomes.md): whatever comes back from the introspection endpoint, and however it comes, the
# client gets the row of the table and the API sees the JWT or nothing.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Ports 'full_port';
use IO::Socket::INET;
use Socket qw(INADDR_LOOPBACK);
use Time::HiRes 'time';

my $fixed = jwt({ sub => 'fixed' }); # what must not get in by a side door, so it would be good enough

# --- how a table is read ---------------------------------------------------------------------------------------------

# The rows of Outcomes that an answer can lead to.
my %invalid = (status => 401, challenge => { realm => 'api', error => 'invalid_token' });
my %OUTCOME = (
    active        => { status => 200, api => [{ authorization => 'Bearer <jwt>' }] },
    inactive      => {%invalid},
    expired       => {%invalid},
    as_busy       => { status => 503, challenge => undef },
    as_timeout    => { status => 504, challenge => undef },
    misconfigured => { status => 500, challenge => undef },
    map { $_ => { status => 502, challenge => undef } } qw(as_refused_client as_error as_bad_response),
);

sub outcome {
    my ($word) = @_;
    return (%{ $OUTCOME{as_error} }, outcome => $word) if ref $word; # a pattern: one of the 502
    return (%{ $OUTCOME{$word} // die "no outcome $word\n" }, outcome => $word);
}

my $tokens = 0;
sub new_token { return sprintf 'token-number-%d', ++$tokens }

# A table of [name, answer, outcome, more]: the AS gives this answer to a request at that path.
sub answers {
    my ($gateway, $path, @rows) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return cases($gateway, map {
        my ($name, $answer, $word, %more) = @{$_};
        my $token = $path =~ /cached/ ? new_token() : 'alice-token';
        { name => $name, request => { path => $path, token => $token }, answers => { $token => $answer }, as => 1,
          outcome($word), %more }
    } @rows);
}

# The same, where proxy_cache would keep the answer for an hour: the AS is asked again, and its good answer counts.
sub not_cached {
    my ($gateway, $path, @rows) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return cases($gateway, map {
        my ($name, $answer, $word) = @{$_};
        my $token   = new_token();
        my %request = (request => { path => $path, token => $token });
        (
            { name => "$name: refused",
              %request, answers => { $token => [$answer, { jwt => { sub => 'good' } }] }, as => 1, outcome($word) },
            { name => "$name: not cached, the next answer counts",
              %request, as => 1, outcome('active'), cache => qr/^(?:MISS|EXPIRED)$/ },
            { name => "$name: the good one is cached", %request, as => 0, outcome('active'), cache => 'HIT' },
        )
    } @rows);
}

# A protected location and the introspection location behind it.
sub way {
    my ($name, $introspection, $protected) = @_;
    $protected //= '';
    return <<"END";
        location /$name {
            phantom_token on;
            phantom_token_introspection_endpoint /_$name;
            proxy_pass http://%%API%%;
            $protected
        }
        location = /_$name { internal; $introspection }
END
}

my $as     = 'proxy_pass http://%%AS%%/introspect;';
my $cached =
    'proxy_cache tokens; proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 204 1h;';
my $small  = 'proxy_buffer_size 1k; proxy_buffers 2 1k; proxy_busy_buffers_size 1k;';
my $quick  = 'proxy_read_timeout 2s;'; # longer than between two pieces of what drips, shorter than all of it

# A JSON answer of exactly so many bytes.
sub json_of {
    my ($size) = @_;
    my $json = '{"active":true,"jwt":"' . $fixed . '"}';
    return { type => 'application/json', body => $json . ' ' x ($size - length $json) };
}


my $gateway = gateway(
    http => <<'END',
    proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
    upstream kept { server %%AS%%; keepalive 4; }
END
    locations => join '',
        way('plain', $as),
        way('member', $as, 'phantom_token_jwt_member first second;'),
        way('typed', "$as default_type application/jwt;"),
        way('cached', "$as $cached"),
        way('cached-typed', "$as $cached default_type application/jwt;"),
        way('small', "$as $small proxy_max_temp_file_size 0;"),
        way('file', "$as $small"),
        way('unbuffered', "$as proxy_buffering off;"),
        way('kept', 'proxy_pass http://kept/introspect; proxy_http_version 1.1; proxy_set_header Connection "";'),
        (map { way("limit-$_->[0]", "$as proxy_read_timeout 5s; $_->[1]", 'phantom_token_max_response_size 1k;') }
            ['plain', ''], ['cached', $cached], ['unbuffered', 'proxy_buffering off;'], ['small', $small]),
        (map { way("quick-$_->[0]", "$as $quick $_->[1]", "phantom_token_response_timeout @{[pace(3000)]}ms;") }
            ['plain', ''], ['cached', $cached], ['unbuffered', 'proxy_buffering off;'], ['small', $small]),
);

# --- the table: by status --------------------------------------------------------------------------------------------

answers($gateway, '/plain',
    ['200 application/jwt: that JWT', { jwt => { sub => 'alice' } }, 'active'],
    ['204: inactive', { status => 204 }, 'inactive'],
    ['204 with the headers of a JWT: inactive',
     { status => 204, headers => ['Content-Type: application/jwt', 'Content-Length: 40'] }, 'inactive'],
    (map { ["$_ with a JWT: 502", { status => $_, jwt => { sub => 'alice' } }, 'as_bad_response'] }
         201, 202, 203, 205, 206, 207, 226, 299),
    (map { ["$_ with a JWT: 502", { status => $_, jwt => { sub => 'alice' } }, 'as_error'] }
        300, 301, 302, 303, 304, 307, 308, 399, 400, 402, 404, 405, 406, 408, 410, 415, 418, 422, 444, 451, 494, 497,
            499, 500, 501, 502, 505, 507, 599),
    (map { ["$_, a status of no class, with a JWT: 502", { status => $_, jwt => { sub => 'alice' } }, 'as_error'] }
         600, 999),
    (map {
        ["a redirect is not followed: $_",
         { status => $_, headers => ['Location: http://' . $gateway->as->address . '/introspect'] }, 'as_error']
    } 302, 307),
    (map { ["$_: the AS refuses the gateway itself",
            { status => $_, headers => ['WWW-Authenticate: Basic realm="AS"'], json => { error => 'invalid_client' } },
            'as_refused_client',
        log => qr{\[error\] .*as_refused_client.*"/_plain"}] } 401, 403),
    (map {
        ["$_ with a JWT: the AS refuses the gateway itself", { status => $_, jwt => { sub => 'alice' } },
         'as_refused_client']
    } 401, 403),
    ['429: busy', { status => 429 }, 'as_busy', headers => { 'Retry-After' => undef }],
    ['503: busy', { status => 503 }, 'as_busy', headers => { 'Retry-After' => undef }],
    ['429 with a JWT: busy', { status => 429, jwt => { sub => 'alice' } }, 'as_busy'],
    ['429: Retry-After kept',
     { status => 429, headers => ['Retry-After: 120'] }, 'as_busy', headers => { 'Retry-After' => 120 }],
    ['503: Retry-After kept',
     { status => 503, headers => ['retry-after: 7'] }, 'as_busy', headers => { 'Retry-After' => 7 }],
    ['503: Retry-After kept, a date', { status => 503, headers => ['Retry-After: Fri, 31 Dec 2038 23:59:59 GMT'] },
     'as_busy', headers => { 'Retry-After' => 'Fri, 31 Dec 2038 23:59:59 GMT' }],
    ['503: Retry-After with bytes that no date has is left out',
     { status => 503, headers => ["Retry-After: 7\x80"] }, 'as_busy', headers => { 'Retry-After' => undef }],
    ['504: the AS itself sends it', { status => 504 }, 'as_timeout'],
    ['504 with a JWT', { status => 504, jwt => { sub => 'alice' } }, 'as_timeout'],
    ['5xx whose body is over the limit: still its row',
     { status => 503, body => 'x' x 70_000, headers => ['Retry-After: 9'] }, 'as_busy',
     headers => { 'Retry-After' => 9 }],
    ['5xx whose body is cut: still its row', { status => 500, body => 'x' x 7_000, cut => 10 }, 'as_error'],
    ['401 with a Content-Encoding: still its row',
     { status => 401, body => 'x', headers => ['Content-Encoding: gzip'] }, 'as_refused_client'],
);

# What the AS says beside the JWT is between the AS and the gateway.
my @gossip = ('Set-Cookie: as=1', 'X-Evil: 1', 'Location: /elsewhere', 'WWW-Authenticate: Basic realm="AS"',
    'Authorization: Bearer x', 'Link: </x>; rel=preload', 'ETag: "as"',
    'Last-Modified: Fri, 01 Jan 2021 00:00:00 GMT', 'X-Accel-Limit-Rate: 1', 'X-Accel-Charset: utf-16',
    'Refresh: 0; url=/', 'Content-Disposition: attachment', 'Cache-Control: max-age=60',
    'Expires: Thu, 01 Jan 2037 00:00:00 GMT');
my %silence = map { (split /:/)[0] => undef } @gossip;
answers($gateway, '/plain',
    ['headers of the AS do not reach the client: allowed',
     { jwt => { sub => 'alice' }, headers => \@gossip }, 'active', headers => \%silence],
    ['headers of the AS do not reach the client: inactive',
     { status => 204, headers => \@gossip }, 'inactive', headers => { %silence, 'WWW-Authenticate' => qr/^Bearer / }],
    ['headers of the AS do not reach the client: refused',
     { status => 401, headers => \@gossip }, 'as_refused_client', headers => \%silence],
    ['headers of the AS do not reach the client: busy',
     { status => 503, headers => \@gossip }, 'as_busy', headers => \%silence],
);

# --- the table: by content -------------------------------------------------------------------------------------------

my $other    = jwt({ sub => 'other' });
my $envelope = { alg => 'HS256', typ => 'token-introspection+jwt' };
sub wrapped {
    my ($members, %more) = @_;
    return jwt({ iss => 'https://as', token_introspection => $members, %{ $more{claims} // {} } },
        header => $more{header} // $envelope);
}

answers($gateway, '/plain',
    (map { ["Content-Type: $_", { jwt => { sub => 'alice' }, type => $_ }, 'active'] }
        'application/jwt', 'application/JWT', 'APPLICATION/JWT', 'application/jwt;charset=utf-8',
            'application/jwt; charset=UTF-8', 'application/jwt ; x=y', 'application/jwt; charset="utf-8"; q=1',
            'application/jwt;'),
    (map { ["Content-Type: $_", { json => { active => true, jwt => $fixed }, type => $_ }, 'active'] }
        'application/json', 'Application/Json', 'application/json;charset=utf-8', 'application/json; charset=utf-8',
            "application/json\t; x=y"),
    (map { ["Content-Type: $_: 502", { jwt => { sub => 'alice' }, type => $_ }, 'as_bad_response'] }
        'text/plain', 'text/html', 'application/jose', 'application/jwtx', 'application/x-jwt', 'xapplication/jwt',
            'application/jwt+json', 'application/jwt, text/plain', 'application/jwt application/json',
        'application/octet-stream', 'jwt', 'application', '*/*', ';application/jwt', 'text/plain; application/jwt',
        'application/at+jwt', 'application/secevent+jwt', 'application/token-introspection+json'),
    (map {
        ["Content-Type: $_: 502, JSON or not", { json => { active => true, jwt => $fixed }, type => $_ },
         'as_bad_response']
    }
        'text/json', 'application/problem+json', 'application/json5', 'application/json-seq',
            'text/html; x=application/json'),
    ['Content-Type absent: 502', { body => $fixed }, 'as_bad_response'],
    ['Content-Type empty: 502', { body => $fixed, headers => ['Content-Type:'] }, 'as_bad_response'],
    ['application/jwt with JSON in it: 502',
     { type => 'application/jwt', body => '{"active":true,"jwt":"' . $fixed . '"}' }, 'as_bad_response'],
    ['application/json with a bare JWT in it: 502', { type => 'application/json', body => $fixed }, 'as_bad_response'],
    ['application/json with a JWT as a string: 502', { json => '"' . $fixed . '"' }, 'as_bad_response'],

    ['application/json, active true, no JWT: nothing to forward',
     { json => { active => true, sub => 'alice' } }, 'as_bad_response'],
    ['application/json, active true, a JWT in an unknown member',
     { json => { active => true, access_token => $fixed } }, 'as_bad_response'],
    (map { ["application/json, JWT in $_", { json => { active => true, $_ => $fixed } }, 'active'] }
         qw(jwt phantom_token token_string)),
    (map {
        ["application/json, names of members are compared with case: $_", { json => { active => true, $_ => $fixed } },
         'as_bad_response']
    } qw(JWT Jwt Phantom_Token)),
    ['application/json, two JWT members: the first in configured order',
     { json => { active => true, token_string => $other, jwt => $fixed } }, 'active',
     api => [{ authorization => "Bearer $fixed" }]],
    ['application/json, two JWT members: whatever the order in the text',
     { json => qq({"token_string":"$other","active":true,"phantom_token":"$fixed"}) }, 'active',
     api => [{ authorization => "Bearer $fixed" }]],
    ['application/json, two JWT members: the first one that is there counts, good or not',
     { json => { active => true, jwt => 'x', phantom_token => $fixed } }, 'as_bad_response'],
    (map {
        ["application/json, the JWT member is $_", { json => qq({"active":true,"jwt":$_,"phantom_token":"$fixed"}) },
         'as_bad_response']
    } 'true', '1', '""', '{}', "[\"$fixed\"]", "{\"jwt\":\"$fixed\"}"),

    ['application/json, a JWT member that is null counts as absent',
     { json => qq({"active":true,"jwt":null,"phantom_token":"$fixed"}) }, 'active',
     api => [{ authorization => "Bearer $fixed" }]],
    ['application/json, every JWT member is null: nothing to forward',
     { json => '{"active":true,"jwt":null,"phantom_token":null}' }, 'as_bad_response'],

    ['{"active": false}: inactive', { json => { active => false } }, 'inactive'],
    ['active is looked at first: {"active":false,"jwt":...}',
     { json => qq({"active":false,"jwt":"$fixed"}) }, 'inactive'],
    ['active is looked at first: {"jwt":...,"active":false}',
     { json => qq({"jwt":"$fixed","active":false}) }, 'inactive'],
    ['active is looked at first: what is no JWT beside it',
     { json => '{"jwt":1,"exp":"x","active":false}' }, 'inactive'],
    (map { ["active is no boolean: $_", { json => qq({"active":$_,"jwt":"$fixed"}) }, 'as_bad_response'] }
         '"true"', '"false"', '1', '0', 'null', '[true]', '{"active":true}', '""'),
    ['active is absent', { json => { jwt => $fixed } }, 'as_bad_response'],
    ['active is in another case', { json => qq({"Active":true,"jwt":"$fixed"}) }, 'as_bad_response'],
    ['active is there twice', { json => qq({"active":false,"active":true,"jwt":"$fixed"}) }, 'as_bad_response'],
    ['active is deeper', { json => qq({"x":{"active":true},"jwt":"$fixed"}) }, 'as_bad_response'],
    (map { ['JSON that is no object: ' . ($_ eq '' ? 'empty' : $_), { json => $_ }, 'as_bad_response'] }
         '', ' ', '{}', '[]', 'true', 'null', '1', '"x"', qq([{"active":true,"jwt":"$fixed"}])),
    (map { ["JSON that is malformed: $_->[0]", { json => $_->[1] }, 'as_bad_response'] }
        ['no end', qq({"active":true,"jwt":"$fixed")], ['comma', qq({"active":true,"jwt":"$fixed",})],
            ['comment', qq({"active":true,/**/"jwt":"$fixed"})], ['single quotes', qq({'active':true,"jwt":"$fixed"})],
        ['two values', qq({"active":true,"jwt":"$fixed"}{"active":true})], ['True', qq({"active":True,"jwt":"$fixed"})],
        ['NUL behind', qq({"active":true,"jwt":"$fixed"}\0)], ['a letter behind', qq({"active":true,"jwt":"$fixed"}x)],
        ['BOM', qq(\xef\xbb\xbf{"active":true,"jwt":"$fixed"})], ['a form', "active=true&jwt=$fixed"]),
    ['JSON with white space around', { json => qq(\r\n\t {"active" : true ,\n "jwt" :"$fixed" } \n) }, 'active',
     api => [{ authorization => "Bearer $fixed" }]],
    ['application/jwt, empty', { type => 'application/jwt', body => '' }, 'as_bad_response'],
    ['application/jwt, white space', { type => 'application/jwt', body => "\r\n" }, 'as_bad_response'],

    ['token_type refresh_token: inactive',
     { json => { active => true, jwt => $fixed, token_type => 'refresh_token' } }, 'inactive'],
    ['token_type Bearer: allowed', { json => { active => true, jwt => $fixed, token_type => 'Bearer' } }, 'active'],
);

answers($gateway, '/member',
    ['phantom_token_jwt_member: the first', { json => { active => true, first => $fixed, second => $other } }, 'active',
     api => [{ authorization => "Bearer $fixed" }]],
    ['phantom_token_jwt_member: the second',
     { json => { active => true, second => $other } }, 'active', api => [{ authorization => "Bearer $other" }]],
    ['phantom_token_jwt_member: the default names are replaced',
     { json => { active => true, jwt => $fixed, phantom_token => $fixed, token_string => $fixed } }, 'as_bad_response'],
    ['phantom_token_jwt_member: application/jwt needs none', { jwt => { sub => 'alice' } }, 'active'],
);

# RFC 9701: what is inside of the envelope counts, the envelope itself is never forwarded.
my @inner = (api => [{ authorization => "Bearer $fixed" }]);
answers($gateway, '/plain',
    ['RFC 9701: by Content-Type and typ',
     { jwt => wrapped({ active => true, jwt => $fixed }), type => 'application/token-introspection+jwt' }, 'active',
     @inner],
    ['RFC 9701: by typ alone', { jwt => wrapped({ active => true, jwt => $fixed }) }, 'active', @inner],
    (map {
        ["RFC 9701: Content-Type $_", { jwt => wrapped({ active => true, jwt => $fixed }), type => $_ }, 'active',
         @inner]
    } 'Application/Token-Introspection+JWT', 'application/token-introspection+jwt; charset=utf-8'),
    (map {
        ["RFC 9701: typ $_",
         { jwt => wrapped({ active => true, jwt => $fixed }, header => { alg => 'RS256', typ => $_ }) }, 'active',
         @inner]
    }
        'Token-Introspection+JWT', 'application/token-introspection+jwt', 'APPLICATION/TOKEN-INTROSPECTION+JWT'),
    (map { ["RFC 9701: JWT in $_", { jwt => wrapped({ active => true, $_ => $fixed }) }, 'active', @inner] }
         qw(phantom_token token_string)),
    ['RFC 9701: inactive', { jwt => wrapped({ active => false }) }, 'inactive'],
    ['RFC 9701: active is looked at first', { jwt => wrapped({ active => false, jwt => $fixed }) }, 'inactive'],
    ['RFC 9701: refresh_token',
     { jwt => wrapped({ active => true, jwt => $fixed, token_type => 'refresh_token' }) }, 'inactive'],
    ['RFC 9701: no JWT inside', { jwt => wrapped({ active => true, sub => 'alice' }) }, 'as_bad_response'],
    ['RFC 9701: active outside only',
     { jwt => wrapped({ jwt => $fixed }, claims => { active => true }) }, 'as_bad_response'],
    ['RFC 9701: JWT outside only',
     { jwt => wrapped({ active => true }, claims => { jwt => $fixed }) }, 'as_bad_response'],
    (map {
        ["RFC 9701: token_introspection is $_",
         { jwt => jwt(qq({"token_introspection":$_,"active":true,"jwt":"$fixed"}), header => $envelope) },
         'as_bad_response']
    } 'null', 'true', '"x"', '[]', '{}'),
    ['RFC 9701: token_introspection is absent',
     { jwt => jwt({ active => true, jwt => $fixed }, header => $envelope) }, 'as_bad_response'],
    ['RFC 9701: an envelope inside an envelope',
     { jwt => wrapped({ active => true, jwt => wrapped({ active => true, jwt => $fixed }) }) }, 'as_bad_response'],
    ['RFC 9701: an envelope in a JSON answer',
     { json => { active => true, jwt => wrapped({ active => true, jwt => $fixed }) } }, 'as_bad_response'],
    ['RFC 9701: an envelope that is not signed',
     { jwt => wrapped({ active => true, jwt => $fixed },
                      header => { alg => 'none', typ => 'token-introspection+jwt' }) },
     'as_bad_response'],
    ['RFC 9701: an envelope whose exp is past',
     { jwt => wrapped({ active => true, jwt => $fixed }, claims => { exp => 1 }) }, 'expired'],
    # RFC 9701 section 5 demands the typ; to take another JWT for an envelope would be to guess.
    ['RFC 9701: announced, but its typ is another',
     { jwt => jwt({ token_introspection => { active => true, jwt => $fixed } }),
       type => 'application/token-introspection+jwt' },
     'as_bad_response'],
    ['RFC 9701: not announced, and its typ is another',
     { jwt => jwt({ token_introspection => { active => false } }) }, 'as_bad_response'],
    ['RFC 9701: announced, but it is JSON',
     { json => { active => true, jwt => $fixed }, type => 'application/token-introspection+jwt' }, 'as_bad_response'],
    ['RFC 9701: typ of something like it',
     { jwt => jwt({ sub => 'x' }, header => { alg => 'RS256', typ => 'token-introspection' }) }, 'active'],
);

# CR, LF and everything else that is no base64url. White space around is trimmed.
my @parts = split /\./, $fixed;
answers($gateway, '/plain',
    (map { ["white space around the JWT is trimmed: $_->[0]", { jwt => $fixed, body => $_->[1] }, 'active', @inner] }
        ['LF behind', "$fixed\n"], ['CR LF behind', "$fixed\r\n"], ['before and behind', "\r\n\t $fixed \t\r\n"],
            ['40 KB of it', "$fixed" . "\n" x 40_000]),
    ['white space around the JWT is trimmed: in JSON',
     { json => { active => true, jwt => "\r\n $fixed\r\n" } }, 'active', @inner],
    (map { my ($name, $text) = @{$_};
        ["inside the JWT: $name: application/jwt", { type => 'application/jwt', body => $text }, 'as_bad_response'],
        ["inside the JWT: $name: application/json", { json => { active => true, jwt => $text } }, 'as_bad_response'],
        ["inside the JWT: $name: RFC 9701", { jwt => wrapped({ active => true, jwt => $text }) }, 'as_bad_response'] }
        ['LF in the header', "eyJ\n" . substr $fixed, 3], ['LF in the payload', "$parts[0].ey\nJ$parts[1].$parts[2]"],
            ['LF in the signature', "$fixed\nx"], ['CR in the signature', "$fixed\rx"],
            ['CR LF and a header', "$fixed\r\nX-Evil: 1"],
        ['CR LF, a header, and three parts', "$parts[0].$parts[1].x\r\nX-Evil:1\r\nY:y"], ['a space', "$fixed x"],
        ['a TAB', "$parts[0]\t.$parts[1].$parts[2]"], ['NUL', "$fixed\0"],
        ['NUL in the middle', "$parts[0].$parts[1]\0.$parts[2]"],
        ['a byte of 0x80', "$fixed\x80"], ['a comma', "$fixed,$fixed"], ['two of them', "$fixed $fixed"],
        ['vertical tab behind', "$fixed\x0b"], ['percent', "$fixed%0a"]),
);

# --- how it comes ----------------------------------------------------------------------------------------------------

my $long = jwt({ sub => 'long', pad => 'p' x 29_900 }); # about 40 KB
cmp_ok length $long, '>', 39_000, 'a JWT of 40 KB';

for my $path (map { "/$_" } qw(plain cached small file unbuffered kept)) {
    answers($gateway, $path,
        (map { my ($name, %how) = @{$_};
            ["$path, $name", { jwt => { sub => $name }, %how }, 'active'],
            ["$path, $name, 40 KB over many buffers",
             { jwt => $long, %how, $how{split} ? (split => 1 + int length($long) / 9) : () }, 'active'],
            ["$path, $name, JSON", { json => { active => true, jwt => $fixed }, %how }, 'active'] }
            ['by length'],
            ['chunked', framing => 'chunked'],
            ['close-delimited', framing => 'close'],
            ['by length in segments', split => 7, drip => 0.001],
            ['chunked in segments', framing => 'chunked', split => 7, drip => 0.001],
            ['close-delimited in segments', framing => 'close', split => 7, drip => 0.001],
        ),
        ["$path, the header in segments",
         { raw => [map({ ($_, [sleep => 0.002]) } 'HTT', "P/1.1 200 O", "K\r", "\nContent-Ty",
                       "pe: application/jwt\r\nContent-Len", 'gth: ' . length($fixed) . "\r\n", "\r"), "\n", $fixed] },
         'active', @inner],
        ["$path, a chunk in segments, with an extension and a trailer",
         { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nTransfer-Encoding: chunked\r\n\r\n",
                   sprintf('%X', length $fixed), [sleep => 0.002], ";x=y\r", [sleep => 0.002],
            "\n" . substr($fixed, 0, 9), [sleep => 0.002], substr($fixed, 9) . "\r\n", [sleep => 0.002], "0\r\n",
            [sleep => 0.002], "X-Trailer: 1\r\n\r\n"] }, 'active', @inner],
        ["$path, inactive, chunked", { json => { active => false }, framing => 'chunked', split => 3 }, 'inactive'],
        ["$path, inactive, 204", { status => 204 }, 'inactive'],
        ["$path, surplus bytes behind the body",
         { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: " . length($fixed)
                       . "\r\n\r\n${fixed}HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: "
                       . length($other) . "\r\n\r\n$other"] },
            'active', @inner],
        ["$path, the answer after one with surplus bytes is its own", { jwt => { sub => 'alice' } }, 'active'],
        ["$path, Content-Encoding identity",
         { jwt => { sub => 'alice' }, headers => ['Content-Encoding: identity'] }, 'active'],
        (map {
            ["$path, Content-Encoding $_: 502", { jwt => { sub => 'alice' }, headers => ["Content-Encoding: $_"] },
             'as_bad_response']
        } 'gzip', 'GZIP', 'deflate', 'br', 'identity, gzip', 'x'),
        ["$path, gzip: 502",
         { type => 'application/jwt', headers => ['Content-Encoding: gzip'],
           body => "\x1f\x8b\x08\0\0\0\0\0\0\x03" . 'x' x 50 },
         'as_bad_response'],
    );
}

# --- over the limit --------------------------------------------------------------------------------------------------

# Endless ones go on by far more than any buffer holds, then stay open: the client must not wait for their end.
my @head    = ("HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\n");
my @endless = (
    ['chunked, endless',
     { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", ([chunk => 'e' x 50_000]) x 40, ['hang']] }],
    ['chunked, endless, small chunks',
     { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", ([chunk => 'e' x 10]) x 5_000, ['hang']] }],
    ['close-delimited, endless', { raw => [@head, "\r\n", ('e' x 50_000) x 40, ['hang']] }],
    ['by length, far too long',
     { raw => [@head, "Content-Length: 2000000000\r\n\r\n", ('e' x 50_000) x 40, ['hang']] }],
);
sub in_time {
    my ($name, $seconds, $code) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $start = time;
    $code->();
    return cmp_ok time - $start, '<', patience($seconds), "$name: in time";
}

for my $path (map { "/limit-$_" } qw(plain cached unbuffered small)) {
    for my $framing (qw(length chunked close)) {
        answers($gateway, $path,
            ["$path, $framing: as long as allowed", { %{ json_of(1024) }, framing => $framing }, 'active', @inner],
            ["$path, $framing: one byte more", { %{ json_of(1025) }, framing => $framing }, 'as_bad_response',
             log => qr/phantom_token_max_response_size/],
            ["$path, $framing: one byte more, in segments",
             { %{ json_of(1025) }, framing => $framing, split => 100, drip => 0.001 }, 'as_bad_response'],
            ["$path, $framing: much more", { %{ json_of(50_000) }, framing => $framing }, 'as_bad_response'],
            ["$path, $framing: a good JWT, then much more",
             { type => 'application/jwt', body => $fixed . ' ' x 50_000, framing => $framing, split => 512 },
             'as_bad_response'],
        );
    }
    in_time("$path, endless", 10, sub {
        answers($gateway, $path, map { ["$path, $_->[0]", $_->[1], 'as_bad_response'] } @endless);
    });
}
{
    # nginx keeps what has arrived whole; that does not make it shorter.
    my $token = new_token();
    cases($gateway, map { {
        name => "/limit-cached: an answer over the limit, again: $_",
        request => { path => '/limit-cached', token => $token },
        $_ == 1 ? (answers => { $token => { %{ json_of(1025) }, framing => 'chunked' } }) : (),
        outcome('as_bad_response') } } 1 .. 3);
}

# --- cut, reset, garbage ---------------------------------------------------------------------------------------------

my $cut_length = length($fixed) - 3; # what is left would still be three parts
my @cut = (
    ['cut by length', { body => $fixed, type => 'application/jwt', cut => $cut_length }],
    ['cut by length, a whole JSON text',
     { body => '{"active":true,"jwt":"' . $fixed . '"}' . ' ' x 9, type => 'application/json',
       cut => 30 + length $fixed }],
    ['cut by length, before the first byte', { body => $fixed, type => 'application/jwt', cut => 0 }],
    ['cut by length, late',
     { raw => [@head, 'Content-Length: ' . length($fixed) . "\r\n\r\n", substr($fixed, 0, $cut_length), [sleep => 0.02],
               ['close']] }],
    ['cut by length, 40 KB', { jwt => $long, cut => 20_000 }],
    ['cut in a chunk', { body => $fixed, type => 'application/jwt', cut => $cut_length, framing => 'chunked' }],
    ['cut behind a chunk', { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", [chunk => $fixed], ['close']] }],
    ['cut in the last chunk',
     { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", [chunk => $fixed], "0\r\n", ['close']] }],
    ['cut in the size of a chunk',
     { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", [chunk => $fixed], '1', ['close']] }],
    ['reset within the body',
     { raw => [@head, 'Content-Length: ' . length($fixed) . "\r\n\r\n", substr($fixed, 0, $cut_length), [sleep => 0.02],
               ['reset']] }],
    ['reset within a chunked body',
     { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", [chunk => $fixed], [sleep => 0.02], ['reset']] }],
    ['reset in place of the end', { raw => [@head, "\r\n", $fixed, [sleep => 0.02], ['reset']] }],
);
my @bad_chunks = map {
    ["bad chunk: $_->[0]", { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", $_->[1], ['close']] }]
}
    ['no number', "zz\r\n$fixed\r\n0\r\n\r\n"], ['negative', "-1\r\n$fixed\r\n0\r\n\r\n"],
        ['more than 64 bits', "ffffffffffffffffff\r\n$fixed\r\n0\r\n\r\n"],
    ['shorter than its data', "10\r\n$fixed\r\n0\r\n\r\n"],
    ['longer than its data', sprintf("%x\r\n", 5 + length $fixed) . "$fixed\r\n0\r\n\r\n"];

for my $path (map { "/$_" } qw(plain small unbuffered kept)) {
    answers($gateway, $path, map { ["$path, $_->[0]", $_->[1], 'as_bad_response'] } @cut, @bad_chunks);
}
not_cached($gateway, '/cached', map { [@{$_}, 'as_bad_response'] } @cut, @bad_chunks);

# Whatever the header is, it is no 200 that counts. With default_type, what has no type would look like a JWT.
my @headers = (
    ['closed without a byte', { raw => [['close']] }],
    ['reset without a byte', { raw => [[sleep => 0.01], ['reset']] }],
    ['cut in the status line', { raw => ['HTTP/1.1 2', ['close']] }],
    ['cut in the header', { raw => ["HTTP/1.1 200 OK\r\nContent-Type: applic", ['close']] }],
    ['cut before the end of the header', { raw => [@head, ['close']] }],
    ['reset in the header', { raw => [@head, [sleep => 0.02], ['reset']] }],
    ['garbage for a status line', { raw => ["garbage\r\n\r\n", ['close']] }],
    ['a bare JWT, as HTTP/0.9', { raw => [$fixed, ['close']] }],
    ['a bare JWT and a line end, as HTTP/0.9', { raw => ["$fixed\r\n", ['close']] }],
    ['a bare JSON answer, as HTTP/0.9', { raw => [qq({"active":true,"jwt":"$fixed"}), ['close']] }],
    ['another protocol', { raw => ["ICY 200 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['another version', { raw => ["HTTP/9 200 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['a status of two digits', { raw => ["HTTP/1.1 20 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['a status of four digits',
     { raw => ["HTTP/1.1 2000 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['a status in letters', { raw => ["HTTP/1.1 OK 200\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['status 000', { raw => ["HTTP/1.1 000 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['status 099', { raw => ["HTTP/1.1 099 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
    ['a line that is no header',
     { raw => ["HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\n\0\0\r\n\r\n$fixed", ['close']] }],
    ['Content-Length that is no number', { raw => [@head, "Content-Length: x\r\n\r\n$fixed", ['close']] }],
    ['Content-Length of more than 64 bits',
     { raw => [@head, "Content-Length: 99999999999999999999\r\n\r\n$fixed", ['close']] }],
    ['Content-Length negative', { raw => [@head, "Content-Length: -1\r\n\r\n$fixed", ['close']] }],
    ['a header larger than proxy_buffer_size', { jwt => { sub => 'alice' }, headers => ['X-Large: ' . 'x' x 100_000] }],
);
answers($gateway, '/plain',
    ['a Transfer-Encoding beside chunked',
     { raw => [@head, "Transfer-Encoding: gzip, chunked\r\n\r\n",
               [chunk => "\x1f\x8b\x08\0\0\0\0\0\0\x03x"], "0\r\n\r\n", ['close']] },
     qr/^as_(?:error|bad_response)$/]);
for my $path (qw(/plain /typed /unbuffered)) {
    answers($gateway, $path, map { ["$path, $_->[0]", $_->[1], qr/^as_(?:error|bad_response)$/] } @headers);
}
not_cached($gateway, '/cached-typed', map { [@{$_}, qr/^as_(?:error|bad_response)$/] } @headers);

# A final answer of 1xx. nginx knows 103 as an interim answer since 1.29.0; before, it is the final one.
my $knows_103 = Harness::Nginx::version() >= 1.029;
for my $path (qw(/plain /cached /unbuffered)) {
    in_time("$path, 1xx", 10, sub {
        answers($gateway, $path,
            (map { ["$path, $_->[0]", $_->[1], 'as_bad_response'] }
                ['101, connection stays open',
                 { raw => ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                           ['hang']] }],
                ['101 with a JWT',
                 { raw => ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\nContent-Type: "
                               . "application/jwt\r\n\r\n$fixed", ['close']] }],
                ['102, connection stays open', { raw => ["HTTP/1.1 102 Processing\r\n\r\n", ['hang']] }],
                ['199 with a JWT',
                 { raw => ["HTTP/1.1 199 OK\r\nContent-Type: application/jwt\r\n\r\n$fixed", ['close']] }],
            ),
            ["$path, 103 before 200: " . ($knows_103 ? 'the 200 counts' : 'the 103 is final to this nginx: 502'),
             { raw => ["HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n", [sleep => 0.01], @head,
                       'Content-Length: ' . length($fixed) . "\r\n\r\n$fixed"] },
                $knows_103 ? ('active', @inner) : ('as_bad_response')],
        );
    });
}

# --- slow ------------------------------------------------------------------------------------------------------------

# Each byte comes before nginx's own timer ends, which begins anew with each; all of them would take a minute.
my @slow = (
    ['silence', { raw => [['hang']] }],
    ['slow drip of the header',
     { raw => ["HTTP/1.1 200 OK\r\n", map { ("X-$_: y\r\n", [sleep => 0.05]) } 1 .. 1_000] }],
    ['slow drip of the status line', { raw => [map { ($_, [sleep => 0.1]) } split //, 'HTTP/1.1 200 ' . 'O' x 500] }],
    ['silence behind the header', { raw => [@head, "Content-Length: 100\r\n\r\n", ['hang']] }],
    ['silence within the body',
     { raw => [@head, 'Content-Length: ' . (1 + length $fixed) . "\r\n\r\n$fixed", ['hang']] }],
    ['silence in place of the last chunk',
     { raw => [@head, "Transfer-Encoding: chunked\r\n\r\n", [chunk => $fixed], ['hang']] }],
    ['silence in place of the end', { raw => [@head, "\r\n$fixed", ['hang']] }],
    ['slow drip of the body, by length', { jwt => { sub => 'slow', pad => 'p' x 800 }, split => 1, drip => 0.05 }],
    ['slow drip of the body, chunked',
     { jwt => { sub => 'slow', pad => 'p' x 800 }, split => 1, drip => 0.05, framing => 'chunked' }],
    ['slow drip of the body, close-delimited',
     { type => 'application/jwt', body => $fixed . ' ' x 1_000, split => 1, drip => 0.05, framing => 'close' }],
);
# All at once, since each takes its time.
{
    my $start   = time;
    my @waiting = map {
        my $path = "/quick-$_";
        map {
            { name => "$path, $_->[0]",
              path => $path, token => new_token(), answer => $_->[1], connection => $gateway->connect }
        } @slow
    } qw(plain cached unbuffered small);
    $gateway->as->answers(map { $_->{token} => [$_->{answer}, { jwt => { sub => 'good' } }] } @waiting);
    $gateway->api->forget_requests;
    $_->{connection}->send(Harness::Client::request_bytes({ path => $_->{path}, token => $_->{token} })) for @waiting;
    for my $waiting (@waiting) {
        subtest "$waiting->{name}: 504 in time" => sub {
            my $response = eval { $waiting->{connection}->response } or return fail "a response: $@";
            is $response->status, 504, 'status';
            cmp_ok time - $start, '<', patience(3), 'in time';
            check_refusal($response);
            is $gateway->logged($response)->{outcome}, 'as_timeout', 'outcome';
            is $waiting->{connection}->finish, '', 'nothing follows';
        };
    }
    is scalar($gateway->api->requests), 0, 'slow: the API saw nothing';
    check_faults();
    cases($gateway, map { my $waiting = $_; map { {
        name => "$waiting->{name}: $_", request => { path => $waiting->{path}, token => $waiting->{token} },
        as => /good/ ? 1 : 0, outcome('active'), cache => /good/ ? 'MISS' : 'HIT'
    } } 'not cached, the next good answer counts', 'it is cached' } grep { $_->{path} =~ /cached/ } @waiting);
}
answers(
    $gateway, '/quick-plain', ['slow, but in time', { jwt => { sub => 'slow' }, split => 40, drip => 0.01 }, 'active']
);

# --- the AS cannot be reached ----------------------------------------------------------------------------------------

# A name server that knows as.test, refuses some names, and says nothing about others.
my $name_server = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die "UDP: $!";
my $dns = 'resolver 127.0.0.1:' . $name_server->sockport . ' ipv6=off valid=1s; resolver_timeout 300ms;';
fork_child(sub {
    while (my $peer = $name_server->recv(my $query, 512)) {
        my ($id, $name) = (substr($query, 0, 2), substr($query, 12) =~ /^\x02as(.[\w-]+)\0/s);
        my $question = substr $query, 12;
        my $answer = $name eq "\x04test" ? pack('nnnnn', 0x8180, 1, 1, 0, 0) . $question
            . pack('nnnNn', 0xc00c, 1, 1, 1, 4) . "\x7f\0\0\1"
                   : $name eq "\x05empty" ? pack('nnnnn', 0x8180, 1, 0, 0, 0) . $question
                   : $name eq "\x08nxdomain" ? pack('nnnnn', 0x8183, 1, 0, 0, 0) . $question
                   : $name eq "\x08servfail" ? pack('nnnnn', 0x8182, 1, 0, 0, 0) . $question
                   : $name eq "\x07garbage" ? "\xff" x 3
                   : next;
        $name_server->send($id . $answer, 0, $peer);
    }
});

{
    my $reachable = authorization_server();
    my $port      = $reachable->port;
    my $tls       =
        'proxy_ssl_verify on; proxy_ssl_trusted_certificate %%TLS%%/ca.pem; proxy_pass https://127.0.0.1:%%PORT:tls%%;';
    my $away = gateway(
        servers => { AS => $reachable },
        http => <<"END",
    proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
    upstream one_dead { server 127.0.0.1:%%PORT:closed%%; server %%AS%%; }
    upstream all_dead { server 127.0.0.1:%%PORT:closed%%; server 127.0.0.1:%%PORT:closed-too%%; }
    server {
        listen 127.0.0.1:%%PORT:tls%% ssl;
        ssl_certificate %%TLS%%/server.pem;
        ssl_certificate_key %%TLS%%/server.key;
        location / { proxy_pass http://%%AS%%; }
    }
END
        locations => join '',
            way('refused', 'proxy_pass http://127.0.0.1:%%PORT:closed%%;'),
            way('refused-cached', "proxy_pass http://127.0.0.1:%%PORT:closed%%; $cached"),
            way('connect', 'proxy_connect_timeout 300ms; proxy_pass http://' . full_port() . ';'),
            way('one-dead', 'proxy_pass http://one_dead;'),
            way('all-dead', 'proxy_pass http://all_dead;'),
            way('tls', "proxy_ssl_name localhost; $tls"),
            way('tls-other-name', "proxy_ssl_name other.test; $tls"),
            (map { way("dns-$_", "$dns set \$as_host as.$_; proxy_pass http://\$as_host:$port/introspect;") }
                 qw(test empty nxdomain servfail garbage silence)),
            way('dns-none', "set \$as_host as.test; proxy_pass http://\$as_host:$port/introspect;"),
            (map { way("url-$_->[0]", "$dns set \$as_url \"$_->[1]\"; proxy_pass \$as_url;") }
                ['empty', ''], ['no-scheme', 'as.test'], ['no-host', 'http://'], ['bad-port', 'http://as.test:99999'],
                    ['bad-name', 'http://as..test/'], ['scheme', 'ftp://as.test/']),
    );
    my @nobody = (as => 0);
    answers($away, '/one-dead', ['upstream: the next server is asked', { jwt => { sub => 'alice' } }, 'active']);
    answers($away, '/all-dead', ['upstream: no server is left', { jwt => { sub => 'alice' } }, 'as_error', @nobody]);
    answers($away, '/refused', ['the AS refuses the connection', { jwt => { sub => 'alice' } }, 'as_error', @nobody]);
    answers($away, '/refused-cached',
        ['the AS refuses the connection, with a cache', { jwt => { sub => 'alice' } }, 'as_error', @nobody]);
    in_time(
        'connect timeout', 3, sub {
            answers($away, '/connect',
                ['the AS does not take the connection: 504', { jwt => { sub => 'alice' } }, 'as_timeout', @nobody]);
        }
    );
    answers($away, '/tls', ['TLS: verified', { jwt => { sub => 'alice' } }, 'active']);
    answers($away, '/tls-other-name',
        ['TLS: the certificate is another\'s', { jwt => { sub => 'alice' } }, 'as_error', @nobody]);
    answers($away, '/dns-test', ['DNS: found', { jwt => { sub => 'alice' } }, 'active']);
    answers($away, "/dns-$_", ["DNS: $_: 502", { jwt => { sub => 'alice' } }, 'as_error', @nobody])
        for qw(empty nxdomain servfail garbage none);
    in_time(
        'DNS', 3, sub {
            answers($away, '/dns-silence',
                ['DNS: the name server is silent: 502', { jwt => { sub => 'alice' } }, 'as_error', @nobody]);
        }
    );
    answers(
        $away, "/url-$_",
        ["proxy_pass with a variable that is no URL: $_", { jwt => { sub => 'alice' } }, 'as_error', @nobody]
    ) for qw(empty no-scheme no-host bad-port bad-name scheme);
    answers($away, '/dns-test', ['after all of it: found', { jwt => { sub => 'alice' } }, 'active']);

    $reachable->stop;
    answers($away, '/dns-test', ['AS down: refused', { jwt => { sub => 'alice' } }, 'as_error', @nobody]);
    $reachable->resume;
    answers($away, '/dns-test', ['AS up again: allowed again', { jwt => { sub => 'alice' } }, 'active']);
}

# --- X-Accel-Redirect is no way round --------------------------------------------------------------------------------

{
    my $give  = qq(default_type application/jwt; return 200 "$fixed";);
    my $inner = gateway(
        servers => { AS2 => my $second = authorization_server(default => { jwt => { sub => 'second' } }) },
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
        locations => join '',
            way('plain', $as), way('cached', "$as $cached"), way('unbuffered', "$as proxy_buffering off;"),
            way('ignored', "$as proxy_ignore_headers X-Accel-Redirect;"),
            way('intercept', "$as proxy_intercept_errors on; error_page 401 404 500 = /internal-return;"),
            <<"END",
        location = /internal-return { internal; $give }
        location = /open-return { $give }
        location = /internal-api { internal; proxy_pass http://%%API%%; }
        location = /open-api { proxy_pass http://%%API%%; }
        location = /internal-as { internal; proxy_pass http://%%AS2%%; }
        location = /internal-rewrite { internal; rewrite ^ /internal-return last; }
        location = /internal-empty { internal; empty_gif; }
        location = /internal-try { internal; try_files /none /internal-return; }
        location /internal-if { internal; default_type application/jwt; if (\$uri) { return 200 "$fixed"; } }
        location \@named-return { $give }
        location \@named-api { proxy_pass http://%%API%%; }
        location \@named-as { proxy_pass http://%%AS2%%; }
END
    );
    for my $path (qw(/plain /cached /unbuffered)) {
        for my $to (qw(/internal-return /open-return /internal-api /open-api /internal-as /internal-rewrite
                      /internal-empty /internal-try /internal-if @named-return @named-api @named-as @none /none
                      /plain /_plain /_cached /_plain?x=y /)) {
            answers(
                $inner, $path,
                ["$path: X-Accel-Redirect to $to", { jwt => { sub => 'alice' }, headers => ["X-Accel-Redirect: $to"] },
                 $to eq '@none' ? qr/^as_(?:error|bad_response)$/ : 'as_bad_response']
            );
        }
        is scalar(my @none = $second->requests), 0, "$path: X-Accel-Redirect: no other server saw the token";
    }
    answers(
        $inner, '/plain', map {
            ["X-Accel-Redirect with status $_: no way in",
             { status => $_, headers => ['X-Accel-Redirect: /internal-return'] },
             qr/^as_(?:refused_client|error|bad_response)$/]
        } 201, 302, 401, 404, 500
    );
    answers(
        $inner, '/intercept', map {
            ["X-Accel-Redirect with status $_ and error_page: no way in",
             { status => $_, headers => ['X-Accel-Redirect: /internal-return'] },
             qr/^as_(?:refused_client|error|bad_response)$/]
        } 200, 401, 404, 500
    );
    answers(
        $inner, '/ignored',
        ['X-Accel-Redirect where proxy_ignore_headers names it',
         { jwt => { sub => 'alice' }, headers => ['X-Accel-Redirect: /internal-return'] }, 'active']
    );
    my $token = new_token();
    cases($inner, map { { name => "X-Accel-Redirect, cached or not: request $_",
                          request => { path => '/cached', token => $token }, outcome('as_bad_response'),
        $_ == 1 ? (
            answers => { $token => { jwt => { sub => 'alice' }, headers => ['X-Accel-Redirect: /internal-return'] } }
        ) : () } } 1 .. 3);
    answers($inner, '/plain',
        ['X-Accel-Buffering acts as in nginx',
         { jwt => { sub => 'alice' }, headers => ['X-Accel-Buffering: no'] }, 'active'],
        ['X-Accel-Buffering: no, cut',
         { jwt => { sub => 'alice' }, headers => ['X-Accel-Buffering: no'], cut => 50 }, 'as_bad_response'],
        ['X-Accel-Buffering: no, 40 KB', { jwt => $long, headers => ['X-Accel-Buffering: no'] }, 'active'],
        ['X-Accel-Limit-Rate does not slow anything', { jwt => $long, headers => ['X-Accel-Limit-Rate: 1'] }, 'active'],
    );
}

# --- error_page inside the introspection location cannot make a 200 --------------------------------------------------

{
    my $give  = qq(default_type application/jwt; return 200 "$fixed";);
    my @codes = qw(300 301 302 400 401 403 404 405 408 418 429 444 497 500 502 503 504);
    my %page  = (
        uri       => "error_page @codes =200 /give;",
        same      => "error_page @codes /give;",
        named     => "error_page @codes = \@give;",
        elsewhere => "error_page @codes = /second;",
        recursed  => "recursive_error_pages on; error_page @codes =200 /give;",
        none      => "error_page @codes =200 /none;",
    );
    my $brief  = 'proxy_read_timeout 200ms;';
    my $inside = gateway(
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
        servers => { AS2 => my $second = authorization_server(default => { jwt => { sub => 'second' } }) },
        locations => join('', map { way($_, "$as proxy_intercept_errors on; $page{$_}"),
                                    way("$_-cached", "$as $cached proxy_intercept_errors on; $page{$_}"),
                                    way("$_-silent", "$as $brief proxy_intercept_errors on; $page{$_}"),
                                    way("$_-cached-silent", "$as $brief $cached proxy_intercept_errors on; $page{$_}"),
                                    way("$_-down", "proxy_pass http://127.0.0.1:%%PORT:closed%%; $page{$_}"),
            way("$_-return", "$page{$_} return 418;") } sort keys %page) . <<"END",
        location = /give { internal; $give }
        location \@give { $give }
        location = /second { internal; proxy_pass http://%%AS2%%; }
END
    );
    for my $path (sort keys %page) {
        for my $way ($path, "$path-cached") {
            answers($inside, "/$way",
                (map { ["error_page inside, $way: $_", { status => $_, jwt => { sub => 'alice' } }, 'as_error'] }
                     302, 400, 404, 408, 444, 499, 500, 502),
                (map { ["error_page inside, $way: $_", { status => $_ }, 'as_refused_client'] } 401, 403),
                (map {
                    ["error_page inside, $way: $_, Retry-After kept", { status => $_, headers => ['Retry-After: 30'] },
                     'as_busy', headers => { 'Retry-After' => 30 }]
                } 429, 503),
                ["error_page inside, $way: 504", { status => 504 }, 'as_timeout'],
                ["error_page inside, $way: garbage",
                 { raw => ["HTTP/1.1 200 OK\r\nContent-Type: appli", ['close']] }, 'as_error'],
                ["error_page inside, $way: cut", { jwt => { sub => 'alice' }, cut => 50 }, 'as_bad_response'],
                ["error_page inside, $way: inactive", { json => { active => false } }, 'inactive'],
                ["error_page inside, $way: a good answer is one", { jwt => { sub => 'alice' } }, 'active'],
            );
            answers($inside, "/$way-silent", ["error_page inside, $way: silence", { raw => [['hang']] }, 'as_timeout']);
        }
        answers($inside, "/$path-down", ["error_page inside, $path: connection refused", {}, 'as_error', as => 0]);
        answers($inside, "/$path-return", ["error_page inside, $path: return", {}, 'as_error', as => 0]);
    }
    is scalar(my @none = $second->requests), 0, 'error_page inside: no other server saw the token';

    my $outside = gateway(
        server    => "error_page @codes =200 /give; location = /give { internal; $give }",
        introspection => "$quick proxy_intercept_errors on;",
        protected => 'error_page 599 /never;', # its own, so that nothing is inherited
    );
    answers(
        $outside, '/', (map { ["error_page inherited from the server: $_", { status => $_ }, 'as_error'] } 404, 500),
        ['error_page inherited from the server: 401', { status => 401 }, 'as_refused_client']
    );
}

# --- any content handler ---------------------------------------------------------------------------------------------

{
    my %backend = map { uc($_) => authorization_server(protocol => $_) } qw(fastcgi uwsgi scgi);
    my $proxied = gateway(
        http => join("\n", map { "${_}_cache_path %%DIR%%/$_ keys_zone=$_:1m;" } qw(fastcgi uwsgi scgi)),
        servers => \%backend,
        locations => join '', map {
            my $name = $_;
            my $pass = "${name}_pass %%@{[ uc $name ]}%%; " . join ' ', map { "${name}_param $_;" }
                'REQUEST_METHOD POST', 'REQUEST_URI /introspect', 'CONTENT_TYPE $content_type',
                'CONTENT_LENGTH $content_length', 'SERVER_PROTOCOL HTTP/1.1';
            (way("$name-small", "$pass ${name}_buffer_size 1k; ${name}_buffers 2 1k; ${name}_busy_buffers_size 1k;",
                 'phantom_token_max_response_size 1k;'),
                map {
                    my ($more, $lines) = @{$_};
                    (way("$name$more", "$pass $lines"),
                     way("$name$more-silent", "$pass $lines ${name}_read_timeout 300ms;"))
                }
                    ['', ''], ['-unbuffered', "${name}_buffering off;"],
                    ['-cached', "${name}_cache $name; ${name}_cache_methods POST; "
                         . "${name}_cache_key \$phantom_token_key; ${name}_cache_valid 200 1h;"])
        } qw(fastcgi uwsgi scgi),
    );
    for my $name (qw(fastcgi uwsgi scgi)) {
        my $backend = $backend{ uc $name };
        my $try = sub {
            my ($path, $what, $answer, $word, %more) = @_;
            my $token = $path =~ /cached/ ? new_token() : 'alice-token';
            $backend->answers($token => $answer);
            $backend->forget_requests;
            my $jwt = $backend->jwt_for($token) // '';
            cases(
                $proxied,
                { name => "${name}_pass, $path: $what", request => { path => "/$path", token => $token },
                  outcome($word), $word eq 'active' ? (api => [{ authorization => "Bearer $jwt" }]) : (), %more }
            );
            my @seen = $backend->requests;
            is_deeply [map { "$_->{method} $_->{body}" } @seen], ["POST token=$token&token_type_hint=access_token"],
                "${name}_pass, $path: $what: the backend saw the form";
        };
        for my $path ($name, "$name-unbuffered", "$name-cached") {
            $try->($path, 'application/jwt', { jwt => { sub => 'alice' } }, 'active');
            $try->($path, 'application/jwt, 40 KB', { jwt => $long }, 'active');
            $try->($path, 'application/jwt, no length', { jwt => { sub => 'alice' }, framing => 'close' }, 'active')
                if $name ne 'fastcgi';
            $try->($path, 'in segments', { jwt => { sub => 'alice' }, split => 9, drip => 0.001 }, 'active');
            $try->($path, 'inactive', { json => { active => false } }, 'inactive');
            $try->($path, '401', { status => 401 }, 'as_refused_client');
            $try->($path, '503', { status => 503, headers => ['Retry-After: 3'] }, 'as_busy',
                headers => { 'Retry-After' => 3 });
            $try->($path, 'cut', { body => $fixed, type => 'application/jwt', cut => $cut_length }, 'as_bad_response');
            $try->($path, 'closed without a byte', { raw => [['close']] }, 'as_error');
            $try->("$path-silent", 'silence', { raw => [['hang']] }, 'as_timeout');
            $try->($path, 'X-Accel-Redirect', { jwt => { sub => 'alice' }, headers => ['X-Accel-Redirect: /'] },
                'as_bad_response');
        }
        $try->("$name-small", 'over the limit', json_of(1025), 'as_bad_response');
        $try->(
            "$name-small", 'as long as allowed', json_of(1024), 'active', api => [{ authorization => "Bearer $fixed" }]
        );
    }
}

{
    my $text     = { body => 'x' };
    my $handlers = gateway(
        http => 'limit_req_zone $server_name zone=strict:1m rate=1r/m; limit_conn_zone $server_name zone=few:1m;',
        locations => join('',
            (map { way("return-$_->[0]", $_->[1]) }
                ['jwt',     qq(default_type application/jwt; return 200 "$fixed";)],
                ['json',    qq(default_type application/json; return 200 '{"active":true,"jwt":"$fixed"}';)],
                ['false',   q(default_type application/json; return 200 '{"active":false}';)],
                ['text',    qq(default_type text/plain; return 200 "$fixed";)],
                ['empty',   'default_type application/jwt; return 200;'],
                (map { [$_, "default_type application/jwt; return $_;"] }
                     qw(204 301 400 401 403 404 429 444 499 500 502 503 504)),
                ['302', 'return 302 /elsewhere;'], ['url', 'return http://localhost/elsewhere;'],
                ['401-text', "return 401 '$fixed';"],
                ['add-header',
                 qq(default_type application/jwt; add_header Retry-After 11 always; return 503 "$fixed";)]),
            way('static', 'root %%DIR%%;'), way('alias', 'alias %%DIR%%/nginx.conf;'), way('gif', 'empty_gif;'),
            way('status', 'stub_status;'), way('nothing', ''),
            way('memcached', 'set $memcached_key x; memcached_pass %%AS%%;'),
            way('named', 'try_files /none @elsewhere;'), way('try', 'try_files /none /elsewhere;'),
            way('code', 'try_files /none =404;'),
            way('rewrite', 'rewrite ^ /elsewhere last;'), way('rewrite-open', 'rewrite ^ /open last;'),
            way('rewrite-none', 'rewrite ^ /none/at/all last;'), way('rewrite-302', 'rewrite ^ /elsewhere redirect;'),
            way('rewrite-loop', 'rewrite ^ /_rewrite-loop last;'),
            way('broken', 'rewrite ^ /x break; proxy_pass http://%%AS%%;'),
            way('limited', "limit_req zone=strict; $as"), way('slowed', "limit_rate 10; $as"),
            way('denied', "deny all; $as"), way('limit-except', "limit_except GET { deny all; } $as"),
            way('method', "proxy_method GET; $as"), way('body', "proxy_set_body 'token=fixed-body-token'; $as"),
            way('protected', "phantom_token on; phantom_token_introspection_endpoint /_method; $as"),
            way('filters', "ssi on; ssi_types *; sub_filter_types *; sub_filter 'eyJ' 'XXX'; gzip on; gzip_types *; "
                    . "gzip_min_length 1; charset utf-8; add_header X-Introspection 1 always; expires 1h; $as"),
        ) . <<"END",
        location = /elsewhere { internal; $as }
        location \@elsewhere { proxy_pass http://%%AS%%; }
        location = /open { $as }
END
    );
    my @nobody = (as => 0);
    answers(
        $handlers, "/return-$_->[0]", ["return as introspection handler: $_->[0]", $text, @{$_}[1 .. $#{$_}], @nobody]
    ) for
        ['jwt', 'active', @inner], ['json', 'active', @inner], ['false', 'inactive'], ['text', 'as_bad_response'],
            ['empty', 'as_bad_response'], ['204', 'inactive'],
        (map { [$_, 'as_error'] } qw(301 302 url 400 404 444 499 500 502)),
        (map { [$_, 'as_refused_client'] } qw(401 401-text 403)), (map { [$_, 'as_busy'] } qw(429 503)),
        ['504', 'as_timeout'];
    answers($handlers, "/$_->[0]", ["as introspection handler: $_->[0]", $text, $_->[1], @nobody]) for
        ['static', 'as_error'], ['alias', 'as_error'], ['gif', 'as_error'], ['status', qr/^as_(?:error|bad_response)$/],
            ['nothing', 'as_error'], ['memcached', 'as_error'], ['code', 'as_error'], ['rewrite-302', 'as_error'],
            ['rewrite-loop', 'as_error'],
        ['named', 'as_bad_response'], ['try', 'as_bad_response'], ['rewrite-open', 'misconfigured'],
        ['rewrite-none', 'misconfigured'];
    answers($handlers, "/$_", ["as introspection handler: $_", { jwt => { sub => 'alice' } }, 'active'])
        for qw(rewrite broken slowed denied limit-except method protected filters);
    answers(
        $handlers, '/filters',
        ['filters of the introspection location add nothing to the client\'s answer', { jwt => { sub => 'alice' } },
         'active', headers => { 'X-Introspection' => undef, Expires => undef, 'Content-Encoding' => undef }]
    );
    answers(
        $handlers, '/limited',
        ['limit_req in the introspection location: the first', { jwt => { sub => 'alice' } }, 'active'],
        ['limit_req in the introspection location: one too many', $text, 'as_busy', @nobody]
    );
    $handlers->as->answers('fixed-body-token' => { jwt => { sub => 'fixed' } });
    answers(
        $handlers, '/body',
        ['proxy_set_body is the user\'s choice', $text, 'active', as => [{ body => 'token=fixed-body-token' }],
         api => [{ authorization => 'Bearer ' . $handlers->as->jwt_for('fixed-body-token') }]]
    );
}

# --- nothing stays ---------------------------------------------------------------------------------------------------

# On one client connection, one request after the other: no answer, bad or good, leaves anything to the next.
{
    my $connection = $gateway->connect;
    my @mixed = map { ([$_->[1], 502], [{ jwt => { sub => 'good' } }, 200], [{ json => { active => false } }, 401]) }
        @cut, @bad_chunks;
    my (@got, @want);
    $gateway->api->forget_requests;
    for my $step (@mixed) {
        my $token = new_token();
        $gateway->as->answers($token => $step->[0]);
        push @got, $connection->get('/kept', token => $token)->status;
        push @want, $step->[1];
    }
    is "@got", "@want", 'one connection: good answers between bad ones';
    is $connection->finish, '', 'one connection: nothing is left over';
    is scalar($gateway->api->requests), scalar(grep { $_ == 200 } @want), 'one connection: the API saw the good ones';
}

done_testing;
