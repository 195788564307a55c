// SPDX-License-Identifier: Apache-2.0
/// This machine as a hub while `sealcam watch` runs, and its outputs: a fragmented MP4 file (ISO/IEC 14496-12), or an
/// H.264 byte stream (ITU-T H.264, Annex B) on standard output. The broker connection and the watcher run on one
/// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "owner/account/account.hpp"
#include "owner/console.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::owner {

/// Opens the hub identity of this machine. Fails if another command uses it.
[[nodiscard]] Outcome<device::DeviceState> open_machine_hub(const AccountFiles& files);

/// Receives pictures and states on the thread of HubSession::run().
class HubSessionListener : public watch::PictureSink {
 public:
  /// Called ten times a second. False ends run().
  virtual bool on_tick() = 0;

 protected:
  ~HubSessionListener() = default;
};

/// Why a camera that is not LIVE sends no pictures, and the next step, as part of a sentence. Empty for reasons that do
/// not tell it.
[[nodiscard]] std::string_view why_not_live(watch::Reason reason) noexcept;

/// Thread-bound.
class HubSession {
 public:
  HubSession(const device::DeviceState& state, const Clock& clock, HubSessionListener& listener);
  HubSession(const HubSession&) = delete;
  HubSession& operator=(const HubSession&) = delete;
  ~HubSession();

  /// Requests the pictures of this camera until the listener, SIGINT, SIGTERM or SIGHUP ends the session. A SIGHUP that
  /// the caller ignores stays ignored.
  [[nodiscard]] Outcome<> run(const DeviceId& camera);
  /// Ends run(). Call it from the listener.
  void stop();
  /// Nothing before a roster of the camera arrived.
  [[nodiscard]] std::optional<watch::CameraStatus> camera(const DeviceId& id) const;
  [[nodiscard]] bool connected() const;
  [[nodiscard]] std::string last_warning() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One verified access unit.
struct Recordable {
  ByteView access_unit;
  bool key = false;      ///< contains SPS and PPS
  CaptureTime captured;  ///< by the camera's clock, which can jump
  BootTime received;     ///< by the clock of this machine
  std::uint16_t width = 0, height = 0;
};

/// Thread-bound.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// The first picture must be a key frame. Errors: io, invalid_argument (not a key frame), unsupported (the size
  /// changed and the format does not allow that), end_of_stream (the output is a pipe, and its reader ended), canceled
  /// (a signal arrived while the reader did not read).
  [[nodiscard]] Result<> add(const Recordable& picture) { return do_add(picture); }
  /// Do not call add() afterwards. Errors: io, end_of_stream, canceled.
  [[nodiscard]] Result<> finish() { return do_finish(); }

 private:
  virtual Result<> do_add(const Recordable& picture) = 0;
  virtual Result<> do_finish() = 0;
};

/// The file gets its name, and replaces an existing file, when it contains a first picture; see OutputFile. Each later
/// fragment ends before a key frame and is written as a whole. An interrupted recording plays up to its last fragment.
/// Errors: those of OutputFile::open().
[[nodiscard]] Result<std::unique_ptr<Recorder>> record_mp4(const std::filesystem::path& file);

/// Writes to a file descriptor of the caller.
[[nodiscard]] std::unique_ptr<Recorder> record_annex_b(int descriptor);

}  // namespace sealcam::owner
