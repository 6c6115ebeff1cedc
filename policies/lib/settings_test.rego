package lib.settings_test

import data.lib.pods_test as pods
import data.lib.settings

_pod(fields) := object.union({"path": "/spec", "containers": []}, fields)

_setting(path, field, value, wants) := {
	"path": path,
	"owner": "the pod",
	"field": field,
	"value": value,
	"wants": wants,
}

test_a_field_that_is_not_set if {
	every fields in [{}, {"a": null}, {"a": {}}, {"a": {"b": null}}, {"a": {"b": {}}}, {"a": {"b": {"c": null}}}] {
		settings.of_pod(_pod(fields), ["a", "b", "c"]) == set()
	}
}

test_a_field_that_is_set if {
	every value in [0, false, "", [], {}, "x"] {
		settings.of_pod(_pod({"a": {"b": value}}), ["a", "b"]) == {_setting("/spec/a/b", "a.b", value, "")}
	}
}

test_what_stands_in_the_way if {
	every value in [0, false, "", [], "x", [{"c": 1}]] {
		settings.of_pod(_pod({"a": value}), ["a", "b", "c"]) == {_setting("/spec/a", "a", value, "an object")}
		settings.of_pod(_pod({"a": {"b": value}}), ["a", "b", "c"]) == {_setting("/spec/a/b", "a.b", value, "an object")}
	}
}

test_the_pod_and_its_containers if {
	pod := {
		"path": "/spec",
		"a": 1,
		"containers": [pods.container({"a": 2}), pods.container({"path": "/init", "role": "init", "name": "fetch", "a": 3})],
	}
	{[setting.path, setting.owner, setting.value] | some setting in settings.of_all(pod, ["a"])} == {
		["/spec/a", "the pod", 1],
		["/spec/containers/0/a", "container \"server\"", 2],
		["/init/a", "init container \"fetch\"", 3],
	}
}

test_lists_and_their_elements if {
	list := settings.of_pod(_pod({"a": [{"b": 1}, "x", {}]}), ["a"])
	settings.lists(list) == list
	settings.elements(list) == {
		_setting("/spec/a/0", "a[0]", {"b": 1}, ""),
		_setting("/spec/a/1", "a[1]", "x", "an object"),
		_setting("/spec/a/2", "a[2]", {}, ""),
	}
	settings.inside(settings.elements(list), ["b"]) == {
		_setting("/spec/a/0/b", "a[0].b", 1, ""),
		_setting("/spec/a/1", "a[1]", "x", "an object"),
	}
}

test_what_is_no_list_stays_in_sight if {
	every value in [{"b": 1}, "x", 0, false] {
		list := settings.of_pod(_pod({"a": value}), ["a"])
		expected := {_setting("/spec/a", "a", value, "a list")}
		settings.lists(list) == expected
		settings.elements(list) == expected
		settings.inside(settings.elements(list), ["b"]) == expected
	}
}

test_messages if {
	settings.message(_setting("/spec/a", "a", 1, ""), "2") == "the pod sets a to 1; required is 2"
	settings.message(_setting("/spec/a", "a", 1, "a list"), "2") == "the pod sets a to 1; required is a list"
}

test_values_of_what_cannot_be_read_do_not_count if {
	settings.one_of(_setting("/spec/a", "a", "x", ""), {"x"})
	not settings.one_of(_setting("/spec/a", "a", "y", ""), {"x"})
	not settings.one_of(_setting("/spec/a", "a", "x", "an object"), {"x"})
}

test_unset_and_blocked if {
	settings.unset({"a": {}}, ["a", "b"])
	not settings.unset({"a": "x"}, ["a", "b"])
	not settings.unset({"a": {"b": 1}}, ["a", "b"])
	settings.blocked({"a": "x"}, ["a", "b"])
	not settings.blocked({"a": {"b": "x"}}, ["a", "b"])
}

test_where_annotations_are if {
	path := settings.annotation_path({"path": "/spec/template/spec"}, "example.com/a")
	path == "/spec/template/metadata/annotations/example.com~1a"
	settings.annotation_path({"path": "/spec"}, "a") == "/metadata/annotations/a"
}

test_what_stands_in_the_way_of_a_long_one if {
	fields := ["a", "b", "c", "d"]
	every value in [0, false, "", [], "x"] {
		settings.of_pod(_pod({"a": value}), fields) == {_setting("/spec/a", "a", value, "an object")}
		settings.of_pod(_pod({"a": {"b": value}}), fields) == {_setting("/spec/a/b", "a.b", value, "an object")}
		settings.of_pod(_pod({"a": {"b": {"c": value}}}), fields) == {_setting("/spec/a/b/c", "a.b.c", value, "an object")}
		settings.of_pod(_pod({"a": {"b": {"c": {"d": value}}}}), fields) == {_setting("/spec/a/b/c/d", "a.b.c.d", value, "")}
	}
	every nothing in [{}, {"a": null}, {"a": {}}, {"a": {"b": null}}, {"a": {"b": {"c": null}}}] {
		settings.of_pod(_pod(nothing), fields) == set()
	}
}

test_others_are_all_but_those_with_an_allowed_value if {
	allowed := {true, "fine"}
	every value in [true, "fine", false, "", "x", 0, [], {}, null, {"b": true}, {"b": "fine"}, {"b": false}, {"b": null}, {"b": {}}] {
		every fields in [["a"], ["a", "b"], ["a", "b", "c"]] {
			pod := {"path": "/spec", "a": value, "containers": [pods.container({"a": value})]}
			every function in ["pod", "containers", "all"] {
				_others(function, pod, fields, fields, allowed) == {setting |
					some setting in _all(function, pod, fields)
					not settings.one_of(setting, allowed)
				}
			}
		}
	}
}

test_what_decides_may_be_inside if {
	pod := {
		"path": "/spec",
		"containers": [pods.container({"a": {"type": "fine"}}), pods.container({"a": {"type": "x"}}), pods.container({"a": "fine"})],
	}
	{setting.value | some setting in settings.others_of_all(pod, ["a"], ["a", "type"], {"fine"})} == {{"type": "x"}, "fine"}
}

_others("pod", pod, fields, place, allowed) := settings.others_of_pod(pod, fields, place, allowed)

_others("containers", pod, fields, place, allowed) := settings.others_of_containers(pod, fields, place, allowed)

_others("all", pod, fields, place, allowed) := settings.others_of_all(pod, fields, place, allowed)

_all("pod", pod, fields) := settings.of_pod(pod, fields)

_all("containers", pod, fields) := settings.of_containers(pod, fields)

_all("all", pod, fields) := settings.of_all(pod, fields)
