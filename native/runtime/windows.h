// From texts to the windows that the encoder scores: tokens, overlapping
// windows, equal windows once. All buffers are reused from call to call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../ghostai.h"

namespace ghostai {

struct WindowShape {
  uint32_t tokens;  // special tokens included
  uint32_t stride;
};

// What only the making of a plan needs: one a thread, as large as the largest text that it met.
struct WindowScratch {
  std::unique_ptr<Tokenizer::Scratch> tokenizer;
  std::string utf8;
  std::vector<Token> tokens;
  std::vector<uint32_t> table;  // open addressing over unique windows, index + 1, 0 is free
};

class WindowPlan {
 public:
  // A window to compute; `count` ids from `first`, special tokens included.
  struct Unique {
    uint32_t first, count;
  };

  // Tokenizes `texts` and lays windows over them, at most `windows_max` different ones. Fills
  // `scores` with one entry a window, logits still missing; the unique window of each is source().
  void Build(const std::vector<std::u16string>& texts, uint32_t windows_max,
             const WindowShape& shape, const Tokenizer& tokenizer, WindowScratch* scratch,
             std::vector<WindowScore>* scores);

  const std::vector<Unique>& unique() const { return unique_; }
  const int32_t* ids(const Unique& window) const { return ids_.data() + window.first; }
  // Index into unique() of each entry of `scores`.
  const std::vector<uint32_t>& source() const { return source_; }
  // Of all windows to compute, special tokens included.
  size_t window_tokens() const { return ids_.size(); }
  uint32_t tokens() const { return tokens_; }
  bool truncated() const { return truncated_; }

  // Gives memory back that only an unusually long text needed.
  void Shrink();

 private:
  // The unique window equal to the ids from `first`, or a new one; false when the budget is spent.
  bool AddUnique(uint32_t first, uint32_t windows_max, std::vector<uint32_t>* table,
                 uint32_t* index);
  uint64_t Hash(uint32_t first, uint32_t count) const;

  std::vector<int32_t> ids_;
  std::vector<Unique> unique_;
  std::vector<uint32_t> source_;
  uint32_t tokens_ = 0;
  bool truncated_ = false;
};

}  // namespace ghostai
