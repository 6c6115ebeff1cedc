"""Each built-in of the portable set gives equal results on OPA and on regopy, for real inputs."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from evaluators import capabilities
from evaluators.regopy import RegopyEvaluator
from pratique.policy import PolicySet
from tests.evaluators.bundle import soon
from tests.support.bundles import OPA, bundle

TEXT = 'a"b\\c\nd é'
"""Everything that has been found to be read differently in one string."""

# (built-in, expression over x, values of x)
CASES: list[tuple[str, str, list[Any]]] = [
    ("abs", "abs(x)", [-3.5, 2]),
    ("and", "{1, 2} & {2, x}", [1, 3]),
    ("array.concat", "array.concat(x, [1])", [["a"], []]),
    ("array.flatten", "array.flatten(x)", [[1, [2, 3]]]),
    ("array.reverse", "array.reverse(x)", [[1, "b"], []]),
    ("array.slice", "array.slice(x, 1, 2)", [[1, 2, 3], []]),
    ("assign", "[y | y := x]", [TEXT]),
    ("base64.is_valid", "base64.is_valid(x)", ["YWJj", "?"]),
    ("bits.and", "bits.and(x, 6)", [3]),
    ("bits.lsh", "bits.lsh(x, 2)", [3]),
    ("bits.negate", "bits.negate(x)", [3]),
    ("bits.or", "bits.or(x, 6)", [3]),
    ("bits.rsh", "bits.rsh(x, 1)", [3]),
    ("bits.xor", "bits.xor(x, 6)", [3]),
    ("ceil", "ceil(x)", [1.2, -1.2, 3]),
    ("concat", 'concat("\\n", [x, "\\"z\\""])', [TEXT, "", '"quoted"']),
    ("contains", 'contains(x, "n")', [TEXT, "n"]),
    ("contains", 'contains(x, "\\"b\\\\c\\n")', [TEXT, "x"]),
    ("count", "count(x)", [TEXT, '"abc"', [1, 2], {"a": 1}, ""]),
    ("div", "x / 4", [10, 8, 0.5]),
    ("endswith", 'endswith(x, "é")', [TEXT, "e"]),
    ("equal", 'x == "a\\"b\\\\c\\nd \\u00e9"', [TEXT, "a"]),
    ("equal", "x == 1", [1, 1.0, "1", True]),
    ("equal", 'x == "abc"', ['"abc"', "abc"]),
    ("floor", "floor(x)", [1.2, -1.2]),
    ("glob.match", 'glob.match("*.example.com", ["."], x)', ["a.example.com", "a.b.example.com", "example.com"]),
    ("glob.match", 'glob.match(x, ["/"], "a/b")', ["a/*", "*", "**"]),
    ("gt", "x > 9", [10, 9, 9.5, -1]),
    ("gte", "x >= 9", [10, 9, 8]),
    ("indexof", 'indexof(x, "d")', [TEXT, "éd", "a"]),
    ("indexof_n", 'indexof_n(x, "a")', ["abca", ""]),
    ("internal.member_2", 'x in ["a", 1]', ["a", 1, "b"]),
    ("internal.member_2", '"a" in x', [{"k": "a"}, ["a"], []]),
    ("internal.member_3", '"k", "a" in x', [{"k": "a"}, {"a": "k"}]),
    ("intersection", "intersection({{1, 2}, {2, x}})", [1, 3]),
    ("is_array", "is_array(x)", [[], {}, TEXT]),
    ("is_boolean", "is_boolean(x)", [False, 0]),
    ("is_null", "is_null(x)", [None, False]),
    ("is_number", "is_number(x)", [1.5, "1"]),
    ("is_object", "is_object(x)", [{}, []]),
    ("is_set", "is_set({x})", [1]),
    ("is_set", "is_set(x)", [[1]]),
    ("is_string", "is_string(x)", [TEXT, 1, None]),
    ("json.filter", 'json.filter(x, ["a/b"])', [{"a": {"b": 1, "c": 2}}]),
    ("json.is_valid", "json.is_valid(x)", ["[1]", "{a"]),
    ("json.marshal", "json.marshal(x)", [1, True, None]),
    ("json.patch", 'json.patch(x, [{"op": "add", "path": "/a/d", "value": 1}])', [{"a": {"b": 1}}]),
    ("json.remove", 'json.remove(x, ["a/b"])', [{"a": {"b": 1, "c": 2}}]),
    ("lower", "lower(x)", ['A"B\nC', "Docker.IO"]),
    ("lt", "x < 10", [9, 10, 2.5]),
    ("lt", 'x < "b"', ["a", "b", "B"]),
    ("lte", "x <= 10", [9, 10, 11]),
    ("minus", "x - 3", [1, 3.5]),
    ("minus", "{1, 2} - {x}", [1, 3]),
    ("mul", "x * 3", [4, 1.5]),
    ("neq", 'x != "a"', ["a", "b"]),
    ("numbers.range", "numbers.range(x, 3)", [1, 5]),
    ("numbers.range_step", "numbers.range_step(x, 10, 4)", [1]),
    ("object.filter", 'object.filter(x, ["a"])', [{"a": 1, "b": 2}]),
    ("object.get", 'object.get(x, "a", 0)', [{"a": TEXT}, {"a": None}, {"a": False}, {}]),
    ("object.get", 'object.get(x, ["a", "b"], "none")', [{"a": {"b": 3}}, {"a": {}}, {}]),
    ("object.get", 'object.get(x, "q\\"k", 0)', [{'q"k': 1}]),
    ("object.keys", "object.keys(x)", [{"a": 1, TEXT: 2}]),
    ("object.remove", 'object.remove(x, ["a"])', [{"a": 1, "b": 2}]),
    ("object.subset", 'object.subset(x, {"a": 1})', [{"a": 1, "b": 2}, {"a": 2}]),
    ("or", "{1} | {x}", [1, 2]),
    ("plus", "x + 1", [1, 0.5]),
    ("product", "product(x)", [[2, 3], []]),
    ("regex.find_all_string_submatch_n", 'regex.find_all_string_submatch_n("(a)(.)", x, -1)', ["abac"]),
    ("regex.find_n", 'regex.find_n("a.", x, -1)', ["abac", ""]),
    ("regex.globs_match", 'regex.globs_match("a.b.*", x)', ["a.b.c.*"]),
    ("regex.is_valid", "regex.is_valid(x)", ["^[0-9]+\\.x$", "(a"]),
    ("regex.match", 'regex.match(`^a"b\\\\c\\nd é$`, x)', [TEXT, "a"]),
    ("regex.match", "regex.match(`^[^\\s]+$`, x)", ["a\nb", "ab"]),
    ("regex.match", 'regex.match(x, "a.b")', ["^a\\.b$", "^a\\\\b$", "^\\w\\.\\w$"]),
    ("regex.match", 'regex.match(concat("", ["^(?:", x, ")$"]), "cc-4711")', ["(cc-)?[0-9]{4,8}", "\\d+"]),
    ("regex.replace", 'regex.replace(x, "b+", "x")', ["abbc"]),
    ("regex.split", 'regex.split("\\\\s+", x)', ["a b\nc"]),
    ("regex.template_match", 'regex.template_match("urn:{.*}", x, "{", "}")', ["urn:a", "a"]),
    ("rem", "x % 3", [7, -7]),
    ("replace", 'replace(x, "\\n", "\\"")', [TEXT, "banana"]),
    ("round", "round(x)", [1.5, -1.5, 2.5, 2.4]),
    ("semver.is_valid", "semver.is_valid(x)", ["1.2", "1.2.3"]),
    ("sort", "sort(x)", [["b", "a", "B"], []]),
    ("split", 'split(x, "\\n")', [TEXT, ""]),
    ("split", 'split(x, "\\"")', [TEXT, '"a"']),
    ("sprintf", 'sprintf("%s is \\"%v\\"\\n%d\\\\", [x, 1.5, 3])', [TEXT, "plain", '"quoted"']),
    ("sprintf", 'sprintf("%v", [x])', [["a", 1, True, None, {"b": []}], "a", 1e21, 12345678901, None]),
    ("sprintf", 'sprintf("%.2f|%05d|%x|100%%", [x, 3, 255])', [1.256]),
    ("startswith", 'startswith(x, "a\\"")', [TEXT, "a"]),
    ("startswith", 'startswith(x, "abc")', ['"abc"', "abc"]),
    ("strings.any_prefix_match", 'strings.any_prefix_match(x, ["a", "z"])', ["abc", "b"]),
    ("strings.any_suffix_match", 'strings.any_suffix_match(x, ["a", "z"])', ["abz", "b"]),
    ("strings.count", 'strings.count(x, "a")', ["banana", ""]),
    ("strings.reverse", "strings.reverse(x)", ["aé\nb"]),
    ("substring", "substring(x, 1, 2)", ["a\nbcd", "éab", ""]),
    ("substring", "substring(x, 2, -1)", ["abcd"]),
    ("sum", "sum(x)", [[1, 2], [1.5, 2], []]),
    ("time.add_date", "time.add_date(x, 0, 1, 0)", [1700000000000000000]),
    ("time.clock", "time.clock(x)", [1700000000000000000]),
    ("time.date", "time.date(x)", [1700000000000000000]),
    ("time.parse_duration_ns", "time.parse_duration_ns(x)", ["1h30m"]),
    ("time.parse_ns", 'time.parse_ns("2006-01-02T15:04:05Z", x)', ["2026-11-21T08:00:00Z"]),
    ("time.weekday", "time.weekday(x)", [1700000000000000000]),
    ("to_number", "to_number(x)", ["1.5", "12", True]),
    ("trim", 'trim(x, " \\n\\"")', ['" a\n"', ""]),
    ("trim_left", 'trim_left(x, "ab")', ["abc"]),
    ("trim_prefix", 'trim_prefix(x, "ab")', ["abc"]),
    ("trim_right", 'trim_right(x, "c")', ["abc"]),
    ("trim_space", "trim_space(x)", [" a\n\t"]),
    ("trim_suffix", 'trim_suffix(x, "\\"")', ['ab"']),
    ("type_name", "type_name(x)", [TEXT, 1, None, [], {}, True]),
    ("union", "union({{1}, {x}})", [1, 2]),
    ("units.parse", "units.parse(x)", ["10Ki", "100m", "1.5Gi", "2"]),
    ("units.parse_bytes", "units.parse_bytes(x)", ["10MiB", "1.5Gi"]),
    ("upper", "upper(x)", ['a"b\nc']),
    ("uri.is_valid", "uri.is_valid(x)", ["https://a.b/c?d=e"]),
    ("uri.parse", "uri.parse(x)", ["https://a.b:80/c?d=e#f"]),
    ("walk", "{v | walk(x, [_, v]); is_number(v)}", [{"a": [1, {"b": 2}]}]),
]


def test_there_is_a_case_for_each_portable_builtin() -> None:
    refused_by_the_gate = {"eq"}  # OPA's compiler needs it in the list
    assert {name for name, _, _ in CASES} == capabilities.portable_builtins() - refused_by_the_gate


def test_both_engines_answer_alike(tmp_path: Path) -> None:
    policies = _shown(tmp_path)
    asked = [(number, x) for number, (_, _, values) in enumerate(CASES) for x in values]

    # 1. What OPA says of every case
    calls = ",\n".join(
        f"[value | value := data.policies.test.sample.value_{number}(input[{index}])]"
        for index, (number, _) in enumerate(asked)
    )
    module = tmp_path / "test" / "sample" / "sample.rego"
    answers = subprocess.run(
        [OPA, "eval", "--stdin-input", "--strict-builtin-errors", "--format", "raw", "--data", module, f"[{calls}]"],
        input=json.dumps([x for _, x in asked]),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = json.loads(answers.stdout)
    assert not [CASES[number] for (number, _), value in zip(asked, expected, strict=True) if value == []]

    # 2. What regopy says, asked through the evaluator
    async def differing() -> list[tuple[str, Any, Any]]:
        evaluator = RegopyEvaluator(workers=1)
        await evaluator.load(policies)
        different = []
        try:
            for (number, x), [value] in zip(asked, expected, strict=True):
                subject = {"case": number, "x": x}
                document = json.dumps({"policies": ["test/sample"], "subject": subject}, ensure_ascii=False).encode()
                [results] = await evaluator.evaluate([document], deadline=soon())
                [patch] = results.by_policy["test/sample"].patches
                if not _same(patch["value"], value):
                    different.append((CASES[number][1], x, (patch["value"], value)))
        finally:
            await evaluator.close()
        return different

    assert asyncio.run(differing()) == []


def _shown(root: Path) -> PolicySet:
    """One policy that returns the value of the case asked for, in a patch: the one place where any value may stand. It
    finds something each time, since patches are asked for only then."""
    rules = ['violations contains {"message": "found", "path": ""}\n']
    for number, (_, expression, _) in enumerate(CASES):
        rules.append(f"value_{number}(x) := [{expression}]\n")
        rules.append(
            f'patches contains {{"op": "add", "path": "", "value": value_{number}(input.subject.x)}} if '
            f"input.subject.case == {number}\n"
        )
    return bundle(root, "\n".join(rules))


def _same(left: Any, right: Any) -> bool:
    """Equal JSON, true not being 1; the elements of a set come in no order from regopy."""
    if isinstance(left, list) and isinstance(right, list):
        key = json.dumps
        alike = len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
        return alike or sorted(map(key, left)) == sorted(map(key, right))
    return left == right and isinstance(left, bool) == isinstance(right, bool)
