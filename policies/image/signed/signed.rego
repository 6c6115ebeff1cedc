# METADATA
# title: Images are signed by somebody whom the platform trusts
# description: >-
#   A digest says that an image is what it was; a signature says whose it is. What runs without one may come from anybody who could
#   write to the registry. Who may sign, with which keys or identities, is in the evidence configuration; here stands which of them is
#   asked for. Images of all containers and image volumes are judged, each by the digest that will run.
# scope: package
# related_resources:
#   - ref: https://docs.sigstore.dev/about/overview/
# custom:
#   id: IMAGE-013
#   severity: high
#   subjects: [workload]
#   needs: [facts.signatures]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     signers:
#       description: Who may have signed, by the names in the evidence configuration; one of them is enough. Empty is any of those named there.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     all:
#       description: Whether each of the signers must have signed.
#       type: boolean
#       default: false
#   remediation: >-
#     Use the image that your build pipeline signed, or have it signed: cosign sign with the key or identity of one of the signers.
#     pratique evidence show IMAGE lists what was found, and why it does not count.
#   controls:
#     nist-800-53-r5: [CM-14, SI-7(15), SR-4(3)]
package policies.image.signed

import data.lib.containers
import data.lib.signatures
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	not _is_signed(image)
	message := concat("", [containers.users_of(image, input.subject), ": ", _defect(image), "; required is ", _required])
}

_is_signed(image) if {
	object.get(image, "error", "") == ""
	signers := signatures.signers_of(_facts, image.reference)
	count(signers) > 0
	_enough(signers)
}

_enough(_) if count(_wanted) == 0

_enough(signers) if {
	not input.parameters.all
	count(signers & _wanted) > 0
}

_enough(signers) if count(_wanted - signers) == 0

_wanted := {name | some name in input.parameters.signers}

_defect(image) := containers.unreadable(image) if object.get(image, "error", "") != ""

_defect(image) := concat("", ["the image ", values.shown(reference), signatures.unsigned(_facts, reference)]) if {
	object.get(image, "error", "") == ""
	reference := object.get(image, "reference", "")
}

_required := "a signature of a signer that the evidence configuration names" if count(_wanted) == 0

_required := concat("", ["a signature of ", concat(_joined, sort(input.parameters.signers))]) if count(_wanted) > 0

_joined := " and " if input.parameters.all

_joined := " or " if not input.parameters.all

_facts := {key: fact | some key, fact in input.facts.signatures}
