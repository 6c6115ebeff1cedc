package policies.workload.health_checks_test

import data.policies.workload.health_checks

_probe := {"httpGet": {"path": "/health", "port": 8000}}

_parameters := {"probes": ["livenessProbe", "readinessProbe"], "batch_kinds": ["CronJob", "Job"]}

_container(fields) := object.union(
	{"path": "/spec/containers/0", "role": "main", "name": "server", "ports": [{"containerPort": 8000}]},
	fields,
)

_violations_in(kind, pod, container) := found if {
	found := health_checks.violations with input as {
		"subject": {"kind": kind, "pods": [object.union(pod, {"containers": [container]})]},
		"parameters": _parameters,
	}
}

_violations(container) := _violations_in("Deployment", {}, container)

_missing(probe) := {
	"message": concat("", [
		"container \"server\" has ports and no ",
		probe,
		"; required is one with exec, grpc, httpGet or tcpSocket",
	]),
	"path": concat("/", ["/spec/containers/0", probe]),
}

test_both_probes_of_every_sort if {
	every handler in ["exec", "grpc", "httpGet", "tcpSocket"] {
		_violations(_container({"livenessProbe": {handler: {}}, "readinessProbe": {handler: {}}})) == set()
	}
}

test_each_probe_is_required if {
	_violations(_container({})) == {_missing("livenessProbe"), _missing("readinessProbe")}
	_violations(_container({"livenessProbe": _probe})) == {_missing("readinessProbe")}
	_violations(_container({"readinessProbe": _probe, "livenessProbe": null})) == {_missing("livenessProbe")}
	_violations(_container({"readinessProbe": _probe, "startupProbe": _probe})) == {_missing("livenessProbe")}
}

test_a_probe_without_a_handler_is_none if {
	every probe in [{}, {"periodSeconds": 5}, {"httpGet": null}, {"httpGet": "/health"}, "/health", ["/health"], true] {
		_violations(_container({"readinessProbe": _probe, "livenessProbe": probe})) == {{
			"message": concat("", [
				"container \"server\" has ports and an empty livenessProbe; ",
				"required is one with exec, grpc, httpGet or tcpSocket",
			]),
			"path": "/spec/containers/0/livenessProbe",
		}}
	}
}

test_only_containers_with_ports_serve if {
	every ports in [null, []] {
		_violations(_container({"ports": ports})) == set()
	}
	_violations(object.remove(_container({}), ["ports"])) == set()
	count(_violations(_container({"ports": "8000"}))) == 2
}

test_only_main_containers_serve if {
	_violations(_container({"role": "init", "restartPolicy": "Always"})) == set()
	_violations(_container({"role": "init"})) == set()
	_violations(_container({"role": "ephemeral"})) == set()
}

test_what_runs_to_completion_serves_nobody if {
	_violations_in("Job", {"restartPolicy": "Never"}, _container({})) == set()
	_violations_in("CronJob", {}, _container({})) == set()
	_violations_in("Pod", {"restartPolicy": "Never"}, _container({})) == set()
	_violations_in("Pod", {"restartPolicy": "OnFailure"}, _container({})) == set()
}

test_everything_else_runs_for_good if {
	count(_violations_in("Pod", {}, _container({}))) == 2
	count(_violations_in("Pod", {"restartPolicy": "Always"}, _container({}))) == 2
	count(_violations_in("Pod", {"restartPolicy": 1}, _container({}))) == 2
	count(_violations_in("StatefulSet", {"restartPolicy": "Never"}, _container({}))) == 2
	count(_violations_in("SomethingNew", {}, _container({}))) == 2
}
