// Sixteen float lanes of AVX-512, for the kernel files that have them.
#pragma once

#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstdint>

namespace ghostai {
namespace {

struct Float16 {
  using Float = __m512;
  using Int = __m512i;
  static constexpr int kLanes = 16;

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
  static Float Magnitude(Float v) { return _mm512_abs_ps(v); }
  static Float Round(Float v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Float AddToExponent(Float v, Float n) {
    __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(v), shifted));
  }
  // The header adds lane i to lane i + 8, then to i + 4, i + 2, i + 1: the order of body.h.
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

  static void Transpose(Float (&row)[kLanes]) {
    Float pairs[16], fours[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
      pairs[i] = _mm512_unpacklo_ps(row[i], row[i + 1]);
      pairs[i + 1] = _mm512_unpackhi_ps(row[i], row[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
      fours[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
      fours[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xEE);
      fours[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
      fours[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xEE);
    }
    // fours[4 b + c] holds, in its 128-bit part p, column 4 p + c of the rows 4 b to 4 b + 3.
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      Float low = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0x88);
      Float low_odd = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0xDD);
      Float high = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0x88);
      Float high_odd = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0xDD);
      row[c] = _mm512_shuffle_f32x4(low, high, 0x88);
      row[8 + c] = _mm512_shuffle_f32x4(low, high, 0xDD);
      row[4 + c] = _mm512_shuffle_f32x4(low_odd, high_odd, 0x88);
      row[12 + c] = _mm512_shuffle_f32x4(low_odd, high_odd, 0xDD);
    }
  }
};

}  // namespace
}  // namespace ghostai
