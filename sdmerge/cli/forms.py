"""Forms: what a command takes, as Params, so that pages ask for it in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click

from sdmerge.cli.main import cli
from sdmerge.manifest import manifest
from sdmerge.params import Kind, Param
from sdmerge.recipe.output import LORA

_NOT_ASKED = (
    "json", "quiet", "debug", "background", "force", "allow_pickle", "settings", "target",
    "threads", "max_shard_size", "method", "help",
)  # fmt: skip
"""What a page decides itself, or has no use for."""
_LORA = {param.name: param for param in LORA}


@dataclass(frozen=True, slots=True)
class Asked:
    """An argument, whose flag is '', or an option of a command. many: It may be given again.

    The default of `param` is what a form starts from; an option that is left alone is not passed.
    """

    param: Param
    flag: str = ""
    required: bool = False
    many: bool = False

    def words(self, value: object) -> list[str]:
        """A value as words of the command line."""
        if self.param.kind == "bool":
            return [self.flag] if value is True else []
        return [self.flag, str(value)] if self.flag else [str(value)]


def form_of(*words: str, method: str = "") -> tuple[Asked, ...]:
    """What the command called `words` asks for, with the parameters of a merge method.

    Dtypes, flags and the like of every command are left out where they change no result.
    """
    command = _command(words)
    found = [_asked(one) for one in command.params if str(one.name) not in _NOT_ASKED]
    own = manifest()[method].params if method else ()
    known = {one.flag for one in found}
    return (*found, *(_flag(one) for one in own if f"--{one.name}" not in known))


def _command(words: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        if inner is None:
            raise LookupError(f"there is no command {' '.join(words)}")
        found = inner
    return found


def _asked(one: click.Parameter) -> Asked:
    name = str(one.name)
    if isinstance(one, click.Option):
        flag = next(word for word in one.opts if word.startswith("--"))
        return Asked(_param(one, name), flag, one.required, one.multiple)
    return Asked(Param(name, "text", "", ""), required=one.required, many=one.nargs == -1)


def _param(one: click.Option, name: str) -> Param:
    doc = one.help or ""
    if isinstance(one.type, click.Choice):
        choices = tuple(str(choice) for choice in one.type.choices)
        return Param(name, "choice", "", doc, choices=choices)
    if one.is_flag:
        return Param(name, "bool", False, doc)
    if name in _LORA and one.metavar:  # its flag takes what the recipe's output takes
        return _LORA[name]
    kinds: Mapping[str, Kind] = {"integer": "int", "float": "float"}
    kind: Kind = kinds.get(one.type.name, "text")
    return Param(name, kind, "" if kind == "text" else 0, doc)


def _flag(param: Param) -> Asked:
    """A parameter of a method, as its flag takes it: one for all models, or several by commas."""
    if param.kind == "bool":
        return Asked(Param(param.name, "text", "", param.doc), f"--{param.name}")
    return Asked(param, f"--{param.name}")
