// SPDX-License-Identifier: Apache-2.0
/// Access units of a sensor that encodes, brought into the form that Sealcam sends: every key frame has its SPS and
/// PPS before it, also when the device wrote them once, in a buffer of their own.
#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::hal {

/// Keeps the parameter sets as they were last seen. In steady state it allocates nothing. Thread-bound.
class H264Headers {
 public:
  struct Unit {
    ByteView bytes;  ///< of what was given, or of `scratch`
    bool keyframe = false;
  };
  /// Checks one buffer (check_access_unit()) and puts the kept SPS and PPS into a key frame that lacks them; then the
  /// result lies in `scratch`. Nothing: the buffer held only parameter sets, which are kept. Errors: malformed.
  [[nodiscard]] Result<std::optional<Unit>> complete(ByteView buffer, Bytes& scratch);

 private:
  void keep(ByteView buffer);

  Bytes sps_, pps_;  // with start codes
};

}  // namespace sealcam::hal
