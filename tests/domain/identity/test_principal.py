"""What a principal may do."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.identity.permissions import EVERYTHING, Permission, expand
from domain.identity.principal import OrganizationFrozen, PermissionDenied, Principal
from domain.ids import new_id
from domain.scope import PLATFORM

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_principal(*permissions: Permission, read_only_from: datetime | None = None) -> Principal:
    return Principal(
        organization_id=new_id(),
        actor=PLATFORM,
        key_id=new_id(),
        user_id=new_id(),
        permissions=frozenset(permissions),
        valid_until=None,
        read_only_from=read_only_from,
    )


class TestRequire:
    def test_lets_through_what_is_held(self) -> None:
        a_principal(Permission.RUN_SUBMIT).require(Permission.RUN_SUBMIT, now=NOW)

    def test_denies_what_is_not_held(self) -> None:
        with pytest.raises(PermissionDenied):
            a_principal(Permission.RUN_READ).require(Permission.RUN_SUBMIT, now=NOW)

    @pytest.mark.parametrize(("before_end", "allowed"), [(timedelta(microseconds=1), True), (timedelta(), False)])
    def test_a_trial_ends_at_its_time_exactly(self, before_end: timedelta, *, allowed: bool) -> None:
        principal = a_principal(Permission.RUN_SUBMIT, read_only_from=NOW + before_end)
        if allowed:
            principal.require(Permission.RUN_SUBMIT, now=NOW)
        else:
            with pytest.raises(OrganizationFrozen):
                principal.require(Permission.RUN_SUBMIT, now=NOW)

    def test_a_frozen_organization_can_be_read(self) -> None:
        a_principal(Permission.RUN_READ, read_only_from=NOW).require(Permission.RUN_READ, now=NOW)


class TestExpand:
    def test_everything_is_every_permission(self) -> None:
        assert expand([EVERYTHING]) == frozenset(Permission)

    def test_an_unknown_name_grants_nothing(self) -> None:
        assert expand(["run:read", "of:another_version"]) == {Permission.RUN_READ}
