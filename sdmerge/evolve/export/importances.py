"""Importances: which genes tell good candidates from the rest (PED-ANOVA).

S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces", 2023, arXiv 2304.10255; computed by Optuna. Draws nothing: `figures` does.
"""
# pyright: reportUnknownMemberType=false
# Optuna types its values as unknown in part

from __future__ import annotations

from sdmerge.evolve.engine.sampled import distribution
from sdmerge.evolve.export.history import History

_FEWEST = 20
"""Candidates below which importance is mostly noise."""


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
