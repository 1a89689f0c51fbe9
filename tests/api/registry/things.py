"""What there is of the registry in the world of tests.api.world."""

from tests.api.world import Body, World
from tests.factories.registry import (
    LINUX,
    MODULES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    new_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.signing import Signer

SIGNER = Signer()


async def add_things(world: World) -> None:
    """Claim a namespace, and publish a module and a signed provider in it."""
    namespace = await claim_namespace(world.client, world.owner)
    gpg_key = await add_key(world.client, world.owner, namespace, SIGNER)
    package = a_provider_zip("clock-of-the-owner")
    release = Release(SIGNER, type="clock-of-the-owner", packages={LINUX: package})
    module, provider = a_module(namespace, name="module-of-the-owner"), a_provider(namespace, release)
    for where, form in ((MODULES, module), (PROVIDERS, provider)):
        published = await publish(world.client, world.owner, where, form)
        assert published.status_code == 201, published.text
    world.parameters |= {
        "namespace": namespace,
        "gpg_key_id": str(gpg_key["id"]),
        "name": "module-of-the-owner",
        "system": "aws",
        "version": release.version,
        "type": release.type,
        "os": LINUX.os,
        "arch": LINUX.arch,
    }
    world.bodies |= {
        "claim_namespace": Body(lambda _: {"name": new_namespace()}),
        "add_gpg_key": Body(lambda _: {"ascii_armor": Signer().public}),
        "publish_module": Body(module, names_a_thing=True),
        "publish_provider": Body(provider, names_a_thing=True),
        "request_verification": Body(),
        "read_module_documents": Body(),
        "deprecate_module_version": Body({"message": "Old."}),
        "deprecate_provider_version": Body({"message": "Old."}),
        "yank_module_version": Body({"reason": "Broken."}),
        "yank_provider_version": Body({"reason": "Broken."}),
    }
