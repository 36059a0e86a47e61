// ghostai-forward MODEL_DIR [--kernels NAME] [--tokens 16,32,64,128] [--seconds S]
//   times one forward pass at each length: JSON lines {"kernels","tokens","ms_min","ms_median"}.
// ghostai-forward MODEL_DIR --ids [--kernels NAME | --reference]
//   reads JSON arrays of ids and prints each one's logit.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "../ghostai.h"
#include "../tokenizer/json.h"

namespace {

using Clock = std::chrono::steady_clock;

int Fail(const std::string& message) {
  std::fprintf(stderr, "ghostai-forward: %s\n", message.c_str());
  return 1;
}

void Time(const ghostai::Encoder& encoder, uint32_t tokens, double seconds) {
  std::mt19937 random(tokens);
  std::vector<int32_t> ids(tokens);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % encoder.vocabulary_size());
  ghostai::Window window{ids.data(), tokens};
  auto scratch = encoder.NewScratch(tokens);
  ghostai::HeadScore score;
  std::vector<double> times;
  auto until = Clock::now() + std::chrono::duration<double>(seconds);
  // The first pass of the loop warms up too: slow kernels would spend their time on a longer one.
  for (int warm_up = 0; warm_up < 20 && Clock::now() < until; ++warm_up) {
    encoder.Score(&window, 1, scratch.get(), nullptr, &score, nullptr);
  }
  until = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < until || times.size() < 3) {
    auto from = Clock::now();
    encoder.Score(&window, 1, scratch.get(), nullptr, &score, nullptr);
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - from).count());
  }
  std::sort(times.begin(), times.end());
  std::printf(
      "{\"kernels\":\"%s\",\"tokens\":%u,\"passes\":%zu,\"ms_min\":%.5f,\"ms_median\":%.5f}\n",
      encoder.kernels(), tokens, times.size(), times.front(), times[times.size() / 2]);
  std::fflush(stdout);
}

bool ReadIds(const std::string& line, std::vector<int32_t>* ids) {
  ghostai::JsonReader reader(line);
  double id;
  ids->clear();
  reader.EnterArray();
  while (reader.NextElement() && reader.ReadNumber(&id)) ids->push_back(static_cast<int32_t>(id));
  return reader.AtEnd();
}

}  // namespace

int main(int argc, char** argv) {
  std::string kernels, lengths = "16,32,64,128";
  bool ids = false, reference = false;
  double seconds = 0.5;
  for (int i = 2; i < argc; ++i) {
    std::string option = argv[i];
    bool has_value = i + 1 < argc;
    if (option == "--kernels" && has_value) {
      kernels = argv[++i];
    } else if (option == "--tokens" && has_value) {
      lengths = argv[++i];
    } else if (option == "--seconds" && has_value) {
      seconds = std::atof(argv[++i]);
    } else if (option == "--ids") {
      ids = true;
    } else if (option == "--reference") {
      reference = true;
    } else {
      return Fail("unknown option " + option);
    }
  }
  if (argc < 2) return Fail("expected a model folder");
  std::unique_ptr<ghostai::Encoder> encoder;
  ghostai::Status status = ghostai::Encoder::Load(argv[1], kernels, &encoder);
  if (!status.ok()) return Fail(status.message);
  if (!ids) {
    for (size_t at = 0; at < lengths.size();) {
      size_t end = std::min(lengths.find(',', at), lengths.size());
      int tokens = std::atoi(lengths.substr(at, end - at).c_str());
      if (tokens < 1 || tokens > static_cast<int>(encoder->window_tokens_max())) {
        return Fail("expected 1 to " + std::to_string(encoder->window_tokens_max()) + " tokens");
      }
      Time(*encoder, static_cast<uint32_t>(tokens), seconds);
      at = end + 1;
    }
    return 0;
  }
  std::string line;
  std::vector<int32_t> window;
  while (std::getline(std::cin, line)) {
    if (!ReadIds(line, &window) || window.empty() || window.size() > encoder->window_tokens_max()) {
      return Fail("expected an array of ids");
    }
    for (int32_t id : window) {
      if (id < 0 || id >= static_cast<int32_t>(encoder->vocabulary_size()))
        return Fail("no such id");
    }
    float logit;
    if (reference) {
      std::vector<std::vector<float>> logits;
      status = ghostai::ReferenceLogits(argv[1], {window}, &logits);
      if (!status.ok()) return Fail(status.message);
      logit = logits[0].back();
    } else {
      auto scratch = encoder->NewScratch(window.size());
      ghostai::Window one{window.data(), static_cast<uint32_t>(window.size())};
      ghostai::HeadScore score;
      encoder->Score(&one, 1, scratch.get(), nullptr, &score, nullptr);
      logit = score.logit;
    }
    std::printf("%.6f\n", static_cast<double>(logit));
  }
  return 0;
}
