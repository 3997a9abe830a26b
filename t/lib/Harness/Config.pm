package Harness::Config;

# What nginx.conf says: from the parts that a test gives, or from a whole file, to a configuration that stays inside
# the test's own folder and on its own ports.
#
# Placeholders: %%PORT%% and %%PORT:name%% (a port of its own for each name), %%DIR%% (the test's folder), %%TLS%% (a
# folder with ca.pem, server.pem, server.key), and one for each server: %%AS%%, %%API%% (address:port).

use strict;
use warnings;
use Harness::Certificates 'certificates';
use Harness::Ports 'reserve_port';

# Variables of the environment that nginx is to keep, for the workers and for a new binary.
sub sanitizer_options { return qw(ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS) }

my @TEMPORARY = qw(client_body proxy fastcgi uwsgi scgi);

# Options: folder, servers => { AS => object with address }, module (path or nothing), clock (a Harness::Clock or
# nothing).
sub new {
    my ($class, %option) = @_;
    return bless { %option, ports => {} }, $class;
}

# The port with that name; '' is the one of the gateway's own server.
sub port {
    my ($self, $name) = @_;
    return $self->{ports}{ $name // '' } //= reserve_port();
}

sub render {
    my ($self, %part) = @_;
    my $text = defined $part{config} ? $self->_whole(%part) : $self->_from_parts(%part);
    return $self->_fill($text);
}

# --- from parts ----------------------------------------------------------------------------------------------------

sub _from_parts {
    my ($self, %part) = @_;
    my $http      = $part{http}   // '';
    my $server    = $part{server} // '';
    my $locations = $part{locations} // $self->_standard_locations(%part);
    my $name      = $part{server_name} // 'localhost';
    return $self->_main(%part) . <<"END" . $self->_http(%part) . <<"END";
events {
    worker_connections @{[ $part{connections} // 512 ]};
@{[ $part{events} // '' ]}
}
http {
END
$http
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name $name;
$server
$locations
    }
}
END
}

# A protected location before the API, and the way to the AS.
sub _standard_locations {
    my ($self, %part) = @_;
    die "without the module, say what the locations are\n" if !$self->{module};
    my $protected     = $part{protected}     // '';
    my $introspection = $part{introspection} // '';
    return <<"END";
        location / {
            phantom_token on;
            phantom_token_introspection_endpoint /_introspect;
            proxy_pass http://%%API%%;
$protected
        }
        location = /_introspect {
            internal;
            proxy_pass http://%%AS%%/introspect;
$introspection
        }
END
}

sub _main {
    my ($self, %part) = @_;
    my $user    = $part{user} // 'nobody';
    my @lines   = $> == 0 ? ("user $user " . (getgrgid((getpwnam $user)[3]))[0] . ';') : ();
    my $workers = $part{workers}   // 1;
    my $level   = $part{log_level} // 'info';
    push @lines, map { "env $_;" } grep { defined $ENV{$_} } sanitizer_options();
    push @lines, $self->{clock}->directives if $self->{clock};
    unshift @lines, "load_module $self->{module};" if $self->{module};
    push @lines, "worker_processes $workers;", "pid $self->{folder}/nginx.pid;",
        "error_log $self->{folder}/error.log $level;", $part{main} // '';
    return join "\n", @lines, '';
}

sub _http {
    my ($self, %part) = @_;
    my %field = (
        request => 'request', status => 'status',
        $self->{module} ? (outcome => 'phantom_token_status', cache => 'phantom_token_cache') : (),
        %{ $part{log} // {} }
    );
    # The first three say which request it is: Harness::Nginx looks for them.
    my $format = join ',', '{"number":"$connection_requests"', '"port":"$remote_port"', '"server_port":"$server_port"',
        '"written":"$msec"', map { qq("$_":"\$$field{$_}") } sort keys %field;
    return join "\n", "    log_format harness escape=json '$format}';",
        "    access_log $self->{folder}/access.log harness;",
        (map { "    ${_}_temp_path $self->{folder}/${_}_temp;" } @TEMPORARY), '';
}

# --- from a whole file ---------------------------------------------------------------------------------------------

# config: the text; replace => [pattern => text, …] for upstreams and paths. Each listen gets a port of the test's
# own, whose name is the port that was there: port('443'). What says where nginx keeps its things is the test's.
sub _whole {
    my ($self, %part) = @_;
    my $text    = $part{config};
    my @replace = @{ $part{replace} // [] };
    while (my ($pattern, $replacement) = splice @replace, 0, 2) {
        $pattern = quotemeta $pattern if ref $pattern ne 'Regexp';
        $text =~ s/$pattern/$replacement/g or die "replace: nothing matches $pattern\n";
    }
    my $start = qr/(?:^|(?<=[;{}]))[ \t]*/m; # of a directive
    $text =~ s/$start(?:pid|user|daemon|worker_processes|error_log|access_log)\s[^;{}]*;//g;
    $text =~ s/${start}load_module\s[^;]*phantom_token[^;]*;//g;
    $text =~ s/${start}listen\s+\[[^;]*;//g; # IPv6: the same port again
    $text =~ s/($start(?:listen)\s+)(?:[\w.*-]+:)?(\d+)\b(?!\.)/${1}127.0.0.1:%%PORT:$2%%/g;
    $text = "events {}\nhttp {\n$text\n}\n" if $text !~ /^\s*http\s*\{/m;
    $text = "events {}\n$text" if $text !~ /^\s*events\s*\{/m;
    my $http = $self->_http(%part);
    $text =~ s/^(\s*http\s*\{)/$1\n$http/m;
    return $self->_main(%part) . $text;
}

# --- placeholders --------------------------------------------------------------------------------------------------

sub _fill {
    my ($self, $text) = @_;
    $text =~ s/%%(\w+)(?::([\w-]+))?%%/$self->_value($1, $2)/ge;
    return $text;
}

sub _value {
    my ($self, $name, $detail) = @_;
    return $self->port($detail) if $name eq 'PORT';
    return $self->{folder} if $name eq 'DIR';
    return $self->tls if $name eq 'TLS';
    my $server = $self->{servers}{$name} or die "nothing is known as %%$name%%\n";
    return ref $server ? $server->address : $server;
}

sub tls { my ($self) = @_; return $self->{tls} //= certificates() }

1;
