// The packed files, model.int8 (with config.json) and tokenizer.packed. The first byte of an input
// says what the rest is; 5 to 8 are 0 to 3 for tokenizer.packed:
//   0  the packed file itself, beside the small model's config.json
//   1  edits of the small model's packed file; then all checksums are made right, so that what lies
//      behind them is reached
//   2  one edit of eight bytes, checksums left: a change must be found and, in a section, named
//   3  a length and what follows it: the packed file cut there, or longer; must be found
//   4  eight bytes and a config.json: a packed file is made to fit it, its sections repeating the
//      eight bytes
//
// Whatever the bytes, they are refused with a message or give an encoder that scores, a window
// alone the same as beside another, or a tokenizer that keeps to its promises.
#include <cmath>

#include "../native/model_folder.h"
#include "encoder/packed.h"
#include "small_tokenizer.h"
#include "tokenizer/tables.h"

namespace ghostai::fuzz {

namespace {

const test::SmallShape kShape = {2, 64, 5, 4, {1}};
constexpr size_t kMadeBytesMax = 1 << 20;
constexpr size_t kTableAt = sizeof(PackedHeader);

size_t Filled(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where the first section begins.
size_t HeadBytes(const std::vector<SectionPlan>& plan) {
  return Filled(kTableAt + plan.size() * sizeof(PackedSection));
}

// Every checksum as the file's own table places them, as far as they lie in the file.
void MendChecksums(const std::vector<SectionPlan>& plan, std::string* file) {
  std::vector<PackedSection> table(plan.size());
  size_t table_bytes = table.size() * sizeof(PackedSection);
  std::memcpy(table.data(), file->data() + kTableAt, table_bytes);
  for (PackedSection& section : table) {
    if (section.offset <= file->size() && section.bytes <= file->size() - section.offset) {
      section.checksum =
          Checksum(std::string_view(*file).substr(section.offset, Filled(section.bytes)));
    }
  }
  std::memcpy(file->data() + kTableAt, table.data(), table_bytes);
  PackedHeader header;
  std::memcpy(&header, file->data(), sizeof(header));
  header.head_checksum = 0;
  std::memcpy(file->data(), &header, sizeof(header));
  header.head_checksum = Checksum(std::string_view(*file).substr(0, HeadBytes(plan)));
  std::memcpy(file->data(), &header, sizeof(header));
}

// One of the two packed files and what is done to it.
class Packed {
 public:
  Packed(const std::string& path, std::string good, std::vector<SectionPlan> plan)
      : good_(std::move(good)), plan_(std::move(plan)), file_(path) {}
  virtual ~Packed() = default;

  void Run(uint64_t how, Input input) {
    switch (how) {
      case 0:
        Runs(input.Rest());
        break;
      case 1:
        RunEdited(input);
        break;
      case 2: {
        size_t at = input.Number(3) % good_.size();
        std::string edited = good_;
        Edit(at, input.Take(8), &edited);
        if (edited != good_) CheckFound(edited);
        break;
      }
      case 3: {
        std::string cut = good_.substr(0, input.Number(3) % (good_.size() + 1));
        cut += input.Rest();
        if (cut != good_) EXPECT(!Runs(cut));
        break;
      }
    }
  }

  // Whether the file loads; it is then used.
  bool Runs(std::string_view file, std::string* message = nullptr) {
    file_.Write(file);
    Status status = Use();
    if (status.ok()) return true;
    CheckRefusal(status);
    if (message != nullptr) *message = status.message;
    return false;
  }

 protected:
  // Loads the file and uses what came of it.
  virtual Status Use() = 0;

 private:
  static void Edit(size_t at, std::string_view bytes, std::string* file) {
    bytes = bytes.substr(0, file->size() - at);
    file->replace(at, bytes.size(), bytes);
  }

  void RunEdited(Input input) {
    std::string file = good_;
    while (!input.empty()) {
      // Half of the edits go to the header and the table, which are a small part of the file.
      size_t at = input.Number(3), width = input.Number(1);
      at %= width & 1 ? HeadBytes(plan_) : file.size();
      Edit(at, input.Take(width & 2 ? 8 : width & 4 ? 4 : 1), &file);
    }
    MendChecksums(plan_, &file);
    Runs(file);
  }

  // A changed packed file is refused; a section that holds the change is named.
  void CheckFound(const std::string& edited) {
    std::string message;
    EXPECT(!Runs(edited, &message));
    std::vector<PackedSection> table(plan_.size());
    std::memcpy(table.data(), good_.data() + kTableAt, table.size() * sizeof(PackedSection));
    size_t first = 0, after = edited.size();
    while (edited[first] == good_[first]) ++first;
    while (edited[after - 1] == good_[after - 1]) --after;
    for (size_t i = 0; i < plan_.size(); ++i) {
      if (first >= table[i].offset && after <= table[i].offset + Filled(table[i].bytes))
        EXPECT(message.find("'" + plan_[i].name + "'") != std::string::npos);
    }
  }

  std::string good_;
  std::vector<SectionPlan> plan_;
  MemoryFile file_;
};

class PackedEncoder final : public Packed {
 public:
  PackedEncoder(const std::string& folder, std::string good, std::vector<SectionPlan> plan)
      : Packed(folder + "/model.int8", std::move(good), std::move(plan)), folder_(folder) {}

 private:
  Status Use() override {
    std::unique_ptr<Encoder> encoder;
    Status status = Encoder::Load(folder_, "scalar", &encoder);
    if (!status.ok()) {
      EXPECT(encoder == nullptr);
      return status;
    }
    Score(*encoder);
    EXPECT(Encoder::Load(folder_, "", &encoder).ok());
    Score(*encoder);
    return status;
  }

  static void Score(const Encoder& encoder) {
    std::vector<int32_t> ids;
    for (uint32_t i = 0; i < std::min(encoder.window_tokens_max(), 5u); ++i)
      ids.push_back(static_cast<int32_t>((i + 2) * 7 % encoder.vocabulary_size()));
    ids[0] = static_cast<int32_t>(encoder.vocabulary_size()) - 1;
    auto count = static_cast<uint32_t>(ids.size());
    Window windows[] = {{ids.data(), count}, {ids.data() + 1, count - 1}};
    auto scratch = encoder.NewScratch(2 * count);
    size_t exits = encoder.heads() - 1;
    std::vector<ExitRule> rules(exits, {-1, 1});
    std::vector<float> logits(2 * exits + 2);
    HeadScore beside[2], alone;
    encoder.Score(windows, 2, scratch.get(), rules.data(), beside, logits.data());
    for (size_t i = 0; i < 2; ++i) {
      EXPECT(beside[i].head < encoder.heads());
      encoder.Score(&windows[i], 1, scratch.get(), rules.data(), &alone, logits.data());
      EXPECT(alone.head == beside[i].head);
      // Finite weights as large as floats go give logits that are none: refused where they are
      // read.
      bool number = alone.logit == alone.logit;
      EXPECT(number ? alone.logit == beside[i].logit : beside[i].logit != beside[i].logit);
    }
  }

  std::string folder_;
};

class PackedTokenizer final : public Packed {
 public:
  PackedTokenizer(const std::string& folder, std::string good)
      : Packed(folder + "/tokenizer.packed", std::move(good), TokenizerPlan()), folder_(folder) {}

 private:
  Status Use() override {
    std::unique_ptr<Tokenizer> tokenizer;
    Status status = Tokenizer::Open(folder_, &tokenizer);
    if (!status.ok()) {
      EXPECT(tokenizer == nullptr);
      return status;
    }
    Encodings encodings(*tokenizer);
    encodings.Check("", 0, 0);
    encodings.Check("  Hello \t ab\n\xC3\xA9xyz Q~^<s>\xE2\x96\x81", 5, 66);
    encodings.Check("\xE6\x97\xA5\xF0\x9F\x98\x80\xCC\x81\xFF ab ab abab", 3, 129);
    return status;
  }

  std::string folder_;
};

class Target {
 public:
  Target() : config_text_(test::SmallConfig(kShape)), config_(folder_.path() + "/config.json") {
    // Without the sources beside them, as packed files may be.
    config_.Write(config_text_);
    Folder made;
    test::WriteSmallModel(made.path(), 1, kShape);
    test::WriteAll(made.path() + "/tokenizer.json",
                   TokenizerJson(CharacterMapBytes(kReplacements), kPieces));
    Status status = PackModel(made.path());
    if (status.ok()) status = PackTokenizer(made.path());
    if (!status.ok()) Broken(__FILE__, __LINE__, "to pack: " + status.message);
    Config config;
    EXPECT(ReadConfig(config_text_, &config).ok());
    std::string model = test::ReadAll(made.path() + "/model.int8");
    std::string tokenizer = test::ReadAll(made.path() + "/tokenizer.packed");
    encoder_ = std::make_unique<PackedEncoder>(folder_.path(), model, Layout(config));
    tokenizer_ = std::make_unique<PackedTokenizer>(folder_.path(), tokenizer);
    EXPECT(encoder_->Runs(model) && tokenizer_->Runs(tokenizer));
  }

  void Run(Input input) {
    uint64_t how = input.Number(1);
    config_.Write(config_text_);
    if (how < 4) encoder_->Run(how, input);
    if (how == 4) RunMade(input);
    if (how > 4) tokenizer_->Run(how - 5, input);
  }

 private:
  void RunMade(Input input) {
    std::string pattern(input.Take(8));
    pattern.resize(8);
    std::string_view text = input.Rest();
    if (text.empty()) return;
    Config config;
    Status status = ReadConfig(text, &config);
    if (!status.ok()) return CheckRefusal(status);
    std::vector<SectionPlan> plan = Layout(config);
    std::vector<PackedSection> table;
    size_t at = HeadBytes(plan);
    for (const SectionPlan& section : plan) {
      table.push_back({at, section.bytes, 0});
      at += Filled(section.bytes);
      if (at > kMadeBytesMax) return;
    }
    std::string file(at, '\0');
    for (const PackedSection& section : table) {
      for (size_t i = 0; i < section.bytes; ++i) file[section.offset + i] = pattern[i % 8];
    }
    PackedHeader header{};
    std::memcpy(header.magic, kPackedModel.magic, sizeof(header.magic));
    header.version = kPackedModel.version;
    header.section_count = static_cast<uint32_t>(plan.size());
    header.file_bytes = file.size();
    header.sources[0] = SourceOf(text);
    std::memcpy(file.data(), &header, sizeof(header));
    std::memcpy(file.data() + kTableAt, table.data(), table.size() * sizeof(PackedSection));
    MendChecksums(plan, &file);
    config_.Write(text);
    float values[2];
    std::memcpy(values, pattern.data(), sizeof(values));
    EXPECT(encoder_->Runs(file) == (std::isfinite(values[0]) && std::isfinite(values[1])));
  }

  Folder folder_;
  std::string config_text_;
  MemoryFile config_;
  std::unique_ptr<PackedEncoder> encoder_;
  std::unique_ptr<PackedTokenizer> tokenizer_;
};

}  // namespace

std::vector<std::string> Seeds() {
  std::string config = test::SmallConfig(kShape);
  std::string ones("\0\0\x80\x3f\0\0\x80\xbf", 8), infinite("\0\0\x80\x7f\0\0\xc0\x7f", 8);
  std::vector<std::string> seeds = {
      "\x04" + ones + config,
      "\x04" + infinite + config,
      "\x04" + std::string(8, '\0') +
          R"({"model_type":"bert","hidden_act":"gelu","hidden_size":128,"num_hidden_layers":1,)"
          R"("num_attention_heads":1,"intermediate_size":64,"vocab_size":1,)"
          R"("max_position_embeddings":2,"layer_norm_eps":1e-5,"position_embedding_type":"absolute"})",
  };
  for (int first : {0, 5}) {
    PackedHeader header{};
    const PackedFormat& format = first == 0 ? kPackedModel : kPackedTokenizer;
    std::memcpy(header.magic, format.magic, sizeof(header.magic));
    header.version = format.version;
    std::string header_bytes(reinterpret_cast<const char*>(&header), sizeof(header));
    for (const auto& [how, input] : std::vector<std::pair<int, std::string>>{
             {0, header_bytes},
             {1, std::string("\x20\0\0\x01\x01", 5)},                           // the header
             {1, std::string("\x48\0\0\x03\0\x01\0\0\0\0\0\0", 12)},            // the table
             {1, std::string("\0\x10\0\x04\0\0\xc0\x7f", 8)},                   // a section
             {1, std::string("\0\x30\0\x04\0\0\x80\x7f\0\x20\0\x00\x80", 13)},  // several
             {2, std::string("\0\x10\0\x01\x02\x03\x04\x05\x06\x07\x08", 11)},
             {2, std::string("\x24\0\0\x01", 4)},
             {3, std::string("\0\x10\0", 3)},
             {3, "\xff\xff\xff more"},
         }) {
      seeds.push_back(static_cast<char>(first + how) + input);
    }
  }
  return seeds;
}

}  // namespace ghostai::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ghostai::fuzz::Target target;
  target.Run({data, size});
  return 0;
}
