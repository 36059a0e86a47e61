// kernel: x86_64 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512
// 16 lanes; vpdpbusd adds four u8 x i8 products a lane. Two such instructions a
// cycle need 10 loads for 24 of them in a tile of 6 rows by 64 columns, which
// leaves the load ports half free: the tile's 24 sums, 4 weight vectors and a
// row fit in the 32 registers.
#include <cstring>
#include <type_traits>

#include "float16.h"
#include "kernels.h"

namespace ghostai {
namespace {

struct Isa : Float16 {
  static constexpr int kTileRows = 6;
  static constexpr int kTileVectors = 4;

  static Int Zero() { return _mm512_setzero_si512(); }
  static Int Broadcast4(const uint8_t* p) {
    int32_t four;
    std::memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  static Int LoadWeights(const int8_t* p) { return _mm512_loadu_si512(p); }
  static Int Dot(Int sum, Int a, Int w) { return _mm512_dpbusd_epi32(sum, a, w); }
};

}  // namespace

#include "tile.h"
// Behind it, since it uses the tile.
#include "body.h"
extern const Kernels kAvx512VnniKernels;
const Kernels kAvx512VnniKernels = MakeKernels("avx512vnni");
}  // namespace ghostai
