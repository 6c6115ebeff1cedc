"""The bindings of `policies/bindings/defaults`, which are off, switched on as their own comment says."""

from __future__ import annotations

from pathlib import Path

_BINDINGS: Path = Path(__file__).resolve().parents[2] / "policies" / "bindings" / "defaults" / "bindings.yaml"
_OFF = 'enforcement: "off"'
_ON = "enforcement: {admission: warn, ci: audit, scan: audit}"


def defaults_on() -> str:
    """The text of the bindings."""
    text = _BINDINGS.read_text()
    if _ON not in text or text.count(f"\n  {_OFF}\n") != text.count("kind: PolicyBinding"):
        raise ValueError(f"{_BINDINGS} does not say how to switch its bindings on, or some are on")
    return text.replace(f"\n  {_OFF}\n", f"\n  {_ON}\n")
