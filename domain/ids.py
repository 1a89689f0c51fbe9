"""Identifiers: one function, so that their kind can change in one place."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """Make a UUIDv7 (RFC 9562): unique everywhere, in order of making to the millisecond."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def new_id_text() -> str:
    """Make the text of one, for what is only ever shown: that takes a fifth of the time."""
    return str(uuid_utils.uuid7())
