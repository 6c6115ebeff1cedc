"""SPDX 3.0 in JSON-LD (spdx.github.io/spdx-spec/v3.0.1), as far as it has what facts ask.

Read are, of the elements in `@graph` under the names of the SPDX context: CreationInfo, SpdxDocument and software_Sbom
(root elements, sbomType), packages (software_Package, ai_AIPackage, dataset_DatasetPackage) and Relationships of the
types dependsOn, contains, describes, hasDeclaredLicense, hasConcludedLicense, trainedOn and testedOn. Of licences those
that are written as expressions (simplelicensing_LicenseExpression) or listed ones by their IRI are read. Not read:
documents with a context of their own, licences as trees (expandedlicensing), files and snippets, builds, security.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attestations.bom import MAX_COMPONENTS, Bom, Component, Model
from attestations.licences import is_stated
from attestations.reading import checked, schema, utc
from pratique.errors import InputError

_TEXT: Mapping[str, Any] = {"type": "string"}
_REFERENCES: Mapping[str, Any] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_ANY_NODE: Mapping[str, Any] = {"anyOf": [_TEXT, {"type": "object"}]}
_SCHEMA = schema(
    {
        "type": "object",
        "required": ["@context", "@graph"],
        "properties": {
            "@context": _TEXT,
            "@graph": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "type": _TEXT,
                        "spdxId": _TEXT,
                        "@id": _TEXT,
                        "name": _TEXT,
                        "created": _TEXT,
                        "specVersion": _TEXT,
                        "createdBy": _REFERENCES,
                        "createdUsing": _REFERENCES,
                        "creationInfo": _ANY_NODE,
                        "rootElement": _REFERENCES,
                        "software_sbomType": _REFERENCES,
                        "software_packageVersion": _TEXT,
                        "software_packageUrl": _TEXT,
                        "suppliedBy": _TEXT,
                        "originatedBy": _REFERENCES,
                        "externalIdentifier": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"externalIdentifierType": _TEXT, "identifier": _TEXT},
                            },
                        },
                        "verifiedUsing": {"type": "array"},
                        "simplelicensing_licenseExpression": _TEXT,
                        "relationshipType": _TEXT,
                        "completeness": _TEXT,
                        "from": _TEXT,
                        "to": _REFERENCES,
                    },
                },
            },
        },
    }
)
"""The parts that are read."""

_CONTEXT = "https://spdx.org/rdf/3.0"
_LISTED = "https://spdx.org/licenses/"
_PACKAGES = frozenset({"software_Package", "ai_AIPackage", "dataset_DatasetPackage"})
_PLACES = frozenset({"contains", "dependsOn", "describes"})
_LICENCES = {"hasConcludedLicense": 0, "hasDeclaredLicense": 1}
_IDENTIFIERS = frozenset({"cpe22", "cpe23", "gitoid", "packageUrl", "swhid", "swid"})
_CARD = (
    *("ai_autonomyType", "ai_domain", "ai_energyConsumption", "ai_hyperparameter", "ai_informationAboutApplication"),
    *("ai_informationAboutTraining", "ai_limitation", "ai_metric", "ai_metricDecisionThreshold"),
    *("ai_modelDataPreprocessing", "ai_modelExplainability", "ai_safetyRiskAssessment", "ai_standardCompliance"),
    *("ai_typeOfModel", "ai_useSensitivePersonalInformation"),
)
"""The properties of an AIPackage that a model card consists of."""

_Element = Mapping[str, Any]


def read_spdx3(value: Any) -> Bom:
    """The SBOM in a parsed SPDX 3 document.

    Raises:
        InputError: it is none, malformed, or has too many elements.
    """
    document = checked(_SCHEMA, value, "SPDX 3 document")
    if not document["@context"].startswith(_CONTEXT):
        raise InputError("the JSON-LD document has another context than that of SPDX 3.0, so its names are not known")
    graph: Sequence[_Element] = document["@graph"]
    if len(graph) > 4 * MAX_COMPONENTS:
        raise InputError(f"the SPDX 3 document has more than {4 * MAX_COMPONENTS} elements")
    by_id = {identifier: element for element in graph if (identifier := element.get("spdxId") or element.get("@id"))}
    packages = [element for element in graph if element.get("type") in _PACKAGES]
    if len(packages) > MAX_COMPONENTS:
        raise InputError(f"the SPDX 3 document has more than {MAX_COMPONENTS} packages")
    relationships = [
        element for element in graph if element.get("type") in ("Relationship", "LifecycleScopedRelationship")
    ]
    info = _creation_info(graph, by_id)
    related = _related(relationships)
    licences = _licences(relationships, by_id)
    roots = _roots(graph)
    primary = [package for package in packages if package.get("spdxId") in roots]
    if len(primary) != 1 or len(packages) == 1:
        primary = []
    made = {id(package): _component(package, related, licences) for package in packages}
    return Bom(
        format="SPDX",
        version=info.get("specVersion", "3.0"),
        created=utc(info.get("created")),
        authors=_names(info.get("createdBy"), by_id),
        tools=_names(info.get("createdUsing"), by_id),
        context=[each for element in graph for each in _references(element.get("software_sbomType"))],
        primary=[made[id(package)] for package in primary],
        components=[made[id(package)] for package in packages if not primary or package is not primary[0]],
        completeness=_completeness(relationships),
        models=_models(packages, relationships, by_id, made),
        datasets=[each.get("name", "") for each in packages if each.get("type") == "dataset_DatasetPackage"],
        not_read=("expandedlicensing",) if _has_licence_trees(graph) else (),
    )


def _creation_info(graph: Sequence[_Element], by_id: Mapping[str, _Element]) -> _Element:
    """That of the document (or of the SBOM, or the only one), which may stand in it or be referred to."""
    for kind in ("SpdxDocument", "software_Sbom"):
        for element in graph:
            if element.get("type") == kind:
                info = element.get("creationInfo", {})
                found = by_id.get(info, {}) if isinstance(info, str) else info
                return found if _is_creation_info(found) else {}
    return next((element for element in graph if element.get("type") == "CreationInfo"), {})


def _is_creation_info(value: _Element) -> bool:
    """Whether it has the types of the schema, which an element inside an element is not checked for."""
    return all(isinstance(value.get(name, ""), str) for name in ("created", "specVersion")) and all(
        isinstance(value.get(name, ""), str)
        or (isinstance(value[name], list) and all(isinstance(each, str) for each in value[name]))
        for name in ("createdBy", "createdUsing")
    )


def _roots(graph: Sequence[_Element]) -> frozenset[str]:
    return frozenset(
        reference
        for element in graph
        if element.get("type") in ("SpdxDocument", "software_Sbom")
        for reference in _references(element.get("rootElement"))
    )


def _related(relationships: Iterable[_Element]) -> frozenset[str]:
    related: set[str] = set()
    for relationship in relationships:
        if relationship.get("relationshipType") in _PLACES:
            related.add(relationship.get("from", ""))
            related.update(_references(relationship.get("to")))
    return frozenset(related)


def _licences(
    relationships: Iterable[_Element], by_id: Mapping[str, _Element]
) -> Mapping[str, tuple[list[str], list[str]]]:
    """The concluded and the declared licences by package."""
    licences: dict[str, tuple[list[str], list[str]]] = {}
    for relationship in relationships:
        which = _LICENCES.get(relationship.get("relationshipType", ""))
        if which is None:
            continue
        for reference in _references(relationship.get("to")):
            text = by_id.get(reference, {}).get("simplelicensing_licenseExpression", "")
            if not text and reference.startswith(_LISTED):
                text = reference.removeprefix(_LISTED)
            licences.setdefault(relationship.get("from", ""), ([], []))[which].append(text or "NOASSERTION")
    return licences


def _component(
    package: _Element, related: frozenset[str], licences: Mapping[str, tuple[list[str], list[str]]]
) -> Component:
    identifier = package.get("spdxId", "")
    identifiers = [
        (each.get("externalIdentifierType", ""), each["identifier"])
        for each in package.get("externalIdentifier", ())
        if each.get("identifier")
    ]
    purls = [text for kind, text in identifiers if kind == "packageUrl"]
    if package.get("software_packageUrl"):
        purls.insert(0, package["software_packageUrl"])
    concluded, declared = licences.get(identifier, ([], []))
    known = list(filter(is_stated, concluded)) or list(filter(is_stated, declared))
    return Component(
        name=package.get("name", ""),
        version=package.get("software_packageVersion", ""),
        purl=purls[0] if purls else "",
        supplier=bool(package.get("suppliedBy") or package.get("originatedBy")),
        identifier=bool(purls) or any(kind in _IDENTIFIERS for kind, _ in identifiers),
        hash=bool(package.get("verifiedUsing")),
        related=identifier in related,
        licences=tuple(dict.fromkeys(known)),
        licence_stated=bool(concluded or declared),
        more_purls=tuple(purls[1:]),
    )


def _completeness(relationships: Iterable[_Element]) -> str:
    """What the relationships among packages say of themselves; all of them must be complete."""
    said = {
        relationship.get("completeness", "noAssertion")
        for relationship in relationships
        if relationship.get("relationshipType") in ("contains", "dependsOn")
    }
    if said == {"complete"}:
        return "complete"
    return "incomplete" if "incomplete" in said else "unknown"


def _models(
    packages: Iterable[_Element],
    relationships: Sequence[_Element],
    by_id: Mapping[str, _Element],
    made: Mapping[int, Component],
) -> list[Model]:
    datasets: dict[str, list[str]] = {}
    for relationship in relationships:
        if relationship.get("relationshipType") in ("trainedOn", "testedOn"):
            names = (by_id.get(each, {}).get("name", each) for each in _references(relationship.get("to")))
            datasets.setdefault(relationship.get("from", ""), []).extend(names)
    models = []
    for package in packages:
        if package.get("type") == "ai_AIPackage":
            component = made[id(package)]
            models.append(
                Model(
                    name=component.name,
                    version=component.version,
                    purl=component.purl,
                    model_card=tuple(name for name in _CARD if package.get(name) not in (None, "", [], {})),
                    datasets=tuple(dict.fromkeys(datasets.get(package.get("spdxId", ""), ()))),
                    licences=component.licences,
                )
            )
    return models


def _has_licence_trees(graph: Iterable[_Element]) -> bool:
    return any(element.get("type", "").startswith("expandedlicensing_") for element in graph)


def _names(references: Any, by_id: Mapping[str, _Element]) -> list[str]:
    return [by_id.get(each, {}).get("name", each) for each in _references(references)]


def _references(value: Any) -> Sequence[str]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []
