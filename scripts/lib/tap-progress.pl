# Reads TAP and prints one line per test file, and whatever failed with its details. In Perl, as Debian's awk waits for
# 4096 bytes before it reads a line: nobody would see how far the tests are.
use strict;
use warnings;

$| = 1;
my $is_detail = 0;
while (my $line = <STDIN>) {
    if ($line =~ /^(?:not )?ok /) {
        print $line;
    } elsif ($line =~ /^ +not ok /) {
        print $line;
        $is_detail = 1;
    } elsif ($is_detail && $line !~ /^ +(?:ok|#) /) {
        print $line;
        $is_detail = 0 if $line =~ /^ +\.\.\.$/;
    } elsif ($line =~ /^Bail out!|^[^ #0-9T\n-]/) {
        $is_detail = 0;
        print $line;
    } else {
        $is_detail = 0;
    }
}
