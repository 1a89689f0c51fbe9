"""What the tables of provisioning refuse, whoever writes: the shapes that later areas rely on."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.all import Services
from storage.database import Database, violated
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers


class TestRun:
    @pytest.mark.parametrize(
        ("change", "refused_by"),
        [
            ("operation = 'import'", None),
            ("operation = 'improve'", "ck_run_operation"),
            ("engine = 'pulumi'", None),
            ("engine = 'abacus'", "ck_run_engine"),
            ("module_digest = NULL", "ck_run_module"),
            ("module_source = NULL, module_version = NULL, module_digest = NULL", "ck_run_module"),
            ("source_kind = 'plugin', module_source = NULL, module_version = NULL, module_digest = NULL", None),
            ("source_kind = 'repository', module_digest = NULL", None),
            ("source_kind = 'thin air'", "ck_run_source_kind"),
        ],
    )
    async def test_takes_what_design_names_and_nothing_else(
        self, services: Services, caller: Caller, database: Database, change: str, refused_by: str | None
    ) -> None:
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        run = await driver.submit()
        found = None
        try:
            async with database.transaction(driver.scope) as session:
                await session.execute(text(f"UPDATE run SET {change} WHERE id = :id"), {"id": run.id})  # noqa: S608  the test's own words
        except IntegrityError as error:
            found = violated(error)
        assert found == refused_by
