// SentencePiece's precompiled character map: a Darts double array from byte
// strings to offsets into a block of zero-terminated replacements. Read as the
// reference library reads it (spm_precompiled): of the keys that begin the
// given bytes the shortest counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../status.h"

namespace ghostai {

class CharacterMap {
 public:
  // `encoded` is base64 of: u32 size of the array in bytes, the array, the replacements.
  Status Load(std::string_view encoded);

  // The replacement of `bytes`, or false where there is none.
  bool Find(std::string_view bytes, std::string_view* replacement) const;

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace ghostai
