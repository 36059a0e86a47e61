// A model without work, for bench/score.ts: with it the addon is everything that a call costs but
// the tokenizer and the encoder. One token a text, and every window scores 0.
#include "ghostai.h"

namespace ghostai {

namespace {

class OneToken final : public Tokenizer {
 public:
  class NoScratch final : public Scratch {};
  std::unique_ptr<Scratch> NewScratch() const override { return std::make_unique<NoScratch>(); }
  bool Encode(std::string_view text, size_t, Scratch*, std::vector<Token>* tokens) const override {
    tokens->assign(1, {3, 0, static_cast<uint32_t>(text.size())});
    return true;
  }
  int32_t bos_id() const override { return 0; }
  int32_t eos_id() const override { return 2; }
  size_t vocabulary_size() const override { return 4; }
};

class Zero final : public Encoder {
 public:
  class NoScratch final : public Scratch {};
  const char* kernels() const override { return "none"; }
  uint32_t window_tokens_max() const override { return 512; }
  uint32_t heads() const override { return 1; }
  uint32_t vocabulary_size() const override { return 4; }
  std::unique_ptr<Scratch> NewScratch(size_t) const override {
    return std::make_unique<NoScratch>();
  }
  void Score(const Window*, size_t count, Scratch*, const ExitRule*, HeadScore* scores,
             float*) const override {
    for (size_t i = 0; i < count; ++i) scores[i] = {0.0f, 0};
  }
};

}  // namespace

Status Tokenizer::Open(const std::string&, std::unique_ptr<Tokenizer>* out) {
  *out = std::make_unique<OneToken>();
  return Status::Ok();
}

Status Encoder::Load(const std::string&, std::string_view, std::unique_ptr<Encoder>* out) {
  *out = std::make_unique<Zero>();
  return Status::Ok();
}

std::vector<std::string> AvailableKernels() { return {"none"}; }
std::vector<std::string> BuiltKernels() { return {"none"}; }

}  // namespace ghostai
