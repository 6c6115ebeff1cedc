package policies.data.encrypted_volumes_test

import data.policies.data.encrypted_volumes

_violations(subject, object, classes) := found if {
	found := encrypted_volumes.violations with input as {
		"subject": subject,
		"object": object,
		"parameters": {"storage_classes": classes},
	}
}

_claim := {"type": "resource", "kind": "PersistentVolumeClaim", "apiVersion": "v1"}

_workload := {"type": "workload", "kind": "StatefulSet", "apiVersion": "apps/v1"}

_found(subject, object) := {[violation.path, violation.message] | some violation in _violations(subject, object, ["safe", "safe-*"])}

_message(shown) := concat("", ["the storage class is ", shown, "; required is one of safe, safe-*"])

test_claims if {
	_found(_claim, {"spec": {"storageClassName": "safe"}}) == set()
	_found(_claim, {"spec": {"storageClassName": "safe-gp3"}}) == set()
	_found(_claim, {"spec": {"storageClassName": "gp3"}}) == {["/spec/storageClassName", _message("\"gp3\"")]}
	every spec in [{}, {"storageClassName": null}, null, "x"] {
		_found(_claim, {"spec": spec}) == {["/spec/storageClassName", _message("missing")]}
	}
	every value in ["", 7, [], {}, true] {
		count(_found(_claim, {"spec": {"storageClassName": value}})) == 1
	}
	_found(object.union(_claim, {"kind": "PersistentVolume"}), {"spec": {"storageClassName": "gp3"}}) == set()
}

test_the_annotation_counts_before_the_field if {
	annotated := {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "gp3"}}, "spec": {"storageClassName": "safe"}}
	_found(_claim, annotated) == {[
		"/metadata/annotations/volume.beta.kubernetes.io~1storage-class",
		_message("\"gp3\""),
	]}
	_found(_claim, {"metadata": {"annotations": null}, "spec": {"storageClassName": "safe"}}) == set()
}

test_templates_of_claims if {
	_found(_workload, {"spec": {"volumeClaimTemplates": [{"spec": {"storageClassName": "safe"}}, {"spec": {}}]}}) == {[
		"/spec/volumeClaimTemplates/1/spec/storageClassName",
		_message("missing"),
	]}
	_found(_workload, {"spec": {"a": [{"volumeClaimTemplate": {"spec": {"storageClassName": "gp3"}}}]}}) == {[
		"/spec/a/0/volumeClaimTemplate/spec/storageClassName",
		_message("\"gp3\""),
	]}
	every value in [null, "x", 7, {}, [], ["x"]] {
		_found(_workload, {"spec": {"volumeClaimTemplates": value}}) == set()
	}
}

test_fields_of_other_kinds if {
	_found(_workload, {"spec": {"a/b": {"storageClass": "gp3"}}}) == {["/spec/a~1b/storageClass", _message("\"gp3\"")]}
	_found(_workload, {"spec": {"storageClass": null}}) == set()
	_found(_workload, {}) == set()
}

test_one_class_is_added if {
	patches := encrypted_volumes.patches with input as {
		"subject": _claim,
		"object": {"spec": {}},
		"parameters": {"storage_classes": ["safe"]},
	}
	patches == {{"op": "add", "path": "/spec/storageClassName", "value": "safe"}}
	none := encrypted_volumes.patches with input as {
		"subject": _claim,
		"object": {"spec": {}},
		"parameters": {"storage_classes": ["safe-*"]},
	}
	none == set()
}
