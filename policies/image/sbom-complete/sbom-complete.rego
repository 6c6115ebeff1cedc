# METADATA
# title: SBOMs have the minimum elements
# description: >-
#   An SBOM without versions, identifiers or suppliers finds nothing when it is searched for a package, and one of years ago was made of
#   something else. For each platform of an image there is an SBOM that is not too old, lists components, and has of nearly all of them
#   what the profile asks. What the profile has of the document itself (author, timestamp, tool, generation context) has no "nearly".
# scope: package
# related_resources:
#   - ref: https://www.ntia.gov/report/2021/minimum-elements-software-bill-materials-sbom
#   - ref: https://www.cisa.gov/resources-tools/resources/2025-minimum-elements-software-bill-materials-sbom
# custom:
#   id: IMAGE-007
#   severity: low
#   subjects: [workload]
#   needs: [facts.sbom, now]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     sbom_profile:
#       description: >-
#         Which minimum elements: those of the NTIA of 2021, or of the draft of CISA of 2025, which adds hashes, licences, the tool and
#         the generation context. SPDX 2.3 has no place for the context.
#       type: string
#       enum: [ntia-2021, cisa-2025-draft]
#       default: ntia-2021
#     optional_elements:
#       description: Elements of the profile that may be missing all the same.
#       type: array
#       items:
#         enum: [author, context, dependencies, hash, identifier, licence, name, supplier, timestamp, tool, version]
#       uniqueItems: true
#       default: []
#     min_coverage:
#       description: The percentage of components that have each element.
#       type: integer
#       minimum: 1
#       maximum: 100
#       default: 95
#     max_sbom_days:
#       description: How old an SBOM may be, in days.
#       type: integer
#       minimum: 1
#       maximum: 3650
#       default: 730
#     complete_dependencies:
#       description: Whether an SBOM has to say that its dependencies are complete (CycloneDX compositions, SPDX 3 completeness).
#       type: boolean
#       default: false
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
#     Generate the SBOM during the build, where lock files and suppliers are known, and attach it again. The message says which elements
#     are missing; a generator's own report says of which components.
#   controls:
#     nist-800-53-r5: [CM-8, SR-4]
#     ssdf-1.1: [PS.3.2]
package policies.image.sbom_complete

import data.lib.containers
import data.lib.evidence
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in evidence.gaps_of(_found, image)
	message := _said(image, defect)
}

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some documents in _found[image.path].documents
	not _one_is_complete(documents)
	some document in documents
	message := _said(image, concat("", [
		"the SBOM of ",
		evidence.shown(image),
		evidence.of_platform(object.get(document, "platform", "")),
		" ",
		concat(", ", sort(_defects(document))),
	]))
}

_said(image, defect) := concat("", [
	containers.users_of(image, input.subject),
	": ",
	defect,
	"; required is an SBOM with the elements of ",
	input.parameters.sbom_profile,
	" in ",
	values.shown(input.parameters.min_coverage),
	" % of its components, not older than ",
	values.shown(input.parameters.max_sbom_days),
	" days",
])

_one_is_complete(documents) if {
	some document in documents
	count(_defects(document)) == 0
}

_defects(document) := ((_age(document) | _emptiness(document)) | _missing(document)) | _open_ends(document)

# A missing time is a missing element; the profile says whether it matters.
_age(document) := {concat(" ", ["is dated", values.shown(document.created)])} if {
	not object.get(document, "created", "") in {"", null}
	not evidence.fresh(document.created, input.now, input.parameters.max_sbom_days)
}

_age(document) := {"has no date, so that its age is not known"} if {
	object.get(document, "created", "") in {"", null}
	not "timestamp" in input.parameters.optional_elements
}

_age(document) := set() if evidence.fresh(object.get(document, "created", ""), input.now, input.parameters.max_sbom_days)

_age(document) := set() if {
	object.get(document, "created", "") in {"", null}
	"timestamp" in input.parameters.optional_elements
}

_emptiness(document) := {"lists no components"} if not _components_of(document) > 0

_emptiness(document) := set() if _components_of(document) > 0

_components_of(document) := components if {
	components := object.get(document, "components", 0)
	is_number(components)
}

_components_of(document) := 0 if not is_number(object.get(document, "components", 0))

_document_elements := {"author", "context", "tool"}

_missing(document) := {defect |
	some element in object.keys(_lacking(document))
	lacking := _lacking(document)[element]
	not element in input.parameters.optional_elements
	element != "timestamp"
	defect := _lack(element, lacking, _components_of(document))
} if {
	is_object(_lacking(document))
}

_missing(document) := {"says nothing of its elements"} if not is_object(_lacking(document))

_lacking(document) := object.get(document, ["missing", input.parameters.sbom_profile], null)

_lack(element, _, _) := concat(" ", ["says nothing of its", element]) if element in _document_elements

_lack(element, lacking, components) := concat("", [
	"lacks ",
	element,
	" in ",
	values.shown(lacking),
	" of ",
	values.shown(components),
	" components",
]) if {
	not element in _document_elements
	not _covers_enough(lacking, components)
}

_covers_enough(lacking, components) if {
	is_number(lacking)
	lacking * 100 <= (100 - input.parameters.min_coverage) * components
}

_open_ends(document) := {"does not say that its dependencies are complete"} if {
	input.parameters.complete_dependencies
	object.get(document, ["dependencies", "completeness"], "") != "complete"
}

_open_ends(document) := set() if {
	input.parameters.complete_dependencies
	object.get(document, ["dependencies", "completeness"], "") == "complete"
}

_open_ends(_) := set() if not input.parameters.complete_dependencies

_found := evidence.about_images(_sboms, input.subject.images, _asked)

_sboms := {key: fact | some key, fact in input.facts.sbom}

_asked := {
	"what": "SBOM",
	"field": "documents",
	"signers": input.parameters.sbom_signers,
	"unsigned": input.parameters.allow_unsigned_sboms,
	"platforms": input.parameters.platforms,
}
