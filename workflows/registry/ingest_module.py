"""The workflow of a module version, after it was published."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.registry.documents import DocumentActivities
    from domain.registry.documents import INGEST_WORKFLOW, VersionReference
    from workflows import options


@workflow.defn(name=INGEST_WORKFLOW)
class IngestModule:
    """Has a version's documents read. The version can be installed before, meanwhile and whatever comes of it."""

    @workflow.run
    async def run(self, reference: VersionReference) -> None:
        """Return when the documents are read, or known to be unreadable."""
        read = await workflow.execute_activity_method(DocumentActivities.read, reference, **options.FILE_STEP)
        workflow.set_current_details(f"documents are {read.state}")
