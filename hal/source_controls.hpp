// SPDX-License-Identifier: Apache-2.0
/// The settings of a sensor under one set of names, whichever backend drives it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

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
  keyframe,           ///< asks a sensor that delivers H.264 for a key frame; has no value
};
inline constexpr std::size_t control_count = 10;

enum class ControlKind : std::uint8_t { toggle, number, action };

struct ControlValue {
  bool automatic = false;  ///< the device decides; `value` then says what it decided, where that is known
  double value = 0;        ///< in the control's unit
  friend bool operator==(const ControlValue&, const ControlValue&) = default;
};

struct ControlInfo {
  Control control = Control::exposure;
  ControlKind kind = ControlKind::number;
  double min = 0, max = 0, step = 0;  ///< of the value; all 0 when only automatic is known
  bool can_be_automatic = false;
  bool read_only = false;
  ControlValue otherwise{};  ///< the device's default
  ControlValue value{};      ///< now
};

/// What somebody wants a control to be.
struct Setting {
  Control control = Control::exposure;
  ControlValue value{};
};

/// The name in configurations, lists and messages: "white_balance".
[[nodiscard]] std::string_view name(Control control) noexcept;
/// "us", "K", "bit/s" …; empty for numbers without one.
[[nodiscard]] std::string_view unit(Control control) noexcept;
[[nodiscard]] std::optional<Control> control_named(std::string_view name) noexcept;
/// "auto", "on", "off", "312 us".
[[nodiscard]] std::string to_string(Control control, const ControlValue& value);
/// One line: "exposure: auto or 100 to 500000 us, default auto, now auto".
[[nodiscard]] std::string to_string(const ControlInfo& info);

/// Whether `setting` can be made with what `known` lists. Reentrant. Errors: not_found (no such control
/// there), unsupported (read-only; no automatic; only automatic), invalid_argument (out of range).
[[nodiscard]] Result<> check_setting(std::span<const ControlInfo> known, const Setting& setting) noexcept;
/// A sentence for people about a setting that failed: what was wrong, what is possible, or which controls exist.
[[nodiscard]] std::string explain(const Setting& setting, const Error& error, std::span<const ControlInfo> known);

/// The controls of one open source. Thread-bound to the source's thread; lives as long as the source.
class SourceControls {
 public:
  /// In the order of Control, with the values of now. Asks the device.
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
