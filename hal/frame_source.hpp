// SPDX-License-Identifier: Apache-2.0
/// The interface of a sensor, and its settings. The names of settings are the same for all back-ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

enum class Control : std::uint8_t {
  exposure,           ///< automatic, or microseconds
  gain,               ///< automatic, or the device's own number (V4L2: its steps; libcamera: a factor)
  white_balance,      ///< automatic, or kelvin
  focus,              ///< automatic, or the device's own number (V4L2: its steps; libcamera: dioptres)
  hflip,              ///< 0 or 1
  vflip,              ///< 0 or 1
  frame_rate,         ///< pictures per second; chosen when the source is opened
  bitrate,            ///< bit/s, of a sensor that delivers H.264
  keyframe_interval,  ///< pictures, of a sensor that delivers H.264
  keyframe,           ///< requests a key frame from a sensor that delivers H.264; has no value
};
inline constexpr std::size_t control_count = 10;

enum class ControlKind : std::uint8_t { toggle, number, action };

struct ControlValue {
  bool automatic = false;  ///< the device decides; `value` is its decision, if known
  double value = 0;        ///< in the control's unit
  friend bool operator==(const ControlValue&, const ControlValue&) = default;
};

struct ControlInfo {
  Control control = Control::exposure;
  ControlKind kind = ControlKind::number;
  double min = 0, max = 0, step = 0;  ///< of the value; all 0 if the control is only automatic
  bool can_be_automatic = false;
  bool read_only = false;
  ControlValue default_value{};  ///< the device's default
  ControlValue value{};          ///< now
};

/// A requested value of a control.
struct Setting {
  Control control = Control::exposure;
  ControlValue value{};
};

/// The name in configurations, lists and messages, such as "white_balance".
[[nodiscard]] std::string_view name(Control control) noexcept;
/// "us", "K", "bit/s" …; empty for numbers without a unit.
[[nodiscard]] std::string_view unit(Control control) noexcept;
[[nodiscard]] std::optional<Control> control_named(std::string_view name) noexcept;
/// For example "auto", "on", "off", "312 us".
[[nodiscard]] std::string to_string(Control control, const ControlValue& value);
/// One line, such as "exposure: auto or 100 to 500000 us, default auto, now auto".
[[nodiscard]] std::string to_string(const ControlInfo& info);

/// Checks `setting` against the controls in `known`. Reentrant. Errors: not_found (no such control), unsupported
/// (read-only, not automatic, or only automatic), invalid_argument (out of range).
[[nodiscard]] Result<> check_setting(std::span<const ControlInfo> known, const Setting& setting) noexcept;
/// A sentence about a setting that failed: the cause and the possible values, or the existing controls.
[[nodiscard]] std::string explain(const Setting& setting, const Error& error, std::span<const ControlInfo> known);

/// The controls of one open source. It lives as long as the source. Thread-bound, to the thread of the source.
class SourceControls {
 public:
  /// Reads all controls with their current values, in the order of Control.
  [[nodiscard]] std::vector<ControlInfo> list() { return do_list(); }
  /// Errors: those of check_setting(), permission, device_lost, io.
  [[nodiscard]] Result<> set(const Setting& setting) { return do_set(setting); }

 protected:
  ~SourceControls() = default;

 private:
  virtual std::vector<ControlInfo> do_list() = 0;
  virtual Result<> do_set(const Setting& setting) = 0;
};

/// Pictures from one sensor, in capture order. The caller may lease at least two pictures at the same time.
/// Thread-bound: one thread calls next() and destroys the pictures.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  /// Waits up to `timeout` (> 0) for the next picture. FrameNumber and capture time never decrease.
  /// Errors: timeout (call again), corrupt_frame (call again), end_of_stream, device_lost (open the source again),
  /// unsupported (Sealcam cannot send this stream; open the source with another format).
  [[nodiscard]] Result<Picture> next(std::chrono::milliseconds timeout) {
    SC_ASSERT(timeout.count() > 0);
    return do_next(timeout);
  }

  /// Constant for the lifetime of the source. A compressed picture may have another size, see Picture::size.
  [[nodiscard]] Size size() const { return do_size(); }
  [[nodiscard]] PixelFormat format() const { return do_format(); }
  /// Colors of its pictures.
  [[nodiscard]] Colors colors() const { return do_colors(); }
  /// Pictures per second, as configured or as reported by the driver.
  [[nodiscard]] double rate() const { return do_rate(); }
  /// One line for logs: backend, device, format, size, rate.
  [[nodiscard]] std::string describe() const { return do_describe(); }
  /// Identifies device and format, for SourceConfig::unusable. Empty if the source has no choice of formats.
  [[nodiscard]] std::string format_id() const { return do_format_id(); }
  /// The sensor's settings, or null. The source owns the object.
  [[nodiscard]] SourceControls* controls() { return do_controls(); }

 private:
  virtual Result<Picture> do_next(std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] virtual Size do_size() const = 0;
  [[nodiscard]] virtual PixelFormat do_format() const = 0;
  [[nodiscard]] virtual Colors do_colors() const { return {}; }
  [[nodiscard]] virtual double do_rate() const = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
  [[nodiscard]] virtual std::string do_format_id() const { return {}; }
  [[nodiscard]] virtual SourceControls* do_controls() { return nullptr; }
};

}  // namespace sealcam::hal
