"""What OPA is started on: the modules by their own names, generated ones and data in a private folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pratiquectl.conftest.builtins import Callbacks, shims
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.opa_process import child_environment, die_with_parent, private_directory
from pratiquectl.conftest.policies import find_data, link_data, read_modules


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions:
    """What the flags say about policies and data."""

    policies: Sequence[str]
    data: Sequence[str]
    rego_version: str = "v1"
    strict: bool = False
    capabilities: str = ""
    timeout: float = 30.0


class Workspace:
    """Use as a context manager, which removes the folder.

    Raises:
        ConftestError: there are no policies, they cannot be read, or do not pass what the flags ask for.
    """

    def __init__(self, binary: Path, options: PolicyOptions) -> None:
        if options.rego_version.lower() not in ("v0", "v1"):
            raise ConftestError(f"load: loading policies: invalid Rego version: {options.rego_version}")
        self.binary = binary
        self._options = options
        self.modules = read_modules(options.policies)
        self.data_files = find_data(options.data)
        self._stack = ExitStack()
        self.directory = self._stack.enter_context(private_directory())
        try:
            self._fill()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _fill(self) -> None:
        generated = shims(self.modules, self.directory)
        if generated:
            self._stack.enter_context(Callbacks(self.directory))
        self._generated = [self._write(f"builtins{number}.rego", text) for number, (text, _) in enumerate(generated)]
        self._stubs = [self._write(f"stub{number}.rego", stub) for number, (_, stub) in enumerate(generated)]
        if self._options.strict or self._options.capabilities:
            self.check()
        if self.data_files:
            link_data(self.data_files, self.directory / "d")

    def _write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)

    @property
    def version_flags(self) -> list[str]:
        return ["--v0-compatible"] if self._options.rego_version.lower() == "v0" else []

    @property
    def paths(self) -> list[str]:
        """Everything to load, as arguments of OPA."""
        paths = [*self._module_paths, *self._generated]
        return [*paths, str(self.directory / "d")] if self.data_files else paths

    @property
    def _module_paths(self) -> list[str]:
        """A name with a colon gets a prefix, or OPA would take what is before the colon for one."""
        return [f"m:{module.path}" if ":" in module.path else module.path for module in self.modules]

    def run(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """A command of OPA, to its end.

        Raises:
            ConftestError: it did not end in time.
        """
        try:
            return subprocess.run(
                [str(self.binary), *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=child_environment(os.environ),
                check=False,
                timeout=seconds,
                preexec_fn=die_with_parent(),
            )
        except subprocess.TimeoutExpired as error:
            message = f"no answer within {seconds:g} s: does a policy loop? (--timeout)"
            raise ConftestError(message) from error

    def check(self) -> None:
        """`opa check` with the flags that others of its commands lack. What it sees of the generated functions needs no
        network, so that capabilities without it accept them.

        Raises:
            ConftestError: the policies do not pass.
        """
        flags = ["--strict"] if self._options.strict else []
        if self._options.capabilities:
            if not Path(self._options.capabilities).is_file():
                message = f"load capabilities: open {self._options.capabilities}: no such file or directory"
                raise ConftestError(message)
            flags += ["--capabilities", self._options.capabilities]
        paths = [*self._module_paths, *self._stubs]
        done = self.run("check", *flags, *self.version_flags, *paths, seconds=self._options.timeout)
        if done.returncode:
            raise ConftestError(self.refusal(done.stderr or done.stdout))

    def refusal(self, said: str) -> str:
        """What OPA said when it refused what it was given, in conftest's words."""
        text = said.strip().removeprefix("error: ")
        folder = f"{self.directory / 'd'}{os.sep}"
        about_data = folder in text
        for number, file in enumerate(self.data_files):
            linked = folder + "/".join((*file.segments, f"{number}{os.path.splitext(file.path)[1]}"))
            text = text.replace(linked, file.path)
        text = text.removeprefix("load error: ").removeprefix("initialization error: ")
        if about_data:
            return f"load: load documents: {text}"
        kind = "load" if "rego_parse_error" in text or "during loading" in text else "get compiler"
        return f"load: loading policies: {kind}: {text or 'OPA ended and said nothing'}"
