"""The CustomResourceDefinitions: made from the loader's schemas, and as the files have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pratique import platform_crd, schemas
from pratique.crd import definitions
from tests.generate_crds import FOLDER, texts


def test_the_files_are_what_would_be_written() -> None:
    """If this fails: `make generated`."""
    assert {path: path.read_text() for path in sorted(FOLDER.glob("*.yaml")) if path in texts()} == texts()


ALL = {**definitions(), **platform_crd.definitions()}


def schema(name: str) -> dict[str, Any]:
    (version,) = ALL[name]["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def nodes(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}/{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(node.get(name), Mapping):
            yield from nodes(node[name], f"{path}/{name}")


@pytest.mark.parametrize("name", list(ALL))
def test_the_schema_is_structural(name: str) -> None:
    """https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/, Specifying a
    structural schema."""
    for path, node in nodes(schema(name)):
        untyped = {"x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"}
        assert node.get("type") or untyped & set(node), path
        assert not {"anyOf", "const", "uniqueItems", "$ref"} & set(node), path
        assert not (node.get("properties") and node.get("additionalProperties")), path


@pytest.mark.parametrize(
    ("name", "source"), [("waivers.yaml", schemas.WAIVER), ("policybindings.yaml", schemas.POLICY_BINDING)]
)
def test_no_field_is_missing_so_that_none_is_pruned(name: str, source: Mapping[str, Any]) -> None:
    def paths(node: Mapping[str, Any]) -> set[str]:
        return {path for path, _ in nodes(node)}

    mine = paths(schema(name)["properties"]["spec"])
    theirs = {path for path in paths(source["properties"]["spec"]) if not path.startswith("/enforcement/")}
    assert theirs - {path for path in theirs if "/additionalProperties" in path} <= mine


@pytest.mark.parametrize("name", list(platform_crd.definitions()))
def test_the_platform_may_have_fields_that_we_do_not_know(name: str) -> None:
    """But for the object's own and its metadata, which are Kubernetes'."""
    for path, node in nodes(schema(name)):
        if node.get("type") == "object" and path not in ("", "/metadata"):
            assert node["x-kubernetes-preserve-unknown-fields"], path


def test_the_files_are_all_that_the_chart_has() -> None:
    assert {path.name for path in FOLDER.iterdir()} == ALL.keys()
