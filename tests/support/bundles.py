"""Bundles of real Rego for tests: a policy's text from its body, and folders of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pratique.policy import PolicySet

ROOT = Path(__file__).parent.parent.parent
OPA = ROOT / ".cache" / "tools" / "opa"

ALWAYS = 'violations contains {"message": "always", "path": ""}'


def rego(body: str, *, package: str = "policies.test.sample", id: str = "TEST-001", needs: Iterable[str] = ()) -> str:
    """A whole policy; the body begins at line 13."""
    return f"""# METADATA
# title: A sample
# description: Shows one thing.
# scope: package
# custom:
#   id: {id}
#   severity: high
#   subjects: [workload]
#   needs: [{", ".join(needs)}]
#   remediation: Change it.
package {package}

{body}
"""


def write_bundle(root: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return root


def bundle(root: Path, body: str, *, needs: Iterable[str] = (), **files: str) -> PolicySet:
    """The policy `test/sample` with this body; further files by path, with `__` for `/` and `.rego` added."""
    more = {f"{path.replace('__', '/')}.rego": text for path, text in files.items()}
    write_bundle(root, {"test/sample/sample.rego": rego(body, needs=needs), **more})
    return PolicySet.load(root)
