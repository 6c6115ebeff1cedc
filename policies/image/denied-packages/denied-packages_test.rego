package policies.image.denied_packages_test

import data.lib.evidence_test as evidence
import data.policies.image.denied_packages

_violations_with(facts, denied) := found if {
	found := denied_packages.violations with input as {
		"subject": evidence.subject([evidence.image]),
		"facts": facts,
		"parameters": {"denied_packages": denied, "sbom_signers": [], "allow_unsigned_sboms": false, "platforms": []},
	}
}

_violations(packages, denied) := _violations_with({"sbom": evidence.facts("documents", [evidence.document({"packages": packages})])}, denied)

_found(packages, entry) := {trim_suffix(trim_prefix(violation.message, _before), _behind) |
	some violation in _violations(packages, [object.union({"reason": "is bad"}, entry)])
}

_before := "container \"server\": the image \"vllm\" has the package "

_behind := ", which is bad; required is an SBOM without denied packages"

test_the_finding if {
	_violations({"pkg:pypi/evil": ["1"]}, [{"name": "pkg:pypi/evil", "reason": "is bad"}]) == {{
		"message": concat("", [_before, "pkg:pypi/evil 1", _behind]),
		"path": "/spec/containers/0/image",
	}}
}

test_by_purl if {
	entry := {"name": "pkg:pypi/evil"}
	_found({"pkg:pypi/evil": ["1", "2"]}, entry) == {"pkg:pypi/evil 1", "pkg:pypi/evil 2"}
	_found({"pkg:npm/evil": ["1"], "pkg:pypi/evil-twin": ["1"], "not-evil": ["1"]}, entry) == set()
	_found({"evil": ["1"]}, entry) == {"evil 1"}
}

test_by_name if {
	entry := {"name": "evil"}
	_found({"pkg:pypi/evil": ["1"], "pkg:npm/@acme/evil": ["2"], "evil": ["3"]}, entry) == {"pkg:pypi/evil 1", "pkg:npm/@acme/evil 2", "evil 3"}
	_found({"pkg:pypi/not-evil": ["1"]}, entry) == set()
}

test_names_as_facts_have_them if {
	every name in ["pkg:PyPI/Evil_Twin", "pkg:pypi/evil.twin", "pkg:pypi/EVIL--twin"] {
		_found({"pkg:pypi/evil-twin": ["1"]}, {"name": name}) == {"pkg:pypi/evil-twin 1"}
	}
	_found({"evil": ["1"]}, {"name": "Evil"}) == {"evil 1"}
	_found({"pkg:npm/@acme/evil_": ["1"]}, {"name": "pkg:npm/@Acme/Evil_"}) == {"pkg:npm/@acme/evil_ 1"}
	_found({"@acme/evil": ["1"], "@other/evil": ["1"]}, {"name": "pkg:npm/@acme/evil"}) == {"@acme/evil 1"}
	_found({"@acme/evil-2": ["1"]}, {"name": "pkg:npm/@acme/evil-*"}) == {"@acme/evil-2 1"}
}

test_by_glob if {
	entry := {"name": "pkg:pypi/evil-*"}
	_found({"pkg:pypi/evil-1": ["1"], "pkg:npm/evil-2": ["1"], "evil-3": ["1"]}, entry) == {"pkg:pypi/evil-1 1", "evil-3 1"}
	_found({"pkg:pypi/evil-1": ["1"], "pkg:npm/evil-2": ["1"]}, {"name": "evil-*"}) == {"pkg:pypi/evil-1 1", "pkg:npm/evil-2 1"}
	_found({"pkg:pypi/good": ["1"], "good": ["1"]}, entry) == set()
}

test_versions if {
	entry := {"name": "pkg:pypi/evil", "versions": ["1.0", "2.*"]}
	_found({"pkg:pypi/evil": ["1.0", "1.1", "2.7"]}, entry) == {"pkg:pypi/evil 1.0", "pkg:pypi/evil 2.7"}
	_found({"pkg:pypi/evil": ["1.1", "12.0"]}, entry) == set()
	every versions in [[], null, "1.1", {}, [null], [7], [""]] {
		_found({"pkg:pypi/evil": versions}, entry) == {"pkg:pypi/evil"}
	}
	_found({"evil": ["1.1"]}, entry) == {"evil 1.1"}
}

test_what_is_not_all_known if {
	every document in [
		evidence.document({"packages": {}, "truncated": ["packages"]}),
		evidence.document({}),
		evidence.document({"packages": null}),
		evidence.document({"packages": ["pkg:pypi/evil"]}),
	] {
		some violation in _violations_with({"sbom": evidence.facts("documents", [document])}, [{"name": "evil", "reason": "is bad"}])
		contains(violation.message, "the packages of the image \"vllm\" are not ")
	}
	document := evidence.document({"packages": {}, "truncated": ["licences"]})
	_violations_with({"sbom": evidence.facts("documents", [document])}, [{"name": "evil", "reason": "is bad"}]) == set()
}

test_an_empty_sbom_says_nothing if {
	empty := {"packages": {"vllm": ["1"]}, "components": 0, "models": []}
	some violation in _violations_with({"sbom": evidence.facts("documents", [evidence.document(empty)])}, [{"name": "evil", "reason": "is bad"}])
	contains(violation.message, "the SBOM of the image \"vllm\" for linux/amd64 lists no components")
	every fields in [{"components": 1}, {"models": [{"name": "llama"}]}] {
		_violations_with({"sbom": evidence.facts("documents", [evidence.document(object.union(empty, fields))])}, [{"name": "evil", "reason": "is bad"}]) == set()
	}
}

test_without_an_sbom_nothing_passes if {
	every facts in [{}, {"sbom": null}, {"sbom": {}}, {"sbom": {"vllm": {"status": "absent", "reason": "none"}}}] {
		count(_violations_with(facts, [{"name": "evil", "reason": "is bad"}])) == 1
	}
}
