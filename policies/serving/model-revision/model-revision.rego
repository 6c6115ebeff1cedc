# METADATA
# title: Models are pinned to a revision
# description: >-
#   A branch, a tag, an alias and a path of a bucket can mean another model tomorrow than the one that was evaluated and scanned.
#   Models, tokenizers, adapters and draft models are judged. What is named outside the object (a Secret, a ConfigMap) is not
#   known to be pinned.
# scope: package
# related_resources:
#   - ref: https://huggingface.co/docs/huggingface_hub/guides/download#from-a-specific-version
#   - ref: https://mlflow.org/docs/latest/ml/model-registry/
# custom:
#   id: SERVING-003
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     immutable_sources:
#       description: >-
#         Where nothing is ever overwritten: a scheme (pvc:) or a scheme and the first segments of a path (s3://models/releases).
#         Whole segments are compared. file: is what is in the container: it came with the image, or from where another command
#         says. A preset of KAITO is as the release of KAITO has it.
#       type: array
#       items: {type: string, pattern: "^[A-Za-z][A-Za-z0-9+.-]*:[^?#]*$"}
#       uniqueItems: true
#       default: ["file:", "kaito:"]
#   remediation: >-
#     Name the exact revision: for the Hugging Face hub the commit (--revision with 40 hexadecimal digits, or @commit), for images the
#     digest, for the registry the number of the version (models:/name/3), for a bucket the version of the object.
#   controls:
#     nist-800-53-r5: [CM-2, CM-14, SI-7]
package policies.serving.model_revision

import data.lib.references
import data.lib.values

violations contains {"message": message, "path": model.path} if {
	some model in _models
	not references.is_unseen(model)
	not model.pinned == true
	not references.leads_to_one_of(model, input.parameters.immutable_sources)
	message := concat("", [references.located(model), _revision_found(model), "; required is ", _revision_required(model)])
}

violations contains {"message": message, "path": model.path} if {
	some model in _models
	references.is_unseen(model)
	message := concat("", [references.unseen(model), "; required is a reference in the manifest, with its revision"])
}

_models contains model if {
	some model in input.subject.models
	object.get(model, "role", "model") != "dataset"
}

_revision_found(model) := " names no revision" if object.get(model, "version", "") == ""

_revision_found(model) := concat("", [" names the revision ", values.shown(object.get(model, "version", "")), ", which can come to mean another one"]) if {
	object.get(model, "version", "") != ""
}

_revision_required(model) := object.get(
	{
		"hf": "a commit (40 hexadecimal digits)",
		"models": "the number of a version",
		"oci": "a digest (@sha256:...)",
		"ollama": "a digest (@sha256:...)",
	},
	object.get(model, "scheme", ""),
	"the version of the object, or a source that is never overwritten",
)
