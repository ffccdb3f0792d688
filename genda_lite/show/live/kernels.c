// What takes time when a prior runs in a browser: convolutions and matrix products, group norms, a Cholesky factor.
// Compiled to WebAssembly with vectors of 128 bits (build.sh); no library is linked. Planes of values stand in frames of
// zeros, so that a 3x3 convolution is nine shifted matrix products. Arrays hold what the comments say in C's order.
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define INLINE static inline __attribute__((always_inline))
typedef v128_t Vector;

#ifdef __wasm_relaxed_simd__
#define MADD(a, b, c) __builtin_wasm_relaxed_madd_f32x4(a, b, c)
#else
#define MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#endif

#define WIDE 2 // vectors in a row of a tile: four rows of two leave registers for what they are multiplied by

INLINE Vector load(const float *p) { return wasm_v128_load(p); }
INLINE void store(float *p, Vector v) { wasm_v128_store(p, v); }
INLINE Vector splat(const float *p) { return wasm_v128_load32_splat(p); }

// Four rows and 4 * wide columns of `affine`.
INLINE void tile(float *out, int ldo, const float *a, int lda, const float *x, int ldx, const int *offsets, int inputs,
                 int taps, const float *bias, const int wide) {
  Vector sum[4][WIDE];
  for (int r = 0; r < 4; r++)
    for (int v = 0; v < wide; v++) sum[r][v] = bias ? splat(bias + r) : wasm_f32x4_const_splat(0);
  const float *a0 = a, *a1 = a + lda, *a2 = a1 + lda, *a3 = a2 + lda;
  for (int c = 0; c < inputs; c++, x += ldx) {
    for (int t = 0; t < taps; t++) {
      const float *at = x + offsets[t];
      Vector here[WIDE];
      for (int v = 0; v < wide; v++) here[v] = load(at + 4 * v);
      const Vector w0 = splat(a0++), w1 = splat(a1++), w2 = splat(a2++), w3 = splat(a3++);
      for (int v = 0; v < wide; v++) sum[0][v] = MADD(w0, here[v], sum[0][v]);
      for (int v = 0; v < wide; v++) sum[1][v] = MADD(w1, here[v], sum[1][v]);
      for (int v = 0; v < wide; v++) sum[2][v] = MADD(w2, here[v], sum[2][v]);
      for (int v = 0; v < wide; v++) sum[3][v] = MADD(w3, here[v], sum[3][v]);
    }
  }
  for (int r = 0; r < 4; r++)
    for (int v = 0; v < wide; v++) store(out + r * ldo + 4 * v, sum[r][v]);
}

INLINE void all_tiles(float *out, int ldo, const float *a, int lda, const float *x, int ldx, const int *offsets,
                      int rows, int columns, int inputs, const int taps, const float *bias) {
  for (int i = 0; i < rows; i += 4) {
    const float *b = bias ? bias + i : 0;
    int j = 0;
    for (; j + 4 * WIDE <= columns; j += 4 * WIDE)
      tile(out + i * ldo + j, ldo, a + i * lda, lda, x + j, ldx, offsets, inputs, taps, b, WIDE);
    for (; j < columns; j += 4) tile(out + i * ldo + j, ldo, a + i * lda, lda, x + j, ldx, offsets, inputs, taps, b, 1);
  }
}

// out[i, j] = bias[i] + sum over inputs c and taps t of a[i, c, t] x[c, j + offsets[t]]: convolutions of one or nine
// taps over framed planes, and matrix products. Rows and columns are multiples of four.
EXPORT(affine)
void affine(float *out, int ldo, const float *a, int lda, const float *x, int ldx, const int *offsets, int rows,
            int columns, int inputs, int taps, const float *bias) {
  if (taps == 9) all_tiles(out, ldo, a, lda, x, ldx, offsets, rows, columns, inputs, 9, bias);
  else all_tiles(out, ldo, a, lda, x, ldx, offsets, rows, columns, inputs, 1, bias);
}

// exp: a power of two times a polynomial of what is left.
INLINE Vector exponential(Vector x) {
  x = wasm_f32x4_min(wasm_f32x4_max(x, wasm_f32x4_const_splat(-87)), wasm_f32x4_const_splat(87));
  const Vector n = wasm_f32x4_nearest(wasm_f32x4_mul(x, wasm_f32x4_const_splat(1.44269504f)));
  Vector r = wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_const_splat(0.693359375f)));
  r = wasm_f32x4_add(r, wasm_f32x4_mul(n, wasm_f32x4_const_splat(2.12194440e-4f)));
  Vector p = wasm_f32x4_const_splat(1 / 720.f);
  const float factors[] = {1 / 120.f, 1 / 24.f, 1 / 6.f, 1 / 2.f, 1, 1};
  for (int i = 0; i < 6; i++) p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_splat(factors[i]));
  const Vector power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_const_splat(127)), 23);
  return wasm_f32x4_mul(p, power);
}

// A plane of h x h values in its frame of zeros: rows of h + 1, of which the last value is zero and stands for the right
// edge of one row and the left edge of the next, a row of zeros above and one below.
INLINE int width(int h) { return h + 1; }
INLINE int start(int h) { return h + 2; }
INLINE int plane(int h) { return ((h + 2) * (h + 1) + 4) & ~3; }

// Zeros into the frames.
INLINE void frame(float *x, int channels, int h) {
  for (int c = 0; c < channels; c++, x += plane(h)) {
    for (int i = 0; i < start(h); i++) x[i] = 0;
    for (int y = 0; y < h; y++) x[start(h) + y * width(h) + h] = 0;
    for (int i = start(h) + h * width(h); i < plane(h); i++) x[i] = 0;
  }
}

// The sum of (x - mean)^2, or with no mean of x, over framed planes.
INLINE float sum(const float *x, int channels, int h, const float *mean) {
  const Vector m = mean ? splat(mean) : wasm_f32x4_const_splat(0);
  Vector four = wasm_f32x4_const_splat(0);
  float rest = 0; // of rows that are no multiple of four long
  for (int c = 0; c < channels; c++, x += plane(h))
    for (int y = 0; y < h; y++) {
      const float *row = x + start(h) + y * width(h);
      int i = 0;
      for (; i + 4 <= h; i += 4) {
        const Vector d = wasm_f32x4_sub(load(row + i), m);
        four = mean ? MADD(d, d, four) : wasm_f32x4_add(four, d);
      }
      for (; i < h; i++) rest += mean ? (row[i] - *mean) * (row[i] - *mean) : row[i];
    }
  return wasm_f32x4_extract_lane(four, 0) + wasm_f32x4_extract_lane(four, 1) + wasm_f32x4_extract_lane(four, 2) +
         wasm_f32x4_extract_lane(four, 3) + rest;
}

// SiLU of a group norm of framed planes, scaled by 1 + scale and shifted where these are given.
EXPORT(normalize)
void normalize(float *out, const float *x, int channels, int groups, int h, const float *weight, const float *bias,
               const float *scale, const float *shift) {
  const int each = channels / groups;
  const float n = each * h * h;
  const Vector one = wasm_f32x4_const_splat(1);
  for (int g = 0; g < groups; g++) {
    const float *group = x + g * each * plane(h);
    const float mean = sum(group, each, h, 0) / n;
    const float slope = 1 / __builtin_sqrtf(sum(group, each, h, &mean) / n + 1e-5f);
    for (int c = g * each; c < (g + 1) * each; c++) {
      float factor = slope * weight[c], constant = bias[c] - mean * factor;
      if (scale) {
        factor *= 1 + scale[c];
        constant = constant * (1 + scale[c]) + shift[c];
      }
      for (int i = c * plane(h); i < (c + 1) * plane(h); i += 4) { // the frames, too: they are cleared below
        const Vector v = MADD(load(x + i), wasm_f32x4_splat(factor), wasm_f32x4_splat(constant));
        store(out + i, wasm_f32x4_div(v, wasm_f32x4_add(one, exponential(wasm_f32x4_neg(v)))));
      }
    }
  }
  frame(out, channels, h);
}

// Squares of 2 x 2 values into four channels, pixel unshuffle: from framed planes, or planes without, to framed ones.
EXPORT(fold)
void fold(float *out, const float *x, int channels, int h, int framed) {
  const int half = h / 2, row = framed ? width(h) : h, each = framed ? plane(h) : h * h;
  if (framed) x += start(h);
  frame(out, 4 * channels, half);
  for (int c = 0; c < channels; c++, x += each)
    for (int p = 0; p < 4; p++, out += plane(half))
      for (int y = 0; y < half; y++)
        for (int i = 0; i < half; i++) out[start(half) + y * width(half) + i] = x[(2 * y + p / 2) * row + 2 * i + p % 2];
}

// The inverse, to planes without a frame: pixel shuffle.
EXPORT(unfold)
void unfold(float *out, const float *x, int channels, int h) {
  const int half = h / 2;
  for (int c = 0; c < channels; c++, out += h * h)
    for (int p = 0; p < 4; p++, x += plane(half))
      for (int y = 0; y < half; y++)
        for (int i = 0; i < half; i++) out[(2 * y + p / 2) * h + 2 * i + p % 2] = x[start(half) + y * width(half) + i];
}

// Nearest neighbours at twice the resolution, of framed planes of h x h.
EXPORT(enlarge)
void enlarge(float *out, const float *x, int channels, int h) {
  for (int c = 0; c < channels; c++, out += plane(2 * h), x += plane(h))
    for (int y = 0; y < 2 * h; y++)
      for (int i = 0; i < 2 * h; i++)
        out[start(2 * h) + y * width(2 * h) + i] = x[start(h) + (y / 2) * width(h) + i / 2];
}

// x is added to out.
EXPORT(add)
void add(float *out, const float *x, int n) {
  for (int i = 0; i < n; i += 4) store(out + i, wasm_f32x4_add(load(out + i), load(x + i)));
}

// The lower Cholesky factor of a symmetric matrix (m, m) in its place, its diagonal inverted; 0 where it is not positive.
EXPORT(cholesky)
int cholesky(double *a, int m) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j <= i; j++) {
      const double *p = a + (long)i * m, *q = a + (long)j * m;
      Vector s = wasm_f64x2_const_splat(0), t = s;
      int k = 0;
      for (; k + 4 <= j; k += 4) {
        s = wasm_f64x2_add(s, wasm_f64x2_mul(wasm_v128_load(p + k), wasm_v128_load(q + k)));
        t = wasm_f64x2_add(t, wasm_f64x2_mul(wasm_v128_load(p + k + 2), wasm_v128_load(q + k + 2)));
      }
      s = wasm_f64x2_add(s, t);
      double sum = a[(long)i * m + j] - wasm_f64x2_extract_lane(s, 0) - wasm_f64x2_extract_lane(s, 1);
      for (; k < j; k++) sum -= p[k] * q[k];
      if (i > j) a[(long)i * m + j] = sum * q[j];
      else if (sum > 0) a[(long)i * m + i] = 1 / __builtin_sqrt(sum);
      else return 0;
    }
  return 1;
}

// (L L')^-1 x for eight columns x (m, 8) at once, in their place; L in single precision, its diagonal inverted.
EXPORT(solve)
void solve(const float *factor, float *x, int m) {
  for (int i = 0; i < m; i++) {
    const float *row = factor + (long)i * m;
    Vector s = load(x + 8 * i), t = load(x + 8 * i + 4);
    for (int k = 0; k < i; k++) {
      const Vector l = wasm_f32x4_neg(splat(row + k));
      s = MADD(l, load(x + 8 * k), s);
      t = MADD(l, load(x + 8 * k + 4), t);
    }
    store(x + 8 * i, wasm_f32x4_mul(s, splat(row + i)));
    store(x + 8 * i + 4, wasm_f32x4_mul(t, splat(row + i)));
  }
  for (int i = m - 1; i >= 0; i--) {
    const float *row = factor + (long)i * m;
    const Vector s = wasm_f32x4_mul(load(x + 8 * i), splat(row + i)), t = wasm_f32x4_mul(load(x + 8 * i + 4), splat(row + i));
    store(x + 8 * i, s);
    store(x + 8 * i + 4, t);
    const Vector minus_s = wasm_f32x4_neg(s), minus_t = wasm_f32x4_neg(t);
    for (int k = 0; k < i; k++) {
      const Vector l = splat(row + k);
      store(x + 8 * k, MADD(l, minus_s, load(x + 8 * k)));
      store(x + 8 * k + 4, MADD(l, minus_t, load(x + 8 * k + 4)));
    }
  }
}
