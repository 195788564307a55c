// SPDX-License-Identifier: Apache-2.0
/// The owner's commands to one camera, sealed to it (HPKE, RFC 9180), and the Wi-Fi settings that commands and the
/// enrollment contain. The topic holds only one message. Therefore each command carries all settings of the owner, and
/// a newer command may replace one that never arrived.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/picture_area.hpp"
#include "base/types.hpp"
#include "crypto/cbor.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

/// A WPA passphrase (IEEE 802.11-2020 J.4.1): 8 to 63 printable ASCII characters. Move-only, wiped, not printable.
class Passphrase {
 public:
  /// Errors: malformed. The caller wipes its own copy.
  [[nodiscard]] static Result<Passphrase> parse(std::string_view text);
  Passphrase(Passphrase&&) noexcept = default;
  Passphrase& operator=(Passphrase&&) noexcept = default;
  /// A second object with the same content. There is no implicit copy.
  [[nodiscard]] Passphrase duplicate() const noexcept;
  [[nodiscard]] std::string_view reveal() const noexcept { return as_text(characters_.reveal().first(size_)); }

 private:
  Passphrase() = default;
  Secret<63> characters_;
  std::size_t size_ = 0;
};

struct Wifi {
  Bytes ssid;  ///< 1 to 32 bytes of any value (IEEE 802.11-2020 9.4.2.2)
  Passphrase passphrase;

  [[nodiscard]] Wifi duplicate() const { return {ssid, passphrase.duplicate()}; }
};

/// Why a camera is not in its owner's network. Part of its grants.
enum class WifiFault : std::uint8_t {
  cannot = 1,      ///< this board cannot join networks; 'sealcam-camera --doctor' reports why
  not_found = 2,   ///< no such network in range
  rejected = 3,    ///< the network rejected the passphrase
  no_address = 4,  ///< the network gave no address
  no_broker = 5,   ///< the broker is not reachable over the network
  other = 6,
};

/// {1: ssid, 2: passphrase}. The caller wipes the buffer, because it holds a secret.
void write_wifi(crypto::CborWriter& writer, const Wifi& wifi);
/// Errors: malformed.
[[nodiscard]] Result<Wifi> read_wifi(crypto::CborReader& reader);

/// Settings of the pictures. The camera's configuration applies to absent values.
struct CameraSettings {
  static constexpr std::uint32_t max_motion = 100, usual_motion = 50;
  /// Thousandths. The owner's program rejects smaller zones; a camera accepts them.
  static constexpr std::uint32_t min_zone_width = 150, min_zone_height = 200;

  struct Size {
    std::uint32_t width = 0, height = 0;  ///< pixels, 1 to 65,535
    friend bool operator==(const Size&, const Size&) = default;
  };
  std::optional<BitsPerSecond> bitrate{};  ///< not 0
  std::optional<Size> size{};
  std::optional<std::uint32_t> frames_per_second{};  ///< 1 to 1,000
  /// Privacy masks: no picture that leaves the camera shows these areas. At most max_picture_areas. Absent or empty:
  /// none. Messages contain no empty list.
  std::optional<PictureAreas> masks{};
  /// Sensitivity of the motion detector: 0 switches it off, max_motion reports the smallest changes. Absent:
  /// usual_motion.
  std::optional<std::uint32_t> motion{};
  std::optional<PictureAreas> zones{};  ///< motion counts only here, as for `masks`; absent or empty: everywhere
  friend bool operator==(const CameraSettings&, const CameraSettings&) = default;
};

/// What the owner decided about updates.
enum class UpdateAction : std::uint8_t {
  automatic = 1,  ///< the camera installs updates at its time
  start = 2,      ///< installs the offer at once
  defer = 3,      ///< installs nothing before a time
  reject = 4,     ///< does not install one version
};

/// Replaces the earlier decision.
struct UpdateConsent {
  static constexpr std::size_t max_version = 24;  ///< bytes

  UpdateAction action = UpdateAction::automatic;
  std::string version{};  ///< to start or reject: 1 to max_version. Empty to start: what the camera was offered
  CaptureTime until{};    ///< of a deferral, by the owner's clock; 0 otherwise
  friend bool operator==(const UpdateConsent& a, const UpdateConsent& b) noexcept {
    return a.action == b.action && a.version == b.version && a.until.since_epoch == b.until.since_epoch;
  }
};

/// A value, and the number of the first command that carried it.
template <class T>
struct CommandItem {
  CommandSeq since;
  T value;
};
/// A reset has no value.
struct ResetOrder {};

/// Move-only, because it may hold a passphrase.
struct Command {
  static constexpr std::size_t max_name = 64;  ///< bytes of UTF-8

  CommandSeq seq;  ///< only grows, never 0
  std::optional<CommandItem<std::string>> name;
  std::optional<CommandItem<bool>> privacy;
  std::optional<CommandItem<CameraSettings>> settings;
  std::optional<CommandItem<Wifi>> wifi;
  std::optional<CommandItem<ResetOrder>> reset;
  /// A camera from before updates rejects a command with this item.
  std::optional<CommandItem<UpdateConsent>> update;
};

/// CBOR ["sealcam/1 command", account, camera, seq].
[[nodiscard]] Bytes command_info(const Route& route, CommandSeq seq);

/// Seals to the camera's HPKE key and signs. Errors: crypto, invalid_argument (a value or a `since` that cameras
/// reject).
[[nodiscard]] Result<Bytes> encode_command(const Command& command, const Route& route, const crypto::PublicKey& camera,
                                           const crypto::SigningKey& owner);
/// Verifies the signature and returns the number. Opens nothing. Errors: as verify_message().
[[nodiscard]] Result<CommandSeq> command_seq(ByteView message, const Route& route, const crypto::Verifier& owner);
/// Errors: as verify_message(), not_decryptable, malformed.
[[nodiscard]] Result<Command> decode_command(ByteView message, const Route& route, const crypto::Verifier& owner,
                                             const crypto::AgreementKey& camera);

}  // namespace sealcam::protocol
