// SPDX-License-Identifier: Apache-2.0
#include "update/state.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/format.hpp"

namespace sealcam::update {

using OrderedJson = nlohmann::ordered_json;

namespace {

constexpr int format = 1;
constexpr std::size_t max_state = 4096;
constexpr std::int64_t max_number = std::int64_t{1} << 53;  ///< of a JSON number that each program reads exactly
constexpr std::array outcomes{"installed", "rolled_back", "rejected", "failed"};
constexpr std::array phases{"idle", "offered", "deferred", "rejected", "downloading", "restart", "trial"};
constexpr std::array actions{"automatic", "start", "defer", "reject"};

/// Reads members of an object. Keeps that one of them was wrong. Ignores other members.
class Reader {
 public:
  explicit Reader(const OrderedJson& object, bool* wrong) : object_(object), wrong_(wrong) {
    if (!object.is_object()) *wrong_ = true;
  }
  [[nodiscard]] bool has(const char* key) const { return object_.is_object() && object_.contains(key); }
  [[nodiscard]] Reader below(const char* key) const { return Reader(has(key) ? object_.at(key) : none(), wrong_); }
  [[nodiscard]] std::string text(const char* key) const {
    if (!has(key)) return {};
    const auto& value = object_.at(key);
    if (!value.is_string()) return reject<std::string>();
    auto read = value.get<std::string>();
    return printable(read, max_shown) == read ? read : reject<std::string>();
  }
  [[nodiscard]] bool boolean(const char* key) const {
    if (!has(key)) return false;
    const auto& value = object_.at(key);
    return value.is_boolean() ? value.get<bool>() : reject<bool>();
  }
  [[nodiscard]] std::int64_t number(const char* key) const {
    if (!has(key)) return 0;
    const auto& value = object_.at(key);
    if (!value.is_number_integer()) return reject<std::int64_t>();
    // A number above the range of 64 bits with a sign is unsigned in the library.
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max_number))
      return reject<std::int64_t>();
    const auto read = value.get<std::int64_t>();
    return read >= 0 && read <= max_number ? read : reject<std::int64_t>();
  }
  [[nodiscard]] Version version(const char* key) const {
    const auto read = parse_version(text(key));
    return read ? *read : reject<Version>();
  }
  template <class Enum, std::size_t N>
  [[nodiscard]] Enum word(const char* key, const std::array<const char*, N>& names) const {
    const auto found = std::ranges::find(names, text(key));
    return found == names.end() ? reject<Enum>() : static_cast<Enum>(found - names.begin());
  }
  [[nodiscard]] Works works(const char* key) const {
    const auto at = below(key);
    return {.sensor = at.boolean("sensor"), .epoch = at.boolean("epoch"), .broker = at.boolean("broker")};
  }
  template <class T>
  T reject() const {
    *wrong_ = true;
    return T{};
  }

 private:
  static const OrderedJson& none() {
    static const OrderedJson value;
    return value;
  }
  const OrderedJson& object_;
  bool* wrong_;
};

OrderedJson json_of(const Works& works) {
  return {{"sensor", works.sensor}, {"epoch", works.epoch}, {"broker", works.broker}};
}

OrderedJson json_of(const Last& last) {
  OrderedJson json = OrderedJson::object();
  if (last.version) json["version"] = to_string(*last.version);
  json["result"] = name(last.outcome);
  json["reason"] = last.reason;
  json["at"] = last.at;
  return json;
}

Trial trial_of(const Reader& at) {
  Trial trial{.version = at.version("version"),
              .minimum = at.version("minimum"),
              .slot = at.text("slot"),
              .starts = static_cast<unsigned>(std::min<std::int64_t>(at.number("starts"), 1000)),
              .spent = std::chrono::seconds(at.number("seconds")),
              .seen = at.boolean("seen"),
              .required = at.works("required"),
              .verdict = at.text("verdict"),
              .transient = at.boolean("transient")};
  if (trial.slot.empty()) at.reject<bool>();
  return trial;
}

std::vector<Failed> failed_of(const OrderedJson& all, bool* wrong) {
  std::vector<Failed> failed;
  if (!all.is_object() || !all.contains("failed")) return failed;
  const auto& list = all.at("failed");
  if (!list.is_array() || list.size() > max_failed) {
    *wrong = true;
    return failed;
  }
  for (const auto& entry : list) {
    const Reader at(entry, wrong);
    failed.push_back({.version = at.version("version"),
                      .tries = static_cast<unsigned>(std::min<std::int64_t>(at.number("tries"), 1000)),
                      .final = at.boolean("final")});
  }
  return failed;
}

std::string line_of(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

std::string_view name(Outcome outcome) noexcept { return outcomes[static_cast<std::size_t>(outcome)]; }

std::optional<Failed> State::failure_of(const Version& version) const {
  const auto found = std::ranges::find(failed, version, &Failed::version);
  return found == failed.end() ? std::nullopt : std::optional(*found);
}

void State::complete_trial() {
  minimum = std::max(minimum, trial->minimum);
  worked = trial->required;
  waiting.reset();
  std::erase_if(failed, [&](const Failed& f) { return f.version <= trial->version; });
  trial.reset();
}

void State::roll_back() {
  auto entry = failure_of(trial->version).value_or(Failed{.version = trial->version});
  ++entry.tries;
  entry.final = !trial->transient || entry.tries >= max_tries;
  std::erase_if(failed, [&](const Failed& f) { return f.version == entry.version; });
  if (failed.size() == max_failed) failed.erase(failed.begin());
  failed.push_back(entry);
  waiting = {entry.version, std::chrono::seconds(0)};
  trial.reset();
}

std::string to_json(const State& state) {
  OrderedJson json{{"format", format},
                   {"minimum", to_string(state.minimum)},
                   {"worked", json_of(state.worked)},
                   {"started", state.started}};
  if (state.waiting)
    json["waiting"] = {{"version", to_string(state.waiting->version)}, {"seconds", state.waiting->running.count()}};
  if (const auto& trial = state.trial)
    json["trial"] = {{"version", to_string(trial->version)},
                     {"minimum", to_string(trial->minimum)},
                     {"slot", trial->slot},
                     {"starts", trial->starts},
                     {"seconds", trial->spent.count()},
                     {"seen", trial->seen},
                     {"required", json_of(trial->required)},
                     {"verdict", trial->verdict},
                     {"transient", trial->transient}};
  for (const auto& failed : state.failed)
    json["failed"].push_back(
        {{"version", to_string(failed.version)}, {"tries", failed.tries}, {"final", failed.final}});
  if (state.last) json["last"] = json_of(*state.last);
  return line_of(json);
}

Result<State> parse_state(std::string_view text) {
  if (json_error(text)) return fail(Errc::malformed, "the state of the updater is not JSON");
  const auto json = OrderedJson::parse(text);
  bool wrong = false;
  const Reader all(json, &wrong);
  if (all.number("format") != format) return fail(Errc::unsupported, "the state of the updater has an unknown format");
  State state;
  state.minimum = all.version("minimum");
  if (all.has("worked")) state.worked = all.works("worked");
  state.started = static_cast<std::uint64_t>(all.number("started"));
  if (all.has("waiting")) {
    const auto at = all.below("waiting");
    state.waiting = {at.version("version"), std::chrono::seconds(at.number("seconds"))};
  }
  if (all.has("trial")) state.trial = trial_of(all.below("trial"));
  state.failed = failed_of(json, &wrong);
  if (all.has("last")) {
    const auto at = all.below("last");
    state.last = Last{.version = at.has("version") ? std::optional(at.version("version")) : std::nullopt,
                      .outcome = at.word<Outcome>("result", outcomes),
                      .reason = at.text("reason"),
                      .at = at.number("at")};
  }
  if (wrong) return fail(Errc::malformed, "the state of the updater is damaged");
  return state;
}

StateFile::StateFile(std::filesystem::path path) : file_(std::move(path), max_state) {}

Result<std::optional<State>> StateFile::do_load() const {
  const auto content = read_file(file_.path(), max_state);
  if (!content) {
    if (content.error().code == Errc::not_found) return std::nullopt;
    return std::unexpected(content.error());
  }
  auto state = parse_state(as_text(*content));
  if (!state) return std::unexpected(located(state.error(), file_.path().native()));
  return std::move(*state);
}

Result<> StateFile::do_store(const State& state) { return file_.store(as_bytes(to_json(state))); }

std::string to_json(const Status& status) {
  OrderedJson json{{"version", to_string(status.version)},
                   {"slot", status.slot},
                   {"state", phases[static_cast<std::size_t>(status.phase)]}};
  if (status.offer) {
    json["offer"] = to_string(status.offer->version);
    json["share"] = status.offer->share.value() / 100.0;
  }
  if (status.last) json["last"] = json_of(*status.last);
  if (status.poll) json["poll"] = {{"at", status.poll->at}, {"error", status.poll->error}};
  return line_of(json);
}

Result<Consent> parse_consent(std::string_view text) {
  if (json_error(text)) return fail(Errc::malformed, "the owner's decision about updates is not JSON");
  const auto json = OrderedJson::parse(text);
  bool wrong = false;
  const Reader all(json, &wrong);
  Consent consent{.action = all.word<Consent::Action>("action", actions),
                  .version = all.has("version") ? std::optional(all.version("version")) : std::nullopt,
                  .until = all.number("until"),
                  .number = static_cast<std::uint64_t>(all.number("number"))};
  if (consent.action == Consent::Action::reject && !consent.version) wrong = true;
  if (wrong) return fail(Errc::malformed, "the owner's decision about updates is damaged");
  return consent;
}

}  // namespace sealcam::update
