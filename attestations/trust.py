"""Who is trusted to sign: named signers with their keys and identities, and the trust roots that vouch for identities.

The document that says so:

    signers:
      - name: platform-team
        threshold: 2                       # of its keys and identities, different ones; 1 where it is left out
        keys:
          - {name: release-2026, pem: "-----BEGIN PUBLIC KEY-----...", validFrom: ..., validUntil: ..., log: required}
          - {name: release-2025, file: keys/2025.pub, revoked: true}
        identities:
          - {identityGlob: "https://github.com/acme/*/.github/workflows/release.yml@refs/tags/*",
             issuer: "https://token.actions.githubusercontent.com", trustRoot: public-good}
    trustRoots:
      - {name: private, file: trusted_root.json}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

import jsonschema_rs

from attestations.public_keys import PublicKey, key_id, read_pem_key
from attestations.refusal import Refusal
from attestations.trusted_root import TrustedRoot, parse_trusted_root, public_good_root
from pratique.canonical import canonical_json, sha256
from pratique.errors import ConfigError, InputError, Problem
from pratique.pointer import pointer
from pratique.selector import glob_matches

PUBLIC_GOOD = "public-good"
"""The name of the trust root of Sigstore's public instance; one of the same name in the document takes its place."""

MAX_PATTERN_CHARACTERS = 1024
"""Protects from patterns that nobody can read, and bounds the work of one comparison."""

_SIZE_LIMIT = 2**20
"""Bytes that a compiled expression may take: protects from `(a{1000}){1000}`."""

_NO_ISSUERS = ("\u2020 no issuer \u2020", "https://nobody.invalid", "https://nobody.invalid/issuer")
_NOBODY = ("\u2020 nobody \u2020", "nobody@nobody.invalid", "https://nobody.invalid/nobody")
"""Nobody can be one of these (RFC 2606 2: `invalid`): what matches one matches whatever there is of its kind."""


class PatternKind(Enum):
    """How a pattern is read. Each is about the whole of what is compared, never about a part."""

    EXACT = "exact"
    GLOB = "glob"
    """`*` is any run of characters, `?` any one."""
    REGEXP = "regexp"
    """RE2's language: no look-around and no back references, so its time is linear in the text, whatever it says."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What an identity or an issuer has to be.

    Raises:
        InputError: it is empty, too long, or not a regular expression.
    """

    kind: PatternKind
    text: str

    def __post_init__(self) -> None:
        if not 0 < len(self.text) <= MAX_PATTERN_CHARACTERS:
            raise InputError(f"a pattern has from 1 to {MAX_PATTERN_CHARACTERS} characters, this has {len(self.text)}")
        if self.kind is PatternKind.REGEXP:
            _expression(self.text)

    def matches(self, value: str) -> bool:
        """Whether the whole of `value` is as the pattern says."""
        if self.kind is PatternKind.EXACT:
            return value == self.text
        if self.kind is PatternKind.GLOB:
            return glob_matches(self.text, value)
        return _expression(self.text).is_valid(value)


def exact(text: str) -> Pattern:
    """The pattern that only `text` matches. Raises: InputError."""
    return Pattern(PatternKind.EXACT, text)


@lru_cache(maxsize=1024)
def _expression(text: str) -> jsonschema_rs.Validator:
    """The compiled expression, anchored at both ends. Raises: InputError.

    The engine is that of the Rust crate `regex` (linear in the text), which jsonschema-rs brings; it compiles `text` by
    itself first, so that no bracket in it can close ours.
    """
    options = jsonschema_rs.RegexOptions(size_limit=_SIZE_LIMIT)
    try:
        for pattern in (text, f"^(?:{text})$"):
            compiled = jsonschema_rs.validator_for({"type": "string", "pattern": pattern}, pattern_options=options)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise InputError(
            f"{text[:60]!r} is not a regular expression that can be used: look-around and back references are not"
            " known, and repetitions of repetitions may become too large"
        ) from error
    return compiled


class LogUse(Enum):
    """Whether a signature by a key counts that is in no transparency log."""

    REQUIRED = "required"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key of a signer, good for signatures from `valid_from` up to `valid_until` (None: no end), both included.

    When a signature was made counts as proven by a log or a time stamp, and as "now" where nothing proves it. Of a
    revoked key nothing counts, whenever it was made: who has the key can have any time stamped before it is known.
    """

    name: str
    key: PublicKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked: bool = False
    log: LogUse = LogUse.OPTIONAL

    @property
    def id(self) -> str:
        """`sha256:<hex>` over the SubjectPublicKeyInfo."""
        return key_id(self.key)


@dataclass(frozen=True, slots=True)
class TrustedIdentity:
    """Whoever has a certificate of `trust_root` in which `identity` and `issuer` stand.

    Raises:
        InputError: any issuer would do, so that everybody who runs one could be anybody; or anybody whom the public
            instance knows, which is everybody.
    """

    identity: Pattern
    issuer: Pattern
    trust_root: str = PUBLIC_GOOD

    def __post_init__(self) -> None:
        if any(self.issuer.matches(nobody) for nobody in _NO_ISSUERS):
            raise InputError(
                "the pattern of the issuer matches every issuer, each of which can vouch for any identity; name it, or"
                " its host"
            )
        if self.trust_root == PUBLIC_GOOD and any(self.identity.matches(nobody) for nobody in _NOBODY):
            raise InputError(
                "the pattern of the identity matches everybody, to whom the public instance of Sigstore gives"
                " certificates; name whom it is about"
            )

    def matches(self, identity: str, issuer: str) -> bool:
        """Whether a certificate with these belongs to it."""
        return self.identity.matches(identity) and self.issuer.matches(issuer)


@dataclass(frozen=True, slots=True)
class Signer:
    """A name that policies ask for, and what signs for it; `threshold` of these have to, different ones.

    Identities that are written alike count once, whatever roots vouch for them.

    Raises:
        InputError: the threshold is less than 1 or can never be met, or one key is there twice.
    """

    name: str
    threshold: int = 1
    keys: tuple[TrustedKey, ...] = ()
    identities: tuple[TrustedIdentity, ...] = ()

    def __post_init__(self) -> None:
        most = len(self.keys) + len({(each.identity, each.issuer) for each in self.identities})
        if not 1 <= self.threshold <= most:
            raise InputError(
                f"{self.name} needs {self.threshold} signatures and has {most} different keys and identities; the"
                " threshold is at least 1 and at most their number"
            )
        if len({key.id for key in self.keys}) != len(self.keys):
            raise InputError(f"{self.name} has one key twice, which would count as two")


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A `trusted_root.json` by the name that identities refer to. Raises: InputError: it cannot be used."""

    name: str
    content: bytes

    def __post_init__(self) -> None:
        try:
            parse_trusted_root(self.content)
        except Refusal as error:
            raise InputError(str(error)) from error

    @property
    def parsed(self) -> TrustedRoot:
        """The root that the content is; parsed once."""
        return parse_trusted_root(self.content)


@lru_cache(maxsize=1)
def public_good() -> TrustRoot:
    """The trust root of Sigstore's public instance."""
    return TrustRoot(PUBLIC_GOOD, public_good_root())


@dataclass(frozen=True, slots=True)
class TrustConfiguration:
    """Everything that is trusted; the public-good root is, unless `roots` has one of that name.

    Raises:
        InputError: a name is there twice, or an identity refers to a root that is not there.
    """

    signers: tuple[Signer, ...]
    roots: tuple[TrustRoot, ...] = ()

    def __post_init__(self) -> None:
        for what, names in (("signers", [each.name for each in self.signers]), ("trust roots", [*self._names()])):
            if twice := {name for name in names if names.count(name) > 1}:
                raise InputError(f"there are two {what} named {sorted(twice)[0]}; what they say might differ")
        known = {*self._names(), PUBLIC_GOOD}
        for signer in self.signers:
            for identity in signer.identities:
                if identity.trust_root not in known:
                    raise InputError(
                        f"{signer.name} refers to the trust root {identity.trust_root}, and there are {sorted(known)}"
                    )

    def _names(self) -> Sequence[str]:
        return [root.name for root in self.roots]

    @property
    def all_roots(self) -> Mapping[str, TrustRoot]:
        """The roots by name, with the public one."""
        return {PUBLIC_GOOD: public_good()} | {root.name: root for root in self.roots}

    @property
    def digest(self) -> str:
        """`sha256:<hex>` over all that is trusted, whatever the order in which it is written."""
        return sha256(canonical_json(_canonical(self)))


def _canonical(trust: TrustConfiguration) -> Any:
    return {
        "signers": {
            signer.name: {
                "threshold": signer.threshold,
                "keys": sorted(
                    [key.id, key.name, _written(key.valid_from), _written(key.valid_until), key.revoked, key.log.value]
                    for key in signer.keys
                ),
                "identities": [  # their order says which one of two that overlap is counted
                    [
                        *(each.identity.kind.value, each.identity.text),
                        *(each.issuer.kind.value, each.issuer.text, each.trust_root),
                    ]
                    for each in signer.identities
                ],
            }
            for signer in trust.signers
        },
        "roots": {name: root.parsed.digest for name, root in trust.all_roots.items()},
    }


def _written(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(UTC).isoformat()


# From a document

_NAME = {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$"}
_TEXT = {"type": "string", "minLength": 1}
_KEY = {
    "type": "object",
    "properties": {
        "name": _NAME,
        "pem": _TEXT,
        "file": _TEXT,
        "validFrom": {"type": "string", "format": "date-time"},
        "validUntil": {"type": "string", "format": "date-time"},
        "revoked": {"type": "boolean"},
        "log": {"enum": [use.value for use in LogUse]},
    },
    "required": ["name"],
    "oneOf": [{"required": ["pem"]}, {"required": ["file"]}],
    "additionalProperties": False,
}
_IDENTITY_FIELDS = ("identity", "identityGlob", "identityRegexp")
_ISSUER_FIELDS = ("issuer", "issuerGlob", "issuerRegexp")
_IDENTITY = {
    "type": "object",
    "properties": {**dict.fromkeys((*_IDENTITY_FIELDS, *_ISSUER_FIELDS), _TEXT), "trustRoot": _NAME},
    "allOf": [
        {"oneOf": [{"required": [name]} for name in _IDENTITY_FIELDS]},
        {"oneOf": [{"required": [name]} for name in _ISSUER_FIELDS]},
    ],
    "additionalProperties": False,
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "signers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": _NAME,
                    "threshold": {"type": "integer", "minimum": 1},
                    "keys": {"type": "array", "items": _KEY, "maxItems": 256},
                    "identities": {"type": "array", "items": _IDENTITY, "maxItems": 256},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
            "maxItems": 1024,
        },
        "trustRoots": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": _NAME, "file": _TEXT},
                "required": ["name", "file"],
                "additionalProperties": False,
            },
            "maxItems": 32,
        },
    },
    "required": ["signers"],
    "additionalProperties": False,
}
"""JSON Schema of the document at the top of this file."""

_VALIDATOR = jsonschema_rs.validator_for(dict(SCHEMA), validate_formats=True)


def trust_from_document(
    document: Any, *, file: str, read_file: Callable[[str], bytes], where: Sequence[str | int] = ()
) -> TrustConfiguration:
    """The trust configuration that `document` is. `file` and `where` (the way to it) are named in problems; `read_file`
    gives the content of a file that the document names.

    Raises:
        ConfigError: with every problem found.
    """
    reader = _Reader(file, tuple(where), read_file)
    for error in _VALIDATOR.iter_errors(document):
        reader.wrong(error.message[:300], *error.instance_path)
    if reader.problems:
        raise ConfigError(*reader.problems)
    roots = [reader.root(entry, index) for index, entry in enumerate(document.get("trustRoots") or ())]
    signers = [reader.signer(entry, index) for index, entry in enumerate(document["signers"])]
    if reader.problems:
        raise ConfigError(*reader.problems)
    try:
        return TrustConfiguration(tuple(signer for signer in signers if signer), tuple(root for root in roots if root))
    except InputError as error:
        reader.wrong(str(error))
        raise ConfigError(*reader.problems) from error


class _Reader:
    """Reads the parts of a document and notes what is wrong with each."""

    def __init__(self, file: str, where: tuple[str | int, ...], read_file: Callable[[str], bytes]) -> None:
        self._file = file
        self._where = where
        self._read_file = read_file
        self.problems: list[Problem] = []

    def wrong(self, message: str, *path: str | int) -> None:
        self.problems.append(Problem(self._file, pointer(*self._where, *path) or "/", message))

    def root(self, entry: Mapping[str, Any], index: int) -> TrustRoot | None:
        try:
            return TrustRoot(entry["name"], self._content(entry["file"]))
        except InputError as error:
            self.wrong(str(error), "trustRoots", index, "file")
            return None

    def signer(self, entry: Mapping[str, Any], index: int) -> Signer | None:
        keys = [self._key(key, "signers", index, "keys", at) for at, key in enumerate(entry.get("keys") or ())]
        identities = [
            self._identity(identity, "signers", index, "identities", at)
            for at, identity in enumerate(entry.get("identities") or ())
        ]
        if None in keys or None in identities:
            return None
        try:
            return Signer(
                entry["name"],
                int(entry.get("threshold", 1)),
                tuple(key for key in keys if key),
                tuple(identity for identity in identities if identity),
            )
        except InputError as error:
            self.wrong(str(error), "signers", index)
            return None

    def _key(self, entry: Mapping[str, Any], *path: str | int) -> TrustedKey | None:
        times = [self._time(entry, name, *path) for name in ("validFrom", "validUntil")]
        try:
            pem = entry["pem"] if "pem" in entry else self._content(entry["file"]).decode(errors="replace")
            key = read_pem_key(pem)
        except InputError as error:
            self.wrong(str(error), *path, "pem" if "pem" in entry else "file")
            return None
        start, end = times
        if start and end and start > end:
            self.wrong("validUntil is before validFrom: the key would never be good", *path, "validUntil")
            return None
        return TrustedKey(
            entry["name"], key, start, end, entry.get("revoked", False), LogUse(entry.get("log", "optional"))
        )

    def _identity(self, entry: Mapping[str, Any], *path: str | int) -> TrustedIdentity | None:
        try:
            identity, issuer = _pattern(entry, _IDENTITY_FIELDS), _pattern(entry, _ISSUER_FIELDS)
            return TrustedIdentity(identity, issuer, entry.get("trustRoot", PUBLIC_GOOD))
        except InputError as error:
            self.wrong(str(error), *path)
            return None

    def _time(self, entry: Mapping[str, Any], name: str, *path: str | int) -> datetime | None:
        if name not in entry:
            return None
        try:
            return datetime.fromisoformat(entry[name]).astimezone(UTC)
        except (ValueError, OverflowError):
            self.wrong("this is not a time; write it as in 2026-12-31T00:00:00Z", *path, name)
            return None

    def _content(self, name: str) -> bytes:
        try:
            return self._read_file(name)
        except OSError as error:
            raise InputError(f"{name} cannot be read: {error.strerror or error}") from error


def _pattern(entry: Mapping[str, Any], fields: Sequence[str]) -> Pattern:
    """The pattern in the one of `fields` that is there; they are in the order of the kinds."""
    for field, kind in zip(fields, PatternKind, strict=True):
        if field in entry:
            return Pattern(kind, entry[field])
    raise AssertionError("the schema demands one of them")
