// Result of every fallible operation of the core. The core throws nothing
// across its public face: a caller in C++, in a test or in the addon gets a
// Status and decides.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace ghostai {

enum class StatusCode {
  kOk,
  kInvalidArgument,     // the caller broke the contract
  kModelNotFound,       // no such folder or file
  kModelDamaged,        // a checksum, size or self-test does not match
  kModelUnsupported,    // a well-formed model that this engine cannot run
  kKernelsUnsupported,  // a forced instruction set that this CPU lacks
  kBusy,                // the queue is full
  kDeadlineExceeded,    // took longer than the caller allows
  kCancelled,           // the caller wants no answer any more
  kClosed,              // the engine is shutting down
  kOutOfMemory,
};

struct Status {
  StatusCode code = StatusCode::kOk;
  std::string message;  // says what was expected and what came

  bool ok() const { return code == StatusCode::kOk; }
  static Status Ok() { return {}; }
  static Status Error(StatusCode code, std::string message) { return {code, std::move(message)}; }
};

// What a file says, fit for a message: 40 bytes of it at most, all that is not printable ASCII as
// '?'. A hostile file must not write lines into a log, nor as many as it likes.
inline std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, 40));
  for (char& c : shown) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return text.size() > shown.size() ? shown + "..." : shown;
}

}  // namespace ghostai
