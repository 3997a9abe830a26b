#!/usr/bin/perl

# The fuzzer of the whole: a client and an authorization server that both misbehave, around a running gateway.
#
#   t/fuzz/whole.pl [--seconds N] [--seed S] [--clients N] [--case CLIENT/NUMBER]
#
# The property: the API saw a request only if the authorization server said "active" for exactly this token, or the
# location lets it in otherwise, and the claims hold; with exactly the JWT that the server gave for this token. And what
# must pass does pass. NGINX_BINARY and PHANTOM_TOKEN_MODULE choose what is attacked, as everywhere in t/.

use strict;
use warnings;
use Cwd 'abs_path';
use Digest::SHA 'sha1_hex';
use File::Basename 'dirname';
use Getopt::Long;
use Time::HiRes qw(sleep time);

use lib abs_path(dirname(__FILE__) . '/../lib');
use Fuzz::Case qw(make_case explain);
use Fuzz::Compact 'use_keys';
use Fuzz::Locations qw(configuration is_long_down);
use Fuzz::Proof qw(make_keys nonce_secret);
use Fuzz::Servers;
use Fuzz::Token 'begin';
use Harness::Challenge 'parse_challenge';
use Harness::Client;
use Harness::Jwt qw(rsa_key jwks);
use Harness::Nginx;
use Harness::Process qw(fork_child end_process temporary_folder until_true patience alive time_limit);
use JSON::PP ();

my %option = (seconds => 10, seed => int(rand 1_000_000_000), clients => 4);
GetOptions(\%option, 'seconds=i', 'seed=s', 'clients=i', 'case=s')
    or die "whole.pl [--seconds N] [--seed S] [--clients N] [--case CLIENT/NUMBER]\n";
time_limit($option{seconds} + 120);

my $json   = JSON::PP->new->latin1->canonical;
my $start  = int time;
my $folder = temporary_folder();

# --- what is attacked ------------------------------------------------------------------------------------------------

my %keys = (good => rsa_key('good'), other => rsa_key('other'));
use_keys(map { $_ => "$keys{$_}{folder}/key.pem" } keys %keys);
make_keys();
begin($option{seed}, $start);

my $api = Fuzz::Servers->api;
my $as  = Fuzz::Servers->authorization_server(jwks => jwks($keys{good}), secret => 'gateway-secret');
my $gateway = Harness::Nginx->new(configuration(), workers => 2, servers => { AS => $as, API => $api });
write_file($gateway->folder . '/secret', 'gateway-secret', oct 600);
write_file($gateway->folder . '/nonces', nonce_secret(), oct 600);
write_file($gateway->folder . '/users', "user:{PLAIN}password\n", oct 644);
$gateway->start;

sub write_file {
    my ($file, $text, $mode) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    return chmod $mode, $file;
}

# --- a client --------------------------------------------------------------------------------------------------------

# Runs cases until the time is over or a property is violated; writes what it counted.
sub run_client {
    my ($client, @numbers) = @_;
    my (%count, $connection);
    my $end = time + $option{seconds};
    for (my $number = 1; @numbers ? @numbers : time < $end; $number++) {
        my $case = make_case($option{seed}, $client, @numbers ? shift @numbers : $number, $start);
        $connection = Harness::Client->connect($gateway->port) if !$connection || $connection->{last};
        my $stale = $case->{location}{flaps} && !$case->{location}{stale} && !$case->{preflight} && is_long_down(time);
        my ($response, $broken) = exchange($connection, $case);
        $case->{verdict} = 'refuse' if $stale && is_long_down(time);
        $connection = undef if $broken;
        my @replayed = replay_wrong($connection, $case, $response);
        my @wrong = (@replayed, violations($case, $response, $broken, $api->seen($client)));
        $count{requests}++;
        $count{"verdict $case->{verdict}"}++;
        $count{'status ' . ($response ? $response->status : 'none')}++;
        $count{'outcome ' . ($response ? $response->header('X-Outcome') || '-' : '-')}++;
        $count{'cache ' . ($response ? $response->header('X-Cache') || '-' : '-')}++;
        $count{'seen by the API'} += $case->{seen};
        next if !@wrong && !$option{case};
        write_file("$folder/wrong.$client", join("\n", "seed $option{seed}, case $client/$case->{number}", map({
            "  wrong: $_"
        } @wrong), explain($case),
            'response:', map({ "    $_" } split /\r\n/, $response ? $response->{head} . $response->{body} : $broken),
            ''), oct 644);
        last if @wrong;
    }
    write_file("$folder/count.$client", $json->encode(\%count), oct 644);
    return;
}

sub exchange {
    my ($connection, $case) = @_;
    my $response = eval { $connection->send($case->{bytes}); $connection->response($case->{method}) };
    return ($response, $response ? '' : "no response: $@");
}

# The same request once more, where its proof is good once.
sub replay_wrong {
    my ($connection, $case, $response) = @_;
    return if !$case->{location}{replay} || !$case->{shown}{dpop} || !$response || $response->status ne 200
        || $response->{last} || $case->{preflight};
    my ($again, $broken) = exchange($connection, $case);
    return "replayed: $broken" if $broken;
    my $outcome = $again->header('X-Outcome') // '';
    return $again->status == 401 && $outcome eq 'dpop_replay' ? () : 'replayed, it got ' . $again->status . " $outcome";
}

# --- the property ----------------------------------------------------------------------------------------------------

sub violations {
    my ($case, $response, $broken, @seen) = @_;
    my @own   = grep { $_->{case} == $case->{number} } @seen;
    my @wrong = map { "the API saw case $_->{case} late: once more, or after its response" } grep {
        $_->{case} != $case->{number}
    } @seen;
    $case->{seen} = @own;
    push @wrong, 'the API saw it ' . @own . ' times' if @own > 1;
    push @wrong, map { passed_wrongly($case, $_) } @own;
    push @wrong, "it must pass, and the API did not see it" if $case->{verdict} eq 'pass' && !@own;
    push @wrong, $broken if $broken;
    push @wrong, response_wrong($case, $response, scalar @own) if $response;
    return @wrong;
}

sub passed_wrongly {
    my ($case, $request) = @_;
    my @authorization = @{ $request->{authorization} };
    return "the API saw it, and it must be refused; Authorization: @authorization" if $case->{verdict} eq 'refuse';
    return 'the API saw ' . @authorization . ' Authorization headers' if @authorization > 1;
    return ($case->{allowed}->($authorization[0]) ? () : 'the API saw another Authorization than it may: '
            . ($authorization[0] // 'none'),
        $case->{location}{confirmation} && $request->{proofs} ? 'the API saw a proof' : (),
        $request->{method} eq $case->{method} ? () : "the API saw the method $request->{method}",
        $request->{body} eq sha1_hex($case->{body}) ? () : 'the API saw another body');
}

sub response_wrong {
    my ($case, $response, $passed) = @_;
    my $status = $response->status;
    return $status == 200 ? () : "the API answered 200, the client got $status" if $passed;
    return $status == 204 ? () : "a preflight that is answered here got $status"
        if $case->{answered} && $case->{effect} ne 'may';
    return if $status == 204 && $case->{answered};
    return "nobody but the API says $status" if $status !~ /^(?:400|401|403|404|405|431|494|500|502|503|504)$/;
    return if $case->{effect} =~ /^(?:broken|may)$/ || $case->{location}{open};
    my @challenges = $response->headers('WWW-Authenticate');
    return "$status with a challenge" if $status >= 500 && @challenges;
    return if $status >= 500;
    return (outcome_wrong($case, $response), challenges_wrong($case, $response, @challenges));
}

# What is wrong with a proof is known before anybody is asked for the token.
sub outcome_wrong {
    my ($case, $response) = @_;
    my $expected = $case->{shown}{outcome} or return;
    my $outcome  = $response->header('X-Outcome') // '';
    my $is_right = $outcome =~ /^(?:$expected)$/ || $case->{location}{inbound} ne 'introspect' || $case->{preflight};
    return "a proof that is broken got $outcome instead of $expected" if !$is_right;
    return 'no nonce in the response' if $outcome eq 'dpop_nonce' && ($response->header('DPoP-Nonce') // '') eq '';
    return;
}

my %ERROR = (dpop_proof => 'invalid_dpop_proof', dpop_replay => 'invalid_dpop_proof', dpop_nonce => 'use_dpop_nonce',
             bound => 'invalid_token', certificate => 'invalid_token', missing => undef,
             insufficient_scope => 'insufficient_scope');

# The schemes that the contract has for a refusal.
sub expected_schemes {
    my ($case, $outcome) = @_;
    my ($checks, $certificate) = @{ $case->{location} }{qw(confirmation certificate)};
    return 'Bearer' if !$checks;
    return $checks eq 'require' && !$certificate ? 'DPoP' : 'Bearer DPoP' if $outcome eq 'missing';
    return 'DPoP' if $case->{shown}{dpop} || $case->{bytes} =~ /^Authorization: DPoP /m;
    return $outcome eq 'bound' ? 'Bearer|DPoP' : 'Bearer';
}

sub challenges_wrong {
    my ($case, $response, @challenges) = @_;
    my $outcome = $response->header('X-Outcome') // '';
    my @read    = map { eval { parse_challenge($_) } // {} } @challenges;
    return "what is no challenge: @challenges" if grep { !$_->{scheme} } @read;
    my $schemes = join ' ', map { $_->{scheme} } @read;
    my $expected = expected_schemes($case, $outcome);
    return $response->status . " $outcome with challenges of $schemes, not $expected"
        if !grep { $schemes eq $_ } split /\|/, $expected;
    my $scope = join ' ', @{ $case->{location}{scopes} };
    for my $challenge (@read) {
        my %params = %{ $challenge->{params} };
        return "another challenge: @challenges" if $params{realm} ne 'api'
            || ($case->{location}{name} ne 'redirected' && ($params{scope} // '') ne $scope)
            || ($challenge->{scheme} eq 'DPoP' xor defined $params{algs})
            || (exists $ERROR{$outcome} && ($params{error} // '') ne ($ERROR{$outcome} // ''));
    }
    return;
}

# No response holds a token, and neither does the log, but where nginx itself quotes a request.
sub tokens_in_log {
    return grep {
        !/client sent (?:duplicate|invalid|too long) header line|access_token=/
            && /\bt\d+\.[0-9a-f]{24}|eyJ[\w-]{20,}\.eyJ/
    } $gateway->log->lines;
}

# --- all of it -------------------------------------------------------------------------------------------------------

my ($only_client, $only_number) = split m{/}, $option{case} // '';
my @clients = defined $only_client && $only_client ne '' ? $only_client : 0 .. $option{clients} - 1;
my @numbers = defined $only_number ? $only_number : ();
print "seed $option{seed}, ", scalar @clients, " clients\n";
my @pids = map { my $client = $_; fork_child(sub { run_client($client, @numbers) }, "$folder/errors.$client") }
    @clients;
until_true(
    $option{seconds} + patience(60), sub { my @found = glob "$folder/wrong.*"; @found || !grep { alive($_) } @pids }
) or print "the clients do not end\n";
my $seconds = time - $start;
end_process($_, at_once => 1) for @pids;
$gateway->stop;

my (%total, @wrong);
for my $client (@clients) {
    my $count = eval { $json->decode(read_file("$folder/count.$client")) } // {};
    $total{$_} += $count->{$_} for keys %{$count};
    push @wrong, grep { $_ ne '' } map { read_file("$folder/$_.$client") } qw(wrong errors);
}
push @wrong, map { "in the log: $_" } $gateway->faults, tokens_in_log();

sub read_file {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

if ($option{case}) {
    print @wrong;
    exit(scalar(grep { /^  wrong: |^in the log: /m } @wrong) ? 1 : 0);
}
printf "%-28s %d\n", $_, $total{$_} for sort keys %total;
push @wrong, 'no request was made' if !$total{requests};
exit 0 if !@wrong;
printf "\nfound after %.1f s\n", $seconds;
print "\n$_\n" for @wrong;
print "\nagain: t/fuzz/whole.pl --seed $option{seed} --seconds $option{seconds}; a single case: --case CLIENT/NUMBER\n";
exit 1;
