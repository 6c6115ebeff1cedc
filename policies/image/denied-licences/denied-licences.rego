# METADATA
# title: No denied licences in images
# description: >-
#   Some licences ask more than a company can give: to publish what is offered over a network, or not to earn money with it, which is
#   common among models and datasets. Judged are the licences that the SBOMs of an image state for packages and models. Where one may be
#   chosen (MIT OR AGPL-3.0-only), a choice without a denied one is enough; of several that apply, none may be denied.
# scope: package
# related_resources:
#   - ref: https://spdx.org/licenses/
#   - ref: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
# custom:
#   id: IMAGE-008
#   severity: medium
#   subjects: [workload]
#   needs: [facts.sbom]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     denied_licences:
#       description: >-
#         Licences by their SPDX id, or as they are named, in upper or lower case. A glob, such as AGPL-*, stands for many. A licence with
#         an exception (GPL-2.0-only WITH Classpath-exception-2.0), a + or LicenseRef- before it is denied with the licence itself.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: ["*Affero*", "AGPL*", "BUSL-*", "CC-BY-NC-*", "SSPL-*"]
#     licence_exceptions:
#       description: Licences that are fine although they are like a denied one, written in the same way.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     allow_unlicensed:
#       description: Whether components may have no licence, or one that is not known.
#       type: boolean
#       default: true
#     sbom_signers:
#       description: Who may sign an SBOM, by the names of the trust configuration. Nobody named means everybody that it has.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     allow_unsigned_sboms:
#       description: Whether an SBOM that nobody signed counts, such as BuildKit attaches. Without effect where signers are named.
#       type: boolean
#       default: false
#     platforms:
#       description: The platforms that have to be covered, such as linux/amd64. None named means all that the image has.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$"}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Replace the component, or use it in a version with another licence. If the licence is fine for what the image does, ask the legal
#     team for an exception, and for a waiver with licence_exceptions.
#   controls:
#     nist-800-53-r5: [CM-10, SA-4]
package policies.image.denied_licences

import data.lib.containers
import data.lib.evidence
import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in (evidence.gaps_of(_found, image) | _defects_of(image))
	message := concat("", [
		containers.users_of(image, input.subject),
		": ",
		defect,
		"; denied are ",
		concat(", ", sort(input.parameters.denied_licences)),
		_and_unknown,
	])
}

_defects_of(image) := {defect |
	some document in evidence.documents_of(_found[image.path])
	some defect in ((_denied_in(document, image) | _unlicensed_in(document, image)) | (_unread_in(document, image) | evidence.emptiness(document, image)))
}

_denied_in(document, image) := {defect |
	some listed in _licences_of(document)
	licence := values.as_object(listed)
	_is_denied(licence)
	defect := concat("", [
		evidence.shown(image),
		" has ",
		_number_of(licence),
		" under the licence ",
		values.shown(object.get(licence, "expression", null)),
		_such_as(licence),
	])
}

# Every choice has a denied licence in it. What does not say which choices there are leaves none.
_is_denied(licence) if {
	choices := object.get(licence, "choices", [])
	is_array(choices)
	every choice in choices {
		_has_denied(choice)
	}
}

_is_denied(licence) if not is_array(object.get(licence, "choices", []))

_has_denied(choice) if {
	some licence in choice
	is_string(licence)
	some form in _forms(licence)
	globs.like_one_of(form, _denied)
	not _is_excepted(licence)
}

_has_denied(choice) if not is_array(choice)

_has_denied(choice) if {
	some licence in choice
	not is_string(licence)
}

_is_excepted(licence) if globs.like_one_of(lower(licence), _exceptions)

# The licence as it is written, without an exception, and without a plus; one that SPDX does not list also by the name behind
# LicenseRef-.
_forms(licence) := {text, base, trim_suffix(base, "+"), trim_prefix(base, "licenseref-")} if {
	text := lower(licence)
	base := split(text, " with ")[0]
}

_denied := [lower(pattern) | some pattern in input.parameters.denied_licences]

_exceptions := [lower(pattern) | some pattern in input.parameters.licence_exceptions]

_unlicensed_in(document, image) := {concat("", [evidence.shown(image), " has ", _number_of(unlicensed), " without a known licence", _such_as(unlicensed)])} if {
	not input.parameters.allow_unlicensed
	unlicensed := values.as_object(object.get(document, "unlicensed", {}))
	object.get(unlicensed, "components", null) != 0
}

_unlicensed_in(document, _) := set() if {
	not input.parameters.allow_unlicensed
	object.get(document, ["unlicensed", "components"], null) == 0
}

_unlicensed_in(_, _) := set() if input.parameters.allow_unlicensed

_unread_in(document, image) := {concat("", ["the licences of ", evidence.shown(image), " are not all known: ", why])} if {
	why := _why_unread(document)
}

_unread_in(document, _) := set() if not _why_unread(document)

_why_unread(document) := "there are more than a fact can hold" if {
	is_array(object.get(document, "licences", null))
	"licences" in object.get(document, "truncated", [])
}

_why_unread(document) := "its SBOM has them as trees, which are not read" if {
	is_array(object.get(document, "licences", null))
	not "licences" in object.get(document, "truncated", [])
	"expandedlicensing" in object.get(document, "not_read", [])
}

_why_unread(document) := "its SBOM says nothing of them" if not is_array(object.get(document, "licences", null))

_licences_of(document) := listed if {
	listed := object.get(document, "licences", [])
	is_array(listed)
}

_licences_of(document) := [] if not is_array(object.get(document, "licences", []))

_number_of(counted) := "1 component" if object.get(counted, "components", null) == 1

_number_of(counted) := concat(" ", [values.shown(counted.components), "components"]) if {
	is_number(object.get(counted, "components", null))
	counted.components != 1
}

_number_of(counted) := "components" if not is_number(object.get(counted, "components", null))

_such_as(counted) := concat("", [" (such as ", concat(", ", _named_in(counted)), ")"]) if count(_named_in(counted)) > 0

_such_as(counted) := "" if count(_named_in(counted)) == 0

_named_in(counted) := [name |
	listed := object.get(counted, "examples", [])
	is_array(listed)
	some name in listed
	is_string(name)
]

_and_unknown := "" if input.parameters.allow_unlicensed

_and_unknown := ", and what has no known licence" if not input.parameters.allow_unlicensed

_found := evidence.about_images(_sboms, input.subject.images, _asked)

_sboms := {key: fact | some key, fact in input.facts.sbom}

_asked := {
	"what": "SBOM",
	"field": "documents",
	"signers": input.parameters.sbom_signers,
	"unsigned": input.parameters.allow_unsigned_sboms,
	"platforms": input.parameters.platforms,
}
