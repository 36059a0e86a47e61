"""Writes a large comparison file for another tokeniser: JSON lines {"text", "ids"} with Hugging Face's ids.

Half of the texts come from the training pool (all its languages), half are adversarial. The file holds rows
of the pool, so it stays outside the repository.
"""

import argparse
import json
import random
from pathlib import Path

from tokenizers import Tokenizer

import jsonl
import tokenizer_texts

REPOSITORY = Path(__file__).parents[2]


def pool_texts(pool: Path, count: int, rng):
    """Texts from every file, evenly over the languages as far as they go."""
    by_language = {}
    for rows in jsonl.read_folder(pool).values():
        for row in rng.sample(rows, min(len(rows), 3000)):
            by_language.setdefault(row["lang"], []).append(row["text"])
    for texts in by_language.values():
        rng.shuffle(texts)
    chosen = []
    while len(chosen) < count and by_language:
        for language in list(by_language):
            chosen.append(by_language[language].pop())
            if not by_language[language]:
                del by_language[language]
    return chosen[:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with pool/")
    parser.add_argument("out", type=Path, help="the JSONL file to write")
    parser.add_argument("--tokenizer", type=Path, default=REPOSITORY / "models/ghostai-small/tokenizer.json")
    parser.add_argument("--count", type=int, default=24000)
    arguments = parser.parse_args()
    rng = random.Random(21)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    texts = pool_texts(arguments.data / "pool", arguments.count // 2, rng)
    texts += tokenizer_texts.adversarial(rng, arguments.count - len(texts))
    with open(arguments.out, "w") as lines:
        for text in texts:
            lines.write(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}, ensure_ascii=True) + "\n")
    print(f"{arguments.out}: {len(texts)} texts")


if __name__ == "__main__":
    main()
