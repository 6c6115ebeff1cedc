"""The gate: every refusal with its line and what to write instead, and that its reading of Rego agrees with OPA's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluators import capabilities
from pratique.errors import PolicyError
from pratique.policy import PolicySet
from pratique.rego import package_clause, rule_names, tokenize
from tests.support.bundles import ALWAYS, OPA, ROOT, bundle, rego, write_bundle


def refusals(policies: PolicySet) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        capabilities.check(policies)
    return [str(problem) for problem in caught.value.problems]


def rule(*lines: str) -> str:
    """A policy whose body has these lines; the first is line 14."""
    body = "".join(f"\t{line}\n" for line in lines)
    return f'violations contains {{"message": "m", "path": ""}} if {{\n{body}}}'


def opa_refuses(tmp_path: Path, text: str) -> bool:
    path = tmp_path / "checked.rego"
    path.write_text(text, encoding="utf-8")
    command: list[str | Path] = [OPA, "check", "--strict", "--capabilities", capabilities.CAPABILITIES_FILE, path]
    return subprocess.run(command, capture_output=True).returncode != 0


def test_the_capabilities_file_is_what_the_script_writes() -> None:
    command: list[str | Path] = [sys.executable, ROOT / "tools" / "capabilities.py", "--check", OPA]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"{capabilities.CAPABILITIES_FILE}: current\n")


def test_what_no_policy_may_use_is_not_portable() -> None:
    refused = {
        "http.send",
        "time.now_ns",
        "rand.intn",
        "opa.runtime",
        "print",
        "trace",
        "rego.metadata.rule",
        "net.cidr_contains",
    }
    assert not refused & capabilities.portable_builtins()
    assert {"plus", "eq", "assign", "internal.member_2", "sprintf", "regex.match"} <= capabilities.portable_builtins()


def test_the_policies_of_this_repository_pass() -> None:
    capabilities.check(PolicySet.load(ROOT / "policies"))


CALLS = {
    'http.send({"method": "get", "url": "x"})': "calls `http.send`, which is not portable: "
    "policies do not see the network; declare `facts.<source>` under needs and read `input.facts`",
    "time.now_ns() > 1": "calls `time.now_ns`, which is not portable: "
    "policies do not see the clock; declare `now` under needs and read `input.now`",
    'rand.intn("x", 2) == 1': "calls `rand.intn`, which is not portable: policies do not depend on chance; remove it",
    "opa.runtime().env": "calls `opa.runtime`, which is not portable: policies do not see the engine",
    'print("x")': "calls `print`, which is not portable: it is for debugging; remove it",
    'trace("x")': "calls `trace`, which is not portable: it is for debugging; remove it",
    "rego.metadata.rule().title": "calls `rego.metadata.rule`, which is not portable: the host reads the annotation; "
    "return only what varies",
    "rego.metadata.chain()[0]": "calls `rego.metadata.chain`, which is not portable: the host reads the annotation; "
    "return only what varies",
    'net.cidr_contains("10.0.0.0/8", "10.1.1.1")': "calls `net.cidr_contains`, which is not portable: it is not in "
    "evaluators/capabilities.json; use one that is",
    "max([1, 2]) == 2": "calls `max`, which is not portable: compare the numbers with `>` and `<`",
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), CALLS.items())
def test_a_call_outside_the_portable_set_is_refused_by_the_gate_and_by_opa(
    tmp_path: Path, line: str, expected: str
) -> None:
    policies = bundle(tmp_path, rule("true", line))
    assert refusals(policies) == [f"test/sample/sample.rego: line 15: {expected}"]
    assert opa_refuses(tmp_path, policies.modules[0].text)


FREE = "is not portable; bind it first: `some x in xs`, then pass `x`"
HAZARDS = [
    ('sprintf("%q", [input.subject.kind]) == ""', "the format `%q` is not portable; use %s, %d, %v, %.2f, %x or %%"),
    ('sprintf("a %#q", [input.subject.kind]) == ""',
     "the format `%#q` is not portable; use %s, %d, %v, %.2f, %x or %%"),
    ("sprintf(`%5q`, [input.subject.kind]) == 0", "the format `%5q` is not portable; use %s, %d, %v, %.2f, %x or %%"),
    ('sprintf("100%%%q", [1]) == ""', "the format `%q` is not portable; use %s, %d, %v, %.2f, %x or %%"),
    ("sprintf(input.parameters.form, [1])", "the format of sprintf is not a literal; write it in the call"),
    ("count(input.subject.pods) > 1 with input.subject as {}",
     "`with` kills regopy; call a function with the value instead"),
    ("count([1 | input.subject.kind = `Pod`]) > 0",
     "`=` is always true in regopy when it compares a variable from outside a comprehension; "
     "write `:=` to bind or `==` to compare"),
    ("count(input.subject.pods[_]) > 1", f"an argument with `[_]` {FREE}"),
    ("not startswith(input.subject.images[_].tag, `v`)", f"an argument with `[_]` {FREE}"),
    ("count([1 | lower(input.subject.xs[_])]) > 0", f"an argument with `[_]` {FREE}"),
    ("count([input.subject.xs[_]]) > 0", f"an argument with `[_]` {FREE}"),
    ("some i; count(input.subject.pods[i]) > 0", f"an argument with `[i]` {FREE}"),
    ("count(input.subject.labels[key]) > 0", f"an argument with `[key]` {FREE}"),
    ("count([k | some k, v in input.subject.labels]) > 0",
     "regopy does not compile `some k, v in` in an array or set comprehension; "
     "write `some k` and `v := xs[k]`, or a rule of its own"),
    ("regex.match(`(?i)^a`, input.subject.kind)",
     "`(?` in a pattern is not portable; write it with classes, `\\d`, `\\s` or `(?:`"),
    ('regex.match("\\\\p{L}", input.subject.kind)',
     "`\\p` in a pattern is not portable; write it with classes, `\\d`, `\\s` or `(?:`"),
    ("regex.match(`\\Aa\\z`, input.subject.kind)",
     "`\\A` in a pattern is not portable; write it with classes, `\\d`, `\\s` or `(?:`"),
    ('$"{input.subject.kind}" == "Pod"', "a template string is not portable; use sprintf or concat"),
    ('input.subject.kind == "a\\.b"', '"a\\.b" has an escape that JSON does not know; use a raw string'),
    ("input.user.name == `root`", "reads `input.user`, which it does not declare; add `user` to needs"),
    ('input["old"].kind == "Pod"', "reads `input.old`, which it does not declare; add `old` to needs"),
    ("input.facts.signatures.known",
     "reads `input.facts.signatures`, which it does not declare; add `facts.signatures` to needs"),
    ("count(input.facts) > 0", "reads all facts; name the source, such as `input.facts.signatures`"),
    ("x := input; x.user", "reads the whole `input`; name the part, such as `input.subject`"),
    ("some key in [`user`]; input[key]", "reads input[...] with a variable; name the part, such as `input.subject`"),
    ("data.policies.gpu.limit.violations", "reads `data.policies.gpu.limit.violations` of another policy; "
     "move what both need to lib/"),
    ("data.prices.h100 > 3", "reads `data.prices.h100`, which the bundle's data does not hold; correct the name"),
    ("some part in [`policies`]; data[part]",
     "reads `data` by a variable or whole; name the part, such as `data.lib.values`"),
    ("data.lib.missing.x", "there is no package `lib.missing.x` in the bundle; correct the name"),
    ("data.pratique.answer", "reads `data.pratique.answer`, which the bundle's data does not hold; correct the name"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), HAZARDS)
def test_what_the_engines_read_differently_is_refused_at_its_line(tmp_path: Path, line: str, expected: str) -> None:
    assert refusals(bundle(tmp_path, rule(line))) == [f"test/sample/sample.rego: line 14: {expected}"]


LIB_B = "import data.lib.b as other\n\n"
ENV = "package lib.{}\n\nread(x) := x.env\n"
FIELDS = [
    ("{}", "container.volumeMounts", {}, 15, "names `volumeMounts`", "volumeMounts to reads.container"),
    ("{}", 'pod["hostPID"]', {}, 15, "names `hostPID`", "hostPID to reads.pod"),
    ("{}", 'object.get(container, "env", [])', {}, 15, "names `env`", "env to reads.container"),
    ("{}", "json.filter(container, [`/lifecycle/preStop`])", {}, 15, "names `lifecycle`",
     "lifecycle to reads.container"),
    ("{}", 'container["\\u0065nv"]', {}, 15, "names `env`", "env to reads.container"),
    ("{pod: [resources]}", "container.resources", {}, 15, "names `resources`", "resources to reads.container"),
    ("{container: [env]}", "container.securityContext", {}, 15, "names `securityContext`",
     "securityContext to reads.pod and securityContext to reads.container"),
    ("{}", "data.lib.a.read(container)", {"lib__a": ENV.format("a")}, 12, "lib/a.rego line 3 names `env`",
     "env to reads.container"),
    ("{}", 'data["lib"].a.read(container)', {"lib__a": "package lib.a\n\n" + LIB_B + "read(x) := other.read(x)\n",
                                         "lib__b": ENV.format("b")}, 12, "lib/b.rego line 3 names `env`",
     "env to reads.container"),
    ("{}", "some name in data.judged; container[name]", {}, 12, "data.judged names `env`", "env to reads.container"),
]  # fmt: skip


def reading(root: Path, reads: str, line: str, libraries: Mapping[str, str]) -> PolicySet:
    """A policy with these `reads` whose line 15 is `line`; the bundle's data holds the name of the field `env`."""
    files = {f"{path.replace('__', '/')}.rego": text for path, text in libraries.items()}
    sample = rego(rule(line)).replace("#   needs: []\n", f"#   needs: []\n#   reads: {reads}\n")
    data = '{"judged": {"first": ["env"]}}'
    return PolicySet.load(write_bundle(root, {"test/sample/sample.rego": sample, "data.json": data, **files}))


@pytest.mark.parametrize(("reads", "line", "libraries", "where", "named", "advice"), FIELDS)
def test_a_field_that_is_named_and_not_declared_is_refused(
    tmp_path: Path, reads: str, line: str, libraries: Mapping[str, str], where: int, named: str, advice: str
) -> None:
    assert refusals(reading(tmp_path, reads, line, libraries)) == [
        f"test/sample/sample.rego: line {where}: {named}, which the policy does not declare to read; add {advice}"
    ]


@pytest.mark.parametrize(
    ("reads", "line"),
    [
        ("{container: [env]}", "container.env; data.lib.a.read(container)"),
        ("{pod: [resources], container: [resources]}", "container.resources"),
        ("{}", "some env in container.image; env.tag"),
    ],
)
def test_declared_fields_and_other_names_pass(tmp_path: Path, reads: str, line: str) -> None:
    capabilities.check(reading(tmp_path, reads, line, {"lib__a": ENV.format("a")}))


def test_each_field_is_refused_once_and_without_reads_none_is(tmp_path: Path) -> None:
    policies = reading(tmp_path, "{}", "container.env; object.get(container, `env`, 1); container.tty", {})
    assert refusals(policies) == [
        f"test/sample/sample.rego: line 15: names `{name}`, which the policy does not declare to read; "
        f"add {name} to reads.container"
        for name in ("env", "tty")
    ]
    (metadata,) = policies.policies.values()
    capabilities.check(replace(policies, policies={metadata.name: replace(metadata, reads=None)}))


NOT_IN_EVERY = "a `not` in `every` always holds in regopy; write a helper that is true instead"
INDEX = (
    "`[key]` in a comprehension stands for every key in regopy, because `key` is an argument of the function; "
    "write `object.get`"
)
HEAD = (
    "`key` comes from outside of a comprehension, and in a call in its head regopy does not know it; "
    "write `x := f(...)` behind `|`"
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("_of(xs, key) := [startswith(x, key) | some x in xs]", HEAD),
        ("_of(xs, key) := {x: concat(key, [x]) | some x in xs}", HEAD),
        ("_of(xs, key) := count({x.y | some x in {lower(key.z) | some y in xs}})", HEAD),
        ("_of(xs) := ys if { key := lower(xs[0]); ys := [startswith(x, key) | some x in xs] }", HEAD),
        ("_of(xs) := {y | some key in xs; some y in [startswith(x, key) | some x in xs]}", HEAD),
        ("_of(xs, key) := [concat(``, [lower(key), x]) |\n\tsome x in xs\n]", HEAD),
        ("_ok(xs) if { every x in xs { not x in {1} } }", NOT_IN_EVERY),
        ("_ok(xs) if { every x in {1, xs} { x > 0; not _bad(x) } }", NOT_IN_EVERY),
        ("_ok(xs) if { every i, x in [y | some y in xs] { count([1 | not _bad(x)]) > i } }", NOT_IN_EVERY),
        ("_of(xs, key) := {x | x := xs[key]}", INDEX),
        ("_of(xs, key) := [x | some y in xs; x := y.z[key].w]", INDEX),
        ("_of(xs, key) := {1: x | x := upper(xs[key])}", INDEX),
        ("_of(xs, key) := xs if {\n\tcount([x |\n\t\tx := xs[key]\n\t]) > 0\n}", INDEX),
    ],
)
def test_what_regopy_answers_wrongly_without_a_word_is_refused(tmp_path: Path, body: str, expected: str) -> None:
    (refused,) = refusals(bundle(tmp_path, f"{body}\n\n{ALWAYS}\n\n_bad(x) if x == 0"))
    assert refused.partition(": line ")[2].partition(": ")[2] == expected


def test_what_looks_like_it_passes(tmp_path: Path) -> None:
    body = """_ok(xs) if {
	every x in xs { _good(x) }
	not _good(xs)
}

_good(x) if x != 0

_of(xs, key) := xs[key] if count({x | some x in xs}) > 0

_other(xs) := {x | some key in ["a"]; x := xs[key]}

_heads(xs, key) := {concat("", [y, key]) |
	some x in xs
	y := lower(x)
	key := "shadowed"
}

_bodies(xs, key) := [z.key | some x in [y | some y in xs; startswith(y, key)]; z := {"key": lower(key), "x": [key, x]}]

"""
    capabilities.check(bundle(tmp_path, body + ALWAYS))


V0 = [
    'violations[{"message": "m", "path": ""}] { true }',
    'violations contains {"message": "m", "path": ""} { true }',
    "p { true }\n" + ALWAYS,
    "p(x) { x }\n" + ALWAYS,
    "p := 1 { true }\n" + ALWAYS,
    "p if { true } else { false }\n" + ALWAYS,
]


@pytest.mark.parametrize("body", V0)
def test_rego_v0_is_refused_by_the_gate_and_by_opa(tmp_path: Path, body: str) -> None:
    policies = bundle(tmp_path, body)
    assert all("(Rego v0)" in refusal and ": line 13: " in refusal for refusal in refusals(policies))
    assert opa_refuses(tmp_path, policies.modules[0].text)


def test_a_second_body_is_refused(tmp_path: Path) -> None:
    expected = "test/sample/sample.rego: line 13: a rule body without `if` (Rego v0); write `if {`"
    assert refusals(bundle(tmp_path, "p if { true } { false }\n" + ALWAYS)) == [expected]


def test_one_function_name_with_two_numbers_of_arguments_is_refused(tmp_path: Path) -> None:
    head = 'violations contains {"message": _said("a"), "path": ""} if input.subject.kind == "Pod"\n\n'
    files = {
        "test/one/one.rego": rego(f"{head}_said(x) := x", package="policies.test.one"),
        "test/two/two.rego": rego(
            head.replace('"a"', '"a", {"b": [1, 2]}') + "_said(x, y) := concat(x, y)",
            package="policies.test.two",
            id="TEST-002",
        ),
    }
    assert refusals(PolicySet.load(write_bundle(tmp_path, files))) == [
        "test/two/two.rego: line 15: the function `_said` takes 2 arguments here and 1 at test/one/one.rego line 15,"
        " which kills regopy; rename one"
    ]


def test_a_policy_defines_violations(tmp_path: Path) -> None:
    assert refusals(bundle(tmp_path, "deny contains 1")) == [
        "test/sample/sample.rego: line 11: defines no `violations`; write `violations contains {...} if {...}`"
    ]


def test_imports_bring_in_what_is_in_the_bundle_only(tmp_path: Path) -> None:
    imports = ("input.user", "data.lib.missing", "data.policies.gpu.limit as l", "future.keywords", "rego.v1")
    body = "".join(f"import {name}\n" for name in imports)
    assert refusals(bundle(tmp_path, body + ALWAYS)) == [
        "test/sample/sample.rego: line 13: `import input.user` hides what is read; write the reference in full",
        "test/sample/sample.rego: line 14: there is no package `lib.missing` in the bundle; correct the name",
        "test/sample/sample.rego: line 15: reads `data.policies.gpu.limit` of another policy; "
        "move what both need to lib/",
    ]


def test_lib_reads_its_arguments_only(tmp_path: Path) -> None:
    policies = bundle(
        tmp_path, ALWAYS, lib__values="package lib.values\n\nx := input.subject\n\ny := data.policies.a.b\n"
    )
    assert refusals(policies) == [
        "lib/values.rego: line 3: a module of lib reads `input`; take the value as an argument",
        "lib/values.rego: line 5: reads `data.policies.a.b` of another policy; move what both need to lib/",
    ]


TRICKY = rego(
    """import data.lib.values as shared
import rego.v1

# http.send( in a comment, and "a quote
_text := "a \\"quoted\\" http.send(x) # no comment \\\\"

_raw := `raw { " \\ with
violations { http.send(x)
`

violations contains {"message": message, "path": path} if {
	some index, container in input.subject.pods[0].containers # with
	not shared.ok(container["image"], input.parameters["max"])
	not contains(container.name, "}{")
	input.facts.signatures.known
	input["now"] > "2026"
	names := [name | some name in container.names; _long(name)]
	table := {key: value |
		some key, value in container.env
	}
	count(names) > count(table)
	count(table[names[0]]) > 1
	count(input.subject.images[index]) > 0
	every item in names { count(item) > 1 }
	message := sprintf(`%s 100%% "%d" %v %.2f`, [container.name, index, names, 1e3])
	path := concat("/", ["/spec", replace(_text, "~", "~0")])
	regex.match(`^(?:[a-z]+\\.)*[^\\s"\\\\]{2,3}$`, _raw)
}

_long(name) if {
	count(name) > 3
} else := false if {
	name == ""
}

default _fallback := {"a": {1, 2}}

_fallback := set() if count(_text) == 0

patches contains {"op": "remove", "path": "/x"} if input.subject.with == 1
""",
    needs=["now", "facts.signatures"],
)
LIB = "package lib.values\n\nok(image, most) if {\n\tcount(image) < most\n}\n"


def strings_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if (
            node.get("type") == "string" and "value" in node
        ):  # a JSON Schema in the annotation has the one without the other
            yield node["value"]
        for value in node.values():
            yield from strings_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings_in(value)


def test_a_tricky_policy_passes(tmp_path: Path) -> None:
    (tmp_path / "test/sample").mkdir(parents=True)
    (tmp_path / "test/sample/sample.rego").write_text(TRICKY, encoding="utf-8")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/values.rego").write_text(LIB, encoding="utf-8")
    policies = PolicySet.load(tmp_path)
    assert policies.policies["test/sample"].has_patches
    capabilities.check(policies)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [None, *sorted((ROOT / "policies").rglob("*.rego"))], ids=lambda path: path.name if path else ""
)
def test_the_tokenizer_reads_what_opa_parses(tmp_path: Path, path: Path | None) -> None:
    if path is None:
        path = tmp_path / "tricky.rego"
        path.write_text(TRICKY, encoding="utf-8")
    parsed = subprocess.run([OPA, "parse", "--format", "json", path], capture_output=True, check=True)
    module = json.loads(parsed.stdout)
    tokens = list(tokenize(path.read_text(encoding="utf-8")))

    clause = package_clause(tokens)
    assert clause is not None
    assert list(clause.path) == [term["value"] for term in module["package"]["path"][1:]]
    assert rule_names(tokens) == {rule["head"]["ref"][0]["value"] for rule in module["rules"]}
    literals = {token.value for token in tokens if token.kind in ("string", "raw")}
    assert literals <= set(strings_in(module))
    assert not [token for token in tokens if token.kind in ("bad", "template")]
