// SPDX-License-Identifier: Apache-2.0
/// The owner's commands to one camera, sealed to it (HPKE, RFC 9180). The topic holds only one message. Therefore each
/// command carries all settings of the owner, and a newer command may replace one that never arrived.
#pragma once

#include <optional>
#include <string>

#include "base/types.hpp"
#include "protocol/envelope.hpp"
#include "protocol/numbers.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::protocol {

/// Settings of the pictures. The camera's configuration applies to absent values.
struct CameraSettings {
  struct Size {
    std::uint32_t width = 0, height = 0;  ///< pixels, 1 to 65,535
    friend bool operator==(const Size&, const Size&) = default;
  };
  std::optional<BitsPerSecond> bitrate;  ///< not 0
  std::optional<Size> size;
  std::optional<std::uint32_t> frames_per_second;  ///< 1 to 1,000
  friend bool operator==(const CameraSettings&, const CameraSettings&) = default;
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
