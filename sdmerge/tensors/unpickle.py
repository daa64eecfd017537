"""The object in a torch pickle, with inert stand-ins for the harmless classes that trainers leave.

torch's `weights_only` unpickler calls nothing but its own short list. Checkpoints of Stable
Diffusion's time also name classes of Lightning, OmegaConf and numpy; each such name gets a class
that does nothing, without importing anything. Any other name is refused by torch itself.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, cast

import torch

from sdmerge.errors import CorruptFile, FileError
from sdmerge.tensors.positional import PositionalFile

_HARMLESS = re.compile(
    r"""(pytorch_lightning|lightning|lightning_fabric|lightning_utilities|omegaconf)\.[\w.]+
    | numpy\.(dtype|ndarray|(_core|core)\.multiarray\.(scalar|_reconstruct)|dtypes\.\w+)
    | collections\.defaultdict | typing\.Any | argparse\.Namespace
    | pathlib\.(Path|PosixPath|WindowsPath|PurePosixPath|PureWindowsPath)
    | builtins\.(dict|list|tuple|int|float|str|bool|object)""",
    re.VERBOSE,
)
# torch's protocol writes Python 2's names, and its unpickler takes them for these.
_PYTHON_2 = {"__builtin__.long": "builtins.int", "__builtin__.unicode": "builtins.str"}
_DICTS = re.compile(r"collections\.defaultdict|builtins\.dict|.*\.AttributeDict")
_UNKNOWN_NAME = re.compile(r"GLOBAL (\S+)")
_LARGEST_PICKLE = 1 << 28  # names and shapes of the largest model take a few MB
_LEGACY_PICKLES = 4  # magic number, protocol, system, then the object
_ONE_AT_A_TIME = threading.Lock()  # torch's list of allowed names is global


_Class = Callable[..., object]


class _Inert:
    """Stands for a class that must not be imported; keeps nothing, does nothing."""

    def __new__(cls, *_args: object, **_named: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_args: object, **_named: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


class _InertDict:
    """Stands for a dict class: torch sets items only where the type is dict itself."""

    def __new__(cls, *_args: object, **_named: object) -> dict[object, object]:  # type: ignore[misc]
        return {}


def load_pickle(path: Path) -> object:
    """What `path` holds, its tensors mapped; a FileError names what is not allowed in it."""
    where = str(path)
    is_zip = _starts_like_a_zip(path)
    try:
        names = set(_names_in_zip(path) if is_zip else _names_in_legacy(path))
        harmless = sorted(name for name in names if _HARMLESS.fullmatch(name))
        stand_ins: list[_Class | tuple[_Class, str]] = [
            (_stand_in(name), name) for name in harmless
        ]
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old protocols, old storage classes: not our user's
            with torch.serialization.safe_globals(stand_ins):
                return cast(
                    "object",
                    torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip),
                )
    except (FileError, MemoryError):
        raise
    except zipfile.BadZipFile as error:
        hint = "Download it again, or ask whoever made it."
        raise CorruptFile("is a zip cut short or broken", where=where, hint=hint) from error
    except pickle.UnpicklingError as error:
        raise _refusal(error, where) from error
    except Exception as error:  # a broken pickle can raise anything at all
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorruptFile(f"cannot be unpickled: {reason}", where=where) from error


def _stand_in(name: str) -> _Class:
    return _InertDict if _DICTS.fullmatch(name) else _Inert


def _starts_like_a_zip(path: Path) -> bool:
    with PositionalFile.open(path) as file:
        start = bytearray(min(4, file.size))
        file.read_into(memoryview(start), 0)
    return bytes(start) == b"PK\x03\x04"


def _names_in_zip(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        items = archive.infolist()
        if any(item.compress_type != zipfile.ZIP_STORED for item in items):
            # Compressed, a small file could fill the memory.
            hint = "Load it where it was made and save it with torch.save."
            raise FileError("is a compressed zip, not torch's", where=str(path), hint=hint)
        for item in items:
            if item.filename.endswith("/data.pkl"):
                if item.file_size > _LARGEST_PICKLE:
                    raise CorruptFile("holds a pickle far too large", where=str(path))
                yield from _names_in(io.BytesIO(archive.read(item)), pickles=1)


def _names_in_legacy(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        yield from _names_in(file, pickles=_LEGACY_PICKLES)


def _names_in(file: io.BufferedReader | io.BytesIO, *, pickles: int) -> Iterator[str]:
    """Every name the next pickles refer to, read without obeying them."""
    for _ in range(pickles):
        for code, argument, _ in pickletools.genops(file):
            if code.name == "GLOBAL":
                name = str(argument).replace(" ", ".")
                yield _PYTHON_2.get(name, name).replace("__builtin__.", "builtins.")


def _refusal(error: pickle.UnpicklingError, where: str) -> FileError:
    match = _UNKNOWN_NAME.search(str(error))
    if match is None:
        reason = str(error).partition("WeightsUnpickler error: ")[2].partition("\n")[0]
        what = f"is no pickle that torch's restricted loader reads: {reason or error}"
        return CorruptFile(what, where=where)
    what = f"refers to {match[1]}, which is neither a tensor nor known to be harmless"
    hint = "If you trust it, load it where it was made and save its state_dict()."
    return FileError(what, where=where, hint=hint)
