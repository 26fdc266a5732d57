"""Run a kernel on as many threads as torch uses, never waiting for one that has not begun.

Own design. Numba's thread pools spin while they wait, which fights torch's pool for the same cores,
and stand still until every thread has had its turn. Here each thread runs the same kernel, which
claims task after task from a shared counter. Whoever calls works too; a helper that has not started
by the time the tasks are gone is dismissed. Tasks write to places of their own, so neither their
number of threads nor their order can be seen in a result.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="fourfold-kernel")


def run_parallel(kernel: Callable[..., None], *args: object) -> None:
    """Call kernel(counter, *args) in `torch.get_num_threads()` threads until its tasks are done."""
    counter = np.zeros(1, np.int64)
    helpers = range(torch.get_num_threads() - 1)
    futures = [_helpers().submit(kernel, counter, *args) for _ in helpers]
    kernel(counter, *args)
    for future in futures:
        if not future.cancel():
            future.result()
