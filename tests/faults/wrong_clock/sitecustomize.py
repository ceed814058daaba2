"""A machine whose clock is wrong: put on PYTHONPATH, it moves what Python takes for the time by WRONG_CLOCK_SECONDS."""

import datetime
import os
import time
from typing import Any

_RIGHT = datetime.datetime
_WRONG_BY = float(os.environ["WRONG_CLOCK_SECONDS"])
_right_time, _right_time_ns = time.time, time.time_ns


class _Kind(type):
    """Every datetime is one of ours."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _RIGHT)


class _Wrong(_RIGHT, metaclass=_Kind):
    __slots__ = ()  # extension modules look at the size

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
        """The right time, moved."""
        return _RIGHT.now(tz) + datetime.timedelta(seconds=_WRONG_BY)


datetime.datetime = _Wrong  # type: ignore[misc]
time.time = lambda: _right_time() + _WRONG_BY
time.time_ns = lambda: _right_time_ns() + int(_WRONG_BY * 1e9)
