"""Whether Python's lock is given up."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

WITHOUT_LOCK = not getattr(sys, "_is_gil_enabled", lambda: True)()


def lets_others_run(work: Callable[[Callable[[], None]], object]) -> bool:
    """Whether another thread gets its turn in `work`, from where that calls `begin`.

    Nothing forces a thread to give up the lock here.
    """
    start, ran = threading.Lock(), threading.Event()

    def wait_for_a_turn() -> None:
        with start:
            ran.set()

    def begin() -> None:
        assert not ran.is_set()
        start.release()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        start.acquire()
        thread = threading.Thread(target=wait_for_a_turn, daemon=True)
        thread.start()
        work(begin)
        ran_meanwhile = ran.is_set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    return ran_meanwhile
