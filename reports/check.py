"""What `pratique check` found, for the formats to write.

`Report` is everything that was looked at. Most formats write its `rows`: one for each finding, each policy without an
answer and each document that could not be read, with the place, the level and the words that all formats share.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from pratique.decision import Decision, Enforcement, Evaluation, Finding, Outcome, Patch, Result, Severity
from pratique.errors import Problem
from pratique.policy import PolicyMetadata
from pratique.positions import NOWHERE, Position
from reports.catalogue import anchor
from reports.explanation import Explanation

PROBLEM_ID = "pratique"
"""What stands for the id of a policy where something could not be read."""

_INDEX = re.compile(r"/[0-9]+(?=/|$)")
_LINE = re.compile(r"line ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Judged:
    """An object of a file and the decision on it. `line` is where its document begins, 0 if that is not known.

    `positions` tells where the paths of its findings are, "" among them for the object itself.
    """

    file: str
    line: int
    decision: Decision
    positions: Mapping[str, Position] = field(default_factory=dict)
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A document that is no object of the Kubernetes API, and why it was not judged.

    `unread`: it may be one, but that could not be read.
    """

    file: str
    line: int
    reason: str
    unread: bool = False


Item = Judged | PassedOver | Problem
"""A Problem is a document that could not be read or judged."""


class Level(StrEnum):
    """What a row means for whoever reads it: an `error` makes the exit code, a `warning` and a `note` do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was found. `finding` is empty for a policy without an answer and for a Problem.

    `known` rows are in the baseline; `waiver` is the reason of the one that exempts. `undecided`: there is no answer.
    """

    level: Level
    file: str
    position: Position
    message: str
    fingerprint: str
    policy_id: str = PROBLEM_ID
    policy: str = ""
    title: str = ""
    severity: Severity | None = None
    enforcement: Enforcement | None = None
    remediation: str = ""
    bindings: tuple[str, ...] = ()
    subject: str = ""
    path: str = ""
    patches: tuple[Patch, ...] = ()
    link: str = ""
    waiver: str = ""
    known: bool = False
    undecided: bool = False

    @property
    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        if not self.position.line:
            return self.file
        return f"{self.file}:{self.position.line}" + (f":{self.position.column}" if self.position.column else "")

    @property
    def told(self) -> bool:
        """Whether people are told: not of what they know, nor of what is waived or only recorded."""
        return not self.known and not self.waiver and self.level is not Level.NOTE


@dataclass(frozen=True)
class Report:
    """Everything that was looked at, in order of file and line, and with what it was judged.

    `baseline` counts the findings that are known, by fingerprint. `fail_on` is the severity from which on a finding
    makes the check fail, whether it denies or warns; None where every denial does. `catalogue` is where the policies
    are described, `root` the folder that the names of files start from.
    """

    items: tuple[Item, ...]
    engine: str
    engine_version: str
    bundle_digest: str
    configuration_digest: str
    policies: Mapping[str, PolicyMetadata] = field(default_factory=dict)
    baseline: Mapping[str, int] | None = None
    fail_on: Severity | None = None
    catalogue: str = ""
    root: str = ""
    version: str = ""

    def judged(self, *outcomes: Outcome) -> list[Judged]:
        """The objects that were judged; with `outcomes`, those that came to one of them."""
        return [item for item in self.items if isinstance(item, Judged) and _is(item.decision, outcomes)]

    @property
    def passed_over(self) -> list[PassedOver]:
        return [item for item in self.items if isinstance(item, PassedOver)]

    @property
    def problems(self) -> list[Problem]:
        return [item for item in self.items if isinstance(item, Problem)]

    @property
    def not_bound(self) -> list[Judged]:
        """The objects that no binding matches."""
        return [item for item in self.judged() if item.decision.no_match]

    @cached_property
    def rows_by_item(self) -> Sequence[tuple[Item, Sequence[Row]]]:
        """Each item with its rows: by severity, policy and path."""
        known = Counter(self.baseline or {})
        return [(item, list(self._known(self._rows(item), known))) for item in self.items]

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all items."""
        return (row for _, rows in self.rows_by_item for row in rows)

    @property
    def told(self) -> Iterator[Row]:
        """The rows that people are told of."""
        return (row for row in self.rows if row.told)

    @property
    def fails(self) -> bool:
        """Whether something was found that makes the check fail."""
        return any(row.level is Level.ERROR and row.told and not row.undecided for row in self.rows)

    @property
    def is_open(self) -> bool:
        """Whether there is something that could not be read, or not judged for want of an answer."""
        for item, rows in self.rows_by_item:
            if isinstance(item, Problem) or (isinstance(item, Judged) and item.decision.outcome is Outcome.UNDECIDED):
                return True
            errors = [row for row in rows if row.level is Level.ERROR and row.told]
            if errors and all(row.undecided for row in errors):
                return True
        return False

    @property
    def gone(self) -> int:
        """How many findings of the baseline are there no more."""
        return sum((self.baseline or {}).values()) - sum(row.known for row in self.rows)

    def located(self, file: str) -> str:
        """`file` as hosts of repositories want it: from `root`, where it is below that."""
        path = Path(file)
        if path.is_absolute() and self.root and path.is_relative_to(self.root):
            path = path.relative_to(self.root)
        return path.as_posix()

    def _known(self, rows: Iterable[Row], known: Counter[str]) -> Iterator[Row]:
        for row in rows:
            if row.waiver or row.undecided or row.level is Level.NOTE or not known[row.fingerprint]:
                yield row
            else:
                known[row.fingerprint] -= 1
                yield replace(row, known=True)

    def _rows(self, item: Item) -> Iterator[Row]:
        match item:
            case PassedOver():
                return
            case Problem():
                line = _LINE.match(item.where)
                position = Position(int(line[1]), 0) if line else NOWHERE
                where = "" if line and line[0] == item.where else item.where
                message = f"{where}: {item.message}" if where else item.message
                fingerprint = _digest("problem", item.file, item.message)
                yield Row(Level.ERROR, item.file, position, message, fingerprint, undecided=True)
            case Judged():
                yield from self._of_decision(item)

    def _of_decision(self, item: Judged) -> Iterator[Row]:
        """The rows of one object. What several bindings of a policy find is one row, that of the strictest."""
        failed: set[tuple[str, str, str]] = set()
        for same in _by_policy(item.decision):
            first = same[0]
            by_finding: dict[tuple[str, str], tuple[Finding, list[Evaluation]]] = {}
            for evaluation in same:
                for finding in evaluation.findings or (Finding(evaluation.reason, ""),):
                    by_finding.setdefault((finding.path, finding.message), (finding, []))[1].append(evaluation)
            for key in sorted(by_finding):
                finding, found_by = by_finding[key]
                if first.result is Result.FAIL:
                    if (first.policy, *key) in failed:
                        continue
                    failed.add((first.policy, *key))
                yield self._row(item, first, finding, tuple(each.binding for each in found_by))

    def _row(self, item: Judged, evaluation: Evaluation, finding: Finding, bindings: tuple[str, ...]) -> Row:
        subject = item.decision.subject
        undecided = evaluation.result in (Result.ERROR, Result.NOT_EVALUATED)
        exempt = evaluation.result is Result.EXEMPT
        position = item.positions.get(finding.path) or item.positions.get("") or Position(item.line, 0)
        return Row(
            level=self._level(evaluation),
            file=item.file,
            position=position,
            message=f"could not be evaluated: {evaluation.reason}" if undecided else finding.message,
            fingerprint=_digest(
                *(evaluation.policy_id, subject.group, subject.kind, subject.namespace, subject.name),
                *(_INDEX.sub("/*", finding.path), finding.message),
            ),
            policy_id=evaluation.policy_id,
            policy=evaluation.policy,
            title=evaluation.title,
            severity=evaluation.severity,
            enforcement=evaluation.enforcement,
            remediation=evaluation.remediation,
            bindings=bindings,
            subject=str(subject),
            path=finding.path,
            patches=finding.patches,
            link=self.link(evaluation.policy),
            waiver=evaluation.reason if exempt else "",
            undecided=undecided,
        )

    def link(self, policy: str) -> str:
        """Where the catalogue describes `policy`; empty where it does not."""
        return f"{self.catalogue}#{anchor(policy)}" if self.catalogue and policy in self.policies else ""

    def _level(self, evaluation: Evaluation) -> Level:
        if evaluation.enforcement not in (Enforcement.DENY, Enforcement.WARN) or evaluation.result is Result.EXEMPT:
            return Level.NOTE
        if evaluation.result in (Result.ERROR, Result.NOT_EVALUATED):
            return Level.ERROR if evaluation.unsettled else Level.WARNING
        if self.fail_on is not None:
            return Level.ERROR if evaluation.severity.rank >= self.fail_on.rank else Level.WARNING
        return Level.ERROR if evaluation.refuses else Level.WARNING


def _is(decision: Decision, outcomes: tuple[Outcome, ...]) -> bool:
    return not outcomes or decision.outcome in outcomes


_ENFORCEMENTS = tuple(Enforcement)
_RESULTS = (Result.FAIL, Result.ERROR, Result.NOT_EVALUATED, Result.EXEMPT)


def _by_policy(decision: Decision) -> Iterator[Sequence[Evaluation]]:
    """The evaluations that did not pass, in groups of one policy that came to the same under the same enforcement:
    those that deny first, then by severity and id."""
    groups: dict[tuple[int, int, str, str, int, bool, str], list[Evaluation]] = {}
    for evaluation in sorted(decision.with_result(*_RESULTS), key=lambda each: each.binding):
        key = (
            _ENFORCEMENTS.index(evaluation.enforcement),
            -evaluation.severity.rank,
            evaluation.policy_id,
            evaluation.policy,
            _RESULTS.index(evaluation.result),
            not evaluation.unsettled,
            evaluation.reason,
        )
        groups.setdefault(key, []).append(evaluation)
    return (groups[key] for key in sorted(groups))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
