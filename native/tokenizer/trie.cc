#include "trie.h"

#include <algorithm>

namespace ghostai {

bool Trie::Holds(int32_t values) const {
  if (count_ <= 256 || count_ > INT32_MAX) return false;
  // As unsigned numbers, so that negative ones are too large; without a branch, so that it is fast.
  uint32_t base = 0, value = 0;
  for (size_t i = 0; i < count_; ++i) {
    base = std::max(base, static_cast<uint32_t>(nodes_[i].base));
    value = std::max(value, static_cast<uint32_t>(nodes_[i].value) + 1);  // kNone becomes 0
  }
  return base <= count_ - 256 && value <= static_cast<uint32_t>(values);
}

std::vector<TrieNode> BuildTrie(const std::vector<std::pair<std::string_view, int32_t>>& keys) {
  struct Range {  // keys [first, last) share the bytes before `depth` and end in `node`
    int32_t node;
    size_t depth, first, last;
  };
  struct Child {
    unsigned char byte;
    size_t first, last;
  };
  std::vector<TrieNode> nodes(keys.size() * 3 + 1024);
  nodes[0].check = -2;  // the root is nobody's child
  std::vector<Range> todo = {{0, 0, 0, keys.size()}};
  std::vector<Child> children;
  size_t search_from = 1;  // below this nearly everything is taken
  while (!todo.empty()) {
    Range range = todo.back();
    todo.pop_back();
    size_t at = range.first;
    if (at < range.last && keys[at].first.size() == range.depth) {
      nodes[static_cast<size_t>(range.node)].value = keys[at].second;
      ++at;
    }
    children.clear();
    while (at < range.last) {
      auto byte = static_cast<unsigned char>(keys[at].first[range.depth]);
      size_t first = at;
      while (at < range.last && static_cast<unsigned char>(keys[at].first[range.depth]) == byte)
        ++at;
      children.push_back({byte, first, at});
    }
    // A node without children needs no base: with 0 its steps land on nodes whose check is not it.
    if (children.empty()) continue;
    size_t tried = 0;
    size_t base = search_from > children[0].byte ? search_from - children[0].byte : 1;
    while (true) {
      if (base + 512 > nodes.size()) nodes.resize(nodes.size() * 2);
      bool fits = true;
      for (const Child& child : children) {
        if (nodes[base + child.byte].check != Trie::kNone) {
          fits = false;
          break;
        }
      }
      if (fits) break;
      ++base;
      ++tried;
    }
    // Only narrow nodes may move the start on: a wide one fails in places that others still fit.
    if (tried > 64 && children.size() < 8) search_from = base + children[0].byte;
    nodes[static_cast<size_t>(range.node)].base = static_cast<int32_t>(base);
    for (const Child& child : children) {
      nodes[base + child.byte].check = range.node;
      todo.push_back(
          {static_cast<int32_t>(base + child.byte), range.depth + 1, child.first, child.last});
    }
  }
  size_t used = nodes.size();
  while (used > 1 && nodes[used - 1].check == Trie::kNone) --used;
  nodes.resize(used + 256);
  return nodes;
}

}  // namespace ghostai
