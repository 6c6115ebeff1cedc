"""The benchmark of evidence: it measures what it says, and shows it."""

from __future__ import annotations

import asyncio

import pytest

from bench.evidence import IMAGES_OF_A_POD, Measured, Place, measure, table_of
from tests.support.oci_registry import serve

pytestmark = pytest.mark.slow


def test_every_scenario_asks_what_it_should() -> None:
    with serve() as running:
        cold, warm, many_keys, pod, burst, with_sbom = asyncio.run(measure(Place(running), 1))
    assert warm.requests == 0
    assert cold.requests == burst.requests
    assert pod.requests == IMAGES_OF_A_POD * cold.requests
    assert many_keys.requests == cold.requests + 2 * 2, "a manifest and a blob for each signature, whoever is trusted"
    assert with_sbom.requests == cold.requests + 2


def test_the_table_has_both_quantiles() -> None:
    measured = Measured("cold", [float(number) for number in range(1, 101)], 7)
    assert "| cold | 50.50 | 100.00 | 7 |" in table_of([measured], 1, 99.6)
