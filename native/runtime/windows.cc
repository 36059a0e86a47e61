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

constexpr size_t kKeptBytes = 64 << 10;

}  // namespace

bool WindowPlan::AddUnique(uint32_t first, uint32_t windows_max, uint32_t* index) {
  auto count = static_cast<uint32_t>(ids_.size()) - first;
  size_t bytes = count * sizeof(int32_t);
  if (table_.size() < 2 * (unique_.size() + 1)) {
    table_.assign(std::max<size_t>(64, table_.size() * 4), 0);
    for (uint32_t i = 0; i < unique_.size(); ++i) {
      // Rebuilt from the ids, so that no hash has to be kept.
      uint64_t hash = unique_[i].count;
      for (uint32_t k = 0; k < unique_[i].count; ++k) {
        hash = (hash ^ static_cast<uint32_t>(ids_[unique_[i].first + k])) * 0x9E3779B97F4A7C15u;
      }
      size_t slot = hash >> 32 & (table_.size() - 1);
      while (table_[slot] != 0) slot = (slot + 1) & (table_.size() - 1);
      table_[slot] = i + 1;
    }
  }
  uint64_t hash = count;
  for (uint32_t k = 0; k < count; ++k) {
    hash = (hash ^ static_cast<uint32_t>(ids_[first + k])) * 0x9E3779B97F4A7C15u;
  }
  size_t slot = hash >> 32 & (table_.size() - 1);
  for (; table_[slot] != 0; slot = (slot + 1) & (table_.size() - 1)) {
    const Unique& other = unique_[table_[slot] - 1];
    if (other.count == count && std::memcmp(ids_.data() + other.first, ids_.data() + first, bytes) == 0) {
      *index = table_[slot] - 1;
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
  table_[slot] = *index + 1;
  return true;
}

void WindowPlan::Build(const std::vector<std::u16string>& texts, uint32_t windows_max,
                       const WindowShape& shape, const Tokenizer& tokenizer,
                       Tokenizer::Scratch* scratch, std::vector<WindowScore>* scores) {
  ids_.clear();
  unique_.clear();
  source_.clear();
  scores->clear();
  tokens_ = 0;
  truncated_ = false;
  std::fill(table_.begin(), table_.end(), 0);
  size_t inside = shape.tokens - 2;
  for (uint32_t text = 0; text < texts.size(); ++text) {
    Utf16ToUtf8(texts[text], &utf8_);
    // More tokens than the budget has room for need not be found.
    size_t tokens_max = (windows_max - std::min<size_t>(unique_.size(), windows_max)) * size_t{shape.stride} + inside;
    truncated_ |= !tokenizer.Encode(utf8_, tokens_max, scratch, &text_tokens_);
    size_t count = text_tokens_.size();
    tokens_ += static_cast<uint32_t>(count);
    OffsetCursor begins(utf8_), ends(utf8_);
    for (size_t start = 0;; start += shape.stride) {
      size_t end = std::min(start + inside, count);
      auto first = static_cast<uint32_t>(ids_.size());
      ids_.push_back(tokenizer.bos_id());
      for (size_t i = start; i < end; ++i) ids_.push_back(text_tokens_[i].id);
      ids_.push_back(tokenizer.eos_id());
      uint32_t index;
      if (!AddUnique(first, windows_max, &index)) {
        truncated_ = true;
        break;
      }
      bool whole = start == 0 && end == count;
      auto length = static_cast<uint32_t>(texts[text].size());
      uint32_t from = whole ? 0 : begins.To(text_tokens_[start].begin);
      uint32_t to = whole ? length : ends.To(text_tokens_[end - 1].end);
      scores->push_back({text, from, to, 0.0f});
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
  shrink(utf8_);
  shrink(text_tokens_);
  shrink(ids_);
  shrink(unique_);
  shrink(source_);
  shrink(table_);
}

}  // namespace ghostai
