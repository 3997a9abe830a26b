package Harness::Cgi;

# How the recording API speaks FastCGI, uwsgi and SCGI: a request becomes the same Harness::Message, its HTTP_*
# variables the headers; an answer's bytes become what that protocol carries. One request for each connection.

use strict;
use warnings;
use Exporter 'import';
use Harness::Message;

our @EXPORT_OK = qw(read_cgi_request wrap_cgi_answer end_cgi_answer);

my %READ = (fastcgi => \&_read_fastcgi, uwsgi => \&_read_uwsgi, scgi => \&_read_scgi);
my ($BEGIN, $END, $PARAMS, $STDIN, $STDOUT) = (1, 3, 4, 5, 6); # FastCGI record types

sub read_cgi_request {
    my ($protocol, $stream) = @_;
    my ($variables, $body) = $READ{$protocol}->($stream) or return;
    my %variable = @{$variables};
    my @headers;
    for my $n (map { 2 * $_ } 0 .. $#{$variables} / 2) {
        my ($header) = $variables->[$n] =~ /^HTTP_(.+)$/ or next;
        $header =~ tr/_/-/;
        push @headers, [ucfirst lc $header, $variables->[$n + 1]];
    }
    return Harness::Message->new(
        method => $variable{REQUEST_METHOD}, uri => $variable{REQUEST_URI}, version => $protocol, headers => \@headers,
        variables => \%variable, body => $body // '', complete => defined $body ? 1 : 0
    );
}

# An answer comes as HTTP, which uwsgi and SCGI take too.
sub wrap_cgi_answer {
    my ($protocol, $bytes) = @_;
    return $bytes if $protocol ne 'fastcgi';
    $bytes =~ s{^HTTP/1\.1 }{Status: };
    return join '', map { _record($STDOUT, $_) } unpack '(a65000)*', $bytes;
}

sub end_cgi_answer {
    my ($protocol) = @_;
    return $protocol eq 'fastcgi' ? _record($STDOUT, '') . _record($END, "\0" x 8) : '';
}

sub _record { my ($type, $data) = @_; return pack('CCnnCC', 1, $type, 1, length $data, 0, 0) . $data }

sub _read_fastcgi {
    my ($stream) = @_;
    my %data = ($PARAMS => '', $STDIN => '');
    while (1) {
        my $head = $stream->read_exactly(8)
            // return $data{$PARAMS} eq '' ? () : (_fastcgi_pairs($data{$PARAMS}), undef);
        my (undef, $type, undef, $length, $padding) = unpack 'CCnnC', $head;
        my $content = $stream->read_exactly($length + $padding) // return;
        next if $type == $BEGIN;
        return (_fastcgi_pairs($data{$PARAMS}), $data{$STDIN}) if $type == $STDIN && !$length;
        $data{$type} .= substr $content, 0, $length;
    }
}

sub _fastcgi_pairs {
    my ($data) = @_;
    my @pairs;
    while (length $data) {
        my @length = map { _fastcgi_length(\$data) } 1, 2;
        push @pairs, map { substr $data, 0, $_, '' } @length;
    }
    return \@pairs;
}

sub _fastcgi_length {
    my ($data) = @_;
    return unpack 'C', substr ${$data}, 0, 1, '' if ord ${$data} < 128;
    return 0x7fffffff & unpack 'N', substr ${$data}, 0, 4, '';
}

sub _read_uwsgi {
    my ($stream) = @_;
    my $head = $stream->read_exactly(4) // return;
    my (undef, $size) = unpack 'Cv', $head;
    my $data  = $stream->read_exactly($size) // return;
    my @pairs = unpack '(v/a)*', $data;
    return (\@pairs, $stream->read_exactly({@pairs}->{CONTENT_LENGTH} || 0));
}

sub _read_scgi {
    my ($stream) = @_;
    my $size  = $stream->read_through(':', 20) // return;
    my $data  = $stream->read_exactly($size =~ s/:$//r + 1) // return;
    my @pairs = split /\0/, substr($data, 0, -2), -1;
    return (\@pairs, $stream->read_exactly({@pairs}->{CONTENT_LENGTH} || 0));
}

1;
