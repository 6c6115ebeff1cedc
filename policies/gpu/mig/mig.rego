# METADATA
# title: Parts of GPUs are asked for as they can be used
# description: >-
#   A CUDA program sees one MIG slice only: a container that asks for two pays for both and uses one, and one that asks for a slice
#   and a whole GPU sees only one of the two kinds.
# scope: package
# related_resources:
#   - ref: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
# custom:
#   id: GPU-007
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [resources, restartPolicy], container: [resources, restartPolicy]}
#   parameters:
#     mig_profiles:
#       description: The profiles that may be asked for; none here stands for any.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Ask for one larger slice (such as nvidia.com/mig-3g.40gb in place of two mig-1g.20gb), for a whole GPU (nvidia.com/gpu), or
#     run several pods with one slice each.
#   controls:
#     nist-800-53-r5: [SC-6]
package policies.gpu.mig

import data.lib.containers
import data.lib.values

violations contains {"message": message, "path": _limits_path(container)} if {
	some container in _users
	count(_slices(container)) > 0
	not _asks_for_one(container)
	message := concat("", [
		containers.described(container),
		" asks for ",
		concat(", ", sort(_slices(container))),
		"; required is one slice for each container",
	])
}

violations contains {"message": message, "path": _limits_path(container)} if {
	some container in _users
	count(_slices(container)) > 0
	not object.get(_amounts(container), "nvidia.com/gpu", null) in {0, "0", null}
	message := concat(" ", [
		containers.described(container),
		"asks for MIG slices and for nvidia.com/gpu; required is one kind of the two",
	])
}

violations contains {"message": message, "path": _limits_path(container)} if {
	count(input.parameters.mig_profiles) > 0
	some container in _users
	some profile in _profiles(container)
	not profile in input.parameters.mig_profiles
	message := concat("", [
		containers.described(container),
		" asks for the MIG profile ",
		values.shown(profile),
		"; allowed are ",
		concat(", ", input.parameters.mig_profiles),
	])
}

_users contains container if {
	some pod in input.subject.pods
	some container in pod.containers
}

_limits_path(container) := concat("/", [container.path, "resources/limits"])

# What the container asks for: its limits, and where those are silent its requests.
_amounts(container) := {name: amount |
	some field in ["requests", "limits"]
	amounts := values.as_object(object.get(container, ["resources", field], {}))
	some name
	amount := amounts[name]
	_is_said(container, field, name)
}

_is_said(_, "limits", _)

_is_said(container, "requests", name) if is_null(object.get(container, ["resources", "limits", name], null))

_slices(container) := {concat(": ", [name, _written(amount)]) |
	amounts := _amounts(container)
	some name
	amount := amounts[name]
	startswith(name, "nvidia.com/mig-")
	not amount in {0, "0", null}
}

_profiles(container) := {trim_prefix(name, "nvidia.com/mig-") |
	amounts := _amounts(container)
	some name
	amount := amounts[name]
	startswith(name, "nvidia.com/mig-")
	not amount in {0, "0", null}
}

_asks_for_one(container) if {
	count(_slices(container)) == 1
	some slice in _slices(container)
	endswith(slice, ": 1")
}

_written(amount) := amount if is_string(amount)

_written(amount) := values.shown(amount) if not is_string(amount)
