package Harness::Secrets;

# Which strings must not turn up where anybody can read them: the access tokens that were sent, the JWTs that were
# handed out.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(keep_secret secret_in);

my $CHARACTER = qr/[A-Za-z0-9._~+\/=%-]/; # of a token

my %secret;
my %long; # found anywhere; the others as whole words only
my %odd;  # with characters that no token has

sub keep_secret {
    my (@values) = @_;
    for my $value (@values) {
        next if !defined $value || ref $value || length $value < 2 || $secret{$value}++;
        # A log line may be cut, so a long token counts from its first 40 bytes on. In a JWT the header is no secret.
        my ($head, $rest) = $value =~ /^(eyJ[\w-]*\.)(.*)$/s;
        (my $encoded = $value) =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
        my @parts = ($value, $encoded);
        push @parts, substr $rest, 0, 40 if defined $rest && length $rest > 8;
        push @parts, substr $value, 0, 40 if !defined $head && length $value > 40;
        for my $part (@parts) {
            $secret{$part} = 1;
            $long{$part}   = 1 if length $part >= 40;
            $odd{$part}    = 1 if length $part < 40 && $part !~ /^$CHARACTER+$/;
        }
    }
    return;
}

# The secret that the text holds, if any.
sub secret_in {
    my ($text) = @_;
    for my $word ($text =~ /($CHARACTER+)/g) { return $word if $secret{$word} }
    for my $part (keys %odd) { return $part if $text =~ /(?<!$CHARACTER)\Q$part\E(?!$CHARACTER)/ }
    return if $text !~ /[^ ]{40}/;
    for my $part (keys %long) { return $part if index($text, $part) >= 0 }
    return;
}

1;
