// SPDX-License-Identifier: Apache-2.0
#include "hal/board/board_data.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "build_paths.hpp"
#include "support/temporary_folder.hpp"
#include "unit/hal/mini_schema.hpp"

using namespace sealcam;
using namespace sealcam::hal::board;
using sealcam::test::MiniSchema;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

const fs::path boards = fs::path(SEALCAM_SOURCE_DIR) / "board";

MiniSchema schema() { return MiniSchema(Json::parse(std::ifstream(boards / "board.schema.json"))); }

/// A document with all keys. Each part is present in one model and absent in another.
Json example() {
  const Json part = Json::parse(R"({
    "name": "One", "compatible": ["a,one", "a,uno"],
    "kernels": [{"name": "K", "release": "+k", "tested": "6.1"}, {"name": "L", "release": "+l"}],
    "sensors": [
      {"name": "S", "backend": "v4l2", "node": "n", "encodes": true, "kernel": "K", "setup": "plug"},
      {"name": "T", "backend": "libcamera", "driver": "d", "encodes": false, "setup": "plug"}],
    "other_nodes": ["codec-"],
    "encoder": {"device": "/dev/e", "codec": "c", "kernel": "L", "min_side": 32, "max_side": 1920, "min_bitrate": 10,
                "max_bitrate": 20, "b_frames": false, "repeats_headers": true, "buffer_kib_above_720p": 5},
    "led": {"path": "/l"}, "button": {"chip": "/dev/gpiochip0", "line": 3, "active_low": true},
    "watchdog": {"device": "/dev/w", "module": "m"}, "temperature": {"path": "/t", "limit": 80},
    "serial": {"path": "/s"}, "picture": {"width": 640, "height": 480, "rate": 30}})");
  Json without = part;
  without["compatible"] = Json::array();
  for (const char* key : {"encoder", "led", "button", "watchdog", "temperature", "serial"})
    without[key] = {{"absent", "why"}};
  return {{"version", 1}, {"models", {part, without}}};
}

std::optional<std::string> problem(const Json& document) {
  const auto models = read_models(ConfigReader(document.dump()));
  if (models) return std::nullopt;
  return models.error();
}

/// Calls `visit` with the pointer of every value in the document.
void walk(const Json& value, const Json::json_pointer& at, const auto& visit) {
  visit(at, value);
  if (value.is_object())
    for (const auto& [key, child] : value.items()) walk(child, at / key, visit);
  if (value.is_array())
    for (std::size_t i = 0; i < value.size(); ++i) walk(value[i], at / i, visit);
}

struct Verdicts {
  int good = 0, bad = 0;
};

void compare(const MiniSchema& schema, const Json& document, const std::string& what, Verdicts& verdicts) {
  const bool accepted = schema.accepts(document);
  const auto error = problem(document);
  INFO(what << ": " << error.value_or("the reader takes it") << "; the schema " << (accepted ? "takes" : "rejects")
            << " it");
  CHECK(accepted == !error.has_value());
  ++(accepted ? verdicts.good : verdicts.bad);
}

}  // namespace

TEST_CASE("the data of each board is valid for the reader and the schema") {
  const auto rules = schema();
  int files = 0;
  for (const auto& entry : fs::directory_iterator(boards)) {
    const auto file = entry.path() / "board.json";
    if (!fs::exists(file)) continue;
    ++files;
    const auto models = read_models(ConfigReader::from_file(file, false));
    INFO(file << ": " << (models ? "" : models.error()));
    CHECK(models.has_value());
    CHECK(rules.accepts(Json::parse(std::ifstream(file))));
    CHECK(fs::exists(entry.path() / "README.md"));
  }
  CHECK(files >= 3);
  const auto catalog = read_catalog(boards);
  INFO((catalog ? "" : catalog.error()));
  CHECK(catalog.has_value());
}

TEST_CASE("the reader returns all values of the file") {
  const auto models = read_models(ConfigReader(example().dump()));
  REQUIRE(models);
  const Model& one = models->at(0);
  CHECK(one.compatible == std::vector<std::string>{"a,one", "a,uno"});
  CHECK(one.kernel_of("6.1.3+k-arm64")->tested == "6.1");
  CHECK(one.kernel_of("6.1.3") == nullptr);
  CHECK(one.sensors[0].node == "n");
  CHECK(one.sensors[1].driver == "d");
  CHECK(one.encoder->max_bitrate == BitsPerSecond(20));
  CHECK(one.encoder->repeats_headers);
  CHECK_FALSE(one.encoder->b_frames);
  CHECK(one.button->line == 3);
  CHECK(one.temperature->limit == 80);
  CHECK(one.picture == hal::Size{640, 480});
  CHECK(models->at(1).encoder.error().why == "why");
}

TEST_CASE("schema and reader have the same keys") {
  std::set<std::string> used;
  const auto group = [](const Json::json_pointer& at) -> std::string {  // of the object that has the key
    static const std::set<std::string> lists = {"kernel", "sensor"};
    const auto parent = at.parent_pointer();
    if (parent.empty()) return "";
    const std::string last = parent.back();
    if (last.find_first_not_of("0123456789") != std::string::npos) return last;
    const std::string list = parent.parent_pointer().back();
    return list.substr(0, list.size() - 1);  // models/0 -> model
  };
  walk(example(), Json::json_pointer(), [&](const Json::json_pointer& at, const Json&) {
    if (at.empty() || at.back().find_first_not_of("0123456789") == std::string::npos) return;
    used.insert((at.back() == "absent" ? "absent" : group(at)) + "." + at.back());
  });
  CHECK(used == schema().properties());
}

TEST_CASE("schema and reader agree about each change of one value") {
  const auto rules = schema();
  Verdicts verdicts;
  compare(rules, example(), "the example", verdicts);
  const Json strange[] = {nullptr,
                          true,
                          -1,
                          0,
                          1,
                          2,
                          29,
                          31,
                          33,
                          126,
                          1024,
                          5000,
                          65'537,
                          1'000'000'001,
                          0.5,
                          "",
                          "x",
                          "/x",
                          "v4l2",
                          Json::array(),
                          Json::object(),
                          Json::array({""}),
                          Json::array({"x"}),
                          {{"absent", "x"}}};
  // A schema cannot express the kernel of a sensor and the order of limits. The last test has a table for them.
  const auto beyond = [](const Json::json_pointer& at) {
    return !at.empty() &&
           (at.back() == "kernel" || at.back().starts_with("min_") || at.back().starts_with("max_") ||
            at.parent_pointer().to_string().ends_with("/kernels") || at.to_string().contains("/kernels/"));
  };
  walk(example(), Json::json_pointer(), [&](const Json::json_pointer& at, const Json& value) {
    if (at.empty()) return;
    for (const Json& other : strange) {
      if (beyond(at) && (other.is_string() || other.is_number_integer() || other.is_structured())) continue;
      Json changed = example();
      changed[at] = other;
      compare(rules, changed, at.to_string() + " = " + other.dump(), verdicts);
    }
    Json more = example();
    if (value.is_object()) {
      more[at]["surplus"] = 1;
      compare(rules, more, at.to_string() + "/surplus", verdicts);
      for (const auto& [key, unused] : value.items()) {
        Json less = example();
        less[at].erase(key);
        compare(rules, less, "without " + (at / key).to_string(), verdicts);
      }
    }
  });
  // Control: schema and reader accepted many documents and rejected many.
  CHECK(verdicts.good > 50);
  CHECK(verdicts.bad > 500);
}

TEST_CASE("limits are the same in schema and reader") {
  const auto rules = schema();
  const struct {
    const char* at;
    std::int64_t min, max;
  } limits[] = {{"/models/0/encoder/min_side", 1, 1920},
                {"/models/0/encoder/max_side", 32, 16'384},
                {"/models/0/encoder/max_bitrate", 10, 1'000'000'000},
                {"/models/0/encoder/buffer_kib_above_720p", 1, 65'536},
                {"/models/0/button/line", 0, 1023},
                {"/models/0/temperature/limit", 30, 125},
                {"/models/0/picture/width", 32, 4096},
                {"/models/0/picture/height", 32, 4096},
                {"/models/0/picture/rate", 1, 120}};
  for (const auto& limit : limits) {
    for (const auto value : {limit.min, limit.max, limit.max + 1}) {
      Json changed = example();
      changed[Json::json_pointer(limit.at)] = value;
      INFO(limit.at << " = " << value);
      const auto error = problem(changed);
      CHECK(error.has_value() == (value > limit.max));
      if (error) CHECK(error->contains(std::string(limit.at).substr(0, 17)));
      if (!std::string_view(limit.at).contains("min_")) CHECK(rules.accepts(changed) == !error.has_value());
    }
  }
}

TEST_CASE("errors have the JSON Pointer") {
  const struct {
    const char* at;
    Json value;
    const char* message;
  } bad[] = {{"/version", 2, "/version: must be 1"},
             {"/models", Json::array(), "/models: must be a list"},
             {"/models/0/surplus", 1, "/models/0/surplus: unknown setting"},
             {"/models/0/led/path", "l", "/models/0/led/path: must be an absolute path"},
             {"/models/0/led/absent", "why", "/models/0/led/path: unknown setting"},
             {"/models/0/temperature/limit", 500, "/models/0/temperature/limit: must be a whole number from 30 to 125"},
             {"/models/0/sensors/1/backend", "gstreamer", "/models/0/sensors/1/backend: must be one of"},
             {"/models/0/sensors/0/driver", "d", "/models/0/sensors/0: must have 'node' or 'driver', but not both"},
             // Rules that a schema cannot express:
             {"/models/0/sensors/0/kernel", "M", "/models/0/sensors/0/kernel: is not the name"},
             {"/models/0/encoder/kernel", "M", "/models/0/encoder/kernel: is not the name"},
             {"/models/0/encoder/min_side", 1921, "/models/0/encoder/min_side: must not be above"},
             {"/models/0/encoder/min_bitrate", 21, "/models/0/encoder/min_bitrate: must not be above"}};
  for (const auto& row : bad) {
    Json changed = example();
    changed[Json::json_pointer(row.at)] = row.value;
    const auto error = problem(changed);
    INFO(row.at << ": " << error.value_or("taken"));
    CHECK(error.value_or("").contains(row.message));
  }
}
