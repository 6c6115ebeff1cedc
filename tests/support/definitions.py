"""CustomResourceDefinitions on a running API server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from tests.support.cluster import Client
from tests.support.processes import wait_until


def serve_definitions(admin: Client, definitions: Iterable[Mapping[str, Any]]) -> None:
    """Have the API server serve the kinds of `definitions`; it must find each of them structural."""
    for definition in definitions:
        name, spec = definition["metadata"]["name"], definition["spec"]
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        assert admin.apply(definition).ok
        wait_until(partial(_established, admin, path), what=f"{name} is established")
        (version,) = spec["versions"]
        listing = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
        wait_until(partial(_listed, admin, listing), what=f"{name} can be listed")


def _established(admin: Client, path: str) -> bool:
    conditions = admin.get(path).body.get("status", {}).get("conditions") or []
    found = {condition["type"]: condition["status"] for condition in conditions}
    assert found.get("NonStructuralSchema") != "True", conditions
    return found.get("Established") == "True"


def _listed(admin: Client, path: str) -> bool:
    return admin.get(path).ok
