// Forward pass: unroll a tile of samples channels last, multiply it with the weights, tile by tile.
#include "convolution.h"
#include "gemm.h"
#include "sample_table.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <optional>

namespace centernet {
namespace {

constexpr int64_t kTile = 128; // output pixels at once
constexpr int64_t kColumns = 192; // of them at once: 96 KB of float, well within the L2 cache

// out = wa * a + wb * b + wc * c + wd * d over n channels.
template <class T>
inline void blend(
    const T* a, const T* b, const T* c, const T* d, T wa, T wb, T wc, T wd, T* out, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) out[i] = (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
}

inline float widen(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// Round to nearest, ties to even; NaN stays NaN because its mantissa's top bit is set first.
inline uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>(value == value ? rounded : 0x7fc0u);
}

inline void blend(
    const at::BFloat16* a, const at::BFloat16* b, const at::BFloat16* c, const at::BFloat16* d,
    float wa, float wb, float wc, float wd, at::BFloat16* out, int64_t n) {
  const auto bits = [](const at::BFloat16* p) { return reinterpret_cast<const uint16_t*>(p); };
  const uint16_t *pa = bits(a), *pb = bits(b), *pc = bits(c), *pd = bits(d);
  uint16_t* po = reinterpret_cast<uint16_t*>(out);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    po[i] = narrow(
        (wa * widen(pa[i]) + wb * widen(pb[i])) + (wc * widen(pc[i]) + wd * widen(pd[i])));
  }
}

// Unroll `count` pixels into columns (count x block.width()), taps outside, channels inside.
template <class S, class T>
void unroll(
    const Convolution& conv, const SampleTable<T>& table, const S* image, const Block& block,
    int64_t count, S* columns) {
  const int64_t share = conv.group_channels(), end = block.channel + block.channels;
  const int64_t pixel = conv.channels;
  for (int64_t t = 0; t < block.taps; ++t) {
    for (int64_t channel = block.channel; channel < end;) {
      const int64_t group = channel / share, until = std::min(end, (group + 1) * share);
      const int64_t place = group * conv.taps() + block.tap + t;
      const int32_t *const ca = table.corner(place, 0), *const cb = table.corner(place, 1);
      const int32_t *const cc = table.corner(place, 2), *const cd = table.corner(place, 3);
      const T *const wa = table.weight(place, 0), *const wb = table.weight(place, 1);
      const T *const wc = table.weight(place, 2), *const wd = table.weight(place, 3);
      const S* const from = image + channel;
      S* to = columns + t * block.channels + channel - block.channel;
      for (int64_t p = 0; p < count; ++p, to += block.width()) {
        blend(
            from + ca[p] * pixel, from + cb[p] * pixel, from + cc[p] * pixel, from + cd[p] * pixel,
            wa[p], wb[p], wc[p], wd[p], to, until - channel);
      }
      channel = until;
    }
  }
}

// Weights (O, C, kh, kw) as (taps, C, O): rows of the second factor in the order of the columns.
// For bfloat16 two rows are interleaved, (taps, C / 2, O, 2), which is what its products want.
template <class S>
at::Tensor pack(const Convolution& conv, const at::Tensor& weight) {
  const bool last = weight.is_contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor source = last ? weight : weight.contiguous();
  at::Tensor packed = at::empty({weight.numel()}, weight.options());
  const S* from = source.const_data_ptr<S>();
  S* to = packed.mutable_data_ptr<S>();
  const int64_t taps = conv.taps(), channels = conv.channels, outs = conv.out_channels;
  const int64_t tap_step = last ? channels : 1, channel_step = last ? 1 : taps;
  constexpr int64_t kPair = std::is_same_v<S, at::BFloat16> ? 2 : 1;
  constexpr int64_t kStrip = 16; // outputs copied together: one cache line of floats
  const int64_t grain = 1 + 100000 / (kStrip * taps * channels); // strips worth a thread
  at::parallel_for(0, (outs + kStrip - 1) / kStrip, grain, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin * kStrip; first < std::min(end * kStrip, outs); first += kStrip) {
      const int64_t until = std::min(first + kStrip, outs);
      for (int64_t row = 0; row < taps * channels; ++row) {
        const S* column = from + row / channels * tap_step + row % channels * channel_step;
        S* target = to + row / kPair * outs * kPair + row % kPair;
        for (int64_t o = first; o < until; ++o) target[o * kPair] = column[o * channels * taps];
      }
    }
  });
  return packed;
}

template <class T>
void fill_rows(T* rows, int64_t count, const T* row, int64_t width) {
  for (int64_t p = 0; p < count; ++p, rows += width) {
    if (row == nullptr) {
      std::fill_n(rows, width, T(0));
    } else {
      std::copy_n(row, width, rows);
    }
  }
}

template <class T>
void rectify(T* values, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) values[i] = values[i] < 0 ? T(0) : values[i]; // NaN stays
}

// S: type of input, weight and output; T: type of offset, mask, bias and sums.
template <class S, class T>
void convolve(
    const Convolution& conv, const at::Tensor& input, const at::Tensor& offset,
    const at::Tensor& mask, const at::Tensor& weight, const T* bias, bool relu,
    at::Tensor& output) {
  const int64_t pixels = conv.pixels(), outs = conv.out_channels;
  const int64_t tiles = (pixels + kTile - 1) / kTile;
  const std::vector<Block> blocks = cut_into_blocks(conv.taps(), conv.channels, kColumns);
  const at::Tensor packed = pack<S>(conv, weight);
  const S* const in = input.const_data_ptr<S>();
  const S* const factors = packed.const_data_ptr<S>();
  S* const out = output.mutable_data_ptr<S>();
  const Map<T> offsets(offset), masks(mask);

  const int64_t grain = conv.batch * tiles / conv.worth_threads() + 1;
  at::parallel_for(0, conv.batch * tiles, grain, [&](int64_t begin, int64_t end) {
    SampleTable<T> table(conv, kTile);
    Scratch<S> columns(kTile * blocks.front().width());
    Scratch<T> wide_sums(std::is_same_v<S, T> ? 0 : kTile * outs);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / tiles, first = task % tiles * kTile;
      const int64_t count = std::min(kTile, pixels - first);
      const S* image = in + n * conv.height * conv.width * conv.channels;
      S* rows = out + (n * pixels + first) * outs;
      T* sums;
      if constexpr (std::is_same_v<S, T>) {
        sums = rows;
      } else {
        sums = wide_sums.data();
      }
      table.fill(offsets, masks, n, first, count);
      fill_rows(sums, count, bias, outs);
      for (const Block& block : blocks) {
        unroll(conv, table, image, block, count, columns.data());
        const S* part = factors + (block.tap * conv.channels + block.channel) * outs;
        multiply_add(
            count, outs, block.width(), columns.data(), block.width(), part, outs, sums, outs);
      }
      if (relu) rectify(sums, count * outs);
      if constexpr (!std::is_same_v<S, T>) {
        uint16_t* bits = reinterpret_cast<uint16_t*>(rows);
#pragma omp simd
        for (int64_t i = 0; i < count * outs; ++i) bits[i] = narrow(sums[i]);
      }
    }
    release_tiles<S>();
  });
}

bool multiplies_bfloat16(const Convolution& conv) {
  return conv.channels % 2 == 0 && at::native::cpublas::could_pack(at::kBFloat16);
}

at::Tensor deform_conv2d(
    const at::Tensor& input, const at::Tensor& offset, const at::Tensor& mask,
    const at::Tensor& weight, const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, int64_t deformable_groups,
    bool sigmoid_mask, bool relu) {
  const Convolution conv(input, weight, stride, padding, dilation, deformable_groups, sigmoid_mask);
  auto type = input.scalar_type();
  if (type != at::kDouble && !(type == at::kBFloat16 && multiplies_bfloat16(conv))) {
    type = at::kFloat;
  }
  const auto sums_type = type == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor x = input.to(type).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor off = offset.to(sums_type), m = mask.to(sums_type), w = weight.to(type);
  const at::Tensor b = bias ? bias->to(sums_type).contiguous() : at::Tensor();
  at::Tensor out = at::empty(
      {conv.batch, conv.out_channels, conv.out_height, conv.out_width}, x.options(),
      at::MemoryFormat::ChannelsLast);
  const auto run = [&](auto stored, auto summed) {
    using S = decltype(stored);
    using T = decltype(summed);
    convolve<S, T>(conv, x, off, m, w, bias ? b.const_data_ptr<T>() : nullptr, relu, out);
  };
  if (type == at::kDouble) {
    run(double(), double());
  } else if (type == at::kFloat) {
    run(float(), float());
  } else {
    run(at::BFloat16(), float());
  }
  return out.to(input.scalar_type());
}

} // namespace
} // namespace centernet

TORCH_LIBRARY_FRAGMENT(centernet_cpu, library) {
  library.def(
      "deform_conv2d(Tensor input, Tensor offset, Tensor mask, Tensor weight, Tensor? bias, "
      "int[] stride, int[] padding, int[] dilation, int deformable_groups, bool sigmoid_mask, "
      "bool relu) -> Tensor");
}

TORCH_LIBRARY_IMPL(centernet_cpu, CPU, library) {
  library.impl("deform_conv2d", &centernet::deform_conv2d);
}
