// A double-array trie from byte strings to numbers. One step costs one array
// access: the child of node s by byte c is node base[s] + c, if its check says
// so (Aoe 1989). Built once, by the import step, and then used where it lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace ghostai {

struct TrieNode {
  int32_t base = 0;
  int32_t check = -1;
  int32_t value = -1;
};

// `keys` are sorted by bytes and distinct; values are not negative. Always 256
// nodes longer than the last one used, so that a step needs no bound.
std::vector<TrieNode> BuildTrie(const std::vector<std::pair<std::string_view, int32_t>>& keys);

// Nodes that somebody else holds.
class Trie {
 public:
  static constexpr int32_t kNone = -1;

  Trie() = default;
  Trie(const TrieNode* nodes, size_t count) : nodes_(nodes), count_(count) {}

  // Whether every step stays among the nodes and every value lies below `values`. Ask this of nodes
  // from outside before the first step.
  bool Holds(int32_t values) const;

  // Walks from `node` (0 is the root) by `byte`; kNone where no key goes on so.
  int32_t Step(int32_t node, unsigned char byte) const {
    int32_t child = nodes_[static_cast<size_t>(node)].base + byte;
    return nodes_[static_cast<size_t>(child)].check == node ? child : kNone;
  }
  // The value of the key that ends at `node`, or kNone.
  int32_t Value(int32_t node) const { return nodes_[static_cast<size_t>(node)].value; }

 private:
  const TrieNode* nodes_ = nullptr;
  size_t count_ = 0;
};

}  // namespace ghostai
