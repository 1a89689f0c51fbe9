"""What there is of a deployment."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.deployments.deployments import DeploymentState, state_of

THEN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = THEN + timedelta(seconds=1)


class TestStateOf:
    @pytest.mark.parametrize(
        ("state", "was_applied", "destroyed_at", "newest_state_at"),
        [
            (DeploymentState.NOTHING_APPLIED, False, None, None),
            (DeploymentState.UNFINISHED, False, None, THEN),
            (DeploymentState.LIVE, True, None, THEN),
            (DeploymentState.LIVE, True, None, None),
            (DeploymentState.DESTROYED, True, THEN, None),
            (DeploymentState.DESTROYED, True, LATER, THEN),
            (DeploymentState.UNFINISHED, True, THEN, LATER),
        ],
    )
    def test_is_told_by_runs_and_states(
        self,
        state: DeploymentState,
        was_applied: bool,
        destroyed_at: datetime | None,
        newest_state_at: datetime | None,
    ) -> None:
        found = state_of(was_applied=was_applied, destroyed_at=destroyed_at, newest_state_at=newest_state_at)
        assert found is state
