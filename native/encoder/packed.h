// The packed form of a model, `model.int8`: what one import step makes of
// config.json and model.safetensors, memory-mapped at run time.
//
// Little-endian. A header, then `section_count` sections, each at a multiple of
// 64 bytes, the first there is after the one before, zeros between them; the order
// is fixed by the config (see Layout), so a section needs no name, only its
// place, size and checksum. No byte of the file is without a check at load.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "files.h"

namespace ghostai {

constexpr char kPackedMagic[8] = {'G', 'H', 'O', 'S', 'T', 'I', '8', '\n'};
constexpr uint32_t kPackedVersion = 2;

struct PackedHeader {
  char magic[8];
  uint32_t version;
  uint32_t section_count;
  uint64_t file_bytes;
  uint64_t config_checksum;   // of config.json
  uint64_t weights_checksum;  // of model.safetensors
  uint64_t weights_bytes;     // its size
  uint64_t table_checksum;    // of the section table
  uint64_t header_checksum;   // of the header before this field
};
static_assert(sizeof(PackedHeader) == 64);

uint64_t HeaderChecksum(const PackedHeader& header);

struct PackedSection {
  uint64_t offset;
  uint64_t bytes;
  uint64_t checksum;
};

// One section's name (for messages) and size, in file order.
struct SectionPlan {
  std::string name;
  size_t bytes;
};

// A linear layer's four sections follow each other: weights, scales, sums, bias.
//   word (int8 [V][H]), word scales (f32 [V]), positions with the token type
//   added (f32 [P][H]), embedding norm gamma and beta (f32 [2][H]);
//   per layer: qkv, attention output, norm, inner, outer, norm;
//   per head, exits first: f32 [H + 1], weights and bias.
std::vector<SectionPlan> Layout(const Config& config);

}  // namespace ghostai
