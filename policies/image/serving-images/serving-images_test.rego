package policies.image.serving_images_test

import data.lib.pods_test as pods
import data.policies.image.serving_images

_violations(kind, container) := found if {
	found := serving_images.violations with input as {
		"subject": {"kind": kind, "pods": [{"containers": [container]}]},
		"parameters": {"serving_kinds": ["Deployment"], "serving_images": ["registry.internal/serving/*"]},
	}
}

_image(fields) := pods.container({"image": object.union(
	{
		"path": "/spec/containers/0/image",
		"reference": "x",
		"registry": "registry.internal",
		"repository": "serving/vllm",
		"error": "",
	},
	fields,
)})

_finding := {{
	"message": "container \"server\" runs the image \"x\"; approved for serving are registry.internal/serving/*",
	"path": "/spec/containers/0/image",
}}

test_approved_images if _violations("Deployment", _image({})) == set()

test_other_images if {
	every fields in [
		{"repository": "research/vllm"},
		{"repository": "serving/forks/vllm"},
		{"repository": "serving"},
		{"registry": "registry.internal.example.com"},
		{"registry": "docker.io"},
		{"error": "upper case"},
		{"registry": "", "repository": ""},
		{"repository": null},
		{"registry": 7},
	] {
		_violations("Deployment", _image(fields)) == _finding
	}
}

test_an_image_that_is_missing_is_not_approved if {
	pods.paths(_violations("Deployment", pods.container({}))) == {"/spec/containers/0"}
	pods.paths(_violations("Deployment", pods.container({"image": "x"}))) == {"/spec/containers/0"}
}

test_only_main_containers_of_what_serves if {
	every role in ["init", "ephemeral"] {
		_violations("Deployment", object.union(_image({"registry": "docker.io"}), {"role": role})) == set()
	}
	_violations("Job", _image({"registry": "docker.io"})) == set()
}
