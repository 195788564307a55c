// SPDX-License-Identifier: Apache-2.0
/// Parts of a program that are loaded on first use. Their libraries (libavformat, libavcodec, libcamera) cost up to 30
/// MiB and 50 ms at the start, so that programs that do not use them must not load them.
///
/// A module is the file sealcam-NAME.so. The loader searches the folders in $SEALCAM_MODULE_PATH (absolute, separated
/// by colons), the folder of the program, the library folder of the same installation, and the installed library
/// folder. A module stays loaded until the process ends, because its libraries keep threads and tables. Each failure is
/// also logged, with the next step.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"
#include "hal/media.hpp"
#include "hal/module_backends.hpp"

namespace sealcam::hal::modules {

/// Arguments of the exported function. Program and module must have the same version.
struct ModuleCall {
  const char* version = nullptr;
  Error error{Errc::io, 0, ""};  ///< set if the function returns null
};

/// Returns an object that the caller deletes, or null. Does not throw.
template <class Interface>
using OpenFunction = Interface*(ModuleCall*) noexcept;

/// The body of the exported function. `version`: of the module. `make` returns std::unique_ptr<Interface>.
template <class Interface, class Make>
Interface* open_module(ModuleCall& call, std::string_view version, Make make) noexcept {
  if (call.version != version) {
    call.error = {Errc::unsupported, 0, "program and module have different versions; install the same version of both"};
    return nullptr;
  }
  try {
    std::unique_ptr<Interface> object = make();
    return object.release();
  } catch (const std::exception&) {
    call.error = {Errc::no_memory, 0, "opening a module"};
    return nullptr;
  }
}

/// Loads sealcam-libcamera.so with the first call and keeps it. After a failure, the next call tries again and logs
/// again. Errors: also not_found (the file is missing), unsupported (it does not load, or has another version).
/// Thread-bound.
class LibcameraModule final : public libcamera::LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const libcamera::LibcameraConfig& config, const Clock& clock,
                                               Log& log) override;
  Result<std::vector<libcamera::CameraEntry>> do_list(Log& log) override;
  [[nodiscard]] Result<libcamera::LibcameraBackend*> backend(Log& log);

  std::unique_ptr<libcamera::LibcameraBackend> backend_;
};

/// Loads the module. Returns why that failed and the next step, or an empty text.
[[nodiscard]] std::string libcamera_problem();

/// Loads sealcam-media.so with the first call. After a failure it does not try again. Thread-bound.
class MediaModule final : public Media {
 public:
  /// `log` must outlive it.
  explicit MediaModule(Log& log) : log_(log) {}

 private:
  Result<std::unique_ptr<StreamMuxer>> do_open_muxer() override;
  Result<std::unique_ptr<Mp4Muxer>> do_open_mp4_muxer(Size size) override;
  Result<std::unique_ptr<StillBuilder>> do_open_still_builder() override;
  [[nodiscard]] Result<Media*> media();

  Log& log_;
  std::optional<Result<std::unique_ptr<Media>>> loaded_;
};

/// Loads sealcam-replay.so and opens a recording. `clock` must outlive the source. Errors: not_found (module or file),
/// unsupported (another version of the module, or no decoder for the file), invalid_argument (size, rate), malformed
/// (no pictures in the file), permission, no_memory, io.
[[nodiscard]] Result<std::unique_ptr<FrameSource>> open_replay(const replay::ReplayConfig& config, const Clock& clock,
                                                               Log& log);

}  // namespace sealcam::hal::modules
