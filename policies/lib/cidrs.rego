# Blocks of IP addresses. Nothing here reads `input`; regopy 1.5.2 has none of OPA's functions for them.
package lib.cidrs

# Whether the block is an IPv4 or IPv6 network that can be read and is inside of one of the networks.
#
# IPv6 networks are compared by their first group (`fc00::/7`, `fd12::/16`), so those of more than 16 bits contain nothing here.
# What is not written plainly (leading zeros, IPv4 in IPv6) is inside of none.
is_within(block, networks) if {
	is_string(block)
	some network in networks
	_contains_v4(network, block)
}

is_within(block, networks) if {
	is_string(block)
	some network in networks
	_contains_v6(network, lower(block))
}

# The number of bits that the block fixes; undefined for what is no block.
prefix_of(block) := to_number(parts[1]) if {
	is_string(block)
	parts := split(block, "/")
	count(parts) == 2
	regex.match("^(0|[1-9][0-9]{0,2})$", parts[1])
}

# Whether the block is of IPv6.
is_v6(block) if contains(block, ":")

_contains_v4(network, block) if {
	prefix_of(block) >= prefix_of(network)
	prefix_of(network) <= 32
	size := _sizes[prefix_of(network)]
	floor(_number_v4(block) / size) == floor(_number_v4(network) / size)
}

_number_v4(block) := upper_half + lower_half if {
	halves := split(block, "/")
	regex.match(`^((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})$`, halves[0])
	parts := split(halves[0], ".")
	every part in parts {
		to_number(part) <= 255
	}
	upper_half := (to_number(parts[0]) * 16777216) + (to_number(parts[1]) * 65536)
	lower_half := (to_number(parts[2]) * 256) + to_number(parts[3])
}

# How many addresses a network of so many bits has.
_sizes := [
	4294967296, 2147483648, 1073741824, 536870912, 268435456, 134217728, 67108864, 33554432,
	16777216, 8388608, 4194304, 2097152, 1048576, 524288, 262144, 131072,
	65536, 32768, 16384, 8192, 4096, 2048, 1024, 512,
	256, 128, 64, 32, 16, 8, 4, 2,
	1,
]

_contains_v6(network, block) if {
	prefix_of(block) >= prefix_of(network)
	prefix_of(network) <= 16
	size := _sizes[16 + prefix_of(network)]
	floor(_first_group(block) / size) == floor(_first_group(lower(network)) / size)
}

# The first 16 bits. A group of fewer than four digits has zeros before it; one that is left out altogether is 0.
_first_group(block) := number if {
	regex.match("^[0-9a-f]{0,4}:[0-9a-f:]*/[0-9]+$", block)
	groups := split(block, ":")
	padded := concat("", ["0000", groups[0]])
	digits := substring(padded, count(padded) - 4, 4)
	number := (((_digit(digits, 0) * 4096) + (_digit(digits, 1) * 256)) + (_digit(digits, 2) * 16)) + _digit(digits, 3)
}

_digit(digits, place) := indexof("0123456789abcdef", substring(digits, place, 1))
