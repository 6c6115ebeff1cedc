"""A PolicySet as the files that OPA loads, and OPA's complaints about them as our errors."""

from __future__ import annotations

from pathlib import PurePosixPath

import orjson

from evaluators.entry import ENTRY_PATH, entry_module
from pratique.errors import EvaluationError, PolicyError, Problem
from pratique.policy import PolicySet

BUNDLE = "bundle/"
"""The folder of the bundle, in a private directory of a child."""
MODULES = "pratique/modules/"
"""What the ids of our modules begin with in an OPA that somebody else runs."""


def bundle_files(policies: PolicySet) -> dict[str, str]:
    """What OPA loads, by path below `BUNDLE`: the modules, the entry and the data.

    Raises:
        PolicyError: the path of a module would lead out of the bundle.
    """
    files = {}
    for module in policies.modules:
        path = PurePosixPath(module.path)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".rego" or module.path == ENTRY_PATH:
            raise PolicyError(Problem(module.path, "", "this is not a path of a module inside a bundle"))
        files[BUNDLE + module.path] = module.text
    files[BUNDLE + ENTRY_PATH] = entry_module(policies)
    files[BUNDLE + "data.json"] = orjson.dumps(dict(policies.data)).decode()
    return files


def refusal(errors: bytes) -> PolicyError | EvaluationError:
    """The problems in {errors: [{message, location}]}, as `opa check` and the REST API list them, to be raised."""
    try:
        found = orjson.loads(errors)["errors"]
        return PolicyError(
            *(
                Problem(module_path(error["location"]["file"]), f"line {error['location']['row']}", error["message"])
                for error in found
            )
        )
    except (ValueError, KeyError, TypeError):
        said = errors[:300].decode(errors="replace").strip()
        return EvaluationError(f"OPA does not accept the bundle: {said or 'it says nothing'}")


def module_path(file: str) -> str:
    """The path in the PolicySet of a file as OPA names it."""
    return file.removeprefix(BUNDLE).removeprefix(MODULES)
