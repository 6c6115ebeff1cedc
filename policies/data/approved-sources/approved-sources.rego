# METADATA
# title: Training reads only from the approved data lake
# description: >-
#   Data that was not registered was not cleaned, has no owner who consented, and cannot be taken out of a model again. Judged are
#   the datasets that what trains (and what may: see lib/training.rego) names in flags, variables, copies, code and fields of its
#   kind; a path in a container by what is mounted there. What is named outside the object is not known to come from the lake.
# scope: package
# related_resources:
#   - ref: https://genai.owasp.org/llmrisk/llm042025-data-and-model-poisoning/
# custom:
#   id: DATA-001
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     sources:
#       description: >-
#         A scheme (pvc:) or a scheme and the first segments of a path (s3://datalake, hf://acme), with the schemes that `pratique
#         subject` shows. Whole segments are compared, case counts. file: is what is in the container without a volume that names it:
#         it came with the image, or from where another command says. Claims are judged by DATA-002.
#       type: array
#       items: {type: string, pattern: "^[A-Za-z][A-Za-z0-9+.-]*:[^?#]*$"}
#       minItems: 1
#       uniqueItems: true
#       default: ["file:", "pvc:", "s3://datalake", "s3://models"]
#   remediation: >-
#     Read the copy of the dataset in the data lake (s3://datalake/...). If it is not there, ask the data office to register it; they
#     check its licence, its owners and its class on the way in.
#   controls:
#     nist-800-53-r5: [AC-4, SI-7, SR-4]
package policies.data.approved_sources

import data.lib.references
import data.lib.training

violations contains {"message": message, "path": dataset.path} if {
	some dataset in _datasets
	not references.is_unseen(dataset)
	not references.leads_to_one_of(dataset, input.parameters.sources)
	message := concat("", [references.located(dataset), " comes from no approved source; required is one of ", _sources])
}

violations contains {"message": message, "path": dataset.path} if {
	some dataset in _datasets
	references.is_unseen(dataset)
	message := concat("", [references.unseen(dataset), "; required is a reference in the manifest, to one of ", _sources])
}

_datasets contains dataset if {
	training.may_train(input.subject)
	some dataset in input.subject.models
	object.get(dataset, "role", "model") == "dataset"
}

_sources := concat(", ", sort(input.parameters.sources))
