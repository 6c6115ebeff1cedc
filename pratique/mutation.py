"""What policies may change of an object, and what comes of it. Pure: no I/O, no clock.

A policy proposes patches for the object that it sees; the `Draft` takes those that are allowed. The policies then see
the object as it is, and propose again, until nothing is left to do.

* What the author wrote stays, unless the policy says `override: true`. Null is not a value: the API server drops it.
* Two policies that want different things at one place are an error that names both; so is a policy with itself.
* An `add` makes the parents that are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from pratique.canonical import canonical_json
from pratique.decision import Decision, Finding, Outcome, Patch, Result
from pratique.errors import PatchError
from pratique.patches import END, MISSING, Tokens, apply, difference, find, same, tokens, with_parents
from pratique.pointer import pointer

MAX_ROUNDS = 5
"""How often policies are asked again about what they changed: protects against two that undo each other for ever."""

MAX_PROPOSALS = 1_000
"""Patches of one round, each compared with all others: protects against a policy that patches each of a million list
items."""

ANNOTATION = "pratique.dev/mutated"
"""On each object that was changed: a JSON object, which maps the id of each policy to the JSON pointers that it set."""

MAX_ANNOTATION_LENGTH = 4096
"""Beyond this the annotation names the policies only: protects the 256 KiB that all annotations of an object share."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch, and whose it is."""

    binding: str
    policy: str
    policy_id: str
    override: bool
    patch: Patch

    @property
    def owner(self) -> str:
        return f"{self.policy} (binding {self.binding})"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a policy changed: `path` is where it is in the object now."""

    binding: str
    policy_id: str
    op: str
    path: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Mutation:
    """What the bindings that mutate came to on one subject.

    Where `decision` is not `allowed`, or a binding of it is without an answer, nothing is changed. Its `notes` say what
    the author wrote otherwise than policies would have it, and was left.
    """

    decision: Decision
    draft: Draft
    changes: tuple[Change, ...]

    @property
    def patches(self) -> tuple[Patch, ...]:
        """RFC 6902: what makes `object` of what was submitted; in a stable order, and nothing beyond need."""
        return self.draft.patches

    @property
    def annotated_patches(self) -> tuple[Patch, ...]:
        """`patches`, and with them the `ANNOTATION` that says what they are; none where nothing is changed."""
        return difference(self.draft.submitted, annotated(self.draft))

    @property
    def object(self) -> Mapping[str, Any]:
        """The object as it is to be, without the annotation."""
        return self.draft.object

    @property
    def undecided(self) -> bool:
        return self.decision.outcome is Outcome.UNDECIDED

    @property
    def worth_recording(self) -> bool:
        """Whether anything came of it. Where nothing did, the verdict on the object says all there is to say."""
        return bool(self.patches) or bool(self.decision.with_result(Result.ERROR, Result.NOT_EVALUATED))


@dataclass(frozen=True, slots=True)
class Draft:
    """An object in the making. `written` says which policy set what is at a place now."""

    object: Mapping[str, Any]
    submitted: Mapping[str, Any]
    scope: UpdateScope | None = None
    written: Mapping[Tokens, Proposal] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, obj: Mapping[str, Any], *, scope: UpdateScope | None = None) -> Draft:
        """The draft that nobody has changed yet."""
        return cls(object=obj, submitted=obj, scope=scope)

    def with_proposals(self, proposals: Sequence[Proposal]) -> Draft:
        """The draft after one round; this very one where nothing is left to do. The order of `proposals` is no matter.

        Raises:
            PatchError: the proposals contradict each other or what was done before, or point at nothing.
        """
        if len(proposals) > MAX_PROPOSALS:
            raise PatchError(
                f"more than {MAX_PROPOSALS} patches for one object; see that the policies mean it", _bindings(proposals)
            )
        round_ = _Round(self)
        for proposal in sorted(proposals, key=_order):
            round_.take(proposal)
        return round_.result()

    def writers_since(self, earlier: Draft) -> list[Proposal]:
        """Whose proposals this draft took that `earlier` had not taken."""
        return [writer for path, writer in self.written.items() if earlier.written.get(path) is not writer]

    @property
    def patches(self) -> tuple[Patch, ...]:
        """What was changed, as one minimal patch of what was submitted."""
        return difference(self.submitted, self.object)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was changed by whom, by path."""
        return tuple(
            Change(proposal.binding, proposal.policy_id, proposal.patch.op, pointer(*path), proposal.patch.value)
            for path, proposal in sorted(self.written.items())
        )


def _order(proposal: Proposal) -> tuple[Any, ...]:
    patch = proposal.patch
    return tokens(patch.path), patch.op, canonical_json(patch.value), proposal.policy, proposal.binding


def _bindings(proposals: Iterable[Proposal]) -> tuple[str, ...]:
    return tuple(sorted({proposal.binding for proposal in proposals}))


class _Round:
    """One round: every proposal was made for the object as it was at its beginning, and is judged by that.

    Members of objects come first, parents before children; then items leave their lists, from the end, and last come
    those that are appended: so every pointer means what it meant to the policy.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._object: Any = draft.object
        self._written = dict(draft.written)
        self._claims: dict[Tokens, Proposal] = {}
        self._kept = dict.fromkeys(draft.kept)
        self._removals: list[tuple[Tokens, Proposal]] = []
        self._appends: list[tuple[Tokens, Proposal]] = []

    def take(self, proposal: Proposal) -> None:
        patch, path = proposal.patch, tokens(proposal.patch.path)
        if not path:
            raise PatchError(f"{proposal.owner} patches the whole object; name the part", (proposal.binding,))
        if path[:1] in _CLOSED or path[:2] in _CLOSED or path == ("metadata",):
            message = f"{proposal.owner} patches {patch.path}, which says what the object is; that cannot be changed"
            raise PatchError(message, (proposal.binding,))
        if self._draft.scope is not None and not self._draft.scope.covers(self._draft.object, path, patch.value):
            return
        present = find(self._draft.object, path)
        parent = find(self._draft.object, path[:-1])
        if path[-1] == END:
            self._append(proposal, path, parent)
        elif isinstance(parent, list) and patch.op == "add":
            message = (
                f"{proposal.owner} inserts at {patch.path}; append with `-`, so that all other pointers stay right"
            )
            raise PatchError(message, (proposal.binding,))
        elif present is MISSING or present is None:
            self._fill(proposal, path, null=present is None)
        else:
            self._change(proposal, path, present, in_list=isinstance(parent, list))

    def _append(self, proposal: Proposal, path: Tokens, parent: Any) -> None:
        if proposal.patch.op != "add":
            raise _nothing_there(proposal)
        if isinstance(parent, list) or with_parents(self._draft.object, path, proposal.patch.value) is not None:
            self._appends.append((path, proposal))
        else:
            self._blocked(proposal, path)

    def _fill(self, proposal: Proposal, path: Tokens, *, null: bool) -> None:
        """There is nothing at `path`, or null."""
        patch = proposal.patch
        if patch.op == "remove":
            if null:
                self._set(proposal, path)
            return
        if patch.op == "replace" and not null:
            raise _nothing_there(proposal)
        if with_parents(self._draft.object, path, patch.value) is None:
            self._blocked(proposal, path)
        elif patch.value is not None:
            self._set(proposal, path)

    def _change(self, proposal: Proposal, path: Tokens, present: Any, *, in_list: bool) -> None:
        """Something is at `path`."""
        patch = proposal.patch
        if patch.op != "remove" and same(present, patch.value):
            return
        written = self._draft.written
        if not proposal.override and not any(path[: len(place)] == place for place in written):
            self._kept[f"{proposal.policy} would {patch.op} {patch.path}, which the author has set"] = None
            return
        if isinstance(present, dict | list) and patch.op != "remove" and not isinstance(patch.value, type(present)):
            # An image that its author writes as repository and tag would become a text, which no API server takes.
            kind = "an object" if isinstance(present, dict) else "a list"
            self._kept[f"{proposal.policy} would {patch.op} {patch.path}, which the author has set to {kind}"] = None
            return
        for place, writer in sorted(written.items()):
            if _related(place, path) and writer.policy != proposal.policy:
                raise _conflict(proposal, writer)
        if in_list and patch.op == "remove":
            self._removals.append((path, proposal))
        else:
            self._set(proposal, path)

    def _blocked(self, proposal: Proposal, path: Tokens) -> None:
        """A parent of `path` is neither an object nor a list, or a list without the item."""
        for place, writer in self._draft.written.items():
            if path[: len(place)] == place and writer.policy != proposal.policy:
                raise _conflict(proposal, writer)
        for length in range(len(path)):
            value = find(self._draft.object, path[:length])
            if isinstance(value, list) and find(self._draft.object, path[: length + 1]) is MISSING:
                raise _nothing_there(proposal)
        self._kept[f"{proposal.policy} would add {proposal.patch.path}, where the author has set a parent"] = None

    def _set(self, proposal: Proposal, path: Tokens) -> None:
        """Do it, unless another proposal of this round wants something else at the same place, above it or below."""
        patch = proposal.patch
        for place, claim in self._claims.items():
            if not _related(place, path):
                continue
            if place == path and (patch.op == "remove") == (claim.patch.op == "remove"):
                if patch.op == "remove" or same(claim.patch.value, patch.value):
                    return
                raise _conflict(proposal, claim)
            if patch.op == "remove" or claim.patch.op == "remove":
                raise _conflict(proposal, claim)
            present = find(self._object, path)  # its parent was set in this round
            if present is not MISSING and present is not None and same(present, patch.value):
                return
            if present is not MISSING or with_parents(self._object, path, patch.value) is None:
                raise _conflict(proposal, claim)
        self._claims[path] = proposal
        if patch.op == "remove":
            self._object = apply(self._object, [Patch("remove", pointer(*path))])
        elif find(self._object, path) is MISSING:
            added = with_parents(self._object, path, patch.value)
            if added is None:
                raise _nothing_there(proposal)
            self._object = apply(self._object, [added])
        else:
            self._object = apply(self._object, [Patch("replace", pointer(*path), patch.value)])
        self._written[path] = proposal

    def result(self) -> Draft:
        for path, proposal in reversed(self._removals):
            self._remove(path, proposal)
        seen: list[tuple[Tokens, Any]] = []
        for path, proposal in self._appends:
            value = proposal.patch.value
            if any(place == path and same(other, value) for place, other in seen):
                continue
            seen.append((path, value))
            added = with_parents(self._object, path, value)
            if added is None:
                raise _conflict(proposal, next((c for p, c in self._claims.items() if _related(p, path)), proposal))
            self._object = apply(self._object, [added])
            self._written[_landed(self._object, path)] = proposal
        if same(self._object, self._draft.object):
            return replace(self._draft, kept=tuple(self._kept)) if self._kept else self._draft
        return replace(self._draft, object=self._object, written=self._written, kept=tuple(self._kept))

    def _remove(self, path: Tokens, proposal: Proposal) -> None:
        """Take an item out of its list; what was written behind it moves up."""
        for place, claim in self._claims.items():
            if _related(place, path):
                raise _conflict(proposal, claim)
        if path in self._claims:
            return
        self._object = apply(self._object, [Patch("remove", pointer(*path))])
        depth, removed = len(path) - 1, int(path[-1])
        moved: dict[Tokens, Proposal] = {}
        for place, writer in self._written.items():
            if place[:depth] == path[:depth] and len(place) > depth and place[depth].isdigit():
                index = int(place[depth])
                if index == removed:
                    continue
                if index > removed:
                    place = (*place[:depth], str(index - 1), *place[depth + 1 :])
            moved[place] = writer
        self._written = moved
        self._written[(*path[:-1], END)] = proposal


_IDENTITY = (
    *("name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "ownerReferences", "selfLink"),
)
_CLOSED: frozenset[Tokens] = frozenset({("apiVersion",), ("kind",), ("status",)}) | {
    ("metadata", name) for name in _IDENTITY
}
"""What an object is, and what the API server and controllers keep of it: no patch reaches there."""


def _related(one: Tokens, other: Tokens) -> bool:
    """Whether the places are one, or one is in the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _nothing_there(proposal: Proposal) -> PatchError:
    patch = proposal.patch
    return PatchError(f"{proposal.owner}: {patch.op} {patch.path}: there is no such place", (proposal.binding,))


def _conflict(one: Proposal, other: Proposal) -> PatchError:
    first, second = sorted((one, other), key=lambda proposal: (proposal.owner, _order(proposal)))
    wants = " and ".join(
        f"{each.owner} wants to {each.patch.op} {each.patch.path}"
        + ("" if each.patch.op == "remove" else f" as {_shown(each.patch.value)}")
        for each in (first, second)
    )
    return PatchError(f"{wants}; unbind one of the two", _bindings((one, other)))


def endless(proposals: Sequence[Proposal]) -> PatchError:
    """The error of those who still want something changed after `MAX_ROUNDS`."""
    owners = " and ".join(sorted({proposal.owner for proposal in proposals}))
    message = f"after {MAX_ROUNDS} rounds the object is still changed, by {owners}; correct the policies"
    return PatchError(message, _bindings(proposals))


def _shown(value: Any) -> str:
    text = canonical_json(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def finding_of(change: Change) -> Finding:
    """A change as the record shows it."""
    if change.op == "remove":
        return Finding("an item was removed" if change.path.endswith(f"/{END}") else "was removed", change.path)
    return Finding(f"was set to {_shown(change.value)}", change.path)


def completed(obj: Mapping[str, Any], findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """`findings` with patches that apply to `obj` as they stand, one finding after the other: what a person can use.

    Missing parents are made, what is there already is left out, and a finding whose patches cannot be applied has none.
    """
    whole: list[Finding] = []
    current: Any = obj
    for finding in findings:
        try:
            fixed = _with_all(current, finding.patches)
        except PatchError:
            whole.append(replace(finding, patches=()))
            continue
        whole.append(replace(finding, patches=difference(current, fixed)))
        current = fixed
    return tuple(whole)


def _with_all(document: Any, patches: Iterable[Patch]) -> Any:
    # Items leave their lists from the end, after all else: every pointer means what it meant to the policy.
    ordered = sorted(patches, key=lambda patch: tokens(patch.path))
    removals = [patch for patch in ordered if patch.op == "remove"]
    for patch in [patch for patch in ordered if patch.op != "remove"] + removals[::-1]:
        added = with_parents(document, tokens(patch.path), patch.value) if patch.op == "add" else patch
        if added is None:
            raise PatchError(f"add {patch.path}: there is no such place in the object")
        document = apply(document, [added])
    return document


# The annotation


def annotated(draft: Draft) -> Mapping[str, Any]:
    """The object of `draft` with `ANNOTATION`; the object as it is where nothing was changed.

    What an earlier change left in the annotation stays as long as there is something at its path.
    """
    if not draft.written:
        return draft.object
    paths: dict[str, set[str]] = {}
    for policy_id, earlier in _entries(find(draft.object, ("metadata", "annotations", ANNOTATION))):
        if find(draft.object, tokens(earlier)) is not MISSING:
            paths.setdefault(policy_id, set()).add(earlier)
    for change in draft.changes:
        paths.setdefault(change.policy_id, set()).add(change.path)
    text = _annotation({policy_id: sorted(paths[policy_id]) for policy_id in sorted(paths)})
    if len(text) > MAX_ANNOTATION_LENGTH:
        text = _annotation({policy_id: [] for policy_id in sorted(paths)})
    patch = with_parents(draft.object, ("metadata", "annotations", ANNOTATION), text)
    if patch is None:
        raise PatchError("/metadata/annotations is no object, so what was changed cannot be written there")
    annotated_object: Mapping[str, Any] = apply(draft.object, [patch])
    return annotated_object


def _annotation(paths: Mapping[str, Sequence[str]]) -> str:
    return orjson.dumps(paths).decode()


def _entries(text: Any) -> list[tuple[str, str]]:
    """What an annotation says; nothing where it is not one of ours."""
    try:
        value = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return []
    if not isinstance(value, dict):
        return []
    return [
        (policy_id, path)
        for policy_id, paths in value.items()
        if isinstance(paths, list)
        for path in paths
        if isinstance(path, str) and path.startswith("/")
    ]


# What an UPDATE, and what a controller submits

_ROLLS_OUT: Mapping[tuple[str, str], Tokens] = {
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate"),
}
"""Kinds whose template is for pods to come: a request that changes it starts new ones anyway."""

_MIRROR = "kubernetes.io/config.mirror"
"""The annotation of what the API server shows of a static pod: to change it changes nothing that runs."""


@dataclass(frozen=True, slots=True)
class UpdateScope:
    """What may be changed of an object that is there already.

    An object that was accepted without a default stays without it, as long as nobody touches the part that lacks it:
    most of what Pods and Jobs are cannot be changed any more, a changed template restarts what runs, and a controller
    that sees its work changed will change it back. So a patch applies where the request takes away what there was,
    where it adds the item that lacks it (a container, say), or where it changes the template of later pods itself.
    """

    old: Mapping[str, Any]
    template: Tokens | None = None

    @classmethod
    def of(cls, old: Mapping[str, Any], *, group: str, kind: str) -> UpdateScope:
        """The scope of a request that makes something else of `old`."""
        return cls(old, _ROLLS_OUT.get((group, kind)))

    def covers(self, obj: Mapping[str, Any], path: Tokens, value: Any) -> bool:
        """Whether `value` may be put at `path` of `obj`."""
        template = self.template
        if template and path[: len(template)] == template and not same(find(obj, template), find(self.old, template)):
            return True
        if path[-1] == END:
            path = path[:-1]
            before = find(self.old, path)
            if isinstance(before, list) and any(same(item, value) for item in before):
                return True
        elif not same(_value_at(self.old, path), _value_at(obj, path)):
            return True
        return any(  # in an item of a list that the request adds
            isinstance(find(obj, path[: length - 1]), list)
            and _value_at(obj, path[:length]) is not None
            and _value_at(self.old, path[:length]) is None
            for length in range(1, len(path) + 1)
        )


def _value_at(obj: Mapping[str, Any], path: Tokens) -> Any:
    """The value at `path`; None where there is nothing, or null."""
    value = find(obj, path)
    return None if value is MISSING else value


def made_by_controller(obj: Mapping[str, Any]) -> bool:
    """Whether `obj` is what a controller made and will compare with what it wants, or a mirror of a static pod.

    Pods are not: no controller compares those, and many come from templates that no policy ever saw.
    """
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return False
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and _MIRROR in annotations:
        return True
    owners = metadata.get("ownerReferences")
    owned = isinstance(owners, list) and any(
        isinstance(owner, dict) and owner.get("controller") is True for owner in owners
    )
    return owned and not (obj.get("kind") == "Pod" and obj.get("apiVersion") == "v1")


def _landed(document: Any, path: Tokens) -> Tokens:
    """Where what was just appended at `path` is now: each `-` for which there is a list is its last item."""
    place: list[str] = []
    for part in path:
        if part == "-" and isinstance(document, list):
            part = str(len(document) - 1)
        place.append(part)
        document = find(document, (part,))
    return tuple(place)
