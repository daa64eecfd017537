"""What engines have in common: `spec` declares them, `running` runs and restores them.

`algorithm` is what the author of an engine writes, `memory` how it is kept, `cube` the places that
it searches, `mixed` and `sampled` what cmaes and Optuna need to be told of genes.
"""
