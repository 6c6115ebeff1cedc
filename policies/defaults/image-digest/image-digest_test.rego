package policies.defaults.image_digest_test

import data.policies.defaults.image_digest

_digest := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

_input(image, facts) := {
	"subject": {
		"images": [object.union({"path": "/spec/containers/0/image", "error": "", "digest": ""}, image)],
		"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
	},
	"parameters": {},
	"facts": {"digests": facts},
}

_violations(image, facts) := found if {
	found := image_digest.violations with input as _input(image, facts)
}

_patches(image, facts) := found if {
	found := image_digest.patches with input as _input(image, facts)
}

_known := {"r.io/a:1": {"status": "known", "value": {"digest": _digest}}}

test_a_tag_gets_its_digest if {
	_violations({"reference": "r.io/a:1"}, _known) == {{
		"path": "/spec/containers/0/image",
		"message": concat("", ["container \"server\": the image \"r.io/a:1\" has no digest; its tag leads to ", _digest]),
	}}
	_patches({"reference": "r.io/a:1"}, _known) == {{
		"op": "replace",
		"path": "/spec/containers/0/image",
		"value": concat("", ["r.io/a:1@", _digest]),
	}}
}

test_a_digest_stays if {
	_violations({"reference": "r.io/a:1", "digest": _digest}, _known) == set()
	_patches({"reference": "r.io/a:1", "digest": _digest}, _known) == set()
}

test_what_is_not_known_is_not_written if {
	every facts in [{}, {"r.io/a:1": {"status": "absent", "reason": "no"}}, {"r.io/a:1": {"value": {"digest": "latest"}}}, {"r.io/a:1": 7}] {
		_patches({"reference": "r.io/a:1"}, facts) == set()
		_violations({"reference": "r.io/a:1"}, facts) == {{
			"path": "/spec/containers/0/image",
			"message": "container \"server\": the image \"r.io/a:1\" has no digest, and the registry has no such image",
		}}
	}
}

test_what_cannot_be_read_is_for_another_policy if {
	_violations({"reference": "r.io/A", "error": "upper case"}, _known) == set()
	_violations({"reference": ""}, _known) == set()
}
