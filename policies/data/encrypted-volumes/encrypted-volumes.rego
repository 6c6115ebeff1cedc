# METADATA
# title: Volumes are of an encrypted storage class
# description: >-
#   Disks are swapped, snapshots are copied, backups travel. Judged are claims, the templates of claims in workloads (of StatefulSets,
#   of ephemeral volumes, and wherever else a kind has them), and each storage class that a workload names. That the classes are
#   encrypted is for DATA-006 to see to; what names none gets the default of the cluster, which cannot be seen here.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1
# custom:
#   id: DATA-005
#   severity: medium
#   subjects: [resource, workload]
#   needs: [object]
#   reads: {}
#   parameters:
#     storage_classes:
#       description: Names of storage classes that are encrypted. A * stands for any text.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [encrypted, "encrypted-*", "*-encrypted"]
#   remediation: >-
#     Set storageClassName to one of the encrypted classes (kubectl get storageclass shows them). The class of a claim cannot be changed
#     afterwards; make a new one and copy the data.
#   controls:
#     nist-800-53-r5: [SC-28, SC-28(1)]
package policies.data.encrypted_volumes

import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": class.path} if {
	some class in _classes
	not globs.like_one_of(class.name, input.parameters.storage_classes)
	message := concat("", ["the storage class is ", values.shown_or_missing(class.name), "; required is ", _required])
}

# With one class there is nothing to choose.
patches contains {"op": "add", "path": class.path, "value": input.parameters.storage_classes[0]} if {
	some class in _classes
	is_null(class.name)
	count(input.parameters.storage_classes) == 1
	not contains(input.parameters.storage_classes[0], "*")
}

# 1. Of claims and their templates: the annotation of old counts before the field.

_classes contains class if {
	some claim in _claims
	is_null(_annotated(claim.value))
	class := {
		"path": concat("", [claim.path, "/spec/storageClassName"]),
		"name": object.get(values.as_object(object.get(claim.value, "spec", {})), "storageClassName", null),
	}
}

_classes contains class if {
	some claim in _claims
	name := _annotated(claim.value)
	not is_null(name)
	class := {"path": concat("", [claim.path, "/metadata/annotations/volume.beta.kubernetes.io~1storage-class"]), "name": name}
}

# 2. Of fields that other kinds have for them.

_classes contains class if {
	_ends_in_pods
	some node in _nodes
	node.tokens[count(node.tokens) - 1] in {"storageClass", "storageClassName"}
	not is_null(node.value)
	not is_object(node.value)
	class := {"path": _pointer(node.tokens), "name": node.value}
}

_claims contains {"path": "", "value": input.object} if {
	input.subject.kind == "PersistentVolumeClaim"
	input.subject.apiVersion == "v1"
}

_claims contains {"path": _pointer(node.tokens), "value": node.value} if {
	_ends_in_pods
	some node in _nodes
	node.tokens[count(node.tokens) - 1] == "volumeClaimTemplate"
	is_object(node.value)
}

_claims contains {"path": _pointer(array.concat(node.tokens, [json.marshal(index)])), "value": claim} if {
	_ends_in_pods
	some node in _nodes
	node.tokens[count(node.tokens) - 1] == "volumeClaimTemplates"
	is_array(node.value)
	some index, claim in node.value
	is_object(claim)
}

_ends_in_pods if input.subject.type == "workload"

_nodes contains {"tokens": tokens, "value": value} if {
	_may_be_named
	walk(object.get(input.object, "spec", {}), [path, value])
	count(path) > 0
	_looked_at(path[count(path) - 1])
	tokens := [token | some step in path; token := _token(step)]
}

# To walk through a pod is dear, and nearly no pod names a class: one search says so.
_may_be_named if {
	text := sprintf("%v", [object.get(input.object, "spec", {})])
	some name in ["storageClass", "volumeClaimTemplate"]
	contains(text, name)
}

_looked_at(step) if step in {"storageClass", "storageClassName", "volumeClaimTemplate", "volumeClaimTemplates"}

_token(step) := values.pointer_token(step) if is_string(step)

_token(step) := json.marshal(step) if is_number(step)

_pointer(tokens) := concat("/", array.concat(["/spec"], tokens))

_annotated(claim) := object.get(
	values.as_object(object.get(values.as_object(object.get(claim, "metadata", {})), "annotations", {})),
	"volume.beta.kubernetes.io/storage-class",
	null,
)

_required := concat("", ["one of ", concat(", ", input.parameters.storage_classes)])
