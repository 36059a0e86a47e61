// Unigram tokenizer: normalise, split at spaces, and per word the most probable
// sequence of pieces (Viterbi; Kudo 2018). Ids equal those of Hugging Face
// `tokenizers`, whose rules are kept even where they surprise: sums in double
// from left to right, the first of equal paths wins, neighbouring unknown
// characters become one token.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "../ghostai.h"
#include "normaliser.h"
#include "tables.h"

namespace ghostai {

namespace {

constexpr uint32_t kWordMark = 0x2581;  // U+2581 begins every word
constexpr char kWordMarkBytes[] = "\xE2\x96\x81";
constexpr double kUnknownPenalty = 10.0;

bool IsWhiteSpace(uint32_t point) {  // the Unicode property White_Space
  return (point >= 0x09 && point <= 0x0D) || point == 0x20 || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

struct Span {
  uint32_t begin, end;
};

struct PathNode {
  double score;
  int32_t from;  // byte where the last piece begins; -1: not reached
  int32_t id;
};

// Pieces of short words that were met before: natural text repeats its words.
// Direct-mapped, so bounded, and a hit gives exactly what Viterbi gave.
struct CachedWord {
  static constexpr size_t kBytesMax = 22;
  static constexpr size_t kTokensMax = 6;
  char bytes[kBytesMax];
  uint8_t size = 0;
  uint8_t count = 0;
  uint8_t ends[kTokensMax];  // byte of the word where each piece ends
  int32_t ids[kTokensMax];
};
constexpr size_t kCachedWords = 4096;

class UnigramScratch final : public Tokenizer::Scratch {
 public:
  UnigramScratch() : cache(kCachedWords) {}
  std::string word;            // normalised, with its mark
  std::vector<Span> spans;     // one a byte of `word`: where it came from
  std::vector<PathNode> path;  // best way to each byte of `word`
  std::vector<Token> reversed;
  std::vector<std::pair<uint32_t, Span>> pending;  // white space that may be the end
  std::vector<CachedWord> cache;
};

class Unigram final : public Tokenizer {
 public:
  // Of `<model_dir>/tokenizer.packed`, used where it is mapped.
  Status Open(const std::string& model_dir);
  // Of a tokenizer.json; the tables are kept on the heap.
  Status Import(const std::string& path);

  std::unique_ptr<Scratch> NewScratch() const override {
    return std::make_unique<UnigramScratch>();
  }
  bool Encode(std::string_view text, size_t tokens_max, Scratch* scratch,
              std::vector<Token>* tokens) const override;
  int32_t bos_id() const override { return tables_.ids.bos; }
  int32_t eos_id() const override { return tables_.ids.eos; }
  size_t vocabulary_size() const override { return tables_.pieces; }

 private:
  bool Attach(const std::array<std::string_view, kTokenizerSections>& sections);
  void EndWord(UnigramScratch* scratch, std::vector<Token>* tokens) const;
  void BestPath(UnigramScratch* scratch, std::vector<Token>* tokens) const;

  // What the tables look at: one of these two.
  PackedFile file_;
  std::vector<std::string> imported_;
  TokenizerTables tables_;
  Normaliser normaliser_;
  double unknown_score_ = 0;
};

bool Unigram::Attach(const std::array<std::string_view, kTokenizerSections>& sections) {
  if (!tables_.Attach(sections)) return false;
  normaliser_ = Normaliser(tables_.map);
  unknown_score_ = tables_.lowest_score - kUnknownPenalty;
  return true;
}

Status Unigram::Open(const std::string& model_dir) {
  if (Status s = file_.Open(model_dir, kPackedTokenizer, TokenizerPlan()); !s.ok()) return s;
  // What it was made of is not needed to run, so it may be absent; where it is there it must match.
  std::string source = model_dir + "/" + kTokenizerJson;
  if (access(source.c_str(), F_OK) == 0) {
    MappedFile json;
    if (Status s = json.Open(source); !s.ok()) return s;
    if (Status s = file_.ExpectSource(0, json.bytes(), kTokenizerJson); !s.ok()) return s;
  }
  std::array<std::string_view, kTokenizerSections> sections;
  for (size_t i = 0; i < sections.size(); ++i) sections[i] = file_.section(i);
  if (!Attach(sections)) return file_.Damaged("expected the tables of a tokenizer");
  return Status::Ok();
}

Status Unigram::Import(const std::string& path) {
  MappedFile json;
  if (Status s = json.Open(path); !s.ok()) return s;
  if (Status s = ImportTokenizer(json.bytes(), &imported_); !s.ok()) return s;
  std::array<std::string_view, kTokenizerSections> sections;
  std::copy(imported_.begin(), imported_.end(), sections.begin());
  if (Attach(sections)) return Status::Ok();
  return Status::Error(StatusCode::kModelUnsupported,
                       path + ": expected tables within their bounds");
}

void Unigram::BestPath(UnigramScratch* scratch, std::vector<Token>* tokens) const {
  const std::string& word = scratch->word;
  size_t size = word.size();
  std::vector<PathNode>& path = scratch->path;
  if (path.size() < size + 1) path.resize(size + 1);
  for (size_t i = 0; i <= size; ++i) path[i] = {0, -1, 0};
  for (size_t start = 0; start < size;) {
    double so_far = path[start].score;
    auto lead = static_cast<unsigned char>(word[start]);
    size_t character = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    bool single = false;
    auto reach = [&](size_t end, double score, int32_t id) {
      PathNode& node = path[end];
      if (node.from < 0 || score > node.score) node = {score, static_cast<int32_t>(start), id};
    };
    int32_t node = 0;
    for (size_t end = start; end < size;) {
      node = tables_.trie.Step(node, static_cast<unsigned char>(word[end]));
      if (node == Trie::kNone) break;
      ++end;
      int32_t id = tables_.trie.Value(node);
      if (id == Trie::kNone) continue;
      reach(end, tables_.scores[static_cast<size_t>(id)] + so_far, id);
      single |= end - start == character;
    }
    if (!single) reach(start + character, unknown_score_ + so_far, tables_.ids.unknown);
    start += character;
  }
  scratch->reversed.clear();
  bool fusing = false;
  for (size_t end = size; end > 0;) {
    const PathNode& node = path[end];
    auto start = static_cast<size_t>(node.from);
    uint32_t begin = scratch->spans[start].begin;
    if (node.id == tables_.ids.unknown && fusing) {
      scratch->reversed.back().begin = begin;
    } else {
      scratch->reversed.push_back({node.id, begin, scratch->spans[end - 1].end});
    }
    fusing = node.id == tables_.ids.unknown;
    end = start;
  }
  tokens->insert(tokens->end(), scratch->reversed.rbegin(), scratch->reversed.rend());
}

void Unigram::EndWord(UnigramScratch* scratch, std::vector<Token>* tokens) const {
  const std::string& word = scratch->word;
  size_t size = word.size();
  if (size == 0) return;
  if (size > CachedWord::kBytesMax) {
    BestPath(scratch, tokens);
  } else {
    uint64_t hash = size;
    for (char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x9E3779B97F4A7C15u;
    CachedWord& cached = scratch->cache[hash >> 52];
    if (cached.size == size && std::memcmp(cached.bytes, word.data(), size) == 0) {
      size_t start = 0;
      for (size_t i = 0; i < cached.count; ++i) {
        size_t end = cached.ends[i];
        tokens->push_back(
            {cached.ids[i], scratch->spans[start].begin, scratch->spans[end - 1].end});
        start = end;
      }
    } else {
      size_t before = tokens->size();
      BestPath(scratch, tokens);
      size_t count = tokens->size() - before;
      bool unknown =
          std::any_of(tokens->begin() + static_cast<ptrdiff_t>(before), tokens->end(),
                      [&](const Token& token) { return token.id == tables_.ids.unknown; });
      // Fused unknowns have no ends of their own on the path; they are rare.
      if (count <= CachedWord::kTokensMax && !unknown) {
        std::memcpy(cached.bytes, word.data(), size);
        cached.size = static_cast<uint8_t>(size);
        cached.count = static_cast<uint8_t>(count);
        size_t end = size;
        for (size_t i = count; i-- > 0;) {
          cached.ends[i] = static_cast<uint8_t>(end);
          cached.ids[i] = (*tokens)[before + i].id;
          end = static_cast<size_t>(scratch->path[end].from);
        }
      }
    }
  }
  scratch->word.clear();
  scratch->spans.clear();
}

bool Unigram::Encode(std::string_view text, size_t tokens_max, Scratch* base_scratch,
                     std::vector<Token>* tokens) const {
  auto* scratch = static_cast<UnigramScratch*>(base_scratch);
  tokens->clear();
  scratch->word.clear();
  scratch->spans.clear();
  scratch->pending.clear();
  bool begun = false;

  auto begin_word = [&](uint32_t begin, uint32_t end) {
    EndWord(scratch, tokens);
    scratch->word.append(kWordMarkBytes, 3);
    scratch->spans.insert(scratch->spans.end(), 3, Span{begin, end});
    return tokens->size() <= tokens_max;
  };
  auto append = [&](uint32_t point, Span span) {
    char bytes[4];
    uint32_t size = EncodeUtf8(point, bytes);
    scratch->word.append(bytes, size);
    scratch->spans.insert(scratch->spans.end(), size, span);
  };
  // White space waits until something follows it: at the ends it is dropped.
  auto flush_pending = [&]() {
    for (const auto& [point, span] : scratch->pending) {
      if (point != ' ') {
        append(point, span);
      } else if (!begin_word(span.begin, span.end)) {
        return false;
      }
    }
    scratch->pending.clear();
    return true;
  };
  auto sink = [&](uint32_t point, size_t begin_byte, size_t end_byte) {
    Span span{static_cast<uint32_t>(begin_byte), static_cast<uint32_t>(end_byte)};
    if (IsWhiteSpace(point)) {
      bool after_space = !scratch->pending.empty() && scratch->pending.back().first == ' ';
      if (begun && !(point == ' ' && after_space)) scratch->pending.emplace_back(point, span);
      return true;
    }
    if (!scratch->pending.empty() && !flush_pending()) return false;
    if (point == kWordMark) {
      begun = true;
      return begin_word(span.begin, span.end);
    }
    if (!begun) begin_word(span.begin, span.begin);
    begun = true;
    append(point, span);
    return true;
  };

  const char* plain = normaliser_.plain_ascii();
  size_t size = text.size();
  size_t at = 0;
  while (at < size) {
    auto byte = static_cast<unsigned char>(text[at]);
    bool ascii_next = at + 1 >= size || static_cast<unsigned char>(text[at + 1]) < 0x80;
    if (byte < 0x80 && ascii_next && plain[byte] != 0) {
      if (!sink(static_cast<unsigned char>(plain[byte]), at, at + 1)) break;
      ++at;
      // The rest of a word of plain letters needs none of the checks above.
      if (byte == ' ') continue;
      while (at + 1 < size) {
        auto letter = static_cast<unsigned char>(text[at]);
        auto next = static_cast<unsigned char>(text[at + 1]);
        if (letter <= ' ' || letter >= 0x80 || next >= 0x80 || plain[letter] == 0) break;
        scratch->word.push_back(plain[letter]);
        scratch->spans.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + 1)});
        ++at;
      }
      continue;
    }
    size_t next = normaliser_.Cluster(text, at, sink);
    if (tokens->size() > tokens_max) break;
    at = next;
  }
  if (tokens->size() <= tokens_max) EndWord(scratch, tokens);
  if (tokens->size() <= tokens_max) return true;
  tokens->resize(tokens_max);
  return false;
}

}  // namespace

Status Tokenizer::Open(const std::string& model_dir, std::unique_ptr<Tokenizer>* out) {
  auto tokenizer = std::make_unique<Unigram>();
  Status status = tokenizer->Open(model_dir);
  if (status.ok()) *out = std::move(tokenizer);
  return status;
}

Status Tokenizer::Load(const std::string& tokenizer_json_path, std::unique_ptr<Tokenizer>* out) {
  auto tokenizer = std::make_unique<Unigram>();
  Status status = tokenizer->Import(tokenizer_json_path);
  if (status.ok()) *out = std::move(tokenizer);
  return status;
}

Status PackTokenizer(const std::string& model_dir) {
  MappedFile json;
  std::vector<std::string> sections;
  if (Status s = json.Open(model_dir + "/" + kTokenizerJson); !s.ok()) return s;
  if (Status s = ImportTokenizer(json.bytes(), &sections); !s.ok()) return s;
  return WritePackedFile(model_dir, kPackedTokenizer, {SourceOf(json.bytes()), {}}, sections);
}

}  // namespace ghostai
