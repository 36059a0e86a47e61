// The door to Node, and the only file that knows it: arguments in, Promises out.
// It decides nothing. src/model/native.ts is its typed interface.
//
// Completions travel from the inference threads in one list; the event loop is
// woken once for as many as have gathered. Everything belongs to the environment
// that loaded the addon, so worker threads may load it too.
#include <napi.h>

#include <cmath>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "ghostai.h"
#include "system/affinity.h"
#include "system/service.h"

namespace {

using ghostai::Call;
using ghostai::Engine;
using ghostai::Status;
using ghostai::StatusCode;

const char* CodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kModelNotFound:
      return "ERR_MODEL_NOT_FOUND";
    case StatusCode::kModelDamaged:
      return "ERR_MODEL_DAMAGED";
    case StatusCode::kModelUnsupported:
      return "ERR_MODEL_UNSUPPORTED";
    case StatusCode::kKernelsUnsupported:
      return "ERR_KERNELS_UNSUPPORTED";
    case StatusCode::kBusy:
      return "ERR_MODEL_BUSY";
    case StatusCode::kDeadlineExceeded:
      return "ERR_MODEL_DEADLINE";
    case StatusCode::kCancelled:
      return "ERR_MODEL_CANCELLED";
    case StatusCode::kClosed:
      return "ERR_MODEL_CLOSED";
    case StatusCode::kOutOfMemory:
      return "ERR_OUT_OF_MEMORY";
    case StatusCode::kOk:
    case StatusCode::kInvalidArgument:
      break;
  }
  return "ERR_INVALID_ARGUMENT";
}

Napi::Error MakeError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message);
  error.Set("code", Napi::String::New(env, CodeName(status.code)));
  return error;
}

Napi::Error InvalidArgument(Napi::Env env, const std::string& message) {
  return MakeError(env, Status::Error(StatusCode::kInvalidArgument, message));
}

// ---- arguments -------------------------------------------------------------

// The end of 'Expected ... but received'; never runs code of the caller's.
std::string Received(Napi::Value value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number:
      return value.ToString().Utf8Value();
    case napi_string:
      return "a string";
    case napi_function:
      return "a function";
    case napi_symbol:
      return "a symbol";
    default:
      return value.IsArray() ? "an array" : "an object";
  }
}

Napi::Error Unexpected(const std::string& expected, const std::string& name, Napi::Value value) {
  return InvalidArgument(
      value.Env(), "Expected " + expected + " for " + name + " but received " + Received(value));
}

Napi::Object ObjectArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  // A missing argument reads as undefined.
  if (!info[index].IsObject()) throw Unexpected("an object", name, info[index]);
  return info[index].As<Napi::Object>();
}

std::string StringField(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsString()) throw Unexpected("a string", name, value);
  return value.As<Napi::String>().Utf8Value();
}

double ToNumber(Napi::Value value, const std::string& name, int64_t low, int64_t high) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high))) {
    throw Unexpected(std::to_string(low) + "-" + std::to_string(high), name, value);
  }
  return number;
}

int64_t ToInteger(Napi::Value value, const std::string& name, int64_t low, int64_t high) {
  double number = ToNumber(value, name, low, high);
  if (number != std::floor(number)) throw Unexpected("a whole number", name, value);
  return static_cast<int64_t>(number);
}

template <typename Item>
void EachItem(Napi::Value value, const std::string& name, Item&& item) {
  if (!value.IsArray()) throw Unexpected("an array", name, value);
  Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::HandleScope scope(value.Env());
    item(i, array.Get(i));
  }
}

constexpr int64_t kCoreMax = (1 << 18) - 1;
constexpr int64_t kLogitMax = 1'000'000;
constexpr int64_t kTicketMax = 9'007'199'254'740'991;

// ---- results ---------------------------------------------------------------

// One array for everything: an object with its properties would cost more than all the rest of an
// answer. src/model/native.ts names the numbers.
Napi::Float64Array MakeScore(Napi::Env env, const Call& call) {
  constexpr size_t kCallFields = 6, kWindowFields = 5;
  Napi::Float64Array result =
      Napi::Float64Array::New(env, kCallFields + call.windows.size() * kWindowFields);
  double* out = result.Data();
  *out++ = call.tokens;
  *out++ = call.passes;
  *out++ = call.truncated;
  *out++ = call.queue_ms;
  *out++ = call.tokenize_ms;
  *out++ = call.model_ms;
  for (const ghostai::WindowScore& window : call.windows) {
    *out++ = window.text;
    *out++ = window.begin;
    *out++ = window.end;
    *out++ = static_cast<double>(window.score.logit);
    *out++ = window.score.head;
  }
  return result;
}

// ---- a model ---------------------------------------------------------------

// Owned by the object that open returned, and besides by whatever will still come back to it:
// calls in flight, a close under way. So a caller may forget the model before its promises settle.
class Handle : public std::enable_shared_from_this<Handle> {
 public:
  static std::shared_ptr<Handle> Open(Napi::Env env, const ghostai::EngineOptions& options);
  ~Handle();

  Napi::Value Score(const Napi::CallbackInfo& info);
  void Cancel(const Napi::CallbackInfo& info);
  Napi::Value Stats(Napi::Env env) const;
  Napi::Value Close(Napi::Env env);

 private:
  // Wakes the event loop; data and context are not needed, the handle is.
  static void OnWake(Napi::Env env, Napi::Function, Handle* handle, void*);
  using Wake = Napi::TypedThreadSafeFunction<Handle, void, OnWake>;
  // What lives exactly as long as the wake function.
  struct WakeLife {
    std::shared_ptr<Handle> handle;
  };

  // A call between its submission and its answer; the call's `user` points to it. Only the event
  // loop's thread touches it.
  struct Flight {
    Call* call;
    Napi::Promise::Deferred deferred;
    int64_t ticket;
    std::list<Flight>::iterator self;
  };

  class Joiner;

  void Done(Call* call);  // on any thread
  // The calls of the arguments, linked by `then`.
  Call* Fill(const Napi::CallbackInfo& info, int64_t* ticket);
  void ReleaseAll(Call* first);
  void Drain(Napi::Env env);
  static void Answer(Napi::Env env, const Flight& flight);
  void FinishClose();
  Call* TakeFinished();
  static void OnEnvironmentEnd(void* handle);

  std::unique_ptr<Engine> engine_;
  Wake wake_;
  WakeLife* wake_life_ = nullptr;
  napi_env env_ = nullptr;
  std::list<Flight> flights_;
  std::shared_ptr<Handle> while_in_flight_;
  bool closing_ = false;
  bool closed_ = true;  // until it is open
  std::vector<Napi::Promise::Deferred> waiting_for_close_;

  std::mutex mutex_;
  Call* finished_first_ = nullptr;
  Call* finished_last_ = nullptr;
};

// Joins the inference threads away from the event loop.
class Handle::Joiner : public Napi::AsyncWorker {
 public:
  Joiner(Napi::Env env, std::shared_ptr<Handle> handle)
      : Napi::AsyncWorker(env), handle_(std::move(handle)) {}
  void Execute() override { handle_->engine_->Close(); }
  void OnOK() override {
    handle_->Drain(Env());
    handle_->FinishClose();
    for (const Napi::Promise::Deferred& deferred : handle_->waiting_for_close_) {
      deferred.Resolve(Env().Undefined());
    }
    handle_->waiting_for_close_.clear();
  }

 private:
  std::shared_ptr<Handle> handle_;
};

std::shared_ptr<Handle> Handle::Open(Napi::Env env, const ghostai::EngineOptions& given) {
  auto handle = std::make_shared<Handle>();
  handle->env_ = env;
  ghostai::EngineOptions options = given;
  options.done = [raw = handle.get()](Call* call) { raw->Done(call); };
  Status status = Engine::Open(options, &handle->engine_);
  if (!status.ok()) throw MakeError(env, status);
  auto life = std::make_unique<WakeLife>();
  handle->wake_ = Wake::New(
      env, "ghostai", 0, 1, handle.get(), [](Napi::Env, WakeLife* ended, Handle*) { delete ended; },
      life.get());
  handle->wake_life_ = life.release();
  handle->wake_.Unref(env);
  handle->closed_ = false;
  // Runs before the wake function's own end, since hooks run last first.
  napi_add_env_cleanup_hook(env, OnEnvironmentEnd, handle.get());
  return handle;
}

Handle::~Handle() {
  if (closed_) return;
  // Forgotten without a close; nothing is in flight, so the threads are idle and join at once.
  engine_->Close();
  closed_ = true;
  napi_remove_env_cleanup_hook(env_, OnEnvironmentEnd, this);
  wake_.Release();
}

void Handle::OnEnvironmentEnd(void* data) {
  auto* handle = static_cast<Handle*>(data);
  // Nobody can be answered any more; the threads must be gone before the environment is.
  handle->engine_->Close();
  handle->closed_ = true;
  for (Call* call = handle->TakeFinished(); call != nullptr;) {
    Call* next = call->next;
    handle->engine_->Release(call);
    call = next;
  }
  handle->flights_.clear();
  handle->wake_.Abort();
  // May be the last owner.
  std::shared_ptr<Handle> last = std::move(handle->while_in_flight_);
}

void Handle::FinishClose() {
  if (closed_) return;
  closed_ = true;
  napi_remove_env_cleanup_hook(env_, OnEnvironmentEnd, this);
  // A wake may be on its way still: until the function has ended, it may come to this handle.
  wake_life_->handle = shared_from_this();
  wake_.Release();
}

void Handle::Done(Call* call) {
  bool wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wake = finished_first_ == nullptr;
    call->next = nullptr;
    (wake ? finished_first_ : finished_last_->next) = call;
    finished_last_ = call;
  }
  if (wake) wake_.NonBlockingCall();
}

Call* Handle::TakeFinished() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(finished_first_, nullptr);
}

void Handle::OnWake(Napi::Env env, Napi::Function, Handle* handle, void*) {
  if (env != nullptr) handle->Drain(env);
}

void Handle::Drain(Napi::Env env) {
  std::shared_ptr<Handle> alive = shared_from_this();
  for (Call* call = TakeFinished(); call != nullptr;) {
    Call* next = call->next;
    Napi::HandleScope scope(env);
    if (auto* flight = static_cast<Flight*>(call->user)) {
      Answer(env, *flight);
      flights_.erase(flight->self);
    }
    engine_->Release(call);
    if (flights_.empty() && !closed_) {
      wake_.Unref(env);
      while_in_flight_.reset();
    }
    call = next;
  }
}

void Handle::Answer(Napi::Env env, const Flight& flight) {
  const Call& call = *flight.call;
  try {
    if (!call.status.ok()) {
      flight.deferred.Reject(MakeError(env, call.status).Value());
      return;
    }
    try {
      flight.deferred.Resolve(MakeScore(env, call));
    } catch (const Napi::Error& error) {
      flight.deferred.Reject(error.Value());
    }
  } catch (const Napi::Error&) {
    // The environment is ending and runs no more JavaScript: nobody waits for the answer.
  }
}

Call* Handle::Fill(const Napi::CallbackInfo& info, int64_t* ticket) {
  Napi::Env env = info.Env();
  Napi::Object options = ObjectArgument(info, 2, "options");
  Napi::Value early = options.Get("earlyExit");
  if (!early.IsBoolean()) throw Unexpected("true or false", "earlyExit", early);
  bool may_exit_early = early.As<Napi::Boolean>().Value();
  auto windows_max =
      static_cast<uint32_t>(ToInteger(options.Get("windowsMax"), "windowsMax", 1, 100'000'000));
  double deadline_ms = ToNumber(options.Get("deadlineMs"), "deadlineMs", 0, 1'000'000'000'000);
  Napi::Value given_ticket = options.Get("ticket");
  *ticket = given_ticket.IsUndefined() ? -1 : ToInteger(given_ticket, "ticket", 0, kTicketMax);
  Call* first = nullptr;
  Call** link = &first;
  try {
    EachItem(info[1], "segments", [&](uint32_t i, Napi::Value segment) {
      Call* call = engine_->Acquire();
      *link = call;
      link = &call->then;
      call->windows_max = windows_max;
      call->may_exit_early = may_exit_early;
      call->deadline_ms = deadline_ms;
      std::string name = "segments[" + std::to_string(i) + "]";
      size_t count = 0;
      EachItem(segment, name, [&](uint32_t j, Napi::Value text) {
        if (!text.IsString())
          throw Unexpected("a string", name + "[" + std::to_string(j) + "]", text);
        if (call->texts.size() <= j) call->texts.emplace_back();
        // Straight into the pooled buffer, without a string of its own.
        size_t length = 0;
        napi_get_value_string_utf16(env, text, nullptr, 0, &length);
        call->texts[j].resize(length + 1);
        napi_get_value_string_utf16(env, text, call->texts[j].data(), length + 1, &length);
        call->texts[j].resize(length);
        ++count;
      });
      if (count == 0) {
        throw InvalidArgument(
            env, "Expected at least one text for " + name + " but received an empty array");
      }
      call->texts.resize(count);
    });
    if (first == nullptr) {
      throw InvalidArgument(
          env, "Expected at least one segment for segments but received an empty array");
    }
  } catch (const std::bad_alloc&) {
    ReleaseAll(first);
    throw MakeError(env, Status::Error(StatusCode::kOutOfMemory, "No memory for the texts"));
  } catch (...) {
    ReleaseAll(first);
    throw;
  }
  return first;
}

void Handle::ReleaseAll(Call* first) {
  for (Call* next; first != nullptr; first = next) {
    next = first->then;
    engine_->Release(first);
  }
}

Napi::Value Handle::Score(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int64_t ticket;
  Call* first = Fill(info, &ticket);
  // The promises are made before: once the calls are submitted, nothing may fail here any more.
  std::list<Flight> flights;
  Napi::Array promises = Napi::Array::New(env);
  for (Call* call = first; call != nullptr; call = call->then) {
    flights.push_back({call, Napi::Promise::Deferred::New(env), ticket, {}});
    flights.back().self = std::prev(flights.end());
    call->user = &flights.back();
    promises.Set(promises.Length(), flights.back().deferred.Promise());
  }
  Status status = engine_->Submit(first);
  if (!status.ok()) {
    ReleaseAll(first);
    // A deferred that never settles is never freed; nobody sees these.
    for (const Flight& flight : flights) flight.deferred.Resolve(env.Undefined());
    throw MakeError(env, status);
  }
  if (flights_.empty()) {
    wake_.Ref(env);
    while_in_flight_ = shared_from_this();
  }
  flights_.splice(flights_.end(), flights);
  return promises;
}

void Handle::Cancel(const Napi::CallbackInfo& info) {
  int64_t ticket = ToInteger(info[1], "ticket", 0, kTicketMax);
  for (const Flight& flight : flights_) {
    if (flight.ticket == ticket) engine_->Cancel(flight.call);
  }
}

Napi::Value Handle::Stats(Napi::Env env) const {
  ghostai::EngineStats stats = engine_->Stats();
  Napi::Object result = Napi::Object::New(env);
  auto number = [&](const char* name, uint64_t value) {
    result.Set(name, static_cast<double>(value));
  };
  auto list = [&](const char* name, const std::vector<int>& values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, values[i]);
    result.Set(name, array);
  };
  number("requests", stats.requests);
  number("refusedBusy", stats.refused_busy);
  number("refusedDeadline", stats.refused_deadline);
  number("cancelled", stats.cancelled);
  number("windows", stats.windows);
  number("tokens", stats.tokens);
  number("batches", stats.batches);
  number("queueDepth", stats.queue_depth);
  number("allocations", ghostai::InferenceAllocations());
  result.Set("kernels", engine_->kernels());
  Napi::Array by_head = Napi::Array::New(env, stats.windows_by_head.size());
  for (uint32_t i = 0; i < stats.windows_by_head.size(); ++i) {
    by_head.Set(i, static_cast<double>(stats.windows_by_head[i]));
  }
  result.Set("windowsByHead", by_head);
  list("threadCores", engine_->thread_cores());
  list("threadIds", engine_->thread_ids());
  return result;
}

Napi::Value Handle::Close(Napi::Env env) {
  Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  if (closed_) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  waiting_for_close_.push_back(deferred);
  if (!closing_) {
    closing_ = true;
    (new Joiner(env, shared_from_this()))->Queue();  // deletes itself
  }
  return deferred.Promise();
}

// ---- functions -------------------------------------------------------------

// What the JavaScript object owns.
using Owner = std::shared_ptr<Handle>;

Handle& ToHandle(const Napi::CallbackInfo& info) {
  if (!info[size_t{0}].IsExternal()) {
    throw Unexpected("a model that open returned", "handle", info[size_t{0}]);
  }
  return **info[size_t{0}].As<Napi::External<Owner>>().Data();
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object given = ObjectArgument(info, 0, "options");
  ghostai::EngineOptions options;
  auto integer = [&](const char* name, int64_t low, int64_t high) {
    return ToInteger(given.Get(name), name, low, high);
  };
  options.model_dir = StringField(given, "modelDir");
  options.kernels = StringField(given, "kernels");
  EachItem(given.Get("cores"), "cores", [&](uint32_t i, Napi::Value core) {
    std::string name = "cores[" + std::to_string(i) + "]";
    options.cores.push_back(static_cast<int>(ToInteger(core, name, 0, kCoreMax)));
  });
  EachItem(given.Get("exits"), "exits", [&](uint32_t i, Napi::Value rule) {
    std::string name = "exits[" + std::to_string(i) + "]";
    if (!rule.IsObject()) throw Unexpected("an object", name, rule);
    auto bound = [&](const char* field) {
      Napi::Value value = rule.As<Napi::Object>().Get(field);
      return static_cast<float>(ToNumber(value, name + "." + field, -kLogitMax, kLogitMax));
    };
    options.exits.push_back({bound("benign"), bound("attack")});
  });
  options.threads = static_cast<int>(integer("threads", 0, 256));
  options.queue_max = static_cast<size_t>(integer("queueMax", 1, 1'000'000));
  options.window_tokens = static_cast<uint32_t>(integer("windowTokens", 3, 65'536));
  options.window_stride = static_cast<uint32_t>(integer("windowStride", 1, 65'536));
  auto owner = std::make_unique<Owner>(Handle::Open(env, options));
  auto external =
      Napi::External<Owner>::New(env, owner.get(), [](Napi::Env, Owner* data) { delete data; });
  static_cast<void>(owner.release());
  return external;
}

Napi::Value Score(const Napi::CallbackInfo& info) { return ToHandle(info).Score(info); }
void Cancel(const Napi::CallbackInfo& info) { ToHandle(info).Cancel(info); }
Napi::Value Stats(const Napi::CallbackInfo& info) { return ToHandle(info).Stats(info.Env()); }
Napi::Value Close(const Napi::CallbackInfo& info) { return ToHandle(info).Close(info.Env()); }

Napi::Value AllowedCores(const Napi::CallbackInfo& info) {
  std::vector<int> cores = ghostai::AllowedCores();
  Napi::Array array = Napi::Array::New(info.Env(), cores.size());
  for (uint32_t i = 0; i < cores.size(); ++i) array.Set(i, cores[i]);
  return array;
}

void PinThread(const Napi::CallbackInfo& info) {
  auto core = static_cast<int>(ToInteger(info[size_t{0}], "core", 0, kCoreMax));
  Status status = ghostai::PinCurrentThread(core);
  if (!status.ok()) throw MakeError(info.Env(), status);
}

Napi::Value KernelNames(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  auto list = [&](const char* name, const std::vector<std::string>& values) {
    Napi::Array array = Napi::Array::New(info.Env(), values.size());
    for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, values[i]);
    result.Set(name, array);
  };
  list("available", ghostai::AvailableKernels());
  list("built", ghostai::BuiltKernels());
  return result;
}

std::string StringArgument(const Napi::CallbackInfo& info, const char* name) {
  Napi::Value value = info[size_t{0}];
  if (!value.IsString()) throw Unexpected("a string", name, value);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Value Notify(const Napi::CallbackInfo& info) {
  bool sent = false;
  Status status = ghostai::Notify(StringArgument(info, "state"), &sent);
  if (!status.ok()) throw MakeError(info.Env(), status);
  return Napi::Boolean::New(info.Env(), sent);
}

Napi::Value LockFile(const Napi::CallbackInfo& info) {
  bool taken = false;
  Status status = ghostai::LockFile(StringArgument(info, "path"), &taken);
  if (!status.ok()) throw MakeError(info.Env(), status);
  return Napi::Boolean::New(info.Env(), taken);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New(env, Open, "open"));
  exports.Set("score", Napi::Function::New(env, Score, "score"));
  exports.Set("cancel", Napi::Function::New(env, Cancel, "cancel"));
  exports.Set("stats", Napi::Function::New(env, Stats, "stats"));
  exports.Set("close", Napi::Function::New(env, Close, "close"));
  Napi::Object system = Napi::Object::New(env);
  system.Set("allowedCores", Napi::Function::New(env, AllowedCores, "allowedCores"));
  system.Set("pinThread", Napi::Function::New(env, PinThread, "pinThread"));
  system.Set("kernels", Napi::Function::New(env, KernelNames, "kernels"));
  system.Set("notify", Napi::Function::New(env, Notify, "notify"));
  system.Set("lockFile", Napi::Function::New(env, LockFile, "lockFile"));
  exports.Set("system", system);
  return exports;
}

}  // namespace

NODE_API_MODULE(ghostai, Init)
