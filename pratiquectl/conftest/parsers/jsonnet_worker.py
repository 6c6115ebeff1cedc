"""The program that evaluates Jsonnet, one request after the other, until its input ends.

It is a process of its own because a program that is nested too deep ends the process that evaluates it. It is started
by its path and imports nothing of ours. Frames are a length of four bytes, big endian, and that many bytes of JSON.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any


def main() -> None:
    import _gojsonnet

    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while len(header := stdin.read(4)) == 4:
        request = json.loads(stdin.read(struct.unpack(">I", header)[0]))
        answer: dict[str, Any]
        try:
            os.chdir(request["folder"])
            # conftest gives its program no name either: imports are looked for in the working folder, then in `paths`.
            answer = {"result": _gojsonnet.evaluate_snippet("", request["program"], jpathdir=request["paths"])}
        except (RuntimeError, ValueError, OSError) as error:
            answer = {"error": str(error).strip()}
        body = json.dumps(answer).encode()
        stdout.write(struct.pack(">I", len(body)) + body)
        stdout.flush()


if __name__ == "__main__":
    main()
