"""A large catalogue, written by set-based SQL: publishing as much would take days."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

NAMESPACES: Final = 50
THINGS: Final = ("network", "bucket", "cluster", "database", "queue", "cache", "dns", "role", "key", "vault")
SYSTEMS: Final = ("aws", "gcp", "azurerm", "kubernetes")
KINDS: Final = ("main", "edge", "blue", "green", "core", "shared", "legacy")
PLATFORMS: Final = (
    *("darwin_amd64", "darwin_arm64", "freebsd_386", "freebsd_amd64", "freebsd_arm", "freebsd_arm64"),
    *("linux_386", "linux_amd64", "linux_arm", "linux_arm64", "windows_386", "windows_amd64"),
)
BY: Final = '{"kind": "api_key", "id": "bench"}'

_NAMESPACES: Final = """
    INSERT INTO namespace (name, id, organization_id, skeleton)
    SELECT 'team-' || n, uuidv7(), :organization, 'team' || n FROM generate_series(0, :namespaces - 1) n
"""
# Where commits are not waited for, a row that was just written is not marked as committed, nor its page as seen by
# all, until it stands in the log. What is read from an index is then looked up in the table too, which takes five
# times as long.
_WAIT_FOR_COMMITS: Final = "SET synchronous_commit = on"
_MODULES: Final = (
    _WAIT_FOR_COMMITS,
    """
    INSERT INTO module (organization_id, id, namespace, name, system, description, latest_version)
    SELECT :organization, uuidv7(), 'team-' || n % :namespaces,
           (cast(:things AS text[]))[1 + abs(hashint4(n)) % 10] || '-' || n,
           (cast(:systems AS text[]))[1 + abs(hashint4(n + 1)) % 4],
           'A ' || (cast(:kinds AS text[]))[1 + abs(hashint4(n + 2)) % 7] || ' thing of the platform team',
           CASE WHEN n <= :grown THEN :more || '.0.0' ELSE '0.0.0' END
    FROM generate_series(1, :modules) n ORDER BY n
    """,
    """
    INSERT INTO module_word (organization_id, module_id, word)
    SELECT DISTINCT organization_id, id, word FROM module,
           regexp_split_to_table(lower(concat_ws(' ', namespace, name, system, description)), '[^a-z0-9]+') word
    WHERE namespace LIKE 'team-%'
    """,
    """
    INSERT INTO blob (sha256, size)
    SELECT encode(sha256(cast('module ' || n AS bytea)), 'hex'), 4096 FROM generate_series(0, 999) n
    """,
    # The workers would look for as many archives while answers are timed.
    "ALTER TABLE module_version DISABLE TRIGGER await_documents",
    """
    INSERT INTO module_version
           (organization_id, id, module_id, version, description, sha256, size, format, published_by)
    SELECT organization_id, uuidv7(), id, v || '.0.0', description,
           encode(sha256(cast('module ' || abs(hashtext(name)) % 1000 AS bytea)), 'hex'),
           4096, 'tar.gz', cast(:by AS jsonb)
    FROM module, generate_series(0, split_part(latest_version, '.', 1)::int) v WHERE namespace LIKE 'team-%'
    ORDER BY v, id
    """,
    "ALTER TABLE module_version ENABLE TRIGGER await_documents",
    "VACUUM (ANALYZE) module, module_word, module_version",
)
_PROVIDERS: Final = (
    _WAIT_FOR_COMMITS,
    """
    INSERT INTO gpg_key
           (organization_id, id, namespace, fingerprint, key_id, subkeys, user_ids, ascii_armor)
    SELECT :organization, uuidv7(), name, fingerprint, upper(right(fingerprint, 16)), '{}', '{Bench}',
           '-----BEGIN PGP PUBLIC KEY BLOCK-----' || repeat(E'\\n' || fingerprint, 75)
    FROM namespace, LATERAL (SELECT left(encode(sha256(cast(name AS bytea)), 'hex'), 40)) made (fingerprint)
    WHERE organization_id = :organization AND name LIKE 'team-%'
    """,
    """
    INSERT INTO provider (organization_id, id, namespace, type, latest_version)
    SELECT :organization, uuidv7(), 'team-' || n % :namespaces, 'cloud-' || n, :releases - 1 || '.0.0'
    FROM generate_series(1, :providers) n ORDER BY n
    """,
    # Files are shared by the releases of one number: nothing that is measured reads the table of blobs.
    """
    INSERT INTO blob (sha256, size)
    SELECT encode(sha256(cast(v || ' ' || file AS bytea)), 'hex'), 20000000
    FROM generate_series(0, :releases - 1) v,
         unnest(cast(:platforms AS text[]) || '{sums,signature}') file
    """,
    # As if all providers were released again and again: what is one provider's lies far apart.
    """
    INSERT INTO provider_version
           (organization_id, id, provider_id, version, protocols, platforms, gpg_key_id, checksums_sha256,
            signature_sha256, evidence, published_by)
    SELECT p.organization_id, uuidv7(), p.id, v || '.0.0', '{5.0,6.0}', cast(:platforms AS text[]), k.id,
           encode(sha256(cast(v || ' sums' AS bytea)), 'hex'),
           encode(sha256(cast(v || ' signature' AS bytea)), 'hex'),
           jsonb_build_object('key_fingerprint', k.fingerprint, 'signing_key_fingerprint', k.fingerprint,
                              'signed_at', '2026-11-24T00:00:00Z', 'digest', 'SHA512', 'key_expired_at', NULL,
                              'verified_by', jsonb_build_object('pysequoia', '0.1.34', 'gpg', '2.2.40')),
           cast(:by AS jsonb)
    FROM generate_series(0, :releases - 1) v, provider p JOIN gpg_key k USING (organization_id, namespace)
    ORDER BY v, p.id
    """,
    """
    INSERT INTO provider_platform (organization_id, provider_version_id, os, arch, filename, sha256, size, h1)
    SELECT v.organization_id, v.id, split_part(platform, '_', 1), split_part(platform, '_', 2),
           'terraform-provider-' || type || '_' || version || '_' || platform || '.zip',
           encode(hash, 'hex'), 20000000, 'h1:' || encode(hash, 'base64')
    FROM provider_version v JOIN provider p ON (p.organization_id, p.id) = (v.organization_id, v.provider_id),
         unnest(cast(:platforms AS text[])) platform,
         LATERAL (SELECT sha256(cast(split_part(version, '.', 1) || ' ' || platform AS bytea))) made (hash)
    ORDER BY v.id, platform
    """,
    "VACUUM (ANALYZE) provider, provider_version, provider_platform, gpg_key, blob",
    "CHECKPOINT",  # else gigabytes are written to disk while answers are timed
)


def fill_modules(connection: Connection, organization_id: UUID, *, modules: int, grown: int, more: int) -> None:
    """Add namespaces, and modules of one version each.

    Args:
        connection: of a role that sees all rows, in autocommit mode.
        organization_id: whose they are.
        modules: how many.
        grown: how many of them have more versions.
        more: how many more those have.
    """
    given = {"organization": organization_id, "modules": modules, "grown": grown, "more": more}
    for statement in (_NAMESPACES, *_MODULES):
        _run(connection, statement, given)


def fill_providers(connection: Connection, organization_id: UUID, *, providers: int, releases: int) -> None:
    """Add providers, each with so many releases of twelve platforms, in the namespaces that fill_modules made.

    Foreign keys are not looked at while they are written: twenty million look-ups would take most of the time.

    Args:
        connection: of a superuser, in autocommit mode.
        organization_id: whose they are.
        providers: how many.
        releases: how many each has.
    """
    given = {"organization": organization_id, "providers": providers, "releases": releases}
    connection.execute(text("SET session_replication_role = replica"))
    for statement in _PROVIDERS:
        _run(connection, statement, given)
    connection.execute(text("RESET session_replication_role"))


def _run(connection: Connection, statement: str, given: dict[str, Any]) -> None:
    known = given | {
        "namespaces": NAMESPACES,
        "things": list(THINGS),
        "systems": list(SYSTEMS),
        "kinds": list(KINDS),
        "platforms": list(PLATFORMS),
        "by": BY,
    }
    used = {name: value for name, value in known.items() if f":{name}" in statement}
    connection.execute(text(statement), used)
