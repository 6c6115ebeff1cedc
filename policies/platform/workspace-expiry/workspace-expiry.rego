# METADATA
# title: An AIWorkspace expires
# description: >-
#   A workspace that nobody works in any more keeps its quota, its data and its credentials. It says after which time it is removed;
#   who still needs it sets the time anew. What stands in sandbox namespaces without a workspace is for labels/expiry.
# scope: package
# custom:
#   id: PLATFORM-009
#   severity: medium
#   subjects: [resource]
#   needs: [object]
#   parameters:
#     max_workspace_days:
#       description: The longest time.
#       type: integer
#       minimum: 1
#       maximum: 3650
#       default: 30
#     permanent_environments:
#       description: Environments whose workspaces need not expire; a time that they set is judged all the same.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Set spec.expiry to hours, days or weeks, such as 30d, and renew it while the team still needs the workspace.
#   controls:
#     nist-800-53-r5: [AC-2(3), CM-8, SI-12]
package policies.platform.workspace_expiry

import data.lib.platform

violations contains {"message": message, "path": _expiry.path} if {
	_is_wrong
	message := platform.message(_expiry, concat(" ", ["a number of hours, days or weeks, at most", _most]))
}

patches contains {"op": "add", "path": _expiry.path, "value": _most} if {
	_is_wrong
	platform.missing(_expiry)
}

patches contains {"op": "replace", "path": _expiry.path, "value": _most} if {
	_is_wrong
	_expiry.wants == ""
	not platform.missing(_expiry)
}

_is_wrong if {
	platform.is_a(input.subject, "AIWorkspace")
	not _is_in_time
	not _is_permanent
}

_expiry := platform.field(input.object, ["spec", "expiry"])

_environment := platform.field(input.object, ["spec", "environment"])

_most := concat("", [json.marshal(input.parameters.max_workspace_days), "d"])

_is_in_time if {
	_expiry.wants == ""
	platform.minutes(_expiry.value, "hdw") <= input.parameters.max_workspace_days * 1440
}

_is_permanent if {
	platform.missing(_expiry)
	_environment.wants == ""
	_environment.value in input.parameters.permanent_environments
}
