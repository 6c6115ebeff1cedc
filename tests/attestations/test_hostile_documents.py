"""What bad documents get: a typed refusal, whatever is in them and however large they are (issue 6, 6b)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attestations.documents import MAX_ELEMENT_BYTES, Digest, digested, image_facts
from attestations.evidence import Layout, Piece, Reason, Refused, Verified
from attestations.provenance import SLSA_V02, SLSA_V1, SVR, VSA_V02, VSA_V1
from attestations.reading import MAX_DOCUMENT_BYTES, parsed
from attestations.sbom import sbom_fact
from pratique.errors import InputError
from tests.support import documents
from tests.support.documents import COVERS, INDEX, component, piece, relationship, verified

COSIGN_VULN = "https://cosign.sigstore.dev/attestation/vuln/v1"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"
MODEL = {
    "modelParameters": {"task": "text-generation", "datasets": [{"type": "dataset", "name": "c4"}, {"ref": "ref-c4"}]},
    "considerations": {"useCases": ["chat"]},
}

DOCUMENTS: Mapping[str, tuple[str, Any]] = {
    "cyclonedx": (
        "https://cyclonedx.org/bom",
        documents.cyclonedx(
            component("torch", components=[component("nested")]),
            component("llama", type="machine-learning-model", modelCard=MODEL),
            component("c4", type="data"),
            component("x", licenses=[{"expression": "MIT OR (Zlib AND BSD-3-Clause)", "acknowledgement": "concluded"}]),
            compositions=[{"aggregate": "complete", "dependencies": ["image"]}],
        ),
    ),
    "spdx": ("https://spdx.dev/Document/v2.3", documents.spdx()),
    "spdx3": (
        "https://spdx.dev/Document/v3",
        documents.spdx3(
            {"type": "ai_AIPackage", "spdxId": "urn:llama", "name": "llama", "ai_domain": ["text"]},
            relationship("urn:llama", "trainedOn", "urn:c4"),
            {"type": "dataset_DatasetPackage", "spdxId": "urn:c4", "name": "c4"},
        ),
    ),
    "trivy": ("https://example.com/trivy", documents.trivy(documents.trivy_found())),
    "grype": ("https://example.com/grype", documents.grype(documents.grype_match())),
    "sarif": (
        "https://example.com/sarif",
        documents.sarif({"ruleId": "CVE-2026-1000", "level": "error", "ruleIndex": 0}, {"ruleIndex": 0}),
    ),
    "cosign vuln": (COSIGN_VULN, documents.cosign_vuln(documents.trivy(documents.trivy_found()))),
    "in-toto vulns": (
        VULNS,
        documents.in_toto_vulns({"id": "CVE-2026-1", "severity": [{"method": "nvd", "score": "high"}]}),
    ),
    "openvex": ("https://openvex.dev/ns/v0.2.0", documents.openvex(documents.vex_statement())),
    "slsa v1": (SLSA_V1, documents.slsa_v1()),
    "slsa v0.2": (SLSA_V02, documents.slsa_v02()),
    "svr": (SVR, documents.svr("A")),
    "vsa v1": (VSA_V1, documents.vsa()),
    "vsa v0.2": (VSA_V02, documents.vsa()),
}

_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "pkg:", "pkg:a/@", "pkg:oci/x@sha256:", "((((", "NONE"]
)
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def put(value: Any, path: tuple[str | int, ...], replacement: Any) -> Any:
    if not path:
        return replacement
    changed = copy.deepcopy(value)
    part = changed
    for token in path[:-1]:
        part = part[token]
    part[path[-1]] = replacement
    return changed


def outcome(evidence: Verified | Piece) -> Digest | Refused | None:
    """What becomes of it, through to the facts, which have to be JSON of a bounded size."""
    found = digested(evidence)
    digests, refused = ([found], []) if isinstance(found, Digest) else ([], [found] if found else [])
    facts = image_facts(digests, refused, digest=INDEX, platforms={COVERS: "linux/amd64"})
    assert len(orjson.dumps(facts)) < 2 * MAX_ELEMENT_BYTES
    return found


@settings(max_examples=4 * settings().max_examples)
@given(data=st.data())
def test_any_value_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    predicate_type, whole = data.draw(st.sampled_from(sorted(DOCUMENTS.values(), key=lambda pair: pair[0])))
    path = data.draw(st.sampled_from(list(places(whole))))
    outcome(verified(predicate_type, put(whole, path, data.draw(ANY_VALUE))))


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("value", [None, "", "x", 7, 0.0, -1.5, 10**400, True, [], [[]], ["x"], [None], {}, {"x": 1}])
def test_each_place_takes_each_type(name: str, value: Any) -> None:
    predicate_type, whole = DOCUMENTS[name]
    for path in places(whole):
        outcome(verified(predicate_type, put(whole, path, value)))


@settings(max_examples=2 * settings().max_examples)
@given(content=st.binary(max_size=200) | ANY_VALUE.map(lambda value: repr(value).encode(errors="replace")))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for media_type in ("application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.in-toto+json", ""):
        outcome(piece(content, media_type))


@pytest.mark.parametrize(
    ("content", "reason", "said"),
    [
        (b"<bom/>", Reason.MALFORMED, "is not JSON"),
        (b'{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX"}', Reason.MALFORMED, "uplicate"),
        (b"[" * 300 + b"]" * 300, Reason.MALFORMED, "recursion limit"),
        (b'{"a":' * 100_000, Reason.MALFORMED, "recursion limit"),
        (b'{"bomFormat": "CycloneDX", "specVersion": NaN}', Reason.MALFORMED, "is not JSON"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.3"}', Reason.MALFORMED, "1.4, 1.5, 1.6, 1.7 are"),
        (b'{"bomFormat": "CycloneDX", "specVersion": 1.6}', Reason.MALFORMED, "malformed at /specVersion"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), Reason.MALFORMED, f"at most {MAX_DOCUMENT_BYTES}"),
    ],
)
def test_refusals_say_what_is_wrong(content: bytes, reason: Reason, said: str) -> None:
    found = digested(piece(content, "application/vnd.cyclonedx+json"))
    assert isinstance(found, Refused)
    assert (found.reason, said in found.message, len(found.message) < 400) == (reason, True, True)


def test_a_hundred_megabytes_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(InputError, match="at most"):
        parsed(b'"' + b"a" * 100 * 2**20 + b'"')


@pytest.mark.parametrize("value", [b"[],", b"{},", b"0,"])
def test_millions_of_values_are_refused_before_they_are_parsed(value: bytes) -> None:
    with pytest.raises(InputError, match="more than 1000000 values"):
        parsed(b"[" + value * 1_000_000 + b"0]")


def test_components_nested_as_deep_as_json_may_be() -> None:
    inner: dict[str, Any] = component("leaf")
    for depth in range(85):
        inner = component(f"c{depth}", components=[inner])
    assert sbom_fact(parsed(orjson.dumps(documents.cyclonedx(inner))))["components"] == 86


def test_dependencies_in_a_circle() -> None:
    circle = [{"ref": "ref-a", "dependsOn": ["ref-b"]}, {"ref": "ref-b", "dependsOn": ["ref-a", "ref-b"]}]
    fact = sbom_fact(documents.cyclonedx(component("a"), component("b"), dependencies=circle))
    assert fact["dependencies"] == {"related": 2, "completeness": "unknown"}


def test_too_many_components() -> None:
    with pytest.raises(InputError, match="more than 100000 components"):
        sbom_fact(documents.cyclonedx(*([component("a")] * 100_001)))


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "yesterday", "9" * 10_000])
def test_times_that_no_calendar_has_are_no_times(time: str) -> None:
    fact = sbom_fact(documents.cyclonedx(metadata={"timestamp": time}))
    assert (fact["created"], fact["missing"]["ntia-2021"]["timestamp"]) == ("", 1)


def test_the_last_year_is_a_time() -> None:
    assert (
        sbom_fact(documents.cyclonedx(metadata={"timestamp": "9999-12-31T23:59:59Z"}))["created"]
        == "9999-12-31T23:59:59Z"
    )


def test_long_names_are_cut_and_the_fact_says_so() -> None:
    fact = sbom_fact(documents.cyclonedx(component("n" * 2**20, purl="")))
    assert (fact["packages"], fact["truncated"]) == ({"vllm": [COVERS]}, ["packages"])


def test_a_document_that_comes_to_too_much_is_refused() -> None:
    alternatives = " OR ".join(f"LicenseRef-{'x' * 50}{index}" for index in range(30))
    licences = [
        component(f"c{index}", licenses=[{"expression": f"L{index} OR {alternatives}"}]) for index in range(500)
    ]
    found = digested(piece(orjson.dumps(documents.cyclonedx(*licences)), "application/vnd.cyclonedx+json"))
    assert isinstance(found, Refused)
    assert found.reason is Reason.TOO_LARGE


def test_an_unsigned_statement_is_about_what_it_hangs_on() -> None:
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "subject": [{"name": "x", "digest": {"sha256": "00" * 32}}],
        "predicate": documents.spdx(),
    }
    found = digested(piece(orjson.dumps(statement), "application/vnd.in-toto+json", Layout.BUILDKIT))
    assert isinstance(found, Refused)
    assert (found.reason, found.message) == (
        Reason.WRONG_SUBJECT,
        f"the statement is not about {COVERS}, which it hangs on",
    )


def test_expressions_and_statements_that_multiply_are_read_in_their_limits() -> None:
    alternatives = [f"({' OR '.join(f'L{first}x{second}' for second in range(12))})" for first in range(8)]
    expressions = [{"expression": " AND ".join([*alternatives[:4], f"X{index}"])} for index in range(600)]
    fact = sbom_fact(documents.cyclonedx(*(component(f"c{i}", licenses=[each]) for i, each in enumerate(expressions))))
    assert not any(licence["read"] for licence in fact["licences"])
    statements = [documents.vex_statement(products=[{"@id": f"pkg:pypi/p{n}@1"}]) for n in range(2000)]
    found = [documents.trivy_found(PkgIdentifier={"PURL": f"pkg:pypi/p{n}@1"}) for n in range(4000)]
    evidence = [
        digested(verified(COSIGN_VULN, documents.cosign_vuln(documents.trivy(*found)))),
        digested(verified("https://openvex.dev/ns", documents.openvex(*statements))),
    ]
    digests = [each for each in evidence if isinstance(each, Digest)]
    value = image_facts(digests, [], digest=INDEX, platforms={})["vulnerabilities"]
    assert value is not None
    assert value["scans"][0]["counts"]["high"] == 2000
