// Reading model files: memory-mapped, checked before use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../status.h"

namespace ghostai {

// A file mapped read-only; its pages are shared by all processes that map it.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  Status Open(const std::string& path);
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// 64 bits over the bytes: finds damage, not malice (the manifest's SHA-256 is for that). Four lanes
// of multiply and rotate; every step is a bijection of its lane, so one changed word always shows.
uint64_t Checksum(std::string_view bytes);

// What config.json says of the encoder.
struct Config {
  int hidden = 0, layers = 0, heads = 0, inner = 0, vocabulary = 0, positions = 0;
  float epsilon = 0;
  std::vector<int> exit_layers;        // ascending, each below `layers`
  int exit_width = 0, exit_inner = 0;  // of an early head, see heads.h; used where there are exits
};
constexpr int kExitSizeMax = 512;  // of both
Status ReadConfig(std::string_view json, Config* config);

// A tensor file of Hugging Face: u64 header size, JSON header, data.
class SafeTensors {
 public:
  Status Open(const std::string& path);
  std::string_view bytes() const { return file_.bytes(); }
  // Tensor `name` as floats; its shape must be `shape` and its type F32, F16 or BF16.
  Status Read(const std::string& name, const std::vector<size_t>& shape,
              std::vector<float>* values) const;

 private:
  struct Tensor {
    std::string name, type;
    std::vector<size_t> shape;
    size_t begin, end;  // bytes of the file
  };
  MappedFile file_;
  std::vector<Tensor> tensors_;
};

}  // namespace ghostai
