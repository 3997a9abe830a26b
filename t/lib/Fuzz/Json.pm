package Fuzz::Json;

# Ways to write a JSON object, each with what it means to a strict reader: 'same' is the same object, 'refuse' is none,
# and 'may' is whatever the text says by now.

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(written read_object);

my $plain = JSON::PP->new->utf8->canonical;

sub _members { my ($text) = @_; return $text =~ /^\{(.*)\}$/s ? $1 : die "no object: $text\n" }
sub _with    {
    my ($text, $first) = @_;
    my $more = _members($text);
    return '{' . $first . ($more eq '' ? '' : ",$more") . '}';
}

# A JWT within the text stays: with another byte it would be another one, and the server's word too.
sub _flipped {
    my ($text, $dice) = @_;
    my ($before, $jwt, $behind) = $text =~ /^(.*?)(eyJ[\w.-]{100,})(.*)$/s or return $dice->flipped($text);
    return $dice->percent(50) ? $dice->flipped($before) . $jwt . $behind : $before . $jwt . $dice->flipped($behind);
}

my %WAYS = (
    same => {
        'white space'       => sub { return " \r\n\t$_[0]\n " },
        'unknown members'   => sub {
            return _with($_[0], '"x-list":[1,{"y":[null,true,-1.5e3]}],"x-text":"\u20ac \ud83d\ude00"');
        },
        'members shuffled'  => sub { my ($text, $dice) = @_; my $data = $plain->decode($text);
                                     return '{' . join(
                                         ', ', map {
                                             $plain->encode([$_])  =~ s/^\[|\]$//gr . ' : '
                                                 . ($plain->encode([$data->{$_}]) =~ s/^\[|\]$//gr)
                                         } $dice->shuffled(sort keys %{$data})
                                     ) . '}' },
        'names escaped'     => sub { return $_[0] =~ s/"([a-z])([a-z_]+)":/sprintf '"\\u%04x%s":', ord $1, $2/ger },
        '20 levels'         => sub { return _with($_[0], '"x-deep":' . '[' x 19 . ']' x 19) },
    },
    refuse => {
        'a member twice'        => sub {
            my ($name) = $_[0] =~ /^\{("[^"]*":)/ or return "[$_[0]]";
            return _with($_[0], "${name}null");
        },
        'a member twice inside' => sub { return _with($_[0], '"x-inside":{"a":[{"b":1,"b":1}]}') },
        'a member twice escaped' => sub {
            my ($first, $rest) = $_[0] =~ /^\{"(.)([^"]*)":/ or return "[$_[0]]";
            return _with($_[0], sprintf '"\\u%04x%s":true', ord $first, $rest);
        },
        'byte order mark'       => sub { return "\xef\xbb\xbf$_[0]" },
        'something behind'      => sub { return "$_[0] {}" },
        'NUL behind'            => sub { return "$_[0]\0" },
        'NUL in a name'         => sub { return _with($_[0], '"x\u0000":1') },
        'invalid UTF-8'         => sub { return _with($_[0], qq("x":"\xff")) },
        'overlong UTF-8'        => sub { return _with($_[0], qq("x":"\xc0\xae")) },
        'lone surrogate'        => sub { return _with($_[0], '"x":"\ud800"') },
        '70 levels'             => sub { return _with($_[0], '"x":' . '[' x 70 . ']' x 70) },
        '70 levels of objects'  => sub { return _with($_[0], '"x":' . '{"a":' x 70 . '1' . '}' x 70) },
        'comma at the end'      => sub { return $_[0] =~ s/\}$/,}/r },
        'an array around'       => sub { return "[$_[0]]" },
        'cut'                   => sub { return substr $_[0], 0, -1 },
        'comment'               => sub { return "/* */$_[0]" },
        'single quotes'         => sub { return _with($_[0], q('x':1)) },
        'nothing'               => sub { return '' },
    },
    may => {
        'a byte flipped' => \&_flipped,
        'a huge number'  => sub { return _with($_[0], '"x":1E400') },
    },
);
my @ALL = map {
    my $effect = $_;
    map { [$effect, $_, $WAYS{$effect}{$_}] } sort keys %{ $WAYS{$effect} }
} sort keys %WAYS;

# (text, effect, label)
sub written {
    my ($data, $dice, $chance) = @_;
    my $text = $plain->encode($data);
    return ($text, 'same', '') if !$dice->percent($chance);
    my ($effect, $label, $code) = @{ $dice->one_of(@ALL) };
    return ($code->($text, $dice), $effect, $label);
}

# What JSON::PP makes of it, where it is an object.
sub read_object {
    my ($text) = @_;
    my $data = eval { $plain->decode($text) };
    return ref $data eq 'HASH' ? $data : undef;
}

1;
