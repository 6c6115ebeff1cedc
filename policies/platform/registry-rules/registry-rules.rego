# METADATA
# title: The rules of a ModelRegistry can be applied
# description: >-
#   A rule with a slip of the pen decides nothing: every model would wait for an answer that never comes, or somebody would switch
#   the rule off. Each rule is a condition on what is known of a model, under a name of its own. docs/rules.md has the language.
# scope: package
# related_resources:
#   - ref: https://github.com/google/cel-spec/blob/master/doc/langdef.md
# custom:
#   id: PLATFORM-005
#   severity: high
#   subjects: [resource]
#   needs: [facts.expressions, object]
#   parameters:
#     documents:
#       description: What rules can be about, the first name of each field.
#       type: array
#       items: {type: string, pattern: "^[A-Za-z_][A-Za-z0-9_]*$"}
#       minItems: 1
#       uniqueItems: true
#       default: [model]
#   remediation: >-
#     Write each rule as a condition, such as model.metadata.evaluation_score > 0.85, model.metadata.security_scan == 'passed' or
#     model.size_gb < 200, and give it a name that no other rule has. The message says at which character the rule goes wrong.
#   controls:
#     nist-800-53-r5: [CM-3(2), SA-11, SI-7]
package policies.platform.registry_rules

import data.lib.platform
import data.lib.values

violations contains {"message": message, "path": _policies.path} if {
	platform.is_a(input.subject, "ModelRegistry")
	not _has_rules
	message := concat("", [_policies.name, " is ", _shown_policies, "; required is ", _wanted_policies])
}

violations contains {"message": message, "path": path} if {
	some index, rule in _rules
	not is_object(rule)
	path := _rule_path(index, [])
	message := concat("", [_rule_name(index, []), " is ", values.shown(rule), "; required is an object with name and rule"])
}

violations contains {"message": message, "path": path} if {
	some index, rule in _rules
	is_object(rule)
	name := object.get(rule, "name", null)
	not _is_rule_name(name)
	path := _rule_path(index, ["name"])
	message := concat("", [
		_rule_name(index, ["name"]),
		" is ",
		values.shown_or_missing(name),
		"; required is a name of small letters, digits and hyphens, such as max-model-size",
	])
}

violations contains {"message": message, "path": path} if {
	some index, rule in _rules
	name := object.get(values.as_object(rule), "name", null)
	_is_rule_name(name)
	some other in numbers.range(0, index)
	other < index
	object.get(values.as_object(_rules[other]), "name", null) == name
	path := _rule_path(index, ["name"])
	message := concat("", [_rule_name(index, ["name"]), " is ", values.shown(name), ", as is that of a rule before it; required is a name of its own"])
}

violations contains {"message": message, "path": path} if {
	some index, rule in _rules
	is_object(rule)
	some defect in _rule_defects(object.get(rule, "rule", null))
	path := _rule_path(index, ["rule"])
	message := concat("", [_rule_name(index, ["rule"]), _of_name(rule), defect, "; required is a condition such as model.size_gb < 200"])
}

_policies := platform.field(input.object, ["spec", "policies"])

_shown_policies := values.shown_or_missing(_policies.value) if _policies.value != []

_shown_policies := "an empty list" if _policies.value == []

_wanted_policies := "a list of rules, one at least" if _policies.wants == ""

_wanted_policies := _policies.wants if _policies.wants != ""

_has_rules if {
	_policies.wants == ""
	is_array(_policies.value)
	count(_policies.value) > 0
}

_rules := _policies.value if {
	platform.is_a(input.subject, "ModelRegistry")
	_has_rules
}

_is_rule_name(name) if {
	is_string(name)
	regex.match("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name)
}

_rule_path(index, names) := concat("/", array.concat([_policies.path, json.marshal(index)], names))

_rule_name(index, names) := concat(".", array.concat([concat("", [_policies.name, "[", json.marshal(index), "]"])], names))

_of_name(rule) := concat("", [" (", rule.name, ")"]) if _is_rule_name(object.get(rule, "name", null))

_of_name(rule) := "" if not _is_rule_name(object.get(rule, "name", null))

# What is wrong with a rule: the host has read it (pratique/expression.py), but for one that is too long, or one too many.
_rule_defects(rule) := {concat(" ", [" is", values.shown_or_missing(rule)])} if not is_string(rule)

_rule_defects(rule) := {" was not read: there are more than 100 rules, or it has more than 1024 characters"} if {
	is_string(rule)
	not _was_read(rule)
}

_rule_defects(rule) := {concat("", [" cannot be read: ", found.error, " (at character ", json.marshal(found.position), ")"])} if {
	is_string(rule)
	_was_read(rule)
	found := _facts[rule].value
	not found.valid
}

_rule_defects(rule) := _of_fields(_facts[rule].value.fields) if {
	is_string(rule)
	_was_read(rule)
	_facts[rule].value.valid
}

_was_read(rule) if is_boolean(object.get(_facts, [rule, "value", "valid"], null))

_facts := input.facts.expressions

# A rule that reads nothing is true or false of every model alike.
_of_fields(fields) := {" says nothing of a model"} if count(fields) == 0

_of_fields(fields) := {defect |
	some field in fields
	not _is_known(field)
	defect := concat("", [" is about ", field, ", and rules are about the fields of ", concat(", ", input.parameters.documents)])
} if {
	count(fields) > 0
}

_is_known(field) if {
	some document in input.parameters.documents
	some begin in [".", "["]
	startswith(field, concat("", [document, begin]))
}
