# METADATA
# title: Containers do not write to their own image
# description: >-
#   In a container whose root file system is read-only, an intruder cannot leave programs behind, and a full disk of the node or
#   a download at start shows at once. Main containers, init containers and sidecars are judged; ephemeral containers, which are
#   there to try things, and pods for Windows are exempt.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-007
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.readOnlyRootFilesystem to true, and mount an emptyDir where the program writes: /tmp, and a folder for
#     caches that HF_HOME, TRITON_CACHE_DIR or XDG_CACHE_HOME name.
#   controls:
#     nist-800-53-r5: [CM-5, SI-7]
#     cis-kubernetes-1.8: ["5.7.3"]
package policies.workload.read_only_root_file_system

import data.lib.containers
import data.lib.partial
import data.lib.settings

violations contains {"message": settings.message(setting, "true"), "path": setting.path} if {
	some pod in _judged
	some setting in settings.others_of_containers(pod, _fields, _fields, {true})
}

violations contains {"message": message, "path": _path(container)} if {
	some container in _silent
	message := concat(" ", [
		containers.described(container),
		"does not set securityContext.readOnlyRootFilesystem; required is true",
	])
}

patches contains {"op": "replace", "path": setting.path, "value": true} if {
	some pod in _judged
	some setting in settings.others_of_containers(pod, _fields, _fields, {true})
	setting.wants == ""
}

patches contains {"op": "add", "path": _path(container), "value": true} if {
	some container in _silent
}

_fields := ["securityContext", "readOnlyRootFilesystem"]

# Each pod without its ephemeral containers.
_judged contains {"path": pod.path, "partial": completed, "containers": kept} if {
	some pod in input.subject.pods
	not settings.for_windows(pod)
	completed := object.get(pod, "partial", false)
	kept := [container | some container in pod.containers; object.get(container, "role", "main") != "ephemeral"]
}

_silent contains container if {
	some pod in _judged
	not partial.completed(pod)
	some container in pod.containers
	settings.unset(container, _fields)
}

_path(container) := concat("/", [container.path, "securityContext/readOnlyRootFilesystem"])
