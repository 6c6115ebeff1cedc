package policies.labels.owner_test

import data.policies.labels.owner

_violations(subject) := found if {
	found := owner.violations with input as {
		"subject": subject,
		"parameters": {"owner_key": "example.com/owner", "owner_pattern": "[a-z]+|[a-z]+@[a-z.]+"},
	}
}

_required := "; required is a value that matches [a-z]+|[a-z]+@[a-z.]+"

_key := "example.com/owner"

test_a_label_or_an_annotation if {
	_violations({"labels": {_key: "search"}}) == set()
	_violations({"annotations": {_key: "ada@example.com"}}) == set()
	_violations({"labels": {_key: "search"}, "annotations": {_key: "ada@example.com"}}) == set()
}

test_nobody if {
	every subject in [
		{},
		{"labels": null, "annotations": null},
		{"labels": {}, "annotations": {}},
		{"labels": {_key: null}},
		{"labels": "owner", "annotations": ["owner"]},
	] {
		_violations(subject) == {{
			"message": concat("", ["neither a label nor an annotation \"example.com/owner\" names the owner", _required]),
			"path": "/metadata/labels/example.com~1owner",
		}}
	}
}

test_whatever_is_said_must_match if {
	_violations({"labels": {_key: "search"}, "annotations": {_key: "Ada"}}) == {{
		"message": concat("", ["the annotation \"example.com/owner\" is \"Ada\"", _required]),
		"path": "/metadata/annotations/example.com~1owner",
	}}
	every value in ["", "Search", "search\n", 7, true, ["search"], {}] {
		paths := {violation.path | some violation in _violations({"labels": {_key: value}})}
		paths == {"/metadata/labels/example.com~1owner"}
	}
}
