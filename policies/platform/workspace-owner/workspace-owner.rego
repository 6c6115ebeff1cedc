# METADATA
# title: An AIWorkspace names its team and environment
# description: >-
#   Namespace, quotas, access and costs of a workspace follow from its team and environment. Where one of them is missing, what is
#   made of it belongs to nobody.
# scope: package
# custom:
#   id: PLATFORM-010
#   severity: medium
#   subjects: [resource]
#   needs: [object]
#   parameters:
#     team_pattern:
#       description: What the name of a team is like; a regular expression for the whole of it.
#       type: string
#       minLength: 1
#       default: "[a-z][a-z0-9-]{0,61}[a-z0-9]"
#     workspace_environments:
#       description: The environments that there are.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [development, staging, production]
#   remediation: >-
#     Set spec.team to the name of your team, such as customer-experience, and spec.environment to one of those that there are.
#   controls:
#     nist-800-53-r5: [AC-2, CM-8(4)]
package policies.platform.workspace_owner

import data.lib.platform

violations contains {"message": message, "path": _team.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	not platform.is_text(_team, input.parameters.team_pattern)
	message := platform.message(_team, concat(" ", ["the name of a team, like", input.parameters.team_pattern]))
}

violations contains {"message": message, "path": _environment.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	not _is_environment
	message := platform.message(_environment, concat(" ", ["one of", concat(", ", input.parameters.workspace_environments)]))
}

_team := platform.field(input.object, ["spec", "team"])

_environment := platform.field(input.object, ["spec", "environment"])

_is_environment if {
	_environment.wants == ""
	_environment.value in input.parameters.workspace_environments
}
