# docs/bound-tokens.md and the configurations that it leads to: nginx-conf/dpop.conf and nginx-conf/mutual-tls.conf work
# as they stand, and its request by hand, made of openssl and curl, gets through.

use strict;
use warnings;
use lib 't/lib';
use Digest::SHA 'sha256';
use Harness;
use Harness::Dpop qw(dpop_key dpop_headers thumbprint);
use MIME::Base64 qw(decode_base64 encode_base64url);

sub slurp { my ($file) = @_; open my $in, '<:raw', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

sub spill {
    my ($name, $content) = @_;
    my $file = temporary_folder() . "/$name";
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $content;
    close $out or die "$file: $!";
    chmod 0600, $file;
    return $file;
}

sub bash {
    my ($folder, $text, %variables) = @_;
    my $set = join '', map { "$_='$variables{$_}'\n" } sort keys %variables;
    my $run = run(['bash', '-c', "set -eu -o pipefail\ncd $folder\n$set$text"]);
    is $run->{code}, 0, 'the commands succeed' or diag $run->{err};
    return $run->{out};
}

my $signing_key = spill('signing-key.pem', run([qw(openssl genpkey -algorithm ED25519)])->{out});
my $JWT         = qr/^Bearer eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/;
my @cache       = ('/var/cache/phantom-token' => '%%DIR%%/cache');
my @places      = (
    'http://127.0.0.1:8081' => 'http://%%API%%',
    'http://127.0.0.1:9400' => 'http://%%AS%%', '/etc/ssl/certs/api.example.com.pem' => '%%TLS%%/server.pem',
    '/etc/ssl/private/api.example.com.key' => '%%TLS%%/server.key', '/etc/nginx/signing-key.pem' => $signing_key,
);

sub bound { my ($cnf) = @_; return { json => { active => JSON::PP::true(), sub => 'alice', cnf => $cnf } } }

# --- nginx-conf/dpop.conf --------------------------------------------------------------------------------------------

{
    my $key     = dpop_key('ES256');
    my $gateway = gateway(config => slurp('nginx-conf/dpop.conf'),
        replace => [@cache, @places, '/etc/nginx/dpop-nonce' => spill('nonce', 'x' x 32)]);
    $gateway->as->answers('bound-token' => bound({ jkt => thumbprint($key) }), 'plain-token' => bound(undef));
    my %tls  = (port => 443, tls => 1, path => '/orders');
    my $proof_with = sub {
        my ($nonce, %proof) = @_;
        return [dpop_headers($key, 'bound-token', htu => 'https://api.example.com/orders',
            claims => { nonce => $nonce }, %proof)];
    };
    my $asked = $gateway->request(%tls, headers => $proof_with->(undef));
    is $asked->status, 401, 'dpop.conf: a nonce is asked for';
    my $nonce = $asked->header('DPoP-Nonce') // die "no nonce\n";
    my $once  = $proof_with->($nonce);
    cases($gateway,
        { name => 'dpop.conf: bound', request => { %tls, headers => $once }, status => 200, outcome => 'active',
          api => [{ authorization => $JWT, dpop => undef }] },
        { name => 'dpop.conf: the same proof again', request => { %tls, headers => $once }, status => 401,
          outcome => 'dpop_replay', api => 0 },
        { name => 'dpop.conf: another key', status => 401, outcome => 'dpop_proof', api => 0,
          request => { %tls, headers => $proof_with->($nonce, signer => dpop_key('ES256')) } },
        { name => 'dpop.conf: as Bearer', request => { %tls, token => 'bound-token' }, status => 401,
          outcome => 'bound', api => 0 },
        { name => 'dpop.conf: a bearer token', request => { %tls, token => 'plain-token' }, status => 200,
          outcome => 'active', api => [{ authorization => $JWT }] },
    );
}

# --- nginx-conf/mutual-tls.conf --------------------------------------------------------------------------------------

{
    my $gateway = gateway(config => slurp('nginx-conf/mutual-tls.conf'),
        replace => [@places, 'unix:/run/phantom-token.sock' => 'unix:%%DIR%%/gateway.sock']);
    my ($pem, $private) = self_signed();
    my $der = decode_base64(slurp($pem) =~ s/-----[^\n]+-----\n//gr);
    $gateway->as->answers('bound-token' => bound({ 'x5t#S256' => encode_base64url(sha256($der)) }));
    my %tls = (port => 443, tls => 1, path => '/orders', token => 'bound-token');
    my @own = (args => ['--cert', $pem, '--key', $private]);
    my ($other, $other_key) = self_signed();
    my $escaped = slurp($pem) =~ s/([^A-Za-z0-9.~_-])/sprintf '%%%02X', ord $1/ger;
    my %refused = (status => 401, log => qr/phantom token: certificate: the token is bound to a/, api => 0);
    cases($gateway,
        { name => 'mutual-tls.conf: its certificate', request => { %tls, @own }, status => 200,
          api => [{ authorization => $JWT, client_cert => undef }] },
        { name => 'mutual-tls.conf: none', request => {%tls}, %refused },
        { name => 'mutual-tls.conf: another', request => { %tls, args => ['--cert', $other, '--key', $other_key] },
          %refused },
        { name => "mutual-tls.conf: a client's own header",
          request => { %tls, headers => ["Client-Cert: $escaped"] }, %refused },
        { name => "mutual-tls.conf: a client's own header beside another certificate", %refused,
          request => { %tls, headers => ["Client-Cert: $escaped"], args => ['--cert', $other, '--key', $other_key] } },
    );
}

sub self_signed {
    my @files = map { spill("$_.pem", '') } qw(certificate key);
    my $made  = run([qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=client),
        '-out', $files[0], '-keyout', $files[1]]);
    die "openssl: $made->{err}\n" if $made->{code} != 0;
    return @files;
}

# --- a request by hand -----------------------------------------------------------------------------------------------

{
    my $folder  = temporary_folder();
    my ($hand)  = slurp('docs/bound-tokens.md') =~ /^## A request by hand$(.*?)^Begin with /ms;
    my $text    = join '', map { "$_\n" } grep { /^ {4}/ } split /\n/, $hand;
    my $gateway = gateway(
        http      => 'phantom_token_dpop_replay zone=proofs:1m;',
        server    => 'phantom_token on; phantom_token_introspection_endpoint /_introspect; phantom_token_forward none;'
            . 'phantom_token_confirmation require; phantom_token_dpop_replay proofs;',
        locations => 'location / { proxy_pass http://%%API%%; } location /nonce { phantom_token_dpop_nonce '
            . spill('nonce', 'y' x 40) . '; proxy_pass http://%%API%%; }'
            . 'location = /_introspect { internal; proxy_pass http://%%AS%%/introspect; }');
    bash($folder, 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem');
    my $point = run(['bash', '-c', "openssl pkey -in $folder/key.pem -pubout -outform DER | tail -c 64"])->{out};
    my %jwk   = (kty => 'EC', crv => 'P-256', x => encode_base64url(substr $point, 0, 32),
        y => encode_base64url(substr $point, 32));
    $gateway->as->answers('bound-token' => bound({ jkt => thumbprint(\%jwk) }));
    for my $path ('/orders', '/nonce') {
        my $url   = 'http://127.0.0.1:' . $gateway->port . $path;
        my $local = $text =~ s{^    URL=.*$}{    URL=$url}mr;
        my $out   = bash($folder, $local, TOKEN => 'bound-token', NONCE => '');
        like $out, qr{\AHTTP/1\.1 401.*^WWW-Authenticate: DPoP algs=}ms, "by hand, $path: the challenge";
        my ($nonce) = $out =~ /^DPoP-Nonce: (\S+)/m;
        is defined $nonce, $path eq '/nonce', "by hand, $path: a nonce is asked for, or not";
        $out = bash($folder, $local, TOKEN => 'bound-token', NONCE => $nonce) if defined $nonce;
        like $out, qr{^HTTP/1\.1 200}m, "by hand, $path: gets through";
    }
}

done_testing;
