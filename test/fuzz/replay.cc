// NAME_replay [FOLDER]...      gives the target its seeds and every file of the folders
// NAME_replay --seeds FOLDER   writes the seeds, for libFuzzer to begin with
//
// Needs no libFuzzer, so that the kept inputs are run by every compiler and under every sanitizer.
#include <fstream>
#include <sstream>

#include "fuzz.h"

namespace {

void Run(const std::string& input) {
  // A copy of exactly this size, so that AddressSanitizer sees a read past the end.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> seeds = ghostai::fuzz::Seeds();
  if (argc == 3 && std::string(argv[1]) == "--seeds") {
    for (size_t i = 0; i < seeds.size(); ++i) {
      std::ofstream file(std::string(argv[2]) + "/seed-" + std::to_string(i), std::ios::binary);
      if (!(file << seeds[i])) {
        std::fprintf(stderr, "Expected to be able to write into %s\n", argv[2]);
        return 1;
      }
    }
    return 0;
  }
  for (const std::string& seed : seeds) Run(seed);
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], error)) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::ostringstream content;
      content << file.rdbuf();
      // Named before it is run: a crash says nothing of its input.
      std::fprintf(stderr, "%s\n", entry.path().c_str());
      Run(content.str());
      ++files;
    }
    if (error) {
      std::fprintf(stderr, "Expected a folder of inputs at %s but got: %s\n", argv[i],
                   error.message().c_str());
      return 1;
    }
  }
  std::printf("%zu seeds and %zu kept inputs\n", seeds.size(), files);
  return seeds.empty() || (argc > 1 && files == 0) ? 1 : 0;
}
