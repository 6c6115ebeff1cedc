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
	some word in _anonymous_words
	message := concat("", [
		containers.described(word.container),
		" reads storage without signing its requests (in ",
		word.field,
		"); required are signed requests",
	])
}

violations contains {"message": message, "path": variable.path} if {
	some variable in _anonymous_variables
	message := concat("", [
		containers.described(variable.container),
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

_anonymous_words contains {"container": container, "field": field, "path": path} if {
	some container in _containers
	some field in ["args", "command"]
	some index, text in _list(object.get(container, field, []))
	is_string(text)
	_is_anonymous(text)
	path := concat("/", [container.path, field, json.marshal(index)])
}

# A field of a CRD that holds a whole line.
_anonymous_words contains {"container": container, "field": field, "path": path} if {
	some container in _containers
	some field in ["args", "command"]
	text := object.get(container, field, [])
	is_string(text)
	_is_anonymous(text)
	path := concat("/", [container.path, field])
}

_anonymous_variables contains {"container": container, "name": name, "path": path} if {
	some container in _containers
	some index, variable in _list(object.get(container, "env", []))
	is_object(variable)
	name := object.get(variable, "name", "")
	is_string(name)
	_switches_off(name, object.get(variable, "value", ""), object.get(variable, "valueFrom", null))
	path := concat("/", [container.path, "env", json.marshal(index)])
}

_containers contains container if {
	some pod in input.subject.pods
	some container in pod.containers
}

_list(value) := value if is_array(value)

_list(value) := [] if not is_array(value)

_is_anonymous(text) if regex.match(_anonymous, lower(text))

# regopy 1.5.2 shows patterns a backslash before each quotation mark.
_anonymous := concat("|", [
	"(^|[ =])--no-sign-request",
	"no_sign_request\\s*=\\s*true",
	"(^|[^a-z0-9])anon(ymous)?[^a-z0-9]*true",
	"token[^a-z0-9]*anon([^a-z]|$)",
	"skip_signature[^a-z0-9]*true",
	"signature_version\\s*=\\s*(botocore[.])?unsigned",
])

_switches_off(name, _, source) if {
	upper(name) in _switches
	not is_null(source)
}

_switches_off(name, value, _) if {
	upper(name) in _switches
	is_string(value)
	not lower(value) in {"", "0", "false", "no", "off"}
}

_switches_off(_, value, _) if {
	is_string(value)
	_is_anonymous(value)
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
