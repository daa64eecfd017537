"""The published models once more, in float64 and from their papers' formulas, by their own names.

Independent of sdmerge, transformers and open_clip: what these are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
Act = Callable[[Tensor], Tensor]


class Net:
    """Weights under a name, in float64."""

    def __init__(self, weights: Weights, head: str = "") -> None:
        self._all, self._head = weights, head

    def at(self, name: str) -> Net:
        return Net(self._all, f"{self._head}{name}.")

    def __getitem__(self, name: str) -> Tensor:
        return self._all[f"{self._head}{name}"].double()

    def bias(self, name: str) -> Tensor:
        """The bias, or zero where the layer has none."""
        found = self._all.get(f"{self._head}{name}.bias")
        return torch.zeros(1).double() if found is None else found.double()

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self[f"{name}.weight"].T + self.bias(name)

    def norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        middle, spread = x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True)
        return (x - middle) / (spread + eps).sqrt() * self[f"{name}.weight"] + self[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def gelu_tanh(x: Tensor) -> Tensor:
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def quick_gelu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-1.702 * x))


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """softmax(q·kᵀ/√d)·v per head; `mask` is True where nobody looks."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def causal(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens).triu(1).bool()


def patches(net: Net, name: str, pixels: Tensor) -> Tensor:
    """Every patch as a vector [n, patches, width], row by row."""
    weight = net[f"{name}.weight"]
    side = weight.shape[-1]
    cut = pixels.double().unfold(2, side, side).unfold(3, side, side)
    rows = cut.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    return rows @ weight.flatten(1).T + net.bias(name)


def with_first(first: Tensor, rows: Tensor) -> Tensor:
    return torch.cat([first.reshape(1, -1, first.shape[-1]).expand(len(rows), -1, -1), rows], 1)


def unit(x: Tensor) -> Tensor:
    return x / x.square().sum(-1, keepdim=True).sqrt()


def clip_layer(
    net: Net, x: Tensor, heads: int, act: Act, mask: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """A block of CLIP and SigLIP, by transformers' names."""
    y = net.norm("layer_norm1", x, eps)
    q, k, v = (net.linear(f"self_attn.{one}_proj", y) for one in "qkv")
    x = x + net.linear("self_attn.out_proj", attend(q, k, v, heads, mask))
    y = net.norm("layer_norm2", x, eps)
    return x + net.linear("mlp.fc2", act(net.linear("mlp.fc1", y)))


def clip_pictures(weights: Weights, pixels: Tensor, layers: int, heads: int, act: Act) -> Tensor:
    net = Net(weights, "vision_model.")
    x = with_first(
        net["embeddings.class_embedding"], patches(net, "embeddings.patch_embedding", pixels)
    )
    x = net.norm("pre_layrnorm", x + net["embeddings.position_embedding.weight"], 1e-5)
    for n in range(layers):
        x = clip_layer(net.at(f"encoder.layers.{n}"), x, heads, act)
    x = net.norm("post_layernorm", x[:, 0], 1e-5)
    return unit(x @ weights["visual_projection.weight"].double().T)


def clip_texts(
    weights: Weights, ids: Tensor, ends: Tensor, layers: int, heads: int, act: Act
) -> Tensor:
    """`ends` are the places of the end-of-text tokens."""
    net = Net(weights, "text_model.")
    x = net["embeddings.token_embedding.weight"][ids]
    x = x + net["embeddings.position_embedding.weight"][: ids.shape[1]]
    for n in range(layers):
        x = clip_layer(net.at(f"encoder.layers.{n}"), x, heads, act, causal(ids.shape[1]))
    x = net.norm("final_layer_norm", x, 1e-5)[torch.arange(len(ids)), ends]
    return unit(x @ weights["text_projection.weight"].double().T)


def open_clip_layer(net: Net, x: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    y = net.norm("ln_1", x, 1e-5) @ net["attn.in_proj_weight"].T + net["attn.in_proj_bias"]
    x = x + net.linear("attn.out_proj", attend(*y.chunk(3, -1), heads, mask))
    y = net.norm("ln_2", x, 1e-5)
    return x + net.linear("mlp.c_proj", gelu(net.linear("mlp.c_fc", y)))


def open_clip_pictures(weights: Weights, pixels: Tensor, layers: int, heads: int) -> Tensor:
    net = Net(weights, "visual.")
    x = with_first(net["class_embedding"], patches(net, "conv1", pixels))
    x = net.norm("ln_pre", x + net["positional_embedding"], 1e-5)
    for n in range(layers):
        x = open_clip_layer(net.at(f"transformer.resblocks.{n}"), x, heads)
    return unit(net.norm("ln_post", x[:, 0], 1e-5) @ net["proj"])


def open_clip_texts(weights: Weights, ids: Tensor, layers: int, heads: int) -> Tensor:
    net = Net(weights)
    x = net["token_embedding.weight"][ids] + net["positional_embedding"]
    for n in range(layers):
        x = open_clip_layer(net.at(f"transformer.resblocks.{n}"), x, heads, causal(ids.shape[1]))
    x = net.norm("ln_final", x, 1e-5)[torch.arange(len(ids)), ids.argmax(-1)]
    return unit(x @ net["text_projection"])


def siglip_pictures(weights: Weights, pixels: Tensor, layers: int, heads: int) -> Tensor:
    net = Net(weights, "vision_model.")
    x = patches(net, "embeddings.patch_embedding", pixels)
    x = x + net["embeddings.position_embedding.weight"]
    for n in range(layers):
        x = clip_layer(net.at(f"encoder.layers.{n}"), x, heads, gelu_tanh, eps=1e-6)
    x = net.norm("post_layernorm", x, 1e-6)
    head = net.at("head")
    wide = x.shape[-1]
    matrices = head["attention.in_proj_weight"].split(wide)
    offsets = head["attention.in_proj_bias"].split(wide)
    asked = head["probe"].expand(len(x), -1, -1)
    q, k, v = (y @ w.T + b for y, w, b in zip((asked, x, x), matrices, offsets, strict=True))
    y = head.linear("attention.out_proj", attend(q, k, v, heads))
    y = y + head.linear(
        "mlp.fc2", gelu_tanh(head.linear("mlp.fc1", head.norm("layernorm", y, 1e-6)))
    )
    return unit(y[:, 0])


def siglip_texts(weights: Weights, ids: Tensor, layers: int, heads: int) -> Tensor:
    """The last token speaks, padding or not; every token sees all."""
    net = Net(weights, "text_model.")
    x = net["embeddings.token_embedding.weight"][ids] + net["embeddings.position_embedding.weight"]
    for n in range(layers):
        x = clip_layer(net.at(f"encoder.layers.{n}"), x, heads, gelu_tanh, eps=1e-6)
    return unit(net.linear("head", net.norm("final_layer_norm", x, 1e-6)[:, -1]))


def dinov2_pictures(weights: Weights, pixels: Tensor, layers: int, heads: int) -> Tensor:
    net = Net(weights)
    x = patches(net, "embeddings.patch_embeddings.projection", pixels)
    x = with_first(net["embeddings.cls_token"], x) + net["embeddings.position_embeddings"]
    for n in range(layers):
        block = net.at(f"encoder.layer.{n}")
        y = block.norm("norm1", x, 1e-6)
        q, k, v = (block.linear(f"attention.attention.{p}", y) for p in ("query", "key", "value"))
        y = block.linear("attention.output.dense", attend(q, k, v, heads))
        x = x + block["layer_scale1.lambda1"] * y
        y = block.linear("mlp.fc2", gelu(block.linear("mlp.fc1", block.norm("norm2", x, 1e-6))))
        x = x + block["layer_scale2.lambda1"] * y
    return unit(net.norm("layernorm", x, 1e-6)[:, 0])


def vit_rows(net: Net, pixels: Tensor, layers: int, heads: int) -> Tensor:
    """transformers' ViT, all tokens after the last norm."""
    x = patches(net, "embeddings.patch_embeddings.projection", pixels)
    x = with_first(net["embeddings.cls_token"], x) + net["embeddings.position_embeddings"]
    for n in range(layers):
        block = net.at(f"encoder.layer.{n}")
        y = block.norm("layernorm_before", x, 1e-12)
        q, k, v = (block.linear(f"attention.attention.{p}", y) for p in ("query", "key", "value"))
        x = x + block.linear("attention.output.dense", attend(q, k, v, heads))
        y = block.norm("layernorm_after", x, 1e-12)
        x = x + block.linear("output.dense", gelu(block.linear("intermediate.dense", y)))
    return net.norm("layernorm", x, 1e-12)


def bert_attend(
    net: Net, x: Tensor, to: Tensor, heads: int, mask: Tensor | None, eps: float
) -> Tensor:
    q = net.linear("self.query", x)
    k, v = net.linear("self.key", to), net.linear("self.value", to)
    y = net.linear("output.dense", attend(q, k, v, heads, mask))
    return net.norm("output.LayerNorm", x + y, eps)


def bert_rows(
    net: Net, x: Tensor, hidden: Tensor, layers: int, heads: int, eps: float,
    seen: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """BERT's layers on embeddings [n, tokens, width]; `hidden` tokens are padding."""
    mask = hidden[:, None, None, :]
    for n in range(layers):
        block = net.at(f"encoder.layer.{n}")
        x = bert_attend(block.at("attention"), x, x, heads, mask, eps)
        if seen is not None:
            x = bert_attend(block.at("crossattention"), x, seen, heads, None, eps)
        y = block.linear("output.dense", gelu(block.linear("intermediate.dense", x)))
        x = block.norm("output.LayerNorm", x + y, eps)
    return x


def blip_rows(net: Net, pixels: Tensor, layers: int, heads: int) -> Tensor:
    """BLIP's ViT, all tokens after the last norm."""
    x = with_first(net["cls_token"], patches(net, "patch_embed.proj", pixels)) + net["pos_embed"]
    for n in range(layers):
        block = net.at(f"blocks.{n}")
        q, k, v = block.linear("attn.qkv", block.norm("norm1", x, 1e-6)).chunk(3, -1)
        x = x + block.linear("attn.proj", attend(q, k, v, heads))
        y = block.norm("norm2", x, 1e-6)
        x = x + block.linear("mlp.fc2", gelu(block.linear("mlp.fc1", y)))
    return net.norm("norm", x, 1e-6)


def mlp(net: Net, x: Tensor) -> Tensor:
    """LAION's row of linear layers."""
    for place in (0, 2, 4, 6, 7):
        x = net.linear(f"layers.{place}", x)
    return x[..., 0]


def reward(
    weights: Weights, pixels: Tensor, ids: Tensor, hidden: Tensor, layers: tuple[int, int],
    heads: tuple[int, int],
) -> Tensor:  # fmt: skip
    """ImageReward.py's `score`: (mlp(first token) - mean) / std."""
    seen = blip_rows(Net(weights, "blip.visual_encoder."), pixels, layers[0], heads[0])
    net = Net(weights, "blip.text_encoder.")
    x = net["embeddings.word_embeddings.weight"][ids]
    x = x + net["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = net.norm("embeddings.LayerNorm", x, 1e-12)
    x = bert_rows(net, x, hidden, layers[1], heads[1], 1e-12, seen)
    return (mlp(Net(weights, "mlp."), x[:, 0]) - 0.16717362830052426) / 1.0333394966054072
