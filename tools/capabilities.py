"""Writes `evaluators/capabilities.json`: OPA's own list of capabilities without what policies may not use.

Usage: python tools/capabilities.py [--check] OPA_BINARY

A built-in stays when regopy has it and `tests/evaluators/test_differential_builtins.py` shows that both engines
answer alike. Whoever raises the version of OPA or regopy runs this again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "evaluators" / "capabilities.json"
FEATURES = ["rego_v1"]
"""Of the language features only this one: regopy has neither keywords in references nor template strings."""
SYNTAX = frozenset({"assign", "eq"})
"""Not functions to regopy, but `:=` and `=`."""

NO_NEED = "needs the network, a key or a certificate: that is for a fact source to do, in Python"
DIFFERENT = {
    "base64.encode": "differs for quotation marks",
    "base64url.encode": "differs for quotation marks",
    "base64url.encode_no_pad": "differs for quotation marks",
    "base64.decode": "yields quotation marks that regopy takes for its own",
    "base64url.decode": "yields quotation marks that regopy takes for its own",
    "format_int": "format_int(5, 2) is 01 in regopy",
    "glob.quote_meta": "escapes twice in regopy",
    "hex.decode": "yields quotation marks that regopy takes for its own",
    "hex.encode": "differs for quotation marks",
    "json.marshal_with_options": "fails in regopy",
    "json.unmarshal": "fails in regopy for most texts",
    "max": "compares numbers as texts in regopy",
    "min": "compares numbers as texts in regopy",
    "object.union": "is not recursive in regopy",
    "object.union_n": "is not recursive in regopy",
    "semver.compare": "ignores pre-releases in regopy",
    "strings.replace_n": "replaces what it has replaced in regopy",
    "time.diff": "differs in regopy",
    "time.format": "differs in regopy",
    "time.parse_rfc3339_ns": "fails for times that end in Z in regopy",
    "urlquery.decode": "keeps + in regopy",
    "urlquery.decode_object": "keeps + in regopy",
    "urlquery.encode": "writes %20 for + in regopy",
    "urlquery.encode_object": "writes %20 for + in regopy",
    "yaml.is_valid": "follows another YAML in regopy",
    "yaml.marshal": "escapes its line ends in regopy",
    "yaml.unmarshal": "follows another YAML in regopy",
}
LEFT_OUT = {
    "internal.print": "policies return findings, they do not print",
    "internal.template_string": "template strings are not portable",
    "opa.runtime": "policies do not see the engine",
    "rand.intn": "policies do not depend on chance",
    "time.now_ns": "policies do not see the clock",
    "uuid.parse": "no policy needs it, and it is not shown to be equal",
    "uuid.rfc4122": "policies do not depend on chance",
}
PREFIXES_LEFT_OUT = ("crypto.", "io.jwt.", "graph.", "http.", "net.", "rego.")


def capabilities(opa: Path) -> dict[str, Any]:
    """OPA's current capabilities, reduced to the portable set."""
    import regopy  # type: ignore[import-untyped]  # it has no stubs

    listing = subprocess.run([opa, "capabilities", "--current"], check=True, capture_output=True)
    current = json.loads(listing.stdout)
    available = regopy.Interpreter().is_builtin

    def portable(builtin: dict[str, Any]) -> bool:
        name = builtin["name"]
        return (
            (name in SYNTAX or available(name))
            and name not in DIFFERENT
            and name not in LEFT_OUT
            and not name.startswith(PREFIXES_LEFT_OUT)
            and not builtin.get("nondeterministic")
            and not builtin.get("deprecated")
        )

    builtins = [
        {key: builtin[key] for key in ("name", "infix", "decl") if key in builtin}
        for builtin in current["builtins"]
        if portable(builtin)
    ]
    return {"builtins": builtins, "features": FEATURES, "allow_net": []}


def render(opa: Path) -> str:
    return json.dumps(capabilities(opa), indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    (opa,) = (Path(argument) for argument in arguments if argument != "--check")
    text = render(opa)
    if check:
        same = TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET}: {'current' if same else 'stale; run tools/capabilities.py'}")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
