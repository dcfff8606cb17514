// Small row-major matrix products for use inside a thread's share of the work.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/from_blob.h>

namespace centernet {

// c (m x n) += a (m x k) b (k x n); row lengths of a and c given, b's rows `b_row` apart.
template <class T>
void multiply_add(
    int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_row, T* c,
    int64_t c_row, bool add = true) {
#ifdef CPUBLAS_BRGEMM_F32F32F32
  if constexpr (std::is_same_v<T, float>) {
    at::native::cpublas::brgemm(m, n, k, a_row, b_row, c_row, add, a, b, c, /*is_vnni=*/false);
    return;
  }
#endif
  const auto type = c10::CppTypeToScalarType<T>::value;
  const auto view = [type](const T* data, int64_t rows, int64_t columns, int64_t stride) {
    return at::from_blob(const_cast<T*>(data), {rows, columns}, {stride, 1}, at::TensorOptions(type));
  };
  at::Tensor out = view(c, m, n, c_row);
  out.addmm_(view(a, m, k, a_row), view(b, k, n, b_row), add ? 1 : 0);
}

// The same for bfloat16 factors and a float sum; b holds pairs of rows interleaved (see pack.h).
inline void multiply_add(
    int64_t m, int64_t n, int64_t k, const at::BFloat16* a, int64_t a_row, const at::BFloat16* b,
    int64_t b_row, float* c, int64_t c_row) {
  at::native::cpublas::brgemm(m, n, k, a_row, b_row, c_row, /*add_C=*/true, a, b, c, /*is_vnni=*/true);
}

// Gives back what products of type S hold of the core (the matrix tiles, for bfloat16).
template <class S>
void release_tiles() {
  if constexpr (std::is_same_v<S, at::BFloat16>) {
    at::native::cpublas::brgemm_release(/*is_vnni=*/true);
#ifdef CPUBLAS_BRGEMM_F32F32F32
  } else if constexpr (std::is_same_v<S, float>) {
    at::native::cpublas::brgemm_release(/*is_vnni=*/false);
#endif
  }
}

} // namespace centernet
