"""Cuts multilingual-e5's 250,002 pieces down to the ones the training pool uses and writes tokenizer.json.

Kept: pieces seen often enough in the pool, every single character of every script; dropped: pieces with
capitals, which the lower-casing normaliser never produces. Writes WORK/tokenizer.json and
WORK/start.safetensors, the base with its embedding table cut in the same order.
"""

import argparse
import collections
import json
import tempfile
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import jsonl

SPECIAL_IDS = (0, 1, 2, 3)  # <s>, <pad>, </s>, <unk>
UNKNOWN_ID = 3
WORD_MARK = "▁"
SEEN_IN_POOL_MIN = 16
SEEN_IN_ATTACKS_MIN = 4
TEXT_CHARACTERS_COUNTED = 1500


def character_map() -> bytes:
    """sentencepiece's precompiled nmt_nfkc map, taken out of a throw-away model."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        line = "the quick brown fox %d jumps over lazy dogs a b c d e f"
        corpus.write_text("\n".join(line % number for number in range(200)))
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=f"{folder}/throwaway",
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
            normalization_rule_name="nmt_nfkc",
        )
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString(Path(f"{folder}/throwaway.model").read_bytes())
    return model.normalizer_spec.precompiled_charsmap


def build(pieces, scores, charsmap: bytes) -> Tokenizer:
    """The product's tokeniser over these pieces; the special ones are at SPECIAL_IDS."""
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores)), unk_id=UNKNOWN_ID, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(charsmap),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(" {2,}"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=WORD_MARK, prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def count_pieces(tokenizer: Tokenizer, pool: Path):
    """-> (times each id occurs in the pool, times in its attacks)"""
    everywhere, in_attacks = collections.Counter(), collections.Counter()
    for rows in jsonl.read_folder(pool).values():
        for start in range(0, len(rows), 1000):
            part = rows[start : start + 1000]
            texts = [row["text"][:TEXT_CHARACTERS_COUNTED] for row in part]
            for row, encoding in zip(part, tokenizer.encode_batch(texts, add_special_tokens=False)):
                everywhere.update(encoding.ids)
                if row["label"] == 1:
                    in_attacks.update(encoding.ids)
    return everywhere, in_attacks


def choose(pieces, everywhere, in_attacks) -> list:
    """The ids that stay, special ones first, in their old order."""
    chosen = {i for i, count in everywhere.items() if count >= SEEN_IN_POOL_MIN}
    chosen |= {i for i, count in in_attacks.items() if count >= SEEN_IN_ATTACKS_MIN}
    chosen |= {i for i, piece in enumerate(pieces[:-1]) if len(piece.replace(WORD_MARK, "")) <= 1}
    chosen = {i for i in chosen if pieces[i] == pieces[i].lower()}
    return list(SPECIAL_IDS) + sorted(chosen - set(SPECIAL_IDS))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds pool/")
    parser.add_argument("work", type=Path, help="folder for intermediate files")
    arguments = parser.parse_args()
    work = arguments.work
    stored = json.loads((work / "pieces.json").read_text())
    pieces, scores = stored["pieces"], stored["scores"]
    charsmap = character_map()
    everywhere, in_attacks = count_pieces(build(pieces, scores, charsmap), arguments.data / "pool")
    kept = choose(pieces, everywhere, in_attacks)
    covered = sum(everywhere[i] for i in kept) / sum(everywhere.values())
    build([pieces[i] for i in kept], [scores[i] for i in kept], charsmap).save(str(work / "tokenizer.json"))
    tensors = load_file(work / "base.safetensors")
    words = "embeddings.word_embeddings.weight"
    tensors[words] = tensors[words][torch.tensor(kept)].clone()
    save_file(tensors, work / "start.safetensors")
    print(f"{len(kept)} pieces kept of {len(pieces)}, {covered:.2%} of the pool's tokens")


if __name__ == "__main__":
    main()
