// The reference's normaliser as one pass that hands on characters: precompiled
// character map over grapheme clusters, then lower case. Runs of spaces and the
// ends are the tokenizer's, which sees the characters one by one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "character_map.h"
#include "unicode_tables.h"
#include "utf8.h"

namespace ghostai {

class Normaliser {
 public:
  Normaliser() = default;
  explicit Normaliser(const CharacterMap& map);

  // ASCII characters that stand for themselves (in lower case) whatever ASCII
  // character follows; 0 for the others.
  const char* plain_ascii() const { return plain_ascii_; }

  // Normalises one grapheme cluster that begins at `at` and returns where the
  // next one begins. `sink(point, begin, end)` gets each resulting character
  // with the bytes of the text that it came from; it returns false to stop.
  template <typename Sink>
  size_t Cluster(std::string_view text, size_t at, Sink&& sink) const;

 private:
  // The rules of UAX 29 for extended grapheme clusters that can change what the
  // character map sees; Hangul and flags are left out, since their characters
  // have no replacements and clusters of them are too long for the map.
  class Breaker {
   public:
    explicit Breaker(uint8_t first) { Take(first); }
    bool Joins(uint8_t next) const {
      if (previous_ & kStandsAlone) return false;
      if (next & kJoins) return true;
      if (previous_ & kPrepends) return !(next & kStandsAlone);
      if (emoji_joiner_ && next & kPictographic) return true;
      return linked_ && next & kConsonant;
    }
    void Take(uint8_t next, uint32_t point = 0) {
      bool joiner = point == kZeroWidthJoiner;
      // A joiner after a pictograph and what extends it; two joiners in a row join nothing.
      emoji_joiner_ = joiner && emoji_;
      if (next & kPictographic) {
        emoji_ = true;
      } else if (joiner || !(next & (kConjunctExtend | kLinker) || point == kZeroWidthNonJoiner)) {
        emoji_ = false;
      }
      if (next & kConsonant) {
        conjunct_ = true;
        linked_ = false;
      } else if (next & kLinker) {
        linked_ = conjunct_;
      } else if (!(next & kConjunctExtend)) {
        conjunct_ = linked_ = false;
      }
      previous_ = next;
    }

   private:
    static constexpr uint32_t kZeroWidthNonJoiner = 0x200C, kZeroWidthJoiner = 0x200D;
    uint8_t previous_ = 0;
    bool emoji_ = false, emoji_joiner_ = false;
    bool conjunct_ = false, linked_ = false;
  };

  // The reference gives clusters shorter than this to the map as a whole.
  static constexpr size_t kWholeClusterBytesMax = 5;

  template <typename Sink>
  static bool Lower(uint32_t point, size_t begin, size_t end, Sink&& sink);
  template <typename Sink>
  static bool LowerAll(std::string_view replacement, size_t begin, size_t end, Sink&& sink);

  CharacterMap map_;
  char plain_ascii_[128] = {};
};

const LowerCase* FindLowerCase(uint32_t point);

template <typename Sink>
bool Normaliser::Lower(uint32_t point, size_t begin, size_t end, Sink&& sink) {
  if (!(ClassOf(point) & kHasLower)) return sink(point, begin, end);
  const LowerCase* lower = FindLowerCase(point);
  return sink(lower->first, begin, end) && (lower->second == 0 || sink(lower->second, begin, end));
}

template <typename Sink>
bool Normaliser::LowerAll(std::string_view replacement, size_t begin, size_t end, Sink&& sink) {
  for (size_t at = 0; at < replacement.size();) {
    uint32_t length;
    uint32_t point = DecodeUtf8(replacement, at, &length);
    if (!Lower(point, begin, end, sink)) return false;
    at += length;
  }
  return true;
}

template <typename Sink>
size_t Normaliser::Cluster(std::string_view text, size_t at, Sink&& sink) const {
  uint32_t length;
  uint32_t point = DecodeUtf8(text, at, &length);
  // Bytes that are not UTF-8 stand for U+FFFD, so a cluster is measured by what it stands for.
  char encoded[8];
  uint32_t size = EncodeUtf8(point, encoded);
  Breaker breaker(ClassOf(point));
  size_t end = at + length;
  size_t whole = size;
  size_t cluster_end = end;
  {
    Breaker ahead = breaker;
    while (whole <= kWholeClusterBytesMax && cluster_end < text.size()) {
      uint32_t next_length;
      uint32_t next = DecodeUtf8(text, cluster_end, &next_length);
      uint8_t next_class = ClassOf(next);
      if (!ahead.Joins(next_class)) break;
      ahead.Take(next_class, next);
      char bytes[4];
      uint32_t next_size = EncodeUtf8(next, bytes);
      if (whole + next_size <= kWholeClusterBytesMax)
        std::copy(bytes, bytes + next_size, encoded + whole);
      whole += next_size;
      cluster_end += next_length;
    }
  }
  std::string_view replacement;
  if (whole <= kWholeClusterBytesMax && map_.Find({encoded, whole}, &replacement)) {
    LowerAll(replacement, at, cluster_end, sink);
    return cluster_end;
  }
  while (true) {
    bool found = map_.Find({encoded, size}, &replacement);
    bool go_on = found ? LowerAll(replacement, at, end, sink) : Lower(point, at, end, sink);
    if (!go_on || end >= text.size()) return end;
    point = DecodeUtf8(text, end, &length);
    uint8_t next_class = ClassOf(point);
    if (!breaker.Joins(next_class)) return end;
    breaker.Take(next_class, point);
    size = EncodeUtf8(point, encoded);
    at = end;
    end += length;
  }
}

}  // namespace ghostai
