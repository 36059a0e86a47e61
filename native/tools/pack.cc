// ghostai-pack MODEL_DIR...: makes model.int8 from config.json and model.safetensors, and
// tokenizer.packed from tokenizer.json.
#include <cstdio>

#include "../ghostai.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ghostai-pack MODEL_DIR...\n");
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    ghostai::Status status = ghostai::PackModel(argv[i]);
    if (status.ok()) status = ghostai::PackTokenizer(argv[i]);
    if (!status.ok()) {
      std::fprintf(stderr, "ghostai-pack: %s\n", status.message.c_str());
      return 1;
    }
    std::printf("packed %s/model.int8 and tokenizer.packed\n", argv[i]);
  }
  return 0;
}
