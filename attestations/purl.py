"""Package URLs (github.com/package-url/purl-spec, PURL-SPECIFICATION.rst), as far as facts need them.

`pkg:type/namespace/name@version?qualifiers#subpath`: facts name packages by what stands before the version, decoded:
`pkg:pypi/torch`, `pkg:npm/@angular/core`, `pkg:deb/debian/libc6`.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

_PREFIX = "pkg:"
_TYPE = re.compile(r"[a-z][a-z0-9.+-]*\Z", re.ASCII)
_PLAIN = re.compile(r"(pkg:[a-z][a-z0-9]*/[a-z0-9]+(?:[+/-][a-z0-9]+)*)@([^@/?#%]+)(?:\?([^#?]*))?\Z", re.ASCII)
"""What is in its normal form already, as most purls are."""
_SEPARATORS = re.compile(r"[-_.]+")
_LOWER_CASE = frozenset({"bitbucket", "composer", "deb", "github", "gitlab", "golang", "hex", "oci", "pypi", "rpm"})
"""Types whose names are the same in upper and lower case (PURL-TYPES)."""


class Purl(NamedTuple):
    """A purl without its subpath. `package` is `pkg:type/namespace/name`; `qualifiers` is as it was written.

    A NamedTuple because an SBOM makes thousands of them.
    """

    package: str
    version: str
    qualifiers: str

    @property
    def name(self) -> str:
        return self.package.rpartition("/")[2]


def read_purl(text: str) -> Purl | None:
    """The purl that `text` is; None where it is none."""
    if plain := _PLAIN.match(text):
        return Purl(*plain.groups(""))
    if not text.startswith(_PREFIX):
        return None
    rest, _, _ = text[len(_PREFIX) :].partition("#")
    rest, _, qualifiers = rest.partition("?")
    kind, slash, path = rest.lstrip("/").partition("/")
    kind = kind.lower()
    at = path.rfind("@")
    version = ""
    if at >= 0 and not (kind == "npm" and path[at - 1 : at] in ("", "/")):  # the @ of a scope, not encoded
        path, version = path[:at], path[at + 1 :]
    path = "/".join(filter(None, path.split("/")))
    if not slash or not path or not _TYPE.match(kind):
        return None
    if "%" in path:
        path = unquote(path)
    if "%" in version:
        version = unquote(version)
    if kind in _LOWER_CASE:
        path = path.lower()
    if kind == "pypi":
        path = normalised(path)
    return Purl(f"{_PREFIX}{kind}/{path}", version, qualifiers)


def normalised(name: str) -> str:
    """The name of a Python project as PyPI compares it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def qualifiers_of(purl: Purl) -> dict[str, str]:
    """The qualifiers by name."""
    pairs = (pair.partition("=") for pair in purl.qualifiers.split("&") if pair)
    return {name.lower(): unquote(value) for name, _, value in pairs}
