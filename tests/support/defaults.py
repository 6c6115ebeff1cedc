"""The bindings of `policies/bindings/defaults`, which are off, switched on as their own comment says."""

from __future__ import annotations

from pathlib import Path

_BINDINGS: Path = Path(__file__).resolve().parents[2] / "policies" / "bindings" / "defaults"
_OFF = 'enforcement: "off"'
_ON = "enforcement: {admission: warn, ci: audit, scan: audit}"


def defaults_on(file: str = "bindings.yaml") -> str:
    """The text of the bindings; those in `evidence/` need an evidence configuration."""
    text = (_BINDINGS / file).read_text()
    if text.count(f"\n  {_OFF}\n") != text.count("kind: PolicyBinding"):
        raise ValueError(f"some bindings of {file} are on")
    if file == "bindings.yaml" and _ON not in text:
        raise ValueError(f"{_BINDINGS} does not say how to switch its bindings on")
    return text.replace(f"\n  {_OFF}\n", f"\n  {_ON}\n")
