"""Who built an image from what, and who verified it: one element of `facts.provenance.statements`.

* SLSA provenance v1 and v0.2 (slsa.dev/spec/v1.1/provenance, slsa.dev/provenance/v0.2);
* in-toto's Simple Verification Result v0.1 (in-toto.io, spec/predicates/svr.md);
* SLSA's Verification Summary v1, v0.2 (slsa.dev/spec/v1.1/verification_summary).

    {"type": "slsa-provenance-v1", "builder": "https://...", "trusted_builder": "ci", "build_type": "https://...",
     "sources": [{"uri": "git+https://...", "digest": "gitCommit:4a5e..."}], "materials": [...], "materials_count": 7,
     "invocation": "https://...", "started": "", "finished": "2026-11-20T08:00:00Z",
     "verifier": "", "verified": "", "result": "", "properties": [], "policy": "", "resource": "", "truncated": []}

All keys are always there. What is said of a builder counts as far as its signer may speak for it (SLSA v1.1, Verifying
artifacts, step 1): `trusted_builder` is the name of the builder in the trust configuration whose signers signed, else
empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attestations.clipped import clipped
from attestations.reading import checked, schema, utc
from pratique.errors import InputError
from pratique.selector import glob_matches

SLSA_V1 = "https://slsa.dev/provenance/v1"
SLSA_V02 = "https://slsa.dev/provenance/v0.2"
SVR = "https://in-toto.io/attestation/svr/v0.1"
VSA_V1 = "https://slsa.dev/verification_summary/v1"
VSA_V02 = "https://slsa.dev/verification_summary/v0.2"

MAX_MATERIALS = 100
"""Materials in a fact; a build of a large image has thousands."""

MAX_SOURCES = 20
"""Sources in a fact."""

MAX_PROPERTIES = 200
"""Properties or levels in a fact."""


@dataclass(frozen=True, slots=True)
class TrustedBuilder:
    """A builder by `name`: `ids` are globs of builder ids, `signers` those of the trust configuration who may speak
    for it. Without signers, nobody may."""

    name: str
    ids: tuple[str, ...]
    signers: frozenset[str]

    def made(self, builder: str, signers: Iterable[str]) -> bool:
        """Whether a statement about `builder` that `signers` signed is this builder's."""
        return not self.signers.isdisjoint(signers) and any(glob_matches(glob, builder) for glob in self.ids)


_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": _TEXT}
_OBJECT: Mapping[str, Any] = {"type": "object"}
_NOTHING: Mapping[str, Any] = {}


def _object(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


_DIGESTS = {"type": "object", "additionalProperties": _TEXT}
_RESOURCE = _object(uri=_TEXT, name=_TEXT, digest=_DIGESTS)
_RESOURCES = {"type": "array", "items": _RESOURCE}
_V1 = schema(
    _object(
        ["buildDefinition", "runDetails"],
        buildDefinition=_object(
            ["buildType"], buildType=_TEXT, externalParameters=_OBJECT, resolvedDependencies=_RESOURCES
        ),
        runDetails=_object(
            ["builder"],
            builder=_object(["id"], id=_TEXT),
            metadata=_object(invocationId=_TEXT, startedOn=_TEXT, finishedOn=_TEXT),
        ),
    )
)
_V02 = schema(
    _object(
        ["builder", "buildType"],
        builder=_object(["id"], id=_TEXT),
        buildType=_TEXT,
        invocation=_object(configSource=_RESOURCE),
        metadata=_object(buildInvocationId=_TEXT, buildInvocationID=_TEXT, buildStartedOn=_TEXT, buildFinishedOn=_TEXT),
        materials=_RESOURCES,
    )
)
_SVR = schema(
    _object(
        ["verifier", "timeCreated", "properties"],
        verifier=_object(["id"], id=_TEXT, policy=_RESOURCE),
        timeCreated=_TEXT,
        properties=_TEXTS,
    )
)
_VSA = schema(
    _object(
        ["verifier"],
        verifier=_object(["id"], id=_TEXT),
        timeVerified=_TEXT,
        time_verified=_TEXT,
        resourceUri=_TEXT,
        resource_uri=_TEXT,
        policy=_RESOURCE,
        verificationResult=_TEXT,
        verification_result=_TEXT,
        verifiedLevels=_TEXTS,
        policyLevel=_TEXT,
        policy_level=_TEXT,
    )
)


def provenance_fact(predicate_type: str, predicate: Any) -> dict[str, Any]:
    """One element of `facts.provenance.statements`, of a parsed predicate. `trusted_builder` is empty yet.

    Raises:
        InputError: the type is none of those above, or the predicate is malformed.
    """
    read = _READERS.get(predicate_type)
    if read is None:
        raise InputError(f"{predicate_type[:100]!r} is no type of provenance that is read")
    return read(predicate)


def _fact(type_: str, **said: Any) -> dict[str, Any]:
    """The element: texts clipped, lists cut, and what is not said empty."""
    texts = ("builder", "build_type", "invocation", "verifier", "result", "policy", "resource")
    fact: dict[str, Any] = {"type": type_, "trusted_builder": ""}
    fact |= {name: clipped(said.get(name, "")) for name in texts}
    fact |= {name: utc(said.get(name, "")) for name in ("started", "finished", "verified")}
    materials: Sequence[Mapping[str, Any]] = said.get("materials", ())
    lists: Mapping[str, tuple[Sequence[Any], int]] = {
        "sources": ([*map(_resource, said.get("sources", ()))], MAX_SOURCES),
        "materials": ([*map(_resource, materials[: MAX_MATERIALS + 1])], MAX_MATERIALS),
        "properties": ([*map(clipped, said.get("properties", ()))], MAX_PROPERTIES),
    }
    fact |= {name: values[:most] for name, (values, most) in lists.items()}
    fact["materials_count"] = len(materials)
    fact["truncated"] = [name for name, (values, most) in lists.items() if len(values) > most]
    return fact


def _resource(resource: Mapping[str, Any]) -> dict[str, str]:
    return {"uri": clipped(resource.get("uri") or resource.get("name", "")), "digest": _digest(resource)}


_PREFERRED = ("gitCommit", "sha1", "sha256", "sha512")
"""Which digest of a set is shown: a commit where there is one (in-toto, digest_set.md)."""


def _digest(resource: Mapping[str, Any]) -> str:
    digests: Mapping[str, str] = resource.get("digest", _NOTHING)
    for algorithm in (*_PREFERRED, *sorted(digests)):
        if digests.get(algorithm):
            return clipped(f"{algorithm}:{digests[algorithm]}")
    return ""


def _v1(value: Any) -> dict[str, Any]:
    predicate = checked(_V1, value, "SLSA provenance")
    definition, run = predicate["buildDefinition"], predicate["runDetails"]
    materials: Sequence[Mapping[str, Any]] = definition.get("resolvedDependencies", ())
    parameters: Mapping[str, Any] = definition.get("externalParameters", _NOTHING)
    metadata = run.get("metadata", _NOTHING)
    return _fact(
        "slsa-provenance-v1",
        builder=run["builder"]["id"],
        build_type=definition["buildType"],
        sources=_sources(_named_sources(parameters), materials),
        materials=materials,
        invocation=metadata.get("invocationId", ""),
        started=metadata.get("startedOn", ""),
        finished=metadata.get("finishedOn", ""),
    )


def _v02(value: Any) -> dict[str, Any]:
    predicate = checked(_V02, value, "SLSA provenance")
    materials: Sequence[Mapping[str, Any]] = predicate.get("materials", ())
    metadata = predicate.get("metadata", _NOTHING)
    source = predicate.get("invocation", _NOTHING).get("configSource", _NOTHING)
    return _fact(
        "slsa-provenance-v0.2",
        builder=predicate["builder"]["id"],
        build_type=predicate["buildType"],
        sources=_sources([source] if source.get("uri") else [], materials),
        materials=materials,
        invocation=metadata.get("buildInvocationId") or metadata.get("buildInvocationID", ""),
        started=metadata.get("buildStartedOn", ""),
        finished=metadata.get("buildFinishedOn", ""),
    )


def _named_sources(parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the external parameters of the build types that we know name as source.

    `workflow` with repository and ref (GitHub Actions), `source` (Google Cloud Build, others), `configSource`
    (BuildKit, and SLSA's generators).
    """
    found: list[Mapping[str, Any]] = []
    for name in ("configSource", "source"):
        value = parameters.get(name)
        if isinstance(value, str):
            value = {"uri": value}
        if isinstance(value, dict) and isinstance(value.get("uri"), str):
            digests = value.get("digest")
            is_digests = isinstance(digests, dict) and all(isinstance(each, str) for each in digests.values())
            found.append({"uri": value["uri"], "digest": digests if is_digests else {}})
    workflow = parameters.get("workflow")
    if isinstance(workflow, dict) and isinstance(workflow.get("repository"), str):
        ref = workflow.get("ref")
        found.append({"uri": f"git+{workflow['repository']}" + (f"@{ref}" if isinstance(ref, str) else "")})
    return [each for each in found if each["uri"]]


def _sources(named: Sequence[Mapping[str, Any]], materials: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The sources that are named, with the digest of the material of the same URI where they have none of their own;
    without any, the materials that are checkouts of git."""
    checkouts = [
        each for each in materials if each.get("uri", "").startswith("git+") or "gitCommit" in each.get("digest", {})
    ]
    if not named:
        return checkouts
    by_uri = {each.get("uri", ""): each for each in checkouts}
    return [each if each.get("digest") else by_uri.get(each["uri"], each) for each in named]


def _svr(value: Any) -> dict[str, Any]:
    predicate = checked(_SVR, value, "Simple Verification Result")
    return _fact(
        "svr-v0.1",
        verifier=predicate["verifier"]["id"],
        verified=predicate["timeCreated"],
        result="PASSED" if predicate["properties"] else "",
        properties=predicate["properties"],
        policy=predicate["verifier"].get("policy", _NOTHING).get("uri", ""),
    )


def _vsa_v1(value: Any) -> dict[str, Any]:
    predicate = checked(_VSA, value, "Verification Summary")
    return _vsa("vsa-v1", predicate, predicate.get("verifiedLevels", ()))


def _vsa_v02(value: Any) -> dict[str, Any]:
    """Its names are in camel case in the specification, and in snake case in what protobuf writes."""
    predicate = checked(_VSA, value, "Verification Summary")
    level = predicate.get("policyLevel") or predicate.get("policy_level", "")
    return _vsa("vsa-v0.2", predicate, [level] if level else ())


def _vsa(type_: str, predicate: Mapping[str, Any], levels: Sequence[str]) -> dict[str, Any]:
    result = predicate.get("verificationResult") or predicate.get("verification_result", "")
    if result not in ("PASSED", "FAILED"):
        raise InputError(f"the Verification Summary has the result {result[:40]!r}, neither PASSED nor FAILED")
    return _fact(
        type_,
        verifier=predicate["verifier"]["id"],
        verified=predicate.get("timeVerified") or predicate.get("time_verified", ""),
        result=result,
        properties=levels if result == "PASSED" else (),
        policy=predicate.get("policy", _NOTHING).get("uri", ""),
        resource=predicate.get("resourceUri") or predicate.get("resource_uri", ""),
    )


_READERS = {SLSA_V1: _v1, SLSA_V02: _v02, SVR: _svr, VSA_V1: _vsa_v1, VSA_V02: _vsa_v02}
PROVENANCE_TYPES = frozenset(_READERS)
