"""Goes on in the direction of the last stage: end + STEP * (end - start), tensor by tensor.

The last stage moves few things and moves them steadily, so that going on along the line does what more of the
same rows would do, without another pass over them (task arithmetic; Ilharco et al. 2023, arXiv 2212.04089).
"""

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file


def extend(start, end, step):
    """Tensors beyond `end` on the line from `start`; both have the same names and shapes."""
    return {name: end[name] + step * (end[name] - start[name]) for name in end}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", type=Path, help="folder of the model that the stage began from")
    parser.add_argument("end", type=Path, help="folder of the model that the stage ended with")
    parser.add_argument("out", type=Path)
    parser.add_argument("--step", type=float, default=0.6)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    name = "model.safetensors"
    save_file(extend(load_file(options.start / name), load_file(options.end / name), options.step), options.out / name)
    shutil.copy(options.end / "config.json", options.out)


if __name__ == "__main__":
    main()
