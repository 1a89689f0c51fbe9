"""The short side effect of a run's workflow: deciding what comes next."""

from temporalio import activity

from activities.errors import maps_errors
from domain.provisioning.messages import RunMove, RunReference
from services.provisioning.moves import RunMoves


class RunActivities:
    """Decides what a run does next; one instance per worker process."""

    def __init__(self, moves: RunMoves) -> None:
        """Take the use cases."""
        self._moves = moves

    @activity.defn(name="provisioning.advance")
    @maps_errors
    async def advance(self, reference: RunReference) -> RunMove:
        """See RunMoves.advance, which is harmless again, so any number of attempts is safe."""
        return await self._moves.advance(reference)
