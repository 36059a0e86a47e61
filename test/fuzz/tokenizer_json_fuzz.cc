// tokenizer.json: an input is the file. Whatever the bytes, they are refused with a message or give
// a tokenizer that keeps to its promises.
#include "small_tokenizer.h"

namespace ghostai::fuzz {

namespace {

class Target {
 public:
  Target() : path_(folder_.path() + "/tokenizer.json"), file_(path_) {}

  void Run(std::string_view json) {
    file_.Write(json);
    std::unique_ptr<Tokenizer> tokenizer;
    Status status = Tokenizer::Load(path_, &tokenizer);
    if (!status.ok()) {
      EXPECT(tokenizer == nullptr);
      CheckRefusal(status);
      return;
    }
    Encodings encodings(*tokenizer);
    encodings.Check("", 0, 0);
    encodings.Check("  Hello \t ab\n\xC3\xA9xyz Q~^<s>\xE2\x96\x81", 5, 66);
    encodings.Check("\xE6\x97\xA5\xF0\x9F\x98\x80\xCC\x81\xFF ab ab abab", 3, 129);
    encodings.Check(json.substr(json.size() - std::min<size_t>(json.size(), 100)), 11, 400);
  }

 private:
  Folder folder_;
  std::string path_;
  MemoryFile file_;
};

}  // namespace

std::vector<std::string> Seeds() {
  return {TokenizerJson(EmptyMap(), kPieces),
          TokenizerJson(CharacterMapBytes(kReplacements), kPieces),
          TokenizerJson(EmptyMap(), {{"<s>", 1e300}, {"</s>", -1e300}, {"a", 1e-300}, {"b", 0}}),
          R"({"a":[1e5,-0.5,true,false,null,"\u00e9\ud83d\ude00\n"]})"};
}

}  // namespace ghostai::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ghostai::fuzz::Target target;
  target.Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
