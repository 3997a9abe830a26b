# The package's life where Debian has nginx and nothing else: it is installed, upgraded, removed, purged and installed
# again, and in between nginx-conf/production.conf protects an API with tokens of a real authorization server. That and
# the API run outside; the root has the machine's network.
#
# perl -I t/lib t/package/bare-root.pl ROOT EARLIER.deb PACKAGE.deb ARCHIVE.tar.gz

use strict;
use warnings;
use File::Basename 'basename';
use File::Path 'make_path';
use Harness;
use Harness::Certificates 'certificates';
use Harness::Curl 'curl';
use Harness::Ports 'reserve_port';
use Harness::Process qw(guard spawn);

my ($root, $earlier, $package, $archive) = @ARGV;
die "usage: bare-root.pl ROOT EARLIER PACKAGE ARCHIVE\n" if !defined $archive;
my $NAME    = 'libnginx-mod-http-phantom-token';
my $ENABLED = '/etc/nginx/modules-enabled/50-mod-http-phantom-token.conf';
my $MODULE  = 'ngx_http_phantom_token_module';
my $LOG     = '/var/log/nginx/notice.log';

# --- in the root -----------------------------------------------------------------------------------------------------

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

sub spill {
    my ($path, $text) = @_;
    open my $out, '>:raw', $path or die "$path: $!\n";
    print {$out} $text;
    close $out or die "$path: $!\n";
    return chmod 0644, $path;
}

sub in_root {
    my (@command) = @_;
    return run(
        ['chroot', $root, @command], timeout => 120, env => { DEBIAN_FRONTEND => 'noninteractive', LC_ALL => 'C.UTF-8' }
    );
}

# A command that has to succeed.
sub succeeds {
    my ($name, @command) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result = in_root(@command);
    is $result->{code}, 0, $name or diag "@command:\n$result->{out}$result->{err}";
    return $result->{out} . $result->{err};
}

sub apt { my ($name, @command) = @_; return succeeds($name, qw(apt-get -y --no-install-recommends), @command) }

# apt installs a file that is in the root.
sub install {
    my ($name, $file) = @_;
    my $inside = '/tmp/' . basename($file);
    spill("$root$inside", slurp($file));
    my $said = apt($name, 'install', $inside);
    unlink "$root$inside";
    return $said;
}

sub installed_version { return in_root('dpkg-query', '-W', '-f', '${Version}', $NAME)->{out} }

# What is there, but for what apt, dpkg and nginx keep for themselves.
sub listing {
    my $found = in_root('find', '/', '-xdev', '-not', '-path', '/var/lib/dpkg/*', '-not', '-path', '/var/lib/apt/*',
                        '-not', '-path', '/var/cache/*', '-not', '-path', '/var/log/*',
        '-not', '-path', '/var/lib/nginx/proxy/*'); # where nginx has had a temporary file
    return [sort split /\n/, $found->{out}];
}

# --- nginx in the root -----------------------------------------------------------------------------------------------

my $site_port = reserve_port(); # of Debian's own site
my $pidfile = "$root/run/nginx.pid";
guard(pidfile => $pidfile);
guard(pidfile => "$pidfile.oldbin");

sub nginx_accepts { my ($name) = @_; return succeeds("$name: nginx -t", 'nginx', '-t') }

# Debian's error_log is for errors alone.
sub start_nginx {
    my ($name) = @_;
    succeeds("$name: nginx starts", '/usr/sbin/nginx', '-g', "error_log $LOG notice;");
    return until_true(patience(5), \&nginx_pid);
}

sub nginx_pid { my ($pid) = slurp($pidfile) =~ /^(\d+)\n/; return $pid }

sub stop_nginx {
    my $pid = nginx_pid() or return;
    kill QUIT => $pid;
    return until_true(patience(10), sub { !alive($pid) }) // die "nginx in the root does not quit\n";
}

sub reload_nginx {
    kill HUP => nginx_pid();
    return until_true(patience(10), sub { slurp("$root$LOG") =~ /signal 1 \(SIGHUP\).*: start worker process \d+$/ms })
        // die "nginx in the root does not reload\n";
}

# As Debian's own "upgrade" does: a new master takes over, and opens the module's file anew.
sub upgrade_nginx {
    my $old = nginx_pid();
    kill USR2 => $old;
    until_true(patience(10), sub { my $new = nginx_pid(); $new && $new != $old }) or die "no new master takes over\n";
    kill QUIT => $old;
    return until_true(patience(10), sub { !alive($old) }) // die "the old master does not quit\n";
}

sub serves_its_site {
    my ($name) = @_;
    nginx_accepts($name);
    start_nginx($name);
    is curl(port => $site_port)->status, 200, "$name: nginx serves Debian's site";
    return stop_nginx();
}

# Versions that the module has named since the log was looked at last.
my $seen = 0;
sub versions {
    my $text = slurp("$root$LOG");
    my $new = substr $text, $seen;
    $seen = length $text;
    return join ' ', $new =~ /\[notice\] \d+#\d+: phantom token: version (\S+)/g;
}

# --- around the root -------------------------------------------------------------------------------------------------

# The authorization server and the API of production.conf, under the names that it has.
my $certificates = certificates('login.example.com', 'api.example.com');
my $as = do { local $ENV{ISSUER} = 'https://login.example.com'; real_server('oidc-provider') };
my $front = gateway(
    module => 0, servers => { AS => $as }, locations => 'location / { proxy_pass http://%%AS%%; }',
    server => "listen 127.0.0.1:%%PORT:tls%% ssl; ssl_certificate $certificates/server.pem; "
        . "ssl_certificate_key $certificates/server.key;",
);
my $api_port = reserve_port();
my $api_log  = temporary_folder() . '/api.log';
spawn(['node', 't/demo/api.mjs'], out => $api_log,
    env => { PORT => $api_port, JWKS => 'http://' . $as->address . '/jwks' });
my $port = reserve_port();

# "What stands in http { } here goes into a file in /etc/nginx/conf.d/", and what the file's head says to change.
sub production_configuration {
    my ($http) = slurp('nginx-conf/production.conf') =~ /^http \{\n(.*)^\}$/ms or die "production.conf has no http\n";
    my %change = (
        'listen 443 ssl'                => "listen 127.0.0.1:$port ssl",
        'login.example.com:443'         => 'login.example.com:' . $front->port('tls'),
        '127.0.0.1:8081'                => "127.0.0.1:$api_port",
        '/oauth/v2/oauth-introspect'    => $as->path('introspection'),
    );
    for my $from (sort keys %change) { $http =~ s/\Q$from\E/$change{$from}/ or die "production.conf has no $from\n" }
    return $http;
}

my %production = (
    '/etc/nginx/conf.d/gateway.conf'              => production_configuration(),
    '/etc/nginx/gateway-secret'                   => "gateway-secret\n",
    '/etc/ssl/certs/ca-certificates.crt'          => slurp("$certificates/ca.pem"),
    '/etc/ssl/certs/api.example.com.pem'          => slurp("$certificates/server.pem"),
    '/etc/ssl/private/api.example.com.key'        => slurp("$certificates/server.key"),
);

sub call {
    my ($path, %more) = @_;
    return curl(port => $port, host => 'api.example.com', tls => "$certificates/ca.pem", path => $path, %more);
}

# --- before ----------------------------------------------------------------------------------------------------------

# That site listens on port 80, which may be the machine's.
my $site = slurp(
    "$root/etc/nginx/sites-available/default"
) =~ s/^\s*listen \[::\]:80 .*\n//mr =~ s/listen 80 /listen 127.0.0.1:$site_port /r;
spill("$root/etc/nginx/sites-available/default", $site);
spill("$root/etc/hosts", "127.0.0.1 localhost login.example.com\n");
apt('the lists of packages are up to date', 'update');
make_path("$root/etc/ssl/certs", "$root/etc/ssl/private");
serves_its_site('before'); # and makes folders of its own
my $before = listing();

# --- installed -------------------------------------------------------------------------------------------------------

install('an earlier version is installed', $earlier);
is installed_version(), '0.9.0-1', 'it is the earlier one';
is readlink("$root$ENABLED"), '/usr/share/nginx/modules-available/mod-http-phantom-token.conf', 'it is enabled';
nginx_accepts('installed');
start_nginx('installed');
is versions(), '0.9.0', 'the module says its version';
like in_root('dpkg-query', '-W', '-f', '${Depends}', $NAME)->{out}, qr/\bnginx-abi-[\d.]+-\d+\b/,
    'the package depends on the ABI of nginx';

my ($new, $version) = basename($package) =~ /_(([\d.]+)-\d+)_/;
install('upgraded', $package);
is installed_version(), $new, 'it is the new one';
is readlink("$root$ENABLED"), '/usr/share/nginx/modules-available/mod-http-phantom-token.conf',
    'upgraded: still enabled';
is versions(), '', 'upgraded: nginx goes on with the module that it has loaded';
reload_nginx();
is versions(), '0.9.0', 'upgraded: a reload does not load it anew';
upgrade_nginx();
is versions(), $version, 'upgraded: an exchange of the binary does';
stop_nginx();

spill("$root/tmp/test", slurp('debian/tests/smallest-gateway'));
succeeds('the smallest configuration challenges a client without a token, and swaps a token for its JWT', 'bash',
    '/tmp/test', map { reserve_port() } 1 .. 3);
unlink "$root/tmp/test";
is_deeply [map { basename($_) } sort glob "$root/usr/share/doc/$NAME/nginx-conf/*"],
    [map { basename($_) } sort glob 'nginx-conf/*'], 'the examples are there';
ok -s "$root/usr/share/doc/$NAME/$_", "documentation: $_"
    for qw(README.md docs/install.md docs/directives.md docs/guides/keycloak.md changelog.gz);

# --- in production ---------------------------------------------------------------------------------------------------

spill("$root$_", $production{$_}) for sort keys %production;
chmod 0600, "$root/etc/nginx/gateway-secret";
nginx_accepts('production');
start_nginx('production');
is versions(), $version, 'production: the module says its version';

my $refused = call('/orders/');
is $refused->status, 401, 'production: no token: 401';
is $refused->header('WWW-Authenticate'), 'Bearer realm="api.example.com", scope="read"', 'production: the challenge';
is call('/orders/', token => 'no-such-token')->status, 401, 'production: an unknown token: 401';
is call('/elsewhere')->status, 401, 'production: so everywhere else';
is call('/health')->status, 204, 'production: but for what is open';
is slurp($api_log), '', 'production: none of these has reached the API';

my $token  = $as->token(scope => 'read');
for my $cache (qw(MISS HOT)) {
    my $answer = call('/orders/7', token => $token);
    is $answer->status, 200, "production: a token: 200 ($cache)" or diag slurp("$root$LOG");
    my ($authorization) = grep { /^authorization:/i } @{ $answer->json->{received} };
    like $authorization, qr/^Authorization: Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'production: the API receives a JWT';
    my $jwt = $answer->json->{jwt};
    is_deeply [@{$jwt}{qw(signature)}, @{ $jwt->{claims} }{qw(iss aud scope)}],
        ['valid', 'https://login.example.com', 'https://api.example.com', 'read'],
        'production: it is the authorization server\'s, for this API';
    like slurp("$root/var/log/nginx/api.example.com.log"),
        qr{"GET /orders/7 HTTP/1\.1" 200 .* token=active cache=$cache$}m, "production: the log says so ($cache)";
}
is call('/orders/7', token => $token, method => 'POST', body => '{}')->status, 403,
    'production: who may read may not write: 403';
is call('/orders/7', token => $as->token(scope => 'read write'), method => 'POST', body => '{}')->status, 200,
    'production: who may, may';
stop_nginx();
unlike slurp("$root$LOG"), qr/\[(?:warn|error|crit|alert|emerg)\]/,
    'production: nothing to complain about, but for refusals';

# --- removed ---------------------------------------------------------------------------------------------------------

apt('removed', 'remove', $NAME);
ok !-e "$root/usr/lib/nginx/modules/$MODULE.so" && !-l "$root$ENABLED", 'removed: the module is gone, and not enabled';
my $unprotected = in_root('nginx', '-t');
is $unprotected->{code}, 1, 'removed: nginx does not start with a configuration that wants protection';
like $unprotected->{err}, qr/unknown directive "phantom_token\w*" in/, 'removed: and says why';
unlink map { "$root$_" } keys %production;
serves_its_site('removed');
is versions(), '', 'removed: and no module says anything';

install('installed again', $package);
ok -l "$root$ENABLED", 'installed again: enabled';
nginx_accepts('installed again');

apt('purged', 'purge', '--autoremove', $NAME);
serves_its_site('purged');
is_deeply listing(), $before, 'purged: nothing is left' or diag explain_difference();

sub explain_difference { my %was = map { $_ => 1 } @{$before}; return join "\n", grep { !$was{$_} } @{ listing() } }

install('installed after that', $package);
start_nginx('installed after that');
is versions(), $version, 'installed after that: the module is loaded';
stop_nginx();

# An administrator's choice outlives an upgrade.
unlink "$root$ENABLED";
install('the same once more', $package);
ok !-l "$root$ENABLED", 'an administrator who disables it is not overruled';
apt('purged at last', 'purge', $NAME);

# --- the archive -----------------------------------------------------------------------------------------------------

my $unpacked = temporary_folder();
is run(['tar', '-xzf', $archive, '-C', $unpacked])->{code}, 0, 'archive: unpacked';
is_deeply [map { basename($_) } sort glob "$unpacked/$MODULE/*"], ['LICENSE', 'README', 'nginx-conf', "$MODULE.so"],
    'archive: what is in it';
make_path("$root/usr/lib/nginx/modules");
spill("$root/usr/lib/nginx/modules/$MODULE.so", slurp("$unpacked/$MODULE/$MODULE.so"));
spill("$root$ENABLED", "load_module modules/$MODULE.so;\n");
nginx_accepts('archive');
start_nginx('archive');
is versions(), $version, 'archive: the module is loaded';
stop_nginx();

done_testing;
