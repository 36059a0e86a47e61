// kernel: x86_64 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mamx-tile -mamx-int8
// -mprefer-vector-width=512 tdpbusd multiplies a tile of 16 rows by 64 bytes of K with one of 64
// bytes of K by 16 columns. The packed panels hold K in groups of four bytes, 64 columns side by
// side, which is just what a tile of weights wants: 16 rows of 64 bytes, a panel's row of 256 bytes
// apart. Two tiles of rows by two of columns use all eight: four sums, two of activations, two of
// weights, one load a product.
#include <cstring>
#include <type_traits>

#include "float16.h"
#include "kernels.h"

namespace ghostai {
namespace {

using Isa = Float16;

constexpr int kTileRows = 16;
constexpr int kTileColumns = 16;
constexpr int kTileDepth = 64;  // bytes of K
constexpr int kBlockRows = 2 * kTileRows;
constexpr int kBlockColumns = 2 * kTileColumns;

// As the processor reads it (Intel's manual, volume 1, 'TILECFG').
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Tiles: 0 to 3 sums (upper left, upper right, lower left, lower right), 4 and 5 activations
// (upper, lower), 6 and 7 weights (left, right).
template <bool kLower>
inline void MultiplyTiles(const uint8_t* a, size_t a_stride, const int8_t* weights, int inputs,
                          const int8_t* ahead, int lines, int32_t* sums, size_t sums_stride) {
  const uint8_t* lower = a + kTileRows * a_stride;
  _tile_zero(0);
  _tile_zero(1);
  if (kLower) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int k = 0; k < inputs; k += kTileDepth) {
    const int8_t* w = weights + static_cast<size_t>(k) * kPanelColumns;
    for (int line = 0; line < 4 * lines; ++line, ahead += 64) __builtin_prefetch(ahead, 0, 2);
    _tile_loadd(6, w, 4 * kPanelColumns);
    _tile_loadd(7, w + 4 * kTileColumns, 4 * kPanelColumns);
    _tile_loadd(4, a + k, a_stride);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    if (kLower) {
      _tile_loadd(5, lower + k, a_stride);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    }
  }
  _tile_stored(0, sums, sums_stride * 4);
  _tile_stored(1, sums + kTileColumns, sums_stride * 4);
  if (kLower) {
    int32_t* lower_sums = sums + kTileRows * sums_stride;
    _tile_stored(2, lower_sums, sums_stride * 4);
    _tile_stored(3, lower_sums + kTileColumns, sums_stride * 4);
  }
}

__attribute__((noinline)) void SumBlock(const uint8_t* a, size_t a_stride, const int8_t* weights,
                                        int inputs, int rows, const int8_t* ahead, int lines,
                                        int32_t* sums, size_t sums_stride) {
  int upper = rows < kTileRows ? rows : kTileRows, lower = rows - upper;
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    bool is_weights = tile >= 6;
    bool is_lower = tile == 2 || tile == 3 || tile == 5;
    config.rows[tile] = static_cast<uint8_t>(is_weights ? kTileDepth / 4
                                             : is_lower ? (lower > 0 ? lower : 1)
                                                        : upper);
    config.row_bytes[tile] = 64;
  }
  _tile_loadconfig(&config);
  if (lower > 0) {
    MultiplyTiles<true>(a, a_stride, weights, inputs, ahead, lines, sums, sums_stride);
  } else {
    MultiplyTiles<false>(a, a_stride, weights, inputs, ahead, lines, sums, sums_stride);
  }
  // Left configured, the tiles' 8 KB would be saved at each switch of threads.
  _tile_release();
}

}  // namespace

#include "body.h"
extern const Kernels kAmxKernels;
const Kernels kAmxKernels = MakeKernels("amx");
}  // namespace ghostai
