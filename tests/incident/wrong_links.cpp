// SPDX-License-Identifier: Apache-2.0
#include "wrong_links.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "base/format.hpp"

namespace sealcam::incident {
namespace {

// Wyze: 1,504 of about 13,000 users opened the picture.
constexpr double opened_share = 1504.0 / 13'000;
// Ubiquiti: accounts of the first group for each account of the second one.
constexpr std::uint32_t first_group = 1216, second_group = 1177;
// Ring.
constexpr std::uint32_t accounts_per_attacker = 10;
constexpr double weak_share = 0.3;
constexpr std::size_t guesses_per_account = 10;
constexpr std::array<std::string_view, 20> common_passwords{
    "123456", "password", "12345678", "qwerty",  "123456789", "12345",  "1234",     "111111",   "1234567",  "dragon",
    "123123", "baseball", "abc123",   "letmein", "monkey",    "camera", "sunshine", "princess", "football", "starwars"};

std::vector<std::uint32_t> find(const std::map<std::uint32_t, std::vector<std::uint32_t>>& table, std::uint32_t key) {
  const auto found = table.find(key);
  return found == table.end() ? std::vector<std::uint32_t>() : found->second;
}

}  // namespace

void WrongLinks::link(std::uint32_t hub, std::uint32_t camera) {
  if (hub == camera) return;
  cameras_[hub].push_back(camera);
  viewers_[camera].push_back(hub);
  if (opened_.contains(hub)) return;
  opened_[hub] = !model_.stills_only || std::uniform_real_distribution<>(0, 1)(random_) < model_.opened_share;
  count("hubs with a camera of another account");
  if (model_.opened_share > 0 && opened_[hub]) count("of these, opened by a person");
}

void WrongLinks::do_begin_wave() {
  cameras_.clear();
  viewers_.clear();
  opened_.clear();
  do_make_links();
}

bool WrongLinks::affects(std::uint32_t hub, Kind kind) const {
  if (!active()) return false;
  const auto found = opened_.find(hub);
  return found != opened_.end() && (kind == Kind::still || found->second);
}

std::vector<Handed> WrongLinks::do_pass(std::uint32_t account, Kind kind, ByteView message) {
  const auto shared = std::make_shared<const Bytes>(message.begin(), message.end());
  std::vector<Handed> out;
  if (!model_.instead || !affects(account, kind)) out.push_back({shared, account, account});
  for (const auto hub : find(viewers_, account))
    if (affects(hub, kind)) out.push_back({shared, account, hub});
  return out;
}

std::vector<std::uint32_t> WrongLinks::do_viewers(std::uint32_t camera) const {
  return active() ? find(viewers_, camera) : std::vector<std::uint32_t>();
}

std::vector<std::uint32_t> WrongLinks::do_cameras(std::uint32_t hub) const {
  return active() && model_.requests ? find(cameras_, hub) : std::vector<std::uint32_t>();
}

ShiftedLookups::ShiftedLookups(std::uint64_t seed)
    : WrongLinks({.instead = true, .stills_only = true, .opened_share = opened_share, .last_round = 1}, seed) {}

void ShiftedLookups::do_on_online(std::uint32_t account) {
  if (round() == 0 && std::ranges::find(order_, account) == order_.end()) order_.push_back(account);
}

void ShiftedLookups::do_begin_round() {
  if (round() != 1) return;
  for (std::size_t i = 0; i < order_.size(); ++i) link(order_[i], order_[(i + 1) % order_.size()]);
}

std::vector<std::string> ShiftedLookups::do_model() const {
  return {"All cameras of a wave lose their connection and come back at once.",
          "The library has a connection for lookups of a camera's user. Under load it assigns each answer to the next "
          "lookup, so "
          "that each account receives the thumbnails of the camera that came back after its own.",
          sealcam::format(
              "{:.1f} % of the persons open the thumbnail (1,504 of 13,000). Their hub then receives the video of the "
              "same camera. The others receive the video of their own camera.",
              opened_share * 100)};
}

ExchangedSessions::ExchangedSessions(std::uint64_t seed, unsigned rounds)
    : WrongLinks({.instead = true, .last_round = rounds - 1}, seed) {}

void ExchangedSessions::do_make_links() {
  std::vector<std::uint32_t> accounts(wave().size());
  std::iota(accounts.begin(), accounts.end(), wave().first);
  std::ranges::shuffle(accounts, random());
  for (std::size_t i = 0; i < accounts.size(); ++i) link(accounts[i], accounts[(i + 1) % accounts.size()]);
}

std::vector<std::string> ExchangedSessions::do_model() const {
  return {
      "The server restarts. All hubs connect again, and the new server assigns their sessions to other accounts at "
      "random.",
      "A hub receives all messages of the other account's camera instead of its own camera's.",
      "Its requests reach both cameras, because users could also control the cameras that they saw.",
      sealcam::format("The last request of each hub ({} of {}) is after the vendor's correction.",
                      links().last_round + 1, links().last_round + 1)};
}

MergedGroups::MergedGroups(std::uint64_t seed, unsigned rounds) : WrongLinks({.last_round = rounds - 1}, seed) {}

void MergedGroups::do_make_links() {
  const auto first = std::min(
      wave().size() - 1, (wave().size() * first_group + first_group + second_group - 1) / (first_group + second_group));
  for (std::uint32_t i = 0; i < first; ++i) link(wave().first + i, wave().first + first + i % (wave().size() - first));
}

std::vector<std::string> MergedGroups::do_model() const {
  return {sealcam::format(
              "The sizes of the groups are in the proportion {} to {}. The vendor is reported to have stated these "
              "numbers; no copy of the statement was found for this test.",
              first_group, second_group),
          "A hub of the first group receives all messages of its own camera and of a camera of the second group. Its "
          "requests reach "
          "both.",
          "The hubs of the second group are not affected.",
          sealcam::format("The last request of each hub (number {}) is after the vendor's correction.",
                          links().last_round + 1)};
}

void LinkedByKey::do_make_links() {
  for (auto i = wave().first; i + 1 < wave().last; i += 2) link(i, i + 1);
}

std::vector<std::string> LinkedByKey::do_model() const {
  return {"The cameras of accounts 1 and 2, 3 and 4, and so on have the same identity key and the same HPKE key.",
          "Both were paired by their owners. The cloud authorizes both, although the second one has a known key.",
          "The relay finds the hubs of a camera by its key alone. The hub that was first receives the messages of both "
          "cameras."};
}

void SoldCameras::do_make_links() {
  for (auto i = wave().first; i + 1 < wave().last; i += 2) link(i, i + 1);
}

bool SoldCameras::do_camera_gone(std::uint32_t account) const {
  return active() && (account - wave().first) % 2 == 0 && account + 1 < wave().last;
}

std::vector<std::string> SoldCameras::do_model() const {
  return {"Accounts 1, 3, 5 and so on sell their camera to the next account after their first request.",
          "The reset deletes the keys of the camera. The new owner pairs it with new keys. In the control there are no "
          "keys.",
          "The link between both clouds has the serial number of the camera and survives the reset. The hub of the "
          "previous owner "
          "still receives all stills, and its requests reach the camera."};
}

void GuessedPasswords::do_make_links() {
  const auto attackers = std::max(1U, wave().size() / accounts_per_attacker);
  std::uniform_int_distribution<std::size_t> common(0, common_passwords.size() - 1);
  for (auto victim = wave().first + attackers; victim < wave().last; ++victim) {
    const bool weak = std::uniform_real_distribution<>(0, 1)(random()) < weak_share;
    const auto password = weak ? std::string(common_passwords[common(random())]) : std::to_string(random()());
    for (std::size_t i = 0; i < guesses_per_account; ++i) {
      count("passwords guessed");
      if (common_passwords[i] != password) continue;
      count("accounts that a guess opened");
      link(wave().first + victim % attackers, victim);
      break;
    }
  }
}

std::vector<std::string> GuessedPasswords::do_model() const {
  return {
      sealcam::format("One account of {} is an attacker's. The others are victims.", accounts_per_attacker),
      sealcam::format(
          "{:.0f} % of the victims have one of {} common passwords, all with the same probability. An attacker tries "
          "the first {}.",
          weak_share * 100, common_passwords.size(), guesses_per_account),
      "After the right guess the cloud gives the attacker's hub all messages of the victim's camera, and passes its "
      "requests to "
      "this camera.",
      "Sealcam has no passwords. Sealed frames are tested as if the cloud had them and let the attacker in."};
}

}  // namespace sealcam::incident
