// What an instruction set has to offer. One set is one file; its first line
// says for which processor it is and its compile flags, and dispatch.cc lists
// it. Nothing in such a file runs before detection has chosen it.
//
// Arithmetic of the integer product, the same in every kernel:
//   u8 activations x i8 weights -> i32 sums, exact. |a * w| <= 255 * 128, so a
//   sum over K <= 65,536 stays below 2^31: 65,536 * 32,640 = 2,139,095,040.
//   AVX2 has no u8 x i8 dot product: vpmaddubsw adds pairs in 16 bits with
//   saturation, and its kernel adds four of these pairs in 16 bits before it
//   widens them. Packing certifies that no such sum leaves 16 bits (see
//   kSumGroup), for every instruction set alike: one packed form, one verdict.
//
// Arithmetic of activations: a row x is stored as q = round(x / scale) + zero,
// 0 <= q <= kActivationMax, with scale and zero of this row alone. So a row's values never
// depend on the rows beside it, and neither does anything computed from them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ghostai {

// Columns of one panel of packed weights: [panel][K / 4][64 columns][4 of K].
constexpr int kPanelColumns = 64;
constexpr int kDepthMax = 65536;

// K is taken 16 at a time. Of each such group the inputs 4 i and 4 i + 1 (i = 0..3) are added up in
// 16 bits, and so are 4 i + 2 and 4 i + 3: of every output channel, the positive weights of such
// eight sum to at most kSumMax and the negative ones to at least -kSumMax, so no partial sum passes
// 191 * 171 = 32,661 <= 32,767. With activations up to 255 the weights would have to be coarser
// (128), with ones up to 127 the activations: of these, 191 keeps logits closest to fp32.
constexpr int kSumGroup = 16;
constexpr int kActivationMax = 191;
constexpr int kSumMax = 32767 / kActivationMax;

// A quantised matrix of activations, row after row.
struct Activations {
  uint8_t* values;  // [rows][stride]
  size_t stride;    // bytes from row to row
  float* scales;    // [rows]
  int32_t* zeros;   // [rows]
};

// A packed linear layer, N outputs (a multiple of 64) of K inputs (of 4).
struct Linear {
  const int8_t* weights;  // packed panels
  const float* scales;    // [N], one an output channel
  const int32_t* sums;    // [N], sum of the channel's weights: takes the zero point out
  const float* bias;      // [N]
  int inputs;
  int outputs;
};

struct Norm {
  const float* gamma;
  const float* beta;
  float epsilon;
};

// What becomes of a layer's value: stored, added to what is there (the residual), or passed through
// x * Phi(x) and stored.
enum class Finish { kStore, kAdd, kGelu };

struct Kernels {
  const char* name;

  // c[m][column] = sum over k of a[m][k] * w[column][k] for `panels` panels; rows of c are
  // `c_stride` apart. The bare product, for tests and benches.
  void (*product)(const uint8_t* a, size_t a_stride, const int8_t* weights, int inputs, int rows,
                  int panels, int32_t* c, size_t c_stride);

  // The layer's columns [64 * first_panel, 64 * (first_panel + panels)) for `rows` rows as floats.
  // c points at the first of these columns. With kGelu, largest[rows] gets each row's largest value
  // of these columns, at least 0; otherwise it is not used. Inputs are a multiple of 64.
  void (*linear)(const Activations& a, int first_row, int rows, const Linear& layer,
                 int first_panel, int panels, Finish finish, float* c, size_t c_stride,
                 float* largest);

  // Word (int8 times scale) plus position, normalised into x and quantised as row `row` of q.
  void (*embed)(const int8_t* word, float scale, const float* position, const Norm& norm, int size,
                float* x, const Activations& q, int row);

  // x = norm(x), quantised as row `row` of q.
  void (*norm)(float* x, const Norm& norm, int size, const Activations& q, int row);

  // Row `row` of q from `size` floats.
  void (*quantise)(const float* x, int size, const Activations& q, int row);

  // The same for a row of GELU's values of which `largest` is the largest.
  void (*quantise_gelu)(const float* x, int size, float largest, const Activations& q, int row);

  // Attention of one text: `queries` first rows of q against all `tokens` rows of k and v.
  // q, k, v point at the first token's part and have the given strides in floats; out rows are
  // `heads` * `head_size` long. scratch holds attention_scratch(tokens, head_size) floats.
  void (*attention)(const float* q, size_t q_stride, const float* k, const float* v,
                    size_t kv_stride, int queries, int tokens, int heads, int head_size, float* out,
                    size_t out_stride, float* scratch);

  float (*dot)(const float* a, const float* b, int size);
};

// Floats that attention needs for a text of `tokens` tokens: of each query of a block, its row, its
// result and its weight of every token.
constexpr size_t kAttentionQueries = 32;
inline size_t AttentionScratch(size_t tokens, size_t head_size) {
  return (tokens + 2 * head_size) * kAttentionQueries;
}

// The kernels of this CPU by name; null where it cannot run them or they were not built.
const Kernels* FindKernels(const char* name);

}  // namespace ghostai
