"""What there is of identity in the world of tests.api.world."""

from tests.api.world import Body, World


async def add_things(world: World) -> None:
    """Make a key."""
    body = {"name": "world"}
    made = await world.client.post("/api/v1/api-keys", json=body, headers=world.owner.headers)
    world.parameters["key_id"] = made.json()["id"]
    world.bodies["create_api_key"] = Body({"name": "stranger's"})
