"""Finds benign texts of the pool that a trained model takes for attacks: hard negatives for the second stage.

Only sources without any attack are searched, since what a mixed source calls benign may be mislabelled, and
only texts that no earlier stage has seen.
"""

import argparse
import collections
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

import evaluate
import jsonl
import model as detector
import rows

PER_SOURCE_SCORED = 700
PER_SOURCE_KEPT = 150
KEPT = 1500
LOGIT_MIN = -2.5  # surer benign texts teach nothing


def candidates(pool, known, rng):
    """Unseen benign segments of purely benign sources."""
    found = []
    for source, texts in pool.items():
        if source == rows.WRITTEN or any(row["label"] for row in texts):
            continue
        unseen = []
        for row in rng.sample(texts, min(len(texts), 3 * PER_SOURCE_SCORED)):
            text = row["text"].replace("\x00", " ")
            length = rows.segment_length(text)
            if len(text) > length:
                text = rows.cut(text, rng.randint(0, len(text) - length), length)
            if rows.fold(text) not in known:
                unseen.append(dict(row, text=text.strip(), source="hard_" + source, visits=1))
        found += unseen[:PER_SOURCE_SCORED]
    return found


def hardest(found, logits):
    """The highest-scoring ones, capped by source, without those worded like attacks."""
    kept, taken, beginnings = [], collections.Counter(), set()
    for logit, row in sorted(zip(logits, found), key=lambda pair: -pair[0]):
        beginning = rows.fold(row["text"])[:50]
        if logit < LOGIT_MIN or len(kept) == KEPT:
            break
        if taken[row["source"]] >= PER_SOURCE_KEPT or beginning in beginnings:
            continue
        trusted = row["source"].removeprefix("hard_") in rows.TRUSTED
        if not trusted and rows.LIKELY_ATTACK.search(row["text"]):
            continue
        beginnings.add(beginning)
        taken[row["source"]] += 1
        kept.append(row)
    return kept, taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with pool/ and dev/")
    parser.add_argument("checkpoint", type=Path, help="the trained model that searches")
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path, help="the JSONL file to write")
    parser.add_argument("--seen", type=Path, nargs="*", default=[], help="row files whose texts are left out")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    known = {rows.fold(row["text"]) for path in arguments.seen for row in jsonl.read(path)}
    found = candidates(rows.read_pool(arguments.data), known, random.Random(9))
    model = detector.load(arguments.checkpoint)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    logits = evaluate.score(model, tokenizer, [row["text"] for row in found])[:, -1].tolist()
    kept, taken = hardest(found, logits)
    jsonl.write(arguments.out, kept)
    print(f"{len(found)} scored, {len(kept)} kept: {taken.most_common(20)}")


if __name__ == "__main__":
    main()
