// SPDX-License-Identifier: Apache-2.0
/// The base keys of a camera's epochs, the frames that the camera seals with them, and the newest HPKE keys of the
/// hubs, to which the camera seals its grants.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "crypto/sframe.hpp"
#include "device/stores.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "protocol/software_report.hpp"
#include "protocol/view_request.hpp"
#include "stream/capture/access_unit_queue.hpp"

namespace sealcam::stream {

/// A hub sends its newest prekey with each view request. The next epoch is sealed to it. A hub that cannot open the
/// current epoch gets a new one at once, but a hostile hub must not end epochs faster than other hubs can follow: see
/// the limits. Thread-bound.
class Prekeys {
 public:
  static constexpr std::chrono::seconds hub_interval{10};   ///< between two epochs because of one hub
  static constexpr std::chrono::seconds total_interval{2};  ///< between two epochs because of any hub
  /// Between two new prekeys of one hub, because each is written to flash. A hub that cannot open does not wait.
  static constexpr std::chrono::seconds prekey_interval{60};

  Prekeys(device::HubKeyStore& store, const Clock& clock, Log& log);

  /// Loads the stored prekeys. A damaged file is no reason to stop: the hubs send their keys again, and until then
  /// number 0 is used. Logs it.
  void load();
  /// Deletes the keys of hubs that are not on the roster.
  void set_roster(const protocol::Roster& roster);
  /// Takes the prekey of a verified request. Returns true if a new epoch must begin now, because the hub cannot open
  /// the current one.
  [[nodiscard]] bool take(const DeviceId& hub, const protocol::ViewRequest& request);
  /// Stores what could not be stored, after a pause.
  void tick();

  /// The newest prekey of a hub; none: the key in the roster.
  [[nodiscard]] std::optional<protocol::Prekey> of(const DeviceId& hub) const;

 private:
  struct Hub {
    std::optional<protocol::Prekey> prekey;
    std::optional<MonotonicTime> taken;    ///< when the prekey arrived
    std::optional<MonotonicTime> renewed;  ///< the last epoch because of this hub
  };
  [[nodiscard]] bool may_renew(Hub& hub);
  void store();

  device::HubKeyStore& store_;
  const Clock& clock_;
  Log& log_;
  device::StoreRetry retry_;
  std::map<DeviceId, Hub> hubs_;
  std::optional<MonotonicTime> renewed_;
  bool stored_ = true;
};

using protocol::CommandSeq;
using protocol::Counter;
using protocol::Epoch;

struct EpochLimits {
  std::chrono::nanoseconds lifetime = std::chrono::hours(24);
  Counter frames{(std::uint64_t{1} << 32) - 1};
};

/// The current epoch. There is at most one. It is pending from begin() to open(), then open until the next begin() or
/// close(). The base key exists only inside begin(). Afterwards there are a sealing key that cannot be read, and a
/// grants message that only the hubs can open. Thread-bound.
class Epochs {
 public:
  Epochs(device::EpochStore& store, const Clock& clock, const protocol::Route& route, const crypto::SigningKey& camera,
         std::string camera_name, const EpochLimits& limits = {});

  // Content of the grants of later epochs.
  void set_name(std::string name) { camera_name_ = std::move(name); }
  /// The newest applied command.
  void set_command(std::optional<CommandSeq> command) noexcept { command_ = command; }
  /// The reason why the camera did not join the owner's network.
  void set_wifi(std::optional<protocol::WifiFault> fault) noexcept { wifi_ = fault; }
  /// Version and updates. Its texts have at most the sizes of the protocol. Without a report, the grants have none.
  void set_software(protocol::SoftwareReport report) { software_ = std::move(report); }
  /// The camera could not store the roster, the command or the privacy that it follows.
  void set_not_stored(bool not_stored) noexcept { not_stored_ = not_stored; }
  [[nodiscard]] bool not_stored() const noexcept { return not_stored_; }

  /// Ends the current epoch, also if no new one can begin. Then takes a number that is durably reserved, draws a new
  /// key and grants it to the active hubs of the roster. The new epoch is pending. Errors: those of
  /// EpochSequence::next(), crypto.
  /// `prekeys`: see protocol::GrantsInput.
  [[nodiscard]] Result<> begin(const protocol::Roster& roster, const crypto::Digest& roster_hash,
                               std::function<std::optional<protocol::Prekey>(const DeviceId&)> prekeys = {});
  /// Call this when the broker confirmed the grants of `epoch`. Does nothing if `epoch` is not the pending one.
  void open(Epoch epoch) noexcept;
  void close() noexcept;

  /// The pending or open epoch.
  [[nodiscard]] std::optional<Epoch> current() const noexcept { return current_; }
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  /// The grants message of the current epoch.
  [[nodiscard]] ByteView grants() const noexcept { return grants_; }
  /// Null unless the epoch is open.
  [[nodiscard]] crypto::sframe::SealingKey* key() noexcept { return open_ ? &*key_ : nullptr; }
  /// Null without an epoch. For frames that stay in the camera, together with the grants.
  [[nodiscard]] crypto::sframe::SealingKey* key_of_any() noexcept { return current_ ? &*key_ : nullptr; }
  /// Epochs that can begin although nothing can be stored. 0 before the first epoch.
  [[nodiscard]] std::uint32_t numbers_left() const noexcept { return numbers_.left(); }
  /// True if the current epoch reached its lifetime or its number of frames.
  [[nodiscard]] bool due() const noexcept;

 private:
  [[nodiscard]] Result<Epoch> next_epoch();

  device::EpochSequence numbers_;
  const Clock& clock_;
  protocol::Route route_;
  crypto::SigningKey camera_;
  std::string camera_name_;
  std::optional<CommandSeq> command_;
  std::optional<protocol::WifiFault> wifi_;
  std::optional<protocol::SoftwareReport> software_;
  EpochLimits limits_;
  std::optional<Epoch> current_;
  std::optional<crypto::sframe::SealingKey> key_;
  Bytes grants_;
  MonotonicTime begun_;
  bool not_stored_ = false;
  bool open_ = false;
};

/// Builds sealed frames: writes the header, seals, signs. Uses one buffer, which grows to the size of the largest
/// message. Thread-bound.
class FrameBuilder {
 public:
  FrameBuilder(const protocol::Route& route, const crypto::SigningKey& camera, const Clock& clock)
      : sealer_(route, camera), clock_(clock) {}

  /// False for a delta without the frame that it depends on: no key frame was sealed in this epoch, or skip() followed.
  [[nodiscard]] bool decodable(const crypto::sframe::SealingKey& key, bool keyframe) const noexcept {
    return keyframe || (video_ && epoch_ == key.key_id());
  }
  /// A picture of the video stream was not sealed. Deltas are not decodable until the next key frame.
  void skip() noexcept { video_.reset(); }
  /// `unit` is decodable. The message is valid until the next call. Errors: exhausted (the epoch must end), crypto.
  [[nodiscard]] Result<ByteView> picture(crypto::sframe::SealingKey& key, protocol::FrameKind kind,
                                         const AccessUnitQueue::Unit& unit);
  /// Answers `challenge` with a report. Errors: those of picture().
  [[nodiscard]] Result<ByteView> report(crypto::sframe::SealingKey& key, const protocol::Report& report,
                                        protocol::Challenge challenge);

 private:
  [[nodiscard]] Result<ByteView> seal(crypto::sframe::SealingKey& key, protocol::FrameKind kind, ByteView plaintext);
  protocol::FrameSealer sealer_;
  const Clock& clock_;
  Bytes buffer_;
  Epoch epoch_;
  std::optional<Counter> video_;  ///< newest sealed key frame or delta of epoch_
};

}  // namespace sealcam::stream
