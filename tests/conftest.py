"""What holds for all tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Set what was collected aside: walking eighteen thousand tests at each full collection of garbage slows tests down
    that have nothing to do with them."""
    gc.collect()
    gc.freeze()
