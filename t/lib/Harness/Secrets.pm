package Harness::Secrets;

# Which strings must not turn up where anybody can read them: the access tokens that were sent, the JWTs that were
# handed out.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(keep_secret secret_in);

my %secret;
my $pattern;

sub keep_secret {
    my (@values) = @_;
    for my $value (@values) {
        next if !defined $value || ref $value || length $value < 2 || $secret{$value}++;
        # A log line may be cut, so a long token counts from its first 40 bytes on. In a JWT the header is no secret.
        my ($head, $rest) = $value =~ /^(eyJ[\w-]*\.)(.*)$/s;
        $secret{ substr $rest, 0, 40 }++ if defined $rest && length $rest > 8;
        $secret{ substr $value, 0, 40 }++ if !defined $head && length $value > 40;
        (my $encoded = $value) =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
        $secret{$encoded}++;
        undef $pattern;
    }
    return;
}

# The secret that the text holds, if any. Short ones count as whole words only.
sub secret_in {
    my ($text) = @_;
    return if !%secret;
    if (!$pattern) {
        my @long  = map { quotemeta } grep { length($_) >= 40 } keys %secret;
        my @short = map { quotemeta } grep { length($_) < 40 } keys %secret;
        my $edge  = '[A-Za-z0-9._~+/=%-]';
        my $words = @short ? "(?<!$edge)(?:" . join('|', @short) . ")(?!$edge)" : '(?!)';
        my $any   = @long ? join('|', @long) : '(?!)';
        $pattern = qr/($any|$words)/;
    }
    return $text =~ $pattern ? $1 : undef;
}

1;
