"""Doing the next pieces of work while the present one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int = 2
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`, computed in `workers` threads.

    At most `ahead` results a worker wait to be used, so memory stays bounded. Threads serve here
    because reading, decoding and warping leave Python's lock; they need no pickling and start at
    once on every system. With 0 workers everything happens in the caller. An exception in
    `function` is raised where its result would have come; what has not begun by then never does.
    """
    if workers <= 0:
        yield from map(function, items)
        return
    source = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in islice(source, workers * ahead):
            waiting.append(pool.submit(function, item))
        while waiting:
            result = waiting.popleft().result()
            for item in islice(source, 1):
                waiting.append(pool.submit(function, item))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
