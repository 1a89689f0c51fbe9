"""What there is of provisioning in the world of tests.api.world."""

from sqlalchemy import text

from domain.provisioning.steps import StepOutput
from tests.api.world import Body, World
from tests.factories.modules import Published
from tests.factories.runs import Driver, a_state

OUTPUTS = {
    "shown": StepOutput(value="a-value-of-the-owner", type="string", sensitive=False),
    "hidden": StepOutput(value="a-secret-of-the-owner", type="string", sensitive=True),
}


async def add_things(world: World) -> None:
    """Make a tier, a deployment by a run that has left all that a run can leave, and runs that wait in line."""
    source = f"{world.parameters['namespace']}/module-of-the-owner/aws"
    module = Published(source, world.parameters["version"])
    tier = {"name": "tier-of-the-owner", "module": module.as_json()}
    made = await world.client.post("/api/v1/provisioning/tiers", json=tier, headers=world.owner.headers)
    assert made.status_code == 201, made.text
    driver = Driver(world.services, world.owner.scope, module)
    run = await driver.submit(deployment="deployment-of-the-owner")
    await driver.plan(run)
    await driver.approve(run)
    await driver.apply(run, outputs=OUTPUTS, state=a_state(1), log=b"a-line-of-the-owner\n")
    await _fill_the_line(world, driver)
    world.parameters |= {
        "run_id": str(run.id),
        "job_id": str(run.id),
        "deployment_id": str(run.deployment_id),
    }
    world.bodies |= {
        "create_tier": Body(tier | {"name": "strangers"}, names_a_thing=True),
        "submit_run": Body({"deployment": "strangers", "module": module.as_json()}, names_a_thing=True),
        "approve_run": Body({}),
        "reject_run": Body({}),
        "acknowledge_run": Body(),
        "cancel_run": Body(),
        "reveal_run_outputs": Body(),
        "provision": Body(
            lambda asker: {
                "tenant_id": str(asker),
                "tenant_slug": "a-customer",
                "poc_config": {"poc_tier": tier["name"]},
            },
            names_a_thing=True,
        ),
    }


async def _fill_the_line(world: World, driver: Driver) -> None:
    """Let a run go on from the one before, one wait for it, and one for a permit, of which there is none left."""
    for _ in range(2):
        await driver.submit(deployment="deployment-of-the-owner", module_source=None, module_version=None)
    at_once = await driver.submit(deployment="another-of-the-owner")
    assert (await driver.look(at_once)).admitted_at is not None
    async with world.database_owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO permit (organization_id, environment, capacity) VALUES (:id, '', 1) "
                "ON CONFLICT (organization_id, environment) DO UPDATE SET capacity = 1"
            ),
            {"id": driver.scope.organization_id},
        )
    waiting = await driver.submit(deployment="a-third-of-the-owner")
    assert (await driver.look(waiting)).admitted_at is None
