# METADATA
# title: Images are signed by the team that runs them
# description: >-
#   With one signer for everybody, each team can run what any other built, and nobody can say who answers for it. The namespace names
#   its team, and the images in it are signed by that team, or by one of the signers whose images are for all (the platform's base
#   images, say).
# scope: package
# related_resources:
#   - ref: https://docs.sigstore.dev/about/overview/
# custom:
#   id: IMAGE-014
#   severity: medium
#   subjects: [workload]
#   needs: [facts.signatures, namespace]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     team_label:
#       description: The label of the namespace that names the team.
#       type: string
#       minLength: 1
#       default: team
#     prefix:
#       description: What comes before the name of the team in that of its signer (team- for a signer team-search).
#       type: string
#       default: ""
#     shared_signers:
#       description: Signers whose images every team may run.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Run an image that your own team's pipeline built and signed, or ask the owners of this one to have it signed by a signer whose
#     images are for everybody.
#   controls:
#     nist-800-53-r5: [CM-14, SR-4]
package policies.image.signed_by_owner

import data.lib.containers
import data.lib.signatures
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	not _is_signed(image)
	message := concat("", [containers.users_of(image, input.subject), ": ", _defect(image), "; required is ", _required])
}

_is_signed(image) if {
	object.get(image, "error", "") == ""
	count(signatures.signers_of(_facts, image.reference) & _wanted) > 0
}

_team := object.get(values.as_object(object.get(input.namespace, "labels", {})), input.parameters.team_label, null)

_has_team if {
	is_string(_team)
	_team != ""
}

_owners := {concat("", [input.parameters.prefix, _team])} if _has_team

_owners := set() if not _has_team

_wanted := _owners | {name | some name in input.parameters.shared_signers}

_defect(image) := containers.unreadable(image) if object.get(image, "error", "") != ""

_defect(image) := concat("", ["the image ", values.shown(reference), signatures.unsigned(_facts, reference)]) if {
	object.get(image, "error", "") == ""
	reference := object.get(image, "reference", "")
}

_required := concat("", ["a signature of ", concat(" or ", sort(_wanted)), _no_team]) if count(_wanted) > 0

_required := concat("", ["a signature of its team", _no_team]) if count(_wanted) == 0

_no_team := "" if _has_team

_no_team := concat("", [", and the label ", values.shown(input.parameters.team_label), " of the namespace is ", values.shown_or_missing(_team)]) if {
	not _has_team
}

_facts := {key: fact | some key, fact in input.facts.signatures}
