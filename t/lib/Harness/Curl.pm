package Harness::Curl;

# How a client speaks HTTP/2 or TLS: through curl, with the response in the same form as Harness::Client's.

use strict;
use warnings;
use Exporter 'import';
use Harness::Http 'parse_fields';
use Harness::Message;
use Harness::Process qw(run temporary_folder patience);
use Harness::Secrets 'keep_secret';
use Time::HiRes 'time';

our @EXPORT_OK = qw(curl);

my %KNOWN = map { $_ => 1 } qw(port method path headers token body http2 tls host authority args timeout);

# curl(port => …, path => '/', token => …, http2 => 1, tls => 'ca.pem', host => 'localhost', args => ['--more'])
sub curl {
    my (%request) = @_;
    my @unknown = grep { !$KNOWN{$_} } sort keys %request;
    die "unknown in a request by curl: @unknown\n" if @unknown;
    keep_secret($request{token});

    my $folder = temporary_folder();
    my $host   = $request{host} // 'localhost';
    my $seconds = $request{timeout} // patience(10);
    my @command = ('curl', '--silent', '--show-error', '--path-as-is', '--globoff', '--max-time', $seconds);
    push @command, '--dump-header', "$folder/head", '--output', "$folder/body", '--write-out',
        '%{local_port} %{remote_port} %{http_version}';
    push @command, '--noproxy', '*', '--resolve', "$host:$request{port}:127.0.0.1";
    push @command, $request{tls} ? (
        $request{http2} ? '--http2' : '--http1.1', '--cacert', $request{tls}
    ) : $request{http2} ? '--http2-prior-knowledge' : '--http1.1';
    my $method = $request{method} // (defined $request{body} ? 'POST' : 'GET');
    push @command, $method eq 'HEAD' ? '--head' : ('--request', $method);
    if (defined $request{body}) {
        open my $out, '>:raw', "$folder/sent" or die "$folder/sent: $!";
        print {$out} $request{body};
        close $out;
        push @command, '--data-binary', "\@$folder/sent";
    }
    push @command, map { ('--header', $_) }
        @{ $request{headers} // [] }, defined $request{token} ? "Authorization: Bearer $request{token}" : ();
    push @command, @{ $request{args} // [] },
        ($request{tls} ? 'https' : 'http') . "://$host:$request{port}" . ($request{path} // '/');

    my $opened = time;
    my $result = run(\@command, timeout => $seconds + 2);
    die "curl failed ($result->{code}): $result->{err}\n" if $result->{code};
    my ($local_port, $server_port, $version) = split / /, $result->{out};
    return _response("$folder/head", "$folder/body", method => $method, local_port => $local_port,
        server_port => $server_port, opened => $opened, number => 1, version => $version, leftover => '');
}

sub _response {
    my ($head, $body, %field) = @_;
    my @blocks = split /\r\n\r\n/, _slurp($head);
    my ($start, @lines) = split /\r\n/, $blocks[-1];
    my ($status, $reason) = $start =~ m{^HTTP/[\d.]+ (\d{3}) ?(.*)$} or die "curl: bad status line: $start\n";
    return Harness::Message->new(%field, status => $status, reason => $reason, headers => parse_fields(@lines),
        body => $field{method} eq 'HEAD' ? '' : _slurp($body), interim => []);
}

sub _slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

1;
