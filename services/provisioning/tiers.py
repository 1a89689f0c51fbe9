"""Use cases on tiers."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domain.deployments.sources import EngineName
from domain.idempotency import Claim
from domain.ids import new_id
from domain.provisioning.errors import TierNotFound
from domain.provisioning.inputs import Inputs
from domain.provisioning.offers import check_engine
from domain.provisioning.runs import Tier
from domain.scope import Scope
from services.provisioning.submission import find_module
from storage import audit, idempotency
from storage.database import Database
from storage.provisioning import tiers
from storage.provisioning.tables import TierRow


@dataclass(frozen=True, slots=True)
class CreateTier:
    """What it takes to create a tier."""

    name: str
    description: str
    engine: EngineName
    module_source: str
    module_version: str
    inputs: Inputs
    environment: str
    estimated_duration: timedelta


class Tiers:
    """Creates tiers and shows them. A tier never changes: runs that name it keep meaning what they meant."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def create(self, scope: Scope, request: CreateTier, claim: Claim | None) -> Tier:
        """Create a tier; the same claim again gives the one that the first made.

        Raises:
            NotOffered, ModuleUnknown, ModuleYanked, TierExists, IdempotencyKeyReused.
        """
        check_engine(request.engine)
        tier_id = new_id()
        async with self._database.transaction(scope) as session:
            claimed = await idempotency.claim(session, scope, claim, tier_id)
            if claimed != tier_id:
                return Tier.model_validate(await tiers.get(session, scope.organization_id, claimed))
            module = await find_module(session, scope, request.module_source, request.module_version)
            module.check_offered()
            row = TierRow(
                organization_id=scope.organization_id,
                id=tier_id,
                name=request.name,
                description=request.description,
                engine=request.engine,
                module_source=module.source,
                module_version=module.version,
                inputs=request.inputs,
                environment=request.environment,
                estimated_duration=request.estimated_duration,
            )
            await tiers.add(session, row)
            audit.record(session, scope, "provisioning.tier_defined", ("tier", row.id), name=row.name)
            return Tier.model_validate(row)

    async def by_name(self, scope: Scope, name: str) -> Tier:
        """Give the tier that a request names.

        Raises:
            TierNotFound.
        """
        async with self._database.transaction(scope) as session:
            row = await tiers.find(session, scope.organization_id, name)
            if row is None:
                raise TierNotFound(f"there is no tier {name}; define it, or see the list of tiers", tier=name)
            return Tier.model_validate(row)

    async def page(self, scope: Scope, *, after: UUID | None, limit: int) -> list[Tier]:
        """List the organization's tiers in order of making."""
        async with self._database.transaction(scope) as session:
            rows = await tiers.page(session, scope.organization_id, after=after, limit=limit)
            return [Tier.model_validate(row) for row in rows]
