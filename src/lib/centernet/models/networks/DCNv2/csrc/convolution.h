// The sizes and parameters of one deformable convolution, and the tensors as the kernels read them.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/ArrayRef.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace centernet {

struct Convolution {
  int64_t batch, channels, height, width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width;
  int64_t stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
  int64_t groups;
  bool sigmoid;

  Convolution(
      const at::Tensor& input,
      const at::Tensor& weight,
      at::IntArrayRef stride,
      at::IntArrayRef padding,
      at::IntArrayRef dilation,
      int64_t deformable_groups,
      bool sigmoid_mask)
      : batch(input.size(0)), channels(input.size(1)), height(input.size(2)), width(input.size(3)),
        out_channels(weight.size(0)), kernel_height(weight.size(2)), kernel_width(weight.size(3)),
        stride_y(stride[0]), stride_x(stride[1]), padding_y(padding[0]), padding_x(padding[1]),
        dilation_y(dilation[0]), dilation_x(dilation[1]), groups(deformable_groups),
        sigmoid(sigmoid_mask) {
    out_height = (height + 2 * padding_y - dilation_y * (kernel_height - 1) - 1) / stride_y + 1;
    out_width = (width + 2 * padding_x - dilation_x * (kernel_width - 1) - 1) / stride_x + 1;
  }

  // How many threads the work is worth: one for each million multiplications.
  int64_t worth_threads() const {
    return 1 + batch * pixels() * taps() * channels * out_channels / 1000000;
  }

  int64_t taps() const { return kernel_height * kernel_width; }
  int64_t pixels() const { return out_height * out_width; }
  int64_t group_channels() const { return channels / groups; }
};

// A (N, C, H, W) tensor of any strides, read by image, channel and output pixel.
template <class T>
struct Map {
  const T* data;
  int64_t image, channel, row, column;

  explicit Map(const at::Tensor& tensor)
      : data(tensor.const_data_ptr<T>()), image(tensor.stride(0)), channel(tensor.stride(1)),
        row(tensor.stride(2)), column(tensor.stride(3)) {}
};

// A part of the columns of the unrolled image: `taps` taps of `channels` channels each.
// Either whole taps with all channels of the range, or one tap with some of them.
struct Block {
  int64_t tap, taps, channel, channels;

  int64_t width() const { return taps * channels; }
};

inline int64_t divide_up(int64_t number, int64_t by) {
  return (number + by - 1) / by;
}

// Cut taps x [0, channels) into blocks of about equal size and at most `limit` columns.
inline std::vector<Block> cut_into_blocks(int64_t taps, int64_t channels, int64_t limit) {
  std::vector<Block> blocks;
  const int64_t most_taps = std::max<int64_t>(1, limit / channels);
  const int64_t tap_step = divide_up(taps, divide_up(taps, most_taps));
  // A multiple of 16 where it splits: whole vectors, and the pairs that bfloat16 products want.
  const int64_t part = divide_up(channels, divide_up(channels, limit));
  const int64_t channel_step = std::min(channels, divide_up(part, 16) * 16);
  for (int64_t tap = 0; tap < taps; tap += tap_step) {
    for (int64_t channel = 0; channel < channels; channel += channel_step) {
      blocks.push_back(
          {tap, std::min(tap_step, taps - tap), channel,
           std::min(channel_step, channels - channel)});
    }
  }
  return blocks;
}

} // namespace centernet
