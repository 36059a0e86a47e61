// A strict pull reader for JSON files that may be hostile: bounded depth, no
// recursion, no exceptions, no tree. The caller asks for what it expects; the
// first thing that is not so sets error() and every later call returns false.
//
//   reader.EnterObject();
//   while (reader.NextKey(&key)) { if (key == "x") reader.ReadNumber(&x); else reader.Skip(); }
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ghostai {

class JsonReader {
 public:
  enum class Kind { kObject, kArray, kString, kNumber, kBoolean, kNull, kInvalid };

  // `text` must outlive the reader.
  explicit JsonReader(std::string_view text) : text_(text) {}

  Kind Peek();

  bool EnterObject() { return Enter('{', "an object"); }
  // False at the end of the object (which is then left) or on an error.
  bool NextKey(std::string* key);

  bool EnterArray() { return Enter('[', "an array"); }
  // False at the end of the array (which is then left) or on an error.
  bool NextElement();

  bool ReadString(std::string* value);
  bool ReadNumber(double* value);
  bool ReadBoolean(bool* value);
  bool ReadNull();
  // Reads one value of any kind and forgets it.
  bool Skip();

  // True when nothing but white space is left and nothing failed.
  bool AtEnd();
  bool failed() const { return !error_.empty(); }
  // Says what was expected and at which byte.
  const std::string& error() const { return error_; }

 private:
  bool Enter(char open, const char* what);
  bool Next(char close, const char* what);
  bool Literal(std::string_view word);
  void SkipSpace();
  bool Fail(const std::string& expected);

  std::string_view text_;
  size_t at_ = 0;
  std::vector<bool> first_;  // of each open level: nothing was read in it yet
  std::string error_;
};

}  // namespace ghostai
