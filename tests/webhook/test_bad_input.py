"""What nobody should send: each gets one defined answer, nothing is admitted, and the next review is judged as ever."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.support import workloads
from tests.support.builders import UID, encoded, review
from tests.webhook.serving import HOST, Reply, Served, read_answer

GOOD = encoded(review(workloads.pod("good", namespace="team-a")))
MIB = 2**20


@pytest.fixture(autouse=True)
def _lives(served: Served) -> Iterator[None]:
    """Whatever a test sends, the process goes on judging and holds on to nothing."""
    yield
    assert served.judge(GOOD)["allowed"]
    served.wait_until(lambda: served.metric("pratique_reviews_in_flight") == 0)
    assert served.metric("pratique_reviews_bytes") == 0


def refused(reply: Reply, *, uid: str = UID) -> str:
    """The message of an AdmissionReview that refuses bad input."""
    response = reply.response
    assert (response["uid"], response["allowed"]) == (uid, False)
    assert (response["status"]["code"], response["status"]["reason"]) == (400, "BadRequest")
    return one_sentence(response["status"]["message"])


def rejected(reply: Reply, status: int) -> str:
    """The message of an HTTP error, which is a Status for the API server to show."""
    document = reply.json
    assert (reply.status, document["code"], document["kind"], document["status"]) == (
        status,
        status,
        "Status",
        "Failure",
    )
    return one_sentence(document["message"])


def one_sentence(message: str) -> str:
    assert message
    assert "\n" not in message
    assert len(message) <= 600
    return message


def spliced(before: bytes, after: bytes) -> bytes:
    assert before in GOOD
    return GOOD.replace(before, after, 1)


# JSON


def test_truncated_json(served: Served) -> None:
    assert refused(served.post(GOOD[:-20])).startswith("the JSON cannot be read: EOF while parsing")


def test_truncated_json_before_the_uid(served: Served) -> None:
    assert rejected(served.post(GOOD[:40]), 400).startswith("the JSON cannot be read: EOF while parsing")


def test_empty_body(served: Served) -> None:
    assert rejected(served.post(b""), 400).startswith("the JSON cannot be read")


def test_something_after_the_json(served: Served) -> None:
    assert refused(served.post(GOOD + b"{}")).startswith("the JSON cannot be read")


def test_nesting_10_000_deep(served: Served) -> None:
    deep = b'"deep":' + b"[" * 10_000 + b"]" * 10_000 + b',"object":{'
    assert "recursion limit" in refused(served.post(spliced(b'"object":{', deep)))


def test_nesting_10_000_deep_and_nothing_else(served: Served) -> None:
    assert "recursion limit" in rejected(served.post(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), 400)


def test_duplicate_keys(served: Served) -> None:
    assert "uplicate key" in refused(served.post(spliced(b'"object":{', b'"object":{},"object":{')))


def test_duplicate_keys_that_differ_in_their_escapes(served: Served) -> None:
    assert "uplicate key" in refused(served.post(spliced(b'"object":{', b'"obj\\u0065ct":{},"object":{')))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b"0x1", b"1."])
def test_what_json_calls_no_number(served: Served, number: bytes) -> None:
    assert refused(served.post(spliced(b'"object":{', b'"n":' + number + b',"object":{')))


def test_invalid_utf_8(served: Served) -> None:
    assert refused(served.post(GOOD.replace(b'"good"', b'"g\xff"')))


def test_lone_surrogates(served: Served) -> None:
    assert refused(served.post(GOOD.replace(b'"good"', b'"g\\ud800"')))


def test_a_byte_order_mark(served: Served) -> None:
    assert rejected(served.post(b"\xef\xbb\xbf" + GOOD), 400)


def test_utf_16(served: Served) -> None:
    assert rejected(served.post(GOOD.decode().encode("utf-16")), 400)


@pytest.mark.parametrize("number", [b"9223372036854775808", b"18446744073709551616", b"1e999", b"-1e999"])
def test_numbers_that_64_bits_do_not_hold(served: Served, number: bytes) -> None:
    reply = served.post(spliced(b'"spec":{', b'"spec":{"priority":' + number + b","))
    if number == b"9223372036854775808":  # 64 bits without a sign hold it: OPA reads it, regopy does not
        response = reply.response
        assert response["allowed"] or response["status"]["code"] == 500
    else:
        assert "JSON cannot carry safely" in refused(reply)


def test_a_number_of_a_million_digits(served: Served) -> None:
    assert refused(served.post(spliced(b'"spec":{', b'"spec":{"priority":1' + b"0" * MIB + b",")))


def test_a_gpu_quantity_of_a_million_digits(served: Served) -> None:
    reply = served.post(spliced(b'"nvidia.com/gpu":"1"', b'"nvidia.com/gpu":"' + b"9" * MIB + b'"'))
    assert not reply.response["allowed"]


def test_a_quantity_with_a_large_exponent(served: Served) -> None:
    reply = served.post(spliced(b'"nvidia.com/gpu":"1"', b'"nvidia.com/gpu":"1e999999999"'))
    assert not reply.response["allowed"]


# HTTP


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/jsonp", "application/yaml", ""])
def test_wrong_content_type(served: Served, content_type: str | None) -> None:
    message = rejected(served.post(GOOD, content_type=content_type), 415)
    assert message == "a review is JSON; send it with Content-Type: application/json"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_other_ways_to_say_json(served: Served, content_type: str) -> None:
    assert served.post(GOOD, content_type=content_type).response["allowed"]


def test_a_compressed_body(served: Served) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    reply = served.request("POST", "/validate", body=gzip.compress(GOOD), headers=headers)
    assert rejected(reply, 415) == "a review must not be compressed; send it as it is"


def test_a_body_of_20_mb(served: Served) -> None:
    message = rejected(served.post(b" " * 20 * MIB), 413)
    assert message == f"a review of more than {8 * MIB} bytes is not judged"


def test_a_body_of_more_than_anybody_reads(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(_head(length=10**12) + b"{")
        reply = read_answer(connection)
    assert rejected(reply, 413)
    assert reply.headers["connection"] == "close"


def test_a_chunked_body_of_20_mb(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(_head(chunked=True))
        for _ in range(20):
            connection.sendall(b"%x\r\n" % MIB + b" " * MIB + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert rejected(read_answer(connection), 413)


def test_a_body_just_within_the_limit_is_judged(served: Served) -> None:
    assert served.post(GOOD + b" " * (8 * MIB - len(GOOD))).response["allowed"]


def test_a_chunked_review(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(_head(chunked=True))
        for start in range(0, len(GOOD), 1000):
            part = GOOD[start : start + 1000]
            connection.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert read_answer(connection).response["allowed"]


def test_http_1_0(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(_head(length=len(GOOD), version=b"1.0") + GOOD)
        reply = read_answer(connection)
        assert reply.response["allowed"]
        assert connection.recv(1) == b""


def test_expect_100_continue(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(_head(length=len(GOOD), more=b"Expect: 100-continue\r\n"))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(GOOD)
        assert read_answer(connection).response["allowed"]


def test_expect_100_continue_for_a_body_that_is_not_wanted(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(_head(length=20 * MIB, more=b"Expect: 100-continue\r\n"))
        assert rejected(read_answer(connection), 413)


def test_two_reviews_sent_before_the_first_answer(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(2 * (_head(length=len(GOOD)) + GOOD))
        found = b""
        while found.count(b'"allowed":true') < 2:
            part = connection.recv(65536)
            assert part
            found += part


def test_no_http_at_all(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert read_answer(connection).status == 400


@pytest.mark.parametrize("path", ["/validate", "/mutate", "/validate?timeout=5s"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_than_post(served: Served, method: str, path: str) -> None:
    reply = served.request(method, path)
    assert rejected(reply, 405) == "reviews are sent with POST"
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/validate/", "/validate/x", "/docs", "/openapi.json", "//validate", "/%00"])
def test_an_unknown_path(served: Served, path: str) -> None:
    assert rejected(served.post(GOOD, path=path), 404).startswith("there is nothing at /")


def test_a_method_that_a_known_path_does_not_take(served: Served) -> None:
    assert rejected(served.post(GOOD, path="/healthz"), 405) == "this path does not take that method"


# The review


def test_a_review_without_request(served: Served) -> None:
    body = encoded({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"})
    assert rejected(served.post(body), 400) == "the AdmissionReview has no request; there is nothing to judge"


def test_an_unknown_version(served: Served) -> None:
    message = refused(served.post(spliced(b"admission.k8s.io/v1", b"admission.k8s.io/v2")))
    assert message.startswith("this is 'AdmissionReview' of 'admission.k8s.io/v2'")


def test_something_else_than_a_review(served: Served) -> None:
    assert rejected(served.post(encoded(workloads.pod("web", namespace="team-a"))), 400).startswith("this is 'Pod'")


def test_a_missing_uid(served: Served) -> None:
    assert rejected(served.post(spliced(b'"uid"', b'"id"')), 400).startswith("/request/uid is missing")


def test_a_uid_that_is_no_text(served: Served) -> None:
    assert rejected(served.post(spliced(f'"{UID}"'.encode(), b"17")), 400).startswith("/request/uid is missing")


def test_a_huge_uid(served: Served) -> None:
    body = spliced(UID.encode(), b"u" * MIB)
    assert rejected(served.post(body), 400).startswith("/request/uid is missing")


@pytest.mark.parametrize("value", [b'"text"', b"[]", b"7", b"true"])
def test_an_object_that_is_no_object(served: Served, value: bytes) -> None:
    document = json.loads(GOOD)
    document["request"]["object"] = json.loads(value)
    assert refused(served.post(encoded(document))).startswith("/request/object is a ")


@pytest.mark.parametrize("value", ['"none"', "7", "{}", "[7]", '["name"]', "[[]]"])
def test_containers_that_are_no_containers(served: Served, value: str) -> None:
    document = json.loads(GOOD)
    document["request"]["object"]["spec"]["containers"] = json.loads(value)
    assert "/spec/containers" in refused(served.post(encoded(document)))


def test_a_missing_pod_spec(served: Served) -> None:
    document = json.loads(GOOD)
    del document["request"]["object"]["spec"]
    assert refused(served.post(encoded(document))).startswith("/spec is missing")


def test_control_characters_do_not_reach_the_answer(served: Served) -> None:
    document = json.loads(GOOD)
    document["request"]["operation"] = "CREATE\x1b[2J\nfaked: line"
    assert "\x1b" not in refused(served.post(encoded(document)))


def _head(*, length: int | None = None, chunked: bool = False, version: bytes = b"1.1", more: bytes = b"") -> bytes:
    size = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (length or 0)
    return (
        b"POST /validate?timeout=5s HTTP/" + version + b"\r\nHost: " + HOST.encode() + b"\r\n"
        b"Content-Type: application/json\r\n" + more + size + b"\r\n\r\n"
    )
