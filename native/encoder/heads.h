// The early heads: what the rows of a window say after a few layers.
//
//   pooled = the largest value over the window's rows of relu(projection(row))
//   logit  = output . relu(inner * pooled + inner_bias) + output_bias
//
// They read every row, since the first token has hardly gathered the others so early. The largest
// value and not the mean is kept, so that harmless text around a planted order cannot dilute it.
// The projection is an int8 layer over rows that are quantised already: a 72nd of a layer's work.
#pragma once

#include "../kernels/kernels.h"
#include "files.h"

namespace ghostai {

struct ExitHead {
  Linear projection;         // hidden size to exit_width
  const float* inner;        // [exit_inner][exit_width]
  const float* inner_bias;   // [exit_inner]
  const float* output;       // [exit_inner]
  const float* output_bias;  // [1]
  int inner_size;
};

// Floats of a head after its projection, as they lie in its section of the packed file.
size_t ExitFloats(const Config& config);
// The head whose floats lie at `floats`.
ExitHead MapExit(const Config& config, const Linear& projection, const float* floats);

// The logit of the window whose `count` rows start at `first`. `scratch` holds count * exit_width
// floats. Depends on these rows alone; the same bit for bit with all kernels.
float ExitLogit(const ExitHead& head, const Kernels& kernels, const Activations& rows, int first,
                int count, float* scratch);

}  // namespace ghostai
