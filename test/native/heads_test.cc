// Early heads against the formula, on every kernel and wherever their rows lie.
#include "encoder/heads.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "ghostai.h"

using namespace ghostai;

namespace {

constexpr int kHidden = 128, kWidth = 64, kInner = 64, kRows = 40;

// A head of random weights over random quantised rows, with everything that it points into.
struct Fixture {
  std::vector<int8_t> weights = std::vector<int8_t>(kHidden * kWidth);
  std::vector<float> scales = std::vector<float>(kWidth, 0.01f);
  std::vector<int32_t> sums = std::vector<int32_t>(kWidth);
  std::vector<float> bias = std::vector<float>(kWidth);
  std::vector<float> floats;
  std::vector<uint8_t> values = std::vector<uint8_t>(kRows * kHidden);
  std::vector<float> row_scales = std::vector<float>(kRows);
  std::vector<int32_t> zeros = std::vector<int32_t>(kRows);
  ExitHead head;

  Fixture() {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    Config config;
    config.hidden = kHidden;
    config.exit_width = kWidth;
    config.exit_inner = kInner;
    floats.resize(ExitFloats(config));
    for (float& value : floats) value = normal(random) * 0.3f;
    for (float& value : bias) value = normal(random) - 2;  // some columns stay below 0 in every row
    for (int n = 0; n < kWidth; ++n) {
      for (int k = 0; k < kHidden; ++k) {
        auto weight = static_cast<int8_t>(static_cast<int>(random() % 41) - 20);
        weights[Place(k, n)] = weight;
        sums[static_cast<size_t>(n)] += weight;
      }
    }
    for (uint8_t& value : values) value = static_cast<uint8_t>(random() % (kActivationMax + 1));
    for (float& value : row_scales) value = 0.01f + static_cast<float>(random() % 100) * 1e-4f;
    for (int32_t& value : zeros) value = static_cast<int32_t>(random() % (kActivationMax + 1));
    Linear projection{weights.data(), scales.data(), sums.data(), bias.data(), kHidden, kWidth};
    head = MapExit(config, projection, floats.data());
  }

  static size_t Place(int k, int n) { return static_cast<size_t>(k / 4 * 256 + n * 4 + k % 4); }

  Activations Rows() { return {values.data(), kHidden, row_scales.data(), zeros.data()}; }

  float Logit(const Kernels& kernels, int first, int count) {
    std::vector<float> scratch(static_cast<size_t>(count) * kWidth);
    return ExitLogit(head, kernels, Rows(), first, count, scratch.data());
  }

  double Exact(int first, int count) const {
    std::vector<double> pooled(kWidth);
    for (int row = first; row < first + count; ++row) {
      auto r = static_cast<size_t>(row);
      for (int n = 0; n < kWidth; ++n) {
        auto column = static_cast<size_t>(n);
        double sum = 0;
        for (int k = 0; k < kHidden; ++k) {
          sum += (values[r * kHidden + static_cast<size_t>(k)] - zeros[r]) * weights[Place(k, n)];
        }
        double value =
            sum * static_cast<double>(row_scales[r]) * static_cast<double>(scales[column]) +
            static_cast<double>(bias[column]);
        pooled[column] = std::max(pooled[column], value);
      }
    }
    double logit = static_cast<double>(floats.back());
    for (size_t i = 0; i < kInner; ++i) {
      double value = static_cast<double>(floats[kInner * kWidth + i]);
      for (size_t n = 0; n < kWidth; ++n) {
        value += pooled[n] * static_cast<double>(floats[i * kWidth + n]);
      }
      logit += std::max(value, 0.0) * static_cast<double>(floats[kInner * (kWidth + 1) + i]);
    }
    return logit;
  }
};

}  // namespace

TEST(an_exit_s_logit_is_that_of_the_formula_on_every_kernel) {
  Fixture fixture;
  for (int count : {1, 2, 7, 33}) {
    float scalar = fixture.Logit(*FindKernels("scalar"), 3, count);
    CHECK(std::fabs(static_cast<double>(scalar) - fixture.Exact(3, count)) < 1e-3);
    for (const std::string& name : AvailableKernels()) {
      float logit = fixture.Logit(*FindKernels(name.c_str()), 3, count);
      CHECK(std::memcmp(&logit, &scalar, sizeof(float)) == 0);
    }
  }
}

TEST(an_exit_reads_every_row_and_no_other_in_whatever_order) {
  Fixture fixture;
  const Kernels& kernels = *FindKernels(AvailableKernels().front().c_str());
  float before = fixture.Logit(kernels, 5, 20);
  auto swap_rows = [&](size_t a, size_t b) {
    std::swap_ranges(fixture.values.begin() + static_cast<ptrdiff_t>(a) * kHidden,
                     fixture.values.begin() + static_cast<ptrdiff_t>(a + 1) * kHidden,
                     fixture.values.begin() + static_cast<ptrdiff_t>(b) * kHidden);
    std::swap(fixture.row_scales[a], fixture.row_scales[b]);
    std::swap(fixture.zeros[a], fixture.zeros[b]);
  };
  swap_rows(5, 24);
  swap_rows(6, 13);
  float swapped = fixture.Logit(kernels, 5, 20);
  CHECK(std::memcmp(&before, &swapped, sizeof(float)) == 0);
  swap_rows(0, 30);
  float others = fixture.Logit(kernels, 5, 20);
  CHECK(std::memcmp(&before, &others, sizeof(float)) == 0);
  CHECK(fixture.Logit(kernels, 5, 21) != before);
}

CHECK_MAIN()
