// What the golden file (test/tokenizer.test.ts) does not show: spans, limits,
// text that is not UTF-8, and tokenizer files, packed or not, that are not ours.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "check.h"
#include "ghostai.h"
#include "model_folder.h"
#include "tokenizer/json.h"
#include "tokenizer/tables.h"
#include "tokenizer/trie.h"
#include "tokenizer/utf8.h"

using namespace ghostai;
using namespace ghostai::test;

namespace {

// A character map that maps nothing: one empty unit.
const char* kNormalizer =
    R"({"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAA="},)"
    R"({"type":"Lowercase"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},)"
    R"({"type":"Strip","strip_left":true,"strip_right":true}]})";

std::string Json(const std::string& vocab) {
  return std::string(
             R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":)") +
         kNormalizer +
         R"(,"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},)"
         R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
         R"({"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"special_tokens":{}},)"
         R"("model":{"type":"Unigram","unk_id":3,"byte_fallback":false,"vocab":)" +
         vocab + "}}";
}

const char* kVocab =
    R"([["<s>",0],["<pad>",0],["</s>",0],["<unk>",0],["▁",-3],["▁hello",-4],["▁he",-5],["llo",-5],["a",-6],)"
    R"(["b",-6],["ab",-7],["é",-6],["▁a",-5.5]])";

Status Load(const std::string& json, std::unique_ptr<Tokenizer>* out) {
  static const std::string folder = NewFolder();
  WriteAll(folder + "/tokenizer.json", json);
  return Tokenizer::Load(folder + "/tokenizer.json", out);
}

const Tokenizer& Small() {
  static const std::unique_ptr<Tokenizer> tokenizer = [] {
    std::unique_ptr<Tokenizer> loaded;
    Status status = Load(Json(kVocab), &loaded);
    if (!status.ok()) Fail(__FILE__, __LINE__, status.message);
    return loaded;
  }();
  return *tokenizer;
}

std::vector<Token> Encode(std::string_view text, size_t tokens_max = 1000, bool* whole = nullptr) {
  static const auto scratch = Small().NewScratch();
  std::vector<Token> tokens;
  bool complete = Small().Encode(text, tokens_max, scratch.get(), &tokens);
  if (whole != nullptr) *whole = complete;
  return tokens;
}

std::vector<int> Ids(std::string_view text) {
  std::vector<int> ids;
  for (const Token& token : Encode(text)) ids.push_back(token.id);
  return ids;
}

void Refused(const std::string& json, StatusCode code, const std::string& part) {
  std::unique_ptr<Tokenizer> tokenizer;
  Status status = Load(json, &tokenizer);
  CHECK(status.code == code);
  if (status.message.find(part) == std::string::npos)
    Fail(__FILE__, __LINE__, status.message + " lacks " + part);
}

std::string Replaced(const std::string& from, const std::string& to) {
  std::string json = Json(kVocab);
  size_t at = json.find(from);
  CHECK(at != std::string::npos);
  return json.replace(at, from.size(), to);
}

}  // namespace

TEST(the_best_path_wins_and_words_are_marked) {
  CHECK(Ids("hello") == std::vector<int>({5}));
  CHECK(Ids("  Hello   HELLO ") == std::vector<int>({5, 5}));
  CHECK(Ids("ab") == std::vector<int>({4, 10}));
  CHECK(Ids("") == std::vector<int>());
  CHECK(Ids(" \t\n ") == std::vector<int>());
  CHECK(Ids("▁hello") == std::vector<int>({5}));
}

TEST(neighbouring_unknowns_become_one) {
  CHECK(Ids("xyz") == std::vector<int>({4, 3}));
  CHECK(Ids("xay") == std::vector<int>({4, 3, 8, 3}));
}

TEST(repeated_words_give_what_they_gave_first) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string word;
    for (size_t i = 0; i < 1 + random() % 8; ++i) word += "abhelox"[random() % 7];
    CHECK(Ids(word) == Ids(word));
  }
}

TEST(spans_are_in_order_in_bounds_and_on_characters) {
  std::mt19937 random(2);
  const char* pieces[] = {"hello", " ",        "é",  "日本", "\xF0\x9F\x98\x80",
                          "x",     "\xCC\x81", "\n", "▁",    "ab"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (size_t i = 0; i < random() % 20; ++i) text += pieces[random() % 10];
    uint32_t begin = 0, end = 0;
    for (const Token& token : Encode(text)) {
      CHECK(token.begin >= begin && token.end >= end && token.begin <= token.end &&
            token.end <= text.size());
      auto starts_character = [&](uint32_t at) {
        return at == text.size() || (text[at] & 0xC0) != 0x80;
      };
      CHECK(starts_character(token.begin) && starts_character(token.end));
      begin = token.begin;
      end = token.end;
    }
  }
  std::vector<Token> tokens = Encode("  hello ab");
  CHECK_EQ(tokens[0].end, 7u);
  CHECK_EQ(tokens.back().begin, 8u);
  CHECK_EQ(tokens.back().end, 10u);
}

TEST(encoding_stops_at_the_budget_and_says_so) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "hello ";
  bool whole;
  CHECK_EQ(Encode(text, 100, &whole).size(), 100u);
  CHECK(whole);
  CHECK_EQ(Encode(text, 99, &whole).size(), 99u);
  CHECK(!whole);
  CHECK_EQ(Encode(std::string(10000, 'b'), 7, &whole).size(), 7u);
  CHECK(!whole);
}

TEST(bytes_that_are_not_utf8_stand_for_the_replacement_character) {
  for (const char* bytes :
       {"\xFF", "\xC3", "\xE2\x96", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC0\x80", "a\x80"}) {
    std::string text = std::string("hello ") + bytes + " hello";
    std::vector<Token> tokens = Encode(text);
    CHECK_EQ(tokens.front().id, 5);
    CHECK_EQ(tokens.back().id, 5);
    CHECK_EQ(tokens.back().end, static_cast<uint32_t>(text.size()));
  }
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 40, 0);
    for (char& c : text) c = static_cast<char>(random());
    for (const Token& token : Encode(text)) CHECK(token.end <= text.size());
  }
}

TEST(other_tokenizers_are_refused_by_name) {
  Refused(Replaced("\"Unigram\"", "\"BPE\""), StatusCode::kModelUnsupported, "BPE");
  Refused(Replaced("\"Lowercase\"", "\"NFC\""), StatusCode::kModelUnsupported, "NFC");
  Refused(Replaced("\"always\"", "\"first\""), StatusCode::kModelUnsupported, "first");
  Refused(Replaced("\" {2,}\"", "\" +\""), StatusCode::kModelUnsupported, "pattern");
  Refused(Replaced("\"byte_fallback\":false", "\"byte_fallback\":true"),
          StatusCode::kModelUnsupported, "byte_fallback");
  Refused(Replaced("\"added_tokens\":[]", "\"added_tokens\":[{}]"), StatusCode::kModelUnsupported,
          "added_tokens");
  Refused(Replaced("\"truncation\":null", "\"truncation\":{}"), StatusCode::kModelUnsupported,
          "truncation");
  Refused(Replaced("\"unk_id\":3", "\"unk_id\":99"), StatusCode::kModelUnsupported, "unk_id");
  Refused(Replaced("\"unk_id\":3,", ""), StatusCode::kModelUnsupported, "unk_id");
  Refused(Replaced("\"normalizer\"", "\"normaliser\""), StatusCode::kModelUnsupported,
          "normalizer");
  Refused(Json(R"([["<s>",0],["</s>",0],["",0],["<unk>",0]])"), StatusCode::kModelUnsupported,
          "empty");
  Refused(Json(R"([["<s>",0],["</s>",0],["a",0],["a",0]])"), StatusCode::kModelUnsupported,
          "distinct");
  Refused(Json("[]"), StatusCode::kModelUnsupported, "pieces");
  Refused(Replaced("\"padding\":null", "\"padding\":{}"), StatusCode::kModelUnsupported, "padding");
  Refused(Replaced("\"unk_id\":3", "\"unk_id\":3.5"), StatusCode::kModelUnsupported, "unk_id");
  Refused(Replaced("{\"id\":\"A\"", "{\"id\":\"B\""), StatusCode::kModelUnsupported, "template");
  Refused(Replaced("\"special_tokens\":{}", "\"special_tokens\":{\"<s>\":{\"ids\":[7]}}"),
          StatusCode::kModelUnsupported, "<s>");
}

TEST(the_order_of_a_file_s_members_hides_nothing) {
  std::string whole = Json(kVocab);
  whole.pop_back();
  Refused(whole + R"(,"added_tokens":[{}]})", StatusCode::kModelUnsupported, "added_tokens");
  Refused(whole + R"(,"truncation":{}})", StatusCode::kModelUnsupported, "truncation");
  Refused(whole + R"(,"padding":{}})", StatusCode::kModelUnsupported, "padding");
  Refused(whole + R"(,"normalizer":null})", StatusCode::kModelUnsupported, "two");
}

TEST(damaged_files_are_refused) {
  Refused("", StatusCode::kModelDamaged, "content");
  Refused(" ", StatusCode::kModelDamaged, "object");
  Refused("[]", StatusCode::kModelDamaged, "object");
  Refused(Replaced("BAAAAAAAAAA=", "not base64!"), StatusCode::kModelDamaged, "base64");
  Refused(Replaced("BAAAAAAAAAA=", "/////w=="), StatusCode::kModelDamaged, "charsmap");
  Refused(Json(R"([["a"]])"), StatusCode::kModelDamaged, "vocab");
  Refused(Json(R"([["a","b"]])"), StatusCode::kModelDamaged, "vocab");
  std::string whole = Json(kVocab);
  std::unique_ptr<Tokenizer> tokenizer;
  for (size_t size = 0; size < whole.size(); ++size)
    CHECK(!Load(whole.substr(0, size), &tokenizer).ok());
  std::mt19937 random(4);
  for (int round = 0; round < 2000; ++round) {  // any change: an answer, never a crash
    std::string bad = whole;
    bad[random() % bad.size()] = static_cast<char>(random());
    Load(bad, &tokenizer);
  }
}

TEST(parts_given_twice_are_refused) {
  std::string whole = Json(kVocab);
  whole.pop_back();
  const std::string again = R"(,"model":{"type":"Unigram","unk_id":3)";
  Refused(whole + again + "}}", StatusCode::kModelUnsupported, "two");
  Refused(whole + again + R"(,"vocab":[["<s>",0],["</s>",0]]}})", StatusCode::kModelUnsupported,
          "two");
  Refused(
      Replaced("\"normalizer\"", "\"normalizer\":" + std::string(kNormalizer) + ",\"normalizer\""),
      StatusCode::kModelUnsupported, "two");
  Refused(Replaced("\"vocab\":", "\"vocab\":[[\"a\",0]],\"vocab\":"), StatusCode::kModelUnsupported,
          "distinct");
}

TEST(what_is_no_file_is_refused) {
  std::unique_ptr<Tokenizer> tokenizer;
  const std::string folder = NewFolder();
  CHECK(Tokenizer::Load(folder + "/nothing.json", &tokenizer).code == StatusCode::kModelNotFound);
  CHECK(Tokenizer::Load(folder, &tokenizer).code == StatusCode::kModelDamaged);
}

// A folder with the small tokenizer, packed.
std::string PackedFolder() {
  std::string folder = NewFolder();
  WriteAll(folder + "/tokenizer.json", Json(kVocab));
  CHECK(PackTokenizer(folder).ok());
  return folder;
}

Status Open(const std::string& folder) {
  std::unique_ptr<Tokenizer> tokenizer;
  return Tokenizer::Open(folder, &tokenizer);
}

TEST(the_packed_tokenizer_gives_what_tokenizer_json_gives) {
  const std::string folder = PackedFolder();
  std::unique_ptr<Tokenizer> packed;
  CHECK(Tokenizer::Open(folder, &packed).ok());
  CHECK_EQ(packed->vocabulary_size(), Small().vocabulary_size());
  CHECK_EQ(packed->bos_id(), Small().bos_id());
  CHECK_EQ(packed->eos_id(), Small().eos_id());
  auto scratch = packed->NewScratch();
  std::mt19937 random(6);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (size_t i = random() % 40; i > 0; --i)
      text += random() % 9 == 0 ? static_cast<char>(random()) : "helo ab\xC3\xA9"[random() % 9];
    std::vector<Token> tokens, expected = Encode(text);
    packed->Encode(text, 1000, scratch.get(), &tokens);
    CHECK_EQ(tokens.size(), expected.size());
    for (size_t i = 0; i < std::min(tokens.size(), expected.size()); ++i) {
      CHECK(tokens[i].id == expected[i].id && tokens[i].begin == expected[i].begin &&
            tokens[i].end == expected[i].end);
    }
  }
  std::string first = ReadAll(folder + "/tokenizer.packed");
  CHECK(PackTokenizer(folder).ok());
  CHECK(first == ReadAll(folder + "/tokenizer.packed"));
}

TEST(a_changed_byte_anywhere_in_the_packed_tokenizer_is_found) {
  const std::string folder = PackedFolder(), path = folder + "/tokenizer.packed";
  CHECK(Open(folder).ok());
  const std::string good = ReadAll(path);
  std::mt19937 random(7);
  auto refused = [&](const std::string& bad) {
    WriteAll(path, bad);
    return Open(folder).code == StatusCode::kModelDamaged;
  };
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1 << random() % 8);
    if (!refused(bad)) Fail(__FILE__, __LINE__, "byte " + std::to_string(at));
  }
  for (size_t size = 0; size < good.size(); size += 1 + random() % 50)
    CHECK(refused(good.substr(0, size)));
  CHECK(refused(good + std::string(64, '\0')));
  CHECK(refused(good + good));
}

TEST(a_packed_tokenizer_that_is_missing_or_of_another_tokenizer_json_is_refused_with_what_to_do) {
  const std::string folder = PackedFolder(), source = folder + "/tokenizer.json";
  const std::string json = ReadAll(source);
  auto refused = [&](StatusCode code, const std::string& part) {
    Status status = Open(folder);
    CHECK(status.code == code);
    for (const std::string& each : {part, std::string("ghostai-pack " + folder)}) {
      if (status.message.find(each) == std::string::npos)
        Fail(__FILE__, __LINE__, status.message + " lacks " + each);
    }
  };
  std::string other = json;
  other[other.find("-5.5")] = '1';
  for (const std::string& stale : {other, json + " "}) {
    WriteAll(source, stale);
    refused(StatusCode::kModelDamaged, "made from this tokenizer.json");
  }
  std::remove(source.c_str());  // only needed to pack
  CHECK(Open(folder).ok());
  std::remove((folder + "/tokenizer.packed").c_str());
  refused(StatusCode::kModelNotFound, "tokenizer.packed");
  CHECK(PackTokenizer(folder).code == StatusCode::kModelNotFound);
}

// Sections that no import makes, under checksums that are right.
TEST(hostile_tables_are_refused_or_never_left) {
  const std::string folder = NewFolder();
  std::vector<std::string> good;
  CHECK(ImportTokenizer(Json(kVocab), &good).ok());
  auto write = [&](const std::vector<std::string>& sections) {
    CHECK(WritePackedFile(folder, kPackedTokenizer, {{0, 0}, {0, 0}}, sections).ok());
  };
  write(good);
  CHECK(Open(folder).ok());
  auto refused = [&](size_t section, size_t at, const void* bytes, size_t size) {
    std::vector<std::string> bad = good;
    bad[section].replace(at, size, static_cast<const char*>(bytes), size);
    write(bad);
    if (Open(folder).code != StatusCode::kModelDamaged)
      Fail(__FILE__, __LINE__, "section " + std::to_string(section) + " at " + std::to_string(at));
  };
  auto nodes = static_cast<int32_t>(good[kTrieSection].size() / sizeof(TrieNode));
  for (int32_t id : {-1, 13, INT32_MAX, INT32_MIN}) {
    for (size_t at : {0, 4, 8}) refused(kIdsSection, at, &id, 4);
  }
  for (int32_t base : {-1, nodes - 255, INT32_MAX, INT32_MIN}) refused(kTrieSection, 0, &base, 4);
  for (int32_t value : {-2, 13, INT32_MAX, INT32_MIN}) refused(kTrieSection, 8, &value, 4);
  for (double score : {std::nan(""), HUGE_VAL, -HUGE_VAL}) refused(kScoresSection, 16, &score, 8);
  for (size_t section = 0; section < kTokenizerSections; ++section) {
    for (size_t size : {size_t{0}, size_t{1}, good[section].size() + 1}) {
      if (section == kReplacementsSection) continue;  // any size is right for these
      std::vector<std::string> bad = good;
      bad[section].resize(size);
      write(bad);
      CHECK(Open(folder).code == StatusCode::kModelDamaged);
    }
  }
  std::vector<std::string> fewer = good;
  fewer.pop_back();
  write(fewer);
  CHECK(Open(folder).code == StatusCode::kModelDamaged);

  std::mt19937 random(8);
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(random() % 3 == 0 ? random() : 'a');
  size_t opened = 0;
  for (int round = 0; round < 1000; ++round) {
    std::vector<std::string> bad = good;
    for (size_t changes = 1 + random() % 8; changes > 0; --changes) {
      std::string& section = bad[random() % bad.size()];
      if (section.empty()) continue;
      // A small number somewhere, as an index is.
      size_t at = random() % section.size() / 4 * 4;
      section[at] = static_cast<char>(random());
      if (at + 1 < section.size() && random() % 2 == 0)
        section[at + 1] = static_cast<char>(random());
    }
    write(bad);
    std::unique_ptr<Tokenizer> tokenizer;
    if (!Tokenizer::Open(folder, &tokenizer).ok()) continue;
    ++opened;
    auto scratch = tokenizer->NewScratch();
    std::vector<Token> tokens;
    tokenizer->Encode(text, 1000, scratch.get(), &tokens);
    for (const Token& token : tokens) {
      CHECK(token.id >= 0 && static_cast<size_t>(token.id) < tokenizer->vocabulary_size());
      CHECK(token.begin <= token.end && token.end <= text.size());
    }
  }
  CHECK(opened > 100);
}

TEST(the_checksum_sees_every_changed_bit_and_the_length) {
  std::mt19937 random(9);
  std::string bytes(300, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t size : {0, 1, 7, 63, 64, 65, 128, 200, 300}) {
    std::string part = bytes.substr(0, size);
    uint64_t sum = Checksum(part);
    CHECK(Checksum(part + '\0') != sum);
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      part[bit / 8] = static_cast<char>(part[bit / 8] ^ 1 << bit % 8);
      CHECK(Checksum(part) != sum);
      part[bit / 8] = static_cast<char>(part[bit / 8] ^ 1 << bit % 8);
    }
  }
}

TEST(json_is_read_strictly) {
  auto reads = [](const std::string& text) {
    JsonReader reader(text);
    return reader.Skip() && reader.AtEnd();
  };
  for (const char* good :
       {"{}", "[]", " [1, -2.5e3, \"a\\u00e9\\ud83d\\ude00\\n\", true, false, null, {\"a\":{}}] "})
    CHECK(reads(good));
  for (const char* bad :
       {"",       "{",   "[1,]", "{\"a\"}", "{\"a\":1,}", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"",
        "\"\n\"", "tru", "01x",  "01",      "-",          "-01",     "1.",          ".5",
        "1e",     "1e+", "+1",   "1e999",   "--1",        "[1 2]",   "{} {}"}) {
    CHECK(!reads(bad));
  }
  for (const char* good : {"0", "-0", "0.5", "-10.25E-3", "1e+2"}) CHECK(reads(good));
  CHECK(reads("0." + std::string(1000, '5')));
  CHECK(reads(std::string(64, '[') + std::string(64, ']')));
  CHECK(!reads(std::string(65, '[') + std::string(65, ']')));
  CHECK(!reads(std::string(1 << 20, '[')));
}

TEST(the_trie_finds_its_keys_and_no_others) {
  std::mt19937 random(5);
  std::vector<std::string> keys;
  for (int i = 0; i < 5000; ++i) {
    std::string key;
    for (size_t k = 0; k < 1 + random() % 6; ++k)
      key += static_cast<char>(random() % 7 == 0 ? random() : 'a' + random() % 4);
    keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<std::pair<std::string_view, int32_t>> pairs;
  for (size_t i = 0; i < keys.size(); ++i) pairs.emplace_back(keys[i], static_cast<int32_t>(i));
  std::vector<TrieNode> nodes = BuildTrie(pairs);
  Trie trie(nodes.data(), nodes.size());
  CHECK(trie.Holds(static_cast<int32_t>(keys.size())));
  CHECK(!trie.Holds(static_cast<int32_t>(keys.size()) - 1));
  auto find = [&](const std::string& key) {
    int32_t node = 0;
    for (char c : key) {
      node = trie.Step(node, static_cast<unsigned char>(c));
      if (node == Trie::kNone) return Trie::kNone;
    }
    return trie.Value(node);
  };
  for (size_t i = 0; i < keys.size(); ++i) CHECK_EQ(find(keys[i]), static_cast<int32_t>(i));
  for (int i = 0; i < 5000; ++i) {
    std::string key = keys[random() % keys.size()] + static_cast<char>(random());
    CHECK_EQ(find(key) != Trie::kNone, std::binary_search(keys.begin(), keys.end(), key));
  }
}

TEST(utf16_becomes_utf8_and_is_counted) {
  std::string out;
  Utf16ToUtf8(u"a\u00e9\u20ac\U0001F600", &out);
  CHECK_EQ(out, std::string("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  CHECK_EQ(Utf16Length(out), 5u);
  std::u16string lone = {u'a', 0xD800, u'b', 0xDC00};
  Utf16ToUtf8(lone, &out);
  CHECK_EQ(out, std::string("a\xEF\xBF\xBD"
                            "b\xEF\xBF\xBD"));
}

CHECK_MAIN()
