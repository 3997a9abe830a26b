package Harness::Murmur;

# Tokens that nginx's hash does not tell apart: what is looked up by a hash must compare the rest.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(murmur_hash colliding_tokens);

my $WORD     = 0xffffffff;
my $FACTOR   = 0x5bd1e995;
my $INVERSE  = 0xe59b19bd;                                    # of the factor, modulo 2^32
my @LETTERS  = ('A' .. 'Z', 'a' .. 'z', 0 .. 9);

sub _mixed { my $k = $_[0] * $FACTOR & $WORD; return ($k ^ $k >> 24) * $FACTOR & $WORD }
sub _unmixed { my $k = $_[0] * $INVERSE & $WORD; return ($k ^ $k >> 24) * $INVERSE & $WORD }

# ngx_murmur_hash2() of a text whose length is a multiple of four.
sub murmur_hash {
    my ($text) = @_;
    my $hash = length $text;
    $hash = $hash * $FACTOR & $WORD ^ _mixed($_) for unpack 'V*', $text;
    $hash = ($hash ^ $hash >> 13) * $FACTOR & $WORD;
    return $hash ^ $hash >> 15;
}

# Two tokens of the same length and hash. A word changes the hash in a way that the next word can take back; in about
# one of two hundred cases that word is of letters, too.
sub colliding_tokens {
    my ($beginning) = @_; # of a length that is a multiple of four
    my $state = length($beginning) + 8;
    $state = $state * $FACTOR & $WORD ^ _mixed($_) for unpack 'V*', $beginning;
    my $end = 'aaaa';
    my $one = _word();
    my $wanted = _behind($state, $one) ^ _mixed(unpack 'V', $end);
    while (1) {
        my $other = _word();
        next if $other eq $one;
        my $last = pack 'V', _unmixed(_behind($state, $other) ^ $wanted);
        return ("$beginning$one$end", "$beginning$other$last") if $last =~ /^[A-Za-z0-9._-]{4}$/;
    }
}

sub _word { return join '', map { $LETTERS[rand @LETTERS] } 1 .. 4 }

sub _behind { my ($state, $word) = @_; return ($state * $FACTOR & $WORD ^ _mixed(unpack 'V', $word)) * $FACTOR & $WORD }

1;
