package policies.image.approved_registries_test

import data.policies.image.approved_registries

_violations_with(registries, image) := found if {
	found := approved_registries.violations with input as {
		"subject": {
			"images": [image],
			"pods": [{"containers": [{"role": "main", "name": "server", "image": {"path": "/spec/containers/0/image"}}]}],
		},
		"parameters": {"registries": registries},
	}
}

_image(registry, repository) := {
	"path": "/spec/containers/0/image",
	"reference": "written",
	"registry": registry,
	"repository": repository,
	"error": "",
}

_approved(registries, registry, repository) if {
	_violations_with(registries, _image(registry, repository)) == set()
}

test_a_whole_registry if {
	_approved(["registry.internal"], "registry.internal", "serving/vllm")
	_approved(["registry.internal/"], "registry.internal", "vllm")
	_approved(["registry.internal:5000"], "registry.internal:5000", "vllm")
	_approved(["other.internal", "registry.internal"], "registry.internal", "vllm")
}

test_a_part_of_a_registry if {
	_approved(["ghcr.io/example"], "ghcr.io", "example/vllm")
	_approved(["ghcr.io/example/"], "ghcr.io", "example/serving/vllm")
	_approved(["docker.io/library/python"], "docker.io", "library/python")
	not _approved(["ghcr.io/example"], "ghcr.io", "example2/vllm")
	not _approved(["ghcr.io/example"], "ghcr.io", "other/example/vllm")
	not _approved(["ghcr.io/example/vllm"], "ghcr.io", "example")
}

test_host_names_are_compared_without_regard_to_case if {
	_approved(["Registry.Internal"], "registry.internal", "vllm")
	_approved(["registry.internal"], "REGISTRY.internal", "vllm")
}

test_look_alikes if {
	every registry in [
		"registry.internal.evil.com",
		"registry.internal:5000",
		"evil-registry.internal",
		"docker.io",
		"registry-internal",
		"",
	] {
		not _approved(["registry.internal"], registry, "vllm")
	}
	not _approved(["registry.internal"], "docker.io", "registry.internal/vllm")
}

test_nothing_is_approved_by_nothing if {
	not _approved([], "registry.internal", "vllm")
	not _approved([""], "registry.internal", "vllm")
	not _approved(["/"], "registry.internal", "vllm")
}

test_the_finding if {
	_violations_with(["registry.internal", "ghcr.io/example"], _image("docker.io", "library/python")) == {{
		"message": concat("", [
			"container \"server\": the image \"written\" comes from docker.io/library/python; ",
			"required is an image from ghcr.io/example or registry.internal",
		]),
		"path": "/spec/containers/0/image",
	}}
}

test_an_image_that_cannot_be_read if {
	image := object.union(_image("registry.internal", "vllm"), {"error": "no repository"})
	_violations_with(["registry.internal"], image) == {{
		"message": concat("", [
			"container \"server\": the image \"written\" cannot be read: no repository; ",
			"required is an image from registry.internal",
		]),
		"path": "/spec/containers/0/image",
	}}
}

test_fields_can_be_missing if {
	count(_violations_with(["registry.internal"], {"path": "/spec/volumes/0/image/reference"})) == 1
}
