package Harness::Http3;

# How a client speaks HTTP/3: through ngtcp2's example client, with the response in the same form as Harness::Client's.
# What it prints about a request is read; further header fields are put in by Http3/fields.c.

use strict;
use warnings;
use Exporter 'import';
use File::Basename 'dirname';
use Harness::Http 'parse_fields';
use Harness::Message;
use Harness::Process qw(run temporary_folder patience);
use Harness::Secrets 'keep_secret';
use Time::HiRes 'time';

our @EXPORT_OK = qw(http3);

my %KNOWN = map { $_ => 1 } qw(port method path headers token body http3 timeout);
my $preload;

# http3(port => …, path => '/', method => 'GET', headers => ['Name: value'], token => …, body => …)
sub http3 {
    my (%request) = @_;
    my @unknown = grep { !$KNOWN{$_} } sort keys %request;
    die "unknown in a request by HTTP/3: @unknown\n" if @unknown;
    keep_secret($request{token});

    my $folder  = temporary_folder();
    my $method  = $request{method} // (defined $request{body} ? 'POST' : 'GET');
    my @command = (
        'gtlsclient', '--exit-on-all-streams-close', '--disable-early-data', '--no-quic-dump', '--no-http-dump'
    );
    push @command, "--download=$folder", "--http-method=$method";
    push @command, '--data=' . _written("$folder-sent", $request{body}) if defined $request{body};
    push @command, '127.0.0.1', $request{port}, "https://localhost:$request{port}" . ($request{path} // '/');

    my @fields = @{ $request{headers} // [] };
    push @fields, "Authorization: Bearer $request{token}" if defined $request{token};
    my %env    = @fields ? (LD_PRELOAD => _preload(), HTTP3_FIELDS => join '', map { _field($_) } @fields) : ();
    my $opened = time;
    my $result = run(\@command, env => \%env, timeout => $request{timeout} // patience(10));
    unlink "$folder-sent";
    die "gtlsclient failed ($result->{code}): $result->{err}\n" if $result->{code} || $result->{timed_out};
    return _response($result->{out} . $result->{err}, $folder, method => $method, opened => $opened);
}

sub _response {
    my ($said, $folder, %field) = @_;
    my ($port) = $said =~ /^Sent packet: local=\[[\d.]+\]:(\d+)/m or die "gtlsclient: no packet was sent\n";
    my ($answer) = $said =~ /response headers started\n(.*)/s or die "gtlsclient: no response:\n$said\n";
    my @lines = $answer =~ /^http: stream 0x0 \[(.*)\]$/mg;
    my ($status) = (shift @lines) =~ /^:status: (\d{3})$/ or die "gtlsclient: the first field is no status\n";
    my ($file) = glob "$folder/*";
    return Harness::Message->new(
        %field, status => $status, reason => '', version => '3', headers => parse_fields(@lines),
        body => defined $file ? _slurp($file) : '',
        local_port => $port, number => 1, leftover => '', interim => []
    );
}

# A line with its name in lower case, as HTTP/3 has it.
sub _field {
    my ($line) = @_;
    my ($name, $value) = $line =~ /^([^:\s]+): *(.*)$/ or die "no field: $line\n";
    return lc($name) . ":$value\n";
}

sub _preload {
    return $preload if $preload;
    my $library = temporary_folder() . '/fields.so';
    my $source  = dirname(__FILE__) . '/Http3/fields.c';
    my $result  = run(['cc', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', $source, '-o', $library]);
    die "Http3/fields.c: $result->{err}\n" if $result->{code};
    return $preload = $library;
}

sub _written {
    my ($file, $bytes) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $bytes;
    close $out;
    return $file;
}

sub _slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/ = undef;
    return scalar(<$in>) // '';
}

1;
