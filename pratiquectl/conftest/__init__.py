"""What the verbs that take conftest's place share: flags, inputs, rules, results, output formats, the engine."""

CONFTEST_VERSION = "0.71.1"
"""The version that is followed to the byte; `tools/versions.toml` pins the program that the tests compare with."""

CONFTEST_GO_VERSION = "go1.26.8"
"""JUnit reports name the Go that conftest was built with; this is the one that its go.mod asks for."""
