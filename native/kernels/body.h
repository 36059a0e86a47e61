// The steps of the forward pass over an instruction set's vectors, written
// once. A kernel file defines `Isa`, kBlockRows, kBlockColumns and SumBlock in
// an anonymous namespace before it includes this header, so every function here
// is compiled with that file's flags and is private to it.
//
// SumBlock(a, a_stride, weights, inputs, rows, ahead, lines, sums, sums_stride)
// writes the integer sums of up to kBlockRows rows by kBlockColumns columns;
// `weights` points at the first of these columns in its panel, and meanwhile
// `lines` cache lines from `ahead` on are asked for with each kSumGroup of K.
//
// Isa has: kLanes; Float, Int (registers); Load, Store, Set, Add, Sub, Mul,
// MulAdd(a, b, c) = a * b + c rounded once, Div, Max, Min, Magnitude, Round (to nearest
// even), AddToExponent (of a float, the integer in another one's low bits), Sum,
// Largest, Smallest (over lanes); StoreBytes (integral floats 0..255 as bytes),
// LoadBytes (int8 as floats), LoadInt, StoreInt, ToFloat(Int); Transpose (of
// kLanes registers).
//
// Every instruction set gives the same floats, bit for bit: each operation is
// rounded as IEEE 754 says, multiply-adds are fused everywhere, and sums over a
// row run over 64 lanes, which each set holds in as many registers as it needs
// and adds up in the same order. So a text's logit does not depend on the CPU.
//
// Error bounds of the float steps against exact arithmetic on the same inputs:
// Exp 4e-6 relative, Gelu 2e-4 absolute.

namespace {

using F = Isa::Float;
using I = Isa::Int;
constexpr int kLanes = Isa::kLanes;
constexpr int kRowLanes = 64;
constexpr int kParts = kRowLanes / kLanes;

inline F Exp(F x) {
  // Below -80 counts as -80: what is multiplied by it stays normal; subnormal numbers are slow.
  // 2^t = 2^n * 2^f with |f| <= 1/2. Adding 1.5 * 2^23 rounds t to n and leaves n in the low bits;
  // the minimax polynomial of 2^f is of degree 4.
  F log2e = Isa::Set(1.44269504f), magic = Isa::Set(12582912.0f);
  x = Isa::Max(x, Isa::Set(-80.0f));
  F shifted = Isa::MulAdd(x, log2e, magic);
  F f = Isa::MulAdd(x, log2e, Isa::Sub(magic, shifted));
  F p = Isa::Set(9.570101909e-3f);
  p = Isa::MulAdd(p, f, Isa::Set(5.591786032e-2f));
  p = Isa::MulAdd(p, f, Isa::Set(2.402474483e-1f));
  p = Isa::MulAdd(p, f, Isa::Set(6.931218147e-1f));
  p = Isa::MulAdd(p, f, Isa::Set(9.999992614e-1f));
  return Isa::AddToExponent(p, shifted);
}

// x * Phi(x) without erf: max(x, 0) - y / 2 + e(y) with y = |x| and e(y) = y * (Phi(y) - 1/2),
// which is even, so a polynomial in u = y * y, and about y / 2 beyond 4. Seven coefficients, fitted
// by Lawson's iteration, in t = u / 8 - 1, where their sum does not cancel. The error is a
// twentieth of a step of the quantised result or less, and this costs 13 instructions where exp and
// a division cost 30; nine coefficients would be exact to 3e-5, and change no verdict.
constexpr float kGeluTop = 4.0f;
constexpr float kGeluLeast = -0.1702f;  // no value of it is smaller
inline F Gelu(F x) {
  F y = Isa::Min(Isa::Magnitude(x), Isa::Set(kGeluTop));
  F u = Isa::Mul(y, y);
  F t = Isa::MulAdd(u, Isa::Set(2.0f / (kGeluTop * kGeluTop)), Isa::Set(-1.0f));
  F p = Isa::Set(5.972038426e-3f);
  p = Isa::MulAdd(p, t, Isa::Set(-1.655090095e-2f));
  p = Isa::MulAdd(p, t, Isa::Set(2.409104675e-2f));
  p = Isa::MulAdd(p, t, Isa::Set(-3.546233947e-2f));
  p = Isa::MulAdd(p, t, Isa::Set(5.541019349e-2f));
  p = Isa::MulAdd(p, t, Isa::Set(-8.442661931e-2f));
  p = Isa::MulAdd(p, t, Isa::Set(1.759702164e-1f));
  F rest = Isa::MulAdd(y, Isa::Set(-0.5f), Isa::Max(x, Isa::Set(0.0f)));
  return Isa::MulAdd(u, p, rest);
}

// ---- sums over a row -------------------------------------------------------

// The 64 lanes' sum, always in this order: lane i and i + 32, then i + 16, i + 8 and so on to i
// + 1.
inline float FoldSum(F (&part)[kParts]) {
#pragma GCC unroll 6
  for (int half = kParts / 2; half > 0; half /= 2) {
#pragma GCC unroll 32
    for (int p = 0; p < half; ++p) part[p] = Isa::Add(part[p], part[p + half]);
  }
  return Isa::Sum(part[0]);
}

// Calls step(i, part) for every vector of a row; `part` is which of the 64 lanes' registers it is
// for.
template <typename Step>
inline void EachVector(int size, Step&& step) {
  for (int i = 0; i < size; i += kRowLanes) {
#pragma GCC unroll 64
    for (int p = 0; p < kParts; ++p) step(i + p * kLanes, p);
  }
}

// ---- linear layers ---------------------------------------------------------

// Rows in blocks of nearly equal height, so that none is left with one or two rows.
template <typename PerBlock>
inline void EachBlock(int rows, PerBlock&& per_block) {
  int blocks = (rows + kBlockRows - 1) / kBlockRows;
  int row = 0;
  for (int block = 0; block < blocks; ++block) {
    int height = (rows - row + (blocks - block) - 1) / (blocks - block);
    per_block(row, height);
    row += height;
  }
}

void Product(const uint8_t* a, size_t a_stride, const int8_t* weights, int inputs, int rows,
             int panels, int32_t* c, size_t c_stride) {
  size_t panel_bytes = static_cast<size_t>(inputs) * kPanelColumns;
  alignas(64) int32_t sums[kBlockRows * kBlockColumns];
  for (int panel = 0; panel < panels; ++panel) {
    for (int column = 0; column < kPanelColumns; column += kBlockColumns) {
      const int8_t* w = weights + static_cast<size_t>(panel) * panel_bytes + column * 4;
      EachBlock(rows, [&](int row, int height) {
        SumBlock(a + static_cast<size_t>(row) * a_stride, a_stride, w, inputs, height, w, 0, sums,
                 kBlockColumns);
        for (int r = 0; r < height; ++r) {
          int32_t* to =
              c + static_cast<size_t>(row + r) * c_stride + panel * kPanelColumns + column;
          for (int i = 0; i < kBlockColumns; i += kLanes) {
            Isa::StoreInt(to + i, Isa::LoadInt(sums + r * kBlockColumns + i));
          }
        }
      });
    }
  }
}

// A block's sums as floats, (sum - zero * sum of weights) * scale + bias, and what comes after.
template <Finish kFinish>
inline void FinishBlock(const int32_t* sums, const Activations& a, int from, int height,
                        const Linear& layer, int first, float* c, size_t c_stride, float* largest) {
  constexpr int kVectors = kBlockColumns / kLanes;
  F column_scale[kVectors], bias[kVectors], column_sum[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    column_scale[v] = Isa::Load(layer.scales + first + v * kLanes);
    bias[v] = Isa::Load(layer.bias + first + v * kLanes);
    column_sum[v] = Isa::ToFloat(Isa::LoadInt(layer.sums + first + v * kLanes));
  }
  for (int r = 0; r < height; ++r) {
    F zero = Isa::Set(-static_cast<float>(a.zeros[from + r]));
    F row_scale = Isa::Set(a.scales[from + r]);
    float* to = c + static_cast<size_t>(r) * c_stride;
    F most = Isa::Set(0.0f);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      F sum = Isa::ToFloat(Isa::LoadInt(sums + r * kBlockColumns + v * kLanes));
      F value = Isa::MulAdd(zero, column_sum[v], sum);
      value = Isa::MulAdd(value, Isa::Mul(row_scale, column_scale[v]), bias[v]);
      if (kFinish == Finish::kAdd) value = Isa::Add(Isa::Load(to + v * kLanes), value);
      if (kFinish == Finish::kGelu) {
        value = Gelu(value);
        most = Isa::Max(most, value);
      }
      Isa::Store(to + v * kLanes, value);
    }
    if (kFinish == Finish::kGelu) {
      float value = Isa::Largest(most);
      if (value > largest[r]) largest[r] = value;
    }
  }
}

template <Finish kFinish>
inline void LinearLayer(const Activations& a, int first_row, int rows, const Linear& layer,
                        int first_panel, int panels, float* c, size_t c_stride, float* largest) {
  size_t panel_bytes = static_cast<size_t>(layer.inputs) * kPanelColumns;
  alignas(64) int32_t sums[kBlockRows * kBlockColumns];
  // The next panel is asked for in even portions while this one is used: weights come from the
  // third-level cache, and all at once they would hold up the first block.
  int blocks = (rows + kBlockRows - 1) / kBlockRows * (kPanelColumns / kBlockColumns);
  int panel_lines = layer.inputs;  // 64 columns of a byte
  int lines = (kSumGroup + blocks - 1) / blocks;
  for (int panel = first_panel; panel < first_panel + panels; ++panel) {
    const int8_t* panel_weights = layer.weights + static_cast<size_t>(panel) * panel_bytes;
    int asked = 0;
    for (int column = 0; column < kPanelColumns; column += kBlockColumns) {
      int first = panel * kPanelColumns + column;
      EachBlock(rows, [&](int row, int height) {
        int from = first_row + row;
        SumBlock(a.values + static_cast<size_t>(from) * a.stride, a.stride,
                 panel_weights + column * 4, layer.inputs, height,
                 panel_weights + panel_bytes + static_cast<size_t>(asked) * 64,
                 asked < panel_lines ? lines : 0, sums, kBlockColumns);
        asked += layer.inputs / kSumGroup * lines;
        FinishBlock<kFinish>(sums, a, from, height, layer, first,
                             c + static_cast<size_t>(row) * c_stride +
                                 (panel - first_panel) * kPanelColumns + column,
                             c_stride, kFinish == Finish::kGelu ? largest + row : nullptr);
      });
    }
  }
}

void LinearEntry(const Activations& a, int first_row, int rows, const Linear& layer,
                 int first_panel, int panels, Finish finish, float* c, size_t c_stride,
                 float* largest) {
  switch (finish) {
    case Finish::kStore:
      LinearLayer<Finish::kStore>(a, first_row, rows, layer, first_panel, panels, c, c_stride,
                                  largest);
      break;
    case Finish::kAdd:
      LinearLayer<Finish::kAdd>(a, first_row, rows, layer, first_panel, panels, c, c_stride,
                                largest);
      break;
    case Finish::kGelu:
      for (int row = 0; row < rows; ++row) largest[row] = 0.0f;
      LinearLayer<Finish::kGelu>(a, first_row, rows, layer, first_panel, panels, c, c_stride,
                                 largest);
      break;
  }
}

// ---- rows ------------------------------------------------------------------

struct Scale {
  F factor, zero;
};

// The scale of a row whose values lie between low and high, set in q.
inline Scale ScaleBetween(float low, float high, const Activations& q, int row) {
  // Zero is always in the range, so that it is exact and `zero` is never negative.
  low = low < 0.0f ? low : 0.0f;
  high = high > 0.0f ? high : 0.0f;
  float scale = (high - low) / static_cast<float>(kActivationMax);
  // A row of zeros, and one so small that its inverse would overflow, is stored as zeros; so is one
  // with values that are no numbers, or so large that their distance is none.
  bool flat = !(scale > 1e-30f && scale < 3.4e38f);
  float inverse = flat ? 0.0f : 1.0f / scale;
  float zero = flat ? 0.0f : __builtin_rintf(-low * inverse);
  q.scales[row] = flat ? 0.0f : scale;
  q.zeros[row] = static_cast<int32_t>(zero);
  return {Isa::Set(inverse), Isa::Set(zero)};
}

inline F Steps(F x, const Scale& scale) {
  F value = Isa::Add(Isa::Round(Isa::Mul(x, scale.factor)), scale.zero);
  return Isa::Min(Isa::Max(value, Isa::Set(0.0f)), Isa::Set(static_cast<float>(kActivationMax)));
}

void QuantiseWithin(const float* x, int size, float low, float high, const Activations& q,
                    int row) {
  Scale scale = ScaleBetween(low, high, q, row);
  uint8_t* out = q.values + static_cast<size_t>(row) * q.stride;
  for (int i = 0; i < size; i += kLanes) Isa::StoreBytes(out + i, Steps(Isa::Load(x + i), scale));
}

void Quantise(const float* x, int size, const Activations& q, int row) {
  F low = Isa::Load(x), high = low;
  for (int i = kLanes; i < size; i += kLanes) {
    F value = Isa::Load(x + i);
    low = Isa::Min(low, value);
    high = Isa::Max(high, value);
  }
  QuantiseWithin(x, size, Isa::Smallest(low), Isa::Largest(high), q, row);
}

void QuantiseGelu(const float* x, int size, float largest, const Activations& q, int row) {
  QuantiseWithin(x, size, kGeluLeast, largest, q, row);
}

// Normalises x in place (mean 0, variance 1, then gamma and beta) and quantises it. With kSize the
// row's size is known and its values stay in registers throughout.
template <int kSize>
inline void NormaliseRow(float* x, const Norm& norm, int size, const Activations& q, int row) {
  constexpr int kVectors = kSize / kLanes;
  F values[kVectors > 0 ? kVectors : 1];
  if constexpr (kSize > 0) {
#pragma GCC unroll 32
    for (int i = 0; i < kVectors; ++i) values[i] = Isa::Load(x + i * kLanes);
  }
  auto each = [&](auto&& step) {
    if constexpr (kSize > 0) {
#pragma GCC unroll 32
      for (int i = 0; i < kVectors; ++i) step(i * kLanes, i % kParts, &values[i]);
    } else {
      EachVector(size, [&](int i, int part) {
        F value = Isa::Load(x + i);
        step(i, part, &value);
      });
    }
  };
  F sums[kParts], squares[kParts];
#pragma GCC unroll 64
  for (int p = 0; p < kParts; ++p) sums[p] = squares[p] = Isa::Set(0.0f);
  each([&](int, int part, F* value) { sums[part] = Isa::Add(sums[part], *value); });
  F mean = Isa::Set(FoldSum(sums) / static_cast<float>(size));
  each([&](int, int part, F* value) {
    F centred = Isa::Sub(*value, mean);
    squares[part] = Isa::MulAdd(centred, centred, squares[part]);
  });
  float variance = FoldSum(squares) / static_cast<float>(size);
  F factor = Isa::Set(1.0f / __builtin_sqrtf(variance + norm.epsilon));
  F lows[kParts], highs[kParts];
#pragma GCC unroll 64
  for (int p = 0; p < kParts; ++p) lows[p] = highs[p] = Isa::Set(0.0f);
  each([&](int i, int part, F* value) {
    *value = Isa::Mul(Isa::Sub(*value, mean), factor);
    *value = Isa::MulAdd(*value, Isa::Load(norm.gamma + i), Isa::Load(norm.beta + i));
    lows[part] = Isa::Min(lows[part], *value);
    highs[part] = Isa::Max(highs[part], *value);
    Isa::Store(x + i, *value);
  });
  F low = lows[0], high = highs[0];
#pragma GCC unroll 64
  for (int p = 1; p < kParts; ++p) {
    low = Isa::Min(low, lows[p]);
    high = Isa::Max(high, highs[p]);
  }
  Scale scale = ScaleBetween(Isa::Smallest(low), Isa::Largest(high), q, row);
  uint8_t* out = q.values + static_cast<size_t>(row) * q.stride;
  each([&](int i, int, F* value) { Isa::StoreBytes(out + i, Steps(*value, scale)); });
}

void NormEntry(float* x, const Norm& norm, int size, const Activations& q, int row) {
  // 24 of 32 registers hold MiniLM's width.
  if constexpr (kLanes == 16) {
    if (size == 384) return NormaliseRow<384>(x, norm, size, q, row);
  }
  NormaliseRow<0>(x, norm, size, q, row);
}

void Embed(const int8_t* word, float scale, const float* position, const Norm& norm, int size,
           float* x, const Activations& q, int row) {
  for (int i = 0; i < size; i += kLanes) {
    Isa::Store(x + i,
               Isa::MulAdd(Isa::LoadBytes(word + i), Isa::Set(scale), Isa::Load(position + i)));
  }
  NormEntry(x, norm, size, q, row);
}

float Dot(const float* a, const float* b, int size) {
  F sums[kParts];
#pragma GCC unroll 64
  for (int p = 0; p < kParts; ++p) sums[p] = Isa::Set(0.0f);
  EachVector(size, [&](int i, int part) {
    sums[part] = Isa::MulAdd(Isa::Load(a + i), Isa::Load(b + i), sums[part]);
  });
  return FoldSum(sums);
}

// ---- attention -------------------------------------------------------------
//
// A lane is a query: scores, their largest, their exponentials' sum and the weighted values are all
// had lane by lane, without a step across lanes, and any number of keys fits. Queries are turned
// into columns once a head and the result back into rows; keys and values are read where they lie.

// As many queries and keys at once as keep the multipliers busy: their sums, 8 by 2, 4 by 3 or 4 by
// 4 registers, with what they are made from, fill the registers that such a set has.
constexpr int kQueryVectors = kLanes == 16 ? 2 : kLanes == 8 ? 3 : 4;
constexpr int kKeys = kLanes == 16 ? 8 : 4;
constexpr int kQueries = kQueryVectors * kLanes;  // of a full block
static_assert(kQueries <= static_cast<int>(kAttentionQueries));

template <int kVectors>
inline void TurnQueries(const float* q, size_t q_stride, int queries, int head_size,
                        float* turned) {
  F factor = Isa::Set(1.0f / __builtin_sqrtf(static_cast<float>(head_size)));
  for (int v = 0; v < kVectors; ++v) {
    for (int d = 0; d < head_size; d += kLanes) {
      F rows[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        // Lanes without a query of their own repeat the last one; nobody reads them.
        int query = v * kLanes + i < queries ? v * kLanes + i : queries - 1;
        rows[i] = Isa::Mul(Isa::Load(q + static_cast<size_t>(query) * q_stride + d), factor);
      }
      Isa::Transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i)
        Isa::Store(turned + (d + i) * kQueries + v * kLanes, rows[i]);
    }
  }
}

// Scores of kCount keys, and the largest so far.
template <int kVectors, int kCount>
inline void ScoreKeys(const float* turned, const float* k, size_t k_stride, int head_size,
                      float* scores, F (&largest)[kVectors]) {
  F sums[kCount][kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[j][v] = Isa::Set(0.0f);
  }
  for (int d = 0; d < head_size; ++d) {
    F query[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) query[v] = Isa::Load(turned + d * kQueries + v * kLanes);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) {
      F key = Isa::Set(k[static_cast<size_t>(j) * k_stride + static_cast<size_t>(d)]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[j][v] = Isa::MulAdd(key, query[v], sums[j][v]);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      Isa::Store(scores + j * kQueries + v * kLanes, sums[j][v]);
      largest[v] = Isa::Max(largest[v], sums[j][v]);
    }
  }
}

// A block of queries of one head: their weights over all keys, then their weighted values.
template <int kVectors>
inline void AttendBlock(const float* q, size_t q_stride, const float* k, const float* v_rows,
                        size_t kv_stride, int queries, int tokens, int head_size, float* out,
                        size_t out_stride, float* scratch) {
  float* turned = scratch;                        // [head_size][kQueries]
  float* mixed = scratch + head_size * kQueries;  // [head_size][kQueries]
  float* weights = mixed + head_size * kQueries;  // [tokens][kQueries]
  TurnQueries<kVectors>(q, q_stride, queries, head_size, turned);

  F largest[kVectors], sum[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    largest[v] = Isa::Set(-3.0e38f);
    sum[v] = Isa::Set(0.0f);
  }
  int j = 0;
  for (; j + kKeys <= tokens; j += kKeys) {
    ScoreKeys<kVectors, kKeys>(turned, k + static_cast<size_t>(j) * kv_stride, kv_stride, head_size,
                               weights + j * kQueries, largest);
  }
  for (; j < tokens; ++j) {
    ScoreKeys<kVectors, 1>(turned, k + static_cast<size_t>(j) * kv_stride, kv_stride, head_size,
                           weights + j * kQueries, largest);
  }
  for (j = 0; j < tokens; ++j) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* weight = weights + j * kQueries + v * kLanes;
      F value = Exp(Isa::Sub(Isa::Load(weight), largest[v]));
      sum[v] = Isa::Add(sum[v], value);
      Isa::Store(weight, value);
    }
  }
  F inverse[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) inverse[v] = Isa::Div(Isa::Set(1.0f), sum[v]);

  for (int d = 0; d < head_size; d += kKeys) {
    F sums[kKeys][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kKeys; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[i][v] = Isa::Set(0.0f);
    }
    for (j = 0; j < tokens; ++j) {
      const float* value = v_rows + static_cast<size_t>(j) * kv_stride + d;
      F weight[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) weight[v] = Isa::Load(weights + j * kQueries + v * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kKeys; ++i) {
        F one = Isa::Set(value[i]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[i][v] = Isa::MulAdd(one, weight[v], sums[i][v]);
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kKeys; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        Isa::Store(mixed + (d + i) * kQueries + v * kLanes, Isa::Mul(sums[i][v], inverse[v]));
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    int count = queries - v * kLanes < kLanes ? queries - v * kLanes : kLanes;
    for (int d = 0; d < head_size; d += kLanes) {
      F rows[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) rows[i] = Isa::Load(mixed + (d + i) * kQueries + v * kLanes);
      Isa::Transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        if (i < count)
          Isa::Store(out + static_cast<size_t>(v * kLanes + i) * out_stride + d, rows[i]);
      }
    }
  }
}

template <int kVectors, typename Call>
inline void WithVectors(int vectors, Call&& call) {
  if constexpr (kVectors > 0) {
    if (vectors == kVectors) {
      call(std::integral_constant<int, kVectors>{});
    } else {
      WithVectors<kVectors - 1>(vectors, call);
    }
  }
}

void Attention(const float* q, size_t q_stride, const float* k, const float* v, size_t kv_stride,
               int queries, int tokens, int heads, int head_size, float* out, size_t out_stride,
               float* scratch) {
  for (int head = 0; head < heads; ++head) {
    int offset = head * head_size;
    for (int row = 0; row < queries; row += kQueries) {
      int count = queries - row < kQueries ? queries - row : kQueries;
      const float* from = q + static_cast<size_t>(row) * q_stride + offset;
      float* to = out + static_cast<size_t>(row) * out_stride + offset;
      WithVectors<kQueryVectors>((count + kLanes - 1) / kLanes, [&](auto vectors) {
        AttendBlock<vectors.value>(from, q_stride, k + offset, v + offset, kv_stride, count, tokens,
                                   head_size, to, out_stride, scratch);
      });
    }
  }
}

constexpr Kernels MakeKernels(const char* name) {
  return {name, Product, LinearEntry, Embed, NormEntry, Quantise, QuantiseGelu, Attention, Dot};
}

}  // namespace
