// The packed form of a model, `model.int8`: what one import step makes of
// config.json and model.safetensors (its sources, in this order).
#pragma once

#include <vector>

#include "../packed/packed_file.h"
#include "files.h"

namespace ghostai {

constexpr PackedFormat kPackedModel = {"model.int8", "GHOSTI8\n", 4};

// A linear layer's four sections follow each other: weights, scales, sums, bias.
//   word (int8 [V][H]), word scales (f32 [V]), positions with the token type
//   added (f32 [P][H]), embedding norm gamma and beta (f32 [2][H]);
//   per layer: qkv, attention output, norm, inner, outer, norm;
//   per exit: its projection, then its floats (see heads.h);
//   the last head: f32 [H + 1], weights and bias.
std::vector<SectionPlan> Layout(const Config& config);

}  // namespace ghostai
