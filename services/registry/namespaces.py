"""Use cases on namespaces."""

from uuid import UUID

from domain.idempotency import Claim
from domain.ids import new_id
from domain.registry.names import check_namespace, skeleton
from domain.registry.namespaces import Namespace
from domain.scope import Scope
from storage import audit, idempotency
from storage.database import Database
from storage.registry import namespaces
from storage.registry.tables import NamespaceRow


class Namespaces:
    """Claims namespaces for organizations, for good: addresses that people rely on never change hands."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def claim(self, scope: Scope, name: str, idempotency_key: Claim | None = None) -> tuple[Namespace, bool]:
        """Claim a namespace; give it, and whether it is new. Again is harmless.

        Raises:
            NameInvalid, NamespaceReserved, NamespaceTaken, NamespaceConfusable, IdempotencyKeyReused.
        """
        check_namespace(name)
        async with self._database.transaction(scope) as session:
            row = NamespaceRow(
                organization_id=scope.organization_id, id=new_id(), name=name, skeleton=skeleton(name)
            )
            await idempotency.claim(session, scope, idempotency_key, row.id)  # the name says whether it is new
            is_new = await namespaces.claim(session, row)
            if is_new:
                audit.record(session, scope, "registry.namespace_claimed", ("namespace", name))
            claimed = await namespaces.get(session, scope.organization_id, name)
            return Namespace.model_validate(claimed), is_new

    async def page(self, scope: Scope, *, after: UUID | None, limit: int) -> list[Namespace]:
        """List the organization's namespaces in order of claiming."""
        async with self._database.transaction(scope) as session:
            rows = await namespaces.page(session, scope.organization_id, after=after, limit=limit)
            return [Namespace.model_validate(row) for row in rows]
