package Harness::Http;

# How HTTP/1 messages are read off a stream (RFC 9112), strictly: what is not allowed dies.

use strict;
use warnings;
use Exporter 'import';
use Harness::Message;

our @EXPORT_OK = qw(read_request read_response parse_fields chunk);

my $TOKEN      = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;
my $HEAD_LIMIT = 1 << 20;

sub parse_fields {
    my (@lines) = @_;
    my @fields;
    for my $line (@lines) {
        my ($name, $value) = $line =~ /^($TOKEN):[ \t]*(.*?)[ \t]*$/s
        or die "HTTP: bad header line: " . _show($line) . "\n";
        die "HTTP: control character in header $name" . ($value =~ /^bearer\b/i ? ', a bearer token' : '') . "\n"
            if $value =~ /[\x00-\x08\x0a-\x1f\x7f]/;
        push @fields, [$name, $value];
    }
    return \@fields;
}

# The start line and the fields; nothing if the stream ended before the first byte.
sub _read_head {
    my ($stream) = @_;
    my $head = $stream->read_through("\r\n\r\n", $HEAD_LIMIT);
    if (!defined $head) {
        return if !$stream->waiting;
        die "HTTP: message cut in its head: " . _show($stream->take) . "\n";
    }
    my ($start, @lines) = split /\r\n/, $head;
    return ($start // '', parse_fields(@lines), $head);
}

# How the body is framed: (length, n), (chunked) or nothing.
sub _framing {
    my ($message) = @_;
    my @lengths = $message->headers('Content-Length');
    my @codings = $message->headers('Transfer-Encoding');
    die "HTTP: more than one Content-Length\n"                   if @lengths > 1;
    die "HTTP: Content-Length and Transfer-Encoding together\n" if @lengths && @codings;
    die "HTTP: Transfer-Encoding is @codings\n"                  if @codings && "@codings" !~ /^chunked$/i;
    return 'chunked' if @codings;
    return if !@lengths;
    die "HTTP: Content-Length is $lengths[0]\n" if $lengths[0] !~ /^\d+$/;
    return ('length', $lengths[0]);
}

sub _read_chunked {
    my ($stream) = @_;
    my $body = '';
    while (1) {
        my $line = $stream->read_through("\r\n", 1024) // die "HTTP: chunked body cut after " . length($body)
            . " bytes\n";
        my ($hex) = $line =~ /^([0-9A-Fa-f]+)(?:;.*)?\r\n$/ or die 'HTTP: bad chunk size: ' . _show($line) . "\n";
        last if !hex $hex;
        my $data = $stream->read_exactly(2 + hex $hex) // die "HTTP: chunk cut\n";
        die "HTTP: chunk without an end\n" if substr($data, -2) ne "\r\n";
        $body .= substr $data, 0, -2;
    }
    my $end = $stream->read_through("\r\n", 1024) // die "HTTP: chunked body without its last line\n";
    die 'HTTP: trailer: ' . _show($end) . "\n" if $end ne "\r\n";
    return $body;
}

# A request, or nothing at the end of the connection. on_head is called before the body is read.
sub read_request {
    my ($stream, $on_head) = @_;
    my ($start, $fields, $head) = _read_head($stream) or return;
    my ($method, $uri, $version) = $start =~ m{^($TOKEN) ([\x21-\xff]+) HTTP/(1\.[01])$}
        or die 'HTTP: bad request line: ' . _show($start) . "\n";
    my $request = Harness::Message->new(method => $method, uri => $uri, version => $version, headers => $fields,
        head => $head, body => '', complete => 1);
    $on_head->($request) if $on_head;
    my ($framing, $length) = _framing($request);
    my $body = !$framing ? '' : $framing eq 'chunked' ? eval {
        _read_chunked($stream)
    } : $stream->read_exactly($length);
    $request->{complete} = defined $body ? 1 : 0;
    $request->{body} = $body // $stream->take;
    return $request;
}

# A response to a request of that method. Interim ones (1xx) are kept in {interim}.
sub read_response {
    my ($stream, $method) = @_;
    my @interim;
    while (1) {
        my ($start, $fields, $head) = _read_head($stream)
        or die "HTTP: connection " . $stream->ended . " without a response\n";
        my ($version, $status, $reason) = $start =~ m{^HTTP/(1\.[01]) ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*)$}
            or die 'HTTP: bad status line: ' . _show($start) . "\n";
        my $response = Harness::Message->new(
            version => $version, status => $status, reason => $reason, headers => $fields, head => $head,
            interim => \@interim, method => $method, body => ''
        );
        if ($status < 200 && $status != 101) { push @interim, $response; next }
        my ($framing, $length) = _framing($response);
        $response->{framing} = $framing // 'close';
        if ($method eq 'HEAD' || $status == 101 || $status == 204 || $status == 304) {
            $response->{framing} = 'none';
        }
        elsif (!$framing) {
            $response->{body} = $stream->read_to_end;
            die "HTTP: body ended by a reset\n" if $stream->ended eq 'reset';
        }
        elsif ($framing eq 'chunked') {
            $response->{body} = _read_chunked($stream);
        }
        else {
            $response->{body} = $stream->read_exactly($length)
                // die "HTTP: body cut: " . $stream->waiting . " of $length bytes\n";
        }
        return $response;
    }
}

sub chunk { my ($data) = @_; return sprintf "%x\r\n%s\r\n", length $data, $data }

sub _show {
    my ($bytes) = @_;
    my $text = length $bytes > 200 ? substr($bytes, 0, 200) . '…' : $bytes;
    $text =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;
    return "\"$text\"";
}

1;
