// The steps of the forward pass over an instruction set's vectors, written
// once. A kernel file defines `Isa` in an anonymous namespace before it
// includes this header, so every function here is compiled with that file's
// flags and is private to it.
//
// Isa has: kLanes; Float, Int (registers); Load, Store, Set, Add, Sub, Mul,
// MulAdd(a, b, c) = a * b + c, Div, Max, Min, Round (to nearest even),
// PowerOfTwo (2^n for an integral n in [-126, 127]), Sum, Largest, Smallest
// (over lanes); StoreBytes (integral floats 0..255 as bytes), LoadBytes (int8
// as floats), ToFloat(Int); Zero, Broadcast4 (4 bytes to every lane), LoadWeights,
// Dot (4 products a lane added); StoreInt; kTileRows, kTileVectors.
//
// Error bounds of the float steps against exact arithmetic on the same inputs:
// Exp 3e-7 relative, Gelu 4e-7 absolute + 3e-7 relative, sums in vector order.

namespace {

using F = Isa::Float;
using I = Isa::Int;
constexpr int kLanes = Isa::kLanes;

inline F Exp(F x) {
  // Below -80 counts as -80: GELU's products then stay normal numbers; subnormal ones are slow.
  // 2^t = 2^n * 2^f with |f| <= 1/2; Taylor's terms of 2^f up to the sixth leave 2e-7.
  F t = Isa::Mul(Isa::Max(x, Isa::Set(-80.0f)), Isa::Set(1.44269504f));
  F n = Isa::Round(t);
  F f = Isa::Sub(t, n);
  F p = Isa::Set(1.540353039e-4f);
  p = Isa::MulAdd(p, f, Isa::Set(1.333355815e-3f));
  p = Isa::MulAdd(p, f, Isa::Set(9.618129108e-3f));
  p = Isa::MulAdd(p, f, Isa::Set(5.550410866e-2f));
  p = Isa::MulAdd(p, f, Isa::Set(2.402265070e-1f));
  p = Isa::MulAdd(p, f, Isa::Set(6.931471806e-1f));
  p = Isa::MulAdd(p, f, Isa::Set(1.0f));
  return Isa::Mul(p, Isa::PowerOfTwo(n));
}

// x * Phi(x) by Abramowitz and Stegun 7.1.26: erfc(z) = poly(t) exp(-z^2), t = 1 / (1 + p z).
inline F Gelu(F x) {
  F z = Isa::Mul(Isa::Max(x, Isa::Sub(Isa::Set(0.0f), x)), Isa::Set(0.70710678f));
  F t = Isa::Div(Isa::Set(1.0f), Isa::MulAdd(Isa::Set(0.3275911f), z, Isa::Set(1.0f)));
  F p = Isa::Set(1.061405429f);
  p = Isa::MulAdd(p, t, Isa::Set(-1.453152027f));
  p = Isa::MulAdd(p, t, Isa::Set(1.421413741f));
  p = Isa::MulAdd(p, t, Isa::Set(-0.284496736f));
  p = Isa::MulAdd(p, t, Isa::Set(0.254829592f));
  F half_tail = Isa::Mul(Isa::Mul(Isa::Mul(p, t), Isa::Set(0.5f)),
                         Exp(Isa::Sub(Isa::Set(0.0f), Isa::Mul(z, z))));
  // Phi(-|x|) is half_tail: x * Phi(x) = max(x, 0) - |x| * half_tail.
  F magnitude = Isa::Max(x, Isa::Sub(Isa::Set(0.0f), x));
  return Isa::Sub(Isa::Max(x, Isa::Set(0.0f)), Isa::Mul(magnitude, half_tail));
}

// ---- integer product -------------------------------------------------------

// One tile: kRows rows by kTileVectors vectors of columns, its sums stored from row to row in c.
// `weights` points at the first column of the tile in its panel. With `kPrefetch` the same place of
// the next panel is asked for. The sums leave through memory and the tile is a function of its own
// on purpose: joined to what follows, GCC 12 copies and spills the sums in the inner loop, which
// halves its speed: 180 against 340 GMAC/s on Emerald Rapids at 64 rows.
template <int kRows, bool kPrefetch>
__attribute__((noinline)) void Tile(const uint8_t* a, size_t a_stride, const int8_t* weights,
                                    int inputs, size_t panel_bytes, int32_t* c, size_t c_stride) {
  constexpr int kVectors = Isa::kTileVectors;
  I sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[r][v] = Isa::Zero();
  }
  for (int k = 0; k < inputs; k += 4) {
    const int8_t* w = weights + static_cast<size_t>(k) * kPanelColumns;
    if (kPrefetch) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        if (v * kLanes % 16 == 0) __builtin_prefetch(w + panel_bytes + v * kLanes * 4, 0, 3);
      }
    }
    I columns[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) columns[v] = Isa::LoadWeights(w + v * kLanes * 4);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      I row = Isa::Broadcast4(a + static_cast<size_t>(r) * a_stride + k);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Isa::Dot(sums[r][v], row, columns[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      Isa::StoreInt(c + static_cast<size_t>(r) * c_stride + v * kLanes, sums[r][v]);
    }
  }
}

// Rows in tiles of nearly equal height, so that no tile is left with one or two rows.
template <typename PerTile>
inline void EachTile(int rows, PerTile&& per_tile) {
  int tiles = (rows + Isa::kTileRows - 1) / Isa::kTileRows;
  int row = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    int height = (rows - row + (tiles - tile) - 1) / (tiles - tile);
    per_tile(row, height);
    row += height;
  }
}

template <int kRows, typename Call>
inline void WithRows(int rows, Call&& call) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      call(std::integral_constant<int, kRows>{});
    } else {
      WithRows<kRows - 1>(rows, call);
    }
  }
}

void Product(const uint8_t* a, size_t a_stride, const int8_t* weights, int inputs, int rows,
             int panels, int32_t* c, size_t c_stride) {
  size_t panel_bytes = static_cast<size_t>(inputs) * kPanelColumns;
  constexpr int kColumns = Isa::kTileVectors * kLanes;
  for (int panel = 0; panel < panels; ++panel) {
    for (int column = 0; column < kPanelColumns; column += kColumns) {
      const int8_t* w = weights + static_cast<size_t>(panel) * panel_bytes + column * 4;
      EachTile(rows, [&](int row, int height) {
        WithRows<Isa::kTileRows>(height, [&](auto count) {
          Tile<count.value, false>(
              a + static_cast<size_t>(row) * a_stride, a_stride, w, inputs, 0,
              c + static_cast<size_t>(row) * c_stride + panel * kPanelColumns + column, c_stride);
        });
      });
    }
  }
}

// A tile's sums as floats: (sum - zero * sum of weights) * scale + bias, then GELU.
template <bool kGelu>
inline void FinishTile(const int32_t* sums, const Activations& a, int from, int height,
                       const Linear& layer, int first, float* c, size_t c_stride) {
  constexpr int kColumns = Isa::kTileVectors * kLanes;
  for (int v = 0; v < Isa::kTileVectors; ++v) {
    int at = first + v * kLanes;
    F column_scale = Isa::Load(layer.scales + at), bias = Isa::Load(layer.bias + at);
    F column_sum = Isa::ToFloat(Isa::LoadInt(layer.sums + at));
    for (int r = 0; r < height; ++r) {
      F zero = Isa::Set(-static_cast<float>(a.zeros[from + r]));
      F value = Isa::MulAdd(zero, column_sum,
                            Isa::ToFloat(Isa::LoadInt(sums + r * kColumns + v * kLanes)));
      F scale = Isa::Mul(Isa::Set(a.scales[from + r]), column_scale);
      value = Isa::MulAdd(value, scale, bias);
      if (kGelu) value = Gelu(value);
      Isa::Store(c + static_cast<size_t>(r) * c_stride + v * kLanes, value);
    }
  }
}

template <bool kGelu>
inline void LinearLayer(const Activations& a, int first_row, int rows, const Linear& layer,
                        int first_panel, int panels, float* c, size_t c_stride) {
  size_t panel_bytes = static_cast<size_t>(layer.inputs) * kPanelColumns;
  constexpr int kColumns = Isa::kTileVectors * kLanes;
  alignas(64) int32_t sums[Isa::kTileRows * kColumns];
  for (int panel = 0; panel < panels; ++panel) {
    for (int column = 0; column < kPanelColumns; column += kColumns) {
      int first = (first_panel + panel) * kPanelColumns + column;
      const int8_t* w =
          layer.weights + static_cast<size_t>(first_panel + panel) * panel_bytes + column * 4;
      EachTile(rows, [&](int row, int height) {
        int from = first_row + row;
        const uint8_t* values = a.values + static_cast<size_t>(from) * a.stride;
        WithRows<Isa::kTileRows>(height, [&](auto count) {
          // Only the first tile finds its weights far away, so only it looks ahead.
          if (row == 0) {
            Tile<count.value, true>(values, a.stride, w, layer.inputs, panel_bytes, sums, kColumns);
          } else {
            Tile<count.value, false>(values, a.stride, w, layer.inputs, panel_bytes, sums,
                                     kColumns);
          }
        });
        FinishTile<kGelu>(sums, a, from, height, layer, first,
                          c + static_cast<size_t>(row) * c_stride + panel * kPanelColumns + column,
                          c_stride);
      });
    }
  }
}

void LinearEntry(const Activations& a, int first_row, int rows, const Linear& layer,
                 int first_panel, int panels, bool gelu, float* c, size_t c_stride) {
  if (gelu) {
    LinearLayer<true>(a, first_row, rows, layer, first_panel, panels, c, c_stride);
  } else {
    LinearLayer<false>(a, first_row, rows, layer, first_panel, panels, c, c_stride);
  }
}

// ---- rows ------------------------------------------------------------------

inline void QuantiseBetween(const float* x, int size, float low, float high, const Activations& q,
                            int row) {
  // Zero is always in the range, so that it is exact and `zero` fits in 0..255.
  low = low < 0.0f ? low : 0.0f;
  high = high > 0.0f ? high : 0.0f;
  float scale = (high - low) / 255.0f;
  // A row of zeros, and one so small that its inverse would overflow, is stored as zeros.
  bool flat = !(scale > 1e-30f);
  float inverse = flat ? 0.0f : 1.0f / scale;
  float zero = flat ? 0.0f : __builtin_rintf(-low * inverse);
  q.scales[row] = flat ? 0.0f : scale;
  q.zeros[row] = static_cast<int32_t>(zero);
  uint8_t* out = q.values + static_cast<size_t>(row) * q.stride;
  F factor = Isa::Set(inverse), offset = Isa::Set(zero);
  for (int i = 0; i < size; i += kLanes) {
    F value = Isa::Add(Isa::Round(Isa::Mul(Isa::Load(x + i), factor)), offset);
    value = Isa::Min(Isa::Max(value, Isa::Set(0.0f)), Isa::Set(255.0f));
    Isa::StoreBytes(out + i, value);
  }
}

void Quantise(const float* x, int size, const Activations& q, int row) {
  F low = Isa::Load(x), high = low;
  for (int i = kLanes; i < size; i += kLanes) {
    F value = Isa::Load(x + i);
    low = Isa::Min(low, value);
    high = Isa::Max(high, value);
  }
  QuantiseBetween(x, size, Isa::Smallest(low), Isa::Largest(high), q, row);
}

// Normalises x in place (mean 0, variance 1, then gamma and beta) and quantises it.
inline void NormaliseRow(float* x, const Norm& norm, int size, const Activations& q, int row) {
  F sum = Isa::Set(0.0f);
  for (int i = 0; i < size; i += kLanes) sum = Isa::Add(sum, Isa::Load(x + i));
  F mean = Isa::Set(Isa::Sum(sum) / static_cast<float>(size));
  F squares = Isa::Set(0.0f);
  for (int i = 0; i < size; i += kLanes) {
    F centred = Isa::Sub(Isa::Load(x + i), mean);
    squares = Isa::MulAdd(centred, centred, squares);
  }
  float variance = Isa::Sum(squares) / static_cast<float>(size);
  F factor = Isa::Set(1.0f / __builtin_sqrtf(variance + norm.epsilon));
  F low = Isa::Set(0.0f), high = low;
  for (int i = 0; i < size; i += kLanes) {
    F value = Isa::Mul(Isa::Sub(Isa::Load(x + i), mean), factor);
    value = Isa::MulAdd(value, Isa::Load(norm.gamma + i), Isa::Load(norm.beta + i));
    low = Isa::Min(low, value);
    high = Isa::Max(high, value);
    Isa::Store(x + i, value);
  }
  QuantiseBetween(x, size, Isa::Smallest(low), Isa::Largest(high), q, row);
}

void Embed(const int8_t* word, float scale, const float* position, const Norm& norm, int size,
           float* x, const Activations& q, int row) {
  for (int i = 0; i < size; i += kLanes) {
    Isa::Store(x + i,
               Isa::MulAdd(Isa::LoadBytes(word + i), Isa::Set(scale), Isa::Load(position + i)));
  }
  NormaliseRow(x, norm, size, q, row);
}

void AddNorm(float* x, const float* y, const Norm& norm, int size, const Activations& q, int row) {
  for (int i = 0; i < size; i += kLanes)
    Isa::Store(x + i, Isa::Add(Isa::Load(x + i), Isa::Load(y + i)));
  NormaliseRow(x, norm, size, q, row);
}

float Dot(const float* a, const float* b, int size) {
  F sum = Isa::Set(0.0f);
  for (int i = 0; i < size; i += kLanes) sum = Isa::MulAdd(Isa::Load(a + i), Isa::Load(b + i), sum);
  return Isa::Sum(sum);
}

// ---- attention -------------------------------------------------------------

// Weights of kRows queries over all keys of one head: rows of `weights`, `padded` apart.
template <int kRows>
inline void SoftMaxRows(const float* q, size_t q_stride, const float* keys, int head_size,
                        int tokens, int padded, float* weights, float* inverses) {
  F largest[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) largest[r] = Isa::Set(-3.0e38f);
  float factor = 1.0f / __builtin_sqrtf(static_cast<float>(head_size));
  int whole = tokens / kLanes * kLanes;
  for (int j = 0; j < padded; j += kLanes) {
    F score[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) score[r] = Isa::Set(0.0f);
    for (int d = 0; d < head_size; ++d) {
      F key = Isa::Load(keys + static_cast<size_t>(d) * static_cast<size_t>(padded) + j);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        score[r] = Isa::MulAdd(Isa::Set(q[static_cast<size_t>(r) * q_stride + d]), key, score[r]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      F scaled = Isa::Mul(score[r], Isa::Set(factor));
      Isa::Store(weights + r * padded + j, scaled);
      // Padding holds keys of zeros, whose scores must count nowhere.
      if (j < whole) largest[r] = Isa::Max(largest[r], scaled);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float* row = weights + r * padded;
    float maximum = Isa::Largest(largest[r]);
    for (int j = whole; j < tokens; ++j) maximum = row[j] > maximum ? row[j] : maximum;
    F top = Isa::Set(maximum);
    F sum = Isa::Set(0.0f);
    for (int j = 0; j < padded; j += kLanes) {
      // No score passes the largest, except those of padding, which count nowhere: 0 bounds them.
      F value = Exp(Isa::Min(Isa::Sub(Isa::Load(row + j), top), Isa::Set(0.0f)));
      Isa::Store(row + j, value);
      if (j < whole) sum = Isa::Add(sum, value);
    }
    float total = Isa::Sum(sum);
    for (int j = whole; j < tokens; ++j) total += row[j];
    inverses[r] = 1.0f / total;
  }
}

template <int kRows>
inline void WeightedValues(const float* weights, int padded, const float* inverses, const float* v,
                           size_t kv_stride, int tokens, int head_size, float* out,
                           size_t out_stride) {
  constexpr int kVectors = kLanes >= 16 ? 2 : 4;
  for (int column = 0; column < head_size; column += kVectors * kLanes) {
    F sums[kRows][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < kVectors; ++c) sums[r][c] = Isa::Set(0.0f);
    }
    for (int j = 0; j < tokens; ++j) {
      const float* value = v + static_cast<size_t>(j) * kv_stride + column;
      F values[kVectors];
#pragma GCC unroll 4
      for (int c = 0; c < kVectors; ++c) values[c] = Isa::Load(value + c * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        F weight = Isa::Set(weights[r * padded + j]);
#pragma GCC unroll 4
        for (int c = 0; c < kVectors; ++c) sums[r][c] = Isa::MulAdd(weight, values[c], sums[r][c]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < kVectors; ++c) {
        Isa::Store(out + static_cast<size_t>(r) * out_stride + column + c * kLanes,
                   Isa::Mul(sums[r][c], Isa::Set(inverses[r])));
      }
    }
  }
}

void Attention(const float* q, size_t q_stride, const float* k, const float* v, size_t kv_stride,
               int queries, int tokens, int heads, int head_size, float* out, size_t out_stride,
               float* scratch) {
  int padded = (tokens + 15) / 16 * 16;
  float* keys = scratch;  // [head_size][padded], transposed
  float* weights = scratch + static_cast<size_t>(padded) * static_cast<size_t>(head_size);
  for (int head = 0; head < heads; ++head) {
    int offset = head * head_size;
    for (int j = 0; j < padded; ++j) {
      const float* key = k + static_cast<size_t>(j) * kv_stride + offset;
      for (int d = 0; d < head_size; ++d) {
        keys[static_cast<size_t>(d) * static_cast<size_t>(padded) + static_cast<size_t>(j)] =
            j < tokens ? key[d] : 0.0f;
      }
    }
    float inverses[4];
    for (int row = 0; row < queries;) {
      const float* query = q + static_cast<size_t>(row) * q_stride + offset;
      float* to = out + static_cast<size_t>(row) * out_stride + offset;
      auto rows = [&](auto count) {
        SoftMaxRows<count.value>(query, q_stride, keys, head_size, tokens, padded, weights,
                                 inverses);
        WeightedValues<count.value>(weights, padded, inverses, v + offset, kv_stride, tokens,
                                    head_size, to, out_stride);
        row += count.value;
      };
      if (queries - row >= 4) {
        rows(std::integral_constant<int, 4>{});
      } else {
        rows(std::integral_constant<int, 1>{});
      }
    }
  }
}

constexpr Kernels MakeKernels(const char* name) {
  return {name, Product, LinearEntry, Embed, AddNorm, Quantise, Attention, Dot};
}

}  // namespace
