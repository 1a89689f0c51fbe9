"""The side effect of a verification's workflow."""

from temporalio import activity

from activities.errors import maps_errors
from domain.registry.verifications import VerificationReference, VerificationReport
from services.registry.verifications import Verifications


class VerificationActivities:
    """Checks releases again; one instance per worker process."""

    def __init__(self, verifications: Verifications) -> None:
        """Take the use cases."""
        self._verifications = verifications

    @activity.defn(name="registry.verify_provider")
    @maps_errors
    async def verify(self, reference: VerificationReference) -> VerificationReport:
        """See Verifications.perform, which is harmless again, so any number of attempts is safe."""
        return await self._verifications.perform(reference, alive=activity.heartbeat)
