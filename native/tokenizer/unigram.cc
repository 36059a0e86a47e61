// Unigram tokenizer: normalise, split at spaces, and per word the most probable
// sequence of pieces (Viterbi; Kudo 2018). Ids equal those of Hugging Face
// `tokenizers`, whose rules are kept even where they surprise: sums in double
// from left to right, the first of equal paths wins, neighbouring unknown
// characters become one token.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>

#include "../ghostai.h"
#include "json.h"
#include "normaliser.h"
#include "trie.h"

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
  Status Parse(std::string_view json);

  std::unique_ptr<Scratch> NewScratch() const override {
    return std::make_unique<UnigramScratch>();
  }
  bool Encode(std::string_view text, size_t tokens_max, Scratch* scratch,
              std::vector<Token>* tokens) const override;
  int32_t bos_id() const override { return bos_id_; }
  int32_t eos_id() const override { return eos_id_; }
  size_t vocabulary_size() const override { return scores_.size(); }

 private:
  Status ParseNormalizer(JsonReader* reader);
  Status ParsePreTokenizer(JsonReader* reader);
  Status ParsePostProcessor(JsonReader* reader);
  Status ParseModel(JsonReader* reader);

  void EndWord(UnigramScratch* scratch, std::vector<Token>* tokens) const;
  void BestPath(UnigramScratch* scratch, std::vector<Token>* tokens) const;

  Normaliser normaliser_;
  Trie trie_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  int32_t unknown_id_ = -1, bos_id_ = -1, eos_id_ = -1;
  std::string bos_piece_, eos_piece_;
  std::vector<std::pair<std::string, double>>
      special_ids_;  // what the template inserts, as the file says
};

Status Unsupported(const std::string& message) {
  return Status::Error(StatusCode::kModelUnsupported, "tokenizer.json: " + message);
}
Status Damaged(const std::string& message) {
  return Status::Error(StatusCode::kModelDamaged, "tokenizer.json: " + message);
}

// The fields of a small component, whatever their order: strings as they are,
// other scalars as JSON text, {"Regex": x} as x.
using Fields = std::vector<std::pair<std::string, std::string>>;

std::string Field(const Fields& fields, const char* name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "nothing";
}

bool ReadFields(JsonReader* reader, Fields* fields) {
  fields->clear();
  std::string key, inner;
  reader->EnterObject();
  while (reader->NextKey(&key)) {
    std::string value = "something else";
    bool flag = false;
    switch (reader->Peek()) {
      case JsonReader::Kind::kString:
        reader->ReadString(&value);
        break;
      case JsonReader::Kind::kBoolean:
        reader->ReadBoolean(&flag);
        value = flag ? "true" : "false";
        break;
      case JsonReader::Kind::kObject:
        reader->EnterObject();
        while (reader->NextKey(&inner)) {
          if (inner == "Regex" && reader->Peek() == JsonReader::Kind::kString) {
            reader->ReadString(&value);
          } else {
            reader->Skip();
          }
        }
        break;
      default:
        reader->Skip();
    }
    fields->emplace_back(key, std::move(value));
  }
  return !reader->failed();
}

Status Expect(const Fields& fields, const char* name, const std::string& expected) {
  std::string actual = Field(fields, name);
  if (actual == expected) return Status::Ok();
  return Unsupported(std::string("expected ") + name + " \"" + expected + "\" but got \"" +
                     Shown(actual) + "\"");
}

Status Unigram::ParseNormalizer(JsonReader* reader) {
  std::vector<Fields> steps;
  std::string key, type;
  reader->EnterObject();
  while (reader->NextKey(&key)) {
    if (key == "type") {
      reader->ReadString(&type);
    } else if (key == "normalizers") {
      reader->EnterArray();
      while (reader->NextElement()) {
        steps.emplace_back();
        ReadFields(reader, &steps.back());
      }
    } else {
      reader->Skip();
    }
  }
  if (reader->failed()) return Damaged(reader->error());
  if (type != "Sequence" || steps.size() != 4) {
    return Unsupported("expected a Sequence of 4 normalizers but got " + Shown(type) + " of " +
                       std::to_string(steps.size()));
  }
  const char* types[] = {"Precompiled", "Lowercase", "Replace", "Strip"};
  for (size_t i = 0; i < 4; ++i) {
    if (Status status = Expect(steps[i], "type", types[i]); !status.ok()) return status;
  }
  for (const auto& [step, name, value] :
       {std::tuple{2, "pattern", " {2,}"}, std::tuple{2, "content", " "},
        std::tuple{3, "strip_left", "true"}, std::tuple{3, "strip_right", "true"}}) {
    Status status = Expect(steps[static_cast<size_t>(step)], name, value);
    if (!status.ok()) return status;
  }
  return normaliser_.Load(Field(steps[0], "precompiled_charsmap"));
}

Status Unigram::ParsePreTokenizer(JsonReader* reader) {
  Fields fields;
  if (!ReadFields(reader, &fields)) return Damaged(reader->error());
  for (const auto& [name, value] :
       {std::pair{"type", "Metaspace"}, std::pair{"replacement", kWordMarkBytes},
        std::pair{"prepend_scheme", "always"}, std::pair{"split", "true"}}) {
    if (Status status = Expect(fields, name, value); !status.ok()) return status;
  }
  return Status::Ok();
}

Status Unigram::ParsePostProcessor(JsonReader* reader) {
  std::string key, type, inner, name, value;
  std::vector<std::string> single;  // special tokens by name, the text as "$"
  special_ids_.clear();
  reader->EnterObject();
  while (reader->NextKey(&key)) {
    if (key == "type") {
      reader->ReadString(&type);
    } else if (key == "single") {
      reader->EnterArray();
      while (reader->NextElement()) {
        reader->EnterObject();
        while (reader->NextKey(&inner)) {
          reader->EnterObject();
          while (reader->NextKey(&name)) {
            if (name == "id") {
              reader->ReadString(&value);
              if (inner != "SpecialToken" && value != "A") {
                return Unsupported("expected the template's text to be A but got " + Shown(value));
              }
              single.push_back(inner == "SpecialToken" ? value : "$");
            } else {
              reader->Skip();
            }
          }
        }
      }
    } else if (key == "special_tokens") {
      reader->EnterObject();
      while (reader->NextKey(&inner)) {
        reader->EnterObject();
        while (reader->NextKey(&name)) {
          if (name != "ids") {
            reader->Skip();
            continue;
          }
          double id = 0;
          reader->EnterArray();
          while (reader->NextElement() && reader->ReadNumber(&id))
            special_ids_.emplace_back(inner, id);
        }
      }
    } else {
      reader->Skip();
    }
  }
  if (reader->failed()) return Damaged(reader->error());
  if (type != "TemplateProcessing" || single.size() != 3 || single[0] == "$" || single[1] != "$" ||
      single[2] == "$") {
    return Unsupported("expected TemplateProcessing of a token, the text and a token but got " +
                       Shown(type));
  }
  bos_piece_ = single[0];
  eos_piece_ = single[2];
  return Status::Ok();
}

Status Unigram::ParseModel(JsonReader* reader) {
  std::string key, type, pieces_text;
  double unknown = -1;
  bool byte_fallback = false;
  std::vector<size_t> offsets = {0};
  // Scores and offsets grow together, also where a file names its vocabulary twice.
  scores_.clear();
  reader->EnterObject();
  while (reader->NextKey(&key)) {
    if (key == "type") {
      reader->ReadString(&type);
    } else if (key == "unk_id") {
      reader->ReadNumber(&unknown);
    } else if (key == "byte_fallback") {
      reader->ReadBoolean(&byte_fallback);
    } else if (key == "vocab" && reader->Peek() == JsonReader::Kind::kArray) {
      std::string piece;
      double score = 0;
      reader->EnterArray();
      while (reader->NextElement()) {
        reader->EnterArray();
        bool complete = reader->NextElement() && reader->ReadString(&piece) &&
                        reader->NextElement() && reader->ReadNumber(&score) &&
                        !reader->NextElement();
        if (!complete || reader->failed()) return Damaged("expected [piece, score] in vocab");
        pieces_text += piece;
        offsets.push_back(pieces_text.size());
        scores_.push_back(score);
      }
    } else {
      reader->Skip();
    }
  }
  if (reader->failed()) return Damaged(reader->error());
  if (type != "Unigram") return Unsupported("expected model type Unigram but got " + Shown(type));
  if (byte_fallback) return Unsupported("expected byte_fallback false but got true");
  size_t count = scores_.size();
  if (count == 0 || count > 4'000'000) return Unsupported("expected 1 to 4,000,000 pieces");
  if (!(unknown >= 0 && unknown < static_cast<double>(count))) {
    return Unsupported("expected unk_id to be a piece");
  }
  unknown_id_ = static_cast<int32_t>(unknown);
  if (unknown_id_ != unknown) return Unsupported("expected unk_id to be a whole number");
  // Sorting is most of loading: the first eight bytes as a number decide nearly every comparison.
  struct SortKey {
    uint64_t prefix;
    std::string_view piece;
    int32_t id;
  };
  std::vector<SortKey> sorted(count);
  for (size_t i = 0; i < count; ++i) {
    std::string_view piece =
        std::string_view(pieces_text).substr(offsets[i], offsets[i + 1] - offsets[i]);
    if (piece.empty()) return Unsupported("expected no empty piece");
    if (piece == bos_piece_) bos_id_ = static_cast<int32_t>(i);
    if (piece == eos_piece_) eos_id_ = static_cast<int32_t>(i);
    uint64_t prefix = 0;
    for (size_t k = 0; k < 8; ++k) {
      prefix = prefix << 8 | (k < piece.size() ? static_cast<unsigned char>(piece[k]) : 0u);
    }
    sorted[i] = {prefix, piece, static_cast<int32_t>(i)};
  }
  if (bos_id_ < 0 || eos_id_ < 0)
    return Unsupported("expected the template's tokens among the pieces");
  for (const auto& [piece, id] : special_ids_) {
    if ((piece == bos_piece_ && id != bos_id_) || (piece == eos_piece_ && id != eos_id_)) {
      return Unsupported("expected the template's id of " + Shown(piece) + " to be its piece's");
    }
  }
  std::sort(sorted.begin(), sorted.end(), [](const SortKey& a, const SortKey& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : a.piece < b.piece;
  });
  std::vector<std::pair<std::string_view, int32_t>> keys(count);
  for (size_t i = 0; i < count; ++i) keys[i] = {sorted[i].piece, sorted[i].id};
  for (size_t i = 1; i < count; ++i) {
    if (keys[i].first == keys[i - 1].first) return Unsupported("expected distinct pieces");
  }
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  trie_.Build(keys);
  return Status::Ok();
}

Status Unigram::Parse(std::string_view json) {
  // The model needs the template's tokens, which come before it or after it.
  for (bool model_pass : {false, true}) {
    JsonReader reader(json);
    std::string key;
    bool normalizer = false, pre_tokenizer = false, post_processor = false, model = false;
    if (reader.Peek() != JsonReader::Kind::kObject) return Damaged("expected a JSON object");
    reader.EnterObject();
    while (reader.NextKey(&key)) {
      Status status;
      bool* met = key == "model"            ? &model
                  : key == "normalizer"     ? &normalizer
                  : key == "pre_tokenizer"  ? &pre_tokenizer
                  : key == "post_processor" ? &post_processor
                                            : nullptr;
      if (met != nullptr && *met) return Unsupported("expected one " + key + " but got two");
      if (met != nullptr) *met = true;
      // The second pass alone reads to the end, so what must not be there is looked for in both.
      if (key == "added_tokens") {
        if (reader.EnterArray() && reader.NextElement()) {
          return Unsupported("expected no added_tokens but got some");
        }
      } else if (key == "truncation" || key == "padding") {
        if (!reader.ReadNull()) return Unsupported("expected " + key + " null");
      } else if (key == "model" && model_pass) {
        status = ParseModel(&reader);
      } else if (key == "normalizer" && !model_pass) {
        status = ParseNormalizer(&reader);
      } else if (key == "pre_tokenizer" && !model_pass) {
        status = ParsePreTokenizer(&reader);
      } else if (key == "post_processor" && !model_pass) {
        status = ParsePostProcessor(&reader);
      } else {
        reader.Skip();
      }
      if (!status.ok()) return status;
      // The vocabulary is by far the longest part: the first pass need not read past the others.
      if (!model_pass && normalizer && pre_tokenizer && post_processor) break;
    }
    if (reader.failed()) return Damaged(reader.error());
    if (model_pass && !reader.AtEnd()) return Damaged(reader.error());
    if (model_pass ? !model : !(normalizer && pre_tokenizer && post_processor)) {
      return Unsupported("expected normalizer, pre_tokenizer, post_processor and model");
    }
  }
  return Status::Ok();
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
      node = trie_.Step(node, static_cast<unsigned char>(word[end]));
      if (node == Trie::kNone) break;
      ++end;
      int32_t id = trie_.Value(node);
      if (id == Trie::kNone) continue;
      reach(end, scores_[static_cast<size_t>(id)] + so_far, id);
      single |= end - start == character;
    }
    if (!single) reach(start + character, unknown_score_ + so_far, unknown_id_);
    start += character;
  }
  scratch->reversed.clear();
  bool fusing = false;
  for (size_t end = size; end > 0;) {
    const PathNode& node = path[end];
    auto start = static_cast<size_t>(node.from);
    uint32_t begin = scratch->spans[start].begin;
    if (node.id == unknown_id_ && fusing) {
      scratch->reversed.back().begin = begin;
    } else {
      scratch->reversed.push_back({node.id, begin, scratch->spans[end - 1].end});
    }
    fusing = node.id == unknown_id_;
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
      bool unknown = std::any_of(tokens->begin() + static_cast<ptrdiff_t>(before), tokens->end(),
                                 [&](const Token& token) { return token.id == unknown_id_; });
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

Status Tokenizer::Load(const std::string& path, std::unique_ptr<Tokenizer>* out) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0) return Status::Error(StatusCode::kModelNotFound, "Expected a tokenizer at " + path);
  // A folder opens as a file of the largest size there is.
  constexpr std::streamoff kFileBytesMax = std::streamoff{1} << 30;
  if (size > kFileBytesMax) return Damaged("expected a file of at most 1 GiB at " + path);
  std::string content(static_cast<size_t>(size), '\0');
  file.seekg(0);
  file.read(content.data(), size);
  if (file.gcount() != size)
    return Damaged("expected to read " + std::to_string(size) + " bytes of " + path);
  auto tokenizer = std::make_unique<Unigram>();
  Status status = tokenizer->Parse(content);
  if (status.ok()) *out = std::move(tokenizer);
  return status;
}

}  // namespace ghostai
