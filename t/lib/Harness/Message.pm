package Harness::Message;

# What an HTTP message holds. A hash with method, uri or status, reason; version, headers ([name, value] in order,
# duplicates kept), body; and these questions.

use strict;
use warnings;
use JSON::PP ();

sub new { my ($class, %field) = @_; return bless {%field}, $class }

sub status { return $_[0]{status} }
sub body   { return $_[0]{body} }

# All values of a header.
sub headers {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{headers} };
}

# The one value of a header; nothing if it is not there.
sub header {
    my ($self, $name) = @_;
    my @values = $self->headers($name);
    die "header $name is there " . @values . " times\n" if @values > 1;
    return $values[0];
}

sub header_names { return map { $_->[0] } @{ $_[0]{headers} } }

sub json { return JSON::PP->new->utf8->allow_nonref->decode($_[0]{body}) }

1;
