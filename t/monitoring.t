# What nginx-conf/ brings for operation: Debian's Prometheus scrapes the gateway of operation.conf with the scrape
# configuration of nginx-conf/metrics/, accepts the alert rules and their own tests, and has an answer for every panel
# of the dashboard; the log format gives one JSON object a request. Grafana itself is not run.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Metrics 'parse_metrics';
use Harness::Ports 'reserve_port';
use Harness::Process 'spawn';
use Harness::Tables 'tables';
use JSON::PP ();

my $shown = 'nginx-conf/metrics';

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

sub spill {
    my ($file, $text) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $text;
    return close $out || die "$file: $!";
}

sub unique { my %seen; return grep { !$seen{$_}++ } @_ }

my $rules     = slurp("$shown/alerts.yml");
my $dashboard = JSON::PP->new->utf8->decode(slurp("$shown/dashboard.json"));
my @alerts    = $rules =~ /^ +- alert: (\w+)$/mg;
my @panels    = @{ $dashboard->{panels} };
my @queries   = map { my $panel = $_; map { [$panel->{title}, $_->{expr}] } @{ $panel->{targets} } } @panels;

# --- promtool --------------------------------------------------------------------------------------------------------

sub promtool { my (@arguments) = @_; return run(['promtool', @arguments], timeout => patience(120)) }

for my $check (
    ['check', 'config', "$shown/prometheus.yml"], ['check', 'rules', "$shown/alerts.yml"],
    ['test', 'rules', "$shown/alerts.test.yml"]
) {
    my $result = promtool(@{$check});
    is $result->{code}, 0, join ' ', 'promtool', @{$check} or diag $result->{out}, $result->{err};
}

# The rules' own tests notice each alert that never fires, one that always does, and one that does not wait.
sub failed_rules_test {
    my ($changed) = @_;
    my $folder = temporary_folder();
    spill("$folder/alerts.yml", $changed);
    spill("$folder/alerts.test.yml", slurp("$shown/alerts.test.yml"));
    my $result = promtool('test', 'rules', "$folder/alerts.test.yml");
    return $result->{code} ? $result->{out} . $result->{err} : '';
}
{
    my $expr  = qr/^( +expr:) (?:\|\n(?: {10}.*\n)+|.*\n)/m;
    my $never = failed_rules_test($rules =~ s/$expr/$1 vector(0) > 1\n/gr);
    like $never, qr/exp:(?:(?!got:)[^{])*\{alertname="$_"/s, "its test notices when $_ never fires" for @alerts;
    my $always = failed_rules_test($rules =~ s/$expr/$1 vector(1)\n/gr);
    like $always, qr/exp: *nil/, 'their tests notice alerts that always fire' or diag $always;
    isnt failed_rules_test($rules =~ s/^ +for: .*\n//mgr), '', 'their tests notice alerts that do not wait';
}

# --- what rules and dashboard speak of -------------------------------------------------------------------------------

# The words of $phantom_token_status that mean a refusal of the client, and a failure. A signature may be either.
my @outcomes = @{ tables()->{outcomes} };
my @refused  = map { $_->{word} } grep { $_->{status} =~ /^4/ } @outcomes;
my @failed   = grep { $_ ne 'signature' } map { $_->{word} } grep { $_->{status} =~ /^5/ } @outcomes;
my %words    = (
    refused => join('|', unique(@refused)),
    failed  => join('|', unique(@failed)),
    broken  => 'misconfigured|internal_error',
);
my %known_list = reverse %words;
my @expressions = ($rules =~ s/^#.*\n//mgr, map { $_->[1] } @queries);
for my $list (unique(map { /\bstatus=~"([^"]*)"/g } @expressions)) {
    ok $known_list{$list}, "statuses are those of the module: $list";
}

my $runbook = slurp('docs/operation.md');
is_deeply [sort $runbook =~ /^### (PhantomToken\w+)$/mg], [sort @alerts],
    'docs/operation.md has a section for each alert';
is_deeply [$rules =~ m{^ +runbook: docs/operation\.md#(\w+)$}mg], [map { lc } @alerts],
    'and each alert leads to its own';

my %ids = map { $_->{id} => 1 } @panels;
is scalar keys %ids, scalar @panels, 'dashboard: each panel has an id of its own';
my %cells;
for my $panel (@panels) {
    my $place = $panel->{gridPos};
    for my $x ($place->{x} .. $place->{x} + $place->{w} - 1) {
        $cells{"$x,$_"}++ for $place->{y} .. $place->{y} + $place->{h} - 1;
    }
    ok $panel->{title} && $panel->{description} && @{ $panel->{targets} } && $place->{x} + $place->{w} <= 24,
        "dashboard: $panel->{title}";
    is join(' ', unique(map { $_->{datasource}{uid} } $panel, @{ $panel->{targets} })), '${datasource}',
        'asks the data source that is chosen';
}
is scalar(grep { $_ > 1 } values %cells), 0, 'dashboard: no panel covers another';
is_deeply [map { $_->{name} } @{ $dashboard->{templating}{list} }], ['datasource', 'instance'],
    'dashboard: its variables';
is join(' ', sort { $a cmp $b } unique(map { $_->[1] =~ /\$(\w+)/g } @queries)), '__rate_interval instance',
    'dashboard: the variables that its queries use';

# --- a gateway, and Prometheus ---------------------------------------------------------------------------------------

# With zones of revocations and of used proofs, which operation.conf does not have.
my $revoke  = 'location = /revoke { phantom_token off; phantom_token_revoke revoked; }';
my $gateway = gateway(
    workers => 2,
    config  => slurp('nginx-conf/operation.conf'),
    replace => ['/var/cache/phantom-token' => '%%DIR%%/cache', 'server 127.0.0.1:9400' => 'server %%AS%%',
                'server 127.0.0.1:8081' => 'server %%API%%',
                'zone=hot:32m' => 'zone=hot:32k; phantom_token_revocation zone=revoked:1m; '
                    . 'phantom_token_dpop_replay zone=proofs:1m',
                'phantom_token_hot_cache hot;' => "phantom_token_hot_cache hot; $revoke"],
);
my $folder = temporary_folder();
my $port   = reserve_port();
my $target = '127.0.0.1:' . $gateway->port(9145);
my $config = slurp("$shown/prometheus.yml");
$config =~ s/127\.0\.0\.1:9145/$target/ && $config =~ s/: 15s$/: 1s/mg or die "prometheus.yml has changed\n";
spill("$folder/prometheus.yml", $config);
spill("$folder/alerts.yml", $rules);
chmod 0755, $folder;
my $prometheus = spawn(
    ['prometheus', "--config.file=$folder/prometheus.yml", "--storage.tsdb.path=$folder/data",
     "--web.listen-address=127.0.0.1:$port", '--log.level=warn'],
    out => "$folder/log"
);

# What Prometheus' HTTP API has in `data`; dies with its reason where there is none.
sub ask {
    my ($path, %parameter) = @_;
    my $encode   = sub { my ($text) = @_; $text =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge; return $text };
    my $query    = join '&', map { "$_=" . $encode->($parameter{$_}) } sort keys %parameter;
    my $response = Harness::Client->once(port => $port, path => "/api/v1/$path" . ($query && "?$query"));
    my $answer   = $response->json;
    die "Prometheus: $answer->{error}\n" if $answer->{status} ne 'success';
    return $answer->{data};
}

sub query { my ($expression) = @_; return @{ ask('query', query => $expression)->{result} } }

ok until_true(patience(30), sub { eval { query('up{job="phantom-token"} == 1') } }), 'Prometheus scrapes the gateway'
    or diag $@, slurp("$folder/log");

# Something of everything that the panels show.
my $as = $gateway->as;
$as->answers('alice-token' => { jwt => { sub => 'alice', client_id => 'app', scope => 'read' } },
    'refused-token' => { status => 401 },
    map { ("large-$_-token" => { jwt => { sub => 'bob', large => 'x' x 3000 } }) } 1 .. 20);
my @form = ('Content-Type: application/x-www-form-urlencoded');
sub traffic {
    return $gateway->post('/revoke', 'sid=s1', port => 80, headers => \@form)->status,
        map { $gateway->get('/api/orders', port => 80, defined $_ ? (token => $_) : ())->status }
        'alice-token', 'alice-token', undef, 'gone-token', 'refused-token', map { "large-$_-token" } 1 .. 20;
}
my $expected = join ' ', 200, 200, 200, 401, 401, 502, (200) x 20;
is join(' ', traffic()), $expected, 'requests';

# Every sample of the page, and no other, with its value: the labels in the order of their names.
sub samples_of_prometheus {
    my %value;
    for my $sample (query('{job="phantom-token", __name__=~"phantom_token_.*"}')) {
        my %label  = %{ $sample->{metric} };
        my $name   = delete $label{__name__};
        delete @label{qw(job instance)};
        my $labels = join ',', map { qq($_="$label{$_}") } sort keys %label;
        $value{ $labels eq '' ? $name : "$name\{$labels\}" } = $sample->{value}[1] + 0;
    }
    return \%value;
}
sub samples_of_page {
    my $value = parse_metrics($gateway->get('/metrics', port => 9145)->body);
    my $sort  = sub { my ($labels) = @_; return join ',', sort { $a cmp $b } $labels =~ /\w+="[^"]*"/g };
    return { map { (s/\{(.*)\}/'{' . $sort->($1) . '}'/er => $value->{$_} + 0) } keys %{$value} };
}
my $page = samples_of_page();
my $scraped;
until_true(patience(10), sub {
    $scraped = samples_of_prometheus();
    my %now = %{$scraped};
    return join(',', map { "$_=$now{$_}" } sort keys %now) eq join ',', map { "$_=$page->{$_}" } sort keys %{$page};
});
is_deeply $scraped, $page, 'Prometheus has every sample of the page, and its value';
is $page->{'phantom_token_requests_total{status="as_refused_client"}'}, 1, 'which is what has happened';
cmp_ok $page->{'phantom_token_hot_cache_evictions_total{zone="hot"}'}, '>', 0, 'evictions too';
my ($scrape) = @{ ask('targets')->{activeTargets} };
is $scrape->{lastError}, '', 'no error in the scrape';

# --- every panel has an answer ---------------------------------------------------------------------------------------

is join(' ', traffic()), join(' ', $expected), 'requests again, for rates';
for my $query (@queries) {
    my ($title, $expression) = @{$query};
    $expression =~ s/\$__rate_interval/5m/g;
    $expression =~ s/\$instance/.*/g;
    my @values;
    until_true(patience(5), sub { @values = grep { $_->{value}[1] ne 'NaN' } query($expression); scalar @values });
    cmp_ok scalar @values, '>', 0, "dashboard: $title has an answer" or diag $expression;
}
my %is_sample = map { (/^(\w+)/ => 1) } keys %{$page};
is join(' ', grep { !$is_sample{$_} } unique(map { /\b(phantom_token_\w+)/g } @expressions)), '',
    'rules and dashboard name no metric that is not there';
my %is_value = map { $_ => 1 } map { /(\w+="[^"]*")/g } keys %{$page};
for my $match (map { [/\b(outcome|cache|status|call|kind|result)=~?"([^"]*)"/g] } @expressions) {
    while (my ($label, $values) = splice @{$match}, 0, 2) {
        $is_value{qq($label="$_")}
        or fail "rules and dashboard name a label that is not there: $label $_" for split /\|/, $values;
    }
}

# --- the alerts, in Prometheus ---------------------------------------------------------------------------------------

my @loaded = map { @{ $_->{rules} } } @{ ask('rules')->{groups} };
is_deeply [map { $_->{name} } @loaded], \@alerts, 'Prometheus has the rules';
is join(' ', map { $_->{lastError} // () } @loaded), '', 'and evaluates each without an error';
my $active = until_true(patience(10), sub {
    my ($alert) = grep { $_->{labels}{alertname} eq 'PhantomTokenCredentialsRefused' } @{ ask('alerts')->{alerts} };
    $alert;
});
is $active && $active->{annotations}{summary}, "$target: the authorization server refuses the gateway itself",
    'a single refused call is noticed' or diag explain ask('alerts');

# --- the log ---------------------------------------------------------------------------------------------------------

{
    my ($format) = slurp('nginx-conf/operation.conf') =~ /^( +log_format gateway .*?;)$/ms;
    my $logging  = gateway(http => "$format\naccess_log %%DIR%%/gateway.log gateway;");
    $logging->as->answers(
        'alice-token' => { delay => 0.05, jwt => { sub => 'al"ice', client_id => 'app', scope => 'read write' } }
    );
    $logging->get('/orders?access_token=x', token => 'alice-token');
    $logging->get('/or%22ders%01');
    my @lines = @{ until_true(patience(5), sub {
        my @lines = grep { !/"status":505/ } split /\n/, slurp($logging->folder . '/gateway.log');
        @lines == 2 && \@lines;
    }) // [] };
    my ($allowed, $refused) = map { JSON::PP->new->utf8->decode($_) } @lines;
    my %request = (client => '127.0.0.1', method => 'GET');
    my $holds   = sub {
        my ($line, %field) = @_;
        return is_deeply { map { $_ => $line->{$_} } keys %field }, \%field, 'log: what it says';
    };
    $holds->($allowed, %request, uri => '/orders', status => 200, token => 'active', cache => '', sub => 'al"ice',
        client_id => 'app', scope => 'read write', api_status => '200');
    $holds->($refused, %request, uri => "/or\"ders\x01", status => 401, token => 'missing', cache => '', sub => '',
        client_id => '', scope => '', as_seconds => '', api_status => '', api_seconds => '');
    cmp_ok $allowed->{as_seconds}, '>=', 0.05, 'log: how long the authorization server took';
    like $allowed->{request_id}, qr/^[0-9a-f]{32}$/, 'log: a number to find the request by';
    like $allowed->{time}, qr/^\d{4}-\d\d-\d\dT/, 'log: when';
    unlike slurp($logging->folder . '/gateway.log'), qr/alice-token|access_token|eyJ/, 'log: no token, no query';
}

Harness::Process::end_process($prometheus);
my @complaints = grep { !/level=warn/ } split /\n/, slurp("$folder/log");
is "@complaints", '', 'Prometheus has no error to report';

done_testing;
