package Harness::Tables;

# What a test knows of the module without reading its sources: tables() is what t/tables/tables.cpp prints, literals()
# are the texts in its objects.

use strict;
use warnings;
use Cwd 'abs_path';
use Exporter 'import';
use File::Basename 'dirname';
use File::Find 'find';
use Harness::Process qw(run temporary_folder);
use JSON::PP ();

our @EXPORT_OK = qw(tables literals);

my $root  = abs_path(dirname(__FILE__) . '/../../..');
my $built = "$root/build/t/tables";

my $tables;

# { version, outcomes, variables, directives }: an outcome is { word, status, error }, a variable its name, which ends
# with _ where it goes on, a directive { name, contexts, has_arguments, words, default }, undef where it has none.
sub tables {
    $tables //= JSON::PP->new->utf8->decode(_print_tables());
    return $tables;
}

# By the nginx that build/ is for, whichever the tests run on.
sub _print_tables {
    my $folder = temporary_folder();
    my $module = "$built/phantom_token_tables.so";
    open my $out, '>', "$folder/nginx.conf" or die "nginx.conf: $!\n";
    print {$out} "load_module $module;\npid nginx.pid;\nevents {}\nhttp { server { listen unix:$folder/socket; } }\n";
    close $out or die "nginx.conf: $!\n";
    my ($nginx) = grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';
    my $result = run([$nginx, '-t', '-q', '-p', "$folder/", '-e', "$folder/error.log", '-c', "$folder/nginx.conf"]);
    die "t/tables/tables.cpp: $result->{err}\n" if $result->{code} || $result->{signal};
    return $result->{out};
}

# [source, literal], of every source of the module. The compiler has joined what stands on several lines, and has left
# out comments and what static_assert says.
sub literals {
    my @objects  = _objects();
    my %sections = map { $_ => 1 } _readelf('--sections', @objects) =~ /^ *\[ *\d+\] (\.rodata\S*)/mg;
    my ($source, @literals);
    for my $line (split /\n/, _readelf(map({ "--string-dump=$_" } sort keys %sections), @objects)) {
        if    ($line =~ m{^File: .*\.dir/(.*)\.o$}) { $source = $1 }
        elsif ($line =~ /^  \[ *[0-9a-f]+\]  (.*)/) { push @literals, [$source, $1] }
    }
    return @literals;
}

# CMake has listed them. None may be missing, for its literals would be too.
sub _objects {
    open my $in, '<', "$built/objects" or die "$built/objects: $!\n";
    chomp(my @objects = <$in>);
    my %is_there = map { m{\.dir/(.*)\.o$} ? ($1 => 1) : () } @objects;
    my @sources;
    my $note = sub { push @sources, s{^\Q$root/}{}r if /\.(?:cpp|c)$/ };
    find({ no_chdir => 1, wanted => $note }, "$root/src", "$root/module");
    my @lost = grep { !$is_there{$_} } @sources;
    die "t/tables/CMakeLists.txt has no object of @lost\n" if @lost;
    return @objects;
}

sub _readelf {
    my $result = run(['readelf', '--wide', @_]);
    die "readelf: $result->{err}\n" if $result->{code} || $result->{signal};
    return $result->{out};
}

1;
