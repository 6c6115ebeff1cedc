"""What the readers of SBOM formats make of a document, alike for all of them: `attestations.sbom` makes the fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

MAX_COMPONENTS = 100_000
"""Protects from a document that keeps us busy: an image has some hundreds or thousands."""


class Component(NamedTuple):
    """What is listed; a NamedTuple because there are thousands.

    `supplier`, `identifier`, `hash` and `related` (it has a place in the graph of dependencies) are whether the
    document says so of it. `licences` all apply, each an expression as it was written. `licence_stated` is whether the
    document says anything of its licence, be it that it is not known. `more_purls` are those of it beside `purl`.
    """

    name: str
    version: str
    purl: str
    supplier: bool
    identifier: bool
    hash: bool
    related: bool
    licences: tuple[str, ...]
    licence_stated: bool
    more_purls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A machine-learning model in an AI-BOM. `model_card` names the sections of its card that say something."""

    name: str
    version: str
    purl: str
    model_card: tuple[str, ...]
    datasets: tuple[str, ...]
    licences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bom:
    """One SBOM.

    `primary` is what the document describes, where it says so; `components` are all others. `created` is in UTC, empty
    where the document does not say. `context` are the phases of the life cycle in which it was made (`build` ...).
    `completeness` of the dependencies is `complete`, `incomplete` or `unknown`. `datasets` are those that are
    components of their own.
    """

    format: str
    version: str
    created: str
    authors: Sequence[str]
    tools: Sequence[str]
    context: Sequence[str]
    primary: Sequence[Component]
    components: Sequence[Component]
    completeness: str
    models: Sequence[Model] = ()
    datasets: Sequence[str] = ()
    not_read: Sequence[str] = field(default=())
    """What the format has and this reader does not look at, though facts are about it."""

    def having(self, field: str) -> int:
        """How many of the components have something in `field`."""
        at = Component._fields.index(field)
        return sum(map(bool, map(itemgetter(at), self.components)))
