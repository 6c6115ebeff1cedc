# The seccomp and AppArmor profiles of a pod: both have types, and the same ones are safe. Nothing here reads `input`.
package lib.profiles

import data.lib.settings
import data.lib.values

# The profiles (`field` of securityContext) of the pod and its containers that are neither RuntimeDefault nor Localhost.
refused(pod, field) := {setting |
	fields := ["securityContext", field]
	safe := {"Localhost", "RuntimeDefault"}
	some setting in settings.others_of_all(pod, fields, array.concat(fields, ["type"]), safe)
}

# What to say of a refused one. `otherwise` is what is fine besides: "" or " or no profile".
message(setting, otherwise) := concat("", [
	setting.owner,
	" sets ",
	setting.field,
	_type_found(setting),
	"; required is type RuntimeDefault or Localhost",
	otherwise,
])

_type_found(setting) := concat("", [".type to ", values.shown(setting.value.type)]) if {
	not is_null(object.get(values.as_object(setting.value), "type", null))
}

_type_found(setting) := " without a type" if {
	is_object(setting.value)
	is_null(object.get(setting.value, "type", null))
}

_type_found(setting) := concat("", [" to ", values.shown(setting.value)]) if not is_object(setting.value)
