"""A run in words: what it waits for, and what somebody can do about it."""

import pytest

from cli.client.run_view import in_words
from domain.provisioning.waiting import DELIVERY, Waiting, for_slot, for_worker

FIELDS = [
    "id",
    "deployment_name",
    "environment",
    "module_source",
    "module_version",
    "operation",
    "decision_reason",
    "error_message",
    "created_at",
    "finished_at",
    "queue_position",
    "progress_total",
    "progress_message",
    "changes_add",
    "changes_change",
    "changes_remove",
    "changes_import",
    "workflow_id",
    "workflow_url",
]


class TestInWords:
    @pytest.mark.parametrize(
        ("waiting", "following"),
        [
            (for_slot("terraform"), None),
            (DELIVERY, "whether Temporal answers"),
            (for_worker("control"), "a worker of the queue control"),
        ],
    )
    def test_says_what_a_run_waits_for_and_who_can_help(self, waiting: Waiting, following: str | None) -> None:
        said = waiting.model_dump(mode="json")
        shown = in_words(dict.fromkeys(FIELDS) | {"state": "planning", "waiting": said})
        assert said["reason"] in shown
        assert ("next" in shown) == (following is not None)
        assert (following or "") in shown
