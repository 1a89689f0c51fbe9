"""Use cases on providers."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.ids import new_id
from domain.registry.errors import ProviderNotFound, SignatureKeyRevoked, VersionExists, VersionRefused
from domain.registry.gpg_keys import GpgKey, PublicKey
from domain.registry.names import ProviderAddress
from domain.registry.providers import (
    ListedRelease,
    Provider,
    ProviderPackage,
    ProviderVersion,
    ReleaseNames,
    SignedRelease,
    VersionList,
)
from domain.registry.search import words_in
from domain.registry.versions import Version, precedence
from domain.registry.withdrawals import Deprecation, Refusal, Yank, warnings_of
from domain.scope import Scope
from services.changes import Changes
from services.registry.changing import changing
from services.registry.nouns import by_platform, deprecation_of, provider_version, refusal_of, yank_of
from services.registry.releases import CheckedRelease, ReleaseFile, Releases
from services.registry.verifications import of_publication, record_verification
from storage import audit
from storage.blobs import index
from storage.database import Database, Session, now
from storage.registry import gpg_keys, namespaces, providers, verifications
from storage.registry.changes import note_unseen
from storage.registry.tables import GpgKeyRow, ProviderPlatformRow, ProviderRow, ProviderVersionRow

Told = tuple[Deprecation | None, Yank | None, Refusal | None]
"""What is said of a version."""


class Providers:
    """Publishes provider releases, whole or not at all, and finds them. A published release never changes."""

    def __init__(self, database: Database, releases: Releases, changes: Changes) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._releases = releases
        self._changes = changes

    async def publish(
        self, scope: Scope, address: ProviderAddress, version: str, files: AsyncIterator[ReleaseFile]
    ) -> tuple[ProviderVersion, bool]:
        """Publish a release; of any number at once with one version, one publishes.

        No file is asked for before names, version and namespace are known to be good, no zip before the signature
        is, and nothing is stored before the last file is.

        Returns:
            The release, and whether it is new: publishing the same files again is harmless. It stores again what
            the store may have lost; and as every byte is checked then, a release that its last check refused is
            served again. Another good signature takes the place of one that is lost, or that was refused.

        Raises:
            PermissionDenied, NameInvalid, VersionInvalid, NamespaceNotFound: before the first file.
            VersionRefused: the version is there and can't be installed; before the first file, if its key is why.
            VersionExists, and what Releases.receive refuses of the files.
        """
        scope.require(Permission.PROVIDER_PUBLISH, Target(namespace=address.namespace))
        address, version = address.checked(), str(Version.parse(version))
        async with self._database.transaction(scope) as session:
            await namespaces.get(session, scope.organization_id, address.namespace)
            rows = await gpg_keys.of_namespace(session, scope.organization_id, address.namespace)
            keys = [PublicKey.model_validate(row) for row in rows]
            row = await self._find(session, scope, address, version)
            published = None if row is None else await self._vouched(session, scope, address, row)
            refused = row is not None and row.refused_at is not None
        async with self._releases.receive(address, version, files, keys=keys, published=published) as release:
            kept = await self._releases.keep(release, published, refused=refused)
            return await self._add(scope, address, version, kept)

    async def versions(self, scope: Scope, address: ProviderAddress) -> VersionList:
        """List a provider's releases with their platforms, and say what installers should hear of them.

        Those whose key was revoked, or that did not verify when they were last checked, are not offered: nothing
        vouches for them any more.

        Raises:
            ProviderNotFound.
        """
        async with self._database.transaction(scope) as session:
            provider = await providers.get(session, scope.organization_id, address)
            groups = await providers.alike(session, scope.organization_id, provider.id)
            told_of = [group for group in groups if group.withdrawn or not group.vouched]
            why = await _why(session, provider, told_of) if told_of else {}
            signed_by = {version: group.gpg_key_id for group in groups for version in group.versions}
            found = [release for group in groups for release in _listed(group, why)]
            found.sort(key=lambda release: precedence(release.version), reverse=True)
            offered = tuple(release for release in found if release.yank is None and release.refusal is None)
            of_key = await _warnings_of_key(session, scope, signed_by[offered[0].version]) if offered else []
        return VersionList(offered, (*warnings_of(found), *of_key))

    async def get(self, scope: Scope, address: ProviderAddress, version: str) -> SignedRelease:
        """Read one release, with the key that vouches for it; `v1.0` means 1.0.0, as to the tools.

        Raises:
            ProviderNotFound.
        """
        async with self._database.transaction(scope) as session:
            row = await providers.get_version(session, scope.organization_id, address, version)
            if row.refused_at is not None:
                raise ProviderNotFound(
                    f"this version did not verify when it was last checked: {row.refusal}",
                    provider=str(address),
                    version=version,
                    checked_at=row.refused_at.isoformat(),
                )
            [release] = await self._nouns(session, scope, address, [row])
            key = await providers.good_key(session, scope.organization_id, row.gpg_key_id)
            if key is None:
                raise ProviderNotFound(
                    "the key that signed this version was revoked; use a version that another key signed",
                    provider=str(address),
                    version=version,
                )
            return SignedRelease(release=release, key=GpgKey.model_validate(key))

    async def page(self, scope: Scope, *, q: str = "", after: UUID | None, limit: int) -> list[Provider]:
        """List the providers whose address has words that begin as those of `q`, in order of first publication."""
        words = words_in(q)
        if q.strip() and not words:
            return []
        async with self._database.transaction(scope) as session:
            rows = await providers.page(session, scope.organization_id, words=words, after=after, limit=limit)
            return [Provider.model_validate(row) for row in rows]

    async def published(
        self, scope: Scope, address: ProviderAddress, *, after: UUID | None, limit: int
    ) -> list[ProviderVersion]:
        """List all of a provider's releases in order of publication, whatever became of them.

        Raises:
            ProviderNotFound.
        """
        async with self._database.transaction(scope) as session:
            provider = await providers.get(session, scope.organization_id, address)
            rows = await providers.page_of_versions(
                session, scope.organization_id, provider.id, after=after, limit=limit
            )
            keys = await providers.revoked_keys(session, scope.organization_id, (row.gpg_key_id for row in rows))
            return await self._nouns(session, scope, address, rows, keys)

    async def _add(
        self, scope: Scope, address: ProviderAddress, version: str, release: CheckedRelease
    ) -> tuple[ProviderVersion, bool]:
        async with changing(self._database, self._changes, scope) as session:
            # Held until the end: a key that is revoked meanwhile finds this release, or this finds it revoked.
            key = await gpg_keys.find_by_fingerprint(
                session, scope.organization_id, address.namespace, release.evidence.key_fingerprint
            )
            if key is None or key.revoked_at is not None:
                raise SignatureKeyRevoked(
                    "the key was taken out of use while the release was sent; sign with another"
                )
            provider = await providers.add_or_lock(
                session,
                ProviderRow(
                    organization_id=scope.organization_id,
                    id=new_id(),
                    namespace=address.namespace,
                    type=address.type,
                ),
            )
            known = await self._find(session, scope, address, version)
            if known is not None:
                return await self._again(session, scope, provider, known, release, key=key), False
            await index.add(session, release.sizes)
            row = _version_row(scope, provider.id, version, key.id, release)
            session.add(row)
            await session.flush()  # packages refer to it
            session.add_all(_platform_row(scope, row.id, package) for package in release.packages)
            session.add(of_publication(ReleaseNames(address, version), row, release, row.published_at))
            await providers.note_latest(session, provider)
            audit.record(
                session,
                scope,
                "registry.provider_published",
                ("provider_version", row.id),
                provider=address,
                version=version,
                checksums_sha256=row.checksums_sha256,
                key_fingerprint=key.fingerprint,
            )
            return provider_version(address, row, release.packages), True

    async def _again(
        self,
        session: Session,
        scope: Scope,
        provider: ProviderRow,
        row: ProviderVersionRow,
        release: CheckedRelease,
        *,
        key: GpgKeyRow,
    ) -> ProviderVersion:
        """Take a release that is there, of a locked provider; one that was refused is verified by its files."""
        address = ProviderAddress(provider.namespace, provider.type)
        published = await self._vouched(session, scope, address, row)
        if published.checksums_sha256 != release.checksums.sha256:
            raise VersionExists(
                "this version was published with other files; publish the next version", version=row.version
            )
        await verifications.note_sent_again(session, scope.organization_id, row.id)
        if row.manifest_sha256 is None:
            await index.add(session, {release.manifest.sha256: release.manifest.size})
            row.manifest_sha256 = release.manifest.sha256
        if row.signature_sha256 == release.replaces:
            await index.add(session, {release.signature.sha256: release.signature.size})
            row.signature_sha256, row.gpg_key_id = release.signature.sha256, key.id
            [published] = await self._nouns(session, scope, address, [row])
        elif row.refused_at is None:
            note_unseen(session)
            return published
        sent = {package.filename: package.sha256 for package in release.packages}
        if published.signature_sha256 != release.signature.sha256 or sent != {
            package.filename: package.sha256 for package in published.platforms
        }:
            raise VersionRefused(
                f"this version did not verify when it was last checked ({row.refusal}); send every file "
                "that it was published with, its signature too, or publish the next version",
                version=row.version,
            )
        found = of_publication(ReleaseNames(address, row.version), row, release, await now(session))
        await record_verification(session, scope, provider, row, found)
        return published.model_copy(update={"evidence": release.evidence, "refusal": None})

    async def _vouched(
        self, session: Session, scope: Scope, address: ProviderAddress, row: ProviderVersionRow
    ) -> ProviderVersion:
        if await providers.good_key(session, scope.organization_id, row.gpg_key_id) is None:
            raise VersionRefused(
                "this version was published, and the key that signed it was revoked since: nobody can install it; "
                "publish the next version",
                version=row.version,
            )
        [published] = await self._nouns(session, scope, address, [row])
        return published

    async def _find(
        self, session: Session, scope: Scope, address: ProviderAddress, version: str
    ) -> ProviderVersionRow | None:
        provider = await providers.find(session, scope.organization_id, address)
        if provider is None:
            return None
        return await providers.find_version(session, scope.organization_id, provider.id, version)

    async def _nouns(
        self,
        session: Session,
        scope: Scope,
        address: ProviderAddress,
        rows: Sequence[ProviderVersionRow],
        revoked_keys: Mapping[UUID, GpgKeyRow] = MappingProxyType({}),
    ) -> list[ProviderVersion]:
        packages: defaultdict[UUID, list[ProviderPackage]] = defaultdict(list)
        for row in await providers.platforms(session, scope.organization_id, [row.id for row in rows]):
            packages[row.provider_version_id].append(ProviderPackage.model_validate(row))
        return [
            provider_version(address, row, packages[row.id], revoked_key=revoked_keys.get(row.gpg_key_id))
            for row in rows
        ]


async def _why(session: Session, provider: ProviderRow, told_of: Iterable[providers.Alike]) -> dict[str, Told]:
    versions = [version for group in told_of for version in group.versions]
    rows = await providers.of_versions(session, provider.organization_id, provider.id, versions)
    keys = (group.gpg_key_id for group in told_of if not group.vouched)
    revoked = await providers.revoked_keys(session, provider.organization_id, keys)
    return {
        row.version: (deprecation_of(row), yank_of(row), refusal_of(row, revoked.get(row.gpg_key_id)))
        for row in rows
    }


async def _warnings_of_key(session: Session, scope: Scope, key_id: UUID) -> list[str]:
    row = await providers.good_key(session, scope.organization_id, key_id)
    warning = None if row is None else GpgKey.model_validate(row).seen_at(await now(session)).warning
    return [] if warning is None else [warning]


def _listed(group: providers.Alike, why: Mapping[str, Told]) -> Iterator[ListedRelease]:
    protocols, platforms = tuple(group.protocols), tuple(group.platforms)
    for version in group.versions:
        yield ListedRelease(version, protocols, platforms, *why.get(version, (None, None, None)))


def _version_row(
    scope: Scope, provider_id: UUID, version: str, gpg_key_id: UUID, release: CheckedRelease
) -> ProviderVersionRow:
    return ProviderVersionRow(
        organization_id=scope.organization_id,
        id=new_id(),
        provider_id=provider_id,
        version=version,
        protocols=release.protocols,
        platforms=[f"{package.os}_{package.arch}" for package in sorted(release.packages, key=by_platform)],
        gpg_key_id=gpg_key_id,
        checksums_sha256=release.checksums.sha256,
        signature_sha256=release.signature.sha256,
        manifest_sha256=release.manifest.sha256,
        evidence=release.evidence.model_dump(mode="json"),
        published_by=scope.actor.as_json(),
    )


def _platform_row(scope: Scope, version_id: UUID, package: ProviderPackage) -> ProviderPlatformRow:
    return ProviderPlatformRow(
        organization_id=scope.organization_id, provider_version_id=version_id, **package.model_dump()
    )
