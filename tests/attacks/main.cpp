// SPDX-License-Identifier: Apache-2.0
// Runs each attack and prints the table: attack, reason of rejection, messages, pictures shown wrongly, control. Exit
// status 1: at least one attack deviates from its expected result.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "attacks/row.hpp"
#include "base/format.hpp"

namespace {

using namespace sealcam::attacks;

std::string cut(std::string text, std::size_t width) {
  if (text.size() > width) text = text.substr(0, width - 3) + "...";
  return text;
}

std::string line(const Row& row, const Outcome& outcome) {
  const std::string rejected = outcome.rejected.empty() || !row.note.empty() ? row.rejected_as + " *" : row.rejected_as;
  auto text = sealcam::format("{:<73} | {:<38} | {:>7} | {:>5} | {:>7}\n", cut(row.name, 73), cut(rejected, 38),
                              outcome.messages, outcome.wrong, outcome.control);
  for (const auto& deviation : outcome.deviations) text += "    DEVIATES: " + deviation + '\n';
  return text;
}

nlohmann::ordered_json to_json(const Row& row, const Outcome& o) {
  return {{"row", row.name},
          {"rejected_as", row.rejected_as},
          {"counted", o.rejected},
          {"attack_messages", o.messages},
          {"shown_wrongly", o.wrong},
          {"control_shown", o.control},
          {"control", row.control_is},
          {"note", row.note},
          {"memory_growth_bytes", o.grown},
          {"memory_peak_bytes", o.peak},
          {"milliseconds", o.took.count()},
          {"deviations", o.deviations}};
}

/// Does nothing without a file name.
bool write(const std::string& file, const std::string& content) {
  if (file.empty()) return true;
  std::ofstream out(file);
  out << content;
  if (out.flush()) return true;
  std::cerr << "cannot write " << file << '\n';
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs attacks on cameras and hubs, each with a control"};
  std::string json_file, text_file, only;
  app.add_option("--json", json_file, "Also write the table to this file, as JSON");
  app.add_option("--text", text_file, "Also write the table to this file, as text");
  app.add_option("--only", only, "Run only rows whose name contains this text");
  CLI11_PARSE(app, argc, argv);

  auto table = nlohmann::ordered_json::array();
  std::size_t deviating = 0;
  std::chrono::milliseconds took{0};
  std::ostringstream text;
  const auto print = [&](const std::string& part) {
    std::cout << part << std::flush;
    text << part;
  };
  print(sealcam::format("{:<73} | {:<38} | {:>7} | {:>5} | {:>7}\n", "row", "rejected as", "attacks", "wrong",
                        "control"));
  print(std::string(142, '-') + '\n');
  for (const auto& row : all_rows()) {
    if (row.name.find(only) == std::string::npos) continue;
    const auto outcome = run(row);
    print(line(row, outcome));
    table.push_back(to_json(row, outcome));
    took += outcome.took;
    if (!outcome.deviations.empty()) ++deviating;
  }
  print(sealcam::format(
      "{} rows, {} deviate, {:.1f} s. Each row ran with n and with 10 n messages, then with a restart of the hub, and "
      "with a restart of the camera.\n* counted under another reason, or not counted; see the notes in the JSON file, "
      "which "
      "also describes the controls.\n",
      table.size(), deviating, static_cast<double>(took.count()) / 1000));
  if (!write(json_file, table.dump(1) + '\n') || !write(text_file, text.str())) return 1;
  return deviating == 0 ? 0 : 1;
}
