package policies.image.mutable_tag_test

import data.policies.image.mutable_tag

_violations(fields) := found if {
	found := mutable_tag.violations with input as {
		"subject": {
			"images": [object.union({"path": "/spec/containers/0/image", "reference": "vllm", "error": "", "digest": ""}, fields)],
			"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
		},
		"parameters": {"mutable_tags": ["latest", "nightly-*"]},
	}
}

_finding(defect) := {{
	"message": concat("", ["container \"server\": ", defect, "; required is the tag of a release, or a digest"]),
	"path": "/spec/containers/0/image",
}}

test_tags_of_releases_and_digests if {
	every tag in ["v1", "1.2.3", "latest-1", "nightly"] {
		_violations({"tag": tag}) == set()
	}
	every tag in ["latest", "", "nightly-1"] {
		_violations({"tag": tag, "digest": "sha256:0"}) == set()
	}
}

test_tags_that_move if {
	every tag in ["latest", "Latest", "nightly-20261121", ""] {
		_violations({"tag": tag}) == _finding(concat("", ["the image \"vllm\" has the tag \"", tag, "\", which moves"]))
	}
}

test_what_cannot_be_read_is_refused if {
	_violations({"tag": "v1", "reference": "VLLM", "error": "upper case"}) == _finding("the image \"VLLM\" cannot be read: upper case")
	_violations({"tag": "", "reference": "", "error": "the image is missing"}) == _finding("the image is missing")
	_violations({"tag": 1}) == _finding("the image \"vllm\" has the tag 1, which moves")
	_violations({"tag": null, "digest": null}) == _finding("the image \"vllm\" has the tag null, which moves")
}
