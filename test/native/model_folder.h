// A small random model folder for the C++ tests, in the layout of the real one.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace ghostai::test {

inline std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

inline void WriteAll(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
}

inline std::string NewFolder() {
  char name[] = "/tmp/ghostai-test-XXXXXX";
  return mkdtemp(name);
}

// The sizes of a random model; hidden_size is 64, which is the least there is, in two heads.
struct SmallShape {
  size_t layers = 3, inner = 128, vocabulary = 50, positions = 40;
  std::vector<size_t> exits = {1, 2};
};

inline std::string Joined(const std::vector<size_t>& numbers) {
  std::string text;
  for (size_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

inline std::string SmallConfig(const SmallShape& shape) {
  return R"({"model_type":"bert","hidden_act":"gelu","hidden_size":64,"num_hidden_layers":)" +
         std::to_string(shape.layers) + R"(,"num_attention_heads":2,"intermediate_size":)" +
         std::to_string(shape.inner) + R"(,"vocab_size":)" + std::to_string(shape.vocabulary) +
         R"(,"max_position_embeddings":)" + std::to_string(shape.positions) +
         R"(,"type_vocab_size":2,"layer_norm_eps":1e-12,"exit_layers":[)" + Joined(shape.exits) +
         R"(],"exit_width":64,"exit_inner":64})";
}

inline const std::string kSmallConfig = SmallConfig({});

struct SmallTensor {
  std::string name;
  std::vector<size_t> shape;
  float around;  // its random values' mean
  size_t count;
};

inline std::vector<SmallTensor> SmallTensors(const SmallShape& shape) {
  std::vector<SmallTensor> tensors;
  auto add = [&](const std::string& name, const std::vector<size_t>& sizes, float around) {
    size_t count = 1;
    for (size_t size : sizes) count *= size;
    tensors.push_back({name, sizes, around, count});
  };
  auto dense = [&](const std::string& name, size_t outputs, size_t inputs) {
    add(name + ".weight", {outputs, inputs}, 0);
    add(name + ".bias", {outputs}, 0);
  };
  auto norm = [&](const std::string& name) {
    add(name + ".weight", {64}, 1);
    add(name + ".bias", {64}, 0);
  };
  add("bert.embeddings.word_embeddings.weight", {shape.vocabulary, 64}, 0);
  add("bert.embeddings.position_embeddings.weight", {shape.positions, 64}, 0);
  add("bert.embeddings.token_type_embeddings.weight", {2, 64}, 0);
  norm("bert.embeddings.LayerNorm");
  for (size_t i = 0; i < shape.layers; ++i) {
    std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"})
      dense(layer + "attention.self." + part, 64, 64);
    dense(layer + "attention.output.dense", 64, 64);
    norm(layer + "attention.output.LayerNorm");
    dense(layer + "intermediate.dense", shape.inner, 64);
    dense(layer + "output.dense", 64, shape.inner);
    norm(layer + "output.LayerNorm");
  }
  for (size_t exit : shape.exits) {
    std::string name = "exit_" + std::to_string(exit) + ".";
    dense(name + "projection", 64, 64);
    dense(name + "inner", 64, 64);
    dense(name + "output", 1, 64);
  }
  dense("classifier", 1, 64);
  return tensors;
}

// The JSON header of a tensor file that holds them one after another, `width` bytes a value.
inline std::string SmallHeader(const std::vector<SmallTensor>& tensors, const std::string& type,
                               size_t width) {
  std::string header;
  size_t begin = 0;
  for (const SmallTensor& tensor : tensors) {
    size_t end = begin + tensor.count * width;
    header += (header.empty() ? "{\"" : ",\"") + tensor.name + R"(":{"dtype":")" + type +
              R"(","shape":[)" + Joined(tensor.shape) + "],\"data_offsets\":[" +
              std::to_string(begin) + "," + std::to_string(end) + "]}";
    begin = end;
  }
  return header + "}";
}

// A tensor file: the header's size, the header, the data.
inline std::string TensorFile(const std::string& header, const std::string& data) {
  uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

// Writes config.json and model.safetensors (F32) of random weights.
inline void WriteSmallModel(const std::string& folder, unsigned seed = 1,
                            const SmallShape& shape = {}) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.3f);
  std::vector<SmallTensor> tensors = SmallTensors(shape);
  std::string data;
  for (const SmallTensor& tensor : tensors) {
    for (size_t i = 0; i < tensor.count; ++i) {
      float value = tensor.around + normal(random);
      data.append(reinterpret_cast<const char*>(&value), 4);
    }
  }
  WriteAll(folder + "/model.safetensors", TensorFile(SmallHeader(tensors, "F32", 4), data));
  WriteAll(folder + "/config.json", SmallConfig(shape));
}

}  // namespace ghostai::test
