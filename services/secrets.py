"""Envelope encryption: what is secret is sealed before it is stored, for one organization and one purpose.

A sealed value is `1 | data key id (16) | nonce (12) | AES-256-GCM ciphertext`. Its associated data is the
organization, the kind and the id of the thing, so that a value moved to another row, kind or organization does
not open. Data keys belong to an organization and are stored wrapped by the key-encryption key (NIST SP 800-38D
for the mode; the same construction seals the data key).
"""

import asyncio
import json
import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import JsonValue

from domain.errors import SealBroken
from domain.ids import new_id
from domain.scope import Scope
from storage.database import Database
from storage.identity import data_keys

FORMAT: Final = b"\x01"
NONCE_BYTES: Final = 12
HEADER_BYTES: Final = 1 + 16 + NONCE_BYTES


class SealedKind(StrEnum):
    """What may be sealed. The word is bound into the value, so one that is used never changes."""

    DATA_KEY = "data_key"
    STATE = "state"
    PLAN = "plan"
    PLAN_TEXT = "plan_text"
    LOCK_FILE = "lock_file"
    RUN_OUTPUT = "run_output"
    RUN_SECRET_INPUT = "run_secret_input"  # noqa: S105  a kind of what is sealed, no secret


class Envelope:
    """Seals and opens values. One instance per process; it keeps unwrapped data keys in memory."""

    def __init__(self, database: Database, key_encryption_key: bytes) -> None:
        """Take the 32 bytes that wrap the data keys."""
        self._database = database
        self._wrapping = AESGCM(key_encryption_key)
        self._opened: dict[UUID, AESGCM] = {}
        self._newest: dict[UUID, UUID] = {}
        self._making = asyncio.Lock()

    async def seal(self, scope: Scope, kind: SealedKind, thing: UUID | str, plaintext: bytes) -> bytes:
        """Encrypt a value of the scope's organization.

        Args:
            scope: whose value it is.
            kind: what it is; opening needs the same.
            thing: the id of what it belongs to; opening needs the same.
            plaintext: the value.
        """
        key_id = self._newest.get(scope.organization_id) or await self._make_or_load(scope)
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._opened[key_id].encrypt(nonce, plaintext, _bound_to(scope.organization_id, kind, thing))
        return FORMAT + key_id.bytes + nonce + sealed

    async def open(self, scope: Scope, kind: SealedKind, thing: UUID | str, sealed: bytes) -> bytes:
        """Decrypt a value.

        Raises:
            SealBroken: changed, moved, or sealed with another key.
        """
        if len(sealed) < HEADER_BYTES or sealed[:1] != FORMAT:
            raise SealBroken("this is not a sealed value", kind=kind)
        key_id, nonce = UUID(bytes=sealed[1:17]), sealed[17:HEADER_BYTES]
        key = self._opened.get(key_id) or await self._load(scope, key_id)
        try:
            return key.decrypt(nonce, sealed[HEADER_BYTES:], _bound_to(scope.organization_id, kind, thing))
        except InvalidTag as error:
            raise SealBroken("the sealed value does not open", kind=kind) from error

    async def seal_values(
        self, scope: Scope, kind: SealedKind, thing: UUID, values: Mapping[str, JsonValue]
    ) -> dict[str, bytes]:
        """Encrypt values of one thing, each bound to its name as well."""
        return {
            name: await self.seal(scope, kind, f"{thing}/{name}", json.dumps(value).encode())
            for name, value in values.items()
        }

    async def open_values(
        self, scope: Scope, kind: SealedKind, thing: UUID, sealed: Mapping[str, bytes]
    ) -> dict[str, JsonValue]:
        """Decrypt what `seal_values` gave.

        Raises:
            SealBroken: see `open`.
        """
        return {
            name: json.loads(await self.open(scope, kind, f"{thing}/{name}", value))
            for name, value in sealed.items()
        }

    async def check_key(self) -> None:
        """See whether the key-encryption key is the one that the installation's data keys were wrapped with.

        Raises:
            SealBroken: it is another one.
            Unavailable.
        """
        async with self._database.platform("check the key-encryption key") as session:
            row = await data_keys.newest_of_all(session)
            found = None if row is None else (row.organization_id, row.id, row.wrapped)
        if found is not None:
            self._unwrap(*found)

    async def _make_or_load(self, scope: Scope) -> UUID:
        async with self._making:
            if known := self._newest.get(scope.organization_id):
                return known
            key_id, fresh = new_id(), AESGCM.generate_key(256)
            wrapped = self._wrap(scope.organization_id, key_id, fresh)
            async with self._database.transaction(scope) as session:
                row = await data_keys.newest_or_add(session, scope.organization_id, key_id, wrapped)
                found_id, found = row.id, row.wrapped
            self._opened[found_id] = self._unwrap(scope.organization_id, found_id, found)
            self._newest[scope.organization_id] = found_id
            return found_id

    async def _load(self, scope: Scope, key_id: UUID) -> AESGCM:
        async with self._database.transaction(scope) as session:
            wrapped = await data_keys.find(session, scope.organization_id, key_id)
        if wrapped is None:
            raise SealBroken("the sealed value does not open", kind=SealedKind.DATA_KEY)
        self._opened[key_id] = self._unwrap(scope.organization_id, key_id, wrapped)
        return self._opened[key_id]

    def _wrap(self, organization_id: UUID, key_id: UUID, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, key, _bound_to(organization_id, SealedKind.DATA_KEY, key_id))

    def _unwrap(self, organization_id: UUID, key_id: UUID, wrapped: bytes) -> AESGCM:
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            key = self._wrapping.decrypt(nonce, sealed, _bound_to(organization_id, SealedKind.DATA_KEY, key_id))
        except InvalidTag as error:
            raise SealBroken(
                "the key-encryption key (secrets.key_encryption_key_file) is not the one that this installation's "
                "data was stored with: restore that file from a backup; a new key opens nothing of it"
            ) from error
        return AESGCM(key)


def _bound_to(organization_id: UUID, kind: SealedKind, thing: UUID | str) -> bytes:
    return f"{organization_id}\n{kind}\n{thing}".encode()
