// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/libcamera_backend.hpp"
#include "hal/modules/plugin_abi.hpp"

using namespace sealcam::hal;

extern "C" [[gnu::visibility("default")]] libcamera::LibcameraBackend* sealcam_libcamera_open(
    modules::ModuleCall* call) noexcept {
  return modules::open_module<libcamera::LibcameraBackend>(*call, libcamera::make_backend);
}
