# Client credentials: what exactly the AS receives, and that the secret is nowhere else.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use MIME::Base64 'encode_base64';

my $form   = 'application/x-www-form-urlencoded';
my $odd    = "p+q%r/s:t~\xc3\xa9";
my $folder = temporary_folder();
my $files  = 0;

# A file that is root's alone, as the contract wants it: the workers are nobody.
sub file {
    my ($content, $mode) = @_;
    my $path = "$folder/secret-" . ++$files;
    open my $out, '>:raw', $path or die "$path: $!";
    print {$out} $content;
    close $out or die "$path: $!";
    chmod oct($mode // '600'), $path;
    return $path;
}

sub credentials {
    my ($id, $file, $auth) = @_;
    return qq{phantom_token_client_id "$id"; phantom_token_client_secret_file $file;}
        . (defined $auth ? " phantom_token_client_auth $auth;" : '');
}

sub basic   { return 'Basic ' . encode_base64(join(':', @_), '') }
sub encoded { return $_[0] =~ s/([^A-Za-z0-9._* -])/sprintf '%%%02X', ord $1/ger =~ tr/ /+/r }
sub body    { return join '&', "token=$_[0]", 'token_type_hint=access_token', @_[1 .. $#_] }

# Everything below a folder that holds one of these texts.
sub files_with {
    my ($where, @texts) = @_;
    my @found;
    my $pattern = join '|', map { quotemeta } @texts;
    for my $file (split /\n/, run(['find', $where, '-type', 'f'])->{out}) {
        open my $in, '<:raw', $file or next;
        local $/ = undef;
        push @found, $file if (scalar(<$in>) // '') =~ /$pattern/i;
    }
    return @found;
}

# The lines of the error log but those at debug; what has no level belongs to the line before it.
sub above_debug {
    my ($gateway) = @_;
    my $level = '';
    return grep { $level = $1 if m{^\d{4}/\d\d/\d\d [\d:]+ \[(\w+)\]}; $level ne 'debug' } $gateway->log->lines;
}

# How a secret may look that got somewhere: as it is, form-encoded, in Basic.
sub forms_of {
    my ($id, $secret) = @_;
    return ($secret, encoded($secret), map { s/^Basic //r } basic($id, $secret), basic(encoded($id), encoded($secret)));
}

# --- what the AS receives --------------------------------------------------------------------------------------------

{
    my $longest = 'x' x 4095 . "\xff";
    # name, id, what is in the file, phantom_token_client_auth, Authorization, what is added to the body
    my @rows = (
        ['no credentials',                          undef, undef, undef, undef],
        ['basic is the default',                    'gateway', "gateway-secret\n", undef,
         'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA=='],
        ['basic',                                   'gateway', "gateway-secret\n", 'basic',
         'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA=='],
        ['basic: RFC 6749 2.3.1, form-encoded',     'gateway', "$odd\n", 'basic',
         basic('gateway', 'p%2Bq%25r%2Fs%3At%7E%C3%A9')],
        ['basic_raw: as they are',                  'gateway', "$odd\n", 'basic_raw', basic('gateway', $odd)],
        ['post: in the body',                       'gateway', "$odd\n", 'post', undef, 'client_id=gateway',
         'client_secret=p%2Bq%25r%2Fs%3At%7E%C3%A9'],
        ['basic: space is +, &, = and / encoded',   'gateway-odd', 'o+d d%/&=s', 'basic',
         basic('gateway-odd', 'o%2Bd+d%25%2F%26%3Ds')],
        ['basic_raw: space is a space',             'gateway-odd', 'o+d d%/&=s', 'basic_raw',
         basic('gateway-odd', 'o+d d%/&=s')],
        ['post: & adds no parameter',               'gateway-odd', 'o+d d%/&=s', 'post', undef, 'client_id=gateway-odd',
         'client_secret=o%2Bd+d%25%2F%26%3Ds'],
        ['basic: RFC 6749 appendix B, - . _ * stay', 'a-b.c_d*', '*-._', 'basic', basic('a-b.c_d*', '*-._')],
        ['basic: a colon in the id',                "https://gw/\xc3\xa9", 's', 'basic',
         basic('https%3A%2F%2Fgw%2F%C3%A9', 's')],
        ['post: a colon in the id',                 "https://gw/\xc3\xa9", 's', 'post', undef,
         'client_id=https%3A%2F%2Fgw%2F%C3%A9', 'client_secret=s'],
        ['basic_raw: a colon in the secret',        'gateway', 'a:b:c', 'basic_raw', basic('gateway', 'a:b:c')],
        ['file: no newline at the end',             'gateway', 's', 'basic_raw', basic('gateway', 's')],
        ['file: one newline at the end is dropped', 'gateway', "s\n", 'basic_raw', basic('gateway', 's')],
        ['file: a newline may have CR',             'gateway', "s\r\n", 'basic_raw', basic('gateway', 's')],
        ['file: blanks around stay',                'gateway', " s \n", 'basic_raw', basic('gateway', ' s ')],
        ['file: UTF-8 stays',                       'gateway', "\xc3\xa9\xe2\x82\xac\n", 'basic',
         basic('gateway', '%C3%A9%E2%82%AC')],
        ['file: 4096 bytes',                        'gateway', $longest, 'basic_raw', basic('gateway', $longest)],
        ['file: 4096 bytes and a newline',          'gateway', "$longest\n", 'basic_raw', basic('gateway', $longest)],
        ['file: 4096 bytes in the body',            'gateway', $longest, 'post', undef, 'client_id=gateway',
         'client_secret=' . 'x' x 4095 . '%FF'],
    );
    my $locations = '';
    for my $n (0 .. $#rows) {
        my ($name, $id, $content, $auth) = @{ $rows[$n] };
        # The file with 4096 bytes and a newline is a table of its own, so that it cannot keep nginx from starting.
        my $lines = defined $id ? credentials($id, file($content), $auth) : '';
        next if length($content // '') > 4096;
        $locations .= "location = /$n { phantom_token on; phantom_token_introspection_endpoint /_introspect; "
            . "$lines proxy_pass http://%%API%%; }\n";
        $locations .= "location = /x$n { phantom_token on; phantom_token_exchange_endpoint /_exchange; "
            . "$lines proxy_pass http://%%API%%; }\n";
    }
    $locations .= 'location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; } '
        . 'location = /_exchange { internal; proxy_pass http://%%AS%%/token; }';
    my $gateway = gateway(locations => $locations);
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } },
        'carol-token' => { json => { access_token => jwt({ sub => 'carol' }) } });
    my $exchange =
        'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=carol-token'
        . '&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token'
        . '&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt';
    for my $n (grep { length($rows[$_][2] // '') <= 4096 } 0 .. $#rows) {
        my ($name, $authorization, @parameters) = @{ $rows[$n] }[0, 4 .. $#{ $rows[$n] }];
        # What the client says of itself is nothing to the AS.
        my @client = (
            headers => ['Cookie: client_id=evil', 'Proxy-Authorization: Basic eA==', 'Content-Type: text/plain'],
            method => 'POST', body => 'client_id=evil&client_secret=evil'
        );
        my @names  = (
            qw(Host Connection Content-Length Accept), defined $authorization ? 'Authorization' : (), 'Content-Type',
            'Content-Length'
        );
        my %asked  = (
            method => 'POST', content_type => $form, authorization => $authorization, cookie => undef,
            proxy_authorization => undef
        );
        cases($gateway,
            { name => "AS receives: introspection: $name",
              request => { path => "/$n?client_id=evil", token => 'alice-token', @client }, status => 200,
              api => [{ authorization => 'Bearer <jwt>' }],
              as => [{
                  %asked, uri => '/introspect', accept => 'application/jwt', body => body('alice-token', @parameters)
              }] },
            { name => "AS receives: exchange: $name",
              request => { path => "/x$n?client_id=evil", token => 'carol-token', @client }, status => 200,
              api => [{ authorization => 'Bearer <jwt>' }],
              as => [{
                  %asked, uri => '/token', accept => 'application/json', body => join '&', $exchange, @parameters
              }] },
        );
    }
    my ($row) = grep { $_->[0] eq 'file: 4096 bytes and a newline' } @rows;
    configurations(
        { name => "AS receives: $row->[0]",
          protected => credentials('gateway', file($row->[2])), accepts => 1, warns => undef }
    );
}

# --- refused by nginx -t ---------------------------------------------------------------------------------------------

{
    my $good    = file("$odd\n");
    my $missing = "$folder/missing";
    my $link    = "$folder/link";
    my $dangles = "$folder/dangling";
    my ($empty, $newline, $crlf, $large) = map { file($_) } '', "\n", "\r\n", 'x' x 4097;
    symlink $good,    $link;
    symlink $missing, $dangles;
    my $file_of = sub { my $path = shift; return qr/\Q$path\E/ };
    my $lone_id   = qr/"phantom_token_client_id".*"phantom_token_client_secret_file".*add/;
    my $lone_file = qr/"phantom_token_client_secret_file".*"phantom_token_client_id".*add/;
    my $colon     = qr/"phantom_token_client_id".*colon.*basic_raw.*"basic" or "post"/;
    my @others    = map {
        { name => sprintf('refused by nginx -t: %s', $_->[0]), protected => $_->[1], refuses => $_->[2] }
    } (
        ['a client id without a secret file',                'phantom_token_client_id gateway;', $lone_id],
        ['a secret file without a client id',                "phantom_token_client_secret_file $good;", $lone_file],
        ['a secret file with an empty client id',            credentials('', $good), $lone_file],
        ['a client id without a secret file, post',
         'phantom_token_client_id gateway; phantom_token_client_auth post;', $lone_id],
        ['a colon in the client id with basic_raw',          credentials('a:b', $good, 'basic_raw'), $colon],
        ['a secret file that is not there',                  credentials('gateway', $missing), $file_of->($missing)],
        ['a secret file that is a dangling link',            credentials('gateway', $dangles), $file_of->($dangles)],
        ['a secret file that is a folder',                   credentials('gateway', $folder), $file_of->($folder)],
        ['a secret file that is empty',                      credentials('gateway', $empty), $file_of->($empty)],
        ['a secret file with nothing but a newline',         credentials('gateway', $newline), $file_of->($newline)],
        ['a secret file with nothing but CR and a newline',  credentials('gateway', $crlf), $file_of->($crlf)],
        ['a secret file that is too large',                  credentials('gateway', $large),
         [$file_of->($large), qr/4096/]],
        ['a secret file that is endless',                    credentials('gateway', '/dev/zero'),
         $file_of->('/dev/zero')],
        ['a secret file without a name',
         'phantom_token_client_id gateway; phantom_token_client_secret_file "";', qr/secret/],
        ['a client id with a newline',                       credentials('a\nb', $good),
         qr/"phantom_token_client_id".*control characters/],
        ['a client id with DEL',                             credentials("a\x7f", $good),
         qr/"phantom_token_client_id".*control characters/],
        ['phantom_token_client_auth bearer',                 credentials('gateway', $good, 'bearer'),
         qr/"phantom_token_client_auth".*"?basic"?.*"?basic_raw"?.*"?post"?/],
        ['two client ids',                                   'phantom_token_client_id a; phantom_token_client_id b;',
         qr/"phantom_token_client_id" directive is duplicate/],
        ['two secret files',
         "phantom_token_client_secret_file $good; phantom_token_client_secret_file $good;",
         qr/"phantom_token_client_secret_file" directive is duplicate/],
        ['two client auths',
         'phantom_token_client_auth post; phantom_token_client_auth basic;',
         qr/"phantom_token_client_auth" directive is duplicate/],
        (map { ["$_ without an argument", "$_;", qr/"$_"/], ["$_ with two arguments", "$_ a b;", qr/"$_"/] }
             qw(phantom_token_client_id phantom_token_client_secret_file phantom_token_client_auth)),
    );
    my $utf16 = sub { return join '', map { "$_\0" } split //, shift };
    # name, what is in the file, what nginx -t says of it
    my @faults = (
        ['a byte order mark',                    "\xef\xbb\xbfgateway-secret\n", qr/byte order mark.*without one/],
        ['nothing but a byte order mark',        "\xef\xbb\xbf\n", qr/byte order mark/],
        ['UTF-16, little end first',             "\xff\xfe" . $utf16->("gateway-secret\r\n"), qr/byte order mark/],
        ['UTF-16, big end first',                "\xfe\xff\0" . $utf16->('gateway-secret'), qr/byte order mark/],
        ['UTF-16 without a byte order mark',     $utf16->('gateway-secret'), qr/NUL.*UTF-16.*UTF-8/],
        ['NUL',                                  "gateway\0secret", qr/NUL/],
        ['nothing but blanks',                   "  \n", qr/is empty/],
        ['a second line',                        "gateway-secret\nsecond\n", qr/second line.*nothing else/],
        ['a second newline',                     "gateway-secret\n\n", qr/second line/],
        ['a second newline, CR LF',              "gateway-secret\r\n\r\n", qr/second line/],
        ['a newline before it',                  "\ngateway-secret\n", qr/second line/],
        ['CR alone',                             "gateway-secret\r", qr/control characters/],
        ['two CR',                               "gateway-secret\r\r\n", qr/control characters/],
        (map { [sprintf('the control character %02x', $_), 'gateway' . chr($_) . "secret\n", qr/control characters/] }
             1, 7, 9, 11, 27, 127),
        ['a TAB at its end',                     "gateway-secret\t\n", qr/control characters, a TAB/],
    );
    for my $fault (@faults) {
        my ($name, $content, $says) = @{$fault};
        my $path  = file($content);
        my $nginx = Harness::Nginx->new(
            servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' }, protected => credentials('gateway', $path)
        );
        my $output = $nginx->check->{output};
        my $refused = qr/"phantom_token_client_secret_file" of location "\/": the file "\Q$path\E" of the secret/;
        like $output, qr/\[emerg\] .*$refused.*nginx\.conf:\d+/, "a secret file with $name: refused";
        like $output, $says, "a secret file with $name: what is wrong";
        unlike $output, qr/gateway-secret|gateway.secret/, "a secret file with $name: the secret is not shown";
    }
    configurations(map {
        { name => "warned of: $_->[0]", protected => credentials('gateway', file($_->[1])), accepts => 1,
          warns => qr/secret-\d+" begins or ends with a blank.*nginx\.conf:\d+/ }
    }
        ['a blank at the end of the secret', "s \n"], ['a blank before the secret', ' s'],
            ['a blank behind the secret, no newline', 's ']);

    my $way   = 'location = /_introspect { internal; proxy_pass http://%%AS%%; }';
    my $on    = 'phantom_token on; phantom_token_introspection_endpoint /_introspect;';
    my $three = "$on $way location /api { proxy_pass http://%%API%%; }";
    configurations(
        @others,
        { name => 'refused by nginx -t: a client id without a secret file, inherited',
          locations => "phantom_token_client_id gateway; $three", refuses => [$lone_id, qr{location "/api"}] },
        { name => 'refused by nginx -t: a colon in an inherited client id',
          locations => "@{[ credentials('a:b', $good) ]} $on $way location /api { phantom_token_client_auth basic_raw; "
              . "proxy_pass http://%%API%%; }", refuses => [$colon, qr{location "/api"}] },
        { name => 'accepted: a colon in the client id with basic',
          protected => credentials('a:b', $good), accepts => 1, warns => undef },
        { name => 'accepted: a colon in the client id with post',  protected => credentials('a:b', $good, 'post'),
          accepts => 1, warns => undef },
        { name => 'accepted: a link to a secret file',             protected => credentials('gateway', $link),
          accepts => 1, warns => undef },
        { name => 'accepted: id at server, file at the location',  locations => "phantom_token_client_id gateway; "
              . "$on $way location /api { phantom_token_client_secret_file $good; proxy_pass http://%%API%%; }",
          accepts => 1, warns => undef },
        { name => 'accepted: credentials where nothing is protected',
          locations => credentials('gateway', $good) . ' location / { return 204; }', accepts => 1, warns => undef },
        (map {
            { name => "warned of: mode $_", protected => credentials('gateway', file("$odd\n", $_)), accepts => 1,
              warns => qr/secret-\d+".*mode to 600.*nginx\.conf:\d+/ }
        } 644, 604, 444),
        (map {
            { name => "not warned of: mode $_",
              protected => credentials('gateway', file("$odd\n", $_)), accepts => 1, warns => undef }
        } 600, 400),
        { name => 'warned of: a link to a file that others can read', protected => credentials('gateway', do {
            my $open = file($odd, 644);
            symlink $open, "$folder/open";
            "$folder/open"
        }),
          accepts => 1, warns => qr/mode to 600/ },
    );

    # A relative name begins where nginx.conf is.
    my $nginx = Harness::Nginx->new(
        servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' }, protected => credentials('gateway', 'secrets/one')
    );
    mkdir $nginx->folder . '/secrets';
    rename file($odd), $nginx->folder . '/secrets/one' or die $!;
    is $nginx->check->{code}, 0, 'accepted: a relative name';

    for my $protected (
        credentials('gateway', file("$odd\n", 644)), credentials('', file($odd)),
        credentials('gateway', file($odd x 400))
    ) {
        my $output = Harness::Nginx->new(servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' },
                                         protected => $protected)->check->{output};
        unlike $output, qr/p\+q/, 'nginx -t says nothing of the secret itself';
    }
}

# --- inheritance -----------------------------------------------------------------------------------------------------

{
    my %file = map { $_ => file("$_-secret\n") } qw(http server location);
    my $on   = 'phantom_token on; phantom_token_introspection_endpoint /_introspect;';
    my $api  = 'proxy_pass http://%%API%%;';
    my $way  = 'location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }';
    my $paths = <<"END";
        location /plain { $api location /plain/nested { $api }
                          location /plain/if { if (\$arg_if) { set \$dummy 1; } $api } }
        location /id { phantom_token_client_id location; $api location /id/nested { $api } }
        location /file { phantom_token_client_secret_file $file{location}; $api }
        location /auth { phantom_token_client_auth post;
                         $api location /auth/back { phantom_token_client_auth basic_raw; $api } }
        location /all { @{[ credentials('location', $file{location}, 'post') ]} $api }
        location /except { limit_except GET { phantom_token_client_id except; } $api }
END
    my $at_http = credentials('http', $file{http});
    my $gateway = gateway(locations => 'location / { return 204; }', http => $at_http . <<"END");
    server { listen 127.0.0.1:%%PORT%%; server_name outer; $on $way $paths }
    server { listen 127.0.0.1:%%PORT%%; server_name inner;
             @{[ credentials('server', $file{server}, 'basic') ]} $on $way $paths }
END
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });
    for my $row (
        ['http to location',                      'outer', '/plain',         basic('http', 'http-secret')],
        ['http to nested location',               'outer', '/plain/nested',  basic('http', 'http-secret')],
        ['http to if',                            'outer', '/plain/if?if=1', basic('http', 'http-secret')],
        ['id at the location, file of http',      'outer', '/id',            basic('location', 'http-secret')],
        ['id at the location, nested',            'outer', '/id/nested',     basic('location', 'http-secret')],
        ['file at the location, id of http',      'outer', '/file',          basic('http', 'location-secret')],
        ['auth at the location',                  'outer', '/auth',          undef, 'client_id=http',
         'client_secret=http-secret'],
        ['auth in the nested location again',     'outer', '/auth/back',     basic('http', 'http-secret')],
        ['all at the location',                   'outer', '/all',           undef, 'client_id=location',
         'client_secret=location-secret'],
        ['server over http',                      'inner', '/plain',         basic('server', 'server-secret')],
        ['server over http, id at the location',  'inner', '/id/nested',     basic('location', 'server-secret')],
        ['server over http, all at the location',
         'inner', '/all',           undef, 'client_id=location', 'client_secret=location-secret'],
        ['limit_except leaves GET',               'outer', '/except',        basic('http', 'http-secret')],
        ['limit_except',                          'outer', '/except POST',   basic('except', 'http-secret')],
    ) {
        my ($name, $host, $target, $authorization, @parameters) = @{$row};
        my ($path, $method) = split / /, $target;
        cases($gateway,
            { name => "inheritance: $name",
              request => { method => $method // 'GET', path => $path, host => $host, token => 'alice-token' },
              status => 200,
            as => [{ authorization => $authorization, body => body('alice-token', @parameters) }], api => 1 });
    }
}

# --- the location's own headers --------------------------------------------------------------------------------------

for my $row (
    ['proxy_set_header Authorization wins',
     'proxy_set_header Authorization "Basic b3duOm93bg==";', 'Basic b3duOm93bg=='],
    ['other proxy_set_header lines do not matter',
     'proxy_set_header Host as.example; proxy_set_header X-A b;', basic('gateway', encoded($odd))],
    ['proxy_set_header with $http_authorization is the credentials',
     'proxy_set_header Authorization $http_authorization;', basic('gateway', encoded($odd))],
) {
    my $gateway = gateway(protected => credentials('gateway', file($odd)), introspection => $row->[1]);
    cases(
        $gateway,
        { name => "introspection location: $row->[0]",
          request => { token => 'alice-token' }, answers => { 'alice-token' => { jwt => { sub => 'alice' } } },
          status => 200, as => [{ authorization => $row->[2] }], api => [{ authorization => 'Bearer <jwt>' }] }
    );
}

# --- the secret is nowhere -------------------------------------------------------------------------------------------

# Variables of the main request, in the response, to the API and in the log, whatever became of the request.
my @variables =
    qw(request_body http_authorization http_cookie args content_type request content_length phantom_token_client_id
       phantom_token_claim_client_id phantom_token_key phantom_token_jwt remote_user proxy_host request_body_file
       upstream_addr http_content_type http_accept uri);
for my $auth (qw(basic basic_raw post)) {
    my @forms = forms_of('gateway', $odd);
    my $lines = credentials('gateway', file("$odd\n"), $auth);
    my $shown = join '|', map { "\$$_" } @variables;
    my $gateway = gateway(
        log_level => 'debug',
        http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m; client_body_in_file_only on; '
            . 'large_client_header_buffers 8 32k;',
        log       => { map { ("v_$_" => $_) } @variables },
        locations => <<"END",
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                     $lines add_header X-Vars "$shown" always; proxy_set_header X-Vars "$shown";
                     proxy_pass http://%%API%%; }
        location /exchange { phantom_token on; phantom_token_exchange_endpoint /_exchange;
                             $lines add_header X-Vars "$shown" always; proxy_set_header X-Vars "$shown";
                             proxy_pass http://%%API%%; }
        location /page { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                         phantom_token_error_format page; $lines error_page 401 403 500 502 503 504 /error;
                         proxy_pass http://%%API%%; }
        location = /error { return 200 "$shown"; }
        location /slow { phantom_token on; phantom_token_introspection_endpoint /_slow;
                         $lines add_header X-Vars "$shown" always; proxy_set_header X-Vars "$shown";
                         proxy_pass http://%%API%%; }
        location = /_slow { internal; proxy_pass http://%%AS%%/introspect; proxy_read_timeout 200ms; proxy_cache tokens;
                            proxy_cache_methods POST; proxy_cache_key \$phantom_token_key; proxy_cache_valid any 1h; }
        location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens;
                                  proxy_cache_methods POST; proxy_cache_key \$phantom_token_key;
                                  proxy_cache_valid any 1h; }
        location = /_exchange { internal; proxy_pass http://%%AS%%/token; proxy_cache tokens; proxy_cache_methods POST;
                                proxy_cache_key \$phantom_token_key; proxy_cache_valid any 1h; }
END
    );
    my %token = (
        'good-token'    => { jwt => { sub => 'alice', client_id => 'app' } }, 'gone-token' => { status => 204 },
        'refused-token' => { status => 401, json => { error => 'invalid_client' } },
        'busy-token'    => { status => 503 }, 'slow-token' => { raw => [['hang']] },
        'broken-token' => { raw => ["garbage\r\n\r\n", ['close']] }, 'cut-token' => { jwt => { sub => 'x' }, cut => 4 },
        'large-token'   => { body => 'x' x 100_000, type => 'application/jwt' },
        'traded-token' => { json => { access_token => jwt({ sub => 'alice' }) } },
    );
    $gateway->as->answers(%token);
    my @seen;
    for my $path (qw(/ /exchange /page /slow)) {
        for my $token (grep { ($path eq '/slow') == ($_ eq 'slow-token') } sort keys %token) {
            my $response = $gateway->post($path, 'client=body', token => $token);
            push @seen,
                [join("\n", $response->{head} // '', (map { "@{$_}" } @{ $response->{headers} }), $response->body),
                 "client, $path, $token"];
        }
    }
    # The second time is from the cache where there is one.
    push @seen, [$_->body, 'client, cached'] for map { $gateway->get($_, token => 'good-token') } qw(/ /page);
    push @seen, map { [join("\n", $_->{uri}, $_->body, map { "@{$_}" } @{ $_->{headers} }), 'API'] }
        $gateway->api->requests;
    my @asked = $gateway->as->requests;
    my $given = $auth eq 'post' ? $asked[0]->body : $asked[0]->header('Authorization');
    ok +(grep { index($given, $_) >= 0 } @forms), "nowhere: $auth: this test knows the secret when it sees it";

    my $pattern = join '|', map { quotemeta } @forms;
    is_deeply [map { $_->[1] } grep { $_->[0] =~ /$pattern/i } @seen], [],
        "nowhere: $auth: not in a response, an error page, or a request to the API";
    is_deeply [grep { /$pattern/i } $gateway->log->own_lines], [],
        "nowhere: $auth: not in the module's own lines at debug";
    is_deeply [grep { /$pattern/i } above_debug($gateway)], [], "nowhere: $auth: not in the error log above debug";
    cmp_ok scalar($gateway->log->own_lines), '>', 5, "nowhere: $auth: there are lines of the module's own";
    is_deeply [grep { !/error\.log$/ } files_with($gateway->folder, @forms)], [],
        "nowhere: $auth: not in the access log, a cache file or a temporary file";
    cmp_ok scalar(() = glob $gateway->folder . '/cache/*'), '>', 0, "nowhere: $auth: there are cache files";
}

# An AS that says too much in the text that is meant for the log.
{
    my $secret  = 'plain-secret+1';
    my $gateway = gateway(locations => join "\n", (map {
        "location = /$_ { phantom_token on; phantom_token_exchange_endpoint /_exchange; "
            . "@{[ credentials('gateway', file($secret), $_) ]} proxy_pass http://%%API%%; }"
    } qw(basic basic_raw post)),
        'location = /_exchange { internal; proxy_pass http://%%AS%%/token; }');
    my ($plain, $encoded, $raw_basic, $basic) = forms_of('gateway', $secret);
    my $pattern = join '|', map { quotemeta } $plain, $encoded, $raw_basic, $basic;
    # what it knows from us
    my %sent = (
        basic => [$plain, $encoded, $basic, "Basic $basic"], basic_raw => [$plain, $raw_basic],
        post => [$plain, $encoded]
    );
    for my $error (qw(invalid_request invalid_client invalid_target)) {
        for my $auth (sort keys %sent) {
            for my $form (@{ $sent{$auth} }) {
                $gateway->as->answers(
                    "$error-token" => {
                        status => 400, json => { error => $error, error_description => "the secret $form is wrong" }
                    }
                );
                $gateway->get("/$auth", token => "$error-token");
            }
        }
    }
    is scalar(grep { /the secret .* is wrong/ } $gateway->log->lines), 24, 'nowhere: error_description is logged';
    is_deeply [map { s/.*: (the secret .* is wrong).*/$1/r } grep { /$pattern/ } $gateway->log->lines], [],
        'nowhere: error_description with the secret: not in the log';
}

# --- the cache guard with a secret in the body -----------------------------------------------------------------------

# What is on disk counts, not only what the client gets.
{
    my @forms = forms_of('gateway', $odd);
    my %cache = (
        body => ['$request_body', 'post', 500], both => ['$phantom_token_key$request_body', 'post', 500],
        early => ['$request_body$phantom_token_key', 'post', 500],
        more => ['$request_method$proxy_host$request_uri$request_body', 'post', 500],
        key => ['$phantom_token_key', 'post', 200], 'key-host' => ['$proxy_host$phantom_token_key', 'post', 200],
        'basic-body' => ['$request_body', 'basic', 200],
        'basic-both' => ['$phantom_token_key$request_body', 'basic', 200],
        'basic-header' => ['$phantom_token_key$http_authorization', 'basic', undef],
        'header' => ['$http_authorization', 'basic', 500],
    );
    my $gateway = gateway(
        http      => join("\n", map { "proxy_cache_path %%DIR%%/$_ keys_zone=$_:64k;" } sort keys %cache),
        locations => join("\n", map {
            my ($key, $auth) = @{ $cache{$_} };
            my $file = file("$odd\n");
            <<"END" } sort keys %cache),
        location /$_/ { phantom_token on; phantom_token_introspection_endpoint /_$_;
                        @{[ credentials('gateway', $file, $auth) ]} proxy_pass http://%%API%%; }
        location = /_$_ { internal; proxy_pass http://%%AS%%/introspect; proxy_cache $_; proxy_cache_methods POST;
                          proxy_cache_key $key; proxy_cache_valid any 1h; }
END
    );
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } }, 'gone-token' => { status => 204 });
    for my $name (sort keys %cache) {
        my ($key, $auth, $status) = @{ $cache{$name} };
        for my $turn (1, 2) {
            last if !defined $status;
            my %refused = $status == 500 ? (
                outcome => 'misconfigured',
                log => qr{\[error\].*misconfigured.*proxy_cache_key \$phantom_token_key;".*location "/$name/"}
            ) : (
                api => [{ authorization => 'Bearer <jwt>' }], outcome => 'active', cache => $turn == 1 ? 'MISS' : 'HIT'
            );
            cases(
                $gateway,
                { name => "cache guard: client_auth $auth, key $key, request $turn",
                  request => { path => "/$name/", token => 'alice-token' }, status => $status, %refused }
            );
        }
        $gateway->get("/$name/", token => 'alice-token') if !defined $status; # whatever it is
        cases(
            $gateway,
            { name => "cache guard: client_auth $auth, key $key, 204",
              request => { path => "/$name/", token => 'gone-token' }, status => $status == 500 ? 500 : 401 }
        ) if defined $status;
        is_deeply [files_with($gateway->folder . "/$name", @forms)], [],
            "cache guard: client_auth $auth, key $key: no cache file holds the secret";
    }
}

# --- $phantom_token_key ----------------------------------------------------------------------------------------------

{
    my ($one, $two) = (file("one\n"), file("two\n"));
    my %way = (
        base     => credentials('gateway', $one), copy => credentials('gateway', $one, 'basic'),
        secret => credentials('gateway', $two), none => '',
        other    => credentials('other', $one), raw => credentials('gateway', $one, 'basic_raw'),
        post => credentials('gateway', $one, 'post'),
        'other-post' => credentials('other', $one, 'post'), postgateway => credentials('postgateway', $one),
        gatewaypost => credentials('gatewaypost', $one),
    );
    my $gateway = gateway(
        http      => 'proxy_cache_path %%DIR%%/cache keys_zone=tokens:1m;',
        log       => { key => 'phantom_token_key' },
        locations => join("\n", map {
            "location /$_/ { phantom_token on; phantom_token_introspection_endpoint /_introspect; $way{$_} "
                . "proxy_pass http://%%API%%; }"
        } sort keys %way)
            . 'location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; proxy_cache tokens; '
                . 'proxy_cache_methods POST; proxy_cache_key $phantom_token_key; proxy_cache_valid 200 1h; }',
    );
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });
    my $key_of = sub { $gateway->logged($gateway->get("/$_[0]/", token => 'alice-token'))->{key} };
    my %key = map { $_ => $key_of->($_) } qw(base other raw post other-post none postgateway gatewaypost);
    is scalar($gateway->as->requests), 8,
        'key: an answer for one client is none for another: the AS was asked for each';
    like $_, qr/^[0-9a-f]{64}$/, 'key: hex SHA-256' for values %key;
    my %names;
    push @{ $names{ $key{$_} } }, $_ for sort keys %key;
    is_deeply [grep { @{$_} > 1 } values %names], [], 'key: differs by client_id and client_auth';
    $gateway->as->forget_requests;
    is $key_of->('copy'),   $key{base}, 'key: the API\'s location is no part';
    is $key_of->('secret'), $key{base}, 'key: the secret and its file\'s name are no part';
    is scalar($gateway->as->requests), 0, 'key: both came from the cache';
}

# --- the file is read when the configuration is ----------------------------------------------------------------------

{
    my $path    = file("first\n");
    my $gateway = gateway(protected => credentials('gateway', $path));
    $gateway->as->answers('alice-token' => { jwt => { sub => 'alice' } });
    my $sent = sub {
        $gateway->as->forget_requests;
        my $response = $gateway->get('/', token => 'alice-token');
        return $response->status . ' ' . ($gateway->as->requests)[0]->header('Authorization');
    };
    my $write = sub { open my $out, '>:raw', $path or die $!; print {$out} $_[0]; close $out };
    is $sent->(), '200 ' . basic('gateway', 'first'), $> == 0 ? 'file: mode 600 of root with workers as nobody'
        : 'file: mode 600 (not run as root: the workers are the same user)';
    $write->("second\n");
    is $sent->(), '200 ' . basic('gateway', 'first'), 'file: not read again before a reload';
    is $gateway->reload, '', 'file: reload';
    is $sent->(), '200 ' . basic('gateway', 'second'), 'file: read again at a reload';
    $write->('');
    like $gateway->reload, qr/\Q$path\E/, 'file: empty at a reload is refused';
    is $sent->(), '200 ' . basic('gateway', 'second'), 'file: and nginx goes on with what it has';
    unlink $path;
    like $gateway->reload, qr/\Q$path\E/, 'file: gone at a reload is refused';
    is $sent->(), '200 ' . basic('gateway', 'second'), 'file: and nginx goes on';
}

# --- real servers ----------------------------------------------------------------------------------------------------

sub client {
    my ($name, $auth, $secret) = @_;
    return credentials(
        $name, file(($secret // ($name eq 'gateway-odd' ? 'o+d d%/&=s' : "$name-secret")) . "\n"), $auth
    );
}

# [path, directives]; one introspection location.
sub real_gateway {
    my ($as, $header, @ways) = @_;
    return gateway(servers => { AS => $as }, locations => join "\n", (map {
        "location /$_->[0] { phantom_token on; phantom_token_introspection_endpoint /_introspect; "
            . "$_->[1] proxy_pass http://%%API%%; }"
    } @ways),
        "location = /_introspect { internal; proxy_pass http://%%AS%%@{[ $as->path('introspection') ]}; $header }");
}

{
    my $as = real_server('oidc-provider');
    my $gateway = real_gateway($as, '', ['plain', client('gateway')], ['odd', client('gateway-odd')],
        ['post', client('gateway', 'post')], ['odd-post', client('gateway-odd', 'post')],
        ['raw', client('gateway', 'basic_raw')], ['odd-raw', client('gateway-odd', 'basic_raw')],
        ['wrong', client('gateway', 'basic', 'wrong')], ['wrong-post', client('gateway', 'post', 'wrong')],
        ['unknown', client('nobody')], ['none', '']);
    my $token = $as->token;
    for my $path (qw(plain odd post odd-post raw)) {
        cases(
            $gateway,
            { name => "oidc-provider: $path", request => { path => "/$path", token => $token }, status => 200,
              api => [{ authorization => qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/ }], outcome => 'active' }
        );
        cases(
            $gateway,
            { name => "oidc-provider: $path, a token that nobody knows",
              request => { path => "/$path", token => 'nobody-knows-this' }, status => 401, outcome => 'inactive' }
        );
    }
    # It decodes Basic, so a raw % is badly encoded to it.
    cases(
        $gateway,
        { name => 'oidc-provider: a raw secret is none',
          request => { path => '/odd-raw', token => $token }, status => 502, outcome => 'as_error' }
    );
    for my $path (qw(wrong wrong-post unknown)) {
        cases(
            $gateway,
            { name => "oidc-provider: $path",
              request => { path => "/$path", token => $token }, status => 502, outcome => 'as_refused_client',
              log => qr{\[error\].*as_refused_client.*asked location "/_introspect", its status 401} }
        );
    }
    cases(
        $gateway,
        { name => 'oidc-provider: none',
          request => { path => '/none', token => $token }, status => 502, outcome => 'as_error' }
    );
}

{
    # Its answers have no JWT to forward, so a good answer shows in what is wrong with it.
    my $as = real_server('django-oauth-toolkit');
    my $gateway = real_gateway(
        $as, 'proxy_set_header Host localhost;', ['plain', client('gateway')], ['odd', client('gateway-odd')],
        ['odd-post', client('gateway-odd', 'post')], ['odd-raw', client('gateway-odd', 'basic_raw')],
        ['wrong', client('gateway', 'basic', 'wrong')]
    );
    my $token = $as->token;
    for my $path (qw(plain odd odd-post)) {
        cases($gateway,
            { name => "django-oauth-toolkit: $path: it says active", request => { path => "/$path", token => $token },
              status => 502, outcome => 'as_bad_response', log => qr/token is active, but the response holds no JWT/ },
            { name => "django-oauth-toolkit: $path: it says inactive",
              request => { path => "/$path", token => 'nobodyKnowsThis' }, status => 401, outcome => 'inactive' });
    }
    for my $path (qw(odd-raw wrong)) {
        cases(
            $gateway,
            { name => "django-oauth-toolkit: $path is refused", request => { path => "/$path", token => $token },
              status => 502, outcome => 'as_refused_client', log => qr/asked location "\/_introspect", its status 403/ }
        );
    }
}

{
    # It takes Basic as it is. Asked for JSON, an unknown token is inactive.
    my $as = real_server('glewlwyd');
    my $gateway = real_gateway(
        $as, 'proxy_set_header Accept application/json;', ['plain', client('gateway')],
        ['odd-raw', client('gateway-odd', 'basic_raw')], ['odd-post', client('gateway-odd', 'post')],
        ['odd', client('gateway-odd', 'basic')], ['wrong', client('gateway', 'basic', 'wrong')]
    );
    for my $path (qw(plain odd-raw odd-post)) {
        cases(
            $gateway,
            { name => "glewlwyd: $path",
              request => { path => "/$path", token => 'nobody-knows-this' }, status => 401, outcome => 'inactive' }
        );
    }
    for my $path (qw(odd wrong)) {
        cases(
            $gateway,
            { name => "glewlwyd: $path is refused", request => { path => "/$path", token => 'nobody-knows-this' },
              status => 502, outcome => 'as_refused_client', log => qr/asked location "\/_introspect", its status 401/ }
        );
    }
}

done_testing;
