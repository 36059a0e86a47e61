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
// character map, lower case, Metaspace). Immutable, so any number of threads
// may encode at once. Ids equal those of Hugging Face `tokenizers`.
class Tokenizer {
 public:
  // Scratch of one thread. Grows to the largest text met and is then reused.
  class Scratch;

  // Maps `<model_dir>/tokenizer.packed`. Refuses one with a wrong checksum or a wrong index
  // anywhere, and one that was made from another tokenizer.json than the one that lies beside it.
  static Status Open(const std::string& model_dir, std::unique_ptr<Tokenizer>* out);
  // Reads a tokenizer.json and builds the tables anew: what the import step does.
  static Status Load(const std::string& tokenizer_json_path, std::unique_ptr<Tokenizer>* out);
  virtual ~Tokenizer() = default;

  virtual std::unique_ptr<Scratch> NewScratch() const = 0;

  // Encodes `text` without special tokens into `tokens` (cleared first). Stops
  // after `tokens_max` tokens and then returns false: the text was longer.
  // Bytes that are not UTF-8 count as U+FFFD each, as lossy decoding does.
  virtual bool Encode(std::string_view text, size_t tokens_max, Scratch* scratch,
                      std::vector<Token>* tokens) const = 0;

  virtual int32_t bos_id() const = 0;  // <s>
  virtual int32_t eos_id() const = 0;  // </s>
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
  uint32_t count;              // 1 .. Encoder::window_tokens_max()
  bool may_exit_early = true;  // false: goes to the last head whatever the rules say
};

// When a window leaves at an early head: its logit there is at most `benign` or at least `attack`.
struct ExitRule {
  float benign;
  float attack;
};

// One window's answer.
struct HeadScore {
  float logit;
  uint32_t head;  // whose logit it is: the exits from 0 up, then the last
};

// The int8 encoder over the packed, memory-mapped weights. The weights are
// shared and immutable; each thread scores through its own Scratch.
class Encoder {
 public:
  class Scratch;

  // `kernels` is "" (best of this CPU) or a name of AvailableKernels().
  // Refuses a packed file with a wrong checksum anywhere, and one that was made
  // from another config.json, or from a model.safetensors of another size than
  // the one that lies beside it.
  static Status Load(const std::string& model_dir, std::string_view kernels,
                     std::unique_ptr<Encoder>* out);
  virtual ~Encoder() = default;

  virtual const char* kernels() const = 0;         // e.g. "avx512vnni"
  virtual uint32_t window_tokens_max() const = 0;  // positions of the model, e.g. 512
  virtual uint32_t heads() const = 0;              // exits + 1
  virtual uint32_t vocabulary_size() const = 0;    // ids are below it

  // All memory that scoring needs for batches of up to `tokens_max` tokens.
  virtual std::unique_ptr<Scratch> NewScratch(size_t tokens_max) const = 0;

  // Scores `count` windows whose tokens sum to at most the scratch's
  // tokens_max. `scores` gets one entry a window. `rules` has (heads() - 1)
  // entries, or is null: then every window goes to the last head. A window that
  // leaves early costs the others nothing. A window's answer is the same bit for
  // bit whatever it is scored beside. When `exit_logits` is not null it gets
  // (heads() - 1) values a window; those after its exit are not written.
  virtual void Score(const Window* windows, size_t count, Scratch* scratch, const ExitRule* rules,
                     HeadScore* scores, float* exit_logits) const = 0;
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

// Writes `<model_dir>/tokenizer.packed` from tokenizer.json: the same bytes on every machine.
Status PackTokenizer(const std::string& model_dir);

// Slow fp32 forward pass straight from model.safetensors, scalar code that
// shares nothing with the int8 path: what the int8 path is tested against.
Status ReferenceLogits(const std::string& model_dir,
                       const std::vector<std::vector<int32_t>>& windows,
                       std::vector<std::vector<float>>* logits_per_head);

// ---- Engine ----------------------------------------------------------------

struct WindowScore {
  uint32_t text;   // index into the call's texts
  uint32_t begin;  // UTF-16 code units of that text, [begin, end)
  uint32_t end;
  HeadScore score;
};

// One question to the engine and its answer. Calls are pooled: their buffers
// are reused, so that a steady load allocates nothing on the inference threads.
class Call {
 public:
  virtual ~Call() = default;

  // --- set by the caller before Submit ---
  std::vector<std::u16string> texts;  // well-formed UTF-16
  uint32_t windows_max = 1;           // windows computed at most; earlier texts first
  bool may_exit_early = true;
  // Milliseconds from Submit after which no further window is begun; the answer is then
  // kDeadlineExceeded.
  double deadline_ms = 0;
  void* user = nullptr;
  // Submitted with this one and computed after it: the next text of the same prompt.
  Call* then = nullptr;

  // --- the answer, valid from `done` until Release ---
  Status status;
  std::vector<WindowScore> windows;
  uint32_t tokens = 0;     // over all texts, special tokens not counted
  uint32_t passes = 0;     // windows really computed; equal windows count once
  bool truncated = false;  // the window budget ended before the texts did
  double queue_ms = 0, tokenize_ms = 0, model_ms = 0;

  Call* next = nullptr;  // for the holder's own lists
};

struct EngineOptions {
  std::string model_dir;
  std::string kernels;           // "" chooses
  std::vector<int> cores;        // one inference thread each, pinned to it; empty: see threads
  int threads = 1;               // unpinned threads, used when cores is empty
  size_t queue_max = 1024;       // prompts waiting; the next is refused with kBusy
  uint32_t window_tokens = 128;  // tokens of a window, special tokens included
  uint32_t window_stride = 96;   // tokens from one window's start to the next
  std::vector<ExitRule> exits;   // one an early head of the model; empty: no window leaves early
  // Called exactly once a submitted call, on a thread of the engine or on the one that cancels or
  // closes. Must not block and must not call the engine, Release excepted.
  std::function<void(Call*)> done;
};

struct EngineStats {
  uint64_t requests, refused_busy, refused_deadline, cancelled, windows, tokens, batches;
  std::vector<uint64_t> windows_by_head;  // of `windows`, which head answered
  uint32_t queue_depth;                   // prompts waiting, those between two turns included
};

// Texts in, scores out, on threads of its own. Short prompts that are waiting
// already are merged into one batch; nothing is waited for. Longer ones take
// turns, a batch each, and let short ones go first within a bound
// (runtime/engine.cc says which).
class Engine {
 public:
  static Status Open(const EngineOptions& options, std::unique_ptr<Engine>* out);
  // The same over a given tokenizer and encoder: what the tests use.
  static Status Create(const EngineOptions& options, std::unique_ptr<Tokenizer> tokenizer,
                       std::unique_ptr<Encoder> encoder, std::unique_ptr<Engine>* out);
  virtual ~Engine() = default;  // implies Close()

  // A call to fill in, from the pool. Give it back by Release once it is done or was refused; it
  // stays the engine's, which must outlive its use.
  virtual Call* Acquire() = 0;
  virtual void Release(Call* call) = 0;

  // Submits a call and those that follow by `then`: one prompt. Never blocks. Refuses at once with
  // kBusy, kClosed or kInvalidArgument (`done` is then not called); otherwise `done` gets each call
  // later.
  virtual Status Submit(Call* first) = 0;

  // Nobody wants the answer of this submitted call any more. Where it waits it is answered with
  // kCancelled at once and its place is free; where a thread has it, after the batch; where it was
  // answered and not released yet, nothing happens. The others of its prompt are computed.
  virtual void Cancel(Call* call) = 0;

  virtual EngineStats Stats() const = 0;
  virtual const char* kernels() const = 0;
  // Of the inference threads, in order: the core each is pinned to, -1 where not; Linux thread ids.
  virtual std::vector<int> thread_cores() const = 0;
  virtual std::vector<int> thread_ids() const = 0;

  // Refuses new calls, answers the waiting ones with kClosed, lets running batches finish and
  // joins the threads. Idempotent.
  virtual void Close() = 0;
};

// Heap allocations made by this process's inference threads since start; counted where the binary
// was linked with allocations wrapped (see CMakeLists.txt), 0 elsewhere.
uint64_t InferenceAllocations();

}  // namespace ghostai
