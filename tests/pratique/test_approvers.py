"""Approvals of waivers in files: what counts, and for everything that does not, the sentence that says why."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.approvers import PAYLOAD_TYPE, approver_list, read_approvers, waiver_payload
from pratique.configuration import Configuration, approval_document, build, load_configuration
from pratique.decision import Severity
from pratique.dsse import MAX_SIGNATURES, pre_authentication_encoding
from pratique.errors import ConfigError, InputError, Problem
from pratique.keys import read_public_key
from pratique.waiver import Waiver
from pratique.yamlfile import Document
from tests.support.approvals import (
    BOB,
    GRACE,
    Someone,
    approval,
    approved,
    approvers,
    approvers_document,
    ecdsa,
    ed25519,
    openssh_public,
    private_pem,
    public_pem,
    request,
    sign,
)
from tests.support.policies import binding, policy, policy_set

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
POLICIES = policy_set(
    policy("gpu/limit", id="GPU-001", parameters={"max_gpus": {"type": "integer", "default": 4}}),
    policy("gpu/other", id="GPU-002", parameters={"max_gpus": {"type": "integer", "default": 4}}),
    policy("workload/privileged", id="WORKLOAD-002", severity=Severity.CRITICAL),
)
BOUND = binding("gpus", "gpu/limit")
ASKED = request("w", ["gpu/limit"], parameters={"max_gpus": 16})


def loaded(*documents: object, trusted: Document | None = None) -> Configuration:
    given: list[Document | Problem] = [
        approval_document(value, f"{index}.dsse.json")
        if isinstance(value, dict) and "payloadType" in value
        else Document("test.yaml", index, index + 1, value)
        for index, value in enumerate((BOUND, *documents))
    ]
    return build(given, POLICIES, approvers=trusted or approvers_document())


def waiver(*documents: object, trusted: Document | None = None) -> Waiver:
    (found,) = loaded(*documents, trusted=trusted).waivers
    return found


def why(*documents: object, trusted: Document | None = None, now: datetime = NOW) -> str:
    return waiver(*documents, trusted=trusted).why_not(now)


def with_spec(document: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    return {**document, "spec": {**document["spec"], **spec}}


# What counts


@pytest.mark.parametrize(
    "key",
    [ed25519(), ecdsa(), ecdsa(curve=ec.SECP384R1()), ecdsa(curve=ec.SECP521R1())],
    ids=["ed25519", "p256", "p384", "p521"],
)
@pytest.mark.parametrize("written", [public_pem, openssh_public], ids=["pem", "openssh"])
def test_a_waiver_that_an_approver_signed_counts(key: Any, written: Any) -> None:
    trusted = approvers_document({"name": GRACE.name, "policies": ["gpu/*"], "keys": [written(key)]})
    found = waiver(ASKED, approval(ASKED, GRACE, key=key), trusted=trusted)
    assert (found.why_not(NOW), found.requested_by, found.approved_by, found.approved_at) == (
        "",
        "ada@example.com",
        "grace@example.com",
        datetime(2026, 11, 1, tzinfo=UTC),
    )
    assert found.document == approved(ASKED, by=GRACE.name)


def test_the_waiver_may_repeat_who_approved_it_and_is_the_same_then() -> None:
    whole = approved(ASKED, by=GRACE.name)
    assert waiver(whole, approval(ASKED)).digest == waiver(ASKED, approval(ASKED)).digest


def test_status_and_annotations_are_no_part_of_what_is_approved() -> None:
    living = {**ASKED, "status": {"conditions": []}, "metadata": {"name": "w", "uid": "1", "labels": {"a": "b"}}}
    assert why(living, approval(ASKED)) == ""


def test_of_several_approvals_one_that_counts_is_enough() -> None:
    stale = approval(with_spec(ASKED, reason="another"))
    for order in ((stale, approval(ASKED)), (approval(ASKED), stale)):
        assert why(ASKED, *order) == ""


def test_an_approval_of_something_else_changes_nothing() -> None:
    other = request("other", ["gpu/limit"])
    found = loaded(ASKED, approval(ASKED), approval(other))
    assert [each.why_not(NOW) for each in found.waivers] == [""]


def test_a_key_is_rotated_by_listing_both_and_retired_by_removing_it() -> None:
    old, new = ed25519(7), ed25519(8)

    def by(*keys: Any) -> Document:
        entry = {"name": GRACE.name, "policies": ["*"], "keys": [public_pem(key) for key in keys]}
        return approvers_document(entry)

    for key in (old, new):
        assert why(ASKED, approval(ASKED, key=key), trusted=by(old, new)) == ""
    assert why(ASKED, approval(ASKED, key=new), trusted=by(new)) == ""
    assert why(ASKED, approval(ASKED, key=old), trusted=by(new)) == (
        "its signature is not by a key that is listed for grace@example.com, or was altered after it was made"
    )


# What does not, and why


def test_a_waiver_without_a_signature_does_not_count_whatever_it_says_of_itself() -> None:
    for document in (ASKED, approved(ASKED, by=GRACE.name)):
        assert why(document) == "it is not approved: there is no signature for it"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"reason": "another"}, "/spec/reason"),
        ({"expires": "2026-12-01T00:00:01Z"}, "/spec/expires"),
        ({"parameters": {"max_gpus": 17}}, "/spec/parameters"),
        ({"match": {"names": ["a"]}}, "/spec/match"),
        ({"policies": ["gpu/limit", "gpu/other"]}, "/spec/policies"),
        ({"ticket": "T-1", "requestedBy": "eve@example.com"}, "/spec/requestedBy, /spec/ticket"),
        ({"approvedBy": "bob@example.com"}, "/spec/approvedBy"),
        ({"approvedAt": "2026-11-01T00:00:01Z"}, "/spec/approvedAt"),
    ],
)
def test_a_waiver_that_was_changed_does_not_count_and_says_where(change: dict[str, Any], where: str) -> None:
    assert why(with_spec(ASKED, **change), approval(ASKED)) == (
        f"it was changed after grace@example.com approved it ({where}); it has to be approved again"
    )


def test_a_field_that_is_gone_is_a_change() -> None:
    without = copy.deepcopy(ASKED)
    del without["spec"]["parameters"]
    assert why(without, approval(ASKED)) == (
        "it was changed after grace@example.com approved it (/spec/parameters); it has to be approved again"
    )


ALTERED = "its signature is not by a key that is listed for grace@example.com, or was altered after it was made"


def test_one_altered_bit_anywhere_in_payload_or_signature_is_noticed() -> None:
    good = approval(ASKED)
    assert why(ASKED, good) == ""
    payload, signature = base64.b64decode(good["payload"]), base64.b64decode(good["signatures"][0]["sig"])
    for index in range(len(payload)):
        altered = bytearray(payload)
        altered[index] ^= 1
        assert why(ASKED, {**good, "payload": base64.b64encode(altered).decode()}) != ""
    for index in range(len(signature)):
        value = bytearray(signature)
        value[index] ^= 1
        bad = {**good, "signatures": [{"keyid": "", "sig": base64.b64encode(value).decode()}]}
        assert why(ASKED, bad) == ALTERED


def test_the_payload_of_another_waiver_under_this_signature_is_noticed() -> None:
    more = waiver_payload(approved(with_spec(ASKED, parameters={"max_gpus": 99}), by=GRACE.name))
    forged = {**approval(ASKED), "payload": base64.b64encode(more).decode()}
    assert why(with_spec(ASKED, parameters={"max_gpus": 99}), forged) == ALTERED


def test_the_key_hint_decides_nothing() -> None:
    good = approval(ASKED)
    sig = good["signatures"][0]["sig"]
    assert why(ASKED, {**good, "signatures": [{"keyid": "sha256:00", "sig": sig}]}) == ""
    assert why(ASKED, {**good, "signatures": [{"sig": sig}]}) == ""


def test_a_signature_in_the_name_of_another_approver_does_not_count() -> None:
    assert why(ASKED, approval(ASKED, GRACE, key=BOB.key)) == (
        "its approval names grace@example.com, and is signed with a key of bob@example.com"
    )


def test_who_is_not_in_the_list_cannot_approve() -> None:
    mallory = Someone("mallory@example.com", ed25519(9))
    assert why(ASKED, approval(ASKED, mallory)) == "mallory@example.com is not in the list of approvers"


def test_an_approver_of_other_policies_cannot_approve() -> None:
    assert why(ASKED, approval(ASKED, BOB)) == "bob@example.com is not an approver of gpu/limit"
    both = request("w", ["workload/privileged", "gpu/limit"])
    assert why(both, approval(both, BOB)) == "bob@example.com is not an approver of gpu/limit"
    twin = request("w", ["workload/privileged"], expires="2026-11-30T00:00:00Z")
    assert why(twin, approval(twin, BOB)) == ""


@pytest.mark.parametrize("requester", ["grace@example.com", "Grace@Example.com "])
def test_an_approver_cannot_approve_what_they_asked_for(requester: str) -> None:
    own = with_spec(ASKED, requestedBy=requester)
    assert why(own, approval(own)) == (
        "grace@example.com both asked for it and approved it; somebody else must approve it"
    )


def test_a_signed_payload_that_is_not_canonical_or_of_another_type_is_no_approval() -> None:
    payload = waiver_payload(approved(ASKED, by=GRACE.name))
    spaced = json.dumps(json.loads(payload)).encode()
    twice = payload.replace(b'{"apiVersion"', b'{"kind":"x","apiVersion"', 1)
    for envelope in (
        sign(spaced, GRACE.key),
        sign(twice, GRACE.key),
        sign(payload, GRACE.key, payload_type="application/json"),
        sign(b"[]", GRACE.key),
        sign(b"\xff", GRACE.key),
        sign(b"[" * 100_000, GRACE.key),
    ):
        assert why(ASKED, envelope) == "it is not approved: there is no signature for it"
    assert why(ASKED, sign(payload, GRACE.key)) == ""


# Time


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-10-31T23:59:59.999999Z", "it counts from 2026-11-01T00:00:00Z on, which its approval says"),
        ("2026-11-01T00:00:00Z", ""),
        ("2026-11-30T23:59:59.999999Z", ""),
        ("2026-12-01T00:00:00Z", "it expired at 2026-12-01T00:00:00Z"),
    ],
)
def test_it_counts_from_its_approval_until_before_its_end(now: str, expected: str) -> None:
    assert why(ASKED, approval(ASKED), now=datetime.fromisoformat(now)) == expected


@pytest.mark.parametrize(
    ("policies", "days"),
    [(["gpu/limit"], 90), (["workload/privileged"], 30), (["gpu/limit", "workload/privileged"], 30)],
)
def test_the_worse_what_is_waived_the_sooner_it_ends(policies: list[str], days: int) -> None:
    end = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=days)
    whole = request("w", policies, expires=end.isoformat())
    assert why(whole, approval(whole)) == ""
    longer = request("w", policies, expires=(end + timedelta(seconds=1)).isoformat())
    strictest = {90: "gpu/limit (high)", 30: "workload/privileged (critical)"}[days]
    assert why(longer, approval(longer)) == (
        f"it runs for {days} days and 0:00:01 from its approval on, and one from {strictest} may run for {days} days"
    )


def test_the_list_says_how_long_and_what_it_does_not_say_has_the_default() -> None:
    trusted = approvers_document(maximumDays={"high": 29})
    assert why(ASKED, approval(ASKED), trusted=trusted) == (
        "it runs for 30 days from its approval on, and one from gpu/limit (high) may run for 29 days"
    )
    assert approver_list(trusted).maximum == {
        Severity.LOW: timedelta(365),
        Severity.MEDIUM: timedelta(180),
        Severity.HIGH: timedelta(29),
        Severity.CRITICAL: timedelta(30),
    }


def test_an_approval_that_is_dated_ahead_does_not_lengthen_a_waiver() -> None:
    """From its approval to its end it is short enough; but it does not count before."""
    far = with_spec(ASKED, expires="2030-02-01T00:00:00Z")
    ahead = approval(far, at="2030-01-01T00:00:00Z")
    assert why(far, ahead) == "it counts from 2030-01-01T00:00:00Z on, which its approval says"


def test_an_approval_after_the_end_does_not_count_and_unloads_nothing() -> None:
    assert why(ASKED, approval(ASKED, at="2026-12-01T00:00:00Z")) == "it ends before it was approved"


# The list


@pytest.mark.parametrize(
    ("entries", "spec", "problem"),
    [
        ((), {"approvers": []}, "/spec/approvers: "),
        (({"name": "a", "policies": ["*"]},), {}, "/spec/approvers/0: a has neither keys nor groups"),
        ((GRACE.entry, {**BOB.entry, "name": "GRACE@example.com"}), {}, "/spec/approvers/1/name: there is a second"),
        (
            (GRACE.entry, {**GRACE.entry, "name": "b"}),
            {},
            "/spec/approvers/1/keys/0: grace@example.com has the same key",
        ),
        (({**GRACE.entry, "policies": []},), {}, "/spec/approvers/0/policies: "),
        (({**GRACE.entry, "role": "boss"},), {}, "/spec/approvers/0: Additional properties"),
        (({**GRACE.entry, "keys": ["nonsense"]},), {}, "/spec/approvers/0/keys/0: this is not a public key"),
        ((GRACE.entry,), {"maximumDays": {"high": 0}}, "/spec/maximumDays/high: "),
    ],
)
def test_a_bad_list_is_refused_with_the_place(entries: tuple[Any, ...], spec: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(ASKED, trusted=approvers_document(*entries, **spec))
    assert f"approvers.yaml: line 1, {problem}" in str(caught.value)


def test_only_strong_public_keys_are_taken() -> None:
    weak = rsa.generate_private_key(65537, 2048).public_key()
    with pytest.raises(InputError, match="neither Ed25519 nor ECDSA on P-256, P-384 or P-521"):
        read_public_key(weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    with pytest.raises(InputError, match="this is a private key"):
        read_public_key(private_pem(ed25519()).decode())
    with pytest.raises(InputError, match="at most 16384 characters"):
        read_public_key("x" * 16_385)


def test_the_file_of_the_list_holds_one_document(tmp_path: Path) -> None:
    file = tmp_path / "approvers.yaml"
    with pytest.raises(ConfigError, match="the approvers cannot be read: No such file"):
        read_approvers(file)
    file.write_text(yaml.safe_dump_all([approvers(), approvers()]))
    with pytest.raises(ConfigError, match="there are 2 documents; write one ApproverList"):
        read_approvers(file)
    file.write_text("a: [")
    with pytest.raises(ConfigError, match="line 2"):
        read_approvers(file)


# Files, digests


def test_signatures_lie_beside_what_they_approve(tmp_path: Path) -> None:
    config, trusted = tmp_path / "config", tmp_path / "approvers.yaml"
    (config / "sub").mkdir(parents=True)
    trusted.write_text(yaml.safe_dump(approvers()))
    (config / "bindings.yaml").write_text(yaml.safe_dump_all([BOUND, ASKED]))
    unsigned = load_configuration(config, POLICIES, approvers=trusted)
    (config / "sub" / "any-name.dsse.json").write_text(json.dumps(approval(ASKED)))
    signed = load_configuration(config, POLICIES, approvers=trusted)
    assert [each.waivers[0].why_not(NOW) for each in (unsigned, signed)] == [
        "it is not approved: there is no signature for it",
        "",
    ]
    assert signed.digest != unsigned.digest
    assert load_configuration(config, POLICIES).waivers[0].why_not(NOW) == (
        "its approval is not attested: no approver's key or identity is configured"
    )
    (config / "bindings.yaml.w.12345678.dsse.json").write_text(json.dumps(approval(ASKED)))
    alone = load_configuration(config / "bindings.yaml", POLICIES, approvers=trusted)
    assert (alone.waivers[0].why_not(NOW), alone.digest) == ("", signed.digest)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "bad.dsse.json: the JSON cannot be read"),
        ("[]", "bad.dsse.json: this is not a DSSE envelope"),
        ('{"signatures": []}', f"bad.dsse.json: a DSSE envelope has from 1 to {MAX_SIGNATURES} signatures"),
        ('{"signatures": [{"sig": "!"}]}', "bad.dsse.json: the sig of the DSSE envelope is not base64"),
        ('{"signatures": [1]}', "bad.dsse.json: a signature of the DSSE envelope is not an object"),
        ('{"signatures": [{"sig": ""}]}', "bad.dsse.json: the payloadType of the DSSE envelope is not text"),
        ('{"signatures": [{"sig": ""}], "payloadType": "t"}', "bad.dsse.json: the DSSE envelope has no payload"),
    ],
)
def test_a_signature_file_that_is_none_is_a_problem(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "bindings.yaml").write_text(yaml.safe_dump(BOUND))
    (tmp_path / "bad.dsse.json").write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_configuration(tmp_path, POLICIES)
    assert problem in str(caught.value)


def test_the_digest_covers_the_list_and_the_approvals() -> None:
    asked, signed = loaded(ASKED), loaded(ASKED, approval(ASKED))
    other = loaded(ASKED, approval(ASKED), trusted=approvers_document(GRACE.entry))
    assert len({asked.digest, signed.digest, other.digest}) == 3


def test_what_was_recorded_gives_the_same_waivers_again() -> None:
    first = loaded(ASKED, approval(ASKED))
    documents = [Document("recorded", index, 0, value) for index, value in enumerate(first.documents)]
    again = build(documents, POLICIES, recorded=True)
    assert (again.digest, again.documents, again.waivers) == (first.digest, first.documents, first.waivers)


# The format itself


def test_pre_authentication_encoding_is_that_of_the_specification() -> None:
    """The example of protocol.md (secure-systems-lab/dsse)."""
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_the_payload_is_the_canonical_document() -> None:
    document = request("w", ["gpu/limit"], parameters={"max_gpus": 16.0, "b": 1e21, "\u20ac": "\u00f6"}, reason="r")
    assert PAYLOAD_TYPE == "application/vnd.pratique.waiver.v1alpha1+json"
    assert waiver_payload({**document, "status": {}}).decode() == (
        '{"apiVersion":"pratique.dev/v1alpha1","kind":"Waiver","metadata":{"name":"w"},"spec":{"expires":'
        '"2026-12-01T00:00:00Z","match":{},"parameters":{"b":1e+21,"max_gpus":16,"\u20ac":"\u00f6"},"policies":["gpu/limit"],'
        '"reason":"r","requestedBy":"ada@example.com"}}'
    )


def test_numbers_that_canonical_json_does_not_have_are_refused_and_never_approved() -> None:
    big = request("w", ["gpu/limit"], parameters={"max_gpus": 2**53})
    with pytest.raises(InputError, match="canonical JSON cannot carry"):
        waiver_payload(big)
    near = approval(request("w", ["gpu/limit"], parameters={"max_gpus": 2**53 - 1}))
    assert why(big, near).startswith("it was changed after grace@example.com approved it (/spec/parameters)")
