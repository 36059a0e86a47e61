#include "heads.h"

#include <algorithm>

namespace ghostai {

size_t ExitFloats(const Config& config) {
  return static_cast<size_t>(config.exit_inner) * static_cast<size_t>(config.exit_width + 2) + 1;
}

ExitHead MapExit(const Config& config, const Linear& projection, const float* floats) {
  const float* inner_bias = floats + config.exit_inner * config.exit_width;
  const float* output = inner_bias + config.exit_inner;
  return {projection, floats, inner_bias, output, output + config.exit_inner, config.exit_inner};
}

float ExitLogit(const ExitHead& head, const Kernels& kernels, const Activations& rows, int first,
                int count, float* scratch) {
  int width = head.projection.outputs;
  auto stride = static_cast<size_t>(width);
  kernels.linear(rows, first, count, head.projection, 0, width / kPanelColumns, Finish::kStore,
                 scratch, stride, nullptr);
  float pooled[kExitSizeMax] = {};  // relu: nothing below 0 counts
  for (int row = 0; row < count; ++row, scratch += stride) {
    for (int i = 0; i < width; ++i) pooled[i] = std::max(pooled[i], scratch[i]);
  }
  float inner[kExitSizeMax];
  for (int i = 0; i < head.inner_size; ++i) {
    float value = kernels.dot(pooled, head.inner + i * width, width) + head.inner_bias[i];
    inner[i] = std::max(0.0f, value);
  }
  return kernels.dot(inner, head.output, head.inner_size) + head.output_bias[0];
}

}  // namespace ghostai
