// SPDX-License-Identifier: Apache-2.0
/// The results of a run: report.json for programs, report.html for people.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "incidents.hpp"
#include "verdict.hpp"

namespace sealcam::incident {

/// One JSON document. All inferred values are in the member "inferred".
[[nodiscard]] std::string report_json(const RunResult& run, const Options& options, const Incident& incident);

/// A page without external files. It contains its style and the pictures of `gallery` (JPEG).
[[nodiscard]] std::string report_html(const RunResult& run, const Options& options, const Incident& incident,
                                      const std::vector<Bytes>& gallery);

/// Writes both files to options.output, and creates this folder if it is missing. Throws std::runtime_error.
void write_reports(const RunResult& run, const Options& options, const Incident& incident,
                   const std::vector<Bytes>& gallery);

}  // namespace sealcam::incident
