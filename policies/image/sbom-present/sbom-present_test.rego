package policies.image.sbom_present_test

import data.lib.evidence_test as evidence
import data.policies.image.sbom_present

_violations_with(facts, images, parameters) := found if {
	found := sbom_present.violations with input as {
		"subject": evidence.subject(images),
		"facts": facts,
		"parameters": object.union(
			{"sbom_formats": ["CycloneDX", "SPDX"], "sbom_signers": [], "allow_unsigned_sboms": false, "platforms": []},
			parameters,
		),
	}
}

_violations(documents, parameters) := _violations_with({"sbom": evidence.facts("documents", documents)}, [evidence.image], parameters)

_finding(defect, required) := {{
	"message": concat("", ["container \"server\": ", defect, "; required is a", required, " for every platform"]),
	"path": "/spec/containers/0/image",
}}

_spdx := evidence.document({"format": "SPDX"})

test_an_sbom_that_counts if {
	_violations([_spdx], {}) == set()
	_violations([_spdx], {"sbom_signers": ["ci"]}) == set()
}

test_no_sbom_that_counts if {
	_violations([], {}) == _finding("no SBOM of the image \"vllm\" counts for linux/amd64", " signed SBOM as CycloneDX or SPDX")
	_violations([object.union(_spdx, {"signed": false})], {"sbom_signers": ["release"], "allow_unsigned_sboms": true}) == _finding(
		"no SBOM of the image \"vllm\" counts for linux/amd64 (one is signed by nobody)",
		" signed SBOM as CycloneDX or SPDX",
	)
	_violations([], {"allow_unsigned_sboms": true}) == _finding("no SBOM of the image \"vllm\" counts for linux/amd64", "n SBOM as CycloneDX or SPDX")
}

test_formats if {
	_violations([_spdx], {"sbom_formats": ["CycloneDX"]}) == _finding(
		"an SBOM of the image \"vllm\" for linux/amd64 is in the format \"SPDX\"",
		" signed SBOM as CycloneDX",
	)
	_violations([_spdx, evidence.document({"format": "CycloneDX"})], {"sbom_formats": ["CycloneDX"]}) == set()
	count(_violations([evidence.document({})], {})) == 1
	count(_violations([evidence.document({"format": null})], {})) == 1
}

test_every_image_counts if {
	volume := {"path": "/spec/volumes/0/image/reference", "reference": "weights", "error": ""}
	{found.path | some found in _violations_with({"sbom": evidence.facts("documents", [_spdx])}, [evidence.image, volume], {})} == {volume.path}
}

test_without_images_there_is_nothing_to_ask if {
	_violations_with({"sbom": {}}, [], {}) == set()
	_violations_with({}, [], {}) == set()
}

test_without_facts_nothing_passes if {
	every facts in [{}, {"sbom": null}, {"sbom": []}, {"sbom": {}}, {"sbom": {"vllm": null}}] {
		_violations_with(facts, [evidence.image], {}) == _finding(
			"nothing is known of any SBOM of the image \"vllm\"",
			" signed SBOM as CycloneDX or SPDX",
		)
	}
}

test_an_image_that_cannot_be_read if {
	unreadable := {"path": "/spec/containers/0/image", "reference": "VLLM", "error": "upper case"}
	facts := {"sbom": {"VLLM": evidence.facts("documents", [_spdx]).vllm}}
	_violations_with(facts, [unreadable], {}) == _finding(
		"the image \"VLLM\" cannot be read: upper case",
		" signed SBOM as CycloneDX or SPDX",
	)
}
