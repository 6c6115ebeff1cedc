"""`pratique decisions` and `pratique explain`, on a ledger that a real engine filled."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pratique.decision import Decision, Door
from pratique.engine import Engine, Request
from pratique.kinds import subject_of
from pratique.ledger import DATABASE_NAME, Ledger
from pratiquectl.__main__ import main
from tests.support.decisions import ID, decision, evaluation
from tests.support.policies import binding, configuration, namespace, policy, policy_set
from tests.support.scripted import ScriptedEvaluator

pytestmark = pytest.mark.slow

POLICIES = policy_set(policy("gpu/limit", id="GPU-001"), policy("image/digest", id="IMG-001"))
CONFIGURATION = configuration(
    POLICIES,
    binding("gpu", "gpu/limit", enforcement={"admission": "deny"}),
    binding("gpu-production", "gpu/limit", match={"namespaceSelector": {"matchLabels": {"stage": "production"}}}),
    binding("digest-of-jobs", "image/digest", match={"kinds": ["Job"]}),
    binding("digest", "image/digest", enforcement={"admission": "warn"}, match={"namespaces": {"include": ["team-*"]}}),
    binding("digest-elsewhere", "image/digest", enforcement={"admission": "off"}),
    namespace("team-a", stage="test"),
)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "notebook", "namespace": "team-a", "labels": {"app": "notebook"}},
    "spec": {"containers": [{"name": "main", "image": "jupyter"}]},
}


async def _fill(state: Path) -> Decision:
    rules = {
        "gpu/limit": lambda _: [{"message": "16 GPUs; at most 4 are allowed", "path": "/spec"}],
        "image/digest": lambda _: [],
    }
    engine = Engine(policies=POLICIES, configuration=CONFIGURATION, evaluator=ScriptedEvaluator(rules))
    ledger = Ledger.open(state / DATABASE_NAME, logs=False)
    await ledger.record_configuration(CONFIGURATION, POLICIES)
    made = await engine.decide(
        subject_of(POD), Door.ADMISSION, request=Request(user="ada"), deadline=time.monotonic() + 60
    )
    await ledger.record(made)
    await ledger.close()
    return made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def made(state: Path) -> Decision:
    return asyncio.run(_fill(state))


def record(state: Path, *decisions: Decision) -> None:
    async def run() -> None:
        ledger = Ledger.open(state / DATABASE_NAME, logs=False)
        for each in decisions:
            await ledger.record(each)
        await ledger.close()

    asyncio.run(run())


def run(arguments: Sequence[str], state: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main([*arguments, "--state", str(state)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_list_is_plain_columns_in_a_pipe(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["decisions", "list"], state, capsys)
    heading, row = out.splitlines()
    assert (code, err) == (0, "")
    assert heading.split() == [
        "TIME", "ID", "OUTCOME", "DOOR", "OPERATION", "OBJECT", "USER", "POLICIES", "REASON",
    ]  # fmt: skip
    assert row.split()[1:] == [
        made.id, "denied", "admission", "CREATE", "Pod", "team-a/notebook", "ada", "GPU-001",
        *["16", "GPUs;", "at", "most", "4", "are", "allowed"],
    ]  # fmt: skip


def test_list_as_json_holds_the_records(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    record(state, decision(evaluation()))
    code, out, _ = run(["decisions", "list", "-o", "json"], state, capsys)
    assert code == 0
    assert {row["id"] for row in json.loads(out)} == {made.id, ID}


def test_list_as_csv_holds_no_formula(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(state, decision(evaluation(), user='=HYPERLINK("http://evil")'))
    code, out, _ = run(["decisions", "list", "-o", "csv"], state, capsys)
    (row,) = csv.DictReader(io.StringIO(out))
    assert code == 0
    assert (row["id"], row["outcome"], row["policies"]) == (ID, "denied", "GPU-001")
    assert row["user"] == '\'=HYPERLINK("http://evil")'


def test_filters_are_passed_on(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    record(state, decision(evaluation()))
    for filters, expected in (
        (["--kind", "Job"], [ID]),
        (["--user", "ada", "--namespace", "team-a", "--outcome", "denied", "--policy", "GPU-001"], [made.id]),
        (["--since", "2026-11-21T18:00:00Z", "--until", "2026-11-21T19:00:01+01:00"], [ID]),
        (["--door", "admission", "--limit", "1", "--kind", "Job"], [ID]),
    ):
        _, out, _ = run(["decisions", "list", "-o", "json", *filters], state, capsys)
        assert [row["id"] for row in json.loads(out)] == expected


def test_nothing_found_is_said_on_stderr(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    said = "pratique: no decision passes these filters\n"
    assert run(["decisions", "list", "--kind", "Nope"], state, capsys) == (0, "", said)
    assert run(["decisions", "list", "--kind", "Nope", "-o", "json"], state, capsys) == (0, "[]\n", said)


def test_table_says_that_there_is_more(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(state, *(decision(id=f"01a1ff43-dd7b-7000-8000-{number:012x}") for number in range(60)))
    _, out, err = run(["decisions", "list"], state, capsys)
    assert len(out.splitlines()) == 51
    assert "newest 50" in err
    _, out, err = run(["decisions", "list", "--limit", "60"], state, capsys)
    assert (len(out.splitlines()), err) == (61, "")


def test_show_finds_by_the_beginning_of_the_id(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["decisions", "show", made.id[:23]], state, capsys)
    (document,) = json.loads(out)
    assert (code, document["id"]) == (0, made.id)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["decisions", "show", "ffff"], "there is no decision ffff"),
        (["explain", "ffff"], "there is no decision ffff"),
        (["decisions", "list", "--since", "yesterday"], "'yesterday' is not a time"),
        (["decisions", "list", "--since", "999999w"], "is not a time"),
        (["decisions", "list", "--limit", "-1"], "is not a number from 1 on"),
        (["decisions", "list", "--limit", "0"], "is not a number from 1 on"),
        (["decisions", "list", "--outcome", "fine"], "invalid choice: 'fine'"),
    ],
)
def test_wrong_arguments_are_2(
    arguments: list[str], sentence: str, state: Path, made: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(arguments, state, capsys)
    assert (code, out) == (2, "")
    assert sentence in err


def test_missing_and_damaged_ledgers_are_2(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(["decisions", "list"], state / "typo", capsys)
    assert (code, "there is no ledger here" in err) == (2, True)
    (state / DATABASE_NAME).write_bytes(b"no database" * 1000)
    code, _, err = run(["decisions", "list"], state, capsys)
    assert (code, "this is not a database" in err) == (2, True)


def test_explain_tells_which_bindings_matched_and_why_others_did_not(
    state: Path, made: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(["explain", made.id], state, capsys)
    took = f"{made.milliseconds:.1f}"
    assert code == 0
    assert (
        out
        == f"""Decision {made.id}

  object         Pod team-a/notebook (v1)
  digest         {made.subject.digest}
  request        CREATE by ada, admission door
  time           {made.time:%Y-%m-%dT%H:%M:%SZ}, took {took} ms
  engine         scripted 1, evaluated for this request
  bundle         {made.bundle_digest}
  configuration  {made.configuration_digest}
  namespace      stage=test

Denied: what gpu found refuses the object.

Bindings that matched
  digest (IMG-001 image/digest, warn): pass
  gpu (GPU-001 gpu/limit, deny): fail
      at /spec: 16 GPUs; at most 4 are allowed
      fix: Mend gpu/limit.

Bindings that did not match
  digest-elsewhere (IMG-001 image/digest): enforcement is off at the admission door
  digest-of-jobs (IMG-001 image/digest): kind Pod is not among Job
  gpu-production (GPU-001 gpu/limit): the labels of namespace team-a do not match the namespaceSelector
"""
    )


def test_explain_as_json(state: Path, made: Decision, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(["explain", made.id, "-o", "json"], state, capsys)
    answer = json.loads(out)
    assert list(answer) == ["decision", "because", "unmatched", "unknown"]
    assert answer["decision"]["id"] == made.id
    assert answer["unmatched"][1] == {
        "binding": "digest-of-jobs",
        "policy": "image/digest",
        "policy_id": "IMG-001",
        "reason": "kind Pod is not among Job",
    }


def test_explain_without_the_configuration_of_that_time(
    state: Path, made: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    record(state, decision(evaluation()))
    code, out, _ = run(["explain", ID], state, capsys)
    assert code == 0
    assert "Bindings that did not match are not known: the configuration of that time was not recorded\n" in out


def test_explain_where_this_version_cannot_read_the_configuration(
    state: Path, made: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(state / DATABASE_NAME) as connection:
        connection.execute('UPDATE configurations SET documents = \'[{"kind":"Old"}]\'')
    connection.close()
    code, out, _ = run(["explain", made.id], state, capsys)
    assert code == 0
    assert "are not known: this version of Pratique does not read the configuration of that time" in out
