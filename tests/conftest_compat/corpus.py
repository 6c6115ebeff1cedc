"""The examples: small policies and files that show each feature once."""

from __future__ import annotations

from tests.conftest_compat.compare import Case

POD = """apiVersion: v1
kind: Pod
metadata:
  name: trainer
  labels:
    team: vision
spec:
  containers:
  - name: main
    image: registry.internal/train:latest
    ports: [{containerPort: 8080}]
"""
SERVICE = "kind: Service\nmetadata: {name: llm, labels: {}}\nspec: {type: LoadBalancer}\n"
BOTH = f"{POD}---\n{SERVICE}"

MAIN = """package main

import rego.v1

name := input.metadata.name

deny contains msg if {
	input.kind == "Pod"
	some container in input.spec.containers
	endswith(container.image, ":latest")
	msg := sprintf("%s runs %s", [name, container.image])
}

deny contains msg if {
	input.kind == "Pod"
	not input.metadata.labels.owner
	msg := "nobody owns it"
}

violation_exposed contains {"msg": msg, "details": {"type": input.spec.type, "n": 3}, "ok": true} if {
	input.spec.type == "LoadBalancer"
	msg := "it is exposed <to all> & sundry"
}

warn contains msg if {
	input.kind == "Service"
	msg := "services are looked at"
}

warn_team contains "the vision team again" if input.metadata.labels.team == "vision"
"""
EXCEPTIONS = """package main

import rego.v1

exception contains rules if {
	input.metadata.name == "llm"
	rules := ["exposed", "team", "exposed"]
}

exception contains rules if {
	input.metadata.name == "trainer"
	rules := [""]
}
"""
GPU = """package gpu.limits

import rego.v1

deny_gpus contains "too many" if input.spec.gpus > 4

test_gpus if {
	deny_gpus with input as {"spec": {"gpus": 5}}
}
"""
LOCATED = """package main

import rego.v1

deny contains {"msg": "here", "_loc": {"file": "pod.yaml", "line": 3}} if input.kind

deny contains {"msg": "elsewhere: 100%, a\\nb", "_loc": {"file": "dir/a b:c,d%.yaml", "line": 12}} if input.kind

warn contains {"msg": "no line", "_loc": {"file": "x.yaml"}} if input.kind

warn contains {"msg": "no file", "_loc": {"line": 7}} if input.kind

warn contains {"msg": "odd", "_loc": "x"} if input.kind

warn contains {"msg": "odd too", "_loc": {"line": "7"}} if input.kind
"""
HOLES = """package main

import rego.v1

deny contains 1 if input.kind
deny contains ["a"] if input.kind
deny contains true if input.kind
deny_text := "not a set" if input.kind
deny_true if input.kind
deny_empty contains "x" if input.nothing
deny_list := ["a", {"msg": "b", "c": [1, 2.50, {"d": null}]}]
deny_object := {"msg": "a"}
default deny_default := false
deny_else := "a" if { input.nothing } else := "b" if { input.kind }
warn_function(x) := x
deny__odd contains "no"
denyx contains "no"
"""
PRINTS = """package main

import rego.v1

helper if print("helping", input.kind)

deny contains "failed" if {
	helper
	print("in deny", {"a": [1, input.metadata.name]}, input.nothing)
	input.kind == "Pod"
}

warn contains "warned" if helper
"""
FILES = {"policy/main.rego": MAIN, "pod.yaml": POD, "service.yaml": SERVICE, "both.yaml": BOTH}
EXCEPTED = {**FILES, "policy/exceptions.rego": EXCEPTIONS}
FORMATS = ("stdout", "json", "tap", "table", "junit", "github", "azuredevops", "sarif")


def _formats() -> list[Case]:
    cases = []
    for output in FORMATS:
        for name, files, inputs in (
            ("plain", FILES, "both.yaml"),
            ("excepted", EXCEPTED, "both.yaml"),
            ("passed", {"policy/main.rego": MAIN, "a.yaml": "kind: Other\n"}, "a.yaml"),
            ("several", EXCEPTED, "pod.yaml service.yaml both.yaml"),
            ("empty", {"policy/main.rego": "package main\n", "a.yaml": "a: 1\n"}, "a.yaml"),
            ("located", {"policy/main.rego": LOCATED, "pod.yaml": POD}, "pod.yaml"),
            ("namespaces", {**FILES, "policy/gpu.rego": GPU, "g.yaml": "spec: {gpus: 9}"}, "g.yaml --all-namespaces"),
        ):
            cases.append(Case(f"{output}-{name}", f"test -o {output} {inputs}", files))
        cases.append(Case(f"{output}-stdin", f"test -o {output} -", FILES, stdin=POD))
        cases.append(Case(f"{output}-no-namespace", f"test -o {output} -n z* pod.yaml", FILES))
    return cases


CASES = [
    *_formats(),
    Case("no-color", "test --no-color both.yaml", EXCEPTED),
    Case("suppress-exceptions", "test --suppress-exceptions both.yaml", EXCEPTED),
    Case("fail-on-warn-fails", "test --fail-on-warn pod.yaml", FILES),
    Case("fail-on-warn-warns", "test --fail-on-warn a.yaml", {"policy/main.rego": MAIN, "a.yaml": "kind: Service\n"}),
    Case("warnings-only", "test a.yaml", {"policy/main.rego": MAIN, "a.yaml": "kind: Service\n"}),
    Case("no-fail", "test --no-fail pod.yaml", FILES),
    Case("quiet-passed", "test --quiet a.yaml", {"policy/main.rego": MAIN, "a.yaml": "kind: Other\n"}),
    Case("quiet-failed", "test --quiet pod.yaml", FILES),
    Case("junit-hide-message", "test -o junit --junit-hide-message both.yaml", FILES),
    Case("github-hide-passed", "test -o github --github-hide-passed both.yaml ok.yaml", {**FILES, "ok.yaml": "a: 1"}),
    Case("stdin-filename", "test --stdin-filename made.yaml -", FILES, stdin=POD),
    Case("stdin-parser", "test --parser json -o json -", FILES, stdin='{"kind": "Service"}'),
    Case(
        "combine",
        "test --combine -o json both.yaml pod.yaml",
        {
            **FILES,
            "policy/main.rego": """package main
import rego.v1
deny contains {"msg": f.path, "n": f.contents.n, "c": count(input)} if some f in input
""",
        },
    ),
    Case(
        "combine-numbers",
        "test --combine -o json a.json",
        {
            "a.json": '{"n": 1000000, "m": 1e3}',
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": "n", "n": f.contents.n, "m": f.contents.m} if some f in input
""",
        },
    ),
    Case(
        "numbers",
        "test -o json a.json",
        {
            "a.json": '{"n": [1000000, 1e3, 0.00001, 1.50, 12345678901234567890, 65532, -0.0, 3]}',
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": sprintf("%v %d", [n, n]), "n": n, "twice": n * 2} if some n in input.n
""",
        },
    ),
    Case(
        "numbers-yaml",
        "test -o json a.yaml",
        {
            "a.yaml": "v: [1000000, 1.5, 65532, 8080, 1.50, 100000, 0.001]\n",
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": sprintf("%v", [n]), "n": n} if some n in input.v
""",
        },
    ),
    Case(
        "number-forms-yaml",
        "test -o json a.yaml",
        {
            "a.yaml": "v: [0x10, 010, 0o10, 0b11, 1_000, 1e3, 1E3, .5, 5., +7, -0, 1:30, 2001-01-01, 9223372036854775807, 1234567.5, 0.00001, 12e03, '1000000', 1.0]\nyes: no\n~: null\n",
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": sprintf("%d: %v", [i, n]), "n": n} if some i, n in input.v
warn contains k if some k, v in input
""",
        },
    ),
    Case(
        "yaml-engine",
        "test -o json a.yaml",
        {
            "a.yaml": "a: &x {k: on, yes: 1, n: ~}\nb: *x\nc: !!str 5\nd: |\n  text\n  more\n'e': 1.5\nf: 99999\ng: 0.5\n1: one\ntrue: t\n<<: {m: 1}\nh: 2001-01-01\ni: 1:30\nj: 'sha256:0123e4'\n",
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": k, "v": v} if some k, v in input
""",
        },
    ),
    Case(
        "yaml-duplicates",
        "test -o json a.yaml",
        {
            "a.yaml": "a: 1\na: 2\n",
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": k, "v": v} if some k, v in input
""",
        },
    ),
    Case(
        "table-lines",
        "test -o table a.json",
        {
            "a.json": '{"t": ["x\\n\\ny", "a\\n  b  \\n c ", "one  ", "z\\n\\n\\n", " \\n q", "r\\tr"]}',
            "policy/a.rego": """package main
import rego.v1
deny contains t if some t in input.t
""",
        },
    ),
    Case(
        "top-level-list", "test -o json a.json", {**FILES, "a.json": '[{"kind": "Service"}, {"kind": "Pod"}, 3, null]'}
    ),
    Case("empty-list", "test -o json a.json", {**FILES, "a.json": "[]"}),
    Case("empty-file", "test -o json a.yaml", {**FILES, "a.yaml": ""}),
    Case("empty-documents", "test -o json a.yaml", {**FILES, "a.yaml": "---\n---\nkind: Service\n---\n"}),
    Case("crlf", "test -o json a.yaml", {**FILES, "a.yaml": BOTH.replace("\n", "\r\n")}),
    Case("holes", "test -o json pod.yaml", {"policy/main.rego": HOLES, "pod.yaml": POD}),
    Case(
        "bad-message",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package main\nimport rego.v1\ndeny contains {"msg": 3}\n'},
    ),
    Case(
        "no-message",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package main\nimport rego.v1\ndeny contains {"x": 3}\n'},
    ),
    Case(
        "empty-message",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package main\nimport rego.v1\ndeny contains ""\n'},
    ),
    Case(
        "if-without-contains",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": "package main\nimport rego.v1\ndeny[msg] if { msg := 1 }\n"},
    ),
    Case(
        "conflict",
        "test pod.yaml",
        {
            "pod.yaml": POD,
            "policy/a.rego": "package main\nimport rego.v1\ndeny := 1 if input.kind\ndeny := 2 if input.kind\n",
        },
    ),
    Case(
        "conflict-in-helper",
        "test pod.yaml",
        {
            "pod.yaml": POD,
            "policy/a.rego": "package main\nimport rego.v1\nh := 1 if input.kind\nh := 2 if input.kind\nwarn contains h\n",
        },
    ),
    Case(
        "conflict-in-exception",
        "test pod.yaml",
        {
            "pod.yaml": POD,
            "policy/a.rego": "package main\nimport rego.v1\ndeny contains 1\nexception := [[h]]\nh := 1 if input.kind\nh := 2 if input.kind\n",
        },
    ),
    Case(
        "exception-of-wrong-type",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package main\nimport rego.v1\ndeny contains "x"\nexception := "y"\n'},
    ),
    Case(
        "builtin-errors-hidden",
        "test -o json a.json",
        {"a.json": '{"z": 0}', "policy/a.rego": 'package main\nimport rego.v1\ndeny contains "x" if 1 / input.z\n'},
    ),
    Case(
        "builtin-errors-shown",
        "test --show-builtin-errors a.json",
        {"a.json": '{"z": 0}', "policy/a.rego": 'package main\nimport rego.v1\ndeny contains "x" if 1 / input.z\n'},
    ),
    Case("builtin-errors-none", "test --show-builtin-errors -o json pod.yaml", FILES),
    Case("prints", "test pod.yaml", {"policy/a.rego": PRINTS, "pod.yaml": POD}),
    Case("prints-json", "test -o json pod.yaml", {"policy/a.rego": PRINTS, "pod.yaml": POD}),
    Case(
        "prints-exceptions",
        "test both.yaml",
        {"policy/a.rego": PRINTS + 'exception contains [x] if { print("asked"); x := "" }\n', "both.yaml": BOTH},
    ),
    Case("trace", "test --trace --no-color pod.yaml", {**FILES, "policy/main.rego": GPU.replace("gpu.limits", "main")}),
    Case("trace-color", "test --trace -o json pod.yaml", EXCEPTED),
    Case("trace-prints", "test --trace -o tap pod.yaml", {"policy/a.rego": PRINTS, "pod.yaml": POD}),
    Case(
        "file-info",
        "test -o json sub/pod.yaml",
        {
            "sub/pod.yaml": POD,
            "policy/a.rego": "package main\nimport rego.v1\nimport data.conftest.file\ndeny contains file.name\n",
        },
    ),
    Case(
        "file-info-by-data",
        "test -o json sub/pod.yaml",
        {
            "sub/pod.yaml": POD,
            "policy/a.rego": 'package main\nimport rego.v1\ndeny contains data.conftest[k].name if k := "file"\n',
        },
    ),
    Case(
        "runtime",
        "test -o json pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": "package main\nimport rego.v1\ndeny contains opa.runtime().env.STAGE\n"},
        environment={"STAGE": "dev"},
    ),
    Case(
        "data",
        "test -o json -d data pod.yaml",
        {
            **FILES,
            "data/services/ports.yaml": "ports: [22, 8080, 1000000]\n",
            "data/top.json": '{"top": true}',
            "data/deep/er/x.yml": "v: 1",
            "policy/a.rego": 'package main\nimport rego.v1\ndeny contains sprintf("%v", [data.services.ports]) if data.top\nwarn contains {"msg": "v", "d": data.deep}\n',
        },
    ),
    Case(
        "data-file",
        "test -o json -d a/x.yaml -d b/y.json pod.yaml",
        {
            **FILES,
            "a/x.yaml": "x: 1",
            "b/y.json": '{"y": 2}',
            "policy/a.rego": 'package main\nimport rego.v1\ndeny contains sprintf("%v", [data.x + data.y])\n',
        },
    ),
    Case("data-conflict", "test -d a -d b pod.yaml", {**FILES, "a/x.yaml": "x: 1", "b/y.json": '{"x": 2}'}),
    Case("data-broken", "test -d a pod.yaml", {**FILES, "a/x.yaml": "x: ["}),
    Case("data-missing", "test -d nowhere pod.yaml", FILES),
    Case("data-exceptions", "test -o json -d a pod.yaml", {**FILES, "a/main/x.yaml": "exception: [['']]"}),
    Case(
        "namespace", "test -n gpu.limits -o json g.yaml", {**FILES, "policy/gpu.rego": GPU, "g.yaml": "spec: {gpus: 9}"}
    ),
    Case(
        "namespaces",
        "test -n gpu.limits,main -o json g.yaml",
        {**FILES, "policy/gpu.rego": GPU, "g.yaml": "spec: {gpus: 9}"},
    ),
    Case(
        "namespace-pattern",
        "test -n g*,m?in -o json g.yaml",
        {**FILES, "policy/gpu.rego": GPU, "g.yaml": "spec: {gpus: 9}"},
    ),
    Case(
        "namespace-class",
        "test -n [a-h]pu.* -o json g.yaml",
        {**FILES, "policy/gpu.rego": GPU, "g.yaml": "spec: {gpus: 9}"},
    ),
    Case("namespace-bad-pattern", "test -n [a g.yaml", {**FILES, "g.yaml": "spec: {gpus: 9}"}),
    Case("namespace-unknown", "test -n nowhere -o json pod.yaml", FILES),
    Case(
        "namespace-odd",
        "test --all-namespaces -o json pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package a["b-c"].d\nimport rego.v1\ndeny contains "x"\n'},
    ),
    Case(
        "policy-files",
        "test -p a/x.rego -p b -o json pod.yaml",
        {
            "pod.yaml": POD,
            "a/x.rego": "package main\nimport rego.v1\ndeny contains data.lib.text\n",
            "b/lib.rego": 'package lib\ntext := "t"\n',
            "b/notes.txt": "x",
            "b/d.yaml": "z: [",
        },
    ),
    Case("policy-with-colon", "test -p in -o json pod.yaml", {"pod.yaml": POD, "in/a:b.rego": MAIN}),
    Case(
        "policy-with-colon-broken",
        "test -p in --strict pod.yaml",
        {"pod.yaml": POD, "in/a b:c.rego": "package main\nimport data.x\n"},
    ),
    Case("policy-twice", "test -p policy -p policy/main.rego -o json pod.yaml", FILES),
    Case("policy-dot-slash", "test -p ./policy/ -o json ./pod.yaml", FILES),
    Case(
        "policy-links",
        "test -o json pod.yaml",
        {
            "pod.yaml": POD,
            "real/a.rego": 'package main\nimport rego.v1\ndeny contains "x"\n',
            "policy/l": "link:../real",
        },
    ),
    Case("policy-missing", "test -p nowhere pod.yaml", FILES),
    Case("policy-none", "test -p empty pod.yaml", {**FILES, "empty/a.txt": "x"}),
    Case(
        "policy-syntax",
        "test pod.yaml",
        {**FILES, "policy/b.rego": "package main\nimport rego.v1\ndeny contains x if {\n\tx := \n}\n"},
    ),
    Case(
        "policy-type",
        "test pod.yaml",
        {**FILES, "policy/b.rego": "package main\nimport rego.v1\ndeny contains x if { x := nothere(1) }\n"},
    ),
    Case("policy-binary", "test pod.yaml", {**FILES, "policy/b.rego": b"\x00\xff\xfe"}),
    Case("policy-empty-file", "test -o json pod.yaml", {**FILES, "policy/b.rego": ""}),
    Case(
        "strict-refuses",
        "test --strict pod.yaml",
        {**FILES, "policy/b.rego": "package main\nimport rego.v1\nimport data.x\nwarn contains 1 if { unused := 1 }\n"},
    ),
    Case("strict-accepts", "test --strict -o json pod.yaml", FILES),
    Case(
        "capabilities",
        "test --capabilities c.json pod.yaml",
        {**FILES, "c.json": '{"builtins": [], "features": ["rego_v1"]}'},
    ),
    Case("capabilities-missing", "test --capabilities c.json pod.yaml", FILES),
    Case(
        "rego-v0",
        "test --rego-version v0 -o json pod.yaml",
        {
            "pod.yaml": POD,
            "policy/a.rego": 'package main\ndeny[msg] { input.kind == "Pod"; msg := "old" }\nwarn[msg] { msg := "a" } { msg := "b" }\n',
        },
    ),
    Case(
        "rego-v0-as-v1",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package main\ndeny[msg] { input.kind == "Pod"; msg := "old" }\n'},
    ),
    Case(
        "rego-v0-if",
        "test --rego-version v0 pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": 'package main\nimport future.keywords.if\ndeny[msg] if { msg := "x" }\n'},
    ),
    Case("rego-version-unknown", "test --rego-version v2 pod.yaml", FILES),
    Case(
        "folder",
        "test -o json in",
        {**FILES, "in/a.yaml": POD, "in/b/c.json": '{"kind": "Service"}', "in/notes.md": "x", "in/z.yml": SERVICE},
    ),
    Case(
        "folder-ignored",
        "test -o json --ignore b/.*json$ in",
        {**FILES, "in/a.yaml": POD, "in/b/c.json": '{"kind": "Service"}'},
    ),
    Case("file-ignored", "test -o json --ignore pod pod.yaml service.yaml", FILES),
    Case("all-ignored", "test --ignore . pod.yaml", FILES),
    Case("ignore-malformed", "test --ignore [ pod.yaml", FILES),
    Case("folder-empty", "test in", {**FILES, "in/notes.md": "x"}),
    Case(
        "links",
        "test -o json in",
        {
            **FILES,
            "in/a.yaml": POD,
            "in/loop": "link:.",
            "in/up": "link:../in2",
            "in2/b.yaml": SERVICE,
            "in/l.yaml": "link:a.yaml",
        },
    ),
    Case("link-broken", "test in", {**FILES, "in/a.yaml": "link:nowhere"}),
    Case("blank-argument", "test '' pod.yaml", FILES),
    Case("only-blank", "test ''", FILES),
    Case("no-argument", "test", FILES),
    Case("file-missing", "test nowhere.yaml", FILES),
    Case("file-twice", "test -o json pod.yaml pod.yaml ./pod.yaml", FILES),
    Case("file-unknown", "test a.unknown", {**FILES, "a.unknown": "x"}),
    Case("parser-unknown", "test --parser nope pod.yaml", FILES),
    Case("parser-given", "test --parser yaml -o json a.unknown", {**FILES, "a.unknown": POD}),
    Case("yaml-broken", "test a.yaml", {**FILES, "a.yaml": "a: [\n"}),
    Case("yaml-broken-in-second", "test a.yaml", {**FILES, "a.yaml": "a: 1\n---\nb: {\n"}),
    Case("yaml-broken-no-rule", "test a.yaml", {"policy/a.rego": "package main\n", "a.yaml": "a: [\n"}),
    Case("json-broken", "test a.json", {**FILES, "a.json": "{"}),
    Case("binary", "test a.yaml", {**FILES, "a.yaml": b"\x00\x01\xff\xfe"}),
    Case("not-utf8", "test a.yaml", {**FILES, "a.yaml": b"a: \xff\xfe\n"}),
    Case("json-bom", "test -o json a.json", {**FILES, "a.json": b'\xef\xbb\xbf{"kind": "Service"}'}),
    Case(
        "unicode",
        "test -o json a.json",
        {
            "a.json": '{"t": "\\u2028é\\u0000\\u0007漢\\ud83d\\ude00<>&\\"\\\\"}',
            "policy/a.rego": "package main\nimport rego.v1\ndeny contains input.t\n",
        },
    ),
    Case(
        "unicode-junit",
        "test -o junit a.json",
        {
            "a.json": '{"t": "\\u2028é\\u0000\\u0007漢\\ud83d\\ude00<>&\\"\'\\t\\n\\r]]>"}',
            "policy/a.rego": "package main\nimport rego.v1\ndeny contains input.t\n",
        },
    ),
    Case(
        "unicode-table",
        "test -o table a.json",
        {
            "a.json": '{"t": ["é漢字", "two\\nlines", "  spaces  ", "tab\\there", "", "\\n\\nx\\n", "a  b", "long " , "x👍y", "e\\u0301"]}',
            "policy/a.rego": 'package main\nimport rego.v1\ndeny contains sprintf("%s.", [t]) if some t in input.t\nwarn contains input.t[_]\n',
        },
    ),
    Case("odd-names", "test -o github a%b,c:d.yaml", {**FILES, "a%b,c:d.yaml": POD}),
    Case("odd-names-sarif", "test -o sarif a%b,c:d(e)[f]'g!*.yaml", {**FILES, "a%b,c:d(e)[f]'g!*.yaml": POD}),
    Case(
        "config-file",
        "test pod.yaml",
        {
            **FILES,
            "other/a.rego": 'package ns\nimport rego.v1\ndeny contains "x"\n',
            "conftest.toml": 'policy = "other"\nnamespace = ["ns"]\noutput = "json"\n',
        },
    ),
    Case(
        "config-file-named", "test -c x/c.toml pod.yaml", {**FILES, "x/c.toml": 'output = "tap"\nfail-on-warn = true\n'}
    ),
    Case("config-file-equals", "test --config-file=x/c.toml pod.yaml", {**FILES, "x/c.toml": 'Output = "tap"\n'}),
    Case("config-file-missing", "test -c nowhere.toml pod.yaml", FILES),
    Case("config-file-broken", "test pod.yaml", {**FILES, "conftest.toml": "output = \n"}),
    Case("config-beaten-by-flag", "test -o tap pod.yaml", {**FILES, "conftest.toml": 'output = "json"\n'}),
    Case("config-yaml", "test pod.yaml", {**FILES, "conftest.yaml": "output: tap\nno-color: true\n"}),
    Case(
        "config-text-for-list",
        "test pod.yaml",
        {**FILES, "conftest.toml": 'namespace = "main,main"\noutput = "json"\n'},
    ),
    Case("config-text-for-bool", "test pod.yaml", {**FILES, "conftest.toml": 'no-color = "true"\n'}),
    Case("variable", "test pod.yaml", FILES, environment={"CONFTEST_OUTPUT": "json"}),
    Case(
        "variable-beats-config",
        "test pod.yaml",
        {**FILES, "conftest.toml": 'output = "json"\n'},
        environment={"CONFTEST_OUTPUT": "tap"},
    ),
    Case(
        "variable-list",
        "test pod.yaml",
        {**FILES, "policy/gpu.rego": GPU},
        environment={"CONFTEST_NAMESPACE": "main,gpu.limits", "CONFTEST_OUTPUT": "json"},
    ),
    Case("variable-bool", "test pod.yaml", FILES, environment={"CONFTEST_NO_COLOR": "1", "CONFTEST_FAIL_ON_WARN": "T"}),
    Case("variable-bool-wrong", "test pod.yaml", FILES, environment={"CONFTEST_NO_COLOR": "maybe"}),
    Case("variable-empty", "test pod.yaml", FILES, environment={"CONFTEST_OUTPUT": ""}),
    Case(
        "variable-config-file",
        "test pod.yaml",
        {**FILES, "x.toml": 'output = "json"\n'},
        environment={"CONFTEST_CONFIG_FILE": "x.toml"},
    ),
    Case(
        "variable-beaten",
        "test --no-color=false -otap pod.yaml",
        FILES,
        environment={"CONFTEST_OUTPUT": "json", "CONFTEST_NO_COLOR": "1"},
    ),
    Case("flags-joined", "test -ppolicy -o=json pod.yaml", FILES),
    Case("flags-after", "test pod.yaml -o json --policy=policy", FILES),
    Case(
        "flags-comma",
        "test -p policy,other pod.yaml -o json",
        {**FILES, "other/a.rego": 'package main\nimport rego.v1\ndeny contains "x"\n'},
    ),
    Case("flags-ended", "test -o json -- pod.yaml", FILES),
    Case("flag-unknown", "test --nope pod.yaml", FILES),
    Case("flag-unknown-short", "test -x pod.yaml", FILES),
    Case("flag-without-value", "test pod.yaml -p", FILES),
    Case("flag-bool-wrong", "test --quiet=maybe pod.yaml", FILES),
    Case("flag-space-bool", "test --quiet false pod.yaml", FILES),
    Case(
        "parse-config",
        "test -o json pod.yaml",
        {
            "pod.yaml": POD,
            "policy/a.rego": """package main
import rego.v1
deny contains {"msg": "a", "v": parse_config("yaml", "a: 1\\nb: [x, 1000000]")}
deny contains {"msg": "b", "v": parse_config("json", sprintf(`{"k": "%s"}`, [input.kind]))}
warn contains "broken" if parse_config("json", "{")
warn contains "unknown" if parse_config("nope", "{")
""",
        },
    ),
    Case(
        "parse-config-file",
        "test -o json pod.yaml",
        {
            "pod.yaml": POD,
            "policy/sub/x.yaml": "a: 1\n---\nb: 2\n",
            "policy/sub/y.json": '{"y": 1}',
            "policy/sub/a.rego": """package main
import rego.v1
deny contains {"msg": "a", "v": parse_config_file("x.yaml")}
deny contains {"msg": "b", "v": parse_config_file("../../pod.yaml")}
deny contains {"msg": "c", "v": parse_combined_config_files(["y.json", "x.yaml"])}
warn contains "missing" if parse_config_file("nowhere.yaml")
""",
        },
    ),
    Case(
        "dynamic-data",
        "test -o json pod.yaml",
        {
            "pod.yaml": POD,
            "policy/lib.rego": 'package lib\nt := "found"\n',
            "policy/a.rego": """package main
import rego.v1
deny contains data[n].t if n := "lib"
""",
        },
    ),
    Case(
        "recursive-data",
        "test pod.yaml",
        {"pod.yaml": POD, "policy/a.rego": "package main\nimport rego.v1\ndeny contains x if data[x].deny\n"},
    ),
    Case(
        "http-cached",
        "test -o json pod.yaml",
        {
            "pod.yaml": POD,
            "policy/a.rego": 'package main\nimport rego.v1\ndeny contains "x" if http.send({"method": "get", "url": "http://127.0.0.1:1/", "raise_error": false}).status_code == 0\n',
        },
    ),
]

TESTS = """package main

import rego.v1

test_passes if "nobody owns it" in deny with input as {"kind": "Pod"}

test_fails if {
	expected := 2
	trace("noted")
	count(warn) == expected with input as {"kind": "Service"}
}

test_undefined if input.nothing.at.all

todo_test_later if false

test_prints if {
	print("seen", 1)
	true
}

test_cases[name] if {
	some name, kind in {"pod": "Pod", "service": "Service"}
	count(deny) > 0 with input as {"kind": kind}
}
"""
VERIFIED = {**FILES, "policy/main_test.rego": TESTS, "policy/gpu.rego": GPU}
PASSING = {"policy/gpu.rego": GPU}
BROKEN_TEST = """package main

import rego.v1

h := 1 if input.x
h := 2 if input.x
test_conflict if h with input as {"x": 1}
test_divides if 1 / input.zero == 1 with input as {"zero": 0}
"""
PARSED = {
    "a.yaml": "kind: Pod\nn: [1000000, 1.5, 1e3]\nt: <a&b>\nnothing: {}\nlist: []\n---\nb: 1\n",
    "b.json": '{"z": 1, "a": {"y": 1e30, "x": 1e-9}}',
    "c.yaml": "text\n",
}
UNFORMATTED = 'package main\n\nimport rego.v1\ndeny contains  msg if {\n  msg:="x" }\n'
FORMATTED = 'package main\n\nimport rego.v1\n\ndeny contains "x"\n'
ANNOTATED = """# METADATA
# title: The package
# description: It judges.
# related_resources:
# - https://example.com/a
# - ref: https://example.com/b
#   description: B
package main.sub

import rego.v1

# METADATA
# title: A rule
deny contains "x"

# METADATA
# description: Without a title
warn contains "x"
"""

CASES += [
    *(Case(f"verify-{output}", f"verify -o {output}", VERIFIED) for output in FORMATS),
    Case("verify-passes", "verify", PASSING),
    Case("verify-quiet", "verify --quiet", PASSING),
    Case("verify-quiet-fails", "verify --quiet --no-color", VERIFIED),
    Case("verify-no-tests", "verify", {"policy/main.rego": MAIN}),
    Case("verify-no-tests-json", "verify -o json", {"policy/main.rego": MAIN}),
    Case("verify-namespace", "verify -n gpu.* -o json", VERIFIED),
    Case("verify-namespace-none", "verify -n nowhere -o json", VERIFIED),
    Case("verify-report-fails", "verify --report fails", VERIFIED),
    Case("verify-report-notes", "verify --report notes", VERIFIED),
    Case("verify-report-full", "verify --report full", PASSING),
    Case("verify-report-passes", "verify --report fails", PASSING),
    Case("verify-report-namespace", "verify --report fails -n gpu*", VERIFIED),
    Case("verify-report-no-namespace", "verify --report fails -n nowhere", VERIFIED),
    Case("verify-report-quiet", "verify --report fails --quiet", PASSING),
    Case("verify-report-unknown", "verify --report nope -o json", PASSING),
    Case("verify-report-json", "verify --report full -o json", PASSING),
    Case("verify-var-values", "verify --var-values", VERIFIED),
    Case("verify-report-var-values", "verify --report notes --var-values", VERIFIED),
    Case("verify-trace", "verify --trace --no-color", PASSING),
    Case("verify-trace-json", "verify --trace -o json", PASSING),
    Case("verify-error", "verify", {**FILES, "policy/broken_test.rego": BROKEN_TEST}),
    Case(
        "verify-builtin-errors",
        "verify --show-builtin-errors",
        {"policy/a.rego": 'package a\ntest_x if { not 1 / input.zero == 1 } \ntest_y if not to_number("x") == 1\n'},
    ),
    Case("verify-builtin-errors-none", "verify --show-builtin-errors -o json", PASSING),
    Case("verify-policy-missing", "verify -p nowhere", FILES),
    Case("verify-does-not-compile", "verify", {"policy/a.rego": "package a\ntest_x if nope(1)\n"}),
    Case("verify-strict", "verify --strict", {"policy/a.rego": "package a\nimport data.unused\ntest_x if true\n"}),
    Case("verify-v0", "verify --rego-version v0 -o json", {"policy/a.rego": "package a\ntest_x { true }\n"}),
    Case(
        "verify-data",
        "verify -d data -o json",
        {"policy/a.rego": "package a\ntest_x if data.x.y == 1\n", "data/x/a.yaml": "y: 1"},
    ),
    Case(
        "verify-parse-config",
        "verify -o json",
        {
            "policy/a.rego": """package a
test_text if parse_config("yaml", "a: 1").a == 1
test_file if parse_config_file("x.yaml").b == 2
test_broken if parse_config("json", "{")
""",
            "policy/x.yaml": "b: 2",
        },
    ),
    Case(
        "verify-config-file", "verify", {"other/gpu.rego": GPU, "conftest.toml": 'policy = "other"\noutput = "json"\n'}
    ),
    Case("parse-one", "parse b.json", PARSED),
    Case("parse-documents", "parse a.yaml", PARSED),
    Case("parse-text", "parse c.yaml", PARSED),
    Case("parse-several", "parse a.yaml b.json", PARSED),
    Case("parse-combined", "parse --combine b.json a.yaml", PARSED),
    Case("parse-stdin", "parse -", PARSED, stdin="a: 1\n"),
    Case("parse-stdin-json", "parse --parser json -", PARSED, stdin='{"a": 1}'),
    Case("parse-none", "parse", PARSED),
    Case("parse-missing", "parse nowhere.yaml", PARSED),
    Case("parse-unknown", "parse a.unknown", {"a.unknown": "x"}),
    Case("parse-unknown-parser", "parse --parser nope a.yaml", PARSED),
    Case("parse-broken", "parse a.json", {"a.json": "{"}),
    Case("parse-variable", "parse a.unknown", {"a.unknown": "a: 1"}, environment={"CONFTEST_PARSER": "yaml"}),
    Case("fmt", "fmt policy", {"policy/a.rego": UNFORMATTED, "policy/b.rego": FORMATTED}),
    Case("fmt-check-fails", "fmt --check policy", {"policy/a.rego": UNFORMATTED}),
    Case("fmt-check-passes", "fmt --check policy", {"policy/a.rego": FORMATTED}),
    Case("fmt-none", "fmt empty", {"empty/a.txt": ""}),
    Case("fmt-missing", "fmt nowhere", {}),
    Case("fmt-broken", "fmt policy", {"policy/a.rego": "package main\nx if {"}),
    Case("fmt-v0", "fmt --rego-version v0 policy", {"policy/a.rego": "package main\ndeny[msg] { msg:= 1 }\n"}),
    Case("fmt-version-unknown", "fmt --rego-version v9 policy", {"policy/a.rego": FORMATTED}),
    Case("doc", "doc policy", {"policy/a.rego": ANNOTATED}),
    Case(
        "doc-out",
        "doc -o out policy",
        {"policy/a.rego": ANNOTATED, "out/x": "", "policy/sub/b.rego": ANNOTATED.replace("main.sub", "main.sub.b")},
    ),
    Case("doc-none", "doc policy", FILES),
    Case("doc-file", "doc policy/main.rego", FILES),
    Case("doc-missing", "doc nowhere", FILES),
    Case("doc-no-argument", "doc", FILES),
    Case(
        "reformat",
        "reformat -o table r.json",
        {
            "r.json": '[{"filename": "a", "namespace": "n", "successes": 2, "failures": [{"msg": "x", "loc": {"file": "f", "line": 3}, "metadata": {"q": 1.50}}], "skipped": [{"msg": "s"}]}]'
        },
    ),
    Case(
        "reformat-json",
        "reformat -o json r.json",
        {
            "r.json": '[{"filename": "a", "namespace": "n", "successes": 2, "failures": [{"msg": "x", "loc": {"file": "f", "line": 3}, "metadata": {"q": 150}}]}]'
        },
    ),
    Case("reformat-stdin", "reformat -o github", {}, stdin='[{"filename": "a", "successes": 2}]'),
    Case("reformat-broken", "reformat r.json", {"r.json": "{"}),
    Case("reformat-missing", "reformat nowhere.json", {}),
]
"""Each is run by tests/conftest_compat/test_compat.py."""
