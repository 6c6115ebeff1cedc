# METADATA
# title: Datasets carry a version and a class
# description: >-
#   Without the version nobody can repeat a training run, or tell which models were trained on data that have to go. Without the class
#   nobody can say where the model may run. Both stand in the reference itself (s3://datalake/restricted/claims/v3) or in labels or
#   annotations of the object or its pods; a path in the container needs none if data are put there from elsewhere. Where they contradict each other, the stricter one has to be named.
# scope: package
# related_resources:
#   - ref: https://huggingface.co/docs/datasets/loading#hugging-face-hub
# custom:
#   id: DATA-003
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     version_tags:
#       description: Labels and annotations that name the version.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [dataset-version]
#     class_tags:
#       description: Labels and annotations that name the class.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [dataset-classification, data-classification]
#     classes:
#       description: The classes, from the least to the most confidential.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [public, internal, confidential, restricted]
#   remediation: >-
#     Name a version of the dataset that stays as it is (a path with /v3 or /2026-10-01, a revision), and add the label
#     data-classification with the class that the data office gave it.
#   controls:
#     nist-800-53-r5: [AC-16, CM-8, SI-12]
package policies.data.dataset_tags

import data.lib.references
import data.lib.training
import data.lib.values

violations contains {"message": message, "path": dataset.path} if {
	some dataset in _datasets
	not _has_version(dataset)
	message := concat("", [
		_shown(dataset),
		" carries no version; required is one in its reference or in the label or annotation ",
		concat(" or ", input.parameters.version_tags),
	])
}

violations contains {"message": message, "path": dataset.path} if {
	some dataset in _datasets
	count(_tags(dataset, input.parameters.class_tags)) == 0
	count(_classes_in(dataset)) == 0
	message := concat("", [_shown(dataset), " carries no class; required is one of ", _classes, _where])
}

violations contains {"message": message, "path": dataset.path} if {
	some dataset in _datasets
	some tag in _tags(dataset, input.parameters.class_tags)
	not tag in input.parameters.classes
	message := concat("", [
		_shown(dataset),
		" carries the class ",
		values.shown(tag),
		"; required is one of ",
		_classes,
		_where,
	])
}

violations contains {"message": message, "path": dataset.path} if {
	some dataset in _datasets
	some tag in _tags(dataset, input.parameters.class_tags)
	some class in _classes_in(dataset)
	_is_below(tag, class)
	message := concat("", [
		_shown(dataset),
		" carries the class ",
		values.shown(tag),
		", and its reference says ",
		values.shown(class),
		"; required is the stricter one",
	])
}

# A path in the container is where data were put that another reference names; it is judged if none does.
_datasets contains dataset if {
	some dataset in _all_datasets
	not _is_local(dataset)
}

_datasets contains dataset if {
	some dataset in _all_datasets
	every other in _all_datasets {
		_is_local(other)
	}
}

_all_datasets contains dataset if {
	training.may_train(input.subject)
	some dataset in input.subject.models
	object.get(dataset, "role", "model") == "dataset"
}

_is_local(dataset) if object.get(dataset, "scheme", "") == "file"

_shown(dataset) := references.described(dataset) if not references.is_unseen(dataset)

_shown(dataset) := concat("", ["the dataset (", dataset.unresolved, ")"]) if references.is_unseen(dataset)

_has_version(dataset) if _is_version(object.get(dataset, "version", ""))

_has_version(dataset) if {
	some segment in _parts_of_name(dataset)
	regex.match("(^|[-_.=])v[0-9]+([-_.]|$)|^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$|^[0-9]{8}$|^(version|snapshot|release|date|dt)=.", segment)
}

_has_version(dataset) if {
	some tag in _tags(dataset, input.parameters.version_tags)
	_is_version(tag)
}

_is_version(text) if {
	is_string(text)
	not lower(text) in {"", "current", "dev", "head", "latest", "main", "master"}
}

_parts_of_name(dataset) := split(lower(object.get(dataset, "name", "")), "/")

_classes_in(dataset) := {class |
	some class in input.parameters.classes
	some segment in _parts_of_name(dataset)
	segment in {lower(class), concat("=", ["classification", lower(class)])}
}

# What the labels and annotations of the object and of the pods that read the dataset say, for all `names`.
_tags(dataset, names) := {value |
	some holder in array.concat([input.subject], _pods_of(dataset))
	some field in ["annotations", "labels"]
	some name in names
	value := object.get(values.as_object(object.get(holder, field, {})), name, null)
	not is_null(value)
}

_pods_of(dataset) := [pod |
	some pod in input.subject.pods
	startswith(dataset.path, concat("", [pod.path, "/"]))
]

_is_below(tag, class) if {
	some low, lesser in input.parameters.classes
	some high, greater in input.parameters.classes
	lesser == tag
	greater == class
	low < high
}

_classes := concat(", ", input.parameters.classes)

_where := concat("", [" in its reference or in the label or annotation ", concat(" or ", input.parameters.class_tags)])
