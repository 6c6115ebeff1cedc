"""Which bindings can match an object: looked up by what they ask for, so that those of other teams cost nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pratique.binding import Binding
from pratique.matching import Match, MatchInputs
from pratique.selector import LabelSelector, is_glob

_Filed = tuple[int, Binding]
"""A binding with its place in the order of all."""


class BindingIndex:
    """Bindings that cover one kind of object, each filed under one thing that an object must have to be matched: its
    namespace, a label, a label of its namespace. Those that ask for none of these are always candidates.

    What is left out cannot match. What is found need not: `Binding.applies_to` says.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._all = tuple(bindings)
        self._always: list[_Filed] = []
        self._by_namespace: dict[str, list[_Filed]] = {}
        self._by_label: dict[tuple[str, Any], list[_Filed]] = {}
        self._by_namespace_label: dict[tuple[str, Any], list[_Filed]] = {}
        self._by_any_namespace_label: list[_Filed] = []
        for filed in enumerate(self._all):
            self._file(filed, filed[1].match)

    def candidates(self, inputs: MatchInputs) -> Sequence[Binding]:
        """Those that may match, in the order in which they were given."""
        if len(self._always) == len(self._all):
            return self._all
        found = [*self._always, *self._by_namespace.get(inputs.namespace, ())]
        if self._by_label:
            found += _of_labels(self._by_label, inputs.labels)
        if self._by_any_namespace_label:
            if inputs.namespace and inputs.namespace_labels is not None:
                found += _of_labels(self._by_namespace_label, inputs.namespace_labels)
            else:  # not known, or there is no namespace whose labels could differ
                found += self._by_any_namespace_label
        found.sort(key=lambda filed: filed[0])
        return [binding for _, binding in found]

    def _file(self, filed: _Filed, match: Match) -> None:
        if _are_exact(match.include_namespaces):
            for namespace in set(match.include_namespaces):
                self._by_namespace.setdefault(namespace, []).append(filed)
        elif labels := _labels_required(match.selector):
            for label in labels:
                self._by_label.setdefault(label, []).append(filed)
        elif labels := _labels_required(match.namespace_selector):
            self._by_any_namespace_label.append(filed)
            for label in labels:
                self._by_namespace_label.setdefault(label, []).append(filed)
        else:
            self._always.append(filed)


def _are_exact(patterns: Sequence[str]) -> bool:
    return bool(patterns) and not any(map(is_glob, patterns))


def _labels_required(selector: LabelSelector | None) -> set[tuple[str, str]]:
    """Labels of which an object must have one to be selected; none where the selector can do without."""
    for requirement in selector.requirements if selector is not None else ():
        if requirement.operator == "In":
            return {(requirement.key, value) for value in requirement.values}
    return set()


def _of_labels(index: dict[tuple[str, Any], list[_Filed]], labels: Any) -> Iterable[_Filed]:
    for name, value in labels.items():
        if isinstance(value, str):  # no selector selects anything else
            yield from index.get((name, value), ())
