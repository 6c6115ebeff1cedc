# METADATA
# title: No code that comes with a model is run
# description: >-
#   With trust_remote_code, whoever can write to the model's repository runs Python in the server, with its GPUs, its network and its
#   credentials. Judged are switches, variables, fields of kinds and code on the command line, of servers and of all other programs
#   that load models. A switch whose value is in a Secret or ConfigMap counts as on.
# scope: package
# related_resources:
#   - ref: https://huggingface.co/docs/transformers/models#custom-models
# custom:
#   id: SERVING-002
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {container: [args, command, env]}
#   parameters: {}
#   override: true
#   remediation: >-
#     Remove --trust-remote-code (or set the variable or field to false); current versions of the frameworks know most architectures
#     themselves. If the model needs its own code, have the code reviewed and built into an image.
#   controls:
#     nist-800-53-r5: [CM-7(4), SC-18, SI-7(15)]
package policies.serving.trust_remote_code

violations contains {"message": message, "path": path} if {
	some path in _trusting
	message := "trust_remote_code is on, so that code that comes with the model runs; required is off"
}

patches contains {"op": "remove", "path": word.path} if {
	some word in _words
	word.path in _trusting
	_is_switch(word)
}

patches contains {"op": "replace", "path": path, "value": "false"} if {
	count(_trusting) > 0
	some container in _containers
	env := object.get(container, "env", [])
	is_array(env)
	some index, variable in env
	path := concat("/", [container.path, "env", json.marshal(index), "value"])
	path in _trusting
	endswith(upper(variable.name), "TRUST_REMOTE_CODE")
}

patches contains {"op": "replace", "path": path, "value": false} if {
	some path in _trusting
	endswith(path, "/trustRemoteCode")
}

_trusting contains path if {
	some server in input.subject.servers
	path := server.trust_remote_code
	path != ""
}

_containers contains container if {
	some pod in input.subject.pods
	some container in pod.containers
}

_words contains word if {
	count(_trusting) > 0
	some container in _containers
	some field in ["args", "command"]
	list := object.get(container, field, [])
	is_array(list)
	some index, text in list
	is_string(text)
	word := {
		"path": concat("/", [container.path, field, json.marshal(index)]),
		"text": text,
		"next": array.slice(list, index + 1, index + 2),
	}
}

# The whole switch is this word. Where its value is the next one, two words would have to go.
_is_switch(word) if regex.match("^--?trust[-_]remote[-_]code=.*$", word.text)

_is_switch(word) if {
	regex.match("^--?trust[-_]remote[-_]code$", word.text)
	not _has_value(word)
}

_has_value(word) if lower(word.next[0]) in {"1", "on", "true", "yes"}

_has_value(word) if startswith(word.next[0], "$")
