// SentencePiece's precompiled character map: a Darts double array from byte
// strings to offsets into a block of zero-terminated replacements. Read as the
// reference library reads it (spm_precompiled): of the keys that begin the
// given bytes the shortest counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../status.h"

namespace ghostai {

// What tokenizer.json has of it, base64 of: u32 size of the array in bytes, the array, the
// replacements; as the two parts that CharacterMap takes.
Status DecodeCharacterMap(std::string_view encoded, std::string* units, std::string* replacements);

// An array and replacements that somebody else holds. Whatever is in them, no
// look-up leaves them.
class CharacterMap {
 public:
  CharacterMap() = default;
  // At least one unit.
  CharacterMap(const uint32_t* units, size_t count, std::string_view replacements)
      : units_(units), count_(count), replacements_(replacements) {}

  // The replacement of `bytes`, or false where there is none.
  bool Find(std::string_view bytes, std::string_view* replacement) const;

 private:
  const uint32_t* units_ = nullptr;
  size_t count_ = 0;
  std::string_view replacements_;
};

}  // namespace ghostai
