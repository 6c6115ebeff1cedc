package policies.image.signed_by_owner_test

import data.policies.image.signed_by_owner

_messages(labels, parameters, signers) := messages if {
	found := signed_by_owner.violations with input as {
		"subject": {
			"images": [{"path": "/spec/containers/0/image", "reference": "r.io/a:1", "error": "", "digest": ""}],
			"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
		},
		"parameters": object.union({"team_label": "team", "prefix": "", "shared_signers": []}, parameters),
		"facts": {"signatures": {"r.io/a:1": {"status": "known", "value": {"signers": signers, "refused": []}}}},
		"namespace": {"name": "n", "labels": labels},
	}
	messages := {violation.message | some violation in found}
}

_said := "container \"server\": the image \"r.io/a:1\""

test_the_team_of_the_namespace if {
	_messages({"team": "search"}, {}, ["search"]) == set()
	_messages({"team": "search"}, {"prefix": "team-"}, ["team-search"]) == set()
	_messages({"team": "search"}, {"prefix": "team-"}, ["search"]) == {concat("", [
		_said,
		" is signed by search; required is a signature of team-search",
	])}
}

test_another_team if {
	_messages({"team": "search"}, {}, ["payments"]) == {concat("", [_said, " is signed by payments; required is a signature of search"])}
}

test_what_is_for_everybody if {
	_messages({"team": "search"}, {"shared_signers": ["platform"]}, ["platform"]) == set()
	_messages({}, {"shared_signers": ["platform"]}, ["platform"]) == set()
}

test_without_a_team if {
	_messages({}, {}, ["search"]) == {concat("", [
		_said,
		" is signed by search; required is a signature of its team, and the label \"team\" of the namespace is missing",
	])}
	_messages({"team": ""}, {"shared_signers": ["platform"]}, [""]) == {concat("", [
		_said,
		" is signed by ; required is a signature of platform, and the label \"team\" of the namespace is \"\"",
	])}
	every labels in [null, ["team"], {"team": null}, {"team": ["search"]}] {
		count(_messages(labels, {}, ["search"])) == 1
	}
}
