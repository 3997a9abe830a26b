package Harness::Nginx;

# How nginx is started, watched and ended.

use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename 'dirname';
use Harness::Client;
use Harness::Clock;
use Harness::Config;
use Harness::Curl;
use Harness::ErrorLog;
use Harness::Http3;
use Harness::Process qw(run guard unguard alive temporary_folder until_true patience);
use JSON::PP ();
use Time::HiRes 'sleep';

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');

sub binary {
    return $ENV{NGINX_BINARY} // (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0]
        // die "nginx is not installed\n";
}

# The path of the module, or nothing for plain nginx.
sub module {
    my ($wanted) = @_;
    return if defined $wanted && !$wanted;
    my $module = $ENV{PHANTOM_TOKEN_MODULE} // "$ROOT/build/ngx_http_phantom_token_module.so";
    die "the module is not built: $module (./dev build makes it; PHANTOM_TOKEN_MODULE names another)\n" if !-e $module;
    return abs_path($module);
}

# Options: servers => {…}, module => 0, clock => 'time' | 'wall', and the parts that Harness::Config knows.
sub new {
    my ($class, %part) = @_;
    my $folder = temporary_folder();
    my $self   = bless { folder => $folder, part => \%part, servers => $part{servers} // {}, faults => [] }, $class;
    my $clock = delete $part{clock};
    $self->{clock}  = Harness::Clock->new($clock) if defined $clock;
    my %known = (folder => $folder, servers => $self->{servers}, clock => $self->{clock});
    $self->{config} = Harness::Config->new(%known, module => scalar module($part{module}));
    $self->{log}    = Harness::ErrorLog->new(
        "$folder/error.log", "$folder/start.err", "$folder/sanitizer/*", "$folder/valgrind.*"
    );
    $self->{text}   = $self->{config}->render(%part);
    $self->_write_config;
    $self->_receive_reports;
    return $self;
}

sub _write_config {
    my ($self) = @_;
    open my $out, '>:raw', "$self->{folder}/nginx.conf" or die "nginx.conf: $!";
    print {$out} $self->{text};
    return close $out;
}

sub _command {
    my ($self, @more) = @_;
    my @wrapper = split ' ', $ENV{PHANTOM_TOKEN_WRAPPER} // '';
    s/%%DIR%%/$self->{folder}/g for @wrapper;
    return [
        @wrapper, binary(), '-p', "$self->{folder}/", '-e', "$self->{folder}/error.log", '-c',
        "$self->{folder}/nginx.conf", @more
    ];
}

# Where sanitizers put their reports. A worker finds the first fault of its life when it is no longer root.
sub _receive_reports {
    my ($self) = @_;
    return if !defined $ENV{ASAN_OPTIONS};
    mkdir "$self->{folder}/sanitizer" or die "sanitizer: $!";
    return chmod 01777, "$self->{folder}/sanitizer";
}

sub _run {
    my ($self, @more) = @_;
    my %env = map { $_ => $ENV{$_} =~ s/%%DIR%%/$self->{folder}/gr } grep { defined $ENV{$_} }
        Harness::Config::sanitizer_options();
    %env = (%env, $self->{clock}->environment) if $self->{clock};
    # nginx -t ends without freeing the configuration that it read. LeakSanitizer stops a process to look for leaks, and
    # libfaketime, which waits for a lock meanwhile, ends it by signal 6.
    $env{ASAN_OPTIONS} .= ':detect_leaks=0' if $env{ASAN_OPTIONS} && ($self->{clock} || grep { $_ eq '-t' } @more);
    return run($self->_command(@more), env => \%env);
}

# nginx -t: { code, output }.
sub check {
    my ($self) = @_;
    my $result = $self->_run('-t');
    return { code => $result->{code}, output => $result->{err} . $result->{out} };
}

# nginx itself goes to the background when its sockets listen, so there is nothing to wait for but the pid file.
sub start {
    my ($self) = @_;
    my $pidfile = "$self->{folder}/nginx.pid";
    guard(pidfile => $_) for $pidfile, "$pidfile.oldbin"; # the second while a new binary takes over
    my $result = $self->_run;
    die "nginx does not start ($result->{code}):\n$result->{err}\n$self->{folder}/nginx.conf:\n"
        . _numbered($self->{text}) if $result->{code};
    $self->_keep_errors($result->{err});
    $self->{pid} = until_true(patience(5), sub { _first_number($pidfile) }) // die "nginx wrote no pid file\n";
    # nginx has written it before its workers are there.
    until_true(patience(5), sub { $self->workers }) or die "nginx started no worker process\n";
    return $self;
}

sub _keep_errors {
    my ($self, $text) = @_;
    open my $out, '>>:raw', "$self->{folder}/start.err" or die "start.err: $!";
    print {$out} $text;
    return close $out;
}

sub _numbered { my $n = 0; return join '', map { sprintf "%4d  %s\n", ++$n, $_ } split /\n/, $_[0] }

sub _first_number {
    my ($file) = @_;
    open my $in, '<', $file or return;
    my $line = <$in> // '';
    return $line =~ /^(\d+)\n/ ? $1 : undef;
}

# Ends nginx gracefully. If it does not end so, a request hangs in it: that is a fault, unless quick => 1.
sub stop {
    my ($self, %option) = @_;
    return if !delete $self->{pid};
    my @pidfiles = map { "$self->{folder}/nginx.pid$_" } '', '.oldbin';
    my @masters  = grep { defined && alive($_) } map { _first_number($_) } @pidfiles;
    my @workers  = map { $self->_children($_) } @masters;
    push @{ $self->{faults} }, 'fault: nginx has ended on its own' if !@masters;

    kill $option{quick} ? 'TERM' : 'QUIT', @masters;
    my $gone = sub { !grep { alive($_) } @masters };
    if (!until_true(patience(5), $gone)) {
        push @{ $self->{faults} }, 'fault: nginx does not quit: a connection or a request stays open'
            if !$option{quick};
        kill TERM => @masters;
        until_true(patience(3), $gone);
    }
    kill KILL => grep { alive($_) } @masters, @workers;
    unguard(pidfile => $_) for @pidfiles;
    return;
}

# Ends nginx as a power cut does: no process of it has time for anything.
sub crash {
    my ($self) = @_;
    my $master = delete $self->{pid} // die "nginx is not running\n";
    my @all    = ($master, $self->_children($master));
    kill KILL => @all;
    until_true(patience(3), sub { !grep { alive($_) } @all }) or die "nginx cannot be killed\n";
    unguard(pidfile => "$self->{folder}/nginx.pid$_") for '', '.oldbin';
    return;
}

sub folder { return $_[0]{folder} }
sub pid    { return $_[0]{pid} }
sub text   { return $_[0]{text} }
sub log    { return $_[0]{log} }
sub as     { return $_[0]{servers}{AS} }
sub api    { return $_[0]{servers}{API} }
sub server { my ($self, $name) = @_; return $self->{servers}{$name} }
sub port   { my ($self, $name) = @_; return $self->{config}->port($name) }
sub ca     { my ($self) = @_; return $self->{config}->tls . '/ca.pem' }

sub announce { my ($self, @patterns) = @_; $self->{log}->announce(@patterns); return $self }

# What has gone wrong since the last call.
sub faults {
    my ($self) = @_;
    my @own = splice @{ $self->{faults} };
    return (
        @own, $self->{log}->faults, map { _server_faults($_, $self->{servers}{$_}) } sort keys %{ $self->{servers} }
    );
}

sub _server_faults {
    my ($name, $server) = @_;
    return if !ref $server || !$server->can('errors');
    my $errors = $server->errors;
    my $new    = substr $errors, $server->{errors_seen} // 0;
    $server->{errors_seen} = length $errors;
    return map { "server $name: $_" } split /\n/, $new;
}

# --- requests --------------------------------------------------------------------------------------------------------

# A request on a connection of its own; with http2 or tls it goes through curl, with http3 through ngtcp2's client.
sub request {
    my ($self, %request) = @_;
    my $port = $self->port(delete $request{port});
    return $self->_by_its_clock(Harness::Http3::http3(%request, port => $port)) if $request{http3};
    return $self->_by_its_clock(Harness::Client->once(%request, port => $port))
        if !$request{http2} && !$request{tls} && !$request{args};
    $request{tls} = $self->ca if $request{tls};
    return $self->_by_its_clock(Harness::Curl::curl(%request, port => $port));
}

# When a connection was opened, as nginx's log tells the time.
sub _by_its_clock {
    my ($self, $connection) = @_;
    $connection->{opened} += $self->{clock}->offset if $self->{clock};
    return $connection;
}

sub get  { my ($self, $path, %more) = @_; return $self->request(path => $path, %more) }
sub post {
    my ($self, $path, $body, %more) = @_;
    return $self->request(method => 'POST', path => $path, body => $body, %more);
}

sub connect {
    my ($self, $port, %option) = @_;
    return $self->_by_its_clock(Harness::Client->connect($self->port($port), %option));
}

# The clock of a gateway(clock => …): so many seconds beside the real time, where it stands, and some seconds on. A
# request's line in the access log is found if the clock has only gone on since its connection was opened.
sub set_clock { my ($self, $offset) = @_; return $self->{clock}->set($offset) }
sub clock     { my ($self) = @_; return $self->{clock}->offset }

sub advance {
    my ($self, $seconds) = @_;
    # Ten minutes are what nginx keeps an entry for that nobody asks for: its cache manager would race the test.
    die "advance($seconds): 600 s or more need inactive= in each cache path\n"
        if $seconds >= 600 && $self->{text} =~ /_cache_path(?![^;]*\sinactive=)/;
    return $self->{clock}->set($self->{clock}->offset + $seconds);
}

# The access log's line about a response's request: { status, outcome, cache, … }. It is written after the response. A
# client's port comes back after some hundred connections: an older line is another request's.
sub logged {
    my ($self, $response) = @_;
    # Two servers of one gateway may be asked from the same port.
    my $server = $response->{server_port} // '\d*';
    my $mark   = qr/^\{"number":"$response->{number}","port":"$response->{local_port}","server_port":"$server",/;
    my $line;
    my $earliest = $response->{opened} - 0.1; # nginx's clock stands still between two events
    until_true(patience(3), sub { ($line) = grep { $_->{written} >= $earliest } $self->access_log($mark); $line });
    return $line // die "the access log says nothing about this request\n";
}

# All lines of the access log, or those whose text matches.
sub access_log {
    my ($self, $pattern) = @_;
    my $json = JSON::PP->new->latin1;
    open my $in, '<:raw', "$self->{folder}/access.log" or return;
    return map { $json->decode($_) } grep { /\n$/ && (!$pattern || $_ =~ $pattern) } <$in>;
}

# --- processes -------------------------------------------------------------------------------------------------------

# The master's children that are no cache manager or loader and not on their way out; leaving => 1: those that are.
sub workers {
    my ($self, %option) = @_;
    my @children = $self->_children($self->{pid} // die "nginx is not running\n");
    if (!$ENV{PHANTOM_TOKEN_WRAPPER}) {
        my $title = $option{leaving} ? qr/worker process is shutting down$/ : qr/worker process$/;
        return grep { _title($_) =~ $title } @children;
    }
    # Under valgrind a process keeps its title, and the log has to tell.
    my @lines   = $self->{log}->lines;
    my %started = map { $_ => 1 } map { /start worker process (\d+)$/ } @lines;
    my %leaving = map { $_ => 1 } map { /(\d+)#\d+: gracefully shutting down$/ } @lines;
    return grep { $started{$_} && !$leaving{$_} == !$option{leaving} } @children;
}

sub _children {
    my ($self, $parent) = @_;
    my @children;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        my $line = <$in> // next;
        push @children, $1 if $line =~ /^(\d+) .*\) \S (\d+)/ && $2 == $parent;
    }
    my @sorted = sort { $a <=> $b } @children;
    return @sorted;
}

sub _title {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/cmdline" or return '';
    local $/ = undef;
    my $title = <$in> // '';
    $title =~ s/[\0 ]+$//;
    return $title;
}

# Resident memory in KiB: of all workers, or of one process.
sub rss {
    my ($self, @pids) = @_;
    my $sum = 0;
    for my $pid (@pids ? @pids : $self->workers) {
        open my $in, '<', "/proc/$pid/status" or next;
        my ($kib) = map { /^VmRSS:\s+(\d+)/ } <$in>;
        $sum += $kib // 0;
    }
    return $sum;
}

# Gives nginx another configuration (parts that replace those of the start; none: the same again) and waits until the
# new workers serve alone. Returns '' or, where nginx refused it and goes on with the old one, the reason.
sub reload {
    my ($self, %part) = @_;
    my %parts = (%{ $self->{part} }, %part);
    $self->{text} = $self->{config}->render(%parts);
    $self->_write_config;
    my $from = $self->{log}->position;
    my @old  = $self->workers;
    kill HUP => $self->{pid} or die "nginx is gone\n";
    my $state = until_true(patience(10), sub {
        my @lines = $self->{log}->lines($from);
        my ($refused) = grep { /\[emerg\]/ } @lines;
        return $refused if $refused;
        # nginx starts the new ones first; each old one says when it stops to accept.
        my @stopped = map { /(\d+)#\d+: gracefully shutting down$/ } @lines;
        my %stopped = map { $_ => 1 } @stopped;
        return 'done' if !grep { !$stopped{$_} && alive($_) } @old;
    }) // die "reload: the old workers do not stop\n";
    if ($state ne 'done') {
        $self->{log}->announce(qr/\Q$state\E/);
        return $state;
    }
    $self->{part} = \%parts;
    until_true(patience(5), sub { scalar $self->workers }) or die "reload: no new worker\n";
    return '';
}

# Lets a new master take over (nginx's way to exchange the binary), which opens the module's file anew.
sub upgrade {
    my ($self) = @_;
    my $old = $self->{pid};
    kill USR2 => $old or die "nginx is gone\n";
    my $pidfile = "$self->{folder}/nginx.pid";
    my $new = until_true(patience(5), sub { my $pid = _first_number($pidfile); $pid && $pid != $old && $pid })
        or die "upgrade: no new master\n";
    $self->{pid} = $new;
    until_true(patience(5), sub { scalar $self->workers }) or die "upgrade: no new worker\n";
    kill QUIT => $old;
    until_true(patience(5), sub { !alive($old) }) or die "upgrade: the old master does not quit\n";
    return;
}

# What nginx says of itself. It has no folder for a sanitizer's report, and shall not make one of the name that stands
# there.
sub _says {
    my ($option) = @_;
    delete local @ENV{ Harness::Config::sanitizer_options() };
    return run([binary(), $option])->{err};
}

# Whether this nginx was built with a module, as its configure names it.
sub has {
    my ($module) = @_;
    return _says('-V') =~ /--with-\Q$module\E\b/;
}

# The version as 1.022001, for what differs between versions.
sub version {
    my $said  = _says('-v');
    my @parts = $said =~ m{nginx/(\d+)\.(\d+)\.(\d+)} or die "nginx -v: $said\n";
    return sprintf '%d.%03d%03d', @parts;
}

1;
