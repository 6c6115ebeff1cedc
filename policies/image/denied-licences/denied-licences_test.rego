package policies.image.denied_licences_test

import data.lib.evidence_test as evidence
import data.policies.image.denied_licences

_violations_with(facts, parameters) := found if {
	found := denied_licences.violations with input as {
		"subject": evidence.subject([evidence.image]),
		"facts": facts,
		"parameters": object.union(
			{
				"denied_licences": ["AGPL-*", "GPL-2.0-only"],
				"licence_exceptions": [],
				"allow_unlicensed": true,
				"sbom_signers": [],
				"allow_unsigned_sboms": false,
				"platforms": [],
			},
			parameters,
		),
	}
}

_document(licences) := evidence.document({"licences": licences, "unlicensed": {"components": 0, "examples": []}})

_violations_of(document, parameters) := _violations_with({"sbom": evidence.facts("documents", [document])}, parameters)

_violations(choices, parameters) := _violations_of(
	_document([{"expression": "as written", "choices": choices, "components": 2, "examples": ["a", "b"]}]),
	parameters,
)

_denied := {{
	"message": concat("", [
		"container \"server\": the image \"vllm\" has 2 components under the licence \"as written\" (such as a, b); ",
		"denied are AGPL-*, GPL-2.0-only",
	]),
	"path": "/spec/containers/0/image",
}}

test_licences_that_are_fine if {
	every choices in [[["MIT"]], [["LGPL-3.0-only", "Zlib"]], [["MIT"], ["AGPL-3.0-only"]], [["GPL-2.0-or-later"]]] {
		_violations(choices, {}) == set()
	}
	_violations_of(_document([]), {}) == set()
}

test_licences_that_are_denied if {
	every choices in [
		[["AGPL-3.0-only"]],
		[["agpl-3.0-ONLY"]],
		[["MIT", "AGPL-3.0-or-later"]],
		[["AGPL-1.0-only"], ["AGPL-3.0-only"]],
		[["GPL-2.0-only WITH Classpath-exception-2.0"]],
		[["GPL-2.0-only+"]],
		[["LicenseRef-AGPL-3.0"]],
	] {
		_violations(choices, {}) == _denied
	}
}

test_exceptions if {
	_violations([["AGPL-3.0-only"]], {"licence_exceptions": ["agpl-3.0-only"]}) == set()
	_violations([["GPL-2.0-only WITH Classpath-exception-2.0"]], {"licence_exceptions": ["* with classpath-exception-2.0"]}) == set()
	_violations([["GPL-2.0-only WITH Classpath-exception-2.0"]], {"licence_exceptions": ["GPL-3.0-only"]}) == _denied
}

test_what_leaves_no_choice_is_denied if {
	every choices in [[], null, "MIT", {}, [null], ["MIT"], [[7]], [[null]], [[["MIT"]]]] {
		_violations(choices, {}) == _denied
	}
	count(_violations_of(_document([null]), {})) == 1
	count(_violations_of(_document(["MIT"]), {})) == 1
}

test_numbers_of_components if {
	one := {"expression": "x", "choices": [["AGPL-3.0-only"]], "components": 1, "examples": []}
	some violation in _violations_of(_document([one]), {})
	contains(violation.message, "has 1 component under the licence \"x\"; denied")
	some other in _violations_of(_document([object.remove(one, ["components", "examples"])]), {})
	contains(other.message, "has components under the licence \"x\"; denied")
}

test_components_without_a_licence if {
	document := object.union(_document([]), {"unlicensed": {"components": 3, "examples": ["a"]}})
	_violations_of(document, {}) == set()
	_violations_of(document, {"allow_unlicensed": false}) == {{
		"message": concat("", [
			"container \"server\": the image \"vllm\" has 3 components without a known licence (such as a); ",
			"denied are AGPL-*, GPL-2.0-only, and what has no known licence",
		]),
		"path": "/spec/containers/0/image",
	}}
	_violations_of(_document([]), {"allow_unlicensed": false}) == set()
	every unlicensed in [null, {}, "x", {"components": "many"}] {
		changed := object.union(object.remove(_document([]), ["unlicensed"]), {"unlicensed": unlicensed})
		count(_violations_of(changed, {"allow_unlicensed": false})) == 1
	}
}

test_what_is_not_all_known if {
	every document in [
		object.union(_document([]), {"truncated": ["licences"]}),
		object.union(_document([]), {"not_read": ["expandedlicensing"]}),
		evidence.document({}),
		evidence.document({"licences": null}),
		evidence.document({"licences": {"MIT": 1}}),
	] {
		some violation in _violations_of(document, {})
		contains(violation.message, "the licences of the image \"vllm\" are not all known")
	}
	_violations_of(object.union(_document([]), {"truncated": ["packages"], "not_read": ["context"]}), {}) == set()
}

test_an_empty_sbom_says_nothing if {
	some violation in _violations_of(object.union(_document([]), {"components": 0}), {})
	contains(violation.message, "the SBOM of the image \"vllm\" for linux/amd64 lists no components")
}

test_without_an_sbom_nothing_passes if {
	every facts in [{}, {"sbom": null}, {"sbom": {}}, {"sbom": {"vllm": {"status": "absent", "reason": "none"}}}] {
		count(_violations_with(facts, {})) == 1
	}
	count(_violations_of(object.union(_document([]), {"signed": false}), {})) == 1
}
