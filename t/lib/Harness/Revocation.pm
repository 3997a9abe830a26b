package Harness::Revocation;

# Gateways that tell each other of revocations: nginx-conf/many-machines/revocation.conf, on addresses of their own.

use strict;
use warnings;
use Cwd 'abs_path';
use Exporter 'import';
use Harness;
use Harness::Certificates 'certificates';
use Harness::Client;
use Harness::Form 'form_text';
use Harness::Ports 'reserve_port';
use Time::HiRes 'time';

our @EXPORT_OK = qw(revocation_gateways events_location passes refused_everywhere revoked_at_once revoke_token);

my ($here) = __FILE__ =~ m{^(.*)/lib/Harness/};
my $FILE   = abs_path("$here/../nginx-conf/many-machines/revocation.conf");
my $SCRIPT = $FILE =~ s/conf$/js/r;

sub _slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

# revocation_gateways(…): so many gateways, which have the file's upstreams gateway-1, gateway-2 and so on. Options:
#
#   count     2 or 3
#   servers   as gateway's; AS is the authorization server of the file
#   paths     { introspection, revocation, jwks } of the authorization server, where they are not the file's, or whole
#             URLs
#   issuer    its name, where it is not its address
#   audience  whom logout tokens are for: a client's name, `app` in the file
#   senders   the address of the first one's port for senders, if somebody must know it before
#   public    a folder with the certificate of the ports for senders; none: they speak no TLS
#   allow     who is a sender; the test is
#   secret    the file with the secret of the client `gateway`
#   replace   more texts, which are replaced first
#   patient   0: the time limits of the file, which are too short for a busy machine
#   rate      how often a client may revoke; the file's would make a test wait
#   told      servers of the harness, which the first one tells in place of gateways; then it is the only one
sub revocation_gateways {
    my (%option) = @_;
    my @told  = @{ $option{told} // [] };
    my $count = @told || $option{count} // 3;
    my @addresses = map { my $address = '127.0.0.' . ($_ + 1); "$address:" . reserve_port($address) } 1 .. $count;
    my $authority = certificates('gateways.internal');
    my %servers   = (
        %{ $option{servers} // {} }, map { ("GATEWAY$_" => $told[$_ - 1] // $addresses[$_ - 1]) } 1 .. $count
    );
    my @senders   = ($option{senders} // '127.0.0.1:' . reserve_port(), map { '127.0.0.1:' . reserve_port() } 2 .. 3);
    return map {
        gateway(
            config  => _slurp($FILE),
            servers => { %servers, HERE => $addresses[$_ - 1], SENDERS => $senders[$_ - 1] },
            replace => [@{ $option{replace} // [] }, _replacements($count, $authority, %option)]
        )
    } 1 .. (@told ? 1 : $count);
}

sub _replacements {
    my ($count, $authority, %option) = @_;
    return (
        qr{load_module modules/(?=ngx_http_js_module)} => 'load_module /usr/lib/nginx/modules/',
        '/etc/nginx/revocation.js' => $SCRIPT, '/var/cache/phantom-token' => '%%DIR%%/cache',
        '/var/lib/phantom-token/revoked' => '%%DIR%%/revoked', '/etc/nginx/gateway-secret' => $option{secret},
        'http://127.0.0.1:8081' => 'http://%%API%%', _authorization_server(%option),
        'listen 9443 ssl' => 'listen %%HERE%% ssl', 'allow 10.0.0.5' => 'allow ' . ($option{allow} // '127.0.0.1'),
        'listen 9444 ssl' => 'listen %%SENDERS%%' . ($option{public} ? ' ssl' : ''),
        '/etc/ssl/certs/revocation.example.com.pem' => ($option{public} // $authority) . '/server.pem',
        '/etc/ssl/private/revocation.example.com.key' => ($option{public} // $authority) . '/server.key',
        '/etc/ssl/certs/gateways-ca.pem' => "$authority/ca.pem",
        '/etc/ssl/certs/gateway.pem' => "$authority/server.pem",
        '/etc/ssl/private/gateway.key' => "$authority/server.key",
        (map { ("server 10.0.0.1$_:9443" => "server %%GATEWAY$_%%") } 1 .. $count),
        $option{told} ? ('https://$gateway' => 'http://$gateway') : (),
        $count < 3 ? (qr/upstream gateway-3 [^\n]*\n/ => '', ' gateway-3"' => '"') : (),
        'rate=5r/s' => 'rate=' . ($option{rate} // '500r/s'),
        ($option{patient} // 1) ? ('300ms' => '10s', 'read_timeout 2s' => 'read_timeout 20s') : (),
    );
}

sub _authorization_server {
    my (%option) = @_;
    my %path = (introspection => '/token/introspection', revocation => '/token/revocation', jwks => '/jwks');
    my $address = 'http://127.0.0.1:9400';
    return (
        (map { ("$address$path{$_};" => (($option{paths}{$_} // $path{$_}) =~ s{^/}{http://%%AS%%/}r) . ';') }
                sort keys %path),
        "phantom_token_issuer $address" => 'phantom_token_issuer ' . ($option{issuer} // 'http://%%AS%%'),
        'phantom_token_audience app' => 'phantom_token_audience ' . ($option{audience} // 'app'),
    );
}

# A place for the events of a transmitter, to go before the location of clients that revoke.
sub events_location {
    my ($transmitter, $audience, @issuers) = @_;
    return ('location = /oauth/revoke {' => <<"END");
location = /events { phantom_token_revoke revoked; phantom_token_jwks_endpoint /_transmitter_jwks;
            phantom_token_issuer @{[ $transmitter->issuer ]} @issuers; phantom_token_audience $audience; }
        location = /_transmitter_jwks { internal; proxy_pass @{[ $transmitter->issuer ]}/jwks; }
        location = /oauth/revoke {
END
}

# The token is good at each of them, and each has it in its memory.
sub passes {
    my ($name, $token, @gateways) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %request = (path => '/api/', port => 80, token => $token);
    for my $number (1 .. @gateways) {
        my $gateway = $gateways[$number - 1];
        $gateway->request(%request) for 1, 2;
        cases($gateway, { name => "$name: passes at gateway $number", request => {%request}, status => 200,
                          outcome => 'active', cache => 'HOT' });
    }
    return;
}

# It is refused at each of them.
sub refused_everywhere {
    my ($name, $token, @gateways) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $number (1 .. @gateways) {
        cases($gateways[$number - 1],
            { name => "$name: refused at gateway $number", request => { path => '/api/', port => 80, token => $token },
              status => 401, outcome => 'revoked', challenge => { realm => 'api', error => 'invalid_token' } });
    }
    return;
}

# It is good at each of them, then somebody does something, and it is not.
sub revoked_at_once {
    my ($name, $token, $gateways, $click) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    passes($name, $token, @{$gateways});
    my $start = time;
    $click->();
    my $done     = time;
    my @statuses = map { $_->get('/api/', port => 80, token => $token)->status } @{$gateways};
    my $refused  = time;
    is "@statuses", join(' ', ('401') x @statuses), "$name: refused at once";
    refused_everywhere($name, $token, @{$gateways});
    diag(sprintf '%s: %.0f ms until it is done, %.0f ms until all gateways have refused the token', $name,
        1000 * ($done - $start), 1000 * ($refused - $start));
    return;
}

# A client revokes its token (RFC 7009) at a gateway whose port for senders speaks no TLS; the response. The
# authorization is what goes into the header of that name.
sub revoke_token {
    my ($gateway, $authorization, $token) = @_;
    return Harness::Client->once(
        port => $gateway->server('SENDERS') =~ s/.*://r, method => 'POST', path => '/oauth/revoke',
        body => form_text({ token => $token }), timeout => patience(30),
        headers => ['Content-Type: application/x-www-form-urlencoded', "Authorization: $authorization"]
    );
}

1;
