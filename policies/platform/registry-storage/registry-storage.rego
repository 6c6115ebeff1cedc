# METADATA
# title: A ModelRegistry keeps models where they may be kept
# description: >-
#   Weights are the most expensive files that a platform has, and some were trained on data that must not leave a region. The
#   registry says which kind of store, which bucket and which region, in a form that the controller can use.
# scope: package
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
# custom:
#   id: PLATFORM-006
#   severity: medium
#   subjects: [resource]
#   needs: [object]
#   parameters:
#     storage_types:
#       description: The kinds of stores that may be used.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [azure, gcs, s3]
#     regions:
#       description: The regions that models may be kept in, as globs. Write eu-* for Europe only.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: ["*"]
#   remediation: >-
#     Set spec.storage.type, bucket (the name alone, such as models; no s3:// and no folder) and region (such as eu-west-1).
#   controls:
#     nist-800-53-r5: [CM-7(5), SA-9(5)]
package policies.platform.registry_storage

import data.lib.globs
import data.lib.platform

violations contains {"message": message, "path": _type.path} if {
	platform.is_a(input.subject, "ModelRegistry")
	not _is_type
	message := platform.message(_type, concat(" ", ["one of", concat(", ", input.parameters.storage_types)]))
}

violations contains {"message": message, "path": _bucket.path} if {
	platform.is_a(input.subject, "ModelRegistry")
	not platform.is_text(_bucket, "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
	message := platform.message(_bucket, "the name of a bucket: 3 to 63 small letters, digits, hyphens and full stops")
}

violations contains {"message": message, "path": _region.path} if {
	platform.is_a(input.subject, "ModelRegistry")
	not _is_region
	message := platform.message(_region, _wanted_region)
}

_type := platform.field(input.object, ["spec", "storage", "type"])

_bucket := platform.field(input.object, ["spec", "storage", "bucket"])

_region := platform.field(input.object, ["spec", "storage", "region"])

_wanted_region := "a region such as eu-west-1" if "*" in input.parameters.regions

_wanted_region := concat(" ", ["a region like", concat(" or ", input.parameters.regions)]) if not "*" in input.parameters.regions

_is_type if {
	_type.wants == ""
	_type.value in input.parameters.storage_types
}

_is_region if {
	platform.is_text(_region, "[a-z0-9]([a-z0-9-]*[a-z0-9])?")
	globs.like_one_of(_region.value, input.parameters.regions)
}
