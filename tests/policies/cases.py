"""The cases of `tests/cases/<area>/<policy>/{allow,deny}_<defect>.yaml`: an object each, and what is found in it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pratique.decision import Patch
from pratique.errors import Problem
from pratique.patches import apply, tokens, with_parents
from pratique.pointer import pointer
from pratique.yamlfile import load_documents

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = REPOSITORY / "tests" / "cases"

_KEYS = frozenset({"parameters", "namespace_labels", "object", "beside", "findings", "patches"})


@dataclass(frozen=True, slots=True)
class Case:
    """`beside` are the other objects of the same input. `findings` are (path, message) in order; `patches` are JSON
    Patch operations (RFC 6902), in order of path, which make the object comply as they stand."""

    policy: str
    verdict: Literal["allow", "deny"]
    defect: str
    object: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    namespace_labels: dict[str, str] = field(default_factory=dict)
    beside: tuple[dict[str, Any], ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
    patches: tuple[dict[str, Any], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.policy}/{self.verdict}_{self.defect}"


def load_cases() -> dict[str, Case]:
    """Every case by its id."""
    cases = [_load(file) for file in sorted(CASES.rglob("*.yaml"))]
    return {case.id: case for case in cases}


def patched(case: Case) -> Case:
    """The case with its patches applied to its object, parents that are missing made as mutation makes them."""
    document = case.object
    for patch in (Patch(**patch) for patch in case.patches):
        whole = with_parents(document, tokens(patch.path), patch.value) if patch.op == "add" else None
        document = apply(document, [whole or patch])
    return dataclasses.replace(case, object=document)


def load_one(file: Path) -> Any:
    """The only document of a YAML file, read as Pratique reads manifests."""
    documents = list(load_documents(file.read_bytes(), str(file)))
    if len(documents) != 1 or isinstance(documents[0], Problem):
        raise ValueError(f"{file} does not hold one readable document: {documents}")
    return documents[0].value


def _load(file: Path) -> Case:
    verdict, _, defect = file.stem.partition("_")
    value = load_one(file)
    if verdict not in ("allow", "deny") or not defect or not value.keys() <= _KEYS:
        raise ValueError(
            f"{file} is not a case: name it allow_<defect>.yaml or deny_<defect>.yaml, with {sorted(_KEYS)}"
        )
    return Case(
        policy=file.parent.relative_to(CASES).as_posix(),
        verdict="allow" if verdict == "allow" else "deny",
        defect=defect,
        object=value["object"],
        parameters=value.get("parameters", {}),
        namespace_labels=value.get("namespace_labels", {}),
        beside=tuple(value.get("beside", ())),
        findings=tuple(sorted((finding["path"], finding["message"]) for finding in value.get("findings", ()))),
        patches=tuple(sorted(value.get("patches", ()), key=lambda patch: str(patch["path"]))),
    )


def differences(one: Any, other: Any, *path: str | int) -> list[str]:
    """JSON pointers to the parts that differ: each the smallest that holds a whole difference."""
    if type(one) is not type(other):
        return [pointer(*path)]
    if isinstance(one, dict):
        found = [pointer(*path, key) for key in one.keys() ^ other.keys()]
        for key in one.keys() & other.keys():
            found += differences(one[key], other[key], *path, key)
        return sorted(found)
    if isinstance(one, list):
        found = [pointer(*path, index) for index in range(min(len(one), len(other)), max(len(one), len(other)))]
        for index, (item, counterpart) in enumerate(zip(one, other, strict=False)):
            found += differences(item, counterpart, *path, index)
        return found
    return [] if one == other else [pointer(*path)]
