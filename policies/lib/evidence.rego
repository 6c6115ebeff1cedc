# Evidence about images (facts.sbom, facts.vulnerabilities, facts.provenance): which documents count, and what is said where none
# does. Nothing here reads `input`.
#
# `asked` is an object of a policy's own: `what` (how messages name a document, in the singular), `field` (where the fact lists them),
# `signers` (names of the trust configuration; none means any of them), `unsigned` (whether documents that nobody signed count, too)
# and `platforms` (those that have to be covered; none means all that the image has).
package lib.evidence

import data.lib.values

# What is known of each image, by its path: `gaps` are texts, why there is nothing to judge, none where every platform has a document
# that counts; `documents` are by the digest of each manifest that has to be covered those that are about it, or about the whole
# image, and count. A policy keeps this in a rule: regopy remembers rules, and no functions.
about_images(facts, images, asked) := {path: about |
	some image in images
	path := image.path
	about := _about_image(facts, image, asked) # not in the head: regopy 1.5.2 finds nothing then
}

# The gaps of one image in that. What is not in it was not judged, and does not pass.
gaps_of(found, image) := found[image.path].gaps if is_object(object.get(found, image.path, null))

gaps_of(found, image) := {concat(" ", ["nothing could be found out about", shown(image)])} if {
	not is_object(object.get(found, image.path, null))
}

# All documents of one image in that, each once.
documents_of(found) := {document |
	some documents in found.documents
	some document in documents
}

_about_image(_, image, _) := {"gaps": {unreadable(image)}, "documents": {}} if not readable(image)

_about_image(facts, image, asked) := {"gaps": {_nothing(fact, image, asked)}, "documents": {}} if {
	readable(image)
	fact := _fact_of(facts, image)
	not _is_known(fact)
}

_about_image(facts, image, asked) := {"gaps": gaps, "documents": documents} if {
	readable(image)
	fact := _fact_of(facts, image)
	_is_known(fact)
	manifests := _manifests(fact.value, asked.platforms)
	documents := {digest: counting |
		some digest in object.keys(manifests)
		counting := [document | some document in _about(fact.value, digest, asked); _is_counting(document, asked)]
	}
	without := {gap |
		some digest in object.keys(documents)
		count(documents[digest]) == 0
		gap := _none_counts(fact.value, digest, manifests[digest], image, asked)
	}
	gaps := without | _cut(fact.value, image, asked)
}

# One that is not in the list could say something else. What nobody signed is last in it: where that does not count, and one of it is
# there, all that count are.
_cut(value, image, asked) := {concat("", ["not every ", asked.what, " of ", shown(image), " can be looked at, so many are attached"])} if not _lists_all(value, asked)

_cut(value, _, asked) := set() if _lists_all(value, asked)

_lists_all(value, _) if object.get(value, "truncated", false) == false

_lists_all(value, asked) if {
	not _unsigned_counts(asked)
	some document in value[asked.field]
	document.signed == false
}

# Whether somebody looked, and found something or reasons why nothing counts.
_is_known(fact) if {
	object.get(fact, "status", "") == "known"
	is_object(object.get(fact, "value", null))
}

# Whether the image has a reference to look for.
readable(image) if {
	object.get(image, "error", "") == ""
	reference := object.get(image, "reference", "")
	is_string(reference)
	reference != ""
}

# What is wrong with an image that has none.
unreadable(image) := concat("", ["the image ", values.shown(object.get(image, "reference", "")), " cannot be read", _why(object.get(image, "error", ""))])

_why(error) := concat("", [": ", error]) if {
	is_string(error)
	error != ""
}

_why(error) := "" if not is_string(error)

_why("") := ""

# The image as messages name it.
shown(image) := concat(" ", ["the image", values.shown(object.get(image, "reference", ""))])

# ` for linux/amd64`, or nothing where the platform is not known.
of_platform(platform) := concat(" ", [" for", platform]) if {
	is_string(platform)
	platform != ""
}

of_platform(platform) := "" if not is_string(platform)

of_platform("") := ""

_fact_of(facts, image) := values.as_object(object.get(values.as_object(facts), image.reference, {}))

_nothing(fact, image, asked) := concat("", ["no ", asked.what, " is attached to ", shown(image), _reason(fact)]) if {
	object.get(fact, "status", "") == "absent"
}

_nothing(fact, image, asked) := concat("", ["nothing is known of any ", asked.what, " of ", shown(image)]) if {
	object.get(fact, "status", "") != "absent"
}

_reason(fact) := concat("", [" (", fact.reason, ")"]) if is_string(object.get(fact, "reason", null))

_reason(fact) := "" if not is_string(object.get(fact, "reason", null))

# The manifests that have to be covered, with their platforms. An image that has none of the platforms that are asked for has to be
# covered as a whole: what it is then is for the scheduler to find out.
_manifests(value, platforms) := _or_the_whole(
	{digest: platform |
		some digest, platform in values.as_object(object.get(value, "platforms", {}))
		_is_asked_for(platform, platforms)
	},
	value,
)

_or_the_whole(manifests, _) := manifests if count(manifests) > 0

_or_the_whole(manifests, value) := {values.text(object.get(value, "digest", "")): ""} if count(manifests) == 0

_is_asked_for(_, platforms) if count(platforms) == 0

# Variants are not compared: most machines run several of them.
_is_asked_for(platform, platforms) if {
	some asked in platforms
	_machine(platform) == _machine(asked)
}

# What says nothing of its platform, or not in the words for it, may run anywhere: runtimes take x86_64 for amd64, and no system for
# their own.
_is_asked_for(platform, _) if not _is_plain(platform)

_machine(platform) := array.slice(split(platform, "/"), 0, 2) if is_string(platform)

_is_plain(platform) if {
	machine := _machine(platform)
	machine[0] in {"darwin", "freebsd", "linux", "unknown", "windows"}
	machine[1] in {"386", "amd64", "arm", "arm64", "loong64", "ppc64le", "riscv64", "s390x", "unknown"}
}

_about(value, digest, asked) := [document |
	listed := object.get(value, asked.field, [])
	is_array(listed)
	some document in listed
	is_object(document)
	object.get(document, "covers", "") in {digest, object.get(value, "digest", digest)}
]

_is_counting(document, asked) if {
	_is_signed(document)
	count(asked.signers) == 0
}

_is_counting(document, asked) if {
	_is_signed(document)
	some signer in _signers(document)
	signer in asked.signers
}

_is_counting(document, asked) if {
	_unsigned_counts(asked)
	object.get(document, "signed", null) == false
}

_unsigned_counts(asked) if {
	asked.unsigned == true
	count(asked.signers) == 0
}

_is_signed(document) if {
	object.get(document, "signed", false) == true
	count(_signers(document)) > 0
}

_signers(document) := {signer |
	listed := object.get(document, "signers", [])
	is_array(listed)
	some signer in listed
	is_string(signer)
}

_none_counts(value, digest, platform, image, asked) := concat("", [
	"no ",
	asked.what,
	" of ",
	shown(image),
	" counts",
	of_platform(platform),
	_instead(_reasons_of(value, digest, asked)),
])

_instead(reasons) := concat("", [" (", concat(", ", sort(reasons)), ")"]) if count(reasons) > 0

_instead(reasons) := "" if count(reasons) == 0

_reasons_of(value, digest, asked) := {reason |
	some document in _about(value, digest, asked)
	reason := _whose(document)
} | {reason |
	listed := object.get(value, "refused", [])
	is_array(listed)
	some refused in array.slice(listed, 0, 3)
	reason := concat("", ["one was refused: ", values.text(object.get(values.as_object(refused), "message", ""))])
}

_whose(document) := concat("", ["one is signed by ", concat(" and ", sort(_signers(document)))]) if _is_signed(document)

_whose(document) := "one is signed by nobody" if not _is_signed(document)

# What is wrong with an SBOM that lists nothing, no component and no model: it does not say either that something is not there.
emptiness(document, image) := {concat("", ["the SBOM of ", shown(image), of_platform(object.get(document, "platform", "")), " lists no components"])} if _is_empty(document)

emptiness(document, _) := set() if not _is_empty(document)

_is_empty(document) if {
	object.get(document, "components", null) == 0
	not _lists_models(document)
}

_lists_models(document) if {
	is_array(document.models)
	count(document.models) > 0
}

# Times

# The day that is so many days after the one of the time `now`, such as 2026-11-21; before it, where `days` is negative.
day_after(now, days) := concat("-", [_digits(day[0], 4), _digits(day[1], 2), _digits(day[2], 2)]) if {
	day := time.date(time.add_date(time.parse_ns("2006-01-02", substring(now, 0, 10)), 0, 0, days))
}

# Whether `time` is one of a fact, not more than `days` days old, and not ahead of the clock by more than a day. Times of facts are
# all of one form, so they are compared as text.
fresh(time, now, days) if {
	is_string(time)
	regex.match("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", time)
	substring(time, 0, 10) >= day_after(now, 0 - days)
	substring(time, 0, 10) <= day_after(now, 1)
}

_digits(number, width) := substring(text, count(text) - width, width) if {
	text := concat("", ["0000", json.marshal(number)])
}
