"""Use cases on verifications: of a provider release there are several, the first of which was its publication."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.idempotency import Claim
from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.ids import new_id
from domain.long_work import TRANSFER_QUEUE, TickReport, Wake
from domain.registry.gpg_keys import PublicKey
from domain.registry.names import ProviderAddress
from domain.registry.providers import ProviderPackage, ReleaseNames
from domain.registry.verifications import (
    VERIFY_WORKFLOW,
    RequestedVerification,
    Verification,
    VerificationReference,
    VerificationReport,
    VerificationResult,
    VerifiedFile,
    kept_files,
)
from domain.scope import PLATFORM, Scope
from services.areas import look_after_overdue
from services.changes import Changes
from services.registry.changing import changing
from services.registry.refusals import log_refused
from services.registry.releases import CheckedRelease
from services.registry.verifier import Outcome, ReleaseVerifier
from storage import audit, outbox
from storage.database import Database, Session, now
from storage.idempotency import claim as claim_key
from storage.registry import gpg_keys, providers, verifications
from storage.registry.changes import note_unseen
from storage.registry.tables import ProviderRow, ProviderVersionRow, VerificationRequestRow, VerificationRow
from storage.registry.verifications import Asked

AREA: Final = "registry.verifications"
"""The area that its wakes are of."""
LONGEST_SUMMARY: Final = 398
"""Servers may refuse more than 400 bytes, quotes included (limit.userMetadataSummarySize)."""


class Verifications:
    """Has releases verified again, and tells what each verification found.

    A release that its last check refused is not served until another one verifies it. This is an area of the
    tick too, see services.areas.Area: a verification that was asked for is made, whatever became of its workflow.
    """

    hears_news: Final = False

    def __init__(self, database: Database, verifier: ReleaseVerifier, changes: Changes) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._verifier = verifier
        self._changes = changes

    async def request(
        self, scope: Scope, address: ProviderAddress, version: str, claim: Claim | None = None
    ) -> RequestedVerification:
        """Ask for a verification of a release; while one is asked for and not made, that is the one.

        Raises:
            PermissionDenied, ProviderNotFound, IdempotencyKeyReused.
        """
        scope.require(Permission.PROVIDER_PUBLISH, Target(namespace=address.namespace))
        async with self._database.transaction(scope) as session:
            provider, release = await _release(session, scope, address, version)
            await verifications.lock_release(session, scope.organization_id, release.id)
            request = await verifications.open_request(session, scope.organization_id, release.id)
            wanted = new_id() if request is None else request.id
            claimed = await claim_key(session, scope, claim, wanted)
            if request is not None or claimed != wanted:
                return RequestedVerification(id=claimed, done=request is None or claimed != request.id)
            request = VerificationRequestRow(
                organization_id=scope.organization_id, id=wanted, provider_version_id=release.id
            )
            session.add(request)
            audit.record(
                session,
                scope,
                "registry.verification_requested",
                ("provider_version", release.id),
                verification=wanted,
            )
            await outbox.enqueue(session, scope, wake_of(Asked(request, provider, release)))
            return RequestedVerification(id=wanted, done=False)

    async def page(
        self, scope: Scope, address: ProviderAddress, version: str, *, after: UUID | None, limit: int
    ) -> list[Verification]:
        """List the verifications of a release, served or not, in the order they were asked for.

        Raises:
            ProviderNotFound.
        """
        async with self._database.transaction(scope) as session:
            _, release = await _release(session, scope, address, version)
            rows = await verifications.page(session, scope.organization_id, release.id, after=after, limit=limit)
            return [Verification.model_validate(row) for row in rows]

    async def perform(self, reference: VerificationReference, *, alive: Callable[[], None]) -> VerificationReport:
        """Make a verification that was asked for; one that was made is told of again.

        Args:
            reference: which.
            alive: called with every piece of a file that was read.

        Raises:
            Unavailable: the store or the database does not answer.
        """
        while (report := await self._attempt(reference, alive)) is None:
            pass  # what was read is of before another publication, which takes as long as this: read it again
        return report

    async def _attempt(
        self, reference: VerificationReference, alive: Callable[[], None]
    ) -> VerificationReport | None:
        """Make a verification; None, with nothing recorded, where the release was published again meanwhile."""
        scope = Scope(reference.organization_id, PLATFORM)
        async with self._database.transaction(scope) as session:
            asked = await verifications.find_asked(session, scope.organization_id, reference.verification_id)
            if asked is None:
                return await _report(session, reference)
            address = ProviderAddress(asked.provider.namespace, asked.provider.type)
            names = ReleaseNames(address, asked.release.version)
            files = await _files(session, asked.release, names)
            sent_again_at = asked.request.sent_again_at
        stored = await self._verifier.read(names, files, alive=alive)
        async with self._database.transaction(scope) as session:
            # Not before: reading may take minutes, and whoever asks after a change of keys means that change.
            known = await gpg_keys.of_namespace(session, scope.organization_id, address.namespace)
            keys = [PublicKey.model_validate(row) for row in known]
            checked_at = await now(session)
        outcome = await self._verifier.verify(stored, keys)
        async with changing(self._database, self._changes, scope) as session:
            asked = await verifications.lock_asked(
                session, scope.organization_id, asked.provider.id, reference.verification_id
            )
            if asked is None:  # another attempt was faster
                note_unseen(session)
                return await _report(session, reference)
            if asked.request.sent_again_at != sent_again_at:
                note_unseen(session)
                return None
            await session.delete(asked.request)
            row = _row(asked.release, reference.verification_id, outcome, checked_at)
            before = asked.release.refusal
            await record_verification(session, scope, asked.provider, asked.release, row)
            refusal = asked.release.refusal
            if refusal == before:
                note_unseen(session)
        if refusal != before and outcome.reason is not None:
            log_refused(scope, address, asked.release.version, outcome.reason)
        return VerificationReport(result=VerificationResult(row.result), code=row.code)

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:
        """Tell whether a verification is still to be made."""
        async with self._database.transaction(Scope(organization_id, PLATFORM)) as session:
            return await verifications.find_asked(session, organization_id, UUID(resource_id)) is not None

    async def look_after(self) -> TickReport:
        """Wake the verifications that should have been made."""
        return await look_after_overdue(AREA, self._database, verifications.DUE, _wakes)


async def record_verification(
    session: Session, scope: Scope, provider: ProviderRow, release: ProviderVersionRow, found: VerificationRow
) -> None:
    """Record a verification of a locked provider's release, which is served from then on, or not, as it says."""
    session.add(found)
    if found.result != VerificationResult.INCOMPLETE:
        release.refused_at = found.checked_at if found.result == VerificationResult.REFUSED else None
        release.refusal = found.reason
        release.evidence = found.evidence or release.evidence
    await session.flush()  # what can be installed is asked of the rows
    await providers.note_latest(session, provider)
    audit.record(
        session,
        scope,
        "registry.provider_verified",
        ("provider_version", release.id),
        outcome="success" if found.reason is None else "failure",
        verification=found.id,
        code=found.code,
    )


def of_publication(
    names: ReleaseNames, release: ProviderVersionRow, checked: CheckedRelease, checked_at: datetime
) -> VerificationRow:
    """Make the verification of a release that was just sent: its every byte was checked before this."""
    evidence = checked.evidence
    files = _kept(release, names, checked.packages)
    found = [VerifiedFile(name=name, sha256=sha256, found_sha256=sha256) for name, sha256 in files.items()]
    outcome = Outcome(evidence.verified_by, evidence, found, reason=None)
    return _row(release, new_id(), outcome, checked_at)


def wake_of(asked: Asked) -> Wake:
    """Make the wake of a verification's workflow."""
    reference = VerificationReference(
        organization_id=asked.request.organization_id, verification_id=asked.request.id
    )
    provider = ProviderAddress(asked.provider.namespace, asked.provider.type)
    return Wake(
        workflow=VERIFY_WORKFLOW,
        workflow_id=reference.workflow_id,
        task_queue=TRANSFER_QUEUE,
        input=reference,
        area=AREA,
        resource_id=str(reference.verification_id),
        summary=f"verifies {provider} {asked.release.version}"[:LONGEST_SUMMARY],
    )


async def _wakes(session: Session, organization_id: UUID, ids: Sequence[UUID]) -> list[Wake]:
    return [wake_of(asked) for asked in await verifications.asked(session, organization_id, ids)]


def _row(
    release: ProviderVersionRow, verification_id: UUID, outcome: Outcome, checked_at: datetime
) -> VerificationRow:
    reason, evidence = outcome.reason, outcome.evidence
    return VerificationRow(
        organization_id=release.organization_id,
        id=verification_id,
        provider_version_id=release.id,
        result=outcome.result,
        code=None if reason is None else reason.code,
        reason=None if reason is None else reason.detail,
        checked_at=checked_at,
        checked_by=outcome.checked_by,
        evidence=None if evidence is None else evidence.model_dump(mode="json"),
        files=[file.model_dump() for file in outcome.files],
    )


async def _release(
    session: Session, scope: Scope, address: ProviderAddress, version: str
) -> tuple[ProviderRow, ProviderVersionRow]:
    provider = await providers.get(session, scope.organization_id, address)
    return provider, await providers.get_version(session, scope.organization_id, address, version)


async def _files(session: Session, release: ProviderVersionRow, names: ReleaseNames) -> dict[str, str]:
    rows = await providers.platforms(session, release.organization_id, [release.id])
    packages = [ProviderPackage.model_validate(row) for row in rows]
    return _kept(release, names, packages)


def _kept(release: ProviderVersionRow, names: ReleaseNames, packages: Iterable[ProviderPackage]) -> dict[str, str]:
    return kept_files(names, release.checksums_sha256, release.signature_sha256, release.manifest_sha256, packages)


async def _report(session: Session, reference: VerificationReference) -> VerificationReport:
    row = await verifications.find(session, reference.organization_id, reference.verification_id)
    if row is None:
        return VerificationReport()
    return VerificationReport(result=VerificationResult(row.result), code=row.code)
