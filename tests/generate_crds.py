"""Writes the CustomResourceDefinitions of the chart anew: `python -m tests.generate_crds`."""

from __future__ import annotations

from pathlib import Path

import yaml

from pratique import crd, platform_crd

FOLDER = Path(__file__).resolve().parents[1] / "charts" / "pratique" / "crds"
SOURCES = {"pratique/schemas.py": crd.definitions, "pratique/platform_crd.py": platform_crd.definitions}
"""The definitions by the file to change for them."""


def texts() -> dict[Path, str]:
    """What each file is to hold."""
    return {
        FOLDER / name: f"# Made from {source} by `make generated`; change that.\n"
        + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120)
        for source, definitions in SOURCES.items()
        for name, document in definitions().items()
    }


class _Dumper(yaml.SafeDumper):
    """Without anchors: `kubectl` reads them, people do not."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    for path, text in texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(FOLDER.parents[2]))
