# METADATA
# title: Models are in formats that run no code
# description: >-
#   To load a pickle is to run it: .bin, .pt, .pth, .ckpt, .pkl and .joblib files can hold any program. safetensors, GGUF and ONNX
#   hold numbers. Judged are the files that a reference names, and the format that a server is told to load; a reference to a whole
#   repository does not show what is in it.
# scope: package
# related_resources:
#   - ref: https://huggingface.co/docs/hub/security-pickle
#   - ref: https://docs.python.org/3/library/pickle.html
# custom:
#   id: SERVING-006
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     endings:
#       description: What the names of files end in that can hold a pickle; case does not count.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9]+$"}
#       uniqueItems: true
#       default: [bin, ckpt, dill, joblib, pickle, pkl, pt, pth]
#     load_formats:
#       description: Formats that make a server read pickles (vllm and sglang, --load-format); case does not count.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [npcache, pt]
#     safe_frameworks:
#       description: Servers that cannot read pickles, whatever their files are called.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [faster-whisper, llama.cpp, ollama]
#   remediation: >-
#     Use the safetensors (or GGUF, ONNX) files of the model; most repositories have them. Others are converted once, in a sandbox
#     without network and credentials, and checked in to the platform's registry.
#   controls:
#     nist-800-53-r5: [SC-18, SI-3, SI-7]
package policies.serving.safe_formats

import data.lib.references
import data.lib.values

violations contains {"message": message, "path": model.path} if {
	some model in input.subject.models
	object.get(model, "role", "model") != "dataset"
	not object.get(model, "framework", "") in input.parameters.safe_frameworks
	files := _files_of(model)
	some ending in input.parameters.endings
	_ends_in(files, ending)
	message := concat("", [
		references.described(model),
		" is a .",
		ending,
		" file, which can hold a pickle; required is safetensors or another format that runs no code",
	])
}

violations contains {"message": message, "path": server.path} if {
	some server in input.subject.servers
	is_string(server.load_format)
	some format in split(lower(server.load_format), ",")
	format in {lower(refused) | some refused in input.parameters.load_formats}
	message := concat("", [
		"the model server is told to load the format ",
		values.shown(server.load_format),
		", which is pickle; required is safetensors or another format that runs no code",
	])
}

_ends_in(files, ending) if {
	some file in files
	endswith(file, concat("", [".", ending]))
}

_files_of(model) := {file |
	some field in ["name", "uri"]
	text := object.get(model, field, "")
	is_string(text)
	some file in _files(lower(text))
}

# The last segment of the path, as it is and without what can stand behind it: a query, a version, a tag.
_files(text) := {text} if contains(text, `\`)

_files(text) := {file, regex.replace(file, "[?#@:].*$", "")} if {
	not contains(text, `\`)
	segments := split(trim_right(split(split(text, "?")[0], "#")[0], "/"), "/")
	file := segments[count(segments) - 1]
}
