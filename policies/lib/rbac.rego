# The rules and subjects of RBAC objects, read as Kubernetes' own authorizer reads them. Nothing here reads `input`.
#
# Resources are named as kubectl names them: `pods`, `pods/exec`, `deployments.apps`,
# `certificatesigningrequests.certificates.k8s.io/approval`.
package lib.rbac

import data.lib.values

_group_of_rbac := "rbac.authorization.k8s.io/"

# Whether the subject is a Role or a ClusterRole.
is_role(subject) if {
	subject.kind in {"ClusterRole", "Role"}
	startswith(subject.apiVersion, _group_of_rbac)
}

# Whether the subject is a RoleBinding or a ClusterRoleBinding.
is_role_binding(subject) if {
	subject.kind in {"ClusterRoleBinding", "RoleBinding"}
	startswith(subject.apiVersion, _group_of_rbac)
}

_fields_of_rules := ["apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs"]

# The rules of a role, each with its path; what is no list of texts in one is empty here, and in `unreadable`.
rules(role) := {rule |
	list := object.get(role, "rules", null)
	is_array(list)
	some index
	value := list[index]
	is_object(value)
	rule := {
		"path": concat("/", ["/rules", json.marshal(index)]),
		"apiGroups": _texts_in(value, "apiGroups"),
		"nonResourceURLs": _texts_in(value, "nonResourceURLs"),
		"resourceNames": _texts_in(value, "resourceNames"),
		"resources": _texts_in(value, "resources"),
		"verbs": _texts_in(value, "verbs"),
	}
}

_texts_in(holder, field) := [text |
	list := object.get(holder, field, null)
	is_array(list)
	some text in list
	is_string(text)
]

# What of a role cannot be read: a violation each, for no such role may pass.
unreadable_rules(role) := (_no_list_of_objects(role, "rules") | _no_lists_of_texts(role)) | _no_aggregation(role)

_no_lists_of_texts(role) := {violation |
	list := object.get(role, "rules", null)
	is_array(list)
	some index
	value := list[index]
	is_object(value)
	some field in _fields_of_rules
	found := object.get(value, field, null)
	not is_null(found)
	not _is_list_of_texts(found)
	path := concat("/", ["/rules", json.marshal(index), field])
	violation := _unreadable(path, field, "a list of texts")
}

_no_aggregation(role) := {violation |
	found := object.get(role, "aggregationRule", null)
	not is_null(found)
	not is_object(found)
	violation := _unreadable("/aggregationRule", "aggregationRule", "an object")
}

_is_list_of_texts(value) if {
	is_array(value)
	every text in value {
		is_string(text)
	}
}

_no_list_of_objects(holder, field) := {violation |
	found := object.get(holder, field, null)
	not is_null(found)
	not is_array(found)
	violation := _unreadable(concat("", ["/", field]), field, "a list")
} | {violation |
	list := object.get(holder, field, null)
	is_array(list)
	some index
	value := list[index]
	not is_object(value)
	violation := _unreadable(
		concat("", ["/", field, "/", json.marshal(index)]),
		concat("", [field, "[", json.marshal(index), "]"]),
		"an object",
	)
}

_unreadable(path, field, required) := {
	"message": concat("", ["the field ", field, " cannot be read; required is ", required]),
	"path": path,
}

# Those of the resources that the rule is about. `*` stands for all of them, `*/scale` for that subresource of all.
resources_of(rule, resources) := [resource |
	some resource in resources
	_covers_group(rule, resource)
	_covers_resource(rule, resource)
]

_covers_group(rule, _) if "*" in rule.apiGroups

_covers_group(rule, resource) if {
	parts := split(resource, "/")
	words := split(parts[0], ".")
	concat(".", array.slice(words, 1, count(words))) in rule.apiGroups
}

_covers_resource(rule, _) if "*" in rule.resources

_covers_resource(rule, resource) if _resource_name(resource) in rule.resources

_covers_resource(rule, resource) if {
	parts := split(resource, "/")
	count(parts) == 2
	concat("/", ["*", parts[1]]) in rule.resources
}

_resource_name(resource) := concat("/", array.concat([words[0]], array.slice(parts, 1, count(parts)))) if {
	parts := split(resource, "/")
	words := split(parts[0], ".")
}

# Those of the verbs that the rule grants. `*` stands for all of them.
verbs_of(rule, verbs) := [verb |
	some verb in verbs
	_grants(rule, verb)
]

_grants(rule, _) if "*" in rule.verbs

_grants(rule, verb) if verb in rule.verbs

# Whether the rule is about single objects by name. An empty name does not count: Kubernetes takes it for requests without one.
is_for_named(rule) if {
	count(rule.resourceNames) > 0
	not "" in rule.resourceNames
}

# The subjects of a binding that have a kind and a name, each with its path; the others are in `unreadable_binding`.
subjects(binding) := {subject |
	list := object.get(binding, "subjects", null)
	is_array(list)
	some index
	value := list[index]
	_is_named(value)
	subject := {
		"path": concat("/", ["/subjects", json.marshal(index)]),
		"kind": value.kind,
		"name": value.name,
		"namespace": object.get(value, "namespace", null),
	}
}

# What of a binding cannot be read: a violation each.
unreadable_binding(binding) := (_no_list_of_objects(binding, "subjects") | _no_reference(binding)) | _nameless(binding)

_no_reference(binding) := {violation |
	reference := object.get(binding, "roleRef", null)
	not is_string(object.get(values.as_object(reference), "name", null))
	violation := _unreadable("/roleRef", "roleRef", "an object with the name of a role")
}

_nameless(binding) := {violation |
	list := object.get(binding, "subjects", null)
	is_array(list)
	some index
	value := list[index]
	is_object(value)
	not _is_named(value)
	violation := _unreadable(
		concat("/", ["/subjects", json.marshal(index)]),
		concat("", ["subjects[", json.marshal(index), "]"]),
		"an object with kind and name",
	)
}

_is_named(value) if {
	is_object(value)
	is_string(object.get(value, "kind", null))
	is_string(object.get(value, "name", null))
}

# The name of the role that a binding grants, where it can be a ClusterRole.
cluster_role_of(binding) := name if {
	reference := object.get(binding, "roleRef", null)
	object.get(values.as_object(reference), "kind", "ClusterRole") != "Role"
	name := object.get(values.as_object(reference), "name", null)
	is_string(name)
}

# `User/ada@example.com`, `Group/team-search`, `ServiceAccount/search/indexer`: how parameters name subjects.
subject_key(subject) := concat("/", [subject.kind, subject.name]) if subject.kind != "ServiceAccount"

subject_key(subject) := concat("/", [subject.kind, _namespace_of(subject), subject.name]) if {
	subject.kind == "ServiceAccount"
}

_namespace_of(subject) := subject.namespace if is_string(subject.namespace)

_namespace_of(subject) := "" if not is_string(subject.namespace)

# `the group "team-search"`: how messages name them.
subject_shown(subject) := concat(" ", [_kind_shown(subject.kind), values.shown(subject.name)]) if subject.kind != "ServiceAccount"

subject_shown(subject) := concat(" ", ["the service account", values.shown(concat("/", [_namespace_of(subject), subject.name]))]) if {
	subject.kind == "ServiceAccount"
}

_kind_shown("User") := "the user"

_kind_shown("Group") := "the group"

_kind_shown(kind) := concat(" ", ["the", kind]) if not kind in {"Group", "User"}
