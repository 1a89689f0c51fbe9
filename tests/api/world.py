"""A world with one of everything in one organization, for the tests that try another one's key on all of it.

A new route with a path parameter or a body that is not known here fails those tests until it is added.
"""

from dataclasses import dataclass, field

import httpx2

from domain.ids import new_id
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    MODULES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.signing import Signer

SIGNER = Signer()
SHORTEST_TELLING = 12
"""Shorter values, such as a version or an operating system, are in many answers by chance."""


@dataclass(frozen=True, slots=True)
class World:
    """What there is: a value for each path parameter, and a body for each operation that takes one."""

    owner: Caller
    parameters: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, object] = field(default_factory=dict)
    """By operation; a function makes one that is good once only."""
    by_reference: frozenset[str] = frozenset()
    """Operations whose body names a thing of the owner's, so that a stranger's answer is a 404 too."""

    @property
    def secrets(self) -> list[str]:
        """What must stand in no answer to a stranger: the owner's ids, names and keys."""
        names = [self.owner.organization.slug, str(self.owner.organization.id), *self.parameters.values()]
        return [name for name in names if len(name) >= SHORTEST_TELLING]


async def make_world(client: httpx2.AsyncClient, owner: Caller) -> World:
    """Make one of everything through the public API."""
    key = (await client.post("/api/v1/api-keys", json={"name": "world"}, headers=owner.headers)).json()
    namespace = await claim_namespace(client, owner)
    gpg_key = await add_key(client, owner, namespace, SIGNER)
    package = a_provider_zip("clock-of-the-owner")
    release = Release(SIGNER, type="clock-of-the-owner", packages={LINUX: package})
    module, provider = a_module(namespace, name="module-of-the-owner"), a_provider(namespace, release)
    for where, form in ((MODULES, module), (PROVIDERS, provider)):
        published = await publish(client, owner, where, form)
        assert published.status_code == 201, published.text
    for path in (
        f"modules/{namespace}/module-of-the-owner/aws/versions",
        f"modules/{namespace}/module-of-the-owner/aws/{release.version}/download",
        f"providers/{namespace}/{release.type}/versions",
        f"providers/{namespace}/{release.type}/{release.version}/download/{LINUX.os}/{LINUX.arch}",
    ):
        answer = await client.get(f"/v1/{path}", headers=owner.headers)  # so that the cache is warm
        assert answer.status_code == 200, answer.text
    source = {"source": f"{namespace}/module-of-the-owner/aws", "version": release.version}
    tier = {"name": "tier-of-the-owner", "module": source}
    await client.post("/api/v1/provisioning/tiers", json=tier, headers=owner.headers)
    submitted = {"deployment": "deployment-of-the-owner", "module": source}
    run = (await client.post("/api/v1/runs", json=submitted, headers=owner.headers)).json()
    return World(
        owner,
        parameters={
            "run_id": run["id"],
            "job_id": run["id"],
            "deployment_id": run["deployment_id"],
            "key_id": key["id"],
            "namespace": namespace,
            "gpg_key_id": str(gpg_key["id"]),
            "name": "module-of-the-owner",
            "system": "aws",
            "version": release.version,
            "type": release.type,
            "os": LINUX.os,
            "arch": LINUX.arch,
        },
        by_reference=frozenset({"publish_module", "publish_provider", "create_tier", "submit_run", "provision"}),
        bodies={
            "claim_namespace": lambda: {"name": f"ns{new_id().hex}"},
            "add_gpg_key": {"ascii_armor": Signer().public},
            "publish_module": module,
            "publish_provider": provider,
            "create_tier": tier | {"name": "strangers"},
            "submit_run": submitted,
            "approve_run": {},
            "reject_run": {},
            "acknowledge_run": None,
            "cancel_run": None,
            "reveal_run_outputs": None,
            "provision": {
                "tenant_id": str(owner.organization.id),
                "tenant_slug": "a-customer",
                "poc_config": {"poc_tier": "tier-of-the-owner"},
            },
            "create_api_key": {"name": "stranger's"},
            "create_organization": {
                "slug": "intruder",
                "display_name": "Intruder",
                "administrator_email": "in@truder.example",
            },
        },
    )
