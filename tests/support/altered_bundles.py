"""Bundles that somebody altered: every way of doing it that a verifier has to think of, each by its name.

`variants()` gives pairs of a name and a bundle, the unaltered one first. What became of each is for the tests to judge.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator

from tests.support.sigstore_root import Object, b64

Change = Callable[[Object], None]


def variants(bundle: Object, other: Object) -> Iterator[tuple[str, Object]]:
    """`bundle`, and each alteration of it that is possible; `other` is another good one of the same kind."""
    yield "as it is", bundle
    for name, change in _changes(other).items():
        altered = copy.deepcopy(bundle)
        try:
            change(altered)
        except (KeyError, IndexError):  # it has no such part
            continue
        if altered != bundle:
            yield name, altered


def flipped(encoded: str, at: int = -1) -> str:
    """Base64 of other bytes: the lowest bit of the byte `at` differs."""
    value = bytearray(base64.b64decode(encoded))
    value[at] ^= 1
    return b64(bytes(value))


def _changes(other: Object) -> dict[str, Change]:
    return {
        **_of_content(other),
        **_of_material(other),
        **_of_entry(other),
        **_of_proof(other),
        **_of_stamps(other),
        "media type of version 0.2": lambda b: b.update(
            mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"
        ),
        "media type of version 0.3, older spelling": lambda b: b.update(
            mediaType="application/vnd.dev.sigstore.bundle+json;version=0.3"
        ),
        "media type of version 0.9": lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.9+json"),
        "no media type": lambda b: b.pop("mediaType"),
    }


def _of_content(other: Object) -> dict[str, Change]:
    def signature(bundle: Object) -> Object:
        found: Object = (
            bundle["dsseEnvelope"]["signatures"][0] if "dsseEnvelope" in bundle else bundle["messageSignature"]
        )
        return found

    def named(bundle: Object) -> str:
        return "sig" if "dsseEnvelope" in bundle else "signature"

    def alter(change: Callable[[str], str]) -> Change:
        def altered(bundle: Object) -> None:
            part = signature(bundle)
            part[named(bundle)] = change(part[named(bundle)])

        return altered

    def envelope(**changes: object) -> Change:
        return lambda bundle: bundle["dsseEnvelope"].update(changes)

    def swap_content(bundle: Object) -> None:
        for name in ("dsseEnvelope", "messageSignature"):
            if name in bundle:
                bundle[name] = other[name]

    def nothing(bundle: Object) -> None:
        for name in ("dsseEnvelope", "messageSignature"):
            bundle.pop(name, None)

    def double(bundle: Object) -> None:
        bundle["dsseEnvelope"]["signatures"] *= 2

    def digest(bundle: Object) -> None:
        message = bundle["messageSignature"]["messageDigest"]
        message["digest"] = flipped(message["digest"])

    def payload(bundle: Object) -> None:
        bundle["dsseEnvelope"]["payload"] = flipped(bundle["dsseEnvelope"]["payload"], 40)

    return {
        "signature: last byte": alter(flipped),
        "signature: first byte": alter(lambda value: flipped(value, 0)),
        "signature: truncated": alter(lambda value: b64(base64.b64decode(value)[:-1])),
        "signature: longer": alter(lambda value: b64(base64.b64decode(value) + b"\x00")),
        "signature: empty": alter(lambda _: ""),
        "signature: another's": lambda b: alter(lambda _: str(signature(other)[named(other)]))(b),
        "content: another's": swap_content,
        "payload: a byte": payload,
        "payload: empty": envelope(payload=""),
        "payload: another type": envelope(payloadType="application/json"),
        "signatures: none": envelope(signatures=[]),
        "signatures: twice": double,
        "digest: a byte": digest,
        "content: none": nothing,
    }


def _of_material(other: Object) -> dict[str, Change]:
    def certificate(bundle: Object) -> Object:
        found: Object = bundle["verificationMaterial"]["certificate"]
        return found

    def alter(change: Callable[[str], str]) -> Change:
        return lambda bundle: certificate(bundle).update(rawBytes=change(certificate(bundle)["rawBytes"]))

    def as_chain(bundle: Object) -> None:
        raw = bundle["verificationMaterial"].pop("certificate")
        bundle["verificationMaterial"]["x509CertificateChain"] = {"certificates": [raw]}

    return {
        "certificate: another's": lambda b: certificate(b).update(certificate(other)),
        "certificate: signature of it": alter(flipped),
        "certificate: a byte in it": alter(lambda value: flipped(value, 200)),
        "certificate: truncated": alter(lambda value: b64(base64.b64decode(value)[:-5])),
        "certificate: empty": alter(lambda _: ""),
        "certificate: none": lambda b: b["verificationMaterial"].pop("certificate"),
        "certificate: as a chain, in version 0.3": as_chain,
        "key: another hint": lambda b: b["verificationMaterial"]["publicKey"].update(hint="another"),
        "key: none": lambda b: b["verificationMaterial"].pop("publicKey"),
        "material: none": lambda b: b.pop("verificationMaterial"),
        "material: another's": lambda b: b.update(verificationMaterial=other["verificationMaterial"]),
    }


def _entry(bundle: Object) -> Object:
    found: Object = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def _of_entry(other: Object) -> dict[str, Change]:
    def later(bundle: Object) -> None:
        _entry(bundle)["integratedTime"] = str(int(_entry(bundle)["integratedTime"]) + 1)

    def index(bundle: Object) -> None:
        _entry(bundle)["logIndex"] = str(int(_entry(bundle)["logIndex"]) + 1)

    def body(bundle: Object) -> None:
        _entry(bundle)["canonicalizedBody"] = flipped(_entry(bundle)["canonicalizedBody"], 60)

    def promise(bundle: Object) -> None:
        made = _entry(bundle)["inclusionPromise"]
        made["signedEntryTimestamp"] = flipped(made["signedEntryTimestamp"])

    def part(name: str) -> Change:
        return lambda bundle: _entry(bundle).update({name: _entry(other)[name]})

    return {
        "entry: another's": lambda b: b["verificationMaterial"].update(tlogEntries=[_entry(other)]),
        "entry: none": lambda b: b["verificationMaterial"].pop("tlogEntries"),
        "entry: a later time": later,
        "entry: no time": lambda b: _entry(b).pop("integratedTime"),
        "entry: another index": index,
        "entry: another log": lambda b: _entry(b).update(logId={"keyId": flipped(_entry(b)["logId"]["keyId"])}),
        "entry: another kind": lambda b: _entry(b)["kindVersion"].update(kind="intoto"),
        "entry: another version": lambda b: _entry(b)["kindVersion"].update(version="0.0.3"),
        "entry: a byte of its body": body,
        "entry: body of another's": part("canonicalizedBody"),
        "entry: a byte of the promise": promise,
        "entry: promise of another's": part("inclusionPromise"),
        "entry: no promise": lambda b: _entry(b).pop("inclusionPromise"),
        "entry: proof of another's": part("inclusionProof"),
        "entry: no proof": lambda b: _entry(b).pop("inclusionProof"),
    }


def _of_proof(other: Object) -> dict[str, Change]:
    def proof(bundle: Object) -> Object:
        found: Object = _entry(bundle)["inclusionProof"]
        return found

    def checkpoint(change: Callable[[str], str]) -> Change:
        def altered(bundle: Object) -> None:
            made = proof(bundle)["checkpoint"]
            made["envelope"] = change(made["envelope"])

        return altered

    def unsigned(note: str) -> str:
        return note.partition("\n\n")[0] + "\n\n"

    def grown(note: str) -> str:
        origin, size, rest = note.split("\n", 2)
        return f"{origin}\n{int(size) + 1}\n{rest}"

    return {
        "proof: a byte of a hash": lambda b: proof(b)["hashes"].__setitem__(0, flipped(proof(b)["hashes"][0])),
        "proof: a hash less": lambda b: proof(b)["hashes"].pop(),
        "proof: a hash more": lambda b: proof(b)["hashes"].append(proof(b)["hashes"][0]),
        "proof: hashes swapped": lambda b: proof(b)["hashes"].reverse(),
        "proof: another index": lambda b: proof(b).update(logIndex=str(int(proof(b)["logIndex"]) + 1)),
        "proof: index beyond the tree": lambda b: proof(b).update(logIndex=proof(b)["treeSize"]),
        "proof: another size": lambda b: proof(b).update(treeSize=str(int(proof(b)["treeSize"]) + 1)),
        "proof: another root": lambda b: proof(b).update(rootHash=flipped(proof(b)["rootHash"])),
        "proof: no checkpoint": lambda b: proof(b).pop("checkpoint"),
        "checkpoint: of another's": checkpoint(lambda _: str(proof(other)["checkpoint"]["envelope"])),
        "checkpoint: another origin": checkpoint(lambda note: "x" + note),
        "checkpoint: another size": checkpoint(grown),
        "checkpoint: unsigned": checkpoint(unsigned),
        "checkpoint: empty": checkpoint(lambda _: ""),
    }


def _of_stamps(other: Object) -> dict[str, Change]:
    def stamps(bundle: Object) -> list[Object]:
        found: list[Object] = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
        return found

    def alter(at: int) -> Change:
        return lambda bundle: stamps(bundle)[0].update(
            signedTimestamp=flipped(stamps(bundle)[0]["signedTimestamp"], at)
        )

    return {
        "stamp: another's": lambda b: stamps(b).__setitem__(0, stamps(other)[0]),
        "stamp: last byte": alter(-1),
        "stamp: a byte of its time": alter(120),
        "stamp: none": lambda b: b["verificationMaterial"].pop("timestampVerificationData"),
        "stamp: twice": lambda b: stamps(b).append(stamps(b)[0]),
    }
