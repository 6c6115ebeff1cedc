# METADATA
# title: Models that come from a registry are signed
# description: >-
#   Weights are code: who can replace them decides what the service answers, and some formats run what they hold when they are loaded.
#   Models that are OCI artifacts (oci://) and image volumes are judged by their signatures. What comes from elsewhere carries none that
#   can be looked up here; serving/approved-sources says where models may come from at all.
# scope: package
# related_resources:
#   - ref: https://github.com/ossf/model-signing-spec
# custom:
#   id: MODEL-001
#   severity: high
#   subjects: [workload]
#   needs: [facts.signatures]
#   reads: {}
#   parameters:
#     signers:
#       description: Who may have signed, by the names in the evidence configuration. Empty is any of those named there.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Use the model that the registry's pipeline signed, or have it signed: cosign sign for what is in an OCI registry, with the key or
#     identity of one of the signers. pratique evidence show REFERENCE lists what was found, and why it does not count.
#   controls:
#     nist-800-53-r5: [CM-14, SI-7(15), SR-4(3)]
package policies.model.signed

import data.lib.signatures
import data.lib.values

violations contains {"message": message, "path": path} if {
	some model in input.subject.models
	object.get(model, "scheme", "") == "oci"
	object.get(model, "unresolved", "") == ""
	uri := object.get(model, "uri", "")
	not _is_signed(uri)
	path := object.get(model, "path", "")
	message := _message("the model", uri)
}

violations contains {"message": message, "path": path} if {
	some image in input.subject.images
	path := object.get(image, "path", "")
	not _is_of_a_container(path)
	reference := object.get(image, "reference", "")
	not _is_signed(reference)
	message := _message("the image volume", reference)
}

_is_of_a_container(path) if {
	some pod in input.subject.pods
	some container in pod.containers
	container.image.path == path
}

_is_signed(reference) if {
	signers := signatures.signers_of(_facts, reference)
	count(signers) > 0
	_is_wanted(signers)
}

_is_wanted(_) if count(input.parameters.signers) == 0

_is_wanted(signers) if {
	some name in input.parameters.signers
	name in signers
}

_message(what, reference) := concat("", [
	what,
	" ",
	values.shown(reference),
	signatures.unsigned(_facts, reference),
	"; required is a signature of ",
	_required,
])

_required := "a signer that the evidence configuration names" if count(input.parameters.signers) == 0

_required := concat(" or ", sort(input.parameters.signers)) if count(input.parameters.signers) > 0

_facts := {key: fact | some key, fact in input.facts.signatures}
