// kernel: x86_64 -mavx2 -mfma
// AVX2 has no u8 x i8 dot product. vpmaddubsw adds neighbouring products in 16
// bits, four such results are added in 16 bits, and one vpmaddwd by ones widens
// them to 32: 9 instructions for 128 products, where widening each result would
// take 12. Exact, since packing certifies these very groups (kSumGroup in
// kernels.h): no partial sum leaves 16 bits.
//
// Eight vectors of weights (16 columns by 16 of K) stay in registers while all
// rows pass by; a row's two sums live in the first-level cache, because sums of
// more rows do not fit in 16 registers beside the weights. A row costs 18
// arithmetic instructions, which three ports do in 6 cycles, against 6 loads
// and 2 stores, which hide beside them: 42.7 products a cycle.
//
// Measured on Emerald Rapids, layers as the model calls them: 92 to 98 % of a
// loop of this way's instructions on registers alone (117 GMAC/s). Tried before:
// a tile of 4 x 2 register sums, each result widened by itself, 98 % of a peak
// of 87 GMAC/s.
#include <cstring>
#include <type_traits>

#include "float8.h"
#include "kernels.h"

namespace ghostai {
namespace {

using Isa = Float8;

constexpr int kBlockRows = 32;
constexpr int kBlockColumns = 16;

inline __m256i LoadWeights(const int8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline __m256i Broadcast4(const uint8_t* p) {
  int32_t four;
  std::memcpy(&four, p, 4);
  return _mm256_set1_epi32(four);
}

__attribute__((noinline)) void SumBlock(const uint8_t* a, size_t a_stride, const int8_t* weights,
                                        int inputs, int rows, const int8_t* ahead, int lines,
                                        int32_t* sums, size_t sums_stride) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (int r = 0; r < rows; ++r) {
    int32_t* sum = sums + static_cast<size_t>(r) * sums_stride;
    Isa::StoreInt(sum, _mm256_setzero_si256());
    Isa::StoreInt(sum + 8, _mm256_setzero_si256());
  }
  for (int k = 0; k < inputs; k += kSumGroup) {
    const int8_t* w = weights + static_cast<size_t>(k) * kPanelColumns;
    __m256i left[4], right[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      left[i] = LoadWeights(w + i * 4 * kPanelColumns);
      right[i] = LoadWeights(w + i * 4 * kPanelColumns + 32);
    }
    for (int line = 0; line < lines; ++line, ahead += 64) __builtin_prefetch(ahead, 0, 2);
    const uint8_t* row = a + k;
    int32_t* sum = sums;
    for (int r = 0; r < rows; ++r, row += a_stride, sum += sums_stride) {
      __m256i four = Broadcast4(row);
      __m256i l = _mm256_maddubs_epi16(four, left[0]);
      __m256i s = _mm256_maddubs_epi16(four, right[0]);
#pragma GCC unroll 3
      for (int i = 1; i < 4; ++i) {
        four = Broadcast4(row + 4 * i);
        l = _mm256_add_epi16(l, _mm256_maddubs_epi16(four, left[i]));
        s = _mm256_add_epi16(s, _mm256_maddubs_epi16(four, right[i]));
      }
      l = _mm256_add_epi32(_mm256_madd_epi16(l, ones), Isa::LoadInt(sum));
      s = _mm256_add_epi32(_mm256_madd_epi16(s, ones), Isa::LoadInt(sum + 8));
      Isa::StoreInt(sum, l);
      Isa::StoreInt(sum + 8, s);
    }
  }
}

}  // namespace

#include "body.h"
extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = MakeKernels("avx2");
}  // namespace ghostai
