"""What the tables of deployments refuse, whoever writes: the shapes that later areas rely on."""

import pytest
from sqlalchemy.exc import IntegrityError

from domain.ids import new_id
from services.all import Services
from storage.database import Database, violated
from storage.deployments.tables import DeploymentRow, StateQuarantineRow, StateVersionRow
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers

A_PERSON = {"kind": "user", "id": "somebody"}
A_RUN = {"kind": "run", "id": "some run"}
SOURCES = [
    ({"source_kind": "module", "module_source": "a/b/c", "module_version": "1.0.0"}, None),
    ({"source_kind": "module", "module_source": "a/b/c"}, "ck_deployment_module"),
    ({"source_kind": "module"}, "ck_deployment_module"),
    ({"source_kind": "plugin"}, None),
    ({"source_kind": "repository"}, None),
    ({"source_kind": "thin air"}, "ck_deployment_source_kind"),
]


@pytest.fixture
async def driver(services: Services, caller: Caller) -> Driver:
    return Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))


async def refusal(database: Database, driver: Driver, *rows: object) -> str | None:
    """Store rows, and take them back; name the constraint that would not have them."""
    try:
        async with database.transaction(driver.scope) as session:
            session.add_all(rows)
            await session.flush()
            await session.rollback()
    except IntegrityError as error:
        return violated(error)
    return None


class TestDeployment:
    @pytest.mark.parametrize(("source", "refused_by"), SOURCES)
    async def test_what_is_made_from_a_module_names_all_of_it(
        self, driver: Driver, database: Database, source: dict[str, str], refused_by: str | None
    ) -> None:
        row = DeploymentRow(
            organization_id=driver.scope.organization_id,
            id=new_id(),
            name="one",
            environment="development",
            tags={},
            engine="pulumi",
            **source,
        )
        assert await refusal(database, driver, row) == refused_by


class TestStates:
    @pytest.mark.parametrize("table", [StateVersionRow, StateQuarantineRow])
    @pytest.mark.parametrize(
        ("run", "step", "written_by", "fits"),
        [
            (True, True, A_RUN, True),
            (False, False, A_PERSON, True),
            (True, True, A_PERSON, False),
            (False, False, A_RUN, False),
            (False, False, {}, False),
            (True, False, A_RUN, False),
            (True, False, A_PERSON, False),
            (False, True, A_RUN, False),
        ],
    )
    async def test_are_written_by_a_step_of_a_run_or_by_somebody_else(
        self,
        *,
        driver: Driver,
        database: Database,
        table: type[StateVersionRow | StateQuarantineRow],
        run: bool,
        step: bool,
        written_by: dict[str, str],
        fits: bool,
    ) -> None:
        submitted = await driver.submit()
        step_id = (await driver.admit(submitted)).step_id
        row = a_row(
            table,
            driver,
            deployment_id=submitted.deployment_id,
            run_id=submitted.id if run else None,
            step_id=step_id if step else None,
            written_by=written_by,
        )
        refused_by = None if fits else f"ck_{table.__tablename__}_written_by"
        assert await refusal(database, driver, row) == refused_by

    async def test_the_same_bytes_of_the_same_writer_go_aside_once(
        self, driver: Driver, database: Database
    ) -> None:
        deployment_id = (await driver.submit()).deployment_id
        twice = [
            a_row(StateQuarantineRow, driver, deployment_id=deployment_id, written_by=A_PERSON) for _ in range(2)
        ]
        assert await refusal(database, driver, *twice) == "uq_state_quarantine_bytes"


def a_row(
    table: type[StateVersionRow | StateQuarantineRow], driver: Driver, **columns: object
) -> StateVersionRow | StateQuarantineRow:
    if table is StateQuarantineRow:
        columns["reason"] = "serial"
    return table(
        organization_id=driver.scope.organization_id,
        id=new_id(),
        serial=1,
        lineage="a",
        sha256="ab" * 32,
        size=1,
        blob="ab" * 32,
        **columns,
    )
