package lib.cidrs_test

import data.lib.cidrs

_internal := ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]

test_inside if {
	every block in [
		"10.0.0.0/8", "10.255.255.255/32", "172.16.0.0/12", "172.31.255.0/24", "192.168.1.0/24", "fc00::/7",
		"fd12:3456:789a::/48", "FDFF::1/128", "fc00:10:0:0:0:0:0:0/64",
	] {
		cidrs.is_within(block, _internal)
	}
}

test_outside if {
	every block in [
		"0.0.0.0/0", "10.0.0.0/7", "11.0.0.0/8", "9.255.255.255/32", "172.32.0.0/16", "172.15.0.0/16", "172.16.0.0/11",
		"192.169.0.0/16", "192.168.0.0/15", "::/0", "fc00::/6", "fe00::/16", "fb00::/16", "fc::/16", "::ffff:10.0.0.0/104",
		"2001:db8::/32",
	] {
		not cidrs.is_within(block, _internal)
	}
}

test_what_is_no_block_is_inside_of_none if {
	every block in [
		null, 1, {}, "", "10.0.0.0", "10.0.0/8", "010.0.0.0/8", "10.0.0.256/32", "10.0.0.0/08", "10.0.0.0/", "10.0.0.0/8/8",
		"10.0.0.0/x", " 10.0.0.0/8", "10.0.0.0/8\n", "fd00/8", "fd00::", "fdzz::/16",
	] {
		not cidrs.is_within(block, _internal)
	}
	not cidrs.is_within("10.0.0.0/8", ["", "10.0.0.0", "ten/8", "10.0.0.0/99"])
}

test_prefixes if {
	cidrs.prefix_of("0.0.0.0/0") == 0
	cidrs.prefix_of("fd00::/128") == 128
	every block in ["0.0.0.0", "0.0.0.0/", "0.0.0.0/00", "0.0.0.0/-1", null] {
		not cidrs.prefix_of(block)
	}
}
