"""Proofs of inclusion, for every small tree; what else is checked of a log entry is in `test_verification.py`."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from attestations.bundle import MAX_PROOF_HASHES
from attestations.transparency import root_of_proof
from tests.support.sigstore_root import Tree


def leaf(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def test_every_leaf_of_every_small_tree_is_proven() -> None:
    for size in range(1, 34):
        bodies = [b"%d" % each for each in range(size)]
        for index in range(size):
            root, path = Tree(bodies).proof(index)
            assert root_of_proof(leaf(bodies[index]), index, size, tuple(path)) == root
            for other in range(size):
                if other != index:
                    assert root_of_proof(leaf(bodies[other]), index, size, tuple(path)) != root


@given(st.integers(2, 40), st.data())
def test_a_path_that_is_altered_leads_elsewhere(size: int, data: st.DataObject) -> None:
    bodies = [b"%d" % each for each in range(size)]
    index = data.draw(st.integers(0, size - 1))
    root, path = Tree(bodies).proof(index)
    at = data.draw(st.integers(0, len(path) - 1))
    for altered in (
        [*path[:at], *path[at + 1 :]],
        [*path[:at], hashlib.sha256(path[at]).digest(), *path[at + 1 :]],
        [*path, path[at]],
        [path[at], *path],
    ):
        assert root_of_proof(leaf(bodies[index]), index, size, tuple(altered)) != root


@given(
    st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.lists(st.binary(max_size=40), max_size=MAX_PROOF_HASHES)
)
def test_whatever_is_said_to_be_a_path_has_an_answer(index: int, size: int, hashes: list[bytes]) -> None:
    answer = root_of_proof(b"leaf", index, size, tuple(hashes))
    assert answer is None or ((index < size and len(answer) == len(hashlib.sha256().digest())) or not hashes)
