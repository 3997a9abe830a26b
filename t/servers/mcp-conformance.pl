# The conformance suite of the Model Context Protocol (npm @modelcontextprotocol/conformance, t/mcp/conformance) against
# an MCP server behind nginx-conf/mcp.conf. Its scenarios for servers send no token, so a proxy before the gateway adds
# one. docs/guides/mcp.md says which scenarios there are, and why the others say nothing of a gateway.

use strict;
use warnings;
use lib 't/lib';
use Harness;
use Harness::Mcp qw(mcp_packages mcp_configuration start_mcp_server);
use Harness::Ports 'reserve_port';

my @scenarios = (
    ['2025-11-25', qw(server-initialize server-session-lifecycle ping tools-list server-sse-multiple-streams
                      dns-rebinding-protection)],
    ['2026-07-28', qw(tools-list server-sse-multiple-streams http-header-validation sep-2164-resource-not-found
                      dns-rebinding-protection)],
);

mcp_packages('t/mcp', 'build/mcp');
my $suite = mcp_packages('t/mcp/conformance', 'build/mcp-conformance');
my ($node) = glob "$suite/node_modules/node-linux-*/bin/node"; # the suite needs a newer Node.js than Debian's
my @command = ($node, "$suite/node_modules/\@modelcontextprotocol/conformance/dist/index.js");

my $as      = real_server('oidc-provider');
my $port    = reserve_port();
my $gateway = gateway(
    mcp_configuration($as, "127.0.0.1:$port", 'https://app.example.com' => '"~^http://(localhost|127.0.0.1):\d+$"')
);
my $log   = start_mcp_server($port, $gateway);
my $site  = 'https://localhost:' . $gateway->port(443);
my $token = $as->token(scope => 'mcp:read mcp:write', form => { resource => "$site/mcp" });
my $front = gateway(
    module    => 0,
    locations => <<"END",
        location / {
            proxy_pass $site;
            proxy_set_header Host \$http_host;
            proxy_set_header Authorization "Bearer $token";
            proxy_set_header Connection "";
            proxy_http_version 1.1;
            proxy_buffering off;
        }
END
);

for my $row (@scenarios) {
    my ($revision, @names) = @{$row};
    for my $name (@names) {
        my $result = run(
            [@command, 'server', '--url', 'http://localhost:' . $front->port . '/mcp', '--scenario', $name,
             '--spec-version', $revision, '--output-dir', temporary_folder()],
            timeout => patience(60)
        );
        my ($passed, $failed) = $result->{out} =~ m{^Passed: (\d+)/\d+, (\d+) failed}m;
        ok $result->{code} == 0 && $passed && !$failed, "$revision: $name"
            or diag "$result->{out}$result->{err}";
    }
}

done_testing;
