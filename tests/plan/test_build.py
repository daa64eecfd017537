"""What a plan says before a tensor is read: counts, dtypes, extras, notes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import Data, canonical, edited, load, merged, metadata, model, planned, save, unet, words

from sdmerge.errors import PlanError
from sdmerge.plan import Combine, Plan, Read

POSITIONS = "cond_stage_model.transformer.text_model.embeddings.position_ids"


def linear(*models: Path, **more: object) -> Data:
    return {"merge_method": "linear", "models": [{"model": str(path)} for path in models], **more}


def whole(seed: int) -> Path:
    return model("sd1", seed)


# the VAE


def test_the_vae_is_taken_from_the_first_model() -> None:
    plan = planned(linear(whole(1), whole(2)))
    by_name = {part.name: part for part in plan.report.components}
    assert [(part.name, part.tensors, part.merged) for part in plan.report.components] == [
        ("unet", 686, 686),
        ("vae", 248, 0),
        ("text_encoder", 36, 36),
    ]
    assert by_name["unet"].how == "linear"
    assert by_name["vae"].how == "taken from sd1-float16-1"
    assert (plan.report.merged, plan.report.copied) == (722, 248)
    result, first = merged(plan), canonical(whole(1))
    vae = [key for key in result if key.startswith("vae.")]
    assert all(torch.equal(result[key].reshape(-1), first[key]) for key in vae)


def test_the_vae_is_taken_from_the_base_if_there_is_one() -> None:
    data = linear(whole(1), whole(2), base_model=str(whole(0)))
    vae = next(part for part in planned(data).report.components if part.name == "vae")
    assert (vae.how, vae.merged) == (f"taken from base ({whole(0).stem})", 0)


def test_the_vae_is_merged_if_the_recipe_says_so() -> None:
    rule = {"vae": {"merge_method": "linear", "parameters": {"weight": 1}}}
    plan = planned(linear(whole(1), whole(2), components=rule))
    vae = next(part for part in plan.report.components if part.name == "vae")
    assert (vae.how, vae.merged) == ("linear", 248)


# what is stored


def test_bytes_are_known_beforehand() -> None:
    plan = planned(linear(words(1), words(2)))
    size = sum(tensor.numel() for tensor in load(words(1)).values())
    assert plan.report.write_bytes == 2 * size
    assert plan.report.read_bytes == 4 * size
    largest = max(tensor.numel() for tensor in load(words(1)).values())
    assert plan.report.peak_bytes == (4 + 2 + 4) * largest
    assert planned(linear(words(1), words(2), dtype="float32")).report.write_bytes == 4 * size


def test_nothing_but_headers_is_read(tmp_path: Path) -> None:
    """A plan of a file whose data are nonsense is as good as any."""
    path = tmp_path / "a.safetensors"
    raw = bytearray(words(1).read_bytes())
    raw[8 + int.from_bytes(raw[:8], "little") :] = b"\xff" * (
        len(raw) - 8 - int.from_bytes(raw[:8], "little")
    )
    path.write_bytes(raw)
    assert planned(linear(path, words(2))).report.merged == 36


# extras


def extras() -> dict[str, torch.Tensor]:
    return {
        "betas": torch.linspace(0, 1, 7),
        "v_pred": torch.zeros(0),
        "ztsnr": torch.zeros(0),
        "cond_stage_model.logit_scale": torch.tensor(4.6),
        "global_step": torch.tensor(7),
    }


def test_extras_are_merged_where_all_have_them_as_floats(tmp_path: Path) -> None:
    one = edited(words(1), tmp_path / "one.safetensors", **extras())
    more = {**extras(), "betas": torch.ones(7), "global_step": torch.tensor(9)}
    two = edited(words(2), tmp_path / "two.safetensors", **more)
    plan = planned(linear(one, two))
    kinds = {task.key: type(task.node) for task in plan.tasks if task.key.startswith("extra.")}
    assert kinds == {
        "extra.betas": Combine,
        "extra.v_pred": Combine,
        "extra.ztsnr": Combine,
        "extra.cond_stage_model.logit_scale": Combine,
        "extra.global_step": Read,
    }
    extra = next(part for part in plan.report.components if part.name == "extra")
    assert (extra.tensors, extra.merged) == (5, 4)
    result = merged(plan)
    assert torch.allclose(result["extra.betas"], (torch.linspace(0, 1, 7) + 1) / 2)
    assert result["extra.v_pred"].shape == (0,)
    assert float(result["extra.cond_stage_model.logit_scale"]) == pytest.approx(4.6)
    assert int(result["extra.global_step"]) == 7


def test_extras_that_one_model_lacks_are_copied_from_the_first(tmp_path: Path) -> None:
    one = edited(words(1), tmp_path / "one.safetensors", **extras())
    plan = planned(linear(one, words(2)))
    extra = next(part for part in plan.report.components if part.name == "extra")
    assert (extra.tensors, extra.merged) == (5, 0)
    assert torch.equal(merged(plan)["extra.betas"], extras()["betas"])


def test_extras_that_the_first_lacks_are_left_out_and_named(tmp_path: Path) -> None:
    two = edited(words(2), tmp_path / "two.safetensors", v_pred=torch.zeros(0))
    plan = planned(linear(words(1), two))
    assert not [task.key for task in plan.tasks if task.key.startswith("extra.")]
    assert "two has 1 tensor that text_encoder" not in str(plan.report.notes)
    assert any(
        note.startswith("two has 1 tensor that") and "extra.v_pred" in note
        for note in plan.report.notes
    )


def test_infinities_in_extras_are_copied(tmp_path: Path) -> None:
    """An attention mask in a checkpoint is no damage."""
    mask = torch.full((4, 4), float("-inf")).triu(1)
    one = edited(words(1), tmp_path / "one.safetensors", attn_mask=mask)
    assert torch.equal(merged(linear(one, words(2)))["extra.attn_mask"], mask)


def test_position_ids_and_ema_play_no_part_and_are_counted(tmp_path: Path) -> None:
    name = next(iter(load(unet())))
    more = {
        POSITIONS: torch.arange(77)[None],
        "model_ema.decay": torch.tensor(0.99),
        name.replace("model.diffusion_model.", "model_ema.diffusion_model"): torch.ones(3),
    }
    one = edited(words(1), tmp_path / "one.safetensors", **more)
    plan = planned(linear(one, words(2)))
    assert set(plan.report.left_out) == {"one"}
    assert set(plan.report.left_out["one"]) == set(more)
    assert not [task.key for task in plan.tasks if "ema" in task.key or "position_ids" in task.key]


def test_sd2s_last_layer_and_logit_scale_are_kept(tmp_path: Path) -> None:
    """Nothing in a pipeline reads them, and whoever converts back wants them."""
    last = "cond_stage_model.model.transformer.resblocks.23.ln_1.weight"
    more = {last: torch.ones(8).half(), "cond_stage_model.model.logit_scale": torch.tensor(4.6)}
    path = model("sd2", 1, components=("text_encoder",))
    one = edited(path, tmp_path / "one.safetensors", **more)
    two = edited(path, tmp_path / "two.safetensors", **{**more, last: 3 * more[last]})
    plan = planned(linear(one, two))
    assert plan.family.name == "sd2"
    result = merged(plan)
    assert result[f"extra.{last}"].tolist() == [2.0] * 8
    assert "extra.cond_stage_model.model.logit_scale" in result


# variants and families


def test_inpainting_models_merge_with_each_other() -> None:
    data = linear(*(model("sd1", n, components=("unet",), variant="inpaint") for n in (1, 2)))
    plan = planned(data)
    assert plan.variant == plan.report.variant == "inpaint"
    specs = {task.key: task.spec for task in plan.tasks}
    assert specs["unet.conv_in.weight"].shape[1] == 9


def test_a_component_that_a_model_lacks(tmp_path: Path) -> None:
    plan = planned(linear(whole(1), unet(2)))
    assert "sd1-unet-float16-2 has no text_encoder: it plays no part there" in plan.report.notes
    encoder = next(part for part in plan.report.components if part.name == "text_encoder")
    assert encoder.tensors == encoder.merged == 36  # an average of one, exactly itself
    result, first = merged(plan), canonical(whole(1))
    key = "text_encoder.final_layer_norm.weight"
    assert torch.equal(result[key], first[key])


def test_components_that_the_first_lacks_are_left_out_and_named() -> None:
    plan = planned(linear(unet(1), whole(2)))
    assert {task.key.split(".")[0] for task in plan.tasks} == {"unet"}
    assert any(note.startswith("sd1-float16-2 has 284 tensors that") for note in plan.report.notes)


# notes and refusals


def test_defaults_that_mergekit_has_otherwise_are_told() -> None:
    data = {**linear(words(1)), "merge_method": "ties", "base_model": str(words(0))}
    assert "ties.density is 0.2 by default, in mergekit 1.0" in planned(data).report.notes
    given = {**data, "parameters": {"density": 0.2}}
    assert not [note for note in planned(given).report.notes if "density" in note]


def test_what_has_no_meaning_here_is_told(tmp_path: Path) -> None:
    data = linear(words(1), parameters={"int8_mask": True}, tokenizer_source="union")
    notes = " ".join(planned(data).report.notes)
    assert "int8_mask is ignored" in notes
    assert "tokenizer_source is ignored" in notes


@pytest.mark.parametrize(
    ("more", "phrase"),
    [
        ({"output": {"layout": "lora", "rank": 8}}, "a LoRA of checkpoints needs a base_model"),
        ({"components": {"unte": {"take": "base"}}}, "Did you mean 'unet'"),
        ({"components": {"unet": {"merge_method": "linear"}}}, "has no unet to merge"),
        ({"components": {"text_encoder": {"merge_method": "ties"}}}, "needs a base_model"),
    ],
)
def test_refusals(more: Data, phrase: str) -> None:
    with pytest.raises(PlanError, match=phrase):
        planned(linear(words(1), words(2), **more))


def test_a_plan_is_a_value() -> None:
    data = linear(words(1), words(2))
    one, two = planned(data), planned(data)
    assert one.tasks == two.tasks
    assert one.id == two.id
    assert isinstance(one, Plan)
    assert metadata(words(1)) == {"format": "pt"}


def test_files_are_opened_once(tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", load(words(1)))
    stage = {**linear(path, words(2)), "name": "s"}
    plan = planned([stage, linear(path, path, Path("s"))])
    assert [one.path for one in plan.inputs] == [path, words(2)]
    assert len(plan.sources) == 2
