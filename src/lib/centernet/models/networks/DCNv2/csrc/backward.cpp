// Backward pass: gradients of input, offset, mask, weight and bias in one sweep over the output.
//
// A tile's output gradient times the weights gives the gradient of its unrolled samples. One pass
// over these then rebuilds the samples (for the gradient of the weights), takes their products with
// the four corners (for offset and mask) and adds them to the four corners of the input's gradient.
//
// Work is shared out by images and, where images are fewer than threads, by slices of the channels:
// no two threads add to the same number, so there are neither locks nor private copies of the input
// gradient, and results repeat exactly with the same number of threads.
#include "convolution.h"
#include "gemm.h"
#include "sample_table.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <array>
#include <tuple>

namespace centernet {
namespace {

constexpr int64_t kTile = 128; // output pixels at once
constexpr int64_t kColumns = 288; // of them at once: twice 144 KB of float, well within the L2 cache
constexpr int64_t kSlice = 16; // fewest channels that are worth a thread of their own

using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

// Four corners of a sample: its products with the column's gradient.
template <class T>
using Products = std::array<T, 4>;

// For one sample of n channels: write its column, add its gradient to the corners' gradients and
// return <gradient, corner> for each. Corners may coincide, only to be visited one after another.
template <class T>
inline Products<T> pull_back(
    const T* gradient, const T* a, const T* b, const T* c, const T* d, T wa, T wb, T wc, T wd,
    T* ga, T* gb, T* gc, T* gd, T* column, int64_t n) {
  T sa = 0, sb = 0, sc = 0, sd = 0;
#pragma omp simd reduction(+ : sa, sb, sc, sd)
  for (int64_t i = 0; i < n; ++i) {
    const T g = gradient[i], va = a[i], vb = b[i], vc = c[i], vd = d[i];
    sa += g * va;
    sb += g * vb;
    sc += g * vc;
    sd += g * vd;
    column[i] = (wa * va + wb * vb) + (wc * vc + wd * vd);
    ga[i] += wa * g;
    gb[i] += wb * g;
    gc[i] += wc * g;
    gd[i] += wd * g;
  }
  return {sa, sb, sc, sd};
}

// Which channels of which images one task works on.
struct Share {
  int64_t first_image, end_image, first_channel, channels;
};

std::vector<Share> share_out(const Convolution& conv, int64_t threads) {
  const int64_t parts = std::min(conv.batch, threads);
  const int64_t most = std::max<int64_t>(1, conv.channels / kSlice);
  const int64_t slices = std::min(most, (threads + parts - 1) / parts);
  const int64_t step = (conv.channels + slices - 1) / slices;
  std::vector<Share> shares;
  for (int64_t part = 0; part < parts; ++part) {
    for (int64_t channel = 0; channel < conv.channels; channel += step) {
      shares.push_back(
          {conv.batch * part / parts, conv.batch * (part + 1) / parts, channel,
           std::min(step, conv.channels - channel)});
    }
  }
  return shares;
}

// The tensors of one call as the tasks see them; all maps channels last.
template <class T>
struct Problem {
  Convolution conv;
  Map<T> offset, mask;
  const T* input; // (N, H, W, C)
  const T* gradient; // (N, Ho, Wo, O)
  const T* weight; // (O, taps, C)
  T* grad_input; // (N, H, W, C)
};

// One share of the work, with its scratch memory.
template <class T>
class Task {
 public:
  // grad_weight: (O, taps, channels of the share); grad_offset and grad_mask: (N, Ho, Wo, ...),
  // this slice's contributions.
  Task(const Problem<T>& problem, const Share& share, T* grad_weight, T* grad_offset, T* grad_mask)
      : problem_(problem), conv_(problem.conv), share_(share),
        row_(conv_.taps() * share.channels), table_(conv_, kTile),
        blocks_(cut_into_blocks(conv_.taps(), share.channels, kColumns)),
        weight_(conv_.out_channels * row_), transposed_(conv_.out_channels * kTile),
        columns_(kTile * blocks_.front().width()), slopes_(kTile * blocks_.front().width()),
        products_(conv_.groups * conv_.taps() * kTile), grad_weight_(grad_weight),
        grad_offset_(grad_offset), grad_mask_(grad_mask) {
    for (int64_t line = 0; line < conv_.out_channels * conv_.taps(); ++line) {
      std::copy_n(
          problem.weight + line * conv_.channels + share.first_channel, share.channels,
          &weight_[line * share.channels]);
    }
  }

  void run() {
    for (int64_t n = share_.first_image; n < share_.end_image; ++n) {
      for (int64_t first = 0; first < conv_.pixels(); first += kTile) {
        run_tile(n, first, std::min(kTile, conv_.pixels() - first));
      }
    }
    release_tiles<T>();
  }

 private:
  void run_tile(int64_t n, int64_t first, int64_t count) {
    const int64_t outs = conv_.out_channels, pixel = n * conv_.pixels() + first;
    const T* gradient = problem_.gradient + pixel * outs;
    for (int64_t o = 0; o < outs; ++o) {
      for (int64_t p = 0; p < count; ++p) transposed_[o * count + p] = gradient[p * outs + o];
    }
    table_.fill(problem_.offset, problem_.mask, n, first, count);
    std::fill_n(products_.data(), conv_.groups * conv_.taps() * kTile, Products<T>{});
    for (const Block& block : blocks_) {
      const int64_t width = block.width();
      const int64_t start = block.tap * share_.channels + block.channel;
      multiply_add(
          count, width, outs, gradient, outs, &weight_[start], row_, slopes_.data(), width, false);
      sweep(n, block, count);
      multiply_add(
          outs, width, count, transposed_.data(), count, columns_.data(), width,
          grad_weight_ + start, row_);
    }
    finish(pixel, count);
  }

  void sweep(int64_t n, const Block& block, int64_t count) {
    const int64_t image = n * conv_.height * conv_.width * conv_.channels;
    const int64_t share = conv_.group_channels(), pixel = conv_.channels, width = block.width();
    const int64_t end = share_.first_channel + block.channel + block.channels;
    for (int64_t t = 0; t < block.taps; ++t) {
      int64_t column = t * block.channels;
      for (int64_t channel = share_.first_channel + block.channel; channel < end;) {
        const int64_t group = channel / share, until = std::min(end, (group + 1) * share);
        const int64_t place = group * conv_.taps() + block.tap + t;
        const int32_t *const ca = table_.corner(place, 0), *const cb = table_.corner(place, 1);
        const int32_t *const cc = table_.corner(place, 2), *const cd = table_.corner(place, 3);
        const T *const wa = table_.weight(place, 0), *const wb = table_.weight(place, 1);
        const T *const wc = table_.weight(place, 2), *const wd = table_.weight(place, 3);
        const T* const from = problem_.input + image + channel;
        T* const to = problem_.grad_input + image + channel;
        T *slope = &slopes_[column], *target = &columns_[column];
        Products<T>* sums = &products_[place * kTile];
        for (int64_t p = 0; p < count; ++p, slope += width, target += width) {
          const int64_t a = ca[p] * pixel, b = cb[p] * pixel, c = cc[p] * pixel, d = cd[p] * pixel;
          const Products<T> products = pull_back(
              slope, from + a, from + b, from + c, from + d, wa[p], wb[p], wc[p], wd[p], to + a,
              to + b, to + c, to + d, target, until - channel);
          for (int k = 0; k < 4; ++k) sums[p][k] += products[k];
        }
        column += until - channel;
        channel = until;
      }
    }
  }

  // Offset and mask gradients of the tile from the products with the corners. A corner outside the
  // image counts as zero; its product is that of the pixel it was clamped to, hence the tests.
  void finish(int64_t pixel, int64_t count) {
    const int64_t places = conv_.groups * conv_.taps();
    for (int64_t place = 0; place < places; ++place) {
      const T *below = table_.below(place), *right = table_.right(place);
      const T* modulation = table_.modulation(place);
      const int32_t* inside = table_.inside(place);
      for (int64_t p = 0; p < count; ++p) {
        Products<T> d = products_[place * kTile + p];
        for (int k = 0; k < 4; ++k) d[k] = inside[p] >> k & 1 ? d[k] : T(0);
        const T ly = below[p], lx = right[p], m = modulation[p];
        T* offset = grad_offset_ + (pixel + p) * 2 * places + 2 * place;
        offset[0] = m * ((1 - lx) * (d[2] - d[0]) + lx * (d[3] - d[1]));
        offset[1] = m * ((1 - ly) * (d[1] - d[0]) + ly * (d[3] - d[2]));
        const T value = (1 - ly) * ((1 - lx) * d[0] + lx * d[1]) + ly * ((1 - lx) * d[2] + lx * d[3]);
        grad_mask_[(pixel + p) * places + place] = conv_.sigmoid ? value * m * (1 - m) : value;
      }
    }
  }

  const Problem<T>& problem_;
  const Convolution& conv_;
  const Share share_;
  const int64_t row_; // columns of the share
  SampleTable<T> table_;
  const std::vector<Block> blocks_;
  Scratch<T> weight_, transposed_, columns_, slopes_;
  Scratch<Products<T>> products_;
  T *const grad_weight_, *const grad_offset_, *const grad_mask_;
};

// Sum over the first dimension, which is left out where it has one entry.
at::Tensor total(const at::Tensor& parts) {
  return parts.size(0) == 1 ? parts[0] : parts.sum(0);
}

template <class T>
Gradients differentiate(
    const Convolution& conv, const at::Tensor& grad, const at::Tensor& input,
    const at::Tensor& offset, const at::Tensor& mask, const at::Tensor& weight) {
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), conv.worth_threads());
  const std::vector<Share> shares = share_out(conv, threads);
  const int64_t slices = static_cast<int64_t>(shares.size()) / std::min(conv.batch, threads);
  const int64_t places = conv.groups * conv.taps(), pixels = conv.pixels();
  const auto options = input.options();
  at::Tensor grad_input = at::zeros(
      {conv.batch, conv.height, conv.width, conv.channels}, options);
  at::Tensor grad_offset = at::empty({slices, conv.batch, pixels, 2 * places}, options);
  at::Tensor grad_mask = at::empty({slices, conv.batch, pixels, places}, options);
  std::vector<at::Tensor> grad_weights;
  for (const Share& share : shares) {
    grad_weights.push_back(at::zeros({conv.out_channels, conv.taps(), share.channels}, options));
  }
  const Problem<T> problem{
      conv, Map<T>(offset), Map<T>(mask), input.const_data_ptr<T>(), grad.const_data_ptr<T>(),
      weight.const_data_ptr<T>(), grad_input.mutable_data_ptr<T>()};

  at::parallel_for(0, static_cast<int64_t>(shares.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Task<T>(
          problem, shares[i], grad_weights[i].mutable_data_ptr<T>(),
          grad_offset[i % slices].mutable_data_ptr<T>(), grad_mask[i % slices].mutable_data_ptr<T>())
          .run();
    }
  });

  at::Tensor grad_weight = grad_weights.size() == 1
      ? grad_weights[0]
      : at::zeros({conv.out_channels, conv.taps(), conv.channels}, options);
  for (size_t i = 0; grad_weights.size() > 1 && i < shares.size(); ++i) {
    grad_weight.narrow(2, shares[i].first_channel, shares[i].channels).add_(grad_weights[i]);
  }
  const auto as_maps = [](const at::Tensor& rows, int64_t height, int64_t width) {
    return rows.view({rows.size(0), height, width, -1}).permute({0, 3, 1, 2});
  };
  return {
      grad_input.permute({0, 3, 1, 2}), as_maps(total(grad_offset), conv.out_height, conv.out_width),
      as_maps(total(grad_mask), conv.out_height, conv.out_width),
      as_maps(grad_weight, conv.kernel_height, conv.kernel_width), grad.sum({0, 2, 3})};
}

// bfloat16 is widened: its sums would be float anyway, and training spends its time elsewhere.
Gradients deform_conv2d_backward(
    const at::Tensor& grad, const at::Tensor& input, const at::Tensor& offset,
    const at::Tensor& mask, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, int64_t deformable_groups,
    bool sigmoid_mask) {
  const Convolution conv(input, weight, stride, padding, dilation, deformable_groups, sigmoid_mask);
  const auto type = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto last = at::MemoryFormat::ChannelsLast;
  const at::Tensor g = grad.to(type).contiguous(last), x = input.to(type).contiguous(last);
  const at::Tensor w = weight.to(type).contiguous(last);
  const at::Tensor off = offset.to(type), m = mask.to(type);
  auto [grad_input, grad_offset, grad_mask, grad_weight, grad_bias] = type == at::kDouble
      ? differentiate<double>(conv, g, x, off, m, w)
      : differentiate<float>(conv, g, x, off, m, w);
  return {
      grad_input.to(input.scalar_type()), grad_offset.to(offset.scalar_type()),
      grad_mask.to(mask.scalar_type()), grad_weight.to(weight.scalar_type()),
      grad_bias.to(weight.scalar_type())};
}

} // namespace
} // namespace centernet

TORCH_LIBRARY_FRAGMENT(centernet_cpu, library) {
  library.def(
      "deform_conv2d_backward(Tensor grad, Tensor input, Tensor offset, Tensor mask, Tensor weight, "
      "int[] stride, int[] padding, int[] dilation, int deformable_groups, bool sigmoid_mask) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(centernet_cpu, CPU, library) {
  library.impl("deform_conv2d_backward", &centernet::deform_conv2d_backward);
}
