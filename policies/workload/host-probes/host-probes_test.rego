package policies.workload.host_probes_test

import data.lib.pods_test as pods
import data.policies.workload.host_probes

_violations(fields) := found if {
	found := host_probes.violations with input as pods.document({}, [pods.container(fields)])
}

_patches(fields) := found if {
	found := host_probes.patches with input as pods.document({}, [pods.container(fields)])
}

_handlers(host) := [{"httpGet": {"port": 80, "host": host}}, {"tcpSocket": {"port": 80, "host": host}}]

test_probes_and_hooks_of_the_pod_itself if {
	every handler in array.concat(_handlers(""), array.concat(
		_handlers(null),
		[null, {}, {"exec": {"command": ["true"]}}, {"httpGet": null}, {"httpGet": {"port": 80}}, {"grpc": {"port": 80}}],
	)) {
		every probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
			_violations({probe: handler}) == set()
		}
		every hook in ["postStart", "preStop"] {
			_violations({"lifecycle": {hook: handler}}) == set()
		}
	}
	_violations({}) == set()
	_violations({"lifecycle": null}) == set()
}

test_every_probe_counts if {
	every probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
		every handler in ["httpGet", "tcpSocket"] {
			fields := {probe: {handler: {"port": 80, "host": "10.0.0.1"}}}
			path := concat("/", ["/spec/containers/0", probe, handler, "host"])
			_violations(fields) == {{
				"message": concat("", [
					"container \"server\" sets ",
					concat(".", [probe, handler, "host"]),
					" to \"10.0.0.1\"; required is no value",
				]),
				"path": path,
			}}
			_patches(fields) == {{"op": "remove", "path": path}}
		}
	}
}

test_every_hook_counts if {
	every hook in ["postStart", "preStop"] {
		every handler in ["httpGet", "tcpSocket"] {
			path := concat("/", ["/spec/containers/0/lifecycle", hook, handler, "host"])
			pods.paths(_violations({"lifecycle": {hook: {handler: {"host": "localhost"}}}})) == {path}
		}
	}
}

test_what_cannot_be_read_is_refused if {
	every value in [0, 1, true, false, [], {}] {
		paths := pods.paths(_violations({"livenessProbe": {"httpGet": {"host": value}}}))
		paths == {"/spec/containers/0/livenessProbe/httpGet/host"}
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations({"livenessProbe": {"httpGet": value}})) == {"/spec/containers/0/livenessProbe/httpGet"}
		pods.paths(_violations({"livenessProbe": value})) == {"/spec/containers/0/livenessProbe"}
		pods.paths(_violations({"lifecycle": value})) == {"/spec/containers/0/lifecycle"}
		_patches({"lifecycle": value}) == set()
	}
}
