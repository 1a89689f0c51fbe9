"""Looks after the folders of runs that nobody works in any more: what they hold is stored, then they are deleted.

A runner deletes its step's folder by itself. It can't when it was killed, or when the database was away for
longer than it may wait; then whichever worker looks into the host's folder next does. A folder is left alone as
long as a runner claims it, and is not deleted before the step's lease has ended: until then its CLI may still be
saving what it made.

Code of a module writes in a step's folder, so nothing in it is believed: the folder's name says which step it is,
the step's row says all else, and what its log may not show stands beside it, in what the step was given.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from activities.provisioning.step_jobs import GIVEN, GivenFolder
from domain.deployments.errors import StateUnreadable
from domain.errors import PlatformError
from domain.provisioning.steps import StepPhase
from domain.redaction import Redactor
from domain.scope import Actor, ActorKind, Scope
from integrations.engines.engine import StepFolder
from integrations.terraformrc import tokens_in
from services.provisioning.all import ProvisioningServices
from services.provisioning.steps import StepView
from workers.runner.files import Replaced
from workers.runner.outcomes import left_behind, secrets_of_log
from workers.runner.tailer import LogTail
from workers.runner.workspace import claim, remove_folder

EVERY: Final = 5.0
_JUST_MADE: Final = 60.0  # seconds in which whoever makes a folder writes whose it is
log = structlog.get_logger(__name__)


class Leftovers:
    """Looks into the folder of a host's runs; several workers may look into the same one."""

    def __init__(self, work_path: Path, provisioning: ProvisioningServices) -> None:
        """Take the folder and the use cases."""
        self._work_path = work_path
        self._provisioning = provisioning
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Look now and every few seconds, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look at each folder once. One that can't be looked after now is left as it is, and told once."""
        for root in await asyncio.to_thread(_folders, self._work_path):
            try:
                with _claimed(root) as is_mine:
                    if is_mine:
                        await self._look_after(root)
            except PlatformError as error:
                self._tell(root, f"{error.detail} ({error.code})")
            except OSError as error:
                self._tell(root, f"{error.strerror}: {error.filename}")
            except Exception as error:
                self._tell(root, type(error).__name__)

    async def _look_after(self, root: Path) -> None:
        step_id = _step_of(root)
        if step_id is None:
            _remove_if_empty(root)
            return
        folder, given = StepFolder(self._work_path / str(step_id)), GivenFolder.of(self._work_path, step_id)
        if root == given.root and folder.root.exists():
            return
        step = await self._provisioning.steps.look_at(step_id)
        scope = Scope(step.organization_id, Actor(ActorKind.RUN, str(step.run_id)))
        if step.is_over:
            await self._provisioning.run_keys.end(scope, step_id)
        if root == folder.root:
            await self._store(scope, step_id, step, folder, given)
        if step.is_over:
            await asyncio.to_thread(remove_folder, StepFolder(root))
            log.warning("leftover_stored_and_deleted", folder=str(root), run_id=str(step.run_id))

    async def _store(
        self, scope: Scope, step_id: UUID, step: StepView, folder: StepFolder, given: GivenFolder
    ) -> None:
        """Store the states and the log, each for itself.

        Raises:
            StateUnreadable: a state is none yet, and its CLI may still be writing it.
            OSError: a state, which stays where it is, can't be read, or is too large for that.
        """
        problem: Exception | None = None
        if step.phase is StepPhase.APPLY:
            # At once: as long as the lease is live, what was made belongs to the newest state.
            for file in (folder.state, folder.errored_state):
                try:
                    if content := left_behind(folder, file):
                        await self._provisioning.step_states.store(scope, step_id, content, is_final=step.is_over)
                except (StateUnreadable, OSError) as error:
                    problem = error
        if step.is_over and folder.log.exists():
            with contextlib.suppress(Replaced):  # then there is no log any more that could be stored
                await self._store_log(scope, step_id, step, folder, given)
        if problem is not None:
            raise problem

    async def _store_log(
        self, scope: Scope, step_id: UUID, step: StepView, folder: StepFolder, given: GivenFolder
    ) -> None:
        """Store what comes behind the part of the log that is stored, redacted as the runner would have.

        Raises:
            FileNotFoundError: it can't be, since what the step was given is gone.
        """

        async def keep(offset: int, data: bytes) -> None:
            if offset + len(data) > step.log_end:
                new = max(offset, step.log_end)
                await self._provisioning.steps.store_log(scope, step_id, new, data[new - offset :])

        secret_inputs = await self._provisioning.materials.secret_inputs(scope, step.run_id)
        tokens = tokens_in(given.configuration.read_text())
        secrets = await asyncio.to_thread(secrets_of_log, tokens, secret_inputs, given.state)
        ended = asyncio.Event()
        ended.set()
        await LogTail(folder.log, await asyncio.to_thread(Redactor, secrets), keep, lambda _: None).follow(ended)

    def _tell(self, root: Path, reason: str) -> None:
        if self._told.get(root.name) != reason:
            log.warning("leftover_kept", folder=str(root), reason=reason)
        self._told[root.name] = reason


def _folders(work_path: Path) -> list[Path]:
    return sorted(path for path in work_path.iterdir() if path.is_dir() and not path.is_symlink())


@contextlib.contextmanager
def _claimed(root: Path) -> Iterator[bool]:
    """Claim a folder; tell whether it could be: a runner may work in it, and it may be gone by now."""
    try:
        handle = claim(root)
    except (BlockingIOError, FileNotFoundError):
        yield False
        return
    try:
        yield True
    finally:
        os.close(handle)


def _step_of(root: Path) -> UUID | None:
    """Tell by a folder's name whose it is, or whose what was given is."""
    name = root.name.removesuffix(GIVEN)
    try:
        step_id = UUID(name)
    except ValueError:
        return None
    return step_id if str(step_id) == name else None


def _remove_if_empty(root: Path) -> None:
    if root.stat().st_mtime < time.time() - _JUST_MADE:
        root.rmdir()
