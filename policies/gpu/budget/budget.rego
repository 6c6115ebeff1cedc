# METADATA
# title: Teams stay within their GPU budget
# description: >-
#   Each object can be within its limit while all of a team's together are not. Counted is what all workloads of the same input that
#   carry the label of one team can grow to. A team that is not named has the default budget; with a default of 0, nobody gets GPUs
#   by writing a name that nobody knows.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/policy/resource-quotas/
# custom:
#   id: GPU-008
#   severity: medium
#   subjects: [workload]
#   needs: [facts.inventory]
#   reads: {}
#   parameters:
#     team_label:
#       description: The label that names the team whose budget pays.
#       type: string
#       minLength: 1
#       default: team
#     budgets:
#       description: How many GPUs each team may use at the largest size of everything that it runs. Parts of a GPU count as parts.
#       type: object
#       additionalProperties: {type: number, minimum: 0}
#       default: {}
#     default_budget:
#       description: The budget of teams that are not named.
#       type: number
#       minimum: 0
#       default: 8
#   remediation: >-
#     Lower the replicas, parallel pods or GPUs of something that the team runs, or run it later. If the team needs more, ask the
#     owner of its budget for a larger one, or for a waiver.
#   controls:
#     nist-800-53-r5: [SC-6, SA-2]
package policies.gpu.budget

import data.lib.values

violations contains {"message": message, "path": _path} if {
	_uses_gpus
	not _is_team(_team)
	message := concat("", [
		"this ",
		_kind,
		" can use GPUs, and its label ",
		values.shown(_label),
		" is ",
		values.shown_or_missing(_team),
		"; required is the name of the team whose budget pays for them",
	])
}

violations contains {"message": message, "path": _path} if {
	_uses_gpus
	_is_team(_team)
	is_number(_sum)
	_sum > _budget
	message := concat("", [
		_described(object.get(_value, "objects", null)),
		" with the label ",
		values.shown(_label),
		" ",
		values.shown(_team),
		" can use ",
		values.shown(_sum),
		" GPUs together; the budget is ",
		values.shown(_budget),
	])
}

violations contains {"message": message, "path": _path} if {
	_uses_gpus
	_is_team(_team)
	not is_number(_sum)
	message := concat("", [
		"the GPUs with the label ",
		values.shown(_label),
		" ",
		values.shown(_team),
		" could not be added up; the budget is ",
		values.shown(_budget),
	])
}

_kind := object.get(input.subject, "kind", "object")

_label := input.parameters.team_label

_team := object.get(values.as_object(object.get(input.subject, "labels", {})), _label, null)

_is_team(name) if {
	is_string(name)
	name != ""
}

# What could not be counted may be any number.
_uses_gpus if object.get(values.as_object(object.get(input.subject, "gpus", {})), "peak", null) != 0

_budget := object.get(input.parameters.budgets, _team, input.parameters.default_budget)

_key := concat("", ["gpus/", _label, "=", _team])

_fact := values.as_object(object.get(_facts, _key, {}))

_facts := {key: fact | some key, fact in input.facts.inventory}

_value := values.as_object(object.get(_fact, "value", {}))

_sum := object.get(_value, "peak", null)

_described(number) := "the only workload" if number == 1

_described(number) := concat(" ", ["the", values.shown(number), "workloads"]) if {
	is_number(number)
	number != 1
}

_described(number) := "all workloads" if not is_number(number)

_path := concat("/", ["/metadata/labels", values.pointer_token(_label)])
