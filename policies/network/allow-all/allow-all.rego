# METADATA
# title: Network policies for restricted data do not let everything through
# description: >-
#   A NetworkPolicy that allows all sources or all destinations looks like protection and is none. In namespaces whose label says
#   that they hold restricted data, no rule leaves its peers out, names a block as wide as the internet, or selects all
#   namespaces.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
# custom:
#   id: NETWORK-003
#   severity: high
#   subjects: [resource]
#   needs: [namespace, object]
#   parameters:
#     classification_label:
#       description: The label that names the class of the data, on objects and namespaces.
#       type: string
#       minLength: 1
#       default: data-classification
#     restricted_classifications:
#       description: The classes of data that need protection.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [confidential, restricted]
#     directions:
#       description: Which rules are judged.
#       type: array
#       items: {enum: [ingress, egress]}
#       uniqueItems: true
#       default: [ingress, egress]
#     shortest_prefix:
#       description: The widest block of addresses that may be named, as the number of bits that it fixes.
#       type: integer
#       minimum: 1
#       maximum: 32
#       default: 8
#   remediation: >-
#     Name the peers under from or to: a podSelector, a namespaceSelector with the namespace's name, or the smallest ipBlock. Remove
#     the rule if nobody needs it; a policy without rules lets nothing through.
#   controls:
#     nist-800-53-r5: [AC-4, SC-7]
#     cis-kubernetes-1.8: ["5.3.2"]
package policies.network.allow_all

import data.lib.cidrs
import data.lib.network_policies
import data.lib.values

violations contains {"message": message, "path": peer.path} if {
	_is_judged
	some direction in input.parameters.directions
	some peer in network_policies.peers_of(input.object, direction)
	found := _wide(peer.peer, _words[direction])
	message := concat("", [
		"the rule ",
		found,
		", in a namespace whose ",
		_label,
		" is ",
		values.shown(_class),
		"; required are the peers that are needed",
	])
}

violations contains violation if {
	_is_judged
	some direction in input.parameters.directions
	some violation in network_policies.unreadable_peers(input.object, direction)
}

_is_judged if {
	network_policies.is_network_policy(input.subject)
	_class in input.parameters.restricted_classifications
}

_label := input.parameters.classification_label

_class := object.get(values.as_object(object.get(input.namespace, "labels", {})), _label, null)

_words := {"ingress": "from", "egress": "to"}

_wide(peer, word) := concat(" ", ["names no peer, which allows traffic", word, "everywhere"]) if is_null(peer)

_wide(peer, word) := concat(" ", ["allows traffic", word, values.shown(block)]) if {
	block := object.get(values.as_object(peer), ["ipBlock", "cidr"], null)
	not is_null(block)
	not _is_narrow(block)
}

_wide(peer, word) := concat(" ", ["allows traffic", word, "all pods of all namespaces"]) if {
	is_object(peer)
	is_null(object.get(values.as_object(peer), "ipBlock", null))
	_selects_every_pod(values.as_object(peer))
}

# An empty peer selects nothing that the API server would take; here it counts as everything.
_selects_every_pod(peer) if {
	is_null(object.get(peer, "namespaceSelector", null))
	is_null(object.get(peer, "podSelector", null))
}

_selects_every_pod(peer) if {
	network_policies.selects_everything(object.get(peer, "namespaceSelector", null))
	_names_no_pod(object.get(peer, "podSelector", null))
}

_names_no_pod(selector) if is_null(selector)

_names_no_pod(selector) if network_policies.selects_everything(selector)

# Of the far longer addresses of IPv6, every network has at least as many bits as the widest one of IPv4.
_is_narrow(block) if cidrs.prefix_of(block) >= input.parameters.shortest_prefix
