package policies.platform.workspace_quota_test

import data.policies.platform.workspace_quota

_resources := {"gpuQuota": 4, "memoryQuota": "64Gi", "cpuQuota": 32}

_paths_of(spec) := {violation.path | some violation in found} if {
	found := workspace_quota.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIWorkspace"},
		"object": {"spec": spec},
		"parameters": {"quotas": {
			"development": {"gpus": 4, "memory": "64Gi", "cpus": 32},
			"production": {"gpus": 8, "memory": "1Ti", "cpus": 256},
		}},
	}
}

_paths(changed) := _paths_of({"environment": "development", "resources": object.union(_resources, changed)})

test_quotas_within if {
	every changed in [{}, {"gpuQuota": 0}, {"memoryQuota": "65536Mi"}, {"memoryQuota": 68719476736}, {"cpuQuota": "32"}, {"cpuQuota": "500m"}, {"cpuQuota": 0.5}] {
		_paths(changed) == set()
	}
	_paths_of({"environment": "production", "resources": {"gpuQuota": 8, "memoryQuota": "1Ti", "cpuQuota": 256}}) == set()
}

test_gpus if {
	every value in [5, -1, 1.5, "4", null, true, [4], {}] {
		_paths({"gpuQuota": value}) == {"/spec/resources/gpuQuota"}
	}
}

test_memory if {
	every value in ["65Gi", "1Ti", 68719476737, "64GB", "64 Gi", "64gi", "1e12", "-1Gi", "0", 0, "", "lots", null, true, ["64Gi"], {}] {
		_paths({"memoryQuota": value}) == {"/spec/resources/memoryQuota"}
	}
}

test_cpus if {
	every value in [33, "33", "32001m", 0, "0", -1, "-1", "", "all", null, true, [32], {}] {
		_paths({"cpuQuota": value}) == {"/spec/resources/cpuQuota"}
	}
}

test_environments_without_quotas if {
	every environment in ["sandbox", "Development", "", null, 7, ["development"], {}] {
		_paths_of({"environment": environment, "resources": _resources}) == {"/spec/environment"}
	}
	_paths_of({"resources": _resources}) == {"/spec/environment"}
	_paths_of("x") == {"/spec"}
	_paths_of(null) == {"/spec/environment"}
}

test_no_resources if {
	quotas := {"/spec/resources/gpuQuota", "/spec/resources/memoryQuota", "/spec/resources/cpuQuota"}
	_paths_of({"environment": "development"}) == quotas
	_paths_of({"environment": "development", "resources": null}) == quotas
	every value in ["x", 4, []] {
		_paths_of({"environment": "development", "resources": value}) == {"/spec/resources"}
	}
}

test_the_message if {
	found := workspace_quota.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIWorkspace"},
		"object": {"spec": {"environment": "development", "resources": {"gpuQuota": 4, "cpuQuota": 32}}},
		"parameters": {"quotas": {"development": {"gpus": 4, "memory": "64Gi", "cpus": 32}}},
	}
	found == {{
		"message": "spec.resources.memoryQuota is missing; required is an amount of memory such as 64Gi, at most 64Gi in development",
		"path": "/spec/resources/memoryQuota",
	}}
}
