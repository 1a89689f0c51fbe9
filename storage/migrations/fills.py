"""What rows lack that a server of the release before wrote: of the years before a migration, or meanwhile.

Migrations change the schema and no rows. Every `groundwork migrate` fills in afterwards what is missing, a batch a
transaction, so that nobody waits for more than a batch's rows; a fill that broke off goes on where it stopped.
A fill goes when the release is gone whose rows it is for, see docs/adr/0019.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.dialects.postgresql import insert

from domain.registry.search import words_in
from storage.migrations.turns import turn
from storage.registry.tables import ModuleWordRow

BATCH: Final = 1_000

_PLATFORMS: Final = text("""
UPDATE provider_version v
SET platforms = ARRAY(
    SELECT p.os || '_' || p.arch FROM provider_platform p
    WHERE p.organization_id = v.organization_id AND p.provider_version_id = v.id
    ORDER BY p.os, p.arch
)
WHERE (v.organization_id, v.id) IN (
    SELECT w.organization_id, w.id FROM provider_version w
    WHERE w.platforms = '{}' AND EXISTS (
        SELECT FROM provider_platform p
        WHERE p.organization_id = w.organization_id AND p.provider_version_id = w.id
    )
    LIMIT :batch
)
""")

_VERIFICATIONS: Final = text("""
INSERT INTO verification (
    organization_id, id, provider_version_id, result, checked_at, checked_by, evidence, files
)
SELECT v.organization_id, v.id, v.id, 'verified', v.published_at, v.evidence -> 'verified_by', v.evidence,
    jsonb_build_array(
        jsonb_build_object(
            'name', format('terraform-provider-%s_%s_SHA256SUMS', p.type, v.version),
            'sha256', v.checksums_sha256, 'found_sha256', v.checksums_sha256
        ),
        jsonb_build_object(
            'name', format('terraform-provider-%s_%s_SHA256SUMS.sig', p.type, v.version),
            'sha256', v.signature_sha256, 'found_sha256', v.signature_sha256
        )
    ) || (
        SELECT coalesce(jsonb_agg(
            jsonb_build_object('name', f.filename, 'sha256', f.sha256, 'found_sha256', f.sha256)
            ORDER BY f.filename
        ), '[]')
        FROM provider_platform f
        WHERE f.organization_id = v.organization_id AND f.provider_version_id = v.id
    )
FROM provider_version v
JOIN provider p ON p.organization_id = v.organization_id AND p.id = v.provider_id
WHERE NOT EXISTS (
    SELECT FROM verification w WHERE w.organization_id = v.organization_id AND w.provider_version_id = v.id
)
LIMIT :batch
ON CONFLICT DO NOTHING
""")
"""Of a release whose publishing was its only check, with the evidence that publishing kept."""

_DOCUMENTS: Final = text("""
INSERT INTO module_documents (organization_id, module_version_id, state, due_at)
SELECT v.organization_id, v.id, 'pending', now() FROM module_version v
WHERE NOT EXISTS (
    SELECT FROM module_documents d WHERE d.organization_id = v.organization_id AND d.module_version_id = v.id
)
LIMIT :batch
ON CONFLICT DO NOTHING
""")
"""The tick has them read."""

_WORDLESS: Final = text("""
SELECT m.organization_id, m.id, m.namespace, m.name, m.system, m.description FROM module m
WHERE NOT EXISTS (
    SELECT FROM module_word w WHERE w.organization_id = m.organization_id AND w.module_id = m.id
)
LIMIT :batch
""")


def fill(connection: Connection) -> None:
    """Fill in what is missing everywhere.

    Raises:
        Busy: another one is migrating the database.
    """
    with turn(connection):
        for some in (_of(_VERIFICATIONS), _words, _of(_DOCUMENTS), _of(_PLATFORMS)):
            while some(connection):
                connection.commit()
            connection.commit()


def _of(statement: TextClause) -> Callable[[Connection], int]:
    return lambda connection: connection.execute(statement, {"batch": BATCH}).rowcount


def _words(connection: Connection) -> int:
    """Write the words by which some modules are found, as publishing does it."""
    rows = [
        {"organization_id": module[0], "module_id": module[1], "word": word}
        for module in connection.execute(_WORDLESS, {"batch": BATCH})
        for word in words_in(*module[2:])
    ]
    if rows:  # nothing is no row with defaults
        connection.execute(insert(ModuleWordRow).on_conflict_do_nothing(), rows)
    return len(rows)
