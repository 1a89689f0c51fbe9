"""What commands of this product's own end with, each in one sentence."""

from cyclopts import CycloptsError

from domain.errors import ErrorKind, PlatformError


class NoCheckout(PlatformError):
    """The demo needs files of the project that are not in its wheel."""

    kind = ErrorKind.NOT_FOUND
    code = "demo.no_checkout"


class CheckFailed(PlatformError):
    """Something that the demo looked at was not as it has to be."""

    kind = ErrorKind.CONFLICT
    code = "demo.check_failed"


class BootstrapDone(PlatformError):
    """The installation has its operators; further administrators are made by them."""

    kind = ErrorKind.CONFLICT
    code = "bootstrap.done"


class OnlyAgain(PlatformError):
    """An option was given that goes with --again only."""

    kind = ErrorKind.INVALID
    code = "bootstrap.only_again"


class QueueUnknown(PlatformError):
    """There is no such task queue; the detail names those there are."""

    kind = ErrorKind.INVALID
    code = "worker.queue_unknown"


class HomeInUse(PlatformError):
    """Another `groundwork dev` runs in this folder: stop it, or give this one another --home."""

    kind = ErrorKind.CONFLICT
    code = "dev.home_in_use"


class KeyMissing(PlatformError):
    """A key is missing where data is: a new one would open nothing of it, so restore the file from a backup."""

    kind = ErrorKind.PRECONDITION_FAILED
    code = "dev.key_missing"


def usage(sentence: str) -> CycloptsError:
    """Make the error of a command line that can't be meant: it ends with the exit code of wrong usage."""
    return CycloptsError(msg=sentence)
