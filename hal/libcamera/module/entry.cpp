// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <string_view>

#include "hal/libcamera/module/backend.hpp"

using namespace sealcam;
using namespace sealcam::hal;

extern "C" [[gnu::visibility("default")]] libcamera::LibcameraBackend* sealcam_libcamera_open(
    libcamera::ModuleCall* call) noexcept {
  if (std::string_view(call->version) != SEALCAM_VERSION) {
    call->error = {Errc::unsupported, 0,
                   "the libcamera module is of another version than the program: install both alike"};
    return nullptr;
  }
  try {
    return libcamera::make_backend().release();
  } catch (const std::exception&) {
    call->error = {Errc::no_memory, 0, "opening libcamera"};
    return nullptr;
  }
}
