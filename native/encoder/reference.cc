// The forward pass as a textbook has it: fp32, scalar, straight from
// model.safetensors, one token and one head at a time. It shares no step with
// the int8 path, which is tested against it.
#include <cmath>
#include <map>

#include "../ghostai.h"
#include "files.h"

namespace ghostai {

namespace {

using Values = std::vector<float>;

struct Dense {
  Values weight, bias;  // [outputs][inputs], [outputs]
};

class Reference {
 public:
  Status Load(const std::string& model_dir);
  std::vector<float> Logits(const std::vector<int32_t>& ids) const;
  const Config& config() const { return config_; }

 private:
  Status LoadDense(const SafeTensors& tensors, const std::string& name, int outputs, int inputs);
  Values Apply(const std::string& name, const Values& x) const;
  void NormRows(const std::string& name, Values* x) const;
  void Attend(int layer, Values* x) const;
  float ExitLogit(int layer, const Values& x) const;

  Config config_;
  Values words_, positions_, types_;
  std::map<std::string, Dense> dense_;
  std::map<std::string, Dense> norms_;
};

Status Reference::LoadDense(const SafeTensors& tensors, const std::string& name, int outputs,
                            int inputs) {
  Dense dense;
  auto n = static_cast<size_t>(outputs);
  Status s = tensors.Read(name + ".weight", {n, static_cast<size_t>(inputs)}, &dense.weight);
  if (s.ok()) s = tensors.Read(name + ".bias", {n}, &dense.bias);
  dense_[name] = std::move(dense);
  return s;
}

Status Reference::Load(const std::string& model_dir) {
  MappedFile file;
  SafeTensors tensors;
  if (Status s = file.Open(model_dir + "/config.json"); !s.ok()) return s;
  if (Status s = ReadConfig(file.bytes(), &config_); !s.ok()) return s;
  if (Status s = tensors.Open(model_dir + "/model.safetensors"); !s.ok()) return s;
  auto size = [](int value) { return static_cast<size_t>(value); };
  size_t hidden = size(config_.hidden);
  const std::string embeddings = "bert.embeddings.";
  std::vector<std::string> norms = {embeddings + "LayerNorm"};
  Status s = tensors.Read(embeddings + "word_embeddings.weight", {size(config_.vocabulary), hidden},
                          &words_);
  if (s.ok())
    s = tensors.Read(embeddings + "position_embeddings.weight", {size(config_.positions), hidden},
                     &positions_);
  if (s.ok()) s = tensors.Read(embeddings + "token_type_embeddings.weight", {2, hidden}, &types_);
  for (int i = 0; s.ok() && i < config_.layers; ++i) {
    std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"}) {
      if (s.ok())
        s = LoadDense(tensors, layer + "attention.self." + part, config_.hidden, config_.hidden);
    }
    if (s.ok())
      s = LoadDense(tensors, layer + "attention.output.dense", config_.hidden, config_.hidden);
    if (s.ok()) s = LoadDense(tensors, layer + "intermediate.dense", config_.inner, config_.hidden);
    if (s.ok()) s = LoadDense(tensors, layer + "output.dense", config_.hidden, config_.inner);
    norms.push_back(layer + "attention.output.LayerNorm");
    norms.push_back(layer + "output.LayerNorm");
  }
  for (const std::string& name : norms) {
    Dense norm;
    if (s.ok()) s = tensors.Read(name + ".weight", {hidden}, &norm.weight);
    if (s.ok()) s = tensors.Read(name + ".bias", {hidden}, &norm.bias);
    norms_[name] = std::move(norm);
  }
  for (int layer : config_.exit_layers) {
    std::string exit = "exit_" + std::to_string(layer) + ".";
    if (s.ok()) s = LoadDense(tensors, exit + "projection", config_.exit_width, config_.hidden);
    if (s.ok()) s = LoadDense(tensors, exit + "inner", config_.exit_inner, config_.exit_width);
    if (s.ok()) s = LoadDense(tensors, exit + "output", 1, config_.exit_inner);
  }
  if (s.ok()) s = LoadDense(tensors, "classifier", 1, config_.hidden);
  return s;
}

Values Reference::Apply(const std::string& name, const Values& x) const {
  const Dense& dense = dense_.at(name);
  size_t outputs = dense.bias.size(), inputs = dense.weight.size() / outputs,
         rows = x.size() / inputs;
  Values y(rows * outputs);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t n = 0; n < outputs; ++n) {
      float sum = dense.bias[n];
      for (size_t k = 0; k < inputs; ++k) sum += x[r * inputs + k] * dense.weight[n * inputs + k];
      y[r * outputs + n] = sum;
    }
  }
  return y;
}

void Reference::NormRows(const std::string& name, Values* x) const {
  const Dense& norm = norms_.at(name);
  size_t size = norm.weight.size();
  for (size_t row = 0; row < x->size(); row += size) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < size; ++i) mean += (*x)[row + i];
    mean /= static_cast<double>(size);
    for (size_t i = 0; i < size; ++i) variance += ((*x)[row + i] - mean) * ((*x)[row + i] - mean);
    variance /= static_cast<double>(size);
    double factor = 1.0 / std::sqrt(variance + static_cast<double>(config_.epsilon));
    for (size_t i = 0; i < size; ++i) {
      double value = ((*x)[row + i] - mean) * factor;
      (*x)[row + i] = static_cast<float>(value * norm.weight[i] + norm.bias[i]);
    }
  }
}

void Reference::Attend(int layer, Values* x) const {
  std::string name = "bert.encoder.layer." + std::to_string(layer) + ".attention.";
  Values q = Apply(name + "self.query", *x), k = Apply(name + "self.key", *x),
         v = Apply(name + "self.value", *x);
  auto hidden = static_cast<size_t>(config_.hidden), heads = static_cast<size_t>(config_.heads);
  size_t tokens = x->size() / hidden, size = hidden / heads;
  Values context(x->size());
  for (size_t head = 0; head < heads; ++head) {
    for (size_t i = 0; i < tokens; ++i) {
      std::vector<double> weights(tokens);
      double largest = -1e300, total = 0;
      for (size_t j = 0; j < tokens; ++j) {
        double score = 0;
        for (size_t d = 0; d < size; ++d) {
          score += q[i * hidden + head * size + d] * k[j * hidden + head * size + d];
        }
        weights[j] = score / std::sqrt(static_cast<double>(size));
        largest = std::max(largest, weights[j]);
      }
      for (double& weight : weights) total += weight = std::exp(weight - largest);
      for (size_t d = 0; d < size; ++d) {
        double sum = 0;
        for (size_t j = 0; j < tokens; ++j)
          sum += weights[j] / total * v[j * hidden + head * size + d];
        context[i * hidden + head * size + d] = static_cast<float>(sum);
      }
    }
  }
  Values output = Apply(name + "output.dense", context);
  for (size_t i = 0; i < x->size(); ++i) (*x)[i] += output[i];
  NormRows(name + "output.LayerNorm", x);
}

float Reference::ExitLogit(int layer, const Values& x) const {
  std::string exit = "exit_" + std::to_string(layer) + ".";
  Values projected = Apply(exit + "projection", x);
  Values pooled(static_cast<size_t>(config_.exit_width));
  for (size_t i = 0; i < projected.size(); ++i) {
    float& largest = pooled[i % pooled.size()];
    largest = std::fmax(largest, projected[i]);
  }
  Values inner = Apply(exit + "inner", pooled);
  for (float& value : inner) value = std::fmax(value, 0.0f);
  return Apply(exit + "output", inner)[0];
}

std::vector<float> Reference::Logits(const std::vector<int32_t>& ids) const {
  auto hidden = static_cast<size_t>(config_.hidden);
  Values x(ids.size() * hidden);
  for (size_t i = 0; i < x.size(); ++i) {
    size_t token = i / hidden, d = i % hidden;
    x[i] = words_[static_cast<size_t>(ids[token]) * hidden + d] + positions_[i] + types_[d];
  }
  NormRows("bert.embeddings.LayerNorm", &x);
  std::vector<float> logits;
  size_t exit = 0;
  for (int i = 0; i < config_.layers; ++i) {
    Attend(i, &x);
    std::string name = "bert.encoder.layer." + std::to_string(i) + ".";
    Values inner = Apply(name + "intermediate.dense", x);
    for (float& value : inner) {
      value = static_cast<float>(value * 0.5 * (1.0 + std::erf(value / std::sqrt(2.0))));
    }
    Values outer = Apply(name + "output.dense", inner);
    for (size_t j = 0; j < x.size(); ++j) x[j] += outer[j];
    NormRows(name + "output.LayerNorm", &x);
    if (exit < config_.exit_layers.size() && config_.exit_layers[exit] == i + 1) {
      logits.push_back(ExitLogit(i + 1, x));
      ++exit;
    }
  }
  Values first(x.begin(), x.begin() + static_cast<ptrdiff_t>(hidden));
  logits.push_back(Apply("classifier", first)[0]);
  return logits;
}

}  // namespace

Status ReferenceLogits(const std::string& model_dir,
                       const std::vector<std::vector<int32_t>>& windows,
                       std::vector<std::vector<float>>* logits_per_head) {
  Reference reference;
  if (Status s = reference.Load(model_dir); !s.ok()) return s;
  logits_per_head->clear();
  for (const std::vector<int32_t>& ids : windows) {
    bool fits = !ids.empty() && ids.size() <= static_cast<size_t>(reference.config().positions);
    for (int32_t id : ids) fits = fits && id >= 0 && id < reference.config().vocabulary;
    if (!fits) return Status::Error(StatusCode::kInvalidArgument, "Expected ids of the vocabulary");
    logits_per_head->push_back(reference.Logits(ids));
  }
  return Status::Ok();
}

}  // namespace ghostai
