"""`groundwork migrate`: from nothing to what servers need, again without harm, and patiently."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from cli.servers.migrate import migrate_database, patient
from config.settings import DatabaseSettings
from domain.errors import Busy, SettingsInvalid, Unavailable
from integrations.embedded.postgresql import APP, OWNER, PLATFORM, PostgreSQL
from storage.inspection import default_partition_bytes, role_facts
from storage.migrations.upgrade import current, head

pytestmark = pytest.mark.servers
REFUSED = OperationalError("", {}, Exception("connection refused"))


@pytest.fixture
def database_settings(postgresql: PostgreSQL, empty_database: str) -> DatabaseSettings:
    """Point the settings at an empty database."""
    owner, app, platform = (SecretStr(postgresql.url(role, empty_database)) for role in (OWNER, APP, PLATFORM))
    return DatabaseSettings(owner_url=owner, app_url=app, platform_url=platform)


class TestMigrateDatabase:
    def test_an_empty_database_comes_to_head(self, database_settings: DatabaseSettings) -> None:
        assert migrate_database(database_settings) is None
        url = database_settings.app_url.get_secret_value()
        assert current(url) == head()
        assert default_partition_bytes(url) == 0

    def test_the_roles_that_serve_own_nothing(self, database_settings: DatabaseSettings) -> None:
        migrate_database(database_settings)
        for url in (database_settings.app_url, database_settings.platform_url):
            facts = role_facts(url.get_secret_value())
            assert (facts.superuser, facts.bypasses_row_security, facts.owns_tables) == (False, False, False)

    def test_again_changes_nothing(self, database_settings: DatabaseSettings) -> None:
        migrate_database(database_settings)
        assert migrate_database(database_settings) == head()

    def test_two_at_once_are_one_after_the_other(self, database_settings: DatabaseSettings) -> None:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
            before = list(processes.map(migrate_database, [database_settings] * 2))
        assert None in before  # the other may have looked at any time
        assert current(database_settings.app_url.get_secret_value()) == head()

    def test_the_passwords_of_the_settings_are_set(
        self, database_settings: DatabaseSettings, postgresql: PostgreSQL, empty_database: str
    ) -> None:
        changed = postgresql.url(APP, empty_database).replace(f"{APP}:", f"{APP}:an'other-%25:")
        migrate_database(database_settings.model_copy(update={"app_url": SecretStr(changed)}))
        assert role_facts(changed).name == APP
        migrate_database(database_settings)
        assert role_facts(database_settings.app_url.get_secret_value()).name == APP

    def test_without_the_owners_address_it_says_so(self, database_settings: DatabaseSettings) -> None:
        ownerless = database_settings.model_copy(update={"owner_url": None})
        with pytest.raises(SettingsInvalid, match=r"database\.owner_url is not set"):
            migrate_database(ownerless)


class TestPatience:
    def refusing(self, times: int, error: Exception = REFUSED) -> Callable[[], str]:
        left = iter(range(times))

        def work() -> str:
            if next(left, None) is None:
                return "done"
            raise error

        return work

    def test_a_server_that_comes_up_late_is_waited_for(self) -> None:
        assert patient(self.refusing(2), "PostgreSQL", time.monotonic() + 60) == "done"

    def test_one_that_does_not_come_is_an_error_with_the_reason(self) -> None:
        with pytest.raises(Unavailable, match="PostgreSQL does not answer: connection refused"):
            patient(self.refusing(2), "PostgreSQL", time.monotonic() - 1)

    def test_what_others_hold_is_tried_again_until_the_deadline(self) -> None:
        busy = Busy("in use")
        assert patient(self.refusing(1, busy), "PostgreSQL", time.monotonic() + 60) == "done"
        with pytest.raises(Busy, match="in use"):
            patient(self.refusing(1, busy), "PostgreSQL", time.monotonic() - 1)
