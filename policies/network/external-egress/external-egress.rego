# METADATA
# title: Models that serve sensitive data reach no external network
# description: >-
#   What a model was given, it can send out again: by a tool that it calls, or a library that reports home. Where namespace, policy or
#   selected pods carry the label of sensitive data, NetworkPolicies open the way to internal networks only, and a ServiceEntry
#   names approved hosts. Anything else is approved explicitly, with a waiver or in the parameters. An open way that no
#   NetworkPolicy closes cannot be seen here.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#   - ref: https://istio.io/latest/docs/reference/config/networking/service-entry/
# custom:
#   id: NETWORK-004
#   severity: high
#   subjects: [resource]
#   needs: [namespace, object]
#   parameters:
#     classification_label:
#       description: The label that names the class of the data, on objects and namespaces.
#       type: string
#       minLength: 1
#       default: data-classification
#     sensitive_classifications:
#       description: The classes of data that stay inside.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [confidential, restricted]
#     internal_networks:
#       description: Blocks of addresses that are inside; those of IPv6 with at most 16 bits.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "fc00::/7"]
#     approved_networks:
#       description: Blocks outside that are approved, as they are written in policies.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     approved_external_hosts:
#       description: Hosts outside that a ServiceEntry may name, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Send the traffic through the platform's egress gateway and name its pods under to. If the model must reach an external network
#     itself, ask for a waiver that says which one and why.
#   controls:
#     nist-800-53-r5: [AC-4, CA-3, SC-7]
package policies.network.external_egress

import data.lib.cidrs
import data.lib.globs
import data.lib.network_policies
import data.lib.values

# 1. NetworkPolicies.

violations contains {"message": message, "path": peer.path} if {
	_is_sensitive_policy
	some peer in network_policies.peers_of(input.object, "egress")
	is_null(peer.peer)
	message := concat("", ["the rule names no peer, which allows traffic to every network", _required])
}

violations contains {"message": message, "path": path} if {
	_is_sensitive_policy
	some peer in network_policies.peers_of(input.object, "egress")
	block := _block(peer.peer)
	not block in input.parameters.approved_networks
	not cidrs.is_within(block, input.parameters.internal_networks)
	message := concat("", ["the rule allows traffic to a block whose cidr is ", values.shown_or_missing(block), _required])
	path := concat("/", [peer.path, "ipBlock"])
}

violations contains {"message": message, "path": peer.path} if {
	_is_sensitive_policy
	some peer in network_policies.peers_of(input.object, "egress")
	peer.peer == {}
	message := concat("", ["the rule has an empty peer, which cannot be read", _required])
}

violations contains violation if {
	_is_sensitive_policy
	some violation in network_policies.unreadable_peers(input.object, "egress")
}

# 2. Istio's list of what is outside of the mesh.

violations contains {"message": message, "path": "/spec/hosts"} if {
	_is_sensitive_entry
	some host in _hosts
	not globs.like_one_of(host, input.parameters.approved_external_hosts)
	message := concat("", [
		"the ServiceEntry opens the way to what is outside, and its host is ",
		values.shown_or_missing(host),
		"; required is an approved host, or a waiver",
	])
}

_block(peer) := object.get(values.as_object(peer.ipBlock), "cidr", null) if {
	not is_null(object.get(values.as_object(peer), "ipBlock", null))
}

_required := "; required is an internal network, or a waiver"

_is_sensitive_policy if {
	network_policies.is_network_policy(input.subject)
	count(_classes) > 0
}

_is_sensitive_entry if {
	input.subject.kind == "ServiceEntry"
	startswith(input.subject.apiVersion, "networking.istio.io/")
	count(_classes) > 0
	object.get(_spec, "location", "") != "MESH_INTERNAL"
}

# Each host; null for a list that is missing or cannot be read.
_hosts := [host | some host in _spec.hosts] if {
	is_array(object.get(_spec, "hosts", null))
	count(_spec.hosts) > 0
}

_hosts := [null] if not is_array(object.get(_spec, "hosts", null))

_hosts := [null] if object.get(_spec, "hosts", null) == []

_spec := values.as_object(object.get(input.object, "spec", null))

_label := input.parameters.classification_label

_selector := values.as_object(object.get(_spec, "podSelector", null))

# The classes that say that data are sensitive: of the namespace, the object, or the pods that it selects.
_classes contains class if {
	some class in input.parameters.sensitive_classifications
	class == object.get(values.as_object(object.get(input.namespace, "labels", {})), _label, null)
}

_classes contains class if {
	some class in input.parameters.sensitive_classifications
	class == object.get(values.as_object(input.subject.labels), _label, null)
}

_classes contains class if {
	some class in input.parameters.sensitive_classifications
	class == object.get(values.as_object(object.get(_selector, "matchLabels", null)), _label, null)
}

_classes contains class if {
	some class in input.parameters.sensitive_classifications
	requirements := object.get(_selector, "matchExpressions", null)
	is_array(requirements)
	some requirement in requirements
	object.get(values.as_object(requirement), "key", null) == _label
	object.get(requirement, "operator", null) == "In"
	class in object.get(requirement, "values", [])
}
