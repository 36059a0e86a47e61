// The int8 forward pass: a BERT encoder with post-LayerNorm, over a ragged batch
// without padding. Rows are tokens; every step works row by row or within one
// text, so a text's logits do not depend on what it is scored beside. The last
// layer is computed for the first token of each text only, which is what the
// last head reads; early heads read all rows (see heads.h).
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>

#include "../ghostai.h"
#include "../kernels/kernels.h"
#include "heads.h"
#include "packed.h"

namespace ghostai {

namespace {

struct Layer {
  Linear qkv, attention_output, inner, outer;
  Norm attention_norm, norm;
};

class EncoderScratch final : public Encoder::Scratch {
 public:
  EncoderScratch(const Config& config, size_t tokens_max);

  size_t tokens_max;
  // Floats from row to row: an odd number of cache lines, so that rows spread over all sets of the
  // first-level cache, which attention and the layers' finish walk down.
  size_t qkv_stride, inner_stride;
  // Rows of tokens; `first_*` hold only the first token of each text, for the last layer.
  float* x;          // [tokens][hidden], the residual stream
  float* qkv;        // [tokens][qkv_stride], 3 hidden of it used
  float* context;    // [tokens][hidden], attention's result
  float* inner;      // [tokens][inner]
  float* largest;    // [tokens], of inner
  float* attention;  // see AttentionScratch
  Activations q;     // [tokens][hidden], x quantised
  Activations context_q;
  Activations inner_q;
  // Of the windows that are still on their way, in order; reserved at construction.
  std::vector<uint32_t> starts;   // first row
  std::vector<uint32_t> counts;   // rows
  std::vector<uint32_t> indexes;  // place in the batch

 private:
  std::unique_ptr<char, void (*)(void*)> memory_{nullptr, std::free};
};

// Adds up without a branch, so that the compiler reads several at once: a value that is not finite
// makes x * 0 not a number, and so the sum.
bool AllFinite(const float* values, size_t count) {
  constexpr size_t kLanes = 16;
  float sums[kLanes] = {};
  for (size_t i = 0; i < count; ++i) sums[i % kLanes] += values[i] * 0.0f;
  for (float sum : sums) {
    if (sum != 0.0f) return false;
  }
  return true;
}

size_t OddLines(size_t floats) { return (floats / 16 | 1) * 16; }

EncoderScratch::EncoderScratch(const Config& config, size_t tokens)
    : tokens_max(tokens),
      qkv_stride(OddLines(3 * static_cast<size_t>(config.hidden))),
      inner_stride(OddLines(static_cast<size_t>(config.inner))) {
  auto hidden = static_cast<size_t>(config.hidden);
  auto inner_size = static_cast<size_t>(config.inner);
  size_t used = 0;
  auto plan = [&](size_t bytes) {
    size_t at = used;
    used += (bytes + 63) / 64 * 64;
    return at;
  };
  size_t x_at = plan(tokens * hidden * 4), qkv_at = plan(tokens * qkv_stride * 4);
  size_t context_at = plan(tokens * hidden * 4);
  size_t inner_at = plan(tokens * inner_stride * 4), largest_at = plan(tokens * 4);
  size_t attention_at =
      plan(AttentionScratch(tokens, hidden / static_cast<size_t>(config.heads)) * 4);
  struct Plan {
    size_t values, scales, zeros, stride;
  };
  auto activations = [&](size_t width) {
    return Plan{plan(tokens * width), plan(tokens * 4), plan(tokens * 4), width};
  };
  Plan q_at = activations(hidden), context_q_at = activations(hidden),
       inner_q_at = activations(inner_size);
  char* base = static_cast<char*>(std::aligned_alloc(64, used));
  if (base == nullptr) throw std::bad_alloc();
  std::memset(base, 0, used);  // touched now, so that no call meets a page fault
  memory_.reset(base);
  auto floats = [&](size_t at) { return reinterpret_cast<float*>(base + at); };
  auto place = [&](const Plan& at) {
    return Activations{reinterpret_cast<uint8_t*>(base + at.values), at.stride, floats(at.scales),
                       reinterpret_cast<int32_t*>(base + at.zeros)};
  };
  x = floats(x_at);
  qkv = floats(qkv_at);
  context = floats(context_at);
  inner = floats(inner_at);
  largest = floats(largest_at);
  attention = floats(attention_at);
  q = place(q_at);
  context_q = place(context_q_at);
  inner_q = place(inner_q_at);
  starts.reserve(tokens);
  counts.reserve(tokens);
  indexes.reserve(tokens);
}

class Int8Encoder final : public Encoder {
 public:
  Status Open(const std::string& model_dir);
  void UseKernels(const Kernels* kernels) { kernels_ = kernels; }

  const char* kernels() const override { return kernels_->name; }
  uint32_t window_tokens_max() const override { return static_cast<uint32_t>(config_.positions); }
  uint32_t heads() const override { return static_cast<uint32_t>(exits_.size()) + 1; }
  uint32_t vocabulary_size() const override { return static_cast<uint32_t>(config_.vocabulary); }
  std::unique_ptr<Scratch> NewScratch(size_t tokens_max) const override {
    return std::make_unique<EncoderScratch>(config_, tokens_max);
  }
  void Score(const Window* windows, size_t count, Scratch* scratch, const ExitRule* rules,
             HeadScore* scores, float* exit_logits) const override;

 private:
  // Points the layers to their places in the file. kModelDamaged where a float is not finite.
  Status UseSections();
  // The rest of a layer after attention, for `rows` rows of x.
  void FinishLayer(const Layer& layer, int rows, EncoderScratch* s) const;
  // Asks an early head; windows that leave are answered and their rows closed up.
  // Returns the rows that are left.
  uint32_t Exit(size_t exit, const ExitRule* rules, const Window* windows, EncoderScratch* s,
                HeadScore* scores, float* exit_logits) const;

  Config config_;
  PackedFile file_;
  const Kernels* kernels_ = nullptr;
  const int8_t* words_ = nullptr;
  const float* word_scales_ = nullptr;
  const float* positions_ = nullptr;
  Norm embedding_norm_{};
  std::vector<Layer> layers_;
  std::vector<ExitHead> exits_;
  const float* head_ = nullptr;  // [hidden + 1], the last one's weights and bias
};

Status Int8Encoder::Open(const std::string& model_dir) {
  MappedFile config_file;
  if (Status s = config_file.Open(model_dir + "/config.json"); !s.ok()) return s;
  if (Status s = ReadConfig(config_file.bytes(), &config_); !s.ok()) return s;
  if (Status s = file_.Open(model_dir, kPackedModel, Layout(config_)); !s.ok()) return s;
  if (Status s = file_.ExpectSource(0, config_file.bytes(), "config.json"); !s.ok()) return s;
  // The weights are only needed to pack, so they may be absent, and reading 63 MB to compare them
  // would cost more than the whole start; another file nearly always has another size, and
  // `ghostai doctor` reads them.
  struct stat weights;
  if (stat((model_dir + "/model.safetensors").c_str(), &weights) == 0 &&
      static_cast<uint64_t>(weights.st_size) != file_.source(1).bytes) {
    return file_.Damaged("expected to be made from this model.safetensors");
  }
  return UseSections();
}

Status Int8Encoder::UseSections() {
  size_t next = 0;
  // A file with right checksums may still hold what no import step writes.
  bool finite = true;
  auto section = [&]() { return file_.section(next++).data(); };
  auto floats = [&]() {
    size_t count = file_.section(next).size() / sizeof(float);
    const auto* values = reinterpret_cast<const float*>(section());
    finite &= AllFinite(values, count);
    return values;
  };
  auto norm = [&]() {
    const float* gamma = floats();
    return Norm{gamma, gamma + config_.hidden, config_.epsilon};
  };
  auto linear = [&](int inputs, int outputs) {
    Linear layer{};
    layer.weights = reinterpret_cast<const int8_t*>(section());
    layer.scales = floats();
    layer.sums = reinterpret_cast<const int32_t*>(section());
    layer.bias = floats();
    layer.inputs = inputs;
    layer.outputs = outputs;
    return layer;
  };
  words_ = reinterpret_cast<const int8_t*>(section());
  word_scales_ = floats();
  positions_ = floats();
  embedding_norm_ = norm();
  for (int i = 0; i < config_.layers; ++i) {
    Layer layer{};
    layer.qkv = linear(config_.hidden, 3 * config_.hidden);
    layer.attention_output = linear(config_.hidden, config_.hidden);
    layer.attention_norm = norm();
    layer.inner = linear(config_.hidden, config_.inner);
    layer.outer = linear(config_.inner, config_.hidden);
    layer.norm = norm();
    layers_.push_back(layer);
  }
  for (size_t i = 0; i < config_.exit_layers.size(); ++i) {
    Linear projection = linear(config_.hidden, config_.exit_width);
    exits_.push_back(MapExit(config_, projection, floats()));
  }
  head_ = floats();
  if (!finite) return file_.Damaged("expected scales, biases and norms that are finite");
  return Status::Ok();
}

void Int8Encoder::FinishLayer(const Layer& layer, int rows, EncoderScratch* s) const {
  auto hidden = static_cast<size_t>(config_.hidden);
  int hidden_panels = config_.hidden / kPanelColumns;
  for (int row = 0; row < rows; ++row) {
    kernels_->quantise(s->context + static_cast<size_t>(row) * hidden, config_.hidden, s->context_q,
                       row);
  }
  // x + projection, then its norm.
  auto add_norm = [&](const Activations& from, const Linear& linear, const Norm& norm) {
    kernels_->linear(from, 0, rows, linear, 0, hidden_panels, Finish::kAdd, s->x, hidden, nullptr);
    for (int row = 0; row < rows; ++row) {
      kernels_->norm(s->x + static_cast<size_t>(row) * hidden, norm, config_.hidden, s->q, row);
    }
  };
  add_norm(s->context_q, layer.attention_output, layer.attention_norm);
  kernels_->linear(s->q, 0, rows, layer.inner, 0, config_.inner / kPanelColumns, Finish::kGelu,
                   s->inner, s->inner_stride, s->largest);
  for (int row = 0; row < rows; ++row) {
    auto r = static_cast<size_t>(row);
    kernels_->quantise_gelu(s->inner + r * s->inner_stride, config_.inner, s->largest[r],
                            s->inner_q, row);
  }
  add_norm(s->inner_q, layer.outer, layer.norm);
}

uint32_t Int8Encoder::Exit(size_t exit, const ExitRule* rules, const Window* windows,
                           EncoderScratch* s, HeadScore* scores, float* exit_logits) const {
  auto hidden = static_cast<size_t>(config_.hidden);
  size_t kept = 0;
  uint32_t rows = 0;
  for (size_t w = 0; w < s->starts.size(); ++w) {
    size_t from = s->starts[w], count = s->counts[w];
    // Attention's result is not needed any more.
    HeadScore score{ExitLogit(exits_[exit], *kernels_, s->q, static_cast<int>(from),
                              static_cast<int>(count), s->context),
                    static_cast<uint32_t>(exit)};
    uint32_t index = s->indexes[w];
    if (exit_logits != nullptr)
      exit_logits[index * config_.exit_layers.size() + exit] = score.logit;
    if (rules != nullptr && windows[index].may_exit_early &&
        (score.logit <= rules[exit].benign || score.logit >= rules[exit].attack)) {
      scores[index] = score;
      continue;
    }
    if (from != rows) {
      std::memmove(s->x + rows * hidden, s->x + from * hidden, count * hidden * sizeof(float));
      std::memmove(s->q.values + rows * s->q.stride, s->q.values + from * s->q.stride,
                   count * s->q.stride);
      std::memmove(s->q.scales + rows, s->q.scales + from, count * sizeof(float));
      std::memmove(s->q.zeros + rows, s->q.zeros + from, count * sizeof(int32_t));
    }
    s->starts[kept] = rows;
    s->counts[kept] = static_cast<uint32_t>(count);
    s->indexes[kept++] = index;
    rows += static_cast<uint32_t>(count);
  }
  s->starts.resize(kept);
  s->counts.resize(kept);
  s->indexes.resize(kept);
  return rows;
}

void Int8Encoder::Score(const Window* windows, size_t count, Scratch* scratch,
                        const ExitRule* rules, HeadScore* scores, float* exit_logits) const {
  auto* s = static_cast<EncoderScratch*>(scratch);
  auto hidden = static_cast<size_t>(config_.hidden);
  int hidden_panels = config_.hidden / kPanelColumns;
  int head_size = config_.hidden / config_.heads;
  s->starts.clear();
  s->counts.clear();
  s->indexes.clear();
  uint32_t rows = 0;
  for (size_t w = 0; w < count; ++w) {
    s->starts.push_back(rows);
    s->counts.push_back(windows[w].count);
    s->indexes.push_back(static_cast<uint32_t>(w));
    for (uint32_t i = 0; i < windows[w].count; ++i, ++rows) {
      auto id = static_cast<size_t>(windows[w].ids[i]);
      kernels_->embed(words_ + id * hidden, word_scales_[id], positions_ + i * hidden,
                      embedding_norm_, config_.hidden, s->x + rows * hidden, s->q,
                      static_cast<int>(rows));
    }
  }
  size_t stride = s->qkv_stride;
  size_t exit = 0;
  for (int i = 0; i < config_.layers && rows > 0; ++i) {
    const Layer& layer = layers_[static_cast<size_t>(i)];
    bool last = i + 1 == config_.layers;
    // Keys and values of every token; queries too, except in the last layer.
    int first_panel = last ? hidden_panels : 0;
    kernels_->linear(s->q, 0, static_cast<int>(rows), layer.qkv, first_panel,
                     3 * hidden_panels - first_panel, Finish::kStore,
                     s->qkv + static_cast<size_t>(first_panel) * kPanelColumns, stride, nullptr);
    for (size_t w = 0; w < s->starts.size(); ++w) {
      size_t start = s->starts[w];
      float* q = s->qkv + start * stride;
      if (last) {
        kernels_->linear(s->q, static_cast<int>(start), 1, layer.qkv, 0, hidden_panels,
                         Finish::kStore, q, stride, nullptr);
      }
      int tokens = static_cast<int>(s->counts[w]);
      float* out = s->context + (last ? w : start) * hidden;
      kernels_->attention(q, stride, q + hidden, q + 2 * hidden, stride, last ? 1 : tokens, tokens,
                          config_.heads, head_size, out, hidden, s->attention);
      if (last) std::memmove(s->x + w * hidden, s->x + start * hidden, hidden * sizeof(float));
    }
    FinishLayer(layer, static_cast<int>(last ? s->starts.size() : rows), s);
    if (exit < config_.exit_layers.size() && config_.exit_layers[exit] == i + 1) {
      if (rules != nullptr || exit_logits != nullptr)
        rows = Exit(exit, rules, windows, s, scores, exit_logits);
      ++exit;
    }
  }
  for (size_t w = 0; w < s->starts.size(); ++w) {
    float logit = kernels_->dot(s->x + w * hidden, head_, config_.hidden) + head_[config_.hidden];
    scores[s->indexes[w]] = {logit, static_cast<uint32_t>(exits_.size())};
  }
}

}  // namespace

Status Encoder::Load(const std::string& model_dir, std::string_view name,
                     std::unique_ptr<Encoder>* out) {
  std::string wanted(name);
  if (wanted.empty()) wanted = AvailableKernels().front();
  const Kernels* kernels = FindKernels(wanted.c_str());
  if (kernels == nullptr) {
    std::string list;
    for (const std::string& available : AvailableKernels())
      list += (list.empty() ? "" : ", ") + available;
    return Status::Error(StatusCode::kKernelsUnsupported,
                         "Expected kernels of this CPU (" + list + ") but received " + wanted);
  }
  auto encoder = std::make_unique<Int8Encoder>();
  encoder->UseKernels(kernels);
  Status status = encoder->Open(model_dir);
  if (status.ok()) *out = std::move(encoder);
  return status;
}

}  // namespace ghostai
