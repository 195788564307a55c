// SPDX-License-Identifier: Apache-2.0
/// What a run leaves behind: report.json for programs, report.html for people.
#pragma once

#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "verdict.hpp"

namespace sealcam::incident {

/// One document. Whatever rests on inference is below "inferred".
[[nodiscard]] std::string report_json(const RunResult& run, const Options& options);

/// A page that needs nothing from outside: style and pictures (`gallery`, JPEG) are inside it.
[[nodiscard]] std::string report_html(const RunResult& run, const Options& options, const std::vector<Bytes>& gallery);

/// Both files below options.output, which is made when it is missing. Throws std::runtime_error.
void write_reports(const RunResult& run, const Options& options, const std::vector<Bytes>& gallery);

}  // namespace sealcam::incident
