"""What rows lack that a server of the release before wrote: of the years before a migration, or meanwhile.

Migrations change the schema and no rows. Every `groundwork migrate` fills in afterwards what is missing, a batch a
transaction, so that nobody waits for more than a batch's rows; a fill that broke off goes on where it stopped.
A fill goes when the release is gone whose rows it is for, see docs/adr/0019.
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from domain.registry.search import words_in
from storage.migrations.turns import turn
from storage.registry.tables import ModuleWordRow

BATCH: Final = 1_000
NIL: Final = UUID(int=0)
Key = tuple[UUID, UUID]
"""Of a row: its organization and its id."""


def _in_batches(table: str, fill: str) -> str:
    """Write the statement that goes over the next rows of a table, fills what they lack, and gives the last.

    Rows are found by their key, not by what they lack: that would go over all that are filled again and again.
    """
    return f"""
        WITH batch AS (
            SELECT organization_id, id FROM {table}
            WHERE (organization_id, id) > (:organization_id, :id)
            ORDER BY organization_id, id LIMIT {BATCH}
        ), filled AS ({fill})
        SELECT organization_id, id FROM batch ORDER BY organization_id DESC, id DESC LIMIT 1
    """  # noqa: S608  the table and the statement stand in this module


_PLATFORMS: Final = _in_batches(
    "provider_version",
    """
    UPDATE provider_version v
    SET platforms = ARRAY(
        SELECT p.os || '_' || p.arch FROM provider_platform p
        WHERE p.organization_id = v.organization_id AND p.provider_version_id = v.id
        ORDER BY p.os, p.arch
    )
    FROM batch
    WHERE v.organization_id = batch.organization_id AND v.id = batch.id AND v.platforms = '{}'
    """,
)
_VERIFICATIONS: Final = _in_batches(
    "provider_version",
    """
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
    FROM batch
    JOIN provider_version v ON v.organization_id = batch.organization_id AND v.id = batch.id
    JOIN provider p ON p.organization_id = v.organization_id AND p.id = v.provider_id
    WHERE NOT EXISTS (
        SELECT FROM verification w WHERE w.organization_id = v.organization_id AND w.provider_version_id = v.id
    )
    ON CONFLICT DO NOTHING
    """,
)
"""Of a release whose publishing was its only check, with the evidence that publishing kept."""
_DOCUMENTS: Final = _in_batches(
    "module_version",
    """
    INSERT INTO module_documents (organization_id, module_version_id, state, due_at)
    SELECT organization_id, id, 'pending', now() FROM batch
    ON CONFLICT DO NOTHING
    """,
)
"""Of versions from before a trigger added their row; the tick has them read."""
_MODULES: Final = f"""
    SELECT m.organization_id, m.id, m.namespace, m.name, m.system, m.description, EXISTS (
        SELECT FROM module_word w WHERE w.organization_id = m.organization_id AND w.module_id = m.id
    ) AS is_found
    FROM module m
    WHERE (m.organization_id, m.id) > (:organization_id, :id)
    ORDER BY m.organization_id, m.id LIMIT {BATCH}
"""  # noqa: S608  a number


def fill(connection: Connection) -> None:
    """Fill in what is missing everywhere.

    Raises:
        Busy: another one is migrating the database.
    """
    with turn(connection):
        for following in (_of(_VERIFICATIONS), _words, _of(_DOCUMENTS), _of(_PLATFORMS)):
            last: Key | None = (NIL, NIL)
            while last is not None:
                last = following(connection, last)
                connection.commit()


def _of(statement: str) -> Callable[[Connection, Key], Key | None]:
    def following(connection: Connection, after: Key) -> Key | None:
        last = connection.execute(text(statement), _behind(after)).one_or_none()
        return None if last is None else (last.organization_id, last.id)

    return following


def _words(connection: Connection, after: Key) -> Key | None:
    """Write the words by which some modules are found, as publishing does it."""
    modules = connection.execute(text(_MODULES), _behind(after)).all()
    rows = [
        {"organization_id": module.organization_id, "module_id": module.id, "word": word}
        for module in modules
        if not module.is_found
        for word in words_in(module.namespace, module.name, module.system, module.description)
    ]
    if rows:  # nothing is no row with defaults
        connection.execute(insert(ModuleWordRow).on_conflict_do_nothing(), rows)
    return (modules[-1].organization_id, modules[-1].id) if modules else None


def _behind(key: Key) -> dict[str, UUID]:
    return {"organization_id": key[0], "id": key[1]}
