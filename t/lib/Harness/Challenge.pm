package Harness::Challenge;

# What a WWW-Authenticate value says: RFC 9110 section 11.6.1, of that only what the gateway may send (one challenge,
# every value a quoted string, separated by ", "). What breaks the grammar dies. Shares nothing with the module's code.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(parse_challenge);

my $TOKEN = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;

# Returns { scheme, params => {name => value}, order => [names] }.
sub parse_challenge {
    my ($text) = @_;
    die "challenge: no value\n" if !defined $text;
    $text =~ /\G($TOKEN)/gc or die "challenge: no scheme: $text\n";
    my %challenge = (scheme => $1, params => {}, order => []);
    return \%challenge if pos $text == length $text;
    $text =~ /\G /gc or die "challenge: one space must follow the scheme: $text\n";
    while (1) {
        $text =~ /\G($TOKEN)="/gc or die 'challenge: no name="… at offset ' . pos($text) . ": $text\n";
        my $name = $1;
        die "challenge: $name is there twice: $text\n" if exists $challenge{params}{ lc $name };
        $challenge{params}{ lc $name } = _quoted_string(\$text);
        push @{ $challenge{order} }, lc $name;
        return \%challenge if pos $text == length $text;
        $text =~ /\G, /gc or die 'challenge: no ", " at offset ' . pos($text) . ": $text\n";
        die "challenge: it ends in a comma: $text\n" if pos $text == length $text;
    }
}

# The rest of a quoted-string whose first quote has been read.
sub _quoted_string {
    my ($text) = @_;
    my $value = '';
    while (1) {
        if    (${$text} =~ /\G([\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]+)/gc) { $value .= $1 }
        elsif (${$text} =~ /\G\\([\t\x20-\x7e\x80-\xff])/gc)                 { $value .= $1 }
        elsif (${$text} =~ /\G"/gc)                                          { return $value }
        else { die "challenge: quoted string does not end or holds a control character: ${$text}\n" }
    }
}

1;
