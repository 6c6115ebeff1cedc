# METADATA
# title: Disruption budgets leave room both ways
# description: >-
#   A PodDisruptionBudget that allows no eviction at all stops every upgrade of the nodes that its pods are on; one that allows
#   all of them at once protects nothing. Judged is what the budget itself says; how many pods it selects, it does not show.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
# custom:
#   id: WORKLOAD-008
#   severity: medium
#   subjects: [resource]
#   needs: [object]
#   parameters: {}
#   remediation: >-
#     Set maxUnavailable to 1 (and remove minAvailable), and give the model server at least two replicas.
#   controls:
#     nist-800-53-r5: [CP-10, SC-5]
package policies.workload.disruption_budget

import data.lib.values

violations contains {"message": message, "path": "/spec/maxUnavailable"} if {
	_is_budget
	value := object.get(_spec, "maxUnavailable", null)
	effect := _max_effect(value)
	message := concat("", ["maxUnavailable is ", values.shown(value), ", which ", effect, "; required is a number in between, such as 1"])
}

violations contains {"message": message, "path": "/spec/minAvailable"} if {
	_is_budget
	value := object.get(_spec, "minAvailable", null)
	effect := _min_effect(value)
	message := concat("", ["minAvailable is ", values.shown(value), ", which ", effect, "; required is maxUnavailable: 1 in its place"])
}

violations contains {"message": message, "path": "/spec"} if {
	_is_budget
	is_null(object.get(_spec, "maxUnavailable", null))
	is_null(object.get(_spec, "minAvailable", null))
	message := "the budget sets neither maxUnavailable nor minAvailable; required is one of them, such as maxUnavailable: 1"
}

patches contains {"op": "replace", "path": "/spec/maxUnavailable", "value": 1} if {
	_is_budget
	is_string(_max_effect(object.get(_spec, "maxUnavailable", null)))
}

_is_budget if {
	input.subject.kind == "PodDisruptionBudget"
	startswith(input.subject.apiVersion, "policy/")
}

_spec := values.as_object(object.get(input.object, "spec", {}))

_max_effect(value) := "allows no eviction at all" if _amount(value) == 0

_max_effect(value) := "allows all evictions at once" if _amount(value) == "all"

_max_effect(value) := "cannot be read" if {
	not is_null(value)
	_amount(value) == "?"
}

_min_effect(value) := "allows all evictions at once" if _amount(value) == 0

_min_effect(value) := "allows no eviction at all" if _amount(value) == "all"

_min_effect(value) := "cannot be read" if {
	not is_null(value)
	_amount(value) == "?"
}

# 0, "all" (100 % and more), "some", or "?" for what is no IntOrString.
_amount(value) := 0 if value in {0, "0%"}

_amount(value) := "all" if {
	is_string(value)
	regex.match("^[1-9][0-9]{2,}%$", value)
}

_amount(value) := "some" if {
	is_string(value)
	regex.match("^[1-9][0-9]?%$", value)
}

_amount(value) := "some" if {
	is_number(value)
	value > 0
	value == round(value)
}

_amount(value) := "?" if {
	not _is_share(value)
	not _is_count(value)
}

_is_share(value) if {
	is_string(value)
	regex.match("^(0|[1-9][0-9]*)%$", value)
}

_is_count(value) if {
	is_number(value)
	value >= 0
	value == round(value)
}
