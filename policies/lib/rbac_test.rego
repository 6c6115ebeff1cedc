package lib.rbac_test

import data.lib.rbac

_rule(groups, resources, verbs) := {"apiGroups": groups, "resources": resources, "verbs": verbs, "resourceNames": []}

test_resources if {
	resources := ["pods", "pods/exec", "deployments.apps", "deployments.apps/scale"]
	rbac.resources_of(_rule([""], ["pods", "deployments"], []), resources) == ["pods"]
	rbac.resources_of(_rule(["", "apps"], ["pods", "deployments"], []), resources) == ["pods", "deployments.apps"]
	rbac.resources_of(_rule(["*"], ["*/exec", "*/scale"], []), resources) == ["pods/exec", "deployments.apps/scale"]
	rbac.resources_of(_rule([""], ["*"], []), resources) == ["pods", "pods/exec"]
	rbac.resources_of(_rule(["*"], ["*"], []), resources) == resources
	every resource in ["Pods", "pods/*", "", "*/"] {
		rbac.resources_of(_rule(["*"], [resource], []), resources) == []
	}
	rbac.resources_of(_rule([], ["*"], []), resources) == []
}

test_verbs if {
	rbac.verbs_of(_rule([], [], ["list", "get"]), ["get", "list", "watch"]) == ["get", "list"]
	rbac.verbs_of(_rule([], [], ["*"]), ["get", "list"]) == ["get", "list"]
	rbac.verbs_of(_rule([], [], ["GET"]), ["get"]) == []
}

test_names if {
	rbac.is_for_named({"resourceNames": ["a"]})
	not rbac.is_for_named({"resourceNames": []})
	not rbac.is_for_named({"resourceNames": ["a", ""]})
}

test_keys if {
	rbac.subject_key({"kind": "Group", "name": "a", "namespace": null}) == "Group/a"
	rbac.subject_key({"kind": "ServiceAccount", "name": "a", "namespace": "b"}) == "ServiceAccount/b/a"
	rbac.subject_key({"kind": "ServiceAccount", "name": "a", "namespace": null}) == "ServiceAccount//a"
}

test_how_subjects_are_shown if {
	rbac.subject_shown({"kind": "Group", "name": "a", "namespace": null}) == "the group \"a\""
	rbac.subject_shown({"kind": "User", "name": "a", "namespace": null}) == "the user \"a\""
	rbac.subject_shown({"kind": "Robot", "name": "a", "namespace": null}) == "the Robot \"a\""
	rbac.subject_shown({"kind": "ServiceAccount", "name": "a", "namespace": "b"}) == "the service account \"b/a\""
}
