# METADATA
# title: Images have an SBOM
# description: >-
#   When the next library turns out to be compromised, the question is which of our images have it, within the hour. Only an SBOM that
#   was made when the image was built answers that. It has to be there for each platform of the image, and signed: what anybody could
#   attach is nobody's word. Images of all containers and image volumes are judged.
# scope: package
# related_resources:
#   - ref: https://www.ntia.gov/page/software-bill-materials
#   - ref: https://docs.sigstore.dev/cosign/verifying/attestation/
# custom:
#   id: IMAGE-006
#   severity: medium
#   subjects: [workload]
#   needs: [facts.sbom]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     sbom_formats:
#       description: The formats that are accepted.
#       type: array
#       items: {enum: [CycloneDX, SPDX]}
#       minItems: 1
#       uniqueItems: true
#       default: [CycloneDX, SPDX]
#     sbom_signers:
#       description: Who may sign an SBOM, by the names of the trust configuration. Nobody named means everybody that it has.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     allow_unsigned_sboms:
#       description: Whether an SBOM that nobody signed counts, such as BuildKit attaches. Without effect where signers are named.
#       type: boolean
#       default: false
#     platforms:
#       description: The platforms that have to be covered, such as linux/amd64. None named means all that the image has.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$"}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Make an SBOM when the image is built and attach it signed, such as with syft IMAGE -o cyclonedx-json=sbom.json and
#     cosign attest --type cyclonedx --predicate sbom.json IMAGE@DIGEST.
#   controls:
#     nist-800-53-r5: [CM-8, SR-4]
#     ssdf-1.1: [PS.3.2]
package policies.image.sbom_present

import data.lib.containers
import data.lib.evidence
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in _defects_of(image)
	message := concat("", [
		containers.users_of(image, input.subject),
		": ",
		defect,
		"; required is a",
		_signature,
		" SBOM as ",
		concat(" or ", sort(input.parameters.sbom_formats)),
		" for every platform",
	])
}

_defects_of(image) := evidence.gaps_of(_found, image) if count(evidence.gaps_of(_found, image)) > 0

_defects_of(image) := {defect |
	some documents in _found[image.path].documents
	count([document | some document in documents; document.format in input.parameters.sbom_formats]) == 0
	some document in documents
	defect := concat("", [
		"an SBOM of ",
		evidence.shown(image),
		evidence.of_platform(object.get(document, "platform", "")),
		" is in the format ",
		values.shown(object.get(document, "format", null)),
	])
} if {
	count(evidence.gaps_of(_found, image)) == 0
}

_found := evidence.about_images(_sboms, input.subject.images, _asked)

_sboms := {key: fact | some key, fact in input.facts.sbom}

_asked := {
	"what": "SBOM",
	"field": "documents",
	"signers": input.parameters.sbom_signers,
	"unsigned": input.parameters.allow_unsigned_sboms,
	"platforms": input.parameters.platforms,
}

_signature := " signed" if not _unsigned_will_do

_signature := "n" if _unsigned_will_do

_unsigned_will_do if {
	input.parameters.allow_unsigned_sboms
	count(input.parameters.sbom_signers) == 0
}
