package Fuzz::Dice;

# Choices that the seed and a name decide: every process that asks makes the same ones, today and tomorrow.

use strict;
use warnings;
use Digest::SHA 'sha256';

sub new { my ($class, @name) = @_; return bless { name => join('/', @name), count => 0, pool => '' }, $class }

# 0 … limit - 1
sub number {
    my ($self, $limit) = @_;
    $self->{pool} = sha256("$self->{name}#" . $self->{count}++) if $self->{pool} eq '';
    return unpack('N', substr $self->{pool}, 0, 4, '') % $limit;
}

sub percent { my ($self, $chance) = @_; return $self->number(100) < $chance }

sub one_of { my ($self, @things) = @_; return $things[$self->number(scalar @things)] }

# Each with the chance given.
sub some_of { my ($self, $chance, @things) = @_; return grep { $self->percent($chance) } @things }

sub shuffled {
    my ($self, @things) = @_;
    my @order;
    push @order, splice @things, $self->number(scalar @things), 1 while @things;
    return @order;
}

# One byte of the text becomes another.
sub flipped {
    my ($self, $text) = @_;
    return $text if $text eq '';
    my $at = $self->number(length $text);
    substr $text, $at, 1, chr(ord(substr $text, $at, 1) ^ (1 + $self->number(255)));
    return $text;
}

1;
