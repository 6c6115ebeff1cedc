"""What `pratique check` reads: charts, kustomizations, what changed, and what is no manifest at all."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratique.facts import Unavailable
from pratique.kinds import subject_of
from pratiquectl import inputs
from pratiquectl.__main__ import main
from pratiquectl.check import fact_sources
from pratiquectl.manifests import Manifest
from tests.support import workloads
from tests.support.small_bundle import small_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def run(bundle: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        policies, config = bundle
        code = main(
            [
                *("check", *map(str, arguments), "--engine", "regopy"),
                *("--policies", str(policies), "--config", str(config)),
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def bad(name: str = "bad") -> dict[str, Any]:
    return workloads.pod(name, namespace="team-a", faults=(workloads.Fault.GPUS,))


def write(path: Path, *documents: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents))
    return path


def lines(out: str) -> list[str]:
    return [line.strip() for line in out.splitlines()]


# helm and kustomize: small programs that understand the real ones' command lines

HELM = """\
#!{python}
import argparse, pathlib, sys
parser = argparse.ArgumentParser(prog="helm")
sub = parser.add_subparsers(required=True)
template = sub.add_parser("template")
template.add_argument("name")
template.add_argument("chart")
template.add_argument("--include-crds", action="store_true")
template.add_argument("--namespace", "-n", default="default")
template.add_argument("--values", "-f", action="append", default=[])
args = parser.parse_args()
chart = pathlib.Path(args.chart)
if not (chart / "Chart.yaml").is_file():
    sys.exit(f"Error: Chart.yaml file is missing\\x1b[2J")
values = dict(line.split(": ") for file in [chart / "values.yaml", *args.values]
              for line in pathlib.Path(file).read_text().splitlines())
for file in sorted((chart / "templates").glob("*.yaml")):
    text = file.read_text().replace("{{{{ .Release.Name }}}}", args.name)
    for name, value in values.items():
        text = text.replace("{{{{ .Values." + name + " }}}}", value)
    for document in text.split("---\\n"):
        print("---\\n# Source: " + args.name + "/templates/" + file.name + "\\n" + document)
"""
KUSTOMIZE = """\
#!{python}
import pathlib, sys
verb, folder = sys.argv[1:]
assert verb == {verb!r}
print((pathlib.Path(folder) / "base.yaml").read_text())
"""
TEMPLATE = """\
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-one"}
spec:
  containers:
  - name: main
    image: registry.internal/a:1
    resources: {limits: {nvidia.com/gpu: {{ .Values.gpus }}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
"""


def program(folder: Path, name: str, text: str, **fields: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text.format(python=sys.executable, **fields))
    file = folder / name  # the path of the interpreter may hold a space, which a first line `#!` cannot
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$0.py" "$@"\n')
    file.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "llm"
    write(folder / "Chart.yaml", {"apiVersion": "v2", "name": "llm", "version": "1.0.0"})
    (folder / "values.yaml").write_text("gpus: 8\n")
    (folder / "templates").mkdir()
    (folder / "templates" / "pod.yaml").write_text(TEMPLATE)
    return folder


def test_a_chart_is_judged_as_helm_renders_it(run: Any, tools: Path, chart: Path, tmp_path: Path) -> None:
    program(tools, "helm", HELM)
    code, out, _ = run("--helm", chart)
    assert code == 1
    template = chart / "templates" / "pod.yaml"
    assert lines(out)[:4] == [
        str(template),
        "denied       Pod default/llm-one",
        "GPU-001 (high) GPUs stay within the approved limit",
        f"{template} /spec: this Pod can use 8 GPUs (it starts with nvidia.com/gpu: 8); at most 4 are allowed",
    ]
    (tmp_path / "small.yaml").write_text("gpus: 1\n")
    code, out, _ = run("--helm", chart, "--values", tmp_path / "small.yaml", "--namespace", "ml")
    assert code == 0
    assert "allowed      Pod ml/llm-one" in lines(out)


def test_a_chart_in_a_folder_is_passed_over_and_says_how_to_judge_it(run: Any, chart: Path) -> None:
    code, out, err = run(chart)
    assert (code, err) == (2, "pratique: there was nothing to judge; see that the paths are right\n")
    assert f"passed over  this is a template of a Helm chart; judge that with --helm {chart}" in lines(out)


def test_a_chart_that_helm_refuses_is_a_problem_and_the_rest_is_judged(run: Any, tools: Path, tmp_path: Path) -> None:
    program(tools, "helm", HELM)
    (tmp_path / "empty").mkdir()
    code, out, _ = run(write(tmp_path / "a.yaml", bad()), "--helm", tmp_path / "empty")
    assert code == 2
    assert "denied       Pod team-a/bad (line 1)" in lines(out)
    assert r"problem      helm template failed: Error: Chart.yaml file is missing\x1b[2J" in lines(out)


def test_a_chart_that_takes_for_ever_is_stopped(
    run: Any, tools: Path, chart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "RENDER_SECONDS", 0.2)
    program(tools, "helm", "#!{python}\nimport time\ntime.sleep(60)\n")
    code, out, _ = run("--helm", chart)
    assert code == 2
    assert "problem      helm template was stopped after 0 s" in lines(out)


@pytest.mark.parametrize(("name", "verb"), [("kustomize", "build"), ("kubectl", "kustomize")])
def test_a_kustomization_is_judged_as_it_is_built(run: Any, tools: Path, tmp_path: Path, name: str, verb: str) -> None:
    program(tools, name, KUSTOMIZE, verb=verb)
    folder = tmp_path / "overlay"
    write(folder / "base.yaml", bad())
    write(folder / "kustomization.yaml", {"resources": ["base.yaml"]})
    code, out, _ = run("--kustomize", folder)
    assert code == 1
    assert lines(out)[:2] == [str(folder / "kustomization.yaml"), "denied       Pod team-a/bad"]


@pytest.mark.parametrize("option", ["--helm", "--kustomize"])
def test_a_tool_that_is_not_there_is_named(run: Any, tools: Path, tmp_path: Path, option: str) -> None:
    code, out, err = run(option, tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"pratique: {option[2:]} is not on the PATH; install it")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "there is nothing to judge: name a file"),
        (["x.yaml", "--values", "v.yaml"], "--values are for charts"),
        (["x.yaml", "-o", "json", "-o", "text"], "two formats cannot share standard output"),
        (["x.yaml", "-o", "tap", "--explain"], "--explain needs the format text or json"),
        (["x.yaml", "--as-group", "g"], "--as-group names the groups of somebody"),
        (["x.yaml", "-o", "sarfi"], "there is no format 'sarfi'; there are: text, json, sarif"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: Any, arguments: list[str], sentence: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert sentence in err


# What changed


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tree"
    write(folder / "a.yaml", bad("a"))
    write(folder / "sub" / "b.yaml", bad("b"))
    write(folder / "renamed.yaml", workloads.pod("r", namespace="team-a"))
    (folder / "broken.yaml").write_text("a: [")
    write(folder / "values.yaml", {"replicas": 1})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "checkout", "-q", "-b", "work")
    monkeypatch.chdir(folder)
    return folder


def test_only_what_changed_is_judged(run: Any, tree: Path) -> None:
    code, out, err = run(".", "--changed-since", "main")
    assert (code, err) == (0, "pratique: no manifest changed since main\n")
    assert lines(out)[:2] == [
        "broken.yaml",
        "passed over  it did not change, and what it says is not known: line 2: did not find expected node content",
    ]
    git(tree, "mv", "renamed.yaml", "sub/new-name.yaml")
    write(tree / "sub" / "b.yaml", bad("b-changed"))
    git(tree, "commit", "-aqm", "second")
    write(tree / "untracked é.yaml", bad("c"))
    code, out, _ = run(".", "--changed-since", "main")
    assert code == 1
    assert [line.split()[2] for line in lines(out) if line.startswith(("allowed", "denied"))] == [
        *("team-a/c", "team-a/b-changed", "team-a/r")
    ]


def test_what_did_not_change_is_context(run: Any, tree: Path) -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "team-a"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 9},
    }
    write(tree / "hpa.yaml", scaler)
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "scaler")
    container = {"name": "m", "image": "registry.internal/a:1", "resources": {"limits": {"nvidia.com/gpu": 1}}}
    write(
        tree / "new.yaml",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d", "namespace": "team-a"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
    )
    code, out, _ = run(".", "--changed-since", "HEAD")
    assert code == 1
    assert "this Deployment can use 9 GPUs" in out


def test_what_did_not_change_and_cannot_be_read_leaves_sums_unknown(tree: Path) -> None:
    write(tree / "new.yaml", bad("new"))
    found = inputs.read_inputs(inputs.Inputs(paths=["."], namespace="default", changed_since="HEAD"))
    (new,) = [item for item in found if isinstance(item, Manifest) and item.judged]
    subject = subject_of(new.object, namespace="default")
    (source,) = fact_sources(found, namespace="default", now=datetime.now(UTC))
    facts = asyncio.run(source.gather(source.keys(subject), deadline=time.monotonic() + 60))
    assert facts
    assert all(isinstance(fact, Unavailable) and "broken.yaml" in fact.reason for fact in facts.values())


def test_a_chart_changed_when_any_file_of_it_did(run: Any, tree: Path, chart: Path, tools: Path) -> None:
    (tools / "git").symlink_to("/usr/bin/git")
    program(tools, "helm", HELM)
    chart.rename(tree / "chart")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "chart")
    assert run("--helm", "chart", "--changed-since", "HEAD")[0] == 0
    (tree / "chart" / "values.yaml").write_text("gpus: 9\n")
    assert run("--helm", "chart", "--changed-since", "HEAD")[0] == 1


def test_a_changed_policy_makes_everything_count(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policies, config = small_bundle(tree)
    arguments = ["check", "a.yaml", "--engine", "regopy", "--changed-since", "HEAD"]
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "policies")
    assert main([*arguments, "--policies", str(policies), "--config", str(config)]) == 0
    (config / "bindings.yaml").write_text((config / "bindings.yaml").read_text() + "# a change\n")
    assert main([*arguments, "--policies", str(policies), "--config", str(config)]) == 1


def test_what_is_outside_of_the_work_tree_counts_as_changed(run: Any, tree: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.yaml", bad())
    assert run(outside, "--changed-since", "HEAD")[0] == 1


@pytest.mark.parametrize("revision", ["nowhere", "--output=x"])
def test_a_revision_that_is_not_known_is_an_error(run: Any, tree: Path, revision: str) -> None:
    code, out, err = run(".", f"--changed-since={revision}")
    assert (code, out) == (2, "")
    assert err.startswith("pratique: ")
    assert not (tree / "x").exists()


# Bad input


def test_links_pipes_and_folders_that_cannot_be_read(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "m"
    write(folder / "z.yaml", bad())
    (folder / "closed").mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "self.yaml").symlink_to(folder / "self.yaml")
    os.mkfifo(folder / "pipe.yaml")
    scandir = os.scandir

    def refused(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    code, out, _ = run(folder)
    assert code == 2
    assert lines(out)[:-1] == [
        str(folder / "loop"),
        "passed over  a folder that is a symbolic link is not followed; name it",
        str(folder / "pipe.yaml"),
        "problem      this is no file, but a pipe or a device",
        str(folder / "self.yaml"),
        "problem      this cannot be read: Too many levels of symbolic links",
        str(folder / "z.yaml"),
        "denied       Pod team-a/bad (line 1)",
        "GPU-001 (high) GPUs stay within the approved limit",
        *[line for line in lines(out) if line.startswith((f"{folder / 'z.yaml'}:", "fix:", "see:"))],
        str(folder / "closed"),
        "problem      this cannot be read: Permission denied",
    ]


def test_a_name_that_is_not_utf_8_can_be_reported(run: Any, tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml"))
    write(file, bad())
    for name in ("json", "sarif", "junit", "text"):
        code, out, _ = run(file, "-o", name)
        assert code == 1
        assert "xff.yaml" in out.replace("%5C", "\\")


def test_200_megabytes_are_refused_without_being_read_whole(run: Any, tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    with large.open("wb") as stream:
        stream.truncate(200 * 2**20)
    code, out, _ = run(large, write(tmp_path / "a.yaml", bad()))
    assert code == 2
    assert "problem      more than 67108864 bytes; split it" in lines(out)
    assert "denied       Pod team-a/bad (line 1)" in lines(out)


@pytest.mark.slow
def test_100_000_documents(run: Any, tmp_path: Path) -> None:
    spec = {"containers": [{"name": "main", "image": "registry.internal/a:1"}]}
    with (tmp_path / "a.yaml").open("w") as stream:
        for number in range(100_000):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": spec}
            stream.write(f"---\n{json.dumps(pod)}\n")
    code, out, _ = run(tmp_path / "a.yaml", "-o", "tap")
    assert code == 0
    assert out.splitlines()[1] == "1..100000"


def test_items_of_a_list_are_at_their_own_lines(run: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", {"apiVersion": "v1", "kind": "List", "items": [bad("a"), bad("b")]})
    _, out, _ = run(file, "-o", "json")
    text = file.read_text().splitlines()
    objects = json.loads(out)["objects"]
    starts = [number for number, line in enumerate(text, start=1) if line.startswith("- ")]
    specs = [number for number, line in enumerate(text, start=1) if line.startswith("  spec:")]
    assert [each["line"] for each in objects] == starts
    assert [(each["findings"][0]["line"], each["findings"][0]["column"]) for each in objects] == [
        (line, 3) for line in specs
    ]


def test_a_crd_in_the_input_says_whether_its_kind_has_a_namespace(run: Any, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"containers": {"type": "array", "items": {"type": "object"}}}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "fleets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"kind": "Fleet", "plural": "fleets"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    fleet = {"apiVersion": "example.com/v1", "kind": "Fleet", "metadata": {"name": "f"}}
    code, out, _ = run(write(tmp_path / "a.yaml", crd, fleet))
    assert code == 0
    assert [line.partition(" (")[0] for line in lines(out)[1:3]] == [
        "allowed      CustomResourceDefinition fleets.example.com",
        "allowed      Fleet f",
    ]
