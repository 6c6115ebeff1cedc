"""Protocol buffers in text form, with the definitions of their messages in `--proto-file-dirs`.

A comment `# proto-message: package.Message` in the file says which message it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_MESSAGE_TYPE = re.compile(r"#\s+proto-message:\s+([a-zA-Z0-9_.]+)")


def documents(source: Source) -> list[Any]:
    """The one document of the file, its fields named as in the definition."""
    try:
        from google.protobuf import descriptor_pool, json_format, message_factory, text_format
    except ImportError as error:
        raise ParseError("this needs the package protobuf: install pratique[conftest]") from error
    from pratiquectl.conftest.parsers.proto import parse_proto

    match = _MESSAGE_TYPE.search(go.text(source.content))
    if match is None:
        raise ParseError("the file has no comment `# proto-message: package.Message`")
    pool = descriptor_pool.DescriptorPool()
    top_level: set[str] = set()
    for path in _proto_files(source):
        try:
            definition = parse_proto(Path(path).read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise ParseError(f"{path} cannot be read: {error}") from error
        _add_well_known(pool, definition.dependency)
        try:
            pool.Add(definition)
            pool.FindFileByName(path)
        except (TypeError, KeyError) as error:
            raise ParseError(f"{path}: {error}") from error
        prefix = f"{definition.package}." if definition.package else ""
        top_level.update(f"{prefix}{message.name}" for message in definition.message_type)
    if match[1] not in top_level:
        raise ParseError(f"no file in --proto-file-dirs defines the message {match[1]}")
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(match[1]))()
    try:
        text_format.Parse(source.content.decode("utf-8"), message, descriptor_pool=pool)
        if missing := message.FindInitializationErrors():
            raise ParseError(f"required fields are missing: {', '.join(missing)}")
        value = json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=pool)
    except (text_format.ParseError, UnicodeDecodeError, json_format.Error, TypeError, ValueError) as error:
        raise ParseError(str(error)) from error
    return [_plain(value)]


def _proto_files(source: Source) -> Iterator[str]:
    """The definitions, as conftest names them: by their paths, folder by folder."""
    for folder in source.proto_file_dirs:
        for place, folders, files in os.walk(folder):
            folders.sort()
            # conftest goes through files and folders in one order, by name.
            yield from (f"{place.rstrip('/')}/{name}" for name in sorted(files) if name.endswith(".proto"))


def _add_well_known(pool: Any, dependencies: Any) -> None:
    """Put what comes with the library into `pool`, as far as it is asked for."""
    from google.protobuf import (
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    known = (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    for module in known:
        if module.DESCRIPTOR.name in dependencies:
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return go.number(value) if isinstance(value, float) else value
