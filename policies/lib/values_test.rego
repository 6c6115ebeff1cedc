package lib.values_test

import data.lib.values

test_what_is_not_an_object_has_no_fields if {
	values.as_object({"a": 1}) == {"a": 1}
	every value in [null, "text", 1, true, ["a"], set()] {
		values.as_object(value) == {}
	}
}

test_what_is_not_text_says_nothing if {
	values.text("x") == "x"
	every value in [null, "", 1, true, ["a"], {"a": 1}] {
		values.text(value) == ""
	}
}

test_values_in_messages if {
	{values.shown(value) | some value in ["text", "", true, false, null]} == {"\"text\"", "\"\"", "true", "false", "null"}
	{values.shown(value) | some value in [{"a": 1}, ["a"]]} == {"an object", "a list"}
}

test_numbers_in_messages if {
	{values.shown(value) | some value in [2, 2.0, -7, 0.5, -1.25, 0.33333]} == {"2", "-7", "0.5", "-1.25", "0.333"}
	[values.shown(value) | some value in [99.9, 99.95, 12.05, 0.005, 1.9999, -0.1, 4.285714, 20.0004, -1e-9]] == [
		"99.9",
		"99.95",
		"12.05",
		"0.005",
		"2",
		"-0.1",
		"4.286",
		"20",
		"0",
	]
	{values.shown(value) | some value in [1000000000000, 1000000000001, 1e300, -1e300]} == {
		"1000000000000",
		"more than 1000000000000",
		"less than -1000000000000",
	}
}

test_a_pointer_token_is_escaped if {
	values.pointer_token("example.com/a~b") == "example.com~1a~0b"
}
