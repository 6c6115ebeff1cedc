"""Label selectors and name globs, as Kubernetes reads them (k8s.io/apimachinery/pkg/apis/meta/v1, `LabelSelector`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]


@dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, Any]) -> bool:
        present = self.key in labels
        match self.operator:
            case "In":
                return present and self._listed(labels[self.key])
            case "NotIn":
                return not present or not self._listed(labels[self.key])
            case "Exists":
                return present
            case "DoesNotExist":
                return not present

    def _listed(self, value: object) -> bool:
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All `requirements` must hold; none means that everything is selected."""

    requirements: tuple[Requirement, ...]

    def selects(self, labels: Mapping[str, Any]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    """What stands between two stars is looked for once, at the first place where it can be (the group gives nothing
    back): the time is at most the two lengths multiplied, whatever the pattern."""
    first, *others = (
        "".join("." if character == "?" else re.escape(character) for character in part)
        for part in re.split(r"\*+", pattern)
    )
    if not others:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(f"{first}{middle}.*{others[-1]}", re.DOTALL)


def is_glob(pattern: str) -> bool:
    """Whether `pattern` can match anything but itself."""
    return "*" in pattern or "?" in pattern


def glob_matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches `pattern`, in which `*` is any run of characters and `?` any one."""
    return pattern == text or (is_glob(pattern) and _glob(pattern).fullmatch(text) is not None)
