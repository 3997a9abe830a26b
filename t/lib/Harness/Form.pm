package Harness::Form;

# application/x-www-form-urlencoded, of bytes.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(form_encode form_text read_form);

sub form_encode { return $_[0] =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ger }

# { name => value } as a text, and back.
sub form_text {
    my ($form) = @_;
    return join '&', map { form_encode($_) . '=' . form_encode($form->{$_}) } sort keys %{$form};
}

sub read_form {
    my ($text) = @_;
    my @parts = map { (split(/=/, $_, 2), '')[0, 1] } split /&/, $text;
    return { map { tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } @parts };
}

1;
