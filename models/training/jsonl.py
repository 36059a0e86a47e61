"""Reading and writing of rows, one JSON object a line, gzipped where the name ends in .gz."""

import gzip
import json
from pathlib import Path


def read(path: Path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


def write(path: Path, rows) -> None:
    with open(path, "w", encoding="utf8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_folder(folder: Path):
    """{name of the set: its rows}, in the order of the names"""
    return {path.name.removesuffix(".jsonl.gz"): read(path) for path in sorted(folder.glob("*.jsonl.gz"))}
