package policies.gpu.queue_label_test

import data.policies.gpu.queue_label

_input(kind, labels, peak, queues) := {
	"subject": {"kind": kind, "labels": labels, "gpus": {"peak": peak}},
	"parameters": {"queued_kinds": ["Job"], "queues": queues},
}

_violations(labels, queues) := found if {
	found := queue_label.violations with input as _input("Job", labels, 1, queues)
}

_patches(labels, queues) := found if {
	found := queue_label.patches with input as _input("Job", labels, 1, queues)
}

_key := "kueue.x-k8s.io/queue-name"

_path := "/metadata/labels/kueue.x-k8s.io~1queue-name"

_finding(found, required) := {{
	"message": concat("", [
		"this Job uses GPUs, and its label \"kueue.x-k8s.io/queue-name\" is ",
		found,
		"; required is ",
		required,
	]),
	"path": _path,
}}

test_a_queue if {
	_violations({_key: "research"}, []) == set()
	_violations({_key: "research"}, ["search", "research"]) == set()
	_patches({_key: "research"}, ["research"]) == set()
}

test_no_queue if {
	every labels in [null, {}, [], {_key: null}] {
		_violations(labels, []) == _finding("missing", "the name of a queue")
		_violations(labels, ["a", "b"]) == _finding("missing", "one of a, b")
		_patches(labels, []) == set()
		_patches(labels, ["a", "b"]) == set()
		_patches(labels, ["a"]) == {{"op": "add", "path": _path, "value": "a"}}
	}
}

test_what_names_none if {
	_violations({_key: ""}, []) == _finding("\"\"", "the name of a queue")
	_violations({_key: 7}, []) == _finding("7", "the name of a queue")
	_violations({_key: "c"}, ["a", "b"]) == _finding("\"c\"", "one of a, b")
	_patches({_key: "c"}, ["a"]) == set()
}

test_other_kinds_and_work_without_gpus_need_none if {
	every document in [_input("Deployment", {}, 1, []), _input("Job", {}, 0, [])] {
		violations := queue_label.violations with input as document
		violations == set()
	}
	uncounted := queue_label.violations with input as _input("Job", {}, null, [])
	count(uncounted) == 1
}
