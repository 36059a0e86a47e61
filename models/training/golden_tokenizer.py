"""Writes the golden tokeniser cases: gzipped JSON lines {"text", "ids"} with Hugging Face's ids.

The texts are hand-made or generated (tokenizer_texts.py); none comes from the training data.
"""

import argparse
import gzip
import json
import random
from pathlib import Path

from tokenizers import Tokenizer

import tokenizer_texts

CASES = 1500
REPOSITORY = Path(__file__).parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, default=REPOSITORY / "models/ghostai-small/tokenizer.json")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "test/golden/tokenizer.jsonl.gz")
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    texts = tokenizer_texts.adversarial(random.Random(20), CASES)
    cases = [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts]
    lines = "".join(json.dumps(case, ensure_ascii=True) + "\n" for case in cases)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    print(f"{arguments.out}: {len(cases)} cases, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
