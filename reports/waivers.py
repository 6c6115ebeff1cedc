"""Waivers for people and for programs: a table, one in full, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

import orjson

from pratique.stale import Standing
from pratique.waiver import Waiver, written_time
from reports.columns import write_table
from reports.text import visible

COLUMNS = ("name", "state", "until", "policies", "requested by", "approved by", "why")


def write_waivers_table(standings: Sequence[Standing], stream: TextIO, *, terminal: int | None, stale: bool) -> None:
    """One row each; the last column says why it does not count, or with `stale` why to look at it."""
    rows = [
        [
            each.waiver.name,
            state(each),
            written_time(each.waiver.expires),
            " ".join(sorted(each.waiver.policies)),
            each.waiver.requested_by,
            each.waiver.approved_by or "-",
            "; ".join(dict.fromkeys((*((each.why_not,) if each.why_not else ()), *(each.stale if stale else ())))),
        ]
        for each in standings
    ]
    write_table(rows, stream, columns=COLUMNS, terminal=terminal, whole=("name",))


def write_waivers_json(standings: Sequence[Standing], stream: TextIO) -> None:
    """A list of objects."""
    stream.write(orjson.dumps([document(each) for each in standings], option=orjson.OPT_INDENT_2).decode() + "\n")


def state(standing: Standing) -> str:
    """In one word."""
    return "counts" if standing.counts else "ignored"


def document(standing: Standing) -> dict[str, Any]:
    """A waiver and where it stands, for programs."""
    waiver = standing.waiver
    return {
        "name": waiver.name,
        "counts": standing.counts,
        "why_not": standing.why_not,
        "stale": list(standing.stale),
        "unknown": list(standing.unknown),
        "last_used": written_time(standing.last_used) if standing.last_used else None,
        "digest": waiver.digest,
        "source": waiver.source,
        "document": waiver.document,
    }


def text(standing: Standing) -> str:
    """A waiver in full."""
    waiver = standing.waiver
    lines = [
        f"Waiver {waiver.name}: {'counts' if standing.counts else f'does not count: {standing.why_not}'}",
        "",
        *summary(waiver),
        f"  digest         {waiver.digest}",
        f"  file           {waiver.source}",
    ]
    if standing.last_used:
        lines.append(f"  last used      {written_time(standing.last_used)}")
    lines += [f"  look at it     {reason}" for reason in standing.stale]
    lines += [f"  not known      {reason}" for reason in standing.unknown]
    return "\n".join(visible(line, limit=4000) for line in lines)


def summary(waiver: Waiver) -> list[str]:
    """What is waived, for what, why and by whom: what an approver is to read."""
    match = {name: value for name, value in waiver.document["spec"]["match"].items() if value}
    lines = [
        f"  policies       {', '.join(sorted(waiver.policies))}",
        f"  for            {orjson.dumps(match).decode() if match else 'EVERYTHING that these policies judge'}",
        f"  how far        {_how_far(waiver)}",
        f"  reason         {waiver.reason}",
    ]
    if waiver.ticket:
        lines.append(f"  ticket         {waiver.ticket}")
    if waiver.compensating_control:
        lines.append(f"  instead        {waiver.compensating_control}")
    lines.append(f"  requested by   {waiver.requested_by}")
    if waiver.approved_by:
        at = f" at {written_time(waiver.approved_at)}" if waiver.approved_at else ""
        lines.append(f"  approved by    {waiver.approved_by}{at}")
    lines.append(f"  until          {written_time(waiver.expires)}")
    return lines


def _how_far(waiver: Waiver) -> str:
    if not waiver.parameters:
        return "these policies do not apply at all"
    return f"limits raised to {orjson.dumps(dict(waiver.parameters), default=str).decode()}"
