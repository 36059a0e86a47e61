// The integer product by a tile of sums in registers, for instruction sets with
// a dot product of four bytes. A kernel file defines `Isa` with its floats and,
// for this, Zero, Broadcast4 (4 bytes to every lane), LoadWeights, Dot (4
// products a lane added), kTileRows and kTileVectors, includes this, then
// body.h.

namespace {

constexpr int kBlockRows = Isa::kTileRows;
constexpr int kBlockColumns = Isa::kTileVectors * Isa::kLanes;

// The sums leave through memory and the tile is a function of its own on
// purpose: joined to what follows, GCC 12 copies and spills the sums in the
// inner loop, which halves its speed: 180 against 340 GMAC/s on Emerald Rapids
// at 64 rows.
template <int kRows>
__attribute__((noinline)) void Tile(const uint8_t* a, size_t a_stride, const int8_t* weights,
                                    int inputs, const int8_t* ahead, int lines, int32_t* sums,
                                    size_t sums_stride) {
  constexpr int kVectors = Isa::kTileVectors;
  typename Isa::Int tile[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) tile[r][v] = Isa::Zero();
  }
  for (int k = 0; k < inputs; k += kSumGroup) {
    for (int line = 0; line < lines; ++line, ahead += 64) __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 4
    for (int at = k; at < k + kSumGroup; at += 4) {
      const int8_t* w = weights + static_cast<size_t>(at) * kPanelColumns;
      typename Isa::Int columns[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) columns[v] = Isa::LoadWeights(w + v * Isa::kLanes * 4);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        typename Isa::Int row = Isa::Broadcast4(a + static_cast<size_t>(r) * a_stride + at);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) tile[r][v] = Isa::Dot(tile[r][v], row, columns[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      Isa::StoreInt(sums + static_cast<size_t>(r) * sums_stride + v * Isa::kLanes, tile[r][v]);
    }
  }
}

template <int kRows = kBlockRows>
inline void SumBlock(const uint8_t* a, size_t a_stride, const int8_t* weights, int inputs, int rows,
                     const int8_t* ahead, int lines, int32_t* sums, size_t sums_stride) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      Tile<kRows>(a, a_stride, weights, inputs, ahead, lines, sums, sums_stride);
    } else {
      SumBlock<kRows - 1>(a, a_stride, weights, inputs, rows, ahead, lines, sums, sums_stride);
    }
  }
}

}  // namespace
