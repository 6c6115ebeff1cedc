# The fields that a pod and its containers set. Nothing here reads `input`.
#
# A setting is one field with a value that is not null: `{"path", "owner", "field", "value", "wants"}`. A part on the way to the
# field that cannot hold it (text, a number, a list) is a setting too; `wants` says what it had to be, and is "" for all that can
# be read. So what cannot be read is never overlooked: a policy refuses each setting that it does not allow.
package lib.settings

import data.lib.containers
import data.lib.values

# The field of the pod itself; `fields` are the names on the way to it.
of_pod(pod, fields) := {setting |
	some found in _found(pod, fields)
	setting := _pod_setting(pod, found)
}

# The field of each container of the pod: main, init and ephemeral ones.
of_containers(pod, fields) := {setting |
	first := fields[0]
	some container in pod.containers
	container[first] != null
	some found in _found(container, fields)
	setting := _container_setting(container, found)
}

# The field of the pod and of each of its containers.
of_all(pod, fields) := of_pod(pod, fields) | of_containers(pod, fields)

# The same without those where the value at `place` (the field itself, or inside of it) is one of the allowed: what is in order, as
# most is, is not even described.
others_of_pod(pod, fields, place, allowed) := {setting |
	not object.get(pod, place, null) in allowed
	some found in _found(pod, fields)
	setting := _pod_setting(pod, found)
}

others_of_containers(pod, fields, place, allowed) := {setting |
	first := fields[0]
	some container in pod.containers
	container[first] != null
	not object.get(container, place, null) in allowed
	some found in _found(container, fields)
	setting := _container_setting(container, found)
}

others_of_all(pod, fields, place, allowed) := others_of_pod(pod, fields, place, allowed) | others_of_containers(pod, fields, place, allowed)

# The settings, which must be lists.
lists(settings) := {list |
	some setting in settings
	list := _as_list(setting)
}

# The elements of settings that must be lists of objects.
elements(settings) := {element |
	some list in lists(settings)
	some element in _elements(list)
}

# The field of each of the settings, which are objects.
inside(settings, fields) := {setting |
	some holder in settings
	some setting in _inside(holder, fields)
}

# Whether the setting can be read and has one of the values.
one_of(setting, allowed) if {
	setting.wants == ""
	setting.value in allowed
}

# `container "server" sets securityContext.procMount to "Unmasked"; required is "Default" or no value`.
message(setting, required) := concat("", [
	setting.owner,
	" sets ",
	setting.field,
	" to ",
	values.shown(setting.value),
	"; required is ",
	_required(setting, required),
])

# Whether the pod says that it is for Windows nodes.
for_windows(pod) if object.get(pod, ["os", "name"], "") == "windows"

# Whether the pod has user IDs of its own: root in it is nobody on the node.
in_user_namespace(pod) if object.get(pod, "hostUsers", true) == false

# Whether the field is missing or null, and nothing on the way to it stands in its place.
unset(holder, fields) if {
	is_null(object.get(holder, fields, null))
	count(_found(holder, fields)) == 0
}

# Whether something on the way to the field cannot hold it.
blocked(holder, fields) if {
	some found in _found(holder, fields)
	found.wants != ""
}

# The service account of the pod, by the field of today or of old; Kubernetes takes "default" where both are silent.
service_account(pod) := name if {
	name := object.get(pod, "serviceAccountName", null)
	not name in {"", null}
} else := name if {
	name := object.get(pod, "serviceAccount", null)
	not name in {"", null}
} else := "default"

# Where the annotation of the pod is: beside its spec, where Kubernetes has it.
annotation_path(pod, name) := concat("", [
	trim_suffix(pod.path, "/spec"),
	"/metadata/annotations/",
	values.pointer_token(name),
])

# Every policy asks this of every container, so the common answers come first: the field is there, or it is missing from an object
# that could hold it, or with such an object on a short way (of up to three names, there are two that can stand in it). Else one
# thing may stand in the way.
_found(holder, fields) := {{"fields": fields, "value": value, "wants": ""}} if {
	value := object.get(holder, fields, null)
	value != null
} else := set() if {
	count(fields) <= 3
	is_object(object.get(holder, fields[0], {}))
	is_object(object.get(holder, array.slice(fields, 0, count(fields) - 1), {}))
} else := set() if {
	is_object(object.get(holder, array.slice(fields, 0, count(fields) - 1), null))
} else := {found |
	some length
	fields[length] != ""
	length > 0
	part := array.slice(fields, 0, length)
	value := object.get(holder, part, null)
	value != null
	not is_object(value)
	found := {"fields": part, "value": value, "wants": "an object"}
}

_pod_setting(pod, found) := {
	"path": concat("/", [pod.path, concat("/", found.fields)]),
	"owner": "the pod",
	"field": concat(".", found.fields),
	"value": found.value,
	"wants": found.wants,
}

_container_setting(container, found) := {
	"path": concat("/", [container.path, concat("/", found.fields)]),
	"owner": containers.described(container),
	"field": concat(".", found.fields),
	"value": found.value,
	"wants": found.wants,
}

_as_list(setting) := setting if setting.wants != ""

_as_list(setting) := setting if is_array(setting.value)

_as_list(setting) := {
	"path": setting.path,
	"owner": setting.owner,
	"field": setting.field,
	"value": setting.value,
	"wants": "a list",
} if {
	setting.wants == ""
	not is_array(setting.value)
}

_elements(list) := {list} if list.wants != ""

_elements(list) := {element |
	some index
	value := list.value[index]
	element := {
		"path": concat("/", [list.path, json.marshal(index)]),
		"owner": list.owner,
		"field": concat("", [list.field, "[", json.marshal(index), "]"]),
		"value": value,
		"wants": _wants_object(value),
	}
} if list.wants == ""

_wants_object(value) := "" if is_object(value)

_wants_object(value) := "an object" if not is_object(value)

_inside(holder, _) := {holder} if holder.wants != ""

_inside(holder, fields) := {setting |
	some found in _found(holder.value, fields)
	setting := {
		"path": concat("/", [holder.path, concat("/", found.fields)]),
		"owner": holder.owner,
		"field": concat(".", [holder.field, concat(".", found.fields)]),
		"value": found.value,
		"wants": found.wants,
	}
} if holder.wants == ""

_required(setting, required) := required if setting.wants == ""

_required(setting, _) := setting.wants if setting.wants != ""
