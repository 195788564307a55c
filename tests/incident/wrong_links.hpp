// SPDX-License-Identifier: Apache-2.0
/// Faults of the relay that give a hub the camera of another account, by a wrong entry in a table.
#pragma once

#include <random>

#include "fault.hpp"

namespace sealcam::incident {

/// Which pictures of a linked camera the relay passes to the hub, and when.
struct LinkModel {
  bool instead = false;  ///< the hub does not receive the same kinds of pictures of its own camera
  bool stills_only = false;
  double opened_share = 0;  ///< with stills_only: share of the hubs for which it does not hold
  bool requests = true;     ///< the hub's requests reach the other camera
  unsigned first_round = 1;
  unsigned last_round = ~0U;
};

/// Base of the faults below: a table of hubs and cameras of other accounts. Derived classes fill it at the start of a
/// wave.
class WrongLinks : public Fault {
 public:
  WrongLinks(const LinkModel& model, std::uint64_t seed) : model_(model), random_(seed) {}

 protected:
  [[nodiscard]] const LinkModel& links() const noexcept { return model_; }
  void link(std::uint32_t hub, std::uint32_t camera);
  [[nodiscard]] std::mt19937_64& random() noexcept { return random_; }
  [[nodiscard]] bool active() const noexcept { return round() >= model_.first_round && round() <= model_.last_round; }
  virtual void do_make_links() = 0;

 private:
  void do_begin_wave() final;
  std::vector<Handed> do_pass(std::uint32_t account, Kind kind, ByteView message) final;
  [[nodiscard]] std::vector<std::uint32_t> do_viewers(std::uint32_t camera) const final;
  [[nodiscard]] std::vector<std::uint32_t> do_cameras(std::uint32_t hub) const final;
  [[nodiscard]] bool affects(std::uint32_t hub, Kind kind) const;

  LinkModel model_;
  std::mt19937_64 random_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> cameras_;  ///< by hub
  std::map<std::uint32_t, std::vector<std::uint32_t>> viewers_;  ///< by camera
  std::map<std::uint32_t, bool> opened_;                         ///< by linked hub
};

/// Wyze, February 2024. PUBLISHED: after an outage all cameras came back at once; a caching library mixed up ids of
/// devices and users; 13,000 users received thumbnails of other users, and 1,504 of them opened one. INFERRED: under
/// this load the answer to each lookup of a camera's user goes to the next lookup.
class ShiftedLookups final : public WrongLinks {
 public:
  explicit ShiftedLookups(std::uint64_t seed);

 private:
  void do_make_links() override { order_.clear(); }
  void do_on_restart() override { order_.clear(); }
  void do_begin_round() override;
  void do_on_online(std::uint32_t account) override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
  std::vector<std::uint32_t> order_;  ///< cameras as they came back
};

/// eufy, May 2021. PUBLISHED: after an upgrade of a server, 712 users saw the cameras of other users live, and could
/// control them. INFERRED: the upgrade exchanges the sessions of the users at random.
class ExchangedSessions final : public WrongLinks {
 public:
  /// The fault ends before round `rounds`.
  ExchangedSessions(std::uint64_t seed, unsigned rounds);

 private:
  void do_make_links() override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
};

/// Ubiquiti, December 2023. PUBLISHED: users were presented the consoles of other accounts next to their own name, and
/// could see and control the devices. INFERRED: a group of accounts is linked to the accounts of a second group.
class MergedGroups final : public WrongLinks {
 public:
  MergedGroups(std::uint64_t seed, unsigned rounds);

 private:
  void do_make_links() override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
};

/// Swann, June 2018. PUBLISHED: two cameras were manufactured with the same key, and the clips of one reached the app
/// of the other's owner. INFERRED: the relay finds the hubs of a camera by its key alone.
class LinkedByKey final : public WrongLinks {
 public:
  explicit LinkedByKey(std::uint64_t seed) : WrongLinks({.requests = false}, seed) {}

 private:
  void do_make_links() override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
};

/// Nest with Wink, June 2019. PUBLISHED: the previous owner of a camera still received stills on a linked hub after a
/// reset and after another user paired the camera. INFERRED: the link between both clouds has the serial number of the
/// camera.
class SoldCameras final : public WrongLinks {
 public:
  explicit SoldCameras(std::uint64_t seed) : WrongLinks({.stills_only = true, .first_round = 2}, seed) {}

 private:
  void do_make_links() override;
  [[nodiscard]] bool do_camera_gone(std::uint32_t account) const override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
};

/// Ring, 2019 to 2020. PUBLISHED: attackers guessed passwords, or used passwords of other services, and watched
/// cameras. INFERRED: which passwords exist, and how many an attacker tries.
class GuessedPasswords final : public WrongLinks {
 public:
  explicit GuessedPasswords(std::uint64_t seed) : WrongLinks({}, seed) {}

 private:
  void do_make_links() override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
};

}  // namespace sealcam::incident
