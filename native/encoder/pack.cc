// The import step: float weights to packed signed int8. Every operation is an
// IEEE one in a fixed order, so the file has the same bytes on every machine.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "../ghostai.h"
#include "../kernels/kernels.h"
#include "packed.h"

namespace ghostai {

std::vector<SectionPlan> Layout(const Config& config) {
  auto hidden = static_cast<size_t>(config.hidden);
  auto inner = static_cast<size_t>(config.inner);
  std::vector<SectionPlan> plan = {
      {"word", static_cast<size_t>(config.vocabulary) * hidden},
      {"word scales", static_cast<size_t>(config.vocabulary) * 4},
      {"positions", static_cast<size_t>(config.positions) * hidden * 4},
      {"embedding norm", 2 * hidden * 4},
  };
  auto linear = [&](const std::string& name, size_t inputs, size_t outputs) {
    plan.push_back({name + " weights", inputs * outputs});
    plan.push_back({name + " scales", outputs * 4});
    plan.push_back({name + " sums", outputs * 4});
    plan.push_back({name + " bias", outputs * 4});
  };
  for (int i = 0; i < config.layers; ++i) {
    std::string layer = "layer " + std::to_string(i);
    linear(layer + " qkv", hidden, 3 * hidden);
    linear(layer + " attention output", hidden, hidden);
    plan.push_back({layer + " attention norm", 2 * hidden * 4});
    linear(layer + " inner", hidden, inner);
    linear(layer + " outer", inner, hidden);
    plan.push_back({layer + " norm", 2 * hidden * 4});
  }
  for (size_t i = 0; i <= config.exit_layers.size(); ++i) {
    plan.push_back({"head " + std::to_string(i), (hidden + 1) * 4});
  }
  return plan;
}

uint64_t HeaderChecksum(const PackedHeader& header) {
  return Checksum(
      {reinterpret_cast<const char*>(&header), offsetof(PackedHeader, header_checksum)});
}

namespace {

// vpmaddubsw adds two neighbouring products in 16 bits with saturation. With activations of 0..255
// the sum lies between 255 * (negative weights) and 255 * (positive ones), so neither may pass 128
// in magnitude: 255 * 128 = 32,640 <= 32,767.
constexpr int kPairMax = 128;

bool PairsFit(const int8_t* row, int inputs) {
  for (int k = 0; k < inputs; k += 2) {
    int positive = std::max<int>(row[k], 0) + std::max<int>(row[k + 1], 0);
    int negative = std::min<int>(row[k], 0) + std::min<int>(row[k + 1], 0);
    if (positive > kPairMax || negative < -kPairMax) return false;
  }
  return true;
}

void RoundRow(const float* row, int inputs, float scale, int8_t* out) {
  for (int k = 0; k < inputs; ++k) {
    float value = scale > 0 ? std::nearbyint(row[k] / scale) : 0.0f;
    out[k] = static_cast<int8_t>(std::min(std::max(value, -127.0f), 127.0f));
  }
}

float LargestMagnitude(const float* row, int count) {
  float largest = 0;
  for (int k = 0; k < count; ++k) largest = std::max(largest, std::fabs(row[k]));
  return largest;
}

// Symmetric, one scale a row; the smallest scale of a fine grid whose pairs fit.
float QuantiseChannel(const float* row, int inputs, int8_t* out) {
  float pair = 0;  // the largest sum of two neighbours of one sign
  for (int k = 0; k < inputs; k += 2) {
    if (row[k] * row[k + 1] > 0) pair = std::max(pair, std::fabs(row[k] + row[k + 1]));
  }
  float scale =
      std::max(LargestMagnitude(row, inputs) / 127.0f, pair / static_cast<float>(kPairMax));
  RoundRow(row, inputs, scale, out);
  // Rounding may push a pair over by one: a little more room always ends this. A subnormal scale
  // is not moved by a thousandth, but by a step of its own.
  while (!PairsFit(out, inputs)) {
    scale = std::max(scale * 1.001f, std::nextafter(scale, HUGE_VALF));
    RoundRow(row, inputs, scale, out);
  }
  return scale;
}

class Packer {
 public:
  Packer(const SafeTensors& tensors, const Config& config) : tensors_(tensors), config_(config) {}

  Status Run();
  std::vector<std::string>& sections() { return sections_; }

 private:
  Status Read(const std::string& name, const std::vector<size_t>& shape, std::vector<float>* out) {
    return tensors_.Read("bert." + name, shape, out);
  }
  template <typename T>
  void Add(const std::vector<T>& values) {
    if constexpr (std::is_floating_point_v<T>) {
      for (T value : values) finite_ &= std::isfinite(value);
    }
    sections_.emplace_back(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  Status AddNorm(const std::string& name) {
    std::vector<float> gamma, beta;
    size_t hidden = static_cast<size_t>(config_.hidden);
    if (Status s = Read(name + ".weight", {hidden}, &gamma); !s.ok()) return s;
    if (Status s = Read(name + ".bias", {hidden}, &beta); !s.ok()) return s;
    gamma.insert(gamma.end(), beta.begin(), beta.end());
    Add(gamma);
    return Status::Ok();
  }
  // Several layers of the same inputs become one, their outputs one after another.
  Status AddLinear(const std::vector<std::string>& names, size_t inputs, size_t outputs_each);

  const SafeTensors& tensors_;
  const Config& config_;
  std::vector<std::string> sections_;
  bool finite_ = true;  // sums of two weights may not be, though each weight is
};

Status Packer::AddLinear(const std::vector<std::string>& names, size_t inputs,
                         size_t outputs_each) {
  std::vector<float> weights, bias;
  for (const std::string& name : names) {
    std::vector<float> w, b;
    if (Status s = Read(name + ".weight", {outputs_each, inputs}, &w); !s.ok()) return s;
    if (Status s = Read(name + ".bias", {outputs_each}, &b); !s.ok()) return s;
    weights.insert(weights.end(), w.begin(), w.end());
    bias.insert(bias.end(), b.begin(), b.end());
  }
  size_t outputs = names.size() * outputs_each;
  std::vector<int8_t> packed(outputs * inputs), row(inputs);
  std::vector<float> scales(outputs);
  std::vector<int32_t> sums(outputs);
  for (size_t n = 0; n < outputs; ++n) {
    scales[n] = QuantiseChannel(weights.data() + n * inputs, static_cast<int>(inputs), row.data());
    int8_t* panel = packed.data() + n / kPanelColumns * (inputs * kPanelColumns);
    for (size_t k = 0; k < inputs; ++k) {
      panel[k / 4 * (kPanelColumns * 4) + n % kPanelColumns * 4 + k % 4] = row[k];
      sums[n] += row[k];
    }
  }
  Add(packed);
  Add(scales);
  Add(sums);
  Add(bias);
  return Status::Ok();
}

Status Packer::Run() {
  auto hidden = static_cast<size_t>(config_.hidden);
  auto inner = static_cast<size_t>(config_.inner);
  auto vocabulary = static_cast<size_t>(config_.vocabulary);
  auto position_count = static_cast<size_t>(config_.positions);
  std::vector<float> values, types;
  if (Status s = Read("embeddings.word_embeddings.weight", {vocabulary, hidden}, &values); !s.ok())
    return s;
  std::vector<int8_t> words(values.size());
  std::vector<float> scales(vocabulary);
  for (size_t v = 0; v < vocabulary; ++v) {
    const float* row = values.data() + v * hidden;
    scales[v] = LargestMagnitude(row, config_.hidden) / 127.0f;
    RoundRow(row, config_.hidden, scales[v], words.data() + v * hidden);
  }
  Add(words);
  Add(scales);
  if (Status s = Read("embeddings.position_embeddings.weight", {position_count, hidden}, &values);
      !s.ok())
    return s;
  if (Status s = Read("embeddings.token_type_embeddings.weight", {2, hidden}, &types); !s.ok())
    return s;
  for (size_t i = 0; i < values.size(); ++i) values[i] += types[i % hidden];
  Add(values);
  if (Status s = AddNorm("embeddings.LayerNorm"); !s.ok()) return s;
  for (int i = 0; i < config_.layers; ++i) {
    std::string layer = "encoder.layer." + std::to_string(i) + ".";
    std::string self = layer + "attention.self.";
    Status s = AddLinear({self + "query", self + "key", self + "value"}, hidden, hidden);
    if (s.ok()) s = AddLinear({layer + "attention.output.dense"}, hidden, hidden);
    if (s.ok()) s = AddNorm(layer + "attention.output.LayerNorm");
    if (s.ok()) s = AddLinear({layer + "intermediate.dense"}, hidden, inner);
    if (s.ok()) s = AddLinear({layer + "output.dense"}, inner, hidden);
    if (s.ok()) s = AddNorm(layer + "output.LayerNorm");
    if (!s.ok()) return s;
  }
  std::vector<std::string> heads;
  for (int layer : config_.exit_layers) heads.push_back("exit_" + std::to_string(layer));
  heads.push_back("classifier");
  for (const std::string& head : heads) {
    std::vector<float> bias;
    if (Status s = tensors_.Read(head + ".weight", {1, hidden}, &values); !s.ok()) return s;
    if (Status s = tensors_.Read(head + ".bias", {1}, &bias); !s.ok()) return s;
    values.push_back(bias[0]);
    Add(values);
  }
  if (!finite_) {
    return Status::Error(StatusCode::kModelUnsupported,
                         "model.safetensors: expected weights whose sums are finite");
  }
  return Status::Ok();
}

Status WriteFile(const std::string& path, const PackedHeader& header,
                 const std::vector<PackedSection>& table,
                 const std::vector<std::string>& sections) {
  std::string temporary = path + ".partial";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) {
    return Status::Error(StatusCode::kInvalidArgument, "Expected to be able to write " + temporary);
  }
  auto put = [&](const void* data, size_t bytes) {
    return std::fwrite(data, 1, bytes, file) == bytes;
  };
  size_t at = sizeof(header) + table.size() * sizeof(PackedSection);
  bool ok = put(&header, sizeof(header)) && put(table.data(), table.size() * sizeof(PackedSection));
  for (size_t i = 0; ok && i < sections.size(); ++i) {
    static const char kZeros[64] = {};
    ok = put(kZeros, table[i].offset - at) && put(sections[i].data(), sections[i].size());
    at = table[i].offset + table[i].bytes;
  }
  ok = std::fclose(file) == 0 && ok;
  if (!ok || std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    return Status::Error(StatusCode::kInvalidArgument, "Expected to be able to write " + path);
  }
  return Status::Ok();
}

}  // namespace

Status PackModel(const std::string& model_dir) {
  MappedFile config_file;
  Config config;
  SafeTensors tensors;
  if (Status s = config_file.Open(model_dir + "/config.json"); !s.ok()) return s;
  if (Status s = ReadConfig(config_file.bytes(), &config); !s.ok()) return s;
  if (Status s = tensors.Open(model_dir + "/model.safetensors"); !s.ok()) return s;
  Packer packer(tensors, config);
  if (Status s = packer.Run(); !s.ok()) return s;

  std::vector<SectionPlan> plan = Layout(config);
  std::vector<PackedSection> table;
  size_t at = sizeof(PackedHeader) + plan.size() * sizeof(PackedSection);
  for (const std::string& section : packer.sections()) {
    at = (at + 63) / 64 * 64;
    table.push_back({at, section.size(), Checksum(section)});
    at += section.size();
  }
  PackedHeader header{};
  std::memcpy(header.magic, kPackedMagic, sizeof(header.magic));
  header.version = kPackedVersion;
  header.section_count = static_cast<uint32_t>(table.size());
  header.file_bytes = at;
  header.config_checksum = Checksum(config_file.bytes());
  header.weights_checksum = Checksum(tensors.bytes());
  header.weights_bytes = tensors.bytes().size();
  header.table_checksum =
      Checksum({reinterpret_cast<const char*>(table.data()), table.size() * sizeof(PackedSection)});
  header.header_checksum = HeaderChecksum(header);
  return WriteFile(model_dir + "/model.int8", header, table, packer.sections());
}

}  // namespace ghostai
