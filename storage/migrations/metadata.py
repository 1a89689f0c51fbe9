"""All tables, for the comparison of models with the database."""

from typing import Final

import storage.audit
import storage.blobs.tables
import storage.deployments.tables
import storage.idempotency
import storage.identity.tables
import storage.outbox
import storage.provisioning.tables
import storage.registry.tables
import storage.tenants.tables
import storage.ticks  # noqa: F401  each import fills the metadata
from storage.database import Base

METADATA: Final = Base.metadata
