"""What a refusal or warnings say, read back from their text: the inverse of `reports.text`.

The text is a contract, so what a webhook answered can be compared with what another door says, finding by finding: of a
decision that was made elsewhere, an API server passes on nothing but the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pratique.decision import Decision, Outcome
from reports.text import denial, warnings

_HEADING = re.compile(r"(?P<warning>warning: )?(?P<id>\S+) \((?:low|medium|high|critical)\)(?: .*)?")
_ITEM = re.compile(r"  (?P<said>(?:at \S.*|could not be evaluated): .*)")
_MORE = re.compile(r"(?:  )?\.\.\. and [0-9]+ more (?:findings?|rules?)(?:; .*)?")
_WARNING = re.compile(r"(?P<id>[A-Z][A-Z0-9-]*-[0-9]+) (?P<said>(?:at /.*|could not be evaluated: .*))", re.DOTALL)
_MORE_WARNINGS = re.compile(r"[0-9]+ more warnings? not shown; see decision \S+")
_OPENING = re.compile(r".* is refused: .*\.")


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody who submitted an object was told. `whole` is False where the text left some of it out."""

    outcome: Outcome
    sayings: frozenset[str]
    whole: bool = True


def told(decision: Decision) -> Told:
    """What whoever submits the object of `decision` is told of it at the admission door."""
    if decision.outcome is Outcome.ALLOWED:
        return read_warnings(warnings(decision))
    return read_denial(denial(decision), decision.outcome)


def read_denial(text: str, outcome: Outcome) -> Told:
    """What the refusal `text` says: `[warning: ]ID at PATH: MESSAGE`, or that ID could not be evaluated.

    Raises:
        ValueError: it is no refusal by Pratique.
    """
    lines = text.split("\n")
    if not _OPENING.fullmatch(lines[0]):
        raise ValueError("this is no refusal by Pratique")
    sayings: set[str] = set()
    whole = True
    heading = ""
    for line in lines[1:]:
        if match := _HEADING.fullmatch(line):
            heading = f"{match['warning'] or ''}{match['id']}"
        elif _MORE.fullmatch(line):
            whole = False
        elif heading and (item := _ITEM.fullmatch(line)):
            sayings.add(f"{heading} {item['said']}")
    return Told(outcome, frozenset(sayings), whole)


def read_warnings(texts: Iterable[str]) -> Told:
    """What those of `texts` say that are Pratique's, about an object that was let in."""
    given = list(texts)
    sayings = {f"warning: {match['id']} {match['said']}" for text in given if (match := _WARNING.fullmatch(text))}
    return Told(Outcome.ALLOWED, frozenset(sayings), not any(_MORE_WARNINGS.fullmatch(text) for text in given))
