"""Trains the exits on the finished encoder: each learns to say early what the last head says of the same window.

The encoder and its last head stay as they are, so a window that goes all the way is judged as before. Every row
is passed through once and all exits take one step on it: the pass is what costs, the exits next to nothing. The
last head's own logit is the target, not the label: an exit need not be right where the whole model is not. A run
that is cut off is begun again and gives the same weights.
"""

import argparse
import dataclasses
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import evaluate
import jsonl
import model as detector
from train import make_batches, rate_factor

LOG_EVERY_STEPS = 100


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", type=Path, help="folder of the trained model")
    parser.add_argument("tokenizer", type=Path, help="tokenizer.json")
    parser.add_argument("out", type=Path, help="folder to write: the same model with exits, without auxiliary heads")
    parser.add_argument("rows", type=Path, nargs="+", help="the rows to train on")
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2, 3], help="after which an exit sits")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--windows-max", type=int, default=60000, help="pass through at most so many, a sample of all")
    parser.add_argument("--warm-up", type=float, default=0.05, help="share of the steps")
    parser.add_argument(
        "--sharpness", type=float, default=1.5, help="times the last head's logit, which smoothed labels keep small"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def with_exits(trained: detector.Detector, layers) -> detector.Detector:
    """The same encoder and last head, frozen, with fresh exits in place of the auxiliary heads."""
    shape = dataclasses.replace(trained.shape, auxiliary_layers=(), exit_layers=tuple(layers))
    model = detector.fill(detector.Detector(shape), detector.to_tensors(trained))
    model.requires_grad_(False)
    model.exits.requires_grad_(True)
    return model


def exits_and_last(model: detector.Detector, ids):
    """-> logits of the exits [texts, exits], with gradients to the exits alone, and of the last head [texts]"""
    real = ids != model.shape.pad_id
    early = []
    for depth, states in model.states(ids, real):
        if str(depth) in model.exits:
            early.append(model.exits[str(depth)](states, real))
    return torch.stack(early, 1), model.heads[str(model.shape.layers)](states[:, 0]).squeeze(-1)


def distinct_windows(paths, tokenizer: Tokenizer):
    """The first window of every row, each once, special tokens included."""
    begin, *_, end = tokenizer.encode("a").ids
    texts = [row["text"] for path in paths for row in jsonl.read(path)]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    distinct = dict.fromkeys((begin, *encoding.ids[: evaluate.WINDOW], end) for encoding in encodings)
    return [list(window) for window in distinct]


def train(options):
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    windows = distinct_windows(options.rows, Tokenizer.from_file(str(options.tokenizer)))
    rng = random.Random(options.seed)
    order = rng.sample(range(len(windows)), min(len(windows), options.windows_max))
    batches = make_batches(order, [len(window) for window in windows], options.batch, rng)
    model = with_exits(detector.load(options.start), options.layers).train()
    optimiser = torch.optim.AdamW(model.exits.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    steps, started, smooth_loss = len(batches), time.time(), None
    print(f"{len(order)} of {len(windows)} windows, {steps} steps", flush=True)
    for step, batch in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * rate_factor(step, steps, options.warm_up)
        ids = detector.pad([windows[number] for number in batch], model.shape.pad_id)
        early, last = exits_and_last(model, ids)
        target = torch.sigmoid(options.sharpness * last)[:, None].expand_as(early)
        losses = F.binary_cross_entropy_with_logits(early, target, reduction="none").mean(0)
        losses.sum().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses = losses.detach()
        smooth_loss = losses if smooth_loss is None else 0.99 * smooth_loss + 0.01 * losses
        if (step + 1) % LOG_EVERY_STEPS == 0:
            left = (time.time() - started) / (step + 1) * (steps - step - 1) / 60
            said = ", ".join(f"{loss:.4f}" for loss in smooth_loss.tolist())
            print(f"step {step + 1}/{steps} losses {said}, {left:.0f} min left", flush=True)
    detector.save(model, options.out)
    print(f"done in {(time.time() - started) / 60:.1f} min")


if __name__ == "__main__":
    train(parse())
