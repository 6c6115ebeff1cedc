"""Child processes that cannot outlive the one that started them, whatever ends it: return, Ctrl-C, SIGTERM or kill -9.

Between a caller and its child stands a guard: this very file, run as a script. The guard has one thread and holds the
reading end of a pipe whose writing end only the caller has. When the caller is gone, the kernel closes the pipe and the
guard ends the child's whole process group; when the guard is gone, the kernel kills the child (`PR_SET_PDEATHSIG`,
Linux). The signal alone would not do: it fires when the *thread* that forked exits, and callers have threads.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

HANG_SECONDS = 60.0
"""For what is sure to happen: a slow and busy machine needs less, and only what hangs needs more."""
_GRACE_SECONDS = 5.0
"""How long an orphaned child may take to end by itself before it is killed."""
_PR_SET_PDEATHSIG = 1


class Process:
    """A running command with its output in `log`, in a session and process group of its own.

    When its owner dies, it is asked to end and killed after `orphan_grace_seconds`, or killed at once where that is 0.

    Raises:
        OSError: the command could not be started; the message is that of `exec`.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        orphan_grace_seconds: float = _GRACE_SECONDS,
    ) -> None:
        self.command = tuple(str(part) for part in command)
        self.log = log
        self._lock = threading.Lock()
        self._returncode: int | None = None
        self._received = b""
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(orphan_grace_seconds), str(log), *self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        word, _, rest = self._line(HANG_SECONDS).partition(" ")
        if word != "pid":
            self._close_guard()
            raise OSError(f"{self.command[0]} could not be started: {rest or 'its guard did not answer'}")
        self.pid = int(rest)
        """The process id of the command itself (not of its guard), and the id of its process group."""

    def poll(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        with self._lock:
            return self._collect(0)

    def wait(self, *, timeout_seconds: float = HANG_SECONDS) -> int:
        """The exit status.

        Raises:
            TimeoutError: it still runs after `timeout_seconds`.
        """
        with self._lock:
            status = self._collect(timeout_seconds)
        if status is None:
            raise TimeoutError(f"{self.command[0]} (pid {self.pid}) still runs after {timeout_seconds} s")
        return status

    def send(self, number: signal.Signals) -> None:
        """Send `number` to the command itself, not to its children. Once it has exited this does nothing."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def stop(self, *, grace_seconds: float = _GRACE_SECONDS) -> int | None:
        """Ask the command to end, wait for `grace_seconds`, then kill whatever is left of its process group.

        Returns the exit status, None when it had to be killed. A grace of 0 kills at once. May be called twice.
        """
        if self._guard.stdin is None or self._guard.stdin.closed:
            return self._returncode
        if grace_seconds > 0 and self.poll() is None:
            self.send(signal.SIGTERM)
            with self._lock:
                self._collect(grace_seconds)
        status = self.poll()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # the guard has not reaped the leader: this id is still ours
        self._close_guard()
        return status

    def tail(self, lines: int = 20) -> str:
        """The last lines of the log, for an error message."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _collect(self, timeout_seconds: float) -> int | None:
        if self._returncode is None:
            word, _, rest = self._line(timeout_seconds).partition(" ")
            if word == "exit":
                self._returncode = int(rest)
            elif word == "gone":
                self._returncode = -signal.SIGKILL
        return self._returncode

    def _line(self, timeout_seconds: float) -> str:
        """The guard's next line; "" when there is none in time, `gone` when there will never be one."""
        if self._guard.stdout is None or self._guard.stdout.closed:
            return "gone"
        descriptor = self._guard.stdout.fileno()
        until = time.monotonic() + timeout_seconds
        while b"\n" not in self._received:
            if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
                return ""
            if not (received := os.read(descriptor, 4096)):
                return "gone"
            self._received += received
        line, self._received = self._received.split(b"\n", 1)
        return line.decode(errors="replace")

    def _close_guard(self) -> None:
        for stream in (self._guard.stdin, self._guard.stdout):
            if stream is not None:
                stream.close()
        self._guard.wait(timeout=_GRACE_SECONDS + HANG_SECONDS)


def is_running(pid: int) -> bool:
    """Whether process `pid` exists and is not a zombie that waits for its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def wait_until(
    ready: Callable[[], bool],
    *,
    what: str,
    timeout_seconds: float = HANG_SECONDS,
    process: Process | None = None,
    every: float = 0.02,
) -> None:
    """Return as soon as `ready()` is true, asked every `every` seconds.

    Raises:
        TimeoutError: not within `timeout_seconds`, or `process` has ended; the message says `what` and cites the log.
    """
    until = time.monotonic() + timeout_seconds
    while not ready():
        if process is not None and (status := process.poll()) is not None:
            raise TimeoutError(f"{what}: the process ended with status {status}; its log ends with\n{process.tail()}")
        if time.monotonic() > until:
            log = f"; its log ends with\n{process.tail()}" if process is not None else ""
            raise TimeoutError(f"{what}: not within {timeout_seconds:g} s{log}")
        time.sleep(every)


def _guard(grace_seconds: float, log: str, command: Sequence[str]) -> None:
    """Run `command`, say `pid N` and later `exit STATUS` on standard output, end its group when standard input ends."""
    waker, wakee = os.pipe()
    os.set_blocking(wakee, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakee)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the pipe alone decides
    guard = os.getpid()
    trouble, failed = os.pipe()  # closed by a successful exec, which is how we know of it
    child = os.fork()
    if child == 0:
        _become(command, log=log, guard=guard, failed=failed)
    os.close(failed)
    if said := os.read(trouble, 4096):
        _write_quietly(b"error " + said + b"\n")
        os.waitpid(child, 0)
        return
    _write_quietly(b"pid %d\n" % child)  # only now: a signal sent earlier would meet our own handlers in the child

    exited = False
    while True:
        if not exited and (state := os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            exited = True
            status = state.si_status if state.si_code == os.CLD_EXITED else -state.si_status
            _write_quietly(b"exit %d\n" % status)
        readable, _, _ = select.select([0, waker], [], [])
        if 0 in readable and not os.read(0, 4096):
            break
        if waker in readable:
            os.read(waker, 4096)
    # The caller has stopped it, or is gone.
    if grace_seconds > 0:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    while not exited and time.monotonic() < until:
        exited = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if not exited:
            select.select([waker], [], [], max(0.0, until - time.monotonic()))
            os.read(waker, 4096) if select.select([waker], [], [], 0)[0] else None
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _become(command: Sequence[str], *, log: str, guard: int, failed: int) -> None:
    """In the forked child: turn into `command` or say why not on `failed`; never return."""
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if sys.platform == "linux":
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != guard:  # it died before the line above
                os._exit(1)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execvp(command[0], list(command))  # noqa: S606 - that is what this is for
    except OSError as error:
        os.write(failed, str(error).encode())
    finally:
        os._exit(127)


def _write_quietly(line: bytes) -> None:
    with suppress(BrokenPipeError):  # nobody is left to read it
        os.write(1, line)


if __name__ == "__main__":
    _guard(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
