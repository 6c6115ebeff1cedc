"""Configuration: bindings, waivers and namespaces, read whole or not at all.

The documents may come from files or from a cluster: `build` only sees parsed documents with a name for where each is
from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from pratique import schemas
from pratique.binding import Binding
from pratique.binding_index import BindingIndex
from pratique.canonical import canonical_json, parse_json, sha256
from pratique.decision import Door, Enforcement
from pratique.errors import ConfigError, InputError, Problem, VerificationError
from pratique.matching import DEFAULT_OPERATIONS, Match, MatchInputs
from pratique.pointer import pointer
from pratique.policy import PolicyMetadata, PolicySet
from pratique.selector import LabelSelector, Requirement
from pratique.shape import json_type
from pratique.waiver import ApprovalVerifier, NoApprovals, Waiver
from pratique.watching import contents
from pratique.yamlfile import Document, load_documents

if TYPE_CHECKING:
    from pratique.approvers import ApproverList

CONFIG_SUFFIXES = (".yaml", ".yml", ".json")
APPROVAL_SUFFIX = ".dsse.json"
"""Files that end so hold the signature of a waiver, not a document."""
APPROVAL_ANNOTATION = "pratique.dev/approval"
"""Holds the DSSE envelope in which a webhook attests the approval of a Waiver object."""
MAX_CONFIG_FILE_BYTES = 16 * 2**20
"""Protects the process from a file that was put into the folder by mistake."""

_VALIDATORS = {
    "PolicyBinding": jsonschema_rs.validator_for(schemas.POLICY_BINDING),
    "Waiver": jsonschema_rs.validator_for(schemas.WAIVER),
    "Namespace": jsonschema_rs.validator_for(schemas.NAMESPACE),
}
_APPROVER_LIST, _WAIVER_APPROVAL = "ApproverList", "WaiverApproval"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is in force: `digest` is over the canonical form of `documents`, which are sorted and free of status."""

    digest: str
    bindings: tuple[Binding, ...]
    waivers: tuple[Waiver, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    documents: tuple[Mapping[str, Any], ...]
    approvers: ApproverList | None = field(default=None, compare=False, repr=False)
    by_name: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict, compare=False, repr=False)
    """The documents by kind and name."""
    _indexes: dict[tuple[str, str, str, str, Door], BindingIndex] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def policies_bound(self) -> frozenset[str]:
        """The names of the policies that have a binding: an evaluator is asked for no others."""
        return frozenset(binding.policy.name for binding in self.bindings)

    def candidates(self, inputs: MatchInputs, door: Door) -> Sequence[Binding]:
        """The bindings that may apply at `door`, in order of name: all others do not."""
        kind = (inputs.group, inputs.kind, inputs.type)
        index = self._indexes.get((*kind, inputs.operation, door))
        if index is None:
            index = BindingIndex(
                binding
                for binding in self.bindings
                if inputs.type in binding.policy.subjects
                and binding.enforcement[door] is not Enforcement.OFF
                and inputs.operation in binding.match.operations
                and binding.match.covers_kind(*kind)
            )
            if len(self._indexes) < _MAX_INDEXES:
                self._indexes[*kind, inputs.operation, door] = index
        return index.candidates(inputs)


_MAX_INDEXES = 4096
"""Protects the indexes from a client that invents kinds."""


def load_configuration(
    path: Path,
    policies: PolicySet,
    *,
    approvers: Path | None = None,
    more: list[Document | Problem] | None = None,
) -> Configuration:
    """The configuration in all YAML and JSON files below `path` (or in the one file that it is), with the approvals
    beside them, and in the documents that are `more`, which come from a cluster. `approvers` is the file that says
    whose approvals count. Where there may be more, the folder may be empty.

    Names that begin with a dot are passed over: Kubernetes keeps the versions of a ConfigMap in such folders.

    Raises:
        ConfigError: with every problem found, each naming file, place and field.
    """
    documents = read_documents(path, may_be_empty=more is not None)
    return build([*documents, *(more or ())], policies, approvers=trusted_approvers(approvers))


def trusted_approvers(path: Path | None) -> Document | None:
    """The document at `path`, for `build`. Raises: ConfigError."""
    if path is None:
        return None
    from pratique.approvers import read_approvers  # as in `_approvals`

    return read_approvers(contents(path))


def read_documents(path: Path, *, may_be_empty: bool = False) -> list[Document | Problem]:
    """Every document below `path` in order of file name, and a Problem for each that cannot be read."""
    found: list[Document | Problem] = []
    try:
        files = [path, *_approvals_beside(path)] if path.is_file() else sorted(_files_below(path))
    except OSError as error:
        return [Problem(str(path), "", f"this cannot be read: {error.strerror}")]
    if not files and not may_be_empty:
        return [
            Problem(str(path), "", "there is no YAML or JSON file here; name a folder with PolicyBinding documents")
        ]
    for file in files:
        name = str(file.relative_to(path)) if file.is_relative_to(path) and file != path else file.name
        try:
            if file.stat().st_size > MAX_CONFIG_FILE_BYTES:
                found.append(Problem(name, "", f"the file is larger than {MAX_CONFIG_FILE_BYTES} bytes; split it"))
                continue
            if file.name.endswith(APPROVAL_SUFFIX):
                found.append(_approval_document(file.read_bytes(), name))
            else:
                found.extend(load_documents(file.read_bytes(), name))
        except OSError as error:
            found.append(Problem(name, "", f"this cannot be read: {error.strerror}"))
    return found


def _approvals_beside(file: Path) -> list[Path]:
    return sorted(
        each
        for each in file.parent.iterdir()
        if each.name.startswith(f"{file.name}.") and each.name.endswith(APPROVAL_SUFFIX)
    )


def _approval_document(content: bytes, file: str) -> Document | Problem:
    """A signature's file as a document of the configuration, so that its digest covers what is approved.

    The name is a digest: where the file lies and what it is called makes no difference.
    """
    try:
        return approval_document(parse_json(content), file)
    except InputError as error:
        return Problem(file, "", f"{error}; `pratique waiver approve` writes these files")


def approval_document(envelope: Any, source: str) -> Document:
    """A DSSE envelope as a document. Raises: InputError."""
    from pratique.dsse import parse_envelope  # as in `_approvals`

    parse_envelope(envelope)
    name = sha256(canonical_json(envelope))
    value = {
        "apiVersion": schemas.API_VERSION,
        "kind": _WAIVER_APPROVAL,
        "metadata": {"name": name},
        "spec": envelope,
    }
    return Document(source, 0, 1, value)


def _files_below(folder: Path) -> Iterable[Path]:
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files_below(entry)
        elif entry.suffix in CONFIG_SUFFIXES:
            yield entry


def build(
    documents: Iterable[Document | Problem],
    policies: PolicySet,
    *,
    approvers: Document | None = None,
    approvals: ApprovalVerifier | None = None,
    recorded: bool = False,
    unbound: bool = False,
) -> Configuration:
    """A Configuration of all `documents`.

    `approvers` is the ApproverList that is trusted. It and the approvals stand among the documents of what is built;
    from there they count as well if the documents are `recorded`. `approvals` takes the place of both. Without any
    binding nothing would be judged, which is an error unless `unbound` says that nothing is to be.

    Raises:
        ConfigError: with every problem found. There is no such thing as half a configuration.
    """
    problems: list[Problem] = []
    bindings: dict[str, Binding] = {}
    waivers: dict[str, Waiver] = {}
    namespaces: dict[str, Mapping[str, str]] = {}
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    given: list[Document | Problem] = []
    signed: dict[str, Document] = {}
    for document in documents:
        if isinstance(document, Problem):
            given.append(document)
        elif recorded and _kind(document) == _APPROVER_LIST:
            approvers = approvers or document
        elif _kind(document) == _WAIVER_APPROVAL:
            try:
                approval = approval_document(document.value.get("spec"), document.file)
                signed[approval.value["metadata"]["name"]] = approval
            except InputError as error:
                problems.append(Problem(document.file, document.where, str(error)))
        else:
            given.append(document)
            if (attested := _attested(document)) is not None:
                signed[attested.value["metadata"]["name"]] = attested
    kept |= {(_WAIVER_APPROVAL, name): signed[name].value for name in signed}
    try:
        verifier, trusted = _approvals(approvers, [signed[name] for name in sorted(signed)])
        if trusted is not None:
            kept[_APPROVER_LIST, ""] = dict(trusted.document)
    except ConfigError as error:
        problems += error.problems
        verifier, trusted = NoApprovals(), None
    for document in given:
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
                    waivers[name] = _waiver(name, value, policies, approvals or verifier, document)
                case "Namespace":
                    namespaces[name] = value["metadata"].get("labels") or {}
            kept[kind, name] = value
        except _Fault as fault:
            where = ", ".join(filter(None, (document.where, fault.path or "/")))
            problems.append(Problem(document.file, where, fault.message))
    if problems:
        raise ConfigError(*problems)
    if not bindings and not unbound:
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
        approvers=trusted,
        by_name=kept,
    )


def _kind(document: Document) -> object:
    return document.value.get("kind") if isinstance(document.value, dict) else None


def _attested(document: Document) -> Document | None:
    """The approval that a webhook attested in an annotation of a Waiver object, as a document of its own.

    Anything else in that annotation is no approval, and no reason not to load the rest: more people can write
    annotations than may approve.
    """
    metadata = document.value.get("metadata") if _kind(document) == "Waiver" else None
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    text = annotations.get(APPROVAL_ANNOTATION) if isinstance(annotations, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return approval_document(parse_json(text.encode()), document.file)
    except (InputError, UnicodeError):
        return None


def _approvals(approvers: Document | None, signed: list[Document]) -> tuple[ApprovalVerifier, ApproverList | None]:
    """The verifier of `signed` by the trusted list, and that list. Raises: ConfigError."""
    if approvers is None:
        return NoApprovals(), None
    # Imported here because keys and signatures cost a tenth of a second, and most configurations have no approvers.
    from pratique.approvers import SignedApprovals, approver_list, envelopes_of

    trusted = approver_list(approvers)
    return SignedApprovals(trusted, envelopes_of(each.value for each in signed)), trusted


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
    if kind == _APPROVER_LIST:
        raise _Fault(
            "/kind", "whoever can write here could approve their own; name the list with the setting approvers"
        )
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
        inferred=spec.get("inferred", True),
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
    expires = _time(spec["expires"], "/spec/expires")
    if "approvedAt" in spec and expires <= _time(spec["approvedAt"], "/spec/approvedAt"):
        raise _Fault("/spec/expires", "the waiver ends before it was approved; correct one of the two times")
    approved, unattested = value, ""
    approved_at: datetime | None = None
    try:
        if spec.get("approvedBy", "").strip().casefold() == spec["requestedBy"].strip().casefold():
            message = f"{spec['approvedBy']} both asked for it and approved it; somebody else must approve it"
            raise VerificationError(message)
        waived = [policies.policies[policy_name] for policy_name in spec["policies"]]
        approved = dict(approvals.approved(value, waived))
        approved_at = _time(approved["spec"]["approvedAt"], "/spec/approvedAt")
    except VerificationError as error:
        unattested = str(error)
    return Waiver(
        name=name,
        policies=frozenset(spec["policies"]),
        match=_match(spec["match"]),
        parameters=parameters,
        reason=spec["reason"],
        requested_by=spec["requestedBy"],
        approved_by=approved["spec"].get("approvedBy", ""),
        approved_at=approved_at,
        expires=expires,
        digest=sha256(canonical_json(approved)),
        unattested=unattested,
        ticket=spec.get("ticket", ""),
        compensating_control=spec.get("compensatingControl", ""),
        images=tuple(spec["match"].get("images") or ()),
        source=document.file,
        document=approved,
    )


def _time(text: str, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Fault(path, f"{text!r} is not a time; write it like 2026-12-31T00:00:00Z") from error
    if time.tzinfo is None:
        raise _Fault(path, f"{text!r} has no time zone; write it like 2026-12-31T00:00:00Z")
    return time.astimezone(UTC)
