package policies.defaults.queue_label_test

import data.policies.defaults.queue_label

_patches(kind, labels, gpus) := found if {
	found := queue_label.patches with input as {
		"subject": {"kind": kind, "labels": labels, "gpus": {"peak": gpus}},
		"parameters": {"queue": "training", "queued_kinds": ["Job"]},
	}
}

test_a_job_without_a_queue if {
	every labels in [{}, null, "text", {"kueue.x-k8s.io/queue-name": null}] {
		_patches("Job", labels, 1) == {{
			"op": "add",
			"path": "/metadata/labels/kueue.x-k8s.io~1queue-name",
			"value": "training",
		}}
	}
}

test_what_needs_none if {
	_patches("Job", {"kueue.x-k8s.io/queue-name": ""}, 1) == set()
	_patches("Job", {}, 0) == set()
	_patches("Deployment", {}, 1) == set()
}
