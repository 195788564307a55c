// SPDX-License-Identifier: Apache-2.0
/// The software report: version of a camera and state of its updates, in the grants, sealed to all hubs of the roster.
/// It is an entry with the camera's own id in the list of grants. Receivers from before the software report ignore it,
/// as they ignore the grants of other hubs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "protocol/roster.hpp"

namespace sealcam::protocol {

/// What the updater does.
enum class UpdateState : std::uint8_t {
  idle = 1,
  offered = 2,   ///< the camera will install the offer at its time
  deferred = 3,  ///< by the owner
  rejected = 4,  ///< by the owner
  downloading = 5,
  restart = 6,  ///< the offer is installed, and the camera is about to restart
  testing = 7,  ///< the new version runs, and the camera has not kept it yet
  other = 8,    ///< of a newer camera, or the camera cannot read the state of its updater
};

enum class UpdateResult : std::uint8_t {
  installed = 1,
  rolled_back = 2,  ///< the new version failed its check, and the camera returned to the earlier one
  rejected = 3,     ///< the camera may not install it
  failed = 4,       ///< download or installation failed
  other = 5,        ///< of a newer camera
};

/// The words of the updater's status file and of JSON. Empty for `other`.
[[nodiscard]] std::string_view name(UpdateState state) noexcept;
[[nodiscard]] std::string_view name(UpdateResult result) noexcept;
/// `other` for an unknown word.
[[nodiscard]] UpdateState update_state_of(std::string_view name) noexcept;
[[nodiscard]] UpdateResult update_result_of(std::string_view name) noexcept;

struct UpdateStatus {
  static constexpr std::size_t max_version = UpdateConsent::max_version;
  static constexpr std::size_t max_reason = 80;  ///< bytes of UTF-8

  struct Last {
    std::string version;  ///< empty if it is unknown
    UpdateResult result = UpdateResult::other;
    std::string reason;  ///< may be empty
    CaptureTime at;      ///< by the camera's clock
    friend bool operator==(const Last& a, const Last& b) noexcept {
      return a.version == b.version && a.result == b.result && a.reason == b.reason &&
             a.at.since_epoch == b.at.since_epoch;
    }
  };
  std::string version;  ///< of the whole system; empty if it is unknown
  UpdateState state = UpdateState::other;
  std::string offer;  ///< version; empty without an offer
  std::optional<Last> last{};
  friend bool operator==(const UpdateStatus&, const UpdateStatus&) = default;
};

struct SoftwareReport {
  std::string version;                   ///< of the camera program; at most UpdateStatus::max_version
  std::optional<UpdateStatus> update{};  ///< nothing: the camera has no updater
  friend bool operator==(const SoftwareReport&, const SoftwareReport&) = default;
};

/// For people, in one line: "update 0.2.0 is offered; 0.1.9 failed on 2026-12-01: no space". Printable.
[[nodiscard]] std::string to_text(const UpdateStatus& update);

/// Seals with the base key of the epoch. All results have one size, so that the size shows nothing to the broker.
/// Errors: crypto, invalid_argument (a text is too long or not UTF-8).
[[nodiscard]] Result<Bytes> seal_software_report(const SoftwareReport& report, const Route& route, Epoch epoch,
                                                 crypto::sframe::CipherSuite suite,
                                                 const crypto::sframe::BaseKey& base_key);
/// `content`: of a grant of the same message. A receiver ignores a report with an error: the grants are valid without
/// it. Errors: not_found (the grants have no software report), not_decryptable, malformed.
[[nodiscard]] Result<SoftwareReport> open_software_report(const Grants& grants, const Route& route,
                                                          const GrantContent& content);

}  // namespace sealcam::protocol
