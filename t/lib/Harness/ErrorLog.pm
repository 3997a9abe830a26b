package Harness::ErrorLog;

# What nginx's error log says, and what it must not say: alerts, crashes, sanitizer reports, tokens.

use strict;
use warnings;
use Exporter 'import';
use Harness::Process qw(until_true patience);
use Harness::Secrets 'secret_in';

# What a program with a fault says, in the error log or in a wrapper's own file.
my $FAULT = qr/
    \[(?:alert|crit|emerg)\] | exited\ on\ signal | exited\ with\ fatal\ code
  | (?:Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer | runtime\ error:
  | ERROR\ SUMMARY:\ [1-9] | Invalid\ (?:read|write)\ of\ size
  | uninitialised\ value | terminate\ called | Assertion\ .*\ failed | stack\ smashing | double\ free
/x;

sub new {
    my ($class, @files) = @_; # the first is nginx's; patterns for the others
    return bless { files => \@files, from => {}, announced => [] }, $class;
}

# Lines that match are no fault.
sub announce { my ($self, @patterns) = @_; push @{ $self->{announced} }, @patterns; return }

# The offset of what comes next, for lines.
sub position { my ($self) = @_; return -s $self->{files}[0] // 0 }

# The lines of nginx's log from an offset on.
sub lines {
    my ($self, $from) = @_;
    open my $in, '<:raw', $self->{files}[0] or return;
    seek $in, $from // 0, 0;
    my @lines = <$in>;
    chomp @lines;
    return @lines;
}

# Waits for a line that matches.
our $line_seconds = 1; # less where the harness is tested, and there is no such line
sub wait_for {
    my ($self, $pattern, $from, $seconds) = @_;
    my $found;
    until_true(patience($seconds // $line_seconds), sub {
        ($found) = grep { $_ =~ $pattern } $self->lines($from);
        defined $found;
    });
    return $found;
}

# The module's own lines, at any level.
sub own_lines {
    my ($self, $from) = @_;
    return grep { /\] \d+#\d+: (?:\*\d+ )?phantom[ _]token/ } $self->lines($from);
}

# What is wrong in what was written since the last call: a list of lines, each with the reason before it.
sub faults {
    my ($self) = @_;
    my @faults;
    for my $file (map { glob } @{ $self->{files} }) {
        open my $in, '<:raw', $file or next;
        seek $in, $self->{from}{$file} // 0, 0;
        my $level = 'none';
        while (my $line = <$in>) {
            $level = $1 if $line =~ m{^\d{4}/\d\d/\d\d [\d:]+ \[(\w+)\]};
            my $reason = _reason($line, $level) or next;
            next if grep { $line =~ $_ } @{ $self->{announced} };
            chomp $line;
            push @faults, "$reason: $line";
        }
        $self->{from}{$file} = tell $in;
    }
    return @faults;
}

# nginx's own, before any module sees the request.
my $NGINX_QUOTES = qr/client sent (?:duplicate|invalid|too long) header line/;

sub _reason {
    my ($line, $level) = @_;
    return 'fault' if $level ne 'debug' && $line =~ $FAULT;
    # nginx itself prints headers and bodies at debug; the module's own lines must not.
    return if $level eq 'debug' && $line !~ /\[debug\] \d+#\d+: (?:\*\d+ )?phantom[ _]token/;
    return if $line =~ $NGINX_QUOTES;
    return defined secret_in($line) ? 'token in the log' : undef;
}

1;
