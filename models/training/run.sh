#!/usr/bin/env bash
# From pip packages and data to models/ghostai-small/: ./run.sh [DATA] [WORK]
# Every step is skipped when its outputs exist and its inputs are unchanged; a killed training goes on.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$(realpath "${1:-${DATA:-$root/../shared/data}}")
work=${2:-${WORK:-$root/../ghostai-training}}
mkdir -p "$work/run"
work=$(realpath "$work")
run=$work/run
target=$root/models/ghostai-small
threads=${THREADS:-2}
export PYTHONDONTWRITEBYTECODE=1 OMP_WAIT_POLICY=PASSIVE KMP_BLOCKTIME=0

if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
fi
python=$work/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"

# step NAME INPUTS OUTPUTS COMMAND...: runs the command unless the inputs' digest is the one of last time.
# INPUTS and OUTPUTS are paths with colons between them; a folder stands for the files in it.
step() {
  local name=$1 stamp=$run/.$1.inputs now output missing=
  local -a inputs outputs
  IFS=: read -ra inputs <<<"$2"
  IFS=: read -ra outputs <<<"$3"
  shift 3
  now=$( (printf '%s\n' "$*"; find "${inputs[@]}" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum) | sha256sum)
  for output in "${outputs[@]}"; do [ -e "$output" ] || missing=yes; done
  if [ -z "$missing" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
    echo "$name: unchanged"
    return
  fi
  echo "$name: $(date +%H:%M:%S)"
  "$@"
  echo "$now" >"$stamp"
}

cd "$here"
step extract "extract_base.py:requirements.txt" "$run/base.safetensors:$run/pieces.json" \
  "$python" extract_base.py "$run"
step tokenizer "tokenizer.py:$data/pool:$run/pieces.json:$run/base.safetensors" "$run/tokenizer.json:$run/start.safetensors" \
  "$python" tokenizer.py "$data" "$run"
step rows "rows.py:jsonl.py:templates.py:plans/first.json:phrases:$data" "$run/rows.jsonl" \
  "$python" rows.py "$data" plans/first.json "$run/rows.jsonl"
step train "train.py:model.py:$run/rows.jsonl:$run/tokenizer.json:$run/start.safetensors" "$run/train/average" \
  "$python" train.py "$run" --threads "$threads"

# The second stage: own text in other words, other samples, and the benign texts that the first model gets wrong.
step rows2 "rows.py:jsonl.py:templates.py:plans/second.json:phrases:$data" "$run/rows2.jsonl" \
  "$python" rows.py "$data" plans/second.json "$run/rows2.jsonl"
step mine "mine.py:rows.py:model.py:evaluate.py:$data:$run/train/average:$run/tokenizer.json" "$run/hard.jsonl" \
  "$python" mine.py "$data" "$run/train/average" "$run/tokenizer.json" "$run/hard.jsonl" \
  --seen "$run/rows.jsonl" "$run/rows2.jsonl" --threads "$threads"
step train2 "train.py:model.py:$run/rows2.jsonl:$run/hard.jsonl:$run/tokenizer.json:$run/train/average" "$run/train2/average" \
  "$python" train.py "$run" --name train2 --start "$run/train/average" --rows rows2.jsonl hard.jsonl \
  --learning-rate 1.2e-4 --head-factor 2 --seed 2 --visits-max 24000 --threads "$threads"

# The third, short stage: honest texts of other languages, of which the second flags too many.
step rows3 "steady.py:jsonl.py:$run/rows2.jsonl" "$run/rows3.jsonl" \
  "$python" steady.py "$run/rows2.jsonl" "$run/rows3.jsonl"
step train3 "train.py:model.py:$run/rows3.jsonl:$run/tokenizer.json:$run/train2/average" "$run/train3/average" \
  "$python" train.py "$run" --name train3 --start "$run/train2/average" --rows rows3.jsonl \
  --learning-rate 5e-5 --head-factor 2 --seed 3 --visits-max 13000 --average-from 0.6 --threads "$threads"

step extend "extend.py:$run/train2/average:$run/train3/average" "$run/extended" \
  "$python" extend.py "$run/train2/average" "$run/train3/average" "$run/extended" --step 0.6

step evaluate "evaluate.py:model.py:$data/dev:$run/extended:$run/tokenizer.json" "$run/figures.json" \
  "$python" evaluate.py "$data" "$run/extended" "$run/tokenizer.json" "$run/figures.json" --threads "$threads"

# The exits learn on the finished encoder to say early what its last head says.
step exits "exits.py:train.py:evaluate.py:model.py:$run/extended:$run/tokenizer.json:$run/rows.jsonl:$run/rows2.jsonl:$run/hard.jsonl" "$run/exits" \
  "$python" exits.py "$run/extended" "$run/tokenizer.json" "$run/exits" \
  "$run/rows.jsonl" "$run/rows2.jsonl" "$run/hard.jsonl" --threads "$threads"
step export "export.py:model.py:$run/exits:$run/tokenizer.json" "$target/model.safetensors:$target/selftest.json" \
  "$python" export.py "$run/exits" "$run/tokenizer.json" "$target"
step card "card.py:$run/figures.json:$run/rows.jsonl:$run/rows2.jsonl:$run/hard.jsonl:$run/rows3.jsonl:$data/SOURCES.md" "$target/MODEL_CARD.md" \
  "$python" card.py "$data" "$run/figures.json" "$target/MODEL_CARD.md" \
  "$run/rows.jsonl" "$run/rows2.jsonl" "$run/hard.jsonl" "$run/rows3.jsonl"
