package policies.workload.host_path_volumes_test

import data.lib.pods_test as pods
import data.policies.workload.host_path_volumes

_violations(volumes) := found if {
	found := host_path_volumes.violations with input as pods.of_pod({"volumes": volumes})
}

_finding(described) := {{
	"message": concat("", [
		described,
		" of the node; required is another type of volume, such as persistentVolumeClaim or emptyDir",
	]),
	"path": "/spec/volumes/0/hostPath",
}}

test_pods_without_such_volumes if {
	every volumes in [null, [], [{}], [{"name": "a"}], [{"name": "a", "emptyDir": {}}], [{"name": "a", "hostPath": null}]] {
		_violations(volumes) == set()
	}
	violations := host_path_volumes.violations with input as pods.of_pod({})
	violations == set()
}

test_the_finding if {
	_violations([{"name": "data", "hostPath": {"path": "/data"}}]) == _finding("the volume \"data\" is the path \"/data\"")
}

test_every_volume_counts if {
	pods.paths(_violations([{"hostPath": {}}, {"emptyDir": {}}, {"hostPath": {}}])) == {
		"/spec/volumes/0/hostPath",
		"/spec/volumes/2/hostPath",
	}
}

test_the_path_and_the_name_can_be_missing if {
	_violations([{"name": "data", "hostPath": {}}]) == _finding("the volume \"data\" is a path")
	_violations([{"hostPath": {"path": 7}}]) == _finding("the volume \"\" is a path")
	_violations([{"name": null, "hostPath": "x"}]) == _finding("the volume null is a path")
}

test_what_cannot_be_read_is_refused if {
	_violations({"hostPath": {}}) == {{"message": "the pod sets volumes to an object; required is a list", "path": "/spec/volumes"}}
	_violations(["data"]) == {{"message": "the pod sets volumes[0] to \"data\"; required is an object", "path": "/spec/volumes/0"}}
	pods.paths(_violations([null])) == {"/spec/volumes/0"}
}
