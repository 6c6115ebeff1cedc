"""Readers of models that a kind names in fields of its own, outside containers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pratique.kinds.table import Place, Serving, places
from pratique.models.reference import parse_model, unresolved_model
from pratique.subject import ModelRef, ModelRole, Server


@dataclass(frozen=True, slots=True)
class ModelField:
    """A field that names a model: a URI, or a bare name of `scheme`. `revision` is the path of what pins it."""

    path: str
    role: ModelRole = "model"
    scheme: str = "hf"
    framework: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ReferenceField:
    """A field that names an object which holds the model; what that is cannot be seen."""

    path: str
    kind: str


def model_fields(
    *fields: ModelField | ReferenceField, servers: Callable[[Place], tuple[Server, ...]] | None = None
) -> Callable[[Place], Serving]:
    """Reads each of `fields` wherever it is."""

    def read(root: Place) -> Serving:
        found: list[ModelRef] = []
        for field in fields:
            for place in places(root.root, field.path, base=root.base):
                text = place.text(field.path)
                if not text:
                    continue
                where = place.at(field.path)
                if isinstance(field, ReferenceField):
                    found.append(unresolved_model(where, f"it is in the {field.kind} {text}"))
                    continue
                found.append(
                    parse_model(
                        text,
                        where,
                        revision=str(place.value(field.revision) or "") if field.revision else "",
                        role=field.role,
                        framework=field.framework,
                        default=field.scheme,
                    )
                )
        return Serving(tuple(found), servers(root) if servers is not None else ())

    return read
