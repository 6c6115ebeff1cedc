# What a NetworkPolicy of Kubernetes lets through. Nothing here reads `input`.
package lib.network_policies

import data.lib.values

# Whether the subject is a NetworkPolicy of Kubernetes.
is_network_policy(subject) if {
	subject.kind == "NetworkPolicy"
	startswith(subject.apiVersion, "networking.k8s.io/")
}

is_network_policy(subject) if {
	subject.kind == "NetworkPolicy"
	startswith(subject.apiVersion, "extensions/")
}

# The rules of one direction, `ingress` or `egress`, that have an effect: each with its path, the field of its peers (`from`
# or `to`) and what stands there.
rules_of(policy, direction) := {rule |
	spec := values.as_object(object.get(policy, "spec", null))
	_applies(spec, direction)
	list := object.get(spec, direction, null)
	is_array(list)
	some index
	value := list[index]
	is_object(value)
	field := object.get(_peer_fields, direction, null)
	rule := {
		"path": concat("/", ["/spec", direction, json.marshal(index)]),
		"direction": direction,
		"field": field,
		"peers": object.get(value, field, null),
	}
}

_peer_fields := {"ingress": "from", "egress": "to"}

_types := {"ingress": "Ingress", "egress": "Egress"}

_applies(spec, _) if not _says_types(spec)

_applies(spec, direction) if _types[direction] in spec.policyTypes

_says_types(spec) if {
	types := object.get(spec, "policyTypes", null)
	is_array(types)
	count(types) > 0
}

# The peers of those rules, each with its path; `peer` is null for a rule that names none, which lets everything through.
peers_of(policy, direction) := {peer |
	some rule in rules_of(policy, direction)
	is_array(rule.peers)
	some index
	value := rule.peers[index]
	is_object(value)
	peer := {
		"path": concat("/", [rule.path, rule.field, json.marshal(index)]),
		"peer": value,
	}
} | {peer |
	some rule in rules_of(policy, direction)
	names_no_peer(rule)
	peer := {"path": rule.path, "peer": null}
}

# Whether a rule names no peer.
names_no_peer(rule) if rule.peers in {null, []}

# What cannot be read: a violation each.
unreadable_peers(policy, direction) := union({
	_unreadable_spec(policy),
	_unreadable_list(policy, direction),
	_unreadable_peer(policy, direction),
})

_unreadable_spec(policy) := {violation |
	spec := object.get(policy, "spec", null)
	not is_null(spec)
	not is_object(spec)
	violation := {"message": "the field spec cannot be read; required is an object", "path": "/spec"}
}

_unreadable_list(policy, direction) := {violation |
	found := object.get(values.as_object(object.get(policy, "spec", null)), direction, null)
	not is_null(found)
	not _is_list_of_objects(found)
	violation := {
		"message": concat("", ["the field ", direction, " cannot be read; required is a list of objects"]),
		"path": concat("", ["/spec/", direction]),
	}
}

_unreadable_peer(policy, direction) := {violation |
	some rule in rules_of(policy, direction)
	not is_null(rule.peers)
	not _is_list_of_objects(rule.peers)
	violation := {
		"message": concat("", ["the field ", rule.field, " cannot be read; required is a list of objects"]),
		"path": concat("/", [rule.path, rule.field]),
	}
}

_is_list_of_objects(value) if {
	is_array(value)
	every item in value {
		is_object(item)
	}
}

# Whether a label selector demands nothing that an ordinary namespace or pod lacks: it is empty, or only says which labels must
# not be there, or asks for the name that every namespace has.
selects_everything(selector) if {
	is_object(selector)
	count(values.as_object(object.get(selector, "matchLabels", null))) == 0
	every requirement in _requirements(selector) {
		_demands_nothing(requirement)
	}
}

_requirements(selector) := list if {
	list := object.get(selector, "matchExpressions", null)
	is_array(list)
}

_requirements(selector) := [] if not is_array(object.get(selector, "matchExpressions", null))

_demands_nothing(requirement) if object.get(values.as_object(requirement), "operator", "") in {"DoesNotExist", "NotIn"}

_demands_nothing(requirement) if {
	object.get(values.as_object(requirement), "operator", "") == "Exists"
	object.get(values.as_object(requirement), "key", "") == "kubernetes.io/metadata.name"
}
