// model.safetensors. The first byte of an input says what the rest is:
//   0          the file itself
//   otherwise  eight bytes and a header's text: the file is that header before data enough for the
//              whole model, which repeats the eight bytes, so that a short input is a whole model
//
// Whatever the bytes, they are refused with a message or give finite tensors of the shape asked
// for; and when they make a packed model, then one that loads and scores.
#include <cmath>

#include "../native/model_folder.h"
#include "encoder/files.h"
#include "fuzz.h"
#include "ghostai.h"

namespace ghostai::fuzz {

namespace {

const test::SmallShape kShape = {1, 64, 3, 2, {}};

std::string Whole(const std::string& header, const std::string& pattern) {
  return "\x01" + pattern + header;
}

std::string Floats(float first, float second) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &first, 4);
  std::memcpy(bytes.data() + 4, &second, 4);
  return bytes;
}

class Target {
 public:
  Target() : weights_(folder_.path() + "/model.safetensors"), tensors_(test::SmallTensors(kShape)) {
    test::WriteAll(folder_.path() + "/config.json", test::SmallConfig(kShape));
    // Named in files that are too small for a model.
    for (const std::vector<size_t>& shape :
         {std::vector<size_t>{}, {0}, {1}, {2}, {4}, {2, 2}, {1, 0}})
      tensors_.push_back({"a", shape, 0, 0});
    for (const test::SmallTensor& tensor : test::SmallTensors(kShape)) data_bytes_ += tensor.count;
    data_bytes_ *= 4;
  }

  void Run(Input input) {
    std::string file;
    if (input.Number(1) == 0) {
      file = input.Rest();
    } else {
      std::string pattern(input.Take(8));
      pattern.resize(8);
      std::string data;
      for (size_t i = 0; i < data_bytes_; i += 8) data += pattern;
      file = test::TensorFile(std::string(input.Rest()), data);
    }
    weights_.Write(file);
    {
      SafeTensors tensors;
      Status status = tensors.Open(folder_.path() + "/model.safetensors");
      if (!status.ok()) {
        CheckRefusal(status);
        return;
      }
      EXPECT(tensors.bytes() == file);
      for (const test::SmallTensor& tensor : tensors_) ReadTensor(tensors, tensor);
    }
    Pack();
  }

 private:
  static void ReadTensor(const SafeTensors& tensors, const test::SmallTensor& tensor) {
    std::vector<float> values;
    Status status = tensors.Read(tensor.name, tensor.shape, &values);
    if (!status.ok()) return CheckRefusal(status);
    size_t count = 1;
    for (size_t size : tensor.shape) count *= size;
    EXPECT(values.size() == count);
    for (float value : values) EXPECT(std::isfinite(value));
  }

  void Pack() {
    Status status = PackModel(folder_.path());
    if (!status.ok()) return CheckRefusal(status);
    std::unique_ptr<Encoder> encoder;
    EXPECT(Encoder::Load(folder_.path(), "scalar", &encoder).ok());
    const int32_t ids[] = {0, 2};
    Window window{ids, 2};
    HeadScore score;
    auto scratch = encoder->NewScratch(2);
    encoder->Score(&window, 1, scratch.get(), nullptr, &score, nullptr);
    std::vector<std::vector<float>> logits;
    EXPECT(ReferenceLogits(folder_.path(), {{0, 2}}, &logits).ok());
    EXPECT(logits.size() == 1 && logits[0].size() == encoder->heads());
  }

  Folder folder_;
  MemoryFile weights_;
  std::vector<test::SmallTensor> tensors_;
  size_t data_bytes_ = 0;
};

}  // namespace

std::vector<std::string> Seeds() {
  std::vector<test::SmallTensor> model = test::SmallTensors(kShape);
  std::vector<std::string> seeds;
  for (const char* type : {"F32", "F16", "BF16"}) {
    size_t width = std::strcmp(type, "F32") == 0 ? 4 : 2;
    seeds.push_back(Whole(test::SmallHeader(model, type, width), Floats(0.5f, -0.25f)));
    std::string header = test::SmallHeader({{"a", {2, 2}, 0, 4}}, type, width);
    for (const char* bytes :
         {"\x01\x00\x02\x80\xff\x03\x00\x3c", "\x00\x7c\x00\x00\x01\x7c\x00\xfc"})
      seeds.push_back(std::string(1, '\0') +
                      test::TensorFile(header, std::string(bytes, 8) + std::string(bytes, 8)));
  }
  // Numbers at both ends of what a float holds.
  std::string header = test::SmallHeader(model, "F32", 4);
  seeds.push_back(Whole(header, Floats(3e38f, 3e38f)));
  seeds.push_back(Whole(header, Floats(1e-43f, 1.1e-43f)));
  seeds.push_back(Whole(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F64","shape":[4],)"
                        R"("data_offsets":[0,32]}})",
                        Floats(1, 1)));
  return seeds;
}

}  // namespace ghostai::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ghostai::fuzz::Target target;
  target.Run({data, size});
  return 0;
}
