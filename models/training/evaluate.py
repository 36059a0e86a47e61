"""Scores dev/ in fp32 and writes the figures: per set, kind, language and source, at the 1 % point.

A long text is read in windows of 126 tokens (and the two special ones), 96 apart; its score is the highest.
The threshold is the one that flags 1 % of dev/heldout_benign.
"""

import argparse
import collections
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import jsonl
import model as detector

WINDOW = 126
STRIDE = 96
WINDOWS_MAX = 64
FALSE_POSITIVE_SHARE = 0.01
TOKENS_PER_BATCH = 3000
SCRIPTED = "multilingual"
BENIGN = "heldout_benign"
ATTACKS = "heldout_attacks_by_source"


def windows(ids, begin, end):
    """Overlapping windows over a text's ids, each between the special tokens."""
    found = []
    for start in range(0, max(1, len(ids)), STRIDE):
        found.append([begin, *ids[start : start + WINDOW], end])
        if start + WINDOW >= len(ids) or len(found) == WINDOWS_MAX:
            return found


def read_dev(folder: Path, sample=0):
    """Labelled rows with the name of their set; with `sample`, at most so many per set and label."""
    rows = []
    for name, found in jsonl.read_folder(folder).items():
        found = [dict(row, set=name) for row in found]
        for label in (0, 1):
            part = [row for row in found if row["label"] == label]
            if sample and name != SCRIPTED and len(part) > sample:
                part = random.Random(5).sample(part, sample)
            rows += part
    return rows


@torch.inference_mode()
def score(model, tokenizer, texts):
    """-> array [texts, heads] of each text's highest window logits"""
    begin, *_, end = tokenizer.encode("a").ids
    encodings = tokenizer.encode_batch([text.replace("\x00", " ") for text in texts], add_special_tokens=False)
    pieces, owners = [], []
    for owner, encoding in enumerate(encodings):
        for piece in windows(encoding.ids, begin, end):
            pieces.append(piece)
            owners.append(owner)
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
    logits = np.zeros((len(pieces), len(model.heads)), np.float32)
    at = 0
    while at < len(order):
        size = max(4, TOKENS_PER_BATCH // len(pieces[order[at]]))
        batch = order[at : at + size]
        logits[batch] = model(detector.pad([pieces[i] for i in batch], model.shape.pad_id)).numpy()
        at += size
    highest = np.full((len(texts), logits.shape[1]), -np.inf, np.float32)
    np.maximum.at(highest, np.array(owners), logits)
    return highest


def threshold_at(benign_scores, share=FALSE_POSITIVE_SHARE):
    """The score above which at most `share` of these benign texts lie."""
    return float(np.sort(benign_scores)[::-1][int(share * len(benign_scores))])


def area(positive, negative):
    """Area under the ROC curve, by ranks."""
    values = np.concatenate([positive, negative])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    wins = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


def share(flags):
    return round(float(np.mean(flags)), 4) if len(flags) else None


def by(rows, flags, key):
    """{value: {"flagged": share, "rows": count}} over the rows' `key`, most frequent first."""
    groups = collections.defaultdict(list)
    for row, flag in zip(rows, flags):
        groups[row[key]].append(flag)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return {value: {"flagged": share(group), "rows": len(group)} for value, group in ordered}


def figures(rows, scores):
    """All tables for one head's scores."""
    names = np.array([row["set"] for row in rows])
    labels = np.array([row["label"] for row in rows])
    threshold = threshold_at(scores[names == BENIGN])
    flags = scores > threshold

    def pick(mask):
        chosen = np.flatnonzero(mask)
        return [rows[i] for i in chosen], flags[chosen]

    sets = {}
    for name in sorted(set(names)):
        entry = {}
        for label, word in ((1, "recall"), (0, "false_positives")):
            mask = (names == name) & (labels == label)
            if mask.any():
                entry[word] = share(flags[mask])
                entry["attacks" if label else "benign"] = int(mask.sum())
        if "recall" in entry and "false_positives" in entry:
            attacks, benign = ((names == name) & (labels == label) for label in (1, 0))
            entry["area"] = round(area(scores[attacks], scores[benign]), 4)
        sets[name] = entry

    attacks, attack_flags = pick((names == ATTACKS) & (labels == 1))
    sources = by(attacks, attack_flags, "source")
    benign, benign_flags = pick(names == BENIGN)
    written, written_flags = pick((names == SCRIPTED) & (labels == 1))
    twins, twin_flags = pick((names == SCRIPTED) & (labels == 0))
    recall, alarms = by(written, written_flags, "lang"), by(twins, twin_flags, "lang")
    languages = {
        lang: {"recall": recall[lang]["flagged"], "false_positives": alarms[lang]["flagged"]} for lang in sorted(recall)
    }
    others = [entry for lang, entry in languages.items() if lang != "en"]
    return {
        "threshold_logit": threshold,
        "held_out_attacks": {
            "micro": share(attack_flags),
            "macro_over_sources": round(float(np.mean([entry["flagged"] for entry in sources.values()])), 4),
            "by_kind": by(attacks, attack_flags, "kind"),
            "by_language": by(attacks, attack_flags, "lang"),
            "by_source": sources,
        },
        "held_out_benign": {"flagged": share(benign_flags), "by_kind": by(benign, benign_flags, "kind"),
                            "by_language": by(benign, benign_flags, "lang")},
        "multilingual": {
            "english": languages.get("en"),
            "others_mean": {
                word: round(float(np.mean([entry[word] for entry in others])), 4)
                for word in ("recall", "false_positives")
            },
            "languages": languages,
            "attacks_by_kind": by(written, written_flags, "kind"),
            "benign_by_kind": by(twins, twin_flags, "kind"),
        },
        "sets": sets,
    }  # fmt: skip


def summary(result):
    """One line with the figures that a version is judged by."""
    attacks, multilingual = result["held_out_attacks"], result["multilingual"]
    return (
        f"micro {attacks['micro']:.1%} macro {attacks['macro_over_sources']:.1%}, English "
        f"{multilingual['english']['recall']:.1%} / {multilingual['english']['false_positives']:.1%}, others "
        f"{multilingual['others_mean']['recall']:.1%} / {multilingual['others_mean']['false_positives']:.1%}"
    )


def show(result):
    """The tables as text."""
    print(summary(result))
    for title, table in (
        ("kind", result["held_out_attacks"]["by_kind"]),
        ("language", result["held_out_attacks"]["by_language"]),
        ("source", result["held_out_attacks"]["by_source"]),
        ("benign kind", result["held_out_benign"]["by_kind"]),
        ("multilingual attacks", result["multilingual"]["attacks_by_kind"]),
        ("multilingual benign", result["multilingual"]["benign_by_kind"]),
    ):
        print(title + ": " + ", ".join(f"{k} {v['flagged']:.1%} of {v['rows']}" for k, v in table.items()))
    for name, table in (("languages", result["multilingual"]["languages"]), ("sets", result["sets"])):
        print(name)
        for key, entry in table.items():
            print(f"  {key}: {entry}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with dev/")
    parser.add_argument("checkpoint", type=Path, help="folder with model.safetensors and config.json")
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sample", type=int, default=0, help="a quick look: at most so many rows per set and label")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = detector.load(arguments.checkpoint)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    rows, started = read_dev(arguments.data / "dev", arguments.sample), time.time()
    scores = score(model, tokenizer, [row["text"] for row in rows])
    print(f"{len(rows)} texts in {time.time() - started:.0f} s")
    result = figures(rows, scores[:, -1])
    result["auxiliary"] = {
        str(depth): {"held_out_attacks": {k: v for k, v in early["held_out_attacks"].items() if k.startswith("m")}}
        for column, depth in enumerate(model.shape.auxiliary_layers)
        for early in [figures(rows, scores[:, column])]
    }
    arguments.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    show(result)


if __name__ == "__main__":
    main()
