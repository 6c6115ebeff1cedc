# METADATA
# title: No container runs privileged
# description: >-
#   A privileged container has every capability and every device of its node: whoever gets into it owns the node, with the
#   models and the credentials of all other teams on it. Main, init and ephemeral containers are judged. GPUs need no
#   privileged mode: the device plugin hands them in.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-002
#   severity: critical
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy, securityContext], container: [restartPolicy, securityContext]}
#   parameters: {}
#   override: true
#   remediation: >-
#     Remove securityContext.privileged from the container. If a program fails without it, add the one capability that it
#     needs under securityContext.capabilities.add instead. For GPUs ask for nvidia.com/gpu under resources.limits.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.2.2"]
#     kubernetes-pod-security-1.35: [privileged]
package policies.workload.privileged

import data.lib.containers
import data.lib.values

violations contains {"message": message, "path": path} if {
	some [container, value] in _refused
	message := concat("", [
		containers.described(container),
		" sets securityContext.privileged to ",
		values.shown(value),
		"; required is false or no value",
	])
	path := concat("", [container.path, "/securityContext/privileged"])
}

violations contains {"message": message, "path": path} if {
	some pod in input.subject.pods
	some container in pod.containers
	context := container.securityContext
	not is_null(context)
	not is_object(context)
	message := concat("", [
		containers.described(container),
		" sets securityContext to ",
		values.shown(context),
		"; required is an object without privileged: true",
	])
	path := concat("", [container.path, "/securityContext"])
}

patches contains {"op": "replace", "path": path, "value": false} if {
	some [container, _] in _refused
	path := concat("", [container.path, "/securityContext/privileged"])
}

_refused contains [container, value] if {
	some pod in input.subject.pods
	some container in pod.containers
	value := container.securityContext.privileged
	not value in {false, null}
}
