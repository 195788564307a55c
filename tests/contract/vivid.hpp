// SPDX-License-Identifier: Apache-2.0
/// Finds the V4L2 devices that the contract is tried on, and works the controls by which the kernel's vivid driver
/// injects faults.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"
#include "hal/v4l2/choose.hpp"

namespace sealcam::test {

struct TestDevice {
  std::string path;
  std::string driver;
  bool multi_planar = false;
  std::vector<std::string> fourccs;
};

/// The device that $SEALCAM_V4L2_DEVICE names, otherwise every one of vivid.
[[nodiscard]] std::vector<TestDevice> test_devices();
/// The first of vivid's, or nothing; skip then.
[[nodiscard]] std::optional<TestDevice> vivid_device();
/// Why a test is skipped.
inline constexpr const char* no_vivid = "no vivid here: modprobe vivid, or set SEALCAM_V4L2_DEVICE for the contract";

/// The fault controls of one vivid device, by a file descriptor of its own. What was set returns to its default at
/// the end.
class VividFaults {
 public:
  explicit VividFaults(const std::string& path);
  VividFaults(const VividFaults&) = delete;
  ~VividFaults();
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Presses a button or sets a value.
  void set(std::string_view name, int value = 1);
  /// Lets go of the device now, as its last user.
  void close() { fd_.reset(); }

 private:
  struct Control {
    std::string name;
    unsigned id = 0;
    int otherwise = 0;
    bool button = false;
  };
  [[nodiscard]] const Control* find(std::string_view name) const;
  bool write(unsigned id, int value);
  UniqueFd fd_;
  std::vector<Control> controls_;
  std::vector<const Control*> changed_;
};

}  // namespace sealcam::test
