"""Use cases on the keys that provider releases are signed with."""

import asyncio
from uuid import UUID

from domain.idempotency import Claim
from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.ids import new_id
from domain.registry.errors import GpgKeyNotFound, GpgKeyRevoked, SignatureKeyRevoked
from domain.registry.gpg_keys import GpgKey
from domain.scope import Scope
from integrations.public_keys import merge_public_keys, read_public_key
from services.changes import Changes
from services.registry.changing import changing
from services.registry.refusals import log_refused
from storage import audit, idempotency
from storage.database import Database, now
from storage.registry import gpg_keys, namespaces, providers
from storage.registry.changes import note_unseen
from storage.registry.tables import GpgKeyRow


class GpgKeys:
    """Keeps the public keys of namespaces."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._changes = changes

    async def add(
        self, scope: Scope, namespace: str, ascii_armor: str, claim: Claim | None = None
    ) -> tuple[GpgKey, bool]:
        """Add a key to a namespace, or bring a known one up to date (prolonged, with another subkey).

        What was known of a key is kept, so that releases it signed stay good: see merge_public_keys.
        The same claim again changes nothing: what was removed or brought up to date since stays so.

        Returns:
            The key, and whether it is new.

        Raises:
            PermissionDenied, NamespaceNotFound: before the key is read.
            GpgKeyInvalid: see integrations.public_keys.
            GpgKeyRevoked, IdempotencyKeyReused.
            GpgKeyNotFound: an earlier request with this claim added it, and it was removed since.
        """
        scope.require(Permission.GPG_KEY_MANAGE, Target(namespace=namespace))
        async with self._database.transaction(scope) as session:
            await namespaces.get(session, scope.organization_id, namespace)
        key = await asyncio.to_thread(read_public_key, ascii_armor)
        async with changing(self._database, self._changes, scope) as session:
            new = GpgKeyRow(
                organization_id=scope.organization_id,
                id=new_id(),
                namespace=namespace,
                fingerprint=key.fingerprint,
                key_id=key.key_id,
                subkeys=sorted(key.subkeys),
                user_ids=key.user_ids,
                ascii_armor=key.ascii_armor,
                expires_at=key.expires_at,
            )
            if await idempotency.claim(session, scope, claim, new.id) != new.id:
                known = await gpg_keys.find_by_fingerprint(
                    session, scope.organization_id, namespace, key.fingerprint
                )
                if known is None:
                    raise GpgKeyNotFound("this request added the key before, and it was removed since")
                note_unseen(session)
                return GpgKey.model_validate(known).seen_at(await now(session)), False
            row, is_new = await gpg_keys.add_or_lock(session, new)
            if row.revoked_at is not None:
                raise GpgKeyRevoked("this key was revoked here; sign with another", fingerprint=key.fingerprint)
            if not is_new:  # under the row's lock, so that of two exports at once neither is lost
                key = merge_public_keys(row.ascii_armor, key)
            row.subkeys = sorted(key.subkeys)
            row.user_ids = key.user_ids
            row.ascii_armor = key.ascii_armor
            row.expires_at = key.expires_at
            audit.record(
                session,
                scope,
                "registry.gpg_key_added" if is_new else "registry.gpg_key_updated",
                ("gpg_key", row.id),
                namespace=namespace,
                fingerprint=key.fingerprint,
                expires_at=key.expires_at,
            )
            return GpgKey.model_validate(row).seen_at(await now(session)), is_new

    async def list(self, scope: Scope, namespace: str) -> list[GpgKey]:
        """List a namespace's keys in order of adding, revoked ones included.

        Raises:
            NamespaceNotFound.
        """
        async with self._database.transaction(scope) as session:
            await namespaces.get(session, scope.organization_id, namespace)
            rows = await gpg_keys.of_namespace(session, scope.organization_id, namespace)
            moment = await now(session)
            return [GpgKey.model_validate(row).seen_at(moment) for row in rows]

    async def remove(self, scope: Scope, namespace: str, key_id: UUID) -> None:
        """Take a key out of use for good; again is harmless.

        One that signed nothing is deleted. One that signed releases is revoked instead: it stays in the list, and
        those releases can no longer be installed, since nothing vouches for them any more.

        Raises:
            PermissionDenied, NamespaceNotFound, GpgKeyNotFound.
        """
        scope.require(Permission.GPG_KEY_MANAGE, Target(namespace=namespace))
        async with changing(self._database, self._changes, scope) as session:
            await namespaces.get(session, scope.organization_id, namespace)
            row = await gpg_keys.get(session, scope.organization_id, namespace, key_id)
            if row.revoked_at is not None:
                note_unseen(session)
                return
            signed = await gpg_keys.has_signed(session, scope.organization_id, row.id)
            refused = await providers.releases_of_key(session, scope.organization_id, row.id)
            if signed:
                row.revoked_at = await now(session)
                await session.flush()  # what can be installed is asked of the rows
                for provider in await providers.signed_by(session, scope.organization_id, row.id):
                    await providers.note_latest(session, provider)
            else:
                await session.delete(row)
            audit.record(
                session,
                scope,
                "registry.gpg_key_revoked" if signed else "registry.gpg_key_removed",
                ("gpg_key", row.id),
                namespace=namespace,
                fingerprint=row.fingerprint,
            )
        for address, version in refused:
            log_refused(scope, address, version, SignatureKeyRevoked("the key that signed it was revoked"))
