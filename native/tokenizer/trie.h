// A double-array trie from byte strings to numbers, built once and then
// immutable. One step costs one array access: the child of node s by byte c is
// node base[s] + c, if its check says so (Aoe 1989).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace ghostai {

class Trie {
 public:
  static constexpr int32_t kNone = -1;

  // `keys` are sorted by bytes and distinct; values are not negative.
  void Build(const std::vector<std::pair<std::string_view, int32_t>>& keys);

  // Walks from `node` (0 is the root) by `byte`; kNone where no key goes on so.
  int32_t Step(int32_t node, unsigned char byte) const {
    int32_t child = nodes_[static_cast<size_t>(node)].base + byte;
    return nodes_[static_cast<size_t>(child)].check == node ? child : kNone;
  }
  // The value of the key that ends at `node`, or kNone.
  int32_t Value(int32_t node) const { return nodes_[static_cast<size_t>(node)].value; }

  size_t bytes() const { return nodes_.size() * sizeof(Node); }

 private:
  struct Node {
    int32_t base = 0;
    int32_t check = kNone;
    int32_t value = kNone;
  };
  // Always 256 nodes longer than the last one used, so that Step needs no bound.
  std::vector<Node> nodes_;
};

}  // namespace ghostai
