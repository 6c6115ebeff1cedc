package policies.gpu.notebooks_test

import data.policies.gpu.notebooks

_parameters := {
	"max_notebook_gpus": 1,
	"culling_annotation": "idle",
	"max_idle_hours": 12,
	"notebook_kinds": ["Notebook"],
	"notebook_images": ["*jupyter*"],
	"notebook_labels": {"component": "singleuser-server", "notebook-name": "*"},
	"batch_kinds": ["Job"],
}

_subject := {
	"kind": "Notebook",
	"labels": {},
	"annotations": {"idle": "4h"},
	"gpus": {"peak": 1},
	"pods": [{
		"path": "/spec/template/spec",
		"labels": {},
		"annotations": {},
		"containers": [{"role": "main", "image": {"repository": "research/workbench"}}],
	}],
}

_violations(changed) := found if {
	found := notebooks.violations with input as {"subject": object.union(_subject, changed), "parameters": _parameters}
}

_paths(changed) := {violation.path | some violation in _violations(changed)}

_pods(pod) := [object.union(_subject.pods[0], pod)]

_idle := "/metadata/annotations/idle"

test_few_gpus_that_end if _violations({}) == set()

test_too_many_gpus if {
	_violations({"gpus": {"peak": 1.5}}) == {{
		"message": "this Notebook is a notebook and can use 1.5 GPUs; required is at most 1",
		"path": "/spec",
	}}
	every gpus in [null, "many", [], {"peak": null}, {"peak": "2"}] {
		_violations({"gpus": gpus}) == {{
			"message": "this Notebook is a notebook whose GPUs could not be counted; required is at most 1",
			"path": "/spec",
		}}
	}
	_paths({"gpus": {"peak": 2}, "pods": []}) == {"/spec"}
	_paths({"gpus": {"peak": 2}, "pods": _pods({"path": "/template/spec"})}) == {"/template"}
}

test_without_gpus if {
	_violations({"gpus": {"peak": 0}, "annotations": null}) == set()
}

test_idle_times if {
	every idle in ["90m", "4h", "12h", "720m"] {
		_violations({"annotations": {"idle": idle}}) == set()
	}
	every idle in ["13h", "721m", "1d", "0h", "4", "", "never", 4, true, ["4h"], {"x": 1}] {
		_paths({"annotations": {"idle": idle}}) == {_idle}
	}
	every annotations in [null, "x", ["4h"]] {
		_violations({"annotations": annotations}) == {{
			"message": "this Notebook is a notebook with GPUs that nothing ends when it is idle: its annotation \"idle\" is missing; required is an idle time such as 4h, at most 12h",
			"path": _idle,
		}}
	}
}

test_the_annotation_of_the_pods if {
	_violations({"annotations": null, "pods": _pods({"annotations": {"idle": "4h"}})}) == set()
	_paths({"annotations": null, "pods": _pods({"annotations": {"idle": "2d"}})}) == {_idle}
	_paths({"annotations": null, "pods": _pods({"annotations": ["4h"]})}) == {_idle}
}

test_the_timeout_of_the_server if {
	every arguments in [["--ServerApp.shutdown_no_activity_timeout=7200"], ["a", "--ServerApp.shutdown_no_activity_timeout", "43200"], ["sh -c 'jupyter lab --shutdown_no_activity_timeout=60'", 7]] {
		every field in ["args", "command"] {
			container := object.union(_subject.pods[0].containers[0], {field: arguments})
			_violations({"annotations": null, "pods": _pods({"containers": [container]})}) == set()
		}
	}
	every arguments in [["--ServerApp.shutdown_no_activity_timeout=0"], ["--ServerApp.shutdown_no_activity_timeout=43201"], ["--shutdown_no_activity_timeout"], [], null, "x", {"x": 1}] {
		container := object.union(_subject.pods[0].containers[0], {"args": arguments})
		_paths({"annotations": null, "pods": _pods({"containers": [container]})}) == {_idle}
	}
}

test_a_sidecar_ends_no_notebook if {
	sidecar := {"role": "init", "image": {"repository": "tools/x"}, "args": ["--ServerApp.shutdown_no_activity_timeout=60"]}
	_paths({"annotations": null, "pods": _pods({"containers": [sidecar]})}) == {_idle}
}

test_what_is_a_notebook if {
	image := {"pods": _pods({"containers": [{"role": "main", "image": {"repository": "research/JupyterLab-gpu"}}]})}
	user := {"labels": {"component": "singleuser-server"}}
	pods_of_kubeflow := {"pods": _pods({"labels": {"notebook-name": "amara"}})}
	every sign in [image, user, pods_of_kubeflow] {
		_paths(object.union({"kind": "StatefulSet", "annotations": null}, sign)) == {_idle}
		_violations(object.union({"kind": "Job", "annotations": null}, sign)) == set()
	}
	every sign in [{}, {"labels": {"component": "hub"}}, {"labels": null}, {"labels": ["component"]}, {"labels": {"component": ["singleuser-server"]}}] {
		_violations(object.union({"kind": "StatefulSet", "annotations": null}, sign)) == set()
	}
}

test_a_notebook_that_kubeflow_stopped if {
	stopped := {"annotations": {"kubeflow-resource-stopped": "2026-11-20T18:00:00Z"}, "gpus": {"peak": 8}}
	_violations(stopped) == set()
	pods := _pods({"labels": {"notebook-name": "amara"}})
	_paths(object.union(stopped, {"kind": "StatefulSet", "pods": pods})) == {"/spec"}
}

_patches(annotations) := found if {
	found := notebooks.patches with input as {
		"subject": object.union(_subject, {"annotations": annotations}),
		"parameters": _parameters,
	}
}

test_patches if {
	_patches(null) == {{"op": "add", "path": _idle, "value": "12h"}}
	_patches({"idle": "2d"}) == set()
	_patches({"idle": "4h"}) == set()
}
