"""Every kind of LoRA in a merge: it counts as the checkpoint it is baked into, or is applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from adapters.lora_formulas import changed
from tiny import (
    SAMPLES,
    Data,
    canonical,
    cli,
    edited,
    load,
    merged,
    planned,
    recipe,
    save,
    words,
)
from torch import Tensor

from sdmerge.adapters import MappedSource, open_model
from sdmerge.errors import FamilyError, FileError, InputError, PlanError, RecipeError
from sdmerge.merge import stream
from sdmerge.plan import Apply, Combine, plan
from sdmerge.recipe import parse_recipe, recipe_from_data, recipe_id, to_yaml
from sdmerge.testing import random_lora
from sdmerge.testing.random_parts import ADAPTERS

PREFIX = "cond_stage_model.transformer.text_model."
QUERY = "text_encoder.encoder.layers.0.self_attn.q_proj.weight"
FLAT = [kind for kind in ADAPTERS if "tucker" not in kind]  # a text encoder has no kernels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    """A base in float32, so that baking rounds but little."""
    wide = {name: tensor.float() for name, tensor in load(words(0)).items()}
    return edited(words(0), folder / "base.safetensors", **wide)


def lora(folder: Path, kind: str, **options: object) -> Path:
    """A random adapter of the kind on the text encoder, written once."""
    path = folder / f"{kind}-{'-'.join(map(str, options.values()))}.safetensors"
    given: Data = {"kind": kind, "dialect": "kohya", "rank": 2, "alpha": 3.0, "dtype": "float32",
                   "spread": 0.2, **options}  # fmt: skip
    return path if path.exists() else random_lora(path, words(0), **given)


def modules(path: Path) -> dict[str, dict[str, Tensor]]:
    """The file's tensors by module, then by the end of the name."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in load(path).items():
        module, _, end = name.partition(".")
        found.setdefault(module, {})[end] = tensor
    return found


def spelled(key: str) -> str:
    """A canonical tensor's module as kohya names it."""
    inner = key.removeprefix("text_encoder.").rpartition(".")[0]
    return f"lora_te_text_model_{inner}".replace(".", "_")


def baked(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Canonical weights with the adapter in them, by its formula in float64."""
    learned, done = modules(path), dict(weights)
    for key, weight in weights.items():
        parts = learned.get(spelled(key), {})
        if key.endswith(".bias"):
            added = parts.get("diff_b", parts.get("b_norm"))
            done[key] = weight if added is None else (weight.double() + added.double()).float()
        elif any(end not in ("alpha", "diff_b", "b_norm") for end in parts):
            done[key] = changed(weight, parts).float()
    return done


def shaped(path: Path) -> dict[str, Tensor]:
    flat = load(path)
    return {
        key: tensor.view(flat[PREFIX + key.removeprefix("text_encoder.")].shape)
        for key, tensor in canonical(path).items()
    }


def checkpoint(folder: Path, base: Path, kind: str) -> Path:
    """The base with the adapter baked into it."""
    done = baked(shaped(base), lora(folder, kind))
    named = {PREFIX + key.removeprefix("text_encoder."): tensor for key, tensor in done.items()}
    path = folder / f"{kind}-baked.safetensors"
    return path if path.exists() else save(path, named)


def data(method: str, models: list[Path], base: Path, **parameters: object) -> Data:
    listed = [{"model": str(path), "name": f"m{place}"} for place, path in enumerate(models)]
    return {"merge_method": method, "base_model": str(base), "models": listed,
            "parameters": parameters}  # fmt: skip


def close(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], tolerance: float) -> None:
    assert found.keys() == wanted.keys()
    for key, tensor in found.items():
        off = (tensor.double().flatten() - wanted[key].double().flatten()).abs().max()
        assert float(off) <= tolerance, f"{key}: {float(off)}"


@pytest.mark.parametrize("kind", FLAT)
def test_a_lora_is_as_good_as_the_checkpoint_it_is_baked_into(
    kind: str, folder: Path, base: Path
) -> None:
    one, other = lora(folder, kind), checkpoint(folder, base, kind)
    methods = {"task_arithmetic": {"weight": 0.8}}
    if kind in ("lora", "oft", "dora"):
        methods["linear"] = {"weight": 1.0}
    for method, parameters in methods.items():
        given = merged(data(method, [one, words(1)], base, **parameters))
        close(given, merged(data(method, [other, words(1)], base, **parameters)), 4e-6)
        size = max(float((given[key].flatten() - canonical(base)[key].float()).abs().max())
                   for key in given)  # fmt: skip
        assert size > 1e-3


@pytest.mark.parametrize("kind", ["tucker", "loha-tucker", "lokr-tucker", "boft", "dora-input"])
def test_kernels_are_changed_as_well(kind: str, tmp_path: Path) -> None:
    path, base = tmp_path / "x.safetensors", SAMPLES / "base"
    random_lora(path, base, kind=kind, dialect="kohya", rank=2, dtype="float32", spread=0.2,
                targets=r"mid_block\.resnets\.0\.conv1")  # fmt: skip
    key = "unet.mid_block.resnets.0.conv1.weight"
    made = planned(
        {
            "merge_method": "task_arithmetic",
            "base_model": str(base),
            "models": [{"model": str(path)}],
            "parameters": {"weight": 1.0},
            "dtype": "float32",
        }
    )
    assert made.report.merged == 1
    shape = next(task.spec.shape for task in made.tasks if task.key == key)
    found = next(tensor for _, tensor in stream(made, order=[key])).view(shape)
    source = open_model(base)
    assert isinstance(source, MappedSource)
    before = source.read(key).float().view(shape)
    parts = modules(path)["lora_unet_mid_block_resnets_0_conv1"]
    torch.testing.assert_close(found.double(), changed(before, parts), rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr-both"])
def test_peft_and_kohya_say_the_same(kind: str, folder: Path, base: Path) -> None:
    given: Data = {"kind": kind, "rank": 2, "alpha": 3.0, "dtype": "float32"}
    one = random_lora(folder / f"{kind}-peft", words(0), dialect="peft", **given)
    other = random_lora(folder / f"{kind}-kohya.safetensors", words(0), dialect="kohya", **given)
    results = [merged(data("task_arithmetic", [path], base, weight=1.0)) for path in (one, other)]
    assert all(torch.equal(tensor, results[1][key]) for key, tensor in results[0].items())
    assert planned(data("task_arithmetic", [one], base)).report.notes == ()


def test_a_missing_alpha_is_told_of_factors_alone(folder: Path, base: Path) -> None:
    notes = planned(data("task_arithmetic", [lora(folder, "ia3")], base)).report.notes
    assert notes == ()
    bare = {name: tensor for name, tensor in load(lora(folder, "loha")).items()
            if not name.endswith("alpha")}  # fmt: skip
    path = save(folder / "bare.safetensors", bare)
    notes = planned(data("task_arithmetic", [path], base)).report.notes
    assert notes == ("m0 states no alpha: its factors are taken as they are",)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [("ties", {"trim": "model", "density": 1.0}), ("slerp", {"t": 0.5}), ("model_stock", {})],
)
def test_methods_that_look_further_see_operators_too(
    method: str, parameters: Data, folder: Path, base: Path
) -> None:
    one, other = lora(folder, "dora"), checkpoint(folder, base, "dora")
    more = [] if method == "slerp" else [words(1)]
    given = merged(data(method, [one, *more], base, **parameters))
    close(given, merged(data(method, [other, *more], base, **parameters)), 1e-5)


def test_an_operator_is_a_node_of_its_own(folder: Path, base: Path) -> None:
    made = planned(data("task_arithmetic", [lora(folder, "dora"), words(1)], base))
    node = next(task.node for task in made.tasks if task.key == QUERY)
    assert isinstance(node, Combine)
    assert any(isinstance(one, Apply) for one in node.inputs)
    plain = planned(data("task_arithmetic", [lora(folder, "lora"), words(1)], base))
    node = next(task.node for task in plain.tasks if task.key == QUERY)
    assert isinstance(node, Combine)
    assert not any(isinstance(one, Apply) for one in node.inputs)


def test_operators_need_a_base(folder: Path) -> None:
    models = [{"model": str(words(1))}, {"model": str(lora(folder, "oft"))}]
    with pytest.raises(PlanError, match="is a LoRA and there is no base_model"):
        planned({"merge_method": "linear", "models": models})


def applied(base: Path, entries: list[object], **more: object) -> Data:
    return {"merge_method": "passthrough", "models": [{"model": str(base)}], "apply": entries,
            **more}  # fmt: skip


def test_adapters_are_applied_in_their_order(folder: Path, base: Path) -> None:
    one, other = lora(folder, "dora"), lora(folder, "oft", seed=4)
    found = merged(applied(base, [str(one), str(other)]))
    close(found, baked(baked(shaped(base), one), other), 4e-6)
    turned = merged(applied(base, [str(other), str(one)]))
    assert not torch.allclose(turned[QUERY], found[QUERY], atol=1e-3)


@pytest.mark.parametrize("kind", ["lora", "glora", "ia3", "boft", "dora-loha", "full", "norm"])
def test_a_strength_goes_part_of_the_way(kind: str, folder: Path, base: Path) -> None:
    one, before = lora(folder, kind), shaped(base)
    found = merged(applied(base, [{"model": str(one), "weight": 0.4}]))
    after = baked(before, one)
    wanted = {key: before[key].double() + 0.4 * (after[key].double() - before[key].double())
              for key in before}  # fmt: skip
    close(found, wanted, 4e-6)


def test_applied_to_the_result_of_a_merge_and_of_an_earlier_stage(folder: Path, base: Path) -> None:
    one = lora(folder, "dora")
    first = {"merge_method": "linear", "name": "half", "apply": [str(one)],
             "models": [{"model": str(base)}, {"model": str(words(1))}]}  # fmt: skip
    last = {
        "merge_method": "task_arithmetic",
        "base_model": "half",
        "models": [{"model": str(base)}],
        "parameters": {"weight": 0.0},
        "dtype": "float32",
    }
    half = {key: (tensor.double() + canonical(words(1))[key].double().view(tensor.shape)) / 2
            for key, tensor in shaped(base).items()}  # fmt: skip
    wanted = baked({key: tensor.float() for key, tensor in half.items()}, one)
    close(merged([first, last]), wanted, 4e-6)


def test_half_precision_is_computed_in_single(folder: Path) -> None:
    one = lora(folder, "dora")
    found = merged(applied(words(0), [str(one)], dtype="float32"))
    wide = {key: tensor.float() for key, tensor in shaped(words(0)).items()}
    close(found, baked(wide, one), 4e-6)
    kept = merged(applied(words(0), [str(one)]))
    assert all(torch.equal(kept[key], found[key].half()) for key in kept)


def test_what_is_applied_is_part_of_the_address(folder: Path, base: Path) -> None:
    one = str(lora(folder, "dora"))
    keys = [planned(applied(base, entries)).keys[QUERY] for entries in
            ([one], [{"model": one, "weight": 0.5}], [one, one], [])]  # fmt: skip
    assert len(set(keys)) == 4
    assert planned(applied(base, [one])).keys[QUERY] == keys[0]


def test_the_report_says_what_is_applied(folder: Path, base: Path) -> None:
    report = planned(applied(base, [str(lora(folder, "dora"))])).report
    part = next(one for one in report.components if one.name == "text_encoder")
    assert part.how == "passthrough, then dora-"


def test_only_loras_are_applied(base: Path) -> None:
    with pytest.raises(PlanError, match="is not a LoRA"):
        planned(applied(base, [str(words(1))]))
    with pytest.raises(FileError, match="there is no model 'nothing'"):
        planned(applied(base, ["nothing"]))


def test_the_grammar_of_apply() -> None:
    text = """
merge_method: linear
models: [{model: a}]
apply: [x.safetensors, {model: y.safetensors, weight: 0.5}]
"""
    read = parse_recipe(text)
    assert [(one.path, one.weight) for one in read.stages[0].apply] == [
        ("x.safetensors", 1.0),
        ("y.safetensors", 0.5),
    ]
    again = parse_recipe(to_yaml(read))
    assert recipe_id(again) == recipe_id(read)
    plain = recipe_from_data({"merge_method": "linear", "models": [{"model": "a"}],
                              "apply": ["x.safetensors", {"model": "y.safetensors"}]})  # fmt: skip
    assert recipe_id(plain) != recipe_id(read)
    for bad, said in (("{model: y, weight: 9}", "9"), ("{model: y, strength: 1}", "strength"),
                      ("{weight: 1}", "model"), ("[a]", "apply")):  # fmt: skip
        with pytest.raises(RecipeError, match=said):
            parse_recipe(f"merge_method: linear\nmodels: [{{model: a}}]\napply: [{bad}]")


def test_a_nan_in_an_operator_is_named(folder: Path, base: Path, tmp_path: Path) -> None:
    one = lora(folder, "glora")
    name = next(name for name in load(one) if name.endswith("b1.weight"))
    bad = edited(one, tmp_path / "bad.safetensors", **{name: load(one)[name] * torch.inf})
    with pytest.raises(InputError, match="holds NaN or infinite numbers") as caught:
        merged(applied(base, [str(bad)]))
    assert caught.value.where == "bad"


# what a base has no place for


@pytest.fixture
def strange(folder: Path, tmp_path: Path) -> Path:
    """A DoRA with modules of another model and of another width, and a key of none."""
    pair = {"lora_up.weight": torch.ones(4, 2), "lora_down.weight": torch.ones(2, 4)}
    names = ["lora_unet_nothing", "lora_te_text_model_encoder_layers_0_mlp_fc1"]
    wrong = {f"{name}.{end}": part.clone() for name in names for end, part in pair.items()}
    kept = {name: part for name, part in load(lora(folder, "dora")).items()
            if "layers_0_mlp_fc1" not in name}  # fmt: skip
    return save(tmp_path / "strange.safetensors", {**kept, **wrong, "some.thing": torch.ones(1)})


def test_partial_leaves_out_and_lists(strange: Path, base: Path) -> None:
    asked = data("task_arithmetic", [strange], base)
    with pytest.raises(FileError, match="no part of a LoRA: some"):
        planned(asked)
    made = plan(recipe_from_data(asked, "test"), partial=True)
    assert made.report.notes[0] == (
        "m0: 3 modules have no place in Stable Diffusion 1 and are left out: "
        "lora_te_text_model_encoder_layers_0_mlp_fc1, lora_unet_nothing, some.thing"
    )
    assert made.report.merged == 11
    wrong = {name: part for name, part in load(strange).items() if "lora_te" not in name}
    nothing = data("task_arithmetic", [save(strange.with_name("y.safetensors"), wrong)], base)
    with pytest.raises(FamilyError, match="1 of 1 modules are not in"):
        plan(recipe_from_data(nothing, "test"), partial=True)


def test_partial_from_the_command_line(strange: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    arguments = ["merge", strange, "--method", "task_arithmetic", "--base", base, "-o", out]
    assert cli(*arguments).code == 2
    assert not out.exists()
    said = cli(*arguments, "--partial")
    assert said.code == 0, said.err
    assert "3 modules have no place in Stable Diffusion 1 and are left out" in said.out
    assert cli("verify", out, "-q").out == "same\n"
    assert cli("plan", *arguments[1:-2], "--partial").code == 0


def test_apply_from_the_command_line(folder: Path, base: Path, tmp_path: Path) -> None:
    one = lora(folder, "dora")
    text = f"merge_method: passthrough\nmodels: [{{model: {base}}}]\napply:\n"
    text += f"  - {{model: {one}, weight: 0.5}}\n"
    out = tmp_path / "out.safetensors"
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", out)
    assert said.code == 0, said.err
    shown = cli("show", out).out
    assert str(folder) not in shown
    assert "weight: 0.5" in shown
    assert cli("verify", out, "-q").out == "same\n"
    inspected = cli("inspect", one, "--json").data["files"][0]
    assert inspected["kinds"] == {"DoRA": 12}
    assert inspected["magnitudes"] == {"output": 12}
    assert "magnitudes: output (12)" in cli("inspect", one).out
