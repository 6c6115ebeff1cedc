"""What the tests of signatures share: one private Sigstore, which takes a while to make."""

from __future__ import annotations

import pytest

from tests.support.sigstore_root import Instance


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    return Instance(tmp_path_factory.mktemp("sigstore"))
