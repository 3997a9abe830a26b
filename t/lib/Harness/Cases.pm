package Harness::Cases;

# How a table of cases is run. A case is a hash:
#
#   name         says which line of the contract it shows
#   request      as in Harness::Client; with http2 or tls as in Harness::Curl; or a sub that gives it, when its turn
#                comes
#   answers      token => answer of the authorization server (Harness::Answer), for this case and those after it
#   api_answers  path => answer of the API
#   as, api      what they saw: a number, or a list with one hash for each request (see _check_requests)
#   status       the client's
#   body, json, headers => { name => text, pattern, or undef: not there }
#   challenge    { name => value } of the Bearer challenge, all of them, or of another scheme => 'DPoP'; a list of such:
#                that many header lines; undef: none
#   outcome, cache   $phantom_token_status, $phantom_token_cache
#   logged       { field => value } of the access log
#   log, no_log  patterns for lines that the error log got, or did not get
#   announce     patterns for lines that would be faults
# refusal form of the refusal's body: 'json' (default), 'problem', 'page', 'any'; 'nginx': not the module's, so without
# a challenge
#   fails        a pattern: the client gets no proper response, and this is what it says
#
# A 401, 403 or 5xx without api is a refusal: the API must have seen nothing, and the response must be one that the
# contract allows. Everything else is only checked where the case says so. Text may hold <jwt>: the one that the
# answer for this request's token brings.

use strict;
use warnings;
use Exporter 'import';
use Harness::Challenge 'parse_challenge';
use Harness::Process qw(run until_true patience);
use Harness::Secrets 'secret_in';
use JSON::PP ();
use Test::More;

our @EXPORT_OK = qw(cases configurations check_refusal);

my %KNOWN = map { $_ => 1 }
    qw(name request answers api_answers as api status body json headers challenge outcome cache logged log no_log
       announce refusal fails);

my %REFUSAL = (
    401 => { code => 'unauthorized_request',
             message => 'Access denied due to missing, invalid or expired credentials' },
    403 => { code => 'forbidden',            message => 'The token does not contain the required scope' },
    5   => { code => 'server_error',         message => 'Problem encountered processing the request' },
);

sub cases {
    my ($gateway, @cases) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $case (@cases) {
        my @unknown = grep { !$KNOWN{$_} } sort keys %{$case};
        die "unknown in a case: @unknown\n" if @unknown;
        die "a case needs a name\n" if !defined $case->{name};
        die "$case->{name}: a case needs a status, or fails\n" if !defined $case->{status} && !$case->{fails};
        subtest $case->{name} => sub { _run_case($gateway, $case) };
    }
    return;
}

sub _run_case {
    my ($gateway, $case) = @_;
    my ($as, $api) = ($gateway->as, $gateway->api);
    $case = { %{$case}, request => $case->{request}->() } if ref $case->{request} eq 'CODE';
    $as->answers(%{ $case->{answers} }) if $case->{answers};
    $api->answers(%{ $case->{api_answers} }) if $case->{api_answers};
    $_->forget_requests for grep { ref && $_->can('requests') } $as, $api; # a real server does not tell
    $gateway->announce(_list($case->{announce}));
    my $from = $gateway->log->position;

    my $response = eval { $gateway->request(%{ $case->{request} // {} }) };
    if (my $error = $@) {
        if ($case->{fails}) { like $error, $case->{fails}, 'what the client says' }
        else                { fail 'a response'; diag join "\n", $error, _trouble($gateway, $from) }
    }
    elsif ($case->{fails}) { fail 'no response'; diag _shown($response) }
    else                   { _check_response($gateway, $case, $response, $from) }

    my $jwt = _jwt_of($gateway, $case);
    _check_requests('AS', $as, $case->{as}, $jwt);
    _check_requests('API', $api, $case->{api} // (_is_refusal($case) ? 0 : undef), $jwt);
    _check_logs($gateway, $case, $response, $from, $jwt);
    _check_faults($gateway);
    return;
}

sub _list { return grep { defined } map { ref eq 'ARRAY' ? @{$_} : $_ } @_ }

sub _is_refusal { my ($case) = @_; return !$case->{api} && ($case->{status} // 0) =~ /^(?:401|403|5\d\d)$/ }

sub _jwt_of {
    my ($gateway, $case) = @_;
    my $request = $case->{request} // {};
    my ($token) = defined $request->{token} ? $request->{token} : map { /^authorization: *(?:bearer|dpop) +([^ ]+)$/i }
        @{ $request->{headers} // [] };
    ($token) = keys %{ $case->{answers} } if !defined $token && keys %{ $case->{answers} // {} } == 1;
    return if !ref $gateway->as || !$gateway->as->can('jwt_for');
    return (defined $token ? $gateway->as->jwt_for($token) : undef) // $gateway->as->jwt_for('*');
}

# --- what the client got ---------------------------------------------------------------------------------------------

sub _check_response {
    my ($gateway, $case, $response, $from) = @_;
    my $jwt = _jwt_of($gateway, $case);
    is $response->status, $case->{status}, "client: status $case->{status}"
        or diag join "\n", _shown($response), _trouble($gateway, $from);
    is $response->{leftover}, '', 'client: nothing follows the response';
    _compare('client: body', $response->body, $case->{body}, $jwt) if exists $case->{body};
    is_deeply eval { $response->json } // "no JSON: $@", $case->{json}, 'client: JSON' if exists $case->{json};
    _compare_headers('client', $response, $case->{headers} // {}, $jwt);
    check_refusal($response, $case->{refusal}, ref $case->{challenge} eq 'ARRAY' ? scalar @{ $case->{challenge} } : 1)
        if _is_refusal($case) && $response->status == $case->{status};
    _check_challenge($response, $case->{challenge}) if exists $case->{challenge};
    return;
}

# A refusal that the contract allows, with one challenge unless it is to have more.
sub check_refusal {
    my ($response, $form, $count) = @_;
    $form  //= 'json';
    $count //= 1;
    my $status     = $response->status;
    my @challenges = $response->headers('WWW-Authenticate');
    if (($status == 401 || $status == 403) && $form ne 'nginx') {
        is scalar @challenges, $count, 'refusal: ' . ($count == 1 ? 'one challenge' : "$count challenges");
        ok !!eval { parse_challenge($_); 1 }, 'refusal: its grammar' or diag $@ for @challenges;
    }
    else { is scalar @challenges, 0, 'refusal: no challenge' }
    is secret_in(
        join "\n", $response->{head} // '', map({ "$_->[0]: $_->[1]" } @{ $response->{headers} }), $response->body
    ), undef, 'refusal: holds no token';

    my $method = $response->{method} // 'GET';
    if ($method eq 'HEAD') { is $response->body, '', 'refusal: no body for HEAD'; return }
    my $length = $response->header('Content-Length');
    is $length, length $response->body, 'refusal: Content-Length' if defined $length;
    return if $form eq 'any' || $form eq 'nginx';

    my $type = $response->header('Content-Type') // '';
    if ($form eq 'page') { like $type, qr{^text/html}, 'refusal: nginx\'s page'; return }
    my $json = eval { $response->json } // {};
    if ($form eq 'problem') {
        is $type, 'application/problem+json', 'refusal: type';
        is $json->{status}, $status, 'refusal: problem details' or diag $response->body;
        return;
    }
    is $type, 'application/json', 'refusal: type';
    is_deeply $json, $REFUSAL{ $status < 500 ? $status : 5 }, 'refusal: JSON body' or diag $response->body;
    return;
}

sub _check_challenge {
    my ($response, $expected) = @_;
    my @challenges = $response->headers('WWW-Authenticate');
    if (!defined $expected) { is "@challenges", '', 'client: no challenge'; return }
    my @expected = ref $expected eq 'ARRAY' ? @{$expected} : $expected;
    _compare_challenge($challenges[$_], $expected[$_]) for 0 .. $#expected;
    return;
}

sub _compare_challenge {
    my ($text, $expected) = @_;
    my $challenge = eval { parse_challenge($text) };
    if (!$challenge) { fail 'client: challenge'; diag $@; return }
    my %expected = (scheme => 'Bearer', %{$expected});
    my $scheme   = delete $expected{scheme};
    is $challenge->{scheme}, $scheme, "client: challenge is $scheme";
    my %given = %{ $challenge->{params} };
    for my $name (sort keys %expected) {
        _compare("client: challenge $name", delete $given{$name}, $expected{$name});
    }
    is join(' ', sort keys %given), '', "client: nothing more in the challenge of $scheme";
    return;
}

# --- what the servers saw --------------------------------------------------------------------------------------------

# expected: nothing (not checked), a number, or a list with a hash for each request: method, uri, version, body,
# body_length, body_sha256, complete, connection, headers => { name => … }, header_names => [names in order]; every
# other key is a header's name, _ for -.
sub _check_requests {
    my ($name, $server, $expected, $jwt) = @_;
    return if !defined $expected || !ref $server || !$server->can('requests');
    my $count = ref $expected ? @{$expected} : $expected;
    my @seen;
    # nginx may have given a slow server up before that had the time to write the request down
    until_true(patience(1), sub { @seen = $server->requests; @seen >= $count });
    is scalar @seen, $count, "$name: saw $count" or diag join "\n",
        map { "$name saw: " . ($_->{method} // '') . ' ' . ($_->{uri} // '') . ' ' . ($_->{body} // '') } @seen;
    return if !ref $expected;
    for my $n (0 .. $#{$expected}) {
        my $request = $seen[$n] or last;
        my %rest    = %{ $expected->[$n] };
        for my $field (qw(method uri version body body_length body_sha256 complete connection)) {
            _compare("$name: $field", $request->{$field}, delete $rest{$field}, $jwt) if exists $rest{$field};
        }
        is_deeply [$request->header_names], delete $rest{header_names}, "$name: names of the headers"
            if $rest{header_names};
        _compare_headers($name, $request, delete $rest{headers} // {}, $jwt);
        _compare_headers(
            $name, $request, { map { (my $header = $_) =~ tr/_/-/; $header => $rest{$_} } keys %rest }, $jwt
        );
    }
    return;
}

# --- what was logged -------------------------------------------------------------------------------------------------

sub _check_logs {
    my ($gateway, $case, $response, $from, $jwt) = @_;
    my %logged = (%{ $case->{logged} // {} }, map { exists $case->{$_} ? ($_ => $case->{$_}) : () } qw(outcome cache));
    if (%logged && $response) {
        my $line = eval { $gateway->logged($response) } // {};
        _compare("log: $_", $line->{$_}, $logged{$_}, $jwt) for sort keys %logged;
    }
    for my $pattern (_list($case->{log})) {
        ok $gateway->log->wait_for($pattern, $from), "error log: $pattern" or diag join "\n", _trouble($gateway, $from);
    }
    for my $pattern (_list($case->{no_log})) {
        my ($found) = grep { $_ =~ $pattern } $gateway->log->lines($from);
        is $found, undef, "error log: not $pattern";
    }
    return;
}

sub _check_faults {
    my ($gateway) = @_;
    my @faults = $gateway->faults or return;
    fail 'no fault in the logs';
    diag join "\n", @faults;
    return;
}

# --- comparing -------------------------------------------------------------------------------------------------------

sub _compare_headers {
    my ($who, $message, $expected, $jwt) = @_;
    for my $name (sort keys %{$expected}) {
        my @values = $message->headers($name);
        _compare("$who: $name", ref $expected->{$name} eq 'ARRAY' ? \@values : @values > 1 ? join(' | ', @values)
                : $values[0], $expected->{$name}, $jwt);
    }
    return;
}

sub _compare {
    my ($name, $got, $expected, $jwt) = @_;
    return like $got // '', $expected, $name if ref $expected eq 'Regexp';
    return is_deeply $got, $expected, $name if ref $expected;
    if (defined $expected && $expected =~ /<jwt>/) {
        return fail("$name: no answer brings a JWT") if !defined $jwt;
        $expected =~ s/<jwt>/$jwt/g;
    }
    return is $got, $expected, $name;
}

sub _shown {
    my ($response) = @_;
    return join "\n", $response->status . ' ' . ($response->{reason} // ''),
        (map { "$_->[0]: $_->[1]" } @{ $response->{headers} }), '', substr $response->body, 0, 500;
}

# What nginx said that explains a failure.
sub _trouble {
    my ($gateway, $from) = @_;
    return grep { !/\[(?:debug|info|notice)\]/ } $gateway->log->lines($from);
}

# --- configurations --------------------------------------------------------------------------------------------------

# A table for nginx -t: the parts of a configuration, and refuses => pattern(s) or accepts => 1; warns => pattern(s)
# or undef: says nothing.
sub configurations {
    my (@cases) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $case (@cases) {
        my %part = %{$case};
        my ($name, $refuses, $accepts) = delete @part{qw(name refuses accepts)};
        my $warns = exists $part{warns} ? [_list(delete $part{warns})] : undef;
        die "a configuration has a name and refuses or accepts\n" if !defined $name || !$refuses == !$accepts;
        subtest $name => sub {
            my $result = Harness::Nginx->new(servers => { AS => '127.0.0.1:9', API => '127.0.0.1:9' }, %part)->check;
            is $result->{code}, $refuses ? 1 : 0, $refuses ? 'refused' : 'accepted' or diag $result->{output};
            like $result->{output}, $_, "says $_" for _list($refuses);
            like $result->{output}, qr{\[emerg\] .* in \S+nginx\.conf:\d+}, 'names the line' if $refuses;
            like $result->{output}, qr/\[warn\].*$_/, "warns $_" for @{ $warns // [] };
            unlike $result->{output}, qr/\[warn\]/, 'warns of nothing' if $warns && !@{$warns};
            unlike $result->{output}, qr/\[(?:alert|crit)\]|Sanitizer|runtime error:|signal/, 'no fault';
        };
    }
    return;
}

1;
