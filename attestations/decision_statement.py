"""Our own decision as evidence for others: an in-toto statement with a Simple Verification Result.

(in-toto.io, spec/v1/statement.md and spec/predicates/svr.md.) Pure: who signs and pushes it is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attestations.provenance import SVR
from pratique.canonical import canonical_json
from pratique.decision import Decision, Outcome, Result
from pratique.errors import InputError
from pratique.waiver import written_time

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json"
VERIFIER = "https://pratique.dev/verifier/v1"
"""Its version changes when a property comes to mean something else."""

ALLOWED = "PRATIQUE_ALLOWED"
"""The property of what was allowed as a whole, by waivers or without them."""


def statement_of_decision(
    decision: Decision, images: Iterable[tuple[str, str]], *, verifier: str = VERIFIER
) -> dict[str, Any]:
    """The statement that `decision` was made about `images`: name (`registry.internal/serving/vllm`) and digest.

    Its properties are `PRATIQUE_<policy id>` for each policy that passed wherever it was bound, and `PRATIQUE_ALLOWED`.
    What was waived, found or not evaluated is no property. `verifier.policy` names bundle and configuration by digest,
    and `verifier.decision` the record that explains it.

    Raises:
        InputError: there is nothing to state: no image with a digest, or nothing that passed. A statement without
            properties would read like one.
    """
    subjects = [{"name": name, "digest": _digest_set(name, digest)} for name, digest in sorted(set(images))]
    if not subjects:
        raise InputError("the decision is about no image, so there is nothing to attest")
    properties = _properties(decision)
    if not properties:
        raise InputError(f"nothing passed in decision {decision.id}, so there is nothing to attest")
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": SVR,
        "predicate": {
            "verifier": {
                "id": verifier,
                "policy": {
                    "uri": "https://pratique.dev/bundle",
                    "digest": {"sha256": decision.bundle_digest.removeprefix("sha256:")},
                    "annotations": {"configuration": decision.configuration_digest, "engine": decision.engine},
                },
                "decision": decision.id,
            },
            "timeCreated": written_time(decision.time),
            "properties": properties,
        },
    }


def statement_bytes(statement: Mapping[str, Any]) -> bytes:
    """What is to be signed: the payload of a DSSE envelope."""
    return canonical_json(statement)


def _properties(decision: Decision) -> list[str]:
    results: dict[str, set[Result]] = {}
    for evaluation in decision.evaluations:
        results.setdefault(evaluation.policy_id, set()).add(evaluation.result)
    passed = sorted(f"PRATIQUE_{policy}" for policy, found in results.items() if found == {Result.PASS})
    is_allowed = decision.outcome is Outcome.ALLOWED and not decision.no_match and not decision.mutating
    return [ALLOWED, *passed] if is_allowed else passed


def _digest_set(name: str, digest: str) -> dict[str, str]:
    algorithm, colon, hexadecimal = digest.partition(":")
    if not colon or not hexadecimal:
        raise InputError(f"the image {name} has no digest, so nothing can be attested of it")
    return {algorithm: hexadecimal}
