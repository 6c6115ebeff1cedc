"""The flags that several verbs of conftest's have in common."""

from __future__ import annotations

from pratiquectl.conftest.options import Flag

NO_COLOR = Flag(name="no-color", kind="bool", help="print without colours")
QUIET = Flag(name="quiet", kind="bool", help="print nothing if nothing failed")
STRICT = Flag(name="strict", kind="bool", help="compile the policies in Rego's strict mode")
SHOW_BUILTIN_ERRORS = Flag(name="show-builtin-errors", kind="bool", help="make errors of built-ins errors of the run")
PARSER = Flag(name="parser", kind="text", help="parser for all files (default: by name and extension)")
CAPABILITIES = Flag(name="capabilities", kind="text", help="JSON file of the capabilities that policies may use")
REGO_VERSION = Flag(name="rego-version", kind="text", default="v1", help="syntax of the policies: v0 or v1")
OUTPUT = Flag(name="output", short="o", kind="text", default="stdout", help="format; an unknown name is an error")
JUNIT_HIDE_MESSAGE = Flag(name="junit-hide-message", kind="bool", help="leave the message out of JUnit test names")
GITHUB_HIDE_PASSED = Flag(
    name="github-hide-passed", kind="bool", help="leave files that passed out of the GitHub output"
)
POLICY = Flag(name="policy", short="p", kind="list", default=("policy",), help="files or folders of policies")
DATA = Flag(name="data", short="d", kind="list", help="files or folders of data for the policies")
PROTO_FILE_DIRS = Flag(name="proto-file-dirs", kind="list", words=True, help="folders of Protocol Buffer definitions")
TLS = Flag(
    name="tls", short="s", kind="bool", default=True, help="use TLS; not used to this machine, unless it is given"
)
