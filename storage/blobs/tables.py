"""The tables of blobs and of their store."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, func, true
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


class BlobStoreRow(Base):
    """The mark of the store that has the blobs; there is one row at most. The store keeps the same mark."""

    __tablename__ = "blob_store"
    __table_args__ = (CheckConstraint("is_it", name="one_row"),)

    is_it: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    mark: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
