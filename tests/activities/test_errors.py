"""What the log says of an activity that fails, and what reaches Temporal's history."""

import pytest
import structlog
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.errors import maps_errors
from domain.errors import Unavailable
from domain.ids import new_id
from domain.provisioning.messages import RunReference


class Activities:
    """Fails as a test says."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @maps_errors
    async def fail(self, reference: RunReference) -> None:  # noqa: ARG002  an activity's input
        raise self._error


class TestMapsErrors:
    @pytest.mark.parametrize(
        ("error", "event", "shown"),
        [
            (Unavailable("away", reason="57P01 said"), "activity_refused", "platform.unavailable"),
            (ValueError("a value"), "activity_failed", "unexpected ValueError; see the worker's log"),
        ],
    )
    async def test_names_whose_it_is_in_the_log_and_nobodys_words_in_the_history(
        self, error: Exception, event: str, shown: str
    ) -> None:
        reference = RunReference(organization_id=new_id(), run_id=new_id())
        environment = ActivityEnvironment()
        with (
            structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines,
            pytest.raises(ApplicationError) as raised,
        ):
            await environment.run(Activities(error).fail, reference)
        [line] = lines
        assert (line["event"], line["attempt"], line["workflow_id"]) == (event, 1, environment.info.workflow_id)
        assert line["organization_id"] == str(reference.organization_id)
        assert line["run_id"] == str(reference.run_id)
        assert raised.value.message == shown
        assert structlog.contextvars.get_contextvars() == {}

    async def test_the_servers_own_words_are_in_the_log(self) -> None:
        activities = Activities(Unavailable("away", reason="57P01 said"))
        reference = RunReference(organization_id=new_id(), run_id=new_id())
        with structlog.testing.capture_logs() as lines, pytest.raises(ApplicationError):
            await activities.fail(reference)
        assert [line["reason"] for line in lines] == ["57P01 said"]
