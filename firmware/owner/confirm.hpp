// SPDX-License-Identifier: Apache-2.0
/// What follows from what was heard at the broker: changes are confirmed, and after a restore the account is learned
/// again. Reentrant.
#pragma once

#include <span>
#include <vector>

#include "owner/hearing.hpp"

namespace sealcam::owner {

/// After a restore, versions and numbers go on this far above the highest that was seen: a roster or command that was
/// made after the backup and that the broker did not show has a smaller one, so that no number gets two contents.
inline constexpr std::uint64_t restore_leap = 1U << 20;

/// No account counts so far. A camera that names a higher number lies, and one that was taken over, with the leap on
/// it, would be more than account.json and 64 bits hold.
inline constexpr std::uint64_t highest_number = std::uint64_t{1} << 53;

/// Notes what a camera confirmed by its signed grants: the roster by version and hash, the command by its number; and
/// why it is not in the network that it was told.
/// `ours`: hash of the newest signed roster, where there is one. True when something changed.
bool note_heard(CameraRecord& camera, const Heard& heard, const std::optional<crypto::Digest>& ours);

/// Takes over what the broker has of an account that was restored: cameras that the backup does not know, newer
/// rosters' members, highest versions. A hub that a newer roster does not name is denied, one that the backup does not
/// know gets a record without a name. A camera is learned once its own grants said which roster it follows; one that
/// names numbers above `highest_number` never is, and is let go with 'camera remove --forget'.
/// Returns the cameras that were learned now.
std::vector<DeviceId> learn(AccountFile& account, const Hearing& hearing);

}  // namespace sealcam::owner
