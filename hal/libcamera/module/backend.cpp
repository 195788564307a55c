// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/backend.hpp"

#include "hal/libcamera/module/cameras.hpp"
#include "hal/libcamera/module/libcamera_source.hpp"
#include "hal/libcamera/module/survey.hpp"

namespace sealcam::hal::libcamera {

namespace {

class Backend final : public LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) override {
    if (auto r = begin(); !r) return std::unexpected(r.error());
    auto source = LibcameraSource::open(manager_, config, clock, log);
    if (!source) return std::unexpected(source.error());
    return std::move(*source);
  }

  Result<std::vector<CameraEntry>> do_list(Log& log) override {
    if (auto r = begin(); !r) {
      log.error("libcamera: {}", to_string(r.error()));
      return std::unexpected(r.error());
    }
    return survey(*manager_);
  }

  Result<> begin() {
    if (manager_ && !manager_->cameras().empty()) return {};
    const Silence silence(found_none_);
    manager_.reset();  // there must be no two
    auto manager = start_manager();
    found_none_ = !manager || (*manager)->cameras().empty();
    if (!manager) return std::unexpected(manager.error());
    manager_ = std::move(*manager);
    return {};
  }

  Manager manager_;
  bool found_none_ = false;  // by the start before
};

}  // namespace

std::unique_ptr<LibcameraBackend> make_backend() { return std::make_unique<Backend>(); }

}  // namespace sealcam::hal::libcamera
