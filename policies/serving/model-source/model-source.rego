# METADATA
# title: Models come from approved sources
# description: >-
#   Weights from anywhere are code from anywhere, with a licence from anywhere. The platform keeps the models that were evaluated and
#   scanned in a few places. Models, tokenizers, adapters and draft models are judged by where they lead to, a path in a container by
#   what is mounted there; what an init container copies for a model server counts as its model. What is named outside the object is not known to come from there.
# scope: package
# related_resources:
#   - ref: https://genai.owasp.org/llmrisk/llm032025-supply-chain/
# custom:
#   id: SERVING-004
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     sources:
#       description: >-
#         A scheme (pvc:, models:/) or a scheme and the first segments of a path (s3://models, hf://acme,
#         oci://registry.internal/models), with the schemes that `pratique subject` shows. Whole segments are compared, the host of a
#         registry or web address without regard to case, all else exactly. file: is what is in the container without a volume that
#         names it: it came with the image, or from where another command says.
#       type: array
#       items: {type: string, pattern: "^[A-Za-z][A-Za-z0-9+.-]*:[^?#]*$"}
#       minItems: 1
#       uniqueItems: true
#       default: ["file:", "models:/", "oci://registry.internal/models", "pvc:", "s3://models"]
#   remediation: >-
#     Load the model from the platform's registry (oci://registry.internal/models/..., models:/name/version). If it is not there, ask the
#     platform team to import it; it is evaluated and scanned on the way in.
#   controls:
#     nist-800-53-r5: [CM-7(5), SR-3, SR-4]
package policies.serving.model_source

import data.lib.references
import data.lib.training

violations contains {"message": message, "path": model.path} if {
	some model in _models
	not references.is_unseen(model)
	not references.leads_to_one_of(model, input.parameters.sources)
	message := concat("", [references.located(model), " comes from no approved source; required is one of ", _sources])
}

violations contains {"message": message, "path": model.path} if {
	some model in _models
	references.is_unseen(model)
	message := concat("", [references.unseen(model), "; required is a reference in the manifest, to one of ", _sources])
}

_models contains model if {
	some model in input.subject.models
	object.get(model, "role", "model") != "dataset"
}

# What an init container copies for a model server is taken for its model.
_models contains model if {
	not training.trains(input.subject)
	some server in input.subject.servers
	server.framework != ""
	some model in input.subject.models
	object.get(model, "role", "model") == "dataset"
	contains(model.path, "/initContainers/")
}

_sources := concat(", ", sort(input.parameters.sources))
