"""Write what the ready-made bindings make of each manifest of each kind: `tests/e2e/kinds.yaml`.

`python -m tests.generate_kinds`, after a policy or a ready-made binding was added; then read what has changed. The
end-to-end test asks a real API server, with its own defaults and encoding, and wants the same.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import yaml

from evaluators.select import choose_engine, start_evaluator
from pratique.configuration import build
from pratique.decision import Door
from pratique.engine import Engine, Request
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from pratique.yamlfile import load_documents
from tests.support.cluster import REPOSITORY
from tests.support.kind_manifests import EXPECTED, manifests, ready_made_bindings, verdict

_SECONDS = 60.0
_HEAD = (
    "# Written by python -m tests.generate_kinds: what the ready-made bindings make of each manifest of each kind.\n"
)


async def _verdicts() -> Mapping[str, Mapping[str, Any]]:
    policies = PolicySet.load(REPOSITORY / "policies")
    configuration = build(load_documents(ready_made_bindings(), "bindings"), policies)
    choice = choose_engine("opa", tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
    evaluator = await start_evaluator(choice, policies)
    try:
        engine = Engine(
            policies=policies,
            configuration=configuration,
            evaluator=evaluator,
            namespace_labels=lambda name: {"kubernetes.io/metadata.name": name},
        )
        found = {}
        for name, obj in manifests("anywhere").items():
            deadline = time.monotonic() + _SECONDS
            decision = await engine.decide(subject_of(obj), Door.ADMISSION, request=Request(), deadline=deadline)
            seen = [(each.policy_id, each.result.value, each.enforcement.value) for each in decision.evaluations]
            found[name] = {"object": f"{obj['apiVersion']} {obj['kind']}", **verdict(decision.outcome.value, seen)}
        return found
    finally:
        await evaluator.close()


def main() -> int:
    """Write the file; the exit code."""
    lines = [
        yaml.safe_dump({name: dict(each)}, default_flow_style=None, sort_keys=False, width=10_000)
        for name, each in asyncio.run(_verdicts()).items()
    ]
    EXPECTED.write_text(_HEAD + "".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
