"""A database of the user's in which Optuna keeps the trials: PostgreSQL, by URL."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from sdmerge.errors import InputError, ResourceError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_DRIVER = "postgresql+psycopg://"
_EXAMPLE = f"{_DRIVER}USER@HOST/NAME"


def check_database(url: str, workers: int) -> None:
    """An InputError for a database that cannot be opened, before anything else is done.

    SQLite is refused for several workers: it loses trials when two write at once.
    """
    if url.startswith("sqlite") and workers > 1:
        hint = f"Leave --storage out, or name a PostgreSQL: {_EXAMPLE}."
        raise InputError("SQLite is not for several workers", where=_where(url), hint=hint)
    close_database(open_database(url))


def open_database(url: str) -> RDBStorage:
    """The storage at `url`; an InputError if its driver is missing or nobody answers there."""
    from optuna.storages import RDBStorage

    for short in ("postgresql://", "postgres://"):  # which driver that means is up to SQLAlchemy
        if url.startswith(short):
            url = _DRIVER + url.removeprefix(short)
    try:
        # a server ends connections that are idle for hours; each is tried before it is used
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except ImportError as error:
        hint = f"pip install 'sdmerge[postgres]', for {_EXAMPLE}"
        raise InputError("its driver is not installed", where=_where(url), hint=hint) from error
    except Exception as error:  # whatever the driver raises
        hint = f"For example {_EXAMPLE}; the database has to exist."
        what = f"cannot be opened: {_first_line(error)}"
        raise InputError(what, where=_where(url), hint=hint) from error


def close_database(storage: RDBStorage) -> None:
    """End its connections."""
    storage.remove_session()
    storage.engine.dispose()


def lost(url: str, error: Exception) -> ResourceError:
    """What to raise when the database does not take a trial."""
    hint = "What was evaluated is in the study: the same command with --resume goes on."
    what = f"does not take a trial: {_first_line(error.__cause__ or error)}"
    return ResourceError(what, where=_where(url), hint=hint)


def name_of(folder: Path, description: Path) -> str:
    """A study's name among others of one database: its folder's, and what it is.

    Two folders of one name are two studies, unless they say the same, and so decide the same.
    """
    digest = hashlib.blake2b(description.read_bytes(), digest_size=6).hexdigest()
    return f"sdmerge:{folder.resolve().name}:{digest}"


def _where(url: str) -> str:
    """The URL as it may be shown: without its password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return f"--storage {make_url(url).render_as_string(hide_password=True)}"
    except ArgumentError:
        return "--storage"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
