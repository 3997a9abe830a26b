package Harness::Metrics;

# The text format that Prometheus scrapes, read strictly: what the format forbids, or leaves to the reader's kindness,
# dies.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(parse_metrics);

my $NAME  = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"/;

# Returns { sample => value }; a sample is written as in the text: name{label="value"}.
sub parse_metrics {
    my ($text) = @_;
    die "the last line does not end\n" if $text !~ /\n\z/;
    my $decoded = $text;
    utf8::decode($decoded) or die "it is no UTF-8\n";
    my (%value, %type, $family);
    for my $line (split /\n/, $text) {
        if    ($line =~ /^# HELP ($NAME) \S/) { $family = _begin($1, \%type) }
        elsif ($line =~ /^# TYPE ($NAME) (counter|gauge|histogram)$/) { _set_type($1, $2, $family, \%type) }
        elsif ($line =~ /^($NAME)((?:\{$LABEL(?:,$LABEL)*\})?) (\d+(?:\.\d+)?)$/) {
            _add($1, $2, $3, $family, \%type, \%value);
        }
        else  { die "no line of the format: $line\n" }
    }
    _check_histogram($_, \%value) for grep { $type{$_} eq 'histogram' } keys %type;
    return \%value;
}

sub _begin {
    my ($name, $type) = @_;
    die "$name: described twice\n" if exists $type->{$name};
    $type->{$name} = '';
    return $name;
}

sub _set_type {
    my ($name, $kind, $family, $type) = @_;
    die "$name: the type stands behind another description\n" if !defined $family || $name ne $family;
    die "$name: has two types\n" if $type->{$name};
    die "$name: a counter's name ends in _total\n" if ($kind eq 'counter') != ($name =~ /_total$/);
    $type->{$name} = $kind;
    return;
}

sub _add {
    my ($name, $labels, $number, $family, $type, $value) = @_;
    my $own = defined $family && $name =~ /^\Q$family\E(_bucket|_sum|_count)?$/
        && !defined $1 == ($type->{$family} ne 'histogram');
    die "$name: is no sample of the description above it\n" if !$own || !$type->{$family};
    die "$name$labels: is there twice\n" if exists $value->{"$name$labels"};
    $value->{"$name$labels"} = $number;
    return;
}

sub _check_histogram {
    my ($name, $value) = @_;
    my @bounds = sort { $a <=> $b } map { /^\Q$name\E_bucket\{le="([\d.]+)"\}$/ ? $1 : () } keys %{$value};
    my @counts = map { $value->{qq(${name}_bucket{le="$_"})} // die "$name: no bucket for $_\n" } @bounds, '+Inf';
    for my $n (1 .. $#counts) { die "$name: its buckets do not add up\n" if $counts[$n] < $counts[$n - 1] }
    die "$name: no sum\n" if !defined $value->{"${name}_sum"};
    die "$name: its count is not that of all\n" if $counts[-1] != $value->{"${name}_count"};
    return;
}

1;
