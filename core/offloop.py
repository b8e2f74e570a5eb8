"""Work that would make every other visitor wait: password hashes, charts.

Under gevent one thread serves everybody, so 100 ms of arithmetic is 100 ms in which no screen hears of a call.
"""

import contextvars
import functools
import os
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run CPU-bound work for a view without holding up the others; return its result or raise its error.

    Under gevent it runs in a real thread while this greenlet waits; elsewhere every request has a thread of its
    own and the function is simply called. It sees the caller's context (language, Flask's g), but give it plain
    values, never a database session: a session belongs to the thread that opened it.
    """
    if not cooperative():
        return function(*args, **kwargs)
    work = functools.partial(function, *args, **kwargs)
    result, error = _pool().apply(_attempt, (contextvars.copy_context(), work))
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def cooperative() -> bool:
    """Say whether gevent has replaced the blocking parts of the standard library in this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


@functools.cache
def _pool() -> Any:
    """A few threads: with more, charts would take the interpreter away from the loop itself."""
    from gevent.threadpool import ThreadPool

    return ThreadPool(min(4, max(2, os.cpu_count() or 2)))


def _attempt(context: contextvars.Context, work: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """Carry an error back as a value: gevent would print a traceback for every wrong password."""
    try:
        return context.run(work), None
    except BaseException as error:
        return None, error
