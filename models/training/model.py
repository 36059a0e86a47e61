"""The detector: a BERT encoder whose first token feeds one linear head.

Tensor names on disk follow Hugging Face's BertModel, so other tools can open the file. There is no
pooler. While the encoder is trained, auxiliary heads of the same shape sit after earlier layers; the
product has exits there instead, which are trained on the finished encoder (exits.py).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn


@dataclass(frozen=True)
class Shape:
    """The sizes that config.json stores."""

    vocabulary: int
    hidden: int = 384
    feed_forward: int = 1536
    heads: int = 12
    layers: int = 6
    positions: int = 512
    auxiliary_layers: tuple = (2, 3, 4)
    exit_layers: tuple = ()
    exit_width: int = 64
    exit_inner: int = 64
    pad_id: int = 1
    norm_epsilon: float = 1e-12


class Layer(nn.Module):
    """One post-LayerNorm transformer layer with erf GELU, as BERT has it."""

    def __init__(self, shape: Shape):
        super().__init__()
        hidden, inner = shape.hidden, shape.feed_forward
        self.heads = shape.heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.attention_output = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, shape.norm_epsilon)
        self.expand = nn.Linear(hidden, inner)
        self.contract = nn.Linear(inner, hidden)
        self.output_norm = nn.LayerNorm(hidden, shape.norm_epsilon)

    def forward(self, states, mask, first_token_only=False):
        batch, length, hidden = states.shape
        # The last layer is read at the first token alone, so only that query is computed there.
        asking = states[:, :1] if first_token_only else states

        def split(projected):
            return projected.view(batch, projected.shape[1], self.heads, -1).transpose(1, 2)

        attended = F.scaled_dot_product_attention(
            split(self.query(asking)), split(self.key(states)), split(self.value(states)), attn_mask=mask
        )
        attended = attended.transpose(1, 2).reshape(batch, asking.shape[1], hidden)
        middle = self.attention_norm(asking + self.attention_output(attended))
        return self.output_norm(middle + self.contract(F.gelu(self.expand(middle))))


# Attribute of Layer -> name below `encoder.layer.N.` on disk.
LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}


class Exit(nn.Module):
    """An early head: the largest value of each projected column over a window's tokens, then one hidden layer.

    It reads all tokens, since the first has hardly gathered the others so early, and keeps the largest value,
    not the mean, so that harmless text around a planted order cannot dilute it.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.projection = nn.Linear(shape.hidden, shape.exit_width)
        self.inner = nn.Linear(shape.exit_width, shape.exit_inner)
        self.output = nn.Linear(shape.exit_inner, 1)
        self.dropout = nn.Dropout(0.1)
        nn.init.normal_(self.projection.weight, 0, 0.05)

    def forward(self, states, real):
        """States [texts, tokens, hidden] and which tokens are text [texts, tokens] -> logits [texts]"""
        pooled = (F.relu(self.projection(states)) * real[:, :, None]).amax(1)
        return self.output(F.relu(self.inner(self.dropout(pooled)))).squeeze(-1)


class Detector(nn.Module):
    """Encoder and heads. `forward` gives one logit per head; the last column is the verdict's."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.vocabulary, shape.hidden)
        self.positions = nn.Embedding(shape.positions, shape.hidden)
        self.token_type = nn.Parameter(torch.zeros(shape.hidden))
        self.embedding_norm = nn.LayerNorm(shape.hidden, shape.norm_epsilon)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.heads = nn.ModuleDict(
            {str(depth): nn.Linear(shape.hidden, 1) for depth in (*shape.auxiliary_layers, shape.layers)}
        )
        for head in self.heads.values():
            nn.init.normal_(head.weight, 0, 0.02)
            nn.init.zeros_(head.bias)
        self.exits = nn.ModuleDict({str(depth): Exit(shape) for depth in shape.exit_layers})

    def states(self, ids, real):
        """Yields the number of each layer and the tokens' states after it; after the last, of the first token."""
        mask = None if bool(real.all()) else real[:, None, None, :]
        states = self.words(ids) + self.positions.weight[: ids.shape[1]] + self.token_type
        states = self.embedding_norm(states)
        for depth, layer in enumerate(self.layers, start=1):
            states = layer(states, mask, first_token_only=depth == len(self.layers))
            yield depth, states

    def forward(self, ids):
        logits = [
            self.heads[str(depth)](states[:, 0]).squeeze(-1)
            for depth, states in self.states(ids, ids != self.shape.pad_id)
            if str(depth) in self.heads
        ]
        return torch.stack(logits, 1)

    def exit_logits(self, ids):
        """One logit per exit."""
        real = ids != self.shape.pad_id
        found = [
            self.exits[str(depth)](states, real)
            for depth, states in self.states(ids, real)
            if str(depth) in self.exits
        ]
        return torch.stack(found, 1)


def pad(sequences, pad_id):
    """A LongTensor of token ids, filled up to the longest sequence."""
    longest = max(map(len, sequences))
    return torch.tensor([ids + [pad_id] * (longest - len(ids)) for ids in sequences])


def head_name(shape: Shape, depth: str) -> str:
    return "classifier" if int(depth) == shape.layers else f"auxiliary_{depth}"


def to_tensors(model: Detector) -> dict:
    """The state under its names on disk."""
    tensors = {
        "bert.embeddings.word_embeddings.weight": model.words.weight,
        "bert.embeddings.position_embeddings.weight": model.positions.weight,
        "bert.embeddings.token_type_embeddings.weight": model.token_type[None].repeat(2, 1),
        "bert.embeddings.LayerNorm.weight": model.embedding_norm.weight,
        "bert.embeddings.LayerNorm.bias": model.embedding_norm.bias,
    }
    for index, layer in enumerate(model.layers):
        for attribute, name in LAYER_NAMES.items():
            part = getattr(layer, attribute)
            tensors[f"bert.encoder.layer.{index}.{name}.weight"] = part.weight
            tensors[f"bert.encoder.layer.{index}.{name}.bias"] = part.bias
    for depth, head in model.heads.items():
        name = head_name(model.shape, depth)
        tensors[f"{name}.weight"] = head.weight
        tensors[f"{name}.bias"] = head.bias
    for depth, part in model.exits.items():
        tensors |= {f"exit_{depth}.{name}": tensor for name, tensor in part.named_parameters()}
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}


@torch.no_grad()
def fill(model: Detector, tensors: dict) -> Detector:
    """Copies named tensors into the model; heads that the file lacks keep their random start."""
    tensors = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}

    def copy(part, name):
        part.weight.copy_(tensors[f"{name}.weight"])
        part.bias.copy_(tensors[f"{name}.bias"])

    model.words.weight.copy_(tensors["embeddings.word_embeddings.weight"])
    model.positions.weight.copy_(tensors["embeddings.position_embeddings.weight"])
    model.token_type.copy_(tensors["embeddings.token_type_embeddings.weight"][0])
    copy(model.embedding_norm, "embeddings.LayerNorm")
    for index, layer in enumerate(model.layers):
        for attribute, name in LAYER_NAMES.items():
            copy(getattr(layer, attribute), f"encoder.layer.{index}.{name}")
    for depth, head in model.heads.items():
        name = head_name(model.shape, depth)
        if f"{name}.weight" in tensors:
            copy(head, name)
    for depth, part in model.exits.items():
        for name in ("projection", "inner", "output"):
            if f"exit_{depth}.{name}.weight" in tensors:
                copy(getattr(part, name), f"exit_{depth}.{name}")
    return model


def config(shape: Shape) -> dict:
    """config.json: BertModel's fields and the exits."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
        "hidden_act": "gelu",
        "max_position_embeddings": shape.positions,
        "type_vocab_size": 2,
        "layer_norm_eps": shape.norm_epsilon,
        "pad_token_id": shape.pad_id,
        **({"auxiliary_layers": list(shape.auxiliary_layers)} if shape.auxiliary_layers else {}),
        "exit_layers": list(shape.exit_layers),
        "exit_width": shape.exit_width,
        "exit_inner": shape.exit_inner,
        "classifier": "sigmoid(w.cls+b) on the last hidden state of the first token; no pooler",
    }


def save(model: Detector, folder: Path, dtype=torch.float32, extra_config=None) -> None:
    """Writes model.safetensors and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(dtype) for name, tensor in to_tensors(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    text = json.dumps({**(extra_config or {}), **config(model.shape)}, indent=1)
    (folder / "config.json").write_text(text + "\n")


def load(folder: Path) -> Detector:
    """Reads a folder written by `save`, in fp32 and ready to score."""
    stored = json.loads((folder / "config.json").read_text())
    shape = Shape(
        vocabulary=stored["vocab_size"],
        hidden=stored["hidden_size"],
        feed_forward=stored["intermediate_size"],
        heads=stored["num_attention_heads"],
        layers=stored["num_hidden_layers"],
        positions=stored["max_position_embeddings"],
        auxiliary_layers=tuple(stored.get("auxiliary_layers", ())),
        exit_layers=tuple(stored["exit_layers"]),
        exit_width=stored["exit_width"],
        exit_inner=stored["exit_inner"],
        pad_id=stored["pad_token_id"],
        norm_epsilon=stored["layer_norm_eps"],
    )
    return fill(Detector(shape), load_file(folder / "model.safetensors")).eval()
