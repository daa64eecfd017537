"""Votes: which of two pictures people like better, and what follows from it.

`ledger` keeps them in a grid's votes.jsonl, `strengths` ranks what was compared, `booth` is what
the page that asks needs, `server` shows it to this machine. A ranking is a fitness made by people:
`rank(folder, by=…)` gives a strength per recipe, or per value of an axis.
"""

from sdmerge.votes.booth import Booth
from sdmerge.votes.ledger import Choice, Vote, add_votes, read_votes
from sdmerge.votes.ranking import Ranking, Standing, rank
from sdmerge.votes.strengths import Game, Strengths, fit

__all__ = [
    "Booth",
    "Choice",
    "Game",
    "Ranking",
    "Standing",
    "Strengths",
    "Vote",
    "add_votes",
    "fit",
    "rank",
    "read_votes",
]
