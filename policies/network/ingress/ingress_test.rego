package policies.network.ingress_test

import data.lib.pods_test
import data.policies.network.ingress

_parameters := {
	"approved_hosts": ["*.internal"],
	"allow_no_host": false,
	"allow_wildcard_hosts": false,
	"insecure_annotations": {"example.com/ssl-redirect": "false"},
}

_document(subject, spec, parameters) := {
	"subject": object.union({"annotations": {}}, subject),
	"object": {"spec": spec},
	"parameters": object.union(_parameters, parameters),
}

_found(subject, spec, parameters) := found if {
	found := ingress.violations with input as _document(subject, spec, parameters)
}

_ingress := {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}

_gateway := {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}

_route := {"apiVersion": "route.openshift.io/v1", "kind": "Route"}

_paths(subject, spec) := pods_test.paths(_found(subject, spec, {}))

_with_tls(host, covered) := {"rules": [{"host": host}], "tls": [{"hosts": covered}]}

test_the_findings if {
	_found(_ingress, {"rules": [{"host": "llm.internal"}]}, {}) == {{
		"message": "the rule is not covered by TLS; required is an entry of spec.tls that lists \"llm.internal\"",
		"path": "/spec/rules/0/host",
	}}
	_found(_ingress, _with_tls("llm.example.com", ["llm.example.com"]), {}) == {{
		"message": "the rule names the host \"llm.example.com\"; required is a host like *.internal",
		"path": "/spec/rules/0/host",
	}}
}

test_what_tls_covers if {
	every hosts in [["llm.internal"], ["a.internal", "llm.internal"], ["*.internal"]] {
		_paths(_ingress, _with_tls("llm.internal", hosts)) == set()
	}
	every hosts in [null, [], "llm.internal", [null], [""], ["*"], ["*.llm.internal"], ["LLM.internal"]] {
		_paths(_ingress, _with_tls("llm.internal", hosts)) == {"/spec/rules/0/host"}
	}
	_paths(_ingress, _with_tls("a.llm.internal", ["*.internal"])) == {"/spec/rules/0/host"}
}

test_hosts if {
	every host in ["internal", "llm.internal.example.com", "llm.INTERNAL", 1, {}] {
		_paths(_ingress, _with_tls(host, [host])) == {"/spec/rules/0/host"}
	}
	every host in [null, ""] {
		_paths(_ingress, _with_tls(host, ["*.internal"])) == {"/spec/rules/0/host"}
		count(_found(_ingress, _with_tls(host, ["*.internal"]), {"allow_no_host": true})) == 1
	}
	_paths(_ingress, _with_tls("*.internal", ["*.internal"])) == {"/spec/rules/0/host"}
	_found(_ingress, _with_tls("*.internal", ["*.internal"]), {"allow_wildcard_hosts": true}) == set()
}

test_backends_without_rules if {
	every field in ["backend", "defaultBackend"] {
		_paths(_ingress, {field: {"service": {"name": "x"}}}) == {concat("/", ["/spec", field])}
	}
	every spec in [null, {}, {"rules": null, "tls": null}, {"rules": []}] {
		_paths(_ingress, spec) == set()
	}
}

test_annotations if {
	subject := object.union(_ingress, {"annotations": {"example.com/ssl-redirect": "false"}})
	_paths(subject, {}) == {"/metadata/annotations/example.com~1ssl-redirect"}
	patches := ingress.patches with input as _document(subject, {}, {})
	patches == {{"op": "remove", "path": "/metadata/annotations/example.com~1ssl-redirect"}}
	every annotations in [null, "x", {"example.com/ssl-redirect": "true"}] {
		_paths(object.union(_ingress, {"annotations": annotations}), {}) == set()
	}
}

test_gateways if {
	_paths(_gateway, {"listeners": [{"protocol": "HTTPS", "hostname": "llm.internal"}]}) == set()
	every protocol in [null, "HTTP", "TCP", "https", 1] {
		_paths(_gateway, {"listeners": [{"protocol": protocol, "hostname": "llm.internal"}]}) == {"/spec/listeners/0/protocol"}
	}
	every host in [null, "", "llm.example.com", "*.internal"] {
		_paths(_gateway, {"listeners": [{"protocol": "TLS", "hostname": host}]}) == {"/spec/listeners/0/hostname"}
	}
}

test_routes_of_the_gateway_api if {
	every kind in ["GRPCRoute", "HTTPRoute", "TLSRoute"] {
		subject := {"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": kind}
		_paths(subject, {"hostnames": ["a.internal", "llm.example.com", ""]}) == {"/spec/hostnames/1", "/spec/hostnames/2"}
		_paths(subject, {"hostnames": null}) == set()
		_paths(subject, {"hostnames": "a.internal"}) == {"/spec/hostnames"}
	}
}

test_routes_of_openshift if {
	_paths(_route, {"host": "llm.internal", "tls": {"termination": "reencrypt"}}) == set()
	_paths(_route, {"tls": {"termination": "edge"}}) == {"/spec/host"}
	_paths(_route, {"host": "llm.internal"}) == {"/spec/tls"}
	every tls in ["x", [], 1] {
		_paths(_route, {"host": "llm.internal", "tls": tls}) == {"/spec/tls"}
	}
	every policy in ["Allow", "allow", 1] {
		spec := {"host": "llm.internal", "tls": {"insecureEdgeTerminationPolicy": policy}}
		_paths(_route, spec) == {"/spec/tls/insecureEdgeTerminationPolicy"}
	}
	_paths(_route, {"host": "llm.internal", "tls": {}, "wildcardPolicy": "Subdomain"}) == {"/spec/wildcardPolicy"}
}

test_values_of_the_wrong_type if {
	every subject in [_ingress, _gateway] {
		every spec in ["x", 1, [], true] {
			_paths(subject, spec) == {"/spec"}
		}
	}
	every field in ["rules", "tls"] {
		every list in ["x", 1, {}, [null], ["x"]] {
			_paths(_ingress, {field: list}) == {concat("/", ["/spec", field])}
		}
	}
	_paths(_gateway, {"listeners": {}}) == {"/spec/listeners"}
}

test_other_kinds_are_not_judged if {
	every subject in [
		{"apiVersion": "v1", "kind": "Service"},
		{"apiVersion": "networking.istio.io/v1", "kind": "Gateway"},
		{"apiVersion": "config.openshift.io/v1", "kind": "Ingress"},
		{"apiVersion": "serving.knative.dev/v1", "kind": "Route"},
	] {
		_paths(subject, {"rules": [{}], "listeners": [{}], "hostnames": [""]}) == set()
	}
}
