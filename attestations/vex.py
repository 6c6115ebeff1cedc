"""OpenVEX statements (github.com/openvex/spec, OPENVEX-SPEC.md v0.2.0): which findings of a scan do not count, and why.

A statement is applied where it names exactly what was scanned:

* the image by a digest: a purl `pkg:oci/...@sha256:...`, a hash, an `@id` that ends in `@sha256:...`, or, without
  products, the subject that it was signed about ("Inheritance Flow"). With subcomponents, only findings in these;
* or the package by its purl with the version: qualifiers that the statement has must be those of the finding, others
  are free. A purl with a subpath is about a part of a package, and no finding names one: it is not applied.

Of several statements the latest counts. `not_affected` and `fixed` take a finding away; after `affected` or
`under_investigation` it stays. Where two are of one time, the finding stays. A purl without a version names every
version: that is not exact enough to take a finding away, and enough to have it stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attestations.purl import Purl, qualifiers_of, read_purl
from attestations.reading import checked, schema, utc
from attestations.scan import Vulnerability
from pratique.errors import InputError

MAX_STATEMENTS = 10_000
"""Protects from a document that keeps us busy: each statement is held against each finding that it names."""

_TAKES_AWAY = frozenset({"not_affected", "fixed"})
_STATUSES = ("affected", "fixed", "not_affected", "under_investigation")
_HASHES = {"sha-256": "sha256", "sha256": "sha256", "sha-512": "sha512", "sha512": "sha512"}

_TEXT: Mapping[str, Any] = {"type": "string"}


def _component(**more: Any) -> dict[str, Any]:
    """Since v0.2.0 an object; a text before."""
    properties = {
        "@id": _TEXT,
        "identifiers": {"type": "object", "additionalProperties": _TEXT},
        "hashes": {"type": "object", "additionalProperties": _TEXT},
        **more,
    }
    return {"anyOf": [_TEXT, {"type": "object", "properties": properties}]}


_SUBCOMPONENTS = {"type": "array", "items": _component()}
_SCHEMA = schema(
    {
        "type": "object",
        "required": ["@context", "statements"],
        "properties": {
            "@context": _TEXT,
            "timestamp": _TEXT,
            "statements": {
                "type": "array",
                "maxItems": MAX_STATEMENTS,
                "items": {
                    "type": "object",
                    "required": ["vulnerability", "status"],
                    "properties": {
                        "vulnerability": {
                            "anyOf": [
                                _TEXT,
                                {
                                    "type": "object",
                                    "properties": {
                                        "@id": _TEXT,
                                        "name": _TEXT,
                                        "aliases": {"type": "array", "items": _TEXT},
                                    },
                                },
                            ]
                        },
                        "timestamp": _TEXT,
                        "products": {"type": "array", "items": _component(subcomponents=_SUBCOMPONENTS)},
                        "subcomponents": _SUBCOMPONENTS,
                        "status": {"enum": list(_STATUSES)},
                        "justification": _TEXT,
                        "impact_statement": _TEXT,
                    },
                },
            },
        },
    }
)


@dataclass(frozen=True, slots=True)
class Product:
    """`subcomponents` is None where the statement names none: then it is about all of the product."""

    purls: tuple[Purl, ...]
    digests: frozenset[str]
    subcomponents: tuple[Purl, ...] | None


@dataclass(frozen=True, slots=True)
class Statement:
    """`names` are the vulnerability's, in lower case. `time` is in UTC, never empty."""

    names: frozenset[str]
    products: tuple[Product, ...]
    status: str
    justification: str
    time: str
    signers: tuple[str, ...] = ()


def read_vex(value: Any, *, subject: str, signers: Sequence[str]) -> list[Statement]:
    """The statements of a parsed OpenVEX document that was signed by `signers` about the digest `subject`.

    Raises:
        InputError: it is none, or malformed, or a statement lacks what the specification asks of it.
    """
    document = checked(_SCHEMA, value, "OpenVEX document")
    if not document["@context"].startswith("https://openvex.dev/ns"):
        raise InputError("the document is no OpenVEX: its @context is not https://openvex.dev/ns")
    return [_statement(each, document, subject, tuple(signers)) for each in document["statements"]]


def _statement(
    statement: Mapping[str, Any], document: Mapping[str, Any], subject: str, signers: tuple[str, ...]
) -> Statement:
    time = utc(statement.get("timestamp")) if "timestamp" in statement else utc(document.get("timestamp"))
    names = _names(statement["vulnerability"])
    if not time or not names:
        raise InputError("a statement of the OpenVEX document has no vulnerability or no time")
    justification = statement.get("justification") or statement.get("impact_statement", "")
    if statement["status"] == "not_affected" and not justification.strip():
        raise InputError("a statement of the OpenVEX document says not_affected and gives no justification")
    common = statement.get("subcomponents")
    inherited = Product((), frozenset({subject}), _subcomponents(common))
    return Statement(
        names=names,
        products=tuple(_product(each, common) for each in statement["products"])
        if "products" in statement
        else (inherited,),
        status=statement["status"],
        justification=justification,
        time=time,
        signers=signers,
    )


def _names(vulnerability: Any) -> frozenset[str]:
    if isinstance(vulnerability, str):
        return frozenset({vulnerability.lower()} - {""})
    names = [vulnerability.get("name", ""), *vulnerability.get("aliases", ())]
    names.append(vulnerability.get("@id", "").rpartition("/")[2])
    return frozenset(name.lower() for name in names if name)


def _product(product: Any, common: Any) -> Product:
    purls, digests = _identity(product)
    own = product.get("subcomponents", common) if isinstance(product, dict) else common
    return Product(purls, digests, _subcomponents(own))


def _subcomponents(listed: Any) -> tuple[Purl, ...] | None:
    return None if listed is None else tuple(purl for each in listed for purl in _identity(each)[0])


def _identity(component: Any) -> tuple[tuple[Purl, ...], frozenset[str]]:
    if isinstance(component, str):
        component = {"@id": component}
    identifier: str = component.get("@id", "")
    texts = [identifier, component.get("identifiers", {}).get("purl", "")]
    purls = tuple(dict.fromkeys(purl for text in texts if "#" not in text and (purl := read_purl(text))))
    digests = {
        f"{_HASHES[name.lower()]}:{value.lower()}"
        for name, value in component.get("hashes", {}).items()
        if name.lower() in _HASHES
    }
    if "@sha256:" in identifier and not purls:
        digests.add(identifier.rpartition("@")[2])
    digests |= {purl.version for purl in purls if purl.package.startswith(("pkg:oci/", "pkg:docker/"))} - {""}
    return purls, frozenset(digests)


class Statements:
    """Statements by what they are about: a vulnerability in an image (by its digest) or in a package of one version."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._by_name: dict[tuple[str, ...], list[Statement]] = {}
        for statement in statements:
            about = {key for product in statement.products for key in _keys(product)}
            for name in statement.names:
                for key in about:
                    self._by_name.setdefault((name, *key), []).append(statement)

    def taking_away(self, found: Vulnerability, digests: frozenset[str]) -> Statement | None:
        """The statement that takes `found` away, found in the image that has `digests`; None where it stays."""
        package = read_purl(found.purl)
        about: list[tuple[str, ...]] = [(digest,) for digest in digests]
        if package is not None:
            about += [(package.package, package.version), (package.package, "")]
        applicable = [
            statement
            for name in {found.id.lower(), *(alias.lower() for alias in found.aliases)}
            for key in about
            for statement in self._by_name.get((name, *key), ())
            if any(
                _covers(product, package, digests, exactly=statement.status in _TAKES_AWAY)
                for product in statement.products
            )
        ]
        if not applicable:
            return None
        last = max(applicable, key=lambda statement: (statement.time, statement.status not in _TAKES_AWAY))
        return last if last.status in _TAKES_AWAY else None


def _keys(product: Product) -> Iterable[tuple[str, ...]]:
    yield from ((digest,) for digest in product.digests)
    yield from ((purl.package, purl.version) for purl in product.purls)


def _covers(product: Product, package: Purl | None, digests: frozenset[str], *, exactly: bool) -> bool:
    if product.digests & digests:
        named = product.subcomponents
        if named is None:
            return True
    else:
        named = product.purls if product.subcomponents is None else ()
    return package is not None and any(_is(purl, package, exactly=exactly) for purl in named)


def _is(named: Purl, package: Purl, *, exactly: bool) -> bool:
    """Whether `named` is `package`, in this version or, not `exactly`, in every one."""
    return (
        named.package == package.package
        and (named.version == package.version if named.version else not exactly)
        and qualifiers_of(named).items() <= qualifiers_of(package).items()
    )
