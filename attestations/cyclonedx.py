"""CycloneDX 1.4 to 1.7 in JSON (ECMA-424; github.com/CycloneDX/specification, schema/bom-1.x.schema.json).

Read are metadata, components with all that are nested in them, dependencies, compositions, and the model cards of
machine-learning models. Not read: services, vulnerabilities (a scan is evidence of its own, with a time and a scanner),
formulation, and what `evidence` of a component says of its licences, which is what a tool saw and nobody concluded.
Components of the type `file` without a purl are not counted: generators list the files of a package beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attestations.bom import MAX_COMPONENTS, Bom, Component, Model
from attestations.licences import is_stated
from attestations.reading import checked, schema, utc
from pratique.errors import InputError

VERSIONS = frozenset({"1.4", "1.5", "1.6", "1.7"})

_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": _TEXT}
_NAMED: Mapping[str, Any] = {"type": "object", "properties": {"name": _TEXT, "version": _TEXT}}
_ALL_NAMED: Mapping[str, Any] = {"type": "array", "items": _NAMED}


def _object(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {name.replace("_", "-"): value for name, value in properties.items()},
    }


_LICENCES = {
    "type": "array",
    "items": _object(
        license=_object(id=_TEXT, name=_TEXT, acknowledgement=_TEXT), expression=_TEXT, acknowledgement=_TEXT
    ),
}
_MODEL_CARD = _object(
    modelParameters=_object(datasets={"type": "array", "items": _object(ref=_TEXT, name=_TEXT)}),
    quantitativeAnalysis={"type": "object"},
    considerations={"type": "object"},
)
_COMPONENT = _object(
    type=_TEXT,
    bom_ref=_TEXT,
    name=_TEXT,
    version=_TEXT,
    purl=_TEXT,
    cpe=_TEXT,
    swid={"type": "object"},
    omniborId=_TEXTS,
    swhid=_TEXTS,
    publisher=_TEXT,
    supplier=_NAMED,
    manufacturer=_NAMED,
    hashes={"type": "array", "items": _object(alg=_TEXT, content=_TEXT)},
    licenses=_LICENCES,
    components={"type": "array", "items": {"$ref": "#/$defs/component"}},
    modelCard=_MODEL_CARD,
)
_SCHEMA = schema(
    {
        "$defs": {"component": _COMPONENT},
        **_object(
            ["bomFormat", "specVersion"],
            specVersion=_TEXT,
            metadata=_object(
                timestamp=_TEXT,
                authors=_ALL_NAMED,
                manufacturer=_NAMED,
                lifecycles={"type": "array", "items": _object(phase=_TEXT, name=_TEXT)},
                tools={"anyOf": [_ALL_NAMED, _object(components=_ALL_NAMED, services=_ALL_NAMED)]},
                component={"$ref": "#/$defs/component"},
            ),
            components={"type": "array", "items": {"$ref": "#/$defs/component"}},
            dependencies={"type": "array", "items": _object(ref=_TEXT, dependsOn=_TEXTS, provides=_TEXTS)},
            compositions={
                "type": "array",
                "items": _object(aggregate=_TEXT, assemblies={"type": "array"}, dependencies={"type": "array"}),
            },
        ),
    }
)
"""The parts that are read; what else is in a document is no matter of ours."""

_NOTHING: Mapping[str, Any] = {}


def read_cyclonedx(value: Any) -> Bom:
    """The SBOM in a parsed CycloneDX document.

    Raises:
        InputError: it is none, of a version that is not read, malformed, or has too many components.
    """
    document = checked(_SCHEMA, value, "CycloneDX document")
    if document["specVersion"] not in VERSIONS:
        versions = ", ".join(sorted(VERSIONS))
        raise InputError(f"CycloneDX {document['specVersion'][:20]} is not read; {versions} are")
    metadata = document.get("metadata", _NOTHING)
    related = _related(document)
    primary = [metadata["component"]] if "component" in metadata else []
    listed = list(_components(document.get("components", ()), primary))
    return Bom(
        format="CycloneDX",
        version=document["specVersion"],
        created=utc(metadata.get("timestamp")),
        authors=_names([*metadata.get("authors", ()), metadata.get("manufacturer", _NOTHING)]),
        tools=_names(_tools(metadata)),
        context=[
            phase["phase"] if "phase" in phase else phase.get("name", "") for phase in metadata.get("lifecycles", ())
        ],
        primary=[_component(component, related, nested=False) for component in primary],
        components=[_component(component, related, nested) for component, nested in listed],
        completeness=_completeness(document.get("compositions", ())),
        models=_models([*primary, *(component for component, _ in listed)]),
        datasets=[component.get("name", "") for component, _ in listed if component.get("type") == "data"],
    )


def _components(
    listed: Sequence[Mapping[str, Any]], primary: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every component but files that are no packages, with whether it is nested in another one."""
    count = 0
    waiting = [(component, False) for component in reversed(listed)]
    waiting += [(component, True) for parent in primary for component in parent.get("components", ())]
    while waiting:
        component, nested = waiting.pop()
        if (count := count + 1) > MAX_COMPONENTS:
            raise InputError(f"the CycloneDX document has more than {MAX_COMPONENTS} components")
        if inner := component.get("components"):
            waiting += [(each, True) for each in reversed(inner)]
        if component.get("type") != "file" or component.get("purl"):
            yield component, nested


def _component(component: Mapping[str, Any], related: frozenset[str], nested: bool) -> Component:
    get = component.get
    licences, stated = _licences(get("licenses"))
    purl = get("purl", "")
    has_supplier = (
        get("supplier", _NOTHING).get("name") or get("manufacturer", _NOTHING).get("name") or get("publisher")
    )
    has_identifier = purl or get("cpe") or get("swid") or get("omniborId") or get("swhid")
    return Component(
        get("name", ""),
        get("version", ""),
        purl,
        bool(has_supplier),
        bool(has_identifier),
        _has_hash(get("hashes", ())),
        nested or get("bom-ref") in related,
        licences,
        stated,
    )


def _has_hash(hashes: Iterable[Mapping[str, str]]) -> bool:
    for each in hashes:  # noqa: SIM110 - a generator takes three times as long, for each of thousands
        if each.get("alg") and each.get("content"):
            return True
    return False


def _licences(choices: Sequence[Mapping[str, Any]] | None) -> tuple[tuple[str, ...], bool]:
    """The licences of a component, and whether anything is said of them.

    Where some were concluded (`acknowledgement`, since 1.6), what was only declared does not count. Several in a list
    all apply: the specification does not say that one may choose.
    """
    if not choices:
        return (), False
    if len(choices) == 1:  # as nearly all of them
        text = _text(choices[0])
        return (text,) if is_stated(text) else (), bool(text)
    known = [choice for choice in choices if is_stated(_text(choice))]
    counting = [choice for choice in known if _is_concluded(choice)] or known
    return tuple(dict.fromkeys(map(_text, counting))), any(map(_text, choices))


def _text(choice: Mapping[str, Any]) -> str:
    licence: Mapping[str, str] = choice.get("license", _NOTHING)
    text: str = licence.get("id") or choice.get("expression") or licence.get("name") or ""
    return text.strip()


def _is_concluded(choice: Mapping[str, Any]) -> bool:
    return "concluded" in (choice.get("acknowledgement"), choice.get("license", _NOTHING).get("acknowledgement"))


def _related(document: Mapping[str, Any]) -> frozenset[str]:
    """The references with a place in the graph. A component that depends on nothing stands there with nothing; one
    that is not there at all has dependencies that nobody knows (the schema, `dependencies`)."""
    related: set[str] = set()
    for dependency in document.get("dependencies", ()):
        if ref := dependency.get("ref"):
            related.add(ref)
        if depends_on := dependency.get("dependsOn"):
            related.update(depends_on)
        if provides := dependency.get("provides"):
            related.update(provides)
    return frozenset(related)


def _completeness(compositions: Iterable[Mapping[str, Any]]) -> str:
    """What the compositions say of assemblies and dependencies together: the least complete of them counts."""
    aggregates = {
        each.get("aggregate", "not_specified")
        for each in compositions
        if each.get("assemblies") or each.get("dependencies")
    }
    if aggregates == {"complete"}:
        return "complete"
    return "incomplete" if any(each.startswith("incomplete") for each in aggregates) else "unknown"


def _tools(metadata: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """A list in 1.4 and before, components and services since 1.5."""
    tools = metadata.get("tools", ())
    return (
        tools
        if isinstance(tools, list)
        else [*tools.get("components", ()), *tools.get("services", ())]
        if tools
        else ()
    )


def _names(entities: Iterable[Mapping[str, Any]]) -> list[str]:
    return [" ".join(filter(None, (each["name"], each.get("version")))) for each in entities if each.get("name")]


# AI-BOMs


def _models(components: Iterable[Mapping[str, Any]]) -> list[Model]:
    models = []
    for component in components:
        if component.get("type") != "machine-learning-model":
            continue
        card = component.get("modelCard", _NOTHING)
        datasets = card.get("modelParameters", _NOTHING).get("datasets", ())
        models.append(
            Model(
                name=component.get("name", ""),
                version=component.get("version", ""),
                purl=component.get("purl", ""),
                model_card=tuple(_sections(card)),
                datasets=tuple(each.get("name") or each.get("ref") or "" for each in datasets),
                licences=_licences(component.get("licenses"))[0],
            )
        )
    return models


def _sections(card: Mapping[str, Any]) -> Iterator[str]:
    """`modelParameters.task`, `considerations.useCases` ...: what of the card is not empty."""
    for part in ("modelParameters", "quantitativeAnalysis", "considerations"):
        for section, content in sorted(card.get(part, _NOTHING).items()):
            if content not in (None, "", [], {}):
                yield f"{part}.{section}"
