"""What a principal may do."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.identity.errors import OrganizationFrozen, PermissionDenied
from domain.identity.permissions import EVERYTHING, Permission, expand
from domain.identity.principal import Principal
from domain.identity.rights import Rights, Target
from domain.ids import new_id
from domain.scope import PLATFORM, Scope

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_principal(*permissions: Permission, read_only_from: datetime | None = None) -> Principal:
    return Principal(
        organization_id=new_id(),
        actor=PLATFORM,
        key_id=new_id(),
        user_id=new_id(),
        rights=Rights(frozenset(permissions)),
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


class TestScope:
    @pytest.mark.parametrize(
        "target", [Target(), Target(namespace="acme"), Target(environment="production", deployment_id=new_id())]
    )
    def test_a_grant_of_the_organization_covers_every_target(self, target: Target) -> None:
        scope = a_principal(Permission.RUN_SUBMIT).scope()
        scope.require(Permission.RUN_SUBMIT, target)
        with pytest.raises(PermissionDenied):
            scope.require(Permission.RUN_APPROVE, target)

    def test_what_the_platform_does_by_itself_has_nobodys_rights(self) -> None:
        with pytest.raises(PermissionDenied):
            Scope(new_id(), PLATFORM).require(Permission.RUN_READ)


class TestExpand:
    def test_everything_is_every_permission(self) -> None:
        assert expand([EVERYTHING]) == frozenset(Permission)

    def test_an_unknown_name_grants_nothing(self) -> None:
        assert expand(["run:read", "of:another_version"]) == {Permission.RUN_READ}

    def test_a_former_name_grants_what_it_did(self) -> None:
        assert expand(["run:read", "usage:read"]) == {Permission.RUN_READ, Permission.DOWNLOAD_READ}
