# METADATA
# title: Stores are asked at approved endpoints
# description: >-
#   s3://datalake is a bucket of whoever answers: with AWS_ENDPOINT_URL, HF_ENDPOINT or --endpoint-url, the same name leads to another
#   host, and the other rules for models and data see no difference. Judged are variables and switches that say where a store is.
# scope: package
# related_resources:
#   - ref: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
#   - ref: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables#hfendpoint
# custom:
#   id: DATA-007
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [args, command, env, restartPolicy]}
#   parameters:
#     hosts:
#       description: Names of hosts, without a port. A * stands for any text.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default:
#         - "*.internal"
#         - "*.svc"
#         - "*.svc.cluster.local"
#         - huggingface.co
#         - s3.*.amazonaws.com
#         - s3.amazonaws.com
#         - storage.googleapis.com
#     variables:
#       description: Variables that say where a store is.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default:
#         - AWS_ENDPOINT
#         - AWS_ENDPOINT_URL
#         - AWS_ENDPOINT_URL_S3
#         - HF_ENDPOINT
#         - MLFLOW_S3_ENDPOINT_URL
#         - S3_ENDPOINT
#         - S3_ENDPOINT_URL
#         - STORAGE_EMULATOR_HOST
#   remediation: >-
#     Remove the endpoint, or name the platform's own (a host below .internal, or a service of the cluster with its full name).
#   controls:
#     nist-800-53-r5: [AC-4, SC-7]
package policies.data.storage_endpoints

import data.lib.containers
import data.lib.globs
import data.lib.references
import data.lib.values

violations contains {"message": message, "path": variable.path} if {
	some variable in _variables
	is_null(variable.source)
	not _is_approved_host(variable.value)
	message := concat("", [
		variable.owner,
		" asks for a store at ",
		values.shown(references.public(variable.value)),
		" (the variable ",
		values.shown(variable.name),
		"); approved are ",
		_hosts,
	])
}

violations contains {"message": message, "path": variable.path} if {
	some variable in _variables
	not is_null(variable.source)
	message := concat("", [
		variable.owner,
		" asks for a store at a place that cannot be seen here (the variable ",
		values.shown(variable.name),
		"); approved are ",
		_hosts,
	])
}

violations contains {"message": message, "path": word.path} if {
	some word in _words
	some endpoint in _endpoints_in(word)
	not _is_approved_host(endpoint)
	message := concat("", [
		word.owner,
		" asks for a store at ",
		values.shown(references.public(endpoint)),
		" (in ",
		word.field,
		"); approved are ",
		_hosts,
	])
}

_variables contains variable if {
	some container in _containers
	env := object.get(container, "env", [])
	is_array(env)
	some index, entry in env
	is_object(entry)
	name := object.get(entry, "name", "")
	name in input.parameters.variables
	value := object.get(entry, "value", "")
	source := object.get(entry, "valueFrom", null)
	[value, source] != ["", null]
	variable := {
		"owner": containers.described(container),
		"path": concat("/", [container.path, "env", json.marshal(index)]),
		"name": name,
		"value": value,
		"source": source,
	}
}

_words contains word if {
	some container in _containers
	some field in ["args", "command"]
	list := object.get(container, field, [])
	is_array(list)
	some index, text in list
	is_string(text)
	contains(text, "--endpoint-url")
	following := array.slice(list, index + 1, index + 2)
	word := {
		"owner": containers.described(container),
		"field": field,
		"path": concat("/", [container.path, field, json.marshal(index)]),
		"text": text,
		"next": concat("", [next | some next in following; is_string(next)]),
	}
}

_containers contains container if {
	some pod in input.subject.pods
	some container in pod.containers
}

# The switch is the word, and the endpoint the next one; or both are in the word, which may be a script. A variable that is
# judged itself may stand there.
_endpoints_in(word) := {word.next} if {
	word.text == "--endpoint-url"
	not trim(word.next, "${()}") in input.parameters.variables
}

_endpoints_in(word) := {endpoint |
	some pair in regex.find_n("--endpoint-url[= ]+[^ ;|&]+", word.text, -1)
	endpoint := trim(substring(pair, count("--endpoint-url"), -1), "= \"'")
	not trim(endpoint, "${()}") in input.parameters.variables
} if word.text != "--endpoint-url"

_is_approved_host(endpoint) if {
	is_string(endpoint)
	not contains(endpoint, `\`)
	not regex.match("[@#?]", endpoint)
	parts := split(lower(endpoint), "://")
	count(parts) <= 2
	host := split(split(parts[count(parts) - 1], "/")[0], ":")[0]
	globs.like_one_of(trim_suffix(host, "."), input.parameters.hosts)
}

_hosts := concat(", ", sort(input.parameters.hosts))
