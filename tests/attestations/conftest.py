"""What the tests of signatures share: a private Sigstore."""

from __future__ import annotations

import pytest

from tests.support.sigstore_root import Instance


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """Of one module: it stamps with the clock of the machine, and its certificates end after ten minutes."""
    return Instance(tmp_path_factory.mktemp("sigstore"))
