"""One tree of errors, branched by who must act.

An exception carries data; only a door turns it into a status code, an exit code or a sentence on a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass


class PratiqueError(Exception):
    """Base of everything that Pratique raises on purpose; `str()` of it is one clear sentence for the person who must
    act."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at one place: `file` (or object), `where` inside it (document, field or line) and
    `message`."""

    file: str
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.message}"


class LoadError(PratiqueError):
    """Something could not be loaded; `problems` lists everything found, not only the first."""

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("a LoadError names at least one problem")
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class ConfigError(LoadError):
    """The operator must act: settings, bindings, waivers, certificates."""


class PolicyError(LoadError):
    """The policy author must act: metadata, Rego outside the portable set, packages that clash."""


class InputError(PratiqueError):
    """The submitter must act: bytes that are not a document that Pratique can judge."""


class ExpressionError(InputError):
    """The author of a rule must act: it is not an expression. `position` is the character where that shows, from 1."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position})")
        self.message = message
        self.position = position


class EvaluationError(PratiqueError):
    """A policy could not be evaluated (engine down, deadline over, malformed answer): `undecided`, never `allowed`."""


class RuleError(EvaluationError):
    """The engine is well, but a rule of one of the policies that were asked together failed (a built-in was given a
    wrong type).

    The others can be asked again without it.
    """


class PatchError(EvaluationError):
    """What policies want changed cannot be done: they contradict each other, never come to an end, or point at nothing.

    `bindings` names those that want it, where they are known.
    """

    def __init__(self, message: str, bindings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.bindings = bindings


class FieldMissing(EvaluationError):
    """An expression reads a field that has no value; `field` names it as the expression does."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field


class NotComparable(EvaluationError):
    """An expression compares what cannot be compared: values of two types, an order of anything but numbers."""


class VerificationError(PratiqueError):
    """Evidence was looked at and is bad."""


class EvidenceUnavailable(PratiqueError):
    """Evidence could not be looked at."""
