# METADATA
# title: Images come from approved registries
# description: >-
#   Base images for training and serving are built, scanned and kept by the platform. An image from elsewhere has passed
#   none of that, and may be gone or replaced tomorrow. Images of all containers and image volumes are judged.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
# custom:
#   id: IMAGE-002
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     registries:
#       description: >-
#         What is approved: a registry (registry.internal, registry.internal:5000) or a registry and the first segments of
#         the repository (ghcr.io/example, docker.io/library). Whole segments are compared, so registry.internal approves
#         neither registry.internal.example.com nor registry.internal:5000.
#       type: array
#       items: {type: string, pattern: "^[^/@]+(/[^/:@]+)*/?$"}
#       minItems: 1
#       uniqueItems: true
#       default: [registry.internal]
#   remediation: >-
#     Use the copy of the image in an approved registry. If there is none, ask the platform team to mirror it; they scan it
#     on the way in.
#   controls:
#     nist-800-53-r5: [CM-7(5)]
#     cis-kubernetes-1.8: ["5.5.1"]
package policies.image.approved_registries

import data.lib.containers
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	not _approved(image)
	message := concat("", [
		containers.users_of(image, input.subject),
		": ",
		_defect(image),
		"; required is an image from ",
		concat(" or ", sort(input.parameters.registries)),
	])
}

_approved(image) if {
	object.get(image, "error", "") == ""
	name := concat("/", [lower(image.registry), image.repository, ""])
	some prefix in _approved_prefixes
	startswith(name, prefix)
}

# The slash at the end of both makes whole segments compare.
_approved_prefixes := [concat("", [_normalised(approved), "/"]) | some approved in input.parameters.registries]

_name(image) := concat("/", [lower(object.get(image, "registry", "")), object.get(image, "repository", "")])

# Host names are compared without regard to case; repositories are lower case by definition.
_normalised(approved) := trim_suffix(lower(approved), "/")

_defect(image) := containers.unreadable(image) if object.get(image, "error", "") != ""

_defect(image) := concat("", ["the image ", values.shown(object.get(image, "reference", "")), " comes from ", _name(image)]) if {
	object.get(image, "error", "") == ""
}
