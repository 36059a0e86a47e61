// The import step: float weights to packed signed int8. Every operation is an
// IEEE one in a fixed order, so the file has the same bytes on every machine.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "../ghostai.h"
#include "../kernels/kernels.h"
#include "heads.h"
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
  for (int layer : config.exit_layers) {
    std::string exit = "exit " + std::to_string(layer);
    linear(exit + " projection", hidden, static_cast<size_t>(config.exit_width));
    plan.push_back({exit, ExitFloats(config) * 4});
  }
  plan.push_back({"head", (hidden + 1) * 4});
  return plan;
}

namespace {

// A channel's integers: w is about scale * q.
struct Channel {
  float scale;
  double error;  // sum of (w - scale * q)^2
  bool rounded;  // whether every q is the nearest one: nothing was taken off, nothing cut
};

float LargestMagnitude(const float* row, int count) {
  float largest = 0;
  for (int k = 0; k < count; ++k) largest = std::max(largest, std::fabs(row[k]));
  return largest;
}

void RoundRow(const float* row, int inputs, float scale, int8_t* out) {
  for (int k = 0; k < inputs; ++k) {
    float value = scale > 0 ? std::nearbyint(row[k] / scale) : 0.0f;
    out[k] = static_cast<int8_t>(std::min(std::max(value, -127.0f), 127.0f));
  }
}

// The eight inputs of a group that AVX2 adds up in 16 bits; `half` is 0 or 2 (see kSumGroup).
constexpr int kSummed = kSumGroup / 2;
inline int SummedInput(int group, int half, int i) { return group + i / 2 * 4 + half + i % 2; }

// Takes off at once what single steps would take in any case, for rows of which most is too much.
// A weight's steps cost more one after the other, each by the same, and start at most `spread`
// apart. So of n weights each loses t steps before any loses t + spread, and n * (t + spread) is
// enough to say that all t are among the `excess` cheapest. Returns how many steps were taken.
int TakeOffAtOnce(const float* row, float scale, int group, int half, int sign, int excess,
                  int8_t* out) {
  float least = HUGE_VALF, most = -HUGE_VALF;
  int count = 0;
  for (int i = 0; i < kSummed; ++i) {
    int k = SummedInput(group, half, i);
    int value = sign * out[k];
    if (value <= 0) continue;
    float below = static_cast<float>(sign) * row[k] / scale - static_cast<float>(value);
    least = std::min(least, below);
    most = std::max(most, below);
    ++count;
  }
  // A step less, for what is rounded in the differences.
  float steps = static_cast<float>(excess) / static_cast<float>(count) - (most - least) - 1.0f;
  if (!(steps >= 1.0f)) return 0;
  int taken = 0;
  for (int i = 0; i < kSummed; ++i) {
    int k = SummedInput(group, half, i);
    int value = sign * out[k];
    if (value <= 0) continue;
    int step = std::min(value, static_cast<int>(steps));
    out[k] = static_cast<int8_t>(out[k] - sign * step);
    taken += step;
  }
  return taken;
}

// Takes single steps off the weights of one sign, always where that costs the least, until their
// sum is at most kSumMax in magnitude. Returns whether there was anything to take.
bool TakeOff(const float* row, float scale, int group, int half, int sign, int8_t* out) {
  int sum = 0;
  for (int i = 0; i < kSummed; ++i) sum += std::max(sign * out[SummedInput(group, half, i)], 0);
  if (sum <= kSumMax) return false;
  sum -= TakeOffAtOnce(row, scale, group, half, sign, sum - kSumMax, out);
  for (; sum > kSumMax; --sum) {
    int best = -1;
    float least = 0;
    for (int i = 0; i < kSummed; ++i) {
      int k = SummedInput(group, half, i);
      int value = sign * out[k];
      // A step down costs (over + 1)^2 - over^2, which grows with how far q is below w already.
      float below = static_cast<float>(sign) * row[k] / scale - static_cast<float>(value);
      if (value > 0 && (best < 0 || below < least)) {
        best = k;
        least = below;
      }
    }
    out[best] = static_cast<int8_t>(out[best] - sign);
  }
  return true;
}

Channel QuantiseAt(const float* row, int inputs, float scale, int8_t* out) {
  RoundRow(row, inputs, scale, out);
  Channel channel{scale, 0, LargestMagnitude(row, inputs) <= 127.5f * scale};
  for (int group = 0; group < inputs; group += kSumGroup) {
    for (int half : {0, 2}) {
      for (int sign : {1, -1}) {
        if (TakeOff(row, scale, group, half, sign, out)) channel.rounded = false;
      }
    }
  }
  for (int k = 0; k < inputs; ++k) {
    double error =
        static_cast<double>(row[k]) - static_cast<double>(scale) * static_cast<double>(out[k]);
    channel.error += error * error;
  }
  return channel;
}

// A subnormal scale is not moved by a twentieth, but by a step of its own.
float Coarser(float scale) { return std::max(scale * 1.05f, std::nextafter(scale, HUGE_VALF)); }

// Symmetric, one scale a row: of a grid of scales the one whose integers, held to what the kernels
// can add up, come closest to the weights. A coarser scale rounds more, a finer one takes more off.
float QuantiseChannel(const float* row, int inputs, int8_t* out) {
  float finest = LargestMagnitude(row, inputs) / 127.0f;
  Channel best{0, 0, false};
  std::fill(out, out + inputs, static_cast<int8_t>(0));  // what a row of zeros gets
  std::vector<int8_t> trial(static_cast<size_t>(inputs));
  for (float scale = finest * 0.8f; scale > 0; scale = Coarser(scale)) {
    Channel channel = QuantiseAt(row, inputs, scale, trial.data());
    if (best.scale == 0 || channel.error < best.error) {
      best = channel;
      std::copy(trial.begin(), trial.end(), out);
    }
    // From here on a coarser scale only rounds more.
    if (channel.rounded) break;
  }
  return best.scale;
}

class Packer {
 public:
  Packer(const SafeTensors& tensors, const Config& config) : tensors_(tensors), config_(config) {}

  Status Run();
  std::vector<std::string>& sections() { return sections_; }

 private:
  Status Read(const std::string& name, const std::vector<size_t>& shape, std::vector<float>* out) {
    return tensors_.Read(name, shape, out);
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
  // Several float layers of `inputs` inputs and as many outputs, weights and biases in turn.
  Status AddFloats(const std::vector<std::pair<std::string, std::vector<size_t>>>& parts);
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

Status Packer::AddFloats(const std::vector<std::pair<std::string, std::vector<size_t>>>& parts) {
  std::vector<float> all, values;
  for (const auto& [name, shape] : parts) {
    if (Status s = Read(name + ".weight", shape, &values); !s.ok()) return s;
    all.insert(all.end(), values.begin(), values.end());
    if (Status s = Read(name + ".bias", {shape[0]}, &values); !s.ok()) return s;
    all.insert(all.end(), values.begin(), values.end());
  }
  Add(all);
  return Status::Ok();
}

Status Packer::Run() {
  auto hidden = static_cast<size_t>(config_.hidden);
  auto inner = static_cast<size_t>(config_.inner);
  auto vocabulary = static_cast<size_t>(config_.vocabulary);
  auto position_count = static_cast<size_t>(config_.positions);
  std::vector<float> values, types;
  if (Status s = Read("bert.embeddings.word_embeddings.weight", {vocabulary, hidden}, &values);
      !s.ok())
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
  if (Status s =
          Read("bert.embeddings.position_embeddings.weight", {position_count, hidden}, &values);
      !s.ok())
    return s;
  if (Status s = Read("bert.embeddings.token_type_embeddings.weight", {2, hidden}, &types); !s.ok())
    return s;
  for (size_t i = 0; i < values.size(); ++i) values[i] += types[i % hidden];
  Add(values);
  if (Status s = AddNorm("bert.embeddings.LayerNorm"); !s.ok()) return s;
  for (int i = 0; i < config_.layers; ++i) {
    std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    std::string self = layer + "attention.self.";
    Status s = AddLinear({self + "query", self + "key", self + "value"}, hidden, hidden);
    if (s.ok()) s = AddLinear({layer + "attention.output.dense"}, hidden, hidden);
    if (s.ok()) s = AddNorm(layer + "attention.output.LayerNorm");
    if (s.ok()) s = AddLinear({layer + "intermediate.dense"}, hidden, inner);
    if (s.ok()) s = AddLinear({layer + "output.dense"}, inner, hidden);
    if (s.ok()) s = AddNorm(layer + "output.LayerNorm");
    if (!s.ok()) return s;
  }
  size_t width = static_cast<size_t>(config_.exit_width);
  size_t exit_inner = static_cast<size_t>(config_.exit_inner);
  for (int layer : config_.exit_layers) {
    std::string exit = "exit_" + std::to_string(layer) + ".";
    Status s = AddLinear({exit + "projection"}, hidden, width);
    if (s.ok())
      s = AddFloats({{exit + "inner", {exit_inner, width}}, {exit + "output", {1, exit_inner}}});
    if (!s.ok()) return s;
  }
  if (Status s = AddFloats({{"classifier", {1, hidden}}}); !s.ok()) return s;
  if (!finite_) {
    return Status::Error(StatusCode::kModelUnsupported,
                         "model.safetensors: expected weights whose sums are finite");
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
  return WritePackedFile(model_dir, kPackedModel,
                         {SourceOf(config_file.bytes()), SourceOf(tensors.bytes())},
                         packer.sections());
}

}  // namespace ghostai
