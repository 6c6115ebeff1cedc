package policies.workload.resource_limits_test

import data.policies.workload.resource_limits

_container(fields) := object.union({"path": "/spec/containers/0", "role": "main", "name": "server"}, fields)

_violations(containers) := found if {
	found := resource_limits.violations with input as {
		"subject": {"pods": [{"containers": containers}]},
		"parameters": {"resources": ["cpu", "memory"]},
	}
}

_limits(cpu, memory) := {"resources": {"limits": {"cpu": cpu, "memory": memory}}}

_no_cpu := {
	"message": "container \"server\" has no cpu limit; required is a limit above 0, such as cpu: \"2\"",
	"path": "/spec/containers/0/resources/limits/cpu",
}

_no_memory := {
	"message": "container \"server\" has no memory limit; required is a limit above 0, such as memory: 8Gi",
	"path": "/spec/containers/0/resources/limits/memory",
}

test_limits_count_in_every_notation if {
	every cpu in [1, 0.5, "1", "500m", "0.5", ".5", "1e3", "1E3", "2k"] {
		_violations([_container(_limits(cpu, "8Gi"))]) == set()
	}
	every memory in ["8Gi", "8G", "8589934592", 8589934592, "1.5Ti", "+1Gi", "8e9", "100Mi", "5E", "7Ei"] {
		_violations([_container(_limits("1", memory))]) == set()
	}
}

test_a_limit_can_be_missing_at_every_level if {
	every fields in [{}, {"resources": null}, {"resources": {}}, {"resources": {"limits": null}}, {"resources": {"limits": {}}}] {
		_violations([_container(fields)]) == {_no_cpu, _no_memory}
	}
	_violations([_container({"resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}})]) == {_no_memory}
	_violations([_container(_limits(null, "1Gi"))]) == {_no_cpu}
}

test_zero_is_no_limit if {
	every zero in [0, "0", "0.0", "00", "0Gi", "0e3", "0m", "+0"] {
		_violations([_container(_limits(zero, "1Gi"))]) == {{
			"message": concat("", [
				"container \"server\" has the cpu limit ",
				json.marshal(zero),
				"; required is a limit above 0, such as cpu: \"2\"",
			]),
			"path": "/spec/containers/0/resources/limits/cpu",
		}}
	}
}

test_what_is_no_quantity_is_no_limit if {
	every value in ["", "lots", "-1", -1, "1 Gi", "1gi", "1Gib", "e3", ".", "1\n", true, ["1"], {"cpu": 1}] {
		paths := {violation.path | some violation in _violations([_container(_limits("1", value))])}
		paths == {"/spec/containers/0/resources/limits/memory"}
	}
}

test_limits_of_the_wrong_type_limit_nothing if {
	every fields in [
		{"resources": "4 CPUs"},
		{"resources": ["cpu"]},
		{"resources": {"limits": "4 CPUs"}},
		{"resources": {"limits": ["cpu"]}},
		{"resources": 4},
	] {
		paths := {violation.path | some violation in _violations([_container(fields)])}
		paths == {
			"/spec/containers/0/resources/limits/cpu",
			"/spec/containers/0/resources/limits/memory",
		}
	}
}

test_init_containers_and_sidecars_count_and_ephemeral_ones_do_not if {
	every role in ["main", "init"] {
		count(_violations([_container({"role": role})])) == 2
	}
	count(_violations([_container({"role": "init", "restartPolicy": "Always"})])) == 2
	_violations([_container({"role": "ephemeral"})]) == set()
}

test_every_container_of_every_pod_counts if {
	first := _container({"path": "/a"})
	second := _container({"path": "/b"})
	violations := resource_limits.violations with input as {
		"subject": {"pods": [{"containers": []}, {"containers": [first]}, {"containers": [second]}]},
		"parameters": {"resources": ["memory"]},
	}
	{violation.path | some violation in violations} == {"/a/resources/limits/memory", "/b/resources/limits/memory"}
}

test_other_resources_can_be_required if {
	violations := resource_limits.violations with input as {
		"subject": {"pods": [{"containers": [_container({})]}]},
		"parameters": {"resources": ["nvidia.com/gpu"]},
	}
	violations == {{
		"message": "container \"server\" has no nvidia.com/gpu limit; required is a limit above 0, such as nvidia.com/gpu: \"1\"",
		"path": "/spec/containers/0/resources/limits/nvidia.com~1gpu",
	}}
}
