"""SBOMs: a document of megabytes becomes one element of `facts.sbom.documents`, once for each digest.

    {"format": "CycloneDX", "version": "1.6", "created": "2026-11-20T08:00:00Z", "authors": [...], "tools": [...],
     "context": ["build"], "components": 4711,
     "missing": {"ntia-2021": {"supplier": 12}, "cisa-2025-draft": {"hash": 3, "supplier": 12}},
     "dependencies": {"related": 4700, "completeness": "complete"},
     "licences": [{"expression": "MIT OR GPL-2.0-only", "choices": [["GPL-2.0-only"], ["MIT"]], "read": true,
                   "components": 3, "examples": ["pkg:npm/left-pad@1.3.0"]}],
     "unlicensed": {"components": 5, "examples": [...]},
     "packages": {"pkg:pypi/torch": ["2.9.1"], "a-thing-without-a-purl": ["1.0"]},
     "ai_packages": {"pkg:pypi/torch": ["2.9.1"]},
     "models": [{"name", "version", "purl", "model_card": ["considerations.useCases"], "datasets": [...],
                 "licences": [...]}],
     "datasets": [...], "not_read": [], "truncated": ["packages"]}

Policies have parameters (which licences, which packages), so the fact holds what any of them could ask: the distinct
licences and the distinct packages without qualifiers, in lower case, not the components. Lists have limits, and one
that was cut is named in `truncated`: whoever asks about it cannot be told that something is not there.

`missing` counts the components that lack a minimum element, and 1 for what the document itself lacks. The component
that the document describes is not asked for them: the digest that the document covers identifies that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attestations.ai_packages import is_ai_package
from attestations.bom import Bom, Component, Model
from attestations.clipped import MAX_TEXT, clipped
from attestations.cyclonedx import read_cyclonedx
from attestations.licences import Licence, read_licence
from attestations.purl import read_purl
from attestations.spdx import read_spdx
from attestations.spdx3 import read_spdx3
from pratique.errors import InputError

MAX_PACKAGES = 10_000
"""Distinct packages in a fact: some 300 KB of it at the most, and no image that we know has as many."""

MAX_VERSIONS = 50
"""Versions of one package: npm installs several side by side."""

MAX_LICENCES = 500
"""Distinct licence expressions in a fact."""

MAX_MODELS = 100
"""Models and datasets in a fact."""

MAX_NAMES = 20
"""Authors, tools, phases, the datasets of a model."""

MAX_EXAMPLES = 3
"""Components that a fact names where it counts them: enough for a message."""

_NTIA = "ntia-2021"
_CISA = "cisa-2025-draft"
_COMMON = {
    "supplier": "supplier",
    "name": "name",
    "version": "version",
    "identifier": "identifier",
    "dependencies": "related",
}
ELEMENTS: Mapping[str, Mapping[str, str]] = {
    _NTIA: _COMMON,
    _CISA: {**_COMMON, "hash": "hash", "licence": "licence_stated"},
}
"""The elements of components by profile, and the field of `Component` that has each.

`ntia-2021`: The Minimum Elements For a Software Bill of Materials (NTIA, July 2021), data fields. `cisa-2025-draft`:
2025 Minimum Elements for a Software Bill of Materials (CISA, draft of August 2025), data fields; a licence that is
stated not to be known counts as stated there.
"""


def read_bom(value: Any) -> Bom:
    """The SBOM in a parsed document of any format that is read.

    Raises:
        InputError: it is none, or malformed.
    """
    if isinstance(value, dict):
        if value.get("bomFormat") == "CycloneDX":
            return read_cyclonedx(value)
        if "spdxVersion" in value:
            return read_spdx(value)
        if "@graph" in value:
            return read_spdx3(value)
    raise InputError("the document is no SBOM that is read: CycloneDX 1.4 to 1.7, SPDX 2.2, 2.3 or 3.0, in JSON")


def sbom_fact(value: Any) -> dict[str, Any]:
    """One element of `facts.sbom.documents`, of a parsed document.

    Raises:
        InputError: it is no SBOM, or malformed.
    """
    bom = read_bom(value)
    packages, ai_packages, cut_packages = _packages(bom)
    licences, unlicensed, cut_licences = _licences(bom)
    cut = {
        "packages": cut_packages,
        "licences": cut_licences,
        "models": len(bom.models) > MAX_MODELS or len(bom.datasets) > MAX_MODELS,
    }
    return {
        "format": bom.format,
        "version": bom.version,
        "created": bom.created,
        "authors": _some(bom.authors, MAX_NAMES),
        "tools": _some(bom.tools, MAX_NAMES),
        "context": _some(bom.context, MAX_NAMES),
        "components": len(bom.components),
        "missing": _missing(bom),
        "dependencies": {
            "related": bom.having("related"),
            "completeness": bom.completeness,
        },
        "licences": licences,
        "unlicensed": unlicensed,
        "packages": packages,
        "ai_packages": ai_packages,
        "models": [_model(model) for model in bom.models[:MAX_MODELS]],
        "datasets": _some(bom.datasets, MAX_MODELS),
        "not_read": list(bom.not_read),
        "truncated": [name for name, is_cut in cut.items() if is_cut],
    }


def _missing(bom: Bom) -> dict[str, dict[str, int]]:
    """By profile: how often each element is missing, without those that are not."""
    lacking = {field: len(bom.components) - bom.having(field) for field in ELEMENTS[_CISA].values()}
    timestamp = int(not bom.created)
    document = {
        # The entity that made the data may be a tool.
        _NTIA: {"timestamp": timestamp, "author": int(not bom.authors and not bom.tools)},
        _CISA: {
            "timestamp": timestamp,
            "author": int(not bom.authors),
            "tool": int(not bom.tools),
            "context": int(not bom.context),
        },
    }
    missing = {
        profile: document[profile] | {name: lacking[field] for name, field in elements.items()}
        for profile, elements in ELEMENTS.items()
    }
    return {
        profile: {name: count for name, count in sorted(counts.items()) if count} for profile, counts in missing.items()
    }


def _packages(bom: Bom) -> tuple[dict[str, list[str]], dict[str, list[str]], bool]:
    """The versions of each package, those of AI packages, and whether something was cut.

    A component without a purl, or with one that cannot be read, is under its name. What differs in upper and lower
    case only is one package, because whoever denies it means both. What the document describes is a package, but none
    of AI: an image that is named `vllm` is not what a scanner looks for.
    """
    versions: dict[str, list[str]] = {}
    ai: set[str] = set()
    cut = False
    for component, may_be_ai in _named(bom):
        purl = read_purl(component.purl)
        name, version = (component.name, component.version) if purl is None else (purl.package, purl.version)
        key = clipped(name.lower())
        known = versions.get(key)
        if known is None:
            if len(versions) >= MAX_PACKAGES or len(name) > MAX_TEXT:
                cut = True
                continue
            known = versions[key] = []
            if may_be_ai and is_ai_package(purl, name):
                ai.add(key)
        version = clipped(version)
        if version and version not in known:
            if len(known) >= MAX_VERSIONS:
                cut = True
            else:
                known.append(version)
    for found in versions.values():
        found.sort()
    return dict(sorted(versions.items())), {key: versions[key] for key in sorted(ai)}, cut


def _named(bom: Bom) -> Iterator[tuple[Component, bool]]:
    """Every component under each of its purls, with whether it may be an AI package."""
    for components, may_be_ai in ((bom.components, True), (bom.primary, False)):
        for component in components:
            yield component, may_be_ai
            for purl in component.more_purls:
                yield component._replace(purl=purl), may_be_ai


def _licences(bom: Bom) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
    """The distinct expressions, the components without a licence that is known, and whether something was cut.

    What the document describes, an image say, has a licence of its own only where nothing else is listed.
    """
    found: dict[str, list[Component]] = {}
    for component in (*bom.primary, *bom.components):
        for text in component.licences:
            found.setdefault(text, []).append(component)
    common = sorted(found, key=lambda text: (-len(found[text]), text))
    read = {text: read_licence(text) for text in common[:MAX_LICENCES]}
    unknown = {text for text, licence in read.items() if not licence.known}
    unlicensed = [
        component
        for component in bom.components or bom.primary
        if not component.licences or not unknown.isdisjoint(component.licences)
    ]
    return (
        [_licence(text, licence, found[text]) for text, licence in read.items()],
        {"components": len(unlicensed), "examples": _examples(unlicensed)},
        len(common) > MAX_LICENCES,
    )


def _examples(components: Sequence[Component]) -> list[str]:
    shown = []
    for component in components[:MAX_EXAMPLES]:
        purl = read_purl(component.purl)
        name, version = (component.name, component.version) if purl is None else (purl.package, purl.version)
        shown.append(clipped(f"{name}@{version}" if version else name))
    return shown


def _licence(text: str, licence: Licence, components: Sequence[Component]) -> dict[str, Any]:
    return {
        "expression": clipped(text),
        "choices": [[clipped(each) for each in choice] for choice in licence.choices],
        "read": licence.read,
        "components": len(components),
        "examples": _examples(components),
    }


def _model(model: Model) -> dict[str, Any]:
    return {
        "name": clipped(model.name),
        "version": clipped(model.version),
        "purl": clipped(model.purl),
        "model_card": _some(model.model_card, MAX_MODELS),
        "datasets": _some(model.datasets, MAX_NAMES),
        "licences": _some(model.licences, MAX_NAMES),
    }


def _some(texts: Sequence[str], most: int) -> list[str]:
    return [clipped(text) for text in texts[:most]]
