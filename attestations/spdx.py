"""SPDX 2.2 and 2.3 in JSON (spdx.github.io/spdx-spec/v2.3; what is read is the same in both).

Read are creationInfo, packages, relationships and documentDescribes. Not read: files and snippets, which are not
packages, and annotations. The format has no place for the phase in which a document was made, so there is no context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attestations.bom import MAX_COMPONENTS, Bom, Component
from attestations.licences import is_stated
from attestations.reading import checked, schema, utc
from pratique.errors import InputError

VERSIONS = frozenset({"SPDX-2.2", "SPDX-2.3"})

_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": _TEXT}
_SCHEMA = schema(
    {
        "type": "object",
        "required": ["spdxVersion"],
        "properties": {
            "spdxVersion": _TEXT,
            "documentDescribes": _TEXTS,
            "creationInfo": {"type": "object", "properties": {"created": _TEXT, "creators": _TEXTS}},
            "packages": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "SPDXID": _TEXT,
                        "name": _TEXT,
                        "versionInfo": _TEXT,
                        "supplier": _TEXT,
                        "originator": _TEXT,
                        "licenseConcluded": _TEXT,
                        "licenseDeclared": _TEXT,
                        "checksums": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"algorithm": _TEXT, "checksumValue": _TEXT}},
                        },
                        "externalRefs": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "referenceCategory": _TEXT,
                                    "referenceType": _TEXT,
                                    "referenceLocator": _TEXT,
                                },
                            },
                        },
                    },
                },
            },
            "relationships": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "spdxElementId": _TEXT,
                        "relationshipType": _TEXT,
                        "relatedSpdxElement": _TEXT,
                    },
                },
            },
        },
    }
)
"""The parts that are read."""

_NOT_KNOWN = frozenset({"", "NOASSERTION", "NONE"})
_DOCUMENT = "SPDXRef-DOCUMENT"
_DEPENDENCIES = frozenset(
    {
        *("ANCESTOR_OF", "CONTAINED_BY", "CONTAINS", "DEPENDS_ON", "DEPENDENCY_OF", "DESCRIBED_BY", "DESCRIBES"),
        *("DESCENDANT_OF", "DEV_DEPENDENCY_OF", "DYNAMIC_LINK", "HAS_PREREQUISITE", "OPTIONAL_COMPONENT_OF"),
        *("BUILD_DEPENDENCY_OF", "OPTIONAL_DEPENDENCY_OF", "PACKAGE_OF", "PREREQUISITE_FOR", "PROVIDED_DEPENDENCY_OF"),
        *("RUNTIME_DEPENDENCY_OF", "STATIC_LINK", "TEST_DEPENDENCY_OF", "VARIANT_OF"),
    }
)
"""The relationships (11.1) that give a package a place among the others."""

_IDENTIFIERS = frozenset({"cpe22Type", "cpe23Type", "swid", "purl", "swh", "gitoid", "maven-central", "npm", "nuget"})
"""Reference types (annex F) that identify a package."""

_Package = Mapping[str, Any]


def read_spdx(value: Any) -> Bom:
    """The SBOM in a parsed SPDX document.

    Raises:
        InputError: it is none, of a version that is not read, malformed, or has too many packages.
    """
    document = checked(_SCHEMA, value, "SPDX document")
    if document["spdxVersion"] not in VERSIONS:
        versions = ", ".join(sorted(VERSIONS))
        raise InputError(f"{document['spdxVersion'][:20]!r} is no version of SPDX that is read; {versions} are")
    packages: Sequence[_Package] = document.get("packages", ())
    relationships = document.get("relationships", ())
    if len(packages) > MAX_COMPONENTS:
        raise InputError(f"the SPDX document has more than {MAX_COMPONENTS} packages")
    related, described, open_ended = _graph(relationships, document.get("documentDescribes", ()))
    primary = [package for package in packages if package.get("SPDXID") in described]
    if len(primary) != 1 or len(packages) == 1:
        primary = []  # a list of what is there describes all of it
    components = [package for package in packages if not primary or package is not primary[0]]
    info = document.get("creationInfo", {})
    creators = [creator.partition(":") for creator in info.get("creators", ())]
    return Bom(
        format="SPDX",
        version=document["spdxVersion"].removeprefix("SPDX-"),
        created=utc(info.get("created")),
        authors=[name.strip() for kind, _, name in creators if kind.strip() in ("Person", "Organization")],
        tools=[name.strip() for kind, _, name in creators if kind.strip() == "Tool"],
        context=(),
        primary=[_component(package, related) for package in primary],
        components=[_component(package, related) for package in components],
        completeness="incomplete" if open_ended else "unknown",
        not_read=("context",),
    )


def _graph(
    relationships: Sequence[Mapping[str, str]], described: Sequence[str]
) -> tuple[frozenset[str], frozenset[str], bool]:
    """The elements with a place among the others, those that the document describes, and whether a relationship says
    that there is more than it names (to NOASSERTION, 11.1)."""
    related: set[str] = set(described)
    main: set[str] = set(described)
    open_ended = False
    for relationship in relationships:
        kind = relationship.get("relationshipType", "")
        if kind not in _DEPENDENCIES:
            continue
        one, other = relationship.get("spdxElementId", ""), relationship.get("relatedSpdxElement", "")
        related.add(one)
        related.add(other)
        if other == "NOASSERTION":
            open_ended = True
        elif kind == "DESCRIBES" and one == _DOCUMENT:
            main.add(other)
        elif kind == "DESCRIBED_BY" and other == _DOCUMENT:
            main.add(one)
    return frozenset(related), frozenset(main), open_ended


def _component(package: _Package, related: frozenset[str]) -> Component:
    get = package.get
    purls, identified = [], False
    for reference in get("externalRefs", ()):
        kind, locator = reference.get("referenceType"), reference.get("referenceLocator")
        if locator and kind in _IDENTIFIERS:
            identified = True
            if kind == "purl":
                purls.append(locator)
    concluded, declared = get("licenseConcluded", ""), get("licenseDeclared", "")
    licence = concluded if is_stated(concluded) else declared
    version = get("versionInfo", "")
    return Component(
        name=get("name", ""),
        version="" if version in _NOT_KNOWN else version,
        purl=purls[0] if purls else "",
        supplier=get("supplier", "") not in _NOT_KNOWN or get("originator", "") not in _NOT_KNOWN,
        identifier=identified,
        hash=any(each.get("algorithm") and each.get("checksumValue") for each in get("checksums", ())),
        related=get("SPDXID") in related,
        licences=(licence,) if is_stated(licence) else (),
        licence_stated=bool(concluded or declared),
        more_purls=tuple(purls[1:]),
    )
