# The checks of .ci/check that look at the structure of the sources: each passes with the sources as they are, fails
# with a fault planted into a copy of them, and says what the fault is and where.

use strict;
use warnings;
use lib 't/lib';
use File::Basename 'dirname';
use File::Path 'make_path';
use File::Spec ();
use Harness;

my @copied = qw(.ci src module config CMakeLists.txt README.md CHANGELOG.md nginx-conf debian);

# What the check says of a copy that has these texts too, each at the end of its file: { code, said, ok }.
sub check_of {
    my ($check, %plant) = @_;
    my $folder = temporary_folder();
    run(['cp', '-a', @copied, $folder])->{code} == 0 or die "cannot copy the sources\n";
    for my $file (keys %plant) {
        make_path(dirname("$folder/$file"));
        open my $out, '>>', "$folder/$file" or die "$file: $!\n";
        print {$out} $plant{$file};
        close $out or die "$file: $!\n";
    }
    my $result = run(["$folder/.ci/check", $check]);
    my ($ok)   = $result->{out} =~ /^ok +(\Q$check\E.*)/m;
    return { code => $result->{code}, said => [$result->{out} =~ /^ {8}(.*)/mg], ok => $ok };
}

# The same of the sources as they are. What it says of them is none of the fault that is planted.
my %unchanged = map { $_ => check_of($_) } qw(layers sizes versions sources version readme shim_style columns);

sub new_sentences {
    my ($check, $result) = @_;
    my %known = map { $_ => 1 } @{ $unchanged{$check}{said} };
    return grep { !$known{$_} && !/^\d+ functions: / } @{ $result->{said} };
}

sub passes {
    my ($check, $name, %plant) = @_;
    my $result = check_of($check, %plant);
    is join("\n", new_sentences($check, $result)), '', "$check passes: $name";
    is $result->{code}, $unchanged{$check}{code}, 'and its status says so';
    return;
}

# A fault brings one sentence. It may go on.
sub fails {
    my ($check, $sentence, %plant) = @_;
    my $result = check_of($check, %plant);
    my @said   = new_sentences($check, $result);
    is substr($said[0] // '', 0, length $sentence), $sentence, "$check fails: $sentence";
    is scalar @said, 1, 'for one reason' or diag join "\n", @said;
    is $result->{code}, 1, 'and its status says so';
    return;
}

for my $check (grep { $_ ne 'layers' } sort keys %unchanged) { # layers when src/oauth leaves OpenSSL to src/jose
    my $result = $unchanged{$check};
    is $result->{code}, 0, "$check passes: the sources as they are" or diag join "\n", @{ $result->{said} };
}

like $unchanged{sizes}{ok}, qr/^sizes: \d+ functions: the median has \d+ lines, the longest \d+: \S+:\d+$/,
    'sizes says how long functions are';

# --- layers: which room includes which ------------------------------------------------------------------------------

# One file includes another, by its path from there; both are there.
sub arrow {
    my ($from, $to) = @_;
    my $path  = File::Spec->abs2rel($to, dirname($from));
    my %plant = ($to => '', $from => qq{\n#include "$path"\n});
    delete $plant{$to} if -e $to;
    return %plant;
}

my $gateway = 'src/gateway';
my @allowed = (
    ['module/new.h'                  => "$gateway/gateway.h"],
    ['src/oauth/new.cpp'             => 'src/jose/new.h'],
    ["$gateway/configuration/new.h"  => "$gateway/gateway.h"],
    ["$gateway/configuration/new.h"  => 'src/jose/new.h'],
    ["$gateway/subrequest/new.h"     => 'src/oauth/new.h'],
    ["$gateway/cache/new.h"          => 'src/nginx/new.h'],
    ["$gateway/cache/new.h"          => "$gateway/cache/other.h"],
    ["$gateway/access/new.h"         => "$gateway/observation/new.h"],
    ["$gateway/access/new.h"         => "$gateway/configuration/new.h"],
    ["$gateway/new.cpp"              => "$gateway/access/new.h"],
);
my @forbidden = (
    ['module/new.h'                  => "$gateway/access/new.h"],
    ['module/new.h'                  => 'src/jose/new.h'],
    ['src/jose/new.cpp'              => 'src/oauth/new.h'],
    ['src/jose/new.cpp'              => 'src/nginx/new.h'],
    ['src/oauth/new.cpp'             => 'src/nginx/new.h'],
    ['src/oauth/new.cpp'             => "$gateway/gateway.h"],
    ['src/oauth/new.cpp'             => "$gateway/configuration/new.h"],
    ['src/nginx/new.cpp'             => 'src/jose/new.h'],
    ['src/nginx/new.cpp'             => 'src/oauth/new.h'],
    ['src/nginx/new.cpp'             => "$gateway/gateway.h"],
    ["$gateway/configuration/new.h"  => "$gateway/subrequest/new.h"],
    ["$gateway/configuration/new.h"  => "$gateway/access/new.h"],
    ["$gateway/cache/new.h"          => "$gateway/observation/new.h"],
    ["$gateway/access/new.h"         => "$gateway/new.h"],
    ["$gateway/access/new.h"         => 'module/new.h'],
);
passes('layers', "$_->[0] includes $_->[1]", arrow(@{$_})) for @allowed;
for my $forbidden (@forbidden) {
    my ($from, $to) = @{$forbidden};
    fails('layers', "$from:2: " . dirname($from) . " must not include $to; it may include ", arrow($from, $to));
}

# src/ is a folder to look in, too.
fails('layers', 'src/jose/new.h:1: src/jose must not include src/oauth/new.h; it may include no other room',
    'src/jose/new.h' => '#include "oauth/new.h"', 'src/oauth/new.h' => '');
fails('layers', 'src/jose/new.h:1: src/jose must not include src/oauth/new.h',
    'src/jose/new.h' => '#include <oauth/new.h>', 'src/oauth/new.h' => '');
fails('layers', 'src/jose/new.h:1: there is no absent.h', 'src/jose/new.h' => '#include "absent.h"');
fails('layers', 'src/jose/new.h:1: an #include whose file is not written in it: NAME',
    'src/jose/new.h' => '#include NAME');
passes('layers', 'a comment', 'src/jose/new.h' => <<'COMMENT');
/* "quoted"
#include "../oauth/bearer.h"
*/
// #include "../oauth/bearer.h" for ngx_str_t
COMMENT

fails('layers', 'src/cache/new.cpp: the folder src/cache is not in the plan', 'src/cache/new.cpp' => '');
fails('layers', 'src/jose/more/new.h: the folder src/jose/more is not in the plan', 'src/jose/more/new.h' => '');
fails('layers', 'src/new.h: the folder src is not in the plan', 'src/new.h' => '');
fails('layers', 'src/jose/new.c: src/ has no files of this kind', 'src/jose/new.c' => '');
fails('layers', 'module/new.cpp: module/ has no files of this kind', 'module/new.cpp' => '');

# --- layers: what is not ours ---------------------------------------------------------------------------------------

my @foreign = (
    ['src/oauth/new.h',      '#include <ngx_core.h>',         'src/oauth must not use ngx_core.h', 'nginx'],
    ['src/jose/new.cpp',     '# include <nginx.h>',           'src/jose must not use nginx.h', 'nginx'],
    ['src/oauth/new.h',      'struct ngx_str_t;',             'src/oauth must not use ngx_str_t', 'nginx'],
    ['src/oauth/new.cpp',    '#include <openssl/evp.h>',      'src/oauth must not use openssl/evp.h', 'OpenSSL'],
    ['src/oauth/new.cpp',    '#include <rapidjson/reader.h>', 'src/oauth must not use rapidjson/reader.h', 'RapidJSON'],
    ["$gateway/cache/new.h", '#include <jansson.h>',          "$gateway/cache must not use jansson.h", 'jansson'],
    ['module/new.h',         '#include <string>',             'module must not use string', 'C++'],
    ['module/new.c',         'std::string text;',             'module must not use std::', 'C++'],
    ['module/new.h',         '#ifdef __cplusplus',            'module must not use __cplusplus', 'C++'],
);
for my $foreign (@foreign) {
    my ($file, $text, $sentence, $whose) = @{$foreign};
    fails('layers', "$file:1: $sentence, which is $whose\'s", $file => $text);
}
passes('layers', 'where they belong',
    'src/nginx/new.h' => '#include <ngx_core.h>',
    'module/new.c'    => '#include <stddef.h>',
    'src/jose/new.h'  => join "\n", map { "#include <$_>" } qw(openssl/evp.h rapidjson/reader.h jansson.h string));

# --- layers: circles ------------------------------------------------------------------------------------------------

my $circle = 'files include each other in a circle:';
fails('layers', "src/oauth/a.h:1: $circle src/oauth/a -> src/oauth/b -> src/oauth/a",
    'src/oauth/a.h' => '#include "b.h"', 'src/oauth/b.h' => '#include "a.h"');
fails('layers', "src/oauth/a.cpp:2: $circle src/oauth/a -> src/oauth/b -> src/oauth/a",
    'src/oauth/a.h'   => '', 'src/oauth/a.cpp' => qq{#include "a.h"\n#include "b.h"\n},
    'src/oauth/b.h'   => '', 'src/oauth/b.cpp' => qq{#include "b.h"\n#include "a.h"\n});
fails('layers', "src/oauth/a.h:1: $circle src/oauth/a -> src/oauth/b -> src/oauth/c -> src/oauth/a",
    'src/oauth/a.h' => '#include "b.h"', 'src/oauth/b.cpp' => '#include "c.h"', 'src/oauth/c.h' => '#include "a.h"',
    'src/oauth/b.h' => '', 'src/oauth/outside.h' => '#include "a.h"');
passes('layers', 'two ways to one file', 'src/oauth/a.h' => qq{#include "b.h"\n#include "c.h"\n},
    'src/oauth/b.h' => '#include "c.h"', 'src/oauth/c.h' => '');

# --- sizes ----------------------------------------------------------------------------------------------------------

# A function of so many lines, from its name to its closing brace.
sub function { my ($name, $lines) = @_; return "int $name() {\n" . "  step();\n" x ($lines - 2) . "}\n" }

passes('sizes', 'a file and a function at their limits',
    'src/oauth/new.h' => "// a line\n" x 400, 'src/oauth/new.cpp' => function('new_function', 50));
fails('sizes', 'src/oauth/new.h: 401 lines; a file has at most 400', 'src/oauth/new.h' => "// a line\n" x 401);
fails('sizes', 'src/oauth/new.cpp:1: new_function: 51 lines; a function has at most 50',
    'src/oauth/new.cpp' => function('new_function', 51));
fails('sizes', 'module/new.c:3: new_function: 51 lines; a function has at most 50',
    'module/new.c' => "/* as nginx writes it */\nstatic int\n" . function('new_function', 51) =~ s/^int //r);
fails('sizes', 'src/oauth/new.cpp:1: outer: 51 lines; a function has at most 50',
    'src/oauth/new.cpp' => function('outer', 51) =~ s/(?:  step\(\);\n){3}/  auto inner = [] {\n    step();\n  };\n/r);

# More functions of eleven lines than there are others.
sub long_functions {
    my ($files) = @_;
    return map { ("src/oauth/new-$_.cpp" => join '', map { function("function$_", 11) } 1 .. 36) } 1 .. $files;
}
fails('sizes', 'half of the functions have more than 10 lines', long_functions(40));
passes('sizes', 'some longer functions', long_functions(5));

# --- the other checks of sources ------------------------------------------------------------------------------------

fails('versions', 'src/oauth/new.h:1:#if (nginx_version', 'src/oauth/new.h' => '#if (nginx_version >= 1023000)');
fails('shim_style', 'module/new.h:1: tab', 'module/new.h' => "\tint  i;\n");

passes('columns', '120 columns, of more than one byte each', 't/new.t' => 'ü' x 120);
fails('columns', 't/new.t:2: longer than 120 columns', 't/new.t' => "short\n" . 'x' x 121);
fails('columns', 'docs/new.pl:1: longer than 120 columns', 'docs/new.pl' => 'ü' x 121);
fails('columns', 'new/New.pm:1: longer than 120 columns', 'new/New.pm' => 'x' x 121);

# What is compared is shown as diff shows it.
sub differs {
    my ($check, $line, %plant) = @_;
    my $result = check_of($check, %plant);
    is $result->{code}, 1, "$check fails: $line";
    my @said   = new_sentences($check, $result);
    ok scalar(grep { $_ eq $line } @said), 'and shows it' or diag join "\n", @said;
    return;
}
differs('sources', '-src/oauth/new.cpp', 'src/oauth/new.cpp' => '');
differs('readme', '+# more', 'nginx-conf/minimal.conf' => "# more\n");

done_testing;
