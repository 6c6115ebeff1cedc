# METADATA
# title: Nothing is read from public buckets
# description: >-
#   What anybody can read, somebody else can change or take away, and where requests are not signed nobody knows who read what. Judged
#   are models and datasets in buckets that are known to be public, web addresses of buckets without a signature, and settings that
#   switch the signing of requests off.
# scope: package
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
#   - ref: https://cloud.google.com/storage/docs/public-access-prevention
# custom:
#   id: DATA-004
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [args, command, env, restartPolicy]}
#   parameters:
#     public_buckets:
#       description: Buckets, with their scheme and without a path. A * stands for any text; case does not count.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: ["gs://*-public", "gs://gcp-public-data*", "gs://public-*", "s3://*-public", "s3://commoncrawl", "s3://public-*"]
#   remediation: >-
#     Have the data copied to the data lake (s3://datalake/...), and read them from there with the identity of your service account; remove
#     --no-sign-request and the like.
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-14]
package policies.data.public_buckets

import data.lib.containers
import data.lib.globs
import data.lib.references
import data.lib.values

# 1. Buckets.

violations contains {"message": message, "path": reference.path} if {
	some reference in input.subject.models
	bucket := concat("", [reference.scheme, "://", split(lower(reference.name), "/")[0]])
	globs.like_one_of(bucket, _public_buckets)
	message := concat("", [references.described(reference), " is in a public bucket; required is a bucket of the platform"])
}

# 2. Web addresses.

violations contains {"message": message, "path": reference.path} if {
	some reference in input.subject.models
	uri := lower(reference.uri)
	regex.match(_web_address, uri)
	not regex.match("[?&](x-amz-signature|x-goog-signature|signature|sig)=.", uri)
	message := concat("", [
		references.described(reference),
		" is read without a signature, as anybody can; required is a bucket of the platform, by its own scheme",
	])
}

# 3. Settings.

violations contains {"message": message, "path": word.path} if {
	some word in _words
	_is_anonymous(word.text)
	message := concat("", [word.owner, " reads storage without signing its requests (in ", word.field, "); required are signed requests"])
}

violations contains {"message": message, "path": variable.path} if {
	some variable in _variables
	_switches_off(variable)
	message := concat("", [
		variable.owner,
		" reads storage without signing its requests (the variable ",
		values.shown(variable.name),
		"); required are signed requests",
	])
}

_public_buckets := [lower(bucket) | some bucket in input.parameters.public_buckets]

_web_address := concat("", [
	"^https?://([^/]*@)?([^/@]*[.])?",
	"(s3[.-]([a-z0-9.-]*[.])?amazonaws[.]com([.]cn)?|s3[.]amazonaws[.]com|",
	"storage[.]googleapis[.]com|commondatastorage[.]googleapis[.]com|r2[.]dev)[.]?(:[0-9]*)?(/|$)",
])

_words contains word if {
	some container in _containers
	some field in ["args", "command"]
	some index, text in _list(object.get(container, field, []))
	is_string(text)
	word := {
		"owner": containers.described(container),
		"field": field,
		"path": concat("/", [container.path, field, json.marshal(index)]),
		"text": text,
	}
}

# A field of a CRD that holds a whole line.
_words contains word if {
	some container in _containers
	some field in ["args", "command"]
	text := object.get(container, field, [])
	is_string(text)
	word := {
		"owner": containers.described(container),
		"field": field,
		"path": concat("/", [container.path, field]),
		"text": text,
	}
}

_variables contains variable if {
	some container in _containers
	some index, entry in _list(object.get(container, "env", []))
	is_object(entry)
	name := object.get(entry, "name", "")
	is_string(name)
	variable := {
		"owner": containers.described(container),
		"path": concat("/", [container.path, "env", json.marshal(index)]),
		"name": name,
		"value": object.get(entry, "value", ""),
		"source": object.get(entry, "valueFrom", null),
	}
}

_containers contains container if {
	some pod in input.subject.pods
	some container in pod.containers
}

_list(value) := value if is_array(value)

_list(value) := [] if not is_array(value)

# regopy 1.5.2 shows patterns a backslash before each quotation mark.
_is_anonymous(text) if {
	some pattern in [
		"(^|[ =])--no-sign-request",
		"no_sign_request\\s*=\\s*true",
		"(^|[^a-z0-9])anon(ymous)?[^a-z0-9]*true",
		"token[^a-z0-9]*anon([^a-z]|$)",
		"skip_signature[^a-z0-9]*true",
		"signature_version\\s*=\\s*(botocore[.])?unsigned",
	]
	regex.match(pattern, lower(text))
}

_switches_off(variable) if {
	upper(variable.name) in _switches
	not is_null(variable.source)
}

_switches_off(variable) if {
	upper(variable.name) in _switches
	is_string(variable.value)
	not lower(variable.value) in {"", "0", "false", "no", "off"}
}

_switches_off(variable) if {
	is_string(variable.value)
	_is_anonymous(variable.value)
}

_switches := {
	"AWSANONYMOUSCREDENTIAL",
	"AWS_NO_SIGN_REQUEST",
	"AWS_SKIP_SIGNATURE",
	"AZURE_NO_SIGN_REQUEST",
	"AZURE_SKIP_SIGNATURE",
	"AZURE_STORAGE_ANON",
	"CLOUDSDK_AUTH_DISABLE_CREDENTIALS",
	"GOOGLE_SKIP_SIGNATURE",
	"GS_NO_SIGN_REQUEST",
}
