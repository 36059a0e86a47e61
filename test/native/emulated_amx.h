// The AMX kernels with the tile instructions done in plain C++, as Intel's
// manual defines them, so that everything but the instructions themselves runs
// on any machine with AVX-512.
#pragma once

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq")
#include <immintrin.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace emulated {

// A tile is up to 16 rows of up to 64 bytes; the configuration says how many of them there are.
struct Tiles {
  uint8_t bytes[8][16][64];
  int rows[8], row_bytes[8];
  bool configured = false;
};
inline Tiles& State() {
  static Tiles tiles;
  return tiles;
}

inline void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "emulated AMX: %s\n", what);
  std::abort();
}

inline void LoadConfig(const void* memory) {
  uint8_t bytes[64];
  std::memcpy(bytes, memory, 64);
  Expect(bytes[0] == 1, "the palette must be 1");
  for (int i = 1; i < 16; ++i) Expect(bytes[i] == 0, "reserved bytes must be 0");
  for (int tile = 0; tile < 8; ++tile) {
    uint16_t row_bytes;
    std::memcpy(&row_bytes, bytes + 16 + 2 * tile, 2);
    State().row_bytes[tile] = row_bytes;
    State().rows[tile] = bytes[48 + tile];
    Expect(row_bytes <= 64 && bytes[48 + tile] <= 16, "a tile has at most 16 rows of 64 bytes");
  }
  State().configured = true;
}

inline void Release() { State().configured = false; }

inline void Zero(int tile) { std::memset(State().bytes[tile], 0, sizeof(State().bytes[tile])); }

inline void Load(int tile, const void* base, size_t stride) {
  Expect(State().configured, "tiles must be configured");
  Zero(tile);
  for (int row = 0; row < State().rows[tile]; ++row) {
    std::memcpy(State().bytes[tile][row],
                static_cast<const char*>(base) + static_cast<size_t>(row) * stride,
                static_cast<size_t>(State().row_bytes[tile]));
  }
}

inline void Store(int tile, void* base, size_t stride) {
  for (int row = 0; row < State().rows[tile]; ++row) {
    std::memcpy(static_cast<char*>(base) + static_cast<size_t>(row) * stride,
                State().bytes[tile][row], static_cast<size_t>(State().row_bytes[tile]));
  }
}

// c[m][n] += a[m][4 k + i] (unsigned) * b[k][4 n + i] (signed) over k and i.
inline void Multiply(int c, int a, int b) {
  Tiles& t = State();
  Expect(
      t.rows[a] == t.rows[c] && t.row_bytes[a] == 4 * t.rows[b] && t.row_bytes[b] == t.row_bytes[c],
      "the shapes of a product must fit");
  for (int m = 0; m < t.rows[c]; ++m) {
    for (int n = 0; n < t.row_bytes[c] / 4; ++n) {
      int32_t sum;
      std::memcpy(&sum, &t.bytes[c][m][4 * n], 4);
      for (int k = 0; k < t.rows[b]; ++k) {
        for (int i = 0; i < 4; ++i) {
          sum += t.bytes[a][m][4 * k + i] * static_cast<int8_t>(t.bytes[b][k][4 * n + i]);
        }
      }
      std::memcpy(&t.bytes[c][m][4 * n], &sum, 4);
    }
  }
}

}  // namespace emulated

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbusd
#define _tile_loadconfig emulated::LoadConfig
#define _tile_release emulated::Release
#define _tile_zero emulated::Zero
#define _tile_loadd emulated::Load
#define _tile_stored emulated::Store
#define _tile_dpbusd emulated::Multiply
#define kAmxKernels kEmulatedAmxKernels
#include "kernels/amx.cc"
#undef kAmxKernels
#pragma GCC pop_options
#endif
