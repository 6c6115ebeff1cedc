"""Decisions as people read them: refusals and warnings at the admission door, findings at the others.

The text is a contract: `tests/reports/golden/` holds it. What comes from users (names, messages, values) is shown
without characters that could steer a terminal or fake a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import orjson

from pratique.builtin import RULES
from pratique.decision import Decision, Enforcement, Evaluation, Finding, Outcome, Patch, Result, Severity

MAX_DENIAL_BYTES = 8 * 1024
"""A refusal at most. `Status.message` (k8s.io/apimachinery/pkg/apis/meta/v1) has no limit of its own: this one
keeps what `kubectl` prints legible, and API server logs and events bounded."""

MAX_WARNING_CHARACTERS = 120
"""One warning at most (k8s.io/api/admission/v1, `AdmissionResponse.warnings`)."""

MAX_WARNINGS_CHARACTERS = 4096
"""All warnings together: the API server drops more (k8s.io/apiserver/pkg/endpoints/filters, `truncateAtTotalRunes`)."""

_MAX_TEXT = 600
_MAX_PATH = 250
_MAX_NAME = 253
_MAX_BINDINGS = 120
_MAX_PATCH = 800
_MAX_FINDINGS = 50
"""Findings of one rule that are written out; a policy may find something at each of a million list items."""

_MAX_LISTED = 5
"""Notes that are written out, and policies for a waiver."""

_ROOM_FOR_COUNT = 100

_CUT = "…"
_JOINERS = "\u200c\u200d"
_SUSPECT = re.compile(r"[^\x20-\x7e]")


def visible(text: str, *, limit: int = _MAX_TEXT) -> str:
    """`text` as one line of at most `limit` characters; control, format and separator characters become escapes."""
    clean = _SUSPECT.sub(_escape, text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + _CUT


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and character not in _JOINERS:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


@dataclass(frozen=True, slots=True)
class _Rule:
    """Everything that one policy found, of all bindings that enforce it equally strictly."""

    severity: Severity
    policy_id: str
    policy: str
    title: str
    remediation: str
    bindings: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """What is said of one rule. Where there is no room for all `items`, the last ones go; `omitted` are gone."""

    heading: str
    items: tuple[str, ...]
    ending: str = ""
    omitted: int = 0

    def text(self) -> str:
        more = f"  ... and {_count(self.omitted, 'more finding')}" if self.omitted else ""
        return "\n".join(filter(None, (self.heading, *self.items, more, self.ending)))

    def within(self, room: int) -> _Paragraph | None:
        """As much of it as takes at most `room` bytes; None where not even one item fits."""
        room -= len(self.heading.encode()) + len(self.ending.encode()) + _ROOM_FOR_COUNT
        kept = 0
        for item in self.items:
            room -= len(item.encode()) + 1
            if room < 0:
                break
            kept += 1
        if not kept:
            return None
        return replace(self, items=self.items[:kept], omitted=self.omitted + len(self.items) - kept)


def denial(decision: Decision) -> str:
    """Why `decision` refuses its subject and what to do about it, in at most `MAX_DENIAL_BYTES` of UTF-8.

    In this order: what is refused and the decision's id; broken rules that refuse; rules that could not be evaluated;
    broken rules that only warn; notes; how to ask for a waiver. Rules stand in order of severity and id, findings in
    order of path. What does not fit is counted. An `undecided` decision also says that a retry may help.
    """
    denied, warned = _rules(decision, Enforcement.DENY), _rules(decision, Enforcement.WARN)
    unsettled = _unsettled(decision)
    opening = _opening(decision, denied=len(denied), unsettled=len(unsettled), warned=len(warned))
    return _fitted(opening, _paragraphs(denied, unsettled, warned), _closing(decision, denied))


def explanation(decision: Decision) -> str:
    """The findings of `decision` as in `denial`, without opening, closing and limit; empty if there are none."""
    denied, warned = _rules(decision, Enforcement.DENY), _rules(decision, Enforcement.WARN)
    return "\n".join(paragraph.text() for paragraph in _paragraphs(denied, _unsettled(decision), warned))


def warnings(decision: Decision) -> list[str]:
    """What `kubectl` is to show as warnings: broken rules that warn, and rules without an answer that do not refuse.

    Each has at most `MAX_WARNING_CHARACTERS`, all together `MAX_WARNINGS_CHARACTERS`; the last one counts what was cut.
    """
    found = [
        f"{rule.policy_id} at {visible(finding.path, limit=_MAX_PATH) or '/'}: {visible(finding.message)}"
        for rule in _rules(decision, Enforcement.WARN)
        for finding in rule.findings
    ]
    found += [
        f"{evaluation.policy_id} could not be evaluated: {visible(evaluation.reason)}"
        for evaluation in _sorted(decision.with_result(Result.ERROR, Result.NOT_EVALUATED))
        if not evaluation.unsettled and evaluation.enforcement in (Enforcement.DENY, Enforcement.WARN)
    ]
    texts = [
        text if len(text) <= MAX_WARNING_CHARACTERS else text[: MAX_WARNING_CHARACTERS - 1] + _CUT
        for text in dict.fromkeys(found)
    ]
    if sum(map(len, texts)) <= MAX_WARNINGS_CHARACTERS:
        return texts
    kept: list[str] = []
    room = MAX_WARNINGS_CHARACTERS - MAX_WARNING_CHARACTERS
    for text in texts:
        if len(text) > room:
            break
        room -= len(text)
        kept.append(text)
    return [*kept, f"{_count(len(texts) - len(kept), 'more warning')} not shown; see decision {decision.id}"]


def reason(decision: Decision) -> str:
    """The first thing that matters about `decision`, as one line: for tables."""
    for enforcement in (Enforcement.DENY, Enforcement.WARN):
        for rule in _rules(decision, enforcement):
            return visible(rule.findings[0].message) if rule.findings else rule.title
        if enforcement is Enforcement.DENY:
            for evaluation in _unsettled(decision):
                return visible(evaluation.reason)
    if changed := decision.with_result(Result.MUTATED):
        return f"changed by {', '.join(sorted({evaluation.policy_id for evaluation in changed}))}"
    for evaluation in decision.with_result(Result.EXEMPT, Result.ERROR, Result.NOT_EVALUATED):
        return visible(evaluation.reason)
    return "no binding matches" if decision.no_match else ""


def policy_ids(decision: Decision) -> list[str]:
    """The ids of the policies that refused, could not be evaluated or warned, in the order of `denial`."""
    ids = [rule.policy_id for rule in _rules(decision, Enforcement.DENY)]
    ids += [evaluation.policy_id for evaluation in _unsettled(decision)]
    ids += [rule.policy_id for rule in _rules(decision, Enforcement.WARN)]
    return list(dict.fromkeys(ids))


def _rules(decision: Decision, enforcement: Enforcement) -> list[_Rule]:
    by_policy: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in _sorted(decision.with_result(Result.FAIL)):
        if evaluation.enforcement is enforcement:
            by_policy.setdefault((evaluation.policy_id, evaluation.policy), []).append(evaluation)
    return [
        _Rule(
            severity=same[0].severity,
            policy_id=policy_id,
            policy=policy,
            title=same[0].title,
            remediation=same[0].remediation,
            bindings=tuple(evaluation.binding for evaluation in same),
            findings=_findings(same),
        )
        for (policy_id, policy), same in by_policy.items()
    ]


def _sorted(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    return sorted(evaluations, key=lambda each: (-each.severity.rank, each.policy_id, each.policy, each.binding))


def _findings(evaluations: Sequence[Evaluation]) -> tuple[Finding, ...]:
    """All findings once each (two bindings of one policy may find the same), by path and message."""
    found = {(finding.path, finding.message): finding for each in evaluations for finding in each.findings}
    return tuple(found[index] for index in sorted(found))


def _unsettled(decision: Decision) -> list[Evaluation]:
    return [evaluation for evaluation in _sorted(decision.evaluations) if evaluation.unsettled]


def _opening(decision: Decision, *, denied: int, unsettled: int, warned: int) -> str:
    said = []
    if denied:
        said.append(f"{_count(denied, 'rule')} {'is' if denied == 1 else 'are'} broken")
    if unsettled:
        said.append(f"{_count(unsettled, 'rule')} could not be evaluated")
    if warned:
        said.append(f"{_count(warned, 'rule')} {'warns' if warned == 1 else 'warn'}")
    subject = visible(str(decision.subject), limit=2 * _MAX_NAME)
    lines = [f"{subject} is refused: {', '.join(said) or decision.outcome}.", f"Decision {decision.id}"]
    if decision.outcome is Outcome.UNDECIDED:
        lines.append("It was not judged, so it may well be in order: a retry may help. If it does not,")
        lines.append("tell the people who run the policies of this cluster, with the decision id.")
    return "\n".join(lines)


def _closing(decision: Decision, rules: Sequence[_Rule]) -> str:
    denied = [rule for rule in rules if rule.policy not in RULES]
    lines = [f"Note: {visible(note, limit=_MAX_NAME)}" for note in decision.notes[:_MAX_LISTED]]
    if len(decision.notes) > _MAX_LISTED:
        lines.append(f"Note: {_count(len(decision.notes) - _MAX_LISTED, 'more note')} not shown.")
    if denied:
        lines.append("To ask for a waiver, send the people who run the policies of this cluster:")
        lines += [
            f"  policy {visible(rule.policy_id)}, binding {visible(', '.join(rule.bindings), limit=_MAX_BINDINGS)}"
            for rule in denied[:_MAX_LISTED]
        ]
        if len(denied) > _MAX_LISTED:
            lines.append(f"  and {len(denied) - _MAX_LISTED} more")
        lines.append(f"  decision {decision.id}")
        lines.append("  why you need it, and until when. Somebody other than you must approve it.")
    return "\n".join(lines)


def _paragraphs(denied: Sequence[_Rule], unsettled: Sequence[Evaluation], warned: Sequence[_Rule]) -> list[_Paragraph]:
    return [
        *(_rule_paragraph(rule, "") for rule in denied),
        *(_unsettled_paragraph(evaluation) for evaluation in unsettled),
        *(_rule_paragraph(rule, "warning: ") for rule in warned),
    ]


def _rule_paragraph(rule: _Rule, mark: str) -> _Paragraph:
    items = []
    for finding in rule.findings[:_MAX_FINDINGS]:
        text = f"  at {visible(finding.path, limit=_MAX_PATH) or '/'}: {visible(finding.message)}"
        if finding.patches:
            text += f"\n  patch: {patch_text(finding.patches)}"
        items.append(text)
    ending = f"  fix: {visible(rule.remediation)}" if rule.remediation else ""
    return _Paragraph(
        _heading(mark, rule.policy_id, rule.severity, rule.title), tuple(items), ending, len(rule.findings) - len(items)
    )


def _unsettled_paragraph(evaluation: Evaluation) -> _Paragraph:
    heading = _heading("", evaluation.policy_id, evaluation.severity, evaluation.title)
    return _Paragraph(heading, (f"  could not be evaluated: {visible(evaluation.reason)}",))


def _heading(mark: str, policy_id: str, severity: Severity, title: str) -> str:
    return f"{mark}{visible(policy_id)} ({severity}){' ' if title else ''}{visible(title)}"


def patch_text(patches: Sequence[Patch]) -> str:
    """The shortest JSON text of the patches (RFC 6902), if it is short enough to read."""
    operations = [
        {"op": patch.op, "path": patch.path} | ({} if patch.op == "remove" else {"value": patch.value})
        for patch in patches
    ]
    text = orjson.dumps(operations, default=str).decode()
    if len(text) > _MAX_PATCH:
        return f"{_count(len(patches), 'operation')}, too long to show here"
    return visible(text, limit=2 * _MAX_PATCH)


def _fitted(opening: str, paragraphs: Sequence[_Paragraph], closing: str) -> str:
    """All of it; where that is too long, without the last findings and rules, which are counted."""
    whole = "\n\n".join(filter(None, (opening, *(paragraph.text() for paragraph in paragraphs), closing)))
    if len(whole.encode()) <= MAX_DENIAL_BYTES:
        return whole
    room = MAX_DENIAL_BYTES - len(opening.encode()) - len(closing.encode()) - _ROOM_FOR_COUNT
    shown: list[str] = []
    for paragraph in paragraphs:
        part = paragraph.within(room)
        if part is None:
            break
        shown.append(part.text())
        room -= len(shown[-1].encode()) + 2
        if part.omitted > paragraph.omitted:
            break
    rest = len(paragraphs) - len(shown)
    count = f"... and {_count(rest, 'more rule')}; the record of the decision has all." if rest else ""
    text = "\n\n".join(filter(None, (opening, *shown, count, closing)))
    return text.encode()[:MAX_DENIAL_BYTES].decode("utf-8", "ignore")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
