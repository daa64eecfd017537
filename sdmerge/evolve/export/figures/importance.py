"""Importance: which genes tell good candidates from the rest (PED-ANOVA).

S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces", 2023, arXiv 2304.10255; computed by Optuna.
"""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

from matplotlib.figure import Figure

from sdmerge.evolve.engine.sampled import distribution
from sdmerge.evolve.export.figures.theme import LIGHT, Theme, figure, short, styled
from sdmerge.evolve.export.history import History

_FEWEST = 20
"""Candidates below which importance is mostly noise."""
_SHOWN = 24


def importances(history: History) -> dict[str, float]:
    """Gene → its share of the importance for the first objective, largest first.

    Empty if there are too few candidates or genes, or if all candidates are equally good.
    """
    import optuna

    found = [trial for trial in history.searched if trial.objectives]
    values = {trial.objectives[0] for trial in found}
    if len(found) < _FEWEST or len(history.genes) < 2 or len(values) < 2:
        return {}
    known = {gene.name: distribution(gene) for gene in history.genes}
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
        for trial in found:
            made = optuna.trial.create_trial(
                params=dict(trial.candidate), distributions=known, value=trial.objectives[0]
            )
            study.add_trial(made)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(before)
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def importance(history: History, theme: Theme = LIGHT) -> Figure | None:
    """A bar per gene, the most important first; None where nothing can be said."""
    shares = importances(history)
    if not shares:
        return None
    shown = list(shares.items())[:_SHOWN]
    drawn = figure(theme, 8, 0.9 + 0.22 * len(shown))
    axes = styled(drawn.subplots(), theme, title="importance of genes (PED-ANOVA)", grid="x")
    names = [short(name, 60) for name, _ in shown]
    places = range(len(shown))
    axes.barh(places, [share for _, share in shown], color=theme.accent, height=0.62)
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", labelcolor=theme.ink, length=0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    rest = len(shares) - len(shown)
    axes.set_xlabel("share" + (f"; {rest} genes with less are not shown" if rest else ""))
    return drawn
