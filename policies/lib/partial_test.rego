package lib.partial_test

import data.lib.partial

test_a_spec_that_a_controller_completes if {
	partial.completed({"partial": true})
	not partial.completed({})
	every value in [false, null, "true", 1, {}] {
		not partial.completed({"partial": value})
	}
}

test_a_field_that_is_left_to_it if {
	every container in [{}, {"a": null}, {"a": {}}, {"a": {"b": null}}, {"a": {"b": {}}}, {"a": {"b": {"c": null}}}] {
		partial.left_open({"partial": true}, container, ["a", "b", "c"])
		not partial.left_open({"partial": false}, container, ["a", "b", "c"])
	}
	partial.left_open({"partial": true}, {"b": 1}, ["a"])
}

test_a_field_that_is_set if {
	every value in [0, false, "", [], {}, "x"] {
		not partial.left_open({"partial": true}, {"a": {"b": value}}, ["a", "b"])
		not partial.left_open({"partial": true}, {"b": value}, ["b"])
	}
}

test_a_field_that_something_stands_in_the_way_of if {
	every value in [0, false, "", [], "x", [{"c": 1}]] {
		not partial.left_open({"partial": true}, {"a": value}, ["a", "b", "c"])
		not partial.left_open({"partial": true}, {"a": {"b": value}}, ["a", "b", "c"])
	}
}
