"""Classes of failure of a CLI step, and how they are told from what the CLI says.

The order of the rules matters: a crashed provider also speaks of connections, and a throttled call of requests
that were refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ErrorClass(StrEnum):
    """What a failed step may be answered with; only the first two may get better by themselves."""

    TRANSIENT_INFRA = "transient_infra"
    PROVIDER_THROTTLE = "provider_throttle"
    LOCK_HELD = "lock_held"
    PLAN_STALE = "plan_stale"
    AUTH = "auth"
    CONFIG = "config"
    POLICY_DENIED = "policy_denied"
    QUOTA = "quota"
    PROVIDER_CRASH = "provider_crash"
    USER_CANCEL = "user_cancel"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning of the CLI: what, where in the configuration, and on which resource."""

    severity: str
    summary: str
    detail: str = ""
    address: str | None = None
    filename: str | None = None
    line: int | None = None

    def as_sentence(self) -> str:
        """Give it in one piece, beginning with where it is."""
        where = self.filename if self.line is None else f"{self.filename}:{self.line}"
        return ": ".join(part for part in (self.filename and where, self.summary, self.detail) if part)

    def as_text(self) -> str:
        """Give it as a person reads it."""
        parts = [f"{self.severity.capitalize()}: {self.summary}"]
        if self.filename is not None:
            at = f"{self.filename} line {self.line}" if self.line is not None else self.filename
            parts.append(f"  on {at}" + (f", in {self.address}" if self.address else ""))
        elif self.address is not None:
            parts.append(f"  with {self.address}")
        if self.detail:
            parts.append(self.detail)
        return "\n".join(parts)


# Each class with what tells it, in order of precedence. CONFIG comes twice: first what can be nothing else, and
# last what is also said when a registry or a provider did not answer.
_SIGNS: Final[tuple[tuple[ErrorClass, tuple[str, ...]], ...]] = (
    (ErrorClass.PLAN_STALE, ("saved plan is stale", "plan file can no longer be applied")),
    (ErrorClass.LOCK_HELD, ("error acquiring the state lock", "state is (?:already )?locked")),
    (
        ErrorClass.PROVIDER_CRASH,
        (
            "plugin did not respond",
            "failed to respond to the plugin",
            "plugin.{0,40}crash",
            "^panic:",
            "unrecognized remote plugin message",
            "plugin process exited",
            "failed to instantiate provider",
        ),
    ),
    (
        ErrorClass.CONFIG,
        (
            "no value for required variable",
            "invalid value for",
            "values? for undeclared variable",
            "unsupported (?:argument|block|attribute)",
            "missing required argument",
            "reference to undeclared",
            "inconsistent dependency lock",
            "unsupported terraform core",
        ),
    ),
    (
        ErrorClass.POLICY_DENIED,
        ("disallowed ?by ?policy", "service control policy", "denied by policy", "policy check"),
    ),
    (
        ErrorClass.PROVIDER_THROTTLE,
        (
            r"(?:status|code|http|error)\W{0,3}(?:code\W{0,3})?429",
            "too ?many ?requests",
            "throttl",
            "rate ?(?:limit )?exceeded",
            "requestlimitexceeded",
            r"slow ?down\b",
        ),
    ),
    (ErrorClass.QUOTA, ("quota", "limit ?exceeded", "insufficient ?(?:instance)? ?capacity")),
    (
        ErrorClass.AUTH,
        (
            r"(?:status|code|http|error)\W{0,3}(?:code\W{0,3})?40[13]",
            "unauthori[sz]ed",
            "access ?denied",
            "forbidden",
            "invalidclienttokenid",
            "expired ?token",
            "no valid credential",
            "could not find default credentials",
            "authentication (?:failed|required)",
        ),
    ),
    (
        ErrorClass.TRANSIENT_INFRA,
        (
            r"(?:status|code|http|error)\W{0,3}(?:code\W{0,3})?50[0234]",
            "bad gateway",
            "service unavailable",
            "gateway timeout",
            "connection (?:refused|reset)",
            "i/o timeout",
            "no such host",
            "tls handshake",
            "deadline exceeded",
            "could not connect",
            "network is unreachable",
            "temporary failure",
            "broken pipe",
            "no space left",
            "cannot allocate memory",
        ),
    ),
    (
        ErrorClass.CONFIG,
        (
            "duplicate ",
            "invalid (?:expression|reference|resource|function)",
            "failed to query available provider",
            "no available releases",
            "module not found",
        ),
    ),
)
_RULES: Final = tuple(
    (error_class, re.compile("|".join(signs), re.IGNORECASE | re.MULTILINE)) for error_class, signs in _SIGNS
)


def classify(errors: Sequence[Diagnostic], last_text: str = "") -> tuple[ErrorClass, str, str | None]:
    """Tell the class of a failure, a sentence about it and the resource concerned, where there is one.

    Args:
        errors: the CLI's error diagnostics, in order.
        last_text: the last bare line, for a CLI that died without a diagnostic.
    """
    if not errors:
        return _class_of(last_text, placed=False), last_text or "the CLI failed without saying why", None
    # With a place in the source and no resource, it is the source that is wrong.
    classes = [
        _class_of(f"{e.summary}\n{e.detail}", placed=e.filename is not None and e.address is None) for e in errors
    ]
    # The first error that says something is the cause; what follows are mostly its consequences.
    telling = next((i for i, c in enumerate(classes) if c is not ErrorClass.UNKNOWN), 0)
    error = errors[telling]
    others = len(errors) - 1
    message = error.as_sentence() + (f" (and {others} more: see the log)" if others else "")
    return classes[telling], message, error.address


def _class_of(text: str, *, placed: bool) -> ErrorClass:
    for error_class, pattern in _RULES:
        if pattern.search(text):
            return error_class
    return ErrorClass.CONFIG if placed else ErrorClass.UNKNOWN
