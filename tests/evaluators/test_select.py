"""Which engine is chosen, and that the reason says so."""

from __future__ import annotations

import asyncio
import importlib.metadata
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluators.opa import OpaEvaluator
from evaluators.opa_binary import PINNED_OPA_VERSION
from evaluators.opa_external import ExternalOpaEvaluator
from evaluators.regopy import RegopyEvaluator
from evaluators.select import EngineChoice, choose_engine, start_evaluator
from pratique.errors import ConfigError, PolicyError
from pratique.evaluator import Evaluator
from pratique.policy import PolicySet
from tests.evaluators.bundle import OPA, ROOT, echo, policy_set, said, soon

REGOPY = importlib.metadata.version("regopy")


def opa(folder: Path, version: str = PINNED_OPA_VERSION) -> Path:
    """A program that says that it is this OPA."""
    folder.mkdir(parents=True, exist_ok=True)
    return program(folder / "opa", f'[ "$1" = version ] && echo "Version: {version}"')


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


def choose(tmp_path: Path, setting: str = "auto", environ: Mapping[str, str] | None = None) -> EngineChoice:
    return choose_engine(setting, tools_cache=tmp_path / "cache", environ=environ or {})


def test_the_pinned_version_is_the_one_that_is_provisioned() -> None:
    tools = tomllib.loads((ROOT / "tools" / "versions.toml").read_text())["tools"]
    assert tools["opa"]["version"] == f"v{PINNED_OPA_VERSION}"


def test_the_variable_comes_first_then_the_path_then_the_cache(tmp_path: Path) -> None:
    named, first, second, cached = (opa(tmp_path / name) for name in ("named", "first", "second", "cache"))
    environ = {"PRATIQUE_OPA": str(named), "PATH": f"{tmp_path / 'empty'}:{first.parent}:{second.parent}"}
    reason = f"engine is set to auto: OPA {PINNED_OPA_VERSION} from"

    expected = EngineChoice("opa", named, PINNED_OPA_VERSION, f"{reason} PRATIQUE_OPA ({named})")
    assert choose(tmp_path, environ=environ) == expected

    environ["PRATIQUE_OPA"] = ""
    expected = EngineChoice("opa", first, PINNED_OPA_VERSION, f"{reason} the PATH ({first})")
    assert choose(tmp_path, environ=environ) == expected

    expected = EngineChoice("opa", cached, PINNED_OPA_VERSION, f"{reason} the tools cache ({cached})")
    assert choose(tmp_path) == expected


@pytest.mark.parametrize("version", ["1.22.0", "1.22.1", "1.23.0-rc1", "1.100.0", "2.0.0", "v1.22.0"])
def test_the_pinned_version_or_newer_is_taken(version: str, tmp_path: Path) -> None:
    opa(tmp_path / "cache", version)
    choice = choose(tmp_path)
    assert (choice.name, choice.version) == ("opa", version.removeprefix("v"))


@pytest.mark.parametrize("version", ["1.21.9", "1.9.0", "0.70.0", "1.22.0-dev", "1.22.0-rc.1"])
def test_an_older_one_is_passed_over_and_said_so(version: str, tmp_path: Path) -> None:
    old, cached = opa(tmp_path / "old", version), opa(tmp_path / "cache")
    choice = choose(tmp_path, environ={"PATH": str(old.parent)})
    assert choice.binary == cached
    assert choice.reason.endswith(
        f"from the tools cache ({cached}) (passed over: {old} is OPA {version}, older than {PINNED_OPA_VERSION})"
    )


def test_auto_without_any_opa_is_regopy(tmp_path: Path) -> None:
    choice = choose(tmp_path, environ={"PATH": str(tmp_path)})
    assert choice == EngineChoice(
        "regopy",
        None,
        REGOPY,
        f"engine is set to auto, but there is no OPA {PINNED_OPA_VERSION} or newer in PRATIQUE_OPA, on the PATH or at "
        f"{tmp_path / 'cache' / 'opa'}: the embedded regopy {REGOPY}",
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "is not an OPA that runs (status 3): it says nothing"),
        ("echo hello", "is not an OPA that runs (status 0): hello"),
        ("echo broken >&2; exit 1", "is not an OPA that runs (status 1): broken"),
    ],
)
def test_what_is_not_opa_is_passed_over_on_the_path(script: str, reason: str, tmp_path: Path) -> None:
    broken = program(tmp_path / "opa", script)
    choice = choose(tmp_path, environ={"PATH": str(tmp_path)})
    assert choice.name == "regopy"
    assert f"(passed over: {broken} {reason})" in choice.reason


def test_what_cannot_be_executed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "opa").write_text("no program")
    choice = choose(tmp_path, environ={"PATH": str(tmp_path)})
    assert f"passed over: {tmp_path / 'opa'} cannot be run: [Errno 13] Permission denied" in choice.reason


def test_the_path_never_means_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opa(tmp_path)
    monkeypatch.chdir(tmp_path)
    choice = choose(tmp_path, environ={"PATH": "::."})
    assert choice.name == "regopy"
    assert "passed over: opa, because the working directory decides what it is" in choice.reason


@pytest.mark.parametrize("setting", ["auto", "opa"])
@pytest.mark.parametrize(
    ("version", "reason"),
    [(None, "is not a file"), ("1.21.0", "is OPA 1.21.0, older than 1.22.0"), ("new", "is not an OPA that runs")],
)
def test_a_variable_that_names_no_usable_opa_is_an_error(
    setting: str, version: str | None, reason: str, tmp_path: Path
) -> None:
    named = tmp_path / "named" / "opa"
    if version:
        opa(named.parent, version)
    opa(tmp_path / "cache")
    with pytest.raises(ConfigError) as error:
        choose(tmp_path, setting, {"PRATIQUE_OPA": str(named)})
    assert str(error.value).startswith(f"PRATIQUE_OPA: {named} {reason}")


def test_opa_by_name_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    old = opa(tmp_path / "cache", "1.0.0")
    with pytest.raises(ConfigError) as error:
        choose(tmp_path, "opa")
    assert str(error.value) == (
        f"engine: opa was asked for, but there is no OPA 1.22.0 or newer in PRATIQUE_OPA, on the PATH or at {old} "
        f"(passed over: {old} is OPA 1.0.0, older than 1.22.0)"
    )


def test_regopy_by_name_asks_no_opa(tmp_path: Path) -> None:
    opa(tmp_path / "cache")
    choice = choose(tmp_path, "regopy", {"PRATIQUE_OPA": "/nonexistent"})
    assert choice == EngineChoice("regopy", None, REGOPY, f"engine is set to regopy: the embedded regopy {REGOPY}")


@pytest.mark.parametrize("setting", ["auto", "regopy"])
def test_regopy_that_is_not_installed_is_an_error(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_there)
    with pytest.raises(ConfigError, match="engine: regopy is not installed"):
        choose(tmp_path, setting)


@pytest.mark.parametrize("setting", ["", "OPA", "gatekeeper"])
def test_an_unknown_engine_is_an_error(setting: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"engine: '{setting}' is none of auto, opa, regopy"):
        choose(tmp_path, setting)


def test_an_external_opa(tmp_path: Path) -> None:
    def choose_external(setting: str) -> EngineChoice:
        return choose_engine(
            setting, tools_cache=tmp_path, environ={}, opa_url="https://opa", opa_ca_file=tmp_path / "ca.crt"
        )

    expected = EngineChoice(
        "opa",
        None,
        "",
        "opa.url is set: the external OPA at https://opa",
        url="https://opa",
        ca_file=tmp_path / "ca.crt",
    )
    assert choose_external("auto") == choose_external("opa") == expected
    with pytest.raises(ConfigError, match=r"engine: regopy was asked for, but opa\.url is set to https://opa"):
        choose_external("regopy")


def test_the_real_one_in_the_tools_cache() -> None:
    choice = choose_engine("opa", tools_cache=OPA.parent, environ={})
    assert (choice.binary, choice.version) == (OPA, PINNED_OPA_VERSION)


PORTABLE = 'violations contains {"message": message, "path": ""} if some message in input.subject.messages'


def start(choice: EngineChoice, policies: PolicySet) -> type[Evaluator]:
    async def act() -> type[Evaluator]:
        evaluator = await start_evaluator(choice, policies)
        try:
            assert said(await evaluator.evaluate([echo("x")], deadline=soon())) == [{"test/echo": ["x"]}]
            return type(evaluator)
        finally:
            await evaluator.close()

    return asyncio.run(act())


def test_the_chosen_engine_is_started() -> None:
    policies = policy_set(test__echo=PORTABLE)
    assert start(EngineChoice("opa", OPA, "", ""), policies) is OpaEvaluator
    assert start(EngineChoice("regopy", None, "", ""), policies) is RegopyEvaluator


def test_the_gate_comes_before_the_engine() -> None:
    policies = policy_set(test__echo='violations contains {"message": "x", "path": ""} if time.now_ns() > 1')
    for choice in (
        EngineChoice("opa", Path("/nonexistent"), "", ""),
        EngineChoice("regopy", None, "", ""),
        EngineChoice("opa", None, "", "", url="http://127.0.0.1:1"),
    ):
        with pytest.raises(PolicyError, match=r"test/echo\.rego: .*time\.now_ns"):
            start(choice, policies)


def test_a_choice_of_opa_never_starts_regopy() -> None:
    with pytest.raises(ConfigError, match="neither a binary nor a URL"):
        start(EngineChoice("opa", None, "", ""), policy_set(test__echo=PORTABLE))


def test_every_engine_is_an_evaluator() -> None:
    engines: list[Evaluator] = [OpaEvaluator(OPA), ExternalOpaEvaluator("http://opa"), RegopyEvaluator()]
    assert [engine.name for engine in engines] == ["opa", "opa", "regopy"]
