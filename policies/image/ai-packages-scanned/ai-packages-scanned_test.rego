package policies.image.ai_packages_scanned_test

import data.lib.evidence_test as evidence
import data.policies.image.ai_packages_scanned

_violations_with(facts) := found if {
	found := ai_packages_scanned.violations with input as {
		"subject": evidence.subject([evidence.image]),
		"facts": facts,
		"parameters": {
			"sbom_signers": [],
			"allow_unsigned_sboms": false,
			"scan_signers": [],
			"allow_unsigned_scans": false,
			"platforms": [],
		},
	}
}

_violations(sboms, scans) := _violations_with({
	"sbom": evidence.facts("documents", sboms),
	"vulnerabilities": evidence.facts("scans", scans),
})

_sbom(packages) := evidence.document({"ai_packages": packages})

_scan(packages, listed) := evidence.document({"ai_packages": packages, "packages": {"listed": listed}})

_torch := {"pkg:pypi/torch": ["2.9.1"]}

_finding(defect) := {{
	"message": concat("", ["container \"server\": ", defect, "; required is a scan that looked at every AI package of the SBOM"]),
	"path": "/spec/containers/0/image",
}}

_has(what) := _finding(concat("", ["the image \"vllm\" for linux/amd64 has pkg:pypi/torch", what]))

test_what_was_scanned if {
	_violations([_sbom(_torch)], [_scan(_torch, true)]) == set()
	_violations([_sbom(_torch)], [_scan({}, true), _scan(_torch, false)]) == set()
	_violations([_sbom(_torch)], [object.union(_scan(_torch, true), {"covers": evidence.index})]) == set()
	_violations([_sbom({})], []) == set()
}

test_what_was_not_scanned if {
	_violations([_sbom(_torch)], [_scan({}, true)]) == _has(" 2.9.1, which no scan looked at")
	_violations([_sbom(_torch)], [_scan({"pkg:pypi/torch": ["2.8.0"]}, true)]) == _has(" 2.9.1, which no scan looked at")
	_violations([_sbom(_torch)], [_scan({}, false)]) == _has(" 2.9.1, and no scan says which packages it looked at")
	_violations([_sbom(_torch)], []) == _has(" 2.9.1, and no scan of it counts")
	_violations([_sbom(_torch)], [object.union(_scan(_torch, true), {"signed": false})]) == _has(" 2.9.1, and no scan of it counts")
	_violations([_sbom(_torch)], [object.union(_scan(_torch, true), {"covers": evidence.arm})]) == _has(" 2.9.1, and no scan of it counts")
}

test_without_facts_of_scans_nothing_was_scanned if {
	every scans in [null, {}, {"vllm": null}, {"vllm": {"status": "absent", "reason": "none"}}] {
		_violations_with({"sbom": evidence.facts("documents", [_sbom(_torch)]), "vulnerabilities": scans}) == _has(" 2.9.1, and no scan of it counts")
	}
	_violations_with({"sbom": evidence.facts("documents", [_sbom(_torch)])}) == _has(" 2.9.1, and no scan of it counts")
}

test_versions_that_are_not_stated if {
	every versions in [[], null, "2.9.1", [""]] {
		_violations([_sbom({"pkg:pypi/torch": versions})], [_scan(_torch, true)]) == set()
		_violations([_sbom({"pkg:pypi/torch": versions})], [_scan({}, true)]) == _has(", which no scan looked at")
	}
	count(_violations([_sbom({"pkg:pypi/torch": [7]})], [_scan(_torch, true)])) == 1
}

test_what_cannot_be_read if {
	every packages in [null, [], "torch", 7] {
		_violations([_sbom(packages)], [_scan({}, true)]) == _finding("the SBOM of the image \"vllm\" says nothing of AI packages")
	}
	_violations([_sbom(_torch)], [_scan(null, null)]) == _has(" 2.9.1, and no scan says which packages it looked at")
	_violations([_sbom(_torch)], [evidence.document({})]) == _has(" 2.9.1, and no scan says which packages it looked at")
}

test_an_sbom_that_does_not_list_all if {
	cut := object.union(_sbom({}), {"truncated": ["packages"]})
	_violations([cut], []) == _finding("the packages of the image \"vllm\" are not all known: there are more than a fact can hold")
	empty := object.union(_sbom({}), {"components": 0})
	_violations([empty], []) == _finding("the SBOM of the image \"vllm\" for linux/amd64 lists no components")
}

test_without_an_sbom_nothing_passes if {
	every facts in [{}, {"sbom": null}, {"sbom": {}}, {"sbom": {"vllm": {"status": "absent", "reason": "none"}}}] {
		count(_violations_with(facts)) == 1
	}
}
