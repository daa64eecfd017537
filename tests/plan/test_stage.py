"""One stage planned: which models are inputs, which component comes from where."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import Data, canonical, edited, load, merged, model, planned, save, unet, words

from sdmerge.errors import PlanError
from sdmerge.plan import Combine, Plan, Read

BOTH = ("vae", "text_encoder")


def both(seed: int) -> Path:
    return model("sd1", seed, components=BOTH)


def recipe(method: str, *models: Path, base: Path | None = None, **more: object) -> Data:
    listed = [{"model": str(path), "name": f"m{n}"} for n, path in enumerate(models, 1)]
    head = {"base_model": str(base)} if base else {}
    return {"merge_method": method, **head, "models": listed, **more}


def combine(plan: Plan, key: str = "text_encoder.final_layer_norm.weight") -> Combine:
    node = next(task.node for task in plan.tasks if task.key == key)
    assert isinstance(node, Combine)
    return node


def refusal(data: Data) -> str:
    with pytest.raises(PlanError) as caught:
        planned(data)
    return str(caught.value)


# which models are inputs


def test_the_base_among_the_models_is_no_input_of_a_delta_method() -> None:
    node = combine(planned(recipe("ties", words(0), words(1), base=words(0))))
    assert node.names == ("m2",)
    assert node.base == Read(0)


def test_the_base_among_the_models_counts_in_an_average() -> None:
    node = combine(planned(recipe("linear", words(0), words(1), base=words(0))))
    assert node.names == ("m1", "m2")
    assert node.base is None


@pytest.mark.parametrize("listed", [[1], [0, 1], [1, 0]], ids=str)
def test_slerp_starts_from_the_base(listed: list[int]) -> None:
    plan = planned(recipe("slerp", *map(words, listed), base=words(0)))
    start, end = combine(plan).inputs
    assert [plan.inputs[node.source].path for node in (start, end) if isinstance(node, Read)] == [
        words(0),
        words(1),
    ]


@pytest.mark.parametrize("listed", [[1, 2], [0, 1, 2], [1, 2, 0]], ids=str)
def test_nuslerp_sees_differences_where_there_is_a_base(listed: list[int]) -> None:
    node = combine(planned(recipe("nuslerp", *map(words, listed), base=words(0))))
    assert (node.space, node.base, len(node.inputs)) == ("delta", Read(0), 2)
    plain = combine(planned(recipe("nuslerp", words(1), words(2))))
    assert (plain.space, plain.base, len(plain.inputs)) == ("weight", None, 2)


def test_the_base_is_no_input_of_a_barycentre_of_differences() -> None:
    node = combine(planned(recipe("multislerp", words(0), words(1), words(2), base=words(0))))
    assert (node.names, node.space) == (("m2", "m3"), "delta")
    plain = combine(planned(recipe("multislerp", words(0), words(1), words(2))))
    assert (plain.names, plain.space) == (("m1", "m2", "m3"), "weight")


@pytest.mark.parametrize(
    ("data", "phrases"),
    [
        (recipe("passthrough", Path("1"), Path("2")), ["passthrough takes 1 model; the recipe"]),
        (recipe("nuslerp", Path("0"), Path("1"), base=Path("0")), ["takes 2 models", "has 1 (m2)"]),
        (recipe("slerp", Path("1")), ["slerp takes 2 models; the recipe has 1 (m1)"]),
        (recipe("slerp", *map(Path, "123")), ["the recipe has 3 (m1, m2, m3)"]),
        (recipe("ties", Path("0"), base=Path("0")), ["1 model or more beside the base"]),
    ],
)
def test_too_few_and_too_many(data: Data, phrases: list[str]) -> None:
    for entry in data["models"]:
        entry["model"] = str(words(int(entry["model"])))
    if "base_model" in data:
        data["base_model"] = str(words(int(data["base_model"])))
    text = refusal(data)
    assert all(phrase in text for phrase in phrases)


def test_inputs_are_in_the_order_of_their_aliases() -> None:
    data = recipe("linear", words(1), words(2))
    data["models"][0]["name"] = "z"
    assert combine(planned(data)).names == ("m2", "z")


# components


def test_take_by_alias() -> None:
    data = recipe("linear", both(1), both(2), components={"text_encoder": {"take": "m2"}})
    plan = planned(data)
    how = {part.name: part.how for part in plan.report.components}
    assert how == {"vae": "taken from m1", "text_encoder": "taken from m2"}
    result, second = merged(plan), canonical(both(2))
    for key, tensor in result.items():
        if key.startswith("text_encoder."):
            assert torch.equal(tensor.reshape(-1), second[key])


def test_take_by_path_and_of_the_base() -> None:
    rules = {"text_encoder": {"take": str(words(2))}, "vae": {"take": "base"}}
    plan = planned(recipe("task_arithmetic", both(1), base=both(0), components=rules))
    how = {part.name: part.how for part in plan.report.components}
    whose = {"vae": f"base ({both(0).stem})", "text_encoder": words(2).stem}
    assert how == {name: f"taken from {one}" for name, one in whose.items()}
    assert [one.path for one in plan.inputs] == [both(0), both(1), words(2)]


def test_take_keeps_the_dtype_it_has() -> None:
    rules = {"text_encoder": {"take": str(words(2, "bfloat16"))}}
    plan = planned(recipe("linear", both(1), both(2), components=rules))
    dtypes = {task.key.split(".")[0]: task.spec.dtype for task in plan.tasks}
    assert dtypes == {"vae": "F16", "text_encoder": "BF16"}


def test_take_gives_a_model_what_it_lacks() -> None:
    rules = {"vae": {"take": str(both(2))}, "text_encoder": {"take": str(words(1))}}
    plan = planned(recipe("linear", unet(1), unet(2), components=rules))
    assert [part.name for part in plan.report.components] == ["unet", "vae", "text_encoder"]


def test_a_lone_vae_serves_every_family_that_has_its_like() -> None:
    """Its names and shapes alone do not tell SD1's from SDXL's."""
    vae = model("sd1", 2, components=("vae",))
    first = model("sdxl", 1, components=("unet",))
    plan = planned(recipe("linear", first, components={"vae": {"take": str(vae)}}))
    assert plan.family.name == "sdxl"
    assert sum(task.key.startswith("vae.") for task in plan.tasks) == 248


def test_a_whole_model_of_another_family_gives_nothing() -> None:
    rule = {"vae": {"take": str(model("sd1", 2))}}
    text = refusal(recipe("linear", model("sdxl", 1, components=("unet",)), components=rule))
    assert "is Stable Diffusion 1, the recipe's models are Stable Diffusion XL" in text


def test_take_of_what_is_not_there() -> None:
    text = refusal(recipe("linear", both(1), components={"text_encoder": {"take": str(unet())}}))
    assert f"'{unet().stem}' has no text_encoder to take" in text


def test_another_method_for_a_component() -> None:
    rule = {"merge_method": "slerp", "parameters": {"t": 0.25}}
    data = recipe("linear", both(1), both(2), components={"vae": rule})
    plan = planned(data)
    node = combine(plan, "vae.decoder.conv_out.bias")
    assert (node.method, dict(node.values)["t"]) == ("slerp", 0.25)
    assert combine(plan).method == "linear"


def test_a_components_method_counts_its_models_too() -> None:
    """Slerp of three would silently forget the third."""
    rule = {"components": {"text_encoder": {"merge_method": "slerp"}}}
    text = refusal(recipe("linear", words(0), words(1), words(2), **rule))
    assert "slerp takes 2 models; the recipe has 3" in text
    text = refusal(recipe("ties", words(1), base=words(0), **rule))
    assert "slerp takes 2 models; the recipe has 1 (m1)" in text


def test_a_components_values_win_over_the_models_and_the_recipes() -> None:
    data = recipe("linear", both(1), both(2), parameters={"weight": 3})
    data["models"][0]["parameters"] = {"weight": 2}
    data["components"] = {"vae": {"parameters": {"weight": 3.5}}}
    plan = planned(data)
    assert dict(combine(plan).values)["weight"] == (2.0, 3.0)
    assert dict(combine(plan, "vae.decoder.conv_out.bias").values)["weight"] == (3.5, 3.5)


def test_a_value_for_what_is_taken_whole_would_do_nothing() -> None:
    data = recipe("linear", both(1), both(2))
    data["models"][0]["parameters"] = {"weight": [{"filter": "vae", "value": 0}, {"value": 1}]}
    text = refusal(data)
    assert "'vae' takes tensors of vae alone, which is taken whole" in text
    assert "components: {vae: {merge_method: …}}" in text
    data["components"] = {"vae": {"merge_method": "linear"}}
    assert dict(combine(planned(data), "vae.decoder.conv_out.bias").values)["weight"] == (0.0, 1.0)
    data["models"][0]["parameters"] = {
        "weight": {"per": "component", "values": {"text_encoder": 1, "vae": 0}}
    }
    assert dict(combine(planned(data), "vae.decoder.conv_out.bias").values)["weight"] == (0.0, 1.0)
    del data["components"]
    assert "a value for vae, which is taken whole" in refusal(data)


def test_filters_of_a_component_are_about_its_tensors() -> None:
    rules = [{"filter": "decoder", "value": 0.2}, {"value": 0.4}]
    rule = {"vae": {"merge_method": "linear", "parameters": {"weight": rules}}}
    plan = planned(recipe("linear", both(1), both(2), components=rule))
    decoder = sum(name.startswith("first_stage_model.decoder") for name in load(both(1)))
    taken = {(one.name, one.filter): one.count for one in plan.report.filters}
    assert taken["components.vae.weight", "decoder"] == decoder
    assert taken["components.vae.weight", "*"] == 248 - decoder


# tensors that no method touches


def test_what_does_not_differ_is_copied_by_delta_methods(tmp_path: Path) -> None:
    """And reads nothing but the base."""
    plan = planned(recipe("ties", both(1), base=both(0)))
    assert all(isinstance(task.node, Read) == task.key.startswith("vae.") for task in plan.tasks)
    same = planned(recipe("ties", both(0), both(1), base=both(0), components={
        "text_encoder": {"merge_method": "linear"}, "vae": {"take": "m1"}}))  # fmt: skip
    assert same.report.merged == 36


def test_unknown_families_need_equal_tensors(tmp_path: Path) -> None:
    one = save(tmp_path / "one.safetensors", {"a": torch.ones(2), "b": torch.ones(2)})
    two = save(tmp_path / "two.safetensors", {"a": torch.ones(2), "c": torch.ones(2)})
    text = refusal(recipe("linear", one, two))
    assert "'m2' lacks 1 tensor that 'm1' has (first: b)" in text
    more = edited(one, tmp_path / "more.safetensors", c=torch.ones(2))
    plan = planned(recipe("linear", one, more))
    assert plan.report.notes == ("m2 has 1 tensor that m1 lacks (c, …): left out",)
