#include "json.h"

#include <charconv>
#include <cstdint>

#include "utf8.h"

namespace ghostai {

namespace {
constexpr size_t kDepthMax = 64;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

bool JsonReader::Fail(const std::string& expected) {
  if (error_.empty()) error_ = "Expected " + expected + " at byte " + std::to_string(at_);
  at_ = text_.size();
  return false;
}

void JsonReader::SkipSpace() {
  while (at_ < text_.size()) {
    char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++at_;
  }
}

JsonReader::Kind JsonReader::Peek() {
  SkipSpace();
  if (failed() || at_ >= text_.size()) return Kind::kInvalid;
  switch (text_[at_]) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBoolean;
    case 'n':
      return Kind::kNull;
    default:
      return text_[at_] == '-' || (text_[at_] >= '0' && text_[at_] <= '9') ? Kind::kNumber
                                                                           : Kind::kInvalid;
  }
}

bool JsonReader::Enter(char open, const char* what) {
  SkipSpace();
  if (failed()) return false;
  if (at_ >= text_.size() || text_[at_] != open) return Fail(what);
  if (first_.size() >= kDepthMax) return Fail("at most 64 levels of nesting");
  ++at_;
  first_.push_back(true);
  return true;
}

// Steps over the comma before the next member, or leaves the level at its end.
bool JsonReader::Next(char close, const char* what) {
  SkipSpace();
  if (failed()) return false;
  if (first_.empty()) return Fail(what);
  if (at_ < text_.size() && text_[at_] == close) {
    ++at_;
    first_.pop_back();
    return false;
  }
  if (!first_.back()) {
    if (at_ >= text_.size() || text_[at_] != ',')
      return Fail(std::string("',' or '") + close + "'");
    ++at_;
    SkipSpace();
  }
  first_.back() = false;
  return true;
}

bool JsonReader::NextKey(std::string* key) {
  if (!Next('}', "a key")) return false;
  if (!ReadString(key)) return false;
  SkipSpace();
  if (at_ >= text_.size() || text_[at_] != ':') return Fail("':'");
  ++at_;
  return true;
}

bool JsonReader::NextElement() { return Next(']', "an element"); }

bool JsonReader::ReadString(std::string* value) {
  value->clear();
  SkipSpace();
  if (failed()) return false;
  if (at_ >= text_.size() || text_[at_] != '"') return Fail("a string");
  ++at_;
  auto hex4 = [&](uint32_t* out) {
    if (at_ + 4 > text_.size()) return false;
    uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
      int digit = HexDigit(text_[at_ + i]);
      if (digit < 0) return false;
      unit = unit * 16 + static_cast<uint32_t>(digit);
    }
    at_ += 4;
    *out = unit;
    return true;
  };
  while (true) {
    size_t plain = at_;
    while (plain < text_.size() && text_[plain] != '"' && text_[plain] != '\\' &&
           static_cast<unsigned char>(text_[plain]) >= 0x20) {
      ++plain;
    }
    value->append(text_.substr(at_, plain - at_));
    at_ = plain;
    if (at_ >= text_.size()) return Fail("the end of a string");
    char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c != '\\') return Fail("no control character in a string");
    ++at_;
    if (at_ >= text_.size()) return Fail("an escape");
    char escape = text_[at_++];
    switch (escape) {
      case '"':
      case '\\':
      case '/':
        value->push_back(escape);
        break;
      case 'b':
        value->push_back('\b');
        break;
      case 'f':
        value->push_back('\f');
        break;
      case 'n':
        value->push_back('\n');
        break;
      case 'r':
        value->push_back('\r');
        break;
      case 't':
        value->push_back('\t');
        break;
      case 'u': {
        uint32_t unit;
        if (!hex4(&unit)) return Fail("four hexadecimal digits");
        if (unit >= 0xD800 && unit < 0xDC00) {
          uint32_t low;
          if (text_.substr(at_, 2) != "\\u") return Fail("a low surrogate");
          at_ += 2;
          if (!hex4(&low) || low < 0xDC00 || low > 0xDFFF) return Fail("a low surrogate");
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        } else if (unit >= 0xDC00 && unit < 0xE000) {
          return Fail("no lone low surrogate");
        }
        AppendUtf8(unit, value);
        break;
      }
      default:
        return Fail("a known escape");
    }
  }
}

bool JsonReader::ReadNumber(double* value) {
  if (Peek() != Kind::kNumber) return Fail("a number");
  size_t end = at_;
  auto digit = [&] { return end < text_.size() && text_[end] >= '0' && text_[end] <= '9'; };
  auto digits = [&] {
    if (!digit()) return false;
    while (digit()) ++end;
    return true;
  };
  // JSON's grammar is narrower than from_chars': no leading zeros, digits on both sides of a point.
  if (text_[end] == '-') ++end;
  bool zero = end < text_.size() && text_[end] == '0';
  size_t whole = end;
  if (!digits() || (zero && end - whole > 1)) return Fail("a number");
  if (end < text_.size() && text_[end] == '.') {
    ++end;
    if (!digits()) return Fail("a number");
  }
  if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
    ++end;
    if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
    if (!digits()) return Fail("a number");
  }
  auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + end, *value);
  if (error != std::errc() || stop != text_.data() + end)
    return Fail("a number that a double can hold");
  at_ = end;
  return true;
}

bool JsonReader::Literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return Fail(std::string(word));
  at_ += word.size();
  return true;
}

bool JsonReader::ReadBoolean(bool* value) {
  if (Peek() != Kind::kBoolean) return Fail("true or false");
  *value = text_[at_] == 't';
  return Literal(*value ? "true" : "false");
}

bool JsonReader::ReadNull() {
  if (Peek() != Kind::kNull) return Fail("null");
  return Literal("null");
}

bool JsonReader::Skip() {
  // Levels opened by this call, as their closing characters.
  std::string open;
  std::string text;
  double number;
  bool boolean;
  do {
    if (!open.empty()) {
      bool more = open.back() == '}' ? NextKey(&text) : NextElement();
      if (failed()) return false;
      if (!more) {
        open.pop_back();
        continue;
      }
    }
    switch (Peek()) {
      case Kind::kObject:
        if (!EnterObject()) return false;
        open.push_back('}');
        break;
      case Kind::kArray:
        if (!EnterArray()) return false;
        open.push_back(']');
        break;
      case Kind::kString:
        if (!ReadString(&text)) return false;
        break;
      case Kind::kNumber:
        if (!ReadNumber(&number)) return false;
        break;
      case Kind::kBoolean:
        if (!ReadBoolean(&boolean)) return false;
        break;
      case Kind::kNull:
        if (!ReadNull()) return false;
        break;
      case Kind::kInvalid:
        return Fail("a value");
    }
  } while (!open.empty());
  return true;
}

bool JsonReader::AtEnd() {
  SkipSpace();
  if (!failed() && (at_ < text_.size() || !first_.empty())) Fail("the end of the file");
  return !failed();
}

}  // namespace ghostai
