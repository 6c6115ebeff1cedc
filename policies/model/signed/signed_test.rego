package policies.model.signed_test

import data.policies.model.signed

_uri := "oci://r.io/models/llama:3"

_signed_by(signers) := {"status": "known", "value": {"signers": signers, "refused": []}}

_found(models, images, parameters, signatures) := found if {
	found := signed.violations with input as {
		"subject": {
			"models": models,
			"images": images,
			"pods": [{"containers": [{"role": "main", "name": "s", "image": {"path": "/spec/containers/0/image"}}]}],
		},
		"parameters": object.union({"signers": []}, parameters),
		"facts": {"signatures": signatures},
	}
}

_models := [{"path": "/spec/containers/0/args/1", "scheme": "oci", "uri": _uri, "unresolved": ""}]

_volumes := [{"path": "/spec/volumes/0/image/reference", "reference": "r.io/models/bert:2", "error": ""}]

test_a_signed_model if {
	_found(_models, [], {}, {_uri: _signed_by(["registry"])}) == set()
	_found(_models, [], {"signers": ["registry"]}, {_uri: _signed_by(["registry"])}) == set()
}

test_a_model_of_somebody_else if {
	_found(_models, [], {"signers": ["registry"]}, {_uri: _signed_by(["x"])}) == {{
		"path": "/spec/containers/0/args/1",
		"message": "the model \"oci://r.io/models/llama:3\" is signed by x; required is a signature of registry",
	}}
}

test_a_model_without_a_fact if count(_found(_models, [], {}, {})) == 1

test_image_volumes if {
	_found([], _volumes, {}, {"r.io/models/bert:2": _signed_by(["x"])}) == set()
	_found([], _volumes, {}, {}) == {{
		"path": "/spec/volumes/0/image/reference",
		"message": concat("", [
			"the image volume \"r.io/models/bert:2\" is not signed",
			"; required is a signature of a signer that the evidence configuration names",
		]),
	}}
}

test_images_of_containers_are_for_another_policy if {
	_found([], [{"path": "/spec/containers/0/image", "reference": "r.io/a:1", "error": ""}], {}, {}) == set()
}

test_models_from_elsewhere_are_for_other_policies if {
	_found([{"path": "/x", "scheme": "hf", "uri": "hf://a/b", "unresolved": ""}], [], {}, {}) == set()
	_found([{"path": "/x", "scheme": "oci", "uri": "", "unresolved": "in a Secret"}], [], {}, {}) == set()
}
