"""`python -m bench.sampled OUT VERB ...`: `pratique VERB ...`, with a count in OUT of what its main thread was doing.

The kernel interrupts the process after every two milliseconds of processor time (setitimer(2), ITIMER_PROF), and the
innermost function that `PARTS` names takes the sample. For the benchmark only: nothing of Pratique knows of it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from pratiquectl.__main__ import main as pratique

INTERVAL_SECONDS = 0.002
HTTP = "HTTP and the event loop"
PARTS = {
    "webhook/review.py:read_review": "reading the review: strict JSON",
    "webhook/review.py:subject_under_review": "the subject: digest, key, containers, models, GPUs",
    "pratique/engine.py:Engine.decide": "matching, documents, cache, the decision",
    "evaluators/opa.py:OpaEvaluator.evaluate": "asking OPA, reading its answer",
    "evaluators/opa_client.py:Connection.data_received": "asking OPA, reading its answer",
    "webhook/app.py:Judge._record": "recording, in the main thread",
    "webhook/app.py:Judge.validate": "answer, metrics and the rest",
}
"""What a function and all that it calls counts as, unless it calls another of these."""
FIRST_REVIEW = "webhook/app.py:ReviewEndpoint.__call__"


class Samples:
    """Counts of parts, from the first review on: what came before is the start of a server."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._serving = False

    def take(self, frame: FrameType | None) -> None:
        """Count what the code at `frame` belongs to."""
        part = ""
        while frame is not None and not (part and self._serving):
            code = frame.f_code
            *_, folder, file = ("", *code.co_filename.rsplit("/", 2))
            function = f"{folder}/{file}:{code.co_qualname}"
            part = part or PARTS.get(function, "")
            self._serving = self._serving or function == FIRST_REVIEW
            frame = frame.f_back
        if self._serving:
            self.counts[part or HTTP] += 1


def main(out: Path, arguments: list[str]) -> int:
    """Run `pratique` with `arguments`, and write the counts to `out` when it ends. Its exit code."""
    samples = Samples()
    signal.signal(signal.SIGPROF, lambda number, frame: samples.take(frame))
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)
    try:
        return pratique(arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.write_text(json.dumps(samples.counts))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
