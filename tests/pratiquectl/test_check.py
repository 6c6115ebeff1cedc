"""`pratique check`: the verdicts of the cluster on files, with the real policies and the embedded engine."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratiquectl import check, manifests
from pratiquectl.__main__ import main
from tests.support import workloads
from tests.support.approvals import approval, approvers, request, write_approval

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT_ONLY = """
apiVersion: pratique.dev/v1alpha1
kind: PolicyBinding
metadata: {name: gpu-limit}
spec: {policy: gpu/limit, match: {namespaces: {exclude: [sandbox]}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "gpu.yaml").write_text(LIMIT_ONLY)
    return folder


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(
            [
                *("check", *map(str, arguments), "--engine", "regopy"),
                *("--config", str(config), "--policies", str(REPOSITORY / "policies")),
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def write(path: Path, *documents: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))
    return path


def good(name: str = "good") -> dict[str, Any]:
    return workloads.pod(name, namespace="team-a")


def bad(name: str = "bad") -> dict[str, Any]:
    return workloads.pod(name, namespace="team-a", faults=(workloads.Fault.GPUS,))


def test_allowed_is_0(run: Any, tmp_path: Path) -> None:
    code, out, _ = run(write(tmp_path / "m" / "a.yaml", good()))
    assert code == 0
    assert out.splitlines()[1].split()[0] == "allowed"
    assert out.splitlines()[-1] == "1 object judged by regopy 1.5.2: 1 allowed, 0 denied, 0 undecided"


def test_denied_is_1_and_says_where_and_what(run: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "m" / "a.yaml", good(), bad())
    code, out, _ = run(file)
    assert code == 1
    begins = _line_of(file, 2)
    spec = file.read_text().splitlines().index("spec:", begins) + 1
    line = out.splitlines().index(f"  denied       Pod team-a/bad (line {begins})")
    assert out.splitlines()[0] == str(file)
    assert out.splitlines()[line + 1 : line + 3] == [
        "    GPU-001 (high) GPUs stay within the approved limit",
        f"      {file}:{spec}:1 /spec: this Pod can use 8 GPUs (it starts with nvidia.com/gpu: 8); at most 4 are "
        "allowed",
    ]


def _line_of(file: Path, number: int) -> int:
    """The line on which the document of this number begins."""
    starts = [index + 2 for index, line in enumerate(file.read_text().splitlines()) if line == "---"]
    return [1, *starts][number - 1]


def test_what_cannot_be_read_is_2_and_the_rest_is_still_judged(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write(folder / "a.yaml", bad())
    laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(f'*{before}' for _ in range(10))}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for name, content in {
        "b-laughs.yaml": laughs.encode(),
        "c-tabs.yaml": b"apiVersion: v1\nkind: Pod\nmetadata:\n\tname: x\n",
        "d-twice.yaml": b"apiVersion: v1\nkind: Pod\nkind: Job\n",
        "e-binary.yaml": bytes(range(256)),
        "f-cut.json": b'{"apiVersion": "v1", "kind":',
        "g-strange.yaml": b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: hello}\n",
        "h-version.yaml": b"apiVersion: 1\nkind: Pod\n",
        "i-deep.yaml": b"apiVersion: v1\nkind: Pod\nspec: " + b"[" * 500 + b"]" * 500,
    }.items():
        (folder / name).write_bytes(content)
    write(folder / "z.yaml", good())
    code, out, err = run(folder)
    lines = out.splitlines()
    problems = [
        f"{above.removeprefix(f'{folder}/')} {line.split(maxsplit=1)[1]}"
        for above, line in pairwise(lines)
        if line.startswith("  problem")
    ]
    assert (code, err) == (2, "")
    assert lines[:2] == [f"{folder}/a.yaml", "  denied       Pod team-a/bad (line 1)"]
    assert lines[-3:-1] == [f"{folder}/z.yaml", "  allowed      Pod team-a/good (line 1)"]
    for problem, expected in zip(
        problems,
        (
            "b-laughs.yaml line 7: the document stands for more than 2000000 values",
            "c-tabs.yaml line 4:",
            "d-twice.yaml line 3: the key 'kind' is there twice, first at line 2; keep one",
            "e-binary.yaml line 2: this is not UTF-8 text",
            "f-cut.json the JSON cannot be read",
            "g-strange.yaml line 1:",
            "h-version.yaml line 1:",
            "i-deep.yaml line 3: the document is nested more than 200 levels deep",
        ),
        strict=True,
    ):
        assert problem.startswith(expected)


def test_a_thousand_documents(run: Any, tmp_path: Path) -> None:
    spec = {"containers": [{"name": "main", "image": "registry.internal/a:1"}]}
    file = tmp_path / "a.yaml"
    file.write_text(
        "\n---\n".join(
            json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": spec})
            for number in range(1000)
        )
    )
    code, out, _ = run(file)
    assert code == 0
    found = [line.split(" (")[0].rsplit("-", 1)[1] for line in out.splitlines()[1:-1]]
    assert found == [str(number) for number in range(1000)]


def test_lists_are_opened(run: Any, tmp_path: Path) -> None:
    typed = {key: value for key, value in bad("typed").items() if key not in ("apiVersion", "kind")}
    file = write(
        tmp_path / "m" / "a.yaml",
        {"apiVersion": "v1", "kind": "List", "items": [good(), {"apiVersion": "v1", "kind": "List", "items": [bad()]}]},
        {"apiVersion": "v1", "kind": "PodList", "items": [typed]},
        {"apiVersion": "v1", "kind": "List", "items": []},
    )
    code, out, _ = run(file)
    assert code == 1
    assert [line.split()[2] for line in out.splitlines() if line.startswith(("  allowed", "  denied"))] == [
        "team-a/good",
        "team-a/bad",
        "team-a/typed",
    ]
    assert "this List is empty" in out


def test_an_object_that_lacks_a_part_is_a_problem_and_not_passed_over(run: Any, tmp_path: Path) -> None:
    nameless = {key: value for key, value in bad().items() if key != "apiVersion"}
    kindless = {key: value for key, value in bad().items() if key != "kind"}
    file = write(
        tmp_path / "a.yaml",
        good(),
        nameless,
        kindless,
        {"apiVersion": "v1", "kind": "List", "items": {"a": good()}},
        {"apiVersion": "v1", "kind": "List"},
        {"apiVersion": "v1", "kind": "PodList", "items": "none"},
        {"apiVersion": "v1", "kind": "List", "items": [7, {"metadata": {}}, {"kind": "Pod"}]},
    )
    code, out, _ = run(file)
    assert code == 2
    assert [line.split(": ", 1)[1] for line in out.splitlines() if line.startswith("  problem")] == [
        "the object has no apiVersion; add it",
        "the object has no kind; add it",
        "the items of this List are an object, not a list; correct the manifest",
        "the items of this List are null, not a list; correct the manifest",
        "the items of this PodList are text, not a list; correct the manifest",
        "an item of this List is a number, not a Kubernetes object; correct the manifest",
        "an item of this List lacks its apiVersion or kind; correct the manifest",
        "an item of this List lacks its apiVersion or kind; correct the manifest",
    ]


def test_other_documents_are_named_as_passed_over(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write(folder / "deep" / "a.yml", good())
    write(folder / "values.yaml", {"replicas": 2})
    write(folder / "kustomization.yaml", {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"})
    write(folder / "list.yaml", ["a"])
    write(folder / "Chart.yaml", {"apiVersion": "v2", "name": "llm", "version": "1.0.0"})
    (folder / "empty.yaml").write_text("# nothing\n---\n")
    (folder / "README.md").write_text("not looked at")
    (folder / ".hidden.yaml").write_text("not looked at: [")
    code, out, _ = run(folder)
    assert code == 0
    chart = f"this belongs to a Helm chart; judge that with --helm {folder}"
    assert out.splitlines()[:-1] == [
        f"{folder}/Chart.yaml",
        f"  passed over  line 1: {chart}",
        f"{folder}/empty.yaml",
        f"  passed over  {chart}",
        f"{folder}/kustomization.yaml",
        f"  passed over  line 1: {chart}",
        f"{folder}/list.yaml",
        f"  passed over  line 1: {chart}",
        f"{folder}/values.yaml",
        f"  passed over  line 1: {chart}",
        f"{folder}/deep/a.yml",
        "  allowed      Pod team-a/good (line 1)",
    ]
    (folder / "Chart.yaml").unlink()
    _, out, _ = run(folder)
    assert [line for line in out.splitlines() if line.startswith("  ")] == [
        "  passed over  there is no document in it",
        "  passed over  line 1: a Kustomization is read by a tool, not by the API server",
        "  passed over  line 1: this is a list, not a Kubernetes object",
        "  passed over  line 1: this is no Kubernetes object: it has no apiVersion and kind",
        "  allowed      Pod team-a/good (line 1)",
    ]


@pytest.mark.parametrize("path", ["typo", "empty"])
def test_nothing_to_judge_is_2(run: Any, tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    code, out, _ = run(tmp_path / path)
    assert code == 2
    assert ("No such file or directory" if path == "typo" else "there is no manifest in this folder") in out


def test_only_documents_that_are_passed_over_is_2(run: Any, tmp_path: Path) -> None:
    code, _, err = run(write(tmp_path / "m" / "values.yaml", {"replicas": 2}))
    assert (code, err) == (2, "pratique: there was nothing to judge; see that the paths are right\n")


def test_stdin(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (json.dumps(bad()), yaml.safe_dump(bad())):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code, out, _ = run("-")
        assert code == 1
        assert out.startswith("stdin\n  denied       Pod team-a/bad (line 1)\n")


def test_default_namespace_is_for_objects_that_have_one(run: Any, tmp_path: Path) -> None:
    homeless = bad()
    del homeless["metadata"]["namespace"]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    file = write(tmp_path / "m" / "a.yaml", homeless, role)
    code, out, _ = run(file)
    assert code == 1
    assert "Pod default/bad" in out
    assert f"ClusterRole r (line {_line_of(file, 2)}), no binding matches" in out
    code, out, _ = run(file, "--namespace", "sandbox")
    assert code == 0
    assert "Pod sandbox/bad (line 1), no binding matches" in out


def test_labels_of_namespaces_come_from_the_input_or_are_not_known(run: Any, tmp_path: Path, config: Path) -> None:
    (config / "gpu.yaml").write_text(
        LIMIT_ONLY.replace(
            "namespaces: {exclude: [sandbox]}",
            "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-a}}",
        )
    )
    code, out, _ = run(write(tmp_path / "m" / "a.yaml", bad()))
    assert code == 2
    assert "could not be evaluated: the labels of namespace team-a are not known" in out
    write(tmp_path / "m" / "b.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    code, _, _ = run(tmp_path / "m")
    assert code == 1


def test_json_has_the_documented_shape(run: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "m" / "a.yaml", bad(), {"values": 1})
    (tmp_path / "m" / "b.yaml").write_text("a: [")
    code, out, _ = run(tmp_path / "m", "-o", "json")
    document = json.loads(out)
    assert code == 2
    assert list(document) == [
        "format", "engine", "engine_version", "bundle_digest", "configuration_digest", "summary", "objects",
        "passed_over", "problems",
    ]  # fmt: skip
    assert document["format"] == "pratique.dev/check/v1"
    assert document["summary"] == {
        "allowed": 0, "denied": 1, "undecided": 0, "not_bound": 0, "passed_over": 1, "problems": 1, "known": 0,
        "gone": 0,
    }  # fmt: skip
    (judged,) = document["objects"]
    assert (judged["file"], judged["line"], judged["decision"]["door"]) == (str(file), 1, "ci")
    assert judged["decision"]["evaluations"][0]["findings"][0]["path"] == "/spec"
    assert document["passed_over"][0]["line"] == _line_of(file, 2)
    assert set(document["problems"][0]) == {"file", "where", "message"}


def test_terminal_characters_in_names_are_escaped(run: Any, tmp_path: Path) -> None:
    code, out, _ = run(write(tmp_path / "m" / "a\x1b[2J.yaml", good("evil\x1b[2J\nallowed      x")))
    assert code == 0
    assert "\x1b" not in out
    assert len(out.splitlines()) == 3


def test_file_that_is_too_large(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MAX_FILE_BYTES", 10)
    code, out, _ = run(write(tmp_path / "m" / "a.yaml", good()))
    assert code == 2
    assert "more than 10 bytes; split it" in out


def test_long_checks_show_how_far_they_are(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "PROGRESS_AFTER_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, _, err = run(write(tmp_path / "m" / "a.yaml", good()))
    assert err == "\r\x1b[Kjudged 1 of 1 ...\r\x1b[K"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--policies: there is no folder policies here; name the one to use with --policies"),
        (["--policies", str(REPOSITORY / "policies")], "--config: there is no folder policies/bindings here"),
    ],
)
def test_without_policies_or_bindings_it_says_what_to_name(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", "x.yaml", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_broken_configuration_names_every_problem(run: Any, config: Path, tmp_path: Path) -> None:
    (config / "b.yaml").write_text(LIMIT_ONLY.replace("gpu/limit", "gpu/limits").replace("gpu-limit", "x"))
    (config / "c.yaml").write_text("kind: Nope\n")
    code, _, err = run(write(tmp_path / "m" / "a.yaml", good()))
    assert code == 2
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["b.yaml", "c.yaml"]


# Waivers


@pytest.mark.parametrize(
    ("now", "code", "told"),
    [
        ("2026-10-31T23:59:59Z", 1, "it counts from 2026-11-01T00:00:00Z on, which its approval says"),
        ("2026-11-01T00:00:00Z", 0, ""),
        ("2026-11-30T23:59:59Z", 0, ""),
        ("2026-12-01T00:00:00Z", 1, "it expired at 2026-12-01T00:00:00Z"),
        ("2026-12-01T01:00:00+01:00", 1, "it expired at 2026-12-01T00:00:00Z"),
    ],
)
def test_a_waiver_counts_by_the_clock_that_is_given(
    run: Any, tmp_path: Path, config: Path, now: str, code: int, told: str
) -> None:
    asked = request("w", ["gpu/limit"], parameters={"max_gpus": 8})
    trusted = write(tmp_path / "approvers.yaml", approvers())
    write(config / "w.yaml", asked)
    write_approval(config, "w.yaml.w", approval(asked))
    manifest = write(tmp_path / "m" / "a.yaml", bad())
    found, out, err = run(manifest, "--approvers", trusted, "--now", now)
    assert (found, err) == (code, "")
    assert (f"waiver w does not count: {told}" in out) is bool(told)
    without, out, _ = run(manifest, "--now", now)
    assert without == 1
    assert "waiver w does not count: its approval is not attested" in out


def test_a_time_without_its_zone_is_refused(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("x", "--now", "2026-12-01")[0] == 2


# What other objects of the same input come to


def test_a_budget_is_that_of_the_whole_input(run: Any, config: Path, tmp_path: Path) -> None:
    spec = "{policy: gpu/budget, parameters: {default_budget: 2}}"
    (config / "gpu.yaml").write_text(
        LIMIT_ONLY.replace("{policy: gpu/limit, match: {namespaces: {exclude: [sandbox]}}}", spec)
    )
    folder = tmp_path / "manifests"
    write(folder / "a.yaml", good("a"), good("b"))
    assert run(folder)[0] == 0
    write(folder / "b.yaml", good("c"))
    code, out, _ = run(folder)
    assert (code, out.count("the 3 workloads with the label")) == (1, 3)
    (folder / "broken.yaml").write_text("a: [")
    code, out, _ = run(folder)
    assert code == 2
    assert "the input is not known as a whole: " in out


def test_network_policies_are_looked_for_in_the_whole_input(run: Any, config: Path, tmp_path: Path) -> None:
    (config / "gpu.yaml").write_text(LIMIT_ONLY.replace("gpu/limit", "network/policy-present"))
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "vault", "labels": {"data-classification": "restricted"}},
    }
    closed = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "vault"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    file = write(tmp_path / "a.yaml", namespace)
    code, out, _ = run(file)
    assert (code, out.count("NetworkPolicies selects all pods for")) == (1, 2)
    assert run(write(tmp_path / "a.yaml", namespace, closed))[0] == 0
