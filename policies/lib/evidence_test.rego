package lib.evidence_test

import data.lib.evidence

# What the tests of the policies about evidence are made of

amd := "sha256:a"

arm := "sha256:b"

index := "sha256:i"

# A document about the only manifest, signed by ci; `fields` come on top.
document(fields) := object.union({"covers": amd, "platform": "linux/amd64", "signed": true, "signers": ["ci"]}, fields)

# The facts of one image, `vllm`, with these documents in `field`.
facts(field, documents) := {"vllm": {"status": "known", "value": {
	"digest": index,
	"platforms": {amd: "linux/amd64"},
	field: documents,
	"refused": [],
}}}

image := {"path": "/spec/containers/0/image", "reference": "vllm", "error": ""}

# The subject that runs these images, the first one in a container.
subject(images) := {
	"images": images,
	"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
}

# Which documents count

_asked := {"what": "SBOM", "field": "documents", "signers": [], "unsigned": false, "platforms": []}

_about(known, asked) := evidence.about_images(known, [image], asked)[image.path]

_gaps(known) := _about(known, _asked).gaps

_gaps_with(known, asked) := _about(known, asked).gaps

# Of an image that is known of by its reference.
_gaps_of(unreadable) := evidence.about_images(facts("documents", [document({})]), [unreadable], _asked)[unreadable.path].gaps

_with(changes) := object.union(_asked, changes)

_two := {"vllm": {"status": "known", "value": {
	"digest": index,
	"platforms": {amd: "linux/amd64", arm: "linux/arm64/v8"},
	"documents": [document({})],
}}}

test_a_document_that_counts if {
	_gaps(facts("documents", [document({})])) == set()
	_gaps(facts("documents", [document({"covers": index})])) == set()
	_about(facts("documents", [document({})]), _asked) == {"gaps": set(), "documents": {amd: [document({})]}}
	evidence.documents_of(_about(facts("documents", [document({}), document({"signed": false})]), _asked)) == {document({})}
}

test_nothing_is_known if {
	every known in [
		null,
		{},
		[],
		"x",
		{"vllm": null},
		{"vllm": {}},
		{"other": {"status": "known", "value": {}}},
		{"vllm": {"status": "known"}},
		{"vllm": {"status": "known", "value": null}},
		{"vllm": {"status": "known", "value": []}},
		{"vllm": {"status": "unavailable", "reason": "x"}},
	] {
		_gaps(known) == {"nothing is known of any SBOM of the image \"vllm\""}
	}
}

test_nothing_is_there if {
	_gaps({"vllm": {"status": "absent", "reason": "none"}}) == {"no SBOM is attached to the image \"vllm\" (none)"}
	_gaps({"vllm": {"status": "absent"}}) == {"no SBOM is attached to the image \"vllm\""}
	_gaps({"vllm": {"status": "absent", "reason": 7}}) == {"no SBOM is attached to the image \"vllm\""}
}

test_what_was_not_judged_does_not_pass if {
	evidence.gaps_of({image.path: {"gaps": set()}}, image) == set()
	every found in [{}, {"/other": {"gaps": set()}}, {image.path: null}] {
		evidence.gaps_of(found, image) == {"nothing could be found out about the image \"vllm\""}
	}
}

test_images_that_cannot_be_read if {
	every unreadable in [{"error": "upper case"}, {"error": "", "reference": ""}, {"error": "", "reference": 7}, {"error": "", "reference": null}] {
		count(_gaps_of(object.union(image, unreadable))) == 1
	}
	_gaps_of({"path": "/x", "reference": "VLLM", "error": "upper case"}) == {"the image \"VLLM\" cannot be read: upper case"}
	_gaps_of({"path": "/x"}) == {"the image \"\" cannot be read"}
	_gaps_of({"path": "/x", "error": 7}) == {"the image \"\" cannot be read"}
}

test_documents_that_do_not_count if {
	every fields in [
		{"signed": false, "signers": []},
		{"signed": true, "signers": []},
		{"signed": true, "signers": "ci"},
		{"signed": true, "signers": [7]},
		{"signed": "true"},
		{"signed": null},
		{"covers": "sha256:other"},
		{"covers": null},
	] {
		count(_gaps(facts("documents", [document(fields)]))) == 1
	}
	every documents in [[], null, {}, "x", 7, [null], ["x"], {"0": document({})}] {
		_gaps(facts("documents", documents)) == {"no SBOM of the image \"vllm\" counts for linux/amd64"}
	}
}

test_the_message_says_what_is_there_instead if {
	_gaps(facts("documents", [document({"signed": false, "signers": []})])) == {"no SBOM of the image \"vllm\" counts for linux/amd64 (one is signed by nobody)"}
	known := {"vllm": {"status": "known", "value": {
		"digest": index,
		"documents": [document({"covers": index, "signers": ["b", "a"]})],
		"refused": [{"message": "it is too large"}, "x", {"message": 7}, {"message": "not told"}],
	}}}
	_gaps_with(known, _with({"signers": ["ci"]})) == {concat("", [
		"no SBOM of the image \"vllm\" counts ",
		"(one is signed by a and b, one was refused: , one was refused: it is too large)",
	])}
}

test_documents_that_are_not_all_there if {
	known := facts("documents", [document({})])
	every cut in [true, null, "no"] {
		_gaps(object.union(known, {"vllm": {"value": {"truncated": cut}}})) == {"not every SBOM of the image \"vllm\" can be looked at, so many are attached"}
	}
	_gaps(object.union(known, {"vllm": {"value": {"truncated": false}}})) == set()

	# Of what is signed, all is there: what is not signed is last.
	unsigned := object.union(facts("documents", [document({}), document({"signed": false, "signers": []})]), {"vllm": {"value": {"truncated": true}}})
	_gaps(unsigned) == set()
	_gaps_with(unsigned, _with({"unsigned": true, "signers": ["ci"]})) == set()
	count(_gaps_with(unsigned, _with({"unsigned": true}))) == 1
}

test_signers if {
	count(_gaps_with(facts("documents", [document({})]), _with({"signers": ["ci"]}))) == 0
	count(_gaps_with(facts("documents", [document({})]), _with({"signers": ["release"]}))) == 1
	count(_gaps_with(facts("documents", [document({"signed": false})]), _with({"signers": ["ci"], "unsigned": true}))) == 1
	count(_gaps_with(facts("documents", [document({"signed": false})]), _with({"unsigned": true}))) == 0
}

test_platforms if {
	_gaps(_two) == {"no SBOM of the image \"vllm\" counts for linux/arm64/v8"}
	count(_gaps_with(_two, _with({"platforms": ["linux/amd64"]}))) == 0
	count(_gaps_with(_two, _with({"platforms": ["linux/arm64"]}))) == 1

	# Most machines run several variants.
	_gaps_with(_two, _with({"platforms": ["linux/arm64/v7"]})) == {"no SBOM of the image \"vllm\" counts for linux/arm64/v8"}

	# Whole segments are compared, and an image without any of them is covered as a whole.
	_gaps_with(_two, _with({"platforms": ["linux/arm"]})) == {"no SBOM of the image \"vllm\" counts"}
}

test_platforms_that_are_not_known if {
	every platforms in [null, {}, [], "x"] {
		known := {"vllm": {"status": "known", "value": {"digest": index, "platforms": platforms, "documents": [document({})]}}}
		_gaps(known) == {"no SBOM of the image \"vllm\" counts"}
	}
	every platform in ["", "linux", "amd64", "linux/x86_64", "Linux/AMD64", "linux/aarch64", "linux/", "plan8/amd64"] {
		known := {"vllm": {"status": "known", "value": {"digest": index, "platforms": {amd: "linux/amd64", arm: platform}, "documents": [document({})]}}}
		count(_gaps_with(known, _with({"platforms": ["linux/amd64"]}))) == 1
	}
	every platform in ["linux/arm64", "windows/amd64", "unknown/unknown"] {
		known := {"vllm": {"status": "known", "value": {"digest": index, "platforms": {amd: "linux/amd64", arm: platform}, "documents": [document({})]}}}
		count(_gaps_with(known, _with({"platforms": ["linux/amd64"]}))) == 0
	}
	known := {"vllm": {"status": "known", "value": {"digest": index, "platforms": {amd: ""}, "documents": [document({})]}}}
	count(_gaps_with(known, _with({"platforms": ["linux/s390x"]}))) == 0
}

# Times

test_days if {
	evidence.day_after("2026-11-21T08:00:00Z", 0) == "2026-11-21"
	evidence.day_after("2026-11-21T08:00:00Z", -21) == "2026-10-31"
	evidence.day_after("2026-12-31T23:59:59Z", 1) == "2027-01-01"
}

test_fresh if {
	evidence.fresh("2026-11-14T00:00:00Z", "2026-11-21T08:00:00Z", 7)
	evidence.fresh("2026-11-22T23:59:59Z", "2026-11-21T08:00:00Z", 7)
	every time in [
		"2026-11-13T23:59:59Z",
		"2026-11-23T00:00:00Z",
		"9999-12-31T23:59:59Z",
		"0001-01-01T00:00:00Z",
		"2026-11-20",
		"2026-11-20T08:00:00+00:00",
		"yesterday",
		"",
		null,
		7,
		["2026-11-20T08:00:00Z"],
	] {
		not evidence.fresh(time, "2026-11-21T08:00:00Z", 7)
	}
}
