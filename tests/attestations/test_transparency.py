"""Entries of transparency logs: each check of one, and proofs of inclusion in every small tree."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from attestations.bundle import MAX_PROOF_HASHES, LogEntry, parse_bundle
from attestations.evidence import Reason
from attestations.public_keys import Message
from attestations.refusal import Refusal
from attestations.transparency import LARGEST_TIME, MAX_NOTE_SIGNATURES, Claim, check_entry, root_of_proof
from attestations.trusted_root import parse_trusted_root
from pratique.dsse import pre_authentication_encoding
from tests.support.signatures import (
    STATEMENT,
    Key,
    dsse_body,
    hashedrekord_2_body,
    hashedrekord_body,
    intoto_2_body,
    intoto_body,
    statement,
)
from tests.support.sigstore_root import REKOR_2, Instance, Object, Tree, b64


def leaf(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def test_every_leaf_of_every_small_tree_is_proven() -> None:
    for size in range(1, 34):
        bodies = [b"%d" % each for each in range(size)]
        for index in range(size):
            root, path = Tree(bodies).proof(index)
            assert root_of_proof(leaf(bodies[index]), index, size, tuple(path)) == root
            for other in range(size):
                if other != index:
                    assert root_of_proof(leaf(bodies[other]), index, size, tuple(path)) != root


@given(st.integers(2, 40), st.data())
def test_a_path_that_is_altered_leads_elsewhere(size: int, data: st.DataObject) -> None:
    bodies = [b"%d" % each for each in range(size)]
    index = data.draw(st.integers(0, size - 1))
    root, path = Tree(bodies).proof(index)
    at = data.draw(st.integers(0, len(path) - 1))
    for altered in (
        [*path[:at], *path[at + 1 :]],
        [*path[:at], hashlib.sha256(path[at]).digest(), *path[at + 1 :]],
        [*path, path[at]],
        [path[at], *path],
    ):
        assert root_of_proof(leaf(bodies[index]), index, size, tuple(altered)) != root


@given(
    st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.lists(st.binary(max_size=40), max_size=MAX_PROOF_HASHES)
)
def test_whatever_is_said_to_be_a_path_has_an_answer(index: int, size: int, hashes: list[bytes]) -> None:
    answer = root_of_proof(b"leaf", index, size, tuple(hashes))
    assert answer is None or ((index < size and len(answer) == len(hashlib.sha256().digest())) or not hashes)


# entries


KEY = Key()
PAYLOAD = statement()
MESSAGE = pre_authentication_encoding(STATEMENT, PAYLOAD)
SIGNATURE = KEY.sign(MESSAGE)
ENVELOPE = b"{}"
CLAIM = Claim(SIGNATURE, KEY.verifier[0], Message(MESSAGE), {}, PAYLOAD, ENVELOPE)
BYTES = Claim(SIGNATURE, KEY.verifier[0], Message(MESSAGE), {})
BODIES: dict[str, tuple[Object, Claim]] = {
    "hashedrekord 0.0.1": (hashedrekord_body(KEY, MESSAGE, SIGNATURE), BYTES),
    "hashedrekord 0.0.2": (hashedrekord_2_body(KEY, MESSAGE, SIGNATURE), CLAIM),
    "dsse 0.0.1": (dsse_body(KEY, {}, PAYLOAD, SIGNATURE), CLAIM),
    "intoto 0.0.1": (intoto_body(KEY, ENVELOPE), CLAIM),
    "intoto 0.0.2": (intoto_2_body(KEY, PAYLOAD, SIGNATURE), CLAIM),
}


def entry(document: Object) -> LogEntry:
    """The entry that `document` is in a bundle of version 0.3, or 0.1 where it has no proof."""
    version = "v0.3+json" if "inclusionProof" in document else "json;version=0.1"
    media_type = f"application/vnd.dev.sigstore.bundle{'.' if 'v0' in version else '+'}{version}"
    material = {"publicKey": {}, "tlogEntries": [document]}
    bundle = {"mediaType": media_type, "verificationMaterial": material, "messageSignature": {"signature": "AAAA"}}
    (made,) = parse_bundle(json.dumps(bundle).encode()).material.entries
    return made


def logged(instance: Instance, body: Object, **options: Any) -> LogEntry:
    second = "hashedRekordV002" in body["spec"]
    return entry(instance.entry_2(body) if second else instance.entry(body, **options))


@pytest.mark.parametrize("kind", BODIES)
def test_an_entry_of_every_kind_is_about_a_signature(kind: str, instance: Instance) -> None:
    body, claim = BODIES[kind]
    root = parse_trusted_root(instance.root())
    at = check_entry(logged(instance, body), root, claim, stamped=None)
    assert at == (None if kind == "hashedrekord 0.0.2" else instance.now)


@pytest.mark.parametrize(
    "change",
    [
        {"signature": b"another"},
        {"verifier": Key().verifier[0]},
        {"message": Message(b"another"), "payload": b"another", "envelope": b"another"},
    ],
    ids=["signature", "key", "content"],
)
@pytest.mark.parametrize("kind", BODIES)
def test_an_entry_is_about_one_signature_only(kind: str, change: dict[str, Any], instance: Instance) -> None:
    body, claim = BODIES[kind]
    if claim.payload is None:
        change = {name: value for name, value in change.items() if name not in ("payload", "envelope")}
    entry_ = logged(instance, body)
    if kind == "intoto 0.0.1" and "signature" in change:  # the hash of the envelope stands for its signature
        check_entry(entry_, parse_trusted_root(instance.root()), replace(claim, **change), stamped=None)
        return
    assert refusal(entry_, instance, replace(claim, **change)) == (
        "the log entry is about another signature, key or content than this one"
    )


def test_what_is_logged_as_bytes_is_no_envelope(instance: Instance) -> None:
    body, _ = BODIES["hashedrekord 0.0.1"]
    assert refusal(logged(instance, body), instance, CLAIM).startswith("the log entry is about another signature")
    for kind in ("dsse 0.0.1", "intoto 0.0.1", "intoto 0.0.2"):
        body, _ = BODIES[kind]
        assert refusal(logged(instance, body), instance, BYTES).startswith("the log entry is about another signature")


def refusal(
    entry_: LogEntry,
    instance: Instance,
    claim: Claim = CLAIM,
    *,
    root: bytes | None = None,
    stamped: datetime | None = None,
) -> str:
    with pytest.raises(Refusal) as raised:
        check_entry(entry_, parse_trusted_root(root or instance.root()), claim, stamped=stamped)
    assert raised.value.reason is Reason.NOT_IN_LOG
    return str(raised.value)


def test_each_part_of_an_entry_is_checked(instance: Instance) -> None:
    good = logged(instance, BODIES["dsse 0.0.1"][0])
    assert good.proof is not None
    promised, proven = replace(good, proof=None), replace(good, promise=b"")
    root = parse_trusted_root(instance.root())
    assert check_entry(promised, root, CLAIM, stamped=None) == instance.now
    assert check_entry(proven, root, CLAIM, stamped=None) is None
    other = logged(instance, {**BODIES["dsse 0.0.1"][0], "more": 1})
    assert other.proof is not None
    unsigned = "the promise of the log (signed entry timestamp) is not signed by it"
    for altered, message in [
        (replace(good, promise=b"", proof=None), "the entry has neither a promise nor a proof of the log"),
        (replace(promised, time=good.time + 1), unsigned),
        (replace(promised, index=good.index + 1), unsigned),
        (replace(promised, body=other.body), unsigned),
        (replace(promised, promise=other.promise), unsigned),
        (replace(promised, index=2**60), "the entry has a number that canonical JSON cannot carry"),
        (replace(proven, body=other.body), "the proof does not lead from the entry to the root of the log's tree"),
        (
            replace(proven, proof=replace(good.proof, checkpoint=other.proof.checkpoint)),
            "the proof is for another tree than the one that the log signed",
        ),
        (
            replace(proven, proof=replace(good.proof, checkpoint=f"x{good.proof.checkpoint}")),
            "the checkpoint is not signed by the log",
        ),
        (
            replace(proven, proof=replace(good.proof, checkpoint="x")),
            "the checkpoint is not a signed note with origin, size and root",
        ),
        (replace(good, kind="intoto"), "the body of the log entry is of another kind than the entry says"),
        (replace(good, version="0.0.2"), "the body of the log entry is of another kind than the entry says"),
    ]:
        assert refusal(altered, instance) == message


def test_a_tree_of_another_size_by_the_same_path_is_another_one(instance: Instance) -> None:
    """A path can lead to one root in trees of two sizes; which of them it is, the log has signed."""
    good = replace(logged(instance, BODIES["dsse 0.0.1"][0]), promise=b"")
    assert good.proof is not None
    leaf_ = leaf(good.body)
    sizes = [size for size in range(good.proof.size - 2, good.proof.size + 64) if size != good.proof.size]
    same = [
        size for size in sizes if root_of_proof(leaf_, good.proof.index, size, good.proof.hashes) == good.proof.root
    ]
    assert same
    for size in same[:3]:
        altered = replace(good, proof=replace(good.proof, size=size))
        assert refusal(altered, instance) == "the proof is for another tree than the one that the log signed"


def test_a_checkpoint_has_a_few_signatures(instance: Instance) -> None:
    good = replace(logged(instance, BODIES["dsse 0.0.1"][0]), promise=b"")
    assert good.proof is not None
    line = f"\u2014 witness {b64(b'hint' + SIGNATURE)}\n"
    for count, counts in ((MAX_NOTE_SIGNATURES - 1, True), (MAX_NOTE_SIGNATURES, False)):
        altered = replace(good, proof=replace(good.proof, checkpoint=good.proof.checkpoint + line * count))
        if counts:
            assert check_entry(altered, parse_trusted_root(instance.root()), CLAIM, stamped=None) is None
            continue
        with pytest.raises(Refusal, match="the checkpoint has 65 signatures; at most 64 are read") as raised:
            check_entry(altered, parse_trusted_root(instance.root()), CLAIM, stamped=None)
        assert raised.value.reason is Reason.TOO_LARGE


def test_rekor_2_has_one_index(instance: Instance) -> None:
    good = logged(instance, BODIES["hashedrekord 0.0.2"][0])
    assert refusal(replace(good, index=good.index + 1), instance) == (
        "the entry and its proof name different places in the log"
    )


def test_a_checkpoint_of_rekor_2_names_its_log(instance: Instance) -> None:
    """One key may sign for two logs, of which one is trusted: what is signed says for which."""
    good = logged(instance, BODIES["hashedrekord 0.0.2"][0])
    for name, message in [
        ("https://log2.test.example", "and the trust root names another one"),
        ("", "and the trust root names another one"),
        (f"https://{REKOR_2}:3003/", None),
    ]:
        root = json.loads(instance.root())
        root["tlogs"][1]["baseUrl"] = name
        content = json.dumps(root).encode()
        if message is None:
            assert check_entry(good, parse_trusted_root(content), CLAIM, stamped=None) is None
        else:
            assert refusal(good, instance, root=content) == f"the checkpoint is of the log '{REKOR_2}', {message}"


def ended(instance: Instance, at: datetime) -> bytes:
    """The trust root of the instance, whose logs are closed."""
    root = json.loads(instance.root())
    for log in root["tlogs"]:
        log["publicKey"]["validFor"]["end"] = at.isoformat()
    return json.dumps(root).encode()


@pytest.mark.parametrize("kind", ["hashedrekord 0.0.2", "dsse 0.0.1"])
def test_a_log_that_is_closed_proves_what_was_stamped_before(kind: str, instance: Instance) -> None:
    """Whoever gets hold of the key of a closed log can make entries in it, and no stamps of a time that is gone."""
    body, claim = BODIES[kind]
    good = replace(logged(instance, body), promise=b"")
    root = ended(instance, instance.now)
    for stamped in (instance.now, instance.now - timedelta(days=10_000)):  # also from before there was the log
        assert check_entry(good, parse_trusted_root(root), claim, stamped=stamped) is None
    for late in (instance.now + timedelta(seconds=1), None):
        assert refusal(good, instance, claim, root=root, stamped=late) == (
            "the log has an end, and nothing proves that the signature is from before it"
        )


def test_each_key_of_a_log_has_its_own_time(instance: Instance) -> None:
    """A log may keep its id when it gets another key: the old one does not sign in the time of the new one."""
    good = logged(instance, BODIES["dsse 0.0.1"][0])
    root = json.loads(ended(instance, instance.now - timedelta(seconds=1)))
    old = root["tlogs"][0]
    key = {"rawBytes": b64(KEY.verifier[0]), "validFor": {"start": old["publicKey"]["validFor"]["end"]}}
    root["tlogs"].append({**old, "publicKey": key})
    assert refusal(good, instance, root=json.dumps(root).encode()) == (
        f"the log was not to be relied on at {instance.now.isoformat()}"
    )


def test_a_log_may_sign_what_nobody_understands(instance: Instance) -> None:
    body = {"kind": "rpm", "apiVersion": "0.0.1", "spec": {}}
    assert refusal(logged(instance, body), instance) == "a log entry of the kind 'rpm' '0.0.1' is not understood"
    body = BODIES["dsse 0.0.1"][0]
    good = replace(logged(instance, body), proof=None)
    for time, message in [
        (LARGEST_TIME + 1, "the time of the entry is beyond the year 9999"),
        (LARGEST_TIME, "the log was not to be relied on at 9999-12-31T23:59:59+00:00"),
    ]:
        root = json.loads(instance.root())
        root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2999-01-01T00:00:00Z"
        assert refusal(promised_at(instance, good, time), instance, root=json.dumps(root).encode()) == message


def promised_at(instance: Instance, good: LogEntry, time: int) -> LogEntry:
    """The entry with the promise that the log would make at `time`."""
    signed: dict[str, str | int] = {
        "body": b64(good.body),
        "integratedTime": time,
        "logID": good.log.hex(),
        "logIndex": good.index,
    }
    promise = instance.log_key.sign(rfc8785.dumps({**signed}), ec.ECDSA(hashes.SHA256()))
    return replace(good, time=time, promise=promise)
