package policies.data.encrypted_classes_test

import data.policies.data.encrypted_classes

_input(name, fields) := {
	"subject": {"kind": "StorageClass", "apiVersion": "storage.k8s.io/v1", "identity": {"name": name}},
	"object": object.union({"provisioner": "ebs.csi.aws.com"}, fields),
	"parameters": {
		"storage_classes": ["safe-*"],
		"encryption_parameters": ["encrypted", "key"],
		"encrypting_provisioners": ["pd.csi.storage.gke.io"],
	},
}

_violations(name, fields) := found if {
	found := encrypted_classes.violations with input as _input(name, fields)
}

_patches(name, fields) := found if {
	found := encrypted_classes.patches with input as _input(name, fields)
}

test_encrypted if {
	_violations("safe-gp3", {"parameters": {"encrypted": "true"}}) == set()
	_violations("safe-gp3", {"parameters": {"key": "arn:x"}}) == set()
	_violations("safe-gp3", {"provisioner": "pd.csi.storage.gke.io"}) == set()
	_violations("gp3", {}) == set()
}

test_not_encrypted if {
	_violations("safe-gp3", {}) == {{
		"message": concat("", [
			"the storage class \"safe-gp3\" of the provisioner \"ebs.csi.aws.com\" does not say that its volumes are encrypted; ",
			"required is one of the parameters encrypted, key",
		]),
		"path": "/parameters/encrypted",
	}}
	every value in ["false", "False", "", "no", null, true, 1, [], {}] {
		count(_violations("safe-gp3", {"parameters": {"encrypted": value}})) == 1
	}
	every parameters in [null, "x", 7, [], {}] {
		count(_violations("safe-gp3", {"parameters": parameters})) == 1
	}
	every provisioner in [null, 7, {}] {
		count(_violations("safe-gp3", {"provisioner": provisioner})) == 1
	}
}

test_only_what_is_missing_is_added if {
	_patches("safe-gp3", {}) == {{"op": "add", "path": "/parameters/encrypted", "value": "true"}}
	_patches("safe-gp3", {"parameters": {"encrypted": "false"}}) == set()
	_patches("safe-gp3", {"provisioner": "example.com/csi"}) == set()
	_patches("gp3", {}) == set()
}

test_other_kinds if {
	other := object.union(_input("safe-gp3", {}), {"subject": {"kind": "StorageClass", "apiVersion": "example.com/v1", "identity": {"name": "safe-gp3"}}})
	violations := encrypted_classes.violations with input as other
	violations == set()
}
