"""What holds for all tests."""

from __future__ import annotations

import gc
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine, not of the code.
settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("all"), max_examples=10)

_SHORT = "p"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the folders of several workers a short beginning: sockets in them have to fit into 107 bytes. Where nothing
    slow is asked for, a tenth of the examples is enough."""
    # In the background, a shell has all that it starts ignore interrupts, and what the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "all")
    several = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if several and config.option.basetemp is None:
        config.option.basetemp = Path(tempfile.mkdtemp(prefix=_SHORT))
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what is slow as a whole where nothing slow is asked for."""
    if "not slow" in config.option.markexpr and collection_path.name.startswith("test_"):
        return True if "\npytestmark = pytest.mark.slow\n" in collection_path.read_text() else None
    return None


def pytest_collection_finish() -> None:
    """Set what was collected aside: walking twenty thousand tests at each full collection of garbage slows tests down
    that have nothing to do with them."""
    gc.collect()
    gc.freeze()
