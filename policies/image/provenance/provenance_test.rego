package policies.image.provenance_test

import data.lib.evidence_test as evidence
import data.policies.image.provenance

_violations_with(facts, parameters) := found if {
	found := provenance.violations with input as {
		"subject": evidence.subject([evidence.image]),
		"facts": facts,
		"parameters": object.union(
			{"builders": [], "build_types": [], "sources": [], "require_commit": true, "verifiers": [], "platforms": []},
			parameters,
		),
	}
}

_violations(statements, parameters) := _violations_with({"provenance": evidence.facts("statements", statements)}, parameters)

_statement(fields) := evidence.document(object.union(
	{
		"builder": "https://tekton.dev/chains/v2",
		"trusted_builder": "tekton",
		"build_type": "https://tekton.dev/chains/v2/slsa",
		"sources": [{"uri": "git+https://github.com/example/vllm", "digest": "sha1:c0"}],
		"verifier": "",
	},
	fields,
))

_summary(fields) := evidence.document(object.union({"verifier": "https://v", "result": "PASSED", "properties": ["A", "B"]}, fields))

_finding(defect) := {{
	"message": concat("", [
		"container \"server\": a statement about the image \"vllm\" for linux/amd64 ",
		defect,
		"; required is the provenance of a trusted builder for every platform",
	]),
	"path": "/spec/containers/0/image",
}}

_of(fields, parameters) := _violations([_statement(fields)], parameters)

test_a_trusted_builder if {
	_of({}, {}) == set()
	_of({}, {"builders": ["tekton", "github"]}) == set()
	_of({}, {"build_types": ["https://tekton.dev/*"], "sources": ["git+https://github.com/example/*"]}) == set()
	_violations([_statement({"trusted_builder": ""}), _statement({})], {}) == set()
}

test_other_builders if {
	_of({}, {"builders": ["github"]}) == _finding("is of the builder \"https://tekton.dev/chains/v2\" (tekton), which is not one of github")
	every name in ["", null, 7, ["tekton"]] {
		_of({"trusted_builder": name}, {}) == _finding("is of the builder \"https://tekton.dev/chains/v2\", which nobody who signed it may speak for")
	}
	count(_violations([object.remove(_statement({}), ["trusted_builder", "builder"])], {})) == 1
}

test_build_types if {
	_of({}, {"build_types": ["https://other/*"]}) == _finding("has the build type \"https://tekton.dev/chains/v2/slsa\"")
	_of({"build_type": null}, {"build_types": ["*"]}) == _finding("has the build type null")
}

test_sources if {
	ours := {"sources": ["git+https://github.com/example/*"]}
	_of({"sources": [{"uri": "git+https://github.com/example2/x", "digest": "sha1:c0"}]}, ours) == _finding("is built from \"git+https://github.com/example2/x\"")
	_of({"sources": [{"uri": "git+https://github.com/example/x", "digest": ""}]}, ours) == _finding("names no commit of \"git+https://github.com/example/x\"")
	_of({"sources": [{"uri": "git+https://github.com/example/x", "digest": null}]}, {"require_commit": false}) == set()
	every sources in [[], null, {}, "git"] {
		_of({"sources": sources}, {}) == _finding("names no source")
		_of({"sources": sources}, {"require_commit": false}) == set()
	}

	# All of them have to be ours.
	foreign := [{"uri": "git+https://github.com/example/x", "digest": "sha1:c0"}, {"uri": "git+https://evil", "digest": "sha1:c0"}]
	_of({"sources": foreign}, ours) == _finding("is built from \"git+https://evil\"")
	count(_of({"sources": [{"digest": "sha1:c0"}]}, ours)) == 1
}

test_sources_that_are_not_all_listed if {
	_of({"truncated": ["sources"]}, {}) == _finding("names more sources than can be listed")
	_of({"truncated": ["sources"]}, {"require_commit": false}) == set()
	_of({"truncated": ["materials"]}, {}) == set()
}

test_sources_that_cannot_be_read if {
	every source in [null, "git", 7, []] {
		_of({"sources": [source]}, {}) == _finding("names a source that cannot be read")
	}
}

test_verifiers if {
	trusted := {"verifiers": [{"id": "https://v", "signers": ["ci"], "properties": ["A"]}]}
	_violations([_summary({})], trusted) == set()
	every fields in [
		{"verifier": "https://other"},
		{"result": "FAILED"},
		{"result": null},
		{"properties": ["B"]},
		{"properties": null},
		{"signers": ["dev"]},
	] {
		count(_violations([_summary(fields)], trusted)) == 1
	}
	_violations([_summary({})], {}) == _finding("is of the verifier \"https://v\", which is not trusted for who signed it, or did not find what is asked for")
}

test_what_a_trusted_verifier_refused_is_refused_until_it_passes if {
	trusted := {"verifiers": [{"id": "https://v", "signers": ["ci"], "properties": ["A"]}]}
	early := {"verified": "2026-11-19T08:00:00Z"}
	late := {"verified": "2026-11-20T08:00:00Z"}
	failed := {"result": "FAILED", "properties": []}
	refused := {{
		"message": concat("", [
			"container \"server\": the verifier \"https://v\" refused the image \"vllm\" for linux/amd64 at \"2026-11-20T08:00:00Z\"; ",
			"required is the provenance of a trusted builder for every platform",
		]),
		"path": "/spec/containers/0/image",
	}}
	_violations([_statement({}), _summary(object.union(failed, late))], trusted) == refused
	_violations([_summary(early), _summary(object.union(failed, late))], trusted) == refused
	_violations([_summary(late), _summary(object.union(failed, early))], trusted) == set()
	_violations([_statement({}), _summary(object.union(failed, late))], {}) == set()
	_violations([_statement({}), _summary(object.union(object.union(failed, late), {"signers": ["dev"]}))], trusted) == set()
}

test_without_provenance_nothing_passes if {
	every facts in [{}, {"provenance": null}, {"provenance": {}}, {"provenance": {"vllm": {"status": "absent", "reason": "none"}}}] {
		count(_violations_with(facts, {})) == 1
	}
	count(_of({"signed": false}, {})) == 1
}
