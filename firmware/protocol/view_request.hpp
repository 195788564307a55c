// SPDX-License-Identifier: Apache-2.0
/// A hub's signed request with a new challenge. It requests pictures, or that the camera closes or opens the sensor.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/envelope.hpp"

namespace sealcam::protocol {

enum class RequestKind : std::uint8_t {
  live = 1,
  still = 2,
  privacy_on = 3,   ///< close the sensor; no picture
  privacy_off = 4,  ///< allow the sensor; no picture. Quotes a nonce of the camera
  nonce = 5,        ///< a report with a nonce for one privacy-off request
  record = 6,       ///< as live, but no person looks
  motion = 7,       ///< pictures around motion only
  past = 8,         ///< sealed frames that the camera kept while it had no broker
};

/// Starts a lease, or extends it.
[[nodiscard]] constexpr bool requests_pictures(RequestKind kind) noexcept {
  return kind == RequestKind::live || kind == RequestKind::still || kind == RequestKind::record ||
         kind == RequestKind::motion;
}
/// For logs: "live", "privacy-off". Empty for an unknown kind.
[[nodiscard]] std::string_view name(RequestKind kind) noexcept;

/// The newest frame that a hub received, for the camera's control of the bitrate.
struct ReceiverReport {
  Counter counter;                       ///< of the newest video frame of the request's epoch
  std::chrono::milliseconds arrival{0};  ///< of this frame, by the hub's clock; its zero is fixed within the epoch
  std::uint64_t received = 0;            ///< video frames of the epoch
  friend bool operator==(const ReceiverReport&, const ReceiverReport&) = default;
};

struct ViewRequest {
  RequestKind kind = RequestKind::live;
  Challenge challenge;
  Epoch epoch;
  RequestSeq seq;
  std::optional<Nonce> nonce{};              ///< exactly in a privacy-off request
  std::optional<Prekey> prekey{};            ///< the hub's newest one
  std::optional<ReceiverReport> receiver{};  ///< absent before the first frame
  bool cannot_open = false;                  ///< the hub has no key for its grant of this epoch
  std::vector<PastRange>
      past{};  ///< the hub's gaps, exactly in a request of the kind past: 1 to PastRange::max, ascending
};

/// Errors: invalid_argument (a nonce in another request than privacy-off, or none in it; the same for the gaps of a
/// request of the kind past; ranges not in order; nonce or number of the prekey 0; arrival negative), crypto.
[[nodiscard]] Result<Bytes> encode_view_request(const ViewRequest& request, const Route& route,
                                                const crypto::SigningKey& hub);
/// The content of a request, without verification and without the prekey. Errors: malformed.
[[nodiscard]] Result<ViewRequest> claimed_view_request(ByteView message);
/// Errors: as verify_message(), malformed (unknown kind, challenge zero, nonce or ranges in the wrong kind).
[[nodiscard]] Result<ViewRequest> decode_view_request(ByteView message, const Route& route,
                                                      const crypto::Verifier& hub);

}  // namespace sealcam::protocol
