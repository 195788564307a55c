// SPDX-License-Identifier: Apache-2.0
/// What is known of a board: the content of board/<name>/board.json. board/board.schema.json says the same for
/// editors; a test keeps the two together.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/strong.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::board {

/// A part that this board does not have, and why, in words for its owner.
struct Absent {
  std::string why;
};
template <class T>
using Part = std::expected<T, Absent>;

/// One of the kernels that run on the board with different drivers.
struct Kernel {
  std::string name;
  std::string release;                ///< part of `uname -r` that tells it from the others
  std::optional<std::string> tested;  ///< beginning of the release that was tested with this model
};

struct Sensor {
  std::string name;                   ///< for people
  std::string backend;                ///< v4l2, libcamera
  std::string node;                   ///< how its video node's name begins; empty: found by its driver
  std::string driver;                 ///< of its video node; empty: found by its name
  bool encodes = false;               ///< delivers H.264 itself
  std::optional<std::string> kernel;  ///< the one that has its driver; none: all have
  std::string setup;                  ///< what to do when it is missing
};

struct Encoder {
  std::filesystem::path device;
  std::string codec;                  ///< FFmpeg's name
  std::optional<std::string> kernel;  ///< the one that has its driver; none: all have
  int min_side = 0, max_side = 0;     ///< pixels, both axes
  BitsPerSecond min_bitrate, max_bitrate;
  bool b_frames = false;
  bool repeats_headers = false;   ///< SPS and PPS before each key frame without being asked
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
  std::vector<std::string> compatible;  ///< empty: for boards that nothing else matches
  std::vector<Kernel> kernels;
  std::vector<Sensor> sensors;           ///< those of the model for unknown boards can be had on every board
  std::vector<std::string> other_nodes;  ///< how the names of video nodes begin that are no sensors
  Part<Encoder> encoder;
  Part<Led> led;
  Part<Button> button;
  Part<Watchdog> watchdog;
  Part<Temperature> temperature;
  Part<Serial> serial;
  Size picture;  ///< what the board does without strain
  int rate = 0;  ///< pictures per second

  /// The kernel whose mark stands in the release; null when it is none of those known.
  [[nodiscard]] const Kernel* kernel_of(std::string_view release) const noexcept;
};

/// Reads one document whole. The error is a sentence that names the place by JSON Pointer: unknown keys, missing
/// ones, ranges, another version.
[[nodiscard]] std::expected<std::vector<Model>, std::string> read_models(ConfigReader reader);

}  // namespace sealcam::hal::board
