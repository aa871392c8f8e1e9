"""A deadline for many short waits, such as those between the pieces of an answer.

`asyncio.timeout` makes and drops a timer for each wait; an answer has thousands of them. Here one
timer stays set and finds, when it fires, that its time has moved.
"""

from __future__ import annotations

import asyncio


class Alarm:
    """Cancels the waiting task when its time is up.

    ::

        alarm.set(until)
        try:
            await something
        except asyncio.CancelledError:
            if alarm.rang():
                ...  # it took too long
            raise
        finally:
            alarm.clear()
    """

    __slots__ = ("_cancelling", "_fired", "_loop", "_task", "_timer", "_until")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._until = 0.0
        self._cancelling = 0
        self._fired = False

    def set(self, until: float) -> None:
        """Begin a wait of the running task that must end at a loop time."""
        task = asyncio.current_task()
        assert task is not None
        self._task, self._until, self._fired = task, until, False
        self._cancelling = task.cancelling()
        if self._timer is None or until < self._timer.when():
            self._start()

    def clear(self) -> None:
        """End the wait; the timer stays for the next one."""
        self._task = None

    def close(self) -> None:
        """Drop the timer."""
        self._task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def rang(self) -> bool:
        """Tell whether a cancellation of this wait came from here, and from nobody else."""
        if not self._fired or self._task is None:
            return False
        self._fired = False
        return self._task.uncancel() <= self._cancelling

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._until, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._task is None:
            return
        if self._loop.time() < self._until:
            self._start()
            return
        self._fired = True
        self._task.cancel()
