"""How errors raised on purpose reach Temporal: by their code, and without a word that could be somebody's."""

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.errors import ErrorKind, PlatformError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

RETRYABLE: Final = frozenset({ErrorKind.UNAVAILABLE})
NAMED: Final = ("organization_id", "run_id", "phase", "area")
"""What inputs of activities are about."""


def maps_errors(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Turn a PlatformError into an ApplicationError of its code; only unavailability is worth a retry.

    Any other exception is shown by its type alone: histories are not encrypted, and messages of libraries may
    quote values. The log has a line for each, and for what is tried again until it is available only the first.
    Each line that is written meanwhile, here or below, says of which workflow it is, and of what its input names.
    """

    @wraps(method)
    async def mapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with structlog.contextvars.bound_contextvars(**_whose(args)):
            try:
                return await method(*args, **kwargs)
            except PlatformError as error:
                if error.kind not in RETRYABLE or not activity.in_activity() or activity.info().attempt == 1:
                    reason = error.reason if isinstance(error, Unavailable) else error.detail
                    log.warning("activity_refused", code=error.code, detail=error.detail, reason=reason)
                raise ApplicationError(
                    error.code, type=error.code, non_retryable=error.kind not in RETRYABLE
                ) from None
            except Exception as error:
                name = type(error).__name__
                log.exception("activity_failed")
                raise ApplicationError(f"unexpected {name}; see the worker's log", type=name) from None

    return mapped


def _whose(args: Iterable[object]) -> dict[str, object]:
    """Say for the log which attempt this is, and whose: the names in an activity's input."""
    whose: dict[str, object] = {
        name: str(getattr(given, name)) for given in args for name in NAMED if hasattr(given, name)
    }
    if activity.in_activity():
        info = activity.info()
        whose |= {"activity": info.activity_type, "workflow_id": info.workflow_id, "attempt": info.attempt}
    return whose
