"""How a decision came to be: which bindings matched and which did not, what each came to, and with what it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pratique.binding import Binding
from pratique.configuration import Configuration
from pratique.decision import Decision, Enforcement, Evaluation, Outcome, Result
from reports.text import visible


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A binding that was not evaluated, and why."""

    binding: str
    policy: str
    policy_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and the bindings that had no part in it; None where these are not known, and `unknown` says why."""

    decision: Decision
    unmatched: tuple[Unmatched, ...] | None
    unknown: str = ""


def explain(decision: Decision, configuration: Configuration | None, *, unknown: str = "") -> Explanation:
    """Match the bindings of `configuration` again, with what was recorded of the object and the request."""
    if configuration is None:
        return Explanation(decision, None, unknown)
    evaluated = {evaluation.binding for evaluation in decision.evaluations}
    unmatched = tuple(
        Unmatched(binding.name, binding.policy.name, binding.policy.id, _why_not(binding, decision))
        for binding in configuration.bindings
        if binding.name not in evaluated
    )
    return Explanation(decision, unmatched)


def _why_not(binding: Binding, decision: Decision) -> str:
    if decision.mutating and not (binding.mutate and binding.policy.has_patches):
        return "it changes nothing"
    result = binding.applies_to(decision.match_inputs, decision.door)
    return result.reason or "it matches now, with another version of Pratique than the one that decided"


def because(decision: Decision) -> str:
    """Why the outcome is what it is, as one sentence."""
    if decision.no_match:
        return "no binding matches, so nothing was judged"
    refusing = [evaluation.binding for evaluation in decision.evaluations if evaluation.refuses]
    unsettled = [evaluation.binding for evaluation in decision.evaluations if evaluation.unsettled]
    match decision.outcome:
        case Outcome.DENIED:
            return f"what {_names(refusing)} found refuses the object"
        case Outcome.UNDECIDED:
            return f"{_names(unsettled)} could not be evaluated, and the binding refuses what it cannot judge"
        case Outcome.ALLOWED:
            if decision.mutating:
                changed = len(decision.with_result(Result.MUTATED))
                return (
                    f"{changed} of {len(decision.evaluations)} bindings changed the object; the verdict is another one"
                )
            lenient = len(decision.with_result(Result.FAIL, Result.ERROR, Result.NOT_EVALUATED))
            rest = f"; {lenient} did not pass, which here only warns or is recorded" if lenient else ""
            return f"none of {len(decision.evaluations)} evaluations refuses it{rest}"


def _names(bindings: Sequence[str]) -> str:
    return visible(", ".join(bindings))


def text(explanation: Explanation) -> str:
    """The explanation for people."""
    decision = explanation.decision
    subject, inputs = decision.subject, decision.match_inputs
    api = f"{subject.group}/{subject.version}" if subject.group else subject.version
    operation = f"{decision.operation} of {decision.subresource}" if decision.subresource else decision.operation
    cache = "evaluated before for the same content (cache)" if decision.cached else "evaluated for this request"
    lines = [
        f"Decision {decision.id}",
        "",
        f"  object         {visible(str(subject))} ({visible(api)})",
        f"  digest         {subject.digest}",
        f"  request        {operation} by {visible(decision.user) or '(nobody named)'}"
        f"{', dry run' if decision.dry_run else ''}, {decision.door} door",
        f"  time           {decision.time:%Y-%m-%dT%H:%M:%SZ}, took {decision.milliseconds:.1f} ms",
        f"  engine         {decision.engine} {decision.engine_version}, {cache}",
        f"  bundle         {decision.bundle_digest}",
        f"  configuration  {decision.configuration_digest}",
    ]
    if inputs.namespace_labels is not None:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(inputs.namespace_labels.items()))
        lines.append(f"  namespace      {visible(labels) or 'no labels'}")
    lines += ["", f"{decision.outcome.value.capitalize()}: {because(decision)}."]
    if decision.evaluations:
        lines += ["", "Bindings that matched"]
        for evaluation in decision.evaluations:
            lines += _evaluation_lines(evaluation)
    if explanation.unmatched is None:
        lines += ["", f"Bindings that did not match are not known: {visible(explanation.unknown)}"]
    elif explanation.unmatched:
        lines += ["", "Bindings that did not match"]
        lines += [
            f"  {visible(each.binding)} ({each.policy_id} {each.policy}): {visible(each.reason)}"
            for each in explanation.unmatched
        ]
    if decision.notes:
        lines += ["", "Notes", *(f"  {visible(note)}" for note in decision.notes)]
    return "\n".join(lines)


def _evaluation_lines(evaluation: Evaluation) -> list[str]:
    enforcement = evaluation.enforcement.value
    if evaluation.result in (Result.ERROR, Result.NOT_EVALUATED) and evaluation.enforcement is Enforcement.DENY:
        enforcement = f"{enforcement}, if undecided {evaluation.on_undecided.value}"
    heading = f"  {visible(evaluation.binding)} ({evaluation.policy_id} {evaluation.policy}, {enforcement})"
    lines = [f"{heading}: {evaluation.result.value.replace('_', ' ')}"]
    if evaluation.reason:
        lines[0] += f", {visible(evaluation.reason)}"
    lines += [f"      at {visible(each.path) or '/'}: {visible(each.message)}" for each in evaluation.findings]
    if evaluation.findings and evaluation.remediation and evaluation.result is not Result.MUTATED:
        lines.append(f"      fix: {visible(evaluation.remediation)}")
    lines += [f"      waiver {visible(waiver)}" for waiver in evaluation.waivers]
    lines += [f"      fact {visible(name)}: {digest}" for name, digest in sorted((evaluation.facts or {}).items())]
    return lines


def document(explanation: Explanation, record: dict[str, Any]) -> dict[str, Any]:
    """The explanation for programs: `decision` is the record, `because` a sentence, `unmatched` a list or null."""
    unmatched = explanation.unmatched
    return {
        "decision": record,
        "because": because(explanation.decision),
        "unmatched": None
        if unmatched is None
        else [
            {"binding": each.binding, "policy": each.policy, "policy_id": each.policy_id, "reason": each.reason}
            for each in unmatched
        ],
        "unknown": explanation.unknown,
    }
