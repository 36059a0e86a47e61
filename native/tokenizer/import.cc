// tokenizer.json as Hugging Face writes it, read strictly into the tables that the tokenizer looks
// up: only a Unigram with the parts that unigram.cc implements is taken.
#include <algorithm>
#include <memory>
#include <tuple>

#include "json.h"
#include "tables.h"

namespace ghostai {

namespace {

constexpr char kWordMarkBytes[] = "\xE2\x96\x81";  // U+2581 begins every word

class Importer {
 public:
  Status Parse(std::string_view json);
  std::vector<std::string> Sections() const;

 private:
  Status ParseNormalizer(JsonReader* reader);
  Status ParsePreTokenizer(JsonReader* reader);
  Status ParsePostProcessor(JsonReader* reader);
  Status ParseModel(JsonReader* reader);

  TokenizerIds ids_;
  std::vector<double> scores_;
  std::vector<TrieNode> trie_;
  std::string units_, replacements_;
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

Status Importer::ParseNormalizer(JsonReader* reader) {
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
  return DecodeCharacterMap(Field(steps[0], "precompiled_charsmap"), &units_, &replacements_);
}

Status Importer::ParsePreTokenizer(JsonReader* reader) {
  Fields fields;
  if (!ReadFields(reader, &fields)) return Damaged(reader->error());
  for (const auto& [name, value] :
       {std::pair{"type", "Metaspace"}, std::pair{"replacement", kWordMarkBytes},
        std::pair{"prepend_scheme", "always"}, std::pair{"split", "true"}}) {
    if (Status status = Expect(fields, name, value); !status.ok()) return status;
  }
  return Status::Ok();
}

Status Importer::ParsePostProcessor(JsonReader* reader) {
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

Status Importer::ParseModel(JsonReader* reader) {
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
  ids_.unknown = static_cast<int32_t>(unknown);
  if (ids_.unknown != unknown) return Unsupported("expected unk_id to be a whole number");
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
    if (piece == bos_piece_) ids_.bos = static_cast<int32_t>(i);
    if (piece == eos_piece_) ids_.eos = static_cast<int32_t>(i);
    uint64_t prefix = 0;
    for (size_t k = 0; k < 8; ++k) {
      prefix = prefix << 8 | (k < piece.size() ? static_cast<unsigned char>(piece[k]) : 0u);
    }
    sorted[i] = {prefix, piece, static_cast<int32_t>(i)};
  }
  if (ids_.bos < 0 || ids_.eos < 0)
    return Unsupported("expected the template's tokens among the pieces");
  for (const auto& [piece, id] : special_ids_) {
    if ((piece == bos_piece_ && id != ids_.bos) || (piece == eos_piece_ && id != ids_.eos)) {
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
  trie_ = BuildTrie(keys);
  return Status::Ok();
}

Status Importer::Parse(std::string_view json) {
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

template <typename T>
std::string Bytes(const T* values, size_t count) {
  return std::string(reinterpret_cast<const char*>(values), count * sizeof(T));
}

std::vector<std::string> Importer::Sections() const {
  std::vector<std::string> sections(kTokenizerSections);
  sections[kIdsSection] = Bytes(&ids_, 1);
  sections[kScoresSection] = Bytes(scores_.data(), scores_.size());
  sections[kTrieSection] = Bytes(trie_.data(), trie_.size());
  sections[kUnitsSection] = units_;
  sections[kReplacementsSection] = replacements_;
  return sections;
}

}  // namespace

Status ImportTokenizer(std::string_view json, std::vector<std::string>* sections) {
  Importer importer;
  Status status = importer.Parse(json);
  if (status.ok()) *sections = importer.Sections();
  return status;
}

}  // namespace ghostai
