# METADATA
# title: Images were built by a trusted builder
# description: >-
#   A signature says who vouches for an image; provenance says how it came to be. Each platform of an image has a statement by a builder
#   that the trust configuration knows, signed by who may speak for that builder, about sources that are ours, at a commit. The result of
#   a verifier (SVR, VSA) can stand for it, where it is named together with its signers; what such a verifier refused is refused until
#   it passes.
# scope: package
# related_resources:
#   - ref: https://slsa.dev/spec/v1.1/verifying-artifacts
#   - ref: https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md
# custom:
#   id: IMAGE-012
#   severity: high
#   subjects: [workload]
#   needs: [facts.provenance]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     builders:
#       description: Trusted builders, by the names of the trust configuration. None named means all that it has.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     build_types:
#       description: Build types that are accepted, as globs. None named means all.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     sources:
#       description: Where sources may come from, as globs, such as git+https://github.com/example/*. None named means anywhere.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     require_commit:
#       description: Whether the source has to be named with its commit, or another digest.
#       type: boolean
#       default: true
#     verifiers:
#       description: >-
#         Whose results stand for provenance: the id of a verifier with the signers who may speak for it, and the properties (or SLSA
#         levels) that it has to have found.
#       type: array
#       items:
#         type: object
#         required: [id, signers, properties]
#         additionalProperties: false
#         properties:
#           id: {type: string, minLength: 1}
#           signers: {type: array, items: {type: string, minLength: 1}, minItems: 1, uniqueItems: true}
#           properties: {type: array, items: {type: string, minLength: 1}, minItems: 1, uniqueItems: true}
#       uniqueItems: true
#       default: []
#     platforms:
#       description: The platforms that have to be covered, such as linux/amd64. None named means all that the image has.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$"}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Build the image in a pipeline that the platform trusts and that signs provenance, such as with GitHub's attest-build-provenance,
#     Tekton Chains or the SLSA generators. Ask the platform team to add your builder and its signer to the trust configuration.
#   controls:
#     nist-800-53-r5: [SR-3, SR-4, SI-7]
#     slsa-1.1: [build-l2]
package policies.image.provenance

import data.lib.containers
import data.lib.evidence
import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in evidence.gaps_of(_found, image)
	message := _said(image, defect)
}

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some statements in _found[image.path].documents
	not _one_will_do(statements)
	some statement in statements
	message := _said(image, concat("", [
		"a statement about ",
		evidence.shown(image),
		evidence.of_platform(object.get(statement, "platform", "")),
		" ",
		concat(", ", sort(_defects_of(statement))),
	]))
}

# What a trusted verifier refused, no other statement makes good, but a later one by the same verifier.
violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some statements in _found[image.path].documents
	_one_will_do(statements)
	some statement in statements
	_is_refusal(statement)
	not _was_passed_since(statement, statements)
	message := _said(image, concat("", [
		"the verifier ",
		values.shown(statement.verifier),
		" refused ",
		evidence.shown(image),
		evidence.of_platform(object.get(statement, "platform", "")),
		" at ",
		values.shown(object.get(statement, "verified", "")),
	]))
}

_said(image, defect) := concat("", [
	containers.users_of(image, input.subject),
	": ",
	defect,
	"; required is the provenance of a trusted builder for every platform",
])

_one_will_do(statements) if {
	some statement in statements
	count(_defects_of(statement)) == 0
}

_defects_of(statement) := _of_verifier(statement) if values.text(object.get(statement, "verifier", "")) != ""

_defects_of(statement) := (_of_builder(statement) | _of_build_type(statement)) | (_of_sources(statement) | _of_more_sources(statement)) if {
	values.text(object.get(statement, "verifier", "")) == ""
}

# Builders

_of_builder(statement) := {concat("", ["is of the builder ", values.shown(object.get(statement, "builder", "")), _not_trusted(statement)])} if {
	not _has_trusted_builder(statement)
}

_of_builder(statement) := set() if _has_trusted_builder(statement)

_has_trusted_builder(statement) if {
	name := object.get(statement, "trusted_builder", "")
	is_string(name)
	name != ""
	_is_one_of(name, input.parameters.builders)
}

_is_one_of(_, []) := true

_is_one_of(name, names) if name in names

_not_trusted(statement) := ", which nobody who signed it may speak for" if values.text(object.get(statement, "trusted_builder", "")) == ""

_not_trusted(statement) := concat("", [" (", statement.trusted_builder, "), which is not one of ", concat(", ", sort(input.parameters.builders))]) if {
	values.text(object.get(statement, "trusted_builder", "")) != ""
}

_of_build_type(statement) := {concat(" ", ["has the build type", values.shown(object.get(statement, "build_type", ""))])} if {
	count(input.parameters.build_types) > 0
	not globs.like_one_of(object.get(statement, "build_type", null), input.parameters.build_types)
}

_of_build_type(statement) := set() if {
	count(input.parameters.build_types) > 0
	globs.like_one_of(object.get(statement, "build_type", null), input.parameters.build_types)
}

_of_build_type(_) := set() if count(input.parameters.build_types) == 0

# Sources: one at least, and all of them as they must be.

_of_sources(statement) := {"names no source"} if {
	_asks_for_sources
	count(_sources_of(statement)) == 0
}

_of_sources(statement) := {defect |
	some source in _sources_of(statement)
	defect := _defect_of_source(source)
} if {
	_asks_for_sources
	count(_sources_of(statement)) > 0
}

_of_sources(_) := set() if not _asks_for_sources

# Those that are not in the list could be anybody's.
_of_more_sources(statement) := {"names more sources than can be listed"} if {
	_asks_for_sources
	"sources" in object.get(statement, "truncated", [])
}

_of_more_sources(statement) := set() if not "sources" in object.get(statement, "truncated", [])

_of_more_sources(_) := set() if not _asks_for_sources

_asks_for_sources if count(input.parameters.sources) > 0

_asks_for_sources if input.parameters.require_commit

_defect_of_source(source) := "names a source that cannot be read" if not is_object(source)

_defect_of_source(source) := concat(" ", ["is built from", values.shown(object.get(source, "uri", ""))]) if {
	is_object(source)
	not _is_from_ours(source)
}

_defect_of_source(source) := concat(" ", ["names no commit of", values.shown(object.get(source, "uri", ""))]) if {
	is_object(source)
	_is_from_ours(source)
	input.parameters.require_commit
	values.text(object.get(source, "digest", "")) == ""
}

_is_from_ours(_) if count(input.parameters.sources) == 0

_is_from_ours(source) if globs.like_one_of(object.get(source, "uri", null), input.parameters.sources)

_sources_of(statement) := listed if {
	listed := object.get(statement, "sources", [])
	is_array(listed)
}

_sources_of(statement) := [] if not is_array(object.get(statement, "sources", []))

# Verifiers

_of_verifier(statement) := {concat("", ["is of the verifier ", values.shown(object.get(statement, "verifier", "")), ", which is not trusted for who signed it, or did not find what is asked for"])} if {
	not _is_of_trusted_verifier(statement)
}

_of_verifier(statement) := set() if _is_of_trusted_verifier(statement)

_is_of_trusted_verifier(statement) if {
	object.get(statement, "result", "") == "PASSED"
	some verifier in _verifiers_of(statement)
	every property in verifier.properties {
		property in statement.properties
	}
}

# The verifiers of the binding that those who signed the statement may speak for.
_verifiers_of(statement) := [verifier |
	some verifier in input.parameters.verifiers
	verifier.id == statement.verifier
	_may_speak_for(statement, verifier)
]

_may_speak_for(statement, verifier) if {
	some signer in statement.signers
	signer in verifier.signers
}

_is_refusal(statement) if {
	object.get(statement, "result", "") == "FAILED"
	count(_verifiers_of(statement)) > 0
}

_was_passed_since(refusal, statements) if {
	some statement in statements
	statement.verifier == refusal.verifier
	_is_of_trusted_verifier(statement)
	statement.verified > refusal.verified
}

_found := evidence.about_images(_provenance, input.subject.images, _asked)

_provenance := {key: fact | some key, fact in input.facts.provenance}

_asked := {
	"what": "provenance",
	"field": "statements",
	"signers": [],
	"unsigned": false,
	"platforms": input.parameters.platforms,
}
