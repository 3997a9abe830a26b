# Nobody but the gateway gets into a location where the authorization server is asked about tokens, by whatever path:
# not an include, not auth_request, not a mirror, not a redirect.

use strict;
use warnings;
use lib 't/lib';
use Harness;

my %locations = (
    prefix  => ['/_introspect', '', 'location /_introspect { internal; proxy_pass http://%%AS%%/introspect; '
                    . 'proxy_set_header Authorization "Basic Z2F0ZXdheTpzZWNyZXQ="; }'],
    wide    => ['/_as/introspect',
                'phantom_token_verify_jwt off; phantom_token_jwks_endpoint /_as/jwks;', 'location /_as/ { internal; '
                    . 'proxy_pass http://%%AS%%/; proxy_set_header Authorization "Basic Z2F0ZXdheTpzZWNyZXQ="; }'],
    regex   => ['/_re/introspect', '', 'location ~ ^/_re/ { internal; proxy_pass http://%%AS%%; '
                    . 'proxy_set_header Authorization "Basic Z2F0ZXdheTpzZWNyZXQ="; }'],
    varying => ['/_varying?$host', '', 'location /_varying { internal; proxy_pass http://%%AS%%/introspect; '
                    . 'proxy_set_header Authorization "Basic Z2F0ZXdheTpzZWNyZXQ="; }'],
    branch  => ['/_branch', '', 'location /_branch { internal; proxy_set_header Authorization "Basic '
                    . 'Z2F0ZXdheTpzZWNyZXQ="; set $x 1; if ($x) { proxy_pass http://%%AS%%; } }'],
);
my %foreign = (
    prefix  => [qw(/_introspect /_introspect/ /_introspect/x /_introspect;x /_introspected
                   /_introspect?token=bob-token)],
    wide    => [qw(/_as/introspect /_as/introspect/x /_as/jwks /_as/Introspect /_as/other /_as/)],
    regex   => [qw(/_re/introspect /_re/introspect/x /_re/other)],
    varying => [qw(/_varying /_varying?x /_varying/x)],
    branch  => [qw(/_branch /_branch/x)],
);

sub protected {
    my ($name) = @_;
    my ($endpoint, $more, $location) = @{ $locations{$name} };
    return "location /$name { ssi on; phantom_token on; phantom_token_introspection_endpoint $endpoint; "
        . "$more proxy_pass http://%%API%%; }\n$location";
}

my $gateway = gateway(locations => join "\n", (map { protected($_) } sort keys %locations), <<'END');
        location /open     { ssi on; proxy_pass http://%%API%%; }
        location /policy   { auth_request $arg_to; proxy_pass http://%%API%%; }
        location /mirrored { mirror /_introspect/x; proxy_pass http://%%API%%; }
        location /guarded  { auth_request /_introspect/x; proxy_pass http://%%API%%; }
        location /rewrites { rewrite ^/rewrites(.*)$ /_introspect$1 last; }
        location /missing  { error_page 404 = /_as/x; return 404; }
        location = /_keys  { internal; proxy_pass http://%%AS%%/jwks; }
        location /own      { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api;
                             phantom_token_jwks_endpoint /_keys; proxy_pass http://%%API%%; }
END
$gateway->as->answers('*' => { jwt => { sub => 'alice' } }, '/jwks' => { json => { keys => [] } });

my $refused = qr/\[error\].*brought a request to location ".*", where only the gateway itself asks/;
for my $kind (sort keys %foreign) {
    cases(
        $gateway,
        { name => "$kind: the gateway itself comes there",
          request => { path => "/$kind", token => "$kind-token" }, as => 1, status => 200, no_log => $refused }
    );
    cases($gateway, map {
        my $to = $_;
        my $path = "/open/$kind/" . join '', map { sprintf '%02x', ord } split //, $to;
        +{
            name => "$kind: an include of $to", request => { path => $path, token => 'page-token' }, api_answers => {
                $path => { headers => ['Content-Type: text/html'], body => qq(<!--# include virtual="$to" --> end) }
            },
            as => 0, status => 200, body => qr/ end$/, log => $refused
        },
        { name => "$kind: X-Accel-Redirect to $to", request => { path => "$path/accel", token => 'page-token' },
          api_answers => { "$path/accel" => { headers => ["X-Accel-Redirect: $to"] } }, as => 0, api => 1,
          status => 404, log => $refused }
    } @{ $foreign{$kind} });
}
cases($gateway,
    { name => 'auth_request below an endpoint', request => { path => '/guarded', token => 'policy-token' }, as => 0,
      status => 500, refusal => 'any', log => $refused },
    { name => 'a mirror below an endpoint',
      request => { path => '/mirrored', token => 'mirror-token' }, as => 0, status => 200, log => $refused },
    { name => 'a rewrite below an endpoint',
      request => { path => '/rewrites/x', method => 'POST', body => 'token=bob-token' }, as => 0, api => 0,
      status => 404, log => $refused },
    { name => 'an error page below an endpoint',
      request => { path => '/missing' }, as => 0, api => 0, status => 404, log => $refused },
    { name => 'a JWKS location has nothing secret: an include is served',
      request => { path => '/open/keys', token => 'page-token' }, api_answers => {
          '/open/keys' => { headers => ['Content-Type: text/html'], body => '<!--# include virtual="/_keys" --> end' }
      },
      as => 1, status => 200, body => qr/"keys".* end$/s, no_log => $refused },
);

# --- nginx -t ---------------------------------------------------------------------------------------------------------

sub site {
    my ($endpoint, $location) = @_;
    return "location / { phantom_token on; phantom_token_introspection_endpoint $endpoint; "
        . "proxy_pass http://%%API%%; } $location";
}
my @nothing = (accepts => 1, warns => []);
configurations(
    { name => 'nginx -t warns: an endpoint in a prefix location with a shorter name',
      locations => site('/_as/introspect', 'location /_as/ { internal; proxy_pass http://%%AS%%; }'), accepts => 1,
      warns =>
          qr/location "\/_as\/" serves "\/_as\/introspect".*"location = \/_as\/introspect \{ internal; \.\.\. \}"/ },
    { name => 'nginx -t warns: an endpoint in a prefix location that beats regexes',
      locations => site('/_as/one', 'location ^~ /_as/ { internal; proxy_pass http://%%AS%%; } location ~ one { }'),
      accepts => 1, warns => qr/location "\/_as\/" serves "\/_as\/one"/ },
    { name => 'nginx -t warns: an endpoint in a regex location',
      locations => site('/_as/introspect', 'location ~ ^/_as/ { internal; proxy_pass http://%%AS%%; }'), accepts => 1,
      warns => qr/location "\^\/_as\/" serves "\/_as\/introspect"/ },
    { name => 'nginx -t warns: arguments with variables hide no path',
      locations => site('/_as/introspect?$host', 'location /_as/ { internal; proxy_pass http://%%AS%%; }'),
      accepts => 1, warns => qr/location "\/_as\/" serves/ },
    { name => 'nginx -t: a prefix location of the endpoint\'s name',
      locations => site('/_introspect', 'location /_introspect { internal; proxy_pass http://%%AS%%; }'), @nothing },
    { name => 'nginx -t: a name without a slash',
      locations => site('introspect', 'location introspect { internal; proxy_pass http://%%AS%%; }'), @nothing },
    { name => 'nginx -t: a JWKS in a wider location',
      locations => 'location / { phantom_token on; phantom_token_inbound_jwt verify; phantom_token_audience api; '
          . 'phantom_token_jwks_endpoint /_as/jwks; } location /_as/ { internal; proxy_pass http://%%AS%%; }',
      @nothing },
    { name => 'nginx -t: an endpoint with variables in its arguments alone has a location, or is refused',
      locations => site('/_nowhere?$host', 'location /a { }'),
      refuses => [qr/phantom_token_introspection_endpoint/, qr/location = \/_nowhere \{ internal; \.\.\. \}/] },
);

done_testing;
