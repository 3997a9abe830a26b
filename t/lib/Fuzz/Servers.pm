package Fuzz::Servers;

# The authorization server, which answers each token as its number says, and the API, which writes down what it saw. A
# few processes each, that share a listening socket.

use strict;
use warnings;
use Digest::SHA 'sha1_hex';
use Fuzz::Locations 'is_down';
use Fuzz::Token qw(token token_number answer);
use Fuzz::Wire 'wire';
use Harness::AuthorizationServer;
use Harness::Http;
use Harness::Ports 'reserve_port';
use Harness::Process qw(fork_child temporary_folder);
use Harness::Stream;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Socket qw(IPPROTO_TCP TCP_NODELAY);

my $json = JSON::PP->new->latin1->canonical;

# authorization_server(jwks => text, secret => text), api(): objects with address and errors, as the harness wants them.
sub authorization_server { my ($class, %option) = @_; return $class->_start('as', %option) }
sub api                  { my ($class, %option) = @_; return $class->_start('api', %option) }

sub _start {
    my ($class, $role, %option) = @_;
    my $self     = bless { %option, folder => temporary_folder(), port => reserve_port() }, $class;
    my $listener = IO::Socket::INET->new(
        Listen => 511, LocalAddr => '127.0.0.1', LocalPort => $self->{port}, ReuseAddr => 1
    ) or die "listen: $!";
    my $reply    = $role eq 'as' ? \&_answer : \&_see;
    # Each process serves one connection at a time, and the gateway keeps eight of them open.
    fork_child(sub { $self->_serve($listener, $reply) }, "$self->{folder}/errors") for 1 .. 24;
    close $listener;
    return $self;
}

sub address { return "127.0.0.1:$_[0]{port}" }

# What went wrong in the servers, and what the gateway sent that it never should.
sub errors {
    my ($self) = @_;
    open my $in, '<:raw', "$self->{folder}/errors" or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

sub _serve {
    my ($self, $listener, $reply) = @_;
    while (1) {
        my $client = $listener->accept or next;
        setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
        my $stream = Harness::Stream->new($client);
        my $done = eval {
            while (my $request = Harness::Http::read_request($stream)) { $self->$reply($stream, $request) or last }
            1;
        };
        # nginx passes on control characters: in a header that a flipped byte has made of Authorization, and, where
        # another module has granted access, in credentials of another scheme.
        print {*STDERR} $@ if !$done && $@ !~ /control character in header (?!authorization, a bearer token$)/i;
        $stream->close;
    }
}

# --- the authorization server --------------------------------------------------------------------------------------

sub _write {
    my ($stream, $status, $type, $body) = @_;
    return $stream->write(
        "HTTP/1.1 $status Status\r\nContent-Type: $type\r\nContent-Length: " . length($body) . "\r\n\r\n$body"
    );
}

sub _answer {
    my ($self, $stream, $request) = @_;
    return _write($stream, 200, 'application/jwk-set+json', $self->{jwks}) if $request->{uri} eq '/jwks';
    return _write($stream, 500, 'text/plain', 'down') if $request->{uri} eq '/flapping' && is_down(time);
    my $way = $request->{uri} eq '/exchange' ? 'exchange' : 'introspection';
    my $asked  = $self->_token_of($request, $way);
    my $number = token_number($asked);
    # Exactly this token, or none that is known.
    if (!defined $number || token($number)->{text} ne $asked) {
        return $way eq 'exchange' ? _write(
            $stream, 400, 'application/json', '{"error":"invalid_request"}'
        ) : _write($stream, 200, 'application/json', '{"active":false}');
    }
    my $wire = wire(answer($number, $way));
    for my $piece (@{ $wire->{pieces} }) { $stream->write($piece) or return 0 }
    return !$wire->{closes};
}

# The token that is asked about; whatever else there is in the request is an error.
sub _token_of {
    my ($self, $request, $way) = @_;
    my @form     = Harness::AuthorizationServer::form($request->{body});
    my %form     = map { $_->[0] => $_->[1] } @form;
    my $name     = $way eq 'exchange' ? 'subject_token' : 'token';
    my @expected = sort $way eq 'exchange' ? (
        qw(grant_type requested_token_type subject_token subject_token_type), exists $form{audience} ? 'audience' : ()
    ) : qw(token token_type_hint);
    my @names    = sort map { $_->[0] } @form;
    print {*STDERR} "the gateway sent the form $request->{body}\n" if "@names" ne "@expected";
    my $credentials = 'Basic ' . encode_base64("gateway:$self->{secret}", '');
    my @headers     = grep { $_->[0] =~ /^(?:authorization|cookie|x-)/i } @{ $request->{headers} };
    print {*STDERR} "the gateway sent the headers @{[map { @{$_} } @headers]}\n"
        if @headers != 1 || $headers[0][1] ne $credentials;
    return $form{$name} // '';
}

# --- the API -------------------------------------------------------------------------------------------------------

# X-Case is "CLIENT/NUMBER": each client has a file of its own.
sub _see {
    my ($self, $stream, $request) = @_;
    my ($client, $number) = ($request->header('X-Case') // '') =~ m{^(\d+)/(\d+)$}
        or die "the API saw a request of no case: $request->{head}\n";
    my $line = $json->encode({ case => $number, method => $request->{method},
                               authorization => [$request->headers('Authorization')],
                               proofs => scalar(() = $request->headers('DPoP')),
        body => sha1_hex($request->{body}), path => $request->{uri} });
    open my $out, '>>:raw', "$self->{folder}/seen.$client" or die "seen: $!";
    syswrite $out, "$line\n";
    close $out;
    return _write($stream, 200, 'text/plain', 'the API');
}

# What the API saw of a client's requests since the last call.
sub seen {
    my ($self, $client) = @_;
    open my $in, '<:raw', "$self->{folder}/seen.$client" or return;
    seek $in, $self->{from}{$client} // 0, 0;
    my @lines = <$in>;
    $self->{from}{$client} = tell $in;
    return map { $json->decode($_) } @lines;
}

1;
