// Causal attention with rotary positions, forward and backward, for CPUs: the one operation that PyTorch's CPU build does
// slowly for heads of 32 (its flash attention wants a small fast GEMM that this shape never reaches).
//
//   qkv  [B, T, 3, H, 32] bfloat16, straight from the fused projection     out, d_out [B, T, H, 32] bfloat16
//   lse  [B, H, T] float32: log of each row's softmax denominator          d_qkv      as qkv
//
// A head's K and V fit the cache, so queries go in blocks of R rows against all keys before them; lanes run over keys
// where keys are the outputs, over the 32 features where features are.
//
//   g++ -O3 -march=native -ffast-math -fopenmp -shared -fPIC attention.cpp -o attention.so
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

constexpr int D = 32, R = 16;
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
constexpr int W = 16;

static float widen(uint16_t b) { uint32_t u = (uint32_t)b << 16; float f; memcpy(&f, &u, 4); return f; }
static uint16_t narrow(float f) { uint32_t u; memcpy(&u, &f, 4); return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16); }
static lanes& at(float* p) { return *(lanes*)p; }
static const lanes& at(const float* p) { return *(const lanes*)p; }
static lanes spread(float x) { return lanes{} + x; }

// x [n][32] rotated by its position, pairs (i, i + 16); sign -1 turns back.
static void rotate(float* x, int n, const float* cosines, const float* sines, float sign) {
    for (int t = 0; t < n; t++, x += D, cosines += W, sines += W) {
        lanes a = at(x), b = at(x + W), c = at(cosines), s = at(sines) * sign;
        at(x) = a * c - b * s; at(x + W) = b * c + a * s;
    }
}

static void load(const uint16_t* from, long stride, int n, float* to) {
    for (int t = 0; t < n; t++) for (int d = 0; d < D; d++) to[t * D + d] = widen(from[t * stride + d]);
}

static void store(const float* from, int n, uint16_t* to, long stride) {
    for (int t = 0; t < n; t++) for (int d = 0; d < D; d++) to[t * stride + d] = narrow(from[t * D + d]);
}

static void transpose(const float* x, int n, int padded, float* y) {   // [n][D] -> [D][padded]
    for (int t = 0; t < n; t++) for (int d = 0; d < D; d++) y[(long)d * padded + t] = x[t * D + d];
}

// out [R][padded] = x [R][D] * yT [D][padded], over the first `keys` columns rounded up to 32
static void scores(const float* x, const float* yT, int padded, int keys, float* out) {
    for (int j = 0; j < keys; j += 2 * W)
        for (int r = 0; r < R; r += 8) {
            lanes a[8][2] = {};
            for (int d = 0; d < D; d++) {
                lanes y0 = at(yT + (long)d * padded + j), y1 = at(yT + (long)d * padded + j + W);
                for (int i = 0; i < 8; i++) { lanes b = spread(x[(r + i) * D + d]); a[i][0] += b * y0; a[i][1] += b * y1; }
            }
            for (int i = 0; i < 8; i++) { at(out + (long)(r + i) * padded + j) = a[i][0]; at(out + (long)(r + i) * padded + j + W) = a[i][1]; }
        }
}

// out [R][D] = p [R][padded] * y [keys][D]
static void mix(const float* p, const float* y, int padded, int keys, float* out) {
    for (int r = 0; r < R; r += 8) {
        lanes a[8][2] = {};
        for (int j = 0; j < keys; j++) {
            lanes y0 = at(y + j * D), y1 = at(y + j * D + W);
            for (int i = 0; i < 8; i++) { lanes b = spread(p[(long)(r + i) * padded + j]); a[i][0] += b * y0; a[i][1] += b * y1; }
        }
        for (int i = 0; i < 8; i++) { at(out + (r + i) * D) = a[i][0]; at(out + (r + i) * D + W) = a[i][1]; }
    }
}

// y [keys][D] += pT * x, p [R][padded], x [R][D]; eight rows at a time, which is what the registers hold
static void scatter(const float* p, const float* x, int padded, int keys, float* y) {
    for (int r = 0; r < R; r += 8) {
        lanes x0[8], x1[8];
        for (int i = 0; i < 8; i++) { x0[i] = at(x + (r + i) * D); x1[i] = at(x + (r + i) * D + W); }
        for (int j = 0; j < keys; j++) {
            lanes a = at(y + j * D), b = at(y + j * D + W);
            for (int i = 0; i < 8; i++) { lanes w = spread(p[(long)(r + i) * padded + j]); a += w * x0[i]; b += w * x1[i]; }
            at(y + j * D) = a; at(y + j * D + W) = b;
        }
    }
}

struct Head {
    int padded; std::vector<float> q, k, v, kT, vT, s, ds, o, dO, dq, dk, dv;
    Head(int T) : padded((T + 31) / 32 * 32), q(padded * D), k(padded * D), v(padded * D), kT(padded * D), vT(padded * D), s(R * padded),
        ds(R * padded), o(R * D), dO(padded * D), dq(padded * D), dk(padded * D), dv(padded * D) {}
    void read(const uint16_t* qkv, int T, int H, int h, const float* cosines, const float* sines) {
        long stride = 3L * H * D;
        load(qkv + h * D, stride, T, q.data()); load(qkv + (H + h) * D, stride, T, k.data()); load(qkv + (2 * H + h) * D, stride, T, v.data());
        rotate(q.data(), T, cosines, sines, 1); rotate(k.data(), T, cosines, sines, 1);
        float scale = 1 / std::sqrt((float)D);
        for (int i = 0; i < T * D; i++) q[i] *= scale;
        transpose(k.data(), T, padded, kT.data());
    }
};

extern "C" void forward(const uint16_t* qkv, const float* cosines, const float* sines, uint16_t* out, float* lse, int B, int T, int H) {
    #pragma omp parallel
    {
        Head m(T);
        #pragma omp for collapse(2)
        for (int b = 0; b < B; b++) for (int h = 0; h < H; h++) {
            m.read(qkv + (long)b * T * 3 * H * D, T, H, h, cosines, sines);
            for (int i0 = 0; i0 < T; i0 += R) {
                int keys = i0 + R < T ? i0 + R : T;
                scores(&m.q[i0 * D], m.kT.data(), m.padded, keys, m.s.data());
                for (int r = 0; r < R && i0 + r < T; r++) {
                    float* s = &m.s[(long)r * m.padded]; int n = i0 + r + 1; float top = s[0], sum = 0;
                    for (int j = 1; j < n; j++) top = s[j] > top ? s[j] : top;
                    for (int j = 0; j < n; j++) { s[j] = expf(s[j] - top); sum += s[j]; }
                    float inverse = 1 / sum;
                    for (int j = 0; j < n; j++) s[j] *= inverse;
                    for (int j = n; j < keys; j++) s[j] = 0;
                    lse[((long)b * H + h) * T + i0 + r] = top + logf(sum);
                }
                mix(m.s.data(), m.v.data(), m.padded, keys, m.o.data());
                store(m.o.data(), keys - i0, out + ((long)b * T + i0) * H * D + h * D, (long)H * D);
            }
        }
    }
}

extern "C" void backward(const uint16_t* qkv, const float* cosines, const float* sines, const uint16_t* out, const float* lse,
                         const uint16_t* d_out, uint16_t* d_qkv, int B, int T, int H) {
    #pragma omp parallel
    {
        Head m(T); std::vector<float> o(m.padded * D);
        #pragma omp for collapse(2)
        for (int b = 0; b < B; b++) for (int h = 0; h < H; h++) {
            m.read(qkv + (long)b * T * 3 * H * D, T, H, h, cosines, sines);
            transpose(m.v.data(), T, m.padded, m.vT.data());
            long row = (long)H * D, from = (long)b * T * row + h * D;
            load(out + from, row, T, o.data()); load(d_out + from, row, T, m.dO.data());
            std::fill(m.dk.begin(), m.dk.end(), 0); std::fill(m.dv.begin(), m.dv.end(), 0);
            for (int i0 = 0; i0 < T; i0 += R) {
                int keys = i0 + R < T ? i0 + R : T;
                scores(&m.q[i0 * D], m.kT.data(), m.padded, keys, m.s.data());
                scores(&m.dO[i0 * D], m.vT.data(), m.padded, keys, m.ds.data());
                for (int r = 0; r < R && i0 + r < T; r++) {
                    float* p = &m.s[(long)r * m.padded]; float* ds = &m.ds[(long)r * m.padded];
                    int n = i0 + r + 1; float l = lse[((long)b * H + h) * T + i0 + r], mean = 0;
                    for (int d = 0; d < D; d++) mean += o[(i0 + r) * D + d] * m.dO[(i0 + r) * D + d];
                    for (int j = 0; j < n; j++) { p[j] = expf(p[j] - l); ds[j] = p[j] * (ds[j] - mean); }
                    for (int j = n; j < keys; j++) p[j] = ds[j] = 0;
                }
                mix(m.ds.data(), m.k.data(), m.padded, keys, &m.dq[i0 * D]);
                scatter(m.s.data(), &m.dO[i0 * D], m.padded, keys, m.dv.data());
                scatter(m.ds.data(), &m.q[i0 * D], m.padded, keys, m.dk.data());   // q carries the scale already
            }
            float scale = 1 / std::sqrt((float)D);
            for (int i = 0; i < T * D; i++) m.dq[i] *= scale;
            rotate(m.dq.data(), T, cosines, sines, -1); rotate(m.dk.data(), T, cosines, sines, -1);
            uint16_t* to = d_qkv + (long)b * T * 3 * H * D; long stride = 3L * H * D;
            store(m.dq.data(), T, to + h * D, stride); store(m.dk.data(), T, to + (H + h) * D, stride); store(m.dv.data(), T, to + (2 * H + h) * D, stride);
        }
    }
}
