// model.int8 and config.json. The first byte of an input says what the rest is:
//   0  the packed file itself, beside the small model's config.json
//   1  edits of the small model's packed file; then all checksums are made right, so that what lies
//      behind them is reached
//   2  one edit of eight bytes, checksums left: a change must be found and, in a section, named
//   3  a length and what follows it: the packed file cut there, or longer; must be found
//   4  eight bytes and a config.json: a packed file is made to fit it, its sections repeating the
//      eight bytes
//
// Whatever the bytes, they are refused with a message or give an encoder that scores, a window
// alone the same as beside another.
#include "../native/model_folder.h"
#include "encoder/packed.h"
#include "fuzz.h"
#include "ghostai.h"

namespace ghostai::fuzz {

namespace {

const test::SmallShape kShape = {2, 64, 5, 4, {1}};
constexpr size_t kMadeBytesMax = 1 << 20;

std::string_view Bytes(const PackedHeader& header) {
  return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

class Target {
 public:
  Target()
      : config_text_(test::SmallConfig(kShape)),
        config_(folder_.path() + "/config.json"),
        packed_(folder_.path() + "/model.int8") {
    // Without the source weights beside it, as a packed model may be.
    config_.Write(config_text_);
    Folder made;
    test::WriteSmallModel(made.path(), 1, kShape);
    Status status = PackModel(made.path());
    if (!status.ok()) Broken(__FILE__, __LINE__, "to pack: " + status.message);
    good_ = test::ReadAll(made.path() + "/model.int8");
    Config config;
    EXPECT(ReadConfig(config_text_, &config).ok());
    plan_ = Layout(config);
    EXPECT(Runs(good_));
  }

  void Run(Input input) {
    config_.Write(config_text_);
    switch (input.Number(1)) {
      case 0:
        Runs(input.Rest());
        break;
      case 1:
        RunEdited(input);
        break;
      case 2: {
        size_t at = input.Number(3) % good_.size();
        std::string edited = good_;
        std::string_view bytes = input.Take(8);
        edited.replace(at, std::min(bytes.size(), good_.size() - at),
                       bytes.substr(0, good_.size() - at));
        if (edited != good_) CheckFound(edited);
        break;
      }
      case 3: {
        std::string cut = good_.substr(0, input.Number(3) % (good_.size() + 1));
        cut += input.Rest();
        if (cut != good_) EXPECT(!Runs(cut));
        break;
      }
      case 4:
        RunMade(input);
        break;
    }
  }

 private:
  static constexpr size_t kTableAt = sizeof(PackedHeader);

  // Whether the file loads; it is then used.
  bool Runs(std::string_view file, std::string* message = nullptr) {
    packed_.Write(file);
    std::unique_ptr<Encoder> encoder;
    Status status = Encoder::Load(folder_.path(), "scalar", &encoder);
    if (!status.ok()) {
      EXPECT(encoder == nullptr);
      CheckRefusal(status);
      if (message != nullptr) *message = status.message;
      return false;
    }
    Score(*encoder);
    EXPECT(Encoder::Load(folder_.path(), "", &encoder).ok());
    Score(*encoder);
    return true;
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
      // Weights that are no numbers give logits that are none: refused where they are read.
      bool number = alone.logit == alone.logit;
      EXPECT(number ? alone.logit == beside[i].logit : beside[i].logit != beside[i].logit);
    }
  }

  void RunEdited(Input input) {
    std::string file = good_;
    size_t table_end = kTableAt + plan_.size() * sizeof(PackedSection);
    while (!input.empty()) {
      // Half of the edits go to the header and the table, which are a small part of the file.
      size_t at = input.Number(3), width = input.Number(1);
      at %= width & 1 ? table_end : file.size();
      std::string_view bytes = input.Take(width & 2 ? 8 : width & 4 ? 4 : 1);
      file.replace(at, std::min(bytes.size(), file.size() - at), bytes.substr(0, file.size() - at));
    }
    MendChecksums(&file);
    Runs(file);
  }

  // Every checksum as the file's own table and header place them, as far as they lie in the file.
  void MendChecksums(std::string* file) const {
    std::vector<PackedSection> table(plan_.size());
    size_t table_bytes = table.size() * sizeof(PackedSection);
    std::memcpy(table.data(), file->data() + kTableAt, table_bytes);
    for (PackedSection& section : table) {
      if (section.offset <= file->size() && section.bytes <= file->size() - section.offset)
        section.checksum = Checksum(std::string_view(*file).substr(section.offset, section.bytes));
    }
    std::memcpy(file->data() + kTableAt, table.data(), table_bytes);
    PackedHeader header;
    std::memcpy(&header, file->data(), sizeof(header));
    header.table_checksum = Checksum(std::string_view(*file).substr(kTableAt, table_bytes));
    header.header_checksum = HeaderChecksum(header);
    std::memcpy(file->data(), &header, sizeof(header));
  }

  // A changed packed file is refused; a section that holds the change is named.
  void CheckFound(const std::string& edited) {
    std::string message;
    EXPECT(!Runs(edited, &message));
    std::vector<PackedSection> table(plan_.size());
    std::memcpy(table.data(), good_.data() + kTableAt, table.size() * sizeof(PackedSection));
    auto first = static_cast<size_t>(
        std::mismatch(edited.begin(), edited.end(), good_.begin()).first - edited.begin());
    auto after =
        edited.size() -
        static_cast<size_t>(std::mismatch(edited.rbegin(), edited.rend(), good_.rbegin()).first -
                            edited.rbegin());
    for (size_t i = 0; i < plan_.size(); ++i) {
      if (first >= table[i].offset && after <= table[i].offset + table[i].bytes)
        EXPECT(message.find("'" + plan_[i].name + "'") != std::string::npos);
    }
  }

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
    size_t at = sizeof(PackedHeader) + plan.size() * sizeof(PackedSection);
    for (const SectionPlan& section : plan) {
      at = (at + 63) / 64 * 64;
      table.push_back({at, section.bytes, 0});
      at += section.bytes;
      if (at > kMadeBytesMax) return;
    }
    std::string file(at, '\0');
    for (PackedSection& section : table) {
      for (size_t i = 0; i < section.bytes; ++i) file[section.offset + i] = pattern[i % 8];
      section.checksum = Checksum(std::string_view(file).substr(section.offset, section.bytes));
    }
    std::string_view table_text(reinterpret_cast<const char*>(table.data()),
                                table.size() * sizeof(PackedSection));
    PackedHeader header{};
    std::memcpy(header.magic, kPackedMagic, sizeof(header.magic));
    header.version = kPackedVersion;
    header.section_count = static_cast<uint32_t>(plan.size());
    header.file_bytes = file.size();
    header.config_checksum = Checksum(text);
    header.table_checksum = Checksum(table_text);
    header.header_checksum = HeaderChecksum(header);
    file.replace(0, sizeof(header), Bytes(header));
    file.replace(kTableAt, table_text.size(), table_text);
    config_.Write(text);
    EXPECT(Runs(file));
  }

  Folder folder_;
  std::string config_text_;
  MemoryFile config_, packed_;
  std::string good_;
  std::vector<SectionPlan> plan_;
};

}  // namespace

std::vector<std::string> Seeds() {
  std::string config = test::SmallConfig(kShape);
  std::string ones("\0\0\x80\x3f\0\0\x80\xbf", 8), infinite("\0\0\x80\x7f\0\0\xc0\x7f", 8);
  PackedHeader header{};
  std::memcpy(header.magic, kPackedMagic, sizeof(header.magic));
  header.version = kPackedVersion;
  return {
      std::string(1, '\0') + std::string(Bytes(header)),
      std::string("\x01\x20\0\0\x01\x01", 6),                           // a header's byte
      std::string("\x01\x48\0\0\x03\0\x01\0\0\0\0\0\0", 13),            // the table's
      std::string("\x01\0\x10\0\x04\0\0\xc0\x7f", 9),                   // weights
      std::string("\x01\0\x70\0\x04\0\0\x80\x7f\0\x60\0\x00\x80", 14),  // several
      std::string("\x02\0\x10\0\x01\x02\x03\x04\x05\x06\x07\x08", 12),
      std::string("\x02\x24\0\0\x01", 5),
      std::string("\x03\0\x10\0", 4),
      std::string("\x03\xff\xff\xff more", 9),
      "\x04" + ones + config,
      "\x04" + infinite + config,
      "\x04" + std::string(8, '\0') +
          R"({"model_type":"bert","hidden_act":"gelu","hidden_size":128,"num_hidden_layers":1,)"
          R"("num_attention_heads":1,"intermediate_size":64,"vocab_size":1,)"
          R"("max_position_embeddings":2,"layer_norm_eps":1e-5,"position_embedding_type":"absolute"})",
  };
}

}  // namespace ghostai::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ghostai::fuzz::Target target;
  target.Run({data, size});
  return 0;
}
