package policies.workload.volume_types_test

import data.lib.pods_test as pods
import data.policies.workload.volume_types

_violations(volumes) := found if {
	found := volume_types.violations with input as pods.of_pod({"volumes": volumes})
}

_patches(volumes) := found if {
	found := volume_types.patches with input as pods.of_pod({"volumes": volumes})
}

_allowed := [
	"configMap",
	"csi",
	"downwardAPI",
	"emptyDir",
	"ephemeral",
	"image",
	"persistentVolumeClaim",
	"projected",
	"secret",
]

test_allowed_types if {
	every type in _allowed {
		_violations([{"name": "data", type: {}}]) == set()
	}
	every volumes in [null, []] {
		_violations(volumes) == set()
	}
	violations := volume_types.violations with input as pods.of_pod({})
	violations == set()
}

test_other_types if {
	_violations([{"name": "tmp", "emptyDir": {}}, {"name": "data", "nfs": {"server": "s", "path": "/"}}]) == {{
		"message": concat("", ["the volume \"data\" has the type nfs; allowed are only ", concat(", ", _allowed)]),
		"path": "/spec/volumes/1",
	}}
	_patches([{"name": "data", "nfs": {}}]) == set()
	every type in ["hostPath", "gitRepo", "unheardOf", "emptydir"] {
		pods.paths(_violations([{"name": "data", type: {}}])) == {"/spec/volumes/0"}
	}
}

test_a_volume_without_a_type if {
	every volume in [{"name": "data"}, {"name": "data", "emptyDir": null}] {
		_violations([volume]) == {{
			"message": concat("", ["the volume \"data\" has no type; allowed are only ", concat(", ", _allowed)]),
			"path": "/spec/volumes/0",
		}}
		_patches([volume]) == {{"op": "add", "path": "/spec/volumes/0/emptyDir", "value": {}}}
	}
	pods.paths(_violations([{}])) == {"/spec/volumes/0"}
}

test_what_cannot_be_read_is_refused if {
	every value in ["x", 1, true, []] {
		pods.paths(_violations([{"name": "data", "emptyDir": value}])) == {"/spec/volumes/0"}
		pods.paths(_violations([value])) == {"/spec/volumes/0"}
	}
	every value in ["x", 1, true, {"emptyDir": {}}] {
		pods.paths(_violations(value)) == {"/spec/volumes"}
		_patches(value) == set()
	}
}
