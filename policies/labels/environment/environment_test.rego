package policies.labels.environment_test

import data.policies.labels.environment

_violations(subject) := found if {
	found := environment.violations with input as {
		"subject": subject,
		"parameters": {"environment_label": "example.com/stage", "environments": ["live", "lab"]},
	}
}

_finding(found) := {{
	"message": concat("", ["the label \"example.com/stage\" is ", found, "; required is one of live, lab"]),
	"path": "/metadata/labels/example.com~1stage",
}}

test_each_word if {
	every word in ["live", "lab"] {
		_violations({"labels": {"example.com/stage": word}}) == set()
	}
}

test_other_words if {
	_violations({"labels": {"example.com/stage": "Live"}}) == _finding("\"Live\"")
	_violations({"labels": {"example.com/stage": ""}}) == _finding("\"\"")
	_violations({"labels": {"example.com/stage": ["live"]}}) == _finding("a list")
	_violations({"labels": {"example.com/stage": true}}) == _finding("true")
}

test_no_word if {
	every subject in [{}, {"labels": null}, {"labels": {}}, {"labels": ["live"]}, {"labels": {"example.com/stage": null}}] {
		_violations(subject) == _finding("missing")
	}
}
