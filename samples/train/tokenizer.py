"""CLIP's tokenizer with English words learnt by BPE and Japanese words spelled out as merges.

A BPE trained on uncut Japanese makes whole phrases into one token, which cannot be recombined.
So the Japanese merges are written down: bytes make a character, characters make a word.
"""

import json
import shutil
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from samples.train.architecture import TOKENS
from samples.train.paths import WORK
from samples.train.world import COLOURS, EVERY, SIZES, STYLES, SUBJECTS, Picture, caption

FOLDER = WORK / "tokenizer"
END = "</w>"
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
OTHER_ENGLISH = (
    "photo picture drawing painting of with and the an",
    "shape shapes small large big tiny left right top bottom center",
    "blurry ugly bad low quality",
    "style art japanese woodblock print neon pixel watercolor sketch",
    "gray grey brown pink gold diamond flower sun tree house fish",
)
OTHER_WORDS = ("背景", "背景に", "浮世絵", "浮世絵風", "ポップアート", "ポップアート風")
KANJI = (
    "赤橙黄緑青紫白黒桃茶灰金銀色背景小大丸四三二一角星輪月日十字鳥居浮世絵風形上下左右中央画像"
    "写真版画日本猫犬花木家山海空雪火水魚太陽夜朝油彩線影光夢和洋古新"
)
KANA = "".join(map(chr, [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)])) + "ー、。「」"


@cache
def tokenizer() -> CLIPTokenizer:
    """The tokenizer of all sample models, built at the first call."""
    if not (FOLDER / "tokenizer.json").exists():
        _build(FOLDER)
    return CLIPTokenizer.from_pretrained(FOLDER)


def token_ids(captions: list[str], length: int = TOKENS):
    """Ids of the captions, padded to the text encoder's length: [n, length]."""
    return tokenizer()(
        captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids


def _build(folder: Path) -> None:
    merges = dict.fromkeys([*_english_merges(), *_japanese_merges()])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(letter + END for letter in alphabet), *map("".join, merges)]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    # the end comes last: CLIP finds it as the largest id of a caption
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    raw = folder.with_name("tokenizer-raw")
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *map(" ".join, merges), ""]
    (raw / "merges.txt").write_text("\n".join(lines), "utf-8")
    names = {"vocab": str(raw / "vocab.json"), "merges": str(raw / "merges.txt")}
    CLIPTokenizer(**names, model_max_length=TOKENS).save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):  # transformers 5 no longer writes these; 4 reads them
        shutil.copy(raw / name, folder / name)


def _english_merges() -> list[tuple[str, str]]:
    learner = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix=END))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    pictures = [Picture(*triple, size=size) for triple in EVERY[::3] for size in SIZES]
    captions = [caption(picture, "en", style=style) for picture in pictures for style in STYLES]
    captions += [caption(picture, "en", order=1) for picture in pictures]
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        end_of_word_suffix=END,
        special_tokens=[],
        show_progress=False,
    )
    learner.train_from_iterator([*captions, *["a torii"] * 20, *OTHER_ENGLISH * 20], trainer)
    return [(left, right) for left, right in json.loads(learner.to_str())["model"]["merges"]]


def _japanese_merges() -> list[tuple[str, str]]:
    words = [*COLOURS.values(), *SUBJECTS.values(), *filter(None, SIZES.values()), *OTHER_WORDS]
    merges: list[tuple[str, str]] = []
    for character in sorted({*KANA, *KANJI, *"".join(words)}):
        first, second, third = _units(character)
        merges += [(first, second), (first + second, third), (first + second, third + END)]
    for word in sorted(set(words), key=lambda word: (len(word), word)):
        head, *rest = ["".join(_units(character)) for character in word]
        for index, part in enumerate(rest):
            if index == len(rest) - 1:
                merges.append((head, part + END))
            merges.append((head, part))
            head += part
    return merges


def _units(text: str) -> list[str]:
    return [_BYTES[byte] for byte in text.encode()]


def _byte_letters() -> dict[int, str]:
    """GPT-2's letter for each byte, as byte-level BPE writes them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    return letters | {byte: chr(256 + index) for index, byte in enumerate(rest)}


_BYTES = _byte_letters()
