# METADATA
# title: What serves on GPUs says which model
# description: >-
#   If nothing in a manifest names the model, nobody can say what runs on these GPUs: no evaluation, no licence and no owner can be
#   looked up, and the other rules for models have nothing to judge. Judged are kinds that serve, and whatever runs a known model
#   server, if it can use a GPU.
# scope: package
# related_resources:
#   - ref: https://docs.vllm.ai/en/stable/cli/serve/
# custom:
#   id: SERVING-005
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     serving_kinds:
#       description: Kinds that serve, whatever program they run.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default:
#         - AIModel
#         - DaemonSet
#         - Deployment
#         - DynamoGraphDeployment
#         - InferenceService
#         - LLMInferenceService
#         - LeaderWorkerSet
#         - Model
#         - RayService
#         - Rollout
#         - SeldonDeployment
#         - Service
#         - StatefulSet
#     models_in_images:
#       description: Servers whose images hold their model, so that the image names it.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [nim]
#   remediation: >-
#     Name the model in the arguments of the server (vllm serve NAME, --model-id NAME), in a variable with a literal value, or in the
#     field that the kind has for it; not in a ConfigMap or Secret.
#   controls:
#     nist-800-53-r5: [CM-8, SR-4]
package policies.serving.model_named

import data.lib.references

violations contains {"message": message, "path": model.path} if {
	_is_judged
	some model in _models
	references.is_unseen(model)
	message := concat("", [references.unseen(model), "; required is its name in the manifest"])
}

violations contains {"message": message, "path": "/spec"} if {
	_is_judged
	count(_models) == 0
	not _images_hold_it
	message := concat("", [
		"this ",
		input.subject.kind,
		" uses GPUs, and nothing in it names a model; required is the model's name in an argument, a variable or a field of the kind",
	])
}

_is_judged if {
	object.get(input.subject, ["gpus", "peak"], 1) != 0
	_serves
}

_serves if input.subject.kind in input.parameters.serving_kinds

_serves if count(_frameworks) > 0

_frameworks := [server.framework |
	some server in input.subject.servers
	server.framework != ""
]

_images_hold_it if {
	count(_frameworks) > 0
	every framework in _frameworks {
		framework in input.parameters.models_in_images
	}
}

_models contains model if {
	some model in input.subject.models
	object.get(model, "role", "model") == "model"
}
