"""The last bundle and configuration that were loaded whole, kept on disk, so that a restart with broken ones still
serves.

    state/last-good/
        current.json                    which two files count, and since when; replaced last, in one step
        bundle-<hex>.tar.gz             the policies: the modules and data that the digest is over
        configuration-<hex>.json        the documents

What is read back must have the digests that it was written with. The signatures of waivers are kept with them, and are
verified by the list of approvers that is trusted now: a restart on the last good configuration is never less strict.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pratique.canonical import canonical_json
from pratique.configuration import Configuration, build
from pratique.errors import ConfigError, Problem
from pratique.policy import PolicySet
from pratique.replace_file import replace_file
from pratique.yamlfile import Document

FOLDER = "last-good"
_CURRENT = "current.json"


@dataclass(frozen=True, slots=True)
class LastGood:
    """A bundle and a configuration that were in force together until something broke, first so at `saved_at`."""

    policies: PolicySet
    configuration: Configuration
    saved_at: datetime


def save(state: Path, policies: PolicySet, configuration: Configuration) -> None:
    """Make these the last good ones, in one step: whenever the process dies, the former or the new ones are found.

    Raises:
        OSError: they could not be written; the former ones are still there.
    """
    folder = state / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    current = {
        "bundle": policies.digest,
        "configuration": configuration.digest,
        "saved_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    bundle, documents = _bundle_name(policies.digest), _documents_name(configuration.digest)
    if not (folder / bundle).exists():
        replace_file(folder / bundle, _tarball(policies))
    if not (folder / documents).exists():
        replace_file(folder / documents, canonical_json(list(configuration.documents)))
    replace_file(folder / _CURRENT, json.dumps(current, indent=2).encode() + b"\n")
    for entry in folder.iterdir():
        if entry.name not in (bundle, documents, _CURRENT):
            with suppress(OSError):
                entry.unlink()


def load(state: Path, *, approvers: Document | None = None) -> LastGood | None:
    """The last good bundle and configuration; None if there never were any. `approvers` is the list that is trusted
    now; without one, no waiver counts.

    Raises:
        ConfigError, PolicyError: they are there, but damaged.
    """
    folder = state / FOLDER
    try:
        current = json.loads((folder / _CURRENT).read_bytes())
        saved_at = datetime.fromisoformat(current["saved_at"])
        policies = PolicySet.load(folder / _bundle_name(current["bundle"]))
        values = json.loads((folder / _documents_name(current["configuration"])).read_bytes())
    except FileNotFoundError as error:
        if not (folder / _CURRENT).exists():
            return None
        raise _damaged(folder, f"{error.filename} is missing") from error
    except OSError as error:
        raise _damaged(folder, f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{_CURRENT} or what it names is not whole ({error})") from error
    documents = [Document(f"{FOLDER}/{index}", index, 1, value) for index, value in enumerate(values)]
    configuration = build(documents, policies, recorded=True)
    if (policies.digest, configuration.digest) != (current["bundle"], current["configuration"]):
        raise _damaged(folder, "what was read does not have the digests that were written")
    waived = [each for each in documents if each.value["kind"] != "ApproverList"]
    return LastGood(policies, build(waived, policies, approvers=approvers), saved_at)


def _damaged(folder: Path, what: str) -> ConfigError:
    return ConfigError(Problem(str(folder), "", f"the last good configuration is damaged: {what}"))


def _bundle_name(digest: str) -> str:
    return f"bundle-{_hexadecimal(digest)}.tar.gz"


def _documents_name(digest: str) -> str:
    return f"configuration-{_hexadecimal(digest)}.json"


def _hexadecimal(digest: str) -> str:
    """The part of a digest that names a file. Raises: ValueError."""
    text = digest.removeprefix("sha256:")
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{digest!r} is not a digest")
    return text


def _tarball(policies: PolicySet) -> bytes:
    contents = {module.path: module.text.encode() for module in policies.modules}
    if policies.data:
        contents["data.json"] = json.dumps(policies.data).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in sorted(contents.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)
