"""The results as Markdown: printed at the end of a run, and kept in bench/README.md between two marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import is_busy

README = Path(__file__).parent / "README.md"


def markdown(document: Mapping[str, Any], titles: Mapping[str, str], bindings: Mapping[str, str]) -> str:
    """The tables of one results document. `titles` names the peers, in their order; `bindings` those that tell what
    bindings cost."""
    machine, settings = document["machine"], document["settings"]
    cells = {(cell["reviews"], cell["clients"], cell["peer"]): cell for cell in document["cells"]}
    lines = [
        f"{document['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; "
        f"Python {machine['python']}, OPA {machine['opa']}, regopy {machine['regopy']}; a write to the disk is durable "
        f"after {machine['fsync_ms']} ms. Median of {settings['runs']} runs of {settings['seconds']:g} s each "
        f"(lowest to highest), {'HTTPS' if settings['tls'] else 'plain HTTP'}.",
        "",
    ]
    if is_busy(machine):
        lines += [f"**The machine was busy** (load {machine['load_before']}): others took their share unevenly.", ""]
    rows = [["reviews", "clients", "peer", "requests/s", "p50 ms", "p99 ms", "CPU s / 1,000", "rate / raw OPA"]]
    for reviews in settings["reviews"]:
        for clients in settings["clients"]:
            raw = cells.get((reviews, clients, "raw-opa"))
            for peer, title in titles.items():
                cell = cells.get((reviews, clients, peer))
                if cell is not None:
                    rate, p99 = cell["requests_per_second"], cell["p99_ms"]
                    rows.append(
                        [
                            *(reviews, str(clients), title),
                            f"{rate['median']:,.0f} ({rate['low']:,.0f} to {rate['high']:,.0f})",
                            f"{cell['p50_ms']['median']:.2f}",
                            f"{p99['median']:.1f} ({p99['low']:.1f} to {p99['high']:.1f})",
                            f"{cell['cpu_seconds_per_1000']['median']:.2f}",
                            f"{rate['median'] / _rate(raw):.2f}" if _rate(raw) else "",
                        ]
                    )
    if len(rows) > 1:
        lines += [*_table(rows), ""]
    if bindings:
        lines += [*_table(_rows_of_bindings(document, bindings)), ""]
    memory = [["peer", "peak memory of all its processes (PSS), MB"]]
    for peer, title in (*titles.items(), *((name, f"Pratique, OPA: {title}") for name, title in bindings.items())):
        if peer in document["peak_memory_bytes"]:
            figure = document["peak_memory_bytes"][peer]
            memory.append(
                [title, f"{figure['median'] / 1e6:.0f} ({figure['low'] / 1e6:.0f} to {figure['high'] / 1e6:.0f})"]
            )
    lines += [*_table(memory), ""]
    aims = [["aim", "target", "measured", "met"]]
    for aim in document["aims"]:
        if aim["measured"] is not None:
            aims.append([aim["what"], aim["target"], f"{aim['measured']:.3g}", "yes" if aim["met"] else "**no**"])
    if len(aims) > 1:
        lines += [*_table(aims), ""]
    lines += [f"* **not valid**: {fault}" for fault in document["faults"]]
    return "\n".join(lines).rstrip() + "\n"


def _rows_of_bindings(document: Mapping[str, Any], titles: Mapping[str, str]) -> list[list[str]]:
    """What bindings cost, one client at a time."""
    rows = [["reviews", "object, bytes", "bindings", "p50 ms", "p99 ms", "CPU s / 1,000"]]
    cells = {(cell["reviews"], cell["peer"]): cell for cell in document["cells"] if cell["clients"] == 1}
    for reviews in document["settings"]["reviews"]:
        for peer, title in titles.items():
            cell = cells.get((reviews, peer))
            if cell is not None:
                rows.append(
                    [
                        *(reviews, f"{document['settings']['objects'][reviews]:,}", title),
                        *(_spread(cell[metric], places) for metric, places in _FIGURES.items()),
                    ]
                )
    return rows


_FIGURES = {"p50_ms": 2, "p99_ms": 1, "cpu_seconds_per_1000": 2}


def _spread(figure: Mapping[str, float], places: int) -> str:
    return f"{figure['median']:.{places}f} ({figure['low']:.{places}f} to {figure['high']:.{places}f})"


def _rate(cell: Mapping[str, Any] | None) -> float:
    return float(cell["requests_per_second"]["median"]) if cell is not None else 0.0


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"

    return [line(rows[0]), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows[1:])]


def write_between_marks(path: Path, text: str, name: str) -> None:
    """Replace what stands in the file at `path` between its marks that begin and end `name`.

    Raises:
        ValueError: the marks are not there.
    """
    before, begin, rest = path.read_text().partition(f"<!-- begin {name}: ")
    command, close, rest = rest.partition(" -->")
    _, end, after = rest.partition(f"<!-- end {name} -->")
    if not begin or not close or not end:
        raise ValueError(f"{path.name} lacks the marks that begin and end {name}")
    path.write_text(f"{before}{begin}{command}{close}\n\n{text.strip()}\n\n{end}{after}")
