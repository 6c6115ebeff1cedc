# METADATA
# title: No denied packages in images
# description: >-
#   A release that was taken over, or a package that only pretends to be another one, must not run, whatever a scanner makes of it.
#   Judged are the packages that the SBOMs of an image list. A package without an identifier is compared by its name, whatever its
#   version.
# scope: package
# related_resources:
#   - ref: https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst
#   - ref: https://pytorch.org/blog/compromised-nightly-dependency/
#   - ref: https://blog.pypi.org/posts/2024-12-11-ultralytics-attack-analysis/
# custom:
#   id: IMAGE-009
#   severity: critical
#   subjects: [workload]
#   needs: [facts.sbom]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     denied_packages:
#       description: >-
#         A package by its purl without version, decoded (pkg:pypi/torchtriton, pkg:npm/@acme/evil), or by its name alone, of whatever
#         type; upper and lower case are the same. A glob stands for many. With versions, which may be globs, only these are denied.
#       type: array
#       items:
#         type: object
#         required: [name, reason]
#         additionalProperties: false
#         properties:
#           name: {type: string, minLength: 1, not: {pattern: "^pkg:.*([^/]@|[?#%])"}}
#           versions: {type: array, items: {type: string, minLength: 1}, minItems: 1, uniqueItems: true}
#           reason: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default:
#         - {name: "pkg:pypi/torchtriton", reason: took the place of a dependency of PyTorch in December 2022}
#         - name: "pkg:pypi/ultralytics"
#           versions: [8.3.41, 8.3.42, 8.3.45, 8.3.46]
#           reason: was released with a miner in December 2024
#         - {name: xz-utils, versions: ["5.6.0-*", "5.6.1-*"], reason: has the backdoor of CVE-2024-3094}
#         - {name: liblzma5, versions: ["5.6.0-*", "5.6.1-*"], reason: has the backdoor of CVE-2024-3094}
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
#     Build the image again without the package, or with a version that is not denied, and attach the new SBOM. If the package was
#     already run, treat its secrets as known to others and tell the security team.
#   controls:
#     nist-800-53-r5: [CM-7(5), SI-3, SR-11]
package policies.image.denied_packages

import data.lib.containers
import data.lib.evidence
import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in (evidence.gaps_of(_found, image) | _defects_of(image))
	message := concat("", [containers.users_of(image, input.subject), ": ", defect, "; required is an SBOM without denied packages"])
}

_defects_of(image) := {defect |
	some document in evidence.documents_of(_found[image.path])
	some defect in ((_denied_in(document, image) | _unread_in(document, image)) | evidence.emptiness(document, image))
}

_denied_in(document, image) := {defect |
	some entry in input.parameters.denied_packages
	some found in _candidates(_normal(entry.name), _packages_of(document))
	some version in _denied_versions(found, _packages_of(document)[found], entry)
	defect := concat("", [evidence.shown(image), " has the package ", found, version, ", which ", entry.reason])
}

# A name as facts have it: in lower case, and of PyPI as PEP 503 writes it.
_normal(name) := lower(name) if not startswith(lower(name), "pkg:pypi/")

_normal(name) := regex.replace(lower(name), `[-_.]+`, "-") if startswith(lower(name), "pkg:pypi/")

# The packages that an entry is about. Those without a glob are looked up: an image has thousands.
_candidates(name, packages) := ({found |
	not contains(name, "*")
	some found in {name, _path_in(name), _name_in(name)}
	found in object.keys(packages)
} | {found |
	not contains(name, "*")
	not startswith(name, "pkg:")
	some found in object.keys(packages)
	endswith(found, concat("", ["/", name]))
}) | {found |
	contains(name, "*")
	some found in object.keys(packages)
	some text in {found, _name_in(found)}
	globs.like_one_of(text, [name, _path_in(name), _name_in(name)])
	_is_meant(found, name)
}

# A purl with a glob means packages of that type, and those that have no identifier.
_is_meant(found, name) if {
	startswith(name, "pkg:")
	startswith(found, "pkg:")
	globs.like_one_of(found, [name])
}

_is_meant(found, _) if not startswith(found, "pkg:")

_is_meant(_, name) if not startswith(name, "pkg:")

# `@acme/evil` of `pkg:npm/@acme/evil`.
_path_in(name) := concat("/", array.slice(parts, 1, count(parts))) if {
	startswith(name, "pkg:")
	parts := split(name, "/")
}

_path_in(name) := name if not startswith(name, "pkg:")

_name_in(found) := last if {
	parts := split(found, "/")
	last := parts[count(parts) - 1]
}

# The versions that are denied, as the message shows them. One that is not stated may be any.
_denied_versions(found, listed, entry) := {shown |
	some version in _versions_in(listed)
	_is_denied_version(found, version, entry)
	shown := _shown_version(version)
}

_is_denied_version(_, version, _) if not is_string(version)

_is_denied_version(_, "", _) := true

_is_denied_version(_, _, entry) if count(object.get(entry, "versions", [])) == 0

_is_denied_version(_, version, entry) if globs.like_one_of(version, object.get(entry, "versions", []))

_is_denied_version(found, _, _) if not startswith(found, "pkg:")

_versions_in(listed) := listed if {
	is_array(listed)
	count(listed) > 0
}

_versions_in(listed) := [""] if not is_array(listed)

_versions_in([]) := [""]

_shown_version(version) := concat("", [" ", version]) if {
	is_string(version)
	version != ""
}

_shown_version(version) := "" if not is_string(version)

_shown_version("") := ""

_unread_in(document, image) := {concat("", ["the packages of ", evidence.shown(image), " are not all known: there are more than a fact can hold"])} if {
	is_object(object.get(document, "packages", null))
	"packages" in object.get(document, "truncated", [])
}

_unread_in(document, image) := {concat("", ["the packages of ", evidence.shown(image), " are not known: its SBOM says nothing of them"])} if {
	not is_object(object.get(document, "packages", null))
}

_unread_in(document, _) := set() if {
	is_object(object.get(document, "packages", null))
	not "packages" in object.get(document, "truncated", [])
}

_packages_of(document) := values.as_object(object.get(document, "packages", {}))

_found := evidence.about_images(_sboms, input.subject.images, _asked)

_sboms := {key: fact | some key, fact in input.facts.sbom}

_asked := {
	"what": "SBOM",
	"field": "documents",
	"signers": input.parameters.sbom_signers,
	"unsigned": input.parameters.allow_unsigned_sboms,
	"platforms": input.parameters.platforms,
}
