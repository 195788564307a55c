// SPDX-License-Identifier: Apache-2.0
/// A folder with the parts of /proc, /sys and /dev that the doctor and the activity light read.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "support/temporary_folder.hpp"

namespace sealcam::test {

class FakeBoardTree {
 public:
  /// `compatible`: entries separated by NUL; empty: no device tree.
  FakeBoardTree(std::string_view compatible, std::string_view model, std::string_view kernel, int memory_mib) {
    if (!compatible.empty()) {
      put("/proc/device-tree/compatible", std::string(compatible) + '\0');
      put("/proc/device-tree/model", std::string(model) + '\0');
    }
    put("/proc/sys/kernel/osrelease", std::string(kernel) + "\n");
    put("/proc/meminfo", "MemTotal:       " + std::to_string(memory_mib * 1024) + " kB\nMemFree:  1 kB\n");
  }

  FakeBoardTree& put(std::string_view path, std::string_view text) {
    const auto file = root() / std::filesystem::path(path).relative_path();
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return *this;
  }
  /// A video node in sysfs and /dev.
  FakeBoardTree& video(const std::string& node, std::string_view name, std::string_view driver = "", int index = 0) {
    const std::string folder = "/sys/class/video4linux/" + node;
    put(folder + "/name", std::string(name) + "\n");
    put(folder + "/index", std::to_string(index) + "\n");
    put("/dev/" + node, "");
    if (!driver.empty()) {
      const auto device = root() / std::filesystem::path(folder).relative_path() / "device";
      std::filesystem::create_directories(device);
      std::filesystem::create_symlink("/sys/bus/any/drivers/" + std::string(driver), device / "driver");
    }
    return *this;
  }
  FakeBoardTree& link(std::string_view path, std::string_view target) {
    const auto file = root() / std::filesystem::path(path).relative_path();
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::create_symlink(target, file);
    return *this;
  }
  FakeBoardTree& led(const std::string& path) {
    put(path + "/trigger", "none mmc0 [heartbeat] timer\n");
    put(path + "/brightness", "0\n");
    return put(path + "/max_brightness", "255\n");
  }
  /// The parts of every Raspberry Pi.
  FakeBoardTree& pi_parts(std::string_view temperature = "48312\n") {
    led("/sys/class/leds/ACT");
    put("/dev/watchdog0", "");
    put("/sys/class/thermal/thermal_zone0/temp", temperature);
    return put("/proc/device-tree/serial-number", std::string_view("10000000abcdef01\0", 17));
  }
  FakeBoardTree& remove(std::string_view path) {
    std::filesystem::remove_all(root() / std::filesystem::path(path).relative_path());
    return *this;
  }

  [[nodiscard]] std::string get(std::string_view path) const {
    std::stringstream text;
    text << std::ifstream(root() / std::filesystem::path(path).relative_path()).rdbuf();
    return text.str();
  }
  [[nodiscard]] const std::filesystem::path& root() const noexcept { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

}  // namespace sealcam::test
