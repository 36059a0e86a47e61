#include "tables.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ghostai {

namespace {
constexpr size_t kPiecesMax = 4'000'000;
}

std::vector<SectionPlan> TokenizerPlan() {
  return {{"ids", sizeof(TokenizerIds)},
          {"scores", SectionPlan::kAnyBytes},
          {"trie", SectionPlan::kAnyBytes},
          {"character map", SectionPlan::kAnyBytes},
          {"replacements", SectionPlan::kAnyBytes}};
}

bool TokenizerTables::Attach(const std::array<std::string_view, kTokenizerSections>& sections) {
  auto count = [&](size_t section, size_t width) {
    size_t bytes = sections[section].size();
    return bytes % width == 0 ? bytes / width : 0;
  };
  if (sections[kIdsSection].size() != sizeof(ids)) return false;
  std::memcpy(&ids, sections[kIdsSection].data(), sizeof(ids));
  pieces = count(kScoresSection, sizeof(double));
  if (pieces == 0 || pieces > kPiecesMax) return false;
  auto piece_count = static_cast<int32_t>(pieces);
  for (int32_t id : {ids.unknown, ids.bos, ids.eos}) {
    if (id < 0 || id >= piece_count) return false;
  }
  scores = reinterpret_cast<const double*>(sections[kScoresSection].data());
  lowest_score = *std::min_element(scores, scores + pieces);
  if (!std::all_of(scores, scores + pieces, [](double score) { return std::isfinite(score); }))
    return false;
  trie = Trie(reinterpret_cast<const TrieNode*>(sections[kTrieSection].data()),
              count(kTrieSection, sizeof(TrieNode)));
  size_t units = count(kUnitsSection, sizeof(uint32_t));
  if (!trie.Holds(piece_count) || units == 0) return false;
  map = CharacterMap(reinterpret_cast<const uint32_t*>(sections[kUnitsSection].data()), units,
                     sections[kReplacementsSection]);
  return true;
}

}  // namespace ghostai
