// SPDX-License-Identifier: Apache-2.0
#include "hal/module_backends.hpp"
#include "hal/modules/modules.hpp"

using namespace sealcam::hal;

extern "C" [[gnu::visibility("default")]] libcamera::LibcameraBackend* sealcam_libcamera_open(
    modules::ModuleCall* call) noexcept {
  return modules::open_module<libcamera::LibcameraBackend>(*call, SEALCAM_VERSION, libcamera::make_backend);
}
