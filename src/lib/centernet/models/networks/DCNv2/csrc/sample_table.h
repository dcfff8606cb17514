// Where the samples of a tile of output pixels lie, and with what weights.
#pragma once

#include "convolution.h"
#include "scratch.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace centernet {

// Logistic function in operations that vectorise: e^-|x| = 2^n e^r with |r| <= ln(2) / 2 and e^r by
// its Taylor series, whose remainder of 5e-9 is below float's rounding.
inline float logistic(float x) {
  const float magnitude = std::min(std::fabs(x), 87.0f);
  const float n = std::floor(0.5f - magnitude * 1.44269504f);
  const float r = (-magnitude - n * 0.693145752f) - n * 1.42860677e-6f; // ln 2 in two parts
  float e = 1.0f / 5040;
  e = e * r + 1.0f / 720;
  e = e * r + 1.0f / 120;
  e = e * r + 1.0f / 24;
  e = e * r + 1.0f / 6;
  e = e * r + 0.5f;
  e = e * r + 1.0f;
  e = e * r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  const float small = e * power / (1.0f + e * power);
  const float value = x < 0 ? small : 1.0f - small;
  return x == x ? value : x;
}

inline double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

// For every place (group and tap) and every pixel of the tile: four corners, as pixel numbers of the
// image, their bilinear weights times the modulation (zero outside the image), and what the
// gradients need besides.
template <class T>
class SampleTable {
 public:
  SampleTable(const Convolution& convolution, int64_t tile)
      : conv_(convolution), tile_(tile), base_y_(tile), base_x_(tile), y_(tile), x_(tile),
        corner_(4 * entries()), inside_(entries()), weight_(4 * entries()), below_(entries()),
        right_(entries()), modulation_(entries()) {}

  // Fill the table for `count` output pixels from number `first` of image `n`.
  void fill(
      const Map<T>& offset, const Map<T>& mask, int64_t n, int64_t first, int64_t count) {
    locate(first, count);
    for (int64_t group = 0; group < conv_.groups; ++group) {
      for (int64_t tap = 0; tap < conv_.taps(); ++tap) {
        const int64_t place = group * conv_.taps() + tap;
        T* modulation = &modulation_[place * tile_];
        read(mask, n, place, modulation);
        read(offset, n, 2 * place, y_.data());
        read(offset, n, 2 * place + 1, x_.data());
        if (conv_.sigmoid) {
          for (int64_t p = 0; p < count; ++p) modulation[p] = logistic(modulation[p]);
        }
        weigh(tap, place, count);
      }
    }
  }

  // Corner k (top left, top right, bottom left, bottom right) of the tile's pixels.
  const int32_t* corner(int64_t place, int k) const { return &corner_[(4 * place + k) * tile_]; }
  const T* weight(int64_t place, int k) const { return &weight_[(4 * place + k) * tile_]; }
  // Fractions of a pixel by which the samples lie below and right of their top left corners.
  const T* below(int64_t place) const { return &below_[place * tile_]; }
  const T* right(int64_t place) const { return &right_[place * tile_]; }
  const T* modulation(int64_t place) const { return &modulation_[place * tile_]; }
  // Bit k says that corner k lies inside the image.
  const int32_t* inside(int64_t place) const { return &inside_[place * tile_]; }

 private:
  struct Run { // pixels of the tile that lie in one output row
    int64_t row, column, count;
  };

  int64_t entries() const { return conv_.groups * conv_.taps() * tile_; }

  void locate(int64_t first, int64_t count) {
    runs_.clear();
    for (int64_t p = 0; p < count;) {
      const int64_t row = (first + p) / conv_.out_width, column = (first + p) % conv_.out_width;
      const int64_t length = std::min(count - p, conv_.out_width - column);
      runs_.push_back({row, column, length});
      for (int64_t i = 0; i < length; ++i, ++p) {
        base_y_[p] = static_cast<T>(row * conv_.stride_y - conv_.padding_y);
        base_x_[p] = static_cast<T>((column + i) * conv_.stride_x - conv_.padding_x);
      }
    }
  }

  void read(const Map<T>& map, int64_t n, int64_t channel, T* out) const {
    for (const Run& run : runs_) {
      const T* from =
          map.data + n * map.image + channel * map.channel + run.row * map.row + run.column * map.column;
      for (int64_t i = 0; i < run.count; ++i) out[i] = from[i * map.column];
      out += run.count;
    }
  }

  // Beyond one pixel outside the image nothing is sampled, so that clamping there loses nothing and
  // keeps the integers in range. A NaN is clamped too, but comes back in the weights.
  void weigh(int64_t tap, int64_t place, int64_t count) {
    const T shift_y = static_cast<T>(tap / conv_.kernel_width * conv_.dilation_y);
    const T shift_x = static_cast<T>(tap % conv_.kernel_width * conv_.dilation_x);
    const T far_y = static_cast<T>(conv_.height + 1), far_x = static_cast<T>(conv_.width + 1);
    const int32_t height = static_cast<int32_t>(conv_.height);
    const int32_t width = static_cast<int32_t>(conv_.width);
    const T *const base_y = base_y_.data(), *const base_x = base_x_.data();
    const T *const offset_y = y_.data(), *const offset_x = x_.data();
    int32_t* const corners = &corner_[4 * place * tile_];
    T* const weights = &weight_[4 * place * tile_];
    T *const below = &below_[place * tile_], *const right = &right_[place * tile_];
    T* const modulation = &modulation_[place * tile_];
    int32_t* const inside = &inside_[place * tile_];
    const int64_t tile = tile_;
#pragma omp simd
    for (int64_t p = 0; p < count; ++p) {
      const T raw_y = base_y[p] + shift_y + offset_y[p], raw_x = base_x[p] + shift_x + offset_x[p];
      const T nan = (raw_y == raw_y) & (raw_x == raw_x) ? T(0) : kNan;
      const T y = between(raw_y, T(-2), far_y), x = between(raw_x, T(-2), far_x);
      const T top = std::floor(y), left = std::floor(x);
      const int32_t y0 = static_cast<int32_t>(top), x0 = static_cast<int32_t>(left);
      const T ly = y - top, lx = x - left, m = modulation[p] + nan;
      const bool top_in = within(y0, height), low_in = within(y0 + 1, height);
      const bool left_in = within(x0, width), right_in = within(x0 + 1, width);
      const T top_share = top_in ? (T(1) - ly) * m : nan, low_share = low_in ? ly * m : nan;
      const T left_share = left_in ? T(1) - lx : T(0), right_share = right_in ? lx : T(0);
      weights[p] = top_share * left_share;
      weights[p + tile] = top_share * right_share;
      weights[p + 2 * tile] = low_share * left_share;
      weights[p + 3 * tile] = low_share * right_share;
      const int32_t top_row = between(y0, 0, height - 1) * width;
      const int32_t low_row = between(y0 + 1, 0, height - 1) * width;
      const int32_t left_column = between(x0, 0, width - 1);
      const int32_t right_column = between(x0 + 1, 0, width - 1);
      corners[p] = top_row + left_column;
      corners[p + tile] = top_row + right_column;
      corners[p + 2 * tile] = low_row + left_column;
      corners[p + 3 * tile] = low_row + right_column;
      const int32_t columns_in = (left_in ? 1 : 0) | (right_in ? 2 : 0);
      inside[p] = (top_in ? columns_in : 0) | (low_in ? columns_in << 2 : 0);
      below[p] = ly;
      right[p] = lx;
      modulation[p] = m;
    }
  }

  static constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

  // By value, unlike std::clamp, so that loops vectorise; a NaN becomes `low`.
  template <class N>
  static N between(N value, N low, N high) {
    const N raised = value > low ? value : low;
    return raised < high ? raised : high;
  }

  static bool within(int32_t index, int32_t size) {
    return static_cast<uint32_t>(index) < static_cast<uint32_t>(size);
  }

  const Convolution conv_;
  const int64_t tile_;
  std::vector<Run> runs_;
  Scratch<T> base_y_, base_x_, y_, x_;
  Scratch<int32_t> corner_, inside_;
  Scratch<T> weight_, below_, right_, modulation_;
};

} // namespace centernet
