# METADATA
# title: Storage classes that are called encrypted are
# description: >-
#   DATA-005 takes the word of a storage class's name. Judged are the classes of these names: they say to their provisioner that
#   volumes are encrypted, or have one that always does it.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/storage-classes/#parameters
#   - ref: https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/parameters.md
# custom:
#   id: DATA-006
#   severity: high
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     storage_classes:
#       description: Names of storage classes that are encrypted. A * stands for any text.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [encrypted, "encrypted-*", "*-encrypted"]
#     encryption_parameters:
#       description: Parameters of a class, of which one says that volumes are encrypted, or with which key.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [encrypted, diskEncryptionSetID, disk-encryption-kms-key]
#     encrypting_provisioners:
#       description: Provisioners whose volumes are always encrypted.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [disk.csi.azure.com, file.csi.azure.com, filestore.csi.storage.gke.io, pd.csi.storage.gke.io]
#   remediation: >-
#     Make the class anew with parameters.encrypted set to "true" (the parameters of a class cannot be changed), or give it a name
#     that promises nothing.
#   controls:
#     nist-800-53-r5: [SC-28, SC-28(1)]
package policies.data.encrypted_classes

import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": "/parameters/encrypted"} if {
	_is_judged
	not _encrypts
	message := concat("", [
		"the storage class ",
		values.shown(input.subject.identity.name),
		" of the provisioner ",
		values.shown_or_missing(_provisioner),
		" does not say that its volumes are encrypted; required is one of the parameters ",
		concat(", ", input.parameters.encryption_parameters),
	])
}

patches contains {"op": "add", "path": "/parameters/encrypted", "value": "true"} if {
	_is_judged
	not _encrypts
	_provisioner in {"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "kubernetes.io/aws-ebs"}
	is_null(object.get(_parameters, "encrypted", null))
	"encrypted" in input.parameters.encryption_parameters
}

_is_judged if {
	input.subject.kind == "StorageClass"
	startswith(input.subject.apiVersion, "storage.k8s.io/")
	globs.like_one_of(input.subject.identity.name, input.parameters.storage_classes)
}

_encrypts if _provisioner in input.parameters.encrypting_provisioners

_encrypts if {
	some name in input.parameters.encryption_parameters
	value := object.get(_parameters, name, null)
	is_string(value)
	not lower(value) in {"", "0", "false", "no"}
}

_provisioner := object.get(input.object, "provisioner", null)

_parameters := values.as_object(object.get(input.object, "parameters", {}))
