// SPDX-License-Identifier: Apache-2.0
/// What the making, opening and resetting of a state folder share. Internal to pairing/.
#pragma once

#include "pairing/device_state.hpp"

namespace sealcam::pairing {

/// A name that is there in any form, a dangling link included.
[[nodiscard]] bool is_present(const std::filesystem::path& path);

/// Files that may lie in a folder before a device's state is made there, and that a reset leaves: the lock,
/// configuration, logs, and hidden files.
[[nodiscard]] bool is_foreign_file(const std::filesystem::path& name);

/// Whether a device's state, or what is left of one, lies there: nothing else is ever emptied or taken.
[[nodiscard]] bool is_state(const StateFiles& files);

/// Makes what was removed from the folder, or renamed in it, durable. Errors: io.
[[nodiscard]] Result<> sync_entries(const std::filesystem::path& folder);

/// Goes on with a reset whose mark is there, and takes the mark away last. The caller holds the lock.
/// Errors: permission, io; the mark is then still there.
[[nodiscard]] Result<> finish_reset(const StateFiles& files);

}  // namespace sealcam::pairing
