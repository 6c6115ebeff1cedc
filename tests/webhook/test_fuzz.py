"""Real reviews, damaged at random: a defined answer to each, and nothing that breaks a rule gets in.

The review is one of a pod that breaks three rules. Whatever leaves the breach where it was must not be allowed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webhook.serving import REVIEWS, Reply, Served, captured

pytestmark = pytest.mark.slow

VIOLATING = captured("pod-create-violating")
PRIVILEGED = b'"privileged":true'
BODIES = [path.read_bytes() for path in sorted(REVIEWS.glob("*.json"))]
HTTP_STATUSES = {200, 400, 500}
SEALED = {
    ("request", "object"),
    ("request", "object", "spec"),
    ("request", "object", "spec", "containers"),
    ("request", "object", "metadata", "namespace"),
    ("request", "namespace"),
    ("request", "operation"),
    ("request", "subResource"),
    ("request", "kind"),
    ("request", "object", "kind"),
    ("request", "object", "apiVersion"),
    ("request", "object", "metadata"),
    ("request",),
    (),
}
"""What may legally decide that no rule applies, or is the breach itself: never changed, nor put there anew."""

QUICK = settings(
    max_examples=200,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["CREATE", "9" * 40, "1e999999999", "-1", "\x00", "\u202e", "{{", "%q", '\\".', "nvidia.com/gpu"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
Path = tuple[str | int, ...]


def paths(value: Any, here: Path = ()) -> list[Path]:
    """The path of every field and item that may be changed."""
    found: list[Path] = []
    items: Sequence[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        path = (*here, key)
        if path not in SEALED:
            found.append(path)
        if path != ("request", "object", "spec", "containers"):
            found += paths(inner, path)
    return found


DOCUMENT = json.loads(VIOLATING)
PATHS = [path for path in paths(DOCUMENT) if path[:2] not in (("request", "kind"), ("request", "namespace"))]


@st.composite
def damaged_documents(draw: st.DrawFn) -> bytes:
    """The violating review with some fields removed, replaced or added, but the breach intact."""
    document = deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PATHS))
        target = document
        try:
            for step in path[:-1]:
                target = target[step]
            match draw(st.sampled_from(["remove", "replace", "add"])):
                case "remove":
                    del target[path[-1]]
                case "replace":
                    target[path[-1]] = draw(values)
                case "add":
                    name = draw(st.text(max_size=12))
                    if isinstance(target, dict) and (*path[:-1], name) not in SEALED:
                        target[name] = draw(values)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def damaged_bytes(draw: st.DrawFn, bodies: Sequence[bytes]) -> bytes:
    """A real review with some bytes cut out, overwritten, doubled or put in."""
    body = bytearray(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["cut", "overwrite", "double", "insert", "truncate"])):
            case "cut":
                del body[start:end]
            case "overwrite":
                body[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
            case "double":
                body[start:start] = body[start:end]
            case "insert":
                body[start:start] = draw(
                    st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"NaN", b"\x00", b"\xff", b"\\ud800"])
                )
            case "truncate":
                del body[end:]
    return bytes(body)


def defined(reply: Reply) -> bool:
    """Whether the answer allows; after a check that it is one of those that there are."""
    assert reply.status in HTTP_STATUSES, reply
    if reply.status != 200:
        assert (reply.json["kind"], reply.json["code"]) == ("Status", reply.status)
        assert "a bug in Pratique" not in reply.message
        return False
    response = reply.response
    if response["allowed"] is True:
        assert "status" not in response
        return True
    assert response["allowed"] is False
    assert response["status"]["code"] in (400, 403, 500)
    assert response["status"]["message"]
    assert "a bug in Pratique" not in response["status"]["message"]
    return False


def breaks_the_rule_against_privilege(body: bytes) -> bool:
    """Whether `body` still asks to create a privileged pod where the rules are in force."""
    try:
        request = json.loads(body)["request"]
        pod = request["object"]
        return (
            request["operation"] == "CREATE"
            and request.get("subResource", "") == ""
            and request["namespace"] == "team-a"
            and pod["kind"] == "Pod"
            and any(each["securityContext"]["privileged"] is True for each in pod["spec"]["containers"][1:2])
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return False


def test_the_breach_is_where_it_is_looked_for() -> None:
    assert breaks_the_rule_against_privilege(VIOLATING)
    assert VIOLATING.count(PRIVILEGED) == 1


def test_nothing_changed_is_denied(served: Served) -> None:
    assert served.post(VIOLATING).response["status"]["code"] == 403


@QUICK
@given(body=damaged_documents())
def test_what_leaves_the_breach_intact_is_never_allowed(served: Served, body: bytes) -> None:
    assert not defined(served.post(body)), body


@QUICK
@given(body=damaged_bytes([VIOLATING]))
def test_damaged_bytes_admit_no_breach(served: Served, body: bytes) -> None:
    allowed = defined(served.post(body))
    assert not (allowed and breaks_the_rule_against_privilege(body)), body


@QUICK
@given(body=damaged_bytes(BODIES))
def test_damaged_reviews_of_all_kinds_get_a_defined_answer(served: Served, body: bytes) -> None:
    defined(served.post(body))


@QUICK
@given(body=st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_anything_else_is_never_allowed(served: Served, body: bytes) -> None:
    assert not defined(served.post(body))


def test_the_process_lives_after_all_that(served: Served) -> None:
    assert served.get("/healthz").status == 200
    assert served.get("/readyz").status == 200
    assert served.post(captured("pod-create")).response["allowed"]
    assert served.metric("pratique_reviews_in_flight") == 0
    assert served.metric("pratique_reviews_bytes") == 0
    assert served.metric("pratique_rejected_total", reason="bug") == 0
