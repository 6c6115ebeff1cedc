"""Logins for registries: from Docker's configuration, its helpers, and the pull secrets of Kubernetes.

Which login is for which image is decided as the kubelet does (`k8s.io/kubernetes/pkg/credentialprovider`, keyring.go
and config.go): by host with globs and by the beginning of the path, the most specific first, several in turn. Secrets
are in no message and no `repr`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import re
import shutil
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from attestations.hosts import DOCKER_HUB, DOCKER_HUB_NAMES, matches_host
from pratique.errors import ConfigError, Problem

MAX_CONFIGURATION_BYTES = 2**20
"""Protects memory; the API server takes no larger Secret."""
MAX_HELPER_BYTES = 2**16
"""How much a helper program may answer."""
HELPER_SECONDS = 10.0
"""How long a helper program may take."""
MAX_CANDIDATES = 10
"""How many logins are tried for one image: more look like guessing, and lock accounts."""

_DOCKER_HUB_KEY = "index.docker.io"
_DOCKER_HUB_SERVER = "https://index.docker.io/v1/"
"""The name that Docker itself stores its Hub's login under."""
_TOKEN_USER = "<token>"  # noqa: S105 - the name under which helpers give identity tokens
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND = "credentials not found"
"""What helpers say for a server that they do not know (docker-credential-helpers, credentials/error.go)."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A login. With `is_identity_token`, `secret` is what OAuth calls a refresh token, and `user` says nothing.

    `origin` names where it is from, for messages.
    """

    user: str
    secret: str = field(repr=False)
    is_identity_token: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The logins to try, in turn; `problems` are sentences about those that could not be had."""

    credentials: tuple[Credential, ...] = ()
    problems: tuple[str, ...] = ()


class CredentialSource(Protocol):
    """Where logins come from: Docker's configuration, pull secrets, several of them, none."""

    async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
        """The logins for a repository, the most specific first, within `seconds`. Never raises."""


class Anonymous:
    """No logins."""

    async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
        return Candidates()


class Several:
    """The logins of several sources, one source after the other; each login once."""

    def __init__(self, *sources: CredentialSource) -> None:
        self._sources = sources

    async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
        found = await asyncio.gather(
            *(each.candidates(registry, repository, seconds=seconds) for each in self._sources)
        )
        logins: dict[tuple[str, str, bool], Credential] = {}
        for credential in (credential for each in found for credential in each.credentials):
            logins.setdefault((credential.user, credential.secret, credential.is_identity_token), credential)
        return Candidates(tuple(logins.values()), tuple(problem for each in found for problem in each.problems))


class Keyring:
    """Logins by pattern, as `auths` has them: `registry.internal:5000`, `*.example.com/team`,
    `https://index.docker.io/v1/`."""

    def __init__(self, entries: Iterable[tuple[str, Credential]] = ()) -> None:
        keys: dict[str, list[Credential]] = {}
        for pattern, credential in entries:
            keys.setdefault(_key(pattern), []).append(credential)
        self._by_key = dict(sorted(keys.items(), reverse=True))
        """In reverse order of the keys: a longer path stands before its beginning, and letters before `*`."""

    async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
        return Candidates(self.lookup(registry, repository))

    def lookup(self, registry: str, repository: str) -> tuple[Credential, ...]:
        """The logins whose pattern means the repository; Docker Hub's own if none does and it is there."""
        found = [
            credential
            for key, credentials in self._by_key.items()
            if _means(key, registry, repository)
            for credential in credentials
        ]
        if not found and registry in DOCKER_HUB_NAMES:
            found = self._by_key.get(_DOCKER_HUB_KEY, [])
        return tuple(found)


def _key(pattern: str) -> str:
    """Host and path of a pattern, without its scheme and the `/v1/` and `/v2/` that Docker writes."""
    host, slash, path = pattern.removeprefix("https://").removeprefix("http://").partition("/")
    path = slash + path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return host if path in ("", "/") else host + path


def _means(key: str, registry: str, repository: str) -> bool:
    host, slash, path = key.partition("/")
    return matches_host(host, registry) and f"/{repository}".startswith(slash + path)


def pull_secret(secret: Mapping[str, Any]) -> Keyring:
    """The logins of a Secret of type `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg`, as the API server
    gives it.

    Raises:
        ConfigError: it is no such Secret.
    """
    metadata = secret.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    origin = f"the pull secret {metadata.get('namespace', '')}/{metadata.get('name', '')}"
    fields = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
    kind = secret.get("type")
    if not isinstance(kind, str) or kind not in fields:
        raise ConfigError(Problem(origin, "type", f"{kind!r} is not a type of pull secrets: {' or '.join(fields)}"))
    data = secret.get("data")
    encoded = data.get(fields[kind]) if isinstance(data, dict) else None
    try:
        content = base64.b64decode(encoded or "", validate=True)
    except (ValueError, TypeError):
        raise ConfigError(Problem(origin, f"data.{fields[kind]}", "it is not base64")) from None
    document = _object(content, origin)
    auths = document.get("auths") if kind.endswith("configjson") else document
    return Keyring(_entries(auths, origin))


class DockerConfiguration:
    """Docker's `config.json`, read anew for each look-up: `credHelpers` of the host, or else `credsStore`, then
    `auths`. Without a file there are no logins.

    `environ` is what helper programs run with, and where they are found (PATH).
    """

    def __init__(self, file: Path, *, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = dict(environ)

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> DockerConfiguration:
        """The one that Docker itself would use: below DOCKER_CONFIG, or below HOME; without either, that of the root
        folder, and never one of the working directory."""
        folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "/", ".docker"))
        return cls(folder / "config.json", environ=environ)

    async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
        try:
            document = await asyncio.to_thread(self._read)
            entries = _entries(document.get("auths"), str(self._file))
        except FileNotFoundError:
            return Candidates()
        except OSError as error:
            return Candidates(problems=(f"{self._file} cannot be read: {error.strerror}",))
        except ConfigError as error:
            return Candidates(problems=(str(error),))
        kept = Keyring(entries).lookup(registry, repository)
        server = _DOCKER_HUB_SERVER if registry in DOCKER_HUB_NAMES else registry
        name = _helper_of(document, registry, server)
        if not name:
            return Candidates(kept)
        helper = Helper(name, environ=self._environ)
        try:
            credential = await helper.get(server, seconds=min(seconds, HELPER_SECONDS))
        except HelperFailed as failure:
            return Candidates(kept, (str(failure),))
        return Candidates(((credential,) if credential else ()) + kept)

    def _read(self) -> Mapping[str, Any]:
        with self._file.open("rb") as stream:
            return _object(stream.read(MAX_CONFIGURATION_BYTES + 1), str(self._file))


def _helper_of(document: Mapping[str, Any], registry: str, server: str) -> str:
    helpers = document.get("credHelpers")
    by_host = helpers if isinstance(helpers, dict) else {}
    names = (registry, server) if registry not in DOCKER_HUB_NAMES else (server, DOCKER_HUB, *DOCKER_HUB_NAMES)
    found = next((by_host[name] for name in names if name in by_host), document.get("credsStore"))
    return found if isinstance(found, str) else ""


class HelperFailed(Exception):
    """A helper program gave no login; `str()` of it is one sentence without a secret."""


class Helper:
    """A `docker-credential-NAME` program (docker-credential-helpers, protocol of `get`)."""

    def __init__(self, name: str, *, environ: Mapping[str, str]) -> None:
        self.name = name
        self._environ = environ

    async def get(self, server: str, *, seconds: float) -> Credential | None:
        """The login for the server; None where the helper has none.

        Raises:
            HelperFailed: there is no such program, it fails, takes longer than `seconds`, or answers nonsense.
        """
        if not _HELPER_NAME.fullmatch(self.name):
            raise HelperFailed(f"{self.name[:80]!r} in Docker's configuration is no name of a credential helper")
        program = shutil.which(f"docker-credential-{self.name}", path=self._environ.get("PATH"))
        if program is None:
            raise HelperFailed(
                f"there is no docker-credential-{self.name} on the PATH, which Docker's configuration names"
            )
        status, output = await self._run(program, server, seconds)
        if status:
            # Its output may have what it was told in it: only what the protocol fixes is looked for, nothing is cited.
            if _NOT_FOUND in output.decode(errors="replace").lower():
                return None
            raise HelperFailed(
                f"docker-credential-{self.name} failed with status {status} for {server}: run it by hand"
            )
        try:
            answer = json.loads(output)
            user, secret = answer["Username"], answer["Secret"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise HelperFailed(f"docker-credential-{self.name} gives no login for {server}") from None
        if not _is_text(user) or not _is_text(secret):
            raise HelperFailed(f"docker-credential-{self.name} gives no login for {server}")
        return Credential(user, secret, user == _TOKEN_USER, f"docker-credential-{self.name}")

    async def _run(self, program: str, server: str, seconds: float) -> tuple[int, bytes]:
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                "get",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environ,
                start_new_session=True,
            )
        except OSError as error:
            raise HelperFailed(f"docker-credential-{self.name} cannot be run: {error.strerror}") from error
        assert process.stdin is not None  # noqa: S101 - both are pipes, see above
        assert process.stdout is not None  # noqa: S101
        ended = False
        try:
            async with asyncio.timeout(seconds):
                # It need not read what it does not want to know. RuntimeError is what uvloop raises for that.
                with suppress(BrokenPipeError, ConnectionResetError, RuntimeError):
                    process.stdin.write(server.encode())
                    await process.stdin.drain()
                process.stdin.close()
                output = await _read_all(process.stdout)
                status = await process.wait()
            ended = True
            return status, output
        except TimeoutError:
            raise HelperFailed(f"docker-credential-{self.name} took longer than {seconds:.1f} s for {server}") from None
        except asyncio.LimitOverrunError:
            raise HelperFailed(
                f"docker-credential-{self.name} answers more than {MAX_HELPER_BYTES} bytes for {server}"
            ) from None
        finally:
            if not ended:  # a child of it may hold the pipe, although it has ended itself
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                # One that left the group may hold it still; nothing public of asyncio lets go of it.
                process._transport.close()  # type: ignore[attr-defined]


async def _read_all(stream: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while chunk := await stream.read(MAX_HELPER_BYTES):
        content += chunk
        if len(content) > MAX_HELPER_BYTES:
            raise asyncio.LimitOverrunError("too much", len(content))
    return bytes(content)


def _object(content: bytes, origin: str) -> Mapping[str, Any]:
    if len(content) > MAX_CONFIGURATION_BYTES:
        raise ConfigError(Problem(origin, "", f"it has more than {MAX_CONFIGURATION_BYTES} bytes"))
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigError(Problem(origin, "", "it is not JSON")) from None  # the error would cite what is in it
    if not isinstance(document, dict):
        raise ConfigError(Problem(origin, "", "it is not a JSON object"))
    return document


def _entries(auths: object, origin: str) -> Sequence[tuple[str, Credential]]:
    """The logins of `auths`; entries without one, as helpers leave them behind, are passed over.

    Raises:
        ConfigError: an entry is not what Docker writes.
    """
    if auths is None:
        return ()
    if not isinstance(auths, dict):
        raise ConfigError(Problem(origin, "auths", "it is not an object"))
    found = []
    for pattern, entry in auths.items():
        credential = _credential(entry, origin, f"auths[{pattern!r}]")
        if credential is not None:
            found.append((pattern, credential))
    return found


def _credential(entry: object, origin: str, where: str) -> Credential | None:
    if not isinstance(entry, dict):
        raise ConfigError(Problem(origin, where, "it is not an object"))
    texts = {name: entry.get(name) or "" for name in ("username", "password", "auth", "identitytoken")}
    if not all(_is_text(text) for text in texts.values()):
        raise ConfigError(Problem(origin, where, "a login is not text"))
    if texts["identitytoken"]:
        return Credential(_TOKEN_USER, texts["identitytoken"], is_identity_token=True, origin=origin)
    user, secret = texts["username"], texts["password"]
    if texts["auth"]:
        user, secret = _decoded(texts["auth"], origin, where)
    return Credential(user, secret, origin=origin) if user or secret else None


def _is_text(value: object) -> bool:
    """Whether it is a text that can be sent: JSON has some that are no Unicode (half a surrogate pair)."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _decoded(auth: str, origin: str, where: str) -> tuple[str, str]:
    """User and secret of `auth`: base64 of `user:secret`, with padding or without (kubelet, config.go); Docker fills it
    up with NUL (docker/cli, configfile, decodeAuth)."""
    text = auth.strip()
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ConfigError(Problem(origin, where, "auth is not base64")) from None
    user, colon, secret = decoded.partition(":")
    if not colon:
        raise ConfigError(Problem(origin, where, "auth is not base64 of user:password"))
    return user, secret.rstrip("\0")
