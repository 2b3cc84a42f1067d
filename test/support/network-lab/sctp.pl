# SCTP (RFC 9260) over a raw socket, as little as an association needs, so that published ports and virtual addresses can be tested on kernels without SCTP:
# the packets on the way are real, and connection tracking checks their states, tags and order as it does for anybody's.
#   sctp.pl serve PORT NAME    greets each association with {"name","from"}; prints "ready"; ends with its standard input
#   sctp.pl call HOST PORT     prints what it was greeted with, or {"error"}
use strict;
use warnings;
use Socket;

my ($how, @args) = @ARGV;
my ($SCTP, $WAIT_S) = (132, 0.7);
my ($DATA, $INIT, $INIT_ACK, $SACK, $ABORT, $COOKIE_ECHO, $COOKIE_ACK) = (0, 1, 2, 3, 6, 10, 11);
$| = 1;
socket(my $raw, AF_INET, SOCK_RAW, $SCTP) or die "socket: $!";

# CRC32c, as the header wants it (RFC 3309).
my @table = map {
	my $crc = $_;
	$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
	$crc;
} 0 .. 255;

sub checksum {
	my $crc = 0xffffffff;
	$crc = $table[($crc ^ $_) & 0xff] ^ ($crc >> 8) for unpack 'C*', shift;
	return $crc ^ 0xffffffff;
}

sub chunk {
	my ($type, $flags, $value) = @_;
	my $padding = -length($value) % 4;
	return pack('CCn', $type, $flags, 4 + length $value) . $value . "\0" x $padding;
}

sub send_to {
	my ($address, $from, $to, $tag, @chunks) = @_;
	my $head = pack 'nnN', $from, $to, $tag;
	my $body = join '', @chunks;
	my $crc = checksum($head . pack('N', 0) . $body);
	send $raw, $head . pack('V', $crc) . $body, 0, pack_sockaddr_in(0, inet_aton($address));
}

# ($address, $from, $to, $tag, [type, value]...) of the next good packet; () when there is none in time.
sub receive {
	my ($seconds) = @_;
	my $ready = '';
	vec($ready, fileno($raw), 1) = 1;
	vec($ready, 0, 1) = 1 if $how eq 'serve';
	return () unless select($ready, undef, undef, $seconds);
	exit 0 if $how eq 'serve' && vec($ready, 0, 1) && !sysread(STDIN, my $ignored, 1);
	return () unless defined recv $raw, my $packet, 65535, 0;
	my $address = inet_ntoa(substr $packet, 12, 4);
	my $sctp = substr $packet, 4 * (ord($packet) & 15);
	my ($from, $to, $tag, $crc) = unpack 'nnNV', $sctp;
	substr($sctp, 8, 4) = "\0" x 4;
	return () if checksum($sctp) != $crc;
	my @chunks;
	for (my $at = 12; $at + 4 <= length $sctp;) {
		my ($type, undef, $len) = unpack 'CCn', substr $sctp, $at, 4;
		last if $len < 4;
		push @chunks, [$type, substr $sctp, $at + 4, $len - 4];
		$at += $len + (-$len % 4);
	}
	return ($address, $from, $to, $tag, @chunks);
}

sub initiation { pack 'NNnnN', @_, 65536, 1, 1, 1 }
sub data { chunk($DATA, 3, pack('NnnN', 1, 0, 0, 0) . shift) }

sub serve {
	my ($port, $name) = @_;
	my %peer_tag;
	print "ready\n";
	while (1) {
		my ($address, $from, $to, $tag, @chunks) = receive(undef);
		next unless defined $to && $to == $port;
		for my $one (@chunks) {
			my ($type, $value) = @$one;
			my $key = "$address $from";
			if ($type == $INIT) {
				$peer_tag{$key} = unpack 'N', $value;
				send_to($address, $port, $from, $peer_tag{$key},
					chunk($INIT_ACK, 0, initiation(0x5e) . pack('nnN', 7, 8, 1)));
			} elsif ($type == $COOKIE_ECHO && $tag == 0x5e && exists $peer_tag{$key}) {
				send_to($address, $port, $from, $peer_tag{$key}, chunk($COOKIE_ACK, 0, ''),
					data(qq({"name":"$name","from":"$address"})));
			}
		}
	}
}

sub call {
	my ($host, $port) = @_;
	my $own = 20000 + int rand 30000;
	my $own_tag = 1 + int rand 2**31;
	send_to($host, $own, $port, 0, chunk($INIT, 0, initiation($own_tag)));
	while (my ($address, $from, $to, $tag, @chunks) = receive($WAIT_S)) {
		next unless $to == $own && $tag == $own_tag && $address eq $host;
		for my $one (@chunks) {
			my ($type, $value) = @$one;
			return '{"error":"ECONNREFUSED"}' if $type == $ABORT;
			if ($type == $INIT_ACK) {
				send_to($host, $own, $port, unpack('N', $value),
					chunk($COOKIE_ECHO, 0, pack 'N', 1));
			} elsif ($type == $DATA) {
				return substr $value, 12;
			}
		}
	}
	return '{"error":"TIMEOUT"}';
}

if ($how eq 'serve') { serve(@args) }
else { print call(@args), "\n" }
