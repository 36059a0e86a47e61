"""Fills the marked sections of MODEL_CARD.md: the sources with their licences and the figures on dev."""

import argparse
import collections
import json
import re
from pathlib import Path

import jsonl
import rows

KIND_NAMES = {
    "injection-direct": "direct injection",
    "injection-indirect": "indirect injection",
    "jailbreak": "jailbreak",
    "extraction": "extraction",
}


def percent(value):
    return "" if value is None else f"{100 * value:.1f}"


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(out + ["| " + " | ".join(map(str, line)) + " |" for line in lines])


def source_table(sources_file: Path, counts):
    """One line per source of the pool that was trained on, as SOURCES.md describes it."""
    described = {}
    for line in sources_file.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) >= 10:
            described[cells[0].strip()] = (cells[1], cells[3])
    lines = []
    for name in sorted(counts):
        repository, licence = described.get(name, ("written for this project", "free to use and to publish"))
        lines.append((name, repository, licence, counts[name][1], counts[name][0]))
    return table(("source", "repository (commit)", "licence seen there", "attacks", "benign"), lines)


def trained_counts(row_files, pool_names):
    """{source: {label: distinct rows}} over the stages' rows; made-up sources are left out."""
    counts, seen = collections.defaultdict(lambda: [0, 0]), set()
    for path in row_files:
        for row in jsonl.read(path):
            source = re.sub("^(mined|hard)_", "", row["source"])
            key = (source, rows.digest(row["text"]))
            if source in pool_names and key not in seen:
                seen.add(key)
                counts[source][row["label"]] += 1
    return counts


def figures_text(figures):
    attacks, multilingual, sets = figures["held_out_attacks"], figures["multilingual"], figures["sets"]
    parts = [
        f"The threshold (logit {figures['threshold_logit']:.3f}) flags 1 % of the held-out benign texts.",
        table(
            ("what", "flagged, %"),
            [
                ("held-out attacks, micro", percent(attacks["micro"])),
                ("held-out attacks, mean over sources", percent(attacks["macro_over_sources"])),
                *((f"held-out attacks, {KIND_NAMES[k]}", percent(v["flagged"])) for k, v in attacks["by_kind"].items()),
                *(
                    (f"held-out benign, {k.removeprefix('benign-')}", percent(v["flagged"]))
                    for k, v in figures["held_out_benign"]["by_kind"].items()
                ),
            ],
        ),
        table(
            ("set", "attacks", "recall, %", "benign", "false positives, %", "area under ROC"),
            [
                (
                    name,
                    entry.get("attacks", ""),
                    percent(entry.get("recall")),
                    entry.get("benign", ""),
                    percent(entry.get("false_positives")),
                    entry.get("area", ""),
                )
                for name, entry in sets.items()
            ],
        ),
        "Parallel texts of the multilingual set (40 attacks and 40 near misses each):",
        table(
            ("language", "recall, %", "false positives, %"),
            [
                *(
                    (language, percent(entry["recall"]), percent(entry["false_positives"]))
                    for language, entry in multilingual["languages"].items()
                ),
                (
                    "mean without English",
                    percent(multilingual["others_mean"]["recall"]),
                    percent(multilingual["others_mean"]["false_positives"]),
                ),
            ],
        ),
        "The same set by kind, all languages: "
        + ", ".join(f"{k} {percent(v['flagged'])} %" for k, v in multilingual["attacks_by_kind"].items())
        + "; false positives "
        + ", ".join(f"{k} {percent(v['flagged'])} %" for k, v in multilingual["benign_by_kind"].items())
        + ".",
    ]
    return "\n\n".join(parts)


def fill(text, name, body):
    """Replaces what stands between the two markers called `name`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, rest = text.split(begin)
    return before + begin + "\n" + body + "\n" + end + rest.split(end)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with SOURCES.md and pool/")
    parser.add_argument("figures", type=Path, help="JSON written by evaluate.py")
    parser.add_argument("card", type=Path, help="the model card, with its markers")
    parser.add_argument("rows", type=Path, nargs="+", help="the row files that were trained on")
    arguments = parser.parse_args()
    names = {path.name.removesuffix(".jsonl.gz") for path in (arguments.data / "pool").glob("*.gz")}
    counts = trained_counts(arguments.rows, names)
    text = arguments.card.read_text()
    text = fill(text, "sources", source_table(arguments.data / "SOURCES.md", counts))
    text = fill(text, "figures", figures_text(json.loads(arguments.figures.read_text())))
    arguments.card.write_text(text)
    print(f"{arguments.card}: {len(counts)} sources")


if __name__ == "__main__":
    main()
