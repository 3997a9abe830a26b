# What some authorization servers do in their own way: tokens of other characters, a hint that they take for a
# restriction, a status for a token that they do not know.

use strict;
use warnings;
use lib 't/lib';
use Harness;

sub encoded { my ($text) = @_; return $text =~ s/([^A-Za-z0-9\-._*])/sprintf '%%%02X', ord $1/ger }

# --- phantom_token_syntax --------------------------------------------------------------------------------------------

my @visible  = map { chr } 0x21 .. 0x7e;
my @excluded = ('"', ',', ';', '\\');
{
    my $gateway = gateway(
        log       => { key => 'phantom_token_key' },
        http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:1m;',
        locations => <<'END',
            phantom_token on;
            phantom_token_introspection_endpoint /_introspect;
            phantom_token_syntax visible;
            location / { proxy_pass http://%%API%%; }
            location /strict { phantom_token_syntax b64token; proxy_pass http://%%API%%; }
            location /exchange { phantom_token_exchange_endpoint /_exchange; proxy_pass http://%%API%%; }
            location /hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                            proxy_pass http://%%API%%; }
            location /reject { phantom_token_inbound_jwt reject; proxy_pass http://%%API%%; }
            location /any { satisfy any; allow all; proxy_pass http://%%API%%; }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
            location = /_exchange { internal; proxy_pass http://%%AS%%/token; }
            location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                  proxy_cache_valid 200 1h; }
END
    );
    my %malformed = (
        status => 401, as => 0, outcome => 'malformed', challenge => { realm => 'api', error => 'invalid_token' },
        logged => { key => '' }
    );
    my $asked     = sub {
        return [{ method => 'POST', body => 'token=' . encoded($_[0]) . '&token_type_hint=access_token' }];
    };
    my $all       = join '', grep { my $c = $_; !grep { $_ eq $c } @excluded } @visible;
    cases($gateway,
        (map { { name => "syntax visible: $_->[0]", request => { headers => ["Authorization: Bearer $_->[1]"] },
                 answers => { $_->[1] => { jwt => { sub => 'alice' } } },
            status => 200, outcome => 'active', as => $asked->($_->[1]), api => [{ authorization => 'Bearer <jwt>' }],
            logged => { key => qr/^[0-9a-f]{64}$/ } } }
            ['every character', $all],
            (map { ["with $_", "al${_}ice-token"] }
                qw(! | : % @ * = & + < > ' { } [ ] ^ `), '#', '$', '(', ')', '?', '/', '~'),
            ['= first', '=alice-token'], ['= inside', 'a=b=c-token'],
            ['form-encoded already', 'alice%21%2Btoken'], ['a parameter', 'alice-token&client_id=evil'],
            ['7,9 KB', '!' . 'x' x 7_900]),
        (map {
            { name => "syntax visible: refused: $_->[0]",
              request => { headers => ["Authorization: $_->[1]"] }, %malformed }
        }
            (map { ["with $_", "Bearer al${_}ice-token"] } @excluded), ['nothing', 'Bearer'],
                ['a space inside', 'Bearer a!b c!d'], ['a TAB', "Bearer a!b\tc"],
                ['beyond ASCII', "Bearer caf\xc3\xa9!"], ['beyond ASCII, one byte', "Bearer \xe9!"],
                ['two tokens', 'Bearer a!b, Bearer c!d']),
        (map {
            { name => "syntax b64token below it: $_",
              request => { path => '/strict', headers => ["Authorization: Bearer $_"] }, %malformed }
        } 'a!b', 'a|b', 'a:b', 'a%b', 'a@b', 'a*b', 'a=b', '=a'),
        { name => 'syntax visible: exchange', request => { path => '/exchange', token => 'ex|change!token' },
          answers => { 'ex|change!token' => { json => { access_token => jwt({ sub => 'x' }) } } },
          status => 200, as => [{ body => qr/^grant_type=[^&]*&subject_token=ex%7Cchange%21token&/ }],
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'syntax visible: hot cache, the first', request => { path => '/hot', token => 'hot!token' },
          answers => { 'hot!token' => { jwt => { sub => 'hot' } } }, status => 200, as => 1, cache => 'MISS' },
        { name => 'syntax visible: hot cache, hot', request => { path => '/hot', token => 'hot!token' }, status => 200,
          as => 0, cache => 'HOT', api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'syntax visible: hot cache, another token is another',
          request => { path => '/hot', token => 'hot|token' }, status => 401, as => 1, outcome => 'inactive' },
        { name => 'syntax visible: a JWT is one', request => { path => '/reject', token => jwt({ sub => 'x' }) },
          status => 401, as => 0, outcome => 'rejected_jwt' },
        { name => 'syntax visible: what only looks like a JWT is opaque',
          request => { path => '/reject', token => 'a!.b|.c:' }, answers => { 'a!.b|.c:' => { jwt => { sub => 'x' } } },
          status => 200, as => 1, api => 1 },
        (map {
            { name => "syntax visible: satisfy any takes it out: $_",
              request => { path => '/any', headers => ["Authorization: Bearer $_"] }, status => 200, as => 0,
              outcome => 'bypassed', api => [{ authorization => undef }] }
        } 'a!b-token', 'a b', 'alice-token'),
        { name => 'syntax visible: not even where the AS repeats it',
          request => { token => 'rep|eated!token' }, answers => { 'rep|eated!token' => {
              status => 500, json => { error_description => 'unknown token rep|eated!token rep%7Ceated%21token' }
          } },
          status => 502, as => 1, log => qr/unknown token \*+ \*+/ },
    );
    my @keys = map { $gateway->logged($gateway->get('/', token => $_))->{key} } 'a!b', 'a|b', 'a!b';
    isnt $keys[0], $keys[1], 'syntax visible: $phantom_token_key tells tokens apart';
    is $keys[0], $keys[2], 'syntax visible: $phantom_token_key is the same for the same';
}

# --- phantom_token_type_hint -----------------------------------------------------------------------------------------

{
    my %words = (default => '', same => 'phantom_token_type_hint access_token;', off => 'phantom_token_type_hint off;',
                 own => 'phantom_token_type_hint "a&b c";', urn => 'phantom_token_type_hint urn:example:x;');
    my $gateway = gateway(
        log       => { key => 'phantom_token_key' },
        http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; phantom_token_hot_cache zone=hot:1m;',
        locations => join '',
            q(phantom_token on; phantom_token_introspection_endpoint /_introspect;
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
            location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key $phantom_token_key;
                                  proxy_cache_valid 200 1h; }
            location /hot { phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot;
                            proxy_pass http://%%API%%;
                            location /hot/off { phantom_token_type_hint off; proxy_pass http://%%API%%; } }
            location = /_exchange { internal; proxy_pass http://%%AS%%/token; }
            location /exchange { phantom_token_exchange_endpoint /_exchange; phantom_token_type_hint refresh_token;
                                 proxy_pass http://%%API%%; }),
            map {
                "location /$_ { $words{$_} proxy_pass http://%%API%%; "
                    . "location /$_/below { proxy_pass http://%%API%%; } "
                    . "location /$_/back { phantom_token_type_hint access_token; proxy_pass http://%%API%%; } }\n"
            } sort keys %words,
    );
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } },
        'carol-token' => { json => { access_token => jwt({ sub => 'carol' }) } });
    my %suffix = (
        default => '&token_type_hint=access_token', same => '&token_type_hint=access_token', off => '',
        own => '&token_type_hint=a%26b+c', urn => '&token_type_hint=urn%3Aexample%3Ax'
    );
    cases($gateway,
        (map { my $word = $_;
            { name => "type hint: $word", request => { path => "/$word", token => 'alice-token' }, status => 200,
              as => [{ body => "token=alice-token$suffix{$word}" }], api => [{ authorization => 'Bearer <jwt>' }] },
            { name => "type hint: $word, inherited", request => { path => "/$word/below", token => 'alice-token' },
              status => 200, as => [{ body => "token=alice-token$suffix{$word}" }] },
            { name => "type hint: $word, access_token below it",
              request => { path => "/$word/back", token => 'alice-token' }, status => 200,
              as => [{ body => 'token=alice-token&token_type_hint=access_token' }] } } sort keys %words),
        { name => 'type hint: nothing in an exchange', request => { path => '/exchange', token => 'carol-token' },
          status => 200, as => [{ body => qr/^grant_type=(?!.*hint)/ }], api => 1 },
        { name => 'type hint: a hot copy',
          request => { path => '/hot', token => 'alice-token' }, status => 200, as => 1, cache => 'MISS', api => 1 },
        { name => 'type hint: the hot copy of one hint',
          request => { path => '/hot', token => 'alice-token' }, status => 200, as => 0, cache => 'HOT', api => 1 },
        { name => 'type hint: is not that of another',
          request => { path => '/hot/off', token => 'alice-token' }, status => 200, as => 0, cache => 'HIT', api => 1 },
    );
    my @keys = map { $gateway->logged($gateway->get($_, token => 'alice-token'))->{key} } '/off', '/own', '/default';
    is_deeply [grep { $_ ne $keys[0] } @keys], [], 'type hint: no part of $phantom_token_key';
}

# --- phantom_token_inactive_status -----------------------------------------------------------------------------------

{
    my $way = 'phantom_token on; phantom_token_introspection_endpoint /_introspect;';
    my $gateway = gateway(
        http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; '
            . 'proxy_cache_path %%DIR%%/shared keys_zone=shared:1m; phantom_token_hot_cache zone=hot:1m;',
        locations => <<"END",
            $way
            phantom_token_inactive_status 400 404;
            location / { proxy_pass http://%%API%%; }
            location /strict { phantom_token_inactive_status ""; proxy_pass http://%%API%%;
                               location /strict/again {
                                   phantom_token_inactive_status 401 401 404; proxy_pass http://%%API%%;
                               } }
            location /refusing { phantom_token_inactive_status 401 403 429 499; proxy_pass http://%%API%%; }
            location /exchange { phantom_token_exchange_endpoint /_exchange; proxy_pass http://%%API%%; }
            location /intercepted { phantom_token_introspection_endpoint /_intercepted; proxy_pass http://%%API%%; }
            location /own { phantom_token_introspection_endpoint /_own; proxy_pass http://%%API%%; }
            location /cached {
                phantom_token_introspection_endpoint /_cached; phantom_token_hot_cache hot; proxy_pass http://%%API%%;
                location /cached/strict { phantom_token_inactive_status ""; proxy_pass http://%%API%%; }
            }
            location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }
            location = /_exchange { internal; proxy_pass http://%%AS%%/token; }
            location = /_intercepted { internal; proxy_intercept_errors on; error_page 400 401 404 /error;
                                       proxy_pass http://%%AS%%/introspect; }
            location = /_own { internal; root %%DIR%%/nothing; }
            location = /_cached { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key \$phantom_token_key;
                                  proxy_cache_valid any 1h; }
            location /shared { phantom_token_introspection_endpoint /_shared; proxy_pass http://%%API%%;
                               location /shared/strict {
                                   phantom_token_inactive_status ""; proxy_pass http://%%API%%;
                               } }
            location = /_shared { internal; proxy_intercept_errors on; error_page 404 /error;
                                  proxy_pass http://%%AS%%/introspect; proxy_cache shared; proxy_cache_methods POST;
                                  proxy_cache_key shared; proxy_cache_valid 404 1h; }
            location = /_kept { internal; proxy_intercept_errors on; error_page 404 /error;
                                proxy_pass http://%%AS%%/introspect; proxy_cache tokens; proxy_cache_methods POST;
                                proxy_cache_key \$phantom_token_key; proxy_cache_valid 404 1h; }
            location /kept { phantom_token_introspection_endpoint /_kept; proxy_pass http://%%API%%; }
            location = /error { internal; return 200 "the page"; }
END
    );
    my $listed      = qr/its status is one of phantom_token_inactive_status/;
    my $description = qr/no such token: \*+/;
    my $asked       = qr/location "\/", asked location "\/_introspect", its status 400/;
    my %inactive = (
        status => 401, outcome => 'inactive', challenge => { realm => 'api', error => 'invalid_token' }, as => 1
    );
    my %refused  = (status => 502, outcome => 'as_refused_client', challenge => undef, as => 1);
    my %error    = (status => 502, outcome => 'as_error', challenge => undef, as => 1);
    my $status   = sub { my ($status, @more) = @_; return { 'odd-token' => { status => $status, @more } } };
    my $case     = sub {
        my ($name, $path, $answers, %expected) = @_;
        return { name => "inactive status: $name",
                 request => { path => $path, token => 'odd-token' }, answers => $answers, %expected };
    };
    cases($gateway,
        (map { $case->("$_ is listed", '/', $status->($_), %inactive) } 400, 404),
        $case->('whatever the body says', '/',
                $status->(404, json => { active => JSON::PP::true(), jwt => jwt({ sub => 'x' }) }), %inactive),
        $case->('a body that is cut', '/', $status->(404, body => 'not found', cut => 3), %inactive),
        $case->('what the server says is in the log', '/',
                $status->(400, json => { error => 'invalid_token', error_description => 'no such token: odd-token' }),
                %inactive, log => qr/\[warn\].*phantom token: inactive: $listed: $description, $asked/),
        $case->('401 is not listed', '/', $status->(401), %refused),
        $case->('410 is not listed', '/', $status->(410), %error),
        $case->('500 cannot be', '/', $status->(500), %error),
        $case->('204 is inactive as ever', '/', { 'odd-token' => { status => 204 } }, %inactive),
        $case->('an active token passes as ever', '/', { 'odd-token' => { jwt => { sub => 'x' } } }, status => 200,
                as => 1, api => [{ authorization => 'Bearer <jwt>' }]),
        $case->('"" empties the list', '/strict', $status->(404), %error),
        $case->('"" empties the list, a new one below', '/strict/again', $status->(401), %inactive),
        (map {
            $case->("$_ is listed", '/refusing', $status->($_, headers => ['Retry-After: 5']), %inactive,
                    headers => { 'Retry-After' => undef })
        } 401, 403, 429, 499),
        $case->('a nearer list replaces the inherited one', '/refusing', $status->(404), %error),
        $case->('exchange', '/exchange', $status->(404), %inactive),
        $case->('exchange, a status that has a meaning there', '/exchange',
                $status->(400, json => { error => 'invalid_client' }), %inactive),
        $case->('exchange, not listed', '/exchange', $status->(401), %refused),
        $case->('with proxy_intercept_errors', '/intercepted', $status->(404), %inactive),
        $case->('with proxy_intercept_errors, not listed', '/intercepted', $status->(401), %refused),
        $case->('nginx\'s own 404 is none of the server', '/own', {}, %error, as => 0,
                log => qr/asked location "\/_own", its status 404/),
        $case->('cached', '/cached', $status->(404), %inactive, cache => 'MISS'),
        $case->('cached, and no hot copy of it', '/cached', {}, %inactive, as => 0, cache => 'HIT'),
        $case->('cached, read as the location has it', '/cached/strict', {}, %error, as => 0, cache => 'HIT'),
        $case->('cached, with proxy_intercept_errors', '/kept', $status->(404), %inactive, cache => 'MISS'),
        $case->('cached, with proxy_intercept_errors, again', '/kept', {}, %inactive, as => 0, cache => 'HIT'),
        # nginx keeps the status alone, which no header filter sees.
        (map { { name => "inactive status: one entry for all tokens, with proxy_intercept_errors: $_->[0]",
                 request => { path => $_->[1], token => $_->[2] },
                 answers => { 'odd-token' => { status => 404 }, 'good-token' => { jwt => { sub => 'x' } } },
            status => 500, as => $_->[3], outcome => 'misconfigured', cache => $_->[4],
            log => qr/add "proxy_cache_key \$phantom_token_key;"/ } }
            ['the first', '/shared', 'odd-token', 1, 'MISS'], ['another token', '/shared', 'good-token', 0, 'HIT'],
                ['without the directive', '/shared/strict', 'good-token', 0, 'HIT']),
    );
}

# --- refused by nginx -t ---------------------------------------------------------------------------------------------

my $list = qr/"phantom_token_inactive_status" of location "\/" must be a list of statuses from 400 to 499, it has/;
configurations(
    (map {
        { name => "nginx -t: phantom_token_inactive_status $_",
          protected => "phantom_token_inactive_status $_;", refuses => $list }
    } '399', '500', '200', '40', '4040', '4x4', '-404', '404,401', '404 500', '404 ""', '"404 401"', 'off'),
    (map {
        { name => "nginx -t: phantom_token_type_hint $_->[0]", protected => "phantom_token_type_hint $_->[1];",
          refuses => qr/"phantom_token_type_hint" of location "\/" must be a word such as "access_token", or "off"/ }
    } ['empty', '""'], ['with a newline', '"a\nb"'], ['with a TAB', "\"a\tb\""], ['with DEL', "\"a\x7f\""]),
    { name => 'nginx -t: phantom_token_syntax jwt', protected => 'phantom_token_syntax jwt;',
      refuses => qr/"phantom_token_syntax" of location "\/" must be "b64token" or "visible", it is "jwt"/ },
    { name => 'nginx -t: a status twice',
      protected => 'phantom_token_inactive_status 404 404;', accepts => 1, warns => undef },
    { name => 'nginx -t: words are compared without case, as nginx does', protected =>
          'phantom_token_syntax VISIBLE; phantom_token_inactive_status 400 401 499; phantom_token_type_hint OFF;',
      accepts => 1, warns => undef },
);

done_testing;
