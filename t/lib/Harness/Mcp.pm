package Harness::Mcp;

# nginx-conf/mcp.conf before the tests' oidc-provider, and an MCP server behind it: t/mcp.

use strict;
use warnings;
use Cwd 'abs_path';
use Exporter 'import';
use Harness;
use Harness::Ports 'reserve_port';
use Harness::Process 'spawn';

our @EXPORT_OK = qw(mcp_packages mcp_configuration mcp_flows guide_block guide_gateway guide_machine guide_person
                    start_mcp_server slurp);

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

# Installs the npm packages of a folder, and returns where they are.
sub mcp_packages {
    my ($from, $to) = @_;
    my $result = run(['t/npm-install.sh', $from, $to], timeout => 600);
    die "npm-install.sh: $result->{err}" if $result->{code} != 0;
    return $to;
}

sub _private_file {
    my ($content) = @_;
    my $path = temporary_folder() . '/private';
    open my $out, '>', $path or die "$path: $!";
    print {$out} $content;
    close $out or die "$path: $!";
    chmod 0600, $path;
    return $path;
}

# What makes a gateway of mcp.conf, before a server at that address: parts of its configuration. `change` comes first in
# the list of what is replaced.
sub mcp_configuration {
    my ($as, $server, @change) = @_;
    my $key = run([qw(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)])->{out};
    return (
        config  => slurp('nginx-conf/mcp.conf'),
        servers => { AS => $as },
        replace => [
            @change,
            '/var/cache/phantom-token' => '%%DIR%%/cache',
            '/etc/nginx/gateway-secret' => _private_file("gateway-secret\n"),
            '/etc/nginx/signing-key.pem' => _private_file($key),
            '/etc/ssl/certs/mcp.example.com.pem' => '%%TLS%%/server.pem',
            '/etc/ssl/private/mcp.example.com.key' => '%%TLS%%/server.key',
            '/etc/ssl/certs/ca-certificates.crt' => '%%TLS%%/ca.pem',
            '127.0.0.1:8000' => $server,
            'https://mcp.example.com' => 'https://localhost:%%PORT:443%%',
            'https://login.example.com/introspect' => 'http://%%AS%%' . $as->path('introspection'),
            'https://login.example.com' => 'http://%%AS%%',
        ],
    );
}

# The first block of that language in the guide, or the first that matches.
sub guide_block {
    my ($language, $pattern) = @_;
    my @blocks = slurp('docs/guides/mcp.md') =~ /^```\Q$language\E\n(.*?)^```$/gms;
    my ($block) = grep { !$pattern || /$pattern/ } @blocks;
    return $block // die "the guide has no such block of $language\n";
}

# The configuration that the guide begins with, before that authorization server and with an MCP server behind it.
# Options: scope; issuer, the path of the server's; gateway_says => 1: the gateway has the metadata in the server's
# place; change, what is replaced first. guide_machine and guide_person are clients of what it returns.
sub guide_gateway {
    my ($as, %option) = @_;
    my $port    = reserve_port();
    my $scope   = $option{scope} // 'mcp:read';
    my $gateway = gateway(
        config  => "http {\n" . guide_block('nginx') . "}\n",
        servers => { AS => $as },
        replace => [
            '"mcp:read"' => qq{"$scope"},
            @{ $option{change} // [] },
            '/var/cache/nginx-mcp' => '%%DIR%%/cache',
            '/etc/nginx/gateway-secret' => _private_file("gateway-secret\n"),
            '127.0.0.1:8000' => "127.0.0.1:$port",
            'http://127.0.0.1:8080' => 'http://127.0.0.1:%%PORT:8080%%',
            'http://127.0.0.1:9400/token/introspection' => 'http://%%AS%%' . $as->path('introspection'),
            'http://127.0.0.1:9400' => 'http://%%AS%%' . ($option{issuer} // ''),
        ],
    );
    my $here   = 'http://127.0.0.1:' . $gateway->port(8080);
    my $issuer = $option{gateway_says} ? $here : 'http://' . $as->address . ($option{issuer} // '');
    return { gateway => $gateway, url => "$here/mcp", issuer => $issuer, scope => $scope,
             log => start_mcp_server($port, $gateway) };
}

# A client without a person, `app` unless another is named. subject: what the server calls it.
sub guide_machine {
    my ($guide, %option) = @_;
    my $client = $option{client} // 'app';
    mcp_flows({
        URL => $guide->{url}, CLIENT => $client, SUBJECT => $option{subject} // $client, SCOPE => $guide->{scope},
        ISSUER => $guide->{issuer}
    }, 'machine');
    my @calls = slurp($guide->{log}) =~ /^(?:GET|POST|DELETE) \S+ (.*)$/mg;
    is_deeply([grep { $_ ne '-' } @calls], [], 'no Authorization came to the MCP server');
    return;
}

# The guide's try.mjs, which registers itself, and a person who opens the page that it names.
sub guide_person {
    my ($guide) = @_;
    my $place   = temporary_folder();
    my $port    = reserve_port();
    my $output  = "$place/output";
    symlink abs_path('build/mcp/node_modules'), "$place/node_modules" or die "node_modules: $!";
    open my $out, '>', "$place/try.mjs" or die "$place/try.mjs: $!";
    print {$out} guide_block('js') =~ s/8976/$port/gr;
    close $out or die "$place/try.mjs: $!";
    spawn(['node', "$place/try.mjs", $guide->{url}], out => $output);
    my $page = until_true(patience(10), sub { -e $output && slurp($output) =~ /^Open in your browser: (\S+)$/m && $1 });
    ok($page, "the guide's client wants its user to sign in") or return diag(slurp($output));
    my $person = run(['node', 'build/mcp/person.mjs', $page]);
    is($person->{code}, 0, 'who signs in') or diag($person->{err});
    ok(
        until_true(patience(10), sub { slurp($output) =~ /^\[ 'whoami', 'announce', 'listen' \]$/m }),
        'and it lists the tools'
    ) or diag(slurp($output));
    return;
}

# What the clients of flows.mjs find: a test for each of their checks.
sub mcp_flows {
    my ($env, @names) = @_;
    my $result = run(
        [qw(node build/mcp/flows.mjs)],
        timeout => patience(60), env => { %{$env}, FLOWS => join(',', @names) }
    );
    for my $part (split /^(?=(?:not )?ok )/m, $result->{out}) {
        my ($not, $name, $more) = $part =~ /^(not )?ok (.*)\n(.*)/s or next;
        ok(!$not, $name) or diag($more);
    }
    my @through = $result->{out} =~ /^ok (\w+) is through$/mg;
    is(scalar @through, scalar @names, "@names: to the end") or diag($result->{err});
    return;
}

# Starts the MCP server on a port that was reserved, behind that gateway; returns its log, with a line for each request.
sub start_mcp_server {
    my ($port, $gateway) = @_;
    my $log = temporary_folder() . '/mcp-server.log';
    my $env = { PORT => $port };
    if ($gateway->text =~ /phantom_token_jwks;/) {
        $env->{JWKS} = 'https://localhost:' . $gateway->port(443) . '/.well-known/jwks.json';
        $env->{NODE_EXTRA_CA_CERTS} = $gateway->ca;
    }
    spawn([qw(node build/mcp/server.mjs)], out => $log, env => $env);
    until_true(patience(10), sub { -e $log && slurp($log) =~ /ready/ }) or die "no MCP server:\n" . slurp($log);
    return $log;
}

1;
