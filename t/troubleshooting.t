# docs/troubleshooting.md has everything that the module can say: each value of $phantom_token_status, each line of the
# error log, each message of nginx -t. t/documents.t holds the opposite: what the page quotes is in the sources.

use strict;
use warnings;
use Test::More;

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

my $page = slurp('docs/troubleshooting.md');

# What the page quotes, without what stands before a message in the log.
my @quotes = map { s/^\[\w+\] //r =~ s/^phantom token: (?:\w+: )?//r } $page =~ /`([^`\n]+)`/g;

# The string literals of a source that are sentences, but for what begins with a comma: that is the end of a line. Bodies,
# challenges and the page of phantom_token_metrics are for the client, not for a log.
sub messages_of {
    my ($source) = @_;
    $source =~ s{^\s*(?://|\#).*$}{}gm;
    $source =~ s/static_assert\(.*?\);//gs;
    $source =~ s/"\s*\n\s*"//g;
    my @literals = map { s/\\(["\\])/$1/gr } $source =~ /"((?:[^"\\\n]|\\.)*)"/g;
    return grep { !/^,/ && (/[a-z]+ [a-z]+/ || /%.* [a-z]{3,}/) } @literals;
}

# A quote that is in the message and holds enough of it to be found by a search for the line: a piece of 24 characters,
# or all that does not vary.
sub is_quoted {
    my ($message) = @_;
    my ($longest) = sort { $b <=> $a } map { length } split /%[a-zA-Z]+/, $message =~ s/^phantom token: //r;
    my $enough = $longest < 24 ? $longest : 24;
    for my $quote (@quotes) {
        my @pieces = grep { length } map { s/^\s+|\s+$//gr } split /…/, $quote;
        next if grep { index($message, $_) < 0 } @pieces;
        return 1 if grep { length >= $enough - 2 } @pieces; # less the spaces at its ends
    }
    return 0;
}

my @sources  = grep { !m{/(?:error_body|challenge|metrics_page)\.cpp$} } glob 'src/*/*.cpp src/*/*/*.cpp src/*/*.h src/*/*/*.h module/*.c';
my @messages = map { my $file = $_; map { [$file, $_] } messages_of(slurp($file)) } @sources;
cmp_ok scalar @messages, '>', 80, 'the sources have messages';
ok is_quoted($_->[1]), "$_->[0]: $_->[1]" for @messages;

my ($table) = slurp('src/oauth/outcome.cpp') =~ /constexpr Row table\[\] = \{(.*?)\n\};/s;
my @words = $table =~ /\{"(\w+)", \d+/g;
cmp_ok scalar @words, '>', 20, 'the outcomes have words';
like $page, qr/^\| (?:`\w+`, )*`$_`(?:, `\w+`)* \|/m, "the word $_ has a row" for @words;

# Where to look first: a section for each status that the module answers with.
my %statuses = map { $_ => 1 } grep { $_ >= 400 } $table =~ /\{"\w+", (\d+)/g;
like $page, qr/^## $_$/m, "the status $_ has a section" for sort keys %statuses;

done_testing;
