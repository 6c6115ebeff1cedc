"""Cases of policies: an object each, with what is found in it. `pratique policy test` and our own tests run them.

A case is a file `<area>/<policy>/{allow,deny}_<defect>.yaml` of one document:

    parameters: {max_gpus: 8}                # of the binding; the policy's defaults where left out
    namespace_labels: {tier: production}     # of the namespace that the object is in
    object: {apiVersion: ..., kind: ...}
    beside: [{apiVersion: ..., kind: ...}]   # other objects of the same input
    facts:                                   # of other sources, by image: as the policy is given them
      sbom: {registry.internal/vllm:1: {status: known, value: {...}}, nginx: {status: absent, reason: ...}}
    findings: [{path: /spec, message: ...}]  # all that is found, in a `deny` case
    patches: [{op: add, path: ..., value: ...}]

Every `deny` case has an `allow` case of the same name beside it, its twin, which differs in one place.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from attestations.recorded import RecordedFacts
from pratique.canonical import canonical_json, sha256
from pratique.configuration import Configuration, build
from pratique.decision import Decision, Door, Patch, Result
from pratique.engine import Engine, Request
from pratique.errors import ConfigError, InputError, PatchError, Problem
from pratique.evaluator import Evaluator
from pratique.facts import Absent, Fact, FactSource, Known, facts_document
from pratique.kinds import context_of, subject_of
from pratique.patches import apply, same, tokens, with_parents
from pratique.pointer import pointer
from pratique.policy import PolicySet
from pratique.yamlfile import Document, load_documents
from pratiquectl.check import fact_sources
from pratiquectl.manifests import Manifest

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
"""The time of every decision."""

SECONDS = 10.0
"""For one decision; the engines need milliseconds."""

KEYS = frozenset({"parameters", "namespace_labels", "object", "beside", "facts", "findings", "patches"})

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """`beside` are the other objects of the same input, `facts` those of sources about images, by name. `findings` are
    (path, message) in order; `patches` are JSON Patch operations (RFC 6902), in order of path, which make the object
    comply as they stand."""

    policy: str
    verdict: Literal["allow", "deny"]
    defect: str
    object: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    namespace_labels: dict[str, str] = field(default_factory=dict)
    beside: tuple[dict[str, Any], ...] = ()
    facts: Mapping[str, Mapping[str, Fact]] = field(default_factory=dict)
    findings: tuple[tuple[str, str], ...] = ()
    patches: tuple[dict[str, Any], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.policy}/{self.verdict}_{self.defect}"

    @property
    def judged(self) -> dict[str, Any]:
        """All that the policy is given: what twins differ in."""
        return {
            "object": self.object,
            "beside": list(self.beside),
            "parameters": self.parameters,
            "namespace_labels": self.namespace_labels,
            "facts": {source: facts_document(facts) for source, facts in self.facts.items()},
        }


def load_cases(folder: Path) -> dict[str, Case]:
    """Every case below `folder` by its id.

    Raises:
        ConfigError: with everything that is wrong with them.
    """
    cases: dict[str, Case] = {}
    problems: list[Problem] = []
    for file in sorted(folder.rglob("*.yaml")):
        try:
            case = _load(file, folder)
            cases[case.id] = case
        except InputError as error:
            problems.append(Problem(str(file), "", str(error)))
    if problems:
        raise ConfigError(*problems)
    return cases


def patched(case: Case) -> Case:
    """The case with its patches applied to its object, parents that are missing made as mutation makes them.

    Raises:
        PatchError: a patch has no target.
    """
    document = case.object
    for patch in (Patch(**patch) for patch in case.patches):
        whole = with_parents(document, tokens(patch.path), patch.value) if patch.op == "add" else None
        document = apply(document, [whole or patch])
    return dataclasses.replace(case, object=document)


def load_one(file: Path) -> Any:
    """The only document of a YAML file, read as Pratique reads manifests.

    Raises:
        InputError: there is not one readable document in it. OSError: it cannot be read.
    """
    documents = list(load_documents(file.read_bytes(), str(file)))
    problems = [document for document in documents if isinstance(document, Problem)]
    if problems:
        raise InputError(f"{problems[0].where}: {problems[0].message}")
    if len(documents) != 1:
        raise InputError(f"there are {len(documents)} documents in it; write one")
    return documents[0].value  # type: ignore[union-attr] # there is no Problem


def _load(file: Path, folder: Path) -> Case:
    verdict, _, defect = file.stem.partition("_")
    value = load_one(file)
    if verdict not in ("allow", "deny") or not defect or not isinstance(value, dict) or not value.keys() <= KEYS:
        raise InputError(f"this is no case: name it allow_<defect>.yaml or deny_<defect>.yaml, with {sorted(KEYS)}")
    if not isinstance(value.get("object"), dict):
        raise InputError("this case has no object")
    try:
        return Case(
            policy=file.parent.relative_to(folder).as_posix(),
            verdict="allow" if verdict == "allow" else "deny",
            defect=defect,
            object=value["object"],
            parameters=value.get("parameters", {}),
            namespace_labels=value.get("namespace_labels", {}),
            beside=tuple(value.get("beside", ())),
            facts={
                source: {image: _fact(fact) for image, fact in facts.items()}
                for source, facts in value.get("facts", {}).items()
            },
            findings=tuple(sorted((finding["path"], finding["message"]) for finding in value.get("findings", ()))),
            patches=tuple(sorted(value.get("patches", ()), key=lambda patch: str(patch["path"]))),
        )
    except (KeyError, TypeError, AttributeError) as error:
        message = "findings have a path and a message, patches an op and a path, facts a status with value or reason"
        raise InputError(f"{message} ({error})") from error


def _fact(fact: Mapping[str, Any]) -> Fact:
    if fact["status"] == "absent":
        return Absent(fact["reason"])
    return Known(fact["value"], NOW, _NEVER, sha256(canonical_json(fact["value"])))


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


async def decide(case: Case, policies: PolicySet, evaluator: Evaluator) -> Decision:
    """What its policy, bound alone, says of the case.

    Raises:
        ConfigError: there is no such policy, or the parameters are not its own. InputError: the object is malformed.
    """
    engine = Engine(
        policies=policies,
        configuration=configuration_of(case, policies),
        evaluator=evaluator,
        facts=facts_of(case),
        clock=lambda: NOW,
    )
    subject = subject_of(case.object, context=context_of([case.object, *case.beside]))
    return await engine.decide(subject, Door.CI, request=Request(), deadline=time.monotonic() + SECONDS)


def facts_of(case: Case) -> Mapping[str, FactSource]:
    """What the object of the case and those beside it say, as for `pratique check`, and the facts that are given."""
    found = [Manifest(case.id, 1, obj) for obj in (case.object, *case.beside)]
    given = [RecordedFacts(name, facts, keys="images", clock=lambda: NOW) for name, facts in case.facts.items()]
    return {source.name: source for source in (*fact_sources(found, namespace="default", now=NOW), *given)}


def configuration_of(case: Case, policies: PolicySet) -> Configuration:
    """One binding, of the policy of `case`, and the namespace of its object. Raises: ConfigError."""
    binding = {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "PolicyBinding",
        "metadata": {"name": "case"},
        "spec": {"policy": case.policy, "parameters": case.parameters},
    }
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": case.object["metadata"].get("namespace", "default"), "labels": case.namespace_labels},
    }
    documents = [Document(case.id, index, 1, value) for index, value in enumerate((binding, namespace))]
    return build(documents, policies)


def wrong_with(case: Case, decision: Decision) -> list[str]:
    """In what `decision` is not what `case` says, a sentence each; empty where it is."""
    evaluations = decision.evaluations
    if len(evaluations) != 1:
        return ["the policy was not asked: it judges no object of this kind"]
    (evaluation,) = evaluations
    if evaluation.result not in (Result.PASS, Result.FAIL):
        return [f"could not be evaluated: {evaluation.reason}"]
    found = {(finding.path, finding.message) for finding in evaluation.findings}
    wrong = [
        f"not found, but expected: {path}: {message}" for path, message in case.findings if (path, message) not in found
    ]
    wrong += [f"found, but not expected: {path}: {message}" for path, message in sorted(found - {*case.findings})]
    patches = [patch for finding in evaluation.findings for patch in finding.patches]
    try:
        if bool(patches) != bool(case.patches) or not same(apply(case.object, patches), patched(case).object):
            wrong.append(f"the patches are others: {[dataclasses.asdict(patch) for patch in patches]}")
    except PatchError as error:
        wrong.append(f"the patches do not apply: {error}")
    return wrong


def twins_wrong(cases: dict[str, Case]) -> list[str]:
    """Which `deny` cases show nothing, or have no twin that differs in exactly one place."""
    wrong = []
    for name, case in cases.items():
        if case.verdict == "allow":
            if case.findings or case.patches:
                wrong.append(f"{name}: an allow case has no findings and no patches")
            continue
        if not case.findings:
            wrong.append(f"{name}: a deny case shows what is found")
        twin = cases.get(f"{case.policy}/allow_{case.defect}")
        if twin is None:
            wrong.append(f"{name}: it has no twin allow_{case.defect}.yaml")
        elif len(found := differences(case.judged, twin.judged)) != 1:
            wrong.append(f"{name}: it differs from its twin in {len(found)} places, not one: {', '.join(found)}")
    return wrong
