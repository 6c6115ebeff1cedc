package policies.image.digest_test

import data.policies.image.digest

_hex := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

_violations(image) := found if {
	found := digest.violations with input as {
		"subject": {
			"images": [image],
			"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
		},
		"parameters": {},
	}
}

_image(fields) := object.union({"path": "/spec/containers/0/image", "reference": "vllm:v1", "error": "", "digest": ""}, fields)

_finding(defect) := {{
	"message": concat("", ["container \"server\": ", defect, "; required is name@sha256: and 64 hexadecimal digits"]),
	"path": "/spec/containers/0/image",
}}

test_digests_of_each_algorithm if {
	every value in [
		concat("", ["sha256:", _hex]),
		concat("", ["sha384:", _hex, substring(_hex, 0, 32)]),
		concat("", ["sha512:", _hex, _hex]),
	] {
		_violations(_image({"digest": value})) == set()
	}
}

test_a_tag_is_no_digest if {
	expected := _finding("the image \"vllm:v1\" has no digest")
	_violations(_image({})) == expected
	_violations(object.remove(_image({}), ["digest", "error"])) == expected
}

test_other_digests_do_not_count if {
	every value in ["sha256:abc", concat("", ["md5:", substring(_hex, 0, 32)]), concat("", ["sha256:", _hex, "0"]), upper(_hex)] {
		_violations(_image({"digest": value})) == _finding(concat("", ["the image \"vllm:v1\" has the digest \"", value, "\""]))
	}
}

test_digests_of_the_wrong_type if {
	_violations(_image({"digest": 5})) == _finding("the image \"vllm:v1\" has the digest 5")
	_violations(_image({"digest": null})) == _finding("the image \"vllm:v1\" has the digest null")
}

test_an_image_that_cannot_be_read if {
	value := concat("", ["sha256:", _hex])
	_violations(_image({"digest": value, "reference": "", "error": "the image is missing"})) == _finding("the image is missing")
	_violations(_image({"reference": "VLLM", "error": "upper case"})) == _finding("the image \"VLLM\" cannot be read: upper case")
}

test_an_image_volume if {
	violations := _violations(_image({"path": "/spec/volumes/0/image/reference"}))
	violations == {{
		"message": "image volume: the image \"vllm:v1\" has no digest; required is name@sha256: and 64 hexadecimal digits",
		"path": "/spec/volumes/0/image/reference",
	}}
}
