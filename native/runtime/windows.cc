#include "windows.h"

#include <algorithm>
#include <cstring>

#include "../tokenizer/utf8.h"

namespace ghostai {

namespace {

// Turns ascending byte offsets into UTF-16 offsets, walking the text once.
class OffsetCursor {
 public:
  explicit OffsetCursor(std::string_view text) : text_(text) {}
  uint32_t To(uint32_t byte) {
    units_ += static_cast<uint32_t>(Utf16Length(text_.substr(at_, byte - at_)));
    at_ = byte;
    return units_;
  }

 private:
  std::string_view text_;
  uint32_t at_ = 0, units_ = 0;
};

// A call keeps this much of each buffer: about 12,000 tokens.
constexpr size_t kKeptBytes = 64 << 10;

}  // namespace

uint64_t WindowPlan::Hash(uint32_t first, uint32_t count) const {
  uint64_t hash = count;
  for (uint32_t i = first; i < first + count; ++i) {
    hash = (hash ^ static_cast<uint32_t>(ids_[i])) * 0x9E3779B97F4A7C15u;
  }
  return hash >> 32;
}

bool WindowPlan::AddUnique(uint32_t first, uint32_t windows_max, std::vector<uint32_t>* table,
                           uint32_t* index) {
  auto count = static_cast<uint32_t>(ids_.size()) - first;
  size_t bytes = count * sizeof(int32_t);
  if (table->size() < 2 * (unique_.size() + 1)) {
    // Rebuilt from the ids, so that no hash has to be kept.
    table->assign(std::max<size_t>(64, table->size() * 4), 0);
    for (uint32_t i = 0; i < unique_.size(); ++i) {
      size_t slot = Hash(unique_[i].first, unique_[i].count) & (table->size() - 1);
      while ((*table)[slot] != 0) slot = (slot + 1) & (table->size() - 1);
      (*table)[slot] = i + 1;
    }
  }
  size_t slot = Hash(first, count) & (table->size() - 1);
  for (; (*table)[slot] != 0; slot = (slot + 1) & (table->size() - 1)) {
    const Unique& other = unique_[(*table)[slot] - 1];
    if (other.count == count &&
        std::memcmp(ids_.data() + other.first, ids_.data() + first, bytes) == 0) {
      *index = (*table)[slot] - 1;
      ids_.resize(first);
      return true;
    }
  }
  if (unique_.size() >= windows_max) {
    ids_.resize(first);
    return false;
  }
  unique_.push_back({first, count});
  *index = static_cast<uint32_t>(unique_.size()) - 1;
  (*table)[slot] = *index + 1;
  return true;
}

void WindowPlan::Build(const std::vector<std::u16string>& texts, uint32_t windows_max,
                       const WindowShape& shape, const Tokenizer& tokenizer, WindowScratch* scratch,
                       std::vector<WindowScore>* scores) {
  ids_.clear();
  unique_.clear();
  source_.clear();
  scores->clear();
  tokens_ = 0;
  truncated_ = false;
  std::vector<Token>& tokens = scratch->tokens;
  std::fill(scratch->table.begin(), scratch->table.end(), 0);
  size_t inside = shape.tokens - 2;
  for (uint32_t text = 0; text < texts.size(); ++text) {
    Utf16ToUtf8(texts[text], &scratch->utf8);
    // More tokens than the budget has room for need not be found.
    size_t windows_left = windows_max - std::min<size_t>(unique_.size(), windows_max);
    size_t tokens_max = windows_left * shape.stride + inside;
    bool complete = tokenizer.Encode(scratch->utf8, tokens_max, scratch->tokenizer.get(), &tokens);
    truncated_ |= !complete;
    size_t count = tokens.size();
    tokens_ += static_cast<uint32_t>(count);
    OffsetCursor begins(scratch->utf8), ends(scratch->utf8);
    for (size_t start = 0;; start += shape.stride) {
      size_t end = std::min(start + inside, count);
      auto first = static_cast<uint32_t>(ids_.size());
      ids_.push_back(tokenizer.bos_id());
      for (size_t i = start; i < end; ++i) ids_.push_back(tokens[i].id);
      ids_.push_back(tokenizer.eos_id());
      uint32_t index;
      if (!AddUnique(first, windows_max, &scratch->table, &index)) {
        truncated_ = true;
        break;
      }
      // A cut text's only window is not the whole text, however equal its ids are to another's.
      bool whole = complete && start == 0 && end == count;
      auto length = static_cast<uint32_t>(texts[text].size());
      uint32_t from = whole ? 0 : begins.To(tokens[start].begin);
      uint32_t to = whole ? length : ends.To(tokens[end - 1].end);
      scores->push_back({text, from, to, {0.0f, 0}});
      source_.push_back(index);
      if (end == count) break;
    }
  }
}

void WindowPlan::Shrink() {
  auto shrink = [](auto& buffer) {
    if (buffer.capacity() * sizeof(buffer[0]) > kKeptBytes) {
      buffer.clear();
      buffer.shrink_to_fit();
    }
  };
  shrink(ids_);
  shrink(unique_);
  shrink(source_);
}

}  // namespace ghostai
