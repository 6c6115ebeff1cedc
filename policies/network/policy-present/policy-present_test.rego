package policies.network.policy_present_test

import data.policies.network.policy_present

_closed := {"names": ["deny"], "ingress": ["deny"], "egress": ["deny"], "open_ingress": [], "open_egress": []}

_known(value) := {"inventory": {"networkpolicies/vault": {"status": "known", "value": value}}}

_namespace(labels) := {
	"subject": {"type": "resource", "apiVersion": "v1", "kind": "Namespace", "labels": labels},
	"namespace": {"name": "vault", "labels": labels},
}

_restricted := _namespace({"data-classification": "restricted"})

_violations(document, facts) := found if {
	found := policy_present.violations with input as object.union(document, {
		"facts": facts,
		"parameters": {"classification_label": "data-classification", "restricted_classes": ["restricted"]},
	})
}

_said(rest) := {
	"message": concat("", [
		"the namespace \"vault\" has the label \"data-classification\" \"restricted\", and ",
		rest,
		"; required are some that select all pods for ingress and egress, and none that allows everything",
	]),
	"path": "/metadata/labels/data-classification",
}

test_closed_both_ways if _violations(_restricted, _known(_closed)) == set()

test_each_direction_is_required if {
	_violations(_restricted, _known(object.union(_closed, {"egress": []}))) == {
		_said("none of its 1 NetworkPolicies selects all pods for egress"),
	}
	_violations(_restricted, _known(object.union(_closed, {"names": [], "ingress": [], "egress": []}))) == {
		_said("none of its 0 NetworkPolicies selects all pods for egress"),
		_said("none of its 0 NetworkPolicies selects all pods for ingress"),
	}
}

test_an_open_one_undoes_the_others if {
	_violations(_restricted, _known(object.union(_closed, {"open_egress": ["debug"]}))) == {
		_said("its NetworkPolicy \"debug\" allows all egress"),
	}
	_violations(_restricted, _known(object.union(_closed, {"open_ingress": ["a", "b"]}))) == {
		_said("its NetworkPolicy \"a\" allows all ingress"),
		_said("its NetworkPolicy \"b\" allows all ingress"),
	}
}

test_other_classes_need_none if {
	every labels in [{}, null, "restricted", {"data-classification": "internal"}, {"data-classification": null}] {
		_violations(_namespace(labels), {}) == set()
	}
	every value in [7, true, ["restricted"]] {
		_violations(_namespace({"data-classification": value}), {}) == set()
	}
}

test_upper_case_is_the_same if {
	count(_violations(_namespace({"data-classification": "RESTRICTED"}), _known(object.union(_closed, {"egress": []})))) == 1
}

test_workloads_are_judged_by_their_namespace if {
	document := object.union(_restricted, {"subject": {"type": "workload", "apiVersion": "v1", "kind": "Pod"}})
	_violations(document, _known(_closed)) == set()
	found := _violations(document, _known(object.union(_closed, {"egress": []})))
	{violation.path | some violation in found} == {"/metadata/namespace"}
}

test_other_objects_are_not if {
	document := object.union(_restricted, {"subject": {"type": "resource", "apiVersion": "v1", "kind": "Service"}})
	_violations(document, {}) == set()
}

test_what_is_not_known_is_not_fine if {
	every facts in [{}, {"inventory": null}, {"inventory": {"networkpolicies/vault": null}}, _known(null), _known("x")] {
		_violations(_restricted, facts) == {_said("its NetworkPolicies are not known: nothing was said of them")}
	}
	absent := {"inventory": {"networkpolicies/vault": {"status": "absent", "reason": "the input does not hold it"}}}
	_violations(_restricted, absent) == {_said("its NetworkPolicies are not known: the input does not hold it")}
	count(_violations(_restricted, _known({}))) == 2
	count(_violations(_restricted, _known({"ingress": "deny", "egress": {}}))) == 2
}
