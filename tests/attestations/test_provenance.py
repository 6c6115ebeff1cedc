"""Provenance and summaries of verification as facts."""

from __future__ import annotations

from typing import Any

import pytest

from attestations.provenance import (
    MAX_MATERIALS,
    SLSA_V02,
    SLSA_V1,
    SVR,
    VSA_V02,
    VSA_V1,
    TrustedBuilder,
    provenance_fact,
)
from pratique.errors import InputError
from tests.support.documents import NOW, slsa_v02, slsa_v1, svr, vsa

EMPTY: dict[str, Any] = {
    "trusted_builder": "",
    **dict.fromkeys(("builder", "build_type", "invocation", "verifier", "result", "policy", "resource"), ""),
    **dict.fromkeys(("started", "finished", "verified"), ""),
    "sources": [],
    "materials": [],
    "materials_count": 0,
    "properties": [],
    "truncated": [],
}
COMMIT = "c0" * 20
PYTHON = {"uri": "pkg:docker/python@3.12", "digest": f"sha256:{'ab' * 32}"}
CHECKOUT = {"uri": "git+https://github.com/example/vllm@refs/heads/main", "digest": f"gitCommit:{COMMIT}"}


def test_slsa_v1() -> None:
    assert provenance_fact(SLSA_V1, slsa_v1()) == EMPTY | {
        "type": "slsa-provenance-v1",
        "builder": "https://github.com/example/vllm/.github/workflows/build.yml@refs/heads/main",
        "build_type": "https://actions.github.io/buildtypes/workflow/v1",
        "sources": [CHECKOUT],
        "materials": [CHECKOUT, PYTHON],
        "materials_count": 2,
        "invocation": "https://github.com/example/vllm/actions/runs/1",
        "finished": NOW,
    }


def test_slsa_v02() -> None:
    assert provenance_fact(SLSA_V02, slsa_v02()) == EMPTY | {
        "type": "slsa-provenance-v0.2",
        "builder": "https://tekton.dev/chains/v2",
        "build_type": "https://mobyproject.org/buildkit@v1",
        "sources": [{"uri": "https://github.com/example/vllm.git#refs/heads/main", "digest": f"sha1:{COMMIT}"}],
        "materials": [PYTHON],
        "materials_count": 1,
        "invocation": "run-1",
        "started": NOW,
        "finished": NOW,
    }


@pytest.mark.parametrize(
    ("parameters", "sources"),
    [
        (
            {"source": {"uri": "git+https://x", "digest": {"sha1": COMMIT}}},
            [{"uri": "git+https://x", "digest": f"sha1:{COMMIT}"}],
        ),
        ({"source": "git+https://x"}, [{"uri": "git+https://x", "digest": ""}]),
        (
            {"configSource": {"uri": "https://x", "digest": {"sha1": COMMIT}}},
            [{"uri": "https://x", "digest": f"sha1:{COMMIT}"}],
        ),
        ({"configSource": {"path": "Dockerfile"}}, [CHECKOUT]),
        ({"source": {"uri": 7}, "workflow": {"repository": []}}, [CHECKOUT]),
        ({"source": {"uri": "https://x", "digest": {"sha1": 7}}}, [{"uri": "https://x", "digest": ""}]),
        ({}, [CHECKOUT]),
    ],
)
def test_sources_of_other_build_types(parameters: Any, sources: Any) -> None:
    assert provenance_fact(SLSA_V1, slsa_v1(externalParameters=parameters))["sources"] == sources


def test_svr() -> None:
    assert provenance_fact(SVR, svr("SLSA_BUILD_LEVEL_3", "REVIEWED")) == EMPTY | {
        "type": "svr-v0.1",
        "verifier": "https://example.com/verifier/v1",
        "verified": NOW,
        "result": "PASSED",
        "properties": ["SLSA_BUILD_LEVEL_3", "REVIEWED"],
    }


def test_an_svr_without_properties_has_passed_nothing() -> None:
    assert provenance_fact(SVR, svr())["result"] == ""


def test_vsa() -> None:
    expected = EMPTY | {
        "type": "vsa-v1",
        "verifier": "https://example.com/verifier",
        "verified": NOW,
        "result": "PASSED",
        "properties": ["SLSA_BUILD_LEVEL_3"],
        "policy": "https://example.com/policy",
        "resource": "registry.internal/serving/vllm",
    }
    assert provenance_fact(VSA_V1, vsa()) == expected
    failed = provenance_fact(VSA_V1, vsa("FAILED"))
    assert (failed["result"], failed["properties"]) == ("FAILED", [])


@pytest.mark.parametrize(
    "names",
    [("verificationResult", "policyLevel", "timeVerified"), ("verification_result", "policy_level", "time_verified")],
)
def test_vsa_v02_in_either_case(names: tuple[str, str, str]) -> None:
    predicate = {"verifier": {"id": "v"}, names[0]: "PASSED", names[1]: "SLSA_LEVEL_3", names[2]: NOW}
    fact = provenance_fact(VSA_V02, predicate)
    assert (fact["result"], fact["properties"], fact["verified"]) == ("PASSED", ["SLSA_LEVEL_3"], NOW)


@pytest.mark.parametrize(
    ("predicate_type", "predicate", "said"),
    [
        (VSA_V1, vsa("MAYBE"), "neither PASSED nor FAILED"),
        (SLSA_V1, {}, "malformed"),
        (SLSA_V1, slsa_v02(), "malformed"),
        (SLSA_V02, {"buildType": "x", "builder": {}}, "malformed at /builder"),
        ("https://slsa.dev/provenance/v0.1", slsa_v02(), "no type of provenance"),
    ],
)
def test_refusals(predicate_type: str, predicate: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        provenance_fact(predicate_type, predicate)


def test_materials_are_cut_and_counted() -> None:
    many = [{"uri": f"pkg:pypi/p{number}@1", "digest": {"sha256": "ab"}} for number in range(MAX_MATERIALS + 5)]
    fact = provenance_fact(SLSA_V1, slsa_v1(resolvedDependencies=many))
    assert (len(fact["materials"]), fact["materials_count"], fact["truncated"]) == (100, 105, ["materials"])


@pytest.mark.parametrize(
    ("ids", "allowed", "builder", "signers", "made"),
    [
        (("https://github.com/example/*",), {"ci"}, "https://github.com/example/vllm/x.yml@main", ["ci"], True),
        (("https://github.com/example/*",), {"ci"}, "https://github.com/example/vllm/x.yml@main", ["dev"], False),
        (("https://github.com/example/*",), {"ci"}, "https://github.com/example2/x", ["ci"], False),
        (("https://github.com/example/*",), {"ci"}, "https://evil.example/https://github.com/example/x", ["ci"], False),
        (("https://tekton.dev/chains/v2",), {"ci"}, "https://tekton.dev/chains/v2", ["dev", "ci"], True),
        (("*",), set(), "https://tekton.dev/chains/v2", ["ci"], False),
        ((), {"ci"}, "https://tekton.dev/chains/v2", ["ci"], False),
    ],
)
def test_who_may_speak_for_a_builder(
    ids: tuple[str, ...], allowed: set[str], builder: str, signers: list[str], made: bool
) -> None:
    assert TrustedBuilder("ci", ids, frozenset(allowed)).made(builder, signers) is made
