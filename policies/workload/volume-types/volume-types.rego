# METADATA
# title: Volumes are of the types that Kubernetes keeps apart
# description: >-
#   Volumes that name a server or a disk directly (nfs, cephfs, fc) pass by what the platform knows about storage: who may mount
#   it, whether it is encrypted, what data it holds. A claim asks for the same through a storage class. This is the control
#   restrictedVolumes of the Pod Security Standards, level restricted.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/concepts/storage/persistent-volumes/
# custom:
#   id: WORKLOAD-121
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName, volumes], container: [restartPolicy]}
#   parameters: {}
#   remediation: >-
#     Mount data and models through a persistentVolumeClaim (ask the platform team for one that points at your NFS or Ceph share);
#     use emptyDir for scratch space and caches.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     kubernetes-pod-security-1.35: [restrictedVolumes]
package policies.workload.volume_types

import data.lib.partial
import data.lib.settings
import data.lib.values

violations contains {"message": settings.message(volume, ""), "path": volume.path} if {
	some volume in _volumes
	volume.wants != ""
}

violations contains {"message": message, "path": volume.path} if {
	some volume in _refused
	message := concat("", [
		"the volume ",
		values.shown(object.get(volume.value, "name", "")),
		" has ",
		_types_found(volume.value),
		"; allowed are only ",
		concat(", ", _allowed),
	])
}

# Kubernetes itself makes an emptyDir of a volume without a type, if it gets to see it.
patches contains {"op": "add", "path": concat("/", [volume.path, "emptyDir"]), "value": {}} if {
	some volume in _refused
	count(_types(volume.value)) == 0
}

_allowed := [
	"configMap",
	"csi",
	"downwardAPI",
	"emptyDir",
	"ephemeral",
	"image",
	"persistentVolumeClaim",
	"projected",
	"secret",
]

_volumes contains volume if {
	some pod in input.subject.pods
	some volume in settings.elements(settings.of_pod(pod, ["volumes"]))
}

_refused contains volume if {
	some volume in _volumes
	volume.wants == ""
	not _is_allowed(volume.value)
	not _may_get_a_type(volume)
}

_may_get_a_type(volume) if {
	count(_types(volume.value)) == 0
	some pod in input.subject.pods
	partial.completed(pod)
	startswith(volume.path, concat("", [pod.path, "/volumes/"]))
}

_is_allowed(volume) if {
	some type in _allowed
	is_object(object.get(volume, type, null))
}

_types(volume) := {type |
	some type
	source := volume[type]
	type != "name"
	not is_null(source)
}

_types_found(volume) := "no type" if count(_types(volume)) == 0

_types_found(volume) := concat(" ", ["the type", concat(", ", sort(_types(volume)))]) if count(_types(volume)) > 0
