#include "normaliser.h"

namespace ghostai {

const LowerCase* FindLowerCase(uint32_t point) {
  return std::lower_bound(
      kLowerCase, kLowerCase + kLowerCaseCount, point,
      [](const LowerCase& entry, uint32_t wanted) { return entry.from < wanted; });
}

Normaliser::Normaliser(const CharacterMap& map) : map_(map) {
  for (char c = 0x20; c < 0x7F; ++c) {
    std::string_view replacement;
    bool mapped = map_.Find({&c, 1}, &replacement);
    bool upper = c >= 'A' && c <= 'Z';
    plain_ascii_[static_cast<size_t>(c)] = mapped ? '\0' : static_cast<char>(upper ? c + 32 : c);
  }
}

}  // namespace ghostai
