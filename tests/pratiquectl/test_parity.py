"""`pratique parity` against a webhook that is served for it: the same policies say the same, and others do not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pratique.policy import PolicySet
from pratiquectl.__main__ import main
from tests.pratiquectl.test_check_inputs import bad, write
from tests.support import workloads
from tests.support.cluster import REPOSITORY
from tests.support.parity import all_cases, some_cases, write_bindings, write_cases, write_examples
from tests.support.small_bundle import small_bundle
from tests.support.webhook import Webhook

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("engine", ["opa", "regopy"])
def test_all_cases_and_examples_come_to_the_same_at_both_doors(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here OPA judges, there the engine."""
    policies = tmp_path / "policies"
    shutil.copytree(REPOSITORY / "policies", policies, ignore=shutil.ignore_patterns("bindings", "levels"))
    cases = all_cases() if engine == "opa" else some_cases()
    write_cases(tmp_path / "m", cases)
    write_examples(tmp_path / "m")
    write_bindings(tmp_path / "config", PolicySet.load(policies), cases)
    with Webhook(tmp_path / "webhook", config=tmp_path / "config", policies=policies, engine=engine) as webhook:
        code = main(
            [
                *("parity", str(tmp_path / "m"), "--server", webhook.url, "--ca", str(webhook.authority)),
                *("--policies", str(policies), "--config", str(tmp_path / "config"), "--engine", "opa"),
                *("-o", "json"),
            ]
        )
    compared = json.loads(capsys.readouterr().out)
    assert [each for each in compared if each["state"] != "same"] == []
    assert code == 0
    assert len(compared) > len(cases)
    assert {each["here"] for each in compared} == {"allowed", "denied"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def webhook(tmp_path_factory: pytest.TempPathFactory, bundle: tuple[Path, Path]) -> Iterator[Webhook]:
    """A webhook whose limit is another one: 8 GPUs, not 4."""
    folder = tmp_path_factory.mktemp("webhook")
    config = folder / "config"
    shutil.copytree(bundle[1], config)
    file = config / "bindings.yaml"
    file.write_text(file.read_text().replace("policy: gpu/limit,", "policy: gpu/limit, parameters: {max_gpus: 7},"))
    with Webhook(folder, config=config, policies=bundle[0], engine="regopy") as running:
        yield running


@pytest.fixture
def run(webhook: Webhook, bundle: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> tuple[int, list[str], str]:
        code = main(
            [
                *("parity", *map(str, arguments), "--engine", "regopy"),
                *("--policies", str(bundle[0]), "--config", str(bundle[1])),
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err

    return call


def there(webhook: Webhook) -> tuple[str, ...]:
    return ("--server", webhook.url, "--ca", str(webhook.authority))


def test_a_difference_is_named_and_is_1(run: Any, webhook: Webhook, tmp_path: Path) -> None:
    six = workloads.pod("six", namespace="team-a")
    six["spec"] = {
        "containers": [{"name": "m", "image": "registry.internal/a:1", "resources": {"limits": {"nvidia.com/gpu": 6}}}]
    }
    privileged = workloads.pod("p", namespace="team-a", faults=(workloads.Fault.PRIVILEGED,))
    file = write(tmp_path / "a.yaml", workloads.pod("good", namespace="team-a"), six, bad(), privileged)
    code, out, _ = run(file, *there(webhook))
    assert code == 1
    assert [line.partition(f"{file}:")[0].strip() for line in out if str(file) in line] == [
        *("same", "different", "different", "same")
    ]
    detail = "Pod can use 6 GPUs (it starts with nvidia.com/gpu: 6); at most 4 are allowed"
    assert out[1].endswith("Pod team-a/six (denied here, allowed there)")
    assert out[2] == f"    only here: GPU-001 at /spec: this {detail}"
    assert "at most 4" in out[4]
    assert "at most 7" in out[5]
    assert out[-1] == "4 compared: 2 same, 2 different, 0 not compared"


def test_a_user_that_is_exempt_is_so_at_both_doors(run: Any, webhook: Webhook, tmp_path: Path) -> None:
    code, out, _ = run(write(tmp_path / "a.yaml", bad()), *there(webhook), "--as-user", "root@example.com")
    assert (code, out[-1]) == (0, "1 compared: 1 same, 0 different, 0 not compared")


def test_what_cannot_be_compared_is_2(run: Any, webhook: Webhook, tmp_path: Path) -> None:
    strange = {**bad(), "spec": {"containers": "hello"}}
    code, out, _ = run(write(tmp_path / "a.yaml", strange, workloads.pod("p", namespace="team-a")), *there(webhook))
    assert code == 2
    assert out[-1] == "2 compared: 1 same, 0 different, 1 not compared"
    (tmp_path / "b.yaml").write_text("a: [")
    assert run(tmp_path / "b.yaml", *there(webhook))[0] == 2


def test_a_webhook_that_is_not_there_or_not_trusted_is_2(run: Any, webhook: Webhook, tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", bad())
    code, out, _ = run(file, "--server", "https://127.0.0.1:1", "--ca", str(webhook.authority))
    assert code == 2
    assert "the webhook cannot be asked" in out[0]
    assert run(file, "--server", webhook.url)[0] == 2
    assert run(file, "--server", f"{webhook.url}/livez", "--ca", str(webhook.authority))[0] == 2


@pytest.mark.parametrize("arguments", [["--as-user", "a"], ["--ca", "ca.crt"]])
def test_options_that_contradict_each_other_are_refused(run: Any, tmp_path: Path, arguments: list[str]) -> None:
    code, _, err = run(tmp_path, "--kubeconfig", "x", *arguments)
    assert code == 2
    assert "are for --server" in err
