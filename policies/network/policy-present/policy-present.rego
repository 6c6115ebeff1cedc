# METADATA
# title: Namespaces with restricted data have NetworkPolicies
# description: >-
#   Until a NetworkPolicy selects a pod, everybody in the cluster can reach it and it can reach everybody. A namespace that is
#   labelled as holding restricted data therefore has policies in the same input that select all of its pods, for ingress and for
#   egress, and none that allows everything: policies add up, so one open policy undoes all others. Judged are Namespace objects,
#   and, where it is bound to them, the workloads of such a namespace. Policies of other kinds (Cilium, Calico) are not read.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
# custom:
#   id: NETWORK-005
#   severity: high
#   subjects: [resource, workload]
#   needs: [facts.inventory, namespace]
#   reads: {}
#   parameters:
#     classification_label:
#       description: The label of namespaces that names the class of their data.
#       type: string
#       minLength: 1
#       default: data-classification
#     restricted_classes:
#       description: The classes that ask for NetworkPolicies; upper case and lower case are the same.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [restricted]
#   remediation: >-
#     Beside the namespace, keep a NetworkPolicy with podSelector {} and policyTypes [Ingress, Egress] and no rules, and others that
#     allow what is needed: DNS, the gateway in front, the object store behind. In a rule, name from or to, and ports.
#   controls:
#     nist-800-53-r5: [AC-4, SC-7]
#     cis-kubernetes-1.8: ["5.3.2"]
package policies.network.policy_present

import data.lib.values

violations contains {"message": message, "path": _path} if {
	_is_judged
	not _is_known
	message := concat("", [_holder, ", and its NetworkPolicies are not known: ", _why_not, "; required are ", _required])
}

violations contains {"message": message, "path": _path} if {
	_is_judged
	_is_known
	some direction in ["egress", "ingress"]
	count(_names(direction)) == 0
	message := concat("", [
		_holder,
		", and none of its ",
		_number,
		" NetworkPolicies selects all pods for ",
		direction,
		"; required are ",
		_required,
	])
}

violations contains {"message": message, "path": _path} if {
	_is_judged
	_is_known
	some direction in ["egress", "ingress"]
	some name in _names(concat("_", ["open", direction]))
	message := concat("", [
		_holder,
		", and its NetworkPolicy ",
		values.shown(name),
		" allows all ",
		direction,
		"; required are ",
		_required,
	])
}

_is_judged if {
	_is_subject
	is_string(_class)
	lower(_class) in {lower(class) | some class in input.parameters.restricted_classes}
}

_is_subject if {
	input.subject.kind == "Namespace"
	input.subject.apiVersion == "v1"
}

_is_subject if input.subject.type == "workload"

_label := input.parameters.classification_label

_namespace := {field: value | some field, value in input.namespace}

_class := object.get(values.as_object(object.get(_namespace, "labels", {})), _label, "")

_holder := concat("", [
	"the namespace ",
	values.shown(object.get(_namespace, "name", "")),
	" has the label ",
	values.shown(_label),
	" ",
	values.shown(_class),
])

_required := "some that select all pods for ingress and egress, and none that allows everything"

_key := concat("", ["networkpolicies/", object.get(_namespace, "name", "")])

_fact := values.as_object(object.get(_facts, _key, {}))

_facts := {key: fact | some key, fact in input.facts.inventory}

_value := object.get(_fact, "value", null)

_is_known if is_object(_value)

_why_not := object.get(_fact, "reason", "nothing was said of them")

_names(which) := listed if {
	listed := object.get(_value, which, [])
	is_array(listed)
}

_names(which) := [] if not is_array(object.get(_value, which, []))

_number := values.shown(count(_names("names")))

_path := concat("/", ["/metadata/labels", values.pointer_token(_label)]) if input.subject.type != "workload"

_path := "/metadata/namespace" if input.subject.type == "workload"
