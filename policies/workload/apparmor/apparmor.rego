# METADATA
# title: AppArmor stays on
# description: >-
#   The AppArmor profile of the container runtime keeps a container from mounting file systems and writing to the kernel's own
#   files. A pod must not switch it off, neither in a field nor in an annotation of old. This is the control appArmorProfile of
#   the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tutorials/security/apparmor/
# custom:
#   id: WORKLOAD-107
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove appArmorProfile and the annotations container.apparmor.security.beta.kubernetes.io/..., or set the type to
#     RuntimeDefault. For a profile of your own, let the platform team load it on the nodes and name it with type Localhost.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     cis-kubernetes-1.8: ["5.7.3"]
#     kubernetes-pod-security-1.35: [appArmorProfile]
package policies.workload.apparmor

import data.lib.profiles
import data.lib.settings
import data.lib.values

violations contains {"message": profiles.message(setting, ", or no profile"), "path": setting.path} if {
	some setting in _refused
}

violations contains {"message": message, "path": annotation.path} if {
	some annotation in _refused_annotations
	message := concat("", [
		"the annotation ",
		values.shown(annotation.name),
		" is ",
		values.shown(annotation.value),
		"; required is runtime/default or localhost/..., or no annotation",
	])
}

patches contains {"op": "replace", "path": setting.path, "value": {"type": "RuntimeDefault"}} if {
	some setting in _refused
	endswith(setting.path, "/appArmorProfile")
}

patches contains {"op": "replace", "path": annotation.path, "value": "runtime/default"} if {
	some annotation in _refused_annotations
}

_refused contains setting if {
	some pod in input.subject.pods
	some setting in profiles.refused(pod, "appArmorProfile")
}

_refused_annotations contains {"path": path, "name": name, "value": value} if {
	some pod in input.subject.pods
	some name, value in values.as_object(object.get(pod, "annotations", {}))
	startswith(name, "container.apparmor.security.beta.kubernetes.io/")
	not _allowed(value)
	path := settings.annotation_path(pod, name)
}

_allowed(value) if value in {"", "runtime/default", null}

_allowed(value) if {
	is_string(value)
	startswith(value, "localhost/")
}
