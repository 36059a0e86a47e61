// ghostai-kernels-bench [--kernels NAME,NAME] [--rounds N] [--slice SECONDS] [--peaks]
//   For each kernel of this CPU, each matrix product of the model and each number of rows, the
//   multiply-accumulates a second of `product` and of `linear`, and beside them the peak: a loop of
//   that instruction set's dot product on registers alone. The three take turns, `rounds` times;
//   printed are medians
//   in 10^9 a second, and medians of each round's share of its peak, one JSON line a case.
//
// `far` is `linear` over as many copies of the layer as fit the whole model's weights, one after
// the other, so that its weights come from where they lie in a forward pass.
//
// `--peaks` measures the peaks alone: {"kernels","peak_instructions","peak"}.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../ghostai.h"
#include "../kernels/kernels.h"

#if defined(__x86_64__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

// ---- peaks -----------------------------------------------------------------
//
// Each is enough independent sums to hide the instruction's latency, and no memory. The empty
// assembly makes the operand opaque: without it, a product of two values that never change would
// be computed once, before the loop.

#if defined(__x86_64__)

constexpr int kAvx512Sums = 16;
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) int PeakAvx512Vnni(long passes) {
  __m512i sums[kAvx512Sums];
  __m512i a = _mm512_set1_epi32(0x01020304), w = _mm512_set1_epi32(0x04030201);
#pragma GCC unroll 16
  for (int i = 0; i < kAvx512Sums; ++i) sums[i] = _mm512_set1_epi32(i);
  for (long pass = 0; pass < passes; ++pass) {
    asm volatile("" : "+v"(w));
#pragma GCC unroll 16
    for (int i = 0; i < kAvx512Sums; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], a, w);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kAvx512Sums; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  return _mm512_reduce_add_epi32(sums[0]);
}

constexpr int kAvxVnniSums = 12;
__attribute__((target("avx2,avxvnni"))) int PeakAvxVnni(long passes) {
  __m256i sums[kAvxVnniSums];
  __m256i a = _mm256_set1_epi32(0x01020304), w = _mm256_set1_epi32(0x04030201);
#pragma GCC unroll 12
  for (int i = 0; i < kAvxVnniSums; ++i) sums[i] = _mm256_set1_epi32(i);
  for (long pass = 0; pass < passes; ++pass) {
    asm volatile("" : "+x"(w));
#pragma GCC unroll 12
    for (int i = 0; i < kAvxVnniSums; ++i) sums[i] = _mm256_dpbusd_avx_epi32(sums[i], a, w);
  }
#pragma GCC unroll 12
  for (int i = 1; i < kAvxVnniSums; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  return _mm256_extract_epi32(sums[0], 0) + _mm256_extract_epi32(sums[0], 7);
}

// The way of the AVX2 kernel: four pair sums in 16 bits, then one widening.
constexpr int kAvx2Sums = 6;
__attribute__((target("avx2"))) int PeakAvx2(long passes) {
  __m256i sums[kAvx2Sums];
  __m256i a = _mm256_set1_epi32(0x01020304), w = _mm256_set1_epi32(0x04030201);
  __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 6
  for (int i = 0; i < kAvx2Sums; ++i) sums[i] = _mm256_set1_epi32(i);
  for (long pass = 0; pass < passes; ++pass) {
#pragma GCC unroll 6
    for (int i = 0; i < kAvx2Sums; ++i) {
      __m256i pairs = _mm256_maddubs_epi16(a, w);
#pragma GCC unroll 3
      for (int j = 1; j < 4; ++j) {
        asm volatile("" : "+x"(w));
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(a, w));
      }
      asm volatile("" : "+x"(w));
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
    }
  }
#pragma GCC unroll 6
  for (int i = 1; i < kAvx2Sums; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  return _mm256_extract_epi32(sums[0], 0) + _mm256_extract_epi32(sums[0], 7);
}

#elif defined(__aarch64__)

constexpr int kNeonSums = 16;
__attribute__((target("arch=armv8.2-a+dotprod"))) int PeakNeonDot(long passes) {
  int32x4_t sums[kNeonSums];
  int8x16_t a = vdupq_n_s8(3), w = vdupq_n_s8(5);
#pragma GCC unroll 16
  for (int i = 0; i < kNeonSums; ++i) sums[i] = vdupq_n_s32(i);
  for (long pass = 0; pass < passes; ++pass) {
    asm volatile("" : "+w"(w));
#pragma GCC unroll 16
    for (int i = 0; i < kNeonSums; ++i) sums[i] = vdotq_s32(sums[i], a, w);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kNeonSums; ++i) sums[0] = vaddq_s32(sums[0], sums[i]);
  return vaddvq_s32(sums[0]);
}

#endif

constexpr int kScalarSums = 8;
int PeakScalar(long passes) {
  int sums[kScalarSums];
  int a = 3, w = 5;
#pragma GCC unroll 8
  for (int i = 0; i < kScalarSums; ++i) sums[i] = i;
  for (long pass = 0; pass < passes; ++pass) {
#pragma GCC unroll 8
    for (int i = 0; i < kScalarSums; ++i) {
      asm volatile("" : "+r"(w));
      sums[i] += a * w;
    }
  }
  for (int i = 1; i < kScalarSums; ++i) sums[0] += sums[i];
  return sums[0];
}

struct Peak {
  const char* kernels;
  const char* instructions;
  int (*run)(long passes);
  int macs_a_pass;
};

const Peak kPeaks[] = {
#if defined(__x86_64__)
    {"avx512vnni", "vpdpbusd zmm", PeakAvx512Vnni, kAvx512Sums * 64},
    {"avxvnni", "vpdpbusd ymm", PeakAvxVnni, kAvxVnniSums * 32},
    {"avx2", "4 vpmaddubsw, 3 vpaddw, vpmaddwd, vpaddd ymm", PeakAvx2, kAvx2Sums * 128},
#elif defined(__aarch64__)
    {"neondot", "sdot v.4s", PeakNeonDot, kNeonSums * 16},
#endif
    {"scalar", "integer multiply, add", PeakScalar, kScalarSums},
};

// ---- cases -----------------------------------------------------------------

struct Shape {
  const char* name;
  int inputs;
  int outputs;
  bool gelu;
};

const Shape kShapes[] = {
    {"qkv", 384, 1152, false},
    {"out", 384, 384, false},
    {"inner", 384, 1536, true},
    {"outer", 1536, 384, false},
};
const int kRows[] = {16, 32, 64, 128};
constexpr size_t kModelWeights = size_t{6} * 384 * (1152 + 384 + 1536 + 1536);
constexpr int kRowsMax = 128;
constexpr int kInputsMax = 1536;
constexpr int kOutputsMax = 1536;

volatile int sink;

template <typename Run>
double Seconds(Run&& run) {
  auto from = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - from).count();
}

// Multiply-accumulates a second over at least `slice` seconds; `run(times)` does it `times` times.
template <typename Run>
double Rate(double macs, double slice, Run&& run) {
  long times = 1;
  double seconds = Seconds([&] { run(times); });
  while (seconds < slice) {
    long wanted = static_cast<long>(1.2 * slice / seconds * static_cast<double>(times)) + 1;
    times = std::min(wanted, times * 100);
    seconds = Seconds([&] { run(times); });
  }
  return macs * static_cast<double>(times) / seconds;
}

// The middle one of each round's `values` over that round's `peaks`, or of the values themselves.
double Median(std::vector<double> values, const std::vector<double>& peaks = {}) {
  for (size_t i = 0; i < peaks.size(); ++i) values[i] /= peaks[i];
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Memory of everything that a case reads and writes.
struct Data {
  std::vector<int8_t> weights;
  std::vector<uint8_t> values;
  std::vector<float> activation_scales, scales, bias, floats, largest;
  std::vector<int32_t> zeros, sums, integers;

  Data()
      : weights(kModelWeights + 64),
        values(kRowsMax * kInputsMax),
        activation_scales(kRowsMax, 0.01f),
        scales(kOutputsMax, 0.001f),
        bias(kOutputsMax, 0.1f),
        floats(kRowsMax * kOutputsMax + 16),
        largest(kRowsMax),
        zeros(kRowsMax, 120),
        sums(kOutputsMax, 7),
        integers(kRowsMax * kOutputsMax + 16) {
    std::mt19937 random(1);
    // Within what packing certifies for every kernel: no sum saturates 16 bits.
    for (int8_t& weight : weights) weight = static_cast<int8_t>(random() % 43) - 21;
    for (uint8_t& value : values) {
      value = static_cast<uint8_t>(random() % (ghostai::kActivationMax + 1));
    }
  }

  // Weights begin at a multiple of 64 bytes, as they do in a packed model.
  const int8_t* aligned_weights() const {
    auto at = reinterpret_cast<uintptr_t>(weights.data());
    return weights.data() + (64 - at % 64) % 64;
  }
};

void Measure(const ghostai::Kernels& kernels, const Peak& peak, const Shape& shape, int rows,
             int rounds, double slice, Data* data) {
  size_t stride = static_cast<size_t>(shape.inputs), c_stride = static_cast<size_t>(shape.outputs);
  size_t weights = stride * c_stride;
  size_t copies = kModelWeights / weights;
  int panels = shape.outputs / ghostai::kPanelColumns;
  double macs = static_cast<double>(weights) * rows;
  ghostai::Activations a = {data->values.data(), stride, data->activation_scales.data(),
                            data->zeros.data()};
  auto layer = [&](size_t copy) {
    return ghostai::Linear{data->aligned_weights() + copy * weights,
                           data->scales.data(),
                           data->sums.data(),
                           data->bias.data(),
                           shape.inputs,
                           shape.outputs};
  };
  auto linear = [&](size_t copy) {
    kernels.linear(a, 0, rows, layer(copy), 0, panels,
                   shape.gelu ? ghostai::Finish::kGelu : ghostai::Finish::kStore,
                   data->floats.data(), c_stride, data->largest.data());
  };
  size_t next = 0;
  std::vector<double> peaks, products, linears, fars;
  for (int round = 0; round < rounds; ++round) {
    peaks.push_back(Rate(peak.macs_a_pass, slice, [&](long times) { sink = peak.run(times); }));
    products.push_back(Rate(macs, slice, [&](long times) {
      for (long i = 0; i < times; ++i) {
        kernels.product(a.values, stride, data->aligned_weights(), shape.inputs, rows, panels,
                        data->integers.data(), c_stride);
      }
    }));
    linears.push_back(Rate(macs, slice, [&](long times) {
      for (long i = 0; i < times; ++i) linear(0);
    }));
    fars.push_back(Rate(macs, slice, [&](long times) {
      for (long i = 0; i < times; ++i) linear(next++ % copies);
    }));
  }
  std::printf(
      "{\"kernels\":\"%s\",\"shape\":\"%s\",\"inputs\":%d,\"outputs\":%d,\"gelu\":%s,\"rows\":%d,"
      "\"peak_instructions\":\"%s\"",
      kernels.name, shape.name, shape.inputs, shape.outputs, shape.gelu ? "true" : "false", rows,
      peak.instructions);
  std::printf(",\"peak\":%.4g", Median(peaks) / 1e9);
  auto print = [&](const char* name, const std::vector<double>& rates) {
    std::printf(",\"%s\":%.4g,\"%s_share\":%.4f", name, Median(rates) / 1e9, name,
                Median(rates, peaks));
  };
  print("product", products);
  print("linear", linears);
  print("far", fars);
  std::printf("}\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::string wanted;
  int rounds = 5;
  double slice = 0.02;
  bool peaks_alone = false;
  for (int i = 1; i < argc; ++i) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (std::strcmp(argv[i], "--kernels") == 0) {
      wanted = std::string(",") + value + ",";
    } else if (std::strcmp(argv[i], "--rounds") == 0) {
      rounds = std::atoi(value);
    } else if (std::strcmp(argv[i], "--slice") == 0) {
      slice = std::atof(value);
    } else if (std::strcmp(argv[i], "--peaks") == 0) {
      peaks_alone = true;
      continue;
    } else {
      std::fprintf(stderr, "ghostai-kernels-bench: there is no option %s\n", argv[i]);
      return 2;
    }
    ++i;
  }
  if (rounds < 1 || !(slice > 0)) {
    std::fprintf(stderr, "ghostai-kernels-bench: expected --rounds from 1 and --slice above 0\n");
    return 2;
  }
  Data data;
  for (const Peak& peak : kPeaks) {
    if (!wanted.empty() && wanted.find(std::string(",") + peak.kernels + ",") == std::string::npos)
      continue;
    const ghostai::Kernels* kernels = ghostai::FindKernels(peak.kernels);
    if (kernels == nullptr) continue;
    if (peaks_alone) {
      std::vector<double> peaks;
      for (int round = 0; round < rounds; ++round)
        peaks.push_back(Rate(peak.macs_a_pass, slice, [&](long times) { sink = peak.run(times); }));
      std::printf("{\"kernels\":\"%s\",\"peak_instructions\":\"%s\",\"peak\":%.4g}\n",
                  kernels->name, peak.instructions, Median(peaks) / 1e9);
      continue;
    }
    for (const Shape& shape : kShapes) {
      for (int rows : kRows) Measure(*kernels, peak, shape, rows, rounds, slice, &data);
    }
  }
  return 0;
}
