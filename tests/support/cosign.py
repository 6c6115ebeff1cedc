"""The real cosign (`tools/cosign`), in a home of its own and without any service of Sigstore."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.oci_registry import Repository

PROGRAM = Path(__file__).resolve().parents[2] / ".cache" / "tools" / "cosign"
SECONDS = 120.0
OFFLINE = ("--tlog-upload=false", "--use-signing-config=false", "--yes")
PLAIN_HTTP = "--allow-http-registry"
OLD_LAYOUT = "--new-bundle-format=false"


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair of cosign's making, with an empty password."""

    private: Path
    public: Path


@dataclass(frozen=True, slots=True)
class Cosign:
    """cosign with `folder` as its home and where it runs."""

    folder: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        assert PROGRAM.exists(), "there is no .cache/tools/cosign: run python3 tools/provision.py cosign"
        environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "COSIGN_PASSWORD": "",
            "GOMAXPROCS": "1",
            "no_proxy": "*",
        }
        command = [str(PROGRAM), *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def do(self, *arguments: str | Path) -> str:
        """What cosign prints; it has to succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"cosign {' '.join(map(str, arguments))}: {done.stderr}"
        return done.stdout

    def import_key(self, pem: bytes, name: str) -> None:
        """Make `NAME.key`, which cosign signs with, and `NAME.pub` of a private key."""
        source = self.folder / f"{name}.pem"
        source.write_bytes(pem)
        self.do("import-key-pair", "--key", source, "--output-key-prefix", name, "--yes")

    def key(self, name: str = "cosign") -> Key:
        """A new key pair, in `NAME.key` and `NAME.pub`."""
        self.do("generate-key-pair", f"--output-key-prefix={name}")
        return Key(self.folder / f"{name}.key", self.folder / f"{name}.pub")

    def sign(self, image: str, key: Key, *options: str) -> None:
        """Sign `image` (`host/repository@sha256:...`) on loopback; `options` choose another layout."""
        self.do("sign", "--key", key.private, *OFFLINE, PLAIN_HTTP, *options, image)

    def attest(self, image: str, key: Key, *options: str, kind: str, predicate: Path) -> None:
        """Attest `predicate`, of the type `kind` (cosign's word or a URI), about `image`."""
        what = ("--type", kind, "--predicate", predicate)
        self.do("attest", "--key", key.private, *what, *OFFLINE, PLAIN_HTTP, *options, image)


def reference(repository: Repository, digest: str) -> str:
    """How cosign names what has `digest`."""
    return f"{repository.client.base_url.netloc.decode()}/{repository.name}@{digest}"
