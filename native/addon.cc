// The door to Node, and the only file that knows it: arguments in, Promises out.
// It decides nothing. src/model/native.ts is its typed interface.
//
// Completions travel from the inference threads in one list; the event loop is
// woken once for as many as have gathered. Everything belongs to the environment
// that loaded the addon, so worker threads may load it too.
#include <napi.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ghostai.h"
#include "system/affinity.h"

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

Napi::Value Field(const Napi::Object& object, const char* name) { return object.Get(name); }

std::string StringField(const Napi::Object& object, const char* name) {
  Napi::Value value = Field(object, name);
  if (!value.IsString()) throw InvalidArgument(object.Env(), std::string("Expected a string for ") + name);
  return value.As<Napi::String>().Utf8Value();
}

double NumberField(const Napi::Object& object, const char* name, double low, double high) {
  Napi::Value value = Field(object, name);
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
  if (!value.IsNumber() || !(number >= low && number <= high)) {
    throw InvalidArgument(object.Env(), std::string("Expected ") + std::to_string(static_cast<int64_t>(low)) +
                                            "-" + std::to_string(static_cast<int64_t>(high)) + " for " + name +
                                            " but received " + value.ToString().Utf8Value());
  }
  return number;
}

template <typename Item>
void EachItem(Napi::Env env, Napi::Value value, const char* name, Item&& item) {
  if (!value.IsArray()) throw InvalidArgument(env, std::string("Expected an array for ") + name);
  Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::HandleScope scope(env);
    item(i, array.Get(i));
  }
}

// ---- a model ---------------------------------------------------------------

class Handle {
 public:
  Handle(Napi::Env env, const ghostai::EngineOptions& options);
  ~Handle();

  Napi::Value Score(const Napi::CallbackInfo& info);
  Napi::Value Stats(Napi::Env env) const;
  Napi::Value Close(Napi::Env env);

 private:
  // Wakes the event loop; data and context are not needed, the handle is.
  static void OnWake(Napi::Env env, Napi::Function, Handle* handle, void*);
  using Wake = Napi::TypedThreadSafeFunction<Handle, void, OnWake>;

  class Joiner;

  void Done(Call* call);  // on an inference thread
  void Drain(Napi::Env env);
  void Settle(Napi::Env env, Call* call);
  void FinishClose();
  static void OnEnvironmentEnd(void* handle);

  std::unique_ptr<Engine> engine_;
  Wake wake_;
  napi_env env_;
  size_t in_flight_ = 0;
  bool closing_ = false, closed_ = false;
  std::vector<Napi::Promise::Deferred> waiting_for_close_;

  std::mutex mutex_;
  Call* finished_first_ = nullptr;
  Call* finished_last_ = nullptr;
};

// Joins the inference threads away from the event loop.
class Handle::Joiner : public Napi::AsyncWorker {
 public:
  Joiner(Napi::Env env, Handle* handle) : Napi::AsyncWorker(env), handle_(handle) {}
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
  Handle* handle_;
};

Handle::Handle(Napi::Env env, const ghostai::EngineOptions& given) : env_(env) {
  ghostai::EngineOptions options = given;
  options.done = [this](Call* call) { Done(call); };
  wake_ = Wake::New(env, "ghostai", 0, 1, this);
  wake_.Unref(env);
  Status status = Engine::Open(options, &engine_);
  if (!status.ok()) {
    wake_.Release();
    throw MakeError(env, status);
  }
  // Runs before the wake function's own end, since hooks run last first.
  napi_add_env_cleanup_hook(env, OnEnvironmentEnd, this);
}

Handle::~Handle() {
  if (!closed_) {
    engine_->Close();
    FinishClose();
  }
}

void Handle::OnEnvironmentEnd(void* data) {
  auto* handle = static_cast<Handle*>(data);
  // Nobody can be answered any more; the threads must be gone before the environment is.
  handle->engine_->Close();
  handle->closed_ = true;
  for (Call* call = handle->finished_first_; call != nullptr; call = call->next) {
    delete static_cast<Napi::Promise::Deferred*>(call->user);
  }
  handle->finished_first_ = nullptr;
  handle->wake_.Abort();
}

void Handle::FinishClose() {
  closed_ = true;
  napi_remove_env_cleanup_hook(env_, OnEnvironmentEnd, this);
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

void Handle::OnWake(Napi::Env env, Napi::Function, Handle* handle, void*) {
  if (env != nullptr) handle->Drain(env);
}

void Handle::Drain(Napi::Env env) {
  Call* call;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    call = finished_first_;
    finished_first_ = nullptr;
  }
  while (call != nullptr) {
    Call* next = call->next;
    Napi::HandleScope scope(env);
    Settle(env, call);
    call = next;
  }
}

void Handle::Settle(Napi::Env env, Call* call) {
  std::unique_ptr<Napi::Promise::Deferred> deferred(static_cast<Napi::Promise::Deferred*>(call->user));
  if (call->status.ok()) {
    Napi::Float64Array windows = Napi::Float64Array::New(env, call->windows.size() * 4);
    double* out = windows.Data();
    for (const ghostai::WindowScore& window : call->windows) {
      *out++ = window.text;
      *out++ = window.begin;
      *out++ = window.end;
      *out++ = static_cast<double>(window.logit);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("windows", windows);
    result.Set("tokens", call->tokens);
    result.Set("passes", call->passes);
    result.Set("truncated", Napi::Boolean::New(env, call->truncated));
    result.Set("queueMs", call->queue_ms);
    result.Set("tokenizeMs", call->tokenize_ms);
    result.Set("modelMs", call->model_ms);
    deferred->Resolve(result);
  } else {
    deferred->Reject(MakeError(env, call->status).Value());
  }
  engine_->Release(call);
  if (--in_flight_ == 0 && !closed_) wake_.Unref(env);
}

Napi::Value Handle::Score(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Call* call = engine_->Acquire();
  try {
    if (info.Length() < 3 || !info[2].IsObject()) throw InvalidArgument(env, "Expected options");
    Napi::Object options = info[2].As<Napi::Object>();
    call->windows_max = static_cast<uint32_t>(NumberField(options, "windowsMax", 1, 100'000'000));
    call->deadline_ms = NumberField(options, "deadlineMs", 0, 1e12);
    size_t count = 0;
    EachItem(env, info[1], "texts", [&](uint32_t i, Napi::Value text) {
      if (!text.IsString()) throw InvalidArgument(env, "Expected strings in texts");
      if (call->texts.size() <= i) call->texts.emplace_back();
      // Straight into the pooled buffer, without a string of its own.
      size_t length = 0;
      napi_get_value_string_utf16(env, text, nullptr, 0, &length);
      call->texts[i].resize(length + 1);
      napi_get_value_string_utf16(env, text, call->texts[i].data(), length + 1, &length);
      call->texts[i].resize(length);
      ++count;
    });
    if (count == 0) throw InvalidArgument(env, "Expected at least one text in texts");
    call->texts.resize(count);
  } catch (...) {
    engine_->Release(call);
    throw;
  }
  auto deferred = std::make_unique<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(env));
  Napi::Promise promise = deferred->Promise();
  call->user = deferred.get();
  Status status = engine_->Submit(call);
  if (!status.ok()) {
    engine_->Release(call);
    deferred->Reject(MakeError(env, status).Value());
    return promise;
  }
  static_cast<void>(deferred.release());
  if (in_flight_++ == 0) wake_.Ref(env);
  return promise;
}

Napi::Value Handle::Stats(Napi::Env env) const {
  ghostai::EngineStats stats = engine_->Stats();
  Napi::Object result = Napi::Object::New(env);
  auto number = [&](const char* name, uint64_t value) { result.Set(name, static_cast<double>(value)); };
  auto list = [&](const char* name, const std::vector<int>& values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, values[i]);
    result.Set(name, array);
  };
  number("requests", stats.requests);
  number("refusedBusy", stats.refused_busy);
  number("refusedDeadline", stats.refused_deadline);
  number("windows", stats.windows);
  number("tokens", stats.tokens);
  number("batches", stats.batches);
  number("queueDepth", stats.queue_depth);
  number("allocations", ghostai::InferenceAllocations());
  result.Set("kernels", engine_->kernels());
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
    (new Joiner(env, this))->Queue();  // deletes itself
  }
  return deferred.Promise();
}

// ---- functions -------------------------------------------------------------

Handle* ToHandle(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsExternal()) {
    throw InvalidArgument(info.Env(), "Expected a model that open returned");
  }
  return info[0].As<Napi::External<Handle>>().Data();
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject()) throw InvalidArgument(env, "Expected options");
  Napi::Object given = info[0].As<Napi::Object>();
  ghostai::EngineOptions options;
  options.model_dir = StringField(given, "modelDir");
  options.kernels = StringField(given, "kernels");
  EachItem(env, Field(given, "cores"), "cores", [&](uint32_t, Napi::Value core) {
    if (!core.IsNumber()) throw InvalidArgument(env, "Expected numbers in cores");
    options.cores.push_back(core.As<Napi::Number>().Int32Value());
  });
  options.threads = static_cast<int>(NumberField(given, "threads", 0, 256));
  options.queue_max = static_cast<size_t>(NumberField(given, "queueMax", 1, 1'000'000));
  options.window_tokens = static_cast<uint32_t>(NumberField(given, "windowTokens", 3, 65536));
  options.window_stride = static_cast<uint32_t>(NumberField(given, "windowStride", 1, 65536));
  auto handle = std::make_unique<Handle>(env, options);
  auto external = Napi::External<Handle>::New(env, handle.get(), [](Napi::Env, Handle* data) { delete data; });
  static_cast<void>(handle.release());
  return external;
}

Napi::Value Score(const Napi::CallbackInfo& info) { return ToHandle(info)->Score(info); }
Napi::Value Stats(const Napi::CallbackInfo& info) { return ToHandle(info)->Stats(info.Env()); }
Napi::Value Close(const Napi::CallbackInfo& info) { return ToHandle(info)->Close(info.Env()); }

Napi::Value AllowedCores(const Napi::CallbackInfo& info) {
  std::vector<int> cores = ghostai::AllowedCores();
  Napi::Array array = Napi::Array::New(info.Env(), cores.size());
  for (uint32_t i = 0; i < cores.size(); ++i) array.Set(i, cores[i]);
  return array;
}

void PinThread(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsNumber()) throw InvalidArgument(info.Env(), "Expected a core");
  Status status = ghostai::PinCurrentThread(info[0].As<Napi::Number>().Int32Value());
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

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New(env, Open, "open"));
  exports.Set("score", Napi::Function::New(env, Score, "score"));
  exports.Set("stats", Napi::Function::New(env, Stats, "stats"));
  exports.Set("close", Napi::Function::New(env, Close, "close"));
  Napi::Object system = Napi::Object::New(env);
  system.Set("allowedCores", Napi::Function::New(env, AllowedCores, "allowedCores"));
  system.Set("pinThread", Napi::Function::New(env, PinThread, "pinThread"));
  system.Set("kernels", Napi::Function::New(env, KernelNames, "kernels"));
  exports.Set("system", system);
  return exports;
}

}  // namespace

NODE_API_MODULE(ghostai, Init)
