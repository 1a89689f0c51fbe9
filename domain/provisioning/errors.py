"""What provisioning refuses, each with a code to search for."""

from domain.errors import ErrorKind, PlatformError


class RunNotFound(PlatformError):
    """No such run in this organization."""

    kind = ErrorKind.NOT_FOUND
    code = "provisioning.run_not_found"


class TierNotFound(PlatformError):
    """The organization has no tier of this name: define it first, or see the list of tiers."""

    kind = ErrorKind.NOT_FOUND
    code = "provisioning.tier_not_found"


class TierExists(PlatformError):
    """The organization has a tier of this name: choose another name."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.tier_exists"


class NotOffered(PlatformError):
    """No worker of this release can do that yet; the facts name what can be chosen."""

    kind = ErrorKind.INVALID
    code = "provisioning.not_offered"


class ModuleUnknown(PlatformError):
    """The organization's registry has no such module version: publish it, or name another."""

    kind = ErrorKind.NOT_FOUND
    code = "provisioning.module_unknown"


class ModuleYanked(PlatformError):
    """The version is yanked, and no run of the deployment has used it yet: name another version."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.module_yanked"


class ModuleMissing(PlatformError):
    """The deployment is new, so the run has to name the module it is made from."""

    kind = ErrorKind.INVALID
    code = "provisioning.module_missing"


class EnvironmentFixed(PlatformError):
    """The deployment lives in another environment: leave the environment out, or name another deployment."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.environment_fixed"


class DeploymentOfAnother(PlatformError):
    """The deployment was not made from this tier, so it can't be provisioned with it: choose another name."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.deployment_of_another"


class InputGivenTwice(PlatformError):
    """A variable is among the inputs and among the secret inputs: give it once."""

    kind = ErrorKind.INVALID
    code = "provisioning.input_given_twice"


class RunEnded(PlatformError):
    """The run has ended and can't be changed any more; submit a new one."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.run_ended"


class NoDecisionAwaited(PlatformError):
    """The run does not wait for an approval, or somebody has decided already."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.no_decision_awaited"


class NoAttentionNeeded(PlatformError):
    """The run blocks no deployment, so there is nothing to acknowledge."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.no_attention_needed"


class PlanNotReady(PlatformError):
    """The run has not planned yet, or its plan failed: see its log."""

    kind = ErrorKind.NOT_FOUND
    code = "provisioning.plan_not_ready"


class PlanDiffers(PlatformError):
    """The run's plan is not the one that the decision names: look at it again, then decide."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.plan_differs"


class OutputsShown(PlatformError):
    """The run's sensitive outputs were shown: run again, or ask with the Idempotency-Key of the first time."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.outputs_shown"


class StepRefused(PlatformError):
    """The step may not start: the run is elsewhere, another step is live, or this attempt is over."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.step_refused"


class StepSuperseded(PlatformError):
    """The step has lost its lease or its deployment to another; nothing more of it is taken as the truth."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.step_superseded"


class EngineMissing(PlatformError):
    """The worker's host has no such engine: install it there, or let another worker take the queue."""

    kind = ErrorKind.UNAVAILABLE
    code = "provisioning.engine_missing"


class RunnerDied(PlatformError):
    """The runner of a step ended without an answer; what it recorded is in the step's row."""

    kind = ErrorKind.UNAVAILABLE
    code = "provisioning.runner_died"


class LogPositionInvalid(PlatformError):
    """The Last-Event-ID is not one that a log gave out; leave it out to read from the beginning."""

    kind = ErrorKind.INVALID
    code = "provisioning.log_position_invalid"


class EngineUnusable(PlatformError):
    """The CLI that a run needs is not on this worker, or does not start."""

    kind = ErrorKind.UNAVAILABLE
    code = "provisioning.engine_unusable"


class SandboxMissing(PlatformError):
    """The sandbox that runs must have is not there; nothing is run without it."""

    kind = ErrorKind.UNAVAILABLE
    code = "provisioning.sandbox_missing"


class ModuleRefused(PlatformError):
    """The module has a file that would take the place of one of the platform's."""

    kind = ErrorKind.INVALID
    code = "provisioning.module_refused"


class PlanAltered(PlatformError):
    """The saved plan is not the one that was approved."""

    kind = ErrorKind.CONFLICT
    code = "provisioning.plan_altered"
