"""Classes of failure, told from what CLIs and providers really say."""

import pytest

from domain.provisioning.failures import Diagnostic, ErrorClass, classify


def error(summary: str, detail: str = "", address: str | None = None, filename: str | None = None) -> Diagnostic:
    return Diagnostic("error", summary, detail, address, filename)


CASES = [
    (
        ErrorClass.PLAN_STALE,
        error("Saved plan is stale", "The given plan file can no longer be applied because …"),
    ),
    (ErrorClass.LOCK_HELD, error("Error acquiring the state lock", "resource temporarily unavailable")),
    (ErrorClass.CONFIG, error("No value for required variable", "…", filename="main.tf")),
    (ErrorClass.CONFIG, error("Unclosed configuration block", "There is no closing brace", filename="b.tf")),
    (ErrorClass.CONFIG, error("Invalid value for variable", "timeout must be below 503", filename="main.tf")),
    (ErrorClass.CONFIG, error("Inconsistent dependency lock file", "required by this configuration but …")),
    (
        ErrorClass.TRANSIENT_INFRA,
        error(
            "Failed to query available provider packages", "dial tcp 127.0.0.1:443: connect: connection refused"
        ),
    ),
    (ErrorClass.CONFIG, error("Failed to query available provider packages", "provider registry does not have …")),
    (
        ErrorClass.PROVIDER_CRASH,
        error(
            "Plugin did not respond", "The plugin encountered an error: connection refused", "aws_vpc.x", "main.tf"
        ),
    ),
    (
        ErrorClass.PROVIDER_THROTTLE,
        error(
            "creating EC2 VPC", "operation error: StatusCode: 400, RequestLimitExceeded", "aws_vpc.x", "main.tf"
        ),
    ),
    (
        ErrorClass.QUOTA,
        error("creating EC2 VPC", "VpcLimitExceeded: The maximum number of VPCs has been reached", "aws_vpc.x"),
    ),
    (ErrorClass.AUTH, error("No valid credential sources found", "Please see …", filename="main.tf")),
    (ErrorClass.AUTH, error("reading S3", "operation error S3: StatusCode: 403, AccessDenied", "aws_s3_bucket.b")),
    (
        ErrorClass.POLICY_DENIED,
        error("creating group", "RequestDisallowedByPolicy: not in this region", "azurerm_x.y"),
    ),
    (
        ErrorClass.TRANSIENT_INFRA,
        error("creating", "googleapi: Error 503: The service is unavailable", "google_x.y"),
    ),
    (
        ErrorClass.UNKNOWN,
        error("local-exec provisioner error", "exit status 3. Output: 503", "terraform_data.x", "m.tf"),
    ),
]


class TestClassify:
    @pytest.mark.parametrize(("error_class", "diagnostic"), CASES)
    def test_tells_the_class(self, error_class: ErrorClass, diagnostic: Diagnostic) -> None:
        assert classify([diagnostic])[0] is error_class

    def test_the_first_error_that_says_something_is_the_cause(self) -> None:
        errors = [error("it failed"), error("Saved plan is stale", "really"), error("Access denied")]
        message = "Saved plan is stale: really (and 2 more: see the log)"
        assert classify(errors) == (ErrorClass.PLAN_STALE, message, None)

    @pytest.mark.parametrize(("line", "where"), [(4, "main.tf:4"), (None, "main.tf")])
    def test_says_where_it_is(self, line: int | None, where: str) -> None:
        unclosed = Diagnostic("error", "Unclosed configuration block", filename="main.tf", line=line)
        assert classify([unclosed]) == (ErrorClass.CONFIG, f"{where}: Unclosed configuration block", None)

    def test_names_the_resource(self) -> None:
        assert classify([error("it failed", address="a.b")]) == (ErrorClass.UNKNOWN, "it failed", "a.b")

    def test_a_crash_without_a_diagnostic_is_told_by_its_last_words(self) -> None:
        assert classify([], "panic: runtime error")[0] is ErrorClass.PROVIDER_CRASH

    def test_silence_is_unknown(self) -> None:
        assert classify([]) == (ErrorClass.UNKNOWN, "the CLI failed without saying why", None)
