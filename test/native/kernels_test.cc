// Every kernel of this CPU against scalar, bit for bit, and scalar against textbook formulas.
#include "kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "emulated_amx.h"
#include "ghostai.h"

using namespace ghostai;

namespace {

std::vector<const Kernels*> Others() {
  std::vector<const Kernels*> kernels;
  for (const std::string& name : AvailableKernels()) {
    if (name != "scalar") kernels.push_back(FindKernels(name.c_str()));
  }
#if defined(__x86_64__)
  if (FindKernels("avx512vnni") != nullptr) kernels.push_back(&kEmulatedAmxKernels);
#endif
  return kernels;
}

const Kernels& Scalar() { return *FindKernels("scalar"); }

// Packed weights within what packing certifies: eight that are summed in 16 bits hold at most
// kSumMax of one sign. With `extreme` they hold just that.
std::vector<int8_t> RandomWeights(int inputs, int panels, bool extreme, std::mt19937* random) {
  std::vector<int8_t> weights(static_cast<size_t>(inputs) * static_cast<size_t>(panels) * 64);
  size_t panel_bytes = static_cast<size_t>(inputs) * 64;
  for (size_t panel = 0; panel < weights.size(); panel += panel_bytes) {
    for (size_t column = 0; column < 64; ++column) {
      for (size_t k = 0; k < static_cast<size_t>(inputs); k += kSumGroup) {
        for (size_t half : {0u, 2u}) {
          int left[2] = {kSumMax, kSumMax};  // of negative weights, of positive ones
          int sign = (*random)() % 2 ? 1 : -1;
          for (size_t i = 0; i < 8; ++i) {
            int value = static_cast<int>((*random)() % 255) - 127;
            if (extreme) value = sign * 127;
            int& room = left[value > 0];
            int magnitude = std::min(std::abs(value), room);
            room -= magnitude;
            size_t input = k + i / 2 * 4 + half + i % 2;
            weights[panel + input / 4 * 256 + column * 4 + input % 4] =
                static_cast<int8_t>(value > 0 ? magnitude : -magnitude);
          }
        }
      }
    }
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

bool Same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool Same(const OwnedActivations& a, const OwnedActivations& b) {
  return a.values == b.values && Same(a.scales, b.scales) && a.zeros == b.zeros;
}

}  // namespace

TEST(product_equals_a_plain_sum) {
  std::mt19937 random(1);
  int inputs = 64, rows = 5;
  std::vector<int8_t> weights = RandomWeights(inputs, 1, false, &random);
  std::vector<uint8_t> a(static_cast<size_t>(rows * inputs));
  for (uint8_t& value : a) value = static_cast<uint8_t>(random() % (kActivationMax + 1));
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
      int inputs = 64 * (1 + static_cast<int>(random() % 8));
      int rows = 1 + static_cast<int>(random() % 70);
      int panels = 1 + static_cast<int>(random() % 3);
      size_t stride = static_cast<size_t>(inputs) + random() % 9;
      std::vector<int8_t> weights = RandomWeights(inputs, panels, extreme, &random);
      std::vector<uint8_t> a(static_cast<size_t>(rows) * stride);
      for (uint8_t& value : a)
        value = static_cast<uint8_t>(extreme ? kActivationMax : random() % (kActivationMax + 1));
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
        CHECK(Same(expected, actual));
        Scalar().quantise_gelu(x.data(), size, 2 * spread, expected.view, 0);
        kernels->quantise_gelu(x.data(), size, 2 * spread, actual.view, 0);
        CHECK(Same(expected, actual));
      }
    }
  }
}

TEST(a_row_without_a_range_is_flat) {
  constexpr float kInfinity = __builtin_inff(), kLargest = 3.4e38f;
  for (auto [low, high] : {std::pair{-1.0f, kInfinity},
                           {-kInfinity, 1.0f},
                           {-kInfinity, kInfinity},
                           {-kLargest, kLargest},
                           {0.0f, __builtin_nanf("")}}) {
    for (const std::string& name : AvailableKernels()) {
      std::vector<float> x(64, low);
      for (size_t i = 1; i < x.size(); i += 2) x[i] = high;
      OwnedActivations q(1, 64);
      FindKernels(name.c_str())->quantise(x.data(), 64, q.view, 0);
      CHECK(q.view.scales[0] == 0.0f && q.view.zeros[0] == 0);
      for (size_t i = 0; i < x.size(); ++i) CHECK_EQ(int{q.view.values[i]}, 0);
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

TEST(linear_layers_equal_scalar_and_do_not_depend_on_the_batch) {
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
  std::vector<float> before = RandomFloats(kRows * kPanels * 64, 5.0f, &random);
  for (Finish finish : {Finish::kStore, Finish::kAdd, Finish::kGelu}) {
    std::vector<float> expected = before, expected_largest(kRows);
    Scalar().linear(a.view, 0, kRows, layer, 0, kPanels, finish, expected.data(), kPanels * 64,
                    expected_largest.data());
    for (const Kernels* kernels : Others()) {
      std::vector<float> actual = before, largest(kRows);
      kernels->linear(a.view, 0, kRows, layer, 0, kPanels, finish, actual.data(), kPanels * 64,
                      largest.data());
      CHECK(Same(expected, actual));
      CHECK(Same(expected_largest, largest));
      for (int row = 0; row < kRows; ++row) {
        auto from = before.begin() + row * kPanels * 64;
        std::vector<float> alone(from, from + kPanels * 64);
        kernels->linear(a.view, row, 1, layer, 0, kPanels, finish, alone.data(), kPanels * 64,
                        largest.data());
        CHECK(std::memcmp(alone.data(), actual.data() + row * kPanels * 64, alone.size() * 4) == 0);
        CHECK_EQ(largest[0], expected_largest[static_cast<size_t>(row)]);
      }
    }
  }
}

TEST(gelu_is_x_times_phi) {
  // Through a layer of no weight: the epilogue sees the biases themselves.
  std::vector<int8_t> weights(64 * 64 * 2);
  std::vector<float> scales(64, 1.0f), bias(64);
  std::vector<int32_t> sums(64);
  Linear layer{weights.data(), scales.data(), sums.data(), bias.data(), 64, 64};
  OwnedActivations a(1, 64);
  float largest;
  auto gelu = [&] {
    std::vector<float> y(64);
    Scalar().linear(a.view, 0, 1, layer, 0, 1, Finish::kGelu, y.data(), 64, &largest);
    return y;
  };
  for (int step = 0; step < 1000; ++step) {
    for (size_t n = 0; n < 64; ++n)
      bias[n] = (static_cast<float>(step) / 1000 + static_cast<float>(n) - 32) * 0.25f;
    std::vector<float> y = gelu();
    for (size_t n = 0; n < 64; ++n) {
      double x = static_cast<double>(bias[n]);
      double exact = x * 0.5 * std::erfc(-x / std::sqrt(2.0));
      CHECK(std::fabs(static_cast<double>(y[n]) - exact) < 2e-4);
    }
    // What quantise_gelu takes for the least value holds.
    CHECK(*std::min_element(y.begin(), y.end()) >= -0.1702f);
    CHECK_EQ(largest, std::max(0.0f, *std::max_element(y.begin(), y.end())));
  }
  bias[0] = 1e8f;
  bias[1] = -1e8f;
  std::vector<float> far = gelu();
  CHECK_EQ(far[0], 1e8f);
  CHECK(std::fabs(far[1]) < 2e-4f);
}

TEST(embeddings_and_norms_equal_scalar) {
  std::mt19937 random(6);
  // MiniLM's width, for which there is a form of its own, and others.
  for (int size : {64, 384, 448}) {
    auto count = static_cast<size_t>(size);
    std::vector<float> gamma = RandomFloats(count, 1.0f, &random),
                       beta = RandomFloats(count, 1.0f, &random);
    std::vector<int8_t> word(count);
    Norm norm{gamma.data(), beta.data(), 1e-12f};
    for (int round = 0; round < 20; ++round) {
      std::vector<float> x = RandomFloats(count, 1.0f, &random);
      for (int8_t& value : word) value = static_cast<int8_t>(random() % 255 - 127);
      std::vector<float> position = RandomFloats(count, 0.1f, &random), embedded(count);
      std::vector<float> normed = x;
      OwnedActivations normed_q(1, size), embedded_q(1, size);
      Scalar().norm(normed.data(), norm, size, normed_q.view, 0);
      Scalar().embed(word.data(), 0.01f, position.data(), norm, size, embedded.data(),
                     embedded_q.view, 0);
      for (const Kernels* kernels : Others()) {
        std::vector<float> y = x, z(count);
        OwnedActivations q(1, size);
        kernels->norm(y.data(), norm, size, q.view, 0);
        CHECK(Same(normed, y));
        CHECK(Same(normed_q, q));
        kernels->embed(word.data(), 0.01f, position.data(), norm, size, z.data(), q.view, 0);
        CHECK(Same(embedded, z));
        CHECK(Same(embedded_q, q));
        CHECK_EQ(kernels->dot(x.data(), gamma.data(), size),
                 Scalar().dot(x.data(), gamma.data(), size));
      }
    }
  }
}

TEST(a_norm_has_mean_beta_and_deviation_gamma) {
  std::mt19937 random(8);
  std::vector<float> x = RandomFloats(384, 3.0f, &random), gamma(384, 2.0f), beta(384, 0.5f);
  OwnedActivations q(1, 384);
  Scalar().norm(x.data(), {gamma.data(), beta.data(), 1e-12f}, 384, q.view, 0);
  double sum = 0, squares = 0;
  for (float value : x) sum += static_cast<double>(value);
  for (float value : x) squares += std::pow(static_cast<double>(value) - sum / 384, 2);
  CHECK(std::fabs(sum / 384 - 0.5) < 1e-5);
  CHECK(std::fabs(std::sqrt(squares / 384) - 2.0) < 1e-5);
}

TEST(attention_is_a_plain_softmax_and_equals_scalar) {
  std::mt19937 random(7);
  constexpr int kHeads = 3, kSize = 32, kWidth = kHeads * kSize;
  for (int tokens : {1, 2, 7, 9, 16, 17, 31, 32, 33, 64, 128}) {
    // With the shift, large scores that are all negative.
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
      auto attend = [&](const Kernels& kernels, int queries) {
        std::vector<float> scratch(AttentionScratch(static_cast<size_t>(tokens), kSize));
        std::vector<float> out(static_cast<size_t>(queries) * kWidth);
        kernels.attention(qkv.data(), 3 * kWidth, qkv.data() + kWidth, qkv.data() + 2 * kWidth,
                          3 * kWidth, queries, tokens, kHeads, kSize, out.data(), kWidth,
                          scratch.data());
        return out;
      };
      std::vector<float> out = attend(Scalar(), tokens);
      double largest = 0;
      for (size_t i = 0; i < out.size(); ++i)
        largest = std::max(largest, std::fabs(exact[i] - static_cast<double>(out[i])));
      // The dot product of shifted rows is near 50,000, so its float error is what counts there.
      CHECK(largest < (shift == 0.0f ? 1e-5 : 0.05));
      for (const Kernels* kernels : Others()) {
        CHECK(Same(attend(*kernels, tokens), out));
        CHECK(Same(attend(*kernels, 1), std::vector<float>(out.begin(), out.begin() + kWidth)));
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
