package policies.image.sbom_complete_test

import data.lib.evidence_test as evidence
import data.policies.image.sbom_complete

_violations_with(facts, parameters) := found if {
	found := sbom_complete.violations with input as {
		"subject": evidence.subject([evidence.image]),
		"facts": facts,
		"now": "2026-11-21T08:00:00Z",
		"parameters": object.union(
			{
				"sbom_profile": "ntia-2021",
				"optional_elements": [],
				"min_coverage": 90,
				"max_sbom_days": 30,
				"complete_dependencies": false,
				"sbom_signers": [],
				"allow_unsigned_sboms": false,
				"platforms": [],
			},
			parameters,
		),
	}
}

_violations(documents, parameters) := _violations_with({"sbom": evidence.facts("documents", documents)}, parameters)

_document(fields) := evidence.document(object.union(
	{
		"created": "2026-11-20T08:00:00Z",
		"components": 10,
		"missing": {"ntia-2021": {}, "cisa-2025-draft": {"hash": 5}},
		"dependencies": {"completeness": "unknown"},
	},
	fields,
))

_finding(defect) := {{
	"message": concat("", [
		"container \"server\": the SBOM of the image \"vllm\" for linux/amd64 ",
		defect,
		"; required is an SBOM with the elements of ntia-2021 in 90 % of its components, not older than 30 days",
	]),
	"path": "/spec/containers/0/image",
}}

_fails(fields, parameters) if count(_violations([_document(fields)], parameters)) == 1

test_a_complete_sbom if {
	_violations([_document({})], {}) == set()
	_violations([_document({"missing": {"ntia-2021": {"supplier": 1}}})], {}) == set()
	_violations([_document({"components": 0}), _document({})], {}) == set()
}

test_elements if {
	_violations([_document({"missing": {"ntia-2021": {"supplier": 2, "version": 10}}})], {}) == _finding("lacks supplier in 2 of 10 components, lacks version in 10 of 10 components")
	_violations([_document({"missing": {"ntia-2021": {"author": 1}}})], {}) == _finding("says nothing of its author")
	_violations([_document({"missing": {"ntia-2021": {"author": 1}}})], {"optional_elements": ["author"]}) == set()
	_fails({"missing": {"ntia-2021": {"supplier": "many"}}}, {})
	_fails({"missing": {"ntia-2021": {"supplier": null}}}, {})
	_fails({}, {"sbom_profile": "cisa-2025-draft"})
}

test_elements_that_are_not_told if {
	every missing in [null, {}, [], "x", {"ntia-2021": null}, {"ntia-2021": []}] {
		_violations([object.union(object.remove(_document({}), ["missing"]), {"missing": missing})], {}) == _finding("says nothing of its elements")
	}
}

test_components if {
	every components in [0, -1, null, "10", [10]] {
		_violations([_document({"components": components})], {}) == _finding("lists no components")
	}
	_violations([object.remove(_document({}), ["components"])], {}) == _finding("lists no components")
}

test_age if {
	_violations([_document({"created": "2026-10-21T08:00:00Z"})], {}) == _finding("is dated \"2026-10-21T08:00:00Z\"")
	_violations([_document({"created": 7})], {}) == _finding("is dated 7")
	_violations([_document({"created": ""})], {}) == _finding("has no date, so that its age is not known")
	_violations([_document({"created": null})], {}) == _finding("has no date, so that its age is not known")
	_violations([object.remove(_document({}), ["created"])], {}) == _finding("has no date, so that its age is not known")
	_violations([_document({"created": ""})], {"optional_elements": ["timestamp"]}) == set()
}

test_dependencies if {
	_violations([_document({})], {"complete_dependencies": true}) == _finding("does not say that its dependencies are complete")
	_violations([_document({"dependencies": {"completeness": "complete"}})], {"complete_dependencies": true}) == set()
	_fails({"dependencies": null}, {"complete_dependencies": true})
	_fails({"dependencies": "complete"}, {"complete_dependencies": true})
}

test_several_defects_are_one_finding if {
	document := _document({"components": 0, "created": "2020-01-01T00:00:00Z", "missing": {"ntia-2021": {"author": 1}}})
	_violations([document], {}) == _finding("is dated \"2020-01-01T00:00:00Z\", lists no components, says nothing of its author")
}

test_without_an_sbom_nothing_passes if {
	every facts in [{}, {"sbom": null}, {"sbom": {}}, {"sbom": {"vllm": {"status": "absent", "reason": "none"}}}] {
		count(_violations_with(facts, {})) == 1
	}
	count(_violations([object.union(_document({}), {"signed": false})], {})) == 1
	count(_violations([object.union(_document({}), {"signed": false})], {"allow_unsigned_sboms": true})) == 0
}
