package Harness::Api;

# The recording API: answers by path, else 200 with JSON of what it saw. A request with Upgrade: websocket gets its
# bytes back.

use strict;
use warnings;
use parent 'Harness::Server';
use Digest::SHA 'sha256_hex';

sub keys_of {
    my ($self, $request) = @_;
    my ($path) = $request->{uri} =~ /^([^?]*)/;
    return $path;
}

sub default_answer {
    my ($self, $request) = @_;
    return { websocket => 1 } if lc($request->header('Upgrade') // '') eq 'websocket';
    return { json => {
        (map { $_ => $request->{$_} } qw(method uri headers)),
        body_length => length $request->{body}, body_sha256 => sha256_hex($request->{body}),
    } };
}

1;
