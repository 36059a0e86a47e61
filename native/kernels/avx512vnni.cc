// kernel: x86_64 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512
// 16 lanes; vpdpbusd adds four u8 x i8 products a lane. Two such instructions a
// cycle need 10 loads for 24 of them in a tile of 6 rows by 64 columns, which
// leaves the load ports half free: the tile's 24 sums, 4 weight vectors and a
// row fit in the 32 registers.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstring>
#include <type_traits>

#include "kernels.h"

namespace ghostai {
namespace {

struct Isa {
  using Float = __m512;
  using Int = __m512i;
  static constexpr int kLanes = 16;
  static constexpr int kTileRows = 6;
  static constexpr int kTileVectors = 4;

  static Float Load(const float* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, Float v) { _mm512_storeu_ps(p, v); }
  static Float Set(float v) { return _mm512_set1_ps(v); }
  static Float Add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float Sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float Mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float Div(Float a, Float b) { return _mm512_div_ps(a, b); }
  static Float MulAdd(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float Max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float Min(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float Round(Float v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Float PowerOfTwo(Float n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0f), n); }
  static float Sum(Float v) { return _mm512_reduce_add_ps(v); }
  static float Largest(Float v) { return _mm512_reduce_max_ps(v); }
  static float Smallest(Float v) { return _mm512_reduce_min_ps(v); }
  static void StoreBytes(uint8_t* p, Float v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  static Float LoadBytes(const int8_t* p) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }
  static Float ToFloat(Int v) { return _mm512_cvtepi32_ps(v); }
  static Int LoadInt(const int32_t* p) { return _mm512_loadu_si512(p); }
  static void StoreInt(int32_t* p, Int v) { _mm512_storeu_si512(p, v); }
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

#include "body.h"
extern const Kernels kAvx512VnniKernels;
const Kernels kAvx512VnniKernels = MakeKernels("avx512vnni");
}  // namespace ghostai
