"""Queries on the installation as a whole."""

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Interval, Subquery, func, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from domain.operations import HinderedDocuments, RefusedReleases, UndeliveredWake, WaitingRun
from domain.provisioning.run_states import WORKING, RunState
from domain.registry.documents import DocumentsState
from storage.deployments.tables import DeploymentRow
from storage.outbox import OutboxRow
from storage.provisioning.tables import RunRow, RunStepRow, TierRow
from storage.registry.tables import (
    GpgKeyRow,
    ModuleDocumentsRow,
    ProviderVersionRow,
    VerificationRequestRow,
)

_WAITS: Final = (RunRow.admitted_at.is_(None), RunRow.finished_at.is_(None))


async def refused_releases(session: AsyncSession) -> RefusedReleases:
    """Count the releases that are not served."""
    row = ProviderVersionRow
    of_key = (GpgKeyRow.organization_id == row.organization_id) & (GpgKeyRow.id == row.gpg_key_id)
    revoked = (
        select(func.count()).select_from(row).join(GpgKeyRow, of_key).where(GpgKeyRow.revoked_at.is_not(None))
    )
    refused = select(func.count()).select_from(row).where(row.refused_at.is_not(None))
    counted = await session.execute(select(refused.scalar_subquery(), revoked.scalar_subquery()))
    by_verification, by_key = counted.one()
    return RefusedReleases(by_verification, by_key)


async def outbox(session: AsyncSession) -> tuple[int, timedelta]:
    """Count the wakes that wait, and tell the age of the oldest."""
    age = type_coerce(func.now() - func.min(OutboxRow.created_at), Interval)
    waiting, oldest = (await session.execute(select(func.count(), age).select_from(OutboxRow))).one()
    return waiting, oldest or timedelta()


async def oldest_wake(session: AsyncSession) -> UndeliveredWake | None:
    """Read the wake that waits longest, with what kept it from Temporal the last time."""
    age = type_coerce(func.now() - OutboxRow.created_at, Interval)
    query = select(OutboxRow.organization_id, OutboxRow.workflow_id, OutboxRow.attempts, age, OutboxRow.last_error)
    row = (await session.execute(query.order_by(OutboxRow.created_at).limit(1))).one_or_none()
    return None if row is None else UndeliveredWake(*row)


async def unfinished_runs(session: AsyncSession) -> list[tuple[str, RunState, int]]:
    """Count the runs that have not ended by tier (empty for none) and state."""
    return await _by_tier_and_state(session, RunRow.due_at.is_not(None))  # by the index of those


async def finished_runs(session: AsyncSession, within: timedelta) -> list[tuple[str, RunState, int]]:
    """Count the runs that ended within a time, which bounds what has to be read, by tier and state."""
    return await _by_tier_and_state(session, RunRow.finished_at > func.now() - within)


async def _by_tier_and_state(session: AsyncSession, which: ColumnElement[bool]) -> list[tuple[str, RunState, int]]:
    tier = func.coalesce(TierRow.name, "")
    counted = await session.execute(
        select(tier, RunRow.state, func.count())
        .outerjoin(TierRow, (TierRow.organization_id == RunRow.organization_id) & (TierRow.id == RunRow.tier_id))
        .where(which)
        .group_by(tier, RunRow.state)
    )
    return [(name, RunState(state), count) for name, state, count in counted]


async def waiting_runs(session: AsyncSession) -> tuple[int, timedelta]:
    """Count the runs that wait to be admitted, and tell the age of the oldest."""
    age = type_coerce(func.now() - func.min(RunRow.created_at), Interval)
    waiting, oldest = (await session.execute(select(func.count(), age).where(*_WAITS))).one()
    return waiting, oldest or timedelta()


async def oldest_waiting_run(session: AsyncSession) -> WaitingRun | None:
    """Name the run that has waited longest to be admitted."""
    query = select(RunRow.organization_id, RunRow.id, RunRow.state, RunRow.created_at.label("since"))
    return await _oldest(session, query.where(*_WAITS).subquery())


async def oldest_in_backlog(session: AsyncSession) -> WaitingRun | None:
    """Name the admitted run that somebody should have been at for longest."""
    return await _oldest(session, _backlog())


async def blocked_deployments(session: AsyncSession) -> int:
    """Count the deployments that wait for a person to look after what a run left."""
    query = select(func.count()).select_from(DeploymentRow).where(DeploymentRow.blocked_by_run_id.is_not(None))
    return (await session.execute(query)).scalar_one()


async def oldest_blocking_run(session: AsyncSession) -> WaitingRun | None:
    """Name the run that has blocked its deployment for longest."""
    query = select(RunRow.organization_id, RunRow.id, RunRow.state, RunRow.finished_at.label("since")).join(
        DeploymentRow,
        (DeploymentRow.organization_id == RunRow.organization_id) & (DeploymentRow.blocked_by_run_id == RunRow.id),
    )
    return await _oldest(session, query.subquery())


async def _oldest(session: AsyncSession, waiting: Subquery) -> WaitingRun | None:
    age = type_coerce(func.now() - waiting.c.since, Interval)
    query = (
        select(waiting.c.organization_id, waiting.c.id, waiting.c.state, age).order_by(waiting.c.since).limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else WaitingRun(row[0], row[1], RunState(row[2]), row[3])


async def backlog(session: AsyncSession) -> list[tuple[RunState, int, timedelta]]:
    """Count the admitted runs that somebody should be at and nobody is, by state, with the age of the oldest."""
    waiting = _backlog()
    age = type_coerce(func.now() - func.min(waiting.c.since), Interval)
    query = select(waiting.c.state, func.count(), age).group_by(waiting.c.state)
    return [(RunState(state), count, oldest) for state, count, oldest in await session.execute(query)]


def _backlog() -> Subquery:
    """Find the runs that wait for a worker: since they were admitted, approved, or their last step was left."""
    step_is_live = RunStepRow.finished_at.is_(None) & (RunStepRow.lease_expires_at > func.now())
    step_left = func.max(func.coalesce(RunStepRow.finished_at, RunStepRow.lease_expires_at))
    return (
        select(
            RunRow.organization_id,
            RunRow.id,
            RunRow.state,
            func.greatest(RunRow.admitted_at, RunRow.decided_at, step_left).label("since"),
        )
        .outerjoin(
            RunStepRow,
            (RunStepRow.organization_id == RunRow.organization_id) & (RunStepRow.run_id == RunRow.id),
        )
        .where(
            RunRow.due_at.is_not(None),  # not final; by the index of those
            RunRow.admitted_at.is_not(None),
            RunRow.state.in_(sorted(WORKING)),
        )
        .group_by(RunRow.organization_id, RunRow.id)
        .having(~func.coalesce(func.bool_or(step_is_live), False))
        .subquery()
    )


async def transfer_backlog(session: AsyncSession) -> tuple[int, timedelta]:
    """Count the documents that are to be read and the verifications that are to be made, with the oldest's age."""
    since = (
        select(ModuleDocumentsRow.asked_at)
        .where(ModuleDocumentsRow.due_at.is_not(None))  # by the index of those
        .union_all(select(VerificationRequestRow.asked_at))
        .subquery()
    )
    age = type_coerce(func.now() - func.min(since.c.asked_at), Interval)
    waiting, oldest = (await session.execute(select(func.count(), age).select_from(since))).one()
    return waiting, oldest or timedelta()


async def documents_by_state(session: AsyncSession) -> list[tuple[DocumentsState, int]]:
    """Count the module versions by how far their documents are."""
    states = select(ModuleDocumentsRow.state, func.count()).group_by(ModuleDocumentsRow.state)
    counted = {DocumentsState(state): count for state, count in await session.execute(states)}
    return [(state, counted.get(state, 0)) for state in DocumentsState]


_HINDERED: Final = (ModuleDocumentsRow.due_at.is_not(None), ModuleDocumentsRow.reason.is_not(None))


async def hindered_documents(session: AsyncSession) -> int:
    """Count the module versions whose documents could not be read here when that was tried last."""
    query = select(func.count()).select_from(ModuleDocumentsRow).where(*_HINDERED)
    return (await session.execute(query)).scalar_one()


async def oldest_hindered_documents(session: AsyncSession) -> HinderedDocuments | None:
    """Name the first of those, with the reason."""
    row = ModuleDocumentsRow
    age = type_coerce(func.now() - row.asked_at, Interval)
    query = select(row.organization_id, row.module_version_id, row.reason, age).where(*_HINDERED)
    found = (await session.execute(query.order_by(row.asked_at).limit(1))).one_or_none()
    return None if found is None else HinderedDocuments(found[0], found[1], found[2] or "", found[3])


async def readiness(session: AsyncSession) -> tuple[bool, str | None]:
    """Tell whether this session may write, and the newest migration that the database has seen: one question."""
    question = text(
        "SELECT current_setting('transaction_read_only') = 'off', (SELECT version_num FROM alembic_version)"
    )
    writable, revision = (await session.execute(question)).one()
    return writable, revision


async def make_audit_partitions(session: AsyncSession) -> int:
    """Have the owner's function make the partitions that are missing."""
    made: int = (await session.execute(select(func.make_audit_partitions()))).scalar_one()
    return made
