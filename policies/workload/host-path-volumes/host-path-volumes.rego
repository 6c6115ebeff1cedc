# METADATA
# title: No volume is a path of the node
# description: >-
#   A hostPath volume shows a pod the files of its node: the credentials of the kubelet, the sockets of the container runtime,
#   the models and data of other teams. This is the control hostPathVolumes of the Pod Security Standards, level baseline; for
#   level restricted bind workload/volume-types in its place.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/concepts/storage/volumes/#hostpath
# custom:
#   id: WORKLOAD-104
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName, volumes], container: [restartPolicy]}
#   parameters: {}
#   remediation: >-
#     Mount data and models from a persistentVolumeClaim; use an emptyDir (with medium Memory for /dev/shm) for scratch space and
#     caches. GPU drivers and devices come from the device plugin, not from a volume.
#   controls:
#     nist-800-53-r5: [AC-6, SC-39]
#     cis-kubernetes-1.8: ["5.2.12"]
#     kubernetes-pod-security-1.35: [hostPathVolumes]
package policies.workload.host_path_volumes

import data.lib.settings
import data.lib.values

violations contains {"message": settings.message(volume, ""), "path": volume.path} if {
	some volume in _volumes
	volume.wants != ""
}

violations contains {"message": message, "path": path} if {
	some volume in _volumes
	volume.wants == ""
	host_path := object.get(volume.value, "hostPath", null)
	not is_null(host_path)
	message := concat("", [
		"the volume ",
		values.shown(object.get(volume.value, "name", "")),
		" is ",
		_described(host_path),
		" of the node; required is another type of volume, such as persistentVolumeClaim or emptyDir",
	])
	path := concat("/", [volume.path, "hostPath"])
}

_volumes contains volume if {
	some pod in input.subject.pods
	some volume in settings.elements(settings.of_pod(pod, ["volumes"]))
}

_described(host_path) := concat(" ", ["the path", values.shown(host_path.path)]) if {
	is_string(object.get(values.as_object(host_path), "path", null))
}

_described(host_path) := "a path" if {
	not is_string(object.get(values.as_object(host_path), "path", null))
}
