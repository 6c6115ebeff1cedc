# METADATA
# title: No image by a tag that moves
# description: >-
#   latest, main and their like are moved with every build: nobody can say later what ran, and a restart at night can start other
#   code. An image without a tag means latest. A digest makes the tag beside it harmless. To ask for digests everywhere, bind
#   image/digest.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
# custom:
#   id: IMAGE-003
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     mutable_tags:
#       description: Tags that are known to move. A glob, such as nightly-*, stands for many.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [latest, canary, dev, develop, edge, head, main, master, nightly, nightly-*, prod, stable, test]
#   remediation: >-
#     Use the tag of a release, such as vllm/vllm-openai:v0.11.0, or better a digest. Your build pipeline can tag images with the
#     commit.
#   controls:
#     nist-800-53-r5: [CM-2, SI-7]
package policies.image.mutable_tag

import data.lib.containers
import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	not _is_fixed(image)
	message := concat("", [
		containers.users_of(image, input.subject),
		": ",
		_defect_of(image),
		"; required is the tag of a release, or a digest",
	])
}

_is_fixed(image) if {
	object.get(image, "error", "") == ""
	is_string(object.get(image, "digest", null))
	image.digest != ""
}

_is_fixed(image) if {
	object.get(image, "error", "") == ""
	tag := object.get(image, "tag", "")
	is_string(tag)
	tag != ""
	not globs.like_one_of(lower(tag), input.parameters.mutable_tags)
}

_defect_of(image) := containers.unreadable(image) if object.get(image, "error", "") != ""

_defect_of(image) := concat("", [
	"the image ",
	values.shown(object.get(image, "reference", "")),
	" has the tag ",
	values.shown(object.get(image, "tag", "")),
	", which moves",
]) if {
	object.get(image, "error", "") == ""
}
