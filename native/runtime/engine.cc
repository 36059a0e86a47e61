// The scheduler: a bounded queue, threads that take what is waiting, and calls
// that come back to the end of the queue while they have windows left.
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

// Above a dozen tokens a bigger batch is hardly faster a token, so a batch is
// one full window or as many short texts as fit in its place.
constexpr size_t kBatchTokensMin = 128;
constexpr size_t kBatchWindowsMax = 64;
constexpr size_t kKeptTextUnits = 16 << 10;

class EngineCall final : public Call {
 public:
  WindowPlan plan;
  std::vector<HeadScore> scores;  // one a unique window
  size_t next_window = 0;         // of plan.unique()
  bool started = false;
  Clock::time_point submitted;
};

// A list through Call::next: pushing never allocates.
class CallList {
 public:
  bool empty() const { return first_ == nullptr; }
  void Push(EngineCall* call) {
    call->next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = call;
    last_ = call;
  }
  void PushFront(EngineCall* call) {
    call->next = first_;
    if (first_ == nullptr) last_ = call;
    first_ = call;
  }
  EngineCall* Pop() {
    auto* call = static_cast<EngineCall*>(first_);
    first_ = call->next;
    return call;
  }

 private:
  Call* first_ = nullptr;
  Call* last_ = nullptr;
};

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine(const EngineOptions& options, std::unique_ptr<Tokenizer> tokenizer,
                 std::unique_ptr<Encoder> encoder)
      : options_(options), tokenizer_(std::move(tokenizer)), encoder_(std::move(encoder)) {}
  ~ThreadedEngine() override { Close(); }

  Status Start();
  Call* Acquire() override;
  void Release(Call* call) override;
  Status Submit(Call* call) override;
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
  };

  void Run(size_t index);
  Status Prepare(size_t index, Worker* worker);
  // Fills the worker's batch from the queue; false when the engine closes.
  bool Gather(Worker* worker);
  // Tokenizes a call that was just taken; false when it was answered instead.
  bool Begin(EngineCall* call, Worker* worker);
  void Compute(Worker* worker);
  void Finish(EngineCall* call);
  void Refuse(EngineCall* call, StatusCode code, const char* message);

  EngineOptions options_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Encoder> encoder_;
  size_t batch_tokens_max_ = kBatchTokensMin;

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  CallList queue_;
  size_t fresh_ = 0;  // calls of the queue that were not begun
  size_t idle_ = 0;   // threads that wait for a call
  bool closing_ = false;
  // As many calls as were ever out at once, which the queue's bound limits; all the engine's own.
  std::vector<std::unique_ptr<EngineCall>> calls_;
  std::vector<EngineCall*> pool_;  // those that are not out
  std::vector<int> cores_, ids_;
  Status start_status_;
  size_t started_ = 0;
  std::condition_variable all_started_;
  std::mutex join_mutex_;  // two may close at once; the second waits for the first
  std::vector<std::thread> threads_;
  std::deque<std::atomic<uint64_t>> windows_by_head_;
  std::atomic<uint64_t> requests_{0}, busy_{0}, late_{0}, windows_{0}, tokens_{0}, batches_{0};
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
    threads_.reserve(count);
    for (size_t i = 0; i < count; ++i) threads_.emplace_back([this, i] { Run(i); });
  } catch (const std::system_error& error) {
    status = Status::Error(StatusCode::kOutOfMemory, "Expected to start " + std::to_string(count) +
                                                         " threads but got " + error.what());
  }
  std::unique_lock<std::mutex> lock(mutex_);
  all_started_.wait(lock, [&] { return started_ == threads_.size(); });
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
  std::lock_guard<std::mutex> lock(mutex_);
  pool_.push_back(call);
}

Status ThreadedEngine::Submit(Call* base) {
  auto* call = static_cast<EngineCall*>(base);
  if (call->texts.empty() || call->windows_max < 1) {
    return Status::Error(StatusCode::kInvalidArgument, "Expected at least one text and one window");
  }
  call->status = Status::Ok();
  call->started = false;
  call->next_window = 0;
  call->passes = call->tokens = 0;
  call->truncated = false;
  call->queue_ms = call->tokenize_ms = call->model_ms = 0;
  call->submitted = Clock::now();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return Status::Error(StatusCode::kClosed, "The model is closed");
    if (fresh_ >= options_.queue_max) {
      ++busy_;
      return Status::Error(
          StatusCode::kBusy,
          "Expected at most " + std::to_string(options_.queue_max) + " calls to wait");
    }
    ++fresh_;
    queue_.Push(call);
  }
  ++requests_;
  ready_.notify_one();
  return Status::Ok();
}

EngineStats ThreadedEngine::Stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  EngineStats stats{requests_, busy_, late_, windows_, tokens_, batches_, {}, 0};
  for (const auto& windows : windows_by_head_) stats.windows_by_head.push_back(windows);
  stats.queue_depth = static_cast<uint32_t>(fresh_);
  return stats;
}

void ThreadedEngine::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  ready_.notify_all();
  std::lock_guard<std::mutex> join(join_mutex_);
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  // The threads are gone, so what still waits has only this one to answer it.
  while (true) {
    EngineCall* call = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!queue_.empty()) call = queue_.Pop();
      if (call != nullptr && !call->started) --fresh_;
    }
    if (call == nullptr) return;
    Refuse(call, StatusCode::kClosed, "The model is closed");
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

bool ThreadedEngine::Begin(EngineCall* call, Worker* worker) {
  Clock::time_point now = Clock::now();
  call->queue_ms = Milliseconds(now - call->submitted);
  if (call->queue_ms > call->deadline_ms) {
    ++late_;
    Refuse(call, StatusCode::kDeadlineExceeded, "The call waited longer than its deadline");
    return false;
  }
  WindowShape shape{options_.window_tokens, options_.window_stride};
  try {
    call->plan.Build(call->texts, call->windows_max, shape, *tokenizer_, &worker->scratch,
                     &call->windows);
    call->scores.resize(call->plan.unique().size());
  } catch (const std::bad_alloc&) {
    Refuse(call, StatusCode::kOutOfMemory, "No memory for a text");
    return false;
  }
  call->started = true;
  call->tokens = call->plan.tokens();
  call->truncated = call->plan.truncated();
  call->tokenize_ms = Milliseconds(Clock::now() - now);
  tokens_ += call->tokens;
  return true;
}

bool ThreadedEngine::Gather(Worker* worker) {
  worker->windows.clear();
  worker->calls.clear();
  size_t tokens = 0;
  while (worker->windows.size() < kBatchWindowsMax) {
    EngineCall* call = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      // Only an empty batch waits; a begun one takes what is there already.
      if (worker->windows.empty()) {
        ++idle_;
        ready_.wait(lock, [&] { return closing_ || !queue_.empty(); });
        --idle_;
      }
      if (closing_) {
        // Close answers what is in the queue; a batch that was gathered goes there too.
        for (size_t i = 0; i < worker->calls.size(); ++i) {
          bool repeated = i > 0 && worker->calls[i] == worker->calls[i - 1];
          if (!repeated) queue_.Push(worker->calls[i]);
        }
        return false;
      }
      if (queue_.empty()) break;
      // Merging gains little; another thread that has nothing to do gains a whole core.
      if (!worker->windows.empty() && idle_ > 0) {
        ready_.notify_one();
        break;
      }
      call = queue_.Pop();
      if (!call->started) --fresh_;
    }
    if (!call->started && !Begin(call, worker)) continue;
    const std::vector<WindowPlan::Unique>& unique = call->plan.unique();
    size_t at = call->next_window;
    size_t before = worker->windows.size();
    while (at < unique.size() && worker->windows.size() < kBatchWindowsMax &&
           (tokens == 0 || tokens + unique[at].count <= batch_tokens_max_)) {
      worker->windows.push_back(
          {call->plan.ids(unique[at]), unique[at].count, call->may_exit_early});
      worker->calls.push_back(call);
      tokens += unique[at].count;
      ++at;
    }
    if (worker->windows.size() == before) {
      // It does not fit beside the others: it is the next batch's first. At the end of the queue it
      // could be passed over for ever.
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.PushFront(call);
      ready_.notify_one();
      break;
    }
  }
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
  bool requeued = false;
  for (size_t i = 0; i < count; ++i) {
    EngineCall* call = worker->calls[i];
    ++windows_by_head_[worker->scores[i].head];
    call->scores[call->next_window++] = worker->scores[i];
    if (i + 1 < count && worker->calls[i + 1] == call) continue;
    call->model_ms += spent;
    if (call->next_window == call->plan.unique().size()) {
      Finish(call);
    } else {
      // Behind everyone who came meanwhile: a long text waits its turn again.
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.Push(call);
      requeued = true;
    }
  }
  if (requeued) ready_.notify_one();
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
