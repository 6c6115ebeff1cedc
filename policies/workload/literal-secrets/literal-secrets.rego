# METADATA
# title: No secrets in the text of a manifest
# description: >-
#   A key that stands in env, command or args is in Git, in etcd, in every audit log and on the screen of whoever describes the
#   pod. Looked for are keys by the form that their makers give them, private keys, passwords in addresses, whatever a variable
#   called PASSWORD holds, and random text in variables that are called KEY, TOKEN or SECRET. What was found is never shown.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/secret/
#   - ref: https://kubernetes.io/docs/tasks/inject-data-application/distribute-credentials-secure/
# custom:
#   id: WORKLOAD-006
#   severity: critical
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName]
#     container: [args, command, env, restartPolicy]
#   parameters:
#     harmless_variables:
#       description: Names of variables that hold no secret whatever they look like.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Revoke the key first: it is known now. Put its successor into a Secret (kubectl create secret generic NAME
#     --from-literal=key=...), and refer to it with valueFrom.secretKeyRef; in args write $(VARIABLE).
#   controls:
#     nist-800-53-r5: [IA-5(7), SC-28]
#     cis-kubernetes-1.8: ["5.4.1"]
package policies.workload.literal_secrets

import data.lib.settings
import data.lib.values

# 1. Variables.

violations contains {"message": message, "path": variable.path} if {
	some variable in _variables
	some secret in _secrets_in_variable(variable)
	message := concat("", [
		variable.owner,
		" has ",
		secret,
		" in the variable ",
		values.shown(variable.name),
		"; required is valueFrom.secretKeyRef",
	])
}

# 2. Words of command and args.

violations contains {"message": message, "path": word.path} if {
	some word in _words
	some secret in _known(word.text)
	message := concat("", [word.owner, " has ", secret, " in ", word.field, "; required is $(VARIABLE) from a Secret"])
}

# 3. What cannot be searched. Its value is not shown: it may well be the secret.

violations contains {"message": message, "path": part.path} if {
	some part in _unreadable
	message := concat("", [part.owner, " sets ", part.field, " to something else than ", part.wants])
}

_elements contains element if {
	some pod in input.subject.pods
	some element in settings.elements(settings.of_containers(pod, ["env"]))
}

_lists contains list if {
	some pod in input.subject.pods
	some field in ["args", "command"]
	some list in settings.lists(settings.of_containers(pod, [field]))
}

_unreadable contains part if {
	some part in (_elements | _lists)
	part.wants != ""
}

_variables contains variable if {
	some element in _elements
	element.wants == ""
	value := object.get(element.value, "value", null)
	not is_null(value)
	name := object.get(element.value, "name", "")
	not name in input.parameters.harmless_variables
	variable := {
		"owner": element.owner,
		"path": concat("/", [element.path, "value"]),
		"name": name,
		"text": _text(value),
	}
}

_words contains word if {
	some list in _lists
	list.wants == ""
	some index, value in list.value
	word := {
		"owner": list.owner,
		"path": concat("/", [list.path, json.marshal(index)]),
		"field": list.field,
		"text": _text(value),
	}
}

_text(value) := value if is_string(value)

_text(value) := json.marshal(value) if not is_string(value)

# What is known by its form; only if there is nothing of the kind, the name of the variable counts.
_secrets_in_variable(variable) := _known(variable.text) if count(_known(variable.text)) > 0

_secrets_in_variable(variable) := _guessed(variable) if count(_known(variable.text)) == 0

_known(text) := {kind |
	regex.match(_beginnings, text)
	some kind
	pattern := _patterns[kind]
	regex.match(pattern, text)
}

# What one of the patterns below has in it: nearly all text has none of them, and is looked at once instead of eleven times.
_beginnings := "gh[pousr]_|github_pat_|glpat-|AIza|hf_|eyJ|xox|sk-|://|-----BEGIN|AKIA|ASIA|nvapi-"

_patterns := {
	"a GitHub token": "(^|[^A-Za-z0-9_])(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
	"a GitLab token": "(^|[^A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20}",
	"a Google API key": "(^|[^A-Za-z0-9_])AIza[A-Za-z0-9_-]{35}",
	"a Hugging Face token": "(^|[^A-Za-z0-9_])hf_[A-Za-z0-9]{30}",
	"a JSON Web Token": "(^|[^A-Za-z0-9_])eyJ[A-Za-z0-9_-]{10,}[.]eyJ[A-Za-z0-9_-]{10,}[.][A-Za-z0-9_-]{10}",
	"a Slack token": "(^|[^A-Za-z0-9_])xox[abeoprs]-[A-Za-z0-9-]{10}",
	"a key of a model API (sk-...)": "(^|[^A-Za-z0-9_])sk-[A-Za-z0-9_-]{20}",
	"a password in an address": "://[^/@:? ]*:[^$/@ ][^/@ ]*@",
	"a private key": "-----BEGIN [A-Z ]*PRIVATE KEY",
	"an AWS access key": "(^|[^A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{16}([^A-Za-z0-9]|$)",
	"an NVIDIA API key": "(^|[^A-Za-z0-9_])nvapi-[A-Za-z0-9_-]{40}",
}

_guessed(variable) := {kind |
	is_string(variable.name)
	some kind in {"a password", "what looks like a random key"}
	_looks_like(kind, upper(variable.name), variable.text)
}

_looks_like("a password", name, text) if {
	regex.match("(^|[_.-])(PASSWORD|PASSWD|PASSPHRASE)$", name)
	not text in {"", "false", "null", "true"}
	not startswith(text, "$(")
	not startswith(text, "/")
}

_looks_like("what looks like a random key", name, text) if {
	regex.match("(^|[_.-])(APIKEY|AUTH|CREDENTIAL|CREDENTIALS|KEY|SECRET|TOKEN)$", name)
	some run in regex.find_n("[A-Za-z0-9+=]{20,}", text, -1)
	regex.match("[0-9][^0-9]*[0-9][^0-9]*[0-9]", run)
	regex.match("[A-Za-z][^A-Za-z]*[A-Za-z][^A-Za-z]*[A-Za-z]", run)
	_is_random(run)
}

# Whether the collision entropy of the text is above 3.2 bits for each character: the chance that two of its characters, drawn
# with replacement, are the same one is below 1 in 9. Hexadecimal keys come to 1 in 12, English words to 1 in 8 and less mixed.
_is_random(text) if {
	chances := [chance |
		some character in _characters(text)
		amount := strings.count(text, character)
		chance := amount * amount
	]
	sum(chances) * 9 < count(text) * count(text)
}

_characters(text) := {character | some character in split(text, "")}
