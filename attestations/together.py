"""Side by side: the results of several awaitables in their order, or the one failure that matters."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from pratique.errors import PratiqueError

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results. The first failure ends the others, and is raised itself, not in a group; a defect of ours (anything
    that is no `PratiqueError`) before any failure."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in coroutines]
    except BaseExceptionGroup as several:
        errors = several.exceptions
        raise next((each for each in errors if not isinstance(each, PratiqueError)), errors[0]) from None
    return [task.result() for task in tasks]
