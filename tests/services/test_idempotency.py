"""What is remembered of requests, and for how long."""

import pytest
from sqlalchemy import text

from domain.idempotency import Claim
from domain.ids import new_id
from services.idempotency import IdempotencyKeys
from storage import idempotency
from storage.database import Database
from tests.factories.organizations import Caller

pytestmark = pytest.mark.servers


class TestForgetOld:
    async def test_forgets_keys_after_a_week_and_no_sooner(self, database: Database, caller: Caller) -> None:
        made = {}
        for days in (6, 8):
            claim, made[days] = Claim.of("POST /x", f"{days} days ago", b""), new_id()
            async with database.transaction(caller.scope) as session:
                await session.execute(
                    text(
                        "INSERT INTO idempotency_key"
                        " (organization_id, operation, key, digest, resource_id, created_at)"
                        " VALUES (:organization, :operation, :key, :digest, :made,"
                        " now() - make_interval(days => :days))"
                    ),
                    {
                        "organization": caller.organization.id,
                        "operation": claim.operation,
                        "key": claim.key,
                        "digest": claim.digest,
                        "made": made[days],
                        "days": days,
                    },
                )
        await IdempotencyKeys(database).forget_old()
        async with database.transaction(caller.scope) as session:
            for days, is_known in ((6, True), (8, False)):
                claim = Claim.of("POST /x", f"{days} days ago", b"")
                found = await idempotency.claim(session, caller.scope, claim, new_id())
                assert (found == made[days]) == is_known
