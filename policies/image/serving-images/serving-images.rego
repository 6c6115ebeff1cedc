# METADATA
# title: What serves runs on approved images
# description: >-
#   The platform builds and tests a few images for serving, with drivers, patches and settings that fit its GPUs. The main
#   containers of what serves use one of them; sidecars and init containers are free within the approved registries.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/
# custom:
#   id: IMAGE-004
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     serving_kinds:
#       description: Kinds that serve.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [Deployment, InferenceService, LLMInferenceService, RayService, StatefulSet]
#     serving_images:
#       description: >-
#         Approved images without tag and digest, with the host of their registry. A * stands for one segment of the path.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [registry.internal/serving/*]
#   remediation: >-
#     Use one of the platform's serving images (registry.internal/serving/...), and add what you need on top of it in your own
#     Dockerfile; ask the platform team to build and approve the result.
#   controls:
#     nist-800-53-r5: [CM-2, CM-7(5)]
package policies.image.serving_images

import data.lib.containers
import data.lib.globs
import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": path} if {
	input.subject.kind in input.parameters.serving_kinds
	some pod in input.subject.pods
	some container in pod.containers
	object.get(container, "role", "main") == "main"
	not _is_chosen_later(pod, container)
	image := values.as_object(object.get(container, "image", {}))
	not _is_approved(image)
	message := concat("", [
		containers.described(container),
		" runs the image ",
		values.shown(object.get(image, "reference", "")),
		"; approved for serving are ",
		concat(", ", input.parameters.serving_images),
	])
	path := object.get(image, "path", container.path)
}

_is_chosen_later(pod, container) if {
	partial.completed(pod)
	containers.unnamed(container)
}

_is_approved(image) if {
	object.get(image, "error", "") == ""
	is_string(image.registry)
	is_string(image.repository)
	globs.path_like_one_of(concat("/", [image.registry, image.repository]), input.parameters.serving_images)
}
