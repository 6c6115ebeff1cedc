"""Both engines say the same, or regopy says why not; what goes to OPA as YAML is what our own parser reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pratiquectl.conftest.gojson import dumps, go_float, json_float
from pratiquectl.conftest.inputs import Configuration, Document, _documents, _is_plain, split_yaml, without_yaml
from tests.conftest_compat.compare import Case, pratique, write
from tests.conftest_compat.corpus import BOTH, EXCEPTED, EXCEPTIONS, POD

PORTABLE = """package main

import rego.v1

deny contains msg if {
	input.kind == "Pod"
	some container in input.spec.containers
	endswith(container.image, ":latest")
	msg := sprintf("%s runs \\"%s\\"", [input.metadata.name, container.image])
}

deny contains {"msg": "nobody", "n": input.spec.n} if not input.metadata.labels.owner

warn_team contains "vision" if input.metadata.labels.team == "vision"

warn contains {"msg": "there", "_loc": {"file": "x.yaml", "line": 7}, "n": 1.5} if input.kind == "Pod"
"""


@pytest.mark.slow
@pytest.mark.parametrize("output", ["json", "stdout"])
def test_regopy_says_what_opa_says(tmp_path: Path, output: str) -> None:
    files = {
        "policy/a.rego": PORTABLE,
        "policy/x.rego": EXCEPTIONS.replace('rules := [""]', 'rules := ["team"]'),
        "both.yaml": BOTH + "---\nspec: {n: 1.5}\n---\n3\n",
    }
    write(tmp_path, files)
    by_opa, by_regopy = (
        pratique(tmp_path, Case("", f"test -o {output} --engine {engine} both.yaml", {}))
        for engine in ("opa", "regopy")
    )
    assert by_regopy == by_opa
    assert by_opa.code == 1
    assert "exception" in by_opa.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "flags", "expected"),
    [
        ('deny contains "x" if print(1)', "", "calls `print`, which is not portable"),
        ("deny := true", "", "regopy is asked for sets outside of tests only"),
        ('deny contains "x" if data[x].y', "", "reads `data` by a variable or whole"),
        ('deny contains "x" if data.nowhere.y', "", "reads `data.nowhere.y`, which is neither a package nor data"),
        ('deny contains "x"', "--trace", "--trace needs OPA"),
        ('deny contains "x"', "-d policy", "--data needs OPA"),
    ],
)
def test_regopy_refuses_what_it_gets_wrong(tmp_path: Path, policy: str, flags: str, expected: str) -> None:
    write(tmp_path, {"policy/a.rego": f"package main\n\nimport rego.v1\n\n{policy}\n", "pod.yaml": POD})
    done = pratique(tmp_path, Case("", f"test --engine regopy {flags} pod.yaml", {}))
    assert (done.code, done.stdout, expected in done.stderr) == (1, "", True), done.stderr


@pytest.mark.slow
def test_regopy_refuses_numbers_that_it_would_print_in_another_way(tmp_path: Path) -> None:
    write(tmp_path, {"policy/a.rego": PORTABLE, "a.json": '{"n": 1000000}'})
    done = pratique(tmp_path, Case("", "test --engine regopy a.json", {}))
    assert (done.code, "a.json holds the number 1e+06" in done.stderr) == (1, True), done.stderr


@pytest.mark.slow
def test_no_engine_of_that_name(tmp_path: Path) -> None:
    write(tmp_path, EXCEPTED)
    done = pratique(tmp_path, Case("", "test --engine nope pod.yaml", {}))
    assert (done.code, "none of auto, opa, regopy" in done.stderr) == (1, True)


PLAIN = (
    "a: 1\nb: [x, 'yes', \"no\", 1.5, -3, 0, 0.25, true, null, ~]\nc: {d: e}\n",
    "---\n# comment\nkey:\n- 8080\n- 10.0.0.1\n- v1.2.3\n- 2001-01-01\n- 100m\n",
    "text: |\n  several\n  lines\nfolded: >-\n  a\n  b\n",
    "a: &x {k: 1}\nb: *x\n",
    "a: {1: one, true: t, 1.5: f}\n",
    "image: r/i@sha256:0123456789abcdef\nq: 16Gi\nempty:\n",
)
RISKY = (
    "a: 1000000\n", "a: 1e3\n", "a: yes\n", "on: push\n", "a: [y]\n", "a: 0x10\n", "a: 010\n", "a: 1_0\n", "a: .5\n",
    "a: +1\n", "a: 1.\n", "a: 0.00001\n", "a: !!str 1\n", "<<: {a: 1}\n", "a:\t1\n", "a: 1\n--- \nb: 2\n", "- a\n",
    "%YAML 1.1\n---\na: 1\n", "a: \x00\n", "", "# nothing\n", "{a: 1}\n", "a: 1234567.5\n", "a: .inf\n", "a: é\u2028\n",
    "a: yes\r\nb: 1\r\n", "null: 1\n", "~: 1\n", "a: {Null : 1}\n", "a: [1, off]\n",
)  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_plain_yaml_goes_to_opa_as_it_is(text: str) -> None:
    assert _documents("a.yaml", text.encode(), "", ()) == (Document(text.encode(), yaml=True),)


@pytest.mark.parametrize("text", RISKY)
def test_other_yaml_does_not(text: str) -> None:
    assert not all(map(_is_plain, split_yaml(text.encode())))


@pytest.mark.slow
def test_opa_reads_plain_yaml_as_our_parser_does(tmp_path: Path) -> None:
    policy = 'package main\n\nimport rego.v1\n\ndeny contains {"msg": "seen", "all": input}\n'
    write(tmp_path, {"policy/a.rego": policy, **{f"{n}.yaml": text for n, text in enumerate(PLAIN)}})
    names = " ".join(f"{n}.yaml" for n in range(len(PLAIN)))
    found = json.loads(pratique(tmp_path, Case("", f"test -o json {names}", {})).stdout)
    seen = [each["failures"][0]["metadata"]["all"] for each in found]
    ours = [
        json.loads(without_yaml(Configuration("a.yaml", (Document(text.encode(), yaml=True),))).documents[0].body)
        for text in PLAIN
    ]
    assert seen == ours


@pytest.mark.parametrize(
    ("number", "go", "in_json"),
    [
        (0.0, "0", "0"), (1e5, "100000", "100000"), (1e6, "1e+06", "1000000"), (1234567.0, "1.234567e+06", "1234567"),
        (0.0001, "0.0001", "0.0001"), (0.00001, "1e-05", "0.00001"), (1e-7, "1e-07", "1e-7"),
        (1e20, "1e+20", f"1{0:020}"),
        (1e21, "1e+21", "1e+21"), (-2.5, "-2.5", "-2.5"), (2.5e-10, "2.5e-10", "2.5e-10"),
        (9007199254740993.0, "9.007199254740992e+15", "9007199254740992"), (-0.0, "-0", "-0"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_writes_them(number: float, go: str, in_json: str) -> None:
    assert (go_float(number), json_float(number)) == (go, in_json)


def test_json_is_written_as_go_writes_it() -> None:
    value = {"b": [], "a": {}, "<": '\u2028\x00\n\t\\"é&', "z": [None, True, 1.0, "x"]}
    expected = '{"\\u003c":"\\u2028\\u0000\\n\\t\\\\\\"é\\u0026","a":{},"b":[],"z":[null,true,1,"x"]}'
    assert dumps(value) == expected
    assert dumps({"a": [1], "b": {}}, indent="  ") == '{\n  "a": [\n    1\n  ],\n  "b": {}\n}'
