# JWT and JSON, scopes, aud and iss, time: what must be true of a JWT before it is forwarded. Each row is a request
# through the gateway: only the right bytes may reach the API.

use strict;
use warnings;
use lib 't/lib';
use Harness;

# --- how a table is read ---------------------------------------------------------------------------------------------

# [name, directives, answer, outcome, more]: a location with those directives. An answer that depends on the time is a
# function. All rows are collected first, so that one nginx serves them; the JWTs are made here, since looking for
# secrets costs most when there is a new one.
my @rows;
sub rows {
    for my $row (@_) {
        my $answer = $row->[2];
        $answer->{jwt} = jwt($answer->{jwt}) if ref $answer eq 'HASH' && ref $answer->{jwt};
        push @rows, $row;
    }
    return;
}

my $inner = jwt({ sub => 'inner' });

# The three ways in which a JWT comes from the AS.
sub carried {
    my ($text) = @_;
    my $envelope = { alg => 'HS256', typ => 'token-introspection+jwt' };
    return (
        ['application/jwt',  { type => 'application/jwt', body => $text }],
        ['application/json', { json => { active => true, jwt => $text } }],
        ['RFC 9701',
         { jwt => jwt({ token_introspection => { active => true, jwt => $text } }, header => $envelope) }],
    );
}

# [name, JWT]: refused, whichever way it comes.
sub refused_jwts {
    rows(map {
        my ($name, $text) = @{$_};
        map { ["JWT refused: $name: $_->[0]", '', $_->[1], 'as_bad_response'] } carried($text)
    } @_);
    return;
}

# [name, JWT]: forwarded byte for byte, whichever way it comes.
sub accepted_jwts {
    rows(
        map {
            my ($name, $text) = @{$_};
            map {
                ["JWT accepted: $name: $_->[0]", '', $_->[1], 'active', api => [{ authorization => "Bearer $text" }]]
            } carried($text)
        } @_
    );
    return;
}

sub json_jwt { my ($claims, %members) = @_; return { json => { active => true, jwt => jwt($claims), %members } } }

my %STATUS = (
    active => 200, insufficient_scope => 403, as_bad_response => 502,
    map { $_ => 401 } qw(inactive expired not_yet_valid issuer audience bound)
);

# --- the form of a JWT: RFC 7515 section 7.1 -------------------------------------------------------------------------

my $good = jwt({ sub => 'alice' });
my ($header, $payload, $signature) = split /\./, $good;

# What JSON text makes of a header or a payload.
sub with_header  { my ($text) = @_; return raw_jwt(base64url($text), $payload, $signature) }
sub with_payload { my ($text) = @_; return raw_jwt($header, base64url($text), $signature) }

refused_jwts(
    ['1 part', raw_jwt($header)],
    ['2 parts', raw_jwt($header, $payload)],
    ['4 parts', raw_jwt($header, $payload, $signature, $signature)],
    ['5 parts, a JWE', raw_jwt($header, $signature, $signature, $signature, $signature)],
    ['empty signature', raw_jwt($header, $payload, '')],
    ['empty header', raw_jwt('', $payload, $signature)],
    ['empty payload', raw_jwt($header, '', $signature)],
    ['nothing but dots', '..'],
    ['a dot before', ".$good"],
    ['a dot behind', "$good."],
    ['two dots in a row', "$header..$payload.$signature"],
    (map { my $part = $_; map { my @parts = ($header, $payload, $signature); $parts[$part] .= $_->[1];
                                ["part $part: $_->[0]", raw_jwt(@parts)] }
        ['padding', '='], ['padding twice', '=='], ['+', '+a+a'], ['/', 'a/a/'], ['a space', ' a '],
            ['a comma', ',aaa'], ['percent', '%3D'], ['0x80', "aaa\x{c3}"], ['a line end', "\naaa"] } 0 .. 2),
    ['a length that no bytes have', raw_jwt($header, $payload, 'aaaaa')],
    ['bits that stand for nothing', raw_jwt($header, $payload, 'aB')],
    ['scheme before it', "Bearer $good"],
    ['quotes', "\"$good\""],
);

# Header and payload: JSON objects, RFC 8259.
my @no_object =
    (['empty', ''], ['white space', ' '], ['array', '[]'], ['array of an object', '[{"alg":"RS256","sub":"alice"}]'],
     ['string', '"alg"'], ['number', '1'], ['null', 'null'], ['true', 'true'], ['no JSON', 'alg=RS256'],
    ['not closed', '{"alg":"RS256"'], ['closed twice', '{"alg":"RS256"}}'],
    ['two objects', '{"alg":"RS256"}{"alg":"RS256"}'], ['a letter behind', '{"alg":"RS256"}x'],
    ['NUL behind', "{\"alg\":\"RS256\"}\0"], ['NUL before', "\0{\"alg\":\"RS256\"}"],
    ['a comma behind', '{"alg":"RS256",}'], ['no name', '{"RS256"}'], ['no quotes', '{alg:"RS256"}'],
    ['single quotes', "{'alg':'RS256'}"], ['a comment', '{"alg":"RS256"/* */}'],
    ['a line comment', "{\"alg\":\"RS256\"}//"],
    ['BOM', "\xef\xbb\xbf{\"alg\":\"RS256\"}"], ['UTF-16', join '', map { "\0$_" } split //, '{"alg":"RS256"}'],
    ['NaN', '{"alg":"RS256","x":NaN}'], ['Infinity', '{"alg":"RS256","x":-Infinity}'], ['+1', '{"alg":"RS256","x":+1}'],
    ['01', '{"alg":"RS256","x":01}'], ['.5', '{"alg":"RS256","x":.5}'], ['1.', '{"alg":"RS256","x":1.}'],
    ['1e', '{"alg":"RS256","x":1e}'], ['0x1', '{"alg":"RS256","x":0x1}'], ['-', '{"alg":"RS256","x":-}'],
    ['True', '{"alg":"RS256","x":True}'], ['a bad escape', '{"alg":"RS256","x":"\\x41"}'],
    ['half an escape', '{"alg":"RS256","x":"\\u00g0"}'], ['a control character', "{\"alg\":\"RS256\",\"x\":\"a\nb\"}"],
    ['NUL in a string', "{\"alg\":\"RS256\",\"x\":\"a\0b\"}"],
    ['invalid UTF-8', "{\"alg\":\"RS256\",\"x\":\"\xff\"}"],
    ['UTF-8 overlong', "{\"alg\":\"RS256\",\"x\":\"\xc0\xaf\"}"],
    ['UTF-8 overlong, three bytes', "{\"alg\":\"RS256\",\"x\":\"\xe0\x80\xaf\"}"],
    ['UTF-8 cut', "{\"alg\":\"RS256\",\"x\":\"\xe2\x82\"}"],
    ['UTF-8 cut at the end', "{\"alg\":\"RS256\",\"x\":\"\xe2"],
    ['UTF-8 beyond Unicode', "{\"alg\":\"RS256\",\"x\":\"\xf4\x90\x80\x80\"}"],
    ['a surrogate in UTF-8', "{\"alg\":\"RS256\",\"x\":\"\xed\xa0\x80\"}"],
    ['invalid UTF-8 in a name', "{\"alg\":\"RS256\",\"\xff\":1}"],
    ['a lone surrogate, high', '{"alg":"RS256","x":"\\ud800"}'],
    ['a lone surrogate, low', '{"alg":"RS256","x":"\\udc00"}'],
    ['surrogates the wrong way round', '{"alg":"RS256","x":"\\udc00\\ud800"}'],
    ['two high surrogates', '{"alg":"RS256","x":"\\ud800\\ud800"}'],
    ['a lone surrogate in a name', '{"alg":"RS256","\\ud800":1}'], ['NUL in a name', '{"alg":"RS256","a\\u0000b":1}'],
    ['NUL in the name that counts', '{"alg":"RS256","exp\\u0000":1}'],
    ['duplicate members', '{"alg":"RS256","alg":"RS256"}'],
    ['duplicate members, one escaped', '{"alg":"RS256","\\u0061lg":"RS256"}'],
    ['duplicate members, both escaped', '{"alg":"RS256","e\\u0078p":1,"\\u0065xp":1}'],
    ['duplicate members, far away', '{"alg":"RS256","x":1,"a":[{"b":{}}],"x":1}'],
    ['duplicate members, deeper', '{"alg":"RS256","a":{"b":1,"b":1}}'],
    ['duplicate members, in an array', '{"alg":"RS256","a":[1,{"b":1,"c":2,"b":3}]}'],
    ['duplicate members, empty names', '{"alg":"RS256","":1,"":2}'],
    ['duplicate members among 500', '{"alg":"RS256",' . join(',', map { qq("m$_":$_) } 1 .. 500) . ',"m250":0}'],
    ['duplicate members, escaped surrogates', "{\"alg\":\"RS256\",\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"],
);
refused_jwts(
    (map { ["header: $_->[0]", with_header($_->[1])] } @no_object),
    (map { ["payload: $_->[0]", with_payload($_->[1])] } @no_object),
);

# RFC 7515 section 4.1.1, RFC 8725 section 3.2.
refused_jwts(
    (map { ["alg $_", with_header(qq({"alg":$_,"typ":"JWT"}))] } '"none"', '"None"', '"NONE"', '"nOnE"', '"n\\u006fne"',
     '""', 'null', 'true', '1', '["RS256"]', '{"alg":"RS256"}'),
    ['alg absent', with_header('{"typ":"JWT"}')],
    ['alg absent, empty header', with_header('{}')],
    ['alg in another case', with_header('{"Alg":"RS256","ALG":"RS256"}')],
    ['alg none, twice', with_header('{"alg":"none","alg":"RS256"}')],
    ['alg none and empty signature', raw_jwt(base64url('{"alg":"none"}'), $payload, '')],
    ['alg deeper', with_header('{"x":{"alg":"RS256"}}')],
);
rows(map {
    my $typ = $_;
    map {
        ["JWT: typ $typ at the top level is an envelope, never forwarded: $_->[0]", '', $_->[1], 'as_bad_response']
    } carried(jwt({ sub => 'alice' }, header => { alg => 'HS256', typ => $typ }))
}
    'token-introspection+jwt', 'Token-Introspection+JWT', 'application/token-introspection+jwt',
        'APPLICATION/token-introspection+jwt');

accepted_jwts(
    ['as usual', $good],
    ['no claims', with_payload('{}')],
    ['white space inside',
     raw_jwt(base64url(" {\r\n\t\"alg\" : \"RS256\" } "), base64url("\n{ \"sub\" : \"alice\" }\n"), $signature)],
    ['no typ', with_header('{"alg":"RS256"}')],
    (map { ["typ $_", with_header(qq({"alg":"RS256","typ":$_}))] }
         '"JWT"', '"at+jwt"', '"application/at+jwt"', '"x"', '""', 'null', '1'),
    (map { ["alg $_", with_header(qq({"alg":"$_"}))] } 'HS256', 'ES512', 'EdDSA', 'nonesuch', 'xnone'),
    ['a name that is escaped', with_header('{"\\u0061lg":"RS256"}')],
    ['a short signature', raw_jwt($header, $payload, 'AA')],
    ['a long signature', raw_jwt($header, $payload, 'A' x 2_000)],
    ['Unicode', with_payload("{\"sub\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\",\"\xc3\xa4\":\"\\ud83d\\ude00\"}")],
    ['NUL in a value, escaped', with_payload('{"sub":"a\\u0000b"}')],
    ['CR and LF in a value, escaped', with_payload('{"sub":"a\\r\\nX-Evil: 1"}')],
    ['names that differ in case', with_payload('{"sub":"a","Sub":"b","SUB":"c","EXP":1,"Exp":"x"}')],
    ['30 levels', with_payload('{"a":' . '[' x 29 . ']' x 29 . '}')],
    ['500 members', with_payload('{' . join(',', map { qq("m$_":$_) } 1 .. 500) . '}')],
    ['names that a prefix of others', with_payload('{"e":1,"ex":2,"expx":"3","":4}')],
    ['numbers that are no time',
     with_payload('{"a":0.' . '3' x 1_000 . ',"b":-0,"c":1e5,"d":1E-5,"e":1.5e+3,"f":18446744073709551616}')],
    ['claims of any kind', with_payload('{"sub":null,"jti":[],"iat":"x","client_id":{},"x":true}')],
    ['iat ahead', with_payload('{"iat":99999999999}')],
);

# --- time ------------------------------------------------------------------------------------------------------------

# The claim in the JWT, in the JSON answer beside a JWT without, and inside of RFC 9701. The value is JSON text.
sub timed {
    my ($name, $directives, $claim, $value, $word) = @_;
    my $text = ref $value ? $value : sub { $value };
    my @rows = (
        ["$name: in the JWT", $directives, sub { { jwt => jwt(qq({"$claim":@{[ $text->() ]}})) } }, $word],
        ["$name: in the JSON answer", $directives, sub {
            { json => qq({"active":true,"jwt":"$inner","$claim":@{[ $text->() ]}}) };
        }, $word, $word eq 'active' ? (api => [{ authorization => "Bearer $inner" }]) : ()],
        ["$name: in the JWT of a JSON answer", $directives, sub {
            { json => { active => true, jwt => jwt(qq({"$claim":@{[ $text->() ]}})) } };
        }, $word],
        ["$name: in RFC 9701", $directives, sub {
            { jwt => jwt(qq({"token_introspection":{"active":true,"jwt":"$inner","$claim":@{[ $text->() ]}}}),
                         header => { alg => 'HS256', typ => 'token-introspection+jwt' }) };
        }, $word,
            $word eq 'active' ? (api => [{ authorization => "Bearer $inner" }]) : ()],
        ["$name: in the envelope of RFC 9701", $directives, sub {
            { jwt => jwt(qq({"token_introspection":{"active":true,"jwt":"$inner"},"$claim":@{[ $text->() ]}}),
                         header => { alg => 'HS256', typ => 'token-introspection+jwt' }) };
        }, $word,
            $word eq 'active' ? (api => [{ authorization => "Bearer $inner" }]) : ()],
    );
    return ref $value ? @rows : map { my @row = @{$_}; $row[2] = $row[2]->(); \@row } @rows;
}
sub from_now { my ($seconds) = @_; return sub { time + $seconds } }

my $billions = '9' x 1_000;
my @nullable = qw(exp nbf iat iss aud scope scp cnf token_type sub);
rows(
    (map { timed("exp $_->[0]", '', exp => $_->[1], $_->[2]) }
        ['ahead', from_now(600), 'active'], ['now is expired', from_now(0), 'expired'],
            ['past', from_now(-1), 'expired'], ['long past', '1', 'expired'], ['0 is in the past', '0', 'expired'],
            ['-0', '-0', 'expired'], ['0.0', '0.0', 'expired'],
        ['negative', '-1', 'expired'], ['negative, 64 bits', '-9223372036854775808', 'expired'],
        ['fractional, now', sub { time . '.9' }, 'expired'], ['fractional, ahead', '4102444800.5', 'active'],
        ['with an exponent', '1e10', 'active'], ['with a small exponent', '1E-10', 'expired'],
        ['2^63-1', '9223372036854775807', 'active'],
        (map { ["no number: $_", $_, 'as_bad_response'] }
             '"4102444800"', '""', 'true', 'false', '[]', '[4102444800]', '{}', '"never"')),
    (map { timed("nbf $_->[0]", '', nbf => $_->[1], $_->[2]) }
        ['ahead', from_now(600), 'not_yet_valid'], ['now', from_now(0), 'active'], ['past', from_now(-600), 'active'],
            ['0', '0', 'active'], ['negative', '-1', 'active'], ['negative, 64 bits', '-9223372036854775808', 'active'],
        ['fractional, ahead', '4102444800.5', 'not_yet_valid'], ['with an exponent', '1e10', 'not_yet_valid'],
        ['2^63-1', '9223372036854775807', 'not_yet_valid'],
        (map { ["no number: $_", $_, 'as_bad_response'] } '"1"', '""', 'true', '[]', '{}')),
    # As PHP's libraries write it: a fresh token's nbf is the second that the clock shows.
    (map {
        my $fraction = $_;
        timed("nbf with a fraction is rounded down: now$_", '', nbf => sub { time . $fraction }, 'active')
    } '.0001', '.1458', '.999999', '.99999999999999999999', '4e-1'),
    (map { my $name = $_; timed("$name null counts as absent", '', $name => 'null', 'active') }
         'exp', 'nbf', 'iat', 'iss', 'aud', 'scope', 'scp', 'cnf', 'token_type'),
    ['every claim is null, in the answer and in the JWT',
     '', { json => { active => true, map({ $_ => undef } @nullable), jwt => jwt({ map { $_ => undef } @nullable }) } },
     'active'],
    ['active alone must not be null, in the JWT either', '', { jwt => jwt('{"active":null}') }, 'as_bad_response'],
    (map {
        ["null is a value where the name is there twice: $_", '', { json => qq({"active":true,"jwt":"$inner",$_}) },
         'as_bad_response']
    } '"exp":null,"exp":4102444800', '"exp":4102444800,"exp":null', '"cnf":null,"cnf":null'),
    ['exp null in the JSON answer, past in the JWT', '', json_jwt({ exp => 1 }, exp => undef), 'expired'],
    ['exp past in the JSON answer, null in the JWT', '', json_jwt({ exp => undef }, exp => 1), 'expired'],

    # A wrap would turn these around: 2^64 into 0, 2^64 + 1 into 1, 4102444800 - 2^64 into 2100.
    (map { timed("exp beyond 64 bits never wraps: $_", '', exp => $_, qr/^(?:expired|as_bad_response)$/) }
        '-9223372036854775809', '-18446744069607106816', '-18446744073709551616', '-1e19', '-1e300', '-1E400',
            "-$billions", "-$billions.5"),
    (map { timed("nbf beyond 64 bits never wraps: $_", '', nbf => $_, qr/^(?:not_yet_valid|as_bad_response)$/) }
        '9223372036854775808', '18446744073709551616', '18446744073709551617', '1e19', '1.8446744073709552e19', '1e300',
            '1E400', $billions, "$billions.5"),
    (map {
        timed('exp beyond 64 bits: a refusal or the limit: ' . substr($_, 0, 30), '', exp => $_,
              qr/^(?:active|as_bad_response)$/)
    } '9223372036854775808', '18446744073709551616', '1e19', '1e300', '1E400', $billions),
    (map {
        timed('nbf beyond 64 bits: a refusal or the limit: ' . substr($_, 0, 30), '', nbf => $_,
              qr/^(?:active|as_bad_response)$/)
    } '-9223372036854775809', '-18446744073709551616', '-1e300', '-1E400', "-$billions"),

    (map { my ($name, $leeway, @rest) = @{$_}; timed("leeway $leeway: $name", "phantom_token_leeway $leeway;", @rest) }
        ['exp within', '60s', exp => from_now(-30), 'active'],
        ['exp at its end', '60s', exp => from_now(-60), 'expired'],
        ['exp beyond', '60s', exp => from_now(-90), 'expired'], ['exp 0', '60s', exp => '0', 'expired'],
        ['nbf within', '60s', nbf => from_now(30), 'active'], ['nbf at its end', '60s', nbf => from_now(60), 'active'],
        ['nbf beyond', '60s', nbf => from_now(90), 'not_yet_valid'],
        ['exp within, in minutes', '2m', exp => from_now(-90), 'active'],
        ['exp 2^63-1 does not wrap', '1d', exp => '9223372036854775807', 'active'],
        ['exp 2^63-2 does not wrap', '1d', exp => '9223372036854775806', 'active'],
        ['exp -2^63', '1d', exp => '-9223372036854775808', 'expired'],
        ['nbf 2^63-1 does not wrap', '1d', nbf => '9223372036854775807', 'not_yet_valid'],
        ['nbf -2^63', '1d', nbf => '-9223372036854775808', 'active']),

    # Where both speak, both must hold.
    ['exp: JSON answer good, JWT past', '', json_jwt({ exp => 1 }, exp => 4102444800), 'expired'],
    ['exp: JSON answer past, JWT good', '', json_jwt({ exp => 4102444800 }, exp => 1), 'expired'],
    ['exp: JSON answer no number, JWT good', '', json_jwt({ exp => 4102444800 }, exp => 'x'), 'as_bad_response'],
    ['exp: both good', '', json_jwt({ exp => 4102444800 }, exp => 4102444801), 'active'],
    ['nbf: JSON answer good, JWT ahead', '', json_jwt({ nbf => 4102444800 }, nbf => 1), 'not_yet_valid'],
    ['nbf: JSON answer ahead, JWT good', '', json_jwt({ nbf => 1 }, nbf => 4102444800), 'not_yet_valid'],
    ['no exp: allowed', '', { jwt => { sub => 'alice' } }, 'active'],
);

# --- iss and aud -----------------------------------------------------------------------------------------------------

my $issuers   = 'phantom_token_issuer https://as.test https://other.test/;';
my $audiences = 'phantom_token_audience orders https://api.test;';
rows(
    (map { ["iss $_->[0]", $issuers, { jwt => jwt($_->[1]) }, $_->[2]] }
        ['the first', '{"iss":"https://as.test"}', 'active'], ['the second', '{"iss":"https://other.test/"}', 'active'],
            ['escaped', '{"iss":"https:\\/\\/as.t\\u0065st"}', 'active'],
        ['absent', '{"sub":"x"}', 'issuer'], ['another', '{"iss":"https://evil.test"}', 'issuer'],
        ['a prefix', '{"iss":"https://as.tes"}', 'issuer'], ['longer', '{"iss":"https://as.test.evil"}', 'issuer'],
        ['a slash more', '{"iss":"https://as.test/"}', 'issuer'],
        ['in another case', '{"iss":"https://AS.test"}', 'issuer'], ['empty', '{"iss":""}', 'issuer'],
        ['null', '{"iss":null}', 'issuer'], ['an array', '{"iss":["https://as.test"]}', 'issuer'],
        ['an object', '{"iss":{"iss":"https://as.test"}}', 'issuer'], ['a number', '{"iss":1}', 'issuer'],
        ['behind NUL', '{"iss":"https://as.test\\u0000"}', 'issuer'],
        ['white space', '{"iss":" https://as.test"}', 'issuer'],
        ['both in one', '{"iss":"https://as.test https://other.test/"}', 'issuer'],
        ['in another claim', '{"Iss":"https://as.test","x":{"iss":"https://as.test"}}', 'issuer']),
    ['iss: JSON answer and JWT',
     $issuers, json_jwt({ iss => 'https://as.test' }, iss => 'https://other.test/'), 'active'],
    ['iss: JSON answer without, JWT with', $issuers, json_jwt({ iss => 'https://as.test' }), 'active'],
    ['iss: JSON answer with, JWT without', $issuers, json_jwt({}, iss => 'https://as.test'), 'issuer'],
    ['iss: JSON answer good, JWT wrong',
     $issuers, json_jwt({ iss => 'https://evil.test' }, iss => 'https://as.test'), 'issuer'],
    ['iss: JSON answer wrong, JWT good',
     $issuers, json_jwt({ iss => 'https://as.test' }, iss => 'https://evil.test'), 'issuer'],
    ['iss: JSON answer null, JWT good', $issuers, json_jwt({ iss => 'https://as.test' }, iss => undef), 'active'],
    ['iss: JSON answer good, JWT null', $issuers, json_jwt({ iss => undef }, iss => 'https://as.test'), 'issuer'],
    ['iss: none is asked for', '', { jwt => { iss => 'https://evil.test' } }, 'active'],
    ['iss: "" asks for none', 'phantom_token_issuer "";', { jwt => {} }, 'active'],

    (map { ["aud $_->[0]", $audiences, { jwt => jwt($_->[1]) }, $_->[2]] }
        ['a string', '{"aud":"orders"}', 'active'], ['the second', '{"aud":"https://api.test"}', 'active'],
        ['an array', '{"aud":["x","orders"]}', 'active'],
        ['an array with other things', '{"aud":[1,null,["x"],{"a":1},"orders"]}', 'audience'],
        ['an array with a number', '{"aud":["orders",1]}', 'audience'],
        ['escaped', '{"aud":["\\u006frders"]}', 'active'],
        ['absent', '{"sub":"x"}', 'audience'], ['another', '{"aud":"invoices"}', 'audience'],
        ['an array of others', '{"aud":["order","orderss","ORDERS"]}', 'audience'],
        ['an empty array', '{"aud":[]}', 'audience'], ['an empty string', '{"aud":""}', 'audience'],
        ['null', '{"aud":null}', 'audience'],
        ['a number', '{"aud":1}', 'audience'], ['an object', '{"aud":{"aud":"orders"}}', 'audience'],
        ['an array in an array', '{"aud":[["orders"]]}', 'audience'],
        ['an object in an array', '{"aud":[{"orders":"orders"}]}', 'audience'],
        ['separated by spaces', '{"aud":"x orders"}', 'audience'],
        ['separated by commas', '{"aud":"x,orders"}', 'audience'],
        ['behind NUL', '{"aud":"orders\\u0000"}', 'audience'], ['a number as its name', '{"aud":["0",0]}', 'audience'],
        ['true', '{"aud":true}', 'audience']),
    ['aud: JSON answer and JWT', $audiences, json_jwt({ aud => ['orders'] }, aud => 'https://api.test'), 'active'],
    ['aud: JSON answer without, JWT with', $audiences, json_jwt({ aud => ['orders'] }), 'active'],
    ['aud: JSON answer with, JWT without', $audiences, json_jwt({}, aud => 'orders'), 'audience'],
    ['aud: JSON answer good, JWT wrong', $audiences, json_jwt({ aud => 'x' }, aud => 'orders'), 'audience'],
    ['aud: JSON answer wrong, JWT good', $audiences, json_jwt({ aud => 'orders' }, aud => ['x']), 'audience'],
    ['aud: JSON answer null, JWT good', $audiences, json_jwt({ aud => 'orders' }, aud => undef), 'active'],
    ['aud: none is asked for', '', { jwt => { aud => 'x' } }, 'active'],
    ['aud and iss: both are asked for',
     "$issuers $audiences", { jwt => { aud => 'orders', iss => 'https://as.test' } }, 'active'],
    ['aud and iss: one is not enough', "$issuers $audiences", { jwt => { aud => 'orders' } }, 'issuer'],
    ['aud and iss: the other is not enough',
     "$issuers $audiences", { jwt => { iss => 'https://as.test' } }, 'audience'],
);

# --- scopes ----------------------------------------------------------------------------------------------------------

my %asked = (
    one    => 'phantom_token_scopes "read";',
    all    => 'phantom_token_scopes "read write";',
    any    => 'phantom_token_scopes "read write"; phantom_token_scope_match any;',
    lines  => 'phantom_token_scope read; phantom_token_scope write;',
    prefix => 'phantom_token_scopes "invoice_*";',
    mixed  => 'phantom_token_scopes "read invoice_*";',
    either => 'phantom_token_scopes "admin invoice_*"; phantom_token_scope_match any;',
    none   => 'phantom_token_scopes "";',
    url    => 'phantom_token_scopes "https://api.test/read:[x]!";',
);
# [asked, what the token has as JSON text, yes or no]
my @scopes = (
    [one => '"read"', 1], [one => '"write read"', 1], [one => '"read write"', 1], [one => '"a read b"', 1],
    [one => '"readonly"', 0], [one => '"rea"', 0], [one => '"xread"', 0], [one => '"READ"', 0], [one => '"read:x"', 0],
    [one => '"write"', 0], [one => '""', 0],
    [one => '" "', 0], [one => '" read"', 1], [one => '"read "', 1], [one => '"   a    read   b  "', 1],
    [one => '"a\\tread"', 0], [one => '"a\\nread"', 0], [one => '"a,read"', 0], [one => '"a\\u00a0read"', 0],
    [one => '"read\\u0000"', 0], [one => '"a\\u0020read"', 1], [one => '"r\\u0065ad"', 1],
    [one => '"*"', 0], [one => '"r*"', 0], [one => '"read*"', 0], [one => '"\\"read\\""', 0],
    [one => '["read"]', 1], [one => '["a","read"]', 1], [one => '["a read"]', 0], [one => '["readonly","rea"]', 0],
    [one => '[]', 0], [one => '[["read"]]', 0], [one => '[{"read":"read"}]', 0], [one => '[1,null,"read"]', 0],
    [one => '["read",1]', 0], [one => '["read",["x"]]', 0], [one => '[""]', 0], [one => '["read "]', 0],
    (map { [one => $_, 0] } 'null', 'true', '1', '{}', '{"read":"read"}', '{"scope":"read"}'),
    [all => '"read write"', 1], [all => '"write x read"', 1], [all => '["write","read"]', 1], [all => '"read"', 0],
    [all => '"write"', 0], [all => '"readwrite"', 0], [all => '"read write"', 1], [all => '"read  write"', 1],
    [all => '["read write"]', 0],
    [any => '"read"', 1], [any => '"write"', 1], [any => '"x write"', 1], [any => '["write"]', 1], [any => '"x"', 0],
    [any => '""', 0], [any => '[]', 0], [any => '"readonly writeonly"', 0],
    [lines => '"read write"', 1], [lines => '"read"', 0], [lines => '"write"', 0],
    [prefix => '"invoice_read"', 1], [prefix => '"invoice_"', 1], [prefix => '"x invoice_y"', 1],
    [prefix => '"invoice_*"', 1], [prefix => '["invoice_z"]', 1], [prefix => '"invoice"', 0],
    [prefix => '"xinvoice_read"', 0], [prefix => '"Invoice_read"', 0], [prefix => '"*"', 0],
    [prefix => '"invoice read"', 0],
    [mixed => '"read invoice_x"', 1], [mixed => '"read"', 0], [mixed => '"invoice_x"', 0],
    [mixed => '"readonly invoice_x"', 0],
    [either => '"admin"', 1], [either => '"invoice_x"', 1], [either => '"administrator"', 0], [either => '"read"', 0],
    [none => '""', 1], [none => 'null', 1], [none => '"x"', 1],
    [url => '"https://api.test/read:[x]!"', 1], [url => '"https://api.test/read"', 0],
);
rows(
    (map { my ($asked, $has, $enough) = @{$_}; my $word = $enough ? 'active' : 'insufficient_scope';
        ["scopes, $asked: scope $has in the JWT", $asked{$asked}, { jwt => jwt(qq({"scope":$has})) }, $word],
        ["scopes, $asked: scp $has in the JWT", $asked{$asked}, { jwt => jwt(qq({"scp":$has})) }, $word],
        ["scopes, $asked: scope $has in the JSON answer",
         $asked{$asked}, { json => qq({"active":true,"jwt":"$inner","scope":$has}) }, $word,
         $enough ? (api => [{ authorization => "Bearer $inner" }]) : ()],
        ["scopes, $asked: scope $has in RFC 9701", $asked{$asked},
         { jwt => jwt(qq({"token_introspection":{"active":true,"jwt":"$inner","scope":$has}}),
                      header => { alg => 'HS256', typ => 'token-introspection+jwt' }) },
         $word,
            $enough ? (api => [{ authorization => "Bearer $inner" }]) : ()] } @scopes),
    (map {
        ["scopes, $_: none in the token: 403", $asked{$_}, { jwt => { sub => 'alice' } },
         $_ eq 'none' ? 'active' : 'insufficient_scope']
    } sort keys %asked),
    ['scopes: scope before scp, enough', $asked{one}, { jwt => { scope => 'read', scp => 'x' } }, 'active'],
    ['scopes: scope before scp, not enough',
     $asked{one}, { jwt => { scope => 'x', scp => 'read' } }, 'insufficient_scope'],
    ['scopes: scope empty before scp', $asked{one}, { jwt => { scope => '', scp => 'read' } }, 'insufficient_scope'],
    ['scopes: scope null before scp', $asked{one}, { jwt => { scope => undef, scp => 'read' } }, 'active'],
    ['scopes: the JSON answer before the JWT, enough',
     $asked{one}, json_jwt({ scope => 'x' }, scope => 'read'), 'active'],
    ['scopes: the JSON answer before the JWT, not enough',
     $asked{one}, json_jwt({ scope => 'read' }, scope => 'x'), 'insufficient_scope'],
    ['scopes: empty in the JSON answer wins over the JWT',
     $asked{one}, json_jwt({ scope => 'read' }, scope => ''), 'insufficient_scope'],
    ['scopes: an empty array in the JSON answer wins over the JWT',
     $asked{one}, json_jwt({ scope => 'read' }, scope => []), 'insufficient_scope'],
    ['scopes: null in the JSON answer, the JWT counts',
     $asked{one}, json_jwt({ scope => 'read' }, scope => undef), 'active'],
    ['scopes: null in the JSON answer, the JWT\'s scp counts',
     $asked{one}, json_jwt({ scope => undef, scp => 'read' }, scope => undef), 'active'],
    ['scopes: absent in the JSON answer, the JWT counts', $asked{one}, json_jwt({ scope => 'read' }), 'active'],
    ['scopes: absent in the JSON answer, the JWT\'s scp counts', $asked{one}, json_jwt({ scp => ['read'] }), 'active'],
    ['scopes: scp in the JSON answer does not count', $asked{one}, json_jwt({}, scp => 'read'), 'insufficient_scope'],
    ['scopes: other names do not count', $asked{one},
     { jwt => { Scope => 'read', scopes => 'read', scope_ => 'read', roles => ['read'],
                realm_access => { scope => 'read' } } },
     'insufficient_scope'],
    ['scopes: in the header they do not count',
     $asked{one}, { jwt => jwt({ sub => 'x' }, header => { alg => 'HS256', scope => 'read', scp => 'read' }) },
     'insufficient_scope'],
    ['scopes: a thousand, the last one counts',
     $asked{one}, { jwt => { scope => join ' ', map({ "s$_" } 1 .. 1_000), 'read' } }, 'active'],
    ['scopes: missing, but expired first', $asked{one}, { jwt => { exp => 1 } }, 'expired'],
);

# --- sender-constrained tokens, refresh tokens -----------------------------------------------------------------------

# As in the contract: cnf in the answer or the JWT, or token_type DPoP.
my $pass = 'phantom_token_confirmation pass;';
sub constrained {
    my ($name, $text, $word, $passed) = @_;
    my @answers = (
        ['the JWT', { jwt => jwt("{$text}") }],
        ['the JSON answer', { json => qq({"active":true,"jwt":"$inner",$text}) }, $inner],
        ['the JWT of a JSON answer', { json => { active => true, jwt => jwt("{$text}") } }],
        ['RFC 9701',
         { jwt => jwt(qq({"token_introspection":{"active":true,"jwt":"$inner",$text}}),
                      header => { alg => 'HS256', typ => 'token-introspection+jwt' }) },
         $inner],
    );
    return
        map { my ($where, $answer, $jwt) = @{$_}; my @api = $jwt ? (api => [{ authorization => "Bearer $jwt" }]) : ();
        ["$name in $where", '', $answer, $word, $word eq 'active' ? @api : ()],
            ["$name in $where, confirmation pass", $pass, $answer, $passed, $passed eq 'active' ? @api : ()] } @answers;
}
rows(
    (map { constrained("cnf $_", qq("cnf":$_), 'bound', 'active') }
         '{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}',
     '{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}', '{}', '"x"', 'false', '[]'),
    constrained('cnf null', '"cnf":null', 'active', 'active'),
    constrained('cnf, escaped', '"c\\u006ef":{}', 'bound', 'active'),
    (map { constrained("token_type $_", qq("token_type":"$_"), 'bound', 'active') } 'DPoP', 'dpop', 'DPOP'),
    (map { constrained("token_type $_", qq("token_type":"$_"), 'inactive', 'inactive') }
         'refresh_token', 'REFRESH_TOKEN', 'refresh_tok\\u0065n'),
    (map { constrained("token_type $_", qq("token_type":$_), 'active', 'active') }
         '"Bearer"', '"bearer"', '"access_token"', '"N_A"', '""', '"xDPoP"', '"DPoPx"', 'null', '["DPoP"]'),
    constrained('cnf deeper', '"x":{"cnf":{}},"CNF":{},"token":{"token_type":"DPoP"}', 'active', 'active'),
    ['cnf, but expired first', '', { jwt => { cnf => {}, exp => 1 } }, 'expired'],
    ['cnf, confirmation pass, but a scope is missing',
     "$pass phantom_token_scopes read;", { jwt => { cnf => {} } }, 'insufficient_scope'],
    ['cnf, confirmation pass, but expired', $pass, { jwt => { cnf => {}, exp => 1 } }, 'expired'],
    ['refresh_token and active false', '', { json => { active => false, token_type => 'refresh_token' } }, 'inactive'],
    ['active false inside of the JWT', '', { jwt => { active => false } }, 'inactive'],
);

# --- large and deep --------------------------------------------------------------------------------------------------

# Depth costs a recursive reader its stack.
my $large = 'phantom_token_max_response_size 4m;';
for my $depth (1_000, 200_000) {
    for my $nested (
        ['arrays', '[' x $depth, ']' x $depth], ['arrays, not closed', '[' x $depth, ''],
        ['objects', '{"a":' x $depth . '1', '}' x $depth], ['mixed', '[{"a":' x ($depth / 2) . '1', '}]' x ($depth / 2)]
    ) {
        my ($name, $text) = ($nested->[0], $nested->[1] . $nested->[2]);
        rows(
            ["$depth levels deep: $name: JSON answer",
             $large, { json => qq({"active":true,"jwt":"$inner","x":$text}) }, 'as_bad_response'],
            ["$depth levels deep: $name: JSON answer, nothing else", $large, { json => $text }, 'as_bad_response'],
            ["$depth levels deep: $name: payload",
             $large, { type => 'application/jwt', body => with_payload(qq({"x":$text})) }, 'as_bad_response'],
            ["$depth levels deep: $name: header", $large,
             { type => 'application/jwt', body => with_header(qq({"alg":"HS256","x":$text})) }, 'as_bad_response'],
        );
    }
}
rows(
    ['100,000 members',
     $large, { json => qq({"active":true,"jwt":"$inner",) . join(',', map { qq("m$_":1) } 1 .. 100_000) . '}' },
     'active', api => [{ authorization => "Bearer $inner" }]],
    ['100,000 members, one twice',
     $large, { json => qq({"active":true,"jwt":"$inner",) . join(',', map { qq("m$_":1) } 1 .. 100_000) . ',"m1":1}' },
     'as_bad_response'],
    ['100,000 members before active', $large,
     { json => '{' . join(',', map { qq("m$_":1) } 1 .. 100_000) . qq(,"jwt":"$inner","active":false}) }, 'inactive'],
    ['500,000 array elements',
     $large, { json => qq({"active":true,"jwt":"$inner","x":[) . join(',', (1) x 500_000) . ']}' }, 'active',
     api => [{ authorization => "Bearer $inner" }]],
    ['a string of 1 MB', $large, { json => qq({"active":true,"jwt":"$inner","x":") . '\\u00e4' x 170_000 . '"}' },
     'active', api => [{ authorization => "Bearer $inner" }]],
    ['a number of 1 MB', $large, { json => qq({"active":true,"jwt":"$inner","exp":) . '9' x 1_000_000 . '}' },
     qr/^(?:active|as_bad_response)$/],
    ['a fraction of 1 MB',
     $large, { json => qq({"active":true,"jwt":"$inner","exp":4102444800.) . '9' x 1_000_000 . '}' },
     qr/^(?:active|as_bad_response)$/],
    ['an exponent of 1 MB', $large, { json => qq({"active":true,"jwt":"$inner","exp":1e) . '9' x 1_000_000 . '}' },
     qr/^(?:active|as_bad_response)$/],
    ['a negative exponent of 1 MB',
     $large, { json => qq({"active":true,"jwt":"$inner","exp":1e-) . '9' x 1_000_000 . '}' },
     qr/^(?:expired|as_bad_response)$/],
    ['CVE-2024-38517', '', { json => qq({"active":true,"jwt":"$inner","exp":1.1111111111111111e-2147483639}) },
     qr/^(?:expired|as_bad_response)$/],
    ['dots for a JWT', $large, { type => 'application/jwt', body => '.' x 1_000_000 }, 'as_bad_response'],
    ['a JWT of 60 KB', '', { jwt => { sub => 'x', pad => 'p' x 45_000 } }, 'active'],
);

# --- and now through the gateway -------------------------------------------------------------------------------------

my %path;
$path{ $_->[1] } //= '/at-' . keys %path for @rows;
my $gateway = gateway(
    clock => 'time',
    http => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    locations => join '', (map { <<"END" } sort keys %path), <<'END');
        location = $path{$_} { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                               proxy_pass http://%%API%%; $_ }
END
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
        location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                              proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }
        location /cached/ {
            phantom_token on;
            phantom_token_introspection_endpoint /_cached;
            proxy_pass http://%%API%%;
            location = /cached/read { phantom_token_scopes read; proxy_pass http://%%API%%; }
            location = /cached/write { phantom_token_scopes write; proxy_pass http://%%API%%; }
            location = /cached/issuer { phantom_token_issuer https://other.test; proxy_pass http://%%API%%; }
            location = /cached/audience { phantom_token_audience other; proxy_pass http://%%API%%; }
            location = /cached/members { phantom_token_jwt_member other; proxy_pass http://%%API%%; }
        }
END

# One of several outcomes, each with its status; whichever it is, the API saw the JWT or nothing.
sub one_of_several {
    my ($row, $answer) = @_;
    my ($name, $directives, undef, $words) = @{$row};
    return subtest $name => sub {
        $gateway->as->answers('alice-token' => $answer);
        $gateway->api->forget_requests;
        my $response = $gateway->get($path{$directives}, token => 'alice-token');
        my $word     = $gateway->logged($response)->{outcome};
        like $word, $words, 'outcome';
        is $response->status, $STATUS{$word}, 'its status';
        check_refusal($response) if $word ne 'active';
        my @seen = map { $_->header('Authorization') } $gateway->api->requests;
        is scalar @seen, $word eq 'active' ? 1 : 0, 'API';
        check_faults();
    };
}

for my $row (@rows) {
    my ($name, $directives, $answer, $word, %more) = @{$row};
    $answer = $answer->() if ref $answer eq 'CODE';
    if (ref $word) { one_of_several($row, $answer); next }
    cases($gateway, {
        name => $name, request => { path => $path{$directives}, token => 'alice-token' },
        answers => { 'alice-token' => $answer }, as => 1,
        status => $STATUS{$word}, outcome => $word,
        $word eq 'active' ? (api => [{ authorization => 'Bearer <jwt>' }]) : (), %more,
    });
}

# --- a cached answer is checked on every request ---------------------------------------------------------------------

my %reader = (request => { path => '/cached/read', token => 'reader-token' });
cases($gateway,
    { name => 'CVE-2021-32701: a cached token, enough for one location', %reader,
      answers => { 'reader-token' => { json => { active => true, scope => 'read',
                                                 jwt => jwt({ iss => 'https://as.test', aud => 'orders' }) } } },
      status => 200, as => 1, cache => 'MISS', api => [{ authorization => 'Bearer <jwt>' }] },
    { name => 'CVE-2021-32701: the same is not for another: scope',
      request => { path => '/cached/write', token => 'reader-token' }, status => 403, outcome => 'insufficient_scope',
      as => 0, cache => 'HIT' },
    { name => 'CVE-2021-32701: the same is not for another: issuer',
      request => { path => '/cached/issuer', token => 'reader-token' }, status => 401, outcome => 'issuer', as => 0,
      cache => 'HIT' },
    { name => 'CVE-2021-32701: the same is not for another: audience',
      request => { path => '/cached/audience', token => 'reader-token' }, status => 401, outcome => 'audience', as => 0,
      cache => 'HIT' },
    { name => 'CVE-2021-32701: the same is not for another: JWT member',
      request => { path => '/cached/members', token => 'reader-token' }, status => 502, outcome => 'as_bad_response',
      as => 0, cache => 'HIT' },
    { name => 'CVE-2021-32701: and still for the first',
      %reader, status => 200, as => 0, cache => 'HIT', api => [{ authorization => 'Bearer <jwt>' }] },
    { name => 'CVE-2021-32701: refused first, allowed elsewhere',
      request => { path => '/cached/write', token => 'writer-token' },
      answers => { 'writer-token' => { jwt => { scope => 'read' } } }, status => 403, as => 1, cache => 'MISS' },
    { name => 'CVE-2021-32701: refused first, allowed where it is enough',
      request => { path => '/cached/read', token => 'writer-token' }, status => 200, as => 0, cache => 'HIT',
      api => [{ authorization => 'Bearer <jwt>' }] },
);

for my $form (
    ['application/jwt', sub { { jwt => { exp => $_[0] } } }],
    ['application/json', sub { { json => { active => true, jwt => $inner, exp => $_[0] } } }]
) {
    my ($name, $answer) = @{$form};
    my $token = "brief-$name-token";
    $gateway->as->answers($token => $answer->(time + $gateway->clock + 600));
    $gateway->as->forget_requests;
    is $gateway->get('/cached/', token => $token)->status, 200,
        "a token that expires while its answer is cached: before, $name";
    $gateway->advance(300);
    is $gateway->get('/cached/', token => $token)->status, 200,
        "a token that expires while its answer is cached: not before its time, $name";
    $gateway->advance(300);
    cases(
        $gateway,
        { name => "a token that expires while its answer is cached: at once, $name",
          request => { path => '/cached/', token => $token }, status => 401, outcome => 'expired', cache => 'HIT',
          challenge => { realm => 'api', error => 'invalid_token' } }
    );
    is scalar($gateway->as->requests), 0,
        "a token that expires while its answer is cached: the AS was not asked again, $name";
}

done_testing;
