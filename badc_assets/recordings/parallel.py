"""Several files at the same time, results in order. Threads: the work is waiting for a disk or network, and hashing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD_PER_WORKER = 8


def in_parallel(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    at_once: Callable[[Item], Result | None] = lambda _: None,
) -> Iterator[Result]:
    """`work` of each item, in their order. At most some items per worker are taken ahead of what was yielded.

    Where `at_once` gives a result no worker is troubled. An exception of `work` is raised in its turn; nothing further is
    started then.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="badc-reader")
    pending: deque[Callable[[], Result]] = deque()
    try:
        for item in items:
            ready = at_once(item)
            if ready is not None and not pending:
                yield ready
                continue
            pending.append(pool.submit(work, item).result if ready is None else partial(_same, ready))
            while len(pending) >= workers * _AHEAD_PER_WORKER:
                yield pending.popleft()()
        while pending:
            yield pending.popleft()()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _same(result: Result) -> Result:
    return result
