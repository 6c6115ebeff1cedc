"""Configuration: bindings, waivers and namespaces, read whole or not at all.

The documents may come from files or from a cluster: `build` only sees parsed documents with a name for where each is
from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs

from pratique import schemas
from pratique.binding import Binding
from pratique.canonical import canonical_json, sha256
from pratique.decision import Door, Enforcement
from pratique.errors import ConfigError, Problem
from pratique.matching import DEFAULT_OPERATIONS, Match, MatchInputs
from pratique.pointer import pointer
from pratique.policy import PolicyMetadata, PolicySet
from pratique.selector import LabelSelector, Requirement
from pratique.shape import json_type
from pratique.waiver import ApprovalVerifier, NoApprovals, Waiver
from pratique.yamlfile import Document, load_documents

CONFIG_SUFFIXES = (".yaml", ".yml", ".json")
MAX_CONFIG_FILE_BYTES = 16 * 2**20
"""Protects the process from a file that was put into the folder by mistake."""

_VALIDATORS = {
    "PolicyBinding": jsonschema_rs.validator_for(schemas.POLICY_BINDING),
    "Waiver": jsonschema_rs.validator_for(schemas.WAIVER),
    "Namespace": jsonschema_rs.validator_for(schemas.NAMESPACE),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is in force: `digest` is over the canonical form of `documents`, which are sorted and free of status."""

    digest: str
    bindings: tuple[Binding, ...]
    waivers: tuple[Waiver, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    documents: tuple[Mapping[str, Any], ...]
    _candidates: dict[tuple[str, str, str], tuple[Binding, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def candidates(self, inputs: MatchInputs) -> tuple[Binding, ...]:
        """The bindings whose kinds cover this kind, in order of name: all others cannot match."""
        index = (inputs.group, inputs.kind, inputs.type)
        found = self._candidates.get(index)
        if found is None:
            found = tuple(
                binding
                for binding in self.bindings
                if inputs.type in binding.policy.subjects and binding.match.covers_kind(*index)
            )
            if len(self._candidates) < _MAX_INDEXED_KINDS:
                self._candidates[index] = found
        return found


_MAX_INDEXED_KINDS = 4096
"""Protects the index from a client that invents kinds."""


def load_configuration(path: Path, policies: PolicySet, *, approvals: ApprovalVerifier | None = None) -> Configuration:
    """The configuration in all YAML and JSON files below `path` (or in the one file that it is).

    Names that begin with a dot are passed over: Kubernetes keeps the versions of a ConfigMap in such folders.

    Raises:
        ConfigError: with every problem found, each naming file, place and field.
    """
    return build(read_documents(path), policies, approvals=approvals)


def read_documents(path: Path) -> list[Document | Problem]:
    """Every document below `path` in order of file name, and a Problem for each that cannot be read."""
    found: list[Document | Problem] = []
    try:
        files = [path] if path.is_file() else sorted(_files_below(path))
    except OSError as error:
        return [Problem(str(path), "", f"this cannot be read: {error.strerror}")]
    if not files:
        return [
            Problem(str(path), "", "there is no YAML or JSON file here; name a folder with PolicyBinding documents")
        ]
    for file in files:
        name = str(file.relative_to(path)) if file != path else file.name
        try:
            if file.stat().st_size > MAX_CONFIG_FILE_BYTES:
                found.append(Problem(name, "", f"the file is larger than {MAX_CONFIG_FILE_BYTES} bytes; split it"))
                continue
            found.extend(load_documents(file.read_bytes(), name))
        except OSError as error:
            found.append(Problem(name, "", f"this cannot be read: {error.strerror}"))
    return found


def _files_below(folder: Path) -> Iterable[Path]:
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files_below(entry)
        elif entry.suffix in CONFIG_SUFFIXES:
            yield entry


def build(
    documents: Iterable[Document | Problem], policies: PolicySet, *, approvals: ApprovalVerifier | None = None
) -> Configuration:
    """A Configuration of all `documents`.

    Raises:
        ConfigError: with every problem found. There is no such thing as half a configuration.
    """
    problems: list[Problem] = []
    bindings: dict[str, Binding] = {}
    waivers: dict[str, Waiver] = {}
    namespaces: dict[str, Mapping[str, str]] = {}
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for document in documents:
        if isinstance(document, Problem):
            problems.append(document)
            continue
        try:
            kind, name, value = _checked(document)
            if (kind, name) in kept:
                raise _Fault("/metadata/name", f"there is a second {kind} named {name}; rename one")
            match kind:
                case "PolicyBinding":
                    bindings[name] = _binding(name, value["spec"], policies, document)
                case "Waiver":
                    waivers[name] = _waiver(name, value, policies, approvals or NoApprovals(), document)
                case "Namespace":
                    namespaces[name] = value["metadata"].get("labels") or {}
            kept[kind, name] = value
        except _Fault as fault:
            problems.append(Problem(document.file, f"line {document.line}, {fault.path or '/'}", fault.message))
    if problems:
        raise ConfigError(*problems)
    if not bindings:
        raise ConfigError(
            Problem("configuration", "", "there is no PolicyBinding: nothing would ever be judged; add one")
        )
    ordered = tuple(kept[index] for index in sorted(kept))
    return Configuration(
        digest=sha256(canonical_json(ordered)),
        bindings=tuple(bindings[name] for name in sorted(bindings)),
        waivers=tuple(waivers[name] for name in sorted(waivers)),
        namespaces=namespaces,
        documents=ordered,
    )


class _Fault(Exception):
    """What is wrong at one path of one document."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def _checked(document: Document) -> tuple[str, str, dict[str, Any]]:
    value = document.value
    if not isinstance(value, dict):
        raise _Fault("", f"this is {json_type(value)}, not a document with apiVersion and kind")
    kind, api_version = value.get("kind"), value.get("apiVersion")
    expected = "v1" if kind == "Namespace" else schemas.API_VERSION
    if not isinstance(kind, str) or kind not in _VALIDATORS:
        raise _Fault("/kind", f"the kind {kind!r} is not known here; use {', '.join(_VALIDATORS)}")
    if api_version != expected:
        raise _Fault("/apiVersion", f"the apiVersion of a {kind} is {expected}, not {api_version!r}")
    for error in _VALIDATORS[kind].iter_errors(value):
        raise _Fault(pointer(*error.instance_path), _sentence(error))
    name = value["metadata"]["name"]
    if kind == "Namespace":
        labels = value["metadata"].get("labels") or {}
        return kind, name, {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}}
    return kind, name, {"apiVersion": expected, "kind": kind, "metadata": {"name": name}, "spec": value["spec"]}


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    kind, message = error.kind, error.message
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Enum):  # its own message leaves out all words but two
        message = f"{error.instance!r} is none of {', '.join(map(str, kind.options))}"
    return message if len(message) <= 300 else message[:297] + "..."


def _policy(name: str, policies: PolicySet, path: str) -> PolicyMetadata:
    policy = policies.policies.get(name)
    if policy is None:
        raise _Fault(
            path, f"there is no policy {name!r} in the bundle; `pratique policy list` shows those that there are"
        )
    return policy


def _binding(name: str, spec: Mapping[str, Any], policies: PolicySet, document: Document) -> Binding:
    policy = _policy(spec["policy"], policies, "/spec/policy")
    return Binding(
        name=name,
        policy=policy,
        parameters=_parameters(policy, spec.get("parameters") or {}, "/spec/parameters"),
        match=_match(spec.get("match") or {}),
        enforcement=_by_door(spec.get("enforcement", "deny"), default=Enforcement.DENY),
        on_undecided=_by_door(spec.get("onUndecided", "deny"), default=Enforcement.DENY),
        mutate=spec.get("mutate", False),
        source=document.file,
    )


def _parameters(policy: PolicyMetadata, given: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """`given` with the defaults filled in, checked against the policy's schema."""
    complete = {**policy.defaults, **given}
    for name in policy.parameters:
        if name not in complete:
            raise _Fault(path, f"{policy.name} needs the parameter {name!r}; give it a value")
    _check_parameters(policy, complete, path)
    return complete


def _check_parameters(policy: PolicyMetadata, given: Mapping[str, Any], path: str) -> None:
    for name, value in given.items():
        schema = policy.parameters.get(name)
        if schema is None:
            known = ", ".join(sorted(policy.parameters)) or "none"
            raise _Fault(f"{path}{pointer(name)}", f"{policy.name} has no parameter {name!r}; it has: {known}")
        for error in jsonschema_rs.validator_for(dict(schema)).iter_errors(value):
            place = f"{path}{pointer(name, *error.instance_path)}"
            raise _Fault(place, f"{_sentence(error)} ({policy.name})")


def _match(spec: Mapping[str, Any]) -> Match:
    namespaces = spec.get("namespaces") or {}
    return Match(
        kinds=tuple(spec.get("kinds") or ()),
        include_namespaces=tuple(namespaces.get("include") or ()),
        exclude_namespaces=tuple(namespaces.get("exclude") or ()),
        namespace_selector=_selector(spec.get("namespaceSelector"), "/spec/match/namespaceSelector"),
        selector=_selector(spec.get("selector"), "/spec/match/selector"),
        operations=frozenset(spec.get("operations") or DEFAULT_OPERATIONS),
        exclude_users=tuple((spec.get("users") or {}).get("exclude") or ()),
        exclude_groups=frozenset((spec.get("groups") or {}).get("exclude") or ()),
        names=tuple(spec.get("names") or ()),
    )


def _selector(spec: Mapping[str, Any] | None, path: str) -> LabelSelector | None:
    if spec is None:
        return None
    requirements = [
        Requirement(key, "In", frozenset({value})) for key, value in (spec.get("matchLabels") or {}).items()
    ]
    for index, expression in enumerate(spec.get("matchExpressions") or ()):
        operator, values = expression["operator"], expression.get("values") or []
        if (operator in ("In", "NotIn")) != bool(values):
            need = "needs values" if operator in ("In", "NotIn") else "takes no values"
            raise _Fault(f"{path}/matchExpressions/{index}/values", f"the operator {operator} {need}")
        requirements.append(Requirement(expression["key"], operator, frozenset(values)))
    return LabelSelector(tuple(requirements))


def _by_door(value: str | Mapping[str, str], *, default: Enforcement) -> Mapping[Door, Enforcement]:
    if isinstance(value, str):
        return dict.fromkeys(Door, Enforcement(value))
    return {door: Enforcement(value[door]) if door in value else default for door in Door}


def _waiver(
    name: str, value: Mapping[str, Any], policies: PolicySet, approvals: ApprovalVerifier, document: Document
) -> Waiver:
    spec = value["spec"]
    parameters = spec.get("parameters") or {}
    for index, policy_name in enumerate(spec["policies"]):
        policy = _policy(policy_name, policies, f"/spec/policies/{index}")
        _check_parameters(policy, parameters, "/spec/parameters")
    if spec["approvedBy"] == spec["requestedBy"]:
        raise _Fault("/spec/approvedBy", f"{spec['approvedBy']} cannot approve their own request; somebody else must")
    approved_at = _time(spec["approvedAt"], "/spec/approvedAt")
    expires = _time(spec["expires"], "/spec/expires")
    if expires <= approved_at:
        raise _Fault("/spec/expires", "the waiver ends before it was approved; correct one of the two times")
    return Waiver(
        name=name,
        policies=frozenset(spec["policies"]),
        match=_match(spec["match"]),
        parameters=parameters,
        reason=spec["reason"],
        requested_by=spec["requestedBy"],
        approved_by=spec["approvedBy"],
        expires=expires,
        digest=sha256(canonical_json(value)),
        unattested=approvals.why_unattested(value, source=document.file),
        ticket=spec.get("ticket", ""),
        compensating_control=spec.get("compensatingControl", ""),
        source=document.file,
    )


def _time(text: str, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Fault(path, f"{text!r} is not a time; write it like 2026-12-31T00:00:00Z") from error
    if time.tzinfo is None:
        raise _Fault(path, f"{text!r} has no time zone; write it like 2026-12-31T00:00:00Z")
    return time.astimezone(UTC)
