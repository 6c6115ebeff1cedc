# METADATA
# title: An AIWorkspace has capabilities that the platform offers
# description: >-
#   Each capability opens something: a notebook that runs any code, a store that others can fill. The platform offers those that it
#   has made safe; a name that it does not know is either a slip of the pen or a way in that nobody has looked at.
# scope: package
# custom:
#   id: PLATFORM-008
#   severity: medium
#   subjects: [resource]
#   needs: [object]
#   parameters:
#     capabilities:
#       description: What a workspace may have.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [experiment-tracking, fine-tuning, jupyter-notebooks, model-serving, vector-database]
#   remediation: >-
#     Name only capabilities that the platform offers; the message lists them. If yours is missing, ask the platform team for it.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
package policies.platform.workspace_capabilities

import data.lib.platform
import data.lib.values

violations contains {"message": platform.message(_capabilities, "a list of capabilities"), "path": _capabilities.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	not platform.missing(_capabilities)
	not _is_list
}

violations contains {"message": message, "path": path} if {
	platform.is_a(input.subject, "AIWorkspace")
	_is_list
	some index, capability in _capabilities.value
	not capability in input.parameters.capabilities
	path := concat("/", [_capabilities.path, json.marshal(index)])
	message := concat("", [
		_capabilities.name,
		"[",
		json.marshal(index),
		"] is ",
		values.shown(capability),
		"; required is one of ",
		concat(", ", input.parameters.capabilities),
	])
}

_capabilities := platform.field(input.object, ["spec", "capabilities"])

_is_list if {
	_capabilities.wants == ""
	is_array(_capabilities.value)
}
