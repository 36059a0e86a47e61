// kernel: aarch64 -march=armv8.2-a+dotprod
// 4 lanes; sdot takes signed bytes only, so an activation a enters as a - 128
// and 128 times the sum of the weights comes back: both integer, so exact. The
// sum of the weights is had by a second sdot with ones.
#include <arm_neon.h>

#include <cstring>
#include <type_traits>

#include "kernels.h"

namespace ghostai {
namespace {

struct Isa {
  using Float = float32x4_t;
  using Int = int32x4_t;
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 4;
  static constexpr int kTileVectors = 4;

  static Float Load(const float* p) { return vld1q_f32(p); }
  static void Store(float* p, Float v) { vst1q_f32(p, v); }
  static Float Set(float v) { return vdupq_n_f32(v); }
  static Float Add(Float a, Float b) { return vaddq_f32(a, b); }
  static Float Sub(Float a, Float b) { return vsubq_f32(a, b); }
  static Float Mul(Float a, Float b) { return vmulq_f32(a, b); }
  static Float Div(Float a, Float b) { return vdivq_f32(a, b); }
  static Float MulAdd(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
  static Float Max(Float a, Float b) { return vmaxq_f32(a, b); }
  static Float Min(Float a, Float b) { return vminq_f32(a, b); }
  static Float Magnitude(Float v) { return vabsq_f32(v); }
  static Float Round(Float v) { return vrndnq_f32(v); }
  static Float AddToExponent(Float v, Float n) {
    int32x4_t shifted = vshlq_n_s32(vreinterpretq_s32_f32(n), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(v), shifted));
  }
  static float Sum(Float v) {
    float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static float Largest(Float v) { return vmaxvq_f32(v); }
  static float Smallest(Float v) { return vminvq_f32(v); }
  static void StoreBytes(uint8_t* p, Float v) {
    uint16x4_t shorts = vqmovn_u32(vcvtq_u32_f32(v));
    uint8x8_t bytes = vqmovn_u16(vcombine_u16(shorts, shorts));
    vst1_lane_u32(reinterpret_cast<uint32_t*>(p), vreinterpret_u32_u8(bytes), 0);
  }
  static Float LoadBytes(const int8_t* p) {
    int32_t four;
    std::memcpy(&four, p, 4);
    int16x8_t shorts = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(shorts)));
  }
  static Float ToFloat(Int v) { return vcvtq_f32_s32(v); }
  static Int LoadInt(const int32_t* p) { return vld1q_s32(p); }
  static void StoreInt(int32_t* p, Int v) { vst1q_s32(p, v); }
  static void Transpose(Float (&row)[kLanes]) {
    float32x4x2_t low = vtrnq_f32(row[0], row[1]), high = vtrnq_f32(row[2], row[3]);
    row[0] = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
    row[1] = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
    row[2] = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
    row[3] = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
  }

  static Int Zero() { return vdupq_n_s32(0); }
  static Int Broadcast4(const uint8_t* p) {
    int32_t four;
    std::memcpy(&four, p, 4);
    return veorq_s32(vdupq_n_s32(four), vdupq_n_s32(static_cast<int32_t>(0x80808080u)));
  }
  static Int LoadWeights(const int8_t* p) { return vreinterpretq_s32_s8(vld1q_s8(p)); }
  static Int Dot(Int sum, Int a, Int w) {
    int8x16_t weights = vreinterpretq_s8_s32(w);
    sum = vdotq_s32(sum, vreinterpretq_s8_s32(a), weights);
    // 128 * w = 64 * w + 64 * w: 64 fits in a signed byte, 128 does not.
    int8x16_t half = vdupq_n_s8(64);
    return vdotq_s32(vdotq_s32(sum, half, weights), half, weights);
  }
};

}  // namespace

#include "tile.h"
// Behind it, since it uses the tile.
#include "body.h"
extern const Kernels kNeonDotKernels;
const Kernels kNeonDotKernels = MakeKernels("neondot");
}  // namespace ghostai
