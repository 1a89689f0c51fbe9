"""What there is of tenants in the world of tests.api.world."""

from domain.ids import new_id
from tests.api.world import Body, World


async def add_things(world: World) -> None:
    """Say what a request for another organization looks like."""
    world.bodies["create_organization"] = Body(
        lambda _: {
            "slug": f"intruder-{new_id().hex}",
            "display_name": "Intruder",
            "administrator_email": "in@truder.example",
        }
    )
