// The C++ core's public face: what the addon, the command line tools, the
// tests and the benches use. No Node, no JSON library, no exceptions across it.
//
//   text (UTF-8) -> Tokenizer -> ids -> windows -> Encoder -> logit per window
//                       \______________ Engine (bounded queue, pinned threads) ___/
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "status.h"

namespace ghostai {

// ---- Tokenizer -------------------------------------------------------------

// One token and the bytes of the input that it came from, [begin, end).
struct Token {
  int32_t id;
  uint32_t begin;
  uint32_t end;
};

// A tokenizer as `tokenizer.json` describes it (Unigram with a precompiled
// character map, lower case, Metaspace). Immutable after Load, so any number of
// threads may encode at once. Ids equal those of Hugging Face `tokenizers`.
class Tokenizer {
 public:
  // Scratch of one thread. Grows to the largest text met and is then reused.
  class Scratch;

  static Status Load(const std::string& tokenizer_json_path, std::unique_ptr<Tokenizer>* out);
  virtual ~Tokenizer() = default;

  virtual std::unique_ptr<Scratch> NewScratch() const = 0;

  // Encodes `text` without special tokens into `tokens` (cleared first). Stops
  // after `tokens_max` tokens and then returns false: the text was longer.
  // Bytes that are not UTF-8 count as U+FFFD each, as lossy decoding does.
  virtual bool Encode(std::string_view text, size_t tokens_max, Scratch* scratch,
                      std::vector<Token>* tokens) const = 0;

  virtual int32_t bos_id() const = 0;   // <s>
  virtual int32_t eos_id() const = 0;   // </s>
  virtual size_t vocabulary_size() const = 0;
};

class Tokenizer::Scratch {
 public:
  virtual ~Scratch() = default;
};

// ---- Encoder ---------------------------------------------------------------

// A run of token ids that is scored by itself; special tokens included.
struct Window {
  const int32_t* ids;
  uint32_t count;  // 1 .. Encoder::window_tokens_max()
};

// The int8 encoder over the packed, memory-mapped weights. The weights are
// shared and immutable; each thread scores through its own Scratch.
class Encoder {
 public:
  class Scratch;

  // `kernels` is "" (best of this CPU) or a name of AvailableKernels().
  // Refuses a packed file whose checksum or whose source (config.json,
  // model.safetensors sha256) does not match the folder.
  static Status Load(const std::string& model_dir, std::string_view kernels,
                     std::unique_ptr<Encoder>* out);
  virtual ~Encoder() = default;

  virtual const char* kernels() const = 0;          // e.g. "avx512vnni"
  virtual uint32_t window_tokens_max() const = 0;   // positions of the model, e.g. 512
  virtual uint32_t heads() const = 0;               // exits + 1
  virtual uint32_t vocabulary_size() const = 0;     // ids are below it

  // All memory that scoring needs for batches of up to `tokens_max` tokens.
  virtual std::unique_ptr<Scratch> NewScratch(size_t tokens_max) const = 0;

  // Scores `count` windows whose tokens sum to at most the scratch's
  // tokens_max. `logits` gets one value a window, the last head's. A window's
  // logit is the same bit for bit whatever it is scored beside. When
  // `exit_logits` is not null it gets (heads() - 1) values a window.
  virtual void Score(const Window* windows, size_t count, Scratch* scratch, float* logits,
                     float* exit_logits) const = 0;
};

class Encoder::Scratch {
 public:
  virtual ~Scratch() = default;
};

// Kernel names that this build has and this CPU can run, best first.
std::vector<std::string> AvailableKernels();
// Kernel names compiled into this build.
std::vector<std::string> BuiltKernels();

// Writes `<model_dir>/model.int8` from config.json and model.safetensors: signed
// int8 weights per output channel, the same bytes on every machine.
Status PackModel(const std::string& model_dir);

// Slow fp32 forward pass straight from model.safetensors, scalar code that
// shares nothing with the int8 path: what the int8 path is tested against.
Status ReferenceLogits(const std::string& model_dir, const std::vector<std::vector<int32_t>>& windows,
                       std::vector<std::vector<float>>* logits_per_head);

// ---- Engine ----------------------------------------------------------------

struct EngineOptions {
  std::string model_dir;
  std::string kernels;            // "" chooses
  std::vector<int> cores;         // one inference thread each, pinned to it; empty: see threads
  int threads = 1;                // unpinned threads, used when cores is empty
  size_t queue_max = 256;         // requests waiting; the next is refused with kBusy
  uint32_t window_tokens = 128;   // tokens of a window, special tokens included
  uint32_t window_stride = 96;    // tokens from one window's start to the next
};

struct WindowScore {
  uint32_t text;    // index into the request's texts
  uint32_t begin;   // UTF-16 code units of that text, [begin, end)
  uint32_t end;
  float logit;
};

struct ScoreResult {
  Status status;
  std::vector<WindowScore> windows;
  uint32_t tokens = 0;       // over all texts, before windows
  uint32_t passes = 0;       // windows really computed; equal windows count once
  bool truncated = false;    // the window budget ended before the texts did
  double queue_ms = 0, tokenize_ms = 0, model_ms = 0;
};

struct EngineStats {
  uint64_t requests, refused_busy, refused_deadline, windows, tokens, batches;
  uint32_t queue_depth;
};

// Texts in, scores out, on threads of its own. Requests that are waiting
// already are merged into one batch; nothing is waited for.
class Engine {
 public:
  using Done = std::function<void(ScoreResult)>;  // called on an inference thread, exactly once

  static Status Open(const EngineOptions& options, std::unique_ptr<Engine>* out);
  virtual ~Engine() = default;  // implies Close()

  // Never blocks. Refuses at once with kBusy or kClosed; otherwise `done` is
  // called later. Texts are UTF-16, well formed. `deadline_ms` counts from now;
  // a request still waiting then is answered with kDeadlineExceeded.
  virtual Status Submit(std::vector<std::u16string> texts, uint32_t windows_max, double deadline_ms,
                        Done done) = 0;

  virtual EngineStats Stats() const = 0;
  virtual const char* kernels() const = 0;
  // Cores that the inference threads are pinned to, in thread order; -1 where not pinned.
  virtual std::vector<int> thread_cores() const = 0;

  // Refuses new requests, answers the waiting ones with kClosed, lets the
  // running batch finish and joins the threads.
  virtual void Close() = 0;
};

}  // namespace ghostai
