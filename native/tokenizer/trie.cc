#include "trie.h"

namespace ghostai {

void Trie::Build(const std::vector<std::pair<std::string_view, int32_t>>& keys) {
  struct Range {  // keys [first, last) share the bytes before `depth` and end in `node`
    int32_t node;
    size_t depth, first, last;
  };
  struct Child {
    unsigned char byte;
    size_t first, last;
  };
  nodes_.assign(keys.size() * 3 + 1024, Node{});
  nodes_[0].check = -2;  // the root is nobody's child
  std::vector<Range> todo = {{0, 0, 0, keys.size()}};
  std::vector<Child> children;
  size_t search_from = 1;  // below this nearly everything is taken
  while (!todo.empty()) {
    Range range = todo.back();
    todo.pop_back();
    size_t at = range.first;
    if (at < range.last && keys[at].first.size() == range.depth) {
      nodes_[static_cast<size_t>(range.node)].value = keys[at].second;
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
      if (base + 512 > nodes_.size()) nodes_.resize(nodes_.size() * 2);
      bool fits = true;
      for (const Child& child : children) {
        if (nodes_[base + child.byte].check != kNone) {
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
    nodes_[static_cast<size_t>(range.node)].base = static_cast<int32_t>(base);
    for (const Child& child : children) {
      nodes_[base + child.byte].check = range.node;
      todo.push_back(
          {static_cast<int32_t>(base + child.byte), range.depth + 1, child.first, child.last});
    }
  }
  size_t used = nodes_.size();
  while (used > 1 && nodes_[used - 1].check == kNone) --used;
  nodes_.resize(used + 256);
  nodes_.shrink_to_fit();
}

}  // namespace ghostai
