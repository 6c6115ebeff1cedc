"""How evidence is looked for and who is trusted to sign it, as one document:

    apiVersion: pratique.dev/v1alpha1
    kind: EvidenceConfig
    metadata: {name: evidence}
    spec:
      registries:                         # how hosts are reached; HTTPS and the system's certificates for all others
        - {host: registry.internal:5000, caFile: ca.pem, mirrors: [mirror.internal/hub], onlyMirrors: false}
        - {host: "localhost:5001", plainHTTP: true}
      allowedRegistries: [registry.internal, "*.example.com"]  # no other is asked; without this line, all are
      credentials:
        dockerConfig: config.json         # with its helpers
        pullSecrets: [pull-secret.yaml]   # Secrets of Kubernetes, as kubectl prints them
      signers: [...]                      # see attestations/trust.py
      trustRoots: [...]
      builders:                           # whose provenance is believed, and who has to have signed it
        - {name: github, ids: ["https://github.com/acme/*"], signers: [ci]}

Files are named relative to the document's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from attestations import trust
from attestations.hosts import is_pattern
from attestations.provenance import TrustedBuilder
from attestations.registry_settings import HostSettings, RegistrySettings
from attestations.trust import TrustConfiguration, trust_from_document
from pratique.canonical import canonical_json, sha256
from pratique.errors import ConfigError, Problem
from pratique.pointer import pointer
from pratique.yamlfile import only_document

MAX_FILE_BYTES = 4 * 2**20
"""Protects the process from a file that was named by mistake."""

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}


def _object(required: Sequence[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*required], "additionalProperties": False, "properties": properties}


SCHEMA: Mapping[str, Any] = _object(
    ("apiVersion", "kind", "spec"),
    apiVersion={"const": "pratique.dev/v1alpha1"},
    kind={"const": "EvidenceConfig"},
    metadata=_object((), name=_TEXT),
    spec=_object(
        (),
        registries={
            "type": "array",
            "items": _object(
                ("host",),
                host=_TEXT,
                caFile=_TEXT,
                plainHTTP={"type": "boolean"},
                mirrors=_TEXTS,
                onlyMirrors={"type": "boolean"},
            ),
        },
        allowedRegistries={**_TEXTS, "minItems": 1},
        credentials=_object((), dockerConfig=_TEXT, pullSecrets=_TEXTS),
        builders={
            "type": "array",
            "items": _object(
                ("name", "ids", "signers"),
                name=_TEXT,
                ids={**_TEXTS, "minItems": 1},
                signers={**_TEXTS, "minItems": 1},
            ),
        },
        **trust.SCHEMA["properties"],
    ),
)
"""JSON Schema of the document."""

_VALIDATOR = jsonschema_rs.validator_for(dict(SCHEMA), validate_formats=True)


@dataclass(frozen=True, slots=True)
class EvidenceConfiguration:
    """What the document says. `digest` stands for who is trusted: what was judged under another one is judged anew."""

    registries: RegistrySettings
    trust: TrustConfiguration
    builders: tuple[TrustedBuilder, ...] = ()
    allowed: tuple[str, ...] = ("*",)
    """Patterns of the hosts that are asked."""
    docker_config: Path | None = None
    pull_secrets: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    """The files that were read with the document: those that it names, but for Docker's, which is read each time."""

    @property
    def digest(self) -> str:
        """`sha256:<hex>`."""
        builders = sorted([each.name, sorted(each.ids), sorted(each.signers)] for each in self.builders)
        return sha256(canonical_json({"trust": self.trust.digest, "builders": builders}))


NOBODY = EvidenceConfiguration(RegistrySettings(), TrustConfiguration(()))
"""Nobody is trusted, and registries are reached as usual."""


def read_evidence_config(file: Path) -> EvidenceConfiguration:
    """The configuration in `file`.

    Raises:
        ConfigError: with every problem found.
    """
    value = only_document(file, max_bytes=MAX_FILE_BYTES)
    problems = [
        Problem(str(file), pointer(*wrong.instance_path) or "/", wrong.message[:300])
        for wrong in _VALIDATOR.iter_errors(value)
    ]
    if problems:
        raise ConfigError(*problems)
    spec = value["spec"]
    found = _Parts(file, problems)
    found.check_hosts(spec.get("allowedRegistries") or (), "allowedRegistries")
    found.check_hosts([entry["host"] for entry in spec.get("registries") or ()], "registries")
    hosts = [found.host(entry) for entry in spec.get("registries") or ()]
    builders = [
        TrustedBuilder(entry["name"], tuple(entry["ids"]), frozenset(entry["signers"]))
        for entry in spec.get("builders") or ()
    ]
    trusted = found.trust(spec)
    if trusted is not None:
        names = {signer.name for signer in trusted.signers}
        for index, entry in enumerate(spec.get("builders") or ()):
            for name in sorted(set(entry["signers"]) - names):
                where = pointer("spec", "builders", index, "signers")
                problems.append(Problem(str(file), where, f"there is no signer {name}; there are {sorted(names)}"))
    if problems or trusted is None:
        raise ConfigError(*problems)
    credentials = spec.get("credentials") or {}
    return EvidenceConfiguration(
        RegistrySettings(tuple(host for host in hosts if host)),
        trusted,
        tuple(builders),
        tuple(spec.get("allowedRegistries") or ("*",)),
        file.parent / credentials["dockerConfig"] if "dockerConfig" in credentials else None,
        tuple(found.beside(name) for name in credentials.get("pullSecrets") or ()),
        tuple(found.files),
    )


class _Parts:
    """Makes the parts of the document, and notes what is wrong with each."""

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems
        self.files: list[Path] = []

    def beside(self, name: str) -> Path:
        self.files.append(self._file.parent / name)
        return self.files[-1]

    def check_hosts(self, patterns: Sequence[str], field: str) -> None:
        """Notes the patterns that can mean no host, and so would be without effect."""
        self._problems += [
            Problem(
                str(self._file),
                pointer("spec", field, index),
                f"{pattern!r} means no host: write name[:port], without https:// and without a path",
            )
            for index, pattern in enumerate(patterns)
            if not is_pattern(pattern)
        ]

    def host(self, entry: Mapping[str, Any]) -> HostSettings | None:
        try:
            return HostSettings(
                entry["host"],
                ca_file=self.beside(entry["caFile"]) if "caFile" in entry else None,
                plain_http=entry.get("plainHTTP", False),
                mirrors=tuple(entry.get("mirrors") or ()),
                only_mirrors=entry.get("onlyMirrors", False),
            )
        except ConfigError as error:
            self._problems += [Problem(str(self._file), each.where, each.message) for each in error.problems]
            return None

    def trust(self, spec: Mapping[str, Any]) -> TrustConfiguration | None:
        document = {"signers": [], **{name: spec[name] for name in trust.SCHEMA["properties"] if name in spec}}
        try:
            return trust_from_document(
                document,
                file=str(self._file),
                read_file=lambda name: self.beside(name).read_bytes(),
                where=("spec",),
            )
        except ConfigError as error:
            self._problems += error.problems
            return None
