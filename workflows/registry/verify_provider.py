"""The workflow that has a published release verified again."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.registry.verifications import VerificationActivities
    from domain.registry.verifications import VERIFY_WORKFLOW, VerificationReference
    from workflows import options


@workflow.defn(name=VERIFY_WORKFLOW)
class VerifyProvider:
    """Has every stored byte of a release read, and held to its hashes and to today's keys."""

    @workflow.run
    async def run(self, reference: VerificationReference) -> None:
        """Return when the verification is recorded."""
        report = await workflow.execute_activity_method(
            VerificationActivities.verify, reference, **options.REREAD_STEP
        )
        found = "The release is gone." if report.result is None else f"The release is **{report.result}**."
        workflow.set_current_details(found if report.code is None else f"{found} {report.code}")
