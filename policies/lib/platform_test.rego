package lib.platform_test

import data.lib.platform

_names := ["spec", "serving", "gpu"]

_field(holder) := platform.field(holder, _names)

test_kinds_of_the_group if {
	platform.is_a({"apiVersion": "ai.platform.internal/v1", "kind": "AIModel"}, "AIModel")
	platform.is_a({"apiVersion": "ai.platform.internal/v2beta1", "kind": "AIModel"}, "AIModel")
	not platform.is_a({"apiVersion": "ai.platform.internal/v1", "kind": "AIModel"}, "AIWorkspace")
	not platform.is_a({"apiVersion": "ai.platform.internal.example.com/v1", "kind": "AIModel"}, "AIModel")
	not platform.is_a({"apiVersion": "v1", "kind": "AIModel"}, "AIModel")
	not platform.is_a({"kind": "AIModel"}, "AIModel")
}

test_a_field_that_is_there if {
	_field({"spec": {"serving": {"gpu": "nvidia-l4"}}}) == {
		"path": "/spec/serving/gpu",
		"name": "spec.serving.gpu",
		"value": "nvidia-l4",
		"wants": "",
	}
	platform.field({"a/b": {"c~d": 0}}, ["a/b", "c~d"]).path == "/a~1b/c~0d"
}

test_a_field_that_is_missing if {
	every holder in [null, "x", {}, {"spec": null}, {"spec": {"serving": {}}}, {"spec": {"serving": {"gpu": null}}}] {
		found := _field(holder)
		found == {"path": "/spec/serving/gpu", "name": "spec.serving.gpu", "value": null, "wants": ""}
		platform.missing(found)
		platform.message(found, "a type") == "spec.serving.gpu is missing; required is a type"
	}
}

test_a_part_that_cannot_hold_the_field if {
	every value in ["x", 0, true, [], ["x"], [{"gpu": "nvidia-l4"}]] {
		found := _field({"spec": {"serving": value}})
		found == {"path": "/spec/serving", "name": "spec.serving", "value": value, "wants": "an object"}
		not platform.missing(found)
		not platform.is_text(found, ".*")
		not platform.is_count(found, 0)
		endswith(platform.message(found, "a type"), "; required is an object")
	}
	_field({"spec": "x"}).path == "/spec"
}

test_texts if {
	platform.is_text(_field({"spec": {"serving": {"gpu": "ab"}}}), "a|ab")
	every value in ["", "abc", "xab", "ab\n", 1, null, ["ab"], {}] {
		not platform.is_text(_field({"spec": {"serving": {"gpu": value}}}), "a|ab")
	}
}

test_counts if {
	every value in [1, 2, 2.0, 9007199254740993] {
		platform.is_count(_field({"spec": {"serving": {"gpu": value}}}), 1)
	}
	every value in [0, -1, 1.5, "1", true, null, [1], {}] {
		not platform.is_count(_field({"spec": {"serving": {"gpu": value}}}), 1)
	}
}

test_times if {
	platform.minutes("90m", "mh") == 90
	platform.minutes("4h", "mh") == 240
	platform.minutes("30d", "hdw") == 43200
	platform.minutes("2w", "hdw") == 20160
}

test_what_is_no_time if {
	every value in ["", "30", "d", "0d", "030d", "1.5d", "-1d", "30 d", "30D", "30d\n", "1000000d", "P30D", "1w2d", 30, null, ["30d"], {}] {
		not platform.minutes(value, "hdw")
	}
	not platform.minutes("30m", "hdw")
}
