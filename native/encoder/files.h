// The files of a model as Hugging Face writes them: checked before use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../packed/packed_file.h"
#include "../status.h"

namespace ghostai {

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
