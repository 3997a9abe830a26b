package Harness::Server;

# How a server of the harness runs: it accepts, records every request, and plays the answer that the test has set.
# What it answers otherwise is for its children: Harness::AuthorizationServer, Harness::Api.
#
# One process for each connection, so that an answer may block as it likes. Requests go to a file of JSON lines before
# they are answered; answers come from one file each, replaced in one step: the test may change them at any time.

use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Fcntl ':flock';
use Harness::Answer qw(prepare steps jwt_of);
use Harness::Cgi qw(read_cgi_request wrap_cgi_answer end_cgi_answer);
use Harness::Http ();
use Harness::Message;
use Harness::Ports 'reserve_port';
use Harness::Process qw(fork_child end_process temporary_folder until_true patience);
use Harness::Stream;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Storable ();
use Time::HiRes qw(sleep time);

my $BODY_LIMIT = 65536; # a longer body is recorded by its length and digest
my $json       = JSON::PP->new->latin1->canonical;

# Options: answers, default (an answer), record => 0 (for load), protocol => 'fastcgi' | 'uwsgi' | 'scgi'.
sub start {
    my ($class, %option) = @_;
    my $self = bless {
        record => $option{record} // 1, protocol => $option{protocol} // 'http', folder => temporary_folder(),
        from => 0, jwts => {}
    }, $class;
    mkdir "$self->{folder}/$_" for qw(answers released);
    $self->{port} = reserve_port();
    $self->answers(%{ $option{answers} // {} });
    $self->answers('*' => $option{default}) if $option{default};
    return $self->resume;
}

sub port    { return $_[0]{port} }
sub address { return "127.0.0.1:$_[0]{port}" }

# Ends the server. Its port stays reserved; a connection is refused until resume.
sub stop {
    my ($self) = @_;
    end_process(delete $self->{pid}, at_once => 1) if $self->{pid};
    return $self;
}

sub resume {
    my ($self) = @_;
    my $listener = IO::Socket::INET->new(
        Listen => 511, LocalAddr => '127.0.0.1', LocalPort => $self->{port}, ReuseAddr => 1
    ) or die "listen: $!";
    $self->{pid} = fork_child(sub { $self->_accept($listener) }, "$self->{folder}/errors");
    close $listener; # in this process, so that no later child holds it open
    return $self;
}

# What the server itself complained about; a test that leaves something here has failed.
sub errors {
    my ($self) = @_;
    open my $in, '<', "$self->{folder}/errors" or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

# --- answers -----------------------------------------------------------------------------------------------------

# answers(KEY => answer, …): the key is a token or a path, '*' is for all others; a list of answers is played in
# order, the last one again and again; undef takes an answer back.
sub answers {
    my ($self, %answer) = @_;
    for my $key (keys %answer) {
        my $file = $self->_answer_file($key);
        if (!defined $answer{$key}) { unlink $file; delete $self->{jwts}{$key}; next }
        my $prepared = prepare($answer{$key});
        $self->{jwts}{$key} = jwt_of($prepared);
        $self->know($key);
        unlink "$file.count";
        Storable::nstore({ answer => $prepared }, "$file.new");
        rename "$file.new", $file or die "$file: $!";
    }
    return $self;
}

sub forget_answers {
    my ($self) = @_;
    unlink glob "$self->{folder}/answers/*";
    $self->{jwts} = {};
    return $self;
}

# The JWT that the answer for that key brings.
sub jwt_for { my ($self, $key) = @_; return $self->{jwts}{$key} }

sub know { return } # for who must know the keys

# Lets answers with hold => NAME go on.
sub release {
    my ($self, $name) = @_;
    open my $out, '>', "$self->{folder}/released/$name" or die "release: $!";
    return close $out;
}

sub _answer_file { my ($self, $key) = @_; return "$self->{folder}/answers/" . sha256_hex($key) }

sub _answer_to {
    my ($self, $request) = @_;
    for my $key ((grep { defined } $self->keys_of($request)), '*') {
        my $file = $self->_answer_file($key);
        next if !-e $file;
        my $answer = (eval { Storable::retrieve($file) } // next)->{answer};
        return $answer if ref $answer ne 'ARRAY';
        my $turn = _count("$file.count");
        return $answer->[$turn < @{$answer} ? $turn : -1];
    }
    return prepare($self->default_answer($request));
}

# 0, 1, 2, … over all processes.
sub _count {
    my ($file) = @_;
    open my $counter, '+>>', $file or die "$file: $!";
    flock $counter, LOCK_EX;
    my $turn = -s $counter;
    syswrite $counter, '.';
    close $counter;
    return $turn;
}

# --- records -----------------------------------------------------------------------------------------------------

# The requests since the last forget, as Harness::Message with method, uri, version, headers, body, body_length,
# body_sha256, complete, connection, time.
sub requests {
    my ($self) = @_;
    open my $in, '<:raw', "$self->{folder}/requests" or return;
    seek $in, $self->{from}, 0;
    return map { Harness::Message->new(%{ $json->decode($_) }) } grep { /\n$/ } <$in>;
}

# Waits until there are so many.
sub wait_for_requests {
    my ($self, $count) = @_;
    my @requests;
    until_true(patience(5), sub { @requests = $self->requests; @requests >= $count })
        or die "waited for $count requests, saw " . @requests . "\n";
    return @requests;
}

sub forget_requests {
    my ($self) = @_;
    $self->{from} = -s "$self->{folder}/requests" // 0;
    return $self;
}

sub _record {
    my ($self, $request, $connection) = @_;
    return if !$self->{record};
    my $body  = $request->{body};
    my %entry = (
        (map { $_ => $request->{$_} } qw(method uri version headers complete)), connection => $connection, time => time,
        body => length $body > $BODY_LIMIT ? undef : $body, body_length => length $body,
        body_sha256 => sha256_hex($body)
    );
    my $line = $json->encode(\%entry) . "\n";
    open my $out, '>>:raw', "$self->{folder}/requests" or die "requests: $!";
    syswrite $out, $line; # one write, so that lines of several processes do not mix
    close $out;
    return;
}

# --- the server's own processes ------------------------------------------------------------------------------------

sub _accept {
    my ($self, $listener) = @_;
    local $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $client = $listener->accept or next;
        my $number = ++$self->{accepted};
        my $pid    = fork // die "fork: $!";
        if (!$pid) {
            close $listener;
            my $done = eval { $self->_converse($client, $number); 1 };
            print {*STDERR} ref($self), ": $@" if !$done;
            POSIX::_exit(0);
        }
        close $client;
    }
}

sub _converse {
    my ($self, $client, $number) = @_;
    setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1; # what is written apart is to arrive apart
    my $stream = Harness::Stream->new($client);
    while (my $request = $self->_read_request($stream)) {
        $self->_record($request, $number);
        last if !$request->{complete};
        for my $step (steps($self->_answer_to($request), $request->{method})) {
            $self->_play($stream, @{$step}) or return;
        }
        if ($self->{protocol} ne 'http') { $stream->write(end_cgi_answer($self->{protocol})); last }
        last if lc($request->header('Connection') // '') eq 'close';
    }
    return $stream->close;
}

sub _read_request {
    my ($self, $stream) = @_;
    return $self->{protocol} eq 'http' ? Harness::Http::read_request($stream)
        : read_cgi_request($self->{protocol}, $stream);
}

sub _write {
    my ($self, $stream, $bytes) = @_;
    return $stream->write($self->{protocol} eq 'http' ? $bytes : wrap_cgi_answer($self->{protocol}, $bytes));
}

# True while the connection goes on.
sub _play {
    my ($self, $stream, $step, $value) = @_;
    if ($step eq 'write') { return $self->_write($stream, $value) }
    if ($step eq 'chunk') { return $self->_write($stream, Harness::Http::chunk($value)) }
    if ($step eq 'sleep') { sleep $value; return 1 }
    if ($step eq 'hold')  { until_true(600, sub { -e "$self->{folder}/released/$value" }); return 1 }
    if ($step eq 'hang')  { 1 while $stream->fill; return 0 }
    if ($step eq 'echo')  {
        while ($stream->waiting || $stream->fill) { $stream->write($stream->take) or last } $stream->close;
        return 0;
    }
    if ($step eq 'reset') { $stream->reset; return 0 }
    $stream->close;
    return 0;
}

1;
