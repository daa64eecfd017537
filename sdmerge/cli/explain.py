"""Whatever goes wrong as one of our errors: what, where, what to do, and an exit code."""

from __future__ import annotations

import errno

import click

from sdmerge.errors import Cancelled, InputError, ResourceError, SdmergeError


def explained(error: BaseException) -> SdmergeError:
    """The error as users see it; one that is not foreseen is a bug of ours."""
    match error:
        case SdmergeError():
            return error
        case click.ClickException():
            return InputError(error.format_message())
        case KeyboardInterrupt() | click.Abort():
            return Cancelled("stopped; nothing was written")
        case MemoryError():
            hint = "Close other programs, or merge with fewer --threads."
            return ResourceError("there is not enough memory", hint=hint)
        case OSError():
            return _of_the_machine(error)
        case _:
            what = f"this is a bug of ours: {type(error).__name__}: {error}"
            return SdmergeError(what, hint="Please report it with --debug.")


def _of_the_machine(error: OSError) -> ResourceError:
    where = f": {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        hint = "Free some space, or write elsewhere."
        return ResourceError(f"the disk is full{where}", hint=hint)
    return ResourceError(f"{error.strerror or error}{where}")
