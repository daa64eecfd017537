"""The steps that make the samples, and what each needs."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the making: its command, what must be there before, and its cores."""

    name: str
    help: str
    run: Callable[[int], None]
    needs: tuple[str, ...] = ()
    wide: bool = False  # takes all cores; the others take one


def _draw(processes: int) -> None:
    from samples.train.dataset import SETS, draw_all

    draw_all([*SETS], processes)


def _latents(processes: int) -> None:
    del processes
    from samples.train.vae import store_latents

    store_latents()


def _task(module: str, builder: str, *arguments: str, most: int = 64) -> Callable[[int], None]:
    """Train what `builder` of `module` builds, in `most` processes at most."""

    def run(processes: int) -> None:
        from samples.train.loop import launch

        build = getattr(importlib.import_module(f"samples.train.{module}"), builder)
        launch(partial(build, *arguments), min(processes, most))

    return run


def _paths(processes: int) -> None:
    from samples.train.distill import draw_paths

    draw_paths(processes)


def _export(processes: int) -> None:
    del processes
    from samples.train.export_all import export

    export()


def _table(processes: int) -> None:
    from samples.train.readme import write
    from samples.train.scores import measure_all

    write(measure_all(processes))


PARENTS = {
    "japanese": "Fine-tune the base on Japanese captions.",
    "ukiyoe": "Fine-tune the base on ukiyo-e pictures, English captions.",
    "distractor": "Fine-tune the base on noise and wrong colours.",
}
LORAS = {
    "torii": "Train the subject LoRA.",
    "pop": "Train the style LoRA.",
    "pop_dora": "Train the style again, as a DoRA.",
    "pop_locon": "Train the style again, with convolutions.",
}
CLIPS = {
    "clip_a": "Train the scorer for searches.",
    "clip_b": "Train the scorer for reports.",
}
TRAINED = ("decoder", "oracle", *PARENTS, *LORAS, "few_step", *CLIPS, "aesthetic")
STAGES = {
    stage.name: stage
    for stage in (
        Stage("draw", "Draw all training pictures.", _draw, wide=True),
        Stage("vae", "Train the autoencoder.", _task("vae", "vae_task"), ("draw",), wide=True),
        Stage("latents", "Encode the generators' pictures.", _latents, ("vae",)),
        Stage(
            "base",
            "Train the base: plain pictures, English captions.",
            _task("generator", "generator_task", "base"),
            ("latents",),
            wide=True,
        ),
        Stage(
            "decoder",
            "Train the decoder further; latents stay valid.",
            _task("vae", "decoder_task"),
            ("latents",),
        ),
        Stage("oracle", "Train the judge.", _task("oracle", "oracle_task"), ("draw",)),
        *(
            Stage(name, text, _task("generator", "generator_task", name), ("base",))
            for name, text in PARENTS.items()
        ),
        *(
            Stage(name, text, _task("lora", "lora_task", name), ("base",))
            for name, text in LORAS.items()
        ),
        Stage("paths", "Draw the base's ways from noise to picture.", _paths, ("base",), wide=True),
        Stage(
            "few_step",
            "Train the student that needs four steps and no guidance.",
            _task("distill", "few_step_task"),
            ("paths",),
        ),
        *(
            Stage(name, text, _task("clip", "clip_task", name, most=1), ("draw",))
            for name, text in CLIPS.items()
        ),
        Stage(
            "aesthetic",
            "Train the head that tells clean from spoiled.",
            _task("aesthetic", "aesthetic_task", most=1),
            ("clip_a",),
        ),
        Stage("export", "Write models, LoRAs, scorers, prompts and pictures.", _export, TRAINED),
        Stage("table", "Measure all; write the README's tables.", _table, ("export",), wide=True),
    )
}
