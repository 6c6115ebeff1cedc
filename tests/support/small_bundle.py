"""A bundle of a few of the real policies, for tests of the command line that need some policy and not all."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.support.cluster import REPOSITORY

BINDINGS = """\
apiVersion: pratique.dev/v1alpha1
kind: PolicyBinding
metadata: {name: gpu-limit}
spec: {policy: gpu/limit, match: {users: {exclude: [root@example.com]}}}
---
apiVersion: pratique.dev/v1alpha1
kind: PolicyBinding
metadata: {name: privileged}
spec: {policy: workload/privileged, enforcement: warn}
"""


def small_bundle(folder: Path) -> tuple[Path, Path]:
    """Policies about GPUs (bound to deny) and privileged containers (bound to warn); the folder of each."""
    policies, config = folder / "policies", folder / "config"
    copy_policies(policies, ("gpu/limit", "workload/privileged"))
    (policies / "README.md").write_text("# Policies\n")
    config.mkdir()
    (config / "bindings.yaml").write_text(BINDINGS)
    return policies, config


def copy_policies(folder: Path, names: Iterable[str]) -> None:
    """The real policies of these names, and what they import, in `folder`."""
    for name in ("lib", *names):
        shutil.copytree(REPOSITORY / "policies" / name, folder / name)
