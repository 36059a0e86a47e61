// The scheduler: bounded queues, threads that take what is waiting, and prompts
// that take turns. A prompt is what one Submit brings: a call, or several that
// are computed one after the other.
//
// Who goes first. A prompt is short where its texts have at most kShortUnits
// code units together. Short ones go first, in the order in which they came, so
// that at most one batch of a longer one is before them on each thread. The
// longer ones take turns, a batch each. Nobody starves: once short ones had
// kShortTurns batches' worth of tokens while a longer one waited, the next batch
// is a longer one's. So with one thread a prompt of w windows among n longer ones
// ends before w * n * (kShortTurns + 2) batches' worth of tokens have been
// computed, however many short ones come. A short prompt that does not fit into
// one batch waits again behind the other short ones.
//
// The longer ones are tokenized on a thread of their own: their texts would take
// more time than there is between two batches.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "../ghostai.h"
#include "../system/affinity.h"
#include "allocations.h"
#include "windows.h"

namespace ghostai {

namespace {

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Above a dozen tokens a bigger batch is hardly faster a token, and everybody in it waits for its
// end. So short texts are merged up to half a window's tokens, and a longer prompt's turn is one
// full window, or as many smaller ones as fit in its place.
constexpr size_t kBatchTokensMin = 128;
constexpr size_t kShortBatchTokens = 64;
constexpr size_t kBatchWindowsMax = 64;
// An eighth of the computing is for longer prompts, if they need it.
constexpr size_t kShortTurns = 7;
// UTF-16 code units of a prompt that are tokenized between two batches: a twentieth of a
// millisecond at most, where the tokenizer's slowest texts take 25 ns a unit.
constexpr size_t kShortUnits = 2048;
constexpr size_t kKeptTextUnits = 16 << 10;

class CallList;

class EngineCall final : public Call {
 public:
  WindowPlan plan;
  std::vector<HeadScore> scores;  // one a unique window
  size_t next_window = 0;         // of plan.unique()
  bool tokenized = false;
  std::atomic<bool> cancelled{false};
  CallList* list = nullptr;  // where it waits; null while a thread has it
  EngineCall* before = nullptr;
  EngineCall* after = nullptr;
  Clock::time_point submitted, waiting_since;
};

// Calls that wait. Linked through the calls, so that nothing is allocated and one can leave from
// the middle.
class CallList {
 public:
  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }
  void Push(EngineCall* call) { Insert(call, last_, nullptr); }
  void PushFront(EngineCall* call) { Insert(call, nullptr, first_); }
  EngineCall* Pop() {
    EngineCall* call = first_;
    Remove(call);
    return call;
  }
  void Remove(EngineCall* call) {
    (call->before == nullptr ? first_ : call->before->after) = call->after;
    (call->after == nullptr ? last_ : call->after->before) = call->before;
    call->list = nullptr;
    --size_;
  }

 private:
  void Insert(EngineCall* call, EngineCall* before, EngineCall* after) {
    call->before = before;
    call->after = after;
    (before == nullptr ? first_ : before->after) = call;
    (after == nullptr ? last_ : after->before) = call;
    call->list = this;
    ++size_;
  }

  EngineCall* first_ = nullptr;
  EngineCall* last_ = nullptr;
  size_t size_ = 0;
};

EngineCall* Following(const EngineCall* call) { return static_cast<EngineCall*>(call->then); }

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine(const EngineOptions& options, std::unique_ptr<Tokenizer> tokenizer,
                 std::unique_ptr<Encoder> encoder)
      : options_(options), tokenizer_(std::move(tokenizer)), encoder_(std::move(encoder)) {}
  ~ThreadedEngine() override { Close(); }

  Status Start();
  Call* Acquire() override;
  void Release(Call* call) override;
  Status Submit(Call* first) override;
  void Cancel(Call* call) override;
  EngineStats Stats() const override;
  const char* kernels() const override { return encoder_->kernels(); }
  std::vector<int> thread_cores() const override { return cores_; }
  std::vector<int> thread_ids() const override { return ids_; }
  void Close() override;

 private:
  // What a thread has for itself, all of it taken before the first call.
  struct Worker {
    WindowScratch scratch;
    std::unique_ptr<Encoder::Scratch> encoder;
    std::vector<Window> windows;
    std::vector<HeadScore> scores;
    std::vector<EngineCall*> calls;  // one a window of the batch
    bool is_long = false;            // whose batch it is
  };

  void Run(size_t index);
  Status Prepare(size_t index, Worker* worker);
  // The thread that tokenizes long prompts.
  void TokenizeLong();
  // Fills the worker's batch from what waits; false when the engine closes.
  bool Gather(Worker* worker);
  // What was gathered waits again. Under the lock.
  void PutBack(Worker* worker);
  // Whether the next batch is a longer prompt's. Under the lock; something waits.
  bool IsLongDue();
  // Lets a call wait at the end of the list. Under the lock.
  void Wait(EngineCall* call, CallList* list);
  EngineCall* Take(CallList* list);
  // Goes through the prompt that `call` begins or goes on with: refuses what is cancelled or late
  // and tokenizes the rest. The first call that is left, or null.
  EngineCall* Sift(EngineCall* call, WindowScratch* scratch);
  bool Tokenize(EngineCall* call, WindowScratch* scratch);
  // Adds windows of the prompt to the batch, as many as fit in order. Returns the batch's tokens.
  size_t AddWindows(EngineCall* call, size_t tokens, Worker* worker) const;
  void Compute(Worker* worker);
  void Finish(EngineCall* call);
  void Refuse(EngineCall* call, StatusCode code, const char* message);
  size_t waiting() const { return short_.size() + long_.size() + untokenized_.size(); }

  EngineOptions options_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Encoder> encoder_;
  size_t batch_tokens_max_ = kBatchTokensMin;

  mutable std::mutex mutex_;
  std::condition_variable ready_;  // short_ or long_ has something
  std::condition_variable untokenized_ready_;
  // Prompts, each by the first of its calls that was not answered.
  CallList short_;                       // short ones
  CallList long_;                        // longer ones, tokenized
  CallList untokenized_;                 // longer ones, not tokenized yet
  size_t idle_ = 0;                      // inference threads that wait
  std::atomic<size_t> short_tokens_{0};  // computed for short prompts since a longer one's turn
  bool closing_ = false;
  // As many calls as were ever out at once, which the queue's bound limits; all the engine's own.
  std::vector<std::unique_ptr<EngineCall>> calls_;
  std::vector<EngineCall*> pool_;  // those that are not out
  std::vector<int> cores_, ids_;
  Status start_status_;
  size_t started_ = 0;
  std::condition_variable all_started_;
  std::mutex join_mutex_;             // two may close at once; the second waits for the first
  std::vector<std::thread> threads_;  // for inference, and the last one tokenizes
  WindowScratch long_scratch_;        // the last one's
  std::deque<std::atomic<uint64_t>> windows_by_head_;
  std::atomic<uint64_t> requests_{0}, busy_{0}, late_{0}, cancelled_{0}, windows_{0}, tokens_{0},
      batches_{0};
};

Status ThreadedEngine::Start() {
  auto refuse = [](const std::string& message) {
    return Status::Error(StatusCode::kInvalidArgument, message);
  };
  if (options_.window_tokens < 3 || options_.window_tokens > encoder_->window_tokens_max()) {
    return refuse("Expected windows of 3 to " + std::to_string(encoder_->window_tokens_max()) +
                  " tokens but received " + std::to_string(options_.window_tokens));
  }
  if (options_.window_stride < 1 || options_.window_stride > options_.window_tokens - 2) {
    return refuse("Expected a stride of 1 to " + std::to_string(options_.window_tokens - 2) +
                  " tokens but received " + std::to_string(options_.window_stride));
  }
  if (tokenizer_->vocabulary_size() > encoder_->vocabulary_size()) {
    return Status::Error(StatusCode::kModelUnsupported,
                         "Expected a tokenizer of at most " +
                             std::to_string(encoder_->vocabulary_size()) + " pieces but got " +
                             std::to_string(tokenizer_->vocabulary_size()));
  }
  size_t early = encoder_->heads() - 1;
  if (!options_.exits.empty() && options_.exits.size() != early) {
    return refuse("Expected a rule for each of " + std::to_string(early) +
                  " early heads or none but received " + std::to_string(options_.exits.size()));
  }
  for (size_t head = 0; head <= early; ++head) windows_by_head_.emplace_back(0);
  size_t count =
      options_.cores.empty() ? static_cast<size_t>(options_.threads) : options_.cores.size();
  if (count < 1 || count > 256) return refuse("Expected 1 to 256 inference threads");
  if (!options_.done) return refuse("Expected a function to call when done");
  batch_tokens_max_ = std::max<size_t>(kBatchTokensMin, options_.window_tokens);
  cores_ = options_.cores.empty() ? std::vector<int>(count, -1) : options_.cores;
  ids_.assign(count, 0);
  Status status;
  try {
    long_scratch_.tokenizer = tokenizer_->NewScratch();
    threads_.reserve(count + 1);
    for (size_t i = 0; i < count; ++i) threads_.emplace_back([this, i] { Run(i); });
    threads_.emplace_back([this] { TokenizeLong(); });
  } catch (const std::system_error& error) {
    status =
        Status::Error(StatusCode::kOutOfMemory, "Expected to start " + std::to_string(count + 1) +
                                                    " threads but got " + error.what());
  } catch (const std::bad_alloc&) {
    status = Status::Error(StatusCode::kOutOfMemory, "No memory for the threads");
  }
  std::unique_lock<std::mutex> lock(mutex_);
  all_started_.wait(lock, [&] { return started_ == std::min(threads_.size(), count); });
  if (status.ok()) status = start_status_;
  lock.unlock();
  if (!status.ok()) Close();
  return status;
}

Call* ThreadedEngine::Acquire() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (pool_.empty()) {
    calls_.push_back(std::make_unique<EngineCall>());
    return calls_.back().get();
  }
  EngineCall* call = pool_.back();
  pool_.pop_back();
  return call;
}

void ThreadedEngine::Release(Call* base) {
  auto* call = static_cast<EngineCall*>(base);
  // A long text's buffers are not kept: the pool holds many calls.
  call->plan.Shrink();
  if (call->windows.capacity() > kKeptTextUnits / sizeof(WindowScore))
    std::vector<WindowScore>().swap(call->windows);
  if (call->scores.capacity() > kKeptTextUnits / sizeof(HeadScore))
    std::vector<HeadScore>().swap(call->scores);
  for (std::u16string& text : call->texts) {
    if (text.capacity() > kKeptTextUnits) std::u16string().swap(text);
  }
  call->user = nullptr;
  call->then = nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  pool_.push_back(call);
}

Status ThreadedEngine::Submit(Call* base) {
  auto* first = static_cast<EngineCall*>(base);
  size_t units = 0, count = 0;
  Clock::time_point now = Clock::now();
  for (EngineCall* call = first; call != nullptr; call = Following(call)) {
    if (call->texts.empty() || call->windows_max < 1) {
      return Status::Error(StatusCode::kInvalidArgument,
                           "Expected at least one text and one window");
    }
    for (const std::u16string& text : call->texts) units += text.size();
    call->status = Status::Ok();
    call->tokenized = call->truncated = false;
    call->cancelled = false;
    call->next_window = 0;
    call->passes = call->tokens = 0;
    call->queue_ms = call->tokenize_ms = call->model_ms = 0;
    call->submitted = now;
    ++count;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) return Status::Error(StatusCode::kClosed, "The model is closed");
  if (waiting() >= options_.queue_max) {
    busy_ += count;
    return Status::Error(
        StatusCode::kBusy,
        "Expected at most " + std::to_string(options_.queue_max) + " prompts to wait");
  }
  requests_ += count;
  Wait(first, units <= kShortUnits ? &short_ : &untokenized_);
  return Status::Ok();
}

void ThreadedEngine::Cancel(Call* base) {
  auto* call = static_cast<EngineCall*>(base);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // Where a thread has the call, or an earlier one of its prompt waits, it is answered when it
    // would be waiting next; where it was answered already, nothing comes of it.
    call->cancelled = true;
    CallList* list = call->list;
    if (list == nullptr) return;
    list->Remove(call);
    if (EngineCall* next = Following(call)) Wait(next, list);
  }
  ++cancelled_;
  Refuse(call, StatusCode::kCancelled, "The call was cancelled");
}

EngineStats ThreadedEngine::Stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  EngineStats stats{requests_, busy_, late_, cancelled_, windows_, tokens_, batches_, {}, 0};
  for (const auto& windows : windows_by_head_) stats.windows_by_head.push_back(windows);
  stats.queue_depth = static_cast<uint32_t>(waiting());
  return stats;
}

void ThreadedEngine::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  ready_.notify_all();
  untokenized_ready_.notify_all();
  std::lock_guard<std::mutex> join(join_mutex_);
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  // The threads are gone, so what still waits has only this one to answer it.
  for (CallList* list : {&short_, &long_, &untokenized_}) {
    while (true) {
      EngineCall* call = nullptr;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!list->empty()) call = list->Pop();
      }
      if (call == nullptr) break;
      for (EngineCall* next; call != nullptr; call = next) {
        next = Following(call);
        Refuse(call, StatusCode::kClosed, "The model is closed");
      }
    }
  }
}

void ThreadedEngine::Refuse(EngineCall* call, StatusCode code, const char* message) {
  call->status = Status::Error(code, message);
  call->windows.clear();
  options_.done(call);
}

Status ThreadedEngine::Prepare(size_t index, Worker* worker) {
  if (cores_[index] >= 0) {
    Status status = PinCurrentThread(cores_[index]);
    if (!status.ok()) return status;
  }
  try {
    worker->scratch.tokenizer = tokenizer_->NewScratch();
    worker->encoder = encoder_->NewScratch(batch_tokens_max_);
    worker->windows.reserve(kBatchWindowsMax);
    worker->calls.reserve(kBatchWindowsMax);
    worker->scores.resize(kBatchWindowsMax);
  } catch (const std::bad_alloc&) {
    return Status::Error(StatusCode::kOutOfMemory, "No memory for an inference thread");
  }
  return Status::Ok();
}

void ThreadedEngine::Run(size_t index) {
  NameCurrentThread(("ghostai-infer" + std::to_string(index)).c_str());
  Worker worker;
  Status status = Prepare(index, &worker);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ids_[index] = CurrentThreadId();
    if (!status.ok()) start_status_ = status;
    ++started_;
  }
  all_started_.notify_all();
  if (!status.ok()) return;
  CountAllocationsOfThisThread();
  while (Gather(&worker)) Compute(&worker);
}

void ThreadedEngine::TokenizeLong() {
  NameCurrentThread("ghostai-tokens");
  // It has all the time that the others leave: whoever sends long texts waits for them.
  LowerPriorityOfCurrentThread();
  CountAllocationsOfThisThread();
  while (true) {
    EngineCall* call;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      untokenized_ready_.wait(lock, [&] { return closing_ || !untokenized_.empty(); });
      if (closing_) return;
      call = Take(&untokenized_);
    }
    call = Sift(call, &long_scratch_);
    if (call == nullptr) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    Wait(call, &long_);
  }
}

void ThreadedEngine::Wait(EngineCall* call, CallList* list) {
  call->waiting_since = Clock::now();
  list->Push(call);
  (list == &untokenized_ ? untokenized_ready_ : ready_).notify_one();
}

EngineCall* ThreadedEngine::Take(CallList* list) {
  EngineCall* call = list->Pop();
  call->queue_ms += Milliseconds(Clock::now() - call->waiting_since);
  return call;
}

bool ThreadedEngine::Tokenize(EngineCall* call, WindowScratch* scratch) {
  Clock::time_point from = Clock::now();
  WindowShape shape{options_.window_tokens, options_.window_stride};
  try {
    call->plan.Build(call->texts, call->windows_max, shape, *tokenizer_, scratch, &call->windows);
    call->scores.resize(call->plan.unique().size());
  } catch (const std::bad_alloc&) {
    return false;
  }
  call->tokenized = true;
  call->tokens = call->plan.tokens();
  call->truncated = call->plan.truncated();
  call->tokenize_ms = Milliseconds(Clock::now() - from);
  tokens_ += call->tokens;
  return true;
}

EngineCall* ThreadedEngine::Sift(EngineCall* call, WindowScratch* scratch) {
  Call* first = nullptr;
  Call** link = &first;
  for (EngineCall* next; call != nullptr; call = next) {
    next = Following(call);
    if (call->cancelled) {
      ++cancelled_;
      Refuse(call, StatusCode::kCancelled, "The call was cancelled");
    } else if (Milliseconds(Clock::now() - call->submitted) > call->deadline_ms) {
      ++late_;
      Refuse(call, StatusCode::kDeadlineExceeded, "The call's deadline passed before its end");
    } else if (!call->tokenized && !Tokenize(call, scratch)) {
      Refuse(call, StatusCode::kOutOfMemory, "No memory for a text");
    } else {
      *link = call;
      link = &call->then;
    }
  }
  *link = nullptr;
  return static_cast<EngineCall*>(first);
}

bool ThreadedEngine::IsLongDue() {
  if (long_.empty()) {
    short_tokens_ = 0;
    return false;
  }
  return short_.empty() || short_tokens_ >= kShortTurns * batch_tokens_max_;
}

size_t ThreadedEngine::AddWindows(EngineCall* call, size_t tokens, Worker* worker) const {
  for (; call != nullptr; call = Following(call)) {
    const std::vector<WindowPlan::Unique>& unique = call->plan.unique();
    for (size_t at = call->next_window; at < unique.size(); ++at) {
      size_t count = unique[at].count;
      bool fits = tokens == 0 || tokens + count <= batch_tokens_max_;
      if (!fits || worker->windows.size() == kBatchWindowsMax) return tokens;
      worker->windows.push_back(
          {call->plan.ids(unique[at]), unique[at].count, call->may_exit_early});
      worker->calls.push_back(call);
      tokens += count;
    }
  }
  return tokens;
}

void ThreadedEngine::PutBack(Worker* worker) {
  for (size_t i = 0; i < worker->calls.size(); ++i) {
    EngineCall* before = i == 0 ? nullptr : worker->calls[i - 1];
    bool goes_on = i > 0 && (worker->calls[i] == before || worker->calls[i] == Following(before));
    if (!goes_on) short_.Push(worker->calls[i]);
  }
}

bool ThreadedEngine::Gather(Worker* worker) {
  worker->windows.clear();
  worker->calls.clear();
  size_t tokens = 0;
  bool& is_long = worker->is_long;
  is_long = false;
  while (!is_long || tokens == 0) {
    EngineCall* call = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      // Only an empty batch waits; a begun one takes what is there already.
      if (tokens == 0) {
        ++idle_;
        ready_.wait(lock, [&] { return closing_ || !short_.empty() || !long_.empty(); });
        --idle_;
      }
      if (closing_) {
        PutBack(worker);  // to be answered by Close
        return false;
      }
      if (tokens == 0) {
        is_long = IsLongDue();
      } else if (short_.empty()) {
        break;
      } else if (idle_ > 0) {
        // Merging gains little; another thread that has nothing to do gains a whole core.
        ready_.notify_one();
        break;
      }
      call = Take(is_long ? &long_ : &short_);
    }
    call = Sift(call, &worker->scratch);
    if (call == nullptr) continue;
    size_t needed = 0;
    for (EngineCall* each = call; each != nullptr; each = Following(each))
      needed += each->plan.window_tokens();
    if (tokens > 0 && tokens + needed > kShortBatchTokens) {
      // The next batch's first. At the end of the list it could be passed over for ever.
      std::lock_guard<std::mutex> lock(mutex_);
      call->waiting_since = Clock::now();
      short_.PushFront(call);
      ready_.notify_one();
      break;
    }
    tokens = AddWindows(call, tokens, worker);
  }
  short_tokens_ = is_long ? 0 : short_tokens_ + tokens;
  return true;
}

void ThreadedEngine::Compute(Worker* worker) {
  size_t count = worker->windows.size();
  if (count == 0) return;
  Clock::time_point from = Clock::now();
  const ExitRule* rules = options_.exits.empty() ? nullptr : options_.exits.data();
  encoder_->Score(worker->windows.data(), count, worker->encoder.get(), rules,
                  worker->scores.data(), nullptr);
  double spent = Milliseconds(Clock::now() - from);
  ++batches_;
  windows_ += count;
  for (size_t i = 0; i < count; ++i) {
    EngineCall* call = worker->calls[i];
    ++windows_by_head_[worker->scores[i].head];
    call->scores[call->next_window++] = worker->scores[i];
    EngineCall* following = i + 1 < count ? worker->calls[i + 1] : nullptr;
    if (following == call) continue;
    call->model_ms += spent;
    EngineCall* rest = call;
    if (call->next_window == call->plan.unique().size()) {
      rest = Following(call);
      Finish(call);
    }
    if (rest == nullptr || rest == following) continue;
    // What nobody waits for any more is answered now rather than at its next turn.
    rest = Sift(rest, &worker->scratch);
    if (rest == nullptr) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    Wait(rest, worker->is_long ? &long_ : &short_);
  }
}

void ThreadedEngine::Finish(EngineCall* call) {
  for (size_t i = 0; i < call->windows.size(); ++i) {
    call->windows[i].score = call->scores[call->plan.source()[i]];
  }
  call->passes = static_cast<uint32_t>(call->plan.unique().size());
  options_.done(call);
}

}  // namespace

Status Engine::Create(const EngineOptions& options, std::unique_ptr<Tokenizer> tokenizer,
                      std::unique_ptr<Encoder> encoder, std::unique_ptr<Engine>* out) {
  auto engine = std::make_unique<ThreadedEngine>(options, std::move(tokenizer), std::move(encoder));
  Status status = engine->Start();
  if (status.ok()) *out = std::move(engine);
  return status;
}

Status Engine::Open(const EngineOptions& options, std::unique_ptr<Engine>* out) {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Encoder> encoder;
  Status status = Tokenizer::Open(options.model_dir, &tokenizer);
  if (status.ok()) status = Encoder::Load(options.model_dir, options.kernels, &encoder);
  if (!status.ok()) return status;
  return Create(options, std::move(tokenizer), std::move(encoder), out);
}

}  // namespace ghostai
