// UTF-8 in and out, and the way from UTF-16, which is what JavaScript holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ghostai {

constexpr uint32_t kReplacement = 0xFFFD;

// One code point of `text` at `at` (< size); `*length` is its bytes. A byte that
// does not begin a well-formed sequence counts as U+FFFD, one byte long.
inline uint32_t DecodeUtf8(std::string_view text, size_t at, uint32_t* length) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  auto follows = [&](size_t i) { return at + i < text.size() && (byte(i) & 0xC0) == 0x80; };
  uint32_t first = byte(0);
  *length = 1;
  if (first < 0x80) return first;
  if (first >= 0xC2 && first <= 0xDF && follows(1)) {
    *length = 2;
    return (first & 0x1F) << 6 | (byte(1) & 0x3Fu);
  }
  if (first >= 0xE0 && first <= 0xEF && follows(1) && follows(2)) {
    uint32_t point = (first & 0x0F) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    if (point < 0x800 || (point >= 0xD800 && point <= 0xDFFF)) return kReplacement;
    *length = 3;
    return point;
  }
  if (first >= 0xF0 && first <= 0xF4 && follows(1) && follows(2) && follows(3)) {
    uint32_t point =
        (first & 0x07) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    if (point < 0x10000 || point > 0x10FFFF) return kReplacement;
    *length = 4;
    return point;
  }
  return kReplacement;
}

// Writes `point` to `out` (room for 4 bytes) and returns the number of bytes.
inline uint32_t EncodeUtf8(uint32_t point, char* out) {
  auto put = [&](int i, uint32_t value) { out[i] = static_cast<char>(value); };
  if (point < 0x80) {
    put(0, point);
    return 1;
  }
  if (point < 0x800) {
    put(0, 0xC0 | point >> 6);
    put(1, 0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    put(0, 0xE0 | point >> 12);
    put(1, 0x80 | (point >> 6 & 0x3F));
    put(2, 0x80 | (point & 0x3F));
    return 3;
  }
  put(0, 0xF0 | point >> 18);
  put(1, 0x80 | (point >> 12 & 0x3F));
  put(2, 0x80 | (point >> 6 & 0x3F));
  put(3, 0x80 | (point & 0x3F));
  return 4;
}

inline void AppendUtf8(uint32_t point, std::string* out) {
  char bytes[4];
  out->append(bytes, EncodeUtf8(point, bytes));
}

// Replaces `out`. Lone surrogates become U+FFFD.
inline void Utf16ToUtf8(std::u16string_view text, std::string* out) {
  out->resize(text.size() * 3);
  char* to = out->data();
  size_t count = text.size();
  for (size_t i = 0; i < count; ++i) {
    uint32_t unit = text[i];
    if (unit < 0x80) {
      *to++ = static_cast<char>(unit);
      continue;
    }
    if (unit >= 0xD800 && unit <= 0xDFFF) {
      bool pair = unit < 0xDC00 && i + 1 < count && text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF;
      unit = pair ? 0x10000 + ((unit - 0xD800) << 10) + (text[++i] - 0xDC00u) : kReplacement;
    }
    to += EncodeUtf8(unit, to);
  }
  out->resize(static_cast<size_t>(to - out->data()));
}

// UTF-16 code units of well-formed UTF-8.
inline size_t Utf16Length(std::string_view text) {
  size_t units = 0;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    units += (byte & 0xC0) != 0x80;  // every sequence is one unit ...
    units += byte >= 0xF0;           // ... and four bytes are a surrogate pair
  }
  return units;
}

}  // namespace ghostai
