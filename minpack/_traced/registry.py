"""Which of NumPy's functions that are no ufuncs are recorded, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack._traced.trace import Trace

FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def records(*functions: Any) -> Callable[[Any], Any]:
    """Keep what records these functions of NumPy."""

    def keep(own: Any) -> Any:
        for function in functions:
            FUNCTIONS[function] = own
        return own

    return keep


def no_more(trace: Trace, function: Any, kwargs: dict[str, Any]) -> None:
    names = [name for name, value in kwargs.items() if value is not None]
    if names:
        name = getattr(function, "__name__", function)
        raise trace.refuse(f"np.{name} with {names[0]}=", "leave it out")
