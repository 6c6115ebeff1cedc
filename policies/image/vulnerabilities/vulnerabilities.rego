# METADATA
# title: Images have no severe vulnerabilities
# description: >-
#   What is known to be exploitable is exploited. For each platform of an image there is a scan that is not older than a few days, made
#   with a database that is not, and it found nothing of the severity that is not allowed. What a signed OpenVEX document takes away of
#   a scan is not found. Of several scans by one scanner the latest counts, and all scanners have to agree.
# scope: package
# related_resources:
#   - ref: https://github.com/in-toto/attestation/blob/main/spec/predicates/vulns_02.md
#   - ref: https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md
# custom:
#   id: IMAGE-010
#   severity: high
#   subjects: [workload]
#   needs: [facts.vulnerabilities, now]
#   reads: {pod: [restartPolicy], container: [restartPolicy]}
#   parameters:
#     denied_severity:
#       description: The severity from which on nothing may be found.
#       type: string
#       enum: [low, medium, high, critical]
#       default: critical
#     unknown_severity:
#       description: What a vulnerability counts as whose severity the scanner does not know.
#       type: string
#       enum: [low, medium, high, critical]
#       default: high
#     only_fixable:
#       description: >-
#         Whether vulnerabilities count only once there is a version with a fix. Where the report does not say (SARIF, in-toto), they count.
#       type: boolean
#       default: false
#     ignored_vulnerabilities:
#       description: Vulnerabilities that do not count, by their ids (CVE-2026-1234, GHSA-...); here for all that the binding matches.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     waived_vulnerabilities:
#       description: >-
#         The same, for waivers: a waiver with parameters waived_vulnerabilities [CVE-2026-1234] ends by itself, and leaves what the
#         binding ignores. Several waivers of one object add up.
#       type: array
#       additive: true
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     max_scan_days:
#       description: How old the latest scan may be, in days.
#       type: integer
#       minimum: 1
#       maximum: 3650
#       default: 7
#     max_database_days:
#       description: >-
#         How old the database of a scan may be, in days, where the report says. Reports of trivy alone do not; in cosign's vuln predicate
#         they can.
#       type: integer
#       minimum: 1
#       maximum: 3650
#       default: 14
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
#     vex_signers:
#       description: Who may take vulnerabilities away by OpenVEX. Nobody named means everybody that the trust configuration has.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     platforms:
#       description: The platforms that have to be covered, such as linux/amd64. None named means all that the image has.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$"}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Build the image again on an updated base image and with updated packages; the message names versions with a fix. If a vulnerability
#     cannot be exploited in this image, attach a signed OpenVEX statement that says why. If it must run all the same, ask for a waiver
#     with waived_vulnerabilities.
#   controls:
#     nist-800-53-r5: [RA-5, SI-2]
#     ssdf-1.1: [RV.1.1, RV.2.2]
package policies.image.vulnerabilities

import data.lib.containers
import data.lib.evidence
import data.lib.values

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some defect in evidence.gaps_of(_known, image)
	message := _said(image, defect)
}

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some scans in _known[image.path].documents
	count(scans) > 0
	count(_fresh(scans)) == 0
	message := _said(image, concat("", [
		"the latest scan of ",
		evidence.shown(image),
		evidence.of_platform(object.get(_latest(scans), "platform", "")),
		" is ",
		_dated(_latest(scans)),
	]))
}

violations contains {"message": message, "path": image.path} if {
	some image in input.subject.images
	some scans in _known[image.path].documents
	some scan in _judged(scans)
	some defect in ((_found_in(scan) | _not_listed_in(scan)) | _not_told_of(scan))
	message := _said(image, concat("", [evidence.shown(image), evidence.of_platform(object.get(scan, "platform", "")), " ", defect]))
}

_said(image, defect) := concat("", [
	containers.users_of(image, input.subject),
	": ",
	defect,
	"; required is a scan of the last ",
	_days,
	" without vulnerabilities that are ",
	_denied_severities,
])

_days := "day" if input.parameters.max_scan_days == 1

_days := concat(" ", [values.shown(input.parameters.max_scan_days), "days"]) if input.parameters.max_scan_days != 1

_denied_severities := "critical" if input.parameters.denied_severity == "critical"

_denied_severities := concat("", [input.parameters.denied_severity, " or worse"]) if input.parameters.denied_severity != "critical"

# Scans

_fresh(scans) := [scan |
	some scan in scans
	evidence.fresh(object.get(scan, "scanned", null), input.now, input.parameters.max_scan_days)
	_has_fresh_database(scan)
]

# What is not said is not judged; what is said and is no time is old.
_has_fresh_database(scan) if object.get(scan, ["database", "updated"], "") == ""

_has_fresh_database(scan) if evidence.fresh(object.get(scan, ["database", "updated"], null), input.now, input.parameters.max_database_days)

# The latest of each scanner, among those that are fresh.
_judged(scans) := {scan |
	fresh := _fresh(scans)
	some scan in fresh
	not _is_superseded(scan, fresh)
}

# By a later one about the same digest: of a whole index, a scanner looks at one platform. What nobody signed supersedes nothing that
# somebody did.
_is_superseded(scan, scans) if {
	some other in scans
	_scanner_of(other) == _scanner_of(scan)
	other.covers == scan.covers
	other.signed in {scan.signed, true}
	other.scanned > scan.scanned
}

_scanner_of(scan) := object.get(scan, ["scanner", "name"], null)

_latest(scans) := last if {
	times := sort([scan.scanned | some scan in scans; is_string(scan.scanned)])
	count(times) > 0
	last := [scan | some scan in scans; scan.scanned == times[count(times) - 1]][0]
}

_latest(scans) := scans[0] if {
	count([scan | some scan in scans; is_string(scan.scanned)]) == 0
}

_dated(scan) := "without a date" if object.get(scan, "scanned", "") in {"", null}

_dated(scan) := concat("", ["of ", values.shown(scan.scanned)]) if {
	not object.get(scan, "scanned", "") in {"", null}
	not evidence.fresh(scan.scanned, input.now, input.parameters.max_scan_days)
}

_dated(scan) := concat("", ["made with a database of ", values.shown(scan.database.updated)]) if {
	evidence.fresh(object.get(scan, "scanned", null), input.now, input.parameters.max_scan_days)
}

# Vulnerabilities

_ranks := {"negligible": 0, "low": 1, "medium": 2, "high": 3, "critical": 4, "unknown": _ranks_of_known[input.parameters.unknown_severity]}

_ranks_of_known := {"low": 1, "medium": 2, "high": 3, "critical": 4}

_is_severe(severity) if _ranks[severity] >= _ranks_of_known[input.parameters.denied_severity]

# A severity that nobody has heard of is the worst.
_is_severe(severity) if not severity in {"critical", "high", "low", "medium", "negligible", "unknown"}

_found_in(scan) := {defect |
	some vulnerability in _counting(scan)
	defect := concat("", [
		"has the ",
		_severity_of(vulnerability),
		" vulnerability ",
		values.text(object.get(vulnerability, "id", "")),
		_place_of(vulnerability),
		_fix_of(vulnerability),
	])
}

_counting(scan) := [vulnerability |
	some listed in array.concat(_listed_in(scan, "vulnerabilities"), _taken_away_by_others(scan))
	vulnerability := values.as_object(listed)
	_is_severe(object.get(vulnerability, "severity", "unknown"))
	not _is_ignored(vulnerability)
	not _waits_for_a_fix(vulnerability)
]

_is_ignored(vulnerability) if {
	some ignored in array.concat(input.parameters.ignored_vulnerabilities, input.parameters.waived_vulnerabilities)
	lower(ignored) in _names_of(vulnerability)
}

_names_of(vulnerability) := {lower(name) |
	some name in array.concat([object.get(vulnerability, "id", "")], _listed_in(vulnerability, "aliases"))
	is_string(name)
}

_waits_for_a_fix(vulnerability) if {
	input.parameters.only_fixable
	object.get(vulnerability, "fixed", null) == ""
}

# What somebody took away who may not.
_taken_away_by_others(_) := [] if count(input.parameters.vex_signers) == 0

_taken_away_by_others(scan) := [vulnerability |
	some vulnerability in _listed_in(scan, "suppressed")
	not _may_take_away(vulnerability)
] if {
	count(input.parameters.vex_signers) > 0
}

_may_take_away(vulnerability) if {
	some signer in _listed_in(vulnerability, "signers")
	signer in input.parameters.vex_signers
}

# The list is cut at the mild end. Where it was cut among those that count, there are more than it names.
_not_listed_in(scan) := {concat("", ["has ", values.shown(more), " more vulnerabilities of that severity than can be listed"])} if {
	_is_readable(scan)
	more := _severe_by_count(scan) - _severe_in_list(scan)
	more > 0
}

_not_listed_in(scan) := set() if {
	_is_readable(scan)
	_severe_by_count(scan) - _severe_in_list(scan) <= 0
}

_not_listed_in(scan) := {"has a scan whose findings cannot be read"} if not _is_readable(scan)

# Who took away what is not in the list cannot be asked.
_not_told_of(scan) := {"has more vulnerabilities that OpenVEX takes away than can be listed with who says so"} if {
	count(input.parameters.vex_signers) > 0
	"suppressed" in object.get(scan, "truncated", [])
}

_not_told_of(scan) := set() if not "suppressed" in object.get(scan, "truncated", [])

_not_told_of(_) := set() if count(input.parameters.vex_signers) == 0

_severe_in_list(scan) := count([vulnerability |
	some vulnerability in _listed_in(scan, "vulnerabilities")
	_is_severe(object.get(values.as_object(vulnerability), "severity", "unknown"))
])

_severe_by_count(scan) := sum([scan.counts[severity] |
	some severity in object.keys(scan.counts)
	_is_severe(severity)
])

_is_readable(scan) if {
	is_array(object.get(scan, "vulnerabilities", null))
	counts := object.get(scan, "counts", null)
	is_object(counts)
	count(counts) > 0
	every number in counts {
		is_number(number)
	}
}

_listed_in(holder, field) := listed if {
	listed := object.get(values.as_object(holder), field, [])
	is_array(listed)
}

_listed_in(holder, field) := [] if not is_array(object.get(values.as_object(holder), field, []))

_severity_of(vulnerability) := values.text(object.get(vulnerability, "severity", "unknown"))

_place_of(vulnerability) := concat("", [" in ", package_name, _version_of(vulnerability)]) if {
	package_name := object.get(vulnerability, "package", "")
	is_string(package_name)
	package_name != ""
}

_place_of(vulnerability) := "" if values.text(object.get(vulnerability, "package", "")) == ""

_version_of(vulnerability) := concat("", [" ", vulnerability.version]) if values.text(object.get(vulnerability, "version", "")) != ""

_version_of(vulnerability) := "" if values.text(object.get(vulnerability, "version", "")) == ""

_fix_of(vulnerability) := concat("", [" (fixed in ", vulnerability.fixed, ")"]) if values.text(object.get(vulnerability, "fixed", "")) != ""

_fix_of(vulnerability) := " (no fix yet)" if object.get(vulnerability, "fixed", null) == ""

# Not every report says which versions have a fix.
_fix_of(vulnerability) := "" if not is_string(object.get(vulnerability, "fixed", null))

_known := evidence.about_images(_scans, input.subject.images, _asked)

_scans := {key: fact | some key, fact in input.facts.vulnerabilities}

_asked := {
	"what": "scan for vulnerabilities",
	"field": "scans",
	"signers": input.parameters.scan_signers,
	"unsigned": input.parameters.allow_unsigned_scans,
	"platforms": input.parameters.platforms,
}
