"""Family: what a model is, made of Components that files name in Layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

from sdmerge.errors import FamilyError, nearest
from sdmerge.families.blocks import Blocks
from sdmerge.families.frozen import load
from sdmerge.families.sizes import Sizes, evaluate, resolve
from sdmerge.families.table import Part, Rule, Shape, Table
from sdmerge.tensors.spec import TensorSpec

Config = dict[str, object]
SINGLE_FILE = "single-file"
DIFFUSERS = "diffusers"


@dataclass(frozen=True, slots=True)
class Layout:
    """How files name a component's tensors.

    prefixes: what may stand before a name; the first is written.
    aliases: (written, also read) parts of names.
    unused: names that belong to the component though no tensor of ours is made of them.
    """

    prefixes: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    unused: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Component:
    """One network of a pipeline. `template` is its config, written in `sizes` and `depths`.

    sizes: widths and channels by name, at full size; depths: how many layers its stacks have.
    tiny: sizes of a very small network of the same names.
    origin: the code that single files take their names from (`families.build.origin`).
    fixed: sizes that make it this network; another number is another network.
    block: the one block its tensors lie in, or "" for the family's own blocks.
    wrapper: what transformers puts before every saved name, but for those in `unwrapped`.
    encoder: which text encoder it is, in ComfyUI's words: clip_l, clip_g, …
    """

    name: str
    library: str
    class_name: str
    stem: str
    template: Config
    sizes: Sizes
    depths: Sizes
    tiny: Sizes
    origin: str
    layouts: Mapping[str, Layout]
    fixed: tuple[str, ...] = ()
    block: str = ""
    tokenizer: str | None = None
    pad_token: str = ""
    wrapper: str = ""
    unwrapped: tuple[str, ...] = ()
    encoder: str = ""

    @property
    def config(self) -> Config:
        """The family's own config, at full size."""
        return self.config_at({})

    def config_at(self, sizes: Sizes) -> Config:
        """The config of the component at other sizes."""
        return cast("Config", resolve(self.template, {**self.sizes, **self.depths, **sizes}))

    def saved_key(self, key: str) -> str:
        """A canonical key (without the component) as diffusers and transformers save it."""
        return key if key.startswith(self.unwrapped) else self.wrapper + key

    def table(self, frozen: Table, layout: str) -> Table:
        """The frozen table of single files as the table of this layout."""
        aliases, unused = self.layouts[layout].aliases, self.layouts[layout].unused
        if layout == SINGLE_FILE:
            return replace(frozen, aliases=aliases, unused=frozen.unused | unused)
        rules, files = dict[str, Rule](), dict[str, Shape]()
        for key, rule in frozen.rules.items():
            rules[key] = replace(rule, parts=(Part(self.saved_key(key)),))
            files[self.saved_key(key)] = rule.shape
        return Table(rules, files, frozen.depths, unused, aliases)


@dataclass(frozen=True, slots=True)
class Variant:
    """A family's sibling with another number of input channels and a pipeline of its own."""

    name: str
    channels: int
    pipeline: str


@dataclass(frozen=True)
class Family:
    """A kind of model: its components, blocks and layouts. The first component is the main one.

    architecture: its name in modelspec metadata.
    package: where its frozen tables lie, which is elsewhere for a plug-in's.
    absent: slots of its pipeline that stay empty.
    kohya: the layout by whose names kohya's scripts train the main component.
    """

    name: str
    title: str
    pipeline: str
    components: tuple[Component, ...]
    depth: Blocks
    scheduler: Config
    architecture: str
    variants: tuple[Variant, ...] = ()
    pipeline_config: Config = field(default_factory=dict[str, object])
    absent: tuple[str, ...] = ()
    kohya: str = SINGLE_FILE
    package: str = "sdmerge.families"

    @property
    def blocks(self) -> tuple[str, ...]:
        """The block labels in depth order, without BASE and VAE."""
        return self.depth.names

    @property
    def main(self) -> Component:
        """The component that makes the pictures and has the blocks."""
        return self.components[0]

    def block(self, key: str) -> str:
        """The block a canonical key lies in; "" for what no component takes (extra.*)."""
        name, _, rest = key.partition(".")
        component = self.by_name.get(name)
        if component is None:
            return ""
        return component.block or self.depth.label(rest)

    def branch(self, key: str) -> str:
        """The residual branch of the main component whose output a canonical key makes; or ""."""
        known = self._main_rule(key)
        return (
            self.tables[self.main.name, SINGLE_FILE].branches.get(known[0].key, "") if known else ""
        )

    def layer(self, key: str) -> tuple[str, int] | None:
        """The stack of equal layers of the main component that a key lies in, and its place."""
        known = self._main_rule(key)
        return (known[0].stem, known[1]) if known and known[1] is not None else None

    def _main_rule(self, key: str) -> tuple[Rule, int | None] | None:
        name, _, rest = key.partition(".")
        if not self.components or name != self.main.name:
            return None
        return self.tables[name, SINGLE_FILE].rule_of(rest)

    @cached_property
    def by_name(self) -> Mapping[str, Component]:
        """The components by name."""
        return {component.name: component for component in self.components}

    def component(self, name: str) -> Component:
        """A component by name; a FamilyError names the nearest."""
        if name not in self.by_name:
            what = f"{self.title} has no component '{name}'"
            hint = nearest(name, self.by_name) or f"It has: {', '.join(self.by_name)}."
            raise FamilyError(what, hint=hint)
        return self.by_name[name]

    def specs(
        self, component: str, sizes: Sizes | None = None, dtype: str = "F16"
    ) -> dict[str, TensorSpec]:
        """A component's canonical tensors, at full size but for what `sizes` says."""
        own = self.component(component)
        at = {**own.sizes, **own.depths, **(sizes or {})}
        return {
            f"{component}.{key}": TensorSpec(dtype, tuple(evaluate(n, at) for n in rule.shape))
            for key, (rule, _) in self.tables[component, SINGLE_FILE].expand({}, at).items()
        }

    def variant_of(self, channels: int) -> str:
        """The variant whose main component takes this many channels; "" for the family's own."""
        if channels == self.main.sizes["in"]:
            return ""
        known = {variant.channels: variant.name for variant in self.variants}
        return known.get(channels, f"{channels}-channel")

    def channels_of(self, variant: str) -> int:
        """How many input channels a variant's main component has."""
        known = {"": self.main.sizes["in"], **{one.name: one.channels for one in self.variants}}
        if variant not in known:
            hint = nearest(variant, known) or f"Known: {', '.join(known)}"
            raise FamilyError(f"{self.title} has no variant '{variant}'", hint=hint)
        return known[variant]

    def pipeline_of(self, variant: str) -> str:
        """The pipeline class of a variant."""
        own = {one.name: one.pipeline for one in self.variants}
        return own.get(variant, self.pipeline)

    @cached_property
    def tables(self) -> Mapping[tuple[str, str], Table]:
        """The table of each (component, layout)."""
        frozen = load(self.name, self.package)
        return {
            (component.name, layout): component.table(frozen[component.name], layout)
            for component in self.components
            for layout in component.layouts
        }
