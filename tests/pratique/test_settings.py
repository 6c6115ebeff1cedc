"""Settings: three sources, one name each, and one sentence for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from pratique.errors import ConfigError
from pratique.settings import KEYS, Listen, Settings, read_settings

_REQUIRED = {"policies": "p", "config": "c", "state": "s", "tls_cert": "tls.crt", "tls_key": "tls.key"}


def _problems(flags: Mapping[str, str] = {}, *, environ: Mapping[str, str] = {}, file: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read_settings(file=file, environ=environ, flags={**_REQUIRED, **flags})
    return [str(problem) for problem in raised.value.problems]


def _file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_setting_has_a_key_and_every_key_a_setting() -> None:
    assert [key.name for key in KEYS] == [setting.name for setting in fields(Settings)]


def test_a_switch_is_a_setting_that_is_true_or_false() -> None:
    switches = {setting.name for setting in fields(Settings) if setting.type == "bool"}

    assert {key.name for key in KEYS if key.is_switch} == switches


def test_what_nobody_says_has_its_default() -> None:
    settings = read_settings(file=None, environ={}, flags=_REQUIRED)

    assert settings == Settings(
        policies=Path("p"), config=Path("c"), state=Path("s"), tls_cert=Path("tls.crt"), tls_key=Path("tls.key")
    )
    assert settings.max_body_bytes == 8 * 1024 * 1024
    assert settings.cache_bytes == 32 * 1024 * 1024


def test_flags_count_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, "engine: opa\nlog_level: debug\ncache_bytes: 1_000\nunsafe_plain_http: false\n")
    environ = {"PRATIQUE_ENGINE": "regopy", "PRATIQUE_LOG_LEVEL": "error"}

    settings = read_settings(file=file, environ=environ, flags={**_REQUIRED, "log_level": "info"})

    assert (settings.engine, settings.log_level, settings.cache_bytes) == ("regopy", "info", 1000)


def test_everything_can_come_from_the_environment() -> None:
    environ = {f"PRATIQUE_{name.upper()}": value for name, value in _REQUIRED.items()}

    assert read_settings(file=None, environ=environ, flags={}) == read_settings(file=None, environ={}, flags=_REQUIRED)


def test_variables_that_kubernetes_sets_for_a_service_are_left_alone() -> None:
    environ = {"PRATIQUE_PORT": "tcp://10.0.0.1:443", "PRATIQUE_SERVICE_HOST": "10.0.0.1", "PRATIQUE_LISTEN": ""}

    assert read_settings(file=None, environ=environ, flags=_REQUIRED).listen.port == 8443


@pytest.mark.parametrize(
    ("text", "listen", "loopback"),
    [
        ("127.0.0.1:0", Listen("127.0.0.1", 0), True),
        ("localhost:8443", Listen("localhost", 8443), True),
        ("[::1]:8443", Listen("::1", 8443), True),
        ("pratique.example:443", Listen("pratique.example", 443), False),
    ],
)
def test_an_address_is_read(text: str, listen: Listen, loopback: bool) -> None:
    settings = read_settings(file=None, environ={}, flags={**_REQUIRED, "listen": text})

    assert settings.listen == listen
    assert str(settings.listen) == text
    assert settings.listen.is_loopback is loopback


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("listen", "8443", "command line: --listen: listen is '8443', not HOST:PORT such as 0.0.0.0:8443"),
        ("listen", "h:99999", "command line: --listen: listen is 'h:99999', not HOST:PORT such as 0.0.0.0:8443"),
        ("engine", "cue", "command line: --engine: engine is 'cue', none of auto, opa, regopy"),
        ("max_body_bytes", "8 MiB", "command line: --max-body-bytes: max_body_bytes is '8 MiB', not a whole number"),
        (
            "max_body_bytes",
            "7",
            "command line: --max-body-bytes: max_body_bytes is 7; it must be from 1024 to 67108864",
        ),
        (
            "read_timeout_seconds",
            "nan",
            "command line: --read-timeout-seconds: read_timeout_seconds is nan; it must be from 0.1 to 300 seconds",
        ),
        (
            "poll_seconds",
            "often",
            "command line: --poll-seconds: poll_seconds is 'often', not a number of seconds",
        ),
        ("in_cluster", "yes", "command line: --in-cluster: in_cluster is 'yes', neither true nor false"),
        ("state", "", "command line: --state: state is empty; name a file or folder"),
        ("opa_url", "", "command line: --opa-url: opa_url is empty; leave it out or give it a value"),
    ],
)
def test_a_bad_value_is_named_with_its_place(name: str, value: str, message: str) -> None:
    assert _problems({name: value}) == [message]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = _file(tmp_path, "# settings\nenigne: opa\ncache_bytes: [1]\nstate:\nlog_level: loud\n")

    with pytest.raises(ConfigError) as raised:
        read_settings(file=file, environ={"PRATIQUE_DURABILITY": "none"}, flags={"policies": "p"})

    names = ", ".join(key.name for key in KEYS)
    assert [str(problem) for problem in raised.value.problems] == [
        f"{file}: line 2: there is no setting 'enigne'; there are: {names}",
        f"{file}: line 3: cache_bytes has no single value; write `cache_bytes: VALUE`",
        f"{file}: line 4: state has no single value; write `state: VALUE`",
        f"{file}: line 5: log_level is 'loud', none of debug, info, warning, error",
        "environment: PRATIQUE_DURABILITY: durability is 'none', none of strict, relaxed",
        "settings: config is not set; give --config, or set PRATIQUE_CONFIG",
        "settings: state is not set; give --state, or set PRATIQUE_STATE",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: 1\n\tb: 2\n", "line 2: found a tab character that violates indentation"),
        (b"- engine\n", "line 1: the settings are one document of `name: value` lines"),
        (b"engine: opa\n---\nengine: opa\n", "line 3: the settings are one document of `name: value` lines"),
        (b"engine: opa\nengine: opa\n", "line 2: the key 'engine' is there twice, first at line 1; keep one"),
        (b"#" * (1024 * 1024 + 1), "the file is larger than 1048576 bytes; is it the right one?"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: bytes, message: str) -> None:
    file = _file(tmp_path, text)

    assert _problems(file=file) == [f"{file}: {message}"]


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    file = _file(tmp_path, "# nothing yet\n")

    assert read_settings(file=file, environ={}, flags=_REQUIRED).engine == "auto"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"

    assert _problems(file=file) == [f"{file}: the settings cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"kubeconfig": "k", "in_cluster": "true"},
            "settings: kubeconfig and in_cluster are both set; keep one",
        ),
        ({"opa": "/opa", "opa_url": "http://opa"}, "settings: opa and opa_url are both set; keep one"),
        ({"engine": "regopy", "opa": "/opa"}, "settings: engine is regopy, and opa or opa_url is set; keep one"),
        (
            {"unsafe_plain_http": "true", "listen": "127.0.0.1:0"},
            "settings: unsafe_plain_http and tls_cert, tls_key or client_ca are both set; keep one",
        ),
    ],
)
def test_settings_that_contradict_each_other(flags: Mapping[str, str], message: str) -> None:
    assert _problems(flags) == [message]


def test_plain_http_is_for_loopback_only() -> None:
    flags = {name: _REQUIRED[name] for name in ("policies", "config", "state")} | {"unsafe_plain_http": "true"}

    with pytest.raises(
        ConfigError, match=r"unsafe_plain_http is for loopback only, and listen is 0\.0\.0\.0:8443; use TLS"
    ):
        read_settings(file=None, environ={}, flags=flags)

    assert read_settings(file=None, environ={}, flags={**flags, "listen": "[::1]:0"}).unsafe_plain_http


def test_without_a_certificate_nothing_is_served() -> None:
    flags = {name: _REQUIRED[name] for name in ("policies", "config", "state", "tls_cert")}

    with pytest.raises(ConfigError, match="tls_cert and tls_key are not both set; `pratique certs` makes a pair"):
        read_settings(file=None, environ={}, flags=flags)


def test_break_glass_users_are_names_with_commas_between() -> None:
    flags = {**_REQUIRED, "break_glass_users": "ada@example.com, grace@example.com"}
    assert read_settings(file=None, environ={}, flags=flags).break_glass_users == {
        "ada@example.com",
        "grace@example.com",
    }
    for text in (",", "ada,", " "):
        assert _problems({"break_glass_users": text}) == [
            "command line: --break-glass-users: break_glass_users holds an empty name; write NAME,NAME"
        ]
