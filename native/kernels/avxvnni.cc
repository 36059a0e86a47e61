// kernel: x86_64 -mavx2 -mfma -mavxvnni
// 8 lanes with vpdpbusd in its VEX form, as client processors and the newer
// server ones without AVX-512 have it. Of the 16 registers a tile of 6 rows by
// 16 columns takes 12 for sums, 2 for weights and one for a row: 12
// instructions, 6 cycles, for 8 loads.
#include <cstring>
#include <type_traits>

#include "float8.h"
#include "kernels.h"

namespace ghostai {
namespace {

struct Isa : Float8 {
  static constexpr int kTileRows = 6;
  static constexpr int kTileVectors = 2;

  static Int Zero() { return _mm256_setzero_si256(); }
  static Int Broadcast4(const uint8_t* p) {
    int32_t four;
    std::memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
  }
  static Int LoadWeights(const int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Int Dot(Int sum, Int a, Int w) { return _mm256_dpbusd_avx_epi32(sum, a, w); }
};

}  // namespace

#include "tile.h"
// Behind it, since it uses the tile.
#include "body.h"
extern const Kernels kAvxVnniKernels;
const Kernels kAvxVnniKernels = MakeKernels("avxvnni");
}  // namespace ghostai
