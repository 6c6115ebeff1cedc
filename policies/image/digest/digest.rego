# METADATA
# title: Images are pinned by digest
# description: >-
#   A tag can be moved to other content at any time: what was scanned and evaluated yesterday need not be what starts today,
#   and two pods of one Deployment can run different code. Images of all containers and image volumes are judged.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
# custom:
#   id: IMAGE-001
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters: {}
#   remediation: >-
#     Write the image as name:tag@sha256:... . Find the digest with crane digest IMAGE or docker buildx imagetools inspect
#     IMAGE; your build pipeline prints it after a push.
#   controls:
#     nist-800-53-r5: [CM-2, SI-7]
package policies.image.digest

import data.lib.containers
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	not _pinned(image)
	message := concat("", [
		containers.users_of(image, input.subject),
		": ",
		_defect(image),
		"; required is name@sha256: and 64 hexadecimal digits",
	])
}

_pinned(image) if {
	object.get(image, "error", "") == ""
	digest := object.get(image, "digest", "")
	is_string(digest)
	regex.match("^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$", digest)
}

_defect(image) := containers.unreadable(image) if object.get(image, "error", "") != ""

_defect(image) := concat("", ["the image ", _shown(image), " has no digest"]) if {
	object.get(image, "error", "") == ""
	object.get(image, "digest", "") == ""
}

_defect(image) := concat("", ["the image ", _shown(image), " has the digest ", values.shown(image.digest)]) if {
	object.get(image, "error", "") == ""
	object.get(image, "digest", "") != ""
}

_shown(image) := values.shown(object.get(image, "reference", ""))
