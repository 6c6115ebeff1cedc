package policies.image.vulnerabilities_test

import data.lib.evidence_test as evidence
import data.policies.image.vulnerabilities

_parameters := {
	"denied_severity": "high",
	"unknown_severity": "high",
	"only_fixable": false,
	"ignored_vulnerabilities": [],
	"waived_vulnerabilities": [],
	"max_scan_days": 7,
	"max_database_days": 14,
	"scan_signers": [],
	"allow_unsigned_scans": false,
	"vex_signers": [],
	"platforms": [],
}

_violations_with(facts, parameters) := found if {
	found := vulnerabilities.violations with input as {
		"subject": evidence.subject([evidence.image]),
		"facts": facts,
		"now": "2026-11-21T08:00:00Z",
		"parameters": object.union(_parameters, parameters),
	}
}

_violations(scans, parameters) := _violations_with({"vulnerabilities": evidence.facts("scans", scans)}, parameters)

_vulnerability(fields) := object.union(
	{"id": "CVE-1", "aliases": [], "severity": "high", "package": "pkg:pypi/torch", "version": "2.9.1", "fixed": "2.9.2"},
	fields,
)

_counts(listed) := {severity: count([1 | some found in listed; object.get(found, "severity", "") == severity]) |
	some severity in {"critical", "high", "medium", "low", "negligible", "unknown"}
}

_scan(listed, fields) := evidence.document(object.union(
	{
		"scanner": {"name": "trivy"},
		"database": {"updated": ""},
		"scanned": "2026-11-20T08:00:00Z",
		"counts": _counts(listed),
		"vulnerabilities": listed,
		"suppressed": [],
	},
	fields,
))

_finding(defect) := {{
	"message": concat("", [
		"container \"server\": ",
		defect,
		"; required is a scan of the last 7 days without vulnerabilities that are high or worse",
	]),
	"path": "/spec/containers/0/image",
}}

_found(what) := _finding(concat("", ["the image \"vllm\" for linux/amd64 has the ", what]))

_latest(what) := _finding(concat("", ["the latest scan of the image \"vllm\" for linux/amd64 is ", what]))

_with(fields, parameters) := _violations([_scan([_vulnerability(fields)], {})], parameters)

test_a_clean_scan if {
	_violations([_scan([], {})], {}) == set()
	_with({"severity": "medium"}, {}) == set()
	_with({"severity": "negligible"}, {"denied_severity": "low"}) == set()
}

test_what_is_found if {
	_with({}, {}) == _found("high vulnerability CVE-1 in pkg:pypi/torch 2.9.1 (fixed in 2.9.2)")
	_with({"severity": "critical", "fixed": ""}, {}) == _found("critical vulnerability CVE-1 in pkg:pypi/torch 2.9.1 (no fix yet)")
	_with({"package": "", "version": ""}, {}) == _found("high vulnerability CVE-1 (fixed in 2.9.2)")
	_with({"package": "torch", "version": null, "fixed": null}, {}) == _found("high vulnerability CVE-1 in torch")
	_with({"package": null, "id": 7}, {}) == _found("high vulnerability  (fixed in 2.9.2)")
}

test_severities if {
	some violation in _with({"severity": "critical"}, {"denied_severity": "critical"})
	endswith(violation.message, "without vulnerabilities that are critical")
	_with({}, {"denied_severity": "critical"}) == set()
	_with({"severity": "unknown"}, {"unknown_severity": "medium"}) == set()
	count(_with({"severity": "unknown"}, {})) == 1
	count(_with({"severity": "low"}, {"denied_severity": "low"})) == 1
}

test_severities_that_nobody_has_heard_of_are_the_worst if {
	every severity in ["apocalyptic", null, 7, ["low"], {}] {
		found := _violations([_scan([_vulnerability({"severity": severity})], {})], {"denied_severity": "critical"})
		count(found) == 1
	}
}

# SARIF and in-toto do not say which versions have a fix.
test_what_is_not_known_to_have_no_fix_does_not_wait_for_one if {
	found := [object.remove(_vulnerability({}), ["fixed"])]
	_violations([_scan(found, {})], {"only_fixable": true}) == _found("high vulnerability CVE-1 in pkg:pypi/torch 2.9.1")
}

test_only_what_has_a_fix if {
	_with({"fixed": ""}, {"only_fixable": true}) == set()
	count(_with({}, {"only_fixable": true})) == 1
	count(_with({"fixed": null}, {"only_fixable": true})) == 1
}

test_ignored_and_waived if {
	every parameter in ["ignored_vulnerabilities", "waived_vulnerabilities"] {
		_with({}, {parameter: ["cve-1"]}) == set()
		_with({"id": "GHSA-1", "aliases": ["CVE-1"]}, {parameter: ["CVE-1"]}) == set()
		count(_with({}, {parameter: ["CVE-10"]})) == 1
		count(_with({"id": null, "aliases": null}, {parameter: ["CVE-1"]})) == 1
	}
}

test_age if {
	_violations([_scan([], {"scanned": "2026-11-13T08:00:00Z"})], {}) == _latest("of \"2026-11-13T08:00:00Z\"")
	_violations([_scan([], {"scanned": "2026-12-01T08:00:00Z"})], {}) == _latest("of \"2026-12-01T08:00:00Z\"")
	_violations([_scan([], {"scanned": ""})], {}) == _latest("without a date")
	_violations([_scan([], {"scanned": null})], {}) == _latest("without a date")
	_violations([_scan([], {"scanned": 7})], {}) == _latest("of 7")
	_violations([object.remove(_scan([], {}), ["scanned"])], {}) == _latest("without a date")
	old := [_scan([], {"scanned": "2026-11-12T08:00:00Z"}), _scan([], {"scanned": "2026-11-13T08:00:00Z"}), _scan([], {"scanned": 7})]
	_violations(old, {}) == _latest("of \"2026-11-13T08:00:00Z\"")
	_violations(old, {"max_scan_days": 8}) == set()
}

test_the_age_of_the_database if {
	_violations([_scan([], {"database": {"updated": "2026-11-06T08:00:00Z"}})], {}) == _latest("made with a database of \"2026-11-06T08:00:00Z\"")
	_violations([_scan([], {"database": {"updated": "2026-11-07T08:00:00Z"}})], {}) == set()
	_violations([_scan([], {"database": {"updated": 7}})], {}) == _latest("made with a database of 7")
	_violations([object.remove(_scan([], {}), ["database"])], {}) == set()
}

test_the_latest_of_each_scanner if {
	older := _scan([_vulnerability({})], {"scanned": "2026-11-19T08:00:00Z"})
	_violations([older, _scan([], {})], {}) == set()
	_violations([_scan([], {}), older], {}) == set()
	count(_violations([object.union(older, {"scanner": {"name": "grype"}}), _scan([], {})], {})) == 1
	count(_violations([older, _scan([], {"scanned": "2026-11-01T08:00:00Z"})], {})) == 1

	# A scan of the whole index looked at one platform of it, and one that nobody signed may be anybody's.
	count(_violations([older, _scan([], {"covers": evidence.index})], {})) == 1
	count(_violations([older, _scan([], {"signed": false})], {"allow_unsigned_scans": true})) == 1
	_violations([object.union(older, {"signed": false}), _scan([], {})], {"allow_unsigned_scans": true}) == set()

	# Of one second, both count.
	count(_violations([object.union(older, {"scanned": "2026-11-20T08:00:00Z"}), _scan([], {})], {})) == 1
}

test_vex if {
	suppressed := _scan([], {"suppressed": [object.union(_vulnerability({}), {"signers": ["security"]})]})
	_violations([suppressed], {}) == set()
	_violations([suppressed], {"vex_signers": ["security"]}) == set()
	count(_violations([suppressed], {"vex_signers": ["somebody"]})) == 1
	_violations([suppressed], {"vex_signers": ["somebody"], "waived_vulnerabilities": ["CVE-1"]}) == set()
	count(_violations([_scan([], {"suppressed": [_vulnerability({})]})], {"vex_signers": ["security"]})) == 1
	_violations([_scan([], {"suppressed": null})], {"vex_signers": ["security"]}) == set()
}

test_who_took_away_what_is_not_listed if {
	cut := _scan([], {"truncated": ["suppressed"]})
	_violations([cut], {"vex_signers": ["security"]}) == _finding("the image \"vllm\" for linux/amd64 has more vulnerabilities that OpenVEX takes away than can be listed with who says so")
	_violations([cut], {}) == set()
	_violations([_scan([], {"truncated": ["vulnerabilities"]})], {"vex_signers": ["security"]}) == set()
}

test_more_than_is_listed if {
	_violations([_scan([], {"counts": {"critical": 2, "high": 1, "low": 9}})], {}) == _finding("the image \"vllm\" for linux/amd64 has 3 more vulnerabilities of that severity than can be listed")
	_violations([_scan([], {"counts": {"critical": 0, "low": 9}})], {}) == set()
	count(_violations([_scan([_vulnerability({})], {"counts": {"critical": 1, "high": 1}})], {"waived_vulnerabilities": ["CVE-1"]})) == 1
}

test_findings_that_cannot_be_read if {
	unreadable := _finding("the image \"vllm\" for linux/amd64 has a scan whose findings cannot be read")
	every fields in [
		{"counts": null},
		{"counts": {}},
		{"counts": []},
		{"counts": {"critical": "none"}},
		{"counts": {"critical": null}},
		{"vulnerabilities": null},
		{"vulnerabilities": {}},
		{"vulnerabilities": "none"},
	] {
		_violations([object.union(object.remove(_scan([], {}), object.keys(fields)), fields)], {}) == unreadable
	}
	_violations([object.remove(_scan([], {}), ["counts"])], {}) == unreadable
	_violations([object.remove(_scan([], {}), ["vulnerabilities"])], {}) == unreadable
}

test_without_a_scan_nothing_passes if {
	every facts in [{}, {"vulnerabilities": null}, {"vulnerabilities": {}}, {"vulnerabilities": {"vllm": {"status": "absent", "reason": "none"}}}] {
		count(_violations_with(facts, {})) == 1
	}
	count(_violations([object.union(_scan([], {}), {"signed": false})], {})) == 1
	_violations([object.union(_scan([], {}), {"signed": false})], {"allow_unsigned_scans": true}) == set()
	count(_violations([_scan([], {})], {"scan_signers": ["release"]})) == 1
}
