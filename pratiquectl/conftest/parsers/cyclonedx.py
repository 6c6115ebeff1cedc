"""CycloneDX bills of materials in JSON: the document as it is, once the fields that count have the types they should.

Written as XML they are refused: their elements would have to be turned into JSON's fields one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pratiquectl.conftest.parsers import json
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_VERSIONS = frozenset({"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"})

_TEXT = "a text"
_INTEGER = "a whole number"
_OBJECT = "an object"
_OBJECTS = "a list of objects"

_BOM = {
    **dict.fromkeys(("$schema", "bomFormat", "serialNumber"), _TEXT),
    "version": _INTEGER,
    **dict.fromkeys(("metadata", "declarations", "definitions"), _OBJECT),
    **dict.fromkeys(
        (
            "components",
            "services",
            "externalReferences",
            "dependencies",
            "compositions",
            "properties",
            "vulnerabilities",
            "annotations",
            "formulation",
            "citations",
        ),
        _OBJECTS,
    ),
}
_COMPONENT = {
    **dict.fromkeys(
        (
            "bom-ref",
            "mime-type",
            "type",
            "author",
            "publisher",
            "group",
            "name",
            "version",
            "description",
            "scope",
            "copyright",
            "cpe",
            "purl",
        ),
        _TEXT,
    ),
    **dict.fromkeys(("supplier", "evidence", "pedigree", "releaseNotes", "modelCard", "swid"), _OBJECT),
    **dict.fromkeys(("hashes", "licenses", "externalReferences", "properties", "components"), _OBJECTS),
}


def documents(source: Source) -> list[Any]:
    """The one document of the file."""
    if source.content.lstrip().startswith(b"<"):
        raise ParseError("CycloneDX written as XML is not supported; convert it to JSON")
    bom = json.loads(source.content)
    if bom is None:
        return [None]
    if not isinstance(bom, dict):
        raise ParseError("a CycloneDX document is an object")
    if "specVersion" in bom and bom["specVersion"] not in _VERSIONS:
        raise ParseError(f"specVersion is one of {', '.join(sorted(_VERSIONS))}")
    _check(bom, _BOM, "")
    for index, component in enumerate(bom.get("components") or []):
        _check(component or {}, _COMPONENT, f"components[{index}].")
    return [bom]


def _check(value: Mapping[str, Any], types: Mapping[str, str], place: str) -> None:
    for name, wanted in types.items():
        found = value.get(name)
        if found is not None and not _is(found, wanted):
            raise ParseError(f"{place}{name} is {wanted}")


def _is(value: Any, wanted: str) -> bool:
    if wanted == _TEXT:
        return isinstance(value, str)
    if wanted == _INTEGER:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted == _OBJECT:
        return isinstance(value, dict)
    return isinstance(value, list) and all(item is None or isinstance(item, dict) for item in value)
