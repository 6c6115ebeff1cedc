# METADATA
# title: An AIModel names a version from an approved registry
# description: >-
#   What a registry of the platform holds was scanned and evaluated; what comes from elsewhere was not, and a version that moves
#   can be other weights after the next restart. The source of an AIModel is an OCI reference with a tag of a release, or a digest.
# scope: package
# related_resources:
#   - ref: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
# custom:
#   id: PLATFORM-001
#   severity: high
#   subjects: [workload]
#   needs: [object]
#   reads: {}
#   parameters:
#     model_registries:
#       description: >-
#         What is approved: a registry, or a registry and the first segments of the repository. Whole segments are compared, so
#         registry.internal/models approves registry.internal/models/mistral-7b and not registry.internal/models-old/mistral-7b.
#       type: array
#       items: {type: string, pattern: "^[^/@]+(/[^/:@]+)*/?$"}
#       minItems: 1
#       uniqueItems: true
#       default: [registry.internal/models]
#     mutable_tags:
#       description: Tags that are known to move. A glob, such as nightly-*, stands for many.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [latest, canary, dev, develop, edge, head, main, master, nightly, nightly-*, prod, stable, test]
#   remediation: >-
#     Set spec.model.source to a version in an approved registry, such as registry.internal/models/mistral-7b:v2.0. A model that is
#     not there yet is brought in by the platform team.
#   controls:
#     nist-800-53-r5: [CM-2, CM-7(5), SI-7]
package policies.platform.model_source

import data.lib.globs
import data.lib.platform

violations contains {"message": message, "path": _source.path} if {
	platform.is_a(input.subject, "AIModel")
	not _is_reference
	message := platform.message(_source, concat(" ", ["a reference such as", _example]))
}

violations contains {"message": message, "path": _source.path} if {
	platform.is_a(input.subject, "AIModel")
	_is_reference
	not _is_approved
	message := platform.message(_source, concat(" ", ["a model from", concat(" or ", sort(input.parameters.model_registries))]))
}

violations contains {"message": message, "path": _source.path} if {
	platform.is_a(input.subject, "AIModel")
	_is_reference
	not _is_versioned
	message := platform.message(_source, concat(" ", ["the tag of a release, or a digest, such as", _example]))
}

_source := platform.field(input.object, ["spec", "model", "source"])

_example := concat("", [trim_suffix(input.parameters.model_registries[0], "/"), "/mistral-7b:v2.0"])

# The host reads references as registries do; one that it cannot read has no version.
_models := {model |
	some model in input.subject.models
	model.path == "/spec/model/source"
	model.scheme == "oci"
}

_is_reference if {
	_source.wants == ""
	count(_models) == 1
}

_is_approved if {
	some model in _models
	some approved in input.parameters.model_registries
	startswith(concat("", [lower(model.name), "/"]), concat("", [trim_suffix(lower(approved), "/"), "/"]))
}

_is_versioned if {
	some model in _models
	model.version != ""
	_is_fixed(model)
}

_is_fixed(model) if model.pinned

_is_fixed(model) if {
	is_string(model.version)
	not globs.like_one_of(lower(model.version), input.parameters.mutable_tags)
}
