package policies.gpu.mig_test

import data.lib.pods_test as pods
import data.policies.gpu.mig

_violations(resources, profiles) := found if {
	found := mig.violations with input as {
		"subject": pods.document({}, [pods.container({"resources": resources})]).subject,
		"parameters": {"mig_profiles": profiles},
	}
}

_path := "/spec/containers/0/resources/limits"

_one := "nvidia.com/mig-1g.10gb"

_three := "nvidia.com/mig-3g.40gb"

test_one_slice_or_none if {
	every resources in [
		null,
		{},
		{"limits": null},
		{"limits": {}},
		{"limits": {"nvidia.com/gpu": 2}},
		{"limits": {_one: 1}},
		{"limits": {_one: "1"}},
		{"limits": {_one: 1, _three: 0, "nvidia.com/gpu": "0"}},
		{"limits": {_one: 1}, "requests": {_one: 1}},
		{"requests": {_three: 1}},
	] {
		_violations(resources, []) == set()
	}
	_violations({"limits": {_one: 1}}, ["1g.10gb"]) == set()
}

test_several_slices if {
	_violations({"limits": {_one: 2}}, []) == {{
		"message": "container \"server\" asks for nvidia.com/mig-1g.10gb: 2; required is one slice for each container",
		"path": _path,
	}}
	every resources in [
		{"limits": {_one: "2"}},
		{"limits": {_one: 1, _three: 1}},
		{"limits": {_one: 1}, "requests": {_three: 1}},
		{"requests": {_one: 4}},
		{"limits": {_one: 0.5}},
		{"limits": {_one: "many"}},
		{"limits": {_one: true}},
	] {
		pods.paths(_violations(resources, [])) == {_path}
	}
}

test_a_slice_beside_a_whole_gpu if {
	_violations({"limits": {_one: 1, "nvidia.com/gpu": 1}}, []) == {{
		"message": "container \"server\" asks for MIG slices and for nvidia.com/gpu; required is one kind of the two",
		"path": _path,
	}}
}

test_profiles_of_the_binding if {
	_violations({"limits": {_three: 1}}, ["1g.10gb", "2g.20gb"]) == {{
		"message": "container \"server\" asks for the MIG profile \"3g.40gb\"; allowed are 1g.10gb, 2g.20gb",
		"path": _path,
	}}
}
