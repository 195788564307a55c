// SPDX-License-Identifier: Apache-2.0
/// The content of board/<name>/board.json, and the choice of the model that this program runs on, by /proc, /sys and
/// /dev. board/board.schema.json has the same rules for editors; a test compares both.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/types.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::board {

/// A part that the board does not have. The reason is for the user.
struct Absent {
  std::string why;
};
template <class T>
using Part = std::expected<T, Absent>;

/// A kernel for the board. Kernels differ in their drivers.
struct Kernel {
  std::string name;
  std::string release;                ///< part of `uname -r` that identifies this kernel
  std::optional<std::string> tested;  ///< start of the release that was tested with this model
};

struct Sensor {
  std::string name;                   ///< for users
  std::string backend;                ///< a back-end that is hardware
  std::string node;                   ///< start of the name of its video node; empty: `driver` identifies it
  std::string driver;                 ///< of its video node; empty: `node` identifies it
  bool encodes = false;               ///< delivers H.264 itself
  std::optional<std::string> kernel;  ///< the only kernel with its driver; none: all kernels have it
  std::string setup;                  ///< the next step for the user if it is missing
};

struct Encoder {
  std::filesystem::path device;
  std::string codec;                  ///< FFmpeg's name
  std::optional<std::string> kernel;  ///< the only kernel with its driver; none: all kernels have it
  int min_side = 0, max_side = 0;     ///< pixels, both axes
  BitsPerSecond min_bitrate, max_bitrate;
  bool b_frames = false;
  bool repeats_headers = false;   ///< writes SPS and PPS before each key frame
  int buffer_kib_above_720p = 0;  ///< largest access unit
};

struct Led {
  std::filesystem::path path;
};
struct Button {
  std::filesystem::path chip;
  int line = 0;
  bool active_low = false;
};
struct Watchdog {
  std::filesystem::path device;
  std::string module;
};
struct Temperature {
  std::filesystem::path path;  ///< thousandths of a degree
  int limit = 0;               ///< degrees Celsius
};
struct Serial {
  std::filesystem::path path;
};

/// One model of board. Paths are absolute, as on the running board.
struct Model {
  std::string name;
  std::vector<std::string> compatible;  ///< empty: for unknown boards
  std::vector<Kernel> kernels;
  std::vector<Sensor> sensors;           ///< every board can also have the sensors of the model for unknown boards
  std::vector<std::string> other_nodes;  ///< start of the names of video nodes that are not sensors
  Part<Encoder> encoder;
  Part<Led> led;
  Part<Button> button;
  Part<Watchdog> watchdog;
  Part<Temperature> temperature;
  Part<Serial> serial;
  Size picture;  ///< maximum that the board encodes in real time
  int rate = 0;  ///< pictures per second

  /// Returns the kernel that the release names, or null.
  [[nodiscard]] const Kernel* kernel_of(std::string_view release) const noexcept;
};

/// Reads one document. The error is a sentence with the JSON Pointer: an unknown or missing key, a value out of range,
/// or another version.
[[nodiscard]] std::expected<std::vector<Model>, std::string> read_models(ConfigReader reader);

/// Never writes. Paths are absolute, as on the board. Thread-safe.
class SystemView {
 public:
  /// access(2) with R_OK or W_OK. Tests replace it, because they often run as root.
  using Permitted = std::function<bool(const std::filesystem::path& real, int mode)>;

  explicit SystemView(std::filesystem::path root = "/", Permitted permitted = {});

  /// The path on this machine.
  [[nodiscard]] std::filesystem::path real(const std::filesystem::path& path) const {
    return root_ / path.relative_path();
  }
  [[nodiscard]] bool exists(const std::filesystem::path& path) const;
  [[nodiscard]] bool permitted(const std::filesystem::path& path, int mode) const {
    return permitted_(real(path), mode);
  }
  /// Reads the first 4 KiB, without white space and NUL at the end. Returns nothing if that fails.
  [[nodiscard]] std::optional<std::string> read(const std::filesystem::path& path) const;
  /// Returns the names in a folder, sorted. Empty if the folder does not exist.
  [[nodiscard]] std::vector<std::string> list(const std::filesystem::path& folder) const;
  /// Returns the last part of a link's target. Empty if `link` is not a link.
  [[nodiscard]] std::string link_name(const std::filesystem::path& link) const;

 private:
  std::filesystem::path root_;
  Permitted permitted_;
};

/// Reads <folder>/*/board.json. The error is a sentence with file and place: unreadable data, no data, two models for
/// one 'compatible', or not exactly one model for unknown boards.
[[nodiscard]] std::expected<std::vector<Model>, std::string> read_catalog(const std::filesystem::path& folder);

/// Returns the folder of the data: $SEALCAM_BOARDS (absolute), the source tree of a build folder, or the installed
/// folder. The error lists the folders that were searched.
[[nodiscard]] std::expected<std::filesystem::path, std::string> find_catalog();

/// How the board identifies itself.
struct Identity {
  std::vector<std::string> compatible;  ///< of the device tree's root, the most specific first; empty: no device tree
  std::string model;                    ///< for users; may be empty
  std::string kernel;                   ///< release
};
[[nodiscard]] Identity identify(const SystemView& system);

/// Returns the model for unknown boards. `catalog` is a result of read_catalog().
[[nodiscard]] const Model& fallback(const std::vector<Model>& catalog);

/// Returns the model that matches the most specific name, otherwise the model for unknown boards.
[[nodiscard]] const Model& choose(const std::vector<Model>& catalog, const Identity& identity);

/// Returns the model of this board. The error is the reason why the catalog cannot be read.
[[nodiscard]] std::expected<Model, std::string> this_model(const SystemView& system);

/// Returns the board's serial number, or an empty text if the board has none. Returns nothing if the data of the boards
/// cannot be read. Both cases are logged.
[[nodiscard]] std::optional<std::string> serial_number(const SystemView& system, Log& log);

}  // namespace sealcam::hal::board
