// Tokenizer files of a few pieces for the fuzz targets, and what every encoding
// has to keep to, whatever the tokenizer and the text.
#pragma once

#include <map>
#include <set>

#include "fuzz.h"
#include "ghostai.h"
#include "runtime/windows.h"
#include "tokenizer/utf8.h"

namespace ghostai::fuzz {

inline std::string Base64(std::string_view bytes) {
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = i; k < i + 3; ++k)
      three = three << 8 | (k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : digits[three >> (18 - 6 * k) & 63];
  }
  return text;
}

// A character map as a file has it before base64: size, units, replacements. Each key of one or two
// bytes goes to its replacement.
inline std::string CharacterMapBytes(const std::map<std::string, std::string>& replacements) {
  std::vector<uint32_t> units(1024);
  auto unit = [](unsigned char label, bool leaf, uint32_t offset) {
    return label | static_cast<uint32_t>(leaf) << 8 | offset << 10;
  };
  std::string text;
  uint32_t next_block = 256;  // of the second bytes of keys with one first byte
  for (const auto& [key, replacement] : replacements) {
    auto first = static_cast<unsigned char>(key[0]);
    size_t last = first;
    if (key.size() == 2) {
      if (units[first] == 0) {
        units[first] = unit(first, false, next_block);
        next_block += 256;
      }
      auto second = static_cast<unsigned char>(key[1]);
      last = first ^ (units[first] >> 10) ^ second;
      units[last] = unit(second, true, 0x40);
    } else {
      units[first] = unit(first, true, 0x80);
    }
    size_t leaf = last ^ (key.size() == 2 ? 0x40 : 0x80);
    units[leaf] = 1u << 31 | static_cast<uint32_t>(text.size());
    text += replacement + '\0';
  }
  auto size = static_cast<uint32_t>(units.size() * 4);
  return std::string(reinterpret_cast<const char*>(&size), 4) +
         std::string(reinterpret_cast<const char*>(units.data()), size) + text;
}

inline const std::map<std::string, std::string> kReplacements = {{"\x01", ""},
                                                                 {"\t", " "},
                                                                 {"Q", "quick "},
                                                                 {"\xC2\xA0", " "},
                                                                 {"\xC2\xAA", "a"},
                                                                 {"\xC2\xAD", ""},
                                                                 {"\xC3\x9F", "ss"},
                                                                 {"\xC3\xA9", "e\xCC\x81"},
                                                                 {"~", "\xFF\xE2\x96"},
                                                                 {"^", "\xE2\x96\x81"},
                                                                 {"\xC3\x84", "\xC3\xA4"}};

struct Piece {
  std::string text;
  double score;
};

inline const std::vector<Piece> kPieces = {{"<s>", 0},
                                           {"<pad>", 0},
                                           {"</s>", 0},
                                           {"<unk>", 0},
                                           {"\xE2\x96\x81", -3},
                                           {"\xE2\x96\x81hello", -4},
                                           {"\xE2\x96\x81he", -5},
                                           {"llo", -5},
                                           {"a", -6},
                                           {"b", -6},
                                           {"ab", -7},
                                           {"\xC3\xA9", -6},
                                           {"\xE2\x96\x81"
                                            "a",
                                            -5.5},
                                           {"e", -6},
                                           {"\xCC\x81", -7},
                                           {"quick", -4},
                                           {"s", -6},
                                           {"ss", -6.5},
                                           {"\xC3\xA4", -5},
                                           {"\xE6\x97", -2}};

inline std::string JsonString(std::string_view text) {
  std::string json = "\"";
  for (char c : text) {
    char escaped[8];
    bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c) & 0xFF);
    json += plain ? std::string(1, c) : escaped;
  }
  return json + "\"";
}

inline std::string TokenizerJson(std::string_view character_map, const std::vector<Piece>& pieces) {
  std::string vocabulary;
  for (const Piece& piece : pieces) {
    vocabulary += (vocabulary.empty() ? "[" : ",[") + JsonString(piece.text) + "," +
                  std::to_string(piece.score) + "]";
  }
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":)"
         R"({"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":")" +
         Base64(character_map) +
         R"("},{"type":"Lowercase"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},)"
         R"({"type":"Strip","strip_left":true,"strip_right":true}]},"pre_tokenizer":)"
         R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},)"
         R"("post_processor":{"type":"TemplateProcessing","single":)"
         R"([{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},)"
         R"({"SpecialToken":{"id":"</s>","type_id":0}}],"special_tokens":)"
         R"({"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}},)"
         R"("model":{"type":"Unigram","unk_id":3,"byte_fallback":false,"vocab":[)" +
         vocabulary + "]}}";
}

// A character map that maps nothing: one empty unit.
inline std::string EmptyMap() { return std::string("\x04\0\0\0\0\0\0\0", 8); }

// Encodings of one tokenizer, with scratch that has met all the texts before.
class Encodings {
 public:
  explicit Encodings(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    used_ = tokenizer.NewScratch();
    windows_.tokenizer = tokenizer.NewScratch();
  }

  // Ends the process where a promise of Tokenizer or WindowPlan is broken on `text`. `budget` and
  // `stride` are any numbers, made fit.
  void Check(std::string_view text, size_t budget, size_t stride) {
    std::vector<Token> tokens = Encode(text, SIZE_MAX, tokenizer_.NewScratch().get());
    CheckTokens(text, tokens);
    EXPECT(Same(tokens, Encode(text, SIZE_MAX, used_.get()), tokens.size()));
    EXPECT(Same(tokens, Encode(text, SIZE_MAX, used_.get()), tokens.size()));
    for (size_t tokens_max : {budget % (tokens.size() + 2), tokens.size()}) {
      std::vector<Token> some;
      bool whole = tokenizer_.Encode(text, tokens_max, used_.get(), &some);
      EXPECT(whole == (tokens.size() <= tokens_max));
      EXPECT(Same(tokens, some, std::min(tokens_max, tokens.size())));
    }
    CheckWindows(text, tokens.size(), budget, stride);
  }

 private:
  std::vector<Token> Encode(std::string_view text, size_t tokens_max, Tokenizer::Scratch* scratch) {
    std::vector<Token> tokens;
    EXPECT(tokenizer_.Encode(text, tokens_max, scratch, &tokens));
    return tokens;
  }

  static bool Same(const std::vector<Token>& all, const std::vector<Token>& some, size_t count) {
    return some.size() == count &&
           std::equal(some.begin(), some.end(), all.begin(), [](const Token& a, const Token& b) {
             return a.id == b.id && a.begin == b.begin && a.end == b.end;
           });
  }

  void CheckTokens(std::string_view text, const std::vector<Token>& tokens) {
    std::vector<bool> boundary(text.size() + 1);
    boundary[text.size()] = true;
    for (size_t at = 0; at < text.size();) {
      uint32_t length;
      DecodeUtf8(text, at, &length);
      boundary[at] = true;
      at += length;
    }
    uint32_t begin = 0, end = 0;
    for (const Token& token : tokens) {
      EXPECT(token.id >= 0 && static_cast<size_t>(token.id) < tokenizer_.vocabulary_size());
      EXPECT(begin <= token.begin && end <= token.end);
      EXPECT(token.begin <= token.end && token.end <= text.size());
      EXPECT(boundary[token.begin] && boundary[token.end]);
      begin = token.begin;
      end = token.end;
    }
  }

  // The text and, so that windows repeat, the text again.
  void CheckWindows(std::string_view text, size_t tokens, size_t budget, size_t stride) {
    std::u16string wide;
    for (size_t at = 0; at < text.size();) {
      uint32_t length;
      uint32_t point = DecodeUtf8(text, at, &length);
      at += length;
      if (point >= 0x10000) wide += static_cast<char16_t>(0xD7C0 + (point >> 10));
      wide += static_cast<char16_t>(point >= 0x10000 ? 0xDC00 + (point & 0x3FF) : point);
    }
    WindowShape shape{3 + static_cast<uint32_t>(stride / 64 % 30), 0};
    shape.stride = 1 + static_cast<uint32_t>(stride) % (shape.tokens - 2);
    auto windows_max = 1 + static_cast<uint32_t>(budget % 7);
    WindowPlan plan;
    std::vector<WindowScore> windows;
    plan.Build({wide, wide}, windows_max, shape, tokenizer_, &windows_, &windows);
    EXPECT(plan.unique().size() <= windows_max);
    EXPECT(plan.source().size() == windows.size());
    for (const WindowPlan::Unique& unique : plan.unique()) {
      EXPECT(unique.count >= 2 && unique.count <= shape.tokens);
      const int32_t* ids = plan.ids(unique);
      EXPECT(ids[0] == tokenizer_.bos_id() && ids[unique.count - 1] == tokenizer_.eos_id());
      for (uint32_t i = 0; i < unique.count; ++i)
        EXPECT(ids[i] >= 0 && static_cast<size_t>(ids[i]) < tokenizer_.vocabulary_size());
    }
    size_t per_text[2] = {};
    uint32_t begin = 0, end = 0;
    auto whole_character = [&](uint32_t at) {
      return at == wide.size() || wide[at] < 0xDC00 || wide[at] > 0xDFFF;
    };
    for (size_t i = 0; i < windows.size(); ++i) {
      const WindowScore& window = windows[i];
      EXPECT(window.text < 2 && plan.source()[i] < plan.unique().size());
      if (per_text[window.text]++ == 0) begin = end = 0;
      EXPECT(window.text == 1 || per_text[1] == 0);
      EXPECT(begin <= window.begin && end <= window.end);
      EXPECT(window.begin <= window.end && window.end <= wide.size());
      EXPECT(whole_character(window.begin) && whole_character(window.end));
      begin = window.begin;
      end = window.end;
    }
    size_t inside = shape.tokens - 2;
    size_t whole = tokens <= inside ? 1 : 1 + (tokens - inside + shape.stride - 1) / shape.stride;
    if (plan.truncated()) {
      EXPECT(per_text[0] < whole || per_text[1] < whole);
    } else {
      EXPECT(per_text[0] == whole && per_text[1] == whole && plan.tokens() == 2 * tokens);
    }
  }

  const Tokenizer& tokenizer_;
  std::unique_ptr<Tokenizer::Scratch> used_;
  WindowScratch windows_;
};

}  // namespace ghostai::fuzz
