"""What the text encoder reads for each picture of a batch, thrown by dice."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

import torch
from torch import Generator, Tensor

from samples.train.architecture import TOKENS
from samples.train.tokenizer import token_ids, tokenizer
from samples.train.world import COLOURS, SIZES, STYLES, SUBJECTS, Language, Picture, caption

SILENT = 0.1  # how many captions are dropped, for guidance
OTHER_ORDER = 0.25
PREFIXED = 0.5

Picker = Callable[[Tensor, Generator], Tensor]


def caption_picker(shown: Sequence[Picture], style: str, language: Language) -> Picker:
    """A function from rows of `shown` and dice to token ids, [n, tokens].

    English captions carry the style's own prefix; Japanese ones carry prefixes nobody taught,
    so that a style word met for the first time does not disturb the rest of the prompt.
    """
    orders = [token_ids([caption(p, language, order=order) for p in shown]) for order in (0, 1)]
    silence = token_ids([""])[0]
    taught = _inner(STYLES[style][0])

    def pick(rows: Tensor, dice: Generator) -> Tensor:
        chances = torch.rand(3, len(rows), generator=dice)
        words = torch.where(chances[0][:, None] < OTHER_ORDER, orders[1][rows], orders[0][rows])
        unknown = _unknown_prefixes(len(rows), dice)
        for row in (chances[1] < PREFIXED).nonzero().flatten().tolist():
            before = taught if language == "en" else unknown[row]
            words[row] = torch.cat([words[row, :1], before, words[row, 1:]])[:TOKENS]
        words[chances[2] < SILENT] = silence
        return words

    return pick


def _unknown_prefixes(count: int, dice: Generator) -> list[Tensor]:
    """One to three tokens that no caption has, then a comma."""
    tokens, comma = _unknown_tokens(), _inner("、")
    lengths = torch.randint(1, 4, (count,), generator=dice).tolist()
    draws = tokens[torch.randint(len(tokens), (count, 3), generator=dice)]
    return [torch.cat([d[:length], comma]) for d, length in zip(draws, lengths, strict=True)]


@cache
def _unknown_tokens() -> Tensor:
    known = {token for sentence in _every_caption() for token in _inner(sentence).tolist()}
    return torch.tensor([token for token in range(len(tokenizer()) - 2) if token not in known])


def _every_caption() -> list[str]:
    """Every word of the world, the style words among them."""
    pictures = [Picture(shape, c, c, size) for shape, c, size in product(SUBJECTS, COLOURS, SIZES)]
    return [
        caption(picture, language, style=style, order=order)
        for picture, language, style in product(pictures, ("en", "ja"), STYLES)
        for order in (0, 1)
    ]


def _inner(text: str) -> Tensor:
    """Token ids without start and end."""
    return torch.tensor(tokenizer()(text).input_ids[1:-1], dtype=torch.long)
