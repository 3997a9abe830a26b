# The directives of sender-constrained tokens: what nginx -t says of them, and what the resource's metadata (RFC 9728)
# says of what they ask for.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my $folder = temporary_folder();

sub file {
    my ($name, $bytes, $mode) = @_;
    open my $out, '>:raw', "$folder/$name" or die "$name: $!";
    print {$out} $bytes;
    close $out;
    chmod oct($mode // '600'), "$folder/$name" or die "$name: $!";
    return "$folder/$name";
}

my $zone   = 'phantom_token_dpop_replay zone=proofs:1m;';
my $verify = 'phantom_token_confirmation verify; phantom_token_dpop_replay proofs;';
my $nonce  = file('nonce', 'n' x 32);

# A line in a protected location that verifies.
sub line { my ($line, %case) = @_; return { http => $zone, protected => "$verify $line", %case } }

sub refused { my ($name, $line, @words) = @_; return line($line, name => "refused: $name", refuses => [@words]) }
sub accepted { my ($name, $line) = @_; return line($line, name => "accepted: $name", accepts => 1, warns => undef) }

my $ALG  = qr/"phantom_token_dpop_algorithms"/;
my $AGE  = qr/"phantom_token_dpop_max_age"/;
my $FILE = qr/"phantom_token_dpop_nonce"/;
my $URI  = qr/"phantom_token_dpop_uri"/;
my $ZONE = qr/"phantom_token_dpop_replay"/;

configurations(
    accepted('verify with a zone', ''),
    accepted('all of them', "phantom_token_dpop_uri https://a.example\$request_uri; phantom_token_dpop_max_age 2m;
        phantom_token_dpop_algorithms ES256 EdDSA; phantom_token_dpop_nonce $nonce time=1m;
        phantom_token_client_certificate \$http_x_certificate;"),
    { name => 'a word that it does not know', protected => 'phantom_token_confirmation check;',
      refuses => qr/phantom_token_confirmation|invalid value "check"/ },
    { name => 'refused: confirmation twice', protected => 'phantom_token_confirmation verify; ' x 2,
      refuses => qr/"phantom_token_confirmation" directive is duplicate/ },
    map({
        { name => "warned: $_ without a zone", protected => "phantom_token_confirmation $_;", accepts => 1,
          warns => [qr/phantom_token_confirmation|phantom_token_dpop_replay/, qr/location "\/"/] }
    } qw(verify require)),
    { name => 'warned: a zone that is switched off', http => $zone, accepts => 1,
      warns => qr/phantom_token_dpop_replay/,
      protected => 'phantom_token_confirmation verify; phantom_token_dpop_replay off;' },
    { name => 'not warned: pass without a zone', protected => 'phantom_token_confirmation pass;', accepts => 1,
      warns => undef },

    refused('an algorithm that is none', 'phantom_token_dpop_algorithms ES256 XY;', $ALG, qr/"XY"/),
    map({ refused("the algorithm $_", "phantom_token_dpop_algorithms $_;", $ALG, qr/"$_"/) }
        qw(none HS256 HS512 ES256K es256 RSA-OAEP)),
    refused('no algorithm', 'phantom_token_dpop_algorithms;', $ALG),
    refused('algorithms twice', 'phantom_token_dpop_algorithms ES256; phantom_token_dpop_algorithms ES384;', $ALG,
        qr/is duplicate/),

    refused('max_age 0', 'phantom_token_dpop_max_age 0;', $AGE, qr/location "\/"/),
    refused('max_age that is no time', 'phantom_token_dpop_max_age soon;', $AGE),
    refused('max_age below a second', 'phantom_token_dpop_max_age 500ms;', $AGE),
    refused('max_age twice', 'phantom_token_dpop_max_age 1; phantom_token_dpop_max_age 2;', $AGE, qr/is duplicate/),

    map({ refused($_->[0], "phantom_token_dpop_nonce $_->[1];", $FILE, qr/\Q$_->[2]\E/) }
        ['a nonce file of 31 bytes', file('short', 'n' x 31), 'short'],
        ['a nonce file of 4097 bytes', file('long', 'n' x 4097), 'long'],
        ['an empty nonce file', file('empty', ''), 'empty'],
        ['a nonce file that is not there', "$folder/nothing", 'nothing'],
        ['a folder as nonce file', $folder, $folder],
        ['time=0', "$nonce time=0", 'time'], ['time that is none', "$nonce time=soon", 'soon'],
        ['an unknown parameter', "$nonce tiem=5m", 'tiem=5m']),
    refused('nonce twice', "phantom_token_dpop_nonce $nonce; phantom_token_dpop_nonce off;", $FILE, qr/is duplicate/),
    accepted('a nonce file of 4096 bytes of any kind', 'phantom_token_dpop_nonce '
            . file('any', join '', map { chr($_ % 256) } 1 .. 4096) . ';'),
    line('phantom_token_dpop_nonce ' . file('open', 'n' x 32, '644') . ';',
        name => 'warned: a nonce file that others can read', accepts => 1, warns => qr/open.*mode to 600/),

    refused('an unknown zone', 'location /x { phantom_token_dpop_replay nowhere; }', $ZONE, qr/"nowhere"/),
    refused('a zone in a location', 'location /x { phantom_token_dpop_replay zone=a:1m; }', $ZONE),
    refused('replay twice', 'phantom_token_dpop_replay off;', $ZONE, qr/is duplicate/),
    { name => 'refused: a zone twice', http => $zone x 2, refuses => [$ZONE, qr/"proofs"/] },
    map({ { name => "refused: $_", http => "phantom_token_dpop_replay $_;", refuses => $ZONE } }
        'zone=proofs:8k', 'zone=proofs', 'zone=:1m', 'zone=proofs:x', 'zone=proofs:1m keep=1h'),
    { name => 'refused: a zone of another kind', protected => 'phantom_token_dpop_replay hot;', refuses => qr/"hot"/,
      http => 'phantom_token_hot_cache zone=hot:1m;' },

    refused('uri twice', 'phantom_token_dpop_uri https://a.example/; ' x 2, $URI, qr/is duplicate/),
    map({ refused("uri $_", "phantom_token_dpop_uri $_;", $URI, qr/location "\/"/) }
        '""', '/', 'a.example', 'ftp://a.example/', 'https://user@a.example/', 'https:///'),
    refused('certificate twice', 'phantom_token_client_certificate $http_a; ' x 2, qr/is duplicate/),
    refused('an empty certificate', 'phantom_token_client_certificate "";', qr/"phantom_token_client_certificate"/),
);

# --- the metadata ----------------------------------------------------------------------------------------------------

my $all = [qw(ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256)];

sub metadata_location {
    my ($path, $lines) = @_;
    return "location = $path { phantom_token_resource https://api.example.com; phantom_token_dpop_replay proofs;
        phantom_token_issuer https://as.example.com; phantom_token_resource_document; $lines }\n";
}

my %rows = (
    refuse  => ['phantom_token_confirmation refuse;', {}],
    pass    => ['phantom_token_confirmation pass;', {}],
    verify  => ['phantom_token_confirmation verify;', { dpop_signing_alg_values_supported => $all }],
    require => ['phantom_token_confirmation require;',
                { dpop_signing_alg_values_supported => $all, dpop_bound_access_tokens_required => true }],
    algorithms => ['phantom_token_confirmation verify; phantom_token_dpop_algorithms EdDSA ES256;',
                   { dpop_signing_alg_values_supported => [qw(EdDSA ES256)] }],
    'require-certificate' => [
        'phantom_token_confirmation require; phantom_token_client_certificate $http_x_certificate;',
        { dpop_signing_alg_values_supported => $all, tls_client_certificate_bound_access_tokens => true }
    ],
    'verify-certificate' => ['phantom_token_confirmation verify; phantom_token_client_certificate $http_x_certificate;',
        { dpop_signing_alg_values_supported => $all, tls_client_certificate_bound_access_tokens => true }],
);
my $gateway = gateway(http => $zone, locations => join '', map { metadata_location("/$_", $rows{$_}[0]) } keys %rows);
my @members = qw(dpop_signing_alg_values_supported dpop_bound_access_tokens_required
    tls_client_certificate_bound_access_tokens);
for my $name (sort keys %rows) {
    my $document = $gateway->get("/$name")->json;
    my %shown = map { exists $document->{$_} ? ($_ => $document->{$_}) : () } @members;
    is_deeply \%shown, $rows{$name}[1], "metadata: $name";
}

done_testing;
