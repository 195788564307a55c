// SPDX-License-Identifier: Apache-2.0
/// Reads the bits of NAL units. Only the sources of hal/h264 include this header.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace sealcam::hal {

/// Reads the bits of a NAL unit without emulation prevention bytes (clause 7.4.1). After the end each bit is 0 and
/// good() is false.
class BitReader {
 public:
  explicit BitReader(ByteView bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] bool good() const noexcept { return good_; }
  /// The number of bits that were read.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

  std::uint32_t bits(int count) noexcept {
    std::uint32_t value = 0;
    while (count-- > 0) value = value << 1 | bit();
    return value;
  }
  /// ue(v), clause 9.1. Values above 2^16 do not occur in the fields that are read here.
  std::uint32_t ue() noexcept {
    int zeros = 0;
    while (bit() == 0 && good_) ++zeros;
    if (zeros > 16) good_ = false;
    return good_ ? (1U << zeros) - 1 + bits(zeros) : 0;
  }
  /// se(v), clause 9.1.1. Offsets of the picture order count may have 32 bits.
  std::int64_t se() noexcept {
    int zeros = 0;
    while (bit() == 0 && good_) ++zeros;
    if (zeros > 32) good_ = false;
    if (!good_) return 0;
    std::uint64_t code = (std::uint64_t{1} << zeros) - 1;
    code += bits(zeros);
    return code % 2 == 0 ? -static_cast<std::int64_t>(code / 2) : static_cast<std::int64_t>(code / 2 + 1);
  }

 private:
  std::uint32_t bit() noexcept {
    if (left_ == 0 && !load()) return 0;
    ++position_;
    return std::to_integer<std::uint32_t>(byte_ >> --left_ & std::byte{1});
  }
  bool load() noexcept {
    if (zeros_ >= 2 && at_ < bytes_.size() && bytes_[at_] == std::byte{3}) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ == bytes_.size()) return good_ = false;
    byte_ = bytes_[at_++];
    zeros_ = byte_ == std::byte{0} ? zeros_ + 1 : 0;
    left_ = 8;
    return true;
  }

  ByteView bytes_;
  std::size_t at_ = 0;
  std::byte byte_{};
  int left_ = 0;
  int zeros_ = 0;  ///< zero bytes before at_
  std::size_t position_ = 0;
  bool good_ = true;
};

}  // namespace sealcam::hal
