package policies.image.signed_test

import data.policies.image.signed

_known(value) := {"signatures": {"r.io/a:1": {"status": "known", "value": value}}}

_image := {"path": "/spec/containers/0/image", "reference": "r.io/a:1", "error": "", "digest": ""}

_found(image, parameters, facts) := messages if {
	found := signed.violations with input as {
		"subject": {
			"images": [image],
			"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
		},
		"parameters": object.union({"signers": [], "all": false}, parameters),
		"facts": facts,
	}
	messages := {violation.message | some violation in found; violation.path == "/spec/containers/0/image"}
}

_messages(parameters, facts) := _found(_image, parameters, facts)

test_any_signer_will_do if _messages({}, _known({"signers": ["a"], "refused": []})) == set()

test_one_of_the_named if {
	facts := _known({"signers": ["b"], "refused": []})
	_messages({"signers": ["a", "b"]}, facts) == set()
	_messages({"signers": ["a", "b"], "all": true}, facts) == {concat("", [
		"container \"server\": the image \"r.io/a:1\" is signed by b",
		"; required is a signature of a and b",
	])}
	_messages({"signers": ["a", "c"]}, facts) == {concat("", [
		"container \"server\": the image \"r.io/a:1\" is signed by b",
		"; required is a signature of a or c",
	])}
}

test_all_of_the_named if _messages({"signers": ["a", "b"], "all": true}, _known({"signers": ["b", "c", "a"]})) == set()

test_absent_is_not_signed if {
	facts := {"signatures": {"r.io/a:1": {"status": "absent", "reason": "no signature hangs on it"}}}
	_messages({"signers": ["a"]}, facts) == {concat("", [
		"container \"server\": the image \"r.io/a:1\" is not signed (no signature hangs on it)",
		"; required is a signature of a",
	])}
}

test_what_was_refused_is_told if {
	facts := _known({"signers": [], "refused": [{"reason": "unknown-key", "message": "no key that is trusted made it"}]})
	_messages({}, facts) == {concat("", [
		"container \"server\": the image \"r.io/a:1\" has no signature that counts (no key that is trusted made it)",
		"; required is a signature of a signer that the evidence configuration names",
	])}
}

test_without_a_fact_nobody_passes if {
	every facts in [{"signatures": {}}, {"signatures": {"r.io/a:1": null}}, _known({}), _known(null), _known({"signers": "a"})] {
		count(_messages({}, facts)) == 1
		count(_messages({"signers": ["a"]}, facts)) == 1
	}
}

test_what_cannot_be_read_is_not_signed if {
	image := object.union(_image, {"reference": "r.io/A:1", "error": "repository names are lower case"})
	some message in _found(image, {}, {"signatures": {"r.io/A:1": {"status": "known", "value": {"signers": ["a"]}}}})
	startswith(message, "container \"server\": the image \"r.io/A:1\" cannot be read: repository names are lower case; required is")
}
