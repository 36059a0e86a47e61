// What a Unigram tokenizer looks up while it encodes, as sections of plain
// arrays: made of tokenizer.json by the import step, then used where they lie,
// in tokenizer.packed or in memory. Nothing is built from them at start.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../packed/packed_file.h"
#include "../status.h"
#include "character_map.h"
#include "trie.h"

namespace ghostai {

constexpr char kTokenizerJson[] = "tokenizer.json";
constexpr PackedFormat kPackedTokenizer = {"tokenizer.packed", "GHOSTTK\n", 1};

struct TokenizerIds {
  int32_t unknown = -1, bos = -1, eos = -1, reserved = 0;
};
static_assert(sizeof(TokenizerIds) == 16);

// In file order.
enum TokenizerSection : size_t {
  kIdsSection,           // TokenizerIds
  kScoresSection,        // f64 a piece, by id
  kTrieSection,          // TrieNode: pieces to ids
  kUnitsSection,         // u32: the character map's array
  kReplacementsSection,  // bytes: what the array points to
  kTokenizerSections,
};
std::vector<SectionPlan> TokenizerPlan();

struct TokenizerTables {
  TokenizerIds ids;
  const double* scores = nullptr;  // [pieces]
  size_t pieces = 0;
  double lowest_score = 0;
  Trie trie;
  CharacterMap map;

  // Looks at sections that are aligned to 8 bytes and outlive the tables. Trusts none of their
  // bytes: once this is true, no text makes a look-up leave them. False where they are no
  // tokenizer's.
  bool Attach(const std::array<std::string_view, kTokenizerSections>& sections);
};

// The sections of the tokenizer that `json`, a tokenizer.json, describes. Refuses what would not
// give Hugging Face's ids: kModelUnsupported, or kModelDamaged where it is no such file.
Status ImportTokenizer(std::string_view json, std::vector<std::string>* sections);

}  // namespace ghostai
