// SPDX-License-Identifier: Apache-2.0
/// Finds the V4L2 devices for the contract suite, and sets the controls with which the kernel's vivid driver injects
/// faults.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::test {

struct TestDevice {
  std::string path;
  std::string driver;
  bool multi_planar = false;
  std::vector<std::string> fourccs;
};

/// The device that $SEALCAM_V4L2_DEVICE names, otherwise all devices of vivid.
[[nodiscard]] std::vector<TestDevice> test_devices();
/// The first device of vivid. Nothing if there is none; the test is then skipped.
[[nodiscard]] std::optional<TestDevice> vivid_device();
/// The reason for a skipped test.
inline constexpr const char* no_vivid = "vivid is not loaded; run modprobe vivid, or set SEALCAM_V4L2_DEVICE";

/// The fault controls of one vivid device. Uses its own file descriptor. The destructor resets all changed controls to
/// their defaults.
class VividFaults {
 public:
  explicit VividFaults(const std::string& path);
  VividFaults(const VividFaults&) = delete;
  ~VividFaults();
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Presses a button or sets a value.
  void set(std::string_view name, int value = 1);
  /// Closes the device, as its last user.
  void close() { fd_.reset(); }

 private:
  struct Control {
    std::string name;
    unsigned id = 0;
    int default_value = 0;
    bool button = false;
  };
  [[nodiscard]] const Control* find(std::string_view name) const;
  bool write(unsigned id, int value);
  UniqueFd fd_;
  std::vector<Control> controls_;
  std::vector<const Control*> changed_;
};

}  // namespace sealcam::test
