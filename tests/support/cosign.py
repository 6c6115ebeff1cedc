"""The real cosign, offline: keys, signatures and attestations on images of a registry on loopback."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / ".cache" / "tools" / "cosign"
_OFFLINE = ("--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry", "--yes")


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair of cosign's making, with an empty password."""

    private: Path
    public: Path


@dataclass(frozen=True, slots=True)
class Cosign:
    """cosign with `folder` as its home."""

    folder: Path

    def key(self, name: str = "cosign") -> Key:
        """A new key pair."""
        prefix = self.folder / name
        self.run("generate-key-pair", f"--output-key-prefix={prefix}")
        return Key(prefix.with_suffix(".key"), prefix.with_suffix(".pub"))

    def sign(self, image: str, key: Key, *options: str) -> None:
        """Sign `image` (`host/repository@sha256:...`); `options` choose another layout."""
        self.run("sign", f"--key={key.private}", *_OFFLINE, *options, image)

    def attest(self, image: str, key: Key, *, kind: str, predicate: Path, options: tuple[str, ...] = ()) -> None:
        """Attest `predicate`, of the type `kind` (cosign's word or a URI), about `image`."""
        what = (f"--type={kind}", f"--predicate={predicate}")
        self.run("attest", f"--key={key.private}", *what, *_OFFLINE, *options, image)

    def run(self, *arguments: str | Path) -> str:
        """Run cosign; what it says on stdout. It has to succeed."""
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "COSIGN_PASSWORD": ""}
        done = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


LEGACY = ("--new-bundle-format=false", "--registry-referrers-mode=legacy")
"""Options of `sign` for the layout of cosign 1 and 2: a `.sig` tag."""
LEGACY_ATTESTATION = ("--new-bundle-format=false",)
"""The same of `attest`: a `.att` tag."""
