package Harness::AuthorizationServer;

# The scripted authorization server: answers by token. A token without an answer is inactive.

use strict;
use warnings;
use parent 'Harness::Server';
use Harness::Secrets 'keep_secret';
use JSON::PP ();

# The parameters of a form, in order: [name, value].
sub form {
    my ($body) = @_;
    return map { [map { _decoded($_) } split /=/, $_, 2] } split /&/, $body;
}

sub _decoded { return $_[0] =~ tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }

# An answer is found by the token, else by the path.
sub keys_of {
    my ($self, $request) = @_;
    my @tokens = map { $_->[1] } grep { $_->[0] eq 'token' || $_->[0] eq 'subject_token' } form($request->{body});
    my ($path) = $request->{uri} =~ /^([^?]*)/;
    return (@tokens, $path);
}

sub default_answer { return { json => { active => JSON::PP::false } } }

sub know { my ($self, $key) = @_; keep_secret($key) if $key !~ m{^(?:/|\*$)}; return }

1;
