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

inline const char* kSmallConfig =
    R"({"model_type":"bert","hidden_act":"gelu","hidden_size":64,"num_hidden_layers":3,)"
    R"("num_attention_heads":2,"intermediate_size":128,"vocab_size":50,"max_position_embeddings":40,)"
    R"("type_vocab_size":2,"layer_norm_eps":1e-12,"exit_layers":[1,2],)"
    R"("exit_width":64,"exit_inner":64})";

// Writes config.json and model.safetensors (F32) of random weights.
inline void WriteSmallModel(const std::string& folder, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.3f);
  std::string header, data;
  auto add = [&](const std::string& name, const std::vector<size_t>& shape, float around) {
    size_t count = 1;
    std::string dims;
    for (size_t size : shape) {
      count *= size;
      dims += (dims.empty() ? "" : ",") + std::to_string(size);
    }
    size_t begin = data.size();
    for (size_t i = 0; i < count; ++i) {
      float value = around + normal(random);
      data.append(reinterpret_cast<const char*>(&value), 4);
    }
    header += (header.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + dims +
              "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) +
              "]}";
  };
  auto dense = [&](const std::string& name, size_t outputs, size_t inputs) {
    add(name + ".weight", {outputs, inputs}, 0);
    add(name + ".bias", {outputs}, 0);
  };
  auto norm = [&](const std::string& name) {
    add(name + ".weight", {64}, 1);
    add(name + ".bias", {64}, 0);
  };
  add("bert.embeddings.word_embeddings.weight", {50, 64}, 0);
  add("bert.embeddings.position_embeddings.weight", {40, 64}, 0);
  add("bert.embeddings.token_type_embeddings.weight", {2, 64}, 0);
  norm("bert.embeddings.LayerNorm");
  for (int i = 0; i < 3; ++i) {
    std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"})
      dense(layer + "attention.self." + part, 64, 64);
    dense(layer + "attention.output.dense", 64, 64);
    norm(layer + "attention.output.LayerNorm");
    dense(layer + "intermediate.dense", 128, 64);
    dense(layer + "output.dense", 64, 128);
    norm(layer + "output.LayerNorm");
  }
  for (const std::string exit : {"exit_1.", "exit_2."}) {
    dense(exit + "projection", 64, 64);
    dense(exit + "inner", 64, 64);
    dense(exit + "output", 1, 64);
  }
  dense("classifier", 1, 64);
  header += "}";
  uint64_t size = header.size();
  std::string file(reinterpret_cast<const char*>(&size), 8);
  WriteAll(folder + "/model.safetensors", file + header + data);
  WriteAll(folder + "/config.json", kSmallConfig);
}

}  // namespace ghostai::test
