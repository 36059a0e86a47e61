// ghostai-tokenize MODEL_DIR|TOKENIZER_JSON [--check | --bench PASSES]
//     < JSON lines {"text": ..., "ids": [...]}
//
// Of a folder the packed tokenizer is used, as the daemon does; a tokenizer.json is read anew.
// Prints each text's ids, special tokens included, as one JSON array a line;
// --check compares them with `ids` and ends with 1 where any differs;
// --bench encodes all texts PASSES times and prints the fastest pass as JSON.
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "../ghostai.h"
#include "../tokenizer/json.h"

namespace {

struct Line {
  std::string text;
  std::vector<int32_t> ids;
};

bool ReadLine(const std::string& json, Line* line) {
  ghostai::JsonReader reader(json);
  std::string key;
  line->ids.clear();
  reader.EnterObject();
  while (reader.NextKey(&key)) {
    if (key == "text") {
      reader.ReadString(&line->text);
    } else if (key == "ids") {
      reader.EnterArray();
      double id;
      while (reader.NextElement() && reader.ReadNumber(&id)) {
        line->ids.push_back(static_cast<int32_t>(id));
      }
    } else {
      reader.Skip();
    }
  }
  return reader.AtEnd();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: ghostai-tokenize MODEL_DIR|TOKENIZER_JSON [--check | --bench PASSES]\n");
    return 2;
  }
  bool check = argc > 2 && std::strcmp(argv[2], "--check") == 0;
  int passes = argc > 3 && std::strcmp(argv[2], "--bench") == 0 ? std::atoi(argv[3]) : 0;
  std::unique_ptr<ghostai::Tokenizer> tokenizer;
  auto started = std::chrono::steady_clock::now();
  struct stat info;
  bool packed = stat(argv[1], &info) == 0 && S_ISDIR(info.st_mode);
  ghostai::Status status = packed ? ghostai::Tokenizer::Open(argv[1], &tokenizer)
                                  : ghostai::Tokenizer::Load(argv[1], &tokenizer);
  auto milliseconds = [](auto from) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from)
        .count();
  };
  double load_ms = milliseconds(started);
  if (!status.ok()) {
    std::fprintf(stderr, "ghostai-tokenize: %s\n", status.message.c_str());
    return 1;
  }
  auto scratch = tokenizer->NewScratch();
  std::vector<ghostai::Token> tokens;
  std::vector<std::string> texts;
  std::string json;
  Line line;
  size_t count = 0, different = 0;
  constexpr size_t kNoLimit = std::numeric_limits<size_t>::max() / 2;
  while (std::getline(std::cin, json)) {
    if (json.empty()) continue;
    ++count;
    if (!ReadLine(json, &line)) {
      std::fprintf(stderr, "ghostai-tokenize: line %zu is not as expected\n", count);
      return 1;
    }
    if (passes > 0) {
      texts.push_back(line.text);
      continue;
    }
    tokenizer->Encode(line.text, kNoLimit, scratch.get(), &tokens);
    std::vector<int32_t> ids = {tokenizer->bos_id()};
    for (const ghostai::Token& token : tokens) ids.push_back(token.id);
    ids.push_back(tokenizer->eos_id());
    if (check) {
      if (ids == line.ids) continue;
      if (++different <= 10)
        std::fprintf(stderr, "line %zu differs: %s\n", count, json.substr(0, 300).c_str());
      continue;
    }
    std::string out = "[";
    for (size_t i = 0; i < ids.size(); ++i) out += (i ? "," : "") + std::to_string(ids[i]);
    std::puts((out + "]").c_str());
  }
  if (passes > 0) {
    size_t bytes = 0, total = 0;
    for (const std::string& text : texts) bytes += text.size();
    double best = std::numeric_limits<double>::infinity();
    for (int pass = 0; pass < passes; ++pass) {
      auto from = std::chrono::steady_clock::now();
      total = 0;
      for (const std::string& text : texts) {
        tokenizer->Encode(text, kNoLimit, scratch.get(), &tokens);
        total += tokens.size();
      }
      best = std::min(best, milliseconds(from));
    }
    std::printf("{\"texts\":%zu,\"bytes\":%zu,\"tokens\":%zu,\"ms\":%.6f,\"load_ms\":%.3f}\n",
                texts.size(), bytes, total, best, load_ms);
  }
  if (check) std::printf("%zu texts, %zu differ\n", count, different);
  return different == 0 ? 0 : 1;
}
