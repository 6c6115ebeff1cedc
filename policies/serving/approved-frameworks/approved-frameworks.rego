# METADATA
# title: Models are served by approved frameworks
# description: >-
#   A model server parses what strangers send and runs next to the data. The platform scans, patches and tunes a few of them;
#   nobody watches the others for vulnerabilities. Judged is every server that a container or a field of the kind is known to run,
#   and the runtime that it names. Of an unknown program it is not known that it serves (see SERVING-005).
# scope: package
# related_resources:
#   - ref: https://kserve.github.io/website/docs/model-serving/predictive-inference/frameworks/overview
# custom:
#   id: SERVING-001
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     frameworks:
#       description: >-
#         Servers, and model formats where a kind names those in place of a server, as `pratique subject` shows them; case does
#         not count.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default:
#         - huggingface
#         - huggingfaceserver
#         - kaito
#         - lightgbm
#         - llama.cpp
#         - mlserver
#         - nim
#         - onnx
#         - pytorch
#         - ray-llm
#         - sglang
#         - sklearn
#         - tei
#         - tensorflow
#         - tensorflow-serving
#         - tgi
#         - torchserve
#         - triton
#         - trtllm
#         - vllm
#         - xgboost
#     runtimes:
#       description: The runtime objects (ServingRuntime, ClusterServingRuntime) that may be named; none here stands for any.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Serve the model with one of the approved frameworks; most models run on vllm, and small embedding models on tei. If yours needs
#     another one, ask the platform team to review it.
#   controls:
#     nist-800-53-r5: [CM-7(5), SA-22]
package policies.serving.approved_frameworks

import data.lib.values

violations contains {"message": message, "path": server.path} if {
	some server in input.subject.servers
	_is_server(server)
	not _is_approved_framework(object.get(server, "framework", null))
	message := concat("", [
		"the model server is ",
		values.shown_or_missing(object.get(server, "framework", null)),
		"; approved are ",
		concat(", ", sort(input.parameters.frameworks)),
	])
}

violations contains {"message": message, "path": server.path} if {
	some server in input.subject.servers
	count(input.parameters.runtimes) > 0
	server.runtime != ""
	not server.runtime in input.parameters.runtimes
	message := concat("", [
		"the model server names the runtime ",
		values.shown(server.runtime),
		"; approved are ",
		concat(", ", sort(input.parameters.runtimes)),
	])
}

_is_approved_framework(name) if {
	is_string(name)
	lower(name) in _frameworks
}

# A program that only trusts the code of models is in the list of servers, too; it serves nothing.
_is_server(server) if object.get(server, "framework", null) != ""

_is_server(server) if server.trust_remote_code == ""

_is_server(server) if server.runtime != ""

_frameworks := {lower(framework) | some framework in input.parameters.frameworks}
