"""Trains the detector from WORK/start.safetensors or a trained model; a killed run goes on as if nothing had been.

The order of batches depends on the seed alone. Every few minutes the weights, the optimiser's state and the
position go to WORK/train/checkpoint.pt (written beside it, then renamed). The last weights and their average
over the end of the run go to WORK/train/{final,average}/, those of half way to WORK/train/half/.
"""

import argparse
import hashlib
import json
import os
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

import jsonl
import model as detector

BATCHES_SORTED_TOGETHER = 48
LOG_EVERY_STEPS = 100
NOT_SETTINGS = ("work", "name", "checkpoint_seconds", "threads", "steps_max")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder with rows.jsonl, tokenizer.json, start.safetensors")
    parser.add_argument("--name", default="train", help="folder below WORK for what the run writes")
    parser.add_argument("--rows", nargs="+", default=["rows.jsonl"], help="the rows to train on, files in WORK")
    parser.add_argument("--start", type=Path, help="folder of a trained model to go on from, instead of the base")
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--head-factor", type=float, default=10.0, help="the heads' learning rate, times this")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--visits-max", type=int, default=0, help="see only so many rows, a sample of all visits")
    parser.add_argument("--tokens-max", type=int, default=160, help="longer rows are cut")
    parser.add_argument("--warm-up", type=float, default=0.06, help="share of the steps")
    parser.add_argument("--smoothing", type=float, default=0.03)
    parser.add_argument("--auxiliary-weight", type=float, default=0.3)
    parser.add_argument(
        "--average-from", type=float, default=0.85, help="share of the run after which weights are averaged"
    )
    parser.add_argument("--checkpoint-seconds", type=float, default=180)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--steps-max", type=int, default=0, help="stop after this many steps without finishing; for tests"
    )
    return parser.parse_args()


def visiting_order(visits, rng):
    """Row numbers in the order in which they are seen; a row's visits are spread evenly over the run."""
    places = []
    for number, count in enumerate(visits):
        for visit in range(count):
            places.append(((visit + rng.random()) / count, number))
    return [number for _, number in sorted(places)]


def make_batches(order, lengths, size, rng):
    """Batches of rows of like length: sorted within groups of batches, then shuffled within them."""
    batches = []
    group = size * BATCHES_SORTED_TOGETHER
    for start in range(0, len(order), group):
        part = sorted(order[start : start + group], key=lambda number: lengths[number])
        cut = [part[k : k + size] for k in range(0, len(part), size)]
        rng.shuffle(cut)
        batches += cut
    return batches


def rate_factor(step, steps, warm_up):
    """Linear warm-up, then linear decay to zero over the whole run."""
    return min(1.0, (step + 1) / max(1, int(warm_up * steps))) * (1 - step / steps)


def tokenise(paths, tokenizer: Tokenizer, tokens_max: int):
    """-> (ids of every row, labels, visits)"""
    rows = [row for path in paths for row in jsonl.read(path)]
    encodings = tokenizer.encode_batch([row["text"] for row in rows])
    end = encodings[0].ids[-1]
    ids = [e.ids if len(e.ids) <= tokens_max else e.ids[: tokens_max - 1] + [end] for e in encodings]
    return ids, [float(row["label"]) for row in rows], [row.get("visits", 1) for row in rows]


def start_model(options) -> detector.Detector:
    torch.manual_seed(options.seed)
    if options.start:
        return detector.load(options.start)
    tensors = load_file(options.work / "start.safetensors")
    vocabulary = tensors["embeddings.word_embeddings.weight"].shape[0]
    return detector.fill(detector.Detector(detector.Shape(vocabulary)), tensors)


def make_optimiser(model: detector.Detector, options):
    """AdamW; matrices decay, vectors do not, heads learn faster, word embeddings stay as they are."""
    model.words.weight.requires_grad_(False)
    inner = [*model.layers.parameters(), model.positions.weight, model.token_type, *model.embedding_norm.parameters()]
    decaying = [p for p in model.layers.parameters() if p.dim() > 1]
    ids = {id(p) for p in decaying}
    plain = [p for p in inner if id(p) not in ids]
    rate = options.learning_rate
    groups = [
        {"params": decaying, "rate": rate, "weight_decay": 0.01},
        {"params": plain, "rate": rate, "weight_decay": 0.0},
        {"params": list(model.heads.parameters()), "rate": rate * options.head_factor, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def losses(logits, labels, smoothing):
    """Cross-entropy per row and head against smoothed labels."""
    targets = labels * (1 - 2 * smoothing) + smoothing
    return F.binary_cross_entropy_with_logits(logits, targets[:, None].expand_as(logits), reduction="none")


class Average:
    """The mean of the trainable weights over the end of a run."""

    def __init__(self, model):
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.count = 0
        self.means = None

    @torch.no_grad()
    def add(self):
        self.count += 1
        if self.means is None:
            self.means = [p.detach().clone() for p in self.parameters]
            return
        for mean, now in zip(self.means, self.parameters):
            mean.lerp_(now, 1 / self.count)

    def state(self):
        return {"count": self.count, "means": self.means}

    def restore(self, state):
        self.count, self.means = state["count"], state["means"]

    @torch.no_grad()
    def apply(self):
        for mean, now in zip(self.means or [], self.parameters):
            now.copy_(mean)


def fingerprint(batches, ids, labels, options):
    """Names the run: a checkpoint of other rows or settings must not be gone on from."""
    settings = {name: str(value) for name, value in vars(options).items() if name not in NOT_SETTINGS}
    said = json.dumps([settings, batches, ids, labels], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def write_checkpoint(path: Path, model, optimiser, average, step, loss, run):
    trainable = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    state = {"model": trainable, "optimiser": optimiser.state_dict(), "average": average.state()}
    state |= {"step": step, "loss": loss, "run": run}
    beside = path.with_suffix(".part")
    with open(beside, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def train(options):
    torch.set_num_threads(options.threads)
    folder = options.work / options.name
    folder.mkdir(parents=True, exist_ok=True)

    def say(text):
        line = time.strftime("%H:%M:%S ") + text
        print(line, flush=True)
        with open(folder / "train.log", "a") as log:
            log.write(line + "\n")

    tokenizer = Tokenizer.from_file(str(options.work / "tokenizer.json"))
    ids, labels, visits = tokenise([options.work / name for name in options.rows], tokenizer, options.tokens_max)
    rng = random.Random(options.seed)
    order = visiting_order(visits, rng)[: options.visits_max or None]
    batches = make_batches(order, [len(row) for row in ids], options.batch, rng)
    tokens = sum(len(ids[number]) for number in order) / len(order)
    attacks = sum(labels[number] for number in order) / len(order)
    say(f"{len(ids)} rows, {len(order)} visits, {len(batches)} steps, {tokens:.1f} tokens a row, {attacks:.1%} attacks")

    model = start_model(options)
    optimiser = make_optimiser(model, options)
    average = Average(model)
    head_weights = torch.tensor([options.auxiliary_weight] * len(model.shape.auxiliary_layers) + [1.0])
    checkpoint, first, smooth_loss = folder / "checkpoint.pt", 0, None
    run = fingerprint(batches, ids, labels, options)
    state = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else {}
    if state.get("run") == run:
        model.load_state_dict(state["model"], strict=False)
        optimiser.load_state_dict(state["optimiser"])
        average.restore(state["average"])
        first, smooth_loss = state["step"], state["loss"]
        say(f"goes on from step {first}")

    model.train()
    steps, started, saved, seen = len(batches), time.time(), time.time(), 0
    trainable = [p for p in model.parameters() if p.requires_grad]
    for step in range(first, steps):
        if options.steps_max and step - first >= options.steps_max:
            write_checkpoint(checkpoint, model, optimiser, average, step, smooth_loss, run)
            return
        batch = batches[step]
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * rate_factor(step, steps, options.warm_up)
        logits = model(detector.pad([ids[number] for number in batch], model.shape.pad_id))
        per_head = losses(logits, torch.tensor([labels[number] for number in batch]), options.smoothing)
        (per_head * head_weights).sum(1).mean().backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        now = per_head[:, -1].mean().item()
        smooth_loss = now if smooth_loss is None else 0.99 * smooth_loss + 0.01 * now
        seen += len(batch)
        if step >= options.average_from * steps and step % 20 == 0:
            average.add()
        if (step + 1) % LOG_EVERY_STEPS == 0:
            speed = seen / (time.time() - started)
            left = (steps - step) * options.batch / speed / 60
            say(f"step {step + 1}/{steps} loss {smooth_loss:.4f} {speed:.1f} rows/s, {left:.0f} min left")
        if step + 1 == steps // 2:
            detector.save(model, folder / "half")
        if time.time() - saved > options.checkpoint_seconds:
            write_checkpoint(checkpoint, model, optimiser, average, step + 1, smooth_loss, run)
            saved = time.time()
    detector.save(model, folder / "final")
    average.apply()
    detector.save(model, folder / "average")
    say(f"done: {seen} rows in {(time.time() - started) / 60:.1f} min")


if __name__ == "__main__":
    train(parse())
