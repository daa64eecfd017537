"""python -m samples.train COMMAND: draws, trains, exports and measures the sample models."""

import click

from samples.train.loop import launch

processes = click.option("--processes", default=2, show_default=True, help="One per core.")


@click.group()
def main() -> None:
    """Make the sample models again, from nothing: vae, decoder, base, japanese, ukiyoe, oracle."""


@main.command()
@processes
def vae(processes: int) -> None:
    """Train the autoencoder."""
    from samples.train.vae import pile, vae_task

    pile()  # drawn here, once, before the processes share it
    launch(vae_task, processes)


@main.command()
@processes
def decoder(processes: int) -> None:
    """Train the decoder further; latents stay valid."""
    from samples.train.vae import decoder_task, store_latents

    store_latents()
    launch(decoder_task, processes)


@main.command()
@processes
def oracle(processes: int) -> None:
    """Train the judge."""
    from samples.train.dataset import ORACLE_SETS, dataset
    from samples.train.oracle import oracle_task

    for name in ORACLE_SETS:
        dataset(name)
    launch(oracle_task, processes)


def _generator(name: str, help_text: str) -> None:
    @main.command(name, help=help_text)
    @processes
    def train(processes: int) -> None:
        from samples.train.generator import task
        from samples.train.vae import store_latents

        store_latents()
        launch(task(name), processes)


_generator("base", "Train the base: plain pictures, English captions.")
_generator("japanese", "Fine-tune the base on Japanese captions.")
_generator("ukiyoe", "Fine-tune the base on ukiyo-e pictures, English captions.")


@main.command()
def export() -> None:
    """Write folders, the single file and pictures from what was trained."""
    from samples.train.export import write_folder, write_single_file
    from samples.train.gallery import write_gallery
    from samples.train.generator import KINDS, trained_pipeline
    from samples.train.paths import MODELS

    for name in KINDS:
        write_folder(trained_pipeline(name), MODELS / name)
    write_single_file(MODELS / "ukiyoe", MODELS / "ukiyoe.safetensors")
    write_gallery()


@main.command()
@processes
@click.option("--check", is_flag=True, help="Only compare with the stored figures.")
def table(processes: int, *, check: bool) -> None:
    """Measure the shipped models and write the figures into the README."""
    from samples.train import readme
    from samples.train.table import measure

    figures = measure(processes)
    if not check:
        readme.write(figures)
    elif changed := readme.differences(figures):
        raise click.ClickException("\n".join(changed))


if __name__ == "__main__":
    main()
