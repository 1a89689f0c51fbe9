"""Classes of failure of a CLI step, and how a diagnostic tells them."""

from enum import StrEnum


class ErrorClass(StrEnum):
    """What a failed step may be answered with; only the first two are worth another try by themselves."""

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
