#include "character_map.h"

#include <cstring>

namespace ghostai {

namespace {

bool DecodeBase64(std::string_view text, std::string* out) {
  out->clear();
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    uint32_t value;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0') + 52;
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else if (c == '=') {
      break;
    } else {
      return false;
    }
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out->push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return true;
}

// A unit of the Darts array (darts-clone): where its children lie, its byte, its value.
uint32_t OffsetOf(uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }
uint32_t LabelOf(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
bool HasLeaf(uint32_t unit) { return unit >> 8 & 1; }

}  // namespace

Status DecodeCharacterMap(std::string_view encoded, std::string* units, std::string* replacements) {
  auto damaged = [](const char* what) {
    return Status::Error(StatusCode::kModelDamaged, std::string("precompiled_charsmap: ") + what);
  };
  std::string bytes;
  if (!DecodeBase64(encoded, &bytes)) return damaged("expected base64");
  uint32_t size;
  if (bytes.size() < 4) return damaged("expected at least 4 bytes");
  std::memcpy(&size, bytes.data(), 4);  // little-endian, as all our targets are
  if (size % 4 != 0 || size < 4 || size > bytes.size() - 4)
    return damaged("the array does not fit");
  *units = bytes.substr(4, size);
  *replacements = bytes.substr(4 + size);
  return Status::Ok();
}

bool CharacterMap::Find(std::string_view bytes, std::string_view* replacement) const {
  size_t node = OffsetOf(units_[0]);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return false;
    node ^= byte;
    if (node >= count_) return false;
    uint32_t unit = units_[node];
    if (LabelOf(unit) != byte) return false;
    node ^= OffsetOf(unit);
    if (node >= count_) return false;
    if (HasLeaf(unit)) {
      size_t offset = units_[node] & 0x7FFFFFFF;
      if (offset > replacements_.size()) return false;
      size_t end = replacements_.find('\0', offset);
      if (end == std::string_view::npos) end = replacements_.size();
      *replacement = replacements_.substr(offset, end - offset);
      return true;
    }
  }
  return false;
}

}  // namespace ghostai
