"""An API server that answers as told: for how the real one fails, and for kinds that it does not have."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.support.processes import HANG_SECONDS


class ScriptedApi:
    """Answers each GET with what `answer(path)` gives: a status and a document or lines, or nothing for long."""

    def __init__(self, answer: Callable[[str], tuple[int, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = answer(self.path)
                if status == 0:
                    stop.wait(2 * HANG_SECONDS)
                    return
                lines = document if isinstance(document, list) else [document]
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                for line in lines:
                    self.wfile.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.stop = stop = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        url = f"http://127.0.0.1:{self.server.server_port}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(yaml.safe_dump(document))
        return path


@contextmanager
def scripted_api(answer: Callable[[str], tuple[int, Any]]) -> Iterator[ScriptedApi]:
    """Serve `answer`, by path and query, within the block."""
    scripted = ScriptedApi(answer)
    try:
        yield scripted
    finally:
        scripted.stop.set()
        scripted.server.shutdown()
        scripted.server.server_close()


def listed(version: int, *items: Mapping[str, Any], more: str = "") -> tuple[int, Any]:
    """The answer to a list; `more` is where the next page begins."""
    return 200, {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}
