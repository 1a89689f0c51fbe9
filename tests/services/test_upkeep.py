"""The upkeep of the installation itself, which the tick asks for."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.idempotency import Claim
from domain.ids import new_id
from domain.registry.downloads import DownloadKind
from services import upkeep
from services.all import Services
from storage import idempotency
from storage.database import Database
from storage.registry import download_batches, download_counts
from tests.factories.organizations import Caller

pytestmark = pytest.mark.servers

USED = text(
    "INSERT INTO idempotency_key (organization_id, operation, key, digest, resource_id, created_at)"
    " VALUES (:organization, :operation, :key, :digest, :made, now() - make_interval(days => :days))"
)


async def use_key(database: Database, caller: Caller, *, days: int) -> tuple[Claim, object]:
    """Use a key so many days ago; give its claim, and what the request made."""
    claim, made = Claim.of("POST /x", f"{days} days ago", b""), new_id()
    async with database.transaction(caller.scope) as session:
        used = {"operation": claim.operation, "key": claim.key, "digest": claim.digest, "made": made, "days": days}
        await session.execute(USED, used | {"organization": caller.organization.id})
    return claim, made


class TestLookAfter:
    async def test_forgets_keys_after_a_week_and_no_sooner(
        self, services: Services, database: Database, caller: Caller
    ) -> None:
        used = {days: await use_key(database, caller, days=days) for days in (6, 8)}
        await services.upkeep.look_after()
        async with database.transaction(caller.scope) as session:
            for days, is_known in ((6, True), (8, False)):
                claim, made = used[days]
                found = await idempotency.claim(session, caller.scope, claim, new_id())
                assert (found == made) == is_known

    async def test_forgets_a_bounded_number_at_a_time_the_oldest_first(
        self, services: Services, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await services.upkeep.look_after()  # what tests before this one left
        monkeypatch.setattr(upkeep, "MOST_KEYS", 1)
        for days in (9, 10):
            await use_key(database, caller, days=days)
        left = []
        for _ in range(3):
            done = (await services.upkeep.look_after()).done
            async with database.transaction(caller.scope) as session:
                keys = list(await session.scalars(text("SELECT key FROM idempotency_key")))
            left.append((done, keys))
        assert left == [({"keys_forgotten": 1}, ["9 days ago"]), ({"keys_forgotten": 1}, []), ({}, [])]

    async def test_forgets_counts_of_downloads_after_four_hundred_days_but_not_their_sum(
        self, services: Services, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await services.upkeep.look_after()
        monkeypatch.setattr(upkeep, "MOST_COUNTS", 1)
        version_id, module_id = new_id(), new_id()
        async with database.transaction(caller.scope) as session:
            counts = [
                download_batches.Count(DownloadKind.MODULE, version_id, module_id, new_id(), "tofu", 3)
                for _ in range(3)
            ]
            await download_batches.add(session, caller.organization.id, counts)
            age = text(
                "UPDATE download_count SET hour = now() - make_interval(days => :days) WHERE api_key_id = :key"
            )
            for count, days in zip(counts, (399, 401, 402), strict=True):
                await session.execute(age, {"days": days, "key": count.api_key_id})
        done = [(await services.upkeep.look_after()).done for _ in range(3)]
        assert done == [{"counts_forgotten": 1}, {"counts_forgotten": 1}, {}]
        async with database.transaction(caller.scope) as session:
            keys = list(await session.scalars(text("SELECT api_key_id FROM download_count")))
            assert keys == [counts[0].api_key_id]
            totals = await download_counts.totals(session, caller.organization.id, [module_id])
            assert totals[module_id] == 9

    async def test_forgets_batches_of_downloads_after_a_day(
        self, services: Services, database: Database, caller: Caller, owner: AsyncEngine
    ) -> None:
        organization_id, (today, yesterday) = caller.organization.id, (new_id(), new_id())
        async with database.transaction(caller.scope) as session:
            for batch_id in (today, yesterday):
                assert await download_batches.is_new(session, organization_id, batch_id)
        async with owner.begin() as connection:
            age = text("UPDATE download_batch SET written_at = now() - interval '25 hours' WHERE id = :id")
            await connection.execute(age, {"id": yesterday})
        assert (await services.upkeep.look_after()).done == {"batches_forgotten": 1}
        async with database.transaction(caller.scope) as session:
            assert not await download_batches.is_new(session, organization_id, today)
            assert await download_batches.is_new(session, organization_id, yesterday)

    async def test_makes_partitions_of_the_audit_that_are_missing(
        self, services: Services, owner: AsyncEngine
    ) -> None:
        async with owner.begin() as connection:
            last = await connection.scalar(
                text("SELECT max(relname) FROM pg_class WHERE relname ~ '^audit_event_[0-9]{4}_[0-9]{2}$'")
            )
            await connection.execute(text(f"DROP TABLE {last}"))
        assert (await services.upkeep.look_after()).done == {"partitions_made": 1}
        async with owner.connect() as connection:
            assert await connection.scalar(text("SELECT to_regclass(:name)"), {"name": last}) is not None
