"""The client against servers that answer wrongly: nothing but a whole, right answer in time may count as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from evaluators.opa_client import MAX_ANSWER_BYTES, RECONNECT_SECONDS, Pool, evaluate
from pratique.errors import EvaluationError
from tests.evaluators.bundle import DIGEST, echo, said, soon
from tests.support.processes import HANG_SECONDS

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

RIGHT = b'{"result":{"bundle":"%b","results":{"test/echo":{"violations":[]}}}}' % DIGEST.encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def http(body: bytes, *, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


def answering(*answers: bytes) -> Serve:
    """Answer each request of a connection with the next of `answers`, then close it; 0xff splits packets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in answers:
                await read_request(reader)
                for packet in answer.split(b"\xff"):
                    writer.write(packet)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return serve


@asynccontextmanager
async def pool_on(serve: Serve, folder: Path, *, size: int = 1) -> AsyncIterator[Pool]:
    path = str(folder / "s")
    serving: set[object] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(writer)
        try:
            await serve(reader, writer)
        finally:
            with suppress(ConnectionError):
                await writer.wait_closed()
            serving.remove(writer)

    server = await asyncio.start_unix_server(served, path)
    loop = asyncio.get_running_loop()
    pool = Pool(lambda factory: loop.create_unix_connection(factory, path), size=size)
    await pool.open()
    try:
        yield pool
    finally:
        pool.close("the end of the test")
        server.close()
        await server.wait_closed()
        await until(lambda: not serving)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(http(RIGHT.replace(b"555", b"666")), "answered for the bundle", id="another bundle"),
        pytest.param(http(b"{}"), "the bundle is not loaded", id="undefined"),
        pytest.param(http(b'{"result":[]}'), "has no results", id="no object"),
        pytest.param(http(b'{"result":'), "is not JSON", id="cut JSON"),
        pytest.param(http(b"[]"), "is not a JSON object", id="a list"),
        pytest.param(http(b""), "is not JSON", id="empty"),
        pytest.param(http(RIGHT, status=b"404 Not Found"), "status 404", id="right, but with an error status"),
        pytest.param(http(b"<h1>no</h1>", status=b"502 Bad Gateway"), "status 502: <h1>no</h1>", id="a proxy"),
        pytest.param(http(b'{"errors":[]}', status=b"500 No"), 'status 500: {"errors":', id="no reason given"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "not HTTP", id="not HTTP"),
        pytest.param(http(RIGHT)[:-1], "closed the connection before it had answered", id="ends too early"),
        pytest.param(b"", "closed the connection before it had answered", id="closed without an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + RIGHT, "closed the connection", id="neither length nor chunks"),
        pytest.param(
            CHUNKED + (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * (MAX_ANSWER_BYTES // 0x10000 + 1),
            "larger than 4194304 bytes",
            id="too large in chunks",
        ),
    ],
)
def test_a_wrong_answer_is_an_error(answer: bytes, reason: str, tmp_path: Path) -> None:
    async def act() -> None:
        async with pool_on(answering(answer), tmp_path) as pool:
            with pytest.raises(EvaluationError) as failure:
                await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)
            assert reason in str(failure.value)

    asyncio.run(act())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(RIGHT), id="with its length"),
        pytest.param(http(RIGHT).replace(b"\r", b"\r\xff").replace(b"test", b"te\xffst"), id="in packets"),
        pytest.param(CHUNKED + b"%x\r\n%b\r\n1\r\n\xff \r\n0\r\n\r\n" % (len(RIGHT), RIGHT), id="in chunks"),
        pytest.param(http(RIGHT, headers=b"Connection: close\r\n"), id="and closes"),
    ],
)
def test_a_right_answer(answer: bytes, tmp_path: Path) -> None:
    async def act() -> None:
        async with pool_on(answering(answer, answer), tmp_path) as pool:
            for number in range(3):  # more than the server gives on one connection
                used = tuple(pool._open)
                assert said(await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)) == [{"test/echo": []}]
                if number == 1:
                    await until(lambda: all(connection.lost for connection in used))  # noqa: B023 - called here only

    asyncio.run(act())


def test_a_second_answer_is_not_taken_for_the_next_request(tmp_path: Path) -> None:
    async def act() -> None:
        wrong = RIGHT.replace(b"[]", b'[{"message":"not yours","path":""}]')
        async with pool_on(answering(http(RIGHT) + http(wrong)), tmp_path) as pool:
            answers = await evaluate(pool, [echo(), echo(), echo()], deadline=soon(), digest=DIGEST)
            assert said(answers) == [{"test/echo": []}] * 3

    asyncio.run(act())


class Numbered:
    """Serves each connection as `serve_of` says for its number, from 1 on; `connections` is how many there were."""

    def __init__(self, serve_of: Callable[[int], Serve]) -> None:
        self.connections = 0
        self._serve_of = serve_of

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._serve_of(self.connections)(reader, writer)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(http(RIGHT))
    await silent(reader, writer)


def test_what_nobody_asked_for_ends_the_connection_and_another_is_opened_only_when_it_is_needed(tmp_path: Path) -> None:
    server = Numbered(lambda number: forward if number == 1 else answering(http(RIGHT)))

    async def act() -> None:
        async with pool_on(server, tmp_path) as pool:
            await until(lambda: not pool._open)
            await asyncio.sleep(2 * RECONNECT_SECONDS)
            assert server.connections == 1
            assert said(await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)) == [{"test/echo": []}]
            assert server.connections == 2

    asyncio.run(act())


def test_one_connection_serves_who_asks_one_by_one(tmp_path: Path) -> None:
    """What is opened and never asked anything on is closed by OPA after 32 s: perhaps just when it is needed."""
    server = Numbered(lambda _: answering(*[http(RIGHT)] * 100))

    async def act() -> None:
        async with pool_on(server, tmp_path, size=3) as pool:
            for _ in range(5):
                await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)
            assert server.connections == 1
            await evaluate(pool, [echo()] * 20, deadline=soon(), digest=DIGEST)
            assert server.connections == 3

    asyncio.run(act())


def test_a_request_on_its_way_to_a_connection_that_is_closed_is_sent_once_more(tmp_path: Path) -> None:
    """As a server does that closes what was idle for long, at the moment when it is used again."""
    together = asyncio.Barrier(3)  # so that there are three connections, each of which has answered once

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await together.wait()
        writer.write(http(RIGHT))
        await read_request(reader)
        writer.close()

    server = Numbered(lambda number: once if number <= 3 else answering(*[http(RIGHT)] * 3))

    async def act() -> None:
        async with pool_on(server, tmp_path, size=3) as pool:
            for _ in range(2):
                answers = await evaluate(pool, [echo()] * 3, deadline=soon(), digest=DIGEST)
                assert said(answers) == [{"test/echo": []}] * 3
            assert server.connections > 3

    asyncio.run(act())


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        pytest.param(b"", 2, id="without an answer: perhaps because of the request"),
        pytest.param(b"HTTP/1.1 2", 1, id="within an answer"),
    ],
)
def test_a_request_is_not_sent_again_and_again(answer: bytes, times: int, tmp_path: Path) -> None:
    server = Numbered(lambda _: answering(answer))

    async def act() -> None:
        async with pool_on(server, tmp_path) as pool:
            with pytest.raises(EvaluationError, match="closed the connection before it had answered"):
                await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)
            assert server.connections == times

    asyncio.run(act())


def test_a_connection_that_never_answers_is_given_up_at_the_deadline_and_replaced(tmp_path: Path) -> None:
    server = Numbered(lambda number: silent if number == 1 else answering(*[http(RIGHT)] * 3))

    async def act() -> None:
        async with pool_on(server, tmp_path) as pool:
            with pytest.raises(EvaluationError, match="before the deadline"):
                await evaluate(pool, [echo(), echo()], deadline=soon(0.3), digest=DIGEST)
            answers = await evaluate(pool, [echo(), echo(), echo()], deadline=soon(), digest=DIGEST)
            assert said(answers) == [{"test/echo": []}] * 3
            assert server.connections == 2

    asyncio.run(act())


def test_when_nobody_listens_any_more_requests_fail_at_once_and_later_succeed(tmp_path: Path) -> None:
    async def act() -> None:
        async with pool_on(answering(*[http(RIGHT)] * 100), tmp_path, size=3) as pool:
            path = tmp_path / "s"
            path.rename(tmp_path / "away")
            for connection in tuple(pool._open):
                connection.drop("the test")
            with pytest.raises(EvaluationError, match=r"does not accept connections: .*No such file"):
                await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)
            (tmp_path / "away").rename(path)
            assert said(await evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)) == [{"test/echo": []}]

    asyncio.run(act())


def test_a_closed_pool_fails_what_waits_and_what_comes(tmp_path: Path) -> None:
    async def act() -> None:
        async with pool_on(silent, tmp_path) as pool:
            asked = [asyncio.create_task(evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)) for _ in range(3)]
            await asyncio.sleep(0)
            assert pool.outstanding == 3
            pool.close("no more")
            asked.append(asyncio.create_task(evaluate(pool, [echo()], deadline=soon(), digest=DIGEST)))
            failures = await asyncio.gather(*asked, return_exceptions=True)
            assert [str(failure) for failure in failures] == ["no more"] * 4

    asyncio.run(act())
