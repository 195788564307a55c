// SPDX-License-Identifier: Apache-2.0
/// The settings of a sensor. The names are the same for all back-ends.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

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

}  // namespace sealcam::hal
