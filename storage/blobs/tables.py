"""The table of blobs."""

from datetime import datetime

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base


class BlobRow(Base):
    """Bytes that the blob store keeps for somebody. Contents may be shared, so no organization owns one.

    Every area notes its blobs here. What is in the store and not here, and older than any upload may take, is of
    nobody's.
    """

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
