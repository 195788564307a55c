// SPDX-License-Identifier: Apache-2.0
/// The part of report.html that people believe: what each hub showed.
#pragma once

#include <string>

#include "verdict.hpp"

namespace sealcam::incident {

/// "the bedroom of account 23".
[[nodiscard]] std::string room_of_account(std::uint16_t camera);

/// The whole sheet: a row for each hub, a tile for each request, both arms side by side.
[[nodiscard]] std::string contact_sheet(const RunResult& run);

/// A few requests in large, where the cache was wrong in both arms; empty when there is none.
[[nodiscard]] std::string large_examples(const RunResult& run);

}  // namespace sealcam::incident
