// What the fuzz targets share. A target defines LLVMFuzzerTestOneInput, which
// libFuzzer calls with what it made up and replay.cc with what was kept, and
// Seeds, where both begin. A broken promise of the code under test ends the
// process, as a crash does.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "status.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ghostai::fuzz {

// Inputs that reach what chance alone would not find soon.
std::vector<std::string> Seeds();

[[noreturn]] inline void Broken(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: expected %s\n", file, line, what.c_str());
  std::abort();
}

#define EXPECT(condition) \
  if (!(condition)) ::ghostai::fuzz::Broken(__FILE__, __LINE__, #condition)

// An input taken apart from its front; past its end everything is zero or empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::string_view Take(size_t count) {
    std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view Rest() { return Take(rest_.size()); }
  // A little-endian number of `bytes` bytes.
  uint64_t Number(size_t bytes) {
    uint64_t number = 0;
    std::string_view taken = Take(bytes);
    std::memcpy(&number, taken.data(), taken.size());
    return number;
  }

 private:
  std::string_view rest_;
};

// A folder for one process, removed at its end.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "ghostai-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) Broken(__FILE__, __LINE__, "to make " + name);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file in memory under a path of its own, for readers that take paths.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& path)
      : descriptor_(memfd_create("ghostai-fuzz", MFD_CLOEXEC)) {
    std::string target = "/proc/self/fd/" + std::to_string(descriptor_);
    if (descriptor_ < 0 || symlink(target.c_str(), path.c_str()) != 0)
      Broken(__FILE__, __LINE__, "a file in memory at " + path);
  }
  // Not while the last content is still mapped.
  void Write(std::string_view content) {
    auto size = static_cast<ssize_t>(content.size());
    if (ftruncate(descriptor_, size) != 0 ||
        pwrite(descriptor_, content.data(), content.size(), 0) != size)
      Broken(__FILE__, __LINE__, "room for a file in memory");
  }

 private:
  int descriptor_;
};

// What a refusal of a model file promises: it blames the file, and its message is fit for one line
// of a log, whatever the file says.
inline void CheckRefusal(const Status& status) {
  EXPECT(status.code == StatusCode::kModelDamaged || status.code == StatusCode::kModelUnsupported);
  EXPECT(!status.message.empty() && status.message.size() < 300);
  for (char c : status.message) EXPECT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

}  // namespace ghostai::fuzz
