# docs/troubleshooting.md has everything that the module can say: each value of $phantom_token_status, each line of the
# error log, each message of nginx -t. t/documents.t holds the opposite: what the page quotes is what the module writes.

use strict;
use warnings;
use lib 't/lib';
use Harness::Tables qw(tables literals);
use Test::More;

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/ = undef; return scalar <$in> }

my $page = slurp('docs/troubleshooting.md');

# What the page quotes, without what stands before a message in the log.
my @quotes = map { s/^\[\w+\] //r =~ s/^phantom token: (?:\w+: )?//r } $page =~ /`([^`\n]+)`/g;

# Whether a literal is a sentence, but for what begins with a comma: that is the end of a line.
sub is_message {
    my ($literal) = @_;
    return $literal !~ /^,/ && $literal =~ /[a-z]+ [a-z]+|%.* [a-z]{3,}/;
}

# What is not ours: inline functions of nginx write it at the level debug, and the C++ library before it aborts.
my $foreign = qr/^(?:post event|(?:update|delete) posted event|event timer|%s: __pos )/;

# Bodies, challenges and the page of phantom_token_metrics are for the client, not for a log.
my $for_client = qr{/(?:error_body|challenge|metrics_page)\.cpp$};

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

my @messages = grep { $_->[0] !~ $for_client && is_message($_->[1]) && $_->[1] !~ $foreign } literals();
cmp_ok scalar @messages, '>', 80, 'the module has messages';
ok is_quoted($_->[1]), "$_->[0]: $_->[1]" for @messages;

my @outcomes = @{ tables()->{outcomes} };
my @words    = map { $_->{word} } @outcomes;
cmp_ok scalar @words, '>', 20, 'the outcomes have words';
like $page, qr/^\| (?:`\w+`, )*`$_`(?:, `\w+`)* \|/m, "the word $_ has a row" for @words;

# Where to look first: a section for each status that the module answers with.
my %statuses = map { $_ => 1 } grep { $_ >= 400 } map { $_->{status} } @outcomes;
like $page, qr/^## $_$/m, "the status $_ has a section" for sort keys %statuses;

done_testing;
