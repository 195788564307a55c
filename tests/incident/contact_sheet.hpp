// SPDX-License-Identifier: Apache-2.0
/// The part of report.html with the pictures that each hub showed.
#pragma once

#include <string>

#include "verdict.hpp"

namespace sealcam::incident {

/// "the bedroom of account 23".
[[nodiscard]] std::string room_of_account(std::uint16_t camera);

/// The whole sheet: one row per hub, one tile per request, both arms side by side.
[[nodiscard]] std::string contact_sheet(const RunResult& run);

/// A few requests in large, for which the cache delivered a wrong picture in both arms. Empty if there is none.
[[nodiscard]] std::string large_examples(const RunResult& run);

}  // namespace sealcam::incident
