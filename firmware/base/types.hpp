// SPDX-License-Identifier: Apache-2.0
/// Types and limits that all modules share: numbers with one meaning each, identities, and the names of devices. The
/// compiler rejects a value of another meaning, although both are integers.
///
/// An identity is the first 20 bytes of the COSE Key Thumbprint (RFC 9679, SHA-256) of a P-256 public key. Its text has
/// 32 lower-case base32 letters. A text that parses as an id is an id and never a name, so that no device can take the
/// place of another one by its name.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sealcam {

template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() noexcept = default;
  constexpr explicit Strong(Rep value) noexcept : value_(value) {}
  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
  [[nodiscard]] constexpr Strong next() const noexcept { return Strong(static_cast<Rep>(value_ + 1)); }
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

 private:
  Rep value_{};
};

/// Number of a picture, counted by the sensor since the camera's start. A gap is a lost picture.
using FrameNumber = Strong<struct FrameNumberTag, std::uint32_t>;

using BitsPerSecond = Strong<struct BitsPerSecondTag, std::uint32_t>;

}  // namespace sealcam

namespace sealcam::limits {

/// Frame header and access unit of one sealed frame, in bytes.
inline constexpr std::size_t max_frame_plaintext = 1U << 20;
/// A message of any kind: a sealed frame of 1 MiB with its envelope.
inline constexpr std::size_t max_message_size = max_frame_plaintext + 512;
/// A control message: every message except sealed frames. Grants for 64 hubs fit, also with an `enc` of 1120 bytes
/// each.
inline constexpr std::size_t max_control_size = 128U << 10;
/// A view request. Its fields need less than 300 bytes.
inline constexpr std::size_t max_view_request_size = 512;

/// Bitrate without a configuration.
inline constexpr BitsPerSecond default_bitrate{2'000'000};
/// Bitrate below which a smaller picture looks better than a coarser one.
inline constexpr BitsPerSecond default_min_bitrate{150'000};

}  // namespace sealcam::limits

namespace sealcam {

template <class Tag>
class Id {
 public:
  static constexpr std::size_t size = 20;
  static constexpr std::size_t text_size = 32;

  constexpr Id() noexcept = default;
  constexpr explicit Id(std::span<const std::byte, size> bytes) noexcept {
    for (std::size_t i = 0; i < size; ++i) bytes_[i] = bytes[i];
  }
  /// Nothing else makes an identity from text. Errors: malformed.
  [[nodiscard]] static Result<Id> parse(std::string_view text) {
    Id id;
    if (auto r = from_base32(text, id.bytes_); !r) return std::unexpected(r.error());
    return id;
  }
  /// From exactly 20 bytes. Errors: malformed.
  [[nodiscard]] static Result<Id> from(ByteView bytes) noexcept {
    if (bytes.size() != size) return fail(Errc::malformed, "an identity has 20 bytes");
    return Id(bytes.first<size>());
  }
  [[nodiscard]] std::span<const std::byte, size> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::string to_string() const { return to_base32(bytes_); }
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::array<std::byte, size> bytes_{};
};

/// A device that signs messages: a camera, a hub or an owner's machine.
using DeviceId = Id<struct DeviceTag>;
/// One owner's cameras and hubs: the identity of the owner's key.
using AccountId = Id<struct AccountTag>;

/// The owner signs like a device. The id of that device has the bytes of the account's id.
[[nodiscard]] inline DeviceId owner_of(const AccountId& account) noexcept { return DeviceId(account.bytes()); }

/// The id that `text` stands for, in lower or upper case. Nothing if the text is not an id.
[[nodiscard]] std::optional<DeviceId> as_device_id(std::string_view text);

/// Whether an owner may give this name to a device: 1 to 64 bytes that printable() does not change, and not an id.
[[nodiscard]] bool is_device_name(std::string_view name);

/// The form of a name from outside in which programs show it, and by which they select the device: printable(), at most
/// 64 bytes, and in quotes if it parses as an id.
[[nodiscard]] std::string shown_device_name(std::string_view sent);

struct NamedDevice {
  DeviceId id;
  std::string_view name;
};

/// How many letters of an id select a device.
enum class IdLetters : std::uint8_t { all, beginning };

/// The one device that `text` selects: the device with this id, else the device with exactly this name or, with
/// `beginning`, with an id that begins with the text. Errors: not_found; conflict (several devices match; `place` lists
/// their ids).
[[nodiscard]] Result<DeviceId> select_device(std::string_view text, std::span<const NamedDevice> devices,
                                             IdLetters letters);

}  // namespace sealcam
