package policies.defaults.job_deadline_test

import data.policies.defaults.job_deadline

_patches(object, gpus) := found if {
	found := job_deadline.patches with input as {
		"subject": {"kind": object.kind, "apiVersion": object.apiVersion, "gpus": {"peak": gpus}},
		"object": object,
		"parameters": {"deadline_seconds": 600, "with_gpus_only": true},
	}
}

test_each_kind_has_its_place if {
	every kind in [["batch/v1", "Job", "/spec"], ["kubeflow.org/v1", "PyTorchJob", "/spec/runPolicy"]] {
		path := concat("/", [kind[2], "activeDeadlineSeconds"])
		_patches({"apiVersion": kind[0], "kind": kind[1]}, 1) == {{"op": "add", "path": path, "value": 600}}
	}
}

test_a_kind_of_another_group_is_not_ours if {
	_patches({"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job"}, 1) == set()
}

test_a_deadline_stays if {
	_patches({"apiVersion": "batch/v1", "kind": "Job", "spec": {"activeDeadlineSeconds": 5}}, 1) == set()
}

test_jobs_without_gpus if {
	_patches({"apiVersion": "batch/v1", "kind": "Job"}, 0) == set()
}
