// SPDX-License-Identifier: Apache-2.0
/// Is all well with the account? Each thing is looked at, and what is not well comes with the next step.
#pragma once

#include <string>
#include <vector>

#include "owner/account.hpp"

namespace sealcam::owner {

struct Finding {
  std::string what;       ///< a short name: "keys", "clock", …
  int exit_code = EX_OK;  ///< EX_OK: well
  std::string sentence;   ///< what was found
  std::string next_step;  ///< empty when it is well
};

/// Looks at everything; a thing that cannot be looked at because of another is left out. Listens at the broker for at
/// most `patience` and as long for cameras that did not confirm; publishes nothing.
[[nodiscard]] std::vector<Finding> examine(const AccountFiles& files, const Clock& clock,
                                           std::chrono::milliseconds patience);

/// The clock alone. `now` before this program was written, or a hundred years after, is not plausible.
[[nodiscard]] Finding examine_clock(CaptureTime now);
/// The backup alone.
[[nodiscard]] Finding examine_backup(const AccountFile& account);
/// The cameras alone, as the account knows them.
[[nodiscard]] Finding examine_cameras(const AccountFile& account);

}  // namespace sealcam::owner
