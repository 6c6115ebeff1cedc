"""Settings of the webhook, read once: flags count before the environment, that before a file, that before the defaults.

A setting has one name everywhere: `max_body_bytes` in the file, `PRATIQUE_MAX_BODY_BYTES`, `--max-body-bytes`.
Variables of the environment that are no setting are left alone: Kubernetes itself sets `PRATIQUE_PORT` and more in
every pod beside a Service that is named so.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from pratique.errors import ConfigError, Problem
from pratique.yamlfile import Document, load_documents

ENVIRONMENT_PREFIX = "PRATIQUE_"
MAX_SETTINGS_FILE_BYTES = 1024 * 1024
"""Protects the process from a path that was given by mistake."""

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. Port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# How the text of a setting is read. Each raises ValueError with the second half of a sentence: "is ..., not ...".


def _path(text: str) -> Path:
    if not text:
        raise ValueError("is empty; name a file or folder")
    return Path(text)


def _text(text: str) -> str:
    if not text:
        raise ValueError("is empty; leave it out or give it a value")
    return text


def _names(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(","))
    if "" in names:
        raise ValueError("holds an empty name; write NAME,NAME")
    return names


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"is {text!r}, neither true nor false")
    return text == "true"


def _listen(text: str) -> Listen:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"is {text!r}, not HOST:PORT such as 0.0.0.0:8443")
    return Listen(host, int(port))


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is {text!r}, none of {', '.join(words)}")
        return text

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"is {text!r}, not a whole number") from None
        if not least <= number <= most:
            raise ValueError(f"is {number}; it must be from {least} to {most}")
        return number

    return read


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"is {text!r}, not a number of seconds") from None
        if not least <= number <= most:  # NaN is refused here too
            raise ValueError(f"is {text}; it must be from {least:g} to {most:g} seconds")
        return number

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything about the webhook process that is not policy; `KEYS` says what each is for."""

    policies: Path
    config: Path
    state: Path
    approvers: Path | None = None
    approval_key: Path | None = None
    listen: Listen = Listen("0.0.0.0", 8443)  # noqa: S104 - a webhook is called from other machines
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    unsafe_plain_http: bool = False
    kubeconfig: Path | None = None
    in_cluster: bool = False
    cluster_config: bool = False
    break_glass_users: frozenset[str] = frozenset()
    evidence_config: Path | None = None
    engine: str = "auto"
    opa: Path | None = None
    opa_url: str = ""
    opa_ca: Path | None = None
    durability: Literal["strict", "relaxed"] = "strict"
    cache_bytes: int = 32 * MIB
    max_body_bytes: int = 8 * MIB
    max_reviews_in_flight: int = 256
    read_timeout_seconds: float = 5.0
    shutdown_delay_seconds: float = 2.0
    shutdown_grace_seconds: float = 20.0
    poll_seconds: float = 1.0
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class Key:
    """One setting as people write it. `metavar` stands for its value in help; a switch has none: it is on or off."""

    name: str
    read: Callable[[str], Any]
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def is_switch(self) -> bool:
        return not self.metavar


KEYS = (
    Key("policies", _path, "PATH", "folder of policies, or an OPA bundle tarball"),
    Key("config", _path, "PATH", "folder (or file) of bindings, waivers and namespaces"),
    Key("state", _path, "DIR", "folder for the ledger and the last good configuration"),
    Key("approvers", _path, "FILE", "who may approve waivers (kind ApproverList); without it, no waiver counts"),
    Key(
        "approval_key", _path, "FILE", "PEM key that attests approvals of Waiver objects; its public half is a witness"
    ),
    Key("listen", _listen, "HOST:PORT", "address to listen on; port 0 picks a free one (default: 0.0.0.0:8443)"),
    Key("tls_cert", _path, "FILE", "serving certificate with its chain, PEM; read again when it changes"),
    Key("tls_key", _path, "FILE", "key of the serving certificate, PEM"),
    Key("client_ca", _path, "FILE", "serve only clients with a certificate of this CA (TLS 1.3; health probes too)"),
    Key("unsafe_plain_http", _switch, "", "serve HTTP without TLS, on loopback only"),
    Key("kubeconfig", _path, "FILE", "how to reach the API server, for namespace labels and scaled objects"),
    Key("in_cluster", _switch, "", "reach the API server with the pod's own service account"),
    Key("cluster_config", _switch, "", "read PolicyBinding and Waiver objects of the cluster, beside those in config"),
    Key(
        "break_glass_users",
        _names,
        "NAME,NAME",
        "users whom the rules about Pratique's own webhook do not stop; each time is recorded as a bypass",
    ),
    Key(
        "evidence_config",
        _path,
        "FILE",
        "who may sign, and how registries are reached (kind EvidenceConfig); without it, no evidence is looked up",
    ),
    Key(
        "engine", _one_of("auto", "opa", "regopy"), "ENGINE", "auto (OPA where it is found, else regopy), opa or regopy"
    ),
    Key("opa", _path, "FILE", "the OPA binary to run"),
    Key("opa_url", _text, "URL", "a running OPA to ask instead of a child process"),
    Key("opa_ca", _path, "FILE", "the CA that signed the certificate of that OPA"),
    Key(
        "durability",
        _one_of("strict", "relaxed"),
        "WORD",
        "strict: answer only when the decision is on disk; or relaxed",
    ),
    Key("cache_bytes", _whole(0, 4096 * MIB), "N", "memory for decisions that are remembered (default: 32 MiB)"),
    Key("max_body_bytes", _whole(1024, 64 * MIB), "N", "largest review that is read (default: 8 MiB)"),
    Key("max_reviews_in_flight", _whole(1, 100_000), "N", "more at one time are answered as undecided (default: 256)"),
    Key("read_timeout_seconds", _seconds(0.1, 300), "S", "how long a body may take to arrive (default: 5)"),
    Key("shutdown_delay_seconds", _seconds(0, 300), "S", "after SIGTERM, still serve for this long (default: 2)"),
    Key("shutdown_grace_seconds", _seconds(0, 300), "S", "then, let what was accepted finish (default: 20)"),
    Key("poll_seconds", _seconds(0.05, 3600), "S", "how often files are looked at for changes (default: 1)"),
    Key("log_level", _one_of("debug", "info", "warning", "error"), "LEVEL", "debug, info, warning or error"),
)
"""Every setting there is: its name, how its text is read, and what it is for."""

_BY_NAME = {key.name: key for key in KEYS}
_REQUIRED = ("policies", "config", "state")


class _Given(NamedTuple):
    """The text of a setting and where it stands: `file` and `where` as in a Problem."""

    text: str
    file: str
    where: str

    def problem(self, message: str) -> Problem:
        return Problem(self.file, self.where, message)


def read_settings(*, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    """The settings of `flags` (by name; those that were given), then `environ`, then `file`, then the defaults.

    Raises:
        ConfigError: everything that is wrong, each with its key and where it was set.
    """
    problems: list[Problem] = []
    given = dict(_from_file(file, problems)) if file is not None else {}
    for key in KEYS:
        if environ.get(key.variable):
            given[key.name] = _Given(environ[key.variable], "environment", key.variable)
        if key.name in flags:
            given[key.name] = _Given(flags[key.name], "command line", key.flag)
    values: dict[str, Any] = {}
    for name, value in given.items():
        try:
            values[name] = _BY_NAME[name].read(value.text)
        except ValueError as error:
            problems.append(value.problem(f"{name} {error}"))
    for name in _REQUIRED:
        if name not in given:
            message = f"{name} is not set; give --{name}, or set {ENVIRONMENT_PREFIX}{name.upper()}"
            problems.append(Problem("settings", "", message))
    if problems:
        raise ConfigError(*problems)
    settings = Settings(**values)
    problems = list(_contradictions(settings))
    if problems:
        raise ConfigError(*problems)
    return settings


def _contradictions(settings: Settings) -> Iterable[Problem]:
    if settings.unsafe_plain_http:
        if not settings.listen.is_loopback:
            message = f"unsafe_plain_http is for loopback only, and listen is {settings.listen}; use TLS"
            yield Problem("settings", "", message)
        if settings.tls_cert or settings.tls_key or settings.client_ca:
            yield Problem("settings", "", "unsafe_plain_http and tls_cert, tls_key or client_ca are both set; keep one")
    elif settings.tls_cert is None or settings.tls_key is None:
        message = "tls_cert and tls_key are not both set; `pratique certs` makes a pair for tests"
        yield Problem("settings", "", message)
    if settings.kubeconfig is not None and settings.in_cluster:
        yield Problem("settings", "", "kubeconfig and in_cluster are both set; keep one")
    if settings.cluster_config and settings.kubeconfig is None and not settings.in_cluster:
        yield Problem("settings", "", "cluster_config needs an API server; set kubeconfig or in_cluster")
    if settings.opa is not None and settings.opa_url:
        yield Problem("settings", "", "opa and opa_url are both set; keep one")
    if settings.engine == "regopy" and (settings.opa is not None or settings.opa_url):
        yield Problem("settings", "", "engine is regopy, and opa or opa_url is set; keep one")


def _from_file(path: Path, problems: list[Problem]) -> Iterable[tuple[str, _Given]]:
    file = str(path)
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_SETTINGS_FILE_BYTES + 1)
    except OSError as error:
        problems.append(Problem(file, "", f"the settings cannot be read: {error.strerror}"))
        return
    if len(text) > MAX_SETTINGS_FILE_BYTES:
        problems.append(
            Problem(file, "", f"the file is larger than {MAX_SETTINGS_FILE_BYTES} bytes; is it the right one?")
        )
        return
    documents: list[Document] = []
    for document in load_documents(text, file):
        if isinstance(document, Problem):
            problems.append(document)
            return
        documents.append(document)
    if not documents:
        return
    if len(documents) > 1 or not isinstance(documents[0].value, dict):
        where = documents[-1].where
        problems.append(Problem(file, where, "the settings are one document of `name: value` lines"))
        return
    lines = _lines(text)
    for name, value in documents[0].value.items():
        where = f"line {lines[name]}" if name in lines else ""
        if name not in _BY_NAME:
            problems.append(Problem(file, where, f"there is no setting {name!r}; there are: {', '.join(_BY_NAME)}"))
        elif isinstance(value, dict | list) or value is None:
            problems.append(Problem(file, where, f"{name} has no single value; write `{name}: VALUE`"))
        else:
            yield name, _Given(str(value).lower() if isinstance(value, bool) else str(value), file, where)


def _lines(text: bytes) -> dict[str, int]:
    """The line of each key of the document, which is known to be a mapping of texts."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return {key.value: key.start_mark.line + 1 for key, _ in pairs}
