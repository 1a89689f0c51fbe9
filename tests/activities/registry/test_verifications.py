"""The side effect of a verification's workflow: it is heard of while it reads."""

import pytest
from temporalio.testing import ActivityEnvironment

from activities.registry.verifications import VerificationActivities
from domain.registry.verifications import VerificationReport, VerificationResult
from services.all import Services
from tests.factories.organizations import Caller
from tests.factories.providers import ask_for_verification

pytestmark = pytest.mark.servers


class TestVerify:
    async def test_gives_a_sign_of_life_for_every_piece_that_it_reads(
        self, services: Services, caller: Caller
    ) -> None:
        reference = await ask_for_verification(services, caller.scope)
        verify = VerificationActivities(services.registry.verifications).verify
        environment, heard = ActivityEnvironment(), []
        environment.on_heartbeat = lambda *_: heard.append("a piece")
        report: VerificationReport = await environment.run(verify, reference)
        assert report == VerificationReport(result=VerificationResult.VERIFIED)
        assert len(heard) == 4
