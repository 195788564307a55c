// SPDX-License-Identifier: Apache-2.0
// Runs every attack and prints the table: row, refused as, messages, shown wrongly, control. Exits with 1 when one
// deviates.
#include <CLI/CLI.hpp>
#include <format>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "attacks/row.hpp"

namespace {

using namespace sealcam::attacks;

std::string cut(std::string text, std::size_t width) {
  if (text.size() > width) text = text.substr(0, width - 3) + "...";
  return text;
}

std::string line(const Row& row, const Outcome& outcome) {
  const std::string refused = outcome.refused.empty() || !row.note.empty() ? row.refused_as + " *" : row.refused_as;
  auto text = std::format("{:<73} | {:<38} | {:>7} | {:>5} | {:>7}\n", cut(row.name, 73), cut(refused, 38),
                          outcome.messages, outcome.wrong, outcome.control);
  for (const auto& deviation : outcome.deviations) text += "    DEVIATES: " + deviation + '\n';
  return text;
}

nlohmann::ordered_json to_json(const Row& row, const Outcome& o) {
  return {{"row", row.name},
          {"refused_as", row.refused_as},
          {"counted", o.refused},
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

/// Nothing to do without a name.
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
  CLI::App app{"Attacks on cameras and hubs, each with its control"};
  std::string json_file, text_file, only;
  app.add_option("--json", json_file, "Write the table to this file, too");
  app.add_option("--text", text_file, "The same as text");
  app.add_option("--only", only, "Rows whose name contains this");
  CLI11_PARSE(app, argc, argv);

  auto table = nlohmann::ordered_json::array();
  std::size_t deviating = 0;
  std::chrono::milliseconds took{0};
  std::ostringstream text;
  const auto say = [&](const std::string& part) {
    std::cout << part << std::flush;
    text << part;
  };
  say(std::format("{:<73} | {:<38} | {:>7} | {:>5} | {:>7}\n", "row", "refused as", "attacks", "wrong", "control"));
  say(std::string(142, '-') + '\n');
  for (const auto& row : all_rows()) {
    if (row.name.find(only) == std::string::npos) continue;
    const auto outcome = run(row);
    say(line(row, outcome));
    table.push_back(to_json(row, outcome));
    took += outcome.took;
    if (!outcome.deviations.empty()) ++deviating;
  }
  say(std::format(
      "{} rows, {} deviate, {:.1f} s. Each row ran with n and with 10 n messages, then with the hub and with "
      "the camera restarted in the middle.\n* counted otherwise or not at all; the JSON says why, and what "
      "each control is.\n",
      table.size(), deviating, static_cast<double>(took.count()) / 1000));
  if (!write(json_file, table.dump(1) + '\n') || !write(text_file, text.str())) return 1;
  return deviating == 0 ? 0 : 1;
}
