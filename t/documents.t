# The documents say what is so: every configuration in README.md, CONTRIBUTING.md, SECURITY.md and docs/ is one that
# nginx accepts, every whole one serves a request, every directive, variable, outcome and log line in the reference is
# the module's, every relative link leads somewhere, and what docs/standards.md says of a test is in that test.
#
# A configuration stands in a ```nginx block. What it is, its first lines say: `http {` at the start of a line is a
# whole file; `server {`, `upstream`, `map` and the like belong into http; `location` belongs into a server; anything
# else into a protected location. A comment on the line before the block says what is otherwise:
#
#   <!-- nginx: introspection -->     belongs into the introspection location
#   <!-- nginx: server -->            belongs into the server that the document shows first
#   <!-- nginx: warns PATTERN -->     nginx -t warns so; without this, it must not warn at all
#   <!-- nginx: refused PATTERN -->   nginx -t refuses it, and says so

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Tables qw(tables literals);

my @documents = (
    'README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', sort glob('docs/*.md'), sort glob('docs/*/*.md')
);
my %text      = map { $_ => slurp($_) } @documents;
my $files     = temporary_folder(); # in place of /etc/nginx

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/ = undef;
    return scalar <$in>;
}

sub spill {
    my ($path, $content) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} $content;
    close $out or die "$path: $!\n";
    return chmod 0600, $path;
}

# --- the configurations ----------------------------------------------------------------------------------------------

# { document, line, text, level, warns, refused }
sub blocks_of {
    my ($document) = @_;
    my (@blocks, $block, $marker);
    my $number = 0;
    for my $line (split /\n/, $text{$document}) {
        $number++;
        if ($block && $line =~ /^```/) { push @blocks, $block; undef $block }
        elsif ($block) { $block->{text} .= "$line\n" }
        elsif ($line =~ /^```nginx$/) {
            $block = { document => $document, line => $number, text => '', %{ $marker // {} } };
            undef $marker;
        }
        elsif ($line =~ /^<!-- nginx: (introspection|server|warns|refused)(?: (.*?))? -->$/) {
            $marker = $1 eq 'introspection' ? { level => $1 } : $1 eq 'server' ? { inside => 1 } : { $1 => $2 };
        }
        elsif ($marker) { die "$document:$number: a comment on a configuration stands right before it\n" }
        elsif ($line =~ /^\s*```\s*nginx/) { die "$document:$number: a configuration begins with ```nginx alone\n" }
    }
    die "$document: a block does not end\n" if $block || $marker;
    $_->{text} = $blocks[0]{text} =~ s/^\}\n\z/$_->{text}}\n/mr for grep { $_->{inside} } @blocks;
    $_->{level} //= level_of($_->{text}) for @blocks;
    return @blocks;
}

sub level_of {
    my ($text) = @_;
    return 'file' if $text =~ /^http \{/m;
    return 'http' if $text =~ /^(?:server \{|upstream |map |geo |log_format |limit_req_zone |proxy_cache_path )/m;
    return 'server' if $text =~ /^location /m;
    return 'location';
}

# What is in a file whose name ends like this one's.
sub content_of {
    my ($name) = @_;
    return qq{proxy_set_header Authorization "Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==";\n} if $name =~ /\.conf$/;
    return slurp("nginx-conf/many-machines/$name") if $name =~ /\.js$/;
    return '0123456789abcdef' x 2 if $name =~ /nonce$/;
    return run([qw(openssl genpkey -algorithm ED25519)])->{out} if $name =~ /\.(?:pem|key)$/;
    return "gateway-secret\n";
}

# The places and servers that a document names are the test's own. What is under /etc/nginx is made.
sub local_text {
    my ($text) = @_;
    spill("$files/$_", content_of($_)) for $text =~ m{/etc/nginx/([\w.-]+)}g;
    $text =~ s{/etc/nginx/}{$files/}g;
    $text =~ s{/var/(?:cache|log|lib/nginx)/}{%%DIR%%/}g;
    $text =~ s{unix:/run/}{unix:%%DIR%%/}g;
    $text =~ s{load_module modules/(?!\S*phantom_token)}{load_module /usr/lib/nginx/modules/}g;
    $text =~ s{/etc/ssl/certs/ca-certificates\.crt}{%%TLS%%/ca.pem}g;
    $text =~ s{/etc/ssl/certs/[\w.-]+}{%%TLS%%/server.pem}g;
    $text =~ s{/etc/ssl/private/[\w.-]+}{%%TLS%%/server.key}g;
    $text =~ s{127\.0\.0\.1:8081\b}{%%API%%}g;
    $text =~ s{127\.0\.0\.1:(?:9400|8080|8443)\b}{%%AS%%}g;
    $text =~ s{(\bproxy_pass\s+"?https?://)[\w-]+\.example\.com(?::\d+)?}{$1%%AS%%}g;
    $text =~ s{(^\s*server\s+)[\w-]+\.example\.com(?::\d+)?;}{$1%%AS%%;}gm;
    return $text;
}

# The parts that Harness::Config makes a configuration of: around a snippet stands what it leaves out.
sub parts_of {
    my ($block) = @_;
    my $text = local_text($block->{text});
    return (config => $text) if $block->{level} eq 'file';
    return (config => "http {\n$text\n}\n") if $block->{level} eq 'http';

    my $zones = $text =~ /proxy_cache\s+(?!off)\w/ ? join "\n", map { "proxy_cache_path %%DIR%%/$_ keys_zone=$_:1m;" }
        unique($text =~ /proxy_cache\s+(?!off)(\w+);/g) : '';
    $zones .= join '', map { "phantom_token_revocation zone=$_:1m;" } unique($text =~ /phantom_token_revoke\s+(\w+);/g);
    if ($block->{level} eq 'introspection') { return (http => $zones, introspection => $text, log_level => 'warn') }

    my $server = '';
    if ($block->{level} eq 'location') {
        my $pass = $text =~ /^\s*(?:\w+_pass|return)\s/m ? '' : 'proxy_pass http://%%API%%;';
        $server = 'phantom_token on; phantom_token_introspection_endpoint /_introspect;';
        $text   = "location /documented/ {\n$text\n$pass\n}";
    }
    my @missing = grep { $text !~ /^\s*location (?:= )?\Q$_\E \{/m }
        unique("$server\n$text" =~ /phantom_token_\w+_endpoint\s+([\w\/]+);/g);
    my $missing = join "\n", map { "location = $_ { internal; proxy_pass http://%%AS%%; }" } @missing;
    return (http => $zones, server => $server, locations => "$text\n$missing");
}

sub unique { my %seen; return grep { !$seen{$_}++ } @_ }

sub check_block {
    my ($block) = @_;
    my $nginx   = Harness::Nginx->new(servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' }, parts_of($block));
    my $check   = $nginx->check;
    # nginx from 1.25.1 on warns of what older ones need, and names no other fault by that.
    my @warnings = grep { !/the "listen \.\.\. http2" directive is deprecated/ }
        $check->{output} =~ /^(.*\[warn\].*)$/mg;
    if (defined $block->{refused}) {
        is $check->{code}, 1, 'refused';
        like $check->{output}, qr/\[emerg\].*$block->{refused}/, 'for the reason that the document gives';
        return;
    }
    is $check->{code}, 0, 'accepted' or diag "$check->{output}\n" . $nginx->text;
    if (defined $block->{warns}) { like "@warnings", qr/$block->{warns}/, 'the warning that the document gives' }
    else                         { is "@warnings", '', 'no warning' }
    return;
}

# --- a request through a whole file -----------------------------------------------------------------------------------

# The arguments of a directive, without their quotation marks.
sub values_of {
    my ($text, $directive) = @_;
    return map { tr/"//dr } map { /"[^"]*"|\S+/g } $text =~ /^\s*$directive\s+([^;]*);/mg;
}

# The AS's answer, and the token, that satisfy what the file asks for.
sub answer_for {
    my ($text) = @_;
    my %claims = (sub => 'alice', scope => join ' ', values_of($text, 'phantom_token_scopes?'));
    ($claims{iss}) = values_of($text, 'phantom_token_issuer')   if $text =~ /phantom_token_issuer/;
    ($claims{aud}) = values_of($text, 'phantom_token_audience') if $text =~ /phantom_token_audience/;
    my $key  = rsa_key('documents');
    my $keys = { json => jwks($key) };
    my $jwt  = jwt(\%claims, key => $key);
    return ($jwt, '*' => $keys) if $text =~ /phantom_token_inbound_jwt\s+verify/;
    my $answer = $text =~ /phantom_token_exchange_endpoint/ ? {
        json => { access_token => $jwt, issued_token_type => 'urn:ietf:params:oauth:token-type:access_token',
                  token_type => 'Bearer' }
    } : { jwt => $jwt };
    return ('alice-token', 'alice-token' => $answer, '*' => $keys);
}

sub try_file {
    my ($block) = @_;
    my $file    = local_text($block->{text}) =~ s{(\bproxy_pass\s+)https://}{$1http://}gr;
    my ($port)  = $file =~ /^\s*listen\s+(?:[\d.]+:)?(\d+)/m;
    my ($path)  = $file =~ m{^\s*location (/\S*) \{(?:[^{}]*\n)?\s*phantom_token on}m;
    ($path) = $file =~ m{^\s*location (/\S*) \{}m if !defined $path; # protected by its server
    my $gateway = gateway(config => $file);
    my ($jwt, %answers) = answer_for($gateway->text);
    $gateway->as->answers(%answers);
    my %request = (path => $path, port => $port, $file =~ /^\s*listen\s+[^;]*\bssl\b/m ? (tls => 1) : ());
    my $refused = $gateway->request(%request);
    is $refused->status, 401, 'without a token: 401';
    check_refusal($refused, 'any');
    my @seen = $gateway->api->requests;
    is scalar @seen, 0, 'and the API sees nothing';
    my $allowed = $gateway->request(%request, token => $jwt);
    is $allowed->status, 200, 'with a token: 200' or diag join "\n", $gateway->log->own_lines;
    my ($seen) = $gateway->api->requests;
    like $seen ? $seen->header('Authorization') : '', qr/^Bearer eyJ/, 'and the API sees a JWT';
    return;
}

my @blocks = map { blocks_of($_) } @documents;
cmp_ok scalar @blocks, '>', 40, 'the documents have configurations';
for my $block (@blocks) {
    subtest "$block->{document}:$block->{line}: $block->{level}" => sub {
        plan skip_all => 'Debian has that module for its own nginx alone, and NGINX_BINARY names another'
            if $ENV{NGINX_BINARY} && $block->{text} =~ /^load_module (?!\S*phantom_token)/m;
        check_block($block);
        try_file($block) if $block->{level} eq 'file' && !defined $block->{refused};
    };
}

# --- the guides whose servers are here -------------------------------------------------------------------------------

# A guide's whole file in front of the real server.
sub guided {
    my ($name) = @_;
    my $as = real_server($name);
    my @files = map { $_->{text} } grep { $_->{level} eq 'file' } blocks_of("docs/guides/$name.md");
    return ($as, map { gateway(servers => { AS => $as }, config => local_text($_)) } @files);
}

subtest 'guide: oidc-provider, for real' => sub {
    my ($as, $introspection, $exchange) = guided('oidc-provider');
    my $token = $as->token(scope => 'read');
    cases($_,
        { name => 'a token', request => { path => '/api/', port => 80, token => $token }, status => 200,
          outcome => 'active', cache => 'MISS', api => [{ authorization => qr/^Bearer eyJ/ }] },
        { name => 'again',   request => { path => '/api/', port => 80, token => $token }, status => 200,
          outcome => 'active', cache => 'HIT' },
        { name => 'none',    request => { path => '/api/', port => 80, token => 'no-such-token' }, status => 401,
          outcome => 'inactive' },
    ) for $introspection, $exchange;
};

# What the guide shows of the server is what runs.
subtest 'guide: oidc-provider, the lines of JavaScript' => sub {
    my $server = slurp('t/authorization-servers/oidc-provider/as.mjs');
    my @shown  = $text{'docs/guides/oidc-provider.md'} =~ /^( *)```js\n(.*?)^\1```$/gms;
    is scalar @shown, 12, 'the guide has six blocks';
    while (my ($indentation, $lines) = splice @shown, 0, 2) {
        $lines =~ s/^$indentation//gm;
        ok index($server, "\n$lines") >= 0, 'they are in as.mjs: ' . ($lines =~ /^(.*)$/m)[0] or diag $lines;
    }
};

subtest 'guide: glewlwyd, for real' => sub {
    my ($as, $gateway) = guided('glewlwyd');
    my $user = { grant_type => 'password', username => 'alice', password => 'alice-secret', scope => 'openid read' };
    cases($gateway,
        { name => 'a service\'s token',
          request => { path => '/api/', port => 80, token => $as->token(scope => 'read') }, status => 200,
          outcome => 'active' },
        { name => 'a user\'s token',
          request => { path => '/api/', port => 80, token => $as->token(client => 'web', form => $user) },
          status => 200, outcome => 'active' },
        { name => 'a token for what the list of audiences lacks',
          request => { path => '/api/', port => 80, token => $as->token(scope => 'write') }, status => 401,
          outcome => 'audience' },
        { name => 'a refresh token is opaque',
          request => { path => '/api/', port => 80, token => $as->form('token', 'web', $user)->json->{refresh_token} },
          status => 401, outcome => 'inactive' },
        { name => 'an ID token',
          request => { path => '/api/', port => 80, token => $as->form('token', 'web', $user)->json->{id_token} },
          status => 401, outcome => 'audience' },
    );
    my $introspecting = gateway(servers => { AS => $as }, locations => local_text(<<'END'));
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                     phantom_token_client_id gateway; phantom_token_client_auth basic_raw;
                     phantom_token_client_secret_file /etc/nginx/gateway-secret; proxy_pass http://127.0.0.1:8081; }
        location = /_introspect { internal; proxy_pass http://127.0.0.1:9400/api/oidc/introspect; }
END
    cases($introspecting,
        { name => 'by introspection: an active token', request => { path => '/', token => $as->token(scope => 'read') },
          status => 502, outcome => 'as_bad_response', log => qr/the claim token_introspection is absent/ },
        { name => 'by introspection: an unknown token',
          request => { path => '/', token => 'no-such-token' }, status => 502, outcome => 'as_error' },
    );
};

subtest 'guide: django-oauth-toolkit, for real' => sub {
    my ($as, $signing) = guided('django-oauth-toolkit');
    my $known = $as->token(scope => 'read');
    cases($signing,
        { name => 'the guide: a token', request => { path => '/api/', port => 80, token => $known }, status => 200,
          outcome => 'active', cache => 'MISS', api => [{ authorization => qr/^Bearer eyJ/ }] },
        { name => 'the guide: again',   request => { path => '/api/', port => 80, token => $known }, status => 200,
          outcome => 'active', cache => 'HIT' },
        { name => 'the guide: none',    request => { path => '/api/', port => 80, token => 'no-such-token' },
          status => 401, outcome => 'inactive' },
        { name => 'the guide: a scope is missing',
          request => { path => '/api/', port => 80, token => $as->token(scope => 'write') }, status => 403,
          outcome => 'insufficient_scope' },
    );
    my $gateway = gateway(servers => { AS => $as }, locations => local_text(<<'END'));
        location / { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                     phantom_token_client_id gateway;
                     phantom_token_client_secret_file /etc/nginx/gateway-secret; proxy_pass http://127.0.0.1:8081; }
        location /anonymous { phantom_token on; phantom_token_introspection_endpoint /_introspect;
                              proxy_pass http://127.0.0.1:8081; }
        location /slash { phantom_token on; phantom_token_introspection_endpoint /_slash;
                          proxy_pass http://127.0.0.1:8081; }
        location = /_introspect { internal; proxy_pass http://127.0.0.1:9400/o/introspect/; }
        location = /_slash { internal; proxy_pass http://127.0.0.1:9400/o/introspect; }
END
    my $token = $as->token;
    cases($gateway,
        { name => 'an active token', request => { path => '/', token => $token }, status => 502,
          outcome => 'as_bad_response', log => qr/there is nothing to forward/ },
        { name => 'an unknown token',
          request => { path => '/', token => 'no-such-token' }, status => 401, outcome => 'inactive' },
        { name => 'no credentials',
          request => { path => '/anonymous', token => $token }, status => 502, outcome => 'as_refused_client' },
        { name => 'no slash', request => { path => '/slash', token => $token }, status => 502, outcome => 'as_error' },
    );
};

# Keycloak is not here, but what the guide says to type is what t/servers/keycloak.pl runs.
subtest 'guide: keycloak, the lines to type' => sub {
    my $script = slurp('t/authorization-servers/keycloak/configure.sh');
    my @typed  = $text{'docs/guides/keycloak.md'} =~ /^( *)```sh\n(.*?)^\1```$/gms;
    cmp_ok scalar @typed, '>', 16, 'the guide has lines to type';
    while (my ($indentation, $lines) = splice @typed, 0, 2) {
        $lines =~ s/^$indentation//gm;
        ok index($script, "\n$lines") >= 0, 'they are in configure.sh: ' . ($lines =~ /^(.*)$/m)[0] or diag $lines;
    }
};

# --- the reference ---------------------------------------------------------------------------------------------------

my $reference  = $text{'docs/directives.md'};
my @directives = @{ tables()->{directives} };
cmp_ok scalar @directives, '>', 25, 'the directives of the module';

# What a directive's syntax says of its arguments, as the module's table has it.
sub check_syntax {
    my ($directive, $section) = @_;
    my ($syntax)  = $section =~ /^\| Syntax \| `$directive->{name}((?: [^`]*)?);`/m;
    my @words     = @{ $directive->{words} };
    my $arguments = !$directive->{has_arguments} ? qr/^$/ : @words ? qr/^ \Q@{[join ' \| ', @words]}\E$/ : qr/^ ./;
    like $syntax, $arguments, 'Syntax';
    return;
}

for my $directive (@directives) {
    my $name = $directive->{name};
    my ($section) = $reference =~ /^### $name\n(.*?)(?=^##)/ms;
    subtest "reference: $name" => sub {
        ok defined $section, 'has a section' or return;
        my $default  = $directive->{default};
        my $contexts = join ', ', map { "`$_`" } @{ $directive->{contexts} };
        my ($said)   = $section =~ /^\| Default \| (.*?) \|$/m;
        is $said, defined $default ? "`$name $default;`" : '—', 'Default';
        check_syntax($directive, $section);
        like $section, qr/^\| Context \| \Q$contexts\E \|$/m, 'Context';
        like $section, qr/^```nginx\n/m, 'an example';
        my ($row) = $text{'README.md'} =~ /^\| \[`$name\b[^`]*`\]\(docs\/directives\.md#$name\) \| (.*?) \|/m;
        is $row, defined $default ? "`$default`" : 'none', 'the README\'s row';
    };
}
my %known = map { $_->{name} => 1 } @directives;
my @told  = $reference =~ /^### (phantom_token\w*)$/mg;
is join(' ', grep { !$known{$_} } @told), '', 'no section about what is no directive';
my @rows = $text{'README.md'} =~ /^\| \[`(phantom_token\w*)/mg;
is join(' ', grep { !$known{$_} } @rows), '', 'no row in the README about what is no directive';

my @variables = map { s/_$/_NAME/r } @{ tables()->{variables} };
for my $variable (@variables) {
    like $reference, qr/^### \$$variable$/m, "reference: \$$variable has a section";
    next if $variable eq 'phantom_token_jwks_refresh';
    like $text{'README.md'}, qr/^\| \[`\$$variable`\]/m, "README: \$$variable has a row";
}
my @told_variables = sort $reference =~ /^### \$(\w+)$/mg;
is "@told_variables", join(' ', sort @variables), 'reference: the variables are those of the module';

# docs/outcomes.md: one row for each outcome, with its status, and the error of its challenge.
for my $outcome (@{ tables()->{outcomes} }) {
    my ($word, $status, $error) = @{$outcome}{qw(word status error)};
    my @found = grep { /^\| [^|]* \| `$word` \|/ } split /\n/, $text{'docs/outcomes.md'};
    ok scalar(grep { $status ? /\| $status \|/ : 1 } @found), "outcomes: $word $status" or diag join "\n", @found;
    ok scalar(grep { /\Q$error\E/ } @found), "outcomes: $word $error" if $error ne '';
}

# What a document says that the log says is what the module can write: `phantom token: WORD: TEXT`, `[emerg] TEXT`, and
# the last column of the outcomes. An ellipsis stands for what varies, with the quotation marks around it.
my $written = join "\n", map { $_->[1] } literals();
my %quotes = (
    'docs/outcomes.md'        => [map {
        /`([^`]*)`/g
    } $text{'docs/outcomes.md'} =~ /^\| [^|]* \| `\w+` \| .* \| ([^|]*) \|$/mg],
    'docs/troubleshooting.md' => [
        $text{'docs/troubleshooting.md'} =~ /`(?:phantom token: (?:\w+: )?|\[(?:emerg|warn)\] )([^`]+)`/g
    ],
);
for my $document (sort keys %quotes) {
    cmp_ok scalar @{ $quotes{$document} }, '>', 20, "$document quotes the log";
    for my $quote (@{ $quotes{$document} }) {
        my @lost = grep { length && index($written, $_) < 0 } map { s/^\s+|\s+$//gr } split /"?…"?/, $quote;
        is "@lost", '', "$document: $quote";
    }
}

# --- links -----------------------------------------------------------------------------------------------------------

# As GitHub makes them of headings.
sub anchors_of {
    my ($markdown) = @_;
    $markdown =~ s/^```.*?^```//gms;
    return map { my $heading = lc; $heading =~ s/[^\w\- ]//g; $heading =~ tr/ /-/; ($heading => 1) }
        $markdown =~ /^#+ +(.*?) *$/mg;
}

for my $document (@documents) {
    my ($folder) = $document =~ m{^(.*/)?};
    my $prose = $text{$document} =~ s/^```.*?^```//gmsr;
    my @lost;
    for my $link ($prose =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ /^(?:https?|mailto):/;
        my ($path, $anchor) = split /#/, $link, 2;
        my $target = $path eq '' ? $document : ($folder // '') . $path;
        if (!-e $target) { push @lost, $link; next }
        next if !defined $anchor;
        my %anchors = anchors_of(slurp($target));
        push @lost, $link if !$anchors{$anchor};
    }
    is "@lost", '', "links: $document";
}

# --- standards -------------------------------------------------------------------------------------------------------

# What docs/standards.md says that a test shows stands in that test: the words behind its name do, as the test has them.
sub words_that_are_not_there {
    my ($tests) = @_;
    my @lost;
    while ($tests =~ m{\]\(\.\./(t/[^)]+)\)((?:,? `[^`]+`)*)}g) {
        my ($file, $list) = ($1, $2);
        my @words = $list =~ /`([^`]+)`/g;
        next if !-e $file; # see above: links
        my $test = slurp($file) =~ s/\\'/'/gr;
        push @lost, map { "$file: $_" } grep { index($test, $_) < 0 } @words;
    }
    return @lost;
}

# A row of it has a test, or says whose it is.
my @clauses = grep { /^\| (?:\d+ )?(?:§|RFC )/ } split /\n/, $text{'docs/standards.md'};
cmp_ok scalar @clauses, '>', 150, 'docs/standards.md has clauses';
for my $row (@clauses) {
    my ($clause, $does, $tests, @more) = split / *\| */, $row =~ s/^\| //r;
    is "@more", '', "standards: $clause: three columns";
    is join("\n", words_that_are_not_there($tests)), '', "standards: $clause: the test has its words";
    my $shows = $tests eq '—' ? qr/\*\*(?:Yours|Others'|Not done)\*\*/i : qr/./;
    like $does, $shows, "standards: $clause: whose it is";
    ok $tests eq '—' || $tests =~ m{\]\(\.\./t/}, "standards: $clause: a test";
}

# --- what does not belong into a document ----------------------------------------------------------------------------

for my $document (@documents) {
    my @found = $text{$document} =~ m{(TODO\b.*|/(?:work|tmp)/\S*|/home/\S*)}g;
    is "@found", '', "$document has no note to ourselves, and no path of one machine";
}

done_testing;
