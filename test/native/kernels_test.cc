// Every kernel of this CPU against scalar: integers equal, floats within bounds.
#include "kernels/kernels.h"

#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "ghostai.h"

using namespace ghostai;

namespace {

std::vector<const Kernels*> Others() {
  std::vector<const Kernels*> kernels;
  for (const std::string& name : AvailableKernels()) {
    if (name != "scalar") kernels.push_back(FindKernels(name.c_str()));
  }
  return kernels;
}

const Kernels& Scalar() { return *FindKernels("scalar"); }

// Packed weights whose neighbouring pairs keep within what packing certifies.
std::vector<int8_t> RandomWeights(int inputs, int panels, bool extreme, std::mt19937* random) {
  std::vector<int8_t> weights(static_cast<size_t>(inputs) * static_cast<size_t>(panels) * 64);
  for (size_t i = 0; i < weights.size(); i += 2) {
    int first = static_cast<int>((*random)() % 255) - 127;
    int second = static_cast<int>((*random)() % 255) - 127;
    if (extreme) {
      first = (*random)() % 2 ? 127 : -127;
      second = first > 0 ? 1 : -1;
    }
    while (first + second > 128 || first + second < -128) {
      first -= first > 0 ? 1 : -1;
      second -= second > 0 ? 1 : -1;
    }
    weights[i] = static_cast<int8_t>(first);
    weights[i + 1] = static_cast<int8_t>(second);
  }
  return weights;
}

struct OwnedActivations {
  std::vector<uint8_t> values;
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  Activations view;
  OwnedActivations(int rows, int width)
      : values(static_cast<size_t>(rows * width)),
        scales(static_cast<size_t>(rows)),
        zeros(static_cast<size_t>(rows)),
        view{values.data(), static_cast<size_t>(width), scales.data(), zeros.data()} {}
};

std::vector<float> RandomFloats(size_t count, float spread, std::mt19937* random) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(count);
  for (float& value : values) value = normal(*random);
  return values;
}

double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

}  // namespace

TEST(product_equals_a_plain_sum) {
  std::mt19937 random(1);
  int inputs = 20, rows = 5;
  std::vector<int8_t> weights = RandomWeights(inputs, 1, false, &random);
  std::vector<uint8_t> a(static_cast<size_t>(rows * inputs));
  for (uint8_t& value : a) value = static_cast<uint8_t>(random());
  std::vector<int32_t> c(static_cast<size_t>(rows) * 64);
  Scalar().product(a.data(), static_cast<size_t>(inputs), weights.data(), inputs, rows, 1, c.data(),
                   64);
  for (int m = 0; m < rows; ++m) {
    for (int n = 0; n < 64; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < inputs; ++k)
        sum += a[static_cast<size_t>(m * inputs + k)] *
               weights[static_cast<size_t>(k / 4 * 256 + n * 4 + k % 4)];
      CHECK_EQ(c[static_cast<size_t>(m * 64 + n)], sum);
    }
  }
}

TEST(product_of_every_kernel_equals_scalar) {
  std::mt19937 random(2);
  for (const Kernels* kernels : Others()) {
    for (int round = 0; round < 120; ++round) {
      bool extreme = round % 3 == 0;
      int inputs = 4 * (1 + static_cast<int>(random() % 100));
      int rows = 1 + static_cast<int>(random() % 70);
      int panels = 1 + static_cast<int>(random() % 3);
      size_t stride = static_cast<size_t>(inputs) + random() % 9;
      std::vector<int8_t> weights = RandomWeights(inputs, panels, extreme, &random);
      std::vector<uint8_t> a(static_cast<size_t>(rows) * stride);
      for (uint8_t& value : a) value = extreme ? 255 : static_cast<uint8_t>(random());
      size_t c_stride = static_cast<size_t>(panels) * 64 + 5;
      std::vector<int32_t> expected(static_cast<size_t>(rows) * c_stride, 7), actual = expected;
      Scalar().product(a.data(), stride, weights.data(), inputs, rows, panels, expected.data(),
                       c_stride);
      kernels->product(a.data(), stride, weights.data(), inputs, rows, panels, actual.data(),
                       c_stride);
      CHECK(expected == actual);
    }
  }
}

TEST(quantised_rows_equal_scalar) {
  std::mt19937 random(3);
  for (const Kernels* kernels : Others()) {
    for (int size : {64, 384, 1536}) {
      for (float spread : {1e-3f, 1.0f, 300.0f}) {
        std::vector<float> x = RandomFloats(static_cast<size_t>(size), spread, &random);
        OwnedActivations expected(1, size), actual(1, size);
        Scalar().quantise(x.data(), size, expected.view, 0);
        kernels->quantise(x.data(), size, actual.view, 0);
        CHECK(expected.values == actual.values);
        CHECK_EQ(actual.scales[0], expected.scales[0]);
        CHECK_EQ(actual.zeros[0], expected.zeros[0]);
      }
    }
  }
}

TEST(quantising_keeps_to_half_a_step_and_zero_is_exact) {
  std::mt19937 random(4);
  std::vector<float> x = RandomFloats(384, 2.0f, &random);
  x[5] = 0;
  OwnedActivations q(1, 384);
  Scalar().quantise(x.data(), 384, q.view, 0);
  for (size_t i = 0; i < x.size(); ++i) {
    float back = q.scales[0] * static_cast<float>(q.values[i] - q.zeros[0]);
    CHECK(std::fabs(back - x[i]) <= q.scales[0] * 1.01f);
  }
  CHECK_EQ(static_cast<int>(q.values[5]), q.zeros[0]);
  for (float constant : {0.0f, 3.0f, -3.0f, 1e-38f}) {
    std::fill(x.begin(), x.end(), constant);
    Scalar().quantise(x.data(), 384, q.view, 0);
    float back = q.scales[0] * static_cast<float>(q.values[0] - q.zeros[0]);
    CHECK(std::fabs(back - constant) <= std::fabs(constant) * 1e-3f + 1e-30f);
  }
}

TEST(linear_layers_stay_close_to_scalar_and_do_not_depend_on_the_batch) {
  std::mt19937 random(5);
  constexpr int kInputs = 384, kPanels = 3, kRows = 23;
  std::vector<int8_t> weights = RandomWeights(kInputs, kPanels + 1, false, &random);
  std::vector<float> scales(kPanels * 64 + 64), bias = RandomFloats(scales.size(), 1.0f, &random);
  std::vector<int32_t> sums(scales.size());
  for (size_t n = 0; n < scales.size(); ++n) {
    scales[n] = 0.001f + static_cast<float>(random() % 100) * 1e-5f;
    for (size_t k = 0; k < kInputs; ++k) {
      sums[n] += weights[n / 64 * (kInputs * 64) + k / 4 * 256 + n % 64 * 4 + k % 4];
    }
  }
  Linear layer{weights.data(), scales.data(), sums.data(), bias.data(), kInputs, kPanels * 64};
  OwnedActivations a(kRows, kInputs);
  std::vector<float> x = RandomFloats(kRows * kInputs, 1.0f, &random);
  for (int row = 0; row < kRows; ++row)
    Scalar().quantise(x.data() + row * kInputs, kInputs, a.view, row);
  for (bool gelu : {false, true}) {
    std::vector<float> expected(kRows * kPanels * 64), actual = expected, alone(kPanels * 64);
    Scalar().linear(a.view, 0, kRows, layer, 0, kPanels, gelu, expected.data(), kPanels * 64);
    for (const std::string& name : AvailableKernels()) {
      const Kernels* kernels = FindKernels(name.c_str());
      kernels->linear(a.view, 0, kRows, layer, 0, kPanels, gelu, actual.data(), kPanels * 64);
      // Values reach about 200 here; 2e-6 of that is the stated bound of one fused step.
      CHECK(LargestDifference(expected, actual) < 4e-4);
      for (int row = 0; row < kRows; ++row) {
        kernels->linear(a.view, row, 1, layer, 0, kPanels, gelu, alone.data(), kPanels * 64);
        CHECK(std::memcmp(alone.data(), actual.data() + row * kPanels * 64, alone.size() * 4) == 0);
      }
    }
  }
}

TEST(gelu_is_x_times_phi) {
  // Through a layer of one weight: scale 1, so that the epilogue sees the values themselves.
  std::vector<int8_t> weights(4 * 64 * 2);
  std::vector<float> scales(64, 1.0f), bias(64);
  std::vector<int32_t> sums(64);
  for (int n = 0; n < 64; ++n) bias[static_cast<size_t>(n)] = (static_cast<float>(n) - 32) * 0.25f;
  Linear layer{weights.data(), scales.data(), sums.data(), bias.data(), 4, 64};
  OwnedActivations a(1, 4);
  for (const std::string& name : AvailableKernels()) {
    std::vector<float> y(64);
    FindKernels(name.c_str())->linear(a.view, 0, 1, layer, 0, 1, true, y.data(), 64);
    for (size_t n = 0; n < 64; ++n) {
      double x = static_cast<double>(bias[n]);
      double exact = x * 0.5 * std::erfc(-x / std::sqrt(2.0));
      CHECK(std::fabs(static_cast<double>(y[n]) - exact) < 1e-6);
    }
  }
}

TEST(norms_stay_close_to_scalar) {
  std::mt19937 random(6);
  std::vector<float> gamma = RandomFloats(384, 1.0f, &random),
                     beta = RandomFloats(384, 1.0f, &random);
  Norm norm{gamma.data(), beta.data(), 1e-12f};
  for (const Kernels* kernels : Others()) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> x = RandomFloats(384, 1.0f, &random), y = RandomFloats(384, 1.0f, &random),
                         z = x;
      OwnedActivations expected(1, 384), actual(1, 384);
      Scalar().add_norm(x.data(), y.data(), norm, 384, expected.view, 0);
      kernels->add_norm(z.data(), y.data(), norm, 384, actual.view, 0);
      CHECK(LargestDifference(x, z) < 2e-5);
      int steps = 0;  // a value at the edge between two steps may fall on the other side
      for (size_t i = 0; i < 384; ++i)
        steps = std::max(steps, std::abs(expected.values[i] - actual.values[i]));
      CHECK(steps <= 1);
    }
  }
}

TEST(attention_stays_close_to_a_plain_softmax) {
  std::mt19937 random(7);
  constexpr int kHeads = 3, kSize = 32, kWidth = kHeads * kSize;
  for (int tokens : {1, 2, 7, 16, 17, 31, 64, 128}) {
    // Large scores that are all negative: padding must not win.
    for (float shift : {0.0f, 40.0f}) {
      std::vector<float> qkv =
          RandomFloats(static_cast<size_t>(tokens) * kWidth * 3, 1.0f, &random);
      for (int i = 0; i < tokens; ++i) {
        for (int d = 0; d < kWidth; ++d) {
          qkv[static_cast<size_t>(i * 3 * kWidth + d)] += shift;
          qkv[static_cast<size_t>(i * 3 * kWidth + kWidth + d)] -= shift;
        }
      }
      std::vector<double> exact(static_cast<size_t>(tokens) * kWidth);
      for (int h = 0; h < kHeads; ++h) {
        for (int i = 0; i < tokens; ++i) {
          std::vector<double> weights(static_cast<size_t>(tokens));
          double top = -1e300, total = 0;
          auto at = [&](int row, int part, int d) {
            return static_cast<double>(
                qkv[static_cast<size_t>(row * 3 * kWidth + part * kWidth + h * kSize + d)]);
          };
          for (int j = 0; j < tokens; ++j) {
            double score = 0;
            for (int d = 0; d < kSize; ++d) score += at(i, 0, d) * at(j, 1, d);
            weights[static_cast<size_t>(j)] = score / std::sqrt(static_cast<double>(kSize));
            top = std::max(top, weights[static_cast<size_t>(j)]);
          }
          for (double& w : weights) total += w = std::exp(w - top);
          for (int d = 0; d < kSize; ++d) {
            double sum = 0;
            for (int j = 0; j < tokens; ++j)
              sum += weights[static_cast<size_t>(j)] / total * at(j, 2, d);
            exact[static_cast<size_t>(i * kWidth + h * kSize + d)] = sum;
          }
        }
      }
      for (const std::string& name : AvailableKernels()) {
        std::vector<float> scratch(AttentionScratch(static_cast<size_t>(tokens), kSize));
        std::vector<float> out(static_cast<size_t>(tokens) * kWidth);
        FindKernels(name.c_str())
            ->attention(qkv.data(), 3 * kWidth, qkv.data() + kWidth, qkv.data() + 2 * kWidth,
                        3 * kWidth, tokens, tokens, kHeads, kSize, out.data(), kWidth,
                        scratch.data());
        double largest = 0;
        for (size_t i = 0; i < out.size(); ++i)
          largest = std::max(largest, std::fabs(exact[i] - static_cast<double>(out[i])));
        // The dot product of shifted rows is near 50,000, so its float error is what counts there.
        CHECK(largest < (shift == 0.0f ? 1e-5 : 0.05));
      }
    }
  }
}

TEST(kernels_are_found_by_name_alone) {
  CHECK(FindKernels("scalar") != nullptr);
  CHECK(FindKernels("") == nullptr);
  CHECK(FindKernels("avx9000") == nullptr);
  std::vector<std::string> available = AvailableKernels();
  CHECK_EQ(available.back(), std::string("scalar"));
  CHECK(BuiltKernels().size() >= AvailableKernels().size());
  for (const std::string& name : AvailableKernels())
    std::printf("       kernels here: %s\n", name.c_str());
}

CHECK_MAIN()
