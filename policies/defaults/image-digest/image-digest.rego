# METADATA
# title: Tags are resolved to digests
# description: >-
#   What a tag names when the object is admitted is what was judged; what it names when a pod starts may be something else. This writes
#   the digest behind the tag, which stays in the reference for people to read. The digest is the one that the evidence was looked up for.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
# custom:
#   id: DEFAULT-009
#   severity: medium
#   subjects: [workload]
#   needs: [facts.digests]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   override: true
#   parameters: {}
#   remediation: >-
#     Write the image as name:tag@sha256:... . GitOps tools compare what they applied with what is there: write the digest into the
#     manifest, or have them ignore the images that the annotation pratique.dev/mutated lists.
#   controls:
#     nist-800-53-r5: [CM-2, SI-7]
package policies.defaults.image_digest

import data.lib.containers
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in _tagged
	message := concat("", [containers.users_of(image, input.subject), ": the image ", values.shown(image.reference), _where_it_leads(image.reference)])
}

patches contains {"op": "replace", "path": image.path, "value": concat("@", [image.reference, _resolved(image.reference)])} if {
	some image in _tagged
}

_tagged contains image if {
	some image in input.subject.images
	object.get(image, "error", "") == ""
	object.get(image, "digest", "") == ""
	object.get(image, "reference", "") != ""
}

_where_it_leads(reference) := concat(" ", [" has no digest; its tag leads to", _resolved(reference)]) if _resolved(reference)

_where_it_leads(reference) := " has no digest, and the registry has no such image" if not _resolved(reference)

_resolved(reference) := digest if {
	digest := object.get(_facts, [reference, "value", "digest"], null)
	is_string(digest)
	regex.match("^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$", digest)
}

_facts := {key: fact | some key, fact in input.facts.digests}
