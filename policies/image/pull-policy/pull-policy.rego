# METADATA
# title: Pull policies fit their images
# description: >-
#   With IfNotPresent a node goes on running what it once got under a tag, and with Never it runs whatever somebody left there,
#   without asking the registry who may have it. With a digest IfNotPresent is right: the content cannot change. Without an
#   imagePullPolicy Kubernetes takes Always for the tag latest, and IfNotPresent otherwise.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
# custom:
#   id: IMAGE-005
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [imagePullPolicy, restartPolicy]}
#   parameters: {}
#   remediation: >-
#     Pin the image by digest and remove imagePullPolicy; if it has to be a tag, set imagePullPolicy to Always.
#   controls:
#     nist-800-53-r5: [CM-2, SI-7]
package policies.image.pull_policy

import data.lib.containers
import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": _policy_path(container)} if {
	some container in _unfit
	message := concat("", [
		containers.described(container),
		" has ",
		_policy_found(container),
		" for an image ",
		_pinning(container),
		"; required is ",
		concat(" or ", _fit(container)),
	])
}

patches contains {"op": "replace", "path": _policy_path(container), "value": _fit(container)[0]} if {
	some container in _unfit
	not is_null(_policy(container))
}

patches contains {"op": "add", "path": _policy_path(container), "value": _fit(container)[0]} if {
	some container in _unfit
	is_null(_policy(container))
}

_unfit contains container if {
	some pod in input.subject.pods
	some container in pod.containers
	not _effective(container) in _fit(container)
	not _is_chosen_later(pod, container)
}

_is_chosen_later(pod, container) if {
	partial.completed(pod)
	_policy(container) in {"", null}
}

# The image that a controller chooses has a digest, perhaps.
_is_chosen_later(pod, container) if {
	partial.completed(pod)
	containers.unnamed(container)
	_policy(container) in {"Always", "IfNotPresent"}
}

_fit(container) := ["IfNotPresent", "Always"] if _has_digest(container)

_fit(container) := ["Always"] if not _has_digest(container)

_pinning(container) := "with a digest" if _has_digest(container)

_pinning(container) := "without a digest" if not _has_digest(container)

_has_digest(container) if {
	digest := object.get(container, ["image", "digest"], "")
	is_string(digest)
	digest != ""
}

_policy(container) := object.get(container, "imagePullPolicy", null)

_effective(container) := _policy(container) if not _policy(container) in {"", null}

_effective(container) := "Always" if {
	_policy(container) in {"", null}
	object.get(container, ["image", "tag"], "") == "latest"
}

_effective(container) := "IfNotPresent" if {
	_policy(container) in {"", null}
	object.get(container, ["image", "tag"], "") != "latest"
}

_policy_found(container) := concat(" ", ["imagePullPolicy", values.shown(_policy(container))]) if {
	not _policy(container) in {"", null}
}

_policy_found(container) := "no imagePullPolicy (which means IfNotPresent)" if _policy(container) in {"", null}

_policy_path(container) := concat("/", [container.path, "imagePullPolicy"])
