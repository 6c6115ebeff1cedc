# METADATA
# title: Training mounts only approved claims
# description: >-
#   A PersistentVolumeClaim can hold any copy of any data, and a path in it says nothing of where they came from. Judged are all claims
#   in the volumes of what trains (see lib/training.rego), and those that a dataset is named by (pvc://). Claims that a run writes to
#   count, too: what can be written can be read.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#claims-as-volumes
# custom:
#   id: DATA-002
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName, volumes], container: [restartPolicy]}
#   parameters:
#     claims:
#       description: Names of claims. A * stands for any text.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [datalake, "datalake-*", "*-adapters", "*-checkpoints", "*-models", "*-results", "home-*"]
#   remediation: >-
#     Mount a claim of the data lake, and write to one of your team's claims for checkpoints, adapters or results. For a claim of
#     another name ask the data office to approve it.
#   controls:
#     nist-800-53-r5: [AC-4, AC-6]
package policies.data.approved_claims

import data.lib.globs
import data.lib.references
import data.lib.settings
import data.lib.training
import data.lib.values

violations contains {"message": settings.message(volume, ""), "path": volume.path} if {
	some volume in _volumes
	volume.wants != ""
}

violations contains {"message": message, "path": path} if {
	some volume in _volumes
	volume.wants == ""
	claim := object.get(volume.value, "persistentVolumeClaim", null)
	not is_null(claim)
	name := object.get(values.as_object(claim), "claimName", null)
	not globs.like_one_of(name, input.parameters.claims)
	message := concat("", [
		"the claim of the volume ",
		values.shown(object.get(volume.value, "name", "")),
		" is ",
		values.shown_or_missing(name),
		"; approved for training are ",
		_claims,
	])
	path := concat("/", [volume.path, "persistentVolumeClaim/claimName"])
}

violations contains {"message": message, "path": dataset.path} if {
	training.may_train(input.subject)
	some dataset in input.subject.models
	object.get(dataset, "role", "model") == "dataset"
	startswith(lower(dataset.uri), "pvc:")
	not globs.like_one_of(split(dataset.name, "/")[0], input.parameters.claims)
	message := concat("", [references.described(dataset), " is in a claim; approved for training are ", _claims])
}

_volumes contains volume if {
	training.trains(input.subject)
	some pod in input.subject.pods
	some volume in settings.elements(settings.of_pod(pod, ["volumes"]))
}

_claims := concat(", ", sort(input.parameters.claims))
