"""Check: whether a draft can be searched, how large that is, and whether its scorers can see."""

from __future__ import annotations

import shlex
from typing import Any

from sdmerge_ui.evolve import studies
from sdmerge_ui.library import Following, SdmergeError, Study, study_from
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words

_TRIALS = 200


def checked(place: Place, words: Words, text: str, name: str) -> dict[str, Any]:
    """For the element `begin`: what the search would be, or why it cannot be."""
    try:
        studies.check_paths(place, text)
        study = study_from(place.parse(text), place.plan_of)
        facts = _facts(place, words, study)
    except SdmergeError as error:
        return {"error": str(error), "facts": [], "notes": [], "command": ""}
    return {
        "error": "", "facts": facts, "notes": list(study.space.notes),
        "command": command(place, name),
    }  # fmt: skip


def command(place: Place, name: str) -> str:
    """The command line that does the same with the draft in a file."""
    roots = [word for root in place.shown.roots for word in ("--models", str(root))]
    head = ["sdmerge", "--workspace", str(place.workspace.folder), *roots]
    asked = ["evolve", "recipe.yaml", "-o", f"studies/{name or 'study'}", *place.flags]
    return shlex.join([*head, *asked])


def sanity(place: Place, words: Words, number: int | None) -> dict[str, Any]:
    """What the check of the scorers came to so far."""
    if number is None:
        return {"text": "", "rows": []}
    job = place.jobs.get(number)
    result = place.jobs.result(number)
    if result is not None and "sanity" in result:
        return {"text": "", "rows": [_rung(one) for one in result["sanity"]]}
    if not job.over:
        told = place.jobs.progress(number)
        count = f" {told.data['done']}/{told.data['total']}" if told else ""
        return {"text": words("begin.checking") + count, "rows": []}
    return {"text": str(job.error or job.state), "rows": []}


def _rung(one: dict[str, Any]) -> dict[str, Any]:
    """A scorer: what it gives each rung of the ladder, and whether it goes down them."""
    means = [{"name": name, "mean": found["mean"]} for name, found in one["means"].items()]
    return {"name": one["name"], "passed": one["passed"], "means": means}


def _facts(place: Place, words: Words, study: Study) -> list[tuple[str, str]]:
    options, budget = study.options, study.budget
    genes = study.space.genes
    batch = study.engine.open(genes, study.space.init, options.seed, budget.trials or _TRIALS,
                              **options.params).ask()  # fmt: skip
    per = options.prompts_per_generation or len(options.search)
    pictures = per * options.images
    shown = ", ".join(gene.name for gene in genes[:6]) + (" …" if len(genes) > 6 else "")
    facts = [
        (words("begin.genes"), f"{len(genes)}: {shown}"),
        (words("begin.population"), words("begin.each", count=len(batch), pictures=pictures)),
        (words("begin.prompts"), words("begin.split", search=len(options.search),
                                       validation=len(options.validation))),
        (words("begin.compared"), ", ".join(one.name for one in study.baselines)),
        (words("begin.objective"), ", ".join(one.name for one in options.objectives)),
    ]  # fmt: skip
    if budget.trials:
        total = budget.trials + len(study.baselines)
        facts.append((words("begin.pictures"), f"{total * pictures:,}"))
        facts.append((words("begin.time"), _time(place, words, total * pictures)))
    return facts


def _time(place: Place, words: Words, pictures: int) -> str:
    """How long so many pictures take, by what the last search of this workspace took."""
    for folder in studies.folders(place):
        try:
            following = Following(folder, studies.opened(place, folder))
        except SdmergeError:
            continue
        history, options = following.look().history, following.study.options
        took = sum(trial.seconds for trial in history.searched)
        drawn = (options.prompts_per_generation or len(options.search)) * options.images
        if took and history.searched:
            each = took / len(history.searched) / drawn
            minutes = each * pictures / 60
            return words("begin.about", minutes=f"{minutes:,.1f}", study=folder.name,
                         seconds=f"{each:.2g}")  # fmt: skip
    return words("begin.unknown")
