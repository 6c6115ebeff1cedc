# METADATA
# title: Containers drop all capabilities
# description: >-
#   Container runtimes leave a container a dozen parts of root's power, such as changing the owner of any file. Training and
#   serving need none of them. This is the control capabilities_restricted of the Pod Security Standards, level restricted: all
#   are dropped, and only NET_BIND_SERVICE may come back. Pods for Windows are exempt.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-126
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.capabilities.drop to [ALL] in every container, and remove everything but NET_BIND_SERVICE from
#     capabilities.add. Servers need no capability to listen on ports from 1024 up.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.2.8", "5.2.9", "5.2.10"]
#     kubernetes-pod-security-1.35: [capabilities_restricted]
package policies.workload.capabilities_restricted

import data.lib.containers
import data.lib.partial
import data.lib.settings
import data.lib.values

violations contains {"message": settings.message(list, ""), "path": list.path} if {
	some list in _lists
	list.wants != ""
}

violations contains {"message": message, "path": _drop_path(container)} if {
	some container in _keeping
	message := concat(" ", [
		containers.described(container),
		"does not drop all capabilities; required is securityContext.capabilities.drop with ALL in it",
	])
}

violations contains {"message": message, "path": list.path} if {
	some list in _lists
	refused := _refused(list)
	count(refused) > 0
	message := concat("", [
		list.owner,
		" adds the capabilities ",
		concat(", ", sort(refused)),
		"; allowed is only NET_BIND_SERVICE",
	])
}

patches contains {"op": "add", "path": _drop_path(container), "value": ["ALL"]} if {
	some container in _keeping
	not settings.blocked(container, ["securityContext", "capabilities", "drop"])
}

patches contains {"op": "replace", "path": list.path, "value": kept} if {
	some list in _lists
	count(_refused(list)) > 0
	kept := [name | some name in list.value; name == "NET_BIND_SERVICE"]
}

_judged contains pod if {
	some pod in input.subject.pods
	not settings.for_windows(pod)
}

_lists contains list if {
	some pod in _judged
	some field in ["add", "drop"]
	some list in settings.lists(settings.of_containers(pod, ["securityContext", "capabilities", field]))
}

_keeping contains container if {
	some pod in _judged
	some container in pod.containers
	not _drops_all(container)
	not partial.left_open(pod, container, ["securityContext", "capabilities", "drop"])
}

_drops_all(container) if {
	drop := object.get(container, ["securityContext", "capabilities", "drop"], null)
	is_array(drop)
	"ALL" in drop
}

# The capabilities that are added against the rule.
_refused(list) := {values.shown(name) |
	list.wants == ""
	endswith(list.path, "/add")
	some name in list.value
	name != "NET_BIND_SERVICE"
}

_drop_path(container) := concat("/", [container.path, "securityContext/capabilities/drop"])
