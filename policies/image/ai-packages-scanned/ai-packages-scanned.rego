# METADATA
# title: The AI packages of images were scanned
# description: >-
#   Scanners that know the packages of an operating system pass an image with an old PyTorch in it: they never looked. What the SBOM of
#   an image lists of the packages that AI is made of (torch, transformers, vllm, triton, mlflow, ray and others) is among what a scan of
#   the same image looked at, in the same versions.
# scope: package
# related_resources:
#   - ref: https://trivy.dev/latest/docs/coverage/language/python/
# custom:
#   id: IMAGE-011
#   severity: medium
#   subjects: [workload]
#   needs: [facts.sbom, facts.vulnerabilities]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
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
#     scan_signers:
#       description: Who may sign a scan, by the names of the trust configuration. Nobody named means everybody that it has.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     allow_unsigned_scans:
#       description: Whether a scan that nobody signed counts. Without effect where signers are named.
#       type: boolean
#       default: false
#     platforms:
#       description: The platforms that have to be covered, such as linux/amd64. None named means all that the image has.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$"}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Scan the image with the packages of languages included, and let the report list what was looked at: trivy image --format json
#     --list-all-pkgs IMAGE. Attest that report.
#   controls:
#     nist-800-53-r5: [RA-5]
package policies.image.ai_packages_scanned

import data.lib.containers
import data.lib.evidence
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in (evidence.gaps_of(_with_sboms, image) | _defects_of(image))
	message := concat("", [
		containers.users_of(image, input.subject),
		": ",
		defect,
		"; required is a scan that looked at every AI package of the SBOM",
	])
}

_defects_of(image) := (({defect |
	by_manifest := _with_sboms[image.path].documents
	some digest in object.keys(by_manifest)
	some sbom in by_manifest[digest]
	some found in object.keys(_ai_packages(sbom))
	some version in _versions(_ai_packages(sbom)[found])
	not _was_scanned(found, version, _scans_of(image, digest))
	defect := concat("", [
		evidence.shown(image),
		evidence.of_platform(object.get(sbom, "platform", "")),
		" has ",
		found,
		_shown_version(version),
		", ",
		_why_not(_scans_of(image, digest)),
	])
} | {defect |
	some sbom in evidence.documents_of(_with_sboms[image.path])
	not is_object(object.get(sbom, "ai_packages", null))
	defect := concat("", ["the SBOM of ", evidence.shown(image), " says nothing of AI packages"])
}) | {defect |
	some sbom in evidence.documents_of(_with_sboms[image.path])
	"packages" in object.get(sbom, "truncated", [])
	defect := concat("", ["the packages of ", evidence.shown(image), " are not all known: there are more than a fact can hold"])
}) | {defect |
	some sbom in evidence.documents_of(_with_sboms[image.path])
	some defect in evidence.emptiness(sbom, image)
}

# Without a manifest of that digest among those that were scanned, nothing was scanned of it.
_scans_of(image, digest) := object.get(_with_scans[image.path].documents, digest, [])

_ai_packages(document) := values.as_object(object.get(document, "ai_packages", {}))

_versions(versions) := versions if {
	is_array(versions)
	count(versions) > 0
}

_versions(versions) := [""] if not is_array(versions)

_versions([]) := [""]

_was_scanned(found, version, scans) if {
	some scan in scans
	version in object.get(_ai_packages(scan), found, [])
}

# A version that the SBOM does not state is any that was scanned.
_was_scanned(found, "", scans) if {
	some scan in scans
	object.get(_ai_packages(scan), found, null) != null
}

_why_not(scans) := "and no scan of it counts" if count(scans) == 0

_why_not(scans) := "which no scan looked at" if {
	count(scans) > 0
	_one_lists_packages(scans)
}

_why_not(scans) := "and no scan says which packages it looked at" if {
	count(scans) > 0
	not _one_lists_packages(scans)
}

_one_lists_packages(scans) if {
	some scan in scans
	object.get(scan, ["packages", "listed"], false) == true
}

_shown_version(version) := concat("", [" ", version]) if {
	is_string(version)
	version != ""
}

_shown_version(version) := "" if not is_string(version)

_shown_version("") := ""

_with_sboms := evidence.about_images(_sbom_facts, input.subject.images, _sboms)

_with_scans := evidence.about_images(_scan_facts, input.subject.images, _scans)

_sbom_facts := {key: fact | some key, fact in input.facts.sbom}

_scan_facts := {key: fact | some key, fact in input.facts.vulnerabilities}

_sboms := {
	"what": "SBOM",
	"field": "documents",
	"signers": input.parameters.sbom_signers,
	"unsigned": input.parameters.allow_unsigned_sboms,
	"platforms": input.parameters.platforms,
}

_scans := {
	"what": "scan for vulnerabilities",
	"field": "scans",
	"signers": input.parameters.scan_signers,
	"unsigned": input.parameters.allow_unsigned_scans,
	"platforms": input.parameters.platforms,
}
