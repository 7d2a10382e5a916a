# The fingerprints that pt-query-digest makes: statements in base64, one a line, on standard input; for each its fingerprint
# in base64 and the checksum of it that the tool's reports show.
#
#     perl pt_fingerprints.pl /usr/bin/pt-query-digest

use strict;
use warnings;
use MIME::Base64;

require $ARGV[0];
my $rewriter = QueryRewriter->new(QueryParser => QueryParser->new());
$| = 1;
while ( my $line = <STDIN> ) {
   my $text = $rewriter->fingerprint(decode_base64($line));
   print encode_base64($text, ''), ' ', Transformers::make_checksum($text), "\n";
}
