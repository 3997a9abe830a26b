# nginx-conf/kubernetes/gateway.yaml: its form, by the types of Kubernetes' API; what its parts say of each other; and
# the nginx.conf in it, which is started, and read without root as the pod reads it.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Nginx;
use File::Copy 'copy';
use JSON::PP ();

my $FILE = 'nginx-conf/kubernetes/gateway.yaml';

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

sub spill {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    return $file;
}

# { manifests, problems }
sub read_manifests {
    my ($file) = @_;
    my $result = run(['/usr/bin/python3', 't/lib/kubernetes-form.py', $file]);
    die "$file: $result->{err}\n" if $result->{code};
    return JSON::PP->new->utf8->decode($result->{out});
}

# --- form ------------------------------------------------------------------------------------------------------------

my $read = read_manifests($FILE);
is join("\n", @{ $read->{problems} }), '', 'the form of each manifest';
my %manifest = map { $_->{kind} => $_ } @{ $read->{manifests} };
is join(' ', sort keys %manifest), 'ConfigMap Deployment NetworkPolicy Service', 'the manifests';

# That form is really looked at.
for my $mistake (['replicas: 2' => 'replicaz: 2', 'not known'], ['replicas: 2' => 'replicas: "2"', 'is read as 2'],
    ['image: ' => 'picture: ', 'not known'], ['matchLabels:' => 'matchLabel:', 'not known'],
    ['mountPath: /tmp' => 'subPath: tmp', 'mount_path'],
    ['containerPort: 8080' => 'containerPort: http', 'invalid literal'], ['secretName:' => 'name:', 'not known']) {
    my ($good, $bad, $says) = @{$mistake};
    my $text = slurp($FILE);
    $text =~ s/\Q$good\E/$bad/ or die "nothing says $good";
    my $found = read_manifests(spill(temporary_folder() . '/bad.yaml', $text));
    like "@{ $found->{problems} }", qr/\Q$says\E/, "found: $bad";
}

# --- what the parts say of each other --------------------------------------------------------------------------------

my $pod       = $manifest{Deployment}{spec}{template};
my $container = $pod->{spec}{containers}[0];
my %volume    = map { $_->{name} => $_ } @{ $pod->{spec}{volumes} };
my %port      = map { $_->{name} => $_->{containerPort} } @{ $container->{ports} };
my %mounted   = map { $_->{mountPath} => $_->{name} } @{ $container->{volumeMounts} };
my %mount     = map { $_->{name} => $_->{mountPath} } @{ $container->{volumeMounts} };
my $conf      = $manifest{ConfigMap}{data}{'nginx.conf'};

my $labels = $pod->{metadata}{labels};
is_deeply $manifest{Deployment}{spec}{selector}{matchLabels}, $labels, 'the Deployment selects its pods';
is_deeply $manifest{Service}{spec}{selector}, $labels, 'the Service selects them';
is_deeply $manifest{NetworkPolicy}{spec}{ingress}[0]{from}[0]{podSelector}{matchLabels}, $labels,
    'the NetworkPolicy lets them in';
is join(' ', sort keys %mount), join(' ', sort keys %volume), 'each volume is mounted';
is $volume{configuration}{configMap}{name}, $manifest{ConfigMap}{metadata}{name},
    'the configuration is the ConfigMap\'s';
is "$mount{configuration}/nginx.conf", $container->{command}[-1], 'nginx reads it';
is $volume{credentials}{secret}{defaultMode}, oct 400, 'the secret: mode 0400';
my ($secret) = $conf =~ /phantom_token_client_secret_file (\S+);/;
is $secret, "$mount{credentials}/$volume{credentials}{secret}{items}[0]{path}", 'the secret: where nginx looks for it';
is join(' ', sort { $a <=> $b } $conf =~ /listen (\d+);/g), join(' ', sort { $a <=> $b } values %port),
    'nginx listens where the pod has ports';
ok exists $port{$_}, "the port $_ is there" for $manifest{Service}{spec}{ports}[0]{targetPort},
    $container->{readinessProbe}{httpGet}{port}, $container->{livenessProbe}{tcpSocket}{port};
for my $place ($conf =~ m{(?:_path|pid) (/[^ ;]+)}g) {
    ok scalar(grep { $place =~ m{^\Q$_\E/} && exists $volume{ $mounted{$_} }{emptyDir} } keys %mounted),
        "what nginx writes is in a volume: $place";
}
is_deeply [@{ $pod->{spec}{securityContext} }{qw(runAsNonRoot runAsUser fsGroup)}], [true, 33, 33],
    'without root, and the group that may read the secret';
is_deeply $container->{securityContext},
    { allowPrivilegeEscalation => false, readOnlyRootFilesystem => true, capabilities => { drop => ['ALL'] } },
    'and without anything else';

# --- nginx.conf ------------------------------------------------------------------------------------------------------

my $folder = temporary_folder();
spill("$folder/client-secret", "gateway-secret\n");
my @here = ('/var/cache/phantom-token/' => '%%DIR%%/', '/etc/phantom-token/client-secret' => "$folder/client-secret",
    '/etc/ssl/certs/ca-certificates.crt' => '%%TLS%%/ca.pem',
    'https://login.example.com/' => 'http://%%AS%%/',
    'http://orders.default.svc.cluster.local:8080' => 'http://%%API%%');
{
    chmod 0600, "$folder/client-secret";
    my $gateway = gateway(config => $conf, replace => [@here, qr/^\s*\w+_temp_path [^;]*;\n/m => '']);
    my %claims  = (sub => 'alice', iss => 'https://login.example.com', aud => 'https://api.example.com');
    my $path    = $container->{readinessProbe}{httpGet}{path};
    cases($gateway,
        { name => 'a token', request => { port => 8080, path => '/orders', token => 'alice-token' },
          answers => { 'alice-token' => { jwt => \%claims, headers => ['Cache-Control: no-store'] } }, status => 200,
          outcome => 'active', cache => 'MISS',
          as => [{ authorization => 'Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==' }],
          api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'again', request => { port => 8080, path => '/orders', token => 'alice-token' }, status => 200,
          cache => 'HIT', as => 0, api => [{ authorization => 'Bearer <jwt>' }] },
        { name => 'no token',
          request => { port => 8080, path => '/orders' }, status => 401, outcome => 'missing', as => 0 },
        { name => 'another audience', request => { port => 8080, path => '/', token => 'other-token' },
          answers => { 'other-token' => { jwt => { %claims, aud => 'https://other.example.com' } } }, status => 401,
          outcome => 'audience' },
        { name => 'ready', request => { port => 8081, path => $path }, status => 204, as => 0, api => 0 },
    );
    $gateway->as->stop;
    is $gateway->get($path, port => 8081)->status, 204, 'ready, although the authorization server is down';
    is $gateway->get('/orders', port => 8080, token => 'alice-token')->status, 200, 'and a cached token works';
}

# As the pod reads it: as www-data, the secret root's and readable for the group, everything that is written elsewhere.
SKIP: {
    skip 'to read the configuration as www-data takes root', 3 if $> != 0;
    my ($user, $group) = (getpwnam 'www-data')[2, 3];
    my $place = temporary_folder();
    chown $user, $group, $place;
    copy(Harness::Nginx::module(), "$folder/module.so") or die "module.so: $!";
    my $text = $conf;
    $text =~ s{ (?:/tmp|/var/cache/phantom-token)/}{ $place/}g;
    $text =~ s{/dev/std(?:err|out)}{$place/log}g;
    $text =~ s{https://login\.example\.com}{https://127.0.0.1}g;
    $text =~ s{orders\.default\.svc\.cluster\.local}{127.0.0.1}g;
    $text =~ s{\Q$secret\E}{$folder/client-secret}g;
    $text =~ s{modules/ngx_http_phantom_token_module\.so}{$folder/module.so};
    my $file  = spill("$folder/nginx.conf", $text);
    my $check = sub {
        return run(
            ['setpriv', "--reuid=$user", "--regid=$group", '--clear-groups', '--inh-caps=-all', '--bounding-set=-all',
             Harness::Nginx::binary(), '-t', '-e', "$place/log", '-p', "$place/", '-c', $file]
        )->{err};
    };
    chown 0, $group, "$folder/client-secret";
    chmod 0440, "$folder/client-secret";
    my $said = $check->();
    like $said, qr/test is successful/, 'www-data: nginx -t' or diag $said;
    unlike $said, qr/warn/, 'www-data: without a warning';
    chmod 0400, "$folder/client-secret";
    like $check->(), qr/the secret in .* cannot be read/, 'www-data: without fsGroup it cannot be read';
}

done_testing;
