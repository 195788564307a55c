// SPDX-License-Identifier: Apache-2.0
/// Data of the pictures that an encoder holds back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sealcam::hal {

/// Keeps one value per picture, from the call that passes the picture to an encoder until the encoder returns its
/// access unit. Keys grow by small steps, so that the key modulo the capacity is a free place. A picture that the
/// encoder dropped is overwritten after one round. Never allocates. Thread-bound.
template <class T>
class PictureRing {
 public:
  /// No encoder holds back more pictures. FFmpeg's V4L2 wrapper has 16 buffers on each side.
  static constexpr std::size_t capacity = 64;

  void put(std::uint64_t key, const T& value) noexcept { places_[key % capacity] = {key, value, true}; }
  /// Removes the value of `key`. Returns nothing if the ring does not have it.
  [[nodiscard]] std::optional<T> take(std::uint64_t key) noexcept {
    Place& place = places_[key % capacity];
    if (!place.used || place.key != key) return std::nullopt;
    place.used = false;
    return place.value;
  }
  void clear() noexcept {
    for (Place& place : places_) place.used = false;
  }

 private:
  struct Place {
    std::uint64_t key = 0;
    T value{};
    bool used = false;
  };
  std::array<Place, capacity> places_{};
};

}  // namespace sealcam::hal
