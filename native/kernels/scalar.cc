// kernel: any
// One lane: what every other kernel is tested against. Multiply and add are
// fused as they are there, in software where the processor cannot, so that the
// floats are the same too.
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels.h"

namespace ghostai {
namespace {

struct Isa {
  using Float = float;
  using Int = int32_t;
  static constexpr int kLanes = 1;
  static constexpr int kTileRows = 4;
  static constexpr int kTileVectors = 4;

  static Float Load(const float* p) { return *p; }
  static void Store(float* p, Float v) { *p = v; }
  static Float Set(float v) { return v; }
  static Float Add(Float a, Float b) { return a + b; }
  static Float Sub(Float a, Float b) { return a - b; }
  static Float Mul(Float a, Float b) { return a * b; }
  static Float Div(Float a, Float b) { return a / b; }
  static Float MulAdd(Float a, Float b, Float c) { return std::fma(a, b, c); }
  static Float Max(Float a, Float b) { return a > b ? a : b; }
  static Float Min(Float a, Float b) { return a < b ? a : b; }
  static Float Magnitude(Float v) { return std::fabs(v); }
  static Float Round(Float v) { return __builtin_rintf(v); }
  static Float AddToExponent(Float v, Float n) {
    uint32_t bits, shift;
    std::memcpy(&bits, &v, 4);
    std::memcpy(&shift, &n, 4);
    bits += shift << 23;
    std::memcpy(&v, &bits, 4);
    return v;
  }
  static float Sum(Float v) { return v; }
  static float Largest(Float v) { return v; }
  static float Smallest(Float v) { return v; }
  static void StoreBytes(uint8_t* p, Float v) { *p = static_cast<uint8_t>(v); }
  static Float LoadBytes(const int8_t* p) { return *p; }
  static Float ToFloat(Int v) { return static_cast<Float>(v); }
  static Int LoadInt(const int32_t* p) { return *p; }
  static void StoreInt(int32_t* p, Int v) { *p = v; }
  static void Transpose(Float (&)[kLanes]) {}

  static Int Zero() { return 0; }
  static Int Broadcast4(const uint8_t* p) {
    Int four;
    std::memcpy(&four, p, 4);
    return four;
  }
  static Int LoadWeights(const int8_t* p) {
    Int four;
    std::memcpy(&four, p, 4);
    return four;
  }
  static Int Dot(Int sum, Int a, Int w) {
    uint8_t activations[4];
    int8_t weights[4];
    std::memcpy(activations, &a, 4);
    std::memcpy(weights, &w, 4);
    for (int i = 0; i < 4; ++i) sum += activations[i] * weights[i];
    return sum;
  }
};

}  // namespace

#include "tile.h"
// Behind it, since it uses the tile.
#include "body.h"
extern const Kernels kScalarKernels;
const Kernels kScalarKernels = MakeKernels("scalar");
}  // namespace ghostai
