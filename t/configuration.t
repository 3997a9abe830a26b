# Configuration: inheritance, what nginx -t refuses, what each line of a configuration does, and what it says when it
# cannot be.

use strict;
use warnings;
use lib 't/lib';
use Harness;

# --- refused by nginx -t ---------------------------------------------------------------------------------------------

# Tables of [name, configuration, patterns]. In the configuration the offending line ends in "# here": the message must
# name that line, in that file, and hold the patterns: the directive and what to do.
sub refused {
    my ($part, @rows) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $row (@rows) {
        my ($name, $text, @patterns) = @{$row};
        subtest "refused: $name" => sub {
            my $nginx = Harness::Nginx->new(servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' },
                                            ref $part ? $part->($text) : ($part => $text));
            my $line  = 1 + (() = ($nginx->text =~ /\A(.*)# here/s)[0] =~ /\n/g);
            my $check = $nginx->check;
            is $check->{code}, 1, 'refused' or return;
            my ($emerg) = $check->{output} =~ /^(.*\[emerg\].*)$/m;
            like $emerg // '', qr{ in \Q@{[ $nginx->folder ]}\E/nginx\.conf:$line$}, 'names the file and the line';
            like $emerg // '', $_, "says $_" for @patterns;
            unlike $check->{output}, qr/\[(?:alert|crit)\]|Sanitizer|runtime error:|signal/, 'no fault';
        };
    }
    return;
}

sub accepted {
    my ($part, @rows) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return configurations(
        map { { name => "accepted: $_->[0]", $part => $_->[1], accepts => 1, warns => undef } } @rows
    );
}

my $way = 'location = /_introspect { internal; proxy_pass http://%%AS%%; }';
my $on  = 'phantom_token on; phantom_token_introspection_endpoint /_introspect;';
my $api = 'proxy_pass http://%%API%%;';

my $no_endpoint = qr/"phantom_token".*"phantom_token_introspection_endpoint".*add/;
refused(locations =>
    ['phantom_token on without an endpoint, location',     "location /api {\nphantom_token on; # here\n$api }",
     $no_endpoint, qr{location "/api"}],
    ['phantom_token on without an endpoint, from server',  "phantom_token on; # here\nlocation /api { $api }",
     $no_endpoint, qr{location "/api"}],
    ['phantom_token on without an endpoint, nested',
     "location / {\n location /api {\nphantom_token on; # here\n$api } }", $no_endpoint, qr{location "/api"}],
    ['phantom_token on without an endpoint, limit_except',
     "location /api { limit_except GET {\nphantom_token on; # here\n} $api }", $no_endpoint, qr{location "/api"}],
    ['phantom_token on without an endpoint, named',        "location \@api {\nphantom_token on; # here\n$api }",
     $no_endpoint, qr{location "\@api"}],
    ['phantom_token on without an endpoint, regex',        "location ~ \\.php\$ {\nphantom_token on; # here\n$api }",
     $no_endpoint],
    ['phantom_token on without an endpoint, internal but no introspection location',
     "location /x { internal;\nphantom_token on; # here\n$api } location /api { $on $api } $way", $no_endpoint,
     qr{location "/x"}],
);
refused(
    http => [
        'phantom_token on without an endpoint, from http',
        "phantom_token on; # here\nserver { listen 127.0.0.1:%%PORT:other%%; location /api { $api } }", $no_endpoint
    ]
);

my $no_location = qr/"phantom_token_introspection_endpoint".*no location.*add "location .*internal/;
my $reachable   = qr/"phantom_token_introspection_endpoint".*clients can reach.*internal;/;
refused(locations =>
    ['endpoint that no location matches',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_introspect; # here\n$api }",
     $no_location, qr{location "/api"}, qr{"/_introspect"}],
    ['endpoint that no location matches, no slash',
     "location / { phantom_token on;\nphantom_token_introspection_endpoint introspect; # here\n$api }", $no_location,
     qr{"introspect"}],
    ['endpoint that no location matches, another server has it',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_introspect; # here\n$api } }\nserver { "
         . "listen 127.0.0.1:%%PORT:other%%; $way", $no_location],
    ['endpoint that no location matches, an exact one does not',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_introspect/more; # here\n$api } $way",
     $no_location],
    ['endpoint that no location matches, from server',
     "phantom_token on;\nphantom_token_introspection_endpoint /_introspect; # here\nlocation /api { $api }",
     $no_location],
    ['endpoint whose location is not internal',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_introspect; # here\n$api } "
         . "location = /_introspect { proxy_pass http://%%AS%%; }", $reachable, qr{"/_introspect"}],
    ['endpoint whose location is not internal, the protected one',
     "location / { phantom_token on;\nphantom_token_introspection_endpoint /_introspect; # here\n$api }", $reachable],
    ['endpoint whose location is not internal, regex before prefix',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_introspect; # here\n$api } "
         . "location /_introspect { internal; proxy_pass http://%%AS%%; } "
         . "location ~ intro { proxy_pass http://%%AS%%; }",
     $reachable],
    ['endpoint whose location is not internal, regex without a slash',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint introspect; # here\n$api } "
         . "location ~ introspect { proxy_pass http://%%AS%%; }", $reachable],
    ['endpoint whose location is not internal, with arguments',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_introspect?a=1; # here\n$api } "
         . "location = /_introspect { proxy_pass http://%%AS%%; }", $reachable],
    ['endpoint whose location is not internal, nested in one that is',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint /_as/one; # here\n$api } location /_as { "
         . "location = /_as/one { proxy_pass http://%%AS%%; } }", $reachable],
    ['endpoint that is a named location',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint \@introspect; # here\n$api } "
         . "location \@introspect { proxy_pass http://%%AS%%; }",
     qr/"phantom_token_introspection_endpoint".*internal location/],
    ['endpoint that is empty',
     "location /api { phantom_token on;\nphantom_token_introspection_endpoint ''; # here\n$api }",
     qr/"phantom_token_introspection_endpoint".*internal location/],
);

my $scope = qr/"phantom_token_scopes?".*RFC 6749/;
refused(protected =>
    ['realm with a newline',            "phantom_token_realm \"a\\nb\"; # here",
     qr/"phantom_token_realm".*control characters/],
    ['realm with a tab',                "phantom_token_realm \"a\tb\"; # here",
     qr/"phantom_token_realm".*control characters/],
    ['realm with DEL',                  "phantom_token_realm \"a\x7fb\"; # here",
     qr/"phantom_token_realm".*control characters/],
    ['scopes with a newline',           "phantom_token_scopes \"a\\nb\"; # here", $scope],
    ['scopes with a tab',               "phantom_token_scopes \"a\tb\"; # here", $scope],
    ['scopes with a carriage return',   "phantom_token_scopes \"a\\rb\"; # here", $scope],
    ['scopes with a quotation mark',    "phantom_token_scopes 'read wr\"ite'; # here", $scope, qr/wr"ite/],
    ['scopes with a backslash',         "phantom_token_scopes 'read wr\\\\ite'; # here", $scope],
    ['scopes with a byte beyond ASCII', "phantom_token_scopes 'r\xc3\xa9ad'; # here", $scope],
    ['scopes with DEL',                 "phantom_token_scopes 'a\x7f'; # here", $scope],
    ['scopes with * alone',             "phantom_token_scopes 'read *'; # here", $scope],
    ['scopes with * first',             "phantom_token_scopes '*read'; # here", $scope],
    ['scopes with * inside',            "phantom_token_scopes 're*ad'; # here", $scope],
    ['scopes with **',                  "phantom_token_scopes 'read**'; # here", $scope],
    ['scope with a quotation mark',     "phantom_token_scope read;\nphantom_token_scope 'wr\"ite'; # here", $scope],
    ['scope with a newline',            "phantom_token_scope \"a\\nb\"; # here", $scope],
    ['scope with * alone',              "phantom_token_scope '*'; # here", $scope],
    ['scopes with a mistake beside a scope without',
     "phantom_token_scope read;\nphantom_token_scopes '*'; # here", $scope],
    ['issuer with an empty value among others',   "phantom_token_issuer https://a ''; # here",
     qr/"phantom_token_issuer".*empty/],
    ['audience with an empty value among others',
     "phantom_token_audience '' api; # here", qr/"phantom_token_audience".*empty/],
    ['issuer with a newline',           "phantom_token_issuer \"a\\nb\"; # here",
     qr/"phantom_token_issuer".*control characters/],
    ['jwt_member without a name',       "phantom_token_jwt_member ''; # here", qr/"phantom_token_jwt_member".*empty/],
);

# nginx's own words for these would not name the directive in every case.
refused(protected =>
    (map {
        ["phantom_token_max_response_size $_", "phantom_token_max_response_size $_; # here",
         qr/"phantom_token_max_response_size".*size.* 1 /]
    } qw(0 0k -1 1x k), '99999999999999999999', '1.5k', '""', '4000g'),
    (map {
        ["phantom_token_leeway $_", "phantom_token_leeway $_; # here", qr/"phantom_token_leeway".*(?:time|seconds)/]
    } qw(-1 -1s 1x s 99999999999999999999 99999999999999y), '""', '1.5s'),
    ['phantom_token_scope_match both',   'phantom_token_scope_match both; # here',
     qr/"phantom_token_scope_match".*"?all"?.*"?any"?/],
    ['phantom_token_confirmation check',
     'phantom_token_confirmation check; # here', qr/"phantom_token_confirmation".*"?refuse"?.*"?pass"?/],
    ['phantom_token_error_format xml',   'phantom_token_error_format xml; # here',
     qr/"phantom_token_error_format".*"?json"?.*"?problem"?.*"?page"?/],
    ['phantom_token_stale maybe',        'phantom_token_stale maybe; # here', qr/"phantom_token_stale".*"on" or "off"/],
);
refused(locations => ['phantom_token maybe', "location /api {\nphantom_token maybe; # here\n}",
                      qr/"phantom_token" of location "\/api" must be "on" or "off" or "optional", it is "maybe"/],
    ['phantom_token without a word',
     "location /api {\nphantom_token ''; # here\n}", qr/"phantom_token" .*must be "on" or "off" or "optional"/],
    ['phantom_token optional without an endpoint',
     "location /api {\nphantom_token optional; # here\n$api }", $no_endpoint, qr{location "/api"}]);

my @twice = (
    ['phantom_token on', 'phantom_token off'], ['phantom_token optional', 'phantom_token on'],
    ['phantom_token_syntax visible', 'phantom_token_syntax visible'],
    ['phantom_token_type_hint a', 'phantom_token_type_hint off'],
    ['phantom_token_inactive_status 404', 'phantom_token_inactive_status 400'],
    ['phantom_token_inactive_status ""', 'phantom_token_inactive_status 400'],
    ['phantom_token_introspection_endpoint /_introspect', 'phantom_token_introspection_endpoint /_introspect'],
    ['phantom_token_realm a', 'phantom_token_realm b'], ['phantom_token_scopes a', 'phantom_token_scopes b'],
    ['phantom_token_scopes ""', 'phantom_token_scopes b'],
    ['phantom_token_scope_match all', 'phantom_token_scope_match any'],
    ['phantom_token_issuer a', 'phantom_token_issuer b'], ['phantom_token_issuer ""', 'phantom_token_issuer b'],
    ['phantom_token_audience a', 'phantom_token_audience b'], ['phantom_token_leeway 1s', 'phantom_token_leeway 2s'],
    ['phantom_token_jwt_member a', 'phantom_token_jwt_member b'],
    ['phantom_token_max_response_size 1k', 'phantom_token_max_response_size 2k'],
    ['phantom_token_stale off', 'phantom_token_stale on'],
    ['phantom_token_confirmation refuse', 'phantom_token_confirmation pass'],
    ['phantom_token_error_format json', 'phantom_token_error_format page'],
);
refused(locations => map {
    my ($name) = split / /, $_->[0];
    ["duplicate: $_->[0]; $_->[1]", "$_->[0];\n$_->[1]; # here\nlocation / { }", qr/"$name" directive is duplicate/]
} @twice);

# Without arguments, with too many, and where the directive has no place.
my @directives =
    qw(phantom_token phantom_token_introspection_endpoint phantom_token_realm phantom_token_scopes phantom_token_scope
       phantom_token_scope_match phantom_token_issuer phantom_token_audience phantom_token_syntax
       phantom_token_type_hint phantom_token_inactive_status phantom_token_leeway phantom_token_jwt_member
       phantom_token_max_response_size phantom_token_stale phantom_token_confirmation phantom_token_error_format);
my %list = map { $_ => 1 }
    qw(phantom_token_issuer phantom_token_audience phantom_token_jwt_member phantom_token_inactive_status);
refused(locations => map { my $name = $_;
    ["$name without an argument", "location /api {\n$name; # here\n}", qr/"$name"/],
    $list{$name} ? () : ["$name with two arguments", "location /api {\n$name a b; # here\n}", qr/"$name"/],
    ["$name in an if",
     "location /api { if (\$arg_a) {\n$name on; # here\n} }", qr/"$name" directive is not allowed here/],
} @directives);
refused(main => ['phantom_token in the main context', "phantom_token on; # here\n",
                 qr/"phantom_token" directive is not allowed here/]);

# phantom_token_client_credential of old configurations: which directives take its place.
my $successors = qr/"phantom_token_client_credential".*"phantom_token_client_id".*"phantom_token_client_secret_file"/;
refused(protected =>
    ['phantom_token_client_credential id secret',
     'phantom_token_client_credential client_id client_secret; # here', $successors],
    ['phantom_token_client_credential "id:secret"',
     'phantom_token_client_credential "aWQ6c2VjcmV0"; # here', $successors],
);

# Cache zones: body-only keys of two introspection locations, or of one and another location, in one zone.
my $zone = "proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;\nproxy_cache_path %%DIR%%/cache2 keys_zone=others:1m;";
my $mix  = qr/zone "tokens".*(?:"proxy_cache_key \$phantom_token_key;"|zone of its own)/;
sub cached {
    my ($name, $as, $key, $zone_name) = @_;
    return "location = $name { internal; proxy_pass http://127.0.0.1:$as/; proxy_cache @{[ $zone_name // 'tokens' ]}; "
        . "proxy_cache_methods POST; proxy_cache_key $key; }";
}
sub endpoint {
    my ($path, $name) = @_;
    return "location $path { phantom_token on; phantom_token_introspection_endpoint $name; $api }";
}
for my $row (
    ['two introspection locations with body-only keys in one zone',
     join("\n", endpoint('/a', '/_a'), endpoint('/b', '/_b'), cached('/_a', 8, '$request_body'),
          cached('/_b', 9, '$request_body'))],
    ['a body-only key in a zone that an API location uses',
     join("\n", "location /a { $on $api proxy_cache tokens; }", cached('/_introspect', 9, '$request_body'))],
    ['a body-only key in a zone that an open location uses',
     join("\n", endpoint('/a', '/_a'), "location /open { $api proxy_cache tokens; }",
          cached('/_a', 9, '$request_body'))],
    ['body-only keys of two servers in one zone',
     join("\n", endpoint('/a', '/_a'), cached('/_a', 8, '$request_body'), '}', 'server {',
          'listen 127.0.0.1:%%PORT:other%%;', endpoint('/a', '/_a'), cached('/_a', 9, '$request_body'))],
) {
    configurations({ name => "refused: $row->[0]", http => $zone, locations => "$row->[1]\n", refuses => $mix });
}
configurations(
    { name => 'accepted: two introspection locations in one zone with $phantom_token_key',
      http => $zone, locations => join("\n", endpoint('/a', '/_a'), endpoint('/b', '/_b'),
                                       cached('/_a', 8, '$phantom_token_key'), cached('/_b', 9, '$phantom_token_key')),
      accepts => 1, warns => undef },
    { name => 'accepted: two introspection locations with body-only keys in two zones',
      http => $zone, locations => join("\n", endpoint('/a', '/_a'), endpoint('/b', '/_b'),
                                       cached('/_a', 8, '$request_body'), cached('/_b', 9, '$request_body', 'others')),
      accepts => 1, warns => undef },
    { name => 'accepted: a body-only key in a zone of its own', http => $zone,
      locations => join("\n", endpoint('/a', '/_a'), cached('/_a', 8, '$request_body')), accepts => 1, warns => undef },
);

# The message names an included file.
{
    my $folder = temporary_folder();
    open my $out, '>', "$folder/realm.conf" or die $!;
    print {$out} "# a comment\nphantom_token_realm \"a\tb\";\n";
    close $out;
    my $check = Harness::Nginx->new(
        servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' }, protected => "include $folder/realm.conf;"
    )->check;
    like $check->{output}, qr{"phantom_token_realm".* in \Q$folder\E/realm\.conf:2$}m,
        'refused: in an included file, which is named with its line';
}

# --- accepted --------------------------------------------------------------------------------------------------------

accepted(locations =>
    ['phantom_token on at server with every location off', "phantom_token on; location / { phantom_token off; $api }"],
    ['phantom_token on at server, no location at all',     'phantom_token on;'],
    ['phantom_token on at server, the endpoint at the location, introspection location protected by inheritance',
     "phantom_token on; location / { phantom_token_introspection_endpoint /_introspect; $api } $way"],
    ['phantom_token on and the endpoint at server',        "$on location / { $api } $way"],
    ['endpoint without a slash, no internal',
     "location / { phantom_token on; phantom_token_introspection_endpoint introspect; $api } "
         . "location introspect { proxy_pass http://%%AS%%; }"],
    ['endpoint without a slash, exact, no internal',
     "location / { phantom_token on; phantom_token_introspection_endpoint introspect; $api } "
         . "location = introspect { proxy_pass http://%%AS%%; }"],
    ['endpoint of a nested location that is internal',
     "location / { phantom_token on; phantom_token_introspection_endpoint /_as/one; $api location = /_as/one { "
         . "internal; proxy_pass http://%%AS%%; } }"],
    ['endpoint of a nested location, internal inherited',
     "location /a { phantom_token on; phantom_token_introspection_endpoint /_as/one; $api } location /_as { internal; "
         . "location = /_as/one { proxy_pass http://%%AS%%; } }"],
    ['endpoint with arguments',
     "location / { phantom_token on; phantom_token_introspection_endpoint /_introspect?tenant=1; $api } $way"],
    ['endpoint with variables is not checked here',
     "location / { phantom_token on; phantom_token_introspection_endpoint /_\$host; $api }"],
    ['an endpoint without phantom_token on is not checked',
     "location / { phantom_token_introspection_endpoint /_nowhere; $api }"],
    ['phantom_token in limit_except',                      "location / { limit_except GET { $on } $api } $way"],
);
accepted(protected =>
    ['realm with " and \\, and beyond ASCII', "phantom_token_realm 'a \"b\" \\\\ \xc3\xa9';"],
    ['scope ending in *',                     'phantom_token_scopes "invoice_* read";'],
    # a $ would be a variable's in nginx's eyes, elsewhere
    ['every character of a scope',
     q(phantom_token_scopes "!#$%&'()+,-./09:;<=>?@AZ[]^_`az{|}~";) =~ s/\$%/%/r],
    ['phantom_token_scope, repeated',         'phantom_token_scope a; phantom_token_scope b; phantom_token_scope a;'],
    ['both kinds of scopes',                  'phantom_token_scopes "a b"; phantom_token_scope c;'],
    ['"" for lists',
     'phantom_token_scopes ""; phantom_token_scope ""; phantom_token_issuer ""; phantom_token_audience "";'],
    ['lists of several',
     'phantom_token_issuer https://a https://b; phantom_token_audience a b c; phantom_token_jwt_member a b;'],
    ['sizes and times',                       'phantom_token_max_response_size 1; phantom_token_leeway 1m30s;'],
    ['sizes and times, larger',               'phantom_token_max_response_size 1m; phantom_token_leeway 0;'],
);

# --- inheritance: http, server, location, nested, limit_except, if ---------------------------------------------------

# At http every directive has its value "outer". In the servers OUTER-… each is "inner" where the paths below say so,
# in INNER-… it is at server. What is in force shows in what a request gets.
my %fine = (iss => 'https://as', aud => 'api', scope => 'read');
my @inherited = (
    { name => 'phantom_token', outer => 'on', inner => 'off', read => sub { shift->()->status == 401 ? 'on' : 'off' } },
    { name => 'phantom_token_syntax', outer => 'visible', inner => 'b64token', token => 'odd!token', claims => {%fine},
      read => sub { { 200 => 'visible', 401 => 'b64token' }->{ shift->()->status } } },
    { name => 'phantom_token_type_hint', outer => 'outer', inner => 'inner', token => 'fine-token', read => sub {
        (shift->(as => 1)->body =~ /&token_type_hint=(\w+)$/)[0];
    } },
    { name => 'phantom_token_inactive_status', outer => '404', inner => '410', token => 'unknown-token', status => 404,
      read => sub { { 401 => '404', 502 => '410' }->{ shift->()->status } } },
    { name => 'phantom_token_introspection_endpoint', outer => '/_one', inner => '/_two', token => 'fine-token',
      read => sub { '/_' . (shift->(as => 1)->{uri} =~ s{^/}{}r) } },
    { name => 'phantom_token_realm', outer => 'outer', inner => 'inner', read => sub {
        challenge(shift->())->{realm};
    } },
    { name => 'phantom_token_scopes', outer => 'read', inner => 'write', read => sub {
        challenge(shift->())->{scope};
    } },
    { name => 'phantom_token_scope', outer => 'read', inner => 'write', read => sub { challenge(shift->())->{scope} } },
    { name => 'phantom_token_scope_match', outer => 'all', inner => 'any',
      server => 'phantom_token_scopes "read write";', token => 'fine-token', read => sub {
          { 403 => 'all', 200 => 'any' }->{ shift->()->status };
      } },
    { name => 'phantom_token_issuer', outer => 'https://as', inner => 'https://other', token => 'other-issuer-token',
      claims => { %fine, iss => 'https://other' }, read => sub {
          { 401 => 'https://as', 200 => 'https://other' }->{ shift->()->status };
      } },
    { name => 'phantom_token_audience', outer => 'api', inner => 'other', token => 'other-audience-token',
      claims => { %fine, aud => ['x', 'other'] }, read => sub {
          { 401 => 'api', 200 => 'other' }->{ shift->()->status };
      } },
    { name => 'phantom_token_leeway', outer => '1h', inner => '0s', token => 'just-expired-token',
      claims => { %fine, exp => time - 600 }, read => sub { { 200 => '1h', 401 => '0s' }->{ shift->()->status } } },
    { name => 'phantom_token_jwt_member', outer => 'outer', inner => 'inner', token => 'members-token',
      json => { active => true, map { $_ => jwt({ %fine, sub => $_ }) } qw(outer inner jwt) },
      read => sub {
          my ($jwt) = (shift->(api => 1)->header('Authorization') // '') =~ /^Bearer (.+)$/;
          jwt_claims($jwt)->{sub};
      } },
    { name => 'phantom_token_max_response_size', outer => '8k', inner => '32k', token => 'large-token',
      claims => { %fine, more => 'x' x 16_000 }, read => sub { { 502 => '8k', 200 => '32k' }->{ shift->()->status } } },
    { name => 'phantom_token_stale', outer => 'on', inner => 'off', token => 'stale-token', claims => {%fine},
      read => sub { { 200 => 'on', 503 => 'off' }->{ shift->()->status } } },
    { name => 'phantom_token_confirmation', outer => 'pass', inner => 'refuse', token => 'bound-token',
      claims => { %fine, cnf => { jkt => 'x' } }, read => sub {
          { 200 => 'pass', 401 => 'refuse' }->{ shift->()->status };
      } },
    { name => 'phantom_token_error_format', outer => 'problem', inner => 'page', read => sub {
        shift->()->header('Content-Type') =~ m{problem\+json} ? 'problem' : 'page';
    } },
);

# server, method, path, which value
my @levels = (
    ['http, inherited by a location',               'outer', 'GET',  '/plain',            'outer'],
    ['http, inherited by a nested location',        'outer', 'GET',  '/plain/nested',     'outer'],
    ['http, inherited by an if',                    'outer', 'GET',  '/plain/if?if=1',    'outer'],
    ['location over http',                          'outer', 'GET',  '/near',             'inner'],
    ['location, inherited by a nested location',    'outer', 'GET',  '/near/nested',      'inner'],
    ['location, inherited by an if',                'outer', 'GET',  '/near/if?if=1',     'inner'],
    ['location, inherited by limit_except',         'outer', 'POST', '/near/except',      'inner'],
    ['nested location over location',               'outer', 'GET',  '/near/back',        'outer'],
    ['limit_except over location',                  'outer', 'POST', '/except',           'inner'],
    ['limit_except leaves its location as it was',  'outer', 'GET',  '/except',           'outer'],
    ['limit_except over location, back',            'outer', 'POST', '/near/except-back', 'outer'],
    ['server over http',                            'inner', 'GET',  '/plain',            'inner'],
    ['server, inherited by a nested location',      'inner', 'GET',  '/plain/nested',     'inner'],
    ['location over server over http',              'inner', 'GET',  '/back',             'outer'],
);

sub challenge { my ($response) = @_; return parse_challenge($response->header('WWW-Authenticate'))->{params} }

sub server_block {
    my ($directive, $where) = @_;
    my ($outer, $inner) = map { "$directive->{name} $directive->{$_};" } qw(outer inner);
    my $server = join ' ', grep { defined } $directive->{server}, $where eq 'inner' ? $inner : ();
    my $cache  = $directive->{name} eq 'phantom_token_stale' ? 'proxy_cache tokens; proxy_cache_methods POST; '
        . 'proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1m; proxy_cache_use_stale http_500;' : '';
    return <<"END";
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name $where-$directive->{name};
        $server
        location /plain { $api
            location /plain/nested { $api }
            location /plain/if { if (\$arg_if) { set \$dummy 1; } $api }
        }
        location /near { $inner $api
            location /near/nested { $api }
            location /near/if { if (\$arg_if) { set \$dummy 1; } $api }
            location /near/except { limit_except GET { allow all; } $api }
            location /near/back { $outer $api }
            location /near/except-back { limit_except GET { $outer } $api }
        }
        location /except { limit_except GET { $inner } $api }
        location /back { $outer $api }
        location = /_one { internal; proxy_pass http://%%AS%%/one; $cache }
        location = /_two { internal; proxy_pass http://%%AS%%/two; $cache }
    }
END
}

{
    my $outer = join "\n", 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
    map { "$_->{name} $_->{outer};" } grep { $_->{name} ne 'phantom_token_scope' } @inherited;
    my $gateway = gateway(clock => 'time', http => join("\n", $outer, map {
        my $directive = $_;
        map { server_block($directive, $_) } qw(outer inner)
    } @inherited), locations => q{phantom_token off; location / { return 204; }});
    my ($as, $api_server) = ($gateway->as, $gateway->api);
    $as->answers(
        'fine-token' => { jwt => {%fine} }, map {
            defined $_->{claims} ? ($_->{token} => { jwt => $_->{claims} }) : defined $_->{json}
                ? ($_->{token} => { json => $_->{json} }) : defined $_->{status}
                ? ($_->{token} => { status => $_->{status} }) : ()
        } @inherited
    );

    # Both servers have an answer that has grown stale, and an AS that is in trouble.
    my @stale = map { { path => '/back', host => "$_-phantom_token_stale", token => 'stale-token' } } qw(outer inner);
    $_->{path} = $_->{host} =~ /^outer/ ? '/plain' : '/back' for @stale;
    is $gateway->request(%{$_})->status, 200, "inheritance: $_->{host} has an answer in its cache" for @stale;
    $as->answers('stale-token' => { status => 500 });
    $gateway->advance(61);
    for my $request (@stale) {
        is $gateway->logged($gateway->request(%{$request}))->{cache}, 'STALE',
            "inheritance: $request->{host} has a stale answer";
    }

    for my $directive (@inherited) {
        subtest "inheritance: $directive->{name}" => sub {
            for my $level (@levels) {
                my ($name, $server, $method, $path, $expected) = @{$level};
                my $send = sub {
                    my (%what) = @_;
                    $_->forget_requests for $as, $api_server;
                    my $response = $gateway->request(
                        method => $method, path => $path, host => "$server-$directive->{name}",
                        $directive->{token} ? (token => $directive->{token}) : ()
                    );
                    return $what{as} ? ($as->requests)[-1] : $what{api} ? ($api_server->requests)[-1] : $response;
                };
                is eval { $directive->{read}->($send) } // "nothing: $@", $directive->{$expected},
                    "$directive->{name}: $name";
            }
        };
    }
}

# --- scopes against scope, "" and off --------------------------------------------------------------------------------

{
    # path, directives of the location in the order given; the server's first. What the challenge then asks for.
    my @rows = (
        ['scopes wins over scope at one level',              'scopes',
         'phantom_token_scope c; phantom_token_scopes "a b"; phantom_token_scope d;', 'a b'],
        ['scope, repeated, in order',                        'none',
         'phantom_token_scope a; phantom_token_scope b; phantom_token_scope a;', 'a b'],
        ['scopes at server, scope at the location',          'scopes',       'phantom_token_scope near;', 'near'],
        ['scope at server, scopes at the location',          'scope',        'phantom_token_scopes near;', 'near'],
        ['scopes at server, nothing at the location',        'scopes',       '', 'far away'],
        ['scope at server, nothing at the location',         'scope',        '', 'far'],
        ['both at server, scope at the location',            'both',         'phantom_token_scope near;', 'near'],
        ['both at server, nothing at the location',          'both',         '', 'far away'],
        ['scopes "" over scopes',                            'scopes',       'phantom_token_scopes "";', undef],
        ['scopes "" over scope',                             'scope',        'phantom_token_scopes "";', undef],
        ['scope "" over scopes',                             'scopes',       'phantom_token_scope "";', undef],
        ['scope "" over scope',                              'scope',        'phantom_token_scope "";', undef],
        ['scopes "" wins over scope at one level',           'scopes',
         'phantom_token_scope a; phantom_token_scopes "";', undef],
        ['scopes of spaces are none',                        'scopes',       'phantom_token_scopes "  ";', undef],
        ['odd spaces in scopes',                             'none',         'phantom_token_scopes "  a   b ";', 'a b'],
    );
    my %server = (
        none => '', scopes => 'phantom_token_scopes "far away";', scope => 'phantom_token_scope far;',
        both => 'phantom_token_scopes "far away"; phantom_token_scope further;'
    );
    my $n = 0;
    my $blocks = join "\n", map { my $server = $_; my @here = grep { $_->[1] eq $server } @rows;
        "server { listen 127.0.0.1:%%PORT%%; server_name $server; $on $server{$server} $way\n" . join(
            "\n", map { $_->[4] = 'r' . $n++; "location /$_->[4]/ { $_->[2] $api location /$_->[4]/nested { $api } }" }
                @here
        ) . "\n}" } sort keys %server;

    # Lists that "" empties below the server's.
    my $lists = <<"END";
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name lists;
        $on
        phantom_token_issuer https://as;
        phantom_token_audience api;
        $way
        location /both { $api }
        location /no-issuer { phantom_token_issuer ""; $api location /no-issuer/nested { $api } }
        location /no-audience { phantom_token_audience ""; $api }
        location /neither { phantom_token_issuer ""; phantom_token_audience "";
                            $api location /neither/again { phantom_token_issuer https://as; $api } }
        location /except { limit_except GET { phantom_token_issuer ""; } $api }
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name off;
        $on
        $way
        location / { $api }
        location /open { phantom_token off; $api location /open/nested { $api }
                         location /open/closed { phantom_token on; $api } }
        location /reads { limit_except POST { phantom_token off; } $api }
        location /twice { phantom_token on; phantom_token_introspection_endpoint /_two;
                          $api location /twice/nested { $api }
                          location /twice/back { phantom_token_introspection_endpoint /_introspect; $api } }
        location = /_two { internal; proxy_pass http://%%AS%%/two; }
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name bare;
        phantom_token on;
        location /api { phantom_token_introspection_endpoint /_introspect; $api }
        $way
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name whole;
        root %%DIR%%/html;
        $on
        location /api { $api }
        $way
    }
END
    my $gateway = gateway(http => "$blocks\n$lists", locations => 'location / { return 204; }');
    for my $row (@rows) {
        for my $path ("/$row->[4]/", "/$row->[4]/nested") {
            my $response = $gateway->get($path, host => $row->[1]);
            is $response->status, 401, "$row->[0]: 401, $path";
            is challenge($response)->{scope}, $row->[3], "$row->[0]: the challenge names them, $path";
        }
    }
    # Not in the challenge alone.
    my %path = map { $_->[0] => "/$_->[4]/" } @rows;
    cases($gateway,
        { name => 'scope at the location over scopes at server: enforced',
          request => { path => $path{'scopes at server, scope at the location'}, host => 'scopes',
                       token => 'far-token' },
          answers => { 'far-token' => { jwt => { scope => 'far away' } } }, status => 403,
          challenge => { realm => 'api', scope => 'near', error => 'insufficient_scope' } },
        { name => 'scope at the location over scopes at server: enough',
          request => { path => $path{'scopes at server, scope at the location'}, host => 'scopes',
                       token => 'near-scope-token' },
          answers => { 'near-scope-token' => { jwt => { scope => 'near' } } }, status => 200 },
        { name => 'scope, repeated: all are enforced',
          request => { path => $path{'scope, repeated, in order'}, host => 'none', token => 'a-scope-token' },
          answers => { 'a-scope-token' => { jwt => { scope => 'a' } } }, status => 403 },
        { name => 'scopes "": a token without any scope is enough',
          request => { path => $path{'scopes "" over scopes'}, host => 'scopes', token => 'bare-token' },
          answers => { 'bare-token' => { jwt => { sub => 'bare' } } },
          status => 200, api => [{ authorization => 'Bearer <jwt>' }] },
    );

    my %claims = (
        none => {}, issuer => { iss => 'https://as' }, audience => { aud => 'api' },
        both => { iss => 'https://as', aud => 'api' }
    );
    my @expected = (
        # method, path              none issuer audience both
        ['GET',  '/both',              401, 401, 401, 200],
        ['GET',  '/no-issuer',         401, 401, 200, 200],
        ['GET',  '/no-issuer/nested',  401, 401, 200, 200],
        ['GET',  '/no-audience',       401, 200, 401, 200],
        ['GET',  '/neither',           200, 200, 200, 200],
        ['GET',  '/neither/again',     401, 200, 401, 200],
        ['GET',  '/except',            401, 401, 401, 200],
        ['POST', '/except',            401, 401, 200, 200],
    );
    for my $row (@expected) {
        my ($method, $path, @status) = @{$row};
        cases($gateway,
            map { { name => "\"\" empties issuer and audience: $method $path, claims of the token: $_",
                    request => { method => $method, path => $path, host => 'lists', token => "$_-claims-token" },
            answers => { "$_-claims-token" => { jwt => { sub => 'x', %{ $claims{$_} } } } },
            status => shift @status } } qw(none issuer audience both));
    }

    # a client's port comes back, and its older line would be taken for the new one's
    truncate $gateway->folder . '/access.log', 0;
    my %off = (status => 200, as => 0, outcome => '');
    cases($gateway,
        { name => 'off below on: no token is asked for',
          request => { path => '/open', host => 'off' }, %off, api => [{ authorization => undef }] },
        { name => 'off below on: the Authorization header is not touched',
          request => { path => '/open', host => 'off', token => 'untouched-token' }, %off,
          api => [{ authorization => 'Bearer untouched-token' }] },
        { name => 'off below on: Basic is not touched',
          request => { path => '/open', host => 'off', headers => ['Authorization: Basic eA=='] }, %off,
          api => [{ authorization => 'Basic eA==' }] },
        { name => 'off below on: a nested location inherits off',
          request => { path => '/open/nested', host => 'off' }, %off, api => 1 },
        { name => 'off below on: on again below that', request => { path => '/open/closed', host => 'off' },
          status => 401, as => 0, challenge => { realm => 'api' }, outcome => 'missing' },
        { name => 'off below on: limit_except, GET is open',
          request => { path => '/reads', host => 'off' }, %off, api => 1 },
        { name => 'off below on: limit_except, POST is not',
          request => { method => 'POST', path => '/reads', host => 'off' }, status => 401, as => 0 },
        { name => 'off below on: everything else stays on',
          request => { path => '/else', host => 'off' }, status => 401, as => 0 },

        { name => 'endpoint: from the server', request => { path => '/else', host => 'off', token => 'near-token' },
          answers => { 'near-token' => { jwt => { sub => 'x' } } }, status => 200, as => [{ uri => '/_introspect' }],
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'endpoint: at the nearer level',
          request => { path => '/twice', host => 'off', token => 'near-token' }, status => 200,
          as => [{ uri => '/two' }], api => 1 },
        { name => 'endpoint: at the nearer level, nested inherits',
          request => { path => '/twice/nested', host => 'off', token => 'near-token' }, status => 200,
          as => [{ uri => '/two' }], api => 1 },
        { name => 'endpoint: at the nearer level, replaced again',
          request => { path => '/twice/back', host => 'off', token => 'near-token' }, status => 200,
          as => [{ uri => '/_introspect' }], api => 1 },

        { name => 'server-level on: the introspection location inherits it and still works',
          request => { path => '/api', host => 'bare', token => 'near-token' }, status => 200, as => 1,
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'server-level on: the introspection location is no client\'s',
          request => { path => '/_introspect', host => 'bare', token => 'near-token' }, status => 404, as => 0,
          api => 0 },
        { name => 'no location matches, server without an endpoint: 500',
          request => { path => '/other', host => 'bare', token => 'near-token' }, status => 500, as => 0,
          outcome => 'misconfigured', log => qr/\[error\].*phantom_token_introspection_endpoint/ },
        { name => 'no location matches, server without an endpoint: 500 without a token too',
          request => { path => '/other', host => 'bare' }, status => 500, as => 0, outcome => 'misconfigured' },
        { name => 'no location matches, server without an endpoint: 500 for the root too',
          request => { path => '/', host => 'bare', token => 'near-token' }, status => 500, as => 0 },
        { name => 'no location matches, server with an endpoint: protected',
          request => { path => '/secret.txt', host => 'whole' }, status => 401, as => 0,
          challenge => { realm => 'api' }, outcome => 'missing' },
        { name => 'no location matches, server with an endpoint: an inactive token',
          request => { path => '/secret.txt', host => 'whole', token => 'nobody-token' }, status => 401, as => 1,
          outcome => 'inactive' },
    );
    mkdir $gateway->folder . '/html' or die $!;
    chmod 0755, $gateway->folder . '/html';
    open my $out, '>', $gateway->folder . '/html/secret.txt' or die $!;
    print {$out} 'a file';
    close $out;
    cases($gateway,
        { name => 'no location matches, server with an endpoint: a file is protected',
          request => { path => '/secret.txt', host => 'whole' }, status => 401, as => 0 },
        { name => 'no location matches, server with an endpoint: a file for an active token',
          request => { path => '/secret.txt', host => 'whole', token => 'near-token' }, status => 200, body => 'a file',
          as => 1, outcome => 'active' },
    );
}

# --- endpoints that only a request can show --------------------------------------------------------------------------

{
    my $second  = authorization_server();
    my $gateway = gateway(
        servers => { AS2 => $second },
        http    => <<'END',
    proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;
    map $host $as { default /_one; two.example /_two; shared.example shared; nothing.example ""; named.example @named;
                    nowhere.example /_nowhere; noslash.example nowhere; open.example /open;
                    part.example /_one?tenant=7; }
    map $host $only { one.example one; two.example two; }
END
        server_name => '_',
        locations   => <<"END",
        location /api { phantom_token on; phantom_token_introspection_endpoint \$as; $api }
        location /parts { phantom_token on; phantom_token_introspection_endpoint /_\$only; $api }
        location = /_one { internal; proxy_pass http://%%AS%%/one; proxy_cache tokens; proxy_cache_methods POST;
                           proxy_cache_key \$phantom_token_key; proxy_cache_valid 200 1h; }
        location = /_two { internal; proxy_pass http://%%AS2%%/two; proxy_cache tokens; proxy_cache_methods POST;
                           proxy_cache_key \$phantom_token_key; proxy_cache_valid 200 1h; }
        location shared { proxy_pass http://%%AS%%/shared; }
        location \@named { proxy_pass http://%%AS%%; }
        location /open { proxy_pass http://%%AS%%/open; }
        location = /rewritten { rewrite ^ shared last; }
END
    );
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice of one' } });
    $second->answers('alice-token' => { jwt => { sub => 'alice of two' } });
    my $one = $gateway->as->jwt_for('alice-token');
    my $two = $second->jwt_for('alice-token');
    my %alice = (path => '/api', token => 'alice-token');
    my $error = qr/\[error\].*phantom token.*misconfigured/;
    cases($gateway,
        { name => 'variable endpoint: one AS', request => { %alice, host => 'one.example' }, status => 200,
          as => [{ uri => '/one' }], api => [{ authorization => "Bearer $one" }], cache => 'MISS' },
        { name => 'variable endpoint: the other AS, same token, same cache zone',
          request => { %alice, host => 'two.example' }, status => 200, as => 0,
          api => [{ authorization => "Bearer $two" }], cache => 'MISS' },
        { name => 'variable endpoint: one AS, cached', request => { %alice, host => 'one.example' }, status => 200,
          as => 0, api => [{ authorization => "Bearer $one" }], cache => 'HIT' },
        { name => 'variable endpoint: the other AS, cached', request => { %alice, host => 'two.example' },
          status => 200, as => 0, api => [{ authorization => "Bearer $two" }], cache => 'HIT' },
        { name => 'variable endpoint: text and a variable',
          request => { %alice, path => '/parts', host => 'two.example' }, status => 200, as => 0,
          api => [{ authorization => "Bearer $two" }], cache => 'HIT' },
        { name => 'variable endpoint: with arguments', request => { %alice, host => 'part.example' }, status => 200,
          as => [{ uri => '/one?tenant=7' }], api => [{ authorization => "Bearer $one" }], cache => 'MISS' },
        { name => 'variable endpoint: a location without a slash', request => { %alice, host => 'shared.example' },
          status => 200, as => [{ uri => '/shared' }], api => [{ authorization => "Bearer $one" }] },
        { name => 'variable endpoint: empty is a 500', request => { %alice, host => 'nothing.example' }, status => 500,
          as => 0, outcome => 'misconfigured', log => $error },
        { name => 'variable endpoint: a named location is a 500', request => { %alice, host => 'named.example' },
          status => 500, as => 0, outcome => 'misconfigured', log => $error },
        { name => 'variable endpoint: location missing is a 500', request => { %alice, host => 'nowhere.example' },
          status => 500, as => 0, outcome => 'misconfigured', log => qr/$error.*no location/ },
        { name => 'variable endpoint: location missing, no slash, is a 500',
          request => { %alice, host => 'noslash.example' }, status => 500, as => 0, outcome => 'misconfigured',
          log => qr/$error.*no location/ },
        { name => 'variable endpoint: location not internal is a 500', request => { %alice, host => 'open.example' },
          status => 500, as => 0, outcome => 'misconfigured', log => qr/$error.*internal/ },
        { name => 'variable endpoint: no token, the AS is not asked',
          request => { path => '/api', host => 'nothing.example' }, status => 401, as => 0, outcome => 'missing' },
        { name => 'variable endpoint: a main request rewritten to the location without a slash is a 404',
          request => { %alice, path => '/rewritten' }, status => 404, as => 0, api => 0 },
    );
    is scalar(my @asked = $second->requests), 1, 'variable endpoint: the other AS was asked once';
}

# --- a location without a slash --------------------------------------------------------------------------------------

# Every way that nginx has to bring a main request there, for each method, and with blocks inside of it: an if and a
# limit_except are configurations of their own.
{
    my %inside = (plain => '', if => 'if ($uri) { set $dummy 1; }', limit_except => 'limit_except PUT { allow all; }');
    my $gateway = gateway(
        http => join("\n", map { <<"END" } sort keys %inside),
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name $_;
        rewrite ^/early\$ introspect;
        location / { phantom_token on; phantom_token_introspection_endpoint introspect; $api }
        location introspect { $inside{$_} proxy_pass http://%%AS%%; }
        location /last { rewrite ^ introspect last; }
        location /longer { rewrite ^ introspect/longer last; }
        location /try { try_files /none introspect; }
        location /accel { $api }
        location /return { error_page 418 = introspect; return 418; }
    }
END
        locations => '',
    );
    $gateway->api->answers('/accel' => { headers => ['X-Accel-Redirect: introspect'] },
        '/accel/longer' => { headers => ['X-Accel-Redirect: introspect?a=b'] });
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });
    for my $host (sort keys %inside) {
        my $inside = $host eq 'plain' ? '' : ", $host inside";
        cases($gateway,
            { name => "location without a slash: introspection works$inside",
              request => { path => '/', host => $host, token => 'alice-token' }, status => 200,
              as => [{ method => 'POST', uri => 'introspect' }], api => [{ authorization => 'Bearer <jwt>' }] },
            (map { my $path = $_;
                   map { { name =>
                               "location without a slash: a main request that comes there is a 404: $_ $path$inside",
                           status => 404, as => 0,
                request => {
                    method => $_, path => $path, host => $host, token => 'alice-token',
                    $_ eq 'POST' ? (body => 'token=alice-token') : ()
                } } } qw(GET POST HEAD) } qw(/early /last /longer /try /accel /accel/longer)),
        );
    }
    cases($gateway,
        { name => 'location without a slash: error_page does not come there',
          request => { path => '/return', host => 'plain', token => 'alice-token' }, status => 302, as => 0, api => 0 },
        { name => 'location without a slash: no client URI matches it',
          request => { raw => "GET introspect HTTP/1.1\r\nHost: plain\r\n\r\n" }, status => 400, as => 0, api => 0 },
        { name => 'location without a slash: nor one with a slash',
          request => { path => '/introspect', host => 'plain' }, status => 401, as => 0 },
        { name => 'location without a slash: nor the absolute form',
          request => { raw => "GET http://plain?introspect HTTP/1.1\r\nHost: plain\r\n\r\n" }, status => 401, as => 0 },
    );
}

# --- "internal" is checked on the location that served the subrequest ------------------------------------------------

{
    my $gateway = gateway(locations => <<"END");
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect; $api }
        location = /_introspect { internal; rewrite ^ /open last; }
        location /open { proxy_pass http://%%AS%%/open; }
        location /api2 { phantom_token on; phantom_token_introspection_endpoint /_hop; $api }
        location = /_hop { internal; rewrite ^ /_as last; }
        location = /_as { internal; proxy_pass http://%%AS%%/as; }
END
    cases($gateway,
        { name => 'internal: a rewrite to a location that is not, 500',
          request => { path => '/', token => 'alice-token' },
          answers => { 'alice-token' => { jwt => { sub => 'alice' } } }, status => 500, as => 0,
          outcome => 'misconfigured', log => qr/internal/ },
        { name => 'internal: a rewrite to another that is', request => { path => '/api2', token => 'alice-token' },
          status => 200, as => [{ uri => '/as' }], api => [{ authorization => 'Bearer <jwt>' }] },
    );
}

# --- reload ----------------------------------------------------------------------------------------------------------

{
    my $gateway = gateway(protected => 'phantom_token_realm before;');
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });
    my $works = sub {
        my ($name, $realm) = @_;
        cases($gateway,
            { name => "$name: a token", request => { path => '/', token => 'alice-token' }, status => 200, as => 1,
              api => [{ authorization => 'Bearer <jwt>' }] },
            { name => "$name: no token", request => { path => '/' }, status => 401, challenge => { realm => $realm } },
        );
    };
    my @workers = $gateway->workers;
    for my $row (
        ['a scope that cannot be',   protected => 'phantom_token_scopes "*";', qr/phantom_token_scopes/],
        ['an endpoint without a location', locations => "location /a { $on $api }", qr/no location/],
        ['no endpoint',              locations => "location /a { phantom_token on; $api }",
         qr/phantom_token_introspection_endpoint/],
        ['no closing brace',         protected => 'location /x {', qr/unexpected end of file/],
    ) {
        my ($name, $part, $text, $message) = @{$row};
        like $gateway->reload($part => $text), $message, "reload with a broken file: $name: refused";
        $works->("reload with a broken file: $name", 'before');
    }
    is_deeply [$gateway->workers], \@workers, 'reload with a broken file: the same workers serve';
    is $gateway->reload(protected => 'phantom_token_realm after;'), '', 'reload with a good file';
    $works->('reload with a good file', 'after');
    is $gateway->reload(protected => 'phantom_token off;', locations => "location / { $api }"), '',
        'reload with protection off';
    cases($gateway,
        { name => 'reload with protection off: open', request => { path => '/' }, status => 200, as => 0, api => 1 });
}

done_testing;
