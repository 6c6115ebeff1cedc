"""Writes the CustomResourceDefinitions of the chart anew: `python -m tests.generate_crds`."""

from __future__ import annotations

from pathlib import Path

import yaml

from pratique.crd import definitions

FOLDER = Path(__file__).resolve().parents[1] / "charts" / "pratique" / "crds"
_HEAD = "# Made from pratique/schemas.py by `make generated`; change that.\n"


def texts() -> dict[Path, str]:
    """What each file is to hold."""
    return {
        FOLDER / name: _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120)
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
