package Harness::Client;

# How a client speaks HTTP/1: the exact bytes, one connection, responses read strictly.

use strict;
use warnings;
use Harness::Http qw(read_response chunk);
use Harness::Process 'patience';
use Harness::Secrets 'keep_secret';
use Harness::Stream;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes 'time';

my %KNOWN = map { $_ => 1 } qw(method path version host headers token body chunked raw port timeout);

# A connection.
sub connect {
    my ($class, $port, %option) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => patience(10))
        or die "cannot connect to port $port: $!\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    my $stream = Harness::Stream->new($socket, timeout => $option{timeout} // patience(10));
    return bless {
        stream => $stream, local_port => $socket->sockport, server_port => $socket->peerport, opened => time, count => 0
    }, $class;
}

# The bytes of a request: { method, path, version, host, headers => ['Name: value', …], token, body,
# chunked => ['piece', …] } or { raw }. Content-Length, Host and Authorization are added where nothing else is said.
sub request_bytes {
    my ($request) = @_;
    my @unknown = grep { !$KNOWN{$_} } sort keys %{$request};
    die "unknown in a request: @unknown\n" if @unknown;
    my @headers = @{ $request->{headers} // [] };
    keep_secret($request->{token}, grep { defined } map { /^authorization: *(?:bearer|dpop) +([^ ]+)$/i } @headers);
    return $request->{raw} if defined $request->{raw};

    my $version = $request->{version} // '1.1';
    my $host    = exists $request->{host} ? $request->{host} : $version eq '1.0' ? undef : 'localhost';
    my $body    = $request->{body} // '';
    unshift @headers, "Host: $host" if defined $host && !grep { /^host:/i } @headers;
    push @headers, "Authorization: Bearer $request->{token}" if defined $request->{token};
    if ($request->{chunked}) {
        push @headers, 'Transfer-Encoding: chunked';
        $body = join '', (map { chunk($_) } @{ $request->{chunked} }), "0\r\n\r\n";
    }
    elsif (defined $request->{body} && !grep { /^content-length:/i } @headers) {
        push @headers, 'Content-Length: ' . length $body;
    }
    my $line = ($request->{method} // 'GET') . ' ' . ($request->{path} // '/') . " HTTP/$version";
    return join("\r\n", $line, @headers, '', '') . $body;
}

sub send {
    my ($self, $bytes) = @_;
    return $self->{stream}->write($bytes);
}

# The next response; the method is that of its request.
sub response {
    my ($self, $method) = @_;
    my $response = read_response($self->{stream}, $method // 'GET');
    $response->{$_} = $self->{$_} for qw(local_port server_port);
    $response->{opened}     = $self->{opened};
    $response->{number}     = ++$self->{count};
    $self->{last} = 1 if $response->{framing} eq 'close' || $response->status == 101 || grep { lc eq 'close' }
        $response->headers('Connection');
    return $response;
}

# Sends a request and reads its response. The connection stays open.
sub request {
    my ($self, %request) = @_;
    my $bytes  = request_bytes(\%request);
    my $start  = time;
    my $method = defined $request{raw} ? ($request{raw} =~ /^(\w+)/)[0] : $request{method};
    $self->send($bytes);
    my $response = $self->response($method);
    $response->{seconds} = time - $start;
    return $response;
}

sub get { my ($self, $path, %more) = @_; return $self->request(path => $path, %more) }

# Closes the connection and returns what came after the responses that were read: '' if all is well. To know that
# nothing more comes, it sends a last request of a version that nginx answers with 505 itself: what is in between is
# another response, and a body that nginx has left unread spoils it. (Closing our side first would cancel what runs.)
sub finish {
    my ($self) = @_;
    $self->send("GET / HTTP/9.9\r\n\r\n") if !$self->{last};
    my $rest = eval { $self->{stream}->read_to_end } // $self->{stream}->take . " and then: $@";
    $rest =~ s{^HTTP/1\.1 505 [^\r]*\r\n.*}{}s if !$self->{last};
    $self->close;
    return $rest;
}

# What comes until the peer closes on its own accord.
sub rest { my ($self) = @_; return $self->{stream}->read_to_end }

sub local_port { return $_[0]{local_port} }
sub stream     { return $_[0]{stream} }
sub close      { my ($self) = @_; $self->{stream}->close; return }
sub reset      { my ($self) = @_; $self->{stream}->reset; return }

# One request on a connection of its own. What follows the response is in {leftover}.
sub once {
    my ($class, %request) = @_;
    my $self     = $class->connect($request{port}, timeout => $request{timeout});
    my $response = $self->request(%request);
    $response->{leftover} = $self->finish;
    return $response;
}

1;
